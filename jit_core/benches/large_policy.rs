//! What 10,000 roles cost: to read them, to explain an answer over all of them, and to answer a check that only one
//! of them, or few, or all of them concern. `cargo bench -p jit_core` prints two tables in Markdown, with medians.
//! Nothing here fails because of the time it took; every answer must be the right one.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for people who measure")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use jit_core::check::decide::decide;
use jit_core::check::explain::{explain, refusal};
use jit_core::context::Context;
use jit_core::event::Record;
use jit_core::model::{Caller, Known, Login, LoginAccount as Behind, Question, Why};
use jit_core::orders::request::{RequestOrder, grant};
use jit_core::policy::{Host, Policy, SourceFile, Subject, Ways};
use jit_core::state::State;
use jit_core::tickets::Register;
use jit_core::time::{BootId, Moment};
use jit_proto::gate::Stage;
use jit_proto::words::{RequestId, Uid};

const ROLES: usize = 10_000;

/// Roles of one file: a file may be 1 MiB long.
const A_FILE: usize = 1_000;

fn main() {
    println!("| {ROLES} roles | files | to load | to explain | roles explained |\n|---|---|---|---|---|");
    for (what, lines) in KINDS {
        let files = files(ROLES, lines);
        let bytes = files.iter().map(|file| file.bytes.len()).sum::<usize>();
        let load = median(9, || Policy::parse(&files).unwrap());
        let host = World::new(&files);
        let question = World::question();
        let explaining = median(9, || explain(&host.policy, &host.state, &host.host, &question, &host.now));
        let roles = explain(&host.policy, &host.state, &host.host, &question, &host.now).roles.len();
        println!("| {what} | {} KiB | {} | {} | {roles} |", bytes / 1024, shown(load), shown(explaining));
    }

    println!("\n| a check of maria's at sshd | 10 roles | {ROLES} roles | ratio |\n|---|---|---|---|");
    for (what, lines) in OTHERS {
        let [few, many] = [10, ROLES].map(|count| World::new(&files(count, lines)));
        compare("with a window", what, few.check(Why::Window), many.check(Why::Window));
        let [few, many] = [few, many].map(|world| World { state: State::default(), ..world });
        compare("without one", what, few.check(Why::NoWindow), many.check(Why::NoWindow));
        compare("without one, and the line", what, few.refuse(), many.refuse());
    }
}

fn compare(window: &str, what: &str, few: Duration, many: Duration) {
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    println!("| {window}; the other roles are {what} | {} | {} | {ratio:.1} |", shown(few), shown(many));
}

/// The lines of role `n` beside its hosts and its longest time.
type Lines = fn(usize) -> String;

const KINDS: [(&str, Lines); 8] = [
    ("each of a service, people and approvers of its own", |n| {
        format!(
            "services = [\"s{n}\"]\neligible.groups = [\"g{n}\"]\nstage = [{{ approvers.groups = [\"l{n}\"] }}]\n"
        )
    }),
    ("all of one service, for other people", |n| {
        format!(
            "services = [\"sshd\"]\neligible.groups = [\"g{n}\"]\nstage = [{{ approvers.groups = [\"l\"] }}]\n"
        )
    }),
    ("all of one service, for her, from other addresses", |n| {
        format!(
            "services = [\"sshd\"]\neligible.users = [\"maria\"]\nfrom = [\"10.{}.{}.0/24\"]\n\
             hours = [{{ days = \"mon-fri\", from = \"07:00\", to = \"09:00\", tz = \"Europe/Berlin\" }}]\n\
             stage = [{{ approvers.groups = [\"l{n}\"] }}]\n",
            n / 250,
            n % 250
        )
    }),
    ("all of one service, for her, at other hours", |n| {
        format!(
            "services = [\"sshd\"]\neligible.users = [\"maria\"]\n\
             hours = [{{ days = \"mon-fri\", from = \"07:00\", to = \"09:00\", tz = \"Europe/Berlin\" }}]\n\
             stage = [{{ approvers.groups = [\"l{n}\"] }}]\n",
        )
    }),
    ("300 at a time with the same stages and people", |n| {
        format!(
            "services = [\"s{n}\"]\neligible.groups = [\"dba\"]\nstage = [{{ approvers.groups = [\"l{}\"] }}]\n",
            n / 300
        )
    }),
    ("with sudo, two stages of five people and a pattern on reasons", |n| {
        format!(
            "services = [\"sshd\", \"sudo\"]\neligible.users = [\"maria\", \"u{n}\"]\nuses = 1\n\
             reason = {{ pattern = \"^(?<ticket>INC-[0-9]+) .{{8,}}\", hint = \"INC-1234 and why\" }}\n\
             [[role.r{n}.stage]]\nname = \"lead\"\napprovers.users = [\"a\", \"b\", \"c\", \"d\", \"e\"]\napprovals = 2\n\
             [[role.r{n}.stage]]\nname = \"security\"\napprovers.users = [\"c\", \"d\", \"e\", \"f\", \"g\"]\napprovals = 2\n"
        )
    }),
    ("the same by a profile and a set", |n| {
        format!("profile = \"common\"\neligible = {{ users = [\"u{n}\"], sets = [\"everybody\"] }}\n")
    }),
    ("by a profile, with limits, and leads of 1000 teams who approve", led),
];

