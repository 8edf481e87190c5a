//! `org.jitd.Jit1.Gate`: the module asks, the desk answers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jit_core::decide::{Known, Question};
use jit_core::event::Login;
use jit_proto::gate::{self, Answer, FLAG_CLAIM, MAX_TEXT, NONCE_LEN, Stage};
use jit_proto::words::{ServiceName, Uid, UserName, Verdict, subject_is_caller};
use zbus::message::Header;
use zbus::{Connection, interface};
use zruntime::Event;

use super::{App, Error, Origin};
use crate::session;
use crate::who::Peer;

/// The interface, on the bus or on one private connection.
pub(crate) struct Gate {
    pub(crate) app: Arc<App>,
    pub(crate) origin: Origin,
    /// Rings when a question has come, where somebody waits for that.
    pub(crate) asked: Option<Arc<Event>>,
}

#[interface(name = "org.jitd.Jit1.Gate")]
impl Gate {
    /// May this subject use this service here, now?
    #[zbus(out_args("answer"))]
    async fn check(
        &self,
        question: gate::Question,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(Answer,), Error> {
        if let Some(asked) = &self.asked {
            asked.notify(usize::MAX);
        }
        let (peer, _places) = self.origin.caller(&self.app, connection, &header).await?;
        let mut asked = Asked::parse(question)?;
        let desk = &self.app.desk;
        if !peer.uid.is_root() {
            self.app.ration.take(peer.uid, desk.now().boot)?;
            let own = self.app.names(peer).of_uid(peer.uid, Arc::default()).await;
            asked.must_be_about(peer.uid, &own)?;
        }
        let subject = self.app.named(peer, &asked.subject).await;
        let from = self.address(&asked, peer).await;
        let actor = peer.actor();
        let seen = if asked.stage == Stage::Account { None } else { session::opener(peer, actor.session) };
        let question = Question { opener: seen.map(|seen| seen.opener), ..asked.question(&subject, from) };
        let checked = desk.check(&question, actor)?;
        // The account stage is not yet in the session, and su and sudo open none.
        if let (Some(id), true) = (actor.session, asked.is_login()) {
            match (asked.stage, checked.answer.verdict) {
                (Stage::Session, Verdict::Allow | Verdict::Unmanaged) => {
                    self.app.sessions.opened(id, &asked.service, from);
                }
                (Stage::Close, _) => self.app.sessions.closed(id, &asked.service),
                (Stage::Account, _) | (Stage::Session, Verdict::Deny) => {}
            }
        }
        if let Some(ticket) = checked.ticket {
            ticket.durable().await?;
        }
        if let Some(session) = checked.session
            && (session::gets_a_scope(&asked.service) || seen.is_some_and(|seen| seen.is_inside))
        {
            session::enclose(&self.app, session, seen.map(|seen| seen.opener.leader), checked.host_limit)
                .await;
        }
        let admits = checked.answer.admits;
        let remaining = match asked.stage {
            Stage::Session => checked.host_limit,
            Stage::Account | Stage::Close => {
                admits.as_ref().map_or(Duration::ZERO, |admits| admits.remaining)
            }
        };
        Ok((Answer {
            nonce: asked.nonce,
            service: asked.service.into(),
            user: asked.user.into(),
            verdict: checked.answer.verdict.as_str().into(),
            reason: checked.answer.why.as_str().into(),
            text: match checked.answer.verdict {
                Verdict::Deny => checked.advice,
                Verdict::Allow | Verdict::Unmanaged => String::new(),
            },
            remaining: remaining.as_secs(),
            grant: admits.map_or_else(String::new, |admits| admits.grant.to_string()),
        },))
    }
}

impl Gate {
    /// The address that the login came from: its own for a login, that of the login around it for su and sudo. These
    /// are asked about only where policy wants to know.
    async fn address(&self, asked: &Asked, peer: Peer) -> Option<IpAddr> {
        if !subject_is_caller(&asked.service) {
            return asked.address();
        }
        // A session keeps it: policy may ask tomorrow where it came from.
        let asks = asked.stage == Stage::Session || self.app.desk.asks_where(&asked.service);
        let wanted = peer.uid.is_root() && asks;
        if wanted { self.app.sessions.address(&self.app.runtime, peer).await } else { None }
    }
}

/// A question whose words have been parsed.
pub(super) struct Asked {
    pub(super) nonce: Vec<u8>,
    stage: Stage,
    pub(super) service: ServiceName,
    pub(super) user: UserName,
    pub(super) subject: UserName,
    rhost: String,
    tty: String,
    caller_uid: Uid,
    holds_claim: bool,
}

impl Asked {
    pub(super) fn parse(raw: gate::Question) -> Result<Self, Error> {
        let bad = |what: &str| Error::Invalid(format!("the question's {what}"));
        if raw.nonce.len() != NONCE_LEN {
            return Err(bad("nonce does not have 16 bytes"));
        }
        if raw.flags & !FLAG_CLAIM != 0 {
            return Err(bad("flags are not known; the module is newer than jitd"));
        }
        for (what, text) in [("rhost", &raw.rhost), ("tty", &raw.tty)] {
            if text.len() > MAX_TEXT {
                return Err(bad(&format!("{what} is too long")));
            }
        }
        let word = |err: jit_proto::words::BadWord| Error::Invalid(err.to_string());
        let stage = raw.stage.parse().map_err(word)?;
        let service: ServiceName = raw.service.parse().map_err(word)?;
        let user: UserName = raw.user.parse().map_err(word)?;
        let subject =
            if subject_is_caller(&service) { raw.ruser.parse().map_err(word)? } else { user.clone() };
        Ok(Self {
            nonce: raw.nonce,
            stage,
            service,
            user,
            subject,
            rhost: raw.rhost,
            tty: raw.tty,
            caller_uid: Uid::try_from(raw.caller_uid).map_err(word)?,
            holds_claim: raw.flags & FLAG_CLAIM != 0,
        })
    }

