//! What signs the log: the host's key, and what is on disk.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jit_core::proof::checkpoint::Signed;
use jit_core::proof::merkle::Frontier;
use jit_core::proof::note::{HostKey, PublicKey};

/// How often, where something has happened and none of it was a decision.
const EACH: Duration = Duration::from_hours(1);

/// After a decision so soon, so that many of them make one checkpoint a minute.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// What checkpoints are made of.
#[derive(Debug, Default)]
pub(crate) struct Notary(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    key: Option<Arc<HostKey>>,
    /// Over all that is on disk.
    tree: Frontier,
    last: Option<Signed>,
    /// The record behind the last decision.
    decided: u64,
}

impl Notary {
    fn inside(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store was read: this is its key.
    pub(crate) fn has(&self, key: HostKey) {
        *self.inside() = Known { key: Some(Arc::new(key)), ..Known::default() };
    }

    /// So much is on disk.
    pub(crate) fn durable(&self, tree: &Frontier) {
        self.inside().tree.clone_from(tree);
    }

    /// Somebody decided something: the last record of that is before this number.
    pub(crate) fn decided(&self, next_seq: u64) {
        self.inside().decided = next_seq;
    }

    /// A checkpoint over what is on disk; none where there is no key yet, or nothing has happened since the last one.
    pub(crate) fn sign(&self) -> Option<Signed> {
        let (key, tree) = {
            let known = self.inside();
            // More than the record of that one.
            let new = known.last.as_ref().is_none_or(|last| known.tree.size() > last.checkpoint.size + 1);
            (known.key.clone().filter(|_| new)?, known.tree.clone())
        };
        Some(Signed::over(&tree, &key))
    }

    /// A checkpoint is on its way to the disk.
    pub(crate) fn recorded(&self, signed: Signed) {
        self.inside().last = Some(signed);
    }

    /// The key, where the store is open.
    pub(crate) fn key(&self) -> Option<Arc<HostKey>> {
        self.inside().key.clone()
    }

    /// The last checkpoint, and the key.
    pub(crate) fn last(&self) -> Option<(Signed, PublicKey)> {
        let known = self.inside();
        Some((known.last.clone()?, known.key.as_ref()?.public()))
    }

    /// How long nothing is to be made, when the last was made so long ago.
    pub(crate) fn wait(&self, ago: Duration) -> Duration {
        let known = self.inside();
        let limit = match &known.last {
            // Not before the store is open, which rings.
            None if known.key.is_none() => return EACH,
            None => Duration::ZERO,
            Some(last) if known.decided > last.checkpoint.size => SOON,
            Some(_) => EACH,
        };
        limit.saturating_sub(ago)
    }
}
