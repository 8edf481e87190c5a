//! What is changed and refused, and what comes back, in a folder that stands for a host.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use std::time::Duration;

use super::state::{Now, put};
use super::*;

const SERVICE: &str = "account required pam_nologin.so\n@include common-account\n@include common-session\n";
const COMMON: &str = "account required pam_unix.so\n";
const SESSIONS: &str = "session required pam_unix.so\n";

fn host() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("etc/pam.d")).unwrap();
    for (name, text) in [
        ("sshd", SERVICE),
        ("sudo", SERVICE),
        ("sudo-i", SERVICE),
        ("su", SERVICE),
        ("su-l", "account include su\nsession include su\n"),
        ("login", SERVICE),
        ("common-account", COMMON),
        ("common-session", SESSIONS),
    ] {
        fs::write(root.path().join("etc/pam.d").join(name), text).unwrap();
    }
    root
}

fn plan(root: &Path, services: &[&str], wanted: Wanted) -> Result<Plan, String> {
    let services: Vec<ServiceName> = services.iter().map(|name| name.parse().unwrap()).collect();
    Plan::make(root, &Seen::gather(root), &services, wanted).map_err(|why| why.to_string())
}

fn changed(root: &Path, services: &[&str]) -> Vec<String> {
    let plan = plan(root, services, Wanted::Lines(Mode::Enforce)).unwrap();
    plan.changes.into_iter().map(|change| change.service).collect()
}

fn refused(root: &Path, services: &[&str]) -> String {
    plan(root, services, Wanted::Lines(Mode::Enforce)).unwrap_err()
}

#[test]
fn sudo_i_goes_with_sudo_and_su_l_with_su_where_it_does_not_take_that_in() {
    let root = host();
    assert_eq!(changed(root.path(), &["sshd", "sudo"]), ["sshd", "sudo", "sudo-i"]);
    assert_eq!(changed(root.path(), &["su"]), ["su"], "su-l takes in su");
    fs::write(root.path().join("etc/pam.d/su-l"), SERVICE).unwrap();
    assert_eq!(changed(root.path(), &["su"]), ["su", "su-l"]);
    assert_eq!(changed(root.path(), &["sudo", "sudo-i"]), ["sudo", "sudo-i"]);
}

#[test]
fn what_has_its_lines_is_not_changed_again() {
    let root = host();
    for change in plan(root.path(), &["sshd"], Wanted::Lines(Mode::Observe)).unwrap().changes {
        fs::write(change.at, change.new).unwrap();
    }
    assert!(plan(root.path(), &["sshd"], Wanted::Lines(Mode::Observe)).unwrap().changes.is_empty());
    assert_eq!(changed(root.path(), &["sshd"]), ["sshd"], "from watching to keeping out");
    let gone = plan(root.path(), &["sshd"], Wanted::None).unwrap().changes;
    assert_eq!(gone[0].new, SERVICE);
    assert!(plan(root.path(), &["sudo"], Wanted::None).unwrap().changes.is_empty());
}

#[test]
fn every_service_that_takes_in_a_file_that_is_changed_is_named() {
    let root = host();
    fs::write(root.path().join("etc/pam.d/vlock"), "@include login\n").unwrap();
    fs::write(root.path().join("etc/pam.d/lock"), "account include /etc/pam.d/login\n").unwrap();
    // What it takes in is nothing that is changed.
    fs::write(root.path().join("etc/pam.d/idle"), "auth include login\n").unwrap();
    for wanted in [Wanted::Lines(Mode::Observe), Wanted::Lines(Mode::Enforce), Wanted::None] {
        let made = plan(root.path(), &["login"], wanted).unwrap();
        let notes: Vec<_> = ["lock", "vlock"]
            .map(|name| format!("{name} takes in /etc/pam.d/login, and goes with it."))
            .into_iter()
            .collect();
        assert_eq!(made.notes, notes, "{wanted:?}");
        for change in made.changes {
            fs::write(change.at, change.new).unwrap();
        }
    }
    let notes = plan(root.path(), &["su"], Wanted::Lines(Mode::Enforce)).unwrap().notes;
    assert_eq!(notes, ["su-l takes in /etc/pam.d/su, and goes with it."]);
}

#[test]
fn lines_that_another_counts_in_a_jump_are_not_taken_out() {
    let root = host();
    let over = "account [success=1 default=ignore] pam_succeed_if.so uid = 0\naccount required pam_jit.so\n";
    fs::write(root.path().join("etc/pam.d/sshd"), format!("{over}{SERVICE}")).unwrap();
    let why = plan(root.path(), &["sshd"], Wanted::None).unwrap_err();
    assert!(
        why.contains("/etc/pam.d/sshd:1 counts a line of pam_jit.so") && why.contains("is left as it is"),
        "{why}"
    );
}

