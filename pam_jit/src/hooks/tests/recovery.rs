//! `recovery=`: whom it lets in, in which states, and whom never (law 1).

use super::*;

#[test]
fn recovery_lets_a_named_account_in_when_jitd_is_not_there_or_cannot_decide() {
    for jitd in SOFT {
        let mut host = Script::sshd(jitd);
        assert_eq!((host.account(RECOVERY), host.open(RECOVERY)), (PAM_IGNORE, PAM_IGNORE));
        assert_eq!(host.did[1], "note sshd maria");
        assert!(
            host.did[2]
                .starts_with("log Alert RECOVERY: let in without a decision account=\"maria\" because=")
        );
        assert!(!host.did("say") && !host.did("limit"), "{:?}", host.did);
        assert!(host.looked_up.borrow().is_empty(), "the name service is not needed for this");
    }
}

#[test]
fn recovery_lets_nobody_else_in_and_asks_the_name_service_about_nobody_else() {
    for jitd in SOFT.into_iter().chain(HARD) {
        for args in [&[][..], &[c"recovery=root,erik,mari,maria2"]] {
            let mut host = Script::sshd(jitd);
            assert_eq!(host.account(args), PAM_AUTHINFO_UNAVAIL);
            assert!(host.looked_up.borrow().is_empty() && !host.did("note"));
        }
    }
}

#[test]
fn recovery_never_turns_a_denial_around() {
    for jitd in [deny as Jitd, unknown] {
        assert_ne!(Script::sshd(jitd).account(RECOVERY), PAM_IGNORE);
        assert_ne!(Script::sshd(jitd).open(RECOVERY), PAM_IGNORE);
    }
}

#[test]
fn a_state_that_somebody_may_have_brought_about_recovers_only_uid_0() {
    for jitd in HARD {
        let mut host = Script::sshd(jitd);
        assert_eq!(host.account(RECOVERY), PAM_AUTHINFO_UNAVAIL);
        assert_eq!(host.open(RECOVERY), PAM_PERM_DENIED);
        for name in ["root", "toor"] {
            let mut host = Script::sshd(jitd);
            host.set(Item::User, name);
            assert_eq!(host.account(&[c"recovery=root,toor,maria"]), PAM_IGNORE);
            assert_eq!(host.account(&[c"recovery=maria"]), PAM_AUTHINFO_UNAVAIL);
        }
    }
    let mut host = Script::sshd(never);
    host.set(Item::User, "root");
    host.nonce = Err(Error::System { doing: "draw a nonce".into(), errno: Errno::EAGAIN });
    assert_eq!(host.account(RECOVERY), PAM_IGNORE);
}

#[test]
fn an_account_named_root_that_is_not_uid_0_is_nothing_special() {
    for accounts in [vec![("root", 1)], vec![]] {
        let mut host = Script::sshd(deadline);
        host.accounts = accounts;
        host.set(Item::User, "root");
        assert_eq!(host.account(RECOVERY), PAM_AUTHINFO_UNAVAIL);
    }
}

#[test]
fn su_by_maria_to_root_is_not_recovered_by_root() {
    for service in ["su", "su-l", "sudo", "sudo-i"] {
        for jitd in SOFT.into_iter().chain(HARD) {
            let mut host = Script::caller(service, jitd);
            assert_eq!(host.account(&[c"recovery=root"]), PAM_AUTHINFO_UNAVAIL);
        }
        let mut host = Script::caller(service, absent);
        assert_eq!(host.account(RECOVERY), PAM_IGNORE, "maria herself is listed here");
    }
}

#[test]
fn a_caller_who_claims_to_be_somebody_else_is_not_recovered() {
    for lie in ["root", "erik", "nobody-knows", "", "-rf"] {
        for jitd in SOFT.into_iter().chain(HARD) {
            let mut host = Script::caller("su", jitd);
            host.set(Item::RUser, lie);
            let code = host.account(&[c"recovery=root,erik,nobody-knows"]);
            assert_eq!(code, PAM_AUTHINFO_UNAVAIL, "{lie}");
            assert!(!host.did("note"));
        }
    }
}
