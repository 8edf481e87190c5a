//! What people typed, in every format, read back by a reader that was written from the format's own specification.

use std::num::NonZeroU32;

use super::*;
use crate::event::Event;
use crate::model::{Actor, Login, Why};
use crate::testing::at;

/// All that could end a field, a line or a terminal, and what spreadsheets compute.
pub(in crate::audit) const HOSTILE: [&str; 14] = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "a,b;c\"d",
    "x\" ] [fake@1 a=\"b",
    "two\nlines\r\nof it",
    "\tindented",
    "\u{1b}[2J\u{9b}2J\u{202e}gpj\u{2028}",
    "back\\slash]",
    "'quoted'",
    "\u{ff1d}1+1",
    "x;=cmd|' /C calc'!A0;y",
    "x; @SUM(A1);+1",
];

pub(in crate::audit) fn denied(rhost: &str) -> Record {
    let login = Login {
        service: "sshd".parse().unwrap(),
        user: "maria".parse().unwrap(),
        uid: Some(1001.try_into().unwrap()),
        target: None,
        rhost: rhost.to_owned(),
        tty: "ssh".to_owned(),
        keys: Vec::new(),
        person: None,
    };
    let actor = Actor {
        uid: jit_proto::words::Uid::ROOT,
        loginuid: None,
        session: Some(17),
        untold: false,
        process: None,
    };
    let event =
        Event::Denied { why: Why::NoWindow, count: NonZeroU32::MIN, last: None, others: false, login };
    Record { seq: 7, at: at(0, 0), actor: Some(actor), event }
}

pub(in crate::audit) fn bytes(record: &Record) -> String {
    String::from_utf8(record.encode().unwrap().bytes).unwrap()
}

/// The fields of one record (RFC 4180 §2).
fn fields(row: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut quoted = false;
    let mut chars = row.chars().peekable();
    while let Some(c) = chars.next() {
        let last = all.last_mut().unwrap();
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                last.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(String::new()),
            '\r' if !quoted => {
                assert_eq!((chars.next(), chars.next()), (Some('\n'), None), "one record: {row}");
            }
            c => last.push(c),
        }
    }
    assert!(!quoted, "{row}");
    all
}

#[test]
fn where_lists_are_separated_by_semicolons_no_cell_computes_either() {
    for text in HOSTILE {
        let record = denied(text);
        let row = csv_row(Some(&record), &bytes(&record));
        // Only a quote at the beginning of a cell means something there.
        for cell in row.split(';').skip(1) {
            let begins = cell.trim_start_matches(' ').chars().next();
            assert!(!begins.is_some_and(|c| "=+-@|%\u{ff1d}".contains(c)), "{cell} of {row}");
        }
    }
}

#[test]
fn a_table_reads_back_field_by_field_and_computes_nothing() {
    let heading = fields(&csv_heading());
    for text in HOSTILE {
        let record = denied(text);
        let row = csv_row(Some(&record), &bytes(&record));
        let cells = fields(&row);
        assert_eq!(cells.len(), heading.len(), "{row}");
        let cell = |name: &str| cells[heading.iter().position(|column| column == name).unwrap()].as_str();
        assert_eq!((cell("seq"), cell("event"), cell("user")), ("7", "denied", "maria"));
        assert_eq!((cell("audit_session"), cell("why"), cell("clock")), ("17", "no-window", "trusted"));
        let shown = Shown(text).to_string();
        assert_eq!(cell("rhost").replace('\'', ""), shown.replace('\'', ""), "{text:?}");
        for cell in &cells {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\u{ff1d}']), "{cell}");
            assert!(!cell.chars().any(is_unprintable), "{cell:?}");
        }
        // Nothing is lost: the last column is the record.
        let whole: Record = serde_json::from_str(cell("record")).unwrap();
        assert_eq!(whole, record);
    }
}

#[test]
fn every_value_of_a_record_is_in_the_table_whole() {
    let long = "x".repeat(2000);
    let record = denied(&long);
    assert!(fields(&csv_row(Some(&record), &bytes(&record))).contains(&long));
}

#[test]
fn what_is_no_record_keeps_its_place_in_the_table_and_its_bytes() {
    let cells = fields(&csv_row(None, "\u{1b}no record"));
    assert_eq!((cells.len(), cells.last().unwrap().as_str()), (COLUMNS.len(), "\\u001bno record"));
}

/// The parameters of the one element of structured data (RFC 5424 §6.3.3).
fn parameters(line: &str) -> Vec<(String, String)> {
    let mut rest = line.split_once(" [jit@32473").unwrap().1;
    let mut all = Vec::new();
    while let Some(after) = rest.strip_prefix(' ') {
        let (name, value) = after.split_once("=\"").unwrap();
        let mut text = String::new();
        let mut chars = value.char_indices();
        let end = loop {
            match chars.next().unwrap() {
                (_, '\\') => text.push(chars.next().unwrap().1),
                (place, '"') => break place,
                (_, ']') => panic!("not escaped: {line}"),
                (_, c) => text.push(c),
            }
        };
        all.push((name.to_owned(), text));
        rest = &value[end + 1..];
    }
    assert!(rest.starts_with("] denied "), "{line}");
    all
}

#[test]
fn a_syslog_line_reads_back_field_by_field_and_is_one_line() {
    for text in HOSTILE {
        let line = rfc5424(&denied(text), "db-1");
        assert!(line.starts_with("<84>1 "), "{line}");
        let head: Vec<_> = line.split(' ').take(6).collect();
        assert_eq!(
            (head[1], head[2], head[3], head[4], head[5]),
            (at(0, 0).wall.to_string().as_str(), "db-1", "jitd", "-", "denied")
        );
        assert!(!line.chars().any(is_unprintable), "{line:?}");
        let found = parameters(&line);
        let value = |name: &str| found.iter().find(|(key, _)| key == name).unwrap().1.clone();
        assert_eq!((value("event"), value("user")), ("denied".to_owned(), "maria".to_owned()));
        assert_eq!(value("rhost"), Shown(text).to_string());
    }
}

#[test]
fn json_that_is_made_inert_is_the_same_document() {
    for text in HOSTILE {
        let record = denied(text);
        let inert = json_inert(&bytes(&record));
        assert!(!inert.chars().any(is_unprintable));
        assert_eq!(serde_json::from_str::<Record>(&inert).unwrap(), record);
    }
}
