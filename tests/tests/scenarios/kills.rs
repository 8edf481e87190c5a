//! jitd killed again and again while windows end.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use jit_core::event::Event;
use jit_tests::machine::{Running, until};

use crate::crash::Random;
use crate::lasting::{IN_TIME, STUBBORN, after, install, role, until_gone};
use crate::site::{SOON, Site};
use crate::stage::{count, say};
use crate::store::{audited, ends};

/// How many windows are open at once.
const AT_ONCE: usize = 20;

/// How long a window is, and how long jitd is left alone between two kills, in milliseconds.
const LENGTH: Range<u64> = 4_000..13_000;
const PAUSE: Range<u64> = 200..3_000;

/// A window, and when the process went that ran by it, in milliseconds; nothing where nobody got in.
struct Kept {
    grant: String,
    way: &'static str,
    gone: Option<i64>,
}

pub(crate) fn ends_are_kept(site: &Site) {
    let windows = count("JIT_WINDOWS", 8);
    install(site);
    let people: Vec<String> = (0..windows.min(AT_ONCE)).map(|number| format!("kit{number}")).collect();
    for name in &people {
        site.person(name);
        site.sudoer(name, &format!("{name} ALL=(ALL) NOPASSWD: ALL"));
    }
    site.roles(&people.iter().map(|name| role(name, &["sshd", "sudo"], name)).collect::<Vec<_>>());

    let mut random = Random::new();
    let (mut kept, mut kills) = (Vec::new(), 0);
    while kept.len() < windows {
        let some = &people[..people.len().min(windows - kept.len())];
        let (more, killed) = while_jitd_is_killed(site, some, &mut random);
        kept.extend(more);
        kills += killed;
        site.is_ready();
        until(SOON, "no session is left on record", || site.sessions().is_empty());
    }
    until(SOON, "every end is carried through, on record", || {
        let ended = audited(site).into_iter().filter_map(|record| match record.event {
            Event::SessionsEnded { grant, .. } => Some(grant.to_string()),
            _ => None,
        });
        let ended: BTreeSet<String> = ended.collect();
        kept.iter().all(|kept| ended.contains(&kept.grant))
    });
    in_time(site, &kept, kills);
}

/// Opens a window for each, lets all of them come in and stay, and kills jitd until the last has been put out. What
/// came of it, and how often jitd was killed.
fn while_jitd_is_killed(site: &Site, people: &[String], random: &mut Random) -> (Vec<Kept>, usize) {
    // All before the first is in: while somebody is root by sudo, a review without a login is nobody's.
    let opened = open_for_each(site, people, random);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let killer = scope.spawn(|| kill_jitd(site, random, &over));
        let ways = ["ssh", "ssh", "sudo"].into_iter().cycle();
        let staying: Vec<_> =
            people.iter().zip(ways).map(|(name, way)| (way, stays(site, name, way))).collect();
        let kept = opened.into_iter().zip(staying).map(|(grant, (way, stays))| Kept {
            grant,
            way,
            gone: stays.output().done().parse().ok(),
        });
        let kept = kept.collect();
        over.store(true, Ordering::SeqCst);
        (kept, killer.join().unwrap())
    })
}

fn open_for_each(site: &Site, people: &[String], random: &mut Random) -> Vec<String> {
    thread::scope(|scope| {
        let opening = people.iter().map(|name| {
            let length = format!("{}s", random.pause(LENGTH).as_secs());
            scope.spawn(move || site.open(name, name, &length).id)
        });
        let opening: Vec<_> = opening.collect();
        opening.into_iter().map(|opening| opening.join().unwrap()).collect()
    })
}

/// Tries to come in until it works or it is too late, stays, and prints when it was over.
fn stays(site: &Site, name: &str, way: &str) -> Running {
    let file = format!("/home/{name}/pid");
    let command = match way {
        "sudo" => format!("setpriv --reuid {name} --regid {name} --init-groups sudo -n {STUBBORN} {file}"),
        _ => format!("ssh -T -o BatchMode=yes {name}@127.0.0.1 {STUBBORN} {file}"),
    };
    let script = format!(
        "rm -f {file}
         until [ -s {file} ]; do
             [ $SECONDS -lt 13 ] || exit 0
             {command} >/dev/null 2>&1 </dev/null & way=$!
             until [ -s {file} ] || ! kill -0 $way 2>/dev/null; do sleep 0.1; done
         done
         {}",
        until_gone(&file)
    );
    site.machine.start(SOON * 3, &["bash", "-c", &script])
}

/// Kills jitd at random moments, and says how often.
fn kill_jitd(site: &Site, random: &mut Random, over: &AtomicBool) -> usize {
    let mut kills = 0;
    let began = Instant::now();
    while !over.load(Ordering::SeqCst) && began.elapsed() < SOON * 3 {
        thread::sleep(random.pause(PAUSE));
        let kill = "pid=$(systemctl show -P MainPID jitd); [ \"$pid\" -gt 0 ] && kill -KILL \"$pid\"";
        kills += usize::from(site.shell(kill).is_ok());
    }
    kills
}

/// Nothing ended before its window, and nothing outlived it by more than it may.
fn in_time(site: &Site, kept: &[Kept], kills: usize) {
    let ends = ends(&audited(site));
    let late = |kept: &Kept| Some((after(ends[&kept.grant], kept.gone?), kept.way));
    let mut late: Vec<(i64, &str)> = kept.iter().filter_map(late).collect();
    late.sort_unstable();
    assert!(late.len() * 2 > kept.len(), "of {} only {} came in", kept.len(), late.len());
    let (median, worst) = (late[late.len() / 2].0, late[late.len() - 1].0);
    say(&format!(
        "end to last process gone, jitd killed {kills} times, grace 1 s: median {median} ms, worst {worst} ms, {} runs\n",
        late.len()
    ));
    let wrong: Vec<_> = late.iter().filter(|(late, _)| !(0..=IN_TIME).contains(late)).collect();
    assert!(wrong.is_empty(), "not in time, in milliseconds from the end of the window: {wrong:?}");
}
