//! The control group of a process, as it is kept. People nest what they like below their user manager, in paths of up to
//! 4,096 bytes, and may have tens of thousands of processes, each in one of its own: a list of all that runs must not
//! grow with that. Kept are the path to the unit, which root and systemd name, and so much of what is below it as fits.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

/// More of a path than this is not kept, in bytes, but for the path to the unit.
const MOST: usize = 256;

/// A control group, from systemd's root. Whatever can be said of a path that is kept holds of the whole: what is cut off
/// lies below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The path, or how it begins.
    path: Arc<str>,
    /// Of one that is not kept whole: what tells it from others that begin alike. Nobody can choose that.
    whole: Option<u64>,
}

/// The groups of one list, each path kept once.
#[derive(Default)]
pub(super) struct Groups(HashSet<Arc<str>>);

impl Groups {
    /// What is kept of this path.
    pub(super) fn keep(&mut self, path: &str) -> Group {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

        let kept = beginning(path);
        let whole = (kept.len() < path.len()).then(|| KEY.hash_one(path));
        let path = self.0.get(kept).cloned().unwrap_or_else(|| {
            let path: Arc<str> = kept.into();
            self.0.insert(Arc::clone(&path));
            path
        });
        Group { path, whole }
    }
}

impl Group {
    /// The path, or how it begins.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The unit: the first part of the path that is no slice. What stands deeper is that unit's own to name.
    pub(super) fn unit(&self) -> Option<&str> {
        self.path.split('/').find(|part| !part.is_empty() && !is_slice(part))
    }

    /// The innermost slice of the unit.
    pub(super) fn slice(&self) -> Option<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).take_while(|part| is_slice(part)).last()
    }

    /// The paths of the group itself and of all that it is part of.
    pub(super) fn with_those_around_it(&self) -> impl Iterator<Item = &str> {
        let around = self.path.char_indices().filter(|(at, one)| *at > 0 && *one == '/');
        around.filter_map(|(at, _)| self.path.get(..at)).chain([&*self.path])
    }
}

/// As much of a path as is kept: whole parts of it, the unit's at least.
fn beginning(path: &str) -> &str {
    let mut end = 0;
    for part in path.split_inclusive('/') {
        let kept = path.get(..end).unwrap_or_default();
        if path.len() > MOST && end + part.len() > MOST && has_unit(kept) {
            return kept.trim_end_matches('/');
        }
        end += part.len();
    }
    path
}

fn has_unit(path: &str) -> bool {
    path.split('/').any(|part| !part.is_empty() && !is_slice(part))
}

fn is_slice(part: &str) -> bool {
    std::path::Path::new(part).extension().is_some_and(|kind| kind == "slice")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANAGER: &str = "/user.slice/user-1001.slice/user@1001.service";

    fn keep(path: &str) -> Group {
        Groups::default().keep(path)
    }

    #[test]
    fn of_a_deep_path_the_unit_and_what_is_around_it_are_kept_and_no_more_than_so_much() {
        let deep = format!("{MANAGER}{}", "/deeper".repeat(500));
        let group = keep(&deep);
        assert!(group.path().len() <= MOST && deep.starts_with(group.path()), "{}", group.path());
        assert!(deep[group.path().len()..].starts_with("/deeper"), "whole parts");
        assert_eq!((group.unit(), group.slice()), (Some("user@1001.service"), Some("user-1001.slice")));
        assert_eq!(keep(&format!("{deep}/")).unit(), Some("user@1001.service"));
        // A name may have 255 bytes, and the first below the unit may be too long already.
        let long = format!("{MANAGER}/{}", "x".repeat(255));
        assert_eq!(keep(&long).path(), MANAGER);
        // Root's own names are kept whole.
        let slices = format!("/{}", ["root-root-root-root-root-root.slice"; 9].join("/"));
        let unit = format!("{slices}/some.service");
        assert_eq!(keep(&format!("{unit}/below")).path(), unit);
        for whole in ["/", "", "/init.scope", MANAGER] {
            assert_eq!((keep(whole).path(), keep(whole).whole), (whole, None));
        }
    }

    #[test]
    fn groups_that_begin_alike_are_told_apart_whatever_is_kept_of_them() {
        let deep = format!("{MANAGER}{}", "/deeper".repeat(500));
        let (one, other) = (keep(&deep), keep(&format!("{deep}/other")));
        assert_eq!(one.path(), other.path());
        assert_ne!(one, other);
        assert_eq!(one, keep(&deep));
    }

    #[test]
    fn a_group_is_part_of_all_around_it() {
        let around: Vec<String> =
            keep("/a.slice/b.scope/c").with_those_around_it().map(str::to_owned).collect();
        assert_eq!(around, ["/a.slice", "/a.slice/b.scope", "/a.slice/b.scope/c"]);
        assert_eq!(keep("/").with_those_around_it().collect::<Vec<_>>(), ["/"]);
    }
}
