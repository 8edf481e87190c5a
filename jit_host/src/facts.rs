//! What this host knows of the names in a policy: groups and their members, accounts, and PAM files.
//!
//! The name service is asked by name, which every kind of it answers. Whether it also lists all that it knows is
//! read from nsswitch.conf(5). Any of this can hang for as long as a directory server does.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use jit_core::policy::{
    Account, Asker, AskerAccount, Facts, Group, Host, PamFile, Policy, Principal, SourceFile, Standing, Sudo,
};
use jit_core::tickets::Register;
use jit_proto::words::{GroupName, ServiceName, UserName};
use nix::errno::Errno;
use nix::unistd::User;

use crate::files::{Owner, TICKETS_DIR, read_policy_dir};
use crate::pam::stack::Lost;
use crate::pam::{Folders, Line, Stack, Stage};
use crate::{signers, sudoers};

/// Asks this host about every name in the policy. Blocks for as long as its name service does.
#[must_use]
pub fn gather(policy: &Policy, host: &Host) -> Facts {
    gather_from(&Source { limit: None }, policy, host)
}

/// Asks this host about every name in the policy, each on a thread of its own. The first that hangs is given up after
/// this time and those behind it at once; they count as unanswered, and their threads stay behind. For a program that is
/// about to end.
#[must_use]
pub fn gather_within(limit: Duration, policy: &Policy, host: &Host) -> Facts {
    gather_from(&Source { limit: Some(Cell::new(limit)) }, policy, host)
}

/// What a question gets once another has hung: the host's own files answer in less.
const LEAST: Duration = Duration::from_millis(50);

/// The name service, with or without an end to the time that is waited for it.
struct Source {
    limit: Option<Cell<Duration>>,
}

impl Source {
    /// The answer; an error if there is none.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce() -> nix::Result<T> + Send + 'static,
    ) -> nix::Result<T> {
        let Some(limit) = &self.limit else { return question() };
        let (answer, wait) = channel();
        let asking = std::thread::Builder::new().spawn(move || answer.send(question()));
        asking.ok().and_then(|_| wait.recv_timeout(limit.get()).ok()).unwrap_or_else(|| {
            limit.set(LEAST);
            Err(Errno::ETIMEDOUT)
        })
    }
}

fn gather_from(source: &Source, policy: &Policy, host: &Host) -> Facts {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let unlisted = match fs::read_to_string("/etc/nsswitch.conf") {
        Ok(text) => unlisted(&text),
        Err(why) if why.kind() == ErrorKind::NotFound => None,
        Err(why) => Some(format!("/etc/nsswitch.conf cannot be read ({why})")),
    };
    let mut accounts = Accounts { source, known: BTreeMap::new(), uids: BTreeMap::new() };
    let groups: BTreeMap<_, _> = policy
        .groups()
        .map(|name| (name.clone(), group(name, &passwd, unlisted.is_none(), &mut accounts)))
        .collect();
    for name in policy.users() {
        accounts.look_up(name);
    }
    let etc = Path::new("/etc");
    let services = policy.services().map(|service| (service.clone(), pam_file(etc, service))).collect();
    let sessions =
        policy.services().filter(|service| has_session_line(etc, service.as_str())).cloned().collect();
    let always = DOORS.iter().filter_map(|name| name.parse().ok());
    let doors: BTreeSet<ServiceName> = policy.named_services().cloned().chain(always).collect();
    let doors = doors.into_iter().map(|service| (service.clone(), door(etc, &service))).collect();
    let standing = standing(&accounts.uids);
    let of_askers = policy.askers().flat_map(|asker| [Some(asker.account()), asker.end_as()]).flatten();
    let askers = of_askers.map(|account| (account.clone(), asker_account(etc, account))).collect();
    let of_askers = policy.askers().flat_map(Asker::services);
    let ends = of_askers.filter(|service| has_end(etc, service)).cloned().collect();
    Facts {
        host: host.clone(),
        // Who reads clocks says what time it is.
        now: None,
        groups,
        accounts: accounts.known,
        standing,
        askers,
        ends,
        sessions,
        services,
        doors,
        signers: signers(),
        tickets: Some(tickets(Path::new(TICKETS_DIR))),
        sudo: sudo(etc),
        unlisted,
    }
}

