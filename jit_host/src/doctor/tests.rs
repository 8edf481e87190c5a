//! Each silent misconfiguration as a tree of files, beside the same tree without it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jit_core::policy::{Host, Policy, SourceFile, Ways};

use super::*;

const UNIX: &str = "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\naccount requisite pam_deny.so\n\
                    account required pam_permit.so\n";
const SESSIONS: &str = "session [default=1] pam_permit.so\nsession requisite pam_deny.so\nsession required pam_permit.so\n\
                        session required pam_unix.so\nsession optional pam_systemd.so\n";
const ACCOUNT: &str = judge::stacks::ACCOUNT;
const SESSION: &str = "session required pam_jit.so recovery=root";
const SUDOERS: &str = "Defaults env_reset\n@includedir /etc/sudoers.d\n";

/// A host that is as it should be.
fn good() -> Vec<(&'static str, String)> {
    let service = format!("{ACCOUNT}\n@include common-account\n{SESSION}\n@include common-session\n");
    let su_l = "account include su\nsession optional pam_keyinit.so\nsession include su\n";
    vec![
        ("etc/pam.d/common-account", UNIX.to_owned()),
        ("etc/pam.d/common-session", SESSIONS.to_owned()),
        ("etc/pam.d/sshd", format!("account required pam_nologin.so\n{service}")),
        ("etc/pam.d/sudo", service.clone()),
        ("etc/pam.d/sudo-i", service.clone()),
        ("etc/pam.d/su", service.clone()),
        ("etc/pam.d/su-l", su_l.to_owned()),
        ("etc/pam.d/login", service.clone()),
        ("etc/pam.d/remote", service.clone()),
        ("etc/pam.d/polkit-1", service),
        ("etc/pam.d/other", "@include common-account\n".to_owned()),
        ("etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n".to_owned()),
        ("etc/sudoers", SUDOERS.to_owned()),
        ("usr/lib/x86_64-linux-gnu/security/pam_jit.so", String::new()),
        ("etc/passwd", "root:x:0:0::/root:/bin/bash\n".to_owned()),
        ("etc/shadow", "root:$y$x:1::::::\n".to_owned()),
    ]
}

fn write(root: &Path, files: &[(&str, String)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn policy(more: &str) -> Policy {
    let text = format!(
        "version = 1\n[admins]\nusers = [\"root\"]\n[[exempt]]\nusers = [\"root\"]\nservices = [\"login\"]\n\
         [role.shell]\nhosts = [\"*\"]\nservices = [\"sshd\", \"sudo\"]\neligible = {{ users = [\"ana\"] }}\n\
         max-duration = \"4h\"\n{more}\n[[role.shell.stage]]\nname = \"a\"\napprovers = {{ users = [\"root\"] }}\n"
    );
    let file = SourceFile { name: "a.toml".to_owned(), bytes: text.into() };
    Policy::parse(&[file]).unwrap().policy
}

fn host() -> Host {
    Host { name: "db-1".parse().unwrap(), groups: BTreeSet::new(), ways: Ways::default() }
}

/// What is found where these files take the place of the good ones.
fn found(files: &[(&str, &str)], more: &str) -> Vec<Finding> {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &good());
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, (*text).to_owned())).collect();
    write(root.path(), &files);
    let seen = Seen::gather(root.path());
    assert_eq!(seen.unseen, []);
    judge(&seen, Some(Rules { policy: &policy(more), host: &host() }))
}

/// What is more than a note, as its word and what it is about.
fn said(files: &[(&str, &str)], more: &str) -> Vec<(&'static str, String)> {
    let serious = found(files, more).into_iter().filter(|found| found.severity != Severity::Note);
    serious.map(|found| (found.id, found.about)).collect()
}

fn of(service: &str, lines: &str) -> (String, String) {
    (format!("etc/pam.d/{service}"), lines.to_owned())
}

/// What is found where one service's file is this.
fn said_of(service: &str, lines: &str) -> Vec<(&'static str, String)> {
    let (path, text) = of(service, lines);
    said(&[(path.as_str(), text.as_str())], "")
}

fn one(id: &'static str, about: &str) -> Vec<(&'static str, String)> {
    vec![(id, about.to_owned())]
}

const SSHD: &str = "/etc/pam.d/sshd";

