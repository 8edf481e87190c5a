use std::collections::VecDeque;

use jit_proto::manager::Revoked;

use super::*;
use crate::testing::{Script, active, emergency, pending, role, status, waiting};

/// Says these things, and has gone after that.
struct Visitor(VecDeque<Heard>);

impl Person for Visitor {
    fn hear(&mut self) -> Heard {
        self.0.pop_front().unwrap_or(Heard::Gone)
    }
}

/// All that the kiosk showed to somebody who said this. They must have been asked for all of it.
fn visit_hearing(jitd: &dyn Jitd, heard: Vec<Heard>) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut visitor = Visitor(heard.into());
    let mut screen = Screen::new(&mut out, &mut err, true);
    serve(jitd, Some(1000), &mut visitor, &mut screen).unwrap();
    assert_eq!(visitor.0, [], "{}", String::from_utf8_lossy(&out));
    assert_eq!(err, b"", "all of it is for the person in front");
    String::from_utf8(out).unwrap()
}

fn visit(jitd: &dyn Jitd, lines: &[&str]) -> String {
    visit_hearing(jitd, lines.iter().map(|line| Heard::Line((*line).to_owned())).collect())
}

/// What the menu asks jitd for each time it is shown.
fn menu() -> Script {
    menu_with(&[role()])
}

fn menu_with(roles: &[Role]) -> Script {
    Script::answers(Call::Status, &Status { to_review: 2, ..status() })
        .then(Script::answers(Call::Roles { user: None }, &roles))
}

fn request() -> Call {
    Call::Request {
        role: "db-oncall".parse().unwrap(),
        seconds: 1800,
        start: None,
        reason: "INC-1234 failover of db-07".parse().unwrap(),
    }
}

fn show(entry: &Entry) -> Call {
    Call::Show { id: Id::Request(entry.request.parse().unwrap()) }
}

#[track_caller]
fn has(seen: &str, texts: &[&str]) {
    for text in texts {
        assert!(seen.contains(text), "no {text:?} in:\n{seen}");
    }
}

#[test]
fn the_menu_counts_what_is_open_and_what_waits_and_leaves_on_a_word() {
    let seen = visit(&menu(), &["5"]);
    has(&seen, &["Just-in-time access to db-07\n", "3  my requests and windows (1 open)", "review (2)"]);
    assert!(!seen.contains("emergency"), "there is no emergency role:\n{seen}");
}

#[test]
fn a_person_asks_and_looks_again_until_the_window_is_open() {
    let jitd = menu()
        .then(Script::answers(request(), &pending()))
        .then(Script::answers(show(&pending()), &pending()))
        .then(Script::answers(show(&pending()), &active()))
        .then(menu());
    let seen = visit(&jitd, &["1", "1", "30m", "INC-1234 failover of db-07", "", "", "5"]);
    has(
        &seen,
        &[
            "For how long, up to 4h (Enter: 30m): ",
            "Why, in one line (a ticket, like INC-1234): ",
            "it waits for 2 approvals from @security",
            "Press Enter to check again, or q for the menu: ",
            "until 2026-11-23 08:51:00Z, 29m 50s left",
        ],
    );
}

#[test]
fn what_waits_is_read_out_and_approved_by_the_codes_of_two_people() {
    let entry = pending();
    let id: RequestId = entry.request.parse().unwrap();
    let told = Spoken {
        request: entry.request.clone(),
        host: "db-07".into(),
        host_key: "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".into(),
        user: "maria".into(),
        role: "press".into(),
        seconds: 3600,
        start: "at-approval".into(),
        code: "WWGY-KXBZ-B9WQ".into(),
        reason: "INC-1234".into(),
        tries: 5,
        refused: None,
    };
    let enter = || Call::EnterCode { id, code: "01151Z8S4AWDY5".into() };
    let jitd = menu()
        .then(Script::answers(Call::List { all: false }, std::slice::from_ref(&entry)))
        .then(Script::answers(Call::Code { id }, &told))
        .then(Script::answers(enter(), &entry))
        .then(Script::answers(Call::Code { id }, &told))
        .then(Script::answers(enter(), &active()))
        .then(menu());
    let answer = "0115-1Z8S-4AWD-Y5";
    let seen = visit(&jitd, &["3", "1", "c", "1015-1Z8S-4AWD-Y5", answer, answer, "5"]);
    has(&seen, &["WWGY  Whiskey Whiskey Golf Yankee", "No try was counted", "29m 50s left"]);
}

