//! Which PAM files are changed into what, before anything is.

use std::fs;
use std::path::{Path, PathBuf};

use jit_core::text::nearest;
use jit_host::doctor::Seen;
use jit_host::doctor::seen::is_shared;
use jit_host::pam::edit::{Mode, NotEdited, guard, keeps_out, unguard};
use jit_host::pam::{Folders, Line, Source, Stack, Stage, Text};
use jit_proto::words::ServiceName;

use crate::error::Error;

/// What a service's file should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Our two lines.
    Lines(Mode),
    /// None of them.
    None,
}

/// One file and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The service, which is the file's name.
    pub(super) service: String,
    /// The file as people name it.
    pub(super) path: String,
    /// Where it is for this process.
    pub(super) at: PathBuf,
    pub(super) old: String,
    pub(super) new: String,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    /// What else is to be said.
    pub(super) notes: Vec<String>,
}

/// PAM's files as they will be.
struct Planned<'a> {
    folders: &'a Folders,
    changes: &'a [Change],
}

impl Source for Planned<'_> {
    fn file(&self, name: &str) -> std::io::Result<Option<Text>> {
        let is_it = |change: &&Change| change.service == name || change.path == name;
        let Some(change) = self.changes.iter().find(is_it) else { return self.folders.file(name) };
        Ok(Some(Text { path: PathBuf::from(&change.path), text: change.new.clone() }))
    }
}

impl Plan {
    pub(super) fn make(
        root: &Path,
        seen: &Seen,
        services: &[ServiceName],
        wanted: Wanted,
    ) -> Result<Self, Error> {
        let mut plan = Self { changes: Vec::new(), notes: Vec::new() };
        let folders = Folders::below(root);
        for service in services {
            plan.add(root, seen, &folders, service, wanted, false)?;
            for other in siblings(seen, service) {
                plan.add(root, seen, &folders, &other, wanted, true)?;
            }
        }
        plan.note_takers(seen, &folders);
        Ok(plan)
    }

    /// Names the services that take in a file that is changed: they ask, or ask no more, with it.
    fn note_takers(&mut self, seen: &Seen, folders: &Folders) {
        let planned = Planned { folders, changes: &self.changes };
        for (name, old) in &seen.stacks {
            if self.changes.iter().any(|change| change.service == *name) {
                continue;
            }
            let Ok(Some(new)) = Stack::read(&planned, name) else { continue };
            let of_change = |line: &&Line| {
                line.is_ours() && self.changes.iter().any(|change| line.file == Path::new(&change.path))
            };
            let line = new.lines.iter().chain(&old.lines).find(of_change);
            if let Some(line) = line.filter(|_| new != *old) {
                self.notes.push(format!("{name} takes in {}, and goes with it.", line.file.display()));
            }
        }
    }

    /// One more service; `is_sibling` if it only comes with another.
    fn add(
        &mut self,
        root: &Path,
        seen: &Seen,
        folders: &Folders,
        service: &ServiceName,
        wanted: Wanted,
        is_sibling: bool,
    ) -> Result<(), Error> {
        let name = service.as_str();
        if self.changes.iter().any(|change| change.service == name) {
            return Ok(());
        }
        may_be_changed(seen, name, wanted)?;
        let path = format!("/etc/pam.d/{name}");
        let at = root.join(&path[1..]);
        let old = text(seen, folders, name, &at)?;
        // One that takes in the file of another that is changed is changed with it: su-l beside su.
        let takes_in = |change: &Change| {
            let stack = seen.stacks.get(name);
            stack.is_some_and(|stack| {
                stack.of(Stage::Account).iter().any(|line| line.file.ends_with(&change.service))
            })
        };
        if is_sibling && self.changes.iter().any(takes_in) {
            return Ok(());
        }
        if wanted == Wanted::Lines(Mode::Observe) {
            let stages = [Stage::Account, Stage::Session];
            let kept: Vec<&str> = stages
                .into_iter()
                .filter(|stage| keeps_out(folders, name, &old, *stage))
                .map(Stage::as_str)
                .collect();
            if !kept.is_empty() {
                self.notes.push(format!(
                    "{name} keeps people out already, at {}; that is left as it is. To only watch there, take it out of \
                     jitd's hands first: jitctl disable {name}",
                    kept.join(" and ")
                ));
            }
        }
        let edited = match wanted {
            Wanted::Lines(mode) => guard(folders, name, &old, mode),
            Wanted::None => unguard(folders, name, &old),
        };
        let new = match edited {
            // It asks by way of a file of its family that has the lines already.
            Err(NotEdited::Elsewhere { .. }) if is_sibling => return Ok(()),
            edited => edited.map_err(|why| Error::Refused(format!("{path} is left as it is: {why}")))?,
        };
        if new != old {
            self.changes.push(Change { service: name.to_owned(), path, at, old, new });
        }
        Ok(())
    }
}

/// What goes with a service: the same program by another name.
fn siblings(seen: &Seen, service: &ServiceName) -> Vec<ServiceName> {
    if !matches!(service.as_str(), "sudo" | "su") {
        return Vec::new();
    }
    let names = seen.stacks.keys().filter_map(|name| name.parse::<ServiceName>().ok());
    names.filter(|name| name != service && name.family() == service.family()).collect()
}

/// Services that are none, and consoles that would refuse again and again.
fn may_be_changed(seen: &Seen, name: &str, wanted: Wanted) -> Result<(), Error> {
    if is_shared(name) || name == "other" {
        return Err(Error::Refused(format!(
            "{name} is no service: many take that file in, and all of them would ask; name the services, such as: jitctl \
             enable sshd sudo"
        )));
    }
    if wanted == Wanted::None {
        return Ok(());
    }
    if name.contains("autologin") {
        return Err(Error::Refused(format!(
            "{name} logs somebody in by itself, and would be refused again and again; turn the autologin off instead"
        )));
    }
    if let Some(file) = seen.autologin.first().filter(|_| name == "login") {
        let file = file.display();
        return Err(Error::Refused(format!(
            "a console logs somebody in by itself ({file}), and would be refused again and again; take --autologin out of \
             {file}, then: systemctl daemon-reload"
        )));
    }
    Ok(())
}

/// The text of the file of a service, which must be a file of /etc's own.
fn text(seen: &Seen, folders: &Folders, name: &str, at: &Path) -> Result<String, Error> {
    let Ok(facts) = fs::symlink_metadata(at) else { return Err(absent(seen, folders, name)) };
    if !facts.is_file() {
        return Err(Error::Refused(format!(
            "/etc/pam.d/{name} is no file of its own; a link is left to whoever made it: ls -l /etc/pam.d/{name}"
        )));
    }
    fs::read_to_string(at)
        .map_err(|why| Error::Refused(format!("/etc/pam.d/{name} cannot be read as text ({why})")))
}

/// There is no such file in /etc.
fn absent(seen: &Seen, folders: &Folders, name: &str) -> Error {
    if let Some(file) = folders.file(name).ok().flatten() {
        let path = file.path.display();
        return Error::Refused(format!(
            "{path} is a package's own; copy it first: cp {path} /etc/pam.d/{name}"
        ));
    }
    let like = nearest(name, seen.stacks.keys().map(String::as_str));
    let hint = like.map_or_else(
        || "see which there are: ls /etc/pam.d".to_owned(),
        |like| format!("did you mean {like}?"),
    );
    Error::NotFound(format!("there is no /etc/pam.d/{name}; {hint}"))
}
