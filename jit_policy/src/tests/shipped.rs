//! The policies that are shipped load, and the man page tells the truth.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::shape;

const MAN_PAGE: &str = include_str!("../../../packaging/man/jit-policy.5");
const CODES: &str = include_str!("../code.rs");

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

fn folder(path: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.file_name().unwrap().to_str().unwrap();
            files.push(file(name, fs::read(&path).unwrap()));
        }
    }
    files
}

#[test]
fn every_shipped_policy_loads_and_only_what_root_could_forge_is_remarked_on() {
    let mut count = 0;
    for entry in fs::read_dir(policies()).unwrap() {
        let path = entry.unwrap().path();
        let loaded =
            Policy::parse(&folder(&path)).unwrap_or_else(|err| panic!("{}: {err:#?}", path.display()));
        // The one thing to be said of a role with sudo that is approved online is true, and said.
        for role in loaded.policy.roles() {
            let signed = role.stages.iter().all(|stage| stage.accept.len() == 1);
            let said = loaded.warnings.iter().any(|warning| warning.message.contains(role.name.as_str()));
            assert_eq!(said, role.reaches_root() && !signed, "{} {}", path.display(), role.name);
        }
        assert!(loaded.warnings.iter().all(|warning| warning.code == "JIT051"), "{:#?}", loaded.warnings);
        count += 1;
    }
    assert!(count >= 9, "{count}");
}

#[test]
fn the_policy_that_is_installed_lets_root_in_at_the_console_and_nobody_anywhere_else() {
    let policy = Policy::parse(&folder(&policies().join("default"))).unwrap().policy;
    let root = Subject { uid: Uid::ROOT, ..subject("root", &["root"]) };
    assert_eq!(policy.roles().count(), 0);
    assert!(policy.is_admin(&root) && policy.exempt(&root, &"login".parse().unwrap(), None));
    for service in ["sshd", "sudo", "su"] {
        assert!(!policy.exempt(&root, &service.parse().unwrap(), None), "{service}");
    }
    assert!(!policy.exempt(&subject("ana", &["sudo"]), &"login".parse().unwrap(), None));
}

#[test]
fn the_role_in_the_comments_of_the_installed_policy_loads_once_the_marks_are_gone() {
    let text = fs::read_to_string(policies().join("default/10-site.toml")).unwrap();
    let (before, role) = text.split_once("# [role.shell]").unwrap();
    let role =
        role.lines().map(|line| line.strip_prefix("# ").unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let policy = load(&format!("{before}[role.shell]\n{role}"));
    assert_eq!(policy.roles().next().unwrap().services, set(&["sshd", "sudo", "sudo-i"]).into());
}

/// The words of a text that look like codes.
fn codes_in(text: &str) -> BTreeSet<&str> {
    let digits =
        |at: usize| text.get(at..at + 6).filter(|code| code[3..].bytes().all(|b| b.is_ascii_digit()));
    text.match_indices("JIT").filter_map(|(at, _)| digits(at)).collect()
}

#[test]
fn the_man_page_explains_every_code_that_there_is_and_no_other() {
    let codes = codes_in(CODES);
    assert!(codes.len() > 25, "{codes:?}");
    assert_eq!(codes_in(MAN_PAGE), codes);
}

#[test]
fn the_man_page_says_of_each_code_whether_it_is_an_error_or_a_warning() {
    for line in CODES.lines().filter(|line| line.contains(": Code = ")) {
        let code = *codes_in(line).first().unwrap();
        let severity = if line.contains("warning(") { "warning" } else { "error" };
        assert!(MAN_PAGE.contains(&format!("\n.TP\n.BR {code} \" ({severity})\"\n")), "{code} {severity}");
    }
}

#[test]
fn the_man_page_explains_every_key() {
    for shape in shape::ALL {
        for key in shape.names() {
            let roff = key.replace('-', "\\-");
            assert!(MAN_PAGE.contains(&roff), "{roff}");
        }
    }
}

#[test]
fn the_example_in_the_man_page_is_a_policy_that_loads() {
    let (_, example) = MAN_PAGE.split_once(".SH EXAMPLE").unwrap();
    let (_, example) = example.split_once(".EX\n").unwrap();
    let (example, _) = example.split_once(".EE").unwrap();
    let policy = load(&example.replace("\\-", "-"));
    assert_eq!(policy.roles().count(), 2);
}
