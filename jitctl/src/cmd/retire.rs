//! `jitctl retire`: a host that goes out of service. It is locked, what is open ends, its log goes into a file that is verified,
//! and the last checkpoint is printed to be kept. Done again, it does what is left.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jit_core::model::Scope;
use jit_host::doctor::Seen;
use jit_proto::audit::Checkpoint;
use jit_proto::manager::{Entry, Lock, Session, Status};
use jit_proto::words::Reason;
use serde::Serialize;

use super::audit::{self, read::named};
use super::session;
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::prompts;
use crate::screen::Screen;
use crate::times::{Stopwatch, time};
use crate::views::{self, plural};

/// Take this host out of service: lock it, end what is open, and take its log and last checkpoint along
///
/// The lock stays. The log is exported to a file and verified there, and the checkpoint is printed, to be kept elsewhere. For
/// root and admins; type it where no window let you in. Typed again it does what is left.
#[derive(Debug, Args)]
pub(crate) struct Retire {
    /// Why; it is what those who are refused are told, and kept in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,
    /// The file that the log is written to; it must not be there [default: jitd-HOST-RECORDS.jsonl here]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Show the checkpoint as a QR code, too, for a terminal of 35 lines
    #[arg(long)]
    qr: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// How long sessions have to end: what their roles give them, which is half an hour at most, is not waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(500);

/// What people are told who come where no reason was given.
const MESSAGE: &str = "this host is taken out of service";

/// What was done. The fields are those of the JSON in jitctl(1).
#[derive(Serialize)]
struct Retired {
    lock: Lock,
    ended: usize,
    left: Vec<u64>,
    file: String,
    verified: bool,
    checkpoint: Checkpoint,
    next: Vec<String>,
}

pub(crate) fn run(
    order: &Retire,
    json: bool,
    jitd: &dyn Jitd,
    root: &Path,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    if order.qr && json {
        return Err(Error::Usage("a picture is no JSON: leave --qr or --json out".to_owned()).into());
    }
    let status: Status = jitd::ask(jitd, &Call::Status)?;
    let sessions: Vec<Session> = jitd::ask(jitd, &Call::Sessions)?;
    may_go_on(root, &sessions)?;
    if !order.yes && !is_meant(&status, &sessions, jitd, screen)? {
        screen.say("Nothing was changed.");
        return Ok(Outcome::No);
    }
    let lock = match status.locks.iter().find(|lock| lock.scope == "host" && lock.until.is_none()) {
        Some(lock) => lock.clone(),
        None => jitd::ask(jitd, &locking(order)?)?,
    };
    // Somebody may have come while it was asked.
    let ending: Vec<Session> = jitd::ask(jitd, &Call::Sessions)?;
    let left = wait_for_the_end(ending.len(), jitd, screen)?;
    let made: Checkpoint = jitd::ask(jitd, &Call::AuditCheckpoint)?;
    let file = order.to.clone().unwrap_or_else(|| default_name(&made));
    let verified = export(&file, jitd, screen)?;
    let retired = Retired {
        lock,
        ended: ending.iter().filter(|one| !left.contains(&one.id)).count(),
        left,
        file: named(&file),
        verified,
        next: next(root),
        // One that the file can be held against: a later one covers what is not in it.
        checkpoint: made,
    };
    let outcome = give(&retired, json, screen, view)?;
    if order.qr {
        audit::draw(&retired.checkpoint.note, screen)?;
    }
    audit::has_left(&retired.checkpoint, jitd, screen);
    Ok(outcome)
}

/// Whoever came by a window would be put out by the lock, before the log is in a file.
fn may_go_on(root: &Path, sessions: &[Session]) -> Result<(), Error> {
    let own = fs::read_to_string(root.join("proc/self/sessionid")).ok();
    let own: Option<u32> = own.and_then(|text| text.trim().parse().ok());
    // A session of sudo's or su's has no audit session of its own, and ends with the scope that it runs in.
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let runs_in = |unit: &String| groups.lines().any(|line| line.split('/').any(|part| part == unit));
    let is_own =
        |one: &&Session| (own.is_some() && one.audit == own) || one.unit.as_ref().is_some_and(runs_in);
    let Some(one) = sessions.iter().find(is_own) else { return Ok(()) };
    Err(Error::Refused(format!(
        "this login came in by a window ({}), which the lock ends; type it at the console, or in a login that policy exempts",
        one.grant
    )))
}

/// Says what it ends, and asks.
fn is_meant(
    status: &Status,
    sessions: &[Session],
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<bool, Failure> {
    if !screen.can_ask() {
        let text = "nothing was changed; to retire this host without being asked, add --yes".to_owned();
        return Err(Error::Refused(text).into());
    }
    screen.say("It locks the host for everybody but whom policy exempts, until somebody unlocks it.");
    let mut windows: Vec<Entry> = jitd::ask(jitd, &Call::List { all: false })?;
    windows.retain(views::is_open);
    if !windows.is_empty() {
        screen.say(&format!("Windows that it ends:\n{}", views::table(windows.iter(), true).trim_end()));
    }
    if !sessions.is_empty() {
        screen.say(&format!("Sessions that it ends:\n{}", session::table(sessions, true).trim_end()));
    }
    if let Some(records) = status.audit_records {
        screen.say(&format!("The log of {records} records is written to a file."));
    }
    Ok(prompts::yes(screen, "Retire this host?", false))
}

fn locking(order: &Retire) -> Result<Call, Error> {
    let message = match &order.reason {
        Some(reason) => reason.clone(),
        None => MESSAGE.parse().map_err(|_| Error::Usage("it takes --reason TEXT".to_owned()))?,
    };
    Ok(Call::Lock { scope: Scope::Host, message: Some(message), seconds: 0, unknown: false })
}

/// Waits until nobody is in by a window any more; the numbers of the sessions that are.
fn wait_for_the_end(before: usize, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Vec<u64>, Failure> {
    if before == 0 {
        return Ok(Vec::new());
    }
    screen.say(&format!("jitctl: {} to end", plural(before, "session")));
    let waited = Stopwatch::start();
    loop {
        let sessions: Vec<Session> = jitd::ask(jitd, &Call::Sessions)?;
        if sessions.is_empty() || waited.passed() >= PATIENCE {
            return Ok(sessions.iter().map(|session| session.id).collect());
        }
        std::thread::sleep(LOOK);
    }
}

/// The host's name and the length of its log: another run writes another file.
fn default_name(made: &Checkpoint) -> PathBuf {
    let host = made.key.split("/jitd+").next().unwrap_or("host");
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let host: String = host.chars().filter(is_plain).collect();
    PathBuf::from(format!("jitd-{host}-{}.jsonl", made.size))
}

/// Writes the log to a file that was not there, and verifies what is in it.
fn export(path: &Path, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<bool, Failure> {
    let failed = |why: &io::Error| {
        Error::Usage(format!(
            "the log cannot be written to {} ({why})\nThe host is locked, and nothing else was lost.\nhint: name another \
             file with: jitctl retire --to FILE",
            named(path)
        ))
    };
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = made.map_err(|why| failed(&why))?;
    let mut said = Vec::new();
    let exported = audit::export_all(jitd, &mut Screen::new(&mut file, &mut said, false));
    let synced = file.flush().and_then(|()| file.sync_all());
    for line in String::from_utf8_lossy(&said).lines().filter(|line| !line.contains("next time, go on with"))
    {
        screen.say(line);
    }
    // Half a log is none.
    if let Err(why) = exported.and_then(|_| Ok(synced.map_err(|why| failed(&why))?)) {
        drop(fs::remove_file(path));
        return Err(why);
    }
    let (mut found, mut said) = (Vec::new(), Vec::new());
    let verified = audit::verify_file(path, jitd, &mut Screen::new(&mut found, &mut said, false))?;
    if verified == Outcome::No {
        screen.say(String::from_utf8_lossy(&found).trim_end());
        screen.say(String::from_utf8_lossy(&said).trim_end());
    }
    Ok(verified == Outcome::Yes)
}

/// What is left to do by hand.
fn next(root: &Path) -> Vec<String> {
    let seen = Seen::gather(root);
    let services: Vec<&str> =
        seen.asking().map(|(name, _)| name).filter(|name| !name.starts_with("jit-kiosk")).collect();
    let mut next = Vec::new();
    if !services.is_empty() {
        next.push(format!("jitctl disable {}", services.join(" ")));
    }
    next.push("apt-get purge pam-jit".to_owned());
    next
}

fn view(retired: &Retired) -> View {
    let mut view = View::yes(retired.checkpoint.note.clone());
    if !retired.left.is_empty() || !retired.verified {
        view.outcome = Outcome::No;
    }
    let Retired { lock, ended, left, file, verified, next, .. } = retired;
    view.said.push(format!("jitctl: the host is locked since {}", time(&lock.at)));
    if *ended > 0 {
        view.said.push(format!("jitctl: {} ended", plural(*ended, "session")));
    }
    if !left.is_empty() {
        let ids: Vec<String> = left.iter().map(u64::to_string).collect();
        view.said.push(format!(
            "jitctl: still in: {}\nhint: end each with: jitctl session end ID; then: jitctl retire",
            ids.join(", ")
        ));
    }
    let whole = if *verified { "verified" } else { "NOT WHOLE: see jitctl audit verify" };
    view.said.push(format!("jitctl: the log is in {file}, {whole}"));
    view.said.push(
        "Keep that file and the checkpoint above somewhere else: jitctl audit verify --checkpoint holds one against the other."
            .to_owned(),
    );
    view.said.push(format!(
        "Then, to leave nothing here; once our lines are out of the PAM files, jitd keeps nobody out:\n{}",
        indented(next)
    ));
    view
}

fn indented(commands: &[String]) -> String {
    let lines: Vec<String> = commands.iter().map(|command| format!("    {command}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::session::tests::session;

    #[test]
    fn nobody_retires_the_host_from_what_the_lock_would_end() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("proc/self");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("sessionid"), "77\n").unwrap();
        fs::write(own.join("cgroup"), "0::/user.slice/user-1001.slice/jit-5-700.scope\n").unwrap();
        let of = |audit, unit: &str| Session { audit, unit: Some(unit.to_owned()), ..session() };
        let by_window = |one: Session| {
            may_go_on(root.path(), &[one]).is_err_and(|why| why.to_string().contains("by a window"))
        };
        assert!(by_window(of(Some(77), "session-9.scope")));
        // What sudo opened inside another login has no audit session of its own.
        assert!(by_window(of(None, "jit-5-700.scope")));
        for other in [of(Some(78), "session-9.scope"), of(None, "jit-5-70.scope")] {
            assert!(may_go_on(root.path(), &[other]).is_ok());
        }
    }
}
