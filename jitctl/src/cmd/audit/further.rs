//! Where to look further than jitd's log: what auditd, the journal and sudo have of the sessions of a story.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use jit_core::event::{Event, Record};
use jit_core::model::Login;
use jit_core::time::Utc;
use jit_proto::text::Shown;
use jit_proto::words::UserName;

use crate::error::Error;
use crate::screen::Screen;

/// auditd's reader of its own log, where distributions have it. Root looks no program up by a PATH.
pub(super) const AUSEARCH: [&str; 2] = ["/usr/sbin/ausearch", "/sbin/ausearch"];

/// What auditd records of what somebody ran, or typed.
const KINDS: &str = "EXECVE,USER_CMD,USER_TTY,TTY";

/// The longest line of its that is shown whole.
const LONGEST: u64 = 64 * 1024;

/// What the records of a story say of where to look.
#[derive(Default)]
pub(super) struct Leads {
    /// The audit sessions of its logins, as the kernel numbered them.
    pub(super) sessions: BTreeSet<u32>,
    /// Who used sudo, and from when to when as far as it is known.
    sudo: Vec<(UserName, Utc, Utc)>,
}

impl Leads {
    /// Learns from a record of the story.
    pub(super) fn take(&mut self, record: &Record) {
        let event = &record.event;
        let opener = match event.opening() {
            Some(opening) => opening.opener,
            None => event.leaving().and_then(|(_, past)| past?.opener),
        };
        self.sessions.extend(opener.and_then(|opener| opener.audit));
        let now = record.at.wall;
        if let Event::Allowed { login, .. } = event {
            self.sudo(login, now, now);
        } else if let Some((_, Some(past))) = event.leaving() {
            self.sudo(&past.login, past.opened.wall, now);
        }
    }

    fn sudo(&mut self, login: &Login, from: Utc, to: Utc) {
        if !login.service.as_str().starts_with("sudo") {
            return;
        }
        match self.sudo.iter_mut().find(|(user, ..)| *user == login.user) {
            Some((_, first, last)) => (*first, *last) = (from.min(*first), to.max(*last)),
            None => self.sudo.push((login.user.clone(), from, to)),
        }
    }

    /// The commands that tell more.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if !self.sessions.is_empty() {
            text += "\nTo look further, where auditd runs, and in the journal:\n";
        }
        for session in &self.sessions {
            text += &format!(
                "  ausearch --session {session} --interpret\n  journalctl _AUDIT_SESSION={session}\n"
            );
        }
        if !self.sudo.is_empty() {
            text += "\nWhere sudo keeps what was seen and typed, by the id that it gives as TSID:\n";
        }
        for (user, from, to) in &self.sudo {
            // A second before and behind: sudo's times are whole ones.
            let [from, to] = [from.whole_seconds(), to.plus(SECOND)].map(sudos);
            text +=
                &format!("  sudoreplay -l user {} fromdate '{from}' todate '{to}'\n", Shown(user.as_str()));
        }
        text
    }
}

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

/// A time as sudoreplay(8) reads it.
fn sudos(time: Utc) -> String {
    time.to_seconds().replace('T', " ").replace('Z', " UTC")
}

/// Shows what auditd recorded of these sessions, by the first of the programs that is there. Whatever was run or typed in
/// a session comes out as text that does nothing.
pub(super) fn commands(
    sessions: &BTreeSet<u32>,
    programs: &[&str],
    screen: &mut Screen<'_>,
) -> Result<(), Error> {
    let Some(program) = programs.iter().find(|program| Path::new(program).exists()) else {
        screen.say(
            "jitctl: what was run in these sessions is not known: there is no ausearch here\n\
             hint: auditd records it, once it is installed and has rules for execve: auditctl(8)",
        );
        return Ok(());
    };
    for session in sessions {
        screen.data(&format!("\nWhat auditd has of audit session {session}:\n"))?;
        if !of_session(*session, program, screen)? {
            screen.data("  nothing\n")?;
        }
    }
    Ok(())
}

/// Whether there was anything.
fn of_session(session: u32, program: &str, screen: &mut Screen<'_>) -> Result<bool, Error> {
    let failed = |why: std::io::Error| Error::Usage(format!("{program} cannot be run ({why})"));
    let mut child = Command::new(program)
        .args(["--session", &session.to_string(), "--message", KINDS, "--interpret", "--input-logs"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut has_any = false;
    if let Some(out) = child.stdout.take() {
        let mut out = BufReader::new(out);
        let mut line = Vec::new();
        loop {
            line.clear();
            match out.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(why) if why.kind() == ErrorKind::Interrupted => continue,
                Err(why) => return Err(failed(why)),
            }
            let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned();
            if text.is_empty() || text == "----" {
                continue;
            }
            has_any = true;
            screen.data(&format!("  {}\n", Shown(&text)))?;
            if screen.is_unread() {
                break;
            }
        }
    }
    let ended = child.wait().map_err(failed)?;
    // 1 is also that nothing matches.
    if !has_any && !matches!(ended.code(), Some(0 | 1)) {
        screen.say(&format!("jitctl: {program} failed ({ended}): only root can read what auditd has"));
    }
    Ok(has_any)
}
