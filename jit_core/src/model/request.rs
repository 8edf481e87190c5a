//! A request, and how far it has come.

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::words::{GrantId, HostName, Reason, RequestId, RoleName, ServiceName};
use serde::{Deserialize, Serialize};

use super::person::{Person, same};
use super::review::Review;
use super::statement::Ahead;
use crate::digest::Digest;
use crate::policy::{People, TeamName, Uses};
use crate::services::Services;
use crate::time::{Moment, Utc};

/// One person asks for one role on this host. Immutable; reviews bind to the digest of [`Request::bytes`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The request's id, such as `r-4k7m2qx9`.
    pub id: RequestId,
    /// The host it is for.
    pub host: HostName,
    /// Whom it would admit.
    pub beneficiary: Person,
    /// The role that is asked for.
    pub role: RoleName,
    /// The role's effective terms when it was asked for.
    pub terms: Digest,
    /// The services it would open.
    pub services: Services,
    /// How often it would admit.
    pub uses: Uses,
    /// For how long, in whole seconds.
    #[serde(with = "crate::time::seconds")]
    pub duration: Duration,
    /// When the window is to start; when it has been approved if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Utc>,
    /// The window that it is to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<GrantId>,
    /// How long the stay is beside what this adds to it: what it extends, overlaps or follows without a break; in whole seconds.
    #[serde(default, skip_serializing_if = "Duration::is_zero", with = "crate::time::seconds")]
    pub before: Duration,
    /// Of a role that asks the leads of teams, the teams that whoever it is for was in when it was asked for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub teams: BTreeSet<TeamName>,
    /// Who typed it: the beneficiary, or an admin on their behalf.
    pub filed_by: Person,
    /// When; the first stage waits from then on.
    pub filed_at: Moment,
    /// The reason that the person gave.
    pub reason: Reason,
    /// The ticket that it names, where the role's pattern has one. No part of the bytes: it follows from the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The signed grant that it comes from, if it was not asked for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Box<Ahead>>,
}

impl Request {
    /// The exact bytes that are reviewed: ASCII labels in a fixed order, one line each, LF.
    ///
    /// Every value is a validated word or number without a line break, so no value can start a new field. `person`, who
    /// comes by an account that people share, `start`, `extends` and `grant`, the digest of the signed grant that it comes from, have no line where there is none.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let services: Vec<&str> = self.services.iter().map(ServiceName::as_str).collect();
        let start = self.start.map_or_else(String::new, |start| format!("start: {start}\n"));
        let extends = self.extends.map_or_else(String::new, |base| format!("extends: {base}\n"));
        let ahead = self.ahead.as_ref().map_or_else(String::new, |ahead| format!("grant: {}\n", ahead.text));
        let person = self.beneficiary.person.as_ref();
        let person = person.map_or_else(String::new, |person| format!("person: {person}\n"));
        let text = format!(
            "jitd.request.v1\nid: {}\nhost: {}\nuser: {}\nuid: {}\n{person}role: {}\nterms: {}\nservices: {}\nuses: {}\nduration: {}\n\
             {start}{extends}{ahead}filed-by: {}\nfiled-by-uid: {}\nfiled-at: {}\nreason: {}\n",
            self.id,
            self.host,
            self.beneficiary.name,
            self.beneficiary.uid,
            self.role,
            self.terms,
            services.join(","),
            self.uses,
            self.duration.as_secs(),
            self.filed_by.name,
            self.filed_by.uid,
            self.filed_at.wall,
            self.reason,
        );
        text.into_bytes()
    }

    /// How long it asks for, together with what it goes on from.
    #[must_use]
    pub const fn together(&self) -> Duration {
        self.before.saturating_add(self.duration)
    }

    /// Whether it is for somebody: for their account, or for the human who comes by it.
    pub(crate) fn is_for(&self, people: &People, who: &Person) -> bool {
        same(people, who, &self.beneficiary)
            || self.ahead.as_ref().is_some_and(|ahead| ahead.is_for(people, who))
    }

    /// SHA-256 of [`Request::bytes`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes())
    }
}

/// A request that waits, with the reviews that count so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The request that waits.
    pub request: Request,
    /// Its reviews, in order.
    pub reviews: Vec<Review>,
}

/// How a request came to an end without a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Whoever asked, or an admin, took it back.
    Withdrawn,
    /// Its reviewers said no.
    Denied,
    /// Nobody decided it in time, or it could not open any more.
    Lapsed,
}

impl Closed {
    /// The word in answers and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Withdrawn => "withdrawn",
            Self::Denied => "denied",
            Self::Lapsed => "lapsed",
        }
    }
}
