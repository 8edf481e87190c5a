//! For how long logins were enforced, only observed, or not decided at all.

use std::collections::BTreeMap;
use std::time::Duration;

use jit_core::event::{Event, Record};
use jit_core::policy::{Observed, Policy};
use jit_core::time::Utc;
use serde::Serialize;

use crate::period::Period;

/// How the period divides, as far as there is a log of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hours {
    /// jitd ran, and enforced at every service that is not among the observed.
    pub enforced_seconds: u64,
    /// It ran, and by policy only watched, at every service.
    pub observed_seconds: u64,
    /// It did not run; where it was killed, since its last record.
    pub down_seconds: u64,
    /// Services at which it only watched, while it enforced at others.
    pub observed_at: Vec<ObservedAt>,
}

/// A service that was observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObservedAt {
    /// The service, as policy names it.
    pub service: String,
    /// For how long.
    pub seconds: u64,
}

/// Where jitd only watches.
#[derive(Debug, Default, PartialEq, Eq)]
enum Watches {
    #[default]
    Nowhere,
    At(Vec<String>),
    Everywhere,
}

/// What is learned of that, record by record.
#[derive(Debug, Default)]
pub(crate) struct HoursFold {
    /// When the last record was written, and whether jitd had stopped by then.
    last: Option<(Utc, bool)>,
    watches: Watches,
    enforced: Duration,
    observed: Duration,
    down: Duration,
    at: BTreeMap<String, Duration>,
}

impl HoursFold {
    pub(crate) fn take(&mut self, record: &Record, period: Period) {
        let now = record.at.wall;
        if let Some((from, stopped)) = self.last {
            let is_down = stopped || matches!(record.event, Event::Started { .. });
            self.passes(from, now, is_down, period);
        }
        self.last = Some((now, matches!(record.event, Event::Stopped)));
    }

    /// A policy is in force from the last record on; none where it is not understood here.
    pub(crate) fn under(&mut self, policy: Option<&Policy>) {
        self.watches = match policy.map(Policy::observed) {
            None | Some(Observed::Nothing) => Watches::Nowhere,
            Some(Observed::At(services)) => Watches::At(services.iter().map(ToString::to_string).collect()),
            Some(Observed::Everything) => Watches::Everywhere,
        };
    }

    fn passes(&mut self, from: Utc, to: Utc, is_down: bool, period: Period) {
        let from = period.since.map_or(from, |since| since.max(from));
        let to = period.until.map_or(to, |until| until.min(to));
        let took = to.since(from);
        if is_down {
            self.down += took;
            return;
        }
        match &self.watches {
            Watches::Everywhere => self.observed += took,
            Watches::Nowhere => self.enforced += took,
            Watches::At(services) => {
                self.enforced += took;
                for service in services {
                    *self.at.entry(service.clone()).or_default() += took;
                }
            }
        }
    }

    /// How the period divides, up to its end or that of the log.
    pub(crate) fn finish(mut self, period: Period, as_of: Option<Utc>) -> Hours {
        if let Some(((from, stopped), to)) = self.last.zip(as_of) {
            self.passes(from, to, stopped, period);
        }
        let at = self.at.into_iter().filter(|(_, took)| !took.is_zero());
        Hours {
            enforced_seconds: self.enforced.as_secs(),
            observed_seconds: self.observed.as_secs(),
            down_seconds: self.down.as_secs(),
            observed_at: at.map(|(service, took)| ObservedAt { service, seconds: took.as_secs() }).collect(),
        }
    }
}
