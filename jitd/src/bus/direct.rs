//! A question of the module's, answered without a connection of zbus's: a login waits for it, and to make the server, the
//! tasks and the interfaces of a connection costs more than the question. The module says all at once, greeting and call,
//! and reads nothing before that, so that both can be answered at once.
//!
//! Whatever else comes over the private socket (orders, reviews, who speaks in another way or in pieces) gets a connection,
//! which is handed the bytes that were read here.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use jit_proto::OBJECT_PATH;
use jit_proto::gate::{self, CHECK, CHECK_LOGIN, INTERFACE, MAX_AUTH_INFO};
use zbus::connection::socket::ReadHalf;
use zbus::message::{Flags, Type};
use zbus::{DBusError, Guid, Message};

use super::gate::Gate;
use super::origin::Origin;
use super::wire::Stream;
use crate::app::App;
use crate::peer::Peer;

/// What the module says before its call: that it is root, which the kernel has said of it, and that messages follow.
const GREETING: &[u8] = b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n";

/// A question has five texts of 1 KiB at most, and of a login over ssh there is one more.
const MOST: usize = 8192 + MAX_AUTH_INFO;

/// The name that a D-Bus server gives itself; nobody asks for it.
static NAME: LazyLock<Guid<'static>> = LazyLock::new(Guid::generate);

/// What somebody says first.
pub(super) enum First {
    /// The module asks.
    Question(Box<Asks>),
    /// Anything else: the bytes of it that came.
    Other(Vec<u8>),
}

/// A call of the gate's.
pub(super) struct Asks {
    call: Message,
    question: gate::Question,
    auth_info: Option<String>,
}

/// Reads what somebody says first. What is not the module's question, and whole, is left for a connection.
pub(super) async fn first(stream: &mut Stream) -> io::Result<First> {
    let mut bytes = vec![0; MOST];
    // A descriptor that comes with it is of no use to anybody, and closed.
    let (got, _) = stream.receive(&mut bytes).await?;
    bytes.truncate(got);
    Ok(match question(&bytes).await {
        Some(asks) => First::Question(Box::new(asks)),
        None => First::Other(bytes),
    })
}

async fn question(bytes: &[u8]) -> Option<Asks> {
    let mut message = bytes.strip_prefix(GREETING)?.to_vec();
    let call = Nothing.receive_message(0, &mut message, &mut Vec::new()).await.ok()?;
    let header = call.header();
    let is_ours = message.is_empty()
        && call.message_type() == Type::MethodCall
        && header.path().is_some_and(|path| path.as_str() == OBJECT_PATH)
        && header.interface().is_some_and(|interface| interface.as_str() == INTERFACE)
        && !call.primary_header().flags().contains(Flags::NO_REPLY_EXPECTED);
    if !is_ours {
        return None;
    }
    let member = header.member()?.as_str().to_owned();
    let (question, auth_info) = match member.as_str() {
        CHECK => (call.body().deserialize::<(gate::Question,)>().ok()?.0, None),
        CHECK_LOGIN => {
            let (question, auth_info): (gate::Question, String) = call.body().deserialize().ok()?;
            (question, Some(auth_info))
        }
        _ => return None,
    };
    Some(Asks { call, question, auth_info })
}

impl Asks {
    /// All that there is to say: the greeting's answer and the question's.
    pub(super) async fn answer(self, app: Arc<App>, peer: Peer) -> zbus::Result<Vec<u8>> {
        let gate = Gate { app, origin: Origin::Private(peer) };
        let header = self.call.header();
        let answer = match gate.answer(peer, self.question, self.auth_info.as_deref()).await {
            Ok(reply) => Message::method_return(&header).build(&(reply,))?,
            Err(err) => err.create_reply(&header)?,
        };
        let mut bytes = format!("OK {}\r\n", *NAME).into_bytes();
        bytes.extend_from_slice(answer.data());
        Ok(bytes)
    }
}

/// What comes after the bytes that are there: they are all of it, or no question.
#[derive(Debug)]
struct Nothing;

