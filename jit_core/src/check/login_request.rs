//! What a person whose login was refused may ask for, and the state of what they asked for. Pure, as the decision is.

use jit_proto::gate::MAX_TEXT;
use jit_proto::login_request::{MAX_ROLES, State as RequestState};
use jit_proto::words::{RequestId, Verdict};

use crate::check::decide::decide;
use crate::check::explain::{Missing, explain};
use crate::context::Context;
use crate::model::{Pending, Person, Question, Why};
use crate::orders::stages::{asked_in, waiting_for};
use crate::policy::{Host, Policy, Role};
use crate::state::State;
use crate::text::cut;
use crate::tickets::Register;
use crate::time::Moment;

/// The state of a person's request for access at this service. Each text is one line for the person, of at most [`MAX_TEXT`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// The service is open to them.
    Open,
    /// There is nothing that they could ask for.
    Nothing,
    /// A request waits.
    Waiting(RequestId, String),
    /// They can ask for a role.
    Ask(String),
    /// What they ask for is refused.
    Refused(String),
    /// Their request no longer waits.
    Over(String),
}

impl Stands {
    /// What was asked for is refused: this is why.
    #[must_use]
    pub fn refused(why: String) -> Self {
        Self::Refused(cut(why, MAX_TEXT))
    }

    fn waiting(here: Context<'_>, pending: &Pending) -> Self {
        let (request, whom) = (&pending.request, waiting_for(here, pending));
        let text = format!("jit: {} for role {} waits on {}: {whom}.", request.id, request.role, here.host);
        Self::Waiting(request.id, cut(text, MAX_TEXT))
    }

    /// In one word.
    #[must_use]
    pub const fn state(&self) -> RequestState {
        match self {
            Self::Open => RequestState::Open,
            Self::Nothing => RequestState::Nothing,
            Self::Waiting(..) => RequestState::Waiting,
            Self::Ask(_) => RequestState::Ask,
            Self::Refused(_) => RequestState::Refused,
            Self::Over(_) => RequestState::Over,
        }
    }

    /// The request that waits, if one does.
    #[must_use]
    pub const fn request(&self) -> Option<RequestId> {
        match self {
            Self::Waiting(id, _) => Some(*id),
            Self::Open | Self::Nothing | Self::Ask(_) | Self::Refused(_) | Self::Over(_) => None,
        }
    }

