//! Whether somebody's word proves that people still get in: it has to come from a login that began after the change.
//!
//! An audit session is numbered by the kernel as a login begins, each higher than those before, and no sudo or su changes it.
//! So a login that was there already, with all that it has started, has a number that is not higher than any was then. That
//! the login's first process is younger than the change, too, tells one that was half way in.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jit_core::time::Utc;
use jit_host::doctor::seen::is_login;
use jit_host::logind::{SESSIONS, sessions, value};
use jit_proto::manager::Session;

use super::state::{Now, Trial};
use crate::error::Error;
use crate::times;

/// What the kernel has where there is no login.
const UNSET: u32 = u32::MAX;

/// An audit session that no login is later than.
pub(super) const NONE_IS_LATER: u32 = UNSET - 1;

/// Ticks in a second, in what /proc has of processes (proc(5)): the same on every Linux that we build for.
const TICKS: u64 = 100;

/// Who confirms a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// Its audit session; none outside of a login.
    pub(super) session: Option<u32>,
    /// When the first process of that login that is still above it started, since boot.
    pub(super) began: Option<Duration>,
    /// The PAM service that the login came by, as logind knows.
    pub(super) service: Option<String>,
    /// All logins that logind knows: audit session and PAM service.
    pub(super) logins: Vec<(u32, String)>,
    pub(super) now: Now,
}

impl Caller {
    /// This process, as the kernel and logind have it.
    pub(super) fn here(root: &Path) -> Self {
        let proc = root.join("proc");
        let session = session_of(&proc.join("self")).filter(|session| *session != UNSET);
        let logins = logins(&root.join(SESSIONS.trim_start_matches('/')));
        let own = logins.iter().find(|(of, _)| Some(*of) == session);
        Self {
            session,
            began: session.and_then(|session| began(&proc, session)),
            service: own.map(|(_, service)| service.clone()),
            logins,
            now: Now::read(root),
        }
    }
}

/// The highest audit session that any process has; none where the kernel tells none.
pub(super) fn highest_session(root: &Path) -> Option<u32> {
    let proc = root.join("proc");
    session_of(&proc.join("self"))?;
    let processes = fs::read_dir(&proc).into_iter().flatten().flatten();
    let sessions = processes.filter_map(|entry| session_of(&entry.path()));
    Some(sessions.filter(|session| *session != UNSET).max().unwrap_or(0))
}

fn session_of(process: &Path) -> Option<u32> {
    fs::read_to_string(process.join("sessionid")).ok()?.trim().parse().ok()
}

/// When the first process of a login started: up from this one for as long as they are of it.
fn began(proc: &Path, session: u32) -> Option<Duration> {
    let mut process = proc.join("self");
    let mut first = None;
    let mut seen = BTreeSet::new();
    while session_of(&process) == Some(session) {
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        let (parent, started) = of_stat(&stat)?;
        first = Some(started);
        if !seen.insert(parent) {
            break;
        }
        process = proc.join(parent.to_string());
    }
    first
}

/// The parent of a process and when it started, of proc(5)'s stat: what stands behind its name, which may hold anything.
fn of_stat(stat: &str) -> Option<(u32, Duration)> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(19)?.parse().ok()?;
    Some((fields.get(1)?.parse().ok()?, Duration::from_millis(ticks.saturating_mul(1000 / TICKS))))
}

/// The logins of now: audit session and PAM service.
fn logins(folder: &Path) -> Vec<(u32, String)> {
    let login = |(_, text): (String, String)| {
        Some((value(&text, "AUDIT")?.parse().ok()?, value(&text, "SERVICE")?.to_owned()))
    };
    sessions(folder).filter_map(login).collect()
}

