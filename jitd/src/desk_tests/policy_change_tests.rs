//! A policy that others have to approve, over a real store: what comes into force, and what no start takes.

use jit_core::model::{Decision, Person, PolicyWord};
use jit_core::orders::policy_change::{Said, Way};

use super::*;
use crate::store::rows;

/// The usual policy, which olga approves another of.
fn guarded() -> String {
    format!("{POLICY}[policy-change]\napprovers = {{ users = [\"olga\", \"sam\"] }}\n")
}

/// Another one.
fn longer() -> String {
    guarded().replace("4h", "5h")
}

fn olga() -> Caller {
    as_self("olga", 1002)
}

fn as_self(name: &str, uid: u32) -> Caller {
    Caller { account: subject(name, uid), login: LoginAccount::Known(subject(name, uid)) }
}

impl Daemon {
    fn loads(&self, way: Way) -> Result<(), String> {
        self.loads_although(way, &[])
    }

    /// The same, whatever this host has said against it.
    fn loads_although(&self, way: Way, forced: &[String]) -> Result<(), String> {
        let (looked, reason) = (by(root()), "CHG-7 longer".parse().unwrap());
        let by = LoadedBy {
            looked: &looked,
            trust: Word::Nobody,
            actor: ROOT,
            reason: Some(&reason),
            way,
            forced,
        };
        let loaded = self.desk().load_policy(&self.desk().read_policy(), Load::Order, Some(by)).unwrap();
        if let Some(ticket) = loaded.map_err(|why| why.to_string())? {
            zruntime::block_on(ticket.durable()).unwrap();
        }
        Ok(())
    }

    /// What waits, by its digest.
    fn proposal(&self) -> Option<jit_core::digest::Digest> {
        let waits = |here: Context<'_>| Some(here.state.policy_changes().waiting.as_ref()?.proposal.digest);
        self.desk().look(waits).unwrap()
    }

    fn says(&self, caller: Caller, decision: Decision) -> Result<(), String> {
        let seen = self.proposal().expect("something waits");
        self.says_to(caller, decision, seen)
    }

    fn says_to(
        &self,
        caller: Caller,
        decision: Decision,
        seen: jit_core::digest::Digest,
    ) -> Result<(), String> {
        let said = Said { seen, decision, note: None };
        let looked = by(caller);
        let by = LoadedBy {
            looked: &looked,
            trust: Word::Nobody,
            actor: ROOT,
            reason: None,
            way: Way::Usual,
            forced: &[],
        };
        let read = self.desk().read_policy();
        let files = read.as_ref().ok().map(|(policy, _)| policy.digest());
        let ticket = self.desk().review_policy(files, &read, &said, by).map_err(|err| err.to_string())?;
        zruntime::block_on(ticket.map_err(|why| why.to_string())?.durable()).unwrap();
        Ok(())
    }

    /// How long the role opens for, by the policy in force.
    fn longest(&self) -> Duration {
        self.desk().policy().unwrap().policy.role(&"shell".parse().unwrap()).unwrap().max_duration
    }
}

const FOUR: Duration = Duration::from_hours(4);
const FIVE: Duration = Duration::from_hours(5);

#[test]
fn what_is_loaded_waits_and_comes_into_force_with_the_approval_on_record() {
    let daemon = Daemon::of(&guarded());
    write_policy(daemon.dir.path(), &longer());
    daemon.loads(Way::Usual).unwrap();
    assert_eq!(daemon.longest(), FOUR);
    assert!(daemon.says(root(), Decision::Approve).unwrap_err().contains("nobody approves a policy"));
    daemon.says(olga(), Decision::Approve).unwrap();
    assert_eq!((daemon.longest(), daemon.proposal()), (FIVE, None));
    let words: Vec<PolicyWord> = records(&daemon.store())
        .into_iter()
        .filter_map(|record| match record.event {
            Event::PolicyLoaded { word, .. } => Some(word),
            _ => None,
        })
        .collect();
    let approved = vec![Person::of(&olga().account)];
    let by = Some(Person::of(&root().account));
    assert_eq!(
        words[1],
        PolicyWord { by, reason: Some("CHG-7 longer".parse().unwrap()), approved, ..PolicyWord::default() }
    );
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!((daemon.longest(), daemon.desk().policy().unwrap().source), (FIVE, Source::Files));
}

#[test]
fn what_was_passed_over_by_force_is_with_what_waits_and_on_record_when_it_comes_into_force() {
    let daemon = Daemon::of(&guarded());
    write_policy(daemon.dir.path(), &longer());
    daemon.loads(Way::Usual).unwrap();
    let of_proposal = |here: Context<'_>| {
        let waiting = here.state.policy_changes().waiting.as_ref();
        waiting.map(|waiting| waiting.proposal.forced.clone())
    };
    assert_eq!(daemon.desk().look(of_proposal).unwrap(), Some(Vec::new()));
    // Loaded again by force it is no longer what waits without.
    let said = vec!["10.toml:3:1: error JIT074: no admin can get in on this host: root".to_owned()];
    daemon.loads_although(Way::Usual, &said).unwrap();
    assert_eq!(daemon.desk().look(of_proposal).unwrap(), Some(said.clone()));
    daemon.says(olga(), Decision::Approve).unwrap();
    let forced = |event| if let Event::PolicyLoaded { word, .. } = event { Some(word.forced) } else { None };
    let all: Vec<_> =
        records(&daemon.store()).into_iter().filter_map(|record| forced(record.event)).collect();
    assert_eq!(all, [Vec::new(), said]);
}

