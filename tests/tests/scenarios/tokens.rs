//! Approval by a FIDO key: what the authenticator says of the person who was there counts, and not its key alone. The
//! authenticator is the one of software that OpenSSH tests its own keys by; ssh-keygen and its helper are the real ones.

use std::fs;

use jit_tests::machine::{Output, authenticator, until};

use crate::offline::{Elsewhere, POLICY, STICK, exported, import};
use crate::site::{Entrance, SOON, Site};

/// Where the authenticator is in the machine where people sign.
const PROVIDER: &str = "/root/sk-dummy.so";

/// A key on the authenticator, and its line for the approvers file.
fn token(elsewhere: &Elsewhere, name: &str, kind: &str, option: &str, principal: &str) -> String {
    elsewhere
        .shell(&format!("ssh-keygen -q -t {kind} {option} -N '' -w {PROVIDER} -C {name} -f /root/{name}"))
        .done();
    elsewhere.line(name, principal)
}

/// Signs the file of a request by ssh-keygen alone; what it said.
fn sign(elsewhere: &Elsewhere, site: &Site, id: &str, name: &str) -> Output {
    let sign =
        format!("SSH_SK_PROVIDER={PROVIDER} ssh-keygen -Y sign -n jitd.approval.v1 -f /root/{name} {id}.req");
    let said = elsewhere.shell(&format!("rm -f {id}.req.sig && {sign}"));
    said.done();
    Elsewhere::carry(&elsewhere.0, &site.machine, &format!("{id}.req.sig"));
    said
}

pub(crate) fn a_touch_counts(site: &Site) {
    let elsewhere = Elsewhere::boot(site);
    fs::copy(authenticator(), elsewhere.0.path(PROVIDER)).unwrap();
    site.people_with_a_way_in(&["vera"]);
    let idle = "-O no-touch-required";
    let approvers = [
        token(&elsewhere, "olga", "ed25519-sk", "", "olga@plant"),
        token(&elsewhere, "idle", "ed25519-sk", idle, "olga@home"),
        token(&elsewhere, "sam", "ecdsa-sk", "", "sam"),
    ];
    site.machine.write("/etc/jit/approvers", &approvers.concat(), 0o644);
    site.policy("50-press", POLICY);
    let id = exported(site, &elsewhere);

    // The key is olga's and known, and nobody touched anything.
    sign(&elsewhere, site, &id, "idle").does_not_say("Confirm user presence");
    import(site, &format!("{id}.req.sig")).says("without anybody touching the authenticator");
    until(SOON, "that is on record", || {
        !site.logged("signature-refused", "without anybody touching").is_empty()
    });
    assert_eq!(site.entry(&id).reviews.len(), 0);
    // jitctl gives out no such signature in the first place.
    let own = format!("SSH_SK_PROVIDER={PROVIDER} jitctl offline sign {id}.req --key /root/idle --yes");
    elsewhere.shell(&own).refuses("made without a touch");

    // With a touch both kinds count, and what the authenticator said is evidence.
    sign(&elsewhere, site, &id, "olga").says("Confirm user presence");
    import(site, &format!("{id}.req.sig")).exits(0).says("olga");
    sign(&elsewhere, site, &id, "sam").says("Confirm user presence");
    site.shell("rm /etc/jit/policy.d/40-vera.toml && jitctl policy load").done();
    import(site, &format!("{id}.req.sig")).exits(0).says("Opened");
    for review in &site.entry(&id).reviews {
        let signed = review.signed.as_ref().unwrap();
        assert_eq!(signed.flags.map(|flags| flags & 1), Some(1), "{signed:?}");
        assert!(signed.counter.is_some(), "{signed:?}");
    }
    site.ssh("vera").admits("vera");
    let commands = site.shell(&format!("cd {STICK} && jitctl offline evidence {id}"));
    site.shell(&format!("cd {STICK} && {}", commands.done())).says("for olga@plant").says("for sam");
}
