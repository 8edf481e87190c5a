//! From TOML to rules: one function for each kind of table. `shape` lists their keys.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::words::{RoleName, ServiceName};
use toml::de::DeTable;

use super::finding::{Finding, Log, Spot};
use super::shape::{EXEMPT, FILE, ROLE, STAGE, WHO, not_yet, quoted};
use super::source::Source;
use super::walk::{Node, Table};
use super::{Exempt, HostGlob, Role, Rules, SourceFile, Stage, Uses, Who, code, lint};

/// The most files of one policy.
const MAX_FILES: usize = 256;

/// The most roles of one policy.
const MAX_ROLES: usize = 20_000;

/// How long a summary and a stage's name may be, in characters: they stand in tables and log lines.
const MAX_LINE: usize = 200;

/// The window where neither the request nor the role names one, if the role's longest is not shorter.
const USUAL_DURATION: Duration = Duration::from_hours(1);

/// The rules of files that stand in name order, with warnings; or errors, and warnings among them.
pub(super) fn rules(files: &[SourceFile]) -> Result<(Rules, Vec<Finding>), Vec<Finding>> {
    let sources: Vec<_> = files.iter().take(MAX_FILES + 1).map(Source::new).collect();
    let mut reader = Reader { log: Log::new(&sources), rules: Rules::default(), seen: Seen::default() };
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

struct Reader<'s> {
    log: Log<'s>,
    rules: Rules,
    seen: Seen,
}

/// What the files hold whether or not it could be read, so that one mistake is not reported as another.
#[derive(Debug, Default)]
struct Seen {
    unread_file: bool,
    roles: BTreeMap<RoleName, Spot>,
    admins: bool,
    bad_exempt: bool,
}

impl Reader<'_> {
    fn files(&mut self, sources: &[Source<'_>]) {
        for (index, source) in sources.iter().enumerate() {
            if index > 0 && sources[index - 1].name == source.name {
                self.log.add(code::SAME_FILE_NAME, &Spot::file(index), "another file has the same name");
            }
            self.seen.unread_file |= self.file(index, source).is_none();
        }
        if self.seen.unread_file {
            return;
        }
        if !self.seen.admins {
            lint::no_admins(&mut self.log);
        }
        if !self.seen.bad_exempt {
            lint::console(&self.rules.exempt, &mut self.log);
        }
    }

    /// Reads one file; `None` where nothing in it can be relied on.
    fn file(&mut self, index: usize, source: &Source<'_>) -> Option<()> {
        let tree = toml(index, source, &mut self.log)?;
        let mut file = Table::root(index, &tree, &FILE);
        // First, since in another version other keys may be right.
        version(&file, &mut self.log)?;
        file.check_keys(&mut self.log);
        if !file.has("version") {
            let message = "`version` is missing: every policy file needs it";
            self.log.add_with_hint(code::NO_VERSION, &file.spot, message, "begin the file with version = 1");
        }
        self.seen.admins |= file.has("admins");
        self.seen.bad_exempt |= file.has("exempt") && file.node("exempt").is_none();
        if let Some(node) = file.node("role") {
            self.roles(&node);
        }
        if let Some(node) = file.node("exempt") {
            self.exempt(&node);
        }
        if let Some(node) = file.node("admins") {
            self.rules.admins.extend(who(&node, &mut self.log).unwrap_or_default());
        }
        if let Some(node) = file.node("auditors") {
            self.rules.auditors.extend(who(&node, &mut self.log).unwrap_or_default());
        }
        Some(())
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
            if let Some(role) = role(name, &node, &mut self.log) {
                self.rules.roles.insert(role.name.clone(), role);
            }
        }
    }

    fn exempt(&mut self, node: &Node<'_>) {
        let Some(tables) = node.tables(&EXEMPT, &mut self.log) else {
            self.seen.bad_exempt = true;
            return;
        };
        for table in tables {
            let who = who_in(&table, &mut self.log);
            let services = table.required("services", services, &mut self.log);
            let (Some(who), Some(services)) = (who, services) else {
                self.seen.bad_exempt = true;
                continue;
            };
            self.rules.exempt.insert(Exempt { who, services });
        }
    }
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
        let line = error.span().map_or(1, |span| source.line_and_column(span.start).0);
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

