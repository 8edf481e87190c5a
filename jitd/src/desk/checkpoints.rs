//! Checkpoints of the log at the desk: signed outside of its lock, and entered like everything else.

use jit_core::audit::record::Encoded;
use jit_core::event::{Event, Record};
use jit_core::time::Moment;

use super::outage::CannotDecide;
use super::room::Desk;
use crate::log;
use crate::store::StoreError;
use crate::store::writer::{Batch, Ticket};

/// Where the log ended when the desk was closed.
#[derive(Debug)]
pub(crate) struct Closed {
    /// Says when that is on disk.
    pub(crate) ticket: Ticket,
    /// The number of the record behind the last.
    pub(crate) next_seq: u64,
    /// When that was.
    pub(crate) now: Moment,
}

impl Desk {
    /// Makes a checkpoint of what is on disk, if anything is since the last. The ticket says when that is on record.
    pub(crate) fn make_checkpoint(&self) -> Result<Option<Ticket>, CannotDecide> {
        let Some(signed) = self.notary.sign() else { return Ok(None) };
        let checkpoint = Event::Checkpoint { signed: signed.clone() };
        let ticket = self.with_policy(|open, now| self.commit(open, None, now, vec![checkpoint]))?;
        self.notary.recorded(signed);
        Ok(Some(ticket))
    }

    /// Returns when all that was decided before is on disk, and the next checkpoint covers it.
    pub(crate) async fn catch_up(&self) -> Result<(), StoreError> {
        // The writer tells what is on disk before it takes what comes next.
        self.queue.commit(Batch::default()).durable().await.map(drop)
    }

    /// Makes one over everything, behind the record that jitd stops: that one, too, is vouched for.
    pub(crate) fn make_last_checkpoint(&self, next_seq: u64, now: Moment) -> Option<Ticket> {
        let signed = self.notary.sign()?;
        let event = Event::Checkpoint { signed };
        let record: Result<Encoded, _> = Record { seq: next_seq, at: now, actor: None, event }.encode();
        match record {
            Ok(record) => Some(self.queue.commit(Batch { records: vec![record], ..Batch::default() })),
            Err(err) => {
                log::error(format_args!("the last checkpoint: {err}"));
                None
            }
        }
    }
}
