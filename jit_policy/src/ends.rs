//! How a login at each service ends with its window on one host, and where nothing makes it.

use std::fmt;

use jit_proto::words::{ServiceName, UserName};

use super::asker::Asker;
use super::facts::{AskerAccount, Facts, PamFile};
use super::rules::Rules;
use super::set::Policy;

/// What ends a login that is open when its window is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HowEnds {
    /// PAM opens a session, whose scope ends.
    Session,
    /// The process that asked ends.
    Process,
    /// A program of the site's ends it, as this account.
    Program(UserName),
    /// What jitd finds of it: its PAM file has no session line.
    Found,
    /// Nothing ends it.
    Nothing {
        /// Why nothing ends it.
        why: String,
        /// What to write, and where.
        hint: String,
    },
    /// Its PAM file could not be read.
    Untold,
}

/// How logins at one service end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEnd {
    /// The service, as a role names it.
    pub service: ServiceName,
    /// What ends them.
    pub how: HowEnds,
}

impl HowEnds {
    /// The word in answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Process => "process",
            Self::Program(_) => "program",
            Self::Found => "found",
            Self::Nothing { .. } => "nothing",
            Self::Untold => "untold",
        }
    }
}

/// As in `vsftpd: with the process that asked`.
impl fmt::Display for ServiceEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, how } = self;
        match how {
            HowEnds::Session => write!(f, "{service}: with its session, in a scope of its own"),
            HowEnds::Process => write!(f, "{service}: with the process that asked (ends = \"process\")"),
            HowEnds::Program(account) => write!(f, "{service}: by /etc/jit/end.d/{service}, as {account}"),
            HowEnds::Found => {
                write!(
                    f,
                    "{service}: by what jitd finds of it: /etc/pam.d/{service} has no session line of pam_jit.so"
                )
            }
            HowEnds::Nothing { why, .. } => write!(f, "{service}: not enforced: {why}"),
            HowEnds::Untold => write!(f, "{service}: cannot be told: /etc/pam.d/{service} cannot be read"),
        }
    }
}

impl Policy {
    /// How logins end at each service that a role of this host names, in name order; those that do not ask jitd left out.
    #[must_use]
    pub fn ends_on(&self, facts: &Facts) -> Vec<ServiceEnd> {
        let here = |service: &&ServiceName| self.roles_for(service).any(|role| role.on_host(&facts.host));
        let end = |service: &ServiceName| {
            let how = at(&self.rules, facts, service)?;
            Some(ServiceEnd { service: service.clone(), how })
        };
        self.services().filter(here).filter_map(end).collect()
    }
}

/// How logins at a service end; none where nobody asks jitd.
pub(super) fn at(rules: &Rules, facts: &Facts, service: &ServiceName) -> Option<HowEnds> {
    match facts.services.get(service)? {
        PamFile::Absent | PamFile::NamesOthers => return None,
        PamFile::Unread => return Some(HowEnds::Untold),
        PamFile::NamesModule => {}
    }
    if let Some(asker) = rules.askers.iter().find(|asker| asker.services().contains(service)) {
        return Some(asked_for(rules, facts, service, asker));
    }
    Some(if rules.processes.contains(service) {
        HowEnds::Process
    } else if facts.sessions.contains(service) {
        HowEnds::Session
    } else {
        HowEnds::Found
    })
}

/// How logins end that this account asks for, which opens no sessions.
pub(super) fn asked_for(rules: &Rules, facts: &Facts, service: &ServiceName, asker: &Asker) -> HowEnds {
    if rules.processes.contains(service) {
        return HowEnds::Process;
    }
    let nothing = |why: String, hint: &str| HowEnds::Nothing { why, hint: hint.to_owned() };
    let Some(account) = asker.end_as() else {
        return nothing("no `end-as` says as whom a program would".to_owned(), "add end-as = \"ACCOUNT\"");
    };
    match facts.askers.get(account) {
        Some(AskerAccount::There | AskerAccount::Persons) if facts.ends.contains(service) => {
            HowEnds::Program(account.clone())
        }
        Some(AskerAccount::There | AskerAccount::Persons) => nothing(
            format!("there is no /etc/jit/end.d/{service} that root alone can write and others can run"),
            "examples are in /usr/share/doc/pam-jit/examples/end.d",
        ),
        Some(AskerAccount::Absent | AskerAccount::Root | AskerAccount::Unread) | None => {
            nothing("the account of `end-as` is root, or not in /etc/passwd".to_owned(), "name another")
        }
    }
}
