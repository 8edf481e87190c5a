use std::fmt::Write;

use super::*;
use crate::Host;
use crate::{Severity, SourceFile};

const BASE: &str = r#"
version = 1
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
"#;

/// A role on db-1 of these lines; what they leave out is sound.
fn role(lines: &str) -> String {
    let mut text = format!("{BASE}[role.r]\n{lines}\n");
    for (key, line) in [
        ("hosts", "hosts = [\"db-*\"]"),
        ("services", "services = [\"sshd\"]"),
        ("eligible", "eligible = { groups = [\"dba\"] }"),
        ("max-duration", "max-duration = \"1h\""),
        ("stage", "stage = [{ approvers = { groups = [\"leads\"] } }]"),
    ] {
        if !lines.contains(key) {
            writeln!(text, "{line}").unwrap();
        }
    }
    text
}

fn policy(text: &str) -> Policy {
    let file = SourceFile { name: "a.toml".to_owned(), bytes: text.as_bytes().to_vec() };
    Policy::parse(&[file]).unwrap_or_else(|findings| panic!("{findings:#?}")).policy
}

fn members(names: &[&str]) -> Group {
    Group::Members(names.iter().map(|name| name.parse().unwrap()).collect())
}

/// A host that knows these groups and every account, lists all it knows, and asks jitd wherever people log in.
fn host(groups: &[(&str, Group)]) -> Facts {
    Facts {
        now: None,
        host: Host { name: "db-1".parse().unwrap(), groups: BTreeSet::new(), ways: crate::Ways::default() },
        groups: groups.iter().map(|(name, group)| (name.parse().unwrap(), group.clone())).collect(),
        accounts: BTreeMap::new(),
        askers: BTreeMap::new(),
        ends: BTreeSet::new(),
        sessions: BTreeSet::new(),
        standing: BTreeMap::new(),
        services: BTreeMap::new(),
        doors: ["sshd", "login", "sudo", "su"]
            .map(|name| (name.parse().unwrap(), PamFile::NamesModule))
            .into(),
        signers: None,
        tickets: None,
        sudo: crate::Sudo::default(),
        unlisted: None,
    }
}

fn with_ldap(facts: Facts) -> Facts {
    Facts { unlisted: Some("group asks sss".to_owned()), ..facts }
}

fn said(text: &str, facts: &Facts) -> Vec<String> {
    policy(text).host_check(facts).iter().map(ToString::to_string).collect()
}

fn codes(text: &str, facts: &Facts) -> Vec<&'static str> {
    policy(text).host_check(facts).iter().map(|finding| finding.code).collect()
}

#[test]
fn groups_with_enough_members_give_no_finding() {
    let facts = host(&[("dba", members(&["maria"])), ("leads", members(&["ana"]))]);
    assert_eq!(said(&role(""), &facts), Vec::<String>::new());
}

#[test]
fn a_group_that_is_not_there_is_one_error_at_the_role_that_names_it() {
    let facts = host(&[("dba", members(&["maria"])), ("leads", Group::Absent)]);
    assert_eq!(
        said(&role(""), &facts),
        ["a.toml:14:36: error JIT070: there is no group `leads` on this host"]
    );
    let facts = host(&[("dba", Group::Absent), ("leads", members(&["ana"]))]);
    assert_eq!(codes(&role(""), &facts), ["JIT070"]);
}

