//! From TOML to rules: one function for each kind of table. `shape` lists their keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jit_proto::words::{RoleName, ServiceName, UserName, subject_is_caller};
use toml::de::DeTable;

use super::asker::{Asker, BadAsker};
use super::finding::{Finding, Log, Spot};
use super::mentions::Mentions;
use super::parse_role::{profile_alone, role};
use super::parts::Parts;
use super::people::PersonName;
use super::reason::Patterns;
use super::role::Role;
use super::rules::{ChangeRule, Ends, Exempt, Observed, Rules};
use super::shape::{ASKER, CHANGE, EXEMPT, FILE, MODE, PERSON, SERVICE, TEAM, quoted};
use super::source::Source;
use super::source::SourceFile;
use super::team::Team;
use super::walk::{Node, Table};
use super::who::{TeamName, Who};
use super::words::{networks, services, who, who_in};
use super::{code, lint, lint_change, lint_except, lint_roles, lint_team, lint_whole, parse_parts};

/// The most files of one policy.
const MAX_FILES: usize = 256;

/// The most roles of one policy.
const MAX_ROLES: usize = 20_000;

/// The most approvals that a change of the policy may take.
const MAX_APPROVALS: usize = 8;

/// The rules of files that stand in name order, with warnings; or errors, and warnings among them.
pub(super) fn rules(files: &[SourceFile]) -> Result<(Rules, Vec<Finding>), Vec<Finding>> {
    let sources: Vec<_> = files.iter().take(MAX_FILES + 1).map(Source::new).collect();
    let (rules, seen, patterns) = (Rules::default(), Seen::default(), Patterns::default());
    let mut reader = Reader { log: Log::new(&sources), rules, seen, patterns };
    match files.len() {
        0 => {
            let message = "there are no policy files, so nobody could do anything";
            let hint = "put a *.toml file into /etc/jit/policy.d";
            reader.log.add_with_hint(code::NO_FILES, &Spot::file(0), message, hint);
        }
        1..=MAX_FILES => reader.files(&sources),
        count => {
            let message = format!("there are {count} policy files, the limit is {MAX_FILES}");
            reader.log.add(code::TOO_MANY_FILES, &Spot::file(MAX_FILES), message);
        }
    }
    let warnings = reader.log.finish()?;
    Ok((reader.rules, warnings))
}

/// Reads files that were accepted once more, for somebody who has to say something about their places. What is
/// found is all that `judge` adds.
pub(super) fn judged(
    files: &[SourceFile],
    judge: impl FnOnce(&Rules, &Seen, &Mentions, &mut Log<'_>),
) -> Vec<Finding> {
    let sources: Vec<_> = files.iter().take(MAX_FILES).map(Source::new).collect();
    let (rules, seen, patterns) = (Rules::default(), Seen::default(), Patterns::default());
    let mut reader = Reader { log: Log::new(&sources), rules, seen, patterns };
    reader.files(&sources);
    let Reader { rules, seen, .. } = reader;
    let mut log = Log::new(&sources);
    judge(&rules, &seen, &Mentions::of(&sources), &mut log);
    match log.finish() {
        Ok(findings) | Err(findings) => findings,
    }
}

struct Reader<'s> {
    log: Log<'s>,
    rules: Rules,
    seen: Seen,
    patterns: Patterns,
}

/// What the files hold whether or not it could be read, so that one mistake is not reported as another.
#[derive(Debug, Default)]
pub(super) struct Seen {
    unread_file: bool,
    pub(super) roles: BTreeMap<RoleName, Spot>,
    people: BTreeMap<PersonName, Spot>,
    /// Each `[service.NAME]`, where it stands.
    pub(super) services: BTreeMap<ServiceName, Spot>,
    mode: Option<Spot>,
    /// Where `[policy-change]` stands.
    pub(super) change: Option<Spot>,
    retain: Option<Spot>,
    /// The first of them.
    pub(super) admins: Option<Spot>,
    /// Whom `[[exempt]]`, `[admins]` and `[auditors]` name, each where it stands.
    pub(super) others: Vec<(Spot, Who)>,
    bad_exempt: bool,
    /// Each `[team.NAME]`, where it stands.
    pub(super) teams: BTreeMap<TeamName, Spot>,
    /// Each `[[asker]]`, where it stands.
    pub(super) askers: Vec<(Spot, Asker)>,
}

