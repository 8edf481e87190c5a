//! What a policy says, read from its text for the witness: by the page jit-policy(5), and by none of the code that is
//! tested.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jit_core::policy::{SourceFile, Subject};
use jit_core::time::Utc;
use jit_proto::words::UserName;
use toml::{Table, Value};

/// A policy as it is written.
#[derive(Clone, Default)]
pub(crate) struct Page {
    roles: BTreeMap<String, RoleText>,
    /// The person of each account that `[people]` names.
    people: BTreeMap<String, String>,
    /// The members and the leads of each team.
    teams: Vec<(People, People)>,
}

/// A role as it is written.
#[derive(Clone)]
pub(crate) struct RoleText {
    pub(crate) services: BTreeSet<String>,
    pub(crate) eligible: People,
    pub(crate) most: Duration,
    pub(crate) usual: Duration,
    /// How many uses a window has, where they are counted.
    pub(crate) uses: Option<u32>,
    pub(crate) survives_reboot: bool,
    pub(crate) emergency: bool,
    /// The longest window that opens without a review, and how many in seven days.
    pub(crate) unreviewed: Option<(Duration, Option<u64>)>,
    /// The latest moment at which its day can begin: with UTC's, or half a day later in a zone of its hours.
    pub(crate) until: Option<Utc>,
    pub(crate) stages: Vec<StageText>,
}

/// A stage as it is written.
#[derive(Clone)]
pub(crate) struct StageText {
    pub(crate) name: String,
    /// The sets that are asked first, of each of which so many approve.
    pub(crate) sets: Vec<People>,
    /// Those who decide in place of any of them when it has waited.
    next: Option<People>,
    pub(crate) approvals: u32,
    /// Longer than this a request has to be to come to it, with all that it extends.
    pub(crate) above: Option<Duration>,
    /// How an approval may come; in any way if it says nothing.
    pub(crate) accept: Option<BTreeSet<String>>,
}

/// `{ users = […], groups = […], all = […], except = { … } }`.
#[derive(Clone)]
pub(crate) struct People {
    users: BTreeSet<String>,
    groups: BTreeSet<String>,
    /// The groups that whoever is named has to be in.
    all: BTreeSet<String>,
    /// Whether the leads of teams are meant.
    leads: bool,
    /// Who is not meant: accounts, with all others of the same people, and groups.
    not: (BTreeSet<String>, BTreeSet<String>),
}

impl Page {
    /// Of a policy that loads.
    pub(crate) fn of(files: &[SourceFile]) -> Self {
        let mut page = Self::default();
        let read = |file: &SourceFile| std::str::from_utf8(&file.bytes).unwrap().parse::<Table>().unwrap();
        let texts: Vec<Table> = files.iter().map(read).collect();
        for text in &texts {
            for (person, of) in table(text, "people") {
                for account in words(of.as_table().unwrap(), "accounts") {
                    page.people.insert(account, person.clone());
                }
            }
            for (_, team) in table(text, "team") {
                page.teams.push((People::of(&team["members"]).unwrap(), People::of(&team["leads"]).unwrap()));
            }
            for (name, role) in table(text, "role") {
                page.roles.insert(name.clone(), RoleText::of(&filled(role.as_table().unwrap(), &texts)));
            }
        }
        let of_one = |account: &String| {
            let person = page.people.get(account);
            let theirs = page.people.iter().filter(move |(_, of)| Some(*of) == person);
            theirs.map(|(other, _)| other.clone()).collect::<Vec<_>>()
        };
        for role in page.roles.values_mut() {
            let asked = role.stages.iter_mut().flat_map(|stage| stage.sets.iter_mut().chain(&mut stage.next));
            for people in asked.chain([&mut role.eligible]) {
                let others: Vec<String> = people.not.0.iter().flat_map(of_one).collect();
                people.not.0.extend(others);
            }
        }
        page
    }

    pub(crate) fn role(&self, name: &str) -> Option<&RoleText> {
        self.roles.get(name)
    }

