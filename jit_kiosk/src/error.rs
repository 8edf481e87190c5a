//! Why the program ends without having done what it is for.

use std::io;

use crate::handing::NotTaken;

/// Why nothing was done. What can go wrong with one connection is no reason to stop, and is only counted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "usage: jit-kiosk-listen | jit-kiosk-listen take -- PROGRAM ARG... | jit-kiosk-listen source-of ADDRESS"
    )]
    Usage,
    #[error("systemd gave no sockets; run: systemctl start jit-kiosk-sshd.socket")]
    NoSockets,
    #[error("a socket of systemd's was not there: {0}")]
    NoSocket(NotTaken),
    #[error("jit-kiosk-sshd.socket has something to listen on that is no port of TCP: {0}")]
    NoPort(io::Error),
    #[error("the table of routes cannot be read: {0}")]
    NoRoutes(io::Error),
    #[error("cannot wait for connections: {0}")]
    NoPoll(io::Error),
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    #[error("{0}: not started: {1}")]
    NotStarted(String, io::Error),
}
