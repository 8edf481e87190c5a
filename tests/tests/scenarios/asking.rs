//! Asking for a role while logging in: the auth line with `request`, in real sshd, login and sudo.

use jit_tests::machine::Output;

use crate::site::{Entrance, Role, Site};

/// Adds the line that lets people ask, as the installed documentation says, to this service.
pub(crate) fn lets_people_ask(site: &Site, service: &str) {
    let guide = site.guide();
    let commands: Vec<&str> =
        guide.lines().filter(|line| line.contains("pam_jit.so request' /etc/pam.d/sshd")).collect();
    let [command] = commands[..] else { panic!("the guide has {} commands for it", commands.len()) };
    site.shell(&command.replace("/etc/pam.d/sshd", &format!("/etc/pam.d/{service}"))).done();
    let above = format!("grep -B1 'pam_jit.so request' /etc/pam.d/{service} | head -n 1");
    assert_eq!(site.shell(&above).done(), "@include common-auth");
}

/// A role that wants a ticket, and its person.
fn person(site: &Site, name: &str, service: &str) {
    site.person(name);
    site.roles(&[Role::new(name, &[service], name).with_ticket()]);
}

const BY_QUESTIONS: &str = "ssh -o PubkeyAuthentication=no -o PreferredAuthentications=keyboard-interactive -o NumberOfPasswordPrompts=1";

/// ssh that shows its prompts.
pub(crate) fn ssh(site: &Site, user: &str, script: &str) -> Output {
    site.terminal(&format!(
        r#"spawn -noecho {BY_QUESTIONS} {user}@127.0.0.1 {{id -un}}
           on {{assword: $}} {{ send "{user}-pw\r" }}
           {script}
           finish"#
    ))
}

/// Asks for half an hour, by the prompts.
const ASK: &str = r#"on {How long.*at most 4h; q leaves\) $} { send "30m\r" }
                     on {Why\? INC-1234 and what you will do \(q leaves\) $} { send "INC-1 disk full\r" }
                     "#;

/// Waits for the prompt at which one waits.
const WAIT: &str = r"on {type q to leave: $}";

