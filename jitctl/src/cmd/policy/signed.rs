//! `jitctl policy load --signed`: a policy that was signed elsewhere. Its files take the place of those of this host, and
//! jitd puts them in force if they are what was signed; if not, those that were there are put back.

use std::path::Path;

use jit_core::policy::SourceFile;
use jit_core::sign::MAX_SIGNATURE;
use jit_core::sign::policy::{MAX_MANIFEST, MAX_SIGNATURES, Manifest};
use jit_host::files::{BadFile, Owner, POLICY_DIR, read_file, read_policy_dir};
use jit_proto::manager::PolicySigned;
use jit_proto::text::Shown;
use jit_proto::words::Reason;

use super::edit::{lock, replace};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::screen::Screen;

/// The text beside the files, and how the names of signatures over it begin.
pub(crate) const MANIFEST: &str = "jitd.policy";

pub(super) fn run(
    dir: &Path,
    reason: Option<&Reason>,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let brought = Brought::read(dir)?;
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::Usage(format!(
            "{POLICY_DIR} is root's, and a signed policy is put there first\nhint: type it with sudo"
        ))
        .into());
    }
    let here = Path::new(POLICY_DIR);
    let _alone = lock(here).map_err(Error::Usage)?;
    let before = read_policy_dir(here, Owner::Root).map_err(|bad| bad_files(&bad))?;
    put_whole(here, &before, &brought.files)?;
    let Brought { text, signatures, files } = brought;
    let call = Call::LoadSignedPolicy { text, signatures, reason: reason.cloned() };
    match jitd::ask::<PolicySigned>(jitd, &call) {
        Ok(signed) => Ok(give(&signed, json, screen, view)?),
        Err(failure) => {
            // What came to nothing leaves nothing. Where that is not known, the files stay: they may be in force.
            if !failure.is_silence() {
                put(here, &files, &before)?;
                screen.say(&format!("The files in {POLICY_DIR} are those that were there before."));
            }
            Err(failure)
        }
    }
}

/// A folder with the files of a policy, the text that was signed of them, and the signatures.
struct Brought {
    text: Vec<u8>,
    signatures: Vec<Vec<u8>>,
    files: Vec<SourceFile>,
}

impl Brought {
    /// Read as whoever runs it. That the files are those that were signed is judged here already, for the sake of a
    /// plain word; jitd judges it again.
    fn read(dir: &Path) -> Result<Self, Error> {
        let usage = |what: &dyn std::fmt::Display| {
            Error::Usage(format!("{}: {what}", Shown(&dir.display().to_string())))
        };
        let bounded = |path: &Path, most: usize| {
            let bytes = read_file(path, Owner::Anyone).map_err(|bad| Error::Usage(bad.to_string()))?;
            if bytes.len() > most {
                Err(usage(&format_args!("{MANIFEST} or a signature is too long")))
            } else {
                Ok(bytes)
            }
        };
        let text = bounded(&dir.join(MANIFEST), MAX_MANIFEST)?;
        let manifest = Manifest::parse(&text).map_err(|why| usage(&format_args!("{MANIFEST}: {why}")))?;
        let files = read_policy_dir(dir, Owner::Anyone).map_err(|bad| bad_files(&bad))?;
        manifest.is_of(&files).map_err(|why| usage(&why))?;
        let mut names: Vec<_> = std::fs::read_dir(dir)
            .map_err(|why| usage(&why))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with(MANIFEST) && name.ends_with(".sig")
            })
            .collect();
        names.sort();
        if names.is_empty() || names.len() > MAX_SIGNATURES {
            return Err(usage(&format_args!(
                "there are {} signatures ({MANIFEST}*.sig), and from 1 to {MAX_SIGNATURES} are brought",
                names.len()
            )));
        }
        let signatures =
            names.iter().map(|path| bounded(path, MAX_SIGNATURE)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { text, signatures, files })
    }
}

/// Puts all of these files in the place of those; where one cannot be put there, those come back.
fn put_whole(dir: &Path, old: &[SourceFile], new: &[SourceFile]) -> Result<(), Error> {
    put(dir, old, new).map_err(|why| match put(dir, new, old) {
        Ok(()) => {
            Error::Usage(format!("{why}\nNothing was changed: the files are those that were there before."))
        }
        Err(more) => {
            Error::Usage(format!("{why}\nTo put back those that were there before failed, too: {more}"))
        }
    })
}

/// Puts these files in the place of those, each whole or not at all.
fn put(dir: &Path, old: &[SourceFile], new: &[SourceFile]) -> Result<(), Error> {
    let failed = |name: &str, why: &std::io::Error| {
        Error::Usage(format!("{}: {why}; see what is there with: ls {POLICY_DIR}", Shown(name)))
    };
    for file in new.iter().filter(|file| !old.contains(file)) {
        replace(dir, &file.name, &file.bytes).map_err(|why| failed(&file.name, &why))?;
    }
    for file in old.iter().filter(|file| !new.iter().any(|other| other.name == file.name)) {
        match std::fs::remove_file(dir.join(&file.name)) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(failed(&file.name, &why)),
            Ok(()) | Err(_) => {} // one that never got there is gone, too
        }
    }
    Ok(())
}

fn bad_files(bad: &[BadFile]) -> Error {
    Error::Usage(bad.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn view(signed: &PolicySigned) -> View {
    let who = signed.signed.join(", ");
    View::yes(format!(
        "Policy {} is in force, serial {}, signed by {}.\n",
        Shown(&signed.digest),
        signed.serial,
        Shown(&who)
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn files(all: &[(&str, &str)]) -> Vec<SourceFile> {
        let file = |(name, text): &(&str, &str)| SourceFile { name: (*name).into(), bytes: (*text).into() };
        all.iter().map(file).collect()
    }

    #[test]
    fn files_that_cannot_all_be_put_there_leave_those_that_were_there() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).ok();
        let old = files(&[("10-site.toml", "old"), ("30-old.toml", "goes")]);
        let new = files(&[("10-site.toml", "new"), ("20-more.toml", "more")]);
        put(dir.path(), &[], &old).unwrap();
        // Something stands where one of them would go.
        fs::create_dir(dir.path().join("20-more.toml")).unwrap();
        let why = put_whole(dir.path(), &old, &new).unwrap_err().to_string();
        assert!(why.contains("20-more.toml"), "{why}");
        assert_eq!((read("10-site.toml"), read("30-old.toml")), (Some("old".into()), Some("goes".into())));
        // Its twin.
        fs::remove_dir(dir.path().join("20-more.toml")).unwrap();
        put_whole(dir.path(), &old, &new).unwrap();
        let there = ["10-site.toml", "20-more.toml", "30-old.toml"].map(read);
        assert_eq!(there, [Some("new".to_owned()), Some("more".to_owned()), None]);
    }
}
