//! jitd killed at any moment: what it confirmed is there afterwards, and the log agrees with the tables.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use jit_core::event::Event;
use jit_proto::manager::Entry;

use crate::site::{ACCOUNT, Entrance, Role, Site};
use crate::stage::count;
use crate::store::audited;

pub(crate) const KILL: &str = "kill -KILL \"$(systemctl show -P MainPID jitd)\"";

pub(crate) fn a_kill(site: &Site) {
    site.person_with_role("kim", &["sshd"]);
    let gone = site.open("kim", "kim", "30m");
    gone.revoke();
    let open = site.open("kim", "kim", "30m");
    site.shell(KILL).done();
    site.is_ready();
    assert_eq!(site.entry(&gone.id).ended.as_deref(), Some("revoked"));
    assert_eq!(site.entry(&open.id).state, "active");
    site.ssh("kim").admits("kim");

    open.revoke();
    site.shell(KILL).done();
    // Started by the login itself, or by systemd, whoever is first.
    site.ssh("kim").is_refused("kim", "kim");
    site.is_ready();
    audited(site);
}

/// What was confirmed to whoever asked.
#[derive(Default)]
struct Confirmed {
    opened: Mutex<BTreeSet<String>>,
    revoked: Mutex<BTreeSet<String>>,
    admitted: AtomicUsize,
}

pub(crate) fn kills_at_random_moments(site: &Site) {
    let rounds = count("JIT_ROUNDS", 6);
    site.person("chaos");
    let both =
        [Role::new("chaos", &["gate"], "chaos"), Role::new("chaos-one", &["gate"], "chaos").single_use()];
    site.roles(&both);
    let lines = format!("{ACCOUNT}\naccount required pam_permit.so\n");
    site.machine.write("/etc/pam.d/gate", &lines, 0o644);

    let confirmed = Confirmed::default();
    let mut random = Random::new();
    for round in 0..rounds {
        let over = AtomicBool::new(false);
        let pause = random.pause(100..1000);
        thread::scope(|scope| {
            for role in ["chaos", "chaos-one"] {
                scope.spawn(|| open_and_revoke(site, role, &confirmed, &over));
            }
            scope.spawn(|| log_in(site, &confirmed, &over));
            thread::sleep(pause);
            let killed = site.shell(KILL);
            over.store(true, Ordering::SeqCst);
            killed.done();
        });
        site.is_ready();
        holds(site, &confirmed, &format!("round {round}, killed after {pause:?}"));
    }
}

fn open_and_revoke(site: &Site, role: &str, confirmed: &Confirmed, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        let grant = site.machine.run(&[
            "jitctl",
            "--json",
            "grant",
            "chaos",
            "--role",
            role,
            "--reason",
            "INC-9 chaos",
        ]);
        let Some(id) = serde_json::from_str(&grant.stdout).ok().and_then(|entry: Entry| entry.grant) else {
            continue;
        };
        confirmed.opened.lock().unwrap().insert(id.clone());
        // Every other one stays open.
        if id.as_bytes().last().is_some_and(|last| last % 2 == 0)
            && site.machine.run(&["jitctl", "--json", "revoke", &id]).is_ok()
        {
            confirmed.revoked.lock().unwrap().insert(id);
        }
    }
}

fn log_in(site: &Site, confirmed: &Confirmed, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        if site.shell("pamtester gate chaos acct_mgmt").is_ok() {
            confirmed.admitted.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn holds(site: &Site, confirmed: &Confirmed, when: &str) {
    let records = audited(site);
    let list = site.shell("jitctl --json list --all");
    let entries: Vec<Entry> = serde_json::from_str(list.done()).unwrap();
    // The list stops at the newest thousand.
    let find = |id: &String| {
        let listed = entries.iter().find(|entry| entry.grant.as_ref() == Some(id)).cloned();
        listed.or_else(|| {
            serde_json::from_str(&site.machine.run(&["jitctl", "--json", "show", id]).stdout).ok()
        })
    };
    let revoked = confirmed.revoked.lock().unwrap();
    for id in confirmed.opened.lock().unwrap().iter() {
        let entry = find(id).unwrap_or_else(|| panic!("{when}: {id} was confirmed and is gone"));
        if revoked.contains(id) {
            assert_eq!(entry.ended.as_deref(), Some("revoked"), "{when}: {id} was revoked");
        }
        assert!(
            entry.uses.is_none_or(|uses| entry.used <= uses),
            "{when}: {id} was used {} times",
            entry.used
        );
    }
    // The other way round the number may be greater: a record whose answer was lost with jitd.
    let recorded = records.iter().filter(|record| matches!(record.event, Event::Allowed { .. })).count();
    let admitted = confirmed.admitted.load(Ordering::SeqCst);
    assert!(recorded >= admitted, "{when}: {admitted} were admitted and {recorded} recorded");
}

/// xorshift64: which moments are random need not be secret, and no two runs are the same.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        Self(u64::from(std::process::id()) | 1)
    }

    /// As many milliseconds as lie within.
    pub(crate) fn pause(&mut self, millis: Range<u64>) -> Duration {
        Duration::from_millis(millis.start + self.next() % (millis.end - millis.start))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
