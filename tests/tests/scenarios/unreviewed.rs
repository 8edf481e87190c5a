//! What opens on policy's word alone, and what people take back of what they said.

use jit_proto::manager::{Check, Entry};

use crate::requests::{approve, ask, role, stage};
use crate::site::{Entrance, Site, read};

/// A role that opens the console, of which something opens without a review for logins from these addresses.
fn looks(site: &Site, name: &str, from: &str) {
    let rule = format!(
        "reason = {{ pattern = \"^(?<ticket>INC-[0-9]+) .{{8,}}\" }}\n\
         unreviewed = {{ up-to = \"30m\", from = [{from}], each-week = 2 }}\n"
    );
    let text = format!(
        "[role.{name}]\nhosts = [\"*\"]\nservices = [\"login\"]\neligible = {{ users = [\"{name}\"] }}\n\
         max-duration = \"4h\"\ndefault-duration = \"30m\"\n{rule}{}",
        stage("lead", &["uta"], "").replace("{role}", name)
    );
    site.policy(&format!("50-{name}"), &text);
}

pub(crate) fn opens_at_once(site: &Site) {
    site.people_with_a_way_in(&["urs", "uwe", "uta"]);
    looks(site, "urs", "\"127.0.0.0/8\", \"::1/128\"");
    looks(site, "uwe", "\"192.0.2.0/24\"");

    // Longer than what needs no review.
    let longer = ask(site, "urs", "--for 31m");
    assert_eq!(longer.state, "pending", "{longer:?}");
    let why = longer.not_counted.as_ref().unwrap();
    assert_eq!(
        (why.code.as_str(), why.text.as_str()),
        ("takes-stages", "up to 30m opens without one, and this comes to 31m")
    );
    site.logged_in("urs", &format!("jitctl withdraw {}", longer.request)).done();

    let entry = ask(site, "urs", "--for 10m");
    assert!(entry.state == "active" && entry.by_policy && entry.reviews.is_empty(), "{entry:?}");
    let said = site.logged_in("urs", &format!("jitctl show {}", entry.request));
    said.says("policy, without a review");
    let check = |from: &str| -> Check { read(&site.shell(&format!("jitctl --json check login urs {from}"))) };
    assert_eq!(check("--from 127.0.0.1").verdict.as_str(), "allow");
    assert_eq!(check("--from 192.0.2.1").reason, "other-address");
    assert!(site.logged("opened", "urs").iter().any(|line| line.contains("by=\"policy\"")));

    // Whatever the environment says of where the login is from.
    let lies =
        "SSH_CONNECTION='192.0.2.1 40000 127.0.0.1 22' SSH_CLIENT='192.0.2.1 40000 22' PAM_RHOST=192.0.2.1";
    let order = "jitctl --json request --yes --role uwe --reason 'INC-42 the disk is full'";
    for order in [order.to_owned(), format!("env {lies} {order}")] {
        let entry: Entry = read(&site.logged_in("uwe", &order));
        assert!(entry.state == "pending" && !entry.by_policy, "{entry:?}");
        assert!(entry.not_counted.unwrap().text.contains("yours comes from 127.0.0.1"));
    }

    // Given back, it counts all the same; what follows at once would be one stay with it.
    site.logged_in("urs", &format!("jitctl done {}", entry.request)).done();
    let next = ask(site, "urs", "--for 30m");
    assert_eq!(next.state, "pending", "{next:?}");
    approve(site, "uta", &next.request).done();
}

pub(crate) fn taken_back(site: &Site) {
    site.people_with_a_way_in(&["jolanda", "jupp", "jette"]);
    let stages = [stage("lead", &["jupp"], ""), stage("security", &["jette"], "")];
    role(site, "jolanda", "", &stages.concat());

    let first = ask(site, "jolanda", "").request;
    approve(site, "jupp", &first).done();
    let deny = format!("jitctl deny --yes {first} --reason 'not after all'");
    site.logged_in("jupp", &deny).done();
    approve(site, "jette", &first).exits(1).says("is ended (denied)");

    let second = ask(site, "jolanda", "").request;
    approve(site, "jette", &second).exits(1).says("you are asked after stage 'lead'");
    approve(site, "jupp", &second).done();
    approve(site, "jette", &second).done();
    site.logged_in("jolanda", "sudo -n id -un").admits("root");
    site.logged_in("jolanda", &format!("jitctl revoke {second} --reason WHY"))
        .exits(4)
        .says("or whoever approved what it ends");
    site.logged_in("jupp", &format!("jitctl revoke {second} --reason 'not after all'")).done();
    site.denies("jolanda", "no-window", || site.logged_in("jolanda", "sudo -n id -un"));
    let entry = site.entry(&second);
    assert_eq!(entry.ended.as_deref(), Some("revoked"), "{entry:?}");
}
