//! An independent look at the store: the audit log folded from its first record must come to the same tables.

use std::collections::BTreeMap;

use jit_core::event::{Event, Record};
use jit_core::model::{Session, Time};
use jit_core::proof::merkle;
use jit_core::sign::revoke::What;
use jit_core::time::Utc;
use jit_proto::words::RequestId;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::fold::{Ending, Here, Live, Seat, folded};
use crate::site::Site;

/// What the store says, table by table, in words that can be compared.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tables {
    /// State by request, and how it ended without having opened.
    requests: BTreeMap<String, (String, Option<String>)>,
    /// By request the number of reviews, and of those that count no more.
    reviews: BTreeMap<String, (usize, usize)>,
    /// How it ended, by grant.
    grants: BTreeMap<String, Option<String>>,
    /// What lives.
    live: Live,
    /// Digests in the order of loading.
    policies: Vec<String>,
    /// By spent serial, the request that a grant became.
    taken: BTreeMap<String, Option<String>>,
    /// By revoked serial, who revoked it first.
    tombstones: BTreeMap<String, String>,
    /// Since when that is known, and whether the clock may have gone back.
    since: Option<(String, bool)>,
}

impl Tables {
    fn close(&mut self, request: RequestId, how: &str) {
        let row = ("closed".to_owned(), Some(how.to_owned()));
        let before = self.requests.insert(request.to_string(), row);
        assert_eq!(before, Some(("pending".to_owned(), None)), "{request} ends once");
    }

    /// What a record says of signed statements.
    fn remember(&mut self, record: &Record) {
        let at = record.at.wall;
        match &record.event {
            Event::Requested { request } => {
                if let Some(ahead) = &request.ahead {
                    let id = Some(request.id.to_string());
                    let before = self.taken.insert(ahead.serial.to_string(), id);
                    assert_eq!(before, None, "a serial is spent once");
                }
            }
            Event::Locked { statement: Some(statement), .. } => {
                if let Some(serial) = statement.serial {
                    let before = self.taken.insert(format!("lock:{serial}"), None);
                    assert_eq!(before, None, "a serial is spent once");
                }
            }
            Event::RevokeTaken { revokes: What::Serial(serial), by, .. } => {
                self.tombstones.entry(serial.to_string()).or_insert_with(|| by.name.to_string());
            }
            Event::Elsewhere { .. } => self.since = Some((at.to_string(), true)),
            Event::ClockAccepted { .. } | Event::ClockRecovered { .. } => {
                let is_older = |(since, went_back): &(String, bool)| {
                    *went_back || since.parse::<Utc>().is_ok_and(|since| at < since)
                };
                if self.since.as_ref().is_some_and(is_older) {
                    self.since = Some((at.to_string(), false));
                }
            }
            _ => {}
        }
        if self.since.is_none() {
            self.since = Some((at.to_string(), false));
        }
    }
}

