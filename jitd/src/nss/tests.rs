//! Lookups over a name service that is scripted.

use std::collections::HashSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use jit_proto::words::Uid;

use super::*;

/// A name service that knows `maria`, `remote` and 200 others, and hangs on what it is told to hang on.
#[derive(Default)]
struct Scripted {
    hangs: Mutex<HashSet<String>>,
    freed: Condvar,
    asked: Mutex<Vec<Question>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Scripted {
    fn hang_on(&self, what: impl Into<String>) {
        self.hangs.lock().unwrap().insert(what.into());
    }

    fn free(&self) {
        self.hangs.lock().unwrap().clear();
        self.freed.notify_all();
    }

    fn answer(&self, question: &Question) -> Answer {
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        let answer = self.answer_to(question);
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    fn answer_to(&self, question: &Question) -> Answer {
        self.asked.lock().unwrap().push(question.clone());
        let (what, answer) = match question {
            Question::Account(Whose::Name(name)) => {
                let account = Account { name: name.clone(), uid: 5000.try_into().unwrap(), gid: 5000 };
                (name.to_string(), Answer::Account(Some(account)))
            }
            Question::Account(Whose::Uid(uid)) => (uid.to_string(), Answer::Account(None)),
            Question::Memberships(name, gid) => {
                (format!("groups of {name}"), Answer::Memberships { gids: vec![*gid, 70], all: true })
            }
            Question::Gid(group) => {
                let gid = match group.as_str() {
                    "dba" => Some(70),
                    "web" => Some(71),
                    _ => None,
                };
                (group.to_string(), Answer::Gid(gid))
            }
        };
        let mut hangs = self.hangs.lock().unwrap();
        while hangs.contains(&what) || hangs.contains("everything") {
            hangs = self.freed.wait(hangs).unwrap();
        }
        answer
    }
}

struct Bed {
    etc: tempfile::TempDir,
    script: Arc<Scripted>,
    names: Names,
}

fn bed() -> Bed {
    bed_of("files sss")
}

/// With these sources.
fn bed_of(sources: &str) -> Bed {
    let etc = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("nsswitch.conf", &*format!("passwd: {sources}\ngroup: {sources}\n")),
        ("passwd", "root:x:0:0:::\nmaria:x:1001:1001:::\n"),
        ("group", "ops:x:30:maria\n"),
    ] {
        fs::write(etc.path().join(name), text).unwrap();
    }
    let script = Arc::new(Scripted::default());
    let ask = Arc::clone(&script);
    let ask = Arc::new(move |question: &Question| ask.answer(question));
    let names = Names::of(etc.path(), ask, SharedRuntime::current().unwrap());
    Bed { etc, script, names }
}

fn groups(names: &[&str]) -> BTreeSet<GroupName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn name(name: &str) -> Whose {
    Whose::Name(name.parse().unwrap())
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.script.free();
    }
}

#[test]
fn what_the_files_say_is_there_at_once_and_asks_nobody() {
    zruntime::block_on(async {
        let bed = bed();
        bed.script.hang_on("everything");
        let patience = bed.names.patience();
        for whose in [name("maria"), name("root"), Whose::Uid(Uid::ROOT)] {
            let mut lookup = bed.names.lookup(whose, Share::Logins, &patience);
            assert!(lookup.known(&groups(&[])).subject().is_some());
        }
        let mut maria = bed.names.lookup(name("maria"), Share::Logins, &patience);
        assert!(maria.known(&groups(&["ops"])).certain(&groups(&["ops"])).is_some());
        let mut root = bed.names.lookup(name("root"), Share::Logins, &patience);
        assert!(root.known(&groups(&["dba"])).denies(&"dba".parse().unwrap()));
        assert!(bed.script.asked.lock().unwrap().is_empty());
    });
}

