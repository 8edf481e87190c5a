//! A session that is over, whole: what the record of its end says.

use std::net::IpAddr;

use jit_proto::words::{GrantId, RoleName};
use serde::{Deserialize, Serialize};

use super::login::{Actor, Basis, Login};
use super::session::{Opener, Session, Unit};
use super::termination::EndReason;
use crate::time::{Moment, Utc};

/// All that is known of a session when nothing of it is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The grant that it was under at last.
    pub grant: GrantId,
    /// Its role; absent of a session that an older jitd opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// Who came from where to which service.
    #[serde(flatten)]
    pub login: Login,
    /// On what it was let in.
    #[serde(flatten)]
    pub basis: Basis,
    /// When it opened.
    pub opened: Moment,
    /// Where in the log: the number that the next record had. Present where its opening is no record of its own, as the
    /// check that admitted it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u64>,
    /// Who asked for it, as the kernel says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<Actor>,
    /// The process that opened it, and the audit session that began with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opener: Option<Opener>,
    /// The address that its login came from, where that is known for certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// The scope that it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The control group of the process that asked, where that was to end with the window: PAM opened no session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_in: Option<String>,
    /// It came in without asking for its session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// When PAM closed it; absent where nobody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Utc>,
    /// Why it was ended; absent where it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<EndReason>,
}

impl Past {
    /// What is known of a session.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        let session = session.clone();
        Self {
            grant: session.grant,
            role: session.role,
            login: session.login,
            basis: session.basis,
            opened: session.at,
            place: session.place,
            opened_by: session.by,
            opener: session.leader.map(|leader| Opener { leader, audit: session.audit }),
            from: session.from,
            unit: session.unit,
            process_in: session.process_in,
            adopted: session.adopted,
            closed: session.closed_at,
            why: session.over.map(|over| over.why),
        }
    }
}
