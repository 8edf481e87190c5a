//! An order that is on disk has been carried out, and no error that comes after it says anything else.

use jit_core::context::Context;
use jit_proto::error_name;
use jit_proto::manager::{ADMIN_INTERFACE, REVIEW_INTERFACE, USER_INTERFACE};
use zbus::block_on;

use crate::testing::{Daemon, POLICY, call, caller, denial, served_to};

#[test]
fn an_order_that_is_on_disk_was_carried_out_though_it_cannot_be_read_again() {
    let daemon = Daemon::blind(POLICY);
    block_on(async {
        let (_daemon, as_daemon) = served_to(&daemon.app, caller(1)).await;
        let (_root, as_root) = served_to(&daemon.app, caller(0)).await;
        let done = |(error, text): (String, String)| {
            assert_eq!(error, error_name::CARRIED_OUT, "{text}");
            assert!(text.contains("carried out and is on record"), "{text}");
        };
        let request = ("shell", 0_u64, "", "INC-1 look");
        done(call(&as_daemon, USER_INTERFACE, "Request", &request).await);
        done(call(&as_root, REVIEW_INTERFACE, "Review", &denial(&daemon.waiting().unwrap())).await);
        done(call(&as_daemon, USER_INTERFACE, "Request", &request).await);
        let waiting = daemon.waiting().unwrap().id.to_string();
        done(call(&as_daemon, USER_INTERFACE, "Withdraw", &(waiting.as_str(), "")).await);
        assert!(daemon.waiting().is_none());

        done(call(&as_root, ADMIN_INTERFACE, "Grant", &("daemon", "shell", 0_u64, "INC-1 look")).await);
        let open = |here: Context<'_>| here.state.grants().next().map(|grant| grant.id.to_string());
        let grant = daemon.desk().look(open).unwrap().unwrap();
        done(call(&as_root, ADMIN_INTERFACE, "Revoke", &(grant.as_str(), "")).await);
        assert_eq!(daemon.desk().look(open).unwrap(), None);
        // Now there is nothing to take back, and that it cannot be read is all there is to say.
        let (error, text) = call(&as_root, ADMIN_INTERFACE, "Revoke", &(grant.as_str(), "")).await;
        assert_eq!(error, error_name::BUSY, "{text}");
        let (error, text) = call(&as_root, ADMIN_INTERFACE, "Lock", &("host", "", 0_u64)).await;
        assert_eq!(error, "", "{text}");
    });
}

/// Where else an order waits for the disk: the module's questions, whose answer is made before, and what a refused review
/// strikes, and the end of a locked group's members. (The gate gives no orders; it waits by the desk.)
#[test]
fn every_order_that_waits_for_the_disk_says_what_came_of_it_by_one_function() {
    let sources = [
        ("admin.rs", include_str!("admin.rs"), 0),
        ("locks.rs", include_str!("locks.rs"), 1),
        ("login_request.rs", include_str!("login_request.rs"), 1),
        ("error.rs", include_str!("error.rs"), 1),
        ("gate.rs", include_str!("gate.rs"), 0),
        ("mod.rs", include_str!("mod.rs"), 0),
        ("offline.rs", include_str!("offline.rs"), 0),
        ("review.rs", include_str!("review.rs"), 0),
        ("reviewing.rs", include_str!("reviewing.rs"), 1),
        ("sessions.rs", include_str!("sessions.rs"), 0),
        ("statements.rs", include_str!("statements.rs"), 1),
        ("status.rs", include_str!("status.rs"), 0),
        ("stories.rs", include_str!("stories.rs"), 0),
        ("user.rs", include_str!("user.rs"), 0),
        ("verified.rs", include_str!("verified.rs"), 0),
    ];
    for (file, text, waits) in sources {
        assert_eq!(text.matches(".durable()").count(), waits, "{file}");
    }
}
