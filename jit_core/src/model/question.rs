//! What a check asks.

use std::net::IpAddr;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{Uid, UserName};

use super::known::Known;
use super::login::Login;
use super::process::Asking;
use super::session::Opener;
use crate::policy::{Limits, Outside, Subject};
use crate::time::Moment;

/// What is asked, with everything that was found out about the asker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which PAM hook asks.
    pub stage: Stage,
    /// Who comes from where to which service, as it will be recorded.
    pub login: Login,
    /// The subject, as the name service knows it.
    pub subject: Known,
    /// The real uid of the process that runs the PAM stack.
    pub caller_uid: Uid,
    /// The account line says `session`.
    pub holds_claim: bool,
    /// The address that the login session came from, where one is known for certain; su and sudo inherit it.
    pub from: Option<IpAddr>,
    /// The process that runs the PAM stack, where it is known and root's: what its session is found by.
    pub opener: Option<Opener>,
    /// The process that asks at the account stage, where it may be told to end: root's, or that of an account that policy
    /// lets ask.
    pub asking: Option<Asking>,
    /// The account that asks for somebody else, where the program is not root and policy lets it (`[[asker]]`).
    pub asker: Option<UserName>,
}

impl Question {
    /// The subject, if the name service knows it.
    #[must_use]
    pub const fn known(&self) -> Option<&Subject> {
        self.subject.subject()
    }

    /// The account that su becomes. For sudo it is not known at the check: PAM_USER is the caller then.
    fn target(&self) -> Option<&UserName> {
        let Login { service, user, target, .. } = &self.login;
        service.is_su().then(|| target.as_ref().unwrap_or(user))
    }

    /// Whether limits hold for this login at this moment, and for how long at most.
    pub(crate) fn within(&self, limits: &Limits, now: &Moment, limit: Duration) -> Result<Duration, Outside> {
        limits.admit(self.from, self.target(), now, limit)
    }
}
