//! The window ends, and so does the access: sessions, what they have left behind, and what is said of it.

use std::time::{Duration, Instant};

use jit_tests::machine::{Running, until};

use crate::lasting::{IN_TIME, after};
use crate::site::{Entrance, Role, SOON, Site, Window};

/// How long what is to go may take on a busy machine.
const GONE: Duration = Duration::from_secs(20);

/// A role with a short grace.
pub(crate) fn role<'a>(name: &'a str, services: &'a [&'a str], user: &'a str) -> Role<'a> {
    Role::new(name, services, user).with("grace = \"1s\"\n")
}

/// The processes of somebody, or with somebody's login. That it cannot be told is no sign that there is none.
fn processes(site: &Site, user: &str) -> String {
    let script = r#"
        uid=$(id -u USER) || exit
        for p in /proc/[0-9]*; do
            stat=$(cat $p/stat 2>/dev/null) || continue
            case ${stat##*)} in ' Z'*) continue ;; esac
            if [ "$(cat $p/loginuid 2>/dev/null)" = "$uid" ] || grep -qsE "^Uid:.*\b$uid\b" $p/status; then
                echo "${p#/proc/} $(tr '\0' ' ' <$p/cmdline)"
            fi
        done; exit 0"#;
    site.shell(&script.replace("USER", user)).done().to_owned()
}

pub(crate) fn runs(site: &Site, what: &str) -> bool {
    let found = site.shell(&format!("pgrep -fx '(/usr/bin/)?{what}'"));
    assert!([0, 1].contains(&found.status), "it cannot be told: {found}");
    found.is_ok()
}

/// What a session has left behind may not have begun when whoever left it is told that all is well.
#[track_caller]
pub(crate) fn goes_on(site: &Site, what: &str) {
    until(SOON, what, || runs(site, what));
}

#[track_caller]
pub(crate) fn nothing_is_left(site: &Site, user: &str) {
    let left = || processes(site, user);
    let deadline = Instant::now() + GONE;
    while Instant::now() < deadline && !left().is_empty() {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(left(), "", "left of {user}");
}

/// The record of the end of a window.
#[track_caller]
pub(crate) fn ended(site: &Site, window: &Window<'_>) -> String {
    let mut found = Vec::new();
    until(GONE, "the end is on record", || {
        found = site.logged("sessions-ended", &window.id);
        !found.is_empty()
    });
    found.remove(0)
}

/// An ssh session that runs a script and then stays.
pub(crate) fn stays(site: &Site, user: &str, script: &str) -> Running {
    let to = format!("{user}@127.0.0.1");
    let script = format!("{script}\necho in; sleep 4444");
    let session = site.machine.start(SOON * 12, &["ssh", "-o", "BatchMode=yes", "-T", &to, &script]);
    until(SOON, "the session stays", || site.shell(&format!("pgrep -u {user} -fx 'sleep 4444'")).is_ok());
    session
}

#[track_caller]
pub(crate) fn is_put_out(mut session: Running) {
    until(GONE, "the session ends", || !session.is_running());
    session.output().says("in").is_cut_off();
}

pub(crate) fn ssh_with_all_that_it_left(site: &Site) {
    site.person("ella");
    site.roles(&[role("ella", &["sshd"], "ella")]);
    let window = site.open("ella", "ella", "12s");
    let session = stays(
        site,
        "ella",
        r#"nohup sleep 1001 >/dev/null 2>&1 &
           setsid sleep 1002 >/dev/null 2>&1 &
           (setsid sh -c 'sleep 1003 & exit' >/dev/null 2>&1 &)
           sh -c 'trap "" TERM HUP; while :; do sleep 1004; done' >/dev/null 2>&1 &
           sleep 1005 >/dev/null 2>&1 & sleep 0.5; kill -STOP $!
           export XDG_RUNTIME_DIR=/run/user/$(id -u)
           systemd-run --user --quiet sleep 1006
           systemd-run --user --quiet --scope sleep 1007 >/dev/null 2>&1 &
           tmux new-session -d 'sleep 1008'"#,
    );
    for left in 1001..=1008 {
        until(SOON, &format!("sleep {left}"), || runs(site, &format!("sleep {left}")));
    }
    // As it was not when she came.
    site.shell("loginctl enable-linger ella").done();
    window.wait_for_its_end();
    is_put_out(session);
    nothing_is_left(site, "ella");
    let ended = ended(site, &window);
    assert!(ended.contains("left=\"0\"") && !ended.contains("spared"), "{ended}");
    assert!(!site.machine.path("/var/lib/systemd/linger/ella").exists(), "her manager still lingers");
    until(SOON, "logind knows no session of hers", || {
        !site.shell("loginctl --no-legend list-sessions").stdout.contains("ella")
    });
}

pub(crate) fn a_console_login(site: &Site) {
    site.person("cora");
    site.roles(&[role("cora", &["login"], "cora")]);
    let window = site.open("cora", "cora", "6s");
    let seen = site.terminal(
        r#"console cora
           on {[$#] $} { send "mesg y; sleep 1101\r" }
           finish"#,
    );
    seen.says("jit: your window").says("is over (expired)");
    window.wait_for_its_end();
    nothing_is_left(site, "cora");
}

/// A virtual console of the host's that nobody else's run has meanwhile, by number: machines have none of their own.
fn a_console_of_ones_own() -> (String, std::fs::File) {
    for number in 20..=62 {
        let file = std::fs::File::create(format!("/run/jit-tests-console-{number}")).unwrap();
        if file.try_lock().is_ok() {
            return (number.to_string(), file);
        }
    }
    panic!("other runs have all consoles");
}

/// On a virtual console of the host's kernel, as agetty(8) logs somebody in whom it need not ask.
pub(crate) fn a_real_console(site: &Site) {
    let (number, _alone) = a_console_of_ones_own();
    let console = format!("/dev/tty{number}");
    site.person("konny");
    site.roles(&[role("konny", &["login"], "konny")]);
    // The machine has no consoles of its own.
    let made = std::process::Command::new("mknod")
        .arg(site.machine.path(&console))
        .args(["c", "4", &number])
        .status();
    assert!(made.unwrap().success());
    // Debian's login(1) lets nobody write to a console but its user (TTYPERM of login.defs(5)).
    site.machine.write("/home/konny/.bash_profile", "mesg y\n", 0o644);
    let window = site.open("konny", "konny", "8s");
    let log_in = format!("setsid --ctty --wait login -f konny <{console} >{console} 2>&1");
    let mut session = site.machine.start(SOON * 3, &["bash", "-c", &log_in]);
    until(SOON, "she is in", || site.sessions().iter().any(|one| one.user == "konny"));
    until(GONE, "she is put out", || !session.is_running());
    drop(session.output());
    // What it shows is read where its device is (vcs(4)).
    let screen = std::fs::read(format!("/dev/vcs{number}")).unwrap();
    let screen = String::from_utf8_lossy(&screen).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(screen.contains(&format!("jit: your window {} is over (expired)", window.id)), "{screen}");
}

/// A login by one window, in which something runs by another that ends before.
fn elevated(site: &Site, user: &str, command: &str, numbers: [u32; 3]) {
    site.person(user);
    site.sudoer(user, &format!("{user} ALL=(ALL) NOPASSWD: ALL"));
    let shell = format!("{user}-ssh");
    site.roles(&[role(user, &["sudo", "su"], user), Role::new(&shell, &["sshd"], user)]);
    site.open(user, &shell, "30m");
    let window = site.open(user, user, "10s");
    let mut session = stays(site, user, &format!("({command}; echo \"it said $?\") >~/said 2>&1 &"));
    for number in numbers {
        until(SOON, "it runs", || runs(site, &format!("sleep {number}")));
    }
    window.wait_for_its_end();
    for number in numbers {
        until(GONE, "it is gone", || !runs(site, &format!("sleep {number}")));
    }
    let said = format!("/home/{user}/said");
    until(SOON, "it tells how it ended", || site.machine.read(&said).contains("it said "));
    // su waits for what it has started, longer than the grace is here.
    let status = site.machine.read(&said);
    assert!(["143", "137"].iter().any(|by_signal| status.contains(by_signal)), "{status}");
    assert!(session.is_running(), "the login goes on");
    // What root may have started elsewhere cannot be known, and is said not to be.
    let ended = ended(site, &window);
    assert!(ended.contains("left=\"0\"") && ended.contains("escape=\"not excluded"), "{ended}");
    site.shell(&format!("pkill -KILL -u {user}"));
    drop(session.output());
}

pub(crate) fn sudo(site: &Site) {
    // By a name that is no text: what a process is called is its starter's to choose.
    let command = "ln -s /usr/bin/sudo $'\\xff' && $'./\\xff' -n sh -c 'setsid sleep 1201 & nohup sleep 1202 >/dev/null 2>&1 & sleep 1203'";
    elevated(site, "sudi", command, [1201, 1202, 1203]);
}

pub(crate) fn su(site: &Site) {
    let command =
        "echo olga-pw | su olga -c 'setsid sleep 1301 & nohup sleep 1302 >/dev/null 2>&1 & sleep 1303'";
    elevated(site, "sula", command, [1301, 1302, 1303]);
}

pub(crate) fn sudo_is_as_it_was(site: &Site) {
    site.person("joba");
    site.sudoer("joba", "joba ALL=(ALL) NOPASSWD: ALL");
    site.roles(&[role("joba", &["sudo", "sshd"], "joba")]);
    site.open("joba", "joba", "30m");
    let seen = site.terminal(
        r#"spawn -noecho ssh joba@127.0.0.1
           on {[$#] $} { send "sudo -n sh -c 'exit 7'; echo first=$?\r" }
           on {first=7} { send "sudo -n sh -c 'kill -TERM \$\$'; echo second=$?\r" }
           on {second=143} { send "sudo -n sh -c 'echo u''p; exec sleep 1401'\r" }
           on {[^']up} { send "\x1a" }
           on {Stopped} { send "kill %1; fg; echo third=$?\r" }
           on {third=[0-9]} { send "sudo -n loginctl --no-legend list-sessions | grep -c joba; echo fourth=$?\r" }
           on {fourth=0} { send "loginctl --no-pager show-session -P Service \$XDG_SESSION_ID; echo fifth=$?\r" }
           on {sshd\s+fifth=0} { send "sudo -n loginctl terminate-session \$XDG_SESSION_ID\r" }
           finish"#,
    );
    assert!(seen.status != 99, "{seen}");
    seen.says("first=7").says("second=143").says("fourth=0").says("fifth=0");
    until(SOON, "what logind has ended is gone here too", || {
        !site.sessions().iter().any(|session| session.user == "joba")
    });
    until(SOON, "no scope stays behind", || {
        !site
            .shell("systemctl --no-legend --plain list-units --all --type=scope 'jit-*'")
            .stdout
            .contains("failed")
    });
}

pub(crate) fn locked_or_given_back(site: &Site) {
    site.person("lola");
    site.roles(&[role("lola", &["sshd"], "lola")]);
    let bus = "busctl call org.jitd.Jit1 /org/jitd/Jit1 org.jitd.Jit1";

    let window = site.open("lola", "lola", "30m");
    let session = stays(site, "lola", "");
    site.machine.as_user("lola", &format!("{bus}.User Done ss {} ''", window.id)).done();
    is_put_out(session);
    nothing_is_left(site, "lola");

    site.open("lola", "lola", "30m");
    let session = stays(site, "lola", "");
    site.shell(&format!("{bus}.Admin Lock sst user:lola 'audit' 0")).done();
    is_put_out(session);
    nothing_is_left(site, "lola");
    site.shell(&format!("{bus}.Admin Unlock ss user:lola ''")).done();
}

pub(crate) fn a_role_that_leaves_policy(site: &Site) {
    site.person("gina");
    site.roles(&[role("gina", &["sshd"], "gina")]);
    site.open("gina", "gina", "30m");
    let session = stays(site, "gina", "");
    site.shell("rm /etc/jit/policy.d/50-gina.toml && jitctl policy load").done();
    is_put_out(session);
    assert!(!site.logged("session-over", "role-changed").is_empty());
}

/// Nobody is logged in any more, and what a login left is in no session.
pub(crate) fn what_was_left_when_a_role_leaves_policy(site: &Site) {
    site.person("gundi");
    site.roles(&[role("gundi", &["sshd"], "gundi")]);
    let window = site.open("gundi", "gundi", "30m");
    site.ssh("gundi").admits("gundi");
    site.shell("loginctl enable-linger gundi").done();
    let leave = "XDG_RUNTIME_DIR=/run/user/$(id -u) systemd-run --user --quiet sleep 1751";
    site.logged_in("gundi", leave).done();
    until(SOON, "no session is left", || !site.sessions().iter().any(|one| one.user == "gundi"));
    // Her window covers it.
    goes_on(site, "sleep 1751");
    site.shell("rm /etc/jit/policy.d/50-gundi.toml && jitctl policy load").done();
    nothing_is_left(site, "gundi");
    assert!(!site.logged("shut", &window.id).is_empty());
    assert!(ended(site, &window).contains("left=\"0\""));
    assert_eq!(site.entry(&window.id).state, "active", "it comes back with its role");
}

pub(crate) fn out_of_the_group(site: &Site) {
    site.person("greta");
    site.shell("groupadd gretas && gpasswd -M greta,olga gretas").done();
    site.policy(
        "50-greta",
        "[role.greta]\nhosts = [\"*\"]\nservices = [\"sshd\"]\neligible = { groups = [\"gretas\"] }\n\
         max-duration = \"4h\"\ngrace = \"1s\"\n[[role.greta.stage]]\napprovers = { users = [\"root\"] }\n",
    );
    site.open("greta", "greta", "30m");
    let mut session = stays(site, "greta", "");
    // jitd reads what root owns and nothing that root may not read: to it, the name service fails.
    site.shell("chmod 000 /etc/passwd /etc/group && gpasswd -d greta gretas").done();
    std::thread::sleep(Duration::from_secs(65));
    assert!(session.is_running(), "a name service that fails ends no session");
    site.denies("greta", "name-service", || site.ssh("greta"));
    site.shell("chmod 644 /etc/passwd /etc/group").done();
    until(Duration::from_secs(90), "she is put out", || !session.is_running());
    drop(session.output());
}

pub(crate) fn two_windows(site: &Site) {
    site.person("zwia");
    site.roles(&[role("zwia-day", &["sshd"], "zwia"), role("zwia-night", &["sshd"], "zwia")]);
    let short = site.open("zwia", "zwia-day", "8s");
    let mut session = stays(site, "zwia", "nohup sleep 1501 >/dev/null 2>&1 &");
    let long = site.open("zwia", "zwia-night", "30m");
    short.wait_for_its_end();
    ended(site, &short);
    assert!(!site.logged("session-moved", &long.id).is_empty(), "the session moves, on record");
    // Longer than the host itself would have waited, had its limit stayed what it was.
    site.shell("sleep 8").done();
    assert!(session.is_running() && runs(site, "sleep 1501"), "the session goes on");
    long.revoke();
    is_put_out(session);
    nothing_is_left(site, "zwia");
}

pub(crate) fn an_extended_window(site: &Site) {
    site.person("exta");
    site.roles(&[role("exta", &["sshd"], "exta")]);
    let window = site.open("exta", "exta", "10s");
    let mut session = stays(site, "exta", "");
    let bus = "busctl call org.jitd.Jit1 /org/jitd/Jit1 org.jitd.Jit1";
    site.machine.as_user("exta", &format!("{bus}.User Extend sts {} 1800 'INC-1 more'", window.id)).done();
    let pending: Vec<_> =
        site.entries_of("exta").into_iter().filter(|entry| entry.extends.is_some()).collect();
    let [extension] = pending.as_slice() else { panic!("one extension waits: {pending:?}") };
    site.shell(&format!(
        "{bus}.Review Review ssstasus {} {} approve 0 0 0 ''",
        extension.request, extension.digest
    ))
    .done();
    // From now on the host lets it be for as long, too.
    until(SOON, "the host has its new limit", || {
        site.shell("grep -rs RuntimeMaxSec=1[0-9][0-9][0-9] /run/systemd/system/session-*.scope.d").is_ok()
    });
    site.shell("systemctl stop jitd").done();
    // Longer than the host itself would have waited, had its limit stayed what it was.
    site.shell("sleep 18").done();
    assert!(session.is_running(), "the session goes on without jitd");
    site.shell("systemctl start jitd").done();
    site.is_ready();
    window.wait_for_its_end();
    ended(site, &window);
    assert!(session.is_running(), "the session goes on");
    site.machine.run(&["jitctl", "revoke", &extension.request]).done();
    is_put_out(session);
}

/// What a record of an end says that sessions could do after it, as it is quoted there.
fn at_end(ended: &str) -> &str {
    let (_, rest) = ended.split_once("at-end=").unwrap_or_default();
    rest.split_whitespace().next().unwrap_or("nothing")
}

pub(crate) fn drain_and_keep(site: &Site) {
    for (name, rest, numbers) in [
        ("drea", "at-end = \"drain\"\ngrace = \"8s\"\n", [1601, 1602]),
        ("kepa", "at-end = \"keep\"\nkeep-max = \"8s\"\ngrace = \"1s\"\n", [1603, 1604]),
    ] {
        let [long, short] = numbers;
        site.person(name);
        site.roles(&[Role::new(name, &["sshd"], name).with(rest)]);
        let window = site.open(name, name, "6s");
        // Done when the end of the window has been seen, and before that of the grace.
        let session = stays(
            site,
            name,
            &format!(
                "(until test -e ~/over; do sleep 0.1; done; echo finished >~/finished; exec sleep {short}) >/dev/null 2>&1 & sleep {long} >/dev/null 2>&1 &"
            ),
        );
        window.wait_for_its_end();
        site.machine.write(&format!("/home/{name}/over"), "", 0o644);
        site.ssh(name).is_refused(name, name);
        until(SOON, "work finishes", || site.machine.path(&format!("/home/{name}/finished")).exists());
        is_put_out(session);
        nothing_is_left(site, name);
        let ended = ended(site, &window);
        assert!(rest.contains(&format!("at-end = {}", at_end(&ended))), "the record says so: {ended}");
    }
}

pub(crate) fn a_warning(site: &Site) {
    site.person("warna");
    site.roles(&[Role::new("warna", &["sshd"], "warna").with("grace = \"1s\"\nwarn = [\"5s\"]\n")]);
    // Others come and go all the while, and jitd looks at what runs for each of them: the line is heard all the same.
    site.person_with_role("warno", &["sshd"]);
    let others = site.open("warno", "warno", "5m");
    let come_and_go = "while [ ! -e /tmp/warned ]; do ssh -o BatchMode=yes warno@127.0.0.1 true; done";
    let start = || site.machine.start(Duration::from_secs(90), &["bash", "-c", come_and_go]);
    let come_and_go: Vec<Running> = (0..3).map(|_| start()).collect();
    let window = site.open("warna", "warna", "10s");
    let seen = site.terminal(
        r#"spawn -noecho ssh warna@127.0.0.1
           on {[$#] $} { send "sleep 1701\r" }
           finish"#,
    );
    seen.says(&format!("jit: your window {} (warna) ends in ", window.id));
    site.shell("touch /tmp/warned").done();
    for one in come_and_go {
        drop(one.output());
    }
    others.revoke();
    seen.says(&format!("jitctl extend {}", window.id)).says("is over (expired)");
}

pub(crate) fn listed_and_put_out(site: &Site) {
    site.person("lissa");
    site.person("lotte");
    site.roles(&[role("lissa", &["sshd"], "lissa")]);
    let window = site.open("lissa", "lissa", "30m");
    let session = stays(site, "lissa", "");
    let hers = || site.sessions().into_iter().find(|session| session.user == "lissa");
    until(SOON, "it is known where it runs", || hers().is_some_and(|session| session.enforced));
    let found = hers().unwrap();
    assert_eq!((found.service.as_str(), found.from.as_str()), ("sshd", "127.0.0.1"));
    assert_eq!((&found.grant, found.state.as_str()), (&window.id, "open"));

    // Others learn nothing of it, and end nothing.
    site.machine.as_user("lotte", "jitctl session list").does_not_say("lissa").done();
    let id = found.id.to_string();
    let end = format!("jitctl session end {id}");
    site.machine.as_user("lotte", &end).exits(5).says("no session");

    site.machine.as_user("lissa", &end).done();
    is_put_out(session);
    until(SOON, "nothing is listed", || hers().is_none());
    // The window is still there.
    site.ssh("lissa").admits("lissa");
    window.revoke();
}

pub(crate) fn jitd_is_killed(site: &Site) {
    for name in ["kila", "kilo"] {
        site.person(name);
        site.roles(&[role(name, &["sshd"], name)]);
    }
    let window = site.open("kila", "kila", "12s");
    let session = stays(site, "kila", "nohup sleep 1801 >/dev/null 2>&1 &");
    site.shell("systemctl kill -s KILL jitd").done();
    is_put_out(session);
    nothing_is_left(site, "kila");
    ended(site, &window);

    // Killed between the end and what it brings about.
    let window = site.open("kila", "kila", "30m");
    let session = stays(site, "kila", "nohup sleep 1802 >/dev/null 2>&1 &");
    site.shell(&format!("jitctl revoke {}; systemctl kill -s KILL jitd", window.id)).done();
    is_put_out(session);
    nothing_is_left(site, "kila");
    ended(site, &window);

    // Down for good: the host has its own limit.
    site.open("kilo", "kilo", "10s");
    let session = stays(site, "kilo", "");
    site.shell("systemctl stop jitd").done();
    is_put_out(session);
    site.shell("systemctl start jitd").done();
}

/// From the end of a window, by the record, until the last process has gone, for each way in: a process that ignores
/// SIGTERM, so that the whole grace is used. `JIT_ENDS` says how often.
pub(crate) fn how_long_it_takes(site: &Site) {
    let rounds = crate::stage::count("JIT_ENDS", 1);
    site.person("mess");
    site.sudoer("mess", "mess ALL=(ALL) NOPASSWD: ALL");
    site.roles(&[role("mess", &["sshd", "login", "sudo", "su"], "mess")]);
    let busy = r#"sh -c 'trap "" TERM HUP; while :; do sleep 1901; done' >/dev/null 2>&1"#;
    let busy_in_su = r#"trap "" TERM HUP; while :; do sleep 1901; done >/dev/null 2>&1"#;
    let by_shell = |enter: &str| site.machine.start(SOON * 3, &["bash", "-c", enter]);
    let by_ssh = format!("ssh -T mess@127.0.0.1 '{}'", busy.replace('\'', "'\\''"));
    let by_sudo = format!("setpriv --reuid mess --regid mess --init-groups sudo -n {busy}");
    let by_su =
        format!("echo olga-pw | setpriv --reuid mess --regid mess --init-groups su olga -c '{busy_in_su}'");
    let ways: [(&str, &dyn Fn() -> Running); 4] = [
        ("ssh", &|| by_shell(&by_ssh)),
        ("console", &|| site.stays_at_the_console("mess", busy)),
        ("sudo", &|| by_shell(&by_sudo)),
        ("su", &|| by_shell(&by_su)),
    ];
    for (way, enter) in ways {
        let mut took = Vec::new();
        for _ in 0..rounds {
            let window = site.open("mess", "mess", "4s");
            let running = enter();
            until(SOON, "it runs", || runs(site, "sleep 1901"));
            let gone =
                site.shell("while pgrep -fx 'sleep 1901' >/dev/null; do sleep 0.01; done; date +%s%3N");
            let gone: i64 = gone.done().parse().unwrap();
            drop(running.output());
            took.push(after(end_of(site, &window), gone));
            ended(site, &window);
        }
        took.sort_unstable();
        let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
        assert!(took.iter().all(|late| (0..=IN_TIME).contains(late)), "{way}: {took:?} ms after the end");
        crate::stage::say(&format!(
            "end to last process gone, {way}, grace 1 s: median {median} ms, worst {worst} ms, {rounds} runs\n"
        ));
    }
}

/// The end of a window to the millisecond, by the record of its opening.
fn end_of(site: &Site, window: &Window<'_>) -> i64 {
    let script = format!(
        "sqlite3 /var/lib/jitd/store.db \"SELECT cast(bytes AS TEXT) FROM audit WHERE cast(bytes AS TEXT) LIKE '%\\\"opened\\\"%{}%'\"",
        window.id
    );
    let record = site.shell(&script);
    let record: serde_json::Value = serde_json::from_str(record.done()).unwrap();
    let window = &record["grant"]["window"];
    let wall = window["start"]["time"].as_str().unwrap_or_else(|| panic!("no start in {record}"));
    site.millis(wall) + window["duration"].as_i64().unwrap() * 1000
}
