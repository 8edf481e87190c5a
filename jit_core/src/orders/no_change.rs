//! Why the policy is not changed.

use jit_proto::words::HostName;

use crate::digest::Digest;
use crate::model::Person;
use crate::time::Utc;

/// Why the policy is not changed, or an approval of that does not count. Each text says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChange {
    /// The policy in force asks for a reason.
    #[error("the policy in force takes no other without a reason; type: jitctl policy load --reason TEXT")]
    Reason,
    /// Files that somebody put there, and nobody has proposed.
    #[error(
        "the policy in force takes no other without the approval of {0}; to propose the files as they are, type: jitctl \
         policy load"
    )]
    NotProposed(String),
    /// Nothing is there to override.
    #[error("the policy in force asks for no approvals; type the same without --override")]
    NothingToOverride,
    /// The policy in force does not have it.
    #[error(
        "the policy in force lets nobody do without the approval of {0}; leave out --override to ask them"
    )]
    NoOverride(String),
    /// Not root itself, at the console.
    #[error(
        "only root itself, logged in at the console of this host, may do without the approval of {0}; leave out \
         --override to ask them"
    )]
    NotAtTheConsole(String),
    /// Nothing waits for an approval.
    #[error("no change of the policy waits for an approval; 'jitctl status' says what is in force")]
    NothingWaits,
    /// Another policy waits than the one that was looked at.
    #[error("what waits is {0} by now, and not what you looked at; look again with: jitctl policy waiting")]
    OtherDigest(Digest),
    /// The files are not those that wait.
    #[error(
        "the files in /etc/jit/policy.d are not those that wait: somebody has changed them since. Nothing was changed, \
         and {waits} still waits; put its files back, or propose these with: jitctl policy load"
    )]
    OtherFiles {
        /// The policy that waits.
        waits: Digest,
    },
    /// The author's own.
    #[error("nobody approves a policy that they have loaded themselves, and {0} has; somebody else has to")]
    Own(Person),
    /// They are not asked.
    #[error("the policy in force asks {0} to approve another")]
    NotApprover(String),
    /// They have approved it before.
    #[error("{0} has approved it already, and one person counts once")]
    Twice(Person),
    /// The policy in force takes none but signed ones.
    #[error(
        "the policy in force takes no other that was not signed; have it signed, and type: jitctl policy load --signed DIR"
    )]
    SignedOnly,
    /// It is for other hosts.
    #[error("the signed policy is for {hosts}, and this host is {host}")]
    OtherHosts {
        /// Which it is for.
        hosts: String,
        /// The name of this one.
        host: HostName,
    },
    /// Its time is over.
    #[error("the signed policy was taken until {0}, and that is over; have it signed anew")]
    Expired(Utc),
    /// An older one.
    #[error(
        "the signed policy has serial {serial}, and this host has taken {last}: an older one never comes back; have it \
         signed with a higher serial"
    )]
    OldSerial {
        /// What it has.
        serial: u64,
        /// The last that was taken.
        last: u64,
    },
    /// It follows another policy than the one in force.
    #[error("the signed policy replaces {after}, and in force is {in_force}; have it signed for that one")]
    NotAfter {
        /// The policy that it says it replaces.
        after: Digest,
        /// The one in force.
        in_force: Digest,
    },
    /// The files are not those that were signed.
    #[error("the files are not those that were signed: {0}")]
    OtherSigned(String),
    /// Too few signatures that count.
    #[error(
        "{counted} of the signatures count, and {needed} of {of} must sign: each person once, and whoever loads it is \
         none of them"
    )]
    TooFewSigned {
        /// How many count.
        counted: usize,
        /// How many must.
        needed: usize,
        /// Of whom they must be.
        of: String,
    },
    /// It is not known well enough who it is.
    #[error("this does not count: {0}")]
    NotIdentified(String),
}

impl NoChange {
    /// Why, in a word, where it says who may not; none where it says what cannot be.
    #[must_use]
    pub const fn word(&self) -> Option<&'static str> {
        match self {
            Self::NoOverride(_) | Self::NotAtTheConsole(_) => Some("not-permitted"),
            Self::Own(_) => Some("own-policy"),
            Self::NotApprover(_) => Some("not-approver"),
            Self::Twice(_) => Some("reviewed-already"),
            Self::NotIdentified(_) => Some("no-login"),
            Self::Reason
            | Self::NotProposed(_)
            | Self::NothingToOverride
            | Self::NothingWaits
            | Self::OtherDigest(_)
            | Self::OtherFiles { .. }
            | Self::OtherHosts { .. }
            | Self::Expired(_)
            | Self::OldSerial { .. }
            | Self::NotAfter { .. }
            | Self::OtherSigned(_)
            | Self::TooFewSigned { .. }
            | Self::SignedOnly => None,
        }
    }
}
