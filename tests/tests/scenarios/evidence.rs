//! The log as evidence: who may read it, what leaves the host, and an attacker who is root here and has the host's key,
//! caught by what had left before.

use std::path::Path;

use jit_core::event::{Event, Record};
use jit_core::model::Elsewhere;
use jit_core::proof::checkpoint::Signed;
use jit_core::proof::merkle::{Frontier, leaf};
use jit_core::proof::note::HostKey;
use jit_proto::manager::Entry;
use jit_tests::machine::{Output, until};
use jit_tests::schema::refused;
use rusqlite::{Connection, params};

use crate::site::{Entrance, Role, SOON, Site, read};
use crate::store::audited;

const STORE: &str = "/var/lib/jitd/store.db";

/// What people did, so that there is something to change.
fn some_history(site: &Site) {
    site.person_with_role("hugo", &["sshd"]);
    site.ssh("hugo").is_refused("hugo", "hugo");
    let window = site.open("hugo", "hugo", "30m");
    site.ssh("hugo").admits("hugo");
    window.revoke();
    let window = site.open("hugo", "hugo", "30m");
    site.ssh("hugo").admits("hugo");
    window.revoke();
}

fn verify(site: &Site, args: &str) -> Output {
    site.shell(&format!("jitctl audit verify {args}"))
}

/// An attacker's way with the store while jitd is down: the records are taken, changed by whoever is root, and all that
/// is written beside them is made anew so that it fits.
fn rewritten(site: &Site, sign_anew: bool, change: impl Fn(&mut Vec<Vec<u8>>)) {
    site.shell(
        "systemctl stop jitd && sqlite3 /var/lib/jitd/store.db 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null &&
         rm -f /var/lib/jitd/store.db-* /run/good.db && cp /var/lib/jitd/store.db /run/good.db",
    )
    .done();
    // SQLite resolves paths, and /proc/PID/root resolves to this host's root.
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("store.db");
    std::fs::copy(site.machine.path(STORE), &outside).unwrap();
    let key = HostKey::from_text(&site.machine.read("/var/lib/jitd/host.key")).unwrap();
    forge(&outside, sign_anew.then_some(&key), change);
    std::fs::copy(&outside, site.machine.path(STORE)).unwrap();
    site.shell("systemctl start jitd").done();
    site.is_ready();
}

fn forge(store: &Path, key: Option<&HostKey>, change: impl Fn(&mut Vec<Vec<u8>>)) {
    let store = Connection::open(store).unwrap();
    let mut records: Vec<Vec<u8>> = store
        .prepare("SELECT bytes FROM audit ORDER BY seq")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    change(&mut records);
    let mut tree = Frontier::default();
    for bytes in &mut records {
        let mut record: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        if let Some(key) = key.filter(|_| record["event"] == "checkpoint") {
            let signed = serde_json::to_value(Signed::over(&tree, key)).unwrap();
            for (field, value) in signed.as_object().unwrap() {
                record[field] = value.clone();
            }
            *bytes = serde_json::to_vec(&record).unwrap();
        }
        tree.append(leaf(bytes));
    }
    store
        .execute_batch(
            "DROP TRIGGER audit_is_append_only; DROP TRIGGER audit_is_kept; PRAGMA foreign_keys = OFF;
             DELETE FROM about; DELETE FROM audit",
        )
        .unwrap();
    for (seq, bytes) in (0_i64..).zip(&records) {
        let hash = leaf(bytes).0;
        store.execute("INSERT INTO audit VALUES (?1, ?2, ?3)", params![seq, bytes, hash.as_slice()]).unwrap();
    }
    let size = i64::try_from(tree.size()).unwrap();
    store.execute("UPDATE tree SET size = ?1, peaks = ?2", params![size, tree.to_bytes()]).unwrap();
}