#[test]
fn of_a_host_that_is_as_documents_say_nothing_is_said() {
    assert_eq!(said(&[], ""), []);
}

#[test]
fn a_session_line_that_is_missing_is_found_and_one_that_a_process_end_replaces_is_not() {
    let lineless = format!("{ACCOUNT}\n@include common-account\n@include common-session\n");
    assert_eq!(said_of("sshd", &lineless), one("session-line-missing", SSHD));
    let ended = "[service.vsftpd]\nends = \"process\"";
    assert_eq!(said(&[("etc/pam.d/vsftpd", &lineless)], ended), []);
    assert_eq!(
        said(&[("etc/pam.d/vsftpd", &lineless)], ""),
        one("session-line-missing", "/etc/pam.d/vsftpd")
    );
    let gateless = format!("@include common-account\n{SESSION}\n@include common-session\n");
    assert!(said_of("sshd", &gateless).contains(&("account-line-missing", SSHD.to_owned())));
}

#[test]
fn a_refusal_that_pam_does_not_hear_is_found_and_one_that_it_hears_in_other_words_is_not() {
    let with = |control: &str| {
        format!(
            "account {control} pam_jit.so recovery=root\n@include common-account\n{SESSION}\n@include common-session\n"
        )
    };
    for control in ["[success=ok default=ignore]", "optional"] {
        assert_eq!(said_of("sshd", &with(control)), one("refusal-not-heard", SSHD), "{control}");
    }
    // While jitd is dead.
    let open = "[success=ok ignore=ignore authinfo_unavail=ignore default=die]";
    assert_eq!(said_of("sshd", &with(open)), one("refusal-not-heard", SSHD));
    for control in ["required", "requisite", "[success=ok ignore=ignore user_unknown=die default=bad]"] {
        assert_eq!(said_of("sshd", &with(control)), [], "{control}");
    }
    let found = said_of("sshd", &with("sufficient"));
    assert!(found.contains(&("rest-passed-over", SSHD.to_owned())), "{found:?}");
    // Whom policy exempts has to get in.
    assert_eq!(said_of("sshd", &with("[success=ok default=die]")), one("exempt-kept-out", SSHD));
    let loose = format!(
        "{ACCOUNT}\n@include common-account\nsession optional pam_jit.so recovery=root\n@include common-session\n"
    );
    assert_eq!(said_of("sshd", &loose), one("refusal-not-heard", SSHD));
}

#[test]
fn a_line_that_leads_past_ours_is_found_and_the_same_line_behind_ours_is_not() {
    let local = "account sufficient pam_localuser.so\n";
    let rest = format!("@include common-account\n{SESSION}\n@include common-session\n");
    assert_eq!(said_of("sshd", &format!("{local}{ACCOUNT}\n{rest}")), one("not-asked", SSHD));
    assert_eq!(said_of("sshd", &format!("{ACCOUNT}\n{local}{rest}")), []);
    // Behind common-account an expired password leads past it.
    let behind = format!("@include common-account\n{ACCOUNT}\n{SESSION}\n@include common-session\n");
    let (path, text) = of("sshd", &behind);
    let found = found(&[(path.as_str(), text.as_str())], "");
    let finding = found.iter().find(|found| found.id == "not-asked").unwrap();
    assert!(
        finding.what.contains("/etc/pam.d/common-account:1") && finding.why.contains("expired"),
        "{finding:?}"
    );
}

#[test]
fn a_line_that_only_watches_is_a_warning_and_says_how_to_enforce() {
    let watching = "account [default=ignore] pam_jit.so recovery=root\n@include common-account\n\
                    session [default=ignore] pam_jit.so recovery=root\n@include common-session\n";
    let (path, text) = of("sshd", watching);
    let found = found(&[(path.as_str(), text.as_str())], "");
    let serious: Vec<_> = found.iter().filter(|found| found.severity != Severity::Note).collect();
    assert!(
        serious
            .iter()
            .all(|found| found.id == "observed-by-pam" && found.fix.contains("jitctl enforce sshd"))
    );
    assert_eq!((serious.len(), serious[0].severity), (2, Severity::Warning));
}

