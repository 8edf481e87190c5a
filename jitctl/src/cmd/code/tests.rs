use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jit_core::code::CodeKeys;
use jit_core::code::{Answer, Asked};
use jit_proto::manager::Spoken;

use crate::call::Call;
use crate::error::Error;
use crate::testing::*;

const HOST_KEY: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
const OTHER_KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const ANSWER: &str = "0115-1Z8S-4AWD-Y5";

fn spoken() -> Spoken {
    Spoken {
        request: "r-4k7m2qx9".into(),
        host: "db-07".into(),
        host_key: HOST_KEY.into(),
        user: "maria".into(),
        role: "press".into(),
        seconds: 3600,
        start: "at-approval".into(),
        code: "WWGY-KXBZ-B9WQ".into(),
        reason: "INC-1234 \u{1b}[2J".into(),
        tries: 5,
        refused: None,
    }
}

fn show() -> Call {
    Call::Code { id: "r-4k7m2qx9".parse().unwrap() }
}

fn enter() -> Call {
    Call::EnterCode { id: "r-4k7m2qx9".parse().unwrap(), code: "01151Z8S4AWDY5".into() }
}

/// A folder with a secret and the key of a host, and the line that the host got.
fn enrolled(dir: &Path) -> String {
    let dir = dir.to_str().unwrap();
    let made = jitctl(&["code", "new-secret", "--in", dir], &Nobody);
    assert!(made.code == 0 && made.out.contains("whoever reads it approves as you"), "{made:?}");
    enroll(dir, &[]).out
}

fn enroll(dir: &str, more: &[&str]) -> Ran {
    enroll_as("db-07", dir, more)
}

fn enroll_as(host: &str, dir: &str, more: &[&str]) -> Ran {
    let args = ["code", "enroll", host, "--principal", "olga", "--slot", "3", "--in", dir];
    let key = if more.contains(&"--host-key") { &[][..] } else { &["--host-key", HOST_KEY] };
    jitctl(&[&args[..], key, more].concat(), &Nobody)
}

fn answer(dir: &Path, more: &[&str]) -> Ran {
    let dir = dir.to_str().unwrap();
    let args = [
        "code", "answer", "--host", "db-07", "--user", "maria", "--role", "press", "--for", "1h", "--in", dir,
    ];
    jitctl(&[&args[..], &["--code", "wwgykxbzb9wq"], more].concat(), &Nobody)
}

/// Whether it is an answer to what is read out above, by the line that the host got.
fn is_answer(text: &str, line: &str) -> bool {
    let keys = CodeKeys::parse(line.as_bytes()).unwrap();
    let answer = Answer::parse(text).unwrap();
    let asked = Asked {
        user: "maria".parse().unwrap(),
        role: "press".parse().unwrap(),
        duration: std::time::Duration::from_secs(3600),
        start: jit_core::code::Start::AtApproval,
        code: jit_core::code::RequestCode::parse("WWGYKXBZB9WQ").unwrap(),
    };
    answer.is_of(&asked, &keys.of(answer.slot).unwrap().approves)
}

#[test]
fn a_request_is_read_out_with_the_words_beside_the_characters_and_no_control_reaches_the_terminal() {
    let ran = jitctl_on_a_terminal(&["code", "show", "r-4k7m2qx9"], &Script::answers(show(), &spoken()));
    assert_eq!(ran.code, 0);
    for text in
        ["  host    db-07\n", "  for     1h\n", "  code    WWGY  Whiskey Whiskey Golf Yankee\n", "\\u{1b}[2J"]
    {
        assert!(ran.out.contains(text), "no {text:?} in:\n{}", ran.out);
    }
    assert!(!ran.out.contains("starts"), "{}", ran.out);
    assert_eq!(ran.err, "hint: type the answer with: jitctl code enter r-4k7m2qx9\n");
    let void =
        Spoken { tries: 0, refused: Some("no code counts for r-4k7m2qx9 any more".into()), ..spoken() };
    let ran = jitctl(&["code", "show", "r-4k7m2qx9"], &Script::answers(show(), &void));
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (1, "jitctl: no code would count now: no code counts for r-4k7m2qx9 any more\n")
    );
}

