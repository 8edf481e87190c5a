//! Root takes the module's line out of a PAM file: people then come in unasked, and the log says since when.

use jit_tests::machine::until;

use crate::site::{Entrance, SOON, Site};

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
    until(SOON, "what the files are is on record", || last(site).contains("asking="));
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
}
