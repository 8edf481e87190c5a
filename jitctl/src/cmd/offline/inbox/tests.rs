use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jit_core::digest::Digest;
use jit_core::proof::checkpoint::Signed;
use jit_core::proof::merkle::{Frontier, leaf};
use jit_core::proof::note::HostKey;
use jit_core::sign::approvers::{Approvers, Revoked};
use jit_core::sign::file::{Nonce, RequestFile, fingerprint};
use jit_core::sign::seal::seal;
use jit_core::sign::verify::verify;
use jit_core::time::Utc;
use jit_exchange::folder::Exchange;
use jit_exchange::names::{Name, Part};
use jit_exchange::segments::Segment;
use jit_proto::words::HostName;

use super::super::home::named;
use crate::testing::*;
use crate::times::now;

const FILE: &str = include_str!("../../../../../jit_core/offline-vectors/r-4k7m2qx9.req");

/// A host that has a log and asks.
struct Host {
    name: HostName,
    key: HostKey,
    records: Vec<String>,
}

impl Host {
    fn new(name: &str, seed: u8) -> Self {
        let key = HostKey::from_seed(format!("{name}/jitd").parse().unwrap(), &[seed; 32]);
        Self { name: name.parse().unwrap(), key, records: Vec::new() }
    }

    fn print(&self) -> String {
        fingerprint(&self.key.public())
    }

