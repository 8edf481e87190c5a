use std::fs;
use std::path::Path;

use jit_proto::manager::{Policy, PolicyFile};

use crate::call::Call;
use crate::error::Error;
use crate::testing::{self, Nobody, Script, jitctl};

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

/// jitd with a policy of this one file in force.
fn in_force(text: &str) -> Script {
    let files = vec![PolicyFile { name: "10-site.toml".into(), text: text.into() }];
    Script::answers(Call::Policy, &Policy { files, ..testing::policy() })
}

#[test]
fn new_files_are_compared_with_what_jitd_has_in_force() {
    let dir = folder(&[("10-site.toml", GOOD), ("20-db.toml", MORE)]);
    let ran = jitctl(&["policy", "diff", text(dir.path())], &in_force(GOOD));
    let given = "+ role r: @dba may ask for sshd on * for up to 1h, approved by 1 of @leads (online, signature, code)\n";
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, format!("{given}1 given, 0 taken, 0 otherwise changed\n"));
    let ran = jitctl(&["policy", "diff", "--json", text(&dir.path().join("10-site.toml"))], &in_force(GOOD));
    let changes: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, changes[0]["direction"].as_str()), (0, Some("gains")));
}

const FILLED: &str = "version = 1\nprofile.p = { hosts = [\"*\"], services = [\"sshd\"], max-duration = \"1h\" }\n\
                      set.s = { groups = [\"dba\"] }\n[role.r]\nprofile = \"p\"\neligible = { sets = [\"s\"] }\n\
                      stage = [{ approvers = { groups = [\"leads\"] } }]\n";

#[test]
fn a_policy_is_shown_as_it_was_written_or_with_what_profiles_and_sets_come_to() {
    let whole = format!("{GOOD}{}", FILLED.replacen("version = 1\n", "", 1));
    let ran = jitctl(&["policy", "show"], &in_force(&whole));
    assert!(ran.code == 0 && ran.out.contains(&whole), "{}", ran.out);
    let ran = jitctl(&["policy", "show", "--expanded"], &in_force(&whole));
    let role = "\n[role.r]\neligible = { groups = [\"dba\"] }\nhosts = [\"*\"]\nmax-duration = \"1h\"\nservices = [\"sshd\"]\n\
                \n[[role.r.stage]]\napprovers = { groups = [\"leads\"] }\n";
    assert_eq!(ran.code, 0);
    assert!(ran.out.ends_with(role) && ran.out.starts_with("# policy "), "{}", ran.out);
    let ran = jitctl(&["policy", "show", "--expanded", "--json"], &in_force(&whole));
    let shown: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(shown["files"][0]["text"].as_str().unwrap().ends_with(role), "{}", ran.out);
    // Of a folder, without jitd.
    let dir = folder(&[("10-site.toml", GOOD), ("20-db.toml", FILLED)]);
    let ran = jitctl(&["policy", "show", "--expanded", "--from", text(dir.path())], &Nobody);
    assert!(ran.code == 0 && ran.out.ends_with(role), "{}", ran.out);
}

#[test]
fn of_a_policy_with_errors_it_is_said_where_they_are_and_not_what_it_comes_to() {
    let dir = folder(&[("10-site.toml", GOOD), ("20-db.toml", &FILLED.replace("\"p\"", "\"q\""))]);
    let ran = jitctl(&["policy", "show", "--expanded", "--from", text(dir.path())], &Nobody);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("error JIT160: no file defines profile `q`"), "{}", ran.out);
    assert_eq!(ran.err, "jitctl: the policy has errors, so nothing is known of what it comes to\n");
    assert_eq!(jitctl(&["policy", "show", "--from", text(dir.path())], &Nobody).code, 2);
}

#[test]
fn a_difference_of_layout_alone_is_none_and_exits_0_as_well() {
    let dir = folder(&[("10-site.toml", &format!("# checked\n{GOOD}"))]);
    let ran = jitctl(&["policy", "diff", text(dir.path())], &in_force(GOOD));
    assert_eq!((ran.code, ran.out.as_str()), (0, "Both mean the same.\n"));
}

