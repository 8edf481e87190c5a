//! `org.jitd.Jit1.User`: what people may read. Everybody sees their own; admins and auditors see all; an id one
//! may not see looks like one that does not exist.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jit_core::decide::{Known, Question};
use jit_core::duration::Human;
use jit_core::event::{Event, Login};
use jit_core::lock::Lock;
use jit_core::order::{Here, Refusal};
use jit_core::person::Caller;
use jit_core::policy::Subject;
use jit_core::request::{self, ExtendOrder, RequestOrder};
use jit_core::review::is_asked;
use jit_core::standing;
use jit_core::taking_back::{self, Target};
use jit_core::when::parse_when;
use jit_proto::gate::Stage;
use jit_proto::manager;
use jit_proto::words::{GrantId, Reason, RequestId, RoleName, ServiceName, UserName};
use serde::Serialize;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, interface};

use super::review::to_review;
use super::{App, Error, Origin, Places, answer, sessions};
use crate::desk::{NotDone, Source};
use crate::session::{self, processes, systemd};
use crate::sink;
use crate::store::rows::{self, Filter, Story};
use crate::store::{StoreError, StorePath};
use crate::who::Peer;

/// The interface.
pub(crate) struct User {
    pub(crate) app: Arc<App>,
    pub(crate) origin: Origin,
}

#[interface(name = "org.jitd.Jit1.User")]
impl User {
    /// What a login would be told now. Changes nothing.
    #[zbus(out_args("json"))]
    async fn check(
        &self,
        service: &str,
        user: &str,
        from: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let (question, _, _places) = self.question(service, user, from, "", connection, &header).await?;
        let (explained, at) = self.app.desk.preview(&question, None)?;
        json(&answer::check(&question, &explained, &at))
    }

    /// What a login would be told now or at a time to come, and why, role by role. Changes nothing.
    #[zbus(out_args("json"))]
    #[allow(clippy::too_many_arguments, reason = "five of them are the question, and none has two meanings")]
    async fn explain(
        &self,
        service: &str,
        user: &str,
        at: &str,
        from: &str,
        target: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let desk = &self.app.desk;
        let now = desk.now().wall;
        let at = (!at.is_empty()).then(|| parse_when(at, now)).transpose().map_err(invalid)?;
        if let Some(at) = at.filter(|at| *at < now) {
            return Err(Error::Invalid(format!(
                "{} is over: windows are known as they stand now, {}, and what was is in the audit log",
                at.to_seconds(),
                now.to_seconds()
            )));
        }
        let (question, caller, _places) =
            self.question(service, user, from, target, connection, &header).await?;
        let (explained, at) = desk.preview(&question, at)?;
        let see_all = may_read_all(&self.app, &caller);
        json(&answer::explanation(&question, &explained, &at, &desk.host.to_string(), see_all))
    }

    /// The roles that the caller may ask for on this host, or for admins and auditors, somebody else.
    #[zbus(out_args("json"))]
    async fn roles(
        &self,
        user: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let user: Option<UserName> = (!user.is_empty()).then(|| user.parse()).transpose().map_err(invalid)?;
        let (caller, peer, _places) = self.account(connection, &header).await?;
        let about = user.unwrap_or_else(|| caller.name.clone());
        let subject = self.somebody(&about, &caller, peer, "ask about the roles of").await?;
        let roles = match &subject {
            Known::Fully(subject) => self.app.desk.roles_of(subject)?,
            // A list without the roles of somebody's groups would look whole.
            _ => {
                return Err(Error::CannotDecide(format!(
                    "the name service does not tell the groups of {about}"
                )));
            }
        };
        json(&roles.iter().map(answer::role).collect::<Vec<_>>())
    }

    /// Requests and grants: those that live, or all.
    #[zbus(out_args("json"))]
    async fn list(
        &self,
        all: bool,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let (caller, _, _places) = self.account(connection, &header).await?;
        json(&self.entries(all, &caller).await?)
    }

    /// One request or grant.
    #[zbus(out_args("json"))]
    async fn show(
        &self,
        id: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let request = request_id(id)?;
        let (caller, _, _places) = self.account(connection, &header).await?;
        let story = story_for(&self.app, request, &caller).await?;
        let story = story.ok_or_else(|| {
            Error::NotFound(format!("there is no request or grant {id}; 'jitctl list --all' shows yours"))
        })?;
        json(&self.entry(&story))
    }

