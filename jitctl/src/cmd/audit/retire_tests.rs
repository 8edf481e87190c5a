//! `jitctl retire`, over a log that grows as jitd's does.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::Read;
use std::path::PathBuf;

use jit_core::model::{CarriedBy, Scope};
use jit_proto::audit::Carried;
use jit_proto::manager::{Lock, Session, Status};
use tempfile::TempDir;

use super::proof_tests::{Live, verify};
use super::tests::{Log, written};
use crate::call::Call;
use crate::cmd::session::tests::session;
use crate::error::Error;
use crate::jitd::Jitd;
use crate::testing::{Ran, jitctl, jitctl_typing, status};
use crate::wakes::Wakes;

/// A host with this many sessions that end one by one once it is locked.
struct Host {
    live: Live,
    lock: RefCell<Option<Lock>>,
    sessions: Cell<usize>,
    /// How many come before the lock does.
    come: Cell<usize>,
    locked: Cell<usize>,
    carried: Cell<usize>,
}

impl Host {
    fn with(sessions: usize) -> Self {
        let live = Live::of(Log::new());
        let (come, locked, carried) = (Cell::new(0), Cell::new(0), Cell::new(0));
        Self { live, lock: RefCell::new(None), sessions: Cell::new(sessions), come, locked, carried }
    }
}

