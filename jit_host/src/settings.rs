//! `/etc/jit/jitd.toml`: what this host is called, how people are told, and how they ask. All that is about access is
//! policy.

use std::collections::BTreeSet;
use std::path::Path;

use jit_core::policy::{FileFault, Finding, Host, HostGroup, ShownCommand, Ways};
use jit_core::services::Services;
use jit_proto::words::HostName;
use serde::Deserialize;

use crate::files::{BadFile, Owner, read_file};

/// Where they are.
pub const SETTINGS: &str = "/etc/jit/jitd.toml";

/// jitd's settings, as /etc/jit/jitd.toml has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name and groups that roles match their `hosts` against, and the ways to ask that refusals name.
    pub host: Host,
    /// Whether a line on their terminals tells reviewers of requests.
    pub tell_terminals: bool,
}

/// Why the settings were refused.
#[derive(Debug, thiserror::Error)]
pub enum BadSettings {
    /// The file cannot be trusted or read.
    #[error(transparent)]
    File(#[from] BadFile),
    /// The file is not what it should be; toml's text has line and column.
    #[error("{file}: {what}")]
    Text {
        /// The path of the file.
        file: String,
        /// What is wrong, and where.
        what: String,
    },
    /// The machine has no usable name, and the file names none.
    #[error("this machine's host name cannot be used ({0}); set `host = \"NAME\"` in /etc/jit/jitd.toml")]
    Host(String),
}

impl BadSettings {
    /// The same as one of the findings about a policy, with a code to look up.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let (file, message) = match self {
            Self::File(bad) => return bad.finding(),
            Self::Text { file, what } => (file.as_str(), what.clone()),
            Self::Host(_) => (SETTINGS, self.to_string()),
        };
        let hint = "correct the file; jitd(8) says what it may hold".to_owned();
        Finding::of_file(FileFault::Settings, file, message.trim_end().to_owned(), hint)
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    host: Option<HostName>,
    #[serde(default)]
    groups: BTreeSet<HostGroup>,
    #[serde(default)]
    tell_terminals: bool,
    #[serde(default)]
    ask: Ask,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Ask {
    #[serde(default)]
    at_login: Services,
    kiosk: Option<ShownCommand>,
}

impl Settings {
    /// Reads the file; if there is none, every setting has its default.
    pub fn read(path: &Path) -> Result<Self, BadSettings> {
        let file = match read_file(path, Owner::Root) {
            Ok(bytes) => parse(path, &bytes)?,
            Err(BadFile::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                File::default()
            }
            Err(err) => return Err(err.into()),
        };
        let name = match file.host {
            Some(name) => name,
            None => machine_name()?,
        };
        let Ask { at_login, kiosk } = file.ask;
        let host = Host { name, groups: file.groups, ways: Ways { at_login, kiosk } };
        Ok(Self { host, tell_terminals: file.tell_terminals })
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<File, BadSettings> {
    let wrong = |what: String| BadSettings::Text { file: path.display().to_string(), what };
    let text = std::str::from_utf8(bytes).map_err(|err| wrong(err.to_string()))?;
    toml::from_str(text).map_err(|err| wrong(err.to_string()))
}

fn machine_name() -> Result<HostName, BadSettings> {
    let name = nix::unistd::gethostname().map_err(|err| BadSettings::Host(err.to_string()))?;
    let name = name.into_string().map_err(|_| BadSettings::Host("it is not UTF-8".into()))?;
    name.parse().map_err(|err| BadSettings::Host(format!("{err}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_refused_with_its_place() {
        let err = parse(Path::new("jitd.toml"), b"host = \"a\"\nhots = \"b\"\n").err().unwrap().to_string();
        assert!(err.contains("line 2") && err.contains("hots"), "{err}");
    }

    #[test]
    fn the_groups_of_a_host_are_words() {
        let file = parse(Path::new("jitd.toml"), b"groups = [\"databases\"]").unwrap();
        assert_eq!(file.groups, ["databases".parse().unwrap()].into());
        assert!(parse(Path::new("jitd.toml"), b"groups = [\"@databases\"]").is_err());
    }

    #[test]
    fn terminals_are_left_alone_unless_the_file_says_otherwise() {
        assert!(!parse(Path::new("jitd.toml"), b"").unwrap().tell_terminals);
        assert!(parse(Path::new("jitd.toml"), b"tell-terminals = true").unwrap().tell_terminals);
        assert!(parse(Path::new("jitd.toml"), b"tell-terminals = \"yes\"").is_err());
    }

    #[test]
    fn the_ways_to_ask_are_services_and_one_command() {
        let text = b"[ask]\nat-login = [\"sshd\", \"login\"]\nkiosk = \"ssh -p 2222 kiosk@db-07\"\n";
        let file = parse(Path::new("jitd.toml"), text).unwrap();
        assert_eq!(file.ask.at_login, ["login", "sshd"].map(|name| name.parse().unwrap()).into());
        assert_eq!(file.ask.kiosk.unwrap().to_string(), "ssh -p 2222 kiosk@db-07");
        let long = format!("[ask]\nkiosk = \"{}\"", "x".repeat(129));
        for bad in [
            "[ask]\nat-login = [\"../sshd\"]",
            "[ask]\nat_login = []",
            "[ask]\nkiosk = \"\"",
            "[ask]\nkiosk = \"a\\u001b[2Jb\"",
            long.as_str(),
        ] {
            assert!(parse(Path::new("jitd.toml"), bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bad_host_name_is_refused() {
        assert!(parse(Path::new("jitd.toml"), b"host = \"a b\"").is_err());
    }

    #[test]
    fn without_a_file_the_host_is_called_what_the_machine_is_called() {
        let settings = Settings::read(Path::new("/nonexistent/jitd.toml")).unwrap();
        assert_eq!(settings.host.name.as_str(), nix::unistd::gethostname().unwrap().to_str().unwrap());
    }
}
