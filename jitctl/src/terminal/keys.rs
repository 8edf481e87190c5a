//! Keys, from the bytes that a terminal sends for them.

/// A key that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Up,
    Down,
    Enter,
    Escape,
    Backspace,
    Char(char),
}

const ESCAPE: u8 = 0x1b;

/// Takes bytes as they arrive. What is not finished waits for the rest; what means nothing is dropped.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    rest: Vec<u8>,
}

impl Decoder {
    pub(crate) fn keys(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.rest.extend_from_slice(bytes);
        let mut found = Vec::new();
        while let Some((key, length)) = next(&self.rest) {
            found.extend(key);
            self.rest.drain(..length);
        }
        found
    }
}

/// The first key, if it means anything, and its length in bytes; none if more bytes have to come.
fn next(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    match bytes {
        [] => None,
        [ESCAPE, b'[' | b'O', rest @ ..] => {
            let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte));
            match (end, rest) {
                (Some(0), [b'A', ..]) => Some((Some(Key::Up), 3)),
                (Some(0), [b'B', ..]) => Some((Some(Key::Down), 3)),
                (Some(end), _) => Some((None, end + 3)),
                // No key is as long as that.
                (None, rest) if rest.len() > 16 => Some((None, bytes.len())),
                (None, _) => None,
            }
        }
        // A sequence arrives in one piece (the terminal is told to wait for it), so this is the key itself.
        [ESCAPE, ..] => Some((Some(Key::Escape), 1)),
        [b'\r' | b'\n', ..] => Some((Some(Key::Enter), 1)),
        [0x7f | 0x08, ..] => Some((Some(Key::Backspace), 1)),
        [byte, ..] if *byte < 0x20 => Some((None, 1)),
        bytes => character(bytes),
    }
}

fn character(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(why) if why.valid_up_to() > 0 => {
            std::str::from_utf8(&bytes[..why.valid_up_to()]).unwrap_or_default()
        }
        Err(why) => return why.error_len().map(|length| (None, length)),
    };
    valid.chars().next().map(|c| (Some(Key::Char(c)), c.len_utf8()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_known_by_their_bytes() {
        let keys = Decoder::default().keys(b"j\x1b[A\x1bOB\r\x7f\x01\x1b[3~\xc3\xa9\x1bq\x1b");
        let expected = [
            Key::Char('j'),
            Key::Up,
            Key::Down,
            Key::Enter,
            Key::Backspace,
            Key::Char('é'),
            Key::Escape,
            Key::Char('q'),
            Key::Escape,
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn a_character_in_two_pieces_is_one_key_and_a_broken_one_is_none() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.keys(b"\xc3"), []);
        assert_eq!(decoder.keys(b"\xa9\xff!"), [Key::Char('é'), Key::Char('!')]);
    }

    proptest! {
        #[test]
        fn no_bytes_are_kept_for_ever_or_become_a_control(
            bytes in proptest::collection::vec(any::<u8>(), 0..200)
        ) {
            let mut decoder = Decoder::default();
            for chunk in bytes.chunks(7) {
                for key in decoder.keys(chunk) {
                    prop_assert!(!matches!(key, Key::Char(c) if c.is_ascii_control()));
                }
                prop_assert!(decoder.rest.len() < 32);
            }
        }
    }
}
