//! Accounts as the name service tells them, and which belong to one human.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jit_proto::text::{Shown, is_unprintable};
use jit_proto::words::{BadWord, GroupName, Uid, UserName};
use serde::{Deserialize, Serialize};

/// Which groups count where a rule excepts whoever is in one. They are not always those that let somebody in: what is not
/// known of a group neither lets in nor passes an exception.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeptOutBy {
    /// Those that it is in: of all groups it is known.
    #[default]
    Own,
    /// All but these, of which alone it is known that it is not in them.
    AllBut(BTreeSet<GroupName>),
    /// These alone, whatever else it is supposed to be in.
    Only(BTreeSet<GroupName>),
}

/// The person being checked, as jitd's name service answered (DESIGN §1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The account name.
    pub name: UserName,
    /// The uid of the account.
    pub uid: Uid,
    /// The other names that this host's account files have for the uid.
    pub also: BTreeSet<UserName>,
    /// Whether these files have the account too. Only then are the other names its own: whoever fills a directory gives a
    /// name any uid.
    pub is_local: bool,
    /// The names of all its groups, the primary one included.
    pub groups: BTreeSet<GroupName>,
    /// By which groups a rule excepts it.
    pub kept_out_by: KeptOutBy,
    /// Who comes by it, where several people share it and that is known.
    pub person: Option<PersonName>,
}

impl Subject {
    /// An account that has no other name and is in no group.
    #[must_use]
    pub const fn named(name: UserName, uid: Uid) -> Self {
        Self {
            name,
            uid,
            also: BTreeSet::new(),
            is_local: false,
            groups: BTreeSet::new(),
            kept_out_by: KeptOutBy::Own,
            person: None,
        }
    }

    /// The same account, supposed to be in these groups as well: those that are known of it except it, and no others do.
    #[must_use]
    pub fn supposed_in(&self, groups: impl IntoIterator<Item = GroupName>) -> Self {
        let kept_out_by = KeptOutBy::Only(self.groups.clone());
        let groups = self.groups.iter().cloned().chain(groups).collect();
        Self { groups, kept_out_by, ..self.clone() }
    }

    /// Whether a rule that excepts this group may be about it.
    #[must_use]
    pub fn may_be_kept_out_by(&self, group: &GroupName) -> bool {
        match &self.kept_out_by {
            KeptOutBy::Own => self.groups.contains(group),
            KeptOutBy::AllBut(known) => self.groups.contains(group) || !known.contains(group),
            KeptOutBy::Only(groups) => groups.contains(group),
        }
    }

    /// The same account as this person comes by it.
    #[must_use]
    pub fn as_person(&self, person: Option<PersonName>) -> Self {
        Self { person, ..self.clone() }
    }

    /// Whether this is one of the account's names.
    #[must_use]
    pub fn is_called(&self, name: &UserName) -> bool {
        self.names().any(|own| own == name)
    }

    /// Whether what this name may have is the account's.
    #[must_use]
    pub fn may_have_of(&self, name: &UserName) -> bool {
        self.gains_by().any(|own| own == name)
    }

    /// The names by which the account gets what others have not: rules of policy, windows.
    pub fn gains_by(&self) -> impl Iterator<Item = &UserName> {
        [&self.name].into_iter().chain(self.also.iter().filter(|_| self.is_local))
    }

    /// Every name that the account is known by: for what is kept from it, and for who is one person.
    pub fn names(&self) -> impl Iterator<Item = &UserName> {
        [&self.name].into_iter().chain(&self.also)
    }
}

/// `[people]`: which accounts, signing keys and ssh keys belong to one human. An account that stands nowhere here is a
/// person of its own. One that people list with `ssh-keys` is shared: who comes by it is known by the key alone, since
/// they all have its uid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    pub(super) accounts: BTreeMap<UserName, PersonName>,
    pub(super) keys: BTreeMap<Principal, PersonName>,
    pub(super) shared: BTreeMap<UserName, BTreeSet<PersonName>>,
    pub(super) ssh_keys: BTreeMap<SshKey, PersonName>,
}

impl People {
    /// The human behind an account, if policy names one.
    #[must_use]
    pub fn of_account(&self, account: &UserName) -> Option<&PersonName> {
        self.accounts.get(account)
    }

    /// The human behind a signing key, if policy names one.
    #[must_use]
    pub fn of_key(&self, key: &Principal) -> Option<&PersonName> {
        self.keys.get(key)
    }

    /// Whether people share an account, so that its name does not say who comes by it.
    #[must_use]
    pub fn is_shared(&self, account: &UserName) -> bool {
        self.shared.contains_key(account)
    }

    /// Whether somebody who shares accounts is called so.
    #[must_use]
    pub fn is_sharer(&self, name: &UserName) -> bool {
        self.shared.values().flatten().any(|person| person.as_account() == name)
    }

    /// Whether policy has any such account.
    #[must_use]
    pub fn share_any(&self) -> bool {
        !self.shared.is_empty()
    }

    /// The people who share an account, in name order; nobody where it is not shared.
    pub fn sharers(&self, account: &UserName) -> impl Iterator<Item = &PersonName> {
        self.shared.get(account).into_iter().flatten()
    }

