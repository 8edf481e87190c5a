//! A login is ours by its account check, whether or not its service's PAM file has the session line.

use std::time::Duration;

use jit_tests::machine::{Running, until};

use crate::ends::{ended, goes_on, is_put_out, nothing_is_left, role, runs, stays};
use crate::site::{Entrance, SOON, Site, Window};

/// Until cron has begun a minute, and its jobs run.
const A_MINUTE: Duration = Duration::from_secs(180);

fn take_session_line(site: &Site, service: &str) {
    site.shell(&format!("sed -i '/^session .*pam_jit/d' /etc/pam.d/{service}")).done();
    assert_eq!(site.shell(&format!("grep -c pam_jit.so /etc/pam.d/{service}")).done(), "1");
}

/// It is found, listed, and said loudly to lack its line; and its window's end ends it, and says nothing else.
#[track_caller]
fn is_found(site: &Site, user: &str, service: &str) {
    let of_it = |line: &String| line.contains(&format!("service=\"{service}\""));
    let adopted = || site.logged("session-adopted", &format!("user=\"{user}\""));
    until(SOON, "it is found", || adopted().iter().any(of_it));
    let listed = || site.sessions().into_iter().find(|one| one.user == user && one.service == service);
    until(SOON, "it is listed, and bound", || listed().is_some_and(|one| one.enforced));
    site.shell("jitctl status").says(&format!("MISSING: {service} has no session line of pam_jit.so"));
    let said = site.shell("journalctl --no-pager -o cat -p err SYSLOG_IDENTIFIER=jitd").stdout;
    assert!(said.contains(&format!("{service} has no session line")), "the log is told: {said}");
}

#[track_caller]
fn ends_with_its_window(site: &Site, window: &Window<'_>, user: &str, session: Running) {
    window.revoke();
    is_put_out(session);
    nothing_is_left(site, user);
    let record = ended(site, window);
    assert!(record.contains("left=\"0\"") && !record.contains("spared"), "{record}");
    until(SOON, "nobody is listed", || site.sessions().iter().all(|one| one.user != user));
}

pub(crate) fn logins(site: &Site) {
    for name in ["lina", "lena", "luna"] {
        site.person(name);
    }
    site.roles(&[
        role("lina", &["sshd"], "lina"),
        role("lena", &["sshd"], "lena").single_use(),
        role("luna", &["login"], "luna"),
    ]);
    // With its line a login is asked about, and nothing is found.
    let window = site.open("lina", "lina", "30m");
    let session = stays(site, "lina", "");
    until(SOON, "it is listed", || site.sessions().iter().any(|one| one.user == "lina" && one.enforced));
    assert!(site.logged("session-adopted", "").is_empty());
    ends_with_its_window(site, &window, "lina", session);

    for service in ["sshd", "login"] {
        take_session_line(site, service);
    }
    let busy = "setsid sleep 3301 >/dev/null 2>&1 &";
    let window = site.open("lina", "lina", "30m");
    let session = stays(site, "lina", busy);
    is_found(site, "lina", "sshd");
    ends_with_its_window(site, &window, "lina", session);
    assert!(!runs(site, "sleep 3301"));

    // By keyboard-interactive another process asks; and the one use is this login's.
    let window = site.open("lena", "lena", "30m");
    let by_password = "sshpass -p lena-pw ssh -o PubkeyAuthentication=no -o PreferredAuthentications=keyboard-interactive \
                       -T lena@127.0.0.1 'echo in; sleep 4444'";
    let session = site.machine.start(SOON * 12, &["bash", "-c", by_password]);
    until(SOON, "she is in", || site.shell("pgrep -u lena -fx 'sleep 4444'").is_ok());
    is_found(site, "lena", "sshd");
    assert_eq!(site.entry(&window.id).used, 1);
    site.ssh("lena").refuses("spent");
    ends_with_its_window(site, &window, "lena", session);

    let window = site.open("luna", "luna", "30m");
    let session = site.stays_at_the_console("luna", "echo in; sleep 4444");
    until(SOON, "she is in", || site.shell("pgrep -u luna -fx 'sleep 4444'").is_ok());
    is_found(site, "luna", "login");
    ends_with_its_window(site, &window, "luna", session);

    // The line is back, and nobody is warned of it any more.
    site.shell("sed -i '/^@include common-session/i session required pam_jit.so' /etc/pam.d/sshd").done();
    site.open("lina", "lina", "30m");
    site.ssh("lina").admits("lina");
    site.shell("jitctl status").does_not_say("MISSING: sshd");
}

