//! Who is here by windows: what each event makes of a stay.

use jit_proto::words::Uid;

use crate::event::{Event, Record};
use crate::model::{Login, Opener, Stay};
use crate::state::{Row, State};
use crate::time::Moment;

/// How many audit sessions of one stay are remembered: the newest.
const MAX_AUDITS: usize = 1024;

impl State {
    /// The stay of a uid, if they are here by a window.
    #[must_use]
    pub fn stay(&self, uid: Uid) -> Option<&Stay> {
        self.stays.get(&uid)
    }

    /// Everybody who is here by a window.
    pub fn stays(&self) -> impl Iterator<Item = &Stay> {
        self.stays.values()
    }

    /// Whether a login that is allowed now begins a stay, so that it has to be noted what was there before. Root is
    /// not a person: nothing of root's is ended but its sessions.
    #[must_use]
    pub fn begins_stay(&self, uid: Uid, now: &Moment) -> bool {
        !uid.is_root() && self.stay(uid).is_none_or(|stay| stay.since.boot_id != now.boot_id)
    }

    /// What an event makes of a stay.
    pub(crate) fn follow_stay(&mut self, record: &Record) -> Option<Row> {
        if let Event::Came { user, uid, lingers } = &record.event {
            // What lingers after a restart of the machine may have been told to meanwhile.
            let lingered = self.stays.get(uid).map_or(*lingers, |known| known.lingered);
            let (since, audits) = (record.at.clone(), Vec::new());
            let stay = Stay { uid: *uid, user: user.clone(), since, lingered, audits };
            self.stays.insert(*uid, stay.clone());
            return Some(Row::Stay(stay));
        }
        let opening = record.event.opening()?;
        self.came_again(opening.login, opening.opener?)
    }

    /// Another login of a stay.
    fn came_again(&mut self, login: &Login, opener: Opener) -> Option<Row> {
        let (uid, audit) = login.uid.zip(opener.audit)?;
        let stay = self.stays.get_mut(&uid).filter(|stay| !stay.audits.contains(&audit))?;
        let over = (stay.audits.len() + 1).saturating_sub(MAX_AUDITS);
        stay.audits.drain(..over);
        // The kernel counts them up; what a log says of them comes in the order of ends.
        let place = stay.audits.partition_point(|known| *known < audit);
        stay.audits.insert(place, audit);
        Some(Row::Stay(stay.clone()))
    }

    /// Ends the stay of a uid of whom nothing is open or left any more.
    pub(crate) fn leave(&mut self, uid: Uid) -> Option<Row> {
        let is_here = self.grants_of(uid).any(|grant| grant.window().is_some())
            || self.sessions().iter().any(|session| session.login.uid == Some(uid) && !session.goes_on())
            || self.endings().values().any(|ending| ending.uid == uid);
        let gone = if is_here { None } else { self.stays.remove(&uid) };
        gone.map(|stay| Row::StayGone(stay.uid))
    }
}

#[cfg(test)]
mod tests {
    use jit_proto::gate::Stage;

    use super::*;
    use crate::model::{EndReason, EndTerms, Leader, Opener};
    use crate::testing::{World, as_self, maria, root};
    use crate::time::{BootId, Utc};

    fn uid() -> Uid {
        maria().uid
    }

    fn other_boot() -> BootId {
        "11111111-1111-1111-1111-111111111111".parse().unwrap()
    }

    fn came(lingers: bool) -> Event {
        Event::Came { user: maria().name, uid: uid(), lingers }
    }

    /// Maria has come in by a window, and her session is open; its number.
    fn inside(world: &mut World, lingers: bool) -> u64 {
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        assert!(world.state.begins_stay(uid(), &world.now));
        world.apply([came(lingers)]);
        let session = world.state.next_seq();
        let mut question = World::question("sshd", &maria(), Stage::Session);
        question.opener = Some(Opener { leader: Leader { pid: 7, start: 7 }, audit: Some(5) });
        world.log_in(&question);
        session
    }

    fn ended(world: &World) -> Event {
        let grant = *world.state.endings().keys().next().unwrap();
        Event::ended_whole(grant, maria().name, Vec::new())
    }

    #[test]
    fn a_stay_lasts_until_no_window_session_or_end_of_the_person_is_left() {
        let mut world = World::new();
        let session = inside(&mut world, true);
        let stay = world.state.stay(uid()).unwrap().clone();
        assert_eq!((stay.lingered, stay.audits.as_slice()), (true, &[5][..]));
        assert!(!world.state.begins_stay(uid(), &world.now), "the next login is of the same stay");
        // A second window, and the end of the first.
        world.grant(&as_self(root()), maria(), "once", None).unwrap();
        let first = world.state.grants_of(uid()).next().unwrap().request();
        world.revoke(first);
        let terms = EndTerms::of(None, EndReason::Revoked);
        world.apply([Event::SessionOver { session, why: EndReason::Revoked, terms, reason: None }]);
        world.apply([Event::SessionGone { session, unbound: false, past: None }, ended(&world)]);
        assert_eq!(world.state.stay(uid()), Some(&stay), "windows that overlap are one stay");
        let second = world.state.grants_of(uid()).next().unwrap().request();
        world.revoke(second);
        assert!(world.state.stay(uid()).is_some(), "until what is left is gone");
        world.apply([ended(&world)]);
        assert_eq!(world.state.stay(uid()), None);
        assert!(world.state.begins_stay(uid(), &world.now));
    }

    #[test]
    fn what_lingers_after_a_restart_of_the_machine_lingered_before_only_if_it_was_noted_then() {
        let mut world = World::new();
        inside(&mut world, false);
        world.now.boot_id = other_boot();
        assert!(world.state.begins_stay(uid(), &world.now));
        world.apply([came(true)]);
        let stay = world.state.stay(uid()).unwrap();
        assert_eq!((stay.lingered, stay.audits.len()), (false, 0));
        assert_eq!(stay.since, world.now);
    }

    #[test]
    fn root_has_no_stay() {
        assert!(!World::new().state.begins_stay(Uid::ROOT, &World::new().now));
    }

    #[test]
    fn before_is_the_whole_tick_before_and_after_a_restart_what_lingered() {
        let at = |boot| Moment::believed(Utc::from_unix_millis(0), boot, BootId::default());
        let stay = |lingered| Stay {
            uid: uid(),
            user: maria().name,
            since: at(10_000),
            lingered,
            audits: Vec::new(),
        };
        assert!(stay(false).is_before(999, &at(20_000)));
        assert!(!stay(false).is_before(1000, &at(20_000)), "in the tick in which they came");
        let next = Moment { boot_id: other_boot(), ..at(500) };
        assert!(stay(true).is_before(20, &next) && !stay(false).is_before(20, &next));
    }
}
