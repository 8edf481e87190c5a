//! One host of an exchange: its requests, each held against the key by which the host is known.

use jit_core::proof::checkpoint::Signs;
use jit_core::proof::note::PublicKey;
use jit_core::sign::file::{RequestFile, fingerprint};
use jit_core::sign::seal::sealed;
use jit_exchange::folder::{Exchange, Folder};
use jit_exchange::known::Known;
use jit_exchange::names::{Name, Part};
use jit_proto::text::Typed;
use jit_proto::words::HostName;

use super::super::home::{Home, wrong};
use super::item::{Item, expired};
use super::log;
use crate::error::Error;
use crate::prompts::yes;
use crate::screen::Screen;

/// What was found of a host.
pub(super) struct Found {
    pub(super) items: Vec<Item>,
    /// Whether all of it is as it should be.
    pub(super) is_good: bool,
}

/// A request's file, and the seal beside it.
struct Sealed {
    file: RequestFile,
    seal: Option<String>,
}

impl Sealed {
    fn is_by(&self, key: &PublicKey) -> bool {
        self.seal.as_ref().is_some_and(|seal| sealed(&self.file.text(), seal, key) == Signs::Well)
    }
}

pub(super) fn read(
    exchange: &Exchange,
    home: &Home,
    host: &HostName,
    unasked: bool,
    screen: &mut Screen<'_>,
) -> Result<Found, Error> {
    let requests = requests(exchange, host, screen)?;
    let keys = keys(exchange, host, screen)?;
    let mut trouble = None;
    let mut known = home.known(host)?;
    if known.is_none() && !requests.is_empty() {
        match first(host, &requests, &keys, home, unasked, screen)? {
            Ok(new) => known = Some(new),
            Err(why) => trouble = Some(why),
        }
    }
    if let Some(known) = &mut known {
        // Those that are not its own are none of its.
        if known.key.is_none() {
            keys.iter().any(|key| known.learn(key));
        }
        trouble = match &known.key {
            None => Some(format!("the key {} is not in this folder", known.fingerprint)),
            Some(key) => log::judged(exchange, home, host, key, known, &sealed_by(&requests, key), screen)?,
        };
    }
    if let Some(why) = &trouble {
        screen.say(&format!("jitctl: {host} is refused: {why}"));
    }
    let mut items: Vec<Item> = Vec::new();
    for request in requests {
        let own = match &known {
            Some(known) if request.file.host_key != known.fingerprint => {
                Some(changed(host, known, &request, home))
            }
            Some(Known { key: Some(key), .. }) if !request.is_by(key) => Some(
                "the host has not sealed it: somebody else wrote it, or changed it on its way".to_owned(),
            ),
            Some(_) | None => None,
        };
        if let Some(why) = &own {
            screen.say(&format!("jitctl: {host}: {} is refused: {why}", request.file.request));
        }
        let why = own.or_else(|| trouble.clone()).or_else(|| expired(&request.file));
        items.push(Item { file: request.file, trouble: why, answers: Vec::new() });
    }
    let is_good = |item: &Item| item.trouble.is_none() || item.trouble == expired(&item.file);
    let is_good = trouble.is_none() && items.iter().all(is_good);
    let items = newest(items);
    Ok(Found { items, is_good })
}

fn changed(host: &HostName, known: &Known, request: &Sealed, home: &Home) -> String {
    format!(
        "the key of {host} is {} and not {}, by which it is known; it was set up anew, or it is another machine (to know it \
         by the new key, ask who runs it, and remove {})",
        request.file.host_key,
        known.fingerprint,
        Typed(&home.file(host))
    )
}

fn sealed_by<'r>(requests: &'r [Sealed], key: &PublicKey) -> Vec<&'r RequestFile> {
    requests.iter().filter(|request| request.is_by(key)).map(|request| &request.file).collect()
}

/// Of several files of one request, as two carriers may have them, the one that counts for longest.
fn newest(mut items: Vec<Item>) -> Vec<Item> {
    items.sort_by_key(|item| {
        (item.file.request, item.file.digest, item.trouble.is_some(), std::cmp::Reverse(item.file.expires))
    });
    items.dedup_by(|one, before| {
        let same = one.file.request == before.file.request && one.file.digest == before.file.digest;
        same && (before.trouble.is_none() || one.trouble.is_some())
    });
    items
}