/// The store as it was before the attacker came.
fn as_it_was(site: &Site) {
    site.shell("systemctl stop jitd; rm -f /var/lib/jitd/store.db-*; cp /run/good.db /var/lib/jitd/store.db")
        .done();
    site.shell("systemctl start jitd").done();
    site.is_ready();
}

/// hugo becomes somebody else, in as many letters.
fn whitewash(records: &mut [Vec<u8>]) {
    for bytes in records.iter_mut() {
        let text = String::from_utf8(bytes.clone()).unwrap();
        if text.contains("\"event\":\"denied\"") {
            *bytes = text.replace("hugo", "otto").into_bytes();
        }
    }
}

pub(crate) fn caught_by_what_left(site: &Site) {
    some_history(site);
    site.shell("jitctl audit checkpoint >/root/carried && jitctl audit checkpoint --key >/root/key").done();
    let carried = "--checkpoint /root/carried --key \"$(cat /root/key)\"";
    verify(site, carried).exits(0).says("The log is WHOLE").says("1 of 1 that were carried away");
    // Its line in syslog is a checkpoint, too.
    let line = "grep ' checkpoint seq=' /var/log/jitd.log | tail -n 1 >/root/line && test -s /root/line";
    until(SOON, "a checkpoint is in syslog", || site.shell(line).is_ok());
    verify(site, "--checkpoint /root/line").exits(0).says("1 of 1 that were carried away");

    // So is the one in a request that was exported to be approved elsewhere.
    let asks = "jitctl --json request --yes --role hugo --reason 'INC-1 to be approved elsewhere'";
    let asked: Entry = read(&site.machine.as_user("hugo", asks));
    site.shell(&format!("jitctl offline export {} --output /root/asked.req", asked.request)).done();
    verify(site, "--checkpoint /root/asked.req").exits(0).says("1 of 1 that were carried away");

    // Changed, with hashes to match: the checkpoints among the records tell.
    rewritten(site, false, |records| whitewash(records));
    verify(site, "").exits(1).says("The log is").does_not_say("WHOLE").says("record");
    as_it_was(site);
    verify(site, carried).exits(0).says("The log is WHOLE");

    // Changed, and signed anew with the host's own key: it agrees with itself, and with nothing that left.
    rewritten(site, true, |records| whitewash(records));
    verify(site, "").exits(0).says("The log is WHOLE").says("agrees with itself");
    for kept in [carried, "--checkpoint /root/line", "--checkpoint /root/asked.req"] {
        verify(site, kept).exits(1).says("The log is FORKED").says("signed by the same key");
    }
    as_it_was(site);
    verify(site, carried).exits(0).says("The log is WHOLE");

    // Cut off, and signed anew.
    rewritten(site, true, |records| records.truncate(4));
    verify(site, "").exits(0).says("The log is WHOLE");
    verify(site, carried).exits(1).says("The log is TRUNCATED").says("are missing");
    as_it_was(site);

    // Under another key.
    site.shell(
        "systemctl stop jitd && mv /var/lib/jitd/host.key /root/ && touch /var/lib/jitd/renew-host-key &&
         systemctl start jitd",
    )
    .done();
    site.is_ready();
    verify(site, "--checkpoint /root/carried").exits(0).says("The log is WHOLE");
    verify(site, carried).exits(1).says("not one that was given");
    audited(site);
}

pub(crate) fn a_missing_key(site: &Site) {
    some_history(site);
    site.shell("jitctl audit checkpoint >/root/carried").done();
    site.shell("systemctl stop jitd && mv /var/lib/jitd/host.key /root/host.key && systemctl start jitd")
        .done();
    until(SOON, "jitd says so", || site.shell("jitctl status").status == 1);
    site.shell("jitctl status").says("host.key is missing").says("HOST KEY in jitd(8)");
    site.ssh("hugo").refuses("jit: login refused: jitd does not answer");
    // Put back, it is found.
    site.shell("mv /root/host.key /var/lib/jitd/host.key").done();
    site.is_ready();
    let window = site.open("hugo", "hugo", "30m");
    site.ssh("hugo").admits("hugo");
    window.revoke();
    verify(site, "--checkpoint /root/carried").exits(0).says("The log is WHOLE");
}

