//! Who came to an account that several people use: the key or certificate that opened ssh, as sshd itself says.

use jit_tests::machine::{Running, until};
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
