//! Why, what may be asked for, and a policy on trial: as people read it.

use jit_proto::manager::{
    Check, Considered, Explanation, Policy, PolicyChanges, PolicySummary, PolicyTrial, PolicyWaiting, Role,
    RoleStage,
};
use jit_proto::words::Verdict;

use crate::call::Call;
use crate::error::Error;
use crate::testing::*;

fn explain_call() -> Call {
    Call::Explain {
        service: "sshd".parse().unwrap(),
        user: "maria".parse().unwrap(),
        person: None,
        at: None,
        from: None,
        target: None,
    }
}

fn considered(role: &str, missing: &str, condition: &str, change: &str, approvers: &str) -> Considered {
    Considered {
        role: role.into(),
        missing: missing.into(),
        condition: condition.into(),
        change: change.into(),
        approvers: approvers.into(),
    }
}

pub(crate) fn no_window() -> Explanation {
    Explanation {
        check: denied(),
        host: "db-07".into(),
        at: "2026-11-23T08:30:00Z".into(),
        from: None,
        target: None,
        would: None,
        askers: Vec::new(),
        roles: vec![
            considered("db-all", "eligible", "for other people", "it is for @dba-leads", ""),
            considered("db-oncall", "window", "no window is open", "ask for role db-oncall", "@dba-leads"),
        ],
    }
}

#[test]
fn who_asks_there_that_is_not_root_is_named() {
    let asked = Explanation { askers: vec!["postgres".into()], ..no_window() };
    let ran = jitctl(&["explain", "sshd", "maria"], &Script::answers(explain_call(), &asked));
    assert!(ran.out.contains("Asked by: postgres, which is not root (policy's [[asker]])\n"), "{}", ran.out);
}

#[test]
fn of_an_account_that_people_share_it_is_explained_for_one_of_them() {
    let (user, person) = ("support".parse().unwrap(), "kim".parse().ok());
    let service = "sshd".parse().unwrap();
    let named = Check { user: "support".into(), person: Some("kim".into()), ..denied() };
    let answer = Explanation { check: named.clone(), ..no_window() };
    let call = Call::Explain { service, user, person, at: None, from: None, target: None };
    let ran = jitctl(&["explain", "sshd", "support", "--person", "kim"], &Script::answers(call, &answer));
    assert!(ran.out.starts_with("deny: support (kim) may not use sshd on db-07\n"), "{}", ran.out);
    let (service, user) = ("sshd".parse().unwrap(), "support".parse().unwrap());
    let call = Call::Check { service, user, person: "kim".parse().ok(), from: None };
    let ran = jitctl(&["check", "sshd", "support", "--person", "kim"], &Script::answers(call, &named));
    assert!(
        ran.code == 1 && ran.out.starts_with("deny: support (kim) may not use sshd now\n"),
        "{}",
        ran.out
    );
}

#[test]
fn a_refusal_is_explained_role_by_role_and_exits_1() {
    let ran = jitctl(&["explain", "sshd", "maria"], &Script::answers(explain_call(), &no_window()));
    let out = "\
deny: maria may not use sshd on db-07
       At: 2026-11-23 08:30:00Z
   Reason: no-window
  Is told: No window is open for you on this host. Ask an admin for one.

db-all: for other people
  To change: it is for @dba-leads

db-oncall: no window is open
  To change: ask for role db-oncall
  Approvers: @dba-leads
";
    assert_eq!(ran, Ran::new(1, out, ""));
}

#[test]
fn an_answer_for_a_time_and_an_address_says_both() {
    let call = Call::Explain {
        service: "su".parse().unwrap(),
        user: "maria".parse().unwrap(),
        person: None,
        at: Some("2026-11-24T07:00:00Z".parse().unwrap()),
        from: Some("10.1.2.3".parse().unwrap()),
        target: Some("oracle".parse().unwrap()),
    };
    let answer = Explanation {
        check: Check { service: "su".into(), ..allowed() },
        at: "2026-11-24T07:00:00Z".into(),
        from: Some("10.1.2.3".into()),
        target: Some("oracle".into()),
        roles: vec![considered("db-oncall", "nothing", "admits", "", "")],
        ..no_window()
    };
    let args =
        ["explain", "su", "maria", "--at", "2026-11-24 07:00", "--from", "10.1.2.3", "--target", "oracle"];
    let out = "\
allow: maria may use su on db-07
      At: 2026-11-24 07:00:00Z
    From: 10.1.2.3
  Target: oracle
  Reason: window
    Role: db-oncall
   Grant: g-4k7m2qx9
   Until: 2026-11-23 08:51:00Z

db-oncall: admits
";
    assert_eq!(jitctl(&args, &Script::answers(call, &answer)), Ran::new(0, out, ""));
}

