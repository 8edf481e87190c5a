//! The ways in that do not ask jitd, beside those that do.

use std::path::Path;

use jit_proto::words::ServiceName;

use crate::doctor::finding::{Finding, Rules, Severity};
use crate::doctor::seen::{Seen, is_shared};
use crate::pam::{Stack, Stage};

use super::stacks::as_other;

/// Services by which people come in or become somebody else, as distributions call them.
const DOORS: [&str; 22] = [
    "atd",
    "cockpit",
    "cron",
    "crond",
    "gdm-fingerprint",
    "gdm-password",
    "gdm-smartcard",
    "kde",
    "lightdm",
    "login",
    "polkit-1",
    "remote",
    "sddm",
    "sshd",
    "su",
    "su-l",
    "sudo",
    "sudo-i",
    "systemd-run0",
    "vsftpd",
    "xdm",
    "xrdp-sesman",
];

pub(super) fn judge(seen: &Seen, rules: Option<Rules<'_>>, found: &mut Vec<Finding>) {
    if seen.asking().next().is_none() {
        found.push(Finding::new(
            "nothing-asks",
            Severity::Note,
            "/etc/pam.d",
            [
                "No PAM file of a service names pam_jit.so.".to_owned(),
                "Nothing is guarded yet: everybody comes in as they did before.".to_owned(),
                "jitctl enable sshd sudo".to_owned(),
            ],
        ));
        return;
    }
    siblings(seen, found);
    missing(seen, found);
    polkit(seen, found);
    autologin(seen, found);
    rest(seen, found);
    if let Some(rules) = rules {
        observed(seen, rules, found);
    }
}

/// The same program by another name: sudo-i beside sudo, su-l beside su. One that only watches is open beside one that keeps
/// people out.
fn siblings(seen: &Seen, found: &mut Vec<Finding>) {
    let keeps_out = |(_, stack): &(&str, &Stack)| !stack.only_watches();
    for (name, stack) in seen.stacks.iter().filter(|(name, _)| !is_shared(name)) {
        let Ok(service) = name.parse::<ServiceName>() else { continue };
        if !(service.is_su() || service.is_sudo()) || (seen.asks(name) && !stack.only_watches()) {
            continue;
        }
        let family = service.family();
        let same = |(other, _): &(&str, &Stack)| {
            other.parse().is_ok_and(|other: ServiceName| other.family() == family)
        };
        let strict = seen.asking().filter(same).find(keeps_out);
        let weak = || seen.asking().find(same).filter(|_| !seen.asks(name));
        let Some((other, _)) = strict.or_else(weak) else { continue };
        let what = if seen.asks(name) {
            format!("{other} keeps out whom jitd refuses, and {name} only watches.")
        } else {
            format!("{other} asks jitd, and {name} does not.")
        };
        found.push(Finding::new(
            "same-door-unasked",
            Severity::Error,
            stack.path.display().to_string(),
            [
                what,
                format!("Whoever is refused by {other} types what asks as {name} (`sudo -i`, `su -`) and is let in."),
                as_other(seen, other, name),
            ],
        ));
    }
}

/// `login -h` asks as `remote` (login(1)), which on Debian is no file; then it is that of `other`.
fn missing(seen: &Seen, found: &mut Vec<Finding>) {
    if seen.asks("login") && !seen.stacks.contains_key("remote") && !seen.asks("other") {
        found.push(Finding::new(
            "remote-missing",
            Severity::Warning,
            "/etc/pam.d/remote",
            [
                "login asks jitd, and there is no /etc/pam.d/remote.".to_owned(),
                "telnetd and others start `login -h`, which asks PAM as `remote`: without that file the one called `other` \
                 counts, which does not ask jitd."
                    .to_owned(),
                "cp -p /etc/pam.d/login /etc/pam.d/remote".to_owned(),
            ],
        ));
    }
}

