//! Nothing happens without a record, and the records reach both logs whole.

use std::time::{Duration, Instant};

use jit_tests::machine::until;

use crate::site::{Entrance, SOON, Site};
use crate::store::audited;

pub(crate) const LOG: &str = "/var/log/jitd.log";

/// The lines of /var/log/jitd.log with this word, when there is one.
fn lines(site: &Site, word: &str) -> Vec<String> {
    let find = || {
        let log = site.machine.read(LOG);
        log.lines().filter(|line| line.contains(word)).map(str::to_owned).collect::<Vec<_>>()
    };
    until(SOON, &format!("{LOG} has {word}"), || !find().is_empty());
    find()
}

pub(crate) fn both_logs(site: &Site) {
    site.person_with_role("adele", &["sshd"]);
    site.ssh("adele").is_refused("adele", "adele");
    let window = site.open("adele", "adele", "30m");
    site.ssh("adele").admits("adele");
    window.revoke();
    let short = site.open("adele", "adele", "1s");
    short.wait_for_its_end();

    // The journal: fields of our own, searchable.
    for (event, fields) in [
        ("denied", "JIT_USER=adele JIT_SERVICE=sshd JIT_WHY=no-window JIT_RHOST=127.0.0.1"),
        ("requested", "JIT_USER=adele JIT_ROLE=adele JIT_BY=root"),
        ("reviewed", "JIT_BY=root"),
        ("opened", "JIT_USER=adele JIT_ROLE=adele"),
        ("allowed", "JIT_USER=adele JIT_SERVICE=sshd JIT_ROLE=adele"),
        ("session-gone", "JIT_USER=adele JIT_SERVICE=sshd JIT_ROLE=adele"),
        ("ended", "JIT_WHY=revoked"),
        ("ended", "JIT_WHY=expired"),
    ] {
        let query =
            format!("journalctl -q --no-pager -o cat SYSLOG_IDENTIFIER=jitd JIT_EVENT={event} {fields}");
        until(SOON, &query, || !site.shell(&query).stdout.is_empty());
    }
    // Syslog: RFC 5424, structured data and message.
    for (event, severity) in [("denied", 4), ("opened", 5), ("allowed", 6)] {
        let line =
            lines(site, &format!("event=\"{event}\"")).into_iter().find(|line| line.contains("\"adele\""));
        let line = line.unwrap_or_else(|| panic!("no {event} of adele in {LOG}"));
        let head: Vec<&str> = line.split(' ').take(6).collect();
        // LOG_AUTHPRIV is 10.
        assert_eq!(head[0], format!("<{}>1", 10 * 8 + severity), "{line}");
        assert!(head[1].ends_with('Z') && head[1].contains('T'), "{line}");
        assert_eq!((head[2], head[3]), ("bed", "jitd"), "{line}");
        assert!(line.contains(" [jit@32473 ") && line.contains(&format!("] {event} seq=")), "{line}");
    }
    for event in ["opened", "ended"] {
        assert!(lines(site, &format!("event=\"{event}\"")).iter().any(|line| line.contains(&window.id)));
    }
    site.shell(&format!("stat -c '%a %U %G' {LOG}")).says("640 root adm");
    audited(site);
}

pub(crate) fn denials_are_counted(site: &Site) {
    site.person_with_role("denise", &["sshd"]);
    for _ in 0..5 {
        site.ssh("denise").is_refused("denise", "denise");
    }
    let counts = || -> Vec<u32> {
        let said = site.shell(
            "journalctl -q --no-pager -o json SYSLOG_IDENTIFIER=jitd JIT_EVENT=denied JIT_USER=denise",
        );
        let count = |line: &str| {
            let fields: serde_json::Value = serde_json::from_str(line).ok()?;
            fields["JIT_COUNT"].as_str()?.parse().ok()
        };
        said.stdout.lines().filter_map(count).collect()
    };
    until(SOON, "the first is told at once", || counts() == [1]);
    // One record stands for the others, a minute later.
    until(Duration::from_secs(80), "the others are told", || counts().len() > 1);
    assert_eq!(counts(), [1, 4]);
}

