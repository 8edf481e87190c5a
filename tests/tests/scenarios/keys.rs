//! Who came to an account that several people use: the key or certificate that opened ssh, as sshd itself says.

use jit_proto::manager::Entry;
use jit_tests::machine::{Output, Running, until};
use serde_json::Value;

use crate::ends::is_put_out;
use crate::site::{Entrance, SOON, Site};
use crate::store::audited;

/// Somebody with this key, who stays.
fn comes_by(site: &Site, key: &str, more: &str) -> Running {
    let ssh = format!(
        "ssh -i /root/{key} -o IdentitiesOnly=yes -o BatchMode=yes {more} -T support@127.0.0.1 'echo in; sleep 4711'"
    );
    site.machine.start(SOON * 6, &["bash", "-c", &ssh])
}

/// The keys of each session that is listed.
fn listed(site: &Site) -> Vec<String> {
    site.sessions().into_iter().map(|one| one.keys.join(", ")).collect()
}

fn fingerprint(site: &Site, file: &str) -> String {
    site.shell(&format!("ssh-keygen -lf /root/{file} | cut -d ' ' -f 2")).done().trim().to_owned()
}

/// The records of one event, in order.
fn records(site: &Site, event: &str) -> Vec<Value> {
    let all = site.shell(&format!("jitctl audit show --json --user support --event {event}"));
    serde_json::from_str(all.done()).expect("records are JSON")
}

pub(crate) fn of_a_shared_account(site: &Site) {
    site.person_with_role("support", &["sshd"]);
    site.shell(
        "cd /root && ssh-keygen -q -t ed25519 -N '' -f kim && ssh-keygen -q -t ecdsa -N '' -f lee &&
         ssh-keygen -q -t ed25519 -N '' -f vendor-ca &&
         ssh-keygen -q -s vendor-ca -I 'lee of \"Vendor\"' -z 7 -n support lee.pub &&
         cat kim.pub >>~support/.ssh/authorized_keys && cp vendor-ca.pub /etc/ssh/vendor-ca.pub &&
         printf 'TrustedUserCAKeys /etc/ssh/vendor-ca.pub\\nAcceptEnv *\\nPermitUserEnvironment yes\\n' \
         >/etc/ssh/sshd_config.d/vendor.conf && systemctl reload ssh",
    )
    .done();
    let (kim, lee, ca) =
        (fingerprint(site, "kim.pub"), fingerprint(site, "lee.pub"), fingerprint(site, "vendor-ca.pub"));
    let window = site.open("support", "support", "30m");

    let first = comes_by(site, "kim", "");
    until(SOON, "kim is in, and the list says so", || listed(site) == [kim.clone()]);
    let second = comes_by(site, "lee", "");
    let by_certificate = format!("{lee} (lee of \"Vendor\", serial 7)");
    until(SOON, "so is lee", || listed(site) == [kim.clone(), by_certificate.clone()]);
    site.shell("jitctl session list")
        .says(&format!("came in by {kim}"))
        .says("lee of \"Vendor\", serial 7")
        .done();
    // What whoever comes in writes themselves counts for nothing, over ssh, in files that PAM reads, by another way in.
    let lie = site.shell("cut -d ' ' -f 1,2 /root/.ssh/id_ed25519.pub").done().trim().to_owned();
    site.shell(&format!(
        "echo 'SSH_AUTH_INFO_0=\"publickey {lie}\"' | tee ~support/.pam_environment >~support/.ssh/environment &&
         chown support: ~support/.pam_environment ~support/.ssh/environment"
    ))
    .done();
    let liar = comes_by(site, "kim", "-o SetEnv='SSH_AUTH_INFO_0=publickey'");
    until(SOON, "whoever lies is known by their key", || {
        listed(site).iter().filter(|by| **by == kim).count() == 2
    });
    site.ssh_by("password", "support").admits("support");

    window.revoke();
    for session in [first, second, liar] {
        is_put_out(session);
    }
    let gone = || records(site, "session-gone");
    until(SOON, "all are over, on record", || gone().len() == 4);
    let gone = gone();
    let by = |key: &str| gone.iter().filter(|one| one["keys"][0]["fingerprint"] == key).collect::<Vec<_>>();
    let without = gone.iter().filter(|one| one.get("keys").is_none()).count();
    assert_eq!((by(&kim).len(), by(&lee).len(), without), (2, 1, 1), "the last came by a password: {gone:?}");
    assert!(by(&kim)[0]["keys"][0].get("certificate").is_none(), "{gone:?}");
    let certificate = &by(&lee)[0]["keys"][0]["certificate"];
    let told = (&certificate["id"], &certificate["serial"], &certificate["authority"]);
    assert_eq!(told, (&Value::from("lee of \"Vendor\""), &Value::from(7), &Value::from(ca)), "{gone:?}");
    audited(site);
}

