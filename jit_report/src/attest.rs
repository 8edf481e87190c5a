//! Recertification: who may ask for which role, and who said last that they still should.

use std::collections::BTreeMap;
use std::time::Duration;

use jit_core::model::{Entitled, Keep};
use jit_core::policy::Policy;
use jit_core::time::Utc;
use jit_proto::words::{Reason, RoleName, UserName};
use serde::Serialize;

/// How old an attestation may be where nobody says: a quarter of a year, as reviews of access have it.
const EVERY: Duration = Duration::from_hours(90 * 24);

/// Somebody who may ask for a role by the last policy on record, and what was said of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attestation {
    /// The role that may be asked for.
    pub role: RoleName,
    /// The account, a group with @ in front, or a person behind accounts that people share, as `person:NAME`.
    pub who: Entitled,
    /// Since when the role has named them, as far as the log goes back.
    pub since: Utc,
    /// What was said last, since then.
    pub said: Option<Said>,
    /// Whether that is longer ago than it may be; where nothing was said, since the role has named them.
    pub overdue: bool,
}

/// What somebody said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// When it was said.
    pub at: Utc,
    /// Who said it.
    pub by: UserName,
    /// Whether they still should.
    pub decision: Keep,
    /// What was said with it.
    pub note: Option<Reason>,
}

/// What is learned of it, record by record.
#[derive(Debug, Default)]
pub(crate) struct AttestFold {
    /// How old one may be, where somebody asked about that.
    pub(crate) every: Option<Duration>,
    /// What time it is, where that is known: a host on which nothing happens has attestations that grow old.
    pub(crate) now: Option<Utc>,
    entitled: BTreeMap<(RoleName, Entitled), (Utc, Option<Said>)>,
}

impl AttestFold {
    /// A policy comes into force. Whoever it names anew has not been attested, whatever was said before.
    pub(crate) fn load(&mut self, policy: Option<&Policy>, at: Utc) {
        let Some(policy) = policy else { return };
        let mut named = BTreeMap::new();
        for role in policy.roles() {
            let users = role.eligible.users.iter().cloned().map(Entitled::User);
            let groups = role.eligible.groups.iter().cloned().map(Entitled::Group);
            let people = role.eligible.people.keys().cloned().map(Entitled::Person);
            for who in users.chain(groups).chain(people) {
                let key = (role.name.clone(), who);
                let before = self.entitled.remove(&key);
                named.insert(key, before.unwrap_or((at, None)));
            }
        }
        self.entitled = named;
    }

    pub(crate) fn take(&mut self, role: RoleName, who: Entitled, said: Said) {
        if let Some((_, last)) = self.entitled.get_mut(&(role, who)) {
            *last = Some(said);
        }
    }

    /// All of them, with what is overdue at a time. Where nobody ever attested or asked about it, nothing is.
    pub(crate) fn finish(self, as_of: Option<Utc>) -> Vec<Attestation> {
        let is_used = self.entitled.values().any(|(_, said)| said.is_some());
        let every = self.every.or(is_used.then_some(EVERY));
        let as_of = as_of.max(self.now);
        let one = |((role, who), (since, said)): ((RoleName, Entitled), (Utc, Option<Said>))| {
            let last = said.as_ref().map_or(since, |said| said.at);
            let overdue = every.zip(as_of).is_some_and(|(every, as_of)| as_of.since(last) > every);
            Attestation { role, who, since, said, overdue }
        };
        self.entitled.into_iter().map(one).collect()
    }
}
