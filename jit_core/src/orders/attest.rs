//! Recertification: whether those who may ask for a role still should. It changes nobody's access: what comes of it is a
//! change of policy, which somebody else may have to load.

use jit_proto::words::{Reason, RoleName};

use crate::context::Context;
use crate::event::Event;
use crate::model::{Caller, Entitled, Keep};
use crate::orders::Refusal;
use crate::policy::Subject;

/// What somebody says of a right to ask.
#[derive(Clone, Debug)]
pub struct AttestOrder {
    /// The role that may be asked for.
    pub role: RoleName,
    /// Who may ask for it.
    pub who: Entitled,
    /// Whether they still should.
    pub keep: Keep,
    /// What is said with it.
    pub note: Option<Reason>,
}

/// Admins and auditors attest, from a login of theirs, and nobody attests what is their own. It makes no reviewer of them,
/// and a reviewer none of these.
pub fn attest(here: Context<'_>, caller: &Caller, order: AttestOrder) -> Result<Vec<Event>, Refusal> {
    let policy = here.policy;
    if !policy.is_admin(&caller.account) && !policy.is_auditor(&caller.account) {
        return Err(Refusal::MayNotAttest);
    }
    caller.may_order().map_err(Refusal::Denied)?;
    let AttestOrder { role, who, keep, note } = order;
    let eligible = &policy.role(&role).ok_or_else(|| Refusal::NoSuchRole(role.clone()))?.eligible;
    let people = policy.people();
    let (is_named, is_own) = match &who {
        Entitled::User(user) => {
            let is_own = |account: &Subject| {
                let mut names = [&account.name].into_iter().chain(&account.also);
                names.any(|name| name == user || people.same(name, user))
            };
            (eligible.users.contains(user), caller.accounts().any(is_own))
        }
        Entitled::Group(group) => {
            (eligible.groups.contains(group), caller.accounts().any(|account| account.groups.contains(group)))
        }
    };
    if !is_named {
        return Err(Refusal::NotEntitled { role, who });
    }
    if is_own {
        return Err(Refusal::OwnAccess(who));
    }
    Ok(vec![Event::Attested { role, who, keep, by: caller.person(), note }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LoginAccount;
    use crate::testing::{POLICY, World, as_self, maria, policy, root, subject};

    fn world() -> World {
        let mut world = World::new();
        world.policy =
            policy(&format!("{POLICY}\n[auditors]\nusers = [\"auda\", \"maria\"]\ngroups = [\"ops\"]\n"));
        world
    }

    fn said(world: &World, caller: &Caller, who: &str) -> Result<Vec<Event>, Refusal> {
        let (role, who) = ("shell".parse().unwrap(), who.parse().unwrap());
        attest(world.here(), caller, AttestOrder { role, who, keep: Keep::Remove, note: None })
    }

    #[test]
    fn admins_and_auditors_attest_and_nobody_else() {
        let world = world();
        for caller in [as_self(subject("auda", 1013)), as_self(root())] {
            let events = said(&world, &caller, "maria").unwrap();
            let [Event::Attested { who, keep: Keep::Remove, by, .. }] = &events[..] else {
                panic!("{events:?}")
            };
            assert_eq!((who.to_string().as_str(), by), ("maria", &caller.person()));
            assert!(said(&world, &caller, "@ops").is_ok());
        }
        // Who approves the role is nobody who attests it, and who may attest approves nothing by that.
        assert_eq!(said(&world, &as_self(subject("olga", 1009)), "maria"), Err(Refusal::MayNotAttest));
        let no_login = Caller { account: subject("auda", 1013), login: LoginAccount::Unset };
        assert!(matches!(said(&world, &no_login, "maria"), Err(Refusal::Denied(_))));
    }

    #[test]
    fn nobody_attests_their_own_access_under_whatever_account_or_group() {
        let mut world = world();
        let own = |who: &str| Err(Refusal::OwnAccess(who.parse().unwrap()));
        assert_eq!(said(&world, &as_self(maria()), "maria"), own("maria"));
        assert!(said(&world, &as_self(maria()), "adam").is_ok());
        // Root that maria became is maria.
        let became = Caller { account: root(), login: LoginAccount::Known(maria()) };
        assert_eq!(said(&world, &became, "maria"), own("maria"));
        let opal = Subject { groups: ["ops".parse().unwrap()].into(), ..subject("opal", 1014) };
        assert_eq!(said(&world, &as_self(opal.clone()), "@ops"), own("@ops"));
        assert!(said(&world, &as_self(opal), "maria").is_ok());
        let another_name = Subject { also: ["maria".parse().unwrap()].into(), ..subject("auda", 1001) };
        assert_eq!(said(&world, &as_self(another_name), "maria"), own("maria"));
        world.policy = policy(&format!(
            "{POLICY}\n[auditors]\nusers = [\"auda\"]\n[people]\nmm = {{ accounts = [\"maria\", \"auda\"] }}\n"
        ));
        assert_eq!(said(&world, &as_self(subject("auda", 1013)), "maria"), own("maria"));
    }

    #[test]
    fn what_policy_does_not_name_is_not_attested() {
        let world = world();
        let auda = as_self(subject("auda", 1013));
        for who in ["erik", "@dba", "@maria"] {
            assert!(matches!(said(&world, &auda, who), Err(Refusal::NotEntitled { .. })), "{who}");
        }
        let order = |role: &str| AttestOrder {
            role: role.parse().unwrap(),
            who: "maria".parse().unwrap(),
            keep: Keep::Keep,
            note: None,
        };
        assert!(matches!(attest(world.here(), &auda, order("nosuch")), Err(Refusal::NoSuchRole(_))));
        // A role of other hosts is in policy all the same.
        assert!(attest(world.here(), &auda, order("elsewhere")).is_ok());
    }
}
