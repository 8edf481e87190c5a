//! What people sign of themselves: grants ahead of time and revokes, written and signed on a machine that shares nothing with
//! the host but a stick, by the real ssh-keygen.

use jit_core::event::{Event, Record};
use jit_tests::machine::until;

use crate::clock::{clock_says, fake_the_clock};
use crate::offline::{Elsewhere, STICK, import};
use crate::site::{Entrance, SOON, Site};
use crate::store::audited;

const POLICY: &str = r#"
[people]
olga = { accounts = ["olga"], keys = ["olga@plant"] }
joerg = { accounts = ["joerg"], keys = ["joerg@vendor"] }
[role.press]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["vera"] }
max-duration = "2h"
[[role.press.stage]]
name = "plant"
approvers = { users = ["olga", "joerg"] }
accept = ["signature"]
[role.both]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["vera"] }
max-duration = "2h"
[[role.both.stage]]
name = "plant"
approvers = { users = ["olga"] }
accept = ["signature"]
[[role.both.stage]]
name = "safety"
approvers = { users = ["sam"] }
accept = ["signature"]
"#;

/// A grant on the other machine, by role and what else it says; its name without an ending.
fn written(elsewhere: &Elsewhere, site: &Site, name: &str, more: &str) {
    let host = site.status().host;
    elsewhere
        .shell(&format!(
            "jitctl offline grant vera --hosts {host},press-9 --reason 'CASE-1234 bearing' -o {name}.statement {more}"
        ))
        .done();
}

/// Signs with jitctl, as its owner does, and carries what that wrote to the host; its name.
fn signed(elsewhere: &Elsewhere, site: &Site, name: &str, key: &str) -> String {
    let said = elsewhere.shell(&format!("jitctl offline sign {name}.statement --key /root/{key} --yes"));
    let wrote = said.done();
    let file = wrote.trim_start_matches("Wrote ").trim_end_matches('.').to_owned();
    Elsewhere::carry(&elsewhere.0, &site.machine, &file);
    file
}

/// The same by the one key that an agent holds; without one, nothing is signed.
fn signed_by_agent(elsewhere: &Elsewhere, site: &Site, name: &str, key: &str) -> String {
    let sign = format!("jitctl offline sign {name}.statement --agent --yes");
    let with = |add: &str| {
        format!("eval $(ssh-agent) >/dev/null; {add}{sign}; said=$?; ssh-agent -k >/dev/null; exit $said")
    };
    elsewhere.shell(&with("")).exits(2).says("your agent names no key to sign by");
    let said = elsewhere.shell(&with(&format!("ssh-add -q /root/{key}; ")));
    let file = said.done().trim_start_matches("Wrote ").trim_end_matches('.').to_owned();
    Elsewhere::carry(&elsewhere.0, &site.machine, &file);
    file
}

pub(crate) fn a_technician_comes(site: &Site) {
    let elsewhere = Elsewhere::boot(site);
    site.person("vera");
    let keys = [("olga", "olga@plant"), ("joerg", "joerg@vendor"), ("sam", "sam")];
    let approvers: String = keys.iter().map(|(name, of)| elsewhere.key(name, "ed25519", of)).collect();
    site.machine.write("/etc/jit/approvers", &approvers, 0o644);
    site.policy("50-press", POLICY);

    // Who comes by the account signs nothing for themselves; a host of another name takes nothing.
    written(&elsewhere, site, "visit", "--role press --for 30m --person joerg@vendor");
    let said = elsewhere.shell("jitctl offline sign visit.statement --key /root/joerg --yes");
    said.says("vera (who is joerg@vendor) is let in by role press");
    let own = said.done().trim_start_matches("Wrote ").trim_end_matches('.').to_owned();
    Elsewhere::carry(&elsewhere.0, &site.machine, &own);
    import(site, &own).says("nobody reviews a request that is for themselves");
    elsewhere.shell("sed 's/^hosts: .*/hosts: press-9/' visit.statement >other.statement").done();
    let other = signed(&elsewhere, site, "other", "olga");
    import(site, &other).exits(1).says("it is for press-9, and this host");

    site.ssh("vera").refuses("vera");
    let good = signed_by_agent(&elsewhere, site, "visit", "olga");
    import(site, &good).exits(0).says("Opened").says("olga@plant");
    site.ssh("vera").admits("vera");
    site.shell("jitctl list").says("vera (joerg@vendor)");
    let entry = site.entries_of("vera").into_iter().find(|entry| entry.state == "active").unwrap();
    site.shell(&format!("jitctl show {}", entry.request)).says("a signed grant for joerg@vendor, over by");
    // The attack: the stick is brought again, now and when the window is over.
    import(site, &good).exits(1).says("its serial was taken here before");
    site.shell(&format!("jitctl revoke {}", entry.request)).done();
    import(site, &good).exits(1).says("its serial was taken here before");
    site.ssh("vera").refuses("vera");
    until(SOON, "that is on record", || site.logged("signature-refused", "was taken here before").len() == 2);
    // An auditor has no program of ours.
    let commands = site.shell(&format!("cd {STICK} && jitctl offline evidence {}", entry.request));
    let verified = site.shell(&format!("cd {STICK} && {}", commands.done()));
    verified.says("Good \"jitd.approval.v1\" signature for olga@plant");

    two_sign(site, &elsewhere);
    revokes(site, &elsewhere);
    synced(site, &elsewhere);
    audited(site);
}

