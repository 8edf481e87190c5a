//! A descriptor that goes from one process to another with a message (`SCM_RIGHTS`, unix(7)).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{ControlMessage, MsgFlags};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, ipproto, recvmsg,
    sendmsg, socket_with,
};

/// How long somebody who connected may take to hand something over. The door does both at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a message gave no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("nothing was handed over: {0}")]
    Nothing(#[from] io::Error),
    #[error("{0} descriptors were handed over instead of one")]
    NotOne(usize),
    #[error("what was handed over is no connection of TCP: {0}")]
    NotTcp(&'static str),
    #[error("what was handed over is connected to nobody, or no more: {0}")]
    NotConnected(io::Error),
}

/// Hands a connection to whoever is started for it at this socket. What is returned is closed at its other end when
/// that one has ended. Never waits: a socket that takes no more connections is an error.
pub(crate) fn hand_on(path: &Path, stream: &TcpStream) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let handed = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&handed, &SocketAddrUnix::new(path)?)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [stream.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(&handed, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(handed)
}

/// Takes the one connection of TCP that the other end hands over.
pub(crate) fn take_over(from: impl AsFd) -> Result<TcpStream, NotTaken> {
    sockopt::set_socket_timeout(&from, Timeout::Recv, Some(PATIENCE)).map_err(io::Error::from)?;
    let handed = receive(from)?;
    let (Ok(kind), Ok(protocol)) = (sockopt::socket_type(&handed), sockopt::socket_protocol(&handed)) else {
        return Err(NotTaken::NotTcp("it is no socket"));
    };
    if kind != SocketType::STREAM || protocol != Some(ipproto::TCP) {
        return Err(NotTaken::NotTcp("it is another kind of socket"));
    }
    let stream = TcpStream::from(handed);
    stream.peer_addr().map_err(NotTaken::NotConnected)?;
    Ok(stream)
}

/// A descriptor of this process that is known by its number alone, as one that is owned: it is sent to ourselves, and
/// what arrives is a new one.
pub(crate) fn own(number: RawFd) -> Result<OwnedFd, NotTaken> {
    let (near, far) = UnixStream::pair()?;
    let rights = [number];
    let message = [ControlMessage::ScmRights(&rights)];
    let bytes = [IoSlice::new(&[0])];
    nix::sys::socket::sendmsg::<()>(near.as_raw_fd(), &bytes, &message, MsgFlags::empty(), None)
        .map_err(io::Error::from)?;
    receive(&far)
}

/// The one descriptor that comes with the next message.
fn receive(from: impl AsFd) -> Result<OwnedFd, NotTaken> {
    // The kernel closes what there is no room for, and says so.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let message = recvmsg(&from, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)
        .map_err(io::Error::from)?;
    let mut found: Vec<OwnedFd> = control
        .drain()
        .filter_map(|message| {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message { Some(descriptors) } else { None }
        })
        .flatten()
        .collect();
    let is_cut = message.flags.contains(ReturnFlags::CTRUNC);
    match (found.pop(), found.len(), is_cut) {
        (Some(one), 0, false) => Ok(one),
        (one, more, _) => Err(NotTaken::NotOne(more + usize::from(one.is_some()))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// Sends these by number, which nix does without looking at them.
    fn sent(descriptors: &[RawFd]) -> Result<TcpStream, NotTaken> {
        let (near, far) = UnixStream::pair().unwrap();
        let bytes = [IoSlice::new(&[0])];
        let message = [ControlMessage::ScmRights(descriptors)];
        let rights = if descriptors.is_empty() { &message[..0] } else { &message[..] };
        nix::sys::socket::sendmsg::<()>(near.as_raw_fd(), &bytes, rights, MsgFlags::empty(), None).unwrap();
        take_over(far)
    }

    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn a_connection_that_is_handed_on_is_the_one_that_arrives_and_its_end_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("handed");
        let socket = UnixListener::bind(&path).unwrap();
        let (mut client, accepted) = connection();
        let mut handed = UnixStream::from(hand_on(&path, &accepted).unwrap());
        drop(accepted);

        let other = socket.accept().unwrap().0;
        let mut taken = take_over(&other).unwrap();
        assert_eq!(taken.peer_addr().unwrap(), client.local_addr().unwrap());
        taken.write_all(b"SSH").unwrap();
        let mut got = [0; 3];
        client.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"SSH");
        assert_eq!(handed.read(&mut got).unwrap_err().kind(), io::ErrorKind::WouldBlock, "it goes on");
        drop(other);
        assert_eq!(handed.read(&mut got).unwrap(), 0, "it has ended");
    }

    #[test]
    fn nobody_to_take_it_is_an_error_at_once_and_so_is_a_queue_that_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("handed");
        let (_client, accepted) = connection();
        assert_eq!(hand_on(&path, &accepted).unwrap_err().kind(), io::ErrorKind::NotFound);
        let socket = UnixListener::bind(&path).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let first = hand_on(&path, &accepted).unwrap();
        assert_eq!(hand_on(&path, &accepted).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop((first, socket));
        assert_eq!(hand_on(&path, &accepted).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn exactly_one_connection_of_tcp_is_taken_and_nothing_else() {
        let said = |descriptors: &[RawFd]| sent(descriptors).unwrap_err().to_string();
        let (client, accepted) = connection();
        assert!(sent(&[accepted.as_raw_fd()]).is_ok());
        assert_eq!(said(&[]), "0 descriptors were handed over instead of one");
        let two = [accepted.as_raw_fd(), client.as_raw_fd()];
        assert_eq!(said(&two), "2 descriptors were handed over instead of one");
        let many = [accepted.as_raw_fd(); 100];
        assert!(said(&many).contains("descriptors were handed over instead of one"));

        let file = File::open("/dev/null").unwrap();
        assert!(said(&[file.as_raw_fd()]).ends_with("it is no socket"));
        let (unix, _other) = UnixStream::pair().unwrap();
        assert!(said(&[unix.as_raw_fd()]).ends_with("it is another kind of socket"));
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.connect("127.0.0.1:9").unwrap();
        assert!(said(&[udp.as_raw_fd()]).ends_with("it is another kind of socket"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(said(&[listener.as_raw_fd()]).contains("connected to nobody"));
    }

    #[test]
    fn who_hands_over_nothing_and_leaves_is_said_to_have_handed_over_nothing() {
        let (near, far) = UnixStream::pair().unwrap();
        drop(near);
        assert_eq!(take_over(far).unwrap_err().to_string(), "0 descriptors were handed over instead of one");
    }

    #[test]
    fn a_number_becomes_a_descriptor_that_is_owned_and_one_that_is_not_open_does_not() {
        let (mut client, accepted) = connection();
        let mut ours = TcpStream::from(own(accepted.as_raw_fd()).unwrap());
        drop(accepted);
        ours.write_all(b"x").unwrap();
        let mut got = [0];
        client.read_exact(&mut got).unwrap();
        assert!(own(999_999).is_err());
    }
}
