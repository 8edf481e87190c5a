use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;

use rustix::fs::CWD;

fn exchange() -> (tempfile::TempDir, Exchange) {
    let dir = tempfile::tempdir().unwrap();
    let exchange = Exchange::open(dir.path()).unwrap();
    (dir, exchange)
}

fn host() -> HostName {
    "db-1".parse().unwrap()
}

fn statement(bytes: &[u8]) -> Name {
    Name::Statement(Digest::of(bytes))
}

#[test]
fn what_is_put_there_is_read_and_putting_it_again_writes_nothing() {
    let (dir, exchange) = exchange();
    assert!(exchange.folder(Part::Requests, Some(&host())).unwrap().is_none());
    let folder = exchange.make(Part::Requests, Some(&host())).unwrap();
    let name = Name::Request(Digest::of(b"one"));
    assert!(folder.put(&name, b"one").unwrap());
    assert!(!folder.put(&name, b"one").unwrap());
    assert_eq!(folder.read(&name).unwrap(), b"one");
    let again = exchange.folder(Part::Requests, Some(&host())).unwrap().unwrap();
    assert_eq!(again.listing(Part::Requests).unwrap().names, [name]);
    assert_eq!(exchange.hosts(Part::Requests).unwrap().names, [host()]);
    // One whose bytes are others is put there anew.
    let path = dir.path().join("requests/db-1").join(name.to_string());
    fs::write(&path, "on").unwrap();
    assert!(matches!(folder.read(&name), Err(Bad::Changed(_))));
    assert!(folder.put(&name, b"one").unwrap());
    assert_eq!(fs::read(path).unwrap(), b"one");
    folder.remove(&name).unwrap();
    assert!(folder.read(&name).unwrap_err().is_absent());
}

#[test]
fn requests_and_logs_are_for_their_owner_or_the_group_of_the_folder_and_for_nobody_else() {
    for (of_folder, private) in [(0o755, [0o700, 0o700, 0o600]), (0o2770, [0o2750, 0o2750, 0o640])] {
        let (dir, exchange) = exchange();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(of_folder)).unwrap();
        let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o7777;
        for (part, name) in
            [(Part::Requests, Name::Request(Digest::of(b"x"))), (Part::Logs, Name::Key(Digest::of(b"x")))]
        {
            exchange.make(part, Some(&host())).unwrap().put(&name, b"x").unwrap();
            let part = part.as_str();
            let paths = [part.to_owned(), format!("{part}/db-1"), format!("{part}/db-1/{name}")];
            assert_eq!(paths.map(|path| mode(&path)), private);
        }
        exchange.make(Part::Statements, None).unwrap().put(&statement(b"x"), b"x").unwrap();
        assert_eq!(mode("statements") & 0o777, 0o755);
        assert_eq!(mode(&format!("statements/{}", statement(b"x"))), 0o644);
    }
}