/// By the exchange, a revoke and its grant in one folder, and another grant: whatever is copied first.
fn synced(site: &Site, elsewhere: &Elsewhere) {
    site.shell("mkdir -p /var/exchange/statements").done();
    let put = |name: &str, key: &str| {
        let file = signed(elsewhere, site, name, key);
        let place = format!("/var/exchange/statements/$(sha256sum <{file} | cut -c1-64).signed");
        site.shell(&format!("cd {STICK} && cp {file} {place}")).done();
    };
    written(elsewhere, site, "gone", "--role press");
    elsewhere.shell("jitctl offline revoke gone.statement -o away.statement").done();
    written(elsewhere, site, "comes", "--role press");
    put("gone", "olga");
    put("comes", "olga");
    put("away", "olga");
    let sync = || site.shell("jitctl offline sync /var/exchange");
    sync().exits(1).says("Taken in: 2 statements").says("it was revoked, by olga").says("Opened");
    site.ssh("vera").admits("vera");
    sync().exits(0).says("Known already: 2").says("Refused before: 1");
}

/// A key of an admin, who signs nothing else.
fn admins_key(elsewhere: &Elsewhere) -> String {
    elsewhere.key("anna", "ed25519", "anna").replace("jitd.approval.v1", "jitd.admin.v1")
}

pub(crate) fn an_admin_is_elsewhere(site: &Site) {
    let elsewhere = Elsewhere::boot(site);
    site.person("vera");
    site.shell("groupadd crew && usermod -aG crew vera").done();
    let approvers = [elsewhere.key("olga", "ed25519", "olga@plant"), admins_key(&elsewhere)].concat();
    site.machine.write("/etc/jit/approvers", &approvers, 0o644);
    site.policy("50-press", &format!("{POLICY}[admins]\nusers = [\"anna\"]\n"));
    fake_the_clock(site);

    written(&elsewhere, site, "visit", "--role press");
    let grant = signed(&elsewhere, site, "visit", "olga");
    import(site, &grant).exits(0).says("Opened");
    let id = site.entries_of("vera")[0].request.clone();

    // Of a group, whose members the host finds out; by an admin's key alone.
    elsewhere.shell("jitctl offline lock group:crew --hosts '*' -o crew.statement").done();
    let by_lead = signed(&elsewhere, site, "crew", "olga");
    import(site, &by_lead).exits(1).says("does not let sign for 'jitd.admin.v1'");
    assert_eq!(site.entry(&id).state, "active");
    let by_admin = signed(&elsewhere, site, "crew", "anna");
    import(site, &by_admin).exits(0).says("group:crew is locked by anna");
    assert_eq!(site.entry(&id).ended.as_deref(), Some("locked"), "vera is in the group");
    let is_lock = |record: &Record| matches!(record.event, Event::Locked { statement: Some(_), .. });
    let lock = audited(site).into_iter().rfind(is_lock).unwrap().seq;
    let commands = site.shell(&format!("cd {STICK} && jitctl offline evidence {lock}"));
    let verified = site.shell(&format!("cd {STICK} && {}", commands.done()));
    verified.says("Good \"jitd.admin.v1\" signature for anna");
    site.shell("jitctl unlock group:crew").done();
    import(site, &by_admin).exits(1).says("its serial was taken here before");
    assert!(site.status().locks.is_empty());

    clock(site, &elsewhere);
    audited(site);
}

