//! The name service: names, uids and groups.
//!
//! It can hang for minutes, and what it hangs on is mostly not what an answer depends on. So a lookup is several
//! questions, the name with its uid and then each group; this host's own files answer at once what is theirs to say, and
//! whoever asks goes on as soon as what is there is enough.

mod flights;
mod local;
mod whose;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jit_core::model::Known;
use jit_core::policy::Subject;
use jit_proto::words::{GroupName, Uid, UserName};
use zruntime::SharedRuntime;

use crate::clock::since_boot;
use flights::{Answer, Ask, Flight, Flights, Question, Turn, ask_host};
use local::Local;
use whose::{Account, LIMIT};
pub(crate) use whose::{Share, Whose};

/// The name service.
pub(crate) struct Names {
    local: Local,
    flights: Arc<Flights>,
    runtime: SharedRuntime,
}

impl Names {
    /// The name service of this host.
    pub(crate) fn new(runtime: SharedRuntime) -> Self {
        Self::of(Path::new("/etc"), Arc::new(ask_host), runtime)
    }

    /// The uid of this name in this host's own account files. No other source is asked: who could name an account there
    /// could make it ask about others.
    pub(crate) fn own_uid(&self, name: &UserName) -> Option<Uid> {
        self.local.uid(name)
    }

    /// Why the name service's word that there is no such account or group is not believed here, if it is not.
    pub(crate) fn doubts(&self) -> BTreeSet<String> {
        let hidden = [self.local.hides_accounts(), self.local.hides_groups()];
        hidden.into_iter().flatten().map(|hidden| hidden.to_string()).collect()
    }

    /// Whether it is believed that there is no such group.
    pub(crate) fn believes_no_of_groups(&self) -> bool {
        self.local.hides_groups().is_none()
    }

    fn of(etc: &Path, ask: Arc<Ask>, runtime: SharedRuntime) -> Self {
        Self { local: Local::new(etc), flights: Flights::new(ask), runtime }
    }

    /// Time for lookups that belong together.
    pub(crate) fn patience(&self) -> Patience {
        Patience {
            bell: Arc::new(zruntime::Event::new()),
            until: since_boot() + LIMIT,
            runtime: self.runtime.clone(),
        }
    }

    /// Begins to look an account up.
    pub(crate) fn lookup(&self, whose: Whose, share: Share, patience: &Patience) -> Lookup<'_> {
        let account = self.local.account(&whose).map_or(Part::Open, |account| Part::Said(Some(account)));
        Lookup {
            names: self,
            whose,
            share,
            bell: Arc::clone(&patience.bell),
            account,
            memberships: Part::Open,
            gids: BTreeMap::new(),
            is_in: BTreeMap::new(),
        }
    }

    /// What is known of an account and these groups once the name service has said all of it, or the time is over.
    pub(crate) async fn account(&self, whose: Whose, share: Share, groups: &BTreeSet<GroupName>) -> Known {
        let patience = self.patience();
        let mut lookup = self.lookup(whose, share, &patience);
        loop {
            let known = lookup.known(groups);
            if known.unanswered(groups).is_empty() && known != Known::Unanswered
                || !patience.more([&lookup]).await
            {
                return known;
            }
        }
    }

    /// Those of these accounts that are in a group; whoever the name service does not answer for is left out. They are
    /// all asked about at once, and none is waited for longer than one would be.
    pub(crate) async fn members(
        &self,
        names: BTreeSet<UserName>,
        group: &GroupName,
        share: Share,
    ) -> BTreeSet<UserName> {
        let patience = self.patience();
        let groups = BTreeSet::from([group.clone()]);
        let mut lookups: Vec<_> = names
            .into_iter()
            .map(|name| (name.clone(), self.lookup(Whose::Name(name), share, &patience)))
            .collect();
        let mut members = BTreeSet::new();
        loop {
            for (name, lookup) in &mut lookups {
                if lookup.known(&groups).subject().is_some_and(|subject| subject.groups.contains(group)) {
                    members.insert(name.clone());
                }
            }
            if !patience.more(lookups.iter().map(|(_, lookup)| lookup)).await {
                return members;
            }
        }
    }
}

