//! Why a role does not open now, for this person or at all: what its terms say of time, of how many and of whom else.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::text::Shown;
use jit_proto::words::{GrantId, RequestId, RoleName, UserName};

use crate::duration::Human;
use crate::model::Despite;
use crate::tickets::Unknown;
use crate::time::Utc;

/// What of a chain of extensions is still to be had.
fn longest(left: Duration) -> String {
    if left.is_zero() {
        "it does not go on any more; ask again a minute after it is over".to_owned()
    } else {
        format!("ask for at most {}", Human(left))
    }
}

fn named(ticket: Option<&str>) -> String {
    ticket.map_or_else(|| "one ".to_owned(), |ticket| format!("'{}' ", Shown(ticket)))
}

fn or_ahead(who: &str, next: Utc, can_wait: bool) -> String {
    if can_wait {
        format!("; what is for then {who} can ask for now, with: --start {next}")
    } else {
        String::new()
    }
}

fn or_extend(id: GrantId, goes_on: bool) -> String {
    if goes_on { format!("go on with that (jitctl extend {id}), or ") } else { String::new() }
}

/// What stands in the way. Each text says what would not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// Its day has come.
    #[error(
        "role '{role}' ended on {until}: nobody can ask for it, and nothing of it opens; an admin ({admins}) can give it a \
         later `until`"
    )]
    Ended {
        /// The role that was asked for.
        role: RoleName,
        /// The day, with the zone whose it is.
        until: String,
        /// Who can change that.
        admins: String,
    },
    /// The window would begin when that day has come.
    #[error(
        "role '{role}' ends on {until}, and this window would begin no sooner; ask for one that begins before that"
    )]
    Ends {
        /// The role that was asked for.
        role: RoleName,
        /// The day, with the zone whose it is.
        until: String,
    },
    /// The person has as many as one person may.
    #[error(
        "{who} has role '{role}' for that time already ({id}), and one person may have {most} at a time; {user} can \
         {}end it first: jitctl done {id}",
        or_extend(*id, *goes_on)
    )]
    Each {
        /// The role that was asked for.
        role: RoleName,
        /// Who has it.
        who: String,
        /// How many one person may have.
        most: NonZeroU32,
        /// One that they have.
        id: GrantId,
        /// The account that has it, which may be another one of theirs.
        user: UserName,
        /// Whether that can be extended.
        goes_on: bool,
    },
    /// There are as many as there may be.
    #[error(
        "as many windows of role '{role}' are open or approved for that time as there may be ({most}); ask again when one of \
         them ends, the first at {ends} at the latest"
    )]
    AtOnce {
        /// The role that was asked for.
        role: RoleName,
        /// How many there may be.
        most: NonZeroU32,
        /// When the first of them ends, in whole seconds.
        ends: Utc,
    },
    /// The person has had it too short a time ago, or will have it too soon after.
    #[error(
        "{who} rests for {rest} between two windows of role '{role}', until {next}{}",
        or_ahead(who, *next, *can_wait)
    )]
    Rest {
        /// The role that was asked for.
        role: RoleName,
        /// Who had it.
        who: String,
        /// For how long they rest.
        rest: Human,
        /// When that is over, in whole seconds.
        next: Utc,
        /// Whether it can be asked for ahead of time.
        can_wait: bool,
    },
    /// The ticket that the reason names does not count.
    #[error("role '{role}' takes a ticket that the register of this host lists, and {}{why}", named(ticket.as_deref()))]
    Ticket {
        /// The role that was asked for.
        role: RoleName,
        /// The ticket, if the reason names one.
        ticket: Option<String>,
        /// Why it does not.
        why: Unknown,
    },
    /// The person has, or waits for, a role that is apart from it.
    #[error("role '{role}' is apart from role '{other}', which {who} {which}")]
    Apart {
        /// The role that was asked for.
        role: RoleName,
        /// Who it is.
        who: String,
        /// The role that they have or wait for.
        other: RoleName,
        /// By what, and how to be rid of it.
        which: Apart,
    },
    /// The chain of extensions would be too long.
    #[error(
        "a window of role '{role}' is for {most} in all, with everything that goes on from it, and {had} of that are had; {}",
        longest(*left)
    )]
    InAll {
        /// The role that was asked for.
        role: RoleName,
        /// How long all of it may be.
        most: Human,
        /// How long the windows are together that it goes on from.
        had: Human,
        /// What is left of that.
        left: Duration,
    },
    /// What opened since has made it part of a longer stay.
    #[error(
        "with the windows that {who} has since, this one of role '{role}' comes to {together} without a break, and stage \
         '{stage}' is of what is that long; whoever asked takes it back and asks again (jitctl withdraw {id}), and then that \
         stage is asked as well"
    )]
    Longer {
        /// Whom it is for.
        who: String,
        /// The role that was asked for.
        role: RoleName,
        /// How long all of it would be.
        together: Human,
        /// The stage that it did not come to.
        stage: String,
        /// The request that waits on.
        id: RequestId,
    },
    /// The role asks the leads of the teams of whoever asks, and there is none.
    #[error(
        "stage '{stage}' of role '{role}' asks the leads of your team, and policy has {who} in none; an admin ({admins}) can add \
         {who} to the members of a [team], or somebody beside `leads`"
    )]
    NoTeam {
        /// The role that was asked for.
        role: RoleName,
        /// The stage that asks leads.
        stage: String,
        /// Who is in no team.
        who: String,
        /// Who can change that.
        admins: String,
    },
    /// The role asks the leads of the teams of whoever asks, and that is themselves.
    #[error(
        "stage '{stage}' of role '{role}' asks the leads of team {teams}, and none of them may approve for {who}: nobody does \
         for themselves; an admin ({admins}) can name another lead, or somebody who deputises (`then`)"
    )]
    LeadsAlone {
        /// The role that was asked for.
        role: RoleName,
        /// The stage that asks leads.
        stage: String,
        /// Who leads their own team.
        who: String,
        /// The teams that they are in.
        teams: String,
        /// Who can change that.
        admins: String,
    },
    /// Whoever it is for has left the teams whose leads were asked.
    #[error(
        "{who} was in team {teams} when they asked, and is no longer: its leads approve nothing for them, and neither do those of \
         another that they are in now. The request waits on and can be denied; whoever asked takes it back and asks again: \
         jitctl withdraw {id}"
    )]
    LeftTeams {
        /// Whom it is for.
        who: String,
        /// The teams that they were in.
        teams: String,
        /// The request that waits on.
        id: RequestId,
    },
    /// It was asked for, and cannot open in the moment of the last approval.
    #[error(
        "{why}. This approval was not taken down: {id} waits on, and opens by the same one once that is over"
    )]
    NotOpened {
        /// The request that waits on.
        id: RequestId,
        /// What stands in the way.
        why: Box<NotNow>,
    },
}

