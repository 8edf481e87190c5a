//! `jitd.policy.v1`: the text that people sign for a policy. It names every file by size and SHA-256, the hosts that it is
//! for, until when it is taken, and its number among those that were signed, so that an old one never comes back.

use super::file::word;
use super::hosts::Hosts;
use super::lines::{escaped, unescaped};
use crate::digest::Digest;
use crate::policy::SourceFile;
use crate::time::Utc;

/// The first line, and what a signature over it is for, as `-n` of ssh-keygen(1).
pub const NAMESPACE: &str = "jitd.policy.v1";

/// The longest text, in bytes: it travels to jitd in one call with its signatures.
pub const MAX_MANIFEST: usize = 16 * 1024;

/// The most signatures that are brought with it.
pub const MAX_SIGNATURES: usize = 8;

/// A file of the policy, by what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFile {
    /// Its name, without the folder.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

/// What is signed of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The hosts that it is for.
    pub hosts: Hosts,
    /// Its number. A host takes one only above the last that it took.
    pub serial: u64,
    /// The policy that must be in force, where it is for that alone.
    pub after: Option<Digest>,
    /// When it was written.
    pub issued: Utc,
    /// Until when it is taken.
    pub not_after: Utc,
    /// All files, in name order.
    pub files: Vec<ManifestFile>,
}

/// Why a text is none that is signed for a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadManifest {
    /// It is too long.
    #[error("it has {0} bytes, and at most {MAX_MANIFEST} are read")]
    Long(usize),
    /// A line that is never written so.
    #[error("line {0} is not what 'jitctl offline policy' writes there")]
    Line(usize),
    /// It is never taken.
    #[error("'not-after' is not after 'issued'")]
    Times,
}

/// What does not fit between a text and files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Differs {
    /// A file that the text names otherwise.
    #[error("{0} is not the file that was signed: its bytes are others")]
    Bytes(String),
    /// A file that the text does not name.
    #[error("{0} is not among the files that were signed")]
    More(String),
    /// A file that is not there.
    #[error("{0} was signed and is not there")]
    Missing(String),
}

const NONE: &str = "none";

impl Manifest {
    /// What is signed of these files.
    #[must_use]
    pub fn of(
        files: &[SourceFile],
        hosts: Hosts,
        serial: u64,
        after: Option<Digest>,
        (issued, not_after): (Utc, Utc),
    ) -> Self {
        let mut files: Vec<ManifestFile> = files
            .iter()
            .map(|file| ManifestFile {
                name: file.name.clone(),
                size: u64::try_from(file.bytes.len()).unwrap_or(u64::MAX),
                sha256: Digest::of(&file.bytes),
            })
            .collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Self { hosts, serial, after, issued, not_after, files }
    }

    /// The exact text, with LF.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { hosts, serial, after, issued, not_after, files } = self;
        let after = after.map_or_else(|| NONE.to_owned(), |digest| digest.to_string());
        let mut text = format!(
            "{NAMESPACE}\nhosts: {hosts}\nserial: {serial}\nafter: {after}\nissued: {issued}\nnot-after: {not_after}\n"
        );
        for ManifestFile { name, size, sha256 } in files {
            text += &format!("file: {sha256} {size} {}\n", escaped(name));
        }
        text
    }

    /// Reads a text, and refuses all but the one that [`Self::text`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadManifest> {
        if bytes.len() > MAX_MANIFEST {
            return Err(BadManifest::Long(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BadManifest::Line(1))?;
        let mut lines = text.split('\n').enumerate();
        let mut field = |label: &str| {
            let (at, line) = lines.next().unwrap_or_default();
            line.strip_prefix(label).ok_or(BadManifest::Line(at + 1)).map(|value| (at + 1, value))
        };
        if !field(NAMESPACE)?.1.is_empty() {
            return Err(BadManifest::Line(1));
        }
        let hosts = parsed(field("hosts: ")?, Hosts::parse)?;
        let serial = parsed(field("serial: ")?, word)?;
        let after =
            parsed(
                field("after: ")?,
                |text| {
                    if text == NONE { Some(None) } else { text.parse().ok().map(Some) }
                },
            )?;
        let seconds = |text: &str| word(text).filter(|time: &Utc| *time == time.whole_seconds());
        let issued = parsed(field("issued: ")?, seconds)?;
        let not_after = parsed(field("not-after: ")?, seconds)?;
        let mut files = Vec::new();
        for (at, line) in lines.filter(|(_, line)| !line.is_empty()) {
            files.push(file(line).ok_or(BadManifest::Line(at + 1))?);
        }
        let manifest = Self { hosts, serial, after, issued, not_after, files };
        if not_after <= issued {
            return Err(BadManifest::Times);
        }
        let in_order = manifest.files.windows(2).position(|pair| pair[0].name >= pair[1].name);
        if let Some(at) = in_order {
            return Err(BadManifest::Line(at + 8));
        }
        let again = manifest.text();
        if again == text {
            return Ok(manifest);
        }
        let same = again.lines().zip(text.lines()).take_while(|(one, other)| one == other).count();
        Err(BadManifest::Line(same + 1))
    }

    /// Whether these are the files.
    pub fn is_of(&self, files: &[SourceFile]) -> Result<(), Differs> {
        for file in files {
            let named = self.files.iter().find(|known| known.name == file.name);
            let named = named.ok_or_else(|| Differs::More(file.name.clone()))?;
            if u64::try_from(file.bytes.len()).ok() != Some(named.size)
                || Digest::of(&file.bytes) != named.sha256
            {
                return Err(Differs::Bytes(file.name.clone()));
            }
        }
        let gone = self.files.iter().find(|named| !files.iter().any(|file| file.name == named.name));
        gone.map_or(Ok(()), |gone| Err(Differs::Missing(gone.name.clone())))
    }
}

fn parsed<T>((line, text): (usize, &str), read: impl FnOnce(&str) -> Option<T>) -> Result<T, BadManifest> {
    read(text).ok_or(BadManifest::Line(line))
}

fn file(line: &str) -> Option<ManifestFile> {
    let (sha256, rest) = line.strip_prefix("file: ")?.split_once(' ')?;
    let (size, name) = rest.split_once(' ')?;
    Some(ManifestFile { name: unescaped(name)?, size: word(size)?, sha256: sha256.parse().ok()? })
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
