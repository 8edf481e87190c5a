//! The words and wire types that `pam_jit`, `jitd` and `jitctl` share.
//!
//! Everything that crosses a boundary is parsed here, once, into a type that cannot hold a bad value; inside
//! the three programs nothing is checked again. There is no I/O in this crate.

#![forbid(unsafe_code)]
// What is added to an enum is decided on wherever it matters. Tests may pass over what they are not about.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

#[cfg(feature = "manager")]
pub mod audit;
pub mod duration;
pub mod gate;
pub mod login_request;
#[cfg(feature = "manager")]
pub mod manager;
pub mod text;
pub mod words;

/// The well-known bus name that jitd owns. The owner's uid must be 0 before anybody believes it.
pub const BUS_NAME: &str = "org.jitd.Jit1";

/// The one object that jitd serves, on the system bus and on the private socket.
pub const OBJECT_PATH: &str = "/org/jitd/Jit1";

/// jitd's own D-Bus socket (peer to peer), reachable by root only.
pub const PRIVATE_SOCKET: &str = "/run/jitd/private";

/// The system bus. Named here because `DBUS_SYSTEM_BUS_ADDRESS` is not believed (DESIGN law 8).
pub const SYSTEM_BUS_SOCKET: &str = "/run/dbus/system_bus_socket";

/// Where the module notes that it let an account in through `recovery=`; jitd enters it in the audit when it
/// is back, and empties the file. One line each: unix seconds, service, subject, separated by spaces.
pub const RECOVERY_NOTES: &str = "/run/jitd/recovered";

/// D-Bus error names that jitd answers with.
pub mod error_name {
    /// jitd runs but cannot decide or record, and that lasts: no policy, or a store that has not worked for seconds. The
    /// only answer that permits `recovery=`; nobody can bring it about by what they ask for.
    pub const CANNOT_DECIDE: &str = "org.jitd.Jit1.Error.CannotDecide";
    /// The store failed while the change was written: it may or may not be there when jitd is back.
    pub const UNCONFIRMED: &str = "org.jitd.Jit1.Error.Unconfirmed";
    /// The order was carried out and is on record; what came of it could not be read, or what follows from it not be done.
    pub const CARRIED_OUT: &str = "org.jitd.Jit1.Error.CarriedOut";
    /// The caller may not do this.
    pub const NOT_PERMITTED: &str = "org.jitd.Jit1.Error.NotPermitted";
    /// No such request or grant, or one the caller may not see.
    pub const NOT_FOUND: &str = "org.jitd.Jit1.Error.NotFound";
    /// An argument is malformed; the message names it.
    pub const INVALID: &str = "org.jitd.Jit1.Error.Invalid";
    /// The request is well-formed and refused: policy or state says no.
    pub const REFUSED: &str = "org.jitd.Jit1.Error.Refused";
    /// A policy is on trial, or none is, or this login cannot confirm it; the message says what to do.
    pub const ON_TRIAL: &str = "org.jitd.Jit1.Error.OnTrial";
    /// A quota or the limit on calls in flight; try again.
    pub const BUSY: &str = "org.jitd.Jit1.Error.Busy";
}
