//! What this host's own files say of accounts and groups: passwd(5) and group(5), where nsswitch.conf(5) asks them
//! first. They answer at once, whatever hangs behind them.
//!
//! Only what the name service would say as well is taken from them: an account that stands there and that `files` comes
//! first for, and that an account is in a group. That an account is in none is theirs to say where no other source is
//! asked about groups.
//!
//! nsswitch.conf also says when "there is none" can be believed. The C library tells what the last source said that it
//! asked, and not that one before it was not there to be asked: with `files sss systemd` and a dead sssd everybody whom
//! the directory alone knows is, by its word, no account.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jit_proto::words::{GroupName, Uid, UserName};
use nix::fcntl::OFlag;

use super::whose::{Account, Whose};

/// The most of one file that is read; a longer one is left to the name service.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// This host's files, read again whenever they have changed.
pub(super) struct Local {
    etc: PathBuf,
    switch: Kept<Switch>,
    passwd: Kept<Passwd>,
    group: Kept<Groups>,
}

impl Local {
    pub(super) fn new(etc: &Path) -> Self {
        Self { etc: etc.to_owned(), switch: Kept::default(), passwd: Kept::default(), group: Kept::default() }
    }

    /// What nsswitch.conf says.
    pub(super) fn switch(&self) -> Arc<Switch> {
        self.switch.read(&self.etc.join("nsswitch.conf"), Switch::parse).unwrap_or_default()
    }

    /// The first source of accounts whose failure the name service would not tell: what it says is not there may be
    /// there all the same.
    pub(super) fn hides_accounts(&self) -> Option<Hidden> {
        let passwd = self.passwd.read(&self.etc.join("passwd"), Passwd::parse).unwrap_or_default();
        self.switch().passwd.hidden(passwd.asks_on)
    }

    /// The same of groups.
    pub(super) fn hides_groups(&self) -> Option<Hidden> {
        let groups = self.group.read(&self.etc.join("group"), Groups::parse).unwrap_or_default();
        self.switch().group.hidden(groups.asks_on)
    }

    /// The uid that the files have of this name, wherever else accounts come from.
    pub(super) fn uid(&self, name: &UserName) -> Option<Uid> {
        let passwd = self.passwd.read(&self.etc.join("passwd"), Passwd::parse)?;
        passwd.by_name.get(name).map(|account| account.uid)
    }

    /// The account of this name or uid, where it is the files that say. Root is root by itself: of uid 0 they are asked
    /// first whatever comes first in nsswitch.conf, and without them it is called root.
    pub(super) fn account(&self, whose: &Whose) -> Option<Account> {
        let passwd = self.passwd.read(&self.etc.join("passwd"), Passwd::parse).unwrap_or_default();
        let root = || Some(Account { name: passwd.root.clone()?, uid: Uid::ROOT, gid: 0 });
        let found = match whose {
            Whose::Uid(uid) if uid.is_root() => return root(),
            Whose::Uid(uid) => passwd.of_uid.get(uid).and_then(|names| passwd.by_name.get(names.first()?)),
            Whose::Name(name) => match passwd.by_name.get(name) {
                Some(found) if found.uid.is_root() => return Some(found.clone()),
                None if name.as_str() == "root" => return root(),
                found => found,
            },
        };
        found.filter(|_| self.switch().passwd.files_first).cloned()
    }

    /// The other names of the account's uid that stand in the files, wherever the account itself came from: all names of
    /// one uid are one person (DESIGN §1). And whether the account stands there with that uid itself.
    pub(super) fn also(&self, account: &Account) -> (BTreeSet<UserName>, bool) {
        let passwd = self.passwd.read(&self.etc.join("passwd"), Passwd::parse).unwrap_or_default();
        let names = passwd.of_uid.get(&account.uid).into_iter().flatten();
        let is_there = passwd.by_name.get(&account.name).is_some_and(|own| own.uid == account.uid);
        (names.filter(|name| **name != account.name).cloned().collect(), is_there)
    }

    /// Whether the account is in this group, where it is the files that say.
    pub(super) fn is_in(&self, account: &Account, group: &GroupName) -> Option<bool> {
        let switch = self.switch();
        let groups = self.group.read(&self.etc.join("group"), Groups::parse);
        let is_in = groups.as_ref().is_some_and(|groups| groups.has(account, group));
        // No other source is asked about root: who could name root's groups could lock root out.
        if account.uid.is_root() {
            return Some(is_in);
        }
        match is_in {
            true if switch.group.files_first => Some(true),
            false if switch.group.files_alone && groups.is_some() => Some(false),
            true | false => None,
        }
    }
}