impl Reader<'_> {
    fn files(&mut self, sources: &[Source<'_>]) {
        // All are opened before any is read, since what one leaves to a profile another may have.
        let none = Parts::default();
        let open = |(index, source)| open(index, source, &none, &mut self.log);
        let trees: Vec<Option<DeTable<'_>>> = sources.iter().enumerate().map(open).collect();
        let parts = parse_parts::parts(&trees, &none, &mut self.log);
        for (name, profile) in &parts.profiles {
            profile_alone(name, Table::of_profile(profile, &parts), &mut self.patterns, &mut self.log);
        }
        for (index, source) in sources.iter().enumerate() {
            if index > 0 && sources[index - 1].name == source.name {
                self.log.add(code::SAME_FILE_NAME, &Spot::file(index), "another file has the same name");
            }
            match &trees[index] {
                Some(tree) => self.file(Table::root(index, tree, &FILE, &parts)),
                None => self.seen.unread_file = true,
            }
        }
        if self.seen.unread_file {
            return;
        }
        self.persons();
        self.apart();
        if self.seen.admins.is_none() {
            lint::no_admins(&mut self.log);
        }
        if !self.seen.bad_exempt {
            lint::console(&self.rules.exempt, &mut self.log);
        }
        // Of rules that are not all there, nothing more can be said.
        if !self.log.has_errors() {
            parse_parts::unused(&parts, &mut self.log);
            lint_whole::rules(&self.rules, &self.seen.roles, &mut self.log);
            lint_roles::rules(&self.rules, &self.seen.roles, &mut self.log);
            lint_team::teams(&self.rules, &self.seen.roles, &self.seen.teams, &mut self.log);
            lint_whole::ends(&self.rules, &self.seen.services, &mut self.log);
            if let Some(spot) = &self.seen.change {
                lint_change::change(&self.rules, spot, &mut self.log);
            }
        }
    }

    fn file(&mut self, mut file: Table<'_>) {
        file.check_keys(&mut self.log);
        if !file.has("version") {
            let message = "`version` is missing: every policy file needs it";
            self.log.add_with_hint(code::NO_VERSION, &file.spot, message, "begin the file with version = 1");
        }
        if self.seen.admins.is_none() && file.has("admins") {
            self.seen.admins = Some(file.spot_of("admins"));
        }
        self.seen.bad_exempt |= file.has("exempt") && file.node("exempt").is_none();
        if let Some(node) = file.node("people") {
            self.people(&node);
        }
        if let Some(node) = file.node("mode") {
            self.mode(&node);
        }
        if let Some(node) = file.node("policy-change") {
            self.change(&node);
        }
        if let Some(node) = file.node("retain") {
            self.retain(&node);
        }
        if let Some(node) = file.node("role") {
            self.roles(&node);
        }
        if let Some(node) = file.node("exempt") {
            self.exempt(&node);
        }
        if let Some(node) = file.node("asker") {
            self.askers(&node);
        }
        if let Some(node) = file.node("service") {
            self.services(&node);
        }
        if let Some(node) = file.node("team") {
            self.teams(&node);
        }
        if let Some(node) = file.node("admins") {
            let admins = self.named(&node);
            lint_except::once(&self.rules.admins, &admins, &node, &mut self.log);
            self.rules.admins.extend(admins);
        }
        if let Some(node) = file.node("auditors") {
            let auditors = self.named(&node);
            lint_except::once(&self.rules.auditors, &auditors, &node, &mut self.log);
            self.rules.auditors.extend(auditors);
        }
    }

    fn named(&mut self, node: &Node<'_>) -> Who {
        let who = who(node, &mut self.log).unwrap_or_default();
        self.seen.others.push((node.spot.clone(), who.clone()));
        who
    }

    fn roles(&mut self, node: &Node<'_>) {
        let Some(named) = node.named(&mut self.log) else { return };
        for (spot, node) in named {
            let name: RoleName = match node.key.parse() {
                Ok(name) => name,
                Err(err) => {
                    self.log.add(code::BAD_NAME, &spot, format!("{}: {err}", quoted(node.key)));
                    continue;
                }
            };
            if let Some(first) = self.seen.roles.get(&name) {
                let message = format!("role `{name}` is already defined at {}", self.log.place(first));
                self.log.add(code::SAME_ROLE, &spot, message);
                continue;
            }
            if self.seen.roles.len() == MAX_ROLES {
                let message = format!("this is one role more than the limit of {MAX_ROLES}");
                self.log.add(code::TOO_MANY_ROLES, &spot, message);
                return;
            }
            self.seen.roles.insert(name.clone(), spot);
            if let Some(role) = role(name, &node, &mut self.patterns, &mut self.log) {
                self.rules.roles.insert(role.name.clone(), role);
            }
        }
    }

    fn people(&mut self, node: &Node<'_>) {
        let Some(named) = node.named(&mut self.log) else { return };
        for (spot, node) in named {
            let name: PersonName = match node.key.parse() {
                Ok(name) => name,
                Err(err) => {
                    self.log.add(code::BAD_NAME, &spot, format!("{}: {err}", quoted(node.key)));
                    continue;
                }
            };
            if let Some(first) = self.seen.people.get(&name) {
                let message = format!("person `{name}` is already defined at {}", self.log.place(first));
                self.log.add(code::SAME_PERSON, &spot, message);
                continue;
            }
            self.seen.people.insert(name.clone(), spot);
            let Some(table) = node.table(&PERSON, &mut self.log) else { continue };
            let accounts = table.required("accounts", |node, log| node.some(Node::word, log), &mut self.log);
            let own = table.optional("own", |node, log| node.some(Node::word, log), &mut self.log);
            let parsed = |node: &Node<'_>, log: &mut Log<'_>| node.parsed(code::BAD_NAME, log);
            let keys = table.optional("keys", |node, log| node.some(parsed, log), &mut self.log);
            let parsed = |node: &Node<'_>, log: &mut Log<'_>| node.parsed(code::BAD_NAME, log);
            let ssh_keys = table.optional("ssh-keys", |node, log| node.some(parsed, log), &mut self.log);
            let has_keys = table.has("ssh-keys");
            let accounts: BTreeSet<UserName> = accounts.unwrap_or_default();
            let (shared, mut alone) =
                if has_keys { (accounts, BTreeSet::new()) } else { (BTreeSet::new(), accounts) };
            alone.extend(own.flatten().unwrap_or_default());
            self.accounts(&name, &alone, &shared, &table);
            let people = &mut self.rules.people;
            let at = table.spot_of("keys");
            belong(keys.flatten().unwrap_or_default(), "key", &name, &mut people.keys, &at, &mut self.log);
            let (at, ssh_keys) = (table.spot_of("ssh-keys"), ssh_keys.flatten().unwrap_or_default());
            belong(ssh_keys, "ssh key", &name, &mut people.ssh_keys, &at, &mut self.log);
        }
    }

    /// Notes which accounts are a person's alone, and which they share: no account is both.
    fn accounts(
        &mut self,
        name: &PersonName,
        alone: &BTreeSet<UserName>,
        shared: &BTreeSet<UserName>,
        table: &Table<'_>,
    ) {
        let at = table.spot_of("accounts");
        let people = &mut self.rules.people;
        for account in alone.iter().filter(|account| shared.contains(*account) || people.is_shared(account)) {
            let message = format!(
                "account `{account}` is known by ssh keys elsewhere in `[people]`; it can be one person's alone, or shared \
                 by people who each list `ssh-keys`"
            );
            self.log.add(code::TWO_PERSONS, &at, message);
        }
        for account in shared {
            if let Some(owner) = people.accounts.get(account) {
                let message = format!(
                    "account `{account}` is {owner}'s alone already; to share it, each of its people lists `ssh-keys`"
                );
                self.log.add(code::TWO_PERSONS, &at, message);
            }
            people.shared.entry(account.clone()).or_default().insert(name.clone());
        }
        belong(alone.clone(), "account", name, &mut people.accounts, &at, &mut self.log);
    }

    /// Persons whom rules name: they have to be there, and what is theirs alone is theirs under this name, too.
    fn persons(&mut self) {
        let known = &self.seen.people;
        for (whose, person) in self.rules.resolve_exceptions(|person| known.contains_key(person)) {
            let message = format!("{whose} excepts person `{person}`, who is not in `[people]`");
            let role = whose.strip_prefix("role ").and_then(|role| role.parse().ok());
            let spot = role.and_then(|role: RoleName| self.seen.roles.get(&role)).cloned();
            self.log.add(code::NO_PERSON, &spot.unwrap_or_else(|| Spot::file(0)), message);
        }
        let Rules { roles, people, .. } = &mut self.rules;
        for role in roles.values_mut() {
            for (person, own) in &mut role.eligible.people {
                *own = people.own_accounts(person);
                if !self.seen.people.contains_key(person) {
                    let message =
                        format!("role `{}` is for person `{person}`, who is not in `[people]`", role.name);
                    let spot = self.seen.roles.get(&role.name).cloned().unwrap_or_else(|| Spot::file(0));
                    self.log.add(code::NO_PERSON, &spot, message);
                }
            }
        }
    }

    /// Roles that are apart: each of the two keeps from the other, whichever of them says so.
    fn apart(&mut self) {
        let Self { rules: Rules { roles, .. }, seen, log, .. } = self;
        let both = |role: &Role| {
            role.apart.iter().map(|other| (other.clone(), role.name.clone())).collect::<Vec<_>>()
        };
        for (other, name) in roles.values().flat_map(both).collect::<Vec<_>>() {
            let spot = seen.roles.get(&name).cloned().unwrap_or_else(|| Spot::file(0));
            if other == name {
                let message = format!("role `{name}` is apart from itself");
                let hint = "to keep one person from having it twice, write limits = { each = 1 }";
                log.add_with_hint(code::APART_FROM_NONE, &spot, message, hint);
            } else if let Some(other) = roles.get_mut(&other) {
                other.apart.insert(name);
            } else if !seen.roles.contains_key(&other) {
                let message = format!("role `{name}` is apart from role `{other}`, which no file defines");
                log.add(code::APART_FROM_NONE, &spot, message);
            }
        }
    }

    fn mode(&mut self, node: &Node<'_>) {
        if let Some(first) = &self.seen.mode {
            let message = format!("`mode` is already set at {}", self.log.place(first));
            self.log.add(code::SAME_MODE, &node.spot, message);
            return;
        }
        self.seen.mode = Some(node.spot.clone());
        let observed = if node.as_str().is_some() {
            let words = [("enforce", false), ("observe", true)];
            let Some(all) = node.choice(&words, &mut self.log) else { return };
            if all { Observed::Everything } else { Observed::Nothing }
        } else {
            let Some(table) = node.table(&MODE, &mut self.log) else { return };
            let Some(services) = table.required("observe", services, &mut self.log) else { return };
            Observed::At(services)
        };
        lint::observed(&observed, &node.spot, &mut self.log);
        self.rules.observed = observed;
    }

    fn change(&mut self, node: &Node<'_>) {
        if let Some(first) = &self.seen.change {
            let message = format!("`policy-change` is already set at {}", self.log.place(first));
            self.log.add(code::SAME_CHANGE, &node.spot, message);
            return;
        }
        self.seen.change = Some(node.spot.clone());
        let Some(table) = node.table(&CHANGE, &mut self.log) else { return };
        let approvers = table.required("approvers", who, &mut self.log);
        let approvals = table.optional("approvals", |node, log| node.upto(MAX_APPROVALS, log), &mut self.log);
        let reason = table.optional("reason", Node::flag, &mut self.log);
        let overrides = table.optional("override", Node::flag, &mut self.log);
        let signed_only = table.optional("signed-only", Node::flag, &mut self.log);
        let (Some(approvers), Some(approvals), Some(reason), Some(overrides), Some(signed_only)) =
            (approvers, approvals, reason, overrides, signed_only)
        else {
            return;
        };
        self.seen.others.push((table.spot_of("approvers"), approvers.clone()));
        self.rules.change = Some(ChangeRule {
            approvers,
            approvals: approvals.unwrap_or(1),
            reason: reason.unwrap_or(false),
            overrides: overrides.unwrap_or(true),
            signed_only: signed_only.unwrap_or(false),
        });
    }

    fn retain(&mut self, node: &Node<'_>) {
        if let Some(first) = &self.seen.retain {
            let message = format!("`retain` is already set at {}", self.log.place(first));
            self.log.add(code::SAME_RETAIN, &node.spot, message);
            return;
        }
        self.seen.retain = Some(node.spot.clone());
        let Some(retain) = node.parsed(code::BAD_DURATION, &mut self.log) else { return };
        lint::retain(retain, &node.spot, &mut self.log);
        self.rules.retain = Some(retain);
    }

    fn exempt(&mut self, node: &Node<'_>) {
        let Some(tables) = node.tables(&EXEMPT, &mut self.log) else {
            self.seen.bad_exempt = true;
            return;
        };
        for table in tables {
            let who = who_in(&table, &mut self.log);
            let services = table.required("services", services, &mut self.log);
            let from = table.optional("from", networks, &mut self.log);
            let (Some(who), Some(services), Some(from)) = (who, services, from) else {
                self.seen.bad_exempt = true;
                continue;
            };
            lint_roles::standing(&who, &services, from.is_none(), &table.spot, &mut self.log);
            self.seen.others.push((table.spot.clone(), who.clone()));
            self.rules.exempt.insert(Exempt { who, services, from: from.unwrap_or_default() });
        }
    }
}