/// How old the newest file of the register of tickets is, by the clocks of this host; or what is wrong with it.
fn tickets(dir: &Path) -> Result<Duration, String> {
    let files = read_policy_dir(dir, Owner::of(dir))
        .map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    if let Some(why) = Register::read(&files).fault() {
        return Err(why.to_owned());
    }
    let changed = |file: &SourceFile| fs::metadata(dir.join(&file.name)).ok()?.modified().ok();
    let newest = files.iter().filter_map(changed).max().ok_or("it has no file")?;
    Ok(newest.elapsed().unwrap_or_default())
}

/// Whose keys may sign approvals here; nothing where their file cannot be read, which is said elsewhere.
fn signers() -> Option<BTreeSet<Principal>> {
    let (approvers, revoked) =
        signers::read(Path::new(signers::APPROVERS), Path::new(signers::REVOKED), Owner::Root).ok()?;
    let counts = approvers.iter().filter(|approver| approver.approves() && !revoked.contains(&approver.key));
    Some(counts.flat_map(|approver| approver.principals.iter().cloned()).collect())
}

/// What sudoers of this `/etc` says of PAM services. A name that is none of a service's is nobody's.
fn sudo(etc: &Path) -> Sudo {
    let program = fs::canonicalize("/usr/bin/sudo").unwrap_or_default();
    // Its file is called so, or is one of Cargo's, as Ubuntu has it.
    let is_rs = program.to_string_lossy().contains("sudo-rs") || program.starts_with("/usr/lib/cargo");
    match sudoers::services(Path::new("/")) {
        Ok(named) => {
            let named = named.iter().filter_map(|name| name.parse::<ServiceName>().ok());
            let services = named.map(|service| (service.clone(), pam_file(etc, &service))).collect();
            Sudo { services, untold: None, is_rs }
        }
        Err(why) => Sudo { services: BTreeMap::new(), untold: Some(why), is_rs },
    }
}

/// Accounts that were asked after, each once.
struct Accounts<'s> {
    source: &'s Source,
    known: BTreeMap<UserName, Account>,
    uids: BTreeMap<u32, UserName>,
}

impl Accounts<'_> {
    fn look_up(&mut self, name: &UserName) -> Account {
        let (source, uids) = (self.source, &mut self.uids);
        *self.known.entry(name.clone()).or_insert_with(|| {
            let asked = name.clone();
            match source.ask(move || User::from_name(asked.as_str())) {
                // An answer under another name (case folding, aliases) is not this account.
                Ok(Some(user)) if user.name == name.as_str() => {
                    uids.insert(user.uid.as_raw(), name.clone());
                    Account::There
                }
                Ok(_) => Account::Absent,
                Err(_) => Account::Unanswered,
            }
        })
    }
}

/// Whether this `/etc` has a program that ends logins of a service: a file of root's that root alone can write and
/// everybody can run, as `jit-end` has it.
#[must_use]
pub fn has_end(etc: &Path, service: &ServiceName) -> bool {
    let facts = fs::symlink_metadata(etc.join("jit/end.d").join(service.as_str()));
    facts.is_ok_and(|file| {
        file.is_file() && file.uid() == 0 && file.mode() & 0o022 == 0 && file.mode() & 0o111 == 0o111
    })
}

/// What the account files in this `/etc` say of an account that may ask about others. No other source is asked: jitd asks
/// none, either.
fn asker_account(etc: &Path, account: &UserName) -> AskerAccount {
    let Ok(passwd) = fs::read_to_string(etc.join("passwd")) else { return AskerAccount::Unread };
    let uid = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == account.as_str()).then(|| fields.nth(1)?.parse::<u32>().ok()).flatten()
    });
    match uid {
        None => AskerAccount::Absent,
        Some(0) => AskerAccount::Root,
        Some(uid) if uids_of_people(etc).contains(&uid) => AskerAccount::Persons,
        Some(_) => AskerAccount::There,
    }
}

/// The uids that useradd(8) gives people, by login.defs(5).
fn uids_of_people(etc: &Path) -> RangeInclusive<u32> {
    let text = fs::read_to_string(etc.join("login.defs")).unwrap_or_default();
    let number = |key: &str, default: u32| {
        let said = text.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next()? == key).then(|| words.next()?.parse().ok()).flatten()
        });
        said.unwrap_or(default)
    };
    number("UID_MIN", 1000)..=number("UID_MAX", 60_000)
}

/// Whether an account's manager starts with the machine (loginctl(1), enable-linger).
#[must_use]
pub fn lingers(account: &UserName) -> bool {
    Path::new("/var/lib/systemd/linger").join(account.as_str()).exists()
}