#[test]
fn files_that_were_changed_since_do_not_come_into_force_and_nothing_is_lost() {
    let daemon = Daemon::of(&guarded());
    write_policy(daemon.dir.path(), &longer());
    daemon.loads(Way::Usual).unwrap();
    write_policy(daemon.dir.path(), &longer().replace("5h", "9h"));
    let refused = daemon.says(olga(), Decision::Approve).unwrap_err();
    assert!(refused.contains("somebody has changed them since"), "{refused}");
    write_policy(daemon.dir.path(), "broken");
    assert!(daemon.says(olga(), Decision::Approve).is_err());
    assert_eq!(daemon.longest(), FOUR);
    write_policy(daemon.dir.path(), &longer());
    daemon.says(olga(), Decision::Approve).unwrap();
    assert_eq!(daemon.longest(), FIVE);
}

#[test]
fn no_start_and_no_signal_takes_files_that_were_not_approved() {
    let daemon = Daemon::of(&guarded());
    write_policy(daemon.dir.path(), &longer());
    let refused = daemon.load(Load::Signal, None).unwrap().unwrap_err();
    assert!(matches!(refused, NotLoaded::NotApproved(_)), "{refused}");
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!((daemon.longest(), daemon.desk().policy().unwrap().source), (FOUR, Source::Kept));
    // Nor while it waits, and the wait outlives jitd.
    daemon.loads(Way::Usual).unwrap();
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!((daemon.longest(), daemon.desk().policy().unwrap().source), (FOUR, Source::Kept));
    daemon.says(olga(), Decision::Approve).unwrap();
    assert_eq!(daemon.longest(), FIVE);
    // What takes an admin's word alone is found as ever.
    let daemon = Daemon::start();
    write_policy(daemon.dir.path(), &POLICY.replace("4h", "5h"));
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!((daemon.longest(), daemon.desk().policy().unwrap().source), (FIVE, Source::Files));
}

#[test]
fn files_that_nobody_approved_are_on_record_when_they_are_found() {
    let refused = |daemon: &Daemon| {
        let is_it = |record: &Record| matches!(&record.event, Event::PolicyRefused { error, errors: 1 } if error.contains("the approval of olga, sam"));
        records(&daemon.store()).iter().filter(|record| is_it(record)).count()
    };
    let daemon = Daemon::of(&guarded());
    write_policy(daemon.dir.path(), &longer());
    daemon.load(Load::Signal, None).unwrap().unwrap_err();
    daemon.until_durable();
    assert_eq!(refused(&daemon), 1);
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!(refused(&daemon), 2);
    // An order is an answer to somebody, and what waits is on record by itself.
    daemon.loads(Way::Usual).unwrap();
    assert_eq!(refused(&daemon), 2);
}

#[test]
fn a_policy_that_is_loaded_again_goes_on_waiting_with_the_approvals_that_it_has() {
    let daemon = Daemon::of(&guarded().replace("\"sam\"] }", "\"sam\"] }\napprovals = 2"));
    write_policy(daemon.dir.path(), &longer());
    daemon.loads(Way::Usual).unwrap();
    daemon.says(olga(), Decision::Approve).unwrap();
    daemon.loads(Way::Usual).unwrap();
    daemon.says(as_self("sam", 1003), Decision::Approve).unwrap();
    assert_eq!(daemon.longest(), FIVE);
}

#[test]
fn an_override_is_in_force_at_once_and_told_until_it_is_acknowledged() {
    let daemon = Daemon::of(&guarded());
    write_policy(daemon.dir.path(), &longer());
    daemon.loads(Way::Usual).unwrap();
    let console = |at_the_console| Way::Override { at_the_console };
    assert!(daemon.loads(console(false)).unwrap_err().contains("only root itself, logged in at the console"));
    daemon.loads(console(true)).unwrap();
    assert_eq!((daemon.longest(), daemon.proposal()), (FIVE, None));
    let overridden =
        |daemon: &Daemon| daemon.desk().look(|here| here.state.policy_changes().overridden.clone()).unwrap();
    let daemon = Daemon::start_in(daemon.stop());
    let done = overridden(&daemon).expect("it is to be acknowledged");
    assert!(daemon.says_to(root(), Decision::Approve, done.what.digest).is_err());
    daemon.says_to(olga(), Decision::Approve, done.what.digest).unwrap();
    assert_eq!(overridden(&daemon), None);
    let kinds = |event: &Event| matches!(event, Event::PolicyOverride { .. } | Event::PolicyLoaded { .. });
    assert_eq!(records(&daemon.store()).iter().filter(|record| kinds(&record.event)).count(), 3);
}

#[test]
fn a_denial_ends_the_wait_and_the_tables_say_so() {
    let daemon = Daemon::of(&guarded());
    write_policy(daemon.dir.path(), &longer());
    daemon.loads(Way::Usual).unwrap();
    assert!(rows::load(&daemon.store()).unwrap().state.policy_changes().waiting.is_some());
    daemon.says(as_self("sam", 1003), Decision::Deny).unwrap();
    assert_eq!(daemon.proposal(), None);
    assert!(rows::load(&daemon.store()).unwrap().state.policy_changes().is_empty());
    assert_eq!(daemon.longest(), FOUR);
}
