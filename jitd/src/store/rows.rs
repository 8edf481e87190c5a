//! Rows and records: written in the transaction of their events, read back at start and for `list` and `show`.

use std::collections::BTreeSet;

use jit_core::clock::Trust;
use jit_core::digest::Digest;
use jit_core::event::PolicyText;
use jit_core::model::{
    Claim, Closed, Earlier, End, EndWhy, Grant, Pending, Person, Request, Review, Since, Taken, Tried,
};
use jit_core::proof::merkle::Frontier;
use jit_core::proof::note::PublicKey;
use jit_core::state::{Row, State, Stored};
use jit_core::time::Utc;
use jit_proto::manager::LIST_LIMIT;
use jit_proto::words::{GrantId, RequestId, Uid};
use rusqlite::{Connection, OptionalExtension, named_params, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::archive;
use super::error::StoreError;
use super::log;
pub(crate) use super::log::{next_seq, records};
use super::value::{damaged, to_i64, to_u64};

/// Writes one changed row.
pub(crate) fn write_row(change: &Connection, row: &Row) -> Result<(), StoreError> {
    match row {
        Row::Request(request) => write_request(change, request),
        Row::Closed { request, at, how } => run(
            change,
            "UPDATE request SET state = 'closed', closed = ?2, how = ?3 WHERE id = ?1 AND state = 'pending'",
            params![request.to_string(), at.to_string(), how.as_str()],
        ),
        Row::Settled { request } => run(
            change,
            "UPDATE request SET state = 'opened' WHERE id = ?1 AND state = 'owed'",
            [request.to_string()],
        ),
        Row::Discounted { request, by, at } => run(
            change,
            "UPDATE review SET discounted = ?3
                     WHERE request = ?1 AND discounted IS NULL AND json_extract(body, '$.by.name') = ?2",
            params![request.to_string(), by.name.as_str(), at.to_string()],
        ),
        Row::Review { request, at, review } => run(
            change,
            "INSERT INTO review (request, at, body) VALUES (?1, ?2, ?3)",
            params![request.to_string(), at.to_string(), json("review", review)?],
        ),
        Row::Grant(grant) => write_grant(change, grant),
        Row::Began(grant) => write_begun(change, grant),
        Row::Lock(lock) => run(
            change,
            "INSERT OR REPLACE INTO lock (scope, body) VALUES (?1, ?2)",
            [lock.scope.to_string(), json("lock", lock)?],
        ),
        Row::LockGone(scope) => run(change, "DELETE FROM lock WHERE scope = ?1", [scope.to_string()]),
        Row::Session(session) => run(
            change,
            "INSERT OR REPLACE INTO session (id, body) VALUES (?1, ?2)",
            params![to_i64(session.id), json("session", session)?],
        ),
        Row::SessionGone(id) => run(change, "DELETE FROM session WHERE id = ?1", [to_i64(*id)]),
        Row::Termination(ending) => run(
            change,
            "INSERT OR REPLACE INTO ending (grant_, body) VALUES (?1, ?2)",
            [ending.grant.to_string(), json("ending", ending)?],
        ),
        Row::EndingGone(grant) => run(change, "DELETE FROM ending WHERE grant_ = ?1", [grant.to_string()]),
        Row::Stay(stay) => run(
            change,
            "INSERT OR REPLACE INTO stay (uid, body) VALUES (?1, ?2)",
            params![stay.uid.as_u32(), json("stay", stay)?],
        ),
        Row::StayGone(uid) => run(change, "DELETE FROM stay WHERE uid = ?1", [uid.as_u32()]),
        Row::Used { grant, used } => {
            run(change, "UPDATE grant_ SET used = ?2 WHERE id = ?1", params![grant.to_string(), used])
        }
        Row::Ended { grant, end } => {
            // Sticky: the first end is the end.
            run(
                change,
                "UPDATE grant_ SET ended = ?2, why = ?3 WHERE id = ?1 AND ended IS NULL",
                params![grant.to_string(), end.at.to_string(), end.why.as_str()],
            )
        }
        Row::Claim(claim) => run(
            change,
            "INSERT INTO claim (id, grant_, body) VALUES (?1, ?2, ?3)",
            params![to_i64(claim.id), claim.grant.to_string(), json("claim", claim)?],
        ),
        Row::ClaimGone(id) => run(change, "DELETE FROM claim WHERE id = ?1", [to_i64(*id)]),
        Row::Policy { digest, at, files } => run(
            change,
            "INSERT INTO policy (digest, at, files) VALUES (?1, ?2, ?3)",
            params![digest.to_string(), at.to_string(), json("policy", files)?],
        ),
        Row::Archived(archived) => archive::write(change, archived),
        Row::HostKey(key) => write_host_key(change, key),
        Row::Tried(Some(tried)) => {
            run(change, "INSERT OR REPLACE INTO tried (one, body) VALUES (1, ?1)", [json("tried", tried)?])
        }
        Row::PolicyChanges(changes) if changes.is_empty() => run(change, "DELETE FROM policy_change", []),
        Row::PolicyChanges(changes) => run(
            change,
            "INSERT OR REPLACE INTO policy_change (one, body) VALUES (1, ?1)",
            [json("policy_change", changes)?],
        ),
        Row::CodeTry(one) => run(
            change,
            "INSERT OR REPLACE INTO code_try (id, body) VALUES (?1, ?2)",
            params![to_i64(one.id), json("code_try", one)?],
        ),
        Row::CodeTryGone(id) => run(change, "DELETE FROM code_try WHERE id = ?1", [to_i64(*id)]),
        Row::Tried(None) => run(change, "DELETE FROM tried", []),
        Row::Taken(taken) => write_taken(change, taken),
        Row::Tombstone(stone) => write_serial(change, "tombstone", &stone.serial.to_string(), stone),
        Row::Since(since) => write_since(change, *since),
        Row::Earlier(earlier) => write_earlier(change, earlier),
        Row::EarlierGone(earlier) => drop_earlier(change, earlier),
    }
}

fn write_host_key(change: &Connection, key: &PublicKey) -> Result<(), StoreError> {
    run(change, "INSERT OR REPLACE INTO host_key (one, key) VALUES (1, ?1)", [key.to_string()])
}

/// The first that had a serial is the one.
fn write_taken(change: &Connection, taken: &Taken) -> Result<(), StoreError> {
    let of = if taken.is_of_a_lock() { "lock:" } else { "" };
    write_serial(change, "taken", &format!("{of}{}", taken.serial), taken)
}

fn write_serial(
    change: &Connection,
    table: &'static str,
    serial: &str,
    body: &impl Serialize,
) -> Result<(), StoreError> {
    let insert = format!("INSERT OR IGNORE INTO {table} (serial, body) VALUES (?1, ?2)");
    run(change, &insert, [serial.to_owned(), json(table, body)?])
}

fn write_earlier(change: &Connection, earlier: &Earlier) -> Result<(), StoreError> {
    let Person { name, uid, person, .. } = &earlier.holder;
    run(
        change,
        "INSERT OR REPLACE INTO earlier (role, uid, user, person, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            earlier.role.as_str(),
            uid.as_u32(),
            name.as_str(),
            person.as_ref().map_or_else(String::new, ToString::to_string),
            json("earlier", earlier)?
        ],
    )
}

