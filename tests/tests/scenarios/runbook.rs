//! jit-runbook(7), typed: each situation is brought about, and what the page says to type is typed, line by line.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jit_tests::machine::{Output, until};

use crate::clock::{clock_says, fake_the_clock};
use crate::disk::on_a_disk_of;
use crate::names::{does, with_source};
use crate::site::{Entrance, Role, SOON, Site};

/// What is done with the blocks of one section.
type Typed = fn(&Site, &[String]);

/// Every section that has something to type, and what holds before it and after it. What breaks most comes last.
const SITUATIONS: [(&str, Typed); 14] = [
    ("First of all", first_of_all),
    ("jitd is dead", jitd_is_dead),
    ("Somebody must get in now", somebody_must_get_in),
    ("Somebody must be out now", somebody_must_be_out),
    ("Who approved what last week", who_approved_what),
    ("The directory is down", the_directory_is_down),
    ("Backup, restore, other hardware", a_checkpoint_is_kept),
    ("Many hosts", many_hosts),
    ("A policy is wrong", a_policy_is_wrong),
    ("Upgrade and downgrade", upgrade),
    ("The system bus is dead", the_bus_is_dead),
    ("The disk is full", the_disk_is_full),
    ("The store is damaged", the_store_is_damaged),
    ("The clock is wrong", the_clock_is_wrong),
];

/// The blocks of each section of the page that has any, as they are shown.
fn page() -> BTreeMap<String, Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/man/jit-runbook.7");
    let page = fs::read_to_string(page).unwrap();
    let sections = page.split("\n.S").skip(1).map(|section| {
        // A heading with another right below it has no lines of its own.
        let (title, body) = section.split_once('\n').unwrap_or((section, ""));
        let title = title.trim_start_matches(['H', 'S', ' ']).trim_matches('"');
        let blocks = body.split(".nf\n").skip(1).map(|rest| rest.split("\n.fi").next().unwrap());
        // Machines have a maria already.
        let shown =
            blocks.map(|block| block.replace("\\&   ", "").replace("\\-", "-").replace("maria", "mira"));
        (title.to_owned(), shown.collect::<Vec<_>>())
    });
    sections.filter(|(_, blocks)| !blocks.is_empty()).collect()
}

pub(crate) fn typed(site: &Site) {
    let page = page();
    let held: Vec<&str> = SITUATIONS.iter().map(|(title, _)| *title).collect();
    for title in page.keys() {
        assert!(held.contains(&title.as_str()), "what {title} says to type is typed by nobody");
    }
    site.person("mira");
    site.roles(&[Role::new("shell", &["sshd"], "mira")]);
    for (title, typed) in SITUATIONS {
        crate::stage::say(&format!("jit-runbook(7): {title}\n"));
        typed(site, page.get(title).unwrap_or_else(|| panic!("the page says nothing to type under {title}")));
    }
}

/// Types a line as the page shows it.
fn line(site: &Site, line: &str) -> Output {
    site.shell(&format!("cd /root && {line}"))
}

/// Types all lines of a block. Each does what it is for; `explain` exits with 1 where its answer is no. The last output is
/// returned.
#[track_caller]
fn all_of(site: &Site, block: &str) -> Output {
    let outputs = block.lines().map(|text| {
        let output = line(site, text);
        if !(text.contains("jitctl explain") && output.status == 1) {
            output.done();
        }
        output
    });
    outputs.last().expect("a block has a line")
}

fn first_of_all(site: &Site, blocks: &[String]) {
    let said = all_of(site, &blocks[0]);
    said.says("jitd");
    line(site, "jitctl explain sshd mira").says("shell");
}

fn jitd_is_dead(site: &Site, blocks: &[String]) {
    // It comes up too often, and systemd gives it up.
    site.shell("systemctl kill --signal=KILL jitd; systemctl mask --runtime --now jitd").done();
    site.ssh("mira").refuses("does not answer");
    site.shell("systemctl unmask --runtime jitd").done();
    all_of(site, &blocks[0]);
    site.is_ready();
    site.denies("mira", "no-window", || site.ssh("mira"));
}

