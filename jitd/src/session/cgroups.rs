//! What the kernel knows of all that runs in a unit, and what it does to all of it at once (cgroups(7), the kernel's
//! cgroup-v2.rst).
//!
//! A list of processes is read one by one, and misses what forks and ends faster than that; and so do signals that are
//! sent one by one, systemd's among them. `populated` in cgroup.events misses nothing, so nothing is said to be gone
//! against its word; and nothing outruns cgroup.kill (since Linux 5.14).

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use jit_core::model::Unit;
use jit_proto::words::Uid;

/// Where the unified hierarchy may be: alone, or beside those of before.
const ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// How deep below a user's slice one looks, and at how many control groups.
const DEPTH: usize = 12;
const MOST_GROUPS: usize = 4096;

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

/// Moves a process into a session's scope, in every hierarchy that systemd keeps its units in, and says whether one of them
/// took it.
pub(super) fn move_into(unit: &Unit, pid: u32) -> bool {
    let Some((root, scope)) = root().zip(of_scope(unit)) else { return false };
    let Ok(path) = scope.strip_prefix(root) else { return false };
    // Beside the unified one there is one that bears systemd's name.
    let roots = [root, Path::new("/sys/fs/cgroup/systemd")];
    let moved = roots.map(|root| fs::write(root.join(path).join("cgroup.procs"), pid.to_string()).is_ok());
    moved.contains(&true)
}

/// The control groups of a user's slice in which something runs, as /proc names them.
pub(super) fn running_under(uid: Uid) -> Vec<String> {
    let (Some(root), Some(slice)) = (root(), of_user(uid)) else { return Vec::new() };
    running(root, &slice, DEPTH)
}

/// More processes in a user's manager than this are not told: it is a glance.
const GLANCE: usize = 1024;

/// The processes in a user's manager, by pid.
pub(super) fn in_manager_of(uid: Uid) -> Vec<u32> {
    let manager = format!("/user@{uid}.service");
    let groups = running_under(uid).into_iter().filter(|group| group.contains(&manager));
    let pids = groups.filter_map(|group| {
        let file = root()?.join(group.trim_start_matches('/')).join("cgroup.procs");
        Some(fs::read_to_string(file).ok()?.lines().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
    });
    pids.flatten().take(GLANCE).collect()
}

/// The kernel's number of a control group, as long as it is there: a later one of the same name has another.
pub(super) fn number(group: &str) -> Option<u64> {
    fs::metadata(root()?.join(group.trim_start_matches('/'))).ok().map(|folder| folder.ino())
}

/// Kills all that runs in a control group and below it, and says whether the kernel could.
pub(super) fn kill_group(group: &str) -> bool {
    root().is_some_and(|root| kill(&root.join(group.trim_start_matches('/'))))
}

/// People make as many and as deep ones as they like below their manager: what is deeper, or beside more others than are
/// looked at, counts as part of what is around it.
fn running(root: &Path, folder: &Path, depth: usize) -> Vec<String> {
    let (mut found, mut looks) = (Vec::new(), MOST_GROUPS);
    add_running(root, folder, depth, &mut found, &mut looks);
    found
}

fn add_running(root: &Path, folder: &Path, depth: usize, found: &mut Vec<String>, looks: &mut usize) {
    if *looks == 0 {
        return;
    }
    *looks -= 1;
    if !is_populated(folder) {
        return;
    }
    let below: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .take(*looks + 1)
        .collect();
    let is_whole = below.len() <= *looks;
    // Something may run here beside what runs below.
    let here = fs::read_to_string(folder.join("cgroup.procs")).is_ok_and(|pids| !pids.trim().is_empty());
    if (here || !is_whole || !below.iter().any(|path| is_populated(path)))
        && let Ok(path) = folder.strip_prefix(root)
    {
        found.push(format!("/{}", path.display()));
    }
    for path in below {
        add_running(root, &path, depth.saturating_sub(1), found, looks);
    }
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

    #[test]
    fn where_something_runs_is_the_innermost_group_that_is_populated() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let slice = root.join("user.slice/user-1001.slice");
        for (path, populated) in [
            ("", 1),
            ("session-4.scope", 1),
            ("session-5.scope", 0),
            ("user@1001.service", 1),
            ("user@1001.service/app.slice", 1),
            ("user@1001.service/app.slice/x.service", 1),
            ("user@1001.service/app.slice/x.service/below", 0),
        ] {
            folder(&slice.join(path), populated);
        }
        fs::write(slice.join("user@1001.service/cgroup.procs"), "7\n").unwrap();
        let mut found = running(root, &slice, DEPTH);
        found.sort();
        let slice = "/user.slice/user-1001.slice";
        let manager = format!("{slice}/user@1001.service");
        let expected =
            [format!("{slice}/session-4.scope"), manager.clone(), format!("{manager}/app.slice/x.service")];
        assert_eq!(found, expected);
        let found = running(root, &root.join("user.slice/user-1001.slice"), 1);
        assert_eq!(found.len(), 2, "what is deeper is part of the last that is looked at: {found:?}");
    }

    #[test]
    fn where_somebody_made_more_groups_than_are_looked_at_the_one_around_them_stands_for_the_rest() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        folder(root, 1);
        for number in 0..MOST_GROUPS + 10 {
            folder(&root.join(format!("{number:05}")), u8::from(number % 1000 == 0));
        }
        let found = running(root, root, DEPTH);
        assert!(found.contains(&"/".to_owned()) && found.len() <= 6, "{found:?}");
    }
}
