//! A scripted jitd, and answers for it to give.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{Cursor, Read};
use std::path::Path;
use std::time::Duration;

use jit_core::proof::note::HostKey;
use jit_proto::manager::{
    Check, Entry, Lock, Policy, PolicyFile, PolicySummary, Review, Role, RoleStage, Status, Unsent,
    WaitingFor,
};
use jit_proto::words::Verdict;
use serde::Serialize;

use crate::call::Call;
use crate::error::Error;
use crate::jitd::Jitd;
use crate::run::run;
use crate::screen::Screen;
use crate::terminal::keyboard::{Keyboard, Typed};
use crate::wakes::{Wake, Wakes};

/// Expects these calls and no others, in this order, and answers them as told.
pub(crate) struct Script {
    lines: RefCell<VecDeque<(Call, Result<String, Error>)>>,
    /// What ends each wait; when there is no more, the person interrupts.
    wakes: RefCell<VecDeque<(Wake, Duration)>>,
    /// What comes over pipes; when there is no more, there is no pipe to be had.
    pipes: RefCell<VecDeque<(Call, Vec<u8>)>>,
}

impl Script {
    pub(crate) fn answers(expected: Call, value: &(impl Serialize + ?Sized)) -> Self {
        Self::says(expected, &serde_json::to_string(value).unwrap())
    }

    pub(crate) fn says(expected: Call, text: &str) -> Self {
        Self::first(expected, Ok(text.to_owned()))
    }

    pub(crate) fn fails(expected: Call, error: Error) -> Self {
        Self::first(expected, Err(error))
    }

    fn first(expected: Call, answer: Result<String, Error>) -> Self {
        Self {
            lines: RefCell::new([(expected, answer)].into()),
            wakes: RefCell::default(),
            pipes: RefCell::default(),
        }
    }

    /// And after that the other.
    pub(crate) fn then(self, other: Self) -> Self {
        self.lines.borrow_mut().append(&mut other.lines.borrow_mut());
        self.pipes.borrow_mut().append(&mut other.pipes.borrow_mut());
        self
    }

    /// With this over the first pipe that is asked for, which has to be by that call.
    pub(crate) fn piping(self, expected: Call, bytes: Vec<u8>) -> Self {
        self.pipes.borrow_mut().push_back((expected, bytes));
        self
    }

    pub(crate) fn waking(self, wakes: &[(Wake, Duration)]) -> Self {
        self.wakes.borrow_mut().extend(wakes);
        self
    }
}

/// What was expected and never came is a failure too.
impl Drop for Script {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(
                self.lines.borrow().iter().map(|(call, _)| call).collect::<Vec<_>>(),
                [] as [&Call; 0]
            );
        }
    }
}

struct Scripted(VecDeque<(Wake, Duration)>);

impl Wakes for Scripted {
    fn wait(&mut self, _: Duration) -> (Wake, Duration) {
        self.0.pop_front().unwrap_or((Wake::Interrupted, Duration::ZERO))
    }

    fn read_keys(&mut self) {}
}

impl Jitd for Script {
    fn ask(&self, call: &Call) -> Result<String, Error> {
        let (expected, answer) = self.lines.borrow_mut().pop_front().expect("no more is asked");
        assert_eq!(*call, expected);
        answer
    }

    fn pipe(&self, call: &Call) -> Result<Option<Box<dyn Read>>, Error> {
        let Some((expected, bytes)) = self.pipes.borrow_mut().pop_front() else { return Ok(None) };
        assert_eq!(*call, expected);
        Ok(Some(Box::new(Cursor::new(bytes))))
    }

    fn wakes(&self) -> Box<dyn Wakes> {
        Box::new(Scripted(self.wakes.take()))
    }
}

/// For commands that must not reach jitd.
pub(crate) struct Nobody;

impl Jitd for Nobody {
    fn ask(&self, call: &Call) -> Result<String, Error> {
        panic!("nothing may be sent, and {call:?} was");
    }

    fn pipe(&self, call: &Call) -> Result<Option<Box<dyn Read>>, Error> {
        panic!("nothing may be sent, and {call:?} was");
    }

    fn wakes(&self) -> Box<dyn Wakes> {
        panic!("nothing may be waited for");
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

/// The same with a person at the terminal, who types these lines and then leaves. All of them have to be read.
pub(crate) fn jitctl_typing(args: &[&str], jitd: &dyn Jitd, lines: &[&str]) -> Ran {
    let mut person = Person(lines.iter().map(|line| (*line).to_owned()).collect());
    let ran = ran_by(args, jitd, true, Some(&mut person));
    assert_eq!(person.0, [] as [&str; 0], "{ran:?}");
    ran
}

struct Person(VecDeque<String>);

impl Keyboard for Person {
    fn line(&mut self) -> Typed {
        self.0.pop_front().map_or(Typed::End, Typed::Line)
    }
}

fn ran(args: &[&str], jitd: &dyn Jitd, terminal: bool) -> Ran {
    ran_by(args, jitd, terminal, None)
}

fn ran_by(args: &[&str], jitd: &dyn Jitd, terminal: bool, keyboard: Option<&mut dyn Keyboard>) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = ["jitctl"].iter().chain(args).map(|arg| (*arg).into());
    let mut screen = Screen::new(&mut out, &mut err, terminal);
    if let Some(keyboard) = keyboard {
        screen = screen.asking(keyboard);
    }
    let code = run(args, jitd, Some(1000), Path::new("/nonexistent"), &mut screen);
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
        person: None,
        role: "db-oncall".into(),
        services: vec!["sshd".into(), "sudo".into()],
        duration: 1800,
        asked_start: None,
        extends: None,
        before: None,
        emergency: false,
        ticket: None,
        despite: Vec::new(),
        by_policy: false,
        review_owed: false,
        begins: None,
        usable_from: None,
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
            seconds: None,
            services: None,
            uses: None,
            note: None,
            signed: None,
            code: None,
        }],
        waiting_for: None,
        until: None,
        not_counted: None,
        hours: Vec::new(),
        from: Vec::new(),
        targets: Vec::new(),
        first_use: None,
        ahead: None,
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
        waiting_for: approvals("2 approvals from @security (stage 'security')"),
        ..active()
    }
}

