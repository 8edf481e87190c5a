//! Being told: a site's own programs, the message of the day, reviewers' terminals.

use jit_tests::machine::{Output, until};

use crate::site::{Entrance, Role, SOON, Site};

/// Where the programs of these scenarios keep what they see.
const KEPT: &str = "/var/lib/private/jit-notify";

fn program(site: &Site, name: &str, script: &str, mode: u32) {
    site.machine.write(&format!("/etc/jit/notify.d/{name}"), &format!("#!/bin/sh\n{script}\n"), mode);
}

/// A role that waits for one more than root.
fn role_that_waits(site: &Site, name: &str, approvers: &str) {
    site.person(name);
    site.roles(&[Role::new(name, &["login"], name).approved_by(approvers, 2)]);
}

/// Asks for it; returns the request's id.
fn ask(site: &Site, name: &str) -> String {
    let entry = site.grant(name, name, "30m");
    assert_eq!(entry.state, "pending", "{entry:?}");
    entry.request
}

/// The records that the programs have not been told of; `None` while that is off.
fn unsent(site: &Site) -> Option<u64> {
    let logs = site.status().unsent.unwrap();
    logs.into_iter().find_map(|of| (of.log == "notify").then_some(of.records))
}

pub(crate) fn programs_are_told(site: &Site) {
    role_that_waits(site, "nora", "\"root\", \"ana\"");
    site.person_with_role("nick", &["sshd"]);
    program(
        site,
        "10-keep",
        "cd $STATE_DIRECTORY && cat >>events && id -u >uid && grep -E 'CapEff|NoNewPrivs' /proc/self/status >status",
        0o755,
    );
    program(site, "20-others", "touch $STATE_DIRECTORY/others-ran", 0o757);
    let before = ask(site, "nora");
    assert_eq!(unsent(site), None);
    assert!(!site.machine.path("/run/jitd/notify").exists());

    site.shell("systemctl enable --now jit-notify.socket").done();
    site.ssh("nick").is_refused("nick", "nick");
    let asked = ask(site, "nora");
    let events = || site.machine.read(&format!("{KEPT}/events"));
    until(SOON, "a program is told of the request", || events().contains(&asked));
    until(SOON, "and of its end", || {
        site.machine.run(&["jitctl", "revoke", &asked]);
        events().contains("\"withdrawn\"")
    });
    for line in events().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["seq"].is_u64() && event["time"].is_string(), "{line}");
        assert!(!["denied", "allowed"].contains(&event["event"].as_str().unwrap()), "{line}");
        assert!(!line.contains(&before), "what happened before is not told: {line}");
    }
    until(SOON, "nothing waits for them", || unsent(site) == Some(0));

    // Nobody in particular, who can become nobody else.
    assert!(site.machine.read(&format!("{KEPT}/uid")).trim().parse::<u32>().unwrap() > 1000);
    let status = site.machine.read(&format!("{KEPT}/status"));
    assert!(status.contains("CapEff:\t0000000000000000") && status.contains("NoNewPrivs:\t1"), "{status}");
    // What others could have written is not run.
    assert!(!site.machine.path(&format!("{KEPT}/others-ran")).exists());
    site.shell("journalctl -q --no-pager -o cat -u jit-notify").says("20-others: not run").says("chmod go-w");
    until(SOON, "the service ends by itself", || {
        site.shell("systemctl is-active jit-notify.service").stdout.trim() == "inactive"
    });

    // A script that cannot be started is tried again, and what has happened meanwhile is not lost.
    site.shell("mv /usr/libexec/jit-notify /usr/libexec/aside").done();
    let meanwhile = ask(site, "nora");
    let failures = || site.shell("journalctl -q --no-pager -o cat -u jit-notify | grep -c status=203").stdout;
    until(SOON * 2, "it fails twice", || failures().trim().parse::<u32>().unwrap() > 1);
    site.shell("mv /usr/libexec/aside /usr/libexec/jit-notify").done();
    until(SOON * 2, "it is told when it can be", || events().contains(&meanwhile));

    site.shell("systemctl disable --now jit-notify.socket").done();
    ask(site, "nora");
    until(SOON, "nothing is kept for them", || unsent(site).is_none());
    assert!(site.shell("systemctl --failed --no-legend --plain").stdout.is_empty());
}

