//! Rows and records: written in the transaction of their events, read back at start and for `list` and `show`.

use jit_core::audit::merkle;
use jit_core::audit::record::Encoded;
use jit_core::clock::Utc;
use jit_core::clock::trust::Trust;
use jit_core::digest::Digest;
use jit_core::event::{PolicyText, Review};
use jit_core::grant::{Claim, End, EndWhy, Grant};
use jit_core::request::Request;
use jit_core::state::{Closed, Pending, Row, State, Stored};
use jit_core::trial::Tried;
use jit_proto::manager::LIST_LIMIT;
use jit_proto::words::{RequestId, Uid};
use rusqlite::{Connection, OptionalExtension, Transaction, named_params, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// Writes one record.
pub(crate) fn write_record(change: &Transaction<'_>, record: &Encoded) -> Result<(), StoreError> {
    change.prepare_cached("INSERT INTO audit (seq, bytes, leaf) VALUES (?1, ?2, ?3)")?.execute(params![
        to_i64(record.seq),
        record.bytes,
        record.leaf.0.as_slice()
    ])?;
    Ok(())
}

/// Writes one changed row.
#[allow(clippy::too_many_lines, reason = "one arm for each kind of row, and they are many")]
pub(crate) fn write_row(change: &Transaction<'_>, row: &Row) -> Result<(), StoreError> {
    match row {
        Row::Request(request) => {
            change
                .prepare_cached(
                    "INSERT INTO request (id, filed, uid, user, body, bytes, state)
                     VALUES (:id, :filed, :uid, :user, :body, :bytes, 'pending')",
                )?
                .execute(named_params! {
                    ":id": request.id.to_string(),
                    ":filed": request.filed_at.wall.unix_millis(),
                    ":uid": request.beneficiary.uid.as_u32(),
                    ":user": request.beneficiary.name.as_str(),
                    ":body": json("request", request)?,
                    ":bytes": request.bytes(),
                })?;
        }
        Row::Closed { request, at, how } => {
            change
                .prepare_cached(
                    "UPDATE request SET state = 'closed', closed = ?2, how = ?3 WHERE id = ?1 AND state = 'pending'",
                )?
                .execute(params![request.to_string(), at.to_string(), how.as_str()])?;
        }
        Row::Settled { request } => {
            change
                .prepare_cached("UPDATE request SET state = 'opened' WHERE id = ?1 AND state = 'owed'")?
                .execute([request.to_string()])?;
        }
        Row::Discounted { request, by, at } => {
            change
                .prepare_cached(
                    "UPDATE review SET discounted = ?3
                     WHERE request = ?1 AND discounted IS NULL AND json_extract(body, '$.by.name') = ?2",
                )?
                .execute(params![request.to_string(), by.name.as_str(), at.to_string()])?;
        }
        Row::Review { request, at, review } => {
            change
                .prepare_cached("INSERT INTO review (request, at, body) VALUES (?1, ?2, ?3)")?
                .execute(params![request.to_string(), at.to_string(), json("review", review)?])?;
        }
        Row::Grant(grant) => {
            change.prepare_cached("UPDATE request SET state = ?2 WHERE id = ?1")?.execute([
                grant.request().to_string().as_str(),
                if grant.emergency { "owed" } else { "opened" },
            ])?;
            change
                .prepare_cached("INSERT INTO grant_ (id, request, body, used) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![
                    grant.id.to_string(),
                    grant.request().to_string(),
                    json("grant_", grant)?,
                    grant.used
                ])?;
        }
        Row::Began(grant) => {
            change
                .prepare_cached("UPDATE grant_ SET body = ?2 WHERE id = ?1")?
                .execute([grant.id.to_string(), json("grant_", grant)?])?;
        }
        Row::Lock(lock) => {
            change
                .prepare_cached("INSERT OR REPLACE INTO lock (scope, body) VALUES (?1, ?2)")?
                .execute([lock.scope.to_string(), json("lock", lock)?])?;
        }
        Row::LockGone(scope) => {
            change.prepare_cached("DELETE FROM lock WHERE scope = ?1")?.execute([scope.to_string()])?;
        }
        Row::Session(session) => {
            change
                .prepare_cached("INSERT OR REPLACE INTO session (id, body) VALUES (?1, ?2)")?
                .execute(params![to_i64(session.id), json("session", session)?])?;
        }
        Row::SessionGone(id) => {
            change.prepare_cached("DELETE FROM session WHERE id = ?1")?.execute([to_i64(*id)])?;
        }
        Row::Ending(ending) => {
            change
                .prepare_cached("INSERT OR REPLACE INTO ending (grant_, body) VALUES (?1, ?2)")?
                .execute([ending.grant.to_string(), json("ending", ending)?])?;
        }
        Row::EndingGone(grant) => {
            change.prepare_cached("DELETE FROM ending WHERE grant_ = ?1")?.execute([grant.to_string()])?;
        }
        Row::Used { grant, used } => {
            change
                .prepare_cached("UPDATE grant_ SET used = ?2 WHERE id = ?1")?
                .execute(params![grant.to_string(), used])?;
        }
        Row::Ended { grant, end } => {
            // Sticky: the first end is the end.
            change
                .prepare_cached("UPDATE grant_ SET ended = ?2, why = ?3 WHERE id = ?1 AND ended IS NULL")?
                .execute(params![grant.to_string(), end.at.to_string(), end.why.as_str()])?;
        }
        Row::Claim(claim) => {
            change
                .prepare_cached("INSERT INTO claim (id, grant_, body) VALUES (?1, ?2, ?3)")?
                .execute(params![to_i64(claim.id), claim.grant.to_string(), json("claim", claim)?])?;
        }
        Row::ClaimGone(id) => {
            change.prepare_cached("DELETE FROM claim WHERE id = ?1")?.execute([to_i64(*id)])?;
        }
        Row::Policy { digest, at, files } => {
            change
                .prepare_cached("INSERT INTO policy (digest, at, files) VALUES (?1, ?2, ?3)")?
                .execute(params![digest.to_string(), at.to_string(), json("policy", files)?])?;
        }
        Row::Tried(Some(tried)) => {
            change
                .prepare_cached("INSERT OR REPLACE INTO tried (one, body) VALUES (1, ?1)")?
                .execute([json("tried", tried)?])?;
        }
        Row::Tried(None) => {
            change.prepare_cached("DELETE FROM tried")?.execute([])?;
        }
    }
    Ok(())
}