fn led(n: usize) -> String {
    format!("profile = \"led\"\neligible.groups = [\"g{n}\"]\n")
}

/// What the last but one share, and the last.
const COMMON: &str = "[set.everybody]\nusers = [\"maria\"]\n\
    [profile.common]\nservices = [\"sshd\", \"sudo\"]\nuses = 1\n\
    reason = { pattern = \"^(?<ticket>INC-[0-9]+) .{8,}\", hint = \"INC-1234 and why\" }\n\
    [[profile.common.stage]]\nname = \"lead\"\napprovers.users = [\"a\", \"b\", \"c\", \"d\", \"e\"]\napprovals = 2\n\
    [[profile.common.stage]]\nname = \"security\"\napprovers.users = [\"c\", \"d\", \"e\", \"f\", \"g\"]\napprovals = 2\n";

const LED: &str = "[profile.led]\nservices = [\"sshd\"]\nlimits = { each = 1, at-once = 3, rest = \"1h\", in-all = \"8h\" }\n\
    [[profile.led.stage]]\nname = \"lead\"\napprovers.leads = true\n";

/// Whom a thousand teams are of, and who leads each.
fn teams() -> String {
    let team = |n: usize| format!("[team.t{n}]\nmembers.groups = [\"m{n}\"]\nleads.users = [\"l{n}\"]\n");
    (0..1000).map(team).collect()
}

const OTHERS: [(&str, Lines); 4] = [
    ("by a profile, with limits and leads", led),
    ("of other services", |n| {
        format!(
            "services = [\"s{n}\"]\neligible.users = [\"maria\"]\nstage = [{{ approvers.groups = [\"l\"] }}]\n"
        )
    }),
    ("for other people", |n| {
        format!(
            "services = [\"sshd\"]\neligible.users = [\"u{n}\"]\nstage = [{{ approvers.groups = [\"l\"] }}]\n"
        )
    }),
    ("of one group of other people", |_| {
        "services = [\"sshd\"]\neligible.groups = [\"dba\"]\nstage = [{ approvers.groups = [\"l\"] }]\n"
            .to_owned()
    }),
];

/// A policy of so many roles, beside one that is maria's.
fn files(count: usize, lines: Lines) -> Vec<SourceFile> {
    let own = "version = 1\nadmins.users = [\"root\"]\nexempt = [{ users = [\"root\"], services = [\"login\"] }]\n\
        [role.shell]\nhosts = [\"db-*\"]\nservices = [\"sshd\"]\neligible.users = [\"maria\"]\n\
        max-duration = \"4h\"\nstage = [{ approvers.users = [\"root\"] }]\n";
    let role = |n: usize| {
        format!(
            "[role.r{n}]\nhosts = [\"db-*\"]\nmax-duration = \"4h\"\nsummary = \"Number {n}\"\n{}",
            lines(n)
        )
    };
    let file = |from: usize| {
        let roles: String = (from..count.min(from + A_FILE)).map(role).collect();
        SourceFile { name: format!("{from}.toml"), bytes: format!("version = 1\n{roles}").into_bytes() }
    };
    let common = match lines(0) {
        text if text.contains("\"led\"") => LED.to_owned() + &teams(),
        text if text.contains("\"common\"") => COMMON.to_owned(),
        _ => String::new(),
    };
    let own = format!("{own}{common}");
    let mut files: Vec<_> = (0..count).step_by(A_FILE).map(file).collect();
    files.push(SourceFile { name: "own.toml".to_owned(), bytes: own.as_bytes().to_vec() });
    files
}

