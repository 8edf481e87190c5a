//! How findings look to the person who has to mend the file.

use super::*;

/// Asserts how a policy is shown with one thing changed.
fn assert_shown(old: &str, new: &str, expected: &str) {
    assert!(WHOLE.contains(old), "{old}");
    assert_shown_files(&[file("10-site.toml", WHOLE.replacen(old, new, 1))], expected);
}

fn assert_shown_files(files: &[SourceFile], expected: &str) {
    let findings = match Policy::parse(files) {
        Ok(loaded) => loaded.warnings,
        Err(findings) => findings,
    };
    let shown = findings.iter().map(Finding::render).collect::<Vec<_>>().join("\n\n");
    let expected = expected.trim().replace("VERSION", env!("CARGO_PKG_VERSION"));
    assert_eq!(shown, expected, "\n{shown}");
}

#[test]
fn a_misspelt_key_is_met_with_the_right_one() {
    assert_shown(
        "eligible =",
        "elegible =",
        r#"
error JIT012: unknown key `elegible`; did you mean `eligible`?
  --> 10-site.toml:19:1
   |
19 | elegible = { users = ["maria"], groups = ["dba"] }
   | ^^^^^^^^
"#,
    );
}

#[test]
fn a_key_in_the_wrong_table_is_sent_home() {
    assert_shown(
        "uses = 3",
        "approvals = 2",
        r"
error JIT012: unknown key `approvals`
  --> 10-site.toml:22:1
   |
22 | approvals = 2
   | ^^^^^^^^^
   = hint: it belongs in a stage, under [[role.NAME.stage]]
",
    );
}

#[test]
fn a_key_of_nowhere_is_met_with_those_of_the_table() {
    assert_shown(
        "[[exempt]]",
        "priority = 1\n[[exempt]]",
        r"
error JIT012: unknown key `priority`
  --> 10-site.toml:11:1
   |
11 | priority = 1
   | ^^^^^^^^
   = hint: a set of people takes users, groups, sets, all, except
",
    );
}

#[test]
fn a_rule_of_hours_shows_its_own_example() {
    assert_shown(
        "uses = 3",
        r#"hours = [{ days = "mon-fri", from = 7, tz = "UTC" }]"#,
        r#"
error JIT015: `from`: expected a string, found a whole number
  --> 10-site.toml:22:37
   |
22 | hours = [{ days = "mon-fri", from = 7, tz = "UTC" }]
   |                                     ^
   = hint: write it like from = "07:00"
"#,
    );
}

#[test]
fn a_range_with_bits_to_spare_is_met_with_the_range_that_was_meant() {
    assert_shown(
        "uses = 3",
        r#"from = ["10.1.2.3/16"]"#,
        r#"
error JIT022: `from`: the address has bits behind its prefix; did you mean 10.1.0.0/16?
  --> 10-site.toml:22:9
   |
22 | from = ["10.1.2.3/16"]
   |         ^^^^^^^^^^^^^
"#,
    );
}

#[test]
fn a_pattern_that_asks_for_nothing_is_shown_what_would_fit_it() {
    assert_shown(
        "uses = 3",
        "reason = { pattern = '.' }",
        r#"
error JIT040: a reason of ` ` would fit this pattern
  --> 10-site.toml:22:22
   |
22 | reason = { pattern = '.' }
   |                      ^^^
   = hint: ask for more of it, as in pattern = ".{8,}"; ^ and $ stand for the ends
"#,
    );
}

#[test]
fn a_missing_key_is_shown_by_example() {
    assert_shown(
        r#"hosts = ["db-*", "backup"]"#,
        "",
        r#"
error JIT014: `hosts` is missing: role `db-oncall` needs it
  --> 10-site.toml:15:1
   |
15 | [role.db-oncall]
   | ^^^^^^^^^^^^^^^^
   = hint: write it like hosts = ["db-*"]
"#,
    );
}

#[test]
fn a_wrong_type_is_named_beside_the_right_one() {
    assert_shown(
        r#"["sshd", "sudo"]"#,
        r#""sshd""#,
        r#"
error JIT015: `services`: expected a list of strings, found a string
  --> 10-site.toml:18:12
   |
18 | services = "sshd"
   |            ^^^^^^
   = hint: write it like services = ["sshd", "sudo"]
"#,
    );
}

