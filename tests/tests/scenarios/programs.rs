//! Programs besides sshd whose logins are under windows: PostgreSQL, which asks as an account of its own.

use jit_tests::machine::{Output, until};

use crate::site::{Role, SOON, Site, Window};

/// PostgreSQL as docs/programs.md has it set up.
fn set_up_postgresql(site: &Site) {
    let pam = "auth required pam_unix.so\n\
               account [success=ok ignore=ignore default=die] pam_jit.so\n\
               account required pam_unix.so\n";
    site.machine.write("/etc/pam.d/postgresql", pam, 0o644);
    let hba = "local all postgres peer\nhost all all 127.0.0.1/32 pam pamservice=postgresql\n";
    site.machine.write("/etc/postgresql/15/main/pg_hba.conf", hba, 0o644);
    site.shell("usermod -aG shadow postgres && systemctl start postgresql@15-main").done();
    until(SOON, "the database answers", || site.as_postgres("psql -Atc 'select 1'").is_ok());
}

impl Site {
    fn as_postgres(&self, script: &str) -> Output {
        self.shell(&format!(
            "setpriv --reuid postgres --regid postgres --init-groups sh -c '{}'",
            script.replace('\'', r"'\''")
        ))
    }

    /// An account that is one of the database's as well.
    fn person_of_the_database(&self, name: &str) {
        self.person(name);
        self.as_postgres(&format!("psql -c 'create role {name} login'")).done();
    }

    /// A login to the database with a password: who one is in there.
    fn psql(&self, name: &str) -> Output {
        let command = format!(
            "PGPASSWORD={name}-pw psql -h 127.0.0.1 -U {name} -d postgres -Atc 'select current_user'"
        );
        self.shell(&command)
    }

    /// What the database has in its log: it shows its clients nothing of PAM's.
    fn says_in_its_log(&self, text: &str) {
        let log = || self.machine.read("/var/log/postgresql/postgresql-15-main.log");
        until(SOON, text, || log().contains(text));
    }
}

/// The record of the end of a window; that of another's may name it.
#[track_caller]
fn ended(site: &Site, window: &Window<'_>) -> String {
    let mut found = Vec::new();
    // A program that hangs has ten seconds of it.
    until(SOON * 2, "the end is on record", || {
        found = site.logged("sessions-ended", &format!("grant=\"{}\"", window.id));
        !found.is_empty()
    });
    found.remove(0)
}

const ASKER: &str = "[[asker]]\naccount = \"postgres\"\nservices = [\"postgresql\"]\n";

pub(crate) fn postgresql(site: &Site) {
    set_up_postgresql(site);
    for name in ["pia", "paul"] {
        site.person_of_the_database(name);
    }
    site.roles(&[
        Role::new("pia", &["postgresql"], "pia"),
        Role::new("paul", &["postgresql"], "paul").single_use(),
    ]);
    let window = site.open("pia", "pia", "30m");
    // Without policy's word it is anybody's program.
    site.psql("pia").says("PAM authentication failed for user \"pia\"");
    site.shell("journalctl --no-pager -o cat | grep -a 'only root may ask about somebody else'").done();
    site.policy("60-postgres", ASKER);
    assert_eq!(site.psql("pia").done(), "pia");
    // The password still counts, and so does the window.
    site.shell("PGPASSWORD=no psql -h 127.0.0.1 -U pia -d postgres -Atc 'select 1'")
        .says("PAM authentication failed");
    site.psql("paul").says("PAM authentication failed for user \"paul\"");
    site.says_in_its_log("jitctl request --role paul");
    // The record has whom it let in, and who asked.
    let postgres = site.shell("id -u postgres").done().to_owned();
    let record = site.logged("allowed", "user=\"pia\"").remove(0);
    assert!(record.contains("asker=\"postgres\"") && record.contains("service=\"postgresql\""), "{record}");
    assert!(record.contains(&format!("actor=\"{postgres}\"")), "{record}");
    site.shell("jitctl explain postgresql pia").says("Asked by: postgres, which is not root");
    site.shell("jitctl policy check").says("JIT102");

    // A use is one login.
    site.open("paul", "paul", "30m");
    assert_eq!(site.psql("paul").done(), "paul");
    site.psql("paul").says("PAM authentication failed for user \"paul\"");
    site.says_in_its_log("every use of your window for postgresql is spent");

    attacks(site);

    // What the window let in is not claimed to be gone.
    window.revoke();
    let record = ended(site, &window);
    assert!(record.contains("escape=\"not excluded"), "{record}");
    assert!(record.contains("what logins at postgresql left: another program asked for them"), "{record}");
    site.psql("pia").says("PAM authentication failed for user \"pia\"");
}

