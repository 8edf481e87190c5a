//! `org.jitd.Jit1.Admin`: open, take back, load policy. The desk asks policy who may.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jit_core::access::Method;
use jit_core::context::Context;
use jit_core::model::{Caller, Known, Scope};
use jit_core::orders::Refusal;
use jit_core::orders::lock::{self, LockOrder};
use jit_core::orders::policy_change::Way;
use jit_core::orders::request::{self, Granted, RequestOrder};
use jit_core::orders::revoke::{self, Target};
use jit_core::orders::signed_lock::Named;
use jit_core::policy::PersonName;
use jit_proto::manager;
use jit_proto::words::{GroupName, Reason, RequestId, RoleName, UserName};
use zbus::message::Header;
use zbus::{Connection, interface};

use super::caller::{ATTEMPTS, unsaid};
use super::error::carried_out;
use super::stories::{entry_of, read};
use super::words::{invalid, json, optional_reason, random_id, request_id, seconds_of};
use super::{Error, Orderer, Origin, answer, locks, signed_policy};
use crate::app::App;
use crate::desk::{Load, LoadedBy, Looked, NotDone, ReadPolicy, Standing, Word};
use crate::host_check::{Fit, Judged, Pass};
use crate::nss::{Share, Whose};
use crate::store::rows::{self, Story};
use crate::store::writer::Ticket;

/// The interface `org.jitd.Jit1.Admin`.
pub(crate) struct Admin {
    pub(crate) app: Arc<App>,
    pub(crate) origin: Origin,
}

#[interface(name = "org.jitd.Jit1.Admin")]
impl Admin {
    /// Asks for a role on somebody's behalf, with the caller's own review. 0 seconds is the role's default.
    #[zbus(out_args("json"))]
    async fn grant(
        &self,
        user: &str,
        role: &str,
        seconds: u64,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let by = self.origin.order_of(Method::Grant, &self.app, connection, &header).await?;
        self.grant_to(by, (user, None), role, seconds, reason).await
    }

    /// As `Grant`, for one of the people who share an account: it admits nobody else.
    #[zbus(out_args("json"))]
    #[allow(clippy::too_many_arguments, reason = "five of them are the order, and none has two meanings")]
    async fn grant_person(
        &self,
        user: &str,
        person: &str,
        role: &str,
        seconds: u64,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let by = self.origin.order_of(Method::GrantPerson, &self.app, connection, &header).await?;
        let person: PersonName = person.parse().map_err(invalid)?;
        self.grant_to(by, (user, Some(person)), role, seconds, reason).await
    }

