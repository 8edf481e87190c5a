//! Questions to the name service that are on their way. Its calls block, for as long as a directory server likes, and
//! nothing ends them; so each runs on a thread of its own, and there is one for each question: whoever asks the same
//! meanwhile waits for the same answer. So many are on their way at a time; a question beyond that waits for its turn.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jit_proto::words::{GroupName, Uid, UserName};
use nix::unistd::{Gid, Group, User, getgrouplist};

use super::whose::{Account, LIMIT, Share, Whose};
use crate::clock::since_boot;
use crate::share::Size;

/// How many questions may be on their way at once, each on a thread: for all logins, for users, and for jitd itself. The
/// unit's TasksMax= is more than their sum.
const OF_LOGINS: usize = 256;
const OF_USERS: Size = Size { each: 8, all: 128, of_left: 16 };
const OF_JITD: usize = 16;

/// Places of a share that questions find while others hang: a name service that answers some does so through them.
const RESERVE: usize = 4;

/// A question that hangs so long is put once more: what it waits for may be back.
const AGAIN: Duration = Duration::from_secs(10);

/// A small stack: a thread that hangs should cost little. Name service modules were seen to need far less.
const STACK: usize = 512 * 1024;

/// One question, which has one answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Question {
    /// Who this is.
    Account(Whose),
    /// The gids that an account is in.
    Memberships(UserName, u32),
    /// The gid of a group.
    Gid(GroupName),
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The account; nothing if there is none.
    Account(Option<Account>),
    /// The gids, and whether every source was there to say so.
    Memberships { gids: Vec<u32>, all: bool },
    /// The gid; nothing if there is no such group.
    Gid(Option<u32>),
    /// The name service failed.
    Failed,
}

/// How questions are answered; in tests, not by the host.
pub(super) type Ask = dyn Fn(&Question) -> Answer + Send + Sync;

/// A question on its way.
pub(super) struct Flight {
    /// By the boot clock.
    began: Duration,
    landed: Mutex<Landed>,
}

#[derive(Default)]
struct Landed {
    answer: Option<Answer>,
    /// Rung when it is there.
    bells: Vec<Arc<zruntime::Event>>,
}

impl Flight {
    pub(super) fn answer(&self) -> Option<Answer> {
        lock(&self.landed).answer.clone()
    }

    fn lands(&self, answer: Answer) {
        let mut landed = lock(&self.landed);
        landed.answer = Some(answer);
        for bell in landed.bells.drain(..) {
            bell.notify(usize::MAX);
        }
    }
}

/// A question that waits for its turn.
#[derive(Debug)]
pub(super) struct Turn {
    /// A place has become free since.
    has_come: AtomicBool,
    /// Notified when the answer is there.
    bell: Arc<zruntime::Event>,
}

impl Turn {
    /// Whether it is worth while to put the question again.
    pub(super) fn has_come(&self) -> bool {
        self.has_come.load(Ordering::Acquire)
    }

    fn comes(&self) {
        self.has_come.store(true, Ordering::Release);
        self.bell.notify(usize::MAX);
    }
}

/// All questions on their way.
pub(super) struct Flights {
    ask: Arc<Ask>,
    /// The youngest of each question.
    flying: Mutex<Flying>,
}

#[derive(Default)]
struct Flying {
    youngest: HashMap<Question, Arc<Flight>>,
    /// How many are on their way, by share, and since when each is.
    places: BTreeMap<Share, Vec<Duration>>,
    /// Who waits for a place; whoever has given up is gone.
    turns: Vec<Weak<Turn>>,
}

impl Flights {
    pub(super) fn new(ask: Arc<Ask>) -> Arc<Self> {
        Arc::new(Self { ask, flying: Mutex::default() })
    }

