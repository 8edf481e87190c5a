//! jitd on the system bus: for jitctl, and for a module that finds no private socket.

use std::sync::Arc;
use std::time::Duration;

use jit_proto::{BUS_NAME, OBJECT_PATH};
use zbus::Connection;
use zbus::connection::Builder;
use zbus::fdo::{RequestNameFlags, RequestNameReply};
use zbus::object_server::SignalEmitter;
use zruntime::SharedRuntime;

use super::Origin;
use super::admin::Admin;
use super::audit::Audit;
use super::gate::Gate;
use super::guarded::{self, Guard};
use super::login_request::Ask;
use super::review::Review;
use super::user::User;
use super::wire::or;
use crate::app::App;
use crate::log;

/// Why jitd is not on the bus.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOnBus {
    /// The bus is not there or did not take us.
    #[error("{0}")]
    Bus(#[from] zbus::Error),
    /// Somebody has the name. The bus policy lets only root own it.
    #[error("the name {BUS_NAME} has an owner: another jitd runs")]
    Taken,
}

/// Connects, serves, and owns the name, never to be replaced.
async fn connect(app: &Arc<App>, guard: &Guard) -> Result<Connection, NotOnBus> {
    let stream = guarded::connect(&app.runtime).await.map_err(zbus::Error::from)?;
    let origin = Origin::Bus;
    let connection = Builder::socket(guard.over(stream))
        .serve_at(OBJECT_PATH, Gate { app: Arc::clone(app), origin })
        .serve_at(OBJECT_PATH, Ask { app: Arc::clone(app), origin })
        .serve_at(OBJECT_PATH, User { app: Arc::clone(app), origin })
        .serve_at(OBJECT_PATH, Review { app: Arc::clone(app), origin })
        .serve_at(OBJECT_PATH, Admin { app: Arc::clone(app), origin })
        .serve_at(OBJECT_PATH, Audit { app: Arc::clone(app), origin })
        .build()
        .await?;
    let flags = RequestNameFlags::DO_NOT_QUEUE;
    match connection.request_name_with_flags(BUS_NAME, flags).await {
        Ok(RequestNameReply::PrimaryOwner | RequestNameReply::AlreadyOwner) => Ok(connection),
        Ok(RequestNameReply::InQueue | RequestNameReply::Exists) | Err(zbus::Error::NameTaken) => {
            Err(NotOnBus::Taken)
        }
        Err(err) => Err(err.into()),
    }
}

const RETRY: Duration = Duration::from_secs(5);

/// Stays on the bus for as long as jitd runs. A bus that is down or restarts is no reason to stop: the private
/// socket needs none.
pub(crate) async fn stay(app: Arc<App>, runtime: SharedRuntime, on_bus: Arc<zruntime::Event>) {
    loop {
        let guard = Guard::new();
        match connect(&app, &guard).await {
            Ok(connection) => {
                on_bus.notify(usize::MAX);
                app.sessions.on_bus(Some(connection.clone()));
                or(guard.keep_asking(&runtime, &connection), announce(&app, &connection)).await;
                app.sessions.on_bus(None);
                log::warning("the system bus has gone; jitctl cannot reach jitd until it is back");
            }
            Err(err) => log::warning(format_args!("not on the system bus: {err}; trying again")),
        }
        runtime.sleep(RETRY).await;
    }
}

/// Names the requests about which something has changed, and nothing else of them.
async fn announce(app: &App, connection: &Connection) {
    let Ok(emitter) = SignalEmitter::new(connection, OBJECT_PATH) else { return connection.closed().await };
    loop {
        let ready = app.desk.changes.ready.listen();
        for request in app.desk.changes.take() {
            // A bus that takes no signals is about to go; whoever follows looks again every few seconds.
            drop(User::changed(&emitter, &request.to_string()).await);
        }
        ready.await;
    }
}
