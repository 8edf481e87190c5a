//! The files below some folders: which of them are logs or checkpoints, and of which host. A stick may hold anything: no
//! link is followed, nothing waits for a pipe, and everything is bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use jit_core::proof::checkpoint::Kept;
use jit_core::proof::note::{KeyName, PublicKey};
use jit_core::proof::preface::Preface;
use jit_host::files::{Owner, open_regular};
use serde::Deserialize;

use crate::cmd::audit::read::{named, next_line};
use crate::error::Error;

/// So deep folders lie in each other: `DIR/logs/HOST/` and some more.
const DEPTH: usize = 6;

/// The most files that are looked at. A host that exports each day for ten years has 3,650.
const FILES: usize = 100_000;

/// The most hosts: each has a file open while the timeline is written.
const HOSTS: usize = 512;

/// The longest file that is taken for a checkpoint.
const NOTE: u64 = 64 * 1024;

/// An exported file, and the number of its first record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) path: PathBuf,
}

/// All that there is of one host.
#[derive(Debug, Default)]
pub(super) struct Logs {
    /// By their first record.
    pub(super) parts: Vec<Part>,
    /// Checkpoints that were carried, by the name that messages have for them.
    pub(super) checkpoints: Vec<(String, Kept)>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) hosts: BTreeMap<KeyName, Logs>,
    /// What is not taken, and why.
    pub(super) left_out: Vec<String>,
}

/// Looks at every file below these folders.
pub(super) fn find(dirs: &[PathBuf]) -> Result<Found, Error> {
    let mut found = Found::default();
    let mut paths = BTreeSet::new();
    for dir in dirs {
        if !dir.is_dir() {
            return Err(Error::Usage(format!(
                "{} is no folder; a single log is verified with: jitctl audit verify FILE",
                named(dir)
            )));
        }
        walk(dir, DEPTH, &mut paths, &mut found.left_out)?;
    }
    let mut nameless = Vec::new();
    for path in paths {
        match look(&path) {
            Ok(Content::Records { first, origin: Some(origin) }) => {
                found.hosts.entry(origin).or_default().parts.push(Part { first, path });
            }
            Ok(Content::Records { first, origin: None }) => nameless.push(Part { first, path }),
            Ok(Content::Checkpoint(kept)) => {
                let logs = found.hosts.entry(kept.checkpoint.origin.clone()).or_default();
                logs.checkpoints.push((named(&path), *kept));
            }
            Ok(Content::Key) => {}
            Err(why) => found.left_out.push(format!("{}: {why}", named(&path))),
        }
    }
    of_their_folder(nameless, &mut found);
    for logs in found.hosts.values_mut() {
        logs.parts.sort_by(|one, other| (one.first, &one.path).cmp(&(other.first, &other.path)));
    }
    if found.hosts.len() > HOSTS {
        let count = found.hosts.len();
        return Err(Error::Usage(format!(
            "there are {count} hosts, and {HOSTS} are merged at once; give some of their folders"
        )));
    }
    Ok(found)
}

fn walk(
    dir: &Path,
    deeper: usize,
    paths: &mut BTreeSet<PathBuf>,
    left_out: &mut Vec<String>,
) -> Result<(), Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(why) => {
            left_out.push(format!("{}: it cannot be read ({why})", named(dir)));
            return Ok(());
        }
    };
    for entry in entries {
        let Ok(entry) = entry else {
            left_out.push(format!("{}: it cannot be read to its end", named(dir)));
            return Ok(());
        };
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && deeper > 1 => walk(&path, deeper - 1, paths, left_out)?,
            Ok(kind) if kind.is_file() => {
                paths.insert(path);
            }
            Ok(_) | Err(_) => left_out.push(format!("{}: it is no plain file", named(&path))),
        }
        if paths.len() + left_out.len() > FILES {
            return Err(Error::Usage(format!(
                "there are more than {FILES} files; give some of their folders"
            )));
        }
    }
    Ok(())
}

/// What a file holds.
enum Content {
    Records { first: u64, origin: Option<KeyName> },
    Checkpoint(Box<Kept>),
    Key,
}

/// What is looked at in a record to learn whose log it is.
#[derive(Deserialize)]
struct Head {
    seq: u64,
    event: String,
    #[serde(default)]
    origin: Option<KeyName>,
    #[serde(default)]
    key: Option<String>,
}

impl Head {
    fn origin(self) -> Option<KeyName> {
        match self.event.as_str() {
            "checkpoint" => self.origin,
            "host-key" => self.key?.parse::<PublicKey>().ok().map(|key| key.name().clone()),
            _ => None,
        }
    }
}

fn look(path: &Path) -> Result<Content, String> {
    let file = open_regular(path, Owner::Anyone).map_err(|bad| bad.to_string())?;
    let mut input = BufReader::new(file);
    let mut line = Vec::new();
    let read = |why: std::io::Error| format!("it cannot be read ({why})");
    next_line(&mut input, &mut line).map_err(read)?;
    while Preface::is_one(&line) {
        next_line(&mut input, &mut line).map_err(read)?;
    }
    let Ok(head) = serde_json::from_slice::<Head>(&line) else {
        let mut rest = String::new();
        input.take(NOTE).read_to_string(&mut rest).map_err(read)?;
        let text = String::from_utf8(line).map_err(|_| "it is neither a log nor a checkpoint".to_owned())?;
        let text = format!("{text}\n{rest}");
        return match text.parse::<Kept>() {
            Ok(kept) => Ok(Content::Checkpoint(Box::new(kept))),
            Err(_) if text.trim().parse::<PublicKey>().is_ok() => Ok(Content::Key),
            Err(_) => Err("it is neither a log nor a checkpoint".to_owned()),
        };
    };
    let first = head.seq;
    let mut origin = head.origin();
    while origin.is_none() && next_line(&mut input, &mut line).map_err(read)? > 0 {
        origin = serde_json::from_slice::<Head>(&line).ok().and_then(Head::origin);
    }
    Ok(Content::Records { first, origin })
}

/// A part that names no host is of the host that all others of its folder are of.
fn of_their_folder(nameless: Vec<Part>, found: &mut Found) {
    for part in nameless {
        let beside = |logs: &Logs| logs.parts.iter().any(|other| other.path.parent() == part.path.parent());
        let mut names = found.hosts.iter().filter(|(_, logs)| beside(logs)).map(|(name, _)| name.clone());
        match (names.next(), names.next()) {
            (Some(name), None) => found.hosts.entry(name).or_default().parts.push(part),
            _ => found
                .left_out
                .push(format!("{}: no record of it says of which host it is", named(&part.path))),
        }
    }
}
