//! The checks of late whose session nobody has asked for, from the record: a jitd that starts does not know of them else,
//! and what came in by them without its session line would be nobody's.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jit_core::event::{Event, Record};
use jit_core::time::Moment;
use jit_proto::words::subject_is_caller;

use super::awaited::{Allowed, Asker, Awaited, WITHOUT_ASKER};
use super::awaiting::Awaiting;
use super::processes;
use crate::app::App;
use crate::desk::CheckRecord;
use crate::log;
use crate::store::{StoreError, rows};

/// More records of late than this are not read, and so many at a time.
const MOST: usize = 10_000;
const STRIDE: u32 = 500;

/// Waits for what was allowed before this jitd started.
pub(crate) async fn recall(app: &App) {
    let (store, now) = (app.store.clone(), app.desk.now());
    let read = zruntime::unblock(move || -> Result<VecDeque<Record>, StoreError> {
        let store = store.open_read_only()?;
        let mut latest = VecDeque::new();
        let mut end = rows::next_seq(&store)?;
        // From the last on: mostly there are few.
        while end > 0 && latest.len() < MOST {
            let first = end.saturating_sub(STRIDE.into());
            let records = rows::records(&store, first, STRIDE)?;
            let before = latest.len();
            for (seq, bytes) in records.into_iter().rev().filter(|(seq, _)| *seq < end) {
                // What a newer jitd wrote is no check of this one's.
                if let Some(record) =
                    Record::decode(seq, &bytes).ok().filter(|record| is_recent(record, &now))
                {
                    latest.push_front(record);
                }
            }
            end = if latest.len() == before { 0 } else { first };
        }
        Ok(latest)
    });
    match read.await {
        Ok(latest) => {
            for record in latest {
                follow(&app.awaiting, record);
            }
            // What is open is noted and not on record.
            let open =
                app.desk.look(|here| here.state.sessions().iter().map(|one| one.id).collect::<Vec<_>>());
            for session in open.unwrap_or_default() {
                app.awaiting.opened(session);
            }
        }
        Err(err) => log::warning(format_args!("checks of before this start are not followed: {err}")),
    }
}

fn is_recent(record: &Record, now: &Moment) -> bool {
    let age = Duration::from_millis(now.boot.saturating_sub(record.at.boot));
    record.at.boot_id == now.boot_id && age < WITHOUT_ASKER
}

/// What a record makes of those that are waited for.
fn follow(awaiting: &Awaiting, record: Record) {
    if let Some(opening) = record.event.opening() {
        awaiting.asked_by(opening.opener.map(|opener| opener.leader), opening.login, false);
    }
    // It opened by that check and is over.
    if let Some((session, _)) = record.event.leaving() {
        awaiting.opened(session);
    }
    // What ends with the window is in by its check.
    let Event::Allowed { grant, role, claim, by: Some(by), ends: None, from, basis, login, .. } =
        record.event
    else {
        return;
    };
    let parent = processes::read(by.pid).filter(|process| process.id == by);
    let parent = parent.and_then(|process| processes::leader(process.parent()));
    let is_caller = subject_is_caller(&login.service);
    let asker = Asker::recalled(by, &login.service);
    let allowed = Allowed {
        check: CheckRecord { seq: record.seq, grant, claims: claim.is_some(), awaits_key: basis.awaits_key },
        role,
        basis,
        // An older jitd did not write it down.
        from: from.or_else(|| login.rhost.parse::<IpAddr>().ok().filter(|_| !is_caller)),
        login,
    };
    awaiting.keep(Awaited {
        allowed,
        asker,
        parent: parent.filter(|_| !is_caller),
        at: Duration::from_millis(record.at.boot),
        recalled: true,
        was_refused: AtomicBool::new(false),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::awaited::tests::allowed;
    use jit_core::model::{Leader, Opener};
    use jit_core::time::{BootId, Utc};

    fn moment(boot: u64) -> Moment {
        Moment::believed(Utc::from_unix_millis(0), boot, BootId::default())
    }

    fn record(seq: u64, event: Event) -> Record {
        Record { seq, at: moment(60_000), actor: None, event }
    }

    fn check(by: Option<Leader>) -> Event {
        let Allowed { check, role, basis, login, .. } = allowed("sshd");
        let grant = check.grant;
        let (claim, ends, asker, from) = (None, None, None, None);
        Event::Allowed { grant, role, remaining: 60, claim, by, ends, asker, from, basis, login }
    }

    fn waits(events: impl IntoIterator<Item = Event>) -> bool {
        let awaiting = Awaiting::default();
        for (seq, event) in (0..).zip(events) {
            follow(&awaiting, record(seq, event));
        }
        awaiting.may_bring_anything()
    }

    #[test]
    fn a_check_that_no_session_followed_is_waited_for_again_by_the_jitd_that_starts() {
        let by = Leader { pid: 4_194_305, start: 7 };
        assert!(waits([check(Some(by))]));
        assert!(!waits([check(None)]), "somebody unprivileged asked");
        let Allowed { check: CheckRecord { grant, .. }, role, basis, login, .. } = allowed("sshd");
        let opener = Opener { leader: by, audit: Some(4) };
        let (role_too, login_too) = (role.clone(), login.clone());
        let with_line = Event::SessionOpened {
            grant,
            role,
            remaining: 60,
            claim: None,
            opener: Some(opener),
            from: None,
            basis: basis.clone(),
            process_in: None,
            admitted: None,
            login,
        };
        assert!(!waits([check(Some(by)), with_line]));
        let (role, login) = (role_too, login_too);
        let adopted = Event::SessionAdopted { grant, role, claim: None, opener, from: None, basis, login };
        assert!(!waits([check(Some(by)), adopted]));
        // It opened by that check, whose record is the session's, and is over.
        let gone = |session| Event::SessionGone { session, unbound: false, past: None };
        assert!(!waits([check(Some(by)), gone(0)]));
        assert!(waits([check(Some(by)), gone(7)]), "another session's end");
    }

    #[test]
    fn what_was_allowed_long_ago_or_before_the_machine_started_brings_nothing() {
        let one = record(0, check(None));
        assert!(is_recent(&one, &moment(61_000)));
        assert!(!is_recent(&one, &moment(60_000 + 180_000)));
        let boot_id = "11111111-1111-1111-1111-111111111111".parse().unwrap();
        assert!(!is_recent(&one, &Moment { boot_id, ..moment(61_000) }));
    }
}
