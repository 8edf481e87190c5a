//! A policy that was signed elsewhere: whether its text is for this host and this time, never an older one, and whose
//! signatures count. Who signed takes the place of who would have approved it here.

use jit_proto::words::UserName;

use crate::context::Context;
use crate::model::{Caller, Evidence, Known, Person, PolicySigned, same};
use crate::orders::review::{Lookups, absent};
use crate::orders::signed::accounts;
use crate::orders::{NoChange, Refusal};
use crate::policy::{Principal, SourceFile, Subject};
use crate::sign::policy::Manifest;
use crate::time::Utc;

/// A policy with the signatures over it that are good.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// What was signed.
    pub manifest: &'a Manifest,
    /// Whose keys signed, with the proof of each.
    pub signers: &'a [(Vec<Principal>, Evidence)],
    /// The files as they are.
    pub files: &'a [SourceFile],
    /// The later of the wall clock and its mark.
    pub at: Utc,
}

/// The accounts that the name service is asked about before it is judged.
#[must_use]
pub fn concerned(here: Context<'_>, signers: &[(Vec<Principal>, Evidence)]) -> Vec<UserName> {
    signers.iter().flat_map(|(principals, _)| accounts(here.policy, principals).unwrap_or_default()).collect()
}

/// Whether a signed policy may come into force, and on whose word.
pub fn take(
    here: Context<'_>,
    caller: &Caller,
    signed: Signed<'_>,
    lookups: &Lookups,
) -> Result<(Vec<Person>, PolicySigned), Refusal> {
    // Keys and times are judged by the clock.
    here.clock()?;
    let Signed { manifest, signers, files, at } = signed;
    if !manifest.hosts.include(&here.host.name, &here.host.groups) {
        let (hosts, host) = (manifest.hosts.to_string(), here.host.name.clone());
        return Err(NoChange::OtherHosts { hosts, host }.into());
    }
    if at >= manifest.not_after {
        return Err(NoChange::Expired(manifest.not_after).into());
    }
    if let Some(last) = here.state.policy_changes().serial.filter(|last| manifest.serial <= *last) {
        return Err(NoChange::OldSerial { serial: manifest.serial, last }.into());
    }
    let in_force = here.policy.digest();
    if let Some(after) = manifest.after.filter(|after| *after != in_force) {
        return Err(NoChange::NotAfter { after, in_force }.into());
    }
    manifest.is_of(files).map_err(|why| NoChange::OtherSigned(why.to_string()))?;
    let (mut counted, mut proofs) = (Vec::new(), Vec::new());
    for (principals, evidence) in signers {
        proofs.push(evidence.clone());
        let Some(person) = signer(here, principals, lookups)? else { continue };
        let people = here.policy.people();
        let is_author = caller.accounts().any(|account| same(people, &Person::of(account), &person));
        if !is_author && !counted.iter().any(|before| same(people, before, &person)) {
            counted.push(person);
        }
    }
    counted.sort_by(|a: &Person, b| a.name.cmp(&b.name));
    let needed = here.policy.change().map_or(1, |rule| rule.approvals);
    if counted.len() < needed {
        let of = here.policy.change().map_or_else(|| "anybody".to_owned(), |rule| rule.approvers.to_string());
        return Err(NoChange::TooFewSigned { counted: counted.len(), needed, of }.into());
    }
    Ok((counted, PolicySigned { serial: manifest.serial, signatures: proofs }))
}

/// The person behind a key, where they may approve a change of the policy and no lock is on them.
fn signer(here: Context<'_>, principals: &[Principal], lookups: &Lookups) -> Result<Option<Person>, Refusal> {
    let asked = |account: &Subject| here.policy.change().is_none_or(|rule| rule.approvers.contains(account));
    let locks = here.state.locked(here.now);
    for name in accounts(here.policy, principals)? {
        let told = lookups.get(&name).unwrap_or(&Known::Unanswered);
        // Whether a lock on a group is theirs must be known.
        let account = match told.certain(here.state.locked_groups()) {
            Some(account) => account.clone(),
            None if *told == Known::Not => match absent(&name) {
                Some(account) => account,
                None => continue,
            },
            None => {
                let groups = told.unanswered(here.state.locked_groups());
                return Err(Refusal::Unanswered { user: name, groups });
            }
        };
        if asked(&account) && locks.on_person(&account, here.policy.people()).is_none() {
            return Ok(Some(Person::of(&account)));
        }
    }
    Ok(None)
}
