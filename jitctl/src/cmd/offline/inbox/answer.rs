//! Answers to requests: those that lie in the exchange already, and those that the approver gives now.

use std::collections::HashMap;

use jit_core::digest::Digest;
use jit_core::model::{Decision, Narrow};
use jit_core::sign::NAMESPACE;
use jit_core::sign::file::RequestFile;
use jit_core::sign::sshsig::Signature;
use jit_core::sign::statement::{Signable, Statement};
use jit_exchange::folder::Exchange;
use jit_exchange::names::{Name, Part};
use jit_proto::text::Typed;
use jit_proto::words::{HostName, Reason, RequestId};

use super::super::by::By;
use super::super::files::Signed;
use super::super::home::wrong;
use super::super::sign::signed;
use super::item::{Answer, Item};
use crate::error::Error;
use crate::prompts::{until, yes};
use crate::screen::Screen;
use crate::times::now;

/// What an answer is about: a request, in one file of it. The nonce is of no other.
type About = (HostName, RequestId, Digest, String);

/// The answers in an exchange that are not over, by the file that they are about.
#[derive(Default)]
pub(super) struct Answers(HashMap<About, Vec<Answer>>);

impl Answers {
    /// Those to one file. Whether a host counts them, it alone can say: it knows who approves.
    pub(super) fn of(&self, file: &RequestFile) -> Vec<Answer> {
        self.0
            .get(&(file.host.clone(), file.request, file.digest, file.nonce.to_string()))
            .cloned()
            .unwrap_or_default()
    }
}

pub(super) fn read(exchange: &Exchange, screen: &mut Screen<'_>) -> Result<Answers, Error> {
    let mut found: HashMap<_, Vec<Answer>> = HashMap::new();
    let Some(folder) = exchange.folder(Part::Statements, None).map_err(wrong)? else {
        return Ok(Answers(found));
    };
    let listing = folder.listing(Part::Statements).map_err(wrong)?;
    for note in listing.passed_over(folder.what(), Part::Statements) {
        screen.say(&format!("jitctl: {note}"));
    }
    for name in &listing.names {
        let bytes = match folder.read(name) {
            Ok(bytes) => bytes,
            Err(bad) => {
                screen.say(&format!("jitctl: {bad}; it is left alone"));
                continue;
            }
        };
        let Some((about, answer)) = Signed::split(bytes).and_then(|signed| answer(&signed)) else { continue };
        let answers = found.entry(about).or_default();
        if !answers.iter().any(|other| other.key == answer.key && other.is_denial == answer.is_denial) {
            answers.push(answer);
        }
    }
    Ok(Answers(found))
}

fn answer(signed: &Signed) -> Option<(About, Answer)> {
    let text = Signable::parse(&signed.text).ok()?;
    let signature = Signature::parse(&signed.signature).ok()?;
    if !signature.is_over(text.text().as_bytes()) {
        return None;
    }
    let Statement { host, request, digest, nonce, decision, expires, .. } = text.says();
    // No host takes it any more.
    if expires <= now() {
        return None;
    }
    let answer = Answer { key: signature.key().fingerprint(), is_denial: decision == Decision::Deny };
    Some(((host, request, digest, nonce.to_string()), answer))
}

/// What is said to what is selected; nothing of it where each is asked about.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) approve: bool,
    pub(super) deny: Option<&'a Reason>,
    pub(super) sure: bool,
}

/// What is said to one request.
enum Said {
    Approve,
    Deny(Option<Reason>),
    Skip,
    Leave,
}

