//! By which key somebody knows a host: what an approver's machine keeps of each, so that nobody else can ask in its name.

use jit_core::proof::note::PublicKey;
use jit_core::sign::file::fingerprint;
use jit_core::time::Utc;
use jit_proto::words::HostName;

/// The first line. Another one is another format.
const FIRST: &str = "jitd.known-host.v1";

/// A host as somebody knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The name, as roles know it.
    pub host: HostName,
    /// The fingerprint of its key, which somebody has said yes to.
    pub fingerprint: String,
    /// The key itself, once it was seen: that with this fingerprint.
    pub key: Option<PublicKey>,
    /// How much of its log was read.
    pub seen: Option<Seen>,
}

/// How much of a log somebody has read, and found whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// So many records, which a checkpoint covers.
    pub records: u64,
    /// The latest time in any of them, by the clock of the host.
    pub latest: Utc,
}

/// Why the file of a known host is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is not what jitctl writes there")]
pub struct BadKnown(pub usize);

impl Known {
    /// One whose key was never seen, and nothing of its log.
    #[must_use]
    pub const fn by(host: HostName, fingerprint: String) -> Self {
        Self { host, fingerprint, key: None, seen: None }
    }

    /// Learns the key, if it is the one with the fingerprint.
    pub fn learn(&mut self, key: &PublicKey) -> bool {
        let is_its = fingerprint(key) == self.fingerprint;
        if is_its {
            self.key = Some(key.clone());
        }
        is_its
    }

    /// As it is kept.
    #[must_use]
    pub fn text(&self) -> String {
        let none = || "none".to_owned();
        let key = self.key.as_ref().map_or_else(none, ToString::to_string);
        let seen = self.seen.map_or_else(none, |seen| format!("{} {}", seen.records, seen.latest));
        let Self { host, fingerprint, .. } = self;
        format!("{FIRST}\nhost: {host}\nhost-key: {fingerprint}\nkey: {key}\nseen: {seen}\n")
    }

    /// Reads what [`Self::text`] writes, and nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadKnown> {
        let text = std::str::from_utf8(bytes).map_err(|_| BadKnown(1))?;
        let mut lines = (1..).zip(text.lines());
        let mut field = |label: &str| {
            let (number, line) = lines.next().unwrap_or((5, ""));
            line.strip_prefix(label).map(|value| (number, value)).ok_or(BadKnown(number))
        };
        let (number, rest) = field(FIRST)?;
        if !rest.is_empty() {
            return Err(BadKnown(number));
        }
        let (number, host) = field("host: ")?;
        let host = host.parse().map_err(|_| BadKnown(number))?;
        let (number, print) = field("host-key: ")?;
        let mut known = Self::by(host, print.to_owned());
        if !is_fingerprint(print) {
            return Err(BadKnown(number));
        }
        let (number, key) = field("key: ")?;
        if key != "none" {
            let key = key.parse().map_err(|_| BadKnown(number))?;
            if !known.learn(&key) {
                return Err(BadKnown(number));
            }
        }
        let (number, seen) = field("seen: ")?;
        if seen != "none" {
            let (records, latest) = seen.split_once(' ').ok_or(BadKnown(number))?;
            let records = records.parse().map_err(|_| BadKnown(number))?;
            known.seen = Some(Seen { records, latest: latest.parse().map_err(|_| BadKnown(number))? });
        }
        if known.text().as_bytes() == bytes { Ok(known) } else { Err(BadKnown(5)) }
    }
}

/// `SHA256:` and 43 digits of base64, as ssh-keygen(1) writes it.
fn is_fingerprint(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.strip_prefix("SHA256:").is_some_and(|digits| digits.len() == 43 && digits.bytes().all(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::proof::note::HostKey;

    fn key(seed: u8) -> PublicKey {
        HostKey::from_seed("db-1/jitd".parse().unwrap(), &[seed; 32]).public()
    }

    #[test]
    fn a_known_host_reads_back_and_has_one_form() {
        let mut known = Known::by("db-1".parse().unwrap(), fingerprint(&key(1)));
        assert_eq!(Known::parse(known.text().as_bytes()), Ok(known.clone()));
        assert!(!known.learn(&key(2)) && known.key.is_none(), "another key is not learned");
        assert!(known.learn(&key(1)));
        known.seen = Some(Seen { records: 7, latest: "2026-11-29T12:00:00Z".parse().unwrap() });
        let text = known.text();
        assert_eq!(Known::parse(text.as_bytes()), Ok(known));
        let other = text.replace(&key(1).to_string(), &key(2).to_string());
        assert_eq!(
            Known::parse(other.as_bytes()),
            Err(BadKnown(4)),
            "a key that is not that of the fingerprint"
        );
        for (bad, line) in [
            (text.replace(".v1", ".v2"), 1),
            (text.replace("db-1\n", "../x\n"), 2),
            (text.replace("SHA256:", "SHA256"), 3),
            (text.replace("seen: 7", "seen: 07"), 5),
            (format!("{text}more\n"), 5),
            (String::new(), 5),
        ] {
            assert_eq!(Known::parse(bad.as_bytes()), Err(BadKnown(line)), "{bad}");
        }
    }
}
