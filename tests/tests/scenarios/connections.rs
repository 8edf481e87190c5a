//! Programs of root's that let people in: vsftpd, which opens no session and whose process ends where policy says so, and
//! cockpit, which opens one. And who tries to stay, or to have somebody else's program ended.

use std::path::Path;
use std::process::{Command, Stdio};

use jit_tests::machine::{Running, until};

use crate::ends::{ended, nothing_is_left};
use crate::site::{Role, SOON, Site, Window};

const ENDS: &str = "[service.vsftpd]\nends = \"process\"\n";

/// Logs in by FTP, and holds a transfer open until the server ends it.
const FTP: &str = r#"
import ftplib, os, sys, time
name = sys.argv[1]
ftp = ftplib.FTP()
ftp.connect("127.0.0.1", 21, timeout=60)
ftp.login(name, name + "-pw")
if sys.argv[2:] == ["leave"]:
    while not os.path.exists("/tmp/" + name + ".go"):
        time.sleep(0.1)
    print(ftp.quit())
    sys.exit()
data = ftp.transfercmd("RETR big")
data.recv(1)
open("/tmp/" + name + ".in", "w").close()
ftp.sock.settimeout(None)
try:
    while ftp.sock.recv(4096):
        pass
    print("the server closed it")
except ConnectionError as why:
    print("the server closed it:", why)
"#;

/// vsftpd as docs/programs.md has it set up.
fn set_up_vsftpd(site: &Site) {
    site.shell("cp /usr/share/doc/pam-jit/examples/programs/vsftpd /etc/pam.d/vsftpd").done();
    site.machine.write("/usr/local/bin/by-ftp", &format!("#!/usr/bin/python3\n{FTP}"), 0o755);
    site.shell("systemctl start vsftpd").done();
    until(SOON, "it listens", || site.shell("ss -Hltn 'sport = :21' | grep -q .").is_ok());
}

impl Site {
    fn person_with_files(&self, name: &str) {
        self.person(name);
        self.shell(&format!("truncate -s 1T ~{name}/big && chown {name} ~{name}/big")).done();
    }

    /// Somebody who is in by FTP, with a transfer open.
    fn transfers(&self, name: &str) -> Running {
        self.shell(&format!("rm -f /tmp/{name}.in")).done();
        let client = self.machine.start(SOON * 12, &["by-ftp", name]);
        until(SOON, "the transfer is open", || self.shell(&format!("test -e /tmp/{name}.in")).is_ok());
        client
    }

    /// Whether the server has a process of this person's.
    fn is_served(&self, name: &str) -> bool {
        self.shell(&format!("pgrep -u {name} -x vsftpd")).is_ok()
    }

    /// The record of the end of a session.
    fn gone(&self, session: &str) -> String {
        let mut found = Vec::new();
        until(SOON, "its end is on record", || {
            found = self.logged("session-gone", &format!("session=\"{session}\""));
            !found.is_empty()
        });
        found.remove(0)
    }
}

fn is_closed(client: Running) {
    client.output().says("the server closed it");
}

