//! How long each source of the name service takes (nsswitch.conf(5)): jitd asks them at every login, and the module waits for
//! three seconds.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jit_host::doctor::{Finding, Severity};
use serde::Serialize;

use crate::times::Stopwatch;

/// How long one is waited for, and how often it is looked at meanwhile.
const LIMIT: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(2);

/// What a login bears, and what makes it slow.
const TOO_LONG: Duration = Duration::from_secs(3);
const LONG: Duration = Duration::from_millis(500);

/// A name that no source knows: so none is spared by another that answers first.
const NOBODY: &str = "jit-no-such-name";

/// What asking one source came to.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    pub(super) database: &'static str,
    pub(super) source: String,
    /// Null where it did not answer.
    pub(super) milliseconds: Option<u64>,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database, source, milliseconds } = self;
        match milliseconds {
            Some(took) => write!(f, "name service: {database} from {source}: {took} ms"),
            None => write!(f, "name service: {database} from {source}: no answer in {} s", LIMIT.as_secs()),
        }
    }
}

/// Asks each source about a name that nobody has.
pub(super) fn ask(root: &Path) -> Vec<Asked> {
    let text = std::fs::read_to_string(root.join("etc/nsswitch.conf")).unwrap_or_default();
    let sources = ["passwd", "group"].into_iter().flat_map(|database| sources(&text, database));
    sources
        .map(|(database, source)| {
            let milliseconds = took(database, &source).and_then(|took| took.as_millis().try_into().ok());
            Asked { database, source, milliseconds }
        })
        .collect()
}

/// The sources of a database, in order; `[NOTFOUND=return]` and its like are none.
fn sources(text: &str, database: &'static str) -> Vec<(&'static str, String)> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let of_it = lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() == database);
    let mut found = Vec::new();
    let mut is_inside = false;
    for word in of_it.flat_map(|(_, sources)| sources.split_whitespace()) {
        is_inside |= word.starts_with('[');
        if !is_inside {
            found.push((database, word.to_owned()));
        }
        is_inside &= !word.ends_with(']');
    }
    found
}

/// How long getent(1) takes to hear from it; none if it does not in time, or there is no getent.
fn took(database: &str, source: &str) -> Option<Duration> {
    let watch = Stopwatch::start();
    let mut getent = Command::new("getent");
    getent.args(["-s", source, database, NOBODY]);
    let mut asking = getent.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    loop {
        match asking.try_wait() {
            Ok(Some(_)) => return Some(watch.passed()),
            Ok(None) if watch.passed() < LIMIT => std::thread::sleep(STEP),
            Ok(None) | Err(_) => {
                drop(asking.kill());
                drop(asking.wait());
                return None;
            }
        }
    }
}

/// What is to be said of that.
pub(super) fn judge(asked: &[Asked]) -> Vec<Finding> {
    let judged = |asked: &Asked| {
        let took = asked.milliseconds.map(Duration::from_millis);
        let severity = match took {
            Some(took) if took < LONG => return None,
            Some(took) if took < TOO_LONG => Severity::Warning,
            Some(_) | None => Severity::Error,
        };
        let texts = [
            format!("{asked}."),
            "A login waits for it, and pam_jit.so refuses whoever has to be looked up for longer than its timeout= (3 s)."
                .to_owned(),
            format!("getent -s {} {} {NOBODY}", asked.source, asked.database),
        ];
        Some(Finding::new("name-service-slow", severity, "/etc/nsswitch.conf", texts))
    };
    asked.iter().filter_map(judged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_is_asked_and_an_action_is_none() {
        let text = "passwd: files [NOTFOUND=return] sss # ldap\ngroup: files [ SUCCESS=merge ] systemd\nhosts: dns\n";
        let names = |database| sources(text, database).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names("passwd"), ["files", "sss"]);
        assert_eq!(names("group"), ["files", "systemd"]);
    }

    #[test]
    fn a_source_that_is_slow_is_a_warning_and_one_that_outlasts_a_login_an_error() {
        let severities = |took: Option<u64>| {
            let asked = Asked { database: "passwd", source: "sss".into(), milliseconds: took };
            judge(&[asked]).into_iter().map(|found| found.severity).collect::<Vec<_>>()
        };
        assert_eq!(severities(Some(499)), []);
        assert_eq!(severities(Some(500)), [Severity::Warning]);
        assert_eq!(severities(Some(3000)), [Severity::Error]);
        assert_eq!(severities(None), [Severity::Error]);
    }
}
