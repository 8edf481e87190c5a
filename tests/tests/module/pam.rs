//! Runs `pamrun` (see pamrun.c) against the module, and checks each time that the module left nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::room;

// <security/_pam_types.h>
pub(crate) const SUCCESS: i32 = 0;
pub(crate) const SERVICE_ERR: i32 = 3;
pub(crate) const PERM_DENIED: i32 = 6;
pub(crate) const AUTHINFO_UNAVAIL: i32 = 9;
pub(crate) const USER_UNKNOWN: i32 = 10;
pub(crate) const IGNORE: i32 = 25;
pub(crate) const ABORT: i32 = 26;

/// Lets the module's own code through. libpam never returns PAM_IGNORE to a program, so a module behind ours, which
/// is reached for that code alone, returns [`IGNORED`] in its place.
const TRANSPARENT: &str = "[success=1 ignore=ignore default=die]";
const IGNORED: i32 = 16;

const ALONE: &str = "required";

/// An account that every host has and that is not root: its name, and its uid.
pub(crate) const OTHER: (&str, u32) = ("nobody", 65534);

/// How a service is set up and called. The defaults are a login of `nobody` over sshd.
#[derive(Clone)]
pub(crate) struct Pam {
    service: String,
    user: String,
    control: &'static str,
    arguments: String,
    auth: String,
    more: String,
    options: Vec<String>,
    environment: Vec<(String, String)>,
    stages: Vec<&'static str>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The code of each stage.
    pub(crate) codes: Vec<i32>,
    /// The longest stage.
    pub(crate) took: Duration,
    /// The conversation: style and text.
    pub(crate) said: Vec<String>,
    /// Lines for syslog, `<priority>` first.
    pub(crate) logged: Vec<String>,
    /// Whether the module is still mapped at the end.
    pub(crate) mapped: bool,
}

impl Pam {
    /// A service whose stages return the module's own codes, whatever they are.
    pub(crate) fn new(arguments: impl Into<String>) -> Self {
        Self {
            service: "sshd".into(),
            user: OTHER.0.into(),
            control: TRANSPARENT,
            arguments: arguments.into(),
            auth: String::new(),
            more: String::new(),
            options: Vec::new(),
            environment: Vec::new(),
            stages: vec!["account", "open"],
        }
    }

    pub(crate) fn service(mut self, service: &str) -> Self {
        self.service = service.into();
        self
    }

    pub(crate) fn user(mut self, user: &str) -> Self {
        self.user = user.into();
        self
    }

    /// Arguments of the auth line, which has none otherwise.
    pub(crate) fn auth(mut self, arguments: impl Into<String>) -> Self {
        self.auth = arguments.into();
        self
    }

    /// What is typed at prompts, in order; at the next one the conversation fails.
    pub(crate) fn types(mut self, answers: &[&str]) -> Self {
        self.options.extend(answers.iter().flat_map(|answer| ["-a".to_owned(), (*answer).to_owned()]));
        self
    }

    /// Another control field than the transparent one.
    pub(crate) fn control(mut self, control: &'static str) -> Self {
        self.control = control;
        self
    }

    /// The module is the only line of its stack, and `required`.
    pub(crate) fn alone(mut self) -> Self {
        self.control = ALONE;
        self
    }

    /// Lines of the PAM file that stand after the module's.
    pub(crate) fn then(mut self, lines: &str) -> Self {
        self.more = lines.into();
        self
    }

