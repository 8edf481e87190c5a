//! systemd and logind: who makes scopes and who ends what is in them. Each call has a time limit.
//!
//! systemd is asked on its private socket, as systemctl(1) asks it as root: on the system bus its answers wait behind those
//! to anybody who floods it with calls. The bus is taken where that socket is not there, and for logind, which has none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jit_core::model::{Leader, Unit};
use jit_proto::words::{Uid, UserName};
use serde::Serialize;
use zbus::{Connection, DynamicType, Message, Variant};
use zruntime::SharedRuntime;

use super::direct::{self, Answer};
use crate::bus::guarded::for_questions;
use crate::clock::since_boot;

/// How long after a connection broke the next is tried.
const AGAIN: Duration = Duration::from_millis(20);

/// How long systemd may take for one call.
const LIMIT: Duration = Duration::from_secs(1);

/// How long it may take to read its files anew. Nobody waits for that.
const RELOAD_LIMIT: Duration = Duration::from_secs(60);

/// Where settings of running units are written.
const RUNTIME_UNITS: &str = "/run/systemd/system";

/// Why something could not be had of systemd.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSystemd {
    /// This machine is not run by systemd.
    #[error("this machine is not run by systemd")]
    Absent,
    /// It does not answer.
    #[error("systemd does not answer")]
    Silent,
    /// It, or the bus, says no.
    #[error("{0}")]
    Refused(#[from] zbus::Error),
    /// It says no, on its private socket.
    #[error("{name}: {text}")]
    Said {
        /// The name of its error.
        name: String,
        /// What it said.
        text: String,
    },
    /// A file could not be written, or a socket read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The process was not moved.
    #[error("the process did not come into its scope")]
    NotMoved,
}

impl NoSystemd {
    /// Whether there is no such unit: nothing is left to end.
    pub(crate) fn is_no_such_unit(&self) -> bool {
        self.is_named("org.freedesktop.systemd1.NoSuchUnit")
    }

    /// Whether there is such a unit already.
    fn is_unit_exists(&self) -> bool {
        self.is_named("org.freedesktop.systemd1.UnitExists")
    }

    /// Whether somebody at the other end said no.
    fn is_answer(&self) -> bool {
        match self {
            Self::Refused(err) => is_answer(err),
            Self::Said { .. } => true,
            Self::Absent | Self::Silent | Self::Io(_) | Self::NotMoved => false,
        }
    }

    fn is_named(&self, wanted: &str) -> bool {
        match self {
            Self::Refused(zbus::Error::MethodError(name, ..)) => name.as_str() == wanted,
            Self::Said { name, .. } => name == wanted,
            Self::Refused(_) | Self::Absent | Self::Silent | Self::Io(_) | Self::NotMoved => false,
        }
    }

    /// Whether systemd itself said no: asked again, it says the same.
    const fn is_final(&self) -> bool {
        matches!(self, Self::Absent | Self::Said { .. } | Self::Refused(zbus::Error::MethodError(..)))
    }
}

/// What processes are told to do, by a signal (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// SIGTERM, and SIGCONT: what is stopped can then act on it.
    Term,
    /// The unit is killed with SIGKILL.
    Kill,
}

impl Order {
    const fn numbers(self) -> &'static [i32] {
        match self {
            Self::Kill => &[9],
            Self::Term => &[15, 18],
        }
    }
}

/// Whether systemd runs this machine (sd_booted(3)).
pub(crate) fn is_there() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// How long one that did not answer is left alone: many ends may wait for it, one after another.
const REST: Duration = Duration::from_secs(5);

/// The ways to them. The connection to the bus is made when it is first needed, and again when it is lost.
pub(crate) struct Systemd {
    bus: Mutex<Option<Connection>>,
    /// When each did not answer last, by the boot clock.
    silent: Mutex<BTreeMap<&'static str, Duration>>,
    runtime: SharedRuntime,
}

