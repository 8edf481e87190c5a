use std::fs;
use std::path::Path;

use crate::testing::{Nobody, jitctl};

const GOOD: &str = "version = 1\nadmins = { users = [\"root\"] }\n\
                    exempt = [{ users = [\"root\"], services = [\"login\"] }]\n";

const MORE: &str = "version = 1\n[role.r]\nhosts = [\"*\"]\nservices = [\"sshd\"]\n\
                    eligible = { groups = [\"dba\"] }\nmax-duration = \"1h\"\n\
                    stage = [{ approvers = { groups = [\"leads\"] } }]\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_folder_without_errors_exits_0_and_says_what_was_read() {
    let dir = folder(&[("10-site.toml", GOOD), ("20-db.toml", MORE)]);
    let ran = jitctl(&["policy", "check", "--no-host", text(dir.path())], &Nobody);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "0 errors, 0 warnings in 2 files\n", ""));
}

#[test]
fn one_file_is_checked_with_the_others_of_its_folder() {
    let dir = folder(&[("10-site.toml", GOOD), ("20-db.toml", MORE), ("README", "x")]);
    // Alone it would have no admins and no console.
    let ran = jitctl(&["policy", "check", "--no-host", text(&dir.path().join("20-db.toml"))], &Nobody);
    assert_eq!((ran.code, ran.out.as_str()), (0, "0 errors, 0 warnings in 2 files\n"));
}

#[test]
fn a_file_from_elsewhere_takes_the_place_that_it_will_have() {
    let dir = folder(&[("10-site.toml", GOOD), ("20-db.toml", "version = 1\nnonsense = 1\n")]);
    let elsewhere = folder(&[("tmpx7", MORE), ("30-new.toml", MORE)]);
    let (new, home) = (elsewhere.path().join("tmpx7"), text(dir.path()));
    let ran =
        jitctl(&["policy", "check", "--no-host", "--in", home, "--as", "20-db.toml", text(&new)], &Nobody);
    assert_eq!((ran.code, ran.out.as_str()), (0, "0 errors, 0 warnings in 2 files\n"));
    // Under its own name it stands beside the broken one.
    let ran =
        jitctl(&["policy", "check", "--in", home, text(&elsewhere.path().join("30-new.toml"))], &Nobody);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("--> 20-db.toml:2:1"), "{}", ran.out);
}

#[test]
fn a_name_that_jitd_would_not_read_is_bad_usage() {
    let dir = folder(&[("10-site.toml", GOOD), ("tmpx7", MORE)]);
    let (home, new) = (text(dir.path()), dir.path().join("tmpx7"));
    for args in [
        &["policy", "check", text(&new)][..],
        &["policy", "check", text(&new), "--in", home],
        &["policy", "check", text(&new), "--in", home, "--as", "x"],
        &["policy", "check", text(&new), "--in", home, "--as", ".x.toml"],
        &["policy", "check", text(&new), "--in", home, "--as", "../x.toml"],
        &["policy", "check", text(&new), "--as", "x.toml"],
        &["policy", "check", home, "--in", home],
    ] {
        let ran = jitctl(args, &Nobody);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {}", ran.err);
    }
}

#[test]
fn a_place_that_is_not_there_is_a_finding_with_its_name() {
    let ran = jitctl(&["policy", "check", "/nonexistent/a.toml"], &Nobody);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("error JIT060: it cannot be read: No such file"), "{}", ran.out);
    assert!(ran.out.contains("--> /nonexistent/a.toml:1:1"), "{}", ran.out);
}

#[test]
fn the_groups_of_this_host_count_unless_they_are_left_out() {
    let other = MORE.replace("dba", "no-such-group-here");
    let dir = folder(&[("10-site.toml", GOOD), ("20-db.toml", &other)]);
    let ran = jitctl(&["policy", "check", text(dir.path())], &Nobody);
    // An error, or where this host cannot list its groups a warning.
    let said = |code: u8, text: &str| ran.code == code && ran.out.contains(text);
    assert!(said(1, "error JIT070: there is no group") || said(0, "warning JIT079: cannot tell"), "{ran:?}");
    assert_eq!(jitctl(&["policy", "check", "--no-host", text(dir.path())], &Nobody).code, 0);
}
