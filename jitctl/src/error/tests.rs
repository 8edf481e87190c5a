use std::io;
use std::time::Duration;

use super::{Error, Sent};
use crate::call::Call;

fn grant() -> Call {
    Call::Grant {
        user: "maria".parse().unwrap(),
        person: None,
        role: "db-oncall".parse().unwrap(),
        seconds: 0,
        reason: "INC-1".parse().unwrap(),
    }
}

fn revoke() -> Call {
    Call::Revoke { id: "g-4k7m2qx9".parse().unwrap(), reason: None }
}

fn every_error() -> Vec<(Error, u8)> {
    let limit = Duration::from_secs(10);
    vec![
        (Error::Usage("bad".into()), 2),
        (Error::NoBus { socket: "/s".into(), why: "gone".into() }, 3),
        (Error::NotRunning, 3),
        (Error::Impostor { uid: 1000 }, 3),
        (Error::Late { limit, sent: Sent::No }, 3),
        (Error::Late { limit, sent: Sent::Perhaps }, 3),
        (Error::Broken { why: "gone".into(), sent: Sent::No }, 3),
        (Error::Broken { why: "gone".into(), sent: Sent::Perhaps }, 3),
        (Error::Garbled("x".into()), 3),
        (Error::CannotDecide("the disk is full".into()), 3),
        (Error::Unconfirmed("the store failed".into()), 3),
        (Error::CarriedOut("it was carried out and is on record, but then: the disk is full".into()), 3),
        (Error::NotPermitted("not an admin".into()), 4),
        (Error::NotFound("nothing".into()), 5),
        (Error::Invalid("role".into()), 2),
        (Error::Refused("no".into()), 1),
        (Error::OnTrial("log in anew".into()), 1),
        (Error::Busy("too many".into()), 3),
        (Error::Unexpected { name: "a.B".into(), text: "c".into() }, 3),
        (Error::Output(io::ErrorKind::StorageFull.into()), 3),
    ]
}

#[test]
fn every_error_has_the_exit_code_that_the_man_page_names() {
    for (error, code) in every_error() {
        assert_eq!(error.exit_code(), code, "{error:?}");
    }
}

#[test]
fn every_error_of_a_change_says_what_became_of_it() {
    let known = ["Nothing was changed.", "The policy in force was kept."];
    let open = ["is unknown."];
    let made = ["The order was carried out."];
    for (error, _) in every_error() {
        let certain = !matches!(
            error,
            Error::Late { sent: Sent::Perhaps, .. }
                | Error::Broken { sent: Sent::Perhaps, .. }
                | Error::Garbled(_)
                | Error::Unconfirmed(_)
                | Error::Unexpected { .. }
        );
        let was_made = matches!(error, Error::CarriedOut(_) | Error::Output(_));
        for call in [grant(), revoke(), Call::LoadPolicy] {
            let text = error.message(Some(&call));
            let said = match (was_made, certain) {
                (true, _) => &made[..],
                (false, true) => &known[..],
                (false, false) => &open[..],
            };
            assert!(said.iter().any(|ending| text.contains(ending)), "{error:?}, {call:?}: {text}");
        }
    }
}

#[test]
fn an_error_of_a_question_claims_nothing_about_changes() {
    let explain = Call::Explain {
        service: "sshd".parse().unwrap(),
        user: "maria".parse().unwrap(),
        person: None,
        at: None,
        from: None,
        target: None,
    };
    for call in [Call::Status, Call::Sessions, explain] {
        for (error, _) in every_error() {
            let text = error.message(Some(&call));
            assert!(
                !text.contains("changed") && !text.contains("unknown") && !text.contains("kept"),
                "{text}"
            );
            assert!(!text.contains("The order"), "{text}");
        }
    }
}

#[test]
fn an_unknown_outcome_comes_with_the_command_that_shows_it() {
    let late = Error::Late { limit: Duration::from_secs(30), sent: Sent::Perhaps };
    let expected = "jitctl: no answer within 30 s. Whether the policy was loaded is unknown.\n\
                    hint: look with: jitctl policy show";
    assert_eq!(late.message(Some(&Call::LoadPolicy)), expected);
    assert!(late.message(Some(&grant())).ends_with("hint: look with: jitctl list"));
    assert!(late.message(Some(&revoke())).ends_with("hint: look with: jitctl show g-4k7m2qx9"));
    assert!(late.message(Some(&Call::Status)).ends_with("hint: see how it is with: systemctl status jitd"));
}

#[test]
fn an_owner_who_is_not_root_is_refused_loudly() {
    let expected = "jitctl: REFUSED: org.jitd.Jit1 on the system bus belongs to uid 1000, not to root. That is \
                    not jitd. Nothing was changed.\nhint: find out who with: busctl status org.jitd.Jit1";
    assert_eq!(Error::Impostor { uid: 1000 }.message(Some(&grant())), expected);
}

#[test]
fn what_jitd_says_stands_as_it_is_with_the_consequence_under_it() {
    let refusal = Error::NotPermitted("only an admin may do this; policy names as admins: otto".into());
    let expected = "jitctl: not permitted: only an admin may do this; policy names as admins: otto\n\
                    Nothing was changed.";
    assert_eq!(refusal.message(Some(&grant())), expected);
    let refusal = Error::CannotDecide("jitd cannot decide: there is no policy".into());
    let expected = "jitctl: jitd cannot decide: there is no policy";
    assert_eq!(refusal.message(Some(&Call::Policy)), expected);
}

#[test]
fn a_full_disk_under_stdout_says_how_to_see_the_answer() {
    let full = Error::Output(io::Error::other("No space left on device"));
    let expected = "jitctl: the answer cannot be written to standard output (No space left on device). \
                    The order was carried out.\nhint: look with: jitctl list";
    assert_eq!(full.message(Some(&grant())), expected);
    assert!(!full.message(Some(&Call::Status)).contains("hint"));
}
