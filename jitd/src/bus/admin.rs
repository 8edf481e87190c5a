//! `org.jitd.Jit1.Admin`: open, take back, load policy. The desk asks policy who may.

use std::sync::Arc;
use std::time::Duration;

use jit_core::decide::Known;
use jit_core::request::{Caller, GrantOrder, Target};
use jit_proto::manager;
use jit_proto::words::{Reason, RequestId, RoleName, UserName};
use zbus::message::Header;
use zbus::{Connection, interface};

use super::user::{invalid, json, read, request_id};
use super::{App, Error, Origin, Places, answer};
use crate::desk::NotDone;
use crate::store::rows::{self, Story};
use crate::who::Peer;

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
        let (caller, peer, _places) = self.caller(connection, &header).await?;
        let desk = &self.app.desk;
        // Before anything is looked up for them: who may not grant learns nothing about accounts here.
        desk.admin(&caller)?;
        let beneficiary = match self.app.names(peer).named(&user, desk.groups()).await {
            Known::Fully(subject) | Known::WithoutGroups(subject) => subject,
            Known::Not => return Err(Error::Refused(format!("there is no account {user} on {}", desk.host))),
            Known::Unanswered => {
                return Err(Error::CannotDecide(format!("the name service does not answer for {user}")));
            }
        };
        let id = RequestId::from_bits(random()?);
        let ticket =
            desk.grant(&caller, peer.actor(), GrantOrder { beneficiary, role, duration, reason, id })?;
        ticket.durable().await.map_err(Error::unconfirmed)?;
        let story = self.story(id).await?.ok_or_else(|| Error::NotFound(id.to_string()))?;
        json(&answer::entry(&story, desk.waiting_for(id), &desk.now()))
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
        let reason = (!reason.is_empty()).then(|| reason.parse::<Reason>()).transpose().map_err(invalid)?;
        let (caller, peer, _places) = self.caller(connection, &header).await?;
        let desk = &self.app.desk;
        let changed = match desk.revoke(&caller, peer.actor(), target, reason) {
            Ok(ticket) => {
                ticket.durable().await.map_err(Error::unconfirmed)?;
                true
            }
            Err(NotDone::Refused(jit_core::request::Refusal::NotFound(_))) => false,
            Err(err) => return Err(err.into()),
        };
        let story = self.story(request).await?.ok_or_else(|| {
            Error::NotFound(format!(
                "there is no request or grant {id}; 'jitctl list --all' shows those there are"
            ))
        })?;
        let entry = answer::entry(&story, String::new(), &desk.now());
        json(&manager::Revoked {
            id: entry.grant.unwrap_or(entry.request),
            state: entry.state,
            ended: entry.ended.unwrap_or_default(),
            changed,
        })
    }

    /// Puts the policy files in force, or keeps what is in force and says what is wrong with them.
    #[zbus(out_args("json"))]
    async fn load_policy(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let (caller, peer, _places) = self.caller(connection, &header).await?;
        let desk = &self.app.desk;
        // With no policy at all nobody is an admin: then root may load the first one.
        match desk.admin(&caller) {
            Err(NotDone::Cannot(_)) if caller.account.uid.is_root() => {}
            other => other?,
        }
        match desk.load_policy(Some(peer.actor()))? {
            Ok(Some(ticket)) => ticket.durable().await.map_err(Error::unconfirmed)?,
            Ok(None) => {}
            Err(bad) => return Err(Error::Refused(bad.to_string())),
        }
        json(&answer::policy(&desk.policy()?, true))
    }
}

impl Admin {
    async fn caller(
        &self,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<(Caller, Peer, Places), Error> {
        let (peer, places) = self.origin.caller(&self.app, connection, header).await?;
        let caller = peer.caller(self.app.names(peer), self.app.desk.groups()).await?;
        Ok((caller, peer, places))
    }

    async fn story(&self, id: RequestId) -> Result<Option<Story>, Error> {
        read(&self.app.store, move |store| rows::story(store, id)).await
    }
}

/// Bits for a new id.
pub(super) fn random() -> Result<u64, Error> {
    getrandom::u64().map_err(|err| Error::CannotDecide(format!("no random id: {err}")))
}
