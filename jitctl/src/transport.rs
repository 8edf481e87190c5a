//! A connection to the system bus, at a path of our own choosing.

use std::io;
use std::path::Path;

use zbus::address::Transport;
use zbus::address::transport::{Unix, UnixSocket};
use zbus::connection::{AuthMechanism, Builder};
use zbus::{Address, Connection};

use crate::error::Error;

/// Connects to the bus that listens there.
pub(crate) async fn connect(socket: &Path) -> Result<Connection, Error> {
    let address = Address::new(Transport::Unix(Unix::new(UnixSocket::File(socket.to_owned()))));
    let built = Builder::address(address).auth_mechanism(AuthMechanism::External).build().await;
    built.map_err(|why| Error::NoBus { socket: socket.display().to_string(), why: cause(why) })
}

/// The reason alone: our own text already says what was being tried.
pub(crate) fn cause(why: zbus::Error) -> String {
    if let zbus::Error::Connection(why, _) | zbus::Error::InputOutput(why) = why {
        os_text(&why)
    } else {
        why.to_string()
    }
}

/// `No such file or directory`, without Rust's `(os error 2)`.
pub(crate) fn os_text(why: &io::Error) -> String {
    let text = why.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
