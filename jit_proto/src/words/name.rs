//! Names of accounts, groups, services, roles and hosts: each is text of a bounded length and a fixed alphabet.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::bad::BadWord;
use crate::text::is_invisible;

/// Length and alphabet of a word; one place to read what each of them allows.
struct Rule {
    what: &'static str,
    limit: usize,
    first: fn(char) -> bool,
    /// Every character behind the first.
    rest: fn(char) -> bool,
    /// The last, on top.
    last: fn(char) -> bool,
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
            let is_last = at + got.len_utf8() == text.len();
            if !ok || (is_last && !(self.last)(got)) {
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

const fn any(_: char) -> bool {
    true
}

/// Not an option's first character, nor that of a line that brings in another source (passwd(5), NIS), nor the sign that
/// we show a group by.
const fn account_first(c: char) -> bool {
    account_rest(c) && !matches!(c, ' ' | '-' | '+' | '@')
}

/// What passwd(5) and group(5) cannot hold, what a path cannot, what would pass for a pattern, and what nobody would see.
const fn account_rest(c: char) -> bool {
    !is_invisible(c) && !matches!(c, ':' | ',' | '/' | '*' | '?')
}

const fn account_last(c: char) -> bool {
    c != ' '
}

const ACCOUNT_ALLOWED: &str =
    "visible characters but : , / * ?, with no space at either end, and no - + @ in front";

word!(
    /// An account name, as directories have them: `müller`, `john smith`, `CORP\kim`, `kim@ad.example`. Any visible
    /// characters but `: , / * ?`, at most 255 bytes (`LOGIN_NAME_MAX` less the NUL), with no space at either end and
    /// none of `- + @` in front. Whoever shows one escapes it for where it is shown, and quotes it for a shell.
    UserName,
    Rule {
        what: "user name",
        limit: 255,
        first: account_first,
        rest: account_rest,
        last: account_last,
        allowed: ACCOUNT_ALLOWED,
    }
);

word!(
    /// A group name: as an account name (`domain users`, `DBA-Ärzte`).
    GroupName,
    Rule {
        what: "group name",
        limit: 255,
        first: account_first,
        rest: account_rest,
        last: account_last,
        allowed: ACCOUNT_ALLOWED,
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
        last: any,
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
        last: any,
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
        last: any,
        allowed: "ASCII letters, digits and - . _",
    }
);

word!(
    /// A file's name without its folders: ASCII letters, digits and `. _ + -`, none of `. + -` in front, at most 200
    /// bytes. It is no path and no option, whoever types it.
    FileName,
    Rule {
        what: "file name",
        limit: 200,
        first: |c| alnum(c) || c == '_',
        rest: |c| alnum(c) || matches!(c, '.' | '_' | '+' | '-'),
        last: any,
        allowed: "ASCII letters, digits and . _ + -, with no . + - in front",
    }
);

impl ServiceName {
    /// The word that people have for this service and those like it: `sudo` also for `sudo-i` and for every `sudo-*`
    /// that sudoers(5) makes with `pam_service=`, `su` also for `su-l`; any other service's own name (DESIGN §1). No
    /// other place knows these names.
    #[must_use]
    pub fn family(&self) -> &str {
        match self.as_str() {
            "su" | "su-l" => "su",
            name if name == "sudo" || name.starts_with("sudo-") => "sudo",
            name => name,
        }
    }

    /// Whether it is sshd that asks by this name: its own or, where there are several, one that begins with it and a hyphen.
    #[must_use]
    pub fn is_of_sshd(&self) -> bool {
        self.as_str() == "sshd" || self.as_str().starts_with("sshd-")
    }

    /// Whether this is su, in whatever form.
    #[must_use]
    pub fn is_su(&self) -> bool {
        self.family() == "su"
    }

    /// Whether this is sudo, in whatever form.
    #[must_use]
    pub fn is_sudo(&self) -> bool {
        self.family() == "sudo"
    }
}

/// Order, equality and hash are those of the text.
impl Borrow<str> for ServiceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Whether a service asks who the *caller* is (PAM_RUSER) rather than who logs in (PAM_USER): su and sudo.
#[must_use]
pub fn subject_is_caller(service: &ServiceName) -> bool {
    service.is_su() || service.is_sudo()
}
