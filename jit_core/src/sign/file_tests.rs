//! The two texts that are signed: one form each, and every other one refused with its place.

use std::process::Command;
use std::time::Duration;

use jit_proto::words::{HostName, Reason, RequestId, Uid};
use proptest::prelude::*;

use super::file::RequestFile;
use super::lines::{BadText, FILE_LABELS, escaped, unescaped};
use super::statement::{Signable, Statement};
use crate::digest::Digest;
use crate::model::{Decision, Narrow, Person, Request};
use crate::policy::Uses;
use crate::proof::checkpoint::Signed;
use crate::proof::merkle::Frontier;
use crate::proof::note::HostKey;
use crate::services::Services;
use crate::time::{BootId, Moment, Utc};

pub(super) fn host_key() -> HostKey {
    HostKey::from_seed("press-7/jitd".parse().unwrap(), &[7; 32])
}

/// The request of the committed vectors.
pub(super) fn request() -> Request {
    let at = Utc::from_unix_millis(1_795_939_200_120);
    let technician = Person::named("technician".parse().unwrap(), Uid::try_from(2001).unwrap());
    Request {
        id: "r-4k7m2qx9".parse().unwrap(),
        host: "press-7".parse::<HostName>().unwrap(),
        beneficiary: technician.clone(),
        role: "vendor-root".parse().unwrap(),
        terms: Digest::of(b"terms"),
        services: [(); 1].map(|()| "sudo".parse().unwrap()).into(),
        uses: Uses::Unlimited,
        duration: Duration::from_mins(30),
        start: None,
        extends: None,
        before: Duration::ZERO,
        teams: std::collections::BTreeSet::new(),
        filed_by: technician,
        filed_at: Moment::believed(at, 0, BootId::default()),
        reason: "CASE-1234 Störung am Pressentisch, \\\\nas\\log".parse::<Reason>().unwrap(),
        ticket: None,
        ahead: None,
    }
}

pub(super) fn sample() -> RequestFile {
    let expires = Utc::from_unix_millis(1_795_968_000_999);
    let mut tree = Frontier::default();
    tree.append(Digest::of(b"record"));
    RequestFile::of(&request(), &host_key(), expires, Some(Signed::over(&tree, &host_key())))
}

const VECTOR: &str = include_str!("../../offline-vectors/r-4k7m2qx9.req");

#[test]
fn the_file_of_a_request_is_as_it_was_frozen() {
    assert_eq!(sample().text(), VECTOR);
    assert_eq!(RequestFile::parse(VECTOR.as_bytes()), Ok(sample()));
}

#[test]
fn the_statements_are_as_they_were_frozen() {
    let deny = include_str!("../../offline-vectors/deny.statement");
    let less = include_str!("../../offline-vectors/less.statement");
    let note = Some("not today".parse().unwrap());
    assert_eq!(Statement::about(&sample(), Decision::Deny, Narrow::default(), note).text(), deny);
    let narrow = Narrow {
        duration: Some(Duration::from_mins(10)),
        services: Some([(); 1].map(|()| "sudo".parse().unwrap()).into()),
        uses: Some(std::num::NonZeroU32::MIN),
    };
    assert_eq!(Statement::about(&sample(), Decision::Approve, narrow, None).text(), less);
    for text in [deny, less] {
        assert_eq!(Signable::parse(text.as_bytes()).unwrap().text(), text);
    }
}

#[test]
fn a_file_that_mail_gave_crlf_reads_as_it_was_and_one_that_is_half_changed_is_refused() {
    let mailed = VECTOR.replace('\n', "\r\n");
    assert_eq!(RequestFile::parse(mailed.as_bytes()), Ok(sample()));
    let half = mailed.replacen("\r\n", "\n", 1);
    assert_eq!(RequestFile::parse(half.as_bytes()), Err(BadText::Ends { line: 1 }));
}

