//! Which machine the store belongs to. A template that is cloned, and a snapshot that is restored, bring along windows
//! that are over and uses that were spent elsewhere, and a clone the key that signs another host's log.
//!
//! What is known stands in a file beside the store, so it is copied with it: the machine id (machine-id(5)), and the
//! generation id of a virtual machine where QEMU's fw_cfg shows one, which the hypervisor changes whenever it goes back
//! in time or is copied (vmgenid, "Virtual Machine Generation ID"). Of each its digest: the machine id is not to be handed on.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jit_core::digest::Digest;
use jit_core::model::Elsewhere;

use crate::{log, own_file};

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

    /// The one that the store in this folder was last used on, of which nothing is known where there is no such file.
    /// Nothing at all if the file cannot be read, or is not one that jitd wrote.
    fn of_store(dir: &Path) -> Option<Self> {
        let text = match fs::read_to_string(dir.join(FILE)) {
            Ok(text) => text,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Some(Self::default()),
            Err(_) => return None,
        };
        let mut machine = Self::default();
        for line in text.lines() {
            let (label, digest) = line.split_once(' ')?;
            let digest = Some(digest.parse().ok()?);
            match label {
                "id" => machine.id = digest,
                "generation" => machine.generation = digest,
                _ => return None,
            }
        }
        (machine.id.is_some() || machine.generation.is_some()).then_some(machine)
    }

    /// How the store in this folder comes to be on this machine, if it was not written on it.
    pub(crate) fn moved(&self, dir: &Path) -> Option<Elsewhere> {
        Self::of_store(dir).map_or(Some(Elsewhere::WentBack), |store| self.is_not(&store))
    }

    /// Whether this is another machine than that one. What only one of them tells says nothing.
    fn is_not(&self, other: &Self) -> Option<Elsewhere> {
        let differ = |a: Option<Digest>, b: Option<Digest>| a.zip(b).is_some_and(|(a, b)| a != b);
        if differ(self.id, other.id) {
            Some(Elsewhere::Copied)
        } else if differ(self.generation, other.generation) {
            Some(Elsewhere::WentBack)
        } else {
            None
        }
    }

    /// This machine, with what is known of it and it does not tell just now.
    fn or(&self, known: Option<&Self>) -> Self {
        Self {
            id: self.id.or(known.and_then(|known| known.id)),
            generation: self.generation.or(known.and_then(|known| known.generation)),
        }
    }

    /// Notes in this folder that its store belongs to this machine from now on. What this one does not tell just now,
    /// such as a generation id before its driver is loaded, stays as it was.
    pub(crate) fn settle(&self, dir: &Path) {
        let known = Self::of_store(dir);
        let now = self.or(known.as_ref());
        if known.as_ref() == Some(&now) {
            return;
        }
        let mut text = String::new();
        for (label, digest) in [("id", now.id), ("generation", now.generation)] {
            if let Some(digest) = digest {
                text.push_str(&format!("{label} {digest}\n"));
            }
        }
        if let Err(err) = own_file::replace(dir, FILE, &text) {
            log::warning(format_args!("{}: {err}", dir.join(FILE).display()));
        }
    }
}

/// Looks while jitd runs whether its machine went back in time under it, as one that is restored with its memory does, or
/// was given another machine id.
#[derive(Debug)]
pub(crate) struct Watch {
    places: Places,
    looked: Option<Duration>,
    /// Where it could not be noted what the machine is: it is not found out again and again.
    known: Option<Machine>,
}

/// How often it looks. A machine that went back decides by what was so before for no longer than that.
const EACH: Duration = Duration::from_mins(1);

impl Watch {
    pub(crate) const fn new(places: Places) -> Self {
        Self { places, looked: None, known: None }
    }

