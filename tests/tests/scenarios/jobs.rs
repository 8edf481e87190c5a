//! What cron and at run for people, where their PAM files name the module.

use std::time::Duration;

use jit_tests::machine::until;

use crate::lasting::{IN_TIME, STUBBORN, install, late, role, watch};
use crate::site::{SOON, Site};
use crate::stage::say;

/// Until cron has begun a minute, and its jobs run.
const A_MINUTE: Duration = Duration::from_secs(180);

/// batch(1) starts what it was given whatever the load is.
pub(crate) fn batch_waits_for_no_load(site: &Site) {
    let busy = "[Service]\nExecStart=\nExecStart=/usr/sbin/atd -f -l 10000\n";
    site.shell("mkdir -p /etc/systemd/system/atd.service.d").done();
    site.machine.write("/etc/systemd/system/atd.service.d/busy.conf", busy, 0o644);
    site.shell("systemctl daemon-reload && systemctl restart atd").done();
}

pub(crate) fn cron_and_at(site: &Site) {
    install(site);
    batch_waits_for_no_load(site);
    for service in ["cron", "atd"] {
        site.put_under_jitd(service);
    }
    for name in ["jonna", "jost"] {
        site.person(name);
        site.roles(&[role(name, &["cron", "atd"], name)]);
        site.machine.as_user(name, &format!("echo '* * * * * {STUBBORN} ~/by-cron' | crontab -")).done();
    }
    // Root is somebody like others there, and has no role.
    assert_eq!(site.check("cron", "root").reason, "not-eligible");
    site.policy("40-jobs", "[[exempt]]\nusers = [\"root\"]\nservices = [\"cron\", \"atd\"]\n");
    assert_eq!(site.check("cron", "root").reason, "exempt");
    site.machine.write("/etc/cron.d/by-root", "* * * * * root touch /run/by-cron\n", 0o644);
    site.shell("echo 'touch /run/by-at' | at now").done();

    let window = site.open("jonna", "jonna", "75s");
    let at_now = |name, job: &str| {
        site.machine.as_user(name, &format!("echo '{STUBBORN} ~/{job}' | at now")).done();
    };
    for name in ["jonna", "jost"] {
        at_now(name, "by-at");
        site.machine.as_user(name, &format!("echo '{STUBBORN} ~/by-batch' | batch")).done();
    }
    let by_batch = watch(site, "/home/jonna/by-batch");
    let by_at = watch(site, "/home/jonna/by-at");
    until(A_MINUTE, "cron runs jobs", || site.machine.path("/run/by-cron").exists());
    let by_cron = watch(site, "/home/jonna/by-cron");
    assert!(site.machine.path("/run/by-at").exists(), "root's jobs go on");
    until(A_MINUTE, "the window is about to end", || site.entry(&window.id).remaining <= 4);
    at_now("jonna", "by-at-just-now");
    let just_now = watch(site, "/home/jonna/by-at-just-now");
    let running = [by_cron, by_at, by_batch, just_now];
    let late = running.map(|running| late(site, &window, running));
    say(&format!("end to last process gone, jobs of cron and at, grace 1 s: {late:?} ms\n"));
    assert!(late.iter().all(|late| (0..=IN_TIME).contains(late)), "{late:?} ms after the end of the window");

    // Outside of a window none starts, and the record says so.
    at_now("jonna", "late");
    for (name, service) in [("jost", "cron"), ("jost", "atd"), ("jonna", "atd")] {
        let service = format!("service=\"{service}\"");
        until(SOON, "it is refused, on record", || {
            site.logged("denied", &format!("user=\"{name}\"")).iter().any(|line| line.contains(&service))
        });
    }
    for job in ["jost/by-cron", "jost/by-at", "jost/by-batch", "jonna/late"] {
        assert!(!site.machine.path(&format!("/home/{job}")).exists(), "{job}");
    }
}
