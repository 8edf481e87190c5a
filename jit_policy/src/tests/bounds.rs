//! `limits`: what they mean, what contradicts, and which of two are stricter.

use std::cmp::Ordering;

use super::*;

fn of(limits: &str) -> Bounds {
    load(&with_role(&format!("{ROLE_LINES}\nlimits = {limits}"))).roles().next().unwrap().bounds
}

fn with(limits: &str) -> String {
    with_role(&format!("{ROLE_LINES}\nlimits = {limits}"))
}

#[test]
fn the_limits_of_a_role_say_what_they_say_and_what_is_left_out_is_none() {
    let all = of("{ each = 1, at-once = 3, rest = \"4h\", in-all = \"12h\" }");
    assert_eq!(
        all,
        Bounds {
            each: NonZeroU32::new(1),
            at_once: NonZeroU32::new(3),
            rest: Some(Duration::from_hours(4)),
            in_all: Some(Duration::from_hours(12)),
        }
    );
    assert_eq!(all.to_string(), "1 for each person, 3 at once, 4h of rest, 12h in all");
    assert_eq!(of("{ rest = \"1d\" }"), Bounds { rest: Some(Duration::from_hours(24)), ..Bounds::default() });
    let none = load(&with_role(ROLE_LINES)).roles().next().unwrap().bounds;
    assert!(none.is_empty() && !all.is_empty());
    assert_eq!(none.to_string(), "no limits");
}

#[test]
fn limits_that_say_nothing_or_what_cannot_be_are_refused() {
    for (limits, code) in [
        ("{}", "JIT016"),
        ("3", "JIT015"),
        ("{ each = 0 }", "JIT019"),
        ("{ at-once = -1 }", "JIT019"),
        ("{ each = \"1\" }", "JIT015"),
        ("{ rest = \"91d\" }", "JIT018"),
        ("{ rest = \"0s\" }", "JIT018"),
        ("{ in-all = \"3h59m\" }", "JIT134"),
        ("{ most = 3 }", "JIT012"),
    ] {
        assert!(codes(&with(limits)).contains(&code), "{limits}: {:?}", codes(&with(limits)));
    }
    for fine in ["{ rest = \"90d\" }", "{ in-all = \"4h\" }", "{ each = 2, at-once = 2 }"] {
        assert_eq!(codes(&with(fine)), Vec::<&str>::new(), "{fine}");
    }
    let said = findings(&with("{ in-all = \"1h\" }"))[0].render();
    assert!(said.contains("`in-all` of role `r` is 1h, and one window may be 4h by itself"), "{said}");
}

#[test]
fn a_limit_that_never_counts_is_remarked_on() {
    assert_eq!(codes(&with("{ each = 4, at-once = 3 }")), ["JIT135"]);
    let emergency = |limits: &str| {
        codes(&with(&format!("{limits}\nemergency = true\nreason = {{ pattern = '.{{8,}}' }}")))
    };
    assert_eq!(emergency("{ rest = \"4h\", at-once = 3 }"), ["JIT135", "JIT135"]);
    assert_eq!(emergency("{ each = 1 }"), Vec::<&str>::new());
}

#[test]
fn of_two_limits_the_stricter_is_the_lesser_and_of_some_neither_is() {
    let none = Bounds::default();
    for strict in ["{ each = 1 }", "{ at-once = 3 }", "{ rest = \"4h\" }", "{ in-all = \"12h\" }"] {
        assert!(of(strict) < none, "{strict}");
    }
    assert!(of("{ each = 1 }") < of("{ each = 2 }"));
    assert!(of("{ rest = \"4h\" }") < of("{ rest = \"1h\" }"));
    let (few, short) = (of("{ each = 1 }"), of("{ in-all = \"12h\" }"));
    assert_eq!((few.partial_cmp(&short), few.partial_cmp(&few)), (None, Some(Ordering::Equal)));
}

#[test]
fn limits_are_part_of_the_terms_and_a_role_beside_one_with_none_gives_nothing() {
    let digest = |text: &str| load(text).roles().next().unwrap().terms_digest();
    let mut seen = BTreeSet::from([digest(&with_role(ROLE_LINES))]);
    for limits in
        ["{ each = 1 }", "{ at-once = 1 }", "{ rest = \"5h\" }", "{ in-all = \"5h\" }", "{ in-all = \"6h\" }"]
    {
        assert!(seen.insert(digest(&with(limits))), "{limits}");
    }
    let stage = "stage = [{ approvers = { groups = [\"leads\"] } }]";
    let limited = "limits = { each = 1 }";
    let two =
        format!("{BASE}\n[role.a]\n{ROLE_LINES}\n{limited}\n{stage}\n[role.b]\n{ROLE_LINES}\n{stage}\n");
    assert_eq!(
        findings(&two).iter().map(|one| one.message.as_str()).collect::<Vec<_>>(),
        ["role `a` gives nothing that role `b` does not give as well"]
    );
}
