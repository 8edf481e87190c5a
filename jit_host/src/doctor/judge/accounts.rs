//! Who gets in while jitd is dead: the accounts that the PAM files name in `recovery=`, and whether each of them can.

use std::collections::{BTreeMap, BTreeSet};

use jit_proto::words::UserName;

use crate::doctor::accounts::Account;
use crate::doctor::finding::{Finding, Severity};
use crate::doctor::seen::{Seen, is_login};
use crate::facts::recovering;
use crate::pam::Stage;

/// Whether people log in at a console as before while jitd is dead: login does not ask it, or only watches.
fn console_is_free(seen: &Seen) -> bool {
    seen.stacks.get("login").is_some_and(|login| !login.asks_at(Stage::Account) || login.only_watches())
}

pub(super) fn judge(seen: &Seen, found: &mut Vec<Finding>) {
    let mut by_account: BTreeMap<UserName, BTreeSet<&str>> = BTreeMap::new();
    let mut logins = 0;
    for (service, stack) in seen.asking() {
        let names = recovering(stack, Stage::Account);
        let at_session = recovering(stack, Stage::Session);
        let half: Vec<&str> = names.difference(&at_session).map(UserName::as_str).collect();
        if !half.is_empty() && stack.asks_at(Stage::Session) {
            found.push(Finding::new(
                "recovery-at-one-line-only",
                Severity::Error,
                stack.path.display().to_string(),
                [
                    format!(
                        "The account line names {} in `recovery=`, the session line does not.",
                        half.join(", ")
                    ),
                    "While jitd is dead they pass the first line and are refused by the second.".to_owned(),
                    format!("jitctl enforce {service}   (it writes both lines with the same recovery=)"),
                ],
            ));
        }
        // What recovers there recovers the host.
        if is_login(service) {
            logins += 1;
            for name in names {
                by_account.entry(name).or_default().insert(service);
            }
        }
    }
    if logins > 0 && by_account.is_empty() {
        found.push(nobody_recovers(seen));
    }
    for (account, services) in by_account {
        recovers(seen, account.as_str(), &services, found);
    }
}

/// Nobody is named. Where a console asks nobody and a password opens root there, that is a way in all the same.
fn nobody_recovers(seen: &Seen) -> Finding {
    let opens_root = |known: &BTreeMap<String, Account>| {
        known.values().any(|account| account.uid == 0 && account.has_password != Some(false))
    };
    let has_root = seen.accounts.known.as_ref().is_none_or(opens_root);
    let (severity, why) = if console_is_free(seen) && has_root {
        (
            Severity::Warning,
            "While jitd is dead, its disk full or its store damaged, people get in at the console alone, which keeps nobody \
             out.",
        )
    } else {
        (
            Severity::Error,
            "While jitd is dead, its disk full or its store damaged, nobody gets into this host.",
        )
    };
    let what = "No account is named in `recovery=` at any service that people log in by.";
    let fix = "add recovery=root to both lines of pam_jit.so in /etc/pam.d/login or /etc/pam.d/sshd";
    Finding::new("nobody-recovers", severity, "recovery=", [what, why, fix].map(str::to_owned))
}

/// Whether an account that is named gets in.
fn recovers(seen: &Seen, name: &str, services: &BTreeSet<&str>, found: &mut Vec<Finding>) {
    let Some(known) = &seen.accounts.known else { return };
    let about = format!("account {name}");
    let Some(account) = known.get(name) else {
        found.push(Finding::new(
            "recovery-account-elsewhere",
            Severity::Warning,
            about,
            [
                format!("{name} is named in `recovery=`, and /etc/passwd does not know it."),
                "Where it comes from another source, it cannot get in while that does not answer.".to_owned(),
                "name an account of this host in recovery=, such as root".to_owned(),
            ],
        ));
        return;
    };
    let shell = account.shell.rsplit('/').next().unwrap_or_default();
    if matches!(shell, "nologin" | "false") {
        found.push(Finding::new(
            "recovery-without-shell",
            Severity::Warning,
            about.clone(),
            [
                format!("{name} is named in `recovery=`, and its shell is {}.", account.shell),
                "It gets no shell while jitd is dead.".to_owned(),
                format!("usermod --shell /bin/bash {name}"),
            ],
        ));
    }
    let is_shut_at_ssh = account.uid == 0 && seen.sshd.as_ref().is_some_and(|sshd| !sshd.lets_root_in());
    let at_console = services.iter().any(|service| !service.starts_with("sshd"));
    let is_free = console_is_free(seen);
    if is_shut_at_ssh && !at_console && !is_free {
        let fix = if seen.asks("login") {
            format!(
                "add {name} to recovery= in both lines of pam_jit.so in /etc/pam.d/login, or name another account in recovery="
            )
        } else {
            "name another account in recovery=, which sshd lets in".to_owned()
        };
        found.push(Finding::new(
            "recovery-not-over-ssh",
            Severity::Error,
            about.clone(),
            [
                format!("{name} recovers at sshd alone, and PermitRootLogin keeps it out there."),
                "While jitd is dead, nobody gets in as root.".to_owned(),
                fix,
            ],
        ));
    }
    if account.has_password == Some(false) && (at_console || is_shut_at_ssh) {
        let gets_in_by_key = !is_shut_at_ssh && services.iter().any(|service| service.starts_with("sshd"));
        let severity = if gets_in_by_key || is_free { Severity::Warning } else { Severity::Error };
        let why = if gets_in_by_key {
            "It cannot log in at the console while jitd is dead; a key over ssh is then the only way."
        } else {
            "It cannot log in at the console while jitd is dead, and it has no other way in."
        };
        found.push(Finding::new(
            "recovery-without-password",
            severity,
            about,
            [
                format!("{name} is named in `recovery=`, and no password opens it."),
                why.to_owned(),
                format!("passwd {name}"),
            ],
        ));
    }
}
