//! Why an order is refused.

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::words::{GroupName, RequestId, RoleName, UserName};

use crate::access::{Denied, Method};
use crate::clock::NotAccepted;
use crate::duration::Human;
use crate::model::{Caller, Entitled, Lock, Person, RefusedOrder, Scope};

use super::no_archive::NoArchive;
use super::no_change::NoChange;
use super::no_code::NoCode;
use super::not_now::NotNow;
use super::not_of_here::NotOfHere;
use crate::context::Context;
use crate::model::NotNarrower;
use crate::policy::{Method as Way, PersonName, Role};
use crate::text::cut;
use crate::time::{Suspicion, Utc};

/// Pending requests that one host keeps; one more is refused until one is decided or withdrawn.
pub const MAX_PENDING: usize = 10_000;

/// Pending requests that one person may have filed, so that nobody's flood keeps anybody else from asking.
pub const MAX_PENDING_EACH: usize = 10;

/// How far ahead a window may be asked for.
pub const MAX_AHEAD: Duration = Duration::from_hours(24 * 90);

fn meant(near: Option<&Scope>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

/// What keeps a lock on people whom a directory has yet to bring.
fn keep(scope: &Scope) -> String {
    match scope {
        Scope::User(_) | Scope::Group(_) => {
            format!("; if a directory has yet to bring it, type: jitctl lock --unknown {scope}")
        }
        Scope::Service(_) | Scope::Role(_) | Scope::Host => String::new(),
    }
}

fn unanswered(user: &UserName, groups: &BTreeSet<GroupName>) -> String {
    let groups: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
    let what = match &groups[..] {
        [] => format!("who {user} is"),
        [group] => format!("whether {user} is in the group {group}"),
        groups => format!("which of the groups {} {user} is in", groups.join(", ")),
    };
    format!("the name service does not say {what}; try again once it answers")
}

/// Why an order was refused. Each text says what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not an admin.
    #[error("only an admin may do this; policy names as admins: {0}")]
    NotAdmin(String),
    /// Neither an admin, nor has approved what was to be ended.
    #[error("only an admin may do this, or whoever approved what it ends; policy names as admins: {0}")]
    MayNotRevoke(String),
    /// What the caller approved has not opened: the word for that is another.
    #[error("{0} has not opened yet; take your approval back with: jitctl deny {0} --reason WHY")]
    StillWaits(RequestId),
    /// An admin, whose call comes from no login or from another's.
    #[error("{0}")]
    Denied(Denied),
    /// It is there and is somebody else's; said to an admin.
    #[error("{id} is not {me}'s own; as an admin, end it with: jitctl revoke {id}")]
    NotOwn {
        /// What was named.
        id: String,
        /// Whose own it would have to be.
        me: Person,
    },
    /// No such role, or not on this host.
    #[error("there is no role '{0}' on this host; 'jitctl roles' lists those that you may ask for")]
    NoSuchRole(RoleName),
    /// The role is not for this person.
    #[error("role '{role}' is not for {user}: it is for {eligible}")]
    NotEligible {
        /// The role that was asked for.
        role: RoleName,
        /// Whom it was asked for.
        user: Box<Person>,
        /// Whom the role is for.
        eligible: String,
    },
    /// People share the account, and nothing says which of them asks.
    #[error(
        "several people share {user}, and nothing says which of them you are; log in to it by ssh with a key that policy \
         lists for you, or have an admin run: jitctl grant {user} --person NAME --role ROLE --reason WHY"
    )]
    NoPerson {
        /// The account that they share.
        user: UserName,
    },
    /// Nobody of this name shares the account.
    #[error(
        "{person} is not one of those who share {user} ([people] with ssh-keys in the policy; see: jitctl policy show)"
    )]
    NoSuchPerson {
        /// Who was named.
        person: PersonName,
        /// The account that they do not share.
        user: UserName,
    },
    /// More time than the role allows.
    #[error("role '{role}' opens for at most {max}, not {asked}")]
    TooLong {
        /// The role that was asked for.
        role: RoleName,
        /// The longest time that the role allows.
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
        /// The role that was asked for.
        role: RoleName,
        /// What to write.
        wanted: String,
    },
    /// The window would be over before the hours of the role begin.
    #[error(
        "role '{role}' is for {hours}, and this window would be over before that; ask again at {next}{}",
        if *can_wait { format!(", or now with: --start {next}") } else { String::new() }
    )]
    OutsideHours {
        /// The role that was asked for.
        role: RoleName,
        /// The hours of it, as policy has them.
        hours: String,
        /// When they begin next, in whole seconds.
        next: Utc,
        /// Whether it can be asked for ahead of time.
        can_wait: bool,
    },
    /// The role does not open now.
    #[error("{0}")]
    NotNow(Box<NotNow>),
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
        /// The role that was asked for.
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
        /// The account that opened it.
        user: Box<Person>,
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
        /// Why it does not count.
        why: NoReview,
    },
    /// A signature whose signer files no request by it.
    #[error("this signature does not count: {0}")]
    NoSigner(NoReview),
    /// A signed text that is not about what waits here.
    #[error("this signature does not count: {0}")]
    NotOfHere(#[from] NotOfHere),
    /// A code that does not count.
    #[error("{0}")]
    NoCode(#[from] NoCode),
    /// What opens here opens by the clock, and that cannot be believed.
    #[error(
        "the clock of this host is suspect (it {0}), so nothing new is opened and no approval is taken; an admin looks \
         at it with 'jitctl clock' and confirms that it is right with 'jitctl clock accept'; emergency roles open all the same"
    )]
    ClockSuspect(Suspicion),
    /// What room there is for records is kept for what ends.
    #[error(
        "the disk of this host is nearly full, and what is left is kept for the records of revoking, of ends and of \
         emergencies, so nothing new is asked for or opened; an admin makes room on the file system of /var/lib/jitd \
         ('jitctl status' says how much), and then the same order works; emergency roles open all the same"
    )]
    NoRoom,
    /// The policy is not changed by it.
    #[error("{0}")]
    NoPolicyChange(Box<NoChange>),
    /// The clock cannot be accepted.
    #[error("{0}")]
    NotAccepted(#[from] NotAccepted),
    /// A lock forbids it.
    #[error("{}", .0.refusal())]
    Locked(Box<Lock>),
    /// There is no such lock.
    #[error("there is no lock on {scope}{}; 'jitctl status' shows those there are", meant(near.as_ref()))]
    NotLocked {
        /// What was to be unlocked.
        scope: Scope,
        /// What was probably meant.
        near: Option<Scope>,
    },
    /// The lock is on something that this host does not have.
    #[error("there is no {scope} on this host{}; nothing was locked{}", meant(near.as_ref()), keep(scope))]
    NoSuchScope {
        /// What was to be locked.
        scope: Scope,
        /// What was probably meant.
        near: Option<Scope>,
    },
    /// The id is not one of a live grant or pending request that concerns the caller.
    #[error("there is no request or grant {0}; 'jitctl list' shows those there are")]
    NotFound(String),
    /// It is there, and concerns others alone: they are told what they would be if it were not.
    #[error("{}", Self::NotFound(.0.clone()))]
    NotConcerned(String),
    /// There is no such session.
    #[error("there is no session {0}; 'jitctl session list' shows those there are")]
    NoSession(u64),
    /// It is not the caller's to end: they are told what they would be if it were not there.
    #[error("{}", Self::NoSession(*.0))]
    NotYourSession(u64),
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
    /// The decision depends on what the name service has not said.
    #[error("{}", unanswered(user, groups))]
    Unanswered {
        /// The account that was looked up.
        user: UserName,
        /// The groups that it has not said whether they are in; none if it has not said who they are.
        groups: BTreeSet<GroupName>,
    },
    /// Somebody reviewed it in the same moment, and whether they may has not been looked up.
    #[error("somebody else reviewed {0} in the same moment; try again")]
    Raced(RequestId),
    /// Records stay in the store.
    #[error(transparent)]
    NoArchive(#[from] NoArchive),
    /// Neither an admin nor an auditor.
    #[error("only admins and auditors attest who should be able to ask for a role")]
    MayNotAttest,
    /// What is attested is the caller's own.
    #[error(
        "nobody attests what they may ask for themselves, and {0} is you, or you are in it; somebody else has to"
    )]
    OwnAccess(Entitled),
    /// There is nothing to attest.
    #[error("role '{role}' does not name {who} under eligible; see: jitctl report --attest")]
    NotEntitled {
        /// The role that was named.
        role: RoleName,
        /// Who was named with it.
        who: Entitled,
    },
}

