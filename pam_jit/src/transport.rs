//! The two sockets to jitd, under one deadline.
//!
//! First jitd's own socket, peer to peer as systemctl(1) speaks to systemd: nobody but root can reach it, so nobody
//! else can fill it. If it is absent or refuses, the system bus, which can start jitd. Both are named by path: what
//! `DBUS_SYSTEM_BUS_ADDRESS` says is the caller's word (DESIGN law 8).
//!
//! Whoever answers has to be root: on the private socket by SO_PEERCRED (unix(7)), on the bus by the uid of the
//! connection that owns jitd's name, and the question goes to that connection's unique name, which the bus never
//! gives to another.

use std::time::Duration;

use jit_proto::{BUS_NAME, OBJECT_PATH};
use jit_proto::{gate, login_request};
use serde::Serialize;
use zbus::Type;
use zbus::wire::{DynamicDeserialize, to_bytes};

use crate::args::SocketPath;
use crate::error::Error;
use crate::link::{BUS, Deadline, Link};
use crate::wire::{self, Call, Reply};

/// Where to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sockets<'a> {
    /// jitd's own socket.
    pub(crate) private: &'a SocketPath,
    /// The system bus, where that may be asked.
    pub(crate) bus: Option<&'a SocketPath>,
}

/// A method of jitd's, as [`jit_proto`] has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Method {
    interface: &'static str,
    name: &'static str,
    /// The types of its arguments.
    takes: &'static str,
}

/// The gate's one question.
pub(crate) const CHECK: Method =
    Method { interface: gate::INTERFACE, name: gate::CHECK, takes: "(ayssssssuu)" };

/// The same of a login over ssh.
const CHECK_LOGIN: Method =
    Method { interface: gate::INTERFACE, name: gate::CHECK_LOGIN, takes: "(ayssssssuu)s" };

/// What may be asked for.
pub(crate) const OPTIONS: Method =
    Method { interface: login_request::INTERFACE, name: login_request::OPTIONS, takes: "(aysssuss)" };

/// Asks for a role.
pub(crate) const FILE: Method =
    Method { interface: login_request::INTERFACE, name: login_request::FILE, takes: "(aysssuss)sts" };

/// What became of a request.
pub(crate) const PROGRESS: Method =
    Method { interface: login_request::INTERFACE, name: login_request::PROGRESS, takes: "(aysssuss)s" };

/// Takes what an approver answered.
pub(crate) const ENTER: Method =
    Method { interface: login_request::INTERFACE, name: login_request::ENTER, takes: "(aysssuss)sas" };

/// Asks over the first transport that is there. Returns within `limit`, give or take the scheduler.
pub(crate) fn ask<Q, A>(
    sockets: &Sockets<'_>,
    method: Method,
    question: &Q,
    limit: Duration,
) -> Result<A, Error>
where
    Q: Serialize + Type,
    A: for<'m> DynamicDeserialize<'m>,
{
    ask_until(sockets, method, question, Deadline::after(limit))
}

/// Asks about a login over ssh, with what sshd says of how somebody was let in. A jitd from before an upgrade does not take
/// that, and decides without, under the same deadline.
pub(crate) fn ask_login(
    sockets: &Sockets<'_>,
    question: &gate::Question,
    auth_info: &str,
    limit: Duration,
) -> Result<gate::Answer, Error> {
    let deadline = Deadline::after(limit);
    match ask_until(sockets, CHECK_LOGIN, &(question, auth_info), deadline) {
        Err(error) if error.says_unknown_method() => ask_until(sockets, CHECK, question, deadline),
        answer => answer,
    }
}

fn ask_until<Q, A>(
    sockets: &Sockets<'_>,
    method: Method,
    question: &Q,
    deadline: Deadline,
) -> Result<A, Error>
where
    Q: Serialize + Type,
    A: for<'m> DynamicDeserialize<'m>,
{
    let private = match Link::connect(sockets.private.as_path(), deadline)? {
        Ok(jitd) => {
            jitd.must_be_roots()?;
            return call(jitd, method, question, None);
        }
        Err(errno) => errno,
    };
    let Some(bus) = sockets.bus else { return Err(Error::Absent { private, bus: None }) };
    match Link::connect(bus.as_path(), deadline)? {
        Ok(bus) => ask_over_bus(bus, method, question),
        Err(errno) => Err(Error::Absent { private, bus: Some(errno) }),
    }
}