#[test]
fn a_line_that_only_watches_and_stands_alone_keeps_out_everybody_and_is_an_error() {
    let alone = "account [default=ignore] pam_jit.so recovery=root\n";
    let behind = format!("{SESSION}\n@include common-session\n");
    let shut: Vec<_> = found(&[("etc/pam.d/sshd", &format!("{alone}{behind}"))], "")
        .into_iter()
        .filter(|found| found.severity == Severity::Error)
        .collect();
    let ids: Vec<_> = shut.iter().map(|found| found.id).collect();
    assert_eq!(ids, ["exempt-kept-out", "nobody-gets-in"]);
    assert!(shut[0].fix.contains("/etc/pam.d/other"), "{:?}", shut[0]);
    let beside = format!("{alone}account required pam_permit.so\n{behind}");
    assert_eq!(said_of("sshd", &beside), one("observed-by-pam", SSHD));
}

#[test]
fn a_file_that_many_take_in_is_found_with_all_that_then_ask() {
    let gate = format!("{ACCOUNT}\n{UNIX}");
    let found =
        found(&[("etc/pam.d/common-account", &gate), ("etc/pam.d/cron", "@include common-account\n")], "");
    let shared = found.iter().find(|found| found.id == "in-a-shared-file").unwrap();
    assert!(
        shared.about.ends_with("common-account")
            && shared.what.contains("cron")
            && shared.what.contains("other")
    );
    // jitctl writes no line where one is taken in, so that the lines come first, by hand.
    let at = |text: &str| shared.fix.find(text).unwrap_or_else(|| panic!("{text}: {}", shared.fix));
    assert!(
        at("root shell") < at(ACCOUNT) && at(ACCOUNT) < at(SESSION) && at(SESSION) < at("out of /etc/pam.d")
    );
    assert!(!shared.fix.contains("sed ") && !shared.fix.contains("jitctl enable"), "{}", shared.fix);
    assert!(
        !said(&[("etc/pam.d/cron", "@include common-account\n")], "")
            .iter()
            .any(|(id, _)| id.contains("shared"))
    );
}

#[test]
fn a_stack_that_names_the_module_twice_is_found_and_worse_where_logins_are_counted() {
    let twice =
        format!("{ACCOUNT}\n{ACCOUNT}\n@include common-account\n{SESSION}\n@include common-session\n");
    for (more, severity) in [("", Severity::Warning), ("uses = 1", Severity::Error)] {
        let found = found(&[("etc/pam.d/sshd", twice.as_str())], more);
        let finding = found.iter().find(|found| found.id == "asked-twice").unwrap();
        assert_eq!(finding.severity, severity);
    }
}

#[test]
fn where_logins_are_counted_the_account_line_that_does_not_say_session_is_found() {
    let counted = "uses = 1";
    let found = said(&[], counted);
    assert!(found.contains(&("use-taken-before-session", SSHD.to_owned())), "{found:?}");
    let said_so = format!("{ACCOUNT} session\n@include common-account\n{SESSION}\n@include common-session\n");
    let files = ["sshd", "sudo", "sudo-i"].map(|service| format!("etc/pam.d/{service}"));
    let files: Vec<_> = files.iter().map(|path| (path.as_str(), said_so.as_str())).collect();
    assert_eq!(said(&files, counted), []);
}

#[test]
fn a_hyphen_and_a_line_behind_pam_systemd_are_found() {
    let silent = format!("-{ACCOUNT}\n@include common-account\n{SESSION}\n@include common-session\n");
    assert_eq!(said_of("sshd", &silent), one("passed-over-if-lost", SSHD));
    let late = format!("{ACCOUNT}\n@include common-account\n@include common-session\n{SESSION}\n");
    assert_eq!(said_of("sshd", &late), one("session-line-late", SSHD));
}

