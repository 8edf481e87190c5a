//! Random stories: whatever people do in whatever order, over reboots and clocks that step, policies that change, trials
//! and disks that fail, the laws hold, as the log alone tells it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::due;
use crate::model::BackWhy;
use crate::orders::trial::{over, running};
use crate::policy::Policy;
use crate::time::{Moment, Utc};

#[derive(Clone, Debug)]
enum Step {
    Ask { role: usize, who: usize, ahead: Option<u64> },
    Review { which: usize, who: usize, deny: bool, minutes: Option<u64>, service: Option<usize> },
    Withdraw { which: usize, who: usize },
    Extend { which: usize },
    Done { which: usize, who: usize },
    Revoke { which: usize },
    Lock { scope: usize, minutes: u64 },
    Unlock { scope: usize },
    LogIn { service: usize, who: usize, session: bool },
    Wait(u64),
    WallJumps(i64),
    Reboot(u64),
    Load { site: usize, trial: bool },
    Confirm,
    Disk(Disk),
}

/// What the disk does with what has happened since it last held still.
#[derive(Clone, Copy, Debug)]
enum Disk {
    Stands,
    Takes,
    Fails,
}

const ROLES: [&str; 3] = ["shell", "first", "break-glass"];
/// The second names of maria and sam are among them.
const WHO: [&str; 10] = ["maria", "erik", "maria2", "root", "olga", "adm-olga", "sam2", "sam", "tim", "boss"];
/// So many of them ask.
const ASKERS: usize = 3;
const SERVICES: [&str; 3] = ["sshd", "sudo", "sudo-i"];
const SCOPES: [&str; 4] = ["user:maria", "role:shell", "service:sudo", "host"];

fn step() -> impl Strategy<Value = Step> {
    let which = 0..12_usize;
    let who = 0..WHO.len();
    prop_oneof![
        4 => (0..3_usize, 0..ASKERS, proptest::option::weighted(0.2, 0..300_u64))
            .prop_map(|(role, who, ahead)| Step::Ask { role, who, ahead }),
        12 => (which.clone(), who.clone(), proptest::bool::weighted(0.1), proptest::option::of(0..90_u64),
            proptest::option::weighted(0.2, 0..3_usize))
            .prop_map(|(which, who, deny, minutes, service)| Step::Review { which, who, deny, minutes, service }),
        1 => (which.clone(), who.clone()).prop_map(|(which, who)| Step::Withdraw { which, who }),
        2 => which.clone().prop_map(|which| Step::Extend { which }),
        1 => (which.clone(), who).prop_map(|(which, who)| Step::Done { which, who }),
        1 => which.prop_map(|which| Step::Revoke { which }),
        1 => (0..SCOPES.len(), 1..60_u64).prop_map(|(scope, minutes)| Step::Lock { scope, minutes }),
        1 => (0..SCOPES.len()).prop_map(|scope| Step::Unlock { scope }),
        6 => (0..3_usize, 0..ASKERS, any::<bool>())
            .prop_map(|(service, who, session)| Step::LogIn { service, who, session }),
        6 => (0..7_200_u64).prop_map(Step::Wait),
        1 => (-7_200_i64..7_200).prop_map(Step::WallJumps),
        1 => (0..600_u64).prop_map(Step::Reboot),
        2 => (0..SITES, proptest::bool::weighted(0.4)).prop_map(|(site, trial)| Step::Load { site, trial }),
        1 => Just(Step::Confirm),
        1 => prop_oneof![Just(Disk::Stands), Just(Disk::Takes), Just(Disk::Fails)].prop_map(Step::Disk),
    ]
}

const SITES: usize = 6;

/// The beginning of the emergency role.
const EMERGENCY: &str = "[role.break-glass]\nhosts = [\"*\"]\nservices = [\"sshd\"]\n";

