//! How the end of a window goes on under today's policy and locks. jitd carries it out.

use crate::context::Context;
use crate::model::{EndReason, EndTerms, Known, Termination};
use jit_proto::words::{GrantId, ServiceName, UserName};

use crate::policy::{Asker, AtEnd, Subject};

/// How the processes that are left of the window's person are ended. A lock that was set since does not wait for them.
#[must_use]
pub fn terms(here: Context<'_>, ending: &Termination, known: &Known) -> EndTerms {
    let subject = match known {
        Known::Fully(subject) | Known::Partly(subject, _) => subject.clone(),
        Known::Not | Known::Unanswered => Subject::named(ending.user.clone(), ending.uid),
    };
    let locks = here.state.locked(here.now);
    let lock = locks.on_subject(&subject, here.policy.people()).or_else(|| locks.on_role(&ending.role));
    let why = if lock.is_some() { EndReason::Locked } else { ending.why };
    EndTerms::of(here.policy.role(&ending.role), why).late_by(ending.late)
}

/// What becomes of logins that a program asked for that is not root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedEnd {
    /// Another window of the same person holds them.
    Held(GrantId),
    /// A program of the site's ends them, as this account.
    Program(UserName),
    /// Policy names none.
    Nothing,
}

/// Where the window let somebody in whom a program asked for that is not root, and what becomes of that.
#[must_use]
pub fn asked_ends(here: Context<'_>, ending: &Termination) -> Vec<(ServiceName, AskedEnd)> {
    let end = |service: &ServiceName| {
        let holds = here.state.grants_of(ending.uid).find(|grant| {
            grant.user == ending.user
                && grant.services.contains(service)
                && grant.window().is_some()
                && here.state.over(grant, here.now).is_none()
        });
        if let Some(grant) = holds {
            return AskedEnd::Held(grant.id);
        }
        let mut at = here.policy.askers().filter(|asker| asker.services().contains(service));
        let account = at.find_map(Asker::end_as);
        account.map_or(AskedEnd::Nothing, |account| AskedEnd::Program(account.clone()))
    };
    ending.asked.iter().map(|service| (service.clone(), end(service))).collect()
}

/// `drain` or `keep`, if the role lets sessions go on after the end.
#[must_use]
pub fn at_end(here: Context<'_>, ending: &Termination) -> Option<AtEnd> {
    let role = here.policy.role(&ending.role)?;
    let runs_out = matches!(ending.why, EndReason::Expired | EndReason::Done);
    (runs_out && role.at_end != AtEnd::Terminate).then_some(role.at_end)
}

#[cfg(test)]
mod tests {
    use jit_proto::gate::Stage;

    use super::*;
    use crate::event::Event;
    use crate::model::Question;
    use crate::testing::{World, as_self, maria, policy, root};

    /// sshd and the service of role `two`, asked for by programs that are not root.
    fn world(end_as: &str) -> World {
        let text = crate::testing::POLICY;
        let asker = format!("[[asker]]\naccount = \"pg\"\nservices = [\"sshd\"]\n{end_as}\n");
        let mut world = World::new();
        world.policy = policy(&format!("{text}{asker}"));
        world
    }

    fn asks(world: &mut World) {
        let question = World::question("sshd", &maria(), Stage::Account);
        let answer = world.log_in(&Question { asker: "pg".parse().ok(), ..question });
        assert!(answer.admission().is_some(), "{answer:?}");
    }

    fn ends(world: &World, grant: GrantId) -> Vec<(ServiceName, AskedEnd)> {
        let here = Context {
            policy: &world.policy,
            state: &world.state,
            host: &world.host,
            now: &world.now,
            tickets: crate::tickets::Register::NONE,
        };
        asked_ends(here, &world.state.endings()[&grant])
    }

    #[test]
    fn what_a_program_asked_for_is_ended_by_the_last_window_that_holds_it_as_policy_says() {
        let sshd = || "sshd".parse::<ServiceName>().unwrap();
        for (end_as, last) in
            [("end-as = \"dba\"", AskedEnd::Program("dba".parse().unwrap())), ("", AskedEnd::Nothing)]
        {
            let mut world = world(end_as);
            world.grant(&as_self(root()), maria(), "shell", None).unwrap();
            asks(&mut world);
            world.grant(&as_self(root()), maria(), "once", None).unwrap();
            let grants: Vec<GrantId> = world.state.grants_of(maria().uid).map(|grant| grant.id).collect();
            // `once` holds it on, without a login of its own, and it is the business of its end.
            world.revoke(grants[0].into());
            assert_eq!(ends(&world, grants[0]), [(sshd(), AskedEnd::Held(grants[1]))]);
            world.revoke(grants[1].into());
            assert_eq!(ends(&world, grants[1]), [(sshd(), last)]);
        }
    }

    #[test]
    fn a_window_in_which_only_roots_programs_asked_has_nothing_of_the_kind() {
        let mut world = world("end-as = \"dba\"");
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        let grant = world.state.grants_of(maria().uid).next().unwrap().id;
        world.log_in(&World::question("sshd", &maria(), Stage::Account));
        assert!(matches!(world.log.last().unwrap().event, Event::Allowed { asker: None, .. }));
        world.revoke(grant.into());
        assert_eq!(ends(&world, grant), []);
    }
}