/// Keeps what is known of the clock.
pub(crate) fn write_clock(change: &Transaction<'_>, clock: &Trust) -> Result<(), StoreError> {
    change
        .prepare_cached("INSERT OR REPLACE INTO clock (one, body) VALUES (1, ?1)")?
        .execute([json("clock", clock)?])?;
    Ok(())
}

/// The policy that was last in force.
#[derive(Debug)]
pub(crate) struct StoredPolicy {
    /// When it was loaded.
    pub(crate) at: Utc,
    /// Its files.
    pub(crate) files: Vec<PolicyText>,
}

/// What the store holds that lives.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The live state.
    pub(crate) state: State,
    /// The policy that was last in force.
    pub(crate) policy: Option<StoredPolicy>,
    /// The policy before that one, where it was on trial.
    pub(crate) before: Option<StoredPolicy>,
    /// What was known of the clock; absent before a first start.
    pub(crate) clock: Option<Trust>,
}

/// Reads the live state. Refuses rather than guesses: a row that does not read back is damage.
pub(crate) fn load(store: &Connection) -> Result<Loaded, StoreError> {
    let grants = store
        .prepare("SELECT body, used FROM grant_ WHERE ended IS NULL ORDER BY id")?
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?
        .map(|row| {
            let (body, used) = row?;
            let grant: Grant = parse("grant_", &body)?;
            Ok(Grant { used, ..grant })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let claims = bodies::<Claim>(store, "claim", "SELECT body FROM claim ORDER BY id")?;
    let pending = reviewable(store, "SELECT body FROM request WHERE state = 'pending' ORDER BY id")?;
    let owed = reviewable(store, "SELECT body FROM request WHERE state = 'owed' ORDER BY id")?;
    let locks = bodies(store, "lock", "SELECT body FROM lock ORDER BY scope")?;
    let sessions = bodies(store, "session", "SELECT body FROM session ORDER BY id")?;
    let endings = bodies(store, "ending", "SELECT body FROM ending ORDER BY grant_")?;
    let next_seq = check_end_of_log(store)?;
    let tried = bodies::<Tried>(store, "tried", "SELECT body FROM tried")?.pop();
    let before = match &tried {
        Some(Tried::Running(trial)) => {
            let before = policy(store, Some(trial.before))?;
            // Without it there is nothing to go back to, and what was only on trial must not stay.
            Some(before.ok_or_else(|| damaged("tried", "the policy before the trial is not there".into()))?)
        }
        Some(Tried::WentBack { .. }) | None => None,
    };
    let state = State::restore(Stored { grants, pending, owed, claims, locks, sessions, endings, next_seq });
    let state = state.with_tried(tried);
    let clock = bodies(store, "clock", "SELECT body FROM clock")?.pop();
    Ok(Loaded { state, policy: policy(store, None)?, before, clock })
}

/// The policy that last came into force: of all, or of those with this digest.
fn policy(store: &Connection, digest: Option<Digest>) -> Result<Option<StoredPolicy>, StoreError> {
    store
        .prepare("SELECT at, files FROM policy WHERE ?1 IS NULL OR digest = ?1 ORDER BY nr DESC LIMIT 1")?
        .query_row([digest.map(|digest| digest.to_string())], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })
        .optional()?
        .map(|(at, files)| Ok(StoredPolicy { at: utc("policy", &at)?, files: parse("policy", &files)? }))
        .transpose()
}

/// Requests with the reviews of them that count.
fn reviewable(store: &Connection, query: &str) -> Result<Vec<Pending>, StoreError> {
    let requests = bodies::<Request>(store, "request", query)?;
    let with_reviews = requests.into_iter().map(|request| {
        let reviews = reviews_of(store, request.id)?.into_iter().map(|(_, review)| review).collect();
        Ok(Pending { request, reviews })
    });
    with_reviews.collect()
}

/// The next sequence number. The last record has the leaf that was written with it; reading the whole log is for
/// whoever verifies it, not for a start that logins wait for.
fn check_end_of_log(store: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> = store.query_row("SELECT max(seq) FROM audit", [], |row| row.get(0))?;
    let Some(last) = last else { return Ok(0) };
    let (bytes, leaf): (Vec<u8>, Vec<u8>) =
        store.query_row("SELECT bytes, leaf FROM audit WHERE seq = ?1", [last], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if merkle::leaf(&bytes).0.as_slice() != leaf {
        return Err(damaged("audit", format!("record {last} does not have its leaf")));
    }
    Ok(to_u64(last) + 1)
}

/// A request with all that became of it, live or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Story {
    /// The request.
    pub(crate) request: Request,
    /// Its reviews with their times, in order.
    pub(crate) reviews: Vec<(Utc, Review)>,
    /// The grant, if it opened.
    pub(crate) grant: Option<Grant>,
    /// The end of the grant.
    pub(crate) end: Option<End>,
    /// When and how the request ended without having opened.
    pub(crate) closed: Option<(Utc, Closed)>,
    /// Whether it opened as an emergency whose review is owed.
    pub(crate) owed: bool,
}

/// Which requests `list` wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter {
    /// Also what is over.
    pub(crate) all: bool,
    /// Only this beneficiary's.
    pub(crate) uid: Option<Uid>,
}

