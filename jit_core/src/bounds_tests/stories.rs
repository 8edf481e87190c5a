//! Whatever people ask for, whoever approves it and however the time goes by, the limits hold.

use std::collections::BTreeMap;
use std::time::Duration;

use jit_proto::words::{GrantId, RequestId};
use proptest::prelude::*;

use super::{adm_maria, ask, erik, more, open, tim, world};
use crate::event::{Event, Record};
use crate::model::Decision;
use crate::orders::revoke::{Target, done};
use crate::orders::{NotNow, Refusal};
use crate::state::State;
use crate::testing::{as_self, maria, root};

#[derive(Clone, Debug)]
enum Step {
    Ask { who: usize, ahead: Option<u64>, minutes: u64 },
    Approve(usize),
    Extend { which: usize, minutes: u64 },
    Done(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_usize, proptest::option::weighted(0.3, 0..600_u64), 1..240_u64)
            .prop_map(|(who, ahead, minutes)| Step::Ask { who, ahead, minutes }),
        6 => (0..6_usize).prop_map(Step::Approve),
        2 => (0..6_usize, 1..240_u64).prop_map(|(which, minutes)| Step::Extend { which, minutes }),
        1 => (0..6_usize).prop_map(Step::Done),
        4 => (0..200_u64).prop_map(Step::Wait),
    ]
}

/// When each window was open, whose it was and what it went on from, as the log alone tells it, in milliseconds.
struct Open {
    id: GrantId,
    whose: &'static str,
    from: i64,
    to: i64,
    base: Option<GrantId>,
    approved: i64,
}

fn windows(log: &[Record]) -> Vec<Open> {
    let mut open: BTreeMap<GrantId, Open> = BTreeMap::new();
    let mut granted = BTreeMap::new();
    for record in log {
        let now = record.at.wall.unix_millis();
        match &record.event {
            Event::Opened { grant } => {
                granted.insert(grant.id, (grant.clone(), now));
                // Of one that is approved late, what is over by then was never open.
                if let Some(window) = grant.window() {
                    let from = window.start.wall.unix_millis().max(now);
                    open.insert(grant.id, opened(grant, now, from, window.end().unix_millis()));
                }
            }
            Event::Began { grant, window } => {
                let (from, to) = (window.start.wall.unix_millis(), window.end().unix_millis());
                let (of, approved) = &granted[grant];
                open.insert(*grant, opened(of, *approved, from, to));
            }
            Event::Ended { grant, .. } => {
                if let Some(window) = open.get_mut(grant) {
                    window.to = window.to.min(now);
                }
            }
            _ => {}
        }
    }
    open.into_values().collect()
}

fn opened(grant: &crate::model::Grant, approved: i64, from: i64, to: i64) -> Open {
    let whose = if grant.user.as_str() == "adm-maria" { "maria" } else { "" };
    let names = ["maria", "erik", "tim"];
    let whose = names.into_iter().find(|name| grant.user.as_str() == *name).unwrap_or(whose);
    Open { id: grant.id, whose, from, to, base: grant.extends, approved }
}

struct Limits {
    text: &'static str,
    each: usize,
    at_once: usize,
    rest: i64,
    in_all: i64,
}

const NONE: i64 = i64::MAX;
const HOURS: i64 = 3_600_000;

/// All together, and those alone that another would hide the want of.
const LIMITS: [Limits; 5] = [
    Limits {
        text: "{ each = 1, at-once = 2, rest = \"1h\", in-all = \"5h\" }",
        each: 1,
        at_once: 2,
        rest: HOURS,
        in_all: 5 * HOURS,
    },
    Limits { text: "{ rest = \"1h\" }", each: 1, at_once: usize::MAX, rest: HOURS, in_all: NONE },
    Limits { text: "{ in-all = \"5h\" }", each: usize::MAX, at_once: usize::MAX, rest: 0, in_all: 5 * HOURS },
    Limits { text: "{ each = 2, at-once = 3 }", each: 2, at_once: 3, rest: 0, in_all: NONE },
    Limits {
        text: "{ each = 2, in-all = \"5h\" }",
        each: 2,
        at_once: usize::MAX,
        rest: 0,
        in_all: 5 * HOURS,
    },
];