/// Every record of the log, checked for gaps, leaves and agreement with the tables.
pub(crate) fn audited(site: &Site) -> Vec<Record> {
    // SQLite's own copy is of one instant, whatever jitd writes meanwhile. Then out of the machine, since SQLite
    // resolves paths, and /proc/PID/root resolves to this host's root.
    let dir = tempfile::tempdir().expect("a folder for the copy");
    let inside = format!("/run/{}.db", dir.path().file_name().unwrap_or_default().display());
    site.shell(&format!("sqlite3 -cmd '.timeout 5000' /var/lib/jitd/store.db '.backup {inside}'")).done();
    let outside = dir.path().join("store.db");
    std::fs::copy(site.machine.path(&inside), &outside).expect("the copy is copied");
    let copy = Connection::open_with_flags(&outside, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("it opens");
    let records = log(&copy).expect("the log reads");
    assert_eq!(
        told(&records, &open(&copy).expect("the sessions read")),
        found(&copy).expect("the tables read"),
        "left the log's fold, right the tables"
    );
    records
}

/// The end of every window that was open from its approval on, by grant, in milliseconds since 1970: what was approved, and
/// not what jitd makes of it.
pub(crate) fn ends(records: &[Record]) -> BTreeMap<String, i64> {
    let window = |record: &Record| match &record.event {
        Event::Opened { grant } => match &grant.time {
            Time::Open { window } => {
                let length = i64::try_from(window.duration.as_millis()).expect("a window is short");
                Some((grant.id.to_string(), window.start.wall.unix_millis() + length))
            }
            Time::Scheduled { .. } => None,
        },
        _ => None,
    };
    records.iter().filter_map(window).collect()
}

fn log(store: &Connection) -> rusqlite::Result<Vec<Record>> {
    let rows = store
        .prepare("SELECT seq, bytes, leaf FROM audit ORDER BY seq")?
        .query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Vec<u8>>(2)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok((0..)
        .zip(rows)
        .map(|(place, (seq, bytes, leaf))| {
            assert_eq!(i64::try_from(place), Ok(seq), "the log has a gap");
            assert_eq!(merkle::leaf(&bytes).0.as_slice(), leaf, "record {seq} is not what was hashed");
            let record = Record::decode(place, &bytes).expect("every record reads");
            assert_eq!(record.seq, place, "a record stands in another's place");
            record
        })
        .collect())
}

/// The sessions that are open.
fn open(store: &Connection) -> rusqlite::Result<Vec<Session>> {
    let mut rows = store.prepare("SELECT body FROM session ORDER BY id")?;
    let bodies = rows.query_map([], |row| row.get::<_, String>(0))?;
    bodies.map(|body| Ok(serde_json::from_str(&body?).expect("a session reads"))).collect()
}

/// The tables as the log tells them.
fn told(records: &[Record], open: &[Session]) -> Tables {
    let mut tables = Tables { live: folded(records, open), ..Tables::default() };
    for record in records {
        match &record.event {
            Event::Requested { request } => {
                tables.requests.insert(request.id.to_string(), ("pending".into(), None));
            }
            Event::Reviewed { request, .. } => {
                tables.reviews.entry(request.to_string()).or_default().0 += 1;
            }
            Event::Discounted { request, .. } => {
                tables.reviews.entry(request.to_string()).or_default().1 += 1;
            }
            Event::Withdrawn { request, .. } => tables.close(*request, "withdrawn"),
            Event::Refused { request, .. } => tables.close(*request, "denied"),
            Event::Lapsed { request, .. } => tables.close(*request, "lapsed"),
            Event::Opened { grant } => {
                let state = if grant.emergency { "owed" } else { "opened" };
                tables.requests.insert(grant.request().to_string(), (state.into(), None));
                tables.grants.insert(grant.id.to_string(), None);
            }
            Event::Settled { request, .. } => {
                tables.requests.insert(request.to_string(), ("opened".into(), None));
            }
            Event::Ended { grant, why, .. } => {
                let row = tables.grants.get_mut(&grant.to_string()).expect("what ends was open");
                assert_eq!(*row, None, "a grant ends once");
                *row = Some(why.to_string());
            }
            Event::PolicyLoaded { digest, .. } | Event::PolicyReverted { digest, .. } => {
                tables.policies.push(digest.to_string());
            }
            _ => {}
        }
        tables.remember(record);
    }
    tables
}

fn all<T>(
    store: &Connection,
    query: &str,
    row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    store.prepare(query)?.query_map([], row)?.collect()
}

/// What lives, as the tables have it. Where a session runs, and that PAM has closed it, is not in the log yet.
fn living(store: &Connection) -> rusqlite::Result<Live> {
    let id = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0).map(i64::cast_unsigned);
    let word = |body: &Value, key: &str| body[key].as_str().map(str::to_owned);
    let seat = |body: Value| Seat {
        grant: word(&body, "grant").expect("a session has a grant"),
        user: word(&body["login"], "user").expect("it is somebody's"),
        service: word(&body["login"], "service").expect("it is at a service"),
        adopted: body["adopted"] == true,
        moved: body["moved"] == true,
        over: word(&body["over"], "why"),
    };
    let ending = |body: Value| Ending {
        user: word(&body, "user").expect("it is somebody's"),
        why: word(&body, "why").expect("it has come for a reason"),
        sessions: body["sessions"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect(),
    };
    let here = |body: Value| Here {
        user: word(&body, "user").expect("somebody is here"),
        since: word(&body["since"], "time").expect("since some time"),
    };
    Ok(Live {
        used: all(store, "SELECT id, used FROM grant_", |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect(),
        claims: all(store, "SELECT id, grant_ FROM claim", |row| Ok((id(row)?, row.get(1)?)))?
            .into_iter()
            .collect(),
        locks: all(store, "SELECT scope FROM lock", |row| row.get::<_, String>(0))?.into_iter().collect(),
        sessions: all(store, "SELECT id, body FROM session", |row| Ok((id(row)?, seat(body(row, 1)?))))?
            .into_iter()
            .collect(),
        endings: all(store, "SELECT grant_, body FROM ending", |row| {
            Ok((row.get(0)?, ending(body(row, 1)?)))
        })?
        .into_iter()
        .collect(),
        stays: all(store, "SELECT uid, body FROM stay", |row| Ok((row.get(0)?, here(body(row, 1)?))))?
            .into_iter()
            .collect(),
    })
}

fn body(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Value> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).expect("a row's body is JSON"))
}

/// The tables as they stand.
fn found(store: &Connection) -> rusqlite::Result<Tables> {
    Ok(Tables {
        requests: all(store, "SELECT id, state, how FROM request", |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
        })?
        .into_iter()
        .collect(),
        reviews: all(
            store,
            "SELECT request, count(*), count(discounted) FROM review GROUP BY request",
            |row| Ok((row.get(0)?, (count(row.get(1)?), count(row.get(2)?)))),
        )?
        .into_iter()
        .collect(),
        grants: all(store, "SELECT id, why FROM grant_", |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect(),
        live: living(store)?,
        policies: all(store, "SELECT digest FROM policy ORDER BY nr", |row| row.get(0))?,
        taken: all(store, "SELECT serial, json_extract(body, '$.request') FROM taken", |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .into_iter()
        .collect(),
        tombstones: all(store, "SELECT serial, json_extract(body, '$.by.name') FROM tombstone", |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .into_iter()
        .collect(),
        since: all(
            store,
            "SELECT json_extract(body, '$.at'), coalesce(json_extract(body, '$.went_back'), 0) FROM since",
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .pop(),
    })
}

fn count(rows: u32) -> usize {
    usize::try_from(rows).unwrap_or(0)
}
