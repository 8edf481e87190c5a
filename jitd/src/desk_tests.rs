//! The desk over a real store: what is answered is on disk, what failed never happened, what is on disk is
//! what the audit log says.

mod access_tests;
mod checkpoint_tests;
mod clock_tests;
mod earlier_tests;
mod fault_tests;
mod looked_tests;
mod policy_change_tests;
mod room_tests;
mod trial_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use jit_core::context::Context;
use jit_core::event::{Event, Record};
use jit_core::model::{Actor, Caller, Known, Login as LoginEvent, LoginAccount, Past, Question};
use jit_core::orders::Refusal;
use jit_core::orders::request::{self, RequestOrder};
use jit_core::orders::revoke::{self, Target};
use jit_core::policy::{Facts, Group, Sudo};
use jit_core::state::State;
use jit_core::time::Moment;
use jit_proto::gate::Stage;
use jit_proto::login_request::State as RequestState;
use jit_proto::words::{RequestId, Uid, Verdict};
use rusqlite::Connection;

use crate::desk::{
    BadFiles, CannotDecide, CheckRecord, Checked, Judged, Load, LoadedBy, Looked, NotDone, NotLoaded, Source,
    Waits, Word,
};
use crate::store::rows;
use crate::store::writer::{self, Ticket};
use crate::testing::{Daemon, POLICY, ROOT, by, host, maria, order, records, root, subject, write_policy};
use jit_core::orders::policy_change::Way;

impl Daemon {
    /// Waits until the desk knows that all before is on disk, what has no record of its own too.
    fn until_durable(&self) {
        self.until(|_| zruntime::block_on(self.desk().catch_up()).is_ok());
    }

    fn revoke(&self, target: Target) -> Result<Ticket, NotDone> {
        self.order(&by(root()), |here, caller| revoke::revoke(here, caller, target, None))
    }

    fn load(&self, load: Load, actor: Option<Actor>) -> Result<Result<Option<Ticket>, NotLoaded>, NotDone> {
        let looked = by(root());
        let by = actor.map(|actor| LoadedBy {
            looked: &looked,
            trust: Word::Nobody,
            actor,
            reason: None,
            way: Way::Usual,
            forced: &[],
        });
        self.desk().load_policy(&self.desk().read_policy(), load, by)
    }

    fn ask(&self, question: &Question) -> Result<Checked, CannotDecide> {
        match self.desk().check(question, ROOT, None, Waits::ForMore)? {
            Judged::Answered(checked) => Ok(checked),
            Judged::TakesMore(groups) => panic!("{groups:?}"),
        }
    }

    fn check(&self) -> Result<Verdict, CannotDecide> {
        let checked = self.ask(&question())?;
        let verdict = checked.verdict();
        match checked.ticket() {
            Some(ticket) => zruntime::block_on(ticket.durable())
                .map(|_| verdict)
                .map_err(|err| CannotDecide::ForNow(err.to_string())),
            None => Ok(verdict),
        }
    }
}

fn question() -> Question {
    Question {
        stage: Stage::Account,
        login: LoginEvent {
            service: "sshd".parse().unwrap(),
            user: "maria".parse().unwrap(),
            uid: Some(maria().uid),
            target: None,
            rhost: String::new(),
            tty: String::new(),
            keys: Vec::new(),
            person: None,
        },
        subject: Known::Fully(maria()),
        caller_uid: Uid::ROOT,
        holds_claim: false,
        from: None,
        opener: None,
        asking: None,
        asker: None,
        awaits_key: false,
    }
}

#[test]
fn an_allow_is_on_disk_before_it_is_answered() {
    let daemon = Daemon::start();
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
    daemon.grant(1).unwrap();
    assert_eq!(daemon.check(), Ok(Verdict::Allow));
    // Another connection sees it, so it was committed.
    let last = records(&daemon.store()).pop().unwrap();
    assert!(matches!(last.event, Event::Allowed { .. }), "{last:?}");
}

#[test]
fn a_request_filed_at_a_login_is_on_disk_and_is_filed_once() {
    let daemon = Daemon::start();
    let as_maria = Caller { account: maria(), login: LoginAccount::Known(maria()) };
    let file =
        |id| daemon.desk().ask_for(&question(), &by(as_maria.clone()), ROOT, order(id, "shell")).unwrap();
    let (stands, ticket) = file(1);
    zruntime::block_on(ticket.unwrap().durable()).unwrap();
    assert_eq!((stands.state(), stands.request()), (RequestState::Waiting, Some(RequestId::from_bits(1))));
    let last = records(&daemon.store()).pop().unwrap();
    assert!(matches!(&last.event, Event::Requested { request } if request.filed_by.name == maria().name));
    assert_eq!(last.actor, Some(ROOT), "what the kernel says of the module's process");
    // A second login at the same time waits for the same request.
    let (again, ticket) = file(2);
    assert!(ticket.is_none());
    assert_eq!(again, stands);
    assert_eq!(daemon.desk().progress(&question(), RequestId::from_bits(1)).unwrap(), stands);
    assert_eq!(daemon.desk().options(&question(), |roles| roles.len()).unwrap(), (stands, 0));
    // Asking admits nobody.
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
}

