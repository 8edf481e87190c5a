//! The folder itself. It may be on a stick that a stranger has written, so every step is by a name in a folder that is
//! open already: no link is followed, what is no plain file is not opened, and no more is read than a file may have. It
//! may be pulled out, full or read-only at any time: a file has its name only once its bytes are on the disk.

use std::ffi::CStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::Duration;

use jit_core::digest::Digest;
use jit_core::time::Utc;
use jit_proto::text::Shown;
use jit_proto::words::HostName;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::listing::Listing;
use crate::names::{self, MOST_HOSTS, Name, Part, unfinished};

/// Why something in an exchange was not read or written. The text names it.
#[derive(Debug, thiserror::Error)]
pub enum Bad {
    /// The system said no.
    #[error("{what}: {source}")]
    Io {
        /// What was read or written.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Something else has the name of a file.
    #[error("{0}: not a regular file; links, pipes, sockets and devices are not read")]
    NotRegular(String),
    /// Something else has the name of a folder.
    #[error("{0}: not a folder; links are not followed")]
    NotFolder(String),
    /// More than such a file has.
    #[error("{what}: it has more than {most} bytes")]
    Long {
        /// The file that is too long.
        what: String,
        /// So many it may have.
        most: usize,
    },
    /// The bytes are others than the name says.
    #[error("{0}: its bytes are not those of its name; it was cut off or changed on its way")]
    Changed(String),
}

impl Bad {
    /// Whether there is no room left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.errno().is_some_and(|errno| matches!(errno, Errno::NOSPC | Errno::DQUOT))
    }

    /// Whether this may be read and not written.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.errno().is_some_and(|errno| matches!(errno, Errno::ROFS | Errno::ACCESS | Errno::PERM))
    }

    /// Whether it is not there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.errno() == Some(Errno::NOENT)
    }

    fn errno(&self) -> Option<Errno> {
        match self {
            Self::Io { source, .. } => Errno::from_io_error(source),
            Self::NotRegular(_) | Self::NotFolder(_) | Self::Long { .. } | Self::Changed(_) => None,
        }
    }
}

/// An exchange, which is open.
#[derive(Debug)]
pub struct Exchange(Folder);

/// The folders of hosts in one part of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Those whose names are names of hosts, in their order.
    pub names: Vec<HostName>,
    /// How many other names there are.
    pub others: usize,
    /// Whether there are more than are read.
    pub more: bool,
}

impl Exchange {
    /// Opens the folder that somebody named; there, a link is followed.
    pub fn open(path: &Path) -> Result<Self, Bad> {
        let what = Shown(&path.display().to_string()).to_string();
        match rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => Ok(Self(Folder { fd, what, is_private: false })),
            Err(Errno::NOTDIR) => Err(Bad::NotFolder(what)),
            Err(errno) => Err(io_error(what, errno)),
        }
    }

    /// The hosts that one of its parts has folders of.
    pub fn hosts(&self, part: Part) -> Result<Hosts, Bad> {
        let Some(folder) = self.0.within(part.as_str())? else { return Ok(Hosts::default()) };
        let (found, more) = folder.entries(MOST_HOSTS)?;
        let mut hosts = Hosts { more, ..Hosts::default() };
        for name in found {
            match names::host(&name) {
                Some(host) => hosts.names.push(host),
                None => hosts.others += 1,
            }
        }
        hosts.names.sort();
        Ok(hosts)
    }

    /// The folder of a part, of a host where it has one for each; none if there is none.
    pub fn folder(&self, part: Part, host: Option<&HostName>) -> Result<Option<Folder>, Bad> {
        let Some(folder) = self.of(part)?.within(part.as_str())? else { return Ok(None) };
        host.map_or(Ok(Some(folder.again()?)), |host| folder.within(host.as_str()))
    }

    /// The same, and makes it where it is not there yet.
    pub fn make(&self, part: Part, host: Option<&HostName>) -> Result<Folder, Bad> {
        let folder = self.of(part)?.made(part.as_str())?;
        host.map_or(Ok(folder.again()?), |host| folder.made(host.as_str()))
    }

    /// The exchange itself, to make a part in.
    fn of(&self, part: Part) -> Result<Folder, Bad> {
        Ok(Folder { is_private: part.is_private(), ..self.0.again()? })
    }
}