impl Limits {
    fn hold(&self, all: &[Open]) -> Result<(), TestCaseError> {
        for one in all {
            let then = all.iter().filter(|other| other.from <= one.from && one.from < other.to);
            let own = then.clone().filter(|other| other.whose == one.whose);
            prop_assert!(
                then.count() <= self.at_once && own.count() <= self.each,
                "{} is one too many",
                one.id
            );
            let before = all
                .iter()
                .filter(|other| other.id != one.id && other.whose == one.whose && other.from < one.from);
            for other in before {
                let follows = one.base.is_some() || one.from - other.to >= self.rest;
                prop_assert!(self.rest == 0 || follows, "{} follows {}", one.id, other.id);
            }
            // The stay that ends with it: what it follows without a break, and was there when it was approved.
            let (mut stay, mut from) = (vec![one], one.from);
            while let Some(last) = stay.pop() {
                from = from.min(last.from);
                let own = all.iter().filter(|other| other.whose == last.whose && other.from < last.from);
                stay.extend(own.filter(|other| other.to >= last.from && other.to > last.approved));
            }
            prop_assert!(one.to - from <= self.in_all, "{} is {} in all", one.id, one.to - from);
        }
        Ok(())
    }
}

proptest! {
    /// Whatever people ask for and whoever approves it: never more windows than there may be, never too near, and never too
    /// long in all.
    #[test]
    fn in_every_story_windows_are_as_few_as_far_apart_and_as_short_as_the_limits_say(
        limits in 0..LIMITS.len(),
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let limits = &LIMITS[limits];
        let mut world = world(limits.text);
        let people = [maria(), adm_maria(), erik(), tim()];
        let mut ids = Vec::new();
        for step in steps {
            let pick = |which: usize, ids: &[RequestId]| ids.iter().rev().nth(which).copied();
            match step {
                Step::Ask { who, ahead, minutes } => {
                    let (ahead, duration) = (ahead.map(Duration::from_mins), Duration::from_mins(minutes));
                    ids.extend(ask(&mut world, &people[who], ahead, duration).ok());
                }
                Step::Approve(which) => {
                    if let Some(id) = pick(which, &ids) {
                        drop(world.review(&root(), id, Decision::Approve));
                    }
                }
                Step::Extend { which, minutes } => {
                    if let Some(id) = pick(which, &ids) {
                        ids.extend(more(&mut world, id, Duration::from_mins(minutes)).ok());
                    }
                }
                Step::Done(which) => {
                    let Some(id) = pick(which, &ids) else { continue };
                    for one in &people {
                        if let Ok(events) = done(world.here(), &as_self(one.clone()), Target::Request(id), None) {
                            world.apply(events);
                        }
                    }
                }
                Step::Wait(minutes) => world.wait(Duration::from_mins(minutes)),
            }
        }
        limits.hold(&windows(&world.log))?;
        let mut folded = State::default();
        for record in &world.log {
            folded.apply(&Record::decode(record.seq, &record.encode().unwrap().bytes).unwrap());
        }
        prop_assert_eq!(folded, world.state);
    }
}

#[test]
fn of_windows_whose_ends_are_noticed_at_once_the_last_end_counts_in_whatever_order_they_come() {
    let mut world = world("{ each = 2, in-all = \"5h\" }");
    let next = ask(&mut world, &maria(), Some(Duration::from_mins(175)), Duration::from_mins(58)).unwrap();
    assert!(world.review(&root(), next, Decision::Approve).unwrap());
    open(&mut world, &adm_maria(), Duration::from_mins(175));
    world.wait(Duration::from_mins(10));
    open(&mut world, &adm_maria(), Duration::from_mins(1));
    // Both are over, and what was approved to follow the first has begun where that ended.
    world.wait(Duration::from_mins(166));
    let refused = ask(&mut world, &maria(), None, Duration::from_mins(125)).unwrap_err();
    assert!(matches!(&refused, Refusal::NotNow(why) if matches!(**why, NotNow::InAll { .. })), "{refused:?}");
    ask(&mut world, &maria(), None, Duration::from_mins(123)).unwrap();
}
