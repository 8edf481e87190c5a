//! The byte stream under a connection of jitd's.
//!
//! zbus would do as well with the plain socket, but asks the name service who the peer is (its user's groups) before
//! the handshake, on threads of its own and without a time limit: a name service that hangs would then keep every
//! login from its answer, exempt accounts and root included. The kernel has said already who it is.

use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use jit_proto::words::Uid;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use zbus::Message;
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::fdo::ConnectionCredentials;
use zbus::message::Type;
use zruntime::{AsyncIo, Event, Shared, SharedRuntime};

/// The most file descriptors that a message brings.
const MOST_FDS: usize = 16;

/// A connected socket.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    io: Arc<AsyncIo<UnixStream, Shared>>,
    /// What was read and is to be read again.
    put_back: Vec<u8>,
}

impl Stream {
    pub(super) fn new(runtime: &SharedRuntime, socket: UnixStream) -> io::Result<Self> {
        Ok(Self { io: Arc::new(AsyncIo::new(runtime, socket)?), put_back: Vec::new() })
    }

    /// Takes back what was read of it, before anything else is.
    pub(super) fn put_back(&mut self, bytes: Vec<u8>) {
        self.put_back = bytes;
    }

    /// Reads what is there, and the file descriptors that come with it. Given up, it has read nothing.
    pub(super) async fn receive(&mut self, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        if self.put_back.is_empty() {
            return self.io.read_with(|socket| receive(socket, bytes)).await;
        }
        let got = self.put_back.len().min(bytes.len());
        for (to, from) in bytes.iter_mut().zip(self.put_back.drain(..got)) {
            *to = from;
        }
        Ok((got, Vec::new()))
    }

    async fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        self.io.write_with(|socket| send(socket, bytes, fds)).await
    }

    /// Sends all of it.
    pub(super) async fn send_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.send(bytes, &[]).await?;
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    pub(super) fn shut(&self) -> io::Result<()> {
        self.io.get_ref().shutdown(std::net::Shutdown::Both)
    }
}

fn receive(socket: &UnixStream, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut beside, RecvFlags::CMSG_CLOEXEC)?.bytes;
    let mut fds = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if got == 0 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok((got, fds)) }
}

fn send(socket: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut beside, SendFlags::NOSIGNAL)?)
}

#[async_trait]
impl ReadHalf for Stream {
    async fn recvmsg(&mut self, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        self.receive(bytes).await
    }
}

#[async_trait]
impl WriteHalf for Stream {
    async fn sendmsg(&mut self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        self.send(bytes, fds).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.shut()
    }
}

/// What has come over a connection to the private socket, and what has left.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// Rings when a call has come.
    pub(super) asked: Arc<Event>,
    /// Rings when an answer is with the kernel, whether or not the client ever reads it.
    pub(super) answered: Arc<Event>,
}

/// A connection to the private socket.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    peer: Uid,
    progress: Progress,
}

impl Wire {
    /// `peer` is the kernel's word (SO_PEERCRED, unix(7)).
    pub(super) fn new(stream: Stream, peer: Uid, progress: Progress) -> Self {
        Self { stream, peer, progress }
    }

    fn credentials(&self) -> ConnectionCredentials {
        ConnectionCredentials::default().set_unix_user_id(self.peer.as_u32())
    }
}

impl Socket for Wire {
    type ReadHalf = Self;
    type WriteHalf = Self;

    fn split(self) -> Split<Self, Self> {
        let reads = Self { stream: self.stream.clone(), peer: self.peer, progress: self.progress.clone() };
        Split::new(reads, self)
    }
}

#[async_trait]
impl ReadHalf for Wire {
    async fn receive_message(
        &mut self,
        seq: u64,
        bytes: &mut Vec<u8>,
        fds: &mut Vec<OwnedFd>,
    ) -> zbus::Result<Message> {
        let message = ReadHalf::receive_message(&mut self.stream, seq, bytes, fds).await?;
        if message.message_type() == Type::MethodCall {
            self.progress.asked.notify(usize::MAX);
        }
        Ok(message)
    }

    async fn recvmsg(&mut self, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        self.stream.receive(bytes).await
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }

    async fn peer_credentials(&mut self) -> io::Result<ConnectionCredentials> {
        Ok(self.credentials())
    }
}

#[async_trait]
impl WriteHalf for Wire {
    async fn send_message(&mut self, message: &Message) -> zbus::Result<()> {
        WriteHalf::send_message(&mut self.stream, message).await?;
        if matches!(message.message_type(), Type::MethodReturn | Type::Error) {
            self.progress.answered.notify(usize::MAX);
        }
        Ok(())
    }

    async fn sendmsg(&mut self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        self.stream.send(bytes, fds).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.stream.shut()
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }

    async fn peer_credentials(&mut self) -> io::Result<ConnectionCredentials> {
        Ok(self.credentials())
    }
}

/// Waits for either.
pub(super) async fn or(first: impl Future<Output = ()>, second: impl Future<Output = ()>) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|context| {
        if first.as_mut().poll(context).is_ready() || second.as_mut().poll(context).is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::connection::Builder;
    use zbus::{Guid, block_on};

    #[test]
    fn a_peer_is_who_the_kernel_says_and_no_name_service_is_asked() {
        block_on(async {
            let runtime = SharedRuntime::current().unwrap();
            let (ours, theirs) = UnixStream::pair().unwrap();
            let ours = Wire::new(Stream::new(&runtime, ours).unwrap(), Uid::ROOT, Progress::default());
            let server = Builder::socket(ours).server(Guid::generate()).p2p().build();
            let client = runtime
                .spawn("client", async move { Builder::unix_stream(theirs).p2p().build().await.unwrap() });
            let server = server.await.unwrap();
            let known = server.peer_creds().await.unwrap();
            assert_eq!(known.unix_user_id(), Some(0));
            // What zbus's own socket would have asked the name service for.
            assert!(known.unix_group_ids().is_none());
            drop(client.await);
        });
    }

    /// Answers nothing but what zbus answers by itself.
    #[test]
    fn an_answer_is_told_of_when_it_has_left_though_nobody_reads_it() {
        block_on(async {
            let runtime = SharedRuntime::current().unwrap();
            let (ours, theirs) = UnixStream::pair().unwrap();
            let progress = Progress::default();
            let (asked, answered) = (progress.asked.listen(), progress.answered.listen());
            let ours = Wire::new(Stream::new(&runtime, ours).unwrap(), Uid::ROOT, progress);
            let mut bytes = b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n".to_vec();
            let call = Message::method_call("/", "Ping").interface("org.freedesktop.DBus.Peer");
            bytes.extend_from_slice(call.build(&()).unwrap().data());
            io::Write::write_all(&mut &theirs, &bytes).unwrap();
            let server = Builder::socket(ours).server(Guid::generate()).p2p().serve_at("/", Nothing);
            let _server = server.build().await.unwrap();
            asked.await;
            answered.await;
        });
    }

    struct Nothing;

    #[zbus::interface(name = "org.jitd.Nothing")]
    impl Nothing {}
}
