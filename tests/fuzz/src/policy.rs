//! Reading: what holds for whatever was read, whether it loads or not.

use jit_core::policy::{Finding, Policy, Severity, SourceFile, diff};
use jit_proto::text::is_unprintable;

use crate::{assert_line, assert_lines};

/// The most characters of an excerpt, with the marks of what was left out.
const MAX_EXCERPT: usize = 121;

/// The longest file.
const MAX_BYTES: usize = 1 << 20;

/// Reads files and checks what is said about them. The policy, if they make one.
pub(crate) fn read(files: &[SourceFile]) -> Option<Policy> {
    let read = Policy::parse(files);
    let backwards: Vec<_> = files.iter().rev().cloned().collect();
    assert_eq!(Policy::parse(&backwards), read, "the order of files changes something");
    match read {
        Ok(loaded) => {
            assert!(loaded.warnings.iter().all(|finding| finding.severity == Severity::Warning));
            check_findings(files, &loaded.warnings);
            check_policy(&loaded.policy);
            Some(loaded.policy)
        }
        Err(findings) => {
            assert!(findings.iter().any(|finding| finding.severity == Severity::Error));
            check_findings(files, &findings);
            None
        }
    }
}

/// A file that is too long is refused for that alone, whatever is in it.
pub(crate) fn refuse_at_length(file: &SourceFile) {
    let mut bytes = vec![b'#'; MAX_BYTES + 1];
    bytes[..file.bytes.len().min(MAX_BYTES)].copy_from_slice(&file.bytes[..file.bytes.len().min(MAX_BYTES)]);
    let findings = Policy::parse(&[SourceFile { bytes, ..file.clone() }]).unwrap_err();
    assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["JIT003"]);
}

fn check_policy(policy: &Policy) {
    let again = Policy::parse(policy.files()).unwrap().policy;
    assert_eq!(again.digest(), policy.digest());
    assert_eq!(again, *policy, "the same files mean the same twice");
    assert_eq!(diff(policy, &again), []);
    let expanded = Policy::parse(&policy.expanded()).unwrap().policy;
    assert!(expanded.roles().eq(policy.roles()), "what a policy comes to is the same policy");
    assert_eq!(diff(policy, &expanded), []);
    for role in policy.roles() {
        assert_eq!(policy.role(&role.name), Some(role));
        assert!(!role.hosts.is_empty() && !role.services.is_empty() && !role.eligible.is_empty());
        assert!(role.default_duration <= role.max_duration && !role.default_duration.is_zero());
        assert!(
            !role.stages.is_empty()
                && role.stages.iter().all(|stage| stage.approvers.sets().all(|set| !set.is_empty()))
        );
        for service in &role.services {
            assert!(
                policy.roles_for(service).any(|other| other.name == role.name),
                "{} {service}",
                role.name
            );
        }
    }
}

/// What is said of files can be shown, and names places in them.
pub(crate) fn check_findings(files: &[SourceFile], findings: &[Finding]) {
    for finding in findings {
        assert_line(&finding.to_string());
        assert_lines(&finding.render());
        assert!(!finding.excerpt.chars().any(is_unprintable), "{finding:?}");
        let named: Vec<_> = files.iter().filter(|file| file.name == finding.file).collect();
        assert!(!named.is_empty() || finding.file == "policy.d", "{finding:?}");
        assert!(named.is_empty() || named.iter().any(|file| is_in(finding, file)), "{finding:?}");
        let length = finding.excerpt.chars().count();
        assert!(length <= MAX_EXCERPT, "{finding:?}");
        // The place after the last character is a place as well.
        assert!(finding.underline.end <= length + 1, "{finding:?}");
        assert!(finding.excerpt.is_empty() || !finding.underline.is_empty(), "{finding:?}");
    }
}

/// Whether the place is one of the file's.
fn is_in(finding: &Finding, file: &SourceFile) -> bool {
    let text = String::from_utf8_lossy(&file.bytes);
    let line = text.split('\n').nth(finding.line - 1);
    line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&finding.column))
}
