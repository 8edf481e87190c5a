//! The corpus of the fuzz targets, and everything they ever found, with a few thousand changes that are the same
//! every time.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};

/// The inputs of a target, by name.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let paths = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target));
    assert!(paths.len() > 20, "the corpus of {target} is here");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Every shipped policy that has cases, with its cases.
fn shipped() -> Vec<Vec<u8>> {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut inputs = Vec::new();
    for policy in entries(&policies) {
        let files =
            entries(&policy).into_iter().filter(|path| path.extension().is_some_and(|toml| toml == "toml"));
        let files: Vec<_> = files.map(|path| fs::read(path).unwrap()).collect();
        let cases = entries(&policy.join("cases")).into_iter().map(|path| fs::read(path).unwrap());
        inputs.extend(cases.map(|cases| [files.concat(), cases].join(&b"\n%%\n"[..])));
    }
    assert!(inputs.len() > 5, "the shipped policies are here");
    inputs
}

/// What is in a folder, by name; nothing if there is none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Numbers that look random and are not (xorshift64, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

/// An input with some bytes changed, dropped, or taken from another.
fn changed(inputs: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = inputs[numbers.below(inputs.len())].clone();
    for _ in 0..=numbers.below(4) {
        let from = numbers.below(bytes.len() + 1);
        let to = (from + numbers.below(20)).min(bytes.len());
        let other = &inputs[numbers.below(inputs.len())];
        let start = numbers.below(other.len() + 1);
        let end = (start + numbers.below(40)).min(other.len());
        match numbers.below(3) {
            0 => drop(bytes.splice(from..to, [])),
            1 => drop(bytes.splice(from..to, other[start..end].iter().copied())),
            _ if from < bytes.len() => bytes[from] = u8::try_from(numbers.below(256)).unwrap(),
            _ => {}
        }
    }
    bytes
}

/// Tries inputs and changes of them. So many logins are allowed at least, or the rules were hardly tried.
fn replay(inputs: &[Vec<u8>], changes: usize, least: usize, body: fn(&[u8]) -> usize) {
    let mut allowed: usize = inputs.iter().map(|input| body(input)).sum();
    let mut numbers = Numbers(0x1234_5678_9abc_def0);
    for _ in 0..changes {
        allowed += body(&changed(inputs, &mut numbers));
    }
    assert!(allowed >= least, "{allowed} logins were allowed");
}

#[test]
fn whatever_people_write_is_read_and_answered_by_the_rules() {
    replay(&corpus("text"), 2_000, 100, jit_fuzz::text);
}

#[test]
fn whatever_is_changed_in_a_shipped_policy_it_is_read_and_answered_by_the_rules() {
    replay(&shipped(), 500, 300, jit_fuzz::text);
}

#[test]
fn whatever_an_approver_reads_is_what_its_digest_binds_or_is_refused_in_a_line() {
    replay(&corpus("request"), 2_000, 50, jit_fuzz::request);
    all_reached("request");
}

#[test]
fn whatever_is_brought_as_a_signed_file_is_verified_or_refused_in_a_line() {
    replay(&corpus("signed"), 2_000, 15, jit_fuzz::signed);
    all_reached("signed");
}

#[test]
fn whatever_is_typed_as_a_code_is_read_or_refused_in_a_line() {
    replay(&corpus("spoken"), 4_000, 30, jit_fuzz::spoken);
    all_reached("spoken");
}

#[test]
fn whatever_lies_in_an_exchange_it_is_taken_for_what_it_is_or_passed_over_in_a_line() {
    replay(&corpus("exchange"), 5_000, 1_000, jit_fuzz::exchange);
    all_reached("exchange");
}

#[test]
fn whatever_happens_under_a_policy_the_rules_hold() {
    replay(&corpus("story"), 1_000, 500, jit_fuzz::story);
    all_reached("story");
}

/// Whether the inputs came to everything that they are to come to.
fn all_reached(target: &str) {
    let missed: Vec<_> = jit_fuzz::reached(target).filter(|(_, count)| *count == 0).collect();
    assert!(missed.is_empty(), "no input reached: {missed:?}");
}
