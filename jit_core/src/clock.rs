//! Whether the wall clock can be believed (DESIGN §6). Pure: jitd samples the clocks and hands the samples in.
//!
//! Two things tell. The *mark* is the latest time that was ever believed; it is kept on disk, and a clock far behind
//! it has been stepped back, or has forgotten the time. The *anchor* is a pair of readings, taken at boot or when the
//! clock was accepted, from which `CLOCK_BOOTTIME` says what the wall clock should read; a clock far ahead of that has
//! been stepped forward. Samples never move the anchor, so that many small steps are one large one.
//!
//! A suspect clock stops starts and nothing else. It stops being suspect when an admin accepts it, when the kernel has
//! held it to be synchronised for ten minutes, or when it is back where it should be.
//!
//! The running time of all boots is kept here too: what a window that survives a reboot is charged when the wall clock
//! does not tell. It is written off ahead of time, so that a machine that loses its power has lost that much of its
//! windows, and never gains any.

use std::time::Duration;

use jit_proto::words::Reason;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::model::BySignature;
use crate::time::{BootId, Moment, Recovery, Suspicion, Utc};

/// How far the wall clock may be off before it is suspect.
pub const TOLERANCE: Duration = Duration::from_mins(2);

/// How long the kernel must have held the wall clock to be synchronised.
pub const SYNCED_FOR: Duration = Duration::from_mins(10);

/// No jitd was built before this day: a clock that says less has lost the time.
pub const EARLIEST: Utc = Utc::from_unix_millis(1_761_955_200_000);

/// How much running time is written off at once.
const ADVANCE: Duration = Duration::from_mins(2);

/// With less than this left of it, more is.
const LOW: Duration = Duration::from_mins(1);

/// The clocks as they were read, not yet judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The wall clock.
    pub wall: Utc,
    /// `CLOCK_BOOTTIME` in milliseconds.
    pub boot: u64,
    /// The boot that `boot` counts from.
    pub boot_id: BootId,
    /// Whether the kernel holds the wall clock to be synchronised; absent where that is not known.
    pub synced: Option<bool>,
}

impl Sample {
    /// The sample as it is, for where nothing is known to judge it by.
    #[must_use]
    pub fn believed(self) -> Moment {
        Moment { synced: self.synced, ..Moment::believed(self.wall, self.boot, self.boot_id) }
    }
}

/// Both clocks at one moment of a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reading {
    wall: Utc,
    boot_ms: u64,
}

impl Reading {
    const fn of(sample: &Sample) -> Self {
        Self { wall: sample.wall, boot_ms: sample.boot }
    }

    /// What the wall clock would say after so much running time.
    fn wall_at(self, boot_ms: u64) -> Utc {
        self.wall.plus(Duration::from_millis(boot_ms.saturating_sub(self.boot_ms)))
    }
}

/// What the wall clock is judged by, and what came of it. Kept in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    mark: Utc,
    boot_id: BootId,
    anchor: Reading,
    last: Reading,
    /// Running time before this boot.
    before_ms: u64,
    /// Running time that is written off: never less than there has been when something is answered.
    charged_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doubt: Option<Doubt>,
}

/// A suspicion, and what is there against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Doubt {
    why: Suspicion,
    since: Utc,
    /// Since when the kernel says without a break that the clock is synchronised. A restart of jitd is a break.
    #[serde(skip)]
    synced: Option<Reading>,
}

/// Why the clock cannot be accepted as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// It is believed already.
    #[error("the clock is not suspect, so there is nothing to accept; nothing was changed")]
    Trusted,
    /// It says a time that cannot be.
    #[error("the clock says {}, before this jitd was built; set it first, as with 'timedatectl set-time'", .0.to_seconds())]
    Absurd(Utc),
}

impl Trust {
    /// Goes on from what the store knows, or, with nothing known, believes the first sample that is not absurd. The
    /// event is to be recorded.
    #[must_use]
    pub fn resume(stored: Option<Self>, sample: &Sample) -> (Self, Option<Event>) {
        let here = Reading::of(sample);
        let fresh = || Self {
            mark: EARLIEST,
            boot_id: sample.boot_id.clone(),
            anchor: here,
            last: here,
            before_ms: 0,
            charged_ms: 0,
            doubt: None,
        };
        let mut trust = stored.unwrap_or_else(fresh);
        if trust.boot_id.kernel() != sample.boot_id.kernel() {
            trust.reboot(here);
        }
        trust.boot_id = sample.boot_id.clone();
        let event = trust.see(sample);
        (trust, event)
    }

    /// A new boot: `CLOCK_BOOTTIME` counts from zero again.
    fn reboot(&mut self, here: Reading) {
        // A clock that was too far ahead and has not been put back meanwhile still is as far ahead as it was.
        let still_ahead =
            self.suspect() == Some(Suspicion::Ahead) && here.wall.plus(TOLERANCE) >= self.last.wall;
        let ahead = if still_ahead { self.ahead_by(self.last) } else { Duration::ZERO };
        self.anchor = Reading { wall: here.wall.minus(ahead), ..here };
        self.before_ms = self.charged_ms;
    }

