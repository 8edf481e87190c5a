//! Random stories: whatever people do in whatever order, over reboots and clocks that step, the laws hold, as the log
//! alone tells it.

use super::*;

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
}

const ROLES: [&str; 3] = ["shell", "first", "break-glass"];
const WHO: [&str; 8] = ["maria", "erik", "root", "olga", "adm-olga", "sam", "tim", "boss"];
const SERVICES: [&str; 3] = ["sshd", "sudo", "sudo-i"];
const SCOPES: [&str; 4] = ["user:maria", "role:shell", "service:sudo", "host"];

fn step() -> impl Strategy<Value = Step> {
    let which = 0..12_usize;
    let who = 0..WHO.len();
    prop_oneof![
        4 => (0..3_usize, 0..2_usize, proptest::option::weighted(0.2, 0..300_u64))
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
        6 => (0..3_usize, 0..2_usize, any::<bool>())
            .prop_map(|(service, who, session)| Step::LogIn { service, who, session }),
        6 => (0..7_200_u64).prop_map(Step::Wait),
        1 => (-7_200_i64..7_200).prop_map(Step::WallJumps),
        1 => (0..600_u64).prop_map(Step::Reboot),
    ]
}

/// One story, and what has to hold after each of its steps.
#[derive(Default)]
struct Story {
    ids: Vec<RequestId>,
    digests: std::collections::BTreeMap<RequestId, crate::digest::Digest>,
    over: BTreeSet<RequestId>,
    emergencies: BTreeSet<RequestId>,
    reboots: u64,
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
                if answer.verdict == Verdict::Allow {
                    let locks = world.state.locked(&world.now);
                    assert!(locks.on_subject(&person(WHO[who]), world.policy.people()).is_none());
                    assert!(locks.on_service(&SERVICES[service].parse().unwrap()).is_none());
                }
            }
            Step::Wait(seconds) => world.wait(Duration::from_secs(seconds)),
            Step::WallJumps(seconds) => {
                let wall = (world.now.wall.unix_millis() + seconds * 1000).max(0);
                world.now.wall = crate::clock::Utc::from_unix_millis(wall);
                world.settle();
            }
            Step::Reboot(seconds) => {
                self.reboots += 1;
                let wall = world.now.wall.plus(Duration::from_secs(seconds));
                let boot_id = format!("6f8e4c1a-0000-4000-8000-{:012x}", self.reboots);
                world.now = crate::clock::Moment::believed(wall, 1_000, boot_id.parse().unwrap());
                world.settle();
            }
        }
    }

    /// The laws, read off the log alone.
    fn holds(&mut self, world: &World, from: usize) {
        for (place, record) in world.log.iter().enumerate().skip(from) {
            match &record.event {
                Event::Requested { request } => {
                    self.digests.insert(request.id, request.digest());
                }
                Event::Reviewed { request, digest, review } => {
                    assert_eq!(self.digests[request], *digest, "the digest never changes");
                    assert!(review.by.name.as_str() != "maria" && review.by.name.as_str() != "erik");
                    let owes = self.emergencies.contains(request);
                    assert!(owes || !self.over.contains(request), "what is over is not reviewed");
                }
                Event::Opened { grant } => {
                    let id = grant.request();
                    assert!(!self.over.contains(&id), "nothing opens after its end");
                    self.emergencies.extend(grant.emergency.then_some(id));
                    let asked = world.log.iter().find_map(|record| match &record.event {
                        Event::Requested { request } if request.id == id => Some(request),
                        _ => None,
                    });
                    let asked = asked.unwrap();
                    assert!(grant.length() <= asked.duration && grant.services.is_subset(&asked.services));
                    assert!(!grant.services.is_empty());
                    let reviews = counted(&world.log[..place], id);
                    for (_, review) in &reviews {
                        assert!(review.narrow.duration.is_none_or(|most| grant.length() <= most));
                        assert!(review.narrow.services.as_ref().is_none_or(|s| grant.services.is_subset(s)));
                    }
                    let people: BTreeSet<_> =
                        reviews.iter().map(|(name, _)| name.trim_start_matches("adm-").to_owned()).collect();
                    assert_eq!(people.len(), reviews.len(), "one person counts once");
                    let needed = match grant.role.as_str() {
                        "shell" => 3,
                        "first" => 1,
                        _ => 0,
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
                Event::Allowed { grant, .. } | Event::SessionOpened { grant, .. } => {
                    assert!(!self.over.contains(&RequestId::from(*grant)), "nothing leaves an end");
                }
                _ => {}
            }
        }
        for grant in world.state.grants() {
            assert!(!self.over.contains(&grant.request()));
        }
    }
}

/// The approvals of a request that count, by the log.
fn counted(log: &[Record], id: RequestId) -> Vec<(String, crate::event::Review)> {
    let mut reviews: Vec<(String, crate::event::Review)> = Vec::new();
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

proptest! {
    /// Whatever people do in whatever order, over reboots and clocks that step.
    #[test]
    fn in_every_story_nothing_opens_without_its_stages_and_nothing_leaves_its_end(
        steps in proptest::collection::vec(step(), 1..400),
    ) {
        let mut world = world();
        let mut story = Story::default();
        for step in steps {
            let from = world.log.len();
            story.take(&mut world, step);
            story.holds(&world, from);
        }
        let mut folded = State::default();
        for record in &world.log {
            folded.apply(&Record::decode(record.seq, &record.encode().unwrap().bytes).unwrap());
        }
        prop_assert_eq!(folded, world.state);
    }
}