/// The time for lookups that belong together.
pub(crate) struct Patience {
    bell: Arc<zruntime::Event>,
    /// By the boot clock.
    until: Duration,
    runtime: SharedRuntime,
}

impl Patience {
    /// Waits until one of these lookups is told something new; false if none will be in time.
    pub(crate) async fn more<'l, 'n: 'l>(&self, lookups: impl IntoIterator<Item = &'l Lookup<'n>>) -> bool {
        let rings = self.bell.listen();
        let mut waits = false;
        for lookup in lookups {
            match lookup.stands() {
                Stands::HasNews => return true,
                Stands::Waits => waits = true,
                Stands::Over => {}
            }
        }
        let left = self.until.saturating_sub(since_boot());
        waits && !left.is_zero() && self.runtime.timeout(left, rings).await.is_ok()
    }
}

/// One part of what is looked up.
enum Part<T> {
    /// The name service was not asked.
    Open,
    /// To be asked when it is its turn.
    Waiting(Arc<Turn>),
    /// On its way.
    Asked(Arc<Flight>),
    Said(T),
    /// There will be no answer: the name service failed.
    Failed,
}

impl<T> Part<T> {
    /// Asks where nobody has.
    fn ask(&mut self, put: impl FnOnce() -> Result<Arc<Flight>, Arc<Turn>>) {
        if matches!(self, Self::Open) {
            *self = put().map_or_else(Self::Waiting, Self::Asked);
        }
    }

    /// What had to wait for its turn is asked again when that has come, if anybody still wants to know.
    fn reopen(&mut self) {
        if matches!(self, Self::Waiting(turn) if turn.has_come()) {
            *self = Self::Open;
        }
    }

    /// Takes the answer in, if there is one by now.
    fn land(&mut self, read: impl FnOnce(Answer) -> Option<T>) {
        if let Self::Asked(flight) = self
            && let Some(answer) = flight.answer()
        {
            *self = read(answer).map_or(Self::Failed, Self::Said);
        }
    }

    const fn said(&self) -> Option<&T> {
        if let Self::Said(value) = self { Some(value) } else { None }
    }

    fn stands(&self) -> Stands {
        match self {
            Self::Asked(flight) if flight.answer().is_some() => Stands::HasNews,
            Self::Waiting(turn) if turn.has_come() => Stands::HasNews,
            Self::Asked(_) | Self::Waiting(_) => Stands::Waits,
            Self::Open | Self::Said(_) | Self::Failed => Stands::Over,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stands {
    Over,
    Waits,
    HasNews,
}

/// One account that is looked up.
pub(crate) struct Lookup<'n> {
    names: &'n Names,
    whose: Whose,
    share: Share,
    bell: Arc<zruntime::Event>,
    account: Part<Option<Account>>,
    /// The gids, and whether they are all.
    memberships: Part<(Vec<u32>, bool)>,
    gids: BTreeMap<GroupName, Part<Option<u32>>>,
    /// What was found out of groups.
    is_in: BTreeMap<GroupName, bool>,
}

impl Lookup<'_> {
    /// What is known by now of the account and these groups. Asks about what is not.
    pub(crate) fn known<'g>(&mut self, groups: impl IntoIterator<Item = &'g GroupName>) -> Known {
        let (names, share, bell) = (self.names, self.share, Arc::clone(&self.bell));
        let put = |question: Question| names.flights.put(&question, share, &bell);
        self.account.reopen();
        self.memberships.reopen();
        self.gids.values_mut().for_each(Part::reopen);
        self.account.ask(|| put(Question::Account(self.whose.clone())));
        self.land();
        let account = match self.account.said() {
            Some(Some(account)) => account.clone(),
            Some(None) => return Known::Not,
            None => return Known::Unanswered,
        };
        for group in groups {
            if self.is_in.contains_key(group) {
                continue;
            }
            if let Some(is_in) = names.local.is_in(&account, group) {
                self.is_in.insert(group.clone(), is_in);
                continue;
            }
            self.memberships.ask(|| put(Question::Memberships(account.name.clone(), account.gid)));
            let gid = self.gids.entry(group.clone()).or_insert(Part::Open);
            gid.ask(|| put(Question::Gid(group.clone())));
        }
        self.land();
        let chosen = |wanted: bool| {
            let these = self.is_in.iter().filter(|(_, is_in)| **is_in == wanted);
            these.map(|(group, _)| group.clone()).collect::<BTreeSet<_>>()
        };
        let (also, is_local) = names.local.also(&account);
        let subject =
            Subject { also, is_local, groups: chosen(true), ..Subject::named(account.name, account.uid) };
        Known::partly(subject, chosen(false))
    }

