//! The texts that people write of themselves: one form each, and every other one refused with its place.

use std::collections::BTreeSet;

use super::ADMIN_NAMESPACE;
use super::any::{AnyText, concerns};
use super::approvers::{Approvers, Revoked};
use super::clock::{Challenge, ClockStatement, Episode};
use super::grant::GrantStatement;
use super::hosts::Hosts;
use super::kind::{Kind, SignedText};
use super::lines::BadText;
use super::lock::LockStatement;
use super::revoke::{RevokeStatement, What};
use super::sshsig::BadSignature;
use super::verify::{NotVerified, verify_text};
use crate::policy::HostGroup;
use crate::time::Suspicion;

pub(super) const GRANT: &str = include_str!("../../offline-vectors/grant.statement");
pub(super) const REVOKE: &str = include_str!("../../offline-vectors/revoke.statement");
pub(super) const LOCK: &str = include_str!("../../offline-vectors/lock.statement");
pub(super) const CLOCK: &str = include_str!("../../offline-vectors/clock.statement");
const CHALLENGE: &str = include_str!("../../offline-vectors/clock.challenge");

const ALL: [(Kind, &str); 4] =
    [(Kind::Grant, GRANT), (Kind::Revoke, REVOKE), (Kind::Lock, LOCK), (Kind::Clock, CLOCK)];

#[test]
fn the_texts_that_people_write_are_as_they_were_frozen() {
    let key = super::file_tests::host_key();
    let host_key = super::file::fingerprint(&key.public());
    let grant = GrantStatement {
        serial: "00112233445566778899aabbccddeeff".parse().unwrap(),
        hosts: Hosts::parse("@presses,press-9,press-7").unwrap(),
        host_key: None,
        user: "technician".parse().unwrap(),
        behind: Some("Jörg Ü. (Druck & Co)".parse().unwrap()),
        role: "vendor-root".parse().unwrap(),
        services: Some(["sudo".parse().unwrap()].into_iter().collect()),
        uses: std::num::NonZeroU32::new(3),
        duration: Some(std::time::Duration::from_mins(90)),
        issued: "2026-11-29T08:00:00Z".parse().unwrap(),
        not_before: "2026-11-30T06:00:00Z".parse().unwrap(),
        not_after: "2026-12-04T18:00:00Z".parse().unwrap(),
        reason: "CASE-1234 Störung am Pressentisch".parse().unwrap(),
    };
    assert_eq!(grant.text(), GRANT);
    let revoke = RevokeStatement {
        hosts: Hosts::parse("*").unwrap(),
        host_key: None,
        revokes: What::Serial(grant.serial),
        issued: "2026-11-30T09:00:00Z".parse().unwrap(),
        not_after: "2026-12-07T09:00:00Z".parse().unwrap(),
        reason: Some("another technician comes".parse().unwrap()),
    };
    assert_eq!(revoke.text(), REVOKE);
    let lock = LockStatement {
        serial: "ffeeddccbbaa99887766554433221100".parse().unwrap(),
        hosts: Hosts::parse("press-7,@presses").unwrap(),
        host_key: None,
        scope: "user:technician".parse().unwrap(),
        until: Some("2026-12-02T00:00:00Z".parse().unwrap()),
        issued: "2026-11-30T09:00:00Z".parse().unwrap(),
        not_after: "2026-12-07T09:00:00Z".parse().unwrap(),
        message: None,
    };
    assert_eq!(lock.text(), LOCK);
    let episode = Episode {
        boot: "6f8e4c1a-0000-4000-8000-00000000000a+17".parse().unwrap(),
        why: Suspicion::Behind,
        since: "2020-01-01T00:00:07.5Z".parse().unwrap(),
        mark: "2026-11-29T08:00:00Z".parse().unwrap(),
    };
    let challenge = Challenge::of(&"press-7".parse().unwrap(), &key, &episode, 90_061);
    assert_eq!(challenge.text(), CHALLENGE);
    assert_eq!(Challenge::parse(CHALLENGE.as_bytes()), Ok(challenge.clone()));
    assert_eq!(challenge.host_key, host_key);
    let time = "2026-11-30T09:15:30.25Z".parse().unwrap();
    let reason = Some("the RTC battery was changed".parse().unwrap());
    assert_eq!(ClockStatement::answer(challenge, time, reason).text(), CLOCK);
}

