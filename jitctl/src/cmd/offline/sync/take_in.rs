//! What was signed, and is for this host, is brought to jitd. What jitd knows already is not: it says itself which reviews
//! a request has.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use jit_core::digest::Digest;
use jit_core::sign::MAX_SIGNATURE;
use jit_core::sign::kind::Kind;
use jit_core::sign::sshsig::Signature;
use jit_core::sign::statement::Signable;
use jit_exchange::folder::{Bad, Exchange, Folder};
use jit_exchange::names::{Name, Part};
use jit_proto::manager::Entry;
use jit_proto::words::RequestId;

use super::super::files::{Came, Signed};
use super::super::home::Home;
use super::super::refused::Refused;
use super::done::{Done, Here, NotTaken, Taken};
use super::stated::{self, Stated};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::values::Id;

/// So many are brought in one run: each costs jitd a verification, and a refusal a record.
const MOST: usize = 256;

/// One that may be brought.
struct Brought {
    file: String,
    /// Of the file, which is what is remembered.
    digest: Digest,
    request: RequestId,
    signed: Signed,
}

pub(super) fn run(
    exchange: &Exchange,
    home: &Home,
    again: bool,
    here: &Here,
    jitd: &dyn Jitd,
    done: &mut Done,
) -> Result<(), Failure> {
    let Found { mut answers, stated } = found(exchange, here, done);
    let mut refused = Refused::read(home, &here.host);
    let is_new = !stated.is_empty();
    let brought = stated::run(stated, &mut refused, again, here, jitd, done);
    if is_new {
        remember(&refused, home, here, done);
    }
    brought?;
    if answers.is_empty() {
        return Ok(());
    }
    let mut waiting = Waiting::of(here, jitd)?;
    // What was refused before keeps nothing back that is new.
    answers.sort_by_key(|brought| refused.has(&brought.digest));
    let mut left = Vec::new();
    for brought in answers {
        let Some(reviews) = waiting.reviews(&brought, jitd)? else {
            done.known += 1;
            continue;
        };
        if !again && refused.rests(&brought.digest, reviews, here.now) {
            done.refused_before += 1;
        } else if left.len() == MOST {
            done.undone
                .push(format!("more than {MOST} statements are for this host; sync again for the rest"));
            break;
        } else {
            left.push(brought);
        }
    }
    let sent = send(left, &mut waiting, &mut refused, here, jitd, done);
    if !done.refused.is_empty() {
        remember(&refused, home, here, done);
    }
    sent
}

fn remember(refused: &Refused, home: &Home, here: &Here, done: &mut Done) {
    if let Err(why) = refused.write(home, &here.host) {
        done.notes.push(format!(
            "what was taken and refused cannot be remembered ({why}), and is brought again next time"
        ));
    }
}

/// Stages run in order and files come in any: those whose turn it is not yet are tried again when another has counted.
fn send(
    mut left: Vec<Brought>,
    waiting: &mut Waiting,
    refused: &mut Refused,
    here: &Here,
    jitd: &dyn Jitd,
    done: &mut Done,
) -> Result<(), Failure> {
    loop {
        let before = left.len();
        let mut not_taken = Vec::new();
        for brought in std::mem::take(&mut left) {
            let Signed { text, signature } = brought.signed.clone();
            match jitd::ask::<Entry>(jitd, &Call::Import { text, signature }) {
                Ok(entry) => {
                    let came = Came::Review(Box::new(entry.clone()));
                    let text = came.said(&brought.file).trim_end().to_owned();
                    let (request, state) = (entry.request.clone(), entry.state.clone());
                    waiting.changed(brought.request, &entry);
                    done.taken.push(Taken { file: brought.file, request, state, text });
                }
                // What jitd does not accept is no reason to leave out the rest.
                Err(failure)
                    if matches!(
                        failure.error,
                        Error::NotPermitted(_) | Error::Refused(_) | Error::Invalid(_)
                    ) =>
                {
                    not_taken.push((brought, failure.error));
                }
                Err(failure) if matches!(failure.error, Error::Busy(_)) => {
                    done.undone.push(format!("{}; the rest is brought next time", failure.error));
                    tell(not_taken, waiting, refused, here, done);
                    return Ok(());
                }
                Err(failure) => {
                    tell(not_taken, waiting, refused, here, done);
                    return Err(failure);
                }
            }
        }
        let is_order = |(_, error): &(Brought, Error)| matches!(error, Error::NotPermitted(_));
        if not_taken.len() == before || !not_taken.iter().any(is_order) {
            tell(not_taken, waiting, refused, here, done);
            return Ok(());
        }
        let (again, over): (Vec<_>, Vec<_>) = not_taken.into_iter().partition(is_order);
        tell(over, waiting, refused, here, done);
        left = again.into_iter().map(|(brought, _)| brought).collect();
    }
}

