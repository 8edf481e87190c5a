//! Sessions, and ends of windows that have to be carried through: what each event makes of them.

use jit_proto::words::{GrantId, Uid};

use super::{Row, State};
use crate::event::kinds::{Opening, of_no_session_or};
use crate::event::{Event, Record};
use crate::model::{Actor, EndReason, Leader, Login, Over, Session, Termination};
use crate::time::Moment;

/// How many sessions may be open at once, and how many of them one person's. Each is something that runs.
const MAX_SESSIONS: usize = 20_000;
pub(crate) const MAX_OF_ONE: usize = 2_000;

impl State {
    /// Whether what was found out of a session, or carried through, is not known already: who looks and who acts may both
    /// find it, and it is on record once.
    #[must_use]
    pub fn is_news(&self, event: &Event) -> bool {
        match event {
            Event::SessionPlaced { session, unit } => {
                self.session(*session).is_some_and(|session| session.unit.as_ref() != Some(unit))
            }
            Event::SessionUnbound { session, others, .. } => self.session(*session).is_some_and(|session| {
                session.unit.is_none() && (!session.unbound || (*others && !session.others))
            }),
            Event::SessionGone { session, .. } => self.session(*session).is_some(),
            Event::SessionsEnded { grant, .. } => self.endings.contains_key(grant),
            of_no_session_or!(
                Came,
                Allowed,
                SessionOpened,
                SessionClosed,
                SessionMoved,
                SessionOver,
                SessionAdopted,
                SessionRefused,
                Shut,
                ClaimVoided
            ) => true,
        }
    }

    /// Whether somebody may have one more session. None is forgotten for another: it would outlive its window. Root's own
    /// are not kept out by others'.
    #[must_use]
    pub fn has_room_for(&self, uid: Uid) -> bool {
        if self.sessions.len() < MAX_OF_ONE {
            return true;
        }
        let followed = || self.sessions.iter().filter(|session| session.can_be_followed());
        let theirs = followed().filter(|session| session.login.uid == Some(uid)).count();
        theirs < MAX_OF_ONE && (uid.is_root() || followed().count() < MAX_SESSIONS)
    }

    /// Applies what is noted with a session and is no record ([`Event::is_noted`]), and names the rows it changed.
    pub fn note(&mut self, at: &Moment, actor: Option<Actor>, event: &Event) -> Vec<Row> {
        let place = Record { seq: self.next_seq, at: at.clone(), actor, event: event.clone() };
        self.follow_session(&place)
    }

    /// The sessions that are forgotten when another opens: of an earlier boot nothing is left, and of what cannot be found
    /// nothing can be ended, either, and PAM may never say that it closed. Their end is on record like every other.
    #[must_use]
    pub fn forgotten(&self, now: &Moment) -> Vec<Event> {
        let is_earlier = |session: &Session| session.at.boot_id != now.boot_id;
        let earlier =
            self.sessions.iter().filter(|session| is_earlier(session)).map(Event::gone_with_its_boot);
        let lost: Vec<_> =
            self.sessions.iter().filter(|one| !is_earlier(one) && !one.can_be_followed()).collect();
        let over = (lost.len() + 1).saturating_sub(MAX_OF_ONE);
        earlier.chain(lost.into_iter().take(over).map(Event::gone)).collect()
    }

    /// The session that a process closes.
    #[must_use]
    pub fn closes(&self, login: &Login, leader: Option<Leader>) -> Option<&Session> {
        self.sessions.get(self.place_of_closing(login, leader)?)
    }

