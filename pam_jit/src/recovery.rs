//! `recovery=`: the accounts that an administrator wants to get in when jitd cannot say yes (DESIGN law 1).
//!
//! A host whose bus is down, whose jitd does not start or whose disk is full must not lock everybody out for
//! good. Which accounts that is for stands in the PAM line, since it is needed when nothing else can be asked.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use jit_proto::words::UserName;

use crate::error::Error;
use crate::outside::System;
use crate::question::Subject;

/// The account in `listed` that is let in although `error` kept us from a decision.
///
/// For a name that is not listed, the name service is not asked. For failures that a user could provoke (a
/// deadline, exhausted descriptors, an answer that is not believed), only uid 0 recovers.
pub(crate) fn account<'a>(
    system: &impl System,
    listed: &'a [UserName],
    subject: &Subject,
    error: &Error,
) -> Option<&'a UserName> {
    let account = listed.iter().find(|account| subject.name.as_ref() == Some(account))?;
    if subject.must_be.is_none() && error.is_recoverable() {
        return Some(account);
    }
    let uid = system.uid_of(account)?;
    let is_that_caller = subject.must_be.is_none_or(|caller| caller == uid);
    (is_that_caller && (error.is_recoverable() || uid == 0)).then_some(account)
}

/// The size at which [`note`] stops adding lines: some thousand recoveries that jitd has not read.
const NOTES_LIMIT: u64 = 64 * 1024;

/// Appends one line to the notes that jitd enters into the audit when it is back.
///
/// The directory is root's alone. The checks are for one that is not: nothing is followed, waited for (a FIFO),
/// or filled beyond the limit, and no file of anybody else is written to.
pub(crate) fn note(notes: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(notes)?;
    let is = file.metadata()?;
    if !is.is_file() || is.uid() != 0 || is.len() > NOTES_LIMIT {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    // One write, so that lines of two logins do not mix (open(2), O_APPEND).
    file.write_all(format!("{line}\n").as_bytes())
}
