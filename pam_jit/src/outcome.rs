//! The outcome of a question, and the one function that turns it into a PAM code.
//!
//! DESIGN §4 has the table. `PAM_SUCCESS` leaves here for an `allow` that answers this very question and for
//! nothing else; `PAM_IGNORE` for what jitd does not manage, for root's own su and sudo, and for `recovery=`.

use jit_proto::gate::{Answer, MAX_TEXT, NOT_ENCLOSED, Question, Stage};
use jit_proto::text::Shown;
use jit_proto::words::{UserName, Verdict};
use pam::constants::PamResultCode;

use crate::error::Error;
use crate::log::{Level, Line};

/// jitd's reason for denying a name that the name service does not know.
const UNKNOWN_USER: &str = "unknown-user";

const NOT_ANSWERING: &str = "jit: login refused: jitd does not answer. \
                             Tell an administrator: systemctl status jitd";

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A window admits the subject.
    Allowed(Answer),
    /// No window does, or something beats it.
    Denied(Answer),
    /// The name service answered that there is no such account.
    UnknownUser,
    /// Exempt, or a service that is only observed.
    Unmanaged(Answer),
    /// Root runs su or sudo.
    RootCaller,
    /// There is no decision, and `recovery=` names the account.
    Recovered { account: UserName, error: Error },
    /// There is no decision.
    Failed(Error),
}

/// Reads jitd's answer, if it is one to this question.
pub(crate) fn read(question: &Question, answer: Answer) -> Result<Outcome, Error> {
    let believe = |holds: bool, not: &str| {
        if holds { Ok(()) } else { Err(Error::Unbelievable(not.to_owned())) }
    };
    believe(answer.nonce == question.nonce, "another nonce came back")?;
    believe(answer.service == question.service, "it is about another service")?;
    believe(answer.user == question.user, "it is about another user")?;
    let texts = [&answer.reason, &answer.text, &answer.grant];
    believe(texts.iter().all(|text| text.len() <= MAX_TEXT), "a text in it is too long")?;
    match answer.verdict.parse() {
        Ok(Verdict::Allow) => Ok(Outcome::Allowed(answer)),
        Ok(Verdict::Deny) if answer.reason == UNKNOWN_USER => Ok(Outcome::UnknownUser),
        Ok(Verdict::Deny) if answer.reason == NOT_ENCLOSED => Err(Error::NotEnclosed(answer.text)),
        Ok(Verdict::Deny) => Ok(Outcome::Denied(answer)),
        Ok(Verdict::Unmanaged) => Ok(Outcome::Unmanaged(answer)),
        Err(bad) => Err(Error::Unbelievable(bad.to_string())),
    }
}

impl Outcome {
    /// The code for libpam.
    ///
    /// In `open_session` every refusal is `PAM_PERM_DENIED`. It is the code that was seen to stop sshd, su, login
    /// and sudo alike; sudo lets a session through that fails with `PAM_SESSION_ERR`, and which other codes a
    /// program forgives there is nothing to build on.
    pub(crate) fn code(&self, stage: Stage) -> PamResultCode {
        use PamResultCode as Code;
        let code = match self {
            Self::Allowed(_) => Code::PAM_SUCCESS,
            Self::Unmanaged(_) | Self::RootCaller | Self::Recovered { .. } => Code::PAM_IGNORE,
            Self::Denied(_) => Code::PAM_PERM_DENIED,
            Self::UnknownUser => Code::PAM_USER_UNKNOWN,
            Self::Failed(error) => match error {
                Error::Argument { .. } => Code::PAM_SERVICE_ERR,
                Error::User(_) => Code::PAM_USER_UNKNOWN,
                Error::Item { .. } => Code::PAM_PERM_DENIED,
                Error::Absent { .. }
                | Error::NotStarted { .. }
                | Error::CannotDecide(_)
                | Error::NotEnclosed(_)
                | Error::Deadline { .. }
                | Error::System { .. }
                | Error::Closed(_)
                | Error::Refused { .. }
                | Error::Unbelievable(_) => Code::PAM_AUTHINFO_UNAVAIL,
            },
        };
        match (stage, code) {
            (Stage::Session, Code::PAM_SUCCESS) => Code::PAM_SUCCESS,
            (Stage::Session, Code::PAM_IGNORE) => Code::PAM_IGNORE,
            (Stage::Session, _) => Code::PAM_PERM_DENIED,
            (Stage::Account | Stage::Close, code) => code,
        }
    }

    /// What the person is told, in one line, if anything.
    pub(crate) fn line(&self) -> Option<String> {
        match self {
            Self::Allowed(_)
            | Self::Unmanaged(_)
            | Self::RootCaller
            | Self::Recovered { .. }
            // What an unknown user is told is the login program's business.
            | Self::UnknownUser
            | Self::Failed(Error::User(_)) => None,
            Self::Denied(answer) if answer.text.is_empty() => {
                Some(format!("jit: access to {} is denied: {}", Shown(&answer.service), Shown(&answer.reason)))
            }
            Self::Denied(answer) => Some(Shown(&answer.text).to_string()),
            Self::Failed(Error::Argument { .. }) => {
                Some("jit: this service's PAM line is wrong. Tell an administrator: the system log says how".into())
            }
            Self::Failed(Error::Item { item, .. }) => {
                Some(format!("jit: refused, since {item} is not usable. Tell an administrator: see the system log"))
            }
            Self::Failed(Error::NotEnclosed(text)) => Some(Shown(text).to_string()),
            Self::Failed(_) => Some(NOT_ANSWERING.to_owned()),
        }
    }

    /// What the system log is told. `question` is the one asked, if it came to that.
    pub(crate) fn log(&self, question: Option<&Question>) -> (Level, Line) {
        let (level, mut line) = match self {
            Self::Allowed(answer) => {
                let line = Line::new("allowed").field("grant", &answer.grant);
                (Level::Info, line.field("remaining", format_args!("{}s", answer.remaining)))
            }
            Self::Denied(answer) => (Level::Notice, Line::new("denied").field("reason", &answer.reason)),
            Self::UnknownUser => (Level::Notice, Line::new("denied").field("reason", UNKNOWN_USER)),
            Self::Unmanaged(answer) => (Level::Debug, Line::new("unmanaged").field("reason", &answer.reason)),
            Self::RootCaller => (Level::Debug, Line::new("unmanaged").field("reason", "root runs it")),
            Self::Recovered { account, error } => {
                let line = Line::new("RECOVERY: let in without a decision").field("account", account);
                (Level::Alert, line.field("because", error))
            }
            Self::Failed(error @ (Error::User(_) | Error::Item { .. })) => {
                (Level::Notice, Line::new("refused").field("because", error))
            }
            Self::Failed(error) => (Level::Error, Line::new("refused").field("because", error)),
        };
        if let Some(question) = question {
            line = line.field("user", &question.user).field("caller", question.caller_uid);
            let rest = [("ruser", &question.ruser), ("rhost", &question.rhost), ("tty", &question.tty)];
            for (name, value) in rest.into_iter().filter(|(_, value)| !value.is_empty()) {
                line = line.field(name, value);
            }
        }
        (level, line)
    }
}
