//! TOML values with places. A table is opened with a [`Shape`], which reports every key that the table does not
//! take before anything is read from it, so no key is ever passed over. Each reader here reports what is wrong
//! with a value and answers `None`; its caller only has to go on.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;
use jit_proto::text::is_unprintable;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::code::{self, Code};
use super::finding::{Log, Spot};
use super::parts::{Parts, Profile, is_decided, weight};
use super::shape::{PROFILE, ROLE, Shape, example, quoted};
use jit_proto::duration::{Human, parse_duration};

/// A table and the shape it is to have.
#[derive(Debug)]
pub(super) struct Table<'t> {
    pub(super) spot: Spot,
    entries: &'t DeTable<'t>,
    shape: &'static Shape,
    /// Keys that are there, but misspelt.
    misspelt: Vec<&'static str>,
    /// What is written once for all tables.
    parts: &'t Parts<'t>,
    home: Option<Home<'t>>,
    /// What fills the keys that the table leaves out.
    profile: Option<&'t Profile<'t>>,
    /// Whether keys are missing that nobody has to write here.
    is_partial: bool,
}

/// The role or profile that a table is of: what it is, and its name.
type Home<'t> = (&'static str, &'t str);

impl<'t> Table<'t> {
    /// The table that a file is. Its keys are yet to be checked.
    pub(super) const fn root(
        file: usize,
        entries: &'t DeTable<'t>,
        shape: &'static Shape,
        parts: &'t Parts<'t>,
    ) -> Self {
        Self {
            spot: Spot::file(file),
            entries,
            shape,
            misspelt: Vec::new(),
            parts,
            home: None,
            profile: None,
            is_partial: false,
        }
    }

    /// A profile by itself, read as the part of a role that it is. Its keys are checked.
    pub(super) fn of_profile(profile: &'t Profile<'t>, parts: &'t Parts<'t>) -> Self {
        Self {
            spot: profile.spot.clone(),
            entries: profile.entries,
            shape: &PROFILE,
            misspelt: profile.misspelt.clone(),
            parts,
            home: Some(("profile", profile.name)),
            profile: None,
            is_partial: true,
        }
    }

    /// The same with what it leaves out filled by a profile. Where that could not be found nothing is said to be missing.
    pub(super) fn filled_by(self, profile: Option<&'t Profile<'t>>) -> Self {
        Self { profile, is_partial: profile.is_none(), ..self }
    }

