//! Logins, as logind has them.

use std::path::Path;
use std::time::Duration;

use jit_core::model::Unit;
pub(super) use jit_host::logind::SESSIONS;
use jit_host::logind::{session, sessions, value};
use jit_proto::words::UserName;

use crate::clock::by_boot_clock;

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

fn unit(name: &str) -> Option<Unit> {
    format!("session-{name}.scope").parse().ok()
}

/// Every session that logind knows, with its scope.
pub(super) fn all() -> Vec<(Unit, Login)> {
    sessions(Path::new(SESSIONS)).filter_map(|(name, text)| Some((unit(&name)?, parse(&text)))).collect()
}

/// Every session that is somebody's login, with their name: not a manager's, a greeter's or a screen lock's.
pub(super) fn of_people() -> Vec<(Unit, UserName, Login)> {
    sessions(Path::new(SESSIONS)).filter_map(|(name, text)| of_text(&name, &text)).collect()
}

/// The one that has this name there, if it is one.
pub(super) fn of_one(name: &str) -> Option<(Unit, UserName, Login)> {
    of_text(name, &session(Path::new(SESSIONS), name)?)
}

fn of_text(name: &str, text: &str) -> Option<(Unit, UserName, Login)> {
    Some((unit(name)?, whose(text)?, parse(text)))
}

/// Whose login it is, if it is one.
fn whose(text: &str) -> Option<UserName> {
    value(text, "USER").filter(|_| value(text, "CLASS") == Some("user"))?.parse().ok()
}

/// The session that has this scope, if logind knows it.
pub(super) fn of(unit: &Unit) -> Option<Login> {
    let id = unit.as_str().strip_prefix("session-")?.strip_suffix(".scope")?;
    Some(parse(&session(Path::new(SESSIONS), id)?))
}

fn parse(text: &str) -> Login {
    let value = |key| value(text, key);
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