    /// An unprivileged program, such as a screen locker, may ask about its own user, and only whether to go on. Where
    /// it says to be asked from is its own word and does not enter the record.
    fn must_be_about(&mut self, uid: Uid, own: &Known) -> Result<(), Error> {
        let about_own =
            matches!(own, Known::Fully(own) | Known::WithoutGroups(own) if own.name == self.subject);
        if !about_own || self.caller_uid != uid {
            return Err(Error::NotPermitted("only root may ask about somebody else".into()));
        }
        if self.stage != Stage::Account {
            return Err(Error::NotPermitted("only root opens and closes sessions".into()));
        }
        self.rhost.clear();
        self.tty.clear();
        Ok(())
    }

    /// Whether a login asks: a program that root runs for somebody who comes in, and neither su nor sudo.
    fn is_login(&self) -> bool {
        self.caller_uid.is_root() && !subject_is_caller(&self.service)
    }

    /// The address that a login says to come from. PAM_RHOST is only ever read as an address, never looked up as a
    /// name, and only root's word for it counts.
    pub(super) fn address(&self) -> Option<IpAddr> {
        if self.is_login() { self.rhost.parse().ok() } else { None }
    }

    pub(super) fn question(&self, subject: &Known, from: Option<IpAddr>) -> Question {
        let uid = match subject {
            Known::Fully(known) | Known::WithoutGroups(known) => Some(known.uid),
            Known::Not | Known::Unanswered => None,
        };
        let login = Login {
            service: self.service.clone(),
            user: self.subject.clone(),
            uid,
            target: (self.user != self.subject).then(|| self.user.clone()),
            rhost: self.rhost.clone(),
            tty: self.tty.clone(),
        };
        Question {
            stage: self.stage,
            login,
            subject: subject.clone(),
            caller_uid: self.caller_uid,
            holds_claim: self.holds_claim,
            from,
            opener: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::policy::Subject;
    use std::collections::BTreeSet;

    fn asked(service: &str, rhost: &str) -> Asked {
        let question = gate::Question {
            nonce: vec![0; NONCE_LEN],
            stage: "account".into(),
            service: service.into(),
            user: "maria".into(),
            ruser: "maria".into(),
            rhost: rhost.into(),
            tty: String::new(),
            flags: 0,
            caller_uid: 0,
        };
        Asked::parse(question).unwrap()
    }

    #[test]
    fn an_address_is_only_what_reads_as_one_and_never_that_of_su_or_sudo() {
        assert_eq!(asked("sshd", "10.1.2.3").address(), Some("10.1.2.3".parse().unwrap()));
        for rhost in ["", "db-1.example", "10.1.2.3 ", "010.1.2.3", "10.1.2.3/32"] {
            assert_eq!(asked("sshd", rhost).address(), None, "{rhost:?}");
        }
        for service in ["su", "su-l", "sudo", "sudo-i"] {
            assert_eq!(asked(service, "10.1.2.3").address(), None, "{service}");
        }
    }

    #[test]
    fn who_asks_about_himself_cannot_say_where_from() {
        let uid = Uid::try_from(1001).unwrap();
        let own = Known::Fully(Subject { name: "maria".parse().unwrap(), uid, groups: BTreeSet::new() });
        let mut asked = asked("sshd", "10.1.2.3");
        asked.caller_uid = uid;
        assert_eq!(asked.address(), None, "a program of the caller's says it");
        asked.must_be_about(uid, &own).unwrap();
        assert_eq!((asked.address(), asked.rhost.as_str()), (None, ""));
    }
}