#[test]
fn the_other_names_of_a_uid_are_known_with_it_whichever_is_asked_for() {
    zruntime::block_on(async {
        let bed = bed();
        let passwd =
            "root:x:0:0:::\ntoor:x:0:0:::\nmaria:x:1001:1001:::\nmaria2:x:1001:1001:::\nmaria:x:1001:1:::\n";
        fs::write(bed.etc.path().join("passwd"), passwd).unwrap();
        let patience = bed.names.patience();
        let uid = Whose::Uid(Uid::try_from(1001).unwrap());
        for (whose, account, also) in [
            (name("maria"), "maria", "maria2"),
            (name("maria2"), "maria2", "maria"),
            (uid, "maria", "maria2"),
            (Whose::Uid(Uid::ROOT), "root", "toor"),
            (name("toor"), "toor", "root"),
        ] {
            let mut lookup = bed.names.lookup(whose, Share::Logins, &patience);
            let known = lookup.known(&groups(&[]));
            let subject = known.subject().unwrap();
            assert_eq!(
                (subject.name.as_str(), &subject.also, subject.is_local),
                (account, &BTreeSet::from([also.parse().unwrap()]), true)
            );
        }
    });
}

#[test]
fn a_name_of_the_directory_with_a_uid_of_the_files_knows_of_their_name_and_is_not_local() {
    zruntime::block_on(async {
        let bed = bed();
        fs::write(bed.etc.path().join("passwd"), "root:x:0:0:::\nsvc:x:5000:5000:::\n").unwrap();
        let patience = bed.names.patience();
        for (asked, also, is_local) in [("remote", &["svc"][..], false), ("svc", &[], true)] {
            let mut lookup = bed.names.lookup(name(asked), Share::Logins, &patience);
            while lookup.known(&groups(&[])).subject().is_none() {
                assert!(patience.more([&lookup]).await, "{asked}");
            }
            let known = lookup.known(&groups(&[]));
            let subject = known.subject().unwrap();
            let also: BTreeSet<_> = also.iter().map(|name| name.parse().unwrap()).collect();
            assert_eq!((&subject.also, subject.is_local), (&also, is_local), "{asked}");
        }
    });
}

#[test]
fn of_two_groups_the_one_that_hangs_does_not_keep_the_other_from_an_answer() {
    zruntime::block_on(async {
        let bed = bed();
        bed.script.hang_on("web");
        let (both, patience) = (groups(&["dba", "web"]), bed.names.patience());
        let mut maria = bed.names.lookup(name("maria"), Share::Logins, &patience);
        while maria.known(&both).unanswered(&both).len() > 1 {
            assert!(patience.more([&maria]).await, "the group that answers is waited for");
        }
        let known = maria.known(&both);
        assert!(known.subject().unwrap().groups.contains(&"dba".parse().unwrap()));
        assert_eq!(known.unanswered(&both), groups(&["web"]));
        assert_eq!(
            maria.unsaid(&both),
            "the name service (sss) does not say whether maria is in the group web"
        );
        bed.script.free();
        assert!(patience.more([&maria]).await);
        assert!(maria.known(&both).denies(&"web".parse().unwrap()));
        assert!(!patience.more([&maria]).await, "all is said");
    });
}

#[test]
fn what_a_source_that_fails_unheard_may_have_known_is_not_said() {
    zruntime::block_on(async {
        let (all, nobody) = (groups(&["dba", "web", "new"]), Whose::Uid(4000.try_into().unwrap()));
        for (sources, believed) in [("files sss", true), ("files sss systemd", false)] {
            let bed = bed_of(sources);
            let maria = bed.names.account(name("maria"), Share::Logins, &all).await;
            // That she is in one is said whoever else is not there.
            assert!(maria.subject().unwrap().groups.contains(&"dba".parse().unwrap()), "{sources}");
            let unsaid = if believed { groups(&[]) } else { groups(&["web", "new"]) };
            assert_eq!(maria.unanswered(&all), unsaid, "{sources}");
            let known = bed.names.account(nobody.clone(), Share::Logins, &all).await;
            assert_eq!(known, if believed { Known::Not } else { Known::Unanswered }, "{sources}");
            assert_eq!(bed.names.believes_no_of_groups(), believed);
            assert_eq!(bed.names.doubts().is_empty(), believed);
        }
        let bed = bed_of("files sss systemd");
        let patience = bed.names.patience();
        let mut lookup = bed.names.lookup(nobody, Share::Logins, &patience);
        while lookup.known(&groups(&[])) == Known::Unanswered && patience.more([&lookup]).await {}
        assert_eq!(
            lookup.unsaid(&groups(&[])),
            "the name service (sss, systemd) does not say who uid 4000 is (nsswitch.conf asks systemd behind sss, \
             which hides whether sss answers: put sss last)"
        );
    });
}

