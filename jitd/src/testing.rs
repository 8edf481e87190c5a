//! A jitd for tests: its desk over a real store, the policy they share, and the people in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use jit_core::access::LoginUid;
use jit_core::context::Context;
use jit_core::event::{Event, Record};
use jit_core::model::{Actor, Caller, LoginAccount, Request};
use jit_core::orders::Refusal;
use jit_core::orders::request::{self, RequestOrder};
use jit_core::policy::{Host, Subject, Ways};
use jit_proto::OBJECT_PATH;
use jit_proto::words::{RequestId, Uid};
use rusqlite::Connection;
use tempfile::TempDir;
use zbus::connection::Builder;
use zbus::{Connection as Bus, Guid};
use zruntime::SharedRuntime;
use zruntime::net::unix::UnixStream;

use crate::app::App;
use crate::bus::Origin;
use crate::bus::admin::Admin;
use crate::bus::audit::Audit;
use crate::bus::gate::Gate;
use crate::bus::login_request::Ask;
use crate::bus::review::Review;
use crate::bus::user::User;
use crate::clock::Clock;
use crate::desk::{Desk, Looked, NotDone, Word};
use crate::nss::Names;
use crate::peer::Peer;
use crate::rate::RateLimiter;
use crate::session::systemd::Systemd;
use crate::store::writer::{self, Inbox, Queue, Ticket};
use crate::store::{Disk, StorePath, rows};