#[test]
fn sshd_that_does_not_ask_pam_asks_as_another_or_tells_names_is_found() {
    let config = "/etc/ssh/sshd_config";
    let with = |text: &str, more: &str| said(&[("etc/ssh/sshd_config", text)], more);
    assert_eq!(with("UsePAM no\n", ""), one("sshd-without-pam", config));
    assert_eq!(with("# UsePAM yes\n", ""), one("sshd-without-pam", config));
    // The first word on it counts, and a file that is taken in comes first.
    let included = [
        ("etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n"),
        ("etc/ssh/sshd_config.d/a.conf", "usepam=no\n"),
    ];
    assert_eq!(said(&included, ""), one("sshd-without-pam", config));
    assert_eq!(with("UsePAM yes\nPAMServiceName other\n", ""), one("sshd-by-another-name", config));
    let from = "from = [\"10.0.0.0/8\"]";
    assert_eq!(with("UsePAM yes\nUseDNS yes\n", from), one("sshd-tells-names", config));
    assert_eq!(with("UsePAM yes\nUseDNS yes\n", ""), []);
    assert_eq!(with("UsePAM yes\nMatch User ana\nUseDNS yes\n", from), []);
}

#[test]
fn sudoers_that_pass_over_pam_are_found_with_their_place() {
    let add = |text: &str| said(&[("etc/sudoers.d/site", text)], "");
    assert_eq!(add("Defaults !pam_acct_mgmt\n"), one("sudo-asks-nobody", "/etc/sudoers.d/site:1"));
    assert_eq!(add("Defaults:ana !pam_session\n"), one("sudo-opens-no-session", "/etc/sudoers.d/site:1"));
    assert_eq!(add("Defaults pam_service=other\n"), one("sudo-by-another-name", "/etc/sudoers.d/site:1"));
    assert_eq!(add("Defaults pam_service=sudo-i\n#Defaults !pam_acct_mgmt\n"), []);
    // sudo itself keeps people out here.
    let other = found(&[("etc/sudoers.d/site", "Defaults pam_service=other\n")], "");
    let fix = other.iter().find(|found| found.id == "sudo-by-another-name").map(|found| found.fix.as_str());
    assert_eq!(fix, Some("jitctl enforce other"));
    // sudo does not read it either.
    assert_eq!(said(&[("etc/sudoers.d/site.bak", "Defaults !pam_acct_mgmt\n")], ""), []);
}

#[test]
fn the_same_door_by_another_name_is_found() {
    let open = "@include common-account\n@include common-session\n";
    assert_eq!(said_of("sudo-i", open), one("same-door-unasked", "/etc/pam.d/sudo-i"));
    assert_eq!(said_of("su-l", open), one("same-door-unasked", "/etc/pam.d/su-l"));
    assert_eq!(said_of("sudo-backup", open), one("same-door-unasked", "/etc/pam.d/sudo-backup"));
    assert_eq!(said_of("polkit-1", open), one("root-by-polkit", "/etc/pam.d/polkit-1"));
    let run0 = [("etc/pam.d/polkit-1", open), ("usr/bin/run0", "")];
    assert!(said(&run0, "").contains(&("root-by-run0", "/usr/bin/run0".to_owned())));
    assert_eq!(said(&[("usr/bin/run0", "")], ""), []);
}

#[test]
fn the_same_door_that_only_watches_is_open_beside_one_that_keeps_people_out() {
    let watching = "account [default=ignore] pam_jit.so recovery=root\n@include common-account\n\
                    session [default=ignore] pam_jit.so recovery=root\n@include common-session\n";
    let open = "@include common-account\n@include common-session\n";
    let of = |id: &str, files: &[(&str, &str)]| -> Vec<(Severity, String)> {
        let found = found(files, "").into_iter().filter(|found| found.id == id);
        found.map(|found| (found.severity, found.fix)).collect()
    };
    let enforce = |service: &str| vec![(Severity::Error, format!("jitctl enforce {service}"))];
    let same = |files: &[(&str, &str)]| of("same-door-unasked", files);
    assert_eq!(same(&[("etc/pam.d/sudo-i", open)]), enforce("sudo-i"));
    assert_eq!(same(&[("etc/pam.d/sudo-i", watching)]), enforce("sudo-i"));
    assert_eq!(same(&[("etc/pam.d/sudo", watching)]), enforce("sudo"));
    let both = [("etc/pam.d/sudo", watching), ("etc/pam.d/sudo-i", watching)];
    assert_eq!(same(&both), []);
    let other = [("etc/pam.d/sudo", watching), ("etc/pam.d/sudo-i", open)];
    assert_eq!(same(&other), [(Severity::Error, "jitctl enable sudo-i".to_owned())]);

    let named = |text: &str, sshd: Option<&str>| {
        let mut files =
            vec![("etc/ssh/sshd_config", "UsePAM yes\nPAMServiceName ssh-x\n"), ("etc/pam.d/ssh-x", text)];
        files.extend(sshd.map(|sshd| ("etc/pam.d/sshd", sshd)));
        of("sshd-by-another-name", &files)
    };
    assert_eq!(named(open, None), enforce("ssh-x"));
    assert_eq!(named(watching, None), enforce("ssh-x"));
    assert_eq!(named(watching, Some(watching)), []);
    assert_eq!(named(open, Some(watching)), [(Severity::Error, "jitctl enable ssh-x".to_owned())]);
}

