//! Who changes the policy where that takes more than an admin's word: each refusal with the approval that counts.

use std::time::Duration;

use crate::digest::Digest;
use crate::event::Event;
use crate::model::{Caller, Decision, LoginAccount, Person, PolicyWord, Proposal};
use crate::orders::policy_change::{Course, Reviewed, Said, Way, course, may_be_found, may_see, review};
use crate::orders::{NoChange, Refusal};
use crate::policy::{Difference, Policy, Subject};
use crate::testing::{POLICY, World, as_self, maria, policy, root, root_by, subject};

/// Two of olga, sam and adam approve; olga has two accounts.
const CHANGE: &str = r#"
[policy-change]
approvers = { users = ["olga", "adm-olga", "sam", "adam", "root"] }
approvals = 2
[people]
olga = { accounts = ["olga", "adm-olga"] }
"#;

fn guarded() -> Policy {
    policy(&format!("{POLICY}{CHANGE}"))
}

fn new() -> Policy {
    policy(&format!("{}{CHANGE}", POLICY.replace("\"4h\"", "\"5h\"")))
}

fn adam() -> Subject {
    subject("adam", 1003)
}

fn olga() -> Subject {
    subject("olga", 1004)
}

fn sam() -> Subject {
    subject("sam", 1005)
}

/// A host where adam has loaded another policy.
fn waiting() -> World {
    let mut world = World::new();
    world.policy = guarded();
    world.apply([proposed(&adam())]);
    world
}

fn proposed(by: &Subject) -> Event {
    let (before, new) = (guarded(), new());
    let proposal = Proposal {
        digest: new.digest(),
        files: Vec::new(),
        before: before.digest(),
        diff: Difference::between(&before, &new),
        trial: None,
        by: Person::of(by),
        reason: None,
        forced: Vec::new(),
    };
    Event::PolicyProposed { proposal }
}

fn said(decision: Decision) -> Said {
    Said { seen: new().digest(), decision, note: None }
}

impl World {
    /// Approves what waits, while the files are those; whether it has all it needs now.
    fn approve_policy(&mut self, caller: &Caller) -> Result<bool, Refusal> {
        self.approve_files(caller, Some(new().digest()))
    }

    fn approve_files(&mut self, caller: &Caller, files: Option<Digest>) -> Result<bool, Refusal> {
        let Reviewed { event, met } = review(self.here(), caller, &said(Decision::Approve), files)?;
        self.apply([event]);
        Ok(met.is_some())
    }
}