#[test]
fn who_asks_the_same_waits_for_the_same_answer() {
    zruntime::block_on(async {
        let bed = bed();
        bed.script.hang_on("everything");
        let patience = bed.names.patience();
        let mut all: Vec<_> =
            (0..50).map(|_| bed.names.lookup(name("remote"), Share::Logins, &patience)).collect();
        for lookup in &mut all {
            assert_eq!(lookup.known(&groups(&["dba"])), Known::Unanswered);
        }
        assert_eq!(bed.names.flights.count(), 1);
        bed.script.free();
        for lookup in &mut all {
            while lookup.known(&groups(&[])) == Known::Unanswered {
                assert!(patience.more([&*lookup]).await);
            }
        }
        while bed.names.flights.count() > 0 {
            std::thread::yield_now();
        }
    });
}

#[test]
fn two_hundred_lookups_that_hang_keep_no_other_from_an_answer() {
    zruntime::block_on(async {
        let bed = bed();
        let patience = bed.names.patience();
        let mut hanging: Vec<_> = (0..200)
            .map(|n| {
                bed.script.hang_on(format!("user{n}"));
                bed.names.lookup(name(&format!("user{n}")), Share::Logins, &patience)
            })
            .collect();
        for lookup in &mut hanging {
            assert_eq!(lookup.known(&groups(&[])), Known::Unanswered);
        }
        assert_eq!(bed.names.flights.count(), 200);
        let known = bed.names.account(name("remote"), Share::Logins, &groups(&["dba"])).await;
        assert!(known.certain(&groups(&["dba"])).is_some(), "{known:?}");
    });
}

#[test]
fn one_users_questions_that_hang_take_nothing_from_another_nor_from_logins() {
    zruntime::block_on(async {
        let bed = bed();
        let patience = bed.names.patience();
        let eve = Share::User(1066.try_into().unwrap());
        let mut hanging = Vec::new();
        for n in 0..100 {
            bed.script.hang_on(format!("user{n}"));
            let mut lookup = bed.names.lookup(name(&format!("user{n}")), eve, &patience);
            assert_eq!(lookup.known(&groups(&[])), Known::Unanswered);
            hanging.push(lookup);
        }
        assert!(bed.names.flights.count() < 20, "{} of hers are on their way", bed.names.flights.count());
        for share in [Share::Logins, Share::Jitd, Share::User(1001.try_into().unwrap())] {
            let known = bed.names.account(name("remote"), share, &groups(&["dba"])).await;
            assert!(known.certain(&groups(&["dba"])).is_some(), "{share:?}: {known:?}");
        }
    });
}

#[test]
fn more_questions_than_a_share_has_places_wait_for_their_turn_and_none_is_lost() {
    zruntime::block_on(async {
        let bed = bed();
        // Each is asked about maria, who has 40 groups to be asked about; and then 40 people about one group.
        for share in [Share::User(1001.try_into().unwrap()), Share::Jitd] {
            let all: BTreeSet<GroupName> = (0..40).map(|n| format!("group{n}").parse().unwrap()).collect();
            let maria = bed.names.account(name("maria"), share, &all).await;
            assert_eq!(maria.unanswered(&all), groups(&[]), "{share:?}");
            let people: BTreeSet<UserName> = (0..40).map(|n| format!("user{n}").parse().unwrap()).collect();
            let members = bed.names.members(people.clone(), &"dba".parse().unwrap(), share).await;
            assert_eq!(members, people, "{share:?}");
        }
        assert!(bed.script.most_at_once.load(Ordering::SeqCst) <= 16);
        while bed.names.flights.count() > 0 {
            std::thread::yield_now();
        }
        // Each was asked once, whoever waited.
        let asked = bed.script.asked.lock().unwrap();
        let of =
            |group: &str| asked.iter().filter(|one| **one == Question::Gid(group.parse().unwrap())).count();
        assert_eq!(of("group39"), 2);
    });
}