    /// Takes in whatever answers there are, and what they come to. That there is none of something is an answer only
    /// where every source was there to say so.
    fn land(&mut self) {
        let local = &self.names.local;
        let all_are_heard = self.stands() != Stands::Over && local.hides_groups().is_none();
        self.account.land(|answer| match answer {
            Answer::Account(None) if local.hides_accounts().is_some() => None,
            Answer::Account(found) => Some(found),
            Answer::Memberships { .. } | Answer::Gid(_) | Answer::Failed => None,
        });
        self.memberships.land(|answer| match answer {
            Answer::Memberships { gids, all } => Some((gids, all && all_are_heard)),
            Answer::Account(_) | Answer::Gid(_) | Answer::Failed => None,
        });
        for (group, gid) in &mut self.gids {
            gid.land(|answer| match answer {
                Answer::Gid(None) if !all_are_heard => None,
                Answer::Gid(gid) => Some(gid),
                Answer::Account(_) | Answer::Memberships { .. } | Answer::Failed => None,
            });
            if let (Some((gids, all)), Some(gid)) = (self.memberships.said(), gid.said()) {
                let is_in = gid.is_some_and(|gid| gids.contains(&gid));
                // That it is in none is only certain where every source was there to say so.
                if is_in || *all {
                    self.is_in.entry(group.clone()).or_insert(is_in);
                }
            }
        }
    }

    fn stands(&self) -> Stands {
        let parts = [self.account.stands(), self.memberships.stands()];
        parts.into_iter().chain(self.gids.values().map(Part::stands)).max().unwrap_or(Stands::Over)
    }

    /// What the name service has not said of these groups, and which of its sources did not, in words.
    pub(crate) fn unsaid(&mut self, groups: &BTreeSet<GroupName>) -> String {
        let known = self.known(groups);
        let switch = self.names.local.switch();
        let whom = match (&self.whose, known.subject()) {
            (_, Some(subject)) => subject.name.to_string(),
            (Whose::Name(name), None) => name.to_string(),
            (Whose::Uid(uid), None) => format!("uid {uid}"),
        };
        let open: Vec<_> = known.unanswered(groups).into_iter().map(|group| group.to_string()).collect();
        let (local, of_group) = (&self.names.local, &switch.group.others);
        let (what, sources, hidden) = match &open[..] {
            _ if known.subject().is_none() => {
                (format!("who {whom} is"), &switch.passwd.others, local.hides_accounts())
            }
            [group] => (format!("whether {whom} is in the group {group}"), of_group, local.hides_groups()),
            _ => {
                let groups = open.join(", ");
                (format!("which of the groups {groups} {whom} is in"), of_group, local.hides_groups())
            }
        };
        let sources = if sources.is_empty() { String::new() } else { format!(" ({})", sources.join(", ")) };
        let hidden = hidden.map_or_else(String::new, |hidden| format!(" ({hidden})"));
        format!("the name service{sources} does not say {what}{hidden}")
    }
}

#[cfg(test)]
mod tests;
