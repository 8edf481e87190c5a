//! What sudoers(5) says of PAM: which service sudo asks, and whether it asks at all. `!pam_acct_mgmt` passes the account stage
//! over, `!pam_session` the session, and `pam_service` asks another service than the one that policy is about.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The file, in an `/etc`.
pub const FILE: &str = "sudoers";

/// What all such settings begin with.
const PAM: &str = "pam_";

/// More files than this are not read, and no larger ones; nor are more settings kept, or longer ones.
const MOST_FILES: usize = 256;
const MOST_BYTES: u64 = 1024 * 1024;
const MOST_SETTINGS: usize = 64;
const MOST_OF_ONE: usize = 256;

/// The settings of PAM in the order in which sudo reads them, each as `Defaults:maria !pam_session`, and a line for each file
/// that could not be read or was not. None where there is no such file.
#[must_use]
pub fn pam_settings(etc: &Path) -> Option<Vec<String>> {
    let file = etc.join(FILE);
    if fs::symlink_metadata(&file).is_err_and(|err| err.kind() == std::io::ErrorKind::NotFound) {
        return None;
    }
    let mut found = Found::default();
    found.read(&file);
    let more = found.settings.len().saturating_sub(MOST_SETTINGS);
    found.settings.truncate(MOST_SETTINGS);
    if more > 0 {
        found.settings.push(format!("and {more} more"));
    }
    Some(found.settings)
}

/// What has been found so far.
#[derive(Debug, Default)]
struct Found {
    files: usize,
    settings: Vec<String>,
}

impl Found {
    fn read(&mut self, path: &Path) {
        self.files += 1;
        if self.files > MOST_FILES {
            return self.add(&format!("{} is not read: it is one file too many", path.display()));
        }
        let Some(text) = text(path) else {
            return self.add(&format!("{} cannot be read", path.display()));
        };
        let folder = path.parent().unwrap_or(path);
        for line in lines(&text) {
            match Line::of(&line) {
                Line::Settings { whose, settings } => {
                    let of_pam = settings.iter().filter(|setting| name(setting).starts_with(PAM));
                    of_pam.for_each(|setting| self.add(&format!("{whose} {setting}")));
                }
                Line::File(other) => self.read(&folder.join(other)),
                Line::Folder(other) => self.folder(&folder.join(other)),
                Line::Other => {}
            }
        }
    }

    /// Those that sudo reads of a folder: not what ends in `~` or has a dot, by the order of their names.
    fn folder(&mut self, path: &Path) {
        let Ok(entries) = fs::read_dir(path) else { return };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or(".");
            !name.ends_with('~') && !name.contains('.') && file.is_file()
        });
        files.sort_unstable();
        for file in &files {
            self.read(file);
        }
    }

    fn add(&mut self, setting: &str) {
        let end = setting.char_indices().nth(MOST_OF_ONE).map_or(setting.len(), |(at, _)| at);
        self.settings.push(setting.get(..end).unwrap_or_default().to_owned());
    }
}