    /// Judges a sample. The event, if there is one, is to be recorded at [`Trust::moment`] of the same sample.
    pub fn see(&mut self, sample: &Sample) -> Option<Event> {
        let here = Reading::of(sample);
        self.last = here;
        let was = self.suspect();
        let Some(is) = self.seems(here) else {
            let event = was.map(|why| self.recovered(why, Recovery::Returned));
            self.doubt = None;
            self.mark = self.mark.max(here.wall);
            return event;
        };
        if was != Some(is) {
            let synced = (sample.synced == Some(true)).then_some(here);
            self.doubt = Some(Doubt { why: is, since: here.wall, synced });
            return Some(Event::ClockSuspect { why: is, mark: self.mark, expected: self.expected() });
        }
        let synced_for = self.synced_for(here, sample.synced);
        if synced_for.is_some_and(|time| time >= SYNCED_FOR) && here.wall >= EARLIEST {
            let event = self.recovered(is, Recovery::Synchronised);
            self.set_by(here);
            return Some(event);
        }
        None
    }

    /// What a reading looks like. To be believed again takes more than not to have been doubted.
    fn seems(&self, here: Reading) -> Option<Suspicion> {
        let grace = if self.doubt.is_none() { TOLERANCE } else { Duration::ZERO };
        if here.wall.plus(grace) < self.mark {
            Some(Suspicion::Behind)
        } else if self.ahead_by(here) > TOLERANCE {
            Some(Suspicion::Ahead)
        } else {
            None
        }
    }

    fn ahead_by(&self, here: Reading) -> Duration {
        here.wall.since(self.anchor.wall_at(here.boot_ms))
    }

    /// For how long the kernel has said so, with no step in between.
    fn synced_for(&mut self, here: Reading, synced: Option<bool>) -> Option<Duration> {
        let doubt = self.doubt.as_mut()?;
        if synced != Some(true) {
            doubt.synced = None;
            return None;
        }
        let steady = |from: &Reading| {
            let expected = from.wall_at(here.boot_ms);
            here.wall.since(expected).max(expected.since(here.wall)) <= TOLERANCE
        };
        let from = *doubt.synced.insert(doubt.synced.filter(steady).unwrap_or(here));
        Some(Duration::from_millis(here.boot_ms.saturating_sub(from.boot_ms)))
    }

    fn recovered(&self, why: Suspicion, by: Recovery) -> Event {
        Event::ClockRecovered { why, by, mark: self.mark, expected: self.expected() }
    }

    /// From here on this reading is what others are judged by.
    fn set_by(&mut self, here: Reading) {
        self.mark = here.wall;
        self.anchor = here;
        self.doubt = None;
    }

    /// An admin says that the clock is right. What was known before is in the event.
    pub fn accept(
        &mut self,
        sample: &Sample,
        reason: Option<Reason>,
        statement: Option<Box<BySignature>>,
    ) -> Result<Event, NotAccepted> {
        let here = Reading::of(sample);
        let why = self.suspect().ok_or(NotAccepted::Trusted)?;
        if here.wall < EARLIEST {
            return Err(NotAccepted::Absurd(here.wall));
        }
        let event =
            Event::ClockAccepted { why, mark: self.mark, expected: self.expected(), reason, statement };
        self.set_by(here);
        Ok(event)
    }

    /// A sample with what it is worth.
    #[must_use]
    pub fn moment(&self, sample: &Sample) -> Moment {
        let Sample { wall, boot, boot_id, synced } = sample.clone();
        Moment { wall, boot, boot_id, ran: Some(self.ran(boot)), suspect: self.suspect(), synced }
    }

    const fn ran(&self, boot: u64) -> u64 {
        self.before_ms.saturating_add(boot)
    }

    /// Whether it is to be written now: no more than a minute is left of what was written off.
    #[must_use]
    pub const fn is_due(&self, now: &Moment) -> bool {
        self.ran(now.boot).saturating_add(millis(LOW)) >= self.charged_ms
    }

    /// What is to be written, with as much written off as will do for a while.
    #[must_use = "what is written off and not written may be given out a second time"]
    pub fn to_write(&mut self, now: &Moment) -> Self {
        self.charged_ms = self.charged_ms.max(self.ran(now.boot).saturating_add(millis(ADVANCE)));
        self.clone()
    }

    /// What is to be written at the end: nothing is charged that did not happen.
    #[must_use]
    pub fn closed(&self, now: &Moment) -> Self {
        Self { charged_ms: self.ran(now.boot), ..self.clone() }
    }

    /// Why the wall clock is not believed, if it is not.
    #[must_use]
    pub fn suspect(&self) -> Option<Suspicion> {
        self.doubt.map(|doubt| doubt.why)
    }

    /// What the wall clock said when it began to be suspect.
    #[must_use]
    pub fn suspect_since(&self) -> Option<Utc> {
        self.doubt.map(|doubt| doubt.since)
    }

    /// The latest time that was believed.
    #[must_use]
    pub const fn mark(&self) -> Utc {
        self.mark
    }

    /// What the wall clock should say by the anchor and `CLOCK_BOOTTIME`, as of the last sample.
    #[must_use]
    pub fn expected(&self) -> Utc {
        self.anchor.wall_at(self.last.boot_ms)
    }
}

/// Of the constants above, which are minutes.
const fn millis(duration: Duration) -> u64 {
    duration.as_secs() * 1000
}

#[cfg(test)]
mod tests;