    /// Whether two names of accounts are one human's.
    pub(crate) fn is_one(&self, one: &str, other: &str) -> bool {
        one == other || self.people.get(one).is_some_and(|person| self.people.get(other) == Some(person))
    }
}

impl RoleText {
    fn of(text: &Table) -> Self {
        let most = duration(text.get("max-duration").unwrap());
        let stages = text.get("stage").and_then(Value::as_array).into_iter().flatten();
        let stages = stages.map(|stage| stage.as_table().unwrap());
        Self {
            services: words(text, "services").into_iter().collect(),
            eligible: People::of(&text["eligible"]).unwrap(),
            most,
            // One hour, or what the role allows at most where that is less.
            usual: text.get("default-duration").map_or(most.min(Duration::from_secs(3600)), duration),
            uses: text.get("uses").and_then(Value::as_integer).and_then(|uses| uses.try_into().ok()),
            survives_reboot: is_set(text, "survives-reboot"),
            emergency: is_set(text, "emergency"),
            unreviewed: text.get("unreviewed").and_then(Value::as_table).map(|rule| {
                let each_week = rule.get("each-week").and_then(Value::as_integer);
                (duration(&rule["up-to"]), each_week.map(|most| most.try_into().unwrap()))
            }),
            until: text.get("until").and_then(Value::as_datetime).map(|day| {
                let begins: Utc = format!("{day}T00:00:00Z").parse().unwrap();
                let later = if text.contains_key("hours") { 12 } else { 0 };
                begins.plus(Duration::from_secs(later * 3600))
            }),
            stages: (1..).zip(stages).map(|(number, stage)| StageText::of(number, stage)).collect(),
        }
    }

    pub(crate) fn stage(&self, name: &str) -> Option<&StageText> {
        self.stages.iter().find(|stage| stage.name == name)
    }
}

impl StageText {
    fn of(number: usize, text: &Table) -> Self {
        let sets = match &text["approvers"] {
            Value::Array(sets) => sets.iter().map(|set| People::of(set).unwrap()).collect(),
            one => vec![People::of(one).unwrap()],
        };
        let name = text.get("name").and_then(Value::as_str);
        Self {
            name: name.map_or_else(|| format!("stage {number}"), str::to_owned),
            sets,
            next: text.get("then").and_then(People::of),
            approvals: text.get("approvals").and_then(Value::as_integer).map_or(1, |n| n.try_into().unwrap()),
            above: text.get("above").map(duration),
            accept: text.contains_key("accept").then(|| words(text, "accept").into_iter().collect()),
        }
    }

    /// Whether somebody is ever asked, of what this one asked for.
    pub(crate) fn asks(&self, page: &Page, account: &Subject, asker: &Subject) -> bool {
        self.sets.iter().chain(&self.next).any(|people| people.asks(page, account, asker))
    }

    /// Whether the people of these accounts can stand for so many of each set, nobody for two: whichever sets are taken
    /// together, as many of them are in one of these as all of these need (Hall).
    pub(crate) fn can_be_met_by(&self, page: &Page, accounts: &[&Subject], asker: &Subject) -> bool {
        let stands = |account: &Subject, set: &People| {
            set.asks(page, account, asker)
                || self.next.as_ref().is_some_and(|next| next.asks(page, account, asker))
        };
        (1_u32..1 << self.sets.len()).all(|chosen| {
            let sets =
                || self.sets.iter().enumerate().filter(|(n, _)| chosen & (1 << n) != 0).map(|(_, set)| set);
            let people = accounts.iter().filter(|account| sets().any(|set| stands(account, set))).count();
            people as u64 >= u64::from(self.approvals) * u64::from(chosen.count_ones())
        })
    }
}

impl People {
    fn of(value: &Value) -> Option<Self> {
        let text = value.as_table()?;
        let set = |key| words(text, key).into_iter().collect();
        let not = text.get("except").and_then(Value::as_table);
        let not = |key| not.map_or_else(Vec::new, |not| words(not, key)).into_iter().collect();
        Some(Self {
            users: set("users"),
            groups: set("groups"),
            all: set("all"),
            leads: is_set(text, "leads"),
            not: (not("users"), not("groups")),
        })
    }

