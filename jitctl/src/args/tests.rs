use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use clap::CommandFactory;
use jit_proto::words::RequestId;

use super::{Cli, Typed, Verb, parse};
use crate::run::explain_tests;
use crate::testing::{self, Nobody, jitctl};
use crate::values::Id;

const MAN: &str = include_str!("../../../packaging/man/jitctl.1");
const COMPLETION: &str = include_str!("../../../packaging/completions/jitctl.bash");

/// Every command by its full name, with its sub-commands and its long options, as clap knows them.
fn commands() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    fn walk(
        command: &clap::Command,
        path: &str,
        found: &mut BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>,
    ) {
        let options =
            command.get_arguments().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}"));
        let children = command.get_subcommands().map(|child| child.get_name().to_owned());
        found.insert(path.to_owned(), (children.collect(), options.collect()));
        for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
            walk(child, &format!("{path} {}", child.get_name()), found);
        }
    }
    let mut root = Cli::command();
    root.build();
    let mut found = BTreeMap::new();
    walk(&root, "jitctl", &mut found);
    found
}

#[test]
fn clap_finds_no_fault_with_the_arguments() {
    Cli::command().debug_assert();
}

#[test]
fn a_bad_word_is_refused_with_its_place_before_anything_is_sent() {
    for (args, place) in [
        (&["grant", "mar*n", "--role", "r", "--reason", "x"][..], "'<USER>': user name has '*' at byte 3"),
        (&["grant", "m", "--role", "R", "--reason", "x"], "'--role <ROLE>': role name has 'R' at byte 0"),
        (&["grant", "m", "--role", "r", "--reason", " "], "'--reason <TEXT>': reason is empty"),
        (&["grant", "m", "--role", "r", "--reason", "a\nb"], "reason has the character U+000A at byte 1"),
        (
            &["grant", "m", "--role", "r", "--reason", "x", "--for", "30"],
            "'--for <DURATION>': a number has no unit",
        ),
        (&["grant", "m", "--role", "r", "--reason", "x", "--for", "0s"], "'--for <DURATION>'"),
        (&["grant", "m", "--role", "r", "--reason", "x", "--for", "-1h"], "unexpected argument '-1' found"),
        (&["grant", "m", "--role", "r"], "required arguments were not provided:\n  --reason <TEXT>"),
        (&["grant", "m", "--reason", "x"], "required arguments were not provided:\n  --role <ROLE>"),
        (&["show", "4k7m2qx9"], "'<ID>': id must be a grant's, like g-4k7m2qx9, or a request's"),
        (&["revoke", "g-4k7m2qx9", "--reason", ""], "'--reason <TEXT>'"),
        (&["check", "SSHD", "maria"], "'<SERVICE>': service name has 'S' at byte 0"),
        (&["check", "sshd"], "required arguments were not provided:\n  <USER>"),
        (&["list", "extra"], "unexpected argument 'extra' found"),
        (&["policy"], "'jitctl policy' requires a subcommand"),
    ] {
        let ran = jitctl(args, &Nobody);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.starts_with("jitctl: ") && ran.err.contains(place), "{args:?}: {}", ran.err);
    }
}

#[test]
fn a_command_that_does_not_exist_is_answered_with_the_nearest_one() {
    for (args, nearest) in [
        (&["grnt"][..], "a similar subcommand exists: 'grant'"),
        (&["policy", "lod"], "a similar subcommand exists: 'load'"),
        (&["list", "--al"], "a similar argument exists: '--all'"),
    ] {
        let ran = jitctl(args, &Nobody);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(nearest), "{}", ran.err);
    }
}

#[test]
fn what_was_typed_is_repeated_without_its_controls() {
    for args in [
        &["l\u{1b}[2Jist"][..],
        &["show", "g-\u{1b}[2J\n"],
        &["--\u{1b}[2J"],
        &["list", "\u{9b}\u{202e}x"],
        &["grant", "m", "--role", "r", "--reason", "x", "--for", "1\u{1b}[2J"],
    ] {
        let ran = jitctl(args, &Nobody);
        assert_eq!(ran.code, 2);
        let bad = ran.err.chars().find(|c| jit_proto::text::is_unprintable(*c) && *c != '\n');
        assert_eq!(bad, None, "{args:?}: {:?}", ran.err);
    }
    assert!(jitctl(&["show", "g-\nhint: x"], &Nobody).err.contains("'g-\\u{a}hint: x'"));
}

