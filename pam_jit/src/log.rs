//! Lines for the system log: a short phrase, then `name="value"` pairs in a fixed order.
//!
//! Values come from the network, from environment-fed PAM items and from jitd. They are quoted, their controls,
//! quotes and backslashes escaped, and cut, so that no value can look like another field, start a second line, or
//! push what follows out of a syslog message of 960 bytes (libpam adds about 40: module, service, stage).

use std::fmt::{self, Display, Write};

use jit_proto::text::is_unprintable;

/// The most bytes of one line.
const LINE: usize = 800;

/// The most bytes of one value; a user name fits twice over.
const VALUE: usize = 512;

/// syslog(3) priorities that the module uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Somebody got in without a decision, or the module has a bug.
    Alert,
    /// A decision could not be had.
    Error,
    /// LOG_NOTICE: an access was denied.
    Notice,
    /// LOG_INFO: an access was allowed.
    Info,
    /// Only with the argument `debug`.
    Debug,
}

/// One line, built field by field. Its text has no control character and is at most [`LINE`] bytes long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line(String);

impl Line {
    /// A line that starts with `phrase`.
    pub(crate) fn new(phrase: &str) -> Self {
        Self(phrase.to_owned())
    }

    /// Adds ` name="value"`, unless the line is full.
    pub(crate) fn field(mut self, name: &str, value: impl Display) -> Self {
        let value = Quoted(value).to_string();
        let whole = if value.len() > VALUE { format!("{}…\"", cut(&value, VALUE)) } else { value };
        if self.0.len() + name.len() + whole.len() + 2 <= LINE {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push('=');
            self.0.push_str(&whole);
        }
        self
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest start of `text` that is at most `limit` bytes long and ends neither inside a character nor inside
/// an escape.
fn cut(text: &str, limit: usize) -> &str {
    let start = &text[..text.floor_char_boundary(limit)];
    // The longest escape is `\u{10ffff}`, of 10 bytes.
    match start.rfind('\\') {
        Some(at) if start.len() - at < 10 => &start[..at],
        _ => start,
    }
}

/// A value in double quotes, with what could end it or move a cursor escaped.
struct Quoted<T>(T);

impl<T: Display> Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escaping(f), "{}", self.0)?;
        f.write_char('"')
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '"' | '\\' => write!(self.0, "\\{c}"),
            c if is_unprintable(c) => write!(self.0, "{}", c.escape_unicode()),
            c => self.0.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_pretend_to_be_another_field_or_line() {
        let hostile = "x\" user=\"root\"\n2024 sshd: Accepted \u{1b}[2J\u{2028}\\";
        let line = Line::new("denied").field("rhost", hostile).field("user", "maria").to_string();
        assert_eq!(
            line,
            r#"denied rhost="x\" user=\"root\"\u{a}2024 sshd: Accepted \u{1b}[2J\u{2028}\\" user="maria""#
        );
    }

    #[test]
    fn a_long_value_is_cut_between_characters_and_escapes_and_leaves_room_for_the_next() {
        for hostile in ["é".repeat(1024), "\u{1b}".repeat(1024), "\\".repeat(1024), "\"".repeat(1024)] {
            let line = Line::new("denied").field("rhost", &hostile).field("user", "maria").to_string();
            assert!(line.len() <= LINE && line.ends_with("…\" user=\"maria\""), "{line}");
        }
    }

    #[test]
    fn a_full_line_takes_no_more_fields() {
        let mut line = Line::new("denied");
        for _ in 0..100 {
            line = line.field("rhost", "x".repeat(300));
        }
        assert!(line.to_string().len() <= LINE);
    }
}
