//! Which places of a stage its approvals take. Where it asks several sets of people, each of them has so many places, and
//! whoever is in two takes one of either: which of the two is settled by who else comes (augmenting paths), and never by who
//! came first.

use std::collections::BTreeSet;

/// The places of a stage, and who has taken them.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// How many each set has.
    each: usize,
    /// How many of each set are taken.
    held: Vec<usize>,
    /// The sets that each of those who approved is in, and the one whose place they have now.
    taken: Vec<(BTreeSet<usize>, usize)>,
}

impl Places {
    /// Of so many sets, with so many places each; all free.
    pub(super) fn new(sets: usize, each: usize) -> Self {
        Self { each, held: vec![0; sets], taken: Vec::new() }
    }

    /// Takes a place for somebody who is in these sets. False if none can be made free for them: they are not needed.
    pub(super) fn take(&mut self, sets: &BTreeSet<usize>) -> bool {
        let Some(set) = self.make_room(sets, &mut BTreeSet::new()) else { return false };
        self.taken.push((sets.clone(), set));
        true
    }

    /// A place in one of these sets, which is taken with that. Whoever has it moves on to another set of theirs.
    fn make_room(&mut self, sets: &BTreeSet<usize>, tried: &mut BTreeSet<usize>) -> Option<usize> {
        for &set in sets {
            if set >= self.held.len() || !tried.insert(set) {
                continue;
            }
            if self.held[set] < self.each {
                self.held[set] += 1;
                return Some(set);
            }
            for who in 0..self.taken.len() {
                if self.taken[who].1 != set {
                    continue;
                }
                let others = self.taken[who].0.clone();
                if let Some(other) = self.make_room(&others, tried) {
                    self.taken[who].1 = other;
                    return Some(set);
                }
            }
        }
        None
    }

    /// How many are free.
    pub(super) fn free(&self) -> usize {
        self.held.iter().map(|held| self.each.saturating_sub(*held)).fold(0, usize::saturating_add)
    }

    /// How many people of each set, who are in no other, could still take one, whoever has to move; of more than 64 no more is
    /// said.
    pub(super) fn open(&self) -> Vec<usize> {
        let more = |set: usize| {
            let (mut places, set) = (self.clone(), BTreeSet::from([set]));
            (0..MOST).take_while(|_| places.take(&set)).count()
        };
        (0..self.held.len()).map(more).collect()
    }
}

const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How many of these people can have a place, tried in every way.
    fn most(people: &[BTreeSet<usize>], free: &mut [usize]) -> usize {
        let Some((first, others)) = people.split_first() else { return 0 };
        let mut best = most(others, free);
        for &set in first {
            if free[set] > 0 {
                free[set] -= 1;
                best = best.max(1 + most(others, free));
                free[set] += 1;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn as_many_people_have_a_place_as_can_in_any_way_in_whatever_order_they_come(
            people in proptest::collection::vec(proptest::collection::btree_set(0..3_usize, 0..4), 0..7), each in 1..3_usize,
        ) {
            let mut places = Places::new(3, each);
            let counted: usize = people.iter().map(|sets| usize::from(places.take(sets))).sum();
            prop_assert_eq!(counted, most(&people, &mut [each; 3]));
            prop_assert_eq!(places.free(), 3 * each - counted);
            for (set, open) in places.open().into_iter().enumerate() {
                let mut more = people.clone();
                more.extend(std::iter::repeat_n(BTreeSet::from([set]), 9));
                prop_assert_eq!(open, most(&more, &mut [each; 3]) - counted, "set {}", set);
            }
        }
    }

    #[test]
    fn whoever_is_in_both_makes_room_for_who_is_in_one() {
        let (ops, both) = (BTreeSet::from([0]), BTreeSet::from([0, 1]));
        let mut places = Places::new(2, 1);
        assert!(places.take(&both) && places.take(&ops));
        assert_eq!(places.free(), 0);
        let mut greedy = Places::new(2, 1);
        assert!(greedy.take(&ops) && !greedy.take(&ops), "two of one set are not one of each");
        assert_eq!((greedy.free(), greedy.open()), (1, vec![0, 1]));
    }
}
