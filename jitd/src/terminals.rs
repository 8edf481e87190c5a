//! A line on the terminals of people who are logged in and may review a request, when it starts to wait for them.
//!
//! Off unless `jitd.toml` says `tell-terminals = true`. Others look at terminals, so the line has no reason in it,
//! and `mesg n` (mesg(1)) is respected: jitd is in the group `tty` and has no privilege beside it.

use std::collections::{BTreeMap, HashMap};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jit_core::clock::Moment;
use jit_core::decide::Known;
use jit_core::event::Method;
use jit_core::order::Here;
use jit_core::person::{self, Caller, Person};
use jit_core::policy::{Policy, Stage, Subject, Who};
use jit_core::review::{self, Progress, progress};
use jit_core::state::Pending;
use jit_proto::SYSTEM_BUS_SOCKET;
use jit_proto::text::Shown;
use jit_proto::words::{RequestId, Uid};
use nix::fcntl::OFlag;
use zbus::connection::Builder;
use zbus::{Address, Connection, OwnedObjectPath, OwnedVariant};
use zruntime::SharedRuntime;

use crate::bus::App;
use crate::log;

/// However fast requests come in, a terminal gets no more than one line in this time.
const BETWEEN: Duration = Duration::from_secs(10);

/// How long logind and the name service may take to say who is logged in.
const LIMIT: Duration = Duration::from_secs(5);

/// A stage can begin to ask others with nothing happening but time.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// More terminals than this are not told: they are a fleet's, not a person's.
const MOST: usize = 256;

/// Tells reviewers for as long as jitd runs.
pub(crate) async fn keep_telling(app: Arc<App>, runtime: SharedRuntime) {
    // What waits when jitd starts has been told of before.
    let mut known: Option<BTreeMap<RequestId, Asked>> = None;
    loop {
        let changed = app.desk.changed.listen();
        if let Ok(now) = app.desk.look(asked) {
            let begun = known.as_ref().map_or_else(Vec::new, |known| begun(known, &now));
            known = Some(now);
            if !begun.is_empty() {
                match runtime.timeout(LIMIT, tell(&app, &begun)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(err)) => log::warning(format_args!("reviewers' terminals were not told: {err}")),
                    Err(_) => log::warning("reviewers' terminals were not told: logind does not answer"),
                }
                runtime.sleep(BETWEEN).await;
                continue;
            }
        }
        match runtime.timeout(LOOK_AGAIN, changed).await {
            Ok(()) | Err(_) => {}
        }
    }
}

/// Whom a request asks now, and what they need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    request: RequestId,
    stage: String,
    approvers: Who,
    line: String,
}

/// What each request that can be reviewed at this host's terminals asks now.
fn asked(here: Here<'_>) -> BTreeMap<RequestId, Asked> {
    let Here { policy, state, now, .. } = here;
    let of = |pending: &Pending| {
        let (waiting, approvers) = waits_for(policy, pending, now)?;
        if !waiting.accept.contains(&Method::Online) {
            return None;
        }
        let request = &pending.request;
        let opened = state.owed().contains_key(&request.id);
        let line = line(&request.filed_by, &request.beneficiary, request.role.as_str(), request.id, opened);
        Some(Asked { request: request.id, stage: waiting.name.clone(), approvers: approvers.clone(), line })
    };
    let all = state.pending().iter().chain(state.owed());
    all.filter_map(|(id, pending)| Some((*id, of(pending)?))).collect()
}

fn waits_for<'p>(policy: &'p Policy, pending: &Pending, now: &Moment) -> Option<(&'p Stage, &'p Who)> {
    let role = policy.role(&pending.request.role)?;
    match progress(policy.people(), role, &pending.request, &pending.reviews, now) {
        Progress::Waits { stage, approvers, .. } => Some((stage, approvers)),
        Progress::Met | Progress::Denied { .. } | Progress::Lapsed { .. } => None,
    }
}

/// Those that have begun to ask somebody since.
fn begun(before: &BTreeMap<RequestId, Asked>, now: &BTreeMap<RequestId, Asked>) -> Vec<Asked> {
    now.iter().filter(|(id, asked)| before.get(id) != Some(asked)).map(|(_, asked)| asked.clone()).collect()
}