impl Reader<'_> {
    fn askers(&mut self, node: &Node<'_>) {
        for table in node.tables(&ASKER, &mut self.log).into_iter().flatten() {
            let account = table.required("account", Node::word, &mut self.log);
            let services = table.required("services", services, &mut self.log);
            let end_as = table.optional("end-as", Node::word, &mut self.log);
            let (Some(account), Some(services), Some(end_as)) = (account, services, end_as) else { continue };
            match Asker::new(account, services, end_as) {
                Ok(asker) => {
                    lint::asker(&asker, &table.spot, &mut self.log);
                    self.seen.askers.push((table.spot.clone(), asker.clone()));
                    self.rules.askers.insert(asker);
                }
                Err(bad) => {
                    let spot = match bad {
                        BadAsker::Root => table.spot_of("account"),
                        BadAsker::EndsAsRoot => table.spot_of("end-as"),
                        BadAsker::NoService | BadAsker::Caller(_) => table.spot_of("services"),
                    };
                    self.log.add(code::BAD_ASKER, &spot, format!("this cannot be an asker: {bad}"));
                }
            }
        }
    }
}

impl Reader<'_> {
    fn teams(&mut self, node: &Node<'_>) {
        let Some(named) = node.named(&mut self.log) else { return };
        for (spot, node) in named {
            let name: TeamName = match node.key.parse() {
                Ok(name) => name,
                Err(err) => {
                    self.log.add(code::BAD_NAME, &spot, format!("{}: {err}", quoted(node.key)));
                    continue;
                }
            };
            if let Some(first) = self.seen.teams.get(&name) {
                let message = format!("team `{name}` is already defined at {}", self.log.place(first));
                self.log.add(code::SAME_TEAM, &spot, message);
                continue;
            }
            self.seen.teams.insert(name.clone(), spot);
            let Some(table) = node.table(&TEAM, &mut self.log) else { continue };
            let members = table.required("members", who, &mut self.log);
            let leads = table.required("leads", who, &mut self.log);
            let (Some(members), Some(leads)) = (members, leads) else { continue };
            self.seen.others.push((table.spot_of("members"), members.clone()));
            self.seen.others.push((table.spot_of("leads"), leads.clone()));
            self.rules.teams.add(name, Team { members, leads });
        }
    }
}

