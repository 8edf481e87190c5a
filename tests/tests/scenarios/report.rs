//! An auditor's report on what people did: what it says is what the machine's log says, read by another program.

use jit_tests::machine::{Output, until};
use serde_json::Value;

use crate::requests::{approve, ask, role, stage, sudo};
use crate::site::{Entrance, SOON, Site, read};

/// A number that SQLite finds in the exported records: one in each row of `l.j`. It knows nothing of ours.
fn in_the_log(site: &Site, query: &str) -> i64 {
    let script = format!(
        "sqlite3 :memory: 'create table l(j)' '.mode ascii' '.separator \"\\037\" \"\\n\"' \
         '.import /root/log.jsonl l' \"delete from l where j ->> '$.preface' is not null\" \"select cast(round(x) as integer) from ({query})\""
    );
    let told = site.shell(&script);
    told.done().trim().parse().unwrap_or_else(|why| panic!("{why}: {told}"))
}

/// Milliseconds from one record to another, each chosen by a condition on `a.j` and `b.j`, by what their fields say.
fn between(site: &Site, from: (&str, &str), to: (&str, &str)) -> i64 {
    let (from_time, from_is) = from;
    let (to_time, to_is) = to;
    let query = format!(
        "select (julianday(b.j ->> '{to_time}') - julianday(a.j ->> '{from_time}')) * 86400000 x \
         from l a, l b where {from_is} and {to_is}"
    );
    in_the_log(site, &query)
}

fn row<'a>(report: &'a Value, account: &str) -> &'a Value {
    let rows = report["accesses"].as_array().unwrap();
    rows.iter().find(|row| row["account"] == account).unwrap_or_else(|| panic!("no {account} in {rows:?}"))
}

fn figures<'a>(report: &'a Value, role: &str) -> &'a Value {
    report["roles"].as_array().unwrap().iter().find(|one| one["role"] == role).unwrap()
}

pub(crate) fn what_happened(site: &Site) {
    site.people_with_a_way_in(&["mona", "leon", "sven", "dora", "emil", "auda", "nosy"]);
    site.policy("60-auda", "[auditors]\nusers = [\"auda\"]\n");
    role(site, "mona", "", &[stage("lead", &["leon"], ""), stage("security", &["sven"], "")].concat());
    role(site, "dora", "", &stage("lead", &["leon"], ""));
    role(site, "emil", "emergency = true\n", &stage("afterwards", &["leon"], ""));

    // Two stages, a login that is in when its window is revoked; a denial; an emergency that owes its review.
    let id = ask(site, "mona", "").request;
    approve(site, "leon", &id).done();
    // So that one stage cannot be taken for the other.
    site.shell("sleep 2").done();
    approve(site, "sven", &id).done();
    sudo(site, "mona").admits("root");
    let stays = site.start_logged_in("mona", "sudo -n sleep 1000");
    until(SOON, "her sudo runs", || site.shell("pgrep -u root -fx 'sleep 1000'").is_ok());
    site.shell(&format!("jitctl revoke {id} --reason '=1+1 <b>enough</b>'")).done();
    stays.output().is_cut_off();
    until(SOON, "her end is carried through", || !site.logged("sessions-ended", "\"mona\"").is_empty());
    let denied = ask(site, "dora", "").request;
    site.logged_in("leon", &format!("jitctl deny --yes {denied} --reason 'not today'")).done();
    assert!(ask(site, "emil", "").review_owed);
    sudo(site, "emil").admits("root");

    by_the_auditor(site, &id);
    as_the_log_has_it(site, &id);
}