pub(crate) fn what_people_type(site: &Site) {
    site.person_with_role("typo", &["sshd"]);
    let grant = |reason: &str| site.grant_because("typo", "typo", "1h", reason);
    for refused in
        ["two\nlines of it", "an \u{1b}[2J escape", "a\u{2028}break", "\u{202e}reversed", "", "\u{7}bell"]
    {
        grant(refused).exits(2).says("reason ").does_not_say("\u{1b}").does_not_say("\u{7}");
    }
    let hostile = r#"INC-77 "quoted"] [x@1 a="b"] \n %s%n <script> user="root" =cmd()"#;
    grant(hostile).done();
    let of_it = lines(site, "INC-77");
    assert_eq!(of_it.len(), 1, "{of_it:?}");
    // RFC 5424 §6.3.3: what would end the value or the element is escaped.
    assert!(of_it[0].contains(r#"reason="INC-77 \"quoted\"\] [x@1 a=\"b\"\] \\n %s%n"#), "{}", of_it[0]);
    let entry = site.shell("jitctl --json list");
    assert!(serde_json::from_str::<serde_json::Value>(entry.done()).is_ok());
    entry.says("INC-77");
}

pub(crate) fn a_dead_rsyslog(site: &Site) {
    site.person_with_role("ruth", &["sshd"]);
    lines(site, "policy-loaded");
    let all_this = || {
        let began = Instant::now();
        let window = site.open("ruth", "ruth", "30m");
        site.ssh("ruth").admits("ruth");
        site.ssh("ruth").admits("ruth");
        window.revoke();
        began.elapsed()
    };
    let with = all_this();
    rsyslog_stops(site);
    let without = all_this();
    // A log that is waited for is waited for at each of its records.
    assert!(without < with * 3 + Duration::from_secs(10), "{without:?} with no syslog, and {with:?} with it");
    let waiting = || {
        let unsent = site.status().unsent.unwrap();
        unsent.into_iter().find_map(|of| (of.log == "syslog").then_some(of.records)).unwrap()
    };
    assert!(waiting() >= 7, "{} records wait", waiting());

    site.shell("systemctl start rsyslog").done();
    // The next record finds it back, whatever jitd tries by itself.
    site.ssh("ruth").is_refused("ruth", "ruth");
    until(SOON, "nothing waits", || waiting() == 0);
    let records = audited(site).len();
    until(SOON, "the log is whole", || numbers(site).len() >= records);
    let numbers = numbers(site);
    // A record that is written meanwhile comes behind these.
    assert_eq!(numbers[..records], (0..records).collect::<Vec<_>>(), "each once, in order");
}

/// What rsyslog has in its socket when it stops is gone, and nobody but it could tell: it reads all that there is first, and
/// jitd writes nothing meanwhile.
pub(crate) fn rsyslog_stops(site: &Site) {
    until(SOON, "rsyslog has read what there is", || {
        site.shell("pkill -STOP -x jitd").done();
        let is_read = numbers(site).len() == audited(site).len();
        if !is_read {
            site.shell("pkill -CONT -x jitd").done();
        }
        is_read
    });
    site.shell("systemctl stop syslog.socket rsyslog && pkill -CONT -x jitd").done();
}

/// The numbers of the records that are in rsyslog's file, in its order.
fn numbers(site: &Site) -> Vec<usize> {
    numbers_in(site, LOG)
}

/// The same of another file.
pub(crate) fn numbers_in(site: &Site, file: &str) -> Vec<usize> {
    site.machine.read(file).lines().filter_map(number).collect()
}

/// The number of the record in a line.
pub(crate) fn number(line: &str) -> Option<usize> {
    line.split(" seq=\"").nth(1)?.split('"').next()?.parse().ok()
}
