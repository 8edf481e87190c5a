//! What logind keeps of its sessions, as sd-login(3) reads it: a file for each, which only root writes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jit_core::model::Unit;
use jit_proto::words::UserName;

use crate::clock::by_boot_clock;

pub(super) const SESSIONS: &str = "/run/systemd/sessions";

/// A session of logind's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Login {
    /// The process that PAM opened it in.
    pub(super) leader: Option<u32>,
    /// The PAM service.
    pub(super) service: String,
    /// Whose it is.
    pub(super) uid: Option<u32>,
    /// The audit session of the leader.
    pub(super) audit: Option<u32>,
    /// When it began, by the boot clock.
    pub(super) began: Option<Duration>,
}

/// More sessions than logind keeps at once unless it is told to (SessionsMax= of logind.conf(5)).
const MOST: usize = 8192;

/// Every session that logind knows, with its scope.
pub(super) fn all() -> Vec<(Unit, Login)> {
    let files = fs::read_dir(SESSIONS).into_iter().flatten().flatten().take(MOST);
    let sessions = files.filter_map(|file| {
        let unit: Unit = format!("session-{}.scope", file.file_name().to_str()?).parse().ok()?;
        Some((unit.clone(), of(&unit)?))
    });
    sessions.collect()
}

/// Every session that is somebody's login, with their name: not a manager's, a greeter's or a screen lock's.
pub(super) fn of_people() -> Vec<(Unit, UserName, Login)> {
    let files = fs::read_dir(SESSIONS).into_iter().flatten().flatten().take(MOST);
    files.filter_map(|file| of_one(file.file_name().to_str()?)).collect()
}

/// The one that has this name there, if it is one.
pub(super) fn of_one(name: &str) -> Option<(Unit, UserName, Login)> {
    let unit: Unit = format!("session-{name}.scope").parse().ok()?;
    let text = fs::read_to_string(Path::new(SESSIONS).join(name)).ok()?;
    Some((unit, whose(&text)?, parse(&text)))
}

/// Whose login it is, if it is one.
fn whose(text: &str) -> Option<UserName> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    value("USER").filter(|_| value("CLASS") == Some("user"))?.parse().ok()
}

/// The session that has this scope, if logind knows it.
pub(super) fn of(unit: &Unit) -> Option<Login> {
    let id = unit.as_str().strip_prefix("session-")?.strip_suffix(".scope")?;
    Some(parse(&fs::read_to_string(Path::new(SESSIONS).join(id)).ok()?))
}

fn parse(text: &str) -> Login {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    Login {
        leader: value("LEADER").and_then(|pid| pid.parse().ok()),
        service: value("SERVICE").unwrap_or_default().to_owned(),
        uid: value("UID").and_then(|uid| uid.parse().ok()),
        audit: value("AUDIT").and_then(|audit| audit.parse().ok()).filter(|audit| *audit != u32::MAX),
        began: value("MONOTONIC")
            .and_then(|micros| micros.parse().ok())
            .map(|micros| by_boot_clock(Duration::from_micros(micros))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_loginds_is_read_by_its_keys() {
        let text = "# This is private data. Do not parse.\nUID=1001\nUSER=maria\nACTIVE=1\nSCOPE=session-c3.scope\n\
                    SERVICE=su\nLEADER=812\nAUDIT=5\nMONOTONIC=10000000\n";
        let expected = Login {
            leader: Some(812),
            service: "su".into(),
            uid: Some(1001),
            audit: Some(5),
            began: Some(by_boot_clock(Duration::from_micros(10_000_000))),
        };
        assert_eq!(parse(text), expected);
        assert_eq!(whose(text), None, "it does not say that it is a person's");
        let of_class = |class: &str| whose(&format!("{text}CLASS={class}\n"));
        assert_eq!((of_class("user"), of_class("manager")), ("maria".parse().ok(), None));
        assert_eq!(parse("LEADER=x\nSERVICES=y\n"), Login::default());
    }
}