/// Requests and what became of them, oldest first; of more than [`LIST_LIMIT`], the newest.
pub(crate) fn stories(store: &Connection, filter: Filter) -> Result<Vec<Story>, StoreError> {
    let limit = i64::try_from(LIST_LIMIT).unwrap_or(i64::MAX);
    let mut ids = store
        .prepare(
            "SELECT request.id FROM request LEFT JOIN grant_ ON grant_.request = request.id
             WHERE (:all OR request.state IN ('pending', 'owed') OR (grant_.id IS NOT NULL AND grant_.ended IS NULL))
               AND (:uid IS NULL OR request.uid = :uid)
             ORDER BY filed DESC, request.id LIMIT :limit",
        )?
        .query_map(
            named_params! { ":all": filter.all, ":uid": filter.uid.map(Uid::as_u32), ":limit": limit },
            |row| row.get::<_, String>(0),
        )?
        .collect::<Result<Vec<_>, _>>()?;
    ids.reverse();
    let mut stories = Vec::with_capacity(ids.len());
    for id in ids {
        let id = id.parse().map_err(|_| damaged("request", format!("id {id}")))?;
        stories.extend(story(store, id)?);
    }
    Ok(stories)
}

/// One request and what became of it.
pub(crate) fn story(store: &Connection, id: RequestId) -> Result<Option<Story>, StoreError> {
    let row = store
        .prepare_cached("SELECT body, closed, how, state = 'owed' FROM request WHERE id = ?1")?
        .query_row([id.to_string()], |row| {
            let closed: Option<String> = row.get(1)?;
            let how: Option<String> = row.get(2)?;
            Ok((row.get::<_, String>(0)?, closed.zip(how), row.get(3)?))
        })
        .optional()?;
    let Some((body, closed, owed)) = row else { return Ok(None) };
    let request: Request = parse("request", &body)?;
    let closed =
        closed.map(|(at, how)| Ok::<_, StoreError>((utc("request", &at)?, closing(&how)?))).transpose()?;
    let row = store
        .prepare_cached("SELECT body, used, ended, why FROM grant_ WHERE request = ?1")?
        .query_row([id.to_string()], |row| {
            let ended: Option<String> = row.get(2)?;
            let why: Option<String> = row.get(3)?;
            Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?, ended.zip(why)))
        })
        .optional()?;
    let mut grant = None;
    let mut end = None;
    if let Some((body, used, ended)) = row {
        grant = Some(Grant { used, ..parse::<Grant>("grant_", &body)? });
        if let Some((at, why)) = ended {
            let why: EndWhy = parse("grant_", &format!("{why:?}"))?;
            end = Some(End { at: utc("grant_", &at)?, why });
        }
    }
    Ok(Some(Story { request, reviews: reviews_of(store, id)?, grant, end, closed, owed }))
}

