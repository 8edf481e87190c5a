//! Which window covers a session, which other window takes it over when its own ends (law 9), when people are warned, and
//! whether anything still covers a person after a window has ended (law 12).

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{Reason, Uid, UserName};

use crate::check::decide::{Admission, Miss, Takes, admits, lasts};
use crate::context::{Context, groups, groups_at};
use crate::event::Event;
use crate::model::{
    Begins, Caller, Due, EndReason, EndTerms, Grant, Known, Login, Over, Person, Question, Session,
    Termination, Time, Tried, owns, person_by,
};
use crate::orders::Refusal;
use crate::policy::{Outside, Subject};
use crate::sessions::termination;

/// Whether a session is covered, moves to another grant, or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Its grant covers it.
    Covered {
        /// For this long; `Duration::MAX` if the subject is exempt or the service is only observed.
        left: Duration,
    },
    /// It goes on under another grant.
    Moves(Vec<Event>),
    /// Nothing covers it.
    Over(EndReason),
}

/// Whether a session is covered under today's policy. A name service that fails ends no session (law 5): its earlier
/// answer is used.
#[must_use]
pub fn coverage(here: Context<'_>, session: &Session, known: &Known) -> Coverage {
    let Context { policy, state, now, .. } = here;
    let login = &session.login;
    let Some(uid) = login.uid else { return Coverage::Over(EndReason::RoleChanged) };
    // No such account, by a successful answer.
    if *known == Known::Not {
        return Coverage::Over(EndReason::RoleChanged);
    }
    let certain = known.certain(groups_at(policy, state, &login.service));
    let subject = certain.cloned().unwrap_or_else(|| supposed(here, known, &login.user, uid));
    // Who came by an account that people share, the session keeps; whose keys these are, policy says today.
    let person = person_by(policy.people(), subject.names(), &login.keys);
    let subject = subject.as_person(person.clone());
    if !is_of(&subject, &login.user, uid) {
        return Coverage::Over(EndReason::RoleChanged);
    }
    // Nobody is exempt by groups that they are only supposed to be in: by a window they came.
    let exempt = |subject: &Subject| policy.exempt(subject, &login.service, session.from);
    if policy.observes(&login.service) || certain.is_some_and(exempt) {
        return Coverage::Covered { left: Duration::MAX };
    }
    let told = known.subject().map(|told| told.as_person(person));
    if is_locked(here, session, told.as_ref(), &subject) {
        return Coverage::Over(EndReason::Locked);
    }
    let question = question(session, known, uid);
    let own = state.grant(session.grant);
    let miss = match own.map(|own| (own, lasts(here, &question, &subject, own))) {
        Some((_, Ok((_, left, _)))) => return Coverage::Covered { left },
        Some((own, Err(miss))) if ends_nothing(here, own, miss) || is_tried(here, session, own, miss) => {
            return Coverage::Covered { left: own.remaining(now) };
        }
        Some((_, Err(miss))) => Some(miss),
        None => None,
    };
    match taking_over(here, session, &question, &subject) {
        Some(events) => Coverage::Moves(events),
        None => Coverage::Over(why(here, session, miss)),
    }
}

/// An account of which the name service has not said all: it is taken to be in every group that counts and that it was
/// not said to be out of, and excepted by none of which it was not said to be in it. Where a name and a uid were told, they
/// are those.
fn supposed(here: Context<'_>, known: &Known, user: &UserName, uid: Uid) -> Subject {
    let told = known.subject().cloned().unwrap_or_else(|| Subject::named(user.clone(), uid));
    told.supposed_in(here.policy.groups().filter(|group| !known.denies(group)).cloned())
}

/// Whether this is the account that was approved. A recycled uid or a recreated name is a different account.
fn is_of(subject: &Subject, user: &UserName, uid: Uid) -> bool {
    subject.uid == uid && subject.is_called(user)
}

/// Whether a grant that would let nobody in now ends no session all the same. A suspect clock stops starts only: what has
/// begun goes on to its end. And what is ended stays ended, so a policy that is on trial ends nothing: whoever tries it
/// may need the session that they try it from.
fn ends_nothing(here: Context<'_>, own: &Grant, miss: Miss) -> bool {
    let on_trial = matches!(here.state.tried(), Some(Tried::Running(_)));
    match miss {
        Miss::Clock | Miss::Outside(Outside::Clock) => true,
        Miss::RoleChanged | Miss::Outside(_) => on_trial,
        // By its own end, or by the lesser that today's role allows.
        Miss::Over => on_trial && !own.remaining(here.now).is_zero(),
        Miss::OtherPerson
        | Miss::OtherService
        | Miss::NotBegun
        | Miss::Locked
        | Miss::Spent
        | Miss::NoClaim => false,
    }
}

