//! The log folded by rules of its own: what DESIGN.md says of windows, uses, locks, sessions, ends and stays, and nothing of
//! how jitd keeps them. A house test holds that it takes words of the code and none of its rules.

use std::collections::{BTreeMap, BTreeSet};

use jit_core::event::{Event, Record};
use jit_core::model::{Leader, Login, Past, Session, Time};
use jit_proto::words::Uid;

/// What lives, in words that can be compared.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Live {
    /// How often each grant was used, by grant; of what has ended, its last count.
    pub(crate) used: BTreeMap<String, u32>,
    /// Grant by claim.
    pub(crate) claims: BTreeMap<u64, String>,
    /// What is locked.
    pub(crate) locks: BTreeSet<String>,
    /// Sessions by the record that admitted them.
    pub(crate) sessions: BTreeMap<u64, Seat>,
    /// Ends that have not been carried through, by grant.
    pub(crate) endings: BTreeMap<String, Ending>,
    /// Who is here by windows, by uid.
    pub(crate) stays: BTreeMap<u32, Here>,
}

/// A session that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) grant: String,
    pub(crate) user: String,
    pub(crate) service: String,
    /// It came in without asking for its session.
    pub(crate) adopted: bool,
    /// It went on under another grant.
    pub(crate) moved: bool,
    /// Why it is being ended.
    pub(crate) over: Option<String>,
}

/// A window that has ended while something of it may run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) user: String,
    pub(crate) why: String,
    /// The sessions that end with it.
    pub(crate) sessions: Vec<u64>,
}

/// Somebody who is here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Here {
    pub(crate) user: String,
    pub(crate) since: String,
}

/// A session that opens: where in the log, by what, and what is known of its process.
struct Opening {
    place: u64,
    id: u64,
    seat: Seat,
    uid: Option<u32>,
    leader: Option<Leader>,
}

/// Whose a live grant is, and whether its window has begun.
struct Window {
    user: String,
    uid: u32,
    begun: bool,
}

/// What the log says lives at its end, with the sessions that are open: their openings are no records while they are.
pub(crate) fn folded(records: &[Record], open: &[Session]) -> Live {
    let openings = openings(records, open);
    let mut fold = Fold::default();
    for record in records {
        for opening in openings.iter().filter(|one| one.place == record.seq) {
            fold.opens_by_its_check(opening, records);
        }
        fold.goes_on(record);
    }
    let after = u64::try_from(records.len()).expect("a log fits");
    for opening in openings.iter().filter(|one| one.place == after) {
        fold.opens_by_its_check(opening, records);
    }
    fold.live
}

/// The sessions that opened by a check, whose record is theirs: as the record of the end says or, while one is open, its
/// row.
fn openings(records: &[Record], open: &[Session]) -> Vec<Opening> {
    let ended = records.iter().filter_map(|record| match &record.event {
        Event::SessionGone { session, past: Some(past), .. } => Some((*session, (**past).clone())),
        _ => None,
    });
    let open = open.iter().map(|one| (one.id, Past::of(one)));
    // Under which grant it opened: where it was moved, the log says from which.
    let first = |id: u64, last: &Past| {
        let from = records.iter().find_map(|record| match &record.event {
            Event::SessionMoved { session, from, .. } if *session == id => Some(*from),
            _ => None,
        });
        from.unwrap_or(last.grant)
    };
    let opening = |(id, past): (u64, Past)| {
        let leader = past.opener.map(|opener| opener.leader);
        let seat = seat_of(first(id, &past), &past.login, past.adopted);
        Some(Opening { place: past.place?, id, seat, uid: uid_of(&past.login), leader })
    };
    ended.chain(open).filter_map(opening).collect()
}

fn seat_of(grant: impl ToString, login: &Login, adopted: bool) -> Seat {
    let (user, service) = (login.user.to_string(), login.service.to_string());
    Seat { grant: grant.to_string(), user, service, adopted, moved: false, over: None }
}