/// A template that was sealed while somebody had a window, and is started as another machine.
pub(crate) fn a_copied_machine(site: &Site) {
    let lasting = |name| Role::new(name, &["sshd"], name).with("survives-reboot = true\n");
    site.person("hugo");
    site.roles(&[lasting("hugo")]);
    let window = site.open("hugo", "hugo", "30m");
    site.ssh("hugo").admits("hugo");
    let key = "sed -n 1p /var/lib/jitd/host.key | sha256sum";
    let before = site.shell(key).done().to_owned();
    // As often as it likes it starts as itself.
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    site.ssh("hugo").admits("hugo");
    assert_eq!(site.shell(key).done(), before);

    site.shell("systemctl stop jitd && systemd-id128 new >/etc/machine-id && systemctl start jitd").done();
    site.is_ready();
    site.ssh("hugo").refuses("jit: ");
    assert_eq!(site.entry(&window.id).ended.as_deref(), Some("other-machine"));
    assert_ne!(site.shell(key).done(), before, "two hosts sign with one key");
    // Also while jitd runs, as a clone that gets its id from a hook does.
    let window = site.open("hugo", "hugo", "30m");
    site.shell("systemd-id128 new >/etc/machine-id && systemctl kill --signal=HUP jitd").done();
    until(SOON * 8, "it is noticed", || site.entry(&window.id).ended.as_deref() == Some("other-machine"));
    site.is_ready();
    // It is a host of its own from here on, with the log of the one that it was made from.
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    let window = site.open("hugo", "hugo", "30m");
    site.ssh("hugo").admits("hugo");
    window.revoke();
    let copied = |record: &&Record| matches!(record.event, Event::Elsewhere { how: Elsewhere::Copied });
    assert_eq!(audited(site).iter().filter(copied).count(), 2, "each is on record");
}

pub(crate) fn exported_and_verified_without_jitd(site: &Site) {
    some_history(site);
    // Before the export, which has all that it covers: others' records come all the while.
    site.shell("cd /root && jitctl audit checkpoint >early && jitctl audit export >one.jsonl 2>one.said")
        .done();
    let after = "sed -n 's/.*--after \\([0-9]*\\)$/\\1/p' /root/one.said";
    site.open("hugo", "hugo", "30m").revoke();
    site.shell(&format!(
        "cd /root && jitctl audit checkpoint >late && jitctl audit export --after \"$({after})\" --from early >two.jsonl
         jitctl audit export --format cef --after \"$({after})\" --from early --proof proof >two.cef && ! grep -v ^CEF: two.cef"
    ))
    .done();
    site.shell("systemctl stop jitd && rm -rf /var/lib/jitd /run/jitd").done();

    verify(site, "/root/one.jsonl --checkpoint /root/early").exits(0).says("The log is WHOLE");
    let both = "/root/one.jsonl /root/two.jsonl --checkpoint /root/early --checkpoint /root/late";
    verify(site, both).exits(0).says("The log is WHOLE").says("2 of 2 that were carried away");
    verify(site, "/root/two.jsonl --checkpoint /root/early").exits(0).says("1 of 1 that were carried away");
    let beside = verify(site, "/root/proof --checkpoint /root/early");
    beside.exits(0).says("no record is here").says("1 of 1 that were carried away");
    verify(site, "/root/two.jsonl /root/one.jsonl").exits(2).says("begins with record 0");
    site.shell("sed 1d /root/two.jsonl >/root/part.jsonl").done();
    verify(site, "/root/part.jsonl").exits(2).says("begins with record");
    verify(site, "/root/one.jsonl --checkpoint /root/late").exits(1).says("The log is TRUNCATED");
    site.shell("sed 's/hugo/otto/' /root/one.jsonl >/root/changed.jsonl").done();
    verify(site, "/root/changed.jsonl --checkpoint /root/early").exits(1).says("The log is REWRITTEN");
    site.shell("sed 7d /root/one.jsonl >/root/dropped.jsonl").done();
    let dropped = verify(site, "/root/dropped.jsonl --checkpoint /root/early");
    dropped.exits(1).says("The log is REWRITTEN").says("record 6 is in place of record 5");
}