    /// What becomes of a session, and of what is left when its window is over.
    pub(super) fn follow_session(&mut self, record: &Record) -> Vec<Row> {
        match &record.event {
            Event::SessionOpened { claim, grant, basis, .. } => {
                let gone = claim.and_then(|claim| self.drop_claim(claim));
                let used = if basis.uses { self.use_again(*grant) } else { None };
                let opened = self.open_session(record);
                gone.into_iter().chain(used).chain(opened).chain(self.follow_stay(record)).collect()
            }
            Event::SessionAdopted { claim, grant, .. } => {
                // One that was void by then has returned its use, which this login has had all the same.
                let taken = claim.and_then(|claim| self.drop_claim(claim).or_else(|| self.use_again(*grant)));
                let rows = self.open_session(record);
                taken.into_iter().chain(rows).chain(self.follow_stay(record)).collect()
            }
            Event::SessionRefused { session, grant, returned, .. } => {
                let gone = self.drop_session(*session);
                let used = self.grants.get_mut(grant).filter(|_| *returned).map(|live| {
                    live.used = live.used.saturating_sub(1);
                    Row::Used { grant: *grant, used: live.used }
                });
                let left =
                    gone.as_ref().and_then(|session| session.login.uid).and_then(|uid| self.leave(uid));
                gone.into_iter().map(|session| Row::SessionGone(session.id)).chain(used).chain(left).collect()
            }
            Event::SessionClosed { session: Some(session), .. } => self.change(*session, |session| {
                session.closed = true;
                session.closed_at = Some(record.at.wall);
            }),
            Event::SessionClosed { login, leader, session: None } => {
                self.close_session(login, *leader).into_iter().collect()
            }
            Event::SessionPlaced { session, unit } => self.change(*session, |session| {
                session.unit = Some(unit.clone());
                session.unbound = false;
            }),
            Event::SessionUnbound { session, others, .. } => self.change(*session, |session| {
                session.unbound = true;
                session.others |= *others;
            }),
            Event::SessionMoved { session, grant, role, uses, .. } => {
                let used = if *uses { self.use_again(*grant) } else { None };
                let moved = self.change(*session, |session| {
                    session.grant = *grant;
                    session.role = Some(role.clone());
                    session.moved = true;
                });
                used.into_iter().chain(moved).collect()
            }
            Event::SessionOver { session, why, terms, .. } => {
                let over = Over { at: record.at.clone(), why: *why, terms: *terms };
                self.session_over(*session, over)
            }
            Event::SessionGone { session, unbound, .. } => {
                let Some(session) = self.drop_session(*session) else { return Vec::new() };
                let unknown = if *unbound { self.not_known_to_be_gone(session.grant) } else { Vec::new() };
                let left = session.login.uid.and_then(|uid| self.leave(uid));
                [Row::SessionGone(session.id)].into_iter().chain(unknown).chain(left).collect()
            }
            Event::Shut { grant } => {
                let grant = self.grants.get(grant).filter(|grant| !self.endings.contains_key(&grant.id));
                let ending =
                    grant.and_then(|grant| Termination::of(grant, &record.at, EndReason::RoleChanged));
                let Some(ending) = ending else { return Vec::new() };
                self.endings.insert(ending.grant, ending.clone());
                vec![Row::Termination(ending)]
            }
            Event::SessionsEnded { grant, .. } => {
                let Some(ending) = self.endings.remove(grant) else { return Vec::new() };
                [Row::EndingGone(*grant)].into_iter().chain(self.leave(ending.uid)).collect()
            }
            Event::Came { .. } => self.follow_stay(record).into_iter().collect(),
            // What it is to a grant, State::apply knows.
            of_no_session_or!(Allowed, ClaimVoided) => Vec::new(),
        }
    }

    fn use_again(&mut self, grant: GrantId) -> Option<Row> {
        let live = self.grants.get_mut(&grant)?;
        live.used = live.used.saturating_add(1);
        Some(Row::Used { grant, used: live.used })
    }

    fn drop_session(&mut self, id: u64) -> Option<Session> {
        let place = self.sessions.iter().position(|known| known.id == id)?;
        Some(self.sessions.remove(place))
    }

    /// A session of the grant has gone and may have left something that nobody can find: the record of the end of its
    /// window will say so.
    fn not_known_to_be_gone(&mut self, grant: GrantId) -> Vec<Row> {
        let ending = self.endings.get_mut(&grant).map(|ending| {
            ending.unbound = true;
            Row::Termination(ending.clone())
        });
        let grant = self.grants.get_mut(&grant).map(|grant| {
            grant.unbound = true;
            Row::Began(grant.clone())
        });
        ending.into_iter().chain(grant).collect()
    }