#[test]
fn each_text_has_one_form_and_says_its_kind() {
    for (kind, text) in ALL {
        let read = AnyText::parse(text.as_bytes()).unwrap();
        assert_eq!((read.kind(), read.text().as_str()), (kind, text));
        assert_eq!(Kind::of(text.as_bytes()), Some(kind));
        let mailed = text.replace('\n', "\r\n");
        assert_eq!(AnyText::parse(mailed.as_bytes()), Ok(read));
        assert_eq!(Kind::of(mailed.as_bytes()), Some(kind));
        let lines: Vec<&str> = text.lines().collect();
        for at in 0..lines.len() {
            // A line that is missing, one that comes twice, one with a blank more.
            let without = [&lines[..at], &lines[at + 1..]].concat().join("\n") + "\n";
            let twice = [&lines[..=at], &lines[at..]].concat().join("\n") + "\n";
            let mut blank = lines.clone();
            let longer = format!("{} ", lines[at]);
            blank[at] = &longer;
            for bad in [without, twice, blank.join("\n") + "\n"] {
                assert!(AnyText::parse(bad.as_bytes()).is_err(), "{kind:?}: {bad}");
            }
        }
        assert_eq!(AnyText::parse(&text.as_bytes()[..text.len() - 1]), Err(BadText::Cut));
    }
    assert_eq!(AnyText::parse(b"jitd.grant.v2\n"), Err(BadText::Version));
    assert_eq!(Kind::of(b"jitd.grant.v1"), Some(Kind::Grant), "by its first line, whatever follows");
}

fn refused(text: &str, line: &str, by: &str) -> String {
    let from = text.lines().find(|one| one.starts_with(&format!("{line}: "))).unwrap();
    let changed = text.replace(&format!("{from}\n"), &format!("{line}: {by}\n"));
    assert_ne!(changed, text);
    AnyText::parse(changed.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_grant_counts_for_seven_days_at_most_and_names_its_hosts() {
    assert_eq!(
        refused(GRANT, "not-after", "2026-12-06T08:00:01Z"),
        "'not-after' is more than 7 days after 'issued', and a grant counts for no longer"
    );
    let longest = GRANT.replace("not-after: 2026-12-04T18:00:00Z", "not-after: 2026-12-06T08:00:00Z");
    assert!(AnyText::parse(longest.as_bytes()).is_ok());
    assert!(refused(GRANT, "not-before", "2026-11-29T07:59:59Z").contains("is before 'issued'"));
    assert!(refused(GRANT, "not-after", "2026-11-30T06:00:00Z").contains("is not after 'not-before'"));
    for hosts in ["*", "press-*", "press-?", "press-9,press-7", "press-7,press-7", "Press-7", "@", "", "a b"]
    {
        assert!(refused(GRANT, "hosts", hosts).contains("line 3: 'hosts'"), "{hosts}");
    }
    for (line, by) in [
        ("serial", "00112233445566778899AABBCCDDEEFF"),
        ("serial", "0011"),
        ("duration", "0s"),
        ("duration", "90m"),
        ("uses", "0"),
        ("uses", "03"),
        ("for", "-"),
        ("for", "-  two blanks"),
        ("issued", "2026-11-29T08:00:00.5Z"),
        ("services", "sudo"),
    ] {
        assert!(refused(GRANT, line, by).contains("has a value that is never written so"), "{line}: {by}");
    }
}

#[test]
fn what_takes_access_away_may_name_all_hosts_and_counts_for_thirty_days_at_most() {
    for text in [REVOKE, LOCK] {
        assert!(refused(text, "not-after", "2026-12-30T09:00:01Z").contains("more than 30 days"));
        assert!(refused(text, "not-after", "2026-11-30T09:00:00Z").contains("is not after 'issued'"));
        assert!(refused(text, "hosts", "*,press-7").contains("'hosts'"));
    }
    assert!(refused(LOCK, "until", "2026-11-30T09:00:00Z").contains("'until' is not after 'issued'"));
    assert!(refused(LOCK, "scope", "everything").contains("'scope'"));
    assert!(refused(REVOKE, "revokes", "g-4k7m2qx9").contains("'revokes'"));
    let request = REVOKE.replace("00112233445566778899aabbccddeeff", "r-4k7m2qx9");
    assert!(AnyText::parse(request.as_bytes()).is_ok());
}

#[test]
fn a_text_concerns_the_hosts_that_it_names_and_no_others() {
    let key = super::file::fingerprint(&super::file_tests::host_key().public());
    let is_for = |text: &str, host: &str, groups: &[&str], key: Option<&str>| {
        let groups: BTreeSet<HostGroup> = groups.iter().map(|group| group.parse().unwrap()).collect();
        concerns(text.as_bytes(), &host.parse().unwrap(), &groups, key).unwrap()
    };
    assert_eq!(is_for(GRANT, "press-7", &[], None), (Kind::Grant, true));
    assert_eq!(is_for(GRANT, "PRESS-7", &[], Some(&key)), (Kind::Grant, true));
    assert_eq!(is_for(GRANT, "press-8", &["presses"], None), (Kind::Grant, true));
    assert_eq!(is_for(GRANT, "press-8", &["saws"], None), (Kind::Grant, false));
    assert_eq!(is_for(GRANT, "press-77", &[], None), (Kind::Grant, false));
    assert_eq!(is_for(REVOKE, "anything", &[], None), (Kind::Revoke, true));
    assert_eq!(is_for(LOCK, "press-9", &[], None), (Kind::Lock, false));
    assert_eq!(is_for(CLOCK, "press-7", &[], Some(&key)), (Kind::Clock, true));
    let other = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(is_for(CLOCK, "press-7", &[], Some(other)), (Kind::Clock, false));
    let bound = GRANT.replace("host-key: any", &format!("host-key: {other}"));
    assert_eq!(is_for(&bound, "press-7", &[], Some(&key)), (Kind::Grant, false));
    assert_eq!(is_for(&bound, "press-7", &[], Some(other)), (Kind::Grant, true));
    let file = include_str!("../../offline-vectors/r-4k7m2qx9.req");
    assert_eq!(is_for(file, "press-7", &[], Some(&key)), (Kind::Request, true));
    assert_eq!(is_for(file, "press-8", &[], Some(&key)), (Kind::Request, false));
}

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("../../offline-vectors/", $name))
    };
}