#[async_trait]
impl ReadHalf for Nothing {
    async fn recvmsg(&mut self, _: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use jit_core::access::LoginUid;
    use jit_proto::gate::{Answer, NONCE_LEN};
    use jit_proto::manager::USER_INTERFACE;
    use jit_proto::words::Uid;
    use zbus::block_on;

    use super::*;
    use crate::testing::Daemon;

    fn asks() -> gate::Question {
        gate::Question {
            nonce: vec![7; NONCE_LEN],
            stage: "account".into(),
            service: "sshd".into(),
            user: "daemon".into(),
            ruser: String::new(),
            rhost: String::new(),
            tty: String::new(),
            caller_uid: 0,
            flags: 0,
        }
    }

    fn call(path: &str, interface: &str, member: &str, flags: Option<Flags>) -> Vec<u8> {
        let call = Message::method_call(path, member).interface(interface);
        let call = flags.into_iter().fold(call, zbus::message::Builder::with_flags);
        [GREETING, call.build(&(asks(),)).unwrap().data()].concat()
    }

    /// What the module says: may daemon log in by ssh?
    pub(in crate::bus) fn question() -> Vec<u8> {
        call(OBJECT_PATH, INTERFACE, CHECK, None)
    }

    fn is_question(bytes: &[u8]) -> bool {
        block_on(super::question(bytes)).is_some()
    }

    #[test]
    fn nothing_but_a_whole_question_of_the_modules_is_answered_without_a_connection() {
        let whole = question();
        assert!(is_question(&whole));
        for length in 0..whole.len() {
            assert!(!is_question(&whole[..length]), "{length} bytes of it");
        }
        assert!(!is_question(&[&whole[..], b"l"].concat()), "and more");
        assert!(!is_question(&[&whole[..], &whole[GREETING.len()..]].concat()), "two of them");
        assert!(!is_question(&whole[1..]));
        assert!(!is_question(&[b"\0AUTH EXTERNAL 31\r\nBEGIN\r\n", &whole[GREETING.len()..]].concat()));
        for (path, interface, member, flags) in [
            ("/", INTERFACE, CHECK, None),
            (OBJECT_PATH, USER_INTERFACE, CHECK, None),
            (OBJECT_PATH, INTERFACE, "Other", None),
            (OBJECT_PATH, INTERFACE, CHECK, Some(Flags::NO_REPLY_EXPECTED)),
        ] {
            assert!(!is_question(&call(path, interface, member, flags)), "{path} {interface} {member}");
        }
        let login = |auth_info: &str| {
            let call = Message::method_call(OBJECT_PATH, CHECK_LOGIN).interface(INTERFACE);
            [GREETING, call.build(&(asks(), auth_info)).unwrap().data()].concat()
        };
        let of_login = login("publickey ssh-ed25519 AAAA\n");
        assert!(is_question(&of_login) && is_question(&login(&"a".repeat(MAX_AUTH_INFO))));
        for length in 0..of_login.len() {
            assert!(!is_question(&of_login[..length]), "{length} bytes of it");
        }
        let other = Message::method_call(OBJECT_PATH, CHECK).interface(INTERFACE).build(&("text",)).unwrap();
        assert!(!is_question(&[GREETING, other.data()].concat()), "of another type");
    }

    #[test]
    fn the_greeting_and_the_question_are_answered_together_and_the_answer_quotes_both() {
        let jitd = Daemon::start();
        block_on(async {
            let bytes = question();
            let asked = super::question(&bytes).await.unwrap();
            let serial = asked.call.primary_header().serial_num();
            let peer = Peer::told(Uid::ROOT, Ok(LoginUid::Set(Uid::ROOT)));
            let mut said = asked.answer(Arc::clone(&jitd.app), peer).await.unwrap();
            let line = said.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            assert!(said.starts_with(b"OK ") && said[..line].ends_with(b"\r\n"));
            let mut reply = said.split_off(line);
            let reply = Nothing.receive_message(0, &mut reply, &mut Vec::new()).await.unwrap();
            assert_eq!(reply.message_type(), Type::MethodReturn);
            assert_eq!(reply.header().reply_serial(), Some(serial));
            let (answer,): (Answer,) = reply.body().deserialize().unwrap();
            assert_eq!((answer.nonce, answer.verdict.as_str()), (asks().nonce, "deny"));
            // Who may not ask is told so in the same way.
            let asked = super::question(&bytes).await.unwrap();
            let other = Peer::told(Uid::try_from(1001).unwrap(), Ok(LoginUid::Unset));
            let mut said = asked.answer(Arc::clone(&jitd.app), other).await.unwrap();
            let mut reply = said.split_off(line);
            let reply = Nothing.receive_message(0, &mut reply, &mut Vec::new()).await.unwrap();
            assert_eq!(reply.message_type(), Type::Error);
        });
    }
}