pub(crate) fn who_may_read(site: &Site) {
    site.people_with_a_way_in(&["auda", "nosy"]);
    site.policy("60-auda", "[auditors]\nusers = [\"auda\"]\n");
    site.person_with_role("regina", &["sshd"]);
    let id = site.open("regina", "regina", "30m").id;
    site.ssh("regina").admits("regina");
    until(SOON, "the login is over, on record", || !site.logged("session-gone", "\"regina\"").is_empty());
    let as_auda = |command: &str| site.logged_in("auda", &format!("jitctl audit {command}"));
    as_auda("show --event opened").says(&id).done();
    let story = as_auda(&format!("show {id}"));
    for word in ["requested", "reviewed", "opened", "allowed", "session-gone"] {
        story.says(word);
    }
    story.says("regina").done();
    as_auda("show --user regina --json").says(&id).done();
    as_auda("verify").says("The log is WHOLE").done();
    as_auda("checkpoint").says("bed/jitd").done();
    as_auda("export").says(&id).done();
    for command in ["show", &format!("show {id}"), "verify", "checkpoint", "export"] {
        let refused = site.logged_in("nosy", &format!("jitctl audit {command}"));
        refused.exits(4).says("only root, admins and auditors").does_not_say(&id);
        // An auditor's word counts in a login of theirs alone.
        let no_login = site.machine.as_user("auda", &format!("jitctl audit {command}"));
        no_login.exits(4).says("no login").does_not_say(&id);
    }
    // A log of more than a page comes over a pipe, which the bus hands on.
    let call = "busctl call org.jitd.Jit1 /org/jitd/Jit1 org.jitd.Jit1.Audit Stream tt 0 0";
    site.logged_in("auda", call).says("h ").done();
    site.logged_in("nosy", call).exits(1).says("only root, admins and auditors");
    site.machine.as_user("auda", call).exits(1).says("no login");
}

