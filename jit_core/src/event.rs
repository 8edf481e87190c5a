//! Everything that can happen. Events are the only way state changes. Each is one audit record, but for those that are noted
//! with a session until the record of its end.
mod decode;
pub mod kinds;

use std::net::IpAddr;
use std::num::NonZeroU32;

use jit_proto::words::{GrantId, Reason, RequestId, RoleName, Uid, UserName};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
pub use crate::model::PolicyText;
use crate::model::{
    Actor, Archived, BackWhy, Basis, BySignature, CarriedBy, ClaimKind, Decision, Elsewhere, EndReason,
    EndRun, EndTerms, EndWhy, Entitled, Evidence, Grant, Keep, Leader, Lock, Login, Opener, Override,
    PamFiles, Past, Person, PolicyWord, Proposal, RecoveredLogin, RefusedOrder, Request, Review, Scope,
    Space, UnaskedLogins, Unit, UnreadNotes, Why,
};
use crate::policy::{Difference, Ends};
use crate::proof::checkpoint::Signed;
use crate::proof::note::PublicKey;
use crate::sign::revoke::What;
use crate::time::{Moment, Recovery, Suspicion, Utc, Window};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// jitd started, or came back after its store failed.
    Started {
        /// The version of jitd.
        version: String,
        /// Whether this kernel tells login uids; if not, reviews go by bus uid.
        loginuid: bool,
    },
    /// jitd stopped in good order.
    Stopped,
    /// A policy came into force, with its exact text.
    PolicyLoaded {
        /// The policy's digest.
        digest: Digest,
        /// The policy's files.
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
        /// On whose word it is.
        #[serde(flatten)]
        word: PolicyWord,
    },
    /// The policy on trial stays.
    PolicyConfirmed {
        /// The policy's digest.
        digest: Digest,
    },
    /// Nobody confirmed the policy on trial: the one before it is in force again.
    PolicyReverted {
        /// Why it was taken back.
        why: BackWhy,
        /// The policy that was tried.
        tried: Digest,
        /// The digest of the policy that is in force again.
        digest: Digest,
        /// The files of the policy that came back.
        files: Vec<PolicyText>,
    },
    /// An admin loaded a policy that others have to approve first; it takes the place of one that waited.
    PolicyProposed {
        /// What waits for approvals.
        #[serde(flatten)]
        proposal: Proposal,
    },
    /// Somebody approved or denied the policy that waits, or acknowledged an override.
    PolicyReviewed {
        /// The digest of the policy that they said it to.
        digest: Digest,
        /// Who said it.
        by: Person,
        /// Yes or no.
        decision: Decision,
        /// What they said with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Reason>,
    },
    /// root put a policy in force without those who were to approve it.
    PolicyOverride {
        /// What was done.
        #[serde(flatten)]
        what: Override,
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
        /// The request that was reviewed.
        request: RequestId,
        /// The digest of the bytes that were reviewed.
        digest: Digest,
        /// The review that was given.
        review: Review,
    },
    /// A review counts no more: whoever gave it is no longer asked, or denies now what they approved.
    Discounted {
        /// Of which request.
        request: RequestId,
        /// The reviewer whose review counts no more.
        by: Person,
    },
    /// A pending request was denied by its reviewers and will not open.
    Refused {
        /// The request that was denied.
        request: RequestId,
        /// In which stage.
        stage: String,
    },
    /// A signed text was brought to this host and refused.
    SignatureRefused {
        /// The digest of the text.
        text: Digest,
        /// The fingerprint of the key, where it came to one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// Why the signature was not accepted.
        why: String,
    },
    /// A signed revoke was taken: what it names opens nothing here, now or later. What it ends has its own records.
    RevokeTaken {
        /// The serial of a signed grant, or a request.
        revokes: What,
        /// Whose signature it has.
        by: Person,
        /// What was said with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
        /// What proves it.
        signed: Box<Evidence>,
    },
    /// An order was refused, since whoever gave it may not. Identical ones within a minute become one event with a count.
    OrderRefused {
        /// The first of them.
        #[serde(flatten)]
        refused: RefusedOrder,
        /// How many they were.
        count: NonZeroU32,
        /// Whether what is counted here are different ones, beyond those that have records of their own.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        others: bool,
    },
    /// A pending request was taken back.
    Withdrawn {
        /// The request that was taken back.
        request: RequestId,
        /// What was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// A pending request was not decided in time, or can never open any more.
    Lapsed {
        /// The request that lapsed.
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
        /// The grant whose window opened.
        grant: GrantId,
        /// The window that opened.
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
        /// The grant that is over.
        grant: GrantId,
        /// Why it is over.
        why: EndWhy,
        /// What the person who ended it said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// A lock was set, in the place of any older one of the same scope.
    Locked {
        /// The lock that was set.
        lock: Lock,
        /// The signed statement that it comes from, if an admin elsewhere set it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        statement: Option<Box<BySignature>>,
    },
    /// A lock was lifted, or ran out.
    Unlocked {
        /// What is no longer locked.
        scope: Scope,
        /// Whether it ran out.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        expired: bool,
        /// What the person who lifted it said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// Somebody comes in by a window and is not here by one yet: what runs or lingers now was there before.
    Came {
        /// The account that they come by.
        user: UserName,
        /// The uid of the account.
        uid: Uid,
        /// Whether their manager is started with the machine (loginctl(1), enable-linger).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lingers: bool,
    },
    /// A check was answered `allow`.
    Allowed {
        /// The grant that admits.
        grant: GrantId,
        /// The role of the grant.
        role: RoleName,
        /// Seconds that are left of the window.
        remaining: u64,
        /// The use that this login takes, if uses are counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<ClaimKind>,
        /// The process that asked, where it is root's, or ends with the window: what its session is found by if that is
        /// never asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Leader>,
        /// What ends with the window, where that is no session that PAM opens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends: Option<Ends>,
        /// The account of the program that asked, where that is not root and asks for others by policy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asker: Option<UserName>,
        /// The address that the login came from, where that is known for certain; su and sudo inherit it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<IpAddr>,
        /// On what it was let in.
        #[serde(flatten)]
        basis: Basis,
        /// What was asked.
        #[serde(flatten)]
        login: Login,
    },
    /// A session opened under a window. It is a record of its own where no check of the same process for it is on record;
    /// else that is the access's, and the opening is noted with the session until the record of its end says it.
    SessionOpened {
        /// The grant that admits.
        grant: GrantId,
        /// The role of the grant.
        role: RoleName,
        /// Seconds that are left of the window.
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
        /// On what it was let in.
        #[serde(flatten)]
        basis: Basis,
        /// The control group of the process that asked, where that ends with the window: PAM opened no session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process_in: Option<String>,
        /// The record of the check that it opens by; then this is no record, and that is the session's number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        admitted: Option<u64>,
        /// What was asked.
        #[serde(flatten)]
        login: Login,
    },
    /// PAM closed a session that is not known here. Of one that is known it is noted with it; older logs have a record.
    SessionClosed {
        /// The process that closed it, which is the one that opened it; absent where that is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        leader: Option<Leader>,
        /// Which it is, where it is known; then this is no record.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<u64>,
        /// What was said of it.
        #[serde(flatten)]
        login: Login,
    },
    /// Where a session runs was found out, or made. Noted with the session; older logs have a record of it.
    SessionPlaced {
        /// Which: the number of the record that opened it.
        session: u64,
        /// The unit that it runs in.
        unit: Unit,
    },
    /// It was not found out where a session runs, so its end will not be enforced, or not wholly.
    SessionUnbound {
        /// The number of the record that opened it.
        session: u64,
        /// Why it was not found out.
        why: String,
        /// Its process serves others, too, and is not ended.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        others: bool,
    },
    /// A session goes on under another grant.
    SessionMoved {
        /// The number of the record that opened it.
        session: u64,
        /// Under which it was.
        from: GrantId,
        /// Under which it is.
        grant: GrantId,
        /// The role of that grant.
        role: RoleName,
        /// Seconds left of that.
        remaining: u64,
        /// Whether it takes one of its uses.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        uses: bool,
    },
    /// Nothing covers a session any more: it is being ended.
    SessionOver {
        /// The number of the record that opened it.
        session: u64,
        /// Why it is being ended.
        why: EndReason,
        /// How that goes on.
        #[serde(flatten)]
        terms: EndTerms,
        /// What the person who ended it said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// A login came in without asking for its session, for want of a session line: it is one of the grant's all along.
    SessionAdopted {
        /// The grant that admitted it.
        grant: GrantId,
        /// The role of the grant.
        role: RoleName,
        /// The claim that its check made, if uses are counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<u64>,
        /// What it is found by.
        opener: Opener,
        /// The address that its login came from, where that is known for certain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<IpAddr>,
        /// On what it was let in.
        #[serde(flatten)]
        basis: Basis,
        /// What was asked.
        #[serde(flatten)]
        login: Login,
    },
    /// A session that was about to open could not be put into a scope of its own, so it was refused.
    SessionRefused {
        /// The number of the record that would have opened it.
        session: u64,
        /// The grant that admitted it.
        grant: GrantId,
        /// Whether the use that it took is returned.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        returned: bool,
        /// Why it could not be put into a scope.
        why: String,
        /// What was asked.
        #[serde(flatten)]
        login: Login,
    },
    /// Nothing of a session is left, as far as that can be known.
    SessionGone {
        /// The number of the record that opened it.
        session: u64,
        /// It had neither a scope nor an audit session of its own: what it started may run on unseen.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unbound: bool,
        /// All that is known of it; absent in what was written before this was kept.
        #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
        past: Option<Box<Past>>,
    },
    /// A window that has not ended admits nobody any more, by today's policy: what is left of its person is ended.
    Shut {
        /// The grant that admits nobody any more.
        grant: GrantId,
    },
    /// The end of a window has been carried through.
    SessionsEnded {
        /// The grant whose window ended.
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
        /// What was found and is not the window's, with the reason: it was there before, or is the host's.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stays: Vec<String>,
        /// Why something may have got away, as far as can be told; absent where nothing is known that could have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        escape: Option<String>,
        /// What a site's programs came to that end logins where programs ask that are not root.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        programs: Vec<EndRun>,
    },
    /// A held claim found no session in time; its use is back.
    ClaimVoided {
        /// The grant whose use is back.
        grant: GrantId,
        /// The claim that was voided.
        claim: u64,
    },
    /// A check was answered `deny`.
    Denied {
        /// The reason for the denial.
        why: Why,
        /// How many identical answers this record stands for.
        count: NonZeroU32,
        /// What was asked last, where this record stands for several and that was something else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<Box<Login>>,
        /// That the answers were not identical: there were too many different ones about this subject.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        others: bool,
        /// What was asked.
        #[serde(flatten)]
        login: Login,
    },
    /// A check was answered `unmanaged`.
    Unmanaged {
        /// The reason why jitd stands aside.
        why: Why,
        /// At a service that is only observed: why it would have been allowed or denied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        would: Option<Why>,
        /// How many identical answers this record stands for.
        count: NonZeroU32,
        /// What was asked last, where this record stands for several and that was something else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<Box<Login>>,
        /// That the answers were not identical: there were too many different ones about this subject.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        others: bool,
        /// What was asked.
        #[serde(flatten)]
        login: Login,
    },
    /// The wall clock is not believed any more, or for another reason than before.
    ClockSuspect {
        /// Why the clock is not believed.
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
        /// The signed answer that it comes from, if an admin elsewhere said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        statement: Option<Box<BySignature>>,
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
    /// There is so little room for records that nothing new opens; recorded once more when logins stop as well.
    DiskShort(Space),
    /// There is room again.
    DiskRoom(Space),
    /// The module let an account in through `recovery=` while jitd could not answer.
    Recovered(RecoveredLogin),
    /// What this host's PAM files are: at jitd's start, and whenever something was done to one of them.
    PamFiles(PamFiles),
    /// Notes of such logins that cannot be read: somebody may have been let in of whom nothing more is known.
    RecoveryUnread(UnreadNotes),
    /// Somebody logged in by a service that did not ask jitd about it, as logind has it.
    Unasked(UnaskedLogins),
    /// From here on, checkpoints of the log are signed by this key.
    HostKey {
        /// Its public half.
        key: PublicKey,
        /// The one before it; absent where there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<PublicKey>,
    },
    /// So much of the log there was, signed by the host's key.
    Checkpoint {
        /// How many records, the root over them, and the signature.
        #[serde(flatten)]
        signed: Signed,
    },
    /// An approver's code was typed here and refused.
    CodeRefused {
        /// The request that it was typed for.
        request: RequestId,
        /// Whose it said it was: a slot of /etc/jit/code-keys.
        slot: u8,
        /// Whether it was wrong, so that it may have been a guess, and counts as one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        wrong: bool,
        /// Why the code was not accepted.
        why: String,
        /// Who logged in and typed it at the prompt; absent where it is the actor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        typed_by: Option<Uid>,
    },
    /// A checkpoint was carried away from this host.
    CheckpointCarried {
        /// How it left.
        how: CarriedBy,
        /// How many records it covers.
        size: u64,
    },
    /// Old records were moved into an archive: their hashes stay.
    RecordsArchived(Archived),
    /// Somebody said whether those who may ask for a role still should.
    Attested {
        /// The role that may be asked for.
        role: RoleName,
        /// Who may ask for it.
        who: Entitled,
        /// Whether they still should.
        keep: Keep,
        /// Who said so.
        by: Person,
        /// What was said with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Reason>,
    },
    /// The store is on another machine than it was, or went back in time: what follows ends all that was brought.
    Elsewhere {
        /// How that is known.
        how: Elsewhere,
    },
}

/// An event with its place in the log: what is written, byte for byte, as one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Position in the log, from 0, without gaps.
    pub seq: u64,
    /// When it happened, by the clocks of the host.
    #[serde(flatten)]
    pub at: Moment,
    /// Who made it happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// The event that is recorded.
    #[serde(flatten)]
    pub event: Event,
}
