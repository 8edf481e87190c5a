//! The words of calls, parsed, and those of answers.

use std::time::Duration;

use jit_core::model::Decision;
use jit_proto::words::{GrantId, Reason, RequestId};
use serde::Serialize;

use super::Error;

/// 0 leaves it to the role.
pub(super) fn seconds_of(seconds: u64) -> Option<Duration> {
    (seconds != 0).then(|| Duration::from_secs(seconds))
}

/// What may be left empty.
pub(super) fn optional_reason(reason: &str) -> Result<Option<Reason>, Error> {
    (!reason.is_empty()).then(|| reason.parse()).transpose().map_err(invalid)
}

/// Yes or no.
pub(super) fn decision_of(word: &str) -> Result<Decision, Error> {
    let found = [Decision::Approve, Decision::Deny].into_iter().find(|known| known.as_str() == word);
    found.ok_or_else(|| Error::Invalid("a review says approve or deny".into()))
}

/// A fresh id.
pub(super) fn random_id() -> Result<RequestId, Error> {
    let bits = getrandom::u64().map_err(|err| Error::Busy(format!("no random id: {err}")))?;
    Ok(RequestId::from_bits(bits))
}

/// Either id names the pair.
pub(super) fn request_id(id: &str) -> Result<RequestId, Error> {
    match id.parse::<GrantId>() {
        Ok(grant) => Ok(grant.into()),
        Err(_) => id.parse().map_err(|_| {
            Error::Invalid("an id looks like g-4k7m2qx9 (a grant) or r-4k7m2qx9 (a request)".into())
        }),
    }
}

pub(super) fn invalid(err: jit_proto::words::BadWord) -> Error {
    Error::Invalid(err.to_string())
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|err| Error::Busy(format!("the answer cannot be written: {err}")))
}