#[test]
fn a_wrong_answer_is_explained_and_asked_for_again() {
    let jitd = menu().then(Script::answers(request(), &pending())).then(menu());
    let lines = ["1", "9", "db-oncall", "5h", "soon", "30m", "", "INC-1234 failover of db-07", "q", "5"];
    let seen = visit(&jitd, &lines);
    has(&seen, &["type a number from 1 to 1.\n", "That is longer than 4h.\n", ": reason is empty.\n"]);
}

#[test]
fn no_word_is_a_command_but_those_that_are_shown() {
    for word in ["!sh", "sh", "2", "0", "99999999999999999999", "$(id)", "jitctl lock host", ":q", "\u{1b}[A"]
    {
        let seen = visit(&menu().then(menu()), &[word, "5"]);
        has(&seen, &["Please type one of the numbers of the menu.\n"]);
    }
}

#[test]
fn ctrl_c_goes_back_to_the_menu_from_everywhere_and_asks_nothing() {
    let jitd = menu().then(menu()).then(menu());
    let line = |text: &str| Heard::Line(text.to_owned());
    let heard = [line("1"), line("1"), line("30m"), Heard::Interrupted, Heard::Interrupted, line("5")];
    let seen = visit_hearing(&jitd, heard.into());
    assert_eq!(seen.matches("Choose: ").count(), 3, "{seen}");
}

#[test]
fn silence_and_the_end_of_the_line_leave() {
    let seen = visit_hearing(&menu(), vec![Heard::Silence]);
    has(&seen, &["Nothing was typed for 10 minutes. Goodbye.\n"]);
    visit_hearing(&menu(), vec![Heard::Gone]);
    visit_hearing(&menu(), vec![Heard::Line("1".into()), Heard::Line("1".into()), Heard::Gone]);
}

#[test]
fn a_line_that_is_none_is_asked_for_again() {
    let heard = vec![Heard::Unusable("the line is too long"), Heard::Line("5".into())];
    has(&visit_hearing(&menu(), heard), &["That cannot be used: the line is too long.\nChoose: "]);
}

#[test]
fn an_emergency_is_offered_where_there_is_a_role_for_it_and_says_what_it_owes() {
    let urgent = Role { role: "break-glass".into(), emergency: true, reason: None, ..role() };
    let call = Call::Request {
        role: "break-glass".parse().unwrap(),
        seconds: 0,
        start: None,
        reason: "db-07 is down".parse().unwrap(),
    };
    let roles = [role(), urgent];
    let jitd = menu_with(&roles).then(Script::answers(call, &emergency())).then(menu_with(&roles));
    let seen = visit(&jitd, &["2", "break-glass", "", "db-07 is down", "5"]);
    has(&seen, &["2  ask in an emergency\n", "has to be reviewed afterwards", "maria has break-glass"]);
}

#[test]
fn a_reviewer_sees_all_of_it_and_what_they_approve_is_what_they_saw() {
    let review = Call::Review {
        id: "r-7hq2m9xk".parse().unwrap(),
        digest: waiting().digest,
        decision: Decision::Approve,
        narrow: Narrow { seconds: 600, ..Narrow::default() },
        note: None,
    };
    let jitd = menu()
        .then(Script::answers(Call::Pending, &[waiting()]))
        .then(Script::answers(review, &Entry { state: "active".into(), ..waiting() }))
        .then(menu());
    let seen = visit(&jitd, &["4", "1", "a", "31m", "10m", "", "5"]);
    has(&seen, &["r-7hq2m9xk - db-oncall for tom\n", "Digest: ", "longer than 30m", "Approved. "]);
}

#[test]
fn a_reviewer_denies_and_may_say_why() {
    let review = Call::Review {
        id: "r-7hq2m9xk".parse().unwrap(),
        digest: waiting().digest,
        decision: Decision::Deny,
        narrow: Narrow::default(),
        note: Some("not on a Friday".parse().unwrap()),
    };
    let denied = Entry { state: "ended".into(), ended: Some("denied".into()), ..waiting() };
    let jitd = menu()
        .then(Script::answers(Call::Pending, &[waiting()]))
        .then(Script::answers(review, &denied))
        .then(menu());
    has(&visit(&jitd, &["4", "r-7hq2m9xk", "d", "not on a Friday", "5"]), &["Denied. "]);
}

