//! What opens: the intersection of the request and every review that counts (law 5).

use std::time::Duration;

use jit_proto::words::{GrantId, Reason};

use crate::context::Context;
use crate::event::Event;
use crate::model::{Begins, Grant, Request, Review, Scheduled, Terms, Time};
use crate::orders::bounds::{self, Wish};
use crate::orders::not_now::NotNow;
use crate::orders::stay;
use crate::policy::{Role, Starts, Until};
use crate::time::{Utc, Window};

/// Opens what was approved: the window, or, where that is for later, a grant that waits for it.
pub(crate) fn opened(here: Context<'_>, role: &Role, request: &Request, reviews: &[Review]) -> Event {
    let Terms { duration, services, uses } = Terms::left(request, reviews);
    let grant = Grant {
        id: request.id.into(),
        user: request.beneficiary.name.clone(),
        uid: request.beneficiary.uid,
        also: request.beneficiary.also.clone(),
        person: request.beneficiary.person.clone(),
        role: request.role.clone(),
        services,
        limits: role.limits.clone(),
        terms: request.terms,
        ticket: ticket(role, &request.reason),
        time: time(here, role, request, duration),
        uses,
        used: 0,
        extends: request.extends,
        before: before(here, role, request, duration),
        emergency: role.emergency,
        despite: bounds::passed(here, role, &Wish::of(request)),
        by_policy: None,
        unbound: false,
        asked: crate::services::Services::default(),
    };
    Event::Opened { grant }
}

/// How long its person had the role when it begins. What extends a window that is over by now begins by itself, and still
/// is of that chain.
fn before(here: Context<'_>, role: &Role, request: &Request, duration: Duration) -> Duration {
    let Request { beneficiary, start, extends, .. } = request;
    let stay = stay::of(here, role, beneficiary, duration, (*start, *extends));
    let is_live = |base| here.state.grant(base).is_some_and(|base| !base.remaining(here.now).is_zero());
    if extends.is_some_and(|base| !is_live(base)) { request.before.max(stay.before) } else { stay.before }
}

/// The ticket, by the pattern that the role has now.
pub(crate) fn ticket(role: &Role, reason: &Reason) -> Option<String> {
    let ticket = role.reason.as_ref()?.ticket(reason)?.trim();
    (!ticket.is_empty()).then(|| ticket.to_owned())
}

/// Until when the ticket counts that a reason names, where the role takes none but one that is known; or why it does not. A
/// window that extends another begins with the end of that.
pub(crate) fn known(
    here: Context<'_>,
    role: &Role,
    reason: &Reason,
    (start, extends): (Option<Utc>, Option<GrantId>),
) -> Result<Option<Utc>, NotNow> {
    if !role.takes_known_ticket() {
        return Ok(None);
    }
    let base = extends.and_then(|base| here.state.grant(base));
    let start = base.map(|base| here.now.wall.plus(base.remaining(here.now))).or(start);
    let start = start.or_else(|| role.begins_with_hours(here.now));
    let ticket = ticket(role, reason);
    let of = (&role.name, role.emergency);
    let found = here.tickets.holds(ticket.as_deref(), of, here.host, (here.now, start));
    found.map_err(|why| NotNow::Ticket { role: role.name.clone(), ticket, why })
}

fn time(here: Context<'_>, role: &Role, request: &Request, duration: Duration) -> Time {
    // What a signed grant opens is over by its time, whenever it begins, and so is what a role opens that ends. A window
    // is kept in whole seconds.
    let left = request.ahead.as_ref().map(|ahead| ahead.until.since(here.now.wall));
    // So is what a ticket is for.
    let ticket = known(here, role, &request.reason, (request.start, request.extends)).ok().flatten();
    let left = left.into_iter().chain(ticket.map(|until| until.since(here.now.wall))).min();
    let within =
        left.into_iter().chain(role.left(here.now)).min().map(|left| Duration::from_secs(left.as_secs()));
    let asked = duration;
    let until_then = |time: Duration| within.map_or(time, |within| time.min(within));
    let duration = until_then(duration);
    let Context { state, now, .. } = here;
    let survives_reboot = role.survives_reboot;
    let scheduled = |begins| Time::Scheduled {
        scheduled: Scheduled { since: now.clone(), begins, duration, survives_reboot, within },
    };
    let open = |start| Time::Open { window: Window { start, duration, survives_reboot } };
    let base = request.extends.filter(|base| state.grant(*base).is_some_and(|g| !g.remaining(now).is_zero()));
    match (base, request.start, role.starts) {
        (Some(base), _, _) => scheduled(Begins::After(base)),
        // A late approval gets what remains.
        (None, Some(start), _) if start <= now.wall => {
            let ran = Duration::from_secs(now.wall.since(start).as_secs());
            let duration = within.map_or(asked, |within| asked.min(within + ran));
            let window = Window { start: now.clone(), duration, survives_reboot };
            Time::Open { window: window.begun_at(start, now) }
        }
        (None, Some(start), _) => scheduled(Begins::At(start)),
        (None, None, Starts::AtFirstUse { lapse }) => {
            scheduled(Begins::AtFirstUse { lapse: until_then(lapse) })
        }
        (None, None, Starts::AtApproval | Starts::WithHours) => match role.begins_with_hours(now) {
            Some(start) => scheduled(Begins::At(start)),
            None => open(now.clone()),
        },
    }
}

/// Whether a request that names a start, comes from a signed grant, or is for a role that ends, would be over before it
/// opened.
pub(crate) fn too_late(here: Context<'_>, request: &Request) -> bool {
    opens_until(here, request).is_some_and(|last| last <= here.now.wall)
}

/// From when on it would be.
pub(crate) fn opens_until(here: Context<'_>, request: &Request) -> Option<Utc> {
    let start = request.start.map(|start| start.plus(request.duration));
    // Under other terms it is another request; and a day comes by a clock that is believed.
    let role = here.policy.role(&request.role).filter(|role| here.policy.terms(role) == request.terms);
    let until = role.and_then(|role| role.until.as_ref()).filter(|_| here.now.is_trusted());
    let ahead = request.ahead.as_ref().map(|ahead| ahead.until);
    start.into_iter().chain(ahead).chain(until.map(Until::at)).min()
}
