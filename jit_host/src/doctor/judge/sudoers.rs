//! Whether sudo passes PAM over, or asks it by another name.

use super::stacks::as_other;
use crate::doctor::finding::{Finding, Severity};
use crate::doctor::seen::Seen;

pub(super) fn judge(seen: &Seen, found: &mut Vec<Finding>) {
    if !seen.asks("sudo") && !seen.asks("sudo-i") {
        return;
    }
    for setting in &seen.sudoers {
        let about = format!("{}:{}", setting.file.display(), setting.number);
        let whom = if setting.whom.is_empty() { String::new() } else { format!(" for `{}`", setting.whom) };
        let finding = match setting.text.split_once('=') {
            None if setting.text == "!pam_acct_mgmt" => Finding::new(
                "sudo-asks-nobody",
                Severity::Error,
                about,
                [
                    format!("`!pam_acct_mgmt`{whom}: sudo does not ask PAM whether somebody may use it."),
                    "They use sudo unasked, whether a window is open or not.".to_owned(),
                    format!("take it out with: visudo -f {}", setting.file.display()),
                ],
            ),
            None => Finding::new(
                "sudo-opens-no-session",
                Severity::Warning,
                about,
                [
                    format!("`!pam_session`{whom}: sudo opens no PAM session."),
                    "What it starts is found late or not at all when the window ends, and a single use is taken at the check."
                        .to_owned(),
                    format!("take it out with: visudo -f {}", setting.file.display()),
                ],
            ),
            Some((_, service)) => {
                let service = service.trim_matches('"');
                if seen.asks(service) {
                    continue;
                }
                Finding::new(
                    "sudo-by-another-name",
                    Severity::Error,
                    about,
                    [
                        format!("`{}`{whom}: sudo asks PAM as `{service}`, whose file does not name pam_jit.so.", setting.text),
                        "sudo is used unasked there.".to_owned(),
                        as_other(seen, "sudo", service),
                    ],
                )
            }
        };
        found.push(finding);
    }
}
