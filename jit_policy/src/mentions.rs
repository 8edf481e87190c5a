//! Where in its role a group or an account is named, for findings about that name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::finding::Spot;
use super::source::Source;

/// The first place of each name in each table that names people.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    /// By table, `users` or `groups`, and name.
    places: BTreeMap<(Home, String, String), Spot>,
    /// The profile of each role.
    profiles: BTreeMap<String, String>,
    /// The sets that each role and profile names.
    sets: BTreeMap<Home, BTreeSet<String>>,
}

/// A kind of table, and the name of one.
type Home = (&'static str, String);

const ROLE: &str = "role";
const PROFILE: &str = "profile";
const SET: &str = "set";

impl Mentions {
    /// Looks through files that have been accepted as policy.
    pub(super) fn of(sources: &[Source<'_>]) -> Self {
        let mut mentions = Self::default();
        for (file, source) in sources.iter().enumerate() {
            let Ok(tree) = DeTable::parse(source.text) else { continue };
            for kind in [ROLE, PROFILE, SET] {
                let Some(DeValue::Table(tables)) = tree.get_ref().get(kind).map(Spanned::get_ref) else {
                    continue;
                };
                for (name, value) in tables {
                    mentions.walk(file, &(kind, name.get_ref().to_string()), value.get_ref());
                }
            }
        }
        mentions
    }

    /// Where the role names the group, itself or by its profile or a set.
    pub(super) fn group(&self, role: &str, group: &str) -> Option<&Spot> {
        self.place(role, "groups", group)
    }

    /// Where the role names the account, itself or by its profile or a set.
    pub(super) fn user(&self, role: &str, user: &str) -> Option<&Spot> {
        self.place(role, "users", user)
    }

    fn place(&self, role: &str, kind: &str, name: &str) -> Option<&Spot> {
        let profile = self.profiles.get(role).map(|profile| (PROFILE, profile.clone()));
        let own: Vec<Home> = [(ROLE, role.to_owned())].into_iter().chain(profile).collect();
        let sets = own.iter().filter_map(|home| self.sets.get(home)).flatten();
        let sets: Vec<Home> = sets.map(|set| (SET, set.clone())).collect();
        own.into_iter()
            .chain(sets)
            .find_map(|home| self.places.get(&(home, kind.to_owned(), name.to_owned())))
    }

    fn walk(&mut self, file: usize, home: &Home, value: &DeValue<'_>) {
        match value {
            DeValue::Table(entries) => {
                for (key, value) in entries {
                    match (key.get_ref().as_ref(), value.get_ref()) {
                        (key @ ("users" | "groups" | "all"), DeValue::Array(names)) => {
                            let kind = if key == "users" { key } else { "groups" };
                            for (text, span) in texts(names) {
                                let key = (home.clone(), kind.to_owned(), text.to_owned());
                                self.places.entry(key).or_insert(Spot { file, span: Some(span) });
                            }
                        }
                        ("sets", DeValue::Array(names)) => {
                            let sets = texts(names).map(|(text, _)| text.to_owned());
                            self.sets.entry(home.clone()).or_default().extend(sets);
                        }
                        ("profile", DeValue::String(profile)) if home.0 == ROLE => {
                            self.profiles.insert(home.1.clone(), profile.to_string());
                        }
                        (_, value) => self.walk(file, home, value),
                    }
                }
            }
            DeValue::Array(items) => items.iter().for_each(|item| self.walk(file, home, item.get_ref())),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }
}

/// The strings of a list, each with its place.
fn texts<'v>(names: &'v [Spanned<DeValue<'_>>]) -> impl Iterator<Item = (&'v str, Range<usize>)> {
    names.iter().filter_map(|name| Some((name.get_ref().as_str()?, name.span())))
}
