//! What opens: the intersection of the request and every review that counts (law 5).

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::words::ServiceName;
use serde::{Deserialize, Serialize};

use crate::clock::{Utc, Window};
use crate::duration::Human;
use crate::event::{Decision, Event, Review};
use crate::grant::{Begins, Grant, Scheduled, Time};
use crate::order::Here;
use crate::policy::{Role, Starts, Uses};
use crate::request::Request;

/// What a reviewer takes away from what was asked for. What is absent stays as it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Narrow {
    /// No longer than this, in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::clock::optional_seconds")]
    pub duration: Option<Duration>,
    /// Only these services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<BTreeSet<ServiceName>>,
    /// Only so many logins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<NonZeroU32>,
}

/// Why terms do not narrow a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNarrower {
    /// More time than was asked for.
    #[error("{} was asked for, and a review cannot make it {}", Human(*asked), Human(*given))]
    Longer {
        /// What was asked for.
        asked: Duration,
        /// What the review says.
        given: Duration,
    },
    /// A service that was not asked for.
    #[error("service {0} was not asked for")]
    Service(ServiceName),
    /// More logins than were asked for.
    #[error("a review cannot make it more than {0} logins")]
    Uses(Uses),
    /// Nothing would be left to open.
    #[error(
        "together with the reviews before it, it would leave no service and so nothing to open; deny it instead"
    )]
    Nothing,
}

impl Narrow {
    /// Whether it takes nothing away.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.duration.is_none() && self.services.is_none() && self.uses.is_none()
    }

    /// Whether it takes away from these terms, and leaves something.
    pub(crate) fn of(&self, terms: &Terms) -> Result<(), NotNarrower> {
        let Self { duration, services, uses } = self;
        if let Some(given) = duration.filter(|given| *given > terms.duration || given.is_zero()) {
            return Err(NotNarrower::Longer { asked: terms.duration, given });
        }
        if let Some(service) = services.iter().flatten().find(|service| !terms.services.contains(*service)) {
            return Err(NotNarrower::Service(service.clone()));
        }
        if uses.is_some_and(|uses| Uses::Times(uses) > terms.uses) {
            return Err(NotNarrower::Uses(terms.uses));
        }
        Ok(())
    }
}

/// What would open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// For how long.
    pub duration: Duration,
    /// Which services.
    pub services: BTreeSet<ServiceName>,
    /// How many logins.
    pub uses: Uses,
}

impl Terms {
    /// What was asked for.
    #[must_use]
    pub fn asked(request: &Request) -> Self {
        Self { duration: request.duration, services: request.services.clone(), uses: request.uses }
    }

    /// What these reviews leave of it.
    #[must_use]
    pub fn left<'r>(request: &Request, reviews: impl IntoIterator<Item = &'r Review>) -> Self {
        let approvals = reviews.into_iter().filter(|review| review.decision == Decision::Approve);
        approvals.fold(Self::asked(request), |terms, review| terms.narrowed(&review.narrow))
    }

    fn narrowed(mut self, by: &Narrow) -> Self {
        let Narrow { duration, services, uses } = by;
        self.duration = self.duration.min(duration.unwrap_or(self.duration));
        if let Some(services) = services {
            self.services.retain(|service| services.contains(service));
        }
        self.uses = uses.map_or(self.uses, |uses| self.uses.stricter(Uses::Times(uses)));
        self
    }

    /// Whether a review that narrows so leaves something to open.
    pub(crate) fn with(&self, narrow: &Narrow) -> Result<(), NotNarrower> {
        if self.clone().narrowed(narrow).services.is_empty() { Err(NotNarrower::Nothing) } else { Ok(()) }
    }
}

/// Opens what was approved: the window, or, where that is for later, a grant that waits for it.
pub(crate) fn opened(here: Here<'_>, role: &Role, request: &Request, reviews: &[Review]) -> Event {
    let Terms { duration, services, uses } = Terms::left(request, reviews);
    let grant = Grant {
        id: request.id.into(),
        user: request.beneficiary.name.clone(),
        uid: request.beneficiary.uid,
        role: request.role.clone(),
        services,
        limits: role.limits.clone(),
        terms: request.terms,
        time: time(here, role, request, duration),
        uses,
        used: 0,
        extends: request.extends,
        emergency: role.emergency,
    };
    Event::Opened { grant }
}

fn time(here: Here<'_>, role: &Role, request: &Request, duration: Duration) -> Time {
    let Here { state, now, .. } = here;
    let survives_reboot = role.survives_reboot;
    let scheduled = |begins| Time::Scheduled {
        scheduled: Scheduled { since: now.clone(), begins, duration, survives_reboot },
    };
    let open = |start| Time::Open { window: Window { start, duration, survives_reboot } };
    let base = request.extends.filter(|base| state.grant(*base).is_some_and(|g| !g.remaining(now).is_zero()));
    match (base, request.start, role.starts) {
        (Some(base), _, _) => scheduled(Begins::After(base)),
        // A late approval gets what remains.
        (None, Some(start), _) if start <= now.wall => {
            let window = Window { start: now.clone(), duration, survives_reboot };
            Time::Open { window: window.begun_at(start, now) }
        }
        (None, Some(start), _) => scheduled(Begins::At(start)),
        (None, None, Starts::AtFirstUse { lapse }) => scheduled(Begins::AtFirstUse { lapse }),
        (None, None, Starts::AtApproval) => open(now.clone()),
    }
}

/// When a request that names a start would be over before it opened.
pub(crate) fn too_late(request: &Request, now: Utc) -> bool {
    request.start.is_some_and(|start| start.plus(request.duration) <= now)
}
