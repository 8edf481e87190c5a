//! Which policy files are meant: those of a folder, or one file among those that it would stand beside.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use jit_core::policy::{Finding, SourceFile};
use jit_host::files::{BadFile, Owner, POLICY_DIR, is_policy_name, name_of, policy_files, read_file};
use jit_proto::text::Shown;

use crate::error::Error;

/// The files that a command is about.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The folder, or one file of it
    #[arg(value_name = "DIR|FILE", default_value = POLICY_DIR)]
    place: PathBuf,
    /// Take FILE for the one of the same name in this folder
    #[arg(long = "in", value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The name that FILE will have there
    #[arg(long = "as", value_name = "NAME", requires = "folder", value_parser = file_name)]
    name: Option<String>,
}

impl Which {
    /// Reads them, or says what is wrong with each that could not be read. Only what was typed can be a usage
    /// error.
    pub(crate) fn read(&self) -> Result<Result<Vec<SourceFile>, Vec<Finding>>, Error> {
        if self.place.is_dir() {
            return match &self.folder {
                None => Ok(folder(&self.place)),
                Some(_) => Err(Error::Usage(format!(
                    "--in is for one file, and {} is a folder\nhint: name the file that is to go into it",
                    Shown(&self.place.to_string_lossy())
                ))),
            };
        }
        // Of what is not there, nobody asks what it is called.
        if let Err(source) = fs::symlink_metadata(&self.place) {
            return Ok(Err(findings(&[BadFile::Io { path: self.place.clone(), source }])));
        }
        let name = match &self.name {
            Some(name) => name.clone(),
            None => own_name(&self.place)?,
        };
        let home = self.folder.as_deref().or_else(|| self.place.parent()).unwrap_or(Path::new("."));
        let home = if home.as_os_str().is_empty() { Path::new(".") } else { home };
        Ok(among(&self.place, &name, home))
    }
}

/// All policy files of a folder.
pub(crate) fn folder(dir: &Path) -> Result<Vec<SourceFile>, Vec<Finding>> {
    jit_host::files::read_policy_dir(dir, Owner::of(dir)).map_err(|wrong| findings(&wrong))
}

/// A file under this name, and the others of the folder where it is to stand.
pub(crate) fn among(file: &Path, name: &str, home: &Path) -> Result<Vec<SourceFile>, Vec<Finding>> {
    let mut files = Vec::new();
    let mut wrong = Vec::new();
    let mut add = |name: Result<String, BadFile>, path: &Path, owner| {
        let read = name.and_then(|name| Ok(SourceFile { name, bytes: read_file(path, owner)? }));
        match read {
            Ok(file) => files.push(file),
            Err(bad) => wrong.push(bad),
        }
    };
    add(Ok(name.to_owned()), file, Owner::of(file));
    let owner = Owner::of(home);
    match policy_files(home, owner) {
        Ok(paths) => {
            for path in paths.iter().filter(|path| path.file_name() != Some(name.as_ref())) {
                add(name_of(path), path, owner);
            }
        }
        Err(bad) => wrong.push(bad),
    }
    if wrong.is_empty() { Ok(files) } else { Err(findings(&wrong)) }
}

fn findings(wrong: &[BadFile]) -> Vec<Finding> {
    wrong.iter().map(BadFile::finding).collect()
}

/// The name of a file, which jitd has to read under it.
fn own_name(file: &Path) -> Result<String, Error> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file_name(&name).map_err(|why| {
        Error::Usage(format!(
            "{why}\nhint: say with --in DIR --as NAME where it will stand and under what name"
        ))
    })
}

/// A name under which policy is read.
pub(super) fn file_name(text: &str) -> Result<String, String> {
    if is_policy_name(text.as_ref()) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "'{}' would not be read: a policy file is called NAME.toml, without a dot before it",
        Shown(text)
    ))
}
