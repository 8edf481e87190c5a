//! `org.jitd.Jit1.User`: what people may read. Everybody sees their own; admins and auditors see all; an id one
//! may not see looks like one that does not exist.

use std::net::IpAddr;
use std::sync::Arc;

use jit_core::access::Method;
use jit_core::context::Context;
use jit_core::event::Event;
use jit_core::model::{Caller, Known, Login, LoginKey, Question};
use jit_core::orders::Refusal;
use jit_core::orders::request::{self, ExtendOrder, RequestOrder};
use jit_core::orders::revoke::{self, Target};
use jit_core::orders::unreviewed;
use jit_core::policy::{PersonName, Subject};
use jit_core::sessions::coverage;
use jit_core::when::parse_when;
use jit_proto::gate::Stage;
use jit_proto::manager;
use jit_proto::words::{Reason, RequestId, RoleName, ServiceName, UserName, subject_is_caller};
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, interface};

use super::access::{is_about, may_read_all, reads_own};
use super::error::carried_out;
use super::status::files_are_in_force;
use super::stories::{entries, entry, entry_of, read, story_for};
use super::words::{invalid, json, optional_reason, random_id, request_id, seconds_of};
use super::{Error, Orderer, Origin, answer, sessions, status};
use crate::app::App;
use crate::clock::since_boot;
use crate::desk::{NotDone, Word};
use crate::nss::{Share, Whose};
use crate::peer::Peer;
use crate::session;
use crate::store::rows;

