//! House rules: what must stay true of the source as a whole, whoever changes it (DESIGN §3).
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic here is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jit_tests::arms::wildcard_arms;
use jit_tests::imports::{Crate, Imports, Module, circles, shown};
use jit_tests::layers::LAYERS;
use jit_tests::machine::top;

/// Every crate that is mapped into sshd, sudo, su and login, or runs while the module is compiled. Each one runs
/// as root: a new one is a decision, made here.
const IN_THE_MODULE: [&str; 24] = [
    "bitflags",
    "cfg-if",
    "endi",
    "jit_proto",
    "libc",
    "memoffset",
    "nix",
    "pam-bindings",
    "pam_jit",
    "proc-macro2",
    "quote",
    "serde",
    "serde_core",
    "serde_derive",
    "syn",
    "thiserror",
    "thiserror-impl",
    "unicode-ident",
    "winnow",
    "zbus",
    "zbus_macros",
    "zbus_utils",
    "zcheapstr",
    "zeroize",
];

/// The arrows between our crates: who may depend on whom, tests left out.
const ARROWS: [(&str, &[&str]); 10] = [
    ("jit_proto", &[]),
    ("jit_policy", &["jit_proto"]),
    ("jit_core", &["jit_policy", "jit_proto"]),
    ("pam_jit", &["jit_proto"]),
    ("jit_host", &["jit_core", "jit_proto"]),
    ("jit_exchange", &["jit_core", "jit_proto"]),
    ("jit_report", &["jit_core", "jit_proto"]),
    ("jitd", &["jit_core", "jit_host", "jit_proto"]),
    ("jitctl", &["jit_core", "jit_exchange", "jit_host", "jit_proto", "jit_report"]),
    ("jit_kiosk", &[]),
];

/// The longest file and the longest function that somebody can be asked to read, in lines.
const LONGEST_FILE: usize = 600;
const LONGEST_FUNCTION: usize = 100;

fn cargo_tree(args: &[&str]) -> Vec<String> {
    let mut command = Command::new("cargo");
    command.current_dir(top()).args(["tree", "--locked", "--quiet", "--prefix", "none"]).args(args);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The names of the crates that one of ours is made of.
fn crates(of: &str, more: &[&str]) -> BTreeSet<String> {
    let args = [&["-p", of, "--edges", "normal", "--format", "{p}"], more].concat();
    cargo_tree(&args).iter().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn arrows_between_our_crates_run_one_way() {
    for (name, allowed) in ARROWS {
        let ours = crates(name, &["--depth", "1"])
            .into_iter()
            .filter(|other| other != name && ARROWS.iter().any(|(known, _)| known == other));
        assert_eq!(ours.collect::<Vec<_>>(), allowed, "what {name} depends on");
    }
}

/// A crate's modules.
fn modules(of: &str) -> Crate {
    let source = top().join(of).join("src");
    let root = ["lib.rs", "main.rs"].iter().map(|name| source.join(name)).find(|root| root.is_file());
    Crate::read(&root.unwrap())
}

#[test]
fn no_modules_of_a_crate_import_each_other_in_a_circle() {
    for (name, _) in ARROWS {
        let imports = modules(name).imports();
        let found = circles(&imports);
        assert!(found.is_empty(), "{name}\n{}", told(&found, &imports));
    }
}

/// Circles, with what ties each.
fn told(circles: &[Vec<Module>], imports: &Imports) -> String {
    let mut text = String::new();
    for circle in circles {
        text += &format!("a circle of {} modules:\n", circle.len());
        for from in circle {
            for (to, names) in imports[from].iter().filter(|(to, _)| circle.contains(to)) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                text += &format!("{} uses {}: {}\n", shown(from), shown(to), names.join(", "));
            }
        }
    }
    text
}

#[test]
fn modules_use_only_the_layers_below_them() {
    for (name, layers) in LAYERS {
        let layer = |module: &Module| {
            let prefixes = (1..=module.len()).rev().map(|length| shown(&module[..length]));
            prefixes
                .into_iter()
                .find_map(|name| layers.iter().position(|layer| layer.contains(&name.as_str())))
        };
        let imports = modules(name).imports();
        for (module, arrows) in imports.iter().filter(|(module, _)| !module.is_empty()) {
            let own = layer(module).unwrap_or_else(|| panic!("{} of {name} is in no layer", shown(module)));
            for (other, names) in arrows {
                // The module that gathers a layer's names stands for all of it.
                let is_below = other.is_empty() || layer(other).is_some_and(|other| other <= own);
                assert!(
                    is_below,
                    "{} of {name} uses {}, which is above it: {names:?}",
                    shown(module),
                    shown(other)
                );
            }
        }
    }
}

#[test]
fn no_file_and_no_function_is_longer_than_somebody_can_keep_in_mind() {
    for path in rust_files() {
        let length = numbered(&path).len();
        assert!(length <= LONGEST_FILE, "{} has {length} lines", short(&path));
    }
    for path in product() {
        let lines = numbered(&path);
        for (number, line) in &lines {
            let code = line.trim_start();
            let indent = &line[..line.len() - code.len()];
            let is_function = code.split("fn ").next().is_some_and(|before| {
                before.len() < code.len() && before.split_whitespace().all(|word| MODIFIERS.contains(&word))
            });
            let body = lines[number - 1..].iter().find(|(_, line)| line.ends_with(['{', ';', '}']));
            if !body.is_some_and(|(_, line)| line.ends_with('{')) {
                continue;
            }
            // As rustfmt has it, a function ends at the brace below its beginning.
            let end = format!("{indent}}}");
            let Some((end, _)) = lines[number - 1..].iter().find(|(_, line)| *line == end) else { continue };
            let length = end - number + 1;
            assert!(
                !is_function || length <= LONGEST_FUNCTION,
                "{}:{number}: {length} lines: {line}",
                short(&path)
            );
        }
    }
}

#[test]
fn no_match_over_verbs_events_verdicts_or_refusals_has_a_wildcard_arm() {
    // clippy holds it for the enums themselves, this for what has one in it.
    let all = ["Answer", "Call", "Checked", "Event", "NoReview", "NotDone", "Refusal", "Verdict", "Why"];
    for path in product() {
        let found = wildcard_arms(&code(&path), &all);
        assert!(found.is_empty(), "{} takes what is left in lines {found:?}", short(&path));
        let text = fs::read_to_string(&path).unwrap();
        let is_on = text.contains("not(test), warn(clippy::wildcard_enum_match_arm)");
        assert!(!is_crate_root(&path) || path.ends_with("build.rs") || is_on, "{}", short(&path));
    }
}

/// What may stand before `fn`.
const MODIFIERS: [&str; 8] =
    ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern", "\"C\""];

