//! A policy that was signed elsewhere: for which host, when, after what, and by whom. Whether the signatures are good was
//! judged before.

use std::time::Duration;

use crate::digest::Digest;
use crate::event::Event;
use crate::model::{Caller, Evidence, Known, Person, PolicyWord};
use crate::orders::policy_change::{Way, course};
use crate::orders::review::Lookups;
use crate::orders::signed_policy::{Signed, concerned, take};
use crate::orders::{NoChange, Refusal};
use crate::policy::{Principal, SourceFile, Subject};
use crate::sign::hosts::Hosts;
use crate::sign::policy::Manifest;
use crate::testing::{POLICY, World, as_self, policy, subject};

const CHANGE: &str = r#"
[policy-change]
approvers = { users = ["olga"], groups = ["leads"] }
approvals = 2
[people]
olga = { accounts = ["olga"], keys = ["olga@plant", "olga@home"] }
sam = { accounts = ["sam"], keys = ["sam@site"] }
adam = { accounts = ["adam"], keys = ["adam@site"] }
"#;

fn files() -> Vec<SourceFile> {
    let text = format!("{}{CHANGE}", POLICY.replace("\"4h\"", "\"5h\""));
    vec![SourceFile { name: "10.toml".into(), bytes: text.into_bytes() }]
}

fn world() -> World {
    let mut world = World::new();
    world.policy = policy(&format!("{POLICY}{CHANGE}"));
    world
}

fn signers(names: &[&str]) -> Vec<(Vec<Principal>, Evidence)> {
    let one = |name: &&str| {
        let evidence = Evidence {
            principals: vec![(*name).to_owned()],
            key: "SHA256:x".into(),
            flags: None,
            counter: None,
            text: String::new(),
            signature: "x".into(),
        };
        (vec![name.parse().unwrap()], evidence)
    };
    names.iter().map(one).collect()
}

fn manifest(world: &World, serial: u64) -> Manifest {
    let now = world.now.wall.whole_seconds();
    let until = now.plus(Duration::from_hours(24));
    Manifest::of(&files(), Hosts::parse("db-1").unwrap(), serial, None, (now, until))
}

fn carrier() -> Caller {
    as_self(subject("root", 0))
}

impl World {
    fn takes(&self, manifest: &Manifest, by: &[&str], caller: &Caller) -> Result<Vec<String>, Refusal> {
        self.takes_where(manifest, by, caller, |_, known| known)
    }

    /// The same where the name service says something else of somebody.
    fn takes_where(
        &self,
        manifest: &Manifest,
        by: &[&str],
        caller: &Caller,
        says: impl Fn(&str, Known) -> Known,
    ) -> Result<Vec<String>, Refusal> {
        let signers = signers(by);
        let account = |name: &str| match name {
            "sam" => {
                Known::Fully(Subject { groups: ["leads".parse().unwrap()].into(), ..subject("sam", 1005) })
            }
            "adam" => Known::Fully(subject("adam", 1003)),
            _ => Known::Not,
        };
        let names = concerned(self.here(), &signers);
        let known = |name: &str| says(name, account(name));
        let lookups: Lookups = names.into_iter().map(|name| (name.clone(), known(name.as_str()))).collect();
        let files = files();
        let signed = Signed { manifest, signers: &signers, files: &files, at: self.now.wall };
        let (people, _) = take(self.here(), caller, signed, &lookups)?;
        Ok(people.iter().map(ToString::to_string).collect())
    }
}

#[track_caller]
fn refused(taken: Result<Vec<String>, Refusal>) -> NoChange {
    match taken {
        Err(Refusal::NoPolicyChange(why)) => *why,
        other => panic!("{other:?}"),
    }
}

const BOTH: [&str; 2] = ["olga@plant", "sam@site"];

#[test]
fn so_many_different_people_must_sign_who_are_asked_and_none_of_them_is_who_loads_it() {
    let world = world();
    let manifest = manifest(&world, 7);
    assert_eq!(world.takes(&manifest, &BOTH, &carrier()).unwrap(), ["olga", "sam"]);
    for too_few in [&["olga@plant"][..], &["olga@plant", "olga@home"], &["olga@plant", "adam@site"], &[]] {
        let why = refused(world.takes(&manifest, too_few, &carrier()));
        assert!(matches!(why, NoChange::TooFewSigned { needed: 2, .. }), "{too_few:?}: {why}");
    }
    let sam = as_self(subject("sam", 1005));
    assert!(matches!(
        refused(world.takes(&manifest, &BOTH, &sam)),
        NoChange::TooFewSigned { counted: 1, .. }
    ));
}

