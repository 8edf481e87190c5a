//! The one place that reads clocks: through libc, so that libfaketime can move them in tests.

use std::time::Duration;

use jit_core::clock::Sample;
use jit_core::time::{BootId, Utc};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};

use crate::procfs::ProcFolder;

/// The clocks of this boot.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    boot_id: BootId,
    /// How far tests have moved it.
    #[cfg(test)]
    moved: std::sync::Arc<std::sync::Mutex<Moved>>,
}

/// What tests have made of the clocks.
#[cfg(test)]
#[derive(Debug, Default)]
struct Moved {
    on: Duration,
    step: i64,
}

#[cfg(test)]
impl Moved {
    fn applied(&self, now: Sample) -> Sample {
        let boot = now.boot + u64::try_from(self.on.as_millis()).unwrap();
        Sample {
            wall: Utc::from_unix_millis(now.wall.plus(self.on).unix_millis() + self.step * 1000),
            boot,
            ..now
        }
    }
}

/// The machine does not tell its time or boot.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what}: {why}")]
pub(crate) struct NoClock {
    what: &'static str,
    why: String,
}

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Time since boot, suspend included: for how long something took, never for a decision.
pub(crate) fn since_boot() -> Duration {
    Duration::from_millis(u64::try_from(millis(ClockId::CLOCK_BOOTTIME)).unwrap_or(0))
}

/// What the wall clock says: for what is said to people, never for a decision.
pub(crate) fn wall() -> Utc {
    Utc::from_unix_millis(millis(ClockId::CLOCK_REALTIME))
}

/// A moment of the kernel's other clock that begins with the boot (CLOCK_MONOTONIC of clock_gettime(2)), which stands
/// still while the machine is suspended, by the boot clock: as if it had not been suspended since. Rounded down to
/// 100 ms, as the two are not read in one moment.
pub(crate) fn by_boot_clock(monotonic: Duration) -> Duration {
    const STEP: i64 = 100;

    let suspended = millis(ClockId::CLOCK_BOOTTIME) - millis(ClockId::CLOCK_MONOTONIC);
    monotonic.saturating_add(Duration::from_millis(u64::try_from(suspended / STEP * STEP).unwrap_or(0)))
}

/// Samples a clock. They exist on every Linux since 2.6.39; a kernel that lost them reads as the epoch, which opens
/// nothing.
fn millis(id: ClockId) -> i64 {
    clock_gettime(id).map_or(0, |time| time.num_milliseconds())
}

impl Clock {
    /// Learns which boot this is.
    pub(crate) fn of_this_boot() -> Result<Self, NoClock> {
        let unreadable = |why: String| NoClock { what: BOOT_ID, why };
        let kernel = std::fs::read_to_string(BOOT_ID).map_err(|err| unreadable(err.to_string()))?;
        let init = ProcFolder::of(1).and_then(|init| init.start_time());
        let init = init.map_err(|err| NoClock { what: "/proc/1/stat", why: err.to_string() })?;
        let boot_id =
            format!("{}+{init}", kernel.trim()).parse().map_err(|err| unreadable(format!("{err}")))?;
        Ok(Self {
            boot_id,
            #[cfg(test)]
            moved: std::sync::Arc::default(),
        })
    }

    /// Samples both clocks. `synced` is what the kernel was last known to think of the wall clock.
    pub(crate) fn sample(&self, synced: Option<bool>) -> Sample {
        let now = Sample {
            wall: Utc::from_unix_millis(millis(ClockId::CLOCK_REALTIME)),
            boot: u64::try_from(millis(ClockId::CLOCK_BOOTTIME)).unwrap_or(0),
            boot_id: self.boot_id.clone(),
            synced,
        };
        #[cfg(test)]
        let now = self.moved.lock().unwrap().applied(now);
        now
    }

    /// Moves this clock and its clones on.
    #[cfg(test)]
    pub(crate) fn go_on(&self, by: Duration) {
        self.moved.lock().unwrap().on += by;
    }

    /// Steps the wall clock alone.
    #[cfg(test)]
    pub(crate) fn step(&self, seconds: i64) {
        self.moved.lock().unwrap().step += seconds;
    }
}
