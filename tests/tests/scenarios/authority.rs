//! Who may give orders and read: the uid that the bus reports. A login uid, which any process without a login writes as
//! it likes, and a pid, which comes round, only ever refuse.

use jit_proto::manager::Entry;
use jit_tests::machine::{Output, until};

use crate::requests::{REASON, ask, role, stage};
use crate::site::{Entrance, Role, SOON, Site, read};

/// A command of a service that runs as www-data and has written this uid into its own login uid.
fn forged(site: &Site, uid: &str, command: &str) -> Output {
    let script = format!("echo {uid} >/proc/self/loginuid && {command}");
    let service = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--uid=www-data"];
    site.machine.run(&[&service[..], &["sh", "-c", &script]].concat())
}

/// Demands that jitd refused all of this because of the login behind it.
#[track_caller]
fn are_refused_for_their_login(attempts: &[Output]) {
    let won: Vec<String> = attempts
        .iter()
        .filter(|attempt| attempt.status != 4 || !attempt.stderr.contains("login"))
        .map(ToString::to_string)
        .collect();
    assert!(won.is_empty(), "{} of {} were answered:\n{}", won.len(), attempts.len(), won.join("\n\n"));
}

pub(crate) fn a_forged_login_uid(site: &Site) {
    site.person("viola");
    site.roles(&[Role::new("viola", &["sshd"], "viola"), Role::new("viola-more", &["login"], "viola")]);
    let window = site.open("viola", "viola", "30m");
    let viola = |command: &str| site.logged_in("viola", command);
    let more = format!("jitctl --json request --yes --role viola-more --reason '{REASON}'");
    let asked: Entry = read(&viola(&more));
    let stays = site.stays_logged_in("viola", 1914);
    // The one before may be listed still.
    let hers = site.sessions().into_iter().filter(|session| session.user == "viola");
    let session = hers.map(|session| session.id).max().unwrap();
    let uid = site.shell("id -u viola").done().to_owned();

    let (own, request) = (&window.id, &asked.request);
    let end_session = format!("jitctl session end {session}");
    let withdraw = format!("jitctl withdraw {request}");
    let extend = format!("jitctl extend {own} --reason '{REASON}'");
    let done = format!("jitctl done {own}");
    let attempts = [
        "jitctl session list",
        "jitctl list --all",
        &format!("jitctl show {own}"),
        "jitctl status",
        "jitctl pending",
        "jitctl roles",
        "jitctl clock",
        "jitctl check sshd www-data",
        "jitctl explain sshd www-data",
        // One more than viola may file in an hour.
        &format!("for n in $(seq 30); do {more}; done; {more}"),
        &extend,
        &end_session,
        &withdraw,
        &done,
    ]
    .map(|command| forged(site, &uid, command));
    are_refused_for_their_login(&attempts);
    let on_record = || {
        let all = site.logged("order-refused", &format!("login=\"{uid}\""));
        all.iter().any(|line| line.contains("why=\"not-permitted\"") && line.contains("order=\"Request\""))
    };
    until(SOON, "whose login was forged is on record", on_record);
    assert_eq!(site.entry(own).state, "active");
    assert_eq!(site.entry(request).state, "pending");
    assert!(site.sessions().iter().any(|one| one.id == session && one.state == "open"));

    // From her own login she does all of it, and none of her requests were used up.
    viola("jitctl session list").says(own).done();
    viola("jitctl list").says(own).says(request).done();
    viola(&end_session).done();
    stays.output().is_cut_off();
    viola(&withdraw).done();
    viola(&more).done();
    viola(&extend).exits(0);
    viola(&done);
    assert_eq!(site.entry(own).ended.as_deref(), Some("done"));
    // The service itself, with the login that it was started with, which is none.
    let service =
        ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--uid=www-data", "jitctl", "list"];
    site.machine.run(&service).does_not_say(own).done();
}

/// Connects to the bus, leaves the connection to a child and goes. The child passes on what busctl(1) says.
const RELAY: &str = r#"
import os, select, socket, sys
bus = socket.socket(socket.AF_UNIX)
bus.connect("/run/dbus/system_bus_socket")
with open(sys.argv[1] + ".pid", "w") as note:
    note.write(str(os.getpid()))
if os.fork():
    os._exit(0)
# A pid that is a session's or a process group's is not given out again.
os.setsid()
door = socket.socket(socket.AF_UNIX)
door.bind(sys.argv[1])
door.listen()
client, _ = door.accept()
while True:
    ready, _, _ = select.select([bus, client], [], [])
    for one in ready:
        words = one.recv(65536)
        if not words:
            sys.exit()
        (client if one is bus else bus).sendall(words)
"#;

/// Has a process with the login of this uid run under this pid.
const TAKE: &str = r#"
import os, sys, time
pid, uid = int(sys.argv[1]), int(sys.argv[2])
while True:
    with open("/mnt/sys/kernel/ns_last_pid", "w") as last:
        last.write(str(pid - 1))
    child = os.fork()
    if child == 0:
        if os.getpid() == pid:
            open("/proc/self/loginuid", "w").write(str(uid))
            os.setresuid(uid, uid, uid)
            print("taken", flush=True)
            time.sleep(60)
        os._exit(1)
    if child == pid:
        os.waitpid(child, 0)
        break
    os.waitpid(child, 0)
"#;

