//! The two transports to jitd: for root its own socket, on which nobody else can be in the way, and the system bus, at a path
//! of our own choosing.
//!
//! `DBUS_SYSTEM_BUS_ADDRESS` belongs to whoever started us, so the socket is named here (DESIGN law 8). Whoever
//! owns jitd's name is not thereby jitd: its uid must be root's, and the call goes to the unique name that was
//! checked, so that a successor to the name cannot receive it. jitd is not started by asking: it starts at
//! boot, and a stopped one was stopped by an admin.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use jit_core::policy::PersonName;
use jit_core::time::Utc;
use jit_proto::words::{Reason, ServiceName};
use jit_proto::{BUS_NAME, OBJECT_PATH, PRIVATE_SOCKET, SYSTEM_BUS_SOCKET, error_name};
use serde::de::DeserializeOwned;
use zbus::address::Transport;
use zbus::address::transport::{Unix, UnixSocket};
use zbus::connection::{AuthMechanism, Builder};
use zbus::fdo::{self, DBusProxy};
use zbus::names::{BusName, OwnedUniqueName};
use zbus::proxy::{CacheProperties, MethodFlags};
use zbus::{Address, Connection, OwnedFd, Proxy, Type, block_on};

use crate::call::Call;
use crate::error::{Error, Sent};
use crate::jitd::Jitd;
use crate::listening::Listening;
use crate::transport::{self, cause, os_text};
use crate::wakes::{self, Wakes};

#[derive(Clone)]
pub(crate) struct Bus {
    /// jitd's own socket, where it may be asked: root alone can reach it.
    private: Option<PathBuf>,
    socket: PathBuf,
    /// The uid that jitd runs under.
    owner: u32,
    /// Allows tests a deadline that they can wait for.
    longest: Duration,
}

impl Bus {
    pub(crate) fn system() -> Self {
        Self { private: None, socket: SYSTEM_BUS_SOCKET.into(), owner: 0, longest: Duration::MAX }
    }

    /// Asks jitd's own socket first. A bus that is flooded, stopped or dead then keeps no admin from an order.
    pub(crate) fn of_root() -> Self {
        Self { private: Some(PRIVATE_SOCKET.into()), ..Self::system() }
    }
}

impl Jitd for Bus {
    fn ask(&self, call: &Call) -> Result<String, Error> {
        self.answer(call)
    }

    fn pipe(&self, call: &Call) -> Result<Option<Box<dyn Read>>, Error> {
        let pipe: OwnedFd = match self.answer(call) {
            Ok(pipe) => pipe,
            // All of this uid's share is taken, or jitd is of before there were pipes.
            Err(Error::Busy(_)) => return Ok(None),
            Err(Error::Unexpected { name, .. }) if name == UNKNOWN_METHOD => return Ok(None),
            Err(other) => return Err(other),
        };
        let pipe = UnixStream::from(std::os::fd::OwnedFd::from(pipe));
        let limit = call.row().deadline.min(self.longest);
        pipe.set_read_timeout(Some(limit)).map_err(|why| Error::Garbled(os_text(&why)))?;
        Ok(Some(Box::new(pipe)))
    }

    fn wakes(&self) -> Box<dyn Wakes> {
        Box::new(Listening::start(&self.socket))
    }
}

impl Bus {
    /// The bus is asked on a thread of its own, so that one deadline covers connecting (which can block in
    /// connect(2) on a full backlog), authenticating, finding jitd and its answer. A thread that is late is
    /// abandoned: the process is about to end.
    fn answer<Answer: Answered>(&self, call: &Call) -> Result<Answer, Error> {
        let limit = call.row().deadline.min(self.longest);
        let door = Arc::new(Door::default());
        let (answer, waiting) = sync_channel(1);
        let (bus, asked, theirs) = (self.clone(), call.clone(), Arc::clone(&door));
        thread::Builder::new()
            .name("bus".to_owned())
            .spawn(move || {
                wakes::quiet();
                // Nobody waits any more when the deadline has passed.
                drop(answer.send(block_on(bus.converse(&asked, limit, &theirs))));
            })
            .map_err(|why| Error::Broken { why: os_text(&why), sent: Sent::No })?;
        waiting.recv_timeout(limit).unwrap_or_else(|why| {
            let sent = if door.pass() { Sent::No } else { Sent::Perhaps };
            Err(match why {
                RecvTimeoutError::Timeout => Error::Late { limit, sent },
                RecvTimeoutError::Disconnected => {
                    Error::Broken { why: "the bus client failed".to_owned(), sent }
                }
            })
        })
    }
}