fn tell(
    not_taken: Vec<(Brought, Error)>,
    waiting: &Waiting,
    refused: &mut Refused,
    here: &Here,
    done: &mut Done,
) {
    for (brought, error) in not_taken {
        refused.add(brought.digest, waiting.count(brought.request), here.now);
        done.refused.push(NotTaken { file: brought.file, why: error.to_string() });
    }
}

/// All in the exchange that is for this host and in time.
#[derive(Default)]
struct Found {
    /// Answers to requests.
    answers: Vec<Brought>,
    /// What people wrote of themselves.
    stated: Vec<Stated>,
}

fn found(exchange: &Exchange, here: &Here, done: &mut Done) -> Found {
    let mut found = Found::default();
    for (part, host) in [(Part::Statements, None), (Part::Requests, Some(&here.host))] {
        match exchange.folder(part, host) {
            Ok(Some(folder)) => from(&folder, part, here, done, &mut found),
            Ok(None) => {}
            // What is put out is for root and the folder's group; whoever carries a statement need not be of it.
            Err(bad) if part == Part::Requests && !here.sees_all && bad.is_read_only() => {
                done.notes.push(format!("{bad}; what ssh-keygen wrote there is not brought"));
            }
            Err(bad) => done.bad("nothing was taken in", &bad),
        }
    }
    found
}

fn from(folder: &Folder, part: Part, here: &Here, done: &mut Done, found: &mut Found) {
    let listing = match folder.listing(part) {
        Ok(listing) => listing,
        Err(bad) => return done.bad("nothing was taken in", &bad),
    };
    done.notes.extend(listing.passed_over(folder.what(), part));
    let groups = stated::groups();
    for name in listing.names {
        let read = match name {
            Name::Statement(_) => folder.read(&name).map(Signed::split),
            // What ssh-keygen wrote beside the request of that digest.
            Name::Beside(digest) => beside(folder, digest).map(Some),
            Name::Request(_)
            | Name::Seal(_)
            | Name::Records(_)
            | Name::Checkpoint { .. }
            | Name::Key(_)
            | Name::Known
            | Name::Refused => continue,
        };
        let file = name.to_string();
        let signed = match read {
            Ok(Some(signed)) => signed,
            Ok(None) => {
                done.notes
                    .push(format!("{}/{file} has no signature in it, and is left alone", folder.what()));
                continue;
            }
            Err(bad) => {
                done.notes.push(format!("{bad}; it is left alone"));
                continue;
            }
        };
        let path = format!("{}/{file}", folder.what());
        if matches!(Kind::of(&signed.text), Some(Kind::Grant | Kind::Revoke | Kind::Lock | Kind::Clock)) {
            found.stated.extend(stated::of(&path, file, signed, &groups, here, done));
            continue;
        }
        let text = match Signable::parse(&signed.text) {
            Ok(text) => text,
            Err(why) => {
                done.notes.push(format!("{path} is left alone: {why}"));
                continue;
            }
        };
        let says = text.says();
        if says.host != here.host || says.host_key != here.fingerprint {
            done.elsewhere += 1;
        } else if says.expires <= here.now {
            done.known += 1;
        } else if let Err(why) = formed(&signed, &text) {
            done.notes.push(format!("{path} is left alone: {why}"));
        } else {
            let digest = Digest::of(&[signed.text.as_slice(), &signed.signature].concat());
            found.answers.push(Brought { file, digest, request: says.request, signed });
        }
    }
}

