//! Which key signs: one that is named, or the one that an agent has.

use std::path::{Path, PathBuf};
use std::process::Command;

use jit_core::digest::Digest;

use crate::error::Error;

/// The key that signs.
pub(super) struct By {
    key: PathBuf,
    /// The public half that an agent has, in a file for ssh-keygen.
    _agents: Option<Temporary>,
}

impl By {
    /// The key that was named, or the only one of the agent.
    pub(super) fn of(key: Option<&Path>, agent: bool) -> Result<Option<Self>, Error> {
        if let Some(key) = key {
            return Ok(Some(Self { key: key.to_owned(), _agents: None }));
        }
        if !agent {
            return Ok(None);
        }
        let failed = |why: String| Error::Usage(format!("your agent names no key to sign by: {why}"));
        let output = Command::new("ssh-add").arg("-L").output().map_err(|why| failed(why.to_string()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let keys: Vec<&str> = text.lines().filter(|line| line.contains(' ')).collect();
        match keys.as_slice() {
            _ if !output.status.success() => {
                Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
            }
            [one] => {
                let file = Temporary::with(one).map_err(|why| failed(why.to_string()))?;
                Ok(Some(Self { key: file.0.clone(), _agents: Some(file) }))
            }
            [] => Err(failed("it has none; add one with: ssh-add".to_owned())),
            several => Err(failed(format!(
                "it has {}; name one with --key KEY.pub (ssh-add -L shows them)",
                several.len()
            ))),
        }
    }

    /// The file of the key, or of its public half, as -f of ssh-keygen(1) takes it.
    pub(super) fn key(&self) -> &Path {
        &self.key
    }

    /// The fingerprint of the key, where its public half can be read.
    pub(super) fn fingerprint(&self) -> Option<String> {
        let output =
            Command::new("ssh-keygen").args(["-l", "-E", "sha256", "-f"]).arg(&self.key).output().ok()?;
        let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
        text.split(' ').nth(1).map(str::to_owned)
    }
}

/// A file of the caller's that goes again.
struct Temporary(PathBuf);

impl Temporary {
    fn with(text: &str) -> std::io::Result<Self> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let name =
            format!("jitctl-{}-{}.pub", std::process::id(), &Digest::of(text.as_bytes()).to_string()[..16]);
        let path = std::env::temp_dir().join(name);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&path)?;
        let made = Self(path);
        file.write_all(format!("{text}\n").as_bytes())?;
        Ok(made)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}
