//! Moments and windows. Nothing here reads a clock: jitd samples them and hands the moment in.
//!
//! Law 6: elapsed time is the larger of what the wall clock and `CLOCK_BOOTTIME` say, so stepping the wall
//! clock back never lengthens a window, and stepping it forward only shortens one. Whether the wall clock can be
//! believed is for the clock's rules to say, which are in `jit_core`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jit_proto::words::BadWord;
use serde::{Deserialize, Serialize};

/// Wall-clock time in UTC, to the millisecond. Written as RFC 3339: `2026-11-23T06:50:33.120Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Utc(i64);

impl Utc {
    /// From milliseconds since the Unix epoch, limited to years that RFC 3339 can write.
    #[must_use]
    pub const fn from_unix_millis(millis: i64) -> Self {
        const LAST: i64 = 253_402_207_200_000;
        Self(if millis < 0 {
            0
        } else if millis > LAST {
            LAST
        } else {
            millis
        })
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// This moment and `duration`, at most the year 9999.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self::from_unix_millis(self.0.saturating_add(millis(duration)))
    }

    /// This moment less `duration`, at least the epoch.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self::from_unix_millis(self.0.saturating_sub(millis(duration)))
    }

    /// Time since `earlier`; zero if the clock says that it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The whole second that it is in.
    #[must_use]
    pub const fn whole_seconds(self) -> Self {
        Self(self.0 - self.0 % 1000)
    }

    /// RFC 3339 to the second, as people and JSON get it. Rounded down: a window is never said to last longer.
    #[must_use]
    pub fn to_seconds(self) -> String {
        self.whole_seconds().to_string()
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In range by construction, so the epoch is never shown for anything else.
        let stamp = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{stamp}")
    }
}

impl FromStr for Utc {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let bad = BadWord::NotOneOf { what: "time", expected: "RFC 3339 in UTC, like 2026-11-23T06:50:33Z" };
        let stamp: jiff::Timestamp = text.parse().map_err(|_| bad)?;
        Ok(Self::from_unix_millis(stamp.as_millisecond()))
    }
}

impl TryFrom<String> for Utc {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<Utc> for String {
    fn from(utc: Utc) -> Self {
        utc.to_string()
    }
}

/// Which boot of the machine: the kernel's random boot id, `+`, and the start time of process 1, which is another
/// one after the restart of a container, whose kernel goes on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BootId(String);

/// No boot of any machine: for stories that happen nowhere.
impl Default for BootId {
    fn default() -> Self {
        Self("00000000-0000-0000-0000-000000000000".to_owned())
    }
}

impl BootId {
    /// The kernel's part. While it stays the same, so does what `CLOCK_BOOTTIME` counts from.
    #[must_use]
    pub fn kernel(&self) -> &str {
        self.0.split_once('+').map_or(self.0.as_str(), |(kernel, _)| kernel)
    }
}

impl FromStr for BootId {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let text = text.trim();
        let (kernel, init) = text.split_once('+').unwrap_or((text, "0"));
        let is_uuid = kernel.len() == 36 && kernel.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        if !is_uuid || init.is_empty() || init.len() > 20 || !init.bytes().all(|b| b.is_ascii_digit()) {
            let expected = "36 hex digits and hyphens, + and a number";
            return Err(BadWord::NotOneOf { what: "boot id", expected });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for BootId {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<BootId> for String {
    fn from(id: BootId) -> Self {
        id.0
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why the wall clock is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Suspicion {
    /// It is behind the latest time that was believed: it was stepped back, or the machine forgot the time.
    Behind,
    /// It has been stepped forward against `CLOCK_BOOTTIME`.
    Ahead,
}

impl Suspicion {
    /// The word in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Behind => "behind",
            Self::Ahead => "ahead",
        }
    }
}

/// What happened, in words that follow "the clock".
impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Behind => "is behind the latest time that was known here",
            Self::Ahead => "was stepped forward",
        })
    }
}

/// How a clock came to be believed again without anybody's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recovery {
    /// It is where it should be: past the mark, and no more ahead of `CLOCK_BOOTTIME`.
    Returned,
    /// The kernel has held it to be synchronised for `SYNCED_FOR` of the clock's rules.
    Synchronised,
}

impl Recovery {
    /// The word in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Synchronised => "synchronised",
        }
    }
}

