//! What of all that comes from the system bus is let in. No I/O.
//!
//! Anybody may send to jitd's bus name: calls of every interface, ours or not, signals, replies to nothing. Each is
//! judged by its header, before its body is read, and a call that is let in holds a place of its sender's uid until its
//! reply has left. Whose uid a sender has is asked of the bus once; until that is known a few calls of the sender wait, in
//! a room that has places for more connections than a bus takes of any one user: nobody knows yet whose they are.

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use jit_proto::words::Uid;
use zbus::Variant;
use zbus::wire::Endian;
use zbus::wire::serialized::{Context, Data};

use crate::share::{ByUid, Shares, Size};

/// The name by which the bus itself speaks.
pub(super) const BUS: &str = "org.freedesktop.DBus";

/// The fixed header of a message, with the length of its fields (D-Bus specification, "Message Format").
pub(super) const START: usize = 16;

/// The most bytes that fields of a header have. Names on a bus have 255 at most.
pub(super) const MOST_FIELDS: usize = 8 * 1024;

/// The most bytes of a call. The longest that jitctl sends names 64 services and two reasons.
const MOST_OF_A_CALL: usize = 32 * 1024;

/// Calls that are being answered.
const IN_FLIGHT: Size = Size { each: 16, all: 1280, of_left: 64 };
const IN_FLIGHT_OF_ROOT: usize = 256;

/// A place whose call was never answered comes back after so many milliseconds.
const LIFE: u64 = 60_000;

/// Senders whose uid is kept. One that is forgotten is asked about again.
const MOST_SENDERS: usize = 16 * 1024;

/// What waits until its sender's uid is known: calls of one sender, and senders. dbus-daemon takes 2,048 connections, 256
/// of them a user's; dbus-broker takes some 4,096 of each user.
const WAIT_EACH: usize = 4;
const WAIT_SENDERS: usize = 16 * 1024;

/// Their bytes: of all, and of one sender as a share of what is left. The longest call of jitctl's, which sends one on a
/// connection, fits into the largest share, and most calls fit into the smallest.
const WAIT_BYTES: usize = 32 * 1024 * 1024;
const WAIT_BYTES_OF_LEFT: usize = 4096;
const WAIT_BYTES_EACH: RangeInclusive<usize> = 1024..=8 * 1024;

/// Calls of our own that wait for a reply. Those that were given up are forgotten, the oldest first.
const MOST_ASKED: usize = 1024;

/// So many a second of those that are turned away are told so: of one user and of all, and of senders that are not known.
const TOLD: Size = Size { each: 32, all: 256, of_left: 8 };
const TOLD_OF_STRANGERS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Call,
    Reply(Option<u32>),
    Signal,
}

/// The first [`START`] bytes of a message: how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    endian: Endian,
    kind: u8,
    serial: u32,
    fields: usize,
    body: usize,
}

impl Start {
    /// None if no message starts like this.
    pub(super) fn parse(bytes: [u8; START]) -> Option<Self> {
        let [endian, kind, _flags, 1, b0, b1, b2, b3, s0, s1, s2, s3, f0, f1, f2, f3] = bytes else {
            return None;
        };
        let (endian, number): (_, fn([u8; 4]) -> u32) = match endian {
            b'l' => (Endian::Little, u32::from_le_bytes),
            b'B' => (Endian::Big, u32::from_be_bytes),
            _ => return None,
        };
        let length = |bytes| usize::try_from(number(bytes)).ok();
        Some(Self {
            endian,
            kind,
            serial: number([s0, s1, s2, s3]),
            fields: length([f0, f1, f2, f3])?,
            body: length([b0, b1, b2, b3])?,
        })
    }

    /// The bytes of the fields.
    pub(super) const fn fields(&self) -> usize {
        self.fields
    }

    /// The bytes before the body.
    pub(super) const fn header(&self) -> usize {
        (START + self.fields).next_multiple_of(8)
    }

    /// The bytes of the whole message.
    pub(super) const fn len(&self) -> usize {
        self.header() + self.body
    }

    pub(super) const fn is_call(&self) -> bool {
        self.kind == 1
    }
}

/// What is known of a message before its body is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    kind: Kind,
    pub(super) serial: u32,
    pub(super) sender: String,
    len: usize,
}