/// Whether somebody who came in as the person of the grant is not that one by a policy that is on trial, which ends nothing
/// of theirs. A login that never showed whose it was tries no policy.
fn is_tried(here: Context<'_>, session: &Session, own: &Grant, miss: Miss) -> bool {
    let on_trial = matches!(here.state.tried(), Some(Tried::Running(_)));
    on_trial && miss == Miss::OtherPerson && session.login.person == own.person
}

/// Whether a lock is on a session: on who is in it, or on its service, or on its role.
fn is_locked(here: Context<'_>, session: &Session, told: Option<&Subject>, subject: &Subject) -> bool {
    // Groups that were only supposed lock nobody out; those that were told do.
    let alone = Subject { groups: BTreeSet::new(), ..subject.clone() };
    let locks = here.state.locked(here.now);
    let on_subject = locks.on_subject(told.unwrap_or(&alone), here.policy.people());
    let on_role = || {
        let ending = here.state.endings().get(&session.grant);
        ending.and_then(|ending| locks.on_role(&ending.role))
    };
    on_subject.or_else(|| locks.on_service(&session.login.service)).or_else(on_role).is_some()
}

/// The other grant that takes a session over: one without counted uses if there is one, the longest of those. Where PAM
/// has closed it, nobody is there to spend a use or to begin a window.
fn taking_over(
    here: Context<'_>,
    session: &Session,
    question: &Question,
    subject: &Subject,
) -> Option<Vec<Event>> {
    let Context { policy, state, host, now, .. } = here;
    let others = state
        .grants_of(subject.uid)
        .filter(|grant| subject.may_have_of(&grant.user) && grant.id != session.grant);
    let admitting =
        others.filter_map(|grant| admits(policy, state, host, question, subject, grant, now).ok());
    let costs = |best: &Admission| best.takes != Takes::Nothing || best.begins.is_some();
    let fitting = admitting.filter(|best| !session.closed || !costs(best));
    let best = fitting.max_by_key(Admission::rank)?;
    let moved = Event::SessionMoved {
        session: session.id,
        from: session.grant,
        grant: best.grant,
        role: best.role,
        remaining: best.remaining.as_secs(),
        uses: best.takes != Takes::Nothing,
    };
    let began = best.begins.map(|window| Event::Began { grant: best.grant, window });
    Some(began.into_iter().chain([moved]).collect())
}

/// The question that the session would ask if it logged in now.
fn question(session: &Session, known: &Known, uid: Uid) -> Question {
    Question {
        stage: Stage::Account,
        login: session.login.clone(),
        subject: known.clone(),
        caller_uid: uid,
        holds_claim: false,
        from: session.from,
        opener: None,
        asking: None,
        asker: None,
        awaits_key: false,
    }
}

fn why(here: Context<'_>, session: &Session, miss: Option<Miss>) -> EndReason {
    match miss {
        None => here.state.endings().get(&session.grant).map_or(EndReason::Expired, |ending| ending.why),
        Some(Miss::Locked) => EndReason::Locked,
        Some(Miss::OtherPerson) => EndReason::NoPerson,
        Some(Miss::Outside(Outside::Hours)) => EndReason::OutsideHours,
        Some(Miss::RoleChanged | Miss::OtherService | Miss::Outside(_)) => EndReason::RoleChanged,
        Some(Miss::Over | Miss::NotBegun | Miss::Clock | Miss::Spent | Miss::NoClaim) => EndReason::Expired,
    }
}

/// The events that follow from a session's coverage. One that is over already and may still finish its work ends
/// sooner under a lock, and for no other reason.
#[must_use]
pub fn judge(here: Context<'_>, session: &Session, known: &Known) -> Vec<Event> {
    match coverage(here, session, known) {
        Coverage::Over(why) if session.over.is_none() || why == EndReason::Locked => {
            over(here, session, why, None).into_iter().collect()
        }
        Coverage::Moves(events) if session.over.is_none() => events,
        Coverage::Covered { .. } | Coverage::Moves(_) | Coverage::Over(_) => Vec::new(),
    }
}

