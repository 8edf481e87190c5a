use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use jit_core::sign::any::AnyText;
use jit_core::sign::approvers::{Approvers, Revoked};
use jit_core::sign::compact::{self, Brought};
use jit_core::sign::file::RequestFile;
use jit_core::sign::kind::{Kind, SignedText as _};
use jit_core::sign::verify::{Verified, verify, verify_text};
use jit_proto::manager::{Ahead, Entry, Exported, Taken};

use crate::call::Call;
use crate::error::Error;
use crate::testing::*;

const FILE: &str = include_str!("../../../../jit_core/offline-vectors/r-4k7m2qx9.req");
const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jit_core/offline-vectors");
const SIGNATURE: &str = include_str!("../../../../jit_core/offline-vectors/ed25519.sig");

fn exported() -> Exported {
    Exported {
        request: "r-4k7m2qx9".into(),
        expires: "2026-11-29T16:00:00Z".into(),
        file: FILE.into(),
        seal: String::new(),
        signable: true,
    }
}

fn export() -> Call {
    Call::Export { id: "r-4k7m2qx9".parse().unwrap() }
}

fn import(text: &str, signature: &str) -> Call {
    Call::Import { text: text.as_bytes().to_vec(), signature: signature.as_bytes().to_vec() }
}

fn path(dir: &Path, name: &str) -> String {
    dir.join(name).display().to_string()
}

#[test]
fn a_request_is_exported_just_as_jitd_wrote_it_and_over_nothing_that_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let text =
        jitctl(&["offline", "export", "r-4k7m2qx9", "--text"], &Script::answers(export(), &exported()));
    assert_eq!(text, Ran::new(0, FILE, ""));
    let to = path(dir.path(), "one.req");
    let args = ["offline", "export", "r-4k7m2qx9", "-o", &to];
    let ran = jitctl(&args, &Script::answers(export(), &exported()));
    assert_eq!(ran.out, format!("Wrote {to}; a signature counts until 2026-11-29 16:00:00Z.\n"));
    assert_eq!(fs::read_to_string(&to).unwrap(), FILE);
    let again = jitctl(&args, &Script::answers(export(), &exported()));
    assert!(again.code == 2 && again.err.contains("File exists"), "{again:?}");
    symlink("/nonexistent/elsewhere", dir.path().join("link.req")).unwrap();
    let link = path(dir.path(), "link.req");
    let ran =
        jitctl(&["offline", "export", "r-4k7m2qx9", "-o", &link], &Script::answers(export(), &exported()));
    assert_eq!(ran.code, 2, "{ran:?}");
    let forged = Exported { file: FILE.replace("duration: 30m", "duration: 1800s"), ..exported() };
    let ran = jitctl(&args, &Script::answers(export(), &forged));
    assert_eq!(ran.code, 3, "what jitd would never write is not put into a file: {ran:?}");
}

#[test]
fn a_signature_is_brought_with_its_file_beside_it_or_in_one_with_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("R.req"), FILE).unwrap();
    fs::write(dir.path().join("R.req.sig"), SIGNATURE).unwrap();
    fs::write(dir.path().join("one.signed"), format!("{FILE}{SIGNATURE}")).unwrap();
    for name in ["R.req.sig", "one.signed"] {
        let script = Script::answers(import(FILE, SIGNATURE), &active());
        let ran = jitctl(&["offline", "import", &path(dir.path(), name)], &script);
        assert!(ran.code == 0 && ran.out.contains("Opened g-"), "{ran:?}");
    }
}

