//! Errors: their text, what they mean for the order that was given, and the exit code.

use std::io;
use std::time::Duration;

use jit_host::files::POLICY_DIR;
use jit_proto::BUS_NAME;
use jit_proto::manager::Refused;

use crate::call::{Call, Effect};

/// Why there is no answer, or why the answer is a refusal. Text from jitd is shown as it came, escaped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The arguments; the text is clap's and names the place.
    #[error("{0}")]
    Usage(String),
    /// No system bus to ask on.
    #[error("the system bus cannot be reached at {socket} ({why})")]
    NoBus { socket: String, why: String },
    /// Nobody owns jitd's name.
    #[error("jitd is not running")]
    NotRunning,
    /// Somebody who is not root does.
    #[error("REFUSED: {BUS_NAME} on the system bus belongs to uid {uid}, not to root. That is not jitd")]
    Impostor { uid: u32 },
    #[error("no answer within {} s", .limit.as_secs())]
    Late { limit: Duration, sent: Sent },
    /// The connection or jitd ended while the answer was awaited.
    #[error("the call broke off ({why})")]
    Broken { why: String, sent: Sent },
    /// An answer that is not what the contract says.
    #[error("jitd's answer cannot be understood ({0})")]
    Garbled(String),
    /// jitd runs, and cannot decide or record; its text says so.
    #[error("{0}")]
    CannotDecide(String),
    /// The store failed while the change was written.
    #[error("{0}")]
    Unconfirmed(String),
    /// The order was carried out; its answer, or what follows from it, failed. jitd's text says so.
    #[error("{0}")]
    CarriedOut(String),
    #[error("not permitted: {0}")]
    NotPermitted(String),
    #[error("not found: {0}")]
    NotFound(String),
    /// An argument that was well-formed for jitctl and is not for jitd.
    #[error("jitd does not accept an argument: {0}")]
    Invalid(String),
    #[error("refused: {0}")]
    Refused(String),
    /// A trial of a policy says no; its text says what to do.
    #[error("refused: {0}")]
    OnTrial(String),
    #[error("jitd is busy: {0}")]
    Busy(String),
    /// A D-Bus error that the contract does not name.
    #[error("jitd answered with {name}: {text}")]
    Unexpected { name: String, text: String },
    #[error("the answer cannot be written to standard output ({0})")]
    Output(io::Error),
}

/// Whether the call had left when the wait for its answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    No,
    Perhaps,
}

/// What is known about the change that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// It was not made.
    None,
    /// It may have been made.
    Unknown,
    /// It was made.
    Made,
}

