//! The values of fields that several texts have: each with its one form.

use std::fmt::Display;
use std::str::FromStr;

use super::file::{NONE, key_fingerprint, word};
use super::lines::{escaped, or, unescaped};
use crate::services::Services;
use crate::time::Utc;

/// What stands for the role's own services, logins or time.
pub(super) const AS_ROLE: &str = "as-role";

const ANY: &str = "any";

/// A text of these fields behind a first line.
pub(super) fn written<const N: usize>(
    first: &str,
    labels: &[&'static str; N],
    values: &[String; N],
) -> String {
    let lines = labels.iter().zip(values).map(|(label, value)| format!("{label}: {value}\n"));
    format!("{first}\n{}", lines.collect::<String>())
}

/// `any`, or the fingerprint of the one host's key.
pub(super) fn key_written(key: Option<&str>) -> String {
    key.unwrap_or(ANY).to_owned()
}

/// The reverse of [`key_written`].
#[allow(clippy::option_option, reason = "no value, and the value that says so, are two things")]
pub(super) fn key(text: &str) -> Option<Option<String>> {
    or(ANY, text, key_fingerprint)
}

/// `none`, or `- ` and a text.
pub(super) fn noted_written(text: Option<&impl Display>) -> String {
    text.map_or_else(|| NONE.to_owned(), |text| format!("- {}", escaped(&text.to_string())))
}

/// The reverse of [`noted_written`].
#[allow(clippy::option_option, reason = "no value, and the value that says so, are two things")]
pub(super) fn noted<T: FromStr>(text: &str) -> Option<Option<T>> {
    or(NONE, text, |text| unescaped(text.strip_prefix("- ")?)?.parse().ok())
}

/// A time in whole seconds.
pub(super) fn seconds(text: &str) -> Option<Utc> {
    word(text).filter(|time: &Utc| *time == time.whole_seconds())
}

/// Services with commas between.
pub(super) fn listed(services: &Services) -> String {
    services.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(",")
}
