//! Why a signed text whose signature is good does not count on this host.

use jit_proto::words::{HostName, RequestId, RoleName, UserName};

use crate::model::Person;

/// Why a signed text is not about what waits here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOfHere {
    /// The statement is for another host.
    #[error("it is for the host {said}, and this is {here}")]
    OtherHost {
        /// Which it is for.
        said: HostName,
        /// The name of this host.
        here: HostName,
    },
    /// A host of the same name with another key: a clone, or this one before it was installed anew.
    #[error("it is for a host whose key is {said}, and this host's is {here}; export the request again")]
    OtherKey {
        /// Which it is for.
        said: String,
        /// What this host has.
        here: String,
    },
    /// The statement came after it had lapsed.
    #[error("it counted until {0}; export the request again and have that signed")]
    Expired(String),
    /// The host never wrote it so.
    #[error("this host has not exported it with this expiry, so something changed it before it was signed")]
    NotOurs,
    /// A field that says something else than the request.
    #[error("its field '{0}' is not what the request has, so something changed it before it was signed")]
    Differs(&'static str),
    /// The key belongs to several people.
    #[error("its key stands for several people ({0}); give each a key of their own in /etc/jit/approvers")]
    SeveralPeople(String),
    /// The key belongs to nobody on this host.
    #[error(
        "its key stands for {0}, of whom this host has no account; [people] in the policy says whose it is"
    )]
    NoAccount(String),
    /// The statement is for other hosts.
    #[error("it is for {said}, and this host, {here}, is none of these")]
    OtherHosts {
        /// Which it is for.
        said: String,
        /// The name of this host.
        here: HostName,
    },
    /// The statement is for a host with another key.
    #[error("it is for a host whose key is {said}, and this host's is {here}; have it written anew")]
    AnotherKey {
        /// Which it is for.
        said: String,
        /// What this host has.
        here: String,
    },
    /// It is too early.
    #[error("it counts from {0} on, and nothing of it was kept; bring it again then")]
    Early(String),
    /// It is too late.
    #[error("it counted until {0}; have a new one written and signed")]
    Over(String),
    /// It may have been used in a past that this host does not know.
    #[error(
        "it was written at {issued}, and this host knows only since {since} which grants it has taken (it was set up, copied \
         or set back then), so it may have been used before; have a new one written and signed"
    )]
    Before {
        /// When it was written.
        issued: String,
        /// Since when the host knows.
        since: String,
    },
    /// It was revoked before.
    #[error("it was revoked, by {by} at {at}; have a new one written and signed where that was a mistake")]
    Revoked {
        /// Who revoked it.
        by: Person,
        /// When that was taken here.
        at: String,
    },
    /// A window that a signed grant opened would go on.
    #[error(
        "a signed grant opened this window, and says until when it is open and who comes by it; have another one signed to \
         stay longer"
    )]
    Extends,
    /// Its serial is spent.
    #[error("its serial was taken here before{}, and each counts once; have a new one written and signed", taken_as(*.0))]
    TakenAlready(Option<RequestId>),
    /// More than the role opens.
    #[error("it grants {what}, which role '{role}' does not have")]
    More {
        /// The role that it names.
        role: RoleName,
        /// What it does not have.
        what: String,
    },
    /// Nobody has the account that a grant is for.
    #[error("it is for {0}, and this host has no account of that name; nothing of it was kept")]
    NoUser(UserName),
    /// A revoke of what is revoked.
    #[error("that was revoked before, by {by} at {at}, and holds; nothing was changed")]
    RevokedAlready {
        /// Who revoked it.
        by: Person,
        /// When that was taken here.
        at: String,
    },
    /// A revoke of what is over, or was never here.
    #[error("{0} neither waits nor is open on this host, so there is nothing to revoke; nothing was changed")]
    NothingOpen(String),
    /// The time, in answer to another question.
    #[error(
        "it answers another challenge than one of now: of another boot, or of before the clock was set, accepted or believed \
         again; ask anew with: jitctl clock challenge"
    )]
    OtherEpisode,
    /// The time, in answer to a question of long ago.
    #[error(
        "it answers a challenge that is more than a day old by the running time of this host; ask anew with: jitctl clock challenge"
    )]
    LongAgo,
    /// The time, which the clock does not say.
    #[error(
        "by it the time is between {from} and {to}, and the clock here says {wall}; set it, as with 'timedatectl set-time', and \
         then ask anew with: jitctl clock challenge"
    )]
    OtherTime {
        /// What the wall clock says.
        wall: String,
        /// The earliest that it may say.
        from: String,
        /// The latest that it may say.
        to: String,
    },
    /// A lock, or the time, by somebody who is no admin.
    #[error("its key stands for {said}, who is no admin of this host; policy names as admins: {admins}")]
    NotAnAdmin {
        /// Whom the key stands for.
        said: String,
        /// Who would be.
        admins: String,
    },
    /// A revoke by somebody who may not.
    #[error(
        "its key stands for {0}, who is no admin of this host and whom no role asks here, so they revoke nothing"
    )]
    MayNotRevoke(String),
}

fn taken_as(request: Option<RequestId>) -> String {
    request.map_or_else(String::new, |id| format!(" (as {id})"))
}
