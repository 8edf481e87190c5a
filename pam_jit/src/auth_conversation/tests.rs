//! The order of everything: what jitd is asked, what the person sees, and what they typed.

use std::ffi::CStr;

use nix::errno::Errno;
use pam::constants::PAM_SILENT;
use pam::constants::PamResultCode::PAM_IGNORE;

use jit_proto::login_request::{MAX_LINES, MAX_TOLD};

use super::*;
use crate::hooks::authenticate;
use crate::hooks::tests::script::{Said as Says, Script, never};

const REQUEST: &[&CStr] = &[c"request"];
const BY: &str = "by sshd user=maria ruser= rhost=10.1.2.3 tty=ssh uid=0";
const ID: &str = "r-4k7m2qx9";
const NO_WINDOW: &str = "jit: maria has no open window for sshd on db-1.";
const WAITS: &str = "r-4k7m2qx9 for role db-oncall waits for 1 approval from @dba-leads.";

fn says(state: State, id: &'static str, text: &'static str) -> Says {
    Box::new(move |asker| Ok(answer(asker, state, id, text)))
}

fn answer(asker: &Asker, state: State, id: &str, text: &str) -> Answer {
    Answer {
        nonce: asker.nonce.clone(),
        service: asker.service.clone(),
        user: asker.user.clone(),
        state: state.as_str().into(),
        id: id.into(),
        text: text.into(),
    }
}

fn ask() -> Says {
    says(State::Ask, "", NO_WINDOW)
}

fn waiting() -> Says {
    says(State::Waiting, ID, WAITS)
}

fn open() -> Says {
    says(State::Open, "", "")
}

fn role(name: &str) -> Role {
    Role {
        name: name.into(),
        summary: "On-call shell".into(),
        default: 3600,
        max: 4 * 3600,
        hint: "INC-1234 and what you will do".into(),
    }
}

/// maria over ssh, with what jitd says and what she types.
fn script<const S: usize, const T: usize>(says: [Says; S], typed: [&[u8]; T]) -> Script {
    let mut host = Script::sshd(never);
    host.says.extend(says);
    host.roles.push(role("db-oncall"));
    host.typed.extend(typed.map(<[u8]>::to_vec));
    host
}

/// Runs it, and returns what happened. Everything that was scripted happened.
fn play(mut host: Script) -> Vec<String> {
    assert_eq!(authenticate(&mut host, REQUEST, 0), PAM_IGNORE);
    assert!(host.says.is_empty() && host.typed.is_empty(), "left over after {:#?}", host.did);
    host.did
}

const HOW_LONG: &str = "How long, like 30m or 1h30m? (Enter is 1h, at most 4h; q leaves) ";
const WHY: &str = "Why? INC-1234 and what you will do (q leaves) ";
const AGAIN: &str = "Your request stays if you leave or time runs out: log in again later.\n\
                     Press Enter to check again, or type q to leave: ";

#[test]
fn a_person_asks_waits_and_goes_on_when_it_opens() {
    let host =
        script([ask(), waiting(), waiting(), waiting(), open()], [b"2h", b"INC-1 disk full", b"", b""]);
    assert_eq!(
        play(host),
        [
            format!("options {BY}"),
            format!("prompt {NO_WINDOW}\nYou can ask for role db-oncall: On-call shell.\n{HOW_LONG}"),
            format!("prompt {WHY}"),
            format!("file db-oncall 7200s INC-1 disk full {BY}"),
            r#"log Info asked for a role request="r-4k7m2qx9" role="db-oncall" user="maria" caller="0""#
                .into(),
            format!("enter {ID} [] {BY}"),
            format!("prompt {WAITS}\n{AGAIN}"),
            format!("enter {ID} [] {BY}"),
            format!("prompt {WAITS}\n{AGAIN}"),
            format!("enter {ID} [] {BY}"),
        ]
    );
}

#[test]
fn of_several_roles_one_is_chosen_by_number_or_name() {
    for (typed, chosen) in [(&b"2"[..], "db-root"), (b" db-root ", "db-root"), (b"1", "db-oncall")] {
        let mut host = script([ask(), open()], [typed, b"", b"INC-1 disk"]);
        host.roles.push(Role { summary: String::new(), ..role("db-root") });
        let did = play(host);
        let list = "You can ask for a role:\n  1  db-oncall: On-call shell\n  2  db-root\n\
                    Which one, by number or name? (Enter leaves) ";
        assert_eq!(did[1], format!("prompt {NO_WINDOW}\n{list}"));
        assert_eq!(did[4], format!("file {chosen} 3600s INC-1 disk {BY}"));
    }
}

