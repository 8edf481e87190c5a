//! As much of the D-Bus wire format as one question needs: the SASL lines, method calls and replies. No I/O.
//!
//! zbus supplies the types and their wire format. Its `Connection` stays out of the module: it would bring an async
//! runtime into sshd and su, whose leavings could only be measured and not ruled out, and it makes room for whatever
//! a peer announces, up to 128 MiB. What remains of the protocol is small (D-Bus specification, "Message Protocol"
//! and "Authentication Protocol").

use zbus::wire::serialized::{Context, Data};
use zbus::wire::{DynamicDeserialize, Endian};
use zbus::{Signature, Variant};

/// The bytes that every message starts with: the fixed header and the length of its fields.
pub(crate) const START: usize = 16;

/// The most bytes of a reply that is read. The longest that jitd sends has six texts of 1 KiB.
pub(crate) const REPLY_LIMIT: usize = 16 * 1024;

/// The most bytes that a message may have on any bus.
const MESSAGE_LIMIT: usize = 128 * 1024 * 1024;

/// How our own arguments are marshalled.
pub(crate) fn ours() -> Context {
    Context::new(Endian::Little, 0)
}

/// What a client says first: that it is `uid`, which the server can ask the kernel about, and that messages follow.
/// The server answers a line; see [`is_auth_ok`].
pub(crate) fn auth_external(uid: u32) -> Vec<u8> {
    let mut text = b"\0AUTH EXTERNAL ".to_vec();
    // In hexadecimal, an ASCII digit is a 3 and that digit.
    text.extend(uid.to_string().bytes().flat_map(|digit| [b'3', digit]));
    text.extend(b"\r\nBEGIN\r\n");
    text
}

/// Whether this answer lets us in.
pub(crate) fn is_auth_ok(line: &[u8]) -> bool {
    line.starts_with(b"OK ") && line.ends_with(b"\r\n")
}

// Message types and header fields.
const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SENDER: u8 = 7;
const SIGNATURE: u8 = 8;

/// A method call.
pub(crate) struct Call<'a> {
    /// The bus name that is called; none where no bus is between.
    pub(crate) destination: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) method: &'a str,
    /// The types of the arguments, one after the other.
    pub(crate) signature: &'a str,
    /// The arguments, marshalled as [`ours`].
    pub(crate) body: &'a [u8],
}

impl Call<'_> {
    /// The message. `serial` is not 0, and is what the reply quotes.
    pub(crate) fn to_bytes(&self, serial: u32) -> Vec<u8> {
        let mut fields = Vec::new();
        put_field(&mut fields, PATH, b'o', self.path);
        put_field(&mut fields, INTERFACE, b's', self.interface);
        put_field(&mut fields, MEMBER, b's', self.method);
        if let Some(destination) = self.destination {
            put_field(&mut fields, DESTINATION, b's', destination);
        }
        if !self.signature.is_empty() {
            pad(&mut fields);
            fields.extend([SIGNATURE, 1, b'g', 0, self.signature.len().to_le_bytes()[0]]);
            fields.extend(self.signature.as_bytes());
            fields.push(0);
        }

        let mut message = vec![b'l', METHOD_CALL, 0, 1];
        message.extend(length(self.body));
        message.extend(serial.to_le_bytes());
        message.extend(length(&fields));
        message.extend(fields);
        pad(&mut message);
        message.extend(self.body);
        message
    }
}

/// Appends a header field that holds a text: a byte and a variant. The fields start at a multiple of 8.
fn put_field(fields: &mut Vec<u8>, code: u8, kind: u8, text: &str) {
    pad(fields);
    fields.extend([code, 1, kind, 0]);
    fields.extend(length(text.as_bytes()));
    fields.extend(text.as_bytes());
    fields.push(0);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

/// The length of something of our own, which is some KiB at most.
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// The first [`START`] bytes of a message: enough to know what it is and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    endian: Endian,
    kind: u8,
    fields: usize,
    body: usize,
}

impl Start {
    /// None if these are not the bytes that a message starts with.
    pub(crate) fn parse(bytes: [u8; START]) -> Option<Self> {
        let [endian, kind, _flags, 1, b0, b1, b2, b3, _, _, _, _, f0, f1, f2, f3] = bytes else {
            return None;
        };
        let (endian, number): (_, fn([u8; 4]) -> u32) = match endian {
            b'l' => (Endian::Little, u32::from_le_bytes),
            b'B' => (Endian::Big, u32::from_be_bytes),
            _ => return None,
        };
        let body = usize::try_from(number([b0, b1, b2, b3])).ok()?;
        let fields = usize::try_from(number([f0, f1, f2, f3])).ok()?;
        let start = Self { endian, kind, fields, body };
        (fields <= MESSAGE_LIMIT && body <= MESSAGE_LIMIT && start.len() <= MESSAGE_LIMIT).then_some(start)
    }

    /// The bytes of the whole message.
    pub(crate) fn len(&self) -> usize {
        self.body_at() + self.body
    }