#[test]
fn laws_sections_and_files_that_are_named_exist() {
    let design = fs::read_to_string(top().join("docs/DESIGN.md")).unwrap();
    let folders: Vec<String> = ARROWS.iter().map(|(name, _)| format!("{name}/")).collect();
    let folders: Vec<&str> =
        folders.iter().map(String::as_str).chain(["docs/", "packaging/", "tests/"]).collect();
    for path in files().filter(|path| is_written(path) && !path.ends_with("tests/tests/house.rs")) {
        let text = fs::read_to_string(&path).unwrap();
        let name = short(&path);
        let lower = text.to_lowercase();
        for law in numbers_after(&lower, "law ").chain(numbers_after(&lower, "laws ")) {
            assert!(design.contains(&format!("\n### Law {law}: ")), "{name} names a law {law}");
        }
        for section in numbers_after(&lower, "design section ").chain(numbers_after(&lower, "design §")) {
            assert!(design.contains(&format!("\n## {section}. ")), "{name} names section {section}");
        }
        let is_of_path = |c: char| c.is_alphanumeric() || "/._-".contains(c);
        for word in text.split(|c| !is_of_path(c)).map(|word| word.trim_end_matches(['.', '-'])) {
            let is_ours = folders.iter().any(|folder| word.starts_with(folder));
            if is_ours && is_written(Path::new(word)) {
                assert!(top().join(word).is_file(), "{name} names a file that there is not: {word}");
            }
        }
    }
}

#[test]
fn no_doc_of_the_product_has_two_words_or_fewer() {
    for path in product() {
        let mut doc: Vec<String> = Vec::new();
        for (number, line) in numbered(&path) {
            let text = line.trim_start();
            if let Some(text) = text.strip_prefix("///").or_else(|| text.strip_prefix("//!")) {
                doc.extend(text.split_whitespace().map(str::to_owned));
            } else {
                // What clap prints for an argument may be short.
                let says = doc.is_empty() || doc.len() > 2 || text.starts_with("#[arg");
                assert!(says, "{}:{}: a doc that says nothing: {}", short(&path), number - 1, doc.join(" "));
                doc.clear();
            }
        }
    }
}

/// What people read: code and documents.
fn is_written(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs" || extension == "md")
}

