//! A line on the terminals of people who are logged in and may review a request, when it starts to wait for them.
//!
//! Off unless `jitd.toml` says `tell-terminals = true`. Others look at terminals, so the line has no reason in it,
//! and `mesg n` (mesg(1)) is respected: jitd is in the group `tty` and has no privilege beside it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jit_core::context::Context;
use jit_core::model::{Caller, LoginAccount, Pending, Person};
use jit_core::orders::{review, stages};
use jit_core::policy::{Method, Subject, Who};
use jit_proto::text::Shown;
use jit_proto::words::{RequestId, Uid};
use zbus::{OwnedObjectPath, OwnedVariant};
use zruntime::SharedRuntime;

use crate::app::App;
use crate::bus::for_questions;
use crate::log;
use crate::nss::{Share, Whose};
use crate::tty::Tty;

/// However fast requests come in, a terminal gets no more than one line in this time.
const BETWEEN: Duration = Duration::from_secs(10);

/// How long logind and the name service may take to say who is logged in.
const LIMIT: Duration = Duration::from_secs(5);

/// A stage can begin to ask others with nothing happening but time.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// More terminals than this are not told: they are a fleet's, not a person's.
const MOST: usize = 256;

/// Tells reviewers for as long as jitd runs.
pub(crate) async fn keep_telling(app: Arc<App>, runtime: SharedRuntime) {
    // What waits when jitd starts has been told of before.
    let mut known: Option<BTreeMap<RequestId, Asked>> = None;
    loop {
        let changed = app.desk.changed.listen();
        if let Ok(now) = app.desk.look(asked) {
            let begun = known.as_ref().map_or_else(Vec::new, |known| begun(known, &now));
            known = Some(now);
            if !begun.is_empty() {
                match runtime.timeout(LIMIT, tell(&app, &begun)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(err)) => log::warning(format_args!("reviewers' terminals were not told: {err}")),
                    Err(_) => log::warning("reviewers' terminals were not told: logind does not answer"),
                }
                runtime.sleep(BETWEEN).await;
                continue;
            }
        }
        match runtime.timeout(LOOK_AGAIN, changed).await {
            Ok(()) | Err(_) => {}
        }
    }
}

/// Whom a request asks now, and what they need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    request: RequestId,
    stage: String,
    approvers: Vec<Who>,
    line: String,
}

/// What each request that can be reviewed at this host's terminals asks now.
fn asked(here: Context<'_>) -> BTreeMap<RequestId, Asked> {
    let state = here.state;
    let of = |pending: &Pending| {
        let (waiting, approvers) = stages::asked_in(here, pending)?;
        if !waiting.accept.contains(&Method::Online) {
            return None;
        }
        let request = &pending.request;
        let opened = state.owed().contains_key(&request.id);
        let line = line(&request.filed_by, &request.beneficiary, request.role.as_str(), request.id, opened);
        Some(Asked { request: request.id, stage: waiting.name, approvers, line })
    };
    let all = state.pending().iter().chain(state.owed());
    all.filter_map(|(id, pending)| Some((*id, of(pending)?))).collect()
}

/// Those that have begun to ask somebody since.
fn begun(before: &BTreeMap<RequestId, Asked>, now: &BTreeMap<RequestId, Asked>) -> Vec<Asked> {
    now.iter().filter(|(id, asked)| before.get(id) != Some(asked)).map(|(_, asked)| asked.clone()).collect()
}

/// Whether this account, logged in as itself, may review it now.
fn may_review(here: Context<'_>, id: RequestId, account: &Subject) -> bool {
    let caller = Caller { account: account.clone(), login: LoginAccount::Known(account.clone()) };
    here.state.reviewable(id).is_some_and(|pending| {
        // Whoever filed it knows of it.
        !pending.request.filed_by.is_account(account) && review::waits_for(here, pending, &caller)
    })
}