/// root approves meanwhile, as a person who was called does.
fn granted(user: &str) -> String {
    let grant = format!("jitctl grant {user} --role {user} --for 30m {{--reason=INC-1 disk full}}");
    format!(r#"{WAIT} {{ exec -ignorestderr {grant}; send "\r" }}"#)
}

/// The requests of somebody that wait.
fn waiting(site: &Site, user: &str) -> Vec<String> {
    let entries = site.entries();
    let waits = |entry: &&jit_proto::manager::Entry| entry.user == user && entry.state == "pending";
    entries.iter().filter(waits).map(|entry| entry.request.clone()).collect()
}

/// Whether the questions were shown.
fn nothing_is_asked(output: &Output) {
    output.does_not_say("You can ask for").does_not_say("Press Enter");
}

pub(crate) fn over_ssh(site: &Site) {
    lets_people_ask(site, "sshd");
    person(site, "kira", "sshd");

    // She leaves, and account refuses her.
    let left = ssh(site, "kira", r#"on {q leaves\) $} { send "q\r" }"#);
    left.says("jit: kira has no open window for sshd").says("You can ask for role kira.");
    left.is_refused("kira", "kira");
    assert!(waiting(site, "kira").is_empty());

    // What cannot be used is explained, and three times of it are enough.
    let hostile = r#"on {q leaves\) $} { send "\033\[2J\r" }"#;
    let enough = ssh(site, "kira", &[hostile; 3].join("\n"));
    enough.says("That had the character U+001B in it.").is_refused("kira", "kira");
    let long = format!(
        r#"on {{q leaves\) $}} {{ send "5h\r" }}
           {ASK}
           {WAIT} {{ send "q\r" }}"#
    );
    let filed = ssh(site, "kira", &long);
    filed.says("Role kira opens for at most 4h.").refuses("waits on");
    let [id] = &waiting(site, "kira")[..] else { panic!("one request: {filed}") };
    filed.says(&format!("jit: {id} for role kira waits")).says("1 approval from");

    // Another login waits for the same request, and goes on when it has opened.
    ssh(site, "kira", &granted("kira")).says(id).admits("kira");
    assert_eq!(waiting(site, "kira").len(), 1);
    assert!(site.module_said("asked for a role").contains(id.as_str()));

    // With a window nothing is asked; nor by key, nor where a prompt cannot be shown.
    let inside = ssh(site, "kira", "");
    inside.admits("kira");
    nothing_is_asked(&inside);
    person(site, "kurt", "sshd");
    for refused in [site.ssh("kurt"), site.ssh_by("password", "kurt")] {
        nothing_is_asked(&refused);
        refused.is_refused("kurt", "kurt");
    }
}

pub(crate) fn until_time_runs_out(site: &Site) {
    lets_people_ask(site, "sshd");
    person(site, "grace", "sshd");
    site.machine.write("/etc/ssh/sshd_config.d/grace.conf", "LoginGraceTime 25\n", 0o600);
    site.shell("systemctl reload ssh").done();
    // sshd ends what asks; ssh itself, which reads the terminal, notices when a key is pressed.
    let gone = r#"exec timeout 55 sh -c {while pgrep -f "[s]shd: grace" >/dev/null; do sleep 0.2; done}"#;
    let cut = ssh(site, "grace", &format!(r#"{ASK} {WAIT} {{ {gone}; send "\r" }}"#));
    cut.refuses("Your request stays");
    let [id] = &waiting(site, "grace")[..] else { panic!("it is still there: {cut}") };
    // It is still this one that the next login waits for.
    ssh(site, "grace", &granted("grace")).says(id).admits("grace");
}

pub(crate) fn at_the_console(site: &Site) {
    lets_people_ask(site, "login");
    person(site, "cora", "login");
    let login = |script: &str| {
        site.terminal(&format!(
            r#"console cora
               {script}
               on {{[$#] $}} {{ send "echo I-am-\$(id -un)\r" }}
               on {{I-am-[a-z0-9]+}} {{ send "exit\r" }}
               finish"#
        ))
    };
    login(r#"on {q leaves\) $} { send "q\r" }"#).is_refused("cora", "cora");
    login(&format!("{ASK}\n{}", granted("cora"))).admits("cora");
    let inside = login("");
    inside.admits("cora");
    nothing_is_asked(&inside);
}

pub(crate) fn with_sudo(site: &Site) {
    lets_people_ask(site, "sudo");
    person(site, "sonja", "sudo");
    site.sudoer("sonja", "Defaults:sonja timestamp_timeout=0\nsonja ALL=(ALL) ALL");
    let sudo = |script: &str| {
        site.terminal(&format!(
            r#"spawn -noecho setpriv --reuid sonja --regid sonja --init-groups sudo id -un
               on {{assword.*: $}} {{ send "sonja-pw\r" }}
               {script}
               finish"#
        ))
    };
    site.denies("sonja", "no-window", || sudo(r#"on {q leaves\) $} { send "q\r" }"#));
    sudo(&format!("{ASK}\n{}", granted("sonja"))).admits("root");
    let inside = sudo("");
    inside.admits("root");
    nothing_is_asked(&inside);

    // Without a terminal the answers come with the password, or there are none; and root has nothing to ask for.
    person(site, "stella", "sudo");
    site.sudoer("stella", "stella ALL=(ALL) ALL");
    let typed =
        |what: &str| site.machine.as_user("stella", &format!("printf '{what}' | sudo -S -p '' id -un"));
    site.denies("stella", "no-window", || typed("stella-pw\\nq\\n"));
    typed("stella-pw\\n").refuses("no password was provided");
    assert!(waiting(site, "stella").is_empty());
    site.shell("sudo -u olga id -un").admits("olga");
}

pub(crate) fn without_jitd(site: &Site) {
    lets_people_ask(site, "sshd");
    person(site, "dana", "sshd");
    site.shell("systemctl mask --quiet --runtime jitd && systemctl stop jitd").done();
    let refused = ssh(site, "dana", "");
    nothing_is_asked(&refused);
    refused.refuses("login refused: jitd does not answer");
}

/// A call of `Ask` by busctl(1), about this person at sshd.
fn call(method: &str, user: &str, rest: &str) -> String {
    format!(
        "busctl --system call org.jitd.Jit1 /org/jitd/Jit1 org.jitd.Jit1.Ask {method} \
         16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 sshd {user} '' 0 '' '' {rest}"
    )
}

pub(crate) fn by_whoever_is_not_a_module(site: &Site) {
    person(site, "ines", "sshd");
    person(site, "oskar", "sshd");
    let options = call("Options '(aysssuss)'", "ines", "");
    let file = call("File '(aysssuss)sts'", "ines", "ines 60 'INC-1 disk full'");
    for attempt in [&options, &file, &call("Progress '(aysssuss)s'", "ines", "r-4k7m2qx9")] {
        site.machine.as_user("oskar", attempt).refuses("enied");
    }
    assert!(waiting(site, "ines").is_empty());

    // Root's modules may; and what is another's looks like what does not exist.
    site.shell(&options).says("\"ask\"").says("\"ines\" \"\" 3600 14400 \"INC-1234").done();
    site.shell(&file).says("\"waiting\"").done();
    let [id] = &waiting(site, "ines")[..] else { panic!("one request") };
    let progress =
        |user: &str, id: &str| site.shell(&call("Progress '(aysssuss)s'", user, id)).done().replace(id, "ID");
    assert!(progress("ines", id).contains("\"waiting\""));
    assert!(progress("oskar", id).contains("\"over\""));
    assert_eq!(progress("oskar", id), progress("oskar", "r-00000000"));
    for (words, why) in [
        ("sshd 'a:b'", "user"),
        ("sshd $'a\\nb'", "user"),
        ("../../x ines", "service"),
        ("sshd $(head -c 5000 /dev/zero | tr '\\0' a)", "user"),
    ] {
        site.shell(&options.replace("sshd ines", words)).refuses(why);
    }
    site.shell("jitctl status").done();
}

pub(crate) fn refusals_name_the_ways(site: &Site) {
    person(site, "wanda", "sshd");
    let told = || site.ssh("wanda");
    told().does_not_say("To ask for role").is_refused("wanda", "wanda");
    let ways = "\\n[ask]\\nat-login = [\"sshd\"]\\nkiosk = \"ssh -p 2222 kiosk@bed\"\\n";
    site.shell(&format!("printf '{ways}' >>/etc/jit/jitd.toml && systemctl restart jitd")).done();
    site.is_ready();
    let by = "log in by ssh -o PreferredAuthentications=keyboard-interactive, or go to the kiosk: ssh -p 2222 kiosk@bed";
    told().says(by).is_refused("wanda", "wanda");
}
