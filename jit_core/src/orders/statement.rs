//! What is judged of every signed statement that is about no request of this host: whether it is for this host and in time,
//! and what its signer may.

use std::collections::BTreeSet;

use jit_proto::words::{GroupName, UserName};

use crate::context::Context;
use crate::model::Evidence;
use crate::orders::review::{Lookups, absent};
use crate::orders::{NotOfHere, Refusal};
use crate::policy::Subject;
use crate::proof::note::HostKey;
use crate::sign::file::fingerprint;
use crate::sign::hosts::Hosts;
use crate::sign::kind::SignedText;
use crate::sign::verify::Verified;
use crate::time::Utc;

/// A statement whose signature is good, and what it is judged by beside policy and state.
#[derive(Debug)]
pub struct Signed<'a, T> {
    /// The text, and whose key signed it.
    pub verified: &'a Verified<T>,
    /// The key of this host.
    pub key: &'a HostKey,
    /// When it is judged: the later of the wall clock and its mark; while the clock is suspect, the mark.
    pub at: Utc,
}

impl<T> Clone for Signed<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Signed<'_, T> {}

impl<T: SignedText> Signed<'_, T> {
    /// Whom the key stands for, as it is shown.
    pub(super) fn principals(&self) -> String {
        let all: Vec<String> = self.verified.principals.iter().map(ToString::to_string).collect();
        all.join(", ")
    }

    /// Whether this host is one of these, and has the key, where they name one.
    pub(super) fn is_for(
        &self,
        here: Context<'_>,
        hosts: &Hosts,
        host_key: Option<&String>,
    ) -> Result<(), NotOfHere> {
        if !hosts.include(&here.host.name, &here.host.groups) {
            return Err(NotOfHere::OtherHosts { said: hosts.to_string(), here: here.host.name.clone() });
        }
        let ours = fingerprint(&self.key.public());
        match host_key.filter(|said| **said != ours) {
            Some(said) => Err(NotOfHere::AnotherKey { said: said.clone(), here: ours }),
            None => Ok(()),
        }
    }

    /// Whether it still counts.
    pub(super) fn until(&self, not_after: Utc) -> Result<(), NotOfHere> {
        if self.at >= not_after { Err(NotOfHere::Over(not_after.to_seconds())) } else { Ok(()) }
    }
}

/// What lets an auditor verify it again.
pub(super) fn evidence<T: SignedText>(verified: &Verified<T>) -> Evidence {
    Evidence {
        principals: verified.principals.iter().map(ToString::to_string).collect(),
        key: verified.key.fingerprint(),
        flags: verified.presence.map(|presence| presence.flags),
        counter: verified.presence.map(|presence| presence.counter),
        text: verified.text.text(),
        signature: verified.signature.clone(),
    }
}

/// The accounts of whoever signed, as far as it matters whether they are in these groups. Who has none here is known by name
/// alone. A lock on them takes their word from them.
pub(super) fn signers(
    here: Context<'_>,
    accounts: &[UserName],
    lookups: &Lookups,
    groups: &BTreeSet<&GroupName>,
) -> Result<Vec<Subject>, Refusal> {
    let mut known = Vec::new();
    for name in accounts {
        let unanswered = |groups| Refusal::Unanswered { user: name.clone(), groups };
        let told = lookups.get(name).ok_or_else(|| unanswered([].into()))?;
        let all = || groups.iter().copied().chain(here.state.locked_groups());
        let account = match told.certain(all()) {
            Some(account) => account.clone(),
            None if *told == crate::model::Known::Not => match absent(name) {
                Some(account) => account,
                None => continue,
            },
            None => return Err(unanswered(told.unanswered(all()))),
        };
        if let Some(lock) = here.state.locked(here.now).on_person(&account, here.policy.people()) {
            return Err(Refusal::Locked(Box::new(lock.clone())));
        }
        known.push(account);
    }
    Ok(known)
}
