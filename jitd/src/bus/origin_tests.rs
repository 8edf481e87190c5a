//! Who calls, as a bus tells it that may tell nothing.

use std::collections::HashMap;
use std::sync::Arc;

use jit_core::access::Method;
use jit_proto::OBJECT_PATH;
use jit_proto::words::Uid;
use zbus::connection::Builder;
use zbus::wire::Variant;
use zbus::{Connection, Guid, Message, block_on, fdo};
use zruntime::SharedRuntime;
use zruntime::net::unix::UnixStream;

use super::{Error, Origin};
use crate::app::App;
use crate::peer::Peer;
use crate::testing::app;

/// What a bus says of whoever it is asked about, by the name that they have on it.
struct Bus;

#[zbus::interface(name = "org.freedesktop.DBus")]
#[allow(clippy::unused_self, reason = "the form of a method that is served")]
impl Bus {
    fn get_connection_credentials(&self, name: String) -> fdo::Result<HashMap<String, Variant<'static>>> {
        let pid = ("ProcessID".to_owned(), Variant::from(std::process::id()));
        let uid = |uid: u32| ("UnixUserID".to_owned(), Variant::from(uid));
        let (kind, number) = name.trim_start_matches(':').split_once('.').unwrap();
        match kind {
            "uid" => Ok([pid, uid(number.parse::<u32>().unwrap() / 10)].into()),
            "without" => Ok([pid].into()),
            "unset" => Ok([pid, uid(u32::MAX)].into()),
            "text" => Ok([pid, ("UnixUserID".to_owned(), Variant::from("0"))].into()),
            _ => Err(fdo::Error::NameHasNoOwner(format!("{name} has gone"))),
        }
    }
}

/// jitd's connection to such a bus, and the bus's own end.
async fn on_a_bus() -> (Connection, Connection) {
    let runtime = SharedRuntime::current().unwrap();
    let (ours, theirs) = UnixStream::pair(&runtime).unwrap();
    let server = Builder::unix_stream(theirs.into_std())
        .server(Guid::generate())
        .p2p()
        .serve_at("/org/freedesktop/DBus", Bus)
        .build();
    let jitd = runtime
        .spawn("jitd", async move { Builder::unix_stream(ours.into_std()).p2p().build().await.unwrap() });
    let bus = server.await.unwrap();
    (jitd.await.unwrap(), bus)
}

/// Who calls under this name.
async fn who(app: &Arc<App>, jitd: &Connection, name: &str) -> Result<Peer, Error> {
    let call = Message::method_call(OBJECT_PATH, "Status").sender(name).build(&()).unwrap();
    Origin::Bus.caller(Method::Status, app, jitd, &call.header()).await
}

#[test]
fn a_caller_who_has_gone_or_whose_uid_cannot_be_read_is_refused_and_never_root() {
    block_on(async {
        let (app, (jitd, _bus)) = (app(), on_a_bus().await);
        for name in [":gone.1", ":without.1", ":unset.1", ":text.1"] {
            match who(&app, &jitd, name).await {
                Err(Error::NotPermitted(why)) => {
                    assert!(why.contains("cannot be identified"), "{name}: {why}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        let nameless = Message::method_call(OBJECT_PATH, "Status").build(&()).unwrap();
        let of_nobody = Origin::Bus.caller(Method::Status, &app, &jitd, &nameless.header()).await;
        assert!(matches!(of_nobody, Err(Error::NotPermitted(_))));
        // The same, of whom the bus tells all.
        let root = who(&app, &jitd, ":uid.1").await.unwrap();
        assert_eq!(root.uid, Uid::ROOT);
    });
}
