//! `jitctl policy edit`: as visudo(8). A copy is edited, and takes the file's place once it has been checked together
//! with the other files of the folder.
//!
//! Nothing that was typed is lost: the copy has a name in the same folder, hidden so that nobody reads it as policy,
//! and stays there until it was installed or the person said to drop it. The next edit goes on with it.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::Command;

use jit_core::policy::{Finding, Severity};
use jit_host::files::{BadFile, Owner, POLICY_DIR, name_of, policy_files, read_file};
use jit_proto::manager;
use jit_proto::text::Shown;
use jit_proto::words::Reason;

use super::check::{Report, check};
use super::files::{among, file_name, folder};
use super::loading;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::Outcome;
use crate::screen::Screen;
use crate::views;

/// What a new file begins with.
const NEW: &[u8] = b"version = 1\n";

/// Who edits, and answers questions where there is a terminal to ask them on.
pub(super) trait Person {
    /// Has a file edited; an error is why that could not be.
    fn edit(&mut self, file: &Path) -> Result<(), String>;

    /// Asks, and returns the line that was typed; nothing where nobody can answer, or the terminal has gone.
    fn ask(&mut self, question: &str, screen: &mut Screen<'_>) -> Option<String>;
}

/// The caller, with the editor that they chose.
struct Caller;

impl Person for Caller {
    fn edit(&mut self, file: &Path) -> Result<(), String> {
        #[allow(
            clippy::disallowed_methods,
            reason = "which editor it is decides nothing; it runs as the caller"
        )]
        let named = |name: &str| std::env::var(name).ok().filter(|editor| !editor.trim().is_empty());
        let chosen = named("VISUAL").or_else(|| named("EDITOR"));
        let editor = chosen.unwrap_or_else(|| "/usr/bin/editor".to_owned());
        let mut words = editor.split_whitespace();
        let program = words.next().unwrap_or_default();
        match Command::new(program).args(words).arg(file).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("the editor '{}' ended with {status}", Shown(&editor))),
            Err(why) => {
                Err(format!("the editor '{}' cannot be run ({why}); name another in EDITOR", Shown(&editor)))
            }
        }
    }

    fn ask(&mut self, question: &str, screen: &mut Screen<'_>) -> Option<String> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        screen.say(question);
        let mut line = String::new();
        match io::stdin().lock().read_line(&mut line) {
            Ok(read) if read > 0 => Some(line.trim().to_owned()),
            _ => None,
        }
    }
}

pub(crate) fn run(
    file: Option<&Path>,
    reason: Option<&Reason>,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let target = match file {
        Some(file) => Target::new(file)?,
        None => Target::new(&only_file()?)?,
    };
    match edit(&target, &mut Caller, screen) {
        Ok(Done::Installed) => after(&target, reason, &mut Caller, jitd, screen),
        Ok(Done::Unchanged) => {
            screen.say(&format!("{} was not changed.", target.shown()));
            Ok(Outcome::Yes)
        }
        Ok(Done::Dropped) => {
            screen.say(&format!("{} was left as it was, and the edit was dropped.", target.shown()));
            Ok(Outcome::No)
        }
        Err(trouble) => {
            screen.say(&format!("jitctl: {trouble}"));
            Ok(Outcome::No)
        }
    }
}

/// The file to edit where none is named: the only one there is.
fn only_file() -> Result<PathBuf, Error> {
    let paths = policy_files(Path::new(POLICY_DIR), Owner::Root)
        .map_err(|bad| Error::Usage(format!("which file? {bad}")))?;
    if let [path] = &paths[..] {
        return Ok(path.clone());
    }
    let mut text = format!("which file of {POLICY_DIR}? Name one of these, or a new one:");
    for name in paths.iter().filter_map(|path| name_of(path).ok()) {
        text += &format!("\n  {}", Shown(&name));
    }
    Err(Error::Usage(text))
}

