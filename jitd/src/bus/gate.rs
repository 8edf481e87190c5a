//! `org.jitd.Jit1.Gate`: the module asks, the desk answers.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jit_core::access::Method;
use jit_core::check::explain::not_enclosed;
use jit_core::model::{Actor, Asking, Opener, Question, Why};
use jit_core::policy::Asker;
use jit_core::services::Services;
use jit_core::text::cut;
use jit_proto::gate::{self, MAX_TEXT, Stage};
use jit_proto::words::{GroupName, Uid, UserName, subject_is_caller};
use zbus::message::Header;
use zbus::{Connection, interface};

use super::asked::Asked;
use super::caller::ATTEMPTS;
use super::origin::may;
use super::reply::Reply;
use super::{Error, Origin};
use crate::app::App;
use crate::clock::since_boot;
use crate::desk::{Briefing, Checked, Judged, OnRecord, Waits};
use crate::nss::{Lookup, Patience, Share, Whose};
use crate::peer::Peer;
use crate::session::{self, Allowed, SeenAsker, SeenOpener};
use crate::session_of::Keys;

/// The interface, on the bus or on one private connection.
pub(crate) struct Gate {
    pub(crate) app: Arc<App>,
    pub(crate) origin: Origin,
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
    ) -> Result<(Reply,), Error> {
        let peer = self.origin.caller(Method::Question, &self.app, connection, &header).await?;
        self.decided(peer, Asked::parse(question)?).await.map(|reply| (reply,))
    }

    /// The same of a login over ssh, with what sshd tells PAM of how it was let in.
    #[zbus(out_args("answer"))]
    async fn check_login(
        &self,
        question: gate::Question,
        auth_info: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(Reply,), Error> {
        let peer = self.origin.caller(Method::LoginQuestion, &self.app, connection, &header).await?;
        self.decided(peer, Asked::parse_login(question, auth_info)?).await.map(|reply| (reply,))
    }
}

/// What is known of a question beside its words and its subject.
#[derive(Clone, Copy)]
struct Facts<'a> {
    peer: Peer,
    actor: Actor,
    from: Option<IpAddr>,
    opener: Option<Opener>,
    /// The process that asks whether somebody may come in, where that could be one that ends with a window.
    asking: Option<&'a Asking>,
    /// The account that asks for others, where that is not root.
    asker: Option<&'a UserName>,
    /// sshd will say at the session by which key.
    awaits_key: bool,
}

/// Whether a session that was allowed has a unit that can be ended, where it needs one.
enum Bound {
    Allowed,
    /// It was taken back, with a line for the person.
    Refused(String),
}

impl Gate {
    /// What a peer on the private socket asks.
    pub(super) async fn answer(
        &self,
        peer: Peer,
        question: gate::Question,
        auth_info: Option<&str>,
    ) -> Result<Reply, Error> {
        let asked = if let Some(auth_info) = auth_info {
            may(Method::LoginQuestion, &self.app, peer)?;
            Asked::parse_login(question, auth_info)?
        } else {
            may(Method::Question, &self.app, peer)?;
            Asked::parse(question)?
        };
        self.decided(peer, asked).await
    }

