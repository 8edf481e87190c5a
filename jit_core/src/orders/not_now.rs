//! Why a role does not open now, for this person or at all: what its terms say of time, of how many and of whom else.

use jit_proto::words::RoleName;

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
}