#[test]
fn a_name_that_looks_like_a_number_is_that_role() {
    let mut host = script([ask(), open()], [b"1", b"", b"INC-1 disk"]);
    host.roles.push(role("1"));
    assert!(play(host)[4].starts_with("file 1 "));
}

#[test]
fn whoever_may_come_in_or_has_nothing_to_ask_for_is_not_bothered() {
    for state in [State::Open, State::Nothing] {
        assert_eq!(play(script([says(state, "", "not to be shown")], [])), [format!("options {BY}")]);
    }
}

#[test]
fn whose_request_waits_already_is_not_asked_again() {
    let host = script([waiting(), waiting(), open()], [b""]);
    assert_eq!(
        play(host),
        [
            format!("options {BY}"),
            format!("enter {ID} [] {BY}"),
            format!("prompt {WAITS}\n{AGAIN}"),
            format!("enter {ID} [] {BY}")
        ]
    );
}

#[test]
fn a_person_may_leave_at_every_prompt() {
    let left = |did: Vec<String>, last: &str| assert!(did.last().unwrap().contains(last), "{did:#?}");
    left(play(script([ask()], [b"q"])), HOW_LONG);
    left(play(script([ask()], [b"1h", b" q "])), WHY);
    left(play(script([waiting(), waiting()], [b"q"])), AGAIN);
    for leave in [&b""[..], b"q"] {
        let mut host = script([ask()], [leave]);
        host.roles.push(role("db-root"));
        left(play(host), "(Enter leaves)");
    }
}

#[test]
fn a_conversation_that_fails_asks_nothing_more() {
    assert_eq!(play(script([ask()], [])).len(), 2);
    assert_eq!(play(script([ask()], [b"1h"])).len(), 3);
    assert_eq!(play(script([waiting(), waiting()], [])).len(), 3);
}

#[test]
fn a_wrong_answer_is_explained_and_asked_again_three_times_at_most() {
    let host = script([ask(), open()], [b"90", b"5h", b"1h", b"", b" ", b"INC-1 disk"]);
    let did = play(host);
    assert_eq!(
        did[2],
        format!(
            "prompt That is no time: a number has no unit after it: d, h, m or s, like 1h30m.\n{HOW_LONG}"
        )
    );
    assert_eq!(did[3], format!("prompt Role db-oncall opens for at most 4h.\n{HOW_LONG}"));
    assert_eq!(did[5], format!("prompt That is no reason: reason is empty.\n{WHY}"));

    let did = play(script([ask()], [b"90", b"5h", b"soon"]));
    assert_eq!(did.len(), 5);
    assert!(did[4].starts_with("say That is no time: ") && did[4].ends_with("log in again to try again."));

    let mut host = script([ask()], [b"3", b"0", b"db"]);
    host.roles.push(role("db-root"));
    let did = play(host);
    assert!(did[2].starts_with("prompt There is no 3 among them: 1 to 2, or a name.\nWhich one"), "{did:#?}");
    assert!(did[4].starts_with("say There is no db among them"), "{did:#?}");
}

#[test]
fn what_jitd_refuses_is_said_and_can_be_corrected_three_times() {
    let no = || says(State::Refused, "", "role 'db-oncall' wants another reason: INC-1234");
    let did = play(script([ask(), no(), waiting(), waiting()], [b"", b"x", b"", b"INC-1 disk", b"q"]));
    assert!(
        did[4].starts_with("prompt role 'db-oncall' wants another reason: INC-1234\nYou can ask for role"),
        "{did:#?}"
    );
    let did = play(script([ask(), no(), no(), no()], [b"", b"x", b"", b"x", b"", b"x"]));
    assert!(did.last().unwrap().starts_with("say role 'db-oncall' wants another reason"), "{did:#?}");
}