fn said(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

impl Jitd for Host {
    #[allow(clippy::wildcard_enum_match_arm, reason = "what reads the log is asked of the log")]
    fn ask(&self, call: &Call) -> Result<String, Error> {
        match call {
            Call::Status => {
                let locks = self.lock.borrow().iter().cloned().collect();
                Ok(said(&Status { locks, carried: None, audit_records: Some(7), ..status() }))
            }
            Call::Sessions => {
                let sessions: Vec<Session> = vec![session(); self.sessions.get()];
                if self.lock.borrow().is_some() {
                    self.sessions.set(self.sessions.get().saturating_sub(1));
                }
                Ok(said(&sessions))
            }
            Call::List { .. } => Ok("[]".to_owned()),
            Call::Lock { scope, message, seconds: 0, unknown: false } => {
                assert_eq!(*scope, Scope::Host);
                self.locked.set(self.locked.get() + 1);
                self.sessions.set(self.sessions.get() + self.come.get());
                let lock = Lock {
                    scope: scope.to_string(),
                    message: message.as_ref().map(ToString::to_string),
                    by: "root".to_owned(),
                    at: "2026-11-29T12:00:30Z".to_owned(),
                    until: None,
                    uids: Vec::new(),
                    note: None,
                };
                *self.lock.borrow_mut() = Some(lock.clone());
                self.live.goes_on();
                Ok(said(&lock))
            }
            Call::Carried { how: how @ CarriedBy::Checkpoint, size } => {
                self.carried.set(self.carried.get() + 1);
                Ok(said(&Carried { how: how.as_str().to_owned(), size: *size }))
            }
            Call::Carried { how: CarriedBy::Export, .. } => {
                let answer = self.live.ask(call);
                // That it left is on record behind what left.
                self.live.goes_on();
                answer
            }
            other => self.live.ask(other),
        }
    }

    fn pipe(&self, call: &Call) -> Result<Option<Box<dyn Read>>, Error> {
        self.live.pipe(call)
    }

    fn wakes(&self) -> Box<dyn Wakes> {
        self.live.wakes()
    }
}

fn file(dir: &TempDir) -> PathBuf {
    dir.path().join("log.jsonl")
}

fn retired(dir: &TempDir, host: &Host, more: &[&str]) -> Ran {
    let to = file(dir).display().to_string();
    jitctl(&[&["retire", "--yes", "--to", &to][..], more].concat(), host)
}

#[test]
fn a_host_that_is_retired_is_locked_its_sessions_end_and_its_log_and_checkpoint_go_along() {
    let (dir, host) = (tempfile::tempdir().unwrap(), Host::with(2));
    let ran = retired(&dir, &host, &["--reason", "CHG-9 sold"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(host.lock.borrow().as_ref().unwrap().message.as_deref(), Some("CHG-9 sold"));
    // The checkpoint alone is on standard output, and the file holds against it.
    assert!(ran.out.starts_with("db-1/jitd\n"), "{}", ran.out);
    assert!(ran.err.contains("2 sessions ended") && ran.err.contains("log.jsonl, verified"), "{}", ran.err);
    assert!(ran.err.contains("    apt-get purge pam-jit"), "{}", ran.err);
    let (log, kept) = (file(&dir).display().to_string(), written(&dir, "kept", &ran.out));
    let proven = verify(&[&log, "--checkpoint", &kept]);
    assert!(proven.code == 0 && proven.out.contains("WHOLE"), "{proven:?}");
    assert_eq!((host.locked.get(), host.carried.get()), (1, 1));
}

#[test]
fn who_came_while_it_was_asked_is_waited_for_and_counted() {
    let (dir, host) = (tempfile::tempdir().unwrap(), Host::with(0));
    host.come.set(2);
    let ran = retired(&dir, &host, &[]);
    assert!(ran.code == 0 && ran.err.contains("2 sessions ended"), "{ran:?}");
    assert_eq!(host.sessions.get(), 0);
}

#[test]
fn a_host_that_was_retired_is_locked_once_and_its_log_goes_into_another_file() {
    let (dir, host) = (tempfile::tempdir().unwrap(), Host::with(0));
    assert_eq!(retired(&dir, &host, &[]).code, 0);
    let before = fs::read(file(&dir)).unwrap();
    // What was written is not written over, and the lock that holds is no other.
    let again = retired(&dir, &host, &[]);
    assert_eq!((again.code, again.out.as_str()), (2, ""));
    assert!(again.err.contains("--to FILE") && again.err.contains("The host is locked"), "{}", again.err);
    assert_eq!(fs::read(file(&dir)).unwrap(), before);
    let other = dir.path().join("again.jsonl").display().to_string();
    let ran = jitctl(&["retire", "--yes", "--to", &other, "--json"], &host);
    let done: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, done["verified"].as_bool(), host.locked.get()), (0, Some(true), 1), "{ran:?}");
    assert_eq!(done["lock"]["message"], "this host is taken out of service");
    assert_eq!(done["left"], serde_json::json!([]));
}

#[test]
fn nothing_is_retired_unasked_and_nothing_is_changed_by_a_no() {
    let (dir, host) = (tempfile::tempdir().unwrap(), Host::with(1));
    let to = file(&dir).display().to_string();
    let ran = jitctl(&["retire", "--to", &to], &host);
    assert!(ran.code == 1 && ran.err.contains("add --yes"), "{ran:?}");
    let ran = jitctl_typing(&["retire", "--to", &to], &host, &["n"]);
    assert!(ran.code == 1 && ran.err.contains("Nothing was changed."), "{ran:?}");
    assert!(ran.err.contains("Sessions that it ends:") && ran.err.contains("7 records"), "{}", ran.err);
    assert_eq!((host.locked.get(), file(&dir).exists()), (0, false));
    let ran = jitctl_typing(&["retire", "--to", &to], &host, &["y"]);
    assert_eq!((ran.code, host.locked.get()), (0, 1), "{ran:?}");
}

#[test]
fn who_may_not_lock_the_host_retires_nothing() {
    struct NotAdmin(Host);
    impl Jitd for NotAdmin {
        fn ask(&self, call: &Call) -> Result<String, Error> {
            if matches!(call, Call::Lock { .. }) {
                return Err(Error::NotPermitted("only an admin may do this".to_owned()));
            }
            self.0.ask(call)
        }

        fn pipe(&self, call: &Call) -> Result<Option<Box<dyn Read>>, Error> {
            self.0.pipe(call)
        }

        fn wakes(&self) -> Box<dyn Wakes> {
            self.0.wakes()
        }
    }
    let (dir, host) = (tempfile::tempdir().unwrap(), NotAdmin(Host::with(0)));
    let to = file(&dir).display().to_string();
    let ran = jitctl(&["retire", "--yes", "--to", &to], &host);
    assert_eq!((ran.code, ran.out.as_str(), file(&dir).exists()), (4, "", false));
    assert!(ran.err.contains("only an admin may do this"), "{}", ran.err);
}
