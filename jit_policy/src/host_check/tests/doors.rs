//! Who gets in and gives orders, by what this host has of doors.

use super::*;

#[test]
fn nobody_is_kept_out_by_a_service_that_does_not_ask_jitd_and_where_that_is_no_sshd_it_cannot_be_told() {
    let on = |doors: &[(&str, PamFile)]| {
        let mut facts = host(&[("leads", members(&["tom"]))]);
        facts.doors.extend(doors.iter().map(|(name, file)| (name.parse().unwrap(), *file)));
        said(&admin_by("\"sudo\""), &facts)
    };
    let (others, unread) = (PamFile::NamesOthers, PamFile::Unread);
    // A site that has sudo alone ask.
    assert_eq!(on(&[("sshd", others), ("login", others)]), Vec::<String>::new());
    assert_eq!(on(&[("sshd", others)]), Vec::<String>::new());
    for (doors, why) in [
        (("login", others), "/etc/pam.d/login lets in whom no role and no exemption does"),
        (("login", unread), "/etc/pam.d/login cannot be read"),
        (("sshd", unread), "/etc/pam.d/sshd cannot be read"),
    ] {
        let line = format!(
            "a.toml:3:1: warning JIT079: cannot tell whether any admin can get in on this host; {why}"
        );
        assert_eq!(on(&[doors]), [line]);
    }
    // What does not ask and is no way in keeps the error.
    for doors in [&[][..], &[("sudo", others)], &[("login", PamFile::Absent)]] {
        let out = "a.toml:3:1: error JIT074: no admin can get in on this host: ana";
        assert_eq!(on(doors), [out], "{doors:?}");
    }
}

#[test]
fn who_may_sign_a_change_elsewhere_needs_no_account_here() {
    let change = |approvers: &str| {
        let base = admin_by("\"sshd\"");
        format!("{base}[policy-change]\napprovers = {{ {approvers} }}\n")
    };
    let mut facts = host(&[("leads", members(&["tom"])), ("hq", members(&["ana"]))]);
    facts.accounts.insert("hq".parse().unwrap(), Account::Absent);
    assert_eq!(codes(&change("users = [\"ana\", \"hq\"]"), &facts), ["JIT077"]);
    // Of a group, those are known who are here.
    let told = said(&change("groups = [\"hq\"]"), &facts);
    let of_own =
        "JIT072: no admin of this host could change the policy: nobody approves their own change, 1 must";
    assert!(told.len() == 1 && told[0].contains(of_own), "{told:?}");
}