pub(crate) fn vsftpd(site: &Site) {
    set_up_vsftpd(site);
    for name in ["fenja", "freya", "frida"] {
        site.person_with_files(name);
    }
    let role = |name| Role::new(name, &["vsftpd"], name);
    site.roles(&[role("fenja"), role("freya").single_use(), role("frida")]);

    // Where policy says nothing, what is found of a login is ended, and no more is claimed than is known.
    site.shell("jitctl policy check")
        .says("a login at `vsftpd` is ended by what jitd finds of it, which may not be all");
    let window = site.open("frida", "frida", "30m");
    let client = site.transfers("frida");
    until(SOON, "it is found", || !site.logged("session-adopted", "user=\"frida\"").is_empty());
    window.revoke();
    is_closed(client);
    let record = ended(site, &window);
    assert!(record.contains("escape=\"not excluded: one of its sessions was bound to no unit"), "{record}");
    site.policy("60-vsftpd", ENDS);
    let check = site.shell("jitctl policy check");
    check
        .says("vsftpd: with the process that asked (ends = \"process\")")
        .does_not_say("a login at `vsftpd`");
    site.shell("jitctl --json policy check | python3 -c 'import json, sys; print([e for e in json.load(sys.stdin)[\"ends\"] \
                if e[\"service\"] == \"vsftpd\"])'")
        .says("{'service': 'vsftpd', 'how': 'process', 'enforced': True}");

    // Without a window nobody is in, and with one its use is spent at the check.
    site.denies("frida", "no-window", || site.shell("by-ftp frida 2>&1"));
    let window = site.open("freya", "freya", "30m");
    let beside = site.open("fenja", "fenja", "30m");
    let (hers, theirs) = (site.transfers("freya"), site.transfers("fenja"));
    assert_eq!(site.entry(&window.id).used, 1);
    site.denies("freya", "spent", || site.shell("by-ftp freya 2>&1"));
    let allowed = site.logged("allowed", "user=\"freya\"").remove(0);
    assert!(allowed.contains("ends=\"process\"") && allowed.contains("service=\"vsftpd\""), "{allowed}");
    let listed = site.sessions().into_iter().find(|one| one.user == "freya").unwrap();
    assert!(listed.enforced && listed.service == "vsftpd" && listed.state == "open", "{listed:?}");
    assert!(site.logged("session-adopted", "user=\"freya\"").is_empty(), "nothing was found out later");

    // The end of one ends that one.
    window.revoke();
    is_closed(hers);
    let gone = site.gone(&listed.id.to_string());
    assert!(
        gone.contains("why=\"revoked\"") && gone.contains("process-in=\"/system.slice/vsftpd.service\""),
        "{gone}"
    );
    let record = ended(site, &window);
    assert!(record.contains("left=\"0\"") && !record.contains("stays="), "{record}");
    assert!(!record.contains("bound to no unit"), "{record}");
    assert!(!site.is_served("freya") && site.is_served("fenja"));
    site.shell("systemctl is-active vsftpd").done();

    // A jitd that has started since knows it by its pid and start time.
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    assert!(site.is_served("fenja"));
    beside.revoke();
    is_closed(theirs);
    assert!(ended(site, &beside).contains("left=\"0\""));

    // So is whoever was served by a server that was started anew; what runs in its place is nobody's of before.
    let window = site.open("frida", "frida", "30m");
    let client = site.transfers("frida");
    let session = session_of(site, "frida");
    site.shell("systemctl restart vsftpd").done();
    is_closed(client);
    let gone = site.gone(&session);
    assert!(!gone.contains("why=") && !gone.contains("escape="), "{gone}");
    assert!(site.sessions().iter().all(|one| one.user != "frida"));
    window.revoke();
    ended(site, &window);

    // Who leaves is out when they leave.
    let window = site.open("frida", "frida", "30m");
    let client = site.machine.start(SOON * 12, &["by-ftp", "frida", "leave"]);
    let session = session_of(site, "frida");
    site.shell("touch /tmp/frida.go").done();
    client.output().says("221");
    let gone = site.gone(&session);
    assert!(!gone.contains("why=") && !gone.contains("escape="), "{gone}");
    assert!(site.sessions().iter().all(|one| one.user != "frida"));
    window.revoke();
    assert!(ended(site, &window).contains("left=\"0\""));
}

/// The program of asks.c in a machine.
fn with_asks(site: &Site) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/asks.c");
    let program = site.machine.path("/usr/local/bin/asks");
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program).arg(source).arg("-lpam");
    let done = cc.stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    site.machine.write("/etc/pam.d/door", "account required pam_jit.so\n", 0o644);
}

impl Site {
    /// A service that has a process ask, as a server starts one for a connection; what it was told.
    fn door(&self, unit: &str, ask: &str) -> String {
        let run = format!(
            "systemd-run --quiet --unit={unit} -p StandardOutput=file:/run/{unit} sh -c '{ask}; exec sleep 3600'"
        );
        self.shell(&run).done();
        self.told(unit)
    }

    fn told(&self, unit: &str) -> String {
        let mut told = String::new();
        until(SOON, "it was told", || {
            told = self.shell(&format!("cat /run/{unit}")).stdout;
            !told.is_empty()
        });
        told
    }

    fn runs(&self, unit: &str, user: &str) -> bool {
        self.shell(&format!(
            "systemctl show -P ControlGroup {unit} | xargs -I GROUP cat /sys/fs/cgroup/GROUP/cgroup.procs | \
                             xargs -r ps -o comm=,user= -p | grep -qx 'asks *{user}'"
        ))
        .is_ok()
    }
}

#[track_caller]
fn says_why(site: &Site, session: &str, why: &str) {
    let of = || site.logged("session-unbound", &format!("session=\"{session}\""));
    until(SOON, why, || of().iter().any(|line| line.contains(why)));
}