    /// Whether the person comes by this account, which others may share.
    #[must_use]
    pub fn share(&self, person: &PersonName, account: &UserName) -> bool {
        self.shared.get(account).is_some_and(|people| people.contains(person))
    }

    /// Who comes by a shared account that was opened by these keys, each written as `ssh-keygen -l` does. Where they are two
    /// people's, or of somebody who does not share the account, that is not known.
    pub fn by_keys<'k>(
        &self,
        account: &UserName,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Option<&PersonName> {
        let known = keys.into_iter().filter_map(|key| self.ssh_keys.get(&key.parse().ok()?));
        let people: BTreeSet<&PersonName> = known.collect();
        let only = people.first().copied().filter(|_| people.len() == 1)?;
        self.share(only, account).then_some(only)
    }

    /// A key that opens ssh for this person; nothing where they list none.
    #[must_use]
    pub fn ssh_key_of(&self, person: &PersonName) -> Option<&SshKey> {
        self.ssh_keys.iter().find(|(_, owner)| *owner == person).map(|(key, _)| key)
    }

    /// The accounts that this person shares.
    pub(super) fn shared_by<'p>(&'p self, person: &'p PersonName) -> impl Iterator<Item = &'p UserName> {
        self.shared.iter().filter(|(_, sharers)| sharers.contains(person)).map(|(account, _)| account)
    }

    /// The accounts that are this person's alone.
    pub(super) fn own_accounts(&self, person: &PersonName) -> BTreeSet<UserName> {
        let own = self.accounts.iter().filter(|(_, owner)| *owner == person);
        own.map(|(account, _)| account.clone()).collect()
    }

    /// Whether two accounts are the same human as far as policy knows.
    #[must_use]
    pub fn same(&self, a: &UserName, b: &UserName) -> bool {
        a == b || self.accounts.get(a).is_some_and(|person| self.accounts.get(b) == Some(person))
    }

    /// The human behind an account; the account itself where policy names none.
    pub(super) fn human(&self, account: &UserName) -> Human {
        match self.of_account(account) {
            Some(person) => Human::Person(person.clone()),
            None => Human::Account(account.clone()),
        }
    }

    /// Every account that policy maps, with its human, in account order.
    pub fn accounts(&self) -> impl Iterator<Item = (&UserName, &PersonName)> {
        self.accounts.iter()
    }
}

/// One human, who counts once under whatever account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Human {
    /// Whom policy names as a person.
    Person(PersonName),
    /// An account that is a person of its own.
    Account(UserName),
}

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => name.fmt(f),
            Self::Account(name) => name.fmt(f),
        }
    }
}

/// What policy calls a human; written as an account name is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PersonName(UserName);

impl FromStr for PersonName {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        text.parse().map(Self)
    }
}

impl PersonName {
    /// The account that has this very name, whether or not there is one.
    #[must_use]
    pub const fn as_account(&self) -> &UserName {
        &self.0
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The principal of a signing key, as the first field of an allowed_signers file has it (ssh-keygen(1)), without
/// the characters that make a pattern or a list of it. At most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal(String);

/// Why a text is not a principal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPrincipal {
    /// Too long, or empty.
    #[error("a key's principal has 1 to 255 bytes, not {0}")]
    Length(usize),
    /// A blank, a pattern, a list, or something that cannot be printed.
    #[error("a key's principal has '{}'; blanks, quotes, commas and the patterns * ? ! are not allowed", Shown(&.0.to_string()))]
    Char(char),
}

impl FromStr for Principal {
    type Err = BadPrincipal;

    fn from_str(text: &str) -> Result<Self, BadPrincipal> {
        if text.is_empty() || text.len() > 255 {
            return Err(BadPrincipal::Length(text.len()));
        }
        let bad = |c: &char| {
            c.is_whitespace() || is_unprintable(*c) || matches!(c, '*' | '?' | '!' | ',' | '"' | '\'' | '#')
        };
        match text.chars().find(bad) {
            Some(c) => Err(BadPrincipal::Char(c)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A key that opens ssh, by its fingerprint as `ssh-keygen -l` writes it: `SHA256:` and 32 bytes in base64 without padding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SshKey(String);

/// Why a text is not such a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an ssh key is named by its fingerprint, SHA256: and 43 letters and digits, as `ssh-keygen -lf KEY.pub` shows it"
)]
pub struct BadSshKey;

impl FromStr for SshKey {
    type Err = BadSshKey;

    fn from_str(text: &str) -> Result<Self, BadSshKey> {
        // 43 symbols have two bits more than 32 bytes; in the one spelling that counts these are not set.
        const LAST: &[u8] = b"AEIMQUYcgkosw048";
        let symbols = text.strip_prefix("SHA256:").ok_or(BadSshKey)?.as_bytes();
        let is_base64 = symbols.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
        let ends_well = symbols.last().is_some_and(|last| LAST.contains(last));
        if symbols.len() == 43 && is_base64 && ends_well { Ok(Self(text.to_owned())) } else { Err(BadSshKey) }
    }
}

impl SshKey {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
