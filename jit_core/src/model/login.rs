//! A login as the module describes it, and the caller whose order an event records.

use std::fmt;

use jit_proto::words::{ServiceName, Uid, UserName};
use serde::{Deserialize, Serialize};

use super::process::Leader;
use crate::digest::Digest;
use crate::policy::{People, PersonName};

/// One login: service, subject, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Login {
    /// The PAM service.
    pub service: ServiceName,
    /// The subject's name: PAM_USER, or PAM_RUSER for su and sudo.
    pub user: UserName,
    /// The subject's uid; absent where the name service knows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// For su and sudo, whom they become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<UserName>,
    /// PAM_RHOST as it came, not believed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rhost: String,
    /// PAM_TTY as it came, not believed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tty: String,
    /// The keys by which somebody logged in over ssh, in sshd's order; more than one where it asks for more. They tell who
    /// came to an account that several people use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<LoginKey>,
    /// Who that is by policy, where people share the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
}

impl Login {
    /// The person who comes by it, where people share the account and the keys are of one of them.
    #[must_use]
    pub fn person_by(&self, people: &People) -> Option<PersonName> {
        person_by(people, [&self.user], &self.keys)
    }

    /// Whether it is the same login, of which another stage of PAM asked: only the first knows its keys.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let Self { service, user, uid, target, rhost, tty, keys: _, person: _ } = self;
        (service, user, uid, target) == (&other.service, &other.user, &other.uid, &other.target)
            && (rhost, tty) == (&other.rhost, &other.tty)
    }
}

/// The person who comes, by these keys, by an account of these names.
pub fn person_by<'n>(
    people: &People,
    names: impl IntoIterator<Item = &'n UserName>,
    keys: &[LoginKey],
) -> Option<PersonName> {
    let by = |name| people.by_keys(name, keys.iter().map(|key| key.fingerprint.as_str()));
    names.into_iter().find_map(by).cloned()
}

/// A key by which somebody logged in over ssh, as sshd tells it (`SSH_AUTH_INFO_0`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LoginKey {
    /// Its kind, such as `ssh-ed25519`; of a certificate, that of the key in it.
    pub kind: String,
    /// Its fingerprint, as `ssh-keygen -l` writes one: `SHA256:…`. Of a certificate, that of the key in it.
    pub fingerprint: String,
    /// The certificate, where one was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}

impl LoginKey {
    /// A key by which policy knows this person, as sshd would show it but for its kind, which policy does not say; none where
    /// they list none.
    #[must_use]
    pub fn of_person(people: &People, person: &PersonName) -> Option<Self> {
        let key = people.ssh_key_of(person)?;
        Some(Self { kind: "ssh".to_owned(), fingerprint: key.to_string(), certificate: None })
    }
}

/// What a certificate of OpenSSH's says of itself (PROTOCOL.certkeys).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Certificate {
    /// Its id (`ssh-keygen -I`), at most 256 bytes of it.
    pub id: String,
    /// Its serial number (`ssh-keygen -z`).
    pub serial: u64,
    /// The fingerprint of the key that signed it.
    pub authority: String,
}

/// As a line of a log or a table has it: `SHA256:…`, with the certificate's id and serial behind it.
impl fmt::Display for LoginKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Certificate { id, serial, .. }) = &self.certificate else { return f.pad(&self.fingerprint) };
        f.pad(&format!("{} ({id}, serial {serial})", self.fingerprint))
    }
}

/// Who made an event happen, as the kernel and the bus say; absent when jitd did by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The uid that the bus or the socket reports.
    pub uid: Uid,
    /// The login uid of the calling process (proc(5)), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loginuid: Option<Uid>,
    /// Whether there is none because this kernel tells none at all: a review then went by the uid alone (law 4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
    /// Its audit session id, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u32>,
    /// The calling process, where it could be read. Absent in what was written before this was kept.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub process: Option<Leader>,
}

/// On what somebody was let in. Absent in what was written before this was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The ticket that the reason for the window names, where its role's pattern has one (`(?<ticket>…)`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The policy that was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// It was let in only until the session is asked for, when sshd says by which key: by itself that admits nobody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaits_key: bool,
    /// By that key: its check was only until then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_key: bool,
    /// The session took a use as it opened: its check did not know whose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uses: bool,
}