/// The numbers that stand right behind these words.
fn numbers_after<'t>(text: &'t str, words: &'t str) -> impl Iterator<Item = &'t str> {
    text.match_indices(words).filter_map(move |(at, _)| {
        let rest = &text[at + words.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let is_a_word = !text[..at].ends_with(|c: char| c.is_alphanumeric());
        (end > 0 && is_a_word).then(|| &rest[..end])
    })
}

#[test]
fn the_module_is_made_of_these_crates_and_no_other() {
    assert_eq!(crates("pam_jit", &[]), IN_THE_MODULE.map(str::to_owned).into());
}

#[test]
fn nobody_enables_the_tokio_feature_of_zbus_or_brings_tokio() {
    // Features unify: one crate that does makes the module leak a thread and eight descriptors.
    let tree = cargo_tree(&["--workspace", "--edges", "all", "--format", "{p}|{f}", "--target", "all"]);
    assert!(tree.iter().any(|line| line.starts_with("zbus v")), "zbus is in the tree");
    for line in tree {
        // A line without them stands between two members.
        let Some((name, features)) = line.split_once('|') else { continue };
        assert!(!name.starts_with("tokio "), "{name}");
        let is_zbus = name.starts_with("zbus ");
        assert!(!(is_zbus && features.split(',').any(|feature| feature.starts_with("tokio"))), "{line}");
    }
}

#[test]
fn every_crate_is_under_both_licences() {
    let root = fs::read_to_string(top().join("Cargo.toml")).unwrap();
    assert!(root.contains("license = \"MIT OR Apache-2.0\""));
    for manifest in files().filter(|path| path.ends_with("Cargo.toml") && path.parent() != Some(&top())) {
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(text.contains("license.workspace = true"), "{}", manifest.display());
        assert!(text.contains("[lints]\nworkspace = true"), "{}", manifest.display());
    }
}

#[test]
fn unsafe_code_is_in_one_file_of_the_module_alone() {
    // This file has to name what it looks for.
    for path in rust_files().filter(|path| !path.ends_with("tests/tests/house.rs")) {
        let name = short(&path);
        for (number, line) in numbered(&path) {
            let code = line.split("//").next().unwrap_or_default();
            let is_unsafe = words(code).any(|word| word == "unsafe");
            assert!(!is_unsafe || name == "pam_jit/src/ffi.rs", "{name}:{number}: {line}");
            let allows = code.contains("allow(unsafe_code") || code.contains("expect(unsafe_code");
            assert!(!allows || name.starts_with("pam_jit/src/"), "{name}:{number}: {line}");
        }
        if is_crate_root(&path) && !name.starts_with("pam_jit/") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains("\n#![forbid(unsafe_code)]\n"), "{name} does not forbid unsafe code");
        }
    }
}

#[test]
fn the_module_reads_no_environment() {
    for path in rust_files().filter(|path| short(path).starts_with("pam_jit/src/")) {
        // PAM's own environment is not the process's, and one variable of it is read.
        let is_pams = |line: &str| line.contains("pam_getenv(") && short(&path) == "pam_jit/src/ffi.rs";
        let uses = |line: &str| {
            line.contains("env::var")
                || (line.contains("getenv") && !is_pams(line))
                || line.contains("env!(\"")
        };
        let found = code(&path).into_iter().find(|(_, line)| uses(line));
        assert_eq!(found, None, "{}", short(&path));
        let reads = code(&path).into_iter().filter(|(_, line)| line.contains(".variable(c\""));
        for (_, line) in reads {
            assert!(line.contains("c\"SSH_AUTH_INFO_0\""), "{}: {line}", short(&path));
        }
    }
}

#[test]
fn sql_is_in_the_store_alone() {
    const SQL: [&str; 8] =
        ["\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE ", "\"PRAGMA ", "\"CREATE ", "\"DROP ", "\"BEGIN"];
    for path in product().filter(|path| !short(path).starts_with("jitd/src/store/")) {
        let found = code(&path).into_iter().find(|(_, line)| SQL.iter().any(|word| line.contains(word)));
        assert_eq!(found, None, "{}", short(&path));
    }
}

#[test]
fn clocks_are_read_in_one_room() {
    // The module's deadline is a monotonic clock and never for a decision; jitctl has to know which day `today` is; the
    // kiosk's door hands a monotonic clock to what decides.
    const CLOCKS: [&str; 6] =
        ["clock_gettime(", "SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now", "libc::time("];
    const ROOMS: [&str; 4] =
        ["jitd/src/clock.rs", "jitctl/src/times.rs", "pam_jit/src/link.rs", "jit_kiosk/src/listen.rs"];
    for path in product().filter(|path| !ROOMS.contains(&short(path).as_str())) {
        let found = code(&path).into_iter().find(|(_, line)| CLOCKS.iter().any(|word| line.contains(word)));
        assert_eq!(found, None, "{}", short(&path));
    }
    let link = fs::read_to_string(top().join("pam_jit/src/link.rs")).unwrap();
    assert!(!link.contains("SystemTime::now"), "a deadline does not follow the wall clock");
}

