//! What policies write once and use often: profiles, whose keys fill what a role leaves out, and sets, which name people.
//!
//! They are the files' alone: a [`super::role::Role`] has what it comes to, and nothing says any more where that stood.
//! The values of a profile keep their own place, so that whatever is said of one points into the profile.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jit_proto::words::{BadWord, RoleName};
use toml::de::{DeTable, DeValue};

use super::finding::Spot;
use super::who::Who;

/// How much profiles and sets may fill in, over all roles together. A short file must not come to more than the machine
/// has.
const MAX_FILLED: usize = 32 << 20;

/// What a value counts for beside its text.
const EACH: usize = 64;

/// The profiles and sets of all files.
#[derive(Debug, Default)]
pub(super) struct Parts<'t> {
    pub(super) profiles: BTreeMap<PartName, Profile<'t>>,
    pub(super) sets: BTreeMap<PartName, PeopleSet>,
    filled: Cell<usize>,
}

impl Parts<'_> {
    /// Takes so much more into roles, or says that it is too much.
    pub(super) fn fill(&self, weight: usize) -> bool {
        let filled = self.filled.get().saturating_add(weight);
        self.filled.set(filled);
        filled <= MAX_FILLED
    }
}

/// One `[profile.NAME]`, as the file has it.
#[derive(Debug)]
pub(super) struct Profile<'t> {
    /// As the file writes it.
    pub(super) name: &'t str,
    /// Where its name stands.
    pub(super) spot: Spot,
    /// The file of its keys, which may be another than that of a role.
    pub(super) file: usize,
    pub(super) entries: &'t DeTable<'t>,
    /// Keys that are there, but misspelt.
    pub(super) misspelt: Vec<&'static str>,
    /// What it takes up in a role.
    pub(super) weight: usize,
    /// Whether a role names it.
    pub(super) is_used: Cell<bool>,
}

/// One `[set.NAME]`, as the file has it.
#[derive(Debug)]
pub(super) struct PeopleSet {
    /// Where its name stands.
    pub(super) spot: Spot,
    /// Whom it names; nothing where that could not be read.
    pub(super) who: Option<Who>,
    /// What it takes up wherever it is used.
    pub(super) weight: usize,
    /// Whether anything names it.
    pub(super) is_used: Cell<bool>,
}

impl PeopleSet {
    pub(super) fn new(spot: Spot, who: Option<Who>) -> Self {
        let names = who.iter().flat_map(|who| {
            who.users.iter().map(AsRef::<str>::as_ref).chain(who.groups.iter().map(AsRef::as_ref))
        });
        let weight = names.map(|name| EACH + name.len()).sum();
        Self { spot, who, weight, is_used: Cell::new(false) }
    }
}

/// Whether a key that a role leaves out says all the same that there is none: it goes with another that the role has.
pub(super) fn is_decided(key: &str, has: impl Fn(&str) -> bool) -> bool {
    let goes_with = [("lapse", "starts"), ("keep-max", "at-end")];
    goes_with.iter().any(|(one, other)| *one == key && has(other))
}

/// What a value takes up, with all that is in it.
pub(super) fn weight(value: &DeValue<'_>) -> usize {
    EACH + match value {
        DeValue::String(text) => text.len(),
        DeValue::Array(items) => items.iter().map(|item| weight(item.get_ref())).sum(),
        DeValue::Table(entries) => entries.values().map(|value| weight(value.get_ref())).sum(),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => 0,
    }
}

/// What a profile or a set is called; written as a role's name is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PartName(RoleName);

impl PartName {
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The role of this name, whether or not there is one.
    pub(super) const fn as_role(&self) -> &RoleName {
        &self.0
    }
}

impl FromStr for PartName {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        text.parse().map(Self).map_err(|err: BadWord| err.called("name of a profile or set"))
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
