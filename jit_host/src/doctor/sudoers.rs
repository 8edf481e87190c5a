//! What sudoers(5) sets that is about PAM: it can pass over the stages that jitd is asked at.

use std::path::Path;

use super::reading::{Unseen, files, text};

const SUDOERS: &str = "/etc/sudoers";

/// Files that take in each other end somewhere.
const DEPTH: usize = 8;

/// A setting that is about PAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The file that it is in.
    pub file: String,
    /// The line in it, from 1.
    pub number: usize,
    /// Whom it is about, as it is written (`:ana`, `@host`, `>root`, `!CMND`); empty where it is about everybody.
    pub whom: String,
    /// What is set, as it is written there.
    pub text: String,
}

pub(super) fn read(root: &Path, unseen: &mut Vec<Unseen>) -> Vec<Setting> {
    let mut found = Vec::new();
    take(root, SUDOERS, DEPTH, unseen, &mut found);
    found
}

fn take(root: &Path, path: &str, depth: usize, unseen: &mut Vec<Unseen>, found: &mut Vec<Setting>) {
    let Some(said) = text(root, path, unseen) else { return };
    found.extend(settings(path, &said));
    if depth == 0 {
        return;
    }
    for line in said.lines().map(str::trim) {
        let Some((word, rest)) = line.split_once(char::is_whitespace) else { continue };
        let rest = rest.trim().trim_matches('"');
        match word {
            "@include" | "#include" => take(root, rest, depth - 1, unseen, found),
            "@includedir" | "#includedir" => {
                // sudo passes over what has a dot in its name, or ends in `~`.
                let name_of = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
                let inside = files(root, &format!("{}/*", rest.trim_end_matches('/')), unseen);
                let read = inside.into_iter().filter(|path| {
                    let name = name_of(path);
                    !name.contains('.') && !name.ends_with('~')
                });
                read.for_each(|path| take(root, &path, depth - 1, unseen, found));
            }
            _ => {}
        }
    }
}

/// The settings of one text that are about PAM.
fn settings(file: &str, text: &str) -> Vec<Setting> {
    let mut found = Vec::new();
    let (mut open, mut number) = (String::new(), 0);
    for (at, line) in text.lines().enumerate() {
        if open.is_empty() {
            number = at + 1;
        }
        if let Some(line) = line.strip_suffix('\\') {
            open += line;
            continue;
        }
        let line = std::mem::take(&mut open) + line;
        let Some(rest) = line.trim_start().strip_prefix("Defaults") else { continue };
        let (whom, said) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let said = said.split('#').next().unwrap_or_default();
        let about_pam = said.split(',').map(|one| one.split_whitespace().collect::<String>()).filter(|one| {
            matches!(one.as_str(), "!pam_acct_mgmt" | "!pam_session")
                || one.starts_with("pam_service=")
                || one.starts_with("pam_login_service=")
        });
        found.extend(about_pam.map(|text| Setting {
            file: file.to_owned(),
            number,
            whom: whom.to_owned(),
            text,
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_about_pam_are_found_with_whom_they_are_about() {
        let text = "# Defaults !pam_acct_mgmt\nDefaults env_reset, \\\n  !pam_session\nDefaults:ana ! pam_acct_mgmt # no\n\
                    Defaults pam_service=other\nana ALL=(ALL) ALL\n";
        let found: Vec<_> =
            settings("f", text).into_iter().map(|one| (one.number, one.whom, one.text)).collect();
        let of = |number, whom: &str, text: &str| (number, whom.to_owned(), text.to_owned());
        assert_eq!(
            found,
            [of(2, "", "!pam_session"), of(4, ":ana", "!pam_acct_mgmt"), of(5, "", "pam_service=other")]
        );
    }
}
