//! What the kernel tells of a process in its folder below /proc (proc(5)).
//!
//! A pid comes round, a folder that is open does not: it stays the one of the process that had the pid when it was opened,
//! and once that has been reaped, what is read through it fails with ESRCH. So whatever is read through one folder is of
//! one process.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

/// What most of the files fit into: a longer one takes more reads.
const PAGE: usize = 4096;

/// A process's folder, held open.
#[derive(Debug)]
pub(crate) struct ProcFolder(OwnedFd);

impl ProcFolder {
    /// Of the process that has this pid now.
    ///
    /// # Errors
    ///
    /// ENOENT where none has it, or where /proc hides it (hidepid=).
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self(open(format!("/proc/{pid}").as_str(), flags, Mode::empty())?))
    }

    /// All of one file. No name that a process gives itself need be UTF-8: what is not, is replaced.
    ///
    /// # Errors
    ///
    /// ESRCH once the process has been reaped; ENOENT where the kernel has no such file.
    pub(crate) fn read(&self, name: &str) -> io::Result<String> {
        let file = openat(&self.0, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        whole(File::from(file))
    }

    /// A file that holds one number.
    pub(crate) fn number(&self, name: &str) -> io::Result<u32> {
        self.read(name)?.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// When it started, in hundredths of a second since boot.
    pub(crate) fn start_time(&self) -> io::Result<u64> {
        start_time(&self.read("stat")?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// All of a file of the kernel's that is in no process's folder, or in this one's own.
pub(crate) fn read(path: &str) -> io::Result<String> {
    whole(File::open(path)?)
}

/// All of a file, in few reads: the kernel tells no size, and by itself the standard library would begin with 32 bytes.
fn whole(mut file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        bytes.resize(before + PAGE, 0);
        let read = file.read(bytes.get_mut(before..).unwrap_or_default())?;
        bytes.truncate(before + read);
        if read == 0 {
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}

/// Field 22 of /proc/PID/stat. The name in field 2 is whatever the process calls itself, so fields are counted from its
/// closing bracket.
fn start_time(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use nix::errno::Errno;

    use super::*;

    #[test]
    fn no_name_that_a_process_gives_itself_hides_its_start_time() {
        let fields: Vec<String> = (4..=25).map(|n| n.to_string()).collect();
        for name in ["(evil) S 9 (x)", "(\u{fffd}\n)"] {
            assert_eq!(start_time(&format!("1 {name} S {}", fields.join(" "))), Some(22), "{name:?}");
        }
    }

    #[test]
    fn an_open_folder_is_never_of_the_process_that_gets_the_pid_later() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let folder = ProcFolder::of(child.id()).unwrap();
        assert!(folder.start_time().is_ok(), "it runs");
        child.kill().unwrap();
        child.wait().unwrap();
        let gone = folder.read("stat").unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(Errno::ESRCH as i32));
        assert_eq!(ProcFolder::of(child.id()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_of_the_kernels_is_read_to_its_end_however_long_it_is() {
        let of_this = ProcFolder::of(std::process::id()).unwrap();
        // What is mapped here takes many pages to tell.
        let read = of_this.read("maps").unwrap();
        assert!(read.len() > 2 * PAGE, "{}", read.len());
        assert!(read.ends_with('\n') && read.contains("[stack]"), "the stack stands at the end");
        assert_eq!(
            of_this.number("loginuid").ok(),
            std::fs::read_to_string("/proc/self/loginuid").unwrap().parse().ok()
        );
    }
}
