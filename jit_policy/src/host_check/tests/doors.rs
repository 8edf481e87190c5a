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
fn before_sshd_asks_jitd_a_role_for_logins_that_no_admin_has_is_a_warning() {
    let others = "[role.s]\nhosts = [\"*\"]\nservices = [\"sshd\"]\neligible = { users = [\"eve\"] }\n\
                  max-duration = \"1h\"\nstage = [{ approvers = { users = [\"tom\"] } }]\n";
    let text = format!("{}{others}", admin_by("\"sudo\""));
    let mut facts = host(&[("leads", members(&["tom"]))]);
    assert_eq!(codes(&text, &facts), ["JIT074"]);
    facts.doors.insert("sshd".parse().unwrap(), PamFile::NamesOthers);
    assert_eq!(codes(&text, &facts), ["JIT079"]);
    assert_eq!(codes(&admin_by("\"sshd\""), &facts), Vec::<&str>::new());
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

/// Root is the only admin, backup is exempt where people log in, and eve may ask for these services.
fn root_by(services: &str, exempt_at: &str) -> String {
    let base = BASE.replace("[[exempt]]\nusers = [\"root\"]", "[[exempt]]\nusers = [\"backup\"]");
    let base = base.replace("services = [\"login\"]", &format!("services = [{exempt_at}]"));
    let lines = format!("eligible = {{ users = [\"eve\"] }}\nservices = [{services}]");
    let jobs = "[[exempt]]\nusers = [\"root\"]\nservices = [\"cron\"]\n";
    format!("{base}{jobs}{}", role(&lines).strip_prefix(BASE).unwrap())
}

#[test]
fn root_gives_orders_where_one_who_gets_in_is_one_who_may_become_root() {
    let facts = host(&[("leads", members(&["tom"]))]);
    let out = ["a.toml:3:1: error JIT074: no admin can get in on this host: root"];
    // Backup gets in, and eve alone may use sudo.
    assert_eq!(said(&root_by("\"sudo\"", "\"sshd\", \"login\""), &facts), out);
    for (services, exempt_at) in [
        ("\"sudo\"", "\"sshd\", \"login\", \"sudo\""),
        ("\"sudo\"", "\"login\", \"su\""),
        ("\"sshd\", \"sudo\"", "\"cron\", \"login\""),
    ] {
        assert_eq!(
            said(&root_by(services, exempt_at), &facts),
            Vec::<String>::new(),
            "{services} {exempt_at}"
        );
    }
}

#[test]
fn where_sudo_or_su_does_not_ask_jitd_or_people_are_not_listed_whether_root_gives_orders_cannot_be_told() {
    let text = root_by("\"sudo\"", "\"sshd\", \"login\"");
    for (door, file) in
        [("sudo", PamFile::NamesOthers), ("su", PamFile::NamesOthers), ("su", PamFile::Unread)]
    {
        let mut facts = host(&[("leads", members(&["tom"]))]);
        facts.doors.insert(door.parse().unwrap(), file);
        let told = policy(&text).host_check(&facts);
        assert!(told.len() == 1 && told[0].code == "JIT079", "{told:?}");
        assert!(told[0].message.contains(&format!("/etc/pam.d/{door}")), "{told:?}");
    }
    // By su one may become another, who may become root.
    let su = format!(
        "{text}[role.s]\nhosts = [\"*\"]\nservices = [\"su\"]\nrun-as = [\"eve\"]\neligible = {{ users = [\"backup\"] }}\n\
         max-duration = \"1h\"\nstage = [{{ approvers = {{ users = [\"tom\"] }} }}]\n"
    );
    assert_eq!(codes(&su, &host(&[("leads", members(&["tom"]))])), ["JIT079"]);
    let grouped = text.replace("users = [\"eve\"]", "groups = [\"dba\"]");
    let facts = |dba| host(&[("leads", members(&["tom"])), ("dba", dba)]);
    assert_eq!(codes(&grouped, &facts(members(&["eve"]))), ["JIT074"]);
    assert_eq!(codes(&grouped, &with_ldap(facts(members(&["eve"])))), ["JIT079"]);
    assert_eq!(codes(&grouped, &facts(members(&["eve", "backup"]))), Vec::<&str>::new());
}

#[test]
fn a_service_that_lets_nobody_into_the_host_is_no_way_in_and_of_an_unknown_one_it_cannot_be_told() {
    let facts = |gone: &[&str]| {
        let mut facts = host(&[("leads", members(&["tom"]))]);
        let here = ["vsftpd", "postgresql", "xrdp-sesman", "gdm-password"];
        facts.doors.extend(here.map(|name| (name.parse().unwrap(), PamFile::NamesModule)));
        facts.askers.insert("pg".parse().unwrap(), AskerAccount::There);
        facts.doors.extend(gone.iter().map(|name| (name.parse().unwrap(), PamFile::Absent)));
        facts
    };
    let of_way = |text: &str, gone: &[&str]| {
        let found = codes(text, &facts(gone));
        found.into_iter().filter(|code| ["JIT074", "JIT075", "JIT079"].contains(code)).collect::<Vec<_>>()
    };
    let exempt = |service: &str| {
        format!("{}[[exempt]]\nusers = [\"ana\"]\nservices = [\"{service}\"]\n", admin_by("\"sudo\""))
    };
    let watching = |service: &str| format!("{}[mode]\nobserve = [\"{service}\"]\n", admin_by("\"sudo\""));
    for (service, code) in [
        ("vsftpd", Some("JIT074")),
        ("postgresql", Some("JIT074")),
        ("xrdp-sesman", Some("JIT079")),
        ("gdm-password", None),
    ] {
        let expected: Vec<_> = code.into_iter().collect();
        assert_eq!(of_way(&admin_by(&format!("\"{service}\"")), &[]), expected, "{service}");
        assert_eq!(of_way(&exempt(service), &[]), expected, "{service}");
    }
    // An exemption lets in where there is a door, as a role does, and so it is where policy only watches.
    assert_eq!(of_way(&exempt("gdm-password"), &["gdm-password"]), ["JIT074"]);
    assert_eq!(of_way(&watching("vsftpd"), &[]), ["JIT074"]);
    assert_eq!(of_way(&watching("sshd"), &["sshd"]), ["JIT074"]);
    assert_eq!(of_way(&watching("sshd"), &[]), Vec::<&str>::new());
    // What an asker asks for is of its program.
    let asker = "[[asker]]\naccount = \"pg\"\nservices = [\"xrdp-sesman\"]\n";
    assert_eq!(of_way(&format!("{}{asker}", admin_by("\"xrdp-sesman\"")), &[]), ["JIT074"]);
}

#[test]
fn root_may_give_orders_where_one_perhaps_gets_in_who_may_become_root() {
    let facts = host(&[("leads", members(&["tom"]))]);
    let by = |exempt_at: &str| codes(&root_by("\"sudo\", \"xrdp-sesman\"", exempt_at), &facts);
    assert_eq!(by("\"login\""), ["JIT079"]);
    assert_eq!(by("\"login\", \"su\""), Vec::<&str>::new());
}
