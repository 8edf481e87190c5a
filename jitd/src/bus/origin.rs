//! Who is at the other end of a call, and whether they may make it: there is no other way to a caller. A caller that has
//! gone, or whose uid cannot be read, is an error and never uid 0 (that default was a root exploit elsewhere,
//! CVE-2021-3560). How many calls of one caller are answered at a time is counted before they come here: on the bus by
//! [`super::admission`], on the private socket by [`super::private`].

use std::os::fd::AsFd as _;
use std::time::Duration;

use jit_core::access::{Method, may_call};
use jit_proto::words::Uid;
use zbus::message::Header;
use zbus::names::BusName;
use zbus::proxy::CacheProperties;
use zbus::{Connection, fdo};

use super::caller::Orderer;
use super::error::Error;
use crate::app::App;
use crate::clock::since_boot;
use crate::peer::Peer;

/// Where a call comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// The system bus: the bus knows who it is.
    Bus,
    /// The private socket: the kernel told when it was accepted.
    Private(Peer),
}

impl Origin {
    /// Who calls, where they may call this.
    pub(crate) async fn caller(
        self,
        method: Method,
        app: &App,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Peer, Error> {
        let since = since_boot();
        let peer = match self {
            Self::Private(peer) => peer,
            Self::Bus => {
                let sender = header.sender().ok_or_else(unknown)?;
                peer_on_bus(app, connection, BusName::from(sender.to_owned()), since).await?
            }
        };
        may(method, app, peer)?;
        Ok(peer)
    }
}

/// Whether this caller may make this call. That one may not is on record.
pub(super) fn may(method: Method, app: &App, peer: Peer) -> Result<(), Error> {
    may_call(method, peer.uid, peer.login())
        .inspect_err(|denied| app.desk.note_refused(denied.on_record(method), peer.actor()))?;
    Ok(())
}

impl Origin {
    /// Who gives an order, as the kernel and the name service tell it.
    pub(crate) async fn order_of<'a>(
        self,
        method: Method,
        app: &'a App,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Orderer<'a>, Error> {
        let peer = self.caller(method, app, connection, header).await?;
        app.orderer(method, peer).await
    }
}

async fn peer_on_bus(
    app: &App,
    connection: &Connection,
    sender: BusName<'_>,
    since: Duration,
) -> Result<Peer, Error> {
    let bus = fdo::DBusProxy::builder(connection).cache_properties(CacheProperties::No).build().await?;
    let asked = bus.get_connection_credentials(sender);
    let facts = app.runtime.timeout(BUS_LIMIT, asked).await.map_err(|_| unknown())?.map_err(|_| unknown())?;
    let uid = facts.unix_user_id().and_then(|uid| Uid::try_from(uid).ok()).ok_or_else(unknown)?;
    let pidfd = facts.process_fd().map(|pidfd| pidfd.as_fd());
    Ok(Peer::new(uid, facts.process_id(), pidfd, since))
}

/// How long the bus may take to say who a caller is.
const BUS_LIMIT: Duration = Duration::from_secs(2);

fn unknown() -> Error {
    Error::NotPermitted("the caller cannot be identified".into())
}
