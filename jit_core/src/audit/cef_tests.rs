//! Lines read back by a reader that was written from the format's own text.

use std::collections::BTreeMap;

use super::*;
use crate::audit::format::tests::{HOSTILE, denied};

/// The seven fields of the header, and the extension's values by key.
fn read(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let mut header = vec![String::new()];
    let mut chars = line.strip_prefix("CEF:").unwrap().chars();
    while header.len() < 8 {
        match chars.next().unwrap() {
            '\\' => header.last_mut().unwrap().push(chars.next().unwrap()),
            '|' => header.push(String::new()),
            c => header.last_mut().unwrap().push(c),
        }
    }
    let rest: String = header.pop().unwrap() + chars.as_str();
    // A key is what stands between a space, or the beginning, and an equals sign that is not escaped.
    let is_sign = |at: &usize| {
        let before = rest.as_bytes()[..*at].iter().rev().take_while(|byte| **byte == b'\\').count();
        rest.as_bytes()[*at] == b'=' && before.is_multiple_of(2)
    };
    let signs: Vec<usize> = (0..rest.len()).filter(is_sign).collect();
    let begins: Vec<usize> =
        signs.iter().map(|at| rest[..*at].rfind(' ').map_or(0, |space| space + 1)).collect();
    let ends = begins.iter().skip(1).map(|begin| begin - 1).chain([rest.len()]);
    let mut values = BTreeMap::new();
    for ((begin, sign), end) in begins.iter().zip(&signs).zip(ends) {
        let value = unescaped(&rest[sign + 1..end]);
        assert!(values.insert(rest[*begin..*sign].to_owned(), value).is_none(), "a key stands once: {rest}");
    }
    (header, values)
}

fn unescaped(value: &str) -> String {
    let (mut plain, mut chars) = (String::new(), value.chars());
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap() } else { c });
    }
    plain
}

#[test]
fn a_line_reads_back_field_by_field_and_ends_where_it_ends() {
    for text in HOSTILE {
        let record = denied(text);
        let line = cef(&record, "db-1", "0.1.0");
        assert!(!line.contains(jit_proto::text::is_unprintable), "{line:?}");
        let (header, values) = read(&line);
        assert_eq!(header, ["0", "pam_jit", "jitd", "0.1.0", "denied", "Denied", "6"]);
        assert_eq!(values["jitRhost"], Shown(text).to_string(), "{line}");
        assert_eq!((values["duser"].as_str(), values["jitUser"].as_str()), ("maria", "maria"));
        assert_eq!((values["reason"].as_str(), values["app"].as_str()), ("no-window", "sshd"));
        assert_eq!((values["externalId"].as_str(), values["dvchost"].as_str()), ("7", "db-1"));
        assert_eq!(values["rt"], record.at.wall.unix_millis().to_string());
        let all = Line::whole(&record);
        for (key, value) in &all.fields {
            assert_eq!(values[&own(key)], Shown(value).to_string(), "nothing is lost");
        }
    }
}

#[test]
fn a_bar_ends_no_field_of_the_header_and_a_name_is_letters_and_digits() {
    let line = cef(&denied("x"), "db|1", "0|1\\");
    assert_eq!(read(&line).0[3], "0|1\\");
    assert_eq!((own("use-returned").as_str(), own("last_tty").as_str()), ("jitUseReturned", "jitLastTty"));
}
