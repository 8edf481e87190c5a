//! An independent look at the store: the audit log folded from its first record must come to the same tables.

use std::collections::BTreeMap;

use jit_core::event::{Event, Record};
use jit_core::model::{Past, Session};
use jit_core::proof::merkle;
use jit_core::sign::revoke::What;
use jit_core::state::State;
use jit_core::time::{Moment, Utc};
use jit_proto::words::RequestId;
use rusqlite::{Connection, OpenFlags};

use crate::site::Site;

/// What the store says, table by table, in words that can be compared.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tables {
    /// State by request, and how it ended without having opened.
    requests: BTreeMap<String, (String, Option<String>)>,
    /// By request the number of reviews, and of those that count no more.
    reviews: BTreeMap<String, (usize, usize)>,
    /// Uses and end by grant.
    grants: BTreeMap<String, (u32, Option<String>)>,
    /// Grant by claim.
    claims: BTreeMap<u64, String>,
    /// What is locked.
    locks: Vec<String>,
    /// Sessions, whole, by the record that opened them.
    sessions: BTreeMap<u64, String>,
    /// Ends that have not been carried through, whole, by grant.
    endings: BTreeMap<String, String>,
    /// Who is here by windows, whole, by uid.
    stays: BTreeMap<u32, String>,
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
        folded(&records, &open(&copy).expect("the sessions read")),
        found(&copy).expect("the tables read"),
        "left the log's fold, right the tables"
    );
    records
}

/// The end of every window that was ever open, by grant.
pub(crate) fn ends(records: &[Record]) -> BTreeMap<String, Utc> {
    let window = |record: &Record| match &record.event {
        Event::Opened { grant } => Some((grant.id.to_string(), grant.window()?.end())),
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

/// The sessions that opened by a check, whose record is theirs: where in the log each opened, its number, and what it
/// was, as the record of its end says or, while it is open, its row.
fn openings(records: &[Record], open: &[Session]) -> Vec<(u64, u64, Past)> {
    let ended = records.iter().filter_map(|record| match &record.event {
        Event::SessionGone { session, past: Some(past), .. } => {
            Some((past.place?, *session, (**past).clone()))
        }
        _ => None,
    });
    let open = open.iter().filter_map(|one| Some((one.place?, one.id, Past::of(one))));
    ended.chain(open).collect()
}

/// Opens those whose place in the log has come. Law 7: each has a record of a check that was allowed, before it, of the
/// same person at the same service.
fn open_those_at(place: u64, openings: &[(u64, u64, Past)], records: &[Record], state: &mut State) {
    for (_, session, past) in openings.iter().filter(|(at, ..)| *at == place) {
        assert!(*session < place, "session {session} opened before its check");
        let check = usize::try_from(*session).ok().and_then(|seq| records.get(seq));
        let Some(Event::Allowed { grant, claim, login, .. }) = check.map(|check| &check.event) else {
            panic!("session {session} opened by no check: {check:?}")
        };
        assert_eq!((&login.user, &login.service), (&past.login.user, &past.login.service), "{session}");
        let opened = Event::SessionOpened {
            grant: *grant,
            role: past.role.clone().expect("this jitd opened it"),
            remaining: 0,
            claim: claim.map(|_| *session),
            opener: past.opener,
            from: past.from,
            basis: past.basis.clone(),
            admitted: Some(*session),
            login: past.login.clone(),
        };
        state.note(&past.opened, past.opened_by, &opened);
    }
}

/// The tables as the log tells them. Of a session that is open, where it runs and that PAM has closed it is not in the
/// log yet: that its row says.
fn folded(records: &[Record], open: &[Session]) -> Tables {
    let mut state = State::default();
    let mut tables = Tables::default();
    let openings = openings(records, open);
    for record in records {
        open_those_at(record.seq, &openings, records, &mut state);
        state.apply(record);
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
                tables.grants.insert(grant.id.to_string(), (0, None));
            }
            Event::Settled { request, .. } => {
                tables.requests.insert(request.to_string(), ("opened".into(), None));
            }
            Event::Ended { grant, why, .. } => {
                let row = tables.grants.get_mut(&grant.to_string()).expect("what ends was open");
                assert_eq!(row.1, None, "a grant ends once");
                row.1 = Some(why.to_string());
            }
            Event::PolicyLoaded { digest, .. } | Event::PolicyReverted { digest, .. } => {
                tables.policies.push(digest.to_string());
            }
            _ => {}
        }
        tables.remember(record);
        // The uses of what lives; what has ended keeps its last count.
        for grant in state.grants() {
            tables.grants.entry(grant.id.to_string()).and_modify(|row| row.0 = grant.used);
        }
    }
    open_those_at(state.next_seq(), &openings, records, &mut state);
    for one in open {
        let (session, unit) = (one.id, one.unit.clone());
        let placed = unit.map(|unit| Event::SessionPlaced { session, unit });
        placed.map(|placed| state.note(&one.at, None, &placed));
        if let Some(wall) = one.closed_at {
            let (login, leader) = (one.login.clone(), one.leader);
            let closed = Event::SessionClosed { login, leader, session: Some(session) };
            state.note(&Moment { wall, ..one.at.clone() }, None, &closed);
        }
    }
    let body = |row: serde_json::Result<String>| row.expect("what is stored can be written");
    tables.sessions = state.sessions().iter().map(|one| (one.id, body(serde_json::to_string(one)))).collect();
    tables.endings = (state.endings().values())
        .map(|one| (one.grant.to_string(), body(serde_json::to_string(one))))
        .collect();
    tables.stays = state.stays().map(|one| (one.uid.as_u32(), body(serde_json::to_string(one)))).collect();
    tables.locks = state.locks().keys().map(ToString::to_string).collect();
    tables.locks.sort();
    tables.claims = state.claims().iter().map(|claim| (claim.id, claim.grant.to_string())).collect();
    tables
}

/// The tables as they stand.
fn found(store: &Connection) -> rusqlite::Result<Tables> {
    fn all<T>(
        store: &Connection,
        query: &str,
        row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        store.prepare(query)?.query_map([], row)?.collect()
    }
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
        locks: all(store, "SELECT scope FROM lock ORDER BY scope", |row| row.get(0))?,
        grants: all(store, "SELECT id, used, why FROM grant_", |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
        })?
        .into_iter()
        .collect(),
        claims: all(store, "SELECT id, grant_ FROM claim", |row| {
            Ok((u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0), row.get(1)?))
        })?
        .into_iter()
        .collect(),
        sessions: all(store, "SELECT id, body FROM session", |row| {
            Ok((u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0), row.get(1)?))
        })?
        .into_iter()
        .collect(),
        endings: all(store, "SELECT grant_, body FROM ending", |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect(),
        stays: all(store, "SELECT uid, body FROM stay", |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect(),
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