/// A clock that cannot be believed: a revoke counts, a grant does not, and an admin's answer makes it believed again, once.
fn clock(site: &Site, elsewhere: &Elsewhere) {
    written(elsewhere, site, "later", "--role press");
    let grant = signed(elsewhere, site, "later", "olga");
    elsewhere.shell("jitctl offline revoke later.statement -o never.statement").done();
    let revoke = signed(elsewhere, site, "never", "olga");
    let is_suspect = || until(SOON, "it is noticed", || !site.shell("jitctl clock").is_ok());
    let answer = |name: &str| {
        site.shell(&format!("cd {STICK} && jitctl clock challenge >{name}.ask")).done();
        Elsewhere::carry(&site.machine, &elsewhere.0, &format!("{name}.ask"));
        elsewhere.shell(&format!("jitctl offline clock {name}.ask -o {name}.statement")).done();
        signed(elsewhere, site, name, "anna")
    };
    site.shell("jitctl clock challenge").says("the clock is not suspect").exits(1);
    clock_says(site, "-1h");
    is_suspect();
    import(site, &grant).exits(1).says("the clock of this host is suspect");
    import(site, &revoke).exits(0).says("will open nothing");
    // It is an hour behind, and nobody elsewhere says that this is right. root here does.
    import(site, &answer("wrong")).exits(1).says("by it the time is between");
    site.shell("jitctl clock accept").done();

    clock_says(site, "+0");
    is_suspect();
    let right = answer("right");
    import(site, &right).exits(0).says("the clock is trusted");
    // The attack: the answer once more, now and when the clock is suspect again.
    import(site, &right).exits(1).says("the clock is not suspect");
    clock_says(site, "-1h");
    is_suspect();
    import(site, &right).exits(1).says("it answers another challenge than one of now");
    until(SOON, "the answer is on record", || site.logged("clock-accepted", "by=\"anna").len() == 1);
}

/// Two signatures over the same bytes, the second brought later and in between a restart.
fn two_sign(site: &Site, elsewhere: &Elsewhere) {
    written(elsewhere, site, "both", "--role both --for 30m");
    let of_sam = signed(elsewhere, site, "both", "sam");
    let of_olga = signed(elsewhere, site, "both", "olga");
    // It is not sam's turn: nothing is filed by that.
    import(site, &of_sam).says("stage 'plant' asks olga");
    import(site, &of_olga).exits(0).says("pending").says("stage 'safety'");
    // What sam would sign is that same grant: a file of the request would show less than it opens.
    let waits = site.entries_of("vera").into_iter().find(|entry| entry.state == "pending").unwrap();
    site.shell(&format!("jitctl offline export {}", waits.request)).exits(1).says("signs that same grant");
    site.ssh("vera").refuses("vera waits for role both");
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    import(site, &of_sam).exits(0).says("Opened");
    site.ssh("vera").admits("vera");
    // Both in one go, in the wrong order, of another grant.
    written(elsewhere, site, "again", "--role both");
    let files = [signed(elsewhere, site, "again", "sam"), signed(elsewhere, site, "again", "olga")];
    import(site, &files.join(" ")).exits(0).says("Opened");
}

/// A revoke that ends a session, and one that is there before its grant.
fn revokes(site: &Site, elsewhere: &Elsewhere) {
    written(elsewhere, site, "long", "--role press");
    let grant = signed(elsewhere, site, "long", "olga");
    elsewhere
        .shell(&format!("jitctl offline revoke {grant} --reason 'another comes' -o end.statement"))
        .done();
    let revoke = signed(elsewhere, site, "end", "olga");
    for role in ["both"] {
        for entry in site.entries_of("vera").iter().filter(|entry| entry.role == role) {
            site.shell(&format!("jitctl revoke {}", entry.request)).done();
        }
    }
    import(site, &grant).exits(0).says("Opened");
    let session = site.stays_logged_in("vera", 1912);
    import(site, &revoke).exits(0).says("revoked");
    until(SOON, "her session is over", || site.sessions().is_empty());
    drop(session);
    site.ssh("vera").refuses("vera");
    import(site, &grant).exits(1).says("it was revoked, by olga");

    written(elsewhere, site, "never", "--role press");
    let grant = signed(elsewhere, site, "never", "olga");
    elsewhere.shell("jitctl offline revoke never.statement -o first.statement").done();
    // Stock OpenSSH signs as well.
    elsewhere.shell("ssh-keygen -q -Y sign -n jitd.approval.v1 -f /root/joerg first.statement").done();
    for name in ["first.statement", "first.statement.sig"] {
        Elsewhere::carry(&elsewhere.0, &site.machine, name);
    }
    import(site, "first.statement.sig").exits(0).says("has not come here, and will open nothing");
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    import(site, &grant).exits(1).says("it was revoked, by joerg");
    site.ssh("vera").refuses("vera");
    until(SOON, "the revoke is on record", || site.logged("revoke-taken", "by=\"joerg").len() == 1);
}