    /// So many records, one in each second, the last of them now.
    fn with_log(mut self, records: usize, word: &str) -> Self {
        let start = now().minus(Duration::from_secs(1000));
        while self.records.len() < records {
            let seq = self.records.len();
            let time = start.plus(Duration::from_secs(seq as u64));
            self.records
                .push(format!(r#"{{"seq":{seq},"time":"{time}","event":"allowed","note":"{word}"}}"#));
        }
        self
    }

    fn signed(&self, records: usize) -> Signed {
        let mut tree = Frontier::default();
        self.records[..records].iter().for_each(|record| tree.append(leaf(record.as_bytes())));
        Signed::over(&tree, &self.key)
    }

    fn request(&self, id: &str, user: &str) -> RequestFile {
        let file = RequestFile::parse(FILE.as_bytes()).unwrap();
        let expires = now().plus(Duration::from_hours(8)).whole_seconds();
        self.with_digest(RequestFile {
            host: self.name.clone(),
            host_key: self.print(),
            request: id.parse().unwrap(),
            user: user.parse().unwrap(),
            // Before what its log has last.
            filed_at: now().minus(Duration::from_secs(998)),
            expires,
            checkpoint: None,
            ..file
        })
    }

    /// As the host writes it: with the digest of what it says.
    fn with_digest(&self, file: RequestFile) -> RequestFile {
        let digest = file.shown_digest();
        RequestFile { digest, nonce: Nonce::of(&self.key, digest, file.expires), ..file }
    }

    /// Puts a request and its seal there, as `offline sync` does.
    fn asks(&self, dir: &Path, file: &RequestFile) {
        let text = file.text();
        let digest = Digest::of(text.as_bytes());
        let exchange = Exchange::open(dir).unwrap();
        let folder = exchange.make(Part::Requests, Some(&self.name)).unwrap();
        folder.put(&Name::Request(digest), text.as_bytes()).unwrap();
        folder.put(&Name::Seal(digest), seal(&text, &self.key).as_bytes()).unwrap();
        self.key_to(dir);
    }

    fn key_to(&self, dir: &Path) {
        let folder = Exchange::open(dir).unwrap().make(Part::Logs, Some(&self.name)).unwrap();
        let key = format!("{}\n", self.key.public());
        folder.put(&Name::Key(Digest::of(key.as_bytes())), key.as_bytes()).unwrap();
    }

    /// Puts records there, and a checkpoint over all up to the last of them.
    fn logs(&self, dir: &Path, from: usize, to: usize) {
        self.key_to(dir);
        let folder = Exchange::open(dir).unwrap().make(Part::Logs, Some(&self.name)).unwrap();
        let text = self.records[from..to].join("\n") + "\n";
        let segment = Segment::new(from as u64, to as u64, Digest::of(text.as_bytes())).unwrap();
        folder.put(&Name::Records(segment), text.as_bytes()).unwrap();
        let signed = self.signed(to);
        folder.put(&named(&signed), signed.to_string().as_bytes()).unwrap();
    }
}

/// An approver's machine: an exchange, what is known of hosts, and a key.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("stick")).unwrap();
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "olga", "-f"])
            .arg(dir.path().join("key"))
            .status();
        assert!(made.unwrap().success());
        Self(dir)
    }

    fn stick(&self) -> std::path::PathBuf {
        self.0.path().join("stick")
    }

    fn args(&self, more: &[&str]) -> Vec<String> {
        let path = |name: &str| self.0.path().join(name).display().to_string();
        let mut args = vec!["offline".to_owned(), "inbox".to_owned(), path("stick")];
        args.extend(["--known".to_owned(), path("known")]);
        args.extend(more.iter().map(|arg| if *arg == "KEY" { path("key") } else { (*arg).to_owned() }));
        args
    }

    fn run(&self, more: &[&str]) -> Ran {
        let args = self.args(more);
        jitctl(&args.iter().map(String::as_str).collect::<Vec<_>>(), &Nobody)
    }

    fn typing(&self, more: &[&str], lines: &[&str]) -> Ran {
        let args = self.args(more);
        jitctl_typing(&args.iter().map(String::as_str).collect::<Vec<_>>(), &Nobody, lines)
    }

    /// Puts a text there that the approver has signed without jitctl.
    fn signs(&self, text: &str) {
        let path = self.0.path().join("text");
        fs::write(&path, text).unwrap();
        let mut keygen = Command::new("ssh-keygen");
        let keygen = keygen.args(["-q", "-Y", "sign", "-n", "jitd.approval.v1", "-f"]);
        let made =
            keygen.arg(self.0.path().join("key")).stdin(fs::File::open(&path).unwrap()).output().unwrap();
        let whole = [text.as_bytes(), &made.stdout].concat();
        let folder = Exchange::open(&self.stick()).unwrap().make(Part::Statements, None).unwrap();
        folder.put(&Name::Statement(Digest::of(&whole)), &whole).unwrap();
    }

    /// What lies in `statements/`, each verified by the approver's key.
    fn statements(&self) -> Vec<String> {
        let public = fs::read_to_string(self.0.path().join("key.pub")).unwrap();
        let approvers = Approvers::parse(format!("olga {public}").as_bytes()).unwrap();
        let Some(folder) = Exchange::open(&self.stick()).unwrap().folder(Part::Statements, None).unwrap()
        else {
            return Vec::new();
        };
        let listing = folder.listing(Part::Statements).unwrap();
        let read = |name: &Name| {
            let whole = String::from_utf8(folder.read(name).unwrap()).unwrap();
            let (text, signature) = whole.split_at(whole.find("-----BEGIN").unwrap());
            let (text, signature) = (text.as_bytes(), signature.as_bytes());
            verify(&approvers, &Revoked::default(), text, signature, now()).unwrap().text.text()
        };
        listing.names.iter().map(read).collect()
    }
}

#[test]
fn requests_of_forty_hosts_are_one_table_and_some_of_them_are_approved_at_once() {
    let desk = Desk::new();
    let hosts: Vec<Host> = (0..40).map(|n| Host::new(&format!("plc-{n:02}"), n + 1)).collect();
    for host in &hosts {
        host.asks(&desk.stick(), &host.request("r-4k7m2qx9", "technician"));
    }
    // Nobody has said yes to any of them.
    let unknown = desk.run(&["--yes"]);
    assert!(unknown.code == 1 && unknown.err.matches("it is not known here").count() == 40, "{unknown:?}");
    let none = desk.run(&["--all", "--approve", "--key", "KEY", "--yes"]);
    assert!(none.code == 1 && desk.statements().is_empty(), "{none:?}");
    let known = desk.typing(&[], &["y"; 40]);
    assert_eq!(known.code, 0, "{known:?}");
    assert!(known.err.contains(&hosts[7].print()), "{known:?}");
    let table = desk.run(&[]);
    assert_eq!((table.code, table.out.lines().count()), (0, 41), "{table:?}");
    assert!(table.out.contains("plc-39  r-4k7m2qx9  technician"), "{table:?}");

    let ten = desk.run(&["--host", "plc-0?", "--approve", "--key", "KEY", "--yes"]);
    assert!(ten.code == 0 && ten.err.contains("Put 10 statements there."), "{ten:?}");
    let statements = desk.statements();
    assert_eq!(statements.len(), 10);
    assert!(statements.iter().all(|text| text.starts_with("jitd.request-file.v1\nhost: plc-0")));
    // Again, there is nothing left of those.
    let again = desk.run(&["--host", "plc-0?", "--approve", "--key", "KEY", "--yes"]);
    assert!(again.code == 0 && again.err.contains("Nothing is left for this key to sign"), "{again:?}");
    let json = desk.run(&["--json"]);
    let rows: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let signed = rows.as_array().unwrap().iter().filter(|row| row["signed"] != serde_json::json!([])).count();
    assert_eq!(signed, 10);
}

