//! What each hook asks, answers, logs and says.

#![allow(clippy::unnecessary_wraps, reason = "the doubles of jitd are of one type")]

mod recovery;
pub(crate) mod script;

use jit_proto::gate::{Answer, FLAG_CLAIM, MAX_AUTH_INFO, MAX_TEXT, NONCE_LEN};
use nix::errno::Errno;
use pam::constants::PamResultCode::*;

use super::*;
use crate::outside::Item;
use script::*;

/// States in which jitd is known to be absent or unable; and those that a user could provoke.
const SOFT: [Jitd; 3] = [absent, not_started, cannot_decide];
const HARD: [Jitd; 6] = [deadline, no_descriptors, closed, refused, unbelievable, not_enclosed];

const RECOVERY: &[&CStr] = &[c"recovery=root,maria"];

#[test]
fn a_window_is_success_logged_and_silent() {
    let mut host = Script::sshd(allow);
    assert_eq!(host.account(&[]), PAM_SUCCESS);
    assert_eq!(
        host.did,
        [
            "ask account sshd user=maria ruser= rhost=10.1.2.3 tty=ssh uid=0 flags=0 both 3s",
            r#"log Info allowed grant="g-4k7m2qx9" remaining="3600s" user="maria" caller="0" rhost="10.1.2.3" tty="ssh""#,
        ]
    );
}

#[test]
fn a_denial_is_logged_and_tells_the_person_what_to_do() {
    let mut host = Script::sshd(deny);
    assert_eq!(host.account(&[]), PAM_PERM_DENIED);
    assert_eq!(
        host.did[1..],
        [
            r#"log Notice denied reason="no-window" user="maria" caller="0" rhost="10.1.2.3" tty="ssh""#,
            "say No window is open for you here. Ask for one: jitctl request db-oncall",
        ]
    );
}

/// What sshd writes where PAM's modules can read it.
const BY_KEY: &[u8] = b"publickey ssh-ed25519 AAAA\n";

/// What was asked, as far as sshd's word goes.
fn passed_on(host: &Script) -> usize {
    host.did.iter().filter(|did| did.starts_with("with ")).count()
}