fn somebody_must_get_in(site: &Site, blocks: &[String]) {
    site.denies("mira", "no-window", || site.ssh("mira"));
    all_of(site, &blocks[0]);
    site.ssh("mira").admits("mira");
}

fn somebody_must_be_out(site: &Site, blocks: &[String]) {
    let [out, again] = blocks else { panic!("two blocks: {blocks:?}") };
    let session = site.stays_logged_in("mira", 1905);
    all_of(site, out).says("locked");
    session.output().is_cut_off();
    site.denies("mira", "locked", || site.ssh("mira"));
    all_of(site, again);
    site.denies("mira", "no-window", || site.ssh("mira"));
    site.open("mira", "shell", "30m");
    site.ssh("mira").admits("mira");
}

fn who_approved_what(site: &Site, blocks: &[String]) {
    all_of(site, &blocks[0]);
    line(site, "jitctl audit show --event reviewed --since 7d").says("decision=approve");
    line(site, "jitctl audit verify /root/last-week.jsonl").says("WHOLE");
}

fn the_directory_is_down(site: &Site, blocks: &[String]) {
    with_source(site);
    let session = site.stays_logged_in("remote", 1907);
    does(site, "fail");
    site.denies("remote", "name-service", || site.ssh("remote"));
    // Whom the host knows goes on, and nobody who is in is put out.
    all_of(site, &blocks[0]).says("allow: mira may use sshd");
    site.ssh("mira").admits("mira");
    assert!(site.sessions().iter().any(|session| session.user == "remote" && session.state == "open"));
    does(site, "answer");
    site.ssh("remote").admits("remote");
    site.shell("jitctl session end remote --yes").done();
    session.output().is_cut_off();
}

fn a_checkpoint_is_kept(site: &Site, blocks: &[String]) {
    all_of(site, &blocks[0]);
    site.shell("jitctl audit verify --checkpoint /root/checkpoint").says("WHOLE").done();
}

/// Ansible is not here; what it would run is.
fn many_hosts(site: &Site, blocks: &[String]) {
    let after = |word: &str| {
        let found = blocks[0].lines().find_map(|line| line.split_once(word));
        found.unwrap_or_else(|| panic!("{word} in {}", blocks[0])).1.trim().to_owned()
    };
    let (validate, load) = (after("validate:"), after("ansible.builtin.command:"));
    let role = Role::new("many", &["sshd"], "mira").text();
    for (text, is_good) in [(role, true), ("[role.many]\n".to_owned(), false)] {
        site.machine.write("/root/candidate", &format!("version = 1\n{text}"), 0o644);
        assert_eq!(line(site, &validate.replace("%s", "/root/candidate")).is_ok(), is_good, "{text}");
    }
    line(site, &load).done();
}

fn a_policy_is_wrong(site: &Site, blocks: &[String]) {
    let shorter = "[role.nights]\nhosts = [\"*\"]\nservices = [\"sshd\"]\neligible = { users = [\"mira\"] }\n\
                   max-duration = \"1h\"\n[[role.nights.stage]]\nname = \"lead\"\napprovers = { users = [\"root\"] }\n";
    site.machine.write("/etc/jit/policy.d/60-nights.toml", &format!("version = 1\n{shorter}"), 0o644);
    all_of(site, &blocks[0]).says("nights");
    site.shell("jitctl status").says("trial");
    // Nobody confirms it: a restart takes it back.
    site.shell("rm /etc/jit/policy.d/60-nights.toml; systemctl restart jitd").done();
    site.is_ready();
    site.shell("jitctl policy show").does_not_say("nights").done();
}

