//! What the kernel knows of all that runs in a unit, and what it does to all of it at once (cgroups(7), the kernel's
//! cgroup-v2.rst).
//!
//! A list of processes is read one by one, and misses what forks and ends faster than that; and so do signals that are
//! sent one by one, systemd's among them. `populated` in cgroup.events misses nothing, so nothing is said to be gone
//! against its word; and nothing outruns cgroup.kill (since Linux 5.14).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jit_core::ending::Unit;
use jit_proto::words::Uid;

/// Where the unified hierarchy may be: alone, or beside those of before.
const ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Whether the kernel tells of units: systemd keeps them in the unified hierarchy, too.
pub(super) fn are_told() -> bool {
    root().is_some()
}

/// Whether something runs in a session's scope, as far as the kernel tells.
pub(super) fn runs_in(unit: &Unit) -> bool {
    of_scope(unit).is_some_and(|folder| is_populated(&folder))
}

/// Whether something runs in a user's slice, as far as the kernel tells.
pub(super) fn runs_under(uid: Uid) -> bool {
    of_user(uid).is_some_and(|folder| is_populated(&folder))
}

/// Kills all that runs in a session's scope, and says whether the kernel could.
pub(super) fn kill_in(unit: &Unit) -> bool {
    of_scope(unit).is_some_and(|folder| kill(&folder))
}

/// Kills all that runs in a user's slice, and says whether the kernel could.
pub(super) fn kill_under(uid: Uid) -> bool {
    of_user(uid).is_some_and(|folder| kill(&folder))
}

fn root() -> Option<&'static Path> {
    ROOTS.map(Path::new).into_iter().find(|root| root.join("cgroup.controllers").exists())
}

fn of_scope(unit: &Unit) -> Option<PathBuf> {
    find(root()?, unit.as_str(), 8)
}

fn of_user(uid: Uid) -> Option<PathBuf> {
    Some(root()?.join(format!("user.slice/user-{uid}.slice")))
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

fn kill(folder: &Path) -> bool {
    let file = folder.join("cgroup.kill");
    match fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .and_then(|mut kill| io::Write::write_all(&mut kill, b"1"))
    {
        Ok(()) => true,
        // An older kernel, or nothing is there any more.
        Err(err) if err.kind() == io::ErrorKind::NotFound => false,
        Err(err) => {
            crate::log::warning(format_args!("{}: {err}", file.display()));
            false
        }
    }
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
