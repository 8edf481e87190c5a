//! Who gives an order, looked up without an answer being waited for that the order does not depend on.

use std::collections::BTreeSet;
use std::sync::Arc;

use jit_core::access::{LoginUid, Method};
use jit_core::context::Context;
use jit_core::event::Event;
use jit_core::model::{Caller, Known, LoginKey, Session, person_by};
use jit_core::orders::Refusal;
use jit_core::policy::{PersonName, Subject};
use jit_proto::words::{GroupName, ServiceName, Uid, UserName};

use super::error::Error;
use crate::app::App;
use crate::desk::{LoggedIn, Looked, NotDone, Word};
use crate::nss::{Lookup, Patience, Share, Whose};
use crate::peer::{Gone, Peer};
use crate::session_of::{Keys, login_of};
use crate::store::writer::Ticket;

/// How often somebody is looked up again because the groups that count changed meanwhile.
pub(super) const ATTEMPTS: usize = 5;

/// Whoever gives an order: the account of the call, and the login behind it.
pub(crate) struct Orderer<'a> {
    app: &'a App,
    /// What it was called as; a refusal is on record by that.
    method: Method,
    /// What the kernel says of them.
    pub(crate) peer: Peer,
    account: Lookup<'a>,
    login: Behind<'a>,
    patience: Patience,
    /// Who comes by the accounts of this login that people share.
    persons: Vec<(UserName, PersonName)>,
    /// The groups that counted when the desk was last asked. What an order turns on is judged there by those of then.
    groups: Option<Arc<BTreeSet<GroupName>>>,
}

enum Behind<'a> {
    /// The account of the call itself.
    Itself,
    Another(Lookup<'a>),
    Unset,
    Untold,
}

impl App {
    /// Begins to look up who calls, and waits for name and uid.
    pub(crate) async fn orderer(&self, method: Method, peer: Peer) -> Result<Orderer<'_>, Error> {
        let login = peer.login().map_err(|_| Gone)?;
        let (share, patience) = (Share::of(peer), self.names.patience());
        let of = |uid| self.names.lookup(Whose::Uid(uid), share, &patience);
        let account = of(peer.uid);
        let login = match login {
            LoginUid::Set(uid) if uid == peer.uid => Behind::Itself,
            LoginUid::Set(uid) => Behind::Another(of(uid)),
            LoginUid::Unset => Behind::Unset,
            LoginUid::Untold => Behind::Untold,
        };
        let persons = Vec::new();
        let mut by = Orderer { app: self, method, peer, account, login, patience, persons, groups: None };
        while by.looked(&BTreeSet::new()).is_none() {
            if !by.more().await {
                return Err(by.unknown());
            }
        }
        by.persons = self.persons(by.looked(&BTreeSet::new()).as_ref(), peer);
        Ok(by)
    }

    /// Who comes by the accounts of a login that people share, by the keys that opened it. Where a process is in no login,
    /// nobody has to be asked.
    fn persons(&self, looked: Option<&Looked>, peer: Peer) -> Vec<(UserName, PersonName)> {
        let Some(caller) = looked.map(Looked::caller) else { return Vec::new() };
        let around = self.keys_around(peer);
        if around.keys.is_empty() {
            return Vec::new();
        }
        let persons = self.desk.look(|here| {
            let of = |one: &Subject| {
                let keys = Some(&around.keys).filter(|_| around.of == Some(one.uid))?;
                Some((one.name.clone(), person_by(here.policy.people(), one.names(), keys)?))
            };
            caller.accounts().filter_map(of).collect()
        });
        persons.unwrap_or_default()
    }

    /// The account of a caller, as who comes by it where people share it.
    pub(crate) fn as_who_comes(&self, subject: &Subject, peer: Peer) -> Subject {
        let looked = Looked::new(Known::Fully(subject.clone()), LoggedIn::Unset);
        let person = self.persons(looked.as_ref(), peer).pop().map(|(_, person)| person);
        subject.as_person(person)
    }

    /// The keys that opened the login that a process runs in (its audit session, which it cannot change): as sshd said to this
    /// jitd or, of one that opened by a window before it started, as the session has them. None where that is not known, or
    /// where it was said of another account than the kernel says the login is.
    pub(crate) fn keys_around(&self, peer: Peer) -> Keys {
        let Some((id, account)) = login_of(peer) else { return Keys::default() };
        let of_session = || self.desk.look(|here| keys_of(here, id, account)).ok().flatten();
        let keys = self.sessions.keys(id, account).or_else(of_session).unwrap_or_default();
        Keys { of: Some(account), keys }
    }

    /// Whether sshd says at the session of this service by which key somebody came, to a line of the module's whose refusal holds:
    /// its file has it, and nobody was found who had come past it.
    pub(crate) fn hears_keys(&self, service: &ServiceName) -> bool {
        service.is_of_sshd() && self.pam_files.binds(service) && !self.awaiting.is_without_line(service)
    }

    /// The account of this name, with the groups that policy and locks name now.
    pub(crate) async fn named(&self, peer: Peer, name: &UserName) -> Known {
        self.names.account(Whose::Name(name.clone()), Share::of(peer), &self.desk.groups()).await
    }
}

