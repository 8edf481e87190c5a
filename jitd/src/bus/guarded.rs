//! jitd's connection to the system bus, on which everybody's messages come: [`Admission`] says of each whether zbus
//! sees it. What is not let in is read past in small pieces and never held.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jit_proto::SYSTEM_BUS_SOCKET;
use jit_proto::words::Uid;
use zbus::connection::Builder;
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::message::Type;
use zbus::{Connection, Message};
use zruntime::net::unix::UnixStream;
use zruntime::{Event, SharedRuntime};

use super::admission::{Admission, BUS, Heard, MOST_FIELDS, START, Start, Verdict};
use super::wire::{Stream, or};
use crate::clock::since_boot;
use crate::log;

/// How long the bus may take to say whose a sender is.
const LIMIT: Duration = Duration::from_secs(2);

/// So many senders are asked about at a time.
const ASKED_AT_A_TIME: usize = 32;

/// Those that are turned away and are still to be told. The others learn nothing.
const MOST_TO_TELL: usize = 256;

/// A flag in the third byte of a message (D-Bus specification, "Message Format").
const NO_REPLY_EXPECTED: u8 = 1;

/// What those that are turned away are told, and jitd says to nobody else.
const TURNED_AWAY: &str = "org.freedesktop.DBus.Error.LimitsExceeded";

/// How often it is logged that calls were turned away.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// A whole message, with what came beside it.
#[derive(Debug)]
struct Whole {
    heard: Heard,
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

/// What the reading half, the writing half and those who ask share.
#[derive(Clone)]
pub(super) struct Guard(Arc<Shared>);

struct Shared {
    inside: Mutex<Inside>,
    /// Rings when something that waited has been let in.
    admitted: Event,
    /// Rings when somebody is to be asked about or told.
    work: Event,
}

struct Inside {
    admission: Admission,
    waiting: HashMap<String, Vec<Whole>>,
    admitted: VecDeque<Whole>,
    to_ask: VecDeque<String>,
    to_tell: VecDeque<(String, u32)>,
    turned_away: u64,
    logged: Option<Duration>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

/// A connection for questions of jitd's own. Anybody may send to it, too, and nothing comes through but answers.
pub(crate) async fn for_questions() -> zbus::Result<Connection> {
    let runtime = SharedRuntime::current()?;
    let stream = connect(&runtime).await?;
    Builder::socket(Guard::over_which(false).over(stream)).build().await
}

/// A socket of the system bus, at the path that jitd knows.
pub(super) async fn connect(runtime: &SharedRuntime) -> io::Result<Stream> {
    let socket = UnixStream::connect(runtime, SYSTEM_BUS_SOCKET).await?;
    Stream::new(runtime, socket.into_std())
}

/// What one of those who ask does next.
enum Work {
    Ask(String),
    Tell(String, u32),
}

impl Guard {
    /// For a connection on which jitd is called.
    pub(super) fn new() -> Self {
        Self::over_which(true)
    }

    fn over_which(serves: bool) -> Self {
        let inside = Inside {
            admission: Admission::new(serves),
            waiting: HashMap::new(),
            admitted: VecDeque::new(),
            to_ask: VecDeque::new(),
            to_tell: VecDeque::new(),
            turned_away: 0,
            logged: None,
        };
        Self(Arc::new(Shared { inside: Mutex::new(inside), admitted: Event::new(), work: Event::new() }))
    }

    /// The socket that zbus gets.
    pub(super) fn over(&self, stream: Stream) -> Guarded {
        Guarded { stream, guard: self.clone() }
    }

