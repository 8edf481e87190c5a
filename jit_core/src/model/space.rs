//! How much room there is for the record, and when that is too little for anything new to open.

use serde::{Deserialize, Serialize};

/// Less than this is little, on whatever disk: years of records on most hosts, and an hour of them where something runs wild.
const LITTLE: u64 = 256 * 1024 * 1024;

/// More than one part in so many is enough on a small one.
const PARTS: u64 = 10;

/// Below this nothing new opens, on whatever disk.
const KEPT: u64 = 32 * 1024 * 1024;

/// Nor below one part in so many of a small one.
const KEPT_PARTS: u64 = 20;

/// The least that is kept inside of the store's files for what ends alone, on whatever disk.
const KEPT_FOR_ENDS: u64 = 2 * 1024 * 1024;

/// Or one part in so many of what is kept, where that is less.
const FOR_ENDS_PARTS: u64 = 8;

/// What is left of the file system that the store is on, with what is free inside of the store's own file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Bytes that jitd can still write.
    pub free: u64,
    /// The bytes of the file system; 0 of one that does not tell.
    pub size: u64,
}

impl Space {
    /// Whether that is so little that somebody should make room.
    #[must_use]
    pub const fn is_little(self) -> bool {
        self.free < LITTLE && self.free < self.size / PARTS
    }

    /// How many bytes are kept for revoking, for ends and for emergencies.
    #[must_use]
    pub const fn kept(self) -> u64 {
        let part = self.size / KEPT_PARTS;
        if part < KEPT { part } else { KEPT }
    }

    /// How many bytes there have to be before anything new opens again: twice that, so that it does not change with each
    /// record.
    #[must_use]
    pub const fn again(self) -> u64 {
        self.kept() * 2
    }

    /// Whether nothing new opens, where that was so before or was not.
    #[must_use]
    pub const fn is_short(self, was_short: bool) -> bool {
        self.free < if was_short { self.again() } else { self.kept() }
    }

    /// How many bytes are kept for what ends alone: logins do not take them.
    #[must_use]
    pub const fn for_ends(self) -> u64 {
        let part = self.kept() / FOR_ENDS_PARTS;
        if part < KEPT_FOR_ENDS { part } else { KEPT_FOR_ENDS }
    }

    /// Whether there is no more than that, so that a window that is open admits nobody, but in an emergency.
    #[must_use]
    pub const fn is_spent(self) -> bool {
        self.free < self.for_ends()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    const fn space(free: u64, size: u64) -> Space {
        Space { free: free * MIB, size: size * MIB }
    }

    #[test]
    fn little_is_said_of_little_alone_on_small_and_large_disks() {
        let is_little = |free: u64, size: u64| space(free, size).is_little();
        assert!(is_little(255, 500_000) && !is_little(256, 500_000), "a large disk");
        assert!(is_little(6, 64) && !is_little(7, 64), "a small one");
        assert!(!is_little(0, 0), "one that tells nothing");
    }

    #[test]
    fn a_disk_is_short_below_what_is_kept_and_until_there_is_twice_that() {
        for (kept, size) in [(32, 500_000), (2, 40)] {
            let short = |free: u64, was: bool| space(free, size).is_short(was);
            assert!(short(kept - 1, false) && !short(kept, false), "of {size} MiB");
            assert!(short(2 * kept - 1, true) && !short(2 * kept, true), "of {size} MiB");
        }
        assert!(!space(0, 0).is_short(true), "one that tells nothing");
    }

    #[test]
    fn what_is_kept_for_ends_is_a_small_part_of_what_is_kept() {
        assert!(space(1, 500_000).is_spent() && !space(2, 500_000).is_spent(), "a large disk");
        let small = |free| Space { free, size: 80 * MIB };
        assert!(small(MIB / 2 - 1).is_spent() && !small(MIB / 2).is_spent(), "a small one");
        assert!(!space(0, 0).is_spent(), "one that tells nothing");
    }

    #[test]
    fn that_there_is_little_is_said_before_anything_is_refused() {
        for size in [1, 10, 100, 1_000, 10_000, 1_000_000] {
            let disk = space(0, size);
            let last = Space { free: disk.kept(), ..disk };
            assert!(last.is_little() && !last.is_short(false), "{size} MiB");
        }
    }
}