#[test]
fn what_cannot_be_sent_is_never_sent_nor_shown() {
    let long = vec![b'x'; 10_000];
    let hostile: [&[u8]; 5] =
        [b"1h\x1b[2J", b"\xff\xfe", "1h\u{202e}".as_bytes(), b"1h\nrole: db-root", &long];
    for typed in hostile {
        let did = play(script([ask()], [typed, typed, typed]));
        assert!(did.len() == 5 && did[2].starts_with("prompt That "), "{did:#?}");
        let did = play(script([ask()], [b"", typed, typed, typed]));
        assert!(did.len() == 6 && did[3].starts_with("prompt That "), "{did:#?}");
        assert!(
            did.iter().all(|did| did.len() < 1024 && !did.contains('\u{1b}') && !did.contains('\u{202e}'))
        );
        let mut host = script([ask()], [typed, typed, typed]);
        host.roles.push(role("db-root"));
        assert_eq!(play(host).len(), 5);
        // Whatever is typed at a wait is a wish to know, where nothing that counts can be typed.
        assert_eq!(play(script([waiting(), waiting(), open()], [typed])).len(), 4);
        let mut host = script([waiting(), waiting()], [typed, b"q"]);
        host.told.push_back((vec!["Read this out".into()], 0));
        let did = play(host);
        assert!(did.len() == 4 && did[3].starts_with(&format!("prompt {WAITS}\nThat ")), "{did:#?}");
    }
}

#[test]
fn what_jitd_says_is_escaped() {
    let mut host = script([says(State::Ask, "", "a\u{1b}[2J\nb")], [b"q"]);
    host.roles[0].summary = "\u{1b}]0;t".into();
    let did = play(host);
    assert!(did[1].starts_with("prompt a\\u{1b}[2J\\u{a}b\n") && !did[1].contains('\u{1b}'), "{did:#?}");
    let waits = || says(State::Waiting, ID, "a\u{1b}b");
    let mut host = script([waits(), waits()], [b"q"]);
    host.told.push_back((vec!["c\u{1b}\nd".into()], 0));
    let did = play(host);
    assert!(did[2].starts_with("prompt a\\u{1b}b\nc\\u{1b}\\u{a}d\nYour"), "{did:#?}");
}

#[test]
fn an_answer_that_does_not_fit_the_question_ends_it() {
    let wrong: [fn(&Asker) -> Answer; 11] = [
        |q| Answer { nonce: vec![8; 16], ..answer(q, State::Ask, "", "") },
        |q| Answer { nonce: vec![], ..answer(q, State::Ask, "", "") },
        |q| Answer { service: "sudo".into(), ..answer(q, State::Ask, "", "") },
        |q| Answer { user: "root".into(), ..answer(q, State::Ask, "", "") },
        |q| Answer { state: "ALLOW".into(), ..answer(q, State::Ask, "", "") },
        |q| Answer { text: "x".repeat(MAX_TEXT + 1), ..answer(q, State::Ask, "", "") },
        |q| answer(q, State::Ask, ID, ""),
        |q| answer(q, State::Waiting, "", ""),
        |q| answer(q, State::Waiting, "r-1; reboot", ""),
        |q| answer(q, State::Refused, "", "a word that Options does not say"),
        |q| answer(q, State::Over, "", "nor this"),
    ];
    for wrong in wrong {
        let did = play(script([Box::new(move |asker| Ok(wrong(asker)))], []));
        assert_eq!(did.len(), 2, "{did:#?}");
        assert!(
            did[1].starts_with("log Error nothing can be asked for because=\"the answer is not believed: ")
        );
    }
    for (state, id) in [(State::Ask, ""), (State::Nothing, ""), (State::Over, "")] {
        let did = play(script([ask(), says(state, id, "")], [b"", b"INC-1 disk"]));
        assert!(did.last().unwrap().contains("is no answer to this"), "{did:#?}");
    }
    for state in [State::Ask, State::Nothing, State::Refused] {
        let did = play(script([waiting(), waiting(), says(state, "", "")], [b""]));
        assert!(did.last().unwrap().contains("is no answer to this"), "{did:#?}");
    }
}

#[test]
fn roles_that_jitd_would_not_offer_are_not_believed() {
    let wrong: [fn(&mut Vec<Role>); 7] = [
        Vec::clear,
        |roles| roles[0].name = "a b".into(),
        |roles| roles[0].summary = "x".repeat(MAX_LINE + 1),
        |roles| roles[0].hint = "x".repeat(MAX_LINE + 1),
        |roles| roles[0].default = 0,
        |roles| roles[0].default = roles[0].max + 1,
        |roles| *roles = (0..=MAX_ROLES).map(|n| role(&format!("r{n}"))).collect(),
    ];
    for wrong in wrong {
        let mut host = script([ask()], []);
        wrong(&mut host.roles);
        let did = play(host);
        assert!(did.len() == 2 && did[1].contains("the answer is not believed"), "{did:#?}");
    }
}