#[test]
fn a_file_that_login_falls_back_from_and_one_of_a_package_are_found() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &good());
    let ids = |root: &Path| -> Vec<_> {
        let found = judge(&Seen::gather(root), Some(Rules { policy: &policy(""), host: &host() }));
        found.into_iter().filter(|found| found.severity != Severity::Note).map(|found| found.id).collect()
    };
    assert_eq!(ids(root.path()), [""; 0]);
    fs::remove_file(root.path().join("etc/pam.d/remote")).unwrap();
    assert_eq!(ids(root.path()), ["remote-missing"]);
    let text = fs::read_to_string(root.path().join("etc/pam.d/sshd")).unwrap();
    fs::remove_file(root.path().join("etc/pam.d/sshd")).unwrap();
    write(root.path(), &[("usr/lib/pam.d/sshd", text)]);
    assert_eq!(ids(root.path()), ["remote-missing", "file-of-a-package"]);
}

#[test]
fn a_console_that_logs_in_by_itself_is_found_where_login_asks() {
    let unit = "etc/systemd/system/getty@tty1.service.d/auto.conf";
    let auto = "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin ana %I\n";
    assert_eq!(said(&[(unit, auto)], ""), one("console-logs-in-by-itself", &format!("/{unit}")));
    assert_eq!(said(&[(unit, "[Service]\nExecStart=-/sbin/agetty %I\n")], ""), []);
}

#[test]
fn whoever_recovers_has_to_get_in_and_somebody_has_to() {
    let nobody: Vec<_> = good()
        .into_iter()
        .filter(|(path, _)| path.starts_with("etc/pam.d"))
        .map(|(path, text)| (path, text.replace(" recovery=root", "")))
        .collect();
    let nobody: Vec<_> = nobody.iter().map(|(path, text)| (*path, text.as_str())).collect();
    assert_eq!(said(&nobody, ""), one("nobody-recovers", "recovery="));
    let half =
        format!("{ACCOUNT}\n@include common-account\nsession required pam_jit.so\n@include common-session\n");
    assert_eq!(said_of("sshd", &half), one("recovery-at-one-line-only", SSHD));
    let locked = [("etc/shadow", "root:!:1::::::\n")];
    assert_eq!(said(&locked, ""), one("recovery-without-password", "account root"));
    let shut =
        [("etc/shadow", "root:*:1::::::\n"), ("etc/ssh/sshd_config", "UsePAM yes\nPermitRootLogin no\n")];
    let root = found(&shut, "").into_iter().find(|found| found.about == "account root").unwrap();
    assert_eq!(root.severity, Severity::Error);
    let shell = [("etc/passwd", "root:x:0:0::/root:/usr/sbin/nologin\n")];
    assert_eq!(said(&shell, ""), one("recovery-without-shell", "account root"));
    let elsewhere = [("etc/passwd", "ana:x:1000:1000::/home/ana:/bin/sh\n")];
    assert_eq!(said(&elsewhere, ""), one("recovery-account-elsewhere", "account root"));
}

#[test]
fn that_nobody_recovers_is_less_where_the_console_asks_nobody_and_a_password_opens_root_there() {
    let nobody: Vec<_> = good()
        .into_iter()
        .filter(|(path, _)| path.starts_with("etc/pam.d"))
        .map(|(path, text)| (path, text.replace(" recovery=root", "")))
        .collect();
    let free = "@include common-account\n@include common-session\n";
    let severity = |login: Option<&str>, shadow: &str| {
        let mut files: Vec<(&str, &str)> = nobody.iter().map(|(path, text)| (*path, text.as_str())).collect();
        files.extend(login.map(|text| ("etc/pam.d/login", text)));
        files.push(("etc/shadow", shadow));
        let found = found(&files, "").into_iter().find(|found| found.id == "nobody-recovers");
        found.expect("nobody is named").severity
    };
    assert_eq!(severity(Some(free), "root:$y$x:1::::::\n"), Severity::Warning);
    assert_eq!(severity(Some(free), "root:!:1::::::\n"), Severity::Error);
    assert_eq!(severity(None, "root:$y$x:1::::::\n"), Severity::Error, "login asks jitd");
}

