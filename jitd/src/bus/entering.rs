//! What a person who logs in types while their request waits: the code that an approver answered, or the rows of a
//! signature. It is taken as from any terminal; the tries and the shares are those of whoever logs in, never root's.

use jit_core::access::Method;
use jit_core::code::RequestCode;
use jit_core::code::symbols::{Plain, said};
use jit_core::orders::stages::takes;
use jit_core::policy;
use jit_core::sign::typed::Typed;
use jit_core::text::cut;
use jit_proto::duration::Human;
use jit_proto::gate::MAX_TEXT;
use jit_proto::login_request::{MAX_LINES, MAX_TYPED};
use jit_proto::manager::Spoken;
use jit_proto::words::{RequestId, Uid};

use super::codes::{self, By};
use super::{Error, offline};
use crate::app::App;
use crate::clock::since_boot;
use crate::peer::Peer;

/// What came of the lines that were typed.
pub(super) struct Taken {
    /// What the person is told.
    pub(super) told: String,
    /// How many of the lines are of use yet, from the first.
    pub(super) kept: usize,
}

/// Takes lines that `whose` typed at a login for a request of theirs.
pub(super) async fn taken(
    app: &App,
    peer: Peer,
    whose: Uid,
    id: RequestId,
    typed: &[String],
) -> Result<Taken, Error> {
    if typed.len() > MAX_LINES || typed.iter().map(String::len).sum::<usize>() > MAX_TYPED {
        return Err(Error::Invalid(format!("at most {MAX_LINES} lines of {MAX_TYPED} bytes are taken")));
    }
    let only = |told: String| Taken { told, kept: 0 };
    let took = match Typed::of(typed) {
        Err(why) => return Ok(Taken { told: why.to_string(), kept: why.kept(typed.len()) }),
        Ok(Typed::Rows(missing)) => {
            let told = format!("Rows are still missing: {missing}, and what may follow.");
            return Ok(Taken { told, kept: typed.len() });
        }
        Ok(Typed::Signature { request, .. }) if request != id => {
            return Ok(only(format!("This signature is about {request}, and {id} waits here.")));
        }
        Ok(Typed::Code(answer)) => code(app, peer, whose, id, &answer).await,
        Ok(Typed::Signature { rows, .. }) => signature(app, peer, whose, &rows).await,
    };
    match took {
        Ok(()) => Ok(only("This counts.".to_owned())),
        Err(
            Error::Invalid(why)
            | Error::Refused(why)
            | Error::NotPermitted(why)
            | Error::NotFound(why)
            | Error::Busy(why)
            | Error::CarriedOut(why),
        ) => Ok(only(why)),
        Err(err @ (Error::Bus(_) | Error::CannotDecide(_) | Error::Unconfirmed(_) | Error::OnTrial(_))) => {
            Err(err)
        }
    }
}

async fn code(
    app: &App,
    peer: Peer,
    whose: Uid,
    id: RequestId,
    answer: &jit_core::code::Answer,
) -> Result<(), Error> {
    codes::share(app, whose)?;
    let mut by = app.orderer(Method::Enter, peer).await?;
    codes::answered(app, &mut by, By::Login(whose), id, answer).await.map(drop)
}

async fn signature(app: &App, peer: Peer, whose: Uid, rows: &str) -> Result<(), Error> {
    // Root's own are not counted where they are brought, and what brings this one is root's.
    if !whose.is_root() {
        app.importing.take(whose, since_boot())?;
    }
    let mut by = app.orderer(Method::Enter, peer).await?;
    offline::imported(app, &mut by, rows.as_bytes(), b"").await.map(drop)
}

/// What the person reads out, and what they can type; nothing where nothing could be typed that counts.
pub(super) fn told(app: &App, id: RequestId, whose: Uid) -> Result<Vec<String>, Error> {
    let accepts = |method| {
        app.desk.look(|here| here.state.reviewable(id).is_some_and(|pending| takes(here, pending, method)))
    };
    let mut lines = Vec::new();
    if accepts(policy::Method::Code)? && codes::has_keys(app) {
        match codes::spoken(app, id, whose) {
            Ok(told) => match &told.refused {
                None => read_out(&told, &mut lines),
                Some(why) => lines.push(why.clone()),
            },
            // It no longer waits, which the answer says; or the host has no key yet. Neither ends the wait.
            Err(Error::Refused(_) | Error::Busy(_)) => {}
            Err(err) => return Err(err),
        }
    }
    let has_approvers =
        matches!(&*app.signers.known(), Ok((approvers, _)) if approvers.iter().next().is_some());
    if accepts(policy::Method::Signature)? && has_approvers {
        lines.push(
            "The rows of a signature (jitctl offline sign --compact) can be typed here, one by one."
                .to_owned(),
        );
    }
    Ok(lines.into_iter().map(|line| cut(line, MAX_TEXT)).collect())
}

/// As `jitctl code show` shows it.
fn read_out(told: &Spoken, lines: &mut Vec<String>) {
    let Spoken { host, user, role, seconds, start, code, reason, .. } = told;
    lines.push("Read this out to an approver, and type what they answer:".to_owned());
    let mut line = |label: &str, value: &str| lines.push(format!("  {label:<8}{value}"));
    line("host", host);
    line("user", user);
    line("role", role);
    line("for", &Human(std::time::Duration::from_secs(*seconds)).to_string());
    if start != "at-approval" {
        line("starts", start);
    }
    let symbols = RequestCode::parse(code).map(|code| code.symbols()).unwrap_or_default();
    for (number, (group, words)) in symbols.chunks(4).zip(said(&symbols)).enumerate() {
        line(if number == 0 { "code" } else { "" }, &format!("{:<6}{words}", Plain(group).to_string()));
    }
    line("reason", reason);
}
