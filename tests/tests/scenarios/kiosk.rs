//! The kiosk: the menu for people who cannot get in, and nothing but the menu.

use jit_tests::machine::{Output, until};

use crate::site::{Entrance, Role, SOON, Site};

/// Opens the kiosk to the network, once for everybody.
fn open(site: &Site) {
    site.shell("systemctl start jit-kiosk-sshd.socket").done();
}

/// ssh to the kiosk with root's key, which opens every account, and with these options.
fn ssh(site: &Site, user: &str, options: &str, command: &str, typed: &str) -> Output {
    once_there_is_a_place(site, &command_of_ssh(user, options, command, typed))
}

fn command_of_ssh(user: &str, options: &str, command: &str, typed: &str) -> String {
    format!(
        "printf '{typed}' | timeout 20 ssh -p 2222 -o BatchMode=yes -o HostKeyAlias=localhost {options} \
         {user}@127.0.0.1 {command}"
    )
}

/// All of this host is one source to the kiosk, which lets in one a second after the first ones. Whoever is closed
/// before a word was said tries again, as people do.
fn once_there_is_a_place(site: &Site, command: &str) -> Output {
    let mut output = site.shell(command);
    until(SOON * 3, "the kiosk has a place", || {
        let is_closed = is_closed_at_once(&output);
        if is_closed {
            output = site.shell(command);
        }
        !is_closed
    });
    output
}

/// Whether the kiosk's door had no place, as ssh tells it.
pub(crate) fn is_closed_at_once(ssh: &Output) -> bool {
    let said = ssh.all();
    ["kex_exchange_identification", "banner exchange: ", "Connection reset by"]
        .iter()
        .any(|word| said.contains(word))
}

/// A visit to the menu, which leaves at once.
pub(crate) fn visit(site: &Site, user: &str) -> Output {
    types(site, user, &["5"])
}

/// The same, by whoever does not try again.
pub(crate) fn visit_once(site: &Site, user: &str) -> Output {
    site.shell(&command_of_ssh(user, "", "", "5\\n"))
}

/// Types lines into the menu.
fn types(site: &Site, user: &str, lines: &[&str]) -> Output {
    ssh(site, user, "", "", &(lines.join("\\n") + "\\n"))
}

pub(crate) fn off_until_enabled(site: &Site) {
    let state = |unit: &str| site.shell(&format!("systemctl is-enabled {unit}; systemctl is-active {unit}"));
    for unit in ["jit-kiosk-sshd.socket", "jit-kiosk-console@tty8.service"] {
        state(unit).says("disabled").says("inactive");
    }
    site.shell("ss -Hltn 'sport = :2222'").does_not_say("2222").done();
    let units = "cd /usr/lib/systemd/system && ls jit-kiosk-*.socket jit-kiosk-*.service | sed 's/@/@tty8/'";
    let verify = format!("systemd-analyze verify --man=no $({units})");
    let units = site.shell(units);
    for unit in
        ["-sshd.socket", "-listen.service", "-handed.socket", "-handed@tty8.service", "-local@tty8.service"]
    {
        units.says(&format!("jit-kiosk{unit}\n"));
    }
    site.shell(&verify).done();

    site.shell("systemctl enable --now jit-kiosk-sshd.socket jit-kiosk-console@tty8.service");
    state("jit-kiosk-sshd.socket").says("enabled").says("\nactive");
    let knock = "timeout 20 ssh-keyscan -p 2222 127.0.0.1";
    site.shell(knock).says("ssh-ed25519");
    site.shell("systemctl is-active jit-kiosk-listen jit-kiosk-handed.socket").done();
    // Who closes the port closes it; and again it is open.
    site.shell("systemctl stop jit-kiosk-sshd.socket").done();
    site.shell("ss -Hltn 'sport = :2222'").does_not_say("2222").done();
    site.shell("systemctl start jit-kiosk-sshd.socket").done();
    site.shell(knock).says("ssh-ed25519");
    // The ports are what an admin says, as the manual shows it.
    let ports = "[Socket]\nListenStream=\nListenStream=127.0.0.1:2222\nListenStream=[::1]:2223\n";
    site.shell("mkdir /etc/systemd/system/jit-kiosk-sshd.socket.d").done();
    site.machine.write("/etc/systemd/system/jit-kiosk-sshd.socket.d/override.conf", ports, 0o644);
    site.shell("systemctl daemon-reload; systemctl restart jit-kiosk-sshd.socket").done();
    site.shell(knock).says("ssh-ed25519");
    site.shell("timeout 20 ssh-keyscan -p 2223 ::1").says("ssh-ed25519");

    site.take_out_of_pam();
    site.shell("dpkg --remove pam-jit").done();
    site.shell("ls -d /etc/systemd/system/*.wants/jit-kiosk-*").refuses("No such file");
    site.shell("pgrep -f '[j]it-kiosk'").exits(1);
    site.shell("ls /run/jit-kiosk-*").refuses("No such file");
    site.shell("ss -Hltn 'sport = :2222'").does_not_say("2222").done();
}