/// The site as it is, and as it may become: roles change their kind, their stages and their host, go and come back.
fn site(n: usize) -> Policy {
    let site = SITE
        .replace("users = [\"maria\", \"erik\"]", "users = [\"maria\", \"erik\", \"maria2\"]")
        .replace("\"root\", \"olga\",", "\"root\", \"sam2\", \"maria2\", \"olga\",")
        .replace("\"tim\", \"olga\",", "\"tim\", \"sam2\", \"maria2\", \"olga\",")
        .replace("[\"olga\", \"sam\"]", "[\"olga\", \"sam2\", \"sam\", \"maria2\"]")
        // An emergency opens at once: so sudo is open in some story, however the dice fall.
        .replace(EMERGENCY, &EMERGENCY.replace("\"sshd\"", "\"sshd\", \"sudo\""));
    let text = match n {
        0 => site,
        1 => site.replace("emergency = true\n", ""),
        2 => site[..site.find("[role.break-glass]").unwrap()].to_owned(),
        3 => site
            .replace("[role.first]\n", "[role.first]\nemergency = true\n")
            .replace("starts = \"at-first-use\"\n", ""),
        4 => site.replace("[role.shell]\nhosts = [\"*\"]", "[role.shell]\nhosts = [\"web-*\"]"),
        _ => site.replace("name = \"afterwards\"", "name = \"later\"").replace("\"8h\"", "\"2m\""),
    };
    policy(&text)
}

/// How often each of these was reached by all stories together. What is never reached is not tried.
#[derive(Default)]
struct Reached {
    kinds_changed: AtomicUsize,
    owed_by_no_role: AtomicUsize,
    settled_by_admin: AtomicUsize,
    trials: AtomicUsize,
    expired_trials: AtomicUsize,
    confirmed_trials: AtomicUsize,
    waited_under_trial: AtomicUsize,
    failed_commits: AtomicUsize,
    undone: AtomicUsize,
    second_names: AtomicUsize,
    aliases: AtomicUsize,
    opened: AtomicUsize,
}

static REACHED: Reached = Reached {
    kinds_changed: AtomicUsize::new(0),
    owed_by_no_role: AtomicUsize::new(0),
    settled_by_admin: AtomicUsize::new(0),
    trials: AtomicUsize::new(0),
    expired_trials: AtomicUsize::new(0),
    confirmed_trials: AtomicUsize::new(0),
    waited_under_trial: AtomicUsize::new(0),
    failed_commits: AtomicUsize::new(0),
    undone: AtomicUsize::new(0),
    second_names: AtomicUsize::new(0),
    aliases: AtomicUsize::new(0),
    opened: AtomicUsize::new(0),
};

fn reached(what: &AtomicUsize) {
    what.fetch_add(1, Ordering::Relaxed);
}

impl Reached {
    fn print(&self) {
        let Self {
            kinds_changed,
            owed_by_no_role,
            settled_by_admin,
            trials,
            expired_trials,
            confirmed_trials,
            waited_under_trial,
            failed_commits,
            undone,
            second_names,
            aliases,
            opened,
        } = self;
        for (what, count) in [
            ("kinds of a role changed while something of it was live", kinds_changed),
            ("reviews owed for a role that is gone", owed_by_no_role),
            ("of them settled by an admin", settled_by_admin),
            ("trials", trials),
            ("trials that nobody confirmed", expired_trials),
            ("trials confirmed", confirmed_trials),
            ("requests that waited through a trial of another role", waited_under_trial),
            ("commits that failed", failed_commits),
            ("openings that a failed commit undid", undone),
            ("reviews by the second name of a uid", second_names),
            ("people whom sudo and its alias admit", aliases),
            ("openings", opened),
        ] {
            let count = count.load(Ordering::Relaxed);
            println!("{count:8} {what}");
            assert!(count > 0, "no story reached: {what}");
        }
    }
}

fn person(name: &str) -> Subject {
    match name {
        "maria2" => subject("maria2", 1001),
        "sam2" => subject("sam2", 1005),
        name => super::person(name),
    }
}

/// One story, and what has to hold after each of its steps.
#[derive(Clone, Default)]
struct Story {
    ids: Vec<RequestId>,
    digests: BTreeMap<RequestId, crate::digest::Digest>,
    opened: BTreeSet<RequestId>,
    over: BTreeSet<RequestId>,
    emergencies: BTreeSet<RequestId>,
    reboots: u64,
    /// How much of the log has been looked at.
    seen: usize,
    /// The policy that comes back after a trial.
    before: Option<Policy>,
    /// What is on disk while that stands still: the story so far, how much of the log, and the policy.
    on_disk: Option<Box<(Story, usize, Policy)>>,
}