    fn open_session(&mut self, record: &Record) -> Vec<Row> {
        let Some(session) = opened(record) else { return Vec::new() };
        // It asks for its session late: that takes the place of the one that it was taken for. A process may be several
        // people's.
        let same = |old: &Session| {
            let is_theirs = old.login.uid == session.login.uid && old.login.service == session.login.service;
            let is_taken_for = old.adopted || (old.is_process() && is_theirs);
            is_taken_for && old.leader.is_some() && old.leader == session.leader
        };
        let late: Vec<_> = self.sessions.extract_if(.., |old| same(old)).collect();
        // Of an earlier boot nothing is left.
        let mut gone: Vec<_> =
            self.sessions.extract_if(.., |old| old.at.boot_id != record.at.boot_id).collect();
        gone.extend(late);
        // Of what cannot be found nothing can be ended, either, and PAM may never say that it closed.
        let lost = self.sessions.iter().filter(|old| !old.can_be_followed());
        let lost: Vec<u64> = lost.map(|old| old.id).collect();
        for id in lost.iter().take((lost.len() + 1).saturating_sub(MAX_OF_ONE)) {
            gone.extend(self.drop_session(*id));
        }
        // By number, as the store has them.
        let place = self.sessions.partition_point(|old| old.id < session.id);
        self.sessions.insert(place, session.clone());
        gone.iter().map(|old| Row::SessionGone(old.id)).chain([Row::Session(session)]).collect()
    }

    /// The session that closes is the one of the process that closes it; else the newest that was opened with the same
    /// words. PAM's word ends nothing that a session has left running: it is gone when whoever follows it finds nothing
    /// of it. One that cannot be followed is gone now.
    fn close_session(&mut self, login: &Login, leader: Option<Leader>) -> Option<Row> {
        let place = self.place_of_closing(login, leader)?;
        let session = self.sessions.get_mut(place)?;
        if session.can_be_followed() {
            session.closed = true;
            return Some(Row::Session(session.clone()));
        }
        Some(Row::SessionGone(self.sessions.remove(place).id))
    }

    fn place_of_closing(&self, login: &Login, leader: Option<Leader>) -> Option<usize> {
        // But for the uid: a name service that fails while somebody leaves keeps no session open.
        let same = |session: &Session| {
            !session.closed && session.login.is(&Login { uid: session.login.uid, ..login.clone() })
        };
        let own = |session: &Session| leader.is_some() && session.leader == leader && same(session);
        let alike = |session: &Session| (leader.is_none() || session.leader.is_none()) && same(session);
        self.sessions.iter().rposition(own).or_else(|| self.sessions.iter().rposition(alike))
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
            rows.push(Row::Termination(ending.clone()));
        }
        rows
    }
}

/// The session that a record opens.
fn opened(record: &Record) -> Option<Session> {
    let Opening { grant, role, opener, from, basis, login, process_in, admitted } = record.event.opening()?;
    Some(Session {
        id: admitted.unwrap_or(record.seq),
        grant,
        login: login.clone(),
        role: Some(role.clone()),
        basis: basis.clone(),
        at: record.at.clone(),
        place: admitted.map(|_| record.seq),
        by: record.actor,
        leader: opener.map(|opener| opener.leader),
        audit: opener.and_then(|opener| opener.audit),
        from,
        unit: None,
        process_in: process_in.map(str::to_owned),
        others: false,
        unbound: false,
        adopted: matches!(record.event, Event::SessionAdopted { .. }),
        closed: false,
        closed_at: None,
        moved: false,
        over: None,
    })
}

#[cfg(test)]
mod tests {
    use jit_proto::gate::Stage;

    use super::*;
    use crate::model::{Basis, Opener, Unit, Why};
    use crate::policy::Subject;
    use crate::testing::{World, as_self, maria, root, subject};

    fn session(world: &World, whom: &Subject, pid: Option<u32>) -> Event {
        let grant = world.state.grants_of(whom.uid).next().unwrap();
        let leader = pid.map(|pid| Leader { pid, start: 1 });
        Event::SessionOpened {
            grant: grant.id,
            role: grant.role.clone(),
            remaining: 60,
            claim: None,
            opener: leader.map(|leader| Opener { leader, audit: Some(leader.pid) }),
            from: None,
            basis: Basis::default(),
            process_in: None,
            admitted: None,
            login: World::question("sshd", whom, Stage::Session).login,
        }
    }

    fn open(world: &mut World, whom: &Subject, pid: Option<u32>) -> u64 {
        let (session, number) = (session(world, whom, pid), world.state.next_seq());
        world.apply([session]);
        number
    }