/// The interface `org.jitd.Jit1.User`.
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
        let about = About { service, user, person: None, from, target: "" };
        self.checked(self.question(Method::Check, &about, connection, &header).await?)
    }

    /// As `Check`, for one of the people who share an account.
    #[zbus(out_args("json"))]
    async fn check_person(
        &self,
        service: &str,
        user: &str,
        person: &str,
        from: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let about = About { service, user, person: Some(person), from, target: "" };
        self.checked(self.question(Method::CheckPerson, &about, connection, &header).await?)
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
        let about = About { service, user, person: None, from, target };
        self.explained(self.question(Method::Explain, &about, connection, &header).await?, at)
    }

    /// As `Explain`, for one of the people who share an account.
    #[zbus(out_args("json"))]
    #[allow(clippy::too_many_arguments, reason = "six of them are the question, and none has two meanings")]
    async fn explain_person(
        &self,
        service: &str,
        user: &str,
        person: &str,
        at: &str,
        from: &str,
        target: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let about = About { service, user, person: Some(person), from, target };
        self.explained(self.question(Method::ExplainPerson, &about, connection, &header).await?, at)
    }

    /// The roles that the caller may ask for on this host, or for admins and auditors, somebody else.
    #[zbus(out_args("json"))]
    async fn roles(
        &self,
        user: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let (caller, peer) = self.account(Method::Roles, connection, &header).await?;
        let user: Option<UserName> = (!user.is_empty()).then(|| user.parse()).transpose().map_err(invalid)?;
        let about = user.unwrap_or_else(|| caller.name.clone());
        self.may_ask_about(&about, &caller, peer, "ask about the roles of")?;
        // A list without the roles of somebody's groups would look whole.
        let settled = |known: &Known| known.certain(&*self.app.desk.groups()).is_some();
        let (known, whole) = self.app.settled(peer, &about, &self.app.desk.groups(), settled).await;
        let subject = whole.and_then(|()| known.subject().ok_or_else(|| self.nobody(&about)))?;
        let is_own = caller.is_called(&about);
        let subject = if is_own { subject.as_person(caller.person.clone()) } else { subject.clone() };
        // Whatever is for the account, nobody asks for it of whom it is not known who they are.
        let is_shared = |here: Context<'_>| subject.names().any(|name| here.policy.people().is_shared(name));
        if is_own && subject.person.is_none() && self.app.desk.look(is_shared)? {
            return Err(NotDone::Refused(Refusal::NoPerson { user: about }).into());
        }
        let roles = self.app.desk.roles_of(&subject)?;
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
        let (caller, peer) = self.account(Method::List, connection, &header).await?;
        json(&entries(&self.app, all, peer, &caller).await?)
    }

    /// One request or grant.
    #[zbus(out_args("json"))]
    async fn show(
        &self,
        id: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let (caller, peer) = self.account(Method::Show, connection, &header).await?;
        let request = request_id(id)?;
        let story = story_for(&self.app, request, peer, &caller).await?;
        let story = story.ok_or_else(|| {
            Error::NotFound(format!("there is no request or grant {id}; 'jitctl list --all' shows yours"))
        })?;
        json(&entry(&self.app, &story))
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
        let mut by = self.origin.order_of(Method::Request, &self.app, connection, &header).await?;
        let role: RoleName = role.parse().map_err(invalid)?;
        let reason = reason.parse().map_err(invalid)?;
        let start = (!start.is_empty()).then(|| start.parse()).transpose().map_err(invalid)?;
        let duration = seconds_of(seconds);
        self.ration(&by.caller()?, Some(&role))?;
        let id = random_id()?;
        let from = self.where_from(&role, by.peer).await?;
        let file = |here: Context<'_>, caller: &Caller| {
            let (beneficiary, role, reason) = (caller.account.clone(), role.clone(), Reason::clone(&reason));
            let order = RequestOrder { beneficiary, role, duration, start, reason, id };
            request::file_from(here, caller, order, from)
        };
        let caller = by.caller()?;
        let ticket = by.order(file).await?;
        // In the state by now; whether that lasts, the ticket says.
        let why = self.app.desk.look(|here| unreviewed::takes_stages(here, id, &caller, from))?;
        let answer = async {
            let not_counted =
                why.map(|why| manager::Refused { code: "takes-stages".to_owned(), text: why.to_string() });
            json(&manager::Entry { not_counted, ..entry_of(&self.app, id).await? })
        };
        carried_out(ticket, answer).await
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
        let mut by = self.origin.order_of(Method::Extend, &self.app, connection, &header).await?;
        let (base, reason) = (request_id(id)?, reason.parse().map_err(invalid)?);
        let duration = seconds_of(seconds);
        self.ration(&by.caller()?, None)?;
        let id = random_id()?;
        let extend = |here: Context<'_>, caller: &Caller| {
            let (beneficiary, reason) = (caller.account.clone(), Reason::clone(&reason));
            let order = ExtendOrder { beneficiary, grant: base.into(), duration, reason, id };
            request::extend(here, caller, order)
        };
        self.filed(by, id, extend).await
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
        let by = self.origin.order_of(Method::Withdraw, &self.app, connection, &header).await?;
        let request = request_id(id)?;
        let reason = optional_reason(reason)?;
        let withdraw =
            |here: Context<'_>, caller: &Caller| revoke::withdraw(here, caller, request, reason.clone());
        self.ended(by, request, withdraw).await
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
        let by = self.origin.order_of(Method::Done, &self.app, connection, &header).await?;
        let request = request_id(id)?;
        let reason = optional_reason(reason)?;
        let target = Target::Grant(request.into());
        let give_back =
            |here: Context<'_>, caller: &Caller| revoke::done(here, caller, target, reason.clone());
        self.ended(by, request, give_back).await
    }

    /// Who is in now: the caller's own sessions; for admins and auditors, everybody's.
    #[zbus(out_args("json"))]
    async fn sessions(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::Sessions, &self.app, connection, &header).await?;
        let sessions = sessions::in_now(&self.app, by.peer, &by.reader().await?)?;
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
        let mut by = self.origin.order_of(Method::EndSession, &self.app, connection, &header).await?;
        let reason = optional_reason(reason)?;
        let as_it_was =
            |here: Context<'_>| here.state.session(id).map(|one| sessions::answer(here, one, true));
        let session = self.app.desk.look(as_it_was)?;
        let end = |here: Context<'_>, caller: &Caller| coverage::end_one(here, caller, id, reason.clone());
        let ticket = by.order_by(Word::NamedAdmins, end).await.map_err(|err| by.error(err))?;
        carried_out(ticket, async {
            // Nothing may be left of it by now.
            let now = self.app.desk.look(|here| {
                here.state.session(id).map(|one| sessions::answer(here, one, session::is_there(one)))
            })?;
            json(&now.or(session).ok_or_else(|| Error::NotFound(format!("there was no session {id}")))?)
        })
        .await
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
        let (caller, peer) = self.account(Method::Status, connection, &header).await?;
        json(&status::status(&self.app, peer, &caller).await?)
    }

    /// The clock, and whether what it says is believed.
    #[zbus(out_args("json"))]
    async fn clock(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.account(Method::Clock, connection, &header).await?;
        json(&answer::clock(&self.app.desk.clock()?))
    }

    /// What an admin elsewhere is asked while the clock is suspect, for whoever carries it to them.
    #[zbus(out_args("json"))]
    async fn clock_challenge(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.account(Method::ClockChallenge, connection, &header).await?;
        let key = self.app.desk.notary.key();
        let key = key.ok_or_else(|| Error::Busy("there is no host key yet; try again".into()))?;
        let challenge = self.app.desk.challenge(&key)?;
        json(&manager::Challenge { text: challenge.text() })
    }

    /// The policy in force. Who may be admitted to what is not for everybody to read.
    #[zbus(out_args("json"))]
    async fn policy(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let (caller, peer) = self.account(Method::Policy, connection, &header).await?;
        let desk = &self.app.desk;
        let known = desk.policy()?;
        if !may_read_all(&self.app, peer, &caller) {
            let why =
                format!("only admins ({}) and auditors may read the whole policy", known.policy.admins());
            return Err(reads_own(&self.app, peer, &caller, why));
        }
        let files_current = files_are_in_force(&self.app).await;
        json(&answer::policy(&known, files_current, desk.trial()))
    }
}