#[test]
fn a_name_that_is_not_there_is_shown_where_the_role_says_it() {
    let text = role(
        "eligible = { groups = [\"dba\"], users = [\"leads\"] }\n\
         stage = [{ approvers = { groups = [\"dba\"], users = [\"ana\", \"tom\"] }, expires = \"1h\", \
         then = { groups = [\"leads\"] }, accept = [\"online\"] }]",
    );
    let mut facts = host(&[("dba", members(&["maria", "eve"])), ("leads", Group::Absent)]);
    facts.accounts.insert("tom".parse().unwrap(), Account::Absent);
    let shown: Vec<_> = policy(&text)
        .host_check(&facts)
        .iter()
        .map(|finding| {
            let meant: String =
                finding.excerpt.chars().collect::<Vec<_>>()[finding.underline.clone()].iter().collect();
            (finding.code, finding.line, meant)
        })
        .collect();
    // The group, not the account of that name; once, however often the role says it.
    assert_eq!(shown, [("JIT077", 10, "\"tom\"".to_owned()), ("JIT070", 10, "\"leads\"".to_owned())]);
}

#[test]
fn a_role_for_which_nobody_here_is_eligible_is_an_error() {
    let facts = host(&[("dba", members(&[])), ("leads", members(&["ana"]))]);
    assert_eq!(
        said(&role(""), &facts),
        [
            "a.toml:8:7: error JIT071: nobody on this host may ask for role `r`: @dba matches no account",
            "a.toml:12:24: warning JIT076: group `dba` has no members on this host",
        ]
    );
    // Somebody else may ask: the empty group is all there is to say.
    let text = role("eligible = { groups = [\"dba\"], users = [\"tom\"] }");
    assert_eq!(codes(&text, &facts), ["JIT076"]);
}

#[test]
fn a_stage_that_falls_short_once_one_eligible_person_is_left_out_is_an_error() {
    let facts = host(&[("dba", members(&["ana", "maria"])), ("leads", members(&["ana"]))]);
    assert_eq!(
        said(&role(""), &facts),
        [
            "a.toml:8:7: error JIT072: stage `stage 1` of role `r` needs 1, and without ana, who may ask for it, this \
          host knows nobody of @leads"
        ]
    );
    let two = role("stage = [{ name = \"leads\", approvers = { groups = [\"leads\"] }, approvals = 2 }]");
    let facts = host(&[("dba", members(&["maria"])), ("leads", members(&["ana"]))]);
    assert_eq!(codes(&two, &facts), ["JIT072"]);
    let facts = host(&[("dba", members(&["maria"])), ("leads", members(&["ana", "tom"]))]);
    assert_eq!(codes(&two, &facts), Vec::<&str>::new());
}

#[test]
fn one_person_counts_once_in_all_stages_and_under_all_accounts() {
    let stages = "stage = [{ name = \"a\", approvers = { groups = [\"leads\"] } }, \
                  { name = \"b\", approvers = { groups = [\"secops\"] } }]";
    let groups = |leads: &[&str], secops: &[&str]| {
        host(&[("dba", members(&["maria"])), ("leads", members(leads)), ("secops", members(secops))])
    };
    assert_eq!(codes(&role(stages), &groups(&["ana"], &["ana"])), ["JIT072"]);
    assert_eq!(codes(&role(stages), &groups(&["ana"], &["ana", "tom"])), Vec::<&str>::new());
    let one_human = format!("{}[people]\nana = {{ accounts = [\"ana\", \"tom\"] }}\n", role(stages));
    assert_eq!(codes(&one_human, &groups(&["ana"], &["tom"])), ["JIT072"]);
}

#[test]
fn where_the_host_cannot_list_who_is_there_it_only_says_that_it_cannot_tell() {
    for groups in [
        [("dba", members(&["ana"])), ("leads", members(&["ana"]))],
        [("dba", members(&["maria"])), ("leads", Group::Absent)],
        [("dba", members(&[])), ("leads", members(&["ana"]))],
        [("dba", members(&["maria"])), ("leads", Group::Unanswered)],
    ] {
        let findings = policy(&role("")).host_check(&with_ldap(host(&groups)));
        assert!(!findings.is_empty(), "{groups:?}");
        for finding in findings {
            assert_eq!((finding.code, finding.severity), ("JIT079", Severity::Warning), "{groups:?}");
            assert!(finding.message.starts_with("cannot tell "), "{finding}");
        }
    }
}