    /// Puts a question, unless it is on its way, and rings the bell when there is an answer; or, where too many are, when
    /// it is its turn.
    pub(super) fn put(
        self: &Arc<Self>,
        question: &Question,
        share: Share,
        bell: &Arc<zruntime::Event>,
    ) -> Result<Arc<Flight>, Arc<Turn>> {
        let mut flying = lock(&self.flying);
        let known =
            flying.youngest.get(question).filter(|flight| since_boot().saturating_sub(flight.began) < AGAIN);
        if let Some(flight) = known.map(Arc::clone) {
            let mut landed = lock(&flight.landed);
            if landed.answer.is_none() {
                landed.bells.push(Arc::clone(bell));
                drop(landed);
                return Ok(flight);
            }
        }
        let began = since_boot();
        if !flying.has_place(share, began) {
            return Err(flying.wait(bell));
        }
        let landed = Mutex::new(Landed { answer: None, bells: vec![Arc::clone(bell)] });
        let flight = Arc::new(Flight { began, landed });
        let lands =
            Lands { all: Arc::clone(self), question: question.clone(), share, flight: Arc::clone(&flight) };
        let ask = Arc::clone(&self.ask);
        let thread = std::thread::Builder::new().name("names".into()).stack_size(STACK);
        flying.places.entry(share).or_default().push(began);
        flying.youngest.insert(question.clone(), Arc::clone(&flight));
        drop(flying);
        // Without a thread it has failed at once: the closure is dropped, and that lands it.
        drop(thread.spawn(move || {
            let answer = ask(&lands.question);
            lands.flight.lands(answer);
        }));
        Ok(flight)
    }

    /// How many questions are on their way.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        lock(&self.flying).places.values().map(Vec::len).sum()
    }

    /// How many wait for their turn.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        lock(&self.flying).turns.iter().filter(|turn| turn.strong_count() > 0).count()
    }
}

impl Flying {
    /// Whether one more question of this share may be put. What hangs leaves a reserve for what may not.
    fn has_place(&self, share: Share, now: Duration) -> bool {
        let of = |share: &Share| self.places.get(share).map_or(0, Vec::len);
        let hang = |share: &Share| {
            let places = self.places.get(share).into_iter().flatten();
            places.filter(|began| now.saturating_sub(**began) >= LIMIT).count()
        };
        let users = || self.places.keys().filter(|share| matches!(share, Share::User(_)));
        let fits = |count: usize, hang: usize, most: usize| count < most && hang + RESERVE < most;
        match share {
            Share::Logins => fits(of(&share), hang(&share), OF_LOGINS),
            Share::Jitd => fits(of(&share), hang(&share), OF_JITD),
            Share::User(_) => {
                let all: usize = users().map(of).sum();
                fits(all, users().map(hang).sum(), OF_USERS.all)
                    && OF_USERS.has_one_more(of(&share), all)
                    && hang(&share) + RESERVE < OF_USERS.each
            }
        }
    }

    fn wait(&mut self, bell: &Arc<zruntime::Event>) -> Arc<Turn> {
        let turn = Arc::new(Turn { has_come: AtomicBool::new(false), bell: Arc::clone(bell) });
        self.turns.retain(|turn| turn.strong_count() > 0);
        self.turns.push(Arc::downgrade(&turn));
        turn
    }
}

/// Gives a question's place back, however it ends.
struct Lands {
    all: Arc<Flights>,
    question: Question,
    share: Share,
    flight: Arc<Flight>,
}

impl Drop for Lands {
    fn drop(&mut self) {
        if self.flight.answer().is_none() {
            self.flight.lands(Answer::Failed);
        }
        let mut flying = lock(&self.all.flying);
        if flying.youngest.get(&self.question).is_some_and(|youngest| Arc::ptr_eq(youngest, &self.flight)) {
            flying.youngest.remove(&self.question);
        }
        let places = flying.places.entry(self.share).or_default();
        if let Some(place) = places.iter().position(|began| *began == self.flight.began) {
            places.swap_remove(place);
        }
        if places.is_empty() {
            flying.places.remove(&self.share);
        }
        // Whose share it is that has one more is for whoever puts their question first.
        let turns = std::mem::take(&mut flying.turns);
        drop(flying);
        for turn in turns.iter().filter_map(Weak::upgrade) {
            turn.comes();
        }
    }
}

/// Asks this host. Blocks for as long as the name service likes.
pub(super) fn ask_host(question: &Question) -> Answer {
    match question {
        Question::Account(whose) => account(whose),
        Question::Memberships(name, gid) => {
            let Ok(name) = CString::new(name.as_str()) else { return Answer::Failed };
            // One that fails in between may have been there again afterwards.
            let answered = all_answer();
            match getgrouplist(&name, Gid::from_raw(*gid)) {
                Ok(gids) => Answer::Memberships {
                    gids: gids.into_iter().map(Gid::as_raw).collect(),
                    all: answered && all_answer(),
                },
                Err(_) => Answer::Failed,
            }
        }
        Question::Gid(group) => match Group::from_name(group.as_str()) {
            Ok(found) => Answer::Gid(found.map(|group| group.gid.as_raw())),
            Err(_) => Answer::Failed,
        },
    }
}

