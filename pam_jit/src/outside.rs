//! Everything outside the module that a hook reads or does, as three traits: the PAM transaction, the operating system
//! and jitd. Tests put doubles behind them.

use std::ffi::CStr;
use std::time::Duration;

use jit_proto::gate::{Answer, NONCE_LEN, Question};
use jit_proto::login_request::{self, Asker};
use jit_proto::words::{Reason, RequestId, RoleName, UserName};

use crate::error::{Error, Unusable};
use crate::log::Level;
use crate::transport::Sockets;

/// All that a hook needs from outside.
pub(crate) trait Host: Transaction + System + Jitd {}

impl<T: Transaction + System + Jitd> Host for T {}

/// The transaction that libpam called us for.
pub(crate) trait Transaction {
    /// An item as it is now: it can change between stages, so it is never kept (pam_get_item(3), never
    /// pam_get_user(3), which may prompt).
    fn item(&self, item: Item) -> Result<Option<Vec<u8>>, Unusable>;
    /// A variable of PAM's own environment (pam_getenv(3)), which the program and the modules write, and not the person's.
    fn variable(&self, name: &CStr) -> Option<Vec<u8>>;
    /// Shows a prompt (PAM_PROMPT_ECHO_ON) and waits for what is typed; none if there is nobody to ask. Ends when the
    /// program likes: LoginGraceTime is sshd's affair.
    fn prompt(&mut self, text: &str) -> Option<Vec<u8>>;
    /// Shows one line to the person as PAM_ERROR_MSG, whether or not that works.
    fn say(&mut self, line: &str);
    /// Writes a line to the system log, as pam_syslog(3) does.
    fn log(&mut self, level: Level, line: &str);
    /// Has the session's scope end after this many seconds, where pam_systemd(8) opens one.
    fn limit_session(&mut self, seconds: u64);
}

/// The kernel, the name service and the disk.
pub(crate) trait System {
    /// The real uid of the process, as getuid(2) tells it.
    fn real_uid(&self) -> u32;
    /// The uid of an account, if the name service knows it. May take as long as the name service does.
    fn uid_of(&self, name: &UserName) -> Option<u32>;
    /// Random bytes for one question.
    fn nonce(&self) -> Result<[u8; NONCE_LEN], Error>;
    /// Leaves a note for jitd that `account` was let in without it. Best effort.
    fn note_recovery(&mut self, service: &str, account: &UserName);
}

/// jitd, over either transport.
pub(crate) trait Jitd {
    /// Asks jitd; back within `limit`. `auth_info` is what sshd says of how somebody was let in.
    fn ask(
        &mut self,
        sockets: &Sockets<'_>,
        question: &Question,
        auth_info: Option<&str>,
        limit: Duration,
    ) -> Result<Answer, Error>;
    /// Asks jitd what the person may ask for; back within `limit`.
    fn options(
        &mut self,
        sockets: &Sockets<'_>,
        asker: &Asker,
        limit: Duration,
    ) -> Result<(login_request::Answer, Vec<login_request::Role>), Error>;
    /// Asks for a role; back within `limit`.
    fn file(
        &mut self,
        sockets: &Sockets<'_>,
        asker: &Asker,
        order: &Order<'_>,
        limit: Duration,
    ) -> Result<login_request::Answer, Error>;
    /// Asks jitd what became of a request; back within `limit`.
    fn progress(
        &mut self,
        sockets: &Sockets<'_>,
        asker: &Asker,
        id: RequestId,
        limit: Duration,
    ) -> Result<login_request::Answer, Error>;
    /// Brings jitd what was typed of an approver's answer; back within `limit`, with lines for the person and how many of
    /// the typed ones are of use yet.
    fn enter(
        &mut self,
        sockets: &Sockets<'_>,
        asker: &Asker,
        id: RequestId,
        typed: &[String],
        limit: Duration,
    ) -> Result<(login_request::Answer, Vec<String>, u32), Error>;
}

/// The PAM items that a question is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    Service,
    User,
    RUser,
    RHost,
    Tty,
}

/// What a person typed, ready to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    pub(crate) role: &'a RoleName,
    pub(crate) time: Duration,
    pub(crate) reason: &'a Reason,
}
