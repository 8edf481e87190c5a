//! What kind of thing an event is: whether it is a record, whether somebody decided by it, which request it is about. A new
//! event is decided here: no match over events has a wildcard arm.

use std::net::IpAddr;

use jit_proto::words::{GrantId, RequestId, RoleName, UserName};

use super::Event;
use crate::model::{Basis, Login, Opener, Past, Session};
use crate::sign::revoke::What;

/// A pattern, for whoever follows sessions: the events that are about no session, no claim and nobody's coming, and those
/// others that are named.
macro_rules! of_no_session_or {
    ($($other:ident),*) => {
        $crate::event::Event::Started { .. }
            | $crate::event::Event::Stopped
            | $crate::event::Event::PolicyLoaded { .. }
            | $crate::event::Event::PolicyConfirmed { .. }
            | $crate::event::Event::PolicyReverted { .. }
            | $crate::event::Event::PolicyProposed { .. }
            | $crate::event::Event::PolicyReviewed { .. }
            | $crate::event::Event::PolicyOverride { .. }
            | $crate::event::Event::PolicyRefused { .. }
            | $crate::event::Event::Requested { .. }
            | $crate::event::Event::Reviewed { .. }
            | $crate::event::Event::Discounted { .. }
            | $crate::event::Event::Refused { .. }
            | $crate::event::Event::SignatureRefused { .. }
            | $crate::event::Event::RevokeTaken { .. }
            | $crate::event::Event::OrderRefused { .. }
            | $crate::event::Event::Withdrawn { .. }
            | $crate::event::Event::Lapsed { .. }
            | $crate::event::Event::Opened { .. }
            | $crate::event::Event::Began { .. }
            | $crate::event::Event::Settled { .. }
            | $crate::event::Event::Ended { .. }
            | $crate::event::Event::Locked { .. }
            | $crate::event::Event::Unlocked { .. }
            | $crate::event::Event::Denied { .. }
            | $crate::event::Event::Unmanaged { .. }
            | $crate::event::Event::ClockSuspect { .. }
            | $crate::event::Event::ClockAccepted { .. }
            | $crate::event::Event::ClockRecovered { .. }
            | $crate::event::Event::DiskShort(_)
            | $crate::event::Event::DiskRoom(_)
            | $crate::event::Event::Recovered { .. }
            | $crate::event::Event::RecoveryUnread(_)
            | $crate::event::Event::Unasked(_)
            | $crate::event::Event::PamFiles(_)
            | $crate::event::Event::HostKey { .. }
            | $crate::event::Event::Checkpoint { .. }
            | $crate::event::Event::CodeRefused { .. }
            | $crate::event::Event::CheckpointCarried { .. }
            | $crate::event::Event::RecordsArchived(_)
            | $crate::event::Event::Attested { .. }
            | $crate::event::Event::Elsewhere { .. }
            $(| $crate::event::Event::$other { .. })*
    };
}
pub(crate) use of_no_session_or;