pub(crate) fn connections_end(site: &Site) {
    set_up_postgresql(site);
    for name in ["petra", "piet"] {
        site.person_of_the_database(name);
    }
    let twice = Role::new("petra-too", &["postgresql"], "petra");
    let petra = Role::new("petra", &["postgresql", "sshd"], "petra");
    site.roles(&[petra, twice, Role::new("piet", &["postgresql"], "piet")]);
    let with_end = ASKER.replace("[\"postgresql\"]", "[\"postgresql\"]\nend-as = \"postgres\"");
    site.policy("60-postgres", &with_end);
    site.shell("jitctl policy check").says("there is no /etc/jit/end.d/postgresql");
    let example = "/usr/share/doc/pam-jit/examples/end.d/postgresql";
    site.shell(&format!("install -D -m 0755 {example} /etc/jit/end.d/postgresql")).done();
    site.shell("jitctl policy check").does_not_say("JIT104");

    let connected = |name: &str| {
        let count = format!("psql -Atc \"select count(*) from pg_stat_activity where usename = '{name}'\"");
        site.as_postgres(&count).done().to_owned()
    };
    let stays = |name: &str| {
        let psql =
            format!("PGPASSWORD={name}-pw psql -h 127.0.0.1 -U {name} -d postgres -c 'select pg_sleep(600)'");
        let running = site.machine.start(SOON * 12, &["sh", "-c", &psql]);
        until(SOON, "they are connected", || connected(name) == "1");
        running
    };
    let window = site.open("petra", "petra", "30m");
    let beside = site.open("piet", "piet", "30m");
    let (hers, his) = (stays("petra"), stays("piet"));
    // Another window of hers holds it; what that is over for ends it.
    let second = site.open("petra", "petra-too", "30m");
    window.revoke();
    let record = ended(site, &window);
    assert!(record.contains(&format!("logins at postgresql go on by {}", second.id)), "{record}");
    assert!(!record.contains("programs="), "{record}");
    assert_eq!(connected("petra"), "1");
    second.revoke();
    let record = ended(site, &second);
    assert!(record.contains("programs=\"postgresql as postgres: 0, 1 of 1 connections ended\""), "{record}");
    assert!(!record.contains("what logins at postgresql left"), "{record}");
    hers.output().says("terminating connection due to administrator command");
    assert_eq!((connected("petra").as_str(), connected("piet").as_str()), ("0", "1"));
    assert!(site.shell("ls /run/jitd/end").done().is_empty(), "no answer lies about");

    // One that fails, one that hangs and one that others can write are no proof of anything.
    for (script, mode, said) in [
        ("echo '\u{1b}[2Jno'; exit 3", 0o755, "postgresql as postgres: 3, "),
        (
            "echo in vain; sleep 600",
            0o755,
            "postgresql as postgres: 124, still running after 10 s, and killed",
        ),
        ("id -un; exit 0", 0o777, ""),
    ] {
        let window = site.open("petra", "petra", "30m");
        assert_eq!(site.psql("petra").done(), "petra");
        site.machine.write("/etc/jit/end.d/postgresql", &format!("#!/bin/sh\n{script}\n"), mode);
        window.revoke();
        let record = ended(site, &window);
        let is_said = if said.is_empty() { !record.contains("programs=") } else { record.contains(said) };
        assert!(is_said && !record.contains('\u{1b}'), "{record}");
        assert!(
            record.contains("what logins at postgresql left: another program asked for them"),
            "{record}"
        );
    }
    // As nobody else than the account that is named, and told whom it is about.
    let tells = "echo \"$(id -un) $* $JIT_USER $JIT_SERVICE $JIT_WHY\"; grep -q 'CapEff:.*[1-9a-f]' /proc/self/status && exit 9; exit 0";
    site.machine.write("/etc/jit/end.d/postgresql", &format!("#!/bin/sh\n{tells}\n"), 0o755);
    let id = beside.id.clone();
    beside.revoke();
    let record = ended(site, &beside);
    let told = format!("0, postgres piet postgresql revoked {id} piet postgresql revoked\"");
    assert!(record.contains(&told), "{record}");
    drop(his);

    // Nor about somebody else: no name becomes another on its way there.
    site.shell("echo 'pi${HOME}et:*:4712:4712::/nonexistent:/bin/sh' >>/etc/passwd").done();
    let role = "[role.dollar]\nhosts = [\"*\"]\nservices = [\"postgresql\"]\neligible = { users = [\"pi${HOME}et\"] }\n\
                max-duration = \"1h\"\n[[role.dollar.stage]]\napprovers = { users = [\"root\"] }\n";
    site.policy("61-dollar", role);
    let window = site.open("pi${HOME}et", "dollar", "30m");
    let id = window.id.clone();
    site.as_postgres("pamtester postgresql 'pi${HOME}et' acct_mgmt || true").done();
    until(SOON, "it was let in", || !site.logged("allowed", "user=\"pi${HOME}et\"").is_empty());
    window.revoke();
    let record = ended(site, &window);
    let told =
        format!("0, postgres pi${{HOME}}et postgresql revoked {id} pi${{HOME}}et postgresql revoked\"");
    assert!(record.contains(&told), "{record}");
}

