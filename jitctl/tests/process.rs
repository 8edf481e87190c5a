//! The program as it ships: what only a process of its own can show.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

fn jitctl(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jitctl"));
    command.args(args);
    command
}

#[test]
fn exit_codes_reach_the_shell() {
    for (args, code) in [(&["--version"][..], 0), (&["--help"], 0), (&["grnt"], 2), (&["show", "x"], 2)] {
        assert_eq!(jitctl(args).output().unwrap().status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_crash() {
    for args in [&["--help"][..], &["--version"]] {
        let mut child = jitctl(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
    }
}

#[test]
fn a_full_disk_under_stdout_is_said() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ran = jitctl(&["--help"]).stdout(full).output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(3));
    assert!(
        said.starts_with("jitctl: the answer cannot be written to standard output (No space left"),
        "{said}"
    );
}

#[test]
fn times_are_of_the_zone_that_tz_names_and_of_utc_where_that_is_asked_for_or_tz_names_none() {
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/log.jsonl");
    let report = |tz: &str, more: &[&str]| {
        let ran = jitctl(&[&["report", log][..], more].concat()).env("TZ", tz).output().unwrap();
        assert_eq!(ran.status.code(), Some(0));
        [ran.stdout, ran.stderr].map(|text| String::from_utf8(text).unwrap())
    };
    let starts = |[out, _]: &[String; 2], time: &str| {
        assert!(out.starts_with(&format!("Access on db-1, {time} to ")), "{out}");
    };
    starts(&report("Europe/Berlin", &[]), "2026-09-01 08:00:00+02:00");
    starts(&report("Europe/Berlin", &["--utc"]), "2026-09-01 06:00:00Z");
    starts(&report("", &[]), "2026-09-01 06:00:00Z");
    let none = report("/etc/passwd", &[]);
    starts(&none, "2026-09-01 06:00:00Z");
    assert!(none[1].starts_with("jitctl: TZ=/etc/passwd is no time zone; times are in UTC\n"), "{}", none[1]);
    // What is typed is of the same zone.
    let in_then = |tz: &str, at: &str| report(tz, &["--at", at])[0].contains("In then: otto");
    assert!(in_then("Europe/Berlin", "2026-09-01 09:13") && !in_then("Europe/Berlin", "2026-09-01 07:13"));
}

#[test]
fn the_callers_environment_does_not_choose_the_bus() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trap");
    let trap = UnixListener::bind(&path).unwrap();
    trap.set_nonblocking(true).unwrap();
    let address = format!("unix:path={}", path.display());
    for variable in ["DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS", "DBUS_STARTER_ADDRESS"] {
        jitctl(&["status"]).env(variable, &address).output().unwrap();
        assert_eq!(trap.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{variable} was believed");
    }
}

#[test]
fn an_edit_runs_the_callers_editor_and_keeps_a_broken_text_where_nobody_can_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("10-site.toml");
    let sound = "version = 1\nadmins = { users = [\"root\"] }\n\
                 exempt = [{ users = [\"root\"], services = [\"login\"] }]\n";
    std::fs::write(&file, sound).unwrap();
    let edit = |variable: &str, editor: &str| {
        let mut command = jitctl(&["policy", "edit", file.to_str().unwrap()]);
        command.env_remove("VISUAL").env("EDITOR", "false").env(variable, editor).stdin(Stdio::null());
        let ran = command.output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
    };
    let (code, said) = edit("EDITOR", "sed -i 1i#reviewed");
    assert_eq!((code, said), (Some(0), format!("Installed {}.\n", file.display())));
    let reviewed = format!("#reviewed\n{sound}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), reviewed);

    let (code, said) = edit("VISUAL", "sed -i 1inonsense");
    assert_eq!(code, Some(1));
    let copy = folder.path().join(".edit-10-site.toml");
    assert!(said.contains("error JIT007") && said.contains(copy.to_str().unwrap()), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), reviewed);
    assert!(std::fs::read_to_string(&copy).unwrap().starts_with("nonsense\n"));

    let (code, said) = edit("EDITOR", "/nonexistent/editor");
    assert_eq!(code, Some(1));
    assert!(said.contains("the editor '/nonexistent/editor' cannot be run"), "{said}");
}