    /// Whether they name this account, of a local one by any name of its uid, or a group that it is in; and whether it is
    /// in all of those that it has to be in, and excepted by no name of its uid and no group.
    pub(crate) fn names(&self, account: &Subject) -> bool {
        let is_in = |group: &String| account.groups.iter().any(|own| own.as_str() == group);
        let every = [&account.name].into_iter().chain(&account.also);
        let is_excepted = every.map(UserName::as_str).any(|name| self.not.0.contains(name));
        if is_excepted || self.not.1.iter().any(is_in) || !self.all.iter().all(is_in) {
            return false;
        }
        self.names_first(account)
    }

    /// Whether they name this account, or it leads a team that the other is in, where leads are meant; and whether it is left out.
    fn asks(&self, page: &Page, account: &Subject, asker: &Subject) -> bool {
        let leads = |(members, leads): &(Self, Self)| members.names(asker) && leads.names(account);
        let is_lead = self.leads && page.teams.iter().any(leads);
        self.names(account) || (is_lead && Self { users: every_name(account), ..self.clone() }.names(account))
    }

    /// The same, whoever is left out.
    fn names_first(&self, account: &Subject) -> bool {
        let also = account.also.iter().filter(|_| account.is_local);
        [&account.name].into_iter().chain(also).any(|name| self.users.contains(name.as_str()))
            || account.groups.iter().any(|group| self.groups.contains(group.as_str()))
    }
}

/// A role with what its profile has and it does not, and with the people of sets among those who are named.
fn filled(role: &Table, texts: &[Table]) -> Table {
    let mut role = role.clone();
    let profile = role.get("profile").and_then(Value::as_str).map(str::to_owned);
    let of_profile = |(name, _): &(&String, &Value)| Some(name.as_str()) == profile.as_deref();
    for (_, profile) in texts.iter().flat_map(|text| table(text, "profile")).filter(of_profile) {
        for (key, value) in profile.as_table().unwrap() {
            role.entry(key).or_insert(value.clone());
        }
    }
    let mut named: Vec<&mut Value> = Vec::new();
    for (key, value) in &mut role {
        if key == "eligible" {
            named.push(value);
        } else if key == "stage" {
            let stages = value.as_array_mut().unwrap().iter_mut().filter_map(Value::as_table_mut);
            named.extend(
                stages.flatten().filter(|(key, _)| *key == "approvers" || *key == "then").map(|(_, who)| who),
            );
        }
    }
    for who in named.into_iter().filter_map(Value::as_table_mut) {
        let sets = words(who, "sets");
        for (_, set) in
            texts.iter().flat_map(|text| table(text, "set")).filter(|(name, _)| sets.contains(name))
        {
            for (kind, more) in set.as_table().unwrap() {
                let all = who.entry(kind).or_insert(Value::Array(Vec::new()));
                all.as_array_mut().unwrap().extend(more.as_array().unwrap().iter().cloned());
            }
        }
    }
    role
}

fn every_name(account: &Subject) -> BTreeSet<String> {
    [&account.name].into_iter().chain(&account.also).map(ToString::to_string).collect()
}

fn table<'t>(text: &'t Table, key: &str) -> impl Iterator<Item = (&'t String, &'t Value)> {
    text.get(key).and_then(Value::as_table).into_iter().flatten()
}

fn words(text: &Table, key: &str) -> Vec<String> {
    let words = text.get(key).and_then(Value::as_array).into_iter().flatten();
    words.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn is_set(text: &Table, key: &str) -> bool {
    text.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// Whole numbers of d, h, m and s, like 1h30m.
fn duration(value: &Value) -> Duration {
    let mut seconds = 0;
    let mut number = 0;
    for c in value.as_str().unwrap().chars() {
        if let Some(digit) = c.to_digit(10) {
            number = number * 10 + u64::from(digit);
            continue;
        }
        let unit = match c {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            _ => 1,
        };
        seconds += number * unit;
        number = 0;
    }
    Duration::from_secs(seconds)
}
