//! The six hooks of pam_sm_*(3), over a [`Host`] that stands for everything outside them.

use std::ffi::CStr;
use std::time::Duration;

use jit_proto::gate::{Question, Stage};
use pam::constants::{PAM_SILENT, PamFlag, PamResultCode};

use crate::args::{Args, Kind};
use crate::auth_conversation::{self, Ended};
use crate::error::Error;
use crate::log::{Level, Line};
use crate::outcome::{self, Outcome};
use crate::outside::Host;
use crate::question::{self, Asked};
use crate::recovery;
use crate::transport::Sockets;

/// Lets a person ask for a role, where the line says `request`. Whatever comes of it, it admits nobody and refuses
/// nobody: that is for `account` (DESIGN law 2).
pub(crate) fn authenticate(host: &mut impl Host, args: &[&CStr], flags: PamFlag) -> PamResultCode {
    let (ended, debug) = match Args::parse(Kind::Auth, args) {
        Ok(args) => (auth_conversation::run(host, &args, flags & PAM_SILENT != 0), args.debug),
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
        let sockets = Sockets { private: &args.private, bus: None };
        let told = ask(host, &sockets, question, None, LIMIT.min(args.timeout));
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
    let Asked { question, auth_info, subject } = match question::about(host, stage, args) {
        Ok(Some(asked)) => asked,
        Ok(None) => return (Outcome::RootCaller, None),
        Err(error) => return (Outcome::Failed(error), None),
    };

    let sockets = Sockets { private: &args.private, bus: Some(&args.bus) };
    let outcome = match ask(host, &sockets, question.clone(), auth_info.as_deref(), args.timeout) {
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
    sockets: &Sockets<'_>,
    mut question: Question,
    auth_info: Option<&str>,
    limit: Duration,
) -> Result<Outcome, Error> {
    question.nonce = host.nonce()?.to_vec();
    let answer = host.ask(sockets, &question, auth_info, limit)?;
    outcome::read(&question, answer)
}

#[cfg(test)]
pub(crate) mod tests;