pub(crate) fn read_by_other_programs(site: &Site) {
    site.person_with_role("clelia", &["sshd"]);
    let hostile = "=INC-5, \"quoted\"; 'and' \\ more] <b>";
    site.grant_because("clelia", "clelia", "30m", hostile).done();
    site.ssh("clelia").admits("clelia");
    site.shell("cd /root && jitctl audit export >all.jsonl && jitctl audit export --format csv >log.csv")
        .done();
    // Its first line is no record.
    site.shell("cd /root && grep -v '^{\"preface\":' all.jsonl >log.jsonl; test $(wc -l <all.jsonl) -eq $(($(wc -l <log.jsonl) + 1))")
        .done();
    // SQLite reads the table, and knows nothing of ours.
    let csv = |query: &str| {
        let script = format!("sqlite3 :memory: '.import --csv /root/log.csv c' \"{query}\"");
        site.shell(&script).done().trim().to_owned()
    };
    let records = site.machine.read("/root/log.jsonl");
    let lines: Vec<_> = records.lines().map(str::to_owned).collect();
    let found: Vec<_> = refused(&lines).into_iter().map(|place| &lines[place]).collect();
    assert!(found.is_empty(), "not as docs/schema has it: {found:#?}");
    let last: serde_json::Value = serde_json::from_str(records.lines().last().unwrap()).unwrap();
    // The later export has what others did meanwhile as well.
    let rows: usize = csv(&format!("select count(*) from c where cast(seq as integer) <= {}", last["seq"]))
        .parse()
        .unwrap();
    assert_eq!(rows, records.lines().count(), "a row for each record up to {}", last["seq"]);
    assert_eq!(csv("select count(*) from c where not json_valid(record)"), "0");
    let differs = "select count(*) from c where seq <> json_extract(record, '$.seq') \
                   or event <> json_extract(record, '$.event') or julianday(time) is null";
    assert_eq!(csv(differs), "0");
    let reason = csv("select reason from c where event = 'requested' and user = 'clelia'");
    assert_eq!(reason, format!("'{hostile}"), "inert, and otherwise as it was typed");
    let exact = csv(
        "select json_extract(record, '$.request.reason') from c where event = 'requested' and user = 'clelia'",
    );
    assert_eq!(exact, hostile);
    for line in records.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
    let lines = site.shell("jitctl audit export --format rfc5424").done().to_owned();
    let of_cleo =
        lines.lines().find(|line| line.contains("event=\"requested\"") && line.contains("\"clelia\""));
    assert!(
        of_cleo.is_some_and(|line| line.contains(r#"reason="=INC-5, \"quoted\"; 'and' \\ more\] <b>""#)),
        "{lines}"
    );
    // What SIEMs read, by a reader of their formats that is not ours.
    site.machine.write("/root/siem.py", SIEM, 0o644);
    site.shell("cd /root && jitctl audit export --format cef >log.cef && jitctl audit export --format ocsf >log.ocsf").done();
    site.shell("cd /root && python3 siem.py log.jsonl log.cef log.ocsf clelia").says("read back").done();
}

/// Reads CEF and OCSF back, and compares them with the records.
const SIEM: &str = r#"
import json, re, sys, datetime
records = {r["seq"]: r for r in map(json.loads, open(sys.argv[1]))}
who = sys.argv[4]

def millis(time):
    at = datetime.datetime.fromisoformat(time.replace("Z", "+00:00"))
    return int((at - datetime.datetime.fromtimestamp(0, datetime.timezone.utc)) / datetime.timedelta(milliseconds=1))

unescape = lambda text: re.sub(r"\\(.)", r"\1", text)
cef = {}
for line in open(sys.argv[2]):
    fields = re.split(r"(?<!\\)(?:\\\\)*\|", line.rstrip("\n"), maxsplit=7)
    assert fields[0] == "CEF:0" and len(fields) == 8 and 0 <= int(fields[6]) <= 10, line
    found = re.findall(r"([A-Za-z0-9]+)=((?:\\.|[^\\=])*?)(?= [A-Za-z0-9]+=|$)", fields[7])
    values = {key: unescape(value) for key, value in found}
    assert len(values) == len(found), line
    cef[int(values["externalId"])] = (fields[4], values)
ocsf = {}
for line in open(sys.argv[3]):
    event = json.loads(line)
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"], line
    ocsf[event["metadata"]["sequence"]] = event
for seq, record in records.items():
    event, values = cef[seq]
    assert event == record["event"] and int(values["rt"]) == millis(record["time"]), (record, values)
    assert ocsf[seq]["metadata"]["event_code"] == event and ocsf[seq]["time"] == millis(record["time"]), record
    assert json.loads(ocsf[seq]["raw_data"]) == record
asked = [r for r in records.values() if r["event"] == "requested" and r["request"]["beneficiary"]["name"] == who]
for record in asked:
    assert cef[record["seq"]][1]["jitReason"] == record["request"]["reason"]
    assert ocsf[record["seq"]]["unmapped"]["reason"] == record["request"]["reason"]
came = [r["seq"] for r in records.values() if r["event"] == "allowed" and r["user"] == who]
for seq in came:
    event = ocsf[seq]
    assert (event["class_uid"], event["status_id"], event["user"]["name"]) == (3002, 1, who), event
    assert cef[seq][1]["duser"] == who
assert asked and came
print("read back")
"#;
