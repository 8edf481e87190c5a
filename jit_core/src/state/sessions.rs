//! Sessions, and ends of windows that have to be carried through: what each event makes of them.

use std::net::IpAddr;

use jit_proto::words::{GrantId, Uid, subject_is_caller};
use serde::{Deserialize, Serialize};

use super::{Row, State};
use crate::clock::Moment;
use crate::ending::{Ending, Leader, Opener, Over, OverWhy, Unit};
use crate::event::{Event, Login, Record};

/// A login that a grant admitted and that has not been seen to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The sequence number of the record of its opening.
    pub id: u64,
    /// The grant that admitted it.
    pub grant: GrantId,
    /// Who came from where to which service.
    pub login: Login,
    /// When.
    pub at: Moment,
    /// The process that opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<Leader>,
    /// The audit session that began with it, which all that a login starts inherits and nothing without
    /// CAP_AUDIT_CONTROL changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<u32>,
    /// The address that its login came from, where that is known for certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// Where it runs, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Where it runs was not found out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unbound: bool,
    /// PAM closed it; what it started may still run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// It has gone on under another grant than the one that admitted it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
    /// Its end, once that has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
}

impl Session {
    /// Whether whoever is in it may be root, or become it: what su and sudo start runs as whom they please.
    pub(super) fn may_be_root(&self) -> bool {
        subject_is_caller(&self.login.service) || self.login.uid.is_some_and(Uid::is_root)
    }

    /// Whether there is anything to find its processes by.
    const fn can_be_followed(&self) -> bool {
        self.unit.is_some() || self.leader.is_some()
    }
}

/// How many sessions are remembered.
const MAX_SESSIONS: usize = 20_000;

impl State {
    /// What becomes of a session, and of what is left when its window is over.
    pub(super) fn follow_session(&mut self, record: &Record) -> Vec<Row> {
        match &record.event {
            Event::SessionOpened { claim, grant, login, opener, from, .. } => {
                let gone = claim.and_then(|claim| self.drop_claim(claim));
                gone.into_iter().chain(self.open_session(record, *grant, login, (*opener, *from))).collect()
            }
            Event::SessionClosed { login, leader } => {
                self.close_session(login, *leader).into_iter().collect()
            }
            Event::SessionPlaced { session, unit } => self.change(*session, |session| {
                session.unit = Some(unit.clone());
                session.unbound = false;
            }),
            Event::SessionUnbound { session, .. } => self.change(*session, |session| session.unbound = true),
            Event::SessionMoved { session, grant, uses, .. } => {
                let used = self.grants.get_mut(grant).filter(|_| *uses).map(|live| {
                    live.used = live.used.saturating_add(1);
                    Row::Used { grant: *grant, used: live.used }
                });
                let moved = self.change(*session, |session| {
                    session.grant = *grant;
                    session.moved = true;
                });
                used.into_iter().chain(moved).collect()
            }
            Event::SessionOver { session, why, terms, .. } => {
                let over = Over { at: record.at.clone(), why: *why, terms: *terms };
                self.session_over(*session, over)
            }
            Event::SessionGone { session } => {
                let place = self.sessions.iter().position(|known| known.id == *session);
                place.map(|place| Row::SessionGone(self.sessions.remove(place).id)).into_iter().collect()
            }
            Event::Shut { grant } => {
                let grant = self.grants.get(grant).filter(|grant| !self.endings.contains_key(&grant.id));
                let ending = grant.and_then(|grant| Ending::of(grant, &record.at, OverWhy::RoleChanged));
                let Some(ending) = ending else { return Vec::new() };
                self.endings.insert(ending.grant, ending.clone());
                vec![Row::Ending(ending)]
            }
            Event::SessionsEnded { grant, .. } => {
                self.endings.remove(grant).map(|_| Row::EndingGone(*grant)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn open_session(
        &mut self,
        record: &Record,
        grant: GrantId,
        login: &Login,
        (opener, from): (Option<Opener>, Option<IpAddr>),
    ) -> Vec<Row> {
        let session = Session {
            id: record.seq,
            grant,
            login: login.clone(),
            at: record.at.clone(),
            leader: opener.map(|opener| opener.leader),
            audit: opener.and_then(|opener| opener.audit),
            from,
            unit: None,
            unbound: false,
            closed: false,
            moved: false,
            over: None,
        };
        // Of an earlier boot nothing is left. Of this one nobody has so many but by a program that never says when they
        // end: whoever runs that pays for it.
        let mut gone: Vec<_> =
            self.sessions.extract_if(.., |old| old.at.boot_id != record.at.boot_id).collect();
        while self.sessions.len() >= MAX_SESSIONS {
            let theirs = self.sessions.iter().position(|old| old.login.uid == login.uid);
            let place = theirs.or_else(|| self.sessions.iter().position(|old| old.closed)).unwrap_or(0);
            gone.push(self.sessions.remove(place));
        }
        self.sessions.push(session.clone());
        gone.iter().map(|old| Row::SessionGone(old.id)).chain([Row::Session(session)]).collect()
    }

    /// The session that closes is the one of the process that closes it; else the newest that was opened with the same
    /// words. PAM's word ends nothing that a session has left running: it is gone when whoever follows it finds nothing
    /// of it. One that cannot be followed is gone now.
    fn close_session(&mut self, login: &Login, leader: Option<Leader>) -> Option<Row> {
        // But for the uid: a name service that fails while somebody leaves keeps no session open.
        let same = |session: &Session| {
            !session.closed && session.login == Login { uid: session.login.uid, ..login.clone() }
        };
        let own = |session: &Session| leader.is_some() && session.leader == leader && same(session);
        let alike = |session: &Session| (leader.is_none() || session.leader.is_none()) && same(session);
        let place = self.sessions.iter().rposition(own).or_else(|| self.sessions.iter().rposition(alike))?;
        let session = self.sessions.get_mut(place)?;
        if session.can_be_followed() {
            session.closed = true;
            return Some(Row::Session(session.clone()));
        }
        Some(Row::SessionGone(self.sessions.remove(place).id))
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut Session)) -> Vec<Row> {
        let Some(session) = self.sessions.iter_mut().find(|session| session.id == id) else {
            return Vec::new();
        };
        change(session);
        vec![Row::Session(session.clone())]
    }

    /// Sticky: an end that has come can come sooner, and never later.
    fn session_over(&mut self, id: u64, over: Over) -> Vec<Row> {
        let sooner = |session: &Session| {
            session.over.as_ref().is_none_or(|known| over.is_sooner_than(known, &over.at))
        };
        let Some(session) = self.sessions.iter_mut().find(|session| session.id == id && sooner(session))
        else {
            return Vec::new();
        };
        session.over = Some(over);
        let mut rows = vec![Row::Session(session.clone())];
        if let Some(ending) = self.endings.get_mut(&session.grant)
            && !ending.sessions.contains(&id)
        {
            ending.sessions.push(id);
            rows.push(Row::Ending(ending.clone()));
        }
        rows
    }
}
