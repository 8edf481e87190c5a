//! The arguments of the PAM line, parsed once.
//!
//! Unknown, repeated and malformed ones are errors: a mistyped `recovery` must be found when the line is written
//! and not in the night when it is needed.

use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use jit_proto::words::UserName;
use jit_proto::{PRIVATE_SOCKET, SYSTEM_BUS_SOCKET};

use crate::error::Error;

/// The kind of PAM line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It asks for a role.
    Auth,
    /// Account and session: it asks for a decision.
    Gate,
}

/// What the PAM line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    /// The limit on everything between question and answer; 100 ms to 30 s.
    pub(crate) timeout: Duration,
    /// Accounts that are let in when jitd is not there or cannot decide.
    pub(crate) recovery: Vec<UserName>,
    /// A use is claimed at the check and used when the session opens.
    pub(crate) claim: bool,
    /// An auth line: a person without a window is asked whether they want to ask for one.
    pub(crate) request: bool,
    /// Log at debug level, too.
    pub(crate) debug: bool,
    /// Where jitd's own socket is.
    pub(crate) private: SocketPath,
    /// Where the system bus is.
    pub(crate) bus: SocketPath,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(3),
            recovery: Vec::new(),
            claim: false,
            request: false,
            debug: false,
            private: SocketPath(PRIVATE_SOCKET.into()),
            bus: SocketPath(SYSTEM_BUS_SOCKET.into()),
        }
    }
}

impl Args {
    /// Reads the words that libpam split the line into.
    pub(crate) fn parse(kind: Kind, words: &[&CStr]) -> Result<Self, Error> {
        let mut args = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for word in words {
            let wrong = |why: String| Error::Argument { argument: word.to_string_lossy().into_owned(), why };
            let text = word.to_str().map_err(|_| wrong("it is not UTF-8".into()))?;
            let (name, value) =
                text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
            if seen.contains(&name) {
                return Err(wrong("it is given twice".into()));
            }
            seen.push(name);
            match (name, value) {
                ("request", _) if kind != Kind::Auth => {
                    return Err(wrong("it is for auth lines, after common-auth; see pam_jit(8)".into()));
                }
                ("recovery" | "session", _) if kind == Kind::Auth => {
                    return Err(wrong("it is for account and session lines".into()));
                }
                ("timeout", Some(value)) => args.timeout = timeout(value).map_err(wrong)?,
                ("recovery", Some(value)) => args.recovery = accounts(value).map_err(wrong)?,
                ("session", None) => args.claim = true,
                ("request", None) => args.request = true,
                ("debug", None) => args.debug = true,
                ("private", Some(value)) => args.private = value.parse().map_err(wrong)?,
                ("bus", Some(value)) => args.bus = value.parse().map_err(wrong)?,
                ("session" | "request" | "debug", Some(_)) => return Err(wrong("it takes no value".into())),
                ("timeout" | "recovery" | "private" | "bus", None) => {
                    return Err(wrong("it needs a value".into()));
                }
                _ => return Err(wrong("it is unknown; see pam_jit(8)".into())),
            }
        }
        Ok(args)
    }
}