/// Tells everybody who is logged in and may review one of these.
async fn tell(app: &App, begun: &[Asked]) -> zbus::Result<()> {
    let mut accounts: HashMap<Uid, Option<Subject>> = HashMap::new();
    for Login { uid, tty } in logged_in().await?.into_iter().take(MOST) {
        if let std::collections::hash_map::Entry::Vacant(place) = accounts.entry(uid) {
            let known = app.names.account(Whose::Uid(uid), Share::Jitd, &app.desk.groups()).await;
            place.insert(known.subject().cloned());
        }
        let Some(Some(account)) = accounts.get(&uid) else { continue };
        let theirs: Vec<&Asked> = begun
            .iter()
            .filter(|asked| app.desk.look(|here| may_review(here, asked.request, account)).unwrap_or(false))
            .collect();
        if let Some(text) = text(&theirs) {
            // A terminal that wants no messages, has gone, or is somebody else's by now: nothing to report.
            drop(tty.write(uid, &text));
        }
    }
    Ok(())
}

fn line(filed_by: &Person, beneficiary: &Person, role: &str, id: RequestId, opened: bool) -> String {
    let (by, whom) = (filed_by.name.as_str(), beneficiary.name.as_str());
    let on_behalf = if by == whom { String::new() } else { format!(" for {}", Shown(whom)) };
    // An emergency is announced to all who review it, when it has happened.
    let what = if opened { "EMERGENCY: opened" } else { "asks for" };
    format!("{} {what} {}{on_behalf}: jitctl show {id}", Shown(by), Shown(role))
}

/// One line, whatever has begun to wait.
fn text(asked: &[&Asked]) -> Option<String> {
    let said = match asked {
        [] => return None,
        [one] => one.line.clone(),
        more => format!("{} requests wait for your review: jitctl pending", more.len()),
    };
    // The person may be in the middle of a line of their own.
    Some(format!("\r\njit: {said}\r\n"))
}

/// A login on a terminal.
#[derive(Debug)]
struct Login {
    uid: Uid,
    tty: Tty,
}