#[test]
fn where_jitd_only_observes_the_explanation_says_what_it_would_be() {
    let answer = Explanation {
        check: Check {
            verdict: Verdict::Unmanaged,
            reason: "observed".into(),
            text: String::new(),
            ..denied()
        },
        would: Some("no-role".into()),
        roles: Vec::new(),
        ..no_window()
    };
    let ran = jitctl(&["explain", "sshd", "maria"], &Script::answers(explain_call(), &answer));
    let out = "\
unmanaged: jitd does not judge maria on sshd of db-07
        At: 2026-11-23 08:30:00Z
    Reason: observed
  Would be: no-role
";
    assert_eq!(ran, Ran::new(0, out, ""));
}

#[test]
fn what_policy_holds_cannot_forge_a_line_of_an_explanation() {
    let mut answer = no_window();
    answer.roles = vec![considered("x\nallow: maria", "window", "no", "a\u{1b}[2Jb", "c\u{202e}d")];
    let ran = jitctl(&["explain", "sshd", "maria"], &Script::answers(explain_call(), &answer));
    assert!(ran.out.contains("x\\u{a}allow: maria: no\n  To change: a\\u{1b}[2Jb\n"), "{}", ran.out);
    assert!(ran.out.contains("c\\u{202e}d"), "{}", ran.out);
}

#[test]
fn an_explanation_as_json_has_the_answer_and_every_role() {
    let ran = jitctl(&["explain", "sshd", "maria", "--json"], &Script::answers(explain_call(), &no_window()));
    assert_eq!((ran.code, serde_json::from_str::<Explanation>(&ran.out).unwrap()), (1, no_window()));
    let fields: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(fields["verdict"], "deny");
    assert_eq!(fields["roles"][1]["missing"], "window");
}

#[test]
fn a_time_or_an_address_that_is_none_is_refused_before_anything_is_sent() {
    for args in [
        &["explain", "sshd", "maria", "--at", "soon"][..],
        &["explain", "sshd", "maria", "--from", "db-1.example"],
        &["check", "sshd", "maria", "--from", "10.1.2.3/8"],
        &["explain", "su", "maria", "--target", "-rf"],
        &["policy", "load", "--try", "5"],
    ] {
        assert_eq!((jitctl(args, &Nobody).code, args), (2, args));
    }
}

pub(crate) fn oncall() -> Role {
    Role {
        role: "db-oncall".into(),
        summary: Some("On-call shell and sudo".into()),
        services: vec!["sshd".into(), "sudo".into()],
        default_duration: 3600,
        max_duration: 14_400,
        uses: Some(1),
        hours: vec!["mon-fri 07:00-19:00 Europe/Berlin".into(), "sat 08:00-12:00 Europe/Berlin".into()],
        from: vec!["10.1.0.0/16".into()],
        targets: vec!["oracle".into()],
        stages: vec![
            RoleStage {
                name: "team lead".into(),
                approvers: "@dba-leads".into(),
                approvals: 1,
                above: None,
                note: None,
                expires: None,
                then: None,
                accept: vec!["online".into()],
            },
            RoleStage {
                name: "security".into(),
                approvers: "@secops".into(),
                approvals: 2,
                above: Some(14_400),
                note: None,
                expires: Some(28_800),
                then: Some("@bosses".into()),
                accept: vec!["online".into(), "code".into()],
            },
        ],
        reason: Some("INC-1234 and what you will do".into()),
        emergency: false,
        with_hours: false,
        until: Some("2027-02-28 (UTC)".into()),
        apart: vec!["audit".into()],
        limits: Some("1 for each person, 4h of rest".into()),
        unreviewed: None,
    }
}

#[test]
fn a_role_says_all_that_whoever_asks_for_it_has_to_know() {
    let plain = Role {
        role: "firefight".into(),
        summary: None,
        uses: None,
        hours: Vec::new(),
        from: Vec::new(),
        targets: Vec::new(),
        reason: None,
        emergency: true,
        until: None,
        apart: Vec::new(),
        limits: None,
        ..oncall()
    };
    let out = "\
db-oncall - On-call shell and sudo
  Services: sshd, sudo
   Becomes: oracle
       For: 1h, at most 4h
      Uses: 1 login
      When: mon-fri 07:00-19:00 Europe/Berlin
            sat 08:00-12:00 Europe/Berlin
      From: 10.1.0.0/16
     Apart: not beside audit
    Limits: 1 for each person, 4h of rest
     Until: 2027-02-28 (UTC)
  Approval: team lead: 1 of @dba-leads (online)
            security: 2 of @secops above 4h within 8h, then @bosses (online, code)
    Reason: INC-1234 and what you will do

firefight
   Services: sshd, sudo
        For: 1h, at most 4h
  Emergency: opens immediately; must be reviewed afterwards
   Approval: team lead: 1 of @dba-leads (online)
             security: 2 of @secops above 4h within 8h, then @bosses (online, code)
";
    let ran = jitctl(&["roles"], &Script::answers(Call::Roles { user: None }, &vec![oncall(), plain]));
    assert_eq!(ran, Ran::new(0, out, ""));
}

