//! `apart`: roles that nobody has both of.

use super::*;

fn role(name: &str, lines: &str) -> String {
    let lines = format!("{ROLE_LINES}\n{lines}").replace("\"sshd\"", &format!("\"{name}d\""));
    format!("[role.{name}]\n{lines}\nstage = [{{ approvers = {{ groups = [\"leads\"] }} }}]\n")
}

fn three(a: &str, b: &str, c: &str) -> String {
    format!("{BASE}{}{}{}", role("a", a), role("b", b), role("c", c))
}

fn apart(policy: &Policy, name: &str) -> Vec<String> {
    policy.role(&name.parse().unwrap()).unwrap().apart.iter().map(ToString::to_string).collect()
}

#[test]
fn what_one_role_says_of_another_holds_for_both_in_whichever_files_they_stand() {
    let policy = load(&three("", "apart = [\"a\", \"c\"]", ""));
    assert_eq!(
        (apart(&policy, "a"), apart(&policy, "b"), apart(&policy, "c")),
        (vec!["b".to_owned()], vec!["a".to_owned(), "c".to_owned()], vec!["b".to_owned()])
    );
    let both = load(&three("apart = [\"b\"]", "apart = [\"a\", \"c\"]", "apart = [\"b\"]"));
    assert_eq!(policy.rules, both.rules, "said twice it is the same");
    let files = [
        file("a.toml", format!("{BASE}{}", role("a", ""))),
        file("b.toml", format!("version = 1\n{}", role("b", "apart = [\"a\"]"))),
    ];
    assert_eq!(apart(&Policy::parse(&files).unwrap().policy, "a"), ["b"]);
}

#[test]
fn a_role_is_apart_from_one_that_there_is_and_not_from_itself() {
    assert_eq!(codes(&three("apart = [\"d\"]", "", "")), ["JIT136"]);
    let said = findings(&three("apart = [\"d\"]", "", ""))[0].message.clone();
    assert_eq!(said, "role `a` is apart from role `d`, which no file defines");
    let itself = three("apart = [\"a\"]", "", "");
    assert_eq!(codes(&itself), ["JIT136"]);
    let shown = findings(&itself)[0].render();
    assert!(
        shown.ends_with("= hint: to keep one person from having it twice, write limits = { each = 1 }"),
        "{shown}"
    );
    assert_eq!(codes(&three("apart = []", "", "")), ["JIT016"]);
    assert_eq!(codes(&three("apart = [\"A role\"]", "", "")), ["JIT017"]);
    // One that could not be read is there all the same.
    assert_eq!(codes(&three("apart = [\"b\"]", "uses = 0", "")), ["JIT019"]);
}

#[test]
fn what_a_role_is_apart_from_is_part_of_the_terms_of_both_and_is_said_when_it_changes() {
    let parse = |text: &str| Policy::parse(&[file("x.toml", text)]).unwrap().policy;
    let (none, one) = (parse(&three("", "", "")), parse(&three("apart = [\"b\"]", "", "")));
    let digest = |policy: &Policy, name: &str| policy.role(&name.parse().unwrap()).unwrap().terms_digest();
    for (name, changes) in [("a", true), ("b", true), ("c", false)] {
        assert_eq!(digest(&none, name) != digest(&one, name), changes, "{name}");
    }
    let said = |was: &Policy, is: &Policy| diff(was, is).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        said(&none, &one),
        ["- role a: @dba: apart from b, was no role", "- role b: @dba: apart from a, was no role"]
    );
    assert_eq!(said(&one, &none)[0], "+ role a: @dba: apart from no role, was b");
    let other = parse(&three("apart = [\"c\"]", "", ""));
    assert_eq!(said(&one, &other).last().unwrap(), "~ role a: @dba: apart from c, was b");
}