fn drop_earlier(change: &Connection, earlier: &Earlier) -> Result<(), StoreError> {
    let Person { name, uid, person, .. } = &earlier.holder;
    run(
        change,
        "DELETE FROM earlier WHERE role = ?1 AND uid = ?2 AND user = ?3 AND person = ?4",
        params![
            earlier.role.as_str(),
            uid.as_u32(),
            name.as_str(),
            person.as_ref().map_or_else(String::new, ToString::to_string)
        ],
    )
}

fn write_since(change: &Connection, since: Since) -> Result<(), StoreError> {
    run(change, "INSERT OR REPLACE INTO since (one, body) VALUES (1, ?1)", [json("since", &since)?])
}

fn write_request(change: &Connection, request: &Request) -> Result<(), StoreError> {
    run(
        change,
        "INSERT INTO request (id, filed, uid, user, body, bytes, state)
                     VALUES (:id, :filed, :uid, :user, :body, :bytes, 'pending')",
        named_params! {
            ":id": request.id.to_string(),
            ":filed": request.filed_at.wall.unix_millis(),
            ":uid": request.beneficiary.uid.as_u32(),
            ":user": request.beneficiary.name.as_str(),
            ":body": json("request", request)?,
            ":bytes": request.bytes(),
        },
    )
}

/// A grant opens its request.
fn write_begun(change: &Connection, grant: &Grant) -> Result<(), StoreError> {
    let values = [grant.id.to_string(), json("grant_", grant)?];
    run(change, "UPDATE grant_ SET body = ?2 WHERE id = ?1", values)
}

fn write_grant(change: &Connection, grant: &Grant) -> Result<(), StoreError> {
    run(
        change,
        "UPDATE request SET state = ?2 WHERE id = ?1",
        [grant.request().to_string().as_str(), if grant.emergency { "owed" } else { "opened" }],
    )?;
    run(
        change,
        "INSERT INTO grant_ (id, request, body, used) VALUES (?1, ?2, ?3, ?4)",
        params![grant.id.to_string(), grant.request().to_string(), json("grant_", grant)?, grant.used],
    )
}

