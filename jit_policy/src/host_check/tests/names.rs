//! Names that a role has from elsewhere.

use super::*;

#[test]
fn a_name_that_a_profile_or_a_set_brings_is_found_where_that_names_it() {
    let text = format!(
        "{BASE}[role.r]\nprofile = \"p\"\n[profile.p]\nhosts = [\"db-*\"]\nservices = [\"sshd\"]\nmax-duration = \"1h\"\n\
         eligible = {{ groups = [\"dba\"] }}\nstage = [{{ approvers = {{ sets = [\"s\"] }} }}]\n[set.s]\ngroups = [\"leads\"]\n"
    );
    let facts = host(&[("dba", Group::Absent), ("leads", Group::Absent)]);
    assert_eq!(
        said(&text, &facts),
        [
            "a.toml:14:24: error JIT070: there is no group `dba` on this host",
            "a.toml:17:11: error JIT070: there is no group `leads` on this host",
        ]
    );
}

fn signers(facts: &Facts, names: &[&str]) -> Facts {
    Facts { signers: Some(names.iter().map(|name| name.parse().unwrap()).collect()), ..facts.clone() }
}

#[test]
fn a_stage_that_takes_signatures_of_people_without_a_key_is_remarked_on() {
    let facts = host(&[("dba", members(&["maria"])), ("leads", members(&["ana", "tom"]))]);
    let stage = |more: &str| {
        let stage =
            format!("stage = [{{ approvers = {{ groups = [\"leads\"] }}, accept = [\"signature\"]{more} }}]");
        role(&stage) + "[people]\nana = { accounts = [\"ana\"], keys = [\"ana@site\"] }\n"
    };
    let one = stage("");
    assert_eq!(codes(&one, &facts), Vec::<&str>::new(), "whose keys there are cannot be told");
    assert_eq!(
        said(&one, &signers(&facts, &["eve"])),
        [
            "a.toml:8:7: warning JIT171: stage `stage 1` of role `r` takes signatures alone, 1 of them; of its approvers, these have a key in /etc/jit/approvers: nobody"
        ]
    );
    for key in ["tom", "ana@site"] {
        assert_eq!(codes(&one, &signers(&facts, &[key])), Vec::<&str>::new(), "{key}");
        assert_eq!(codes(&stage(", approvals = 2"), &signers(&facts, &[key])), ["JIT171"], "{key}");
    }
    let any = one.replace("[\"signature\"]", "[\"signature\", \"online\"]");
    assert_eq!(codes(&any, &signers(&facts, &[])), Vec::<&str>::new(), "there is another way");
    let ldap = with_ldap(signers(&facts, &["eve"]));
    assert_eq!(codes(&one, &ldap), ["JIT079"; 0], "who is not listed may have a key");
    assert_eq!(codes(&one, &with_ldap(signers(&facts, &[]))), ["JIT171"]);
}

fn sudoers(services: &[(&str, PamFile)]) -> Facts {
    let sudo = services.iter().map(|(name, file)| (name.parse().unwrap(), *file)).collect();
    let facts = host(&[("dba", members(&["maria"])), ("leads", members(&["ana"]))]);
    Facts { sudo: crate::Sudo { services: sudo, ..crate::Sudo::default() }, ..facts }
}

#[test]
fn a_kind_of_sudo_that_no_line_of_sudoers_names_is_remarked_on() {
    let text = role("services = [\"sudo-web\"]");
    assert_eq!(codes(&text, &sudoers(&[("sudo-web", PamFile::NamesModule)])), Vec::<&str>::new());
    let facts = sudoers(&[("sudo-db", PamFile::NamesModule)]);
    assert_eq!(
        said(&text, &facts),
        [
            "a.toml:8:7: warning JIT172: role `r` opens `sudo-web`, and no line of sudoers has pam_service=sudo-web: sudo never asks there"
        ]
    );
    let rs = Facts { sudo: crate::Sudo { is_rs: true, ..facts.sudo.clone() }, ..facts.clone() };
    assert!(said(&text, &rs)[0].ends_with("sudo here is sudo-rs, which asks at `sudo` and `sudo-i` alone"));
    let untold =
        Facts { sudo: crate::Sudo { untold: Some("sudo asks sss".into()), ..facts.sudo.clone() }, ..facts };
    assert_eq!(codes(&text, &untold), ["JIT079"]);
    assert_eq!(
        codes(&role("services = [\"sudo\"]"), &sudoers(&[])),
        Vec::<&str>::new(),
        "sudo itself is always asked at"
    );
}

#[test]
fn a_service_of_sudoers_where_nobody_is_kept_out_is_remarked_on_where_sudo_asks_jitd() {
    let text = role("services = [\"sudo\"]");
    let facts = sudoers(&[
        ("backup", PamFile::NamesModule),
        ("sudo-db", PamFile::NamesOthers),
        ("sudo-web", PamFile::NamesModule),
    ]);
    assert_eq!(
        said(&text, &facts),
        [
            "a.toml:8:7: warning JIT173: sudoers names pam_service=backup, and that is no kind of sudo: jitd takes whoever comes by it for somebody who logs in",
            "a.toml:8:7: warning JIT173: sudoers names pam_service=sudo-db, and /etc/pam.d/sudo-db does not name pam_jit.so: nobody is kept out there",
        ]
    );
    let doors = facts.doors.keys().map(|service| (service.clone(), PamFile::NamesOthers)).collect();
    assert!(!codes(&text, &Facts { doors, ..facts }).contains(&"JIT173"), "sudo asks nobody");
}

#[test]
fn a_register_of_tickets_that_is_gone_or_old_is_remarked_on_where_a_role_needs_it() {
    let facts = host(&[("dba", members(&["maria"])), ("leads", members(&["ana"]))]);
    let reason =
        |ticket: &str| role(&format!("reason = {{ pattern = \"^(?<ticket>CHG-[0-9]+) .{{8,}}\"{ticket} }}"));
    let (known, any) = (reason(", ticket = \"known\""), reason(""));
    let with = |tickets| Facts { tickets: Some(tickets), ..facts.clone() };
    let hours = |hours| Ok(Duration::from_hours(hours));
    assert_eq!(codes(&known, &facts), Vec::<&str>::new(), "it is not known");
    assert_eq!(codes(&known, &with(hours(23))), Vec::<&str>::new());
    assert_eq!(
        said(&known, &with(hours(30))),
        [
            "a.toml:8:7: warning JIT175: role `r` takes tickets that /etc/jit/tickets.d lists, and no file there is younger than 1d6h"
        ]
    );
    let gone = with(Err("there is none".into()));
    assert!(said(&known, &gone)[0].ends_with("and nothing counts that it lists: there is none"));
    assert_eq!(codes(&any, &gone), Vec::<&str>::new());
}