#[test]
fn what_is_known_to_be_enough_is_enough_even_if_more_cannot_be_listed() {
    let facts = with_ldap(host(&[("dba", members(&["maria"])), ("leads", members(&["ana"]))]));
    assert_eq!(said(&role(""), &facts), Vec::<String>::new());
}

#[test]
fn a_group_that_was_not_asked_after_is_taken_for_one_that_gave_no_answer() {
    let facts = host(&[("dba", members(&["maria"]))]);
    assert!(codes(&role(""), &facts).iter().all(|code| *code == "JIT079"));
    assert!(!codes(&role(""), &facts).is_empty());
}

#[test]
fn a_role_of_other_hosts_is_not_judged_here() {
    let facts = host(&[("dba", Group::Absent), ("leads", Group::Absent)]);
    assert_eq!(said(&role("hosts = [\"web-*\"]"), &facts), Vec::<String>::new());
}

#[test]
fn an_account_that_is_not_there_does_not_count_where_a_review_needs_one() {
    let stage = |accept: &str| {
        role(&format!("stage = [{{ approvers = {{ users = [\"ana\"] }}, accept = [\"{accept}\"] }}]"))
    };
    let mut facts = host(&[("dba", members(&["maria"]))]);
    facts.accounts.insert("ana".parse().unwrap(), Account::Absent);
    assert_eq!(codes(&stage("online"), &facts), ["JIT072", "JIT077"]);
    assert_eq!(codes(&stage("signature"), &facts), Vec::<&str>::new());
}

#[test]
fn a_group_to_which_a_stage_falls_through_must_be_there_too() {
    let text = role(
        "stage = [{ approvers = { groups = [\"leads\"] }, expires = \"8h\", then = { groups = [\"bosses\"] } }]",
    );
    let facts =
        host(&[("dba", members(&["maria"])), ("leads", members(&["ana"])), ("bosses", Group::Absent)]);
    assert_eq!(codes(&text, &facts), ["JIT070"]);
}

#[test]
fn no_admin_with_an_account_is_an_error() {
    let text = BASE.replace("[admins]\nusers = [\"root\"]", "[admins]\ngroups = [\"sysadmin\"]");
    let facts = host(&[("sysadmin", members(&[]))]);
    assert_eq!(codes(&text, &facts), ["JIT073", "JIT076"]);
    assert_eq!(codes(&text, &with_ldap(facts)), ["JIT079"]);
}

#[test]
fn admins_who_get_in_nowhere_on_this_host_are_named() {
    let admins = |who: &str| format!("{}{}", BASE.replace("[admins]\nusers = [\"root\"]", who), "");
    let text = admins("[admins]\ngroups = [\"sysadmin\"]");
    let text = format!("{text}{}", role("hosts = [\"web-*\"]\n").strip_prefix(BASE).unwrap());
    let facts = host(&[("sysadmin", members(&["eve", "pat"])), ("dba", members(&["eve", "pat"]))]);
    // They may ask for a role, but it is not one of this host.
    assert_eq!(said(&text, &facts), ["a.toml:3:1: error JIT074: no admin can get in on this host: eve, pat"]);
    let text = admins("[admins]\nusers = [\"root\"]\ngroups = [\"sysadmin\"]");
    assert_eq!(
        said(&text, &facts),
        [
            "a.toml:3:1: warning JIT075: admins who can log in on this host by no role and no exemption: eve, pat"
        ]
    );
}

/// The admin `ana` and a role that she may ask for, of these services.
fn admin_by(services: &str) -> String {
    let base = BASE.replace("users = [\"root\"]\n[[exempt]]", "users = [\"ana\"]\n[[exempt]]");
    let lines = format!("eligible = {{ users = [\"ana\"] }}\nservices = [{services}]");
    format!("{base}{}", role(&lines).strip_prefix(BASE).unwrap())
}

