//! `jitd.grant.v1`: a grant that was signed before anybody asked here. It goes through the same door as every other (law 3):
//! whoever brings it files a request by it, each signature over its very bytes is a review of that, and what opens is what
//! the role's stages have met. Its serial is spent by the request, so each host takes it once.

use jit_proto::words::{RequestId, UserName};

use crate::context::Context;
use crate::digest::Digest;
use crate::event::Event;
use crate::model::{Ahead, Decision, Narrow, NotNarrower, Pending, Person, Request, Terms};
use crate::orders::request::{RequestOrder, finds_leads, new_request, own_quota};
use crate::orders::review::{self, Given, Lookups, Reviewer, Stop, told};
use crate::orders::signed::account_of;
use crate::orders::stages::Stages;
use crate::orders::statement::{Signed, evidence};
use crate::orders::{NotOfHere, Refusal};
use crate::policy::{Method, PersonName, Role, Subject, Uses};
use crate::sign::grant::GrantStatement;
use crate::sign::kind::SignedText as _;

/// The accounts that the name service is asked about before such a grant is judged, beside those of its signer.
#[must_use]
pub fn concerned(here: Context<'_>, says: &GrantStatement) -> Vec<UserName> {
    let waits = here.state.taken(says.serial).and_then(|taken| taken.request);
    let of_request = waits.map_or_else(Vec::new, |id| review::concerned(here.state, id));
    [says.user.clone()].into_iter().chain(of_request).collect()
}

/// The request that such a grant has become here.
#[must_use]
pub fn request_of(here: Context<'_>, says: &GrantStatement) -> Option<RequestId> {
    here.state.taken(says.serial).and_then(|taken| taken.request)
}

/// Files a request by a grant, or reviews the one that its text has filed. `accounts` are those of its signer, `lookups` has
/// them too, and `fresh` is the id of a request that is filed.
pub fn grant(
    here: Context<'_>,
    signed: Signed<'_, GrantStatement>,
    accounts: &[UserName],
    lookups: &Lookups,
    fresh: RequestId,
) -> Result<Vec<Event>, Refusal> {
    // It opens by the clock, and keys are judged by it.
    here.clock()?;
    let says = &signed.verified.text;
    signed.is_for(here, &says.hosts, says.host_key.as_ref())?;
    signed.until(says.not_after)?;
    if signed.at < says.not_before {
        return Err(NotOfHere::Early(says.not_before.to_seconds()).into());
    }
    // What this host took before it was set up anew, copied or set back, it does not know.
    if let Some(since) = here.state.since().filter(|since| says.issued < since.at) {
        let (issued, since) = (says.issued.to_seconds(), since.at.to_seconds());
        return Err(NotOfHere::Before { issued, since }.into());
    }
    if let Some(stone) = here.state.tombstone(says.serial) {
        return Err(NotOfHere::Revoked { by: stone.by.clone(), at: stone.at.to_seconds() }.into());
    }
    let Some(taken) = here.state.taken(says.serial) else {
        return filed(here, signed, accounts, lookups, fresh);
    };
    let text = Digest::of(says.text().as_bytes());
    let waits = taken.request.filter(|id| here.state.pending().contains_key(id) && taken.text == text);
    let id = waits.ok_or(NotOfHere::TakenAlready(taken.request))?;
    let pending = here.state.reviewable(id).ok_or_else(|| Refusal::NotFound(id.to_string()))?;
    let stages = Stages::of(here, &pending.request)?;
    let account = signer(here, signed, &stages, pending, accounts, lookups)?;
    review::review(here, id, None, &given(signed, &account), lookups)
}

fn given<'a>(signed: Signed<'_, GrantStatement>, account: &'a Subject) -> Given<'a> {
    let reviewer = Reviewer::Remote { account, method: Method::Signature };
    Given { signed: Some(evidence(signed.verified)), ..Given::new(reviewer, Decision::Approve) }
}

fn signer(
    here: Context<'_>,
    signed: Signed<'_, GrantStatement>,
    stages: &Stages<'_>,
    of: &Pending,
    accounts: &[UserName],
    lookups: &Lookups,
) -> Result<Subject, Refusal> {
    let account = account_of(here, stages, of, accounts, lookups)?;
    account.ok_or_else(|| NotOfHere::NoAccount(signed.principals()).into())
}

