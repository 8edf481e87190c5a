//! What holds for every policy and every story, as functions of bytes. libFuzzer calls them (`libfuzzer/`, run by
//! tests/prove), and `cargo test` replays the corpus with a few thousand changes. They panic where a rule is broken.
//!
//! [`text`] takes the bytes for what people write: policy files and cases, and what of it loads is tried out.
//! [`request`] takes them for what an approver reads, [`signed`] for what is brought as a signed file, [`spoken`] for what is read out and typed, [`exchange`] for what
//! lies in a folder that was carried. [`story`] takes them for choices: a policy that mostly loads, orders, logins and
//! clocks, in any order.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic here is a finding")]

mod choices;
mod exchange;
mod named;
mod page;
mod policy;
mod reached;
mod request;
mod signed;
mod spoken;
mod story;
mod witness;
mod world;
mod written;

use jit_core::cases;
use jit_core::policy::{Policy, SourceFile, diff};
use jit_proto::text::is_unprintable;

pub use exchange::exchange;
pub use reached::reached;
pub use request::request;
pub use signed::signed;
pub use spoken::spoken;
pub use story::story;

/// Bytes, and how much came of them.
pub type Target = fn(&[u8]) -> usize;

/// The targets, by their names.
pub const TARGETS: [(&str, Target); 6] = [
    ("text", text),
    ("story", story),
    ("request", request),
    ("signed", signed),
    ("spoken", spoken),
    ("exchange", exchange),
];

/// The line between two texts of one input.
const NEXT: &[u8] = b"\n%%\n";

/// The most texts of one input; the last is all that is left.
const MAX_TEXTS: usize = 4;

/// Reads the texts as policies, the first alone and all together, lets people ask for and use every role of what
/// loads, compares the two, and runs the texts, each and all, as cases of them. The answer is how many logins were allowed.
///
/// # Panics
///
/// Where a rule is broken.
#[must_use]
pub fn text(bytes: &[u8]) -> usize {
    let texts = split(bytes);
    let files: Vec<_> = (b'a'..).zip(&texts).map(|(name, text)| file(char::from(name), text)).collect();
    let read = [policy::read(&files[..1]), policy::read(&files)];
    let mut allowed = 0;
    for policy in read.iter().flatten() {
        allowed += world::exercise(policy);
        for cases in files.chunks(1).chain([&files[..]]) {
            run_cases(policy, cases);
        }
    }
    if let [Some(first), Some(all)] = &read {
        compare(first, all);
    }
    if bytes.len().is_multiple_of(64) {
        policy::refuse_at_length(&files[0]);
    }
    allowed
}

fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let mut texts = Vec::new();
    let mut rest = bytes;
    while texts.len() + 1 < MAX_TEXTS
        && let Some(at) = rest.windows(NEXT.len()).position(|bytes| bytes == NEXT)
    {
        texts.push(&rest[..at]);
        rest = &rest[at + NEXT.len()..];
    }
    texts.push(rest);
    texts
}

fn file(name: char, text: &[u8]) -> SourceFile {
    SourceFile { name: format!("{name}.toml"), bytes: text.to_vec() }
}

/// Cases may be wrong in every way; whatever is said about them can be shown.
fn run_cases(policy: &Policy, files: &[SourceFile]) {
    let ran = cases::run(policy, files);
    assert_eq!(cases::run(policy, files), ran, "cases come to the same twice");
    match ran {
        Ok(report) => assert_lines(&report.to_string()),
        Err(findings) => policy::check_findings(files, &findings),
    }
}

/// A difference is there in both directions or in none, and none to itself.
fn compare(one: &Policy, other: &Policy) {
    let (there, back) = (diff(one, other), diff(other, one));
    assert_eq!(there.is_empty(), back.is_empty(), "{there:?} {back:?}");
    assert_eq!(diff(one, one), []);
    for change in there.iter().chain(&back) {
        assert_line(&change.to_string());
    }
}

/// One line that no terminal acts on.
fn assert_line(text: &str) {
    assert!(!text.chars().any(is_unprintable), "{text:?}");
}

/// Lines that no terminal acts on.
fn assert_lines(text: &str) {
    text.lines().for_each(assert_line);
}