/// Whether this account, logged in as itself, may review it now.
fn may_review(here: Here<'_>, id: RequestId, account: &Subject) -> bool {
    let caller = Caller { account: account.clone(), login: person::Login::Known(account.clone()) };
    here.state.reviewable(id).is_some_and(|pending| {
        // Whoever filed it knows of it.
        pending.request.filed_by != Person::of(account) && review::waits_for(here, pending, &caller)
    })
}

/// Tells everybody who is logged in and may review one of these.
async fn tell(app: &App, begun: &[Asked]) -> zbus::Result<()> {
    let mut accounts: HashMap<Uid, Option<Subject>> = HashMap::new();
    for Login { uid, tty } in logged_in().await?.into_iter().take(MOST) {
        if let std::collections::hash_map::Entry::Vacant(place) = accounts.entry(uid) {
            place.insert(match app.names_of_others.of_uid(uid, app.desk.groups()).await {
                Known::Fully(account) | Known::WithoutGroups(account) => Some(account),
                Known::Not | Known::Unanswered => None,
            });
        }
        let Some(Some(account)) = accounts.get(&uid) else { continue };
        let theirs: Vec<&Asked> = begun
            .iter()
            .filter(|asked| app.desk.look(|here| may_review(here, asked.request, account)).unwrap_or(false))
            .collect();
        if let Some(text) = text(&theirs) {
            // A terminal that wants no messages, has gone, or is somebody else's by now: nothing to report.
            drop(tty.write(uid, &text));
        }
    }
    Ok(())
}

fn line(filed_by: &Person, beneficiary: &Person, role: &str, id: RequestId, opened: bool) -> String {
    let (by, whom) = (filed_by.name.as_str(), beneficiary.name.as_str());
    let on_behalf = if by == whom { String::new() } else { format!(" for {}", Shown(whom)) };
    // An emergency is announced to all who review it, when it has happened.
    let what = if opened { "EMERGENCY: opened" } else { "asks for" };
    format!("{} {what} {}{on_behalf}: jitctl show {id}", Shown(by), Shown(role))
}

/// One line, whatever has begun to wait.
fn text(asked: &[&Asked]) -> Option<String> {
    let said = match asked {
        [] => return None,
        [one] => one.line.clone(),
        more => format!("{} requests wait for your review: jitctl pending", more.len()),
    };
    // The person may be in the middle of a line of their own.
    Some(format!("\r\njit: {said}\r\n"))
}

/// A login on a terminal.
#[derive(Debug)]
struct Login {
    uid: Uid,
    tty: Tty,
}

/// Who is logged in on a terminal, as logind says (org.freedesktop.login1(5)).
async fn logged_in() -> zbus::Result<Vec<Login>> {
    const LOGIND: &str = "org.freedesktop.login1";
    type Session = (String, u32, String, String, OwnedObjectPath);

    let address: Address = format!("unix:path={SYSTEM_BUS_SOCKET}").as_str().try_into()?;
    let bus: Connection = Builder::address(address).build().await?;
    let manager = (Some(LOGIND), "/org/freedesktop/login1", Some("org.freedesktop.login1.Manager"));
    let reply = bus.call_method(manager.0, manager.1, manager.2, "ListSessions", &()).await?;
    let sessions: Vec<Session> = reply.body().deserialize()?;
    let mut found = Vec::new();
    for (_, uid, _, _, path) in sessions {
        let interface = "org.freedesktop.login1.Session";
        let properties = Some("org.freedesktop.DBus.Properties");
        // A session that ended meanwhile has no answer.
        let Ok(reply) = bus.call_method(Some(LOGIND), path, properties, "GetAll", &interface).await else {
            continue;
        };
        let body = reply.body();
        let Ok(facts) = body.deserialize::<HashMap<String, OwnedVariant>>() else { continue };
        let fact = |name: &str| facts.get(name).and_then(|fact| <&str>::try_from(fact).ok());
        if fact("State") == Some("closing") || fact("Class") != Some("user") {
            continue;
        }
        if let (Ok(uid), Some(Ok(tty))) = (Uid::try_from(uid), fact("TTY").map(str::parse)) {
            found.push(Login { uid, tty });
        }
    }
    Ok(found)
}

/// A terminal by logind's name for it: `pts/3`, `tty1` or, on a serial line, `ttyS0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tty(PathBuf);

/// Not the name of a terminal.
#[derive(Debug)]
pub(crate) struct NoTty;

impl FromStr for Tty {
    type Err = NoTty;

