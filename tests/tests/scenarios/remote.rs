//! `jitctl -H`: orders for other hosts, over the real ssh.

use crate::site::Site;

pub(crate) fn several_hosts(site: &Site) {
    site.people_with_a_way_in(&["hauke", "hedda"]);
    let hosts = "hauke@127.0.0.1,hedda@127.0.0.1";
    let said = site.shell(&format!("jitctl -H {hosts} explain sshd hauke"));
    // hauke is told of himself, and hedda nothing of him.
    said.exits(4).says("hauke@127.0.0.1: ").says("hedda@127.0.0.1: jitctl: ").says("somebody else");
    let all = site.shell(&format!("jitctl -H {hosts} list"));
    all.done();
    // Whom ssh does not let in gives no answer.
    site.shell("jitctl -H hauke@127.0.0.1,nobody-is-called-so@127.0.0.1 status")
        .exits(3)
        .says("hauke@127.0.0.1: ")
        .says("nobody-is-called-so@127.0.0.1: ");
    let json = site.shell(&format!("jitctl -H {hosts} --json list"));
    let answers: serde_json::Value = serde_json::from_str(json.done()).unwrap();
    assert_eq!(answers["hosts"].as_array().map(Vec::len), Some(2), "{answers}");
    assert!(answers["hosts"][1]["printed"].is_array(), "{answers}");
}