#[test]
fn an_answer_is_typed_as_it_is_heard_and_a_slip_is_not_sent() {
    for typed in [&[ANSWER][..], &["o115", "lz8s", "4AWD", "y5"], &["01151z8s4awdy5"]] {
        let args = [&["code", "enter", "r-4k7m2qx9"], typed].concat();
        let ran = jitctl(&args, &Script::answers(enter(), &active()));
        assert!(ran.code == 0 && ran.out.contains("Opened g-"), "{ran:?}");
    }
    let ran = jitctl(&["code", "enter", "r-4k7m2qx9", "1015-1Z8S-4AWD-Y5"], &Nobody);
    assert!(
        ran.code == 2
            && ran.err.contains("two have changed places")
            && ran.err.contains("No try was counted"),
        "{ran:?}"
    );
    let jitd = Script::answers(enter(), &active());
    let ran = jitctl_typing(&["code", "enter", "r-4k7m2qx9"], &jitd, &["0115", ANSWER]);
    assert!(ran.code == 0 && ran.err.contains("it has 4 characters, and 14 are needed"), "{ran:?}");
    let ran = jitctl(&["code", "enter", "r-4k7m2qx9"], &Nobody);
    assert!(ran.code == 2 && ran.err.contains("nobody can be asked here"), "{ran:?}");
    let wrong = Script::fails(enter(), Error::Refused("this code is not right".into()));
    assert_eq!(jitctl(&["code", "enter", "r-4k7m2qx9", ANSWER], &wrong).code, 1);
}

#[test]
fn an_approver_answers_what_was_read_out_by_the_key_that_the_host_has() {
    let dir = tempfile::tempdir().unwrap();
    let line = enrolled(dir.path());
    assert!(line.starts_with("3 olga 1 SHA256:"), "{line}");
    let given = |more: &[&str]| -> String {
        let ran = answer(dir.path(), &[more, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        let given: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        given["answer"].as_str().unwrap().to_owned()
    };
    let (yes, less, no) = (given(&["--yes"]), given(&["--yes", "--duration", "15m"]), given(&["--deny"]));
    for (answer, says) in [(&yes, "31"), (&less, "34"), (&no, "30")] {
        assert!(answer.starts_with(says) && is_answer(answer, &line), "{answer}");
    }
    let ran = answer(dir.path(), &["--yes", "--duration", "16m"]);
    assert!(
        ran.code == 2 && ran.err.contains("no symbol for 16m") && ran.err.contains("such as 15m"),
        "{ran:?}"
    );
    let ran = answer(dir.path(), &["--yes", "--duration", "1h"]);
    assert!(ran.code == 2 && ran.err.contains("not shorter than the 1h"), "{ran:?}");
    let ran = answer(dir.path(), &[]);
    assert!(
        ran.code == 2 && ran.err.contains("nobody can be asked here"),
        "nothing is approved unasked: {ran:?}"
    );
}

#[test]
fn an_approver_is_asked_for_what_they_heard_and_sees_it_whole_before_they_answer() {
    let dir = tempfile::tempdir().unwrap();
    let line = enrolled(dir.path());
    let args = ["code", "answer", "--in", dir.path().to_str().unwrap()];
    let lines = ["db-8", "db-07", "maria", "press", "1h", "", "WWGY KXBZ B9QW", "wwgy kxbz b9wq", "2h", "y"];
    let ran = jitctl_typing(&args, &Nobody, &lines);
    assert_eq!(ran.code, 0, "{ran:?}");
    for text in [
        "you have no key for db-8; you have some for: db-07",
        "or two have changed places",
        "maria wants the role press on db-07 for 1h",
        "not shorter than the 1h",
    ] {
        assert!(ran.err.contains(text), "no {text:?} in:\n{}", ran.err);
    }
    let said = ran.out.lines().filter(|line| line.starts_with("  ")).filter_map(|line| line.get(10..14));
    let said = said.collect::<String>();
    assert!(is_answer(said.trim(), &line), "{}", ran.out);
    let ran = jitctl_typing(&args, &Nobody, &["db-07", "maria", "press", "1h", "", "wwgy kxbz b9wq"]);
    assert!(ran.code == 1 && ran.err.contains("nothing was answered"), "{ran:?}");
}

#[test]
fn a_secret_is_kept_is_read_by_its_owner_alone_and_gives_each_epoch_a_key_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let before = enrolled(dir.path());
    let text = dir.path().to_str().unwrap();
    let again = jitctl(&["code", "new-secret", "--in", text], &Nobody);
    assert!(again.code == 2 && again.err.contains("it was kept"), "{again:?}");
    let after = enroll(text, &[]).out;
    assert!(after.starts_with("3 olga 2 ") && after.split(' ').nth(4) != before.split(' ').nth(4), "{after}");
    assert!(enroll(text, &["--host-key", "db-07"]).code == 2);
    let secret = dir.path().join("code-secret");
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(dir.path().join("code-hosts")).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).unwrap();
    let ran = answer(dir.path(), &["--yes"]);
    assert!(ran.code == 2 && ran.err.contains("nobody else may read it"), "{ran:?}");
    fs::remove_file(&secret).unwrap();
    assert!(answer(dir.path(), &["--yes"]).err.contains("jitctl code new-secret"));
}

