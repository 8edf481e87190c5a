//! The private socket: D-Bus peer to peer, for root's PAM modules. It needs no bus daemon, so no bus that is
//! down or flooded keeps a login from its answer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jit_proto::OBJECT_PATH;
use jit_proto::words::Uid;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use zbus::Guid;
use zbus::connection::Builder;
use zruntime::SharedRuntime;
use zruntime::net::unix::{UnixListener, UnixStream};

use super::gate::Gate;
use super::{App, Origin};
use crate::log;
use crate::who::Peer;

/// A module asks once and leaves. Whoever stops its process half-way (its real uid may be anybody's) holds a
/// connection no longer than this, the module's longest deadline.
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
                if let Ok(Err(err)) = timer.timeout(LIFE, answer(app, stream)).await {
                    log::warning(format_args!("a private connection: {err}"));
                }
                open.fetch_sub(1, Ordering::Relaxed);
            })
            .detach();
    }
}

async fn answer(app: Arc<App>, stream: UnixStream<zruntime::Shared>) -> zbus::Result<()> {
    let stream = stream.into_std();
    let facts = getsockopt(&stream, PeerCredentials).map_err(std::io::Error::from)?;
    let (Ok(uid), Ok(pid)) = (Uid::try_from(facts.uid()), u32::try_from(facts.pid())) else {
        return Err(std::io::Error::other("the peer has no uid").into());
    };
    if !uid.is_root() {
        return Err(std::io::Error::other(format!("uid {uid} connected; only root may")).into());
    }
    let origin = Origin::Private(Peer { uid, pid: Some(pid) });
    let connection = Builder::unix_stream(stream)
        .server(Guid::generate())
        .p2p()
        .serve_at(OBJECT_PATH, Gate { app, origin })
        .build()
        .await?;
    connection.closed().await;
    Ok(())
}