/// How somebody comes by a role that is apart from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// By this window, open or approved.
    Has(GrantId),
    /// By this session, which a window let in that is over.
    Leaves {
        /// The session that is left.
        session: u64,
        /// What let it in.
        grant: GrantId,
    },
    /// By this request, which waits.
    Awaits(RequestId),
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Has(id) => write!(f, "has ({id}); end that first: jitctl done {id}"),
            Self::Leaves { session, grant } => write!(
                f,
                "still has a session of ({session}; {grant} is over); log out of it, or end it: jitctl session end {session}"
            ),
            Self::Awaits(id) => write!(f, "waits for ({id}); take that back first: jitctl withdraw {id}"),
        }
    }
}

impl NotNow {
    /// What an emergency passes of it, with a mark in the record.
    pub(crate) fn passed(&self) -> Option<Despite> {
        match self {
            Self::Apart { other, .. } => Some(Despite::Apart(other.clone())),
            Self::AtOnce { .. } => Some(Despite::AtOnce),
            Self::Rest { .. } => Some(Despite::Rest),
            Self::Ended { .. }
            | Self::Ends { .. }
            | Self::Each { .. }
            | Self::InAll { .. }
            | Self::Longer { .. }
            | Self::NoTeam { .. }
            | Self::LeadsAlone { .. }
            | Self::LeftTeams { .. }
            | Self::Ticket { .. }
            | Self::NotOpened { .. } => None,
        }
    }
}