#[test]
fn a_question_that_waits_for_its_turn_is_put_when_one_that_hung_is_answered() {
    zruntime::block_on(async {
        let bed = bed();
        let (eve, patience) = (Share::User(1066.try_into().unwrap()), bed.names.patience());
        bed.script.hang_on("everything");
        let mut hanging: Vec<_> =
            (0..8).map(|n| bed.names.lookup(name(&format!("user{n}")), eve, &patience)).collect();
        for lookup in &mut hanging {
            assert_eq!(lookup.known(&groups(&[])), Known::Unanswered);
        }
        assert_eq!(bed.names.flights.count(), 8);
        // Whoever gives up leaves nothing behind.
        for n in 0..100 {
            let mut given_up = bed.names.lookup(name(&format!("late{n}")), eve, &patience);
            assert_eq!(given_up.known(&groups(&[])), Known::Unanswered);
        }
        let mut late = bed.names.lookup(name("remote"), eve, &patience);
        assert_eq!(late.known(&groups(&[])), Known::Unanswered);
        assert_eq!((bed.names.flights.count(), bed.names.flights.waiting()), (8, 1));
        bed.script.free();
        while late.known(&groups(&["dba"])).certain(&groups(&["dba"])).is_none() {
            assert!(patience.more([&late]).await);
        }
        while bed.names.flights.count() > 0 {
            std::thread::yield_now();
        }
    });
}

#[test]
fn a_question_that_panics_has_failed_and_holds_no_place() {
    zruntime::block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let ask: Arc<Ask> = Arc::new(|_: &Question| panic!("as a name service module might"));
        let names = Names::of(dir.path(), ask, SharedRuntime::current().unwrap());
        let known = names.account(name("maria"), Share::Logins, &groups(&[])).await;
        assert_eq!(known, Known::Unanswered);
        while names.flights.count() > 0 {
            std::thread::yield_now();
        }
    });
}

#[test]
fn this_host_knows_root_and_not_an_account_that_does_not_exist() {
    assert!(
        matches!(ask_host(&Question::Account(Whose::Uid(Uid::ROOT))), Answer::Account(Some(root)) if root.gid == 0)
    );
    assert_eq!(ask_host(&Question::Account(name("no-such-account-here"))), Answer::Account(None));
    assert_eq!(ask_host(&Question::Gid("no-such-group".parse().unwrap())), Answer::Gid(None));
    let of_root = ask_host(&Question::Memberships("root".parse().unwrap(), 0));
    assert!(matches!(of_root, Answer::Memberships { gids, all: true } if gids.contains(&0)));
}

/// The module's deadline where its PAM line says none.
const OF_THE_MODULE: Duration = Duration::from_secs(3);

#[test]
fn a_name_service_that_hangs_is_waited_for_less_long_than_the_module_waits() {
    zruntime::block_on(async {
        let bed = bed();
        bed.script.hang_on("everything");
        let before = since_boot();
        let patience = bed.names.patience();
        assert!(patience.until.saturating_sub(before) < OF_THE_MODULE, "{:?}", patience.until);
        // And then it is over: nobody is asked to wait for more.
        let mut lookup = bed.names.lookup(name("remote"), Share::Logins, &patience);
        assert_eq!(lookup.known(&groups(&[])), Known::Unanswered);
        let over = Patience { until: since_boot(), ..bed.names.patience() };
        assert!(!over.more([&lookup]).await);
    });
}
