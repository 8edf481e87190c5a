//! What is kept of a change until it is confirmed, in a folder of root's: what the files were, and by when.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jit_host::pam_files;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The folder. jitd's own is not used: it is jitd's to make, and this has to work without one.
const FOLDER: &str = "var/lib/jit-enable";

/// Who is at it. Not in the folder: a disk that is full or read-only must not keep anybody from bringing files back.
const LOCK: &str = "run/jit-enable.lock";

/// The change that is over though its folder cannot be written to.
const OVER: &str = "run/jit-enable.over";

/// What a change was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Enable,
    Disable,
    Enforce,
}

/// The folder below a root.
#[derive(Clone, Debug)]
pub(super) struct Dir {
    root: PathBuf,
    path: PathBuf,
}

/// A change that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trial {
    pub(super) kind: Kind,
    /// The services, each of which is the name of a file.
    pub(super) services: Vec<String>,
    /// The boot that it began in.
    pub(super) boot: String,
    /// When all of it was written, in milliseconds since that boot, sleep included.
    pub(super) began: u64,
    /// For how long, in milliseconds.
    pub(super) limit: u64,
    /// The highest audit session that any process had when it began: a later login has a higher one.
    pub(super) highest: u32,
}

/// Which boot it is, and how long ago that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Now {
    pub(super) boot: String,
    pub(super) since_boot: Duration,
}

impl Now {
    /// As the kernel has it, sleep included. Where it cannot be read nothing is believed to have been long ago, and no
    /// boot to be this one.
    pub(super) fn read(root: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let uptime = read("proc/uptime");
        let seconds = uptime.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
        let since_boot = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Self {
            boot: read("proc/sys/kernel/random/boot_id").trim().to_owned(),
            since_boot: since_boot.unwrap_or_default(),
        }
    }
}

impl Trial {
    /// Whether its time is over: by the boot clock, or since another boot came.
    pub(super) fn is_due(&self, now: &Now) -> bool {
        self.boot != now.boot
            || now.since_boot >= Duration::from_millis(self.began.saturating_add(self.limit))
    }

    /// The same once all of it is written. Who logged in until then may have come in by an old file: neither their session
    /// nor their login's start is later than this.
    pub(super) fn begun(&self, now: &Now, highest: u32) -> Self {
        let began = now.since_boot.as_millis().try_into().unwrap_or(u64::MAX);
        Self { began, highest, ..self.clone() }
    }

    /// The files that it changed.
    pub(super) fn paths(&self) -> Vec<String> {
        self.services.iter().map(|service| format!("/etc/pam.d/{service}")).collect()
    }
}

/// Says why something about these files failed.
pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |why| {
        let hint = if why.kind() == ErrorKind::ReadOnlyFilesystem {
            "; it is read-only: make it writable (mount -o remount,rw), or change its image"
        } else if why.kind() == ErrorKind::StorageFull {
            "; the disk is full: see df"
        } else {
            ""
        };
        let said = why.to_string();
        let said = said.split(" (os error").next().unwrap_or_default().to_owned();
        Error::Refused(format!("{}: {said}{hint}", path.display()))
    }
}