    fn from_str(name: &str) -> Result<Self, NoTty> {
        let digits = ["pts/", "ttyS", "tty"].iter().find_map(|kind| name.strip_prefix(kind)).ok_or(NoTty)?;
        let is_number = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { Ok(Self(Path::new("/dev").join(name))) } else { Err(NoTty) }
    }
}

impl Tty {
    /// Writes a text if this is a terminal of `owner`'s that takes messages. Never waits: what does not fit is lost.
    pub(crate) fn write(&self, owner: Uid, text: &str) -> std::io::Result<()> {
        /// What mesg(1) sets: the group `tty` may write.
        const TAKES_MESSAGES: u32 = 0o020;

        let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
        let mut terminal = OpenOptions::new().write(true).custom_flags(flags.bits()).open(&self.0)?;
        let facts = terminal.metadata()?;
        let theirs = facts.file_type().is_char_device() && facts.uid() == owner.as_u32();
        if !theirs || facts.mode() & TAKES_MESSAGES == 0 {
            return Err(std::io::ErrorKind::PermissionDenied.into());
        }
        // One write(2): a second one could wait, or come out in the middle of something else.
        terminal.write(text.as_bytes()).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    use jit_core::clock::Utc;
    use jit_core::event::{Decision, Event, Record, Review};
    use jit_core::opening::Narrow;
    use jit_core::policy::{Host, SourceFile, Ways};
    use jit_core::request::{RequestOrder, grant};
    use jit_core::state::State;

    const POLICY: &str = r#"
version = 1
[admins]
users = ["root", "olga"]
[[exempt]]
users = ["root"]
services = ["login"]
[people]
maria = { accounts = ["maria", "adm-maria"] }
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["maria", "adm-maria", "olga", "tom"], groups = ["dba"] }
approvals = 2
[[role.shell.stage]]
name = "owner"
approvers = { users = ["owen"] }
"#;

    fn account(name: &str, uid: u32, groups: &[&str]) -> Subject {
        Subject {
            name: name.parse().unwrap(),
            uid: Uid::try_from(uid).unwrap(),
            groups: groups.iter().map(|group| group.parse().unwrap()).collect::<BTreeSet<_>>(),
        }
    }

    fn now() -> Moment {
        let boot_id = "00000000-0000-0000-0000-000000000000+1".parse().unwrap();
        Moment::believed(Utc::from_unix_millis(1_800_000_000_000), 1000, boot_id)
    }

    /// What one host knows.
    struct Bed {
        policy: Policy,
        state: State,
        host: Host,
        now: Moment,
    }

    impl Bed {
        fn here(&self) -> Here<'_> {
            Here { policy: &self.policy, state: &self.state, host: &self.host, now: &self.now }
        }

