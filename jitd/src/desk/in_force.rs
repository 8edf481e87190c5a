//! The policy in force, and the files that it is read from or that were refused.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jit_core::event::{Event, PolicyText};
use jit_core::model::{Override, PolicyWord, Proposal};
use jit_core::orders::NoChange;
use jit_core::orders::resume::{NotTheFiles, Resumed};
use jit_core::orders::trial::NoTrial;
use jit_core::policy::{Difference, Finding, Policy, Severity, SourceFile};
use jit_core::time::Utc;
use jit_host::files::{BadFile, Owner, read_policy_dir};
use jit_proto::words::{GroupName, UserName};

/// Why policy files did not come into force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotLoaded {
    /// Something is wrong with them.
    #[error(transparent)]
    Files(#[from] BadFiles),
    /// A trial forbids it, or is none.
    #[error(transparent)]
    Trial(#[from] NoTrial),
    /// They were tried and went back, and nobody has ordered them since.
    #[error(
        "the policy files were tried and nobody confirmed them; to load them all the same, type: jitctl policy load"
    )]
    WentBack,
    /// Others would have to approve them.
    #[error(transparent)]
    NotApproved(#[from] NoChange),
}

/// Where the policy in force was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The policy files.
    Files,
    /// The store, which has the last accepted one: the files do not load, or nobody has loaded them.
    Store,
    /// It came back after a trial that nobody confirmed; the files are what was tried.
    Before,
    /// The store: the policy in force takes no other that was not approved, and the files were not.
    Kept,
}

impl Source {
    /// The word in answers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Store => "store",
            Self::Before => "before",
            Self::Kept => "kept",
        }
    }
}

/// The policy in force. Cheap to clone: a check holds it for as long as it looks names up.
#[derive(Clone, Debug)]
pub(crate) struct InForce {
    /// The policy that is in force.
    pub(crate) policy: Arc<Policy>,
    /// The groups that it names; the only ones worth looking up.
    pub(crate) groups: Arc<BTreeSet<GroupName>>,
    /// When it was loaded.
    pub(crate) at: Utc,
    /// Where it was read.
    pub(crate) source: Source,
    /// Warnings of the files, one line each.
    pub(crate) warnings: Arc<[String]>,
}

impl InForce {
    pub(super) fn new(policy: Policy, at: Utc, source: Source, warnings: Vec<String>) -> Self {
        let groups = Arc::new(policy.groups().cloned().collect());
        Self { policy: Arc::new(policy), groups, at, source, warnings: warnings.into() }
    }

    /// What was chosen once the store was read, of the files and of what the store has with the time when that came into
    /// force.
    pub(super) fn resumed(
        resumed: Resumed,
        read: ReadPolicy,
        stored: Option<(Utc, Policy)>,
        now: Utc,
    ) -> Option<Self> {
        match resumed {
            Resumed::Unchanged | Resumed::Files => {
                let (policy, warnings) = read.ok()?;
                let at = if resumed == Resumed::Unchanged { stored?.0 } else { now };
                Some(Self::new(policy, at, Source::Files, warnings))
            }
            Resumed::Stored(why) => {
                let (at, known) = stored?;
                let source = match why {
                    NotTheFiles::NotConfirmed => Source::Before,
                    NotTheFiles::NotApproved => Source::Kept,
                    NotTheFiles::Unsound | NotTheFiles::NotAsked => Source::Store,
                };
                Some(Self::new(known, at, source, Vec::new()))
            }
            Resumed::Nothing(_) => None,
        }
    }
}

/// Policy files that did not load: what is wrong with each, and a one-line summary.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", rendered.join("\n"))]
pub(crate) struct BadFiles {
    rendered: Vec<String>,
    first: String,
    errors: usize,
    /// The files are sound; it is this host that they do not fit.
    pub(super) sound: bool,
}

