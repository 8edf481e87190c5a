//! Aligned columns and aligned properties, as in loginctl(1).

use std::fmt::Write;

use jit_proto::text::Shown;

/// Rows under a heading, every column but the last padded to its widest cell.
pub(crate) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.map(str::to_owned)] }
    }

    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| Shown(&cell).to_string()));
    }

    pub(crate) fn text(&self) -> String {
        self.columns(N)
    }

    /// The same for a terminal, which breaks lines that are too long for it wherever they are: where a row is, the last
    /// column goes below the others, on a line of its own with its heading, and is cut to that.
    pub(crate) fn for_eyes(&self) -> String {
        let longest = self.text().lines().map(|line| line.chars().count()).max().unwrap_or(0);
        let (Some(last), true) = (N.checked_sub(1).filter(|last| *last > 0), longest > COLUMNS) else {
            return self.text();
        };
        let heading = self.rows.first().map_or("", |row| row[last].as_str());
        let mut text = String::new();
        for (number, (line, row)) in self.columns(last).lines().zip(&self.rows).enumerate() {
            text += line;
            text.push('\n');
            if number > 0 && !matches!(row[last].as_str(), "" | "-") {
                text += &shortened(&format!("    {heading}: {}", row[last]), COLUMNS);
                text.push('\n');
            }
        }
        text
    }

    /// The first so many of the columns.
    fn columns(&self, count: usize) -> String {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths).take(count) {
                line += &format!("{cell:<width$}  ");
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

/// What every terminal has.
const COLUMNS: usize = 80;

/// `Name: value` lines under a title, the names right-aligned.
pub(crate) struct Properties {
    title: String,
    lines: Vec<(&'static str, String)>,
}

impl Properties {
    pub(crate) fn new(title: &str) -> Self {
        Self { title: Shown(title).to_string(), lines: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: &'static str, value: &str) {
        self.lines.push((name, Shown(value).to_string()));
    }

    pub(crate) fn text(&self) -> String {
        let width = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = format!("{}\n", self.title);
        let mut before = "";
        for (name, value) in &self.lines {
            // A name that repeats is written once, as systemctl does for lists.
            let (shown, mark) = if *name == before { ("", ' ') } else { (*name, ':') };
            writeln!(text, "  {shown:>width$}{mark} {value}").unwrap_or_default();
            before = name;
        }
        text
    }
}

/// A title and properties under it.
pub(crate) fn properties(title: &str, lines: &[(&'static str, String)]) -> String {
    let mut text = Properties::new(title);
    for (name, value) in lines {
        text.add(name, value);
    }
    text.text()
}

/// Text broken between words so that no line with its indent is longer than a terminal is wide, unless one word is.
pub(crate) fn wrapped(text: &str, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in Shown(text).to_string().split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= COLUMNS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// `text` in at most `most` characters, the last of them `…` where something was cut.
pub(crate) fn cut(text: &str, most: usize) -> String {
    shortened(&Shown(text).to_string(), most)
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_padded_to_their_widest_cell_and_lines_carry_no_trailing_space() {
        let mut table = Table::new(["ID", "REASON"]);
        table.row(["g-4k7m2qx9".into(), "short".into()]);
        table.row(["ü".into(), String::new()]);
        assert_eq!(table.text(), "ID          REASON\ng-4k7m2qx9  short\nü\n");
    }

    #[test]
    fn on_a_terminal_a_row_that_is_too_long_has_its_last_column_below_and_no_line_is_longer_than_80() {
        let mut table = Table::new(["ID", "USER", "REASON"]);
        table.row(["g-4k7m2qx9".into(), "maria".into(), "short".into()]);
        assert_eq!(table.for_eyes(), table.text());
        table.row(["g-00000001".into(), "tom".into(), "x".repeat(90)]);
        table.row(["g-00000002".into(), "max".into(), "-".into()]);
        let cut = format!("    REASON: {}…", "x".repeat(67));
        let lines = [
            "ID          USER",
            "g-4k7m2qx9  maria",
            "    REASON: short",
            "g-00000001  tom",
            &cut,
            "g-00000002  max",
        ];
        assert_eq!(table.for_eyes().lines().collect::<Vec<_>>(), lines);
        assert_eq!(cut.chars().count(), 80);
        assert!(table.text().contains(&"x".repeat(90)), "and in a pipe nothing is moved or cut");
    }

    #[test]
    fn a_cell_cannot_start_a_line_of_its_own() {
        let mut table = Table::new(["A"]);
        table.row(["x\ng-fake".into()]);
        assert_eq!(table.text(), "A\nx\\u{a}g-fake\n");
        let mut properties = Properties::new("t\nitle");
        properties.add("Reason", "x\nState: active");
        assert_eq!(properties.text(), "t\\u{a}itle\n  Reason: x\\u{a}State: active\n");
    }

    #[test]
    fn a_property_that_repeats_is_named_once() {
        let mut properties = Properties::new("t");
        properties.add("State", "active");
        properties.add("Reviews", "one");
        properties.add("Reviews", "two");
        assert_eq!(properties.text(), "t\n    State: active\n  Reviews: one\n           two\n");
    }

    #[test]
    fn a_text_is_broken_between_words_and_each_line_is_indented() {
        let text = wrapped(&"word ".repeat(30), "  ");
        let lengths: Vec<_> = text.lines().map(|line| (line.starts_with("  w"), line.len())).collect();
        assert_eq!(lengths, [(true, 76), (true, 76)]);
        assert_eq!(wrapped("", "  "), "");
    }

    #[test]
    fn a_cut_text_says_so_and_is_no_longer_than_it_may_be() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("üüüüüüü", 6), "üüüüü…");
        assert_eq!(cut("ab\u{1b}", 6), "ab\\u{…");
    }
}