const TYPE: &str = "Your request stays if you leave or time runs out: log in again later.\n\
                    Press Enter to check again, type an answer, or q to leave: ";

/// What jitd says of what can be typed, in order.
fn told<const T: usize>(mut host: Script, lines: [(&[&str], u32); T]) -> Script {
    let owned = |(lines, kept): (&[&str], u32)| (lines.iter().map(|line| (*line).to_owned()).collect(), kept);
    host.told.extend(lines.map(owned));
    host
}

#[test]
fn what_an_approver_answered_goes_to_jitd_as_it_was_typed() {
    let host = script([waiting(), waiting(), waiting(), open()], [b" 0115-1z8s ", b"0115-1Z8S-4AWD-Y5"]);
    let out: &[&str] = &["Read this out", "  code  WWGY"];
    let wrong: &[&str] = &["this is no answer", "Read this out"];
    assert_eq!(
        play(told(host, [(out, 0), (wrong, 0)])),
        [
            format!("options {BY}"),
            format!("enter {ID} [] {BY}"),
            format!("prompt {WAITS}\nRead this out\n  code  WWGY\n{TYPE}"),
            r#"log Info an answer was typed request="r-4k7m2qx9" user="maria" caller="0""#.into(),
            format!("enter {ID} [\"0115-1z8s\"] {BY}"),
            format!("prompt {WAITS}\nthis is no answer\nRead this out\n{TYPE}"),
            r#"log Info an answer was typed request="r-4k7m2qx9" user="maria" caller="0""#.into(),
            format!("enter {ID} [\"0115-1Z8S-4AWD-Y5\"] {BY}"),
        ]
    );
}

