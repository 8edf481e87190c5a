//! A machine as an administrator has set it up: the module in the PAM files as the package's documentation shows,
//! people, roles and windows; and the ways in that people take.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jit_proto::manager::{Check, Entry, Session, Status};
use jit_tests::machine::{Boot, Machine, Output, Running, until};

/// The account line of the package's documentation, for services of a scenario's own.
pub(crate) const ACCOUNT: &str = "account [success=ok ignore=ignore default=die] pam_jit.so recovery=root";

/// Where an administrator reads what to do.
const GUIDE: &str = "/usr/share/doc/pam-jit/examples/pam/README.md";

/// The services that they go into here. `su -` has a file that includes su's.
pub(crate) const SERVICES: [&str; 5] = ["sshd", "login", "su", "sudo", "sudo-i"];

/// How long what takes a moment may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A machine under jitd.
pub(crate) struct Site {
    pub(crate) machine: Machine,
    /// useradd(8) gives up when another one holds the files.
    accounts: Mutex<()>,
}

impl Site {
    /// Boots a machine and puts the services under jitd.
    pub(crate) fn boot(what: Boot) -> Self {
        let site = Self { machine: Machine::boot(what), accounts: Mutex::new(()) };
        for service in SERVICES {
            site.put_under_jitd(service);
        }
        if !what.bare {
            // Many scenarios log in at once; sshd would turn some away by lot (MaxStartups of sshd_config(5)).
            site.machine.write("/etc/ssh/sshd_config.d/scenarios.conf", "MaxStartups 500\n", 0o600);
            site.shell("systemctl reload ssh").done();
            site.is_ready();
        }
        site
    }

    /// Types what the installed documentation says to type for sshd, for another service.
    pub(crate) fn put_under_jitd(&self, service: &str) {
        let guide = self.guide();
        let commands: Vec<&str> = guide
            .lines()
            // The lines that stand before an include: the gate's.
            .filter(|line| line.starts_with("sed -i '/^@include") && line.contains("/i "))
            .filter(|line| line.ends_with(" /etc/pam.d/sshd"))
            .collect();
        assert_eq!(commands.len(), 2, "{GUIDE} no longer has one command for each line");
        let file = format!("/etc/pam.d/{service}");
        for command in commands {
            self.shell(&command.replace("/etc/pam.d/sshd", &file)).done();
        }
        assert_eq!(
            self.shell(&format!("grep -c '^[as].* pam_jit.so' {file}")).done(),
            "2",
            "lines in {file}"
        );
    }

    /// What the installed documentation says to do with PAM files.
    pub(crate) fn guide(&self) -> String {
        self.machine.read(GUIDE)
    }

    /// Takes the lines out again, as the package's refusal to be removed says.
    pub(crate) fn take_out_of_pam(&self) {
        self.shell(r"sed -i '/^[^#]*pam_jit\.so/d' /etc/pam.d/*").done();
    }

    /// Runs a script as root.
    pub(crate) fn shell(&self, script: &str) -> Output {
        self.machine.shell(script)
    }

    /// The last lines of the machine's journal, for a report.
    pub(crate) fn log_of_the_last(&self, seconds: u64) -> String {
        let all = format!("journalctl --no-pager -o short-precise --since=-{seconds}s");
        self.shell(&format!("{all} | grep -av ' systemd\\[' | tail -n 60 | cut -c1-300")).stdout
    }