#[test]
fn no_file_names_a_path_of_the_machine_it_was_written_on() {
    let here = top().display().to_string();
    let registry = [".cargo", "registry"].join("/");
    let toolchain = [".rustup", "toolchains"].join("/");
    for path in files() {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for private in [format!("{here}/"), registry.clone(), toolchain.clone()] {
            // A checkout in `/` or `/src` would find itself in every path.
            assert!(private.len() < 8 || !text.contains(&private), "{} names {private}", short(&path));
        }
    }
}

/// sshd that is down, a command that is missing and a usage error fail as well: a refusal is told from them by its reason.
#[test]
fn no_scenario_asserts_a_refusal_by_its_status_alone() {
    // What it may be said by stands in site.rs.
    for path in scenarios().filter(|path| !path.ends_with("site.rs")) {
        let name = short(&path);
        let code: String =
            code(&path).into_iter().map(|(_, line)| line.replace("\\u{", "u(") + "\n").collect();
        for statement in code.split_inclusive([';', '{', '}']) {
            let fails = (1..=9).any(|status| statement.contains(&format!(".exits({status})")));
            let says = [".says(", ".refuses(", "pgrep "].iter().any(|reason| statement.contains(reason));
            assert!(!fails || says, "{name}: a status and no reason:{statement}");
            let negated = statement.contains("assert!(!") && statement.contains(".is_ok()");
            assert!(!negated, "{name}: a failure and no reason:{statement}");
            // What was under way and was ended is no refusal; that is said of what was started, and not waited for at once.
            let is_cut = statement.contains(".is_cut_off()");
            assert!(!is_cut || statement.contains(".output()"), "{name}: cut off at once:{statement}");
        }
    }
}

/// Those that share a machine run side by side: a second one of a name is an account that is there already, and fails
/// one of the two in a full run alone.
#[test]
fn no_two_scenarios_in_the_common_machine_name_the_same_person() {
    let table = fs::read_to_string(top().join("tests/tests/scenarios.rs")).unwrap();
    let shared: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| line.trim().strip_prefix("shared("))
        .filter_map(|row| row.rsplit_once(", ")?.1.trim_end_matches("),").split_once("::"))
        .collect();
    assert!(shared.len() > 50, "{}", shared.len());
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for (module, function) in shared {
        let text = fs::read_to_string(top().join(format!("tests/tests/scenarios/{module}.rs"))).unwrap();
        let scenario = format!("{module}::{function}");
        for person in people_of(&text, function) {
            let before = owners.insert(person.clone(), scenario.clone());
            assert!(
                before.as_ref().is_none_or(|before| *before == scenario),
                "{person} is a person of {} and of {scenario}; give one of them people of their own",
                before.unwrap_or_default()
            );
        }
    }
    assert!(owners.len() > 80, "{}: {owners:?}", owners.len());
}

/// The accounts that a scenario makes, by itself or by a function of its file that it calls with their name.
fn people_of(text: &str, function: &str) -> BTreeSet<String> {
    let body = |function: &str| {
        let (_, rest) = text.split_once(&format!("fn {function}(")).unwrap_or_default();
        rest.split_once("\n}\n").map_or(rest, |(body, _)| body).to_owned()
    };
    let body = body(function);
    let mut found = BTreeSet::new();
    let quoted = |text: &str| text.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    // Functions of the file that make an account of the name that they are given.
    let mut makers = vec!["person".to_owned(), "person_with_role".to_owned()];
    for part in text.split("\nfn ").skip(1).chain(text.split("\npub(crate) fn ").skip(1)) {
        let (head, rest) = part.split_once('(').unwrap_or_default();
        let (arguments, rest) = rest.split_once(')').unwrap_or_default();
        let rest = rest.split_once("\n}\n").map_or(rest, |(body, _)| body);
        let named = ["name", "user"].iter().find(|name| arguments.contains(&format!("{name}: &str")));
        if named.is_some_and(|name| rest.contains(&format!("site.person({name})"))) {
            makers.push(head.to_owned());
        }
    }
    for maker in makers {
        for (_, call) in
            body.match_indices(&format!("{maker}(")).map(|(at, call)| body.split_at(at + call.len()))
        {
            let first = call.strip_prefix("site, ").unwrap_or(call);
            if first.starts_with('"') {
                found.extend(quoted(first).into_iter().take(1));
            }
        }
    }
    for (_, call) in
        body.match_indices("people_with_a_way_in(&[").map(|(at, call)| body.split_at(at + call.len()))
    {
        found.extend(quoted(call.split_once(']').unwrap().0));
    }
    for (_, list) in body.match_indices("for ").map(|(at, _)| body.split_at(at)) {
        let (head, rest) = list.split_once('{').unwrap_or_default();
        let block = rest.split_once("\n    }").map_or(rest, |(block, _)| block);
        let is_made = block.contains("site.person(") || block.contains("person_with_role(");
        if is_made && let Some((_, list)) = head.split_once(" in [") {
            found.extend(quoted(list));
        }
    }
    found.retain(|name| {
        name.len() < 20 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    });
    found
}

