//! What a record holds that was signed elsewhere, so that an auditor can verify it with stock OpenSSH.

use crate::event::Event;
use crate::model::Evidence;
use crate::sign::kind::Kind;
use crate::sign::policy;

/// The signatures that a record holds.
#[must_use]
pub fn evidence(event: &Event) -> Vec<&Evidence> {
    if let Event::Reviewed { review, .. } = event {
        review.signed.iter().map(std::ops::Deref::deref).collect()
    } else if let Event::RevokeTaken { signed, .. } = event {
        vec![signed]
    } else if let Event::Locked { statement, .. } | Event::ClockAccepted { statement, .. } = event {
        statement.iter().map(|statement| &statement.signed).collect()
    } else if let Event::PolicyLoaded { word, .. } = event {
        word.signed.iter().flat_map(|signed| &signed.signatures).collect()
    } else {
        Vec::new()
    }
}

/// What a signature over a text has to be for, as `-n` of ssh-keygen(1); none of a text that nobody signs.
#[must_use]
pub fn namespace(text: &str) -> Option<&'static str> {
    let of_policy =
        || text.lines().next().filter(|line| *line == policy::NAMESPACE).map(|_| policy::NAMESPACE);
    Kind::of(text.as_bytes()).map(Kind::namespace).or_else(of_policy)
}
