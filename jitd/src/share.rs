//! Places that are shared out, so that nobody can use up what another needs (DESIGN law 14). No I/O.

use std::collections::HashMap;
use std::hash::Hash;

use jit_proto::words::Uid;

/// How many places there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// The most that one may have.
    pub(crate) each: usize,
    /// The most that all together may have.
    pub(crate) all: usize,
    /// Nobody may have more than one in so many of the places that others have left, so that some are left for whoever
    /// comes after hundreds who took all that they could get.
    pub(crate) of_left: usize,
}

impl Size {
    /// Whether one who has so many may have another, of all that are taken.
    pub(crate) fn has_one_more(self, has: usize, taken: usize) -> bool {
        let left_by_others = self.all.saturating_sub(taken - has);
        taken < self.all && has < (left_by_others / self.of_left).clamp(1, self.each)
    }
}

/// Who has how many.
#[derive(Debug)]
pub(crate) struct Shares<Who> {
    size: Size,
    taken: HashMap<Who, usize>,
    by_all: usize,
}

impl<Who: Eq + Hash> Shares<Who> {
    pub(crate) fn new(size: Size) -> Self {
        Self { size, taken: HashMap::new(), by_all: 0 }
    }

    /// Takes one more place, if its share has one.
    pub(crate) fn take(&mut self, who: Who) -> bool {
        let has = self.taken.get(&who).copied().unwrap_or_default();
        let takes = self.size.has_one_more(has, self.by_all);
        if takes {
            self.by_all += 1;
            self.taken.insert(who, has + 1);
        }
        takes
    }

    /// Gives one back. Says whether it was the last.
    pub(crate) fn give_back(&mut self, who: &Who) -> bool {
        let Some(has) = self.taken.get_mut(who) else { return true };
        *has -= 1;
        self.by_all -= 1;
        let last = *has == 0;
        if last {
            self.taken.remove(who);
        }
        last
    }
}

/// Places of users, each of whom has a share, and root's own, which nobody else can take.
#[derive(Debug)]
pub(crate) struct ByUid {
    users: Shares<Uid>,
    root: Shares<Uid>,
}

impl ByUid {
    pub(crate) fn new(users: Size, root: usize) -> Self {
        let root = Size { each: root, all: root, of_left: 1 };
        Self { users: Shares::new(users), root: Shares::new(root) }
    }

    /// Takes one more place for this uid, if its share has one.
    pub(crate) fn take(&mut self, uid: Uid) -> bool {
        self.of(uid).take(uid)
    }

    /// Gives one back.
    pub(crate) fn give_back(&mut self, uid: Uid) {
        self.of(uid).give_back(&uid);
    }

    fn of(&mut self, uid: Uid) -> &mut Shares<Uid> {
        if uid.is_root() { &mut self.root } else { &mut self.users }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { each: 64, all: 8192, of_left: 64 };

    /// Takes all that there is for this one.
    fn fill(shares: &mut Shares<u32>, who: u32) -> usize {
        (0..100_000).take_while(|_| shares.take(who)).count()
    }

    #[test]
    fn one_user_has_one_share_and_it_comes_back() {
        let mut shares = Shares::new(SIZE);
        assert_eq!(fill(&mut shares, 0), SIZE.each);
        assert!(!shares.take(0), "one over");
        assert!(shares.take(1));
        assert!(!shares.give_back(&0));
        assert!(shares.take(0));
        assert!(!shares.take(0));
        for _ in 1..SIZE.each {
            assert!(!shares.give_back(&0));
        }
        assert!(shares.give_back(&0));
        assert!(shares.give_back(&1));
        assert!(shares.taken.is_empty());
        assert_eq!(shares.by_all, 0);
    }

    #[test]
    fn whoever_comes_after_hundreds_of_greedy_users_finds_a_place() {
        for greedy in [1, 10, 100, 300] {
            let mut shares = Shares::new(SIZE);
            for number in 0..greedy {
                assert!(fill(&mut shares, number) > 0, "{number} of {greedy}");
            }
            assert!(shares.take(greedy), "after {greedy}");
        }
    }

    #[test]
    fn there_are_never_more_places_than_there_are() {
        let mut shares = Shares::new(SIZE);
        let all: usize = (0..10_000).map(|number| fill(&mut shares, number)).sum();
        assert!(all <= SIZE.all, "{all}");
    }

    #[test]
    fn roots_places_are_no_users_and_no_users_are_roots() {
        let fill = |places: &mut ByUid, uid: u32| {
            let uid = Uid::try_from(uid).unwrap();
            (0..100_000).take_while(|_| places.take(uid)).count()
        };
        let mut places = ByUid::new(SIZE, 100);
        let all: usize = (1000..9000).map(|number| fill(&mut places, number)).sum();
        assert!(all <= SIZE.all, "{all}");
        assert_eq!(fill(&mut places, 0), 100);
        let mut places = ByUid::new(SIZE, 100);
        fill(&mut places, 0);
        assert_eq!(fill(&mut places, 1000), SIZE.each);
        places.give_back(Uid::ROOT);
        assert_eq!(fill(&mut places, 0), 1);
    }
}
