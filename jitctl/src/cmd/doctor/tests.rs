//! What is shown of findings, and what jitd's own state comes to.

use jit_proto::manager::{Clock, Status};

use super::*;
use crate::call::Call;
use crate::error::Error;
use crate::testing::{Script, no_policy, status};

fn clock(state: &str) -> Clock {
    Clock { state: state.into(), ..crate::cmd::clock::tests::suspect() }
}

/// What is found of a jitd that gives these answers, on a host with its bus.
fn of(jitd: &Script) -> Vec<&'static str> {
    let root = tempfile::tempdir().unwrap();
    for path in ["run/dbus/system_bus_socket", "usr/share/dbus-1/system.d/org.jitd.Jit1.conf"] {
        std::fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
        std::fs::write(root.path().join(path), "").unwrap();
    }
    let (mut found, mut unseen) = (Vec::new(), Vec::new());
    live::look(jitd, root.path(), &mut found, &mut unseen);
    found.iter().map(|found| found.id).collect()
}

fn answering(status: &Status, clock: &Clock) -> Script {
    Script::answers(Call::Status, status).then(Script::answers(Call::Clock, clock))
}

#[test]
fn of_a_jitd_that_is_well_nothing_is_found_and_of_each_trouble_its_own() {
    assert_eq!(of(&answering(&status(), &clock("trusted"))), [""; 0]);
    assert_eq!(of(&answering(&status(), &clock("suspect"))), ["clock-suspect"]);
    let noted = Status { notes: vec!["UNGUARDED: sshd".into()], ..status() };
    assert_eq!(of(&answering(&noted, &clock("trusted"))), ["jitd-says"]);
    let lost = Status { ready: false, policy: no_policy(), key: None, ..status() };
    assert_eq!(of(&answering(&lost, &clock("trusted"))), ["jitd-cannot-decide", "no-policy", "no-host-key"]);
    assert_eq!(of(&Script::fails(Call::Status, Error::NotRunning)), ["jitd-silent", "store-missing"]);
}

#[test]
fn a_bus_that_is_not_there_is_found_though_root_has_another_way_to_jitd() {
    let root = tempfile::tempdir().unwrap();
    let (mut found, mut unseen) = (Vec::new(), Vec::new());
    live::look(&answering(&status(), &clock("trusted")), root.path(), &mut found, &mut unseen);
    let ids: Vec<_> = found.iter().map(|found| found.id).collect();
    assert_eq!(ids, ["bus-absent", "bus-policy-missing"]);
}

fn report(severities: &[Severity]) -> Report {
    let finding = |severity: &Severity| {
        let texts = [
            "What is so, and it is a long sentence that does not fit a line of a terminal.",
            "Why.",
            "a command",
        ];
        Finding::new("an-id", *severity, "/etc/pam.d/sshd", texts.map(str::to_owned))
    };
    let unseen = vec![Unseen { what: "/etc/sudoers".into(), why: "Permission denied".into() }];
    Report::new(severities.iter().map(finding).collect(), unseen, Vec::new())
}

#[test]
fn errors_alone_make_the_answer_no_and_what_was_not_seen_is_said() {
    let view = report(&[Severity::Note, Severity::Error]).view();
    assert_eq!(view.outcome, Outcome::No);
    assert!(view.data.starts_with("error[an-id] /etc/pam.d/sshd\n  What is so,"), "{}", view.data);
    assert!(view.data.lines().all(|line| line.chars().count() <= 80), "{}", view.data);
    assert!(view.data.ends_with("1 error, 0 warnings, 1 note\n"));
    assert_eq!(view.said[0], "not seen: /etc/sudoers: Permission denied");
    assert_eq!(report(&[Severity::Warning]).view().outcome, Outcome::Yes);
}

#[test]
fn status_has_the_worst_in_a_line_and_no_note() {
    let root = tempfile::tempdir().unwrap();
    let pam = root.path().join("etc/pam.d");
    std::fs::create_dir_all(&pam).unwrap();
    std::fs::write(pam.join("sshd"), "@include common-account\n").unwrap();
    assert_eq!(worst(root.path()), None);
    std::fs::write(pam.join("sshd"), "account required pam_jit.so recovery=root\n").unwrap();
    let said = worst(root.path()).unwrap();
    assert!(said.starts_with("error: ") && said.ends_with("more; see: jitctl doctor"), "{said}");
}
