//! A question of the module's, parsed.

use std::net::IpAddr;

use jit_core::model::{Known, Login, LoginKey, Question};
use jit_core::services::Services;
use jit_core::sign::login_key::login_keys;
use jit_proto::gate::{self, FLAG_CLAIM, MAX_AUTH_INFO, MAX_TEXT, NONCE_LEN, Stage};
use jit_proto::words::{ServiceName, Uid, UserName, subject_is_caller};

use super::Error;
use crate::peer::Peer;
use crate::session_of::Keys;

/// A question whose words have been parsed.
pub(super) struct Asked {
    pub(super) nonce: Vec<u8>,
    pub(super) stage: Stage,
    pub(super) service: ServiceName,
    pub(super) user: UserName,
    pub(super) subject: UserName,
    rhost: String,
    tty: String,
    /// Which keys opened ssh.
    pub(super) keys: Vec<LoginKey>,
    /// Those of the login around su or sudo, which count for its own account alone.
    pub(super) around: Keys,
    caller_uid: Uid,
    holds_claim: bool,
}

impl Asked {
    pub(super) fn parse(raw: gate::Question) -> Result<Self, Error> {
        let bad = |what: &str| Error::Invalid(format!("the question's {what}"));
        if raw.nonce.len() != NONCE_LEN {
            return Err(bad("nonce does not have 16 bytes"));
        }
        if raw.flags & !FLAG_CLAIM != 0 {
            return Err(bad("flags are not known; the module is newer than jitd"));
        }
        for (what, text) in [("rhost", &raw.rhost), ("tty", &raw.tty)] {
            if text.len() > MAX_TEXT {
                return Err(bad(&format!("{what} is too long")));
            }
        }
        let word = |err: jit_proto::words::BadWord| Error::Invalid(err.to_string());
        let stage = raw.stage.parse().map_err(word)?;
        let service: ServiceName = raw.service.parse().map_err(word)?;
        let user: UserName = raw.user.parse().map_err(word)?;
        let subject =
            if subject_is_caller(&service) { raw.ruser.parse().map_err(word)? } else { user.clone() };
        Ok(Self {
            nonce: raw.nonce,
            stage,
            service,
            user,
            subject,
            rhost: raw.rhost,
            tty: raw.tty,
            keys: Vec::new(),
            around: Keys::default(),
            caller_uid: Uid::try_from(raw.caller_uid).map_err(word)?,
            holds_claim: raw.flags & FLAG_CLAIM != 0,
        })
    }

    /// The same, of a login over ssh, with what sshd says of how it was let in. It says so before the session stage; what
    /// stands there at another, or at a service that is not sshd's, is not its word on this login.
    pub(super) fn parse_login(raw: gate::Question, auth_info: &str) -> Result<Self, Error> {
        if auth_info.len() > MAX_AUTH_INFO {
            return Err(Error::Invalid("what sshd says of a login is too long".into()));
        }
        let asked = Self::parse(raw)?;
        let keys = if asked.stage == Stage::Session && asked.is_login() && asked.service.is_of_sshd() {
            login_keys(auth_info)
        } else {
            Vec::new()
        };
        Ok(Self { keys, ..asked })
    }

    /// A program that policy lets ask about others, by its account, asks what only a check needs: it opens no session and
    /// holds no use for one. Where it says to be asked from enters the record as its word, and counts for nothing.
    pub(super) fn must_be_a_check_by(&self, asker: &UserName, peer: Peer) -> Result<(), Error> {
        let not = |why: String| Err(Error::NotPermitted(why));
        if self.stage != Stage::Account {
            return not("only root opens and closes sessions".into());
        }
        if self.holds_claim {
            return not(format!(
                "only root holds a use for a session; take `session` from the account line of pam_jit.so in \
                 /etc/pam.d/{}",
                self.service
            ));
        }
        if self.caller_uid != peer.uid || peer.user() != Some(peer.uid) {
            return not(format!(
                "{asker} asks about others as itself alone: this program is {asker} by a setuid file, and somebody else \
                 started it"
            ));
        }
        if !peer.has_our_uids() {
            return not(format!(
                "{asker} asks about others on this host alone: this program is in a user namespace, or has gone"
            ));
        }
        Ok(())
    }

    /// An unprivileged program, such as a screen locker, may ask about its own user, and only whether to go on. Where
    /// it says to be asked from is its own word and does not enter the record.
    pub(super) fn must_be_about(&mut self, uid: Uid, own: &Known, asks_at: &[Services]) -> Result<(), Error> {
        let about_own = own.subject().is_some_and(|own| own.is_called(&self.subject));
        if !about_own || self.caller_uid != uid {
            return Err(Error::NotPermitted(match asks_at {
                [] => "only root may ask about somebody else".into(),
                asks_at => {
                    let services: Vec<String> = asks_at.iter().flatten().map(ToString::to_string).collect();
                    format!(
                        "this account may ask about others for {} only ([[asker]] in the policy), not for {}",
                        services.join(", "),
                        self.service
                    )
                }
            }));
        }
        if self.stage != Stage::Account {
            return Err(Error::NotPermitted("only root opens and closes sessions".into()));
        }
        self.rhost.clear();
        self.tty.clear();
        self.keys.clear();
        Ok(())
    }