/// The record of a policy that comes into force.
pub(super) fn loaded_event(
    policy: &Policy,
    before: Option<&Policy>,
    trial: Option<Duration>,
    word: PolicyWord,
) -> Event {
    Event::PolicyLoaded {
        digest: policy.digest(),
        files: texts(policy),
        before: before.map(Policy::digest),
        diff: before.map(|before| Difference::between(before, policy)),
        trial: trial.map(|limit| limit.as_secs()),
        word,
    }
}

/// The record of a policy that waits for approvals; none where nobody loads it.
pub(super) fn proposed_event(
    policy: &Policy,
    before: &Policy,
    trial: Option<Duration>,
    word: PolicyWord,
) -> Option<Event> {
    let proposal = Proposal {
        digest: policy.digest(),
        files: texts(policy),
        before: before.digest(),
        diff: Difference::between(before, policy),
        trial: trial.map(|limit| limit.as_secs()),
        by: word.by?,
        reason: word.reason,
        forced: word.forced,
    };
    Some(Event::PolicyProposed { proposal })
}

/// The record of files that were found and not taken, since others would have to approve them.
pub(super) fn not_approved(why: &NoChange) -> Event {
    Event::PolicyRefused { error: why.to_string(), errors: 1 }
}

/// The record of a policy that comes into force without those who were to approve it.
pub(super) fn override_event(policy: &Policy, before: &Policy, word: PolicyWord) -> Option<Event> {
    let (by, reason) = word.by.zip(word.reason)?;
    let what = Override { digest: policy.digest(), before: before.digest(), by, reason };
    Some(Event::PolicyOverride { what })
}

/// The files of a policy, for its record.
pub(super) fn texts(policy: &Policy) -> Vec<PolicyText> {
    let text = |file: &SourceFile| PolicyText {
        name: file.name.clone(),
        // Policy that parsed is UTF-8.
        text: String::from_utf8_lossy(&file.bytes).into_owned(),
    };
    policy.files().iter().map(text).collect()
}

/// The most names that a refusal has.
const NAMES: usize = 20;

/// A policy with the warnings about it, or what is wrong with its files.
pub(crate) type ReadPolicy = Result<(Policy, Vec<String>), BadFiles>;

/// Reads the policy files.
pub(super) fn read_policy(dir: &Path) -> ReadPolicy {
    let files = read_policy_dir(dir, Owner::Root)
        .map_err(|wrong| BadFiles::from(wrong.iter().map(BadFile::finding).collect::<Vec<_>>()))?;
    let loaded = Policy::parse(&files).map_err(BadFiles::from)?;
    Ok((loaded.policy, loaded.warnings.iter().map(ToString::to_string).collect()))
}

impl From<Vec<Finding>> for BadFiles {
    fn from(findings: Vec<Finding>) -> Self {
        let is_error = |finding: &&Finding| finding.severity == Severity::Error;
        Self {
            first: findings.iter().find(is_error).map(ToString::to_string).unwrap_or_default(),
            errors: findings.iter().filter(is_error).count(),
            rendered: findings.iter().map(Finding::render).collect(),
            sound: false,
        }
    }
}

impl BadFiles {
    /// Of files that are sound themselves: what they ask for is not there on this host. With whoever gives orders here and
    /// would lose that, where nobody would be left who does.
    pub(crate) fn for_this_host(findings: Vec<Finding>, losers: &BTreeSet<UserName>) -> Self {
        let mut bad = Self { sound: true, ..Self::from(findings) };
        if !losers.is_empty() {
            let names: Vec<&str> = losers.iter().take(NAMES).map(UserName::as_str).collect();
            let more = losers.len().saturating_sub(NAMES);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            bad.rendered.push(format!(
                "Nobody would be left who can load policy, grant, lock or revoke. Who gives orders here and would lose that: \
                 {}{more}",
                names.join(", ")
            ));
        }
        bad.rendered.push(
            "The files are sound, but they do not fit this host. Mend what is said above, then type: jitctl policy load"
                .to_owned(),
        );
        bad
    }

    /// The record of their refusal.
    pub(super) fn event(&self) -> Event {
        Event::PolicyRefused { error: self.first.clone(), errors: self.errors }
    }
}
