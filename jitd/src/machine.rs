//! Which machine the store belongs to. A template that is cloned, and a snapshot that is restored, bring along windows
//! that are over and uses that were spent elsewhere, and a clone the key that signs another host's log.
//!
//! What is known stands in a file beside the store, so it is copied with it: the machine id (machine-id(5)), and the
//! generation id of a virtual machine where QEMU's fw_cfg shows one, which the hypervisor changes whenever it goes back
//! in time or is copied (vmgenid, "Virtual Machine Generation ID"). Of each its digest: the machine id is not to be handed on.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jit_core::digest::Digest;

use crate::log;

const FILE: &str = "machine";

/// Longer is neither of the two.
const LIMIT: u64 = 4096;

/// Where a machine says which it is.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    id: PathBuf,
    generation: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            id: "/etc/machine-id".into(),
            generation: "/sys/firmware/qemu_fw_cfg/by_name/etc/vmgenid_guid/raw".into(),
        }
    }
}

/// A machine, as far as it can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    id: Option<Digest>,
    generation: Option<Digest>,
}

/// How the store came to be on a machine that is not the one it was written on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// It was copied: the machine id is another.
    Copied,
    /// The machine is the same and its hypervisor says that it went back in time, or is a copy.
    WentBack,
}

impl Machine {
    /// The machine that jitd runs on.
    pub(crate) fn here(places: &Places) -> Self {
        let digest = |path: &Path| {
            let mut bytes = Vec::new();
            fs::File::open(path).ok()?.take(LIMIT).read_to_end(&mut bytes).ok()?;
            let text = bytes.trim_ascii();
            (!text.is_empty() && text != b"uninitialized")
                .then(|| Digest::of(&[b"jitd.machine.v1\n", text].concat()))
        };
        Self { id: digest(&places.id), generation: digest(&places.generation) }
    }

    /// The one that the store in this folder was last used on; what is not known of it is nothing.
    pub(crate) fn of_store(dir: &Path) -> Self {
        let text = fs::read_to_string(dir.join(FILE)).unwrap_or_default();
        let line = |label: &str| text.lines().find_map(|line| line.strip_prefix(label)?.parse().ok());
        Self { id: line("id "), generation: line("generation ") }
    }

    /// Whether this is another machine than that one. What only one of them tells says nothing.
    pub(crate) fn is_not(&self, other: &Self) -> Option<Elsewhere> {
        let differ = |a: Option<Digest>, b: Option<Digest>| a.zip(b).is_some_and(|(a, b)| a != b);
        if differ(self.id, other.id) {
            Some(Elsewhere::Copied)
        } else if differ(self.generation, other.generation) {
            Some(Elsewhere::WentBack)
        } else {
            None
        }
    }

    /// Notes in this folder that its store belongs to this machine from now on. What this one does not tell just now,
    /// such as a generation id before its driver is loaded, stays as it was.
    pub(crate) fn settle(&self, dir: &Path) {
        let known = Self::of_store(dir);
        let now = Self { id: self.id.or(known.id), generation: self.generation.or(known.generation) };
        if now == known {
            return;
        }
        let mut text = String::new();
        for (label, digest) in [("id", now.id), ("generation", now.generation)] {
            if let Some(digest) = digest {
                text.push_str(&format!("{label} {digest}\n"));
            }
        }
        if let Err(err) = replace(dir, &text) {
            log::warning(format_args!("{}: {err}", dir.join(FILE).display()));
        }
    }
}

fn replace(dir: &Path, text: &str) -> io::Result<()> {
    let draft = dir.join("machine.new");
    // What a crash left half written.
    match fs::remove_file(&draft) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, dir.join(FILE))?;
    fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(id: &str, generation: Option<&str>) -> Machine {
        let dir = tempfile::tempdir().unwrap();
        let places = Places { id: dir.path().join("id"), generation: dir.path().join("generation") };
        fs::write(&places.id, id).unwrap();
        if let Some(generation) = generation {
            fs::write(&places.generation, generation).unwrap();
        }
        Machine::here(&places)
    }

    #[test]
    fn a_store_that_was_copied_or_went_back_is_told_from_one_that_stayed() {
        let dir = tempfile::tempdir().unwrap();
        let here = machine("1111\n", Some("a"));
        assert_eq!(
            here.is_not(&Machine::of_store(dir.path())),
            None,
            "nothing is known of a store of before"
        );
        here.settle(dir.path());
        let store = Machine::of_store(dir.path());
        assert_eq!(store, here);
        assert_eq!(machine("1111", Some("a")).is_not(&store), None);
        assert_eq!(machine("2222", Some("a")).is_not(&store), Some(Elsewhere::Copied));
        assert_eq!(machine("2222", Some("b")).is_not(&store), Some(Elsewhere::Copied));
        assert_eq!(machine("1111", Some("b")).is_not(&store), Some(Elsewhere::WentBack));
    }

    #[test]
    fn what_a_machine_does_not_tell_today_is_neither_a_difference_nor_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        machine("1111", Some("a")).settle(dir.path());
        for untold in [machine("1111", None), machine("", Some("a")), machine("uninitialized\n", None)] {
            assert_eq!(untold.is_not(&Machine::of_store(dir.path())), None);
            untold.settle(dir.path());
        }
        assert_eq!(Machine::of_store(dir.path()), machine("1111", Some("a")));
    }

    #[test]
    fn the_machine_id_itself_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        machine("0123456789abcdef0123456789abcdef", None).settle(dir.path());
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(text.starts_with("id ") && !text.contains("0123456789abcdef"), "{text}");
    }
}
