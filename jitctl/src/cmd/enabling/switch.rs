//! The dead man's switch: the old files are kept, a timer of systemd's runs, and only then is anything changed.
//!
//! Whatever is lost meanwhile, the files come back: the state is on disk before the first change, `jit-restore.timer` looks every
//! few seconds while it waits, at every boot too, and `jit-restore.service` before anybody may log in.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use jit_host::files::{Owner, read_file};

use super::plan::Change;
use super::proof;
use super::state::{Dir, Kind, Now, Trial, failed, put, rename};
use crate::error::Error;

const TIMER: &str = "jit-restore.timer";
const SERVICE: &str = "jit-restore.service";

/// Changes the files, and lets them be brought back.
pub(super) fn begin(dir: &Dir, kind: Kind, changes: &[Change], within: u64) -> Result<(), Error> {
    let alone = dir.lock()?;
    if let Some(trial) = dir.trial()? {
        return Err(Error::Refused(format!(
            "a change of {} waits already; keep it from a new login with: jitctl enable --confirm, or take it back with: jitctl \
             enable --cancel",
            trial.paths().join(", ")
        )));
    }
    can_be_brought_back(dir.root())?;
    highest_session(dir)?;
    let now = Now::read(dir.root());
    let services: Vec<String> = changes.iter().map(|change| change.service.clone()).collect();
    let trial = Trial {
        kind,
        services: services.clone(),
        boot: now.boot,
        began: now.since_boot.as_millis().try_into().unwrap_or(u64::MAX),
        limit: within.saturating_mul(1000),
        // Nobody can confirm it before all of it is there.
        highest: proof::NONE_IS_LATER,
    };
    dir.clear(&services);
    keep_old(dir, changes).and_then(|()| dir.write_trial(&trial)).inspect_err(|_| dir.clear(&services))?;
    let mut written = Vec::new();
    let put = arm().and_then(|()| {
        changes.iter().try_for_each(|change| {
            write(&change.at, &change.old, &change.new)?;
            written.push(change.service.clone());
            Ok(())
        })?;
        dir.write_trial(&trial.begun(&Now::read(dir.root()), highest_session(dir)?))
    });
    if let Err(why) = put {
        // Of several, those that were changed go back, and no other is touched: somebody else may be at it.
        restore(dir, &Trial { services: written, ..trial })?;
        dir.clear(&services);
        return Err(why);
    }
    drop(alone);
    Ok(())
}

/// What a later login's audit session is above.
fn highest_session(dir: &Dir) -> Result<u32, Error> {
    proof::highest_session(dir.root()).ok_or_else(|| {
        Error::Refused(
            "this kernel does not tell logins apart (/proc/self/sessionid), so no login could confirm the change; edit the \
             files by hand, with a root shell open"
                .to_owned(),
        )
    })
}

/// Keeps what the files are and what they become: what they are twice, so that neither a full disk nor a lost one is in the way.
fn keep_old(dir: &Dir, changes: &[Change]) -> Result<(), Error> {
    dir.make()?;
    for change in changes {
        let like = fs::metadata(&change.at).map_err(failed(&change.at))?;
        for (path, text) in [
            (dir.old(&change.service), &change.old),
            (dir.made(&change.service), &change.new),
            (dir.near(&change.service), &change.old),
        ] {
            put(&path, text.as_bytes(), Some(&like)).map_err(failed(&path))?;
        }
    }
    Ok(())
}

/// Writes one file, if it is what it was when the change was shown.
fn write(at: &Path, old: &str, new: &str) -> Result<(), Error> {
    let is_same = fs::read(at).is_ok_and(|now| now == old.as_bytes());
    if !is_same {
        return Err(Error::Refused(format!(
            "{} was changed by somebody else meanwhile; nothing was changed here. Type it again",
            at.display()
        )));
    }
    let like = fs::metadata(at).map_err(failed(at))?;
    put(at, new.as_bytes(), Some(&like)).map_err(failed(at))?;
    label(at);
    Ok(())
}

/// Where SELinux runs, the label that its place has.
fn label(at: &Path) {
    if Path::new("/sys/fs/selinux/enforce").exists() {
        quietly(Command::new("restorecon").arg(at));
    }
}

