//! The compact form: what comes back is what was signed, by every kind of key, and what was typed wrongly is said by its row.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jit_proto::words::RequestId;

use super::approvers::{Approvers, Revoked};
use super::compact::{BadCompact, Brought, ROWS_OF_A_CODE, check_row, parse_request, request, signature};
use super::file::RequestFile;
use super::sshsig::Signature;
use super::statement::{Signable, Statement};
use super::verify::verify;
use crate::code::symbols::BadSymbols;
use crate::model::{Decision, Narrow, Person, Request};
use crate::policy::Uses;
use crate::proof::note::HostKey;
use crate::testing::{World, maria};
use crate::time::Utc;

const EXPIRES: &str = "2026-11-29T16:00:00Z";

fn key() -> HostKey {
    HostKey::from_seed("db-1/jitd".parse().unwrap(), &[3; 32])
}

fn expires() -> Utc {
    EXPIRES.parse().unwrap()
}

fn asked() -> Request {
    let mut world = World::new();
    let id = world.file(maria(), "shell", "INC-1234 failover of db-07, käse").unwrap();
    world.state.reviewable(id).unwrap().request.clone()
}

fn file(asked: &Request) -> RequestFile {
    RequestFile::of(asked, &key(), expires(), None)
}

/// A signature by the real ssh-keygen, and the line of its key.
fn signed(dir: &Path, kind: &[&str], text: &str) -> (Signature, String) {
    let (key, path) = (dir.join(kind.concat()), dir.join("text"));
    fs::write(&path, text).unwrap();
    drop(fs::remove_file(path.with_extension("sig")));
    let run = |args: &[&str]| {
        let done = Command::new("ssh-keygen").args(args).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    let (key, path) = (key.to_str().unwrap(), path.to_str().unwrap());
    if !Path::new(key).exists() {
        run(&[&["-q", "-t"], kind, &["-N", "", "-f", key]].concat());
    }
    run(&["-q", "-Y", "sign", "-n", super::NAMESPACE, "-f", key, path]);
    let signature = Signature::parse(&fs::read(format!("{path}.sig")).unwrap()).unwrap();
    (signature, format!("olga {}", fs::read_to_string(format!("{key}.pub")).unwrap()))
}

#[test]
fn a_request_comes_back_whole_whatever_it_asks_for() {
    let plain = asked();
    let as_is = file(&plain);
    for asked in [
        plain.clone(),
        Request { uses: Uses::Times(3.try_into().unwrap()), ..plain.clone() },
        Request { start: Some("2026-12-01T08:00:00.25Z".parse().unwrap()), ..plain.clone() },
        Request { extends: Some(RequestId::from_bits(77).into()), ..plain.clone() },
        Request { filed_by: Person::named("root".parse().unwrap(), 0.try_into().unwrap()), ..plain.clone() },
    ] {
        let file = file(&asked);
        let rows = request(&file).unwrap();
        assert_eq!(parse_request(&rows.to_string()), Ok(file.clone()));
        // As QR codes it is the same, in any order, and twice is once.
        let mut codes: Vec<String> = rows.codes().collect();
        assert!(codes.len() <= 3 && codes.iter().all(|code| code.len() <= 30 * ROWS_OF_A_CODE), "{codes:?}");
        codes.reverse();
        codes.push(codes[0].to_lowercase());
        assert_eq!(parse_request(&codes.join("\n")), Ok(file));
    }
    assert_eq!(request(&as_is).unwrap().to_string().lines().next().unwrap().len(), 35);
}

#[test]
fn the_rows_of_a_request_are_those_that_another_program_makes() {
    const VECTOR: &str = include_str!("../../offline-vectors/compact");
    let file = RequestFile::parse(include_bytes!("../../offline-vectors/r-4k7m2qx9.req")).unwrap();
    let rows = request(&file).unwrap();
    assert_eq!(rows.to_string(), VECTOR);
    assert_eq!(parse_request(VECTOR), Ok(RequestFile { checkpoint: None, ..file }));
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/offline-vectors/compact.py");
    let printed = Command::new("python3").arg("-B").arg(program).output().unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), VECTOR);
}

