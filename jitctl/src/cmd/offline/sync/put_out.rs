//! What waits on this host for reviews that can be signed is put into the exchange, with the seal of the host. What is
//! there already and still as good is left: a request is not another file with each sync.

use std::collections::HashMap;
use std::time::Duration;

use jit_core::digest::Digest;
use jit_core::proof::checkpoint::Signs;
use jit_core::sign::file::RequestFile;
use jit_core::sign::seal::sealed;
use jit_exchange::folder::{Bad, Exchange, Folder};
use jit_exchange::names::{Name, Part};
use jit_proto::manager::{Entry, Exported};
use jit_proto::words::RequestId;

use super::done::{Done, Here};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};

/// A file that expires sooner than that before a new one would is written anew.
const AS_GOOD: Duration = Duration::from_hours(24);

pub(super) fn run(exchange: &Exchange, here: &Here, jitd: &dyn Jitd, done: &mut Done) -> Result<(), Failure> {
    let entries: Vec<Entry> = jitd::ask(jitd, &Call::List { all: false })?;
    let waits = entries.iter().filter(|entry| entry.state == "pending" || entry.review_owed);
    let mut waiting: HashMap<RequestId, (RequestFile, Exported)> = HashMap::new();
    for id in waits.filter_map(|entry| entry.request.parse().ok()) {
        let exported: Exported = match jitd::ask(jitd, &Call::Export { id }) {
            Ok(exported) => exported,
            // It was decided meanwhile, or does not fit into a file.
            Err(failure) if matches!(failure.error, Error::Refused(_) | Error::NotFound(_)) => {
                done.notes.push(format!("{id} was not put out: {}", failure.error));
                continue;
            }
            Err(failure) => return Err(failure),
        };
        if exported.signable {
            let file = file(&exported, here)?;
            waiting.insert(id, (file, exported));
        } else {
            done.unsignable += 1;
        }
    }
    if let Err(bad) = put(exchange, here, &waiting, done) {
        done.bad("not all requests were put out", &bad);
    }
    if waiting.is_empty() {
        return Ok(());
    }
    // Without it nobody who does not know the host yet can tell whose seals these are.
    match exchange.make(Part::Logs, Some(&here.host)).and_then(|folder| key(&folder, here)) {
        Ok(()) => {}
        Err(bad) if here.sees_all => done.bad("the key of this host was not put out", &bad),
        Err(bad) => done.notes.push(format!("the key of this host was not put out: {bad}")),
    }
    Ok(())
}

/// Puts the public half of the host's key there.
pub(super) fn key(folder: &Folder, here: &Here) -> Result<(), Bad> {
    let key = format!("{}\n", here.key);
    folder.put(&Name::Key(Digest::of(key.as_bytes())), key.as_bytes()).map(drop)
}

/// What a person signs is what they are shown: nothing that jitd would not write itself, and nothing that is not sealed.
fn file(exported: &Exported, here: &Here) -> Result<RequestFile, Error> {
    let file = RequestFile::parse(exported.file.as_bytes()).map_err(|why| Error::Garbled(why.to_string()))?;
    if sealed(&exported.file, &exported.seal, &here.key) != Signs::Well {
        return Err(Error::Garbled(format!("the seal of {}", file.request)));
    }
    Ok(file)
}

fn put(
    exchange: &Exchange,
    here: &Here,
    waiting: &HashMap<RequestId, (RequestFile, Exported)>,
    done: &mut Done,
) -> Result<(), Bad> {
    // Nothing is put out, and of what is there they cannot tell.
    if waiting.is_empty() && !here.sees_all {
        return Ok(());
    }
    let folder = match exchange.folder(Part::Requests, Some(&here.host))? {
        None if waiting.is_empty() => return Ok(()),
        None => exchange.make(Part::Requests, Some(&here.host))?,
        Some(folder) => folder,
    };
    let listing = folder.listing(Part::Requests)?;
    folder.clean(&listing, here.now);
    let mut good: Vec<RequestId> = Vec::new();
    let mut old: Vec<(Digest, RequestId)> = Vec::new();
    for name in &listing.names {
        let Name::Request(digest) = name else { continue };
        let Some(there) = own(&folder, *digest, here) else { continue };
        let is_good = waiting.get(&there.request).is_some_and(|(fresh, _)| is_as_good(&there, fresh));
        if is_good && !good.contains(&there.request) {
            good.push(there.request);
        } else {
            old.push((*digest, there.request));
        }
    }
    let mut ids: Vec<&RequestId> = waiting.keys().filter(|id| !good.contains(id)).collect();
    ids.sort();
    for id in ids {
        let Some((_, exported)) = waiting.get(id) else { continue };
        let digest = Digest::of(exported.file.as_bytes());
        // Whoever sees the request finds its seal.
        folder.put(&Name::Seal(digest), exported.seal.as_bytes())?;
        folder.put(&Name::Request(digest), exported.file.as_bytes())?;
        done.requests += 1;
    }
    for (digest, id) in old {
        let is_over = !waiting.contains_key(&id);
        // Of what others asked, whoever may not see it cannot tell.
        if is_over && !here.sees_all {
            continue;
        }
        for name in [Name::Request(digest), Name::Seal(digest)] {
            match folder.remove(&name) {
                Err(bad) if !bad.is_absent() => return Err(bad),
                _ => {}
            }
        }
        done.removed += usize::from(is_over);
    }
    Ok(())
}

/// A request's file there that this host has sealed.
fn own(folder: &Folder, digest: Digest, here: &Here) -> Option<RequestFile> {
    let bytes = folder.read(&Name::Request(digest)).ok()?;
    let file = RequestFile::parse(&bytes).ok()?;
    let seal = String::from_utf8(folder.read(&Name::Seal(digest)).ok()?).ok()?;
    (sealed(&file.text(), &seal, &here.key) == Signs::Well).then_some(file)
}

/// Whether it says the same, for about as long.
fn is_as_good(there: &RequestFile, fresh: &RequestFile) -> bool {
    let same = RequestFile {
        nonce: fresh.nonce,
        expires: fresh.expires,
        checkpoint: fresh.checkpoint.clone(),
        ..there.clone()
    };
    same == *fresh && there.expires.plus(AS_GOOD) >= fresh.expires
}
