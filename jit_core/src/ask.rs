//! What a person who logs in may ask for, and how it stands with what they asked for. Pure, as the decision is.

use jit_proto::ask::{MAX_ROLES, State as Standing};
use jit_proto::gate::MAX_TEXT;
use jit_proto::words::{RequestId, Verdict};

use crate::audit::line::cut;
use crate::clock::Moment;
use crate::decide::{Question, Why, decide};
use crate::explain::{Missing, explain};
use crate::person::Person;
use crate::policy::{Host, Policy, Role};
use crate::review::{self, Progress, waiting_for};
use crate::state::{Pending, State};

/// How it stands with somebody who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stands {
    /// In one word.
    pub state: Standing,
    /// The request that waits; present exactly when the state is `waiting`.
    pub request: Option<RequestId>,
    /// In one line, for the person, of at most [`MAX_TEXT`] bytes; empty where there is nothing to say.
    pub text: String,
}

impl Stands {
    /// Without a request that waits.
    #[must_use]
    pub fn without_request(state: Standing, text: String) -> Self {
        Self { state, request: None, text: cut(text, MAX_TEXT) }
    }

    fn waiting(policy: &Policy, host: &Host, pending: &Pending, now: &Moment) -> Self {
        let Pending { request, reviews } = pending;
        let whom = waiting_for(policy, request, reviews, now);
        let text = format!("jit: {} for role {} waits on {host}: {whom}.", request.id, request.role);
        Self { state: Standing::Waiting, request: Some(request.id), text: cut(text, MAX_TEXT) }
    }
}

/// Whether the service is open to the subject, what of theirs waits, or which roles they may ask for: the first
/// [`MAX_ROLES`] in name order.
#[must_use]
pub fn options<'p>(
    policy: &'p Policy,
    state: &State,
    host: &Host,
    question: &Question,
    now: &Moment,
) -> (Stands, Vec<&'p Role>) {
    let only = |stands| (stands, Vec::new());
    let explained = explain(policy, state, host, question, now);
    if explained.answer.verdict != Verdict::Deny {
        return only(Stands::without_request(Standing::Open, String::new()));
    }
    let nothing = Stands::without_request(Standing::Nothing, String::new());
    if !asking_helps(explained.answer.why) {
        return only(nothing);
    }
    let waiting = explained.roles.iter().find_map(|considered| match considered.missing {
        Missing::Approval(id) => state.pending().get(&id).filter(|pending| waits(policy, pending, now)),
        _ => None,
    });
    if let Some(pending) = waiting {
        return only(Stands::waiting(policy, host, pending, now));
    }
    // What was asked for and no longer waits can be asked for again.
    let offered = explained.roles.iter().filter(|considered| {
        matches!(considered.missing, Missing::Window | Missing::Use | Missing::Approval(_))
    });
    let mut roles: Vec<_> = offered.filter_map(|considered| policy.role(&considered.role)).collect();
    if roles.is_empty() {
        return only(nothing);
    }
    let login = &question.login;
    let mut text = format!("jit: {} has no open window for {} on {host}.", login.user, login.service);
    if roles.len() > MAX_ROLES {
        text += &format!(" Of {} roles, these are the first {MAX_ROLES}.", roles.len());
        roles.truncate(MAX_ROLES);
    }
    (Stands::without_request(Standing::Ask, text), roles)
}

/// What became of a request of the subject's own. Somebody else's looks like one that does not exist.
#[must_use]
pub fn progress(
    policy: &Policy,
    state: &State,
    host: &Host,
    question: &Question,
    id: RequestId,
    now: &Moment,
) -> Stands {
    if decide(policy, state, host, question, now).verdict != Verdict::Deny {
        return Stands::without_request(Standing::Open, String::new());
    }
    let me = question.known().map(Person::of);
    let own = state.pending().get(&id).filter(|pending| me.as_ref() == Some(&pending.request.beneficiary));
    let granted = state
        .grant(id.into())
        .filter(|grant| me.as_ref().is_some_and(|me| grant.user == me.name && grant.uid == me.uid));
    match own.filter(|pending| waits(policy, pending, now)) {
        Some(pending) => Stands::waiting(policy, host, pending, now),
        None if granted.is_some() => Stands::without_request(
            Standing::Over,
            format!("jit: {id} is approved, and does not open this login now. See: jitctl show {id}"),
        ),
        None => Stands::without_request(
            Standing::Over,
            format!("jit: {id} no longer waits, and opened nothing here. See: jitctl show {id}"),
        ),
    }
}