/// The end of a session, unless it has one that is as soon.
fn over(here: Context<'_>, session: &Session, why: EndReason, reason: Option<Reason>) -> Option<Event> {
    let ending = here.state.endings().get(&session.grant);
    let role = here.state.grant(session.grant).map(|grant| &grant.role);
    let role = role.or_else(|| ending.map(|ending| &ending.role));
    let late = ending.filter(|ending| ending.why == why).map_or(Duration::ZERO, |ending| ending.late);
    let terms = EndTerms::of(role.and_then(|role| here.policy.role(role)), why).late_by(late);
    let sooner = Over { at: here.now.clone(), why, terms };
    let is_news = session.over.as_ref().is_none_or(|known| sooner.is_sooner_than(known, here.now));
    is_news.then_some(Event::SessionOver { session: session.id, why, terms, reason })
}

/// Ends one session now: anybody's by an admin's order, one's own by one's own.
pub fn end_one(
    here: Context<'_>,
    caller: &Caller,
    id: u64,
    reason: Option<Reason>,
) -> Result<Vec<Event>, Refusal> {
    let not_found = || Refusal::NoSession(id);
    let session = here.state.session(id).ok_or_else(not_found)?;
    if !may_see(here, caller, session) {
        // An admin by name, who only has to log in, is told so.
        let not_theirs = || Refusal::NotYourSession(id);
        here.admin(caller).map_err(|why| if let Refusal::Denied(_) = why { why } else { not_theirs() })?;
    }
    Ok(over(here, session, EndReason::Ordered, reason).into_iter().collect())
}

/// Whether a session is the caller's own.
#[must_use]
pub fn may_see(here: Context<'_>, caller: &Caller, session: &Session) -> bool {
    session.login.uid.is_some_and(|uid| {
        let theirs = Person::named(session.login.user.clone(), uid);
        let person = session.login.person.clone();
        owns(here.policy.people(), &caller.own(), &Person { person, ..theirs })
    })
}

/// How long a session can go on as things stand: its own window, what has been approved to go on from it, and what
/// else would take it over.
#[must_use]
pub fn outlook(here: Context<'_>, session: &Session, known: &Known) -> Duration {
    let Coverage::Covered { left } = coverage(here, session, known) else { return Duration::ZERO };
    let Some(uid) = session.login.uid else { return left };
    let goes_on = here.state.grants().find_map(|grant| match &grant.time {
        Time::Scheduled { scheduled } if matches!(scheduled.begins, Begins::After(base) if base == session.grant) => {
            grant.services.contains(&session.login.service).then(|| grant.length())
        }
        Time::Scheduled { .. } | Time::Open { .. } => None,
    });
    // Where hours or today's policy end it before its window does, nothing goes on from that.
    let own = here.state.grant(session.grant).map(|own| own.remaining(here.now));
    let goes_on = goes_on.filter(|_| own == Some(left)).unwrap_or_default();
    let left = left.saturating_add(goes_on);
    let certain = known.certain(groups_at(here.policy, here.state, &session.login.service));
    let subject = certain.cloned().unwrap_or_else(|| supposed(here, known, &session.login.user, uid));
    let subject = subject.as_person(person_by(here.policy.people(), subject.names(), &session.login.keys));
    let question = question(session, known, uid);
    let others = here
        .state
        .grants_of(uid)
        .filter(|grant| subject.may_have_of(&grant.user) && grant.id != session.grant)
        .filter(|grant| grant.window().is_some());
    // A use is not counted on before it is there to be taken.
    let lasting = others.filter_map(|grant| {
        let (role, left, _) = lasts(here, &question, &subject, grant).ok()?;
        (!grant.counts_uses(role.uses)).then_some(left)
    });
    lasting.fold(left, Duration::max)
}

/// The warning that is due if `before` was left at the last look and `left` is left now.
#[must_use]
pub fn warning(warn: &BTreeSet<Duration>, before: Duration, left: Duration) -> Option<Duration> {
    warn.iter().copied().find(|at| left <= *at && *at < before)
}

/// How long until the next warning.
#[must_use]
pub fn next_warning(warn: &BTreeSet<Duration>, left: Duration) -> Option<Duration> {
    warn.iter().rev().find(|at| **at < left).map(|at| left.saturating_sub(*at))
}

