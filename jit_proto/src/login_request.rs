//! What a person who logs in can ask for: interface `org.jitd.Jit1.Ask`, of the module's `auth` line.
//!
//! The signatures here are frozen, as the gate's are: a running sshd keeps the module it started with. An answer
//! admits nobody, whatever it says; the gate is asked after it.

use serde::{Deserialize, Serialize};
use zbus::Type;

use crate::words::BadWord;

/// The interface's name. Callable by uid 0 alone.
pub const INTERFACE: &str = "org.jitd.Jit1.Ask";

/// What the person may ask for: `(aysssuss)` to `(aysssss)` and `a(sstts)`.
pub const OPTIONS: &str = "Options";

/// Asks for a role: `(aysssuss)`, the role `s`, seconds `t` (0 is the role's default) and the reason `s` to
/// `(aysssss)`.
pub const FILE: &str = "File";

/// What became of a request of the person's own: `(aysssuss)` and its id `s` to `(aysssss)`.
pub const PROGRESS: &str = "Progress";

/// Takes what an approver answered to a request of the person's own: `(aysssuss)`, its id `s`, and the lines `as` that
/// were typed of it so far, to `(aysssss)`, lines for the person `as`, and how many of the typed ones are of use yet `u`:
/// these come again before the next. Without a typed line it takes nothing, and says what to read out, if anything can be
/// typed here.
pub const ENTER: &str = "Enter";

/// The most lines that are typed of one answer: the rows of a signature,
pub const MAX_LINES: usize = 31;

/// and the most bytes of all of them.
pub const MAX_TYPED: usize = 2048;

/// The most lines that the person is told; each has at most [`crate::gate::MAX_TEXT`] bytes.
pub const MAX_TOLD: usize = 16;

/// The most roles in one answer. With the longest texts, their list still fits into what the module reads.
pub const MAX_ROLES: usize = 16;

/// The most bytes of a role's summary or hint.
pub const MAX_LINE: usize = 256;

/// Who asks, as PAM tells it. Names are text here: jitd parses them and resolves them through NSS itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Asker {
    /// [`crate::gate::NONCE_LEN`] random bytes that the answer must repeat.
    pub nonce: Vec<u8>,
    /// PAM_SERVICE: the name of the file in `/etc/pam.d`.
    pub service: String,
    /// PAM_USER: the account that is logged in to, or become.
    pub user: String,
    /// PAM_RUSER, or empty.
    pub ruser: String,
    /// The real uid of the process that runs the PAM stack (getuid(2)).
    pub caller_uid: u32,
    /// PAM_RHOST, or empty. Never believed as a name.
    pub rhost: String,
    /// PAM_TTY, or empty.
    pub tty: String,
}

/// jitd's answer to each of these. A module that cannot match `nonce`, `service` and `user` to its question
/// believes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Answer {
    /// The question's nonce.
    pub nonce: Vec<u8>,
    /// The question's service.
    pub service: String,
    /// The question's user.
    pub user: String,
    /// How it stands with the request, as a [`State`] writes it.
    pub state: String,
    /// The request that waits, or empty.
    pub id: String,
    /// One line for the person, of at most [`crate::gate::MAX_TEXT`] bytes; empty where there is nothing to say.
    pub text: String,
}

/// A role that the person may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Role {
    /// The role's name in policy.
    pub name: String,
    /// What it is for, or empty; at most [`MAX_LINE`] bytes.
    pub summary: String,
    /// Seconds that it opens for where the person names no time.
    pub default: u64,
    /// The most seconds that it opens for.
    pub max: u64,
    /// What a reason must look like, or empty; at most [`MAX_LINE`] bytes.
    pub hint: String,
}

/// How it stands with somebody who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The service is open to them: there is nothing to ask for.
    Open,
    /// A request of theirs waits for reviews.
    Waiting,
    /// There are roles that they may ask for.
    Ask,
    /// There is nothing here that they may ask for.
    Nothing,
    /// What they asked for was refused, and is not filed.
    Refused,
    /// The request no longer waits, and nothing is open.
    Over,
}

impl State {
    const ALL: [Self; 6] = [Self::Open, Self::Waiting, Self::Ask, Self::Nothing, Self::Refused, Self::Over];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Ask => "ask",
            Self::Nothing => "nothing",
            Self::Refused => "refused",
            Self::Over => "over",
        }
    }
}

impl std::str::FromStr for State {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(BadWord::NotOneOf {
            what: "state",
            expected: "open, waiting, ask, nothing, refused or over",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signatures_are_frozen() {
        assert_eq!(Asker::SIGNATURE.to_string(), "(aysssuss)");
        assert_eq!(Answer::SIGNATURE.to_string(), "(aysssss)");
        assert_eq!(Role::SIGNATURE.to_string(), "(sstts)");
    }

    #[test]
    fn a_state_reads_back_as_it_was_written() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse::<State>().unwrap(), state);
        }
        assert!("OPEN".parse::<State>().is_err() && "".parse::<State>().is_err());
    }
}
