//! People ask and review, each in a login of their own: who opens what for whom, and what becomes of the rest.

use std::time::Duration;

use jit_proto::manager::Entry;
use jit_tests::machine::{Output, Running, until};

use crate::site::{Entrance, SOON, Site, read};
use crate::store::audited;

pub(crate) const REASON: &str = "INC-42 the disk is full";

/// A role that opens sudo for one person, with these stages; `{role}` in them stands for its name.
pub(crate) fn role(site: &Site, name: &str, rest: &str, stages: &str) {
    role_for(site, name, &["sudo"], rest, stages);
}

fn role_for(site: &Site, name: &str, services: &[&str], rest: &str, stages: &str) {
    let stages = stages.replace("{role}", name);
    let text = format!(
        "[role.{name}]\nhosts = [\"*\"]\nservices = {services:?}\neligible = {{ users = [\"{name}\"] }}\n\
         max-duration = \"4h\"\ndefault-duration = \"30m\"\n{rest}{stages}"
    );
    site.policy(&format!("50-{name}"), &text);
}

pub(crate) fn stage(name: &str, users: &[&str], rest: &str) -> String {
    let users = users.iter().map(|user| format!("{user:?}")).collect::<Vec<_>>().join(", ");
    format!("[[role.{{role}}.stage]]\nname = \"{name}\"\napprovers = {{ users = [{users}] }}\n{rest}")
}

/// Somebody asks for the role that is called as they are.
pub(crate) fn ask(site: &Site, who: &str, more: &str) -> Entry {
    read(
        &site.logged_in(who, &format!("jitctl --json request --yes --role {who} --reason '{REASON}' {more}")),
    )
}

pub(crate) fn approve(site: &Site, who: &str, id: &str) -> Output {
    site.logged_in(who, &format!("jitctl approve --yes {id}"))
}

fn pending(site: &Site, who: &str) -> Vec<String> {
    let entries: Vec<Entry> = read(&site.logged_in(who, "jitctl --json pending"));
    entries.into_iter().map(|entry| entry.request).collect()
}

/// Whether sudo lets somebody in.
pub(crate) fn sudo(site: &Site, who: &str) -> Output {
    site.logged_in(who, "sudo -n id -un")
}

pub(crate) fn two_stages(site: &Site) {
    site.people_with_a_way_in(&["rosa", "leo", "sina", "sepp", "stig"]);
    // leo is asked in both stages, and counts in one.
    let stages =
        [stage("lead", &["leo", "rosa"], ""), stage("security", &["sina", "sepp", "leo"], "approvals = 2\n")];
    role(site, "rosa", "", &stages.concat());
    let entry = ask(site, "rosa", "--for 20m");
    assert_eq!((entry.state.as_str(), entry.duration), ("pending", 1200), "{entry:?}");
    let id = &entry.request;

    assert_eq!(pending(site, "leo"), [id.as_str()]);
    for (nobody, why) in [
        ("rosa", "nobody reviews a request that is for themselves"),
        ("sina", "stage 'lead' asks leo, rosa; you are asked after stage 'lead', in stage 'security'"),
        ("stig", "no request or grant"),
    ] {
        assert_eq!(pending(site, nobody), [""; 0], "{nobody} is not asked now");
        approve(site, nobody, id).exits(1).says(why);
    }
    approve(site, "leo", id).done();
    assert_eq!(pending(site, "leo"), [""; 0], "he counts once");
    approve(site, "leo", id).exits(1).says("one person counts once");
    approve(site, "sina", id).done();
    site.denies("rosa", "no-window", || sudo(site, "rosa"));
    approve(site, "sepp", id).done();
    sudo(site, "rosa").admits("root");

    let entry: Entry = read(&site.logged_in("rosa", &format!("jitctl --json show {id}")));
    assert_eq!(entry.state, "active");
    let by: Vec<_> = entry.reviews.iter().map(|review| (review.by.as_str(), review.stage.as_str())).collect();
    assert_eq!(by, [("leo", "lead"), ("sina", "security"), ("sepp", "security")]);
    approve(site, "sepp", id).exits(1).says("does not wait for your review");
}

