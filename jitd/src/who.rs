//! Who asks: names, uids and groups from the name service, and the login behind a process.
//!
//! A name service can hang for minutes. Its calls block, so they run on a few threads of our own, each answer
//! has a time limit, and when all threads hang further questions are refused at once instead of queueing up.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jit_core::decide::Known;
use jit_core::event::Actor;
use jit_core::person::{Caller, Login};
use jit_core::policy::Subject;
use jit_core::review::Standing;
use jit_proto::words::{GroupName, Uid, UserName};
use nix::unistd::{Group, User, getgrouplist};
use zruntime::{SharedRuntime, mpmc};

const THREADS: usize = 4;
const QUEUE: usize = 64;

/// Less than the module's default deadline of 3 s, so that the person is told why.
const LIMIT: Duration = Duration::from_secs(2);

enum Whose {
    Name(UserName),
    Uid(Uid),
}

struct Lookup {
    whose: Whose,
    groups: Arc<BTreeSet<GroupName>>,
    answer: mpmc::Sender<Known>,
}

/// The name service, asked on threads of its own.
pub(crate) struct Names {
    to: SyncSender<Lookup>,
    runtime: SharedRuntime,
}

impl Names {
    /// Starts the threads.
    pub(crate) fn start(runtime: SharedRuntime) -> std::io::Result<Self> {
        let (to, from) = sync_channel(QUEUE);
        let from = Arc::new(Mutex::new(from));
        for _ in 0..THREADS {
            let from = Arc::clone(&from);
            std::thread::Builder::new().name("names".into()).spawn(move || serve(&from))?;
        }
        Ok(Self { to, runtime })
    }

    /// The account of this name, with those of `groups` that it is in.
    pub(crate) async fn named(&self, name: &UserName, groups: Arc<BTreeSet<GroupName>>) -> Known {
        self.ask(Whose::Name(name.clone()), groups).await
    }

    /// The account of this uid, with those of `groups` that it is in.
    pub(crate) async fn of_uid(&self, uid: Uid, groups: Arc<BTreeSet<GroupName>>) -> Known {
        self.ask(Whose::Uid(uid), groups).await
    }

    /// Those of these accounts that are in a group; whoever the name service does not answer for is left out.
    pub(crate) async fn members(&self, names: BTreeSet<UserName>, group: &GroupName) -> BTreeSet<UserName> {
        let wanted = Arc::new(BTreeSet::from([group.clone()]));
        let mut members = BTreeSet::new();
        for name in names {
            let known = self.named(&name, Arc::clone(&wanted)).await;
            if matches!(&known, Known::Fully(subject) if subject.groups.contains(group)) {
                members.insert(name);
            }
        }
        members
    }

    /// The accounts of these names as they are now; nothing if the name service does not know of each whether it is
    /// there and what it is in.
    pub(crate) async fn standing(
        &self,
        names: Vec<UserName>,
        groups: &Arc<BTreeSet<GroupName>>,
    ) -> Option<Standing> {
        let mut standing = Standing::new();
        for name in names {
            let subject = match self.named(&name, Arc::clone(groups)).await {
                Known::Fully(subject) => Some(subject),
                Known::Not => None,
                Known::WithoutGroups(_) | Known::Unanswered => return None,
            };
            standing.insert(name, subject);
        }
        Some(standing)
    }

    async fn ask(&self, whose: Whose, groups: Arc<BTreeSet<GroupName>>) -> Known {
        let (answer, wait) = mpmc::bounded(NonZeroUsize::MIN);
        if self.to.try_send(Lookup { whose, groups, answer }).is_err() {
            return Known::Unanswered;
        }
        match self.runtime.timeout(LIMIT, wait.recv()).await {
            Ok(Ok(known)) => known,
            Ok(Err(_)) | Err(_) => Known::Unanswered,
        }
    }
}

fn serve(from: &Mutex<Receiver<Lookup>>) {
    loop {
        let next = from.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(lookup) = next else { return };
        if lookup.answer.is_closed() {
            continue; // whoever asked has given up: do not spend a hanging name service on it
        }
        let _the_asker_gave_up = lookup.answer.try_send(look_up(&lookup.whose, &lookup.groups));
    }
}

