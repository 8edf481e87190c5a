//! What is in the file that ships.

use std::process::Command;

use jit_tests::runner::Test;

use crate::{ensure, expect, room};

pub(crate) const TESTS: &[Test] = &[
    ("it is stripped and at most 1 MB", size),
    ("it needs libpam, libc and libgcc_s and nothing else", libraries),
    ("it exports the six hooks and nothing else", exports),
    ("it creates no thread and has no runtime in it", no_runtime),
    ("its stack is not executable and its relocations are read-only", hardened),
];

fn size() -> Result<(), String> {
    let bytes = std::fs::metadata(room::module_path()).map_err(|err| err.to_string())?.len();
    ensure(bytes <= 1024 * 1024, || format!("{bytes} bytes"))?;
    let sections = output("readelf", &["--section-headers", "--wide"])?;
    ensure(!sections.contains(".symtab") && !sections.contains(".debug_"), || sections)
}

fn libraries() -> Result<(), String> {
    let dynamic = output("readelf", &["--dynamic", "--wide"])?;
    let mut needed: Vec<&str> = dynamic
        .lines()
        .filter_map(|line| line.contains("(NEEDED)").then(|| line.split(['[', ']']).nth(1))?)
        .collect();
    needed.retain(|library| !library.starts_with("ld-linux"));
    needed.sort_unstable();
    expect("needed", needed, vec!["libc.so.6", "libgcc_s.so.1", "libpam.so.0"])?;
    ensure(!dynamic.contains("RPATH") && !dynamic.contains("RUNPATH"), || dynamic)
}

fn exports() -> Result<(), String> {
    let symbols = output("nm", &["--dynamic", "--defined-only"])?;
    let names: Vec<&str> = symbols.lines().filter_map(|line| line.split(' ').next_back()).collect();
    let hooks = ["acct_mgmt", "authenticate", "chauthtok", "close_session", "open_session", "setcred"];
    expect("exports", names, hooks.map(|hook| format!("pam_sm_{hook}")).iter().map(String::as_str).collect())
}

fn no_runtime() -> Result<(), String> {
    let imports = output("nm", &["--dynamic", "--undefined-only"])?;
    for call in
        ["pthread_create", "epoll_create", "eventfd", "signalfd", "sigaction", "fork", "execve", "setenv"]
    {
        let found = imports.lines().find(|line| line.split_whitespace().any(|word| word.starts_with(call)));
        ensure(found.is_none(), || format!("it imports {}", found.unwrap_or_default()))?;
    }
    let text = output("strings", &[])?;
    for trace in ["tokio", "zruntime", "DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS", "RUST_LOG"] {
        ensure(!text.contains(trace), || format!("{trace} is in it"))?;
    }
    Ok(())
}

fn hardened() -> Result<(), String> {
    let segments = output("readelf", &["--segments", "--dynamic", "--wide"])?;
    let stack = segments.lines().find(|line| line.contains("GNU_STACK")).unwrap_or_default();
    ensure(stack.contains(" RW ") && segments.contains("GNU_RELRO"), || segments.clone())?;
    ensure(segments.contains("BIND_NOW") || segments.contains("NOW"), || segments.clone())?;
    ensure(!segments.contains("TEXTREL"), || segments.clone())
}

fn output(tool: &str, options: &[&str]) -> Result<String, String> {
    let done = Command::new(tool).args(options).arg(room::module_path()).output();
    let done = done.map_err(|err| format!("{tool}: {err}"))?;
    ensure(done.status.success(), || String::from_utf8_lossy(&done.stderr).into_owned())?;
    String::from_utf8(done.stdout).map_err(|err| err.to_string())
}
