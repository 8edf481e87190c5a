//! Between a lookup and a decision a group may be locked, or another policy come into force: the desk decides by what
//! counts under its lock, and nothing that was looked up before passes for an answer about what came since.

use jit_core::model::{Decision, Why};
use jit_core::orders::lock::{self, LockOrder};
use jit_core::orders::review::{Given, Lookups, Reviewer, review};
use jit_core::policy::Subject;
use jit_proto::words::GroupName;

use super::*;
use crate::desk::LoggedIn;

fn group(name: &str) -> GroupName {
    name.parse().unwrap()
}

/// Somebody of whom nothing was said but name and uid, and that they are in none of these groups.
fn looked_up(subject: Subject, not_in: &[&str]) -> Known {
    Known::Partly(subject, not_in.iter().map(|name| group(name)).collect())
}

fn as_self(known: Known) -> Looked {
    Looked::new(known.clone(), LoggedIn::As(known)).unwrap()
}

impl Daemon {
    fn lock(&self, scope: &str) {
        let order =
            LockOrder { scope: scope.parse().unwrap(), message: None, duration: None, uids: [].into() };
        let judge = |here: Context<'_>, caller: &Caller| lock::lock(here, caller, order.clone());
        drop(self.order(&by(root()), judge).unwrap());
    }

    fn file(&self, id: u64, who: &Looked) -> Result<Ticket, NotDone> {
        let file = |here: Context<'_>, caller: &Caller| {
            let beneficiary = caller.account.clone();
            request::file(here, caller, RequestOrder { beneficiary, ..order(id, "shell") })
        };
        self.order(who, file)
    }
}

