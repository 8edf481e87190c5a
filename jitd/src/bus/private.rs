//! The private socket: D-Bus peer to peer, for root's PAM modules and root's jitctl. It needs no bus daemon, so no bus
//! that is down or flooded keeps a login from its answer, or an admin from locking.
//!
//! A connection carries one call. It holds a place of whoever *started* its peer until the answer is with the kernel, and
//! not until the client closes: whoever started a `su` or `sudo` may stop it for as long as they like.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jit_proto::OBJECT_PATH;
use jit_proto::words::Uid;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use zbus::connection::Builder;
use zbus::{Connection, Guid};
use zruntime::lock::Semaphore;
use zruntime::net::unix::{UnixListener, UnixStream};
use zruntime::{Event, EventListener, SharedRuntime};

use super::Origin;
use super::admin::Admin;
use super::audit::Audit;
use super::direct::{self, Asks, First};
use super::gate::Gate;
use super::login_request::Ask;
use super::review::Review;
use super::user::User;
use super::wire::{Progress, Stream, Wire, or};
use crate::app::App;
use crate::clock::since_boot;
use crate::log;
use crate::peer::{Peer, Starter};
use crate::share::{Shares, Size};

/// How long a connection may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// A client asks as soon as it has connected. Whoever stops it half-way holds a place no longer than this,
    until_asked: Duration,
    /// waits for those of the same share that came before no longer than this,
    until_turn: Duration,
    /// and for the answer no longer than the module's longest deadline.
    life: Duration,
}

const LIMITS: Limits = Limits {
    until_asked: Duration::from_secs(3),
    until_turn: Duration::from_secs(10),
    life: Duration::from_secs(30),
};

/// Connections that are open: of users, of services for somebody's login, and of services themselves, which sshd, login
/// and cron are. A user's scripts may run some dozens of sudo at a time; what is beyond that is turned away unread. They
/// fit into the descriptors that the unit allows (LimitNOFILE).
const OPEN_OF_USERS: Size = Size { each: 64, all: 8192, of_left: 64 };
const OPEN_OF_LOGINS: Size = Size { each: 64, all: 1024, of_left: 16 };
const OPEN_OF_ROOT: Size = Size { each: 1024, all: 3072, of_left: 2 };

/// Of one share's open connections so many are read at a time. The others wait, at the cost of a descriptor.
const READ: usize = 8;
const READ_OF_ROOT: usize = 128;

/// How often it is logged that somebody was turned away, or that connections broke off: who does that thousands of times
/// a minute gets a line.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// Binds the socket anew: what an earlier jitd left is removed.
pub(crate) fn bind(path: &Path, runtime: &SharedRuntime) -> std::io::Result<UnixListener<zruntime::Shared>> {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {}
        Err(err) => return Err(err),
    }
    let listener = UnixListener::bind(runtime, path)?;
    // The folder is 0700; this is the second lock on the same door.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers whoever connects, for as long as jitd runs.
pub(crate) async fn serve(app: Arc<App>, runtime: SharedRuntime, listener: UnixListener<zruntime::Shared>) {
    let line = Arc::new(Line::default());
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(err) => {
                // Out of file descriptors, most likely: give those that are open time to close.
                log::error(format_args!("the private socket: {err}"));
                runtime.sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Before anything is read or kept for it.
        let Some((peer, place)) = admit(&line, &stream) else { continue };
        let (app, timer) = (Arc::clone(&app), runtime.clone());
        runtime
            .spawn("private connection", async move {
                if let Err(err) = answer(app, &timer, stream, (peer, &place), LIMITS).await {
                    place.line.broke_off(&err);
                }
            })
            .detach();
    }
}

/// Who is at the other end, and a place of theirs. A process that has gone gets none: it wants no answer.
fn admit(line: &Arc<Line>, stream: &UnixStream<zruntime::Shared>) -> Option<(Peer, Place)> {
    let since = since_boot();
    let facts = getsockopt(stream, PeerCredentials).ok()?;
    let (uid, pid) = (Uid::try_from(facts.uid()).ok()?, u32::try_from(facts.pid()).ok()?);
    if !uid.is_root() {
        log::warning(format_args!("uid {uid} connected to the private socket; only root may"));
        return None;
    }
    let (peer, starter) = Peer::of_socket(stream, uid, pid, since);
    let place = line.enter(starter.ok()?)?;
    Some((peer, place))
}

async fn answer(
    app: Arc<App>,
    timer: &SharedRuntime,
    stream: UnixStream<zruntime::Shared>,
    (peer, place): (Peer, &Place),
    limits: Limits,
) -> zbus::Result<()> {
    // Who has waited for so long has given up.
    let Ok(_turn) = timer.timeout(limits.until_turn, place.turns.acquire()).await else { return Ok(()) };
    let mut stream = Stream::new(timer, stream.into_std())?;
    let says = async {
        match direct::first(&mut stream).await? {
            First::Question(asks) => Ok(Begun::Asked(asks)),
            First::Other(read) => {
                stream.put_back(read);
                connect(&app, &stream, peer).await
            }
        }
    };
    let Ok(begun) = timer.timeout(limits.until_asked, says).await else { return Ok(()) };
    // Over when the answer has left, or nobody wants one any more.
    let is_over = match begun? {
        Begun::Asked(asks) => {
            let is_over = answer_directly(app, timer, &mut stream, peer, *asks);
            let is_over = timer.timeout(limits.life, is_over).await.is_ok();
            // It may be shut already.
            drop(stream.shut());
            is_over
        }
        Begun::Connected(connection, answered) => {
            let is_over = timer.timeout(limits.life, or(answered, connection.closed())).await.is_ok();
            // It may be closed already.
            drop(connection.close().await);
            is_over
        }
    };
    if !is_over {
        log::warning("a question on the private socket had no answer in time");
    }
    Ok(())
}

