//! What can go wrong with the store.

use crate::host_key::NoKey;

/// What can go wrong with the store. None of it ever becomes an `allow`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// SQLite said no: disk full, read-only, corrupt, locked.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file is from a newer jitd.
    #[error("schema {found} is newer than {known}, which this jitd knows; install the newer jitd again")]
    Newer {
        /// What the file says.
        found: i64,
        /// What this program knows.
        known: i64,
    },
    /// A row or record does not read back as what was written.
    #[error("{table} is damaged: {what}")]
    Damaged {
        /// The table that was read.
        table: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The file system is mounted read-only: after an error, most often.
    #[error("the file system of {0} is mounted read-only")]
    ReadOnly(String),
    /// The key that signs the log is not there, or is another.
    #[error("{0}")]
    Key(#[from] NoKey),
    /// The file or folder cannot be used.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The writer is gone or its batch failed; the reason is in the log.
    #[error("the change could not be made durable")]
    NotDurable,
    /// The machine went back in time under it, or was given another id: it has to be read again.
    #[error("this machine went back in time, or is a copy")]
    Elsewhere,
    /// What one order came to is what the store does not take. Whoever gives it can cause that; the disk is well.
    #[error("it does not take what was to be written ({0}), which is a fault of jitd's")]
    Fault(String),
}

impl StoreError {
    /// What this is when it happened while one batch was written: a fault of that batch, unless it is the disk's. Only
    /// the disk takes the store down (DESIGN law 1: `recovery=` must not be for what somebody can cause).
    pub(crate) fn of_batch(self) -> Self {
        use rusqlite::ErrorCode as Code;
        let disk = match &self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(err, _)) => matches!(
                err.code,
                Code::PermissionDenied
                    | Code::DatabaseBusy
                    | Code::DatabaseLocked
                    | Code::ReadOnly
                    | Code::SystemIoFailure
                    | Code::DatabaseCorrupt
                    | Code::DiskFull
                    | Code::CannotOpen
                    | Code::FileLockingProtocolFailed
                    | Code::NoLargeFileSupport
                    | Code::NotADatabase
            ),
            Self::Sqlite(_) | Self::Damaged { .. } => false,
            Self::Key(_)
            | Self::Newer { .. }
            | Self::ReadOnly(_)
            | Self::Io(_)
            | Self::NotDurable
            | Self::Elsewhere
            | Self::Fault(_) => true,
        };
        if disk { self } else { Self::Fault(self.to_string()) }
    }
}