/// Which login somebody asks about, as it comes over the bus.
struct About<'a> {
    service: &'a str,
    user: &'a str,
    person: Option<&'a str>,
    from: &'a str,
    target: &'a str,
}

impl User {
    fn checked(&self, (question, _, _): (Question, Subject, Peer)) -> Result<String, Error> {
        let (explained, at) = self.app.desk.preview(&question, None)?;
        json(&answer::check(&question, &explained, &at))
    }

    fn explained(
        &self,
        (question, caller, peer): (Question, Subject, Peer),
        at: &str,
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
        let (explained, at) = desk.preview(&question, at)?;
        let see_all = may_read_all(&self.app, peer, &caller);
        json(&answer::explanation(&question, &explained, &at, &desk.host.to_string(), see_all))
    }

    /// The question that a login of this account would ask.
    async fn question(
        &self,
        method: Method,
        about: &About<'_>,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<(Question, Subject, Peer), Error> {
        let About { service, user, person, from, target } = *about;
        let (caller, peer) = self.account(method, connection, header).await?;
        let service: ServiceName = service.parse().map_err(invalid)?;
        let user: UserName = user.parse().map_err(invalid)?;
        let target: Option<UserName> =
            (!target.is_empty()).then(|| target.parse()).transpose().map_err(invalid)?;
        if target.is_some() && !service.is_su() {
            return Err(Error::Invalid(format!(
                "{service} is not asked whom it becomes; only su and su-l are"
            )));
        }
        let from = (!from.is_empty()).then(|| from.parse::<IpAddr>()).transpose().map_err(|_| {
            Error::Invalid("where a login comes from is an IP address, as 10.1.2.3 or fd00::1".into())
        })?;
        let person: Option<PersonName> = person.map(str::parse).transpose().map_err(invalid)?;
        // A key that they did not come by is somebody else's to ask about.
        let is_themself = person.is_none() || person == caller.person;
        if !is_themself && !may_read_all(&self.app, peer, &caller) {
            let why = "only admins and auditors may check another person".to_owned();
            return Err(reads_own(&self.app, peer, &caller, why));
        }
        self.may_ask_about(&user, &caller, peer, "check")?;
        let groups = self.app.desk.groups_at(&service);
        let hears = self.app.hears_keys(&service);
        let (keys, awaits_key) = if let Some(person) = &person {
            let mut key = self.key_of(person, &user)?;
            // Where none is shown nobody knows who comes.
            key.retain(|_| hears || subject_is_caller(&service));
            (key, false)
        } else {
            let around = self.app.keys_around(peer);
            let is_own = caller.is_called(&user) && around.of == Some(caller.uid);
            let keys = if is_own { around.keys } else { Vec::new() };
            // Of whom nobody knows who they are, sshd will say.
            let awaits_key = keys.is_empty() && hears;
            (keys, awaits_key)
        };
        let login = Login {
            service,
            user,
            uid: None,
            target,
            rhost: String::new(),
            tty: String::new(),
            keys,
            person: None,
        };
        let question = |subject: &Known| {
            let uid = subject.subject().map(|subject| subject.uid);
            let (login, stage) = (Login { uid, ..login.clone() }, Stage::Account);
            let (subject, caller_uid) = (subject.clone(), uid.unwrap_or(peer.uid));
            Question {
                stage,
                login,
                subject,
                caller_uid,
                holds_claim: false,
                from,
                opener: None,
                asking: None,
                asker: None,
                awaits_key,
            }
        };
        let settled = |known: &Known| self.app.desk.is_settled(&question(known)).unwrap_or(true);
        let (known, whole) = self.app.settled(peer, &login.user, &groups, settled).await;
        match known {
            Known::Not => Err(self.nobody(&login.user)),
            Known::Unanswered => whole.and_then(|()| Err(self.nobody(&login.user))),
            Known::Fully(_) | Known::Partly(..) => {
                let question = question(&known);
                let named = self.app.desk.look(|here| question.named(here.policy.people()))?;
                Ok((named, caller, peer))
            }
        }
    }

