//! Text that people typed, made safe to show.

use std::fmt;

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
        let mut rest = self.0;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unprintable(*c)) {
            let (whole, from) = rest.split_at(at);
            write!(f, "{whole}{}", c.escape_unicode())?;
            rest = &from[c.len_utf8()..];
        }
        f.write_str(rest)
    }
}

/// True for a character that nobody sees, or that looks like a space and is none: what could make two names look like
/// one. [`is_unprintable`] is part of it; the rest is what Unicode calls default ignorable (UAX 44), blank fillers, and
/// every white space but the one on the keyboard.
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        // Most text is, and each name of each record of a log is asked about.
        return c.is_ascii_control();
    }
    is_unprintable(c)
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{206a}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// A word of a command that somebody is told to type: as it is, or in quotes where a shell would make something else of
/// it (POSIX sh, "Quoting").
///
/// ```
/// use jit_proto::text::Typed;
/// assert_eq!(Typed("maria").to_string(), "maria");
/// assert_eq!(Typed("john smith").to_string(), "'john smith'");
/// assert_eq!(Typed("o'neill").to_string(), r"'o'\''neill'");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Typed<'a>(pub &'a str);

impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| {
            c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '%' | '+' | '=' | ':' | ',' | '/')
        };
        if !self.0.is_empty() && self.0.chars().all(plain) {
            return f.write_str(self.0);
        }
        write!(f, "'{}'", Shown(&self.0.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ascii_nobody_sees_the_controls_and_those_alone() {
        for c in (0..128).map(char::from) {
            assert_eq!(is_invisible(c), is_unprintable(c) || (c.is_whitespace() && c != ' '), "{c:?}");
        }
        assert!(is_invisible('\n') && is_invisible('\u{7f}') && !is_invisible(' ') && !is_invisible('~'));
    }

    #[test]
    fn shown_text_never_contains_a_control_or_bidi_character() {
        let hostile = "x\n\r\u{1b}]0;t\u{7}\u{9b}2J\u{202e}evil\u{2028}y\0";
        assert!(!Shown(hostile).to_string().chars().any(is_unprintable));
    }

    #[test]
    fn a_shell_takes_what_is_to_be_typed_for_the_one_word_that_it_is() {
        for word in [
            "maria",
            "john smith",
            "o'neill",
            "'",
            "$(reboot)",
            "`id`",
            "a;b",
            "~",
            "*",
            "DOM\\kim",
            "müller",
            "",
        ] {
            let echo = format!("printf '%s|' {} x", Typed(word));
            let shell = std::process::Command::new("sh").args(["-c", &echo]).output().unwrap();
            assert_eq!(String::from_utf8(shell.stdout).unwrap(), format!("{word}|x|"));
        }
    }

    #[test]
    fn ordinary_text_is_shown_as_it_is() {
        assert_eq!(Shown("INC-1234: Störung 50%").to_string(), "INC-1234: Störung 50%");
    }
}
