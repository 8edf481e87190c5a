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
        Entitled::Person(person) => {
            // Of an account that people share, whoever comes by it without a key may be any of them.
            let is_own = |account: &Subject| {
                account.person.as_ref() == Some(person)
                    || account.names().any(|name| {
                        let may_be = account.person.is_none() && people.share(person, name);
                        may_be || people.of_account(name) == Some(person)
                    })
            };
            (eligible.people.contains_key(person), caller.accounts().any(is_own))
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
    fn a_person_of_a_shared_account_is_attested_as_that_person_and_not_by_themselves() {
        let mut world = world();
        let key = |of: &str| format!("SHA256:{}", of.repeat(43));
        let vendor = "[role.vendor]\nhosts = [\"*\"]\nservices = [\"sshd\"]\neligible = { people = [\"kim\"] }\nmax-duration = \"1h\"\nstage = [{ approvers = { users = [\"olga\"] } }]\n";
        world.policy = policy(&format!(
            "{POLICY}\n{vendor}[auditors]\nusers = [\"auda\", \"support\", \"kim-adm\"]\n[people]\n\
             kim = {{ accounts = [\"support\"], own = [\"kim-adm\"], ssh-keys = [\"{}\"] }}\n\
             lee = {{ accounts = [\"support\"], ssh-keys = [\"{}\"] }}\n",
            key("A"),
            key("E"),
        ));
        let said = |caller: &Caller, who: &str| {
            let order = AttestOrder {
                role: "vendor".parse().unwrap(),
                who: who.parse().unwrap(),
                keep: Keep::Keep,
                note: None,
            };
            attest(world.here(), caller, order)
        };
        let auda = as_self(subject("auda", 1013));
        let events = said(&auda, "person:kim").unwrap();
        assert!(matches!(&events[..], [Event::Attested { who: Entitled::Person(_), .. }]), "{events:?}");
        // The account is not what the role names, nor is who shares it with her.
        for who in ["support", "kim", "person:lee"] {
            assert!(matches!(said(&auda, who), Err(Refusal::NotEntitled { .. })), "{who}");
        }
        let support = subject("support", 1014);
        let as_kim = support.as_person("kim".parse().ok());
        for kim in [as_kim, support.clone(), subject("kim-adm", 1015)] {
            let own = Err(Refusal::OwnAccess("person:kim".parse().unwrap()));
            assert_eq!(said(&as_self(kim), "person:kim"), own);
        }
        assert!(said(&as_self(support.as_person("lee".parse().ok())), "person:kim").is_ok());
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
