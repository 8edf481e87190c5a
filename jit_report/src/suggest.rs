//! What a policy could do without, as changes of its text. Each is tried first: the changed files have to be a policy
//! that takes just what is said, or no text is shown.

use std::time::Duration;

use jit_core::duration::Human;
use jit_core::model::{Entitled, Keep};
use jit_core::policy::{Direction, Policy, Role, SourceFile, Who, diff};
use jit_core::time::Utc;
use jit_proto::words::RoleName;
use serde::Serialize;

use crate::attest::Attestation;
use crate::policies::NeverAsked;
use crate::rows::RoleFigures;

/// So many windows have to have been used before their length says anything: of fewer than twenty, not one is the
/// twentieth part that p95 leaves out, so that the figure would be the longest of them and no more.
pub(crate) const ENOUGH_WINDOWS: usize = 20;

/// Who was named for so long and never asked can be asked about: a quarter of a year, as reviews of access have it
/// (PCI DSS 7.2.4 wants one in six months), and longer than any leave.
pub(crate) const LONG_ENOUGH: Duration = Duration::from_hours(90 * 24);

/// Lengths that people write.
const ROUND: [u64; 18] = [
    300, 600, 900, 1_200, 1_800, 2_700, 3_600, 5_400, 7_200, 10_800, 14_400, 21_600, 28_800, 36_000, 43_200,
    86_400, 172_800, 604_800,
];

/// A change of policy that somebody could make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The role that it is about.
    pub role: RoleName,
    /// `max-duration`, `eligible`, or `attested` where somebody attested that it is not needed.
    pub what: &'static str,
    /// In a sentence, with the figures that speak for it.
    pub text: String,
    /// The file that would change.
    pub file: Option<String>,
    /// The lines that would, as diff(1) -u has them without context; absent where the text is not simple enough to
    /// change a line of it.
    pub diff: Vec<String>,
}

/// What the figures speak for, by the policy in force. `covered` is how long the period is that they are of.
pub(crate) fn suggestions(
    policy: &Policy,
    roles: &[RoleFigures],
    never: &[NeverAsked],
    covered: Duration,
    as_of: Utc,
) -> Vec<Suggestion> {
    let mut found: Vec<_> = roles.iter().filter_map(|figures| shorter(policy, figures)).collect();
    if covered >= LONG_ENOUGH {
        let long = never.iter().filter(|one| as_of.since(one.since) >= LONG_ENOUGH);
        found.extend(long.filter_map(|one| without(policy, one)));
    }
    found
}

fn shorter(policy: &Policy, figures: &RoleFigures) -> Option<Suggestion> {
    let role = policy.role(&figures.role)?;
    if figures.needed.count < ENOUGH_WINDOWS {
        return None;
    }
    let needed = figures.needed.p95_ms.div_ceil(1000);
    let round = ROUND.into_iter().find(|length| *length >= needed)?;
    let length = Duration::from_secs(round);
    if length >= role.max_duration {
        return None;
    }
    let text = format!(
        "max-duration of {} could be {} and is {}: of {} windows that were used, 95 of 100 were done with within {}",
        role.name,
        Human(length),
        Human(role.max_duration),
        figures.needed.count,
        Human(Duration::from_secs(needed)),
    );
    let key = |line: &str| line.trim_start().starts_with("max-duration");
    let write = |line: &str| {
        let (before, after) = line.split_once('=')?;
        let rest = after.trim_start().strip_prefix('"')?.split_once('"')?.1;
        Some(format!("{before}= \"{}\"{rest}", Human(length)))
    };
    let is_it = |new: &Role| new.max_duration == length;
    let (file, diff) = changed(policy, &role.name, key, write, is_it).unzip();
    Some(Suggestion {
        role: role.name.clone(),
        what: "max-duration",
        text,
        file,
        diff: diff.unwrap_or_default(),
    })
}

fn without(policy: &Policy, one: &NeverAsked) -> Option<Suggestion> {
    let role = policy.role(&one.role)?;
    let text = format!(
        "{} could do without {}, who may ask for it since {} or longer and did not in the period",
        role.name,
        one.who,
        one.since.to_seconds()
    );
    let name = quoted(&one.who);
    let key = |line: &str| line.trim_start().starts_with("eligible") && line.contains(&name);
    let write = |line: &str| cut_from(line, &name);
    let is_it = |new: &Role| new.eligible == left_without(&role.eligible, &one.who);
    let (file, diff) = changed(policy, &role.name, key, write, is_it).unzip();
    Some(Suggestion { role: role.name.clone(), what: "eligible", text, file, diff: diff.unwrap_or_default() })
}

