//! Bytes as choices. When they run out every choice is the first, so that a short input is a short story.

/// The choices that are left.
pub(crate) struct Choices<'b>(pub(crate) &'b [u8]);

impl<'b> Choices<'b> {
    /// Whether any are left.
    pub(crate) const fn more(&self) -> bool {
        !self.0.is_empty()
    }

    /// A byte.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    /// Yes once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// One of these.
    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Some of these, at least one, in any order, perhaps one twice.
    pub(crate) fn some<T: Copy>(&mut self, of: &[T]) -> Vec<T> {
        (0..=self.below(3)).map(|_| self.one(of)).collect()
    }

    /// A few bytes as they are.
    pub(crate) fn raw(&mut self) -> &'b [u8] {
        let length = self.below(16).min(self.0.len());
        let (raw, rest) = self.0.split_at(length);
        self.0 = rest;
        raw
    }
}
