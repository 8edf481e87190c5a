//! Whose signatures count on this host: the approvers file and the list of revoked keys, under the rules of policy files.
//! Whose codes count is beside them, in a file that root alone reads.

use std::fmt::Display;
use std::io;
use std::path::Path;

use jit_core::code::CodeKeys;
use jit_core::policy::{FileFault, Finding};
use jit_core::sign::approvers::{Approvers, Revoked};
use nix::unistd::geteuid;

use crate::files::{BadFile, Owner, read_file};

/// Whose keys may approve.
pub const APPROVERS: &str = "/etc/jit/approvers";

/// Which may not any more.
pub const REVOKED: &str = "/etc/jit/revoked-keys";

/// The keys of those whose codes count.
pub const CODE_KEYS: &str = "/etc/jit/code-keys";

/// The keys for codes, or all that is wrong with their file, a line each. One that is not there names nobody.
pub fn read_code_keys(path: &Path, owner: Owner) -> Result<CodeKeys, Vec<String>> {
    of(path, owner, CodeKeys::parse)
}

/// Both files, or all that is wrong with them, a line each: `FILE: line N: why`. One that is not there names nobody.
pub fn read(approvers: &Path, revoked: &Path, owner: Owner) -> Result<(Approvers, Revoked), Vec<String>> {
    let (one, other) = (of(approvers, owner, Approvers::parse), of(revoked, owner, Revoked::parse));
    match (one, other) {
        (Ok(approvers), Ok(revoked)) => Ok((approvers, revoked)),
        (one, other) => Err(one.err().into_iter().chain(other.err()).flatten().collect()),
    }
}

/// What is wrong with this host's own, as findings about its policy: none where they load.
#[must_use]
pub fn findings() -> Vec<Finding> {
    let wrong = read(Path::new(APPROVERS), Path::new(REVOKED), Owner::Root).err().unwrap_or_default();
    let finding = |text: &String| {
        let (file, message) = text.split_once(": ").unwrap_or((APPROVERS, text));
        let hint = "no signature counts before it loads; correct it, and type: jitctl policy load".to_owned();
        Finding::of_file(FileFault::Signers, file, message.to_owned(), hint)
    };
    let mut findings: Vec<Finding> = wrong.iter().map(finding).collect();
    findings.extend(code_findings());
    findings
}

/// The same of the keys for codes, as far as they may be read.
fn code_findings() -> Vec<Finding> {
    if Path::new(CODE_KEYS).exists() && !geteuid().is_root() {
        return Vec::new();
    }
    let finding = |text: &String| {
        let (file, message) = text.split_once(": ").unwrap_or((CODE_KEYS, text));
        let hint = "no code counts before it loads; correct it, and type: jitctl policy load".to_owned();
        Finding::of_file(FileFault::Signers, file, message.to_owned(), hint)
    };
    let wrong = read_code_keys(Path::new(CODE_KEYS), Owner::RootSecret).err().unwrap_or_default();
    wrong.iter().map(finding).collect()
}

fn of<T: Default, L: Display>(
    path: &Path,
    owner: Owner,
    parse: impl FnOnce(&[u8]) -> Result<T, Vec<L>>,
) -> Result<T, Vec<String>> {
    match read_file(path, owner) {
        Ok(bytes) => parse(&bytes)
            .map_err(|bad| bad.iter().map(|line| format!("{}: {line}", path.display())).collect()),
        Err(BadFile::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(bad) => Err(vec![bad.to_string()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0+yzr0M+a6/OC9i7Y5VHO9h1cOUCLsBWJd2nKZ0wbG";

    #[test]
    fn what_is_not_there_names_nobody_and_what_others_can_write_or_is_no_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (approvers, revoked) = (dir.path().join("approvers"), dir.path().join("revoked-keys"));
        let read = || read(&approvers, &revoked, Owner::Root);
        assert!(read().unwrap().0.is_empty());
        fs::write(&approvers, format!("olga {KEY}\n")).unwrap();
        let mode = |mode| fs::set_permissions(&approvers, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        assert_eq!(read().unwrap().0.iter().count(), 1);
        mode(0o666);
        assert!(read().unwrap_err()[0].contains("must be owned by root"));
        mode(0o644);
        fs::write(&revoked, "olga\n").unwrap();
        assert!(read().unwrap_err()[0].contains("revoked-keys: line 1:"));
        fs::remove_file(&revoked).unwrap();
        std::os::unix::fs::symlink(&approvers, &revoked).unwrap();
        assert!(read().unwrap_err()[0].contains("not a regular file"));
    }
}