pub(crate) fn a_program_that_hangs(site: &Site) {
    site.person_with_role("hanna", &["sshd"]);
    program(site, "10-hangs", "trap '' TERM; sleep 7777; sleep 7777", 0o755);
    program(site, "20-keep", "cat >>$STATE_DIRECTORY/events", 0o755);
    site.shell("systemctl enable --now jit-notify.socket").done();

    // Three events, for each of which it hangs until it is killed.
    let window = site.open("hanna", "hanna", "30m");
    until(SOON, "it hangs", || site.shell("pgrep -x -f 'sleep 7777'").is_ok());
    site.ssh("hanna").admits("hanna");
    let logged = || site.logged("allowed", "hanna");
    until(SOON, "the logs have it all", || !logged().is_empty());
    site.shell("pgrep -x -f 'sleep 7777'").done();

    let events = || site.machine.read(&format!("{KEPT}/events"));
    until(SOON * 4, "the next program is told of all three", || {
        ["\"requested\"", "\"reviewed\"", "\"opened\""].iter().all(|event| events().contains(event))
    });
    site.shell("journalctl -q --no-pager -o cat -u jit-notify")
        .says("10-hangs was still running after 10 s and was killed");
    window.revoke();
}

/// A login on a terminal; what it showed.
fn terminal_login(site: &Site, user: &str) -> Output {
    site.terminal(&format!(
        "spawn -noecho ssh {user}@127.0.0.1\non {{[$#] $}} {{ send \"exit\\r\" }}\nfinish"
    ))
}

pub(crate) fn the_message_of_the_day(site: &Site) {
    site.person_with_role("moni", &["sshd"]);
    site.shell("rm ~moni/.hushlogin").done();
    role_that_waits(site, "mila", "\"root\", \"ana\"");
    site.open("moni", "moni", "30m");
    let shows = |text: &str| {
        until(SOON, text, || site.machine.read("/run/motd.d/jit") == text);
        terminal_login(site, "moni")
    };
    shows("").does_not_say("for review").done();
    let first = ask(site, "mila");
    shows("1 request waits for review; see: jitctl pending\n").says("1 request waits for review").done();
    role_that_waits(site, "mona", "\"root\", \"ana\"");
    let second = ask(site, "mona");
    shows("2 requests wait for review; see: jitctl pending\n").says("2 requests wait for review").done();
    assert_eq!(site.shell("stat -c %a /run/motd.d/jit").done(), "644");

    site.shell("systemctl stop jitd && ls -A /run/motd.d").does_not_say("jit").done();
    site.shell("systemctl start jitd").done();
    shows("2 requests wait for review; see: jitctl pending\n").done();
    for request in [first, second] {
        site.machine.run(&["jitctl", "revoke", &request]).done();
    }
    shows("").does_not_say("for review").done();
    site.shell("test ! -e /run/motd.d/jit").done();
}

pub(crate) fn reviewers_terminals(site: &Site) {
    let people = ["rolf", "nina", "tessa"];
    for name in people {
        site.person_with_role(name, &["sshd"]);
        site.open(name, name, "30m");
    }
    // Tessa asks, and is among those whom her role asks.
    site.roles(&[
        Role::new("tessa-one", &["login"], "tessa").approved_by("\"root\", \"rolf\", \"nina\", \"tessa\"", 3),
        Role::new("tessa-two", &["login"], "tessa").approved_by("\"root\", \"rolf\", \"nina\", \"tessa\"", 3),
    ]);
    site.machine.write("/etc/jit/jitd.toml", "tell-terminals = true\n", 0o644);
    site.shell("systemctl restart jitd").done();
    site.is_ready();

    let stays = |name: &str, first: &str| {
        site.terminal(&format!(
            r#"spawn -noecho ssh {name}@127.0.0.1
               on {{[$#] $}} {{ send "{first}; touch /tmp/{name}; until test -e /run/leave; do sleep 0.2; done; exit\r" }}
               finish"#
        ))
    };
    let is_told = || {
        site.terminal(
            r#"spawn -noecho ssh rolf@127.0.0.1
               on {[$#] $} { send "touch /tmp/rolf\r" }
               on {jit: root asks for tessa-one for tessa: jitctl show r-} { send "touch /tmp/told\r" }
               on {jit: root asks for tessa-two for tessa: jitctl show r-} { send "exit\r" }
               finish"#,
        )
    };
    let there = |file: &str| until(SOON, file, || site.shell(&format!("test -e /tmp/{file}")).is_ok());
    std::thread::scope(|scope| {
        let rolf = scope.spawn(is_told);
        let others = [scope.spawn(|| stays("nina", "mesg n")), scope.spawn(|| stays("tessa", "true"))];
        people.iter().copied().for_each(there);
        site.grant("tessa", "tessa-one", "30m");
        there("told");
        // This line comes after everybody has had their turn for the one before.
        site.grant("tessa", "tessa-two", "30m");
        rolf.join().unwrap().does_not_say("INC-1").exits(0);
        site.shell("touch /run/leave").done();
        for other in others {
            other.join().unwrap().does_not_say("jit:").done();
        }
    });
}
