//! `jitctl check`: whether somebody would be let in now.

use std::net::IpAddr;

use clap::Args;
use jit_core::policy::PersonName;
use jit_proto::manager;
use jit_proto::text::Shown;
use jit_proto::words::{ServiceName, UserName, Verdict};

use super::swap;
use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::screen::Screen;
use crate::table::Properties;
use crate::times::time;

/// Ask whether somebody would be let in now
///
/// Asking changes nothing and uses nothing. The exit code is 1 when the verdict is deny.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The PAM service, such as sshd or sudo
    service: ServiceName,
    /// The account; for sudo and su, the one who calls them
    user: UserName,
    /// Which of the people who share the account comes by it: a name of [people] in the policy
    #[arg(long, value_name = "NAME")]
    person: Option<PersonName>,
    /// The address that the login would come from [default: not known]
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
}

pub(crate) fn run(
    check: &Check,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let Check { service, user, person, from } = check;
    let call =
        Call::Check { service: service.clone(), user: user.clone(), person: person.clone(), from: *from };
    swap::hinted(jitd::ask(jitd, &call), "check", service, user).and_then(|found: manager::Check| {
        let hint = swap::hint("check", service, user).filter(|_| found.reason == swap::NO_ROLE);
        Ok(give(&found, json, screen, |found| {
            let mut view = answered(found);
            view.said.extend(hint);
            view
        })?)
    })
}

fn answered(check: &manager::Check) -> View {
    let (user, service) = (who(check), Shown(&check.service));
    let what = match check.verdict {
        Verdict::Allow => format!("allow: {user} may use {service} now"),
        Verdict::Deny => format!("deny: {user} may not use {service} now"),
        Verdict::Unmanaged => format!("unmanaged: jitd does not judge {user} on {service}"),
    };
    let mut view = Properties::new(&what);
    view.add("Reason", &check.reason);
    if !check.text.is_empty() {
        view.add("Text", &check.text);
    }
    for (name, value) in [("Role", &check.role), ("Grant", &check.grant)] {
        if let Some(value) = value {
            view.add(name, value);
        }
    }
    if let Some(until) = &check.until {
        view.add("Until", &time(until));
    }
    let outcome = match check.verdict {
        Verdict::Allow | Verdict::Unmanaged => Outcome::Yes,
        Verdict::Deny => Outcome::No,
    };
    View { outcome, ..View::yes(view.text()) }
}

/// The account, and who comes by it where people share it.
pub(super) fn who(check: &manager::Check) -> String {
    match &check.person {
        Some(person) => format!("{} ({})", Shown(&check.user), Shown(person)),
        None => Shown(&check.user).to_string(),
    }
}
