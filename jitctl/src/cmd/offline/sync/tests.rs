use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jit_core::digest::Digest;
use jit_core::model::{Decision, Narrow};
use jit_core::proof::checkpoint::Signed;
use jit_core::proof::merkle::{Frontier, leaf};
use jit_core::sign::file::{Nonce, RequestFile, fingerprint};
use jit_core::sign::grant::GrantStatement;
use jit_core::sign::hosts::Hosts;
use jit_core::sign::kind::SignedText as _;
use jit_core::sign::revoke::{RevokeStatement, What};
use jit_core::sign::seal::seal;
use jit_core::sign::statement::Statement;
use jit_exchange::folder::Exchange;
use jit_exchange::names::{Name, Part};
use jit_proto::audit::{Checkpoint, Page};
use jit_proto::manager::{Entry, Evidence as SignedReview, Exported, Review, Status, Taken};

use crate::call::Call;
use crate::error::Error;
use crate::testing::*;
use crate::times::now;
use crate::values::Id;

const FILE: &str = include_str!("../../../../../jit_core/offline-vectors/r-4k7m2qx9.req");

struct Stick(tempfile::TempDir);

impl Stick {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("stick")).unwrap();
        let key = dir.path().join("key");
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key).status();
        assert!(made.unwrap().success());
        Self(dir)
    }

    /// What stock ssh-keygen makes of a text by the approver's key.
    fn signature(&self, text: &str) -> String {
        let path = self.0.path().join("text");
        fs::write(&path, text).unwrap();
        let key = self.0.path().join("key");
        let mut keygen = Command::new("ssh-keygen");
        let keygen = keygen.args(["-q", "-Y", "sign", "-n", "jitd.approval.v1", "-f"]).arg(key);
        let made = keygen.stdin(fs::File::open(&path).unwrap()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).unwrap()
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("stick")
    }

    fn sync(&self, script: &Script) -> Ran {
        let (stick, known) = (self.path().display().to_string(), self.0.path().join("known"));
        jitctl(&["offline", "sync", &stick, "--known", &known.display().to_string()], script)
    }

    fn names(&self, part: Part) -> Vec<Name> {
        let host = "db-07".parse().unwrap();
        let host = (part != Part::Statements).then_some(&host);
        let folder = Exchange::open(&self.path()).unwrap().folder(part, host).unwrap();
        folder.map_or_else(Vec::new, |folder| folder.listing(part).unwrap().names)
    }

    /// Puts a text with its signature there; the import that should come of it.
    fn signed(&self, text: &str) -> Call {
        self.put(text, &self.signature(text))
    }

    fn put(&self, text: &str, signature: &str) -> Call {
        let whole = format!("{text}{signature}");
        let folder = Exchange::open(&self.path()).unwrap().make(Part::Statements, None).unwrap();
        folder.put(&Name::Statement(Digest::of(whole.as_bytes())), whole.as_bytes()).unwrap();
        Call::Import { text: text.into(), signature: signature.into() }
    }
}

fn request(host: &str, id: &str) -> RequestFile {
    let file = RequestFile::parse(FILE.as_bytes()).unwrap();
    let (key, expires) = (host_key(), now().plus(Duration::from_hours(8)).whole_seconds());
    let file = RequestFile {
        host: host.parse().unwrap(),
        host_key: fingerprint(&key.public()),
        request: id.parse().unwrap(),
        expires,
        checkpoint: None,
        ..file
    };
    let digest = file.shown_digest();
    RequestFile { digest, nonce: Nonce::of(&key, digest, expires), ..file }
}

/// Somebody who may read no log.
fn person() -> Script {
    Script::answers(Call::Status, &Status { audit_records: None, unsent: None, ..status() })
}

fn lists(entries: &[Entry]) -> Script {
    Script::answers(Call::List { all: false }, entries)
}

fn waits(id: &str) -> Entry {
    Entry { request: id.into(), reviews: Vec::new(), ..pending() }
}

fn shows(id: &str, entry: &Entry) -> Script {
    Script::answers(Call::Show { id: Id::Request(id.parse().unwrap()) }, entry)
}