#[test]
fn somebody_without_roles_is_told_so_and_json_is_an_empty_list() {
    let call = || Call::Roles { user: Some("maria".parse().unwrap()) };
    let none: Vec<Role> = Vec::new();
    let ran = jitctl(&["roles", "maria"], &Script::answers(call(), &none));
    assert_eq!(ran, Ran::new(0, "", "No role of this host may be asked for.\n"));
    let ran = jitctl(&["roles", "maria", "--json"], &Script::answers(call(), &none));
    assert_eq!((ran.code, ran.out.as_str()), (0, "[]\n"));
}

pub(crate) fn on_trial() -> PolicySummary {
    let trial = PolicyTrial { until: "2026-11-23T08:51:00Z".into(), remaining: 290 };
    PolicySummary { trial: Some(trial), ..summary() }
}

#[test]
fn a_trial_says_until_when_and_how_it_is_kept() {
    let answer = Policy { summary: on_trial(), ..policy() };
    let call = Call::TryPolicy { seconds: 300 };
    let ran = jitctl(&["policy", "load", "--try", "5m"], &Script::answers(call, &answer));
    let digest = "cd".repeat(32);
    let out =
        format!("Policy {digest} is on trial until 2026-11-23 08:51:00Z, 4m 50s left: 4 roles in 1 file.\n");
    let err = "The policy before it comes back then, and when jitd or the machine restarts.\n\
               hint: keep this login open, log in anew, and type there: jitctl confirm\n";
    assert_eq!(ran, Ran::new(0, &out, err));
}

#[test]
fn what_is_said_of_a_load_goes_with_it_for_good_or_on_trial() {
    for (more, seconds) in [(&[][..], 0), (&["--try", "5m"], 300)] {
        let call = Call::ChangePolicy { seconds, reason: "CHG-77 leads left".parse().unwrap() };
        let args = [&["policy", "load", "--reason", "CHG-77 leads left"], more].concat();
        assert_eq!(jitctl(&args, &Script::answers(call, &policy())).code, 0);
    }
    assert_eq!(jitctl(&["policy", "load", "--reason", "two\nlines"], &Nobody).code, 2);
}

#[test]
fn a_load_that_this_host_speaks_against_is_forced_with_a_reason_only() {
    for (more, seconds) in [(&[][..], 0), (&["--try", "5m"], 300)] {
        let call = Call::ForcePolicy { seconds, reason: "the admins come by LDAP".parse().unwrap() };
        let args = [&["policy", "load", "--force", "--reason", "the admins come by LDAP"], more].concat();
        assert_eq!(jitctl(&args, &Script::answers(call, &policy())).code, 0);
    }
    for more in [&[][..], &["--reason", "why", "--override"], &["--reason", "why", "--signed", "d"]] {
        assert_eq!(jitctl(&[&["policy", "load", "--force"], more].concat(), &Nobody).code, 2, "{more:?}");
    }
}

#[test]
fn a_trial_that_cannot_begin_changes_nothing_and_no_file_is_to_blame() {
    let call = Call::TryPolicy { seconds: 300 };
    let refused = Error::OnTrial("a policy is on trial for another 4m".into());
    let ran = jitctl(&["policy", "load", "--try=5m"], &Script::fails(call, refused));
    let err = "jitctl: refused: a policy is on trial for another 4m\nThe policy in force was kept.\n";
    assert_eq!(ran, Ran::new(1, "", err));
}

#[test]
fn files_that_cannot_be_tried_are_shown_with_what_is_wrong_as_when_they_are_loaded() {
    let call = Call::TryPolicy { seconds: 300 };
    let ran = jitctl(&["policy", "load", "--try=5m"], &Script::fails(call, Error::Refused("bad".into())));
    assert!(ran.err.contains("the policy in /etc/jit/policy.d was refused:\nbad"), "{}", ran.err);
    assert!(ran.err.contains("The policy in force was kept."), "{}", ran.err);
}

#[test]
fn a_confirmed_policy_is_in_force() {
    let ran = jitctl(&["confirm"], &Script::answers(Call::ConfirmPolicy, &policy()));
    let out = format!("Policy {} is in force: 4 roles in 1 file.\n", "cd".repeat(32));
    assert_eq!(ran, Ran::new(0, &out, ""));
}

