//! `jitd.revoke.v1`: somebody elsewhere takes a grant back. It only takes away, so it counts while the clock is suspect, and
//! also before the grant that it is about has come.

use std::collections::BTreeSet;

use jit_proto::words::{RequestId, RoleName, UserName};

use crate::context::Context;
use crate::event::Event;
use crate::model::{EndWhy, Person};
use crate::orders::review::Lookups;
use crate::orders::revoke::{Target, take};
use crate::orders::statement::{Signed, evidence, signers};
use crate::orders::{NotOfHere, Refusal};
use crate::policy::{Role, Who};
use crate::sign::revoke::{RevokeStatement, What};

/// Ends what a revoke names, and remembers its serial. `accounts` are those of its signer, and `lookups` has them.
pub fn revoke(
    here: Context<'_>,
    signed: Signed<'_, RevokeStatement>,
    accounts: &[UserName],
    lookups: &Lookups,
) -> Result<Vec<Event>, Refusal> {
    let says = &signed.verified.text;
    signed.is_for(here, &says.hosts, says.host_key.as_ref())?;
    signed.until(says.not_after)?;
    let request = request_of(here, says);
    let live = request.and_then(|id| Some((id, role_of(here, id)?)));
    let by = may(here, signed, live.as_ref().map(|(_, role)| role), accounts, lookups)?;
    if live.is_none() {
        if let What::Serial(serial) = says.revokes
            && let Some(stone) = here.state.tombstone(serial)
        {
            let (by, at) = (stone.by.clone(), stone.at.to_seconds());
            return Err(NotOfHere::RevokedAlready { by, at }.into());
        }
        if request.is_some() {
            return Err(NotOfHere::NothingOpen(says.revokes.to_string()).into());
        }
    }
    let taken = Event::RevokeTaken {
        revokes: says.revokes,
        by,
        reason: says.reason.clone(),
        signed: Box::new(evidence(signed.verified)),
    };
    let ended = match live {
        Some((id, _)) => take(here.state, Target::Request(id), EndWhy::Revoked, says.reason.clone())?,
        None => Vec::new(),
    };
    Ok([taken].into_iter().chain(ended).collect())
}

/// The request that a revoke is about, where this host knows of one.
#[must_use]
pub fn request_of(here: Context<'_>, says: &RevokeStatement) -> Option<RequestId> {
    match says.revokes {
        What::Request(id) => Some(id),
        What::Serial(serial) => here.state.taken(serial).and_then(|taken| taken.request),
    }
}

/// The role of what waits or is open.
fn role_of(here: Context<'_>, id: RequestId) -> Option<RoleName> {
    let open = here.state.grant(id.into()).map(|grant| grant.role.clone());
    open.or_else(|| here.state.pending().get(&id).map(|pending| pending.request.role.clone()))
}

/// Who revokes: an admin, or whom some stage of the role asks. Of a grant that has not come nobody knows the role: then that is
/// any role of this host, as whoever has its serial has seen it.
fn may(
    here: Context<'_>,
    signed: Signed<'_, RevokeStatement>,
    role: Option<&RoleName>,
    accounts: &[UserName],
    lookups: &Lookups,
) -> Result<Person, Refusal> {
    let roles =
        here.policy.roles().filter(|of| of.on_host(here.host) && role.is_none_or(|role| of.name == *role));
    let roles: Vec<&Role> = roles.collect();
    let stages = || roles.iter().flat_map(|role| &role.stages);
    let asked = stages().flat_map(crate::policy::Stage::people);
    let groups: BTreeSet<_> = asked.chain([here.policy.admins()]).flat_map(Who::every_group).collect();
    let known = signers(here, accounts, lookups, &groups)?;
    let may = |account: &&crate::policy::Subject| {
        here.policy.is_admin(account) || stages().any(|stage| stage.ever_asks(account))
    };
    let by = known.iter().find(may).map(Person::of);
    by.ok_or_else(|| NotOfHere::MayNotRevoke(signed.principals()).into())
}