fn uid_of(login: &Login) -> Option<u32> {
    login.uid.map(Uid::as_u32)
}

#[derive(Default)]
struct Fold {
    live: Live,
    /// Grants that have not ended.
    windows: BTreeMap<String, Window>,
    /// Of sessions that are open: the uid, and the process that opened each.
    of: BTreeMap<u64, (Option<u32>, Option<Leader>)>,
}

impl Fold {
    /// Law 7: it has a record of a check that was allowed, before it, of the same person at the same service; and law 6:
    /// what it opens under has begun and not ended.
    fn opens_by_its_check(&mut self, opening: &Opening, records: &[Record]) {
        let id = opening.id;
        assert!(id < opening.place, "session {id} opened before its check");
        let check = usize::try_from(id).ok().and_then(|seq| records.get(seq));
        let Some(Event::Allowed { login, .. }) = check.map(|check| &check.event) else {
            panic!("session {id} opened by no check: {check:?}")
        };
        let asked = (login.user.to_string(), login.service.to_string());
        assert_eq!(asked, (opening.seat.user.clone(), opening.seat.service.clone()), "session {id}");
        let window = self.windows.get(&opening.seat.grant);
        assert!(window.is_some_and(|window| window.begun), "session {id} opened under no window");
        self.live.claims.remove(&id);
        self.opens(id, opening.seat.clone(), opening.uid, opening.leader);
    }

    fn opens(&mut self, id: u64, seat: Seat, uid: Option<u32>, leader: Option<Leader>) {
        // Its session line came late: what was found of it without is the same session.
        let found: Vec<u64> = (self.of.iter())
            .filter(|(known, (_, of))| {
                leader.is_some() && *of == leader && self.live.sessions[*known].adopted
            })
            .map(|(known, _)| *known)
            .collect();
        for known in found {
            self.closes(known);
        }
        self.live.sessions.insert(id, seat);
        self.of.insert(id, (uid, leader));
    }

    fn closes(&mut self, id: u64) -> Option<u32> {
        self.live.sessions.remove(&id);
        self.of.remove(&id).and_then(|(uid, _)| uid)
    }

    /// Uses are counted of what has not ended.
    fn uses(&mut self, grant: &str, change: i32) {
        if self.windows.contains_key(grant)
            && let Some(used) = self.live.used.get_mut(grant)
        {
            *used = used.checked_add_signed(change).expect("no more uses return than were taken");
        }
    }

    /// Somebody of whom nothing is open, running or being ended is here no more.
    fn may_have_left(&mut self, uid: Option<u32>) {
        let Some(uid) = uid else { return };
        let user = self.live.stays.get(&uid).map(|here| here.user.clone());
        let is_here = self.windows.values().any(|window| window.begun && window.uid == uid)
            || self.of.values().any(|(of, _)| *of == Some(uid))
            || self.live.endings.values().any(|ending| Some(&ending.user) == user.as_ref());
        if !is_here {
            self.live.stays.remove(&uid);
        }
    }

    fn goes_on(&mut self, record: &Record) {
        match &record.event {
            Event::Locked { lock, .. } => {
                self.live.locks.insert(lock.scope.to_string());
            }
            Event::Unlocked { scope, .. } => {
                assert!(self.live.locks.remove(&scope.to_string()), "what is unlocked was locked");
            }
            Event::Came { user, uid, .. } => {
                let here = Here { user: user.to_string(), since: record.at.wall.to_string() };
                self.live.stays.insert(uid.as_u32(), here);
            }
            _ => {
                self.windows_go_on(record);
                self.sessions_go_on(record);
            }
        }
    }