fn session_of(site: &Site, user: &str) -> String {
    let mut found = None;
    until(SOON, "it is listed", || {
        found = site.sessions().into_iter().find(|one| one.user == user);
        found.is_some()
    });
    found.unwrap().id.to_string()
}

/// The end of a window that something may have outlived, and whose record says so.
#[track_caller]
fn claims_no_more(site: &Site, window: &Window<'_>) {
    window.revoke();
    let record = ended(site, window);
    assert!(record.contains("escape=\"not excluded"), "{record}");
}

/// A window over which its person may stay, in a process that serves others, too: they are listed until that has gone.
#[track_caller]
fn goes_on_until_it_has_gone(site: &Site, window: &Window<'_>, user: &str, unit: &str) {
    let session = session_of(site, user);
    window.revoke();
    let record = ended(site, window);
    let goes_on = format!("session {session} may go on in process ");
    assert!(record.contains("escape=\"not excluded") && record.contains(&goes_on), "{record}");
    assert!(site.runs(unit, "root"));
    let listed = || site.sessions().into_iter().find(|one| one.user == user);
    for restarts in [false, true] {
        if restarts {
            site.shell("systemctl restart jitd").done();
            site.is_ready();
        }
        let one = listed().expect("who may still be in is listed");
        assert!(one.state == "goes-on" && one.process.is_some() && !one.enforced, "{one:?}");
        site.shell("jitctl status").says(&format!("{user} ({goes_on}"));
    }
    let order = site.shell(&format!("jitctl session end {session} 2>&1"));
    assert_eq!(order.status, 1, "{order:?}");
    order.says("serves others, too, and is not ended").does_not_say("is being ended");
    assert!(site.logged("session-gone", &format!("session=\"{session}\"")).is_empty());
    site.shell(&format!("systemctl stop {unit}")).done();
    until(SOON, "it is listed no more", || listed().is_none());
    let gone = site.gone(&session);
    assert!(gone.contains("why=\"revoked\"") && gone.contains("escape=\"not excluded"), "{gone}");
    site.shell("jitctl status").does_not_say(&goes_on);
}

pub(crate) fn attacks(site: &Site) {
    with_asks(site);
    let people = ["dana", "dela", "dora", "dirk", "dina", "doro", "dick", "duda"];
    let roles: Vec<_> = people.iter().map(|name| Role::new(name, &["door"], name)).collect();
    for name in people {
        site.person(name);
    }
    site.roles(&roles);
    site.policy("60-door", "[service.door]\nends = \"process\"\n");

    // By becoming the person only when whoever asked has gone, and nothing of theirs is seen.
    let window = site.open("dela", "dela", "30m");
    site.door("late", "asks door late dela");
    until(SOON, "it runs", || site.runs("late", "dela"));
    session_of(site, "dela");
    window.revoke();
    assert!(ended(site, &window).contains("left=\"0\""));
    assert!(!site.runs("late", "dela"));
    // By having something run on when whoever asked has gone.
    let window = site.open("dana", "dana", "30m");
    site.door("leaves", "asks door leaves dana");
    until(SOON, "it runs", || site.runs("leaves", "dana"));
    session_of(site, "dana");
    window.revoke();
    assert!(ended(site, &window).contains("left=\"0\""));
    assert!(!site.runs("leaves", "dana"));
    // By not hearing that it is to end.
    let window = site.open("dora", "dora", "30m");
    site.door("deaf", "asks door deaf dora");
    until(SOON, "it runs", || site.runs("deaf", "dora") && site.runs("deaf", "root"));
    window.revoke();
    assert!(ended(site, &window).contains("left=\"0\""));
    assert!(!site.runs("deaf", "dora") && !site.runs("deaf", "root"));
    site.shell("systemctl is-active leaves deaf").done();

    // A process that lets in two is ended for neither of them, and one who is refused changes nothing.
    let (his, hers) = (site.open("dirk", "dirk", "30m"), site.open("dina", "dina", "30m"));
    site.door("two", "asks door stays dirk dina doro");
    until(SOON, "all were told", || site.told("two").contains("dirk: in\ndina: in\ndoro: out"));
    says_why(site, &session_of(site, "dirk"), "its process asked for dina, too");
    says_why(site, &session_of(site, "dina"), "its process asked for dirk, too");
    claims_no_more(site, &his);
    claims_no_more(site, &hers);
    assert!(site.runs("two", "root"));
    let window = site.open("doro", "doro", "30m");
    site.door("one", "asks door stays doro dirk");
    until(SOON, "both were told", || site.told("one").contains("doro: in\ndirk: out"));
    window.revoke();
    assert!(ended(site, &window).contains("left=\"0\""));
    until(SOON, "it has ended", || !site.runs("one", "root"));

    // What accepts connections itself serves others.
    let window = site.open("dick", "dick", "30m");
    site.shell("systemd-run --quiet --unit=itself -p StandardOutput=file:/run/itself asks door stays dick")
        .done();
    until(SOON, "it was told", || site.told("itself").contains("dick: in"));
    says_why(site, &session_of(site, "dick"), "is itself.service itself and serves others, too");
    goes_on_until_it_has_gone(site, &window, "dick", "itself");

    // Whoever asks about themselves has nothing ended.
    let window = site.open("duda", "duda", "30m");
    let own = "systemd-run --quiet --unit=own --uid=duda -p StandardOutput=file:/run/own sh -c 'asks door stays duda; exec sleep 3600'";
    site.shell("install -o duda /dev/null /run/own").done();
    site.shell(own).done();
    until(SOON, "it was told", || site.told("own").contains("duda: in"));
    assert!(site.sessions().iter().all(|one| one.user != "duda"));
    window.revoke();
    ended(site, &window);
    assert!(site.runs("own", "duda"));
}