    /// Takes a grant back, or withdraws a request. What had ended already stays as it ended.
    #[zbus(out_args("json"))]
    async fn revoke(
        &self,
        id: &str,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::Revoke, &self.app, connection, &header).await?;
        let request = request_id(id)?;
        let target =
            if id.starts_with("g-") { Target::Grant(request.into()) } else { Target::Request(request) };
        let reason = optional_reason(reason)?;
        let desk = &self.app.desk;
        let judge = |here: Context<'_>, caller: &Caller| revoke::revoke(here, caller, target, reason.clone());
        let answer = async |changed: bool| {
            let story = self.story(request).await?.ok_or_else(|| {
                Error::NotFound(format!(
                    "there is no request or grant {id}; 'jitctl list --all' shows those there are"
                ))
            })?;
            json(&answer::revoked(answer::entry(&story, Standing::default(), &desk.now()), changed))
        };
        match by.order_by(Word::NamedAdmins, judge).await {
            Ok(ticket) => carried_out(ticket, answer(true)).await,
            Err(NotDone::Refused(Refusal::NotFound(_))) => answer(false).await,
            Err(err) => Err(by.error(err)),
        }
    }

    /// Shuts out a user, a group, a service, a role or the whole host, whatever windows are open, and ends those that
    /// are. 0 seconds is until it is lifted.
    #[zbus(out_args("json"))]
    async fn lock(
        &self,
        scope: &str,
        message: &str,
        seconds: u64,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let order = Wanted { method: Method::Lock, scope, message, seconds };
        self.set_lock(&order, connection, &header).await
    }

    /// As `Lock`, on an account or a group that this host does not know yet.
    #[zbus(out_args("json"))]
    async fn lock_unknown(
        &self,
        scope: &str,
        message: &str,
        seconds: u64,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let order = Wanted { method: Method::LockUnknown, scope, message, seconds };
        self.set_lock(&order, connection, &header).await
    }

    /// Lifts a lock. What it has ended stays ended.
    #[zbus(out_args("json"))]
    async fn unlock(
        &self,
        scope: &str,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::Unlock, &self.app, connection, &header).await?;
        let scope: Scope = scope.parse().map_err(invalid)?;
        let reason = optional_reason(reason)?;
        let desk = &self.app.desk;
        by.admin().await.map_err(|err| by.error(err))?;
        let set =
            |here: Context<'_>| lock::set_on(here.state, &scope).next().map(|lock| answer::lock(lock, true));
        let was = desk.look(set)?;
        let judge =
            |here: Context<'_>, caller: &Caller| lock::unlock(here, caller, scope.clone(), reason.clone());
        let ticket = by.order_by(Word::NamedAdmins, judge).await.map_err(|err| by.error(err))?;
        carried_out(ticket, async {
            json(&was.ok_or_else(|| Error::NotFound(format!("there was no lock on {scope}")))?)
        })
        .await
    }

    /// Takes an admin's word that the wall clock, which is suspect, is right as it is now.
    #[zbus(out_args("json"))]
    async fn accept_clock(
        &self,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::AcceptClock, &self.app, connection, &header).await?;
        let reason = optional_reason(reason)?;
        let (desk, actor) = (&self.app.desk, by.peer.actor());
        let accept = |looked: &Looked, word| desk.accept_clock(actor, looked, word, reason.clone());
        let accepted = by.judged(Word::NamedAdmins, accept).await;
        let (before, ticket) = accepted.map_err(|err| by.error(err))?;
        carried_out(ticket, async {
            let (before, after) = (answer::clock(&before), answer::clock(&desk.clock()?));
            json(&manager::ClockAccepted { before, after })
        })
        .await
    }

    /// Puts the policy files in force, or keeps what is in force and says what is wrong with them.
    #[zbus(out_args("json"))]
    async fn load_policy(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let wanted = Loading { method: Method::LoadPolicy, load: Load::Order, reason: "" };
        self.load(wanted, connection, &header).await
    }

    /// Puts the policy files in force on trial: after so many seconds the policy before them is back, unless somebody
    /// who logged in meanwhile confirms them.
    #[zbus(out_args("json"))]
    async fn try_policy(
        &self,
        seconds: u64,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let load = Load::Trial(Duration::from_secs(seconds));
        let wanted = Loading { method: Method::TryPolicy, load, reason: "" };
        self.load(wanted, connection, &header).await
    }

    /// As `LoadPolicy`, or with seconds as `TryPolicy`, and says why: that is on record with it.
    #[zbus(out_args("json"))]
    async fn change_policy(
        &self,
        seconds: u64,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let load = seconds_of(seconds).map_or(Load::Order, Load::Trial);
        self.load(Loading { method: Method::ChangePolicy, load, reason }, connection, &header).await
    }

    /// Puts the policy files in force without those who would have to approve them: by root at the console of this host.
    #[zbus(out_args("json"))]
    async fn override_policy(
        &self,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let wanted = Loading { method: Method::OverridePolicy, load: Load::Order, reason };
        self.load(wanted, connection, &header).await
    }

    /// As `ChangePolicy`, though this host says that they do not fit it or that nobody would be left who gives orders: what
    /// it says is on record with them, and the reason has to be given.
    #[zbus(out_args("json"))]
    async fn force_policy(
        &self,
        seconds: u64,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let load = seconds_of(seconds).map_or(Load::Order, Load::Trial);
        self.load(Loading { method: Method::ForcePolicy, load, reason }, connection, &header).await
    }

    /// Puts the policy files in force, of which this text and these signatures over it are: those of other people, made
    /// elsewhere.
    #[zbus(out_args("json"))]
    async fn load_signed_policy(
        &self,
        text: Vec<u8>,
        signatures: Vec<Vec<u8>>,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::LoadSignedPolicy, &self.app, connection, &header).await?;
        signed_policy::load(&self.app, &mut by, (&text, &signatures), reason).await
    }

    /// Keeps the policy on trial. The caller's login must have passed a check since the trial began.
    #[zbus(out_args("json"))]
    async fn confirm_policy(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::ConfirmPolicy, &self.app, connection, &header).await?;
        let (desk, actor) = (&self.app.desk, by.peer.actor());
        let confirm = |looked: &Looked, word| desk.confirm_policy(looked, word, actor);
        let ticket = by.judged(Word::NamedAdmins, confirm).await.map_err(|err| by.error(err))?;
        carried_out(ticket, async { json(&answer::policy(&desk.policy()?, true, desk.trial())) }).await
    }
}

