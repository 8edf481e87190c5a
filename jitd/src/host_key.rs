//! The host's key, by which checkpoints of the log are signed: a file that root alone can read, made at the first start.
//!
//! The store knows which key it is. One that is missing, or another, opens nothing: whoever restored half a backup,
//! copied the store to another machine or took the key away has to say what they want (jitd(8)).

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jit_core::model::Elsewhere;
use jit_core::proof::note::{HostKey, KeyName, PublicKey};
use jit_proto::words::HostName;

use crate::{log, own_file};

/// The key, and the file by which an admin says that a new one may be made; both beside the store.
const KEY: &str = "host.key";
const RENEW: &str = "renew-host-key";
/// The key that came along when the store was copied here.
const BEFORE: &str = "host.key.before";

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoKey {
    /// The store knows one, and it is gone.
    #[error(
        "the host key {} is missing, and this log is signed by {known}; put the key back from the backup, or see HOST \
         KEY in jitd(8)", .path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// Which it was.
        known: String,
    },
    /// The store knows another.
    #[error(
        "the host key {} was replaced: it is {found}, and this log is signed by {known}; put the right one back, or \
         see HOST KEY in jitd(8)", .path.display()
    )]
    Replaced {
        /// Where it is.
        path: PathBuf,
        /// Which it is.
        found: String,
        /// Which it was.
        known: String,
    },
    /// Somebody else could have read or written it.
    #[error(
        "the host key {0} must be a file of root's that nobody else can read; if nobody has, run: chown root {0} && \
         chmod 0600 {0}"
    )]
    Exposed(String),
    /// It is something else.
    #[error("the host key {0} is damaged; put it back from the backup, or see HOST KEY in jitd(8)")]
    Damaged(String),
    /// The disk, or the kernel's random numbers.
    #[error("the host key {}: {source}", .path.display())]
    Io {
        /// What it is about.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The key in this folder, where it is the one that the store knows. It is made where the store knows none, or an admin
/// has said that there may be another; and where the store was copied here, since the key is that of another host.
pub(crate) fn take(
    dir: &Path,
    host: &HostName,
    known: Option<&PublicKey>,
    moved: Option<Elsewhere>,
) -> Result<HostKey, NoKey> {
    let path = dir.join(KEY);
    if moved == Some(Elsewhere::Copied) {
        keep_before(dir, &path)?;
        return make(dir, &path, host);
    }
    let may_be_new = known.is_none() || dir.join(RENEW).exists();
    let Some(key) = read(&path)? else {
        return match known {
            Some(known) if !may_be_new => Err(NoKey::Missing { path, known: known.to_string() }),
            _ => make(dir, &path, host),
        };
    };
    let found = key.public();
    match known {
        Some(known) if *known != found && !may_be_new => {
            Err(NoKey::Replaced { path, found: found.to_string(), known: known.to_string() })
        }
        _ => Ok(key),
    }
}

/// Keeps the first key that was copied here beside the new one, for whoever finds that the machine id is what is wrong.
fn keep_before(dir: &Path, path: &Path) -> Result<(), NoKey> {
    let before = dir.join(BEFORE);
    if before.exists() {
        return Ok(());
    }
    match fs::rename(path, &before) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(NoKey::Io { path: before, source: err }),
        _ => Ok(()),
    }
}

/// The new key is on record: the next is not made so easily.
pub(crate) fn settle(dir: &Path) {
    match fs::remove_file(dir.join(RENEW)) {
        Ok(()) => log::notice("the host key is on record; 'renew-host-key' is removed"),
        Err(err) if err.kind() == io::ErrorKind::NotFound => {}
        Err(err) => log::warning(format_args!("'renew-host-key' cannot be removed, remove it: {err}")),
    }
}

fn read(path: &Path) -> Result<Option<HostKey>, NoKey> {
    let io = |source| NoKey::Io { path: path.to_owned(), source };
    let shown = || path.display().to_string();
    let facts = match fs::symlink_metadata(path) {
        Ok(facts) => facts,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(io(err)),
    };
    let own = nix::unistd::geteuid().as_raw();
    if !facts.is_file() || facts.uid() != own || facts.mode() & 0o077 != 0 {
        return Err(NoKey::Exposed(shown()));
    }
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(err) if err.kind() == io::ErrorKind::InvalidData => return Err(NoKey::Damaged(shown())),
        Err(err) => return Err(io(err)),
    };
    HostKey::from_text(&text).map(Some).map_err(|_| NoKey::Damaged(shown()))
}