#[test]
fn what_keeps_people_out_is_not_made_to_watch_and_that_is_said() {
    let root = host();
    for change in plan(root.path(), &["sudo"], Wanted::Lines(Mode::Enforce)).unwrap().changes {
        fs::write(change.at, change.new).unwrap();
    }
    let watch = plan(root.path(), &["sshd", "sudo"], Wanted::Lines(Mode::Observe)).unwrap();
    let services: Vec<_> = watch.changes.iter().map(|change| change.service.as_str()).collect();
    assert_eq!(services, ["sshd"], "neither sudo nor its sibling");
    let said = |name: &str| {
        watch.notes.iter().any(|note| note.starts_with(&format!("{name} keeps people out already")))
    };
    assert!(said("sudo") && said("sudo-i") && !said("sshd"), "{:?}", watch.notes);
    assert!(
        watch.notes[0].contains("at account and session") && watch.notes[0].contains("jitctl disable sudo")
    );
}

#[test]
fn what_cannot_be_put_under_jitd_is_refused_with_what_to_type() {
    let root = host();
    assert!(refused(root.path(), &["sshf"]).contains("no /etc/pam.d/sshf; did you mean sshd?"));
    assert!(refused(root.path(), &["common-account"]).contains("many take that file in"));
    assert!(refused(root.path(), &["gdm-autologin"]).contains("by itself"));
    std::os::unix::fs::symlink("sshd", root.path().join("etc/pam.d/link")).unwrap();
    assert!(refused(root.path(), &["link"]).contains("ls -l /etc/pam.d/link"));
    fs::create_dir_all(root.path().join("usr/lib/pam.d")).unwrap();
    fs::write(root.path().join("usr/lib/pam.d/polkit-1"), SERVICE).unwrap();
    assert!(refused(root.path(), &["polkit-1"]).contains("cp /usr/lib/pam.d/polkit-1 /etc/pam.d/polkit-1"));
    let unit = root.path().join("etc/systemd/system/getty@tty1.service.d");
    fs::create_dir_all(&unit).unwrap();
    assert_eq!(changed(root.path(), &["login"]), ["login"]);
    fs::write(unit.join("auto.conf"), "[Service]\nExecStart=-/sbin/agetty --autologin ana %I\n").unwrap();
    assert!(refused(root.path(), &["login"]).contains("--autologin"));
}

/// A change that waits, written as [`switch::begin`] does.
fn waiting_change(root: &Path) -> (Dir, Trial) {
    let dir = Dir::below(root);
    dir.make().unwrap();
    let at = root.join("etc/pam.d/sshd");
    fs::set_permissions(&at, fs::Permissions::from_mode(0o640)).unwrap();
    let like = fs::metadata(&at).unwrap();
    put(&dir.old("sshd"), SERVICE.as_bytes(), Some(&like)).unwrap();
    put(&dir.near("sshd"), SERVICE.as_bytes(), Some(&like)).unwrap();
    put(&dir.made("sshd"), b"new\n", Some(&like)).unwrap();
    put(&at, b"new\n", Some(&like)).unwrap();
    let trial = Trial {
        kind: Kind::Enable,
        services: vec!["sshd".into()],
        boot: "b".into(),
        began: 1000,
        limit: 60_000,
        highest: 3,
    };
    dir.write_trial(&trial).unwrap();
    (dir, trial)
}

#[test]
fn the_old_file_comes_back_with_its_mode_and_what_somebody_wrote_meanwhile_is_kept() {
    let root = host();
    let (dir, trial) = waiting_change(root.path());
    assert_eq!(dir.trial().unwrap().as_ref(), Some(&trial), "it survives whatever wrote it");
    fs::write(root.path().join("etc/pam.d/sshd"), "theirs\n").unwrap();
    let edited = switch::restore(&dir, &trial).unwrap();
    assert_eq!(edited.len(), 1);
    assert_eq!(fs::read_to_string(dir.edited().join("sshd")).unwrap(), "theirs\n");
    let at = root.path().join("etc/pam.d/sshd");
    assert_eq!(fs::read_to_string(&at).unwrap(), SERVICE);
    assert_eq!(fs::metadata(&at).unwrap().mode() & 0o777, 0o640);
    assert_eq!(dir.trial().unwrap(), None);
    // What it made itself is no edit of theirs; and a second time nothing is left to do.
    let (dir, trial) = waiting_change(root.path());
    assert_eq!(switch::restore(&dir, &trial).unwrap(), [""; 0]);
    assert_eq!(switch::restore(&dir, &trial).unwrap(), [""; 0]);
}