pub(crate) fn from_asking_to_getting_in(site: &Site) {
    open(site);
    site.person("kiki");
    site.person("kurt");
    site.roles(&[Role::new("kiki", &["sshd"], "kiki").approved_by("\"kurt\"", 1)]);
    site.denies("kiki", "no-window", || site.ssh("kiki"));
    let reason = "INC-1 the kiosk";
    let asked = types(site, "kiki", &["1", "kiki", "20m", reason, "", "q", "3", "", "5"]);
    asked.says("waits for").says("Press Enter to check again").says("pending").done();
    site.denies("kiki", "no-window", || site.ssh("kiki"));

    // Nobody reviews their own.
    types(site, "kiki", &["4", "5"]).says("Nothing waits for your review").done();
    site.denies("kurt", "not-eligible", || site.ssh("kurt"));
    types(site, "kurt", &["4", "1", "a", "", "", "5"]).says(reason).says("Approved.").done();

    site.ssh("kiki").admits("kiki");
    site.denies("kurt", "not-eligible", || site.ssh("kurt"));
    types(site, "kiki", &["3", "1", "d", "5"]).says("has ended (done)").done();
    site.denies("kiki", "no-window", || site.ssh("kiki"));
}

pub(crate) fn the_menu_alone(site: &Site) {
    open(site);
    site.person("mallory");
    // All that somebody who was here through a window could have prepared.
    site.shell(
        r#"cd ~mallory && mkdir -p .config/fish
        own='touch /var/tmp/kiosk-mallory /tmp/kiosk-mallory $HOME/ran ~mallory/ran; echo OWNED-$(id -u)'
        for file in .bashrc .bash_profile .profile .zshenv .kshrc .cshrc .ssh/rc .config/fish/config.fish; do
            echo "$own" >$file
        done
        printf '#!/bin/bash\n%s\n' "$own" >sh && chmod 755 sh
        printf 'BASH_ENV=/home/mallory/.bashrc\nENV=/home/mallory/.profile\nLD_PRELOAD=/home/mallory/x.so\n' >.ssh/environment
        sed -i 's#^#command="/home/mallory/sh",environment="BASH_ENV=/home/mallory/.bashrc" #' .ssh/authorized_keys
        echo 'unix:path=/tmp/x' >.pam_environment
        chown -R mallory: ."#,
    )
    .done();
    // With an ordinary sshd the same files run: this is no test of nothing.
    site.roles(&[Role::new("mallory", &["sshd"], "mallory")]);
    let window = site.open("mallory", "mallory", "30m");
    site.ssh("mallory").says("OWNED-");
    window.revoke();
    site.shell("rm -f /var/tmp/kiosk-mallory /tmp/kiosk-mallory ~mallory/ran").done();

    let menu = "leave\n\nChoose: ";
    let ends = "5\\n";
    for command in ["", "id", "/home/mallory/sh", "'bash -i'", "'sh -c id'", "-- --help", "-- '-c id'"] {
        ssh(site, "mallory", "", command, ends).says(menu).does_not_say("OWNED").does_not_say("uid=").done();
    }
    for word in ["!id", "id", "$(id)", "../../bin/sh"] {
        types(site, "mallory", &[word, "5"]).says("one of the numbers").does_not_say("uid=").done();
    }
    let environment = "-o SendEnv=BASH_ENV -o SetEnv=LD_PRELOAD=/home/mallory/x.so";
    ssh(site, "mallory", environment, "", ends).says(menu).does_not_say("OWNED").done();
    for shell in ["/bin/sh", "/usr/bin/zsh", "/bin/tcsh"] {
        site.shell(&format!("usermod --shell {shell} mallory")).done();
        ssh(site, "mallory", "", "", ends).says(menu).does_not_say("OWNED").done();
    }
    for shell in ["/home/mallory/sh", "/usr/sbin/nologin", "/usr/bin/python3"] {
        site.shell(&format!("usermod --shell {shell} mallory")).done();
        ssh(site, "mallory", "", "", ends).does_not_say("OWNED").refuses("No such file");
    }
    site.shell("usermod --shell /bin/bash mallory").done();

    // Whatever else ssh can carry.
    site.shell("echo secret >/tmp/kiosk-file").done();
    let at = "-P 2222 -o BatchMode=yes -o HostKeyAlias=localhost";
    for copy in ["sftp", "scp", "scp -O"] {
        let to = if copy == "sftp" { "mallory@127.0.0.1" } else { "/tmp/kiosk-file mallory@127.0.0.1:" };
        // scp of old is a command, and whatever command is asked for, it is the menu that answers.
        let why = if copy == "scp -O" { "Just-in-time access" } else { "subsystem request failed" };
        once_there_is_a_place(site, &format!("timeout 20 {copy} {at} {to} </dev/null")).refuses(why);
    }
    ssh(site, "mallory", "-W 127.0.0.1:22", "", "")
        .does_not_say("SSH-2.0")
        .refuses("administratively prohibited");
    ssh(site, "mallory", "-N -o ExitOnForwardFailure=yes -R 4001:127.0.0.1:22", "", "")
        .refuses("remote port forwarding failed");
    ssh(site, "mallory", "-N -o ExitOnForwardFailure=yes -w any:any", "", "")
        .refuses("Tunnel forwarding failed");
    ssh(site, "root", "", "", ends).refuses("Permission denied (publickey)");

    for path in
        ["/var/tmp/kiosk-mallory", "/tmp/kiosk-mallory", "/home/mallory/ran", "/home/mallory/kiosk-file"]
    {
        assert!(!site.machine.path(path).exists(), "{path} is there");
    }
    until(SOON, "all has ended", || !site.shell("pgrep -u mallory").is_ok());
}