#[test]
fn the_status_says_what_is_on_trial_and_what_came_back() {
    let mut answer = status();
    answer.policy = on_trial();
    let ran = jitctl(&["status"], &Script::answers(Call::Status, &answer));
    assert!(ran.out.contains("On trial: until 2026-11-23 08:51:00Z, 4m 50s left\n"), "{}", ran.out);
    answer.policy = PolicySummary { source: Some("before".into()), ..summary() };
    let ran = jitctl(&["status"], &Script::answers(Call::Status, &answer));
    let loaded = "Loaded: 2026-11-22 18:00:00Z again, since nobody confirmed the one on trial\n";
    assert!(ran.out.contains(loaded), "{}", ran.out);
}

/// A policy of maria's that waits.
fn changes() -> PolicyChanges {
    let waiting = PolicyWaiting {
        digest: "ab".repeat(32),
        before: "cd".repeat(32),
        since: "2026-11-23T08:00:00Z".into(),
        by: "maria".into(),
        reason: Some("CHG-7 longer".into()),
        trial: None,
        changes: vec!["+ admins: also ana".into()],
        more: 0,
        approved: vec!["olga".into()],
        approvals: 2,
        approvers: "olga, sam, @leads".into(),
        files_current: true,
        forced: Vec::new(),
    };
    PolicyChanges { waiting: Some(waiting), overridden: None }
}

#[test]
fn who_approves_is_shown_what_this_host_says_against_it() {
    let mut changes = changes();
    let said = "a.toml:3:1: error JIT074: no admin can get in on this host: ana";
    changes.waiting.as_mut().unwrap().forced = vec![said.to_owned()];
    let ran = jitctl(&["policy", "waiting"], &Script::answers(Call::PolicyChanges, &changes));
    assert!(
        ran.out.contains(&format!("Loaded in spite of what this host says against it:\n  {said}\n")),
        "{}",
        ran.out
    );
}

#[test]
fn a_load_that_waits_says_that_the_policy_in_force_was_kept() {
    let summary = PolicySummary { waiting: Some("ab".repeat(32)), ..summary() };
    let ran =
        jitctl(&["policy", "load"], &Script::answers(Call::LoadPolicy, &Policy { summary, ..policy() }));
    assert_eq!(ran.out, format!("Policy {} waits for approvals.\n", "ab".repeat(32)));
    assert!(ran.err.contains("was kept") && ran.err.contains("jitctl policy waiting"), "{}", ran.err);
}

#[test]
fn what_waits_is_shown_with_who_why_what_and_how_many() {
    let ran = jitctl(&["policy", "waiting"], &Script::answers(Call::PolicyChanges, &changes()));
    let out = format!(
        "Policy {} waits since 2026-11-23 08:00:00Z.\nLoaded by: maria\nReason: CHG-7 longer\n\
         Approved by: olga; 2 of olga, sam, @leads must\n\n+ admins: also ana\n",
        "ab".repeat(32)
    );
    assert_eq!(ran, Ran::new(0, &out, ""));
    let mut edited = changes();
    edited.waiting.as_mut().unwrap().files_current = false;
    let ran = jitctl(&["policy", "waiting"], &Script::answers(Call::PolicyChanges, &edited));
    assert!(ran.err.contains("are others by now"), "{}", ran.err);
    let none = PolicyChanges::default();
    let ran = jitctl(&["policy", "waiting"], &Script::answers(Call::PolicyChanges, &none));
    assert_eq!(ran, Ran::new(0, "", "No change of the policy waits.\n"));
}

#[test]
fn a_digest_that_is_too_short_or_none_and_an_override_without_a_reason_are_bad_usage() {
    for args in [
        &["policy", "approve", "abab"][..],
        &["policy", "approve", "ABABABABABABABAB"],
        &["policy", "deny", "abababababab"],
        &["policy", "load", "--override"],
        &["policy", "load", "--override", "--reason", "INC-9", "--try", "5m"],
    ] {
        assert_eq!(jitctl(args, &Nobody).code, 2, "{args:?}");
    }
    let call = Call::OverridePolicy { reason: "INC-9 nobody answers".parse().unwrap() };
    let args = ["policy", "load", "--override", "--reason", "INC-9 nobody answers"];
    assert_eq!(jitctl(&args, &Script::answers(call, &policy())).code, 0);
}

#[test]
fn nothing_is_approved_that_does_not_wait_and_nothing_without_a_digest_or_a_yes() {
    let asked = || Script::answers(Call::PolicyChanges, &changes());
    let other = jitctl(&["policy", "approve", "ababababababcd"], &asked());
    assert_eq!(other.code, 5);
    assert!(other.err.contains("no policy waits whose digest"), "{}", other.err);
    let unasked = jitctl(&["policy", "approve"], &asked());
    assert_eq!(unasked.code, 1);
    assert!(unasked.err.contains("+ admins: also ana") && unasked.err.contains("--yes"), "{}", unasked.err);
    let none = Script::answers(Call::PolicyChanges, &PolicyChanges::default());
    assert_eq!(jitctl(&["policy", "approve", "--yes"], &none).code, 1);
}
