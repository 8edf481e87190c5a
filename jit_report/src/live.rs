//! Who was in at one moment.

use std::collections::{BTreeMap, BTreeSet};

use jit_core::event::{Event, Record};
use jit_core::model::Login;
use jit_core::policy::PersonName;
use jit_core::time::Utc;
use jit_proto::words::{GrantId, RequestId, ServiceName, UserName};
use serde::Serialize;

/// Who was in at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Live {
    /// The time that was asked about.
    pub at: Utc,
    /// The sessions that were open, as far as the log says that they opened or are over.
    pub sessions: Vec<LiveSession>,
    /// Logins that were admitted before and of which no record says that they opened a session or are over. A check opens
    /// none of itself, so each may have been in or not.
    pub unknown: Vec<LiveSession>,
}

/// One session, or login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LiveSession {
    /// Its number: of the record that admitted it.
    pub session: u64,
    /// The window that it was in by at last.
    pub grant: GrantId,
    /// The account that was in.
    pub account: UserName,
    /// Who that was, of those who share the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// At which service.
    pub service: ServiceName,
    /// When it was admitted or opened.
    pub since: Utc,
}

impl LiveSession {
    /// The account, and who that was where people share it.
    pub(crate) fn who(&self) -> String {
        match &self.person {
            Some(person) => format!("{} ({person})", self.account),
            None => self.account.to_string(),
        }
    }
}

/// What is known of who is in, while records come.
#[derive(Debug)]
pub(crate) struct LiveFold {
    at: Utc,
    found: Vec<LiveSession>,
    /// Admitted by then and not known to be over; whether it is known to have opened.
    admitted: BTreeMap<u64, (bool, LiveSession)>,
    /// Those whose process serves others, too: the end of their window does not end them.
    go_on: BTreeSet<u64>,
}

impl LiveFold {
    pub(crate) const fn at(at: Utc) -> Self {
        Self { at, found: Vec::new(), admitted: BTreeMap::new(), go_on: BTreeSet::new() }
    }

    pub(crate) fn take(&mut self, record: &Record) {
        let (now, event) = (record.at.wall, &record.event);
        if let Event::Allowed { basis, .. } = event
            && basis.awaits_key
        {
            // Nobody is in by it: who comes, the record of their session says.
        } else if let Event::Allowed { grant, login, .. } = event {
            self.comes(record, false, *grant, login);
        } else if let Some(opening) = event.opening() {
            self.comes(record, true, opening.grant, opening.login);
        } else if let Event::SessionRefused { session, .. } = event {
            self.admitted.remove(session);
        } else if let Event::SessionUnbound { session, others: true, .. } = event {
            if let Some((opened, _)) = self.admitted.get_mut(session) {
                *opened = true;
                self.go_on.insert(*session);
            }
        } else if let Some((session, past)) = event.leaving() {
            self.go_on.remove(&session);
            let known = self.admitted.remove(&session);
            let of_past = past.map(|past| LiveSession {
                session,
                grant: past.grant,
                account: past.login.user.clone(),
                person: past.login.person.clone(),
                service: past.login.service.clone(),
                since: past.opened.wall,
            });
            let one = of_past.or_else(|| known.map(|(_, one)| one));
            self.found.extend(one.filter(|one| one.since <= self.at && self.at < now));
        } else if let Event::SessionsEnded { grant, .. } = event {
            self.window_is_over((*grant).into(), now);
        }
    }

    fn comes(&mut self, record: &Record, opened: bool, grant: GrantId, login: &Login) {
        let since = record.at.wall;
        if since > self.at {
            return;
        }
        let (account, person, service) = (login.user.clone(), login.person.clone(), login.service.clone());
        let one = LiveSession { session: record.seq, grant, account, person, service, since };
        self.admitted.insert(record.seq, (opened, one));
    }

    /// Nothing of a window is left: a login by it of which no more was heard was a check alone.
    fn window_is_over(&mut self, request: RequestId, now: Utc) {
        let at = self.at;
        let (found, go_on) = (&mut self.found, &self.go_on);
        self.admitted.retain(|id, (opened, one)| {
            let is_of_it = RequestId::from(one.grant) == request && !go_on.contains(id);
            if is_of_it && *opened && at < now {
                found.push(one.clone());
            }
            !is_of_it
        });
    }

    pub(crate) fn finish(mut self) -> Live {
        let (open, unknown): (Vec<_>, Vec<_>) = self.admitted.into_values().partition(|(opened, _)| *opened);
        self.found.extend(open.into_iter().map(|(_, one)| one));
        self.found.sort_by_key(|one| one.session);
        let unknown = unknown.into_iter().map(|(_, one)| one).collect();
        Live { at: self.at, sessions: self.found, unknown }
    }
}