/// A folder with files.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    what: String,
    /// Whether what is made in it is not for everybody to read.
    is_private: bool,
}

/// How long a file may be under way. What has not been finished by then never will be.
const ABANDONED: Duration = Duration::from_hours(24);

impl Folder {
    /// How messages call it.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The names in it.
    pub fn listing(&self, part: Part) -> Result<Listing, Bad> {
        let (found, more) = self.entries(part.most())?;
        Ok(Listing::of(part, found.iter().map(Vec::as_slice), more))
    }

    /// The bytes of a file, which are those of its name, or say why not.
    pub fn read(&self, name: &Name) -> Result<Vec<u8>, Bad> {
        let what = self.of(name);
        let text = name.to_string();
        // What opening alone can set off, as of a tape or a watchdog, is seen before.
        let before = rustix::fs::statat(&self.fd, text.as_str(), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| io_error(what.clone(), errno))?;
        if FileType::from_raw_mode(before.st_mode) != FileType::RegularFile {
            return Err(Bad::NotRegular(what));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.fd, text.as_str(), flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::LOOP | Errno::NXIO) => return Err(Bad::NotRegular(what)),
            Err(errno) => return Err(io_error(what, errno)),
        };
        let io = |source: io::Error| Bad::Io { what: what.clone(), source };
        if !file.metadata().map_err(io)?.is_file() {
            return Err(Bad::NotRegular(what));
        }
        let most = name.longest();
        let mut bytes = Vec::new();
        file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() > most {
            return Err(Bad::Long { what, most });
        }
        if name.digest().is_some_and(|digest| digest != Digest::of(&bytes)) {
            return Err(Bad::Changed(what));
        }
        Ok(bytes)
    }

    /// Whether a file with just these bytes is there.
    #[must_use]
    pub fn has(&self, name: &Name, bytes: &[u8]) -> bool {
        self.read(name).is_ok_and(|there| there == bytes)
    }

    /// Puts a file there whole, or not at all; false if it was there. What has its name and other bytes is replaced.
    pub fn put(&self, name: &Name, bytes: &[u8]) -> Result<bool, Bad> {
        if self.has(name, bytes) {
            return Ok(false);
        }
        let (before, file) = self.begun(*name)?;
        let written = self.finished(&before, file, name, bytes);
        if written.is_err() {
            rustix::fs::unlinkat(&self.fd, before.as_str(), AtFlags::empty()).unwrap_or(());
        }
        written.map(|()| true)
    }

    fn begun(&self, name: Name) -> Result<(String, File), Bad> {
        let by = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = self.mode()?.difference(Mode::from_raw_mode(0o111));
        let mut attempt = 0;
        loop {
            let before = unfinished(name, by, attempt);
            match rustix::fs::openat(&self.fd, before.as_str(), flags, mode) {
                Ok(fd) => return Ok((before, File::from(fd))),
                // Of another machine that has this number, or left behind.
                Err(Errno::EXIST) if attempt < 64 => attempt += 1,
                Err(errno) => return Err(io_error(self.of(&name), errno)),
            }
        }
    }

    fn finished(&self, before: &str, mut file: File, name: &Name, bytes: &[u8]) -> Result<(), Bad> {
        let io = |source: io::Error| Bad::Io { what: self.of(name), source };
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io)?;
        drop(file);
        rustix::fs::renameat(&self.fd, before, &self.fd, name.to_string().as_str())
            .map_err(|errno| io_error(self.of(name), errno))?;
        self.synced()
    }

    /// Takes a file out.
    pub fn remove(&self, name: &Name) -> Result<(), Bad> {
        rustix::fs::unlinkat(&self.fd, name.to_string().as_str(), AtFlags::empty())
            .map_err(|errno| io_error(self.of(name), errno))?;
        self.synced()
    }

    /// Takes out what the caller left unfinished longer than a day ago, as when a stick was pulled out. Others' files are
    /// left alone, and so is what cannot be taken out.
    pub fn clean(&self, listing: &Listing, now: Utc) {
        let own = rustix::process::geteuid().as_raw();
        let is_abandoned = |name: &&String| {
            let Ok(facts) = rustix::fs::statat(&self.fd, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) else {
                return false;
            };
            let is_file = FileType::from_raw_mode(facts.st_mode) == FileType::RegularFile;
            let written = Utc::from_unix_millis(facts.st_mtime.saturating_mul(1000));
            is_file && facts.st_uid == own && now.since(written) > ABANDONED
        };
        for name in listing.unfinished.iter().filter(is_abandoned) {
            rustix::fs::unlinkat(&self.fd, name.as_str(), AtFlags::empty()).unwrap_or(());
        }
    }

    fn of(&self, name: &impl fmt::Display) -> String {
        format!("{}/{name}", self.what)
    }

    fn synced(&self) -> Result<(), Bad> {
        match rustix::fs::fsync(&self.fd) {
            // Of some file systems a folder cannot be synchronised.
            Ok(()) | Err(Errno::INVAL | Errno::BADF) => Ok(()),
            Err(errno) => Err(io_error(self.what.clone(), errno)),
        }
    }

    /// The names in it but those of the folder itself and the one above: at most so many, and whether there are more.
    fn entries(&self, most: usize) -> Result<(Vec<Vec<u8>>, bool), Bad> {
        let io = |errno| io_error(self.what.clone(), errno);
        let mut found = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = CStr::to_bytes(entry.file_name());
            if matches!(name, b"." | b"..") {
                continue;
            }
            if found.len() == most {
                return Ok((found, true));
            }
            found.push(name.to_vec());
        }
        Ok((found, false))
    }

    fn within(&self, name: &str) -> Result<Option<Self>, Bad> {
        let what = self.of(&name);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, what, is_private: self.is_private })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => Err(Bad::NotFolder(what)),
            Err(errno) => Err(io_error(what, errno)),
        }
    }

    fn made(&self, name: &str) -> Result<Self, Bad> {
        if let Some(there) = self.within(name)? {
            return Ok(there);
        }
        match rustix::fs::mkdirat(&self.fd, name, self.mode()?) {
            Ok(()) => self.synced()?,
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(io_error(self.of(&name), errno)),
        }
        self.within(name)?.ok_or_else(|| io_error(self.of(&name), Errno::NOENT))
    }

    fn again(&self) -> Result<Self, Bad> {
        let fd = self.fd.as_fd().try_clone_to_owned();
        let fd = fd.map_err(|source| Bad::Io { what: self.what.clone(), source })?;
        Ok(Self { fd, what: self.what.clone(), is_private: self.is_private })
    }

    /// The permissions of a folder that is made in this one; a file has them without those to execute. What is private is
    /// for a group where its folder gives everything in it to that group.
    fn mode(&self) -> Result<Mode, Bad> {
        if !self.is_private {
            return Ok(Mode::from_raw_mode(0o755));
        }
        let facts = rustix::fs::fstat(&self.fd).map_err(|errno| io_error(self.what.clone(), errno))?;
        let is_shared = Mode::from_raw_mode(facts.st_mode).contains(Mode::SGID);
        Ok(Mode::from_raw_mode(if is_shared { 0o750 } else { 0o700 }))
    }
}

fn io_error(what: String, errno: Errno) -> Bad {
    Bad::Io { what, source: errno.into() }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