/// What an answer has: a text, or a pipe that brings more.
trait Answered: DeserializeOwned + Type + Send + 'static {}

impl Answered for String {}
impl Answered for OwnedFd {}

/// What the bus, or zbus for jitd, says of a method that is not there.
const UNKNOWN_METHOD: &str = "org.freedesktop.DBus.Error.UnknownMethod";

/// Passed once: by the call as it leaves, or by the deadline, after which no call leaves. Otherwise a call
/// could still leave while "nothing was changed" is being written.
#[derive(Default)]
struct Door(AtomicBool);

impl Door {
    /// Whether the caller came first.
    fn pass(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}

impl Bus {
    async fn converse<Answer: Answered>(
        &self,
        call: &Call,
        limit: Duration,
        door: &Door,
    ) -> Result<Answer, Error> {
        let (connection, jitd) = if let Some(connection) = self.connect_privately().await {
            (connection, BUS_NAME.try_into().map_err(|why| refusal(why, Sent::No))?)
        } else {
            let connection = transport::connect(&self.socket).await?;
            let jitd = BusName::from(self.find_jitd(&connection).await?);
            (connection, jitd)
        };
        let proxy = zbus::proxy::Builder::<Proxy<'_>>::new(&connection)
            .destination(jitd)
            .path(OBJECT_PATH)
            .interface(call.row().interface)
            .cache_properties(CacheProperties::No)
            .build()
            .await
            .map_err(|why| refusal(why, Sent::No))?;
        if !door.pass() {
            return Err(Error::Late { limit, sent: Sent::No });
        }
        let reply = send(&proxy, call).await.map_err(|why| refusal(why, Sent::Perhaps))?;
        reply.ok_or_else(|| Error::Garbled("no reply".to_owned()))
    }

    /// A connection to jitd itself. None where there is no such way, and the bus may know more.
    async fn connect_privately(&self) -> Option<Connection> {
        let socket = UnixSocket::File(self.private.clone()?);
        let address = Address::new(Transport::Unix(Unix::new(socket)));
        let built = Builder::address(address).p2p().auth_mechanism(AuthMechanism::External).build().await;
        built.ok()
    }

