//! Signatures that OpenSSH 9.2p1 made (jit_core/offline-vectors/make), and what becomes of each: the right one counts, and
//! every wrong one is refused by its own reason.

use super::approvers::{Approvers, Revoked};
use super::key::{BadKey, Key, Presence};
use super::sshsig::{BadSignature, Signature};
use super::verify::{NotVerified, Verified, verify};
use crate::time::Utc;

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("../../offline-vectors/", $name))
    };
}

const FILE: &[u8] = vector!("r-4k7m2qx9.req");

/// Each kind of key, with its signature over the file of the request.
const KINDS: [(&str, &[u8]); 10] = [
    ("ed25519", vector!("ed25519.sig")),
    ("ed25519-sha256", vector!("ed25519-sha256.sig")),
    ("p256", vector!("p256.sig")),
    ("p384", vector!("p384.sig")),
    ("p521", vector!("p521.sig")),
    ("rsa2048", vector!("rsa2048.sig")),
    ("rsa4096", vector!("rsa4096.sig")),
    ("rsa4096-sha256", vector!("rsa4096-sha256.sig")),
    ("sk-ed25519", vector!("sk-ed25519.sig")),
    ("sk-p256", vector!("sk-p256.sig")),
];

fn approvers() -> Approvers {
    Approvers::parse(vector!("approvers")).unwrap()
}

fn at(time: &str) -> Utc {
    time.parse().unwrap()
}

const NOW: &str = "2026-11-29T12:00:00Z";

fn judge(text: &[u8], signature: &[u8]) -> Result<Verified, NotVerified> {
    verify(&approvers(), &Revoked::default(), text, signature, at(NOW))
}

#[test]
fn every_kind_of_key_approves_the_file_that_it_signed_and_no_other() {
    let other = String::from_utf8_lossy(FILE).replace("expires: 2026-11-29T16", "expires: 2026-11-29T17");
    for (kind, signature) in KINDS {
        let verified = judge(FILE, signature).unwrap_or_else(|why| panic!("{kind}: {why}"));
        assert_eq!(verified.text.text().as_bytes(), FILE, "{kind}");
        assert_eq!(verified.signature.as_bytes(), signature, "{kind}: as ssh-keygen wrote it");
        assert_eq!(verified.presence.is_some(), kind.starts_with("sk-"), "{kind}");
        assert!(verified.presence.is_none_or(Presence::touched), "{kind}");
        let refused = judge(other.as_bytes(), signature).unwrap_err();
        assert!(matches!(refused, NotVerified::Forged(_)), "{kind}: {refused}");
    }
}

#[test]
fn statements_are_verified_as_the_file_is() {
    for (text, signature) in [
        (vector!("deny.statement").as_slice(), vector!("deny.sig").as_slice()),
        (vector!("less.statement"), vector!("less.sig")),
    ] {
        assert!(judge(text, signature).is_ok());
        assert!(matches!(judge(FILE, signature), Err(NotVerified::Forged(_))));
    }
}

#[test]
fn every_byte_that_is_flipped_in_a_signature_takes_it_away() {
    for (kind, signature) in [KINDS[0], KINDS[2], KINDS[8]] {
        for at in 0..signature.len() {
            let mut changed = signature.to_vec();
            changed[at] ^= 1;
            let verified = judge(FILE, &changed);
            assert!(verified.is_err(), "{kind}: byte {at}");
        }
        assert!(judge(FILE, signature).is_ok());
    }
}

#[test]
fn a_signature_that_mail_gave_crlf_counts_and_one_with_anything_around_it_does_not() {
    let text = String::from_utf8(KINDS[0].1.to_vec()).unwrap();
    let mailed_file = String::from_utf8_lossy(FILE).replace('\n', "\r\n");
    for good in [text.replace('\n', "\r\n"), text.trim_end().to_owned(), text.clone()] {
        assert!(judge(FILE, good.as_bytes()).is_ok(), "{good:?}");
        assert!(judge(mailed_file.as_bytes(), good.as_bytes()).is_ok(), "{good:?}");
    }
    for bad in [
        text.replacen('\n', "\r\n", 1),
        format!("\n{text}"),
        format!("{text}\n"),
        format!("{text}{text}"),
        format!(" {text}"),
        text.replace("SSH SIGNATURE", "PGP SIGNATURE"),
        text.replacen("U1NI", "U1N-", 1),
        text[..text.len() - 5].to_owned(),
        String::new(),
    ] {
        let refused = judge(FILE, bad.as_bytes()).unwrap_err();
        let by_form = matches!(refused, NotVerified::Signature(BadSignature::Armour(_) | BadSignature::Form));
        assert!(by_form, "{bad:?}: {refused}");
    }
    let giant = format!("{}{}", text, "A".repeat(9000));
    let refused = judge(FILE, giant.as_bytes()).unwrap_err();
    assert_eq!(refused, NotVerified::Signature(BadSignature::Long(giant.len())));
}