/// Policy files as somebody wants them loaded.
struct Loading<'a> {
    method: Method,
    load: Load,
    reason: &'a str,
}

/// A lock as somebody wants it.
struct Wanted<'a> {
    method: Method,
    scope: &'a str,
    message: &'a str,
    seconds: u64,
}

impl Admin {
    async fn set_lock(
        &self,
        wanted: &Wanted<'_>,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(wanted.method, &self.app, connection, header).await?;
        let peer = by.peer;
        let scope: Scope = wanted.scope.parse().map_err(invalid)?;
        let message = optional_reason(wanted.message)?;
        // Before anything is looked up for them: who may not lock learns nothing about accounts here.
        by.admin().await.map_err(|err| by.error(err))?;
        let Named { found, uids } = locks::found(&self.app, peer, &scope).await?;
        let duration = (wanted.seconds != 0).then(|| Duration::from_secs(wanted.seconds));
        let order = LockOrder { scope: scope.clone(), message, duration, uids };
        let unknown = wanted.method == Method::LockUnknown;
        let judge = |here: Context<'_>, caller: &Caller| {
            lock::is_on_something(here, &scope, &found, unknown)?;
            lock::lock(here, caller, order.clone())
        };
        let ticket = by.order_by(Word::NamedAdmins, judge).await.map_err(|err| by.error(err))?;
        carried_out(ticket, async { json(&locks::locked(&self.app, peer, &scope, &found).await?) }).await
    }

    async fn load(
        &self,
        wanted: Loading<'_>,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<String, Error> {
        let Loading { method, load, reason } = wanted;
        let mut by = self.origin.order_of(method, &self.app, connection, header).await?;
        let reason = optional_reason(reason)?;
        let (desk, actor) = (&self.app.desk, by.peer.actor());
        // Before the host is asked about what is in the files.
        match by.admin().await {
            Err(NotDone::Cannot(_)) if by.peer.uid.is_root() => {}
            Ok(()) => {}
            Err(err) => return Err(by.error(err)),
        }
        // Whose signatures count is read with the policy, whatever becomes of that: to take a key away must not wait.
        self.app.signers.load();
        let force = method == Method::ForcePolicy;
        if force && reason.is_none() {
            return Err(Error::Invalid("to load it all the same takes a reason, which is on record".into()));
        }
        let pass = if force { Pass::All } else { Pass::Nothing };
        let of = Judged { host: &desk.host, in_force: desk.before(), pass };
        let Fit { read, forced } = self.app.host_check.fit(&self.app.runtime, desk.read_policy(), of).await;
        let way = if method == Method::OverridePolicy {
            let at_the_console = self.app.sessions.is_local(&self.app.runtime, by.peer).await;
            Way::Override { at_the_console }
        } else {
            Way::Usual
        };
        // That took its time: whether they still may is judged once more, where the files come into force.
        let mut by = self.app.orderer(method, by.peer).await?;
        let load = |looked: &Looked, trust| {
            let by = LoadedBy { looked, trust, actor, reason: reason.as_ref(), way, forced: &forced };
            desk.load_policy(&read, load, Some(by))
        };
        match by.judged(Word::NamedAdmins, load).await.map_err(|err| by.error(err))? {
            Ok(Some(ticket)) => carried_out(ticket, async { self.in_force(&read) }).await,
            Ok(None) => self.in_force(&read),
            Err(why) => Err(why.into()),
        }
    }

    /// Asks for a role for an account, or for one of those who share it, with the caller's own review.
    async fn grant_to(
        &self,
        mut by: Orderer<'_>,
        (user, person): (&str, Option<PersonName>),
        role: &str,
        seconds: u64,
        reason: &str,
    ) -> Result<String, Error> {
        let user: UserName = user.parse().map_err(invalid)?;
        let role: RoleName = role.parse().map_err(invalid)?;
        let reason: Reason = reason.parse().map_err(invalid)?;
        let duration = (seconds != 0).then(|| Duration::from_secs(seconds));
        // Before anything is looked up for them: who may not grant learns nothing about accounts here.
        by.admin().await.map_err(|err| by.error(err))?;
        let id = random_id()?;
        let order = GrantOrder { user, person, role, duration, reason, id };
        let (ticket, not_counted) = self.granted(&mut by, &order).await?;
        carried_out(ticket, async {
            let not_counted = not_counted.as_ref().map(answer::refused);
            json(&manager::Entry { not_counted, ..entry_of(&self.app, id).await? })
        })
        .await
    }

    /// The policy in force, which these files are, or else what waits.
    fn in_force(&self, read: &ReadPolicy) -> Result<String, Error> {
        let desk = &self.app.desk;
        let known = desk.policy()?;
        let files = read.as_ref().ok().map(|(policy, _)| policy.digest());
        let current = files == Some(known.policy.digest());
        let mut answer = answer::policy(&known, current, desk.trial());
        if !current {
            answer.summary.waiting = desk.look(|here| {
                let waiting = here.state.policy_changes().waiting.as_ref();
                waiting.map(|waiting| waiting.proposal.digest.to_string())
            })?;
        }
        json(&answer)
    }

    /// Looks the account up and grants, again whenever more is known of it, until nothing that is still to come could
    /// change the outcome or the time is over.
    async fn granted(
        &self,
        by: &mut Orderer<'_>,
        order: &GrantOrder,
    ) -> Result<(Ticket, Option<Refusal>), Error> {
        let (desk, names) = (&self.app.desk, &self.app.names);
        let patience = names.patience();
        let mut whom = names.lookup(Whose::Name(order.user.clone()), Share::of(by.peer), &patience);
        let mut looks = 0;
        // Of the judgement that the ticket is of: no other is given after it.
        let not_counted = Mutex::new(None);
        loop {
            let groups = desk.groups();
            let known = whom.known(&*groups);
            // Whom the order names is asked about however they are spelled there.
            let is_theirs = |user: &UserName| {
                *user == order.user || known.subject().is_some_and(|subject| subject.name == *user)
            };
            let judged = match &known {
                Known::Not => {
                    let why = format!("there is no account {} on {}", order.user, desk.host);
                    return Err(Error::Refused(why));
                }
                Known::Unanswered => Err(NotDone::Refused(order.unanswered())),
                known @ (Known::Fully(_) | Known::Partly(..)) => {
                    let judge = |here: Context<'_>, caller: &Caller| {
                        let granted = order.judge(here, caller, known)?;
                        *not_counted.lock().unwrap_or_else(PoisonError::into_inner) = granted.not_counted;
                        Ok(granted.events)
                    };
                    by.order_by(Word::Nobody, judge).await
                }
            };
            match judged {
                Err(NotDone::Refused(Refusal::Unanswered { user, groups: open })) if is_theirs(&user) => {
                    looks += 1;
                    let again = looks < ATTEMPTS && desk.groups() != groups;
                    if !again && !patience.more([&whom]).await {
                        return Err(unsaid(&mut whom, &open));
                    }
                }
                Ok(ticket) => {
                    return Ok((ticket, not_counted.into_inner().unwrap_or_else(PoisonError::into_inner)));
                }
                Err(err) => return Err(by.error(err)),
            }
        }
    }

    async fn story(&self, id: RequestId) -> Result<Option<Story>, Error> {
        read(&self.app.store, move |store| rows::story(store, id)).await
    }
}

