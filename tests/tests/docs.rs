//! What the documents say of laws, pitfalls, attacks and tests is there.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic here is a failed test")]

mod docs {
    mod blocks;
    mod schema;
}

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jit_tests::machine::top;

const LAWS: usize = 14;
const PITFALLS: usize = 60;

fn doc(name: &str) -> String {
    fs::read_to_string(top().join("docs").join(name)).unwrap()
}

/// Every Rust file of the workspace, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                if !["target", ".git", "dist"].iter().any(|made| name == *made) {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&top(), &mut found);
    assert!(found.len() > 100, "this is the workspace");
    found
}

/// The names of all tests: functions behind `#[test]` or in `proptest!`, and the first text of each row in the tables of
/// scenarios and module tests.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (path, text) in sources() {
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            is_test |= line.starts_with("#[test]");
            if let Some(rest) = line.strip_prefix("fn ").filter(|_| is_test) {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                names.insert(rest[..end].to_owned());
                is_test = false;
            }
            let table = path.ends_with("tests/tests/scenarios.rs")
                || path.to_string_lossy().contains("/tests/module/");
            let is_row = ["shared(", "own(", "own_of(", "(\""].iter().any(|row| line.starts_with(row));
            if let Some(name) = line.split('"').nth(1).filter(|_| table && is_row) {
                names.insert(name.to_owned());
            }
        }
    }
    assert!(names.len() > 800, "{} tests", names.len());
    names
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// A test's name is longer than that of anything else.
fn is_name_of_a_test(word: &str) -> bool {
    word.len() >= 20
        && word.matches('_').count() >= 3
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn every_law_names_tests_that_hold_it_and_they_exist() {
    let (design, tests) = (doc("DESIGN.md"), tests());
    for law in 1..=LAWS {
        let head = format!("### Law {law}: ");
        let start = design.find(&head).unwrap_or_else(|| panic!("docs/DESIGN.md has no law {law}"));
        let section = &design[start + head.len()..];
        let section = &section[..section.find("\n##").unwrap_or(section.len())];
        let (_, named) = section.split_once("Held by: ").unwrap_or_else(|| panic!("law {law} names no test"));
        let named: Vec<&str> = quoted(named).collect();
        assert!(!named.is_empty(), "law {law} names no test");
        for name in named {
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(tests.contains(&name), "law {law} names a test that there is not: {name}");
        }
    }
}

#[test]
fn every_pitfall_names_tests_that_hold_it_and_they_exist() {
    let (pitfalls, tests) = (doc("pitfalls.md"), tests());
    let rows: Vec<Vec<&str>> = pitfalls
        .lines()
        .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let numbers: Vec<usize> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=PITFALLS).collect::<Vec<_>>());
    for row in rows {
        let named: Vec<&str> = quoted(row[2]).collect();
        let is_excused = row[2] == "not built" || row[2].starts_with("of the tests: ");
        assert!(is_excused || !named.is_empty(), "pitfall {} names no test", row[0]);
        for name in named {
            assert!(tests.contains(name), "pitfall {} names a test that there is not: {name}", row[0]);
        }
    }
}

#[test]
fn tests_that_documents_name_exist() {
    let tests = tests();
    let files = fs::read_dir(top().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|path| path.is_file()) {
        let text = fs::read_to_string(&file).unwrap();
        for name in quoted(&text).filter(|word| is_name_of_a_test(word)) {
            assert!(tests.contains(name), "{} names a test that there is not: {name}", file.display());
        }
    }
}

/// Whoever moves code finds out here, and not when `make prove` runs.
#[test]
fn every_sabotage_applies_and_names_a_test_that_there_is() {
    let tests = tests();
    let run = top().join("tests/sabotage/run");
    let checked = Command::new(&run).arg("--check").output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let mut patches = BTreeSet::new();
    for folder in ["jit_core", "jit_fuzz", "jitd"] {
        for patch in fs::read_dir(top().join("tests/sabotage").join(folder)).unwrap() {
            let patch = patch.unwrap().path();
            let text = fs::read_to_string(&patch).unwrap();
            let name = text.lines().next().and_then(|line| line.strip_prefix("test: ")?.split(' ').nth(1));
            let name = name.unwrap_or_else(|| panic!("{} names no test", patch.display()));
            assert!(tests.contains(name), "{} names a test that there is not: {name}", patch.display());
            patches.insert(format!("{folder}/{}", patch.file_stem().unwrap().to_str().unwrap()));
        }
    }
    let dangerous = fs::read_to_string(top().join("tests/sabotage/dangerous")).unwrap();
    assert!(dangerous.lines().count() >= 10);
    for patch in dangerous.lines() {
        assert!(patches.contains(patch), "tests/sabotage/dangerous names a patch that there is not: {patch}");
    }
}

