//! The module's question and jitd's answer: interface `org.jitd.Jit1.Gate`.
//!
//! The signatures here are frozen. A running sshd keeps the module it started with while jitd is upgraded
//! under it, so a change is a new method, never a new field.

use serde::{Deserialize, Serialize};
use zbus::Type;

use crate::words::BadWord;

/// The interface's name. Callable by uid 0, or by a subject asking about itself.
pub const INTERFACE: &str = "org.jitd.Jit1.Gate";

/// The method: one [`Question`] in, one [`Answer`] out, `(ayssssssuu)` to `(aysssssst)`.
pub const CHECK: &str = "Check";

/// The same of a login over ssh, with what sshd tells PAM of how it was let in (`SSH_AUTH_INFO_0`): one [`Question`] and one
/// text of at most [`MAX_AUTH_INFO`] bytes in, one [`Answer`] out. A jitd from before does not have it.
pub const CHECK_LOGIN: &str = "CheckLogin";

/// The most bytes of what sshd tells; a key of RSA has some 3 KiB, and a certificate some more.
pub const MAX_AUTH_INFO: usize = 16 * 1024;

/// Bytes in a nonce.
pub const NONCE_LEN: usize = 16;

/// The most bytes of any one text in a question or answer; longer ones are refused unread.
pub const MAX_TEXT: usize = 1024;

/// The account line says `session`: a use is claimed at the check and used when the session opens.
pub const FLAG_CLAIM: u32 = 1;

/// The reason of a refusal for want of a unit that the session could be bound to: no decision against the subject, so
/// `recovery=` lets its accounts in all the same.
pub const NOT_ENCLOSED: &str = "not-enclosed";

/// The reason of every answer to a program that asks about others without being root: it learns whether, and no more.
pub const NOT_SAID: &str = "not-said";

/// What the module asks, as it goes over the wire. Names are text here: jitd parses them and resolves them
/// through NSS itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Question {
    /// [`NONCE_LEN`] random bytes that the answer must repeat.
    pub nonce: Vec<u8>,
    /// The PAM stage that asks, as a [`Stage`] writes it.
    pub stage: String,
    /// PAM_SERVICE: the name of the file in `/etc/pam.d`.
    pub service: String,
    /// PAM_USER: the account that is logged in to, or become.
    pub user: String,
    /// PAM_RUSER, or empty.
    pub ruser: String,
    /// PAM_RHOST, or empty. Never believed as a name; compared between stages of one login.
    pub rhost: String,
    /// PAM_TTY, or empty.
    pub tty: String,
    /// The real uid of the process that runs the PAM stack (getuid(2)).
    pub caller_uid: u32,
    /// [`FLAG_CLAIM`] or 0. Any other bit is refused.
    pub flags: u32,
}

/// jitd's answer. A module that cannot match `nonce`, `service` and `user` to its question denies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Answer {
    /// The question's nonce.
    pub nonce: Vec<u8>,
    /// The question's service.
    pub service: String,
    /// The question's user.
    pub user: String,
    /// The verdict, as a [`crate::words::Verdict`] writes it.
    pub verdict: String,
    /// Why, as a stable word such as `no-window` (jitd(8) lists them). For logs.
    pub reason: String,
    /// One line for the person, saying what to do next; empty where there is nothing to say.
    pub text: String,
    /// The grant that admits, or empty.
    pub grant: String,
    /// Whole seconds left in the window; at `session`, for how long the host may let it be: that, and what its end may
    /// take. 0 unless the verdict is `allow`.
    pub remaining: u64,
}

/// Which PAM hook asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// `pam_sm_acct_mgmt`: the gate.
    Account,
    /// `pam_sm_open_session`: the second gate.
    Session,
    /// `pam_sm_close_session`: for the record only; the answer changes nothing.
    Close,
}

impl Stage {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Session => "session",
            Self::Close => "close",
        }
    }
}

impl std::str::FromStr for Stage {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        match text {
            "account" => Ok(Self::Account),
            "session" => Ok(Self::Session),
            "close" => Ok(Self::Close),
            _ => Err(BadWord::NotOneOf { what: "stage", expected: "account, session or close" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gates_signatures_are_frozen() {
        assert_eq!(Question::SIGNATURE.to_string(), "(ayssssssuu)");
        assert_eq!(Answer::SIGNATURE.to_string(), "(aysssssst)");
    }

    #[test]
    fn a_stage_reads_back_as_it_was_written() {
        for stage in [Stage::Account, Stage::Session, Stage::Close] {
            assert_eq!(stage.as_str().parse::<Stage>().unwrap(), stage);
        }
        assert!("auth".parse::<Stage>().is_err());
    }
}
