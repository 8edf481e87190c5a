//! `org.jitd.Jit1.Admin`: open, take back, load policy. The desk asks policy who may.

use std::sync::Arc;
use std::time::Duration;

use jit_core::decide::Known;
use jit_core::lock::{self, LockOrder, Scope};
use jit_core::order::{Here, Refusal};
use jit_core::request::{self, RequestOrder};
use jit_core::taking_back::{self, Target};
use jit_proto::manager;
use jit_proto::words::{Reason, RequestId, RoleName, UserName};
use zbus::message::Header;
use zbus::{Connection, interface};

use super::user::{invalid, json, optional_reason, random_id, read, request_id};
use super::{App, Error, Origin, answer};
use crate::desk::{Load, NotDone};
use crate::store::rows::{self, Story};

/// The interface.
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
        let user: UserName = user.parse().map_err(invalid)?;
        let role: RoleName = role.parse().map_err(invalid)?;
        let reason: Reason = reason.parse().map_err(invalid)?;
        let duration = (seconds != 0).then(|| Duration::from_secs(seconds));
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        let desk = &self.app.desk;
        // Before anything is looked up for them: who may not grant learns nothing about accounts here.
        desk.admin(&caller)?;
        let beneficiary = match self.app.named(peer, &user).await {
            Known::WithoutGroups(_) if desk.groups_now().1 => {
                let why = format!("a group is locked, and the name service does not say what {user} is in");
                return Err(Error::CannotDecide(why));
            }
            Known::Fully(subject) | Known::WithoutGroups(subject) => subject,
            Known::Not => return Err(Error::Refused(format!("there is no account {user} on {}", desk.host))),
            Known::Unanswered => {
                return Err(Error::CannotDecide(format!("the name service does not answer for {user}")));
            }
        };
        let id = random_id()?;
        let order = RequestOrder { beneficiary, role, duration, start: None, reason, id };
        let ticket = desk.order(peer.actor(), |here| request::grant(here, &caller, order))?;
        ticket.durable().await.map_err(Error::unconfirmed)?;
        let story = self.story(id).await?.ok_or_else(|| Error::NotFound(id.to_string()))?;
        json(&answer::entry(&story, desk.waits(id), &desk.now()))
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
        let request = request_id(id)?;
        let target =
            if id.starts_with("g-") { Target::Grant(request.into()) } else { Target::Request(request) };
        let reason = optional_reason(reason)?;
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        let desk = &self.app.desk;
        let judge = |here: Here<'_>| taking_back::revoke(here, &caller, target, reason);
        let changed = match desk.order(peer.actor(), judge) {
            Ok(ticket) => {
                ticket.durable().await.map_err(Error::unconfirmed)?;
                true
            }
            Err(NotDone::Refused(Refusal::NotFound(_))) => false,
            Err(err) => return Err(err.into()),
        };
        let story = self.story(request).await?.ok_or_else(|| {
            Error::NotFound(format!(
                "there is no request or grant {id}; 'jitctl list --all' shows those there are"
            ))
        })?;
        json(&answer::revoked(answer::entry(&story, None, &desk.now()), changed))
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
        let scope: Scope = scope.parse().map_err(invalid)?;
        let message = optional_reason(message)?;
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        let desk = &self.app.desk;
        desk.admin(&caller)?;
        let duration = (seconds != 0).then(|| Duration::from_secs(seconds));
        let order = LockOrder { scope: scope.clone(), message, duration };
        let ticket = desk.order(peer.actor(), |here| lock::lock(here, &caller, order))?;
        ticket.durable().await.map_err(Error::unconfirmed)?;
        // From now on its members are refused. Who of those with a grant is one takes the name service to say; whom it
        // does not answer for keeps a grant that admits nobody while the lock holds.
        if let Scope::Group(group) = &scope {
            let holders = desk.look(|here| here.state.grants().map(|grant| grant.user.clone()).collect())?;
            let members = self.app.names(peer).members(holders, group).await;
            let end = |here: Here<'_>| Ok(lock::end_of_members(here, group, &members));
            desk.order(peer.actor(), end)?.durable().await.map_err(Error::unconfirmed)?;
        }
        let set = desk.look(|here| here.state.locks().get(&scope).map(answer::lock))?;
        json(&set.ok_or_else(|| Error::NotFound(format!("the lock on {scope} was lifted again")))?)
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
        let scope: Scope = scope.parse().map_err(invalid)?;
        let reason = optional_reason(reason)?;
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        let desk = &self.app.desk;
        desk.admin(&caller)?;
        let was = desk.look(|here| here.state.locks().get(&scope).map(answer::lock))?;
        let ticket = desk.order(peer.actor(), |here| lock::unlock(here, &caller, scope.clone(), reason))?;
        ticket.durable().await.map_err(Error::unconfirmed)?;
        json(&was.ok_or_else(|| Error::NotFound(format!("there was no lock on {scope}")))?)
    }

    /// Takes an admin's word that the wall clock, which is suspect, is right as it is now.
    #[zbus(out_args("json"))]
    async fn accept_clock(
        &self,
        reason: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let reason = optional_reason(reason)?;
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        let desk = &self.app.desk;
        let (before, ticket) = desk.accept_clock(peer.actor(), &caller, reason)?;
        ticket.durable().await.map_err(Error::unconfirmed)?;
        let (before, after) = (answer::clock(&before), answer::clock(&desk.clock()?));
        json(&manager::ClockAccepted { before, after })
    }

    /// Puts the policy files in force, or keeps what is in force and says what is wrong with them.
    #[zbus(out_args("json"))]
    async fn load_policy(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.load(Load::Order, connection, &header).await
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
        self.load(Load::Trial(Duration::from_secs(seconds)), connection, &header).await
    }

    /// Keeps the policy on trial. The caller's login must have passed a check since the trial began.
    #[zbus(out_args("json"))]
    async fn confirm_policy(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        let desk = &self.app.desk;
        desk.confirm_policy(&caller, peer.actor())?.durable().await.map_err(Error::unconfirmed)?;
        json(&answer::policy(&desk.policy()?, true, desk.trial()))
    }
}

impl Admin {
    async fn load(&self, load: Load, connection: &Connection, header: &Header<'_>) -> Result<String, Error> {
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, header).await?;
        let desk = &self.app.desk;
        // With no policy at all nobody is an admin: then root may load the first one.
        match desk.admin(&caller) {
            Err(NotDone::Cannot(_)) if caller.account.uid.is_root() => {}
            other => other?,
        }
        let read = self.app.on_host.fit(&self.app.runtime, desk.read_policy(), &desk.host).await;
        match desk.load_policy(read, load, Some(peer.actor()))? {
            Ok(Some(ticket)) => ticket.durable().await.map_err(Error::unconfirmed)?,
            Ok(None) => {}
            Err(why) => return Err(why.into()),
        }
        json(&answer::policy(&desk.policy()?, true, desk.trial()))
    }

    async fn story(&self, id: RequestId) -> Result<Option<Story>, Error> {
        read(&self.app.store, move |store| rows::story(store, id)).await
    }
}