    /// The line for the person; empty where there is nothing to say.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Open | Self::Nothing => "",
            Self::Waiting(_, text) | Self::Ask(text) | Self::Refused(text) | Self::Over(text) => text,
        }
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
    let here = Context { policy, state, host, now, tickets: Register::NONE };
    let only = |stands| (stands, Vec::new());
    let explained = explain(policy, state, host, question, now);
    if explained.answer.verdict() != Verdict::Deny {
        return only(Stands::Open);
    }
    let nothing = Stands::Nothing;
    if !asking_helps(explained.answer.why()) {
        return only(nothing);
    }
    let waiting = explained.roles.iter().find_map(|considered| {
        let Missing::Approval(id) = considered.missing else { return None };
        state.pending().get(&id).filter(|pending| asked_in(here, pending).is_some())
    });
    if let Some(pending) = waiting {
        return only(Stands::waiting(here, pending));
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
    (Stands::Ask(cut(text, MAX_TEXT)), roles)
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
    if decide(policy, state, host, question, now).verdict() != Verdict::Deny {
        return Stands::Open;
    }
    let here = Context { policy, state, host, now, tickets: Register::NONE };
    let is_own = |holder: &Person| {
        question.known().is_some_and(|subject| holder.is_account(subject) && holder.person == subject.person)
    };
    let own = state.pending().get(&id).filter(|pending| is_own(&pending.request.beneficiary));
    let granted = state.grant(id.into()).filter(|grant| is_own(&grant.holder()));
    match own.filter(|pending| asked_in(here, pending).is_some()) {
        Some(pending) => Stands::waiting(here, pending),
        None if granted.is_some() => Stands::Over(format!(
            "jit: {id} is approved, and does not open this login now. See: jitctl show {id}"
        )),
        None => {
            Stands::Over(format!("jit: {id} no longer waits, and opened nothing here. See: jitctl show {id}"))
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jit_proto::gate::Stage;
    use jit_proto::words::Uid;

    use super::*;
    use crate::model::{Decision, Known};
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
        assert_eq!((stands.state(), stands.request()), (RequestState::Ask, None));
        assert_eq!(stands.text(), "jit: maria has no open window for sshd on db-1.");
        assert_eq!(roles, ["once", "shell"]);
        let adam = subject("adam", 1002);
        assert_eq!(of(&World::new(), "sshd", &adam).1, ["shell"]);
    }

    #[test]
    fn who_may_come_in_is_asked_nothing() {
        let mut world = World::new();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        for (service, who) in [("sshd", maria()), ("sshd", subject("backup", 40)), ("sudo", root())] {
            assert_eq!(of(&world, service, &who), (Stands::Open, vec![]));
        }
    }

    #[test]
    fn who_has_no_role_or_is_not_who_they_say_is_offered_nothing() {
        let world = World::new();
        let nothing = (Stands::Nothing, vec![]);
        assert_eq!(of(&world, "sshd", &subject("eve", 1066)), nothing);
        assert_eq!(of(&world, "vault", &maria()), nothing);
        let question = World::question("sudo", &maria(), Stage::Account);
        let other = Uid::try_from(1066).unwrap();
        for wrong in [
            Question { caller_uid: other, ..question.clone() },
            Question { subject: Known::Not, ..question.clone() },
            Question { subject: Known::Unanswered, ..question.clone() },
        ] {
            assert_eq!(asked(&world, &wrong), nothing, "{wrong:?}");
        }
        // Whether erik is one of those whom a role is for has not been said.
        let erik = subject("erik", 1002);
        let unsaid = Question {
            subject: Known::Partly(erik.clone(), [].into()),
            ..World::question("sshd", &erik, Stage::Account)
        };
        assert_eq!(asked(&world, &unsaid), nothing);
    }

    #[test]
    fn what_waits_is_named_with_who_can_approve_it() {
        let mut world = World::new();
        let id = world.file(maria(), "shell", "INC-1 look").unwrap();
        let (stands, roles) = of(&world, "sshd", &maria());
        assert_eq!((stands.state(), stands.request(), roles.len()), (RequestState::Waiting, Some(id), 0));
        assert_eq!(
            stands.text(),
            format!(
                "jit: {id} for role shell waits on db-1: 1 approval from adam, olga, root (stage 'lead')."
            )
        );
        assert_eq!(became(&world, "sshd", &maria(), id), stands);
        // It is of no use at another service.
        assert_eq!(of(&world, "sudo", &maria()).0.state(), RequestState::Ask);
    }

    #[test]
    fn what_opened_is_open_and_what_was_denied_is_over() {
        let mut world = World::new();
        let id = world.file(maria(), "shell", "INC-1 look").unwrap();
        assert!(world.review(&root(), id, Decision::Approve).unwrap());
        assert_eq!(became(&world, "sshd", &maria(), id).state(), RequestState::Open);
        world.wait(Duration::from_hours(2));
        assert_eq!(became(&world, "sshd", &maria(), id).state(), RequestState::Over);

        let id = world.file(maria(), "shell", "INC-1 look").unwrap();
        world.review(&root(), id, Decision::Deny).unwrap();
        let over = became(&world, "sshd", &maria(), id);
        assert_eq!((over.state(), over.request()), (RequestState::Over, None));
        assert_eq!(of(&world, "sshd", &maria()).0.state(), RequestState::Ask);
    }

    #[test]
    fn somebody_elses_request_looks_like_one_that_does_not_exist() {
        let mut world = World::new();
        let id = world.file(maria(), "shell", "INC-1 look").unwrap();
        let adam = subject("adam", 1002);
        let theirs = became(&world, "sshd", &adam, id);
        let none = became(&world, "sshd", &adam, RequestId::from_bits(77));
        assert_eq!(theirs.state(), RequestState::Over);
        assert_eq!(theirs.text().replace(&id.to_string(), ""), none.text().replace(&none_id(), ""));
        // Nor is it who has only the name, or only the uid.
        for who in [subject("maria", 1066), subject("marta", 1001)] {
            assert_eq!(became(&world, "sshd", &who, id).state(), RequestState::Over);
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
        assert_eq!(became(&world, "sshd", &maria(), id).state(), RequestState::Over);
        let (stands, roles) = of(&world, "sshd", &maria());
        assert_eq!((stands.state(), roles), (RequestState::Ask, vec!["once".to_owned(), "shell".to_owned()]));
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
        assert!(stands.text().ends_with(" Of 20 roles, these are the first 16."), "{}", stands.text());
        assert_eq!((roles.len(), roles[15].as_str()), (MAX_ROLES, "r25"));
    }
}