impl App {
    /// What is known of an account once that settles something, or the time for answers is over. Then, or where there
    /// will be none, an error says what is missing.
    pub(super) async fn settled(
        &self,
        peer: Peer,
        name: &UserName,
        groups: &BTreeSet<GroupName>,
        settled: impl Fn(&Known) -> bool,
    ) -> (Known, Result<(), Error>) {
        let patience = self.names.patience();
        let mut lookup = self.names.lookup(Whose::Name(name.clone()), Share::of(peer), &patience);
        loop {
            let known = lookup.known(groups);
            if settled(&known) || known == Known::Not {
                return (known, Ok(()));
            }
            if !patience.more([&lookup]).await {
                let why = unsaid(&mut lookup, groups);
                return (known, Err(why));
            }
        }
    }
}

impl Orderer<'_> {
    /// Takes note of the groups that count now, where they are known already.
    pub(super) fn briefed(&mut self, groups: Arc<BTreeSet<GroupName>>) {
        self.groups = Some(groups);
    }

    fn groups(&mut self) -> Arc<BTreeSet<GroupName>> {
        let desk = &self.app.desk;
        Arc::clone(self.groups.get_or_insert_with(|| desk.groups()))
    }

    /// What is known by now.
    fn looked(&mut self, groups: &BTreeSet<GroupName>) -> Option<Looked> {
        let account = who_comes(&self.persons, self.account.known(groups));
        let login = match &mut self.login {
            Behind::Itself => LoggedIn::As(account.clone()),
            Behind::Another(login) => LoggedIn::As(who_comes(&self.persons, login.known(groups))),
            Behind::Unset => LoggedIn::Unset,
            Behind::Untold => LoggedIn::Untold,
        };
        Looked::new(account, login)
    }

    /// The login behind the call, once all is said of it or the time for that is over.
    pub(super) async fn logged_in(&mut self) -> LoggedIn {
        let groups = self.groups();
        while self.looked(&groups).is_none_or(|looked| looked.is_open(&groups)) && self.more().await {}
        match &mut self.login {
            Behind::Itself => LoggedIn::As(who_comes(&self.persons, self.account.known(&*groups))),
            Behind::Another(login) => LoggedIn::As(who_comes(&self.persons, login.known(&*groups))),
            Behind::Unset => LoggedIn::Unset,
            Behind::Untold => LoggedIn::Untold,
        }
    }

    async fn more(&self) -> bool {
        let login = if let Behind::Another(login) = &self.login { Some(login) } else { None };
        self.patience.more([&self.account].into_iter().chain(login)).await
    }

    /// Why it is not known who that is.
    fn unknown(&mut self) -> Error {
        let none = BTreeSet::new();
        // Of an account that is no more nothing is to be waited for.
        if self.account.known(&none) == Known::Unanswered {
            return unsaid(&mut self.account, &none);
        }
        if let Behind::Another(login) = &mut self.login
            && login.known(&none) == Known::Unanswered
        {
            return unsaid(login, &none);
        }
        Gone.into()
    }

    /// Who that is, with the groups that they certainly are in by now: to name them, and for what is only shown.
    pub(crate) fn caller(&mut self) -> Result<Caller, Error> {
        let groups = self.groups();
        Ok(self.looked(&groups).ok_or(Gone)?.caller())
    }

    /// The same, once all is said or the time for that is over.
    pub(crate) async fn reader(&mut self) -> Result<Caller, Error> {
        let groups = self.groups();
        while self.looked(&groups).is_none_or(|looked| looked.is_open(&groups)) && self.more().await {}
        self.caller()
    }

    /// Has the desk judge something, again whenever more is known, until no answer that is still to come could change
    /// the judgement or the time for answers is over.
    pub(crate) async fn judged<T>(
        &mut self,
        patient: Word,
        judge: impl Fn(&Looked, Word) -> Result<T, NotDone>,
    ) -> Result<T, NotDone> {
        let (mut looks, mut word) = (0, Word::Nobody);
        loop {
            let groups = self.groups();
            let Some(looked) = self.looked(&groups) else {
                // It was known before: an account that has gone meanwhile gives no orders.
                return Err(NotDone::Gone(Gone));
            };
            match judge(&looked, word) {
                Err(NotDone::Refused(Refusal::Unanswered { user, groups: open })) => {
                    looks += 1;
                    let now = self.app.desk.groups();
                    let again = looks < ATTEMPTS && now != groups;
                    self.groups = Some(now);
                    if !again && !self.more().await {
                        if word == patient {
                            return Err(NotDone::Refused(Refusal::Unanswered { user, groups: open }));
                        }
                        word = patient;
                    }
                }
                Ok(done) => return Ok(done),
                Err(err) => {
                    self.note(&err);
                    return Err(err);
                }
            }
        }
    }

    /// Has it on record that somebody gave an order who may not.
    fn note(&self, err: &NotDone) {
        let NotDone::Refused(refusal) = err else { return };
        if let Some(refused) = refusal.on_record(self.method) {
            self.app.desk.note_refused(refused, self.peer.actor());
        }
    }

    /// The error of an order that was refused before it was judged; on record as every other.
    pub(crate) fn refused(&mut self, refusal: Refusal) -> Error {
        let err = NotDone::Refused(refusal);
        self.note(&err);
        self.error(err)
    }

    /// Gives an order.
    pub(crate) async fn order(
        &mut self,
        judge: impl Fn(Context<'_>, &Caller) -> Result<Vec<Event>, Refusal>,
    ) -> Result<Ticket, Error> {
        self.order_by(Word::Nobody, judge).await.map_err(|err| self.error(err))
    }

    /// Gives an order that takes access away, as [`Word::NamedAdmins`] has it.
    pub(crate) async fn order_by(
        &mut self,
        word: Word,
        judge: impl Fn(Context<'_>, &Caller) -> Result<Vec<Event>, Refusal>,
    ) -> Result<Ticket, NotDone> {
        let (app, actor) = (self.app, self.peer.actor());
        self.judged(word, |looked, word| app.desk.order(actor, looked, word, &judge)).await
    }

    /// Whether they may give admin's orders.
    pub(crate) async fn admin(&mut self) -> Result<(), NotDone> {
        let app = self.app;
        self.judged(Word::NamedAdmins, |looked, word| app.desk.admin(looked, word)).await
    }

    /// The error of an order, with the source that did not answer where that is why.
    pub(crate) fn error(&mut self, err: NotDone) -> Error {
        let NotDone::Refused(Refusal::Unanswered { user, groups }) = &err else { return err.into() };
        // Of the two accounts, the one that it is about.
        let is_account =
            self.account.known(&BTreeSet::new()).subject().is_some_and(|known| known.name == *user);
        match &mut self.login {
            Behind::Another(login) if !is_account => unsaid(login, groups),
            Behind::Itself | Behind::Another(_) | Behind::Unset | Behind::Untold => {
                unsaid(&mut self.account, groups)
            }
        }
    }
}

/// The keys that opened the login of this audit session and this account, as a session by a window has them.
fn keys_of(here: Context<'_>, id: u32, account: Uid) -> Option<Vec<LoginKey>> {
    let is_it = |one: &&Session| {
        one.audit == Some(id)
            && one.login.uid == Some(account)
            && one.at.boot_id == here.now.boot_id
            && !one.adopted
    };
    here.state.sessions().iter().find(is_it).map(|one| one.login.keys.clone())
}

/// An account as who comes by it, where people share it.
fn who_comes(persons: &[(UserName, PersonName)], known: Known) -> Known {
    let person = |subject: &Subject| {
        persons.iter().find(|(account, _)| *account == subject.name).map(|(_, person)| person.clone())
    };
    match known {
        Known::Fully(subject) => Known::Fully(subject.as_person(person(&subject))),
        Known::Partly(subject, not_in) => Known::Partly(subject.as_person(person(&subject)), not_in),
        Known::Not | Known::Unanswered => known,
    }
}

/// What an order gets nowhere for.
pub(super) fn unsaid(lookup: &mut Lookup<'_>, groups: &BTreeSet<GroupName>) -> Error {
    Error::Busy(format!("{}; try again once it answers", lookup.unsaid(groups)))
}
