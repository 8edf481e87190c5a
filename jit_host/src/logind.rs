//! What logind keeps of its sessions, as sd-login(3) reads it: a file for each, which only root writes.

use std::fs;
use std::path::Path;

use crate::files::{Owner, read_file};

/// Where they are.
pub const SESSIONS: &str = "/run/systemd/sessions";

/// More sessions than logind keeps at once unless it is told to (SessionsMax= of logind.conf(5)).
const MOST: usize = 8192;

/// The sessions in such a folder, each by its name and with its text.
pub fn sessions(folder: &Path) -> impl Iterator<Item = (String, String)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(2 * MOST);
    entries.filter_map(move |entry| {
        let name = entry.file_name().into_string().ok()?;
        let text = session(folder, &name)?;
        Some((name, text))
    })
}

/// The text of one of them. Beside each is a pipe, `NAME.ref`, which the session holds open: who reads it waits for as long as
/// that lasts, and so it is not even opened.
#[must_use]
pub fn session(folder: &Path, name: &str) -> Option<String> {
    let is_one = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let bytes = is_one.then(|| read_file(&folder.join(name), Owner::Anyone).ok()).flatten()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What such a text says of something.
#[must_use]
pub fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn sessions_are_read_and_the_pipes_beside_them_are_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("c3"), "AUDIT=5\nSERVICE=su\n").unwrap();
        fs::write(at(".#c4"), "AUDIT=6\n").unwrap();
        // As logind has it, and with a name that a session could have.
        for pipe in ["c3.ref", "c5"] {
            mkfifo(&at(pipe), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        }
        let found: Vec<_> = sessions(folder.path()).collect();
        assert_eq!(found, [("c3".to_owned(), "AUDIT=5\nSERVICE=su\n".to_owned())]);
        assert_eq!(session(folder.path(), "../c3"), None);
        assert_eq!((value(&found[0].1, "SERVICE"), value(&found[0].1, "SERV")), (Some("su"), None));
        assert_eq!(sessions(&at("absent")).count(), 0);
    }
}