/// The file that is edited, and the names beside it that an edit needs.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    folder: PathBuf,
    name: String,
    owner: Owner,
}

impl Target {
    /// A name alone is a file of this host's policy; with a folder before it, it is where it says.
    pub(super) fn new(file: &Path) -> Result<Self, Error> {
        let bare = file.parent().is_none_or(|parent| parent.as_os_str().is_empty());
        let path = if bare { Path::new(POLICY_DIR).join(file) } else { file.to_owned() };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = file_name(&name).map_err(Error::Usage)?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        // By the folder: a new file is nowhere yet. Root writes nowhere that others write: they could put a link in the
        // way of the editor.
        let owner = if nix::unistd::geteuid().is_root() { Owner::Root } else { Owner::of(&folder) };
        Ok(Self { path, folder, name, owner })
    }

    /// The copy that is edited. It is hidden, so it is nobody's policy.
    pub(super) fn copy(&self) -> PathBuf {
        self.folder.join(format!(".edit-{}", self.name))
    }

    fn shown(&self) -> String {
        Shown(&self.path.to_string_lossy()).to_string()
    }

    fn read(&self) -> Result<Option<Vec<u8>>, BadFile> {
        match read_file(&self.path, self.owner) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(BadFile::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(bad) => Err(bad),
        }
    }
}

/// How an edit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Installed,
    Unchanged,
    Dropped,
}

/// Edits until the text may take the file's place, or the person gives up. An error says what happened, where the
/// text is and what to do.
pub(super) fn edit(
    target: &Target,
    person: &mut dyn Person,
    screen: &mut Screen<'_>,
) -> Result<Done, String> {
    let _alone = lock(&target.folder)?;
    let before = target.read().map_err(|bad| bad.to_string())?;
    let copy = target.copy();
    let kept = || {
        let copy = copy.to_string_lossy();
        let copy = Shown(&copy);
        format!(
            "\nYour text is kept in {copy}.\nhint: to go on with it, type: jitctl policy edit {}",
            target.shown()
        )
    };
    if begin(&copy, before.as_deref().unwrap_or(NEW)).map_err(|why| told(&copy, &why))? {
        // A link in its place would have another file edited.
        read_file(&copy, target.owner).map_err(|bad| bad.to_string())?;
        screen.say(&format!("Going on with the text that was kept in {}.", Shown(&copy.to_string_lossy())));
    }
    loop {
        person.edit(&copy).map_err(|why| format!("{why}.{}", kept()))?;
        let text = read_file(&copy, target.owner).map_err(|bad| bad.to_string())?;
        if Some(&text) == before.as_ref() {
            fs::remove_file(&copy).map_err(|why| told(&copy, &why))?;
            return Ok(Done::Unchanged);
        }
        let (findings, sound) = match among(&copy, &target.name, &target.folder) {
            Ok(files) => {
                let findings = check(&files, target.owner == Owner::Root);
                let sound = may_stand(target, &findings);
                (findings, sound)
            }
            // What cannot be read cannot be checked with it.
            Err(findings) => (findings, false),
        };
        if !findings.is_empty() {
            screen.say(&Report::new(0, &findings).text());
        }
        if sound {
            if target.read().map_err(|bad| bad.to_string())? != before {
                return Err(format!(
                    "{} was changed by somebody else meanwhile, and was left as it is now.{}",
                    target.shown(),
                    kept()
                ));
            }
            install(target, &text).map_err(|why| format!("{}{}", told(&target.path, &why), kept()))?;
            // What is installed is what was checked; the copy has served.
            fs::remove_file(&copy).map_err(|why| told(&copy, &why))?;
            return Ok(Done::Installed);
        }
        loop {
            let answer =
                person.ask("What now? e: edit again; s: show the findings again; x: drop the edit", screen);
            match answer.as_deref() {
                Some("e") => break,
                Some("s") => screen.say(&Report::new(0, &findings).text()),
                Some("x") => {
                    fs::remove_file(&copy).map_err(|why| told(&copy, &why))?;
                    return Ok(Done::Dropped);
                }
                Some(_) => {}
                None => {
                    return Err(format!(
                        "{} was not changed: the text has errors.{}",
                        target.shown(),
                        kept()
                    ));
                }
            }
        }
    }
}

