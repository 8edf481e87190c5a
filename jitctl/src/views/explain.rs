//! Why an answer is what it is.

use jit_proto::manager::{Considered, Explanation};
use jit_proto::text::Shown;
use jit_proto::words::Verdict;

use super::View;
use crate::run::Outcome;
use crate::table::Properties;
use crate::times::time;

pub(crate) fn explanation(explained: &Explanation) -> View {
    let Explanation { check, host, at, from, target, would, roles } = explained;
    let (user, service, host) = (Shown(&check.user), Shown(&check.service), Shown(host));
    let what = match check.verdict {
        Verdict::Allow => format!("allow: {user} may use {service} on {host}"),
        Verdict::Deny => format!("deny: {user} may not use {service} on {host}"),
        Verdict::Unmanaged => format!("unmanaged: jitd does not judge {user} on {service} of {host}"),
    };
    let mut facts = Properties::new(&what);
    facts.add("At", &time(at));
    for (name, value) in [("From", from), ("Target", target)] {
        if let Some(value) = value {
            facts.add(name, value);
        }
    }
    facts.add("Reason", &check.reason);
    for (name, value) in [("Would be", would), ("Role", &check.role), ("Grant", &check.grant)] {
        if let Some(value) = value {
            facts.add(name, value);
        }
    }
    if let Some(until) = &check.until {
        facts.add("Until", &time(until));
    }
    if !check.text.is_empty() {
        facts.add("Is told", &check.text);
    }
    let mut data = facts.text();
    for role in roles {
        data.push('\n');
        data += &considered(role);
    }
    let outcome = if check.verdict == Verdict::Deny { Outcome::No } else { Outcome::Yes };
    View { outcome, ..View::yes(data) }
}

fn considered(role: &Considered) -> String {
    let mut view = Properties::new(&format!("{}: {}", role.role, role.condition));
    if !role.change.is_empty() {
        view.add("To change", &role.change);
    }
    if !role.approvers.is_empty() {
        view.add("Approvers", &role.approvers);
    }
    view.text()
}
