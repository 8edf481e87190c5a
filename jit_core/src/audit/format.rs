//! Records in the forms of other programs. What people typed is inert in each: it ends no field and no line, is no
//! formula, and reaches no terminal.

use jit_proto::text::{Shown, is_unprintable};

use super::line::Line;
use crate::event::Record;

/// The columns of a table, in order. `record` is the whole record as JSON.
const COLUMNS: [&str; 32] = [
    "seq",
    "time",
    "boot_ms",
    "clock",
    "synced",
    "event",
    "severity",
    "actor",
    "login",
    "audit_session",
    "request",
    "grant",
    "session",
    "user",
    "uid",
    "role",
    "service",
    "services",
    "target",
    "rhost",
    "tty",
    "by",
    "stage",
    "decision",
    "method",
    "why",
    "reason",
    "note",
    "remaining",
    "end",
    "count",
    "record",
];

/// The first line of a table.
#[must_use]
pub fn csv_heading() -> String {
    COLUMNS.join(",") + "\r\n"
}

/// A record as a row of a table (RFC 4180). One that cannot be read has its bytes alone.
#[must_use]
pub fn csv_row(record: Option<&Record>, bytes: &str) -> String {
    let line = record.map(Line::whole);
    let cell = |column: &str| -> String {
        let Some((record, line)) = record.zip(line.as_ref()) else {
            return if column == "record" { json_cell(bytes) } else { String::new() };
        };
        match column {
            "time" => record.at.wall.to_string(),
            "boot_ms" => record.at.boot.to_string(),
            "clock" => record.at.suspect.map_or("trusted", crate::time::Suspicion::as_str).to_owned(),
            "synced" => record.at.synced.map_or_else(String::new, |synced| synced.to_string()),
            "event" => line.event.to_owned(),
            "severity" => line.severity.number().to_string(),
            "audit_session" => {
                let session = record.actor.and_then(|actor| actor.session);
                session.map_or_else(String::new, |session| session.to_string())
            }
            "record" => json_cell(bytes),
            _ => {
                let value = line.fields.iter().find(|(key, _)| *key == column);
                value.map_or_else(String::new, |(_, value)| Shown(value).to_string())
            }
        }
    };
    let cells: Vec<_> = COLUMNS.iter().map(|column| csv_cell(&cell(column))).collect();
    cells.join(",") + "\r\n"
}

/// A cell of a table, quoted where it has to be. A spreadsheet takes what begins with one of these for a formula (OWASP, "CSV Injection").
#[must_use]
pub fn csv_cell(value: &str) -> String {
    const BEGINS: [char; 13] =
        ['=', '+', '-', '@', '\t', '\r', '\n', '|', '%', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    let is_formula = value.starts_with(BEGINS);
    let mut inert = if is_formula { format!("'{value}") } else { value.to_owned() };
    // Where lists are separated by semicolons, a spreadsheet cuts there, whatever quotes say. Few cells have one.
    for begin in BEGINS.iter().filter(|_| value.contains(';')) {
        inert = inert.replace(&format!(";{begin}"), &format!(";'{begin}"));
        inert = inert.replace(&format!("; {begin}"), &format!("; '{begin}"));
    }
    if inert.contains(['"', ',', '\r', '\n', ';', '\'', ' ']) {
        format!("\"{}\"", inert.replace('"', "\"\""))
    } else {
        inert
    }
}

/// JSON for a cell: a semicolon is only ever in its strings, and would be cut at.
fn json_cell(text: &str) -> String {
    json_inert(text).replace(';', "\\u003b")
}

/// JSON text with every character that a terminal would act on as an escape of JSON's own: the same document.
#[must_use]
pub fn json_inert(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unprintable(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                inert += &format!("\\u{unit:04x}");
            }
        } else {
            inert.push(c);
        }
    }
    inert
}

/// A record as a line of syslog (RFC 5424), at the time when it happened, with all of its fields.
#[must_use]
pub fn rfc5424(record: &Record, host: &str) -> String {
    const AUTHPRIV: u8 = 10;
    let line = Line::whole(record);
    let value = |value: &str| {
        let shown = Shown(value).to_string();
        shown.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
    };
    let fields: Vec<_> =
        line.fields.iter().map(|(key, text)| format!(" {key}=\"{}\"", value(text))).collect();
    let fields = fields.concat();
    let host = if host.is_empty() { "-" } else { host };
    format!(
        "<{}>1 {} {} jitd - {} [jit@32473 event=\"{}\"{fields}] {}",
        AUTHPRIV * 8 + line.severity.number(),
        record.at.wall,
        Shown(host),
        line.event,
        line.event,
        line.message()
    )
}

#[cfg(test)]
#[path = "format_tests.rs"]
pub(super) mod tests;
