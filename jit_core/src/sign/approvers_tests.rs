//! The approvers file: what is taken means what it means to ssh-keygen, and what is not is an error with its line.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::sign::sshsig::Signature;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0+yzr0M+a6/OC9i7Y5VHO9h1cOUCLsBWJd2nKZ0wbG";

fn parse(line: &str) -> Result<Approver, Why> {
    let line = line.replace("KEY", KEY);
    match Approvers::parse(line.as_bytes()) {
        Ok(mut all) => Ok(all.0.remove(0)),
        Err(mut bad) => Err(bad.remove(0).why),
    }
}

#[test]
fn a_line_has_principals_options_and_a_key() {
    let one = parse("olga@site-a,sam KEY olga's key").unwrap();
    assert_eq!(one.principals.iter().map(ToString::to_string).collect::<Vec<_>>(), ["olga@site-a", "sam"]);
    assert!(one.approves() && one.after.is_none() && one.before.is_none());
    let one = parse("olga\tnamespaces=\"file,jitd.approval.v1\",valid-after=\"20260101Z\"  KEY").unwrap();
    assert!(one.approves());
    assert_eq!(one.after.map(Utc::to_seconds).as_deref(), Some("2026-01-01T00:00:00Z"));
    let one = parse("olga valid-before=\"202601020304Z\",namespaces=\"file\" KEY").unwrap();
    assert!(!one.approves());
    assert_eq!(one.before.map(Utc::to_seconds).as_deref(), Some("2026-01-02T03:04:00Z"));
}

#[test]
fn what_is_not_understood_is_an_error_and_never_passed_over() {
    let option = |text: &str| Why::Option(text.to_owned());
    for (line, why) in [
        ("olga", Why::Form),
        ("olga KEY,", Why::Key(BadKey::Form)),
        ("olga ssh-ed25519", Why::Form),
        ("olga cert-authority KEY", Why::CertAuthority),
        ("olga cert-authority,namespaces=\"file\" KEY", Why::CertAuthority),
        ("olga namespaces=\"file\",cert-authority KEY", Why::CertAuthority),
        ("olga verify-required KEY", option("verify-required")),
        ("olga Namespaces=\"file\" KEY", option("Namespaces=\"file\"")),
        ("olga namespaces=file KEY", option("namespaces=file")),
        (
            "olga namespaces=\"file KEY",
            option("namespaces=\"file ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0+yzr0…"),
        ),
        ("olga namespaces=\"a\",namespaces=\"b\" KEY", option("namespaces=\"b\"")),
        ("olga namespaces=\"a\", KEY", option("")),
        ("olga namespaces=\"jitd.*\" KEY", Why::Namespace("jitd.*".into())),
        ("olga namespaces=\"!file\" KEY", Why::Namespace("!file".into())),
        ("olga namespaces=\"\" KEY", Why::Namespace(String::new())),
        ("olga valid-after=\"20260101\" KEY", Why::Time("20260101".into())),
        ("olga valid-after=\"20261301Z\" KEY", Why::Time("20261301Z".into())),
        ("olga valid-after=\"2026010112Z\" KEY", Why::Time("2026010112Z".into())),
        ("olga valid-before=\"19700101Z\" KEY", Why::Time("19700101Z".into())),
        ("olga valid-after=\"20260102Z\",valid-before=\"20260101Z\" KEY", Why::Never),
        ("*@site-a KEY", Why::Principal(BadPrincipal::Char('*'))),
        ("\"olga\" KEY", Why::Principal(BadPrincipal::Char('"'))),
        ("olga,,sam KEY", Why::Principal(BadPrincipal::Length(0))),
        (
            "olga ssh-ed25519-cert-v01@openssh.com AAAA",
            Why::Key(BadKey::Certificate("ssh-ed25519-cert-v01@openssh.com".into())),
        ),
        ("olga ssh-dss AAAA", Why::Key(BadKey::Kind("ssh-dss".into()))),
        ("olga\u{7} KEY", Why::Text),
    ] {
        assert_eq!(parse(line), Err(why), "{line}");
    }
    assert!(parse("olga KEY").is_ok());
}

#[test]
fn every_bad_line_is_told_with_its_number_and_then_nobody_is_in_the_file() {
    let text = format!("# approvers\n\nolga KEY\nsam cert-authority KEY\neva KEY\n{}", "x".repeat(9000));
    let bad = Approvers::parse(text.replace("KEY", KEY).as_bytes()).unwrap_err();
    let told: Vec<String> = bad.iter().map(ToString::to_string).collect();
    assert_eq!(bad.iter().map(|one| one.line).collect::<Vec<_>>(), [4, 5, 6], "{told:?}");
    assert_eq!(bad[1].why, Why::Again(3));
    assert_eq!(bad[2].why, Why::Long);
    assert!(Approvers::parse(format!("# none\n\r\n  # yet\nolga {KEY}\r\n").as_bytes()).is_ok());
    assert!(Approvers::parse(&vec![b'#'; MAX_FILE + 1]).is_err());
    assert!(Approvers::parse(b"").unwrap().is_empty());
}