    /// As a profile that others are filled by.
    pub(super) fn to_profile(&self, name: &'t str, spot: Spot, weight: usize) -> Profile<'t> {
        let (entries, misspelt) = (self.entries, self.misspelt.clone());
        Profile { name, spot, file: self.spot.file, entries, misspelt, weight, is_used: Cell::new(false) }
    }

    /// Whether it is a part of a role only, of which as a whole nothing can be said.
    pub(super) const fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// What is written once for all tables.
    pub(super) const fn parts(&self) -> &'t Parts<'t> {
        self.parts
    }

    /// Whether tables of this kind take the key.
    pub(super) fn takes(&self, key: &str) -> bool {
        self.shape.names().any(|known| known == key)
    }

    /// Reports every key that is not of the shape.
    pub(super) fn check_keys(&mut self, log: &mut Log<'_>) {
        for key in self.entries.keys() {
            let meant = self.shape.check(key.get_ref(), &spot(self.spot.file, key.span()), log);
            self.misspelt.extend(meant);
        }
    }

    /// Whether a key is there, spelt right or not: what somebody meant to write is not missing.
    pub(super) fn has(&self, key: &'static str) -> bool {
        let filled = self.profile.is_some_and(|profile| profile.misspelt.contains(&key));
        self.node(key).is_some() || self.misspelt.contains(&key) || filled
    }

    /// Whether any key is misspelt, so that what the table says is not the whole of what was meant.
    pub(super) const fn has_misspelt(&self) -> bool {
        !self.misspelt.is_empty()
    }

    /// What a key says. `Some(None)` where the key is not there, `None` where its value is bad.
    #[allow(clippy::option_option, reason = "absent and bad are two things: only one of them has a default")]
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Node<'t>, &mut Log<'_>) -> Option<T>,
        log: &mut Log<'_>,
    ) -> Option<Option<T>> {
        match self.node(key) {
            Some(node) => read(&node, log).map(Some),
            None => Some(None),
        }
    }

    /// What a key says that must be there.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Node<'t>, &mut Log<'_>) -> Option<T>,
        log: &mut Log<'_>,
    ) -> Option<T> {
        let node = self.node(key);
        if node.is_none() && !self.is_partial && !self.has(key) {
            self.shape.missing(key, &self.whose(), &self.spot, log);
        }
        read(&node?, log)
    }

    /// Where the value of a key stands, or the table if the key is not there.
    pub(super) fn spot_of(&self, key: &'static str) -> Spot {
        self.node(key).map_or_else(|| self.spot.clone(), |node| node.spot)
    }

    /// The value of a key, if it is there or the profile has it.
    pub(super) fn node(&self, key: &'static str) -> Option<Node<'t>> {
        let (shape, parts) = (self.shape, self.parts);
        if let Some(value) = self.entries.get(key) {
            return Some(Node::new(key, self.spot.file, value, Around { shape, parts, home: self.home }));
        }
        let profile = self.profile.filter(|_| !is_decided(key, |other| self.entries.contains_key(other)))?;
        let around = Around { shape, parts, home: Some(("profile", profile.name)) };
        profile.entries.get(key).map(|value| Node::new(key, profile.file, value, around))
    }

    /// Who needs a key that is missing.
    fn whose(&self) -> String {
        match self.home {
            None => format!("{} needs it", self.shape.what),
            Some((what, name)) if self.shape.is(&ROLE) => {
                let profile = self.profile.map_or_else(String::new, |profile| {
                    format!(", and profile {} does not have it", quoted(profile.name))
                });
                format!("{what} {} needs it{profile}", quoted(name))
            }
            Some((what, name)) => format!("{} of {what} {} needs it", self.shape.what, quoted(name)),
        }
    }
}

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
struct Around<'t> {
    /// The table that it stands in; the same key may mean another thing in another.
    shape: &'static Shape,
    parts: &'t Parts<'t>,
    home: Option<Home<'t>>,
}

/// A value, where it stands, and the key to call it by.
#[derive(Clone, Debug)]
pub(super) struct Node<'t> {
    pub(super) key: &'t str,
    pub(super) spot: Spot,
    value: &'t DeValue<'t>,
    around: Around<'t>,
}

impl<'t> Node<'t> {
    fn new(key: &'t str, file: usize, value: &'t Spanned<DeValue<'t>>, around: Around<'t>) -> Self {
        Self { key, spot: spot(file, value.span()), value: value.get_ref(), around }
    }

