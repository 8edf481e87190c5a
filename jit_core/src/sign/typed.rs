//! What somebody types where a request waits and nothing but a prompt is at hand: an approver's code, or the rows of a
//! signature one after the other. Whether it counts is for the orders to say.

use jit_proto::words::RequestId;

use super::compact::{BadCompact, Brought, ROW, check_row};
use crate::code::Answer;
use crate::code::symbols::BadSymbols;

/// What the lines come to that were typed so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// An approver's code.
    Code(Answer),
    /// A signature, of which all rows are there.
    Signature {
        /// The request that it is about.
        request: RequestId,
        /// The rows, a line each or several behind each other.
        rows: String,
    },
    /// Rows of which some are missing: these, and what may follow.
    Rows(String),
}

/// Why lines come to nothing. Each text says what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTyped {
    /// It is shorter than a row, so it should have been an answer.
    #[error("this is no answer: {0}. No try was counted")]
    Code(BadSymbols),
    /// The last line is no row. Those before it are right.
    #[error("this is no row: {0}; type this one again")]
    Row(BadSymbols),
    /// The rows are of nothing that counts here.
    #[error("{0}; all that was typed is forgotten, begin again")]
    Rows(BadCompact),
}

impl Typed {
    /// Reads lines in the order in which they were typed. A single one that is shorter than a row is an answer.
    pub fn of(lines: &[String]) -> Result<Self, NotTyped> {
        let symbols = |line: &String| line.chars().filter(|c| *c != '-' && !c.is_whitespace()).count();
        if let [only] = lines
            && symbols(only) < ROW
        {
            return Answer::parse(only).map(Self::Code).map_err(NotTyped::Code);
        }
        if let Some(last) = lines.last() {
            check_row(last).map_err(NotTyped::Row)?;
        }
        let rows = lines.join("\n");
        match Brought::parse(&rows) {
            Ok(brought) => Ok(Self::Signature { request: brought.request, rows }),
            Err(BadCompact::Missing(which)) => Ok(Self::Rows(which)),
            Err(why) => Err(NotTyped::Rows(why)),
        }
    }
}

impl NotTyped {
    /// How many of so many lines are of use yet.
    #[must_use]
    pub const fn kept(&self, lines: usize) -> usize {
        match self {
            Self::Row(_) => lines.saturating_sub(1),
            Self::Code(_) | Self::Rows(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::compact;
    use crate::sign::sshsig::Signature;
    use crate::sign::statement::Signable;

    const REQUEST: &str = include_str!("../../offline-vectors/compact");
    const FILE: &[u8] = include_bytes!("../../offline-vectors/r-4k7m2qx9.req");
    const SIGNATURE: &[u8] = include_bytes!("../../offline-vectors/ed25519.sig");

    /// The rows of a signature.
    fn rows() -> Vec<String> {
        let mut text = Signable::parse(FILE).unwrap();
        if let Signable::File(file) = &mut text {
            file.checkpoint = None;
        }
        let rows = compact::signature(&text, &Signature::parse(SIGNATURE).unwrap()).unwrap();
        rows.to_string().lines().map(str::to_owned).collect()
    }

    fn of(lines: &[&str]) -> Result<Typed, NotTyped> {
        Typed::of(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn one_short_line_is_an_answer_and_a_slip_in_it_is_no_try() {
        let codes = include_str!("../../offline-vectors/codes");
        let answer = codes.lines().filter_map(|line| line.split_whitespace().last()).find_map(|word| {
            let word = word.rsplit('=').next()?;
            Answer::parse(word).is_ok().then_some(word)
        });
        let answer = answer.expect("a vector");
        assert_eq!(of(&[answer]), Ok(Typed::Code(Answer::parse(answer).unwrap())));
        assert_eq!(of(&[&answer.to_lowercase().replace('-', " ")]), of(&[answer]));
        for wrong in ["0115-1Z8S-4AWD-Y", "", "y", "0000-0000-0000-01", "\u{1b}[2J", "UUUU"] {
            let refused = of(&[wrong]).unwrap_err();
            assert!(matches!(refused, NotTyped::Code(_)) && refused.kept(1) == 0, "{wrong}: {refused}");
            assert!(refused.to_string().ends_with("No try was counted"), "{refused}");
        }
    }

    #[test]
    fn rows_come_one_after_the_other_and_a_mistake_costs_one_row() {
        let rows = rows();
        let lines: Vec<&str> = rows.iter().map(String::as_str).collect();
        for typed in 1..lines.len() {
            let missing = of(&lines[..typed]).unwrap();
            assert!(matches!(&missing, Typed::Rows(which) if !which.is_empty()), "{missing:?}");
        }
        let whole = of(&lines).unwrap();
        assert!(matches!(&whole, Typed::Signature { request, .. } if request.to_string() == "r-4k7m2qx9"));
        // All of them in one line, as they were pasted; and the short one first of two.
        assert!(matches!(of(&[&lines.concat()]), Ok(Typed::Signature { .. })));
        let slip = format!("{}{}", if lines[1].starts_with('2') { '3' } else { '2' }, &lines[1][1..]);
        let refused = of(&[lines[0], &slip]).unwrap_err();
        assert!(matches!(refused, NotTyped::Row(_)) && refused.kept(2) == 1, "{refused}");
        // The rows of a request are no signature, and a code behind a row is none.
        let request: Vec<&str> = REQUEST.lines().collect();
        let refused = of(&request).unwrap_err();
        assert!(matches!(refused, NotTyped::Rows(_)) && refused.kept(9) == 0, "{refused}");
        assert!(
            refused.to_string().contains("it is a request, and a signature is expected here"),
            "{refused}"
        );
        assert!(!matches!(
            of(&[lines[0], "0115-1Z8S-4AWD-Y5"]),
            Ok(Typed::Code(_) | Typed::Signature { .. })
        ));
        assert!(matches!(of(&[]), Ok(Typed::Rows(_))));
    }
}
