//! What every order is judged against, and why one is refused.

use std::time::Duration;

use jit_proto::words::{RequestId, RoleName, UserName};

use crate::clock::{Moment, Suspicion, Utc};
use crate::duration::Human;
use crate::lock::{Lock, Scope};
use crate::person::Caller;
use crate::policy::{Host, Policy, Role};
use crate::review::NoReview;
use crate::state::State;

/// Pending requests that one host keeps; one more is refused until one is decided or withdrawn.
pub const MAX_PENDING: usize = 10_000;

/// Pending requests that one person may have filed, so that nobody's flood keeps anybody else from asking.
pub const MAX_PENDING_EACH: usize = 10;

/// How far ahead a window may be asked for.
pub const MAX_AHEAD: Duration = Duration::from_hours(24 * 90);

/// What an order is judged against: the rules, what is true, where, and when.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// What is true now.
    pub state: &'a State,
    /// This host.
    pub host: &'a Host,
    /// The clocks.
    pub now: &'a Moment,
}

impl<'a> Here<'a> {
    /// The role of this name, if it exists on this host.
    pub(crate) fn role(self, name: &RoleName) -> Result<&'a Role, Refusal> {
        let role = self.policy.role(name).filter(|role| role.on_host(self.host));
        role.ok_or_else(|| Refusal::NoSuchRole(name.clone()))
    }

    /// Whether something may open by the wall clock.
    pub(crate) fn clock(self) -> Result<(), Refusal> {
        self.now.suspect.map_or(Ok(()), |why| Err(Refusal::ClockSuspect(why)))
    }

    /// Whether the caller may give admin's orders: the account, as root can do anything here anyway. It does not
    /// make a reviewer of them.
    ///
    /// A lock on the person takes this from them too, or they would lift it. Root that nobody else became is left out,
    /// and so is a lock on the whole host: somebody must be able to.
    pub fn admin(self, caller: &Caller) -> Result<(), Refusal> {
        if !self.policy.is_admin(&caller.account) {
            return Err(Refusal::NotAdmin(self.policy.admins().to_string()));
        }
        let locks = self.state.locked(self.now);
        let people = caller.accounts().filter(|account| !account.uid.is_root());
        match people.into_iter().find_map(|account| locks.on_person(account, self.policy.people())) {
            Some(lock) => Err(Refusal::Locked(Box::new(lock.clone()))),
            None => Ok(()),
        }
    }
}

/// Why an order was refused. Each text says what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not an admin.
    #[error("only an admin may do this; policy names as admins: {0}")]
    NotAdmin(String),
    /// No such role, or not on this host.
    #[error("there is no role '{0}' on this host; 'jitctl roles' lists those that you may ask for")]
    NoSuchRole(RoleName),
    /// The role is not for this person.
    #[error("role '{role}' is not for {user}: it is for {eligible}")]
    NotEligible {
        /// The role.
        role: RoleName,
        /// Whom it was asked for.
        user: UserName,
        /// Whom the role is for.
        eligible: String,
    },
    /// More time than the role allows.
    #[error("role '{role}' opens for at most {max}, not {asked}")]
    TooLong {
        /// The role.
        role: RoleName,
        /// Its limit.
        max: Human,
        /// What was asked.
        asked: Human,
    },
    /// Asking in another's name.
    #[error("a request is for whoever files it; for somebody else an admin runs 'jitctl grant'")]
    ForSomebodyElse,
    /// The reason is not what the role asks for.
    #[error("role '{role}' wants another reason: {wanted}")]
    Reason {
        /// The role.
        role: RoleName,
        /// What to write.
        wanted: String,
    },
    /// A start that is over, or further away than anybody should approve now.
    #[error("the window cannot start at {start}: give a time from now ({now}) to {} ahead", Human(MAX_AHEAD))]
    Start {
        /// What was asked.
        start: Utc,
        /// The wall clock.
        now: Utc,
    },
    /// A role that opens at once, asked for at another time or for longer.
    #[error("emergency role '{role}' opens at once and is not {what}; ask again when you need it")]
    Emergency {
        /// The role.
        role: RoleName,
        /// What it is not.
        what: &'static str,
    },
    /// An emergency opening of the same role has not been reviewed yet.
    #[error(
        "{user} still owes a review for {id}, which opened role '{role}' without one; it does not open again \
         before reviewers have said what they think of that"
    )]
    ReviewOwed {
        /// Who.
        user: UserName,
        /// For which opening.
        id: RequestId,
        /// Of which role.
        role: RoleName,
    },
    /// Only what is open can be extended.
    #[error(
        "{0} is not an open window of yours, so there is nothing to extend; ask anew with 'jitctl request'"
    )]
    NotOpen(String),
    /// One extension waits already.
    #[error("{0} already asks to extend this window; wait for it, or take it back with: jitctl withdraw {0}")]
    AlreadyExtending(RequestId),
    /// The role is not what it was when the request was filed.
    #[error("role '{0}' has changed since this was asked for; ask again")]
    TermsChanged(RoleName),
    /// The reviewer saw another request than the one that waits under this id.
    #[error("{0} is not what you reviewed: its digest is another one; look again with: jitctl show {0}")]
    OtherDigest(RequestId),
    /// The review does not count.
    #[error("this review of {id} does not count: {why}")]
    NoReview {
        /// Of which request.
        id: RequestId,
        /// Why.
        why: NoReview,
    },
    /// What opens here opens by the clock, and that cannot be believed.
    #[error(
        "the clock of this host is suspect (it {0}), so nothing new is opened and no approval is taken; an admin looks \
         at it with 'jitctl clock' and accepts it with 'jitctl clock accept'; emergency roles open all the same"
    )]
    ClockSuspect(Suspicion),
    /// The clock is believed as it is.
    #[error("the clock is not suspect, so there is nothing to accept; nothing was changed")]
    ClockTrusted,
    /// A time that cannot be.
    #[error("the clock says {}, before this jitd was built; set it first, as with 'timedatectl set-time'", .0.to_seconds())]
    ClockAbsurd(Utc),
    /// A lock forbids it.
    #[error("{}", .0.refusal())]
    Locked(Box<Lock>),
    /// There is no such lock.
    #[error("there is no lock on {0}; 'jitctl status' shows those there are")]
    NotLocked(Scope),
    /// The id is not one of a live grant or pending request that concerns the caller.
    #[error("there is no request or grant {0}; 'jitctl list' shows those there are")]
    NotFound(String),
    /// There is no such session, or it is not the caller's to end.
    #[error("there is no session {0}; 'jitctl session list' shows those there are")]
    NoSession(u64),
    /// Too many requests wait.
    #[error("{MAX_PENDING} requests are pending already; they have to be decided or withdrawn first")]
    TooManyPending,
    /// Too many requests of one person wait.
    #[error(
        "{MAX_PENDING_EACH} requests that you filed are pending already; take one back with: jitctl withdraw ID"
    )]
    TooManyOfYours,
    /// A fresh id is in use (once in a trillion); asking again draws another.
    #[error("the id drawn for this request is taken; ask again")]
    IdTaken,
    /// Somebody reviewed it in the same moment, and whether they may has not been looked up.
    #[error("somebody else reviewed {0} in the same moment; try again")]
    Raced(RequestId),
}
