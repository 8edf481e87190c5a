//! How a policy is shown, and what it says when one is loaded.

use jit_host::files::POLICY_DIR;
use jit_proto::manager::{Policy, PolicyFile, PolicySummary};
use jit_proto::text::Shown;

use super::entry::plural;
use crate::output::{Outcome, View};
use crate::times::{left, time};

pub(crate) fn policy_loaded(policy: &Policy) -> View {
    let mut view = View::yes(match (&policy.summary.digest, &policy.summary.trial) {
        (Some(digest), None) => format!("Policy {} is in force: {}.\n", Shown(digest), size(policy)),
        (Some(digest), Some(trial)) => format!(
            "Policy {} is on trial until {}, {} left: {}.\n",
            Shown(digest),
            time(&trial.until),
            left(trial.remaining),
            size(policy)
        ),
        (None, _) => String::new(),
    });
    view.said = warnings(policy);
    if let Some(waiting) = &policy.summary.waiting {
        view.data = format!("Policy {} waits for approvals.\n", Shown(waiting));
        view.said = vec![
            "The policy in force was kept: it asks others to approve the next one. The files must stay as they are until \
             then.\nhint: see what waits with: jitctl policy waiting"
                .to_owned(),
        ];
        return view;
    }
    if policy.summary.trial.is_some() {
        view.said.push(
            "The policy before it comes back then, and when jitd or the machine restarts.\n\
             hint: keep this login open, log in anew, and type there: jitctl confirm"
                .to_owned(),
        );
    }
    without_policy(policy, view)
}

/// The files one after the other, as `systemctl cat` prints units; what is not theirs is in comments.
pub(crate) fn policy(policy: &Policy) -> View {
    let mut data = String::new();
    if let Some(digest) = &policy.summary.digest {
        data += &format!("# policy {}\n", Shown(digest));
        data += &format!("# loaded {}, {}\n", Shown(&loaded(&policy.summary)), size(policy));
    }
    data += &policy_files(&policy.files);
    let mut view = View { said: warnings(policy), ..View::yes(data) };
    view.said.extend(stale(&policy.summary));
    without_policy(policy, view)
}

pub(crate) fn policy_files(files: &[PolicyFile]) -> String {
    let mut data = String::new();
    for file in files {
        data += &format!("\n# file {}\n{}", Shown(&file.name), file.text);
        if !file.text.ends_with('\n') {
            data.push('\n');
        }
    }
    data
}

fn without_policy(policy: &Policy, mut view: View) -> View {
    if policy.summary.digest.is_none() {
        view.outcome = Outcome::No;
        view.said.push(format!(
            "jitctl: no policy is in force, so every managed login is refused\n\
             hint: write one in {POLICY_DIR}, then type: jitctl policy load"
        ));
    }
    view
}

fn warnings(policy: &Policy) -> Vec<String> {
    // Each says by itself that it is a warning.
    policy.warnings.iter().map(|finding| Shown(finding).to_string()).collect()
}

fn stale(policy: &PolicySummary) -> Option<String> {
    (!policy.files_current).then(|| {
        format!(
            "warning: the files in {POLICY_DIR} differ from the policy in force\n\
             hint: put them in force with: jitctl policy load"
        )
    })
}

fn size(policy: &Policy) -> String {
    format!("{} in {}", plural(policy.summary.roles, "role"), plural(policy.files.len(), "file"))
}

pub(crate) fn loaded(policy: &PolicySummary) -> String {
    let at = policy.loaded_at.as_deref().map_or_else(|| "at an unknown time".to_owned(), time);
    match policy.source.as_deref() {
        Some("before") => format!("{at} again, since nobody confirmed the one on trial"),
        Some("kept") => format!("{at} from the store, since the files were not approved"),
        Some("store") => format!("{at} from the store, since the files do not load"),
        Some(source) => format!("{at} from the {source}"),
        None => at,
    }
}