/// What the oracles take of the code are words, in which events speak, and none of its rules.
#[test]
fn the_witness_of_stories_and_the_reader_of_the_store_use_no_rule_of_the_code() {
    const WORDS: [&str; 12] = [
        "use jit_core::event::Event;",
        "use jit_core::event::{Event, Record};",
        "use jit_core::model::{Session, Time};",
        "use jit_core::model::{Decision, Grant, Lock, Person, Request, Review, Scope, Time};",
        "use jit_core::model::{Leader, Login, Past, Session, Time};",
        "use jit_core::policy::{SourceFile, Subject, Uses};",
        "use jit_core::policy::{SourceFile, Subject};",
        // The tree over the log is RFC 6962's, and checked against other implementations by tests of its own.
        "use jit_core::proof::merkle;",
        "use jit_core::services::Services;",
        "use jit_core::sign::revoke::What;",
        "use jit_core::time::Moment;",
        "use jit_core::time::Utc;",
    ];
    // What these types can tell by a rule.
    const RULES: [&str; 11] = [
        ".accounts(",
        ".any(|one| one.is",
        ".end(",
        ".is(",
        ".is_account(",
        ".is_trusted(",
        ".length(",
        ".remaining(",
        ".same(",
        ".since(",
        "contains(subject",
    ];
    let oracles =
        ["fuzz/src/witness.rs", "fuzz/src/page.rs", "tests/scenarios/fold.rs", "tests/scenarios/store.rs"];
    for file in oracles {
        let path = top().join("tests").join(file);
        for (number, line) in code(&path) {
            let imports = line.contains("jit_core");
            assert!(!imports || WORDS.contains(&line.as_str()), "{file}:{number}: {line}");
            let rule = RULES.iter().find(|rule| line.contains(**rule));
            assert_eq!(rule, None, "{file}:{number}: {line}");
        }
    }
}

fn scenarios() -> impl Iterator<Item = PathBuf> {
    rust_files().filter(|path| short(path).starts_with("tests/tests/scenarios/"))
}

/// Everything that is not made by a build.
fn files() -> impl Iterator<Item = PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![top()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let kind = entry.file_type().unwrap();
            if kind.is_file() {
                found.push(entry.path());
            } else if kind.is_dir() && !["target", ".git", "dist"].iter().any(|made| name == *made) {
                folders.push(entry.path());
            }
        }
    }
    assert!(found.len() > 50, "this is the workspace");
    found.into_iter()
}

fn rust_files() -> impl Iterator<Item = PathBuf> {
    files().filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
}

/// What ships: no tests and no benchmarks.
fn product() -> impl Iterator<Item = PathBuf> {
    rust_files().filter(|path| {
        let name = short(path);
        !name.starts_with("tests/")
            && !name.contains("/tests/")
            && !name.contains("/benches/")
            && !name.contains("_tests/")
            && !name.ends_with("tests.rs")
            && !name.ends_with("/testing.rs")
    })
}

/// The path inside the workspace.
fn short(path: &Path) -> String {
    path.strip_prefix(top()).unwrap_or(path).display().to_string()
}

fn numbered(path: &Path) -> Vec<(usize, String)> {
    (1..).zip(fs::read_to_string(path).unwrap().lines().map(str::to_owned)).collect()
}

/// The lines of a file before its tests, without comments.
fn code(path: &Path) -> Vec<(usize, String)> {
    let lines = numbered(path).into_iter().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Where a crate that ships begins; tests are under the workspace's lint, which denies it too.
fn is_crate_root(path: &Path) -> bool {
    let name = short(path);
    let parts: Vec<&str> = name.split('/').collect();
    matches!(parts.as_slice(), [_, "src", "lib.rs" | "main.rs"] | [_, "build.rs"])
}
