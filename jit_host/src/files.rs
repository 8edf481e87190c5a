//! Files that decide who gets in. Each is opened once, and what was opened is what is judged: a regular file,
//! root's, writable by root alone. A FIFO or a symlink never blocks or misleads a login.
//!
//! A file that a person names, as one in a checkout on their workstation, need not be root's: nothing comes
//! into force from there. All else holds for it too.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jit_core::policy::{FileFault, Finding, SourceFile};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;

/// Where the register of tickets is.
pub const TICKETS_DIR: &str = "/etc/jit/tickets.d";

/// Where this host's policy is.
pub const POLICY_DIR: &str = "/etc/jit/policy.d";

/// The most bytes of one file; one more is read so that the policy parser can say that it is too long.
const MAX_BYTES: u64 = 1024 * 1024;

/// The most files of one folder that are read; one more than policy may have, so that the parser can say so.
const MAX_FILES: usize = 257;

/// Whose files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Root's alone, in folders of root's: the rule for whatever comes into force.
    Root,
    /// Anybody's: for what is only looked at.
    Anyone,
    /// Root's alone, and read by root alone: for what has to stay secret.
    RootSecret,
    /// Whose program this is, and read by them alone: the same for a person.
    OwnSecret,
}

impl Owner {
    /// The rule for a place that was named: what is in /etc/jit is root's, whoever looks at it, and from wherever.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let is_ours = |path: &Path| path.starts_with("/etc/jit");
        // A link does not lead out of the rule either.
        if is_ours(path) || fs::canonicalize(path).is_ok_and(|path| is_ours(&path)) {
            Self::Root
        } else {
            Self::Anyone
        }
    }
}

/// Why a file was not read. The text names the file.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    /// The system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file that was not read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
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
    /// Somebody else could read or write a secret.
    #[error("{path}: must be owned by {owner}, and nobody else may read it; run: chown {owner} {path} && chmod 600 {path}", path = path.display())]
    Secret {
        /// The file that was not read.
        path: PathBuf,
        /// Whose it has to be, as chown(1) takes it.
        owner: String,
    },
    /// A name that is not text.
    #[error("{}: the file name is not UTF-8", .0.display())]
    Name(PathBuf),
}

impl BadFile {
    /// The same as one of the findings about a policy, with a code to look up.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let typed = |path: &Path, what: &dyn Fn(String) -> String| what(quoted(path));
        let (path, fault, message, hint) = match self {
            Self::Io { path, source } => {
                let hint = if source.kind() == io::ErrorKind::NotFound {
                    typed(path, &|path| format!("see what is there with: ls -l {path}"))
                } else {
                    typed(path, &|path| format!("see who may read it with: namei -l {path}"))
                };
                (path, FileFault::Unreadable, format!("it cannot be read: {source}"), hint)
            }
            Self::NotRegular(path) => {
                let message = "not a regular file; symbolic links, pipes and devices are not read".to_owned();
                let hint = typed(path, &|path| {
                    format!("put a copy of the file in its place; see what it is with: ls -l {path}")
                });
                (path, FileFault::NotRegular, message, hint)
            }
            Self::NotFolder(path) => {
                let message = "not a folder; symbolic links are not followed".to_owned();
                let hint = typed(path, &|path| format!("see what it is with: ls -ld {path}"));
                (path, FileFault::NotFolder, message, hint)
            }
            Self::Writable(path) => {
                let message = "it must be owned by root and writable by root only".to_owned();
                let hint = typed(path, &|path| format!("run: chown root {path} && chmod go-w {path}"));
                (path, FileFault::NotRoots, message, hint)
            }
            Self::Secret { path, owner } => {
                let message = format!("it must be owned by {owner}, and nobody else may read it");
                let hint = typed(path, &|path| format!("run: chown {owner} {path} && chmod 600 {path}"));
                (path, FileFault::NotRoots, message, hint)
            }
            Self::Name(path) => {
                let message = "its name is not UTF-8".to_owned();
                let hint = "give it a name of letters, digits and - . _, with mv(1)".to_owned();
                (path, FileFault::Name, message, hint)
            }
        };
        Finding::of_file(fault, &path.to_string_lossy(), message, hint)
    }
}