    /// Asks the bus whose senders are, and tells those that were turned away, for as long as this connection lasts.
    pub(super) async fn keep_asking(&self, runtime: &SharedRuntime, connection: &Connection) {
        let asks: Vec<_> = (0..ASKED_AT_A_TIME)
            .map(|_| {
                let (guard, runtime, connection) = (self.clone(), runtime.clone(), connection.clone());
                runtime.clone().spawn("callers", async move {
                    loop {
                        let ring = guard.0.work.listen();
                        match guard.next() {
                            Some(Work::Ask(sender)) => {
                                let asked = uid_of(&connection, &sender);
                                let uid = runtime.timeout(LIMIT, asked).await.ok().flatten();
                                guard.known(&sender, uid);
                            }
                            Some(Work::Tell(sender, serial)) => tell(&connection, &sender, serial).await,
                            None => ring.await,
                        }
                    }
                })
            })
            .collect();
        connection.closed().await;
        drop(asks);
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Work> {
        let mut inside = self.inside();
        let ask = inside.to_ask.pop_front().map(Work::Ask);
        ask.or_else(|| inside.to_tell.pop_front().map(|(sender, serial)| Work::Tell(sender, serial)))
    }

    fn judge(&self, heard: &Heard) -> Verdict {
        let mut inside = self.inside();
        let verdict = inside.judge(heard);
        drop(inside);
        if matches!(verdict, Verdict::Wait { ask: true } | Verdict::TurnAway) {
            self.0.work.notify(1);
        }
        verdict
    }

    /// Keeps a whole message that is to wait. Its sender may have become known while it was read: then it is judged
    /// once more, and comes back if it is let in.
    fn waits(&self, whole: Whole) -> Option<Whole> {
        let mut inside = self.inside();
        if !inside.admission.is_asked_about(&whole.heard.sender) {
            inside.admission.waits_no_longer(&whole.heard);
            match inside.judge(&whole.heard) {
                Verdict::Admit => return Some(whole),
                Verdict::TurnAway | Verdict::Drop => return None,
                Verdict::Wait { .. } => {}
            }
        }
        inside.waiting.entry(whole.heard.sender.clone()).or_default().push(whole);
        drop(inside);
        self.0.work.notify(1);
        None
    }

    fn known(&self, sender: &str, uid: Option<Uid>) {
        let mut inside = self.inside();
        inside.admission.known(sender, uid);
        for whole in inside.waiting.remove(sender).unwrap_or_default() {
            inside.admission.waits_no_longer(&whole.heard);
            if uid.is_some() && inside.judge(&whole.heard) == Verdict::Admit {
                inside.admitted.push_back(whole);
            }
        }
        drop(inside);
        self.0.admitted.notify(usize::MAX);
        self.0.work.notify(1);
    }
}

impl Inside {
    fn judge(&mut self, heard: &Heard) -> Verdict {
        let now = since_boot();
        let verdict = self.admission.judge(heard, u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        if verdict == Verdict::TurnAway {
            if self.to_tell.len() < MOST_TO_TELL {
                self.to_tell.push_back((heard.sender.clone(), heard.serial));
            }
            self.turned_away += 1;
            if self.logged.is_none_or(|logged| now.saturating_sub(logged) >= LOG_EVERY) {
                let sender = &heard.sender;
                log::warning(format_args!(
                    "calls on the system bus are turned away, {} so far: {sender} asks for more than its user's share; \
                     who that is says: busctl status {sender}",
                    self.turned_away
                ));
                self.logged = Some(now);
            }
        } else if let Verdict::Wait { ask: true } = verdict {
            self.to_ask.push_back(heard.sender.clone());
        }
        verdict
    }
}

/// The uid of a sender; none if it has gone or the bus does not say.
async fn uid_of(connection: &Connection, sender: &str) -> Option<Uid> {
    let path = "/org/freedesktop/DBus";
    let reply = connection.call_method(Some(BUS), path, Some(BUS), "GetConnectionUnixUser", &(sender,)).await;
    reply.ok()?.body().deserialize::<u32>().ok().and_then(|uid| Uid::try_from(uid).ok())
}

async fn tell(connection: &Connection, sender: &str, serial: u32) {
    let Some(serial) = std::num::NonZeroU32::new(serial) else { return };
    let call = Message::method_call("/", "Unread").sender(sender).serial(serial).build(&());
    let error = call.and_then(|call| {
        let text = "jitd is answering as many calls of yours as one user gets, or this one is too long; try again when \
                    they are answered";
        Message::error(&call.header(), TURNED_AWAY).build(&(text,))
    });
    if let Ok(error) = error {
        // Who has gone is not told.
        drop(connection.send(&error).await);
    }
}

/// The socket, with its limits.
#[derive(Debug)]
pub(super) struct Guarded {
    stream: Stream,
    guard: Guard,
}

impl Socket for Guarded {
    type ReadHalf = Reading;
    type WriteHalf = Writing;

    fn split(self) -> Split<Reading, Writing> {
        let writing = Writing { stream: self.stream.clone(), guard: self.guard.clone() };
        Split::new(
            Reading { stream: self.stream, guard: self.guard, early: Vec::new(), part: Part::default() },
            writing,
        )
    }
}

/// What is read.
#[derive(Debug)]
pub(super) struct Reading {
    stream: Stream,
    guard: Guard,
    /// What the handshake read too much of.
    early: Vec<u8>,
    part: Part,
}

/// A message of which a part has been read.
#[derive(Debug, Default)]
struct Part {
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
    start: Option<Start>,
    heard: Option<(Heard, Verdict)>,
    /// So many bytes are read and thrown away.
    past: usize,
}

/// What becomes of a message that has been read.
enum Came {
    Whole(Whole),
    Waits(Whole),
}

impl Part {
    /// How many bytes are to be read next.
    fn wanted(&self) -> usize {
        let whole = match self.start {
            _ if self.past > 0 => return self.past,
            None => START,
            Some(start) if self.heard.is_none() => start.header(),
            Some(start) => start.len(),
        };
        whole - self.bytes.len()
    }

