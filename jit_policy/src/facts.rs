//! What one host knows of the names in a policy, as data: `jit_host` gathers it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jit_proto::words::{GroupName, ServiceName, UserName};

use super::host::Host;
use super::people::Principal;
use crate::time::Utc;

/// What a host knows of the names in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The host. Roles that do not exist on it are not judged.
    pub host: Host,
    /// What its clock says; nothing is judged by it where that cannot be told.
    pub now: Option<Utc>,
    /// Each group that the policy names.
    pub groups: BTreeMap<GroupName, Group>,
    /// Each account that the policy names.
    pub accounts: BTreeMap<UserName, Account>,
    /// What each of these accounts has running that is no login, if anything.
    pub standing: BTreeMap<UserName, Standing>,
    /// Each account that may ask about others.
    pub askers: BTreeMap<UserName, AskerAccount>,
    /// The services of those of which this host has a program that ends logins (`/etc/jit/end.d`).
    pub ends: BTreeSet<ServiceName>,
    /// The services of roles whose PAM file has the module's session line.
    pub sessions: BTreeSet<ServiceName>,
    /// Each service that a role names.
    pub services: BTreeMap<ServiceName, PamFile>,
    /// What keeps people out where they log in or become root: sshd, login, sudo, su and each service that the policy
    /// names. A file that asks jitd only to watch counts as one that does not name the module.
    pub doors: BTreeMap<ServiceName, PamFile>,
    /// Whose keys may sign approvals here; nothing where that cannot be told.
    pub signers: Option<BTreeSet<Principal>>,
    /// The PAM services that sudoers chooses.
    pub sudo: Sudo,
    /// How old the register of tickets is, the newest of its files, or what is wrong with it; nothing where that is not known.
    pub tickets: Option<Result<Duration, String>>,
    /// Why the host cannot list all accounts and members of groups, if it cannot.
    pub unlisted: Option<String>,
}

/// What sudoers(5) says of PAM services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sudo {
    /// Each that one of its lines names.
    pub services: BTreeMap<ServiceName, PamFile>,
    /// Why that cannot be told, where it cannot.
    pub untold: Option<String>,
    /// Whether sudo is sudo-rs, for which no line names any.
    pub is_rs: bool,
}

/// A group, as far as the host knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// The host knows none of this name.
    Absent,
    /// Its members, those included whose primary group it is.
    Members(BTreeSet<UserName>),
    /// The name service failed.
    Unanswered,
}

/// An account, as far as the host knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The host knows none of this name.
    Absent,
    /// It is there.
    There,
    /// The name service failed.
    Unanswered,
}

/// An account that may ask about others, by this host's own files: of no other is it believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskerAccount {
    /// They have none of this name.
    Absent,
    /// It is another name of root.
    Root,
    /// It is one of those for people (login.defs(5), `UID_MIN`).
    Persons,
    /// It is one of the system's.
    There,
    /// They could not be read.
    Unread,
}

/// What an account has running without being logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its manager starts with the machine (loginctl(1), enable-linger).
    pub lingers: bool,
    /// The services of the system that run as it.
    pub services: BTreeSet<String>,
}

/// The PAM file of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PamFile {
    /// There is none; PAM takes the one called `other`.
    Absent,
    /// It names the module, itself or by way of a file that it includes.
    NamesModule,
    /// It does not.
    NamesOthers,
    /// It could not be read.
    Unread,
}
