//! Root takes the module's line out of a PAM file: people then come in unasked, and the log says since when.

use jit_tests::machine::until;

use crate::site::{Entrance, SOON, Site, read};

const TAKE_OUT: &str = "sed -i '/pam_jit/s/^/#jit#/' /etc/pam.d/sshd";
const PUT_BACK: &str = "sed -i 's/^#jit#//' /etc/pam.d/sshd";

/// What the records of the PAM files say, the latest last.
fn records(site: &Site) -> Vec<String> {
    site.logged("pam-files", "")
}

fn last(site: &Site) -> String {
    records(site).pop().unwrap_or_default()
}

pub(crate) fn pam_files(site: &Site) {
    site.person_with_role("greta", &["sshd"]);
    // Those of the site: login, sshd, su, su-l, sudo, sudo-i.
    until(SOON, "what the files are is on record", || last(site).contains("asking=\"6\""));
    assert!(!last(site).contains("lost="), "{}", last(site));
    site.denies("greta", "no-window", || site.ssh("greta"));
    site.shell("jitctl status").does_not_say("UNGUARDED").done();

    site.shell(TAKE_OUT).done();
    until(SOON, "that sshd asks no more is on record", || last(site).contains("lost=\"sshd\""));
    assert!(last(site).contains("touched=\"sshd\""), "{}", last(site));
    site.shell("jitctl status")
        .says("UNGUARDED: /etc/pam.d/sshd named pam_jit.so and does not any more")
        .done();
    // It is as it says.
    site.ssh("greta").admits("greta");
    site.shell(PUT_BACK).done();
    until(SOON, "that it asks again is on record", || !last(site).contains("lost="));
    site.shell("jitctl status").does_not_say("UNGUARDED").done();
    site.denies("greta", "no-window", || site.ssh("greta"));

    // Taken out and put back while nobody looks: the file is as it was, and was touched.
    let before = records(site).len();
    site.shell(&format!("pkill -STOP -x jitd; {TAKE_OUT}; {PUT_BACK}; pkill -CONT -x jitd")).done();
    until(SOON, "that it was touched is on record", || records(site).len() > before);
    assert!(last(site).contains("touched=\"sshd\"") && !last(site).contains("lost="), "{}", last(site));

    // While jitd is down.
    site.shell(&format!("systemctl stop jitd; {TAKE_OUT}; systemctl start jitd")).done();
    until(SOON, "the start says it", || last(site).contains("lost=\"sshd\""));
    let before = records(site).len();
    site.shell("systemctl restart jitd").done();
    until(SOON, "so does the next", || records(site).len() > before && last(site).contains("lost=\"sshd\""));
    site.shell("jitctl status").says("UNGUARDED: /etc/pam.d/sshd").done();
    site.shell(PUT_BACK).done();
    until(SOON, "that it asks again is on record", || !last(site).contains("lost="));

    // What has sudo ask nobody is in other files, and looked at with these.
    assert!(!last(site).contains("sudoers="), "{}", last(site));
    let passes_over = "Defaults:greta !pam_acct_mgmt";
    site.machine.write("/etc/sudoers.d/greta", &format!("{passes_over}\n"), 0o440);
    site.shell("systemctl restart jitd").done();
    let says = format!("sudoers=\"{passes_over}\"");
    until(SOON, "what sudoers says is on record", || last(site).contains(&says));
    assert!(last(site).contains("touched=\"/etc/sudoers\""), "{}", last(site));
    site.shell("rm /etc/sudoers.d/greta && systemctl restart jitd").done();
    until(SOON, "and that it is gone", || !last(site).contains("sudoers="));
}

/// What logind has and nobody asked about is told; whoever was asked about, admitted or exempt, is not.
pub(crate) fn unasked(site: &Site) {
    site.person_with_role("gwen", &["sshd"]);
    site.people_with_a_way_in(&["gast"]);
    let told = |who: &str| site.logged("unasked", &format!("user=\"{who}\""));
    let coverage = || -> serde_json::Value { read(&site.shell("jitctl --json report")) };

    // By every method: sshd asks in the process that opens the session, or in a child of it.
    let window = site.open("gwen", "gwen", "30m");
    site.ssh("gwen").admits("gwen");
    for method in ["password", "keyboard-interactive"] {
        site.ssh_by(method, "gwen").admits("gwen");
    }
    site.ssh("gast").admits("gast");
    window.revoke();
    // At another door, and at this one without its line.
    site.shell(&TAKE_OUT.replace("sshd", "login")).done();
    site.login("gwen").admits("gwen");
    until(SOON, "the console's is told", || told("gwen").len() == 1);
    assert!(told("gwen")[0].contains("service=\"login\""), "{:?}", told("gwen"));
    site.shell(TAKE_OUT).done();
    site.ssh("gwen").admits("gwen");
    until(SOON, "sshd's is told", || told("gwen").len() == 2);
    assert!(told("gwen")[1].contains("service=\"sshd\""), "{:?}", told("gwen"));
    site.shell(PUT_BACK).done();
    site.denies("gwen", "no-window", || site.ssh("gwen"));
    site.ssh("gast").admits("gast");

    let report = coverage();
    let unasked = report["coverage"]["unasked"].as_array().unwrap();
    let seen: Vec<_> = unasked.iter().map(|one| (&one["service"], &one["account"], &one["count"])).collect();
    let is = |service: &str| (serde_json::json!(service), serde_json::json!("gwen"), serde_json::json!(1));
    let (login, sshd) = (is("login"), is("sshd"));
    assert_eq!(seen, [(&login.0, &login.1, &login.2), (&sshd.0, &sshd.1, &sshd.2)]);
    let needs: Vec<_> =
        report["attention"].as_array().unwrap().iter().filter(|one| one["what"] == "unasked").collect();
    assert_eq!(needs.len(), 1, "policy has a role for sshd alone: {needs:?}");
    assert!(told("gast").is_empty(), "{:?}", told("gast"));
}
