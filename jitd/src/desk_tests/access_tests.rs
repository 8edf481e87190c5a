//! One access is one record when it is admitted and opens, and one when it is over.

use jit_core::model::{Leader, Opener};

use super::*;

const OPENER: Opener = Opener { leader: Leader { pid: 4_194_305, start: 77 }, audit: Some(5) };

fn asks(stage: Stage) -> Question {
    let opener = Some(OPENER);
    let from = Some("10.1.2.3".parse().unwrap());
    Question { stage, opener, from, ..question() }
}

impl Daemon {
    fn at(&self, stage: Stage, check: Option<CheckRecord>) -> Checked {
        let judged = self.desk().check(&asks(stage), ROOT, check, Waits::ForMore).unwrap();
        let Judged::Answered(checked) = judged else { panic!("{judged:?}") };
        checked
    }

    fn words(&self) -> Vec<String> {
        let words =
            |record: &Record| serde_json::to_value(record).unwrap()["event"].as_str().unwrap().to_owned();
        records(&self.store()).iter().map(words).collect()
    }

    /// The account check, and its session if that is by it; the number of both.
    fn comes_in(&self) -> (u64, u64) {
        let check = self.at(Stage::Account, None);
        let opens = self.at(Stage::Session, check.check());
        let session = opens.session().unwrap();
        let _on_disk = zruntime::block_on(opens.ticket().unwrap().durable()).unwrap();
        (check.check().unwrap().seq, session)
    }

    fn note(&self, event: &Event) {
        assert_eq!(self.desk().carry(|_| vec![event.clone()]), Ok(1));
    }

    fn session(&self, id: u64) -> Option<jit_core::model::Session> {
        self.desk().look(|here| here.state.session(id).cloned()).unwrap()
    }
}

#[test]
fn an_access_is_one_record_when_it_opens_and_one_when_it_is_over_each_whole() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let before = daemon.words().len();
    let (check, session) = daemon.comes_in();
    assert_eq!(check, session, "the session has the number of the record that admitted it");
    daemon.note(&Event::SessionPlaced { session, unit: "session-5.scope".parse().unwrap() });
    daemon.at(Stage::Close, None);
    daemon.until_durable();
    assert_eq!(daemon.words()[before..], ["came", "allowed"]);
    assert_eq!(folded(&daemon.store()), rows::load(&daemon.store()).unwrap().state, "while it is open");
    let open = daemon.session(session).unwrap();
    assert!(open.closed && open.closed_at.is_some());
    daemon.note(&Event::gone(&open));
    daemon.until_durable();
    assert_eq!(daemon.words()[before..], ["came", "allowed", "session-gone"]);
    assert_eq!(folded(&daemon.store()), rows::load(&daemon.store()).unwrap().state);

    let records = records(&daemon.store());
    let [.., allowed, gone] = &records[..] else { panic!("{records:?}") };
    let (Event::Allowed { from, basis, by, grant, .. }, Event::SessionGone { past: Some(past), .. }) =
        (&allowed.event, &gone.event)
    else {
        panic!("{records:?}")
    };
    assert_eq!((*by, past.opener), (Some(OPENER.leader), Some(OPENER)));
    assert_eq!((past.grant, &past.basis, past.from), (*grant, basis, *from));
    assert_eq!(basis.ticket.as_deref(), Some("INC-1"), "by the pattern of the role");
    assert_eq!(basis.policy, Some(daemon.desk().policy().unwrap().policy.digest()));
    assert_eq!(past.unit.as_ref().map(ToString::to_string).as_deref(), Some("session-5.scope"));
    assert_eq!(past.opened_by, Some(ROOT));
    assert!(past.closed.is_some() && past.why.is_none());
}

#[test]
fn a_session_by_no_check_of_its_own_or_by_another_grant_has_a_record_of_its_opening() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let check = daemon.at(Stage::Account, None);
    let alone = daemon.at(Stage::Session, None);
    let other = CheckRecord { grant: RequestId::from_bits(2).into(), ..check.check().unwrap() };
    let by_other = daemon.at(Stage::Session, Some(other));
    daemon.until_durable();
    let words = daemon.words();
    assert_eq!(words[words.len() - 2..], ["session-opened", "session-opened"]);
    for checked in [alone, by_other] {
        let record = &records(&daemon.store())[usize::try_from(checked.session().unwrap()).unwrap()];
        assert!(matches!(record.event, Event::SessionOpened { .. }), "{record:?}");
    }
    assert_eq!(folded(&daemon.store()), rows::load(&daemon.store()).unwrap().state);
}

#[test]
fn a_check_that_opens_no_session_stays_on_record_and_one_check_opens_one_session() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let (check, session) = daemon.comes_in();
    assert_eq!(check, session);
    let admitted = Some(CheckRecord {
        seq: check,
        grant: RequestId::from_bits(1).into(),
        claims: false,
        awaits_key: false,
    });
    assert_ne!(daemon.at(Stage::Session, admitted).session(), Some(check), "it has its session");
    daemon.at(Stage::Account, None);
    daemon.until_durable();
    assert_eq!(daemon.words().last().unwrap(), "allowed");
}

#[test]
fn sessions_of_an_earlier_boot_have_their_end_on_record_before_another_opens() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let (_, session) = daemon.comes_in();
    let dir = daemon.stop();
    let store = Connection::open(dir.path().join("store.db")).unwrap();
    let other = "11111111-1111-1111-1111-111111111111";
    let sql = "UPDATE session SET body = json_set(body, '$.at.boot_id', ?1)";
    store.execute(sql, [other]).unwrap();
    drop(store);
    let daemon = Daemon::start_in(dir);
    let (_, next) = daemon.comes_in();
    assert!(daemon.session(session).is_none() && daemon.session(next).is_some());
    let is_it =
        |record: &Record| matches!(record.event, Event::SessionGone { session: gone, .. } if gone == session);
    assert_eq!(records(&daemon.store()).iter().filter(|record| is_it(record)).count(), 1);
}

#[test]
fn what_is_closed_and_was_never_known_to_open_is_on_record_where_policy_has_a_say() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    daemon.at(Stage::Close, None);
    daemon.until_durable();
    assert_eq!(daemon.words().last().unwrap(), "session-closed");
}