    /// One's own account one may ask about, and admins and auditors anybody's.
    fn may_ask_about(&self, user: &UserName, caller: &Subject, peer: Peer, what: &str) -> Result<(), Error> {
        if caller.is_called(user) || may_read_all(&self.app, peer, caller) {
            return Ok(());
        }
        let why = format!("only admins and auditors may {what} somebody else");
        Err(reads_own(&self.app, peer, caller, why))
    }

    /// The key of one of the people who share an account, by which they would come.
    fn key_of(&self, person: &PersonName, user: &UserName) -> Result<Vec<LoginKey>, Error> {
        let key = self.app.desk.look(|here| {
            let people = here.policy.people();
            people.share(person, user).then(|| LoginKey::of_person(people, person)).flatten()
        })?;
        let not_one = || Refusal::NoSuchPerson { person: person.clone(), user: user.clone() };
        Ok(vec![key.ok_or_else(|| Error::NotFound(not_one().to_string()))?])
    }

    fn nobody(&self, user: &UserName) -> Error {
        Error::NotFound(format!("there is no account {user} on {}", self.app.desk.host))
    }

    async fn account(
        &self,
        method: Method,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<(Subject, Peer), Error> {
        let peer = self.origin.caller(method, &self.app, connection, header).await?;
        let known =
            self.app.names.account(Whose::Uid(peer.uid), Share::of(peer), &self.app.desk.groups()).await;
        match known.subject() {
            Some(subject) => Ok((self.app.as_who_comes(subject, peer), peer)),
            None => Err(crate::peer::Gone.into()),
        }
    }

    /// Each person gets so many requests; an emergency waits for none of them.
    fn ration(&self, caller: &Caller, role: Option<&RoleName>) -> Result<(), Error> {
        let desk = &self.app.desk;
        let at_once = |here: Context<'_>| {
            role.and_then(|role| here.policy.role(role)).is_some_and(|role| role.emergency)
        };
        if desk.look(at_once)? {
            return Ok(());
        }
        Ok(self.app.filing.take(caller.own().uid, since_boot())?)
    }

    /// The address of the caller's login, where policy opens something of the role for some addresses alone.
    async fn where_from(&self, role: &RoleName, peer: Peer) -> Result<Option<IpAddr>, Error> {
        let some = |here: Context<'_>| here.policy.role(role).and_then(|role| role.unreviewed.clone());
        match self.app.desk.look(some)? {
            Some(some) if !some.from.is_empty() => {
                Ok(self.app.sessions.address(&self.app.runtime, peer).await)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Files what is asked for, and says what has become of it.
    async fn filed(
        &self,
        mut by: Orderer<'_>,
        id: RequestId,
        judge: impl Fn(Context<'_>, &Caller) -> Result<Vec<Event>, Refusal>,
    ) -> Result<String, Error> {
        let ticket = by.order(judge).await?;
        carried_out(ticket, async { json(&entry_of(&self.app, id).await?) }).await
    }

    /// Ends what is the caller's own, and says how it ended. What had ended before stays as it ended.
    async fn ended(
        &self,
        mut by: Orderer<'_>,
        id: RequestId,
        judge: impl Fn(Context<'_>, &Caller) -> Result<Vec<Event>, Refusal>,
    ) -> Result<String, Error> {
        let story = read(&self.app.store, move |store| rows::story(store, id));
        match by.order_by(Word::Nobody, judge).await {
            // What was ended by this order is the caller's own, under whichever of their accounts.
            Ok(ticket) => {
                let answer = async {
                    let story = story.await?.ok_or_else(|| Error::NotFound(id.to_string()))?;
                    json(&answer::revoked(entry(&self.app, &story), true))
                };
                carried_out(ticket, answer).await
            }
            Err(NotDone::Refused(refusal @ Refusal::NotFound(_))) => {
                let caller = by.caller()?;
                let Some(story) =
                    story.await?.filter(|story| is_about(&story.request.beneficiary, &caller.account))
                else {
                    return Err(NotDone::Refused(refusal).into());
                };
                let entry = entry(&self.app, &story);
                // It is there and was not ended: a window is not withdrawn, a request is not given back.
                if entry.ended.is_none() {
                    let state = entry.state;
                    let order = if state == "pending" { "withdraw" } else { "done" };
                    return Err(Error::Refused(format!("{id} is {state}; end it with: jitctl {order} {id}")));
                }
                json(&answer::revoked(entry, false))
            }
            Err(err) => Err(by.error(err)),
        }
    }
}
