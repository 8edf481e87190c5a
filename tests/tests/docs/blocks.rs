//! Every block of commands in README.md, the guide and the runbook is typed by something.

use std::fs;

use jit_tests::blocks::{By, GUIDE, TYPED, block, blocks};
use jit_tests::machine::top;

use crate::tests;

#[test]
fn every_block_of_the_readme_and_the_guide_is_typed_by_something_that_there_is() {
    let (tests, makefile) = (tests(), fs::read_to_string(top().join("Makefile")).unwrap());
    for document in ["README.md", GUIDE] {
        let all = blocks(document);
        assert!(all.len() >= 5, "{document} has {} blocks", all.len());
        for block in all {
            let is_it = |(of, begins, _): &&(&str, &str, By)| *of == document && block.starts_with(*begins);
            let rows: Vec<_> = TYPED.iter().filter(is_it).collect();
            let [(_, _, by)] = rows[..] else {
                panic!("{} rows of tests/src/blocks.rs are of this block of {document}:\n{block}", rows.len())
            };
            match by {
                By::Scenario(name) => assert!(tests.contains(*name), "there is no {name}"),
                By::Make => {
                    for line in block.lines() {
                        let target = line.split_whitespace().nth(1).unwrap_or_default();
                        let is_there = makefile.lines().any(|rule| rule.starts_with(&format!("{target}:")));
                        assert!(line.starts_with("make ") && is_there, "{line}");
                    }
                }
            }
        }
    }
    for (document, begins, _) in TYPED {
        assert!(block(document, begins).is_some(), "{document} has not one block that begins: {begins}");
    }
}

#[test]
fn a_scenario_types_each_block_that_it_is_said_to_type() {
    let scenario = fs::read_to_string(top().join("tests/tests/scenarios/readme.rs")).unwrap();
    for (document, begins, by) in TYPED {
        if by == By::Scenario(jit_tests::blocks::README) {
            let says = scenario.contains(&format!("{begins:?}"));
            assert!(
                says,
                "tests/tests/scenarios/readme.rs types no block of {document} that begins: {begins}"
            );
        }
    }
}

#[test]
fn every_section_of_the_runbook_that_has_a_block_is_typed_by_the_scenario_of_it() {
    let page = fs::read_to_string(top().join("packaging/man/jit-runbook.7")).unwrap();
    let scenario = fs::read_to_string(top().join("tests/tests/scenarios/runbook.rs")).unwrap();
    let mut typed = 0;
    for section in page.split("\n.S").skip(1).filter(|section| section.contains("\n.nf\n")) {
        let title = section.lines().next().unwrap().trim_start_matches(['H', 'S', ' ']).trim_matches('"');
        assert!(
            scenario.contains(&format!("(\"{title}\", ")),
            "what {title} says to type is typed by nobody"
        );
        typed += 1;
    }
    assert!(typed >= 10, "{typed} sections");
}
