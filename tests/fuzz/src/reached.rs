//! What stories have come to, of what they are to come to: a rule that no story touches is not tried.

use std::sync::atomic::{AtomicUsize, Ordering};

macro_rules! goals {
    ($($goal:ident: $text:literal,)*) => {
        /// Something that a story can come to.
        #[derive(Clone, Copy)]
        pub(crate) enum Goal {
            $($goal,)*
        }

        const TEXTS: &[&str] = &[$($text,)*];
        static COUNTS: [AtomicUsize; TEXTS.len()] = [const { AtomicUsize::new(0) }; TEXTS.len()];
    };
}

goals! {
    KindChanged: "a role became an emergency or ceased to be one while something of it was live",
    RoleGone: "a role disappeared while something of it was live",
    RoleBack: "a role came back while something of it was live",
    Trial: "policies on trial",
    TrialOver: "trials that nobody confirmed",
    TrialConfirmed: "trials confirmed",
    CommitFailed: "commits that failed",
    OpeningUndone: "openings that a failed commit undid",
    DebtReviewed: "reviews of what an emergency owed",
    DebtOfNoRole: "of them for a role that was gone",
}

/// Counts one.
pub(crate) fn reach(goal: Goal) {
    COUNTS[goal as usize].fetch_add(1, Ordering::Relaxed);
}

/// What was reached how often, by all stories of this process so far.
pub fn reached() -> impl Iterator<Item = (&'static str, usize)> {
    TEXTS.iter().zip(&COUNTS).map(|(text, count)| (*text, count.load(Ordering::Relaxed)))
}
