//! `org.jitd.Jit1.Ask`: a person who logs in asks for a role, through root's PAM module. It admits nobody.

use std::sync::Arc;
use std::time::Duration;

use jit_core::ask::Stands;
use jit_core::audit::line::cut;
use jit_core::decide::Question;
use jit_core::order::Here;
use jit_core::person::{Caller, Login};
use jit_core::policy::{Role, Subject};
use jit_core::request::RequestOrder;
use jit_proto::ask::{self, Asker, MAX_LINE, State};
use jit_proto::gate::{self, Stage};
use jit_proto::words::{Reason, RequestId, RoleName, subject_is_caller};
use zbus::message::Header;
use zbus::{Connection, interface};
use zruntime::Event;

use super::gate::Asked;
use super::user::{invalid, random_id};
use super::{App, Error, Origin, Places};
use crate::who::Peer;

/// The interface, on the bus or on one private connection.
pub(crate) struct Ask {
    pub(crate) app: Arc<App>,
    pub(crate) origin: Origin,
    /// Rings when a question has come, where somebody waits for that.
    pub(crate) asked: Option<Arc<Event>>,
}

#[interface(name = "org.jitd.Jit1.Ask")]
impl Ask {
    /// Whether the service is open to the person, what of theirs waits, or what they may ask for.
    #[zbus(out_args("answer", "roles"))]
    async fn options(
        &self,
        asker: Asker,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(ask::Answer, Vec<ask::Role>), Error> {
        let asking = self.asking(asker, connection, &header).await?;
        let (stands, roles) = self.app.desk.options(&asking.question, offers)?;
        Ok((asking.answer(stands), roles))
    }

    /// Asks for a role, for the person. 0 seconds is the role's default.
    #[zbus(out_args("answer"))]
    async fn file(
        &self,
        asker: Asker,
        role: &str,
        seconds: u64,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(ask::Answer,), Error> {
        let role: RoleName = role.parse().map_err(invalid)?;
        let reason: Reason = reason.parse().map_err(invalid)?;
        let duration = (seconds != 0).then(|| Duration::from_secs(seconds));
        let asking = self.asking(asker, connection, &header).await?;
        let Some(beneficiary) = asking.question.known().cloned() else {
            let why = format!("{} is not known on {}", asking.asked.subject, self.app.desk.host);
            return Ok((asking.answer(Stands::without_request(State::Refused, why)),));
        };
        let caller = self.caller(&asking, beneficiary.clone()).await?;
        let id = random_id()?;
        let at_once = |here: Here<'_>| here.policy.role(&role).is_some_and(|role| role.emergency);
        if !self.app.desk.look(at_once)? {
            self.app.filing.take(caller.person().uid, self.app.desk.now().boot)?;
        }
        let order = RequestOrder { beneficiary, role, duration, start: None, reason, id };
        let desk = &self.app.desk;
        let (stands, ticket) = desk.ask_for(&asking.question, &caller, asking.peer.actor(), order)?;
        if let Some(ticket) = ticket {
            ticket.durable().await.map_err(Error::unconfirmed)?;
        }
        Ok((asking.answer(stands),))
    }

    /// What became of a request of the person's own.
    #[zbus(out_args("answer"))]
    async fn progress(
        &self,
        asker: Asker,
        id: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(ask::Answer,), Error> {
        let id: RequestId = id.parse().map_err(invalid)?;
        let asking = self.asking(asker, connection, &header).await?;
        let stands = self.app.desk.progress(&asking.question, id)?;
        Ok((asking.answer(stands),))
    }
}

/// A call whose words have been parsed and whose subject has been looked up.
struct Asking {
    asked: Asked,
    question: Question,
    peer: Peer,
    _places: Places,
}

impl Ask {
    async fn asking(
        &self,
        who: Asker,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Asking, Error> {
        if let Some(asked) = &self.asked {
            asked.notify(usize::MAX);
        }
        let (peer, places) = self.origin.caller(&self.app, connection, header).await?;
        if !peer.uid.is_root() {
            let text = "only root's PAM modules ask here; for yourself, run: jitctl";
            return Err(Error::NotPermitted(text.into()));
        }
        let asked = Asked::parse(question(who))?;
        let subject = self.app.named(peer, &asked.subject).await;
        let from = asked.address();
        let question = asked.question(&subject, from);
        Ok(Asking { asked, question, peer, _places: places })
    }

    /// Who asks. At a login that is whoever authenticated: the process has no login uid yet, or that of the shell
    /// from which somebody started sshd. For su and sudo it is the person behind the login uid, who must be the
    /// same: becoming another account is no way to ask in its name.
    async fn caller(&self, asking: &Asking, account: Subject) -> Result<Caller, Error> {
        let login = if subject_is_caller(&asking.asked.service) {
            let Asking { peer, .. } = asking;
            self.app.caller(*peer).await?.login
        } else {
            Login::Known(account.clone())
        };
        Ok(Caller { account, login })
    }
}

impl Asking {
    fn answer(self, stands: Stands) -> ask::Answer {
        let Asked { nonce, service, user, .. } = self.asked;
        ask::Answer {
            nonce,
            service: service.into(),
            user: user.into(),
            state: stands.state.as_str().into(),
            id: stands.request.map_or_else(String::new, |id| id.to_string()),
            text: stands.text,
        }
    }
}

/// What the gate would be asked.
fn question(asker: Asker) -> gate::Question {
    let Asker { nonce, service, user, ruser, caller_uid, rhost, tty } = asker;
    let stage = Stage::Account.as_str().into();
    gate::Question { nonce, stage, service, user, ruser, rhost, tty, caller_uid, flags: 0 }
}

/// The roles as the module takes them.
fn offers(roles: &[&Role]) -> Vec<ask::Role> {
    let line = |text: Option<String>| cut(text.unwrap_or_default(), MAX_LINE);
    let offer = |role: &&Role| ask::Role {
        name: role.name.to_string(),
        summary: line(match (&role.summary, role.emergency) {
            (Some(summary), true) => Some(format!("EMERGENCY, opens at once: {summary}")),
            (None, true) => Some("EMERGENCY, opens at once".into()),
            (summary, false) => summary.clone(),
        }),
        default: role.default_duration.as_secs(),
        max: role.max_duration.as_secs(),
        hint: line(role.reason.as_ref().map(ToString::to_string)),
    };
    roles.iter().map(offer).collect()
}
