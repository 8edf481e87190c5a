//! What a role may be at a time and in all, and what nobody has together with it: by real logins and a real end.

use jit_tests::machine::until;

use crate::site::{Entrance, Role, SOON, Site};

/// One window each, two of the role, and an hour between two of a person's.
pub(crate) fn limits(site: &Site) {
    for name in ["zita", "zeno", "zack"] {
        site.person(name);
    }
    let zone = "[role.zone]\nhosts = [\"*\"]\nservices = [\"sshd\"]\nmax-duration = \"4h\"\n\
                eligible = { users = [\"zita\", \"zeno\", \"zack\"] }\n\
                limits = { each = 1, at-once = 2, rest = \"1h\" }\n\
                [[role.zone.stage]]\napprovers = { users = [\"root\"] }\n";
    site.policy("50-zone", zone);
    let window = site.open("zita", "zone", "30m");
    site.ssh("zita").admits("zita");
    let again = || site.grant_because("zita", "zone", "30m", "INC-1 once more");
    again().exits(1).says("one person may have 1 at a time");
    site.open("zeno", "zone", "30m");
    site.grant_because("zack", "zone", "30m", "INC-1 me too").exits(1).says("as there may be (2)");

    window.revoke();
    until(SOON, "its end is on record", || !site.logged("sessions-ended", &window.id).is_empty());
    again().exits(1).says("rests for 1h between two windows");
    site.denies("zita", "no-window", || site.ssh("zita"));
    // Another has room now.
    site.open("zack", "zone", "30m");
    site.ssh("zack").admits("zack");
}

pub(crate) fn duties_apart(site: &Site) {
    site.person("zilla");
    site.roles(&[
        Role::new("zilla-change", &["sshd"], "zilla").with("apart = [\"zilla-audit\"]\n"),
        Role::new("zilla-audit", &["login"], "zilla"),
    ]);
    let change = site.open("zilla", "zilla-change", "30m");
    site.ssh("zilla").admits("zilla");
    let audit = site.grant_because("zilla", "zilla-audit", "30m", "INC-1 look at the records");
    audit.exits(1).says("is apart from role 'zilla-change'");
    until(SOON, "login keeps her out", || site.login("zilla").stdout.contains("jit: "));
    change.revoke();
    until(SOON, "nothing of it is left", || site.entry(&change.id).state == "ended");
    site.open("zilla", "zilla-audit", "30m");
    until(SOON, "login lets her in", || site.login("zilla").stdout.contains("I-am-zilla"));
    // And the other way round, though the role that names the other is this one.
    site.grant_because("zilla", "zilla-change", "30m", "INC-1 back again")
        .exits(1)
        .says("is apart from role 'zilla-audit'");
}