/// A command of somebody's who comes to the shared account by this key.
fn by_key(site: &Site, key: &str, command: &str) -> Output {
    let ssh = format!("ssh -i /root/{key} -o IdentitiesOnly=yes -o BatchMode=yes -T support@127.0.0.1");
    site.machine.run(&["bash", "-c", &format!("{ssh} {}", quoted(command))])
}

/// Somebody who passes the check and not the session. sshd shows nobody why there; the module logs it.
fn is_refused_at_the_session(site: &Site, why: &str, enters: impl Fn() -> Output) {
    let line = format!("pam_jit(sshd:session): denied reason=\"{why}\"");
    let told = || site.shell("journalctl --no-pager").stdout.matches(&line).count();
    let before = told();
    let entered = enters();
    assert!(!entered.stdout.lines().any(|line| line == "support"), "nobody came in: {entered:?}");
    until(SOON, "the module says why", || told() > before);
    // sshd runs on for a moment, as support. Whatever is left of it is found.
    until(SOON, "nobody is in", || persons(site).is_empty());
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// An admin's window for one of those who share the account.
fn window_for(site: &Site, person: &str) -> String {
    let order = format!(
        "echo 0 >/proc/self/loginuid; jitctl --json grant support --person {person} --role vendor --for 30m \
         --reason 'INC-1 look at the pump'"
    );
    let entry: Entry = serde_json::from_str(site.shell(&order).done()).expect("an entry");
    assert_eq!((entry.user.as_str(), entry.person.as_deref()), ("support", Some(person)));
    entry.grant.expect("it is open")
}

fn revoke(site: &Site, id: &str) {
    site.machine.run(&["jitctl", "revoke", id]).done();
}

/// Who is in, by what the list says.
fn persons(site: &Site) -> Vec<Option<String>> {
    site.sessions().into_iter().map(|one| one.person).collect()
}

/// The session line that a shared account needs: what it refuses is over, and PAM starts nothing more.
fn with_a_binding_session_line(site: &Site) {
    let line = "session [success=ok ignore=ignore default=die] pam_jit.so recovery=root";
    site.shell(&format!("sed -i 's/^session .*pam_jit.*/{line}/' /etc/pam.d/sshd")).done();
    assert_eq!(site.shell(&format!("grep -cFx '{line}' /etc/pam.d/sshd")).done(), "1");
    // jitd leaves whoever edits PAM's files a moment before it reads them.
    let digest = site.shell("sha256sum </etc/pam.d/sshd | cut -d ' ' -f 1").done().to_owned();
    until(SOON, "jitd has read it", || {
        site.shell("jitctl audit show --json --event pam-files").done().contains(&digest)
    });
}

fn shared_by_kim_and_lee(site: &Site) {
    with_a_binding_session_line(site);
    site.person("support");
    site.sudoer("support", "support ALL=(ALL) NOPASSWD: ALL");
    for key in ["kim", "lee", "stranger"] {
        site.shell(&format!(
            "ssh-keygen -q -t ed25519 -N '' -f /root/{key} && cat /root/{key}.pub >>~support/.ssh/authorized_keys"
        ))
        .done();
    }
    let (kim, lee) = (fingerprint(site, "kim.pub"), fingerprint(site, "lee.pub"));
    site.policy(
        "50-vendor",
        &format!(
            r#"[people]
kim = {{ accounts = ["support"], ssh-keys = ["{kim}"] }}
lee = {{ accounts = ["support"], ssh-keys = ["{lee}"] }}
[role.vendor]
hosts = ["*"]
services = ["sshd", "sudo"]
eligible = {{ people = ["kim", "lee"] }}
max-duration = "4h"
[[role.vendor.stage]]
name = "lead"
approvers = {{ users = ["root", "support"] }}
"#
        ),
    );
}

pub(crate) fn a_window_is_one_persons(site: &Site) {
    shared_by_kim_and_lee(site);
    by_key(site, "kim", "id -un").refuses("Ask root for role vendor");
    let kims = window_for(site, "kim");
    by_key(site, "kim", "id -un").admits("support");
    let refused = |why: &str, person: &str| {
        site.logged("denied", &format!("why=\"{why}\"")).iter().any(|line| line.contains(person))
    };
    // Others with a key of theirs, one that policy does not know, none at all, and a module that does not tell.
    is_refused_at_the_session(site, "no-window", || by_key(site, "lee", "id -un"));
    until(SOON, "lee has no window", || refused("no-window", "person=\"lee\""));
    is_refused_at_the_session(site, "no-person", || by_key(site, "stranger", "id -un"));
    until(SOON, "nobody knows the stranger", || refused("no-person", "user=\"support\""));
    for method in ["password", "keyboard-interactive"] {
        is_refused_at_the_session(site, "no-person", || site.ssh_by(method, "support"));
    }
    let nonce = "16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15";
    site.shell(&format!(
        "busctl call org.jitd.Jit1 /org/jitd/Jit1 org.jitd.Jit1.Gate Check '(ayssssssuu)' {nonce} \
         session sshd support '' 127.0.0.1 ssh 0 0"
    ))
    .says("\"deny\" \"no-person\"")
    .done();
    assert!(persons(site).is_empty(), "{:?}", persons(site));

    // What each would be told can be asked; of another, by an admin alone.
    let explain = |person: &str| site.shell(&format!("jitctl explain sshd support --person {person} 2>&1"));
    explain("kim").says("allow: support (kim) may use sshd").done();
    explain("lee").says("deny: support (lee) may not use sshd").says("no-window").exits(1);
    explain("carla").says("carla is not one of those who share support").exits(5);
    site.shell("jitctl check sshd support --person lee").says("deny: support (lee)").exits(1);
    site.shell("jitctl check sshd support --person kim").says("allow: support (kim)").done();
    // At a console nobody shows a key.
    site.shell("jitctl explain login support --person kim").says("deny: support may not").exits(1);
    by_key(site, "kim", "jitctl explain sshd support").says("allow: support (kim)").done();
    by_key(site, "kim", "jitctl explain sshd support --person lee").refuses("only admins and auditors");
    by_key(site, "kim", "jitctl roles").says("vendor").done();

    // What runs as root there is by the window of who came, and of nobody else.
    by_key(site, "kim", "sudo -n id -un").admits("root");
    let lees = window_for(site, "lee");
    revoke(site, &kims);
    by_key(site, "lee", "sudo -n id -un").admits("root");
    is_refused_at_the_session(site, "no-window", || by_key(site, "kim", "id -un"));
    let kims = window_for(site, "kim");

    // Each end is one person's.
    let kim = comes_by(site, "kim", "");
    let mut lee = comes_by(site, "lee", "");
    let both = |site: &Site| {
        let mut names: Vec<String> = persons(site).into_iter().flatten().collect();
        names.sort();
        names
    };
    until(SOON, "both are in, each by name", || both(site) == ["kim", "lee"]);
    revoke(site, &kims);
    is_put_out(kim);
    until(SOON, "hers alone is over", || both(site) == ["lee"]);
    assert!(lee.is_running());
    let spared = || records(site, "sessions-ended").iter().any(|one| one["spared"] == "covered otherwise");
    until(SOON, "the record says that the account was not swept", spared);
    revoke(site, &lees);
    is_put_out(lee);
    let named = |event: &str, person: &str| records(site, event).iter().any(|one| one["person"] == person);
    assert!(named("session-opened", "kim") && named("session-opened", "lee"));
    until(SOON, "the ends name them", || named("session-gone", "kim") && named("session-gone", "lee"));
    audited(site);
}

pub(crate) fn orders_are_one_persons(site: &Site) {
    shared_by_kim_and_lee(site);
    for person in ["kim", "lee"] {
        window_for(site, person);
    }
    let asks = |key: &str| {
        by_key(
            site,
            key,
            "jitctl --json request --yes --role vendor --for 20m --reason 'INC-2 again'; jitctl --json list",
        )
    };
    asks("kim").says("\"person\": \"kim\"").does_not_say("\"person\": \"lee\"");
    let waits = site.entries().into_iter().find(|one| one.state == "pending").expect("hers waits");
    assert_eq!((waits.person.as_deref(), waits.requested_by.as_str()), (Some("kim"), "support (kim)"));
    let id = &waits.request;
    // Nobody reviews from there, by root or not; nor is it another's to take back or to see.
    for key in ["kim", "lee"] {
        by_key(site, key, &format!("jitctl approve {id}")).says("several people share support");
        by_key(site, key, &format!("sudo -n jitctl approve {id}")).says("several people share support");
    }
    by_key(site, "lee", &format!("jitctl withdraw {id}")).refuses("no request or grant");
    assert_eq!(site.entry(id).state, "pending");
    by_key(site, "kim", &format!("jitctl withdraw {id}")).done();
    // A jitd that was not there when they came knows them all the same.
    let mut kim = comes_by(site, "kim", "");
    until(SOON, "she is in", || persons(site).contains(&Some("kim".to_owned())));
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    assert!(kim.is_running() && persons(site).contains(&Some("kim".to_owned())));
    site.machine.run(&["jitctl", "lock", "user:kim"]).says("shares accounts").done();
    is_put_out(kim);
    by_key(site, "lee", "id -un").admits("support");
    nobody_asks_at_the_kiosk(site);
}

/// Its sshd tells no keys, so whoever comes there by the account is told why they cannot ask, and who can for them.
fn nobody_asks_at_the_kiosk(site: &Site) {
    site.shell("systemctl start jit-kiosk-sshd.socket").done();
    let ssh = "timeout 20 ssh -p 2222 -i /root/lee -o IdentitiesOnly=yes -o BatchMode=yes -o HostKeyAlias=localhost";
    let seen = site.shell(&format!("printf '1\\n5\\n' | {ssh} support@127.0.0.1"));
    seen.says("Just-in-time access to")
        .says("several people share support")
        .says("jitctl grant support --person NAME --role ROLE")
        .says("nobody asks at the kiosk for an account that people share")
        .does_not_say("There is no role on this host");
}

pub(crate) fn a_session_line_that_does_not_bind_lets_nobody_in_until_then(site: &Site) {
    shared_by_kim_and_lee(site);
    let window = window_for(site, "kim");
    by_key(site, "kim", "id -un").admits("support");
    let put = |line: &str| {
        site.shell(&format!(
            "sed -i '/pam_jit/s/^session .* pam_jit/session {line} pam_jit/' /etc/pam.d/sshd"
        ))
        .done();
    };
    // With `required`, PAM would have gone on to start what lee left in their manager; with the others, let lee in.
    for control in ["required", "optional", "sufficient", "[default=ignore]"] {
        put(control);
        until(SOON, "jitd has seen it", || {
            let refused = by_key(site, "kim", "id -un");
            !refused.is_ok() && refused.stderr.contains("several people share support")
        });
        by_key(site, "lee", "id -un").refuses("several people share support");
        site.shell("jitctl status").says("UNBOUND: the session line of pam_jit.so in /etc/pam.d/sshd");
        put("requisite");
        until(SOON, "that binds", || by_key(site, "kim", "id -un").is_ok());
        site.shell("jitctl status").does_not_say("UNBOUND");
        is_refused_at_the_session(site, "no-window", || by_key(site, "lee", "id -un"));
    }
    revoke(site, &window);
    audited(site);
}

pub(crate) fn who_skips_the_session_line_is_put_out(site: &Site) {
    shared_by_kim_and_lee(site);
    window_for(site, "kim");
    by_key(site, "kim", "id -un").admits("support");
    // It stands there as it should, and names another module by that name: nobody asks by which key.
    site.shell(
        "cp /usr/lib/x86_64-linux-gnu/security/pam_permit.so /root/pam_jit.so &&
         sed -i '/^session/s,pam_jit.so,/root/pam_jit.so,' /etc/pam.d/sshd",
    )
    .done();
    is_put_out(comes_by(site, "stranger", ""));
    let over = || !site.logged("session-over", "why=\"no-person\"").is_empty();
    until(SOON, "the record says why", over);
    // Nobody else is let in like that, until PAM's files change.
    by_key(site, "kim", "id -un").refuses("several people share support");
    site.shell("sed -i '/^session/s,/root/pam_jit.so,pam_jit.so,' /etc/pam.d/sshd").done();
    until(SOON, "it is believed again", || by_key(site, "kim", "id -un").is_ok());
}
