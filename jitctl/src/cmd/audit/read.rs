//! The log as jitd gives it out: page by page.

use jit_proto::audit::{PAGE_RECORDS, Page};

use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};

/// Reads the log from one record on to where it ended when the reading began.
pub(super) struct Reader<'a> {
    jitd: &'a dyn Jitd,
    pub(super) next: u64,
    /// Where it ends; not known before the first page.
    pub(super) end: Option<u64>,
}

impl<'a> Reader<'a> {
    pub(super) fn from(jitd: &'a dyn Jitd, first: u64) -> Self {
        Self { jitd, next: first, end: None }
    }

    /// The next page; none at the end.
    pub(super) fn page(&mut self) -> Result<Option<Page>, Failure> {
        let left = self.end.map(|end| end.saturating_sub(self.next));
        if left == Some(0) {
            return Ok(None);
        }
        let most = left.map_or(0, |left| u32::try_from(left).unwrap_or(0).min(PAGE_RECORDS));
        let page: Page = jitd::ask(self.jitd, &Call::Records { first: self.next, most })?;
        self.end = self.end.or(Some(page.total));
        // A page that goes nowhere would be asked for again and again.
        if page.records.is_empty() || page.next <= self.next {
            self.end = Some(self.next);
            return Ok(None);
        }
        self.next = page.next;
        Ok(Some(page))
    }
}