/// Whether a window that has not ended admits its subject no more, as its role left policy or is no longer for them
/// (law 5): what is left of them has to go as it does at an end. Nothing that the name service did not say shuts one.
#[must_use]
pub fn is_shut(here: Context<'_>, grant: &Grant, known: &Known) -> bool {
    let is_another = |subject: &Subject| !is_of(subject, &grant.user, grant.uid);
    if *known == Known::Not || known.subject().is_some_and(is_another) {
        return grant.window().is_some();
    }
    let certain = known.certain(groups(here));
    let subject = certain.cloned().unwrap_or_else(|| supposed(here, known, &grant.user, grant.uid));
    grant.window().is_some()
        && reasons(here, grant, &subject)
            .all(|miss| miss == Some(Miss::RoleChanged) && !ends_nothing(here, grant, Miss::RoleChanged))
}

/// Whether a window covers its person: it would let them in somewhere, be it from another place or as somebody else, or
/// ends nothing as things stand.
fn covers(here: Context<'_>, grant: &Grant, subject: &Subject) -> bool {
    grant.window().is_some()
        && reasons(here, grant, subject).any(|miss| match miss {
            None | Some(Miss::Outside(Outside::From | Outside::RunAs) | Miss::Spent | Miss::NoClaim) => true,
            Some(miss) => ends_nothing(here, grant, miss),
        })
}

/// For each of a window's services, why it would not let its subject in.
fn reasons(here: Context<'_>, grant: &Grant, subject: &Subject) -> impl Iterator<Item = Option<Miss>> {
    let subject = subject.as_person(grant.person.clone());
    grant.services.iter().map(move |service| {
        let login = Login {
            service: service.clone(),
            user: grant.user.clone(),
            uid: Some(grant.uid),
            target: None,
            rhost: String::new(),
            tty: String::new(),
            keys: Vec::new(),
            person: None,
        };
        let question = Question {
            stage: Stage::Account,
            login,
            subject: Known::Fully(subject.clone()),
            caller_uid: grant.uid,
            holds_claim: false,
            from: None,
            opener: None,
            asking: None,
            asker: None,
            awaits_key: false,
        };
        lasts(here, &question, &subject, grant).err()
    })
}

/// Whether a person may keep processes running after a window of theirs has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// Nothing covers the person.
    None,
    /// Perhaps: the name service has not said whether they are in a group that policy exempts.
    Unknown,
    /// Another window covers them, or a session that goes on or may finish its work, or an exemption.
    Holds,
}

/// What covers a person apart from the window that ended, so that nothing but its sessions may be touched. Root is not
/// a person: what runs as root is mostly the host's own.
#[must_use]
pub fn cover(here: Context<'_>, ending: &Termination, known: &Known) -> Cover {
    let Context { policy, state, now, .. } = here;
    let certain = known.certain(groups(here));
    let subject = certain.cloned().unwrap_or_else(|| supposed(here, known, &ending.user, ending.uid));
    // No such account, or another, is nobody whom a window could let in.
    let is_theirs = *known != Known::Not && is_of(&subject, &ending.user, ending.uid);
    let subject = Some(&subject).filter(|_| is_theirs);
    // One that was shut and admits again covers them, too: it has not ended.
    let window = |grant: &Grant| subject.is_some_and(|subject| covers(here, grant, subject));
    // What a window lets them finish, or go on with for its grace, they may finish.
    let may_finish = |after: Duration, terms: EndTerms| terms.due(after) != Due::Kill;
    let session = |session: &Session| {
        session.login.uid == Some(ending.uid)
            && !session.goes_on()
            && session.over.as_ref().is_none_or(|over| may_finish(now.since(&over.at), over.terms))
    };
    let other = |other: &Termination| {
        other.grant != ending.grant
            && other.uid == ending.uid
            && may_finish(now.since(&other.at), termination::terms(here, other, known))
    };
    if ending.uid.is_root()
        || state.grants_of(ending.uid).any(window)
        || state.sessions().iter().any(session)
        || state.endings().values().any(other)
    {
        return Cover::Holds;
    }
    if known.subject().is_some_and(|told| policy.exempt_somewhere(told)) {
        return Cover::Holds;
    }
    // Not to be known is not allowed to cost somebody exempt their processes.
    let may_be_exempt =
        certain.is_none() && subject.is_some_and(|supposed| policy.exempt_somewhere(supposed));
    if may_be_exempt { Cover::Unknown } else { Cover::None }
}

#[cfg(test)]
mod cover_tests;
#[cfg(test)]
mod steady_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unbound_tests;
