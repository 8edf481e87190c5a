//! A host and a jitd that follow a script.

#![allow(clippy::unnecessary_wraps, reason = "the doubles of jitd are of one type")]

use std::collections::{HashMap, VecDeque};

use jit_proto::gate::NONCE_LEN;
use jit_proto::login_request::{self, Asker};
use jit_proto::words::{RequestId, UserName};
use nix::errno::Errno;
use pam::constants::PamResultCode;

use super::*;
use crate::error::Unusable;
use crate::outside::{self, Item, Order, System, Transaction};

/// What jitd does when it is asked.
pub(crate) type Jitd = fn(&Question) -> Result<Answer, Error>;

/// What jitd says to somebody who asks for a role.
pub(crate) type Said = Box<dyn Fn(&Asker) -> Result<login_request::Answer, Error>>;

/// A host that follows a script and writes down, in order, everything a hook does.
pub(crate) struct Script {
    pub(crate) items: HashMap<Item, Vec<u8>>,
    /// PAM's own environment.
    pub(crate) variables: HashMap<&'static CStr, Vec<u8>>,
    pub(crate) real_uid: u32,
    pub(crate) accounts: Vec<(&'static str, u32)>,
    pub(crate) nonce: Result<[u8; NONCE_LEN], Error>,
    jitd: Jitd,
    /// What jitd says to each question of an auth line, in order,
    pub(crate) says: VecDeque<Said>,
    /// what it says beside, of what was typed, and how many lines it keeps,
    pub(crate) told: VecDeque<(Vec<String>, u32)>,
    /// the roles that it offers,
    pub(crate) roles: Vec<login_request::Role>,
    /// and what the person types; nothing more is a conversation that fails.
    pub(crate) typed: VecDeque<Vec<u8>>,
    pub(crate) did: Vec<String>,
    pub(crate) looked_up: std::cell::RefCell<Vec<String>>,
}

impl Script {
    /// maria logs in over ssh.
    pub(crate) fn sshd(jitd: Jitd) -> Self {
        let mut script = Self {
            items: HashMap::new(),
            variables: HashMap::new(),
            real_uid: 0,
            accounts: vec![("root", 0), ("toor", 0), ("maria", 1000), ("erik", 1001)],
            nonce: Ok([7; NONCE_LEN]),
            jitd,
            says: VecDeque::new(),
            told: VecDeque::new(),
            roles: Vec::new(),
            typed: VecDeque::new(),
            did: Vec::new(),
            looked_up: std::cell::RefCell::default(),
        };
        script.set(Item::Service, "sshd");
        script.set(Item::User, "maria");
        script.set(Item::RHost, "10.1.2.3");
        script.set(Item::Tty, "ssh");
        script
    }

    /// maria, at her shell, runs su or sudo to become root.
    pub(crate) fn caller(service: &str, jitd: Jitd) -> Self {
        let mut script = Self::sshd(jitd);
        script.items.clear();
        script.real_uid = 1000;
        script.set(Item::Service, service);
        script.set(Item::User, "root");
        script.set(Item::RUser, "maria");
        script
    }

    pub(crate) fn set(&mut self, item: Item, text: impl AsRef<[u8]>) {
        self.items.insert(item, text.as_ref().to_vec());
    }

    pub(crate) fn account(&mut self, args: &[&CStr]) -> PamResultCode {
        account(self, args, 0)
    }

    pub(crate) fn open(&mut self, args: &[&CStr]) -> PamResultCode {
        open_session(self, args, 0)
    }

    /// One answer to a question of an auth line.
    fn asks(
        &mut self,
        what: String,
        sockets: &Sockets<'_>,
        asker: &Asker,
        limit: Duration,
    ) -> Result<login_request::Answer, Error> {
        let Asker { nonce, service, user, ruser, caller_uid, rhost, tty } = asker;
        assert_eq!(nonce, &[7; NONCE_LEN]);
        assert!(sockets.bus.is_some() && limit == Duration::from_secs(3));
        self.did.push(format!(
            "{what} by {service} user={user} ruser={ruser} rhost={rhost} tty={tty} uid={caller_uid}"
        ));
        self.says.pop_front().unwrap()(asker)
    }

    pub(crate) fn did(&self, what: &str) -> bool {
        self.did.iter().any(|did| did.starts_with(what))
    }
}

impl Transaction for Script {
    fn item(&self, item: Item) -> Result<Option<Vec<u8>>, Unusable> {
        Ok(self.items.get(&item).cloned())
    }

    fn variable(&self, name: &CStr) -> Option<Vec<u8>> {
        self.variables.get(name).cloned()
    }

    fn prompt(&mut self, text: &str) -> Option<Vec<u8>> {
        self.did.push(format!("prompt {text}"));
        self.typed.pop_front()
    }

    fn say(&mut self, line: &str) {
        self.did.push(format!("say {line}"));
    }

    fn log(&mut self, level: Level, line: &str) {
        self.did.push(format!("log {level:?} {line}"));
    }

    fn limit_session(&mut self, seconds: u64) {
        self.did.push(format!("limit {seconds}"));
    }
}

impl System for Script {
    fn real_uid(&self) -> u32 {
        self.real_uid
    }

