//! A site's own programs that end what a window let in where a program asked that is not root (`/etc/jit/end.d/SERVICE`):
//! a connection to a database is nothing that jitd could find or end.
//!
//! jitd has none of the privileges that it takes to become somebody else, so systemd runs them, each in a service of its
//! own as the account that policy names, by way of `jit-end`. What that says is one line in a file that is root's.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jit_core::model::{EndRun, Termination};
use jit_core::sessions::termination::AskedEnd;
use jit_core::text::cut;
use jit_host::facts::has_end;
use jit_proto::text::Shown;
use jit_proto::words::{ServiceName, Uid, UserName};

use crate::app::App;
use crate::clock::since_boot;
use crate::log;

/// Runs one of them, and says how it ended.
const RUNNER: &str = "/usr/libexec/jit-end";

/// Where they are.
const FOLDER: &str = "/etc/jit/end.d";

/// Where what they answer is written. The folder above it is root's alone.
const ANSWERS: &str = "/run/jitd/end";

/// How long one is waited for; the runner ends it after ten seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// More than this is not read of an answer.
const MOST: u64 = 4096;

/// So much of what it said is kept.
const MOST_SAID: usize = 200;

/// What is known of one.
#[derive(Debug)]
pub(super) enum Run {
    /// It was started then, by the boot clock.
    Since(Duration),
    /// It came to this.
    Done(EndRun),
}

/// The runs of one window's end.
pub(super) type Runs = BTreeMap<ServiceName, Run>;

/// Starts what has not been started, and takes in what was answered. None for as long as one of them runs.
pub(super) async fn carry_on(
    app: &App,
    ending: &Termination,
    ends: &[(ServiceName, AskedEnd)],
    runs: &mut Runs,
) -> Option<Vec<EndRun>> {
    for (service, end) in ends {
        let AskedEnd::Program(account) = end else { continue };
        if !runs.contains_key(service) && !has_end(Path::new("/etc"), service) {
            continue;
        }
        let came_to = |status, said: String| {
            Run::Done(EndRun { service: service.clone(), account: account.clone(), status, said })
        };
        let now = since_boot();
        let run = match runs.remove(service) {
            None => match start(app, ending, service, account).await {
                Ok(()) => Run::Since(now),
                Err(why) => came_to(None, why),
            },
            Some(Run::Since(since)) => match answer(&answer_file(ending, service)) {
                Some((status, said)) => came_to(status, said),
                None if now.saturating_sub(since) > LIMIT => {
                    came_to(None, format!("it did not end within {} s", LIMIT.as_secs()))
                }
                None => Run::Since(since),
            },
            Some(done @ Run::Done(_)) => done,
        };
        runs.insert(service.clone(), run);
    }
    let done = runs.values().map(|run| match run {
        Run::Since(_) => None,
        Run::Done(run) => Some(run.clone()),
    });
    done.collect()
}

/// The answers are on record.
pub(super) fn forget(ending: &Termination, runs: &[EndRun]) {
    for run in runs {
        drop(fs::remove_file(answer_file(ending, &run.service)));
    }
}

async fn start(
    app: &App,
    ending: &Termination,
    service: &ServiceName,
    account: &UserName,
) -> Result<(), String> {
    // A name of root's, or one that a directory made up, runs nothing.
    if app.names.own_uid(account).is_none_or(Uid::is_root) {
        return Err(format!("{account} is root, or not in /etc/passwd"));
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(ANSWERS);
    made.map_err(|err| format!("{ANSWERS}: {err}"))?;
    let program = format!("{FOLDER}/{service}");
    let argv = [RUNNER, &program, ending.user.as_str(), service.as_str(), ending.why.as_str()];
    let argv = argv.into_iter().map(str::to_owned).chain([ending.grant.to_string()]).collect();
    let unit = format!("jit-end-{}-{service}.service", ending.grant);
    let answer = answer_file(ending, service);
    app.systemd.run_as(&unit, account, argv, &answer, LIMIT).await.map_err(|err| {
        log::warning(format_args!("{program} was not run: {err}"));
        shown(&format!("it was not started: {err}"))
    })
}

fn answer_file(ending: &Termination, service: &ServiceName) -> PathBuf {
    Path::new(ANSWERS).join(format!("{}-{service}", ending.grant))
}

/// What the runner wrote, once it is whole: `STATUS LINE`. Whoever it ran as may have written anything.
fn answer(path: &Path) -> Option<(Option<u8>, String)> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = match text.split_once('\n') {
        Some((line, _)) => line,
        // It can be no longer than that.
        None if text.len() >= usize::try_from(MOST).unwrap_or(usize::MAX) => &text,
        None => return None,
    };
    let (status, said) = line.split_once(' ').unwrap_or((line, ""));
    Some(match status.parse() {
        Ok(status) => (Some(status), shown(said)),
        Err(_) => (None, shown(line)),
    })
}

fn shown(text: &str) -> String {
    cut(Shown(text).to_string(), MOST_SAID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sites_program_runs_as_no_name_of_roots() {
        let ending = crate::session::sweep::tests::ending(&["sshd"]);
        let app = crate::testing::app();
        // Policy does not take root; a name of uid 0 that it does not know for one comes here.
        for account in ["root", "no-such-account-here"] {
            let account: UserName = account.parse().unwrap();
            let ran = zruntime::block_on(start(&app, &ending, &"postgresql".parse().unwrap(), &account));
            assert_eq!(ran, Err(format!("{account} is root, or not in /etc/passwd")));
        }
    }

    #[test]
    fn an_answer_is_one_whole_line_with_a_status_and_can_neither_reach_a_terminal_nor_be_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("answer");
        assert_eq!(answer(&path), None, "it is not there yet");
        let said = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            answer(&path)
        };
        assert_eq!(said(b""), None);
        assert_eq!(said(b"0 3 conn"), None, "it is not whole");
        assert_eq!(said(b"0 3 connections\nmore"), Some((Some(0), "3 connections".into())));
        assert_eq!(said(b"7 \n"), Some((Some(7), String::new())));
        assert_eq!(said(b"0 a\x1b[2Jb\xff\n"), Some((Some(0), "a\\u{1b}[2Jb\u{fffd}".into())));
        // Whoever writes something else says nothing about its status.
        assert_eq!(said(b"all is well\n"), Some((None, "all is well".into())));
        assert_eq!(said(b"256 x\n"), Some((None, "256 x".into())));
        let (status, long) = said(&vec![b'x'; 1 << 20]).unwrap();
        assert!(status.is_none() && long.len() <= MOST_SAID, "{}", long.len());
    }
}