    async fn decided(&self, peer: Peer, mut asked: Asked) -> Result<Reply, Error> {
        let began = since_boot();
        let desk = &self.app.desk;
        let by_program =
            if peer.uid.is_root() { None } else { self.not_root(&mut asked, peer, began).await? };
        let patience = self.app.names.patience();
        let whose = Whose::Name(asked.subject.clone());
        let mut lookup = self.app.names.lookup(whose, Share::of(peer), &patience);
        let Briefing { groups, looks, share } = desk.briefing(&asked.service);
        // What has to be asked is on its way while the address is found out.
        let _on_its_way = lookup.known(&groups);
        let from = self.address(&asked, peer).await;
        let actor = peer.actor();
        let seen = if asked.stage == Stage::Account { None } else { session::opener(peer, actor.session) };
        // At the check it has no session yet, and is on record for when nobody asks for one.
        let by = peer.process().filter(|_| peer.uid.is_root() && asked.stage == Stage::Account);
        let opener = seen.map(|seen| seen.opener).or(by.map(|leader| Opener { leader, audit: None }));
        if asked.stage == Stage::Account {
            self.app.askers.asks(peer, asked.is_login());
        }
        // Only root and an asker have a process that ends: whoever asks about themselves has nothing ended.
        let may_end = looks && asked.stage == Stage::Account && (peer.uid.is_root() || by_program.is_some());
        if share && peer.uid.is_root() && subject_is_caller(&asked.service) {
            // Of those who share an account, only the login around su or sudo tells which it is.
            asked.around = self.app.keys_around(peer);
        }
        let awaits_key = share && self.awaits_key(&asked);
        let process = if may_end { session::asking(peer) } else { None };
        let facts = Facts {
            peer,
            actor,
            from,
            opener,
            asking: process.as_ref(),
            asker: by_program.as_ref(),
            awaits_key,
        };
        let (question, checked) = self.checked(&asked, groups, &mut lookup, &patience, facts).await?;
        if asked.stage == Stage::Session && peer.uid.is_root() {
            let is_refused = matches!(checked, Checked::Deny { .. });
            self.app.awaiting.asked(peer, &question.login, is_refused);
        }
        let (reply, is_in) = match checked {
            Checked::Allow(admitted) => {
                // The looking is done while the record is on its way to the disk.
                let caller =
                    if asked.stage == Stage::Account { SeenAsker::look(peer, &asked.service) } else { None };
                let admitted = admitted.on_record(desk).await?;
                if let Some(caller) = caller {
                    self.expect(caller, &question, &admitted);
                }
                match self.bound(&admitted, &question, seen, actor, began).await? {
                    Bound::Allowed => (Reply::allow(&asked, &admitted), true),
                    Bound::Refused(advice) => (Reply::deny(&asked, Why::NotEnclosed, advice), false),
                }
            }
            Checked::Unmanaged(outside) => (Reply::unmanaged(&asked, outside.in_force(desk).await?), true),
            Checked::Deny { why, advice } => (Reply::deny(&asked, why, advice), false),
        };
        // The account stage is not yet in the session, and su and sudo open none.
        if let (Some(id), true) = (actor.session, asked.is_login()) {
            match asked.stage {
                Stage::Session if is_in => {
                    let keys = Keys { of: question.login.uid, keys: asked.keys.clone() };
                    self.app.sessions.opened(id, &asked.service, from, keys);
                }
                Stage::Close => self.app.sessions.closed(id, &asked.service),
                Stage::Account | Stage::Session => {}
            }
        }
        Ok(if by_program.is_some() { reply.for_asker() } else { reply })
    }

    /// What somebody who is not root may ask: an account that policy names, about anybody at its services, and the answer
    /// is that account; whoever else it is, about themselves.
    async fn not_root(
        &self,
        asked: &mut Asked,
        peer: Peer,
        began: Duration,
    ) -> Result<Option<UserName>, Error> {
        // Few policies name any, and then few.
        let is_peer = |asker: &&Asker| self.app.names.own_uid(asker.account()) == Some(peer.uid);
        let own: Vec<Asker> =
            self.app.desk.look(|here| here.policy.askers().filter(is_peer).cloned().collect())?;
        if let Some(asker) = own.iter().find(|asker| asker.services().contains(&asked.service)) {
            self.app.asking.take(peer.uid, began)?;
            asked.must_be_a_check_by(asker.account(), peer)?;
            return Ok(Some(asker.account().clone()));
        }
        self.app.ration.take(peer.uid, began)?;
        let account = Whose::Uid(peer.uid);
        let account = self.app.names.account(account, Share::of(peer), &BTreeSet::new()).await;
        let asks_at: Vec<Services> = own.iter().map(|asker| asker.services().clone()).collect();
        asked.must_be_about(peer.uid, &account, &asks_at)?;
        Ok(None)
    }

    /// A login that was allowed is ours, whether or not it asks for its session. One whose process ends is in already.
    fn expect(&self, caller: SeenAsker, question: &Question, admitted: &OnRecord) {
        let Some(check) = admitted.check.filter(|_| admitted.admission.ends.is_none()) else { return };
        let allowed = Allowed {
            check,
            role: admitted.admission.role.clone(),
            basis: admitted.admission.basis.clone(),
            login: admitted.login.clone(),
            from: question.from,
        };
        self.app.awaiting.allowed(caller, allowed);
    }