fn upgrade(site: &Site, blocks: &[String]) {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let built = fs::read_dir(&dist).unwrap().flatten().map(|entry| entry.path());
    let package = built.filter(|file| file.extension().is_some_and(|name| name == "deb")).max();
    let package = package.expect("the package that the scenarios were given was built there");
    fs::copy(&package, site.machine.path("/root").join(package.file_name().unwrap())).unwrap();
    let session = site.stays_logged_in("mira", 1906);
    let before = site.sessions();
    let [install, rest @ ..] = &blocks[0].lines().collect::<Vec<_>>()[..] else { panic!("{blocks:?}") };
    line(site, install).done();
    site.is_ready();
    for text in rest {
        line(site, text).done();
    }
    let is_in = |id: u64| site.sessions().iter().any(|session| session.id == id);
    assert!(before.iter().filter(|session| session.user == "mira").all(|session| is_in(session.id)));
    site.ssh("mira").admits("mira");
    site.shell("jitctl session end mira --yes").done();
    session.output().is_cut_off();
}

fn the_bus_is_dead(site: &Site, blocks: &[String]) {
    site.shell("systemctl stop dbus.socket dbus.service").done();
    site.ssh("mira").admits("mira");
    all_of(site, &blocks[0]);
    site.is_ready();
    site.ssh("mira").admits("mira");
}

fn the_disk_is_full(site: &Site, blocks: &[String]) {
    on_a_disk_of(site, 64);
    let fill = "dd if=/dev/zero of=/var/lib/jitd/filler bs=1M count=200 2>/dev/null; true";
    site.shell(fill).done();
    let grant = "jitctl grant mira --role shell --reason 'INC-1 more'";
    until(SOON, "nothing new opens", || site.shell(grant).stderr.contains("disk"));
    // What fills it is removed, as the page says, and its commands show that.
    line(site, "jitctl status").says("DISK IS NEARLY FULL");
    site.shell("rm /var/lib/jitd/filler").done();
    all_of(site, &blocks[0]);
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    site.shell(grant).done();
}

fn the_store_is_damaged(site: &Site, blocks: &[String]) {
    let session = site.stays_logged_in("mira", 1908);
    let is_in = || site.shell("pgrep -fx 'sleep 1908'").is_ok();
    site.shell(
        "systemctl stop jitd && rm -f /var/lib/jitd/store.db-wal && printf junk | \
         dd of=/var/lib/jitd/store.db conv=notrunc 2>/dev/null && systemctl start jitd",
    )
    .done();
    until(SOON, "jitd notices", || site.shell("jitctl status").stdout.contains("not a database"));
    let [anew, out] = blocks else { panic!("two blocks: {blocks:?}") };
    let [start @ .., status] = &anew.lines().collect::<Vec<_>>()[..] else { panic!("{blocks:?}") };
    for text in start {
        line(site, text).done();
    }
    site.is_ready();
    line(site, status).done();
    site.denies("mira", "no-window", || site.ssh("mira"));
    site.shell("head -c 4 /root/jitd-damaged/store.db").says("junk").done();
    // The host has set her session a limit of its own, and nothing else ends it.
    let of_hers = "loginctl show-user mira -P Sessions | tr ' ' '\n' | sed 's/.*/session-&.scope/' | \
                   xargs -n 1 systemctl show -P RuntimeMaxUSec";
    let limits = site.shell(of_hers).done().to_owned();
    assert!(limits.lines().any(|limit| limit != "infinity"), "{limits}");
    assert!(is_in());
    all_of(site, out);
    session.output().is_cut_off();
    assert!(!is_in());
}

fn the_clock_is_wrong(site: &Site, blocks: &[String]) {
    fake_the_clock(site);
    clock_says(site, "-1h");
    site.shell("jitctl clock").exits(1).says("behind");
    site.shell("jitctl status").says("SUSPECT");
    let [shows, accepts] = &blocks[0].lines().collect::<Vec<_>>()[..] else { panic!("{blocks:?}") };
    line(site, shows).exits(1).says("behind");
    line(site, accepts).done();
    line(site, shows).done();
    site.open("mira", "shell", "30m");
}
