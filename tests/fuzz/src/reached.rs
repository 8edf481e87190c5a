//! What inputs have come to, of what they are to come to: a rule that none touches is not tried.

use std::sync::atomic::{AtomicUsize, Ordering};

macro_rules! goals {
    ($($target:literal: $($goal:ident: $text:literal,)*;)*) => {
        /// Something that an input can come to.
        #[derive(Clone, Copy)]
        pub(crate) enum Goal {
            $($($goal,)*)*
        }

        const TEXTS: &[(&str, &str)] = &[$($(($target, $text),)*)*];
        static COUNTS: [AtomicUsize; TEXTS.len()] = [const { AtomicUsize::new(0) }; TEXTS.len()];
    };
}

goals! {
    "story":
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
    ;
    "request":
        Request: "files of requests read",
        RequestChanged: "files refused for a digest of another request",
        RequestLater: "requests for a later time",
        RequestExtends: "requests that go on from a window",
        RequestForAnother: "requests that somebody else filed",
        RequestCheckpoint: "files with a checkpoint",
        RequestRows: "requests that fit into rows, and came back of them",
        Denial: "denials about them, read again",
        Less: "approvals of less, read again",
    ;
    "signed":
        TextRequest: "signed texts read: the file of a request",
        TextReview: "signed texts read: a denial, or less",
        TextGrant: "signed texts read: a grant",
        TextRevoke: "signed texts read: a revocation",
        TextLock: "signed texts read: a lock",
        TextClock: "signed texts read: a clock",
        Challenge: "challenges read",
        Signature: "signatures read",
        SignatureFido: "of them by a FIDO key",
        Approvers: "files of approvers read",
        Verified: "texts verified by a key that the file names",
        VerifiedFido: "of them by a FIDO key that was touched",
        NotVerified: "texts and signatures that read, and were not verified",
    ;
    "spoken":
        Answer: "answers read",
        RequestCode: "request codes read",
        CodeKeys: "files of keys read",
        RowsOfRequest: "requests read of rows",
        RowsOfSignature: "signatures read of rows",
        TypedCode: "lines at a prompt: an answer",
        TypedSignature: "lines at a prompt: a signature",
        TypedSome: "lines at a prompt: rows of which some are missing",
        TypedSlip: "lines at a prompt: a row with a mistake behind others",
    ;
    "exchange":
        NameRequest: "names of requests",
        NameSeal: "names of seals",
        NameBeside: "names of signatures beside a request",
        NameStatement: "names of statements",
        NameRecords: "names of records",
        NameOther: "names of checkpoints, keys and what is at home",
        NameHost: "names of hosts",
        NamePassed: "names passed over",
        Ways: "ways through the pieces of a log",
        Known: "what is known of a host, read",
        Sealed: "seals that hold",
    ;
}

/// Counts one.
pub(crate) fn reach(goal: Goal) {
    COUNTS[goal as usize].fetch_add(1, Ordering::Relaxed);
}

/// Counts one where it is so.
pub(crate) fn reach_if(is_so: bool, goal: Goal) {
    if is_so {
        reach(goal);
    }
}

/// What was reached how often, by all inputs of a target in this process so far.
pub fn reached(target: &str) -> impl Iterator<Item = (&'static str, usize)> {
    let of = TEXTS.iter().zip(&COUNTS).filter(move |((of, _), _)| *of == target);
    of.map(|((_, text), count)| (*text, count.load(Ordering::Relaxed)))
}