#[test]
fn a_list_of_revoked_keys_is_keys_and_nothing_else() {
    let revoked = Revoked::parse(format!("# gone\n{KEY} olga's old one\n").as_bytes()).unwrap();
    assert!(revoked.contains(&parse("olga KEY").unwrap().key));
    for bad in ["SHA256:abc", "olga KEY", "ssh-ed25519"] {
        assert!(Revoked::parse(bad.replace("KEY", KEY).as_bytes()).is_err(), "{bad}");
    }
    assert_eq!(Revoked::parse(b"\xff").unwrap_err()[0].why, Why::Text);
}

/// What `ssh-keygen -Y verify` says of the committed signature under this file, at this time of local clocks in UTC.
fn openssh_takes(dir: &Path, file: &str, principal: &str) -> bool {
    let signers = dir.join("signers");
    fs::write(&signers, file).unwrap();
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/offline-vectors/");
    let mut verify = Command::new("ssh-keygen");
    verify.args([
        "-q",
        "-Y",
        "verify",
        "-n",
        NAMESPACE,
        "-O",
        "verify-time=20261129120000Z",
        "-I",
        principal,
    ]);
    verify.arg("-f").arg(&signers).arg("-s").arg(format!("{vectors}ed25519.sig"));
    let mut child = verify.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let text = fs::read(format!("{vectors}r-4k7m2qx9.req")).unwrap();
    // It may have said no before it reads.
    let _unread = child.stdin.take().unwrap().write_all(&text);
    child.wait().unwrap().success()
}

/// One line, in words that are taken and words that are not.
fn line(key: String) -> impl Strategy<Value = String> {
    let principals = prop_oneof![Just("olga"), Just("sam,olga"), Just("sam"), Just("olga@site-a,olga")];
    let time = prop_oneof![
        Just("20261129Z"),
        Just("20261129120000Z"),
        Just("20261129120001Z"),
        Just("202611291159Z"),
        Just("20251231Z"),
        Just("20270101Z"),
        Just("20261130Z"),
    ];
    let option = prop_oneof![
        Just("namespaces=\"jitd.approval.v1\"".to_owned()),
        Just("namespaces=\"file,jitd.approval.v1\"".to_owned()),
        Just("namespaces=\"file\"".to_owned()),
        Just("namespaces=\"jitd.approval.v1,\"".to_owned()),
        Just("cert-authority".to_owned()),
        Just("unknown".to_owned()),
        time.clone().prop_map(|time| format!("valid-after=\"{time}\"")),
        time.prop_map(|time| format!("valid-before=\"{time}\"")),
    ];
    let options = proptest::collection::vec(option, 0..3).prop_map(|options| options.join(","));
    let blank = prop_oneof![Just(" "), Just("\t"), Just("  ")];
    let key = prop_oneof![4 => Just(key), 1 => Just(KEY.to_owned())];
    (principals, blank.clone(), options, blank, key, prop_oneof![Just(""), Just(" a comment"), Just(" \"")])
        .prop_map(|(principals, one, options, two, key, comment)| {
            if options.is_empty() {
                format!("{principals}{one}{key}{comment}\n")
            } else {
                format!("{principals}{one}{options}{two}{key}{comment}\n")
            }
        })
}

fn vector_key() -> String {
    let vectors = include_str!("../../offline-vectors/approvers");
    let line = vectors.lines().find(|line| line.starts_with("ed25519@")).unwrap();
    line.split(' ').skip(2).take(2).collect::<Vec<_>>().join(" ")
}

proptest! {
    // Each case starts ssh-keygen twice.
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whoever_counts_by_a_file_that_we_take_counts_for_ssh_keygen_and_nobody_else(line in line(vector_key())) {
        let Ok(ours) = Approvers::parse(line.as_bytes()) else { return Ok(()) };
        let dir = tempfile::tempdir().unwrap();
        let signature = Signature::parse(include_bytes!("../../offline-vectors/ed25519.sig")).unwrap();
        let now: Utc = "2026-11-29T12:00:00Z".parse().unwrap();
        for principal in ["olga", "sam"] {
            let we_take = ours.of(signature.key()).is_some_and(|approver| {
                approver.approves()
                    && approver.after.is_none_or(|after| now >= after)
                    && approver.before.is_none_or(|before| now <= before)
                    && approver.principals.iter().any(|name| name.to_string() == principal)
            });
            prop_assert_eq!(we_take, openssh_takes(dir.path(), &line, principal), "{}: {}", principal, line);
        }
    }

    #[test]
    fn no_bytes_break_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _any = (Approvers::parse(&bytes), Revoked::parse(&bytes));
    }
}