/// Signs, and puts what was signed into the exchange: whether all that was to be signed is there.
pub(super) fn give(
    exchange: &Exchange,
    items: &[Item],
    by: &By,
    given: Given<'_>,
    screen: &mut Screen<'_>,
) -> Result<bool, Error> {
    let own = by.fingerprint();
    let is_answered = |item: &&Item| {
        let answers = |own: &String| item.answers.iter().any(|answer| answer.key == *own);
        item.trouble.is_none() && !own.as_ref().is_some_and(answers)
    };
    let open: Vec<&Item> = items.iter().filter(is_answered).collect();
    if open.is_empty() {
        screen.say("Nothing is left for this key to sign.");
        return Ok(true);
    }
    let at_once = given.approve || given.deny.is_some();
    if at_once && !sure(&open, given, screen)? {
        screen.say("jitctl: nothing was signed");
        return Ok(false);
    }
    let mut count = 0;
    for item in open {
        let said = match given.deny {
            Some(reason) => Said::Deny(Some(reason.clone())),
            None if given.approve => Said::Approve,
            None => asked(item, screen),
        };
        let text = match said {
            Said::Approve => Signable::File(Box::new(item.file.clone())),
            Said::Deny(note) => {
                let statement = Statement::about(&item.file, Decision::Deny, Narrow::default(), note);
                Signable::Statement(Box::new(statement))
            }
            Said::Skip => continue,
            Said::Leave => break,
        };
        put(exchange, &text, by).inspect_err(|_| {
            screen.say(&format!("jitctl: {count} statements were put there before, and are whole"));
        })?;
        count += 1;
    }
    screen.say(&format!("Put {count} statement{} there.", if count == 1 { "" } else { "s" }));
    if count > 0 {
        screen.say("hint: bring the folder back; on each host, anybody types: jitctl offline sync DIR");
    }
    Ok(true)
}

/// Shows all that would be signed, and asks once.
fn sure(open: &[&Item], given: Given<'_>, screen: &mut Screen<'_>) -> Result<bool, Error> {
    for item in open {
        screen.say(&format!("{}\n", item.file.text().trim_end()));
    }
    if given.sure {
        return Ok(true);
    }
    if !screen.can_ask() {
        return Err(Error::Usage("nobody can be asked here; to sign all the same, add --yes".to_owned()));
    }
    let what = if given.approve { "an approval" } else { "a denial" };
    let question = match open {
        [_] => format!("Sign {what} of this?"),
        several => format!("Sign {what} of each of these {}?", several.len()),
    };
    Ok(yes(screen, &question, false))
}

fn asked(item: &Item, screen: &mut Screen<'_>) -> Said {
    screen.say(&format!("\n{}", item.file.text().trim_end()));
    let question = "Approve (a), deny (d), skip (s) or leave (q)? ";
    let said = until(screen, question, |line| match line.to_ascii_lowercase().as_str() {
        "a" | "approve" => Ok(Said::Approve),
        "d" | "deny" => Ok(Said::Deny(None)),
        "s" | "skip" | "" => Ok(Said::Skip),
        "q" | "leave" => Ok(Said::Leave),
        _ => Err("type a, d, s or q".to_owned()),
    });
    match said {
        Some(Said::Deny(_)) => {
            let note = until(screen, "Why? (nothing, if nobody needs to know) ", |line| match line {
                "" => Ok(None),
                line => line.parse::<Reason>().map(Some).map_err(|why| why.to_string()),
            });
            note.map_or(Said::Leave, Said::Deny)
        }
        Some(said) => said,
        None => Said::Leave,
    }
}

fn put(exchange: &Exchange, text: &Signable, by: &By) -> Result<(), Error> {
    let exact = text.text();
    let signature = signed(by.key(), NAMESPACE, &exact)?;
    let whole = format!("{exact}{signature}");
    let folder = exchange.make(Part::Statements, None).map_err(wrong)?;
    let name = Name::Statement(Digest::of(whole.as_bytes()));
    folder.put(&name, whole.as_bytes()).map(drop).map_err(|bad| {
        let dir = folder.what();
        let hint =
            if bad.is_full() { "make room, and run it again" } else { "see who may write there with ls -ld" };
        Error::Usage(format!("{bad}\nhint: {hint}: {}", Typed(dir)))
    })
}
