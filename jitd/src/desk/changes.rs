//! Which requests have changed, for whoever follows them. They are named once that is on disk.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jit_proto::words::RequestId;

/// Requests that have changed and have not been named yet.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    waiting: Mutex<VecDeque<(u64, RequestId)>>,
    durable: AtomicU64,
    /// Rings when there are some to name.
    pub(crate) ready: zruntime::Event,
}

impl Changes {
    /// More than this are not kept: whoever follows looks again every few seconds anyway.
    const MOST: usize = 10_000;

    pub(super) fn add(&self, next_seq: u64, requests: Vec<RequestId>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = Self::MOST.saturating_sub(waiting.len());
        waiting.extend(requests.into_iter().map(|request| (next_seq, request)).take(room));
    }

    pub(super) fn are_durable(&self, next_seq: u64) {
        self.durable.store(next_seq, Ordering::SeqCst);
        self.ready.notify(usize::MAX);
    }

    /// The number before which all is on disk.
    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::SeqCst)
    }

    /// Forgets what waits: it did not reach the disk. Left there, it would hold up what comes after under lower numbers.
    pub(super) fn forget(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Those that are on disk; each is given out once.
    pub(crate) fn take(&self) -> BTreeSet<RequestId> {
        let durable = self.durable.load(Ordering::SeqCst);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = waiting.iter().take_while(|(seq, _)| *seq <= durable).count();
        waiting.drain(..ready).map(|(_, request)| request).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_failed_is_not_named_and_holds_up_none_after_it() {
        let changes = Changes::default();
        let [failed, kept] = [1, 2].map(RequestId::from_bits);
        changes.add(900, vec![failed]);
        changes.forget();
        changes.add(7, vec![kept]);
        assert!(changes.take().is_empty(), "not on disk yet");
        changes.are_durable(7);
        assert_eq!(changes.take(), [kept].into());
    }
}
