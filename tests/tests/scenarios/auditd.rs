//! What auditd recorded of the sessions of a story: the kernel's own record, beside jitd's.

use std::process::{Child, Command, Stdio};

use jit_tests::machine::until;

use crate::site::{Role, SOON, Site};

/// The machine's own auditd. The kernel has one of them and takes none out of a container, so it is the machine's in all but
/// the namespaces of processes and of the network, which are this host's. Its rules go with it, and the kernel's record stops.
struct Auditd {
    leader: u64,
    daemon: Child,
}

/// What it is to record: what people run.
const COMMANDS: &str = "always,exit -F arch=b64 -S execve -F auid>=1000 -F auid!=unset";

impl Auditd {
    fn start(site: &Site) -> Self {
        let leader = site.machine.pid_on_host(1);
        let is_as_it_comes = auditctl(leader, &["-s"]).starts_with("enabled 0\n")
            && auditctl(leader, &["-l"]).starts_with("No rules");
        assert!(is_as_it_comes, "this host's own kernel audits: this needs a host that does not");
        let mut command = in_machine(leader, &["setpriv", "--pdeathsig", "TERM", "auditd", "-n"]);
        let daemon = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("auditd starts");
        let auditd = Self { leader, daemon };
        until(SOON, "the kernel has taken auditd", || {
            auditctl(leader, &["-s"]).contains(&format!("pid {}\n", auditd.daemon.id()))
        });
        auditd.rule("-a");
        auditctl(leader, &["-e", "1"]);
        auditd
    }

    fn rule(&self, order: &str) {
        auditctl(self.leader, &[&[order], &*COMMANDS.split(' ').collect::<Vec<_>>()].concat());
    }
}

impl Drop for Auditd {
    fn drop(&mut self) {
        auditctl(self.leader, &["-e", "0"]);
        self.rule("-d");
        // Asked, it tells the kernel that there is none any more.
        drop(Command::new("kill").arg(self.daemon.id().to_string()).status());
        drop(self.daemon.wait());
    }
}

/// What auditctl(8) does and says.
fn auditctl(leader: u64, args: &[&str]) -> String {
    let output = in_machine(leader, &[&["auditctl"], args].concat()).output().expect("auditctl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn in_machine(leader: u64, argv: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &leader.to_string(), "--mount", "--root", "--wd"]).args(argv);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

pub(crate) fn what_was_run(site: &Site) {
    for name in ["kira", "kuno"] {
        site.person(name);
        site.sudoer(name, &format!("{name} ALL=(ALL) NOPASSWD: ALL"));
    }
    site.roles(&[Role::new("kira", &["sshd", "sudo"], "kira"), Role::new("kuno", &["sshd", "sudo"], "kuno")]);
    let (hers, his) = (site.open("kira", "kira", "30m"), site.open("kuno", "kuno", "30m"));
    let auditd = Auditd::start(site);
    site.logged_in("kira", "/bin/echo of-hers $'\\033[2J'; sudo -n /bin/echo by-sudo").done();
    site.logged_in("kuno", "/bin/echo of-his").done();
    let gone = |user: &str| !site.logged("session-gone", &format!("user=\"{user}\"")).is_empty();
    until(SOON, "both are over, on record", || gone("kira") && gone("kuno"));

    let shown = |id: &str| site.shell(&format!("jitctl audit show {id} --commands"));
    until(SOON, "auditd has written what it was told", || shown(&his.id).stdout.contains("of-his"));
    let story = shown(&hers.id);
    story.done();
    story.says("What auditd has of audit session").says("a1=of-hers").says("a3=by-sudo");
    story.does_not_say("of-his").does_not_say("\u{1b}");
    shown(&his.id).does_not_say("of-hers").does_not_say("by-sudo");

    // Without it there is a word on where it would come from.
    drop(auditd);
    site.shell("mv /usr/sbin/ausearch /usr/sbin/ausearch.away").done();
    shown(&hers.id).does_not_say("a1=of-hers").says("there is no ausearch here").done();
}
