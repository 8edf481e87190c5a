//! A log of many records: what it costs, and that no move of its records into archives loses or doubles one, however often
//! jitd is killed meanwhile. `JIT_RECORDS` says how many (20,000 otherwise), `JIT_ARCHIVE_KILLS` how many moves are broken off.
//! No time is asserted; they are printed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use jit_core::proof::merkle;
use jit_core::time::Utc;
use jit_proto::audit::Archives;
use jit_proto::words::{GrantId, RequestId};
use jit_tests::machine::until;
use rusqlite::Connection;

use crate::crash::{KILL, Random};
use crate::disk::on_a_disk_of;
use crate::site::{Entrance, SOON, Site, read};
use crate::stage::{count, say};

/// The repository, for the tables as they were when a log had no tree yet: jitd makes that of whatever log it finds.
const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The first record is of 2024-01-01: older than any floor in here.
const BEGIN: i64 = 1_704_067_200;

/// Of the examples in docs/schema, those that one access makes.
const ACCESS: [&str; 5] = ["requested", "opened", "allowed", "session-gone", "ended"];

/// How long a million of anything may take.
const LONG: Duration = Duration::from_secs(600);

/// One access as examples of its records, in which ids, numbers and times are put.
fn access() -> Vec<String> {
    let examples = fs::read_to_string(format!("{TOP}/docs/schema/examples.jsonl")).unwrap();
    let of = |event: &&str| {
        let word = format!("\"event\":\"{event}\"");
        let line = examples.lines().find(|line| line.contains(&word)).unwrap();
        let (_, rest) = line.split_once("\"boot_ms\"").unwrap();
        format!("\"boot_ms\"{rest}").replace("r-00000002", "r-4k7m2qx9")
    };
    ACCESS.iter().map(of).collect()
}

/// A store of so many records, all of accesses that are over, and nothing else in it.
fn made_up(path: &Path, records: usize) {
    let mut store = Connection::open(path).unwrap();
    for schema in 1..=4 {
        let step = fs::read_to_string(format!("{TOP}/jitd/src/store/schema-{schema}.sql")).unwrap();
        store.execute_batch(&step).unwrap();
    }
    let change = store.transaction().unwrap();
    let access = access();
    for (seq, nth) in (0..).zip(0..records) {
        let id = RequestId::from_bits(u64::try_from(nth / ACCESS.len()).unwrap());
        let time = Utc::from_unix_millis((BEGIN + seq * 10) * 1000).to_seconds();
        let rest = access[nth % ACCESS.len()]
            .replace("g-4k7m2qx9", &GrantId::from(id).to_string())
            .replace("r-4k7m2qx9", &id.to_string())
            // Of the session that the record before it let in.
            .replace("\"session\":28", &format!("\"session\":{}", seq - 1));
        let bytes = format!("{{\"seq\":{seq},\"time\":\"{time}\",{rest}").into_bytes();
        let leaf = merkle::leaf(&bytes).0;
        let mut insert = change.prepare_cached("INSERT INTO audit VALUES (?1, ?2, ?3)").unwrap();
        insert.execute((seq, &bytes, leaf.as_slice())).unwrap();
    }
    // Nobody is owed any of them.
    for sink in ["journal", "syslog", "notify"] {
        let next = i64::try_from(records).unwrap();
        change.execute("INSERT INTO sink (name, next) VALUES (?1, ?2)", (sink, next)).unwrap();
    }
    change.commit().unwrap();
    store.pragma_update(None, "user_version", 4).unwrap();
}

/// Puts such a store in the place of the machine's, under a policy by which its records may go.
fn has_a_log_of(site: &Site, records: usize) {
    site.policy("20-retain", "retain = \"30d\"\n");
    site.shell("systemctl stop jitd && rm -f /var/lib/jitd/store.db* && mkdir -m 700 -p /srv/archive").done();
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("store.db");
    made_up(&outside, records);
    fs::copy(&outside, site.machine.path("/var/lib/jitd/store.db")).unwrap();
    site.machine.write("/var/lib/jitd/reached", &format!("{records:020}\n"), 0o600);
    site.shell("systemctl start jitd").done();
    is_ready(site);
}

fn is_ready(site: &Site) {
    until(LONG, "jitd is ready", || site.machine.run(&["jitctl", "status"]).is_ok());
}

