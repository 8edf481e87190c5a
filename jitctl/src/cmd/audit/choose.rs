//! Which records somebody wants. Whose a record is and under which role, most records do not say themselves: that is
//! learned from those before it.

use std::collections::HashMap;

use clap::Args;
use jit_core::audit::about::{About, about};
use jit_core::audit::line::Line;
use jit_core::event::{Event, Record};
use jit_core::time::Utc;
use jit_proto::words::{RequestId, RoleName, ServiceName, UserName};

use crate::times::typed::{BadTime, Bound};
use crate::values::Id;

/// The filters. A record has to pass all that are given.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Filter {
    /// What somebody did, and what is about them
    #[arg(long, value_name = "USER")]
    user: Option<UserName>,
    /// What is about windows of a role
    #[arg(long, value_name = "ROLE")]
    role: Option<RoleName>,
    /// What is about a PAM service, such as sshd or sudo
    #[arg(long, value_name = "SERVICE")]
    service: Option<ServiceName>,
    /// Records of this kind, such as denied or opened; see jitd(8)
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// What is about one request or grant
    #[arg(long, value_name = "ID")]
    request: Option<Id>,
    /// From a time on, such as '2026-11-01' or 'today 06:00'
    #[arg(long, value_name = "TIME")]
    since: Option<Bound>,
    /// Up to a time
    #[arg(long, value_name = "TIME")]
    until: Option<Bound>,
}

/// Either id names the pair.
pub(super) fn request_of(id: Id) -> RequestId {
    match id {
        Id::Request(request) => request,
        Id::Grant(grant) => grant.into(),
    }
}

impl Filter {
    /// Whether everything passes.
    pub(super) const fn is_empty(&self) -> bool {
        let Self { user, role, service, event, request, since, until } = self;
        user.is_none()
            && role.is_none()
            && service.is_none()
            && event.is_none()
            && request.is_none()
            && since.is_none()
            && until.is_none()
    }

    /// Ready to be asked about records, from the first of the log on.
    pub(super) fn begin(&self) -> Result<Chooser<'_>, BadTime> {
        let time = |when: &Option<Bound>| when.as_ref().map(Bound::utc).transpose();
        let (since, until) = (time(&self.since)?, time(&self.until)?);
        Ok(Chooser {
            filter: self,
            since,
            until,
            request: self.request.map(request_of),
            requests: HashMap::new(),
            sessions: HashMap::new(),
        })
    }
}

/// A filter, and what it has learned.
pub(super) struct Chooser<'a> {
    filter: &'a Filter,
    since: Option<Utc>,
    until: Option<Utc>,
    request: Option<RequestId>,
    /// Whose each request is, and of which role.
    requests: HashMap<RequestId, (UserName, RoleName)>,
    /// Under which request a session is.
    sessions: HashMap<u64, RequestId>,
}

impl Chooser<'_> {
    /// Whether everything passes, so also what is no record.
    pub(super) const fn wants_all(&self) -> bool {
        self.filter.is_empty()
    }

    /// Whether a record passes. All records are to be shown to it, in order.
    pub(super) fn wants(&mut self, record: &Record) -> bool {
        let stories = self.stories(record);
        let Filter { user, role, service, event, .. } = self.filter;
        let at = record.at.wall;
        if self.since.is_some_and(|since| at < since) || self.until.is_some_and(|until| at >= until) {
            return false;
        }
        let line = Line::whole(record);
        let has = |keys: &[&str], wanted: &str| {
            let of = |(key, value): &(&str, String)| {
                keys.contains(key) && value.split([',', ' ']).any(|one| one == wanted)
            };
            line.fields.iter().any(of)
        };
        let known = |is: &dyn Fn(&(UserName, RoleName)) -> bool| {
            stories.iter().filter_map(|story| self.requests.get(story)).any(is)
        };
        event.as_ref().is_none_or(|event| line.event == event)
            && self.request.is_none_or(|request| stories.contains(&request))
            && service.as_ref().is_none_or(|service| has(&["service", "services"], service.as_str()))
            && role.as_ref().is_none_or(|role| {
                has(&["role"], role.as_str()) || known(&|(_, of): &(UserName, RoleName)| of == role)
            })
            && user.as_ref().is_none_or(|user| {
                has(&["user", "by", "target"], user.as_str())
                    || known(&|(of, _): &(UserName, RoleName)| of == user)
            })
    }

    /// The requests that a record is about, by itself or by its session.
    fn stories(&mut self, record: &Record) -> Vec<RequestId> {
        if let Event::Requested { request } = &record.event {
            self.requests.insert(request.id, (request.beneficiary.name.clone(), request.role.clone()));
        }
        let named = about(record);
        let requests = named.iter().filter_map(|about| match about {
            About::Request(id) => Some(*id),
            About::Session(_) | About::PamFiles | About::Carried => None,
        });
        let mut requests: Vec<_> = requests.collect();
        for about in &named {
            let About::Session(session) = about else { continue };
            match requests.last() {
                // It goes on under the last that is named.
                Some(request) => drop(self.sessions.insert(*session, *request)),
                None => requests.extend(self.sessions.get(session)),
            }
        }
        requests
    }
}