#[test]
fn an_admin_gets_in_only_where_people_log_in() {
    let facts = host(&[("leads", members(&["tom"]))]);
    let out = ["a.toml:3:1: error JIT074: no admin can get in on this host: ana"];
    // What takes somebody who is in already, and what runs jobs, lets nobody in.
    for services in ["\"sudo\"", "\"su\", \"cron\""] {
        assert_eq!(said(&admin_by(services), &facts), out, "{services}");
    }
    for services in ["\"sshd\"", "\"sudo\", \"login\""] {
        assert_eq!(said(&admin_by(services), &facts), Vec::<String>::new(), "{services}");
    }
    // An exemption is no other way in than a role.
    let exempt = |service: &str| {
        format!("{}[[exempt]]\nusers = [\"ana\"]\nservices = [\"{service}\"]\n", admin_by("\"sudo\""))
    };
    assert_eq!(said(&exempt("cron"), &facts), out);
    assert_eq!(said(&exempt("sshd"), &facts), Vec::<String>::new());
}

#[test]
fn an_admin_gets_in_by_no_service_that_this_host_does_not_have() {
    let mut facts = host(&[("leads", members(&["tom"]))]);
    let text = admin_by("\"ssh\"");
    facts.services.insert("ssh".parse().unwrap(), PamFile::Absent);
    facts.doors.insert("ssh".parse().unwrap(), PamFile::Absent);
    assert_eq!(codes(&text, &facts), ["JIT074", "JIT078"]);
    // Where it cannot be read, there is one.
    for file in [PamFile::NamesOthers, PamFile::Unread, PamFile::NamesModule] {
        facts.services.insert("ssh".parse().unwrap(), file);
        facts.doors.insert("ssh".parse().unwrap(), file);
        assert!(!codes(&text, &facts).contains(&"JIT074"), "{file:?}");
    }
}

#[test]
fn where_policy_only_watches_every_admin_gets_in() {
    let facts = host(&[("leads", members(&["tom"]))]);
    let watching = |service: &str| format!("{}[mode]\nobserve = [\"{service}\"]\n", admin_by("\"sudo\""));
    assert_eq!(codes(&watching("sudo"), &facts), ["JIT074"]);
    assert_eq!(codes(&watching("sshd"), &facts), Vec::<&str>::new());
}

#[test]
fn root_is_an_admin_who_gets_in_where_others_do_and_may_become_root() {
    let facts = host(&[("leads", members(&["tom"])), ("ops", members(&["root"]))]);
    let base = BASE.replace("[[exempt]]\nusers = [\"root\"]", "[[exempt]]\nusers = [\"ana\"]");
    let base = base.replace("[admins]\nusers = [\"root\"]", "[admins]\ngroups = [\"ops\"]");
    let by = |services: &str| {
        let lines = format!("eligible = {{ users = [\"eve\"] }}\nservices = [{services}]");
        format!("{base}{}", role(&lines).strip_prefix(BASE).unwrap())
    };
    assert_eq!(codes(&by("\"sshd\""), &facts), ["JIT074"]);
    assert_eq!(codes(&by("\"sshd\", \"sudo\""), &facts), Vec::<&str>::new());
}

#[test]
fn nobody_approves_their_own_change_so_an_only_admin_who_is_one_of_too_few_is_an_error() {
    let change = |approvals: u8| {
        format!("{BASE}[policy-change]\napprovers = {{ groups = [\"leads\"] }}\napprovals = {approvals}\n")
    };
    let facts = host(&[("leads", members(&["root", "ana"]))]);
    let told = said(&change(2), &facts);
    let of_own =
        "JIT072: no admin of this host could change the policy: nobody approves their own change, 2 must";
    assert!(told.len() == 1 && told[0].contains(of_own), "{told:?}");
    assert_eq!(codes(&change(1), &facts), Vec::<&str>::new());
    let unlisted = with_ldap(host(&[("leads", members(&["root", "ana"]))]));
    assert_eq!(codes(&change(2), &unlisted), ["JIT079"], "others may be in the group");
}

