//! How much room there is for the record. Once there is none everybody is refused (law 7), so that it is said before.

use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Less than this is little, on whatever disk: years of records on most hosts, and an hour of them where something runs wild.
const LITTLE: u64 = 256 * 1024 * 1024;

/// More than one part in so many is enough on a small one.
const PARTS: u64 = 10;

/// What is left of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    free: u64,
    size: u64,
}

impl Left {
    const fn is_little(self) -> bool {
        self.free < LITTLE && self.free < self.size / PARTS
    }
}

/// What there is to say of the file system of this folder. Nothing where it cannot be told.
pub(super) fn note(dir: &Path) -> Option<String> {
    let facts = statvfs(dir).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(facts.fragment_size());
    // What root alone may use is not jitd's: it has no privilege for it.
    let left = Left { free: bytes(facts.blocks_available()), size: bytes(facts.blocks()) };
    left.is_little().then(|| {
        format!(
            "THE DISK IS NEARLY FULL: {} has {} KiB left. Once there is none, everybody is refused, and nothing is revoked; make room",
            dir.display(),
            left.free / 1024
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_said_of_little_alone_on_small_and_large_disks() {
        const MIB: u64 = 1024 * 1024;
        let is_little = |free: u64, size: u64| Left { free: free * MIB, size: size * MIB }.is_little();
        assert!(is_little(255, 500_000) && !is_little(256, 500_000), "a large disk");
        assert!(is_little(6, 64) && !is_little(7, 64), "a small one");
        assert!(!is_little(0, 0), "one that tells nothing");
        assert_eq!(note(Path::new("/nonexistent")), None);
    }
}