#[test]
fn either_id_is_taken_and_written_back_as_it_was() {
    for text in ["g-4k7m2qx9", "r-4k7m2qx9"] {
        assert_eq!(text.parse::<Id>().unwrap().to_string(), text);
    }
    assert_eq!("r-00000001".parse::<Id>().unwrap(), Id::Request(RequestId::from_bits(1)));
    for bad in ["", "x-4k7m2qx9", "g-4k7m2qx", "g-4k7m2qxl", "G-4K7M2QX9"] {
        assert!(bad.parse::<Id>().is_err(), "{bad}");
    }
}

#[test]
fn the_man_page_names_every_command_and_its_options() {
    // One section per command, from its heading to the next one.
    let sections: BTreeMap<String, &str> = MAN
        .split("\n.SS ")
        .skip(1)
        .map(|section| {
            let (heading, body) = section.split_once('\n').unwrap();
            let heading = heading.trim_matches('"').replace("\\-", "-");
            let is_command = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            let name: Vec<_> = heading.split_whitespace().take_while(is_command).collect();
            (name.join(" "), body.split("\n.SH ").next().unwrap())
        })
        .collect();
    for (path, (children, options)) in commands() {
        let name = path.strip_prefix("jitctl").unwrap().trim();
        if !children.is_empty() {
            continue;
        }
        let section = sections.get(name).unwrap_or_else(|| panic!("no section for `{name}`"));
        for option in
            options.iter().filter(|option| !["--json", "--on", "--utc", "--help"].contains(&option.as_str()))
        {
            assert!(section.contains(&option.replace('-', "\\-")), "`{name}` does not name {option}");
        }
    }
    assert!(MAN.contains("\n.BI \"jitctl help \" COMMAND\n"));
    let everywhere = MAN.split("\n.SH ").find(|section| section.starts_with("OPTIONS\n")).unwrap();
    for option in &commands()["jitctl"].1 {
        assert!(everywhere.contains(&option.replace('-', "\\-")), "OPTIONS does not name {option}");
    }
    let known: BTreeSet<_> = commands().into_keys().collect();
    for name in sections.keys() {
        assert!(known.contains(&format!("jitctl {name}")), "`{name}` is not a command");
    }
}

