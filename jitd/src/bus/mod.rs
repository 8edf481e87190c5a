//! jitd on D-Bus: who calls, what they may, and the answers. Nothing is decided here.

pub(crate) mod admin;
mod answer;
pub(crate) mod ask;
#[cfg(test)]
mod contract_tests;
pub(crate) mod gate;
mod origin;
pub(crate) mod private;
pub(crate) mod review;
mod sessions;
pub(crate) mod system;
pub(crate) mod user;
mod wire;

use std::sync::Arc;

use jit_core::decide::Known;
use jit_core::person::Caller;
use jit_core::trial::NoTrial;
use jit_proto::words::UserName;
use zbus::DBusError;
use zruntime::SharedRuntime;

use crate::desk::{CannotDecide, Desk, NotDone, NotLoaded};
use crate::on_host::OnHost;
use crate::session::systemd::Systemd;
use crate::session_of::Sessions;
use crate::store::{StoreError, StorePath};
use crate::who::{Gone, Names, Peer};
pub(crate) use origin::{InFlight, Origin, Places, Ration};

/// What every interface needs.
pub(crate) struct App {
    pub(crate) desk: Desk,
    /// The name service, for root: logins, and orders of an admin who is root.
    pub(crate) names_of_root: Names,
    /// The name service, for everybody else: what anybody can ask takes no thread from a login.
    pub(crate) names_of_others: Names,
    /// The name service for those who are in already: one that hangs for them hangs for no login.
    pub(crate) names_of_sessions: Names,
    /// The name service, for the names in a policy.
    pub(crate) on_host: OnHost,
    pub(crate) runtime: SharedRuntime,
    pub(crate) systemd: Systemd,
    pub(crate) store: StorePath,
    pub(crate) in_flight: Arc<InFlight>,
    /// Questions of unprivileged programs to the gate.
    pub(crate) ration: Ration,
    /// Requests that people file.
    pub(crate) filing: Ration,
    pub(crate) sessions: Sessions,
}

impl App {
    /// Who gives an order, with the groups that policy and locks name now.
    pub(crate) async fn caller(&self, peer: Peer) -> Result<Caller, Error> {
        for _ in 0..ATTEMPTS {
            let (groups, group_locked) = self.desk.groups_now();
            let caller = peer.caller(self.names(peer), Arc::clone(&groups), group_locked).await?;
            if self.desk.groups_are(&groups) {
                return Ok(caller);
            }
        }
        Err(Error::Busy("groups are being locked at this moment; try again".into()))
    }

    /// The account of this name, with the groups that policy and locks name now.
    pub(crate) async fn named(&self, peer: Peer, name: &UserName) -> Known {
        for _ in 0..ATTEMPTS {
            let groups = self.desk.groups();
            let known = self.names(peer).named(name, Arc::clone(&groups)).await;
            // A group that was locked meanwhile has not been looked for.
            if self.desk.groups_are(&groups) {
                return known;
            }
        }
        Known::Unanswered
    }

    /// The name service for this caller.
    pub(crate) fn names(&self, peer: Peer) -> &Names {
        if peer.uid.is_root() { &self.names_of_root } else { &self.names_of_others }
    }
}

/// How often people are looked up again because a group was locked meanwhile.
const ATTEMPTS: usize = 5;

/// An error as it leaves jitd.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.jitd.Jit1.Error")]
pub(crate) enum Error {
    #[zbus(error)]
    Bus(zbus::Error),
    CannotDecide(String),
    Unconfirmed(String),
    NotPermitted(String),
    NotFound(String),
    Invalid(String),
    Refused(String),
    OnTrial(String),
    Busy(String),
}

impl From<CannotDecide> for Error {
    fn from(err: CannotDecide) -> Self {
        Self::CannotDecide(err.to_string())
    }
}

impl From<NotDone> for Error {
    fn from(err: NotDone) -> Self {
        use jit_core::order::Refusal;
        match err {
            NotDone::Cannot(err) => err.into(),
            NotDone::Trial(why) => why.into(),
            NotDone::Refused(refusal) => {
                let text = refusal.to_string();
                match refusal {
                    Refusal::NotAdmin(_) | Refusal::ForSomebodyElse | Refusal::NoReview { .. } => {
                        Self::NotPermitted(text)
                    }
                    Refusal::NotFound(_) | Refusal::NoSession(_) => Self::NotFound(text),
                    Refusal::NoSuchRole(_)
                    | Refusal::NotEligible { .. }
                    | Refusal::Reason { .. }
                    | Refusal::Start { .. }
                    | Refusal::Emergency { .. }
                    | Refusal::ReviewOwed { .. }
                    | Refusal::NotOpen(_)
                    | Refusal::AlreadyExtending(_)
                    | Refusal::TermsChanged(_)
                    | Refusal::OtherDigest(_)
                    | Refusal::Locked(_)
                    | Refusal::NotLocked(_)
                    | Refusal::TooLong { .. }
                    | Refusal::ClockSuspect(_)
                    | Refusal::ClockTrusted
                    | Refusal::ClockAbsurd(_)
                    | Refusal::TooManyOfYours
                    | Refusal::TooManyPending => Self::Refused(text),
                    Refusal::IdTaken | Refusal::Raced(_) => Self::Busy(text),
                }
            }
        }
    }
}

impl From<NoTrial> for Error {
    fn from(why: NoTrial) -> Self {
        match why {
            NoTrial::Length(_) => Self::Invalid(why.to_string()),
            NoTrial::Running(_)
            | NoTrial::NothingBefore
            | NoTrial::InForce
            | NoTrial::Untold
            | NoTrial::NoneRuns
            | NoTrial::NoLogin
            | NoTrial::OldLogin => Self::OnTrial(why.to_string()),
        }
    }
}

impl From<NotLoaded> for Error {
    fn from(why: NotLoaded) -> Self {
        match why {
            NotLoaded::Trial(why) => why.into(),
            NotLoaded::Files(_) | NotLoaded::WentBack => Self::Refused(why.to_string()),
        }
    }
}

impl Error {
    /// A change whose commit failed. A failed fsync leaves it open what reached the disk, so nobody is told that
    /// nothing was changed.
    fn unconfirmed(_: StoreError) -> Self {
        Self::Unconfirmed("the store failed while the change was written; jitctl status says why".into())
    }
}

impl From<StoreError> for Error {
    fn from(err: StoreError) -> Self {
        match err {
            StoreError::NotDurable => {
                Self::CannotDecide("the record could not be written; see: jitctl status".into())
            }
            StoreError::Sqlite(_)
            | StoreError::Newer { .. }
            | StoreError::Damaged { .. }
            | StoreError::ReadOnly(_)
            | StoreError::Io(_) => Self::CannotDecide(format!("the store cannot be read: {err}")),
        }
    }
}

impl From<Gone> for Error {
    fn from(_: Gone) -> Self {
        Self::NotPermitted(
            "the caller cannot be identified: its process has gone, or its account is not known here".into(),
        )
    }
}