impl From<NotNow> for Refusal {
    fn from(why: NotNow) -> Self {
        Self::NotNow(Box::new(why))
    }
}

/// The longest text of a refused order that is kept, in bytes.
const MAX_TEXT: usize = 300;

impl Refusal {
    /// What is on record of it: of a refusal that says who may not, and not of one that says what cannot be.
    #[must_use]
    pub fn on_record(&self, method: Method) -> Option<RefusedOrder> {
        let (why, request) = match self {
            Self::NotAdmin(_) | Self::MayNotRevoke(_) => ("not-admin", None),
            Self::Denied(_) | Self::MayNotAttest => ("not-permitted", None),
            Self::NotOwn { .. } => ("not-own", None),
            Self::NotEligible { .. } => ("not-eligible", None),
            Self::ForSomebodyElse => ("for-somebody-else", None),
            Self::NoPerson { .. } => ("no-person", None),
            Self::NotConcerned(_) | Self::NotYourSession(_) => ("not-concerned", None),
            Self::NoReview { id, why } => (why.word()?, Some(*id)),
            Self::NoSigner(why) => (why.word()?, None),
            Self::Locked(_) => ("locked", None),
            Self::OwnAccess(_) => ("own-access", None),
            Self::NoPolicyChange(why) => (why.word()?, None),
            Self::NoArchive(why) => (why.word()?, None),
            Self::NotEntitled { .. }
            | Self::NoSuchPerson { .. }
            | Self::NoSuchRole(_)
            | Self::TooLong { .. }
            | Self::Reason { .. }
            | Self::OutsideHours { .. }
            | Self::NotNow(_)
            | Self::Start { .. }
            | Self::Emergency { .. }
            | Self::ReviewOwed { .. }
            | Self::NotOpen(_)
            | Self::StillWaits(_)
            | Self::AlreadyExtending(_)
            | Self::TermsChanged(_)
            | Self::OtherDigest(_)
            | Self::NotOfHere(_)
            | Self::NoCode(_)
            | Self::ClockSuspect(_)
            | Self::NoRoom
            | Self::NotAccepted(_)
            | Self::NotLocked { .. }
            | Self::NoSuchScope { .. }
            | Self::NotFound(_)
            | Self::NoSession(_)
            | Self::TooManyPending
            | Self::TooManyOfYours
            | Self::IdTaken
            | Self::Unanswered { .. }
            | Self::Raced(_) => return None,
        };
        Some(refused(method, why, self.to_string(), request))
    }
}

