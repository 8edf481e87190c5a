//! Checks at the desk: answered, and on record as far as they have to be.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jit_core::check::decide::{Admission, Answer, decide, settled};
use jit_core::check::explain::{Explanation, explain, refusal};
use jit_core::check::process;
use jit_core::context::{self, Context};
use jit_core::due;
use jit_core::event::Event;
use jit_core::model::{Actor, EndReason, EndTerms, Login, Question, Session, Why};
use jit_core::policy::Policy;
use jit_core::state::State;
use jit_core::time::{Moment, Utc};
use jit_host::facts::lingers;
use jit_proto::gate::Stage;
use jit_proto::words::{GrantId, GroupName, ServiceName, Verdict};

use super::outage::CannotDecide;
use super::room::{Desk, Open};
use crate::store::writer::{Batch, OnDisk, Ticket};

/// The host's own limit on a session comes so long after jitd's: RuntimeMaxSec is a backstop.
pub(crate) const SLACK: Duration = Duration::from_secs(5);

/// What a check depends on, as it stands before the name service is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Briefing {
    /// The groups that the answer can depend on.
    pub(crate) groups: BTreeSet<GroupName>,
    /// Whether it matters which process asks: one that lets somebody in may end with the window, at this service or at
    /// another.
    pub(crate) looks: bool,
    /// Whether policy has accounts that people share.
    pub(crate) share: bool,
}

/// What a question comes to.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of them, for a moment")]
pub(crate) enum Judged {
    /// It is answered.
    Answered(Checked),
    /// It takes more of the name service, about these groups.
    TakesMore(BTreeSet<GroupName>),
}

/// An answered check. Only what is allowed has a record to wait for.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of them, for a moment")]
pub(crate) enum Checked {
    /// A window admits.
    Allow(Admitted),
    /// No grant admits the subject.
    Deny {
        /// The reason for the denial.
        why: Why,
        /// One line for the person.
        advice: String,
    },
    /// It is not for jitd to decide.
    Unmanaged(Outside),
}

/// A check that a window admits. It is no answer before [`Admitted::on_record`].
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Admission,
    login: Login,
    session: Option<u64>,
    check: Option<CheckRecord>,
    host_limit: Duration,
    ticket: Ticket,
}

/// The record of a check that was allowed, which is that of the session that opens by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckRecord {
    /// The number of the record.
    pub(crate) seq: u64,
    /// The grant that admitted.
    pub(crate) grant: GrantId,
    /// Whether it made a claim, as its use is counted.
    pub(crate) claims: bool,
    /// Whether it was only until the session is asked for: no session opens by it.
    pub(crate) awaits_key: bool,
}

/// A check that a window admits, and whose record is on disk.
#[derive(Debug)]
pub(crate) struct OnRecord {
    /// How it admits.
    pub(crate) admission: Admission,
    /// Whom, as it is on record: with who comes by an account that people share.
    pub(crate) login: Login,
    /// The session that opens with it.
    pub(crate) session: Option<u64>,
    /// The record of the check, if it is one.
    pub(crate) check: Option<CheckRecord>,
    /// How long the host may let that session be: what is left, and what its end may take.
    pub(crate) host_limit: Duration,
    _on_disk: OnDisk,
}

impl Admitted {
    /// Waits for the record (law 7).
    pub(crate) async fn on_record(self, desk: &Desk) -> Result<OnRecord, CannotDecide> {
        let Self { admission, login, session, check, host_limit, ticket } = self;
        Ok(OnRecord { admission, login, session, check, host_limit, _on_disk: desk.durable(ticket).await? })
    }
}

/// A check that is not for jitd to decide, by a policy that may be on its way to the disk.
#[derive(Debug)]
pub(crate) struct Outside {
    why: Why,
    policy: Option<Ticket>,
}

impl Outside {
    /// Why, once the policy that says so is on disk: if it never gets there, it never was in force.
    pub(crate) async fn in_force(self, desk: &Desk) -> Result<Why, CannotDecide> {
        if let Some(policy) = self.policy {
            desk.durable(policy).await?;
        }
        Ok(self.why)
    }
}

#[cfg(test)]
impl Checked {
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Allow(_) => Verdict::Allow,
            Self::Deny { .. } => Verdict::Deny,
            Self::Unmanaged(_) => Verdict::Unmanaged,
        }
    }

    pub(crate) fn why(&self) -> Why {
        match self {
            Self::Allow(_) => Why::Window,
            Self::Deny { why, .. } | Self::Unmanaged(Outside { why, .. }) => *why,
        }
    }

    /// The session that opens with it.
    pub(crate) fn session(&self) -> Option<u64> {
        match self {
            Self::Allow(admitted) => admitted.session,
            Self::Deny { .. } | Self::Unmanaged(_) => None,
        }
    }

    /// The record of the check.
    pub(crate) fn check(&self) -> Option<CheckRecord> {
        match self {
            Self::Allow(admitted) => admitted.check,
            Self::Deny { .. } | Self::Unmanaged(_) => None,
        }
    }

    /// What has to be on disk before it is answered.
    pub(crate) fn ticket(self) -> Option<Ticket> {
        match self {
            Self::Allow(admitted) => Some(admitted.ticket),
            Self::Deny { .. } => None,
            Self::Unmanaged(outside) => outside.policy,
        }
    }
}

