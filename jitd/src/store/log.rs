//! The log in the store: records with their leaves, the tree over them, and where to find the story of a request.

use std::collections::BTreeSet;

use jit_core::audit::about::{About, about};
use jit_core::audit::record::Encoded;
use jit_core::digest::Digest;
use jit_core::event::Record;
use jit_core::proof::extension::{Extending, Extension};
use jit_core::proof::merkle::{self, Frontier};
use jit_proto::audit::{InArchive, PAGE_BYTES, PAGE_RECORDS, Page};
use jit_proto::words::RequestId;
use rusqlite::{Connection, OptionalExtension, params};

use super::archive::{self, archive_of};
use super::error::StoreError;
use super::value::{damaged, to_i64, to_u64};

/// Writes the next record, and puts it into the tree.
pub(crate) fn write_record(
    change: &Connection,
    tree: &mut Frontier,
    record: &Encoded,
) -> Result<(), StoreError> {
    if record.seq != tree.size() {
        return Err(damaged("audit", format!("record {} is not the next, {}", record.seq, tree.size())));
    }
    change.prepare_cached("INSERT INTO audit (seq, bytes, leaf) VALUES (?1, ?2, ?3)")?.execute(params![
        to_i64(record.seq),
        record.bytes,
        record.leaf.0.as_slice()
    ])?;
    tree.append(record.leaf);
    Ok(())
}

/// Notes what a record is about. That a session is told from the record whose number it has needs no note: every login
/// would wait for one more page.
pub(crate) fn write_about(change: &Connection, seq: u64, about: About) -> Result<(), StoreError> {
    if about == About::Session(seq) {
        return Ok(());
    }
    change
        .prepare_cached("INSERT OR IGNORE INTO about (id, seq) VALUES (?1, ?2)")?
        .execute(params![about.to_string(), to_i64(seq)])?;
    Ok(())
}

/// Writes the tree over all that was written.
pub(crate) fn write_tree(change: &Connection, tree: &Frontier) -> Result<(), StoreError> {
    change
        .prepare_cached("INSERT OR REPLACE INTO tree (one, size, peaks) VALUES (1, ?1, ?2)")?
        .execute(params![to_i64(tree.size()), tree.to_bytes()])?;
    Ok(())
}