#[test]
fn a_group_among_users_is_sent_to_groups() {
    assert_shown(
        r#""maria""#,
        r#""@dba""#,
        r#"
error JIT017: `users`: user name has '@' at byte 0; allowed are visible characters but : , / * ?, with no space at either end, and no - + @ in front
  --> 10-site.toml:19:23
   |
19 | eligible = { users = ["@dba"], groups = ["dba"] }
   |                       ^^^^^^
   = hint: a group goes into `groups`, without a sign before its name
"#,
    );
}

#[test]
fn an_escape_in_a_name_is_refused_and_not_carried_out() {
    assert_shown(
        r#""maria""#,
        r#""mar\u001bia""#,
        r#"
error JIT017: `users`: user name has the character U+001B at byte 3; allowed are visible characters but : , / * ?, with no space at either end, and no - + @ in front
  --> 10-site.toml:19:23
   |
19 | eligible = { users = ["mar\u001bia"], groups = ["dba"] }
   |                       ^^^^^^^^^^^^^
"#,
    );
}

#[test]
fn a_duration_in_words_is_refused() {
    assert_shown(
        r#""4h""#,
        r#""4 hours""#,
        r#"
error JIT018: `max-duration`: a duration has ' '; it takes whole numbers of d, h, m and s, like 1h30m
  --> 10-site.toml:20:16
   |
20 | max-duration = "4 hours"
   |                ^^^^^^^^^
"#,
    );
}

#[test]
fn a_default_over_the_most_is_shown_with_both() {
    assert_shown(
        r#""4h""#,
        r#""10m""#,
        r#"
error JIT030: `default-duration` of role `db-oncall` (30m) is longer than its `max-duration` (10m)
  --> 10-site.toml:21:20
   |
21 | default-duration = "30m"
   |                    ^^^^^
"#,
    );
}

#[test]
fn a_count_of_zero_is_refused() {
    assert_shown(
        "approvals = 2",
        "approvals = 0",
        r"
error JIT019: `approvals` must be from 1 to 4294967295
  --> 10-site.toml:27:13
   |
27 | approvals = 0
   |             ^
",
    );
}

#[test]
fn a_name_listed_twice_is_a_warning() {
    assert_shown(
        r#""ana", "tom""#,
        r#""ana", "tom", "ana""#,
        r#"
warning JIT021: `ana` is listed twice
  --> 10-site.toml:26:38
   |
26 | approvers = { users = ["ana", "tom", "ana"], groups = ["dba-leads"] }
   |                                      ^^^^^
"#,
    );
}

#[test]
fn who_could_never_be_approved_is_told_why() {
    assert_shown(
        r#"["ana", "tom"], groups = ["dba-leads"]"#,
        r#"["maria", "tom"]"#,
        r#"
error JIT034: maria could never get this role: nobody approves their own request, and of maria, tom that leaves 1 where 2 must approve
  --> 10-site.toml:26:13
   |
26 | approvers = { users = ["maria", "tom"] }
   |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   = hint: name one more approver, or a group
"#,
    );
}

#[test]
fn too_few_approvers_are_counted_and_named() {
    assert_shown(
        r#"["ana", "tom"], groups = ["dba-leads"]"#,
        r#"["tom"]"#,
        r#"
error JIT033: nobody could ever get this role: 2 approvals are needed, and 1 person may approve (tom)
  --> 10-site.toml:26:13
   |
26 | approvers = { users = ["tom"] }
   |             ^^^^^^^^^^^^^^^^^^^
"#,
    );
}

#[test]
fn a_version_of_tomorrow_is_not_guessed_at() {
    assert_shown(
        "version = 1",
        "version = 3",
        r"
error JIT011: jitd VERSION reads version 1 and knows nothing of version 3
 --> 10-site.toml:2:11
  |
2 | version = 3
  |           ^
",
    );
}

