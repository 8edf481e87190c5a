//! House rules: what must stay true of the source as a whole, whoever changes it (DESIGN §3).
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
const ARROWS: [(&str, &[&str]); 6] = [
    ("jit_proto", &[]),
    ("jit_core", &["jit_proto"]),
    ("pam_jit", &["jit_proto"]),
    ("jit_host", &["jit_core", "jit_proto"]),
    ("jitd", &["jit_core", "jit_host", "jit_proto"]),
    ("jitctl", &["jit_core", "jit_host", "jit_proto"]),
];

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
        let uses =
            |line: &str| line.contains("env::var") || line.contains("getenv") || line.contains("env!(\"");
        let found = code(&path).into_iter().find(|(_, line)| uses(line));
        assert_eq!(found, None, "{}", short(&path));
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
    // The module's deadline is a monotonic clock and never for a decision; jitctl has to know which day `today` is.
    const CLOCKS: [&str; 6] =
        ["clock_gettime(", "SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now", "libc::time("];
    const ROOMS: [&str; 3] = ["jitd/src/clock.rs", "jitctl/src/times.rs", "pam_jit/src/link.rs"];
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