impl Reader<'_> {
    fn services(&mut self, node: &Node<'_>) {
        let Some(named) = node.named(&mut self.log) else { return };
        for (spot, node) in named {
            let name: ServiceName = match node.key.parse() {
                Ok(name) => name,
                Err(err) => {
                    self.log.add(code::BAD_NAME, &spot, format!("{}: {err}", quoted(node.key)));
                    continue;
                }
            };
            if let Some(first) = self.seen.services.get(&name) {
                let message = format!("service `{name}` is already defined at {}", self.log.place(first));
                self.log.add(code::SAME_SERVICE, &spot, message);
                continue;
            }
            self.seen.services.insert(name.clone(), spot.clone());
            let Some(table) = node.table(&SERVICE, &mut self.log) else { continue };
            let ends = |node: &Node<'_>, log: &mut Log<'_>| node.choice(&[("process", Ends::Process)], log);
            let Some(ends) = table.required("ends", ends, &mut self.log) else { continue };
            if subject_is_caller(&name) {
                let message = format!("`{name}` has a scope for each session: nothing else ends there");
                self.log.add(code::BAD_SERVICE, &spot, message);
                continue;
            }
            match ends {
                Ends::Process => self.rules.processes.insert(name),
            };
        }
    }
}

/// Notes whose these accounts or keys are. One that were two people's would make two reviews out of one human, or
/// one out of two.
fn belong<T: Ord + fmt::Display>(
    things: BTreeSet<T>,
    what: &str,
    person: &PersonName,
    owners: &mut BTreeMap<T, PersonName>,
    spot: &Spot,
    log: &mut Log<'_>,
) {
    for thing in things {
        if let Some(owner) = owners.get(&thing) {
            let message = format!("{what} `{thing}` is {owner}'s already; it can belong to one person only");
            log.add(code::TWO_PERSONS, spot, message);
        } else {
            owners.insert(thing, person.clone());
        }
    }
}

