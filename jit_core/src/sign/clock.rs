//! `jitd.clock.v1`: an admin elsewhere says what time it is, in answer to a challenge of a host whose clock is suspect.

use std::time::Duration;

use jit_proto::words::{HostName, Reason};

use super::fields::{noted, noted_written, seconds, written};
use super::file::{Nonce, fingerprint, key_fingerprint, word};
use super::kind::{Kind, SignedText};
use super::lines::{BadText, Lines, unmailed};
use crate::proof::note::HostKey;
use crate::time::{BootId, Suspicion, Utc};

/// For how long a challenge can be answered, by the host's own running time.
pub const LONGEST: Duration = Duration::from_hours(24);

/// The first line of a challenge, which nobody signs: an answer to it is signed.
const CHALLENGE: &str = "jitd.clock-challenge.v1";

const CHALLENGE_LABELS: [&str; 4] = ["host", "host-key", "asked", "challenge"];

const LABELS: [&str; 6] = ["host", "host-key", "asked", "challenge", "time", "reason"];

/// One suspicion of one boot: what a challenge is about. Where any of it changes, an older answer counts no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// Which boot it is of.
    pub boot: BootId,
    /// Why the clock is suspect.
    pub why: Suspicion,
    /// What it said when it began to be.
    pub since: Utc,
    /// The latest time that was believed.
    pub mark: Utc,
}

impl Episode {
    /// What nobody but this host can have written, for a challenge of this moment of the boot.
    #[must_use]
    pub fn nonce(&self, key: &HostKey, asked: u64) -> Nonce {
        let Self { boot, why, since, mark } = self;
        let boot = boot.kernel();
        Nonce::signed(key, &format!("{CHALLENGE}\n{boot}\n{}\n{since}\n{mark}\n{asked}\n", why.as_str()))
    }
}

/// What a host whose clock is suspect asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The host that asks.
    pub host: HostName,
    /// The fingerprint of that host's key.
    pub host_key: String,
    /// When it asked: milliseconds since its boot.
    pub asked: u64,
    /// What nobody but the host could have written.
    pub nonce: Nonce,
}

impl Challenge {
    /// What this host asks at this moment of the boot.
    #[must_use]
    pub fn of(host: &HostName, key: &HostKey, episode: &Episode, asked: u64) -> Self {
        let host_key = fingerprint(&key.public());
        Self { host: host.clone(), host_key, asked, nonce: episode.nonce(key, asked) }
    }

    /// The text, for people to carry.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { host, host_key, asked, nonce } = self;
        let values = [host.to_string(), host_key.clone(), asked.to_string(), nonce.to_string()];
        written(CHALLENGE, &CHALLENGE_LABELS, &values)
    }

    /// Reads a text, and refuses all but the one that [`Self::text`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadText> {
        let text = unmailed(bytes)?;
        let mut lines = Lines::behind(CHALLENGE, &text)?;
        let challenge = Self {
            host: lines.field("host", word)?,
            host_key: lines.field("host-key", key_fingerprint)?,
            asked: lines.field("asked", word)?,
            nonce: lines.field("challenge", Nonce::parse)?,
        };
        lines.end(&text, &challenge.text(), &CHALLENGE_LABELS)?;
        Ok(challenge)
    }
}

/// The answer of somebody whose clock is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockStatement {
    /// The host that asked.
    pub host: HostName,
    /// The fingerprint of that host's key.
    pub host_key: String,
    /// As in the challenge.
    pub asked: u64,
    /// As in the challenge.
    pub nonce: Nonce,
    /// What time it was when this was written.
    pub time: Utc,
    /// What was said with it.
    pub reason: Option<Reason>,
}

impl ClockStatement {
    /// The answer to a challenge; the time is cut to whole seconds.
    #[must_use]
    pub fn answer(challenge: Challenge, time: Utc, reason: Option<Reason>) -> Self {
        let Challenge { host, host_key, asked, nonce } = challenge;
        Self { host, host_key, asked, nonce, time: time.whole_seconds(), reason }
    }
}

impl SignedText for ClockStatement {
    fn kind(&self) -> Kind {
        Kind::Clock
    }

    fn text(&self) -> String {
        let values = [
            self.host.to_string(),
            self.host_key.clone(),
            self.asked.to_string(),
            self.nonce.to_string(),
            self.time.to_string(),
            noted_written(self.reason.as_ref()),
        ];
        written(Kind::Clock.first_line(), &LABELS, &values)
    }

    fn parse(bytes: &[u8]) -> Result<Self, BadText> {
        let text = unmailed(bytes)?;
        let mut lines = Lines::behind(Kind::Clock.first_line(), &text)?;
        let clock = Self {
            host: lines.field("host", word)?,
            host_key: lines.field("host-key", key_fingerprint)?,
            asked: lines.field("asked", word)?,
            nonce: lines.field("challenge", Nonce::parse)?,
            time: lines.field("time", seconds)?,
            reason: lines.field("reason", noted)?,
        };
        lines.end(&text, &clock.text(), &LABELS)?;
        Ok(clock)
    }
}
