//! What the inputs of a target come to: `reached TARGET FOLDER…` runs it once over each file, and prints what was reached
//! how often as rows of a table. tests/prove calls it with what libFuzzer kept.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "whoever cannot read the inputs ends")]

use std::fs;
use std::io::Write as _;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let target = arguments.next().unwrap();
    let (_, body) = jit_fuzz::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let mut inputs = 0;
    for folder in arguments {
        for entry in fs::read_dir(folder).unwrap() {
            let _ = body(&fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "| {target} | inputs that were kept | {inputs} |").unwrap();
    for (what, count) in jit_fuzz::reached(&target) {
        writeln!(out, "| {target} | {what} | {count} |").unwrap();
    }
}