fn exports(file: &RequestFile, signable: bool) -> Script {
    let exported = Exported {
        request: file.request.to_string(),
        expires: file.expires.to_seconds(),
        file: file.text(),
        seal: seal(&file.text(), &host_key()),
        signable,
    };
    Script::answers(Call::Export { id: file.request }, &exported)
}

const ID: &str = "r-4k7m2qx9";

#[test]
fn what_waits_is_put_out_with_its_seal_once_and_taken_out_when_it_waits_no_longer() {
    let stick = Stick::new();
    let (file, online) = (request("db-07", ID), request("db-07", "r-7hq2m9xk"));
    let out = |file: &RequestFile| {
        let both = lists(&[waits(ID), waits("r-7hq2m9xk")]);
        stick.sync(&person().then(both).then(exports(file, true)).then(exports(&online, false)))
    };
    let ran = out(&file);
    assert!(ran.code == 0 && ran.out.contains("Put out: 1 request"), "{ran:?}");
    assert!(ran.out.contains("Left here: 1 request: no signature counts"), "{ran:?}");
    let digest = Digest::of(file.text().as_bytes());
    assert_eq!(stick.names(Part::Requests), [Name::Request(digest), Name::Seal(digest)]);
    assert!(ran.err.contains("the log is for root"), "{ran:?}");
    // Without the log, the key by which whoever approves knows whose seal it is.
    let key = format!("{}\n", host_key().public());
    assert_eq!(stick.names(Part::Logs), [Name::Key(Digest::of(key.as_bytes()))]);
    // jitd writes it anew each time; what is there is as good.
    let minute = file.expires.plus(Duration::from_mins(1)).whole_seconds();
    let ran = out(&RequestFile { expires: minute, ..file.clone() });
    assert!(ran.out.contains("Put out: 0 requests") && stick.names(Part::Requests).len() == 2, "{ran:?}");
    // One that counts for long after it takes its place.
    let later = RequestFile { expires: file.expires.plus(Duration::from_hours(48)), ..file };
    assert!(out(&later).out.contains("Put out: 1 request"));
    let digest = Digest::of(later.text().as_bytes());
    assert_eq!(stick.names(Part::Requests), [Name::Request(digest), Name::Seal(digest)]);
    // Whoever does not see all cannot tell what is over.
    let ran = stick.sync(&person().then(lists(&[])));
    assert!(ran.code == 0 && stick.names(Part::Requests).len() == 2, "{ran:?}");
}

#[test]
fn what_jitd_has_not_sealed_is_not_put_out() {
    let stick = Stick::new();
    let file = request("db-07", ID);
    let other = seal("another text\n", &host_key());
    let exported = Exported {
        seal: other,
        ..Exported {
            request: ID.into(),
            expires: String::new(),
            file: file.text(),
            seal: String::new(),
            signable: true,
        }
    };
    let export = Script::answers(Call::Export { id: ID.parse().unwrap() }, &exported);
    let ran = stick.sync(&person().then(lists(&[waits(ID)])).then(export));
    assert!(ran.code == 3 && ran.err.contains("the seal of r-4k7m2qx9"), "{ran:?}");
    assert!(stick.names(Part::Requests).is_empty());
}

#[test]
fn what_is_signed_for_this_host_is_brought_and_nothing_else() {
    let stick = Stick::new();
    let file = request("db-07", ID);
    let import = stick.signed(&file.text());
    // Another host's; one for a host of this name that was set up anew; one that is over; junk.
    stick.signed(&request("db-08", ID).text());
    stick.signed(&RequestFile { host_key: format!("SHA256:{}", "A".repeat(43)), ..file.clone() }.text());
    stick.signed(&RequestFile { expires: "2026-01-01T00:00:00Z".parse().unwrap(), ..file.clone() }.text());
    stick.signed("nothing at all\n");
    stick.signed("jitd.grant.v1\nwhatever\n");
    let statements = stick.path().join("statements");
    symlink("/etc/passwd", statements.join(Name::Statement(Digest::of(b"x")).to_string())).unwrap();
    fs::write(statements.join("readme.txt"), "hello").unwrap();
    let script = person()
        .then(lists(&[waits(ID)]))
        .then(shows(ID, &waits(ID)))
        .then(Script::answers(import, &active()))
        .then(lists(&[]));
    let ran = stick.sync(&script);
    assert_eq!(ran.code, 0, "{ran:?}");
    for text in ["Taken in: 1 statement", "Opened g-", "For others: 2", "Known already: 1"] {
        assert!(ran.out.contains(text), "{text}: {ran:?}");
    }
    for text in
        ["is left alone: line 1", "not a regular file", "not of an exchange, and left alone: readme.txt"]
    {
        assert!(ran.err.contains(text), "{text}: {ran:?}");
    }
}

