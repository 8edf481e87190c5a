//! Errors as they leave jitd, by the names that the contract has for them.

use jit_core::access::Denied;
use jit_core::orders::NoChange;
use jit_core::orders::trial::NoTrial;
use zbus::DBusError;

use crate::desk::{CannotDecide, NotDone, NotLoaded};
use crate::peer::Gone;
use crate::rate::TooOften;
use crate::store::StoreError;
use crate::store::writer::Ticket;

/// An error as it leaves jitd.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.jitd.Jit1.Error")]
pub(crate) enum Error {
    #[zbus(error)]
    Bus(zbus::Error),
    CannotDecide(String),
    Unconfirmed(String),
    CarriedOut(String),
    NotPermitted(String),
    NotFound(String),
    Invalid(String),
    Refused(String),
    OnTrial(String),
    Busy(String),
}

impl From<CannotDecide> for Error {
    fn from(err: CannotDecide) -> Self {
        let text = err.to_string();
        // `recovery=` is for the first alone: nobody can bring it about by what they ask for.
        match err {
            CannotDecide::Lasting(_) => Self::CannotDecide(text),
            CannotDecide::ForNow(_) => Self::Busy(text),
            CannotDecide::Fault(_) => Self::Refused(text),
        }
    }
}

impl From<NotDone> for Error {
    fn from(err: NotDone) -> Self {
        use jit_core::orders::{NoArchive, Refusal};
        match err {
            NotDone::Cannot(err) => err.into(),
            NotDone::Trial(why) => why.into(),
            NotDone::Gone(gone) => gone.into(),
            NotDone::Refused(Refusal::NoPolicyChange(why)) => (*why).into(),
            NotDone::Refused(refusal) => {
                let text = refusal.to_string();
                match refusal {
                    Refusal::NotAdmin(_)
                    | Refusal::MayNotRevoke(_)
                    | Refusal::Denied(_)
                    | Refusal::ForSomebodyElse
                    | Refusal::NoReview { .. }
                    | Refusal::NoSigner(_)
                    | Refusal::MayNotAttest
                    | Refusal::NoArchive(NoArchive::NotRoot)
                    | Refusal::OwnAccess(_) => Self::NotPermitted(text),
                    Refusal::NotFound(_)
                    | Refusal::NotConcerned(_)
                    | Refusal::NoSession(_)
                    | Refusal::NotYourSession(_) => Self::NotFound(text),
                    Refusal::NoSuchRole(_)
                    | Refusal::NotEligible { .. }
                    | Refusal::NoPerson { .. }
                    | Refusal::NoSuchPerson { .. }
                    | Refusal::NotOwn { .. }
                    | Refusal::Reason { .. }
                    | Refusal::Start { .. }
                    | Refusal::OutsideHours { .. }
                    | Refusal::NotNow(_)
                    | Refusal::Emergency { .. }
                    | Refusal::ReviewOwed { .. }
                    | Refusal::NotOpen(_)
                    | Refusal::StillWaits(_)
                    | Refusal::AlreadyExtending(_)
                    | Refusal::TermsChanged(_)
                    | Refusal::OtherDigest(_)
                    | Refusal::Locked(_)
                    | Refusal::NotLocked { .. }
                    | Refusal::NoSuchScope { .. }
                    | Refusal::TooLong { .. }
                    | Refusal::ClockSuspect(_)
                    | Refusal::NoRoom
                    | Refusal::NotAccepted(_)
                    | Refusal::NotOfHere(_)
                    | Refusal::NoCode(_)
                    | Refusal::NoPolicyChange(_)
                    | Refusal::NoArchive(_)
                    | Refusal::TooManyOfYours
                    | Refusal::TooManyPending
                    | Refusal::NotEntitled { .. } => Self::Refused(text),
                    Refusal::IdTaken | Refusal::Raced(_) | Refusal::Unanswered { .. } => Self::Busy(text),
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

impl From<NoChange> for Error {
    fn from(why: NoChange) -> Self {
        let text = why.to_string();
        // Of the files nothing is wrong: that is what `Refused` says where some are loaded.
        if why.word().is_some() { Self::NotPermitted(text) } else { Self::OnTrial(text) }
    }
}

impl From<NotLoaded> for Error {
    fn from(why: NotLoaded) -> Self {
        match why {
            NotLoaded::Trial(why) => why.into(),
            NotLoaded::NotApproved(why) => why.into(),
            NotLoaded::Files(_) | NotLoaded::WentBack => Self::Refused(why.to_string()),
        }
    }
}

impl Error {
    /// A change whose commit failed. A failed fsync leaves it open what reached the disk, so nobody is told that
    /// nothing was changed.
    pub(super) fn unconfirmed(err: StoreError) -> Self {
        match err {
            StoreError::Fault(_) => Self::Refused(format!(
                "the store refused this order: {err}. Please report it with: journalctl -u jitd"
            )),
            StoreError::Sqlite(_)
            | StoreError::Newer { .. }
            | StoreError::Damaged { .. }
            | StoreError::ReadOnly(_)
            | StoreError::Key(_)
            | StoreError::Io(_)
            | StoreError::Elsewhere
            | StoreError::NotDurable => Self::Unconfirmed(
                "the store failed while the change was written; jitctl status says why".into(),
            ),
        }
    }
}

/// Waits until an order is on disk, and then for the answer. What goes wrong from then on is no refusal of the order: it
/// has been carried out, and whoever hears of the error must hear that.
pub(super) async fn carried_out(
    ticket: Ticket,
    answer: impl Future<Output = Result<String, Error>>,
) -> Result<String, Error> {
    ticket.durable().await.map_err(Error::unconfirmed)?;
    answer.await.map_err(|err| {
        let why = err.description().unwrap_or("no reason given");
        Error::CarriedOut(format!("it was carried out and is on record, but then: {why}"))
    })
}

impl From<StoreError> for Error {
    fn from(err: StoreError) -> Self {
        match err {
            StoreError::NotDurable => {
                Self::Busy("the record could not be written; see: jitctl status".into())
            }
            // Descriptors that have run out, or a disk that has just failed: whether that lasts is for the desk to say.
            StoreError::Sqlite(_)
            | StoreError::Newer { .. }
            | StoreError::Damaged { .. }
            | StoreError::ReadOnly(_)
            | StoreError::Key(_)
            | StoreError::Fault(_)
            | StoreError::Elsewhere
            | StoreError::Io(_) => {
                Self::Busy(format!("the store cannot be read just now ({err}); see: jitctl status"))
            }
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

impl From<Denied> for Error {
    fn from(why: Denied) -> Self {
        Self::NotPermitted(why.to_string())
    }
}

impl From<TooOften> for Error {
    fn from(why: TooOften) -> Self {
        Self::Busy(why.to_string())
    }
}
