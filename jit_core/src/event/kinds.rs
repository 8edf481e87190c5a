//! What kind of thing an event is: whether it is a record, whether somebody decided by it, which request it is about.

use jit_proto::words::RequestId;

use super::Event;
use crate::model::{Past, Session};

impl Event {
    /// That nothing of a session is left, as far as that can be known.
    #[must_use]
    pub fn gone(session: &Session) -> Self {
        let past = Some(Box::new(Past::of(session)));
        Self::SessionGone { session: session.id, unbound: !session.is_bound(), past }
    }

    /// The same of a session of an earlier boot: nothing of that runs.
    #[must_use]
    pub fn gone_with_its_boot(session: &Session) -> Self {
        let past = Some(Box::new(Past::of(session)));
        Self::SessionGone { session: session.id, unbound: false, past }
    }

    /// Whether it is noted with the session that it is about and is no record of its own: the record of the session's end
    /// will say it.
    #[must_use]
    pub const fn is_noted(&self) -> bool {
        matches!(
            self,
            Self::SessionOpened { admitted: Some(_), .. }
                | Self::SessionClosed { session: Some(_), .. }
                | Self::SessionPlaced { .. }
        )
    }

    /// Whether somebody may be left unmanaged by it, of whom no record need be kept. Policy alone says who that is.
    #[must_use]
    pub const fn may_exempt(&self) -> bool {
        matches!(self, Self::PolicyLoaded { .. } | Self::PolicyReverted { .. })
    }

    /// Whether somebody decided something by it that an auditor will ask for: it is soon under a checkpoint.
    #[must_use]
    pub const fn is_decision(&self) -> bool {
        matches!(
            self,
            Self::PolicyLoaded { .. }
                | Self::PolicyConfirmed { .. }
                | Self::PolicyReverted { .. }
                | Self::Reviewed { .. }
                | Self::Refused { .. }
                | Self::Withdrawn { .. }
                | Self::Opened { .. }
                | Self::Settled { .. }
                | Self::Locked { .. }
                | Self::Unlocked { .. }
                | Self::Ended { .. }
                | Self::ClockAccepted { .. }
                | Self::Recovered { .. }
                | Self::PamFiles(_)
                | Self::HostKey { .. }
        )
    }

    /// The request that it is about, whether that is open by now or not.
    #[must_use]
    pub fn request(&self) -> Option<RequestId> {
        match self {
            Self::Requested { request } => Some(request.id),
            Self::Reviewed { request, .. }
            | Self::Discounted { request, .. }
            | Self::Refused { request, .. }
            | Self::Lapsed { request, .. }
            | Self::Settled { request, .. }
            | Self::Withdrawn { request, .. } => Some(*request),
            Self::Opened { grant } => Some(grant.request()),
            Self::Began { grant, .. }
            | Self::Ended { grant, .. }
            | Self::Shut { grant }
            | Self::SessionsEnded { grant, .. } => Some((*grant).into()),
            Self::Started { .. }
            | Self::Stopped
            | Self::PolicyLoaded { .. }
            | Self::PolicyRefused { .. }
            | Self::PolicyConfirmed { .. }
            | Self::PolicyReverted { .. }
            | Self::SignatureRefused { .. }
            | Self::Locked { .. }
            | Self::Unlocked { .. }
            | Self::Came { .. }
            | Self::Allowed { .. }
            | Self::SessionOpened { .. }
            | Self::SessionClosed { .. }
            | Self::SessionPlaced { .. }
            | Self::SessionUnbound { .. }
            | Self::SessionMoved { .. }
            | Self::SessionOver { .. }
            | Self::SessionAdopted { .. }
            | Self::SessionRefused { .. }
            | Self::SessionGone { .. }
            | Self::ClaimVoided { .. }
            | Self::Denied { .. }
            | Self::Unmanaged { .. }
            | Self::ClockSuspect { .. }
            | Self::ClockAccepted { .. }
            | Self::ClockRecovered { .. }
            | Self::Recovered { .. }
            | Self::RecoveryUnread { .. }
            | Self::PamFiles(_)
            | Self::HostKey { .. }
            | Self::Checkpoint { .. } => None,
        }
    }
}