    fn windows_go_on(&mut self, record: &Record) {
        match &record.event {
            Event::Opened { grant } => {
                let begun = matches!(grant.time, Time::Open { .. });
                let window = Window { user: grant.user.to_string(), uid: grant.uid.as_u32(), begun };
                self.windows.insert(grant.id.to_string(), window);
                self.live.used.insert(grant.id.to_string(), 0);
            }
            Event::Began { grant, .. } => {
                let window = self.windows.get_mut(&grant.to_string()).expect("what begins is open");
                window.begun = true;
            }
            Event::Ended { grant, why, .. } => {
                let grant = grant.to_string();
                let window = self.windows.remove(&grant).expect("what ends was open");
                self.live.claims.retain(|_, of| *of != grant);
                if window.begun {
                    // It may have been shut before it ended.
                    let sessions =
                        self.live.endings.remove(&grant).map_or_else(Vec::new, |shut| shut.sessions);
                    let ending = Ending { user: window.user, why: why.to_string(), sessions };
                    self.live.endings.insert(grant, ending);
                }
            }
            Event::Shut { grant } => {
                let grant = grant.to_string();
                let window = self.windows.get(&grant).expect("what is shut is open");
                let ending =
                    Ending { user: window.user.clone(), why: "role-changed".into(), sessions: Vec::new() };
                let before = self.live.endings.insert(grant, ending);
                assert_eq!(before, None, "a window is shut once");
            }
            Event::SessionsEnded { grant, .. } => {
                let ending =
                    self.live.endings.remove(&grant.to_string()).expect("an end is carried through once");
                let uids: Vec<u32> = (self.live.stays.iter())
                    .filter_map(|(uid, here)| (here.user == ending.user).then_some(*uid))
                    .collect();
                for uid in uids {
                    self.may_have_left(Some(uid));
                }
            }
            Event::Allowed { grant, claim: Some(_), .. } => {
                self.uses(&grant.to_string(), 1);
                self.live.claims.insert(record.seq, grant.to_string());
            }
            Event::ClaimVoided { grant, claim } if self.live.claims.remove(claim).is_some() => {
                self.uses(&grant.to_string(), -1);
            }
            _ => {}
        }
    }

    fn sessions_go_on(&mut self, record: &Record) {
        match &record.event {
            Event::SessionAdopted { grant, claim, opener, login, .. } => {
                // One that was void by then has returned its use, which this login has had all the same.
                if claim.is_some_and(|claim| self.live.claims.remove(&claim).is_none()) {
                    self.uses(&grant.to_string(), 1);
                }
                self.opens(record.seq, seat_of(*grant, login, true), uid_of(login), Some(opener.leader));
            }
            // One that no check of this jitd was for, or whose check did not know who it is: its opening is a record of its
            // own, and takes a use that the check did not.
            Event::SessionOpened { grant, claim, opener, basis, login, admitted: None, .. } => {
                claim.map(|claim| self.live.claims.remove(&claim));
                if basis.uses {
                    self.uses(&grant.to_string(), 1);
                }
                let leader = opener.map(|opener| opener.leader);
                self.opens(record.seq, seat_of(*grant, login, false), uid_of(login), leader);
            }
            Event::SessionMoved { session, grant, uses, .. } => {
                if *uses {
                    self.uses(&grant.to_string(), 1);
                }
                let seat = self.live.sessions.get_mut(session).expect("what goes on is open");
                (seat.grant, seat.moved) = (grant.to_string(), true);
            }
            Event::SessionOver { session, why, .. } => {
                let seat = self.live.sessions.get_mut(session).expect("what is ended is open");
                seat.over = Some(why.to_string());
                if let Some(ending) = self.live.endings.get_mut(&seat.grant)
                    && !ending.sessions.contains(session)
                {
                    ending.sessions.push(*session);
                }
            }
            // It was open for as long as it took to find that it gets no scope; nothing is kept of that.
            Event::SessionRefused { session, grant, returned, login, .. } => {
                self.live.claims.remove(session);
                self.closes(*session);
                if *returned {
                    self.uses(&grant.to_string(), -1);
                }
                self.may_have_left(uid_of(login));
            }
            Event::SessionGone { session, .. } => {
                assert!(self.live.sessions.contains_key(session), "session {session} goes, and once");
                let uid = self.closes(*session);
                self.may_have_left(uid);
            }
            _ => {}
        }
    }
}
