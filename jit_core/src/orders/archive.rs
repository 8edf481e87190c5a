//! Old records go into an archive: whether they may leave the store. Nothing else ever leaves it.

use jit_proto::words::{FileName, Reason};

use crate::context::Context;
use crate::digest::Digest;
use crate::event::Event;
use crate::model::{Archived, Caller};
use crate::orders::{NoArchive, Refusal};
use crate::time::Utc;

/// What is in an archive, as whoever wrote it says.
#[derive(Clone, Debug)]
pub struct ArchiveOrder {
    /// The record behind the last in it.
    pub end: u64,
    /// The root over all records before that, as it was hashed of what is in the file.
    pub root: Digest,
    /// What the file is called.
    pub file: FileName,
    /// The digest of its bytes.
    pub digest: Digest,
    /// What is said with it.
    pub note: Option<Reason>,
}

/// The same records, as the store has them.
#[derive(Clone, Debug)]
pub struct Going {
    /// The first that is in the store.
    pub first: u64,
    /// How many records the log has.
    pub total: u64,
    /// The root over all records before the archive's end.
    pub root: Digest,
    /// The latest time that any of them has.
    pub newest: Utc,
    /// A log that has not taken all of them yet, and the first that it is owed.
    pub unsent: Option<(String, u64)>,
}

/// Root alone moves records, in their order, and none that the policy in force wants here. By a clock that is in doubt
/// nothing is old.
pub fn archive(
    here: Context<'_>,
    caller: &Caller,
    order: ArchiveOrder,
    going: &Going,
) -> Result<Vec<Event>, Refusal> {
    if !caller.account.uid.is_root() {
        return Err(NoArchive::NotRoot.into());
    }
    here.admin(caller)?;
    let retain = here.policy.retain().ok_or(NoArchive::ForEver)?;
    here.clock()?;
    let ArchiveOrder { end, root, file, digest, note } = order;
    let Going { first, total, .. } = *going;
    if end <= first || end >= total {
        return Err(NoArchive::Range { first, last: total.saturating_sub(2) }.into());
    }
    if going.newest.plus(retain.duration()) > here.now.wall {
        return Err(NoArchive::Young { newest: going.newest, retain }.into());
    }
    if let Some((sink, next)) = going.unsent.clone() {
        return Err(NoArchive::Unsent { sink, next }.into());
    }
    if root != going.root {
        return Err(NoArchive::OtherRoot(file).into());
    }
    Ok(vec![Event::RecordsArchived(Archived {
        first,
        end,
        root,
        file,
        digest,
        retain,
        by: caller.person(),
        note,
    })])
}