    async fn find_jitd(&self, connection: &Connection) -> Result<OwnedUniqueName, Error> {
        let bus = DBusProxy::new(connection).await.map_err(|why| refusal(why, Sent::No))?;
        let name = BusName::try_from(BUS_NAME).map_err(|why| refusal(why, Sent::No))?;
        let found = async {
            let owner = bus.get_name_owner(name).await?;
            let uid = bus.get_connection_unix_user(owner.clone().into()).await?;
            Ok((owner, uid))
        };
        // A name whose owner has just gone has no uid: that is an error here, never uid 0 (CVE-2021-3560).
        let (owner, uid) = found.await.map_err(|why: fdo::Error| refusal(why.into(), Sent::No))?;
        if uid == self.owner { Ok(owner) } else { Err(Error::Impostor { uid }) }
    }
}

async fn send<Answer: Answered>(jitd: &Proxy<'_>, call: &Call) -> zbus::Result<Option<Answer>> {
    let flags = MethodFlags::NO_AUTO_START;
    let method = call.row().method;
    match call {
        Call::Status
        | Call::Clock
        | Call::ClockChallenge
        | Call::Policy
        | Call::Pending
        | Call::Sessions
        | Call::LoadPolicy
        | Call::AuditCheckpoint
        | Call::Archives
        | Call::PolicyChanges
        | Call::ConfirmPolicy => jitd.call_with_flags(method, flags, &()).await,
        Call::TryPolicy { seconds } => jitd.call_with_flags(method, flags, &(seconds,)).await,
        Call::OverridePolicy { reason } => jitd.call_with_flags(method, flags, &(reason.as_str(),)).await,
        Call::LoadSignedPolicy { text, signatures, reason } => {
            let body = (text, signatures, or_empty(reason.as_ref()));
            jitd.call_with_flags(method, flags, &body).await
        }
        Call::ReviewPolicy { digest, decision, note } => {
            let body = (digest.as_str(), decision.as_str(), or_empty(note.as_ref()));
            jitd.call_with_flags(method, flags, &body).await
        }
        Call::ChangePolicy { seconds, reason } | Call::ForcePolicy { seconds, reason } => {
            jitd.call_with_flags(method, flags, &(seconds, reason.as_str())).await
        }
        Call::List { all } => jitd.call_with_flags(method, flags, &(all,)).await,
        Call::Stream { first, end } => jitd.call_with_flags(method, flags, &(first, end)).await,
        Call::Records { first, most } => jitd.call_with_flags(method, flags, &(first, most)).await,
        Call::StoryFrom { id, first } => jitd.call_with_flags(method, flags, &(id.to_string(), first)).await,
        Call::Show { id } => jitd.call_with_flags(method, flags, &(id.to_string(),)).await,
        Call::Check { service, user, person, from } => {
            let who = (service.as_str(), user.as_str(), person.as_ref());
            check(jitd, method, who, &text(from.as_ref())).await
        }
        Call::Request { role, seconds, start, reason } => {
            let start = start.map_or_else(String::new, Utc::to_seconds);
            let body = (role.as_str(), seconds, start.as_str(), reason.as_str());
            jitd.call_with_flags(method, flags, &body).await
        }
        Call::Withdraw { id, reason } => {
            jitd.call_with_flags(method, flags, &(id.to_string(), or_empty(reason.as_ref()))).await
        }
        Call::Extend { id, seconds, reason } => {
            jitd.call_with_flags(method, flags, &(id.to_string(), seconds, reason.as_str())).await
        }
        Call::Review { id, digest, decision, narrow, note } => {
            let services: Vec<&str> = narrow.services.iter().map(ServiceName::as_str).collect();
            let (id, note) = (id.to_string(), or_empty(note.as_ref()));
            let body = (id.as_str(), digest, decision.as_str(), narrow.seconds, services, narrow.uses, note);
            jitd.call_with_flags(method, flags, &body).await
        }
        Call::EnterCode { id, code } => jitd.call_with_flags(method, flags, &(id.to_string(), code)).await,
        Call::Export { id } | Call::Code { id } => {
            jitd.call_with_flags(method, flags, &(id.to_string(),)).await
        }
        Call::Import { text, signature } => jitd.call_with_flags(method, flags, &(text, signature)).await,
        Call::Lock { scope, message, seconds, unknown: _ } => {
            let body = (scope.to_string(), or_empty(message.as_ref()), seconds);
            jitd.call_with_flags(method, flags, &body).await
        }
        Call::Proof { old, new } => jitd.call_with_flags(method, flags, &(*old, *new)).await,
        Call::Archive { end, root, file, digest, note } => {
            let (root, digest) = (root.to_string(), digest.to_string());
            let body = (*end, root.as_str(), file.as_str(), digest.as_str(), or_empty(note.as_ref()));
            jitd.call_with_flags(method, flags, &body).await
        }
        Call::Carried { how, size } => jitd.call_with_flags(method, flags, &(how.as_str(), size)).await,
        Call::Attest { role, who, keep, note } => {
            let body = (role.as_str(), who.to_string(), keep.as_str(), or_empty(note.as_ref()));
            jitd.call_with_flags(method, flags, &body).await
        }
        Call::AcceptClock { reason } => {
            jitd.call_with_flags(method, flags, &(or_empty(reason.as_ref()),)).await
        }
        Call::Unlock { scope, reason } => {
            jitd.call_with_flags(method, flags, &(scope.to_string(), or_empty(reason.as_ref()))).await
        }
        Call::Explain { service, user, person, at, from, target } => {
            let at = at.map_or_else(String::new, Utc::to_seconds);
            let login = (at.as_str(), text(from.as_ref()), text(target.as_ref()));
            explain(jitd, method, (service.as_str(), user.as_str(), person.as_ref()), login).await
        }
        Call::Roles { user } => jitd.call_with_flags(method, flags, &(text(user.as_ref()),)).await,
        Call::Grant { user, person, role, seconds, reason } => {
            grant(jitd, method, (user.as_str(), person.as_ref()), (role.as_str(), *seconds, reason)).await
        }
        Call::EndSession { id, reason } => {
            jitd.call_with_flags(method, flags, &(id, or_empty(reason.as_ref()))).await
        }
        Call::Revoke { id, reason } | Call::Done { id, reason } => {
            jitd.call_with_flags(method, flags, &(id.to_string(), or_empty(reason.as_ref()))).await
        }
    }
}

/// At which service, of which account, and of which of those who share it: of one of them it is a method of its own.
type About<'a> = (&'a str, &'a str, Option<&'a PersonName>);

