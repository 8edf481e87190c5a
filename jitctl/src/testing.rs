//! A scripted jitd, and answers for it to give.

use std::cell::RefCell;

use jit_proto::manager::{Check, Entry, Policy, PolicyFile, PolicySummary, Review, Status};
use jit_proto::words::Verdict;
use serde::Serialize;

use crate::error::Error;
use crate::jitd::{Call, Jitd};
use crate::run::run;
use crate::screen::Screen;

/// Expects exactly one call, and answers it as told.
pub(crate) struct Script {
    expected: Call,
    answer: RefCell<Option<Result<String, Error>>>,
}

impl Script {
    pub(crate) fn answers(expected: Call, value: &impl Serialize) -> Self {
        Self::says(expected, &serde_json::to_string(value).unwrap())
    }

    pub(crate) fn says(expected: Call, text: &str) -> Self {
        Self { expected, answer: RefCell::new(Some(Ok(text.to_owned()))) }
    }

    pub(crate) fn fails(expected: Call, error: Error) -> Self {
        Self { expected, answer: RefCell::new(Some(Err(error))) }
    }
}

impl Jitd for Script {
    fn ask(&self, call: &Call) -> Result<String, Error> {
        assert_eq!(call, &self.expected);
        self.answer.take().expect("asked once")
    }
}

/// For commands that must not reach jitd.
pub(crate) struct Nobody;

impl Jitd for Nobody {
    fn ask(&self, call: &Call) -> Result<String, Error> {
        panic!("nothing may be sent, and {call:?} was");
    }
}

/// What a command printed and returned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn new(code: u8, out: &str, err: &str) -> Self {
        Self { code, out: out.to_owned(), err: err.to_owned() }
    }
}

/// Runs `jitctl` as uid 1000 with stdout in a pipe.
pub(crate) fn jitctl(args: &[&str], jitd: &dyn Jitd) -> Ran {
    ran(args, jitd, false)
}

/// The same with stdout on a terminal.
pub(crate) fn jitctl_on_a_terminal(args: &[&str], jitd: &dyn Jitd) -> Ran {
    ran(args, jitd, true)
}

fn ran(args: &[&str], jitd: &dyn Jitd, terminal: bool) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = ["jitctl"].iter().chain(args).map(|arg| (*arg).into());
    let code = run(args, jitd, Some(1000), &mut Screen::new(&mut out, &mut err, terminal));
    Ran { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

pub(crate) fn active() -> Entry {
    Entry {
        request: "r-4k7m2qx9".into(),
        grant: Some("g-4k7m2qx9".into()),
        state: "active".into(),
        ended: None,
        user: "maria".into(),
        uid: 1000,
        role: "db-oncall".into(),
        services: vec!["sshd".into(), "sudo".into()],
        duration: 1800,
        start: Some("2026-11-23T08:21:00Z".into()),
        end: Some("2026-11-23T08:51:00Z".into()),
        remaining: 1790,
        uses: None,
        used: 1,
        reason: "INC-1234 failover of db-07".into(),
        requested_by: "otto".into(),
        requested_at: "2026-11-23T08:20:58.25Z".into(),
        digest: "ab".repeat(32),
        reviews: vec![Review {
            by: "otto".into(),
            decision: "approve".into(),
            stage: "team lead".into(),
            method: "online".into(),
            at: "2026-11-23T08:20:58.25Z".into(),
        }],
        waiting_for: String::new(),
    }
}

pub(crate) fn pending() -> Entry {
    Entry {
        grant: None,
        state: "pending".into(),
        start: None,
        end: None,
        remaining: 0,
        used: 0,
        uses: Some(1),
        waiting_for: "security: 2 more approvals".into(),
        ..active()
    }
}

pub(crate) fn ended() -> Entry {
    Entry { state: "ended".into(), ended: Some("revoked".into()), remaining: 0, ..active() }
}

pub(crate) fn allowed() -> Check {
    Check {
        service: "sshd".into(),
        user: "maria".into(),
        verdict: Verdict::Allow,
        reason: "window".into(),
        text: String::new(),
        role: Some("db-oncall".into()),
        grant: Some("g-4k7m2qx9".into()),
        until: Some("2026-11-23T08:51:00Z".into()),
    }
}

pub(crate) fn denied() -> Check {
    Check {
        verdict: Verdict::Deny,
        reason: "no-window".into(),
        text: "No window is open for you on this host. Ask an admin for one.".into(),
        role: None,
        grant: None,
        until: None,
        ..allowed()
    }
}

pub(crate) fn status() -> Status {
    Status {
        version: "0.1.0".into(),
        host: "db-07".into(),
        ready: true,
        notes: Vec::new(),
        policy: summary(),
        active: vec![active()],
        audit_records: Some(128),
        unsent: Some(vec![("journal".into(), 0), ("syslog".into(), 3)]),
    }
}

pub(crate) fn summary() -> PolicySummary {
    PolicySummary {
        digest: Some("cd".repeat(32)),
        loaded_at: Some("2026-11-22T18:00:00Z".into()),
        source: Some("files".into()),
        roles: 4,
        files_current: true,
        trial: None,
    }
}

pub(crate) fn no_policy() -> PolicySummary {
    PolicySummary { digest: None, loaded_at: None, source: None, roles: 0, files_current: true, trial: None }
}

pub(crate) fn policy() -> Policy {
    Policy {
        summary: summary(),
        files: vec![PolicyFile { name: "10-roles.toml".into(), text: "version = 1\n".into() }],
        warnings: Vec::new(),
    }
}
