//! Who is at the other end of a call. A caller that has gone, or whose uid cannot be read, is an error and
//! never uid 0 (that default was a root exploit elsewhere, CVE-2021-3560).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jit_proto::words::Uid;
use zbus::message::Header;
use zbus::names::BusName;
use zbus::proxy::CacheProperties;
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
                let bus =
                    fdo::DBusProxy::builder(connection).cache_properties(CacheProperties::No).build().await?;
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

/// How often an unprivileged program may ask the gate. Each answer may be a record, and no user's loop may fill
/// the disk that everybody's logins need.
#[derive(Debug, Default)]
pub(crate) struct Ration {
    asked: Mutex<HashMap<Uid, (u32, Instant)>>,
}

const PER_SPAN: u32 = 20;
const SPAN: Duration = Duration::from_secs(60);

impl Ration {
    /// Takes one of the caller's questions of this minute, or says that they are spent.
    pub(crate) fn take(&self, uid: Uid, now: Instant) -> Result<(), Error> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, (_, since)| now.duration_since(*since) < SPAN);
        let (count, _) = asked.entry(uid).or_insert((0, now));
        if *count >= PER_SPAN {
            let text = format!("{PER_SPAN} questions a minute are answered; try again in a minute");
            return Err(Error::Busy(text));
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_users_loop_is_cut_off_and_nobody_elses_question_with_it() {
        let ration = Ration::default();
        let (maria, erik) = (Uid::try_from(1001).unwrap(), Uid::try_from(1002).unwrap());
        let start = Instant::now();
        for _ in 0..PER_SPAN {
            ration.take(maria, start).unwrap();
        }
        assert!(ration.take(maria, start).is_err());
        assert!(ration.take(erik, start).is_ok());
        assert!(ration.take(maria, start + SPAN).is_ok());
    }
}