        fn apply(&mut self, event: Event) {
            let seq = self.state.next_seq();
            self.state.apply(&Record { seq, at: now(), actor: None, event });
        }
    }

    /// A request of maria's that olga filed and approved.
    fn bed() -> (Bed, RequestId) {
        let file = SourceFile { name: "10.toml".into(), bytes: POLICY.into() };
        let policy = Policy::parse(&[file]).unwrap().policy;
        let olga = account("olga", 1001, &[]);
        let caller = Caller { account: olga.clone(), login: person::Login::Known(olga) };
        let order = RequestOrder {
            beneficiary: account("maria", 1000, &[]),
            role: "shell".parse().unwrap(),
            duration: None,
            start: None,
            reason: "INC-1 disk full".parse().unwrap(),
            id: RequestId::from_bits(7),
        };
        let host = Host { name: "db-1".parse().unwrap(), groups: BTreeSet::new(), ways: Ways::default() };
        let mut bed = Bed { policy, state: State::default(), host, now: now() };
        for event in grant(bed.here(), &caller, order).unwrap() {
            bed.apply(event);
        }
        (bed, RequestId::from_bits(7))
    }

    fn review(bed: &mut Bed, id: RequestId, by: &Subject) {
        let review = Review {
            by: Person::of(by),
            decision: Decision::Approve,
            stage: "lead".into(),
            method: Method::Online,
            at: now(),
            narrow: Narrow::default(),
            note: None,
        };
        let digest = bed.state.pending()[&id].request.digest();
        bed.apply(Event::Reviewed { request: id, digest, review });
    }

    #[test]
    fn whoever_may_review_is_told_and_nobody_who_asks_benefits_or_has_reviewed() {
        let (mut bed, id) = bed();
        let may = |bed: &Bed, who: &Subject| may_review(bed.here(), id, who);
        assert!(may(&bed, &account("tom", 1002, &[])));
        assert!(may(&bed, &account("dirk", 1003, &["dba"])));
        for not in [
            account("maria", 1000, &[]),
            account("maria", 1000, &["dba"]),
            account("adm-maria", 1010, &[]),
            account("olga", 1001, &[]),
            account("nils", 1004, &[]),
            account("owen", 1005, &[]),
        ] {
            assert!(!may(&bed, &not), "{}", not.name);
        }
        let tom = account("tom", 1002, &[]);
        review(&mut bed, id, &tom);
        assert!(!may(&bed, &tom));
        assert!(may(&bed, &account("owen", 1005, &[])));
    }

    #[test]
    fn each_stage_of_a_request_is_told_once() {
        let (mut bed, id) = bed();
        let first = asked(bed.here());
        assert_eq!(begun(&BTreeMap::new(), &first).len(), 1);
        assert_eq!(begun(&first, &asked(bed.here())), []);
        review(&mut bed, id, &account("tom", 1002, &[]));
        let second = asked(bed.here());
        let stages: Vec<_> = begun(&first, &second).into_iter().map(|asked| asked.stage).collect();
        assert_eq!(stages, ["owner"]);
    }

    #[test]
    fn the_line_names_who_asks_for_what_and_no_reason() {
        let (bed, id) = bed();
        let all = asked(bed.here());
        let one = &all[&id];
        assert_eq!(
            text(&[one]).unwrap(),
            format!("\r\njit: olga asks for shell for maria: jitctl show {id}\r\n")
        );
        assert_eq!(
            text(&[one, one]).unwrap(),
            "\r\njit: 2 requests wait for your review: jitctl pending\r\n"
        );
        assert_eq!(text(&[]), None);
    }

    #[test]
    fn only_the_names_of_terminals_are_terminals() {
        for good in ["pts/0", "pts/12345", "tty1", "ttyS0"] {
            assert_eq!(good.parse::<Tty>().unwrap().0, Path::new("/dev").join(good));
        }
        for bad in [
            "",
            "pts/",
            "pts/../sda",
            "tty",
            "ttyS",
            "ttyACM0",
            "/dev/pts/1",
            ":0",
            "pts/1/2",
            "pts/+1",
            "sda",
        ] {
            assert!(bad.parse::<Tty>().is_err(), "{bad}");
        }
    }

    /// A terminal of root's, as the tests run.
    fn terminal() -> (nix::pty::PtyMaster, Tty) {
        let master = nix::pty::posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK).unwrap();
        nix::pty::grantpt(&master).unwrap();
        nix::pty::unlockpt(&master).unwrap();
        let name = nix::pty::ptsname_r(&master).unwrap();
        (master, Tty(name.into()))
    }

    fn mode(tty: &Tty, mode: u32) {
        std::fs::set_permissions(&tty.0, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_line_reaches_a_terminal_that_takes_messages_and_no_other() {
        let (mut master, tty) = terminal();
        let mut bytes = [0; 64];
        // Without a reader at the other side the terminal forgets what was written: hold it.
        let _held = std::fs::File::open(&tty.0).unwrap();
        mode(&tty, 0o600);
        assert!(tty.write(Uid::ROOT, "no").is_err());
        mode(&tty, 0o620);
        assert!(tty.write(Uid::try_from(12345_u32).unwrap(), "no").is_err(), "not theirs");
        assert!(master.read(&mut bytes).is_err(), "nothing came");
        tty.write(Uid::ROOT, "yes").unwrap();
        let got = master.read(&mut bytes).unwrap();
        assert_eq!(&bytes[..got], b"yes");
    }

    #[test]
    fn a_terminal_that_is_stopped_is_not_waited_for() {
        let (_master, tty) = terminal();
        let _held = std::fs::File::open(&tty.0).unwrap();
        mode(&tty, 0o620);
        let line = "x".repeat(1000);
        let full = (0..10_000).find_map(|_| tty.write(Uid::ROOT, &line).err()).unwrap();
        assert_eq!(full.kind(), std::io::ErrorKind::WouldBlock);
    }

    #[test]
    fn what_is_no_terminal_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "").unwrap();
        mode(&Tty(path.clone()), 0o620);
        assert!(Tty(path.clone()).write(Uid::ROOT, "no").is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(Tty(link).write(Uid::ROOT, "no").is_err());
        assert_eq!(std::fs::read_to_string(path).unwrap(), "");
    }
}
