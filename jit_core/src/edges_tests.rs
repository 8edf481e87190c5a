//! Edges: the very moment at which a window opens and shuts, by whichever clock, and a name service that fails in the
//! middle of a story.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::Verdict;
use proptest::prelude::*;

use crate::model::{Known, Why};
use crate::policy::Subject;
use crate::testing::at;
use crate::testing::{World, as_self, maria, root};

const SERVICES: [&str; 5] = ["sshd", "sudo", "su", "login", "cups"];

proptest! {
    #[test]
    fn a_window_is_open_until_the_millisecond_in_which_either_clock_says_it_is_over(
        seconds in 1..14_400_u64, wall in 0..20_000_000_u64, boot in 0..20_000_000_u64,
    ) {
        let mut world = World::new();
        let window = Duration::from_secs(seconds);
        world.grant(&as_self(root()), maria(), "shell", Some(window)).unwrap();
        let opened = world.now.clone();
        let mut left = |wall: u64, boot: u64| {
            world.now = at(opened.wall.unix_millis() + i64::try_from(wall).unwrap(), opened.boot + boot);
            world.check("sshd", &maria()).admission().map(|admits| admits.remaining)
        };
        let end = seconds * 1_000;
        let behind = |clock: u64| clock % end;
        for (wall, boot) in [(0, 0), (wall, boot), (end - 1, behind(boot)), (behind(wall), end - 1), (end, 0), (0, end)] {
            let gone = wall.max(boot);
            let expected = (gone < end).then(|| Duration::from_millis(end - gone));
            prop_assert_eq!(left(wall, boot), expected, "{} by the wall, {} by the boot", wall, boot);
        }
    }

    #[test]
    fn a_name_service_that_fails_lets_nobody_in_and_changes_nothing(
        grants in proptest::collection::vec((0..3_usize, 1..120_u64), 0..5),
        failures in proptest::collection::vec((0..SERVICES.len(), any::<bool>(), 0..3_usize), 1..8),
    ) {
        let mut world = World::new();
        for (role, minutes) in grants {
            let duration = Some(Duration::from_mins(minutes));
            world.grant(&as_self(root()), maria(), ["shell", "root", "once"][role], duration).unwrap();
        }
        let answers = |world: &World| SERVICES.map(|service| world.check(service, &maria()));
        let (before, state) = (answers(&world), world.state.clone());
        for (service, session, known) in failures {
            let stage = if session { Stage::Session } else { Stage::Account };
            let mut question = World::question(SERVICES[service], &maria(), stage);
            let groupless = Subject { groups: std::collections::BTreeSet::new(), ..maria() };
            let whole = world.ask(&question);
            question.subject = [Known::Unanswered, Known::Not, Known::Partly(groupless, [].into())][known].clone();
            let answer = if known == 2 { world.ask(&question) } else { world.log_in(&question) };
            match known {
                0 => prop_assert_eq!((answer.verdict(), answer.why()), (Verdict::Deny, Why::NameService)),
                1 => prop_assert_eq!((answer.verdict(), answer.why()), (Verdict::Deny, Why::UnknownUser)),
                // Every rule names her: no group could change an answer.
                _ => prop_assert_eq!(answer, whole),
            }
        }
        prop_assert_eq!(&world.state, &state);
        prop_assert_eq!(answers(&world), before);
    }
}
