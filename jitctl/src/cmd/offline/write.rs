//! `offline grant`, `revoke`, `lock` and `clock`: texts that people write of themselves, on any machine, for 'offline sign' to
//! sign. None of them counts before that.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jit_core::model::{Behind, Scope, Serial};
use jit_core::sign::any::AnyText;
use jit_core::sign::clock::{Challenge, ClockStatement};
use jit_core::sign::grant::{self, GrantStatement};
use jit_core::sign::hosts::Hosts;
use jit_core::sign::kind::SignedText;
use jit_core::sign::lock::LockStatement;
use jit_core::sign::revoke::{self, RevokeStatement, What};
use jit_core::sign::{MAX_SIGNATURE, MAX_TEXT};
use jit_core::time::Utc;
use jit_proto::text::{Shown, Typed};
use jit_proto::words::{Reason, RoleName, ServiceName, UserName};

use super::files::{Signed, bounded, usage};
use super::typed::{is_stdin, stdin};
use crate::error::Error;
use crate::fresh::write_new;
use crate::output::Outcome;
use crate::screen::Screen;
use crate::times::now;
use crate::times::typed::When;
use crate::values::{Id, seconds};

/// Write a grant ahead of time, for approvers to sign
///
/// Whoever comes to one of the hosts brings the signed grant with them, and is let in there once, as if they had asked and
/// been approved: by the role, and by as many signatures as its stages ask for. Nothing counts before it is signed.
#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// The account that it lets in
    user: UserName,
    /// The role that it opens
    #[arg(long)]
    role: RoleName,
    /// The hosts that it is for: names, and groups of hosts behind an @, with commas between
    #[arg(long, value_parser = hosts)]
    hosts: Hosts,
    /// Only the host with this key (the fingerprint that 'jitctl status' shows there)
    #[arg(long, value_name = "FINGERPRINT")]
    host_key: Option<String>,
    /// The human who comes by the account, where several share it; they never sign it themselves
    #[arg(long, value_name = "NAME")]
    person: Option<Behind>,
    /// For how long the window is open, such as 90m [default: as the role says]
    #[arg(long = "for", value_name = "DURATION", value_parser = seconds)]
    seconds: Option<u64>,
    /// Only these services, with commas between
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    services: Vec<ServiceName>,
    /// At most so many logins
    #[arg(long, value_name = "NUMBER")]
    uses: Option<NonZeroU32>,
    /// From when on it may be brought [default: now]
    #[arg(long, value_name = "TIME")]
    not_before: Option<When>,
    /// Until when, at most 7 days from now; the window is over by then [default: a day after --not-before]
    #[arg(long, value_name = "TIME")]
    not_after: Option<When>,
    /// Why; one line, kept in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
    #[command(flatten)]
    to: To,
}

/// Write a revoke, for an approver or an admin to sign
///
/// It ends a window, takes back what waits, and keeps a grant that has not come yet from ever opening anything. It counts
/// while a host's clock is suspect, too.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// A grant: its file, signed or not, or its serial; or a request (r-… or g-…) of one host
    what: String,
    /// The hosts that it is for; '*' is all [default: those of the grant's file, or all]
    #[arg(long, value_parser = hosts)]
    hosts: Option<Hosts>,
    /// Until when it is taken, at most 30 days from now [default: 30 days from now]
    #[arg(long, value_name = "TIME")]
    not_after: Option<When>,
    /// Why; one line, kept in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,
    #[command(flatten)]
    to: To,
}

/// Write a lock for several hosts, for an admin to sign
///
/// It does what 'jitctl lock' does, once on each host. Nothing signed lifts it: an admin does, on the host.
#[derive(Debug, Args)]
pub(crate) struct Lock {
    /// What to lock: host, or user:, group:, service: or role: and a name
    scope: Scope,
    /// The hosts that it is for; '*' is all
    #[arg(long, value_parser = hosts)]
    hosts: Hosts,
    /// Until when it holds [default: until somebody lifts it]
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// Until when it is taken, at most 30 days from now [default: 7 days from now]
    #[arg(long, value_name = "TIME")]
    not_after: Option<When>,
    /// What people who are refused are told
    #[arg(long, value_name = "TEXT")]
    message: Option<Reason>,
    #[command(flatten)]
    to: To,
}

/// Write the answer to a host that asks what time it is, for an admin to sign
///
/// CHALLENGE is what 'jitctl clock challenge' printed on that host. The answer has the time of this machine's clock: look at
/// it first.
#[derive(Debug, Args)]
pub(crate) struct Clock {
    /// The challenge: a file, or - for standard input
    challenge: PathBuf,
    /// Why; one line, kept in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,
    #[command(flatten)]
    to: To,
}

/// Where the text goes.
#[derive(Debug, Args)]
pub(crate) struct To {
    /// The file to write, which must not be there yet [default: named by what it is, in this folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn hosts(text: &str) -> Result<Hosts, String> {
    let form = "names of hosts, and groups of hosts behind an @, with commas between; or '*' alone for all";
    Hosts::parse(text).ok_or_else(|| format!("hosts are {form}"))
}