/// Whether systemd is there to bring it back, at a boot too.
fn can_be_brought_back(root: &Path) -> Result<(), Error> {
    if !root.join("run/systemd/system").is_dir() {
        return Err(Error::Refused(
            "systemd does not run here, so nothing would bring the old files back; edit them by hand, as pam_jit(8) has it, \
             with a root shell open"
                .to_owned(),
        ));
    }
    // The one at the next boot, the other where that fails, or after a soft reboot, which is no other boot.
    for unit in [SERVICE, TIMER] {
        if !quietly(Command::new("systemctl").args(["is-enabled", unit])) {
            return Err(Error::Refused(format!(
                "{unit} is not enabled, so a reboot would not bring the old files back; type: systemctl enable {unit}"
            )));
        }
    }
    Ok(())
}

/// Starts what brings it back, and makes sure that it runs.
fn arm() -> Result<(), Error> {
    let is_armed = quietly(Command::new("systemctl").args(["start", TIMER]))
        && quietly(Command::new("systemctl").args(["is-active", TIMER]));
    if is_armed {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "{TIMER} does not run, so nothing would bring the old files back; nothing was changed; see: systemctl status {TIMER}"
    )))
}

/// Sees to it that somebody looks again. Nobody waits for it: at a boot the timer waits for the very unit that asks.
pub(super) fn look_again() {
    quietly(Command::new("systemctl").args(["--no-block", "start", TIMER]));
}

fn quietly(command: &mut Command) -> bool {
    let run = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// Nobody looks any more. It may be this very unit that stops it.
fn disarm() {
    quietly(Command::new("systemctl").args(["--no-block", "stop", TIMER]));
}

/// The new files stay.
pub(super) fn keep(dir: &Dir, trial: &Trial) -> Result<(), Error> {
    dir.remove_trial()?;
    dir.clear(&trial.services);
    disarm();
    Ok(())
}

/// The old files come back; returns what is to be said of those that somebody edited meanwhile. Whatever fails leaves the
/// change waiting, so that it is tried again, and keeps no other file from coming back.
pub(super) fn restore(dir: &Dir, trial: &Trial) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    if !dir.is_over(trial) {
        let tried = trial.services.iter().map(|service| bring_back(dir, service, &mut notes));
        // All of them, whatever became of the first.
        let tried: Vec<Result<(), Error>> = tried.collect();
        tried.into_iter().collect::<Result<(), Error>>()?;
    }
    dir.remove_trial().map_err(|why| {
        dir.mark_over(trial);
        Error::Refused(format!("the old files are back, but that cannot be noted: {why}"))
    })?;
    dir.clear(&trial.services);
    disarm();
    Ok(notes)
}

/// One file becomes what it was: by the copy beside it, or by the other where that is gone or was changed.
fn bring_back(dir: &Dir, service: &str, notes: &mut Vec<String>) -> Result<(), Error> {
    let (old, near, at) = (dir.old(service), dir.near(service), dir.target(service));
    let beside = read_file(&near, Owner::Anyone).ok();
    let (text, from) = match (fs::read(&old), &beside) {
        (Ok(text), _) => (text, &old),
        (Err(_), Some(text)) => (text.clone(), &near),
        (Err(why), None) => return Err(failed(&old)(why)),
    };
    let like = fs::metadata(from).map_err(failed(from))?;
    let now = fs::read(&at).ok();
    if now.as_ref() == Some(&text) {
        return Ok(());
    }
    if let Some(now) = now.filter(|now| fs::read(dir.made(service)).ok().as_ref() != Some(now)) {
        let aside = dir.edited().join(service);
        let edited = format!("/etc/pam.d/{service} was edited meanwhile");
        notes.push(match put(&aside, &now, None).map_err(failed(&aside)) {
            Ok(()) => format!("{edited}; what it was is kept in {}", dir.edited().display()),
            Err(why) => format!("{edited}, and that could not be kept: {why}"),
        });
    }
    let is_whole = beside.as_ref() == Some(&text);
    if !(is_whole && rename(&near, &at).is_ok()) {
        put(&at, &text, Some(&like)).map_err(failed(&at))?;
    }
    label(&at);
    Ok(())
}
