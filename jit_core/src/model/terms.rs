//! What a request asks for, what reviews leave of it, and what would open (law 5).

use std::time::Duration;

use jit_proto::words::ServiceName;

use super::request::Request;
use super::review::{Decision, Narrow, Review};
use crate::duration::Human;
use crate::policy::Uses;
use crate::services::Services;

/// Why a review's terms are no narrowing of the request.
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

/// What a request would open: time, services and uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// For how long.
    pub duration: Duration,
    /// The services that would open.
    pub services: Services,
    /// How many logins.
    pub uses: Uses,
}

impl Terms {
    /// Whether a review that narrows so takes away from these terms, and leaves time and logins.
    pub(crate) fn allow(&self, narrow: &Narrow) -> Result<(), NotNarrower> {
        let Narrow { duration, services, uses } = narrow;
        if let Some(given) = duration.filter(|given| *given > self.duration || given.is_zero()) {
            return Err(NotNarrower::Longer { asked: self.duration, given });
        }
        if let Some(service) = services.iter().flatten().find(|service| !self.services.contains(service)) {
            return Err(NotNarrower::Service(service.clone()));
        }
        if uses.is_some_and(|uses| Uses::Times(uses) > self.uses) {
            return Err(NotNarrower::Uses(self.uses));
        }
        Ok(())
    }

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
            self.services = self.services.both(services);
        }
        self.uses = uses.map_or(self.uses, |uses| self.uses.stricter(Uses::Times(uses)));
        self
    }

    /// Whether a review that narrows so leaves something to open.
    pub(crate) fn with(&self, narrow: &Narrow) -> Result<(), NotNarrower> {
        if self.clone().narrowed(narrow).services.is_empty() { Err(NotNarrower::Nothing) } else { Ok(()) }
    }
}