    fn uid_of(&self, name: &UserName) -> Option<u32> {
        self.looked_up.borrow_mut().push(name.to_string());
        self.accounts.iter().find(|(known, _)| *known == name.as_str()).map(|(_, uid)| *uid)
    }

    fn nonce(&self) -> Result<[u8; NONCE_LEN], Error> {
        self.nonce.clone()
    }

    fn note_recovery(&mut self, service: &str, account: &UserName) {
        self.did.push(format!("note {service} {account}"));
    }
}

impl outside::Jitd for Script {
    fn ask(
        &mut self,
        sockets: &Sockets<'_>,
        question: &Question,
        auth_info: Option<&str>,
        limit: Duration,
    ) -> Result<Answer, Error> {
        let Question { stage, service, user, ruser, rhost, tty, caller_uid, flags, nonce } = question;
        assert_eq!(nonce, &[7; NONCE_LEN]);
        let bus = if sockets.bus.is_some() { "both" } else { "private" };
        self.did.push(format!(
            "ask {stage} {service} user={user} ruser={ruser} rhost={rhost} tty={tty} uid={caller_uid} \
             flags={flags} {bus} {limit:?}"
        ));
        if let Some(auth_info) = auth_info {
            self.did.push(format!("with {auth_info:?}"));
        }
        (self.jitd)(question)
    }

    fn options(
        &mut self,
        sockets: &Sockets<'_>,
        asker: &Asker,
        limit: Duration,
    ) -> Result<(login_request::Answer, Vec<login_request::Role>), Error> {
        Ok((self.asks("options".into(), sockets, asker, limit)?, self.roles.clone()))
    }

    fn file(
        &mut self,
        sockets: &Sockets<'_>,
        asker: &Asker,
        order: &Order<'_>,
        limit: Duration,
    ) -> Result<login_request::Answer, Error> {
        let Order { role, time, reason } = order;
        self.asks(format!("file {role} {time:?} {reason}"), sockets, asker, limit)
    }

    fn progress(
        &mut self,
        sockets: &Sockets<'_>,
        asker: &Asker,
        id: RequestId,
        limit: Duration,
    ) -> Result<login_request::Answer, Error> {
        self.asks(format!("progress {id}"), sockets, asker, limit)
    }

    fn enter(
        &mut self,
        sockets: &Sockets<'_>,
        asker: &Asker,
        id: RequestId,
        typed: &[String],
        limit: Duration,
    ) -> Result<(login_request::Answer, Vec<String>, u32), Error> {
        let answer = self.asks(format!("enter {id} {typed:?}"), sockets, asker, limit)?;
        let (told, kept) = self.told.pop_front().unwrap_or_default();
        Ok((answer, told, kept))
    }
}

pub(crate) fn answer(question: &Question, verdict: &str) -> Answer {
    Answer {
        nonce: question.nonce.clone(),
        service: question.service.clone(),
        user: question.user.clone(),
        verdict: verdict.to_owned(),
        reason: String::new(),
        text: String::new(),
        grant: String::new(),
        remaining: 0,
    }
}

pub(crate) fn allow(question: &Question) -> Result<Answer, Error> {
    Ok(Answer { grant: "g-4k7m2qx9".into(), remaining: 3600, ..answer(question, "allow") })
}

pub(crate) fn deny(question: &Question) -> Result<Answer, Error> {
    let text = "No window is open for you here. Ask for one: jitctl request db-oncall";
    Ok(Answer { reason: "no-window".into(), text: text.into(), ..answer(question, "deny") })
}

pub(crate) fn exempt(question: &Question) -> Result<Answer, Error> {
    Ok(Answer { reason: "exempt".into(), ..answer(question, "unmanaged") })
}

pub(crate) fn unknown(question: &Question) -> Result<Answer, Error> {
    Ok(Answer { reason: "unknown-user".into(), text: "?".into(), ..answer(question, "deny") })
}

pub(crate) fn absent(_: &Question) -> Result<Answer, Error> {
    Err(Error::Absent { private: Errno::ENOENT, bus: Some(Errno::ECONNREFUSED) })
}

pub(crate) fn not_started(_: &Question) -> Result<Answer, Error> {
    Err(Error::NotStarted { name: "org.freedesktop.DBus.Error.ServiceUnknown".into(), text: String::new() })
}

pub(crate) fn cannot_decide(_: &Question) -> Result<Answer, Error> {
    Err(Error::CannotDecide("the disk is full".into()))
}

pub(crate) fn deadline(_: &Question) -> Result<Answer, Error> {
    Err(Error::Deadline { limit: Duration::from_secs(3), doing: "Check".into() })
}

pub(crate) fn no_descriptors(_: &Question) -> Result<Answer, Error> {
    Err(Error::System { doing: "connect".into(), errno: Errno::EMFILE })
}

pub(crate) fn closed(_: &Question) -> Result<Answer, Error> {
    Err(Error::Closed("/run/jitd/private".into()))
}

pub(crate) fn refused(_: &Question) -> Result<Answer, Error> {
    Err(Error::Refused { doing: "Check".into(), name: "a.b.NotPermitted".into(), text: String::new() })
}

pub(crate) fn unbelievable(_: &Question) -> Result<Answer, Error> {
    Err(Error::Unbelievable("somebody else answered".into()))
}

pub(crate) fn never(_: &Question) -> Result<Answer, Error> {
    panic!("jitd was asked")
}
