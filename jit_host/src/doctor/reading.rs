//! Files of a host below its root folder, and what could not be read of them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Something that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// What would have been looked at.
    pub what: String,
    /// Why it was not.
    pub why: String,
}

impl Unseen {
    pub(super) fn new(path: &Path, why: &io::Error) -> Self {
        let said = why.to_string();
        let said = said.split(" (os error").next().unwrap_or_default().to_owned();
        Self { what: path.display().to_string(), why: said }
    }
}

/// The text of a file below a root; none where there is none. One that cannot be read is noted.
pub(super) fn text(root: &Path, path: &str, unseen: &mut Vec<Unseen>) -> Option<String> {
    match fs::read(root.join(path.trim_start_matches('/'))) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(why) if why.kind() == ErrorKind::NotFound => None,
        Err(why) => {
            unseen.push(Unseen::new(&Path::new("/").join(path), &why));
            None
        }
    }
}

/// The files that a pattern with one `*` in its last part means, in order, as paths of the host. What any other pattern means
/// is noted as not seen.
pub(super) fn files(root: &Path, pattern: &str, unseen: &mut Vec<Unseen>) -> Vec<String> {
    let (folder, last) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let is_other = |text: &str| text.contains(['?', '[', '\\']);
    if is_other(pattern) || folder.contains('*') || last.matches('*').count() > 1 {
        let why =
            "only one * in the last part of a pattern is followed; look at these files yourself".to_owned();
        unseen.push(Unseen { what: pattern.to_owned(), why });
        return Vec::new();
    }
    let Some((before, behind)) = last.split_once('*') else { return vec![pattern.to_owned()] };
    let entries = match fs::read_dir(root.join(folder.trim_start_matches('/'))) {
        Ok(entries) => entries,
        Err(why) => {
            if why.kind() != ErrorKind::NotFound {
                unseen.push(Unseen::new(Path::new(folder), &why));
            }
            return Vec::new();
        }
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let is_meant = |name: &String| {
        name.len() >= before.len() + behind.len() && name.starts_with(before) && name.ends_with(behind)
    };
    let names: BTreeSet<String> = names.filter(is_meant).collect();
    names.into_iter().map(|name| format!("{folder}/{name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_is_not_followed_is_not_seen() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("d")).unwrap();
        for name in ["a.conf", "b.conf", "c"] {
            fs::write(root.path().join("d").join(name), "").unwrap();
        }
        let mut unseen = Vec::new();
        assert_eq!(files(root.path(), "/d/*.conf", &mut unseen), ["/d/a.conf", "/d/b.conf"]);
        assert_eq!(files(root.path(), "/d/c", &mut unseen), ["/d/c"]);
        assert_eq!(unseen, []);
        let others = ["/d/?.conf", "/d/[ab].conf", "/*/c", "/d/*.*"];
        for pattern in others {
            assert_eq!(files(root.path(), pattern, &mut unseen), [""; 0]);
        }
        assert_eq!(unseen.iter().map(|unseen| unseen.what.as_str()).collect::<Vec<_>>(), others);
    }
}
