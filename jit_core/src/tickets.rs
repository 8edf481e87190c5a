//! The site's register of tickets: which there are, from when until when, and for which hosts and roles each counts.
//!
//! It is put on the host by whatever the site has for that; jitd asks no other system. Of a register that cannot be read as a
//! whole nothing counts: what is missing in it could be what ends a ticket.

use std::collections::BTreeMap;

use jit_proto::words::RoleName;
use serde::Deserialize;

use crate::policy::{Host, HostPattern, SourceFile};
use crate::time::{Moment, Utc};

/// The most tickets of a register.
const MAX_TICKETS: usize = 100_000;

/// The tickets that are known, or why none is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register(Inside);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Inside {
    /// It was read.
    Read(BTreeMap<String, Listed>),
    /// It was not, and why.
    Unread(String),
    /// It is not known what it was: what was decided by it is on record.
    Past,
}

/// One ticket, as one file lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    from: Option<Utc>,
    to: Utc,
    hosts: Vec<HostPattern>,
    roles: Vec<RoleName>,
    file: String,
    /// Another file that lists it too.
    again: Option<String>,
}

/// Why a ticket does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// There is no register that can be read.
    #[error("cannot be looked up: {0}")]
    NoRegister(String),
    /// The reason names none.
    #[error("is not named by the reason")]
    Unnamed,
    /// It is not in it.
    #[error("is not listed")]
    Unlisted,
    /// Two files list it.
    #[error("is listed by two files, {0} and {1}, and which counts cannot be told")]
    Twice(String, String),
    /// It is for another host.
    #[error("is listed for other hosts")]
    OtherHost,
    /// It is for another role.
    #[error("is listed for other roles")]
    OtherRole,
    /// Its time has not begun.
    #[error("counts from {0}")]
    Early(Utc),
    /// Its time is over.
    #[error("counted until {0}")]
    Over(Utc),
    /// The clock that would tell is suspect.
    #[error("counts for a time, and the clock is suspect")]
    Clock,
}

/// A ticket, as a file of the register has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    from: Option<Time>,
    to: Time,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    roles: Vec<RoleName>,
}

/// A time, in quotes or not.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Time {
    Text(String),
    Plain(toml::value::Datetime),
}

impl Time {
    fn utc(&self) -> Result<Utc, String> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Plain(time) => time.to_string(),
        };
        text.parse().map_err(|_| format!("{text} is no time with a zone, like 2026-11-23T18:00:00Z"))
    }
}

/// Nothing is listed.
impl Default for Register {
    fn default() -> Self {
        Self::NONE.clone()
    }
}

impl Register {
    /// For where nothing is asked for.
    pub const NONE: &'static Self = &Self(Inside::Read(BTreeMap::new()));

    /// For what was decided in the past, which goes by what is on record.
    pub const PAST: &'static Self = &Self(Inside::Past);

    /// One that could not be read.
    #[must_use]
    pub const fn unread(why: String) -> Self {
        Self(Inside::Unread(why))
    }

    /// Why it was not read, if it was not.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        if let Inside::Unread(why) = &self.0 { Some(why) } else { None }
    }

    /// Reads the files of a register.
    #[must_use]
    pub fn read(files: &[SourceFile]) -> Self {
        read(files).map_or_else(Self::unread, |tickets| Self(Inside::Read(tickets)))
    }

    /// Of one file, as it was read.
    pub(crate) fn of(file: &str, lines: &BTreeMap<String, Line>) -> Self {
        let mut all = BTreeMap::new();
        add(&mut all, file, lines).map_or_else(Self::unread, |()| Self(Inside::Read(all)))
    }

    /// Until when a ticket counts for a role on a host, for a window that begins then; without an end where that is not
    /// known any more.
    pub fn look_up(
        &self,
        ticket: Option<&str>,
        role: &RoleName,
        host: &Host,
        begins: Utc,
    ) -> Result<Option<Utc>, Unknown> {
        let tickets = match &self.0 {
            Inside::Read(tickets) => tickets,
            Inside::Unread(why) => return Err(Unknown::NoRegister(why.clone())),
            Inside::Past => return Ok(None),
        };
        let ticket = ticket.ok_or(Unknown::Unnamed)?;
        let Listed { from, to, hosts, roles, file, again } = tickets.get(ticket).ok_or(Unknown::Unlisted)?;
        if let Some(again) = again {
            return Err(Unknown::Twice(file.clone(), again.clone()));
        }
        if !hosts.is_empty() && !hosts.iter().any(|pattern| pattern.matches(host)) {
            return Err(Unknown::OtherHost);
        }
        if !roles.is_empty() && !roles.contains(role) {
            return Err(Unknown::OtherRole);
        }
        if let Some(from) = from.filter(|from| begins < *from) {
            return Err(Unknown::Early(from));
        }
        if begins >= *to { Err(Unknown::Over(*to)) } else { Ok(Some(*to)) }
    }

    /// The same of a window that is to begin at that time or now. While the clock is suspect no ticket is taken on its word;
    /// an emergency's has to be listed.
    pub fn holds(
        &self,
        ticket: Option<&str>,
        (role, is_emergency): (&RoleName, bool),
        host: &Host,
        (now, start): (&Moment, Option<Utc>),
    ) -> Result<Option<Utc>, Unknown> {
        if now.is_trusted() {
            return self.look_up(ticket, role, host, start.map_or(now.wall, |start| start.max(now.wall)));
        }
        match self.look_up(ticket, role, host, now.wall) {
            _ if !is_emergency => Err(Unknown::Clock),
            Ok(_) | Err(Unknown::Early(_) | Unknown::Over(_)) => Ok(None),
            Err(why) => Err(why),
        }
    }
}

fn read(files: &[SourceFile]) -> Result<BTreeMap<String, Listed>, String> {
    let mut all: BTreeMap<String, Listed> = BTreeMap::new();
    for file in files {
        let name = &file.name;
        let text = str::from_utf8(&file.bytes).map_err(|_| format!("{name} is not UTF-8"))?;
        let lines: BTreeMap<String, Line> = toml::from_str(text).map_err(|why| {
            let what = why.message().lines().map(str::trim).collect::<Vec<_>>().join(": ");
            format!("{name}: {what}")
        })?;
        add(&mut all, name, &lines)?;
    }
    Ok(all)
}

fn add(all: &mut BTreeMap<String, Listed>, name: &str, lines: &BTreeMap<String, Line>) -> Result<(), String> {
    for (ticket, line) in lines {
        let wrong = |what: String| format!("{name}: ticket '{ticket}': {what}");
        let hosts = line.hosts.iter().map(|host| HostPattern::read(host)).collect::<Result<_, _>>();
        let listed = Listed {
            from: line.from.as_ref().map(Time::utc).transpose().map_err(wrong)?,
            to: line.to.utc().map_err(wrong)?,
            hosts: hosts.map_err(wrong)?,
            roles: line.roles.clone(),
            file: name.to_owned(),
            again: None,
        };
        match all.get_mut(ticket) {
            Some(first) => first.again = Some(name.to_owned()),
            None => drop(all.insert(ticket.clone(), listed)),
        }
        if all.len() > MAX_TICKETS {
            return Err(format!("there are more than {MAX_TICKETS} tickets"));
        }
    }
    Ok(())
}
