//! Whom a question to the name service is about, and on whose behalf it is put.

use std::time::Duration;

use jit_proto::words::{Uid, UserName};

use crate::peer::Peer;

/// How long anybody waits for it: less than the module's default deadline of 3 s, so that the person is told why.
pub(super) const LIMIT: Duration = Duration::from_secs(2);

/// Whom a question is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Whose {
    Name(UserName),
    Uid(Uid),
}

/// On whose behalf it is put: what hangs for one takes nothing from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Share {
    /// Root's programs: logins, and the orders of an admin who is root.
    Logins,
    /// One user's own calls, and those of setuid programs that they started.
    User(Uid),
    /// jitd itself, for those who are in already.
    Jitd,
}

impl Share {
    /// The share of whoever calls.
    pub(crate) fn of(caller: Peer) -> Self {
        if !caller.uid.is_root() {
            return Self::User(caller.uid);
        }
        caller.user().map_or(Self::Logins, Self::User)
    }
}

/// What passwd(5) has of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: UserName,
    pub(super) uid: Uid,
    pub(super) gid: u32,
}
