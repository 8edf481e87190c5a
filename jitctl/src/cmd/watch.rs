//! `jitctl watch`: a full-screen view of the requests that wait for the caller and the windows that are open.
//!
//! [`model`] knows what is shown and what a key means, [`Painter`] turns that into as few bytes as will do, [`Terminal`]
//! holds the terminal while it lasts, and here is the loop between them.

mod model;

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use jit_proto::manager::{Entry, Status};

use crate::call::Call;
use crate::cmd::reviewing;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::Outcome;
use crate::screen::Screen;
use crate::terminal::held::{Size, Terminal};
use crate::terminal::paint::Painter;
use crate::wakes::{POLL, Wake, Wakes};

use model::{Model, Then};

/// How often what counts down is drawn, and the most often that jitd is asked.
const TICK: Duration = Duration::from_secs(1);

pub(crate) fn run(json: bool, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    if json || is_dumb() || !screen.terminal || !screen.can_ask() {
        return reviewing::follow(json, jitd, screen);
    }
    // Without an answer to the first question there is nothing to watch.
    let (waiting, status) = look(jitd)?;
    let mut wakes = jitd.wakes();
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let Ok(terminal) = Terminal::hold_of(stdin.as_fd(), stdout.as_fd()) else {
        return reviewing::follow(json, jitd, screen);
    };
    wakes.read_keys();
    let mut model = Model::new(waiting, status);
    watch(&mut model, jitd, wakes.as_mut(), &|| terminal.size(), screen)?;
    Ok(Outcome::Yes)
}

/// Whether the terminal is one that strokes would only litter.
#[expect(clippy::disallowed_methods, reason = "how something is drawn decides nothing")]
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

fn look(jitd: &dyn Jitd) -> Result<(Vec<Entry>, Status), Failure> {
    Ok((jitd::ask(jitd, &Call::Pending)?, jitd::ask(jitd, &Call::Status)?))
}

/// Until somebody leaves. `size` is the terminal's, whenever it is asked for.
fn watch(
    model: &mut Model,
    jitd: &dyn Jitd,
    wakes: &mut dyn Wakes,
    size: &dyn Fn() -> Size,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let mut painter = Painter::new(size());
    // Since jitd was last asked, and since something was heard that it should be asked about.
    let (mut since, mut stale) = (Duration::ZERO, false);
    loop {
        screen.draw(&painter.paint(&model.picture(painter.size(), since.as_secs())))?;
        let (wake, passed) = wakes.wait(TICK);
        since += passed;
        let then = match wake {
            Wake::Interrupted => Then::Leave,
            Wake::Key(key) => model.key(key),
            Wake::Resized => {
                painter = Painter::new(size());
                Then::Stay
            }
            Wake::Changed => {
                stale = true;
                Then::Stay
            }
            Wake::Time => Then::Stay,
        };
        let due = since >= POLL || (stale && since >= TICK);
        let again = match then {
            Then::Leave => break,
            Then::Stay => due,
            Then::Look => true,
            Then::Give(given, entry) => {
                let call = given.call(&entry)?;
                model.note(match jitd::ask::<Entry>(jitd, &call) {
                    Ok(entry) => given.verdict(&entry),
                    Err(failure) => failure.message(),
                });
                true
            }
        };
        if again {
            match look(jitd) {
                Ok((waiting, status)) => model.seen(waiting, status),
                Err(failure) => model.note(failure.message()),
            }
            (since, stale) = (Duration::ZERO, false);
        }
    }
    screen.draw(&painter.leave())?;
    Ok(())
}

#[cfg(test)]
mod tests;
