//! One call over systemd's private socket: D-Bus peer to peer, for root alone, as systemctl(1) makes it. Calls of others on
//! the system bus, however many, do not come before it.
//!
//! Not by zbus: systemd signs what it says here with its well-known name, which is no sender by the D-Bus specification,
//! and zbus refuses to read it. Of an answer nothing more is read than whether it is one, and which error it is.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use futures_io::{AsyncRead, AsyncWrite};
use zbus::Message;
use zruntime::SharedRuntime;
use zruntime::net::unix::UnixStream;

/// Where it is.
pub(super) const SOCKET: &str = "/run/systemd/private";

/// A message may be so long by the D-Bus specification; systemd's to us are some hundred bytes.
const LONGEST: usize = 1 << 20;

/// What systemd answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// That it is done.
    Done,
    /// An error of this name, and its text.
    Error(String, String),
}

type Stream = UnixStream<zruntime::Shared>;

/// Makes one call and waits for its answer, for as long as the caller does.
pub(super) async fn call(runtime: &SharedRuntime, call: &Message) -> io::Result<Answer> {
    let stream = UnixStream::connect(runtime, SOCKET).await?;
    // EXTERNAL, as uid 0, in hexadecimal digits of its decimal one.
    write(&stream, b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n").await?;
    if !line(&stream).await?.starts_with(b"OK ") {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    write(&stream, call.data()).await?;
    loop {
        // On this socket it sends everybody its signals, too.
        if let Some(answer) = read(&message(&stream).await?)? {
            return Ok(answer);
        }
    }
}

/// The next message, whole.
async fn message(stream: &Stream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 16];
    fill(stream, &mut bytes).await?;
    let (Some(body), Some(fields)) = (number(&bytes, 4), number(&bytes, 12)) else { return Err(garbage()) };
    let length = 16_usize.saturating_add(fields.next_multiple_of(8)).saturating_add(body);
    if bytes.first() != Some(&b'l') || length > LONGEST {
        return Err(garbage());
    }
    bytes.resize(length, 0);
    fill(stream, bytes.get_mut(16..).unwrap_or_default()).await?;
    Ok(bytes)
}

/// The answer that a message is, if it is one.
fn read(message: &[u8]) -> io::Result<Option<Answer>> {
    const METHOD_RETURN: u8 = 2;
    const ERROR: u8 = 3;
    match message.get(1) {
        Some(&METHOD_RETURN) => Ok(Some(Answer::Done)),
        Some(&ERROR) => {
            let fields = number(message, 12).ok_or_else(garbage)?;
            let name = error_name(message, 16 + fields).ok_or_else(garbage)?;
            let text =
                text(message, (16 + fields).next_multiple_of(8)).map_or_else(String::new, |(text, _)| text);
            Ok(Some(Answer::Error(name, text)))
        }
        _ => Ok(None),
    }
}

/// The header's field of this code: a text behind its code and signature, each field at a multiple of 8.
fn error_name(message: &[u8], end: usize) -> Option<String> {
    const ERROR_NAME: u8 = 4;
    let mut at = 16;
    while at < end {
        let code = *message.get(at)?;
        // Of one letter, between its length and a zero byte.
        let kind = *message.get(at + 2)?;
        let value = at + 4;
        let next = match kind {
            b's' | b'o' => {
                let (found, next) = text(message, value)?;
                if code == ERROR_NAME {
                    return Some(found);
                }
                next
            }
            b'g' => value + usize::from(*message.get(value)?) + 2,
            b'u' => value + 4,
            _ => return None,
        };
        at = next.next_multiple_of(8);
    }
    None
}

/// A text, and where what follows it begins.
fn text(message: &[u8], at: usize) -> Option<(String, usize)> {
    let end = (at + 4).checked_add(number(message, at)?)?;
    let text = message.get(at + 4..end)?;
    Some((String::from_utf8_lossy(text).into_owned(), end + 1))
}

/// A little-endian number of four bytes.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

fn garbage() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "systemd's answer cannot be read")
}

async fn line(stream: &Stream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") && line.len() < 256 {
        let mut byte = [0];
        fill(stream, &mut byte).await?;
        line.extend(byte);
    }
    Ok(line)
}

async fn fill(mut stream: &Stream, bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match poll_fn(|context| Pin::new(&mut stream).poll_read(context, rest)).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            got => filled += got,
        }
    }
    Ok(())
}

async fn write(mut stream: &Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent = poll_fn(|context| Pin::new(&mut stream).poll_write(context, bytes)).await?;
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call_message() -> Message {
        Message::method_call("/org/freedesktop/systemd1", "StopUnit").build(&("a", "b")).unwrap()
    }

    #[test]
    fn an_answer_is_told_from_a_signal_and_an_error_by_its_name() {
        let call = call_message();
        let done = Message::method_return(&call.header()).build(&"/a").unwrap();
        assert_eq!(read(done.data()).unwrap(), Some(Answer::Done));
        let name = "org.freedesktop.systemd1.NoSuchUnit";
        let error = Message::error(&call.header(), name).build(&"not loaded").unwrap();
        assert_eq!(read(error.data()).unwrap(), Some(Answer::Error(name.into(), "not loaded".into())));
        let signal = Message::signal("/a", "a.b", "C").build(&()).unwrap();
        assert_eq!(read(signal.data()).unwrap(), None);
    }

    #[test]
    fn damaged_errors_are_errors_and_nothing_worse() {
        let call = call_message();
        let error = Message::error(&call.header(), "a.b.C").build(&"text").unwrap();
        let bytes: Vec<u8> = error.data().to_vec();
        for place in 0..bytes.len() {
            for damage in [0, 1, 4, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[place] = damage;
                drop(read(&bytes));
            }
            drop(read(&bytes[..place]));
        }
    }
}
