//! Everything that can happen. Events are the only way state changes, and each is one audit record.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use jit_proto::words::{GrantId, Reason, RequestId, RoleName, ServiceName, Uid, UserName};
use serde::{Deserialize, Serialize};

use crate::clock::trust::Recovery;
use crate::clock::{Moment, Suspicion, Utc, Window};
use crate::decide::Why;
use crate::digest::Digest;
use crate::ending::{Leader, Opener, OverWhy, Terms, Unit};
use crate::grant::{ClaimKind, EndWhy, Grant};
use crate::lock::{Lock, Scope};
use crate::opening::Narrow;
use crate::person::Person;
use crate::policy::Difference;
use crate::request::Request;
use crate::trial::BackWhy;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// jitd started, or came back after its store failed.
    Started {
        /// jitd's version.
        version: String,
        /// Whether this kernel tells login uids; if not, reviews go by bus uid.
        loginuid: bool,
    },
    /// jitd stopped in good order.
    Stopped,
    /// A policy came into force, with its exact text.
    PolicyLoaded {
        /// Its digest.
        digest: Digest,
        /// Its files.
        files: Vec<PolicyText>,
        /// The policy that was in force before; absent where there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Digest>,
        /// What it changes of that one; absent as above.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        diff: Option<Difference>,
        /// For how many seconds it is on trial; absent where it is in force for good.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trial: Option<u64>,
    },
    /// The policy on trial stays.
    PolicyConfirmed {
        /// Its digest.
        digest: Digest,
    },
    /// Nobody confirmed the policy on trial: the one before it is in force again.
    PolicyReverted {
        /// Why.
        why: BackWhy,
        /// The policy that was tried.
        tried: Digest,
        /// The digest of the policy that is in force again.
        digest: Digest,
        /// Its files.
        files: Vec<PolicyText>,
    },
    /// The policy files did not load; the one in force stayed.
    PolicyRefused {
        /// The first error, on one line.
        error: String,
        /// How many errors there were.
        errors: usize,
    },
    /// Somebody asked for a role.
    Requested {
        /// The request, whole.
        request: Request,
    },
    /// Somebody reviewed a request.
    Reviewed {
        /// Which.
        request: RequestId,
        /// The digest of the bytes that were reviewed.
        digest: Digest,
        /// The review.
        review: Review,
    },
    /// A review counts no more: whoever gave it is no longer asked.
    Discounted {
        /// Of which request.
        request: RequestId,
        /// Whose.
        by: Person,
    },
    /// A pending request was denied by its reviewers and will not open.
    Refused {
        /// Which.
        request: RequestId,
        /// In which stage.
        stage: String,
    },
    /// A pending request was taken back.
    Withdrawn {
        /// Which.
        request: RequestId,
        /// What was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// A pending request was not decided in time, or can never open any more.
    Lapsed {
        /// Which.
        request: RequestId,
        /// The stage that waited in vain; absent where something else stands in the way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<String>,
    },
    /// Every stage was met, or the role is for emergencies: the grant exists, and its window is open or scheduled.
    Opened {
        /// The grant as it starts.
        grant: Grant,
    },
    /// The window of a scheduled grant opened.
    Began {
        /// Whose.
        grant: GrantId,
        /// The window.
        window: Window,
    },
    /// The reviews that an emergency owed have been given.
    Settled {
        /// For which request.
        request: RequestId,
        /// What they came to.
        decision: Decision,
    },
    /// A grant is over.
    Ended {
        /// Which.
        grant: GrantId,
        /// Why.
        why: EndWhy,
        /// What the person who ended it said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// A lock was set, in the place of any older one of the same scope.
    Locked {
        /// The lock.
        lock: Lock,
    },
    /// A lock was lifted, or ran out.
    Unlocked {
        /// Which.
        scope: Scope,
        /// Whether it ran out.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        expired: bool,
        /// What the person who lifted it said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// A check was answered `allow`.
    Allowed {
        /// The grant that admits.
        grant: GrantId,
        /// Its role.
        role: RoleName,
        /// Seconds left.
        remaining: u64,
        /// The use that this login takes, if uses are counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<ClaimKind>,
        /// What was asked.
        #[serde(flatten)]
        login: Login,
    },
    /// A session opened under a window.
    SessionOpened {
        /// The grant that admits.
        grant: GrantId,
        /// Its role.
        role: RoleName,
        /// Seconds left.
        remaining: u64,
        /// The claim it takes up, if uses are counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<u64>,
        /// What it is found by, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opener: Option<Opener>,
        /// The address that its login came from, where that is known for certain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<IpAddr>,
        /// What was asked.
        #[serde(flatten)]
        login: Login,
    },
    /// A session closed.
    SessionClosed {
        /// The process that closed it, which is the one that opened it; absent where that is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        leader: Option<Leader>,
        /// What was said of it.
        #[serde(flatten)]
        login: Login,
    },
    /// Where a session runs was found out, or made: what will be ended in its name.
    SessionPlaced {
        /// Which: the number of the record that opened it.
        session: u64,
        /// Its scope.
        unit: Unit,
    },
    /// It was not found out where a session runs, so its end will not be enforced.
    SessionUnbound {
        /// Which.
        session: u64,
        /// Why.
        why: String,
    },
    /// A session goes on under another grant.
    SessionMoved {
        /// Which.
        session: u64,
        /// Under which it was.
        from: GrantId,
        /// Under which it is.
        grant: GrantId,
        /// Its role.
        role: RoleName,
        /// Seconds left of that.
        remaining: u64,
        /// Whether it takes one of its uses.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        uses: bool,
    },
    /// Nothing covers a session any more: it is being ended.
    SessionOver {
        /// Which.
        session: u64,
        /// Why.
        why: OverWhy,
        /// How that goes on.
        #[serde(flatten)]
        terms: Terms,
        /// What the person who ended it said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// Nothing of a session is left.
    SessionGone {
        /// Which.
        session: u64,
    },
    /// A window that has not ended admits nobody any more, by today's policy, and something of its person is left: that
    /// is ended.
    Shut {
        /// Which.
        grant: GrantId,
    },
    /// The end of a window has been carried through.
    SessionsEnded {
        /// Whose.
        grant: GrantId,
        /// The account that it admitted.
        user: UserName,
        /// The sessions that ended with it.
        sessions: Vec<u64>,
        /// What these were let do after the end, where that was more than to end: `drain` or `keep`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_end: Option<String>,
        /// What is left and was to end: processes by pid and name.
        left: Vec<String>,
        /// What was not looked for, and why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spared: Option<String>,
        /// Why something may have got away, as far as can be told; absent where nothing is known that could have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        escape: Option<String>,
    },
    /// A held claim found no session in time; its use is back.
    ClaimVoided {
        /// Whose.
        grant: GrantId,
        /// The claim.
        claim: u64,
    },
    /// A check was answered `deny`.
    Denied {
        /// Why.
        why: Why,
        /// How many identical answers this record stands for.
        count: NonZeroU32,
        /// What was asked.
        #[serde(flatten)]
        login: Login,
    },
    /// A check was answered `unmanaged`.
    Unmanaged {
        /// Why.
        why: Why,
        /// At a service that is only observed: why it would have been allowed or denied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        would: Option<Why>,
        /// How many identical answers this record stands for.
        count: NonZeroU32,
        /// What was asked.
        #[serde(flatten)]
        login: Login,
    },
    /// The wall clock is not believed any more, or for another reason than before.
    ClockSuspect {
        /// Why.
        why: Suspicion,
        /// The latest time that was believed.
        mark: Utc,
        /// What the clock should say by `CLOCK_BOOTTIME`.
        expected: Utc,
    },
    /// An admin said that the wall clock is right as this record has it.
    ClockAccepted {
        /// Why it was suspect.
        why: Suspicion,
        /// The latest time that had been believed.
        mark: Utc,
        /// What the clock should have said by `CLOCK_BOOTTIME`.
        expected: Utc,
        /// What the admin said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// The wall clock is believed again without anybody's doing.
    ClockRecovered {
        /// Why it was suspect.
        why: Suspicion,
        /// What speaks for it.
        by: Recovery,
        /// The latest time that had been believed.
        mark: Utc,
        /// What the clock should have said by `CLOCK_BOOTTIME`.
        expected: Utc,
    },
    /// The module let an account in through `recovery=` while jitd could not answer.
    Recovered {
        /// When, as the module wrote it down: unix seconds.
        at: i64,
        /// Into which service.
        service: ServiceName,
        /// Whom.
        user: UserName,
    },
}

impl Event {
    /// The request that it is about, whether that is open by now or not.
    #[must_use]
    pub fn request(&self) -> Option<RequestId> {
        match self {
            Self::Requested { request } => Some(request.id),
            Self::Reviewed { request, .. }
            | Self::Discounted { request, .. }
            | Self::Refused { request, .. }
            | Self::Lapsed { request, .. }
            | Self::Settled { request, .. }
            | Self::Withdrawn { request, .. } => Some(*request),
            Self::Opened { grant } => Some(grant.request()),
            Self::Began { grant, .. }
            | Self::Ended { grant, .. }
            | Self::Shut { grant }
            | Self::SessionsEnded { grant, .. } => Some((*grant).into()),
            Self::Started { .. }
            | Self::Stopped
            | Self::PolicyLoaded { .. }
            | Self::PolicyRefused { .. }
            | Self::PolicyConfirmed { .. }
            | Self::PolicyReverted { .. }
            | Self::Locked { .. }
            | Self::Unlocked { .. }
            | Self::Allowed { .. }
            | Self::SessionOpened { .. }
            | Self::SessionClosed { .. }
            | Self::SessionPlaced { .. }
            | Self::SessionUnbound { .. }
            | Self::SessionMoved { .. }
            | Self::SessionOver { .. }
            | Self::SessionGone { .. }
            | Self::ClaimVoided { .. }
            | Self::Denied { .. }
            | Self::Unmanaged { .. }
            | Self::ClockSuspect { .. }
            | Self::ClockAccepted { .. }
            | Self::ClockRecovered { .. }
            | Self::Recovered { .. } => None,
        }
    }
}

/// Who came from where to which service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Login {
    /// The service.
    pub service: ServiceName,
    /// The subject.
    pub user: UserName,
    /// The subject's uid; absent where the name service knows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// For su and sudo, whom they become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<UserName>,
    /// PAM_RHOST as it came, not believed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rhost: String,
    /// PAM_TTY as it came, not believed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tty: String,
}

/// A review as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Who.
    pub by: Person,
    /// What they said.
    pub decision: Decision,
    /// In which stage.
    pub stage: String,
    /// How it reached this host.
    pub method: Method,
    /// When it was given.
    pub at: Moment,
    /// What it takes away from what was asked for.
    #[serde(default, skip_serializing_if = "Narrow::is_none")]
    pub narrow: Narrow,
    /// What the reviewer wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Reason>,
}

/// What a reviewer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Yes.
    Approve,
    /// No.
    Deny,
}

impl Decision {
    /// The word in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// How a review reaches this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Over the bus, by a person logged in here.
    Online,
    /// As a signed file.
    Signature,
    /// As a code that was read out.
    Code,
}

impl Method {
    /// Every method there is.
    pub const ALL: [Self; 3] = [Self::Online, Self::Signature, Self::Code];

    /// The word in policy, records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Signature => "signature",
            Self::Code => "code",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One policy file in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyText {
    /// Its name without the folder.
    pub name: String,
    /// Its exact text.
    pub text: String,
}

/// Who made an event happen, as the kernel and the bus say; absent when jitd did by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The uid that the bus or the socket reports.
    pub uid: Uid,
    /// The login uid of the calling process (proc(5)), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loginuid: Option<Uid>,
    /// Its audit session id, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u32>,
}

/// An event with its place in the log: what is written, byte for byte, as one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Position in the log, from 0, without gaps.
    pub seq: u64,
    /// When.
    #[serde(flatten)]
    pub at: Moment,
    /// Who made it happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}