#[test]
fn what_stock_ssh_keygen_wrote_beside_a_request_is_brought_too() {
    let stick = Stick::new();
    let file = request("db-07", ID);
    let digest = Digest::of(file.text().as_bytes());
    let folder = Exchange::open(&stick.path()).unwrap();
    let folder = folder.make(Part::Requests, Some(&"db-07".parse().unwrap())).unwrap();
    folder.put(&Name::Request(digest), file.text().as_bytes()).unwrap();
    let signature = stick.signature(&file.text());
    folder.put(&Name::Beside(digest), signature.as_bytes()).unwrap();
    let import = Call::Import { text: file.text().into(), signature: signature.into() };
    let script = person()
        .then(lists(&[waits(ID)]))
        .then(shows(ID, &waits(ID)))
        .then(Script::answers(import, &active()))
        .then(lists(&[]));
    let ran = stick.sync(&script);
    assert!(ran.code == 0 && ran.out.contains("Taken in: 1 statement"), "{ran:?}");
}

#[test]
fn what_the_host_has_already_is_not_brought_again() {
    let stick = Stick::new();
    let file = request("db-07", ID);
    stick.signed(&file.text());
    let signed = SignedReview {
        principals: vec!["olga".into()],
        key: "SHA256:x".into(),
        flags: None,
        counter: None,
        text: file.text(),
        signature: stick.signature(&file.text()),
    };
    let reviewed = Review { signed: Some(signed), ..active().reviews.remove(0) };
    let has = Entry { reviews: vec![reviewed], ..waits(ID) };
    let ran = stick.sync(&person().then(lists(&[waits(ID)])).then(shows(ID, &has)).then(lists(&[])));
    assert!(ran.code == 0 && ran.out.contains("Known already: 1"), "{ran:?}");
    // Decided: the request is not even looked at.
    let ran = stick.sync(&person().then(lists(&[Entry { request: ID.into(), ..active() }])).then(lists(&[])));
    assert!(ran.code == 0 && ran.out.contains("Known already: 1"), "{ran:?}");
}

#[test]
fn what_was_refused_is_told_once_and_rests_until_it_is_asked_for_or_the_request_comes_further() {
    let stick = Stick::new();
    let import = stick.signed(&request("db-07", ID).text());
    let here = |entry: &Entry| person().then(lists(&[waits(ID)])).then(shows(ID, entry));
    let no = || Script::fails(import.clone(), Error::Refused("a key that is revoked".into()));
    let ran = stick.sync(&here(&waits(ID)).then(no()).then(lists(&[])));
    assert!(ran.code == 1 && ran.out.contains("refused: a key that is revoked"), "{ran:?}");
    let ran = stick.sync(&here(&waits(ID)).then(lists(&[])));
    assert!(ran.code == 0 && ran.out.contains("Refused before: 1"), "{ran:?}");
    assert!(ran.err.contains("add --again"), "{ran:?}");
    // It is remembered on this host, not on the stick.
    let (path, known) =
        (stick.path().display().to_string(), stick.0.path().join("known").display().to_string());
    let script = here(&waits(ID)).then(no()).then(lists(&[]));
    let ran = jitctl(&["offline", "sync", &path, "--again", "--known", &known], &script);
    assert_eq!(ran.code, 1, "{ran:?}");
    let further = Entry { reviews: active().reviews, ..waits(ID) };
    let script = here(&further).then(Script::answers(import.clone(), &active())).then(lists(&[]));
    assert_eq!(stick.sync(&script).code, 0);
}