#[test]
fn what_is_no_signed_file_is_refused_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("R.req"), FILE).unwrap();
    fs::write(dir.path().join("alone.sig"), SIGNATURE).unwrap();
    fs::write(dir.path().join("giant.signed"), "x".repeat(20_000)).unwrap();
    symlink(dir.path().join("R.req"), dir.path().join("link.signed")).unwrap();
    nix::unistd::mkfifo(&dir.path().join("pipe.signed"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    for (name, why) in [
        ("R.req", "there is no signature in it"),
        ("alone.sig", "is not beside it"),
        ("giant.signed", "it has more than 16384 bytes"),
        ("link.signed", "not a regular file"),
        ("pipe.signed", "not a regular file"),
        ("absent.signed", "No such file"),
    ] {
        let ran = jitctl(&["offline", "import", &path(dir.path(), name)], &Nobody);
        assert!(ran.code == 2 && ran.err.contains(why), "{name}: {ran:?}");
    }
}

#[test]
fn several_signatures_count_in_whatever_order_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let signed = |name: &str| {
        fs::write(dir.path().join(name), format!("{FILE}{SIGNATURE}{name}")).unwrap();
        (path(dir.path(), name), import(FILE, &format!("{SIGNATURE}{name}")))
    };
    let ((second, of_second), (first, of_first)) = (signed("second"), signed("first"));
    let not_yet = || Error::NotPermitted("stage 'plant' asks olga".into());
    let script = Script::fails(of_second.clone(), not_yet())
        .then(Script::answers(of_first, &pending()))
        .then(Script::answers(of_second.clone(), &active()));
    let ran = jitctl(&["offline", "import", &second, &first], &script);
    assert!(ran.code == 0 && ran.err.is_empty(), "{ran:?}");
    assert!(ran.out.contains("is pending") && ran.out.contains("Opened"), "{ran:?}");
    // One that never counts is told once, and the others have.
    let (third, of_third) = signed("third");
    let script = Script::fails(of_third, Error::Refused("a key that is revoked".into()))
        .then(Script::answers(of_second, &active()));
    let ran = jitctl(&["offline", "import", &third, &second], &script);
    assert!(ran.code == 1 && ran.out.contains("Opened"), "{ran:?}");
    assert_eq!(ran.err, format!("jitctl: {third}: refused: a key that is revoked\n"));
}

#[test]
fn an_approver_sees_the_request_and_signs_a_yes_a_no_or_less_with_their_own_openssh() {
    let dir = tempfile::tempdir().unwrap();
    let (file, key) = (path(dir.path(), "R.req"), path(dir.path(), "key"));
    // As mail leaves it.
    fs::write(&file, FILE.replace('\n', "\r\n")).unwrap();
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &key]).status().unwrap();
    assert!(made.success());
    let public = fs::read_to_string(dir.path().join("key.pub")).unwrap();
    let approvers = Approvers::parse(format!("olga {public}").as_bytes()).unwrap();
    let sign = |more: &[&str]| {
        let args = [&["offline", "sign", &file, "--key", &key], more].concat();
        let ran = jitctl(&args, &Nobody);
        assert!(ran.code == 0 && ran.err.contains("user: technician"), "{ran:?}");
        let name = ran.out.strip_prefix("Wrote ").unwrap().trim_end().trim_end_matches('.').to_owned();
        let whole = fs::read_to_string(name).unwrap();
        let (text, signature) = whole.split_at(whole.find("-----BEGIN").unwrap());
        let now = "2026-11-29T12:00:00Z".parse().unwrap();
        let text =
            verify(&approvers, &Revoked::default(), text.as_bytes(), signature.as_bytes(), now).unwrap().text;
        text.text()
    };
    assert_eq!(sign(&["--yes"]), FILE);
    assert!(sign(&["--yes", "--deny", "not today"]).contains("\ndecision: deny\n"));
    let less = sign(&["--yes", "--duration", "10m", "--services", "sudo"]);
    assert!(less.contains("\ndecision: approve\nduration: 10m\nservices: sudo,sudo-i\n"), "{less}");
    let unasked = jitctl(&["offline", "sign", &file, "--key", &key], &Nobody);
    assert!(unasked.code == 2 && unasked.err.contains("nobody can be asked here"), "{unasked:?}");
    fs::write(&file, FILE.replacen("uid: 2001", "uid: 02001", 1)).unwrap();
    let changed = jitctl(&["offline", "sign", &file, "--key", &key, "--yes"], &Nobody);
    assert!(changed.code == 2 && changed.err.contains("line 8: 'uid'"), "{changed:?}");
    // Whoever denies it or leaves less would sign the digest alone, and it would count for what they did not see.
    for (from, to) in [("reason: CASE-1234", "reason: CASE-1235"), ("user: technician", "user: manager")] {
        fs::write(&file, FILE.replacen(from, to, 1)).unwrap();
        for more in [&["--deny", "no"][..], &["--duration", "10m"], &[]] {
            let args = [&["offline", "sign", &file, "--key", &key, "--yes"], more].concat();
            let changed = jitctl(&args, &Nobody);
            assert!(changed.code == 2 && changed.out.is_empty(), "{changed:?}");
            assert!(changed.err.contains("the host wrote another one"), "{changed:?}");
        }
    }
}

