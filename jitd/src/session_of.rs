//! Where the login came from that a process belongs to. su and sudo are told no address, and what their caller could
//! tell them (PAM_RHOST, SSH_CONNECTION) is the caller's to choose; but the kernel says which login they run in.
//!
//! The walk: the pid at the other end of the module's connection, which the kernel told → its audit session id
//! (proc(5)), which every process of a login inherits and none without CAP_AUDIT_CONTROL changes → the address. That is
//! what sshd itself told jitd when it opened that session, or, where this jitd was not there yet, what logind keeps of
//! it. What cannot be found out is not known, and no address matches no `from`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jit_core::access::LoginUid;
use jit_core::model::LoginKey;
use jit_proto::words::{ServiceName, Uid};
use zbus::{Connection, OwnedObjectPath, OwnedVariant, fdo};
use zruntime::SharedRuntime;

use crate::peer::{Peer, session_of_pid};

/// How long logind may take. The module waits 3 s for all of the answer.
const LIMIT: Duration = Duration::from_millis(500);

/// More sessions than this at once are not kept: the oldest is forgotten first, logind knows it too.
const MOST: usize = 8192;

const LOGIND: &str = "org.freedesktop.login1";

/// The sessions that are open, by audit session id.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: Mutex<BTreeMap<u32, Opened>>,
    bus: Mutex<Option<Connection>>,
}

/// A session that opened, as its service said.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Opened {
    service: ServiceName,
    from: Option<IpAddr>,
    keys: Keys,
}

/// The keys that opened a login, as sshd said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Whose account was logged in to. What an audit session of another login has is no word on that one.
    pub(crate) of: Option<Uid>,
    pub(crate) keys: Vec<LoginKey>,
}

/// The audit session that a process runs in, and the account that its login is, by the kernel; neither where that is jitd's own,
/// which whatever root restarts beside it may share.
pub(crate) fn login_of(peer: Peer) -> Option<(u32, Uid)> {
    static OWN: LazyLock<Option<u32>> = LazyLock::new(|| session_of_pid(std::process::id()));
    let id = peer.session().filter(|id| Some(*id) != *OWN)?;
    if let Ok(LoginUid::Set(uid)) = peer.login() { Some((id, uid)) } else { None }
}

impl Sessions {
    /// A login's session has opened. The first to say so is the login itself: what opens later under the same id runs
    /// inside it.
    pub(crate) fn opened(&self, id: u32, service: &ServiceName, from: Option<IpAddr>, keys: Keys) {
        let mut open = lock(&self.open);
        open.entry(id).or_insert_with(|| Opened { service: service.clone(), from, keys });
        // The kernel counts them up. Whoever is killed never closes theirs.
        while open.len() > MOST {
            open.pop_first();
        }
    }

    /// It has closed, or nothing of it is left: what came in without a session line never closes.
    pub(crate) fn closed(&self, id: u32, service: &ServiceName) {
        let mut open = lock(&self.open);
        if open.get(&id).is_some_and(|opened| opened.service == *service) {
            open.remove(&id);
        }
    }

    /// The keys that opened this login of this account; nothing where this jitd did not see it open, or it was another's.
    pub(crate) fn keys(&self, id: u32, account: Uid) -> Option<Vec<LoginKey>> {
        let open = lock(&self.open);
        let opened = open.get(&id).filter(|opened| opened.keys.of == Some(account));
        opened.map(|opened| opened.keys.keys.clone())
    }

    /// The system bus, for as long as there is one.
    pub(crate) fn on_bus(&self, bus: Option<Connection>) {
        *lock(&self.bus) = bus;
    }

    /// The address of the login that this process belongs to, if that is certain.
    pub(crate) async fn address(&self, runtime: &SharedRuntime, peer: Peer) -> Option<IpAddr> {
        let session = peer.session()?;
        if let Some(opened) = lock(&self.open).get(&session) {
            return opened.from;
        }
        let bus = lock(&self.bus).clone()?;
        let remote = runtime.timeout(LIMIT, by_logind(&bus, peer, session)).await.ok().flatten()?;
        remote.host.filter(|_| remote.is)
    }

    /// Whether the process is certainly in no login from another machine: in none at all, as at a rescue shell, or in one
    /// of which that is known.
    pub(crate) async fn is_local(&self, runtime: &SharedRuntime, peer: Peer) -> bool {
        let Some(session) = peer.session() else { return peer.login() == Ok(LoginUid::Unset) };
        // What login(1) itself said does not take a bus, which may be what is broken.
        if let Some(opened) = lock(&self.open).get(&session) {
            match (opened.from, opened.service.as_str()) {
                (None, "login") => return true,
                (Some(_), _) | (None, "sshd") => return false,
                (None, _) => {}
            }
        }
        let Some(bus) = lock(&self.bus).clone() else { return false };
        let remote = runtime.timeout(LIMIT, by_logind(&bus, peer, session)).await.ok().flatten();
        remote.is_some_and(|remote| !remote.is)
    }
}

/// What logind says of where a session came from.
struct Remote {
    is: bool,
    host: Option<IpAddr>,
}