pub(crate) fn a_denial(site: &Site) {
    site.people_with_a_way_in(&["doro", "dirk", "dana"]);
    role(site, "doro", "", &stage("lead", &["dirk", "dana"], ""));
    let id = ask(site, "doro", "").request;
    site.logged_in("dirk", &format!("jitctl deny --yes {id} --reason 'not today'")).done();
    let entry: Entry = read(&site.logged_in("doro", &format!("jitctl --json show {id}")));
    assert_eq!((entry.state.as_str(), entry.ended.as_deref()), ("ended", Some("denied")));
    assert_eq!(entry.reviews[0].note.as_deref(), Some("not today"));
    site.logged_in("doro", &format!("jitctl show {id}")).says("dirk").says("not today").done();
    approve(site, "dana", &id).exits(1).says("denied");
    site.denies("doro", "no-window", || sudo(site, "doro"));
}

/// A request of leni's for which nobody of the first decided, and which lutz was then seen to be asked about. On a busy
/// host his time for it can be over before he has logged in to look: then the next has longer.
fn passed_on(site: &Site) -> String {
    for seconds in [5, 20, 60] {
        let expires = format!("expires = \"{seconds}s\"\nthen = {{ users = [\"lutz\"] }}\n");
        role(site, "leni", "", &stage("lead", &["lars"], &expires));
        let id = ask(site, "leni", "").request;
        let is_asked = |who: &str| pending(site, who) == [id.as_str()];
        let was_first = is_asked("lars");
        let mut has_passed = false;
        until(SOON + Duration::from_secs(2 * seconds), "it passes on, or lapses", || {
            has_passed = has_passed || is_asked("lutz");
            has_passed || site.entry(&id).state == "ended"
        });
        if was_first && has_passed {
            assert!(!is_asked("lars"), "it has passed on");
            return id;
        }
        until(Duration::from_mins(3), "it has lapsed", || site.entry(&id).state == "ended");
    }
    panic!("in three times nobody was first asked and then lutz")
}

pub(crate) fn a_lapse(site: &Site) {
    site.people_with_a_way_in(&["leni", "lars", "lutz"]);
    let id = passed_on(site);
    until(Duration::from_mins(2), "it has lapsed", || site.entry(&id).state == "ended");
    assert_eq!(site.entry(&id).ended.as_deref(), Some("lapsed"));
    approve(site, "lutz", &id).exits(1).says("lapsed");
    site.denies("leni", "no-window", || sudo(site, "leni"));
    assert_eq!(site.logged("lapsed", &id).len(), 1);
}

pub(crate) fn taking_back(site: &Site) {
    site.people_with_a_way_in(&["wim", "wolf"]);
    role(site, "wim", "", &stage("lead", &["wolf"], ""));
    // Taken back while it is being approved: one of the two happens, and everybody is told the same.
    for round in 0..3 {
        let id = ask(site, "wim", "").request;
        let both = [
            site.start_logged_in("wolf", &format!("jitctl approve --yes {id}")),
            site.start_logged_in("wim", &format!("jitctl withdraw {id}")),
        ];
        let [approved, withdrawn] = both.map(Running::output);
        let entry = site.entry(&id);
        assert_ne!(approved.is_ok(), withdrawn.is_ok(), "round {round}: {approved} {withdrawn}");
        let state = if approved.is_ok() { "active" } else { "ended" };
        assert_eq!(entry.state, state, "round {round}: {approved} {withdrawn}");
        assert_eq!(sudo(site, "wim").is_ok(), approved.is_ok());
        if let Some(grant) = entry.grant {
            site.logged_in("wim", &format!("jitctl done {grant}")).done();
            assert_eq!(site.entry(&id).ended.as_deref(), Some("done"));
        }
        site.denies("wim", "no-window", || sudo(site, "wim"));
    }
    site.logged_in("wolf", &format!("jitctl withdraw {}", ask(site, "wim", "").request))
        .exits(5)
        .says("no request or grant");
}

