//! The published schema of records (docs/schema): every kind is in it, with an example of its exact bytes, and a validator
//! that others wrote takes what jitd writes and refuses what it does not.

use std::collections::BTreeSet;
use std::fs;

use jit_core::event::{Event, Record};
use jit_tests::machine::top;
use jit_tests::schema::{refused, schema};
use serde_json::Value;

fn examples() -> Vec<String> {
    let text = fs::read_to_string(top().join("docs/schema/examples.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Every kind of event, as the parser of records names them when it meets another.
fn kinds() -> BTreeSet<String> {
    let why = serde_json::from_str::<Event>(r#"{"event":"none-of-them"}"#).unwrap_err().to_string();
    let (_, listed) = why.split_once("expected one of ").unwrap();
    let kinds: BTreeSet<String> = listed.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(kinds.len() > 40 && kinds.contains("allowed"), "{why}");
    kinds
}

#[test]
fn every_kind_of_record_has_a_schema_and_an_example_and_no_other_has() {
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema()).unwrap()).unwrap();
    let refs = schema["oneOf"].as_array().unwrap().iter();
    let refs: BTreeSet<String> = refs
        .map(|one| one["$ref"].as_str().unwrap().strip_prefix("#/$defs/event-").unwrap().to_owned())
        .collect();
    assert_eq!(refs, kinds(), "docs/schema/record.json against the kinds of records");
    let shown = examples();
    let shown: BTreeSet<String> = shown
        .iter()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            record["event"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(shown, kinds(), "docs/schema/examples.jsonl against the kinds of records");
}

#[test]
fn every_example_of_a_record_is_what_jitd_would_write_byte_for_byte() {
    for line in examples() {
        let record = Record::decode(0, line.as_bytes()).unwrap_or_else(|why| panic!("{why}: {line}"));
        let again = record.encode().unwrap();
        assert_eq!(String::from_utf8(again.bytes).unwrap(), line);
    }
}

#[test]
fn a_validator_of_others_takes_every_kind_of_record() {
    let golden = fs::read_to_string(top().join("jitctl/tests/golden/log.jsonl")).unwrap();
    let lines: Vec<_> = examples().into_iter().chain(golden.lines().map(str::to_owned)).collect();
    let none: BTreeSet<usize> = BTreeSet::new();
    let found: Vec<_> = refused(&lines).into_iter().map(|place| &lines[place]).collect();
    assert_eq!(refused(&lines), none, "{found:#?}");
}

#[test]
fn a_validator_of_others_refuses_a_record_that_lacks_a_field_or_has_one_more() {
    let optional = |path: &str| {
        // What an example shows and a record may lack.
        ["actor", "ran_ms", "clock", "synced"].contains(&path)
    };
    let mut changed = Vec::new();
    for line in examples() {
        let record: Value = serde_json::from_str(&line).unwrap();
        let with = |key: &str, value: Value| {
            let mut other = record.clone();
            other[key] = value;
            other.to_string()
        };
        changed.push(with("event", "none-of-them".into()));
        changed.push(with("unheard-of", 1.into()));
        changed.push(with("seq", (-1).into()));
        changed.push(with("time", "yesterday".into()));
        for key in record.as_object().unwrap().keys().filter(|key| !optional(key)) {
            // A field of another type than it has.
            changed.push(with(key, serde_json::json!({ "unheard-of": [] })));
        }
        for key in ["seq", "time", "boot_ms", "boot_id", "event"] {
            let mut without = record.clone();
            without.as_object_mut().unwrap().remove(key);
            changed.push(without.to_string());
        }
    }
    let refused = refused(&changed);
    let taken: Vec<_> =
        (0..changed.len()).filter(|place| !refused.contains(place)).map(|at| &changed[at]).collect();
    assert!(taken.is_empty(), "{taken:#?}");
}