impl To {
    /// Writes the one form of a text, or says what is wrong with it.
    fn write(&self, text: &impl SignedText, name: &str, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
        let exact = text.text();
        AnyText::parse(exact.as_bytes())
            .map_err(|why| Error::Usage(format!("such a text counts nowhere: {why}")))?;
        let path = self.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.statement")));
        write_new(&path, &exact)?;
        let shown = path.display().to_string();
        screen.data(&format!("Wrote {}.\n", Shown(&shown)))?;
        screen.say(&format!(
            "hint: it counts once it is signed: jitctl offline sign {} --key KEY",
            Typed(&shown)
        ));
        Ok(Outcome::Yes)
    }
}

/// The moment of an option. What was typed is said with its zone: the text has it in UTC.
fn utc(option: &str, typed: Option<&When>, screen: &mut Screen<'_>) -> Result<Option<Utc>, Error> {
    let Some(typed) = typed else { return Ok(None) };
    let at = typed.utc().map_err(|why| Error::Usage(why.to_string()))?.whole_seconds();
    screen.say(&typed.repeated(option, at));
    Ok(Some(at))
}

fn serial() -> Result<Serial, Error> {
    let mut bytes = [0; 16];
    let random = getrandom::fill(&mut bytes);
    random
        .map_err(|why| Error::Usage(format!("the system gives no random bytes ({why}); nothing was made")))?;
    Ok(Serial::from_bytes(bytes))
}

/// As much of it as tells files apart.
fn short(text: &impl ToString) -> String {
    text.to_string().chars().take(10).collect()
}

pub(super) fn grant(args: &Grant, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let issued = now().whole_seconds();
    let not_before = utc("--not-before", args.not_before.as_ref(), screen)?.unwrap_or(issued);
    let not_after = utc("--not-after", args.not_after.as_ref(), screen)?;
    let latest = issued.plus(grant::LONGEST);
    let not_after = not_after.unwrap_or_else(|| not_before.plus(Duration::from_hours(24)).min(latest));
    let text = GrantStatement {
        serial: serial()?,
        hosts: args.hosts.clone(),
        host_key: args.host_key.clone(),
        user: args.user.clone(),
        behind: args.person.clone(),
        role: args.role.clone(),
        services: (!args.services.is_empty()).then(|| args.services.iter().cloned().collect()),
        uses: args.uses,
        duration: args.seconds.map(Duration::from_secs),
        issued,
        not_before,
        not_after,
        reason: args.reason.clone(),
    };
    args.to.write(&text, &format!("grant-{}", short(&text.serial)), screen)
}

pub(super) fn revoke(args: &Revoke, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let (revokes, of_file) = revoked(&args.what)?;
    let all = Hosts::parse("*").ok_or_else(|| Error::Usage("no hosts".to_owned()))?;
    let issued = now().whole_seconds();
    let text = RevokeStatement {
        hosts: args.hosts.clone().or(of_file).unwrap_or(all),
        host_key: None,
        revokes,
        issued,
        not_after: utc("--not-after", args.not_after.as_ref(), screen)?
            .unwrap_or_else(|| issued.plus(revoke::LONGEST)),
        reason: args.reason.clone(),
    };
    args.to.write(&text, &format!("revoke-{}", short(&revokes)), screen)
}

/// What is named, and the hosts of the grant where that is a file.
fn revoked(what: &str) -> Result<(What, Option<Hosts>), Error> {
    if let Ok(id) = what.parse::<Id>() {
        return Ok((
            What::Request(match id {
                Id::Request(id) => id,
                Id::Grant(id) => id.into(),
            }),
            None,
        ));
    }
    if let Ok(serial) = what.parse() {
        return Ok((What::Serial(serial), None));
    }
    let path = Path::new(what);
    let bytes = bounded(path, 2 * (MAX_TEXT + MAX_SIGNATURE))?;
    let text = Signed::split(bytes.clone()).map_or(bytes, |signed| signed.text);
    let grant = GrantStatement::parse(&text).map_err(|why| usage(path, &format!("it is no grant: {why}")))?;
    Ok((What::Serial(grant.serial), Some(grant.hosts)))
}

pub(super) fn lock(args: &Lock, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let issued = now().whole_seconds();
    let text = LockStatement {
        serial: serial()?,
        hosts: args.hosts.clone(),
        host_key: None,
        scope: args.scope.clone(),
        until: utc("--until", args.until.as_ref(), screen)?,
        issued,
        not_after: utc("--not-after", args.not_after.as_ref(), screen)?
            .unwrap_or_else(|| issued.plus(Duration::from_hours(24 * 7))),
        message: args.message.clone(),
    };
    args.to.write(&text, &format!("lock-{}", short(&text.serial)), screen)
}

pub(super) fn clock(args: &Clock, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let path = &args.challenge;
    let bytes = if is_stdin(path) { stdin()? } else { bounded(path, MAX_TEXT)? };
    let challenge =
        Challenge::parse(&bytes).map_err(|why| usage(path, &format!("it is no challenge: {why}")))?;
    let text = ClockStatement::answer(challenge, now(), args.reason.clone());
    args.to.write(&text, &format!("clock-{}", text.host), screen)
}
