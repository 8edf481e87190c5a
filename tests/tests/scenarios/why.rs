//! What people can find out beforehand: why they would be refused, and what they may ask for.

use jit_proto::manager::{self, Explanation};
use jit_proto::words::Verdict;
use jit_tests::machine::Output;

use crate::site::{Entrance, Role, Site, read};

fn explain(site: &Site, words: &str) -> Explanation {
    read(&site.shell(&format!("jitctl --json explain {words}")))
}

fn missing(explained: &Explanation, role: &str) -> String {
    let role = explained.roles.iter().find(|considered| considered.role == role);
    role.unwrap_or_else(|| panic!("no such role in {explained:?}")).missing.clone()
}

pub(crate) fn explained_as_it_is_refused(site: &Site) {
    site.person_with_role("xenia", &["sshd"]);
    site.roles(&[Role::new("xenia-two", &["sshd"], "xenia").approved_by("\"root\", \"ana\"", 2)]);
    let same = || {
        let explained = explain(site, "sshd xenia --from 127.0.0.1");
        assert_eq!(explained.check.verdict, Verdict::Deny);
        assert!(explained.check.text.starts_with("jit: "), "{explained:?}");
        site.ssh("xenia").refuses(&explained.check.text);
        explained
    };
    assert_eq!(missing(&same(), "xenia"), "window");
    let entry = site.grant("xenia", "xenia-two", "30m");
    assert_eq!(entry.state, "pending");
    let waits = same();
    assert_eq!(missing(&waits, "xenia-two"), "approval");
    site.shell("jitctl explain sshd xenia").exits(1).says(&entry.request).says("Approvers: ana");

    let window = site.open("xenia", "xenia", "30m");
    let now = explain(site, "sshd xenia");
    assert_eq!((now.check.verdict, missing(&now, "xenia").as_str()), (Verdict::Allow, "nothing"));
    assert_eq!(now.check.grant.as_ref(), Some(&window.id));
    // Windows are used up until then.
    let tomorrow = explain(site, "sshd xenia --at 'tomorrow 00:00:01'");
    let then = tomorrow.check.until.as_deref().is_none_or(|until| until > tomorrow.at.as_str());
    assert!(then, "{tomorrow:?}");
    let later = explain(site, "sshd xenia --at 2099-01-01T00:00:00Z");
    assert_eq!((later.check.verdict, later.check.reason.as_str()), (Verdict::Deny, "no-window"));
    site.shell("jitctl explain sshd xenia --at '2001-01-01 00:00'").exits(2).says("is over");
    // Times are typed and shown in the zone of whoever types, or of the host.
    let new_year = "jitctl explain sshd xenia --at '2099-01-01 00:00'";
    site.shell(&format!("TZ=Europe/Berlin {new_year}")).says("At: 2099-01-01 00:00:00+01:00");
    site.shell(&format!("TZ=Europe/Berlin {new_year} --utc")).says("At: 2099-01-01 00:00:00Z");
    let moved = "{ mv /etc/localtime /etc/localtime.was || true; ln -s ../usr/share/zoneinfo/Asia/Tokyo /etc/localtime; }";
    let back = "{ rm /etc/localtime; mv /etc/localtime.was /etc/localtime || true; }";
    site.shell(&format!("{moved} 2>&1; {new_year}; {back} 2>&1")).says("At: 2099-01-01 00:00:00+09:00");
    site.shell("jitctl explain xenia sshd")
        .exits(1)
        .says("did you swap them? type: jitctl explain sshd xenia");
    site.shell("jitctl explain sshd xenia --target olga").exits(2).says("only su and su-l");
    site.ssh("xenia").admits("xenia");

    // As of oneself, and of nobody else.
    let xenia = |command: &str| site.machine.as_user("xenia", command);
    site.roles(&[Role::new("xenia-not", &["sshd"], "olga")]);
    let own = xenia("jitctl explain sshd xenia");
    own.says("xenia: admits").says("xenia-not: for other people").does_not_say("it is for").done();
    site.shell("jitctl explain sshd xenia").says("it is for olga").done();
    xenia("jitctl explain sshd root").exits(4).says("check somebody else");
}

pub(crate) fn what_one_may_ask_for(site: &Site) {
    site.person("yann");
    site.roles(&[Role::new("yann", &["sshd", "sudo"], "yann").approved_by("\"root\", \"ana\"", 2)]);
    let roles = |output: &Output| read::<Vec<manager::Role>>(output);
    let own = roles(&site.machine.as_user("yann", "jitctl --json roles"));
    let [role] = &own[..] else { panic!("{own:?}") };
    assert_eq!((role.role.as_str(), role.max_duration, role.stages[0].approvals), ("yann", 4 * 3600, 2));
    assert!(role.services.iter().any(|service| service == "sudo-i"), "{role:?}");
    site.machine.as_user("yann", "jitctl roles").says("For: 1h, at most 4h").says("2 of ana, root").done();
    assert_eq!(roles(&site.shell("jitctl --json roles yann")), own);
    site.machine.as_user("yann", "jitctl roles root").exits(4).says("the roles of somebody else");
    site.shell("jitctl roles nobody-of-this-name").exits(5).says("there is no account");
}
