//! `org.jitd.Jit1.Ask`: a person who logs in asks for a role, through root's PAM module. It admits nobody.

use std::sync::Arc;
use std::time::Duration;

use jit_core::access::Method;
use jit_core::check::login_request::Stands;
use jit_core::model::{Known, Question};
use jit_core::orders::Refusal;
use jit_core::orders::request::RequestOrder;
use jit_core::policy::Role;
use jit_core::text::cut;
use jit_proto::gate::{self, MAX_TEXT, Stage};
use jit_proto::login_request::{self, Asker, MAX_LINE};
use jit_proto::words::{Reason, RequestId, RoleName, subject_is_caller};
use zbus::message::Header;
use zbus::{Connection, interface};

use super::asked::Asked;
use super::caller::ATTEMPTS;
use super::words::{invalid, random_id};
use super::{Error, Origin, entering};
use crate::app::App;
use crate::clock::since_boot;
use crate::desk::{LoggedIn, Looked, NotDone};
use crate::peer::{Gone, Peer};

/// The interface, on the bus or on one private connection.
pub(crate) struct Ask {
    pub(crate) app: Arc<App>,
    pub(crate) origin: Origin,
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
    ) -> Result<(login_request::Answer, Vec<login_request::Role>), Error> {
        let asking = self.asking(Method::Options, asker, connection, &header).await?;
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
    ) -> Result<(login_request::Answer,), Error> {
        let mut asking = self.asking(Method::File, asker, connection, &header).await?;
        let role: RoleName = role.parse().map_err(invalid)?;
        let reason: Reason = reason.parse().map_err(invalid)?;
        let duration = (seconds != 0).then(|| Duration::from_secs(seconds));
        let Some(beneficiary) = asking.question.known().cloned() else {
            let why = format!("{} is not known on {}", asking.asked.subject, self.app.desk.host);
            return Ok((asking.answer(Stands::refused(why)),));
        };
        let mut looked = self.asker(&asking).await?;
        let id = random_id()?;
        let (desk, actor) = (&self.app.desk, asking.peer.actor());
        // What is not offered is refused below and takes nothing of anybody's share; an emergency waits for none of it.
        let takes_a_share =
            |offered: &[&Role]| offered.iter().any(|offer| offer.name == role && !offer.emergency);
        if desk.options(&asking.question, takes_a_share)?.1 {
            self.app.filing.take(looked.caller().own().uid, since_boot())?;
        }
        let order = RequestOrder { beneficiary, role, duration, start: None, reason, id };
        let mut looks = 0;
        let (stands, ticket) = loop {
            let groups = desk.groups();
            match desk.ask_for(&asking.question, &looked, actor, order.clone()) {
                Err(NotDone::Refused(why @ Refusal::Unanswered { .. })) => {
                    looks += 1;
                    if looks >= ATTEMPTS || desk.groups() == groups && looks > 1 {
                        break (Stands::refused(why.to_string()), None);
                    }
                    // Another group counts than when they were looked up.
                    asking.question = self.question(&asking.asked, asking.peer).await;
                    looked = self.asker(&asking).await?;
                }
                Ok(done) => break done,
                Err(err) => return Err(err.into()),
            }
        };
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
    ) -> Result<(login_request::Answer,), Error> {
        let asking = self.asking(Method::Progress, asker, connection, &header).await?;
        let id: RequestId = id.parse().map_err(invalid)?;
        let stands = self.app.desk.progress(&asking.question, id)?;
        Ok((asking.answer(stands),))
    }

    /// Takes what an approver answered to a request of the person's own, as it was typed. Without a line, says what to read
    /// out.
    #[zbus(out_args("answer", "told", "kept"))]
    async fn enter(
        &self,
        asker: Asker,
        id: &str,
        typed: Vec<String>,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(login_request::Answer, Vec<String>, u32), Error> {
        let mut asking = self.asking(Method::Enter, asker, connection, &header).await?;
        let id: RequestId = id.parse().map_err(invalid)?;
        let mut stands = self.app.desk.progress(&asking.question, id)?;
        let (mut told, mut kept) = (Vec::new(), 0);
        // Somebody else's is as one that does not exist.
        let whose = asking.question.known().map(|subject| subject.uid);
        if let (Stands::Waiting(..), Some(whose)) = (&stands, whose) {
            if !typed.is_empty() {
                let taken = entering::taken(&self.app, asking.peer, whose, id, &typed).await?;
                told.push(cut(taken.told, MAX_TEXT));
                kept = taken.kept;
                // What has opened may depend on other groups than what waits.
                asking.question = self.question(&asking.asked, asking.peer).await;
                stands = self.app.desk.progress(&asking.question, id)?;
            }
            if kept == 0 && matches!(stands, Stands::Waiting(..)) {
                told.extend(entering::told(&self.app, id, whose)?);
            }
        }
        Ok((asking.answer(stands), told, u32::try_from(kept).unwrap_or_default()))
    }
}

/// A call whose words have been parsed and whose subject has been looked up.
struct Asking {
    asked: Asked,
    question: Question,
    peer: Peer,
}

impl Ask {
    async fn asking(
        &self,
        method: Method,
        who: Asker,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Asking, Error> {
        let peer = self.origin.caller(method, &self.app, connection, header).await?;
        let asked = Asked::parse(question(who))?;
        let question = self.question(&asked, peer).await;
        Ok(Asking { asked, question, peer })
    }

    /// What the gate would be asked, of the subject as it is known once nothing more could change the answer.
    async fn question(&self, asked: &Asked, peer: Peer) -> Question {
        let (desk, from) = (&self.app.desk, asked.address());
        let settled = |known: &Known| desk.is_settled(&asked.question(known, from)).unwrap_or(true);
        let groups = desk.groups_at(&asked.service);
        let (subject, _) = self.app.settled(peer, &asked.subject, &groups, settled).await;
        asked.question(&subject, from)
    }

    /// Who asks. At a login that is whoever authenticated: the process has no login uid yet, or that of the shell
    /// from which somebody started sshd. For su and sudo it is the person behind the login uid, who must be the
    /// same: becoming another account is no way to ask in its name.
    async fn asker(&self, asking: &Asking) -> Result<Looked, Error> {
        // For whom a role is, is said by groups that the login itself need not depend on.
        let account = self.app.named(asking.peer, &asking.asked.subject).await;
        let login = if subject_is_caller(&asking.asked.service) {
            self.app.orderer(Method::File, asking.peer).await?.logged_in().await
        } else {
            LoggedIn::As(account.clone())
        };
        Ok(Looked::new(account, login).ok_or(Gone)?)
    }
}

impl Asking {
    fn answer(self, stands: Stands) -> login_request::Answer {
        let Asked { nonce, service, user, .. } = self.asked;
        login_request::Answer {
            nonce,
            service: service.into(),
            user: user.into(),
            state: stands.state().as_str().into(),
            id: stands.request().map_or_else(String::new, |id| id.to_string()),
            text: stands.text().into(),
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
fn offers(roles: &[&Role]) -> Vec<login_request::Role> {
    let line = |text: Option<String>| cut(text.unwrap_or_default(), MAX_LINE);
    let offer = |role: &&Role| login_request::Role {
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