/// What logind keeps of the session that the process is in. Believed if the session's leader is in the same audit
/// session as the process, so that both mean the same login.
async fn by_logind(bus: &Connection, peer: Peer, session: u32) -> Option<Remote> {
    let logind = fdo::DBusProxy::new(bus).await.ok()?.get_name_owner(LOGIND.try_into().ok()?).await.ok()?;
    let owner =
        fdo::DBusProxy::new(bus).await.ok()?.get_connection_unix_user(logind.clone().into()).await.ok()?;
    if owner != 0 {
        return None;
    }
    let process = peer.process()?;
    let manager = Some("org.freedesktop.login1.Manager");
    let found = bus
        .call_method(Some(&logind), "/org/freedesktop/login1", manager, "GetSessionByPID", &(process.pid,))
        .await
        .ok()?;
    let path: OwnedObjectPath = found.body().deserialize().ok()?;
    let properties = Some("org.freedesktop.DBus.Properties");
    let all = bus
        .call_method(Some(&logind), &path, properties, "GetAll", &("org.freedesktop.login1.Session",))
        .await
        .ok()?;
    let all = all.body();
    let facts: BTreeMap<String, OwnedVariant> = all.deserialize().ok()?;
    let leader: u32 = facts.get("Leader")?.downcast_ref().ok()?;
    let of_leader = session_of_pid(leader);
    // The process too, once more: by now its pid could be another's.
    if of_leader != Some(session) || peer.process() != Some(process) {
        return None;
    }
    let remote: bool = facts.get("Remote")?.downcast_ref().ok()?;
    let host: &str = facts.get("RemoteHost")?.downcast_ref().ok()?;
    Some(Remote { is: remote, host: host.parse().ok() })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(sessions: &Sessions, id: u32) -> Option<Opened> {
        lock(&sessions.open).get(&id).cloned()
    }

    #[test]
    fn the_keys_of_a_login_are_no_word_on_another_account_in_the_same_audit_session() {
        let sessions = Sessions::default();
        let sshd: ServiceName = "sshd".parse().unwrap();
        let uid = |uid: u32| Uid::try_from(uid).unwrap();
        let told = Keys { of: Some(uid(1001)), keys: Vec::new() };
        sessions.opened(7, &sshd, None, told);
        assert_eq!(sessions.keys(7, uid(1001)), Some(Vec::new()));
        assert_eq!(sessions.keys(7, uid(1002)), None);
        // Of whom nobody said whose it was, nobody's.
        sessions.opened(8, &sshd, None, Keys::default());
        assert_eq!(sessions.keys(8, uid(1001)), None);
    }

    #[test]
    fn what_opens_inside_a_login_neither_changes_its_address_nor_closes_it() {
        let sessions = Sessions::default();
        let (sshd, cron): (ServiceName, ServiceName) = ("sshd".parse().unwrap(), "cron".parse().unwrap());
        let from = Some("10.1.2.3".parse().unwrap());
        sessions.opened(7, &sshd, from, Keys::default());
        sessions.opened(7, &cron, Some("10.9.9.9".parse().unwrap()), Keys::default());
        sessions.closed(7, &cron);
        assert_eq!(known(&sessions, 7), Some(Opened { service: sshd.clone(), from, keys: Keys::default() }));
        sessions.closed(7, &sshd);
        assert_eq!(known(&sessions, 7), None);
    }

    #[test]
    fn a_login_at_the_console_is_known_to_come_from_nowhere() {
        let sessions = Sessions::default();
        let login: ServiceName = "login".parse().unwrap();
        sessions.opened(8, &login, None, Keys::default());
        assert_eq!(known(&sessions, 8), Some(Opened { service: login, from: None, keys: Keys::default() }));
    }

    #[test]
    fn however_many_never_close_the_newest_are_known() {
        let sessions = Sessions::default();
        let sshd: ServiceName = "sshd".parse().unwrap();
        let from = Some("10.1.2.3".parse().unwrap());
        let last = u32::try_from(MOST).unwrap() + 10;
        for id in 1..=last {
            sessions.opened(id, &sshd, from, Keys::default());
        }
        assert_eq!(lock(&sessions.open).len(), MOST);
        assert_eq!(
            known(&sessions, last),
            Some(Opened { service: sshd, from, keys: Keys::default() }),
            "the newest"
        );
        assert_eq!(known(&sessions, 1), None, "the oldest was forgotten");
    }

    #[test]
    fn only_what_is_known_to_be_in_no_login_is_taken_to_be_at_the_console() {
        use jit_core::access::Unread;
        zbus::block_on(async {
            let runtime = SharedRuntime::current().unwrap();
            for (login, expected) in [
                (Ok(LoginUid::Unset), true),
                (Ok(LoginUid::Untold), false),
                (Err(Unread::Gone), false),
                (Err(Unread::Hidden), false),
            ] {
                let peer = Peer::told(Uid::ROOT, login);
                assert_eq!(Sessions::default().is_local(&runtime, peer).await, expected, "{login:?}");
            }
        });
    }

    #[test]
    fn a_process_that_cannot_be_asked_comes_from_nowhere() {
        zbus::block_on(async {
            let runtime = SharedRuntime::current().unwrap();
            let gone = Peer::told(Uid::ROOT, Err(jit_core::access::Unread::Gone));
            assert_eq!(Sessions::default().address(&runtime, gone).await, None);
        });
    }
}