/// What is in the folder beside the files of services.
fn hidden(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("etc/pam.d")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn to_bring_a_file_back_takes_no_room_on_any_disk() {
    let root = host();
    let (dir, trial) = waiting_change(root.path());
    let at = root.path().join("etc/pam.d/sshd");
    fs::write(root.path().join("etc/pam.d/.sshd.jit-new"), "half").unwrap();
    let beside = fs::metadata(dir.near("sshd")).unwrap().ino();
    // What they wrote cannot be kept; that is said, and is no reason to leave people locked out.
    fs::write(&at, "theirs\n").unwrap();
    fs::remove_dir(dir.edited()).unwrap();
    let notes = switch::restore(&dir, &trial).unwrap();
    assert!(notes.len() == 1 && notes[0].contains("could not be kept"), "{notes:?}");
    assert_eq!(fs::metadata(&at).unwrap().ino(), beside, "the very file, put in its place");
    assert_eq!(fs::read_to_string(&at).unwrap(), SERVICE);
    assert_eq!(hidden(root.path()), [""; 0]);
}

#[test]
fn one_copy_is_enough_and_the_one_beside_the_file_is_not_believed_against_the_other() {
    let root = host();
    let at = root.path().join("etc/pam.d/sshd");
    let (dir, trial) = waiting_change(root.path());
    fs::remove_file(dir.old("sshd")).unwrap();
    switch::restore(&dir, &trial).unwrap();
    assert_eq!(fs::read_to_string(&at).unwrap(), SERVICE);
    for other in [None, Some("another\n")] {
        let (dir, trial) = waiting_change(root.path());
        fs::remove_file(dir.near("sshd")).unwrap();
        if let Some(other) = other {
            fs::write(dir.near("sshd"), other).unwrap();
        }
        switch::restore(&dir, &trial).unwrap();
        assert_eq!(fs::read_to_string(&at).unwrap(), SERVICE);
        assert_eq!(fs::metadata(&at).unwrap().mode() & 0o777, 0o640);
        assert_eq!(hidden(root.path()), [""; 0]);
    }
    let (dir, trial) = waiting_change(root.path());
    switch::keep(&dir, &trial).unwrap();
    assert_eq!(hidden(root.path()), [""; 0], "nor is anything left of what is kept");
    assert_eq!(fs::read_to_string(&at).unwrap(), "new\n");
}

#[test]
fn what_is_over_and_cannot_be_noted_is_not_brought_back_over_a_later_edit() {
    let root = host();
    let (dir, trial) = waiting_change(root.path());
    let at = root.path().join("etc/pam.d/sshd");
    let _alone = dir.lock().unwrap();
    // A folder stands for a disk that nothing can be taken from.
    let file = root.path().join("var/lib/jit-enable/trial.json");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let said = switch::restore(&dir, &trial).unwrap_err().to_string();
    assert!(said.contains("the old files are back"), "{said}");
    assert_eq!(fs::read_to_string(&at).unwrap(), SERVICE);
    fs::write(&at, "later\n").unwrap();
    switch::restore(&dir, &trial).unwrap_err();
    assert_eq!(fs::read_to_string(&at).unwrap(), "later\n");
    fs::remove_dir(&file).unwrap();
    dir.write_trial(&trial).unwrap();
    switch::restore(&dir, &trial).unwrap();
    assert!(!dir.is_over(&trial), "and forgotten with it");
}

#[test]
fn a_restore_that_fails_leaves_the_change_waiting_so_that_it_is_tried_again() {
    let root = host();
    let (dir, trial) = waiting_change(root.path());
    fs::remove_file(root.path().join("etc/pam.d/sshd")).unwrap();
    fs::create_dir_all(root.path().join("etc/pam.d/sshd/in-the-way")).unwrap();
    switch::restore(&dir, &trial).unwrap_err();
    assert_eq!(dir.trial().unwrap(), Some(trial));
}

#[test]
fn the_time_is_over_by_the_boot_clock_and_at_every_other_boot() {
    let root = host();
    let (_, trial) = waiting_change(root.path());
    let now = |boot: &str, seconds| Now { boot: boot.into(), since_boot: Duration::from_secs(seconds) };
    assert!(!trial.is_due(&now("b", 60)));
    assert!(trial.is_due(&now("b", 61)));
    assert!(trial.is_due(&now("c", 1)));
}

#[test]
fn two_at_once_are_one_too_many() {
    let root = host();
    let dir = Dir::below(root.path());
    let alone = dir.lock().unwrap();
    assert!(!root.path().join("var").exists(), "no disk is asked");
    assert!(dir.lock().unwrap_err().to_string().contains("another jitctl"));
    drop(alone);
    dir.lock().unwrap();
}
