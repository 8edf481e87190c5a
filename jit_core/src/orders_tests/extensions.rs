//! Making a window longer, and giving it back.

use super::*;

#[test]
fn an_extension_goes_through_the_same_stages_and_goes_on_where_the_window_ends() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    approved(&mut world, id);
    let more = extended(&mut world, id).unwrap();
    assert!(world.state.grant(more.into()).is_none(), "asking opens nothing");
    assert!(matches!(extended(&mut world, id), Err(Refusal::AlreadyExtending(known)) if known == more));
    approved(&mut world, more);
    world.wait(Duration::from_secs(3_599));
    assert_eq!(left(&world), Some(Duration::from_secs(1)));
    // No gap, and not a second more than both windows together, whenever jitd looks.
    world.now = at(world.now.wall.unix_millis() + 61_000, world.now.boot + 61_000);
    world.settle();
    assert_eq!(left(&world), Some(Duration::from_mins(59)));
    world.wait(Duration::from_mins(59));
    assert_eq!(ssh(&world).why(), Why::NoWindow);
}

#[test]
fn a_clock_that_stepped_forward_and_back_gives_an_extension_no_time() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    approved(&mut world, id);
    let more = extended(&mut world, id).unwrap();
    approved(&mut world, more);
    let start = world.now.clone();
    world.now = at(start.wall.plus(HOUR).unix_millis(), start.boot + 1_000);
    world.settle();
    assert_eq!(left(&world), Some(HOUR), "the first hour is over, and stays so");
    world.now = at(start.wall.unix_millis(), start.boot + 1_000);
    world.wait(HOUR / 2);
    assert_eq!(left(&world), Some(HOUR / 2));
    world.wait(HOUR / 2);
    assert_eq!(ssh(&world).why(), Why::NoWindow);
}

#[test]
fn an_extension_ends_with_the_window_that_is_taken_back() {
    for take in [EndWhy::Revoked, EndWhy::Done, EndWhy::Locked] {
        let mut world = world();
        let id = ask(&mut world, "shell", &maria(), None).unwrap();
        approved(&mut world, id);
        let more = extended(&mut world, id).unwrap();
        approved(&mut world, more);
        // What was asked for and not decided goes as well.
        let again = extended(&mut world, id).unwrap();
        let target = Target::Grant(id.into());
        match take {
            EndWhy::Revoked => {
                let events = revoke(world.here(), &as_self(root()), target, None).unwrap();
                world.apply(events);
            }
            EndWhy::Done => {
                let events = done(world.here(), &as_self(maria()), target, None).unwrap();
                world.apply(events);
            }
            _ => locked(&mut world, "user:maria", None),
        }
        for id in [id, more, again] {
            assert!(!world.state.knows(id), "{take}: {id}");
        }
    }
}

#[test]
fn only_a_window_of_ones_own_that_is_open_can_be_extended() {
    let mut world = world();
    let id = ask(&mut world, "first", &maria(), None).unwrap();
    world.review(&person("olga"), id, Decision::Approve).unwrap();
    assert!(matches!(extended(&mut world, id), Err(Refusal::NotOpen(_))));
    let erik = ask(&mut world, "shell", &person("erik"), None).unwrap();
    approved(&mut world, erik);
    assert!(matches!(extended(&mut world, erik), Err(Refusal::NotFound(_))));
    assert!(matches!(extended(&mut world, RequestId::from_bits(77)), Err(Refusal::NotFound(_))));
}

#[test]
fn people_take_back_their_own_and_learn_nothing_of_others() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    let by = |name: &str| as_self(person(name));
    let unknown = withdraw(world.here(), &by("maria"), RequestId::from_bits(99), None).unwrap_err();
    let not_mine = withdraw(world.here(), &by("erik"), id, None).unwrap_err();
    assert_eq!(
        not_mine.to_string().replace(&id.to_string(), "ID"),
        unknown.to_string().replace(&RequestId::from_bits(99).to_string(), "ID")
    );
    let events = withdraw(world.here(), &by("maria"), id, None).unwrap();
    world.apply(events);
    assert!(!world.state.knows(id));
    assert!(matches!(world.review(&person("olga"), id, Decision::Approve), Err(Refusal::NotFound(_))));
    let open = ask(&mut world, "shell", &maria(), None).unwrap();
    approved(&mut world, open);
    assert!(done(world.here(), &by("erik"), Target::Request(open), None).is_err());
    let events = done(world.here(), &by("maria"), Target::Request(open), None).unwrap();
    world.apply(events);
    assert_eq!(ssh(&world).why(), Why::NoWindow);
}
