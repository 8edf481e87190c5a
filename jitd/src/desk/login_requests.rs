//! What people who log in ask for at the desk.

use std::sync::Arc;

use jit_core::check::login_request::{self, Stands};
use jit_core::context::Context;
use jit_core::model::{Actor, Caller, Question};
use jit_core::orders::Refusal;
use jit_core::orders::request::{self, RequestOrder};
use jit_core::policy::{Role, Subject};
use jit_proto::words::RequestId;

use super::looked::{Looked, Word};
use super::not_done::NotDone;
use super::outage::CannotDecide;
use super::room::Desk;
use crate::store::writer::Ticket;

impl Desk {
    /// What a person who logs in may ask for, the roles as `show` shows them. Changes nothing.
    pub(crate) fn options<T>(
        &self,
        question: &Question,
        show: impl FnOnce(&[&Role]) -> T,
    ) -> Result<(Stands, T), CannotDecide> {
        self.with_policy(|open, now| {
            let policy = &open.policy_in_force()?.policy;
            let (stands, roles) = login_request::options(policy, &open.state, &self.host, question, now);
            Ok((stands, show(&roles)))
        })
    }

    /// Asks for a role, for a person who logs in. Where something of theirs is open or waits already, says that and
    /// files nothing: of two logins at once, both wait for the same request.
    pub(crate) fn ask_for(
        &self,
        question: &Question,
        by: &Looked,
        actor: Actor,
        order: RequestOrder,
    ) -> Result<(Stands, Option<Ticket>), NotDone> {
        let tickets = self.tickets.now();
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            open.tickets = tickets;
            let (stands, roles) = login_request::options(&policy, &open.state, &self.host, question, now);
            let refused = |why: String| Ok((Stands::refused(why), None));
            if matches!(stands, Stands::Open | Stands::Waiting(..)) {
                return Ok((stands, None));
            }
            if !roles.iter().any(|role| role.name == order.role) {
                return refused(format!("role '{}' is not one that can be asked for here", order.role));
            }
            let id = order.id;
            let file = |here: Context<'_>, caller: &Caller| {
                // Both are the same account where it is who logs in; what is said of one is said of the other.
                let is_own = caller.account.uid == order.beneficiary.uid;
                let beneficiary = if is_own { caller.account.clone() } else { order.beneficiary.clone() };
                // Root's module says from where they come.
                let order = RequestOrder { beneficiary, ..order.clone() };
                request::file_from(here, caller, order, question.from)
            };
            match by.judged(self.here(&policy, open, now), Word::Nobody, &file) {
                Ok(events) => {
                    let ticket = self.commit(open, Some(actor), now, events)?;
                    let stands = login_request::progress(&policy, &open.state, &self.host, question, id, now);
                    Ok((stands, Some(ticket)))
                }
                Err(NotDone::Refused(refusal)) if !matches!(refusal, Refusal::Unanswered { .. }) => {
                    refused(refusal.to_string())
                }
                Err(err) => Err(err),
            }
        })
    }

    /// What became of a request of the subject's own. Changes nothing.
    pub(crate) fn progress(&self, question: &Question, id: RequestId) -> Result<Stands, CannotDecide> {
        self.with_policy(|open, now| {
            let policy = &open.policy_in_force()?.policy;
            Ok(login_request::progress(policy, &open.state, &self.host, question, id, now))
        })
    }

    /// The roles that somebody may ask for on this host.
    pub(crate) fn roles_of(&self, subject: &Subject) -> Result<Vec<Role>, CannotDecide> {
        self.with_policy(|open, now| {
            let roles = open.policy_in_force()?.policy.roles();
            Ok(roles
                .filter(|role| role.on_host(&self.host) && role.eligible.contains(subject))
                .filter(|role| !role.is_over(now))
                .cloned()
                .collect())
        })
    }
}
