//! `offline policy`, and `offline sign` of what it writes: the text that people sign for a policy (docs/offline.md).

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jit_core::digest::Digest;
use jit_core::policy::Policy;
use jit_core::sign::hosts::Hosts;
use jit_core::sign::policy::{MAX_MANIFEST, Manifest, NAMESPACE};
use jit_host::files::{Owner, read_policy_dir};
use jit_proto::text::{Shown, Typed};

use super::files::{bounded, usage};
use super::sign::signed;
use crate::cmd::policy::signed::MANIFEST;
use crate::error::Error;
use crate::fresh::write_new;
use crate::output::Outcome;
use crate::prompts::yes;
use crate::screen::Screen;
use crate::times::now;
use crate::values::seconds;

/// What to write.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// The folder with the files of the policy
    dir: PathBuf,
    /// The file to write, which must not be there yet [default: jitd.policy in that folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The hosts that it is for: names and @GROUPS with commas between, or * for all
    #[arg(long, value_name = "HOSTS", value_parser = hosts)]
    hosts: Hosts,
    /// Its number; a host takes one only above the last that it took [default: the seconds since 1970]
    #[arg(long, value_name = "NUMBER")]
    serial: Option<u64>,
    /// Only for hosts where the policy in force has this digest
    #[arg(long, value_name = "DIGEST")]
    after: Option<Digest>,
    /// For how long it is taken
    #[arg(long = "for", value_name = "DURATION", default_value = "30d", value_parser = seconds)]
    lasts: u64,
}

fn hosts(text: &str) -> Result<Hosts, String> {
    Hosts::parse(text)
        .ok_or_else(|| "name hosts and @GROUPS with commas between, or * alone for all".to_owned())
}

/// Writes the text, if the files are a policy.
pub(super) fn write(wanted: &Wanted, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let lines = |lines: Vec<String>| Error::Usage(lines.join("\n"));
    let files = read_policy_dir(&wanted.dir, Owner::Anyone)
        .map_err(|bad| lines(bad.iter().map(ToString::to_string).collect()))?;
    let loaded =
        Policy::parse(&files).map_err(|found| lines(found.iter().map(ToString::to_string).collect()))?;
    let issued = now().whole_seconds();
    let until = issued.plus(Duration::from_secs(wanted.lasts));
    let serial =
        wanted.serial.unwrap_or_else(|| u64::try_from(issued.unix_millis() / 1000).unwrap_or_default());
    let manifest = Manifest::of(&files, wanted.hosts.clone(), serial, wanted.after, (issued, until));
    let text = manifest.text();
    if text.len() > MAX_MANIFEST {
        return Err(Error::Usage(format!(
            "the text would have {} bytes, and at most {MAX_MANIFEST} are taken; put the policy into fewer files",
            text.len()
        )));
    }
    let path = wanted.output.clone().unwrap_or_else(|| wanted.dir.join(MANIFEST));
    write_new(&path, &text)?;
    let shown = path.display().to_string();
    screen.data(&format!("Wrote {}; the policy is {}.\n", Shown(&shown), loaded.policy.digest()))?;
    screen.say(&format!("hint: have it signed with: jitctl offline sign {} --key KEY", Typed(&shown)));
    Ok(Outcome::Yes)
}

/// Whether a file is such a text.
pub(super) fn is_one(path: &Path) -> bool {
    let first = |bytes: Vec<u8>| bytes.split(|byte| *byte == b'\n').next().map(<[u8]>::to_vec);
    bounded(path, MAX_MANIFEST).ok().and_then(first).is_some_and(|line| line == NAMESPACE.as_bytes())
}

/// Shows it, asks, and signs it. The files that lie beside it must be those that it names: what is signed was looked at.
pub(super) fn sign(path: &Path, key: &Path, sure: bool, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let manifest =
        Manifest::parse(&bounded(path, MAX_MANIFEST)?).map_err(|why| usage(path, &why.to_string()))?;
    let beside = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = read_policy_dir(beside, Owner::Anyone)
        .map_err(|bad| Error::Usage(bad.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    manifest.is_of(&files).map_err(|why| usage(path, &format!("nothing was signed: {why}")))?;
    screen.say(manifest.text().trim_end());
    screen.say("hint: see what it changes with: jitctl policy diff --from OLD NEW");
    if !sure {
        if !screen.can_ask() {
            return Err(Error::Usage("nobody can be asked here; to sign all the same, add --yes".to_owned()));
        }
        if !yes(screen, "Sign this policy?", false) {
            screen.say("jitctl: nothing was signed");
            return Ok(Outcome::No);
        }
    }
    let signature = signed(key, NAMESPACE, &manifest.text())?;
    let digest = Digest::of(signature.as_bytes()).to_string();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let out = path.with_file_name(format!("{name}.{}.sig", digest.get(..8).unwrap_or_default()));
    write_new(&out, &signature)?;
    screen.data(&format!("Wrote {}.\n", Shown(&out.display().to_string())))?;
    screen.say("hint: carry the folder to the host; there root types: jitctl policy load --signed DIR");
    Ok(Outcome::Yes)
}