/// Whether this login shows that people get in after the change.
pub(super) fn judge(trial: &Trial, caller: &Caller) -> Result<(), Error> {
    let refused = |text: String| Err(Error::Refused(text));
    if trial.is_due(&caller.now) {
        return refused("the time to confirm is over; the old files are coming back".to_owned());
    }
    let Some(session) = caller.session else {
        return refused(
            "this process belongs to no login, and proves nothing; log in anew, and type it there".to_owned(),
        );
    };
    // The kernel counts in hundredths of a second: what is as old as the change may be a little older.
    let is_before = caller.began.is_none_or(|began| began <= Duration::from_millis(trial.began));
    if session <= trial.highest || is_before {
        return refused(
            "this login began before the change, and proves nothing; log in anew, and type it there"
                .to_owned(),
        );
    }
    let ways = ways(trial);
    match &caller.service {
        Some(service) if !ways.is_empty() && !ways.contains(&service.as_str()) => refused(format!(
            "this login came by {service}, which was not changed; log in by {}, and type it there",
            ways.join(" or ")
        )),
        _ => Ok(()),
    }
}

/// Whether somebody got in where a refusal would have kept them out: a window let them, and nobody exempts them.
pub(super) fn judge_window(trial: &Trial, caller: &Caller, sessions: &[Session]) -> Result<(), Error> {
    let ways = ways(trial);
    let passed = caller.now.since_boot.saturating_sub(Duration::from_millis(trial.began));
    let began = times::now().minus(passed);
    let is_proof = |one: &&Session| {
        let by_login =
            caller.session.is_some() && one.audit == caller.session && ways.contains(&one.service.as_str());
        // Nobody logs in by sudo: what counts is that it let somebody through since.
        let through = ways.is_empty()
            && trial.services.contains(&one.service)
            && one.since.parse().is_ok_and(|since: Utc| since >= began);
        by_login || through
    };
    if sessions.iter().any(|one| is_proof(&one)) {
        return Ok(());
    }
    let how = if ways.is_empty() {
        format!(
            "have somebody use {} by a window, and type it while they are in it",
            trial.services.join(" or ")
        )
    } else {
        format!("log in by {} as somebody with a window, become root there, and type it", ways.join(" or "))
    };
    Err(Error::Refused(format!(
        "this login did not come by a window, so it proves nothing of those who need one; {how}"
    )))
}

/// Those of the changed services that people log in by.
fn ways(trial: &Trial) -> Vec<&str> {
    trial.services.iter().map(String::as_str).filter(|name| is_login(name)).collect()
}