#[test]
fn the_admins_of_a_host_are_those_of_its_accounts_that_policy_names() {
    let text = BASE.replace("users = [\"root\"]\n[[", "users = [\"root\", \"ana\"]\ngroups = [\"ops\"]\n[[");
    let mut facts = host(&[("ops", members(&["tom"]))]);
    facts.accounts.insert("ana".parse().unwrap(), Account::Absent);
    let here: Vec<String> = policy(&text).admins_here(&facts).iter().map(ToString::to_string).collect();
    assert_eq!(here, ["root", "tom"]);
}

#[test]
fn a_service_that_does_not_ask_jitd_is_a_warning() {
    let mut facts = host(&[("dba", members(&["maria"])), ("leads", members(&["ana"]))]);
    facts.sessions.insert("sshd".parse().unwrap());
    for (file, code) in [
        (PamFile::NamesModule, None),
        (PamFile::NamesOthers, Some("JIT078")),
        (PamFile::Absent, Some("JIT078")),
        (PamFile::Unread, Some("JIT079")),
    ] {
        facts.services.insert("sshd".parse().unwrap(), file);
        assert_eq!(codes(&role(""), &facts), code.into_iter().collect::<Vec<_>>(), "{file:?}");
    }
}

#[test]
fn the_judgement_takes_any_facts_in_its_stride() {
    // No facts at all: nothing is known, nothing is claimed.
    let findings = policy(&role("")).host_check(&host(&[]));
    assert!(findings.iter().all(|finding| finding.severity == Severity::Warning), "{findings:?}");
}

#[test]
fn an_account_that_lingers_or_runs_services_is_named_once_where_it_may_ask() {
    let mut facts = host(&[("dba", members(&["maria", "eve"])), ("leads", members(&["ana"]))]);
    let services = BTreeSet::from(["app.service".to_owned()]);
    facts.standing.insert("maria".parse().unwrap(), Standing { lingers: true, services: services.clone() });
    // Who may not ask for a role is ended by none.
    facts.standing.insert("ana".parse().unwrap(), Standing { lingers: true, services });
    let [one] = said(&role(""), &facts).try_into().unwrap();
    assert!(
        one.contains("warning JIT100: `maria`, who may ask for role `r`, lingers and runs app.service"),
        "{one}"
    );
}

#[test]
fn a_change_that_this_host_has_too_few_people_to_approve_is_an_error_there() {
    let change =
        |lines: &str| format!("{BASE}[policy-change]\napprovers = {{ groups = [\"leads\"] }}\n{lines}\n");
    let leads = |names: &[&str]| host(&[("leads", members(names))]);
    assert_eq!(codes(&change(""), &leads(&["ana"])), Vec::<&str>::new());
    assert_eq!(codes(&change("approvals = 2"), &leads(&["ana"])), ["JIT072"]);
    assert_eq!(codes(&change("approvals = 2"), &leads(&["ana", "tom"])), Vec::<&str>::new());
    assert_eq!(codes(&change(""), &host(&[("leads", Group::Absent)])), ["JIT070"]);
    assert_eq!(codes(&change("approvals = 2"), &with_ldap(leads(&["ana"]))), ["JIT079"]);
}

#[test]
fn an_asker_is_an_account_of_the_systems_in_this_hosts_own_files() {
    let text =
        BASE.to_owned() + "\n[[asker]]\naccount = \"pg\"\nservices = [\"postgresql\"]\nend-as = \"dba\"\n";
    let dba = || ("dba".parse().unwrap(), AskerAccount::There);
    let ends: BTreeSet<_> = ["postgresql".parse().unwrap()].into();
    let on = |account| Facts {
        askers: [("pg".parse().unwrap(), account), dba()].into(),
        ends: ends.clone(),
        ..host(&[])
    };
    assert_eq!(said(&text, &on(AskerAccount::There)), Vec::<String>::new());
    for (account, why) in [
        (AskerAccount::Absent, "JIT103: there is no account `pg` in /etc/passwd"),
        (AskerAccount::Root, "JIT103: `pg` is another name of root"),
        (AskerAccount::Persons, "JIT103: `pg` is an account for people"),
        (AskerAccount::Unread, "JIT079: cannot tell whether there is an account `pg`"),
    ] {
        let said = said(&text, &on(account));
        assert!(said.len() == 1 && said[0].contains(why), "{said:?}");
    }
}