#[test]
fn what_openssh_signs_and_we_do_not_take_is_refused_by_its_own_reason() {
    let why = |signature: &[u8]| match judge(FILE, signature).unwrap_err() {
        NotVerified::Signature(why) => why,
        other => panic!("{other}"),
    };
    assert!(judge(FILE, KINDS[0].1).is_ok());
    assert_eq!(
        why(vector!("namespace.sig")),
        BadSignature::Namespace { said: "file".into(), wanted: super::NAMESPACE }
    );
    assert!(matches!(why(vector!("certificate.sig")), BadSignature::Key(BadKey::Certificate(_))));
    assert_eq!(why(vector!("rsa1024.sig")), BadSignature::Key(BadKey::RsaBits(1024)));
    assert!(matches!(why(vector!("dsa.sig")), BadSignature::Key(BadKey::Kind(kind)) if kind == "ssh-dss"));
}

#[test]
fn a_key_that_nobody_named_and_one_for_something_else_approve_nothing() {
    let refused = judge(FILE, vector!("stranger.sig")).unwrap_err();
    assert!(matches!(refused, NotVerified::Unknown(_)), "{refused}");
    let refused = judge(FILE, vector!("git-only.sig")).unwrap_err();
    assert!(matches!(refused, NotVerified::Namespace { .. }), "{refused}");
}

#[test]
fn a_key_counts_from_its_first_second_to_its_last_whatever_the_clock_does() {
    let signature = vector!("dated.sig");
    let judge = |time: &str| verify(&approvers(), &Revoked::default(), FILE, signature, at(time));
    for inside in ["2026-11-01T00:00:00Z", NOW, "2026-12-01T00:00:00Z", "2026-12-01T00:00:00.999Z"] {
        assert!(judge(inside).is_ok(), "{inside}");
    }
    assert!(matches!(judge("2026-10-31T23:59:59Z"), Err(NotVerified::Early { .. })));
    assert!(matches!(judge("2026-12-01T00:00:01Z"), Err(NotVerified::Late { .. })));
}

#[test]
fn a_revoked_key_approves_nothing_and_the_others_go_on() {
    let keys = String::from_utf8_lossy(vector!("approvers"));
    let line = keys.lines().find(|line| line.starts_with("ed25519@")).unwrap();
    let key = line.split(' ').skip(2).collect::<Vec<_>>().join(" ");
    let revoked = Revoked::parse(key.as_bytes()).unwrap();
    let judge = |signature| verify(&approvers(), &revoked, FILE, signature, at(NOW));
    assert!(matches!(judge(KINDS[0].1), Err(NotVerified::Revoked(_))));
    assert!(judge(KINDS[2].1).is_ok());
}

#[test]
fn a_fido_signature_without_a_touch_does_not_count_though_openssh_takes_it() {
    for signature in [vector!("sk-ed25519-untouched.sig").as_slice(), vector!("sk-p256-untouched.sig")] {
        let parsed = Signature::parse(signature).unwrap();
        assert_eq!(parsed.presence().map(|presence| presence.flags), Some(0));
        assert!(parsed.is_over(FILE), "the signature itself is good");
        assert!(matches!(judge(FILE, signature), Err(NotVerified::Untouched(_))));
    }
}

/// The points of small order of Ed25519 in their canonical forms, and two that are not in one.
#[test]
fn a_weak_point_is_refused_when_the_file_is_read() {
    const WEAK: [&str; 5] = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    ];
    for point in WEAK {
        let point: Vec<u8> =
            (0..32).map(|at| u8::from_str_radix(&point[2 * at..2 * at + 2], 16).unwrap()).collect();
        let mut blob = Vec::new();
        super::wire::put(&mut blob, b"ssh-ed25519");
        super::wire::put(&mut blob, &point);
        assert_eq!(Key::from_blob(&blob), Err(BadKey::Weak), "{point:02x?}");
        // The same key as a FIDO one.
        let mut blob = Vec::new();
        for part in [b"sk-ssh-ed25519@openssh.com".as_slice(), &point, b"ssh:"] {
            super::wire::put(&mut blob, part);
        }
        assert_eq!(Key::from_blob(&blob), Err(BadKey::Weak));
    }
}

#[test]
fn a_binary_key_has_one_form() {
    let line = String::from_utf8_lossy(vector!("approvers"))
        .lines()
        .find(|l| l.starts_with("rsa2048@"))
        .unwrap()
        .to_owned();
    let encoded = line.split(' ').nth(3).unwrap();
    let good = Key::parse("ssh-rsa", encoded).unwrap();
    assert_eq!(good.kind(), "ssh-rsa");
    assert_eq!(
        Key::parse("ssh-ed25519", encoded),
        Err(BadKey::OtherKind { said: "ssh-ed25519".into(), is: "ssh-rsa".into() })
    );
    let mut blob = Vec::new();
    super::wire::put(&mut blob, b"ssh-rsa");
    super::wire::put(&mut blob, &[1]);
    let mut modulus = vec![0, 0xc1];
    modulus.resize(257, 0x55);
    super::wire::put(&mut blob, &modulus);
    assert_eq!(Key::from_blob(&blob), Err(BadKey::Form), "an exponent of 1 leaves the signature as it is");
    blob.push(0);
    assert_eq!(Key::from_blob(&blob), Err(BadKey::Form));
}

#[test]
fn what_somebody_wrote_into_a_key_is_shown_without_what_a_terminal_acts_on() {
    let mut blob = Vec::new();
    super::wire::put(&mut blob, b"ssh-\x1b[2J");
    assert_eq!(Key::from_blob(&blob), Err(BadKey::Kind(r"ssh-\u{1b}[2J".into())));
}