fn look_up(whose: &Whose, groups: &BTreeSet<GroupName>) -> Known {
    let found = match whose {
        Whose::Name(name) => User::from_name(name.as_str()),
        Whose::Uid(uid) => User::from_uid(uid.as_u32().into()),
    };
    let user = match found {
        Ok(Some(user)) => user,
        Ok(None) => return Known::Not,
        Err(_) => return Known::Unanswered,
    };
    // A name service that answers with another name than it was asked for (case folding, aliases) would make
    // two names one account; the name asked for must be the account's own.
    let (Ok(name), Ok(uid)) = (user.name.parse::<UserName>(), Uid::try_from(user.uid.as_raw())) else {
        return Known::Not;
    };
    if matches!(whose, Whose::Name(asked) if *asked != name) {
        return Known::Not;
    }
    let mut subject = Subject { name, uid, groups: BTreeSet::new() };
    match groups_of(&user, groups) {
        Ok(groups) => {
            subject.groups = groups;
            Known::Fully(subject)
        }
        Err(_) => Known::WithoutGroups(subject),
    }
}

/// Which of the wanted groups the user is in. Asks for these alone: a person may be in hundreds.
fn groups_of(user: &User, wanted: &BTreeSet<GroupName>) -> nix::Result<BTreeSet<GroupName>> {
    if wanted.is_empty() {
        return Ok(BTreeSet::new());
    }
    let name = CString::new(user.name.as_str()).map_err(|_| nix::errno::Errno::EINVAL)?;
    let of_user = getgrouplist(&name, user.gid)?;
    let mut groups = BTreeSet::new();
    for group in wanted {
        if Group::from_name(group.as_str())?.is_some_and(|found| of_user.contains(&found.gid)) {
            groups.insert(group.clone());
        }
    }
    Ok(groups)
}

/// What the kernel says of the process at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The uid that the bus or the socket reports.
    pub(crate) uid: Uid,
    /// The pid that it reports; only used to read the login uid, never to authorise.
    pub(crate) pid: Option<u32>,
    /// The login behind it and its audit session, read once: who gives an order is who stands in its record.
    login: Option<(LoginUid, Option<u32>)>,
}

/// The login behind a process, as uids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginUid {
    /// Somebody logged in.
    Set(Uid),
    /// Nobody did.
    Unset,
    /// This kernel does not tell.
    Untold,
}

/// Whether this kernel tells login uids at all.
pub(crate) fn kernel_tells_loginuid() -> bool {
    fs::exists("/proc/self/loginuid").unwrap_or(false)
}

/// The process could not be read, or another took its pid meanwhile.
#[derive(Debug, thiserror::Error)]
#[error("the calling process has gone")]
pub(crate) struct Gone;

impl Peer {
    /// Whoever the bus or the socket reports, and the login behind that process if it can still be read.
    pub(crate) fn new(uid: Uid, pid: Option<u32>) -> Self {
        let unread = Self { uid, pid, login: None };
        Self { login: unread.read_login().ok(), ..unread }
    }

    /// The login uid and audit session of the process, as they were when it called.
    pub(crate) fn login(self) -> Result<(LoginUid, Option<u32>), Gone> {
        self.login.ok_or(Gone)
    }

    /// Reads the login uid and audit session of the process. Its start time must be the same before and after,
    /// or the pid has a new owner and the answer would be about somebody else.
    fn read_login(self) -> Result<(LoginUid, Option<u32>), Gone> {
        if !kernel_tells_loginuid() {
            return Ok((LoginUid::Untold, None));
        }
        let proc = format!("/proc/{}", self.pid.ok_or(Gone)?);
        let before = start_time(&proc)?;
        let login = read_number(&proc, "loginuid")?;
        let session = read_number(&proc, "sessionid").ok().filter(|session| *session != u32::MAX);
        if before != start_time(&proc)? {
            return Err(Gone);
        }
        // u32::MAX is the kernel's "not set", which is not a Uid.
        Ok((Uid::try_from(login).map_or(LoginUid::Unset, LoginUid::Set), session))
    }