fn closing(how: &str) -> Result<Closed, StoreError> {
    let known =
        [Closed::Withdrawn, Closed::Denied, Closed::Lapsed].into_iter().find(|known| known.as_str() == how);
    known.ok_or_else(|| damaged("request", format!("it ended by {how:?}")))
}

fn reviews_of(store: &Connection, request: RequestId) -> Result<Vec<(Utc, Review)>, StoreError> {
    store
        .prepare_cached(
            "SELECT at, body FROM review WHERE request = ?1 AND discounted IS NULL ORDER BY rowid",
        )?
        .query_map([request.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
        .map(|row| {
            let (at, body) = row?;
            Ok((utc("review", &at)?, parse("review", &body)?))
        })
        .collect()
}

/// Records from `first` on, at most `limit`.
pub(crate) fn records(store: &Connection, first: u64, limit: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    store
        .prepare_cached("SELECT seq, bytes FROM audit WHERE seq >= ?1 ORDER BY seq LIMIT ?2")?
        .query_map(params![to_i64(first), limit], |row| Ok((to_u64(row.get(0)?), row.get(1)?)))?
        .collect::<Result<_, _>>()
        .map_err(Into::into)
}

/// The number that the next record will have.
pub(crate) fn next_seq(store: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> = store.query_row("SELECT max(seq) FROM audit", [], |row| row.get(0))?;
    Ok(last.map_or(0, |last| to_u64(last) + 1))
}

/// How far a log has taken the records, if that was ever noted.
pub(crate) fn cursor(store: &Connection, sink: &str) -> Result<Option<u64>, StoreError> {
    let next =
        store.query_row("SELECT next FROM sink WHERE name = ?1", [sink], |row| row.get(0)).optional()?;
    Ok(next.map(to_u64))
}

/// Notes how far a log has taken the records.
pub(crate) fn write_cursor(change: &Transaction<'_>, sink: &str, next: u64) -> Result<(), StoreError> {
    change
        .prepare_cached("INSERT OR REPLACE INTO sink (name, next) VALUES (?1, ?2)")?
        .execute(params![sink, to_i64(next)])?;
    Ok(())
}

/// Forgets how far a log has taken the records: it is off.
pub(crate) fn forget_cursor(change: &Transaction<'_>, sink: &str) -> Result<(), StoreError> {
    change.prepare_cached("DELETE FROM sink WHERE name = ?1")?.execute([sink])?;
    Ok(())
}

fn bodies<T: DeserializeOwned>(
    store: &Connection,
    table: &'static str,
    query: &str,
) -> Result<Vec<T>, StoreError> {
    store
        .prepare(query)?
        .query_map([], |row| row.get::<_, String>(0))?
        .map(|body| parse(table, &body?))
        .collect()
}

fn json<T: Serialize>(table: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|err| damaged(table, err.to_string()))
}

fn parse<T: DeserializeOwned>(table: &'static str, body: &str) -> Result<T, StoreError> {
    // Each schema has one form of these, and no other version's is guessed at.
    serde_json::from_str(body).map_err(|err| {
        let what = format!(
            "a row does not read ({err}); if another version of jitd wrote it, install that one again or move \
             the store away, with which every open window is over"
        );
        damaged(table, what)
    })
}

fn utc(table: &'static str, text: &str) -> Result<Utc, StoreError> {
    text.parse().map_err(|err| damaged(table, format!("{err}")))
}

fn damaged(table: &'static str, what: String) -> StoreError {
    StoreError::Damaged { table, what }
}

/// SQLite counts in i64; a log that long cannot be written.
fn to_i64(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn to_u64(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}
