//! `above`: stages of long requests alone.

use super::*;

fn two(first: &str, second: &str) -> String {
    let stage = |lines: &str, group: &str| format!("{{ approvers = {{ groups = [\"{group}\"] }}{lines} }}");
    with_role(&format!("{ROLE_LINES}\nstage = [{}, {}]", stage(first, "leads"), stage(second, "secops")))
}

#[test]
fn a_stage_is_of_what_is_longer_than_it_says_and_without_a_length_of_everything() {
    let policy = load(&two("", ", above = \"2h\""));
    let [lead, security] = &policy.roles().next().unwrap().stages[..] else { panic!() };
    let hours = |n| Duration::from_hours(n);
    assert!(lead.is_of(Duration::ZERO) && lead.is_of(hours(100)));
    assert!(!security.is_of(hours(2)) && security.is_of(hours(2) + Duration::from_secs(1)));
}

#[test]
fn a_role_whose_stages_are_all_of_long_requests_is_refused() {
    assert_eq!(codes(&two("", ", above = \"2h\"")), Vec::<&str>::new());
    let all = two(", above = \"2h\"", ", above = \"1h\"");
    assert_eq!(codes(&all), ["JIT132"]);
    let said = findings(&all)[0].clone();
    assert_eq!(
        said.message,
        "every stage of role `r` has `above`: a request of up to 1h would open on nobody's word"
    );
    assert!(said.render().ends_with("= hint: leave `above` out of one stage"), "{}", said.render());
}

#[test]
fn a_stage_that_only_extensions_come_to_is_remarked_on() {
    assert_eq!(codes(&two("", ", above = \"4h\"")), ["JIT133"]);
    assert_eq!(codes(&two("", ", above = \"3h59m\"")), Vec::<&str>::new());
    assert!(codes(&two("", ", above = \"0s\"")).contains(&"JIT018"), "of no length every request is longer");
}

#[test]
fn reviewers_of_long_requests_alone_keep_nobody_from_approving_each_other() {
    let peers = two("", ", above = \"2h\"").replace("leads", "dba");
    assert_eq!(codes(&peers), ["JIT052"]);
    assert_eq!(codes(&two("", "").replace("leads", "dba")), Vec::<&str>::new());
}

#[test]
fn from_which_length_a_stage_is_asked_is_part_of_what_changes_and_of_the_terms() {
    let parse = |text: &str| Policy::parse(&[file("a.toml", text)]).unwrap().policy;
    let (was, is) = (parse(&two("", ", above = \"2h\"")), parse(&two("", ", above = \"3h\"")));
    let said: Vec<String> = diff(&was, &is).iter().map(ToString::to_string).collect();
    let accepted = "(online, signature, code)";
    assert_eq!(
        said,
        [format!(
            "~ role r: @dba: approved by 1 of @leads {accepted}, then 1 of @secops above 3h {accepted}; was 1 of @leads {accepted}, then 1 of \
             @secops above 2h {accepted}"
        )]
    );
    let digest = |policy: &Policy| policy.roles().next().unwrap().terms_digest();
    assert_ne!(digest(&was), digest(&is));
    assert_ne!(digest(&parse(&two("", ""))), digest(&is));
}