#[test]
fn whether_the_end_of_a_window_ends_logins_of_a_program_that_is_not_root_is_said() {
    let text = |end_as: &str| {
        format!("{BASE}\n[[asker]]\naccount = \"pg\"\nservices = [\"postgresql\"]\n{end_as}\n")
    };
    let pg = || ("pg".parse().unwrap(), AskerAccount::There);
    let facts = |dba, ends: &[&str]| Facts {
        askers: [pg(), ("dba".parse().unwrap(), dba)].into(),
        ends: ends.iter().map(|service| service.parse().unwrap()).collect(),
        ..host(&[])
    };
    let (with, there) = (text("end-as = \"dba\""), AskerAccount::There);
    assert_eq!(said(&with, &facts(there, &["postgresql"])), Vec::<String>::new());
    for (text, facts, why) in [
        (text(""), facts(there, &["postgresql"]), "no `end-as` says as whom a program would"),
        (with.clone(), facts(there, &[]), "there is no /etc/jit/end.d/postgresql that root alone can write"),
        (with.clone(), facts(AskerAccount::Root, &["postgresql"]), "the account of `end-as` is root"),
        (with.clone(), facts(AskerAccount::Absent, &["postgresql"]), "or not in /etc/passwd"),
    ] {
        let said = said(&text, &facts);
        assert!(said.len() == 1 && said[0].contains("JIT104") && said[0].contains(why), "{said:?}");
    }
}

#[test]
fn of_each_service_that_a_role_names_it_is_said_how_a_login_there_ends_on_this_host() {
    let services = "services = [\"sshd\", \"sudo\", \"vsftpd\", \"imap\", \"pg\", \"db\", \"cron\", \"x\"]";
    let more = "[service.vsftpd]\nends = \"process\"\n[service.db]\nends = \"process\"\n\
                [[asker]]\naccount = \"pg\"\nservices = [\"pg\", \"db\"]\nend-as = \"dba\"\n";
    let text = format!("{}\n{more}", role(services));
    let set =
        |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<ServiceName>>();
    let asks =
        ["sshd", "sudo", "sudo-i", "vsftpd", "imap", "pg", "db"].map(|name| (name, PamFile::NamesModule));
    let others = [("cron", PamFile::NamesOthers), ("x", PamFile::Unread)];
    let account = |name: &str| (name.parse().unwrap(), AskerAccount::There);
    let facts = Facts {
        services: asks.into_iter().chain(others).map(|(name, file)| (name.parse().unwrap(), file)).collect(),
        sessions: set(&["sshd", "sudo", "sudo-i"]),
        ends: set(&["pg"]),
        askers: [account("pg"), account("dba")].into(),
        ..host(&[("dba", members(&["maria"])), ("leads", members(&["ana"]))])
    };
    let ends: Vec<String> = policy(&text).ends_on(&facts).iter().map(ToString::to_string).collect();
    assert_eq!(
        ends,
        [
            "db: with the process that asked (ends = \"process\")",
            "imap: by what jitd finds of it: /etc/pam.d/imap has no session line of pam_jit.so",
            "pg: by /etc/jit/end.d/pg, as dba",
            "sshd: with its session, in a scope of its own",
            "sudo: with its session, in a scope of its own",
            "sudo-i: with its session, in a scope of its own",
            "vsftpd: with the process that asked (ends = \"process\")",
            "x: cannot be told: /etc/pam.d/x cannot be read",
        ]
    );
    let warned = said(&text, &facts);
    let of_ends: Vec<_> = warned.iter().filter(|line| line.contains("JIT104")).collect();
    assert!(
        of_ends.len() == 1 && of_ends[0].contains("a login at `imap` is ended by what jitd finds of it"),
        "{warned:#?}"
    );
}

