//! What an approver keeps on a machine of their own: a secret, and the hosts that keys were made for. Both are read under
//! the rules of secrets, and written whole or not at all.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use jit_core::code::keys::{MAX_EPOCH, epoch, is_fingerprint, line};
use jit_core::code::{Approves, Secret, Slot};
use jit_core::policy::Principal;
use jit_host::files::{BadFile, Owner, read_file};
use jit_host::home::own_home;
use jit_host::signers::CODE_KEYS;
use jit_proto::text::{Shown, Typed};
use jit_proto::words::HostName;

use crate::error::Error;
use crate::output::Outcome;
use crate::screen::Screen;

/// Where an approver's files are.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The folder of your secret and your hosts [default: .local/share/jitctl in your home]
    #[arg(long = "in", value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// A host, and by what its approver is known there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: HostName,
    pub(super) key: String,
    pub(super) epoch: u32,
    pub(super) slot: Slot,
    pub(super) principal: Principal,
}

/// What is to be made for a host.
pub(super) struct Enrolled<'a> {
    pub(super) host: &'a HostName,
    pub(super) host_key: &'a str,
    pub(super) principal: &'a Principal,
    pub(super) slot: u8,
    pub(super) epoch: Option<u32>,
}

impl Place {
    fn dir(&self) -> Result<PathBuf, Error> {
        if let Some(dir) = &self.dir {
            return Ok(dir.clone());
        }
        let home = own_home();
        let home =
            home.ok_or_else(|| Error::Usage("it is not known where your home is; add --in DIR".to_owned()))?;
        Ok(home.join(".local/share/jitctl"))
    }

    /// The approver's secret.
    pub(super) fn secret(&self) -> Result<Secret, Error> {
        let path = self.dir()?.join("code-secret");
        let bytes = match read_file(&path, Owner::OwnSecret) {
            Ok(bytes) => bytes,
            Err(BadFile::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let what = "there is no secret of yours yet; make one with: jitctl code new-secret";
                return Err(Error::Usage(format!("{}: {what}", path.display())));
            }
            Err(bad) => return Err(Error::Usage(bad.to_string())),
        };
        let secret = String::from_utf8(bytes).ok().as_deref().and_then(Secret::parse);
        secret.ok_or_else(|| {
            Error::Usage(format!(
                "{}: it is not a secret as 'jitctl code new-secret' writes one",
                path.display()
            ))
        })
    }

    /// The hosts, by name.
    pub(super) fn hosts(&self) -> Result<Vec<Host>, Error> {
        let path = self.dir()?.join("code-hosts");
        let bytes = match read_file(&path, Owner::OwnSecret) {
            Ok(bytes) => bytes,
            Err(BadFile::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Vec::new());
            }
            Err(bad) => return Err(Error::Usage(bad.to_string())),
        };
        let bad = |number: usize| Error::Usage(format!("{}: line {number} does not read", path.display()));
        let text = String::from_utf8(bytes).map_err(|_| bad(1))?;
        (1..).zip(text.lines()).map(|(number, line)| Host::parse(line).ok_or_else(|| bad(number))).collect()
    }

    /// Writes the hosts anew: all of them, or none.
    fn keep(&self, hosts: &[Host]) -> Result<(), Error> {
        let dir = self.made()?;
        let (path, new) = (dir.join("code-hosts"), dir.join("code-hosts.new"));
        let failed =
            |why: io::Error| Error::Usage(format!("{}: it cannot be written: {why}", path.display()));
        match std::fs::remove_file(&new) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(failed(why)),
            Ok(()) | Err(_) => {}
        }
        let text: String = hosts.iter().map(Host::line).collect();
        write_secret(&new, &text).and_then(|()| std::fs::rename(&new, &path)).map_err(failed)
    }

    /// The folder, which is made where there is none.
    fn made(&self) -> Result<PathBuf, Error> {
        let dir = self.dir()?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.map_err(|why| Error::Usage(format!("{}: it cannot be made: {why}", dir.display())))?;
        Ok(dir)
    }
}