    /// Asks for a role for the caller. 0 seconds is the role's default, an empty start means once it is approved.
    #[zbus(out_args("json"))]
    async fn request(
        &self,
        role: &str,
        seconds: u64,
        start: &str,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let role: RoleName = role.parse().map_err(invalid)?;
        let reason = reason.parse().map_err(invalid)?;
        let start = (!start.is_empty()).then(|| start.parse()).transpose().map_err(invalid)?;
        let duration = seconds_of(seconds);
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        self.ration(&caller, Some(&role))?;
        let id = random_id()?;
        let beneficiary = caller.account.clone();
        let order = RequestOrder { beneficiary, role, duration, start, reason, id };
        self.filed(peer, id, |here| request::file(here, &caller, order)).await
    }

    /// Asks to go on where a window of the caller's ends, through the same stages.
    #[zbus(out_args("json"))]
    async fn extend(
        &self,
        id: &str,
        seconds: u64,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let (base, reason) = (request_id(id)?, reason.parse().map_err(invalid)?);
        let duration = seconds_of(seconds);
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        self.ration(&caller, None)?;
        let id = random_id()?;
        let beneficiary = caller.account.clone();
        let order = ExtendOrder { beneficiary, grant: base.into(), duration, reason, id };
        self.filed(peer, id, |here| request::extend(here, &caller, order)).await
    }

    /// Takes a request of the caller's own back before it has opened.
    #[zbus(out_args("json"))]
    async fn withdraw(
        &self,
        id: &str,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let request = request_id(id)?;
        let reason = optional_reason(reason)?;
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        self.ended(peer, &caller, request, |here| taking_back::withdraw(here, &caller, request, reason)).await
    }

    /// Gives a window of the caller's own back before its end.
    #[zbus(out_args("json"))]
    async fn done(
        &self,
        id: &str,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let request = request_id(id)?;
        let reason = optional_reason(reason)?;
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        let target = Target::Grant(request.into());
        self.ended(peer, &caller, request, |here| taking_back::done(here, &caller, target, reason)).await
    }

