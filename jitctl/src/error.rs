//! What can go wrong, what it means for what was asked, and the exit code: each in one place.

use std::io;
use std::time::Duration;

use jit_host::files::POLICY_DIR;
use jit_proto::BUS_NAME;

use crate::jitd::Call;

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
enum Effect {
    /// It was not made.
    None,
    /// It may have been made.
    Unknown,
}

impl Error {
    /// Exit codes as in jitctl(1).
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound(_) | Self::Refused(_) | Self::OnTrial(_) => 1,
            Self::Usage(_) | Self::Invalid(_) => 2,
            Self::NoBus { .. }
            | Self::NotRunning
            | Self::Impostor { .. }
            | Self::Late { .. }
            | Self::Broken { .. }
            | Self::Garbled(_)
            | Self::CannotDecide(_)
            | Self::Unconfirmed(_)
            | Self::Busy(_)
            | Self::Unexpected { .. }
            | Self::Output(_) => 3,
            Self::NotPermitted(_) => 4,
        }
    }

    /// The message: what happened, what that means for what was asked, and what to type next. `call` is absent
    /// where there was nothing to ask jitd.
    pub(crate) fn message(&self, call: Option<&Call>) -> String {
        let what = match (self, call) {
            (Self::Refused(findings), Some(Call::LoadPolicy | Call::TryPolicy { .. })) => {
                format!("the policy in {POLICY_DIR} was refused:\n{findings}")
            }
            _ => self.to_string(),
        };
        let meant = call.and_then(|call| self.consequence(call));
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

    const fn effect(&self) -> Effect {
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
            | Self::Busy(_) => Effect::None,
            Self::Late { sent: Sent::Perhaps, .. }
            | Self::Broken { sent: Sent::Perhaps, .. }
            | Self::Garbled(_)
            | Self::Unconfirmed(_)
            | Self::Unexpected { .. }
            | Self::Output(_) => Effect::Unknown,
        }
    }

    /// What it means for what was asked; nothing to say about a call that only reads.
    const fn consequence(&self, call: &Call) -> Option<&'static str> {
        match (self.effect(), call) {
            _ if call.only_reads() => None,
            (Effect::None, Call::LoadPolicy | Call::TryPolicy { .. }) if matches!(self, Self::Refused(_)) => {
                Some("The policy in force was kept")
            }
            (Effect::None, _) => Some("Nothing was changed"),
            (Effect::Unknown, Call::ConfirmPolicy) => Some("Whether the policy stays is unknown"),
            (Effect::Unknown, Call::LoadPolicy | Call::TryPolicy { .. }) => {
                Some("Whether the policy was loaded is unknown")
            }
            (Effect::Unknown, Call::Grant { .. }) => Some("Whether the window was opened is unknown"),
            (Effect::Unknown, Call::Revoke { .. }) => Some("Whether it was revoked is unknown"),
            (Effect::Unknown, Call::EndSession { .. }) => Some("Whether the session was ended is unknown"),
            (Effect::Unknown, Call::Request { .. } | Call::Extend { .. }) => {
                Some("Whether it was asked for is unknown")
            }
            (Effect::Unknown, Call::Withdraw { .. }) => Some("Whether it was withdrawn is unknown"),
            (Effect::Unknown, Call::Done { .. }) => Some("Whether the window was ended is unknown"),
            (Effect::Unknown, Call::Review { .. }) => Some("Whether the review was taken is unknown"),
            (Effect::Unknown, Call::Lock { .. }) => Some("Whether the lock was set is unknown"),
            (Effect::Unknown, Call::AcceptClock { .. }) => Some("Whether the clock was accepted is unknown"),
            (Effect::Unknown, Call::Unlock { .. }) => Some("Whether the lock was lifted is unknown"),
            (Effect::Unknown, _) => None,
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
            | Self::Unexpected { .. } => {
                let see = "see how it is with: systemctl status jitd".to_owned();
                look(call).map_or(see, |how| format!("look with: {how}"))
            }
            Self::Output(_) => return look(call).map(|how| format!("look with: {how}")),
            Self::Refused(_) if matches!(call, Call::LoadPolicy | Call::TryPolicy { .. }) => {
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

impl Call {
    const fn only_reads(&self) -> bool {
        matches!(
            self,
            Self::Check { .. }
                | Self::Roles { .. }
                | Self::List { .. }
                | Self::Show { .. }
                | Self::Pending
                | Self::Status
                | Self::Clock
                | Self::Policy
        )
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
    match call {
        Call::Grant { .. } | Call::Request { .. } | Call::Extend { .. } => Some("jitctl list".to_owned()),
        Call::Revoke { id, .. } | Call::Done { id, .. } => Some(format!("jitctl show {id}")),
        Call::Withdraw { id, .. } | Call::Review { id, .. } => Some(format!("jitctl show {id}")),
        Call::EndSession { .. } => Some("jitctl session list".to_owned()),
        Call::LoadPolicy | Call::TryPolicy { .. } => Some("jitctl policy show".to_owned()),
        Call::ConfirmPolicy | Call::Lock { .. } | Call::Unlock { .. } => Some("jitctl status".to_owned()),
        Call::AcceptClock { .. } => Some("jitctl clock".to_owned()),
        Call::Check { .. }
        | Call::Explain { .. }
        | Call::Roles { .. }
        | Call::List { .. }
        | Call::Show { .. }
        | Call::Pending
        | Call::Sessions
        | Call::Status
        | Call::Clock
        | Call::Policy => None,
    }
}

#[cfg(test)]
mod tests;