/// A source that may fail without a word, as another answers in its stead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(super) struct Hidden {
    whose: String,
    /// With what an admin can do about it.
    why: String,
}

impl Hidden {
    /// A source behind which another is asked.
    fn by(behind: &str, whose: &str) -> Self {
        let why = format!(
            "nsswitch.conf asks {behind} behind {whose}, which hides whether {whose} answers: put {whose} last"
        );
        Self { whose: whose.to_owned(), why }
    }

    /// A source for `initgroups` alone.
    fn unasked(whose: &str) -> Self {
        let why = format!(
            "nsswitch.conf asks {whose} for initgroups alone, which hides whether {whose} answers: add it to group"
        );
        Self { whose: whose.to_owned(), why }
    }
}

/// Sources that hold nothing but what is on this host, and that are always there to say what they do not hold. What is
/// not known here is taken for a directory.
const LOCAL: [&str; 8] =
    ["files", "db", "systemd", "mymachines", "extrausers", "altfiles", "usrfiles", "cache"];

/// passwd(5) with lines that begin with `+`, which ask another source: nothing else does.
const COMPAT: &str = "compat";

/// The sources of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sources {
    /// Whether what the files hold is what is answered.
    files_first: bool,
    /// Whether they are the only source.
    files_alone: bool,
    /// The others, in their order.
    pub(super) others: Vec<String>,
    /// Those whose failure is hidden.
    hidden: Vec<Hidden>,
}

/// nsswitch.conf(5): where accounts and groups come from. A database without a line comes from the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Switch {
    pub(super) passwd: Sources,
    pub(super) group: Sources,
}

impl Default for Switch {
    fn default() -> Self {
        let files =
            || Sources { files_first: true, files_alone: true, others: Vec::new(), hidden: Vec::new() };
        Self { passwd: files(), group: files() }
    }
}

impl Switch {
    fn parse(text: &str) -> Self {
        let line = |database: &str| {
            let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
            let found =
                lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.trim() == database);
            found.map(|(_, sources)| Sources::parse(sources))
        };
        let default = Self::default();
        let passwd = line("passwd").unwrap_or(default.passwd);
        let group = line("group").unwrap_or(default.group);
        // What somebody is in, `initgroups` says where it has a line. Whether all of its sources answered is asked of
        // those for `group`, so each has to be among them.
        let group = match line("initgroups") {
            None => group,
            Some(own) => {
                let unasked =
                    own.others.iter().find(|source| !is_local(source) && !group.others.contains(source));
                let unasked = unasked.map(|source| Hidden::unasked(source));
                Sources {
                    files_first: group.files_first && own.files_first,
                    files_alone: group.files_alone && own.files_alone,
                    others: group.others.into_iter().chain(own.others).collect(),
                    hidden: group.hidden.into_iter().chain(unasked).collect(),
                }
            }
        };
        Self { passwd, group }
    }
}

fn is_local(source: &str) -> bool {
    LOCAL.contains(&source)
}

/// Whether another source is asked after one of this status: `unavail` and `tryagain` go on unless an action says
/// otherwise. The last one that speaks of it counts, `!` of all others.
fn is_asked_on(status: &str, action: &str) -> bool {
    let actions = action.replace(" =", "=").replace("= ", "=");
    let spoken = actions.split_whitespace().filter_map(|one| one.split_once('='));
    let mut of_this =
        spoken.filter(|(of, _)| of.strip_prefix('!').map_or(*of == status, |other| other != status));
    of_this.next_back().is_none_or(|(_, does)| does != "return")
}

impl Sources {
    fn hidden(&self, compat_asks_on: bool) -> Option<Hidden> {
        self.hidden.iter().find(|hidden| compat_asks_on || hidden.whose != COMPAT).cloned()
    }