impl Heard {
    /// From the header, fields and all. None if it is not one that a bus sends.
    pub(super) fn parse(start: &Start, header: &[u8]) -> Option<Self> {
        // The fields' own length is the last number of the start.
        let fields = header.get(START - 4..START + start.fields)?;
        let fields = Data::new(fields, Context::new(start.endian, START - 4));
        let (fields, _) = fields.deserialize::<Vec<(u8, Variant<'_>)>>().ok()?;
        let (mut reply_to, mut sender) = (None, None);
        for (code, value) in fields {
            match (code, value) {
                (5, Variant::U32(serial)) => reply_to = Some(serial),
                (7, Variant::Str(name)) => sender = Some(name.as_str().to_owned()),
                _ => {}
            }
        }
        let kind = match start.kind {
            1 => Kind::Call,
            2 | 3 => Kind::Reply(reply_to),
            4 => Kind::Signal,
            _ => return None,
        };
        Some(Self { kind, serial: start.serial, sender: sender?, len: start.len() })
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on to zbus.
    Admit,
    /// It is read and kept until the sender's uid is known. Whether that has to be asked.
    Wait { ask: bool },
    /// Its body is not read, and the sender is told that it asks for too much.
    TurnAway,
    /// Its body is not read.
    Drop,
}

/// Who is known, what waits, and who has how much in flight.
#[derive(Debug)]
pub(super) struct Admission {
    /// Whether there is anything here to call.
    serves: bool,
    uids: HashMap<String, Uid>,
    oldest: VecDeque<String>,
    /// Who is being asked about. It is they who have a place in the room.
    asked_about: HashSet<String>,
    /// How many calls of each wait, and their bytes.
    waiting: HashMap<String, (usize, usize)>,
    /// The bytes of all that waits.
    waiting_bytes: usize,
    in_flight: ByUid,
    /// Whose place each call has, and since when.
    calls: HashMap<(String, u32), (Uid, u64)>,
    swept: u64,
    asked: HashSet<u32>,
    asked_first: VecDeque<u32>,
    told: Told,
}

/// Who has been told in a second.
#[derive(Debug)]
struct Told {
    second: u64,
    users: Shares<Uid>,
    strangers: usize,
}

impl Told {
    fn of(second: u64) -> Self {
        Self { second, users: Shares::new(TOLD), strangers: 0 }
    }
}

impl Admission {
    pub(super) fn new(serves: bool) -> Self {
        Self {
            serves,
            uids: HashMap::new(),
            oldest: VecDeque::new(),
            asked_about: HashSet::new(),
            waiting: HashMap::new(),
            waiting_bytes: 0,
            in_flight: ByUid::new(IN_FLIGHT, IN_FLIGHT_OF_ROOT),
            calls: HashMap::new(),
            swept: 0,
            asked: HashSet::new(),
            asked_first: VecDeque::new(),
            told: Told::of(0),
        }
    }

    /// Judges a message. `now` is the boot clock's, in milliseconds.
    pub(super) fn judge(&mut self, heard: &Heard, now: u64) -> Verdict {
        match heard.kind {
            // zbus takes a reply for the call that it names, whoever sent it.
            Kind::Reply(to) if to.is_some_and(|to| self.asked.remove(&to)) => Verdict::Admit,
            // Among them the answer to Hello, which zbus sends while it greets the bus.
            _ if heard.sender == BUS => Verdict::Admit,
            // jitd listens to nobody's signals but the bus's own.
            Kind::Reply(_) | Kind::Signal => Verdict::Drop,
            Kind::Call if !self.serves => Verdict::Drop,
            // A serial is used again when its call has been answered, and not before.
            Kind::Call if self.calls.contains_key(&(heard.sender.clone(), heard.serial)) => Verdict::Drop,
            Kind::Call if heard.len > MOST_OF_A_CALL => self.turn_away(heard, now),
            Kind::Call => match self.uids.get(&heard.sender) {
                Some(uid) => self.enter(*uid, heard, now),
                None => self.wait(heard, now),
            },
        }
    }

    fn enter(&mut self, uid: Uid, heard: &Heard, now: u64) -> Verdict {
        if !self.in_flight.take(uid) {
            self.sweep(now);
            if !self.in_flight.take(uid) {
                return self.turn_away(heard, now);
            }
        }
        self.calls.insert((heard.sender.clone(), heard.serial), (uid, now));
        Verdict::Admit
    }

    fn wait(&mut self, heard: &Heard, now: u64) -> Verdict {
        let (calls, bytes) = self.waiting.get(&heard.sender).copied().unwrap_or_default();
        let left = WAIT_BYTES - self.waiting_bytes;
        let share = (left / WAIT_BYTES_OF_LEFT).clamp(*WAIT_BYTES_EACH.start(), *WAIT_BYTES_EACH.end());
        let has_place = calls > 0 || self.waiting.len() < WAIT_SENDERS;
        if !has_place || calls >= WAIT_EACH || bytes + heard.len > share || heard.len > left {
            return self.turn_away(heard, now);
        }
        self.waiting_bytes += heard.len;
        self.waiting.insert(heard.sender.clone(), (calls + 1, bytes + heard.len));
        Verdict::Wait { ask: self.asked_about.insert(heard.sender.clone()) }
    }

    /// The bus has said whose a sender is, or could not. What waited is judged again; of a sender that has gone, or of
    /// whom the bus says nothing, nothing is let in (CVE-2021-3560).
    pub(super) fn known(&mut self, sender: &str, uid: Option<Uid>) {
        self.asked_about.remove(sender);
        let Some(uid) = uid else { return };
        if self.uids.insert(sender.to_owned(), uid).is_none() {
            self.oldest.push_back(sender.to_owned());
        }
        if self.oldest.len() > MOST_SENDERS
            && let Some(forgotten) = self.oldest.pop_front()
        {
            self.uids.remove(&forgotten);
        }
    }

    /// Whether the bus is being asked about this sender.
    pub(super) fn is_asked_about(&self, sender: &str) -> bool {
        self.asked_about.contains(sender)
    }

    /// A call that waited no longer does.
    pub(super) fn waits_no_longer(&mut self, heard: &Heard) {
        self.waiting_bytes -= heard.len;
        if let Some((calls, bytes)) = self.waiting.get_mut(&heard.sender) {
            *calls -= 1;
            *bytes -= heard.len;
            if *calls == 0 {
                self.waiting.remove(&heard.sender);
            }
        }
    }

    /// The reply to this call has left.
    pub(super) fn answered(&mut self, sender: &str, serial: u32) {
        if let Some((uid, _)) = self.calls.remove(&(sender.to_owned(), serial)) {
            self.in_flight.give_back(uid);
        }
    }

    /// A call of our own is about to leave.
    pub(super) fn asked(&mut self, serial: NonZeroU32) {
        if self.asked.insert(serial.get()) {
            self.asked_first.push_back(serial.get());
        }
        if self.asked_first.len() > 2 * MOST_ASKED {
            let asked = &self.asked;
            self.asked_first.retain(|serial| asked.contains(serial));
        }
        while self.asked.len() > MOST_ASKED
            && let Some(forgotten) = self.asked_first.pop_front()
        {
            self.asked.remove(&forgotten);
        }
    }

    /// Takes back places whose calls were never answered.
    fn sweep(&mut self, now: u64) {
        if now.saturating_sub(self.swept) < 1000 {
            return;
        }
        self.swept = now;
        let in_flight = &mut self.in_flight;
        self.calls.retain(|_, (uid, since)| {
            let stays = now.saturating_sub(*since) < LIFE;
            if !stays {
                in_flight.give_back(*uid);
            }
            stays
        });
    }

    fn turn_away(&mut self, heard: &Heard, now: u64) -> Verdict {
        let second = now / 1000;
        if self.told.second != second {
            self.told = Told::of(second);
        }
        let is_told = if let Some(uid) = self.uids.get(&heard.sender) {
            self.told.users.take(*uid)
        } else {
            self.told.strangers += 1;
            self.told.strangers <= TOLD_OF_STRANGERS
        };
        if is_told { Verdict::TurnAway } else { Verdict::Drop }
    }
}

/// How many calls of this uid are answered at a time.
#[cfg(test)]
pub(super) fn in_flight_of(uid: Uid) -> usize {
    if uid.is_root() { IN_FLIGHT_OF_ROOT } else { IN_FLIGHT.each }
}

#[cfg(test)]
mod tests;
