//! `offline sign`: what is asked is shown as its reader has parsed it, and what is signed is those exact bytes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use jit_core::digest::Digest;
use jit_core::model::{Decision, Narrow};
use jit_core::sign::any::AnyText;
use jit_core::sign::compact;
use jit_core::sign::file::RequestFile;
use jit_core::sign::kind::{Kind, SignedText as _};
use jit_core::sign::sshsig::Signature;
use jit_core::sign::statement::{Signable, Statement};
use jit_core::sign::{MAX_TEXT, NAMESPACE};
use jit_proto::text::{Shown, Typed};
use jit_proto::words::{Reason, ServiceName};

use super::files::{bounded, usage};
use super::home::Home;
use super::met;
use super::typed::{Form, is_stdin, rows, stdin};
use super::words;
use crate::error::Error;
use crate::fresh::write_new;
use crate::output::Outcome;
use crate::prompts::yes;
use crate::screen::Screen;

/// What is said instead of a plain yes.
pub(super) struct Less<'a> {
    pub(super) deny: Option<&'a Reason>,
    /// What is written with an approval.
    pub(super) note: Option<&'a Reason>,
    pub(super) seconds: Option<u64>,
    pub(super) services: &'a [ServiceName],
}

pub(super) fn run(
    path: Option<&Path>,
    key: &Path,
    less: &Less<'_>,
    sure: bool,
    known: Option<&Path>,
    form: Form,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Error> {
    let Some(text) = read(path, screen)? else {
        screen.say("jitctl: nothing was signed");
        return Ok(Outcome::No);
    };
    let path = path.unwrap_or(Path::new("-"));
    let file = match text {
        Read::Request(file) => *file,
        Read::Statement(text) if less.is_none() && !form.is_shown() => {
            return statement(path, &text, key, sure, screen);
        }
        Read::Statement(text) => {
            let what = format!(
                "a {} is signed as it is, and goes as a file; leave the other options out",
                text.kind().word()
            );
            return Err(usage(path, &what));
        }
    };
    // Of what is shown the host writes the text again, and would not know which checkpoint was in it.
    let asked = if form.is_shown() { RequestFile { checkpoint: None, ..file.clone() } } else { file.clone() };
    let text = less.text(&asked);
    let approves = text.says().decision == Decision::Approve;
    // Printable ASCII, as it is signed.
    screen.say(asked.text().trim_end());
    if let Signable::Statement(statement) = &text {
        screen.say(&format!("\nYou would sign:\n{}", statement.text().trim_end()));
    }
    let home = Home::of(known)?;
    if let Some(why) = met::refuses(path, &file, &home, sure, screen)? {
        screen.say(&format!("jitctl: nothing was signed: {why}"));
        return Ok(Outcome::No);
    }
    let question = if approves { "Sign an approval of this?" } else { "Sign a denial of this?" };
    if !is_sure(question, sure, screen)? {
        return Ok(Outcome::No);
    }
    let exact = text.text();
    let signature = signed(key, NAMESPACE, &exact)?;
    if form.is_shown() {
        let failed = |why: &dyn std::fmt::Display| Error::Usage(why.to_string());
        let made = Signature::parse(signature.as_bytes()).map_err(|why| failed(&why))?;
        let rows = compact::signature(&text, &made).map_err(|why| failed(&why))?;
        form.show(&rows, screen)?;
        screen.say(&format!("hint: on {}, anybody types it into: jitctl offline import", file.host));
        return Ok(Outcome::Yes);
    }
    let out = place(path, &file, approves, &signature);
    write_new(&out, &format!("{exact}{signature}"))?;
    let shown = out.display().to_string();
    screen.data(&format!("Wrote {}.\n", Shown(&shown)))?;
    screen.say(&format!("hint: on {}, anybody types: jitctl offline import {}", file.host, Typed(&shown)));
    Ok(Outcome::Yes)
}

/// Whether somebody has said yes.
fn is_sure(question: &str, sure: bool, screen: &mut Screen<'_>) -> Result<bool, Error> {
    if sure {
        return Ok(true);
    }
    if !screen.can_ask() {
        return Err(Error::Usage("nobody can be asked here; to sign all the same, add --yes".to_owned()));
    }
    let said = yes(screen, question, false);
    if !said {
        screen.say("jitctl: nothing was signed");
    }
    Ok(said)
}

/// A statement is signed as it is.
fn statement(
    path: &Path,
    text: &AnyText,
    key: &Path,
    sure: bool,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Error> {
    let exact = text.text();
    screen.say(exact.trim_end());
    let kind = text.kind();
    let (said, question) = match text {
        AnyText::Grant(grant) => (words::of_grant(grant), "Sign this grant?"),
        AnyText::Revoke(revoke) => (words::of_revoke(revoke), "Sign this revoke?"),
        AnyText::Lock(lock) => (words::of_lock(lock), "Sign this lock?"),
        AnyText::Clock(clock) => (words::of_clock(clock), "Sign that this is the time?"),
        AnyText::Review(_) => return Err(usage(path, "it is an answer to a request, and not the request")),
    };
    screen.say(&format!("\n{said}"));
    if !is_sure(question, sure, screen)? {
        return Ok(Outcome::No);
    }
    let signature = signed(key, kind.namespace(), &exact)?;
    let digest = Digest::of(signature.as_bytes()).to_string();
    let stem = path.file_stem().map_or_else(|| kind.word().to_owned(), |stem| stem.display().to_string());
    let stem = if is_stdin(path) { kind.word().to_owned() } else { stem };
    let out = path.with_file_name(format!("{stem}.{}.signed", digest.get(..8).unwrap_or_default()));
    write_new(&out, &format!("{exact}{signature}"))?;
    let shown = out.display().to_string();
    screen.data(&format!("Wrote {}.\n", Shown(&shown)))?;
    screen.say(&format!(
        "hint: on each host that it is for, anybody types: jitctl offline import {}",
        Typed(&shown)
    ));
    Ok(Outcome::Yes)
}

/// What is to be signed.
enum Read {
    Request(Box<RequestFile>),
    Statement(Box<AnyText>),
}

/// From a file, from rows, or from a person who types these. None where they leave.
fn read(path: Option<&Path>, screen: &mut Screen<'_>) -> Result<Option<Read>, Error> {
    let parsed = |text: &str| compact::parse_request(text);
    let (path, bytes) = match path {
        None if screen.can_ask() => {
            let Some(text) = rows(screen, |text| parsed(text).map(drop))? else { return Ok(None) };
            (Path::new("-"), text.into_bytes())
        }
        None => (Path::new("-"), stdin()?),
        Some(path) if is_stdin(path) => (path, stdin()?),
        Some(path) => (path, bounded(path, 2 * MAX_TEXT)?),
    };
    if matches!(Kind::of(&bytes), Some(Kind::Grant | Kind::Revoke | Kind::Lock | Kind::Clock)) {
        let text = AnyText::parse(&bytes).map_err(|why| usage(path, &why.to_string()))?;
        return Ok(Some(Read::Statement(Box::new(text))));
    }
    let file = if compact::may_be(&bytes) {
        parsed(&String::from_utf8_lossy(&bytes)).map_err(|why| usage(path, &why.to_string()))
    } else {
        RequestFile::parse(&bytes).map_err(|why| usage(path, &why.to_string()))
    };
    Ok(Some(Read::Request(Box::new(file?))))
}

impl Less<'_> {
    pub(super) fn is_none(&self) -> bool {
        self.deny.is_none() && self.note.is_none() && self.seconds.is_none() && self.services.is_empty()
    }

    fn text(&self, file: &RequestFile) -> Signable {
        let narrow = Narrow {
            duration: self.seconds.map(Duration::from_secs),
            services: (!self.services.is_empty()).then(|| self.services.iter().cloned().collect()),
            uses: None,
        };
        let (decision, note) = match self.deny {
            Some(reason) => (Decision::Deny, Some(reason.clone())),
            None if self.is_none() => return Signable::File(Box::new(file.clone())),
            None => (Decision::Approve, self.note.cloned()),
        };
        Signable::Statement(Box::new(Statement::about(file, decision, narrow, note)))
    }
}

/// Has ssh-keygen sign, which asks for a passphrase or a touch itself.
pub(super) fn signed(key: &Path, namespace: &'static str, text: &str) -> Result<String, Error> {
    let failed = |why: &str| Error::Usage(format!("ssh-keygen did not sign: {why}"));
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-n", namespace, "-f"]).arg(key);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|why| failed(&why.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that has said no before it read is told by its status.
        drop(stdin.write_all(text.as_bytes()));
    }
    let output = child.wait_with_output().map_err(|why| failed(&why.to_string()))?;
    if !output.status.success() {
        return Err(failed("see what it says above"));
    }
    let signature = Signature::parse_for(namespace, &output.stdout)
        .map_err(|why| failed(&format!("what it wrote does not count: {why}")))?;
    if !signature.is_over(text.as_bytes()) {
        return Err(failed("what it wrote is no signature of this"));
    }
    if signature.presence().is_some_and(|presence| !presence.touched()) {
        return Err(failed(
            "the key was made without a touch (no-touch-required), and such a signature does not count",
        ));
    }
    Ok(signature.to_string())
}

/// Beside the request, with a name of its own for each signature: those of several people lie side by side.
fn place(path: &Path, file: &RequestFile, approves: bool, signature: &str) -> PathBuf {
    let word = if approves { "approve" } else { "deny" };
    let digest = Digest::of(signature.as_bytes()).to_string();
    path.with_file_name(format!("{}.{word}.{}.signed", file.request, digest.get(..8).unwrap_or_default()))
}