/// Runs one statement, which is kept prepared.
fn run(change: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
    change.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Keeps what is known of the clock.
pub(crate) fn write_clock(change: &Connection, clock: &Trust) -> Result<(), StoreError> {
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
    /// The policy's files.
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
    /// The tree over the log.
    pub(crate) tree: Frontier,
    /// The key that signs the log; absent before a first start with one.
    pub(crate) host_key: Option<PublicKey>,
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
    let reviews = reviews_of_live(store, &grants, &owed)?;
    let locks = bodies(store, "lock", "SELECT body FROM lock ORDER BY scope")?;
    let sessions = bodies(store, "session", "SELECT body FROM session ORDER BY id")?;
    let endings = bodies(store, "ending", "SELECT body FROM ending ORDER BY grant_")?;
    let stays = bodies(store, "stay", "SELECT body FROM stay ORDER BY uid")?;
    let code_tries = bodies(store, "code_try", "SELECT body FROM code_try ORDER BY id")?;
    let taken = bodies(store, "taken", "SELECT body FROM taken ORDER BY serial")?;
    let tombstones = bodies(store, "tombstone", "SELECT body FROM tombstone ORDER BY serial")?;
    let earlier = bodies(store, "earlier", "SELECT body FROM earlier ORDER BY role, uid, user, person")?;
    let since = bodies(store, "since", "SELECT body FROM since")?.pop();
    let tree = log::tree(store)?;
    let next_seq = tree.size();
    let tried = bodies::<Tried>(store, "tried", "SELECT body FROM tried")?.pop();
    let before = match &tried {
        Some(Tried::Running(trial)) => {
            let before = policy(store, Some(trial.before))?;
            // Without it there is nothing to go back to, and what was only on trial must not stay.
            Some(before.ok_or_else(|| damaged("tried", "the policy before the trial is not there".into()))?)
        }
        Some(Tried::WentBack { .. }) | None => None,
    };
    let stored = Stored {
        grants,
        pending,
        owed,
        reviews,
        claims,
        locks,
        sessions,
        endings,
        stays,
        code_tries,
        taken,
        tombstones,
        earlier,
        since,
        next_seq,
    };
    let changes = bodies(store, "policy_change", "SELECT body FROM policy_change")?.pop();
    let state = State::restore(stored).with_tried(tried).with_policy_changes(changes.unwrap_or_default());
    let clock = bodies(store, "clock", "SELECT body FROM clock")?.pop();
    let host_key = host_key(store)?;
    Ok(Loaded { state, policy: policy(store, None)?, before, clock, tree, host_key })
}

/// The key that signs the log, as far as it is known.
fn host_key(store: &Connection) -> Result<Option<PublicKey>, StoreError> {
    let key: Option<String> = store.query_row("SELECT key FROM host_key", [], |row| row.get(0)).optional()?;
    let parsed = key.map(|key| key.parse().map_err(|err| damaged("host_key", format!("{err}"))));
    parsed.transpose()
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

/// A request with all that became of it, live or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Story {
    /// The request itself.
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

/// The reviews of what is open or will be, but of emergencies that owe theirs.
fn reviews_of_live(
    store: &Connection,
    grants: &[Grant],
    owed: &[Pending],
) -> Result<Vec<(GrantId, Vec<Review>)>, StoreError> {
    let owed: BTreeSet<RequestId> = owed.iter().map(|one| one.request.id).collect();
    grants
        .iter()
        .filter(|grant| !owed.contains(&grant.request()))
        .map(|grant| {
            let reviews = reviews_of(store, grant.request())?.into_iter().map(|(_, review)| review);
            Ok((grant.id, reviews.collect()))
        })
        .collect()
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

/// How far a log has taken the records, if that was ever noted.
pub(crate) fn cursor(store: &Connection, sink: &str) -> Result<Option<u64>, StoreError> {
    let next =
        store.query_row("SELECT next FROM sink WHERE name = ?1", [sink], |row| row.get(0)).optional()?;
    Ok(next.map(to_u64))
}

/// Notes how far a log has taken the records.
pub(crate) fn write_cursor(change: &Connection, sink: &str, next: u64) -> Result<(), StoreError> {
    change
        .prepare_cached("INSERT OR REPLACE INTO sink (name, next) VALUES (?1, ?2)")?
        .execute(params![sink, to_i64(next)])?;
    Ok(())
}

/// Forgets how far a log has taken the records: it is off.
pub(crate) fn forget_cursor(change: &Connection, sink: &str) -> Result<(), StoreError> {
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