/// A new request with its first review. One that does not count files nothing, so that nobody spends a serial by a signature
/// that is not asked for.
fn filed(
    here: Context<'_>,
    signed: Signed<'_, GrantStatement>,
    accounts: &[UserName],
    lookups: &Lookups,
    fresh: RequestId,
) -> Result<Vec<Event>, Refusal> {
    let says = &signed.verified.text;
    let role = here.role(&says.role)?;
    if role.emergency {
        return Err(Refusal::Emergency { role: role.name.clone(), what: "granted ahead of time" });
    }
    // Of any length: how long it is to be is known below.
    let stages = Stages::of_any_length(here, role);
    let beneficiary = told(here, &stages, fresh, lookups, &says.user)?;
    let beneficiary = beneficiary.ok_or_else(|| NotOfHere::NoUser(says.user.clone()))?;
    let beneficiary = &behind(here, says, beneficiary)?;
    let mut request = asked(here, role, says, beneficiary, fresh)?;
    let stages = Stages::of_role(here, role, &request);
    let pending = Pending { request: request.clone(), reviews: Vec::new() };
    let account = signer(here, signed, &stages, &pending, accounts, lookups)?;
    request.filed_by = Person::of(&account);
    let reviewed = review::events(here, &stages, &request, &[], &given(signed, &account), Some(beneficiary));
    let reviewed = reviewed.map_err(|stop| match stop {
        Stop::NoReview(why) => Refusal::NoSigner(why),
        Stop::Refused(refusal) => refusal,
    })?;
    if !reviewed.iter().any(|event| matches!(event, Event::Opened { .. })) {
        own_quota(here, &request.filed_by)?;
    }
    Ok([Event::Requested { request }].into_iter().chain(reviewed).collect())
}

/// The account as whom the grant names behind it, where people share that: it is that person's alone. Of one that names
/// nobody it is everybody's, as of one that a role of this account is granted for. A text that could be two people's, by
/// the name of one and an account of another, is nobody's.
fn behind(here: Context<'_>, says: &GrantStatement, beneficiary: &Subject) -> Result<Subject, Refusal> {
    let people = here.policy.people();
    let Some(behind) = says.behind.as_ref().filter(|_| people.is_shared(&beneficiary.name)) else {
        return Ok(beneficiary.clone());
    };
    let text = behind.as_str();
    let of_key = || people.of_key(&text.parse().ok()?);
    let of_account = || people.of_account(&text.parse().ok()?);
    // What is no name, no principal or no account names nobody in that way.
    let by_name = || text.parse().ok();
    let is_behind = |one: &&PersonName| {
        by_name().as_ref() == Some(*one) || [of_key(), of_account()].contains(&Some(*one))
    };
    let mut sharers = people.sharers(&beneficiary.name).filter(is_behind);
    let person = sharers.next().filter(|_| sharers.next().is_none()).cloned();
    let nobody = || NotOfHere::NoUser(beneficiary.name.clone()).into();
    person.map(|person| beneficiary.as_person(Some(person))).ok_or_else(nobody)
}

/// What the grant asks for: no more than its role has.
fn asked(
    here: Context<'_>,
    role: &Role,
    says: &GrantStatement,
    beneficiary: &Subject,
    id: RequestId,
) -> Result<Request, Refusal> {
    let order = RequestOrder {
        beneficiary: beneficiary.clone(),
        role: role.name.clone(),
        duration: says.duration,
        start: None,
        reason: says.reason.clone(),
        id,
    };
    let (role, mut request) = new_request(here, Person::of(beneficiary), order, None)?;
    finds_leads(here, role, &request)?;
    let narrow = Narrow { duration: None, services: says.services.clone(), uses: says.uses };
    let more = |what| NotOfHere::More { role: role.name.clone(), what };
    Terms::asked(&request).allow(&narrow).map_err(|why| match why {
        NotNarrower::Service(service) => more(format!("service {service}")),
        NotNarrower::Uses(most) => more(format!("more than {most} logins")),
        NotNarrower::Longer { .. } | NotNarrower::Nothing => more(why.to_string()),
    })?;
    request.services = narrow.services.unwrap_or(request.services);
    request.uses = narrow.uses.map_or(request.uses, Uses::Times);
    request.ahead = Some(Box::new(Ahead {
        serial: says.serial,
        text: Digest::of(says.text().as_bytes()),
        until: says.not_after,
        behind: says.behind.clone(),
    }));
    Ok(request)
}