impl Story {
    fn take(&mut self, world: &mut World, step: Step) {
        let id = |which: usize, ids: &[RequestId]| ids.iter().rev().nth(which).copied();
        match step {
            Step::Ask { role, who, ahead } => {
                let ahead = ahead.map(Duration::from_mins);
                self.ids.extend(ask(world, ROLES[role], &person(WHO[who]), ahead).ok());
            }
            Step::Review { which, who, deny, minutes, service } => {
                let Some(id) = id(which, &self.ids) else { return };
                let caller = as_self(person(WHO[who]));
                let narrow = Narrow {
                    duration: minutes.map(|minutes| Duration::from_secs(60 * minutes)),
                    services: service.map(|service| [SERVICES[service].parse().unwrap()].into()),
                    uses: None,
                };
                let decision = if deny { Decision::Deny } else { Decision::Approve };
                // A refusal changes nothing, and which reviews count is what is checked below.
                drop(world.give(&Given { narrow, ..Given::new(Reviewer::Online(&caller), decision) }, id));
            }
            Step::Withdraw { which, who } => {
                let Some(id) = id(which, &self.ids) else { return };
                if let Ok(events) = withdraw(world.here(), &as_self(person(WHO[who])), id, None) {
                    world.apply(events);
                }
            }
            Step::Extend { which } => {
                let Some(id) = id(which, &self.ids) else { return };
                self.ids.extend(extended(world, id).ok());
            }
            Step::Done { which, who } => {
                let Some(id) = id(which, &self.ids) else { return };
                let caller = as_self(person(WHO[who]));
                if let Ok(events) = done(world.here(), &caller, Target::Request(id), None) {
                    world.apply(events);
                }
            }
            Step::Revoke { which } => {
                let Some(id) = id(which, &self.ids) else { return };
                if let Ok(events) = revoke(world.here(), &as_self(root()), Target::Request(id), None) {
                    world.apply(events);
                }
            }
            Step::Lock { scope, minutes } => {
                locked(world, SCOPES[scope], Some(Duration::from_secs(60 * minutes)));
            }
            Step::Unlock { scope } => {
                let scope = SCOPES[scope].parse().unwrap();
                if let Ok(events) = unlock(world.here(), &as_self(root()), scope, None) {
                    world.apply(events);
                }
            }
            Step::LogIn { service, who, session } => {
                let stage = if session { Stage::Session } else { Stage::Account };
                let answer = world.log_in(&World::question(SERVICES[service], &person(WHO[who]), stage));
                if answer.verdict() == Verdict::Allow {
                    let locks = world.state.locked(&world.now);
                    assert!(locks.on_subject(&person(WHO[who]), world.policy.people()).is_none());
                    assert!(locks.on_service(&SERVICES[service].parse().unwrap()).is_none());
                }
            }
            Step::Wait(seconds) => {
                let now = world.now.later(Duration::from_secs(seconds));
                self.at(world, now);
            }
            Step::WallJumps(seconds) => {
                let wall = Utc::from_unix_millis((world.now.wall.unix_millis() + seconds * 1000).max(0));
                let now = Moment { wall, ..world.now.clone() };
                self.at(world, now);
            }
            Step::Reboot(seconds) => {
                self.reboots += 1;
                let wall = world.now.wall.plus(Duration::from_secs(seconds));
                let boot_id = format!("6f8e4c1a-0000-4000-8000-{:012x}", self.reboots);
                self.at(world, Moment::believed(wall, 1_000, boot_id.parse().unwrap()));
            }
            Step::Load { site: n, trial } => self.load(world, site(n), trial),
            Step::Confirm => {
                if let Some(digest) = running(&world.state).map(|trial| trial.digest) {
                    world.apply([Event::PolicyConfirmed { digest }]);
                    self.before = None;
                    reached(&REACHED.confirmed_trials);
                }
            }
            Step::Disk(Disk::Stands) => {
                if self.on_disk.is_none() {
                    let on_disk = (self.clone(), world.log.len(), world.policy.clone());
                    self.on_disk = Some(Box::new(on_disk));
                }
            }
            Step::Disk(Disk::Takes) => self.on_disk = None,
            Step::Disk(Disk::Fails) => self.fail(world),
        }
    }

    /// A moment comes: a trial that is over by then decides nothing in it.
    fn at(&mut self, world: &mut World, now: Moment) {
        world.now = now;
        if over(&world.state, &world.now).is_some() {
            reached(&REACHED.expired_trials);
            self.go_back(world, BackWhy::Expired);
        }
        world.settle();
    }

