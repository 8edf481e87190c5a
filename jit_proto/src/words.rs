//! Validated names and numbers. Each is parsed once, where it enters, and cannot hold a bad value after that.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::is_unprintable;

/// Why a word was refused. The text names what was expected and what was found, without repeating the bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWord {
    /// Nothing where something is required.
    #[error("{what} is empty")]
    Empty {
        /// Which word.
        what: &'static str,
    },
    /// Longer than the limit.
    #[error("{what} is {got} bytes long, the limit is {limit}")]
    TooLong {
        /// Which word.
        what: &'static str,
        /// Its length in bytes.
        got: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A character that this word does not allow.
    #[error("{what} has {} at byte {at}; allowed are {allowed}", char_name(*.got))]
    BadChar {
        /// Which word.
        what: &'static str,
        /// The character.
        got: char,
        /// Its byte offset.
        at: usize,
        /// What would have been allowed.
        allowed: &'static str,
    },
    /// Not one of the fixed forms of this word.
    #[error("{what} must be {expected}")]
    NotOneOf {
        /// Which word.
        what: &'static str,
        /// The forms it takes.
        expected: &'static str,
    },
}

fn char_name(c: char) -> String {
    if is_unprintable(c) { format!("the character U+{:04X}", u32::from(c)) } else { format!("'{c}'") }
}

/// Length and alphabet of a word; one place to read what each of them allows.
struct Rule {
    what: &'static str,
    limit: usize,
    first: fn(char) -> bool,
    rest: fn(char) -> bool,
    allowed: &'static str,
}

impl Rule {
    fn check(&self, text: &str) -> Result<(), BadWord> {
        if text.is_empty() {
            return Err(BadWord::Empty { what: self.what });
        }
        if text.len() > self.limit {
            return Err(BadWord::TooLong { what: self.what, got: text.len(), limit: self.limit });
        }
        for (at, got) in text.char_indices() {
            let ok = if at == 0 { (self.first)(got) } else { (self.rest)(got) };
            if !ok {
                return Err(BadWord::BadChar { what: self.what, got, at, allowed: self.allowed });
            }
        }
        Ok(())
    }
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            const RULE: Rule = $rule;

            /// The word as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadWord;

