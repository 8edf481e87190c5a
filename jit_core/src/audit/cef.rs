//! Records as lines of the Common Event Format, which many SIEMs read ("Implementing ArcSight Common Event Format",
//! version 25; CEF:0).
//!
//! What the format has a key for is under that key; every field of the line is there once more as `jitName`, so that
//! nothing of it is lost.

use std::net::IpAddr;

use jit_proto::text::Shown;

use super::line::{Line, Severity};
use crate::event::Record;

/// A record as one line without its end. `version` is that of the program that writes it; `host` is whose log it is.
#[must_use]
pub fn cef(record: &Record, host: &str, version: &str) -> String {
    let line = Line::whole(record);
    let header = ["pam_jit", "jitd", version, line.event, &title(line.event), severity(line.severity)];
    let header: Vec<_> = header.into_iter().map(in_header).collect();
    let mut pairs = vec![
        ("rt".to_owned(), record.at.wall.unix_millis().to_string()),
        ("externalId".to_owned(), record.seq.to_string()),
        ("dvchost".to_owned(), host.to_owned()),
    ];
    pairs.extend(line.fields.iter().flat_map(|(key, value)| {
        let known = standard(key, value).map(|key| (key.to_owned(), value.clone()));
        known.into_iter().chain([(own(key), value.clone())])
    }));
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}={}", in_extension(value))).collect();
    format!("CEF:0|{}|{}", header.join("|"), pairs.join(" "))
}

/// `session-gone` → `Session gone`.
fn title(event: &str) -> String {
    let text = event.replace('-', " ");
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

/// From 0 to 10.
const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Alert => "10",
        Severity::Error => "8",
        Severity::Warning => "6",
        Severity::Notice => "4",
        Severity::Info => "2",
    }
}

/// The format's own key for a field, where one means the same.
fn standard(key: &str, value: &str) -> Option<&'static str> {
    match key {
        "user" => Some("duser"),
        "uid" => Some("duid"),
        "actor" => Some("suid"),
        "service" => Some("app"),
        "why" => Some("reason"),
        "pid" => Some("spid"),
        "count" => Some("cnt"),
        // Its address is one of IPv4.
        "from" if matches!(value.parse(), Ok(IpAddr::V4(_))) => Some("src"),
        _ => None,
    }
}

/// `use-returned` → `jitUseReturned`: a key is letters and digits.
fn own(key: &str) -> String {
    let words = key.split(['-', '_']);
    words.fold("jit".to_owned(), |made, word| {
        let (first, rest) = word.split_at(word.len().min(1));
        made + &first.to_ascii_uppercase() + rest
    })
}

/// Backslash and bar are escaped; a header has no line ends.
fn in_header(value: &str) -> String {
    Shown(value).to_string().replace('\\', "\\\\").replace('|', "\\|")
}

/// Backslash and equals sign are escaped. Controls are shown as they are everywhere.
fn in_extension(value: &str) -> String {
    Shown(value).to_string().replace('\\', "\\\\").replace('=', "\\=")
}

#[cfg(test)]
#[path = "cef_tests.rs"]
mod tests;
