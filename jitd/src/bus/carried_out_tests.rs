//! An order that is on disk has been carried out, and no error that comes after it says anything else.

use std::fs;
use std::sync::Arc;

use jit_core::access::LoginUid;
use jit_core::context::Context;
use jit_proto::manager::{ADMIN_INTERFACE, REVIEW_INTERFACE, USER_INTERFACE};
use jit_proto::words::{RequestId, Uid};
use jit_proto::{OBJECT_PATH, error_name};
use zbus::{Connection, block_on};

use super::access_tests::served_to;
use super::contract_tests::app_in;
use crate::app::App;
use crate::peer::Peer;
use crate::store::{StorePath, writer};

const POLICY: &str = r#"
version = 1
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["root"] }
max-duration = "4h"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["daemon"] }
"#;

/// What a call comes to: the name of its error, or none, and the text.
pub(super) async fn call<B>(client: &Connection, interface: &str, member: &str, body: &B) -> (String, String)
where
    B: serde::Serialize + zbus::DynamicType + Sync,
{
    match client.call_method(None::<&str>, OBJECT_PATH, Some(interface), member, body).await {
        Ok(reply) => (String::new(), reply.body().deserialize().unwrap()),
        Err(zbus::Error::MethodError(error, text, _)) => (error.to_string(), text.unwrap_or_default()),
        Err(other) => panic!("{interface}.{member}: {other:?}"),
    }
}

#[test]
fn an_order_that_is_on_disk_was_carried_out_though_it_cannot_be_read_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("policy.d")).unwrap();
    fs::write(dir.path().join("policy.d/10.toml"), POLICY).unwrap();
    let (app, queue, inbox) = app_in(dir.path());
    let store = StorePath::in_dir(dir.path());
    let writer = {
        let app = Arc::clone(&app);
        std::thread::spawn(move || writer::run(&store, &inbox, &app.desk))
    };
    while let Some(trouble) = app.desk.trouble() {
        assert_eq!(trouble, "it is starting");
        std::thread::yield_now();
    }
    block_on(async {
        let root = Peer::told(Uid::ROOT, Ok(LoginUid::Set(Uid::ROOT)));
        let (_server, client) = served_to(&app, root).await;
        let ids = || {
            let ids = |here: Context<'_>| here.state.pending().keys().map(ToString::to_string).collect();
            app.desk.look(ids).unwrap()
        };
        let done = |(error, text): (String, String)| {
            assert_eq!(error, error_name::CARRIED_OUT, "{text}");
            assert!(text.contains("carried out and is on record"), "{text}");
        };
        let none: Vec<String> = Vec::new();
        for filed in [
            call(&client, USER_INTERFACE, "Request", &("shell", 0_u64, "", "INC-1 look")).await,
            call(&client, ADMIN_INTERFACE, "Grant", &("root", "shell", 0_u64, "INC-1 look")).await,
        ] {
            done(filed);
        }
        let filed: Vec<String> = ids();
        assert_eq!(filed.len(), 2);
        // What cannot be read before an order is no order.
        let (error, text) = call(&client, REVIEW_INTERFACE, "Review", &review_of(&app, &filed[0])).await;
        assert_eq!(error, error_name::BUSY, "{text}");
        done(call(&client, USER_INTERFACE, "Withdraw", &(filed[0].as_str(), "")).await);
        done(call(&client, ADMIN_INTERFACE, "Revoke", &(filed[1].as_str(), "")).await);
        assert_eq!(ids(), none);
        // Now there is nothing to take back, and that it cannot be read is all there is to say.
        let (error, text) = call(&client, ADMIN_INTERFACE, "Revoke", &(filed[1].as_str(), "")).await;
        assert_eq!(error, error_name::BUSY, "{text}");
        let (error, text) = call(&client, ADMIN_INTERFACE, "Lock", &("host", "", 0_u64)).await;
        assert_eq!(error, "", "{text}");
    });
    queue.stop();
    writer.join().unwrap();
}

type Reviewed = (String, String, &'static str, u64, Vec<String>, u32, &'static str);

fn review_of(app: &App, id: &str) -> Reviewed {
    let id: RequestId = id.parse().unwrap();
    let digest = app.desk.look(|here| here.state.pending()[&id].request.digest().to_string()).unwrap();
    (id.to_string(), digest, "deny", 0, Vec::new(), 0, "no")
}

/// Where else an order waits for the disk: the module's questions, whose answer is made before, and what a refused review
/// strikes. (The gate gives no orders; it waits by the desk.)
#[test]
fn every_order_that_waits_for_the_disk_says_what_came_of_it_by_one_function() {
    let sources = [
        ("admin.rs", include_str!("admin.rs"), 1),
        ("ask.rs", include_str!("ask.rs"), 1),
        ("error.rs", include_str!("error.rs"), 1),
        ("gate.rs", include_str!("gate.rs"), 0),
        ("mod.rs", include_str!("mod.rs"), 0),
        ("offline.rs", include_str!("offline.rs"), 0),
        ("review.rs", include_str!("review.rs"), 0),
        ("reviewing.rs", include_str!("reviewing.rs"), 1),
        ("sessions.rs", include_str!("sessions.rs"), 0),
        ("status.rs", include_str!("status.rs"), 0),
        ("stories.rs", include_str!("stories.rs"), 0),
        ("user.rs", include_str!("user.rs"), 0),
    ];
    for (file, text, waits) in sources {
        assert_eq!(text.matches(".durable()").count(), waits, "{file}");
    }
}