/// A session that opens, by a check of its own or without having been asked for.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The grant that admits.
    pub grant: GrantId,
    /// The role of the grant.
    pub role: &'a RoleName,
    /// What it is found by, where that is known.
    pub opener: Option<Opener>,
    /// The address that its login came from, where that is known for certain.
    pub from: Option<IpAddr>,
    /// On what it was let in.
    pub basis: &'a Basis,
    /// What was asked.
    pub login: &'a Login,
    /// The control group of the process that asked, where that is the session.
    pub process_in: Option<&'a str>,
    /// The record of the check that it opens by; the number of the session is that, or else that of its own record.
    pub admitted: Option<u64>,
}

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

    /// That an end was carried through, and that nothing was left of it, spared or told.
    #[must_use]
    pub(crate) const fn ended_whole(grant: GrantId, user: UserName, sessions: Vec<u64>) -> Self {
        Self::SessionsEnded {
            grant,
            user,
            sessions,
            at_end: None,
            left: Vec::new(),
            spared: None,
            stays: Vec::new(),
            escape: None,
            programs: Vec::new(),
        }
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
        match self {
            Self::PolicyLoaded { .. }
            | Self::PolicyConfirmed { .. }
            | Self::PolicyReverted { .. }
            | Self::PolicyProposed { .. }
            | Self::PolicyReviewed { .. }
            | Self::PolicyOverride { .. }
            | Self::Reviewed { .. }
            | Self::Refused { .. }
            | Self::Withdrawn { .. }
            | Self::Opened { .. }
            | Self::Settled { .. }
            | Self::Locked { .. }
            | Self::Unlocked { .. }
            | Self::Ended { .. }
            | Self::RevokeTaken { .. }
            | Self::ClockAccepted { .. }
            | Self::Recovered { .. }
            | Self::PamFiles(_)
            | Self::HostKey { .. }
            | Self::Elsewhere { .. }
            | Self::RecordsArchived(_)
            | Self::Attested { .. } => true,
            Self::Started { .. }
            | Self::Stopped
            | Self::PolicyRefused { .. }
            | Self::Requested { .. }
            | Self::Discounted { .. }
            | Self::SignatureRefused { .. }
            | Self::CodeRefused { .. }
            | Self::OrderRefused { .. }
            | Self::Lapsed { .. }
            | Self::Began { .. }
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
            | Self::Shut { .. }
            | Self::SessionsEnded { .. }
            | Self::ClaimVoided { .. }
            | Self::Denied { .. }
            | Self::Unmanaged { .. }
            | Self::ClockSuspect { .. }
            | Self::ClockRecovered { .. }
            | Self::DiskShort(_)
            | Self::DiskRoom(_)
            | Self::RecoveryUnread(_)
            | Self::Unasked(_)
            | Self::Checkpoint { .. }
            | Self::CheckpointCarried { .. } => false,
        }
    }

    /// The session that it opens.
    #[must_use]
    pub fn opening(&self) -> Option<Opening<'_>> {
        match self {
            Self::SessionOpened { grant, role, opener, from, basis, process_in, admitted, login, .. } => {
                let (grant, opener, from, admitted) = (*grant, *opener, *from, *admitted);
                let process_in = process_in.as_deref();
                Some(Opening { grant, role, opener, from, basis, login, process_in, admitted })
            }
            Self::SessionAdopted { grant, role, opener, from, basis, login, .. } => {
                let (grant, opener, from) = (*grant, Some(*opener), *from);
                Some(Opening { grant, role, opener, from, basis, login, process_in: None, admitted: None })
            }
            of_no_session_or!(
                Came,
                Allowed,
                SessionClosed,
                SessionPlaced,
                SessionUnbound,
                SessionMoved,
                SessionOver,
                SessionRefused,
                SessionGone,
                Shut,
                SessionsEnded,
                ClaimVoided
            ) => None,
        }
    }

    /// The session of which nothing is left by it, with all that is known of that: one that was over, or that was refused
    /// while it opened.
    #[must_use]
    pub fn leaving(&self) -> Option<(u64, Option<&Past>)> {
        match self {
            Self::SessionGone { session, past, .. } => Some((*session, past.as_deref())),
            Self::SessionRefused { session, .. } => Some((*session, None)),
            of_no_session_or!(
                Came,
                Allowed,
                SessionOpened,
                SessionClosed,
                SessionPlaced,
                SessionUnbound,
                SessionMoved,
                SessionOver,
                SessionAdopted,
                Shut,
                SessionsEnded,
                ClaimVoided
            ) => None,
        }
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
            | Self::Withdrawn { request, .. }
            | Self::CodeRefused { request, .. } => Some(*request),
            Self::RevokeTaken { revokes, .. } => match revokes {
                What::Request(id) => Some(*id),
                What::Serial(_) => None,
            },
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
            | Self::PolicyProposed { .. }
            | Self::PolicyReviewed { .. }
            | Self::PolicyOverride { .. }
            | Self::SignatureRefused { .. }
            | Self::OrderRefused { .. }
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
            | Self::DiskShort(_)
            | Self::DiskRoom(_)
            | Self::Recovered { .. }
            | Self::RecoveryUnread(_)
            | Self::Unasked(_)
            | Self::PamFiles(_)
            | Self::HostKey { .. }
            | Self::Elsewhere { .. }
            | Self::Checkpoint { .. }
            | Self::CheckpointCarried { .. }
            | Self::RecordsArchived(_)
            | Self::Attested { .. } => None,
        }
    }
}
