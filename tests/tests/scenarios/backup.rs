//! The store is copied while jitd runs and comes back, here or on new hardware, by the steps that jitd(8) gives.

use std::fs;
use std::path::Path;
use std::process::Command;

use jit_tests::machine::{Boot, until};

use crate::site::{Entrance, SOON, Site};
use crate::store::audited;

/// The two lists of commands under BACKUP in jitd(8), as the page shows them.
fn steps() -> [String; 2] {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/man/jitd.8");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once(".SS \"BACKUP\"\n").expect("the page has the section");
    let (section, _) = section.split_once("\n.SS ").unwrap();
    let lists = section.split(".nf\n").skip(1).map(|rest| rest.split(".fi\n").next().unwrap());
    let shown: Vec<String> = lists.map(|list| list.replace("\\&", "").replace("\\-", "-")).collect();
    shown.try_into().expect("two lists")
}

/// Nothing is open in what came back, the log goes on, and new windows open as ever.
fn goes_on(site: &Site, from: &str) {
    site.is_ready();
    let elsewhere = || !site.logged("elsewhere", "").is_empty();
    until(SOON, &format!("{from}: it says that this is another store"), elsewhere);
    assert!(site.entries_of("bella").iter().all(|entry| entry.state != "active" && entry.state != "pending"));
    site.denies("bella", "no-window", || site.ssh("bella"));
    site.open("bella", "bella", "30m");
    site.ssh("bella").admits("bella");
    audited(site);
}

pub(crate) fn and_restored(site: &Site) {
    let [back_up, restore] = steps();
    site.person_with_role("bella", &["sshd"]);
    let window = site.open("bella", "bella", "30m");
    site.ssh("bella").admits("bella");
    site.shell(&format!("set -e\n{back_up}")).done();

    // What happens after it is not in it.
    window.revoke();
    site.shell("jitctl audit checkpoint >/root/later").done();
    site.shell(&format!("set -e\n{restore}")).says("WHOLE").done();
    goes_on(site, "here");
    // By a checkpoint that left later what came after the backup is missed: cut off, or another history by now.
    let missing = site.shell("jitctl audit verify --checkpoint /root/later");
    missing.exits(1).says("The log is ").does_not_say("WHOLE");

    // On new hardware: another machine, which never had this store.
    let other = Site::boot(Boot::default());
    other.person("bella");
    let to = other.machine.path("/root/jit-backup");
    let copied = Command::new("cp").arg("-a").arg(site.machine.path("/root/jit-backup")).arg(&to).status();
    assert!(copied.unwrap().success());
    other.shell(&format!("set -e\n{restore}")).says("WHOLE").done();
    goes_on(&other, "elsewhere");
}
