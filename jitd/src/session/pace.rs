//! How often what runs is looked at.

use std::time::Duration;

/// How often what is being ended, or looked for, is looked at again.
pub(super) const OFTEN: Duration = Duration::from_millis(100);

/// How often everything else is.
pub(super) const SELDOM: Duration = Duration::from_mins(1);
