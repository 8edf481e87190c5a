//! What jitd says of itself, if it does, and what is there of it if it does not.

use std::path::Path;

use jit_host::doctor::{Finding, Severity, Unseen};
use jit_proto::SYSTEM_BUS_SOCKET;
use jit_proto::manager::{Clock, Status, Unsent};

use crate::call::Call;
use crate::cmd::enabling;
use crate::error::{Error, Failure};
use crate::jitd::{Jitd, ask};

const BUS_POLICY: &str = "/usr/share/dbus-1/system.d/org.jitd.Jit1.conf";
const STORE: &str = "/var/lib/jitd/store.db";

/// Records that a log has not taken: fewer than these come and go.
const MANY: u64 = 100;

pub(super) fn look(jitd: &dyn Jitd, root: &Path, found: &mut Vec<Finding>, unseen: &mut Vec<Unseen>) {
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    if !below(SYSTEM_BUS_SOCKET).exists() {
        found.push(finding(
            "bus-absent",
            Severity::Error,
            SYSTEM_BUS_SOCKET,
            [
                "There is no system bus.",
                "People cannot ask, approve or see anything; logins are asked about over jitd's own socket.",
                "systemctl start dbus",
            ],
        ));
    }
    if !below(BUS_POLICY).exists() {
        found.push(finding(
            "bus-policy-missing",
            Severity::Error,
            BUS_POLICY,
            [
                "The bus has no rules about jitd's name.",
                "Whoever owns that name answers in jitd's place; only that it has to be root keeps others from it.",
                "install the package pam-jit again",
            ],
        ));
    }
    if let Some(files) = enabling::waits(root) {
        let texts = [
            format!("A change of {files} waits to be confirmed."),
            "Unless somebody confirms it from a new login, the old files come back.".to_owned(),
            "jitctl enable --confirm, from a new login; or jitctl enable --cancel".to_owned(),
        ];
        found.push(Finding::new("change-waits", Severity::Note, "/etc/pam.d", texts));
    }
    match ask::<Status>(jitd, &Call::Status) {
        Ok(status) => {
            of_status(&status, found);
            of_clock(jitd, found, unseen);
        }
        Err(failure) => {
            found.push(silent(&failure));
            no_store(&below(STORE), found, unseen);
        }
    }
}

fn finding(id: &'static str, severity: Severity, about: &str, texts: [&str; 3]) -> Finding {
    Finding::new(id, severity, about, texts.map(str::to_owned))
}

/// jitd does not answer.
fn silent(failure: &Failure) -> Finding {
    let fix = match &failure.error {
        Error::NoBus { .. } => "systemctl start dbus jitd",
        Error::NotRunning => "systemctl start jitd, and see why it ended with: journalctl -u jitd -n 50",
        Error::Impostor { .. } => "busctl status org.jitd.Jit1",
        Error::Usage(_)
        | Error::Late { .. }
        | Error::Broken { .. }
        | Error::Garbled(_)
        | Error::CannotDecide(_)
        | Error::Unconfirmed(_)
        | Error::CarriedOut(_)
        | Error::NotPermitted(_)
        | Error::NotFound(_)
        | Error::Invalid(_)
        | Error::Refused(_)
        | Error::OnTrial(_)
        | Error::Busy(_)
        | Error::Unexpected { .. }
        | Error::Output(_) => "systemctl status jitd dbus",
    };
    let texts = [
        format!("jitd does not answer: {}.", failure.error),
        "Every managed login is refused, but for those whom recovery= names.".to_owned(),
        fix.to_owned(),
    ];
    Finding::new("jitd-silent", Severity::Error, "jitd", texts)
}

/// Whether there is a store for a jitd that does not answer. Only root sees that.
fn no_store(path: &Path, found: &mut Vec<Finding>, unseen: &mut Vec<Unseen>) {
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => found.push(finding(
            "store-missing",
            Severity::Warning,
            STORE,
            [
                "There is no store.",
                "jitd begins with a new one: windows, requests and the audit log of before are not in it.",
                "if this host had one, bring it back from a backup before jitd starts (jitd(8))",
            ],
        )),
        Err(_) => {
            unseen.push(Unseen {
                what: STORE.to_owned(),
                why: "only root may look into its folder".to_owned(),
            });
        }
    }
}

fn of_status(status: &Status, found: &mut Vec<Finding>) {
    if !status.ready {
        found.push(finding(
            "jitd-cannot-decide",
            Severity::Error,
            "jitd",
            [
                "jitd cannot decide or record.",
                "Every managed login is refused, but for those whom recovery= names.",
                "journalctl -u jitd -n 50; what it says of itself is below",
            ],
        ));
    }
    if status.policy.digest.is_none() {
        found.push(finding(
            "no-policy",
            Severity::Error,
            "policy",
            [
                "No policy is in force.",
                "Every managed login is refused.",
                "jitctl policy check && jitctl policy load",
            ],
        ));
    }
    let said = |note: &String| {
        let texts = [note.clone(), String::new(), "jitctl status; jitd(8) says what it means".to_owned()];
        Finding::new("jitd-says", Severity::Warning, "jitd", texts)
    };
    found.extend(status.notes.iter().map(said));
    if let Some(trial) = &status.policy.trial {
        let texts = [
            format!("A policy is on trial for {} s more.", trial.remaining),
            "Unless it is confirmed from a new login, the one before comes back.".to_owned(),
            "jitctl confirm".to_owned(),
        ];
        found.push(Finding::new("policy-on-trial", Severity::Note, "policy", texts));
    }
    for Unsent { log, records } in status.unsent.iter().flatten().filter(|log| log.records >= MANY) {
        let texts = [
            format!("{log} has not taken {records} records."),
            "Until it does, they are in jitd's own log alone.".to_owned(),
            format!("systemctl status {}", if log == "journal" { "systemd-journald" } else { "rsyslog" }),
        ];
        found.push(Finding::new("log-behind", Severity::Warning, log.clone(), texts));
    }
    if status.key.is_none() {
        found.push(finding(
            "no-host-key",
            Severity::Warning,
            "jitd",
            [
                "This host has no key yet.",
                "No checkpoint is signed, and nobody elsewhere can tell its log or its requests from others'.",
                "journalctl -u jitd -n 50",
            ],
        ));
    }
}

fn of_clock(jitd: &dyn Jitd, found: &mut Vec<Finding>, unseen: &mut Vec<Unseen>) {
    match ask::<Clock>(jitd, &Call::Clock) {
        Ok(clock) if clock.state == "trusted" => {}
        Ok(clock) => {
            let texts = [
                format!("The clock is {}: {}", clock.state, clock.text),
                "Nothing new opens but emergency roles; open windows go on, and every end comes in time."
                    .to_owned(),
                "set it if it is wrong, then: jitctl clock accept".to_owned(),
            ];
            found.push(Finding::new("clock-suspect", Severity::Error, "clock", texts));
        }
        Err(failure) => unseen.push(Unseen { what: "clock".to_owned(), why: failure.error.to_string() }),
    }
}
