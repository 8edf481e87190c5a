//! A policy file as text with lines, and the reasons why a file is not even that.

use std::ops::Range;

use jit_proto::text::is_unprintable;

use super::code::{self, Code};

/// The longest file that is read: 1 MiB. The whole text of every policy goes into the audit.
const MAX_BYTES: usize = 1 << 20;

/// How much of a long line is shown, in characters, and how much of that before the place that is meant.
const EXCERPT: usize = 120;
const EXCERPT_BEFORE: usize = 40;

/// One policy file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name without the folder, as `10-site.toml`.
    pub name: String,
    /// The exact bytes of the file.
    pub bytes: Vec<u8>,
}

/// One file as text. Where it is not text, `text` is what could be read before the flaw.
#[derive(Debug)]
pub struct Source<'a> {
    /// Its name in the folder.
    pub name: &'a str,
    /// What it says.
    pub text: &'a str,
    /// Why it is looked into no further, if that is so.
    pub flaw: Option<Flaw>,
    line_starts: Vec<usize>,
}

/// Why a file is not looked into any further.
#[derive(Debug)]
pub struct Flaw {
    /// What kind of finding it is.
    pub code: Code,
    /// Where, in bytes of the text.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: &'static str,
}

impl<'a> Source<'a> {
    /// Looks at the bytes only.
    #[must_use]
    pub fn new(file: &'a SourceFile) -> Self {
        let (text, flaw) = readable(&file.bytes);
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = [0].into_iter().chain(after_newlines).collect();
        Self { name: &file.name, text, flaw, line_starts }
    }

    /// The line of a byte offset, from 1. It costs the same in a line of any length.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).max(1)
    }

    /// Line and column of a byte offset, each from 1, the column in characters.
    #[must_use]
    pub fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let line = self.line_at(offset);
        (line.number, chars_before(line.text, offset - line.start) + 1)
    }

    /// Line, column, the line as a person may see it, and the characters of that which the span covers. A line
    /// is cut round the place if it is long; a span that goes on in the next line is shown to the end of this.
    pub(crate) fn show(&self, span: &Range<usize>) -> (usize, usize, String, Range<usize>) {
        let Line { number, start, text } = self.line_at(span.start);
        let length = text.chars().count();
        let from = chars_before(text, span.start - start);
        let to = chars_before(text, span.end.saturating_sub(start)).max(from + 1);
        let cut = if length > EXCERPT { from.saturating_sub(EXCERPT_BEFORE) } else { 0 };

        let mut excerpt: String = text.chars().skip(cut).take(EXCERPT).map(one_for_one).collect();
        if cut > 0 {
            excerpt.replace_range(..excerpt.chars().next().map_or(0, char::len_utf8), "…");
        }
        if cut + EXCERPT < length {
            excerpt.push('…');
        }
        let shown = excerpt.chars().count();
        let underline = from - cut..(to - cut).min(shown).max(from - cut + 1);
        (number, from + 1, excerpt, underline)
    }

    fn line_at(&self, offset: usize) -> Line<'a> {
        let number = self.line(offset);
        let start = self.line_starts[number - 1];
        let end = self.line_starts.get(number).copied().unwrap_or(self.text.len());
        Line { number, start, text: self.text[start..end].trim_end_matches(['\r', '\n']) }
    }
}

/// A line of a file, without its end.
struct Line<'a> {
    /// The line's number, from 1.
    number: usize,
    /// The offset of its first byte.
    start: usize,
    text: &'a str,
}

/// One character for one, so that columns stay as they are: no tab, nothing that a terminal would act on.
const fn one_for_one(c: char) -> char {
    match c {
        '\t' => ' ',
        c if is_unprintable(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// How many characters start in the first so many bytes.
fn chars_before(text: &str, bytes: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < bytes).count()
}

fn readable(bytes: &[u8]) -> (&str, Option<Flaw>) {
    if bytes.len() > MAX_BYTES {
        let message = format!("the file is {} bytes long, the limit is {MAX_BYTES}", bytes.len());
        let hint = "split it; every *.toml file of the folder is read";
        return ("", Some(Flaw { code: code::FILE_TOO_LONG, span: None, message, hint }));
    }
    match str::from_utf8(bytes) {
        Ok(text) => (text, hidden(text)),
        Err(err) => {
            let at = err.valid_up_to();
            let message = format!("the file is not UTF-8: the byte 0x{:02X} at offset {at}", bytes[at]);
            let hint = "save it as UTF-8; iconv(1) converts";
            let text = str::from_utf8(&bytes[..at]).unwrap_or_default();
            (text, Some(Flaw { code: code::NOT_UTF8, span: Some(at..at), message, hint }))
        }
    }
}

/// The first character that hides something from a reader: all that is unprintable but tabs and the ends of
/// lines. In comments too, since one that reorders its line shows a rule that is not there (CVE-2021-42574).
fn hidden(text: &str) -> Option<Flaw> {
    let mut hidden = text.char_indices().filter(|(at, c)| match c {
        '\n' | '\t' => false,
        '\r' => !text[*at..].starts_with("\r\n"),
        c => is_unprintable(*c),
    });
    let (at, c) = hidden.next()?;
    let more = match hidden.count() {
        0 => String::new(),
        n => format!(" (and {n} more of the kind)"),
    };
    let message = format!("the file has the character U+{:04X}, which cannot be seen{more}", u32::from(c));
    let hint = "remove it; what a reader sees is not what the file says";
    Some(Flaw { code: code::UNPRINTABLE, span: Some(at..at + c.len_utf8()), message, hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str, span: Range<usize>) -> (usize, usize, String, Range<usize>) {
        let file = SourceFile { name: "a.toml".to_owned(), bytes: text.as_bytes().to_vec() };
        Source::new(&file).show(&span)
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let (line, column, excerpt, underline) = show("a = 1\r\nüü = \"x\"\r\n", 14..17);
        assert_eq!((line, column, excerpt.as_str(), underline), (2, 6, "üü = \"x\"", 5..8));
    }

    #[test]
    fn a_place_on_the_end_of_a_line_is_the_column_after_the_last_character() {
        assert_eq!(show("a = \r\nb = 1", 5..6), (1, 5, "a = ".to_owned(), 4..5));
        assert_eq!(show("a = \nb = 1", 4..5), (1, 5, "a = ".to_owned(), 4..5));
    }

    #[test]
    fn a_place_at_the_end_of_the_file_still_has_a_line() {
        assert_eq!(show("a = ", 4..4), (1, 5, "a = ".to_owned(), 4..5));
        assert_eq!(show("a = 1\n", 6..6), (2, 1, String::new(), 0..1));
        assert_eq!(show("", 0..0), (1, 1, String::new(), 0..1));
    }

    #[test]
    fn a_long_line_is_cut_round_the_place() {
        let text = format!("{}HERE{}", "x".repeat(500), "y".repeat(500));
        let (line, column, excerpt, underline) = show(&text, 500..504);
        assert_eq!((line, column), (1, 501));
        assert_eq!(excerpt.chars().count(), EXCERPT + 1);
        assert!(excerpt.starts_with("…x") && excerpt.ends_with("y…"), "{excerpt}");
        assert_eq!(&excerpt.chars().collect::<Vec<_>>()[underline], ['H', 'E', 'R', 'E']);
    }

    #[test]
    fn an_excerpt_never_moves_a_cursor() {
        let (.., excerpt, _) = show("a\t=\t\"\u{1b}[2J\u{202e}\"", 0..1);
        assert!(!excerpt.chars().any(is_unprintable), "{excerpt:?}");
    }
}