#[test]
fn no_key_is_made_again_that_a_host_had_before_whatever_name_or_key_the_host_had_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let first = enrolled(dir.path());
    let text = dir.path().to_str().unwrap();
    let key_of = |line: &str| line.trim().split(' ').nth(4).unwrap().to_owned();
    // Somebody who has read the first key has the approver enrol another key of the host's, and then the first again.
    let other = enroll(text, &["--host-key", OTHER_KEY]);
    assert!(other.out.starts_with(&format!("3 olga 2 {OTHER_KEY} ")), "{other:?}");
    assert!(other.err.contains(&format!("db-07 had another key before, {HOST_KEY}")), "{other:?}");
    let back = enroll(text, &[]);
    assert!(back.out.starts_with(&format!("3 olga 3 {HOST_KEY} ")), "{back:?}");
    assert_ne!(key_of(&back.out), key_of(&first));
    // The same by another name of the host.
    let renamed = enroll_as("db-7", text, &[]);
    assert!(renamed.out.starts_with(&format!("3 olga 4 {HOST_KEY} ")), "{renamed:?}");
    let kept = fs::read(dir.path().join("code-hosts")).unwrap();
    for (host, epoch) in [("db-07", "1"), ("db-07", "3"), ("db-07", "4"), ("db-7", "4")] {
        let ran = enroll_as(host, text, &["--epoch", epoch]);
        assert!(ran.code == 2 && ran.out.is_empty(), "{ran:?}");
        let why =
            format!("epoch {epoch} is not above 4, the highest of your keys for {host}; nothing was made");
        assert!(ran.err.contains(&why) && ran.err.contains("leave --epoch out"), "{ran:?}");
    }
    assert_eq!(fs::read(dir.path().join("code-hosts")).unwrap(), kept);
    let next = enroll(text, &["--epoch", "5"]);
    assert!(next.code == 0 && next.out.starts_with("3 olga 5 "), "{next:?}");
}

#[test]
fn after_the_last_epoch_no_key_is_made_and_the_list_of_hosts_still_reads() {
    let dir = tempfile::tempdir().unwrap();
    enrolled(dir.path());
    let text = dir.path().to_str().unwrap();
    let last = enroll(text, &["--epoch", "999999"]).out;
    assert!(CodeKeys::parse(last.as_bytes()).is_ok(), "{last}");
    let ran = enroll(text, &[]);
    assert!(ran.code == 2 && ran.out.is_empty(), "{ran:?}");
    assert!(
        ran.err.contains("your keys for db-07 have had the last epoch, 999999; nothing was made"),
        "{ran:?}"
    );
    assert!(ran.err.contains("jitctl code new-secret --in DIR"), "{ran:?}");
    let ran = enroll(text, &["--epoch", "1000000"]);
    assert!(ran.code == 2 && ran.err.contains("is not in 1..=999999"), "{ran:?}");
    assert_eq!(answer(dir.path(), &["--yes"]).code, 0, "the key of the last epoch still answers");
    assert_eq!(enroll_as("db-8", text, &["--host-key", OTHER_KEY]).code, 0);
}

#[test]
fn the_file_of_a_host_is_listed_without_its_keys_and_what_is_wrong_with_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let line = enrolled(dir.path());
    let (file, key) = (dir.path().join("code-keys"), line.trim().split(' ').nth(4).unwrap().to_owned());
    fs::write(&file, &line).unwrap();
    let path = file.to_str().unwrap();
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let open = jitctl(&["code", "keys", path], &Nobody);
    assert!(open.code == 1 && open.out.contains("nobody else may read it"), "{open:?}");
    mode(0o600);
    let ran = jitctl(&["code", "keys", path], &Nobody);
    assert!(ran.code == 0 && ran.out.contains("olga") && !ran.out.contains(&key), "{ran:?}");
    fs::write(&file, format!("{line}{line}")).unwrap();
    let ran = jitctl(&["code", "keys", path], &Nobody);
    assert!(ran.code == 1 && ran.out.contains("line 2: its slot stands in line 1 already"), "{ran:?}");
}
