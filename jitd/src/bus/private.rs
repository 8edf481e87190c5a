//! The private socket: D-Bus peer to peer, for root's PAM modules. It needs no bus daemon, so no bus that is
//! down or flooded keeps a login from its answer.

use std::fs;
use std::future::poll_fn;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use jit_proto::OBJECT_PATH;
use jit_proto::words::Uid;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use zbus::Guid;
use zbus::connection::Builder;
use zruntime::net::unix::{UnixListener, UnixStream};
use zruntime::{Event, SharedRuntime};

use super::ask::Ask;
use super::gate::Gate;
use super::wire::Wire;
use super::{App, Origin};
use crate::log;
use crate::who::Peer;

/// A module asks as soon as it has connected. Whoever stops its process half-way (its real uid may be anybody's)
/// holds a connection no longer than this,
const UNTIL_ASKED: Duration = Duration::from_secs(3);

/// and waits for the answer no longer than the module's longest deadline.
const LIFE: Duration = Duration::from_secs(30);

/// More than this at once are turned away.
const MOST: usize = 1024;

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
    let open = Arc::new(AtomicUsize::new(0));
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
        if open.fetch_add(1, Ordering::Relaxed) >= MOST {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (app, open, timer) = (Arc::clone(&app), Arc::clone(&open), runtime.clone());
        runtime
            .spawn("private connection", async move {
                if let Err(err) = answer(app, &timer, stream).await {
                    log::warning(format_args!("a private connection: {err}"));
                }
                open.fetch_sub(1, Ordering::Relaxed);
            })
            .detach();
    }
}

async fn answer(
    app: Arc<App>,
    timer: &SharedRuntime,
    stream: UnixStream<zruntime::Shared>,
) -> zbus::Result<()> {
    let facts = getsockopt(&stream, PeerCredentials).map_err(std::io::Error::from)?;
    let (Ok(uid), Ok(pid)) = (Uid::try_from(facts.uid()), u32::try_from(facts.pid())) else {
        return Err(std::io::Error::other("the peer has no uid").into());
    };
    if !uid.is_root() {
        return Err(std::io::Error::other(format!("uid {uid} connected; only root may")).into());
    }
    let asked = Arc::new(Event::new());
    let was_asked = asked.listen();
    let (origin, asked) = (Origin::Private(Peer::new(uid, Some(pid))), Some(asked));
    let ask = Ask { app: Arc::clone(&app), origin, asked: asked.clone() };
    let gate = Gate { app, origin, asked };
    let begin = async {
        let server = Builder::socket(Wire::new(stream, uid)).server(Guid::generate()).p2p();
        let connection = server.serve_at(OBJECT_PATH, gate).serve_at(OBJECT_PATH, ask).build().await?;
        let gone = connection.closed();
        // A module that gave up is gone before it asked.
        or(was_asked, gone).await;
        zbus::Result::Ok(connection)
    };
    let Ok(connection) = timer.timeout(UNTIL_ASKED, begin).await else { return Ok(()) };
    let connection = connection?;
    // Over when the module has its answer, or no longer wants one.
    if timer.timeout(LIFE, connection.closed()).await.is_err() {
        log::warning(format_args!("process {pid} did not take its answer"));
    }
    Ok(())
}

/// Waits for either.
pub(super) async fn or(first: impl Future<Output = ()>, second: impl Future<Output = ()>) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|context| {
        if first.as_mut().poll(context).is_ready() || second.as_mut().poll(context).is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
