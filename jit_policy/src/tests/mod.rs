//! What a policy means, and what is refused. How findings look is in `golden`; what holds for all policies in
//! `properties`; the shipped policies and the man page in `shipped`.

mod above;
mod any_order;
mod apart;
mod bounds;
mod difference;
mod except;
mod golden;
mod meaning;
mod more_lint;
mod note;
mod parts;
mod properties;
mod refused;
mod services;
mod shared;
mod shipped;
mod teams;
mod unreviewed;
mod until;
mod with_hours;

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::words::{Uid, UserName};

use super::*;

/// A whole policy of the common keys. The rest of the language is in [`RICH`].
const WHOLE: &str = include_str!("whole.toml");

/// A whole policy with every key that `WHOLE` does not have.
const RICH: &str = r#"
version = 1
retain = "3y"
[mode]
observe = ["cups"]
[people]
maria = { accounts = ["maria", "adm-maria"], keys = ["maria@site-a"] }
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[[exempt]]
groups = ["backup"]
services = ["sshd"]
from = ["10.9.0.4"]

[role.firmware]
hosts = ["@databases"]
hosts-except = ["@prod"]
services = ["sshd", "su"]
run-as = ["oracle"]
eligible = { groups = ["dba"], all = ["vetted"], except = { groups = ["interns"] } }
max-duration = "4h"
from = ["10.1.0.0/16", "2001:db8::/32"]
hours = [{ days = "mon-fri", from = "07:00", to = "19:00", tz = "Europe/Berlin" }]
starts = "at-first-use"
lapse = "12h"
survives-reboot = true
reason = { pattern = "^(?<ticket>INC-[0-9]+) .{8,}", hint = "INC-1234 and what you will do" }
at-end = "keep"
keep-max = "2h"
grace = "10s"
warn = ["5m", "1m"]
emergency = true
until = 2027-02-28
limits = { each = 1, in-all = "12h" }

[[role.firmware.stage]]
name = "team lead"
approvers = { groups = ["dba-leads"] }
denials = 2
expires = "8h"
then = { groups = ["managers"] }
accept = ["signature"]

[[role.firmware.stage]]
name = "security"
approvers = { groups = ["secops"] }
above = "2h"
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
    // That root can forge reviews is true of every role with sudo and no signatures, and that a group is exempt is what a
    // test may be about; both are tested by themselves.
    let others = loaded.warnings.iter().filter(|warning| !["JIT051", "JIT168"].contains(&warning.code));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&Finding>::new(), "{text}");
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
    Subject { groups, ..Subject::named(name.parse().unwrap(), Uid::try_from(1000).unwrap()) }
}

fn host_named(name: &str) -> Host {
    Host { name: name.parse().unwrap(), groups: BTreeSet::new(), ways: Ways::default() }
}

fn set<T: std::str::FromStr<Err: fmt::Debug> + Ord>(words: &[&str]) -> BTreeSet<T> {
    words.iter().map(|word| word.parse().unwrap()).collect()
}