/// Makes a key. It is on disk before anything is signed with it.
fn make(dir: &Path, path: &Path, host: &HostName) -> Result<HostKey, NoKey> {
    let io = |source| NoKey::Io { path: path.to_owned(), source };
    let name: KeyName = format!("{host}/jitd").parse().map_err(|err| io(io::Error::other(err)))?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|err| io(io::Error::other(err.to_string())))?;
    let key = HostKey::from_seed(name, &seed);
    own_file::replace(dir, KEY, &key.to_text()).map_err(io)?;
    log::notice(format_args!("a host key was made: {}", key.public()));
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn host() -> HostName {
        "db-1".parse().unwrap()
    }

    fn renew(dir: &Path) {
        fs::write(dir.join(RENEW), "").unwrap();
    }

    #[test]
    fn a_key_is_made_once_for_root_alone_and_is_the_same_from_then_on() {
        let dir = tempfile::tempdir().unwrap();
        let made = take(dir.path(), &host(), None, None).unwrap().public();
        assert_eq!(made.name().as_str(), "db-1/jitd");
        let facts = fs::metadata(dir.path().join(KEY)).unwrap();
        assert_eq!(facts.permissions().mode() & 0o7777, 0o600);
        // Also under another name of the host: the log is the same.
        let other = "db-2".parse().unwrap();
        assert_eq!(take(dir.path(), &other, Some(&made), None).unwrap().public(), made);
        let beside = tempfile::tempdir().unwrap();
        assert_ne!(take(beside.path(), &host(), None, None).unwrap().public(), made);
    }

    #[test]
    fn a_key_that_is_missing_or_another_is_named_and_taken_only_when_an_admin_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let first = take(dir.path(), &host(), None, None).unwrap().public();
        fs::remove_file(dir.path().join(KEY)).unwrap();
        let missing = take(dir.path(), &host(), Some(&first), None).unwrap_err();
        assert!(matches!(missing, NoKey::Missing { .. }), "{missing}");
        assert!(missing.to_string().contains(&first.to_string()), "{missing}");
        assert!(!dir.path().join(KEY).exists(), "none is made");
        renew(dir.path());
        let second = take(dir.path(), &host(), Some(&first), None).unwrap().public();
        assert_ne!(second, first);
        settle(dir.path());
        let replaced = take(dir.path(), &host(), Some(&first), None).unwrap_err();
        assert!(matches!(replaced, NoKey::Replaced { .. }), "{replaced}");
        renew(dir.path());
        assert_eq!(take(dir.path(), &host(), Some(&first), None).unwrap().public(), second);
        settle(dir.path());
        assert_eq!(take(dir.path(), &host(), Some(&second), None).unwrap().public(), second);
    }

    #[test]
    fn a_key_that_was_copied_from_another_machine_signs_nothing_here_and_one_that_went_back_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let first = take(dir.path(), &host(), None, None).unwrap().public();
        assert_eq!(
            take(dir.path(), &host(), Some(&first), Some(Elsewhere::WentBack)).unwrap().public(),
            first
        );
        let second = take(dir.path(), &host(), Some(&first), Some(Elsewhere::Copied)).unwrap().public();
        assert_ne!(second, first);
        let text = fs::read_to_string(dir.path().join(KEY)).unwrap();
        assert_eq!(HostKey::from_text(&text).unwrap().public(), second);
        let before = || fs::read_to_string(dir.path().join(BEFORE)).unwrap();
        assert_eq!(HostKey::from_text(&before()).unwrap().public(), first);
        // A machine id that is another at each start takes nothing away.
        take(dir.path(), &host(), Some(&second), Some(Elsewhere::Copied)).unwrap();
        assert_eq!(HostKey::from_text(&before()).unwrap().public(), first);
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_damaged_signs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY);
        let known = take(dir.path(), &host(), None, None).unwrap().public();
        let why = || take(dir.path(), &host(), Some(&known), None).unwrap_err();
        let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        set(0o640);
        assert!(matches!(why(), NoKey::Exposed(_)));
        set(0o600);
        let text = fs::read_to_string(&path).unwrap();
        for damaged in [text.replace('A', "B"), String::new(), "\u{0}".repeat(99)] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(why(), NoKey::Damaged(_)));
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(why(), NoKey::Damaged(_)));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(matches!(why(), NoKey::Exposed(_)));
        fs::remove_file(&path).unwrap();
        fs::write(&path, text).unwrap();
        set(0o600);
        assert_eq!(take(dir.path(), &host(), Some(&known), None).unwrap().public(), known);
    }
}