fn ask_over_bus<Q, A>(mut bus: Link, method: Method, question: &Q) -> Result<A, Error>
where
    Q: Serialize + Type,
    A: for<'m> DynamicDeserialize<'m>,
{
    let not_ours = |bad: zbus::Error| Error::Unbelievable(format!("the bus said something else: {bad}"));
    call_bus(&mut bus, "Hello", "", &[])?;
    let name = to_bytes(wire::ours(), BUS_NAME).map_err(not_ours)?;
    let owner = match call_bus(&mut bus, "GetNameOwner", "s", &name).map_err(not_running) {
        Err(Error::NotStarted { .. }) => {
            let start = to_bytes(wire::ours(), &(BUS_NAME, 0u32)).map_err(not_ours)?;
            call_bus(&mut bus, "StartServiceByName", "su", &start).map_err(not_running)?;
            call_bus(&mut bus, "GetNameOwner", "s", &name).map_err(not_running)?
        }
        owner => owner?,
    };
    let owner: String = owner.read().map_err(not_ours)?;
    // Whoever owns the name is not thereby jitd. An owner that has gone meanwhile is an error here and never uid 0.
    let unique = to_bytes(wire::ours(), owner.as_str()).map_err(not_ours)?;
    let uid: u32 = call_bus(&mut bus, "GetConnectionUnixUser", "s", &unique)?.read().map_err(not_ours)?;
    if uid != 0 {
        return Err(Error::Unbelievable(format!("{BUS_NAME} is owned by uid {uid}, not by root")));
    }
    call(bus, method, question, Some(&owner))
}

/// Tells apart the answers by which a bus says that nobody owns the name or that it cannot be started.
fn not_running(error: Error) -> Error {
    if let Error::Refused { name, text, .. } = &error
        && says_not_running(name)
    {
        return Error::NotStarted { name: name.clone(), text: text.clone() };
    }
    error
}

/// The D-Bus specification's own names for it, systemd's, which dbus-daemon(1) hands through, and dbus-broker(1)'s.
/// Running out of memory or processes is not among them: it may be somebody's doing.
fn says_not_running(error: &str) -> bool {
    if let Some(why) = error.strip_prefix("org.freedesktop.DBus.Error.") {
        return match why.strip_prefix("Spawn.") {
            Some(why) => !matches!(why, "NoMemory" | "ForkFailed"),
            None => matches!(why, "NameHasNoOwner" | "ServiceUnknown"),
        };
    }
    error.starts_with("org.freedesktop.systemd1.") || error.starts_with("org.bus1.DBus.Name.Error.")
}

/// Asks jitd, whom `owner` names on a bus.
fn call<Q, A>(mut link: Link, method: Method, question: &Q, owner: Option<&str>) -> Result<A, Error>
where
    Q: Serialize + Type,
    A: for<'m> DynamicDeserialize<'m>,
{
    let not_ours = |bad: zbus::Error| Error::Unbelievable(format!("not an answer: {bad}"));
    let call = Call {
        destination: owner,
        path: OBJECT_PATH,
        interface: method.interface,
        method: method.name,
        signature: method.takes,
        body: &to_bytes(wire::ours(), question).map_err(not_ours)?,
    };
    link.call(&call)?.read().map_err(not_ours)
}

/// Calls a method of the bus itself.
fn call_bus(bus: &mut Link, method: &str, signature: &str, body: &[u8]) -> Result<Reply, Error> {
    bus.call(&Call {
        destination: Some(BUS),
        path: "/org/freedesktop/DBus",
        interface: BUS,
        method,
        signature,
        body,
    })
}

#[cfg(test)]
mod tests;
