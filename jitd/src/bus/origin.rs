//! Who is at the other end of a call. A caller that has gone, or whose uid cannot be read, is an error and
//! never uid 0 (that default was a root exploit elsewhere, CVE-2021-3560).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jit_proto::words::Uid;
use zbus::message::Header;
use zbus::names::BusName;
use zbus::{Connection, fdo};

use super::Error;
use crate::who::Peer;

/// Where a call comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// The system bus: the bus knows who it is.
    Bus,
    /// The private socket: the kernel told when it was accepted.
    Private(Peer),
}

impl Origin {
    /// Who calls.
    pub(crate) async fn peer(self, connection: &Connection, header: &Header<'_>) -> Result<Peer, Error> {
        match self {
            Self::Private(peer) => Ok(peer),
            Self::Bus => {
                let sender = header.sender().ok_or_else(unknown)?;
                let bus = fdo::DBusProxy::new(connection).await?;
                let facts = bus
                    .get_connection_credentials(BusName::from(sender.to_owned()))
                    .await
                    .map_err(|_| unknown())?;
                let uid = facts.unix_user_id().and_then(|uid| Uid::try_from(uid).ok()).ok_or_else(unknown)?;
                Ok(Peer { uid, pid: facts.process_id() })
            }
        }
    }
}

fn unknown() -> Error {
    Error::NotPermitted("the caller cannot be identified".into())
}

/// Calls that are being answered, per caller on the bus and in all, so that one caller cannot occupy jitd.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    calls: Mutex<HashMap<String, usize>>,
}

const PER_CALLER: usize = 16;
const IN_ALL: usize = 256;

/// One call's place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    all: Arc<InFlight>,
    caller: String,
}

impl InFlight {
    /// Takes a place, or says that there is none.
    pub(crate) fn enter(self: &Arc<Self>, header: &Header<'_>) -> Result<Place, Error> {
        let caller = header.sender().map_or_else(String::new, ToString::to_string);
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = calls.values().sum();
        let own = calls.entry(caller.clone()).or_default();
        if *own >= PER_CALLER || all >= IN_ALL {
            let own = *own;
            if own == 0 {
                calls.remove(&caller);
            }
            return Err(Error::Busy("too many calls are being answered; try again".into()));
        }
        *own += 1;
        Ok(Place { all: Arc::clone(self), caller })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut calls = self.all.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = calls.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                calls.remove(&self.caller);
            }
        }
    }
}
