//! Whoever gives an order, as far as the name service has said who that is.
//!
//! It is looked up outside the desk and may take its time; meanwhile a group may be locked, or another policy loaded.
//! What was looked up carries with it which groups were asked about, and the desk judges under its lock what is true
//! then: of a group that came to matter since, nothing has been said. What could depend on it is not decided, and
//! whoever asked looks again.

use std::collections::BTreeSet;

use jit_core::context;
use jit_core::context::Context;
use jit_core::model::{Caller, Known, LoginAccount};
use jit_core::orders::Refusal;
use jit_core::policy::Subject;
use jit_proto::words::{GroupName, UserName};

use super::not_done::NotDone;

/// Who gives an order, by name and uid and some groups.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    account: (Subject, Known),
    login: LoggedIn,
}

/// The login behind an order, as far as it was looked up.
#[derive(Clone, Debug)]
pub(crate) enum LoggedIn {
    /// This account logged in.
    As(Known),
    /// No login: a service, cron, or a process started at boot.
    Unset,
    /// This kernel does not tell.
    Untold,
}

impl Looked {
    /// The account of a call, and the login behind it; nothing if one of them is not known by name and uid.
    pub(crate) fn new(account: Known, login: LoggedIn) -> Option<Self> {
        let subject = account.subject()?.clone();
        if let LoggedIn::As(login) = &login {
            login.subject()?;
        }
        Some(Self { account: (subject, account), login })
    }

    /// Somebody of whom all is known; for tests.
    #[cfg(test)]
    pub(crate) fn fully(caller: Caller) -> Self {
        let login = match caller.login {
            LoginAccount::Known(login) => LoggedIn::As(Known::Fully(login)),
            LoginAccount::Unset => LoggedIn::Unset,
            LoginAccount::Untold => LoggedIn::Untold,
        };
        Self { account: (caller.account.clone(), Known::Fully(caller.account)), login }
    }

    /// The caller, with the groups that they certainly are in, and excepted by whatever was not said: to name them and to show
    /// them what is theirs. Orders are judged by the desk.
    pub(crate) fn caller(&self) -> Caller {
        self.of(|known| known.subject().cloned())
    }

    /// The same, supposed to be in those of these groups that nothing was said of, and excepted by none of them.
    fn supposing(&self, groups: &BTreeSet<GroupName>) -> Caller {
        self.of(|known| Some(known.subject()?.supposed_in(known.unanswered(groups))))
    }

    fn of(&self, subject: impl Fn(&Known) -> Option<Subject>) -> Caller {
        let login = match &self.login {
            LoggedIn::As(known) => subject(known).map_or(LoginAccount::Untold, LoginAccount::Known),
            LoggedIn::Unset => LoginAccount::Unset,
            LoggedIn::Untold => LoginAccount::Untold,
        };
        Caller { account: subject(&self.account.1).unwrap_or_else(|| self.account.0.clone()), login }
    }

    /// Whether something was not said of these groups.
    pub(crate) fn is_open(&self, groups: &BTreeSet<GroupName>) -> bool {
        self.unsaid(&groups.iter().collect()).is_some()
    }

    /// Of these groups, those that nothing was said of, and of which account that is.
    fn unsaid(&self, groups: &BTreeSet<&GroupName>) -> Option<(UserName, BTreeSet<GroupName>)> {
        let of = |known: &Known| {
            let open = known.unanswered(groups.iter().copied());
            let name = known.subject()?.name.clone();
            (!open.is_empty()).then_some((name, open))
        };
        let login = if let LoggedIn::As(known) = &self.login { of(known) } else { None };
        of(&self.account.1).or(login)
    }

    /// The judgement, unless something that was not said could make another of it: as in
    /// [`jit_core::check::decide::settled`], groups permit and locks on groups forbid, as exceptions do, and what comes out the
    /// same in no open group, in each that is not locked, and in every one comes out so in any of them.
    ///
    /// Where the time for answers is over, an order that only takes access away, or that sets the clock right, is taken
    /// from an admin whom policy names, though one of the groups that nothing was said of be locked.
    pub(super) fn judged<T: PartialEq>(
        &self,
        here: Context<'_>,
        word: Word,
        judge: &impl Fn(Context<'_>, &Caller) -> Result<T, Refusal>,
    ) -> Result<T, NotDone> {
        let surely = judge(here, &self.caller());
        let Some((user, groups)) = self.unsaid(&context::groups(here)) else { return Ok(surely?) };
        let all: BTreeSet<GroupName> = context::groups(here).into_iter().cloned().collect();
        let locked: BTreeSet<GroupName> = here.state.locked_groups().cloned().collect();
        let settled = |groups: &BTreeSet<GroupName>| judge(here, &self.supposing(groups)) == surely;
        let is_named = || self.account.0.gains_by().any(|name| here.policy.admins().users.contains(name));
        if settled(&(&all - &locked)) && (settled(&all) || word == Word::NamedAdmins && is_named()) {
            return Ok(surely?);
        }
        Err(NotDone::Refused(Refusal::Unanswered { user, groups }))
    }
}

/// Whose word is taken, though nothing says whether they are in a group that is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// No account has the uid.
    Nobody,
    /// That of admins whom policy names.
    NamedAdmins,
}
