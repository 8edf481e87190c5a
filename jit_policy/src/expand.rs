//! The files of a policy with its profiles and sets put in where they are used: what each role comes to, as the language
//! itself says it.
//!
//! It works on TOML and knows no keys but those of profiles and sets, so that whatever a role may have is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use jit_proto::text::is_unprintable;
use toml::de::{DeTable, DeValue};

use super::parts::is_decided;
use super::set::Policy;
use super::source::{Source, SourceFile};

impl Policy {
    /// The same policy without profiles and sets: files of the same names, in which each role has what its profile fills
    /// and each list of people whom its sets name. Comments and the layout are not kept.
    #[must_use]
    pub fn expanded(&self) -> Vec<SourceFile> {
        let sources: Vec<Source<'_>> = self.files.iter().map(Source::new).collect();
        let trees: Vec<DeTable<'_>> =
            sources.iter().map(|source| DeTable::parse_recoverable(source.text).0.into_inner()).collect();
        let common = Common { profiles: tables(&trees, "profile"), sets: tables(&trees, "set") };
        let text = |(file, tree): (&SourceFile, _)| SourceFile {
            name: file.name.clone(),
            bytes: common.file(tree).into_bytes(),
        };
        self.files.iter().zip(&trees).map(text).collect()
    }
}

struct Common<'t> {
    profiles: BTreeMap<&'t str, &'t DeTable<'t>>,
    sets: BTreeMap<&'t str, &'t DeTable<'t>>,
}

/// The tables under a key of all files, by name.
fn tables<'t>(trees: &'t [DeTable<'t>], key: &str) -> BTreeMap<&'t str, &'t DeTable<'t>> {
    let all = trees.iter().filter_map(|tree| tree.get(key)?.get_ref().as_table());
    all.flat_map(entries).filter_map(|(name, value)| Some((name, value.as_table()?))).collect()
}

/// A key and its value, as they are written.
type Entry<'e> = (&'e str, &'e DeValue<'e>);

fn entries<'e>(table: &'e DeTable<'e>) -> impl Iterator<Item = Entry<'e>> {
    table.iter().map(|(key, value)| (key.get_ref().as_ref(), value.get_ref()))
}

impl Common<'_> {
    fn file(&self, tree: &DeTable<'_>) -> String {
        let (mut values, mut headed) = (String::new(), String::new());
        for (key, value) in entries(tree).filter(|(key, _)| !matches!(*key, "profile" | "set")) {
            if let Some(table) = value.as_table() {
                if key == "role" {
                    entries(table).for_each(|(name, role)| self.role(name, role, &mut headed));
                    continue;
                }
                headed += &format!("\n[{}]\n", Key(key));
                self.lines(entries(table), &mut headed);
            } else if key == "exempt" || key == "asker" {
                self.tables(key, value, &mut headed);
            } else {
                self.line(key, value, &mut values);
            }
        }
        values + &headed
    }

    fn role(&self, name: &str, role: &DeValue<'_>, text: &mut String) {
        let Some(role) = role.as_table() else { return };
        let header = format!("role.{}", Key(name));
        let profile = role.get("profile").and_then(|name| self.profiles.get(name.get_ref().as_str()?));
        let fills = |(key, _): &Entry<'_>| {
            let has = |key: &str| role.contains_key(key);
            !has(key) && !is_decided(key, has)
        };
        let filled = profile.into_iter().flat_map(|profile| entries(profile)).filter(fills);
        let all = entries(role).filter(|(key, _)| *key != "profile").chain(filled);
        let (stages, keys): (Vec<Entry<'_>>, Vec<Entry<'_>>) = all.partition(|(key, _)| *key == "stage");
        *text += &format!("\n[{header}]\n");
        self.lines(keys.into_iter(), text);
        for (_, stages) in stages {
            self.tables(&format!("{header}.stage"), stages, text);
        }
    }

    fn tables(&self, header: &str, tables: &DeValue<'_>, text: &mut String) {
        for table in tables.as_array().into_iter().flat_map(|tables| tables.iter()) {
            *text += &format!("\n[[{header}]]\n");
            self.lines(table.get_ref().as_table().into_iter().flat_map(|table| entries(table)), text);
        }
    }

    /// The entries of one table, with the people of its sets among its own.
    fn lines<'e>(&self, entries: impl Iterator<Item = Entry<'e>>, text: &mut String) {
        for line in self.written(entries) {
            *text += &line;
            text.push('\n');
        }
    }

    fn line(&self, key: &str, value: &DeValue<'_>, text: &mut String) {
        self.lines([(key, value)].into_iter(), text);
    }

    fn written<'e>(&self, entries: impl Iterator<Item = Entry<'e>>) -> Vec<String> {
        let entries: Vec<Entry<'e>> = entries.collect();
        let sets: Vec<&DeTable<'_>> = entries
            .iter()
            .filter(|(key, _)| *key == "sets")
            .flat_map(|(_, sets)| texts(sets))
            .filter_map(|name| self.sets.get(name).copied())
            .collect();
        let mut lines = Vec::new();
        for kind in ["users", "groups"] {
            let own = entries.iter().filter(|(key, _)| *key == kind).flat_map(|(_, names)| texts(names));
            let of_sets =
                sets.iter().filter_map(|set| set.get(kind)).flat_map(|names| texts(names.get_ref()));
            let names: BTreeSet<&str> = own.chain(of_sets).collect();
            if !sets.is_empty() && !names.is_empty() {
                let names: Vec<String> = names.into_iter().map(|name| Text(name).to_string()).collect();
                lines.push(format!("{kind} = [{}]", names.join(", ")));
            }
        }
        let rest = entries
            .into_iter()
            .filter(|(key, _)| *key != "sets" && (sets.is_empty() || !matches!(*key, "users" | "groups")));
        lines.extend(rest.map(|(key, value)| format!("{} = {}", Key(key), self.value(value))));
        lines
    }

    fn value(&self, value: &DeValue<'_>) -> String {
        match value {
            DeValue::String(text) => Text(text).to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.value(item.get_ref())).collect();
                format!("[{}]", items.join(", "))
            }
            DeValue::Table(table) => format!("{{ {} }}", self.written(entries(table)).join(", ")),
        }
    }
}

/// The strings of a list.
fn texts<'v>(names: &'v DeValue<'_>) -> impl Iterator<Item = &'v str> {
    names.as_array().into_iter().flat_map(|names| names.iter()).filter_map(|name| name.get_ref().as_str())
}

/// A key as TOML writes it: bare where that can be.
struct Key<'k>(&'k str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if !self.0.is_empty() && self.0.chars().all(is_bare) {
            f.write_str(self.0)
        } else {
            Text(self.0).fmt(f)
        }
    }
}

/// A string as TOML writes it, in double quotes, with nothing in it that cannot be seen.
struct Text<'t>(&'t str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if is_unprintable(c) => write!(f, "\\U{:08X}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}
