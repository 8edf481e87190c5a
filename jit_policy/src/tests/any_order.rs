//! Several sets of people in one stage: each of them approves, in any order.

use super::*;

fn stage(lines: &str) -> String {
    with_role(&format!("{ROLE_LINES}\nstage = [{{ {lines} }}]"))
}

const BOTH: &str = "approvers = [{ groups = [\"ops\"] }, { groups = [\"admin\"] }]";

fn approvers(lines: &str) -> Approvers {
    load(&stage(lines)).roles().next().unwrap().stages[0].approvers.clone()
}

#[test]
fn a_list_of_sets_is_each_of_them_and_a_list_of_one_is_that_one() {
    let both = approvers(BOTH);
    assert_eq!((both.to_string().as_str(), both.sets().len()), ("each of @admin and @ops", 2));
    let one = approvers("approvers = [{ groups = [\"ops\"], users = [\"ana\"] }]");
    assert_eq!((one.to_string().as_str(), one.are_several()), ("ana, @ops", false));
    assert_eq!(one, approvers("approvers = { groups = [\"ops\"], users = [\"ana\"] }"));
    let numbers = |groups: &[&str]| both.with(&subject("eva", groups)).into_iter().collect::<Vec<_>>();
    assert_eq!(
        (numbers(&["admin"]), numbers(&["ops"]), numbers(&["ops", "admin"])),
        (vec![0], vec![1], vec![0, 1])
    );
    assert!(!both.contains(&subject("eva", &["dba"])));
}

#[test]
fn whoever_decides_in_place_of_the_first_counts_for_each_set() {
    let policy = load(&stage(&format!("{BOTH}, expires = \"8h\", then = {{ groups = [\"bosses\"] }}")));
    let stage = &policy.roles().next().unwrap().stages[0];
    let counts = |groups: &[&str]| stage.counts_for(&subject("eva", groups)).len();
    assert_eq!((counts(&["bosses"]), counts(&["ops"]), counts(&["dba"])), (2, 1, 0));
    assert_eq!(stage.people().count(), 3);
}

#[test]
fn sets_that_are_none_or_are_the_same_are_refused() {
    for (lines, code) in [
        ("approvers = []", "JIT016"),
        ("approvers = [{}]", "JIT016"),
        ("approvers = [{ groups = [\"ops\"] }, { groups = [\"ops\"] }]", "JIT143"),
        ("approvers = [\"ops\"]", "JIT015"),
        ("approvers = [{ groups = [\"ops\"] }, { group = [\"admin\"] }]", "JIT012"),
        ("approvers = [{ users = [\"ana\"] }, { groups = [\"admin\"] }], approvals = 2", "JIT033"),
        ("approvers = [{ users = [\"ana\", \"tom\"] }, { users = [\"tom\"] }]", "JIT034"),
    ] {
        let text = stage(lines)
            .replace("eligible = { groups = [\"dba\"] }", "eligible = { users = [\"tom\", \"maria\"] }");
        assert_eq!(codes(&text), [code], "{lines}");
    }
}

#[test]
fn that_the_sets_can_be_met_by_different_people_is_proven_by_matching() {
    let sets = |sets: &str| codes(&stage(&format!("approvers = [{sets}]")));
    // ana is in both: tom can take the one and she the other, whoever comes first.
    assert_eq!(sets("{ users = [\"ana\"] }, { users = [\"ana\", \"tom\"] }"), Vec::<&str>::new());
    assert_eq!(
        sets("{ users = [\"ana\", \"tom\"] }, { users = [\"ana\", \"tom\"], groups = [\"x\"] }"),
        Vec::<&str>::new()
    );
    let three = "{ users = [\"ana\", \"tom\"] }, { users = [\"tom\", \"ana\"], except = { users = [\"eva\"] } }, { users = [\"ana\"] }";
    assert_eq!(sets(three), ["JIT046"]);
    let people = format!(
        "{}\n[people]\nana = {{ accounts = [\"ana\", \"tom\"] }}\n",
        stage("approvers = [{ users = [\"ana\"] }, { users = [\"tom\"] }]")
    );
    assert_eq!(codes(&people), ["JIT046"], "they are one");
    // Whoever asks is left out of both.
    let asker =
        stage("approvers = [{ users = [\"ana\", \"tom\"] }, { users = [\"tom\", \"eva\"] }], approvals = 1")
            .replace("eligible = { groups = [\"dba\"] }", "eligible = { users = [\"tom\"] }");
    assert_eq!(codes(&asker), Vec::<&str>::new());
}

#[test]
fn who_may_ask_and_is_all_of_every_set_is_remarked_on() {
    assert_eq!(codes(&stage(&BOTH.replace("ops", "dba"))), Vec::<&str>::new());
    let all = stage(BOTH)
        .replace("eligible = { groups = [\"dba\"] }", "eligible = { groups = [\"ops\", \"admin\"] }");
    assert_eq!(codes(&all), ["JIT052"]);
}

#[test]
fn of_how_many_sets_a_stage_asks_is_part_of_the_terms_and_of_what_changes_and_their_order_is_not() {
    let parse = |text: &str| Policy::parse(&[file("a.toml", text)]).unwrap().policy;
    let digest = |lines: &str| parse(&stage(lines)).roles().next().unwrap().terms_digest();
    let turned = "approvers = [{ groups = [\"admin\"] }, { groups = [\"ops\"] }]";
    assert_eq!(digest(BOTH), digest(turned));
    let one = "approvers = { groups = [\"admin\", \"ops\"] }";
    assert_ne!(digest(BOTH), digest(one));
    assert_eq!(digest("approvers = [{ groups = [\"admin\", \"ops\"] }]"), digest(one));
    let accepted = "(online, signature, code)";
    let said: Vec<String> =
        diff(&parse(&stage(one)), &parse(&stage(BOTH))).iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [format!(
            "~ role r: @dba: approved by 1 of each of @admin and @ops {accepted}; was 1 of @admin, @ops {accepted}"
        )]
    );
}
