//! The 32 symbols of Crockford's base 32, as people type and say them, and the two check symbols behind a text of them.
//!
//! The check symbols are those of a Reed-Solomon code over GF(32): any one or two symbols of a text that are wrong, so also
//! any two that have changed places, are noticed for certain, and of all other texts but one in 1,024.

use std::fmt;

use jit_proto::text::is_unprintable;

/// The symbols, in the order of their values.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How each is said: digits as such, letters in the alphabet of the ICAO and NATO.
const WORDS: [&str; 32] = [
    "Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Alfa", "Bravo",
    "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "Juliett", "Kilo", "Mike", "November", "Papa",
    "Quebec", "Romeo", "Sierra", "Tango", "Victor", "Whiskey", "X-ray", "Yankee", "Zulu",
];

/// How many check symbols a text ends with.
pub const CHECKS: usize = 2;

/// The longest text with its check symbols: a longer one has pairs of errors that are not noticed.
pub const MAX_CHECKED: usize = 31;

/// One symbol: a number below 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol(u8);

impl Symbol {
    /// The lowest five bits.
    #[must_use]
    pub const fn of(value: u8) -> Self {
        Self(value & 31)
    }

    /// The number that it stands for.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }

    /// How it is said.
    #[must_use]
    pub fn word(self) -> &'static str {
        WORDS.get(usize::from(self.0)).copied().unwrap_or_default()
    }

    fn letter(self) -> char {
        ALPHABET.get(usize::from(self.0)).copied().map_or('?', char::from)
    }

    /// As Crockford reads: either case, `I` and `L` as 1, `O` as 0. There is no `U`.
    fn read(letter: char) -> Option<Self> {
        let letter = match letter.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            other => other,
        };
        let place = ALPHABET.iter().position(|known| char::from(*known) == letter)?;
        u8::try_from(place).ok().map(Self)
    }
}

/// Why what was typed is no such text. Each says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSymbols {
    /// A letter or sign that is none of the symbols.
    #[error("'{0}' is not one of its characters, which are the digits and the letters but I, L, O and U")]
    Letter(char),
    /// The wrong number of characters.
    #[error("it has {found} characters, and {wanted} are needed; type it again")]
    Length {
        /// How many there have to be.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
    /// The check symbols are not those of the rest.
    #[error(
        "a character is wrong, or two have changed places; have it read out once more, and type it again"
    )]
    Check,
}

/// Reads a text of so many symbols, with dashes and white space wherever they are.
pub fn read(text: &str, wanted: usize) -> Result<Vec<Symbol>, BadSymbols> {
    let letters = text.chars().filter(|letter| *letter != '-' && !letter.is_whitespace());
    let mut symbols = Vec::with_capacity(wanted);
    let mut found = 0;
    for letter in letters {
        let shown = if is_unprintable(letter) { '?' } else { letter };
        let symbol = Symbol::read(letter).ok_or(BadSymbols::Letter(shown))?;
        found += 1;
        if found <= wanted {
            symbols.push(symbol);
        }
    }
    if found == wanted { Ok(symbols) } else { Err(BadSymbols::Length { wanted, found }) }
}

/// The same without its check symbols, which have to be right.
pub fn read_checked(text: &str, wanted: usize) -> Result<Vec<Symbol>, BadSymbols> {
    let mut symbols = read(text, wanted)?;
    if !is_whole(&symbols) {
        return Err(BadSymbols::Check);
    }
    symbols.truncate(wanted.saturating_sub(CHECKS));
    Ok(symbols)
}

/// A text with its check symbols behind it.
#[must_use]
pub fn checked(symbols: &[Symbol]) -> Vec<Symbol> {
    // What is left of the text, as a polynomial, when it is divided by (x - a)(x - a²) = x² + (a + a²)x + a³.
    let (linear, constant) = (power(1) ^ power(2), power(3));
    let (mut high, mut low) = (0, 0);
    for symbol in symbols {
        let lead = symbol.0 ^ high;
        (high, low) = (low ^ times(lead, linear), times(lead, constant));
    }
    symbols.iter().copied().chain([Symbol(high), Symbol(low)]).collect()
}

/// Whether the text, its check symbols included, is 0 at a and at a².
fn is_whole(symbols: &[Symbol]) -> bool {
    let at = |point: u8| symbols.iter().fold(0, |sum, symbol| times(sum, point) ^ symbol.0);
    at(power(1)) == 0 && at(power(2)) == 0
}

/// The product in GF(32), by x⁵ + x² + 1.
fn times(left: u8, right: u8) -> u8 {
    let (mut sum, mut left) = (0, left);
    for bit in 0..5 {
        if right >> bit & 1 == 1 {
            sum ^= left;
        }
        left <<= 1;
        if left & 32 != 0 {
            left ^= 0b10_0101;
        }
    }
    sum
}