    fn parse(text: &str) -> Self {
        // An action in brackets is one word, whatever blanks are in it, and belongs to the source before it.
        let mut sources: Vec<(String, String)> = Vec::new();
        let mut action: Option<String> = None;
        for word in text.replace('[', " [ ").replace(']', " ] ").split_whitespace() {
            match (word, &mut action) {
                ("[", _) => action = Some(String::new()),
                ("]", _) => {
                    let done = action.take().unwrap_or_default();
                    if let Some((_, of_last)) = sources.last_mut() {
                        *of_last += &done;
                    }
                }
                (word, Some(action)) => *action += &format!("{word} ").to_ascii_lowercase(),
                (word, None) => sources.push((word.to_owned(), String::new())),
            }
        }
        // After a success the files' answer stands, unless an action says to go on all the same.
        let goes_on = |action: &str| action.contains("success=continue") || action.contains('!');
        let is_files = |(source, action): &(String, String)| source == "files" && !goes_on(action);
        let others = sources.iter().map(|(source, _)| source).filter(|source| *source != "files");
        let fails_unheard = |action: &str| is_asked_on("unavail", action) || is_asked_on("tryagain", action);
        let hidden = sources.iter().zip(sources.iter().skip(1));
        let hidden = hidden.filter(|((source, action), _)| !is_local(source) && fails_unheard(action));
        let hidden = hidden.map(|((source, _), (behind, _))| Hidden::by(behind, source));
        Self {
            files_first: sources.first().is_some_and(is_files),
            files_alone: sources.iter().all(|(source, _)| source == "files"),
            others: others.cloned().collect(),
            hidden: hidden.collect(),
        }
    }
}

/// The accounts of passwd(5).
#[derive(Debug)]
struct Passwd {
    by_name: HashMap<UserName, Account>,
    /// The names of each uid, in the order of the file: the first is the one that getpwuid(3) has.
    of_uid: HashMap<Uid, Vec<UserName>>,
    /// What uid 0 is called.
    root: Option<UserName>,
    /// Whether `compat` asks another source for it.
    asks_on: bool,
}

impl Default for Passwd {
    fn default() -> Self {
        Self::parse("")
    }
}

impl Passwd {
    fn parse(text: &str) -> Self {
        let (by_name, of_uid) = (HashMap::new(), HashMap::new());
        let mut passwd = Self { by_name, of_uid, root: None, asks_on: asks_on(text) };
        for account in text.lines().filter_map(passwd_line) {
            passwd.of_uid.entry(account.uid).or_default().push(account.name.clone());
            passwd.by_name.entry(account.name.clone()).or_insert(account);
        }
        // Of several names of uid 0 it is the one that policy means.
        let mut named = passwd.by_name.values().filter(|account| account.uid.is_root());
        let root = named.find(|account| account.name.as_str() == "root").map(|root| root.name.clone());
        passwd.root = root
            .or_else(|| passwd.of_uid.get(&Uid::ROOT).and_then(|names| names.first()).cloned())
            .or_else(|| "root".parse().ok());
        passwd
    }
}

/// Whether a file has a line for `compat` of nsswitch.conf(5), which asks another source.
fn asks_on(text: &str) -> bool {
    text.lines().any(|line| line.starts_with('+'))
}

fn passwd_line(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.parse().ok()?;
    let _password = fields.next()?;
    let uid = fields.next()?.parse::<u32>().ok().and_then(|uid| Uid::try_from(uid).ok())?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { name, uid, gid })
}

/// The groups of group(5).
#[derive(Debug, Default)]
struct Groups {
    /// The gid of each name, as getgrnam(3) has it.
    gids: HashMap<GroupName, u32>,
    /// Who is listed, in whatever line of a gid.
    members: HashMap<UserName, Vec<u32>>,
    /// Whether `compat` asks another source for it.
    asks_on: bool,
}

impl Groups {
    fn parse(text: &str) -> Self {
        let mut groups = Self { asks_on: asks_on(text), ..Self::default() };
        for line in text.lines() {
            let mut fields = line.split(':');
            let (Some(name), Some(gid), members) = (fields.next(), fields.nth(1), fields.next()) else {
                continue;
            };
            let Ok(gid) = gid.parse::<u32>() else { continue };
            if let Ok(name) = name.parse() {
                groups.gids.entry(name).or_insert(gid);
            }
            for member in members.unwrap_or_default().split(',') {
                if let Ok(member) = member.trim().parse::<UserName>() {
                    groups.members.entry(member).or_default().push(gid);
                }
            }
        }
        groups
    }

    fn has(&self, account: &Account, group: &GroupName) -> bool {
        let listed = self.members.get(&account.name);
        self.gids
            .get(group)
            .is_some_and(|gid| *gid == account.gid || listed.is_some_and(|gids| gids.contains(gid)))
    }
}