pub(crate) fn what_runs(site: &Site) {
    open(site);
    site.person("petra");
    let visit = "sleep 60 | ssh -p 2222 -o BatchMode=yes -o HostKeyAlias=localhost petra@127.0.0.1";
    let _visit = site.machine.start(SOON * 4, &["bash", "-c", visit]);
    let menu = "menu=$(pgrep -u petra -f 'kiosk$')";
    until(SOON, "the menu runs", || site.shell(menu).is_ok());
    let facts = site.shell(&format!(
        r#"{menu}; cd /proc/$menu || exit
        echo "login $(($(cat loginuid) == $(id -u petra)))"
        grep NoNewPrivs status; grep CapBnd status; grep -o 'jit-kiosk-handed@' cgroup
        echo "program $(readlink exe)"
        ls root/home root/root root/etc root/tmp root/proc 2>/dev/null
        find root/usr/bin/ ! -type l -printf 'file %f\n'
        loginctl --no-legend list-sessions | grep petra; systemctl is-active user@$(id -u petra)"#
    ));
    facts.says("login 1\n").says("NoNewPrivs:\t1").says("jit-kiosk-handed@").says("/usr/bin/jitctl\n");
    assert_eq!(facts.stdout.matches("file ").count(), 2, "the folder and jitctl: {facts}");
    facts.says("file jitctl\n").says("inactive").does_not_say("petra");

    // The connection's end is the end of all that it started. Others are visiting, too.
    let end = format!("{menu}; systemctl stop \"$(ps -o unit= -p $menu)\" && ! pgrep -u petra");
    site.shell(&end).done();
}

pub(crate) fn on_a_console(site: &Site) {
    site.person("connie");
    as_on_a_console(site, "connie");
}

/// A visit to the menu on a terminal that has the kiosk.
pub(crate) fn as_on_a_console(site: &Site, user: &str) {
    let dialogue = site.terminal(
        &r#"spawn -noecho -pty
           set tty [string map {/dev/ "" / -} $spawn_out(slave,name)]
           exec systemctl start jit-kiosk-console@$tty
           on {login: $} { send -- "-oProxyCommand=id\r" }
           on {not the name of an account} {}
           on {login: $} { send "USER\r" }
           on {assword: $} { send "USER-pw\r" }
           on {Choose: $} { send "\x1a\x03" }
           on {Choose: $} { send -- "~.\r" }
           on {one of the numbers} {}
           on {Choose: $} { send "1\r" }
           on {no role on this host} {}
           on {Choose: $} { send "5\r" }
           on {login: $} {}
           exec systemctl stop jit-kiosk-console@$tty
           exit 0"#
            .replace("USER", user),
    );
    dialogue.done();
}