#[test]
fn the_man_page_names_every_field_of_the_json() {
    fn keys(value: &serde_json::Value, found: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(fields) => fields.iter().for_each(|(key, value)| {
                found.insert(key.clone());
                keys(value, found);
            }),
            serde_json::Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::from(
        ["changed", "id", "taken", "error", "code", "text", "entry", "not_counted"].map(str::to_owned),
    );
    for value in [
        serde_json::to_value(testing::allowed()),
        serde_json::to_value(testing::status()),
        serde_json::to_value(testing::policy()),
        serde_json::to_value(explain_tests::no_window()),
        serde_json::to_value(explain_tests::oncall()),
        serde_json::to_value(explain_tests::on_trial()),
        serde_json::to_value(testing::waiting()),
        serde_json::to_value(testing::lock()),
        serde_json::to_value(jit_proto::manager::ClockAccepted {
            before: crate::cmd::clock::tests::suspect(),
            after: crate::cmd::clock::tests::suspect(),
        }),
    ] {
        keys(&value.unwrap(), &mut found);
    }
    for golden in [
        include_str!("../../tests/golden/check-broken.json"),
        include_str!("../../tests/golden/test-untrue.json"),
        include_str!("../../tests/golden/diff.json"),
        include_str!("../../tests/golden/report.json"),
    ] {
        keys(&serde_json::from_str(golden).unwrap(), &mut found);
    }
    let json = MAN.split("\n.SH ").find(|section| section.starts_with("JSON\n")).unwrap();
    let words: BTreeSet<_> = json.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    for field in found {
        assert!(words.contains(field.as_str()), "JSON does not name `{field}`");
    }
}

#[test]
fn the_completion_offers_what_jitctl_takes_and_nothing_else() {
    let table = |name: &str| -> BTreeMap<String, BTreeSet<String>> {
        let rows = COMPLETION.split_once(&format!("{name}=(\n")).unwrap().1.split_once("\n)").unwrap().0;
        rows.lines()
            .map(|row| {
                let (path, words) = row.trim().strip_prefix("['").unwrap().split_once("']='").unwrap();
                (path.to_owned(), words.trim_end_matches('\'').split(' ').map(str::to_owned).collect())
            })
            .collect()
    };
    let known = commands();
    let children = known.iter().filter(|(_, (children, _))| !children.is_empty());
    assert_eq!(
        table("_jitctl_commands"),
        children.map(|(path, (children, _))| (path.clone(), children.clone())).collect()
    );
    assert_eq!(
        table("_jitctl_options"),
        known.into_iter().map(|(path, (_, options))| (path, options)).collect()
    );
}

/// Completes the last of `words` in a real shell.
fn complete(words: &[&str]) -> Vec<String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/completions/jitctl.bash");
    let script = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                  jitctl() { case $1 in pending) printf 'ID  USER\\nr-7hq2m9xk  tom\\n\\nr-7hq2m9xk - x\\n';; \
                  *) printf 'ID  USER\\ng-4k7m2qx9  maria\\n';; esac; }; \
                  _jitctl; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let ran = Command::new("bash").args(["-euc", script, "bash", file]).args(words).output().unwrap();
    assert!(ran.status.success() && ran.stderr.is_empty(), "{words:?}: {ran:?}");
    let text = String::from_utf8(ran.stdout).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn completion_works_in_a_shell() {
    for (words, expected) in [
        (&["jitctl", "g"][..], &["grant"][..]),
        (
            &["jitctl", "policy", ""],
            &[
                "load", "waiting", "approve", "deny", "show", "check", "test", "diff", "edit", "replay",
                "help",
            ],
        ),
        (&["jitctl", "request", "--r"], &["--role", "--reason"]),
        (&["jitctl", "approve", ""], &["r-7hq2m9xk"]),
        (&["jitctl", "approve", "r-4k7m2qx9", "r-7"], &["r-7hq2m9xk"]),
        (&["jitctl", "withdraw", ""], &["g-4k7m2qx9"]),
        (&["jitctl", "unlock", "ho"], &["host"]),
        (&["jitctl", "--json", "policy", "l"], &["load"]),
        (&["jitctl", "grant", "--r"], &["--role", "--reason"]),
        (&["jitctl", "grant", "roo"], &["root"]),
        (&["jitctl", "grant", "--role", "x", "--reason", "revoke", "roo"], &["root"]),
        (&["jitctl", "grant", "--role", "g"], &[]),
        (&["jitctl", "grant", "root", ""], &[]),
        (&["jitctl", "check", "other", "roo"], &["root"]),
        (&["jitctl", "revoke", ""], &["g-4k7m2qx9"]),
        (&["jitctl", "show", "g-"], &["g-4k7m2qx9"]),
        (&["jitctl", "help", "gr"], &["grant"]),
        (&["jitctl", "list", "--a"], &["--all"]),
        (&["jitctl", "policy", "diff", "--fr"], &["--from"]),
        (&["jitctl", "policy", "diff", "--from", "/etc", "--i"], &["--in"]),
        (&["jitctl", "policy", "check", "--as", "x"], &[]),
        (&["jitctl", "policy", "test", "/et"], &["/etc"]),
        (&["jitctl", "nothing", ""], &[]),
    ] {
        assert_eq!(complete(words), expected, "{words:?}");
    }
}

#[test]
fn started_as_a_shell_it_is_the_kiosk_whatever_the_command() {
    for args in [
        &["bash", "-c", "/usr/bin/jitctl kiosk"][..],
        &["sh", "-c", "policy load"],
        &["zsh", "-c"],
        &["csh", "-c", "x", "--json"],
    ] {
        let Ok(Typed::Command(cli)) = parse(args.iter().map(Into::into)) else { panic!("{args:?}") };
        assert!(matches!(cli.verb, Some(Verb::Kiosk)), "{args:?}");
    }
}

/// The commands that a document names between backticks, each up to its first option or argument.
fn named_in(document: &str) -> impl Iterator<Item = &str> {
    document.split('`').filter(|text| text.starts_with("jitctl "))
}

#[test]
fn every_command_and_option_that_a_document_for_assessors_names_is_there() {
    let known = commands();
    for document in [include_str!("../../../docs/compliance.md"), include_str!("../../../docs/audit.md")] {
        for text in named_in(document) {
            let mut path = String::from("jitctl");
            for word in text.split_whitespace().skip(1) {
                if known[&path].0.contains(word) {
                    path = format!("{path} {word}");
                }
            }
            assert_ne!(path, "jitctl", "`{text}` names no command");
            for option in text.split_whitespace().filter(|word| word.starts_with("--")) {
                assert!(known[&path].1.contains(option), "{path} has no {option}, which `{text}` names");
            }
        }
    }
}