#[test]
fn whoever_is_locked_signs_no_policy() {
    let mut world = world();
    world.lock("user:sam", None);
    let manifest = manifest(&world, 7);
    let why = refused(world.takes(&manifest, &BOTH, &carrier()));
    assert!(matches!(why, NoChange::TooFewSigned { counted: 1, .. }), "{why}");
}

#[test]
fn a_signed_policy_is_for_its_hosts_its_time_and_its_files() {
    let mut world = world();
    let good = manifest(&world, 7);
    let other = Manifest { hosts: Hosts::parse("web-1,@databases").unwrap(), ..good.clone() };
    assert!(matches!(refused(world.takes(&other, &BOTH, &carrier())), NoChange::OtherHosts { .. }));
    let mut edited = good.clone();
    edited.files[0].sha256 = Digest::of(b"edited");
    assert!(matches!(refused(world.takes(&edited, &BOTH, &carrier())), NoChange::OtherSigned(_)));
    assert!(world.takes(&good, &BOTH, &carrier()).is_ok());
    world.wait(Duration::from_hours(25));
    assert!(matches!(refused(world.takes(&good, &BOTH, &carrier())), NoChange::Expired(_)));
}

#[test]
fn an_older_signed_policy_never_comes_back_and_one_that_names_what_it_replaces_replaces_that_alone() {
    let mut world = world();
    let before = world.policy.digest();
    let after = |after, serial| Manifest { after: Some(after), ..manifest(&world, serial) };
    let (follows, follows_another) = (after(before, 8), after(Digest::of(b"another"), 8));
    assert!(matches!(refused(world.takes(&follows_another, &BOTH, &carrier())), NoChange::NotAfter { .. }));
    assert!(world.takes(&follows, &BOTH, &carrier()).is_ok());
    let (signers, files, taken) = (signers(&BOTH), files(), manifest(&world, 7));
    let signed = Signed { manifest: &taken, signers: &signers, files: &files, at: world.now.wall };
    let sam = Known::Fully(Subject { groups: ["leads".parse().unwrap()].into(), ..subject("sam", 1005) });
    let lookups: Lookups = [("sam".parse().unwrap(), sam), ("olga".parse().unwrap(), Known::Not)].into();
    let (approved, proof) = take(world.here(), &carrier(), signed, &lookups).unwrap();
    let signed = PolicyWord { approved, signed: Some(proof), ..PolicyWord::default() };
    world.apply([Event::PolicyLoaded {
        digest: before,
        files: Vec::new(),
        before: Some(before),
        diff: None,
        trial: None,
        word: signed,
    }]);
    for serial in [1, 7] {
        let old = refused(world.takes(&manifest(&world, serial), &BOTH, &carrier()));
        assert_eq!(old, NoChange::OldSerial { serial, last: 7 });
    }
    assert!(world.takes(&follows, &BOTH, &carrier()).is_ok());
    // Nor after another policy without a signature.
    world.load(policy(&format!("{POLICY}{CHANGE}")), None);
    assert_eq!(world.state.policy_changes().serial, Some(7));
}

#[test]
fn where_policy_takes_signed_ones_alone_no_admin_proposes_another() {
    let mut world = world();
    let adam = as_self(subject("adam", 1003));
    assert!(course(world.here(), &adam, Way::Usual, None).is_ok());
    let only = CHANGE.replace("approvals", "signed-only = true\napprovals");
    world.policy = policy(&format!("{POLICY}{only}"));
    assert_eq!(course(world.here(), &adam, Way::Usual, None), Err(NoChange::SignedOnly));
    let manifest = manifest(&world, 7);
    assert!(world.takes(&manifest, &BOTH, &carrier()).is_ok());
    assert_eq!(Person::of(&adam.account), adam.person());
}

/// The attack: a signer who is locked by a group signs while the directory hangs, or is made to.
#[test]
fn nobody_of_whom_it_is_not_known_whether_they_are_locked_signs_a_policy() {
    let mut world = world();
    let text = manifest(&world, 7);
    let by = ["olga@plant", "sam@site"];
    world.lock("group:crew", None);
    let silent = |name: &str, known| if name == "olga" { Known::Unanswered } else { known };
    let unsaid = |name: &str, known| match known {
        Known::Fully(subject) if name == "sam" => Known::Partly(subject, [].into()),
        known => known,
    };
    for (user, taken) in [
        ("olga", world.takes_where(&text, &by, &carrier(), silent)),
        ("sam", world.takes_where(&text, &by, &carrier(), unsaid)),
    ] {
        assert!(
            matches!(&taken, Err(Refusal::Unanswered { user: of, .. }) if of.as_str() == user),
            "{taken:?}"
        );
    }
    // Its twin: the directory answers.
    assert_eq!(world.takes(&text, &by, &carrier()).unwrap().len(), 2);
}