/// Who is logged in on a terminal, as logind says (org.freedesktop.login1(5)).
async fn logged_in() -> zbus::Result<Vec<Login>> {
    const LOGIND: &str = "org.freedesktop.login1";
    type Session = (String, u32, String, String, OwnedObjectPath);

    let bus = for_questions().await?;
    let manager = (Some(LOGIND), "/org/freedesktop/login1", Some("org.freedesktop.login1.Manager"));
    let reply = bus.call_method(manager.0, manager.1, manager.2, "ListSessions", &()).await?;
    let sessions: Vec<Session> = reply.body().deserialize()?;
    let mut found = Vec::new();
    for (_, uid, _, _, path) in sessions {
        let interface = "org.freedesktop.login1.Session";
        let properties = Some("org.freedesktop.DBus.Properties");
        // A session that ended meanwhile has no answer.
        let Ok(reply) = bus.call_method(Some(LOGIND), path, properties, "GetAll", &interface).await else {
            continue;
        };
        let body = reply.body();
        let Ok(facts) = body.deserialize::<HashMap<String, OwnedVariant>>() else { continue };
        let fact = |name: &str| facts.get(name).and_then(|fact| <&str>::try_from(fact).ok());
        if fact("State") == Some("closing") || fact("Class") != Some("user") {
            continue;
        }
        if let (Ok(uid), Some(Ok(tty))) = (Uid::try_from(uid), fact("TTY").map(str::parse)) {
            found.push(Login { uid, tty });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::policy::Policy;
    use jit_core::time::Moment;
    use std::collections::BTreeSet;

    use jit_core::event::{Event, Record};
    use jit_core::model::{Decision, Narrow, Review};
    use jit_core::orders::request::{RequestOrder, grant};
    use jit_core::policy::{Host, SourceFile, Ways};
    use jit_core::state::State;
    use jit_core::time::Utc;

    const POLICY: &str = r#"
version = 1
[admins]
users = ["root", "olga"]
[[exempt]]
users = ["root"]
services = ["login"]
[people]
maria = { accounts = ["maria", "adm-maria"] }
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["maria", "adm-maria", "olga", "tom"], groups = ["dba"] }
approvals = 2
[[role.shell.stage]]
name = "owner"
approvers = { users = ["owen"] }
"#;

    fn account(name: &str, uid: u32, groups: &[&str]) -> Subject {
        Subject {
            groups: groups.iter().map(|group| group.parse().unwrap()).collect::<BTreeSet<_>>(),
            ..Subject::named(name.parse().unwrap(), Uid::try_from(uid).unwrap())
        }
    }

    fn now() -> Moment {
        let boot_id = "00000000-0000-0000-0000-000000000000+1".parse().unwrap();
        Moment::believed(Utc::from_unix_millis(1_800_000_000_000), 1000, boot_id)
    }

    /// What one host knows.
    struct Bed {
        policy: Policy,
        state: State,
        host: Host,
        now: Moment,
    }

    impl Bed {
        fn here(&self) -> Context<'_> {
            Context {
                policy: &self.policy,
                state: &self.state,
                host: &self.host,
                now: &self.now,
                tickets: jit_core::tickets::Register::NONE,
            }
        }

        fn apply(&mut self, event: Event) {
            let seq = self.state.next_seq();
            self.state.apply(&Record { seq, at: now(), actor: None, event });
        }
    }

    /// A request of maria's that olga filed and approved.
    fn bed() -> (Bed, RequestId) {
        let file = SourceFile { name: "10.toml".into(), bytes: POLICY.into() };
        let policy = Policy::parse(&[file]).unwrap().policy;
        let olga = account("olga", 1001, &[]);
        let caller = Caller { account: olga.clone(), login: LoginAccount::Known(olga) };
        let order = RequestOrder {
            beneficiary: account("maria", 1000, &[]),
            role: "shell".parse().unwrap(),
            duration: None,
            start: None,
            reason: "INC-1 disk full".parse().unwrap(),
            id: RequestId::from_bits(7),
        };
        let host = Host { name: "db-1".parse().unwrap(), groups: BTreeSet::new(), ways: Ways::default() };
        let mut bed = Bed { policy, state: State::default(), host, now: now() };
        for event in grant(bed.here(), &caller, order).unwrap() {
            bed.apply(event);
        }
        (bed, RequestId::from_bits(7))
    }

    fn review(bed: &mut Bed, id: RequestId, by: &Subject) {
        let review = Review {
            by: Person::of(by),
            decision: Decision::Approve,
            stage: "lead".into(),
            sets: BTreeSet::new(),
            method: Method::Online,
            at: now(),
            narrow: Narrow::default(),
            note: None,
            signed: None,
            code: None,
        };
        let digest = bed.state.pending()[&id].request.digest();
        bed.apply(Event::Reviewed { request: id, digest, review });
    }

    #[test]
    fn whoever_may_review_is_told_and_nobody_who_asks_benefits_or_has_reviewed() {
        let (mut bed, id) = bed();
        let may = |bed: &Bed, who: &Subject| may_review(bed.here(), id, who);
        assert!(may(&bed, &account("tom", 1002, &[])));
        assert!(may(&bed, &account("dirk", 1003, &["dba"])));
        for not in [
            account("maria", 1000, &[]),
            account("maria", 1000, &["dba"]),
            account("adm-maria", 1010, &[]),
            account("olga", 1001, &[]),
            account("nils", 1004, &[]),
            account("owen", 1005, &[]),
        ] {
            assert!(!may(&bed, &not), "{}", not.name);
        }
        let tom = account("tom", 1002, &[]);
        review(&mut bed, id, &tom);
        assert!(!may(&bed, &tom));
        assert!(may(&bed, &account("owen", 1005, &[])));
    }

    #[test]
    fn each_stage_of_a_request_is_told_once() {
        let (mut bed, id) = bed();
        let first = asked(bed.here());
        assert_eq!(begun(&BTreeMap::new(), &first).len(), 1);
        assert_eq!(begun(&first, &asked(bed.here())), []);
        review(&mut bed, id, &account("tom", 1002, &[]));
        let second = asked(bed.here());
        let stages: Vec<_> = begun(&first, &second).into_iter().map(|asked| asked.stage).collect();
        assert_eq!(stages, ["owner"]);
    }

    #[test]
    fn the_line_names_who_asks_for_what_and_no_reason() {
        let (bed, id) = bed();
        let all = asked(bed.here());
        let one = &all[&id];
        assert_eq!(
            text(&[one]).unwrap(),
            format!("\r\njit: olga asks for shell for maria: jitctl show {id}\r\n")
        );
        assert_eq!(
            text(&[one, one]).unwrap(),
            "\r\njit: 2 requests wait for your review: jitctl pending\r\n"
        );
        assert_eq!(text(&[]), None);
    }
}