/// Whether the signature has the form of one, and is one of that text. Whether it counts is for jitd to say; what is none
/// does not cost it a record, nor a share of what it takes in an hour.
fn formed(signed: &Signed, text: &Signable) -> Result<(), String> {
    if signed.signature.len() > MAX_SIGNATURE {
        return Err(format!("its signature has more than {MAX_SIGNATURE} bytes"));
    }
    let signature = Signature::parse(&signed.signature).map_err(|why| why.to_string())?;
    if signature.is_over(text.text().as_bytes()) {
        Ok(())
    } else {
        Err(format!(
            "the signature by {} is not one of that text: one of the two was changed on its way, or they are not of one \
             pair",
            signature.key().fingerprint()
        ))
    }
}

fn beside(folder: &Folder, digest: Digest) -> Result<Signed, Bad> {
    let text = folder.read(&Name::Request(digest))?;
    Ok(Signed { text, signature: folder.read(&Name::Beside(digest))? })
}

/// What waits on this host, as far as the caller may see it.
struct Waiting {
    sees_all: bool,
    /// Each with its reviews as signed, once they were asked for.
    known: HashMap<RequestId, Option<Entry>>,
    listed: HashMap<RequestId, bool>,
}

impl Waiting {
    fn of(here: &Here, jitd: &dyn Jitd) -> Result<Self, Failure> {
        let entries: Vec<Entry> = jitd::ask(jitd, &Call::List { all: false })?;
        let listed = entries.iter().filter_map(|entry| Some((entry.request.parse().ok()?, waits(entry))));
        Ok(Self { sees_all: here.sees_all, known: HashMap::new(), listed: listed.collect() })
    }

    /// How many reviews the request has, if it waits and this is none of them; none if there is no use in bringing it.
    fn reviews(&mut self, brought: &Brought, jitd: &dyn Jitd) -> Result<Option<usize>, Failure> {
        let id = brought.request;
        match self.listed.get(&id) {
            Some(false) => return Ok(None),
            None if self.sees_all => return Ok(None),
            Some(true) | None => {}
        }
        let known = match self.known.entry(id) {
            Slot::Occupied(known) => known.into_mut(),
            Slot::Vacant(unknown) => unknown.insert(shown(id, jitd)?),
        };
        let Some(entry) = known else { return Ok(Some(0)) };
        let same = |review: &jit_proto::manager::Review| {
            review.signed.as_ref().is_some_and(|signed| {
                signed.text.as_bytes() == brought.signed.text
                    && signed.signature.trim_end().as_bytes() == brought.signed.signature.trim_ascii_end()
            })
        };
        let is_there = !waits(entry) || entry.reviews.iter().any(same);
        Ok((!is_there).then_some(entry.reviews.len()))
    }

    fn count(&self, id: RequestId) -> usize {
        self.known.get(&id).and_then(Option::as_ref).map_or(0, |entry| entry.reviews.len())
    }

    fn changed(&mut self, id: RequestId, entry: &Entry) {
        self.known.insert(id, Some(entry.clone()));
    }
}

/// A request as it is now. Whoever carries a signature need not be allowed to see it.
fn shown(id: RequestId, jitd: &dyn Jitd) -> Result<Option<Entry>, Failure> {
    match jitd::ask(jitd, &Call::Show { id: Id::Request(id) }) {
        Ok(entry) => Ok(Some(entry)),
        Err(failure) if matches!(failure.error, Error::NotFound(_) | Error::NotPermitted(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn waits(entry: &Entry) -> bool {
    entry.state == "pending" || entry.review_owed
}
