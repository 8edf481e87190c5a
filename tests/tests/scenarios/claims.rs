//! A use is one login's, however many come at once and however long one of them takes.

use std::thread;
use std::time::{Duration, Instant};

use jit_core::event::Event;
use jit_tests::machine::{Output, Running, until};

use crate::site::{Entrance, Role, SOON, Site};
use crate::stage::count;
use crate::store::audited;

/// Beside sshd, whose account line spends a use at the check, an sshd with another name, and so with another PAM file,
/// whose account line says `session`: there the use is held until the session opens.
const HELD: &str = "sshd-held";

fn start_the_other_sshd(site: &Site) {
    site.shell(&format!(
        "sed '/^account .*pam_jit/s/$/ session/' /etc/pam.d/sshd >/etc/pam.d/{HELD} &&
         ln -s /usr/sbin/sshd /usr/local/sbin/{HELD} &&
         systemd-run --quiet --unit={HELD} /usr/local/sbin/{HELD} -D -p 2022"
    ))
    .done();
    until(SOON, "it listens", || site.shell("exec 3<>/dev/tcp/127.0.0.1/2022").is_ok());
}

/// The command that logs in by a service and says who one is there.
fn ssh(service: &str, user: &str, options: &str) -> String {
    let port = if service == HELD { 2022 } else { 22 };
    format!("ssh -T {options} -p {port} -o HostKeyAlias=127.0.0.1 {user}@127.0.0.1 id -un")
}

/// A login by key.
fn log_in(site: &Site, service: &str, user: &str) -> Output {
    site.shell(&ssh(service, user, ""))
}

/// Demands that a window allowed so many logins and opened so many sessions, by the record of each one's end.
#[track_caller]
fn is_on_record(site: &Site, id: &str, expected: (usize, usize)) {
    until(SOON, "nobody is in any more", || site.sessions().iter().all(|one| one.grant != id));
    // What does not run is no session any more, and its end may not be on record yet.
    let mut found = (0, 0);
    until(SOON, "the end of each is on record", || {
        found = on_record(site, id);
        found.0 >= expected.0 && found.1 >= expected.1
    });
    assert_eq!(found, expected, "allowed and opened");
}

fn on_record(site: &Site, id: &str) -> (usize, usize) {
    let (mut allowed, mut opened) = (0, 0);
    for record in audited(site) {
        match record.event {
            Event::Allowed { grant, .. } if grant.to_string() == id => allowed += 1,
            Event::SessionOpened { grant, .. } if grant.to_string() == id => opened += 1,
            // It opened by its check, whose record is the session's.
            Event::SessionGone { past: Some(past), .. } if past.place.is_some() => {
                opened += usize::from(past.grant.to_string() == id);
            }
            _ => {}
        }
    }
    (allowed, opened)
}

/// Runs one command fifty times at once: all are there and wait before the first goes on. What they all say.
fn fifty(site: &Site, command: &str) -> Output {
    let script = format!(
        "dir=$(mktemp -d); exec 9>$dir/gate; flock 9
         for n in {{1..50}}; do
             {{ flock --shared $dir/gate true; exec {command}; }} 9>&- >$dir/$n 2>/dev/null </dev/null &
         done
         sleep 1; flock --unlock 9; wait
         cat $dir/[0-9]*"
    );
    site.shell(&script)
}

pub(crate) fn fifty_at_once(site: &Site) {
    start_the_other_sshd(site);
    site.person("fifi");
    site.sudoer("fifi", "fifi ALL=(ALL) NOPASSWD: ALL");
    site.roles(&[Role::new("fifi", &["sshd", HELD, "sudo"], "fifi").single_use()]);
    let rounds = count("JIT_RACES", 1);
    let one_wins = |command: &str, who: &str| {
        for _ in 0..rounds {
            let window = site.open("fifi", "fifi", "30m");
            assert_eq!(fifty(site, command).stdout, format!("{who}\n"), "of fifty: {command}");
            assert_eq!(site.entry(&window.id).used, 1);
            is_on_record(site, &window.id, (1, 1));
            window.revoke();
        }
    };
    for service in ["sshd", HELD] {
        one_wins(&ssh(service, "fifi", "-o BatchMode=yes"), "fifi");
    }
    let sudo = "setpriv --reuid fifi --regid fifi --init-groups sudo -n id -un";
    one_wins(sudo, "root");
    site.shell("sed -i '/^account .*pam_jit/s/$/ session/' /etc/pam.d/sudo").done();
    one_wins(sudo, "root");
}

/// A login by keyboard-interactive whose client falls silent once its password has been sent: sshd has asked the account
/// line meanwhile, and waits for it to say that it is still there before it opens the session.
fn stalls(site: &Site, service: &str, user: &str) -> Running {
    let options = "-o PubkeyAuthentication=no -o PreferredAuthentications=keyboard-interactive";
    let client = format!("sshpass -p {user}-pw {}", ssh(service, user, options));
    let login = site.machine.start(Duration::from_secs(110), &["bash", "-c", &client]);
    until(SOON, "its password has arrived", || site.machine.path(&format!("/run/{user}-has-come")).exists());
    site.shell(&format!("pkill -STOP -fx 'ssh .* {user}@.*' && touch /run/{user}-has-stopped")).done();
    login
}

pub(crate) fn a_stalled_client(site: &Site) {
    // Between password and account line, until the client is known to have stopped. A login by key skips it.
    let wait = "#!/bin/sh\ntouch /run/$PAM_USER-has-come\n\
                until [ -e /run/$PAM_USER-has-stopped ]; do sleep 0.1; done\n";
    site.machine.write("/usr/local/bin/wait-for-it", wait, 0o755);
    let line = "auth optional pam_exec.so quiet /usr/local/bin/wait-for-it";
    site.shell(&format!("sed -i '/^@include common-auth/a {line}' /etc/pam.d/sshd")).done();
    start_the_other_sshd(site);
    let [(spent, sven), (held, hella)] = [("sshd", "sven"), (HELD, "hella")].map(|(service, user)| {
        site.person(user);
        site.roles(&[Role::new(user, &[service], user).single_use()]);
        let window = site.open(user, user, "30m");
        let login = stalls(site, service, user);
        until(SOON, "its use is taken", || site.entry(&window.id).used == 1);
        (window, login)
    });
    let began = Instant::now();
    // Others do not get it meanwhile.
    log_in(site, "sshd", "sven").refuses("spent");
    log_in(site, HELD, "hella").refuses("spent");

    // What is held for longer than a minute is void, and the use somebody else's.
    until(Duration::from_secs(70), "its use is back", || site.entry(&held.id).used == 0);
    until(SOON, "the log has it", || site.logged("claim-voided", &held.id).len() == 1);
    log_in(site, HELD, "hella").admits("hella");

    thread::sleep(Duration::from_secs(75).saturating_sub(began.elapsed()));
    site.shell("pkill -CONT -fx 'ssh .* (sven|hella)@.*'").done();
    hella.output().does_not_say("hella\n").is_cut_off();
    is_on_record(site, &held.id, (2, 1));
    log_in(site, HELD, "hella").refuses("spent");

    // What was spent at the check is still this login's, and nobody else's.
    sven.output().admits("sven");
    is_on_record(site, &spent.id, (1, 1));
    log_in(site, "sshd", "sven").refuses("spent");
}
