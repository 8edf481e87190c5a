//! Why nothing is decided, and whether that lasts.
//!
//! `recovery=` lets accounts in while jitd cannot decide. So that nobody can bring that about by an order, a crowd or a
//! moment's bad luck, jitd says so only of what lasts: no policy, or a store that the disk has not taken for some
//! seconds. Everything else is refused like any other order, and may be tried again.

use std::time::Duration;

/// A store that has not worked for so long does not for good: as long as the module waits for an answer by default.
const LASTS: Duration = Duration::from_secs(3);

/// Why there is no decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CannotDecide {
    /// jitd runs but cannot decide or record, and that lasts. Every managed login is refused; `recovery=` accounts get
    /// through.
    #[error("jitd cannot decide: {0}")]
    Lasting(String),
    /// Not in this moment. Nobody gets through by that.
    #[error("jitd cannot decide just now: {0}; try again")]
    ForNow(String),
    /// What the order comes to cannot be written, though the store works. Nobody gets through by that either.
    #[error("{0}. Please report it with: journalctl -u jitd")]
    Fault(String),
}

impl CannotDecide {
    /// Why, without a word on what that means.
    pub(super) fn why(self) -> String {
        match self {
            Self::Lasting(why) | Self::ForNow(why) | Self::Fault(why) => why,
        }
    }
}

/// The store does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    /// Why, in words.
    pub(super) why: String,
    /// Since when the disk has not taken anything but a first record, by the boot clock; absent where the disk is well
    /// as far as is known.
    pub(super) since: Option<Duration>,
}

impl Outage {
    /// What is answered meanwhile.
    pub(super) fn answer(&self, now: Duration) -> CannotDecide {
        answer(self.why.clone(), self.since, now)
    }
}

/// The answer where the disk has failed since then, if it has.
pub(super) fn answer(why: String, since: Option<Duration>, now: Duration) -> CannotDecide {
    match since {
        Some(since) if now.saturating_sub(since) >= LASTS => CannotDecide::Lasting(why),
        Some(_) | None => CannotDecide::ForNow(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_lasted_for_seconds_is_said_to_last() {
        let second = Duration::from_secs(1);
        let outage = |since| Outage { why: "the disk is full".into(), since };
        let lasts = |since, now| matches!(outage(since).answer(now), CannotDecide::Lasting(_));
        assert!(!lasts(Some(second * 10), second * 12));
        assert!(lasts(Some(second * 10), second * 13));
        assert!(!lasts(None, second * 1_000));
        // A clock that went back says nothing.
        assert!(!lasts(Some(second * 10), second));
    }
}