#[test]
fn laws_and_sections_that_code_cites_exist() {
    let design = doc("DESIGN.md");
    let number =
        |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<usize>().ok();
    // This file has to spell what it looks for.
    for (path, text) in sources().into_iter().filter(|(path, _)| !path.ends_with("tests/tests/docs.rs")) {
        for (_, after) in text.match_indices("aw ").map(|(at, found)| text.split_at(at + found.len())) {
            if let Some(law) = number(after) {
                assert!((1..=LAWS).contains(&law), "{} cites law {law}", path.display());
            }
        }
        for mark in ["DESIGN §", "DESIGN section "] {
            for (_, after) in text.match_indices(mark).map(|(at, found)| text.split_at(at + found.len())) {
                let section = number(after).unwrap_or_else(|| panic!("{} cites no section", path.display()));
                let head = format!("\n## {section}. ");
                assert!(
                    design.contains(&head),
                    "{} cites section {section} of docs/DESIGN.md",
                    path.display()
                );
            }
        }
    }
}

/// What assessors ask for by number. Each has a row of its own, which says what is given and what is not.
#[test]
fn every_control_that_assessors_ask_about_has_a_row_with_what_is_given_and_what_is_not() {
    const CONTROLS: [&str; 40] = [
        "AC-2(2)",
        "AC-2(6)",
        "AC-3(2)",
        "AC-5",
        "AC-6",
        "AC-12",
        "AU-3",
        "AU-8",
        "AU-9",
        "AU-10",
        "CM-5(4)",
        "SR 1.1",
        "SR 1.13",
        "SR 2.1",
        "SR 2.6",
        "SR 2.7",
        "SR 2.8",
        "SR 2.9",
        "SR 2.10",
        "SR 2.11",
        "SR 2.12",
        "CIP-004-7 R4",
        "CIP-004-7 R5",
        "CIP-005-7",
        "CIP-007-6 R4",
        "CIP-007-6 R5",
        "7.2.4",
        "8.2.2",
        "8.2.7",
        "8.2.8",
        "A.5.15",
        "A.5.16",
        "A.5.17",
        "A.5.18",
        "A.8.2",
        "NIS2 Art. 21(2)(i)",
        "NIS2 Art. 21(2)(b)",
        "ORP.4.A2",
        "ORP.4.A4",
        "ORP.4.A24",
    ];
    let text = doc("compliance.md");
    let rows = || text.lines().filter(|line| line.starts_with("| "));
    for control in CONTROLS {
        // Not AC-2 in AC-2(2), nor A.5.1 in A.5.15.
        let names = |cell: &str| {
            cell.split([' ', ','])
                .collect::<Vec<_>>()
                .join(" ")
                .split(control)
                .skip(1)
                .any(|behind| !behind.starts_with(|c: char| c.is_ascii_digit() || c == '(' || c == '.'))
        };
        let row = rows().find(|row| row.split('|').nth(1).is_some_and(names));
        let row = row.unwrap_or_else(|| panic!("docs/compliance.md has no row for {control}"));
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{row}");
        assert!(cells[2..4].iter().any(|cell| !cell.is_empty()), "nothing is said of {control}: {row}");
    }
}

/// What `docs/compliance.md` and `docs/audit.md` tell people to type is there to be typed.
#[test]
fn every_command_of_jitctl_that_auditors_are_told_to_type_is_in_the_manual() {
    let manual = fs::read_to_string(top().join("packaging/man/jitctl.1")).unwrap();
    let manual: String = manual.replace("\\-", "-").replace("\\&", "");
    for name in ["compliance.md", "audit.md"] {
        let text = doc(name);
        for command in quoted(&text).filter(|word| word.starts_with("jitctl ")) {
            for option in command.split_whitespace().filter(|word| word.starts_with("--")) {
                assert!(manual.contains(option), "{name}: {command}: {option} is not in jitctl(1)");
            }
            let verb = command.split_whitespace().nth(1).unwrap();
            let is_there = [format!("jitctl {verb}"), format!("SS {verb}"), format!("SS \"{verb}")];
            assert!(
                is_there.iter().any(|form| manual.contains(form)),
                "{name}: {command} is not in jitctl(1)"
            );
        }
    }
}