impl RefusedOrder {
    /// A question that was not answered, as whoever asks may not know.
    #[must_use]
    pub fn not_answered(method: Method, text: &str) -> Self {
        refused(method, "not-permitted", text.to_owned(), None)
    }
}

impl Denied {
    /// What is on record of a call that was not answered.
    #[must_use]
    pub fn on_record(self, method: Method) -> RefusedOrder {
        refused(method, "not-permitted", self.to_string(), None)
    }
}

fn refused(method: Method, why: &str, text: String, request: Option<RequestId>) -> RefusedOrder {
    let (_, member, _) = method.row();
    RefusedOrder { method: member.to_owned(), why: why.to_owned(), text: cut(text, MAX_TEXT), request }
}

impl<'a> Context<'a> {
    /// The role of this name, if it exists on this host.
    pub(crate) fn role(self, name: &RoleName) -> Result<&'a Role, Refusal> {
        let role = self.policy.role(name).filter(|role| role.on_host(self.host));
        role.ok_or_else(|| Refusal::NoSuchRole(name.clone()))
    }

    /// Whether the day of a role has come from which on it is no more.
    pub(crate) fn not_over(self, role: &Role) -> Result<(), Refusal> {
        let Some(until) = role.until.as_ref().filter(|_| role.is_over(self.now)) else { return Ok(()) };
        let admins = self.policy.admins().to_string();
        Err(NotNow::Ended { role: role.name.clone(), until: until.to_string(), admins }.into())
    }

    /// Whether something may open by the wall clock.
    pub(crate) fn clock(self) -> Result<(), Refusal> {
        self.now.suspect.map_or(Ok(()), |why| Err(Refusal::ClockSuspect(why)))
    }

    /// Whether there is room for the records of something new.
    pub(crate) const fn room(self) -> Result<(), Refusal> {
        if self.state.is_short_of_room() { Err(Refusal::NoRoom) } else { Ok(()) }
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
        caller.may_order().map_err(Refusal::Denied)?;
        let locks = self.state.locked(self.now);
        let people = caller.accounts().filter(|account| !account.uid.is_root());
        match people.into_iter().find_map(|account| locks.on_person(account, self.policy.people())) {
            Some(lock) => Err(Refusal::Locked(Box::new(lock.clone()))),
            None => Ok(()),
        }
    }
}