    /// A table of this shape.
    pub(super) fn table(&self, shape: &'static Shape, log: &mut Log<'_>) -> Option<Table<'t>> {
        let DeValue::Table(entries) = self.value else {
            return self.not_a("a table", log);
        };
        let is_role = shape.is(&ROLE);
        let home = if is_role { Some(("role", self.key)) } else { self.around.home };
        let mut table = Table {
            spot: self.spot.clone(),
            entries,
            shape,
            misspelt: Vec::new(),
            parts: self.around.parts,
            home,
            profile: None,
            is_partial: false,
        };
        table.check_keys(log);
        Some(table)
    }

    /// The entries of a table whose keys are names that people gave: where the name stands, and the value.
    pub(super) fn named(
        &self,
        log: &mut Log<'_>,
    ) -> Option<impl Iterator<Item = (Spot, Node<'t>)> + use<'t>> {
        let DeValue::Table(entries) = self.value else {
            return self.not_a("a table", log);
        };
        let (file, around) = (self.spot.file, self.around);
        let entry = move |(key, value): (&'t Spanned<_>, _)| {
            let name: &'t toml::de::DeString<'t> = key.get_ref();
            (spot(file, key.span()), Self::new(name, file, value, around))
        };
        Some(entries.iter().map(entry))
    }

    /// The tables of a list of tables.
    pub(super) fn tables(&self, shape: &'static Shape, log: &mut Log<'_>) -> Option<Vec<Table<'t>>> {
        // All are opened, and so checked, before a bad one ends it.
        let tables: Vec<_> =
            self.items("a list of tables", log)?.map(|item| item.table(shape, log)).collect();
        tables.into_iter().collect()
    }

    /// What the value takes up wherever it is put in.
    pub(super) fn weight(&self) -> usize {
        weight(self.value)
    }

    /// A list of different strings. `None` if any of them is bad, so that no rule is judged by half a list.
    pub(super) fn set<T: Ord>(
        &self,
        read: impl Fn(&Self, &mut Log<'_>) -> Option<T>,
        log: &mut Log<'_>,
    ) -> Option<BTreeSet<T>> {
        let mut set = BTreeSet::new();
        let mut all_good = true;
        for item in self.items("a list of strings", log)? {
            let Some(value) = read(&item, log) else {
                all_good = false;
                continue;
            };
            if !set.insert(value) {
                let message = format!("{} is listed twice", quoted(item.value.as_str().unwrap_or_default()));
                log.add(code::LISTED_TWICE, &item.spot, message);
            }
        }
        all_good.then_some(set)
    }

    /// A set that is not empty.
    pub(super) fn some<T: Ord>(
        &self,
        read: impl Fn(&Self, &mut Log<'_>) -> Option<T>,
        log: &mut Log<'_>,
    ) -> Option<BTreeSet<T>> {
        let set = self.set(read, log)?;
        if set.is_empty() {
            return self.empty(log);
        }
        Some(set)
    }

    /// A string that is not empty.
    pub(super) fn string(&self, log: &mut Log<'_>) -> Option<&'t str> {
        let DeValue::String(text) = self.value else { return self.not_a("a string", log) };
        if text.is_empty() { self.empty(log) } else { Some(text) }
    }

    /// A string for people: one line of at most so many characters.
    pub(super) fn line(&self, limit: usize, log: &mut Log<'_>) -> Option<String> {
        let text = self.string(log)?;
        let length = text.chars().count();
        let wrong = if let Some(c) = text.chars().find(|c| is_unprintable(*c)) {
            format!("has the character U+{:04X}; it takes one line of what can be printed", u32::from(c))
        } else if text.trim().is_empty() {
            "is nothing but blanks".to_owned()
        } else if length > limit {
            format!("is {length} characters long, the limit is {limit}")
        } else {
            return Some(text.to_owned());
        };
        log.add(code::BAD_TEXT, &self.spot, format!("{} {wrong}", quoted(self.key)));
        None
    }

    /// A string that is a word of the domain: a name, a pattern.
    pub(super) fn word<T: FromStr<Err: fmt::Display>>(&self, log: &mut Log<'_>) -> Option<T> {
        let text = self.string(log)?;
        match text.parse() {
            Ok(word) => Some(word),
            Err(err) => {
                let sign = text.starts_with(['@', '%']);
                let hint =
                    sign.then(|| "a group goes into `groups`, without a sign before its name".to_owned());
                log.push(code::BAD_NAME, &self.spot, format!("{}: {err}", quoted(self.key)), hint);
                None
            }
        }
    }

    /// A string that means something: the code and the text of what is wrong with another.
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(&self, code: Code, log: &mut Log<'_>) -> Option<T> {
        match self.string(log)?.parse() {
            Ok(value) => Some(value),
            Err(err) => {
                log.push(code, &self.spot, format!("{}: {err}", quoted(self.key)), None);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)], log: &mut Log<'_>) -> Option<T> {
        let text = self.string(log)?;
        let chosen = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if chosen.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let message = format!("{} is not {}: {}", quoted(text), quoted(self.key), known.join(", "));
            log.add(code::BAD_CHOICE, &self.spot, message);
        }
        chosen
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, log: &mut Log<'_>) -> Option<bool> {
        let DeValue::Boolean(flag) = self.value else { return self.not_a("true or false", log) };
        Some(*flag)
    }

    /// A duration as `"1h30m"`.
    pub(super) fn duration(&self, log: &mut Log<'_>) -> Option<Duration> {
        match parse_duration(self.string(log)?) {
            Ok(duration) => Some(duration),
            Err(err) => {
                log.add(code::BAD_DURATION, &self.spot, format!("{}: {err}", quoted(self.key)));
                None
            }
        }
    }

    /// A duration of at most so much.
    pub(super) fn duration_upto(&self, limit: Duration, log: &mut Log<'_>) -> Option<Duration> {
        let duration = self.duration(log)?;
        if duration > limit {
            let message =
                format!("{} is {}, the limit is {}", quoted(self.key), Human(duration), Human(limit));
            log.add(code::BAD_DURATION, &self.spot, message);
            return None;
        }
        Some(duration)
    }

    /// A day of the calendar, without a time of day.
    pub(super) fn day(&self, log: &mut Log<'_>) -> Option<Date> {
        let DeValue::Datetime(value) = self.value else { return self.not_a("a day, without quotes", log) };
        let day = value.date.filter(|_| value.time.is_none() && value.offset.is_none());
        let Some(day) = day else { return self.not_a("a day alone", log) };
        let date = (i16::try_from(day.year), i8::try_from(day.month), i8::try_from(day.day));
        let (Ok(year), Ok(month), Ok(day)) = date else { return self.not_a("a day", log) };
        Date::new(year, month, day).ok().or_else(|| self.not_a("a day of the calendar", log))
    }

    /// A whole number from 1 to 4,294,967,295.
    pub(super) fn count(&self, log: &mut Log<'_>) -> Option<NonZeroU32> {
        let count = u32::try_from(self.integer(log)?).ok().and_then(NonZeroU32::new);
        if count.is_none() {
            let message = format!("{} must be from 1 to {}", quoted(self.key), u32::MAX);
            log.add(code::BAD_NUMBER, &self.spot, message);
        }
        count
    }

    /// A whole number from 1 up to a limit.
    pub(super) fn upto(&self, limit: usize, log: &mut Log<'_>) -> Option<usize> {
        let count = usize::try_from(self.integer(log)?).ok().filter(|count| (1..=limit).contains(count));
        if count.is_none() {
            log.add(code::BAD_NUMBER, &self.spot, format!("{} must be from 1 to {limit}", quoted(self.key)));
        }
        count
    }

    /// A whole number; one that no machine word holds is taken for the nearest that does.
    pub(super) fn integer(&self, log: &mut Log<'_>) -> Option<i64> {
        let DeValue::Integer(n) = self.value else {
            return self.not_a("a whole number", log);
        };
        let nearest = if n.as_str().starts_with('-') { i64::MIN } else { i64::MAX };
        Some(i64::from_str_radix(n.as_str(), n.radix()).unwrap_or(nearest))
    }

    /// Whether it is a list; for keys that take one thing or several.
    pub(super) const fn is_list(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    /// The string, if it is one; for keys that take a word or a number.
    pub(super) fn as_str(&self) -> Option<&'t str> {
        self.value.as_str()
    }

    /// Reports that the value is of another type.
    pub(super) fn not_a<T>(&self, expected: &str, log: &mut Log<'_>) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let message = format!("{}: expected {expected}, found {found}", quoted(self.key));
        log.push(code::WRONG_TYPE, &self.spot, message, example(self.key, self.around.shape));
        None
    }

    /// Reports that there is nothing in the value.
    pub(super) fn empty<T>(&self, log: &mut Log<'_>) -> Option<T> {
        log.push(
            code::EMPTY,
            &self.spot,
            format!("{} is empty", quoted(self.key)),
            example(self.key, self.around.shape),
        );
        None
    }

    fn items(&self, what: &str, log: &mut Log<'_>) -> Option<impl Iterator<Item = Node<'t>> + use<'t>> {
        let DeValue::Array(items) = self.value else {
            return self.not_a(what, log);
        };
        let (key, file, around) = (self.key, self.spot.file, self.around);
        Some(items.iter().map(move |value| Self::new(key, file, value, around)))
    }
}

const fn spot(file: usize, span: Range<usize>) -> Spot {
    Spot { file, span: Some(span) }
}