#[test]
fn what_policy_refuses_at_a_login_is_said_and_not_filed() {
    let daemon = Daemon::start();
    let refused = |caller: &Caller, order| {
        let (stands, ticket) = daemon.desk().ask_for(&question(), &by(caller.clone()), ROOT, order).unwrap();
        assert!(ticket.is_none());
        assert_eq!(stands.state(), RequestState::Refused);
        stands.text().to_owned()
    };
    let as_maria = Caller { account: maria(), login: LoginAccount::Known(maria()) };
    let long = RequestOrder { duration: Some(Duration::from_hours(5)), ..order(1, "shell") };
    assert!(refused(&as_maria, long).contains("at most 4h"));
    assert!(refused(&as_maria, order(1, "nosuch")).contains("'nosuch' is not one"));
    // Who became maria by su does not ask in her name.
    let eve = Caller { account: maria(), login: LoginAccount::Known(subject("eve", 1066)) };
    assert!(refused(&eve, order(1, "shell")).contains("whoever files it"));
    assert_eq!(daemon.desk().options(&question(), |roles| roles.len()).unwrap().1, 1);
}

#[test]
fn what_was_confirmed_is_there_after_a_restart() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    daemon.grant(2).unwrap();
    let target = Target::Request(RequestId::from_bits(1));
    let ticket = daemon.revoke(target).unwrap();
    zruntime::block_on(ticket.durable()).unwrap();
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!(daemon.check(), Ok(Verdict::Allow));
    let revoked = daemon.revoke(target);
    assert!(matches!(revoked, Err(NotDone::Refused(_))), "a confirmed revoke stays revoked");
}

#[test]
fn the_tables_are_what_the_audit_log_folds_to() {
    let daemon = Daemon::start();
    for id in 1..20 {
        daemon.grant(id).unwrap();
        daemon.check().unwrap();
        if id % 3 == 0 {
            let target = Target::Request(RequestId::from_bits(id));
            drop(daemon.revoke(target).unwrap());
        }
    }
    let dir = daemon.stop();
    let store = Connection::open(dir.path().join("store.db")).unwrap();
    let mut folded = State::default();
    for record in records(&store) {
        folded.apply(&record);
    }
    assert_eq!(folded, rows::load(&store).unwrap().state);
}

/// What the log says, with what it says later, or the table of sessions does, of sessions that opened by a check. Written
/// beside the code that it checks.
fn folded(store: &Connection) -> State {
    let records = records(store);
    let open = rows::load(store).unwrap().state;
    let mut openings: Vec<(u64, u64, Past)> =
        open.sessions().iter().filter_map(|one| Some((one.place?, one.id, Past::of(one)))).collect();
    openings.extend(records.iter().filter_map(|record| match &record.event {
        Event::SessionGone { session, past: Some(past), .. } => {
            Some((past.place?, *session, (**past).clone()))
        }
        _ => None,
    }));
    let mut state = State::default();
    for record in &records {
        note_openings(&mut state, &records, &openings, record.seq);
        state.apply(record);
    }
    note_openings(&mut state, &records, &openings, records.len() as u64);
    for one in open.sessions().iter().filter(|one| one.place.is_some()) {
        let (session, unit) = (one.id, one.unit.clone());
        let placed = unit.map(|unit| Event::SessionPlaced { session, unit });
        placed.map(|placed| state.note(&one.at, None, &placed));
        if let Some(wall) = one.closed_at {
            let closed =
                Event::SessionClosed { login: one.login.clone(), leader: one.leader, session: Some(session) };
            state.note(&Moment { wall, ..one.at.clone() }, None, &closed);
        }
    }
    state
}

fn note_openings(state: &mut State, records: &[Record], openings: &[(u64, u64, Past)], place: u64) {
    for (_, session, past) in openings.iter().filter(|(at, _, _)| *at == place) {
        let check = records.iter().find(|record| record.seq == *session).unwrap();
        let Event::Allowed { grant, claim, login, .. } = &check.event else { panic!("{check:?}") };
        assert_eq!((&login.user, &login.service), (&past.login.user, &past.login.service));
        let opened = Event::SessionOpened {
            grant: *grant,
            role: past.role.clone().unwrap(),
            remaining: 0,
            claim: claim.map(|_| *session),
            opener: past.opener,
            from: past.from,
            basis: past.basis.clone(),
            process_in: past.process_in.clone(),
            admitted: Some(*session),
            login: past.login.clone(),
        };
        state.note(&past.opened, past.opened_by, &opened);
    }
}