    fn load(&mut self, world: &mut World, new: Policy, trial: bool) {
        if running(&world.state).is_some() || new.digest() == world.policy.digest() {
            return;
        }
        let (digest, before) = (new.digest(), Some(world.policy.digest()));
        let seconds = trial.then_some(1_800);
        world.apply([Event::PolicyLoaded {
            digest,
            files: Vec::new(),
            before,
            diff: None,
            trial: seconds,
            word: PolicyWord::default(),
        }]);
        let changes_kind = |id: &RequestId| {
            let role = &world.state.reviewable(*id)?.request.role;
            let kind = |policy: &Policy| policy.role(role).map(|role| role.emergency);
            Some(kind(&world.policy)? != kind(&new)?)
        };
        if self.ids.iter().any(|id| changes_kind(id) == Some(true)) {
            reached(&REACHED.kinds_changed);
        }
        let before = std::mem::replace(&mut world.policy, new);
        if trial {
            reached(&REACHED.trials);
            self.before = Some(before);
        }
        world.settle();
        let gone = |id: &RequestId| world.here().role(&world.state.owed()[id].request.role).is_err();
        if world.state.owed().keys().any(gone) {
            reached(&REACHED.owed_by_no_role);
        }
        let changed = |id: &RequestId| {
            let request = &world.state.pending()[id].request;
            world.policy.role(&request.role).is_none_or(|role| world.policy.terms(role) != request.terms)
        };
        if world.state.pending().keys().any(changed) {
            reached(&REACHED.waited_under_trial);
        }
    }

    /// The policy before the trial is in force again.
    fn go_back(&mut self, world: &mut World, why: BackWhy) {
        let before = self.before.take().unwrap();
        let (tried, digest) = (world.policy.digest(), before.digest());
        world.policy = before;
        world.apply([Event::PolicyReverted { why, tried, digest, files: Vec::new() }]);
    }

    /// A commit fails: what was not on disk never happened, and the host starts again from what was.
    fn fail(&mut self, world: &mut World) {
        let Some(on_disk) = self.on_disk.take() else { return };
        let opened = self.opened.len();
        let reboots = self.reboots;
        let (story, log, policy) = *on_disk;
        *self = Story { reboots, ..story };
        world.log.truncate(log);
        world.policy = policy;
        world.state = State::default();
        for record in &world.log {
            world.state.apply(record);
        }
        reached(&REACHED.failed_commits);
        if self.opened.len() < opened {
            reached(&REACHED.undone);
        }
        if running(&world.state).is_some() {
            self.go_back(world, BackWhy::Restart);
        }
        world.settle();
    }

    /// The laws, read off the log alone.
    fn holds(&mut self, world: &World) {
        let seen = std::mem::replace(&mut self.seen, world.log.len());
        for (place, record) in world.log.iter().enumerate().skip(seen) {
            match &record.event {
                Event::Requested { request } => {
                    self.digests.insert(request.id, request.digest());
                }
                Event::Reviewed { request, digest, review } => {
                    assert_eq!(self.digests[request], *digest, "the digest never changes");
                    let asked = asked(&world.log, *request).unwrap();
                    assert_ne!(
                        review.by.uid, asked.beneficiary.uid,
                        "nobody reviews their own, whatever the name"
                    );
                    if review.by.name.as_str().ends_with('2') {
                        reached(&REACHED.second_names);
                    }
                    let owes = self.emergencies.contains(request);
                    assert!(owes || !self.over.contains(request), "what is over is not reviewed");
                }
                Event::Opened { grant } => {
                    let id = grant.request();
                    reached(&REACHED.opened);
                    assert!(self.opened.insert(id), "nothing opens twice");
                    assert!(!self.over.contains(&id), "nothing opens after its end");
                    self.emergencies.extend(grant.emergency.then_some(id));
                    let asked = asked(&world.log, id).unwrap();
                    assert!(grant.length() <= asked.duration && asked.services.includes(&grant.services));
                    assert!(!grant.services.is_empty());
                    let reviews = counted(&world.log[..place], id);
                    for (_, review) in &reviews {
                        assert!(review.narrow.duration.is_none_or(|most| grant.length() <= most));
                        assert!(review.narrow.services.as_ref().is_none_or(|s| s.includes(&grant.services)));
                    }
                    let person =
                        |name: &String| name.trim_start_matches("adm-").trim_end_matches('2').to_owned();
                    let people: BTreeSet<_> = reviews.iter().map(|(name, _)| person(name)).collect();
                    assert_eq!(people.len(), reviews.len(), "one person counts once");
                    let needed = match grant.role.as_str() {
                        _ if grant.emergency => 0,
                        "shell" => 3,
                        "break-glass" => 2,
                        _ => 1,
                    };
                    assert!(people.len() >= needed, "{} without every stage met: {people:?}", grant.role);
                }
                Event::Ended { grant, .. } => {
                    assert!(self.over.insert((*grant).into()), "nothing ends twice");
                }
                Event::Refused { request, .. }
                | Event::Withdrawn { request, .. }
                | Event::Lapsed { request, .. } => {
                    assert!(self.over.insert(*request), "nothing ends twice");
                }
                Event::Settled { request, .. } => {
                    assert!(
                        self.emergencies.contains(request),
                        "only what opened before its review owes one"
                    );
                    let by = world.log[..place].iter().rev().find_map(|record| match &record.event {
                        Event::Reviewed { request: of, review, .. } if of == request => Some(review),
                        _ => None,
                    });
                    if by.unwrap().stage == "any admin" {
                        reached(&REACHED.settled_by_admin);
                    }
                }
                Event::Allowed { grant, .. } | Event::SessionOpened { grant, .. } => {
                    assert!(!self.over.contains(&RequestId::from(*grant)), "nothing leaves an end");
                }
                _ => {}
            }
        }
        for grant in world.state.grants() {
            assert!(!self.over.contains(&grant.request()));
        }
        Self::rests(world);
        Self::can_be_paid(world);
        Self::aliases_go_together(world);
    }