fn account(whose: &Whose) -> Answer {
    let ask = |whose: &Whose| {
        let found = match whose {
            Whose::Name(name) => User::from_name(name.as_str()),
            Whose::Uid(uid) => User::from_uid(uid.as_u32().into()),
        };
        found.map(|user| user.and_then(|user| as_said(&user.name, user.uid.as_raw(), user.gid.as_raw())))
    };
    account_of(whose, ask).map_or(Answer::Failed, Answer::Account)
}

/// An account as the name service says it, where it can be one.
fn as_said(name: &str, uid: u32, gid: u32) -> Option<Account> {
    Some(Account { name: name.parse().ok()?, uid: Uid::try_from(uid).ok()?, gid })
}

/// What a name service says of an account. One that folds case (SSSD, winbind) answers under the account's own name to
/// whatever was typed: it is that account, if it says the same of it by that name. Root has no other spelling.
fn account_of<E>(
    whose: &Whose,
    ask: impl Fn(&Whose) -> Result<Option<Account>, E>,
) -> Result<Option<Account>, E> {
    let Some(found) = ask(whose)? else { return Ok(None) };
    let is_it = match whose {
        Whose::Uid(asked) => *asked == found.uid,
        Whose::Name(asked) if *asked == found.name => true,
        Whose::Name(_) if found.uid.is_root() => false,
        Whose::Name(_) => ask(&Whose::Name(found.name.clone()))?.as_ref() == Some(&found),
    };
    Ok(Some(found).filter(|_| is_it))
}

/// Whether every source of groups is there: getgrouplist(3) leaves out what a source that fails would have said, and does
/// not say so. A group that cannot be is looked for in all of them. The answer is that of the last, so this tells nothing of
/// those whose failure [`super::local`] says is hidden.
fn all_answer() -> bool {
    Group::from_name("jitd-no-such-group").is_ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, uid: u32) -> Account {
        as_said(name, uid, 1001).unwrap()
    }

    #[test]
    fn whoever_is_answered_under_another_spelling_is_the_account_of_that_name_or_nobody() {
        let typed = Whose::Name("MARIA".parse().unwrap());
        // What the name service says to MARIA and to maria.
        let found = |to_typed: Option<Account>, to_name: Option<Account>| {
            let ask =
                |whose: &Whose| Ok::<_, ()>(if *whose == typed { to_typed.clone() } else { to_name.clone() });
            account_of(&typed, ask).unwrap()
        };
        let maria = || Some(account("maria", 1001));
        assert_eq!(found(maria(), maria()), maria(), "it folds case");
        assert_eq!(found(Some(account("MARIA", 1001)), None), Some(account("MARIA", 1001)), "it does not");
        // A name of this host's, or of another's: two accounts are not made one.
        assert_eq!(found(maria(), Some(account("maria", 1002))), None);
        assert_eq!(found(maria(), Some(account("Maria", 1001))), None);
        assert_eq!(found(maria(), None), None);
        assert_eq!(found(None, maria()), None);
        // Nor is anybody root by a spelling.
        assert_eq!(found(Some(account("root", 0)), Some(account("root", 0))), None);
        assert_eq!(as_said("maria", u32::MAX, 1001), None, "no uid");
        // A failure of either is no answer.
        assert_eq!(account_of(&typed, |_| Err(())), Err(()));
        let fails = |whose: &Whose| if *whose == typed { Ok(maria()) } else { Err(()) };
        assert_eq!(account_of(&typed, fails), Err(()));
    }

    #[test]
    fn an_answer_about_another_uid_is_no_account() {
        let by_uid = Whose::Uid(Uid::try_from(1001).unwrap());
        let found = |uid: u32| account_of(&by_uid, |_| Ok::<_, ()>(Some(account("maria", uid)))).unwrap();
        assert!(found(1001).is_some() && found(1002).is_none());
    }
}
