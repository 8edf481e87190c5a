use std::net::Ipv4Addr;

use super::*;

const fn ms(so_many: u64) -> Duration {
    Duration::from_millis(so_many)
}

/// The clock does not begin at zero.
const BEGIN: Duration = ms(86_400_123);

fn from(number: u32) -> Source {
    Source::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))
}

/// How many of so many get in at once.
fn admitted(door: &mut Door, source: Source, so_many: u32, now: Duration) -> usize {
    (0..so_many).filter(|_| door.admit(source, now).is_ok()).count()
}

#[test]
fn of_a_burst_from_one_source_exactly_its_share_gets_in() {
    let mut door = Door::default();
    assert_eq!(admitted(&mut door, Source::ThisHost, 120, BEGIN), 16);
    assert_eq!(door.admit(Source::ThisHost, BEGIN), Err(Refused::SourceIsFull));
    assert_eq!(door.admit(from(1), BEGIN), Ok(()), "and others do as well");
}

#[test]
fn a_place_is_free_again_when_one_left_and_not_before() {
    let mut door = Door::default();
    admitted(&mut door, from(1), 16, BEGIN);
    let later = BEGIN + ms(60_000);
    assert_eq!(door.admit(from(1), later), Err(Refused::SourceIsFull));
    door.leave(from(2));
    assert_eq!(door.admit(from(1), later), Err(Refused::SourceIsFull), "another's leaving frees nothing");
    door.leave(from(1));
    assert_eq!(door.admit(from(1), later), Ok(()));
    assert_eq!(door.admit(from(1), later), Err(Refused::SourceIsFull));
}

#[test]
fn all_sources_together_have_so_many_and_the_next_gets_in_when_one_left() {
    let mut door = Door::default();
    let mut now = BEGIN;
    for number in 0..128 {
        assert_eq!(door.admit(from(number), now), Ok(()));
        now += ms(125);
    }
    assert_eq!(door.admit(from(500), now), Err(Refused::AllAreFull));
    door.leave(from(77));
    assert_eq!(door.admit(from(500), now), Ok(()));
}

/// Lets one in that leaves at once.
fn passes(door: &mut Door, source: Source, now: Duration) -> Result<(), Refused> {
    door.admit(source, now)?;
    door.leave(source);
    Ok(())
}

#[test]
fn who_leaves_at_once_gets_in_once_a_second_to_the_millisecond() {
    let mut door = Door::default();
    for _ in 0..16 {
        assert_eq!(passes(&mut door, from(1), BEGIN), Ok(()));
    }
    for second in 0..40 {
        let before = BEGIN + ms(second * 1000 + 999);
        assert_eq!(passes(&mut door, from(1), before), Err(Refused::SourceIsFast));
        assert_eq!(passes(&mut door, from(1), before + ms(1)), Ok(()));
        assert_eq!(passes(&mut door, from(1), before + ms(1)), Err(Refused::SourceIsFast));
    }
}

#[test]
fn a_flood_that_is_refused_is_charged_nothing_and_leaves_the_others_their_rate() {
    let mut door = Door::default();
    let mut in_a_minute = 0;
    for step in 0..60_000 {
        let now = BEGIN + ms(step);
        in_a_minute += u32::from(passes(&mut door, Source::ThisHost, now).is_ok());
        if step % 200 == 0 {
            assert_eq!(passes(&mut door, from(u32::try_from(step).unwrap()), now), Ok(()), "at {step} ms");
        }
    }
    assert_eq!(in_a_minute, 16 + 59, "its burst, and one for each whole second");
}

#[test]
fn all_sources_together_get_in_eight_times_a_second_to_the_millisecond() {
    let mut door = Door::default();
    for number in 0..64 {
        assert_eq!(passes(&mut door, from(number), BEGIN), Ok(()));
    }
    for step in 0..40 {
        let before = BEGIN + ms(step * 125 + 124);
        let source = from(1000 + u32::try_from(step).unwrap());
        assert_eq!(passes(&mut door, source, before), Err(Refused::AllAreFast));
        assert_eq!(passes(&mut door, source, before + ms(1)), Ok(()));
    }
}

#[test]
fn what_all_are_too_fast_for_costs_its_source_none_of_its_own() {
    let mut door = Door::default();
    for number in 0..64 {
        passes(&mut door, from(number), BEGIN).unwrap();
    }
    for _ in 0..100 {
        assert_eq!(passes(&mut door, from(500), BEGIN), Err(Refused::AllAreFast));
    }
    assert_eq!(admitted(&mut door, from(500), 100, BEGIN + ms(60_000)), 16);
}

#[test]
fn a_bucket_that_has_rested_holds_its_burst_and_no_more() {
    let mut door = Door::default();
    for rest in [16_000, 1_000_000] {
        let now = BEGIN + ms(rest);
        for _ in 0..16 {
            assert_eq!(passes(&mut door, from(1), now), Ok(()));
        }
        assert_eq!(passes(&mut door, from(1), now), Err(Refused::SourceIsFast));
    }
}

#[test]
fn sources_are_forgotten_once_they_have_nothing_open_and_a_full_bucket() {
    let mut door = Door::default();
    door.admit(from(1), BEGIN).unwrap();
    passes(&mut door, from(2), BEGIN).unwrap();
    assert_eq!(door.sources.len(), 2);
    passes(&mut door, from(3), BEGIN + ms(999)).unwrap();
    assert_eq!(door.sources.len(), 3, "the bucket of 2 is full a millisecond later");
    passes(&mut door, from(4), BEGIN + ms(1000)).unwrap();
    assert!(!door.sources.contains_key(&from(2)));
    assert!(door.sources.contains_key(&from(1)), "it has a connection");
}

#[test]
fn whoever_comes_the_memory_is_bounded() {
    let mut door = Door::default();
    let mut held = Vec::new();
    let mut most = 0;
    for step in 0..200_000_u32 {
        let now = BEGIN + ms(u64::from(step));
        // Some stay and some leave, each from a network of its own; most are refused.
        if door.admit(from(step), now).is_ok() {
            if held.len() < 120 {
                held.push(from(step));
            } else {
                door.leave(from(step));
            }
        }
        most = most.max(door.sources.len());
    }
    assert!((100..=320).contains(&most), "{most}");
    // A full door remembers nobody new.
    for step in 0..1000 {
        door.admit(from(1_000_000 + step), BEGIN + ms(200_000)).unwrap_or_default();
    }
    assert!(door.sources.len() <= 320, "{}", door.sources.len());
}

#[test]
fn a_refusal_says_what_the_limit_is() {
    assert_eq!(Refused::SourceIsFull.to_string(), "one source has at most 16 connections");
    assert_eq!(Refused::AllAreFull.to_string(), "all sources together have at most 128 connections");
    assert_eq!(
        Refused::SourceIsFast.to_string(),
        "one source opens at most 16 connections at once and then one each 1000 ms"
    );
    assert_eq!(
        Refused::AllAreFast.to_string(),
        "all sources together open at most 64 connections at once and then one each 125 ms"
    );
}