/// `3` or `3s` is seconds, `500ms` milliseconds.
fn timeout(value: &str) -> Result<Duration, String> {
    let digits_of = |suffix| value.strip_suffix(suffix).unwrap_or(value);
    let (digits, unit) = if value.ends_with("ms") { (digits_of("ms"), 1) } else { (digits_of("s"), 1000) };
    // FromStr would also take a sign.
    let number = Some(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let number = number.and_then(|digits| digits.parse::<u64>().ok()?.checked_mul(unit));
    match number {
        Some(millis @ 100..=30_000) => Ok(Duration::from_millis(millis)),
        _ => Err("it must be whole seconds, or milliseconds as in 500ms, from 100ms to 30".into()),
    }
}

fn accounts(value: &str) -> Result<Vec<UserName>, String> {
    value.split(',').map(|name| name.parse().map_err(|bad| format!("{bad}"))).collect()
}

/// An absolute path that fits into a socket address (sun_path, unix(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketPath(PathBuf);

impl SocketPath {
    /// sun_path has 108 bytes, the last of them NUL.
    const LIMIT: usize = 107;

    pub(crate) fn as_path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for SocketPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') || text.len() > Self::LIMIT {
            return Err(format!("it must be an absolute path of at most {} bytes", Self::LIMIT));
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&CStr]) -> Result<Args, String> {
        Args::parse(Kind::Gate, words).map_err(|err| err.to_string())
    }

    #[test]
    fn without_arguments_the_limit_is_3_s_and_nobody_is_recovered() {
        let args = parse(&[]).unwrap();
        assert_eq!((args.timeout, args.claim, args.debug), (Duration::from_secs(3), false, false));
        assert!(args.recovery.is_empty());
        assert_eq!(args.private.as_path(), Path::new("/run/jitd/private"));
        assert_eq!(args.bus.as_path(), Path::new("/run/dbus/system_bus_socket"));
    }

    #[test]
    fn every_argument_is_understood() {
        let args = parse(&[
            c"timeout=500ms",
            c"recovery=root,adm-maria",
            c"session",
            c"debug",
            c"private=/a",
            c"bus=/b",
        ]);
        let names = vec!["root".parse().unwrap(), "adm-maria".parse().unwrap()];
        let expected = Args {
            timeout: Duration::from_millis(500),
            recovery: names,
            claim: true,
            request: false,
            debug: true,
            private: "/a".parse().unwrap(),
            bus: "/b".parse().unwrap(),
        };
        assert_eq!(args, Ok(expected));
    }

    #[test]
    fn request_is_for_auth_lines_alone_and_those_know_no_recovery() {
        let auth = |words: &[&CStr]| Args::parse(Kind::Auth, words).map_err(|err| err.to_string());
        let args = auth(&[c"request", c"timeout=5", c"debug", c"private=/a", c"bus=/b"]).unwrap();
        assert!(args.request && args.debug && args.timeout == Duration::from_secs(5));
        assert!(!auth(&[]).unwrap().request);
        for (kind, word, why) in [
            (Kind::Gate, c"request", "it is for auth lines"),
            (Kind::Gate, c"request=1", "it is for auth lines"),
            (Kind::Auth, c"request=1", "it takes no value"),
            (Kind::Auth, c"recovery=root", "it is for account and session lines"),
            (Kind::Auth, c"session", "it is for account and session lines"),
        ] {
            let said = Args::parse(kind, &[word]).unwrap_err().to_string();
            assert!(said.contains(why), "{word:?}: {said}");
        }
    }

    #[test]
    fn a_timeout_is_100_ms_to_30_s() {
        for (good, millis) in [
            (c"timeout=1", 1000),
            (c"timeout=30", 30_000),
            (c"timeout=2s", 2000),
            (c"timeout=100ms", 100),
            (c"timeout=30000ms", 30_000),
        ] {
            assert_eq!(parse(&[good]).unwrap().timeout, Duration::from_millis(millis), "{good:?}");
        }
        for bad in [
            c"timeout",
            c"timeout=",
            c"timeout=0",
            c"timeout=31",
            c"timeout=99ms",
            c"timeout=30001ms",
            c"timeout=-1",
            c"timeout=+1",
            c"timeout=1.5",
            c"timeout=1m",
            c"timeout=1 s",
            c"timeout=ms",
            c"timeout=99999999999999999999",
            c"timeout=18446744073709551615",
        ] {
            assert!(parse(&[bad]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_unknown_repeated_or_malformed_argument_is_named() {
        for (bad, why) in [
            (&[c"recovry=root"][..], "\"recovry=root\" in the PAM line: it is unknown"),
            (&[c"Recovery=root"], "it is unknown"),
            (&[c""], "it is unknown"),
            (&[c"session", c"session"], "\"session\" in the PAM line: it is given twice"),
            (&[c"recovery=root", c"recovery=maria"], "\"recovery=maria\" in the PAM line: it is given twice"),
            (&[c"debug=1"], "it takes no value"),
            (&[c"recovery"], "it needs a value"),
            (&[c"recovery="], "user name is empty"),
            (&[c"recovery=root,,maria"], "user name is empty"),
            (&[c"recovery=root, maria"], "user name has ' '"),
            (&[c"recovery=*"], "user name has '*'"),
            (&[c"private=run/jitd"], "it must be an absolute path"),
            (&[c"bus="], "it must be an absolute path"),
            (&[c"debug\xff"], "it is not UTF-8"),
        ] {
            let said = parse(bad).unwrap_err();
            assert!(said.contains(why), "{bad:?}: {said}");
        }
    }

    #[test]
    fn a_socket_path_fits_a_socket_address() {
        assert!(format!("/{}", "x".repeat(106)).parse::<SocketPath>().is_ok());
        assert!(format!("/{}", "x".repeat(107)).parse::<SocketPath>().is_err());
    }
}