pub(crate) fn extending(site: &Site) {
    site.people_with_a_way_in(&["elsa", "emil"]);
    role(site, "elsa", "", &stage("lead", &["emil"], ""));
    let entry = ask(site, "elsa", "--for 8s");
    approve(site, "emil", &entry.request).done();
    let grant = site.entry(&entry.request).grant.unwrap();
    // From a login that lives on over the end.
    let script = format!(
        "jitctl --json extend {grant} --for 20m --reason '{REASON}' >extend.json; \
         until test -e over; do sudo -n true && echo in || echo out; sleep 0.2; done"
    );
    let live = site.start_logged_in("elsa", &script);
    let path = "/home/elsa/extend.json";
    until(SOON, "she has asked", || site.machine.read(path).contains("\"request\""));
    let more: Entry = serde_json::from_str(&site.machine.read(path)).unwrap();
    assert_eq!((more.extends.as_deref(), more.state.as_str()), (Some(grant.as_str()), "pending"));
    approve(site, "emil", &more.request).done();
    assert_eq!(site.entry(&more.request).state, "scheduled");
    until(SOON, "it goes on", || site.entry(&more.request).state == "active");
    site.machine.write("/home/elsa/over", "", 0o644);
    let tries = live.output();
    assert!(!tries.done().contains("out") && tries.stdout.contains("in"), "a gap: {tries}");
    assert_eq!(site.entry(&entry.request).ended.as_deref(), Some("expired"));
    sudo(site, "elsa").admits("root");
}

pub(crate) fn a_scheduled_start(site: &Site) {
    site.people_with_a_way_in(&["tilda", "tore"]);
    role(site, "tilda", "", &stage("lead", &["tore"], ""));
    let approved = |after: &str| {
        let start =
            site.shell(&format!("date -u -d '+{after}' +%Y-%m-%dT%H:%M:%SZ")).done().trim().to_owned();
        let id = ask(site, "tilda", &format!("--start {start} --for 10m")).request;
        approve(site, "tore", &id).done();
        (id, start)
    };
    let (far, _) = approved("1 hour");
    assert_eq!(site.entry(&far).state, "scheduled");
    site.denies("tilda", "not-begun", || sudo(site, "tilda"));
    let (id, start) = approved("20 seconds");
    until(SOON * 2, "it has begun", || site.entry(&id).state == "active");
    assert!(site.shell("date -u +%Y-%m-%dT%H:%M:%SZ").done().trim() >= start.as_str(), "too early");
    sudo(site, "tilda").admits("root");
    assert_eq!(
        site.entry(&id).start.as_deref(),
        Some(start.as_str()),
        "from its time, not from its approval"
    );
}

pub(crate) fn a_grant_for_two(site: &Site) {
    site.people_with_a_way_in(&["gabi", "gerd"]);
    role(site, "gabi", "", &stage("lead", &["root", "gerd"], "approvals = 2\n"));
    let entry = site.grant("gabi", "gabi", "10m");
    assert_eq!((entry.state.as_str(), entry.reviews.len()), ("pending", 1));
    site.denies("gabi", "no-window", || sudo(site, "gabi"));
    approve(site, "gerd", &entry.request).done();
    sudo(site, "gabi").admits("root");
}

pub(crate) fn narrowing(site: &Site) {
    site.people_with_a_way_in(&["nora", "nick", "nele"]);
    let stages = stage("lead", &["nick", "nele"], "approvals = 2\n");
    role_for(site, "nora", &["sudo", "su"], "", &stages);
    let id = ask(site, "nora", "--for 2h").request;
    let narrow = |who: &str, how: &str| site.logged_in(who, &format!("jitctl approve --yes {id} {how}"));
    narrow("nick", "--for 5h").exits(1).says("cannot make it");
    narrow("nick", "--services sshd").exits(1).says("was not asked for");
    narrow("nick", "--for 10m").done();
    narrow("nele", "--for 1h --services sudo").done();
    let entry = site.entry(&id);
    assert_eq!((entry.state.as_str(), entry.services.join(" ").as_str()), ("active", "sudo sudo-i"));
    assert!(entry.remaining <= 600, "{entry:?}");
    sudo(site, "nora").admits("root");
    let su = || site.with_password("nora", "su root -c {id -un}", "root-pw");
    site.denies("nora", "no-window", su);
}

