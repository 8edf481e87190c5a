//! A policy on trial over a real store: what comes back, when, and who keeps it.

use jit_core::model::{BackWhy, PolicyWord, Why};

use super::*;
use crate::desk::NotLoaded;

const MINUTE: Duration = Duration::from_mins(1);
const TRIAL: Load = Load::Trial(MINUTE);

/// root's login at the console before anything was tried, and the one after.
const OLD_LOGIN: Actor =
    Actor { uid: Uid::ROOT, loginuid: Some(Uid::ROOT), untold: false, session: Some(3), process: None };
const NEW_LOGIN: Actor = Actor { session: Some(4), ..OLD_LOGIN };

/// A policy under which nobody but root gets in.
fn worse() -> String {
    POLICY.replace("services = [\"sshd\"]", "services = [\"cups\"]")
}

impl Daemon {
    fn loaded(&self, load: Load) -> Result<(), NotLoaded> {
        let ticket = self.load(load, Some(ROOT)).unwrap()?;
        if let Some(ticket) = ticket {
            zruntime::block_on(ticket.durable()).unwrap();
        }
        Ok(())
    }

    fn tries(text: &str) -> Self {
        let daemon = Self::start();
        daemon.grant(1).unwrap();
        write_policy(daemon.dir.path(), text);
        daemon.loaded(TRIAL).unwrap();
        daemon
    }

    /// root opens a session at the console, where policy exempts them.
    fn root_logs_in(&self, as_whom: Actor) {
        let login = LoginEvent {
            service: "login".parse().unwrap(),
            user: "root".parse().unwrap(),
            uid: Some(Uid::ROOT),
            ..question().login
        };
        let subject = Known::Fully(subject("root", 0));
        let question = Question { stage: Stage::Session, login, subject, ..question() };
        let checked = self.desk().check(&question, as_whom, None, Waits::ForMore).unwrap();
        let Judged::Answered(checked) = checked else { panic!("{checked:?}") };
        assert_eq!((checked.verdict(), checked.why()), (Verdict::Unmanaged, Why::Exempt));
    }

    fn confirm(&self, from: Actor) -> Result<(), String> {
        let ticket =
            self.desk().confirm_policy(&by(root()), Word::Nobody, from).map_err(|err| err.to_string())?;
        zruntime::block_on(ticket.durable()).map(drop).map_err(|err| err.to_string())
    }

    fn events(&self) -> Vec<Event> {
        records(&self.store()).into_iter().map(|record| record.event).collect()
    }

    fn went_back(&self) -> Vec<BackWhy> {
        let why = |event| if let Event::PolicyReverted { why, .. } = event { Some(why) } else { None };
        self.events().into_iter().filter_map(why).collect()
    }

    #[track_caller]
    fn has_the_old_policy(&self) {
        assert_eq!(self.check(), Ok(Verdict::Allow));
        let known = self.desk().policy().unwrap();
        assert_eq!((known.source, self.desk().trial()), (Source::Before, None));
        assert!(!self.desk().files_are_in_force());
    }
}

#[test]
fn a_trial_that_nobody_confirms_is_over_at_its_very_end() {
    let daemon = Daemon::tries(&worse());
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
    assert!(daemon.desk().trial().is_some_and(|(_, left)| left <= MINUTE));
    daemon.clock.go_on(MINUTE);
    // Whoever asks first finds the old policy, whether or not anything has ticked.
    daemon.has_the_old_policy();
    assert_eq!(daemon.went_back(), [BackWhy::Expired]);
}

#[test]
fn the_tick_ends_a_trial_that_nobody_asks_about() {
    let daemon = Daemon::tries(&worse());
    assert!(daemon.desk().tick() <= MINUTE);
    daemon.clock.go_on(MINUTE);
    daemon.desk().tick();
    daemon.desk().tick();
    daemon.has_the_old_policy();
    assert_eq!(daemon.went_back(), [BackWhy::Expired]);
}

#[test]
fn a_jitd_that_ends_during_a_trial_comes_back_with_the_policy_before_it() {
    let daemon = Daemon::start_in(Daemon::tries(&worse()).stop());
    daemon.has_the_old_policy();
    assert_eq!(daemon.went_back(), [BackWhy::Restart]);
    // And again: what went back stays back, and is told once.
    let daemon = Daemon::start_in(daemon.stop());
    daemon.has_the_old_policy();
    assert_eq!(daemon.went_back(), [BackWhy::Restart]);
}

#[test]
fn what_went_back_is_loaded_by_an_order_and_not_by_a_signal() {
    let daemon = Daemon::start_in(Daemon::tries(&worse()).stop());
    assert!(matches!(daemon.loaded(Load::Signal), Err(NotLoaded::WentBack)));
    daemon.has_the_old_policy();
    daemon.loaded(Load::Order).unwrap();
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
    assert_eq!(daemon.desk().policy().unwrap().source, Source::Files);
}