/// One editor at a time in one folder: two files that are each sound may not be together. The lock goes with the
/// process.
pub(super) fn lock(dir: &Path) -> Result<File, String> {
    let folder = File::open(dir).map_err(|why| told(dir, &why))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => Err(format!(
            "somebody else is editing the policy in {}.\nhint: see who with: fuser -v {}",
            Shown(&dir.to_string_lossy()),
            Shown(&dir.to_string_lossy())
        )),
        Err(TryLockError::Error(why)) => Err(told(dir, &why)),
    }
}

/// Makes the copy; true if there is one already.
fn begin(copy: &Path, text: &[u8]) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(copy) {
        Ok(mut file) => file.write_all(text).map(|()| false),
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Ok(true),
        Err(why) => Err(why),
    }
}

/// Whether the text may take the file's place: nothing is wrong with the folder then that the files themselves could
/// mend, or nothing that was not wrong before and is wrong elsewhere. So two broken files can be mended one by one.
fn may_stand(target: &Target, findings: &[Finding]) -> bool {
    let is_error = |finding: &&Finding| finding.severity == Severity::Error && !finding.is_of_host();
    let errors: Vec<_> = findings.iter().filter(is_error).collect();
    let was_broken = || folder(&target.folder).is_ok_and(|files| has_errors(&check(&files, false)));
    errors.is_empty() || (errors.iter().all(|finding| finding.file != target.name) && was_broken())
}

fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// Puts the text in the file's place, all of it or nothing, with the owner and mode that the file had.
fn install(target: &Target, text: &[u8]) -> io::Result<()> {
    replace(&target.folder, &target.name, text)
}

/// The same in any folder.
pub(super) fn replace(dir: &Path, name: &str, text: &[u8]) -> io::Result<()> {
    let path = dir.join(name);
    let new = dir.join(format!(".new-{name}"));
    match fs::remove_file(&new) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {} // what an edit that was cut off here left behind
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text)?;
    let mode = match fs::symlink_metadata(&path) {
        Ok(old) => {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
            // A file that is read by root alone has no use for more.
            old.mode() & 0o777
        }
        Err(why) if why.kind() == io::ErrorKind::NotFound => 0o644,
        Err(why) => return Err(why),
    };
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(dir)?.sync_all()
}

/// What is left to do once the file is in its place.
pub(super) fn after(
    target: &Target,
    reason: Option<&Reason>,
    person: &mut dyn Person,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let installed = format!("Installed {}.", target.shown());
    let in_force = target.folder == Path::new(POLICY_DIR)
        || fs::canonicalize(&target.folder).is_ok_and(|folder| folder == Path::new(POLICY_DIR));
    if !in_force {
        screen.say(&installed);
        return Ok(Outcome::Yes);
    }
    screen.say(&format!("{installed} It is not in force yet."));
    let answer = person.ask("Load the policy now? y/n", screen);
    if !matches!(answer.as_deref(), Some("y" | "yes")) {
        screen.say("hint: put it in force with: jitctl policy load");
        return Ok(Outcome::Yes);
    }
    // The file stays whatever jitd says: that is about the policy in force.
    let policy: manager::Policy = jitd::ask(jitd, &loading::call(None, reason, false))?;
    let view = views::policy_loaded(&policy);
    screen.data(&view.data)?;
    view.said.iter().for_each(|line| screen.say(line));
    Ok(view.outcome)
}

fn told(path: &Path, why: &io::Error) -> String {
    format!("{}: {why}", Shown(&path.to_string_lossy()))
}

#[cfg(test)]
mod tests;
