//! What a policy means, and what is refused. How findings look is in `golden`; what holds for all policies in
//! `properties`; the shipped policies and the man page in `shipped`.

mod golden;
mod meaning;
mod properties;
mod refused;
mod shipped;

use std::collections::BTreeSet;

use super::*;

/// A whole policy that uses every key.
const WHOLE: &str = r#"
version = 1

[admins]
users = ["root"]
groups = ["sysadmin"]

[auditors]
users = ["eve"]

[[exempt]]
users = ["root"]
services = ["login"]

[role.db-oncall]
summary = "On-call"
hosts = ["db-*", "backup"]
services = ["sshd", "sudo"]
eligible = { users = ["maria"], groups = ["dba"] }
max-duration = "4h"
default-duration = "30m"
uses = 3

[[role.db-oncall.stage]]
name = "team lead"
approvers = { users = ["ana", "tom"], groups = ["dba-leads"] }
approvals = 2
"#;

/// What every policy needs, so that a test can add what it is about.
const BASE: &str = r#"
version = 1
admins = { users = ["root"] }
exempt = [{ users = ["root"], services = ["login"] }]
"#;

fn file(name: &str, text: impl AsRef<[u8]>) -> SourceFile {
    SourceFile { name: name.to_owned(), bytes: text.as_ref().to_vec() }
}

fn load(text: &str) -> Policy {
    let loaded =
        Policy::parse(&[file("10-site.toml", text)]).unwrap_or_else(|findings| panic!("{findings:#?}"));
    assert_eq!(loaded.warnings, [], "{text}");
    loaded.policy
}

/// All findings about one file, errors or not.
fn findings(text: &str) -> Vec<Finding> {
    match Policy::parse(&[file("10-site.toml", text)]) {
        Ok(loaded) => loaded.warnings,
        Err(findings) => findings,
    }
}

fn codes(text: &str) -> Vec<&'static str> {
    findings(text).iter().map(|finding| finding.code).collect()
}

/// A policy with one role of these lines; the stage's approvers are a group unless the lines hold a stage.
fn with_role(lines: &str) -> String {
    let stage =
        if lines.contains("stage") { "" } else { "stage = [{ approvers = { groups = [\"leads\"] } }]" };
    format!("{BASE}\n[role.r]\n{lines}\n{stage}\n")
}

const ROLE_LINES: &str = r#"
hosts = ["*"]
services = ["sshd"]
eligible = { groups = ["dba"] }
max-duration = "4h"
"#;

fn subject(name: &str, groups: &[&str]) -> Subject {
    let groups = groups.iter().map(|group| group.parse().unwrap()).collect();
    Subject { name: name.parse().unwrap(), uid: Uid::try_from(1000).unwrap(), groups }
}

fn set<T: std::str::FromStr<Err: fmt::Debug> + Ord>(words: &[&str]) -> BTreeSet<T> {
    words.iter().map(|word| word.parse().unwrap()).collect()
}
