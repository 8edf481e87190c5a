//! What holds once jitd has read its store, after a start, a crash, or a store that was read again: which policy is in
//! force, and what ends where the store is no longer on the machine that it was written on.

use crate::digest::Digest;
use crate::event::Event;
use crate::model::{Elsewhere, EndWhy};
use crate::orders::trial::went_back;
use crate::state::State;

/// What there is to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtHand {
    /// The policy files; nothing if they do not load.
    pub files: Option<Digest>,
    /// What the store has as in force, or from before a trial that whatever ended jitd has ended; nothing if there is none
    /// or it does not read any more.
    pub stored: Option<Digest>,
    /// What was on trial when jitd ended.
    pub tried: Option<Digest>,
    /// Whether jitd went on all the while and read its store alone again: nobody has asked for the files.
    pub read_again: bool,
    /// Whether what the store has takes no other that was not approved.
    pub guarded: bool,
}

/// What comes into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// The files, which are what was in force.
    Unchanged,
    /// The files, which is on record.
    Files,
    /// What the store has, and not the files.
    Stored(NotTheFiles),
    /// Nothing: every managed login is refused.
    Nothing(NotTheFiles),
}

/// Why the files do not come into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTheFiles {
    /// They do not load.
    Unsound,
    /// They were tried and nobody confirmed them: only whoever loads them takes them again.
    NotConfirmed,
    /// Nobody has asked for them, or that they be tried, and it is on record.
    NotAsked,
    /// The policy in force takes no other that was not approved.
    NotApproved,
}

/// What ends when a store finds itself on another machine, or on its own at an earlier time: every window, also one that
/// has yet to begin or survives a restart, since it may have been used up or revoked meanwhile; and every request that
/// waits, since it was asked of another host, or decided already.
#[must_use]
pub fn elsewhere(state: &State, how: Elsewhere) -> Vec<Event> {
    let windows =
        state.grants().map(|grant| Event::Ended { grant: grant.id, why: EndWhy::OtherMachine, reason: None });
    let requests = state.pending().keys().map(|id| Event::Lapsed { request: *id, stage: None });
    [Event::Elsewhere { how }].into_iter().chain(windows).chain(requests).collect()
}

/// Chooses. The files of a start come into force by being there, unless a trial went back from them, or the policy that
/// was in force has others approve the next.
#[must_use]
pub fn resume(state: &State, AtHand { files, stored, tried, read_again, guarded }: AtHand) -> Resumed {
    let not = |why| if stored.is_some() { Resumed::Stored(why) } else { Resumed::Nothing(why) };
    let Some(files) = files else { return not(NotTheFiles::Unsound) };
    if stored == Some(files) {
        return Resumed::Unchanged;
    }
    if tried == Some(files) || went_back(state, files) {
        return not(NotTheFiles::NotConfirmed);
    }
    if guarded {
        return not(NotTheFiles::NotApproved);
    }
    if read_again && stored.is_some() {
        return Resumed::Stored(NotTheFiles::NotAsked);
    }
    Resumed::Files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Record};
    use crate::model::BackWhy;
    use crate::testing::at;

    fn digest(of: u8) -> Digest {
        Digest::of(&[of])
    }

    const START: AtHand =
        AtHand { files: None, stored: None, tried: None, read_again: false, guarded: false };

    fn of(at_hand: AtHand) -> Resumed {
        resume(&State::default(), at_hand)
    }

    #[test]
    fn the_files_of_a_start_come_into_force_whatever_was_before() {
        assert_eq!(of(AtHand { files: Some(digest(1)), ..START }), Resumed::Files);
        assert_eq!(of(AtHand { files: Some(digest(1)), stored: Some(digest(2)), ..START }), Resumed::Files);
        let same = AtHand { files: Some(digest(1)), stored: Some(digest(1)), ..START };
        assert_eq!(of(same), Resumed::Unchanged);
        // Also where a trial of something else was cut off.
        assert_eq!(of(AtHand { tried: Some(digest(3)), ..same }), Resumed::Unchanged);
    }

    #[test]
    fn files_that_do_not_load_leave_the_last_accepted_policy_in_force_or_none() {
        let unsound = NotTheFiles::Unsound;
        assert_eq!(of(AtHand { stored: Some(digest(2)), ..START }), Resumed::Stored(unsound));
        assert_eq!(
            of(AtHand { stored: Some(digest(2)), read_again: true, ..START }),
            Resumed::Stored(unsound)
        );
        assert_eq!(of(START), Resumed::Nothing(unsound));
    }

    #[test]
    fn no_start_takes_files_that_were_tried_and_not_confirmed() {
        let cut_off = AtHand { files: Some(digest(1)), tried: Some(digest(1)), ..START };
        assert_eq!(of(cut_off), Resumed::Nothing(NotTheFiles::NotConfirmed));
        let before = AtHand { stored: Some(digest(2)), ..cut_off };
        assert_eq!(of(before), Resumed::Stored(NotTheFiles::NotConfirmed));

        let mut state = State::default();
        let (tried, back) = (digest(1), digest(2));
        let event = Event::PolicyReverted { why: BackWhy::Restart, tried, digest: back, files: Vec::new() };
        state.apply(&Record { seq: 0, at: at(0, 0), actor: None, event });
        let later = AtHand { files: Some(tried), stored: Some(back), ..START };
        assert_eq!(resume(&state, later), Resumed::Stored(NotTheFiles::NotConfirmed));
        // What is mended is another policy.
        assert_eq!(resume(&state, AtHand { files: Some(digest(3)), ..later }), Resumed::Files);
    }

    #[test]
    fn no_start_takes_files_that_were_not_approved_where_the_policy_in_force_asks_for_that() {
        let other = AtHand { files: Some(digest(1)), stored: Some(digest(2)), guarded: true, ..START };
        assert_eq!(of(other), Resumed::Stored(NotTheFiles::NotApproved));
        assert_eq!(of(AtHand { read_again: true, ..other }), Resumed::Stored(NotTheFiles::NotApproved));
        assert_eq!(of(AtHand { guarded: false, ..other }), Resumed::Files);
        assert_eq!(of(AtHand { stored: Some(digest(1)), ..other }), Resumed::Unchanged);
        assert_eq!(of(AtHand { files: None, ..other }), Resumed::Stored(NotTheFiles::Unsound));
    }

    #[test]
    fn a_store_that_is_read_again_brings_no_files_that_nobody_asked_for() {
        let again = AtHand { files: Some(digest(1)), stored: Some(digest(2)), read_again: true, ..START };
        assert_eq!(of(again), Resumed::Stored(NotTheFiles::NotAsked));
        assert_eq!(of(AtHand { stored: Some(digest(1)), ..again }), Resumed::Unchanged);
        // Without any in force, they are better than none.
        assert_eq!(of(AtHand { stored: None, ..again }), Resumed::Files);
    }
}