#[test]
fn a_planted_file_keeps_nothing_from_coming_in_or_going_out() {
    let stick = Stick::new();
    let (file, other) = (request("db-07", ID), request("db-07", "r-7hq2m9xk"));
    let import = stick.signed(&file.text());
    let armour = stick.signature(&file.text());
    // More than jitd looks at; a signature of another text; one that has not the form of any.
    stick.put(&file.text(), &(armour.clone() + &"\n".repeat(4096)));
    stick.put(&other.text(), &armour);
    stick.put(&other.text(), "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n");
    let script = person()
        .then(lists(&[waits(ID), waits("r-7hq2m9xk")]))
        .then(shows(ID, &waits(ID)))
        .then(Script::answers(import, &active()))
        .then(lists(&[waits("r-7hq2m9xk")]))
        .then(exports(&other, true));
    let ran = stick.sync(&script);
    assert!(ran.code == 0 && ran.out.contains("Taken in: 1 statement"), "{ran:?}");
    assert!(ran.out.contains("Put out: 1 request"), "{ran:?}");
    assert_eq!(ran.err.matches(".signed is left alone: ").count(), 3, "{ran:?}");
    for text in ["its signature has more than 4096 bytes", "is not one of that text"] {
        assert!(ran.err.contains(text), "{text}: {ran:?}");
    }
}

#[test]
fn what_jitd_does_not_accept_is_refused_like_the_rest_and_remembered() {
    let stick = Stick::new();
    let import = stick.signed(&request("db-07", ID).text());
    let other = request("db-07", "r-7hq2m9xk");
    let here = || person().then(lists(&[waits(ID)])).then(shows(ID, &waits(ID)));
    let out = || lists(&[waits("r-7hq2m9xk")]).then(exports(&other, true));
    let ran = stick.sync(&here().then(Script::fails(import, Error::Invalid("it is odd".into()))).then(out()));
    assert!(ran.code == 1 && ran.out.contains("it is odd"), "{ran:?}");
    assert!(ran.out.contains("Put out: 1 request"), "{ran:?}");
    let ran = stick.sync(&here().then(out()));
    assert!(ran.code == 0 && ran.out.contains("Refused before: 1"), "{ran:?}");
}

#[test]
fn what_waits_and_the_log_go_out_also_where_nothing_could_be_taken_in() {
    let stick = Stick::new();
    let import = stick.signed(&request("db-07", ID).text());
    let (other, log) = (request("db-07", "r-7hq2m9xk"), Log::of(3, "one"));
    let script = Script::answers(Call::Status, &status())
        .then(lists(&[waits(ID)]))
        .then(shows(ID, &waits(ID)))
        .then(Script::fails(import, Error::CannotDecide("the store is shut".into())))
        .then(lists(&[waits("r-7hq2m9xk")]))
        .then(exports(&other, true))
        .then(log.checkpoint())
        .then(log.page(0, 0, 3));
    let ran = stick.sync(&script);
    assert!(ran.code == 3 && ran.err.contains("the store is shut"), "{ran:?}");
    assert!(ran.out.contains("Put out: 1 request, 3 records; a checkpoint covers 3"), "{ran:?}");
}

#[test]
fn signatures_that_come_in_the_wrong_order_count_and_a_spent_share_stops_at_once() {
    let stick = Stick::new();
    let file = request("db-07", ID);
    let denial = Statement::about(&file, Decision::Deny, Narrow::default(), None);
    let mut imports = [stick.signed(&file.text()), stick.signed(&denial.text())];
    let texts = |import: &Call| match import {
        Call::Import { text, signature } => Digest::of(&[text.as_slice(), signature].concat()),
        _ => unreachable!(),
    };
    imports.sort_by_key(texts);
    let (first, second) = (imports[0].clone(), imports[1].clone());
    let begin = || person().then(lists(&[waits(ID)])).then(shows(ID, &waits(ID)));
    let not_yet = || Error::NotPermitted("stage 'plant' asks olga".into());
    let script = begin()
        .then(Script::fails(first.clone(), not_yet()))
        .then(Script::answers(second.clone(), &pending()))
        .then(Script::answers(first.clone(), &active()))
        .then(lists(&[]));
    let ran = stick.sync(&script);
    assert!(ran.code == 0 && ran.out.contains("Taken in: 2 statements"), "{ran:?}");
    let script =
        begin().then(Script::fails(first, Error::Busy("60 signed files an hour".into()))).then(lists(&[]));
    let ran = stick.sync(&script);
    assert!(ran.code == 1 && ran.err.contains("the rest is brought next time"), "{ran:?}");
}

