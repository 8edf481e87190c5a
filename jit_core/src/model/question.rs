//! What a check asks.

use std::net::IpAddr;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{Uid, UserName, subject_is_caller};

use super::known::Known;
use super::login::{Login, person_by};
use super::process::Asking;
use super::session::Opener;
use crate::policy::{Limits, Outside, People, Subject};
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
    /// sshd will say by which key somebody came when it asks for the session, which it will: until then nobody knows who
    /// comes by an account that people share.
    pub awaits_key: bool,
}

impl Question {
    /// The subject, if the name service knows it.
    #[must_use]
    pub const fn known(&self) -> Option<&Subject> {
        self.subject.subject()
    }

    /// The same with the name of who comes by an account that people share, for the record.
    #[must_use]
    pub fn named(&self, people: &People) -> Self {
        let by_name = || self.login.person_by(people);
        let person =
            self.known().map_or_else(by_name, |subject| person_by(people, subject.names(), &self.login.keys));
        let mut names = self.known().into_iter().flat_map(Subject::names);
        // Of su and sudo, the keys of the login around them say who that is, and else are nothing of theirs.
        let is_told = !subject_is_caller(&self.login.service) || names.any(|name| people.is_shared(name));
        let keys = if is_told { self.login.keys.clone() } else { Vec::new() };
        Self { login: Login { keys, person, ..self.login.clone() }, ..self.clone() }
    }

    /// The subject as who comes by it.
    pub(crate) fn as_who_comes(&self, people: &People, subject: &Subject) -> Subject {
        subject.as_person(person_by(people, subject.names(), &self.login.keys))
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