#[test]
fn two_ends_for_one_login_are_named_with_the_one_that_counts() {
    let both = |file| {
        let text = role("services = [\"vsftpd\", \"db\"]");
        let asker = "[[asker]]\naccount = \"pg\"\nservices = [\"db\"]\n";
        let text = format!(
            "{text}\n{asker}[service.vsftpd]\nends = \"process\"\n[service.db]\nends = \"process\"\n"
        );
        let facts = Facts {
            services: ["vsftpd", "db"].map(|name| (name.parse().unwrap(), file)).into(),
            sessions: ["vsftpd".parse().unwrap(), "db".parse().unwrap()].into(),
            ..host(&[("dba", members(&["maria"])), ("leads", members(&["ana"]))])
        };
        said(&text, &facts).into_iter().filter(|line| line.contains("JIT114")).collect::<Vec<_>>()
    };
    let found = both(PamFile::NamesModule);
    // An asker opens no session whatever its file says.
    assert_eq!(found.len(), 1, "{found:?}");
    let why = "`ends` is written for `vsftpd`, and /etc/pam.d/vsftpd has a session line of pam_jit.so, too: where the program \
               opens a session, that counts, and else `ends`";
    assert!(found[0].contains(why), "{found:?}");
    // What asks nobody, or cannot be read, is said otherwise.
    assert_eq!([both(PamFile::NamesOthers), both(PamFile::Unread)], [Vec::<String>::new(), vec![]]);
}

#[test]
fn a_role_that_ends_soon_is_said_to_and_one_that_has_ended_is_said_to_have() {
    let text = SITE_UNTIL.replace("DAY", "2027-02-28");
    let at = |now: &str| {
        let facts = Facts { now: Some(now.parse().unwrap()), ..host(&[("dba", members(&["maria"]))]) };
        let said = policy(&text).host_check(&facts);
        said.iter().filter(|one| one.code.starts_with("JIT13")).map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(at("2027-01-28T23:59:59Z"), Vec::<String>::new(), "more than thirty days before");
    let soon = |days: &str| {
        format!(
            "a.toml:5:7: warning JIT130: role `shell` ends on 2027-02-28 (UTC), within {days}: from then on nobody can ask for it, \
             and its windows are over"
        )
    };
    assert_eq!(at("2027-01-29T00:00:00Z"), [soon("30 days")]);
    assert_eq!(at("2027-02-27T23:59:59Z"), [soon("a day")]);
    let over = "a.toml:5:7: warning JIT131: role `shell` ended on 2027-02-28 (UTC): nobody can ask for it, and it opens nothing";
    assert_eq!(at("2027-02-28T00:00:00Z"), [over]);
    // Where nobody says what time it is, and of a role of other hosts, nothing is said.
    let facts = host(&[("dba", members(&["maria"]))]);
    assert!(policy(&text).host_check(&facts).iter().all(|one| !one.code.starts_with("JIT13")));
    let elsewhere = Facts { now: Some("2028-01-01T00:00:00Z".parse().unwrap()), ..facts };
    let other = policy(&text.replace("\"*\"", "\"web-*\"")).host_check(&elsewhere);
    assert!(other.iter().all(|one| !one.code.starts_with("JIT13")), "{other:?}");
}

/// The admin `ana` and a role that she logs in by, which ends.
fn admin_until(day: &str, more: &str) -> String {
    let base = BASE.replace("users = [\"root\"]\n[[exempt]]", "users = [\"ana\"]\n[[exempt]]");
    let lines = format!("eligible = {{ users = [\"ana\"] }}\nuntil = {day}");
    format!("{base}{}{more}", role(&lines).strip_prefix(BASE).unwrap())
}

fn on_the_day(text: &str, now: Option<&str>) -> Vec<&'static str> {
    let now = now.map(|now| now.parse().unwrap());
    codes(text, &Facts { now, ..host(&[("leads", members(&["tom"])), ("ops", members(&["root"]))]) })
}

