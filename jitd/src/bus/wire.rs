//! The byte stream under a private connection.
//!
//! zbus would do as well with the plain socket, but asks the name service who the peer is (its user's groups) before
//! the handshake, on threads of its own and without a time limit: a name service that hangs would then keep every
//! login from its answer, exempt accounts and root included. The kernel has said already who it is.

use std::future::poll_fn;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_io::{AsyncRead, AsyncWrite};
use jit_proto::words::Uid;
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::fdo::ConnectionCredentials;
use zruntime::net::unix::UnixStream;

/// A connected socket, and whose it is at the other end.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    stream: Arc<UnixStream<zruntime::Shared>>,
    peer: Uid,
}

impl Wire {
    /// `peer` is the kernel's word (SO_PEERCRED, unix(7)).
    pub(super) fn new(stream: UnixStream<zruntime::Shared>, peer: Uid) -> Self {
        Self { stream: Arc::new(stream), peer }
    }
}

impl Socket for Wire {
    type ReadHalf = Self;
    type WriteHalf = Self;

    fn split(self) -> Split<Self, Self> {
        Split::new(self.clone(), self)
    }
}

#[async_trait]
impl ReadHalf for Wire {
    /// File descriptors that come along are not asked for, so the kernel closes them.
    async fn recvmsg(&mut self, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let mut stream = &*self.stream;
        match poll_fn(|context| Pin::new(&mut stream).poll_read(context, bytes)).await? {
            0 => Err(io::ErrorKind::BrokenPipe.into()),
            got => Ok((got, Vec::new())),
        }
    }

    async fn peer_credentials(&mut self) -> io::Result<ConnectionCredentials> {
        Ok(ConnectionCredentials::default().set_unix_user_id(self.peer.as_u32()))
    }
}

#[async_trait]
impl WriteHalf for Wire {
    async fn sendmsg(&mut self, bytes: &[u8], _: &[BorrowedFd<'_>]) -> io::Result<usize> {
        let mut stream = &*self.stream;
        poll_fn(|context| Pin::new(&mut stream).poll_write(context, bytes)).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown(std::net::Shutdown::Both)
    }

    async fn peer_credentials(&mut self) -> io::Result<ConnectionCredentials> {
        ReadHalf::peer_credentials(self).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::connection::Builder;
    use zbus::{Guid, block_on};
    use zruntime::SharedRuntime;

    #[test]
    fn a_peer_is_who_the_kernel_says_and_no_name_service_is_asked() {
        block_on(async {
            let runtime = SharedRuntime::current().unwrap();
            let (ours, theirs) = UnixStream::pair(&runtime).unwrap();
            let server = Builder::socket(Wire::new(ours, Uid::ROOT)).server(Guid::generate()).p2p().build();
            let client = runtime.spawn("client", async move {
                Builder::unix_stream(theirs.into_std()).p2p().build().await.unwrap()
            });
            let server = server.await.unwrap();
            let known = server.peer_creds().await.unwrap();
            assert_eq!(known.unix_user_id(), Some(0));
            // What zbus's own socket would have asked the name service for.
            assert!(known.unix_group_ids().is_none());
            drop(client.await);
        });
    }
}