#[test]
fn a_reviewer_who_goes_back_has_said_nothing() {
    let jitd = menu().then(Script::answers(Call::Pending, &[waiting()])).then(menu());
    visit(&jitd, &["4", "1", "", "5"]);
}

#[test]
fn ones_own_are_withdrawn_given_back_and_extended_and_others_are_not_shown() {
    let (id, grant) = ("r-4k7m2qx9".parse().unwrap(), "g-4k7m2qx9".parse().unwrap());
    let list = |entry: Entry| Script::answers(Call::List { all: false }, &[waiting(), entry]);
    let gone = |id: &str, why: &str| Revoked {
        id: id.into(),
        state: "ended".into(),
        ended: why.into(),
        changed: true,
    };
    let withdrawn = Script::answers(Call::Withdraw { id, reason: None }, &gone("r-4k7m2qx9", "withdrawn"));
    let done = Call::Done { id: Id::Grant(grant), reason: None };
    let done = Script::answers(done, &gone("g-4k7m2qx9", "done"));
    let more =
        Call::Extend { id: Id::Grant(grant), seconds: 900, reason: "INC-1234 not yet".parse().unwrap() };
    let more = Script::answers(more, &pending());
    let jitd = (menu().then(list(pending())).then(withdrawn))
        .then(menu().then(list(active())).then(done))
        .then(menu().then(list(active())).then(more))
        .then(menu());
    let lines = ["3", "1", "w", "3", "1", "d", "3", "1", "e", "15m", "INC-1234 not yet", "q", "5"];
    let seen = visit(&jitd, &lines);
    has(&seen, &["r-4k7m2qx9 has ended (withdrawn).\n", "g-4k7m2qx9 has ended (done).\n"]);
    assert!(!seen.contains("r-7hq2m9xk"), "somebody else's:\n{seen}");
}

#[test]
fn what_jitd_refuses_is_told_and_the_menu_is_there_again() {
    let refused = Error::Refused("at most 4h".into());
    let jitd = menu().then(Script::fails(request(), refused)).then(menu());
    let seen = visit(&jitd, &["1", "1", "30m", "INC-1234 failover of db-07", "5"]);
    has(&seen, &["refused: at most 4h", "Nothing was changed"]);
}

#[test]
fn a_jitd_that_does_not_answer_is_asked_again_when_the_person_wants_to() {
    let jitd =
        Script::fails(Call::Status, Error::NotRunning).then(Script::fails(Call::Status, Error::NotRunning));
    let seen = visit(&jitd, &["", "q"]);
    assert_eq!(seen.matches("jitd is not running").count(), 2, "{seen}");
}

#[test]
fn what_somebody_typed_cannot_draw_on_the_reviewers_terminal() {
    let nasty = Entry { reason: "x\u{1b}[2J\n  1  approve".into(), ..waiting() };
    let jitd = menu().then(Script::answers(Call::Pending, &[nasty])).then(menu());
    let seen = visit(&jitd, &["4", "1", "", "5"]);
    assert!(!seen.contains('\u{1b}') && !seen.contains("\n  1  approve"), "{seen}");
}

#[test]
fn whoever_comes_by_an_account_that_people_share_is_told_why_they_cannot_ask_and_what_to_have_typed() {
    let why = "several people share support, and nothing says which of them you are; log in to it by ssh with a key that policy \
               lists for you, or have an admin run: jitctl grant support --person NAME --role ROLE --reason WHY";
    let refused = || {
        Script::answers(Call::Status, &status())
            .then(Script::fails(Call::Roles { user: None }, Error::Refused(why.into())))
    };
    let seen = visit(&refused().then(refused()), &["1", "5"]);
    has(&seen, &[why, "nobody asks at the kiosk for an account that people share"]);
    assert_eq!(seen.matches(why).count(), 2, "{seen}");
    assert!(!seen.contains("There is no role on this host"), "{seen}");
}