pub(crate) fn an_emergency(site: &Site) {
    site.people_with_a_way_in(&["erna", "egon", "ede"]);
    role(site, "erna", "emergency = true\n", &stage("afterwards", &["egon", "ede"], "denials = 1\n"));
    let entry = ask(site, "erna", "");
    assert_eq!((entry.state.as_str(), entry.review_owed), ("active", true), "{entry:?}");
    let id = &entry.request;
    sudo(site, "erna").admits("root");
    let alert =
        format!("journalctl --no-pager -o cat -p alert..alert SYSLOG_IDENTIFIER=jitd | grep -c {}", &id[2..]);
    until(SOON, "the journal has an alert", || site.shell(&alert).stdout.trim() == "1");
    assert_eq!(pending(site, "egon"), [id.as_str()]);
    site.logged_in("egon", "jitctl pending").says("Emergency: it opened before anybody approved it").done();
    let again = format!("jitctl request --yes --role erna --reason '{REASON}'");
    site.logged_in("erna", &again).exits(1).says("still owes a review");
    approve(site, "erna", id).exits(1).says("nobody reviews a request that is for themselves");
    approve(site, "egon", id).done();
    assert_eq!(pending(site, "ede"), [""; 0]);

    // Reviewed: it opens again; and a denial ends what is open.
    site.logged_in("erna", &format!("jitctl done {id}")).done();
    let second = ask(site, "erna", "");
    site.logged_in("ede", &format!("jitctl deny --yes {} --reason 'no emergency'", second.request)).done();
    assert_eq!(site.entry(&second.request).ended.as_deref(), Some("revoked"));
    site.denies("erna", "no-window", || sudo(site, "erna"));
}

/// Everything that somebody who is root by a window can try, to approve what is theirs.
pub(crate) fn as_somebody_else(site: &Site) {
    site.people_with_a_way_in(&["mal", "olga-b"]);
    role(site, "mal", "", &stage("lead", &["root", "olga-b"], ""));
    site.open("mal", "mal", "30m");
    let id = ask(site, "mal", "").request;
    let approve = format!("jitctl approve --yes {id}");
    let try_as = |command: &str| site.logged_in("mal", command);
    let (counts, answered) = ("does not count", "it is not answered as either");
    for (attempt, why) in [
        (format!("sudo -n {approve}"), counts),
        (format!("sudo -n -u olga-b {approve}"), answered),
        (format!("sudo -n su olga-b -c '{approve}'"), answered),
        (format!("sudo -n setpriv --reuid olga-b --regid olga-b --init-groups {approve}"), answered),
        // The kernel lets nobody change a login uid that is set, but who has CAP_AUDIT_CONTROL.
        (
            format!(
                "sudo -n setpriv --inh-caps -audit_control --bounding-set -audit_control sh -c 'echo 0 >/proc/self/loginuid; {approve}'"
            ),
            counts,
        ),
        // A process that nobody logged in to start, while mal's session may be root's: held open behind it.
        (
            format!(
                "sudo -n sh -c 'systemd-run --quiet --pipe --wait {approve}; did=$?; sleep 1; exit $did'"
            ),
            counts,
        ),
    ] {
        let tried = try_as(&attempt);
        assert_eq!(site.entry(&id).state, "pending", "{attempt} opened it: {tried}");
        tried.refuses(why);
    }
    assert_eq!(site.entry(&id).reviews.len(), 0);
}

