//! One access, one story: what its two records have, held against what the machine itself says of the processes.

use std::collections::BTreeMap;

use jit_tests::machine::until;
use serde_json::Value;

use crate::site::{Entrance, Role, SOON, Site};
use crate::store::audited;

/// What the processes of a login say of themselves: their audit session and login uid, and the pids and start times of
/// those above them.
const SAYS: &str = r#"
say() {
    echo "$1 ses=$(cat /proc/self/sessionid) login=$(cat /proc/self/loginuid)"
    pid=$$
    while [ "$pid" -gt 1 ]; do
        echo "$1 $pid=$(sed 's/.*) //' /proc/$pid/stat | cut -d ' ' -f 20)"
        pid=$(sed 's/.*) //' /proc/$pid/stat | cut -d ' ' -f 2)
    done
}
"#;

/// Key and value of what was said under a word.
fn told(said: &str, word: &str) -> BTreeMap<String, String> {
    let lines = said.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    let pairs = lines.flat_map(|line| line.split(' ')).filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The records of a user at a service, whole.
fn records(site: &Site, user: &str, service: &str) -> Vec<Value> {
    let all = site.shell(&format!("jitctl audit show --json --user {user}"));
    let all: Vec<Value> = serde_json::from_str(all.done()).expect("records are JSON");
    all.into_iter().filter(|record| record["service"] == service).collect()
}

fn words(records: &[Value]) -> Vec<&str> {
    records.iter().filter_map(|record| record["event"].as_str()).collect()
}

pub(crate) fn one_story(site: &Site) {
    site.person("storm");
    site.sudoer("storm", "storm ALL=(ALL) NOPASSWD: ALL");
    let ticket = "reason = { pattern = \"^(?<ticket>INC-[0-9]+) \" }\n";
    site.roles(&[Role::new("storm", &["sshd", "sudo"], "storm").with(ticket)]);
    let granted: Value =
        serde_json::from_str(site.grant_because("storm", "storm", "30m", "INC-4711 look").done()).unwrap();
    site.machine.write("/usr/local/bin/says", &format!("{SAYS}\nsay \"$1\"\n"), 0o755);
    let said = site.logged_in("storm", "sh /usr/local/bin/says ssh; sudo -n sh /usr/local/bin/says sudo");
    let said = said.done().to_owned();
    let gone = |service: &str| site.logged("session-gone", &format!("service=\"{service}\" user=\"storm\""));
    until(SOON, "both are over, on record", || !gone("sshd").is_empty() && !gone("sudo").is_empty());

    // Others load policies of their own meanwhile.
    let loads = site.shell("jitctl audit show --json --event policy-loaded");
    let loads: Vec<Value> = serde_json::from_str(loads.done()).unwrap();
    let in_force_at = |seq: &Value| {
        let before = loads.iter().filter(|load| load["seq"].as_u64() < seq.as_u64());
        before.max_by_key(|load| load["seq"].as_u64()).unwrap()["digest"].as_str().unwrap()
    };
    let uid = site.shell("id -u storm").done().trim().to_owned();
    for service in ["sshd", "sudo"] {
        let machine = told(&said, if service == "sshd" { "ssh" } else { service });
        let of_it = records(site, "storm", service);
        assert_eq!(words(&of_it), ["allowed", "session-gone"], "{service}: {of_it:?}");
        let (allowed, gone) = (&of_it[0], &of_it[1]);
        assert_eq!(gone["session"], allowed["seq"], "{service}");
        for record in &of_it {
            let is = |key: &str, value: &str| assert_eq!(record[key], value, "{service}: {key} in {record}");
            is("grant", granted["grant"].as_str().unwrap());
            is("role", "storm");
            is("user", "storm");
            is("ticket", "INC-4711");
            // The check and the opening are two decisions, and another policy can come between them.
            let decided = if record == gone { &gone["place"] } else { &allowed["seq"] };
            is("policy", in_force_at(decided));
            // Of sudo, that of the login around it.
            is("from", "127.0.0.1");
            assert_eq!(record["uid"].to_string(), uid);
            assert!(record["synced"].is_boolean(), "what the kernel holds of the clock: {record}");
            let by = if record == gone { &record["opened_by"] } else { &record["actor"] };
            assert_eq!(by["uid"], 0, "{by}");
            let process = if record == gone { &record["opener"] } else { &record["by"] };
            for process in [by, process] {
                let (pid, start) = (process["pid"].to_string(), process["start"].to_string());
                assert_eq!(machine.get(&pid), Some(&start), "{service}: {pid} in {said}");
            }
            // A login gets its login uid and audit session between its two questions.
            if service == "sudo" || record == gone {
                assert_eq!(by["loginuid"].to_string(), machine["login"], "{service}: {record}");
                assert_eq!(by["session"].to_string(), machine["ses"], "{service}: {record}");
            }
        }
        assert_eq!(machine["login"], uid);
        let unit = gone["unit"].as_str().unwrap();
        let scope = if service == "sshd" {
            assert_eq!(gone["opener"]["audit"].to_string(), machine["ses"]);
            format!("session-{}.scope", machine["ses"])
        } else {
            assert_eq!(gone["target"], "root");
            format!("jit-{}-{}.scope", gone["session"], gone["opener"]["pid"])
        };
        assert_eq!(unit, scope);
        // Nothing may be left of it before PAM says that it closes.
        let closed = gone["closed"].as_str().unwrap_or(gone["time"].as_str().unwrap());
        let opened = gone["opened"]["time"].as_str().unwrap();
        assert!(site.millis(closed) >= site.millis(opened), "{gone}");
    }
    let story = site.shell(&format!("jitctl audit show {}", granted["grant"].as_str().unwrap()));
    story.done();
    story
        .says(&format!("ausearch --session {} --interpret", told(&said, "ssh")["ses"]))
        .says("ticket=INC-4711");
    audited(site);
}

pub(crate) fn while_it_is_open(site: &Site) {
    site.person_with_role("stella", &["sshd"]);
    let window = site.open("stella", "stella", "30m");
    let inside = site.start_logged_in("stella", "cat /proc/self/sessionid; sleep 4711");
    until(SOON, "she is in", || site.sessions().iter().any(|one| one.user == "stella"));
    until(SOON, "her audit session is told", || {
        let story = site.shell(&format!("jitctl audit show {}", window.id));
        story.stdout.contains("Open now") && story.stdout.contains("ausearch --session")
    });
    assert_eq!(words(&records(site, "stella", "sshd")), ["allowed"]);
    audited(site);
    window.revoke();
    inside.output().is_cut_off();
    until(SOON, "it is over, on record", || !site.logged("session-gone", "user=\"stella\"").is_empty());
    let of_it = records(site, "stella", "sshd");
    assert_eq!(words(&of_it), ["allowed", "session-gone"]);
    assert_eq!(of_it[1]["why"], "revoked");
    audited(site);
}