    /// Whether this is a reply, or an error reply.
    pub(crate) fn is_reply(&self) -> bool {
        matches!(self.kind, METHOD_RETURN | ERROR)
    }

    fn body_at(&self) -> usize {
        (START + self.fields).next_multiple_of(8)
    }
}

/// A reply to a method call.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The serial of the call.
    pub(crate) to: u32,
    /// The unique name that the bus vouches for.
    pub(crate) sender: Option<String>,
    /// The name of the error, if it is one.
    pub(crate) error: Option<String>,
    signature: Signature,
    body: Data<'static, 'static>,
}

impl Reply {
    /// Reads a whole message that [`Start::is_reply`].
    pub(crate) fn parse(start: &Start, message: &[u8]) -> zbus::Result<Self> {
        let out = zbus::Error::OutOfBounds;
        // The fields' own length is the last number of the start.
        let fields = message.get(START - 4..START + start.fields).ok_or(out.clone())?;
        let body = message.get(start.body_at()..start.len()).ok_or(out)?;
        let fields = Data::new(fields, Context::new(start.endian, START - 4));
        let (fields, _) = fields.deserialize::<Vec<(u8, Variant<'_>)>>()?;

        let (mut to, mut sender, mut error, mut signature) = (None, None, None, Signature::Unit);
        for (code, value) in fields {
            match (code, value) {
                (REPLY_SERIAL, Variant::U32(serial)) => to = Some(serial),
                (SENDER, Variant::Str(name)) => sender = Some(name.as_str().to_owned()),
                (ERROR_NAME, Variant::Str(name)) => error = Some(name.as_str().to_owned()),
                (SIGNATURE, Variant::Signature(types)) => signature = types,
                _ => {}
            }
        }
        // An error has a name and nothing else does: neither may pass for the other.
        if error.is_some() != (start.kind == ERROR) {
            return Err(zbus::Error::InvalidField);
        }
        let body = Data::new(body.to_vec(), Context::new(start.endian, 0));
        Ok(Self { to: to.ok_or(zbus::Error::InvalidField)?, sender, error, signature, body })
    }

    /// The arguments, if they are of this type and nothing follows them.
    pub(crate) fn read<'m, T: DynamicDeserialize<'m>>(&'m self) -> zbus::Result<T> {
        let (value, used) = self.body.deserialize_for_dynamic_signature(&self.signature)?;
        if used == self.body.len() { Ok(value) } else { Err(zbus::Error::ExcessData) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use jit_proto::gate::{Answer, Question};
    use zbus::wire::to_bytes;

    /// A message with these fields and body.
    pub(crate) fn message(endian: Endian, kind: u8, fields: &[(u8, Variant<'_>)], body: &[u8]) -> Vec<u8> {
        let number = |n: usize| {
            let n = u32::try_from(n).unwrap();
            if endian == Endian::Little { n.to_le_bytes() } else { n.to_be_bytes() }
        };
        let fields = to_bytes(Context::new(endian, START - 4), &fields).unwrap();
        let mut message = vec![if endian == Endian::Little { b'l' } else { b'B' }, kind, 0, 1];
        message.extend(number(body.len()));
        message.extend(number(1));
        message.extend(&fields[..]);
        pad(&mut message);
        message.extend(body);
        message
    }

    fn parse(message: &[u8]) -> zbus::Result<Reply> {
        let start = message.first_chunk().and_then(|first| Start::parse(*first));
        let start = start.filter(Start::is_reply).ok_or(zbus::Error::InvalidField)?;
        Reply::parse(&start, message)
    }

    fn answer() -> Answer {
        Answer {
            nonce: vec![7; 16],
            service: "sshd".into(),
            user: "maria".into(),
            verdict: "allow".into(),
            reason: "window".into(),
            text: "über".into(),
            grant: "g-4k7m2qx9".into(),
            remaining: 3600,
        }
    }

    #[test]
    fn a_call_is_laid_out_as_the_specification_says() {
        let body = to_bytes(ours(), &("a", 1u32)).unwrap();
        let call = Call {
            destination: Some("d.e"),
            path: "/p",
            interface: "i.f",
            method: "M",
            signature: "su",
            body: &body,
        };
        let expected = [
            &b"l\x01\x00\x01\x0c\x00\x00\x00\x02\x00\x00\x00\x48\x00\x00\x00"[..],
            b"\x01\x01o\x00\x02\x00\x00\x00/p\x00\x00\x00\x00\x00\x00",
            b"\x02\x01s\x00\x03\x00\x00\x00i.f\x00\x00\x00\x00\x00",
            b"\x03\x01s\x00\x01\x00\x00\x00M\x00\x00\x00\x00\x00\x00\x00",
            b"\x06\x01s\x00\x03\x00\x00\x00d.e\x00\x00\x00\x00\x00",
            b"\x08\x01g\x00\x02su\x00",
            b"\x01\x00\x00\x00a\x00\x00\x00\x01\x00\x00\x00",
        ];
        assert_eq!(call.to_bytes(2), expected.concat());
    }

    #[test]
    fn a_question_reads_back_as_it_was_sent() {
        let question = Question {
            nonce: (0..16).collect(),
            stage: "account".into(),
            service: "sshd".into(),
            user: "maria".into(),
            ruser: String::new(),
            rhost: "2001:db8::1".into(),
            tty: "ssh".into(),
            caller_uid: 0,
            flags: 1,
        };
        let sent = to_bytes(ours(), &question).unwrap();
        assert_eq!(sent.deserialize::<Question>().unwrap(), (question, sent.len()));
    }

    #[test]
    fn a_reply_is_read_in_either_byte_order_and_with_either_form_of_the_signature() {
        // A struct and its fields one by one are the same bytes, and zbus writes the second for the first.
        for (endian, signature) in [(Endian::Little, "(aysssssst)"), (Endian::Big, "aysssssst")] {
            let body = to_bytes(Context::new(endian, 0), &answer()).unwrap();
            let fields = [
                (REPLY_SERIAL, Variant::U32(4)),
                (SENDER, Variant::from(":1.7")),
                (SIGNATURE, Variant::Signature(signature.try_into().unwrap())),
            ];
            let reply = parse(&message(endian, METHOD_RETURN, &fields, &body)).unwrap();
            assert_eq!((reply.to, reply.sender.as_deref(), reply.error.as_deref()), (4, Some(":1.7"), None));
            assert_eq!(reply.read::<Answer>().unwrap(), answer());
            assert!(reply.read::<String>().is_err());
        }
    }

    #[test]
    fn an_error_and_a_return_cannot_pass_for_each_other() {
        let named = [(REPLY_SERIAL, Variant::U32(4)), (ERROR_NAME, Variant::from("a.b"))];
        assert_eq!(
            parse(&message(Endian::Little, ERROR, &named, &[])).unwrap().error.as_deref(),
            Some("a.b")
        );
        assert!(parse(&message(Endian::Little, METHOD_RETURN, &named, &[])).is_err());
        assert!(parse(&message(Endian::Little, ERROR, &named[..1], &[])).is_err());
    }

    #[test]
    fn what_follows_the_arguments_makes_a_reply_wrong() {
        let mut body = to_bytes(ours(), &7u32).unwrap().to_vec();
        body.push(0);
        let fields = [(REPLY_SERIAL, Variant::U32(4)), (SIGNATURE, Variant::Signature(Signature::U32))];
        let reply = parse(&message(Endian::Little, METHOD_RETURN, &fields, &body)).unwrap();
        assert!(reply.read::<u32>().is_err());
    }

    #[test]
    fn an_announced_length_beyond_the_specification_is_not_a_message() {
        for (body, fields) in [([0xff; 4], [0; 4]), ([0; 4], [0xff; 4]), ([0, 0, 0, 8], [0, 0, 0, 8])] {
            let mut bytes = *b"l\x02\x00\x01....\x01\x00\x00\x00....";
            bytes[4..8].copy_from_slice(&body);
            bytes[12..].copy_from_slice(&fields);
            assert_eq!(Start::parse(bytes), None);
        }
        for bad in [*b"x\x02\x00\x01\0\0\0\0\x01\0\0\0\0\0\0\0", *b"l\x02\x00\x02\0\0\0\0\x01\0\0\0\0\0\0\0"]
        {
            assert_eq!(Start::parse(bad), None);
        }
    }

    #[test]
    fn no_damage_to_a_reply_makes_the_parser_panic() {
        let body = to_bytes(ours(), &answer()).unwrap();
        let fields = [
            (REPLY_SERIAL, Variant::U32(4)),
            (SENDER, Variant::from(":1.7")),
            (SIGNATURE, Variant::Signature("(aysssssst)".try_into().unwrap())),
        ];
        let good = message(Endian::Little, METHOD_RETURN, &fields, &body);
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % u64::try_from(below).unwrap()).unwrap()
        };
        for _ in 0..100_000 {
            let mut bad = good.clone();
            for _ in 0..=next(4) {
                let at = next(bad.len());
                bad[at] = u8::try_from(next(256)).unwrap();
            }
            bad.truncate(if next(4) == 0 { next(bad.len()) } else { bad.len() });
            if let Ok(reply) = parse(&bad) {
                drop(reply.read::<Answer>());
            }
        }
    }

    #[test]
    fn only_an_ok_line_ends_the_authentication() {
        assert_eq!(auth_external(1000), b"\0AUTH EXTERNAL 31303030\r\nBEGIN\r\n");
        assert!(is_auth_ok(b"OK 1234deadbeef\r\n"));
        for bad in [&b"REJECTED EXTERNAL\r\n"[..], b"OK\r\n", b"ERROR\r\n", b"DATA\r\n", b"OK 12\n", b""] {
            assert!(!is_auth_ok(bad));
        }
    }
}
