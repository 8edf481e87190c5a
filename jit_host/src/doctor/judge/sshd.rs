//! Whether sshd asks PAM, by which name, and what it tells.

use crate::doctor::finding::{Finding, Rules, Severity};
use crate::doctor::seen::Seen;
use crate::doctor::sshd::CONFIG;
use crate::pam::Stack;

use super::stacks::as_other;

pub(super) fn judge(seen: &Seen, rules: Option<Rules<'_>>, found: &mut Vec<Finding>) {
    let Some(sshd) = seen.sshd.as_ref() else { return };
    let service = sshd.service();
    let is_asked = |service: &str| seen.asks(service);
    let some = seen.asking().any(|(name, _)| name == "sshd" || name.starts_with("sshd-"));
    if !sshd.uses_pam() && some {
        found.push(Finding::new(
            "sshd-without-pam",
            Severity::Error,
            CONFIG,
            [
                "sshd does not use PAM.".to_owned(),
                "Everybody with a key or a password logs in over ssh, and jitd is never asked.".to_owned(),
                format!("write `UsePAM yes` into {CONFIG}, then: sshd -t && systemctl reload ssh"),
            ],
        ));
    }
    let watches = |service: &str| seen.stacks.get(service).is_some_and(Stack::only_watches);
    let is_open = !is_asked(service) || (watches(service) && !watches("sshd"));
    if sshd.uses_pam() && service != "sshd" && is_asked("sshd") && is_open {
        found.push(Finding::new(
            "sshd-by-another-name",
            Severity::Error,
            CONFIG,
            [
                format!(
                    "sshd asks PAM as `{service}`, and the file of that service {}.",
                    if is_asked(service) { "only watches" } else { "does not name pam_jit.so" }
                ),
                "The lines in /etc/pam.d/sshd have no effect: whom jitd refuses is let in.".to_owned(),
                as_other(seen, "sshd", service),
            ],
        ));
    }
    let from = |rules: Rules<'_>| {
        let limited =
            rules.policy.roles().filter(|role| role.on_host(rules.host) && !role.limits.from.is_empty());
        limited.map(|role| role.name.to_string()).collect::<Vec<_>>()
    };
    let by_address = rules.map(from).unwrap_or_default();
    if sshd.is("usedns", "yes") && is_asked(service) && !by_address.is_empty() {
        found.push(Finding::new(
            "sshd-tells-names",
            Severity::Error,
            CONFIG,
            [
                format!("UseDNS is on, and {} may only be used from certain addresses.", named("role", &by_address)),
                "sshd then tells PAM a name instead of an address. A name is not believed, so nobody gets in by them."
                    .to_owned(),
                format!("write `UseDNS no` into {CONFIG}, then: sshd -t && systemctl reload ssh"),
            ],
        ));
    }
}

/// `role a` or `roles a, b`.
fn named(what: &str, names: &[String]) -> String {
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("{what}{plural} {}", names.join(", "))
}
