//! The six hooks of pam_sm_*(3), over a [`Host`] that stands for everything outside them.

use std::ffi::CStr;
use std::time::Duration;

use jit_proto::ask::{self, Asker};
use jit_proto::gate::{Answer, NONCE_LEN, Question, Stage};
use jit_proto::words::{RequestId, UserName};
use pam::constants::{PAM_SILENT, PamFlag, PamResultCode};

use crate::args::{Args, Kind};
use crate::asking::{self, Ended, Order};
use crate::error::{Error, Unusable};
use crate::log::{Level, Line};
use crate::outcome::{self, Outcome};
use crate::question::{self, Asked};
use crate::recovery;
use crate::road::Roads;

/// Everything that a hook reads and does outside itself: the PAM handle, the kernel, the name service and jitd.
pub(crate) trait Host {
    /// An item as it is now: it can change between stages, so it is never kept (pam_get_item(3), never
    /// pam_get_user(3), which may prompt).
    fn item(&self, item: Item) -> Result<Option<Vec<u8>>, Unusable>;
    /// getuid(2).
    fn real_uid(&self) -> u32;
    /// The uid of an account, if the name service knows it. May take as long as the name service does.
    fn uid_of(&self, name: &UserName) -> Option<u32>;
    /// Random bytes for one question.
    fn nonce(&self) -> Result<[u8; NONCE_LEN], Error>;
    /// Asks jitd; back within `limit`.
    fn ask(&mut self, roads: &Roads<'_>, question: &Question, limit: Duration) -> Result<Answer, Error>;
    /// Asks jitd what the person may ask for; back within `limit`.
    fn options(
        &mut self,
        roads: &Roads<'_>,
        asker: &Asker,
        limit: Duration,
    ) -> Result<(ask::Answer, Vec<ask::Role>), Error>;
    /// Asks for a role; back within `limit`.
    fn file(
        &mut self,
        roads: &Roads<'_>,
        asker: &Asker,
        order: &Order<'_>,
        limit: Duration,
    ) -> Result<ask::Answer, Error>;
    /// Asks jitd what became of a request; back within `limit`.
    fn progress(
        &mut self,
        roads: &Roads<'_>,
        asker: &Asker,
        id: RequestId,
        limit: Duration,
    ) -> Result<ask::Answer, Error>;
    /// Shows a prompt (PAM_PROMPT_ECHO_ON) and waits for what is typed; none if there is nobody to ask. Ends when the
    /// program likes: LoginGraceTime is sshd's affair.
    fn prompt(&mut self, text: &str) -> Option<Vec<u8>>;
    /// Leaves a note for jitd that `account` was let in without it. Best effort.
    fn note_recovery(&mut self, service: &str, account: &UserName);
    /// Has the session's scope end after this many seconds, where pam_systemd(8) opens one.
    fn limit_session(&mut self, seconds: u64);
    /// Shows one line to the person as PAM_ERROR_MSG, whether or not that works.
    fn say(&mut self, line: &str);
    /// pam_syslog(3).
    fn log(&mut self, level: Level, line: &str);
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

/// Lets a person ask for a role, where the line says `request`. Whatever comes of it, it admits nobody and refuses
/// nobody: that is for `account` (DESIGN law 2).
pub(crate) fn authenticate(host: &mut impl Host, args: &[&CStr], flags: PamFlag) -> PamResultCode {
    let (ended, debug) = match Args::parse(Kind::Auth, args) {
        Ok(args) => (asking::run(host, &args, flags & PAM_SILENT != 0), args.debug),
        Err(error) => (Ended::Failed(error), false),
    };
    if let Some((level, line)) = ended.log()
        && (level != Level::Debug || debug)
    {
        host.log(level, &line.to_string());
    }
    ended.code()
}

/// There are no credentials to set. Not `PAM_IGNORE`: libpam would call a stack of nothing else a failure.
pub(crate) const fn setcred() -> PamResultCode {
    PamResultCode::PAM_SUCCESS
}

/// Passwords are not ours.
pub(crate) const fn chauthtok() -> PamResultCode {
    PamResultCode::PAM_IGNORE
}

/// The gate (DESIGN law 2).
pub(crate) fn account(host: &mut impl Host, args: &[&CStr], flags: PamFlag) -> PamResultCode {
    gate(host, Stage::Account, args, flags)
}

/// The second gate: decides again, since a client can stall between the two for longer than a window lasts.
pub(crate) fn open_session(host: &mut impl Host, args: &[&CStr], flags: PamFlag) -> PamResultCode {
    gate(host, Stage::Session, args, flags)
}

/// Tells jitd that the session is over. It finds that out by itself, too, so this is short, takes only jitd's own
/// socket, and cannot fail.
pub(crate) fn close_session(host: &mut impl Host, args: &[&CStr]) -> PamResultCode {
    const LIMIT: Duration = Duration::from_millis(500);
    if let Ok(args) = Args::parse(Kind::Gate, args)
        && let Ok(Some(Asked { question, .. })) = question::about(host, Stage::Close, &args)
    {
        let roads = Roads { private: &args.private, bus: None };
        let told = ask(host, &roads, question, LIMIT.min(args.timeout));
        if let Err(error) = told
            && args.debug
        {
            host.log(Level::Debug, &Line::new("not told of the end").field("because", error).to_string());
        }
    }
    PamResultCode::PAM_SUCCESS
}

fn gate(host: &mut impl Host, stage: Stage, args: &[&CStr], flags: PamFlag) -> PamResultCode {
    let (outcome, question, debug) = match Args::parse(Kind::Gate, args) {
        Ok(args) => {
            let (outcome, question) = decide(host, stage, &args);
            (outcome, question, args.debug)
        }
        Err(error) => (Outcome::Failed(error), None, false),
    };

    let (level, line) = outcome.log(question.as_ref());
    if level != Level::Debug || debug {
        host.log(level, &line.to_string());
    }
    if flags & PAM_SILENT == 0
        && let Some(line) = outcome.line()
    {
        host.say(&line);
    }
    outcome.code(stage)
}

/// The outcome, and the question that it answers if there was one to ask.
fn decide(host: &mut impl Host, stage: Stage, args: &Args) -> (Outcome, Option<Question>) {
    let Asked { question, subject } = match question::about(host, stage, args) {
        Ok(Some(asked)) => asked,
        Ok(None) => return (Outcome::RootCaller, None),
        Err(error) => return (Outcome::Failed(error), None),
    };

    let roads = Roads { private: &args.private, bus: Some(&args.bus) };
    let outcome = match ask(host, &roads, question.clone(), args.timeout) {
        Ok(outcome) => outcome,
        Err(error) => match recovery::account(host, &args.recovery, &subject, &error) {
            Some(account) => {
                host.note_recovery(&question.service, account);
                Outcome::Recovered { account: account.clone(), error }
            }
            None => Outcome::Failed(error),
        },
    };
    if stage == Stage::Session
        && let Outcome::Allowed(answer) = &outcome
        && answer.remaining > 0
    {
        host.limit_session(answer.remaining);
    }
    (outcome, Some(question))
}

fn ask(
    host: &mut impl Host,
    roads: &Roads<'_>,
    mut question: Question,
    limit: Duration,
) -> Result<Outcome, Error> {
    question.nonce = host.nonce()?.to_vec();
    let answer = host.ask(roads, &question, limit)?;
    outcome::read(&question, answer)
}

#[cfg(test)]
pub(crate) mod tests;