#[test]
fn an_approvers_file_is_checked_without_a_jitd() {
    let dir = tempfile::tempdir().unwrap();
    let good = include_str!("../../../../jit_core/offline-vectors/approvers");
    let file = path(dir.path(), "approvers");
    fs::write(&file, good).unwrap();
    let none = path(dir.path(), "none");
    let check = || jitctl(&["approvers", "check", &file, "--revoked", &none], &Nobody);
    assert_eq!(check(), Ran::new(0, "11 keys may approve.\n", ""));
    fs::write(&file, format!("{good}eva cert-authority ssh-ed25519 AAAA\n")).unwrap();
    let bad = check();
    assert!(bad.code == 1 && bad.out.contains("line 14: 'cert-authority' is not supported"), "{bad:?}");
    assert!(bad.err.contains("no signature counts"), "{bad:?}");
}

#[test]
fn in_rows_a_request_goes_out_is_signed_by_the_real_ssh_keygen_and_its_signature_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let (key, rows) = (path(dir.path(), "key"), path(dir.path(), "rows"));
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &key]).status();
    assert!(made.unwrap().success());
    let shown =
        jitctl(&["offline", "export", "r-4k7m2qx9", "--compact"], &Script::answers(export(), &exported()));
    let file = RequestFile { checkpoint: None, ..RequestFile::parse(FILE.as_bytes()).unwrap() };
    assert_eq!(compact::parse_request(&shown.out), Ok(file.clone()), "{shown:?}");
    fs::write(&rows, shown.out.to_lowercase()).unwrap();
    let signed = jitctl(
        &[
            "offline",
            "sign",
            &rows,
            "--key",
            &key,
            "--yes",
            "--compact",
            "--known",
            &path(dir.path(), "known"),
        ],
        &Nobody,
    );
    assert_eq!(signed.code, 0, "{signed:?}");
    assert!(signed.err.contains(file.text().trim_end()), "what is signed is shown:\n{}", signed.err);
    assert_eq!(Brought::parse(&signed.out).unwrap().request, file.request);
    // Typed row by row: a mistake is told at once.
    let lines: Vec<&str> = signed.out.lines().collect();
    let mut slip = lines[1].as_bytes().to_vec();
    let differ = |pair: &[u8]| pair[0] != pair[1] && pair.iter().all(u8::is_ascii_alphanumeric);
    let at = slip.windows(2).position(differ).unwrap();
    slip.swap(at, at + 1);
    let slip = String::from_utf8(slip).unwrap();
    let typed: Vec<&str> = lines[..1].iter().chain([&slip.as_str()]).chain(&lines[1..]).copied().collect();
    let sent = lines.join("\n") + "\n";
    let call = || Call::Import { text: sent.clone().into_bytes(), signature: Vec::new() };
    let ran = jitctl_typing(&["offline", "import"], &Script::answers(call(), &active()), &typed);
    assert!(ran.code == 0 && ran.out.contains("Opened g-"), "{ran:?}");
    assert!(ran.err.contains("two have changed places"), "{ran:?}");
    // Or out of a file, as anything else.
    let file = path(dir.path(), "signature");
    fs::write(&file, &sent).unwrap();
    let ran = jitctl(&["offline", "import", &file], &Script::answers(call(), &active()));
    assert!(ran.code == 0 && ran.out.contains("Opened g-"), "{ran:?}");
    let ran = jitctl(&["offline", "import", &rows], &Nobody);
    assert!(
        ran.code == 2 && ran.err.contains("it is a request, and a signature is expected here"),
        "{ran:?}"
    );
}

#[test]
fn as_qr_codes_each_waits_in_the_last_line_of_the_console_until_it_has_been_scanned() {
    let args = ["offline", "export", "r-4k7m2qx9", "--qr"];
    let ran = jitctl_typing(&args, &Script::answers(export(), &exported()), &["", "", ""]);
    assert!(ran.code == 0 && ran.err.contains("Code 3 of 3; Enter when it has been scanned: "), "{ran:?}");
    // The last has fewer rows.
    assert!((2 * 23 + 1..=3 * 23).contains(&ran.out.lines().count()), "{ran:?}");
    assert!(ran.out.lines().all(|line| line.starts_with("\u{1b}[97;40m") && line.ends_with("\u{1b}[m")));
    let piped = jitctl(&[&args[..], &["--ascii"]].concat(), &Script::answers(export(), &exported()));
    assert_eq!((piped.code, piped.out.lines().next().unwrap().len()), (0, 90), "{piped:?}");
}