#[test]
fn what_sshd_says_of_a_login_goes_along_as_its_session_opens_and_at_no_other_time() {
    let sshd = |text: &[u8]| {
        let mut host = Script::sshd(allow);
        host.variables.insert(c"SSH_AUTH_INFO_0", text.to_vec());
        host
    };
    let mut host = sshd(BY_KEY);
    assert_eq!(host.open(&[]), PAM_SUCCESS);
    assert!(host.did(r#"with "publickey ssh-ed25519 AAAA\n""#), "{:?}", host.did);
    // At its check sshd has not noted the last method; at its end the person may have written there; and su and sudo
    // are no logins.
    let mut host = sshd(BY_KEY);
    assert_eq!(host.account(&[]), PAM_SUCCESS);
    assert_eq!(close_session(&mut host, &[]), PAM_SUCCESS);
    assert_eq!(passed_on(&host), 0);
    let mut host = Script::caller("su", allow);
    host.variables.insert(c"SSH_AUTH_INFO_0", BY_KEY.to_vec());
    assert_eq!(host.open(&[]), PAM_SUCCESS);
    assert_eq!(passed_on(&host), 0);
    // What cannot be passed on keeps nobody out.
    for text in [&b""[..], b"\xff", &vec![b'a'; MAX_AUTH_INFO + 1]] {
        let mut host = sshd(text);
        assert_eq!((host.open(&[]), passed_on(&host)), (PAM_SUCCESS, 0));
    }
    let mut host = sshd(&vec![b'a'; MAX_AUTH_INFO]);
    assert_eq!((host.open(&[]), passed_on(&host)), (PAM_SUCCESS, 1));
}

#[test]
fn silent_keeps_the_conversation_quiet_and_never_the_log() {
    for jitd in [deny, absent, unbelievable] {
        let mut host = Script::sshd(jitd);
        assert_ne!(account(&mut host, &[], PAM_SILENT), PAM_SUCCESS);
        assert!(host.did("log") && !host.did("say"), "{:?}", host.did);
    }
    let mut host = Script::sshd(never);
    assert_eq!(account(&mut host, &[c"typo"], PAM_SILENT), PAM_SERVICE_ERR);
    assert!(host.did("log Error") && !host.did("say"));
}

/// jitd let her in, and systemd gave her session no unit.
fn not_enclosed(question: &Question) -> Result<Answer, Error> {
    let text = "jit: sudo refused: no unit. Try again.".into();
    Ok(Answer { reason: "not-enclosed".into(), text, ..answer(question, "deny") })
}

#[test]
fn a_session_without_a_unit_is_refused_with_its_line_also_where_recovery_names_the_account() {
    let open = |args: &[&CStr]| {
        let mut host = Script::sshd(not_enclosed);
        (open_session(&mut host, args, 0), host.did)
    };
    for args in [&[][..], &[c"recovery=root"], RECOVERY] {
        let (code, did) = open(args);
        assert_eq!(code, PAM_PERM_DENIED);
        assert_eq!(did.last().unwrap(), "say jit: sudo refused: no unit. Try again.");
        assert!(did.iter().any(|did| did.starts_with("log Error refused because=")), "{did:?}");
        assert!(!did.iter().any(|did| did.starts_with("note")), "{did:?}");
    }
}

#[test]
fn what_is_not_managed_is_ignored_without_a_word() {
    let mut host = Script::sshd(exempt);
    assert_eq!(host.account(&[]), PAM_IGNORE);
    assert_eq!(host.did.len(), 1, "{:?}", host.did);
    let mut host = Script::sshd(exempt);
    assert_eq!(host.account(&[c"debug"]), PAM_IGNORE);
    assert!(host.did("log Debug unmanaged reason=\"exempt\""));
}

#[test]
fn every_row_of_the_table_has_its_code() {
    for (jitd, at_account, at_session) in [
        (allow as Jitd, PAM_SUCCESS, PAM_SUCCESS),
        (exempt, PAM_IGNORE, PAM_IGNORE),
        (deny, PAM_PERM_DENIED, PAM_PERM_DENIED),
        (unknown, PAM_USER_UNKNOWN, PAM_PERM_DENIED),
        (absent, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (not_started, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (cannot_decide, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (deadline, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (no_descriptors, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (closed, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (refused, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (unbelievable, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
    ] {
        assert_eq!(Script::sshd(jitd).account(&[]), at_account);
        assert_eq!(Script::sshd(jitd).open(&[]), at_session);
    }
    assert_eq!(Script::sshd(never).account(&[c"typo"]), PAM_SERVICE_ERR);
    assert_eq!(Script::sshd(never).open(&[c"typo"]), PAM_PERM_DENIED);
}

#[test]
fn without_a_decision_the_person_is_told_whom_to_tell_and_the_log_why() {
    let mut host = Script::sshd(deadline);
    host.account(&[]);
    assert_eq!(
        host.did[1..],
        [
            r#"log Error refused because="no answer within 3s (Check)" user="maria" caller="0" rhost="10.1.2.3" tty="ssh""#,
            "say jit: login refused: jitd does not answer. \
             Tell an administrator: systemctl status jitd",
        ]
    );
}

#[test]
fn a_bad_argument_is_named_in_the_log_and_nothing_is_asked() {
    let mut host = Script::sshd(never);
    assert_eq!(host.account(&[c"recovry=root"]), PAM_SERVICE_ERR);
    assert!(
        host.did("log Error refused because=\"argument \\\"recovry=root\\\" in the PAM line: it is unknown")
    );
}

#[test]
fn the_session_asks_again_and_hands_on_the_time_that_is_left() {
    let mut host = Script::sshd(allow);
    assert_eq!(host.open(&[]), PAM_SUCCESS);
    assert!(host.did[0].starts_with("ask session sshd") && host.did[1] == "limit 3600", "{:?}", host.did);

    let mut host = Script::sshd(exempt);
    assert_eq!(host.open(&[]), PAM_IGNORE);
    assert!(!host.did("limit"));
}

#[test]
fn the_check_claims_a_use_only_where_the_account_line_says_session() {
    let mut host = Script::sshd(allow);
    host.account(&[c"session"]);
    assert!(host.did[0].contains(&format!("flags={FLAG_CLAIM}")), "{:?}", host.did);

    let mut host = Script::sshd(allow);
    host.open(&[c"session"]);
    assert!(host.did[0].contains("flags=0"), "{:?}", host.did);
}

#[test]
fn the_items_are_read_again_at_each_stage() {
    let mut host = Script::caller("sudo", allow);
    host.set(Item::User, "maria");
    host.account(&[]);
    host.set(Item::User, "root");
    host.open(&[]);
    assert!(host.did[0].contains("user=maria ruser=maria"), "{:?}", host.did);
    assert!(
        host.did.iter().any(|did| did.contains("ask session sudo user=root ruser=maria")),
        "{:?}",
        host.did
    );
}

#[test]
fn auth_admits_nobody_setcred_succeeds_and_passwords_are_not_ours() {
    let mut host = Script::sshd(never);
    assert_eq!(authenticate(&mut host, &[], 0), PAM_IGNORE);
    assert!(host.did.is_empty(), "without `request`, an auth line does nothing");
    assert_eq!((setcred(), chauthtok()), (PAM_SUCCESS, PAM_IGNORE));
}

#[test]
fn closing_tells_jitd_over_its_own_socket_briefly_and_cannot_fail() {
    for jitd in HARD.into_iter().chain(SOFT).chain([allow as Jitd, deny]) {
        let mut host = Script::sshd(jitd);
        assert_eq!(close_session(&mut host, &[c"timeout=10", c"recovery=maria"]), PAM_SUCCESS);
        let asked = "ask close sshd user=maria ruser= rhost=10.1.2.3 tty=ssh uid=0 flags=0 private 500ms";
        assert_eq!(host.did, [asked]);
    }
    let mut host = Script::sshd(never);
    assert_eq!(close_session(&mut host, &[c"typo"]), PAM_SUCCESS);
    host.set(Item::User, "");
    assert_eq!(close_session(&mut host, &[]), PAM_SUCCESS);
    assert!(host.did.is_empty());
}

#[test]
fn root_running_su_or_sudo_is_ignored_and_nobody_is_asked() {
    for service in ["su", "su-l", "sudo", "sudo-i"] {
        for ruser in ["root", "", "toor"] {
            let mut host = Script::caller(service, never);
            host.real_uid = 0;
            host.set(Item::RUser, ruser);
            assert_eq!((host.account(&[]), host.open(&[])), (PAM_IGNORE, PAM_IGNORE), "{service} {ruser}");
            assert_eq!(close_session(&mut host, &[]), PAM_SUCCESS);
            assert!(host.did.is_empty());
        }
    }
}

#[test]
fn root_running_su_needs_no_name_service() {
    let mut host = Script::caller("su", never);
    host.real_uid = 0;
    host.accounts.clear();
    for ruser in [Some("root"), None] {
        host.items.remove(&Item::RUser);
        if let Some(name) = ruser {
            host.set(Item::RUser, name);
        }
        assert_eq!(host.account(&[]), PAM_IGNORE);
    }
    assert!(host.looked_up.borrow().is_empty());
}

#[test]
fn a_sudo_that_made_itself_root_still_says_whose_it_is() {
    let mut host = Script::caller("sudo", deny);
    host.real_uid = 0;
    assert_eq!(host.open(&[]), PAM_PERM_DENIED);
    assert!(host.did[0].contains("user=root ruser=maria") && host.did[0].contains("uid=0"), "{:?}", host.did);
}

#[test]
fn a_login_as_root_is_asked_about() {
    let mut host = Script::sshd(deny);
    host.set(Item::User, "root");
    assert_eq!(host.account(&[]), PAM_PERM_DENIED);
}

#[test]
fn a_user_that_cannot_exist_is_unknown() {
    let long = "x".repeat(256);
    let huge = "x".repeat(MAX_TEXT + 1);
    for bad in [&b""[..], b"-rf", b"a:b", b"a\nb", b"\xff", b"a ", long.as_bytes(), huge.as_bytes()] {
        let mut host = Script::sshd(never);
        host.set(Item::User, bad);
        assert_eq!(host.account(RECOVERY), PAM_USER_UNKNOWN);
        assert!(host.did("log Notice refused") && !host.did("say"), "{:?}", host.did);
    }
    let mut host = Script::sshd(never);
    host.items.remove(&Item::User);
    assert_eq!(host.account(&[]), PAM_USER_UNKNOWN);
    assert_eq!(Script::sshd(unknown).account(&[]), PAM_USER_UNKNOWN);
}

#[test]
fn an_item_that_cannot_be_passed_on_as_it_is_refuses_and_is_never_cut() {
    let huge = "x".repeat(MAX_TEXT + 1);
    for item in [Item::Service, Item::RUser, Item::RHost, Item::Tty] {
        for bad in [&b"\xff\xfe"[..], huge.as_bytes()] {
            let mut host = Script::sshd(never);
            host.set(item, bad);
            assert_eq!(host.account(RECOVERY), PAM_PERM_DENIED, "{item:?}");
            assert!(
                host.did("log Notice refused because=\"PAM_") && host.did("say jit: refused"),
                "{:?}",
                host.did
            );
        }
    }
    let mut host = Script::sshd(allow);
    host.set(Item::RHost, "x".repeat(MAX_TEXT));
    assert_eq!(host.account(&[]), PAM_SUCCESS);
}

#[test]
fn an_answer_to_another_question_is_not_believed() {
    let wrong: [Jitd; 6] = [
        |q| Ok(Answer { nonce: vec![8; NONCE_LEN], ..allow(q)? }),
        |q| Ok(Answer { nonce: vec![], ..allow(q)? }),
        |q| Ok(Answer { service: "sudo".into(), ..allow(q)? }),
        |q| Ok(Answer { user: "root".into(), ..allow(q)? }),
        |q| Ok(Answer { verdict: "Allow".into(), ..allow(q)? }),
        |q| Ok(Answer { text: "x".repeat(MAX_TEXT + 1), ..allow(q)? }),
    ];
    for jitd in wrong {
        let mut host = Script::sshd(jitd);
        assert_eq!(host.account(&[c"recovery=maria"]), PAM_AUTHINFO_UNAVAIL);
        assert!(host.did("log Error refused because=\"the answer is not believed: "), "{:?}", host.did);
    }
}

#[test]
fn what_jitd_says_is_escaped_before_it_reaches_a_terminal() {
    let mut host = Script::sshd(|q| Ok(Answer { text: "a\u{1b}[2J\nb".into(), ..deny(q)? }));
    host.account(&[]);
    assert!(host.did("say a\\u{1b}[2J\\u{a}b"), "{:?}", host.did);
}

#[test]
fn a_denial_without_a_text_still_says_something() {
    let mut host = Script::sshd(|q| Ok(Answer { text: String::new(), ..deny(q)? }));
    host.account(&[]);
    assert!(host.did("say jit: access to sshd is denied: no-window"), "{:?}", host.did);
}

#[test]
fn a_panic_is_an_abort_and_a_line_in_the_log() {
    let mut host = Script::sshd(|_| panic!("a bug"));
    assert_eq!(crate::panic_guard::contained(&mut host, |host| account(host, &[], 0)), PAM_ABORT);
    assert_eq!(host.did[1..], [r#"log Alert refused: internal error panic="a bug""#]);
    let mut host = Script::sshd(allow);
    assert_eq!(crate::panic_guard::contained(&mut host, |host| account(host, &[], 0)), PAM_SUCCESS);
}
