//! `jitctl explain`: why somebody would be let in or not, role by role.

use std::net::IpAddr;

use clap::Args;
use jit_core::policy::PersonName;
use jit_proto::manager::{Considered, Explanation};
use jit_proto::text::Shown;
use jit_proto::words::{ServiceName, UserName, Verdict};

use super::check::who;
use super::swap;
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::screen::Screen;
use crate::table::Properties;
use crate::times::time;
use crate::times::typed::When;

/// Say why somebody would be let in or not, role by role
///
/// Every role that names the service is named, with the first condition that fails, what would have to change
/// and who could approve it now. Asking changes nothing. The exit code is 1 when the verdict is deny.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The PAM service, such as sshd or sudo
    service: ServiceName,
    /// The account; for sudo and su, the one who calls them
    user: UserName,
    /// Which of the people who share the account comes by it: a name of [people] in the policy
    #[arg(long, value_name = "NAME")]
    person: Option<PersonName>,
    /// Answer for a time to come, such as '2026-12-01 07:00' or 'today 18:00' [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// The address that the login would come from [default: not known]
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// The account that su would become
    #[arg(long, value_name = "ACCOUNT")]
    target: Option<UserName>,
}

pub(crate) fn run(
    explain: &Explain,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let at = explain.at.as_ref().map(When::utc).transpose().map_err(|why| Error::Usage(why.to_string()))?;
    let call = Call::Explain {
        service: explain.service.clone(),
        user: explain.user.clone(),
        person: explain.person.clone(),
        at,
        from: explain.from,
        target: explain.target.clone(),
    };
    let Explain { service, user, .. } = explain;
    swap::hinted(jitd::ask(jitd, &call), "explain", service, user).and_then(|explained: Explanation| {
        let hint = swap::hint("explain", service, user).filter(|_| explained.check.reason == swap::NO_ROLE);
        Ok(give(&explained, json, screen, |explained| {
            let mut view = explanation(explained);
            view.said.extend(hint);
            view
        })?)
    })
}

fn explanation(explained: &Explanation) -> View {
    let Explanation { check, host, at, from, target, would, askers, roles } = explained;
    let (user, service, host) = (who(check), Shown(&check.service), Shown(host));
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
    if !askers.is_empty() {
        facts.add("Asked by", &format!("{}, which is not root (policy's [[asker]])", askers.join(", ")));
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
