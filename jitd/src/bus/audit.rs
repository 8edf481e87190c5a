//! `org.jitd.Jit1.Audit`: the log, as it is written, for root, admins and auditors.

use std::sync::Arc;

use jit_core::access::Method;
use jit_core::model::RefusedOrder;
use jit_proto::audit::{Checkpoint, PAGE_RECORDS};
use zbus::message::Header;
use zbus::{Connection, interface};

use super::access::may_read_all;
use super::stories::read;
use super::words::{json, request_id};
use super::{Error, Origin};
use crate::app::App;
use crate::store::log;

/// The interface `org.jitd.Jit1.Audit`.
pub(crate) struct Audit {
    pub(crate) app: Arc<App>,
    pub(crate) origin: Origin,
}

#[interface(name = "org.jitd.Jit1.Audit")]
impl Audit {
    /// Records from `first` on, as exact bytes: at most so many, 0 for as many as a page holds.
    #[zbus(out_args("json"))]
    async fn records(
        &self,
        first: u64,
        most: u32,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.auditor(Method::Records, connection, &header).await?;
        let most = if most == 0 { PAGE_RECORDS } else { most.min(PAGE_RECORDS) };
        let page = read(&self.app.store, move |store| log::page(store, first, most)).await?;
        json(&page)
    }

    /// The records that tell the story of one request: from the asking to the end of its sessions.
    #[zbus(out_args("json"))]
    async fn story(
        &self,
        id: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.auditor(Method::Story, connection, &header).await?;
        let request = request_id(id)?;
        let page = read(&self.app.store, move |store| log::story_records(store, request)).await?;
        if page.records.is_empty() {
            return Err(Error::NotFound(format!("the log has no record about {id}")));
        }
        json(&page)
    }

    /// The newest checkpoint; made now, if anything has happened since the last.
    #[zbus(out_args("json"))]
    async fn checkpoint(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.auditor(Method::Checkpoint, connection, &header).await?;
        let desk = &self.app.desk;
        // What was confirmed to anybody is under it.
        desk.catch_up().await?;
        if let Some(ticket) = desk.make_checkpoint()? {
            ticket.durable().await.map_err(Error::unconfirmed)?;
        }
        let (signed, key) =
            desk.notary.last().ok_or_else(|| Error::Busy("there is no checkpoint yet; try again".into()))?;
        json(&Checkpoint {
            note: signed.to_string(),
            key: key.to_string(),
            size: signed.checkpoint.size,
            root: signed.checkpoint.root.to_string(),
        })
    }
}

impl Audit {
    /// Lets root, admins and auditors through, these from a login of theirs.
    async fn auditor(
        &self,
        method: Method,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<(), Error> {
        let peer = self.origin.caller(method, &self.app, connection, header).await?;
        // Root waits for no name service.
        if peer.uid.is_root()
            || may_read_all(&self.app, peer, &self.app.orderer(method, peer).await?.reader().await?.account)
        {
            return Ok(());
        }
        let why = "only root, admins and auditors read the audit log";
        self.app.desk.note_refused(RefusedOrder::not_answered(method, why), peer.actor());
        Err(Error::NotPermitted(why.into()))
    }
}
