//! How often jitd wakes while nothing happens.

use std::time::Duration;

use jit_tests::machine::{Boot, Running};

use crate::site::Site;
use crate::stage::say;

/// Until what a start or a login brings about is over, and then for how long it is watched.
const SETTLES: u64 = 70;
const WATCHED: u64 = 120;
const ALL: Duration = Duration::from_secs(SETTLES + WATCHED + 20);

/// Nobody is logged in, and in another machine somebody does nothing by a window of half an hour.
pub(crate) fn wakes(site: &Site) {
    let used = Site::boot(Boot::default());
    used.person_with_role("quinn", &["sshd"]);
    used.open("quinn", "quinn", "30m");
    let login = used.machine.start(ALL, &["ssh", "-T", "quinn@127.0.0.1", "sleep 2101"]);
    let watched = [site, &used].map(watch);
    let [idle, used_by_one] = watched.map(moments);
    used.shell("pkill -fx 'sleep 2101'").done();
    drop(login.output());
    let minutes = WATCHED / 60;
    say(&format!("jitd wakes {idle} times in {minutes} minutes, with one idle login {used_by_one} times\n"));
    assert!(idle <= 2 * minutes && used_by_one <= 4 * minutes);
}

/// Prints when each call of the kernel was made that some thread of jitd makes, in seconds.
fn watch(site: &Site) -> Running {
    let script = format!(
        "sleep {SETTLES}
         timeout --signal=INT {WATCHED} strace -f -ttt -o /run/calls -p \"$(systemctl show -P MainPID jitd)\" 2>/dev/null
         awk '{{ print $2 }}' /run/calls"
    );
    site.machine.start(ALL, &["bash", "-c", &script])
}

/// How many moments those calls make. Whoever wakes makes one at least, to sleep again, and what follows is of the same
/// wake: one thread wakes another, and that one writes to the disk. How long that takes is the machine's affair, so a moment
/// goes on until nothing was called for two seconds; but for no more than five, so that a thread which never sleeps, or which
/// looks every second, wakes a dozen times a minute.
fn moments(calls: Running) -> u64 {
    const GAP: f64 = 2.0;
    const LONGEST: f64 = 5.0;
    let calls = calls.output();
    let mut times: Vec<f64> = calls.done().lines().filter_map(|time| time.parse().ok()).collect();
    times.sort_unstable_by(f64::total_cmp);
    // To be watched wakes it, too: the first moment is strace's.
    let mut began = *times.first().expect("a call when strace came");
    let (mut moments, mut last) = (0, began);
    for time in times {
        if time - last > GAP || time - began > LONGEST {
            moments += 1;
            began = time;
        }
        last = time;
    }
    moments
}
