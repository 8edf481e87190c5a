//! `jitctl clock`: whether jitd trusts this host's clock, and `accept`, by which an admin says that it is right.

use clap::Subcommand;
use jit_proto::manager::{Challenge, Clock, ClockAccepted};
use jit_proto::text::Shown;
use jit_proto::words::Reason;

use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::View;
use crate::output::{Outcome, give};
use crate::screen::Screen;
use crate::table::Properties;
use crate::times::{left, time};

/// What to do about the clock.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Print what an admin elsewhere is asked, whose signed answer makes the clock believed again
    ///
    /// Set the clock first, if it is wrong: an answer counts for this suspicion alone, for a day. Whoever is an admin writes and signs
    /// it with 'jitctl offline clock' and 'jitctl offline sign'; anybody brings it with 'jitctl offline import'.
    Challenge,

    /// Say that the clock, which is suspect, is right as it is now
    ///
    /// Set it first, if it is not. From then on windows open by it again, and what was scheduled begins. For admins.
    Accept {
        /// Why; one line, kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<Reason>,
    },
}

pub(crate) fn run(
    verb: Option<&Verb>,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    match verb {
        None => {
            let clock: Clock = jitd::ask(jitd, &Call::Clock)?;
            Ok(give(&clock, json, screen, shown)?)
        }
        Some(Verb::Challenge) => {
            let asked: Challenge = jitd::ask(jitd, &Call::ClockChallenge)?;
            if json {
                return Ok(give(&asked, true, screen, |_| View::yes(String::new()))?);
            }
            screen.exact(&asked.text)?;
            screen.say("hint: an admin answers it elsewhere with: jitctl offline clock FILE");
            Ok(Outcome::Yes)
        }
        Some(Verb::Accept { reason }) => {
            let call = Call::AcceptClock { reason: reason.clone() };
            let done: ClockAccepted = jitd::ask(jitd, &call)?;
            Ok(give(&done, json, screen, accepted)?)
        }
    }
}

/// A clock that is suspect is a no.
fn shown(clock: &Clock) -> View {
    let is_trusted = clock.state == "trusted";
    let mut text = Properties::new(&format!("The clock is {}", clock.state));
    if !clock.text.is_empty() {
        text.add("Why", &clock.text);
    }
    if let Some(since) = &clock.since {
        text.add("Since", &format!("it said {}", time(since)));
    }
    text.add("It says", &time(&clock.wall));
    if !is_trusted {
        text.add("Expected", &format!("{}, by the time since it was last believed", time(&clock.expected)));
    }
    text.add("Mark", &format!("{}, the latest that was believed", time(&clock.mark)));
    text.add("Up for", &left(clock.boot_seconds));
    if let Some(synced) = clock.synced {
        let said = if synced { "yes, says the kernel; ten minutes of that are enough" } else { "no" };
        text.add("In sync", said);
    }
    let mut view = View::yes(text.text());
    if !is_trusted {
        view.outcome = Outcome::No;
        view.said.push(
            "jitctl: nothing new opens here but emergency roles; open windows go on, and every end comes in time.\n\
             hint: an admin sets the clock if it is wrong, and then types: jitctl clock accept"
                .to_owned(),
        );
    }
    view
}

fn accepted(done: &ClockAccepted) -> View {
    let ClockAccepted { before, after } = done;
    let mut view = View::yes(format!(
        "The clock is {}: it says {}, and {} was expected.\n",
        Shown(&after.state),
        time(&after.wall),
        time(&before.expected)
    ));
    if after.state != "trusted" {
        view.outcome = Outcome::No;
        view.said.push("jitctl: it has been stepped since; look at it with: jitctl clock".to_owned());
    }
    view
}

#[cfg(test)]
pub(crate) mod tests;