/// Whoever denies a request or approves less of it quotes the digest: so nothing that they read may be of another one.
#[test]
fn a_file_in_which_a_carrier_changed_anything_that_is_shown_is_not_read() {
    let fields = [
        ("host: press-7", "host: press-8"),
        ("request: r-4k7m2qx9", "request: r-4k7m2qx8"),
        ("user: technician", "user: manager"),
        ("uid: 2001", "uid: 2002"),
        ("role: vendor-root", "role: vendor-look"),
        ("terms: 51", "terms: 52"),
        ("services: sudo,sudo-i", "services: login"),
        ("uses: unlimited", "uses: 1"),
        ("duration: 30m", "duration: 5m"),
        ("start: at-approval", "start: 2026-11-29T09:00:00Z"),
        ("extends: none", "extends: g-4k7m2qx7"),
        ("filed-by: technician", "filed-by: manager"),
        ("filed-by-uid: 2001", "filed-by-uid: 2002"),
        ("filed-at: 2026-11-29T08", "filed-at: 2026-11-29T07"),
        ("reason: CASE-1234", "reason: CASE-1235"),
    ];
    for (from, to) in fields {
        let changed = VECTOR.replacen(&format!("\n{from}"), &format!("\n{to}"), 1);
        assert_ne!(changed, VECTOR, "{from}");
        assert_eq!(RequestFile::parse(changed.as_bytes()), Err(BadText::Digest { line: 5 }), "{to}");
    }
    let digest = VECTOR.replacen("\ndigest: 30", "\ndigest: 31", 1);
    assert_eq!(RequestFile::parse(digest.as_bytes()), Err(BadText::Digest { line: 5 }));
    assert_eq!(RequestFile::parse(VECTOR.as_bytes()), Ok(sample()));
    // A statement quotes the others itself, but for the checkpoint, which the host has signed.
    let said = Statement::about(&sample(), Decision::Deny, Narrow::default(), None).text();
    for label in ["host-key", "nonce", "expires"] {
        let line = VECTOR.lines().find(|line| line.starts_with(&format!("{label}: "))).unwrap();
        assert!(said.lines().any(|quoted| quoted == line), "{label}");
    }
    let bound = fields.map(|(from, _)| from.split(':').next().unwrap());
    let other = ["host-key", "nonce", "expires", "digest", "checkpoint"];
    assert!(FILE_LABELS.iter().all(|label| bound.contains(label) || other.contains(label)), "a new field");
}

#[test]
fn a_changed_file_is_as_it_was_frozen() {
    let left = include_str!("../../offline-vectors/changed.req");
    assert_eq!(RequestFile::parse(left.as_bytes()), Err(BadText::Digest { line: 5 }));
    // One whose digest was made anew reads, and is of a request that no host has.
    let anew = RequestFile::parse(include_bytes!("../../offline-vectors/changed-digest.req")).unwrap();
    assert_ne!(anew.digest, sample().digest);
    assert_eq!(anew.differs_in(&sample()), Some("digest"));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/offline-vectors/");
    for (name, agrees) in [("r-4k7m2qx9.req", true), ("changed.req", false), ("changed-digest.req", true)] {
        let program = format!("{folder}digest.py");
        let said =
            Command::new("python3").args(["-B", &program, &format!("{folder}{name}")]).output().unwrap();
        assert_eq!(said.status.success(), agrees, "{name}: {said:?}");
    }
}

#[test]
fn what_is_not_the_one_form_of_a_file_is_refused_with_its_place() {
    let refused = |text: String| RequestFile::parse(text.as_bytes()).unwrap_err();
    let lines: Vec<&str> = VECTOR.lines().collect();
    let with = |at: usize, line: &str| {
        let mut lines = lines.clone();
        lines[at - 1] = line;
        lines.join("\n") + "\n"
    };
    assert_eq!(RequestFile::parse(VECTOR.as_bytes()), Ok(sample()));
    assert_eq!(refused(with(1, "jitd.request-file.v2")), BadText::Version);
    assert_eq!(refused(with(2, "hosts: press-7")), BadText::Label { line: 2, label: "host" });
    assert_eq!(refused(with(2, "host:  press-7")), BadText::Value { line: 2, label: "host" });
    assert_eq!(refused(with(8, "uid: 02001")), BadText::Value { line: 8, label: "uid" });
    assert_eq!(refused(with(11, "services: sudo-i,sudo")), BadText::Value { line: 11, label: "services" });
    assert_eq!(refused(with(11, "services: sudo")), BadText::Value { line: 11, label: "services" });
    assert_eq!(refused(with(13, "duration: 1800s")), BadText::Value { line: 13, label: "duration" });
    assert_eq!(refused(with(13, "duration: 0s")), BadText::Value { line: 13, label: "duration" });
    assert_eq!(
        refused(with(19, "expires: 2026-11-29T16:00:00+00:00")),
        BadText::Value { line: 19, label: "expires" }
    );
    assert_eq!(
        refused(with(19, "expires: 2026-11-29T16:00:00.5Z")),
        BadText::Value { line: 19, label: "expires" }
    );
    assert_eq!(refused(with(20, "reason: \\u{43}ASE")), BadText::Value { line: 20, label: "reason" });
    assert_eq!(refused(with(20, "reason: Störung")), BadText::Byte { line: 20 });
    assert_eq!(refused(with(20, "reason: a\u{7}")), BadText::Byte { line: 20 });
    let twice = VECTOR.replacen("uid: 2001\n", "uid: 2001\nuid: 2001\n", 1);
    assert_eq!(refused(twice), BadText::Label { line: 9, label: "role" });
    assert_eq!(refused(format!("{VECTOR}\n")), BadText::More { line: 22 });
    assert_eq!(refused(VECTOR.trim_end().to_owned()), BadText::Cut);
    assert_eq!(refused(VECTOR[..VECTOR.len() / 2].to_owned()), BadText::Cut);
    assert_eq!(refused(String::new()), BadText::Version);
    assert_eq!(refused("x".repeat(5000)), BadText::Long(5000));
}