#[test]
fn what_is_no_folder_of_a_host_is_said_and_the_other_hosts_are_answered() {
    let desk = Desk::new();
    let host = Host::new("plc-1", 1);
    host.asks(&desk.stick(), &host.request("r-4k7m2qx1", "ann"));
    assert_eq!(desk.typing(&[], &["y"]).code, 0);
    fs::write(desk.stick().join("requests/readme"), "a file").unwrap();
    std::os::unix::fs::symlink("/etc", desk.stick().join("logs/plc-2")).unwrap();
    let ran = desk.run(&["--all", "--approve", "--key", "KEY", "--yes"]);
    assert!(ran.code == 1 && desk.statements().len() == 1, "{ran:?}");
    for text in ["readme is left out: ", "requests/readme: not a folder", "plc-2 is left out: "] {
        assert!(ran.err.contains(text), "{text}: {ran:?}");
    }
    // A whole part of it, likewise.
    fs::remove_dir_all(desk.stick().join("statements")).unwrap();
    fs::write(desk.stick().join("statements"), "a file").unwrap();
    let ran = desk.run(&[]);
    assert!(ran.code == 1 && ran.out.contains("ann"), "{ran:?}");
    assert!(ran.err.contains("what was signed before is not known"), "{ran:?}");
    fs::remove_dir_all(desk.stick().join("logs")).unwrap();
    fs::write(desk.stick().join("logs"), "a file").unwrap();
    let ran = desk.run(&[]);
    assert!(
        ran.code == 1 && ran.err.contains("logs: not a folder; links are not followed; it is left out"),
        "{ran:?}"
    );
}

#[test]
fn an_answer_counts_for_the_file_that_it_is_about_and_until_it_expires() {
    let desk = Desk::new();
    let host = Host::new("plc-1", 1);
    let file = host.request("r-4k7m2qx1", "ann");
    host.asks(&desk.stick(), &file);
    assert_eq!(desk.typing(&[], &["y"]).code, 0);
    let approve = || desk.run(&["--all", "--approve", "--key", "KEY", "--yes"]);
    // One's own, which is over.
    let over = RequestFile { expires: now().minus(Duration::from_hours(1)).whole_seconds(), ..file.clone() };
    desk.signs(&over.text());
    assert!(desk.run(&[]).out.contains("waits"));
    assert!(approve().err.contains("Put 1 statement there."));
    assert!(approve().err.contains("Nothing is left for this key to sign"));
    // The host has put out another file of it meanwhile.
    let expires = file.expires.plus(Duration::from_hours(48));
    let nonce = Nonce::of(&host.key, file.digest, expires);
    host.asks(&desk.stick(), &RequestFile { expires, nonce, ..file });
    assert!(desk.run(&[]).out.contains("waits"));
    assert!(approve().err.contains("Put 1 statement there."));
    assert!(desk.run(&[]).out.contains("signed by 1"));
}

