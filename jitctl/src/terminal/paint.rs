//! A picture as ANSI strokes (ECMA-48): clear, place the cursor, bold. Nothing is drawn twice.

use jit_proto::text::is_unprintable;

use super::held::Size;

const CLEAR: &str = "\u{1b}[2J";
const TO_END_OF_LINE: &str = "\u{1b}[K";
const BOLD: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[m";
const WHITE_ON_BLACK: &str = "\u{1b}[97;40m";

/// One line of a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) bold: bool,
}

/// What goes to the terminal as it is. Only the painter makes it.
#[derive(Debug)]
pub(crate) struct Strokes(String);

impl Strokes {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Lines of blocks in bright white on black, whatever the colours of the terminal are: what scans them tells light from dark.
pub(crate) fn in_white_on_black(lines: &[String]) -> Strokes {
    let line = |text: &String| format!("{WHITE_ON_BLACK}{}{PLAIN}\r\n", text.replace(is_unprintable, ""));
    Strokes(lines.iter().map(line).collect())
}

/// Knows what stands on the screen.
pub(crate) struct Painter {
    size: Size,
    /// None before the first stroke: whatever stood there before is cleared.
    shown: Option<Vec<Line>>,
}

impl Painter {
    pub(crate) fn new(size: Size) -> Self {
        Self { size, shown: None }
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// What makes the screen show this picture, at most one line for each of its own.
    pub(crate) fn paint(&mut self, picture: &[Line]) -> Strokes {
        let mut strokes = String::new();
        if self.shown.is_none() {
            strokes += CLEAR;
        }
        let shown = self.shown.take().unwrap_or_default();
        let mut now = picture.to_vec();
        now.resize_with(self.size.height, Line::default);
        for (row, line) in now.iter().enumerate() {
            if shown.get(row).cloned().unwrap_or_default() != *line {
                strokes += &format!("\u{1b}[{};1H{}", row + 1, stroke(line, self.size.width));
            }
        }
        // The cursor waits where one types, under the eye.
        if !strokes.is_empty() {
            let end = columns(&now.last().cloned().unwrap_or_default().text).min(self.size.width - 1) + 1;
            strokes += &format!("\u{1b}[{};{end}H", self.size.height);
        }
        self.shown = Some(now);
        Strokes(strokes)
    }

    /// Leaves the last picture, and the cursor under it.
    pub(crate) fn leave(&self) -> Strokes {
        Strokes(format!("\u{1b}[{};1H{TO_END_OF_LINE}", self.size.height))
    }
}

fn stroke(line: &Line, width: usize) -> String {
    let text = fit(&line.text, width);
    if line.bold { format!("{BOLD}{text}{PLAIN}{TO_END_OF_LINE}") } else { format!("{text}{TO_END_OF_LINE}") }
}

/// How much of the width a text takes, at most: where terminals differ, the wider.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(wide).sum()
}

/// Every character that may take two columns stands behind U+1100 (Unicode TR 11).
fn wide(c: char) -> usize {
    if c < '\u{1100}' { 1 } else { 2 }
}

/// The beginning of a text, so that it is no wider than that; its end is `..` where something was cut. A full line
/// would leave the cursor in doubt on some terminals, so one column stays free.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let width = width.saturating_sub(1);
    let safe: String = text.chars().map(|c| if is_unprintable(c) { '?' } else { c }).collect();
    if columns(&safe) <= width {
        return safe;
    }
    let mut cut = String::new();
    let mut left = width.saturating_sub(2);
    for c in safe.chars() {
        if wide(c) > left {
            break;
        }
        left -= wide(c);
        cut.push(c);
    }
    cut + &".."[..width.min(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 20, height: 4 };

    fn line(text: &str) -> Line {
        Line { text: text.into(), bold: false }
    }

    fn drawn(painter: &mut Painter, picture: &[Line]) -> String {
        String::from_utf8(painter.paint(picture).bytes().to_vec()).unwrap()
    }

    #[test]
    fn only_the_lines_that_changed_are_drawn_again() {
        let mut painter = Painter::new(SIZE);
        let first = drawn(&mut painter, &[line("a"), line("b"), Line { text: "c".into(), bold: true }]);
        let expected = "\u{1b}[2J\u{1b}[1;1Ha\u{1b}[K\u{1b}[2;1Hb\u{1b}[K\u{1b}[3;1H\u{1b}[1mc\u{1b}[m\u{1b}[K\
                        \u{1b}[4;1H";
        assert_eq!(first, expected);
        assert_eq!(drawn(&mut painter, &[line("a"), line("x")]).matches("\u{1b}[K").count(), 2);
        assert_eq!(drawn(&mut painter, &[line("a"), line("x")]), "");
    }

    #[test]
    fn another_size_is_another_screen() {
        let mut painter = Painter::new(SIZE);
        drawn(&mut painter, &[line("a")]);
        let mut painter = Painter::new(Size { width: 5, ..SIZE });
        assert!(drawn(&mut painter, &[line("abcdefgh")]).contains("\u{1b}[2J\u{1b}[1;1Hab..\u{1b}[K"));
    }

    #[test]
    fn a_wide_character_counts_double_and_is_never_halved() {
        assert_eq!(fit("日本語", 6), "日..");
        assert_eq!(fit("日本語", 7), "日本語");
        for (width, text) in [(0, ""), (1, ""), (2, "."), (3, ".."), (4, "a..")] {
            assert_eq!(fit("abcdef", width), text);
        }
    }
}
