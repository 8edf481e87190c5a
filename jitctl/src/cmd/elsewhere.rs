//! `jitctl -H HOST,…`: the same command on other hosts, by ssh, as systemctl(1) has it. What each of them says is prefixed with its
//! name, and the exit code is the worst.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::str::FromStr;
use std::thread;

use serde::Serialize;
use serde_json::Value;

use jit_proto::text::Shown;

use crate::error::{Error, Failure};
use crate::output;
use crate::screen::Screen;

/// So many are asked at once.
const AT_ONCE: usize = 16;

/// The exit code of a host that gave no answer, as if jitd there had not.
const SILENT: u8 = 3;

/// A host as ssh(1) is told it, with or without whom to log in as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remote(String);

impl FromStr for Remote {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | ':' | '[' | ']' | '%');
        // ssh would take what begins with a hyphen for an option.
        if text.is_empty()
            || text.len() > 255
            || text.starts_with('-')
            || text.contains("@-")
            || !text.chars().all(is_plain)
        {
            return Err("a host is HOST or USER@HOST, as ssh takes it".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a host answered, as JSON has it.
#[derive(Serialize)]
struct Answer {
    host: String,
    exit: u8,
    /// What it printed, if that was JSON.
    printed: Option<Value>,
    /// What it said on standard error.
    said: String,
}

/// What several hosts answered.
#[derive(Serialize)]
struct Answers {
    hosts: Vec<Answer>,
}

/// Whether this is root who logged in as somebody else: what sudoers lets somebody type on one host is not meant for others.
pub(crate) fn is_by_sudo(me: Option<u32>, root: &Path) -> bool {
    const UNSET: u32 = u32::MAX;
    let login = fs::read_to_string(root.join("proc/self/loginuid")).ok();
    let login: Option<u32> = login.and_then(|text| text.trim().parse().ok());
    me == Some(0) && login.is_some_and(|login| login != 0 && login != UNSET)
}

/// Runs the command on each host, and returns the worst exit code.
pub(crate) fn run(
    hosts: &[Remote],
    args: &[OsString],
    json: bool,
    root: &Path,
    screen: &mut Screen<'_>,
) -> Result<u8, Failure> {
    let command = command(args)?;
    let ssh = root.join("usr/bin/ssh");
    if let [host] = hosts {
        return one(&ssh, host, &command, screen);
    }
    let mut answers = Vec::new();
    for some in hosts.chunks(AT_ONCE) {
        let asked: Vec<_> = some
            .iter()
            .map(|host| {
                let mut asked = Command::new(&ssh);
                asked.args([
                    "-o",
                    "BatchMode=yes",
                    "-o",
                    "ConnectTimeout=10",
                    "-o",
                    "ServerAliveInterval=15",
                ]);
                asked.args(["--", &host.0, &command]).stdin(Stdio::null());
                thread::spawn(move || asked.output())
            })
            .collect();
        for (host, asked) in some.iter().zip(asked) {
            let output = asked.join().unwrap_or_else(|_| Err(io::Error::other("it was not asked")));
            let answer = answered(host, output);
            if !json {
                show(&answer.0, &answer.1, screen)?;
            }
            answers.push(answer.0);
        }
    }
    let worst = answers.iter().map(|answer| answer.exit).max().unwrap_or(0);
    if json {
        screen.data(&output::json(&Answers { hosts: answers })?)?;
    }
    Ok(worst)
}

/// One host has this terminal, as if one were logged in there.
fn one(ssh: &Path, host: &Remote, command: &str, screen: &Screen<'_>) -> Result<u8, Failure> {
    let mut asked = Command::new(ssh);
    // What goes into a file is what the host printed, byte for byte.
    if screen.can_ask() && screen.terminal {
        asked.arg("-t");
    }
    let status = asked.args(["--", &host.0, command]).status().map_err(|why| no_ssh(&why))?;
    Ok(exit_of(status))
}

fn no_ssh(why: &io::Error) -> Error {
    Error::Usage(format!("ssh cannot be run ({why})\nhint: apt-get install openssh-client"))
}

/// What a host answered, and its text.
fn answered(host: &Remote, output: io::Result<Output>) -> (Answer, String) {
    let host = host.to_string();
    match output {
        Ok(Output { status, stdout, stderr }) => {
            let (text, said) =
                (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr));
            let said = said.trim_end().to_owned();
            (Answer { host, exit: exit_of(status), printed: serde_json::from_str(&text).ok(), said }, text)
        }
        Err(why) => {
            let said = format!("jitctl: ssh cannot be run ({why})");
            (Answer { host, exit: SILENT, printed: None, said }, String::new())
        }
    }
}

fn show(answer: &Answer, text: &str, screen: &mut Screen<'_>) -> Result<(), Error> {
    let prefixed = |text: &str| -> String {
        let lines: Vec<String> = text.lines().map(|line| format!("{}: {line}\n", answer.host)).collect();
        lines.concat()
    };
    screen.data(&prefixed(text))?;
    if !answer.said.is_empty() {
        screen.say(prefixed(&answer.said).trim_end());
    }
    Ok(())
}

/// jitctl's own exit code there; whatever else ssh ends with is no answer.
fn exit_of(status: ExitStatus) -> u8 {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.filter(|code| *code <= 5).unwrap_or(SILENT)
}

/// The command as the shell there reads it: each word in quotes, without the hosts.
fn command(args: &[OsString]) -> Result<String, Error> {
    let mut words = vec!["jitctl".to_owned()];
    let mut rest = args.iter().skip(1);
    let mut is_over = false;
    while let Some(arg) = rest.next() {
        let Some(text) = arg.to_str() else {
            return Err(Error::Usage("what is typed for another host has to be UTF-8".to_owned()));
        };
        is_over |= text == "--";
        if !is_over && matches!(text, "-H" | "--on") {
            rest.next();
        } else if !is_over && is_bundled(text) {
            return Err(Error::Usage(format!("{}: write -H HOST by itself", Shown(text))));
        } else if is_over || !(text.starts_with("-H") || text.starts_with("--on=")) {
            words.push(format!("'{}'", text.replace('\'', "'\\''")));
        }
    }
    Ok(words.join(" "))
}

/// Whether hosts may stand behind other letters, as in `-fH HOST`: sent on, they would be asked to send it on again.
fn is_bundled(text: &str) -> bool {
    let letters = text.strip_prefix('-').filter(|rest| !rest.starts_with(['-', 'H']));
    letters.is_some_and(|letters| letters.contains('H'))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::run;
    use crate::testing::Nobody;

    /// A host folder whose ssh says what it was told, and ends as the host is called.
    fn with_ssh() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let ssh = root.path().join("usr/bin/ssh");
        fs::create_dir_all(ssh.parent().unwrap()).unwrap();
        let script = "#!/bin/sh\nfor a; do :; done\nwhile [ \"$1\" != -- ]; do shift; done\n\
                      case $2 in *json*) echo '{\"is\": true}' ;; *) echo \"$3\" ;; esac\n\
                      case $2 in no*) echo no >&2; exit 1 ;; down*) echo lost >&2; exit 255 ;; esac\n";
        fs::write(&ssh, script).unwrap();
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
        root
    }

    fn ran(args: &[&str]) -> (u8, String, String) {
        let root = with_ssh();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = ["jitctl"].iter().chain(args).map(|arg| (*arg).into());
        let code = run::run(args, &Nobody, None, root.path(), &mut Screen::new(&mut out, &mut err, false));
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn each_host_is_asked_the_same_and_what_it_says_has_its_name_in_front() {
        let reason = "it's $(late); \\x";
        let (code, out, err) = ran(&["-H", "a-1,otto@b-2", "lock", "host", "--message", reason]);
        let command = "jitctl 'lock' 'host' '--message' 'it'\\''s $(late); \\x'";
        assert_eq!((code, err.as_str()), (0, ""));
        assert_eq!(out, format!("a-1: {command}\notto@b-2: {command}\n"));
        let (_, again, _) = ran(&["lock", "--on=a-1", "host", "-Hotto@b-2", "--message", reason]);
        assert_eq!(again, out, "wherever the hosts stand");
    }

    #[test]
    fn the_exit_code_is_the_worst_and_a_host_that_is_not_reached_gives_no_answer() {
        let asked = |hosts: &str| ran(&["-H", hosts, "status"]);
        assert_eq!(asked("a,b").0, 0);
        let (code, _, err) = asked("a,no-1,b");
        assert_eq!((code, err.as_str()), (1, "no-1: no\n"));
        let (code, _, err) = asked("no-1,down-1");
        assert_eq!((code, err.as_str()), (3, "no-1: no\ndown-1: lost\n"));
    }

    #[test]
    fn whoever_is_root_by_sudo_does_not_get_roots_keys_for_other_hosts() {
        let root = with_ssh();
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        let by = |me, login: &str| {
            fs::write(root.path().join("proc/self/loginuid"), login).unwrap();
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let args = ["jitctl", "-H", "a,b", "status", "--json"].map(Into::into);
            let code = run::run(args, &Nobody, me, root.path(), &mut Screen::new(&mut out, &mut err, false));
            (code, String::from_utf8(out).unwrap())
        };
        let (code, out) = by(Some(0), "1001");
        assert!(code == 1 && out.contains("\"error\"") && out.contains("root's keys"), "{out}");
        for (me, login) in [(Some(0), "0"), (Some(0), "4294967295"), (Some(1001), "1001")] {
            assert_eq!(by(me, login).0, 0, "{me:?} {login}");
        }
    }

    #[test]
    fn programs_get_one_document_with_what_each_host_answered() {
        let (code, out, _) = ran(&["-H", "json-1,down-1", "status", "--json"]);
        let answers: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(code, 3);
        assert_eq!(
            answers["hosts"][0],
            serde_json::json!({"host": "json-1", "exit": 0, "printed": {"is": true}, "said": ""})
        );
        assert_eq!(
            (answers["hosts"][1]["exit"].as_u64(), answers["hosts"][1]["printed"].is_null()),
            (Some(3), true)
        );
    }

    #[test]
    fn a_host_that_ssh_would_take_for_an_option_and_what_is_no_command_are_usage_errors() {
        for bad in ["-oProxyCommand=x", "a@-oProxyCommand=x", "a b", "a;b", "", "a,,b"] {
            let (code, out, _) = ran(&["-H", bad, "status"]);
            assert_eq!((code, out.as_str()), (2, ""), "{bad}");
        }
        assert_eq!(ran(&["-H", "a,b", "statsu"]).0, 2, "it is read here before anything is sent");
        let (code, out, err) = ran(&["audit", "show", "-fH", "a"]);
        assert!(code == 2 && out.is_empty() && err.contains("by itself"), "{err}");
        let (code, _, err) = ran(&["-H", "a,b", "watch"]);
        assert!(code == 2 && err.contains("one host"), "{err}");
    }
}