fn text(path: &Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let read = File::open(path).ok()?.take(MOST_BYTES + 1).read_to_end(&mut bytes).ok()?;
    (read as u64 <= MOST_BYTES).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines, each with those that it goes on in.
fn lines(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut begun = String::new();
    for line in text.lines() {
        if let Some(goes_on) = line.strip_suffix('\\') {
            begun += goes_on;
        } else {
            all.push(std::mem::take(&mut begun) + line);
        }
    }
    all.push(begun);
    all
}

#[derive(Debug)]
enum Line {
    /// `Defaults`, with whom or what they are for, and what they are.
    Settings {
        whose: String,
        settings: Vec<String>,
    },
    File(PathBuf),
    Folder(PathBuf),
    Other,
}

impl Line {
    fn of(line: &str) -> Self {
        let line = line.trim();
        let rest = |word: &str| {
            let rest = line.strip_prefix(['@', '#'])?.strip_prefix(word)?;
            rest.starts_with(char::is_whitespace).then(|| path(rest.trim()))
        };
        if let Some(file) = rest("include") {
            return Self::File(file);
        }
        if let Some(folder) = rest("includedir") {
            return Self::Folder(folder);
        }
        let Some(rest) = line.strip_prefix("Defaults") else { return Self::Other };
        // `Defaults`, or `Defaults:maria`, `Defaults@host`, `Defaults!command`, `Defaults>account`.
        let whose = if rest.starts_with([':', '@', '!', '>']) { first_word(rest) } else { "" };
        let settings = rest.strip_prefix(whose).unwrap_or_default();
        if !settings.starts_with(char::is_whitespace) {
            return Self::Other;
        }
        Self::Settings { whose: format!("Defaults{whose}"), settings: parts(settings) }
    }
}

/// Up to the first blank that is not in quotes or behind a backslash, or in a list that a comma goes on.
fn first_word(text: &str) -> &str {
    let (mut is_quoted, mut is_escaped, mut goes_on) = (false, false, true);
    for (at, letter) in text.char_indices() {
        let is_blank = letter.is_whitespace() && !is_quoted && !is_escaped;
        if is_blank && !goes_on {
            return text.get(..at).unwrap_or(text);
        }
        is_quoted ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        // Blanks behind the sign, and behind a comma, belong to the list.
        goes_on =
            if is_blank { goes_on } else { matches!(letter, ':' | '@' | '!' | '>' | ',') && !is_quoted };
    }
    text
}

/// The settings of a line, without a comment behind them.
fn parts(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let (mut is_quoted, mut is_escaped) = (false, false);
    for letter in text.chars() {
        let is_plain = !is_quoted && !is_escaped;
        match letter {
            '#' if is_plain => break,
            ',' if is_plain => all.push(String::new()),
            _ => {
                is_quoted ^= letter == '"' && !is_escaped;
                if let Some(last) = all.last_mut() {
                    last.push(letter);
                }
            }
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    let trimmed = all.iter().map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    trimmed.filter(|part| !part.is_empty()).collect()
}

/// What a setting sets.
fn name(setting: &str) -> &str {
    let name = setting.trim_start_matches(['!', ' ']);
    name.split(['=', '+', '-', ' ']).next().unwrap_or(name)
}

fn path(text: &str) -> PathBuf {
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    PathBuf::from(text.replace("\\ ", " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(files: &[(&str, &str)]) -> Option<Vec<String>> {
        let etc = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = etc.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text.replace("ETC", &etc.path().display().to_string())).unwrap();
        }
        let read = pam_settings(etc.path())?;
        Some(read.iter().map(|one| one.replace(&etc.path().display().to_string(), "ETC")).collect())
    }

    fn of(text: &str) -> Vec<String> {
        settings(&[("sudoers", text)]).unwrap()
    }

    #[test]
    fn every_setting_of_pam_is_found_with_whom_it_is_for_and_no_other() {
        let text = r#"
Defaults	env_reset, !pam_session
Defaults:maria,erik !pam_acct_mgmt, passwd_tries = 1
Defaults : spaced pam_setcred
Defaults@db-1 pam_service=sudo-x,   pam_login_service = "sudo, too"
Defaults!/usr/bin/id ! pam_session   # pam_silent
Defaults>postgres, \
   oracle pam_service = \
   sudo-db
# Defaults !pam_session
Defaultspam_session
maria ALL = (ALL) pam_session
Defaults badpass_message="use pam_session, !pam_acct_mgmt"
Defaults:#1001 !pam_session
"#;
        assert_eq!(
            of(text),
            [
                "Defaults !pam_session",
                "Defaults:maria,erik !pam_acct_mgmt",
                "Defaults@db-1 pam_service=sudo-x",
                "Defaults@db-1 pam_login_service = \"sudo, too\"",
                "Defaults!/usr/bin/id ! pam_session",
                "Defaults>postgres,    oracle pam_service = sudo-db",
                "Defaults:#1001 !pam_session",
            ]
        );
        assert_eq!(of(""), [] as [&str; 0]);
        assert_eq!(settings(&[]), None);
    }

    #[test]
    fn files_are_read_where_sudo_reads_them_and_in_its_order() {
        let no = |n: u32| format!("Defaults pam_service=s{n}\n");
        let read = settings(&[
            (
                "sudoers",
                &format!(
                    "{}@include ETC/one\n#include two\n@includedir ETC/d\n#includedir \"e\"\n{}",
                    no(0),
                    no(9)
                ),
            ),
            ("one", &no(1)),
            ("two", &no(2)),
            ("d/b", &no(4)),
            ("d/a", &no(3)),
            ("d/a.dpkg-old", &no(5)),
            ("d/a~", &no(6)),
            ("d/README.txt", &no(7)),
            ("d/sub/a", &no(8)),
            ("e/a", "@include gone\n@includedir nowhere\n"),
        ]);
        let expected = [0, 1, 2, 3, 4].map(|n| format!("Defaults pam_service=s{n}"));
        let read = read.unwrap();
        assert_eq!(read[..5], expected);
        assert_eq!(read[5..], ["ETC/e/gone cannot be read", "Defaults pam_service=s9"]);
    }

    #[test]
    fn a_file_that_takes_itself_in_or_says_too_much_is_read_as_far_as_it_goes() {
        let read = of("Defaults pam_session\n@include sudoers\n");
        assert_eq!(read.len(), MOST_SETTINGS + 1);
        assert!(read.last().unwrap().starts_with("and "), "{read:?}");
        let long = of(&format!("Defaults pam_service={}\n", "ä".repeat(1000)));
        assert_eq!(long[0].chars().count(), MOST_OF_ONE);
        let large = of(&format!("Defaults !pam_session\n{}", "#".repeat(1024 * 1024)));
        assert_eq!(large, ["ETC/sudoers cannot be read"]);
    }
}