/// A path as it can be typed into a shell, controls and all.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '.' | '_' | '+' | ',' | ':');
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Reads one file, or says why not.
pub fn read_file(path: &Path, owner: Owner) -> Result<Vec<u8>, BadFile> {
    let file = open_regular(path, owner)?;
    let mut bytes = Vec::new();
    let io = |source: io::Error| BadFile::Io { path: path.to_owned(), source };
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Opens one file, and neither a link nor a pipe that nobody writes to.
pub fn open_regular(path: &Path, owner: Owner) -> Result<File, BadFile> {
    let io = |source: io::Error| BadFile::Io { path: path.to_owned(), source };
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let opened = match open(path, flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(Errno::ELOOP | Errno::ENXIO) => return Err(BadFile::NotRegular(path.to_owned())),
        Err(err) => return Err(io(err.into())),
    };
    let file = File::from(opened);
    let facts = file.metadata().map_err(io)?;
    if !facts.is_file() {
        return Err(BadFile::NotRegular(path.to_owned()));
    }
    let is_read_by = |uid: u32| facts.uid() == uid && facts.mode() & 0o077 == 0;
    let secret = |owner: &str| BadFile::Secret { path: path.to_owned(), owner: owner.to_owned() };
    match owner {
        Owner::Root if facts.uid() != 0 || facts.mode() & 0o022 != 0 => {
            return Err(BadFile::Writable(path.to_owned()));
        }
        Owner::RootSecret if !is_read_by(0) => return Err(secret("root")),
        Owner::OwnSecret if !is_read_by(geteuid().as_raw()) => return Err(secret(&geteuid().to_string())),
        Owner::Root | Owner::RootSecret | Owner::OwnSecret | Owner::Anyone => {}
    }
    Ok(file)
}

/// Reads every `*.toml` of a folder, in name order. All that is wrong is reported, not only the first.
pub fn read_policy_dir(dir: &Path, owner: Owner) -> Result<Vec<SourceFile>, Vec<BadFile>> {
    let mut files = Vec::new();
    let mut wrong = Vec::new();
    for path in policy_files(dir, owner).map_err(|bad| vec![bad])? {
        match name_of(&path).and_then(|name| Ok(SourceFile { name, bytes: read_file(&path, owner)? })) {
            Ok(file) => files.push(file),
            Err(bad) => wrong.push(bad),
        }
    }
    if wrong.is_empty() { Ok(files) } else { Err(wrong) }
}

/// Whether a file of this name is read. Hidden files are an editor's and left alone.
#[must_use]
pub fn is_policy_name(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(b".toml") && !name.starts_with(b".") && !name.contains(&b'/')
}

/// The name of a file without its folder, which must be text.
pub fn name_of(path: &Path) -> Result<String, BadFile> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(ToOwned::to_owned).ok_or_else(|| BadFile::Name(path.to_owned()))
}