fn judge(text: &str, signature: &[u8]) -> Result<AnyText, NotVerified> {
    let approvers = Approvers::parse(vector!("approvers-authored")).unwrap();
    let at = "2026-11-30T12:00:00Z".parse().unwrap();
    let verified = verify_text(&approvers, &Revoked::default(), text.as_bytes(), signature, at)?;
    assert_eq!(verified.signature.as_bytes(), signature, "as ssh-keygen wrote it");
    Ok(verified.text)
}

#[test]
fn openssh_signs_each_text_and_what_it_signed_for_something_else_does_not_count() {
    for (text, good, other) in [
        (GRANT, vector!("grant.sig").as_slice(), vector!("grant-for-admin.sig").as_slice()),
        (REVOKE, vector!("revoke.sig"), vector!("revoke-for-admin.sig")),
        (LOCK, vector!("lock.sig"), vector!("lock-for-approval.sig")),
        (CLOCK, vector!("clock.sig"), vector!("clock-for-approval.sig")),
    ] {
        assert_eq!(judge(text, good).unwrap().text(), text);
        let refused = judge(text, other).unwrap_err();
        let by_namespace = matches!(refused, NotVerified::Signature(BadSignature::Namespace { .. }));
        assert!(by_namespace, "{refused}");
        let edited = text.replacen("press-7", "press-6", 1);
        let edited = if edited == text { text.replacen("another", "no other", 1) } else { edited };
        let refused = judge(&edited, good).unwrap_err();
        assert!(matches!(refused, NotVerified::Forged(_)), "{refused}");
    }
}

#[test]
fn a_key_that_approves_signs_nothing_that_is_an_admins() {
    for (text, signature) in
        [(LOCK, vector!("lock-by-lead.sig").as_slice()), (CLOCK, vector!("clock-by-lead.sig"))]
    {
        let refused = judge(text, signature).unwrap_err();
        let by_line = matches!(refused, NotVerified::Namespace { namespace: ADMIN_NAMESPACE, line: 2, .. });
        assert!(by_line, "{refused}");
    }
}
