//! What a record is about, so that the story of one access can be told without reading the whole log.

use std::fmt;

use jit_proto::words::RequestId;

use crate::event::kinds::of_no_session_or;
use crate::event::{Event, Record};

/// A story that a record belongs to. Text form: `r-4k7m2qx9`; `s-17` with the number of the record that opened the
/// session; `pam-files`; `carried`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Of a request, and of the grant that it became.
    Request(RequestId),
    /// Of a session.
    Session(u64),
    /// Of this host's PAM files.
    PamFiles,
    /// Of checkpoints that were carried away.
    Carried,
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(id) => id.fmt(f),
            Self::Session(number) => write!(f, "s-{number}"),
            Self::PamFiles => f.write_str("pam-files"),
            Self::Carried => f.write_str("carried"),
        }
    }
}

/// The stories that a record names. A session's end by its own doing names nothing: whose it is, the state knows.
#[must_use]
pub fn about(record: &Record) -> Vec<About> {
    let of_grant = |grant: jit_proto::words::GrantId| About::Request(grant.into());
    if let Event::Requested { request } = &record.event {
        // An extension is told with what it goes on from.
        let base = request.extends.map(of_grant);
        return base.into_iter().chain([About::Request(request.id)]).collect();
    }
    if let Event::PamFiles(_) = record.event {
        return vec![About::PamFiles];
    }
    if let Event::CheckpointCarried { .. } = record.event {
        return vec![About::Carried];
    }
    match &record.event {
        Event::ClaimVoided { grant, .. } => vec![of_grant(*grant)],
        // A check's record is that of the session that opens by it.
        Event::Allowed { grant, .. }
        | Event::SessionOpened { grant, .. }
        | Event::SessionAdopted { grant, .. } => {
            vec![of_grant(*grant), About::Session(record.seq)]
        }
        Event::SessionGone { session, past: Some(past), .. } => {
            vec![of_grant(past.grant), About::Session(*session)]
        }
        Event::SessionMoved { session, from, grant, .. } => {
            vec![of_grant(*from), of_grant(*grant), About::Session(*session)]
        }
        Event::SessionRefused { session, grant, .. } => vec![of_grant(*grant), About::Session(*session)],
        Event::SessionPlaced { session, .. }
        | Event::SessionUnbound { session, .. }
        | Event::SessionOver { session, .. }
        | Event::SessionGone { session, .. } => vec![About::Session(*session)],
        of_no_session_or!(Came, SessionClosed, Shut, SessionsEnded) => {
            record.event.request().map(About::Request).into_iter().collect()
        }
    }
}
