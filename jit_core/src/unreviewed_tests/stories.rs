//! Whatever people ask for and however the clocks go, policy alone opens no more than its rule says.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::time::Moment;

#[derive(Clone, Debug)]
enum Step {
    Ask {
        who: usize,
        minutes: u64,
    },
    Approve(usize),
    Done(usize),
    Wait(u64),
    /// The wall clock alone.
    Jump(i64),
    Reboot(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, 1..80_u64).prop_map(|(who, minutes)| Step::Ask { who, minutes }),
        1 => (0..4_usize).prop_map(Step::Approve),
        1 => (0..4_usize).prop_map(Step::Done),
        6 => (0..2_000_u64).prop_map(Step::Wait),
        1 => (-20_000_i64..20_000).prop_map(Step::Jump),
        1 => (0..600_u64).prop_map(Step::Reboot),
    ]
}

fn people() -> [Subject; 3] {
    [maria(), subject("adm-maria", 2001), erik()]
}

/// Milliseconds that passed by every clock: what a person with a stopwatch saw.
fn take(world: &mut World, step: &Step, stopwatch: &mut u64) {
    let pass = |now: &Moment, minutes: u64| Moment {
        wall: now.wall.plus(MINUTE * u32::try_from(minutes).unwrap()),
        boot: now.boot + minutes * 60_000,
        ran: Some(now.ran.unwrap_or_default() + minutes * 60_000),
        ..now.clone()
    };
    match step {
        Step::Ask { who, minutes } => drop(Ask::of(people()[*who].clone(), *minutes).file(world)),
        Step::Approve(which) => {
            let id = world.state.pending().keys().nth(*which).copied();
            drop(id.map(|id| world.review(&root(), id, Decision::Approve)));
        }
        Step::Done(which) => {
            let grant = world.state.grants().nth(*which).cloned();
            let end = |grant: &crate::model::Grant| {
                let by = as_self(people().into_iter().find(|one| one.name == grant.user)?);
                done(world.here(), &by, Target::Grant(grant.id), None).ok()
            };
            let events = grant.as_ref().and_then(end);
            world.apply(events.into_iter().flatten());
        }
        Step::Wait(minutes) => {
            world.now = pass(&world.now, *minutes);
            *stopwatch += minutes * 60_000;
        }
        Step::Jump(minutes) => {
            let to = world.now.wall.unix_millis() + minutes * 60_000;
            world.now.wall = crate::time::Utc::from_unix_millis(to);
        }
        Step::Reboot(minutes) => {
            // Off for so long, and up again.
            let next = if world.now.boot_id == at_next_boot(0, 0).boot_id {
                crate::testing::at
            } else {
                at_next_boot
            };
            let wall = world.now.wall.plus(MINUTE * u32::try_from(*minutes).unwrap());
            world.now = Moment { ran: world.now.ran, ..next(wall.unix_millis(), 1_000) };
            *stopwatch += minutes * 60_000;
        }
    }
    world.settle();
}

proptest! {
    /// Without a step of the wall clock, which may take back what it gave, no person has more than so many openings in any
    /// seven days by the stopwatch; with them, no more than by the log's own clocks.
    #[test]
    fn nobody_has_more_or_longer_windows_by_policy_alone_than_its_rule_says(
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut world = world("{ up-to = \"30m\", each-week = 3 }");
        world.now.ran = Some(5_000);
        let jumps = steps.iter().any(|step| matches!(step, Step::Jump(_)));
        let mut stopwatch = 0;
        let mut opened: BTreeMap<bool, Vec<u64>> = BTreeMap::new();
        for step in &steps {
            let before = world.log.len();
            take(&mut world, step, &mut stopwatch);
            for record in &world.log[before..] {
                let Event::Opened { grant } = &record.event else { continue };
                if grant.by_policy.is_some() {
                    prop_assert!(grant.together() <= MINUTE * 30, "{:?}", grant);
                    opened.entry(grant.user.as_str() == "erik").or_default().push(stopwatch);
                }
            }
        }
        let week = u64::try_from(WEEK.as_millis()).unwrap();
        for times in opened.values().filter(|_| !jumps) {
            for window in times.windows(4) {
                prop_assert!(window[3] - window[0] >= week, "{:?}", times);
            }
        }
        let mut folded = State::default();
        for record in &world.log {
            folded.apply(&Record::decode(record.seq, &record.encode().unwrap().bytes).unwrap());
        }
        prop_assert_eq!(folded, world.state);
    }
}
