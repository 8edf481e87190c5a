//! Ways in which people can make logind, systemd or PAM give what they run another name: none of it outlives the
//! window, or the record of the end says that it may (DESIGN law 12).

use std::time::Duration;

use jit_tests::machine::until;

use crate::ends::{ended, is_put_out, role, runs, stays};
use crate::site::{SOON, Site, Window};

/// How long what is to go may take: logind stops a manager ten seconds after its last session.
const GONE: Duration = Duration::from_secs(40);

/// Until cron has begun a minute, and its jobs run.
const A_MINUTE: Duration = Duration::from_secs(180);

/// A way, by a script that runs a `sleep` of its number, and what the record has to say of it where it may stay.
struct Way {
    number: u32,
    what: String,
    script: String,
    may_stay: Option<&'static str>,
}

/// The places in a login from which something is started, as a script that runs `$1` there.
const PLACES: [(&str, &str); 4] = [
    ("the session", "sh -c \"$1\""),
    ("a user scope", "systemd-run --user --quiet --scope sh -c \"$1\""),
    (
        "a user service",
        "systemd-run --user --quiet --wait --setenv=XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR sh -c \"$1\"",
    ),
    ("a tmux server of another login's", "tmux -L old new-session -d \"$1\"; sleep 6999"),
];

/// What is done there, where NNNN is the number of its `sleep`.
const ACTS: [(&str, &str, Option<&str>); 9] = [
    ("itself", "setsid sleep NNNN", None),
    ("su to oneself", "echo wanda-pw | su wanda -c 'sleep NNNN'", None),
    (
        "su - to oneself, left alone",
        "echo wanda-pw | su - wanda -c 'setsid sh -c \\\"sleep NNNN & sleep 1\\\"'",
        None,
    ),
    ("su to a friend", "echo frieda-pw | su frieda -c 'sleep NNNN'", None),
    (
        "a friend's manager",
        "echo frieda-pw | su frieda -c 'export XDG_RUNTIME_DIR=/run/user/$(id -u); sleep 1; systemd-run --user --quiet sleep NNNN; sleep 6998'",
        Some("su does not ask jitd"),
    ),
    ("pkexec", "pkexec setsid sleep NNNN", None),
    ("pkexec to oneself", "pkexec --user wanda setsid sleep NNNN", None),
    ("pkexec to a friend, left alone", "pkexec --user frieda sh -c 'setsid sleep NNNN & sleep 1'", None),
    (
        "pkexec systemd-run",
        "pkexec systemd-run --quiet sleep NNNN",
        Some("pkexec (polkit-1) does not ask jitd"),
    ),
];

/// Whom polkit lets do so without a password.
const PKEXEC: &str = r#"polkit.addRule(function(action, subject) {
    if (action.id == "org.freedesktop.policykit.exec" && subject.user == "wanda") return polkit.Result.YES;
});
"#;

/// Of the person's own manager, cron and at.
const HANDED_ON: [(&str, &str, Option<&str>); 7] = [
    (
        "a user timer",
        "systemd-run --user --quiet --on-active=1s --timer-property=AccuracySec=1ms sleep NNNN",
        None,
    ),
    (
        "a user socket",
        "systemd-run --user --quiet --socket-property=ListenStream=$XDG_RUNTIME_DIR/way sleep NNNN; sleep 0.5; python3 -c 'import socket, os; s = socket.socket(socket.AF_UNIX); s.connect(os.environ[\"XDG_RUNTIME_DIR\"] + \"/way\")'",
        None,
    ),
    ("a user path unit", "systemd-run --user --quiet --path-property=PathExists=$HOME sleep NNNN", None),
    ("at", "echo 'sleep NNNN' | at now", None),
    ("batch", "echo 'sleep NNNN' | batch", Some("at(1) does not ask jitd")),
    ("a cron job", "echo '* * * * * sleep NNNN' | crontab -", Some("cron does not ask jitd")),
    ("lingering of one's own", "loginctl enable-linger; systemd-run --user --quiet sleep NNNN", None),
];

/// By root, which sudo makes them.
const AS_ROOT: [(&str, &str, Option<&str>); 5] = [
    ("sudo -u", "sudo -n -u frieda setsid sleep NNNN", None),
    ("sudo systemd-run as oneself", "sudo -n systemd-run --quiet --uid=sara sleep NNNN", None),
    ("sudo systemd-run", "sudo -n systemd-run --quiet sleep NNNN", Some("root could be reached")),
    (
        "sudo systemd-run su to oneself",
        "sudo -n systemd-run --quiet su sara -c 'sleep NNNN'",
        Some("root could be reached"),
    ),
    (
        "sudo machinectl shell",
        "sudo -n systemd-run --quiet --pty machinectl shell sara@.host /usr/bin/sleep NNNN",
        Some("root could be reached"),
    ),
];

