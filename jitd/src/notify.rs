//! Tells systemd that jitd is ready (sd_notify(3)), when systemd started it.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::log;

/// Says `READY=1`. Without systemd there is nobody to tell.
pub(crate) fn ready() {
    tell("READY=1");
}

/// Says that jitd stops.
pub(crate) fn stopping() {
    tell("STOPPING=1");
}

fn tell(state: &str) {
    // systemd's protocol is an environment variable; it comes from PID 1 and names where to say we are ready.
    #[allow(clippy::disallowed_methods)]
    let Some(address) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(err) = send(address.as_encoded_bytes(), state) {
        log::warning(format_args!("systemd was not told {state}: {err}"));
    }
}

fn send(address: &[u8], state: &str) -> std::io::Result<()> {
    let address = match address.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::str::from_utf8(address).map_err(std::io::Error::other)?)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}