/// One sample of the clocks, and what the wall clock's word is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The wall clock.
    #[serde(rename = "time")]
    pub wall: Utc,
    /// `CLOCK_BOOTTIME` in milliseconds: time since boot, suspend included (clock_gettime(2)).
    #[serde(rename = "boot_ms")]
    pub boot: u64,
    /// The boot that `boot` counts from.
    pub boot_id: BootId,
    /// How long this machine has been up in all boots that jitd knows, in milliseconds: what measures time over a
    /// restart when the wall clock does not. Absent in what was written before this was kept.
    #[serde(rename = "ran_ms", default, skip_serializing_if = "Option::is_none")]
    pub ran: Option<u64>,
    /// Why the wall clock was not believed then; absent while it was.
    #[serde(rename = "clock", default, skip_serializing_if = "Option::is_none")]
    pub suspect: Option<Suspicion>,
    /// Whether the kernel held the wall clock to be synchronised; absent where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced: Option<bool>,
}

impl Moment {
    /// A sample that nobody has judged, and that is believed.
    #[must_use]
    pub const fn believed(wall: Utc, boot: u64, boot_id: BootId) -> Self {
        Self { wall, boot, boot_id, ran: None, suspect: None, synced: None }
    }

    /// Whether the wall clock's word counts.
    #[must_use]
    pub const fn is_trusted(&self) -> bool {
        self.suspect.is_none()
    }

    /// The moment of this boot at which the wall clock, had it always run as it does now, said `wall`.
    #[must_use]
    pub fn back_at(&self, wall: Utc) -> Self {
        let ago = u64::try_from(self.wall.since(wall).as_millis()).unwrap_or(u64::MAX);
        let (boot, ran) = (self.boot.saturating_sub(ago), self.ran.map(|ran| ran.saturating_sub(ago)));
        Self { wall, boot, ran, ..self.clone() }
    }

    /// What the clocks will say when so much time has passed.
    #[must_use]
    pub fn later(&self, by: Duration) -> Self {
        let more = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let (boot, ran) = (self.boot.saturating_add(more), self.ran.map(|ran| ran.saturating_add(more)));
        Self { wall: self.wall.plus(by), boot, ran, ..self.clone() }
    }

    /// Time since `earlier`: the larger of the clocks' answers (law 6). What began while the wall clock was suspect
    /// runs on `CLOCK_BOOTTIME` alone until the next boot: a wrong reading that is put right measures nothing.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Duration {
        let wall = self.wall.since(earlier.wall);
        match self.up_since(earlier) {
            Some(up) if self.boot_id == earlier.boot_id && !earlier.is_trusted() => up,
            Some(up) => wall.max(up),
            None => wall,
        }
    }

    /// What each clock says here or there, whichever is earlier. Of two boots, the clocks of the other one count.
    #[must_use]
    pub fn no_later_than(&self, other: &Self) -> Self {
        let wall = self.wall.min(other.wall);
        if self.boot_id != other.boot_id {
            return Self { wall, ..other.clone() };
        }
        let ran = self.ran.zip(other.ran).map(|(here, there)| here.min(there)).or(self.ran);
        Self { wall, boot: self.boot.min(other.boot), ran, ..self.clone() }
    }

    /// The same where too long is the safe side, as for what keeps people out: the least of those clocks that can be
    /// believed. Time in which the machine was off is told by the wall clock alone; what is later than a clock that is believed
    /// now was taken down by one that was wrong, and only how long the machine has been up since tells of it.
    #[must_use]
    pub fn at_least_since(&self, earlier: &Self) -> Duration {
        let wall = self.wall.since(earlier.wall);
        let rebooted = self.boot_id != earlier.boot_id;
        match self.up_since(earlier) {
            Some(up) if !earlier.is_trusted() => up,
            up if self.is_trusted() && earlier.wall > self.wall => {
                up.unwrap_or(Duration::from_millis(self.boot))
            }
            Some(_) if rebooted && self.is_trusted() => wall,
            Some(up) => wall.min(up),
            None => wall,
        }
    }

    /// How long the machine was up since `earlier`, where that is known.
    fn up_since(&self, earlier: &Self) -> Option<Duration> {
        let up = if self.boot_id == earlier.boot_id {
            self.boot.saturating_sub(earlier.boot)
        } else {
            self.ran?.saturating_sub(earlier.ran?)
        };
        Some(Duration::from_millis(up))
    }
}

/// The half-open time `[start, start + duration)` in which a grant admits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When it opened.
    pub start: Moment,
    /// How long it is open, in whole seconds.
    #[serde(with = "seconds")]
    pub duration: Duration,
    /// Whether it goes on after a restart of the machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub survives_reboot: bool,
}

