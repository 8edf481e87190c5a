//! What holds for every policy, good, bad or hostile.

use jit_proto::text::is_unprintable;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use toml::de::DeTable;

use super::*;
use std::collections::BTreeMap;

/// Whatever the bytes, a finding can be shown: one line, nothing that a terminal acts on, marks under the line.
fn check(files: &[SourceFile]) -> Result<(), TestCaseError> {
    let findings = match Policy::parse(files) {
        Ok(loaded) => {
            prop_assert!(loaded.warnings.iter().all(|finding| finding.severity == Severity::Warning));
            prop_assert_eq!(loaded.policy.roles().count(), roles_in(files), "a role was passed over");
            loaded.warnings
        }
        Err(findings) => {
            prop_assert!(findings.iter().any(|finding| finding.severity == Severity::Error));
            findings
        }
    };
    for finding in findings {
        prop_assert!(!finding.to_string().chars().any(is_unprintable), "{finding}");
        prop_assert!(
            !finding.render().chars().any(|c| c != '\n' && is_unprintable(c)),
            "{}",
            finding.render()
        );
        prop_assert!(finding.line >= 1 && finding.column >= 1);
        prop_assert!(finding.excerpt.chars().count() <= 121);
        if !finding.excerpt.is_empty() {
            let length = finding.excerpt.chars().count();
            prop_assert!(!finding.underline.is_empty() && finding.underline.end <= length + 1, "{finding:?}");
        }
    }
    Ok(())
}

/// How many roles the tables of good files define.
fn roles_in(files: &[SourceFile]) -> usize {
    let roles = |file: &SourceFile| {
        let tree = DeTable::parse(str::from_utf8(&file.bytes).unwrap()).unwrap();
        tree.get_ref().get("role").map_or(0, |roles| roles.get_ref().as_table().unwrap().len())
    };
    files.iter().map(roles).sum()
}

/// Pieces of the language and of TOML, for texts that get further than random bytes.
const PIECES: &[&str] = &[
    "version",
    " = ",
    "1",
    "\n",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    ".",
    "\"",
    "'",
    "\"\"\"",
    "#",
    "role",
    "role.x",
    "x",
    "stage",
    "exempt",
    "admins",
    "auditors",
    "users",
    "groups",
    "services",
    "hosts",
    "eligible",
    "approvers",
    "approvals",
    "profile",
    "profile.x",
    "set",
    "sets",
    "\"x\"",
    "[\"x\"]",
    "max-duration",
    "uses",
    "\"1h\"",
    "\"unlimited\"",
    "[\"sshd\"]",
    "[\"*\"]",
    "{ users = [\"a\"] }",
    "true",
    "1.5",
    "-1",
    "0x",
    "1979-05-27",
    "\\u001b",
    "\u{202e}",
    "é",
    "\t",
    "\r\n",
    "hours",
    "people",
    "accounts",
    "from",
    "tz",
    "reason",
    "pattern",
    "mode",
    "policy-change",
    "retain",
    "until",
    "limits",
    "apart",
    "unreviewed",
    "up-to",
    "each-week",
    "each",
    "rest",
    "above",
    "hosts-except",
    "all",
    "except",
    "team.t",
    "members",
    "leads",
    "\"3y\"",
    "override",
    "observe",
    "asker",
    "account",
    "service",
    "ends",
    "\"process\"",
    "\"10.0.0.0/8\"",
    "\"(a+)+\"",
    "\"@g\"",
];

/// A change of some bytes: `None` removes, `Some` puts in.
fn mutation() -> impl Strategy<Value = (Index, usize, Vec<u8>)> {
    let text = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..4),
        proptest::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
    ];
    (any::<Index>(), 0..12_usize, text)
}