/// One role, which root or olga approves. maria is of no host; daemon is of every one.
pub(crate) const POLICY: &str = r#"
version = 1
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["daemon", "maria"] }
max-duration = "4h"
reason = { pattern = '(?<ticket>[A-Z]+-[0-9]+)' }
[[role.shell.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
"#;

/// root's process, in no login.
pub(crate) const ROOT: Actor =
    Actor { uid: Uid::ROOT, loginuid: None, untold: false, session: None, process: None };

/// An account, in no group.
pub(crate) fn subject(name: &str, uid: u32) -> Subject {
    Subject::named(name.parse().unwrap(), uid.try_into().unwrap())
}

pub(crate) fn maria() -> Subject {
    subject("maria", 1001)
}

/// root, in a login of its own.
pub(crate) fn root() -> Caller {
    Caller { account: subject("root", 0), login: LoginAccount::Known(subject("root", 0)) }
}

/// Whoever gives an order, of whom all is known.
pub(crate) fn by(caller: Caller) -> Looked {
    Looked::fully(caller)
}

/// A request of maria's.
pub(crate) fn order(id: u64, role: &str) -> RequestOrder {
    RequestOrder {
        beneficiary: maria(),
        role: role.parse().unwrap(),
        duration: None,
        start: None,
        reason: "INC-1 look".parse().unwrap(),
        id: RequestId::from_bits(id),
    }
}

/// The host that all of them run on.
pub(crate) fn host() -> Host {
    Host { name: "db-1".parse().unwrap(), groups: BTreeSet::new(), ways: Ways::default() }
}

pub(crate) fn write_policy(dir: &Path, text: &str) {
    fs::create_dir_all(dir.join("policy.d")).unwrap();
    fs::write(dir.join("policy.d/10.toml"), text).unwrap();
}

/// All that the log has.
pub(crate) fn records(store: &Connection) -> Vec<Record> {
    let read = rows::records(store, 0, u32::MAX).unwrap();
    read.iter().map(|(seq, bytes)| Record::decode(*seq, bytes).unwrap()).collect()
}

/// Everything that an interface needs, with a store that is not open.
pub(crate) fn app() -> Arc<App> {
    let nowhere = Path::new("/nonexistent");
    Arc::new(app_in(nowhere, StorePath::in_dir(nowhere)).0)
}

fn app_in(dir: &Path, store: StorePath) -> (App, Clock, Queue, Inbox) {
    let (queue, inbox) = writer::queue();
    let clock = Clock::of_this_boot().unwrap();
    let runtime = SharedRuntime::current().unwrap();
    let app = App {
        desk: Desk::new(
            queue.clone(),
            clock.clone(),
            host(),
            dir.join("policy.d"),
            Arc::clone(store.gauge()),
        ),
        names: Names::new(runtime.clone()),
        host_check: crate::host_check::HostCheck::default(),
        systemd: Systemd::new(runtime.clone()),
        runtime,
        store,
        pipes: crate::pipes::Pipes::default(),
        ration: RateLimiter::of_questions(),
        asking: RateLimiter::of_askers(),
        filing: RateLimiter::of_requests(),
        importing: RateLimiter::of_signatures(),
        codes: RateLimiter::of_codes(),
        signers: crate::signers::Signers::default(),
        sessions: crate::session_of::Sessions::default(),
        awaiting: crate::session::Awaiting::default(),
        askers: crate::session::askers::Askers::default(),
        pam_files: crate::guarded::Watched::default(),
        ended: crate::session::Ended::default(),
    };
    (app, clock, queue, inbox)
}

/// A caller of this uid, in a login of their own.
pub(crate) fn caller(uid: u32) -> Peer {
    let uid = Uid::try_from(uid).unwrap();
    Peer::told(uid, Ok(LoginUid::Set(uid)))
}

/// The interfaces as they are served to a caller: the server's end, and the caller's.
pub(crate) async fn served_to(app: &Arc<App>, peer: Peer) -> (Bus, Bus) {
    let runtime = SharedRuntime::current().unwrap();
    let (ours, theirs) = UnixStream::pair(&runtime).unwrap();
    let origin = Origin::Private(peer);
    let server = Builder::unix_stream(ours.into_std())
        .server(Guid::generate())
        .p2p()
        .serve_at(OBJECT_PATH, Gate { app: Arc::clone(app), origin })
        .serve_at(OBJECT_PATH, Ask { app: Arc::clone(app), origin })
        .serve_at(OBJECT_PATH, User { app: Arc::clone(app), origin })
        .serve_at(OBJECT_PATH, Review { app: Arc::clone(app), origin })
        .serve_at(OBJECT_PATH, Admin { app: Arc::clone(app), origin })
        .serve_at(OBJECT_PATH, Audit { app: Arc::clone(app), origin })
        .build();
    let client = runtime
        .spawn("client", async move { Builder::unix_stream(theirs.into_std()).p2p().build().await.unwrap() });
    (server.await.unwrap(), client.await.unwrap())
}

/// What a call comes to: the name of its error, or none, and the text.
pub(crate) async fn call<B>(client: &Bus, interface: &str, member: &str, body: &B) -> (String, String)
where
    B: serde::Serialize + zbus::DynamicType + Sync,
{
    match client.call_method(None::<&str>, OBJECT_PATH, Some(interface), member, body).await {
        Ok(reply) => (String::new(), reply.body().deserialize().unwrap()),
        Err(zbus::Error::MethodError(error, text, _)) => (error.to_string(), text.unwrap_or_default()),
        Err(other) => panic!("{interface}.{member}: {other:?}"),
    }
}

/// What `Review` takes.
pub(crate) type Reviewed = (String, String, &'static str, u64, Vec<String>, u32, &'static str);

/// A review that approves of this request.
pub(crate) fn approval(request: &Request) -> Reviewed {
    (request.id.to_string(), request.digest().to_string(), "approve", 0, Vec::new(), 0, "")
}

/// One that denies it.
pub(crate) fn denial(request: &Request) -> Reviewed {
    (request.id.to_string(), request.digest().to_string(), "deny", 0, Vec::new(), 0, "no")
}

/// A jitd without its buses.
pub(crate) struct Daemon {
    pub(crate) dir: TempDir,
    pub(crate) app: Arc<App>,
    pub(crate) clock: Clock,
    pub(crate) queue: Queue,
    pub(crate) disk: Arc<Disk>,
    writer: Option<JoinHandle<()>>,
}

impl Daemon {
    /// One that has the policy and nothing else.
    pub(crate) fn start() -> Self {
        Self::of(POLICY)
    }

    /// The same with another policy.
    pub(crate) fn of(policy: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_policy(dir.path(), policy);
        Self::start_in(dir)
    }

    /// One that goes on with what is in this folder.
    pub(crate) fn start_in(dir: TempDir) -> Self {
        let store = StorePath::in_dir(dir.path());
        Self::with_store(dir, store)
    }

    /// One that can write its store, and read it again never.
    pub(crate) fn blind(policy: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_policy(dir.path(), policy);
        Self::with_store(dir, StorePath::in_dir(Path::new("/nonexistent")))
    }

    fn with_store(dir: TempDir, store: StorePath) -> Self {
        let (app, clock, queue, inbox) = app_in(dir.path(), store);
        let app = Arc::new(app);
        let written = StorePath::in_dir(dir.path());
        let disk = written.disk();
        let writer = {
            let app = Arc::clone(&app);
            std::thread::spawn(move || writer::run(&written, &inbox, &app.desk))
        };
        let daemon = Self { dir, app, clock, queue, disk, writer: Some(writer) };
        daemon.until(|trouble| trouble != Some("it is starting"));
        daemon
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.app.desk
    }

    /// Waits for the desk to be in some condition.
    pub(crate) fn until(&self, is: impl Fn(Option<&str>) -> bool) {
        let start = Instant::now();
        while !is(self.desk().trouble().as_deref()) {
            assert!(start.elapsed() < Duration::from_secs(60), "{:?}", self.desk().trouble());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops without a word, as `kill -9` would, but for what the writer has taken already.
    pub(crate) fn stop(mut self) -> TempDir {
        self.ends();
        std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap())
    }

    fn ends(&mut self) {
        self.queue.stop();
        if let Some(writer) = self.writer.take() {
            let ended = writer.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the writer panicked");
        }
    }

    /// Another connection to the store: what it sees was committed.
    pub(crate) fn store(&self) -> Connection {
        Connection::open(self.dir.path().join("store.db")).unwrap()
    }

    /// How often the desk has been entered, but for what its writer has to say.
    pub(crate) fn entries(&self) -> usize {
        let writer: ThreadId = self.writer.as_ref().unwrap().thread().id();
        let entered = self.desk().entered.lock().unwrap();
        entered.iter().filter(|thread| **thread != writer).count()
    }

    /// The request that waits, if one does.
    pub(crate) fn waiting(&self) -> Option<Request> {
        self.desk().look(|here| Some(here.state.pending().values().next()?.request.clone())).unwrap()
    }

    /// Gives an order.
    pub(crate) fn order(
        &self,
        by: &Looked,
        judge: impl Fn(Context<'_>, &Caller) -> Result<Vec<Event>, Refusal>,
    ) -> Result<Ticket, NotDone> {
        self.desk().order(ROOT, by, Word::Nobody, &judge)
    }

    /// Opens a window for maria.
    pub(crate) fn grant(&self, id: u64) -> Result<(), String> {
        self.grants(order(id, "shell"))
    }

    /// Opens one for somebody.
    pub(crate) fn grants(&self, order: RequestOrder) -> Result<(), String> {
        let judge = |here: Context<'_>, caller: &Caller| request::grant(here, caller, order.clone());
        let ticket = self.order(&by(root()), judge).map_err(|err| err.to_string())?;
        zruntime::block_on(ticket.durable()).map(drop).map_err(|err| err.to_string())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.ends();
    }
}
