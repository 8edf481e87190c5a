//! What opens on policy's word alone: a request that somebody files for themselves and that is within `unreviewed` of its role
//! opens as it is filed, by the same door as every other (law 3). What is longer, comes from elsewhere or at another time, names
//! a start or extends something takes the stages, and so does all of it while the clock is suspect.
//!
//! Short windows must not add up to what was to be reviewed: the length counts together with what the person has of the role
//! without a break, and how often it opens counts by person and role, for seven days of time that has passed by every clock.
//! What is ended early, or never used, has opened and counts.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::words::{RequestId, RoleName};

use crate::context::Context;
use crate::duration::Human;
use crate::event::Event;
use crate::model::{ByPolicy, Caller, LoginAccount, Person, Request, same};
use crate::orders::terms;
use crate::policy::{Role, Subject, WEEK};
use crate::time::{Moment, Utc};

/// Why a request of a role that opens something without a review takes its stages. Each text goes on from "it waits for its
/// reviews: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TakesStages {
    /// Somebody else filed it.
    #[error("without one it opens for whoever asks for themselves")]
    NotOwn,
    /// It is for later.
    #[error("what opens without one begins at once")]
    Start,
    /// It extends a window.
    #[error("an extension takes the stages")]
    Extends,
    /// The wall clock is not believed.
    #[error("nothing opens without one while the clock of this host is suspect")]
    Clock,
    /// The process is in no login.
    #[error("it comes from a process that nobody logged in to start")]
    NoLogin,
    /// It comes from an account that people share.
    #[error(
        "it comes from an account that several people share, and what one of them runs there the others can make do what they like"
    )]
    Shared,
    /// It is longer.
    #[error(
        "up to {} opens without one, and this comes to {}{}",
        Human(*up_to),
        Human(*together),
        if together > asked { " with what it follows without a break" } else { "" }
    )]
    Longer {
        /// What opens without one.
        up_to: Duration,
        /// What was asked for.
        asked: Duration,
        /// That with what it follows.
        together: Duration,
    },
    /// It would not be over before the hours are.
    #[error("without one it opens within {0}, to its end")]
    Hours(String),
    /// The login did not come from there, or that is not known.
    #[error("without one it opens for logins from {listed}, and yours {}", from.map_or_else(
        || "comes from no address that is known".to_owned(),
        |from| format!("comes from {from}")
    ))]
    From {
        /// From where it would.
        listed: String,
        /// From where it comes.
        from: Option<IpAddr>,
    },
    /// They have had as many.
    #[error("without one it opens {most} times in seven days, and that is used up until {next}")]
    EachWeek {
        /// How often it does.
        most: NonZeroU32,
        /// When the oldest of them counts no more, by the wall clock.
        next: Utc,
    },
    /// The reason names no ticket.
    #[error("without one it opens for a ticket, and the reason names none")]
    NoTicket,
}

/// What a request opens as it is filed, by whoever files it from a login of that address; or why its stages are asked. Nothing
/// of a role that has no such rule.
pub(crate) fn opened(
    here: Context<'_>,
    role: &Role,
    request: &Request,
    caller: &Caller,
    from: Option<IpAddr>,
) -> Option<Result<Event, TakesStages>> {
    // An emergency opens anyhow, and owes.
    let opens = role.unreviewed.as_ref().filter(|_| !role.emergency)?;
    Some(judged(here, role, request, caller, from).map(|()| {
        let mut event = terms::opened(here, role, request, &[]);
        if let Event::Opened { grant } = &mut event {
            grant.by_policy = Some(ByPolicy { from: from.filter(|_| !opens.from.is_empty()) });
            grant.limits = role.limits_unreviewed().unwrap_or_else(|| grant.limits.clone());
        }
        event
    }))
}

fn judged(
    here: Context<'_>,
    role: &Role,
    request: &Request,
    caller: &Caller,
    from: Option<IpAddr>,
) -> Result<(), TakesStages> {
    let Some(opens) = &role.unreviewed else { return Err(TakesStages::NotOwn) };
    let people = here.policy.people();
    if !same(people, &request.filed_by, &request.beneficiary) || request.ahead.is_some() {
        return Err(TakesStages::NotOwn);
    }
    if request.extends.is_some() {
        return Err(TakesStages::Extends);
    }
    if request.start.is_some() || role.begins_with_hours(here.now).is_some() {
        return Err(TakesStages::Start);
    }
    if !here.now.is_trusted() {
        return Err(TakesStages::Clock);
    }
    if caller.login == LoginAccount::Unset {
        return Err(TakesStages::NoLogin);
    }
    if caller.accounts().flat_map(Subject::names).any(|name| people.is_shared(name)) {
        return Err(TakesStages::Shared);
    }
    let (asked, together) = (request.duration, request.together());
    if together > opens.up_to {
        return Err(TakesStages::Longer { up_to: opens.up_to, asked, together });
    }
    if opens.open_for(here.now, asked) < asked {
        return Err(TakesStages::Hours(list(&opens.hours)));
    }
    if !opens.is_from(from) {
        return Err(TakesStages::From { listed: list(&opens.from), from });
    }
    if terms::ticket(role, &request.reason).is_none() {
        return Err(TakesStages::NoTicket);
    }
    let counted = counted(here, &role.name, &request.beneficiary);
    if let Some(most) = opens.each_week.filter(|most| counted.len() >= index(*most)) {
        // It opens again once fewer than that are left of the week.
        let oldest = counted.get(counted.len() - index(most)).map(|left| here.now.wall.plus(*left));
        return Err(TakesStages::EachWeek { most, next: oldest.unwrap_or(here.now.wall).whole_seconds() });
    }
    Ok(())
}

/// How long each of the openings of somebody's still counts, the shortest first.
fn counted(here: Context<'_>, role: &RoleName, whose: &Person) -> Vec<Duration> {
    let people = here.policy.people();
    let of_theirs = here.state.earlier(role).filter(|one| same(people, &one.holder, whose));
    let left = |opened: &Moment| WEEK.saturating_sub(here.now.at_least_since(opened));
    let mut left: Vec<Duration> = of_theirs.flat_map(|one| &one.unreviewed).map(left).collect();
    left.retain(|left| !left.is_zero());
    left.sort_unstable();
    left
}

/// Why a request that waits was not opened by policy, where its role opens some so; by whoever filed it.
#[must_use]
pub fn takes_stages(
    here: Context<'_>,
    id: RequestId,
    caller: &Caller,
    from: Option<IpAddr>,
) -> Option<TakesStages> {
    let request = &here.state.pending().get(&id)?.request;
    let role = here.policy.role(&request.role)?;
    opened(here, role, request, caller, from)?.err()
}

fn index(most: NonZeroU32) -> usize {
    usize::try_from(most.get()).unwrap_or(usize::MAX)
}

fn list<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}