impl Host {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, host_key, number, slot, principal] = words[..] else { return None };
        Some(Self {
            name: name.parse().ok()?,
            key: is_fingerprint(host_key).then(|| host_key.to_owned())?,
            epoch: epoch(number)?,
            slot: slot.parse().ok().and_then(Slot::numbered)?,
            principal: principal.parse().ok()?,
        })
    }

    fn line(&self) -> String {
        let Self { name, key, epoch, slot, principal } = self;
        format!("{name} {key} {epoch} {slot} {principal}\n")
    }

    /// What host and approver have in common.
    pub(super) fn approves(&self, secret: &Secret) -> Approves {
        Approves {
            principal: self.principal.clone(),
            slot: self.slot,
            epoch: self.epoch,
            host_key: self.key.clone(),
            key: secret.key_for(&self.key, self.epoch),
        }
    }
}

/// Makes a secret, over none that is there.
pub(super) fn new_secret(own: &Place, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let path = own.made()?.join("code-secret");
    let mut bytes = [0; 32];
    let random = getrandom::fill(&mut bytes);
    random
        .map_err(|why| Error::Usage(format!("the system gives no random bytes ({why}); nothing was made")))?;
    let written = write_secret(&path, &Secret::of(bytes).text());
    written.map_err(|why| {
        let kept = if why.kind() == io::ErrorKind::AlreadyExists {
            "; it was kept, and so were the keys of all hosts"
        } else {
            ""
        };
        Error::Usage(format!("{}: it cannot be written: {why}{kept}", path.display()))
    })?;
    screen.data(&format!(
        "Wrote {}; whoever reads it approves as you.\n",
        Shown(&path.display().to_string())
    ))?;
    screen.say("hint: make the key of a host with: jitctl code enroll HOST --host-key SHA256:… --principal NAME --slot N");
    Ok(Outcome::Yes)
}

/// Makes the key of a host, notes it, and prints the line that the host gets.
pub(super) fn enroll(wanted: &Enrolled<'_>, own: &Place, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    if !is_fingerprint(wanted.host_key) {
        let what = "is not the fingerprint of a host's key, such as SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        return Err(Error::Usage(format!("'{}' {what}", Shown(wanted.host_key))));
    }
    let secret = own.secret()?;
    let mut hosts = own.hosts()?;
    let epoch = next_epoch(wanted, &hosts)?;
    let before = hosts.iter().position(|host| host.name == *wanted.host).map(|place| hosts.remove(place));
    let slot = Slot::numbered(wanted.slot)
        .ok_or_else(|| Error::Usage("a slot is a number from 0 to 31".to_owned()))?;
    let host = Host {
        name: wanted.host.clone(),
        key: wanted.host_key.to_owned(),
        epoch,
        slot,
        principal: wanted.principal.clone(),
    };
    let text = line(&host.approves(&secret));
    if let Some(before) = before.filter(|before| before.key != host.key) {
        screen.say(&format!("jitctl: {} had another key before, {}", host.name, before.key));
    }
    hosts.push(host);
    hosts.sort_by_key(|one| one.name.to_string());
    own.keep(&hosts)?;
    screen.data(&format!("{text}\n"))?;
    screen.say(&format!(
        "hint: root on {} puts this line into {CODE_KEYS} (owned by root, mode 600), in the place of one of slot {slot}, and \
         types: jitctl policy load; whoever reads it there can approve as you on that host",
        Typed(wanted.host.as_ref())
    ));
    Ok(Outcome::Yes)
}

/// The epoch of a new key: above all that its host has had by this name, whatever key the host had meanwhile, or by another
/// name. A lower one would be a key that was given out before, and that somebody may have read since.
fn next_epoch(wanted: &Enrolled<'_>, hosts: &[Host]) -> Result<u32, Error> {
    let same = |host: &&Host| host.name == *wanted.host || host.key == wanted.host_key;
    let highest = hosts.iter().filter(same).map(|host| host.epoch).max().unwrap_or(0);
    let name = Typed(wanted.host.as_ref());
    if highest >= MAX_EPOCH {
        return Err(Error::Usage(format!(
            "your keys for {name} have had the last epoch, {MAX_EPOCH}; nothing was made. Make keys for it of another secret, \
             in a folder of its own: jitctl code new-secret --in DIR"
        )));
    }
    match wanted.epoch {
        Some(epoch) if epoch <= highest => Err(Error::Usage(format!(
            "epoch {epoch} is not above {highest}, the highest of your keys for {name}; nothing was made, since somebody may \
             have read a key that was given out before. For the next key leave --epoch out"
        ))),
        Some(epoch) => Ok(epoch),
        None => Ok(highest + 1),
    }
}

/// Writes a file that is not there yet, for its owner alone.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