impl Dir {
    pub(super) fn below(root: &Path) -> Self {
        Self { root: root.to_owned(), path: root.join(FOLDER) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn trial_file(&self) -> PathBuf {
        self.path.join("trial.json")
    }

    /// What a service's file was.
    pub(super) fn old(&self, service: &str) -> PathBuf {
        self.path.join("old").join(service)
    }

    /// What a service's file was, once more beside it: to bring it back is a rename then, which takes no room on the disk.
    /// Nothing asks PAM for a service of such a name.
    pub(super) fn near(&self, service: &str) -> PathBuf {
        self.target(&pam_files::kept(service))
    }

    /// What it was made into.
    pub(super) fn made(&self, service: &str) -> PathBuf {
        self.path.join("new").join(service)
    }

    /// Where what somebody edited meanwhile is kept.
    pub(super) fn edited(&self) -> PathBuf {
        self.path.join("edited")
    }

    /// The file that PAM reads.
    pub(super) fn target(&self, service: &str) -> PathBuf {
        self.root.join("etc/pam.d").join(service)
    }

    /// Makes the folders. PAM files are no secret.
    pub(super) fn make(&self) -> Result<(), Error> {
        for folder in [self.path.clone(), self.path.join("old"), self.path.join("new"), self.edited()] {
            DirBuilder::new().recursive(true).mode(0o755).create(&folder).map_err(failed(&folder))?;
        }
        Ok(())
    }

    /// Takes away what is beside the files, crashes' left-overs too. What stays is in nobody's way.
    pub(super) fn clear(&self, services: &[String]) {
        for service in services {
            let (at, near) = (self.target(service), self.near(service));
            for path in [half(&at), half(&near), near] {
                drop(fs::remove_file(path));
            }
        }
    }

    /// Keeps everybody else from changing it meanwhile.
    pub(super) fn lock(&self) -> Result<File, Error> {
        let path = self.root.join(LOCK);
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(failed(folder))?;
        }
        let mut options = OpenOptions::new();
        let file = options.create(true).write(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(failed(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Error::Refused(
                "another jitctl changes PAM files just now; wait until it is done, and see: jitctl doctor"
                    .to_owned(),
            )),
            Err(TryLockError::Error(why)) => Err(failed(&path)(why)),
        }
    }

    /// The change that waits, if one does.
    pub(super) fn trial(&self) -> Result<Option<Trial>, Error> {
        let path = self.trial_file();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(failed(&path)(why)),
        };
        let trial: Trial = serde_json::from_slice(&text).map_err(|why| {
            let old = self.path.join("old");
            Error::Refused(format!(
                "{}: {why}; what the files were is in {}: put back by hand what should be, then: rm {}",
                path.display(),
                old.display(),
                path.display()
            ))
        })?;
        Ok(Some(trial))
    }

    /// From here on it waits.
    pub(super) fn write_trial(&self, trial: &Trial) -> Result<(), Error> {
        let text = serde_json::to_vec(trial).map_err(|why| Error::Garbled(why.to_string()))?;
        let path = self.trial_file();
        put(&path, &text, None).map_err(failed(&path))
    }

    /// From here on nothing waits.
    pub(super) fn remove_trial(&self) -> Result<(), Error> {
        let path = self.trial_file();
        let removed = fs::remove_file(&path).and_then(|()| sync_folder(&path));
        match removed {
            Err(why) if why.kind() != ErrorKind::NotFound => Err(failed(&path)(why)),
            _ => {
                drop(fs::remove_file(self.root.join(OVER)));
                Ok(())
            }
        }
    }

    /// Notes that the old files are back, for where the trial cannot be removed: what is written into them later stays.
    pub(super) fn mark_over(&self, trial: &Trial) {
        let text = serde_json::to_vec(trial).unwrap_or_default();
        drop(put(&self.root.join(OVER), &text, None));
    }

    /// Whether the old files are back in this boot.
    pub(super) fn is_over(&self, trial: &Trial) -> bool {
        let text = fs::read(self.root.join(OVER)).unwrap_or_default();
        serde_json::from_slice::<Trial>(&text).is_ok_and(|over| over == *trial)
    }
}

/// Writes a file beside its place and then into it, so that whoever reads it has all of it or what was before, also over a
/// crash. It gets mode and owner of `like`, or is root's.
pub(super) fn put(path: &Path, text: &[u8], like: Option<&fs::Metadata>) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    let beside = half(path);
    // One that a crash has left.
    drop(fs::remove_file(&beside));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = file.write_all(text).and_then(|()| {
        match like {
            Some(like) => {
                fchown(&file, Some(like.uid()), Some(like.gid()))?;
                file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o7777))?;
            }
            None => file.set_permissions(fs::Permissions::from_mode(0o644))?,
        }
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(path)
    });
    if written.is_err() {
        drop(fs::remove_file(&beside));
    }
    written
}

/// Where a file is while it is written.
fn half(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(pam_files::half(&name))
}

/// Puts a file that is whole in the place of another.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(to)
}

/// The name of a file is on disk with its folder.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