/// A command that may take long, and how long it did.
fn timed(site: &Site, script: &str) -> (String, Duration) {
    let began = Instant::now();
    let ran = site.machine.start(LONG, &["sh", "-c", script]).output();
    ran.done();
    let took = began.elapsed();
    // What a person is told besides is of interest, too.
    (ran.all(), took)
}

/// So many pairs of orders, each on disk before it is answered.
fn orders(site: &Site) -> Duration {
    let pair = "jitctl lock user:nobody --message x >/dev/null && jitctl unlock user:nobody >/dev/null";
    let (_, took) = timed(site, &format!("for i in $(seq 50); do {pair} || exit 1; done"));
    took / 100
}

/// What jitd holds in memory, in KiB.
fn memory(site: &Site) -> u64 {
    let said = site.shell("sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$(pidof jitd)/status");
    said.done().parse().unwrap()
}

fn archives(site: &Site) -> Archives {
    read(&site.machine.run(&["jitctl", "--json", "audit", "archive", "--list"]))
}

pub(crate) fn costs_what_a_short_one_does(site: &Site) {
    let records = count("JIT_RECORDS", 20_000);
    let (short_order, short_memory) = (orders(site), memory(site));
    has_a_log_of(site, records);
    let bytes = site.shell("stat -c %s /var/lib/jitd/store.db");
    let bytes: usize = bytes.done().parse().unwrap();
    let mut told = format!(
        "| {records} records | |\n|---|---|\n| the store, for each access of {} records | {} bytes |\n",
        ACCESS.len(),
        bytes / (records / ACCESS.len())
    );
    let mut row = |what: &str, value: &str| writeln!(told, "| {what} | {value} |").unwrap();
    let ms = |took: Duration| format!("{} ms", took.as_millis());
    let long_order = orders(site);
    row("an order with its record, by a jitctl each; with a log of some ten records", &ms(short_order));
    row("the same with this log", &ms(long_order));

    let id = RequestId::from_bits(u64::try_from(records / ACCESS.len() / 2).unwrap());
    let (story, took) = timed(site, &format!("jitctl audit show {id}"));
    assert!(ACCESS.iter().all(|event| story.contains(event)), "{story}");
    row("`audit show ID` of one request", &ms(took));
    let (checkpoint, _) = timed(site, "jitctl audit checkpoint | tee /run/then");
    assert!(checkpoint.lines().count() > 3, "{checkpoint}");
    let (said, took) = timed(site, "jitctl audit verify --checkpoint /run/then");
    assert!(said.contains("WHOLE"), "{said}");
    row("`audit verify`, every byte hashed", &ms(took));
    let report = |site: &Site| timed(site, "jitctl report >/dev/null").1;
    row("`report`", &ms(report(site)));
    let (_, took) = timed(site, "jitctl audit export >/srv/archive/export");
    row("`audit export`", &ms(took));
    let (_, took) = timed(site, &format!("jitctl audit export --after {} >/srv/archive/rest", records - 10));
    row("the same of the last records, with the proof that they go on from all before", &ms(took));
    timed(site, "jitctl audit verify /srv/archive/rest --checkpoint /run/then");
    row("`report`, while what was exported goes to the disk", &ms(report(site)));
    let (_, took) = timed(site, "jitctl audit archive /srv/archive/0.jsonl");
    let moved = archives(site).begins;
    row(&format!("`audit archive` of {moved} records, of which jitd moves them at once"), &ms(took));
    row("jitd's memory after a start with a log of some ten records", &format!("{short_memory} KiB"));
    row("the same after all of this", &format!("{} KiB", memory(site)));
    site.shell("systemctl restart jitd").done();
    is_ready(site);
    row("the same after a start with this log", &format!("{} KiB", memory(site)));
    say(&format!("{told}\n"));
}

