//! What the package installs beside its programs, tried without a machine.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic here is a failed test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use jit_tests::machine::top;

/// What the kiosk's gate makes of an sshd that says this to `-T`, and what it has written for it.
fn kiosk_asks(says: &str, status: u8) -> (Output, Option<String>) {
    let dir = tempfile::tempdir().unwrap();
    let (sshd, conf) = (dir.path().join("sshd"), dir.path().join("run/pam-service.conf"));
    fs::write(&sshd, format!("#!/bin/sh\ncat <<'END'\n{says}\nEND\nexit {status}\n")).unwrap();
    fs::set_permissions(&sshd, fs::Permissions::from_mode(0o755)).unwrap();
    let asked = Command::new(top().join("packaging/kiosk/jit-kiosk-service-name"))
        .args([&sshd, &conf, &top().join("packaging/kiosk/sshd_config")])
        .output()
        .unwrap();
    (asked, fs::read_to_string(conf).ok())
}

#[test]
fn the_kiosk_tells_an_sshd_its_pam_service_only_where_that_takes_the_option() {
    let (new, written) = kiosk_asks("port 22\npamservicename jit-kiosk\nusepam yes", 0);
    assert!(new.status.success() && written.unwrap().contains("\nPAMServiceName jit-kiosk\n"), "{new:?}");
    let bad = "command-line: line 0: Bad configuration option: PAMServiceName";
    let (old, written) = kiosk_asks(bad, 255);
    assert!(old.status.success() && !written.unwrap().contains("PAMServiceName"), "{old:?}");
}

#[test]
fn the_kiosk_takes_no_connection_where_sshd_does_not_say_its_name_and_says_what_to_do() {
    let said = |asked: &Output| String::from_utf8_lossy(&asked.stderr).into_owned();
    let (keyless, written) = kiosk_asks("sshd: no hostkeys available -- exiting.", 1);
    assert_eq!((keyless.status.code(), written), (Some(1), None));
    let text = said(&keyless);
    assert!(text.contains("has no host key") && text.contains("ssh-keygen -A"), "{text}");
    assert!(text.contains("HostKey FILE") && !text.contains("would ask as sshd"), "{text}");
    // Whatever else is wrong is shown as sshd says it.
    let (broken, written) =
        kiosk_asks("/etc/jit/kiosk/sshd_config: line 3: Bad configuration option: Portt", 255);
    assert_eq!((broken.status.code(), written), (Some(1), None));
    assert!(said(&broken).contains("would ask as sshd") && said(&broken).contains("Portt"), "{broken:?}");
}