/// Over before anybody looks, or when it has been seen once, it is ours all the same, with what it left; and whoever comes
/// from outside at that moment, where jitd is not asked, is not.
pub(crate) fn over_at_once(site: &Site) {
    site.person("flora");
    site.roles(&[role("flora", &["sshd"], "flora")]);
    take_session_line(site, "sshd");
    site.shell(r"sed -i '/pam_jit\.so/d' /etc/pam.d/login").done();
    let window = site.open("flora", "flora", "30m");
    for (number, stays) in [(3501, "0"), (3502, "0.3"), (3503, "0.9")] {
        let leave = format!("setsid nohup sleep {number} >/dev/null 2>&1 </dev/null & sleep {stays}");
        site.logged_in("flora", &leave).done();
    }
    let outside = site.stays_at_the_console("flora", "echo in; sleep 4555");
    until(SOON, "she is in at the console", || runs(site, "sleep 4555"));
    let adopted = || site.logged("session-adopted", "user=\"flora\"").len();
    until(SOON, "all of them are found", || adopted() == 3);
    let listed = || site.sessions().into_iter().filter(|one| one.user == "flora").collect::<Vec<_>>();
    until(SOON, "they are listed, and bound", || {
        let listed = listed();
        listed.len() == 3 && listed.iter().all(|one| one.enforced && one.service == "sshd")
    });
    for number in 3501..=3503 {
        goes_on(site, &format!("sleep {number}"));
    }
    window.revoke();
    let record = ended(site, &window);
    for number in 3501..=3503 {
        assert!(!runs(site, &format!("sleep {number}")), "sleep {number} outlives its window: {record}");
    }
    assert!(runs(site, "sleep 4555"), "whoever came in elsewhere stays: {record}");
    assert!(record.contains("left=\"0\"") && record.contains("a login that jitd did not admit"), "{record}");
    site.shell("pkill -KILL -u flora");
    drop(outside.output());
}

/// jitd is killed between the check and the login that follows it.
pub(crate) fn while_jitd_is_killed(site: &Site) {
    site.person("kira");
    site.roles(&[role("kira", &["sshd"], "kira")]);
    take_session_line(site, "sshd");
    let window = site.open("kira", "kira", "30m");
    let kill = "#!/bin/sh\nkill -KILL $(systemctl show -P MainPID jitd)\n";
    site.machine.write("/usr/local/sbin/kill-jitd", kill, 0o755);
    let line = "session optional pam_exec.so quiet /usr/local/sbin/kill-jitd";
    site.shell(&format!("sed -i '1i {line}' /etc/pam.d/sshd")).done();
    // One that is over by the time jitd is back, and one that stays.
    site.logged_in("kira", "setsid nohup sleep 3511 >/dev/null 2>&1 </dev/null &").done();
    site.is_ready();
    let session = stays(site, "kira", "");
    site.shell("sed -i /kill-jitd/d /etc/pam.d/sshd").done();
    site.is_ready();
    until(SOON, "both are found", || site.logged("session-adopted", "user=\"kira\"").len() == 2);
    let listed = || site.sessions().into_iter().filter(|one| one.user == "kira" && one.enforced).count();
    until(SOON, "they are listed, and bound", || listed() == 2);
    ends_with_its_window(site, &window, "kira", session);
    assert!(!runs(site, "sleep 3511"));
}