const POLICY: &str = "version = 1\nadmins = { users = [\"root\"] }\n\
                      exempt = [{ users = [\"root\"], services = [\"login\"] }]\n";

#[test]
fn the_text_of_a_policy_is_written_shown_and_signed_only_where_the_files_are_those_that_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, file) = (path(dir.path(), ""), path(dir.path(), "10-site.toml"));
    fs::write(&file, POLICY).unwrap();
    let key = path(dir.path(), "key");
    Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &key]).status().unwrap();
    let write = ["offline", "policy", &folder, "--hosts", "db-1,@databases", "--serial", "7"];
    let ran = jitctl(&write, &Nobody);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(jitctl(&write, &Nobody).code, 2, "it writes over nothing");
    let text = path(dir.path(), "jitd.policy");
    let sign = ["offline", "sign", &text, "--key", &key];
    let unasked = jitctl(&sign, &Nobody);
    assert!(unasked.code == 2 && unasked.err.contains("serial: 7\n"), "{unasked:?}");
    let signed = jitctl(&[&sign[..], &["--yes"]].concat(), &Nobody);
    assert_eq!(signed.code, 0, "{signed:?}");
    let name = signed.out.trim_start_matches("Wrote ").trim_end_matches(".\n").to_owned();
    assert!(name.starts_with(&text) && fs::exists(&name).unwrap(), "{name}");

    // The carrier's own copies are sent as bytes; what was changed on the way is not.
    fs::write(&file, POLICY.replace("root", "eve")).unwrap();
    let other = jitctl(&[&sign[..], &["--yes"]].concat(), &Nobody);
    assert!(
        other.code == 2 && other.err.contains("10-site.toml is not the file that was signed"),
        "{other:?}"
    );
    let load = jitctl(&["policy", "load", "--signed", &folder], &Nobody);
    assert!(load.code == 2 && load.err.contains("10-site.toml is not the file that was signed"), "{load:?}");
    fs::write(&file, "version = 1\nnonsense = 1\n").unwrap();
    fs::remove_file(&text).unwrap();
    let broken = jitctl(&write, &Nobody);
    assert!(broken.code == 2 && broken.err.contains("JIT012"), "{broken:?}");
    for bad in ["db-*", "", "*,db-1", "@"] {
        assert_eq!(jitctl(&["offline", "policy", &folder, "--hosts", bad], &Nobody).code, 2, "{bad}");
    }
}

/// Signs a statement with the real ssh-keygen, and says what was shown and what was signed.
fn signed_statement(dir: &Path, file: &str, kind: Kind, shown: &[&str]) -> (String, String) {
    let key = path(dir, "key");
    if !dir.join("key").exists() {
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &key]).status();
        assert!(made.unwrap().success());
    }
    let public = fs::read_to_string(dir.join("key.pub")).unwrap();
    let line = format!("olga namespaces=\"{}\" {public}", kind.namespace());
    let approvers = Approvers::parse(line.as_bytes()).unwrap();
    let ran = jitctl(&["offline", "sign", file, "--key", &key, "--yes"], &Nobody);
    assert_eq!(ran.code, 0, "{ran:?}");
    for shown in shown {
        assert!(ran.err.contains(shown), "{shown}: {}", ran.err);
    }
    let name = ran.out.strip_prefix("Wrote ").unwrap().trim_end().trim_end_matches('.').to_owned();
    let whole = fs::read_to_string(&name).unwrap();
    let (text, signature) = whole.split_at(whole.find("-----BEGIN").unwrap());
    let now = crate::times::now();
    let verified: Verified<AnyText> =
        verify_text(&approvers, &Revoked::default(), text.as_bytes(), signature.as_bytes(), now).unwrap();
    assert_eq!((verified.text.kind(), verified.text.text().as_str()), (kind, text));
    (name, text.to_owned())
}

