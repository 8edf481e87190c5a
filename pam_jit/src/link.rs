//! One connection to a D-Bus server, from connect(2) to the last reply, under one deadline.
//!
//! It is one non-blocking descriptor, closed when it is dropped. There is no thread and no signal handler, and every
//! wait is a poll(2) with what is left of the time.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use jit_proto::error_name;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, getsockopt, recv, send, socket,
};
use nix::unistd::geteuid;

use crate::error::Error;
use crate::wire::{self, Call, REPLY_LIMIT, Reply, START, Start};

/// The bus driver's name, which is also its interface.
pub(crate) const BUS: &str = "org.freedesktop.DBus";

/// The moment when everything has to be over, on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// So much time from now.
    pub(crate) fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit }
    }

    /// What is left of the limit; not zero.
    fn left(self, doing: impl FnOnce() -> String) -> Result<Duration, Error> {
        match self.at.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(Error::Deadline { limit: self.limit, doing: doing() }),
        }
    }
}

/// One connection to a D-Bus server.
#[derive(Debug)]
pub(crate) struct Link {
    socket: OwnedFd,
    /// The path, for messages.
    to: String,
    deadline: Deadline,
    serial: u32,
    unsent: Vec<u8>,
    received: Vec<u8>,
    authenticated: bool,
}

impl Link {
    /// How long to wait before trying a full backlog again; there is nothing to poll.
    const BACKLOG_PAUSE: Duration = Duration::from_millis(5);

    /// The longest first line of a server; `OK` and a GUID have 37 bytes.
    const AUTH_LINE_LIMIT: usize = 512;

    /// Connects to a socket. The inner error says that there is nobody behind this path.
    ///
    /// A blocking connect(2) to a Unix socket waits without limit while the backlog is full; a non-blocking one
    /// says EAGAIN.
    pub(crate) fn connect(path: &Path, deadline: Deadline) -> Result<Result<Self, Errno>, Error> {
        let to = path.display().to_string();
        let doing = || format!("connect to {to}");
        let system = |errno| Error::System { doing: doing(), errno };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(system)?;
        let address = UnixAddr::new(path).map_err(system)?;
        loop {
            match connect(socket.as_raw_fd(), &address) {
                Ok(()) | Err(Errno::EISCONN) => break,
                Err(errno @ (Errno::ENOENT | Errno::ECONNREFUSED)) => return Ok(Err(errno)),
                // A screen locker may not enter jitd's directory, and asks over the bus.
                Err(Errno::EACCES) if !geteuid().is_root() => return Ok(Err(Errno::EACCES)),
                Err(Errno::EAGAIN | Errno::EINTR) => sleep(Self::BACKLOG_PAUSE.min(deadline.left(doing)?)),
                Err(errno) => return Err(system(errno)),
            }
        }
        Ok(Ok(Self::over(socket, to, deadline)))
    }

    /// Over a connected, non-blocking socket.
    pub(crate) fn over(socket: OwnedFd, to: String, deadline: Deadline) -> Self {
        let unsent = wire::auth_external(geteuid().as_raw());
        Self { socket, to, deadline, serial: 0, unsent, received: Vec::new(), authenticated: false }
    }

    /// Whether root holds the other end, as the kernel recorded it at listen(2).
    pub(crate) fn must_be_roots(&self) -> Result<(), Error> {
        let peer = getsockopt(&self.socket, PeerCredentials)
            .map_err(|errno| self.failed("ask for the peer", errno))?;
        if peer.uid() == 0 {
            Ok(())
        } else {
            Err(Error::Unbelievable(format!("{} is held by uid {}, not by root", self.to, peer.uid())))
        }
    }

    /// Calls a method and waits for its reply. Signals and other messages that a bus may deliver are passed over.
    pub(crate) fn call(&mut self, call: &Call<'_>) -> Result<Reply, Error> {
        self.serial += 1;
        self.unsent.extend(call.to_bytes(self.serial));
        self.flush(call.method)?;
        self.await_ok(call.method)?;
        loop {
            let Some(reply) = self.next_reply(call.method)? else { continue };
            if reply.to != self.serial {
                continue;
            }
            let sender = reply.sender.as_deref();
            let from_callee = call.destination.is_none() || sender == call.destination;
            match &reply.error {
                None if from_callee => return Ok(reply),
                // The bus itself answers for a callee that is gone, or that it does not let us call.
                Some(name) if from_callee || sender == Some(BUS) => {
                    let text = reply.read().unwrap_or_default();
                    if from_callee && name == error_name::CANNOT_DECIDE {
                        return Err(Error::CannotDecide(text));
                    }
                    return Err(Error::Refused { doing: self.doing(call.method), name: name.clone(), text });
                }
                _ => {
                    return Err(Error::Unbelievable(format!(
                        "{} was answered by somebody else",
                        call.method
                    )));
                }
            }
        }
    }