#[test]
fn each_request_is_shown_whole_and_asked_about() {
    let desk = Desk::new();
    let host = Host::new("plc-1", 1);
    for (id, user) in
        [("r-4k7m2qx1", "ann"), ("r-4k7m2qx2", "ben"), ("r-4k7m2qx3", "cat"), ("r-4k7m2qx4", "dan")]
    {
        host.asks(&desk.stick(), &host.request(id, user));
    }
    let ran = desk.typing(&["--key", "KEY"], &["y", "a", "d", "not today", "what", "s", "q"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for user in ["ann", "ben", "cat", "dan"] {
        assert!(ran.err.contains(&format!("\nuser: {user}\n")), "{ran:?}");
    }
    assert!(ran.err.contains("type a, d, s or q"), "{ran:?}");
    let statements = desk.statements();
    assert_eq!(statements.len(), 2);
    assert!(statements.iter().any(|text| text.contains("\nuser: ann\n")), "{statements:?}");
    let denied = statements.iter().find(|text| text.contains("\ndecision: deny\n")).unwrap();
    assert!(denied.contains("r-4k7m2qx2") && denied.contains("note: - not today"), "{denied}");
    let table = desk.run(&[]);
    assert!(table.out.contains("signed by 1") && table.out.contains("denied by 1"), "{table:?}");
}

#[test]
fn nothing_is_signed_at_once_without_a_key_a_selection_and_a_yes() {
    let desk = Desk::new();
    let host = Host::new("plc-1", 1);
    host.asks(&desk.stick(), &host.request("r-4k7m2qx1", "ann"));
    assert_eq!(desk.typing(&[], &["y"]).code, 0);
    for (args, why) in [
        (&["--approve", "--key", "KEY", "--yes"][..], "nothing is selected"),
        (&["--all", "--approve", "--yes"], "nothing is signed without a key"),
        (&["--all", "--approve", "--key", "KEY"], "nobody can be asked here"),
        (&["--all", "--approve", "--deny", "no", "--key", "KEY"], "cannot be used with"),
    ] {
        let ran = desk.run(args);
        assert!(ran.code == 2 && ran.err.contains(why), "{ran:?}");
    }
    let no = desk.typing(&["--all", "--approve", "--key", "KEY"], &["n"]);
    assert!(no.code == 1 && no.err.contains("nothing was signed"), "{no:?}");
    assert!(desk.statements().is_empty());
    let yes = desk.typing(&["--all", "--deny", "not today", "--key", "KEY"], &["y"]);
    assert!(yes.code == 0 && desk.statements().len() == 1, "{yes:?}");
}

#[test]
fn a_host_whose_key_has_changed_is_refused_and_shown_and_others_are_not() {
    let desk = Desk::new();
    let (one, two) = (Host::new("plc-1", 1), Host::new("plc-2", 2));
    one.asks(&desk.stick(), &one.request("r-4k7m2qx1", "ann"));
    two.asks(&desk.stick(), &two.request("r-4k7m2qx2", "ben"));
    assert_eq!(desk.typing(&[], &["y", "y"]).code, 0);
    // Another machine with the name of the first.
    let imposter = Host::new("plc-1", 66);
    imposter.asks(&desk.stick(), &imposter.request("r-4k7m2qx3", "eve"));
    let ran = desk.run(&["--all", "--approve", "--key", "KEY", "--yes"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let why = format!("the key of plc-1 is {} and not {}", imposter.print(), one.print());
    assert!(ran.err.contains(&why) && ran.out.contains("eve"), "{ran:?}");
    let statements = desk.statements();
    assert_eq!(statements.len(), 2, "{statements:?}");
    assert!(statements.iter().all(|text| !text.contains("eve")));
}

#[test]
fn what_a_carrier_made_of_a_request_is_not_signed() {
    let desk = Desk::new();
    let host = Host::new("plc-1", 1);
    let good = host.request("r-4k7m2qx1", "ann");
    host.asks(&desk.stick(), &good);
    assert_eq!(desk.typing(&[], &["y"]).code, 0);
    // The host's own words for somebody else, with the seal of what the host wrote.
    let forged = host.with_digest(RequestFile { user: "eve".parse().unwrap(), ..good.clone() });
    let (text, digest) = (forged.text(), Digest::of(forged.text().as_bytes()));
    let folder = Exchange::open(&desk.stick()).unwrap().make(Part::Requests, Some(&host.name)).unwrap();
    folder.put(&Name::Request(digest), text.as_bytes()).unwrap();
    folder.put(&Name::Seal(digest), seal(&good.text(), &host.key).as_bytes()).unwrap();
    let ran = desk.run(&["--user", "eve", "--approve", "--key", "KEY", "--yes"]);
    assert!(ran.code == 1 && ran.err.contains("the host has not sealed it"), "{ran:?}");
    assert!(desk.statements().is_empty());
    // Without any seal, neither.
    folder.remove(&Name::Seal(digest)).unwrap();
    let ran = desk.run(&["--user", "eve", "--deny", "no", "--key", "KEY", "--yes"]);
    assert!(ran.code == 1 && desk.statements().is_empty(), "{ran:?}");
    // With the seal of the host, a digest of another request is not read.
    let left = RequestFile { user: "eve".parse().unwrap(), ..good.clone() };
    host.asks(&desk.stick(), &left);
    let ran = desk.run(&["--user", "eve", "--deny", "no", "--key", "KEY", "--yes"]);
    assert!(ran.err.contains("the digest is not that") && desk.statements().is_empty(), "{ran:?}");
    // And the bytes of the good one, cut off.
    let path = desk
        .stick()
        .join("requests/plc-1")
        .join(Name::Request(Digest::of(good.text().as_bytes())).to_string());
    fs::write(&path, &good.text()[..100]).unwrap();
    let ran = desk.run(&["--user", "ann", "--approve", "--key", "KEY", "--yes"]);
    assert!(
        ran.err.contains("its bytes are not those of its name") && desk.statements().is_empty(),
        "{ran:?}"
    );
    fs::write(&path, good.text()).unwrap();
    let ran = desk.run(&["--user", "ann", "--approve", "--key", "KEY", "--yes"]);
    assert!(desk.statements().len() == 1, "{ran:?}");
}

#[test]
fn a_log_that_shrank_or_was_written_anew_makes_its_host_refused() {
    let desk = Desk::new();
    let host = Host::new("plc-1", 1).with_log(30, "one");
    host.logs(&desk.stick(), 0, 20);
    host.logs(&desk.stick(), 20, 30);
    let first = RequestFile { checkpoint: Some(host.signed(30)), ..host.request("r-4k7m2qx1", "ann") };
    host.asks(&desk.stick(), &first);
    assert_eq!(desk.typing(&[], &["y"]).code, 0);
    // The twin: it goes on.
    let longer = Host::new("plc-1", 1).with_log(0, "");
    let longer = Host { records: host.records.clone(), ..longer }.with_log(40, "one");
    longer.logs(&desk.stick(), 30, 40);
    let ran = desk.run(&["--request", "r-4k7m2qx1", "--approve", "--key", "KEY", "--yes"]);
    assert!(ran.code == 0 && desk.statements().len() == 1, "{ran:?}");

    let broken = |host: &Host, to: usize, word: &str| {
        let stick = desk.stick();
        fs::remove_dir_all(&stick).unwrap();
        fs::create_dir(&stick).unwrap();
        host.logs(&stick, 0, to);
        let checkpoint = Some(host.signed(to));
        let later = RequestFile { checkpoint, filed_at: now(), ..host.request("r-4k7m2qx2", "ben") };
        let later = host.with_digest(later);
        host.asks(&stick, &later);
        let ran = desk.run(&["--all", "--approve", "--key", "KEY", "--yes"]);
        assert!(ran.code == 1 && ran.err.contains(&format!("its log is {word}")), "{ran:?}");
        assert!(ran.out.contains("refused: its log is") && desk.statements().is_empty(), "{ran:?}");
    };
    // Cut off, and asked again since; and an old copy that went on from there.
    broken(&host, 25, "TRUNCATED");
    let other = Host { records: host.records[..25].to_vec(), ..Host::new("plc-1", 1) }.with_log(50, "two");
    broken(&other, 50, "FORKED");
    // What was seen is as it was: the true log is taken again.
    fs::remove_dir_all(desk.stick()).unwrap();
    fs::create_dir(desk.stick()).unwrap();
    longer.logs(&desk.stick(), 0, 40);
    host.asks(&desk.stick(), &host.request("r-4k7m2qx3", "cat"));
    let ran = desk.run(&["--all", "--approve", "--key", "KEY", "--yes"]);
    assert!(ran.code == 0 && desk.statements().len() == 1, "{ran:?}");
}

#[test]
fn an_older_copy_of_the_folder_is_said_and_refuses_nobody() {
    let desk = Desk::new();
    let host = Host::new("plc-1", 1).with_log(30, "one");
    let old: Utc = now().minus(Duration::from_hours(2));
    host.logs(&desk.stick(), 0, 30);
    host.asks(&desk.stick(), &host.request("r-4k7m2qx1", "ann"));
    assert_eq!(desk.typing(&[], &["y"]).code, 0);
    fs::remove_dir_all(desk.stick()).unwrap();
    fs::create_dir(desk.stick()).unwrap();
    host.logs(&desk.stick(), 0, 10);
    let older = RequestFile { filed_at: old, ..host.request("r-4k7m2qx2", "ben") };
    host.asks(&desk.stick(), &host.with_digest(older));
    let ran = desk.run(&["--all", "--approve", "--key", "KEY", "--yes"]);
    assert!(ran.code == 0 && ran.err.contains("an older copy than you have seen"), "{ran:?}");
    assert_eq!(desk.statements().len(), 1);
}

#[test]
fn a_single_file_is_held_against_what_is_known_of_its_host_too() {
    let desk = Desk::new();
    let host = Host::new("plc-1", 1).with_log(30, "one");
    let path = |name: &str| desk.0.path().join(name).display().to_string();
    let sign = |file: &Path, more: &[&str], lines: &[&str]| {
        let (file, key, known) = (file.display().to_string(), path("key"), path("known"));
        let args = [&["offline", "sign", &file, "--key", &key, "--known", &known], more].concat();
        jitctl_typing(&args, &Nobody, lines)
    };
    let place = |file: &RequestFile| {
        let name = Name::Request(Digest::of(file.text().as_bytes())).to_string();
        desk.stick().join("requests/plc-1").join(name)
    };
    let first = host.request("r-4k7m2qx1", "ann");
    host.asks(&desk.stick(), &first);
    // The first time, its key is asked about; then it is known.
    let no = sign(&place(&first), &[], &["n"]);
    assert!(no.code == 1 && no.err.contains(&host.print()), "{no:?}");
    assert_eq!(sign(&place(&first), &[], &["y", "y"]).code, 0);
    // The inbox learns the key itself, and what it has sealed.
    assert_eq!(desk.run(&[]).code, 0);
    let with_log = RequestFile { checkpoint: Some(host.signed(30)), ..host.request("r-4k7m2qx2", "ben") };
    host.asks(&desk.stick(), &with_log);
    let less = sign(&place(&with_log), &["--duration", "10m"], &["y"]);
    assert_eq!(less.code, 0, "{less:?}");
    let alone = desk.0.path().join("alone.req");
    fs::write(&alone, with_log.text()).unwrap();
    let less = sign(&alone, &["--duration", "10m"], &["y"]);
    assert_eq!(less.code, 0, "{less:?}");
    // Somebody else's words; the same under its seal; another machine of its name; another log of its key.
    let forged = RequestFile { user: "eve".parse().unwrap(), ..with_log.clone() };
    fs::write(&alone, forged.text()).unwrap();
    let refused = sign(&alone, &["--duration", "10m", "--yes"], &[]);
    assert!(refused.code == 2 && refused.err.contains("line 5: the digest is not that"), "{refused:?}");
    let forged = host.with_digest(forged);
    fs::write(&alone, forged.text()).unwrap();
    fs::write(alone.with_extension("seal"), seal(&with_log.text(), &host.key)).unwrap();
    let refused = sign(&alone, &["--yes"], &[]);
    assert!(refused.code == 1 && refused.err.contains("has not sealed it"), "{refused:?}");
    let imposter = Host::new("plc-1", 66).request("r-4k7m2qx3", "eve");
    fs::write(&alone, imposter.text()).unwrap();
    let refused = sign(&alone, &["--yes"], &[]);
    assert!(refused.code == 1 && refused.err.contains("the key of plc-1 is"), "{refused:?}");
    let other = Host::new("plc-1", 1).with_log(30, "two");
    let another = RequestFile { checkpoint: Some(other.signed(30)), ..host.request("r-4k7m2qx4", "eve") };
    fs::write(&alone, another.text()).unwrap();
    fs::write(alone.with_extension("seal"), seal(&another.text(), &host.key)).unwrap();
    let refused = sign(&alone, &["--yes"], &[]);
    assert!(refused.code == 1 && refused.err.contains("the log of plc-1 is FORKED"), "{refused:?}");
}