/// What these accounts have running without being logged in. Root is no person.
fn standing(uids: &BTreeMap<u32, UserName>) -> BTreeMap<UserName, Standing> {
    let people = || uids.iter().filter(|(uid, _)| **uid != 0);
    let mut found: BTreeMap<UserName, Standing> = BTreeMap::new();
    for (_, name) in people().filter(|(_, name)| lingers(name)) {
        found.entry(name.clone()).or_default().lingers = true;
    }
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let owner =
            process.metadata().ok().and_then(|file| uids.get(&file.uid()).filter(|_| file.uid() != 0));
        let groups = owner.and_then(|_| fs::read_to_string(process.path().join("cgroup")).ok());
        if let (Some(name), Some(service)) = (owner, groups.as_deref().and_then(system_service)) {
            found.entry(name.clone()).or_default().services.insert(service.to_owned());
        }
    }
    found
}

/// The service of the system in which a process runs, by its control groups (cgroups(7)).
fn system_service(groups: &str) -> Option<&str> {
    let path = groups.lines().find_map(|line| line.split_once(":/system.slice/").map(|(_, path)| path))?;
    let is_a = |unit: &str, kind: &str| unit.strip_suffix(kind).is_some();
    path.split('/').find(|part| !is_a(part, ".slice")).filter(|unit| is_a(unit, ".service"))
}

/// A group with its members as far as they are listed. Where everything is listed, a member without an account is
/// nobody.
fn group(name: &GroupName, passwd: &str, all_listed: bool, accounts: &mut Accounts<'_>) -> Group {
    let asked = name.clone();
    let found = match accounts.source.ask(move || nix::unistd::Group::from_name(asked.as_str())) {
        Ok(Some(found)) => found,
        Ok(None) => return Group::Absent,
        Err(_) => return Group::Unanswered,
    };
    let named = found.mem.iter().map(String::as_str);
    let members: BTreeSet<UserName> =
        named.chain(primary(passwd, found.gid.as_raw())).filter_map(|name| name.parse().ok()).collect();
    let is_there = |member: &UserName| !all_listed || accounts.look_up(member) != Account::Absent;
    Group::Members(members.into_iter().filter(is_there).collect())
}

/// The accounts of passwd(5) whose primary group has this gid.
fn primary(passwd: &str, gid: u32) -> impl Iterator<Item = &str> {
    passwd.lines().filter_map(move |line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(2)?.parse() == Ok(gid)).then_some(name)
    })
}

/// Why absence proves nothing, if it does not: a source of accounts or groups that may know more than it lists.
fn unlisted(nsswitch: &str) -> Option<String> {
    let lines = nsswitch.lines().map(|line| line.split('#').next().unwrap_or_default());
    for (database, sources) in lines.filter_map(|line| line.split_once(':')) {
        let database = database.trim();
        if !["passwd", "group", "initgroups"].contains(&database) {
            continue;
        }
        // `[NOTFOUND=return]` and its like are no sources.
        let mut inside = false;
        for word in sources.split_whitespace() {
            inside |= word.starts_with('[');
            if !inside && !["files", "compat", "systemd"].contains(&word) {
                return Some(format!(
                    "nsswitch.conf asks `{word}` for {database}, which need not list all it knows"
                ));
            }
            inside &= !word.ends_with(']');
        }
    }
    None
}

/// Whether a service asks jitd before it lets somebody in, by its PAM file in this `/etc` or, where it has none there, that of
/// its package. One that cannot be read does not.
#[must_use]
pub fn asks_jitd(etc: &Path, service: &str) -> bool {
    stack(etc, service).is_some_and(|stack| stack.asks_at(Stage::Account))
}

/// Whether the sessions of a service ask jitd, too: its PAM file has the session line.
#[must_use]
pub fn has_session_line(etc: &Path, service: &str) -> bool {
    stack(etc, service).is_some_and(|stack| stack.asks_at(Stage::Session))
}

/// Whether a service asks jitd only to watch: PAM hears no refusal there.
#[must_use]
pub fn only_watches_at(etc: &Path, service: &str) -> bool {
    stack(etc, service).is_some_and(|stack| stack.only_watches())
}

/// The stack of a service, where it has a file that can be read.
fn stack(etc: &Path, service: &str) -> Option<Stack> {
    Stack::read(&Folders::of_etc(etc), service).ok().flatten()
}

