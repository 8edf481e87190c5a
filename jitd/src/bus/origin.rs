//! Who is at the other end of a call. A caller that has gone, or whose uid cannot be read, is an error and
//! never uid 0 (that default was a root exploit elsewhere, CVE-2021-3560).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jit_core::person::Caller;
use jit_proto::words::Uid;
use zbus::message::Header;
use zbus::names::BusName;
use zbus::proxy::CacheProperties;
use zbus::{Connection, fdo};

use super::{App, Error};
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
    /// Who calls, and the call's places among those that are being answered.
    pub(crate) async fn caller(
        self,
        app: &App,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<(Peer, Places), Error> {
        match self {
            Self::Private(peer) => Ok((peer, Places::default())),
            Self::Bus => {
                let sender = header.sender().ok_or_else(unknown)?;
                // Before the bus is asked who it is, one connection gets so many; after that, one user.
                let first = app.in_flight.enter(sender.as_str())?;
                let peer = peer_on_bus(app, connection, BusName::from(sender.to_owned())).await?;
                let user = (!peer.uid.is_root()).then(|| app.in_flight.enter(&format!("uid {}", peer.uid)));
                Ok((peer, Places(Some(first), user.transpose()?)))
            }
        }
    }
}

impl Origin {
    /// Who gives an order, as the kernel and the name service tell it.
    pub(crate) async fn order_of(
        self,
        app: &App,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<(Caller, Peer, Places), Error> {
        let (peer, places) = self.caller(app, connection, header).await?;
        let caller = app.caller(peer).await?;
        Ok((caller, peer, places))
    }
}

async fn peer_on_bus(app: &App, connection: &Connection, sender: BusName<'_>) -> Result<Peer, Error> {
    let bus = fdo::DBusProxy::builder(connection).cache_properties(CacheProperties::No).build().await?;
    let asked = bus.get_connection_credentials(sender);
    let facts = app.runtime.timeout(BUS_LIMIT, asked).await.map_err(|_| unknown())?.map_err(|_| unknown())?;
    let uid = facts.unix_user_id().and_then(|uid| Uid::try_from(uid).ok()).ok_or_else(unknown)?;
    Ok(Peer::new(uid, facts.process_id()))
}

/// How long the bus may take to say who a caller is.
const BUS_LIMIT: Duration = Duration::from_secs(2);

fn unknown() -> Error {
    Error::NotPermitted("the caller cannot be identified".into())
}

/// Calls that are being answered, by caller, so that nobody's flood keeps anybody else from an answer.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    calls: Mutex<HashMap<String, usize>>,
}

/// At once, for one connection, and for one user over all connections. Root's connections are not added up.
const AT_ONCE: usize = 16;

/// One call's places; given back when they are dropped.
#[derive(Debug, Default)]
pub(crate) struct Places(#[expect(dead_code)] Option<Place>, #[expect(dead_code)] Option<Place>);

#[derive(Debug)]
struct Place {
    all: Arc<InFlight>,
    caller: String,
}

impl InFlight {
    fn enter(self: &Arc<Self>, caller: &str) -> Result<Place, Error> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let own = calls.entry(caller.to_owned()).or_default();
        if *own >= AT_ONCE {
            return Err(Error::Busy(format!("{AT_ONCE} calls of yours are being answered; try again")));
        }
        *own += 1;
        Ok(Place { all: Arc::clone(self), caller: caller.to_owned() })
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

/// How often one user may do something that may leave a record: no user's loop may fill the disk that everybody's
/// logins need.
#[derive(Debug)]
pub(crate) struct Ration {
    /// So often.
    most: u32,
    /// In so many milliseconds.
    span: u64,
    what: &'static str,
    taken: Mutex<HashMap<Uid, (u32, u64)>>,
}

impl Ration {
    /// Questions to the gate by whoever is not root: 20 a minute.
    pub(crate) fn of_questions() -> Self {
        Self::new(20, 60_000, "questions a minute are answered; try again in a minute")
    }

    /// Requests, each of which is a record and somebody's work: 30 an hour.
    pub(crate) fn of_requests() -> Self {
        Self::new(30, 3_600_000, "requests an hour are taken from one person; try again later")
    }

    fn new(most: u32, span: u64, what: &'static str) -> Self {
        Self { most, span, what, taken: Mutex::default() }
    }

    /// Takes one of the caller's share, or says that it is spent. `now` is the boot clock's, in milliseconds.
    pub(crate) fn take(&self, uid: Uid, now: u64) -> Result<(), Error> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|_, (_, since)| now.saturating_sub(*since) < self.span);
        let (count, _) = taken.entry(uid).or_insert((0, now));
        if *count >= self.most {
            return Err(Error::Busy(format!("{} {}", self.most, self.what)));
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_places_are_its_own_and_come_back() {
        let all = Arc::new(InFlight::default());
        let held: Vec<_> = (0..AT_ONCE).map(|_| all.enter("uid 1001").unwrap()).collect();
        assert!(all.enter("uid 1001").is_err());
        assert!(all.enter("uid 1002").is_ok());
        drop(held);
        assert!(all.enter("uid 1001").is_ok());
        assert!(all.calls.lock().unwrap().is_empty());
    }

    #[test]
    fn one_users_loop_is_cut_off_and_nobody_elses_question_with_it() {
        let ration = Ration::of_questions();
        let (maria, erik) = (Uid::try_from(1001).unwrap(), Uid::try_from(1002).unwrap());
        let start = 5_000;
        for _ in 0..ration.most {
            ration.take(maria, start).unwrap();
        }
        assert!(ration.take(maria, start).is_err());
        assert!(ration.take(erik, start).is_ok());
        assert!(ration.take(maria, start + ration.span).is_ok());
    }
}
