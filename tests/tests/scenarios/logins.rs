//! sshd and console logins.

use jit_tests::machine::{Output, until};

use crate::ends::{ended, is_put_out, nothing_is_left, runs, stays};
use crate::site::{ACCOUNT, Entrance, Role, SOON, Site};

/// The life of a role at one way in: shut, opened and taken back, opened and over. Each refusal tells what to type.
fn follows_the_window(site: &Site, user: &str, enter: impl Fn() -> Output) {
    enter().is_refused(user, user);

    let window = site.open(user, user, "30m");
    enter().admits(user);
    window.revoke();
    enter().is_refused(user, user);

    let window = site.open_briefly(user, user, user, &enter);
    window.wait_for_its_end();
    enter().is_refused(user, user);
}

pub(crate) fn by_key(site: &Site) {
    site.person_with_role("karla", &["sshd"]);
    follows_the_window(site, "karla", || site.ssh("karla"));
}

pub(crate) fn by_password(site: &Site) {
    site.person_with_role("paula", &["sshd"]);
    follows_the_window(site, "paula", || site.ssh_by("password", "paula"));
}

pub(crate) fn by_keyboard_interactive(site: &Site) {
    site.person_with_role("kira", &["sshd"]);
    follows_the_window(site, "kira", || site.ssh_by("keyboard-interactive", "kira"));
}

pub(crate) fn at_the_console(site: &Site) {
    site.person_with_role("carl", &["login"]);
    follows_the_window(site, "carl", || site.login("carl"));
}

pub(crate) fn revoking_ends_an_open_connection(site: &Site) {
    site.person_with_role("muxa", &["sshd"]);
    let window = site.open("muxa", "muxa", "30m");
    site.shell("ssh -f -N -o BatchMode=yes -M -S /run/muxa -o ControlPersist=120 muxa@127.0.0.1").done();
    let channel = || site.shell("ssh -S /run/muxa -o BatchMode=yes muxa@127.0.0.1 id -un");
    channel().admits("muxa");

    window.revoke();
    site.ssh("muxa").is_refused("muxa", "muxa");
    until(SOON, "the connection ends", || !site.shell("ssh -S /run/muxa -O check muxa@127.0.0.1").is_ok());
    channel().is_refused("muxa", "muxa");
}

pub(crate) fn a_session_ends_with_its_window(site: &Site) {
    site.person_with_role("timo", &["sshd"]);
    let window = site.open("timo", "timo", "8s");
    let mut session = site.machine.start(SOON * 3, &["ssh", "-T", "timo@127.0.0.1", "echo in; sleep 100"]);
    until(SOON, "the session is open", || site.shell("pgrep -u timo -x sleep").is_ok());
    window.wait_for_its_end();
    until(SOON, "the session ends", || !session.is_running());
    session.output().refuses("in");
}

pub(crate) fn an_expired_password(site: &Site) {
    site.person_with_role("exa", &["sshd"]);
    site.shell("chage -d 0 exa").done();
    for refused in
        [site.ssh("exa"), site.ssh_by("password", "exa"), site.ssh_by("keyboard-interactive", "exa")]
    {
        refused.is_refused("exa", "exa");
        refused.does_not_say("xpired").does_not_say("New password");
    }
    site.open("exa", "exa", "30m");
    // Now it is the password's turn: the rest of the stack is not skipped for those with a window.
    site.ssh("exa").refuses("xpired");
}

pub(crate) fn somebody_exempt(site: &Site) {
    site.person("backup1");
    site.policy("60-backup1", "[[exempt]]\nusers = [\"backup1\"]\nservices = [\"sshd\"]\n");
    site.ssh("backup1").admits("backup1");
    let check = site.check("sshd", "backup1");
    assert_eq!((check.verdict.as_str(), check.reason.as_str()), ("unmanaged", "exempt"));
    // Here, and only here.
    site.denies("backup1", "not-eligible", || site.login("backup1"));
}