fn way(number: u32, what: String, script: &str, may_stay: Option<&'static str>) -> Way {
    Way { number, what, script: script.replace("NNNN", &number.to_string()), may_stay }
}

/// Starts each way in a session of its own shell, in the background.
fn try_all(site: &Site, user: &str, ways: &[Way]) -> jit_tests::machine::Running {
    let mut scripts = String::new();
    for Way { number, script, .. } in ways {
        let path = format!("/usr/local/bin/way-{number}");
        site.machine.write(&path, script, 0o644);
        scripts += &format!("(exec bash {path} >/tmp/way-{number}.log 2>&1 </dev/null) &\n");
    }
    stays(site, user, &format!("export XDG_RUNTIME_DIR=/run/user/$(id -u)\n{scripts}"))
}

/// After the end of a window, nothing of these runs on unless its record says that it may.
#[track_caller]
fn none_stays(site: &Site, window: &Window<'_>, ways: &[Way]) {
    let ended = ended(site, window);
    assert!(ended.contains("left=\"0\""), "{ended}");
    let may = |way: &Way| way.may_stay.is_some_and(|why| ended.contains(why));
    for way in ways {
        let number = way.number;
        if may(way) {
            if runs(site, &format!("sleep {number}")) {
                crate::stage::say(&format!("outlives the window, and the record says so: {}\n", way.what));
            }
            continue;
        }
        assert!(!runs(site, &format!("sleep {number}")), "{} outlives the window; {ended}", way.what);
    }
}

/// Waits until each has had its go, and says which has not.
fn are_tried(site: &Site, ways: &[Way]) {
    let missing = || -> Vec<&Way> {
        let all = site.shell("pgrep -ax sleep").stdout;
        ways.iter()
            .filter(|way| !all.lines().any(|line| line.ends_with(&format!(" {}", way.number))))
            .collect()
    };
    // Some are refused by the host itself, and start nothing that could be waited for; and some start later.
    let deadline = std::time::Instant::now() + SOON / 2;
    while !missing().is_empty() && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
    }
    for way in missing() {
        let said = site.machine.read(&format!("/tmp/way-{}.log", way.number));
        crate::stage::say(&format!("not seen to run here: {}: {}\n", way.what, said.trim()));
    }
}

pub(crate) fn by_another_name(site: &Site) {
    // As README sets a host up: sshd and sudo ask jitd, su does not.
    site.shell(r"sed -i '/pam_jit\.so/d' /etc/pam.d/su /etc/pam.d/su-l").done();
    crate::jobs::batch_waits_for_no_load(site);
    for name in ["wanda", "frieda", "sara"] {
        site.person(name);
    }
    site.roles(&[role("wanda", &["sshd"], "wanda"), role("sara", &["sshd", "sudo"], "sara")]);
    site.sudoer("sara", "sara ALL=(ALL) NOPASSWD: ALL");

    let mut ways = Vec::new();
    for (number, (place, run)) in (6100..).step_by(100).zip(PLACES) {
        for (number, (act, script, may_stay)) in (number..).zip(ACTS) {
            let script = script.replace("NNNN", &number.to_string()).replace('$', "\\$");
            let script = format!("set -- \"{script}\"\n{run}\n");
            ways.push(way(number, format!("{act}, from {place}"), &script, may_stay));
        }
    }
    for (number, (what, script, may_stay)) in (6500..).zip(HANDED_ON) {
        ways.push(way(number, what.to_owned(), script, may_stay));
    }
    site.machine.write("/etc/polkit-1/rules.d/10-wanda.rules", PKEXEC, 0o644);
    let cron = ways.iter().find(|way| way.what == "a cron job").map(|way| format!("sleep {}", way.number));
    let window = site.open("wanda", "wanda", "30m");
    let tmux = "XDG_RUNTIME_DIR=/run/user/$(id -u) systemd-run --user --quiet --scope tmux -L old new-session -d 'sleep 6997'";
    site.logged_in("wanda", tmux).done();
    let session = try_all(site, "wanda", &ways);
    are_tried(site, &ways);
    until(A_MINUTE, "cron has run the job", || cron.as_ref().is_some_and(|job| runs(site, job)));
    window.revoke();
    is_put_out(session);
    none_stays(site, &window, &ways);
    assert!(!ended(site, &window).contains("spared"), "none of these is a login from outside");
    assert!(!site.machine.path("/var/lib/systemd/linger/wanda").exists(), "her manager lingers");
    until(GONE, "the friend's manager is gone, as nobody lingers", || {
        !site.shell("systemctl is-active user@$(id -u frieda)").is_ok()
    });

    let ways: Vec<Way> = (6600..)
        .zip(AS_ROOT)
        .map(|(number, (what, script, may))| way(number, what.to_owned(), script, may))
        .collect();
    let window = site.open("sara", "sara", "30m");
    let session = try_all(site, "sara", &ways);
    are_tried(site, &ways);
    window.revoke();
    is_put_out(session);
    none_stays(site, &window, &ways);
}