#[test]
fn a_store_that_cannot_be_written_denies_loses_nothing_confirmed_and_comes_back() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    // Another writer holds the file: the commit fails as it would on a full disk.
    let mut blocker = daemon.store();
    let lock = blocker.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    assert!(daemon.grant(2).is_err(), "not confirmed");
    assert!(daemon.check().is_err(), "nothing is allowed while nothing can be recorded");
    drop(lock);
    daemon.until(|trouble| trouble.is_none());
    assert_eq!(daemon.check(), Ok(Verdict::Allow));
    // The grant that failed never happened: its id is free.
    daemon.grant(2).unwrap();
    let requests: i64 =
        daemon.store().query_row("SELECT count(*) FROM request", [], |row| row.get(0)).unwrap();
    assert_eq!(requests, 2);
}

#[test]
fn a_newer_store_is_refused_untouched_and_said_so() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let dir = daemon.stop();
    let store = Connection::open(dir.path().join("store.db")).unwrap();
    store.pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let daemon = Daemon::start_in(dir);
    daemon.until(|trouble| trouble.is_some_and(|why| why.contains("schema 99 is newer")));
    assert!(daemon.check().is_err());
}

#[test]
fn a_store_with_rows_of_an_older_jitd_is_refused_untouched_and_said_so() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let dir = daemon.stop();
    let store = Connection::open(dir.path().join("store.db")).unwrap();
    // As it was before roles had terms: a request without them, filed at a plain time.
    let old = r#"{"id":"r-00000007","host":"db-1","beneficiary":{"name":"maria","uid":1001},"role":"shell",
        "services":["sshd"],"uses":"unlimited","duration":1800,"filed_by":{"name":"root","uid":0},
        "filed_at":"2026-01-01T00:00:00Z","reason":"INC-1"}"#;
    let row = "INSERT INTO request (id, filed, uid, user, body, bytes, state)
               VALUES ('r-00000007', 0, 1001, 'maria', ?1, x'00', 'pending')";
    store.execute(row, [old]).unwrap();
    drop(store);
    let daemon = Daemon::start_in(dir);
    daemon.until(|trouble| {
        trouble
            .is_some_and(|why| why.contains("request is damaged") && why.contains("another version of jitd"))
    });
    assert!(daemon.check().is_err());
    let kept: String = daemon
        .store()
        .query_row("SELECT body FROM request WHERE id = 'r-00000007'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, old);
}

#[test]
fn a_changed_record_is_noticed_and_records_resist_change() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let dir = daemon.stop();
    let store = Connection::open(dir.path().join("store.db")).unwrap();
    for attack in ["UPDATE audit SET bytes = x'00'", "DELETE FROM audit"] {
        assert!(store.execute_batch(attack).is_err(), "{attack}");
    }
    store
        .execute_batch(
            "DROP TRIGGER audit_is_append_only;
             UPDATE audit SET bytes = x'7b7d' WHERE seq = (SELECT max(seq) FROM audit)",
        )
        .unwrap();
    drop(store);
    let daemon = Daemon::start_in(dir);
    daemon.until(|trouble| trouble.is_some_and(|why| why.contains("does not have its leaf")));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("policy.d")).unwrap();
    fs::write(dir.path().join("policy.d/10.toml"), POLICY).unwrap();
    let junk = "not a database, but perhaps somebody's only copy of something. ".repeat(40);
    fs::write(dir.path().join("store.db"), &junk).unwrap();
    let daemon = Daemon::start_in(dir);
    daemon.until(|trouble| trouble.is_some_and(|why| why.contains("not a database")));
    assert_eq!(fs::read_to_string(daemon.dir.path().join("store.db")).unwrap(), junk);
}

#[test]
fn a_broken_policy_is_refused_and_the_one_in_force_stays() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    write_policy(daemon.dir.path(), "version = 1\n[admins]\nusers = [\"root\"\n");
    let bad = daemon.load(Load::Signal, None).unwrap().unwrap_err();
    assert!(bad.to_string().contains("10.toml"), "{bad}");
    assert_eq!(daemon.check(), Ok(Verdict::Allow));
    assert!(!daemon.desk().files_are_in_force());
}