/// A host on which maria has a window of the role `shell`, on a Monday evening.
struct World {
    policy: Policy,
    state: State,
    host: Host,
    now: Moment,
}

impl World {
    fn new(files: &[SourceFile]) -> Self {
        let policy = Policy::parse(files).unwrap().policy;
        let host = Host { name: "db-1".parse().unwrap(), groups: BTreeSet::new(), ways: Ways::default() };
        let now = Moment::believed("2026-11-23T20:00:00Z".parse().unwrap(), 1_000, BootId::default());
        let mut state = State::default();
        let root = subject("root", 0);
        let order = RequestOrder {
            beneficiary: subject("maria", 1001),
            role: "shell".parse().unwrap(),
            duration: None,
            start: None,
            reason: "INC-1 measuring".parse().unwrap(),
            id: RequestId::from_bits(1),
        };
        let caller = Caller { account: root.clone(), login: Behind::Known(root) };
        let here =
            Context { policy: &policy, state: &state, host: &host, now: &now, tickets: Register::NONE };
        for event in grant(here, &caller, order).unwrap() {
            state.apply(&Record { seq: state.next_seq(), at: now.clone(), actor: None, event });
        }
        Self { policy, state, host, now }
    }

    fn question() -> Question {
        let maria = subject("maria", 1001);
        Question {
            stage: Stage::Account,
            login: Login {
                service: "sshd".parse().unwrap(),
                user: maria.name.clone(),
                uid: Some(maria.uid),
                target: None,
                rhost: String::new(),
                tty: String::new(),
                keys: Vec::new(),
                person: None,
            },
            subject: Known::Fully(maria),
            caller_uid: Uid::ROOT,
            holds_claim: false,
            from: None,
            opener: None,
            asking: None,
            asker: None,
            awaits_key: false,
        }
    }

    /// What one check costs; a thousand are timed together.
    fn check(&self, expected: Why) -> Duration {
        let question = Self::question();
        let decide = || decide(&self.policy, &self.state, &self.host, black_box(&question), &self.now);
        assert_eq!(decide().why(), expected);
        median(9, || (0..1_000).for_each(|_| drop(black_box(decide())))) / 1_000
    }

    /// What one refused check costs with its line.
    fn refuse(&self) -> Duration {
        let question = Self::question();
        let refuse = || {
            let answer = decide(&self.policy, &self.state, &self.host, black_box(&question), &self.now);
            refusal(&self.policy, &self.state, &self.host, &question, &answer, &self.now)
        };
        assert!(refuse().contains("--role shell "), "{}", refuse());
        median(9, || (0..1_000).for_each(|_| drop(black_box(refuse())))) / 1_000
    }
}

fn subject(name: &str, uid: u32) -> Subject {
    Subject::named(name.parse().unwrap(), uid.try_into().unwrap())
}

/// The median of some runs, after one to warm up.
fn median<T>(runs: usize, run: impl Fn() -> T) -> Duration {
    drop(black_box(run()));
    let mut times: Vec<_> = (0..runs)
        .map(|_| {
            let began = Instant::now();
            let made = black_box(run());
            let took = began.elapsed();
            drop(made);
            took
        })
        .collect();
    times.sort();
    times[runs / 2]
}

fn shown(time: Duration) -> String {
    let nanos = time.as_nanos();
    match nanos {
        0..10_000 => format!("{nanos} ns"),
        10_000..10_000_000 => format!("{} us", nanos / 1_000),
        _ => format!("{} ms", nanos / 1_000_000),
    }
}
