//! Files that decide who gets in. Each is opened once, and what was opened is what is judged: a regular file,
//! root's, writable by root alone. A FIFO or a symlink never blocks or misleads a login.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jit_core::policy::SourceFile;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

/// The most bytes of one file; one more is read so that the policy parser can say that it is too long.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a file was not read. The text names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadFile {
    /// The system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a plain file, or a link to one.
    #[error("{}: not a regular file; symbolic links, pipes and devices are not read", .0.display())]
    NotRegular(PathBuf),
    /// Not a folder, or a link to one.
    #[error("{}: not a folder; symbolic links are not followed", .0.display())]
    NotFolder(PathBuf),
    /// Somebody other than root could have written it.
    #[error("{path}: must be owned by root and writable by root only; run: chown root {path} && chmod go-w {path}", path = .0.display())]
    Writable(PathBuf),
    /// A name that is not text.
    #[error("{}: the file name is not UTF-8", .0.display())]
    Name(PathBuf),
}

/// Reads one file, or says why not.
pub(crate) fn read_trusted(path: &Path) -> Result<Vec<u8>, BadFile> {
    let io = |source: std::io::Error| BadFile::Io { path: path.to_owned(), source };
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let opened = match open(path, flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(nix::errno::Errno::ELOOP | nix::errno::Errno::ENXIO) => {
            return Err(BadFile::NotRegular(path.to_owned()));
        }
        Err(err) => return Err(io(err.into())),
    };
    let file = File::from(opened);
    let facts = file.metadata().map_err(io)?;
    if !facts.is_file() {
        return Err(BadFile::NotRegular(path.to_owned()));
    }
    if facts.uid() != 0 || facts.mode() & 0o022 != 0 {
        return Err(BadFile::Writable(path.to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Reads every `*.toml` of a folder, in name order. Hidden files are an editor's and left alone. All that is
/// wrong is reported, not only the first.
pub(crate) fn read_policy_dir(dir: &Path) -> Result<Vec<SourceFile>, Vec<BadFile>> {
    let io = |source: std::io::Error| vec![BadFile::Io { path: dir.to_owned(), source }];
    // The folder above as well: whoever can write there can put another folder in this one's place.
    for folder in dir.parent().into_iter().chain([dir]) {
        let facts = fs::symlink_metadata(folder).map_err(io)?;
        if !facts.is_dir() {
            return Err(vec![BadFile::NotFolder(folder.to_owned())]);
        }
        let others = facts.mode() & 0o022 != 0 && facts.mode() & 0o1000 == 0;
        if facts.uid() != 0 || others {
            return Err(vec![BadFile::Writable(folder.to_owned())]);
        }
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if name.ends_with(b".toml") && !name.starts_with(b".") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut files = Vec::new();
    let mut wrong = Vec::new();
    for path in paths {
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(ToOwned::to_owned) else {
            wrong.push(BadFile::Name(path));
            continue;
        };
        match read_trusted(&path) {
            Ok(bytes) => files.push(SourceFile { name, bytes }),
            Err(err) => wrong.push(err),
        }
    }
    if wrong.is_empty() { Ok(files) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// These rules are about ownership: the tests run as root, as the daemon does.
    fn dir_with(name: &str, text: &str, mode: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        dir
    }

    #[test]
    fn toml_files_are_read_in_name_order_and_others_left_alone() {
        let dir = dir_with("20-b.toml", "b", 0o644);
        fs::write(dir.path().join("10-a.toml"), "a").unwrap();
        fs::write(dir.path().join("README"), "r").unwrap();
        fs::write(dir.path().join(".10-a.toml.swp.toml"), "s").unwrap();
        let names: Vec<_> = read_policy_dir(dir.path()).unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["10-a.toml", "20-b.toml"]);
    }

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        for mode in [0o664, 0o646] {
            let dir = dir_with("a.toml", "", mode);
            let wrong = read_policy_dir(dir.path()).unwrap_err();
            assert!(matches!(wrong[..], [BadFile::Writable(_)]), "{mode:o}: {wrong:?}");
        }
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let dir = dir_with("a.toml", "", 0o644);
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(read_policy_dir(dir.path()).unwrap_err()[..], [BadFile::Writable(_)]));
    }

    #[test]
    fn a_link_in_the_place_of_the_folder_is_not_followed() {
        let dir = dir_with("a.toml", "", 0o644);
        let elsewhere = tempfile::tempdir().unwrap();
        let link = elsewhere.path().join("policy.d");
        symlink(dir.path(), &link).unwrap();
        assert!(matches!(read_policy_dir(&link).unwrap_err()[..], [BadFile::NotFolder(_)]));
    }

    #[test]
    fn a_folder_whose_parent_others_can_write_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("policy.d");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o775)).unwrap();
        assert!(matches!(read_policy_dir(&dir).unwrap_err()[..], [BadFile::Writable(_)]));
    }

    #[test]
    fn somebody_elses_file_is_refused() {
        let dir = dir_with("a.toml", "", 0o644);
        std::os::unix::fs::chown(dir.path().join("a.toml"), Some(12345), None).unwrap();
        assert!(matches!(read_policy_dir(dir.path()).unwrap_err()[..], [BadFile::Writable(_)]));
    }

    #[test]
    fn a_symlink_a_pipe_and_a_folder_are_refused_without_waiting() {
        let dir = dir_with("target", "", 0o644);
        symlink(dir.path().join("target"), dir.path().join("a.toml")).unwrap();
        nix::unistd::mkfifo(&dir.path().join("b.toml"), Mode::from_bits_truncate(0o600)).unwrap();
        fs::create_dir(dir.path().join("c.toml")).unwrap();
        let wrong = read_policy_dir(dir.path()).unwrap_err();
        assert!(wrong.iter().all(|err| matches!(err, BadFile::NotRegular(_))), "{wrong:?}");
        assert_eq!(wrong.len(), 3);
    }
}