    /// Puts a session that is about to open into a unit of its own, or takes it back: what is answered `allow` has a unit
    /// that can be ended (law 12).
    async fn bound(
        &self,
        admitted: &OnRecord,
        question: &Question,
        seen: Option<SeenOpener>,
        actor: Actor,
        began: Duration,
    ) -> Result<Bound, Error> {
        // Of a process that cannot be seen nothing could be ended either.
        let login = &question.login;
        let needs_scope = session::gets_a_scope(&login.service) || seen.is_none_or(|seen| seen.is_inside);
        let Some(id) = admitted.session.filter(|_| needs_scope) else { return Ok(Bound::Allowed) };
        let leader = seen.map(|seen| seen.opener.leader);
        match session::enclose(&self.app, id, leader, admitted.host_limit, began).await {
            Ok(()) => Ok(Bound::Allowed),
            Err(why) if login.uid.is_some_and(Uid::is_root) => {
                session::leave_unbound(&self.app, id, &why);
                Ok(Bound::Allowed)
            }
            Err(why) => {
                let desk = &self.app.desk;
                let took_a_use = admitted.admission.takes.is_of_session();
                desk.refuse_session(id, actor, took_a_use, why.to_string())?;
                Ok(Bound::Refused(not_enclosed(&login.service, &desk.host)))
            }
        }
    }

    /// Asks the desk, again whenever the name service has said more, until no answer that is still to come could change
    /// its own or the time is over. The desk judges under its lock what counts then, so a group that was locked since
    /// the lookup began is one that nothing was said of.
    async fn checked(
        &self,
        asked: &Asked,
        mut groups: BTreeSet<GroupName>,
        lookup: &mut Lookup<'_>,
        patience: &Patience,
        Facts { peer, actor, from, opener, asking, asker, awaits_key }: Facts<'_>,
    ) -> Result<(Question, Checked), Error> {
        let mut waits = Waits::ForMore;
        let mut looks = 0;
        loop {
            let subject = lookup.known(&groups);
            let question = Question {
                opener,
                asking: asking.cloned(),
                asker: asker.cloned(),
                awaits_key,
                ..asked.question(&subject, from)
            };
            let check = if question.stage == Stage::Session {
                self.app.awaiting.admitted(peer, &question.login)
            } else {
                None
            };
            let now = match self.app.desk.check(&question, actor, check, waits)? {
                Judged::Answered(checked) => return Ok((question, said_by_whom(checked, lookup, &groups))),
                Judged::TakesMore(groups) => groups,
            };
            looks += 1;
            let again = looks < ATTEMPTS && now != groups;
            groups = now;
            if !again && !patience.more([&*lookup]).await {
                waits = Waits::NoLonger;
            }
        }
    }

    /// Whether sshd is about to say by which key somebody came, to a session line that hears it and can refuse.
    fn awaits_key(&self, asked: &Asked) -> bool {
        asked.stage == Stage::Account && asked.is_login() && self.app.hears_keys(&asked.service)
    }

    /// The address that the login came from: its own for a login, that of the login around it for su and sudo.
    async fn address(&self, asked: &Asked, peer: Peer) -> Option<IpAddr> {
        if !subject_is_caller(&asked.service) {
            return asked.address();
        }
        // Whether or not policy asks: the record says it.
        if peer.uid.is_root() { self.app.sessions.address(&self.app.runtime, peer).await } else { None }
    }
}

/// A refusal for the name service's sake says what it does not say, and which of its sources.
fn said_by_whom(checked: Checked, lookup: &mut Lookup<'_>, groups: &BTreeSet<GroupName>) -> Checked {
    let Checked::Deny { why: Why::NameService, .. } = checked else { return checked };
    let advice = format!(
        "jit: {}. Try again; if it lasts, tell an admin. Accounts of this host and rules that name users need no answer.",
        lookup.unsaid(groups)
    );
    Checked::Deny { why: Why::NameService, advice: cut(advice, MAX_TEXT) }
}