fn by_the_auditor(site: &Site, id: &str) {
    let as_auda = |how: &str| site.logged_in("auda", &format!("jitctl report {how}"));
    as_auda("").says("Access on bed").says("emil of emil").says("its review is owed").done();
    let is_whole = |report: &Output| {
        let report: Value = read(report);
        assert_eq!((&report["format"], &report["host"]), (&"jit-report/1".into(), &"bed".into()));
        assert_eq!(row(&report, "mona")["request"], *id);
    };
    is_whole(&as_auda("--json"));
    as_auda("--csv").says("\"'=1+1 <b>enough</b>\"").done();
    let page = as_auda("--html -");
    page.says("=1+1 &lt;b&gt;enough&lt;/b&gt;").says("</html>").does_not_say("<b>").does_not_say("<script");
    for how in ["", "--json", "--csv", "--html /tmp/page.html"] {
        let refused = site.logged_in("nosy", &format!("jitctl report {how}"));
        refused.exits(4).says("only root, admins and auditors").does_not_say("mona");
    }
}

fn as_the_log_has_it(site: &Site, id: &str) {
    // Of the same records: from the export, and without jitd.
    site.shell("cd /root && jitctl audit export >log.jsonl && jitctl report log.jsonl --csv >log.csv").done();
    let report: Value = read(&site.shell("jitctl report /root/log.jsonl --json"));
    let mona = row(&report, "mona");
    assert_eq!(
        (&mona["state"], &mona["why"], &mona["logins"]),
        (&"ended".into(), &"revoked".into(), &2.into())
    );
    let by: Vec<_> =
        mona["reviews"].as_array().unwrap().iter().map(|one| (&one["by"], &one["stage"])).collect();
    assert_eq!(by, [(&"leon".into(), &"lead".into()), (&"sven".into(), &"security".into())]);
    assert_eq!(row(&report, "dora")["state"], "denied");
    let emil = row(&report, "emil");
    assert_eq!(
        (&emil["emergency"], &emil["settled"], &emil["state"]),
        (&true.into(), &Value::Null, &"open".into())
    );

    let count =
        |event: &str| in_the_log(site, &format!("select count(*) x from l where j ->> 'event' = '{event}'"));
    let sum = |field: &str| {
        report["roles"].as_array().unwrap().iter().map(|role| role[field].as_i64().unwrap()).sum::<i64>()
    };
    assert_eq!(
        (sum("requests"), sum("granted"), sum("denied")),
        (count("requested"), count("opened"), count("refused"))
    );
    assert_eq!(report["log"]["records"], in_the_log(site, "select count(*) x from l"));

    // Times, as SQLite reckons them from the records.
    let request = |name: &str| format!("{name}.j ->> '$.request.id' = '{id}'");
    let review = |name: &str, stage: &str| {
        format!("{name}.j ->> '$.request' = '{id}' and {name}.j ->> '$.review.stage' = '{stage}'")
    };
    let lead =
        between(site, ("$.request.filed_at.time", &request("a")), ("$.review.at.time", &review("b", "lead")));
    let security = between(
        site,
        ("$.review.at.time", &review("a", "lead")),
        ("$.review.at.time", &review("b", "security")),
    );
    let stages = figures(&report, "mona")["stages"].as_array().unwrap();
    let told: Vec<_> = stages.iter().map(|stage| stage["decided"]["median_ms"].as_i64().unwrap()).collect();
    assert!(is_near(&told, &[lead, security]), "{told:?} and {lead}, {security}");
    let of_grant = |name: &str, event: &str| {
        let grant = id.replacen("r-", "g-", 1);
        format!("{name}.j ->> 'event' = '{event}' and {name}.j ->> 'grant' = '{grant}'")
    };
    let gone = between(site, ("time", &of_grant("a", "ended")), ("time", &of_grant("b", "sessions-ended")));
    let told = &report["to_gone"]["revoked"];
    assert_eq!(told["count"], 1, "she was in, and emil still is");
    assert!(is_near(&[told["worst_ms"].as_i64().unwrap()], &[gone]), "{told} and {gone}");

    let csv = |query: &str| {
        let script = format!("sqlite3 :memory: '.import --csv /root/log.csv c' \"{query}\"");
        site.shell(&script).done().trim().to_owned()
    };
    let rows = "select account || ' ' || state from c order by account";
    assert_eq!(csv(rows), "dora denied\nemil open\nmona ended");
}