pub(crate) fn a_service_without_a_role(site: &Site) {
    site.person("lena");
    for line in ["auth required pam_permit.so", ACCOUNT, "account required pam_permit.so"] {
        site.shell(&format!("echo '{line}' >>/etc/pam.d/vault")).done();
    }
    let enter = || site.shell("pamtester vault lena acct_mgmt");
    enter().refuses("no role opens vault");
    let check = site.check("vault", "lena");
    assert_eq!((check.verdict.as_str(), check.reason.as_str()), ("deny", "no-role"));

    site.person("ludwig");
    site.roles(&[Role::new("vault", &["vault"], "ludwig")]);
    enter().refuses("for lena");
    assert_eq!(site.check("vault", "lena").reason, "not-eligible");
}

pub(crate) fn two_windows(site: &Site) {
    site.person("dora");
    site.roles(&[Role::new("dora-day", &["sshd"], "dora"), Role::new("dora-night", &["sshd"], "dora")]);
    let short = site.open("dora", "dora-day", "2s");
    let long = site.open("dora", "dora-night", "30m");
    short.wait_for_its_end();
    site.ssh("dora").admits("dora");
    long.revoke();
    site.denies("dora", "no-window", || site.ssh("dora"));
}

pub(crate) fn a_login_gets_what_is_left(site: &Site) {
    site.person_with_role("rita", &["sshd"]);
    site.open("rita", "rita", "1h");
    site.shell("sleep 2").done();
    site.ssh("rita").admits("rita");
    let said = site.module_said("user=\"rita\"");
    let left: u64 = said
        .split("remaining=\"")
        .nth(1)
        .and_then(|rest| rest.split('s').next())
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or_else(|| panic!("no remaining time in {said:?}"));
    assert!((3500..=3598).contains(&left), "{left} s left of an hour that began more than 2 s ago");
}

/// A session that runs no command: files, and a forwarded port.
pub(crate) fn files_and_ports(site: &Site) {
    site.person_with_role("sofie", &["sshd"]);
    site.machine.write("/home/sofie/here", "what she has\n", 0o644);
    let options = "-o BatchMode=yes -o ExitOnForwardFailure=yes";
    let sftp = || {
        let get = format!("echo 'get here /tmp/sofie-has' | sftp -q {options} -b - sofie@127.0.0.1");
        site.shell(&format!("rm -f /tmp/sofie-has; {get} && cat /tmp/sofie-has"))
    };
    let through = || site.shell(&format!("ssh {options} -W 127.0.0.1:22 sofie@127.0.0.1 </dev/null"));
    for attempt in [&sftp as &dyn Fn() -> Output, &through] {
        site.denies("sofie", "no-window", attempt);
    }
    let window = site.open("sofie", "sofie", "30m");
    sftp().says("what she has").done();
    through().says("SSH-2.0-").done();
    let forwards = format!("ssh -N {options} -L 4101:127.0.0.1:22 sofie@127.0.0.1");
    let mut forwards = site.machine.start(SOON * 6, &["bash", "-c", &forwards]);
    let banner = "timeout 5 bash -c 'head -c 8 </dev/tcp/127.0.0.1/4101'";
    until(SOON, "the port leads to sshd", || site.shell(banner).stdout == "SSH-2.0-");
    window.revoke();
    until(SOON, "nothing is forwarded any more", || !forwards.is_running());
    forwards.output().is_cut_off();
    site.shell(banner).refuses("Connection refused");
    site.denies("sofie", "no-window", sftp);
}

/// Above 2^31, where a signed number would be negative.
pub(crate) fn with_a_high_uid(site: &Site) {
    site.person_with_role("ursel", &["sshd", "su"]);
    site.shell("usermod -u 3000000000 ursel && chown -R ursel: ~ursel").done();
    let su = || site.with_password("ursel", "su olga -c {id -un}", "olga-pw");
    site.ssh("ursel").is_refused("ursel", "ursel");
    su().is_refused("ursel", "ursel");
    let window = site.open("ursel", "ursel", "30m");
    su().admits("olga");
    let session = stays(site, "ursel", "setsid sleep 1061 >/dev/null 2>&1 &");
    until(SOON, "it runs", || runs(site, "sleep 1061"));
    window.revoke();
    is_put_out(session);
    nothing_is_left(site, "ursel");
    assert!(ended(site, &window).contains("left=\"0\""));
    site.ssh("ursel").is_refused("ursel", "ursel");
}
