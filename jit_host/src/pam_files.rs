//! The files of `/etc/pam.d` (pam.d(5)), as they are now.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use jit_core::digest::Digest;
use jit_core::model::PamFileSeen;

use crate::facts::{asks_jitd, has_session_line, only_watches_at, recover};

/// The folder, in an `/etc`.
pub const FOLDER: &str = "pam.d";

/// More files than this are not looked at, and more of one is not read: PAM's own are a few dozen, of a page each.
const MOST_FILES: usize = 512;
const MOST_BYTES: u64 = 1024 * 1024;

/// All files in the order of their names. An error is that of the folder; a file that cannot be read has no digest.
pub fn read(etc: &Path) -> io::Result<Vec<PamFileSeen>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(etc.join(FOLDER))? {
        let entry = entry?;
        // PAM follows links; a folder is no file.
        if fs::metadata(entry.path()).is_ok_and(|facts| facts.is_file()) {
            names.extend(entry.file_name().into_string().ok().filter(|name| !is_kept_copy(name)));
        }
    }
    names.sort_unstable();
    names.truncate(MOST_FILES);
    let of = |name: String| PamFileSeen {
        digest: digest(&etc.join(FOLDER).join(&name)),
        account: asks_jitd(etc, &name),
        session: has_session_line(etc, &name),
        watches: only_watches_at(etc, &name),
        recovery: recover(etc, &name).into_iter().collect(),
        name,
    };
    Ok(names.into_iter().map(of).collect())
}

fn digest(path: &Path) -> Option<Digest> {
    let mut bytes = Vec::new();
    let read = File::open(path).ok()?.take(MOST_BYTES + 1).read_to_end(&mut bytes).ok()?;
    (read as u64 <= MOST_BYTES).then(|| Digest::of(&bytes))
}

/// What `jitctl enable` keeps beside a file until its change is confirmed, and what it is just writing, end in these. They are
/// no service's.
const OLD: &str = ".jit-old";
const NEW: &str = ".jit-new";

/// What a file of this name was is kept under this one.
#[must_use]
pub fn kept(name: &str) -> String {
    format!(".{name}{OLD}")
}

/// What a file of this name will be is written under this one.
#[must_use]
pub fn half(name: &str) -> String {
    format!(".{name}{NEW}")
}

fn is_kept_copy(name: &str) -> bool {
    name.starts_with('.') && (name.ends_with(OLD) || name.ends_with(NEW))
}

#[cfg(test)]
mod tests {
    use jit_proto::words::UserName;

    use super::*;

    #[test]
    fn each_file_has_its_name_its_digest_and_whether_it_asks() {
        let etc = tempfile::tempdir().unwrap();
        let folder = etc.path().join(FOLDER);
        fs::create_dir_all(folder.join("folder")).unwrap();
        let gate = "account required pam_jit.so \\\n recovery=root,admin timeout=3 # recovery=nobody\n";
        for (name, text) in [
            ("sshd", "@include gate\nsession required pam_jit.so\n"),
            ("gate", gate),
            ("cron", ""),
            (&kept("gate"), gate),
            (&half("gate"), gate),
        ] {
            fs::write(folder.join(name), text).unwrap();
        }
        std::os::unix::fs::symlink("absent", folder.join("link")).unwrap();
        fs::write(folder.join("large"), vec![b'#'; 1024 * 1024 + 1]).unwrap();
        let files = read(etc.path()).unwrap();
        let seen: Vec<_> =
            files.iter().map(|file| (file.name.as_str(), file.account, file.session)).collect();
        assert_eq!(
            seen,
            [("cron", false, false), ("gate", true, false), ("large", false, false), ("sshd", true, true)]
        );
        let recovering: Vec<Vec<&str>> =
            files.iter().map(|file| file.recovery.iter().map(UserName::as_str).collect()).collect();
        assert_eq!(recovering, [vec![], vec!["admin", "root"], vec![], vec!["admin", "root"]]);
        assert_eq!(files[1].digest, Some(Digest::of(gate.as_bytes())));
        assert_eq!(files[2].digest, None, "more than is read");
        assert!(read(&etc.path().join("none")).is_err());
    }
}