pub(crate) fn jobs(site: &Site) {
    for service in ["cron", "atd"] {
        site.put_under_jitd(service);
    }
    for service in ["cron", "atd", "sudo", "su"] {
        take_session_line(site, service);
    }
    for name in ["cleta", "alma", "sura"] {
        site.person(name);
        site.sudoer(name, &format!("{name} ALL=(ALL) NOPASSWD: ALL"));
    }
    site.roles(&[
        role("cleta", &["cron"], "cleta"),
        role("alma", &["atd"], "alma"),
        role("sura", &["sudo", "su"], "sura"),
    ]);
    let cron = site.open("cleta", "cleta", "30m");
    site.machine.as_user("cleta", "echo '* * * * * setsid sleep 3401 & exec sleep 3402' | crontab -").done();

    let at = site.open("alma", "alma", "30m");
    site.machine.as_user("alma", "echo 'setsid sleep 3411 & exec sleep 3412' | at now").done();
    let sudo = site.open("sura", "sura", "30m");
    let elevated = "sudo -n sh -c 'setsid sleep 3421 & exec sleep 3422'";
    let elevated = site.machine.start_as("sura", SOON * 12, elevated);
    let other = "echo olga-pw | su olga -c 'setsid sleep 3431 & exec sleep 3432'";
    let other = site.machine.start_as("sura", SOON * 12, other);
    for (user, service) in [("alma", "atd"), ("sura", "sudo"), ("sura", "su")] {
        is_found(site, user, service);
    }
    at.revoke();
    sudo.revoke();
    until(A_MINUTE, "cron runs a job", || runs(site, "sleep 3402"));
    is_found(site, "cleta", "cron");
    cron.revoke();
    for window in [&at, &sudo, &cron] {
        ended(site, window);
    }
    for number in [3401, 3402, 3411, 3412, 3421, 3422, 3431, 3432] {
        assert!(!runs(site, &format!("sleep {number}")), "sleep {number}");
    }
    for running in [elevated, other] {
        running.output().is_cut_off();
    }
}

/// A su without its line, in which sudo has one, and which forks all the while.
const NESTED: &str = "#!/bin/bash
sudo -n bash -c 'setsid sleep 3451 & exec sleep 3452' &
(while :; do /bin/true; done) &
setsid sleep 3453 &
exec sleep 3454
";

/// What a session of another has in its scope is not taken out of it by the one around it: each ends with its own window,
/// whatever else is started meanwhile.
pub(crate) fn around_another(site: &Site) {
    site.person("nada");
    site.sudoer("nada", "nada ALL=(ALL) NOPASSWD: ALL");
    site.roles(&[role("nada-su", &["su"], "nada"), role("nada-sudo", &["sudo"], "nada")]);
    take_session_line(site, "su");
    site.machine.write("/usr/local/bin/nested", NESTED, 0o755);
    let su = site.open("nada", "nada-su", "30m");
    let sudo = site.open("nada", "nada-sudo", "30m");
    let inside = site.machine.start_as("nada", SOON * 12, "echo nada-pw | su nada -c nested");
    for number in 3451..=3454 {
        until(SOON, "it runs", || runs(site, &format!("sleep {number}")));
    }
    is_found(site, "nada", "su");
    sudo.revoke();
    ended(site, &sudo);
    for number in [3451, 3452] {
        assert!(!runs(site, &format!("sleep {number}")), "sleep {number} outlives the window of sudo");
    }
    assert!(runs(site, "sleep 3453") && runs(site, "sleep 3454"), "that of su goes on");
    su.revoke();
    inside.output().is_cut_off();
    let record = ended(site, &su);
    assert!(record.contains("left=\"0\""), "{record}");
    for number in [3453, 3454] {
        assert!(
            !runs(site, &format!("sleep {number}")),
            "sleep {number} outlives the window of su: {record}"
        );
    }
}