impl Window {
    /// A window that has not begun, as one that began when the wall clock said `start` and is charged from now on: what
    /// was over before this boot is taken off, so that no later step of the wall clock gives it back. Whole seconds.
    #[must_use]
    pub fn begun_at(self, start: Utc, now: &Moment) -> Self {
        let ago = now.wall.since(start);
        if ago <= Duration::from_millis(now.boot) {
            return Self { start: now.back_at(start), ..self };
        }
        let left = Duration::from_secs(self.duration.saturating_sub(ago).as_secs());
        Self { start: now.clone(), duration: left, ..self }
    }

    /// What is left at `now`; zero from the very end on, and after a reboot that it does not survive.
    #[must_use]
    pub fn remaining(&self, now: &Moment) -> Duration {
        if self.ended_by_reboot(now) {
            return Duration::ZERO;
        }
        self.duration.saturating_sub(now.since(&self.start))
    }

    /// Whether a restart of the machine has ended it.
    #[must_use]
    pub fn ended_by_reboot(&self, now: &Moment) -> bool {
        !self.survives_reboot && self.start.boot_id != now.boot_id
    }

    /// The moment at which it ends if both clocks run evenly: where what extends it begins.
    #[must_use]
    pub fn last(&self) -> Moment {
        self.start.later(self.duration)
    }

    /// The end by the wall clock as it stood at the start.
    #[must_use]
    pub fn end(&self) -> Utc {
        self.start.wall.plus(self.duration)
    }

    /// The end as the wall clock of `now` will say it: another one than [`Window::end`] where it opened by a clock
    /// that was suspect.
    #[must_use]
    pub fn end_seen_at(&self, now: &Moment) -> Utc {
        if self.start.is_trusted() { self.end() } else { now.wall.plus(self.remaining(now)) }
    }
}

/// Durations in records and digests are whole seconds.
pub mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's `with` passes a reference
    /// Writes whole seconds.
    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(duration.as_secs())
    }

    /// Reads whole seconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

/// The same where there may be none.
pub mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref)] // serde's `with` passes a reference
    /// Writes whole seconds, or null.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        duration.map(|duration| duration.as_secs()).serialize(to)
    }

    /// Reads whole seconds, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOOT_A: &str = "6f8e4c1a-0000-4000-8000-00000000000a";
    const BOOT_B: &str = "6f8e4c1a-0000-4000-8000-00000000000b";

    fn at(wall: i64, boot: u64) -> Moment {
        Moment::believed(Utc::from_unix_millis(wall), boot, BOOT_A.parse().unwrap())
    }

    fn at_next_boot(wall: i64, boot: u64) -> Moment {
        Moment { boot_id: BOOT_B.parse().unwrap(), ..at(wall, boot) }
    }

    fn minute_from(start: Moment) -> Window {
        Window { start, duration: Duration::from_secs(60), survives_reboot: false }
    }

    #[test]
    fn a_window_is_half_open() {
        let window = minute_from(at(1_000, 500));
        assert_eq!(window.remaining(&at(1_000, 500)), Duration::from_secs(60));
        assert_eq!(window.remaining(&at(60_999, 60_499)), Duration::from_millis(1));
        assert_eq!(window.remaining(&at(61_000, 60_500)), Duration::ZERO);
    }

    #[test]
    fn stepping_the_wall_clock_back_does_not_lengthen_a_window() {
        let window = minute_from(at(1_000_000, 0));
        assert_eq!(window.remaining(&at(0, 60_000)), Duration::ZERO);
    }

    #[test]
    fn stepping_the_wall_clock_forward_ends_a_window() {
        assert_eq!(minute_from(at(0, 0)).remaining(&at(60_000, 1)), Duration::ZERO);
    }

    #[test]
    fn a_reboot_ends_a_window() {
        assert_eq!(minute_from(at(0, 0)).remaining(&at_next_boot(1, 1)), Duration::ZERO);
    }

    #[test]
    fn time_reads_back_as_it_was_written() {
        let text = "2026-11-23T06:50:33.12Z";
        let utc: Utc = text.parse().unwrap();
        assert_eq!(utc.to_string(), text);
        assert_eq!(utc.to_seconds(), "2026-11-23T06:50:33Z");
        assert!("2026-11-23 06:50".parse::<Utc>().is_err());
    }

    proptest! {
        #[test]
        fn no_pair_of_clock_readings_gives_more_than_the_duration(
            start in 0i64..1 << 41, boot in 0u64..1 << 35, wall in 0i64..1 << 41, later in 0u64..1 << 35,
        ) {
            let window = minute_from(at(start, boot));
            let left = window.remaining(&at(wall, boot + later));
            prop_assert!(left <= window.duration.saturating_sub(Duration::from_millis(later)));
        }
    }
}