#[test]
fn what_is_no_plain_file_is_refused_without_waiting_for_it() {
    let (dir, exchange) = exchange();
    let folder = exchange.make(Part::Statements, None).unwrap();
    let at = |bytes: &[u8]| dir.path().join("statements").join(statement(bytes).to_string());
    fs::write(dir.path().join("elsewhere"), "link").unwrap();
    symlink(dir.path().join("elsewhere"), at(b"link")).unwrap();
    rustix::fs::mknodat(CWD, at(b"pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = UnixListener::bind(dir.path().join("s")).unwrap();
    fs::rename(dir.path().join("s"), at(b"socket")).unwrap();
    fs::create_dir(at(b"folder")).unwrap();
    // Where there may be no devices, the others have to do.
    let device = rustix::fs::makedev(1, 3);
    rustix::fs::mknodat(CWD, at(b"device"), FileType::CharacterDevice, Mode::RUSR, device).unwrap_or(());
    for bytes in [&b"link"[..], b"pipe", b"socket", b"folder", b"device"] {
        let read = folder.read(&statement(bytes));
        let is_refused = match &read {
            Err(Bad::NotRegular(_)) => true,
            Err(bad) => bytes == b"device" && bad.is_absent(),
            Ok(_) => false,
        };
        assert!(is_refused, "{read:?}");
    }
    fs::write(at(b"plain"), "plain").unwrap();
    assert_eq!(folder.read(&statement(b"plain")).unwrap(), b"plain");
    // A link has the place of a file that is to be written: the link goes, and nothing behind it changes.
    assert!(folder.put(&statement(b"link"), b"link").unwrap());
    assert_eq!(fs::read(dir.path().join("elsewhere")).unwrap(), b"link");
    assert!(fs::symlink_metadata(at(b"link")).unwrap().is_file());
}

#[test]
fn no_link_to_a_folder_leads_out_of_the_exchange() {
    let (dir, exchange) = exchange();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(elsewhere.path().join("db-1")).unwrap();
    symlink(elsewhere.path(), dir.path().join("requests")).unwrap();
    for found in [
        exchange.folder(Part::Requests, Some(&host())).map(drop),
        exchange.make(Part::Requests, Some(&host())).map(drop),
        exchange.hosts(Part::Requests).map(drop),
    ] {
        assert!(matches!(found, Err(Bad::NotFolder(_))), "{found:?}");
    }
    fs::create_dir(dir.path().join("logs")).unwrap();
    symlink(elsewhere.path(), dir.path().join("logs/db-1")).unwrap();
    let found = exchange.make(Part::Logs, Some(&host())).map(drop);
    assert!(matches!(found, Err(Bad::NotFolder(_))), "{found:?}");
    fs::write(dir.path().join("statements"), "").unwrap();
    let found = exchange.make(Part::Statements, None).map(drop);
    assert!(matches!(found, Err(Bad::NotFolder(_))), "{found:?}");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "nothing was written there");
}

#[test]
fn a_file_that_is_too_long_empty_or_cut_off_is_told_from_a_whole_one() {
    let (dir, exchange) = exchange();
    let folder = exchange.make(Part::Statements, None).unwrap();
    let giant = vec![b'x'; statement(b"").longest() + 1];
    let at = |name: &Name| dir.path().join("statements").join(name.to_string());
    fs::write(at(&statement(&giant)), &giant).unwrap();
    assert!(matches!(folder.read(&statement(&giant)), Err(Bad::Long { .. })));
    fs::write(at(&statement(b"whole")), "").unwrap();
    assert!(matches!(folder.read(&statement(b"whole")), Err(Bad::Changed(_))));
    fs::write(at(&statement(b"whole")), "whole").unwrap();
    assert_eq!(folder.read(&statement(b"whole")).unwrap(), b"whole");
}

#[test]
fn names_that_are_no_text_or_name_another_folder_are_counted_and_left_alone() {
    use std::os::unix::ffi::OsStrExt as _;
    let (dir, exchange) = exchange();
    let folder = exchange.make(Part::Requests, Some(&host())).unwrap();
    folder.put(&Name::Request(Digest::of(b"one")), b"one").unwrap();
    let requests = dir.path().join("requests");
    for name in [&b"\xff\xfe"[..], b"...", b".hidden", b"a b"] {
        fs::create_dir(requests.join(std::ffi::OsStr::from_bytes(name))).unwrap();
        fs::write(requests.join("db-1").join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
    }
    let hosts = exchange.hosts(Part::Requests).unwrap();
    assert_eq!((hosts.names, hosts.others, hosts.more), (vec![host()], 4, false));
    let listing = folder.listing(Part::Requests).unwrap();
    assert_eq!((listing.names.len(), listing.others), (1, 4));
}

#[test]
fn of_more_names_than_are_read_the_rest_is_not_looked_at_and_that_is_said() {
    let (dir, exchange) = exchange();
    let folder = exchange.make(Part::Requests, Some(&host())).unwrap();
    for number in 0..Part::Requests.most() + 10 {
        fs::write(dir.path().join("requests/db-1").join(number.to_string()), "").unwrap();
    }
    let listing = folder.listing(Part::Requests).unwrap();
    assert!(listing.more && listing.others == Part::Requests.most(), "{}", listing.others);
}

#[test]
fn what_was_left_unfinished_is_passed_over_and_taken_out_after_a_day_if_it_is_the_callers() {
    let (dir, exchange) = exchange();
    let folder = exchange.make(Part::Statements, None).unwrap();
    let left = unfinished(statement(b"one"), 4711, 0);
    let others = unfinished(statement(b"two"), 4711, 0);
    for name in [&left, &others] {
        fs::write(dir.path().join("statements").join(name), "on").unwrap();
    }
    std::os::unix::fs::chown(dir.path().join("statements").join(&others), Some(12_345), None).unwrap();
    let listing = folder.listing(Part::Statements).unwrap();
    assert_eq!((listing.names.len(), listing.unfinished.len()), (0, 2));
    let facts = fs::metadata(dir.path().join("statements").join(&left)).unwrap();
    let written = Utc::from_unix_millis(std::os::unix::fs::MetadataExt::mtime(&facts) * 1000);
    folder.clean(&listing, written.plus(Duration::from_hours(23)));
    assert_eq!(folder.listing(Part::Statements).unwrap(), listing);
    folder.clean(&listing, written.plus(Duration::from_hours(25)));
    assert_eq!(folder.listing(Part::Statements).unwrap().unfinished, [others]);
}

#[test]
fn on_a_full_stick_nothing_half_written_has_a_name() {
    let (_dir, exchange) = exchange();
    let folder = exchange.make(Part::Statements, None).unwrap();
    folder.put(&statement(b"one"), b"one").unwrap();
    let full = Bad::Io { what: "x".into(), source: Errno::NOSPC.into() };
    assert!(full.is_full() && !full.is_read_only());
    let locked = Bad::Io { what: "x".into(), source: Errno::ROFS.into() };
    assert!(locked.is_read_only() && !locked.is_full());
    // The device of a full disk, where the file that is begun would be.
    let file = File::options().write(true).open("/dev/full").unwrap();
    let (before, _) = folder.begun(statement(b"two")).unwrap();
    let written = folder.finished(&before, file, &statement(b"two"), b"two");
    assert!(written.unwrap_err().is_full());
    assert_eq!(folder.listing(Part::Statements).unwrap().names, [statement(b"one")]);
}
