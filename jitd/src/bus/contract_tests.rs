//! The contract three times over: the types in `jit_proto`, what jitd serves, and the XML that is shipped.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use jit_core::policy::{Host, Ways};
use jit_proto::{BUS_NAME, OBJECT_PATH, ask, error_name, gate, manager};
use zbus::DBusError;
use zbus::object_server::Interface;

use super::admin::Admin;
use super::ask::Ask;
use super::gate::Gate;
use super::review::Review;
use super::user::User;
use super::{App, Error, InFlight, Origin, Ration};
use crate::clock::Clock;
use crate::desk::Desk;
use crate::session::systemd::Systemd;
use crate::store::StorePath;
use crate::store::writer;
use crate::who::Names;

fn served() -> String {
    let (queue, _inbox) = writer::queue();
    let desk = Desk::new(
        queue,
        Clock::of_this_boot().unwrap(),
        Host { name: "db-1".parse().unwrap(), groups: BTreeSet::new(), ways: Ways::default() },
        PathBuf::from("/nonexistent"),
    );
    let names = || Names::start(zruntime::SharedRuntime::current().unwrap()).unwrap();
    let store = StorePath::in_dir(&PathBuf::from("/nonexistent"));
    let app = Arc::new(App {
        desk,
        names_of_root: names(),
        names_of_others: names(),
        names_of_sessions: names(),
        on_host: crate::on_host::OnHost::default(),
        runtime: zruntime::SharedRuntime::current().unwrap(),
        systemd: Systemd::new(zruntime::SharedRuntime::current().unwrap()),
        store,
        in_flight: Arc::new(InFlight::default()),
        ration: Ration::of_questions(),
        filing: Ration::of_requests(),
        sessions: crate::session_of::Sessions::default(),
    });
    let origin = Origin::Bus;
    let mut xml = String::from("<node>\n");
    Gate { app: Arc::clone(&app), origin, asked: None }.introspect_to_writer(&mut xml, 2);
    Ask { app: Arc::clone(&app), origin, asked: None }.introspect_to_writer(&mut xml, 2);
    User { app: Arc::clone(&app), origin }.introspect_to_writer(&mut xml, 2);
    Review { app: Arc::clone(&app), origin }.introspect_to_writer(&mut xml, 2);
    Admin { app, origin }.introspect_to_writer(&mut xml, 2);
    xml + "</node>\n"
}

#[test]
fn the_shipped_introspection_file_is_what_jitd_serves() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/dbus/org.jitd.Jit1.xml");
    let shipped = std::fs::read_to_string(shipped).unwrap();
    assert_eq!(shipped, served(), "packaging/dbus/org.jitd.Jit1.xml is not what jitd serves");
}

#[test]
fn the_manual_explains_every_word_that_an_answer_can_carry() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/man/jitd.8");
    let page = std::fs::read_to_string(page).unwrap();
    for why in jit_core::decide::Why::ALL {
        assert!(page.contains(&format!("\n.TP\n.B {why}\n")), "jitd(8) does not explain {why}");
    }
}

#[test]
fn the_interfaces_have_the_names_of_the_contract() {
    assert_eq!(Gate::name(), gate::INTERFACE);
    assert_eq!(Ask::name(), ask::INTERFACE);
    assert_eq!(User::name(), manager::USER_INTERFACE);
    assert_eq!(Review::name(), manager::REVIEW_INTERFACE);
    assert_eq!(Admin::name(), manager::ADMIN_INTERFACE);
    assert!(OBJECT_PATH.ends_with("Jit1") && BUS_NAME.ends_with("Jit1"));
}

#[test]
fn every_error_leaves_under_the_name_of_the_contract() {
    let text = String::new;
    for (error, name) in [
        (Error::CannotDecide(text()), error_name::CANNOT_DECIDE),
        (Error::Unconfirmed(text()), error_name::UNCONFIRMED),
        (Error::NotPermitted(text()), error_name::NOT_PERMITTED),
        (Error::NotFound(text()), error_name::NOT_FOUND),
        (Error::Invalid(text()), error_name::INVALID),
        (Error::Refused(text()), error_name::REFUSED),
        (Error::OnTrial(text()), error_name::ON_TRIAL),
        (Error::Busy(text()), error_name::BUSY),
    ] {
        assert_eq!(error.name(), name);
    }
}
