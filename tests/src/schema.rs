//! The published schema of records (docs/schema), held against lines by a validator that others wrote.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic here is a failed test")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::machine::top;

/// Where the schema is.
#[must_use]
pub fn schema() -> PathBuf {
    top().join("docs/schema/record.json")
}

/// Which of these lines the validator refuses, by their place.
#[must_use]
pub fn refused(lines: &[String]) -> BTreeSet<usize> {
    const VALIDATE: &str = "\
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for place, line in enumerate(sys.stdin):
    if not validator.is_valid(json.loads(line)):
        print(place)
";
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", VALIDATE])
        .arg(schema())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = lines.join("\n") + "\n";
    let mut input = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "python3-jsonschema is missing? tests/bed/install installs it");
    writer.join().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|place| place.parse().unwrap()).collect()
}