    /// Who is in now: the caller's own sessions; for admins and auditors, everybody's.
    #[zbus(out_args("json"))]
    async fn sessions(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let (caller, _, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        let sessions = sessions::in_now(&self.app, &caller)?;
        json(&sessions)
    }

    /// Ends one session: one of the caller's own or, for admins, anybody's. The window stays open.
    #[zbus(out_args("json"))]
    async fn end_session(
        &self,
        id: u64,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let reason = optional_reason(reason)?;
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        let mut session = None;
        let ticket = self.app.desk.order(peer.actor(), |here| {
            let events = standing::end_one(here, &caller, id, reason)?;
            session = here.state.session(id).map(|one| sessions::answer(here, one, true));
            Ok(events)
        })?;
        ticket.durable().await.map_err(Error::unconfirmed)?;
        // Nothing may be left of it by now.
        let now = self.app.desk.look(|here| {
            here.state.session(id).map(|one| sessions::answer(here, one, session::is_there(one)))
        })?;
        json(&now.or(session).ok_or_else(|| Error::NotFound(format!("there was no session {id}")))?)
    }

    /// Something about a request has changed. Whoever may see it looks.
    #[zbus(signal)]
    pub(crate) async fn changed(emitter: &SignalEmitter<'_>, id: &str) -> zbus::Result<()>;

    /// How jitd is, and the caller's windows.
    #[zbus(out_args("json"))]
    async fn status(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let desk = &self.app.desk;
        let trouble = desk.trouble();
        // Without a policy `trouble` says why; status must answer all the same.
        let known = desk.policy().ok();
        let (caller, peer, _places) = self.account(connection, &header).await?;
        let see_all = may_read_all(&self.app, &caller);
        let active = match self.entries(false, &caller).await {
            Ok(entries) => entries.into_iter().filter(|entry| entry.state == "active").collect(),
            // Said in `notes`: status must answer above all when something is wrong.
            Err(_) if trouble.is_some() => Vec::new(),
            Err(err) => return Err(err),
        };
        let mut notes: Vec<String> = trouble.iter().map(|why| format!("jitd cannot decide: {why}")).collect();
        // Reading the files takes a while and is for those who can do something about them.
        let files_current = if see_all && known.is_some() {
            self.files_are_in_force().await
        } else {
            known.as_ref().is_some_and(|known| known.source == Source::Files)
        };
        if known.is_some() && !files_current {
            let back = known.as_ref().is_some_and(|known| known.source == Source::Before);
            let why = if back { ", which came back after a trial that nobody confirmed" } else { "" };
            notes.push(format!(
                "the policy files differ from the policy in force{why}; run: jitctl policy load"
            ));
        }
        if let Some(why) = desk.now().suspect {
            notes.push(format!(
                "THE CLOCK IS SUSPECT: it {why}; nothing new opens but emergency roles; see: jitctl clock"
            ));
        }
        if !crate::who::kernel_tells_loginuid() {
            notes.push("this kernel does not tell login uids; reviews go by bus uid".into());
        }
        if processes::are_hidden() {
            notes.push(
                "/proc hides processes from jitd (hidepid), so the ends of sessions are not enforced; start jitd by \
                 its unit, jitd.service"
                    .into(),
            );
        }
        if !systemd::is_there() {
            notes.push(
                "this machine is not run by systemd: nobody is let in after a window's end, and nobody is put out"
                    .into(),
            );
        }
        let trial = desk.trial();
        if let Some((_, left)) = trial {
            notes.push(format!(
                "the policy in force is on trial for another {}; to keep it, log in anew and run: jitctl confirm",
                Human(left)
            ));
        }
        let (to_review, locks) = match self.app.caller(peer).await {
            Ok(caller) => desk
                .look(|here| {
                    // Why somebody else is locked is not for everybody to read.
                    let people = here.policy.people();
                    let mine = |lock: &&Lock| see_all || lock.concerns(&caller.account, people);
                    let locks = here.state.locks().values().filter(|lock| lock.holds(here.now));
                    (to_review(here, &caller).count(), locks.filter(mine).map(answer::lock).collect())
                })
                .unwrap_or_default(),
            Err(_) => (0, Vec::new()),
        };
        let records = desk.next_seq().filter(|_| see_all);
        let unsent = match records {
            Some(next) => Some(read(&self.app.store, move |store| sink::unsent(store, next)).await?),
            None => None,
        };
        json(&manager::Status {
            version: env!("CARGO_PKG_VERSION").into(),
            host: desk.host.to_string(),
            ready: trouble.is_none(),
            notes,
            policy: answer::summary(known.as_ref(), files_current, trial),
            active,
            to_review,
            locks,
            audit_records: records,
            unsent,
        })
    }

    /// The clock, and whether what it says is believed.
    #[zbus(out_args("json"))]
    async fn clock(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let (_, _, _places) = self.account(connection, &header).await?;
        json(&answer::clock(&self.app.desk.clock()?))
    }

    /// The policy in force. Who may be admitted to what is not for everybody to read.
    #[zbus(out_args("json"))]
    async fn policy(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let (caller, _, _places) = self.account(connection, &header).await?;
        let desk = &self.app.desk;
        let known = desk.policy()?;
        if !may_read_all(&self.app, &caller) {
            return Err(Error::NotPermitted(format!(
                "only admins ({}) and auditors may read the whole policy",
                known.policy.admins()
            )));
        }
        let files_current = self.files_are_in_force().await;
        json(&answer::policy(&known, files_current, desk.trial()))
    }
}

impl User {
    /// The question that a login of this account would ask.
    async fn question(
        &self,
        service: &str,
        user: &str,
        from: &str,
        target: &str,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<(Question, Subject, Places), Error> {
        let service: ServiceName = service.parse().map_err(invalid)?;
        let user: UserName = user.parse().map_err(invalid)?;
        let target: Option<UserName> =
            (!target.is_empty()).then(|| target.parse()).transpose().map_err(invalid)?;
        if target.is_some() && !matches!(service.as_str(), "su" | "su-l") {
            return Err(Error::Invalid(format!(
                "{service} is not asked whom it becomes; only su and su-l are"
            )));
        }
        let from = (!from.is_empty()).then(|| from.parse::<IpAddr>()).transpose().map_err(|_| {
            Error::Invalid("where a login comes from is an IP address, as 10.1.2.3 or fd00::1".into())
        })?;
        let (caller, peer, places) = self.account(connection, header).await?;
        let subject = self.somebody(&user, &caller, peer, "check").await?;
        let uid = match &subject {
            Known::Fully(known) | Known::WithoutGroups(known) => Some(known.uid),
            Known::Not | Known::Unanswered => None,
        };
        let login = Login { service, user, uid, target, rhost: String::new(), tty: String::new() };
        let caller_uid = uid.unwrap_or(peer.uid);
        let stage = Stage::Account;
        let question = Question { stage, login, subject, caller_uid, holds_claim: false, from, opener: None };
        Ok((question, caller, places))
    }

    /// An account that the caller may ask about: their own, and for admins and auditors anybody's.
    async fn somebody(
        &self,
        user: &UserName,
        caller: &Subject,
        peer: Peer,
        what: &str,
    ) -> Result<Known, Error> {
        let desk = &self.app.desk;
        if *user != caller.name && !may_read_all(&self.app, caller) {
            return Err(Error::NotPermitted(format!("only admins and auditors may {what} somebody else")));
        }
        match self.app.names(peer).named(user, desk.groups()).await {
            Known::Not => Err(Error::NotFound(format!("there is no account {user} on {}", desk.host))),
            Known::Unanswered => {
                Err(Error::CannotDecide(format!("the name service does not answer for {user}")))
            }
            known @ (Known::Fully(_) | Known::WithoutGroups(_)) => Ok(known),
        }
    }

    async fn files_are_in_force(&self) -> bool {
        let app = Arc::clone(&self.app);
        zruntime::unblock(move || app.desk.files_are_in_force()).await
    }

    async fn account(
        &self,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<(Subject, Peer, Places), Error> {
        let (peer, places) = self.origin.caller(&self.app, connection, header).await?;
        if peer.uid.is_root() {
            // Root reads what it likes; no name service is needed to say so.
            let name = "root".parse().map_err(invalid)?;
            return Ok((Subject { name, uid: peer.uid, groups: BTreeSet::new() }, peer, places));
        }
        match self.app.names(peer).of_uid(peer.uid, self.app.desk.groups()).await {
            Known::Fully(subject) | Known::WithoutGroups(subject) => Ok((subject, peer, places)),
            Known::Not | Known::Unanswered => Err(crate::who::Gone.into()),
        }
    }

    /// Each person gets so many requests; an emergency waits for none of them.
    fn ration(&self, caller: &Caller, role: Option<&RoleName>) -> Result<(), Error> {
        let desk = &self.app.desk;
        let at_once =
            |here: Here<'_>| role.and_then(|role| here.policy.role(role)).is_some_and(|role| role.emergency);
        if desk.look(at_once)? {
            return Ok(());
        }
        self.app.filing.take(caller.person().uid, desk.now().boot)
    }

    fn entry(&self, story: &Story) -> manager::Entry {
        let desk = &self.app.desk;
        answer::entry(story, desk.waits(story.request.id), &desk.now())
    }

    /// Files what is asked for, and says what has become of it.
    async fn filed(
        &self,
        peer: Peer,
        id: RequestId,
        judge: impl FnOnce(Here<'_>) -> Result<Vec<Event>, Refusal>,
    ) -> Result<String, Error> {
        let ticket = self.app.desk.order(peer.actor(), judge)?;
        ticket.durable().await.map_err(Error::unconfirmed)?;
        let story = read(&self.app.store, move |store| rows::story(store, id)).await?;
        json(&self.entry(&story.ok_or_else(|| Error::NotFound(id.to_string()))?))
    }

    /// Ends what is the caller's own, and says how it ended. What had ended before stays as it ended.
    async fn ended(
        &self,
        peer: Peer,
        caller: &Caller,
        id: RequestId,
        judge: impl FnOnce(Here<'_>) -> Result<Vec<Event>, Refusal>,
    ) -> Result<String, Error> {
        let changed = match self.app.desk.order(peer.actor(), judge) {
            Ok(ticket) => ticket.durable().await.map_err(Error::unconfirmed).map(|()| None)?,
            Err(NotDone::Refused(refusal @ Refusal::NotFound(_))) => Some(refusal),
            Err(err) => return Err(err.into()),
        };
        let story = read(&self.app.store, move |store| rows::story(store, id)).await?;
        // What was ended by this order is the caller's own, under whichever of their accounts.
        let story = story.filter(|story| changed.is_none() || is_about(story, &caller.account));
        match (changed, story) {
            (changed, Some(story)) => {
                let entry = self.entry(&story);
                // It is there and was not ended: a window is not withdrawn, a request is not given back.
                if changed.is_some() && entry.ended.is_none() {
                    let state = entry.state;
                    let order = if state == "pending" { "withdraw" } else { "done" };
                    return Err(Error::Refused(format!("{id} is {state}; end it with: jitctl {order} {id}")));
                }
                json(&answer::revoked(entry, changed.is_none()))
            }
            (Some(refusal), None) => Err(NotDone::Refused(refusal).into()),
            (None, None) => Err(Error::NotFound(id.to_string())),
        }
    }

    async fn entries(&self, all: bool, caller: &Subject) -> Result<Vec<manager::Entry>, Error> {
        let uid = (!may_read_all(&self.app, caller)).then_some(caller.uid);
        let stories = read(&self.app.store, move |store| rows::stories(store, Filter { all, uid })).await?;
        let entries = stories
            .iter()
            .filter(|story| uid.is_none() || is_about(story, caller))
            .map(|story| self.entry(story));
        Ok(if all { entries.collect() } else { entries.filter(|entry| entry.state != "ended").collect() })
    }
}

pub(super) fn may_read_all(app: &App, caller: &Subject) -> bool {
    caller.uid.is_root() || app.desk.may_read_all(caller)
}

fn is_about(story: &Story, caller: &Subject) -> bool {
    let beneficiary = &story.request.beneficiary;
    beneficiary.uid == caller.uid && beneficiary.name == caller.name
}

/// A request, for somebody who may see it: whose it is, who is asked about it, admins and auditors.
pub(super) async fn story_for(app: &App, id: RequestId, caller: &Subject) -> Result<Option<Story>, Error> {
    let story = read(&app.store, move |store| rows::story(store, id)).await?;
    Ok(story.filter(|story| {
        may_read_all(app, caller)
            || is_about(story, caller)
            || app.desk.look(|here| is_asked(here.policy, &story.request, caller)).unwrap_or(false)
    }))
}

fn seconds_of(seconds: u64) -> Option<Duration> {
    (seconds != 0).then(|| Duration::from_secs(seconds))
}

/// What may be left empty.
pub(super) fn optional_reason(reason: &str) -> Result<Option<Reason>, Error> {
    (!reason.is_empty()).then(|| reason.parse()).transpose().map_err(invalid)
}

/// A fresh id.
pub(super) fn random_id() -> Result<RequestId, Error> {
    let bits = getrandom::u64().map_err(|err| Error::CannotDecide(format!("no random id: {err}")))?;
    Ok(RequestId::from_bits(bits))
}

/// Reads the store off the main thread: a slow disk must not keep a login waiting.
pub(super) async fn read<T: Send + 'static>(
    store: &StorePath,
    query: impl FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Error> {
    let store = store.clone();
    let found = zruntime::unblock(move || query(&store.open_read_only()?)).await;
    Ok(found?)
}

/// Either id names the pair.
pub(super) fn request_id(id: &str) -> Result<RequestId, Error> {
    match id.parse::<GrantId>() {
        Ok(grant) => Ok(grant.into()),
        Err(_) => id.parse().map_err(|_| {
            Error::Invalid("an id looks like g-4k7m2qx9 (a grant) or r-4k7m2qx9 (a request)".into())
        }),
    }
}

pub(super) fn invalid(err: jit_proto::words::BadWord) -> Error {
    Error::Invalid(err.to_string())
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|err| Error::CannotDecide(format!("the answer cannot be written: {err}")))
}