/// Others who would ask as the database does, each beside the same question that is answered.
fn attacks(site: &Site) {
    const AS_POSTGRES: &str = "setpriv --reuid postgres --regid postgres --init-groups";
    let admitted = || {
        let asked = site.shell(&format!("{AS_POSTGRES} pamtester postgresql pia acct_mgmt 2>&1"));
        asked.done();
        asked.says("account management done");
    };
    // The module says why in the log.
    let refused = |how: &str, what: &str, why: &str| {
        let said = || {
            let log = site.shell("journalctl --no-pager -o cat | grep -a '^pam_jit'").stdout;
            log.lines().filter(|line| line.contains(why)).count()
        };
        let before = said();
        let asked = site.shell(&format!("{how} {what} 2>&1"));
        asked.does_not_say("account management done");
        until(SOON, why, || said() > before);
        admitted();
    };
    let account = "pamtester postgresql pia acct_mgmt";
    // Another service of the same account.
    site.machine.write("/etc/pam.d/other-db", "account required pam_jit.so\n", 0o644);
    let only =
        "this account may ask about others for postgresql only ([[asker]] in the policy), not for other-db";
    refused(AS_POSTGRES, "pamtester other-db pia acct_mgmt", only);
    // A name that sounds alike, and the same name in a line below the first.
    site.shell("useradd --system postgresx && echo 'postgres:x:2999:2999::/:/bin/sh' >>/etc/passwd").done();
    for other in ["postgresx", "2999"] {
        let other = format!("setpriv --reuid {other} --regid nogroup --clear-groups");
        refused(&other, account, "only root may ask about somebody else");
    }
    site.shell("sed -i '$d' /etc/passwd").done();
    // A setuid file of the account's.
    site.shell("install -o postgres -m 4755 $(command -v pamtester) /usr/local/bin/asks").done();
    let nobody = "setpriv --reuid nobody --regid nogroup --clear-groups";
    refused(
        nobody,
        "/usr/local/bin/asks postgresql pia acct_mgmt",
        "by a setuid file, and somebody else started it",
    );
    // In a user namespace of its own, as root there.
    let inside = format!("{AS_POSTGRES} unshare --user --map-current-user");
    refused(&inside, account, "this program is in a user namespace, or has gone");
    // In somebody's login.
    let in_a_login = format!("echo 1001 >/proc/self/loginuid; {AS_POSTGRES}");
    refused(&in_a_login, account, "but it is in the login of uid 1001");
    // A session is root's to open, and a use root's to hold.
    let line = "account required pam_jit.so session\nsession required pam_jit.so\n";
    site.machine.write("/etc/pam.d/holds", line, 0o644);
    let both = ASKER.replace("\"postgresql\"", "\"postgresql\", \"holds\"");
    site.policy("60-postgres", &both);
    refused(AS_POSTGRES, "pamtester holds pia acct_mgmt", "only root holds a use for a session");
    refused(AS_POSTGRES, "pamtester holds pia open_session", "only root opens and closes sessions");
}