/// What is said of a request that waits.
#[allow(clippy::unnecessary_wraps, reason = "as the field has it")]
pub(crate) fn approvals(text: &str) -> Option<WaitingFor> {
    Some(WaitingFor {
        code: "approvals".into(),
        text: text.into(),
        stage: Some("security".into()),
        note: None,
        approvals: 1,
        users: Vec::new(),
        groups: vec!["security".into()],
    })
}

/// Approved, for the night.
pub(crate) fn scheduled() -> Entry {
    Entry {
        state: "scheduled".into(),
        asked_start: Some("2026-11-23T22:00:00Z".into()),
        begins: Some("at 2026-11-23T22:00:00Z".into()),
        start: None,
        end: None,
        remaining: 0,
        ..active()
    }
}

/// Opened before anybody approved it.
pub(crate) fn emergency() -> Entry {
    Entry {
        role: "break-glass".into(),
        emergency: true,
        review_owed: true,
        reviews: Vec::new(),
        requested_by: "maria".into(),
        waiting_for: approvals("1 approval from @security (stage 'after the fact')"),
        ..active()
    }
}

/// One that somebody has narrowed, and that the caller is asked about.
pub(crate) fn waiting() -> Entry {
    let narrowed = Review {
        seconds: Some(900),
        services: Some(vec!["sshd".into()]),
        uses: Some(1),
        note: Some("ring me first".into()),
        ..active().reviews.remove(0)
    };
    Entry {
        request: "r-7hq2m9xk".into(),
        user: "tom".into(),
        uid: 1001,
        requested_by: "tom".into(),
        reviews: vec![narrowed],
        waiting_for: approvals("1 approval from @security (stage 'security')"),
        until: Some("2026-11-23T16:21:00Z".into()),
        ..pending()
    }
}

pub(crate) fn role() -> Role {
    Role {
        role: "db-oncall".into(),
        summary: Some("On-call shell on the databases".into()),
        services: vec!["sshd".into(), "sudo".into()],
        default_duration: 1800,
        max_duration: 14_400,
        uses: None,
        hours: Vec::new(),
        from: Vec::new(),
        targets: Vec::new(),
        stages: vec![RoleStage {
            name: "team lead".into(),
            approvers: "@dba-leads".into(),
            approvals: 1,
            above: None,
            note: None,
            expires: Some(28_800),
            then: Some("@bosses".into()),
            accept: vec!["online".into()],
        }],
        reason: Some("a ticket, like INC-1234".into()),
        emergency: false,
        with_hours: false,
        until: None,
        apart: Vec::new(),
        limits: None,
        unreviewed: None,
    }
}

pub(crate) fn lock() -> Lock {
    Lock {
        scope: "role:db-oncall".into(),
        message: Some("migration".into()),
        by: "otto".into(),
        at: "2026-11-23T08:00:00Z".into(),
        until: Some("2026-11-23T09:00:00Z".into()),
        uids: Vec::new(),
        note: None,
    }
}

pub(crate) fn ended() -> Entry {
    Entry { state: "ended".into(), ended: Some("revoked".into()), remaining: 0, ..active() }
}

pub(crate) fn allowed() -> Check {
    Check {
        service: "sshd".into(),
        user: "maria".into(),
        person: None,
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

/// The key of the host.
pub(crate) fn host_key() -> HostKey {
    HostKey::from_seed("db-07/jitd".parse().unwrap(), &[7; 32])
}

pub(crate) fn status() -> Status {
    Status {
        version: "0.1.0".into(),
        host: "db-07".into(),
        ready: true,
        notes: Vec::new(),
        policy: summary(),
        active: vec![active()],
        to_review: 0,
        locks: Vec::new(),
        audit_records: Some(128),
        unsent: Some(vec![
            Unsent { log: "journal".into(), records: 0 },
            Unsent { log: "syslog".into(), records: 3 },
        ]),
        carried: None,
        key: Some(host_key().public().to_string()),
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
        waiting: None,
    }
}

pub(crate) fn no_policy() -> PolicySummary {
    PolicySummary {
        digest: None,
        loaded_at: None,
        source: None,
        roles: 0,
        files_current: true,
        trial: None,
        waiting: None,
    }
}

pub(crate) fn policy() -> Policy {
    Policy {
        summary: summary(),
        files: vec![PolicyFile { name: "10-roles.toml".into(), text: "version = 1\n".into() }],
        warnings: Vec::new(),
    }
}