    /// Reads the server's answer to AUTH, which comes before the first message.
    fn await_ok(&mut self, method: &str) -> Result<(), Error> {
        while !self.authenticated {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                if !wire::is_auth_ok(&line) {
                    return Err(Error::Unbelievable(format!("{} did not accept our AUTH", self.to)));
                }
                self.authenticated = true;
            } else if self.received.len() > Self::AUTH_LINE_LIMIT {
                return Err(Error::Unbelievable(format!("{} does not speak D-Bus", self.to)));
            } else {
                self.receive(method)?;
            }
        }
        Ok(())
    }

    /// The next message, if it is a reply. Whatever else comes, of whatever size, is read and dropped: on a bus,
    /// anybody may send us a signal.
    fn next_reply(&mut self, method: &str) -> Result<Option<Reply>, Error> {
        let garbage = |to: &str| Error::Unbelievable(format!("{to} sent something that is not D-Bus"));
        let start = loop {
            match self.received.first_chunk::<START>() {
                Some(first) => break Start::parse(*first).ok_or_else(|| garbage(&self.to))?,
                None => self.receive(method)?,
            }
        };
        if start.is_reply() && start.len() > REPLY_LIMIT {
            return Err(Error::Unbelievable(format!("a reply of {} bytes", start.len())));
        }
        if start.is_reply() {
            while self.received.len() < start.len() {
                self.receive(method)?;
            }
            let message: Vec<u8> = self.received.drain(..start.len()).collect();
            return Reply::parse(&start, &message).map(Some).map_err(|_| garbage(&self.to));
        }
        let mut left = start.len();
        while left > 0 {
            if self.received.is_empty() {
                self.receive(method)?;
            }
            let here = left.min(self.received.len());
            self.received.drain(..here);
            left -= here;
        }
        Ok(None)
    }

    fn flush(&mut self, method: &str) -> Result<(), Error> {
        while !self.unsent.is_empty() {
            // Without MSG_NOSIGNAL, a jitd that dies now would kill sshd with SIGPIPE.
            match send(self.socket.as_raw_fd(), &self.unsent, MsgFlags::MSG_NOSIGNAL) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(Errno::EAGAIN | Errno::EINTR) => self.wait(PollFlags::POLLOUT, method)?,
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(Error::Closed(self.to.clone())),
                Err(errno) => return Err(self.failed(method, errno)),
            }
        }
        Ok(())
    }

    /// Waits for bytes and appends them. Descriptors that come along are not asked for, so the kernel closes them.
    fn receive(&mut self, method: &str) -> Result<(), Error> {
        let mut chunk = [0; 4096];
        loop {
            match recv(self.socket.as_raw_fd(), &mut chunk, MsgFlags::empty()) {
                Ok(0) | Err(Errno::ECONNRESET) => return Err(Error::Closed(self.to.clone())),
                Ok(got) => {
                    // A peer that never stops sending gets no more time than one that never starts.
                    self.deadline.left(|| self.doing(method))?;
                    self.received.extend(&chunk[..got]);
                    return Ok(());
                }
                Err(Errno::EAGAIN | Errno::EINTR) => self.wait(PollFlags::POLLIN, method)?,
                Err(errno) => return Err(self.failed(method, errno)),
            }
        }
    }

    /// Waits until the socket is ready, was closed, or a signal came; an error once the deadline has passed.
    fn wait(&self, for_what: PollFlags, method: &str) -> Result<(), Error> {
        let left = self.deadline.left(|| self.doing(method))?;
        // Rounded up, so that the last fraction of a millisecond is not spent polling in a circle.
        let millis = i32::try_from(left.as_millis() + 1).unwrap_or(i32::MAX);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.socket.as_fd(), for_what)], timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(self.failed(method, errno)),
        }
    }

    fn doing(&self, method: &str) -> String {
        format!("{method} over {}", self.to)
    }

    fn failed(&self, method: &str, errno: Errno) -> Error {
        Error::System { doing: self.doing(method), errno }
    }
}
