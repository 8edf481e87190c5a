use super::*;
use crate::sign::approvers::{Approvers, Revoked};
use crate::sign::sshsig::BadSignature;
use crate::sign::verify::{NotVerified, SignedBy, verify_bytes};

/// What is frozen in docs/offline.md: another program that takes and refuses what is named there takes and refuses this.
const VECTOR: &str = include_str!("../../offline-vectors/policy");

fn files() -> Vec<SourceFile> {
    let file = |name: &str, text: &str| SourceFile { name: name.into(), bytes: text.into() };
    vec![file("20-db.toml", "version = 1\n"), file("10-site.toml", "version = 1\n# é\n")]
}

fn manifest() -> Manifest {
    let at = |text: &str| text.parse().unwrap();
    let after = Some(Digest::of(b"before"));
    let times = (at("2026-11-23T08:00:00Z"), at("2026-12-23T08:00:00Z"));
    Manifest::of(&files(), Hosts::parse("db-1,@databases").unwrap(), 7, after, times)
}

#[test]
fn the_text_of_a_policy_is_the_one_that_is_frozen() {
    assert_eq!(manifest().text(), VECTOR);
    assert_eq!(Manifest::parse(VECTOR.as_bytes()), Ok(manifest()));
}

#[test]
fn no_changed_byte_reads_as_the_same_text_and_nothing_reads_but_what_is_written() {
    let bytes = VECTOR.as_bytes();
    for at in 0..bytes.len() {
        for flipped in [1, 0x20, 0x80] {
            let mut changed = bytes.to_vec();
            changed[at] ^= flipped;
            if let Ok(other) = Manifest::parse(&changed) {
                assert_eq!(other.text().as_bytes(), changed);
                assert_ne!(other, manifest());
            }
        }
    }
    for (old, new) in [
        ("serial: 7", "serial: 07"),
        ("serial: 7", "serial: -7"),
        ("not-after: 2026-12", "not-after: 2026-10"),
        ("jitd.policy.v1\n", "jitd.policy.v2\n"),
        ("hosts: db-1,@databases", "hosts: @databases,db-1"),
        ("\nissued", "\n\nissued"),
        ("20-db.toml\n", "20-db.toml"),
        ("20-db.toml\n", "20-db.toml\n\n"),
        ("file: ", "file:  "),
        ("12 20-db", "012 20-db"),
        ("10-site", "30-site"),
        ("20-db.toml", "10-site.toml"),
        ("\n", "\r\n"),
    ] {
        let changed = VECTOR.replacen(old, new, 1);
        assert_ne!(changed, VECTOR, "{old}");
        assert!(Manifest::parse(changed.as_bytes()).is_err(), "{new:?}");
    }
    assert!(matches!(Manifest::parse(&vec![b'x'; MAX_MANIFEST + 1]), Err(BadManifest::Long(_))));
}

#[test]
fn a_text_is_of_its_files_alone_all_of_them_and_byte_for_byte() {
    let manifest = manifest();
    assert_eq!(manifest.is_of(&files()), Ok(()));
    let mut other = files();
    other[0].bytes.push(b'#');
    assert_eq!(manifest.is_of(&other), Err(Differs::Bytes("20-db.toml".into())));
    other[0].bytes = b"version = 2\n".to_vec();
    assert_eq!(manifest.is_of(&other), Err(Differs::Bytes("20-db.toml".into())));
    let mut more = files();
    more.push(SourceFile { name: "30-more.toml".into(), bytes: Vec::new() });
    assert_eq!(manifest.is_of(&more), Err(Differs::More("30-more.toml".into())));
    assert_eq!(manifest.is_of(&files()[..1]), Err(Differs::Missing("10-site.toml".into())));
}

fn verified(text: &str, signature: &[u8]) -> Result<SignedBy, NotVerified> {
    let approvers = Approvers::parse(include_bytes!("../../offline-vectors/approvers-policy")).unwrap();
    let at = "2026-11-29T12:00:00Z".parse().unwrap();
    verify_bytes((&approvers, &Revoked::default()), NAMESPACE, text.as_bytes(), signature, at)
}

#[test]
fn a_signature_of_openssh_over_the_text_counts_for_a_policy_alone_and_for_this_text_alone() {
    let signature = include_bytes!("../../offline-vectors/policy.sig");
    let by = verified(VECTOR, signature).unwrap();
    assert_eq!(by.principals.iter().map(ToString::to_string).collect::<Vec<_>>(), ["olga"]);
    let other = VECTOR.replace("serial: 7", "serial: 8");
    assert!(matches!(verified(&other, signature), Err(NotVerified::Forged(_))));
    let for_approval = include_bytes!("../../offline-vectors/policy-for-approval.sig");
    let refused = verified(VECTOR, for_approval).unwrap_err();
    assert!(
        matches!(refused, NotVerified::Signature(BadSignature::Namespace { wanted: NAMESPACE, .. })),
        "{refused}"
    );
}