/// julianday() has a millisecond, give or take one; the clocks that law 6 compares may differ by a few.
fn is_near(told: &[i64], counted: &[i64]) -> bool {
    told.len() == counted.len()
        && told.iter().zip(counted).all(|(told, counted)| (told - counted).abs() <= 50)
}

/// An auditor says who should keep what they may ask for; a removal is a change of policy, which an admin makes.
pub(crate) fn attested(site: &Site) {
    site.people_with_a_way_in(&["mona", "dora", "auda", "nosy"]);
    let role = |users: &str| {
        format!(
            "[auditors]\nusers = [\"auda\"]\n[role.vault]\nhosts = [\"*\"]\nservices = [\"sudo\"]\n\
             eligible = {{ users = [{users}] }}\nmax-duration = \"1h\"\n[[role.vault.stage]]\n\
             approvers = {{ users = [\"root\"] }}\n"
        )
    };
    site.policy("60-vault", &role("\"mona\", \"dora\", \"auda\""));
    let as_auda = |command: &str| site.logged_in("auda", &format!("jitctl {command}"));
    as_auda("report --attest").says("mona").says("never").does_not_say("OVERDUE").exits(0);
    // A report is as of the last record.
    until(SOON, "what nobody attested is overdue", || {
        site.open("mona", "vault", "30m").revoke();
        as_auda("report --attest --every 1s").status == 1
    });
    let overdue = as_auda("report --attest --every 1s");
    for who in ["mona", "dora", "auda"] {
        let line = overdue.stdout.lines().find(|line| line.contains(who)).unwrap_or_default();
        assert!(line.contains("never") && line.ends_with("OVERDUE"), "{overdue}");
    }
    overdue.says("3 are overdue").says("jitctl attest ROLE");

    as_auda("attest vault mona keep --note 'on call until May'").done();
    as_auda("attest vault dora remove --note 'moved to sales'").done();
    // Neither what is one's own, nor by whoever may not.
    as_auda("attest vault auda keep").exits(4).says("what they may ask for themselves");
    site.logged_in("nosy", "jitctl attest vault mona remove").exits(4).says("admins and auditors");
    let listed: Value = read(&as_auda("--json report --attest --every 1h"));
    let said = |who: &str| {
        let all = listed["attestations"].as_array().unwrap();
        let one = all.iter().find(|one| one["who"] == *who).unwrap_or_else(|| panic!("no {who} in {all:?}"));
        (one["said"]["by"].clone(), one["said"]["decision"].clone(), one["overdue"].clone())
    };
    assert_eq!(said("mona"), ("auda".into(), "keep".into(), false.into()));
    assert_eq!(said("dora"), ("auda".into(), "remove".into(), false.into()));
    assert_eq!(said("auda").0, Value::Null);
    for who in ["mona", "dora"] {
        let records = site.shell(&format!("jitctl audit show --json --event attested | grep -c '\"{who}\"'"));
        assert_eq!(records.stdout.trim(), "1", "one record about {who}");
    }

    // Nothing is taken away by that alone.
    assert!(site.shell("jitctl explain sudo dora").stdout.contains("vault"));
    let removals = listed["removals"].as_array().unwrap();
    assert_eq!(removals.len(), 1, "{removals:?}");
    let lines: Vec<_> =
        removals[0]["diff"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let (out, with) = (
        lines.iter().find(|line| line.starts_with("-el")),
        lines.iter().find(|line| line.starts_with("+el")),
    );
    let (out, with) = (&out.unwrap()[1..], &with.unwrap()[1..]);
    let path = "/etc/jit/policy.d/60-vault.toml";
    assert_eq!(removals[0]["file"], "60-vault.toml");
    let text = site.machine.read(path);
    assert!(text.lines().any(|line| line == out), "{out} in {text}");
    site.machine.write(path, &text.replace(out, with), 0o644);
    site.shell("jitctl policy load").done();
    as_auda("report --attest").does_not_say("dora").does_not_say("moved to sales").says("mona").exits(0);
}
