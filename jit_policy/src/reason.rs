//! What a reason must look like.

use std::collections::HashMap;
use std::fmt;

use jit_proto::words::Reason;
use regex::{Regex, RegexBuilder};

/// How much memory one compiled pattern may take, in bytes. The engine is linear in the length of the reason
/// whatever the pattern, so size is the only thing left to bound.
const SIZE_LIMIT: usize = 256 * 1024;

/// How deep groups may nest.
const NEST_LIMIT: u32 = 32;

/// The named group whose text is the ticket.
const TICKET: &str = "ticket";

/// A pattern on reasons, and what to tell somebody whose reason does not fit it.
#[derive(Clone, Debug)]
pub struct ReasonRule {
    pattern: Regex,
    /// What to write, in words; the pattern itself is of little help to most.
    pub hint: Option<String>,
    /// Whether the ticket has to be one that the site's register lists.
    pub known: bool,
}

/// The patterns of one policy. Many of its roles have the same, and compiling one takes longer than reading its role.
#[derive(Debug, Default)]
pub(super) struct Patterns(HashMap<String, Regex>);

impl Patterns {
    /// A rule with this pattern, compiled now or before. The error is one line for the person who wrote it.
    pub(super) fn rule(&mut self, pattern: &str, hint: Option<String>) -> Result<ReasonRule, String> {
        if let Some(known) = self.0.get(pattern) {
            return Ok(ReasonRule { pattern: known.clone(), hint, known: false });
        }
        let rule = ReasonRule::new(pattern, hint)?;
        self.0.insert(pattern.to_owned(), rule.pattern.clone());
        Ok(rule)
    }
}

impl ReasonRule {
    /// Compiles a pattern. The error is one line for the person who wrote it.
    fn new(pattern: &str, hint: Option<String>) -> Result<Self, String> {
        let compiled = RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).nest_limit(NEST_LIMIT).build();
        match compiled {
            Ok(pattern) => Ok(Self { pattern, hint, known: false }),
            Err(regex::Error::CompiledTooBig(limit)) => Err(format!(
                "it needs more than {limit} bytes once compiled: {{10,1000}} stands for a thousand copies of what is before \
                 it; repeat less, or write {{10,}}, since a reason has an end anyway"
            )),
            Err(err) => {
                // The engine draws the pattern over several lines; its last says what is wrong.
                let text = err.to_string();
                let what = text.lines().last().unwrap_or_default();
                Err(what.trim_start_matches("error: ").to_owned())
            }
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn pattern(&self) -> &str {
        self.pattern.as_str()
    }

    /// Whether the reason fits.
    #[must_use]
    pub fn accepts(&self, reason: &Reason) -> bool {
        self.pattern.is_match(reason.as_str())
    }

    /// The ticket that a reason names, if the pattern has a group called `ticket`.
    #[must_use]
    pub fn ticket<'r>(&self, reason: &'r Reason) -> Option<&'r str> {
        self.pattern.captures(reason.as_str())?.name(TICKET).map(|found| found.as_str())
    }

    /// Whether the pattern has a group that names the ticket.
    pub(super) fn names_ticket(&self) -> bool {
        self.pattern.capture_names().flatten().any(|name| name == TICKET)
    }

    /// A text of at most one character that fits, if there is one: then the pattern asks for nothing.
    pub(super) fn trifle(&self) -> Option<String> {
        let printable = (' '..='~').map(String::from);
        printable
            .chain(["ä".to_owned(), "中".to_owned(), String::new()])
            .find(|text| self.pattern.is_match(text))
    }
}

/// By what was written.
impl PartialEq for ReasonRule {
    fn eq(&self, other: &Self) -> bool {
        self.pattern() == other.pattern() && self.hint == other.hint && self.known == other.known
    }
}

impl Eq for ReasonRule {}

/// The hint, or else the pattern.
impl fmt::Display for ReasonRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => f.write_str(hint),
            None => write!(f, "a text that fits {}", self.pattern()),
        }
    }
}