#[test]
fn a_denial_takes_nothing_away_and_a_statement_has_one_form() {
    let deny = Statement::about(&sample(), Decision::Deny, Narrow::default(), None).text();
    assert!(Statement::parse(deny.as_bytes()).is_ok());
    for (from, to, label) in [
        ("duration: as-asked", "duration: 10m", "duration"),
        ("uses: as-asked", "uses: 1", "uses"),
        ("note: none", "note: -", "note"),
        ("note: none", "note: -  x", "note"),
        ("decision: deny", "decision: Deny", "decision"),
    ] {
        let refused = Statement::parse(deny.replace(from, to).as_bytes()).unwrap_err();
        assert!(matches!(refused, BadText::Value { label: found, .. } if found == label), "{to}: {refused}");
    }
}

#[test]
fn no_two_requests_and_no_two_expiries_share_a_nonce_and_no_other_key_makes_it() {
    let (one, key) = (sample(), host_key());
    let again = RequestFile::of(&request(), &key, one.expires, None);
    assert_eq!(again.nonce, one.nonce);
    let later = RequestFile::of(&request(), &key, one.expires.plus(Duration::from_secs(1)), None);
    assert_ne!(later.nonce, one.nonce);
    let other =
        RequestFile::of(&Request { id: RequestId::from_bits(1), ..request() }, &key, one.expires, None);
    assert_ne!(other.nonce, one.nonce);
    let clone = HostKey::from_seed("press-7/jitd".parse().unwrap(), &[8; 32]);
    let cloned = RequestFile::of(&request(), &clone, one.expires, None);
    assert_ne!(cloned.nonce, one.nonce);
    assert_eq!(cloned.differs_in(&one), Some("host-key"));
    assert_eq!(again.differs_in(&one), Some("checkpoint"));
    assert_eq!(one.differs_in(&one), None);
}

#[test]
fn what_is_too_long_to_be_read_is_not_written() {
    assert!(sample().bounded().is_ok());
    let long = Request { reason: "ö".repeat(510).parse().unwrap(), ..request() };
    assert!(matches!(
        RequestFile::of(&long, &host_key(), sample().expires, None).bounded(),
        Err(BadText::Long(_)) | Ok(_)
    ));
    let name = Person::named("ö".repeat(127).parse().unwrap(), Uid::try_from(7).unwrap());
    let longer = Request { beneficiary: name.clone(), filed_by: name, ..long };
    let refused = RequestFile::of(&longer, &host_key(), sample().expires, None).bounded();
    assert!(matches!(refused, Err(BadText::Long(_))), "{refused:?}");
}

fn words() -> impl Strategy<Value = String> {
    "[a-zA-ZäöüßЖ中😀\\\\{}u. -]{0,40}"
}

proptest! {
    #[test]
    fn any_text_goes_into_ascii_and_comes_back(text in "\\PC{0,60}") {
        let one = escaped(&text);
        prop_assert!(one.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        prop_assert_eq!(unescaped(&one), Some(text));
    }

    #[test]
    fn every_file_reads_back_as_what_it_was_written_of(
        reason in words(), user in "[a-zäЖ][a-z\\\\]{0,9}", seconds in 1_u64..31_536_000, uses in 0_u32..9,
        expires in 0_i64..4_102_444_800, start in proptest::option::of(0_i64..4_102_444_800_000),
        services in proptest::collection::btree_set("[a-z]{1,6}", 1..5), bits in any::<u64>(),
    ) {
        let mut request = request();
        request.reason = format!("x{reason}y").parse().unwrap();
        request.beneficiary.name = user.parse().unwrap();
        request.duration = Duration::from_secs(seconds);
        request.uses = std::num::NonZeroU32::new(uses).map_or(Uses::Unlimited, Uses::Times);
        request.start = start.map(Utc::from_unix_millis);
        request.services = services.iter().map(|name| name.parse().unwrap()).collect::<Services>();
        request.extends = (bits % 2 == 0).then(|| RequestId::from_bits(bits).into());
        let file = RequestFile::of(&request, &host_key(), Utc::from_unix_millis(expires * 1000), sample().checkpoint);
        let text = file.text();
        prop_assert_eq!(text.lines().count(), FILE_LABELS.len() + 1);
        prop_assert_eq!(RequestFile::parse(text.as_bytes()), Ok(file));
    }

    #[test]
    fn no_changed_byte_reads_as_the_same_file(at in 0..VECTOR.len(), byte in any::<u8>()) {
        let mut bytes = VECTOR.as_bytes().to_vec();
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        prop_assert_ne!(RequestFile::parse(&bytes), Ok(sample()));
    }

    #[test]
    fn whatever_is_read_is_written_again_just_so(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(text) = Signable::parse(&bytes) {
            prop_assert_eq!(text.text().into_bytes(), bytes);
        }
    }
}
