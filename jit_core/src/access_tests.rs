//! Every method, called by every kind of caller. What each comes to is written out here, and nothing of it is taken from
//! the code: `+` is let through to the order's own rule, anything else is the refusal.

use jit_proto::words::{GrantId, RequestId};

use super::*;
use crate::model::{Caller, LoginAccount, Person};
use crate::orders::Refusal;
use crate::orders::request::{self, RequestOrder};
use crate::orders::revoke::{self, Target};
use crate::policy::Subject;
use crate::testing::{World, as_self, maria, root, subject};

const ADA: u32 = 1001;
const LARS: u32 = 1002;

/// What is said of a caller, its uid, and the login behind it.
type Known = (&'static str, u32, Result<Option<u32>, Unread>);

/// The callers, a column each.
const CALLERS: [Known; 9] = [
    ("own login", ADA, Ok(Some(ADA))),
    ("no login", ADA, Ok(None)),
    ("somebody else's login, forged or by su", ADA, Ok(Some(LARS))),
    ("gone", ADA, Err(Unread::Gone)),
    ("hidden", ADA, Err(Unread::Hidden)),
    ("root's own login", 0, Ok(Some(0))),
    ("root without a login", 0, Ok(None)),
    ("root by sudo, a reviewer's login or anybody's", 0, Ok(Some(LARS))),
    ("root that has gone", 0, Err(Unread::Gone)),
];

/// `m`: not a module, `l`: another login, `s`: root by sudo, `n`: no login, `g`: gone, `h`: hidden.
#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("Gate.Check",          "+ + l g h + + + g"),
    ("Gate.CheckLogin",          "+ + l g h + + + g"),
    ("Ask.Options",         "m m m m m + + + g"),
    ("Ask.File",            "m m m m m + + + g"),
    ("Ask.Progress",        "m m m m m + + + g"),
    ("Ask.Enter",           "m m m m m + + + g"),
    ("User.Check",          "+ + l g h + + + g"),
    ("User.CheckPerson",    "+ + l g h + + + g"),
    ("User.Explain",        "+ + l g h + + + g"),
    ("User.ExplainPerson",  "+ + l g h + + + g"),
    ("User.Roles",          "+ + l g h + + + g"),
    ("User.List",           "+ + l g h + + + g"),
    ("User.Show",           "+ + l g h + + + g"),
    ("User.Request",        "+ + l g h + + s g"),
    ("User.Extend",         "+ + l g h + + s g"),
    ("User.Withdraw",       "+ + l g h + + + g"),
    ("User.Done",           "+ + l g h + + + g"),
    ("User.Sessions",       "+ + l g h + + + g"),
    ("User.EndSession",     "+ + l g h + + + g"),
    ("User.Status",         "+ + l g h + + + g"),
    ("User.Clock",          "+ + l g h + + + g"),
    ("User.ClockChallenge", "+ + l g h + + + g"),
    ("User.Policy",         "+ + l g h + + + g"),
    ("Review.Pending",      "+ + l g h + + + g"),
    ("Review.Review",       "+ n l g h + + + g"),
    ("Review.Export",       "+ + l g h + + + g"),
    ("Review.Import",       "+ + l g h + + + g"),
    ("Review.Code",         "+ + l g h + + + g"),
    ("Review.EnterCode",    "+ + l g h + + + g"),
    ("Review.PolicyChanges", "+ + l g h + + + g"),
    ("Review.ReviewPolicy", "+ n l g h + + + g"),
    ("Admin.Grant",         "+ n l g h + + + g"),
    ("Admin.GrantPerson",   "+ n l g h + + + g"),
    ("Admin.Revoke",        "+ n l g h + + + g"),
    ("Admin.Lock",          "+ n l g h + + + g"),
    ("Admin.LockUnknown",   "+ n l g h + + + g"),
    ("Admin.Unlock",        "+ n l g h + + + g"),
    ("Admin.AcceptClock",   "+ n l g h + + + g"),
    ("Admin.LoadPolicy",    "+ n l g h + + + g"),
    ("Admin.TryPolicy",     "+ n l g h + + + g"),
    ("Admin.ChangePolicy",  "+ n l g h + + + g"),
    ("Admin.OverridePolicy", "+ n l g h + + + g"),
    ("Admin.ForcePolicy",   "+ n l g h + + + g"),
    ("Admin.LoadSignedPolicy", "+ n l g h + + + g"),
    ("Admin.ConfirmPolicy", "+ n l g h + + + g"),
    ("Audit.Records",       "+ n l g h + + + g"),
    ("Audit.Stream",        "+ n l g h + + + g"),
    ("Audit.Story",         "+ n l g h + + + g"),
    ("Audit.StoryFrom",     "+ n l g h + + + g"),
    ("Audit.Checkpoint",    "+ n l g h + + + g"),
    ("Audit.Proof",         "+ n l g h + + + g"),
    ("Audit.Archives",      "+ n l g h + + + g"),
    ("Audit.Archive",       "+ n l g h + + + g"),
    ("Audit.Carried",       "+ n l g h + + + g"),
    ("Audit.Attest",        "+ n l g h + + + g"),
];

fn uid(number: u32) -> Uid {
    Uid::try_from(number).unwrap()
}

fn outcome(method: Method, of: u32, login: Result<LoginUid, Unread>) -> &'static str {
    match may_call(method, uid(of), login) {
        Ok(()) => "+",
        Err(Denied::NotAModule) => "m",
        Err(Denied::AnotherLogin { .. }) => "l",
        Err(Denied::RootOfAnother(_)) => "s",
        Err(Denied::NoLogin) => "n",
        Err(Denied::Gone) => "g",
        Err(Denied::Hidden) => "h",
    }
}

