//! Hosts, and how a role says which of them it means: patterns on names, and groups.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jit_proto::text::{Shown, is_unprintable};
use jit_proto::words::{BadWord, HostName, RoleName};
use serde::Deserialize;

use crate::services::Services;

/// This host as jitd.toml describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The host's name, as roles name it.
    pub name: HostName,
    /// The groups it is in.
    pub groups: BTreeSet<HostGroup>,
    /// How people ask for roles here, besides jitctl.
    pub ways: Ways,
}

/// The ways to ask for a role that are set up on a host: a refusal names these and no other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// The services whose auth line says `request`.
    pub at_login: Services,
    /// What to type to reach the kiosk.
    pub kiosk: Option<ShownCommand>,
}

/// A command that people are shown: one printable line of at most 128 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ShownCommand(String);

impl TryFrom<String> for ShownCommand {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        const WHAT: &str = "command";
        const LIMIT: usize = 128;
        if text.trim().is_empty() {
            return Err(BadWord::Empty { what: WHAT });
        }
        if text.len() > LIMIT {
            return Err(BadWord::TooLong { what: WHAT, got: text.len(), limit: LIMIT });
        }
        if let Some((at, got)) = text.char_indices().find(|(_, c)| is_unprintable(*c)) {
            return Err(BadWord::BadChar {
                what: WHAT,
                got,
                at,
                allowed: "printable characters on one line",
            });
        }
        Ok(Self(text))
    }
}

impl fmt::Display for ShownCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// A group of hosts, written as a role's name is, in upper case or lower. Which hosts are in it, each host's jitd.toml
/// says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct HostGroup(RoleName);

impl TryFrom<String> for HostGroup {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl FromStr for HostGroup {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        // What is meant is the group, as with the names of hosts, in whatever case it is written.
        text.to_ascii_lowercase().parse().map(Self).map_err(|err: BadWord| match err.called("host group") {
            BadWord::BadChar { what, at, .. } => BadWord::BadChar {
                what,
                got: text[at..].chars().next().unwrap_or_default(),
                at,
                allowed: "ASCII letters, digits and - _ .",
            },
            other @ (BadWord::Empty { .. } | BadWord::TooLong { .. } | BadWord::NotOneOf { .. }) => other,
        })
    }
}

impl fmt::Display for HostGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which hosts a role means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// Those whose name fits.
    Name(HostGlob),
    /// Those of a group.
    Group(HostGroup),
}

impl HostPattern {
    /// As a list of hosts has it: a pattern on names, or a group behind an `@`.
    pub fn read(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            Some(group) => group.parse().map(Self::Group).map_err(|err| format!("{err}")),
            None => text.parse().map(Self::Name).map_err(|err| format!("{err}")),
        }
    }

    /// Whether this host is meant.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match self {
            Self::Name(glob) => glob.matches(&host.name),
            Self::Group(group) => host.groups.contains(group),
        }
    }
}

/// As policy writes it: `db-*`, `@databases`.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(glob) => glob.fmt(f),
            Self::Group(group) => write!(f, "@{group}"),
        }
    }
}

/// A pattern on a host name: `*` stands for any characters, dots included, `?` for one; the rest stands for
/// itself in either case (RFC 4343). At most 253 bytes, as a host name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostGlob(String);

impl HostGlob {
    const LIMIT: usize = 253;

    /// The pattern, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole name fits the pattern.
    ///
    /// Only the last `*` is ever tried again: if a later one can be reached, it can take over all that an
    /// earlier one could have eaten. So the work is at most pattern × name, and no pattern is expensive.
    #[must_use]
    pub fn matches(&self, host: &HostName) -> bool {
        let (glob, name) = (self.0.as_bytes(), host.as_str().as_bytes());
        let (mut g, mut n) = (0, 0);
        let mut last_star = None;
        while n < name.len() {
            match glob.get(g) {
                Some(b'*') => {
                    last_star = Some((g, n));
                    g += 1;
                }
                Some(c) if *c == b'?' || *c == name[n].to_ascii_lowercase() => {
                    g += 1;
                    n += 1;
                }
                _ => {
                    let Some((star, eaten_to)) = last_star else { return false };
                    last_star = Some((star, eaten_to + 1));
                    (g, n) = (star + 1, eaten_to + 1);
                }
            }
        }
        glob[g..].iter().all(|c| *c == b'*')
    }
}

