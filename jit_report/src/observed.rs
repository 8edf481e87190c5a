//! Who would have been refused where jitd only watched: by policy (`observe`), which the answer says, or by the PAM line, which
//! hears no refusal. So that nobody is surprised once refusals count.

use std::collections::{BTreeMap, BTreeSet};

use jit_core::event::{Event, Record};
use jit_core::model::{Login, PamFileSeen, Why};
use jit_core::time::Utc;
use jit_proto::words::{ServiceName, Uid, UserName};
use serde::Serialize;

use crate::period::Period;

/// So many different ones are told apart; what is above that is counted. Strangers make up names.
const MOST: usize = 1000;

/// So many places of one are named.
const MOST_PLACES: usize = 8;

/// Who only watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Watcher {
    /// `observe` of the policy.
    Policy,
    /// The line in the PAM file, as `jitctl enable` writes it.
    Pam,
}

/// Logins of one account at one service that would have been refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WouldRefuse {
    /// The account that came.
    pub account: UserName,
    /// Its uid; absent where the name service knew none.
    pub uid: Option<Uid>,
    /// The person behind it, where people share the account and a key said who it was.
    pub person: Option<String>,
    /// The PAM service.
    pub service: ServiceName,
    /// Why it would have been refused.
    pub why: &'static str,
    /// Who only watched.
    pub by: Watcher,
    /// How often. A login whose session was asked about as well counts once.
    pub count: u64,
    /// Whether other accounts or services are among these: there were too many different ones in a minute to be told apart.
    pub others: bool,
    /// Where from, as PAM had it, of those that have a record of their own.
    pub from: BTreeSet<String>,
    /// How many more places there were.
    pub more_places: u64,
    /// Whom su and sudo were to become.
    pub targets: BTreeSet<UserName>,
    /// The record of the first.
    pub first: Utc,
    /// The record of the last: at most a minute after it.
    pub last: Utc,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ObservedRefusals {
    /// By service and account.
    pub rows: Vec<WouldRefuse>,
    /// How many were in none of these: there were too many different ones.
    pub uncounted: u64,
    /// The services whose PAM lines only watched at the end, by the last look at the files that is on record.
    pub watching: BTreeSet<String>,
}

type Key = (ServiceName, UserName, &'static str, Watcher, bool);

/// What is learned of it, record by record.
#[derive(Debug, Default)]
pub(crate) struct ObservedFold {
    watching: BTreeSet<String>,
    /// The services that ask jitd, by the last look at their files; none before the first.
    asking: Option<BTreeSet<String>>,
    /// Refusals at services that did not ask by then: jitd looks at a file a second after it was written.
    early: Vec<Early>,
    rows: BTreeMap<Key, WouldRefuse>,
    uncounted: u64,
}

/// A refusal at a service of which nothing is known yet.
#[derive(Debug)]
struct Early {
    at: Utc,
    why: Why,
    count: u64,
    others: bool,
    login: Login,
    last: Option<Login>,
}

impl ObservedFold {
    pub(crate) fn take(&mut self, record: &Record, period: Period) {
        let at = record.at.wall;
        if let Event::PamFiles(files) = &record.event {
            let named = |is: fn(&PamFileSeen) -> bool| {
                files.files.iter().filter(|file| is(file)).map(|file| file.name.clone()).collect()
            };
            self.watching = named(|file| file.watches);
            self.asking = Some(named(|file| file.account));
            for Early { at, why, count, others, login, last } in std::mem::take(&mut self.early) {
                if self.watching.contains(login.service.as_str()) {
                    self.add(at, (why, Watcher::Pam), count, others, (&login, last.as_ref()));
                }
            }
        } else if !period.has(at) {
            // What PAM files were before the period says what they were in it.
        } else if let Event::Unmanaged { would: Some(why), count, last, others, login, .. } = &record.event {
            self.add(at, (*why, Watcher::Policy), u64::from(count.get()), *others, (login, last.as_deref()));
        } else if let Event::Denied { why, count, last, others, login } = &record.event {
            let (count, others) = (u64::from(count.get()), *others);
            if self.watching.contains(login.service.as_str()) {
                self.add(at, (*why, Watcher::Pam), count, others, (login, last.as_deref()));
            } else if self.asking.as_ref().is_some_and(|asking| !asking.contains(login.service.as_str()))
                && self.early.len() < MOST
            {
                let (login, last) = (login.clone(), last.as_deref().cloned());
                self.early.push(Early { at, why: *why, count, others, login, last });
            }
        }
    }

    fn add(
        &mut self,
        at: Utc,
        (why, by): (Why, Watcher),
        count: u64,
        others: bool,
        (login, last): (&Login, Option<&Login>),
    ) {
        if !why.refuses() {
            return;
        }
        let key = (login.service.clone(), login.user.clone(), why.as_str(), by, others);
        if self.rows.len() >= MOST && !self.rows.contains_key(&key) {
            self.uncounted = self.uncounted.saturating_add(count);
            return;
        }
        let row = self.rows.entry(key).or_insert_with(|| WouldRefuse {
            account: login.user.clone(),
            uid: login.uid,
            person: None,
            service: login.service.clone(),
            why: why.as_str(),
            by,
            count: 0,
            others,
            from: BTreeSet::new(),
            more_places: 0,
            targets: BTreeSet::new(),
            first: at,
            last: at,
        });
        row.count = row.count.saturating_add(count);
        row.last = row.last.max(at);
        for login in [Some(login), last].into_iter().flatten() {
            row.person = row.person.take().or_else(|| login.person.as_ref().map(ToString::to_string));
            if !login.rhost.is_empty() && !row.from.contains(&login.rhost) {
                if row.from.len() < MOST_PLACES {
                    row.from.insert(login.rhost.clone());
                } else {
                    row.more_places += 1;
                }
            }
            if let Some(target) = login.target.as_ref().filter(|_| row.targets.len() < MOST_PLACES) {
                row.targets.insert(target.clone());
            }
        }
    }

    pub(crate) fn finish(self) -> ObservedRefusals {
        let Self { watching, rows, uncounted, .. } = self;
        ObservedRefusals { rows: rows.into_values().collect(), uncounted, watching }
    }
}