#[test]
fn an_admin_gets_in_by_no_role_that_has_ended() {
    let text = admin_until("2027-02-28", "");
    assert_eq!(on_the_day(&text, Some("2027-02-28T00:00:00Z")), ["JIT074", "JIT131"]);
    let in_time = on_the_day(&text, Some("2027-02-27T23:59:59Z"));
    assert!(!in_time.contains(&"JIT074"), "{in_time:?}");
    // Where nobody says what time it is, nothing is said to have ended.
    assert!(!on_the_day(&text, None).contains(&"JIT074"));
    // And nobody becomes root by one: root is an admin here, whom sudo alone lets in.
    let base = BASE.replace("[[exempt]]\nusers = [\"root\"]", "[[exempt]]\nusers = [\"eve\"]");
    let base = base.replace("[admins]\nusers = [\"root\"]", "[admins]\ngroups = [\"ops\"]");
    let lines = "eligible = { users = [\"eve\"] }\nservices = [\"sudo\"]\nuntil = 2027-02-28";
    let sudo = format!("{base}{}", role(lines).strip_prefix(BASE).unwrap());
    assert_eq!(on_the_day(&sudo, Some("2027-02-28T00:00:00Z")), ["JIT074", "JIT131"]);
    assert_eq!(on_the_day(&sudo, Some("2027-01-01T00:00:00Z")), ["JIT137"]);
}

#[test]
fn admins_who_get_in_only_by_roles_that_end_are_named_with_the_last_day() {
    let now = Some("2026-12-01T00:00:00Z");
    let text = admin_until("2027-02-28", "");
    let facts = Facts { now: now.map(|now| now.parse().unwrap()), ..host(&[("leads", members(&["tom"]))]) };
    assert_eq!(
        said(&text, &facts),
        [
            "a.toml:3:1: warning JIT137: from 2027-02-28 (UTC) on no admin can get in on this host: every role by which they \
             do has ended by then: ana"
        ]
    );
    // One door without an end is enough, and so is one admin who has one.
    let stage = "stage = [{ approvers = { groups = [\"leads\"] } }]";
    let other = |who: &str, until: &str| {
        format!(
            "[role.s]\nhosts = [\"*\"]\nservices = [\"login\"]\neligible = {{ users = [\"{who}\"] }}\n\
             max-duration = \"2h\"\n{until}\n{stage}\n"
        )
    };
    assert_eq!(on_the_day(&admin_until("2027-02-28", &other("ana", "")), now), Vec::<&str>::new());
    assert_eq!(on_the_day(&admin_until("2027-02-28", &other("eve", "")), now), ["JIT137"], "no admin's");
    let later = said(&admin_until("2027-02-28", &other("ana", "until = 2027-12-31")), &facts);
    assert!(later.len() == 1 && later[0].contains("from 2027-12-31 (UTC) on no admin"), "{later:?}");
    let exempt = "[[exempt]]\nusers = [\"ana\"]\nservices = [\"sshd\"]\n";
    assert_eq!(on_the_day(&admin_until("2027-02-28", exempt), now), Vec::<&str>::new());
}

const SITE_UNTIL: &str = r#"version = 1
admins = { users = ["root"] }
exempt = [{ users = ["root"], services = ["login"] }]

[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { groups = ["dba"] }
max-duration = "4h"
until = DAY
stage = [{ approvers = { users = ["ana"] } }]
"#;

mod doors;
mod names;
