//! The register of tickets on this host: read again whenever one of its files is another, before an order is judged and
//! outside the lock of the desk.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jit_core::tickets::Register;
use jit_host::files::{Owner, read_policy_dir};

use crate::log;

/// The folder, beside that of the policy.
const DIR: &str = "tickets.d";

/// What tells that the files are others: names, and of each what changes with its bytes, its owner or its mode.
type Stamp = Vec<(OsString, [i64; 6])>;

/// What was read last.
pub(super) struct Tickets {
    dir: PathBuf,
    last: Mutex<Option<(Stamp, Arc<Register>)>>,
}

impl Tickets {
    /// Of the host whose policy is in this folder. Nothing is read yet.
    pub(super) fn beside(policy_dir: &Path) -> Self {
        Self { dir: policy_dir.with_file_name(DIR), last: Mutex::new(None) }
    }

    /// What is known now. It reads the files of a folder; no lock but its own is held.
    pub(super) fn now(&self) -> Arc<Register> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // What changes while it is read has another stamp the next time.
        let stamp = stamp(&self.dir);
        if let Some((_, known)) = last.as_ref().filter(|(before, _)| *before == stamp) {
            return Arc::clone(known);
        }
        let register = Arc::new(self.read());
        if let (Some(why), false) = (register.fault(), stamp.is_empty()) {
            log::warning(format_args!("no ticket is known: {why}"));
        }
        *last = Some((stamp, Arc::clone(&register)));
        register
    }

    fn read(&self) -> Register {
        match read_policy_dir(&self.dir, Owner::Root) {
            Ok(files) => Register::read(&files),
            Err(wrong) => {
                let why: Vec<String> = wrong.iter().map(ToString::to_string).collect();
                Register::unread(why.join("; "))
            }
        }
    }
}

/// Of the folder itself and of each file in it; empty where there is none.
fn stamp(dir: &Path) -> Stamp {
    let of = |file: &Metadata| {
        let size = i64::try_from(file.size()).unwrap_or(i64::MAX);
        let inode = i64::from_ne_bytes(file.ino().to_ne_bytes());
        [inode, size, file.ctime(), file.ctime_nsec(), i64::from(file.uid()), i64::from(file.mode())]
    };
    let Ok(folder) = fs::symlink_metadata(dir) else { return Vec::new() };
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    let files = files.filter_map(|file| Some((file.file_name(), of(&file.metadata().ok()?))));
    let mut stamp: Stamp = [(OsString::new(), of(&folder))].into_iter().chain(files).collect();
    stamp.sort_unstable();
    stamp
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const ONE: &str = "[\"CHG-1\"]\nto = 2099-01-01T00:00:00Z\n";

    /// Why nothing counts; whether CHG-1 does, where something may.
    fn state(tickets: &Tickets) -> Result<bool, String> {
        let register = tickets.now();
        if let Some(why) = register.fault() {
            return Err(why.to_owned());
        }
        let (role, now) = ("shell".parse().unwrap(), "2026-11-23T12:00:00Z".parse().unwrap());
        Ok(register.look_up(Some("CHG-1"), &role, &crate::testing::host(), now).is_ok())
    }

    #[test]
    fn a_register_is_read_again_whenever_a_file_of_it_is_another_and_nothing_counts_once_it_is_gone() {
        let etc = tempfile::tempdir().unwrap();
        let dir = etc.path().join(DIR);
        let tickets = Tickets::beside(&etc.path().join("policy.d"));
        assert!(state(&tickets).unwrap_err().contains("tickets.d"), "there is none");
        fs::create_dir(&dir).unwrap();
        assert_eq!(state(&tickets), Ok(false), "an empty one lists nothing");
        fs::write(dir.join("a.toml"), ONE).unwrap();
        assert_eq!(state(&tickets), Ok(true));
        let before = tickets.now();
        assert!(Arc::ptr_eq(&before, &tickets.now()), "what is the same is not read again");
        fs::write(dir.join("b.toml"), ONE).unwrap();
        assert_eq!(state(&tickets), Ok(false), "listed twice");
        fs::write(dir.join("b.toml"), ONE.replace('1', "2")).unwrap();
        assert_eq!(state(&tickets), Ok(true));
        fs::write(dir.join("b.toml"), "[").unwrap();
        assert!(state(&tickets).unwrap_err().starts_with("b.toml: "), "one mistake, and nothing counts");
        fs::remove_file(dir.join("b.toml")).unwrap();
        assert_eq!(state(&tickets), Ok(true));
        fs::remove_dir_all(&dir).unwrap();
        assert!(state(&tickets).unwrap_err().contains("tickets.d"));
    }

    #[test]
    fn nothing_counts_of_a_register_that_somebody_else_could_have_written() {
        let etc = tempfile::tempdir().unwrap();
        let dir = etc.path().join(DIR);
        fs::create_dir(&dir).unwrap();
        let file = dir.join("a.toml");
        fs::write(&file, ONE).unwrap();
        let tickets = Tickets::beside(&etc.path().join("policy.d"));
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for (path, good, bad) in [(&file, 0o644, 0o666), (&dir, 0o755, 0o777)] {
            mode(path, bad);
            assert!(state(&tickets).is_err(), "{}", path.display());
            mode(path, good);
            assert_eq!(state(&tickets), Ok(true));
        }
        std::os::unix::fs::chown(&file, Some(1), None).unwrap();
        assert!(state(&tickets).is_err(), "a file of daemon's");
        std::os::unix::fs::chown(&file, Some(0), None).unwrap();
        assert_eq!(state(&tickets), Ok(true));
        let elsewhere = etc.path().join("elsewhere.toml");
        fs::rename(&file, &elsewhere).unwrap();
        symlink(&elsewhere, &file).unwrap();
        assert!(state(&tickets).is_err(), "a link");
    }
}