/// Whether the PAM file of a service names the module at the stage that lets in.
fn pam_file(etc: &Path, service: &ServiceName) -> PamFile {
    match Stack::read(&Folders::of_etc(etc), service.as_str()) {
        Ok(Some(stack)) if stack.asks_at(Stage::Account) => PamFile::NamesModule,
        Ok(Some(stack)) if stack.lacks(Stage::Account, Lost::Unread) => PamFile::Unread,
        Ok(Some(_)) => PamFile::NamesOthers,
        Ok(None) => PamFile::Absent,
        Err(_) => PamFile::Unread,
    }
}

/// The services that are looked at whatever the policy names: people log in or become root by them.
const DOORS: [&str; 4] = ["sshd", "login", "sudo", "su"];

/// The same as something that keeps people out: a file that asks jitd only to watch does not.
fn door(etc: &Path, service: &ServiceName) -> PamFile {
    let file = pam_file(etc, service);
    let only_watches = file == PamFile::NamesModule && only_watches_at(etc, service.as_str());
    if only_watches { PamFile::NamesOthers } else { file }
}

/// The accounts that the module lets into a service while jitd does not answer: those that its account lines name in
/// `recovery=` (pam_jit(8)). A file that cannot be read lets nobody in.
#[must_use]
pub fn recover(etc: &Path, service: &str) -> BTreeSet<UserName> {
    stack(etc, service).map(|stack| recovering(&stack, Stage::Account)).unwrap_or_default()
}