/// An order to grant, before the account is looked up.
struct GrantOrder {
    user: UserName,
    /// Of those who share it.
    person: Option<PersonName>,
    role: RoleName,
    duration: Option<Duration>,
    reason: Reason,
    id: RequestId,
}

impl GrantOrder {
    /// The grant, unless something that was not said of the account could make another outcome of it.
    fn judge(&self, here: Context<'_>, caller: &Caller, known: &Known) -> Result<Granted, Refusal> {
        let unanswered = known.unanswered(jit_core::context::groups(here));
        let subject = known.subject().ok_or_else(|| self.unanswered())?;
        let grant = |groups: &BTreeSet<GroupName>| {
            let subject =
                if groups.is_empty() { subject.clone() } else { subject.supposed_in(groups.iter().cloned()) };
            let beneficiary = subject.as_person(self.person.clone());
            let Self { role, duration, reason, id, .. } = self;
            let (role, reason) = (role.clone(), reason.clone());
            let order = RequestOrder { beneficiary, role, duration: *duration, start: None, reason, id: *id };
            request::granted(here, caller, order)
        };
        let surely = grant(&BTreeSet::new());
        let locked: BTreeSet<GroupName> = here.state.locked_groups().cloned().collect();
        if grant(&(&unanswered - &locked)) == surely && grant(&unanswered) == surely {
            return surely;
        }
        Err(Refusal::Unanswered { user: self.user.clone(), groups: unanswered })
    }

    fn unanswered(&self) -> Refusal {
        Refusal::Unanswered { user: self.user.clone(), groups: BTreeSet::new() }
    }
}