#[test]
fn what_was_never_refused_is_brought_before_what_was() {
    let stick = Stick::new();
    let file = request("db-07", ID);
    let denial = Statement::about(&file, Decision::Deny, Narrow::default(), None);
    let mut texts = [file.text(), denial.text()];
    texts.sort_by_key(|text| Digest::of(format!("{text}{}", stick.signature(text)).as_bytes()));
    let no = |import: &Call| Script::fails(import.clone(), Error::Refused("it is over".into()));
    let here = || person().then(lists(&[waits(ID)])).then(shows(ID, &waits(ID)));
    let first = stick.signed(&texts[0]);
    assert_eq!(stick.sync(&here().then(no(&first)).then(lists(&[]))).code, 1);
    let second = stick.signed(&texts[1]);
    let (path, known) = (stick.path().display().to_string(), stick.0.path().join("known"));
    let script = here().then(no(&second)).then(no(&first)).then(lists(&[]));
    let args = ["offline", "sync", &path, "--again", "--known", &known.display().to_string()];
    let ran = jitctl(&args, &script);
    assert!(ran.code == 1 && ran.out.matches("it is over").count() == 2, "{ran:?}");
}

/// A log as jitd gives it out.
struct Log(Vec<String>);

impl Log {
    fn of(records: usize, word: &str) -> Self {
        Self(
            (0..records).map(|seq| format!(r#"{{"seq":{seq},"event":"allowed","note":"{word}"}}"#)).collect(),
        )
    }

    fn signed(&self) -> Signed {
        let mut tree = Frontier::default();
        self.0.iter().for_each(|record| tree.append(leaf(record.as_bytes())));
        Signed::over(&tree, &host_key())
    }

    fn checkpoint(&self) -> Script {
        let signed = self.signed();
        let made = Checkpoint {
            note: signed.to_string(),
            key: host_key().public().to_string(),
            size: signed.checkpoint.size,
            root: signed.checkpoint.root.to_string(),
        };
        Script::answers(Call::AuditCheckpoint, &made)
    }

    /// A page from one record on.
    fn page(&self, first: usize, most: u32, up_to: usize) -> Script {
        let page = Page {
            records: self.0.get(first..up_to).unwrap_or_default().to_vec(),
            next: up_to as u64,
            total: self.0.len() as u64,
            ..Page::default()
        };
        Script::answers(Call::Records { first: first as u64, most }, &page)
    }
}

fn root() -> Script {
    Script::answers(Call::Status, &status()).then(lists(&[]))
}

#[test]
fn records_go_out_in_pieces_and_next_time_only_those_that_are_new() {
    let stick = Stick::new();
    let log = Log::of(10, "one");
    let ran = stick.sync(&root().then(log.checkpoint()).then(log.page(0, 0, 6)).then(log.page(6, 4, 10)));
    assert!(ran.code == 0 && ran.out.contains("10 records; a checkpoint covers 10"), "{ran:?}");
    let firsts = |stick: &Stick| -> Vec<(u64, u64)> {
        let piece = |name: &Name| if let Name::Records(of) = name { Some((of.first, of.next)) } else { None };
        stick.names(Part::Logs).iter().filter_map(piece).collect()
    };
    assert_eq!(firsts(&stick), [(0, 6), (6, 10)]);
    // Nothing has happened: nothing is read.
    let ran = stick.sync(&root().then(log.checkpoint()));
    assert!(ran.code == 0 && ran.out.contains("0 records; a checkpoint covers 10"), "{ran:?}");
    let longer = Log::of(12, "one");
    let script = root().then(longer.checkpoint()).then(longer.page(10, 1, 11)).then(longer.page(10, 0, 12));
    let ran = stick.sync(&script);
    assert!(ran.code == 0 && ran.out.contains("2 records; a checkpoint covers 12"), "{ran:?}");
    assert_eq!(firsts(&stick), [(0, 6), (6, 10), (10, 12)]);
    // As an auditor has it, without any of ours.
    let files: Vec<String> = stick
        .names(Part::Logs)
        .iter()
        .filter(|name| matches!(name, Name::Records(_)))
        .map(|name| stick.path().join("logs/db-07").join(name.to_string()).display().to_string())
        .collect();
    let mut args = vec!["audit", "verify"];
    args.extend(files.iter().map(String::as_str));
    let key = host_key().public().to_string();
    let note = stick.path().join("logs/db-07").join(super::super::home::named(&longer.signed()).to_string());
    let note = note.display().to_string();
    args.extend(["--key", &key, "--checkpoint", &note]);
    let verified = jitctl(&args, &Nobody);
    assert!(verified.code == 0 && verified.out.contains("The log is WHOLE"), "{verified:?}");
}

#[test]
fn records_that_somebody_forged_on_the_way_are_told_and_the_log_is_put_out_beside_them() {
    let stick = Stick::new();
    let (log, forged) = (Log::of(10, "one"), Log::of(10, "two"));
    let folder = Exchange::open(&stick.path()).unwrap();
    let folder = folder.make(Part::Logs, Some(&"db-07".parse().unwrap())).unwrap();
    let text = forged.0.join("\n") + "\n";
    let piece = jit_exchange::segments::Segment::new(0, 10, Digest::of(text.as_bytes())).unwrap();
    folder.put(&Name::Records(piece), text.as_bytes()).unwrap();
    let script = root().then(log.checkpoint()).then(log.page(10, 1, 10)).then(log.page(0, 0, 10));
    let ran = stick.sync(&script);
    assert!(ran.code == 1 && ran.err.contains("are others than in the log here"), "{ran:?}");
    assert!(ran.out.contains("10 records; a checkpoint covers 10"), "{ran:?}");
}

#[test]
fn a_log_that_has_become_shorter_than_the_folder_proves_is_said_on_the_host_itself() {
    let stick = Stick::new();
    let (log, shorter) = (Log::of(10, "one"), Log::of(8, "one"));
    assert_eq!(stick.sync(&root().then(log.checkpoint()).then(log.page(0, 0, 10))).code, 0);
    let script = root().then(shorter.checkpoint()).then(shorter.page(10, 1, 10)).then(shorter.page(0, 0, 8));
    let ran = stick.sync(&script);
    assert!(ran.code == 1 && ran.err.contains("TRUNCATED"), "{ran:?}");
    assert!(ran.err.contains("over 10 records, and the log here has 8"), "{ran:?}");
}

#[test]
fn what_is_no_exchange_or_cannot_be_written_is_said_and_what_was_signed_is_taken_in() {
    let stick = Stick::new();
    let known = stick.0.path().join("known").display().to_string();
    let ran = jitctl(&["offline", "sync", "/nonexistent/stick", "--known", &known], &Nobody);
    assert!(ran.code == 2 && ran.err.contains("No such file"), "{ran:?}");
    fs::write(stick.path().join("requests"), "a file").unwrap();
    let import = stick.signed(&request("db-07", ID).text());
    let script = person()
        .then(lists(&[waits(ID)]))
        .then(shows(ID, &waits(ID)))
        .then(Script::answers(import, &active()))
        .then(lists(&[waits("r-7hq2m9xk")]))
        .then(exports(&request("db-07", "r-7hq2m9xk"), true));
    let ran = stick.sync(&script);
    assert!(ran.code == 1 && ran.out.contains("Taken in: 1 statement"), "{ran:?}");
    assert!(ran.err.contains("requests: not a folder"), "{ran:?}");
}

#[test]
fn a_jitd_that_stops_answering_leaves_what_was_done_said() {
    let stick = Stick::new();
    let file = request("db-07", ID);
    let script = Script::answers(Call::Status, &status())
        .then(lists(&[waits(ID)]))
        .then(exports(&file, true))
        .then(Script::fails(Call::AuditCheckpoint, Error::NotRunning));
    let ran = stick.sync(&script);
    assert!(ran.code == 3 && ran.out.contains("Put out: 1 request"), "{ran:?}");
    assert!(ran.err.contains("jitd is not running"), "{ran:?}");
    let mode = fs::metadata(stick.path().join("requests/db-07")).unwrap().permissions().mode();
    assert_eq!(mode & 0o022, 0, "{mode:o}");
    assert!(Path::new("/").exists());
}

#[test]
fn statements_come_in_whatever_takes_away_first_and_none_is_brought_twice() {
    let stick = Stick::new();
    let issued = now().whole_seconds();
    let grant = |serial: &str, hosts: &str| GrantStatement {
        serial: serial.repeat(16).parse().unwrap(),
        hosts: Hosts::parse(hosts).unwrap(),
        host_key: None,
        user: "maria".parse().unwrap(),
        behind: None,
        role: "db-oncall".parse().unwrap(),
        services: None,
        uses: None,
        duration: None,
        issued,
        not_before: issued,
        not_after: issued.plus(Duration::from_hours(24)),
        reason: "INC-1 look".parse().unwrap(),
    };
    let revoke = RevokeStatement {
        hosts: Hosts::parse("*").unwrap(),
        host_key: None,
        revokes: What::Serial("ab".repeat(16).parse().unwrap()),
        issued,
        not_after: issued.plus(Duration::from_hours(24)),
        reason: None,
    };
    let here = stick.signed(&grant("01", "db-07,db-08").text());
    let first = stick.signed(&grant("02", "db-07").text());
    let away = stick.signed(&revoke.text());
    // Of another host, of tomorrow, and one that a carrier changed.
    stick.signed(&grant("03", "db-08").text());
    let later = GrantStatement { not_before: issued.plus(Duration::from_hours(2)), ..grant("04", "db-07") };
    stick.signed(&later.text());
    let text = grant("05", "db-07").text();
    stick.put(&text.replace("maria", "mario"), &stick.signature(&text));
    let taken = Taken {
        kind: "revoke".into(),
        by: "olga".into(),
        revokes: Some("ab".repeat(16)),
        revoked: None,
        lock: None,
        clock: None,
    };
    let names = stick.names(Part::Statements);
    let place = |call: &Call| {
        let Call::Import { text, signature } = call else { panic!("{call:?}") };
        let digest = Digest::of(&[text.as_slice(), signature].concat());
        names.iter().position(|name| *name == Name::Statement(digest)).unwrap()
    };
    // One of the two grants is not taken yet: it rests.
    let (one, other) = if place(&here) < place(&first) { (here, first) } else { (first, here) };
    let refused = || Error::Refused("it was revoked".into());
    let script = person()
        .then(Script::answers(away, &taken))
        .then(Script::answers(one, &active()))
        .then(Script::fails(other.clone(), refused()))
        .then(lists(&[]));
    let ran = stick.sync(&script);
    assert_eq!(ran.code, 1, "{ran:?}");
    for text in
        ["Taken in: 2 statements", "will open nothing", "Opened g-", "For others: 1", "it was revoked"]
    {
        assert!(ran.out.contains(text), "{text}: {ran:?}");
    }
    for text in ["and is brought then", "is not one of that text"] {
        assert!(ran.err.contains(text), "{text}: {ran:?}");
    }
    let ran = stick.sync(&person().then(lists(&[])));
    assert!(
        ran.code == 0 && ran.out.contains("Known already: 2") && ran.out.contains("Refused before: 1"),
        "{ran:?}"
    );
    // What was taken is not brought again, whatever is asked for.
    let (dir, known) =
        (stick.path().display().to_string(), stick.0.path().join("known").display().to_string());
    let again = ["offline", "sync", &dir, "--known", &known, "--again"];
    let ran = jitctl(&again, &person().then(Script::fails(other, refused())).then(lists(&[])));
    assert!(ran.out.contains("Known already: 2"), "{ran:?}");
}