#[test]
fn a_signature_of_every_kind_of_key_comes_back_as_ssh_keygen_made_it() {
    let dir = tempfile::tempdir().unwrap();
    let asked = asked();
    let file = file(&asked);
    let minutes = Narrow { duration: Some(Duration::from_mins(15)), ..Narrow::default() };
    let services =
        Narrow { services: Some(["sshd".parse().unwrap()].into_iter().collect()), ..Narrow::default() };
    let note = Some("not today".parse().unwrap());
    let texts = [
        Signable::File(Box::new(file.clone())),
        Signable::Statement(Box::new(Statement::about(&file, Decision::Approve, minutes, None))),
        Signable::Statement(Box::new(Statement::about(&file, Decision::Approve, services, None))),
        Signable::Statement(Box::new(Statement::about(&file, Decision::Deny, Narrow::default(), note))),
    ];
    for kind in [&["ed25519"][..], &["ecdsa", "-b", "256"], &["ecdsa", "-b", "521"], &["rsa", "-b", "2048"]] {
        for text in &texts {
            let (made, line) = signed(dir.path(), kind, &text.text());
            let rows = signature(text, &made).unwrap();
            if kind == ["ed25519"] && matches!(text, Signable::File(_)) {
                assert_eq!(rows.codes().count(), 1, "it fits a QR code on a console of 80x24");
            }
            let brought = Brought::parse(&rows.to_string().replace('-', " ")).unwrap();
            assert_eq!(brought.request, asked.id);
            let approvers = Approvers::parse(line.as_bytes()).unwrap();
            let (exact, armoured) = brought.expand(&asked, &key(), &approvers).unwrap();
            assert_eq!(
                (exact.as_str(), armoured.as_str()),
                (text.text().as_str(), made.to_string().as_str())
            );
            let verified =
                verify(&approvers, &Revoked::default(), exact.as_bytes(), armoured.as_bytes(), expires());
            assert!(verified.is_ok(), "{verified:?}");
            // It is of nothing else than this request.
            let other = Request { duration: asked.duration * 2, ..asked.clone() };
            let (exact, armoured) = brought.expand(&other, &key(), &approvers).unwrap();
            let verified =
                verify(&approvers, &Revoked::default(), exact.as_bytes(), armoured.as_bytes(), expires());
            assert!(verified.is_err(), "a signature over another request was taken");
            assert_eq!(brought.expand(&asked, &key(), &Approvers::default()), Err(BadCompact::Unknown));
        }
    }
}

#[test]
fn a_fido_signature_keeps_its_flags_and_its_counter() {
    let text = include_bytes!("../../offline-vectors/r-4k7m2qx9.req");
    let file = RequestFile::parse(text).unwrap();
    let bare = Signable::File(Box::new(RequestFile { checkpoint: None, ..file.clone() }));
    let made = Signature::parse(include_bytes!("../../offline-vectors/sk-ed25519.sig")).unwrap();
    let rows = signature(&bare, &made).unwrap();
    assert_eq!(rows.codes().count(), 1);
    let approvers = Approvers::parse(include_bytes!("../../offline-vectors/approvers")).unwrap();
    let (_, armoured) =
        Brought::parse(&rows.to_string()).unwrap().expand(&asked(), &key(), &approvers).unwrap();
    assert_eq!(armoured, made.to_string());
    let with_checkpoint = Signable::File(Box::new(file));
    assert_eq!(
        signature(&with_checkpoint, &made),
        Err(BadCompact::Form),
        "nothing would say which checkpoint that was"
    );
}

#[test]
fn what_was_typed_wrongly_is_said_by_its_row_and_rows_of_two_things_make_nothing() {
    let file = file(&asked());
    let rows = request(&file).unwrap().to_string();
    let lines: Vec<&str> = rows.lines().collect();
    let mut wrong: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let swapped: String = [&lines[2][1..2], &lines[2][..1], &lines[2][2..]].concat();
    assert_eq!(check_row(lines[2]), Ok(()));
    assert_eq!(check_row(&swapped), Err(BadSymbols::Check));
    wrong[2] = swapped;
    assert_eq!(parse_request(&wrong.join("\n")), Err(BadCompact::Row { row: 3, why: BadSymbols::Check }));
    let without = [&lines[..1], &lines[3..]].concat().join("\n");
    assert_eq!(parse_request(&without), Err(BadCompact::Missing("2, 3".into())));
    assert_eq!(parse_request(""), Err(BadCompact::Missing("1".into())));
    let later = RequestFile { expires: file.expires.plus(Duration::from_secs(1)), ..file.clone() };
    let other = request(&later).unwrap().to_string();
    let differs = lines.iter().zip(other.lines()).position(|(one, other)| *one != other).unwrap();
    let both = format!("{rows}{}", other.lines().nth(differs).unwrap());
    assert_eq!(parse_request(&both), Err(BadCompact::Twice(differs + 1)));
    let mut mixed = lines.clone();
    mixed[differs] = other.lines().nth(differs).unwrap();
    let more = mixed.iter().zip(other.lines()).any(|(one, other)| *one != other);
    assert_eq!(parse_request(&mixed.join("\n")), if more { Err(BadCompact::Mixed) } else { Ok(later) });
    let kind = BadCompact::Kind { found: "a request", wanted: "a signature" };
    assert_eq!(Brought::parse(&rows), Err(kind));
    assert_eq!(parse_request(&"0".repeat(5000)), Err(BadCompact::Long(5000)));
}