/// A power of the generator, which is x.
fn power(exponent: u8) -> u8 {
    (0..exponent).fold(1, |power, _| times(power, 2))
}

/// Bits as symbols, five at a time from the first; the last symbol is filled with zeros.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> Vec<Symbol> {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let symbol = |at: usize| Symbol((0..5).fold(0, |value, more| value << 1 | bit(5 * at + more)));
    (0..(8 * bytes.len()).div_ceil(5)).map(symbol).collect()
}

/// The bytes that symbols hold; nothing where the bits behind the last whole byte are not all zero, or are a whole symbol.
#[must_use]
pub fn to_bytes(symbols: &[Symbol]) -> Option<Vec<u8>> {
    let bit = |at: usize| symbols.get(at / 5).map_or(0, |symbol| symbol.0 >> (4 - at % 5) & 1);
    let bits = 5 * symbols.len();
    let (whole, rest) = (bits / 8, bits % 8);
    let is_filled = (8 * whole..bits).all(|at| bit(at) == 0);
    let byte = |at: usize| (0..8).fold(0, |value, more| value << 1 | bit(8 * at + more));
    (rest < 5 && is_filled).then(|| (0..whole).map(byte).collect())
}

/// Symbols to read: in capitals, in groups of four.
#[derive(Clone, Copy, Debug)]
pub struct Grouped<'a>(pub &'a [Symbol]);

impl fmt::Display for Grouped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, symbol) in self.0.iter().enumerate() {
            if number > 0 && number % 4 == 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", symbol.letter())?;
        }
        Ok(())
    }
}

/// Symbols as they are, without groups.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a>(pub &'a [Symbol]);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|symbol| write!(f, "{}", symbol.letter()))
    }
}

/// Symbols to say: the words of each group, group by group.
#[must_use]
pub fn said(symbols: &[Symbol]) -> Vec<String> {
    let group = |group: &[Symbol]| group.iter().map(|symbol| symbol.word()).collect::<Vec<_>>().join(" ");
    symbols.chunks(4).map(group).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(values: &[u8]) -> Vec<Symbol> {
        values.iter().copied().map(Symbol::of).collect()
    }

    proptest! {
        #[test]
        fn one_or_two_wrong_symbols_and_two_that_changed_places_are_noticed(
            values in prop::collection::vec(0u8..32, 1..=MAX_CHECKED - CHECKS),
            (one, other) in (0usize..31, 0usize..31),
            (first, second) in (0u8..32, 0u8..32),
        ) {
            let good = checked(&all(&values));
            prop_assert!(is_whole(&good));
            let (one, other) = (one % good.len(), other % good.len());
            let mut wrong = good.clone();
            wrong[one] = Symbol::of(first);
            wrong[other] = Symbol::of(second);
            prop_assert_eq!(is_whole(&wrong), wrong == good);
            let mut swapped = good.clone();
            swapped.swap(one, other);
            prop_assert_eq!(is_whole(&swapped), swapped == good);
        }

        #[test]
        fn bytes_come_back_from_their_symbols(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(to_bytes(&of_bytes(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn a_text_is_read_whatever_its_case_and_groups_and_with_letters_that_look_like_digits() {
        let symbols = all(&[0, 1, 1, 10, 31]);
        for text in ["0-11a z", "oiLAZ", "O I l\tA-Z"] {
            assert_eq!(read(text, 5), Ok(symbols.clone()), "{text}");
        }
        assert_eq!(read("0U11A", 5), Err(BadSymbols::Letter('U')));
        for hostile in ['\u{1b}', '\u{9b}', '\u{202e}', '\u{200b}'] {
            assert_eq!(read(&format!("0{hostile}11"), 4), Err(BadSymbols::Letter('?')), "{hostile:?}");
        }
        assert_eq!(read("011", 5), Err(BadSymbols::Length { wanted: 5, found: 3 }));
        assert_eq!(read(&"0".repeat(4000), 5), Err(BadSymbols::Length { wanted: 5, found: 4000 }));
        assert_eq!(Grouped(&symbols).to_string(), "011A-Z");
        assert_eq!(said(&symbols), ["Zero One One Alfa", "Zulu"]);
    }

    #[test]
    fn bits_that_no_byte_has_are_no_second_form_of_it() {
        assert_eq!(to_bytes(&all(&[31, 28])), Some(vec![255]));
        assert_eq!(to_bytes(&all(&[31, 29])), None);
        assert_eq!(to_bytes(&all(&[31, 28, 0])), None);
        assert_eq!(to_bytes(&all(&[0])), None);
    }
}