/// A file of this version of the language; `None` where nothing in it can be relied on.
fn open<'t>(index: usize, source: &Source<'t>, none: &Parts<'_>, log: &mut Log<'_>) -> Option<DeTable<'t>> {
    let tree = toml(index, source, log)?;
    // First, since in another version other keys may be right.
    version(&Table::root(index, &tree, &FILE, none), log)?;
    Some(tree)
}

fn toml<'t>(index: usize, source: &Source<'t>, log: &mut Log<'_>) -> Option<DeTable<'t>> {
    if let Some(flaw) = &source.flaw {
        let spot = Spot { file: index, span: flaw.span.clone() };
        log.add_with_hint(flaw.code, &spot, flaw.message.clone(), flaw.hint);
        return None;
    }
    let (tree, errors) = DeTable::parse_recoverable(source.text);
    // One error upsets what is read of the rest of its line.
    let mut last_line = 0;
    for error in &errors {
        let spot = Spot { file: index, span: error.span() };
        let line = error.span().map_or(1, |span| source.line(span.start));
        if line != last_line {
            log.add(code::NOT_TOML, &spot, format!("this is not TOML: {}", error.message()));
        }
        last_line = line;
    }
    errors.is_empty().then(|| tree.into_inner())
}

/// `None` where the file is written in another version, whose keys this one cannot judge.
fn version(file: &Table<'_>, log: &mut Log<'_>) -> Option<()> {
    let Some(node) = file.node("version") else { return Some(()) };
    let version = node.integer(log)?;
    if version != 1 {
        let jitd = env!("CARGO_PKG_VERSION");
        let message = format!("jitd {jitd} reads version 1 and knows nothing of version {version}");
        log.add(code::OTHER_VERSION, &node.spot, message);
        return None;
    }
    Some(())
}