    /// Whether a login asks: a program that root runs for somebody who comes in, and neither su nor sudo.
    pub(super) fn is_login(&self) -> bool {
        self.caller_uid.is_root() && !subject_is_caller(&self.service)
    }

    /// The address that a login says to come from. PAM_RHOST is only ever read as an address, never looked up as a
    /// name, and only root's word for it counts.
    pub(super) fn address(&self) -> Option<IpAddr> {
        if self.is_login() { self.rhost.parse().ok() } else { None }
    }

    pub(super) fn question(&self, subject: &Known, from: Option<IpAddr>) -> Question {
        let known = subject.subject();
        let is_around = known.is_some_and(|known| self.around.of == Some(known.uid));
        let keys = if is_around { &self.around.keys } else { &self.keys }.clone();
        let login = Login {
            service: self.service.clone(),
            // However it was typed, an account has one name.
            user: known.map_or_else(|| self.subject.clone(), |known| known.name.clone()),
            uid: known.map(|known| known.uid),
            target: (self.user != self.subject).then(|| self.user.clone()),
            rhost: self.rhost.clone(),
            tty: self.tty.clone(),
            keys,
            person: None,
        };
        Question {
            stage: self.stage,
            login,
            subject: subject.clone(),
            caller_uid: self.caller_uid,
            holds_claim: self.holds_claim,
            from,
            opener: None,
            asking: None,
            asker: None,
            awaits_key: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::policy::Subject;

    fn asked(service: &str, rhost: &str) -> Asked {
        let question = gate::Question {
            nonce: vec![0; NONCE_LEN],
            stage: "account".into(),
            service: service.into(),
            user: "maria".into(),
            ruser: "maria".into(),
            rhost: rhost.into(),
            tty: String::new(),
            flags: 0,
            caller_uid: 0,
        };
        Asked::parse(question).unwrap()
    }

    #[test]
    fn only_what_roots_login_says_as_its_session_opens_tells_its_keys() {
        let key =
            "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\n";
        let keys = |service: &str, stage: &str, caller_uid: u32| {
            let ruser = if service == "sudo" { "maria" } else { "" };
            let raw = gate::Question {
                nonce: vec![0; NONCE_LEN],
                stage: stage.into(),
                service: service.into(),
                user: "maria".into(),
                ruser: ruser.into(),
                rhost: String::new(),
                tty: String::new(),
                caller_uid,
                flags: 0,
            };
            Asked::parse_login(raw, key).unwrap().keys.len()
        };
        assert_eq!(keys("sshd", "session", 0), 1);
        assert_eq!(keys("sshd", "account", 0), 0, "sshd has not noted the last method by then");
        assert_eq!(keys("sshd", "close", 0), 0, "pam_env may have read a file of hers by then");
        assert_eq!(keys("sshd", "session", 1001), 0);
        assert_eq!(keys("sshd-vendor", "session", 0), 1, "one of several sshds");
        // sshd sets it anew; at another login service it is what somebody put there.
        for service in ["sudo", "login", "cockpit", "sshdx"] {
            assert_eq!(keys(service, "session", 0), 0, "{service}");
        }
    }

    #[test]
    fn an_address_is_only_what_reads_as_one_and_never_that_of_su_or_sudo() {
        assert_eq!(asked("sshd", "10.1.2.3").address(), Some("10.1.2.3".parse().unwrap()));
        for rhost in ["", "db-1.example", "10.1.2.3 ", "010.1.2.3", "10.1.2.3/32"] {
            assert_eq!(asked("sshd", rhost).address(), None, "{rhost:?}");
        }
        for service in ["su", "su-l", "sudo", "sudo-i"] {
            assert_eq!(asked(service, "10.1.2.3").address(), None, "{service}");
        }
    }

    #[test]
    fn who_asks_about_himself_cannot_say_where_from() {
        let uid = Uid::try_from(1001).unwrap();
        let own = Known::Fully(Subject::named("maria".parse().unwrap(), uid));
        let mut asked = asked("sshd", "10.1.2.3");
        asked.caller_uid = uid;
        assert_eq!(asked.address(), None, "a program of the caller's says it");
        asked.must_be_about(uid, &own, &[]).unwrap();
        assert_eq!((asked.address(), asked.rhost.as_str()), (None, ""));
    }
}