    pub(crate) fn stages(mut self, stages: &[&'static str]) -> Self {
        self.stages = stages.to_vec();
        self
    }

    /// Options of pamrun.
    pub(crate) fn option<const N: usize>(mut self, option: [&str; N]) -> Self {
        self.options.extend(option.map(str::to_owned));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs the stages. An error if anything was left behind or printed.
    pub(crate) fn run(&self) -> Result<Seen, String> {
        let folder = room::folder();
        let module = room::module_path();
        let kinds = ["auth", "account", "session", "password"];
        let lines = kinds.map(|kind| {
            let last = match self.control {
                TRANSPARENT => {
                    format!("{kind} required {}\n{kind} required pam_permit.so\n", room::sentinel())
                }
                ALONE => String::new(),
                _ => format!("{kind} required pam_permit.so\n"),
            };
            let arguments = match kind {
                "account" | "session" => self.arguments.as_str(),
                "auth" => self.auth.as_str(),
                // Password lines take none.
                _ => "",
            };
            format!("{kind} {} {module} {arguments}\n{last}", self.control)
        });
        write(&folder.join(&self.service), &(lines.concat() + &self.more))?;
        // Without this file, libpam reads the service's anew for each stage, and complains.
        write(&folder.join("other"), &kinds.map(|kind| format!("{kind} required pam_deny.so\n")).concat())?;
        let report = folder.join("report");

        let mut pamrun = Command::new(room::program());
        pamrun.args(&self.options).arg(&report).arg(&folder).arg(&self.service).arg(&self.user);
        pamrun.args(&self.stages).envs(self.environment.clone());
        if self.options.iter().any(|option| option == "-U") {
            // It writes the report as that user.
            write(&report, "")?;
            let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
            fs::set_permissions(&report, everybody).map_err(|err| err.to_string())?;
        }
        let report = run(pamrun, &report)?;
        let of = |key: &'static str| {
            report.lines().filter_map(move |line| line.strip_prefix(key)?.split_once(' '))
        };
        Ok(Seen {
            codes: of("code ")
                .map(|(_stage, code)| code.parse().unwrap())
                .map(|code| if code == IGNORED { IGNORE } else { code })
                .collect(),
            took: of("took ")
                .map(|(_stage, seconds)| Duration::from_secs_f64(seconds.parse().unwrap()))
                .max()
                .unwrap_or_default(),
            said: report.lines().filter_map(|line| Some(line.strip_prefix("said ")?.to_owned())).collect(),
            logged: logged()?,
            mapped: report.contains("\nafter mapped 1"),
        })
    }
}

/// Loads and unloads the module so many times, and nothing else.
pub(crate) fn load_and_unload(cycles: u32) -> Result<(), String> {
    let report = room::folder().join("report");
    let mut pamrun = Command::new(room::program());
    pamrun.args(["-d", &cycles.to_string()]).arg(&report).arg(room::module_path());
    run(pamrun, &report).map(drop)
}

/// No run takes this long.
const HANGS: Duration = Duration::from_secs(120);

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|err| format!("{}: {err}", path.display()))
}

fn run(mut pamrun: Command, report: &Path) -> Result<String, String> {
    drop(room::logged());
    // Without caches of freed memory, the heap's size is exact, and may not grow by a byte over the cycles.
    pamrun.env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0");
    pamrun.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pamrun.spawn().map_err(|err| format!("pamrun: {err}"))?;
    let began = Instant::now();
    while child.try_wait().map_err(|err| err.to_string())?.is_none() {
        if began.elapsed() > HANGS {
            drop(child.kill());
            drop(child.wait());
            return Err(format!("still running after {HANGS:?}: {pamrun:?}"));
        }
        thread::sleep(Duration::from_millis(2));
    }
    let done = child.wait_with_output().map_err(|err| err.to_string())?;
    if !done.stdout.is_empty() || !done.stderr.is_empty() || !done.status.success() {
        return Err(format!(
            "pamrun ended with {}, stdout {:?}, stderr {:?}",
            done.status,
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        ));
    }
    let report = fs::read_to_string(report).map_err(|err| format!("the report: {err}"))?;
    nothing_left(&report)?;
    Ok(report)
}

/// Everything that may not change has not, and what may not grow has not grown.
fn nothing_left(report: &str) -> Result<(), String> {
    let of =
        |prefix: &str| -> Vec<&str> { report.lines().filter_map(|line| line.strip_prefix(prefix)).collect() };
    let (before, after) = (of("before same "), of("after same "));
    if before.len() < 70 {
        return Err(format!("pamrun saw too little: {before:?}"));
    }
    if before != after {
        let gone: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
        let new: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
        return Err(format!("left behind {new:?}, took away {gone:?}"));
    }
    let sizes = |prefix| -> BTreeMap<&str, i64> {
        of(prefix)
            .iter()
            .filter_map(|line| line.split_once(' '))
            .map(|(k, v)| (k, v.parse().unwrap()))
            .collect()
    };
    // A single run may load what stays (a name service, a locale); of many, pamrun looks after the first ten.
    if report.lines().any(|line| line.starts_with("cycles ")) {
        let (before, after) = (sizes("before size "), sizes("after size "));
        // Which pages of a library are resident is the kernel's choice; what is allocated is exact.
        let exact = ["heap", "data"].iter().all(|size| after[size] <= before[size]);
        if !exact || after["resident"] > before["resident"] + 512 {
            return Err(format!("memory grew from {before:?} to {after:?}"));
        }
    }
    Ok(())
}

/// What was logged, if every line is one that syslog takes: short, and of one line.
fn logged() -> Result<Vec<String>, String> {
    let lines = room::logged();
    match lines.iter().find(|line| line.len() >= 960 || line.chars().any(char::is_control)) {
        Some(bad) => Err(format!("{} bytes, or with a control: {bad:?}", bad.len())),
        None => Ok(lines),
    }
}