/// The open groups of an order that takes more of the name service.
#[track_caller]
fn open_groups<T: std::fmt::Debug>(outcome: Result<T, NotDone>) -> BTreeSet<GroupName> {
    match outcome {
        Err(NotDone::Refused(Refusal::Unanswered { groups, .. })) => groups,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_group_that_was_locked_between_lookup_and_check_binds_whoever_was_looked_up() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let asked = |not_in: &[&str]| Question { subject: looked_up(maria(), not_in), ..question() };
    let before = asked(&[]);
    assert_eq!(daemon.ask(&before).unwrap().why(), Why::Window);
    daemon.lock("group:ops");
    let more = daemon.desk().check(&before, ROOT, None, Waits::ForMore).unwrap();
    assert!(matches!(more, Judged::TakesMore(_)), "she is looked up again");
    let refused = daemon.desk().check(&before, ROOT, None, Waits::NoLonger).unwrap();
    let Judged::Answered(refused) = refused else { panic!("{refused:?}") };
    assert_eq!((refused.verdict(), refused.why()), (Verdict::Deny, Why::NameService));
    // And then: she is in it, or she is not.
    let member = Subject { groups: [group("ops")].into(), ..maria() };
    let as_member = Question { subject: looked_up(member, &[]), ..question() };
    assert_eq!(daemon.ask(&as_member).unwrap().why(), Why::Locked);
    assert_eq!(daemon.ask(&asked(&["ops"])).unwrap().why(), Why::Window);
}

#[test]
fn a_group_that_was_locked_between_lookup_and_order_binds_whoever_gives_the_order() {
    let daemon = Daemon::start();
    let before = as_self(looked_up(maria(), &[]));
    drop(daemon.file(1, &before).unwrap());
    daemon.lock("group:ops");
    assert_eq!(open_groups(daemon.file(2, &before)), BTreeSet::from([group("ops")]));
    let member = as_self(looked_up(Subject { groups: [group("ops")].into(), ..maria() }, &[]));
    assert!(matches!(daemon.file(2, &member), Err(NotDone::Refused(Refusal::Locked(_)))));
    drop(daemon.file(2, &as_self(looked_up(maria(), &["ops"]))).unwrap());
}

#[test]
fn a_group_that_was_locked_between_lookup_and_review_binds_reviewers_and_beneficiary() {
    let daemon = Daemon::start();
    drop(daemon.file(1, &as_self(looked_up(maria(), &[]))).unwrap());
    let olga = subject("olga", 1002);
    let id = RequestId::from_bits(1);
    let approve = |by: &Looked, of_maria: Known| {
        let lookups = Lookups::from([(maria().name, of_maria)]);
        daemon.order(by, |here, caller| {
            review(here, id, None, &Given::new(Reviewer::Online(caller), Decision::Approve), &lookups)
        })
    };
    let (before, maria_before) = (as_self(looked_up(olga.clone(), &[])), looked_up(maria(), &[]));
    daemon.lock("group:ops");
    let ops = BTreeSet::from([group("ops")]);
    // Neither the reviewer nor the other person passes for somebody who is not in it.
    assert_eq!(open_groups(approve(&before, looked_up(maria(), &["ops"]))), ops);
    assert_eq!(open_groups(approve(&as_self(looked_up(olga.clone(), &["ops"])), maria_before)), ops);
    let member = looked_up(Subject { groups: ops, ..maria() }, &[]);
    let locked = approve(&as_self(looked_up(olga.clone(), &["ops"])), member);
    assert!(matches!(locked, Err(NotDone::Refused(Refusal::Locked(_)))), "{locked:?}");
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
    drop(approve(&as_self(looked_up(olga, &["ops"])), looked_up(maria(), &["ops"])).unwrap());
    assert_eq!(daemon.check(), Ok(Verdict::Allow));
}

#[test]
fn an_admin_whom_policy_names_takes_access_away_though_nobody_says_what_they_are_in() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("policy.d")).unwrap();
    let admins = "[admins]\nusers = [\"root\", \"adam\"]\ngroups = [\"bosses\"]";
    write_policy(dir.path(), &POLICY.replace("[admins]\nusers = [\"root\"]", admins));
    let daemon = Daemon::start_in(dir);
    let adam = as_self(looked_up(subject("adam", 1003), &[]));
    let eve = as_self(looked_up(subject("eve", 1066), &[]));
    let host =
        LockOrder { scope: "role:shell".parse().unwrap(), message: None, duration: None, uids: [].into() };
    let locks = |by: &Looked, word| {
        let judge = |here: Context<'_>, caller: &Caller| lock::lock(here, caller, host.clone());
        daemon.desk().order(ROOT, by, word, &judge)
    };
    // That he may be one of the bosses too changes nothing; that she may be would.
    drop(locks(&adam, Word::Nobody).unwrap());
    assert_eq!(open_groups(locks(&eve, Word::NamedAdmins)), BTreeSet::from([group("bosses")]));
    daemon.lock("group:interns");
    // While an answer may come it is waited for; without one his name is enough, and hers is none.
    assert!(open_groups(locks(&adam, Word::Nobody)).contains(&group("interns")));
    drop(locks(&adam, Word::NamedAdmins).unwrap());
    assert!(open_groups(locks(&eve, Word::NamedAdmins)).contains(&group("interns")));
    // He is locked out by what was said.
    let intern = Subject { groups: [group("interns")].into(), ..subject("adam", 1003) };
    let locked = locks(&as_self(looked_up(intern, &["bosses"])), Word::NamedAdmins);
    assert!(matches!(locked, Err(NotDone::Refused(Refusal::Locked(_)))), "{locked:?}");
}

#[test]
fn whoever_was_made_no_admin_while_the_host_was_asked_about_the_files_loads_none() {
    let daemon = Daemon::start();
    write_policy(daemon.dir.path(), &POLICY.replace("4h", "3h"));
    let maria = as_self(looked_up(maria(), &[]));
    let read = daemon.desk().read_policy();
    let by = LoadedBy {
        looked: &maria,
        trust: Word::NamedAdmins,
        actor: ROOT,
        reason: None,
        way: Way::Usual,
        forced: &[],
    };
    let refused = daemon.desk().load_policy(&read, Load::Order, Some(by));
    assert!(matches!(refused, Err(NotDone::Refused(Refusal::NotAdmin(_)))), "{refused:?}");
    daemon.load(Load::Order, Some(ROOT)).unwrap().unwrap();
}
