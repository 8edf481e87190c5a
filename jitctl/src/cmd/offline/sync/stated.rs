//! Statements that are about no request: what takes access away first, then what opens. Each host takes one once, so what was
//! taken is remembered and not brought again; the order in which they came makes no difference.

use std::collections::BTreeSet;
use std::path::Path;

use jit_core::digest::Digest;
use jit_core::policy::HostGroup;
use jit_core::sign::any::{AnyText, concerns};
use jit_core::sign::kind::{Kind, SignedText as _};
use jit_core::sign::sshsig::Signature;
use jit_core::sign::{MAX_SIGNATURE, MAX_TEXT};
use jit_core::time::Utc;
use jit_host::settings::{SETTINGS, Settings};

use super::super::files::{Came, Signed, came};
use super::super::refused::Refused;
use super::done::{Done, Here, NotTaken, Taken};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::Jitd;

/// One that may be brought.
pub(super) struct Stated {
    file: String,
    /// Of the file, which is what is remembered.
    digest: Digest,
    kind: Kind,
    signed: Signed,
}

/// The groups that this host is in, as its settings have them; none where they cannot be read.
pub(super) fn groups() -> BTreeSet<HostGroup> {
    Settings::read(Path::new(SETTINGS)).map_or_else(|_| BTreeSet::new(), |settings| settings.host.groups)
}

/// A text that is none about a request, where it is for this host and in time. `path` is where it lies.
pub(super) fn of(
    path: &str,
    file: String,
    signed: Signed,
    groups: &BTreeSet<HostGroup>,
    here: &Here,
    done: &mut Done,
) -> Option<Stated> {
    let is_here = concerns(&signed.text, &here.host, groups, Some(&here.fingerprint));
    let text = match (AnyText::parse(&signed.text), is_here) {
        (Ok(text), Ok((_, true))) => text,
        (Ok(_), Ok((_, false))) => {
            done.elsewhere += 1;
            return None;
        }
        (Err(why), _) | (_, Err(why)) => {
            done.notes.push(format!("{path} is left alone: {why}"));
            return None;
        }
    };
    let (from, until) = times(&text);
    if until.is_some_and(|until| until <= here.now) {
        done.known += 1;
        return None;
    }
    if let Some(from) = from.filter(|from| *from > here.now) {
        done.notes.push(format!("{path} counts from {} on, and is brought then", from.to_seconds()));
        return None;
    }
    if let Err(why) = formed(&signed, &text) {
        done.notes.push(format!("{path} is left alone: {why}"));
        return None;
    }
    let digest = Digest::of(&[signed.text.as_slice(), &signed.signature].concat());
    Some(Stated { file, digest, kind: text.kind(), signed })
}

/// From when on and until when it counts, by what it says itself.
fn times(text: &AnyText) -> (Option<Utc>, Option<Utc>) {
    match text {
        AnyText::Grant(grant) => (Some(grant.not_before), Some(grant.not_after)),
        AnyText::Revoke(revoke) => (None, Some(revoke.not_after)),
        AnyText::Lock(lock) => (None, Some(lock.not_after)),
        AnyText::Clock(_) | AnyText::Review(_) => (None, None),
    }
}

/// Whether the signature is one of that text, and made for such texts; whether it counts is for jitd to say.
fn formed(signed: &Signed, text: &AnyText) -> Result<(), String> {
    if signed.signature.len() > MAX_SIGNATURE || signed.text.len() > 2 * MAX_TEXT {
        return Err(format!("it has more than {MAX_TEXT} bytes, or its signature more than {MAX_SIGNATURE}"));
    }
    let namespace = text.kind().namespace();
    let signature = Signature::parse_for(namespace, &signed.signature).map_err(|why| why.to_string())?;
    let by = signature.key().fingerprint();
    let is_of_it = signature.is_over(text.text().as_bytes());
    if is_of_it { Ok(()) } else { Err(format!("the signature by {by} is not one of that text")) }
}

/// What takes access away comes first, and what says that the clock is right before what needs one.
const fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Revoke | Kind::Lock => 0,
        Kind::Clock => 1,
        Kind::Grant | Kind::Request | Kind::Review => 2,
    }
}

pub(super) fn run(
    mut all: Vec<Stated>,
    refused: &mut Refused,
    again: bool,
    here: &Here,
    jitd: &dyn Jitd,
    done: &mut Done,
) -> Result<(), Failure> {
    all.sort_by_key(|one| rank(one.kind));
    let (known, new): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| refused.was_taken(&one.digest));
    done.known += known.len();
    // Another signature over the same text that was taken is what one may have waited for.
    let further = |one: &Stated| known.iter().filter(|other| other.signed.text == one.signed.text).count();
    let mut left = Vec::new();
    for one in new {
        let signatures = further(&one);
        if !again && refused.rests(&one.digest, signatures, here.now) {
            done.refused_before += 1;
        } else {
            left.push((one, signatures));
        }
    }
    loop {
        let before = left.len();
        let mut not_taken = Vec::new();
        for (one, signatures) in std::mem::take(&mut left) {
            let Signed { text, signature } = one.signed.clone();
            match came(jitd, &Call::Import { text, signature }, &one.signed.text) {
                Ok(came) => {
                    refused.taken(one.digest, here.now);
                    done.taken.push(taken(one.file, &came));
                }
                Err(Failure { error, .. })
                    if matches!(error, Error::NotPermitted(_) | Error::Refused(_) | Error::NotFound(_)) =>
                {
                    not_taken.push((one, signatures, error));
                }
                Err(failure) if matches!(failure.error, Error::Busy(_)) => {
                    done.undone.push(format!("{}; the rest is brought next time", failure.error));
                    tell(not_taken, refused, here, done);
                    return Ok(());
                }
                Err(failure) => {
                    tell(not_taken, refused, here, done);
                    return Err(failure);
                }
            }
        }
        // Stages run in order, and files come in any.
        let is_order = |error: &Error| matches!(error, Error::NotPermitted(_));
        if not_taken.len() == before || !not_taken.iter().any(|(.., error)| is_order(error)) {
            tell(not_taken, refused, here, done);
            return Ok(());
        }
        let (turn, over): (Vec<_>, Vec<_>) = not_taken.into_iter().partition(|(.., error)| is_order(error));
        tell(over, refused, here, done);
        left = turn.into_iter().map(|(one, signatures, _)| (one, signatures)).collect();
    }
}

fn taken(file: String, came: &Came) -> Taken {
    let text = came.said(&file).trim_end().to_owned();
    let (request, state) = match came {
        Came::Review(entry) => (entry.request.clone(), entry.state.clone()),
        Came::Taken(taken) => (taken.revokes.clone().unwrap_or_default(), taken.kind.clone()),
    };
    Taken { file, request, state, text }
}

fn tell(not_taken: Vec<(Stated, usize, Error)>, refused: &mut Refused, here: &Here, done: &mut Done) {
    for (one, signatures, error) in not_taken {
        refused.add(one.digest, signatures, here.now);
        done.refused.push(NotTaken { file: one.file, why: error.to_string() });
    }
}