pub(crate) fn wrong_reviews(site: &Site) {
    site.people_with_a_way_in(&["vera", "veit", "vlad", "vito", "vlog"]);
    site.shell("groupadd vleads && gpasswd -a veit vleads").done();
    let stages =
        "[[role.{role}.stage]]\nname = \"lead\"\napprovers = { groups = [\"vleads\"], users = [\"vlad\"] }\n"
            .to_owned()
            + &stage("security", &["vito"], "");
    role(site, "vera", "", &stages);
    let id = ask(site, "vera", "").request;
    approve(site, "vera", &id).exits(1).says("nobody reviews a request that is for themselves");
    approve(site, "vito", &id).exits(1).says("'lead' asks");
    approve(site, "veit", "r-00000000").exits(1).says("no request or grant");
    // Another digest than what waits.
    let digest = "0".repeat(64);
    let call = format!(
        "busctl call org.jitd.Jit1 /org/jitd/Jit1 org.jitd.Jit1.Review Review ssstasus {id} {digest} approve 0 0 0 ''"
    );
    site.logged_in("veit", &call).refuses("digest");
    // Whoever it does not concern is told that there is nothing.
    site.logged_in("vlog", &call).refuses("no request or grant");
    for why in ["own-request", "not-approver", "not-concerned"] {
        let why = format!("why=\"{why}\"");
        let on_record = || site.logged("order-refused", &id).iter().any(|line| line.contains(&why));
        until(SOON, "who may not review, and why, is on record", on_record);
    }

    // Who reviewed and is no longer asked at the opening does not count.
    approve(site, "veit", &id).done();
    site.shell("gpasswd -d veit vleads").done();
    approve(site, "vito", &id).exits(1).says("stage 'lead' asks");
    assert_eq!(site.entry(&id).state, "pending");
    approve(site, "vlad", &id).done();
    approve(site, "vito", &id).done();
    let entry = site.entry(&id);
    let by: Vec<_> = entry.reviews.iter().map(|review| review.by.as_str()).collect();
    assert_eq!((entry.state.as_str(), by), ("active", vec!["vlad", "vito"]));
    assert_eq!(site.logged("discounted", "veit").len(), 1);
}

pub(crate) fn what_strangers_learn(site: &Site) {
    site.people_with_a_way_in(&["hugo", "hans", "horst"]);
    role(site, "hugo", "", &stage("lead", &["hans"], ""));
    let listens = site.start_logged_in(
        "horst",
        "timeout 50 dbus-monitor --system \"type='signal',interface='org.jitd.Jit1.User'\" >heard & \
         until test -e over; do sleep 0.2; done; kill %1",
    );
    let heard = || site.machine.read("/home/horst/heard");
    until(SOON, "he listens", || heard().contains("NameAcquired"));
    let id = ask(site, "hugo", "").request;
    for (order, status) in [("show", 5), ("withdraw", 5), ("done", 5), ("approve --yes", 1)] {
        let tried = |id: &str| {
            let output = site.logged_in("horst", &format!("jitctl {order} {id}"));
            output.exits(status).says("no request or grant");
            // Either id of the pair is the one that was typed.
            output.all().replace(&id[2..], "ID")
        };
        assert_eq!(tried(&id), tried("r-00000000"), "{order}");
    }
    site.logged_in("hans", &format!("jitctl show {id}")).says(REASON).done();
    until(SOON, "it is told of", || heard().contains(&id));
    site.machine.write("/home/horst/over", "", 0o644);
    drop(listens.output());
    let heard = heard();
    for secret in ["INC-42", "hugo", "hans"] {
        assert!(!heard.contains(secret), "a signal tells {secret}: {heard}");
    }
}

pub(crate) fn a_flood_of_requests(site: &Site) {
    site.people_with_a_way_in(&["fips", "fred", "fay"]);
    role(site, "fips", "", &stage("lead", &["fay"], ""));
    role(site, "fred", "", &stage("lead", &["fay"], ""));
    let flood =
        format!("for n in $(seq 25); do jitctl request --yes --role fips --reason '{REASON}' & done; wait");
    let flood = site.start_logged_in("fips", &flood);
    let entry = ask(site, "fred", "");
    assert!(!flood.output().stdout.is_empty());
    assert_eq!(entry.state, "pending");
    let waiting = pending(site, "fay");
    assert_eq!(waiting.len(), 11, "ten of fips and fred's: {waiting:?}");
    site.logged_in("fips", &format!("jitctl request --yes --role fips --reason '{REASON}'"))
        .exits(1)
        .says("10 requests that you filed are pending already");
}