impl fmt::Display for HostGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a text is not a pattern on host names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGlob {
    /// Nothing, which would match no host.
    #[error("a host pattern is empty; `*` stands for every host")]
    Empty,
    /// Longer than a host name can be.
    #[error("a host pattern is {} bytes long, the limit is {}", .0, HostGlob::LIMIT)]
    TooLong(usize),
    /// A character that no host name has.
    #[error("a host pattern has '{}'; allowed are ASCII letters, digits and - . _ * ?", Shown(&.0.to_string()))]
    BadChar(char),
}

impl FromStr for HostGlob {
    type Err = BadGlob;

    fn from_str(text: &str) -> Result<Self, BadGlob> {
        if text.is_empty() {
            return Err(BadGlob::Empty);
        }
        if text.len() > Self::LIMIT {
            return Err(BadGlob::TooLong(text.len()));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '*' | '?');
        match text.chars().find(|c| !allowed(*c)) {
            Some(c) => Err(BadGlob::BadChar(c)),
            None => Ok(Self(text.to_ascii_lowercase())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(glob: &str, host: &str) -> bool {
        glob.parse::<HostGlob>().unwrap().matches(&host.parse().unwrap())
    }

    #[test]
    fn a_star_stands_for_any_characters_and_a_question_mark_for_one() {
        for (glob, host) in [
            ("*", "db-1"),
            ("db-1", "db-1"),
            ("db-*", "db-"),
            ("db-*", "db-1.site-a.example"),
            ("*.example", "db-1.site-a.example"),
            ("db-?", "db-7"),
            ("*a*b", "xaaybb"),
            ("**1", "db-1"),
        ] {
            assert!(matches(glob, host), "{glob} {host}");
        }
        for (glob, host) in
            [("db-*", "xdb-1"), ("db-?", "db-"), ("db-?", "db-10"), ("db", "db-1"), ("a*b", "abc")]
        {
            assert!(!matches(glob, host), "{glob} {host}");
        }
    }

    #[test]
    fn upper_and_lower_case_are_the_same_name() {
        assert!(matches("DB-*", "db-1") && matches("db-*", "DB-1"));
    }

    #[test]
    fn what_no_host_name_has_is_not_a_pattern() {
        assert_eq!("".parse::<HostGlob>(), Err(BadGlob::Empty));
        for bad in ["db-[12]", "db 1", "{a,b}", "db-1,db-2", "dü"] {
            assert!(matches!(bad.parse::<HostGlob>(), Err(BadGlob::BadChar(_))), "{bad}");
        }
        assert_eq!("x".repeat(254).parse::<HostGlob>(), Err(BadGlob::TooLong(254)));
    }

    #[test]
    fn the_worst_pattern_of_stars_is_answered_at_once() {
        // Backtracking over every star would take longer than the universe has; this must simply return.
        let glob = "a*".repeat(126) + "b";
        assert!(!matches(&glob, &"a".repeat(253)));
    }

    /// The meaning in its plainest form, slow.
    fn plain(glob: &[u8], name: &[u8]) -> bool {
        match (glob, name) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=name.len()).any(|n| plain(rest, &name[n..])),
            ([b'?', g @ ..], [_, n @ ..]) => plain(g, n),
            ([a, g @ ..], [b, n @ ..]) => a.eq_ignore_ascii_case(b) && plain(g, n),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_plainest_form(glob in "[ab*?]{1,8}", host in "[abAB]{1,10}") {
            prop_assert_eq!(matches(&glob, &host), plain(glob.as_bytes(), host.as_bytes()));
        }
    }
}
