//! sshd's own settings, as far as they decide whether PAM is asked and what it is told (sshd_config(5)).

use std::collections::BTreeMap;
use std::path::Path;

use super::reading::{Unseen, files, text};

/// The file that sshd reads.
pub(super) const CONFIG: &str = "/etc/ssh/sshd_config";

/// Files that take in each other end somewhere.
const DEPTH: usize = 8;

/// What sshd's files set. The first that is said of a thing is what counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sshd {
    said: BTreeMap<String, String>,
}

impl Sshd {
    pub(super) fn read(root: &Path, unseen: &mut Vec<Unseen>) -> Option<Self> {
        let config = text(root, CONFIG, unseen)?;
        let mut sshd = Self::default();
        sshd.take(root, &config, &mut false, DEPTH, unseen);
        Some(sshd)
    }

    /// Takes what a text says of everybody: what stands behind a `Match` is said of some.
    fn take(
        &mut self,
        root: &Path,
        text_of: &str,
        is_of_some: &mut bool,
        depth: usize,
        unseen: &mut Vec<Unseen>,
    ) {
        for line in text_of.lines() {
            let line = line.trim();
            let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
            let (key, value) = line.split_at(end);
            let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '=').trim();
            match key.to_ascii_lowercase().as_str() {
                "" => {}
                key if key.starts_with('#') => {}
                "match" => *is_of_some = !value.eq_ignore_ascii_case("all"),
                "include" if depth > 0 => {
                    for pattern in value.split_whitespace() {
                        let pattern = if pattern.starts_with('/') {
                            pattern.to_owned()
                        } else {
                            format!("/etc/ssh/{pattern}")
                        };
                        for path in files(root, &pattern, unseen) {
                            let Some(inside) = text(root, &path, unseen) else { continue };
                            // A Match ends with the file that it is in.
                            let mut is_inside = *is_of_some;
                            self.take(root, &inside, &mut is_inside, depth - 1, unseen);
                        }
                    }
                }
                key if !*is_of_some => {
                    let value = value.trim_matches('"').to_owned();
                    self.said.entry(key.to_owned()).or_insert(value);
                }
                _ => {}
            }
        }
    }

    /// Whether the first that is said of this is that.
    #[must_use]
    pub fn is(&self, key: &str, value: &str) -> bool {
        self.said.get(key).is_some_and(|said| said.eq_ignore_ascii_case(value))
    }

    /// Whether root may log in at all, as far as the file says so of everybody.
    #[must_use]
    pub fn lets_root_in(&self) -> bool {
        !self.is("permitrootlogin", "no") && !self.is("permitrootlogin", "forced-commands-only")
    }

    /// The PAM service that it asks as.
    #[must_use]
    pub fn service(&self) -> &str {
        self.said.get("pamservicename").map_or("sshd", String::as_str)
    }

    /// Whether PAM is asked at all; sshd's own default is that it is not.
    #[must_use]
    pub fn uses_pam(&self) -> bool {
        self.is("usepam", "yes")
    }
}