/// The first time that a host is seen: whoever is at the terminal says whether it is that host.
fn first(
    host: &HostName,
    requests: &[Sealed],
    keys: &[PublicKey],
    home: &Home,
    unasked: bool,
    screen: &mut Screen<'_>,
) -> Result<Result<Known, String>, Error> {
    let by = |key: &&PublicKey| {
        let print = fingerprint(key);
        requests.iter().any(|request| request.file.host_key == print && request.is_by(key))
    };
    let candidates: Vec<&PublicKey> = keys.iter().filter(by).collect();
    let key = match candidates.as_slice() {
        [key] => *key,
        [] => {
            return Ok(Err(
                "it is not known here, and no key in this folder has sealed its requests".to_owned()
            ));
        }
        [_, ..] => {
            let prints: Vec<String> = candidates.iter().map(|key| fingerprint(key)).collect();
            return Ok(Err(format!(
                "it is not known here, and requests in its name are sealed by several keys: {}",
                prints.join(", ")
            )));
        }
    };
    let print = fingerprint(key);
    if unasked || !screen.can_ask() {
        return Ok(Err(format!(
            "it is not known here (its key is {print}); run this at a terminal without --yes, and say that it is right"
        )));
    }
    screen.say(&format!(
        "{host} is not known here yet. Its key is\n  {print}\nCompare that with what 'jitctl status' says on {host}."
    ));
    if !yes(screen, &format!("Is this {host}?"), false) {
        return Ok(Err("nobody has said that its key is right".to_owned()));
    }
    let mut known = Known::by(host.clone(), print);
    known.learn(key);
    home.keep(&known, &[])?;
    Ok(Ok(known))
}

fn requests(exchange: &Exchange, host: &HostName, screen: &mut Screen<'_>) -> Result<Vec<Sealed>, Error> {
    let Some(folder) = exchange.folder(Part::Requests, Some(host)).map_err(wrong)? else {
        return Ok(Vec::new());
    };
    let listing = folder.listing(Part::Requests).map_err(wrong)?;
    for note in listing.passed_over(folder.what(), Part::Requests) {
        screen.say(&format!("jitctl: {note}"));
    }
    let mut found = Vec::new();
    for name in &listing.names {
        let Name::Request(digest) = name else { continue };
        match request(&folder, name, host) {
            Ok(file) => {
                let seal = folder.read(&Name::Seal(*digest)).ok();
                let seal = seal.and_then(|bytes| String::from_utf8(bytes).ok());
                found.push(Sealed { file, seal });
            }
            Err(why) => screen.say(&format!("jitctl: {why}; it is left alone")),
        }
    }
    Ok(found)
}

fn request(folder: &Folder, name: &Name, host: &HostName) -> Result<RequestFile, String> {
    let bytes = folder.read(name).map_err(|bad| bad.to_string())?;
    let file = RequestFile::parse(&bytes).map_err(|why| format!("{}/{name}: {why}", folder.what()))?;
    if file.host != *host {
        return Err(format!("{}/{name}: it is of the host {}", folder.what(), file.host));
    }
    // What is signed is what is there, not what mail has made of it.
    if file.text().as_bytes() != bytes {
        return Err(format!("{}/{name}: its lines do not end with LF", folder.what()));
    }
    Ok(file)
}

fn keys(exchange: &Exchange, host: &HostName, screen: &mut Screen<'_>) -> Result<Vec<PublicKey>, Error> {
    let Some(folder) = exchange.folder(Part::Logs, Some(host)).map_err(wrong)? else { return Ok(Vec::new()) };
    let listing = folder.listing(Part::Logs).map_err(wrong)?;
    for note in listing.passed_over(folder.what(), Part::Logs) {
        screen.say(&format!("jitctl: {note}"));
    }
    let mut found: Vec<PublicKey> = Vec::new();
    for name in listing.names.iter().filter(|name| matches!(name, Name::Key(_))) {
        let read = folder.read(name).map_err(|bad| bad.to_string());
        let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(|why| why.to_string()));
        match text.and_then(|text| text.parse::<PublicKey>().map_err(|why| why.to_string())) {
            Ok(key) if !found.contains(&key) => found.push(key),
            Ok(_) => {}
            Err(why) => screen.say(&format!("jitctl: {}/{name}: {why}; it is left alone", folder.what())),
        }
    }
    Ok(found)
}