/// Those of them by which no login came since that logind knows: a confirmation shows nothing of them.
pub(super) fn unproven<'t>(trial: &'t Trial, caller: &Caller) -> Vec<&'t str> {
    let came_by = |name: &str| {
        let mut since = caller.logins.iter().filter(|(session, _)| *session > trial.highest);
        since.any(|(session, service)| *session != UNSET && service == name)
    };
    ways(trial).into_iter().filter(|name| !came_by(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::enabling::state::Kind;

    fn trial(services: &[&str]) -> Trial {
        Trial {
            kind: Kind::Enable,
            services: services.iter().map(|name| (*name).to_owned()).collect(),
            boot: "b".into(),
            began: 100_000,
            limit: 300_000,
            highest: 7,
        }
    }

    fn caller(session: Option<u32>, began: u64, service: Option<&str>, now: u64) -> Caller {
        Caller {
            session,
            began: Some(Duration::from_secs(began)),
            service: service.map(str::to_owned),
            logins: session.zip(service.map(str::to_owned)).into_iter().collect(),
            now: Now { boot: "b".into(), since_boot: Duration::from_secs(now) },
        }
    }

    fn said(trial: &Trial, caller: &Caller) -> String {
        judge(trial, caller).err().map(|why| why.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_login_of_after_the_change_by_the_service_that_was_changed_confirms_it_and_no_other() {
        let trial = trial(&["sshd", "sudo"]);
        assert_eq!(said(&trial, &caller(Some(8), 101, Some("sshd"), 120)), "");
        assert_eq!(said(&trial, &caller(Some(8), 101, None, 120)), "", "where logind knows nothing of it");
        for (caller, why) in [
            // The same login, or one that was there, whatever it has started since.
            (caller(Some(7), 101, Some("sshd"), 120), "before the change"),
            (caller(Some(3), 101, Some("sshd"), 120), "before the change"),
            // It was half way in.
            (caller(Some(8), 99, Some("sshd"), 120), "before the change"),
            (caller(Some(8), 100, Some("sshd"), 120), "before the change"),
            (Caller { began: None, ..caller(Some(8), 101, Some("sshd"), 120) }, "before the change"),
            (caller(None, 101, Some("sshd"), 120), "belongs to no login"),
            (caller(Some(8), 101, Some("login"), 120), "came by login"),
            (caller(Some(8), 101, Some("sshd"), 400), "time to confirm is over"),
        ] {
            let said = said(&trial, &caller);
            assert!(said.contains(why), "{caller:?}: {said}");
        }
        let rebooted = Now { boot: "c".into(), since_boot: Duration::from_secs(1) };
        assert!(trial.is_due(&rebooted), "another boot is the end of it, however young");
    }

    #[test]
    fn a_login_between_the_first_file_and_the_last_confirms_nothing() {
        let written = trial(&["sshd"]);
        let between = Trial { highest: NONE_IS_LATER, ..written.clone() };
        for session in [8, NONE_IS_LATER] {
            assert!(
                said(&between, &caller(Some(session), 101, Some("sshd"), 120)).contains("before the change")
            );
        }
        // It came while the files were written: by its session, and by its start.
        let now = Now { boot: "b".into(), since_boot: Duration::from_secs(102) };
        let begun = between.begun(&now, 8);
        assert!(said(&begun, &caller(Some(8), 103, Some("sshd"), 120)).contains("before the change"));
        assert!(said(&begun, &caller(Some(9), 101, Some("sshd"), 120)).contains("before the change"));
        assert_eq!(said(&begun, &caller(Some(9), 103, Some("sshd"), 120)), "");
        assert_eq!(begun, Trial { began: 102_000, highest: 8, ..written });
    }

    #[test]
    fn what_a_confirmation_does_not_show_is_named() {
        let trial = trial(&["sshd", "login", "sudo"]);
        let mut by_sshd = caller(Some(8), 101, Some("sshd"), 120);
        assert_eq!(unproven(&trial, &by_sshd), ["login"]);
        by_sshd.logins.push((7, "login".to_owned()));
        assert_eq!(unproven(&trial, &by_sshd), ["login"], "it was there before");
        by_sshd.logins.push((UNSET, "login".to_owned()));
        assert_eq!(unproven(&trial, &by_sshd), ["login"], "it has no audit session");
        by_sshd.logins.push((9, "login".to_owned()));
        assert_eq!(unproven(&trial, &by_sshd), [""; 0]);
    }

    #[test]
    fn nobody_logs_in_by_sudo_so_that_any_new_login_confirms_it() {
        assert_eq!(said(&trial(&["sudo", "sudo-i"]), &caller(Some(8), 101, Some("login"), 120)), "");
    }

    #[test]
    fn the_pipes_of_logind_are_never_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        // As logind has it, and by a name that might be a session's.
        for name in ["8.ref", "9"] {
            nix::unistd::mkfifo(&path.join(name), nix::sys::stat::Mode::S_IRUSR).unwrap();
        }
        fs::write(path.join("8"), "UID=1\nAUDIT=8\nSERVICE=sshd\n").unwrap();
        fs::write(path.join("10.tmp"), "AUDIT=10\nSERVICE=half-written\n").unwrap();
        let (told, answer) = std::sync::mpsc::channel();
        std::thread::spawn(move || told.send(logins(&path)));
        let found = answer.recv_timeout(Duration::from_secs(60)).expect("it waits for a pipe");
        assert_eq!(found, [(8, "sshd".to_owned())]);
    }

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        let stat = "42 (a) b) (c) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1 1";
        assert_eq!(of_stat(stat), Some((7, Duration::from_millis(123_450))));
    }
}