    /// Moves on as far as what has been read goes.
    fn go_on(&mut self, judge: impl FnOnce(&Heard) -> Verdict) -> io::Result<Option<Came>> {
        let Some(start) = self.start else {
            let Some(first) = self.bytes.first_chunk() else { return Ok(None) };
            let start = Start::parse(*first).ok_or(io::ErrorKind::InvalidData)?;
            self.start = Some(start);
            if start.fields() > MOST_FIELDS {
                self.go_past(start);
            }
            return Ok(None);
        };
        if self.bytes.len() < start.header() {
            return Ok(None);
        }
        if self.heard.is_none() {
            match Heard::parse(&start, &self.bytes).map(|heard| (judge(&heard), heard)) {
                Some((verdict @ (Verdict::Admit | Verdict::Wait { .. }), heard)) => {
                    self.heard = Some((heard, verdict));
                }
                Some((Verdict::TurnAway | Verdict::Drop, _)) | None => {
                    self.go_past(start);
                    return Ok(None);
                }
            }
        }
        if self.bytes.len() < start.len() {
            return Ok(None);
        }
        let part = std::mem::take(self);
        let Some((heard, verdict)) = part.heard else { return Ok(None) };
        let mut whole = Whole { heard, bytes: part.bytes, fds: part.fds };
        if start.is_call() {
            // Every call is answered, also one that wants no answer: the answer gives its place back.
            whole.bytes[2] &= !NO_REPLY_EXPECTED;
            // No method takes a file descriptor.
            whole.fds.clear();
        }
        Ok(Some(if verdict == Verdict::Admit { Came::Whole(whole) } else { Came::Waits(whole) }))
    }

    /// Reads no more of this message.
    fn go_past(&mut self, start: Start) {
        let past = start.len() - self.bytes.len();
        *self = Self { past, ..Self::default() };
    }
}

impl Reading {
    /// Reads once. What has been read is kept, so that this can be given up at any time.
    async fn read(&mut self) -> io::Result<()> {
        const PIECE: usize = 16 * 1024;
        let wanted = self.part.wanted().min(PIECE);
        if wanted == 0 {
            return Ok(());
        }
        let mut piece = vec![0; wanted];
        let (got, fds) = if self.early.is_empty() {
            self.stream.receive(&mut piece).await?
        } else {
            let got = wanted.min(self.early.len());
            piece[..got].copy_from_slice(&self.early[..got]);
            self.early.drain(..got);
            (got, Vec::new())
        };
        if self.part.past > 0 {
            self.part.past -= got;
        } else {
            self.part.bytes.extend_from_slice(&piece[..got]);
            self.part.fds.extend(fds);
        }
        Ok(())
    }

    /// The next message that is let in.
    async fn next(&mut self) -> io::Result<Whole> {
        loop {
            let ring = self.guard.0.admitted.listen();
            if let Some(whole) = self.guard.inside().admitted.pop_front() {
                return Ok(whole);
            }
            let mut outcome = Ok(());
            or(ring, async { outcome = self.read().await }).await;
            outcome?;
            let guard = &self.guard;
            match self.part.go_on(|heard| guard.judge(heard))? {
                Some(Came::Whole(whole)) => return Ok(whole),
                Some(Came::Waits(whole)) => {
                    if let Some(whole) = guard.waits(whole) {
                        return Ok(whole);
                    }
                }
                None => {}
            }
        }
    }
}

/// Makes a message of bytes that are all there.
#[derive(Debug)]
struct AllThere;

#[async_trait]
impl ReadHalf for AllThere {
    async fn recvmsg(&mut self, _: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

#[async_trait]
impl ReadHalf for Reading {
    async fn receive_message(
        &mut self,
        seq: u64,
        bytes: &mut Vec<u8>,
        _: &mut Vec<OwnedFd>,
    ) -> zbus::Result<Message> {
        self.early.append(bytes);
        let mut whole = self.next().await?;
        AllThere.receive_message(seq, &mut whole.bytes, &mut whole.fds).await
    }

    async fn recvmsg(&mut self, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        self.stream.receive(bytes).await
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

/// What is written.
#[derive(Debug)]
pub(super) struct Writing {
    stream: Stream,
    guard: Guard,
}

#[async_trait]
impl WriteHalf for Writing {
    async fn send_message(&mut self, message: &Message) -> zbus::Result<()> {
        let header = message.header();
        let serial = header.primary().serial_num();
        if header.message_type() == Type::MethodCall {
            self.guard.inside().admission.asked(serial);
        }
        WriteHalf::send_message(&mut self.stream, message).await?;
        if let (Type::MethodReturn | Type::Error, Some(to), Some(whom)) =
            (header.message_type(), header.reply_serial(), header.destination())
            // It had no place.
            && header.error_name().is_none_or(|name| name.as_str() != TURNED_AWAY)
        {
            self.guard.inside().admission.answered(whom.as_str(), to.get());
        }
        Ok(())
    }

    async fn sendmsg(&mut self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        WriteHalf::sendmsg(&mut self.stream, bytes, fds).await
    }

    async fn close(&mut self) -> io::Result<()> {
        WriteHalf::close(&mut self.stream).await
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