    /// Who that is, for the record.
    pub(crate) fn actor(self) -> Actor {
        let (login, session) = self.login().unwrap_or((LoginUid::Untold, None));
        let loginuid = match login {
            LoginUid::Set(uid) => Some(uid),
            LoginUid::Unset | LoginUid::Untold => None,
        };
        Actor { uid: self.uid, loginuid, session }
    }

    /// Who gives an order: the account of the bus uid, and the account that logged in. Where a group is locked, only
    /// somebody whose groups are all known.
    pub(crate) async fn caller(
        self,
        names: &Names,
        groups: Arc<BTreeSet<GroupName>>,
        group_locked: bool,
    ) -> Result<Caller, Gone> {
        let (login, _) = self.login()?;
        let known = |answer| known(answer, group_locked);
        let account = known(names.of_uid(self.uid, Arc::clone(&groups)).await)?;
        let login = match login {
            LoginUid::Set(uid) if uid == self.uid => Login::Known(account.clone()),
            LoginUid::Set(uid) => Login::Known(known(names.of_uid(uid, groups).await)?),
            LoginUid::Unset => Login::Unset,
            LoginUid::Untold => Login::Untold,
        };
        Ok(Caller { account, login })
    }
}

/// Groups only ever permit, but where one is locked: else an account whose groups could not be read may do what it may
/// by name.
fn known(known: Known, group_locked: bool) -> Result<Subject, Gone> {
    match known {
        Known::Fully(subject) => Ok(subject),
        Known::WithoutGroups(subject) if !group_locked => Ok(subject),
        Known::WithoutGroups(_) | Known::Not | Known::Unanswered => Err(Gone),
    }
}

fn read_number(proc: &str, file: &str) -> Result<u32, Gone> {
    fs::read_to_string(format!("{proc}/{file}")).map_err(|_| Gone)?.trim().parse().map_err(|_| Gone)
}

/// Field 22 of /proc/PID/stat (proc(5)). The command in field 2 may hold anything, so fields are counted from
/// its closing bracket.
pub(crate) fn start_time(proc: &str) -> Result<u64, Gone> {
    // The name in it is whatever the process calls itself, in any bytes.
    let stat = fs::read(format!("{proc}/stat")).map_err(|_| Gone)?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, rest) = stat.rsplit_once(')').ok_or(Gone)?;
    rest.split_whitespace().nth(19).and_then(|field| field.parse().ok()).ok_or(Gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_by_name_and_by_uid() {
        let none = BTreeSet::new();
        let by_name = look_up(&Whose::Name("root".parse().unwrap()), &none);
        assert_eq!(by_name, look_up(&Whose::Uid(Uid::ROOT), &none));
        assert!(matches!(by_name, Known::Fully(subject) if subject.uid.is_root()));
    }

    #[test]
    fn an_account_that_does_not_exist_is_not_known() {
        let name = "no-such-account-here".parse().unwrap();
        assert_eq!(look_up(&Whose::Name(name), &BTreeSet::new()), Known::Not);
    }

    #[test]
    fn only_the_groups_that_policy_names_are_looked_for() {
        let wanted = ["root", "daemon", "no-such-group"].map(|name| name.parse().unwrap()).into();
        let Known::Fully(root) = look_up(&Whose::Uid(Uid::ROOT), &wanted) else { panic!("root is known") };
        assert_eq!(root.groups, BTreeSet::from(["root".parse().unwrap()]));
    }

    #[test]
    fn a_process_that_has_gone_has_no_login() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(Peer::new(Uid::ROOT, Some(pid)).login().is_err());
        assert!(Peer::new(Uid::ROOT, None).login().is_err());
    }

    #[test]
    fn no_name_that_a_process_gives_itself_hides_its_start_time() {
        let dir = tempfile::tempdir().unwrap();
        let fields: Vec<String> = (4..=25).map(|n| n.to_string()).collect();
        for name in [&b"(evil) S 9 (x)"[..], b"(\xff\n)"] {
            let stat = [b"1 ", name, b" S ", fields.join(" ").as_bytes()].concat();
            fs::write(dir.path().join("stat"), stat).unwrap();
            assert_eq!(start_time(dir.path().to_str().unwrap()).ok(), Some(22), "{name:?}");
        }
    }
}
