//! Why a signed text whose signature is good does not count on this host.

use jit_proto::words::HostName;

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
}