#[test]
fn without_a_jitd_a_difference_says_how_to_start_it() {
    let dir = folder(&[("10-site.toml", GOOD)]);
    let ran = jitctl(&["policy", "diff", text(dir.path())], &Script::fails(Call::Policy, Error::NotRunning));
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("hint: start it with: systemctl start jitd"), "{}", ran.err);
}

#[test]
fn a_file_that_is_no_file_is_refused_at_once_whoever_names_it() {
    let dir = folder(&[("10-site.toml", GOOD)]);
    for (name, code) in [("20-pipe.toml", "JIT061"), ("30-link.toml", "JIT061")] {
        let path = dir.path().join(name);
        if name.contains("pipe") {
            assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        } else {
            std::os::unix::fs::symlink(dir.path().join("10-site.toml"), &path).unwrap();
        }
        for place in [text(&path), text(dir.path())] {
            let ran = jitctl(&["policy", "check", "--no-host", place], &Nobody);
            assert_eq!(ran.code, 1);
            let place =
                format!("error {code}: not a regular file; symbolic links, pipes and devices are not read\n");
            assert!(ran.out.contains(&place) && ran.out.contains(text(&path)), "{}", ran.out);
        }
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn what_is_typed_or_read_never_reaches_the_terminal_with_its_controls() {
    let dir =
        folder(&[("10-\u{1b}[2Jsite.toml", "version = 1\nx\u{1b} = 1\n"), ("20.toml", "x = \"\u{1b}[2J\"")]);
    for args in [&["policy", "check", text(dir.path())][..], &["policy", "check", text(dir.path()), "--json"]]
    {
        let ran = jitctl(args, &Nobody);
        assert_eq!(ran.code, 1);
        assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
    }
}

/// The log that the golden reports are of, with a uid for each reviewer, and the policy that was in force in it.
fn golden_log(dir: &Path) -> (String, String) {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/log.jsonl");
    let mut text = fs::read_to_string(golden).unwrap();
    for (name, uid) in [("erik", 1010), ("nils", 1011)] {
        text = text.replace(&format!(r#""{name}","uid":1009"#), &format!(r#""{name}","uid":{uid}"#));
    }
    let log = dir.join("log.jsonl");
    fs::write(&log, &text).unwrap();
    let log = log.display().to_string();
    let loaded = text.lines().find(|line| line.contains("policy-loaded")).unwrap();
    let loaded: serde_json::Value = serde_json::from_str(loaded).unwrap();
    (log, loaded["files"][0]["text"].as_str().unwrap().to_owned())
}

#[test]
fn a_log_decided_again_names_each_login_that_a_new_policy_would_have_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (log, text) = golden_log(dir.path());
    let replayed = |text: &str, more: &[&str]| {
        fs::write(dir.path().join("50-site.toml"), text).unwrap();
        let dir = dir.path().display().to_string();
        let args = [&["policy", "replay", dir.as_str(), "--log", log.as_str()][..], more].concat();
        jitctl(&args, &Nobody)
    };
    let ran = replayed(&text, &["--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((found["refused"].as_u64(), found["untold"].as_u64()), (Some(0), Some(0)), "{}", ran.out);
    let without = text.replacen("\"maria\", \"otto\"", "\"otto\"", 1);
    // Whether she is in the group, no record says.
    let ran = replayed(&without, &[]);
    assert!(ran.out.starts_with("0 of 41 logins") && ran.err.contains("it cannot be told"), "{ran:?}");
    let ran = replayed(&without.replacen(", groups = [\"dba\"]", "", 1), &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert!(
        ran.out.contains("logins would have been refused") && !ran.out.starts_with("0 of"),
        "{}",
        ran.out
    );
    assert!(ran.out.lines().any(|line| line.contains("maria") && line.contains("sshd")), "{}", ran.out);
    let ran = replayed("version = 2\n", &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("nothing is decided by it"), "{}", ran.err);
}
