//! Lines that a person types.

use std::io::{self, Read};

/// The longest line that is read: as much as a terminal gives in one (termios(3)), and more than any answer needs.
const LONGEST: usize = 4096;

/// What came of reading a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    Line(String),
    /// A line that is none; it was read to its end.
    Bad(&'static str),
    /// The end of the input: the person wants to leave.
    End,
}

pub(crate) trait Keyboard {
    fn line(&mut self) -> Typed;
}

/// Standard input, which is a terminal.
pub(crate) struct Stdin;

impl Keyboard for Stdin {
    fn line(&mut self) -> Typed {
        read_line(&mut io::stdin().lock())
    }
}

/// One line without its end. What fails to be read is the end of the input too.
fn read_line(from: &mut dyn Read) -> Typed {
    let mut line = Vec::new();
    let mut byte = [0];
    let mut too_long = false;
    loop {
        match from.read(&mut byte) {
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            // A line that was broken off is nothing that anybody confirmed with Enter.
            Ok(0) | Err(_) => return Typed::End,
            Ok(_) if byte == *b"\n" => break,
            Ok(_) if line.len() == LONGEST => too_long = true,
            Ok(_) => line.push(byte[0]),
        }
    }
    if too_long {
        return Typed::Bad("the line is too long");
    }
    String::from_utf8(line).map_or(Typed::Bad("the line is not UTF-8"), Typed::Line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mut bytes: &[u8]) -> Vec<Typed> {
        let mut found = Vec::new();
        loop {
            let typed = read_line(&mut bytes);
            found.push(typed.clone());
            if typed == Typed::End {
                return found;
            }
        }
    }

    #[test]
    fn a_line_ends_with_enter_and_the_input_with_its_end() {
        assert_eq!(lines(b"a b\n\n"), [Typed::Line("a b".into()), Typed::Line(String::new()), Typed::End]);
        assert_eq!(lines(b"yes"), [Typed::End], "nobody pressed Enter");
    }

    #[test]
    fn a_line_that_is_too_long_or_no_text_is_refused_whole() {
        let mut long = vec![b'x'; LONGEST];
        long.extend(b"\n");
        assert!(matches!(lines(&long)[0], Typed::Line(_)));
        long.splice(0..0, *b"y");
        long.extend(b"\xff\nz\n");
        let expected = [
            Typed::Bad("the line is too long"),
            Typed::Bad("the line is not UTF-8"),
            Typed::Line("z".into()),
            Typed::End,
        ];
        assert_eq!(lines(&long), expected);
    }
}