#[test]
fn sound_files_that_do_not_fit_this_host_are_refused_and_are_not_called_broken() {
    let daemon = Daemon::start();
    let text = format!("{POLICY}\n[auditors]\ngroups = [\"no-such-group\"]\n");
    write_policy(daemon.dir.path(), &text);
    let (policy, _) = daemon.desk().read_policy().unwrap();
    let facts = Facts {
        now: None,
        askers: [].into(),
        ends: [].into(),
        host: host(),
        groups: [("no-such-group".parse().unwrap(), Group::Absent)].into(),
        accounts: BTreeMap::new(),
        standing: BTreeMap::new(),
        sessions: [].into(),
        services: BTreeMap::new(),
        doors: BTreeMap::new(),
        signers: None,
        sudo: Sudo::default(),
        tickets: None,
        unlisted: None,
    };
    let bad = BadFiles::for_this_host(policy.host_check(&facts), &BTreeSet::new());
    let text = bad.to_string();
    assert!(text.contains("JIT070") && text.ends_with("type: jitctl policy load"), "{text}");
    let looked = by(root());
    daemon
        .desk()
        .load_policy(
            &Err(bad),
            Load::Order,
            Some(LoadedBy {
                looked: &looked,
                trust: Word::Nobody,
                actor: ROOT,
                reason: None,
                way: Way::Usual,
                forced: &[],
            }),
        )
        .unwrap()
        .unwrap_err();
    assert_eq!(daemon.desk().policy().unwrap().source, Source::Files);
    let refused = |r: &Record| matches!(&r.event, Event::PolicyRefused { error, errors: 1 } if error.contains("JIT070"));
    daemon.grant(1).unwrap();
    assert!(records(&daemon.store()).iter().any(refused));
    // A reload takes them: the host is not asked.
    assert!(daemon.load(Load::Signal, None).unwrap().is_ok());
}

#[test]
fn the_last_accepted_policy_carries_over_a_restart_with_broken_files() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    write_policy(daemon.dir.path(), "this is not a policy");
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!(daemon.check(), Ok(Verdict::Allow));
    assert_eq!(daemon.desk().policy().unwrap().source, Source::Store);
    let said = records(&daemon.store()).into_iter().any(|r| matches!(r.event, Event::PolicyRefused { .. }));
    assert!(said);
}

#[test]
fn without_any_policy_nothing_is_decided_and_the_first_good_one_opens() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("policy.d")).unwrap();
    write_policy(dir.path(), "broken");
    let daemon = Daemon::start_in(dir);
    assert!(daemon.check().unwrap_err().to_string().contains("no policy"));
    write_policy(daemon.dir.path(), POLICY);
    assert!(daemon.load(Load::Signal, None).unwrap().is_ok());
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
}

#[test]
fn a_loaded_policy_is_in_the_record_with_its_exact_text() {
    let daemon = Daemon::start();
    let new = format!("# reviewed\n{POLICY}");
    write_policy(daemon.dir.path(), &new);
    let ticket = daemon.load(Load::Order, Some(ROOT)).unwrap().unwrap().unwrap();
    zruntime::block_on(ticket.durable()).unwrap();
    let loaded = records(&daemon.store()).pop().unwrap();
    assert_eq!(loaded.actor, Some(ROOT));
    assert!(matches!(loaded.event, Event::PolicyLoaded { files, .. } if files[0].text == new));
}

#[test]
fn loading_the_policy_in_force_again_records_nothing() {
    let daemon = Daemon::start();
    let before = daemon.desk().next_seq();
    assert!(daemon.load(Load::Order, Some(ROOT)).unwrap().unwrap().is_none());
    assert_eq!(daemon.desk().next_seq(), before);
}

/// With a disk that takes its time, what so many clients get through is what they share of its syncs.
#[test]
fn checks_that_come_while_the_disk_syncs_share_its_next_sync_and_one_client_has_each_to_itself() {
    const CLIENTS: usize = 32;

    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    daemon.until_durable();
    let ask = || daemon.ask(&question()).unwrap().ticket().unwrap();
    let durable = |ticket: Ticket| zruntime::block_on(ticket.durable()).unwrap();
    let allowed = || {
        let is_allowed = |record: &&Record| matches!(record.event, Event::Allowed { .. });
        records(&daemon.store()).iter().filter(is_allowed).count()
    };

    let before = daemon.disk.syncs();
    for _ in 0..3 {
        durable(ask());
    }
    assert_eq!(daemon.disk.syncs() - before, 3, "one client waits for each");

    let slow = daemon.disk.hold();
    let before = daemon.disk.syncs();
    let first = ask();
    while daemon.disk.syncs() == before {
        std::thread::yield_now();
    }
    let others: Vec<_> = (0..CLIENTS).map(|_| ask()).collect();
    assert_eq!(allowed(), 3, "nothing is on disk before it is synced");
    drop(slow);
    durable(first);
    for ticket in others {
        let _on_disk = durable(ticket);
    }
    assert_eq!(daemon.disk.syncs() - before, 2, "all that came meanwhile share one");
    assert_eq!(allowed(), 3 + 1 + CLIENTS);
}