/// What becomes of a check that could be answered in another way once the name service has said more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// It is asked again when more is known.
    ForMore,
    /// The time is over: it is refused.
    NoLonger,
}

impl Desk {
    /// What a check at a service depends on now.
    pub(crate) fn briefing(&self, service: &ServiceName) -> Briefing {
        let brief = |here: Context<'_>| {
            let is_in = || here.state.sessions().iter().any(Session::is_process);
            let looks = here.policy.ends_any() || is_in();
            Briefing { groups: groups_at(here, service), looks, share: here.policy.people().share_any() }
        };
        self.look(brief).unwrap_or_default()
    }

    /// Answers a check, or says that it takes more of the name service: what the answer depends on is judged here, under
    /// the lock, by what counts now. A session opens by the `check` that the same process made before, if the same grant
    /// admits it, and is no record of its own then (law 7: that check's says so).
    pub(crate) fn check(
        &self,
        question: &Question,
        actor: Actor,
        check: Option<CheckRecord>,
        waits: Waits,
    ) -> Result<Judged, CannotDecide> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            let question = &question.named(policy.people());
            // Law 6: a beginning or an end that a check notices is written down, whatever it is answered.
            if let Some(uid) = question.login.uid {
                self.commit_until_quiet(open, now, |open| due::of(&open.state, uid, now))?;
            }
            // Whether the end of a session is worth a record depends on what its beginning would be answered.
            let stage = if question.stage == Stage::Close { Stage::Account } else { question.stage };
            let as_login = Question { stage, ..question.clone() };
            let is_settled = || settled(&policy, &open.state, &self.host, &as_login, now).is_some();
            if waits == Waits::ForMore && !is_settled() {
                let here = self.here(&policy, open, now);
                return Ok(Judged::TakesMore(groups_at(here, &question.login.service)));
            }
            let answer = decide(&policy, &open.state, &self.host, question, now);
            let answer = process::can_end(&policy, &open.state, question, answer, now);
            open.note_login(question, &answer, actor);
            let checked = match &answer {
                Answer::Allow(admission) => {
                    Checked::Allow(self.admit(open, &policy, (question, check), actor, admission, now)?)
                }
                Answer::Deny(why) => {
                    let advice = refusal(&policy, &open.state, &self.host, question, &answer, now);
                    self.tell(open, question, actor, &answer, now)?;
                    Checked::Deny { why: *why, advice }
                }
                Answer::Unmanaged(_) | Answer::Observed { .. } => {
                    if question.stage == Stage::Close {
                        let closing = self.closing(&policy, open, question, now);
                        if let Some(event) = closing {
                            drop(self.commit(open, Some(actor), now, vec![event])?);
                        }
                    } else {
                        let others = process::without_window(policy.people(), &open.state, question);
                        if !others.is_empty() {
                            drop(self.commit(open, Some(actor), now, others)?);
                        }
                        self.tell(open, question, actor, &answer, now)?;
                    }
                    let is_on_disk = open.policy_at <= self.changes.durable();
                    let policy = (!is_on_disk).then(|| self.queue.commit(Batch::default()));
                    Checked::Unmanaged(Outside { why: answer.why(), policy })
                }
            };
            Ok(Judged::Answered(checked))
        })
    }

    /// Lets happen what an `allow` comes to.
    fn admit(
        &self,
        open: &mut Open,
        policy: &Policy,
        (question, check): (&Question, Option<CheckRecord>),
        actor: Actor,
        admission: &Admission,
        now: &Moment,
    ) -> Result<Admitted, CannotDecide> {
        let opens = question.stage == Stage::Session;
        let comes = opens || admission.ends.is_some();
        let forgotten = if comes { open.state.forgotten(now) } else { Vec::new() };
        let came = Self::came(open, question, now);
        let admits = admission.events(question).into_iter();
        let admits = admits.map(|event| by_check(event, check, &open.state));
        let mut events: Vec<Event> = forgotten.into_iter().chain(came).chain(admits).collect();
        let comes_in = process::comes_in(policy, &open.state, question, &events);
        events.extend(comes_in);
        let numbers = open.state.next_seq()..;
        let mut numbered = numbers.zip(&events);
        let opened = numbered.clone().find_map(|(seq, event)| Some(event.opening()?.admitted.unwrap_or(seq)));
        // What is in by its check alone is in where it runs.
        let session = opened.filter(|_| opens);
        let check = numbered.find_map(|(seq, event)| {
            let Event::Allowed { grant, claim, basis, .. } = event else { return None };
            let awaits_key = basis.awaits_key;
            Some(CheckRecord { seq, grant: *grant, claims: claim.is_some(), awaits_key })
        });
        let terms = EndTerms::of(policy.role(&admission.role), EndReason::Expired);
        let host_limit = admission.remaining.saturating_add(terms.kill).saturating_add(SLACK);
        let ticket = self.commit(open, Some(actor), now, events)?;
        let (admission, login) = (admission.clone(), question.login.clone());
        Ok(Admitted { admission, login, session, check, host_limit, ticket })
    }

    /// Counts an answer that admits nobody, and records it where it is the first of its kind. Nobody waits for that
    /// (law 7).
    fn tell(
        &self,
        open: &mut Open,
        question: &Question,
        actor: Actor,
        answer: &Answer,
        now: &Moment,
    ) -> Result<(), CannotDecide> {
        match open.tally.note(answer, (question.login.clone(), question.stage), actor, now) {
            Some(event) => self.commit(open, Some(actor), now, vec![event]).map(drop),
            None => Ok(()),
        }
    }

    /// Takes back that a session opened, and the use that it took: it could not be put into a unit of its own. Nobody
    /// waits for the record of a refusal.
    pub(crate) fn refuse_session(
        &self,
        id: u64,
        actor: Actor,
        took_a_use: bool,
        why: String,
    ) -> Result<(), CannotDecide> {
        self.with_policy(|open, now| {
            let Some(session) = open.state.session(id) else { return Ok(()) };
            let refused = Event::SessionRefused {
                session: id,
                grant: session.grant,
                // By another grant it may have gone on at no cost.
                returned: took_a_use && !session.moved,
                why,
                login: session.login.clone(),
            };
            self.commit(open, Some(actor), now, vec![refused]).map(drop)
        })
    }

    /// Whether no answer of the name service that is still to come could change what a check is answered now.
    pub(crate) fn is_settled(&self, question: &Question) -> Result<bool, CannotDecide> {
        self.look(|here| settled(here.policy, here.state, here.host, question, here.now).is_some())
    }

    /// The groups that an answer at a service can depend on now.
    pub(crate) fn groups_at(&self, service: &ServiceName) -> BTreeSet<GroupName> {
        self.look(|here| groups_at(here, service)).unwrap_or_default()
    }

    /// What a check would answer now, or at a time to come, with the windows as they stand, and why. Changes
    /// nothing, uses nothing, records nothing. Windows are consumed until then (law 6).
    pub(crate) fn preview(
        &self,
        question: &Question,
        at: Option<Utc>,
    ) -> Result<(Explanation, Moment), CannotDecide> {
        self.with_policy(|open, now| {
            let policy = &open.policy_in_force()?.policy;
            let at = at.map_or_else(|| now.clone(), |at| now.later(at.since(now.wall)));
            Ok((explain(policy, &open.state, &self.host, question, &at), at))
        })
    }

    /// The beginning of a stay, where this login is one: before whoever comes in can change what was there before.
    fn came(open: &Open, question: &Question, now: &Moment) -> Option<Event> {
        let (user, uid) = (&question.login.user, question.login.uid?);
        // Of whom another program asks for nothing comes to be here that runs as them.
        let begins = question.asker.is_none() && open.state.begins_stay(uid, now);
        begins.then(|| Event::Came { user: user.clone(), uid, lingers: lingers(user) })
    }

    /// That PAM closes a session. Of one that is known it is noted, or, if nothing more of it could be found, that is its
    /// end. Of another it is worth a record where its login was: who is exempt leaves none for coming, and none for going.
    fn closing(&self, policy: &Policy, open: &Open, question: &Question, now: &Moment) -> Option<Event> {
        let login = question.login.clone();
        let leader = question.opener.map(|opener| opener.leader);
        match open.state.closes(&login, leader) {
            Some(session) if session.can_be_followed() => {
                return Some(Event::SessionClosed { login, leader, session: Some(session.id) });
            }
            Some(session) => return Some(Event::gone(session)),
            None => {}
        }
        let as_login = Question { stage: Stage::Account, ..question.clone() };
        let answer = decide(policy, &open.state, &self.host, &as_login, now);
        let managed = answer.verdict() != Verdict::Unmanaged;
        managed.then_some(Event::SessionClosed { login, leader, session: None })
    }
}

/// An opening, by the check that admitted it where that is on record: the claim's own, or that of the same process for
/// the same grant.
fn by_check(event: Event, check: Option<CheckRecord>, state: &State) -> Event {
    let Event::SessionOpened {
        grant, role, remaining, claim, opener, from, basis, process_in, login, ..
    } = event
    else {
        return event;
    };
    let is_of =
        |check: &CheckRecord| check.grant == grant && check.claims == claim.is_some() && !check.awaits_key;
    let same = check.filter(is_of);
    let admitted = claim.or(same.map(|check| check.seq)).filter(|seq| state.session(*seq).is_none());
    Event::SessionOpened { grant, role, remaining, claim, opener, from, basis, process_in, admitted, login }
}

fn groups_at(here: Context<'_>, service: &ServiceName) -> BTreeSet<GroupName> {
    context::groups_at(here.policy, here.state, service).into_iter().cloned().collect()
}