fn named(method: Method) -> String {
    let (interface, member, _) = method.row();
    format!("{interface}.{member}")
}

#[test]
fn every_method_lets_through_the_callers_that_the_table_says_and_no_others() {
    let methods: Vec<String> = Method::ALL.iter().copied().map(named).collect();
    let rows: Vec<&str> = TABLE.iter().map(|(name, _)| *name).collect();
    assert_eq!(methods, rows);
    for (method, (name, expected)) in Method::ALL.iter().zip(TABLE) {
        let expected: Vec<&str> = expected.split(' ').collect();
        assert_eq!(expected.len(), CALLERS.len(), "{name}");
        for ((caller, of, login), expected) in CALLERS.iter().zip(expected) {
            let login = login.map(|login| login.map_or(LoginUid::Unset, |login| LoginUid::Set(uid(login))));
            assert_eq!(outcome(*method, *of, login), expected, "{name} by {caller}");
        }
    }
}

#[test]
fn where_the_kernel_tells_no_login_the_uid_alone_counts() {
    for method in Method::ALL {
        let ask = named(*method).starts_with("Ask.");
        let expected = if ask { "m" } else { "+" };
        assert_eq!(outcome(*method, ADA, Ok(LoginUid::Untold)), expected, "{method:?}");
        assert_eq!(outcome(*method, 0, Ok(LoginUid::Untold)), "+", "{method:?}");
    }
}

#[test]
fn a_module_that_proc_hides_is_answered_all_the_same_and_nobody_else_is() {
    for method in Method::ALL {
        let module = ["Ask.", "Gate."].iter().any(|start| named(*method).starts_with(start));
        let expected = if module { "+" } else { "h" };
        assert_eq!(outcome(*method, 0, Err(Unread::Hidden)), expected, "{method:?}");
    }
}

#[test]
fn no_login_uid_lets_anybody_do_what_they_may_not_do_without_it() {
    for method in Method::ALL {
        for of in [0, ADA] {
            let untold = outcome(*method, of, Ok(LoginUid::Untold));
            for login in [0, ADA, LARS] {
                let told = outcome(*method, of, Ok(LoginUid::Set(uid(login))));
                assert!(told == untold || told != "+", "{method:?} of {of} with the login of {login}");
            }
        }
    }
}

#[test]
fn an_admin_without_a_login_or_in_anothers_gives_no_order() {
    for login in
        [LoginAccount::Unset, LoginAccount::Known(subject("olga", 1004)), LoginAccount::Known(root())]
    {
        let mut world = World::new();
        let id = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        let caller = Caller { account: subject("adam", 1003), login };
        let target = Target::Request(id);
        let refused = [
            world.grant(&caller, maria(), "shell", None).map(drop),
            revoke::revoke(world.here(), &caller, target, None).map(drop),
            world.here().admin(&caller),
        ];
        for refused in refused {
            assert!(matches!(refused, Err(Refusal::Denied(_))), "{refused:?}");
        }
        let adam = as_self(subject("adam", 1003));
        assert!(revoke::revoke(world.here(), &adam, target, None).is_ok_and(|events| !events.is_empty()));
    }
}

#[test]
fn a_login_uid_makes_nothing_anybodys_own() {
    let mut world = World::new();
    let grant = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let asked = world.file(maria(), "once", "INC-1 look").unwrap();
    let maria_by = |account: Subject| Caller { account, login: LoginAccount::Known(maria()) };
    // A service that wrote maria's uid into its login uid.
    let forged = maria_by(subject("www-data", 33));
    let target = Target::Grant(grant.into());
    // On record, and to them as if it were not there.
    let absent = |id: &str| {
        let (hidden, absent) = (Refusal::NotConcerned(id.to_owned()), Refusal::NotFound(id.to_owned()));
        assert_eq!(hidden.to_string(), absent.to_string());
        Err(hidden)
    };
    let (grant, request) = (GrantId::from(grant).to_string(), asked.to_string());
    assert_eq!(revoke::done(world.here(), &forged, target, None), absent(&grant));
    assert_eq!(revoke::withdraw(world.here(), &forged, asked, None), absent(&request));
    // Root that maria became is told what an admin types.
    let by_sudo = maria_by(root());
    let not_own = |id: &str| Err(Refusal::NotOwn { id: id.to_owned(), me: Person::of(&root()) });
    assert_eq!(revoke::done(world.here(), &by_sudo, target, None), not_own(&grant));
    assert_eq!(revoke::withdraw(world.here(), &by_sudo, asked, None), not_own(&request));
    // Neither files a request: not for itself, and not for her.
    for caller in [&forged, &by_sudo] {
        for beneficiary in [maria(), caller.account.clone()] {
            let id = RequestId::from_bits(77);
            let (role, reason) = ("shell".parse().unwrap(), "INC-1 look".parse().unwrap());
            let order = RequestOrder { beneficiary, role, duration: None, start: None, reason, id };
            assert_eq!(request::file(world.here(), caller, order), Err(Refusal::ForSomebodyElse));
        }
    }
    // maria herself gives both back.
    let own = as_self(maria());
    assert!(revoke::done(world.here(), &own, target, None).is_ok_and(|events| !events.is_empty()));
    assert!(revoke::withdraw(world.here(), &own, asked, None).is_ok());
}