#[test]
fn a_policy_without_a_console_says_what_to_add() {
    assert_shown(
        r#"services = ["login"]"#,
        r#"services = ["cron"]"#,
        r#"
error JIT036: no [[exempt]] has the service `login`: a mistake in a rule could lock everybody out
 --> 10-site.toml:1:1
  = hint: add [[exempt]] with users = ["root"] and services = ["login"]
"#,
    );
}

#[test]
fn an_open_quote_is_found_at_the_end_of_its_line() {
    assert_shown(
        r#""On-call""#,
        r#""On-call"#,
        r#"
error JIT007: this is not TOML: invalid basic string, expected `"`
  --> 10-site.toml:16:19
   |
16 | summary = "On-call
   |                   ^
"#,
    );
}

#[test]
fn a_character_that_reorders_the_line_is_made_visible() {
    assert_shown(
        r#""On-call""#,
        "\"\u{202e}On-call\"",
        r#"
error JIT006: the file has the character U+202E, which cannot be seen
  --> 10-site.toml:16:12
   |
16 | summary = "�On-call"
   |            ^
   = hint: remove it; what a reader sees is not what the file says
"#,
    );
}

#[test]
fn a_single_bracket_round_a_stage_is_met_with_two() {
    assert_shown(
        "[[role.db-oncall.stage]]",
        "[role.db-oncall.stage]",
        r"
error JIT015: `stage`: expected a list of tables, found a table
  --> 10-site.toml:24:1
   |
24 | [role.db-oncall.stage]
   | ^^^^^^^^^^^^^^^^^^^^^^
   = hint: write it like [[role.NAME.stage]]
",
    );
}

#[test]
fn a_long_line_is_cut_round_the_place() {
    assert_shown(
        r#"groups = ["dba"]"#,
        r#"groups = ["aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "-c", "dddddddddddddddddddddddddddd", "eeeeeeeeeeeeeeeeeeeeeeeeeeee"]"#,
        r#"
error JIT017: `groups`: group name has '-' at byte 0; allowed are visible characters but : , / * ?, with no space at either end, and no - + @ in front
  --> 10-site.toml:19:108
   |
19 | …aaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "-c", "dddddddddddddddddddddddddddd", "eeeeeeeeeeeeeeeeeeeeeeeeeeee"] }
   |                                         ^^^^
"#,
    );
}

#[test]
fn a_role_in_two_files_is_shown_with_both_places() {
    assert_shown_files(
        &[file("10-site.toml", WHOLE), file("20-db.toml", "version = 1\n[role.db-oncall]\n")],
        r"
error JIT031: role `db-oncall` is already defined at 10-site.toml:15:7
 --> 20-db.toml:2:7
  |
2 | [role.db-oncall]
  |       ^^^^^^^^^
",
    );
}

#[test]
fn a_byte_that_is_not_utf_8_is_shown_with_the_text_before_it() {
    assert_shown_files(
        &[file("10-site.toml", b"version = 1\n# caf\xe9\n")],
        r"
error JIT005: the file is not UTF-8: the byte 0xE9 at offset 17
 --> 10-site.toml:2:6
  |
2 | # caf
  |      ^
  = hint: save it as UTF-8; iconv(1) converts
",
    );
}

#[test]
fn no_files_at_all_are_said_to_be_none() {
    assert_shown_files(
        &[],
        r"
error JIT001: there are no policy files, so nobody could do anything
 --> policy.d:1:1
  = hint: put a *.toml file into /etc/jit/policy.d
",
    );
}

#[test]
fn a_change_that_nobody_can_approve_says_who_may_and_how_many_must() {
    assert_shown(
        "[auditors]",
        "[policy-change]\napprovers = { users = [\"ana\"] }\napprovals = 2\noverride = false\n[auditors]",
        r"
error JIT048: no change of the policy could ever be approved: that takes 2, and ana may
 --> 10-site.toml:8:1
  |
8 | [policy-change]
  | ^^^^^^^^^^^^^^^
  = hint: name more approvers, or a group

warning JIT055: without `override`, a mistake in the policy takes its approvers to mend, and if they cannot be reached, nobody can
 --> 10-site.toml:8:1
  |
8 | [policy-change]
  | ^^^^^^^^^^^^^^^
",
    );
}