impl Error {
    /// Exit codes as in jitctl(1).
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::OnTrial(_) => 1,
            Self::Usage(_) | Self::Invalid(_) => 2,
            Self::NoBus { .. }
            | Self::NotRunning
            | Self::Impostor { .. }
            | Self::Late { .. }
            | Self::Broken { .. }
            | Self::Garbled(_)
            | Self::CannotDecide(_)
            | Self::Unconfirmed(_)
            | Self::CarriedOut(_)
            | Self::Busy(_)
            | Self::Unexpected { .. }
            | Self::Output(_) => 3,
            Self::NotPermitted(_) => 4,
            Self::NotFound(_) => 5,
        }
    }

    /// The stable word for it, for programs.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::NoBus { .. } => "no-bus",
            Self::NotRunning => "not-running",
            Self::Impostor { .. } => "impostor",
            Self::Late { .. } => "no-answer",
            Self::Broken { .. } => "broken-off",
            Self::Garbled(_) => "not-understood",
            Self::CannotDecide(_) => "cannot-decide",
            Self::Unconfirmed(_) => "unconfirmed",
            Self::CarriedOut(_) => "carried-out",
            Self::NotPermitted(_) => "not-permitted",
            Self::NotFound(_) => "not-found",
            Self::Invalid(_) => "invalid",
            Self::Refused(_) => "refused",
            Self::OnTrial(_) => "on-trial",
            Self::Busy(_) => "busy",
            Self::Unexpected { .. } => "unexpected",
            Self::Output(_) => "output",
        }
    }

    /// The same as an answer about one of several.
    pub(crate) fn refused(&self) -> Refused {
        Refused { code: self.code().to_owned(), text: self.to_string() }
    }

    /// The message: what happened, what that means for what was asked, and what to type next. `call` is absent
    /// where there was nothing to ask jitd.
    pub(crate) fn message(&self, call: Option<&Call>) -> String {
        let what = match (self, call) {
            (Self::Refused(findings), Some(call)) if call.loads_files() => {
                format!("the policy in {POLICY_DIR} was refused:\n{findings}")
            }
            _ => self.to_string(),
        };
        let meant = call.and_then(|call| self.consequence(&call.row().effect));
        let text = match (self.tells_in_jitds_words(), meant) {
            (true, Some(meant)) => format!("{what}\n{meant}."),
            (true, None) => what,
            (false, Some(meant)) => format!("{what}. {meant}."),
            (false, None) => format!("{what}."),
        };
        match call.and_then(|call| self.hint(call)) {
            Some(hint) => format!("jitctl: {text}\nhint: {hint}"),
            None => format!("jitctl: {text}"),
        }
    }

    /// Whether the text is somebody else's, with a form and a full stop of its own.
    const fn tells_in_jitds_words(&self) -> bool {
        match self {
            Self::Usage(_)
            | Self::CannotDecide(_)
            | Self::Unconfirmed(_)
            | Self::CarriedOut(_)
            | Self::NotPermitted(_)
            | Self::NotFound(_)
            | Self::Invalid(_)
            | Self::Refused(_)
            | Self::OnTrial(_)
            | Self::Busy(_)
            | Self::Unexpected { .. } => true,
            Self::NoBus { .. }
            | Self::NotRunning
            | Self::Impostor { .. }
            | Self::Late { .. }
            | Self::Broken { .. }
            | Self::Garbled(_)
            | Self::Output(_) => false,
        }
    }

    const fn came(&self) -> Came {
        match self {
            Self::Usage(_)
            | Self::NoBus { .. }
            | Self::NotRunning
            | Self::Impostor { .. }
            | Self::Late { sent: Sent::No, .. }
            | Self::Broken { sent: Sent::No, .. }
            | Self::CannotDecide(_)
            | Self::NotPermitted(_)
            | Self::NotFound(_)
            | Self::Invalid(_)
            | Self::Refused(_)
            | Self::OnTrial(_)
            | Self::Busy(_) => Came::None,
            Self::Late { sent: Sent::Perhaps, .. }
            | Self::Broken { sent: Sent::Perhaps, .. }
            | Self::Garbled(_)
            | Self::Unconfirmed(_)
            | Self::Unexpected { .. } => Came::Unknown,
            // The answer had come.
            Self::CarriedOut(_) | Self::Output(_) => Came::Made,
        }
    }

    /// What it means for what was asked; nothing to say about a call that only reads.
    const fn consequence(&self, effect: &Effect) -> Option<&'static str> {
        match (self.came(), effect) {
            (_, Effect::Reads) => None,
            (Came::Made, Effect::Changes { .. }) => Some("The order was carried out"),
            (Came::None, Effect::Changes { none, .. }) => Some(none),
            (Came::Unknown, Effect::Changes { unknown, .. }) => Some(unknown),
        }
    }

    /// What to type next. jitd's own words already say it.
    fn hint(&self, call: &Call) -> Option<String> {
        let hint = match self {
            Self::NoBus { .. } => "start it with: systemctl start dbus".to_owned(),
            Self::NotRunning => "start it with: systemctl start jitd".to_owned(),
            Self::Impostor { .. } => format!("find out who with: busctl status {BUS_NAME}"),
            Self::Late { sent: Sent::No, .. } | Self::Broken { sent: Sent::No, .. } => {
                "see what holds it up with: systemctl status dbus jitd".to_owned()
            }
            Self::Late { .. }
            | Self::Broken { .. }
            | Self::Garbled(_)
            | Self::Unconfirmed(_)
            | Self::CarriedOut(_)
            | Self::Unexpected { .. } => {
                let see = "see how it is with: systemctl status jitd".to_owned();
                look(call).map_or(see, |how| format!("look with: {how}"))
            }
            Self::Output(_) => return look(call).map(|how| format!("look with: {how}")),
            Self::Refused(_) if call.loads_files() => {
                "correct the files, then type: jitctl policy load".to_owned()
            }
            Self::Usage(_)
            | Self::CannotDecide(_)
            | Self::NotPermitted(_)
            | Self::NotFound(_)
            | Self::Invalid(_)
            | Self::Refused(_)
            | Self::OnTrial(_)
            | Self::Busy(_) => return None,
        };
        Some(hint)
    }
}

/// Why a command was not done, and the question to jitd that it failed at; none where it did not come to one.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    call: Option<Box<Call>>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, call: None }
    }
}

impl Failure {
    pub(crate) fn at(error: Error, call: &Call) -> Self {
        Self { error, call: Some(Box::new(call.clone())) }
    }

    pub(crate) fn message(&self) -> String {
        self.error.message(self.call.as_deref())
    }

    /// Whether jitd was asked and gave no answer, so that asking again may bring one.
    pub(crate) fn is_silence(&self) -> bool {
        self.error.exit_code() == 3 && !matches!(self.error, Error::Output(_))
    }
}

/// How to see what became of a change.
fn look(call: &Call) -> Option<String> {
    match call.row().effect {
        Effect::Reads => None,
        Effect::Changes { look, .. } => Some(look),
    }
}

#[cfg(test)]
mod tests;
