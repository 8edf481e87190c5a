//! Where in its role a group or an account is named, for findings about that name.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::finding::Spot;
use super::source::Source;

/// The first place of each name in each role.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    /// By role, `users` or `groups`, and name.
    places: BTreeMap<(String, String, String), Spot>,
}

impl Mentions {
    /// Looks through files that have been accepted as policy.
    pub(super) fn of(sources: &[Source<'_>]) -> Self {
        let mut mentions = Self::default();
        for (file, source) in sources.iter().enumerate() {
            let Ok(tree) = DeTable::parse(source.text) else { continue };
            let Some(DeValue::Table(roles)) = tree.get_ref().get("role").map(Spanned::get_ref) else {
                continue;
            };
            for (role, value) in roles {
                mentions.walk(file, role.get_ref(), value.get_ref());
            }
        }
        mentions
    }

    /// Where the role names the group.
    pub(super) fn group(&self, role: &str, group: &str) -> Option<&Spot> {
        self.places.get(&(role.to_owned(), "groups".to_owned(), group.to_owned()))
    }

    /// Where the role names the account.
    pub(super) fn user(&self, role: &str, user: &str) -> Option<&Spot> {
        self.places.get(&(role.to_owned(), "users".to_owned(), user.to_owned()))
    }

    fn walk(&mut self, file: usize, role: &str, value: &DeValue<'_>) {
        match value {
            DeValue::Table(entries) => {
                for (key, value) in entries {
                    match (key.get_ref().as_ref(), value.get_ref()) {
                        (kind @ ("users" | "groups"), DeValue::Array(names)) => {
                            for name in names {
                                let Some(text) = name.get_ref().as_str() else { continue };
                                let spot = Spot { file, span: Some(name.span()) };
                                let key = (role.to_owned(), kind.to_owned(), text.to_owned());
                                self.places.entry(key).or_insert(spot);
                            }
                        }
                        (_, value) => self.walk(file, role, value),
                    }
                }
            }
            DeValue::Array(items) => items.iter().for_each(|item| self.walk(file, role, item.get_ref())),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }
}