pub(crate) fn makes_room_on_a_full_disk(site: &Site) {
    let records = 6_000;
    site.person_with_role("dina", &["sshd"]);
    has_a_log_of(site, records);
    // Of the log alone: on a disk of its size and some more.
    on_a_disk_of(site, u32::try_from(records / 1000 + 24).unwrap());
    // To the last byte, and it stays so.
    site.shell("dd if=/dev/zero of=/var/lib/jitd/filler bs=1k status=none").says("No space left");
    let left = || site.shell("df --output=avail /var/lib/jitd | tail -n 1").stdout.trim().to_owned();
    assert_eq!(left(), "0");
    site.grant_because("dina", "dina", "30m", "INC-1 not now").exits(1).says("nearly full");
    site.machine.run(&["jitctl", "explain", "sshd", "dina"]).exits(1).says("makes room: jitctl status");

    let mut files = String::new();
    let known = archives(site);
    assert!(known.most < u64::try_from(records).unwrap(), "{known:?}: it has to be done in several");
    for nth in 0.. {
        let file = format!("/srv/archive/{nth}.jsonl");
        let (said, _) = timed(site, &format!("jitctl audit archive {file}"));
        if said.contains("nothing was written") {
            break;
        }
        let begins = archives(site).begins;
        assert!(
            said.contains("no longer in the store") && begins <= known.most * (nth + 1),
            "{said} {begins}"
        );
        files = format!("{files} --archive {file}");
    }
    assert!(archives(site).begins >= u64::try_from(records).unwrap(), "all of them are old enough");
    assert_eq!(left(), "0", "no byte of it went back to the disk");
    let (said, _) = timed(site, &format!("jitctl audit verify{files}"));
    assert!(said.contains("WHOLE"), "{said}");
    // A start looks anew.
    site.shell("systemctl restart jitd").done();
    is_ready(site);
    site.open("dina", "dina", "30m");
    site.ssh("dina").admits("dina");
    assert_eq!(left(), "0");
}

pub(crate) fn killed_while_records_move(site: &Site) {
    let records = count("JIT_RECORDS", 20_000);
    let kills = count("JIT_ARCHIVE_KILLS", 3);
    has_a_log_of(site, records);
    timed(site, "jitctl audit checkpoint >/run/then");
    let mut random = Random::new();
    // Each file takes another share, by a time that lies between; the last has what is left.
    let (mut broken, mut longest) = (0, Duration::from_secs(2));
    for nth in 0..kills {
        let until_record = i64::try_from(records * (nth + 1) / (kills + 1)).unwrap();
        let before = Utc::from_unix_millis((BEGIN + until_record * 10) * 1000).to_seconds();
        let command = format!("jitctl audit archive /srv/archive/{nth}.jsonl --before {before}");
        // Killed until one was broken off, and then left alone: the same command goes on.
        for _ in 0..20 {
            let began = Instant::now();
            let moving = site.machine.start(LONG, &["sh", "-c", &command]);
            let millis = u64::try_from(longest.as_millis()).unwrap_or(2_000).max(20);
            std::thread::sleep(random.pause(0..millis));
            site.shell(KILL);
            let moved = moving.output().is_ok();
            is_ready(site);
            if !moved {
                broken += 1;
                break;
            }
            longest = began.elapsed();
            if archives(site).archives.iter().any(|one| one.file == format!("{nth}.jsonl")) {
                break;
            }
        }
        timed(site, &command);
    }
    timed(site, "jitctl audit archive /srv/archive/last.jsonl");

    // Every record is in one place alone, and every byte of it is what it was.
    let known = archives(site);
    let files: Vec<String> =
        known.archives.iter().map(|one| format!("--archive /srv/archive/{}", one.file)).collect();
    let files = files.join(" ");
    let (said, _) = timed(site, &format!("jitctl audit verify --checkpoint /run/then {files}"));
    assert!(said.contains("WHOLE"), "{said}");
    let mut next = 0;
    for one in &known.archives {
        assert_eq!(one.first, next, "the archives follow each other");
        next = one.end;
        let lines = site.shell(&format!("grep -vc '^{{\"preface\":' /srv/archive/{}", one.file));
        assert_eq!(lines.done().parse::<u64>().unwrap(), one.end - one.first, "{}", one.file);
    }
    assert!(next >= u64::try_from(records).unwrap(), "all of them are old enough");
    let left = "sqlite3 /var/lib/jitd/store.db \"SELECT count(*) FROM archived_leaf UNION ALL SELECT max(seq) + 1 FROM audit \
                UNION ALL SELECT count(*) FROM audit WHERE seq >= (SELECT max(end_) FROM archive)\"";
    let left: Vec<u64> = site.shell(left).done().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(left[0], next, "each that left has its hash here, once");
    assert_eq!(left[1] - next, left[2], "and what did not leave is here");
    until(SOON, "jitd is ready", || site.machine.run(&["jitctl", "status"]).is_ok());
    say(&format!("{broken} of {kills} moves were broken off by a kill of jitd\n"));
}