/// Logs in at cockpit's web service, and stays until the service ends it.
const COCKPIT: &str = r#"
import base64, http.client, os, socket, sys
name = sys.argv[1]
login = http.client.HTTPConnection("127.0.0.1", 9090, timeout=60)
secret = base64.b64encode((name + ":" + name + "-pw").encode()).decode()
login.request("GET", "/cockpit/login", headers={"Authorization": "Basic " + secret})
answer = login.getresponse()
print(answer.status, answer.read().decode(), flush=True)
if answer.status != 200:
    sys.exit(1)
cookie = answer.getheader("Set-Cookie").split(";")[0]
page = socket.create_connection(("127.0.0.1", 9090))
key = base64.b64encode(os.urandom(16)).decode()
page.sendall(("GET /cockpit/socket HTTP/1.1\r\nHost: 127.0.0.1:9090\r\nOrigin: http://127.0.0.1:9090\r\n"
              "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Protocol: cockpit1\r\nSec-WebSocket-Key: " + key + "\r\nCookie: " + cookie + "\r\n\r\n").encode())
said = page.recv(4096)
print(said.split(b"\r\n")[0].decode(), flush=True)
open("/tmp/" + name + ".in", "w").close()
while page.recv(4096):
    pass
print("the server closed it")
"#;

pub(crate) fn cockpit(site: &Site) {
    for name in ["cora", "carl"] {
        site.person(name);
    }
    site.roles(&[Role::new("cora", &["cockpit"], "cora"), Role::new("carl", &["cockpit"], "carl")]);
    for kind in ["account", "session"] {
        let line = format!("$(grep '^{kind}' /usr/share/doc/pam-jit/examples/programs/cockpit)");
        site.shell(&format!("sed -i \"/^{kind}.*common-{kind}/i {line}\" /etc/pam.d/cockpit")).done();
    }
    site.machine.write("/usr/local/bin/by-cockpit", &format!("#!/usr/bin/python3\n{COCKPIT}"), 0o755);
    site.shell("systemctl start cockpit.socket").done();
    site.shell("jitctl policy check").says("cockpit: with its session, in a scope of its own");

    site.denies("carl", "no-window", || {
        let refused = site.shell("by-cockpit carl 2>&1");
        refused.says("403").does_not_say("200");
        refused
    });
    let window = site.open("cora", "cora", "30m");
    let client = site.machine.start(SOON * 12, &["by-cockpit", "cora"]);
    until(SOON * 3, "she is in", || site.shell("test -e /tmp/cora.in").is_ok());
    let is_bound =
        || site.sessions().iter().any(|one| one.user == "cora" && one.service == "cockpit" && one.enforced);
    until(SOON, "her session is bound", is_bound);
    assert!(site.shell("pgrep -u cora -f cockpit-bridge").is_ok());
    let session = session_of(site, "cora");
    window.revoke();
    client.output().says("101").says("the server closed it");
    let record = ended(site, &window);
    assert!(record.contains("left=\"0\""), "{record}");
    nothing_is_left(site, "cora");
    let gone = site.gone(&session);
    assert!(gone.contains("why=\"revoked\"") && gone.contains("unit=\"session-"), "{gone}");
}