/// Logs in and is put out again at once, at a moment while pam_systemd asks for the login's scope. `JIT_EARLY_ENDS` says how
/// often.
pub(crate) fn ended_while_it_comes_in(site: &Site) {
    let rounds = crate::stage::count("JIT_EARLY_ENDS", 4);
    site.person("early");
    site.roles(&[role("early", &["sshd"], "early")]);
    // A user's manager starts first, and then the scope: on a slow host it takes a while.
    let slow = "[Service]\nExecStartPre=+/bin/sleep 0.3\n";
    site.shell("mkdir -p /etc/systemd/system/user@.service.d").done();
    site.machine.write("/etc/systemd/system/user@.service.d/slow.conf", slow, 0o644);
    site.shell("systemctl daemon-reload").done();
    let mut late = 0;
    for round in 0..rounds {
        let window = site.open("early", "early", "30m");
        let session = site
            .machine
            .start(SOON * 3, &["ssh", "-o", "BatchMode=yes", "-T", "early@127.0.0.1", "sleep 4444"]);
        until(SOON, "it opens", || site.sessions().iter().any(|one| one.grant == window.id));
        std::thread::sleep(Duration::from_millis(u64::try_from(round * 97 % 300).unwrap()));
        window.revoke();
        session.output().is_cut_off();
        let record = ended(site, &window);
        assert!(record.contains("left=\"0\""), "{record}");
        late += usize::from(
            !site.shell("systemctl list-units --plain --no-legend --all 'session-*.scope'").stdout.is_empty(),
        );
    }
    let kept = || {
        site.shell(
            "systemctl list-units --plain --no-legend --all 'session-*.scope'
             loginctl --no-legend list-sessions | grep early
             ls /run/systemd/system | grep '^session-' || true",
        )
        .stdout
    };
    until(SOON * 3, &format!("nothing of them is kept, as {:?} is", kept()), || kept().is_empty());
    crate::stage::say(&format!(
        "ended while coming in: {rounds} logins, {late} with a scope at their end, 0 kept\n"
    ));
}

/// logind counts sessions that have no audit session, and begins anew when it does. Another login that gets the name of
/// one that was ended a moment ago is not ended in its place.
pub(crate) fn another_of_the_same_name(site: &Site) {
    for name in ["conny", "ines"] {
        site.person(name);
    }
    site.roles(&[role("conny", &["login"], "conny")]);
    site.policy("40-ines", "[[exempt]]\nusers = [\"ines\"]\nservices = [\"login\"]\n");
    site.shell("sed -i '/pam_loginuid/d' /etc/pam.d/login").done();
    let at_console = |name: &str, number: u32| {
        let session = site.stays_at_the_console(name, &format!("echo in; sleep {number}"));
        until(SOON, "it is in", || runs(site, &format!("sleep {number}")));
        session
    };
    let scope = |number: u32| {
        let group = site.shell(&format!("cat /proc/$(pgrep -fx 'sleep {number}')/cgroup")).stdout;
        group.trim().rsplit('/').next().unwrap_or_default().to_owned()
    };
    let window = site.open("conny", "conny", "30m");
    let session = at_console("conny", 4601);
    let first = scope(4601);
    assert!(first.starts_with("session-c"), "{first}");
    window.revoke();
    is_put_out(session);
    ended(site, &window);
    let over = std::time::Instant::now();
    let known = || site.shell("loginctl --no-legend list-sessions").stdout;
    until(SOON, "logind has forgotten it", || !known().contains("conny"));
    site.shell("systemctl restart systemd-logind").done();
    let session = at_console("ines", 4602);
    assert_eq!(scope(4602), first, "logind counts anew");
    // jitd looks for what is left of the first for the last time but one after 30 s.
    let looked = || over.elapsed() > Duration::from_secs(33);
    until(SOON * 3, "jitd has looked for what is left of the first", looked);
    assert!(runs(site, "sleep 4602"), "another's session was ended in its place");
    site.shell("pkill -KILL -u ines");
    drop(session.output());
}