#[test]
fn a_grant_and_its_revoke_are_written_shown_in_plain_words_and_signed_without_a_jitd() {
    let dir = tempfile::tempdir().unwrap();
    let file = path(dir.path(), "visit.statement");
    let args =
        ["offline", "grant", "technician", "--role", "vendor-root", "--hosts", "press-9,@presses,PRESS-7"];
    let more =
        ["--for", "90m", "--person", "Jörg Ü.", "--uses", "3", "--reason", "CASE-1 bearing", "-o", &file];
    let ran = jitctl(&[&args[..], &more].concat(), &Nobody);
    assert_eq!((ran.code, ran.out.as_str()), (0, format!("Wrote {file}.\n").as_str()), "{ran:?}");
    let words = "technician (who is Jörg Ü.) is let in by role vendor-root (all services of the role) for 1h30m, 3 logins \
                 at most, once on each of press-7,press-9,@presses";
    let (signed, text) = signed_statement(dir.path(), &file, Kind::Grant, &["for: - J\\u{f6}rg", words]);
    assert!(text.contains("\nhosts: press-7,press-9,@presses\nhost-key: any\nuser: technician\n"), "{text}");
    // A revoke is about the serial of the signed file and for its hosts.
    let end = path(dir.path(), "end.statement");
    let ran = jitctl(&["offline", "revoke", &signed, "--reason", "another comes", "-o", &end], &Nobody);
    assert_eq!(ran.code, 0, "{ran:?}");
    let serial = text.lines().nth(1).unwrap().strip_prefix("serial: ").unwrap();
    let words = format!("The grant with serial {serial} ends on press-7,press-9,@presses");
    let (_, of_end) = signed_statement(dir.path(), &end, Kind::Revoke, &[&words]);
    assert!(of_end.contains(&format!("\nrevokes: {serial}\n")), "{of_end}");
    // What no host takes is not written, and what is there is not written over.
    let week = jitctl(
        &[&args[..], &["--not-after", "2999-01-01 00:00", "--reason", "CASE-1 bearing"]].concat(),
        &Nobody,
    );
    assert!(week.code == 2 && week.err.contains("more than 7 days after 'issued'"), "{week:?}");
    let all = jitctl(
        &["offline", "grant", "ann", "--role", "r", "--hosts", "*", "--reason", "CASE-1 bearing"],
        &Nobody,
    );
    assert!(all.code == 2 && all.err.contains("'hosts' has a value that is never written so"), "{all:?}");
    let again = jitctl(&["offline", "revoke", serial, "-o", &end], &Nobody);
    assert!(again.code == 2 && again.err.contains("File exists"), "{again:?}");
    // Less of it is another grant.
    let less = jitctl(&["offline", "sign", &file, "--key", "x", "--deny", "no", "--yes"], &Nobody);
    assert!(less.code == 2 && less.err.contains("a grant is signed as it is"), "{less:?}");
}

#[test]
fn a_statement_is_brought_and_what_came_of_it_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let vector = |name: &str| fs::read_to_string(format!("{VECTORS}/{name}")).unwrap();
    let bring = |kind: &str, script: &Script| {
        let file = path(dir.path(), kind);
        fs::write(&file, vector(&format!("{kind}.statement")) + &vector(&format!("{kind}.sig"))).unwrap();
        jitctl(&["offline", "import", &file], script)
    };
    let call = |kind: &str| import(&vector(&format!("{kind}.statement")), &vector(&format!("{kind}.sig")));
    let ahead =
        Ahead { serial: "00ff".into(), until: "2026-12-04T18:00:00Z".into(), behind: Some("Jörg".into()) };
    let entry = Entry { ahead: Some(ahead), ..active() };
    let ran = bring("grant", &Script::answers(call("grant"), &entry));
    assert!(ran.code == 0 && ran.out.contains("Opened g-4k7m2qx9"), "{ran:?}");
    let taken = Taken {
        kind: "revoke".into(),
        by: "olga".into(),
        revokes: Some("00ff".into()),
        revoked: None,
        lock: None,
        clock: None,
    };
    let ran = bring("revoke", &Script::answers(call("revoke"), &taken));
    assert!(
        ran.code == 0 && ran.out.ends_with("signed by olga; 00ff has not come here, and will open nothing\n"),
        "{ran:?}"
    );
    let shown = crate::views::entry(&entry).data;
    assert!(shown.contains("a signed grant for Jörg, over by 2026-12-04 18:00:00Z, serial 00ff"), "{shown}");
}