/// A role as one table of TOML; names and numbers from the choices given.
fn role() -> impl Strategy<Value = String> {
    (
        subsequence(&["\"db-*\"", "\"WEB-?\"", "\"x\""], 1..=3).prop_shuffle(),
        subsequence(&["\"sshd\"", "\"sudo\"", "\"su\"", "\"login\""], 1..=4).prop_shuffle(),
        subsequence(&["\"dba\"", "\"staff\"", "\"ops\""], 1..=3).prop_shuffle(),
        subsequence(&["uses = 2\n", "summary = \"s\"\n", "default-duration = \"30m\"\n"], 0..=3).prop_shuffle(),
        1..9_u32,
    )
        .prop_map(|(hosts, services, groups, others, hours)| {
            format!(
                "hosts = [{}]\nservices = [{}]\neligible = {{ groups = [{}] }}\nmax-duration = \"{hours}h\"\n{}\
                 stage = [{{ approvers = {{ groups = [{}] }} }}]\n",
                hosts.join(", "),
                services.join(", "),
                groups.join(", "),
                others.concat(),
                groups.join(", "),
            )
        })
}

/// Tables of a policy that loads, each a text of its own; all but the first two are roles.
fn tables() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(role(), 0..6).prop_map(|roles| {
        let mut tables = vec![
            "[admins]\nusers = [\"root\"]\n".to_owned(),
            "[[exempt]]\nusers = [\"root\"]\nservices = [\"login\"]\n".to_owned(),
            "[[exempt]]\ngroups = [\"backup\"]\nservices = [\"sshd\"]\n".to_owned(),
            "[auditors]\ngroups = [\"audit\"]\n".to_owned(),
        ];
        tables.extend(roles.iter().enumerate().map(|(n, lines)| format!("[role.r{n}]\n{lines}")));
        tables
    })
}

/// The tables spread over files as the numbers say.
fn files(tables: &[String], places: &[usize]) -> Vec<SourceFile> {
    let mut files: BTreeMap<usize, String> = BTreeMap::new();
    for (table, place) in tables.iter().zip(places) {
        *files.entry(*place).or_insert_with(|| "version = 1\n".to_owned()) += table;
    }
    files.iter().map(|(n, text)| file(&format!("{n}.toml"), text)).collect()
}

/// Files good and bad, some of the same name.
fn some_files() -> impl Strategy<Value = Vec<SourceFile>> {
    let texts = [WHOLE, RICH, BASE, "version = 1", "version = 1\n[role.x]", "version = 2", "[", "\0"];
    let one = (0..5_usize, proptest::sample::select(texts.to_vec()));
    proptest::collection::vec(one.prop_map(|(n, text)| file(&format!("{n}.toml"), text)), 0..6)
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, more in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        check(&[file("a.toml", bytes), file("b\u{1b}.toml", more)])?;
    }

    #[test]
    fn no_text_made_of_pieces_of_the_language_makes_the_reader_panic(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..60),
    ) {
        check(&[file("a.toml", pieces.concat())])?;
        check(&[file("a.toml", format!("{BASE}\n{}", pieces.concat()))])?;
    }

    #[test]
    fn no_change_of_a_good_policy_makes_the_reader_panic(
        whole in proptest::sample::select(vec![WHOLE, RICH]),
        changes in proptest::collection::vec(mutation(), 1..6),
    ) {
        let mut bytes = whole.as_bytes().to_vec();
        for (at, removed, put) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, put);
        }
        check(&[file("a.toml", bytes)])?;
    }

    #[test]
    fn the_order_in_which_files_come_changes_nothing((files, shuffled) in some_files().prop_flat_map(|files| {
        (Just(files.clone()), Just(files).prop_shuffle())
    })) {
        prop_assert_eq!(Policy::parse(&files), Policy::parse(&shuffled));
    }

    #[test]
    fn how_tables_are_ordered_and_spread_over_files_changes_no_rule(
        (tables, shuffled, places) in tables().prop_flat_map(|tables| {
            let count = tables.len();
            (Just(tables.clone()), Just(tables).prop_shuffle(), proptest::collection::vec(0..3_usize, count))
        }),
    ) {
        let one = Policy::parse(&files(&tables, &vec![0; tables.len()])).unwrap().policy;
        let spread = Policy::parse(&files(&shuffled, &places)).unwrap().policy;
        prop_assert_eq!(&one.rules, &spread.rules);
        for role in one.roles() {
            prop_assert_eq!(role.terms_digest(), spread.role(&role.name).unwrap().terms_digest());
        }
    }
}