/// What a file looked like, and what was read of it.
struct Kept<T> {
    last: Mutex<Option<(Stamp, Option<Arc<T>>)>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { last: Mutex::default() }
    }
}

/// What changes with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// Of a file that is read: no folder and no pipe, and not too long.
    fn of(facts: &Metadata) -> Option<Self> {
        (facts.is_file() && facts.len() <= MAX_BYTES).then(|| Self {
            file: (facts.dev(), facts.ino()),
            size: facts.len(),
            changed: (facts.ctime(), facts.ctime_nsec()),
        })
    }
}

impl<T> Kept<T> {
    /// The file's meaning; nothing where it cannot be read.
    fn read(&self, path: &Path, parse: impl FnOnce(&str) -> T) -> Option<Arc<T>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Most of the time it is as it was, which needs no opening.
        if let Some((known, Some(parsed))) = last.as_ref()
            && fs::metadata(path).ok().and_then(|facts| Stamp::of(&facts)).as_ref() == Some(known)
        {
            return Some(Arc::clone(parsed));
        }
        // A pipe in its place blocks nobody. A link is followed: some hosts have /etc made of them.
        let options = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
        let mut file = options.ok()?;
        let stamp = Stamp::of(&file.metadata().ok()?)?;
        // A file that is written twice within a tick of the clock looks the same both times. What was read is kept only
        // once it looks as it did at an earlier look.
        let has_settled = last.as_ref().is_some_and(|(known, _)| *known == stamp);
        let mut bytes = Vec::new();
        file.by_ref().take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        let parsed = Arc::new(parse(&String::from_utf8_lossy(&bytes)));
        *last = Some((stamp, has_settled.then(|| Arc::clone(&parsed))));
        Some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etc(switch: &str, passwd: &str, group: &str) -> (tempfile::TempDir, Local) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("nsswitch.conf", switch), ("passwd", passwd), ("group", group)] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let local = Local::new(dir.path());
        (dir, local)
    }

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# a comment\nmaria:x:1001:1001::/home/maria:/bin/sh\n\
                          broken:x:y:z\nmaria2:x:1001:1001::/:/bin/sh\nmaria:x:7:7::/:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nops:x:30:erik,maria\nmaria:x:1001:\ndba:x:31:\nalso-ops:x:30:\n";
    const REMOTE: &str = "passwd: files sss\ngroup: files sss\n";

    fn by_name(local: &Local, name: &str) -> Option<(u32, u32)> {
        local.account(&Whose::Name(name.parse().unwrap())).map(|found| (found.uid.as_u32(), found.gid))
    }

    #[test]
    fn an_account_of_the_files_is_known_at_once_where_they_come_first() {
        for switch in [REMOTE, "", "passwd:files systemd # sss\n", "passwd: files [NOTFOUND=continue] sss"] {
            let (_dir, local) = etc(switch, PASSWD, GROUP);
            assert_eq!(by_name(&local, "maria"), Some((1001, 1001)), "{switch}");
            let uid = Uid::try_from(1001).unwrap();
            assert_eq!(local.account(&Whose::Uid(uid)).unwrap().name.as_str(), "maria");
            assert_eq!(by_name(&local, "eve"), None, "that is for the name service to say");
        }
        for switch in
            ["passwd: sss files", "passwd: files [SUCCESS=continue] sss", "passwd: [!UNAVAIL=return] sss"]
        {
            assert_eq!(by_name(&etc(switch, PASSWD, GROUP).1, "maria"), None, "{switch}");
        }
    }

    #[test]
    fn root_is_root_without_any_name_service_and_without_files() {
        let (dir, local) = etc("passwd: sss files\ngroup: sss\n", PASSWD, GROUP);
        let root = |local: &Local| local.account(&Whose::Uid(Uid::ROOT)).unwrap();
        assert_eq!((by_name(&local, "root"), root(&local).name.as_str()), (Some((0, 0)), "root"));
        assert_eq!(local.is_in(&root(&local), &"root".parse().unwrap()), Some(true));
        assert_eq!(local.is_in(&root(&local), &"ops".parse().unwrap()), Some(false), "nobody else is asked");
        for file in ["nsswitch.conf", "passwd", "group"] {
            fs::remove_file(dir.path().join(file)).unwrap();
        }
        assert_eq!((by_name(&local, "root"), root(&local).name.as_str()), (Some((0, 0)), "root"));
        // A host on which uid 0 has another name, and one on which it has two.
        for (passwd, name) in
            [("boss:x:0:0::/:/bin/sh\n", "boss"), ("toor:x:0:0:::\nroot:x:0:0:::\n", "root")]
        {
            assert_eq!(root(&etc("", passwd, "").1).name.as_str(), name);
        }
        // Whoever else is called root there is not uid 0.
        assert_eq!(by_name(&etc("", "root:x:5:5:::\n", "").1, "root"), Some((5, 5)));
    }

    #[test]
    fn the_files_say_who_is_in_a_group_and_where_they_are_alone_who_is_not() {
        let is_in = |switch: &str, group: &str| {
            let (_dir, local) = etc(switch, PASSWD, GROUP);
            let maria = Account { name: "maria".parse().unwrap(), uid: 1001.try_into().unwrap(), gid: 1001 };
            local.is_in(&maria, &group.parse().unwrap())
        };
        let alone = "passwd: files sss\ngroup: files\n";
        for (group, with_others, without) in [
            ("ops", Some(true), Some(true)),
            ("also-ops", Some(true), Some(true)),
            ("maria", Some(true), Some(true)),
            ("dba", None, Some(false)),
            ("no-such-group", None, Some(false)),
        ] {
            assert_eq!(is_in(REMOTE, group), with_others, "{group}");
            assert_eq!(is_in(alone, group), without, "{group}");
        }
        assert_eq!(is_in("group: files\ninitgroups: sss files\n", "ops"), None);
        assert_eq!(is_in("group: files [SUCCESS=merge] systemd\n", "ops"), Some(true));
    }

    #[test]
    fn no_is_believed_where_no_source_could_have_failed_unheard() {
        for (sources, hidden) in [
            ("files", None),
            ("files systemd", None),
            ("files sss", None),
            ("files systemd sss", None),
            ("compat systemd", None),
            ("files sss [UNAVAIL=return TRYAGAIN=return] systemd", None),
            ("files sss [ !SUCCESS = return ] systemd", None),
            ("files sss [!NOTFOUND=return] systemd", None),
            ("files sss systemd", Some(("sss", "systemd"))),
            ("sss files", Some(("sss", "files"))),
            ("files sss [UNAVAIL=return] systemd", Some(("sss", "systemd"))),
            ("files sss [NOTFOUND=return] systemd", Some(("sss", "systemd"))),
            ("files sss [!UNAVAIL=return] systemd", Some(("sss", "systemd"))),
            ("files sss [!UNAVAIL=return UNAVAIL=return] systemd", None),
            ("files [SUCCESS=merge] sss [SUCCESS=merge] systemd", Some(("sss", "systemd"))),
            ("files ldap winbind", Some(("ldap", "winbind"))),
            ("files ours sss", Some(("ours", "sss"))),
        ] {
            let (_dir, local) = etc(&format!("passwd: {sources}\ngroup: {sources}\n"), PASSWD, GROUP);
            let hidden = hidden.map(|(whose, behind)| Hidden::by(behind, whose));
            assert_eq!((local.hides_accounts(), local.hides_groups()), (hidden.clone(), hidden), "{sources}");
        }
        // Lines of passwd and group that ask another source.
        let (_dir, local) = etc("passwd: compat systemd\ngroup: compat systemd\n", "+::::::\n", "+:::\n");
        assert!(local.hides_accounts().is_some() && local.hides_groups().is_some());
        // What groups somebody is in may come from others than those that say which groups there are.
        for (initgroups, is_hidden) in [("sss", false), ("files sss", false), ("ldap", true)] {
            let switch = format!("group: files sss\ninitgroups: {initgroups}\n");
            assert_eq!(etc(&switch, PASSWD, GROUP).1.hides_groups().is_some(), is_hidden, "{initgroups}");
        }
    }

    #[test]
    fn a_file_that_changes_is_read_again() {
        let (dir, local) = etc("", PASSWD, GROUP);
        assert_eq!(by_name(&local, "maria"), Some((1001, 1001)));
        for uid in [1002, 1003, 1004] {
            let text = format!("maria:x:{uid}:1001::/home/maria:/bin/sh\n");
            fs::write(dir.path().join("passwd"), text).unwrap();
            assert_eq!(by_name(&local, "maria"), Some((uid, 1001)));
        }
    }
}