/// The paths of the files that [`read_policy_dir`] reads, in name order.
pub fn policy_files(dir: &Path, owner: Owner) -> Result<Vec<PathBuf>, BadFile> {
    let io = |source: io::Error| BadFile::Io { path: dir.to_owned(), source };
    // The folder above as well: whoever can write there can put another folder in this one's place.
    let whole = std::path::absolute(dir).map_err(io)?;
    let above = whole.parent().filter(|_| owner == Owner::Root);
    for folder in above.into_iter().chain([dir]) {
        let facts =
            fs::symlink_metadata(folder).map_err(|source| BadFile::Io { path: folder.to_owned(), source })?;
        if !facts.is_dir() {
            return Err(BadFile::NotFolder(folder.to_owned()));
        }
        let others = facts.mode() & 0o022 != 0 && facts.mode() & 0o1000 == 0;
        if owner == Owner::Root && (facts.uid() != 0 || others) {
            return Err(BadFile::Writable(folder.to_owned()));
        }
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.file_name().is_some_and(is_policy_name) {
            paths.push(path);
        }
    }
    paths.sort();
    paths.truncate(MAX_FILES);
    Ok(paths)
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
        let names: Vec<_> =
            read_policy_dir(dir.path(), Owner::Root).unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["10-a.toml", "20-b.toml"]);
    }

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        for mode in [0o664, 0o646] {
            let dir = dir_with("a.toml", "", mode);
            let wrong = read_policy_dir(dir.path(), Owner::Root).unwrap_err();
            assert!(matches!(wrong[..], [BadFile::Writable(_)]), "{mode:o}: {wrong:?}");
        }
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let dir = dir_with("a.toml", "", 0o644);
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(read_policy_dir(dir.path(), Owner::Root).unwrap_err()[..], [BadFile::Writable(_)]));
    }

    #[test]
    fn a_link_in_the_place_of_the_folder_is_not_followed() {
        let dir = dir_with("a.toml", "", 0o644);
        let elsewhere = tempfile::tempdir().unwrap();
        let link = elsewhere.path().join("policy.d");
        symlink(dir.path(), &link).unwrap();
        assert!(matches!(read_policy_dir(&link, Owner::Root).unwrap_err()[..], [BadFile::NotFolder(_)]));
    }

    #[test]
    fn a_folder_whose_parent_others_can_write_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("policy.d");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o775)).unwrap();
        assert!(matches!(read_policy_dir(&dir, Owner::Root).unwrap_err()[..], [BadFile::Writable(_)]));
    }

    #[test]
    fn a_folder_may_be_named_from_where_one_stands() {
        // Both are root's: /etc, and what is above it.
        assert!(policy_files(Path::new("/etc/."), Owner::Root).is_ok());
        assert!(policy_files(Path::new("."), Owner::Anyone).is_ok());
        assert!(!matches!(policy_files(Path::new("."), Owner::Root), Err(BadFile::Io { .. })));
    }

    #[test]
    fn somebody_elses_file_is_refused() {
        let dir = dir_with("a.toml", "", 0o644);
        std::os::unix::fs::chown(dir.path().join("a.toml"), Some(12345), None).unwrap();
        assert!(matches!(read_policy_dir(dir.path(), Owner::Root).unwrap_err()[..], [BadFile::Writable(_)]));
    }

    #[test]
    fn a_symlink_a_pipe_and_a_folder_are_refused_without_waiting() {
        let dir = dir_with("target", "", 0o644);
        symlink(dir.path().join("target"), dir.path().join("a.toml")).unwrap();
        nix::unistd::mkfifo(&dir.path().join("b.toml"), Mode::from_bits_truncate(0o600)).unwrap();
        fs::create_dir(dir.path().join("c.toml")).unwrap();
        let wrong = read_policy_dir(dir.path(), Owner::Root).unwrap_err();
        assert!(wrong.iter().all(|err| matches!(err, BadFile::NotRegular(_))), "{wrong:?}");
        assert_eq!(wrong.len(), 3);
    }

    #[test]
    fn what_a_person_names_may_be_anybodys_and_all_else_holds() {
        let dir = dir_with("a.toml", "a", 0o666);
        std::os::unix::fs::chown(dir.path(), Some(12345), None).unwrap();
        assert_eq!(read_policy_dir(dir.path(), Owner::Anyone).unwrap().len(), 1);
        symlink(dir.path().join("a.toml"), dir.path().join("b.toml")).unwrap();
        nix::unistd::mkfifo(&dir.path().join("c.toml"), Mode::from_bits_truncate(0o600)).unwrap();
        let wrong = read_policy_dir(dir.path(), Owner::Anyone).unwrap_err();
        assert!(matches!(wrong[..], [BadFile::NotRegular(_), BadFile::NotRegular(_)]), "{wrong:?}");
    }

    #[test]
    fn what_is_in_etc_jit_is_roots_whoever_names_it() {
        for (path, owner) in [
            ("/etc/jit/policy.d", Owner::Root),
            ("/etc/jit/policy.d/a.toml", Owner::Root),
            ("/etc/jitter", Owner::Anyone),
            ("policies/default", Owner::Anyone),
        ] {
            assert_eq!(Owner::of(Path::new(path)), owner, "{path}");
        }
    }

    #[test]
    fn a_file_that_goes_on_and_on_is_read_to_one_byte_over_the_limit() {
        let dir = dir_with("a.toml", &"#".repeat(3 << 20), 0o644);
        let bytes = read_file(&dir.path().join("a.toml"), Owner::Root).unwrap();
        assert_eq!(bytes.len() as u64, MAX_BYTES + 1);
    }

    #[test]
    fn every_fault_is_a_finding_with_a_code_and_what_to_type() {
        let path = || PathBuf::from("/etc/jit/policy.d/my roles.toml");
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let said: Vec<_> = [
            BadFile::Io { path: path(), source: denied },
            BadFile::NotRegular(path()),
            BadFile::NotFolder(path()),
            BadFile::Writable(path()),
            BadFile::Name(path()),
        ]
        .iter()
        .map(BadFile::finding)
        .collect();
        let codes: Vec<_> = said.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["JIT060", "JIT061", "JIT062", "JIT063", "JIT064"]);
        assert!(said.iter().all(|finding| finding.file == "/etc/jit/policy.d/my roles.toml"));
        let hint = said[3].hint.as_deref();
        let path = "'/etc/jit/policy.d/my roles.toml'";
        assert_eq!(hint, Some(format!("run: chown root {path} && chmod go-w {path}").as_str()));
    }
}
