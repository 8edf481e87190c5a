//! What the caller keeps of hosts, in a folder of their own: by which key they know each, the checkpoints that they have
//! seen of its log, and what it refused of that which they brought. It has the form of an exchange
//! (`hosts/HOST/…`, docs/offline.md), so that `jitctl audit verify --checkpoint` takes the checkpoints as they are.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use jit_core::digest::Digest;
use jit_core::proof::checkpoint::{Kept, Signed};
use jit_exchange::folder::{Bad, Exchange, Folder};
use jit_exchange::history::thinned;
use jit_exchange::known::Known;
use jit_exchange::names::{Name, Part};
use jit_host::home::own_home;
use jit_proto::words::HostName;

use crate::error::Error;

/// The folder, whether it is there already or not.
#[derive(Debug)]
pub(super) struct Home(PathBuf);

impl Home {
    /// The one that was named, or the caller's own.
    pub(super) fn of(named: Option<&Path>) -> Result<Self, Error> {
        if let Some(named) = named {
            return Ok(Self(named.to_owned()));
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "where the caller's own files are; whoever can set it can write them"
        )]
        let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = named("XDG_DATA_HOME").or_else(|| named("HOME").map(|home| home.join(".local/share")));
        let data = data.or_else(|| own_home().map(|home| home.join(".local/share")));
        data.map(|data| Self(data.join("jitctl"))).ok_or_else(|| {
            Error::Usage(
                "you have no home folder to keep anything in; name a folder with --known DIR".to_owned(),
            )
        })
    }

    /// What is kept of a host; none if nothing is.
    pub(super) fn host(&self, host: &HostName) -> Result<Option<Folder>, Error> {
        if !self.0.exists() {
            return Ok(None);
        }
        Exchange::open(&self.0).and_then(|home| home.folder(Part::Hosts, Some(host))).map_err(wrong)
    }

    /// The same, and makes it, readable by its owner alone.
    pub(super) fn made(&self, host: &HostName) -> Result<Folder, Error> {
        let built = DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        built.map_err(|why| Error::Usage(format!("{}: {why}", self.0.display())))?;
        Exchange::open(&self.0).and_then(|home| home.make(Part::Hosts, Some(host))).map_err(wrong)
    }

    /// By which key a host is known.
    pub(super) fn known(&self, host: &HostName) -> Result<Option<Known>, Error> {
        let Some(folder) = self.host(host)? else { return Ok(None) };
        let bytes = match folder.read(&Name::Known) {
            Err(bad) if bad.is_absent() => return Ok(None),
            read => read.map_err(wrong)?,
        };
        let known =
            Known::parse(&bytes).map_err(|why| Error::Usage(format!("{}/known: {why}", folder.what())))?;
        if known.host != *host {
            return Err(Error::Usage(format!("{}/known is about {}", folder.what(), known.host)));
        }
        Ok(Some(known))
    }

    /// The file that says so, for messages.
    pub(super) fn file(&self, host: &HostName) -> String {
        self.0.join("hosts").join(host.as_str()).join("known").display().to_string()
    }

    /// The checkpoints that were kept of a host. What is none is passed over.
    pub(super) fn checkpoints(&self, host: &HostName) -> Result<Vec<Signed>, Error> {
        let Some(folder) = self.host(host)? else { return Ok(Vec::new()) };
        let listing = folder.listing(Part::Hosts).map_err(wrong)?;
        Ok(listing.names.iter().filter_map(|name| checkpoint(&folder, name).ok().flatten()).collect())
    }

    /// Keeps what is known of a host now, and these checkpoints; old ones go where there are too many.
    pub(super) fn keep(&self, known: &Known, checkpoints: &[Signed]) -> Result<(), Error> {
        let folder = self.made(&known.host)?;
        for signed in checkpoints {
            folder.put(&named(signed), signed.to_string().as_bytes()).map_err(wrong)?;
        }
        folder.put(&Name::Known, known.text().as_bytes()).map_err(wrong)?;
        let listing = folder.listing(Part::Hosts).map_err(wrong)?;
        let size = |name: &Name| if let Name::Checkpoint { size, .. } = name { Some(*size) } else { None };
        let stay = thinned(listing.names.iter().filter_map(size).collect());
        for name in &listing.names {
            if size(name).is_some_and(|size| !stay.contains(&size)) {
                folder.remove(name).map_err(wrong)?;
            }
        }
        Ok(())
    }
}

/// The name of a checkpoint's file.
pub(super) fn named(signed: &Signed) -> Name {
    let digest = Digest::of(signed.to_string().as_bytes());
    Name::Checkpoint { size: signed.checkpoint.size, digest }
}

/// The checkpoint of a file that is named as one; none where it has another form, or another size than its name says.
pub(super) fn checkpoint(folder: &Folder, name: &Name) -> Result<Option<Signed>, Bad> {
    let Name::Checkpoint { size, .. } = name else { return Ok(None) };
    let bytes = folder.read(name)?;
    let kept = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse::<Kept>().ok());
    let signed = kept.and_then(|kept| kept.plain()).filter(|signed| signed.checkpoint.size == *size);
    // Just as it is written.
    Ok(signed.filter(|signed| signed.to_string().as_bytes() == bytes))
}

pub(super) fn wrong(bad: Bad) -> Error {
    Error::Usage(bad.to_string())
}