/// Those that our lines of a stage name in `recovery=`.
#[must_use]
pub fn recovering(stack: &Stack, stage: Stage) -> BTreeSet<UserName> {
    let lists = stack.ours(stage).flat_map(Line::arguments).filter_map(|word| word.strip_prefix("recovery="));
    lists.flat_map(|list| list.split(',')).filter_map(|name| name.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::policy::SourceFile;

    #[test]
    fn only_sources_that_list_all_they_know_prove_that_somebody_is_missing() {
        for text in [
            "",
            "passwd: files\ngroup: files systemd\nhosts: files dns\n",
            "passwd:\t\tcompat systemd # sss\ngroup: files [NOTFOUND=return] systemd\nshadow: files sss\n",
            "group: files [ SUCCESS=merge ] systemd\n",
        ] {
            assert_eq!(unlisted(text), None, "{text}");
        }
        for (text, names) in [
            ("passwd: files sss\n", "`sss` for passwd"),
            ("passwd: files\ngroup: files ldap\n", "`ldap` for group"),
            ("initgroups: files sss", "`sss` for initgroups"),
            ("passwd: [!SUCCESS=continue] winbind", "`winbind` for passwd"),
        ] {
            let why = unlisted(text).unwrap_or_default();
            assert!(why.contains(names), "{text}: {why}");
        }
    }

    #[test]
    fn what_hangs_is_given_up_when_the_time_is_over_and_what_answers_at_once_is_not() {
        let source = Source { limit: Some(Cell::new(LEAST)) };
        let (go_on, hang) = channel::<()>();
        assert_eq!(source.ask(move || Ok(hang.recv().is_err())), Err(Errno::ETIMEDOUT));
        assert_eq!(source.ask(|| Ok(7)), Ok(7));
        assert_eq!(Source { limit: None }.ask(|| Ok(7)), Ok(7));
        drop(go_on);
    }

    #[test]
    fn a_service_of_the_system_is_told_from_a_login() {
        let service = |text: &str| system_service(text).map(str::to_owned);
        assert_eq!(service("0::/system.slice/app.service\n").as_deref(), Some("app.service"));
        let hybrid = "4:pids:/\n1:name=systemd:/system.slice/system-pg.slice/pg@1.service/x\n0::/\n";
        assert_eq!(service(hybrid).as_deref(), Some("pg@1.service"));
        for other in ["0::/user.slice/user-1.slice/session-1.scope\n", "0::/system.slice/jit-1-2.scope\n", ""]
        {
            assert_eq!(service(other), None, "{other}");
        }
    }

    #[test]
    fn whose_primary_group_it_is_belongs_to_it() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nana:x:1000:100::/:/bin/sh\nbroken\ntom:x:1001:100::/:/bin/sh\n";
        assert_eq!(primary(passwd, 100).collect::<Vec<_>>(), ["ana", "tom"]);
        assert_eq!(primary(passwd, 1).count(), 0);
    }

    #[test]
    fn whom_an_asker_is_believed_to_be_is_what_this_hosts_own_files_say() {
        let etc = tempfile::tempdir().unwrap();
        let found = |name: &str| asker_account(etc.path(), &name.parse().unwrap());
        assert_eq!(found("postgres"), AskerAccount::Unread);
        let passwd = "root:x:0:0::/:/\ntoor:x:0:0::/:/\npostgres:x:112:1::/:/\nana:x:1000:1::/:/\nbroken\nnobody:x:65534:1::/:/\n";
        fs::write(etc.path().join("passwd"), passwd).unwrap();
        for (name, account) in [
            ("postgres", AskerAccount::There),
            ("nobody", AskerAccount::There),
            ("post", AskerAccount::Absent),
            ("broken", AskerAccount::Absent),
            ("toor", AskerAccount::Root),
            ("ana", AskerAccount::Persons),
        ] {
            assert_eq!(found(name), account, "{name}");
        }
        fs::write(etc.path().join("login.defs"), "# UID_MIN 5\nUID_MIN\t\t 2000\n").unwrap();
        assert_eq!(found("ana"), AskerAccount::There);
    }

    fn pam(files: &[(&str, &str)]) -> tempfile::TempDir {
        let etc = tempfile::tempdir().unwrap();
        fs::create_dir(etc.path().join("pam.d")).unwrap();
        for (name, text) in files {
            fs::write(etc.path().join("pam.d").join(name), text).unwrap();
        }
        etc
    }

    #[test]
    fn a_pam_file_names_the_module_itself_or_by_way_of_another() {
        let gate = "account [success=ok ignore=ignore default=die] pam_jit.so\n";
        let etc = pam(&[
            ("sshd", gate),
            ("path", "account required /lib/x/security/pam_jit.so recovery=root\n"),
            ("folded", "account required \\\n pam_jit.so\n"),
            ("su", "auth sufficient pam_rootok.so\n@include gate\n"),
            ("su-l", "account include su\n"),
            ("gate", gate),
            ("sub", "-account substack gate\n"),
            ("login", "# account required pam_jit.so\naccount required pam_unix.so # pam_jit.so\n"),
            ("session", "session required pam_jit.so\n"),
            ("watched", "account [default=ignore] pam_jit.so\n"),
            ("loop", "@include loop\n@include ../shadow\n@include absent\n"),
        ]);
        for (service, expected) in [
            ("sshd", PamFile::NamesModule),
            ("path", PamFile::NamesModule),
            ("folded", PamFile::NamesModule),
            ("su", PamFile::NamesModule),
            ("su-l", PamFile::NamesModule),
            ("sub", PamFile::NamesModule),
            ("login", PamFile::NamesOthers),
            ("session", PamFile::NamesOthers),
            ("loop", PamFile::NamesOthers),
            ("none", PamFile::Absent),
        ] {
            assert_eq!(pam_file(etc.path(), &service.parse().unwrap()), expected, "{service}");
            assert_eq!(door(etc.path(), &service.parse().unwrap()), expected, "{service}");
        }
        // What only watches asks, and keeps nobody out.
        let watched = "watched".parse().unwrap();
        assert_eq!(pam_file(etc.path(), &watched), PamFile::NamesModule);
        assert_eq!(door(etc.path(), &watched), PamFile::NamesOthers);
    }

    #[test]
    fn this_host_is_asked_about_every_name_and_knows_root() {
        let text = "version = 1\n[admins]\nusers = [\"root\", \"no-such-account\"]\ngroups = [\"no-such-group\", \
                    \"root\"]\n[[exempt]]\nusers = [\"root\"]\nservices = [\"login\"]\n";
        let file = SourceFile { name: "a.toml".to_owned(), bytes: text.into() };
        let policy = Policy::parse(&[file]).unwrap().policy;
        let host = Host {
            name: "db-1".parse().unwrap(),
            groups: BTreeSet::new(),
            ways: jit_core::policy::Ways::default(),
        };
        let facts = gather(&policy, &host);
        for door in DOORS {
            assert!(facts.doors.contains_key(door), "{door}");
        }
        let root: UserName = "root".parse().unwrap();
        assert_eq!(facts.accounts[&root], Account::There);
        assert_eq!(facts.accounts[&"no-such-account".parse().unwrap()], Account::Absent);
        assert_eq!(facts.groups[&"no-such-group".parse().unwrap()], Group::Absent);
        // By its primary group: group(5) lists nobody there.
        assert!(
            matches!(&facts.groups[&"root".parse().unwrap()], Group::Members(who) if who.contains(&root))
        );
    }
}
