//! What sudoers(5) says of PAM: which service sudo asks, and whether it asks at all. `!pam_acct_mgmt` passes the account stage
//! over, `!pam_session` the session, and `pam_service` asks another service than the one that policy is about.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The file that sudo reads first.
pub const FILE: &str = "/etc/sudoers";

/// What all such settings begin with.
const PAM: &str = "pam_";

/// More files than this are not read, and no larger ones; nor are more settings kept, or longer ones.
const MOST_FILES: usize = 256;
const MOST_BYTES: u64 = 1024 * 1024;
const MOST_SETTINGS: usize = 64;
const MOST_OF_ONE: usize = 256;

/// What is found in the order in which sudo reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A setting that is about PAM.
    Setting(Setting),
    /// A file that could not be read or was not, and why.
    Unread {
        /// The file, as the host has it.
        file: PathBuf,
        /// Why, as the rest of a sentence about it.
        why: &'static str,
    },
}

/// A setting that is about PAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The file that it is in, as the host has it.
    pub file: PathBuf,
    /// The line in it that it begins in, from 1.
    pub number: usize,
    /// Whom or what it is about, as it is written (`:ana`, `@host`, `>root`, `!CMND`); empty where it is about everybody.
    pub whom: String,
    /// What is set, as it is written there, with single blanks.
    pub text: String,
}

/// The settings of PAM of the host that has its root folder here. None where there is no such file.
#[must_use]
pub fn read(root: &Path) -> Option<Vec<Found>> {
    let file = Path::new(FILE);
    if fs::symlink_metadata(below(root, file)).is_err_and(|err| err.kind() == std::io::ErrorKind::NotFound) {
        return None;
    }
    let mut reader = Reader { root, files: 0, found: Vec::new() };
    reader.read(file);
    Some(reader.found)
}

/// The same as lines for the record: each setting as `Defaults:maria !pam_session`, and a line for each file that was not
/// read. No more and no longer ones than a record has room for.
#[must_use]
pub fn pam_settings(root: &Path) -> Option<Vec<String>> {
    let mut said: Vec<String> = read(root)?.iter().map(said).collect();
    let more = said.len().saturating_sub(MOST_SETTINGS);
    said.truncate(MOST_SETTINGS);
    if more > 0 {
        said.push(format!("and {more} more"));
    }
    Some(said)
}

/// The PAM services that some line chooses, whoever and whatever it is for; or why that cannot be told. Sources other than
/// the files may choose more.
pub fn services(root: &Path) -> Result<BTreeSet<String>, String> {
    let sources = fs::read_to_string(below(root, Path::new("/etc/nsswitch.conf"))).unwrap_or_default();
    let sources = sources.lines().find_map(|line| line.trim().strip_prefix("sudoers:")).unwrap_or("files");
    let sources = sources.split('#').next().unwrap_or_default().split_whitespace();
    if let Some(other) = sources.filter(|source| !source.starts_with('[')).find(|source| *source != "files") {
        return Err(format!("sudo asks {other}, too, what sudoers says"));
    }
    let mut services = BTreeSet::new();
    for found in read(root).unwrap_or_default() {
        match found {
            Found::Unread { file, why } => return Err(format!("{} {why}", file.display())),
            Found::Setting(setting) => services.extend(service(&setting.text)),
        }
    }
    Ok(services)
}

/// The service that a setting chooses.
fn service(setting: &str) -> Option<String> {
    let (_, value) = setting.split_once('=')?;
    let chooses = ["pam_service", "pam_login_service"].contains(&name(setting));
    let value = value.trim().trim_matches('"');
    (chooses && !value.is_empty()).then(|| value.to_owned())
}

fn said(found: &Found) -> String {
    let said = match found {
        Found::Setting(one) => format!("Defaults{} {}", one.whom, one.text),
        Found::Unread { file, why } => format!("{} {why}", file.display()),
    };
    said.chars().take(MOST_OF_ONE).collect()
}

/// Where a file of the host is.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

struct Reader<'a> {
    root: &'a Path,
    files: usize,
    found: Vec<Found>,
}

impl Reader<'_> {
    fn read(&mut self, path: &Path) {
        let unread = |why| Found::Unread { file: path.to_owned(), why };
        self.files += 1;
        if self.files > MOST_FILES {
            return self.found.push(unread("is not read: it is one file too many"));
        }
        let Some(text) = text(&below(self.root, path)) else {
            return self.found.push(unread("cannot be read"));
        };
        let folder = path.parent().unwrap_or(path);
        for (number, line) in lines(&text) {
            match Line::of(&line) {
                Line::Settings { whom, settings } => {
                    let of_pam = settings.into_iter().filter(|setting| name(setting).starts_with(PAM));
                    self.found.extend(of_pam.map(|text| {
                        Found::Setting(Setting { file: path.to_owned(), number, whom: whom.clone(), text })
                    }));
                }
                Line::File(other) => self.read(&folder.join(other)),
                Line::Folder(other) => self.folder(&folder.join(other)),
                Line::Other => {}
            }
        }
    }

    /// Those that sudo reads of a folder: not what ends in `~` or has a dot, by the order of their names.
    fn folder(&mut self, path: &Path) {
        let Ok(entries) = fs::read_dir(below(self.root, path)) else { return };
        let files = entries.flatten().filter(|entry| entry.path().is_file());
        let mut names: Vec<_> = files.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| !name.ends_with('~') && !name.contains('.'));
        names.sort_unstable();
        for name in &names {
            self.read(&path.join(name));
        }
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