    /// Takes away what a scenario has left that binds others: its files of policy, sudo and cron, and locks on whoever
    /// and whatever these are called after.
    pub(crate) fn take_away(&self, written: &[String]) {
        let folders = ["/etc/jit/policy.d/", "/etc/cron.d/", "/etc/sudoers.d/"];
        let left = written.iter().filter(|path| folders.iter().any(|folder| path.starts_with(folder)));
        let mut names = BTreeSet::new();
        for path in left {
            self.machine.run(&["rm", "-f", path]).done();
            let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".toml");
            names.insert(name.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned());
        }
        self.shell("jitctl policy load").done();
        for lock in self.status().locks {
            if lock.scope.split_once(':').is_some_and(|(_, of)| names.contains(of)) {
                self.machine.run(&["jitctl", "unlock", &lock.scope]).done();
            }
        }
    }

    // People, roles, policy.

    /// Makes an account with a home, the password NAME-pw, and root's key as one that opens it.
    pub(crate) fn person(&self, name: &str) {
        // One scenario that failed here is no reason for the others to.
        let _alone = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        self.shell(&format!(
            "useradd --create-home --shell /bin/bash {name} && echo {name}:{name}-pw | chpasswd &&
             install -d -m 700 -o {name} -g {name} ~{name}/.ssh &&
             install -m 600 -o {name} -g {name} /root/.ssh/id_ed25519.pub ~{name}/.ssh/authorized_keys &&
             touch ~{name}/.hushlogin"
        ))
        .done();
    }

    /// Lets somebody use sudo, by the sudoers rule given, without anything that jitd knows of.
    pub(crate) fn sudoer(&self, name: &str, rule: &str) {
        self.machine.write(&format!("/etc/sudoers.d/{name}"), &format!("{rule}\n"), 0o440);
    }

    /// Adds a file to the policy and loads it.
    pub(crate) fn policy(&self, name: &str, text: &str) {
        self.machine.write(&format!("/etc/jit/policy.d/{name}.toml"), &format!("version = 1\n{text}"), 0o644);
        self.shell("jitctl policy load").done();
    }

    /// Adds roles in a file of their own, and loads them.
    pub(crate) fn roles(&self, roles: &[Role<'_>]) {
        let text: String = roles.iter().map(Role::text).collect();
        self.policy(&format!("50-{}", roles[0].name), &text);
    }

    /// An account with one role for these services, both of this name.
    pub(crate) fn person_with_role(&self, name: &str, services: &[&str]) {
        self.person(name);
        self.roles(&[Role::new(name, services, name)]);
    }

    // Windows.

    /// Opens a window, as root does without a login. While a session of su or sudo is open by a window, that counts as
    /// nobody's word (law 4): in the common machine another scenario may have one for a moment.
    pub(crate) fn open(&self, user: &str, role: &str, time: &str) -> Window<'_> {
        let mut entry = self.grant(user, role, time);
        until(SOON, "the window opens", || {
            let is_rootless = self.sessions().iter().any(|session| session.service.starts_with("su"));
            if entry.state == "pending" && is_rootless {
                self.machine.run(&["jitctl", "revoke", &entry.request]).done();
                entry = self.grant(user, role, time);
            }
            entry.state != "pending" || !is_rootless
        });
        if entry.state == "pending" {
            // It may have ended between the two looks.
            self.machine.run(&["jitctl", "revoke", &entry.request]).done();
            entry = self.grant(user, role, time);
        }
        assert_eq!(entry.state, "active", "{entry:?}");
        Window { site: self, id: entry.grant.expect("an active entry has a grant") }
    }

    /// A window that will be over soon, in which this attempt leads in as somebody: on a busy host it can be over before
    /// the attempt is, and is then opened again for longer.
    #[track_caller]
    pub(crate) fn open_briefly(
        &self,
        user: &str,
        role: &str,
        becomes: &str,
        attempt: impl Fn() -> Output,
    ) -> Window<'_> {
        for seconds in [8, 16, 32] {
            let window = self.open(user, role, &format!("{seconds}s"));
            let came = attempt();
            if came.is_ok() || self.entry(&window.id).state != "ended" {
                came.admits(becomes);
                return window;
            }
        }
        let window = self.open(user, role, "1m");
        attempt().admits(becomes);
        window
    }

    /// Asks for a window.
    pub(crate) fn grant(&self, user: &str, role: &str, time: &str) -> Entry {
        read(&self.grant_because(user, role, time, &format!("INC-1 {role}")))
    }

    /// The same for a reason, whatever comes of it.
    pub(crate) fn grant_because(&self, user: &str, role: &str, time: &str, reason: &str) -> Output {
        let reason = format!("--reason={reason}");
        // As root who logged in: without a login root is no reviewer while some session may be root's by a grant,
        // and others hold such sessions beside us.
        let as_root = "echo 0 >/proc/self/loginuid; exec \"$@\"";
        let argv = [
            "sh", "-c", as_root, "sh", "jitctl", "--json", "grant", user, "--role", role, "--for", time,
            &reason,
        ];
        self.machine.run(&argv)
    }

    /// An account that logs in by ssh as it likes, to ask and to review there, and may run anything by sudo as far as
    /// sudo is concerned.
    pub(crate) fn people_with_a_way_in(&self, names: &[&str]) {
        for name in names {
            self.person(name);
            self.sudoer(name, &format!("{name} ALL=(ALL:ALL) NOPASSWD: ALL"));
        }
        let users = names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        let exempt = format!("[[exempt]]\nusers = [{users}]\nservices = [\"sshd\"]\n");
        self.policy(&format!("40-{}", names[0]), &exempt);
    }

    /// A command in a login of somebody's own, by ssh.
    pub(crate) fn logged_in(&self, user: &str, command: &str) -> Output {
        self.start_logged_in(user, command).output()
    }

    /// The same, not waited for.
    pub(crate) fn start_logged_in(&self, user: &str, command: &str) -> Running {
        let to = format!("{user}@127.0.0.1");
        self.machine.start(SOON * 3, &["ssh", "-o", "BatchMode=yes", "-T", &to, command])
    }

    /// Somebody who comes in by ssh, says so and stays; `number` tells their `sleep` from others'. That a session of theirs is
    /// listed would not be enough: it may be one of before.
    pub(crate) fn stays_logged_in(&self, user: &str, number: u32) -> Running {
        let session = self.start_logged_in(user, &format!("echo in; exec sleep {number}"));
        until(SOON, "they are in", || self.shell(&format!("pgrep -u {user} -fx 'sleep {number}'")).is_ok());
        session
    }

    /// `jitctl check`, whatever it answers.
    pub(crate) fn check(&self, service: &str, user: &str) -> Check {
        read(&self.machine.run(&["jitctl", "--json", "check", service, user]))
    }

    /// `jitctl show`.
    pub(crate) fn entry(&self, id: &str) -> Entry {
        read(&self.machine.run(&["jitctl", "--json", "show", id]))
    }

    /// `jitctl list`, as root sees it.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        read(&self.machine.run(&["jitctl", "--json", "list"]))
    }

    /// `jitctl status`, whatever it answers.
    pub(crate) fn status(&self) -> Status {
        read(&self.machine.run(&["jitctl", "--json", "status"]))
    }

    /// `jitctl list`, of one person's.
    pub(crate) fn entries_of(&self, user: &str) -> Vec<Entry> {
        let all: Vec<Entry> = read(&self.machine.run(&["jitctl", "--json", "list"]));
        all.into_iter().filter(|entry| entry.user == user).collect()
    }

    /// `jitctl session list`.
    pub(crate) fn sessions(&self) -> Vec<Session> {
        read(&self.machine.run(&["jitctl", "--json", "session", "list"]))
    }

    /// Waits until jitd can decide, and is on both roads: root's jitctl takes jitd's own socket, other people's the bus.
    pub(crate) fn is_ready(&self) {
        until(SOON, "jitd is ready", || self.machine.run(&["jitctl", "status"]).is_ok());
        let as_nobody =
            ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "jitctl", "status"];
        until(SOON, "jitd is on the bus", || self.machine.run(&as_nobody).is_ok());
    }

    // Ways in.

    /// ssh with root's key, which opens every account: who one is in there.
    pub(crate) fn ssh(&self, user: &str) -> Output {
        self.start_ssh(user).output()
    }

    /// The same, not waited for.
    pub(crate) fn start_ssh(&self, user: &str) -> Running {
        let to = format!("{user}@127.0.0.1");
        self.machine.start(SOON * 3, &["ssh", "-o", "BatchMode=yes", "-T", &to, "id -un"])
    }

    /// ssh with a password, by the method named as sshd_config(5) does.
    pub(crate) fn ssh_by(&self, method: &str, user: &str) -> Output {
        let password = format!("{user}-pw");
        let method = format!("PreferredAuthentications={method}");
        let to = format!("{user}@127.0.0.1");
        let argv = ["sshpass", "-p", &password, "ssh", "-o", "PubkeyAuthentication=no", "-o", &method];
        self.machine.run(&[&argv[..], &[to.as_str(), "id -un"]].concat())
    }

    /// A console login on a terminal of its own.
    pub(crate) fn login(&self, user: &str) -> Output {
        self.terminal(&format!(
            r#"console {user}
               on {{[$#] $}} {{ send "echo I-am-\$(id -un)\r" }}
               on {{I-am-[a-z0-9]+}} {{ send "exit\r" }}
               finish"#
        ))
    }

    /// A command on a terminal that asks for one password.
    pub(crate) fn with_password(&self, user: &str, command: &str, password: &str) -> Output {
        self.terminal(&format!(
            r#"spawn -noecho setpriv --reuid {user} --regid {user} --init-groups {command}
               on {{assword.*: $}} {{ send "{password}\r" }}
               finish"#
        ))
    }

    /// A script of expect(1)'s; the spawned command gives the exit status, and 99 means that it fell silent. `console`
    /// logs somebody in there by password.
    pub(crate) fn terminal(&self, script: &str) -> Output {
        self.machine.run(&["expect", "-c", &Self::expect(script)])
    }

    /// The same, not waited for.
    pub(crate) fn start_terminal(&self, script: &str) -> Running {
        self.machine.start(SOON * 3, &["expect", "-c", &Self::expect(script)])
    }

    /// Somebody who has logged in at the console and is busy there with this command.
    pub(crate) fn stays_at_the_console(&self, user: &str, command: &str) -> Running {
        let script = format!(
            r#"console {user}
               on {{[$#] $}} {{ send {{{command}}}; send "\r" }}
               expect -timeout 200 eof
               exit 1"#
        );
        self.machine.start(SOON * 12, &["expect", "-c", &Self::expect(&script)])
    }

    fn expect(script: &str) -> String {
        // login(1) of util-linux hangs its terminal up and opens it anew. That nobody has it open in between would be its
        // end for whoever reads the other side; so a shell does (Tcl itself would make it raw).
        const PRELUDE: &str = r#"
            set timeout 40
            proc finish {} {
                global spawn_id
                expect timeout { exit 99 } eof
                exit [lindex [wait] 3]
            }
            proc on {regex act} {
                global spawn_id
                expect timeout { exit 99 } eof { exit [lindex [wait] 3] } -re $regex $act
            }
            proc console {user} {
                global spawn_id
                spawn -noecho login $user
                set held [open "|sh -c {exec 3<>$spawn_out(slave,name); echo; exec cat >/dev/null}" r+]
                gets $held
                on {assword.*: $} {}
                close $held
                send "$user-pw\r"
            }
            cd /
        "#;
        format!("{PRELUDE}\n{script}")
    }

    /// A time of a record, RFC 3339, in milliseconds since the epoch. As text such times have no order: a fraction is as
    /// short as it can be.
    pub(crate) fn millis(&self, time: &str) -> i64 {
        self.shell(&format!("date -d '{time}' +%s%3N")).done().parse().unwrap()
    }

    // Records.

    /// Records of one event that have this word in their line, as `jitctl`'s own log lines tell them.
    pub(crate) fn logged(&self, event: &str, word: &str) -> Vec<String> {
        let script = format!("journalctl --no-pager -o cat SYSLOG_IDENTIFIER=jitd JIT_EVENT={event}");
        self.shell(&script).stdout.lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
    }

    /// Demands that the module refuses this attempt to somebody, for this reason: where a program passes on nothing of
    /// what it says, as `sudo -n` does, its own line in the log tells the refusal from all else that can fail.
    #[track_caller]
    pub(crate) fn denies(&self, who: &str, why: &str, attempt: impl FnOnce() -> Output) {
        self.module_refuses(&format!("denied reason=\"{why}\""), &format!("user=\"{who}\""), attempt);
    }

    /// Demands that this attempt fails, and that the module says so in a line that starts like this and has this in it.
    #[track_caller]
    pub(crate) fn module_refuses(&self, start: &str, has: &str, attempt: impl FnOnce() -> Output) {
        let refusals = || self.module_said(start).lines().filter(|line| line.contains(has)).count();
        let before = refusals();
        let output = attempt();
        output.is_cut_off();
        until(SOON, &format!("the module says {start:?} with {has}, after {output}"), || refusals() > before);
    }

    /// What the module itself has said about somebody.
    pub(crate) fn module_said(&self, word: &str) -> String {
        let said = self.shell("journalctl --no-pager -o cat | grep -a '^pam_jit'").stdout;
        said.split_inclusive('\n').filter(|line| line.contains(word)).collect()
    }
}

#[track_caller]
pub(crate) fn read<T: serde::de::DeserializeOwned>(output: &Output) -> T {
    serde_json::from_str(&output.stdout).unwrap_or_else(|err| panic!("{err} in {output}"))
}

/// A role of one stage, which root meets.
pub(crate) struct Role<'a> {
    name: &'a str,
    services: &'a [&'a str],
    user: &'a str,
    rest: &'a str,
    approvers: &'a str,
    approvals: u32,
}

impl<'a> Role<'a> {
    pub(crate) const fn new(name: &'a str, services: &'a [&'a str], user: &'a str) -> Self {
        Self { name, services, user, rest: "", approvers: "\"root\"", approvals: 1 }
    }

    /// One login for each window.
    pub(crate) const fn single_use(self) -> Self {
        Self { rest: "uses = 1\n", ..self }
    }

    /// Its reason starts with a ticket.
    pub(crate) const fn with_ticket(self) -> Self {
        let rest = "reason = { pattern = \"^INC-[0-9]+ .{8,}\", hint = \"INC-1234 and what you will do\" }\n";
        Self { rest, ..self }
    }

    /// Who approves, quoted and comma-separated, and how many of them.
    pub(crate) const fn approved_by(self, approvers: &'a str, approvals: u32) -> Self {
        Self { approvers, approvals, ..self }
    }

    /// Further terms, a line each.
    pub(crate) const fn with(self, rest: &'a str) -> Self {
        Self { rest, ..self }
    }

    pub(crate) fn text(&self) -> String {
        let Self { name, services, user, rest, approvers, approvals } = self;
        format!(
            "[role.{name}]\nhosts = [\"*\"]\nservices = {services:?}\neligible = {{ users = [\"{user}\"] }}\n\
             max-duration = \"4h\"\n{rest}[[role.{name}.stage]]\napprovers = {{ users = [{approvers}] }}\n\
             approvals = {approvals}\n"
        )
    }
}

/// An open window.
pub(crate) struct Window<'s> {
    site: &'s Site,
    pub(crate) id: String,
}

impl Window<'_> {
    /// Takes it back.
    #[track_caller]
    pub(crate) fn revoke(&self) {
        let done: serde_json::Value = read(&self.site.machine.run(&["jitctl", "--json", "revoke", &self.id]));
        let ended = &done[0]["ended"];
        assert!(ended["state"] == "ended" && ended["changed"] == true, "{done}");
    }

    /// Waits until it has closed by itself.
    #[track_caller]
    pub(crate) fn wait_for_its_end(&self) {
        until(SOON * 2, "the window is over", || self.site.entry(&self.id).state == "ended");
        assert_eq!(self.site.entry(&self.id).ended.as_deref(), Some("expired"));
    }
}

/// What a way in came to.
pub(crate) trait Entrance {
    /// It led in, as this user.
    fn admits(&self, user: &str);
    /// It was refused, and the person was told what to type.
    fn is_refused(&self, user: &str, role: &str);
    /// It was refused, for the reason that it says.
    fn refuses(&self, why: &str);
    /// It was under way, and came to no good end: that is no refusal, and why it ended is on record.
    fn is_cut_off(&self);
}

impl Entrance for Output {
    #[track_caller]
    fn admits(&self, user: &str) {
        assert!(self.is_ok(), "expected to get in with {self}");
        assert!(
            self.stdout.lines().any(|line| line.trim_end().ends_with(user)),
            "expected {user} from {self}"
        );
    }

    #[track_caller]
    fn is_refused(&self, user: &str, role: &str) {
        self.refuses(&format!("jit: {user} has no open window for "));
        self.says(&format!("role {role}"));
    }

    #[track_caller]
    fn refuses(&self, why: &str) {
        self.is_cut_off();
        self.says(why);
    }

    #[track_caller]
    fn is_cut_off(&self) {
        assert!(!self.is_ok(), "expected no success from {self}");
        assert!(self.status != 99, "the dialogue stood still: {self}");
    }
}