/// Why a review does not count. Each text says what would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReview {
    /// The request is for the reviewer, or was filed by them.
    #[error("nobody reviews a request that is for themselves")]
    OwnRequest,
    /// They have reviewed it before, in this stage or another.
    #[error("{0} has reviewed it already, and one person counts once")]
    Twice(Person),
    /// Of the several sets of people whom the stage asks, theirs lacks nobody.
    #[error(
        "the approvals of those whom you stand for are there already; stage '{stage}' waits for {lacking}, and you can still \
         deny it"
    )]
    Surplus {
        /// The stage that waits.
        stage: String,
        /// Of whom it lacks approvals.
        lacking: String,
    },
    /// They are not of this stage.
    #[error("stage '{stage}' asks {approvers}")]
    NotApprover {
        /// The stage that waits.
        stage: String,
        /// Whom it asks.
        approvers: String,
    },
    /// They are of a later one.
    #[error("stage '{stage}' asks {approvers}; you are asked after stage '{stage}', in stage '{own}'")]
    TooEarly {
        /// The stage that waits.
        stage: String,
        /// Whom it asks.
        approvers: String,
        /// The stage that will ask them.
        own: String,
    },
    /// It came in a way that the stage does not accept.
    #[error("stage '{stage}' accepts {accepted}, not {method}")]
    Method {
        /// The stage that waits.
        stage: String,
        /// What it accepts.
        accepted: String,
        /// How the review came.
        method: Way,
    },
    /// It says too little.
    #[error("stage '{stage}' wants it written with each approval: {wanted}; say it with: --note TEXT")]
    Note {
        /// The stage that waits.
        stage: String,
        /// What to write.
        wanted: String,
    },
    /// The stage was not decided in time.
    #[error("stage '{0}' was not decided in time; ask again")]
    Lapsed(String),
    /// It has been denied.
    #[error("stage '{0}' has denied it")]
    Denied(String),
    /// Nothing waits for a review.
    #[error("every stage is met")]
    Met,
    /// A process without a login.
    #[error("it comes from a process that nobody logged in to start")]
    NoLogin,
    /// A process without a login, while somebody may be root by a grant.
    #[error(
        "it comes from a process that nobody logged in to start, and while a session of {0} that may be root's is \
         open, that could be them; log in as yourself to review"
    )]
    RootSession(UserName),
    /// The reviewer's account is one that people share.
    #[error(
        "several people share {0}, and what one of them runs there the others can make do what they like; review from an \
         account of your own, or by signature"
    )]
    Shared(UserName),
    /// What was signed or said names the account, and several people come by that.
    #[error(
        "a window for one person on a shared account is reviewed online: a signed file or a code names the account, and \
         not {0}; an approver who logs in to this host sees it with: jitctl pending"
    )]
    Unnamed(PersonName),
    /// A lock is on the reviewer.
    #[error("the reviewer is {0}")]
    Locked(String),
    /// Terms that take nothing away, or everything.
    #[error("{0}")]
    NotNarrower(#[from] NotNarrower),
    /// A login other than the account.
    #[error("it comes from a process of another login")]
    AnotherLogin,
}

impl NoReview {
    /// Why, in a word, where it says who may not review; none where there is nothing to review.
    #[must_use]
    pub const fn word(&self) -> Option<&'static str> {
        match self {
            Self::OwnRequest => Some("own-request"),
            Self::Twice(_) => Some("reviewed-already"),
            Self::NotApprover { .. } | Self::TooEarly { .. } => Some("not-approver"),
            Self::Surplus { .. } => Some("not-needed"),
            Self::Method { .. } | Self::Unnamed(_) => Some("not-this-way"),
            Self::NoLogin | Self::RootSession(_) => Some("no-login"),
            Self::AnotherLogin => Some("another-login"),
            Self::Shared(_) => Some("shared-account"),
            Self::Locked(_) => Some("locked"),
            Self::Note { .. } | Self::Lapsed(_) | Self::Denied(_) | Self::Met | Self::NotNarrower(_) => None,
        }
    }
}