pub(crate) fn locking(site: &Site) {
    site.people_with_a_way_in(&["ludo", "lisa"]);
    role(site, "ludo", "", &stage("lead", &["lisa"], ""));
    let open = || {
        let id = ask(site, "ludo", "").request;
        approve(site, "lisa", &id).done();
        sudo(site, "ludo").admits("root");
        id
    };
    let id = open();
    site.logged_in("lisa", "jitctl lock user:ludo").exits(4).says("only an admin may do this");
    site.shell("jitctl lock user:ludo --message 'INC-7 under investigation'").done();
    assert_eq!(site.entry(&id).ended.as_deref(), Some("locked"));
    site.denies("ludo", "locked", || sudo(site, "ludo"));
    site.logged_in("ludo", &format!("jitctl request --yes --role ludo --reason '{REASON}'"))
        .exits(1)
        .says("INC-7 under investigation");
    site.shell("jitctl status").says("user:ludo").says("INC-7").done();
    site.shell("jitctl unlock user:ludo").done();
    site.shell("jitctl unlock user:ludo").exits(1).says("no lock");
    let id = open();
    // By time.
    site.shell("jitctl lock role:ludo --for 3s").done();
    assert_eq!(site.entry(&id).ended.as_deref(), Some("locked"));
    until(SOON, "it has run out", || !site.shell("jitctl status").stdout.contains("role:ludo"));
    open();
}

pub(crate) fn what_people_type(site: &Site) {
    site.people_with_a_way_in(&["zara", "zoran"]);
    role(site, "zara", "", &stage("lead", &["zoran"], ""));
    let call = |reason: &str| {
        let method = "org.jitd.Jit1 /org/jitd/Jit1 org.jitd.Jit1.User Request stss";
        site.logged_in("zara", &format!("busctl call {method} zara 0 '' $'{reason}'"))
    };
    // An escape, a line break, an override of the direction (U+202E) and a C1 control, as bash quotes them.
    for reason in [r"x\x1b[2Jy", r"a\nb", r"x\xe2\x80\xaeevil", r"x\xc2\x9b31m"] {
        site.logged_in("zara", &format!("jitctl request --yes --role zara --reason $'{reason}'"))
            .exits(2)
            .says("reason has the character U+");
        call(reason).refuses("reason has the character U+");
    }
    assert_eq!(pending(site, "zoran"), [""; 0]);
    call(REASON).says("pending").done();
    assert_eq!(pending(site, "zoran").len(), 1);
}

/// On a machine of its own: jitd is killed again and again while people ask and review.
pub(crate) fn kills_between_any_two_steps(site: &Site) {
    site.people_with_a_way_in(&["kara", "karl", "kurt"]);
    let stages = [stage("lead", &["karl"], ""), stage("security", &["kurt"], "")];
    role(site, "kara", "", &stages.concat());
    let mut held = 0;
    for round in 0..5_u64 {
        let killer = format!(
            "for n in 1 2 3; do sleep 0.{}; systemctl kill --kill-whom=main --signal=KILL jitd; done; true",
            1 + (round * 3) % 9
        );
        let kills = site.machine.start(SOON * 2, &["bash", "-c", &killer]);
        let filed =
            site.logged_in("kara", &format!("jitctl --json request --yes --role kara --reason '{REASON}'"));
        let filed: Option<Entry> = serde_json::from_str(&filed.stdout).ok();
        let approved = filed
            .as_ref()
            .map(|entry| ["karl", "kurt"].map(|who| approve(site, who, &entry.request).is_ok()));
        kills.output().done();
        site.is_ready();
        audited(site);
        let (Some(entry), Some([lead, security])) = (filed, approved) else { continue };
        held += 1;
        let after = site.entry(&entry.request);
        assert_eq!(after.digest, entry.digest, "round {round}");
        let by: Vec<_> = after.reviews.iter().map(|review| review.by.as_str()).collect();
        assert!(!lead || by.contains(&"karl"), "round {round}: karl's approval was confirmed, and is gone");
        assert!(
            !security || by.contains(&"kurt"),
            "round {round}: kurt's approval was confirmed, and is gone"
        );
        assert_eq!(after.state == "active", by == ["karl", "kurt"], "round {round}: {by:?} {}", after.state);
        let id = after.grant.unwrap_or(after.request);
        site.machine.run(&["jitctl", "revoke", &id]).done();
    }
    assert!(held > 0, "no request was confirmed in any round");
}
