//! The file of a request over a real store.

use jit_core::sign::file::RequestFile;
use jit_proto::manager::{Exported, REVIEW_INTERFACE, USER_INTERFACE};
use zbus::block_on;

use crate::testing::{Daemon, call, caller, served_to};

#[test]
fn the_file_of_a_request_has_a_checkpoint_just_after_a_start_too() {
    let daemon = Daemon::start();
    block_on(async {
        let (_server, client) = served_to(&daemon.app, caller(1)).await;
        let (error, text) =
            call(&client, USER_INTERFACE, "Request", &("shell", 0_u64, "", "INC-1 look")).await;
        assert_eq!(error, "", "{text}");
    });
    let id = daemon.waiting().unwrap().id.to_string();
    let daemon = Daemon::start_in(daemon.stop());
    assert!(daemon.app.desk.notary.last().is_none());
    let file = block_on(async {
        let (_server, client) = served_to(&daemon.app, caller(1)).await;
        let (error, text) = call(&client, REVIEW_INTERFACE, "Export", &(id.as_str(),)).await;
        assert_eq!(error, "", "{text}");
        serde_json::from_str::<Exported>(&text).unwrap().file
    });
    let checkpoint = RequestFile::parse(file.as_bytes()).unwrap().checkpoint.unwrap();
    assert_eq!(checkpoint, daemon.app.desk.notary.last().unwrap().0);
    assert!(checkpoint.checkpoint.size > 0);
}