fn role(name: RoleName, node: &Node<'_>, log: &mut Log<'_>) -> Option<Role> {
    let table = node.table(&ROLE, log)?;
    let summary = table.optional("summary", |node, log| node.line(MAX_LINE, log), log);
    let hosts = table.required("hosts", |node, log| node.some(host, log), log);
    let services = table.required("services", services, log);
    let eligible = table.required("eligible", who, log);
    let max_duration = table.required("max-duration", Node::duration, log);
    let default_duration = table.optional("default-duration", Node::duration, log);
    let uses = table.optional("uses", uses, log);
    let stages = table.required("stage", stages, log);

    let max_duration = max_duration?;
    let (stages, approvers): (Vec<_>, Vec<_>) = stages?.into_iter().unzip();
    let role = Role {
        name,
        summary: summary?,
        hosts: hosts?.into_iter().collect(),
        services: services?,
        eligible: eligible?,
        max_duration,
        default_duration: default_duration?.unwrap_or(USUAL_DURATION.min(max_duration)),
        uses: uses?.unwrap_or(Uses::Unlimited),
        stages,
    };
    lint::durations(&role, &table.spot_of("default-duration"), log);
    for (stage, spot) in role.stages.iter().zip(&approvers) {
        lint::approvers(stage, &role.eligible, spot, log);
    }
    Some(role)
}

/// The stages, and where the approvers of each stand. A second one is an error as long as jitd acts on one.
fn stages(node: &Node<'_>, log: &mut Log<'_>) -> Option<Vec<(Stage, Spot)>> {
    let tables = node.tables(&STAGE, log)?;
    if tables.is_empty() {
        return node.empty(log);
    }
    let stages: Vec<_> = tables.iter().enumerate().map(|(n, table)| stage(n, table, log)).collect();
    if let Some(second) = tables.get(1) {
        log.add(code::NOT_YET, &second.spot, not_yet("a second stage"));
    }
    stages.into_iter().collect()
}

fn stage(index: usize, table: &Table<'_>, log: &mut Log<'_>) -> Option<(Stage, Spot)> {
    let name = table.optional("name", |node, log| node.line(MAX_LINE, log), log);
    let approvers = table.required("approvers", who, log);
    let approvals = table.optional("approvals", Node::count, log);
    let stage = Stage {
        name: name?.unwrap_or_else(|| format!("stage {}", index + 1)),
        approvers: approvers?,
        approvals: approvals?.unwrap_or(NonZeroU32::MIN),
    };
    Some((stage, table.spot_of("approvers")))
}

fn who(node: &Node<'_>, log: &mut Log<'_>) -> Option<Who> {
    who_in(&node.table(&WHO, log)?, log)
}

/// The people that a table names with `users` and `groups`, whatever else it says.
fn who_in(table: &Table<'_>, log: &mut Log<'_>) -> Option<Who> {
    let users = table.optional("users", |node, log| node.set(Node::word, log), log);
    let groups = table.optional("groups", |node, log| node.set(Node::word, log), log);
    let who = Who { users: users?.unwrap_or_default(), groups: groups?.unwrap_or_default() };
    if who.is_empty() {
        // A misspelt `users` has been reported.
        if !table.has_misspelt() {
            let message = "this names nobody: it needs `users` or `groups`";
            log.add_with_hint(code::EMPTY, &table.spot, message, "write it like users = [\"ana\"]");
        }
        return None;
    }
    Some(who)
}

/// Services, with what `sudo` and `su` stand for spelled out: `sudo -i` and `su -` are PAM services of their
/// own, and a role that opens one without the other surprises everybody.
fn services(node: &Node<'_>, log: &mut Log<'_>) -> Option<BTreeSet<ServiceName>> {
    let mut services = node.some(Node::word, log)?;
    for (short, login) in [("sudo", "sudo-i"), ("su", "su-l")] {
        if services.iter().any(|service: &ServiceName| service.as_str() == short) {
            // These two words always parse.
            services.extend(login.parse::<ServiceName>());
        }
    }
    Some(services)
}

fn host(node: &Node<'_>, log: &mut Log<'_>) -> Option<HostGlob> {
    let text = node.string(log)?;
    if text.starts_with('@') {
        let message = not_yet(&format!("the host group {}", quoted(text)));
        log.add(code::NOT_YET, &node.spot, message);
        return None;
    }
    node.word(log)
}

fn uses(node: &Node<'_>, log: &mut Log<'_>) -> Option<Uses> {
    match node.as_str() {
        Some("unlimited") => Some(Uses::Unlimited),
        Some(_) => node.not_a("a whole number or \"unlimited\"", log),
        None => node.count(log).map(Uses::Times),
    }
}