#[test]
fn other_files_than_those_that_went_back_are_taken_as_ever() {
    let daemon = Daemon::start_in(Daemon::tries(&worse()).stop());
    write_policy(daemon.dir.path(), &format!("# mended\n{POLICY}"));
    daemon.loaded(Load::Signal).unwrap();
    assert_eq!(daemon.desk().policy().unwrap().source, Source::Files);
}

#[test]
fn a_login_since_the_trial_began_keeps_it_and_one_before_does_not() {
    let daemon = Daemon::start();
    daemon.root_logs_in(OLD_LOGIN);
    write_policy(daemon.dir.path(), &worse());
    daemon.loaded(TRIAL).unwrap();
    assert!(daemon.confirm(OLD_LOGIN).unwrap_err().contains("log in anew"));
    assert!(daemon.confirm(ROOT).unwrap_err().contains("belongs to no login"));
    daemon.root_logs_in(NEW_LOGIN);
    assert!(daemon.confirm(OLD_LOGIN).is_err());
    daemon.confirm(NEW_LOGIN).unwrap();
    daemon.clock.go_on(MINUTE);
    daemon.desk().tick();
    assert_eq!((daemon.check(), daemon.desk().trial()), (Ok(Verdict::Deny), None));
    assert!(daemon.confirm(NEW_LOGIN).unwrap_err().contains("no policy is on trial"));
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
    assert_eq!(daemon.went_back(), []);
}

#[test]
fn a_new_trial_begins_without_the_logins_of_the_last_one() {
    let daemon = Daemon::tries(&worse());
    daemon.root_logs_in(NEW_LOGIN);
    daemon.clock.go_on(MINUTE);
    daemon.desk().tick();
    daemon.loaded(TRIAL).unwrap();
    assert!(daemon.confirm(NEW_LOGIN).unwrap_err().contains("log in anew"));
}

#[test]
fn only_an_admin_of_the_policy_on_trial_keeps_it() {
    let daemon = Daemon::tries(&worse());
    let maria = Caller { account: maria(), login: LoginAccount::Known(maria()) };
    let refused = daemon.desk().confirm_policy(&by(maria), Word::Nobody, NEW_LOGIN).unwrap_err().to_string();
    assert!(refused.contains("only an admin"), "{refused}");
}

#[test]
fn while_one_is_on_trial_nothing_else_is_loaded() {
    let daemon = Daemon::tries(&worse());
    write_policy(daemon.dir.path(), POLICY);
    for load in [Load::Order, Load::Signal, TRIAL] {
        let refused = daemon.loaded(load).unwrap_err().to_string();
        assert!(refused.contains("a policy is on trial for another"), "{refused}");
    }
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
}

#[test]
fn the_first_policy_and_the_one_in_force_are_not_tried() {
    let daemon = Daemon::start();
    assert!(daemon.loaded(TRIAL).unwrap_err().to_string().contains("in force already"));
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("policy.d")).unwrap();
    write_policy(dir.path(), "broken");
    let daemon = Daemon::start_in(dir);
    write_policy(daemon.dir.path(), POLICY);
    assert!(daemon.loaded(TRIAL).unwrap_err().to_string().contains("load the first one without --try"));
}

#[test]
fn a_load_is_on_record_with_who_ordered_it_and_what_they_said_and_a_start_with_nobody() {
    let daemon = Daemon::start();
    write_policy(daemon.dir.path(), &worse());
    let looked = by(Caller { login: LoginAccount::Known(maria()), ..root() });
    let reason = "CHG-77 leads left".parse().unwrap();
    let by = LoadedBy {
        looked: &looked,
        trust: Word::Nobody,
        actor: ROOT,
        reason: Some(&reason),
        way: Way::Usual,
        forced: &[],
    };
    let loaded = daemon.desk().load_policy(&daemon.desk().read_policy(), Load::Order, Some(by)).unwrap();
    zruntime::block_on(loaded.unwrap().unwrap().durable()).unwrap();
    let word = |event| if let Event::PolicyLoaded { word, .. } = event { Some(word) } else { None };
    let words: Vec<_> = daemon.events().into_iter().filter_map(word).collect();
    let by = Some(jit_core::model::Person::of(&maria()));
    assert_eq!(
        words,
        [PolicyWord::default(), PolicyWord { by, reason: Some(reason), ..PolicyWord::default() }]
    );
}

#[test]
fn a_load_is_on_record_with_what_it_changes_of_what() {
    let daemon = Daemon::tries(&worse());
    let loads: Vec<_> = daemon
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::PolicyLoaded { digest, before, diff, trial, .. } => Some((digest, before, diff, trial)),
            _ => None,
        })
        .collect();
    let [(first, None, None, None), (_, Some(before), Some(diff), Some(60))] = &loads[..] else {
        panic!("{loads:?}")
    };
    assert_eq!(first, before);
    assert_eq!(
        diff.lines,
        ["+ role shell: daemon, maria: also for cups", "- role shell: daemon, maria: no longer for sshd"]
    );
}