/// The change of policy that an attestation asks for, of one that says that somebody should not be able to ask any more.
pub(crate) fn removal(policy: &Policy, one: &Attestation) -> Option<Suggestion> {
    let said = one.said.as_ref().filter(|said| said.decision == Keep::Remove)?;
    let role = policy.role(&one.role)?;
    let text = format!(
        "{} is to lose {}: {} attested on {} that it is not needed any more",
        role.name,
        one.who,
        said.by,
        said.at.to_seconds()
    );
    let left = left_without(&role.eligible, &one.who);
    let quoted = quoted(&one.who);
    let key = |line: &str| line.trim_start().starts_with("eligible") && line.contains(&quoted);
    let is_it = |new: &Role| new.eligible == left;
    let (file, diff) = changed(policy, &role.name, key, |line| cut_from(line, &quoted), is_it).unzip();
    Some(Suggestion { role: role.name.clone(), what: "attested", text, file, diff: diff.unwrap_or_default() })
}

/// Those who may ask, without one of them.
fn left_without(eligible: &Who, one: &Entitled) -> Who {
    let mut left = eligible.clone();
    match one {
        Entitled::User(user) => left.users.retain(|named| named != user),
        Entitled::Group(group) => left.groups.retain(|named| named != group),
        Entitled::Person(person) => left.people.retain(|named, _| named != person),
    }
    left
}

/// The name as it stands in a list of policy's.
fn quoted(who: &Entitled) -> String {
    match who {
        Entitled::User(user) => format!("\"{user}\""),
        Entitled::Group(group) => format!("\"{group}\""),
        Entitled::Person(person) => format!("\"{person}\""),
    }
}

/// The line without one of the names in its list.
fn cut_from(line: &str, quoted: &str) -> Option<String> {
    let cut = [format!("{quoted}, "), format!(", {quoted}"), quoted.to_owned()];
    let found = cut.iter().find(|part| line.contains(part.as_str()))?;
    Some(line.replacen(found.as_str(), "", 1))
}

/// The one line of the role's table that is meant, changed, where the files with it are a policy that differs in that and
/// gives nobody more.
fn changed(
    policy: &Policy,
    role: &RoleName,
    is_key: impl Fn(&str) -> bool,
    write: impl Fn(&str) -> Option<String>,
    is_it: impl Fn(&Role) -> bool,
) -> Option<(String, Vec<String>)> {
    for (index, file) in policy.files().iter().enumerate() {
        let text = str::from_utf8(&file.bytes).ok()?;
        let lines: Vec<&str> = text.split('\n').collect();
        let heading = format!("[role.{role}]");
        let Some(start) = lines.iter().position(|line| line.trim() == heading) else { continue };
        let behind = lines[start + 1..].iter().take_while(|line| !line.trim_start().starts_with('['));
        let Some(offset) = behind.clone().position(|line| is_key(line)) else { continue };
        let at = start + 1 + offset;
        let new = write(lines[at])?;
        let mut with = lines.clone();
        with[at] = &new;
        let mut files = policy.files().to_vec();
        files[index] = SourceFile { name: file.name.clone(), bytes: with.join("\n").into_bytes() };
        let tried = Policy::parse(&files).ok()?.policy;
        let gives = diff(policy, &tried).iter().any(|change| change.direction == Direction::Gains);
        if gives || !tried.role(role).is_some_and(&is_it) {
            return None;
        }
        let shown = vec![
            format!("--- {}", file.name),
            format!("+++ {}", file.name),
            format!("@@ -{0} +{0} @@", at + 1),
            format!("-{}", lines[at].trim_end_matches('\r')),
            format!("+{}", new.trim_end_matches('\r')),
        ];
        return Some((file.name.clone(), shown));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"version = 1
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["olga"] }
"#;

    #[test]
    fn a_change_that_gives_somebody_more_is_not_shown_whatever_it_was_meant_for() {
        let file = SourceFile { name: "a.toml".to_owned(), bytes: POLICY.as_bytes().to_vec() };
        let policy = Policy::parse(&[file]).unwrap().policy;
        let to = |length: &str| {
            let key = |line: &str| line.starts_with("max-duration");
            let write = |_: &str| Some(format!("max-duration = \"{length}\""));
            changed(&policy, &"shell".parse().unwrap(), key, write, |_| true)
        };
        assert_eq!(to("8h"), None);
        assert_eq!(to("2h").unwrap().1[3..], ["-max-duration = \"4h\"", "+max-duration = \"2h\""]);
    }
}
