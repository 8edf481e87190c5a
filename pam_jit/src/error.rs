//! Errors that leave a login without a decision. Each text is for the administrator who reads the log.

use std::time::Duration;

use jit_proto::words::BadWord;
use nix::errno::Errno;

/// What kept the module from having a decision. [`crate::outcome`] turns each into a PAM code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The PAM line itself is wrong.
    #[error("argument {argument:?} in the PAM line: {why}")]
    Argument { argument: String, why: String },

    /// PAM_USER is missing, or no account could have that name.
    #[error("PAM_USER is not the name of an account: {0}")]
    User(Unusable),

    /// Another item that the service set cannot be passed on as it is.
    #[error("{item} is not usable: {why}")]
    Item { item: &'static str, why: Unusable },

    /// Neither socket is there.
    #[error("jitd's socket is not there ({private}) and {}", no_bus(*.bus))]
    Absent { private: Errno, bus: Option<Errno> },

    /// The bus answered that nobody owns jitd's name, or that it cannot be started.
    #[error("jitd is not running and the bus cannot start it: {name}: {text}")]
    NotStarted { name: String, text: String },

    /// jitd answered that it can neither decide nor record.
    #[error("{0}")]
    CannotDecide(String),

    /// jitd let the subject in, and systemd put the session into no unit; with the line for the person.
    #[error("the session could not be put into a unit of its own, so its end could not be enforced")]
    NotEnclosed(String),

    /// The time limit passed.
    #[error("no answer within {limit:?} ({doing})")]
    Deadline { limit: Duration, doing: String },

    /// A system call failed: descriptors or memory have run out, or the other side went away.
    #[error("cannot {doing}: {errno}")]
    System { doing: String, errno: Errno },

    /// The other side closed the connection half-way.
    #[error("{0} closed the connection")]
    Closed(String),

    /// Any other error reply, from jitd or from the bus.
    #[error("{doing} was refused: {name}: {text}")]
    Refused { doing: String, name: String, text: String },

    /// Whoever answered is not jitd, or did not answer the question.
    #[error("the answer is not believed: {0}")]
    Unbelievable(String),
}

fn no_bus(bus: Option<Errno>) -> String {
    match bus {
        Some(errno) => format!("neither is the system bus ({errno})"),
        None => "the bus is not asked for this".to_owned(),
    }
}

impl Error {
    /// Whether jitd is from before a method that it was asked by.
    pub(crate) fn says_unknown_method(&self) -> bool {
        matches!(self, Self::Refused { name, .. } if name == "org.freedesktop.DBus.Error.UnknownMethod")
    }

    /// Whether this is one of the states that `recovery=` is for: jitd is known not to be there, known not to start,
    /// or says itself that it cannot decide. Everything else may be somebody's doing (DESIGN law 1). That systemd did
    /// not do its part is a moment's, and jitd is there: it has refused the session, on record, and would follow nobody
    /// who came in all the same (law 12).
    pub(crate) const fn is_recoverable(&self) -> bool {
        match self {
            Self::Absent { .. } | Self::NotStarted { .. } | Self::CannotDecide(_) => true,
            Self::NotEnclosed(_)
            | Self::Argument { .. }
            | Self::User(_)
            | Self::Item { .. }
            | Self::Deadline { .. }
            | Self::System { .. }
            | Self::Closed(_)
            | Self::Refused { .. }
            | Self::Unbelievable(_) => false,
        }
    }
}

/// Why a PAM item cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// Not set, or empty.
    #[error("it is not set")]
    Missing,
    /// libpam did not hand it out.
    #[error("libpam did not hand it out")]
    Unreadable,
    /// Not UTF-8, which D-Bus texts must be.
    #[error("it is not UTF-8")]
    NotText,
    /// Longer than [`jit_proto::gate::MAX_TEXT`].
    #[error("it is {0} bytes long")]
    TooLong(usize),
    /// Not of the form that this name has.
    #[error(transparent)]
    BadWord(#[from] BadWord),
}
