//! What is brought to a host as a signed file, whatever bytes it is.

use jit_core::sign::any::AnyText;
use jit_core::sign::approvers::{Approvers, Revoked};
use jit_core::sign::clock::Challenge;
use jit_core::sign::kind::{Kind, SignedText};
use jit_core::sign::sshsig::Signature;
use jit_core::sign::verify::{NotVerified, verify_text};
use jit_core::sign::{ADMIN_NAMESPACE, MAX_SIGNATURE, MAX_TEXT, NAMESPACE};
use jit_core::time::Utc;

use crate::reached::{Goal, reach, reach_if};
use crate::{assert_line, assert_lines, split};

/// Takes three texts: what is signed, the signature, the approvers file. Each has one form or is refused in a line that
/// can be shown, and nothing is verified by a key that the file does not name. The answer is how many were verified.
///
/// # Panics
///
/// Where a rule is broken.
#[must_use]
pub fn signed(bytes: &[u8]) -> usize {
    let texts = split(bytes);
    let [text, signature, approvers] = [0, 1, 2].map(|at| texts.get(at).copied().unwrap_or_default());
    match AnyText::parse(text) {
        Ok(read) => {
            let written = read.text();
            assert!(written.len() <= MAX_TEXT);
            assert_lines(&written);
            assert_eq!(Kind::of(text), Some(read.kind()));
            reach(match read.kind() {
                Kind::Request => Goal::TextRequest,
                Kind::Review => Goal::TextReview,
                Kind::Grant => Goal::TextGrant,
                Kind::Revoke => Goal::TextRevoke,
                Kind::Lock => Goal::TextLock,
                Kind::Clock => Goal::TextClock,
            });
            assert_eq!(AnyText::parse(written.as_bytes()), Ok(read), "a text has one form");
        }
        Err(why) => assert_line(&why.to_string()),
    }
    if let Ok(read) = Challenge::parse(text) {
        reach(Goal::Challenge);
        assert_lines(&read.text());
        assert!(AnyText::parse(text).is_err(), "nobody signs a challenge");
    }
    for namespace in [NAMESPACE, ADMIN_NAMESPACE] {
        match Signature::parse_for(namespace, signature) {
            Ok(read) => {
                reach(Goal::Signature);
                reach_if(read.presence().is_some(), Goal::SignatureFido);
                let written = read.to_string();
                assert!(signature.len() <= MAX_SIGNATURE);
                let again = Signature::parse_for(namespace, written.as_bytes()).unwrap();
                assert_eq!(again.to_string(), written);
            }
            Err(why) => assert_line(&why.to_string()),
        }
    }
    let named = match Approvers::parse(approvers) {
        Ok(named) => named,
        Err(bad) => {
            assert!(!bad.is_empty());
            for line in &bad {
                assert_line(&line.to_string());
            }
            return 0;
        }
    };
    reach(Goal::Approvers);
    let at: Utc = "2026-11-29T12:00:00Z".parse().unwrap();
    match verify_text::<AnyText>(&named, &Revoked::default(), text, signature, at) {
        Ok(verified) => {
            // The file names the key, in so many letters.
            let key = verified.key.to_string();
            // A comment may be any bytes.
            let lines = String::from_utf8_lossy(approvers);
            let encoded = key.split_once(' ').unwrap().1;
            assert!(lines.lines().any(|line| !line.trim().starts_with('#') && line.contains(encoded)));
            assert!(verified.presence.is_none_or(|presence| presence.flags & 1 == 1));
            reach(Goal::Verified);
            reach_if(verified.presence.is_some(), Goal::VerifiedFido);
            1
        }
        Err(why) => {
            assert_line(&why.to_string());
            reach_if(!matches!(why, NotVerified::Text(_) | NotVerified::Signature(_)), Goal::NotVerified);
            0
        }
    }
}