#[test]
fn a_lock_and_the_time_are_written_shown_and_signed_for_what_admins_sign_for() {
    let dir = tempfile::tempdir().unwrap();
    let lock = path(dir.path(), "lock.statement");
    let args =
        ["offline", "lock", "user:technician", "--hosts", "*", "--until", "2999-01-01 00:00", "-o", &lock];
    assert_eq!(jitctl(&args, &Nobody).code, 0);
    let words = "The user technician is locked on every host until 2999-01-01 00:00:00Z";
    let (_, text) = signed_statement(dir.path(), &lock, Kind::Lock, &[words]);
    assert!(text.contains("\nhosts: *\n") && text.contains("\nscope: user:technician\n"), "{text}");
    let (asked, clock) = (path(dir.path(), "press-7.ask"), path(dir.path(), "clock.statement"));
    fs::write(&asked, fs::read_to_string(format!("{VECTORS}/clock.challenge")).unwrap()).unwrap();
    assert_eq!(jitctl(&["offline", "clock", &asked, "-o", &clock], &Nobody).code, 0);
    let (_, text) =
        signed_statement(dir.path(), &clock, Kind::Clock, &["press-7 (key SHA256:", "is told that it was"]);
    assert!(text.contains("\nasked: 90061\nchallenge: ") && text.ends_with("\nreason: none\n"), "{text}");
    // A challenge is what a host asks, and nobody signs that.
    let ran = jitctl(&["offline", "sign", &asked, "--key", "x", "--yes"], &Nobody);
    assert_eq!(ran.code, 2, "{ran:?}");
    let ran = jitctl(&["offline", "clock", &clock], &Nobody);
    assert!(ran.code == 2 && ran.err.contains("it is no challenge"), "{ran:?}");
}

#[test]
fn what_was_signed_elsewhere_is_written_out_of_its_record_and_openssh_verifies_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = path(dir.path(), "");
    let vector = |name: &str| fs::read_to_string(format!("{VECTORS}/{name}")).unwrap();
    let examples = include_str!("../../../../docs/schema/examples.jsonl").lines();
    let examples: Vec<serde_json::Value> = examples.map(|line| serde_json::from_str(line).unwrap()).collect();
    let call = |number| Call::Records { first: number, most: 1 };
    let page = |record: &serde_json::Value| jit_proto::audit::Page {
        records: vec![record.to_string()],
        next: 8,
        total: 9,
        ..jit_proto::audit::Page::default()
    };
    for (event, kind, namespace) in [
        ("revoke-taken", "revoke", "jitd.approval.v1"),
        ("locked", "lock", "jitd.admin.v1"),
        ("clock-accepted", "clock", "jitd.admin.v1"),
    ] {
        let signed = serde_json::json!({
            "principals": ["admin@site", "lead@site"], "key": "SHA256:x",
            "text": vector(&format!("{kind}.statement")), "signature": vector(&format!("{kind}.sig")),
        });
        let mut record = examples
            .iter()
            .find(|one| one["event"] == event && one.to_string().contains("\"signature\""))
            .unwrap_or_else(|| panic!("an example of {event} that was signed"))
            .clone();
        match record.get_mut("statement") {
            Some(statement) => statement["signed"] = signed,
            None => record["signed"] = signed,
        }
        record["seq"] = 7.into();
        let ran =
            jitctl(&["offline", "evidence", "7", "--in", &folder], &Script::answers(call(7), &page(&record)));
        assert_eq!((ran.code, ran.out.lines().count()), (0, 2), "{ran:?}");
        let commands = ran.out.replace("/etc/jit/approvers", &format!("{VECTORS}/approvers-authored"));
        let good = commands.lines().filter(|command| {
            let output = Command::new("sh").args(["-c", command]).output().unwrap();
            String::from_utf8_lossy(&output.stdout)
                .starts_with(&format!("Good \"{namespace}\" signature for "))
        });
        assert!(good.count() > 0, "{kind}: {commands}");
        for end in ["txt", "sig"] {
            fs::remove_file(dir.path().join(format!("record-7.1.{end}"))).unwrap();
        }
    }
    let started = examples.iter().find(|one| one["event"] == "stopped").unwrap();
    let none = jitctl(&["offline", "evidence", "7"], &Script::answers(call(7), &page(started)));
    assert!(none.code == 1 && none.err.contains("record 7 holds nothing that was signed"), "{none:?}");
    let empty = jit_proto::audit::Page {
        records: Vec::new(),
        next: 9,
        total: 9,
        ..jit_proto::audit::Page::default()
    };
    let beyond = jitctl(&["offline", "evidence", "9"], &Script::answers(call(9), &empty));
    assert!(beyond.code == 2 && beyond.err.contains("there is no record 9; the last one is 8"), "{beyond:?}");
}