async fn check<Answer: Answered>(
    jitd: &Proxy<'_>,
    method: &str,
    (service, user, person): About<'_>,
    from: &str,
) -> zbus::Result<Option<Answer>> {
    let flags = MethodFlags::NO_AUTO_START;
    let Some(person) = person else {
        return jitd.call_with_flags(method, flags, &(service, user, from)).await;
    };
    jitd.call_with_flags(method, flags, &(service, user, person.as_account().as_str(), from)).await
}

async fn explain<Answer: Answered>(
    jitd: &Proxy<'_>,
    method: &str,
    (service, user, person): About<'_>,
    (at, from, target): (&str, String, String),
) -> zbus::Result<Option<Answer>> {
    let flags = MethodFlags::NO_AUTO_START;
    let Some(person) = person else {
        return jitd.call_with_flags(method, flags, &(service, user, at, from, target)).await;
    };
    let person = person.as_account().as_str();
    jitd.call_with_flags(method, flags, &(service, user, person, at, from, target)).await
}

/// A grant for an account, or for one of those who share it, which is a method of its own.
async fn grant<Answer: Answered>(
    jitd: &Proxy<'_>,
    method: &str,
    (user, person): (&str, Option<&PersonName>),
    (role, seconds, reason): (&str, u64, &Reason),
) -> zbus::Result<Option<Answer>> {
    let (flags, reason) = (MethodFlags::NO_AUTO_START, reason.as_str());
    let Some(person) = person else {
        return jitd.call_with_flags(method, flags, &(user, role, seconds, reason)).await;
    };
    let body = (user, person.as_account().as_str(), role, seconds, reason);
    jitd.call_with_flags(method, flags, &body).await
}

fn or_empty(text: Option<&Reason>) -> &str {
    text.map_or("", Reason::as_str)
}

/// What is absent is an empty text on the wire.
fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// What an error of zbus, the bus or jitd means.
#[expect(clippy::wildcard_enum_match_arm, reason = "the errors of zbus, which may become more")]
fn refusal(why: zbus::Error, sent: Sent) -> Error {
    match why {
        zbus::Error::MethodError(name, text, _) => {
            named(name.as_str(), text.unwrap_or_else(|| "no reason given".to_owned()))
        }
        zbus::Error::FDO(why) => match *why {
            fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => Error::NotRunning,
            fdo::Error::AccessDenied(text) => {
                Error::NotPermitted(format!("the system bus forbids this call: {text}"))
            }
            // What the bus says when jitd goes away with the call in its hands.
            fdo::Error::NoReply(why) | fdo::Error::Disconnected(why) => Error::Broken { why, sent },
            fdo::Error::LimitsExceeded(text) => Error::Busy(text),
            other => {
                let name = zbus::DBusError::name(&other).to_string();
                Error::Unexpected { name, text: described(&other) }
            }
        },
        why @ zbus::Error::InputOutput(_) => Error::Broken { why: cause(why), sent },
        other if sent == Sent::No => Error::Broken { why: cause(other), sent },
        other => Error::Garbled(cause(other)),
    }
}

fn named(name: &str, text: String) -> Error {
    match name {
        error_name::CANNOT_DECIDE => Error::CannotDecide(text),
        error_name::UNCONFIRMED => Error::Unconfirmed(text),
        error_name::CARRIED_OUT => Error::CarriedOut(text),
        error_name::NOT_PERMITTED => Error::NotPermitted(text),
        error_name::NOT_FOUND => Error::NotFound(text),
        error_name::INVALID => Error::Invalid(text),
        error_name::REFUSED => Error::Refused(text),
        error_name::ON_TRIAL => Error::OnTrial(text),
        // Said by jitd before it reads a call, or by the bus.
        error_name::BUSY | "org.freedesktop.DBus.Error.LimitsExceeded" => Error::Busy(text),
        _ => Error::Unexpected { name: name.to_owned(), text },
    }
}

fn described(why: &fdo::Error) -> String {
    zbus::DBusError::description(why).unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod people_tests;
#[cfg(test)]
mod tests;
