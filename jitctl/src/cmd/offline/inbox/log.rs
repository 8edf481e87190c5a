//! The log of a host against what was seen of it before. What goes on from it is kept.

use jit_core::proof::note::PublicKey;
use jit_core::sign::file::RequestFile;
use jit_exchange::folder::{Exchange, Folder};
use jit_exchange::history::{History, Judgement, Reading};
use jit_exchange::known::Known;
use jit_exchange::names::{Name, Part};
use jit_exchange::segments::{Segment, ways};
use jit_proto::words::HostName;

use super::super::home::{Home, checkpoint, wrong};
use crate::error::Error;
use crate::screen::Screen;

/// Why nothing of this host is to be signed, if its log is not the one that was seen.
pub(super) fn judged(
    exchange: &Exchange,
    home: &Home,
    host: &HostName,
    key: &PublicKey,
    known: &Known,
    requests: &[&RequestFile],
    screen: &mut Screen<'_>,
) -> Result<Option<String>, Error> {
    let mut history = History::of(key.clone(), known.seen, &home.checkpoints(host)?);
    for request in requests {
        history.comes_with_request(request.filed_at, request.checkpoint.clone());
    }
    let folder = exchange.folder(Part::Logs, Some(host)).map_err(wrong)?;
    let mut segments = Vec::new();
    if let Some(folder) = &folder {
        let listing = folder.listing(Part::Logs).map_err(wrong)?;
        for name in &listing.names {
            if let Name::Records(segment) = name {
                segments.push(*segment);
            }
            match checkpoint(folder, name) {
                Ok(signed) => signed.into_iter().for_each(|signed| history.comes(signed)),
                Err(bad) => screen.say(&format!("jitctl: {bad}; it is left alone")),
            }
        }
    }
    if history.foreign() > 0 {
        screen.say(&format!(
            "jitctl: {host}: {} checkpoints are not signed by its key, and say nothing about its log",
            history.foreign()
        ));
    }
    let judgement = match &folder {
        // Records that were read are read again where a checkpoint is new.
        Some(folder) if history.has_news() => best(folder, &ways(&segments), &history),
        Some(_) | None => history.judge(None),
    };
    match judgement {
        Judgement::Broken(verdict, what) => {
            return Ok(Some(format!(
                "its log is {verdict}: {what} (keep the folder as it is; docs/audit.md says what the word means)"
            )));
        }
        Judgement::Older => screen.say(&format!("jitctl: {host}: this is an older copy than you have seen")),
        Judgement::GoesOn { seen, keep } => {
            let is_known = home.known(host)?.is_some_and(|before| before.key == known.key);
            if seen.is_some() || !keep.is_empty() || !is_known {
                let known = Known { seen: seen.or(known.seen), ..known.clone() };
                home.keep(&known, &keep)?;
            }
        }
    }
    Ok(None)
}

/// Of several ways through the pieces, the one that is the log, if any is.
fn best(folder: &Folder, ways: &[Vec<Segment>], history: &History) -> Judgement {
    let mut worst = None;
    for way in ways {
        let reading = read(folder, way, history);
        match history.judge(Some(reading)) {
            broken @ Judgement::Broken(..) => {
                worst.get_or_insert(broken);
            }
            good @ (Judgement::Older | Judgement::GoesOn { .. }) => return good,
        }
    }
    worst.unwrap_or_else(|| history.judge(None))
}

/// Reads pieces up to the first that is not as its name says: what is there then is as much of the log as can be read.
fn read(folder: &Folder, way: &[Segment], history: &History) -> Reading {
    let mut good = Vec::new();
    for segment in way {
        match folder.read(&Name::Records(*segment)) {
            Ok(bytes) if segment.lines(&bytes).is_some() => good.push(*segment),
            Ok(_) | Err(_) => break,
        }
    }
    let mut reading = history.reading(good.last().map_or(0, |last| last.next));
    for segment in good {
        // One that has changed since comes to another count, and that is told.
        let Ok(bytes) = folder.read(&Name::Records(segment)) else { break };
        segment.lines(&bytes).into_iter().flatten().for_each(|line| reading.take(line));
    }
    reading
}
