//! Whether anything runs in a unit, by the kernel's own count (`populated` in cgroup.events, cgroups(7)).
//!
//! A list of processes is read one by one, and misses what forks and ends faster than that. The count misses nothing,
//! so nothing is said to be gone against its word.

use std::fs;
use std::path::{Path, PathBuf};

use jit_core::ending::Unit;
use jit_proto::words::Uid;

/// Where systemd has the unified hierarchy. Where it has none there is no such count.
const ROOT: &str = "/sys/fs/cgroup";

/// Whether something runs in a session's scope, as far as the kernel tells.
pub(super) fn runs_in(unit: &Unit) -> bool {
    find(Path::new(ROOT), unit.as_str(), 8).is_some_and(|folder| is_populated(&folder))
}

/// Whether something runs in a user's slice.
pub(super) fn runs_under(uid: Uid) -> bool {
    is_populated(&Path::new(ROOT).join(format!("user.slice/user-{uid}.slice")))
}

/// A unit is below slices and nothing else; what a unit has below itself is its own to name.
fn find(slice: &Path, unit: &str, depth: usize) -> Option<PathBuf> {
    let here = slice.join(unit);
    if here.is_dir() {
        return Some(here);
    }
    let below = fs::read_dir(slice).ok().filter(|_| depth > 0)?;
    let slices = below.flatten().map(|entry| entry.path());
    slices
        .filter(|path| path.extension().is_some_and(|kind| kind == "slice"))
        .find_map(|path| find(&path, unit, depth - 1))
}

fn is_populated(folder: &Path) -> bool {
    let events = fs::read_to_string(folder.join("cgroup.events")).unwrap_or_default();
    events.lines().any(|line| line == "populated 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &Path, populated: u8) {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("cgroup.events"), format!("populated {populated}\nfrozen 0\n")).unwrap();
    }

    #[test]
    fn a_unit_is_looked_for_below_slices_alone() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        folder(&root.join("user.slice/user-1001.slice/session-4.scope"), 1);
        folder(&root.join("user.slice/user-1001.slice/user@1001.service/app.slice/session-5.scope"), 1);
        folder(&root.join("system.slice/jit-3-77.scope"), 0);
        let runs = |unit: &str| find(root, unit, 8).map(|found| is_populated(&found));
        assert_eq!(runs("session-4.scope"), Some(true));
        assert_eq!(runs("jit-3-77.scope"), Some(false));
        assert_eq!(runs("session-5.scope"), None, "a user named it, not systemd");
        assert_eq!(runs("session-6.scope"), None);
    }
}