/// The tree, which is that of as many records as there are. The last of them has the leaf that was written with it;
/// reading the whole log is for whoever verifies it, not for a start that logins wait for.
pub(crate) fn tree(store: &Connection) -> Result<Frontier, StoreError> {
    let row = store
        .query_row("SELECT size, peaks FROM tree", [], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))
        .optional()?;
    let Some((size, peaks)) = row else { return Err(damaged("tree", "it is not there".into())) };
    let tree = Frontier::from_bytes(to_u64(size), &peaks).map_err(|err| damaged("tree", err.to_string()))?;
    let records = next_seq(store)?;
    if records != tree.size() {
        return Err(damaged("audit", format!("it has {records} records, and {} were written", tree.size())));
    }
    let Some(last) = records.checked_sub(1) else { return Ok(tree) };
    let (bytes, leaf): (Vec<u8>, Vec<u8>) =
        store.query_row("SELECT bytes, leaf FROM audit WHERE seq = ?1", [to_i64(last)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if merkle::leaf(&bytes).0.as_slice() != leaf {
        return Err(damaged("audit", format!("record {last} does not have its leaf")));
    }
    Ok(tree)
}

/// Makes the tree of a log that has none, every byte hashed anew, and notes what its records are about.
pub(super) fn take_in(change: &Connection) -> Result<(), StoreError> {
    let mut tree = Frontier::default();
    let mut records = change.prepare("SELECT seq, bytes, leaf FROM audit ORDER BY seq")?;
    let mut rows = records.query([])?;
    while let Some(row) = rows.next()? {
        let (seq, bytes, leaf): (i64, Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let place = tree.size();
        let hashed = merkle::leaf(&bytes);
        if to_i64(place) != seq || hashed.0.as_slice() != leaf {
            let what = format!("record {place} is missing or is not the one that was hashed");
            return Err(damaged("audit", what));
        }
        tree.append(hashed);
        // What another version wrote is kept as it is, and is in no story.
        for about in Record::decode(place, &bytes).iter().flat_map(about) {
            write_about(change, place, about)?;
        }
    }
    write_tree(change, &tree)
}

/// Records from `first` on, at most `limit`, of those that no archive has.
pub(crate) fn records(store: &Connection, first: u64, limit: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let first = first.max(archive::begins(store)?);
    store
        .prepare_cached("SELECT seq, bytes FROM audit WHERE seq >= ?1 ORDER BY seq LIMIT ?2")?
        .query_map(params![to_i64(first), limit], |row| Ok((to_u64(row.get(0)?), row.get(1)?)))?
        .collect::<Result<_, _>>()
        .map_err(Into::into)
}

/// What proves that the log of `old` records is the beginning of that of `new`; none if there are not so many. Each leaf is
/// read once, and a hash of each level is held.
pub(crate) fn extension(store: &Connection, old: u64, new: u64) -> Result<Option<Extension>, StoreError> {
    let Some(mut extending) = Extending::new(old, new).filter(|_| i64::try_from(new).is_ok()) else {
        return Ok(None);
    };
    let begins = archive::begins(store)?;
    let mut next = 0;
    for query in [
        "SELECT seq, leaf FROM archived_leaf WHERE seq < min(?1, ?2) ORDER BY seq",
        "SELECT seq, leaf FROM audit WHERE seq >= ?1 AND seq < ?2 ORDER BY seq",
    ] {
        let mut leaves = store.prepare_cached(query)?;
        let mut rows = leaves.query([to_i64(begins), to_i64(new)])?;
        while let Some(row) = rows.next()? {
            let (seq, leaf) = (to_u64(row.get(0)?), row.get::<_, [u8; 32]>(1)?);
            if seq != next {
                return Err(damaged("audit", format!("record {next} is missing")));
            }
            extending.take(Digest(leaf));
            next += 1;
        }
    }
    Ok(extending.done())
}

/// The number that the next record will have.
pub(crate) fn next_seq(store: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> = store.query_row("SELECT max(seq) FROM audit", [], |row| row.get(0))?;
    Ok(last.map_or(0, |last| to_u64(last) + 1))
}

/// A page of the log, of what is before an end: so many records at most, and no more bytes than a page has.
pub(crate) fn page(store: &Connection, (first, end): (u64, u64), most: u32) -> Result<Page, StoreError> {
    let mut page = empty(store)?;
    // What lives of those before is for stories alone.
    let first = first.max(page.begins);
    page.next = first.min(page.total);
    let mut records = store.prepare_cached(
        "SELECT seq, bytes, leaf FROM audit WHERE seq >= ?1 AND seq < ?2 ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = records.query(params![to_i64(first), to_i64(end), most])?;
    let mut bytes = 0;
    while bytes < PAGE_BYTES
        && let Some(row) = rows.next()?
    {
        let seq = to_u64(row.get(0)?);
        bytes += add(&mut page, seq, row.get(1)?, &row.get::<_, Vec<u8>>(2)?);
        page.next = seq + 1;
    }
    Ok(page)
}

/// How much a page holds at most: records, and about so many bytes of them.
pub(crate) const MOST_OF_A_PAGE: (usize, usize) = (PAGE_RECORDS as usize, PAGE_BYTES);

/// The records that tell the story of a request, and of its sessions, from `first` on: a page of them.
pub(crate) fn story_records(
    store: &Connection,
    request: RequestId,
    first: u64,
    (most, most_bytes): (usize, usize),
) -> Result<Page, StoreError> {
    let mut page = empty(store)?;
    page.next = page.total;
    let mut all = seqs_about(store, About::Request(request))?;
    let mut sessions = BTreeSet::new();
    for seq in &all {
        let Some((bytes, _)) = found(store, *seq)? else { continue };
        let record = Record::decode(*seq, &bytes);
        sessions.extend(record.iter().flat_map(about).filter(|about| matches!(about, About::Session(_))));
    }
    for session in sessions {
        all.extend(seqs_about(store, session)?);
    }
    let (mut count, mut bytes) = (0, 0);
    for seq in all.split_off(&first) {
        if count == most || bytes >= most_bytes {
            page.next = seq;
            break;
        }
        if let Some((record, leaf)) = found(store, seq)? {
            bytes += add(&mut page, seq, record, &leaf);
        } else {
            note_archived(store, &mut page, seq)?;
        }
        count += 1;
    }
    Ok(page)
}

/// The latest record of a story, with its number.
pub(crate) fn latest_about(store: &Connection, about: About) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let latest = seqs_about(store, about)?.last().copied();
    latest.map(|seq| Ok((seq, one(store, seq)?.0))).transpose()
}

fn empty(store: &Connection) -> Result<Page, StoreError> {
    let (total, begins) = (next_seq(store)?, archive::begins(store)?);
    Ok(Page { records: Vec::new(), next: 0, total, damaged: Vec::new(), begins, archived: Vec::new() })
}

/// Says of a record that is not here in which file it is.
fn note_archived(store: &Connection, page: &mut Page, seq: u64) -> Result<(), StoreError> {
    let missing = || damaged("audit", format!("record {seq} is missing"));
    let archive = archive_of(store, seq)?.ok_or_else(missing)?;
    match page.archived.last_mut().filter(|last| last.first == archive.first) {
        Some(last) => last.records.push(seq),
        None => page.archived.push(InArchive {
            file: archive.file.to_string(),
            digest: archive.digest.to_string(),
            first: archive.first,
            records: vec![seq],
        }),
    }
    Ok(())
}

/// Adds a record, and returns how many bytes it has. What is no text is no record of ours: it is shown as far as it is
/// one, and named.
fn add(page: &mut Page, seq: u64, bytes: Vec<u8>, leaf: &[u8]) -> usize {
    let length = bytes.len();
    let text = String::from_utf8(bytes);
    if text.as_ref().map_or(true, |text| merkle::leaf(text.as_bytes()).0.as_slice() != leaf) {
        page.damaged.push(seq);
    }
    page.records.push(text.unwrap_or_else(|err| String::from_utf8_lossy(err.as_bytes()).into_owned()));
    length
}

fn seqs_about(store: &Connection, about: About) -> Result<BTreeSet<u64>, StoreError> {
    let mut select = store.prepare_cached("SELECT seq FROM about WHERE id = ?1")?;
    let noted = select.query_map([about.to_string()], |row| row.get(0).map(to_u64))?;
    let mut all: BTreeSet<u64> = noted.collect::<Result<_, _>>()?;
    if let About::Session(own) = about {
        all.insert(own);
    }
    Ok(all)
}

fn one(store: &Connection, seq: u64) -> Result<Leaved, StoreError> {
    found(store, seq)?.ok_or_else(|| damaged("audit", format!("record {seq} is missing")))
}

/// The bytes of a record, and its leaf.
type Leaved = (Vec<u8>, Vec<u8>);

/// A record with its leaf, if it is in the store.
fn found(store: &Connection, seq: u64) -> Result<Option<Leaved>, StoreError> {
    let row = store
        .prepare_cached("SELECT bytes, leaf FROM audit WHERE seq = ?1")?
        .query_row([to_i64(seq)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row)
}