    /// Who may use sudo may use `sudo -i`, a service of its own.
    fn aliases_go_together(world: &World) {
        for who in WHO {
            let may = |service| world.check(service, &person(who)).verdict() == Verdict::Allow;
            if may("sudo") {
                assert!(may("sudo-i"), "{who}");
                reached(&REACHED.aliases);
            }
        }
    }

    /// The host sleeps exactly while there is nothing to do.
    fn rests(world: &World) {
        let (due, next) = (due::due(world.here()), due::next(world.here()));
        assert_eq!(next == Some(Duration::ZERO), !due.is_empty(), "woken for {due:?}");
        if let Some(before) = next.and_then(|next| next.checked_sub(Duration::from_millis(1))) {
            let now = world.now.later(before);
            assert_eq!(due::due(crate::context::Context { now: &now, ..world.here() }), [], "overslept");
        }
    }

    /// There is always somebody who can settle what an emergency owes.
    fn can_be_paid(world: &World) {
        if world.state.locks().is_empty() {
            let can = |who: &&str, owed| waits_for(world.here(), owed, &as_self(person(who)));
            for owed in world.state.owed().values() {
                assert!(WHO.iter().any(|who| can(who, owed)), "nobody can settle {owed:?}");
            }
        }
    }
}

fn asked(log: &[Record], id: RequestId) -> Option<&crate::model::Request> {
    log.iter().find_map(|record| match &record.event {
        Event::Requested { request } if request.id == id => Some(request),
        _ => None,
    })
}

/// The approvals of a request that count, by the log.
fn counted(log: &[Record], id: RequestId) -> Vec<(String, crate::model::Review)> {
    let mut reviews: Vec<(String, crate::model::Review)> = Vec::new();
    for record in log {
        match &record.event {
            Event::Reviewed { request, review, .. }
                if *request == id && review.decision == Decision::Approve =>
            {
                reviews.push((review.by.name.to_string(), review.clone()));
            }
            Event::Discounted { request, by } if *request == id => {
                reviews.retain(|(name, _)| name != by.name.as_str());
            }
            _ => {}
        }
    }
    reviews
}

/// Whatever people do in whatever order, over reboots and clocks that step, changed policies and failed commits.
#[test]
fn in_every_story_nothing_opens_without_its_stages_and_nothing_leaves_its_end() {
    let stories = proptest::collection::vec(step(), 1..400);
    let outcome = TestRunner::new(Config::default()).run(&stories, |steps| {
        let mut world = World::new();
        world.policy = site(0);
        let mut story = Story::default();
        for step in steps {
            story.take(&mut world, step);
            story.holds(&world);
        }
        let mut folded = State::default();
        for record in &world.log {
            folded.apply(&Record::decode(record.seq, &record.encode().unwrap().bytes).unwrap());
        }
        prop_assert_eq!(folded, world.state);
        Ok(())
    });
    if let Err(err) = outcome {
        panic!("{err}");
    }
    REACHED.print();
}