/// Whether a window would change the answer. Whoever is not who they say, or is not known, is offered nothing.
const fn asking_helps(why: Why) -> bool {
    matches!(
        why,
        Why::NoWindow
            | Why::Spent
            | Why::RoleChanged
            | Why::OtherTarget
            | Why::OtherAddress
            | Why::OutsideHours
    )
}

/// Whether reviews can still open it.
fn waits(policy: &Policy, pending: &Pending, now: &Moment) -> bool {
    let Pending { request, reviews } = pending;
    let role = policy.role(&request.role).filter(|role| policy.terms(role) == request.terms);
    role.is_some_and(|role| {
        let progress = review::progress(policy.people(), role, request, reviews, now);
        matches!(progress, Progress::Waits { .. })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jit_proto::gate::Stage;
    use jit_proto::words::Uid;

    use super::*;
    use crate::decide::Known;
    use crate::event::Decision;
    use crate::policy::Subject;
    use crate::testing::{World, as_self, maria, policy, root, subject};

    fn asked(world: &World, question: &Question) -> (Stands, Vec<String>) {
        let World { policy, state, host, now, .. } = world;
        let (stands, roles) = options(policy, state, host, question, now);
        (stands, roles.iter().map(|role| role.name.to_string()).collect())
    }

    fn of(world: &World, service: &str, who: &Subject) -> (Stands, Vec<String>) {
        asked(world, &World::question(service, who, Stage::Account))
    }

    fn became(world: &World, service: &str, who: &Subject, id: RequestId) -> Stands {
        let World { policy, state, host, now, .. } = world;
        progress(policy, state, host, &World::question(service, who, Stage::Account), id, now)
    }

    #[test]
    fn who_has_no_window_is_offered_the_roles_that_would_open_one() {
        let (stands, roles) = of(&World::new(), "sshd", &maria());
        assert_eq!((stands.state, stands.request), (Standing::Ask, None));
        assert_eq!(stands.text, "jit: maria has no open window for sshd on db-1.");
        assert_eq!(roles, ["once", "shell"]);
        let adam = subject("adam", 1002);
        assert_eq!(of(&World::new(), "sshd", &adam).1, ["shell"]);
    }

    #[test]
    fn who_may_come_in_is_asked_nothing() {
        let mut world = World::new();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        for (service, who) in [("sshd", maria()), ("sshd", subject("backup", 40)), ("sudo", root())] {
            assert_eq!(
                of(&world, service, &who),
                (Stands::without_request(Standing::Open, String::new()), vec![])
            );
        }
    }

    #[test]
    fn who_has_no_role_or_is_not_who_they_say_is_offered_nothing() {
        let world = World::new();
        let nothing = (Stands::without_request(Standing::Nothing, String::new()), vec![]);
        assert_eq!(of(&world, "sshd", &subject("eve", 1066)), nothing);
        assert_eq!(of(&world, "vault", &maria()), nothing);
        let question = World::question("sudo", &maria(), Stage::Account);
        let other = Uid::try_from(1066).unwrap();
        for wrong in [
            Question { caller_uid: other, ..question.clone() },
            Question { subject: Known::Not, ..question.clone() },
            Question { subject: Known::Unanswered, ..question.clone() },
            Question { subject: Known::WithoutGroups(maria()), ..question },
        ] {
            assert_eq!(asked(&world, &wrong), nothing, "{wrong:?}");
        }
    }

    #[test]
    fn what_waits_is_named_with_who_can_approve_it() {
        let mut world = World::new();
        let id = world.file(maria(), "shell", "INC-1 look").unwrap();
        let (stands, roles) = of(&world, "sshd", &maria());
        assert_eq!((stands.state, stands.request, roles.len()), (Standing::Waiting, Some(id), 0));
        assert_eq!(
            stands.text,
            format!(
                "jit: {id} for role shell waits on db-1: stage 'lead': 1 more of adam, olga, root, not maria."
            )
        );
        assert_eq!(became(&world, "sshd", &maria(), id), stands);
        // It is of no use at another service.
        assert_eq!(of(&world, "sudo", &maria()).0.state, Standing::Ask);
    }

    #[test]
    fn what_opened_is_open_and_what_was_denied_is_over() {
        let mut world = World::new();
        let id = world.file(maria(), "shell", "INC-1 look").unwrap();
        assert!(world.review(&root(), id, Decision::Approve).unwrap());
        assert_eq!(became(&world, "sshd", &maria(), id).state, Standing::Open);
        world.wait(Duration::from_hours(2));
        assert_eq!(became(&world, "sshd", &maria(), id).state, Standing::Over);

        let id = world.file(maria(), "shell", "INC-1 look").unwrap();
        world.review(&root(), id, Decision::Deny).unwrap();
        let over = became(&world, "sshd", &maria(), id);
        assert_eq!((over.state, over.request), (Standing::Over, None));
        assert_eq!(of(&world, "sshd", &maria()).0.state, Standing::Ask);
    }

    #[test]
    fn somebody_elses_request_looks_like_one_that_does_not_exist() {
        let mut world = World::new();
        let id = world.file(maria(), "shell", "INC-1 look").unwrap();
        let adam = subject("adam", 1002);
        let theirs = became(&world, "sshd", &adam, id);
        let none = became(&world, "sshd", &adam, RequestId::from_bits(77));
        assert_eq!(theirs.state, Standing::Over);
        assert_eq!(theirs.text.replace(&id.to_string(), ""), none.text.replace(&none_id(), ""));
        // Nor is it who has only the name, or only the uid.
        for who in [subject("maria", 1066), subject("marta", 1001)] {
            assert_eq!(became(&world, "sshd", &who, id).state, Standing::Over);
        }
    }

    fn none_id() -> String {
        RequestId::from_bits(77).to_string()
    }

    #[test]
    fn what_waits_under_other_terms_waits_no_longer_and_can_be_asked_for_again() {
        let mut world = World::new();
        let id = world.file(maria(), "shell", "INC-1 look").unwrap();
        world.policy = policy(&crate::testing::POLICY.replacen("\"4h\"", "\"3h\"", 1));
        assert_eq!(became(&world, "sshd", &maria(), id).state, Standing::Over);
        let (stands, roles) = of(&world, "sshd", &maria());
        assert_eq!((stands.state, roles), (Standing::Ask, vec!["once".to_owned(), "shell".to_owned()]));
    }

    #[test]
    fn of_many_roles_the_first_are_offered_and_the_others_counted() {
        let mut world = World::new();
        let many = (10..30)
            .map(|n| {
                format!(
                    "[role.r{n}]\nhosts = [\"*\"]\nservices = [\"cups\"]\neligible = {{ users = [\"maria\"] }}\n\
                     max-duration = \"4h\"\n[[role.r{n}.stage]]\napprovers = {{ users = [\"root\"] }}\n"
                )
            })
            .fold(String::new(), |all, role: String| all + &role);
        world.policy = policy(&format!("{}{many}", crate::testing::POLICY));
        let (stands, roles) = of(&world, "cups", &maria());
        assert!(stands.text.ends_with(" Of 20 roles, these are the first 16."), "{}", stands.text);
        assert_eq!((roles.len(), roles[15].as_str()), (MAX_ROLES, "r25"));
    }
}