    /// Whether the store in this folder has to be read again, since it is not on the machine that it was written on any more.
    pub(crate) fn has_moved(&mut self, dir: &Path, up: Duration) -> bool {
        // A machine that went back has been up for less.
        if self.looked.is_some_and(|looked| (looked..looked + EACH).contains(&up)) {
            return false;
        }
        self.looked = Some(up);
        let here = Machine::here(&self.places);
        let moved = match &self.known {
            Some(known) => here.is_not(known),
            None => here.moved(dir),
        };
        // A generation id whose driver was not there when jitd started is learned here.
        if moved.is_none() && self.known.as_ref() != Some(&here) {
            here.settle(dir);
        }
        self.known = Some(here.or(self.known.as_ref()));
        moved.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(dir: &Path, id: &str, generation: Option<&str>) -> Places {
        let places = Places { id: dir.join("id"), generation: dir.join("generation") };
        fs::write(&places.id, id).unwrap();
        if let Some(generation) = generation {
            fs::write(&places.generation, generation).unwrap();
        }
        places
    }

    fn machine(id: &str, generation: Option<&str>) -> Machine {
        let dir = tempfile::tempdir().unwrap();
        Machine::here(&places(dir.path(), id, generation))
    }

    #[test]
    fn a_store_that_was_copied_or_went_back_is_told_from_one_that_stayed() {
        let dir = tempfile::tempdir().unwrap();
        let moved = |id, generation| machine(id, generation).moved(dir.path());
        assert_eq!(moved("1111\n", Some("a")), None, "nothing is known of a store of before");
        machine("1111\n", Some("a")).settle(dir.path());
        assert_eq!(moved("1111", Some("a")), None);
        assert_eq!(moved("2222", Some("a")), Some(Elsewhere::Copied));
        assert_eq!(moved("2222", Some("b")), Some(Elsewhere::Copied));
        assert_eq!(moved("1111", Some("b")), Some(Elsewhere::WentBack));
    }

    #[test]
    fn what_a_machine_does_not_tell_today_is_neither_a_difference_nor_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        machine("1111", Some("a")).settle(dir.path());
        for untold in [machine("1111", None), machine("", Some("a")), machine("uninitialized\n", None)] {
            assert_eq!(untold.moved(dir.path()), None);
            untold.settle(dir.path());
        }
        assert_eq!(Machine::of_store(dir.path()), Some(machine("1111", Some("a"))));
    }

    #[test]
    fn a_note_that_jitd_did_not_write_vouches_for_no_machine() {
        let dir = tempfile::tempdir().unwrap();
        let here = machine("1111", Some("a"));
        for note in ["", "id 1234\n", "\0\0\0", "other x\n"] {
            fs::write(dir.path().join(FILE), note).unwrap();
            assert_eq!(here.moved(dir.path()), Some(Elsewhere::WentBack), "{note:?}");
        }
        here.settle(dir.path());
        assert_eq!(here.moved(dir.path()), None);
    }

    #[test]
    fn a_machine_that_goes_back_while_jitd_runs_is_noticed_once_and_a_generation_id_that_comes_late_is_learned()
     {
        const LATER: Duration = Duration::from_secs(61);
        let (dir, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let of = places(root.path(), "1111", None);
        Machine::here(&of).settle(dir.path());
        let mut watch = Watch::new(of);
        assert!(!watch.has_moved(dir.path(), LATER));
        places(root.path(), "1111", Some("a"));
        assert!(!watch.has_moved(dir.path(), LATER * 2), "its driver came late");
        assert_eq!(
            machine("1111", Some("b")).moved(dir.path()),
            Some(Elsewhere::WentBack),
            "and it was learned"
        );
        places(root.path(), "1111", Some("b"));
        assert!(!watch.has_moved(dir.path(), LATER * 2 + Duration::from_secs(1)), "not at every wake");
        // Whoever goes back has been up for less.
        assert!(watch.has_moved(dir.path(), LATER));
        assert!(!watch.has_moved(dir.path(), LATER * 4), "though nothing could be noted");
        // What it does not tell for a while is not forgotten.
        fs::remove_file(root.path().join("generation")).unwrap();
        assert!(!watch.has_moved(dir.path(), LATER * 5));
        places(root.path(), "1111", Some("d"));
        assert!(watch.has_moved(dir.path(), LATER * 7));
        // A clone that is given its id while it runs.
        places(root.path(), "2222", Some("c"));
        assert!(watch.has_moved(dir.path(), LATER * 9));
    }

    #[test]
    fn the_machine_id_itself_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        machine("0123456789abcdef0123456789abcdef", None).settle(dir.path());
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(text.starts_with("id ") && !text.contains("0123456789abcdef"), "{text}");
    }
}