pub(crate) fn a_pid_that_comes_round(site: &Site) {
    site.people_with_a_way_in(&["vida", "mallory"]);
    site.roles(&[Role::new("vida", &["login"], "vida")]);
    let window = site.open("vida", "vida", "30m");
    let uid = site.shell("id -u vida").done().to_owned();
    site.machine.write("/usr/local/lib/relay.py", RELAY, 0o644);
    site.machine.write("/usr/local/lib/take.py", TAKE, 0o644);
    // /proc/sys of a container is read-only.
    site.shell("mount -t proc proc /mnt && test -w /mnt/sys/kernel/ns_last_pid").done();
    let done = format!("User Done ss {} ''", window.id);
    let call = |path: &str, words: &str| {
        let bus = format!("busctl --address=unix:path={path} call org.jitd.Jit1 /org/jitd/Jit1");
        site.machine.as_user("mallory", &format!("{bus} org.jitd.Jit1.{words}"))
    };
    let relay = |path: &str| {
        let command = format!("exec python3 /usr/local/lib/relay.py {path} </dev/null >/dev/null 2>&1");
        site.logged_in("mallory", &command).done();
        until(SOON, "the relay listens", || site.machine.path(path).exists());
        site.machine.read(&format!("{path}.pid"))
    };
    // The pid is that of a process in vida's login now.
    let pid = relay("/tmp/wrapped");
    let taken = site.machine.start(SOON * 3, &["python3", "/usr/local/lib/take.py", &pid, &uid]);
    let login = format!("/proc/{pid}/loginuid");
    until(SOON, "the pid is hers", || site.machine.read(&login).trim() == uid);
    let wrapped = call("/tmp/wrapped", &done);
    assert_eq!(site.entry(&window.id).state, "active", "{wrapped}");
    wrapped.refuses("it is not answered as either");
    // Whoever connected has gone, and nobody has the pid: that is nobody.
    relay("/tmp/gone");
    call("/tmp/gone", "User List b false").refuses("gone");
    // mallory's own login reads mallory's own, and vida's ends her window.
    site.logged_in("mallory", "jitctl list").does_not_say(&window.id).done();
    site.logged_in("vida", &format!("jitctl done {}", window.id)).done();
    site.shell(&format!("kill {pid}")).done();
    drop(taken.output());
}

pub(crate) fn without_a_login(site: &Site) {
    site.people_with_a_way_in(&["ada", "aude", "lars"]);
    site.shell("sed -i '/^.admins/,/^users/s/\"root\"/\"root\", \"ada\"/' /etc/jit/policy.d/10-site.toml")
        .done();
    site.policy("60-auditors", "[auditors]\nusers = [\"aude\"]\n");
    site.roles(&[Role::new("lars-root", &["sudo"], "lars").approved_by("\"root\"", 1)]);
    role(site, "lars", "", &stage("lead", &["ada"], ""));
    let id = ask(site, "lars", "").request;
    let window = site.open("lars", "lars-root", "30m");
    let unset = |user: &str, command: &str| site.machine.as_user(user, &format!("jitctl {command}"));
    let login = |user: &str, command: &str| site.logged_in(user, &format!("jitctl {command}"));

    // One's own.
    unset("lars", "list").says(&id).done();
    unset("lars", &format!("withdraw {id}")).done();
    let again = format!("--json request --yes --role lars --reason '{REASON}'");
    let id = read::<Entry>(&unset("lars", &again)).request;

    // Nobody else's, not even for who may do so from a login.
    let digest = site.entry(&id).digest;
    let review = format!(
        "busctl --system call org.jitd.Jit1 /org/jitd/Jit1 org.jitd.Jit1.Review Review ssstasus {id} {digest} \
         approve 0 0 0 ''"
    );
    site.machine.as_user("ada", &review).refuses("login");
    let orders = [
        format!("revoke {}", window.id),
        "lock user:lars".to_owned(),
        "policy load".to_owned(),
        format!("grant lars --role lars --reason '{REASON}'"),
    ];
    let refused: Vec<_> = orders.iter().map(|order| unset("ada", order)).collect();
    are_refused_for_their_login(&refused);
    unset("ada", "list").does_not_say(&id).done();
    unset("ada", "status").says("no login").done();
    unset("aude", "list").does_not_say(&id).done();
    unset("aude", "policy show").says("login").exits(4);
    assert_eq!(site.entry(&id).reviews.len(), 0);
    assert_eq!(site.entry(&window.id).state, "active");

    // By sudo from somebody else's login.
    let by_sudo = |as_whom: &str, command: &str| {
        site.logged_in("lars", &format!("sudo -n -u {as_whom} jitctl {command}"))
    };
    are_refused_for_their_login(&[by_sudo("ada", "list"), by_sudo("ada", &format!("approve --yes {id}"))]);
    // What is root's own is not that of whoever became root.
    by_sudo("root", &format!("done {}", window.id)).exits(1).says(&format!("jitctl revoke {}", window.id));
    by_sudo("root", &again).says("sudo").exits(4);

    login("aude", "list").says(&id).done();
    login("aude", "policy show").says("[auditors]").done();
    login("ada", &format!("approve --yes {id}")).done();
    login("ada", "lock user:lars").done();
    login("ada", "unlock user:lars").done();
    site.open("lars", "lars-root", "30m");
}