#[test]
fn root_that_sshd_keeps_out_gets_in_by_a_console_that_does_not_ask() {
    let config = ("etc/ssh/sshd_config", "UsePAM yes\nPermitRootLogin no\n");
    let open = "@include common-account\n@include common-session\n";
    let of_others = format!(
        "{}\n@include common-account\n{}\n@include common-session\n",
        ACCOUNT.replace("root", "ana"),
        SESSION.replace("root", "ana")
    );
    let of_root = |files: &[(&str, &str)]| -> Vec<Finding> {
        found(files, "").into_iter().filter(|found| found.about == "account root").collect()
    };
    // login asks and recovers others: root gets in nowhere.
    let remote = ("etc/pam.d/remote", of_others.as_str());
    let asked = of_root(&[config, ("etc/pam.d/login", &of_others), remote]);
    assert_eq!((asked.len(), asked[0].id, asked[0].severity), (1, "recovery-not-over-ssh", Severity::Error));
    assert!(asked[0].fix.contains("add root to recovery= in both lines"), "{:?}", asked[0]);
    assert!(!asked[0].fix.contains("jitctl enable"), "{:?}", asked[0]);
    let watching = of_others.replace("[success=ok ignore=ignore default=die]", "[default=ignore]");
    for free in [open, &watching] {
        assert_eq!(of_root(&[config, ("etc/pam.d/login", free), remote]), [], "{free}");
    }
    // Without a password it is worth a word, and no error.
    let locked = ("etc/shadow", "root:!:1::::::\n");
    let free = of_root(&[config, locked, ("etc/pam.d/login", open), remote]);
    assert_eq!(
        (free.len(), free[0].id, free[0].severity),
        (1, "recovery-without-password", Severity::Warning)
    );
}

#[test]
fn what_policy_only_observes_is_found_and_a_host_where_nothing_asks_is_a_note_alone() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &good());
    let text = "version = 1\nmode = \"observe\"\n[admins]\nusers = [\"root\"]\n[[exempt]]\nusers = [\"root\"]\nservices = [\"login\"]\n";
    let file = SourceFile { name: "a.toml".to_owned(), bytes: text.into() };
    let policy = Policy::parse(&[file]).unwrap().policy;
    let found = judge(&Seen::gather(root.path()), Some(Rules { policy: &policy, host: &host() }));
    assert_eq!(found[0].id, "observed-by-policy");

    let bare = tempfile::tempdir().unwrap();
    write(bare.path(), &[("etc/pam.d/sshd", "@include common-account\n".to_owned())]);
    let found = judge(&Seen::gather(bare.path()), None);
    let ids: Vec<_> = found.iter().map(|found| (found.id, found.severity)).collect();
    assert_eq!(ids, [("nothing-asks", Severity::Note)]);
}

#[test]
fn a_module_that_is_named_and_is_not_there_is_found() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &good());
    let ids =
        |root: &Path| judge(&Seen::gather(root), None).into_iter().map(|found| found.id).collect::<Vec<_>>();
    assert!(!ids(root.path()).contains(&"module-missing"));
    fs::remove_dir_all(root.path().join("usr/lib/x86_64-linux-gnu")).unwrap();
    assert_eq!(ids(root.path())[0], "module-missing");
}

#[test]
fn what_cannot_be_read_is_said_and_not_judged() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &good());
    fs::remove_file(root.path().join("etc/sudoers")).unwrap();
    // Root reads whatever it likes: a folder is what nobody can read.
    fs::create_dir(root.path().join("etc/sudoers")).unwrap();
    let seen = Seen::gather(root.path());
    assert_eq!(seen.unseen.iter().map(|unseen| unseen.what.as_str()).collect::<Vec<_>>(), ["/etc/sudoers"]);
}