/// pkexec(1) and run0(1) make somebody root as sudo does, and ask polkit.
fn polkit(seen: &Seen, found: &mut Vec<Finding>) {
    let of_root = seen.asks("sudo") || seen.asks("su");
    if !of_root {
        return;
    }
    if let Some(stack) = seen.stacks.get("polkit-1").filter(|_| !seen.asks("polkit-1")) {
        let path = stack.path.display();
        let is_packages = !stack.path.starts_with("/etc");
        let fix = if is_packages {
            format!(
                "cp {path} /etc/pam.d/polkit-1 && jitctl enable polkit-1, with a role or an [[exempt]] for polkit-1"
            )
        } else {
            "jitctl enable polkit-1, with a role or an [[exempt]] for polkit-1".to_owned()
        };
        found.push(Finding::new(
            "root-by-polkit",
            Severity::Warning,
            path.to_string(),
            [
                "sudo or su asks jitd, and polkit does not.".to_owned(),
                "Whoever polkit takes for an administrator becomes root by pkexec without a window."
                    .to_owned(),
                fix,
            ],
        ));
    }
    if seen.has_run0 && !seen.asks("polkit-1") && !seen.asks("systemd-run0") {
        found.push(Finding::new(
            "root-by-run0",
            Severity::Warning,
            "/usr/bin/run0",
            [
                "This host has run0, and neither polkit nor run0 asks jitd.".to_owned(),
                "Whoever polkit takes for an administrator becomes root by run0 without a window, outside of their session."
                    .to_owned(),
                "put polkit-1 under jitd, or shut run0 with a rule in /etc/polkit-1/rules.d".to_owned(),
            ],
        ));
    }
}

fn autologin(seen: &Seen, found: &mut Vec<Finding>) {
    if !seen.asks("login") {
        return;
    }
    found.extend(seen.autologin.iter().map(|file| {
        Finding::new(
            "console-logs-in-by-itself",
            Severity::Error,
            file.display().to_string(),
            [
                "A console logs somebody in by itself, and login asks jitd.".to_owned(),
                "Without a window that is refused again and again, and the console shows nothing else."
                    .to_owned(),
                format!("take --autologin out of {}, or exempt that account at login", file.display()),
            ],
        )
    }));
}

/// The other ways in that ask nobody, in one note.
fn rest(seen: &Seen, found: &mut Vec<Finding>) {
    let is_named = |name: &str| DOORS.contains(&name) || name.starts_with("gdm-");
    let open: Vec<&str> = seen
        .stacks
        .iter()
        .filter(|(name, stack)| is_named(name) && !stack.asks_at(Stage::Account))
        .map(|(name, _)| name.as_str())
        .collect();
    if !open.is_empty() {
        found.push(Finding::new(
            "doors-unasked",
            Severity::Note,
            "/etc/pam.d",
            [
                format!("These services do not ask jitd: {}.", open.join(", ")),
                "Who comes in by them needs no window.".to_owned(),
                "jitctl enable SERVICE, for those that should ask".to_owned(),
            ],
        ));
    }
}

/// Where policy only watches, and files of packages that an admin should copy before they edit them.
fn observed(seen: &Seen, rules: Rules<'_>, found: &mut Vec<Finding>) {
    let asking = seen.asking().filter_map(|(name, _)| name.parse::<ServiceName>().ok());
    let watched: Vec<String> =
        asking.filter(|name| rules.policy.observes(name)).map(|name| name.to_string()).collect();
    if !watched.is_empty() {
        found.push(Finding::new(
            "observed-by-policy",
            Severity::Warning,
            "/etc/jit/policy.d",
            [
                format!("`mode` of the policy says that these are only observed: {}.", watched.join(", ")),
                "jitd decides and records there, and keeps nobody out.".to_owned(),
                "take them out of `observe`, then: jitctl policy load".to_owned(),
            ],
        ));
    }
    for (name, stack) in &seen.stacks {
        let is_packages = !stack.path.starts_with(Path::new("/etc"));
        let Ok(service) = name.parse::<ServiceName>() else { continue };
        let mut opening = rules.policy.roles_for(&service).filter(|role| role.on_host(rules.host));
        if let Some(role) = opening.next().filter(|_| is_packages) {
            found.push(Finding::new(
                "file-of-a-package",
                Severity::Warning,
                stack.path.display().to_string(),
                [
                    format!("Role {} opens {name}, whose PAM file is the package's own.", role.name),
                    "What is written there is lost with the next upgrade; a file of the same name in /etc/pam.d comes before it."
                        .to_owned(),
                    format!("cp {} /etc/pam.d/{name} && jitctl enable {name}", stack.path.display()),
                ],
            ));
        }
    }
}