/// What has come over a connection within the time that it has for that.
enum Begun {
    Asked(Box<Asks>),
    /// A call is on its way to its answer, which rings.
    Connected(Connection, EventListener),
}

/// A connection for all that is no question of the module's, once a call has come.
async fn connect(app: &Arc<App>, stream: &Stream, peer: Peer) -> zbus::Result<Begun> {
    let progress = Progress::default();
    let (asked, answered) = (progress.asked.listen(), progress.answered.listen());
    let wire = Wire::new(stream.clone(), peer.uid, progress);
    let (origin, at) = (Origin::Private(peer), OBJECT_PATH);
    let connection = Builder::socket(wire)
        .server(Guid::generate())
        .p2p()
        .serve_at(at, Gate { app: Arc::clone(app), origin })
        .serve_at(at, Ask { app: Arc::clone(app), origin })
        .serve_at(at, User { app: Arc::clone(app), origin })
        .serve_at(at, Review { app: Arc::clone(app), origin })
        .serve_at(at, Admin { app: Arc::clone(app), origin })
        .serve_at(at, Audit { app: Arc::clone(app), origin })
        .build()
        .await?;
    // A module that gave up is gone before it asked.
    or(asked, connection.closed()).await;
    Ok(Begun::Connected(connection, answered))
}

/// Until the answer has left, or whoever asked is gone. What was begun is done all the same.
async fn answer_directly(
    app: Arc<App>,
    runtime: &SharedRuntime,
    stream: &mut Stream,
    peer: Peer,
    asks: Asks,
) {
    let client = stream.clone();
    let answered = Event::new();
    let has_left = answered.listen();
    let answers = async move {
        match asks.answer(app, peer).await {
            // Nobody may be there to take it.
            Ok(bytes) => drop(client.send_all(&bytes).await),
            Err(err) => log::error(format_args!("a question on the private socket: {err}")),
        }
        answered.notify(usize::MAX);
    };
    runtime.spawn("question", answers).detach();
    let is_gone = async {
        // Nothing comes behind a question but its end.
        drop(stream.receive(&mut [0]).await);
    };
    or(has_left, is_gone).await;
}

/// Who is connected to the private socket, each share in a line of its own.
#[derive(Debug)]
struct Line {
    inside: Mutex<Inside>,
}

#[derive(Debug)]
struct Inside {
    users: Shares<Starter>,
    logins: Shares<Starter>,
    root: Shares<Starter>,
    turns: HashMap<Starter, Arc<Semaphore>>,
    turned_away: Counted,
    broken_off: Counted,
}

/// How often something has happened since it was last logged, and when that was.
#[derive(Debug, Default)]
struct Counted {
    count: u32,
    logged: Option<Duration>,
}

impl Counted {
    /// Counts one more. If it is to be logged, says how many that makes. `now` is the boot clock's.
    fn one_more(&mut self, now: Duration) -> Option<u32> {
        self.count += 1;
        let is_due = self.logged.is_none_or(|logged| now.saturating_sub(logged) >= LOG_EVERY);
        is_due.then(|| {
            self.logged = Some(now);
            std::mem::take(&mut self.count)
        })
    }
}

/// A place in one of the lines; given back when it is dropped.
#[derive(Debug)]
struct Place {
    line: Arc<Line>,
    whose: Starter,
    turns: Arc<Semaphore>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            inside: Mutex::new(Inside {
                users: Shares::new(OPEN_OF_USERS),
                logins: Shares::new(OPEN_OF_LOGINS),
                root: Shares::new(OPEN_OF_ROOT),
                turns: HashMap::new(),
                turned_away: Counted::default(),
                broken_off: Counted::default(),
            }),
        }
    }
}

impl Line {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn broke_off(&self, err: &zbus::Error) {
        let count = self.inside().broken_off.one_more(since_boot());
        if let Some(count) = count {
            log::warning(format_args!("{count} private connections broke off, the last one: {err}"));
        }
    }

    fn enter(self: &Arc<Self>, whose: Starter) -> Option<Place> {
        let mut inside = self.inside();
        if !inside.shares(&whose).take(whose.clone()) {
            inside.turned_away(&whose);
            return None;
        }
        let at_a_time = if matches!(whose, Starter::Root { .. }) { READ_OF_ROOT } else { READ };
        let turns = inside.turns.entry(whose.clone()).or_insert_with(|| Arc::new(Semaphore::new(at_a_time)));
        let turns = Arc::clone(turns);
        Some(Place { line: Arc::clone(self), whose, turns })
    }
}

impl Inside {
    fn shares(&mut self, whose: &Starter) -> &mut Shares<Starter> {
        match whose {
            Starter::User(_) => &mut self.users,
            Starter::Login { .. } => &mut self.logins,
            Starter::Root { .. } => &mut self.root,
        }
    }

    fn turned_away(&mut self, whose: &Starter) {
        if let Some(count) = self.turned_away.one_more(since_boot()) {
            log::warning(format_args!(
                "{count} turned away from the private socket: {whose} hold all of their share"
            ));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.line.inside();
        if inside.shares(&self.whose).give_back(&self.whose) {
            inside.turns.remove(&self.whose);
        }
    }
}

#[cfg(test)]
mod tests;
