//! The journal, in its native protocol (systemd's JOURNAL_NATIVE_PROTOCOL): every field searchable.

use std::os::unix::net::UnixDatagram;
use std::thread::sleep;
use std::time::Duration;

use jit_core::audit::line::Line;
use jit_core::event::Record;

use super::target::{NotTaken, Sink};

/// The name of the cursor.
pub(super) const NAME: &str = "journal";

const SOCKET: &str = "/run/systemd/journal/socket";

/// LOG_AUTHPRIV (RFC 5424 §6.2.1), where sshd and sudo log.
const FACILITY: &str = "10";

#[derive(Default)]
pub(super) struct Journal {
    socket: Option<UnixDatagram>,
}

impl Sink for Journal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn send(&mut self, _: &Record, line: &Line, _: &[u8]) -> Result<(), NotTaken> {
        send_to(&mut self.socket, SOCKET, &datagram(line))
    }
}

/// Sends a datagram, connecting first if need be; on failure the next call connects again.
pub(super) fn send_to(
    socket: &mut Option<UnixDatagram>,
    path: &str,
    datagram: &[u8],
) -> Result<(), NotTaken> {
    let connected = match socket.take() {
        Some(connected) => connected,
        None => connect(path)?,
    };
    match patiently(|| connected.send(datagram)) {
        Ok(_) => {
            *socket = Some(connected);
            Ok(())
        }
        // The log was restarted since: its new socket is another one.
        Err(err) if err.kind() == std::io::ErrorKind::ConnectionRefused => {
            let connected = connect(path)?;
            patiently(|| connected.send(datagram)).map_err(NotTaken::Failing)?;
            *socket = Some(connected);
            Ok(())
        }
        Err(err) => Err(NotTaken::Failing(err)),
    }
}

/// A log that is busy gets half a second to make room; then it counts as failing, and is tried again later.
fn patiently(mut send: impl FnMut() -> std::io::Result<usize>) -> std::io::Result<usize> {
    for _ in 0..50 {
        match send() {
            Err(err) if err.kind() == std::io::ErrorKind::WouldBlock => sleep(Duration::from_millis(10)),
            other => return other,
        }
    }
    send()
}

fn connect(path: &str) -> Result<UnixDatagram, NotTaken> {
    let socket = UnixDatagram::unbound().map_err(NotTaken::Failing)?;
    // A full queue is a log that fails, not a reason to wait.
    socket.set_nonblocking(true).map_err(NotTaken::Failing)?;
    match socket.connect(path) {
        Ok(()) => Ok(socket),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Err(NotTaken::Absent),
        Err(err) => Err(NotTaken::Failing(err)),
    }
}

fn datagram(line: &Line) -> Vec<u8> {
    let mut bytes = Vec::new();
    field(&mut bytes, "MESSAGE", &line.message());
    field(&mut bytes, "PRIORITY", &line.severity.number().to_string());
    field(&mut bytes, "SYSLOG_FACILITY", FACILITY);
    field(&mut bytes, "SYSLOG_IDENTIFIER", "jitd");
    field(&mut bytes, "JIT_EVENT", line.event);
    for (key, value) in &line.fields {
        field(&mut bytes, &format!("JIT_{}", key.to_ascii_uppercase()), value);
    }
    bytes
}

/// With the length in front, so that a value may hold anything, line breaks included.
fn field(bytes: &mut Vec<u8>, key: &str, value: &str) {
    bytes.extend_from_slice(key.as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
    bytes.extend_from_slice(value.as_bytes());
    bytes.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_in_a_value_cannot_start_a_field() {
        let mut bytes = Vec::new();
        field(&mut bytes, "JIT_RHOST", "x\nPRIORITY=0");
        assert_eq!(bytes, b"JIT_RHOST\n\x0c\0\0\0\0\0\0\0x\nPRIORITY=0\n");
    }

    #[test]
    fn a_log_that_is_not_there_is_absent_and_one_that_refuses_fails() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let path = path.to_str().unwrap();
        assert!(matches!(send_to(&mut None, path, b"x"), Err(NotTaken::Absent)));
        drop(UnixDatagram::bind(path).unwrap());
        assert!(matches!(send_to(&mut None, path, b"x"), Err(NotTaken::Failing(_))));
    }

    #[test]
    fn a_log_that_was_restarted_gets_the_next_record() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let path = path.to_str().unwrap();
        let first = UnixDatagram::bind(path).unwrap();
        let mut socket = None;
        send_to(&mut socket, path, b"one").unwrap();
        drop(first);
        std::fs::remove_file(path).unwrap();
        let second = UnixDatagram::bind(path).unwrap();
        send_to(&mut socket, path, b"two").unwrap();
        let mut bytes = [0; 8];
        assert_eq!(second.recv(&mut bytes).unwrap(), 3);
    }
}
