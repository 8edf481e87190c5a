//! Text that people typed, made safe to show.

use std::fmt::{self, Write};

/// True for a character that could move a cursor, break a line or reorder what is shown: C0 and C1 controls,
/// DEL, line and paragraph separators, and the bidirectional controls (Unicode TR 36 §2.5).
#[must_use]
pub const fn is_unprintable(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{fff9}'..='\u{fffb}')
}

/// Shows text with every unprintable character written as `\u{…}`, so that no terminal or log acts on it.
///
/// ```
/// assert_eq!(jit_proto::text::Shown("a\u{1b}[2J").to_string(), r"a\u{1b}[2J");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_unprintable(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_text_never_contains_a_control_or_bidi_character() {
        let hostile = "x\n\r\u{1b}]0;t\u{7}\u{9b}2J\u{202e}evil\u{2028}y\0";
        assert!(!Shown(hostile).to_string().chars().any(is_unprintable));
    }

    #[test]
    fn ordinary_text_is_shown_as_it_is() {
        assert_eq!(Shown("INC-1234: Störung 50%").to_string(), "INC-1234: Störung 50%");
    }
}