/// The lines, each with those that it goes on in and the number of the first of them.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    let (mut first, mut begun) = (1, String::new());
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(goes_on) = line.strip_suffix('\\') {
            begun += goes_on;
        } else {
            all.push((first, std::mem::take(&mut begun) + line));
            first = number + 1;
        }
    }
    all.push((first, begun));
    all
}

#[derive(Debug)]
enum Line {
    /// `Defaults`, with whom or what they are for, and what they are.
    Settings {
        whom: String,
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
        let whom = if rest.starts_with([':', '@', '!', '>']) { first_word(rest) } else { "" };
        let settings = rest.strip_prefix(whom).unwrap_or_default();
        if !settings.starts_with(char::is_whitespace) {
            return Self::Other;
        }
        Self::Settings { whom: whom.to_owned(), settings: parts(settings) }
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

    fn host(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = root.path().join("etc").join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        root
    }

    fn settings(files: &[(&str, &str)]) -> Option<Vec<String>> {
        pam_settings(host(files).path())
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
    fn every_service_that_a_line_chooses_is_found_and_none_where_that_cannot_be_told() {
        let of = |files: &[(&str, &str)]| services(host(files).path());
        let text = "Defaults>mwdeploy pam_service=sudo-mwdeploy\nDefaults!WEB !pam_session, pam_service = \"sudo-web\"\n\
                    Defaults pam_login_service=sudo-in\n# Defaults pam_service=sudo-none\nDefaults !pam_setcred\n";
        let all = ["sudo-in", "sudo-mwdeploy", "sudo-web"].map(str::to_owned);
        assert_eq!(of(&[("sudoers", text)]), Ok(BTreeSet::from(all.clone())));
        assert_eq!(of(&[]), Ok(BTreeSet::new()), "there is no sudo");
        let files = ("nsswitch.conf", "sudoers: files # ldap\n");
        assert_eq!(of(&[("sudoers", text), files]), Ok(BTreeSet::from(all)));
        let sss = ("nsswitch.conf", "passwd: files\nsudoers: files [NOTFOUND=continue] sss\n");
        assert_eq!(of(&[("sudoers", text), sss]).unwrap_err(), "sudo asks sss, too, what sudoers says");
        assert_eq!(of(&[("sudoers", "@include gone\n")]).unwrap_err(), "/etc/gone cannot be read");
    }

    #[test]
    fn files_are_read_where_sudo_reads_them_and_in_its_order() {
        let no = |n: u32| format!("Defaults pam_service=s{n}\n");
        let read = settings(&[
            (
                "sudoers",
                &format!(
                    "{}@include /etc/one\n#include two\n@includedir /etc/d\n#includedir \"e\"\n{}",
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
        assert_eq!(read[5..], ["/etc/e/gone cannot be read", "Defaults pam_service=s9"]);
    }

    #[test]
    fn a_file_that_takes_itself_in_or_says_too_much_is_read_as_far_as_it_goes() {
        let read = of("Defaults pam_session\n@include sudoers\n");
        assert_eq!(read.len(), MOST_SETTINGS + 1);
        assert!(read.last().unwrap().starts_with("and "), "{read:?}");
        let long = of(&format!("Defaults pam_service={}\n", "ä".repeat(1000)));
        assert_eq!(long[0].chars().count(), MOST_OF_ONE);
        let large = of(&format!("Defaults !pam_session\n{}", "#".repeat(1024 * 1024)));
        assert_eq!(large, ["/etc/sudoers cannot be read"]);
    }

    #[test]
    fn a_setting_is_found_with_the_file_and_the_line_that_it_begins_in() {
        let text = "# first\nDefaults env_reset, \\\n  !pam_session\n@include more\n";
        let root = host(&[("sudoers", text), ("more", "\nDefaults:ana ! pam_acct_mgmt # no\n")]);
        let of = |file: &str, number, whom: &str, text: &str| {
            Found::Setting(Setting { file: file.into(), number, whom: whom.into(), text: text.into() })
        };
        assert_eq!(
            read(root.path()).unwrap(),
            [of(FILE, 2, "", "!pam_session"), of("/etc/more", 2, ":ana", "! pam_acct_mgmt")]
        );
    }
}
