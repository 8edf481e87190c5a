//! `jitd.grant.v1`: approvers let somebody in before anybody asks on the host. Whoever comes there brings it with them.

use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::words::{Reason, RoleName, UserName};

use super::fields::{AS_ROLE, key, key_written, listed, noted, noted_written, seconds, written};
use super::file::{name, services, word};
use super::hosts::Hosts;
use super::kind::{Kind, SignedText};
use super::lines::{BadText, Lines, escaped, or, unescaped, unmailed};
use crate::duration::{Human, parse_duration};
use crate::model::{Behind, Serial};
use crate::services::Services;
use crate::time::Utc;

/// For how long after it was written a grant counts at most.
pub const LONGEST: Duration = Duration::from_hours(24 * 7);

const LABELS: [&str; 13] = [
    "serial",
    "hosts",
    "host-key",
    "user",
    "for",
    "role",
    "services",
    "uses",
    "duration",
    "issued",
    "not-before",
    "not-after",
    "reason",
];

/// A grant ahead of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantStatement {
    /// What each host knows it by; each takes it once.
    pub serial: Serial,
    /// The hosts that it is for; never all.
    pub hosts: Hosts,
    /// The fingerprint of the one host's key, where it is bound to that.
    pub host_key: Option<String>,
    /// The account that it admits.
    pub user: UserName,
    /// The human who comes by that account.
    pub behind: Option<Behind>,
    /// The role that it opens.
    pub role: RoleName,
    /// Only these services; the role's where absent.
    pub services: Option<Services>,
    /// Only so many logins; the role's where absent.
    pub uses: Option<NonZeroU32>,
    /// For how long the window is open; the role's default where absent.
    pub duration: Option<Duration>,
    /// When it was written.
    pub issued: Utc,
    /// When the window begins at the earliest.
    pub not_before: Utc,
    /// Until when it is taken; and the window is over by then.
    pub not_after: Utc,
    /// Why, in the words of whoever wrote it.
    pub reason: Reason,
}

impl SignedText for GrantStatement {
    fn kind(&self) -> Kind {
        Kind::Grant
    }

    fn text(&self) -> String {
        let as_role = || AS_ROLE.to_owned();
        let values = [
            self.serial.to_string(),
            self.hosts.to_string(),
            key_written(self.host_key.as_deref()),
            escaped(self.user.as_str()),
            noted_written(self.behind.as_ref()),
            self.role.to_string(),
            self.services.as_ref().map_or_else(as_role, listed),
            self.uses.map_or_else(as_role, |uses| uses.to_string()),
            self.duration.map_or_else(as_role, |duration| Human(duration).to_string()),
            self.issued.to_string(),
            self.not_before.to_string(),
            self.not_after.to_string(),
            escaped(self.reason.as_str()),
        ];
        written(Kind::Grant.first_line(), &LABELS, &values)
    }

    fn parse(bytes: &[u8]) -> Result<Self, BadText> {
        let text = unmailed(bytes)?;
        let mut lines = Lines::behind(Kind::Grant.first_line(), &text)?;
        let grant = Self {
            serial: lines.field("serial", word)?,
            hosts: lines.field("hosts", |text| Hosts::parse(text).filter(|hosts| !hosts.is_all()))?,
            host_key: lines.field("host-key", key)?,
            user: lines.field("user", name)?,
            behind: lines.field("for", noted)?,
            role: lines.field("role", word)?,
            services: lines.field("services", |text| or(AS_ROLE, text, services))?,
            uses: lines.field("uses", |text| or(AS_ROLE, text, word))?,
            duration: lines.field("duration", |text| {
                or(AS_ROLE, text, |text| parse_duration(text).ok().filter(|time| !time.is_zero()))
            })?,
            issued: lines.field("issued", seconds)?,
            not_before: lines.field("not-before", seconds)?,
            not_after: lines.field("not-after", seconds)?,
            reason: lines.field("reason", |text| unescaped(text)?.parse().ok())?,
        };
        lines.end(&text, &grant.text(), &LABELS)?;
        grant.times()?;
        Ok(grant)
    }
}

impl GrantStatement {
    /// Whether the times are such as a host takes.
    fn times(&self) -> Result<(), BadText> {
        let bad = |label, why| Err(BadText::Times { label, why });
        if self.not_before < self.issued {
            return bad("not-before", "is before 'issued'");
        }
        if self.not_after <= self.not_before {
            return bad("not-after", "is not after 'not-before'");
        }
        if self.not_after.since(self.issued) > LONGEST {
            return bad("not-after", "is more than 7 days after 'issued', and a grant counts for no longer");
        }
        Ok(())
    }
}
