//! The door itself: a loop that accepts, asks [`Door`] and hands on, and never waits for anybody. All that a connection
//! costs before it is let in is one question to the kernel.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;

use crate::door::Door;
use crate::error::Error;
use crate::handing::hand_on;
use crate::routes::Routes;
use crate::source::Source;
use crate::tally::{Tally, Trouble};

/// Where jit-kiosk-handed.socket listens.
const HANDED: &str = "/run/jit-kiosk-handed.sock";

/// How many connections are accepted before it is looked who has left.
const AT_ONCE: usize = 64;

/// How long the door rests when the kernel has no memory or no descriptors for it.
const REST: Duration = Duration::from_millis(100);

/// Serves these until it cannot go on.
pub(crate) fn listen(listeners: Vec<TcpListener>) -> Result<(), Error> {
    for listener in &listeners {
        listener.local_addr().map_err(Error::NoPort)?;
        listener.set_nonblocking(true).map_err(Error::NoPort)?;
    }
    let routes = Routes::open().map_err(Error::NoRoutes)?;
    let began = Instant::now();
    let (door, tally) = (Door::default(), Tally::default());
    let mut loop_ = Listen { routes, began, door, tally, visits: Vec::new() };
    loop {
        let ready = loop_.wait(&listeners)?;
        for (listener, _) in listeners.iter().zip(ready).filter(|(_, is_ready)| *is_ready) {
            loop_.accept_from(listener);
        }
    }
}

struct Listen {
    routes: Routes,
    began: Instant,
    door: Door,
    tally: Tally,
    visits: Vec<Visit>,
}

/// A connection that was handed on.
struct Visit {
    source: Source,
    /// Closed at its other end when the visit is over.
    handed: OwnedFd,
}

impl Listen {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until something happens. Frees the places of those who have left and logs what is due; says which listeners
    /// have somebody.
    fn wait(&mut self, listeners: &[TcpListener]) -> Result<Vec<bool>, Error> {
        let now = self.now();
        let timeout = self.tally.next().map(|next| timespec(next.saturating_sub(now)));
        let come = listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN));
        // That the other end is closed is told unasked.
        let gone = self.visits.iter().map(|visit| PollFd::new(&visit.handed, PollFlags::empty()));
        let mut polled: Vec<PollFd<'_>> = come.chain(gone).collect();
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(err) => return Err(Error::NoPoll(err.into())),
        }
        let happened: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
        let (come, gone) = happened.split_at(listeners.len());
        let mut gone = gone.iter();
        let door = &mut self.door;
        self.visits.retain(|visit| {
            let is_gone = gone.next().is_some_and(|is_gone| *is_gone);
            if is_gone {
                door.leave(visit.source);
            }
            !is_gone
        });
        let now = self.now();
        self.tally.due(now).iter().for_each(|line| log(line));
        Ok(come.to_vec())
    }

    /// Accepts those who have come, up to so many.
    fn accept_from(&mut self, listener: &TcpListener) {
        for _ in 0..AT_ONCE {
            match listener.accept() {
                Ok((stream, peer)) => self.let_in(&stream, peer),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return,
                // Whoever it was has gone again.
                Err(err) if err.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(err) => {
                    self.trouble(Trouble::NotAccepted, err);
                    thread::sleep(REST);
                    return;
                }
            }
        }
    }

    /// Hands a connection on if there is a place for it. It is closed here in any case, and if it is not handed on, for
    /// good.
    fn let_in(&mut self, stream: &TcpStream, peer: SocketAddr) {
        let source = self.source_of(peer);
        if let Err(limit) = self.door.admit(source, self.now()) {
            // A flood leaves nothing behind, not even what TCP would keep for a minute.
            sockopt::set_socket_linger(stream, Some(Duration::ZERO)).ok();
            return self.trouble(Trouble::Refused(limit), source);
        }
        match hand_on(Path::new(HANDED), stream) {
            Ok(handed) => self.visits.push(Visit { source, handed }),
            Err(err) => {
                self.door.leave(source);
                self.trouble(Trouble::NotHandedOn, err);
            }
        }
    }

    fn source_of(&mut self, peer: SocketAddr) -> Source {
        Source::of(peer.ip(), |address| self.routes.is_own(address)).unwrap_or_else(|err| {
            self.trouble(Trouble::NotKnown, err);
            Source::of_another(peer.ip())
        })
    }

    fn trouble(&mut self, trouble: Trouble, last: impl std::fmt::Display) {
        let now = self.now();
        if let Some(line) = self.tally.count(trouble, last, now) {
            log(&line);
        }
    }
}

/// What poll(2) takes; at least a millisecond, so that nothing that is due in less spins.
fn timespec(wait: Duration) -> Timespec {
    let wait = wait.max(Duration::from_millis(1));
    Timespec {
        tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    }
}

/// systemd gives stderr to the journal. A journal that is not there stops nothing.
fn log(line: &str) {
    drop(writeln!(io::stderr(), "jit-kiosk: {line}"));
}