            fn from_str(text: &str) -> Result<Self, BadWord> {
                Self::RULE.check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadWord;

            fn try_from(text: String) -> Result<Self, BadWord> {
                Self::RULE.check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

const fn alnum(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

const fn account_first(c: char) -> bool {
    alnum(c) || c == '_'
}

const fn account_rest(c: char) -> bool {
    alnum(c) || matches!(c, '_' | '-' | '.' | '@' | '\\' | '$' | '+')
}

word!(
    /// An account name: ASCII letters, digits and `_ - . @ \ $ +`, not starting with `-`, at most 255 bytes
    /// (`LOGIN_NAME_MAX` less the NUL). Wider than useradd(8) because directories are; narrower than a shell
    /// or a format string would mind.
    UserName,
    Rule {
        what: "user name",
        limit: 255,
        first: account_first,
        rest: account_rest,
        allowed: "ASCII letters, digits and _ - . @ \\ $ +, the first a letter, digit or _",
    }
);

word!(
    /// A group name: as an account name, and inner spaces (directories have "domain admins").
    GroupName,
    Rule {
        what: "group name",
        limit: 255,
        first: account_first,
        rest: |c| account_rest(c) || c == ' ',
        allowed: "ASCII letters, digits, inner spaces and _ - . @ \\ $ +",
    }
);

word!(
    /// A PAM service: the name of a file in `/etc/pam.d`, lower-cased by libpam (pam_start(3)); at most 64 bytes.
    ServiceName,
    Rule {
        what: "service name",
        limit: 64,
        first: |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_',
        rest: |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | '@' | '+'),
        allowed: "lower-case ASCII letters, digits and _ - . @ +",
    }
);

word!(
    /// A role's name in policy: lower-case letters, digits, `-`, `_` and `.`; at most 64 bytes.
    RoleName,
    Rule {
        what: "role name",
        limit: 64,
        first: |c| c.is_ascii_lowercase() || c.is_ascii_digit(),
        rest: |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'),
        allowed: "lower-case ASCII letters, digits and - _ .",
    }
);

word!(
    /// A host name as in hostname(7), upper case allowed, at most 253 bytes.
    HostName,
    Rule {
        what: "host name",
        limit: 253,
        first: alnum,
        rest: |c| alnum(c) || matches!(c, '-' | '.' | '_'),
        allowed: "ASCII letters, digits and - . _",
    }
);

/// Why somebody asks, grants or revokes: one line, 1 to 1,024 bytes, nothing that a terminal would act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

impl Reason {
    const LIMIT: usize = 1024;

    /// The reason as typed, without surrounding white space.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadWord::Empty { what: "reason" });
        }
        if text.len() > Self::LIMIT {
            return Err(BadWord::TooLong { what: "reason", got: text.len(), limit: Self::LIMIT });
        }
        if let Some((at, got)) = text.char_indices().find(|(_, c)| is_unprintable(*c)) {
            let allowed = "printable characters on one line";
            return Err(BadWord::BadChar { what: "reason", got, at, allowed });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Reason {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user id. `u32::MAX` is not one: the kernel uses it for "no uid" (setreuid(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Uid(u32);

impl Uid {
    /// The superuser.
    pub const ROOT: Self = Self(0);

    /// The number.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// Whether this is the superuser.
    #[must_use]
    pub const fn is_root(self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<u32> for Uid {
    type Error = BadWord;

    fn try_from(raw: u32) -> Result<Self, BadWord> {
        if raw == u32::MAX {
            return Err(BadWord::NotOneOf { what: "uid", expected: "0 to 4294967294" });
        }
        Ok(Self(raw))
    }
}

impl From<Uid> for u32 {
    fn from(uid: Uid) -> Self {
        uid.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Crockford's base 32: no `i`, `l`, `o` or `u`, so that an id survives being read aloud.
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u64);

        impl $name {
            /// From random bits; the low 40 count.
            #[must_use]
            pub const fn from_bits(bits: u64) -> Self {
                Self(bits & 0xff_ffff_ffff)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = String::from($prefix);
                for place in (0..8).rev() {
                    let digit = usize::try_from(self.0 >> (5 * place) & 31).unwrap_or(0);
                    text.push(char::from(CROCKFORD[digit]));
                }
                f.pad(&text)
            }
        }

        impl FromStr for $name {
            type Err = BadWord;

            fn from_str(text: &str) -> Result<Self, BadWord> {
                let bad = BadWord::NotOneOf { what: $what, expected: concat!("like ", $prefix, "4k7m2qx9") };
                let digits = text.strip_prefix($prefix).filter(|digits| digits.len() == 8).ok_or(bad.clone())?;
                let mut bits = 0;
                for digit in digits.bytes() {
                    let value = CROCKFORD.iter().position(|c| *c == digit).ok_or(bad.clone())?;
                    bits = bits << 5 | value as u64;
                }
                Ok(Self(bits))
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadWord;

            fn try_from(text: String) -> Result<Self, BadWord> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id!(
    /// A request's id, as `r-4k7m2qx9`.
    RequestId, "r-", "request id"
);
id!(
    /// A grant's id, as `g-4k7m2qx9`: the same digits as the request it came from.
    GrantId, "g-", "grant id"
);

impl From<RequestId> for GrantId {
    fn from(request: RequestId) -> Self {
        Self(request.0)
    }
}

impl From<GrantId> for RequestId {
    fn from(grant: GrantId) -> Self {
        Self(grant.0)
    }
}

/// The answer to a check (DESIGN §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A window admits the subject.
    Allow,
    /// No window does, or something beats it.
    Deny,
    /// This check is not jitd's to answer: exempt, or a caller who already is uid 0.
    Unmanaged,
}

impl Verdict {
    /// The word on the wire and in every output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Unmanaged => "unmanaged",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            "unmanaged" => Ok(Self::Unmanaged),
            _ => Err(BadWord::NotOneOf { what: "verdict", expected: "allow, deny or unmanaged" }),
        }
    }
}

/// Whether a service asks who the *caller* is (PAM_RUSER) rather than who logs in (PAM_USER): su and sudo.
///
/// `sudo -i` and `su -` are PAM services of their own (DESIGN §1).
#[must_use]
pub fn subject_is_caller(service: &ServiceName) -> bool {
    matches!(service.as_str(), "su" | "su-l" | "sudo" | "sudo-i")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hostile_user_name_is_refused_with_its_place() {
        for bad in ["", "-rf", "a%n", "a b", "a\nb", "a\u{1b}[2J", "müller", "a/b", "a:b", &"x".repeat(256)]
        {
            assert!(bad.parse::<UserName>().is_err(), "{bad:?}");
        }
        let err = "maria\n".parse::<UserName>().unwrap_err().to_string();
        assert!(err.contains("U+000A") && err.contains("byte 5"), "{err}");
    }

    #[test]
    fn directory_and_machine_account_names_are_allowed() {
        for good in ["maria", "adm-maria", "maria@corp.example", "CORP\\maria", "host$", "_apt", "0day"] {
            assert_eq!(good.parse::<UserName>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn the_kernels_no_uid_is_not_a_uid() {
        assert!(Uid::try_from(u32::MAX).is_err());
        assert_eq!(Uid::try_from(u32::MAX - 1).unwrap().as_u32(), u32::MAX - 1);
        assert!(serde_json::from_str::<Uid>("4294967295").is_err());
    }

    #[test]
    fn a_reason_is_one_printable_line() {
        assert_eq!("  INC-1 disk  ".parse::<Reason>().unwrap().as_str(), "INC-1 disk");
        for bad in ["", "   ", "a\nb", "a\u{202e}b", &"x".repeat(1025)] {
            assert!(bad.parse::<Reason>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn su_and_sudo_and_their_login_forms_ask_about_the_caller() {
        for service in ["su", "su-l", "sudo", "sudo-i"] {
            assert!(subject_is_caller(&service.parse().unwrap()));
        }
        assert!(!subject_is_caller(&"sshd".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn an_id_reads_back_as_it_was_written(bits: u64) {
            let id = RequestId::from_bits(bits);
            prop_assert_eq!(id.to_string().parse::<RequestId>().unwrap(), id);
            prop_assert_eq!(RequestId::from(GrantId::from(id)), id);
        }

        #[test]
        fn no_text_makes_a_name_with_an_unprintable_character(text: String) {
            if let Ok(name) = text.parse::<UserName>() {
                prop_assert!(name.as_str().is_ascii() && !name.as_str().chars().any(is_unprintable));
            }
        }
    }
}