    #[test]
    fn whoever_has_as_many_sessions_as_are_followed_gets_no_more_and_none_is_forgotten_for_another() {
        let mut world = World::new();
        let (maria, adam) = (maria(), subject("adam", 1002));
        for whom in [&maria, &adam] {
            world.grant(&as_self(root()), whom.clone(), "shell", None).unwrap();
        }
        let first = open(&mut world, &maria, Some(1));
        for pid in 2..=u32::try_from(MAX_OF_ONE).unwrap() {
            open(&mut world, &maria, Some(pid));
        }
        let ask = |world: &World, whom: &Subject| {
            let at = |stage| world.ask(&World::question("sshd", whom, stage));
            [at(Stage::Account).why(), at(Stage::Session).why()]
        };
        assert_eq!(ask(&world, &maria), [Why::TooManySessions; 2]);
        assert_eq!(ask(&world, &adam), [Why::Window; 2], "that is her share");
        // One that is in all the same is followed like all others.
        open(&mut world, &maria, Some(9_999_999));
        assert!(world.state.session(first).is_some(), "what is forgotten outlives its window");
        for session in [first, world.state.sessions().last().unwrap().id] {
            world.apply([Event::SessionGone { session, unbound: false, past: None }]);
        }
        assert_eq!(ask(&world, &maria), [Why::Window; 2]);
    }

    #[test]
    fn sessions_that_cannot_be_found_keep_nobody_out() {
        let mut world = World::new();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        let first = open(&mut world, &maria(), None);
        for _ in 0..MAX_OF_ONE {
            open(&mut world, &maria(), None);
        }
        assert_eq!(world.state.sessions().len(), MAX_OF_ONE);
        assert!(world.state.session(first).is_none());
        assert_eq!(world.ask(&World::question("sshd", &maria(), Stage::Account)).why(), Why::Window);
    }

    #[test]
    fn what_is_found_twice_is_news_once() {
        let mut world = World::new();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        let session = open(&mut world, &maria(), Some(7));
        let unit: Unit = "session-4.scope".parse().unwrap();
        let unbound = Event::SessionUnbound { session, why: "none in time".into(), others: false };
        let placed = Event::SessionPlaced { session, unit };
        let gone = Event::SessionGone { session, unbound: false, past: None };
        for event in [unbound.clone(), placed.clone()] {
            assert!(world.state.is_news(&event), "{event:?}");
            world.apply([event.clone()]);
            assert!(!world.state.is_news(&event), "{event:?}");
        }
        assert!(!world.state.is_news(&unbound), "it was found after all");
        let other = Event::SessionPlaced { session, unit: "session-c1.scope".parse().unwrap() };
        assert!(world.state.is_news(&other), "it has gone on to another");
        assert!(world.state.is_news(&gone));
        world.apply([gone.clone()]);
        assert!(!world.state.is_news(&gone) && !world.state.is_news(&placed));
    }

    /// As jitd wrote them when each step of a login was a record.
    const OF_OLD: [&str; 5] = [
        r#""actor":{"uid":0},"event":"allowed","grant":"GRANT","role":"shell","remaining":60,"by":{"pid":7,"start":1},"service":"sshd","user":"maria","uid":1001"#,
        r#""actor":{"uid":0,"loginuid":1001,"session":5},"event":"session-opened","grant":"GRANT","role":"shell","remaining":60,"opener":{"pid":7,"start":1,"audit":5},"service":"sshd","user":"maria","uid":1001"#,
        r#""event":"session-placed","session":SESSION,"unit":"session-5.scope""#,
        r#""event":"session-closed","leader":{"pid":7,"start":1},"service":"sshd","user":"maria","uid":1001"#,
        r#""event":"session-gone","session":SESSION"#,
    ];

    #[test]
    fn a_log_of_when_each_step_was_a_record_reads_and_folds_as_ever() {
        let mut world = World::new();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        let grant = world.state.grants_of(maria().uid).next().unwrap().id.to_string();
        let (first, session) = (world.state.next_seq(), world.state.next_seq() + 1);
        let mut open = Vec::new();
        for (seq, fields) in (first..).zip(OF_OLD) {
            let fields = fields.replace("GRANT", &grant).replace("SESSION", &session.to_string());
            let head = r#""time":"2026-11-23T06:50:00Z","boot_ms":1,"boot_id":"00000000-0000-0000-0000-000000000000""#;
            let text = format!(r#"{{"seq":{seq},{head},{fields}}}"#);
            let record = Record::decode(seq, text.as_bytes()).unwrap();
            assert_eq!(
                String::from_utf8(record.encode().unwrap().bytes).unwrap(),
                text,
                "nothing is added to it"
            );
            world.state.apply(&record);
            let found = world.state.session(session);
            open.push(found.map(|one| (one.unit.clone().map(String::from), one.closed)));
        }
        let unit = Some("session-5.scope".to_owned());
        assert_eq!(open, [None, Some((None, false)), Some((unit.clone(), false)), Some((unit, true)), None]);
    }
}