#[track_caller]
fn refused(why: Result<bool, Refusal>) -> NoChange {
    match why {
        Err(Refusal::NoPolicyChange(why)) => *why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_policy_comes_into_force_once_so_many_others_have_approved_it() {
    let mut world = waiting();
    assert_eq!(world.approve_policy(&as_self(olga())), Ok(false));
    let approved = review(world.here(), &as_self(sam()), &said(Decision::Approve), Some(new().digest()));
    let (waiting, last) = approved.unwrap().met.unwrap();
    let on = waiting.word(last);
    assert_eq!(on.by, Some(Person::of(&adam())));
    assert_eq!(on.approved, [Person::of(&olga()), Person::of(&sam())]);
}

#[test]
fn nobody_approves_what_they_have_loaded_under_whatever_account() {
    let mut world = waiting();
    for author in [as_self(adam()), root_by(adam())] {
        assert_eq!(refused(world.approve_policy(&author)), NoChange::Own(Person::of(&adam())));
    }
    assert_eq!(world.approve_policy(&as_self(sam())), Ok(false));

    let mut world = World::new();
    world.policy = guarded();
    world.apply([proposed(&olga())]);
    let other = as_self(subject("adm-olga", 2004));
    assert_eq!(refused(world.approve_policy(&other)), NoChange::Own(Person::of(&olga())));
    assert_eq!(world.approve_policy(&as_self(adam())), Ok(false));
}

#[test]
fn one_person_approves_a_policy_once_under_whatever_account() {
    let mut world = waiting();
    assert_eq!(world.approve_policy(&as_self(olga())), Ok(false));
    for again in [olga(), subject("adm-olga", 2004), subject("olga2", 1004)] {
        let refused = world.approve_policy(&as_self(again));
        assert!(
            matches!(&refused, Err(Refusal::NoPolicyChange(why))
                if matches!(**why, NoChange::Twice(_) | NoChange::NotApprover(_))),
            "{refused:?}"
        );
    }
    assert_eq!(world.approve_policy(&as_self(sam())), Ok(true));
}

#[test]
fn only_whom_the_policy_in_force_names_approves_another() {
    let mut world = waiting();
    assert!(matches!(refused(world.approve_policy(&as_self(maria()))), NoChange::NotApprover(_)));
    // Whoever became root by sudo must be asked themselves.
    assert!(matches!(refused(world.approve_policy(&root_by(maria()))), NoChange::NotApprover(_)));
    assert_eq!(world.approve_policy(&root_by(sam())), Ok(false));
    // A process that nobody logged in to start is nobody.
    let nobody = Caller { account: olga(), login: LoginAccount::Unset };
    assert!(matches!(refused(world.approve_policy(&nobody)), NoChange::NotIdentified(_)));
    let another = Caller { account: olga(), login: LoginAccount::Known(maria()) };
    assert!(matches!(refused(world.approve_policy(&another)), NoChange::NotIdentified(_)));
}

#[test]
fn whoever_is_locked_approves_no_policy_and_what_they_approved_before_counts_no_more() {
    let mut world = waiting();
    world.lock("user:olga", None);
    assert!(matches!(world.approve_policy(&as_self(olga())), Err(Refusal::Locked(_))));
    world.unlock("user:olga");
    assert_eq!(world.approve_policy(&as_self(olga())), Ok(false));
    world.lock("user:olga", None);
    assert_eq!(world.approve_policy(&as_self(sam())), Ok(false), "olga's does not count");
    assert_eq!(world.approve_policy(&as_self(root())), Ok(true));
}

#[test]
fn what_is_approved_is_what_was_looked_at_and_what_the_files_still_are() {
    let mut world = waiting();
    let waits = new().digest();
    let other = Said { seen: guarded().digest(), ..said(Decision::Approve) };
    let looked = review(world.here(), &as_self(olga()), &other, Some(waits));
    assert_eq!(looked, Err(NoChange::OtherDigest(waits).into()));
    for files in [None, Some(guarded().digest()), Some(Digest::of(b"edited"))] {
        let edited = world.approve_files(&as_self(olga()), files);
        assert_eq!(refused(edited), NoChange::OtherFiles { waits });
    }
    // Nothing was lost by that.
    assert_eq!(world.approve_policy(&as_self(olga())), Ok(false));
    assert_eq!(refused(world.approve_files(&as_self(sam()), None)), NoChange::OtherFiles { waits });
    assert_eq!(world.approve_policy(&as_self(sam())), Ok(true));
}

#[test]
fn one_denial_ends_the_wait_and_the_author_may_take_theirs_back() {
    for by in [sam(), adam()] {
        let mut world = waiting();
        let denied = review(world.here(), &as_self(by), &said(Decision::Deny), None).unwrap();
        world.apply([denied.event]);
        assert_eq!(refused(world.approve_policy(&as_self(olga()))), NoChange::NothingWaits);
    }
    let world = waiting();
    let denied = review(world.here(), &as_self(maria()), &said(Decision::Deny), None);
    assert!(matches!(denied, Err(Refusal::NoPolicyChange(why)) if matches!(*why, NoChange::NotApprover(_))));
}

#[test]
fn another_policy_in_force_ends_the_wait_and_a_new_proposal_begins_without_approvals() {
    let mut world = waiting();
    assert_eq!(world.approve_policy(&as_self(olga())), Ok(false));
    world.apply([proposed(&adam())]);
    assert_eq!(world.approve_policy(&as_self(sam())), Ok(false), "olga's was for the one before");
    world.load(guarded(), None);
    assert_eq!(refused(world.approve_policy(&as_self(olga()))), NoChange::NothingWaits);
}

#[test]
fn what_an_admin_loads_waits_where_the_policy_in_force_asks_for_approvals_and_takes_a_reason_where_it_says_so()
 {
    let mut world = World::new();
    let adam = as_self(adam());
    assert_eq!(course(world.here(), &adam, Way::Usual, None), Ok(Course::AtOnce));
    assert_eq!(may_be_found(&world.policy), Ok(()));
    world.policy = guarded();
    assert_eq!(course(world.here(), &adam, Way::Usual, None), Ok(Course::Waits));
    assert!(matches!(may_be_found(&world.policy), Err(NoChange::NotProposed(_))));
    world.policy = policy(&format!("{POLICY}{}", CHANGE.replace("approvals", "reason = true\napprovals")));
    assert_eq!(course(world.here(), &adam, Way::Usual, None), Err(NoChange::Reason));
    let reason = "CHG-7 longer".parse().unwrap();
    assert_eq!(course(world.here(), &adam, Way::Usual, Some(&reason)), Ok(Course::Waits));
}

#[test]
fn only_root_itself_at_the_console_overrides_with_a_reason_and_only_where_policy_lets_it() {
    let mut world = World::new();
    let reason = "INC-9 locked out".parse().unwrap();
    let at = |at_the_console| Way::Override { at_the_console };
    let root = as_self(root());
    assert_eq!(course(world.here(), &root, at(true), Some(&reason)), Err(NoChange::NothingToOverride));
    world.policy = guarded();
    assert_eq!(course(world.here(), &root, at(true), Some(&reason)), Ok(Course::Overrides));
    assert_eq!(course(world.here(), &root, at(true), None), Err(NoChange::Reason));
    for (caller, way) in [(&root, at(false)), (&root_by(adam()), at(true)), (&as_self(adam()), at(true))] {
        let refused = course(world.here(), caller, way, Some(&reason));
        assert!(matches!(refused, Err(NoChange::NotAtTheConsole(_))), "{refused:?}");
    }
    world.policy = policy(&format!("{POLICY}{}", CHANGE.replace("approvals", "override = false\napprovals")));
    let refused = course(world.here(), &root, at(true), Some(&reason));
    assert!(matches!(refused, Err(NoChange::NoOverride(_))), "{refused:?}");
}

#[test]
fn an_override_is_told_until_one_of_the_approvers_has_acknowledged_it() {
    let mut world = World::new();
    world.policy = guarded();
    let reason = "INC-9 locked out".parse().unwrap();
    let what = crate::model::Override {
        digest: new().digest(),
        before: guarded().digest(),
        by: Person::of(&root()),
        reason,
    };
    world.apply([Event::PolicyOverride { what }]);
    world.load(new(), None);
    world.wait(Duration::from_hours(48));
    assert!(world.state.policy_changes().overridden.is_some());
    // Neither by who did it, nor by anybody.
    assert!(matches!(refused(world.approve_policy(&as_self(root()))), NoChange::Own(_)));
    assert!(matches!(refused(world.approve_policy(&as_self(maria()))), NoChange::NotApprover(_)));
    assert_eq!(world.approve_files(&as_self(olga()), None), Ok(false));
    assert!(world.state.policy_changes().is_empty());
}

#[test]
fn what_waits_is_shown_to_those_who_are_asked_and_to_who_has_loaded_it() {
    let mut world = waiting();
    for (subject, sees) in [(olga(), true), (adam(), true), (maria(), false)] {
        assert_eq!(may_see(world.here(), &as_self(subject.clone())), sees, "{}", subject.name);
    }
    world.apply([proposed(&maria())]);
    assert!(may_see(world.here(), &as_self(maria())));
}

#[test]
fn a_record_of_a_policy_says_on_whose_word_it_came_and_an_older_one_reads_as_ever() {
    let word = PolicyWord {
        by: Some(Person::of(&adam())),
        reason: Some("CHG-7 longer".parse().unwrap()),
        approved: vec![Person::of(&olga())],
        signed: None,
        forced: vec!["a.toml:3:1: error JIT074: no admin can get in on this host: adam".to_owned()],
    };
    let digest = new().digest();
    let old = Event::PolicyLoaded {
        digest,
        files: Vec::new(),
        before: None,
        diff: None,
        trial: None,
        word: PolicyWord::default(),
    };
    let text = serde_json::to_string(&old).unwrap();
    assert!(!["by", "approved", "forced"].iter().any(|key| text.contains(key)), "{text}");
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), old);
    let new = Event::PolicyLoaded { digest, files: Vec::new(), before: None, diff: None, trial: None, word };
    let text = serde_json::to_string(&new).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), new);
}