const SYSTEMD: [&str; 3] =
    ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"];
const LOGIND: [&str; 3] =
    ["org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"];

impl Systemd {
    /// Nothing is connected yet.
    pub(crate) fn new(runtime: SharedRuntime) -> Self {
        Self { bus: Mutex::new(None), silent: Mutex::default(), runtime }
    }

    /// Puts processes into a scope of their own, with all that they start from now on, and has the host end that after so
    /// long. Returns when the first is in there. Tried again until then, by the boot clock.
    pub(crate) async fn enclose(
        &self,
        unit: &Unit,
        (whom, pids): (Leader, Vec<u32>),
        slice: &str,
        limit: Duration,
        until: Duration,
    ) -> Result<(), NoSystemd> {
        let properties: Vec<(&str, Variant<'_>)> = vec![
            ("Description", "A session that jitd admitted".into()),
            ("Slice", slice.into()),
            ("PIDs", pids.into()),
            ("CollectMode", "inactive-or-failed".into()),
            ("RuntimeMaxUSec", micros(limit).into()),
            ("TimeoutStopUSec", 5_000_000_u64.into()),
        ];
        let aux: Vec<(&str, Vec<(&str, Variant<'_>)>)> = Vec::new();
        let body = (unit.as_str(), "fail", properties, aux);
        let left = || until.saturating_sub(since_boot());
        // Not to have one costs more than the wait: asked whether or not it answered a moment ago.
        loop {
            match self.ask(SYSTEMD, "StartTransientUnit", &body, left()).await {
                Ok(()) => break,
                // An earlier call got there, and its answer did not come back.
                Err(err) if err.is_unit_exists() => break,
                Err(err) if err.is_final() || left() <= AGAIN => return Err(err),
                Err(_) => self.runtime.sleep(AGAIN).await,
            }
        }
        // It is moved by a job; what the process starts before that would stay outside.
        loop {
            let now = super::processes::read(whom.pid).filter(|now| now.id == whom);
            let Some(now) = now else { return Err(NoSystemd::NotMoved) };
            if now.unit.as_ref() == Some(unit) {
                return Ok(());
            }
            if left().is_zero() {
                return Err(NoSystemd::NotMoved);
            }
            self.runtime.sleep(Duration::from_millis(2)).await;
        }
    }

    /// Runs a site's program as an account without privileges, with what it says written to a file of root's.
    pub(crate) async fn run_as(
        &self,
        unit: &str,
        account: &UserName,
        argv: Vec<String>,
        answer: &Path,
        limit: Duration,
    ) -> Result<(), NoSystemd> {
        const MIB: u64 = 1024 * 1024;
        let program = argv.first().cloned().unwrap_or_default();
        let argv: Vec<String> = argv.iter().map(|argument| literal(argument)).collect();
        let answer = answer.display().to_string();
        let properties: Vec<(&str, Variant<'_>)> = vec![
            ("Description", "A site's program that ends logins".into()),
            ("CollectMode", "inactive-or-failed".into()),
            ("ExecStart", vec![(program, argv, false)].into()),
            ("User", account.as_str().into()),
            ("StandardInput", "null".into()),
            ("StandardOutputFileToTruncate", answer.as_str().into()),
            ("StandardError", "journal".into()),
            ("RuntimeMaxUSec", micros(limit).into()),
            ("TimeoutStopUSec", 1_000_000_u64.into()),
            ("UMask", 0o077_u32.into()),
            ("NoNewPrivileges", true.into()),
            ("CapabilityBoundingSet", 0_u64.into()),
            ("RestrictSUIDSGID", true.into()),
            ("RestrictRealtime", true.into()),
            ("LockPersonality", true.into()),
            ("PrivateTmp", true.into()),
            ("PrivateDevices", true.into()),
            ("ProtectSystem", "strict".into()),
            ("ProtectHome", "yes".into()),
            ("ProtectClock", true.into()),
            ("ProtectKernelTunables", true.into()),
            ("ProtectKernelModules", true.into()),
            ("ProtectKernelLogs", true.into()),
            ("ProtectControlGroups", true.into()),
            ("TasksMax", 64_u64.into()),
            ("MemoryMax", (256 * MIB).into()),
            ("LimitFSIZE", MIB.into()),
            ("LimitCORE", 0_u64.into()),
        ];
        let aux: Vec<(&str, Vec<(&str, Variant<'_>)>)> = Vec::new();
        match self.call(SYSTEMD, "StartTransientUnit", &(unit, "fail", properties, aux)).await {
            // Started by a jitd before this one, or its answer did not come back.
            Err(err) if err.is_unit_exists() => Ok(()),
            outcome => outcome,
        }
    }

    /// Sends a signal to everything in a unit, and in those below it.
    pub(crate) async fn kill(&self, unit: &str, order: Order) -> Result<(), NoSystemd> {
        for number in order.numbers() {
            self.call(SYSTEMD, "KillUnit", &(unit, "all", *number)).await?;
        }
        Ok(())
    }

    /// Stops a unit.
    pub(crate) async fn stop(&self, unit: &str) -> Result<(), NoSystemd> {
        self.call(SYSTEMD, "StopUnit", &(unit, "replace")).await
    }

    /// Has systemd and logind forget a login's scope, and its session, that nothing runs in any more. Mostly neither is
    /// there.
    pub(crate) async fn forget(&self, unit: &Unit) {
        let name = unit.as_str();
        if let Some(id) = name.strip_prefix("session-").and_then(|name| name.strip_suffix(".scope")) {
            drop(self.call(LOGIND, "TerminateSession", &(id,)).await);
        }
        drop(self.stop(name).await);
        drop(self.call(SYSTEMD, "ResetFailedUnit", &(name,)).await);
    }

    /// Lets go on what was frozen: in some kernels what is frozen cannot be killed.
    pub(crate) async fn thaw(&self, unit: &str) -> Result<(), NoSystemd> {
        self.call(SYSTEMD, "ThawUnit", &(unit,)).await
    }

    /// Has a person's manager started no more without a login.
    pub(crate) async fn do_not_linger(&self, uid: Uid) -> Result<(), NoSystemd> {
        self.call(LOGIND, "SetUserLinger", &(uid.as_u32(), false, false)).await
    }

    /// Has the host end each of these scopes so long after it began, or never, in the place of what was said when it did.
    pub(crate) async fn set_limits(&self, limits: &[(&Unit, Option<Duration>)]) -> Result<(), NoSystemd> {
        let mut by_file = false;
        for (unit, limit) in limits {
            let micros = limit.map_or(u64::MAX, micros);
            let properties = vec![("RuntimeMaxUSec", Variant::from(micros))];
            match self.call(SYSTEMD, "SetUnitProperties", &(unit.as_str(), true, properties)).await {
                Ok(()) => {}
                Err(err) if err.is_no_such_unit() => {}
                // Before systemd 253 a scope that runs takes this from its files alone.
                Err(err) if err.is_answer() => {
                    let folder = drop_in(unit);
                    let limit =
                        limit.map_or_else(|| "infinity".to_owned(), |limit| limit.as_secs().to_string());
                    fs::create_dir_all(&folder)?;
                    fs::write(folder.join("50-jitd.conf"), format!("[Scope]\nRuntimeMaxSec={limit}\n"))?;
                    by_file = true;
                }
                Err(err) => return Err(err),
            }
        }
        if by_file { self.ask(SYSTEMD, "Reload", &(), RELOAD_LIMIT).await } else { Ok(()) }
    }

    /// Asks, unless whoever is asked did not answer a moment ago.
    async fn call(
        &self,
        whom: [&'static str; 3],
        method: &str,
        body: &(impl Serialize + DynamicType),
    ) -> Result<(), NoSystemd> {
        let rests = |at: &Duration| since_boot().saturating_sub(*at) < REST;
        if lock(&self.silent).get(whom[0]).is_some_and(rests) {
            return Err(NoSystemd::Silent);
        }
        let outcome = self.ask(whom, method, body, LIMIT).await;
        if matches!(outcome, Err(NoSystemd::Silent)) {
            lock(&self.silent).insert(whom[0], since_boot());
        }
        outcome
    }

    async fn ask(
        &self,
        whom: [&'static str; 3],
        method: &str,
        body: &(impl Serialize + DynamicType),
        limit: Duration,
    ) -> Result<(), NoSystemd> {
        if !is_there() {
            return Err(NoSystemd::Absent);
        }
        if whom == SYSTEMD && Path::new(direct::SOCKET).exists() {
            let [to, path, interface] = whom;
            let call = Message::method_call(path, method).destination(to).interface(interface).build(body)?;
            let asked = direct::call(&self.runtime, &call);
            return match self.runtime.timeout(limit, asked).await.map_err(|_| NoSystemd::Silent)?? {
                Answer::Done => Ok(()),
                Answer::Error(name, text) => Err(NoSystemd::Said { name, text }),
            };
        }
        self.ask_on_bus(whom, method, body, limit).await
    }

    async fn ask_on_bus(
        &self,
        [to, path, interface]: [&'static str; 3],
        method: &str,
        body: &(impl Serialize + DynamicType),
        limit: Duration,
    ) -> Result<(), NoSystemd> {
        let asked = async {
            let bus = self.bus().await?;
            bus.call_method(Some(to), path, Some(interface), method, body).await.map(drop)
        };
        let outcome = match self.runtime.timeout(limit, asked).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(err)) if is_answer(&err) => return Err(NoSystemd::Refused(err)),
            Ok(Err(err)) => NoSystemd::Refused(err),
            Err(_) => NoSystemd::Silent,
        };
        // The next one makes a connection of its own.
        *lock(&self.bus) = None;
        Err(outcome)
    }

    async fn bus(&self) -> zbus::Result<Connection> {
        let known = lock(&self.bus).clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let made = for_questions().await?;
        *lock(&self.bus) = Some(made.clone());
        Ok(made)
    }
}

fn micros(limit: Duration) -> u64 {
    u64::try_from(limit.as_micros()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether somebody at the other end said no, by a name of their own or by one that D-Bus has.
fn is_answer(err: &zbus::Error) -> bool {
    use zbus::fdo::Error as Known;
    if let zbus::Error::FDO(known) = err {
        return !matches!(**known, Known::NoReply(_) | Known::Disconnected(_) | Known::Timeout(_));
    }
    matches!(err, zbus::Error::MethodError(..))
}

fn drop_in(unit: &Unit) -> PathBuf {
    Path::new(RUNTIME_UNITS).join(format!("{unit}.d"))
}

/// Takes away what [`Systemd::set_limits`] wrote: the scope is gone.
pub(crate) fn forget_limit(unit: &Unit) {
    let folder = drop_in(unit);
    if folder.is_dir()
        && let Err(err) = fs::remove_dir_all(&folder)
    {
        crate::log::warning(format_args!("{}: {err}", folder.display()));
    }
}

/// An argument as systemd hands it on unchanged: it expands `$NAME` and `${NAME}` in those of a service, and takes `$$` for
/// one `$` (systemd.service(5), "Command lines"). Names of accounts may have one.
fn literal(argument: &str) -> String {
    argument.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_an_account_becomes_anothers_on_its_way_through_systemd() {
        for (name, handed) in [
            ("maria", "maria"),
            ("host$", "host$$"),
            ("mar${X}ia", "mar$${X}ia"),
            ("$HOME", "$$HOME"),
            ("a$$b", "a$$$$b"),
        ] {
            assert_eq!(literal(name), handed);
        }
    }
}
