//! The contract three times over: the types in `jit_proto`, what jitd serves, and the XML that is shipped.

use std::sync::Arc;

use jit_proto::{BUS_NAME, OBJECT_PATH, audit, error_name, gate, login_request, manager};
use zbus::DBusError;
use zbus::object_server::Interface;

use super::admin::Admin;
use super::audit::Audit;
use super::gate::Gate;
use super::login_request::Ask;
use super::review::Review;
use super::user::User;
use super::{Error, Origin};
use crate::desk::CannotDecide;
use crate::store::StoreError;
use crate::testing::app;

pub(super) fn served() -> String {
    let app = app();
    let origin = Origin::Bus;
    let mut xml = String::from("<node>\n");
    Gate { app: Arc::clone(&app), origin }.introspect_to_writer(&mut xml, 2);
    Ask { app: Arc::clone(&app), origin }.introspect_to_writer(&mut xml, 2);
    User { app: Arc::clone(&app), origin }.introspect_to_writer(&mut xml, 2);
    Review { app: Arc::clone(&app), origin }.introspect_to_writer(&mut xml, 2);
    Admin { app: Arc::clone(&app), origin }.introspect_to_writer(&mut xml, 2);
    Audit { app, origin }.introspect_to_writer(&mut xml, 2);
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
    for why in jit_core::model::Why::ALL {
        assert!(page.contains(&format!("\n.TP\n.B {why}\n")), "jitd(8) does not explain {why}");
    }
}

#[test]
fn the_interfaces_have_the_names_of_the_contract() {
    assert_eq!(Gate::name(), gate::INTERFACE);
    assert_eq!(Ask::name(), login_request::INTERFACE);
    assert_eq!(User::name(), manager::USER_INTERFACE);
    assert_eq!(Review::name(), manager::REVIEW_INTERFACE);
    assert_eq!(Admin::name(), manager::ADMIN_INTERFACE);
    assert_eq!(Audit::name(), audit::AUDIT_INTERFACE);
    assert!(OBJECT_PATH.ends_with("Jit1") && BUS_NAME.ends_with("Jit1"));
}

#[test]
fn only_what_lasts_leaves_under_the_name_that_recovery_takes() {
    let why = String::new;
    for (err, name) in [
        (CannotDecide::Lasting(why()), error_name::CANNOT_DECIDE),
        (CannotDecide::ForNow(why()), error_name::BUSY),
        (CannotDecide::Fault(why()), error_name::REFUSED),
    ] {
        assert_eq!(Error::from(err).name(), name);
    }
    for err in [StoreError::NotDurable, StoreError::Fault(why()), StoreError::ReadOnly(why())] {
        assert_ne!(Error::from(err).name(), error_name::CANNOT_DECIDE);
    }
}

#[test]
fn every_error_leaves_under_the_name_of_the_contract() {
    let text = String::new;
    for (error, name) in [
        (Error::CannotDecide(text()), error_name::CANNOT_DECIDE),
        (Error::Unconfirmed(text()), error_name::UNCONFIRMED),
        (Error::CarriedOut(text()), error_name::CARRIED_OUT),
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