#[test]
fn rows_come_again_with_the_next_while_jitd_keeps_them() {
    let says = [waiting(), waiting(), waiting(), waiting(), waiting(), waiting(), waiting()];
    let host = script(says, [b"one", b"two", b"slip", b"", b"new", b"q"]);
    let more: &[&str] = &["missing"];
    let host = told(host, [(more, 0), (more, 1), (more, 2), (more, 2), (more, 0), (more, 1)]);
    let did = play(host);
    let entered: Vec<&String> = did.iter().filter(|did| did.starts_with("enter")).collect();
    let typed = ["[]", r#"["one"]"#, r#"["one", "two"]"#, r#"["one", "two", "slip"]"#, "[]", r#"["new"]"#];
    assert_eq!(entered, typed.map(|typed| format!("enter {ID} {typed} {BY}")).iter().collect::<Vec<_>>());
}

#[test]
fn no_more_is_typed_than_an_answer_can_have() {
    let row = [b'0'; 600];
    let says = (0..5).map(|_| waiting());
    let mut host = script([], [&row[..], &row, &row, &row, b"q"]);
    host.says.extend(says);
    let more: &[&str] = &["missing"];
    let did = play(told(host, [(more, 0), (more, 1), (more, 2), (more, 3)]));
    assert_eq!(did.iter().filter(|did| did.starts_with("enter")).count(), 4, "{did:#?}");
    assert!(did.last().unwrap().contains("more than an answer has; press Enter to begin again"), "{did:#?}");

    let mut host = script([], []);
    host.says.extend((0..MAX_LINES + 2).map(|_| waiting()));
    host.typed.extend((0..=MAX_LINES).map(|_| b"row".to_vec()));
    host.typed.push_back(b"q".to_vec());
    host.told.extend((0..).take(MAX_LINES + 1).map(|kept| (vec!["missing".to_owned()], kept)));
    let did = play(host);
    assert!(did.last().unwrap().contains("more than an answer has"), "{did:#?}");
}

#[test]
fn what_jitd_would_not_say_of_an_answer_is_not_believed() {
    let wrong: [(Vec<String>, u32); 3] = [
        (vec!["x".repeat(MAX_TEXT + 1)], 0),
        (vec![String::new(); MAX_TOLD + 1], 0),
        (vec!["missing".into()], 1),
    ];
    for wrong in wrong {
        let mut host = script([waiting(), waiting()], []);
        host.told.push_back(wrong);
        let did = play(host);
        assert!(did.len() == 3 && did[2].contains("the answer is not believed"), "{did:#?}");
    }
    let did = play(script([waiting(), says(State::Waiting, "r-4k7m2qx8", WAITS)], []));
    assert!(did.len() == 3 && did[2].contains("it is about another request"), "{did:#?}");
}

#[test]
fn a_jitd_from_before_is_asked_as_it_was_and_takes_no_answer() {
    let unknown = |_: &Asker| {
        let name = "org.freedesktop.DBus.Error.UnknownMethod".to_owned();
        Err(Error::Refused { doing: "Enter".into(), name, text: String::new() })
    };
    let host = script([waiting(), Box::new(unknown), waiting(), open()], [b"0115-1Z8S-4AWD-Y5"]);
    assert_eq!(
        play(host)[1..],
        [
            format!("enter {ID} [] {BY}"),
            format!("progress {ID} {BY}"),
            format!("prompt {WAITS}\n{AGAIN}"),
            format!("progress {ID} {BY}"),
        ]
    );
}

#[test]
fn a_request_that_is_over_is_said_and_ends_it() {
    let did = play(script([waiting(), waiting(), says(State::Over, "", "r-4k7m2qx9 was denied.")], [b""]));
    assert_eq!(did.last().unwrap(), "say r-4k7m2qx9 was denied.");
}

#[test]
fn without_jitd_nothing_is_asked() {
    for error in [
        Error::Absent { private: Errno::ENOENT, bus: Some(Errno::ECONNREFUSED) },
        Error::Deadline { limit: Duration::from_secs(3), doing: "Options".into() },
        Error::Refused { doing: "Options".into(), name: "a.b.NotPermitted".into(), text: String::new() },
        Error::CannotDecide("the disk is full".into()),
    ] {
        let says = move |_: &Asker| Err(error.clone());
        let did = play(script([Box::new(says.clone())], []));
        assert!(
            did.len() == 2 && did[1].starts_with("log Error nothing can be asked for because="),
            "{did:#?}"
        );
        let did = play(script([waiting(), waiting(), Box::new(says)], [b""]));
        assert!(did[4].starts_with("log Error nothing can be asked for because="), "{did:#?}");
    }
    let mut host = script([], []);
    host.nonce = Err(Error::System { doing: "draw a nonce".into(), errno: Errno::EAGAIN });
    assert_eq!(play(host).len(), 1);
}

#[test]
fn silence_is_kept_but_for_the_prompts_of_su_and_sudo() {
    let mut host = script([], []);
    assert_eq!(authenticate(&mut host, REQUEST, PAM_SILENT), PAM_IGNORE);
    assert!(host.did.is_empty());

    for service in ["sudo", "sudo-i", "su", "su-l"] {
        let mut host = Script::caller(service, never);
        host.says.extend([waiting(), waiting(), says(State::Over, "", "denied")]);
        host.typed.push_back(Vec::new());
        assert_eq!(authenticate(&mut host, REQUEST, PAM_SILENT), PAM_IGNORE);
        assert_eq!(host.did[0], format!("options by {service} user=root ruser=maria rhost= tty= uid=1000"));
        assert!(host.did("prompt") && !host.did("say"), "{:#?}", host.did);
    }
}

#[test]
fn root_that_runs_su_or_sudo_has_nothing_to_ask_for() {
    let mut host = Script::caller("sudo", never);
    host.real_uid = 0;
    host.set(crate::outside::Item::RUser, "root");
    assert!(play(host).is_empty());
}

#[test]
fn an_item_that_cannot_be_passed_on_is_for_account_to_refuse() {
    let mut host = script([], []);
    host.set(crate::outside::Item::User, "-rf");
    assert!(play(host).is_empty());
}

#[test]
fn a_conversation_ends_after_so_many_prompts() {
    let mut host = script([], []);
    host.says.extend((0..=PROMPTS + 1).map(|_| waiting()));
    host.typed.extend((0..PROMPTS).map(|_| Vec::new()));
    let did = play(host);
    assert_eq!(did.iter().filter(|did| did.starts_with("prompt")).count(), PROMPTS);
}

#[test]
fn a_bad_argument_is_logged_and_nothing_is_asked() {
    let mut host = script([], []);
    assert_eq!(authenticate(&mut host, &[c"request", c"recovery=root"], 0), PAM_IGNORE);
    assert!(host.did.len() == 1 && host.did[0].contains("it is for account and session lines"));
}

#[test]
fn with_debug_the_log_says_how_it_ended() {
    let mut host = script([open()], []);
    authenticate(&mut host, &[c"request", c"debug"], 0);
    assert_eq!(host.did[1], r#"log Debug asking ended how="it is open""#);
}
