//! The line that syslog and the journal carry for a record: short, constant in form, every field escaped.

use jit_proto::text::Shown;

use super::fields::Fields;
use crate::event::{Event, Record};
use crate::model::PamFiles;
use crate::text::cut;

/// The longest message in bytes. RFC 3164 receivers cut at 1,024; the header takes some of it.
pub const MAX_MESSAGE: usize = 900;

/// The longest value in bytes: what a stranger typed must not push the fields behind it off the line. The store has
/// it whole.
pub const MAX_VALUE: usize = 256;

/// How much it matters (RFC 5424 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// 1: somebody should look at once.
    Alert,
    /// 3: something failed.
    Error,
    /// 4: something was refused.
    Warning,
    /// 5: something significant happened.
    Notice,
    /// 6: for the record.
    Info,
}

impl Severity {
    /// The number that syslog uses.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Alert => 1,
            Self::Error => 3,
            Self::Warning => 4,
            Self::Notice => 5,
            Self::Info => 6,
        }
    }
}

/// A record made ready for syslog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How much it matters.
    pub severity: Severity,
    /// The event's name, as RFC 5424 MSGID and as the journal's JIT_EVENT.
    pub event: &'static str,
    /// Named values, in a fixed order. Not escaped: whoever writes them out escapes for their format.
    pub fields: Vec<(&'static str, String)>,
}

impl Line {
    /// What a record looks like in a log: no value is longer than [`MAX_VALUE`].
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let mut line = Self::whole(record);
        for (_, value) in &mut line.fields {
            *value = cut(std::mem::take(value), MAX_VALUE);
        }
        line
    }

    /// The same with every value whole, for who reads the store.
    #[must_use]
    pub fn whole(record: &Record) -> Self {
        let (severity, event) = kind(&record.event);
        Self { severity, event, fields: Fields::of(record).0 }
    }

    /// The message: `event key="value" …`, controls escaped, at most [`MAX_MESSAGE`] bytes.
    #[must_use]
    pub fn message(&self) -> String {
        let mut text = self.event.to_owned();
        for (key, value) in &self.fields {
            text += &format!(" {key}=\"{}\"", cut(Shown(&quoted(value)).to_string(), MAX_VALUE));
        }
        cut(text, MAX_MESSAGE)
    }
}

/// Backslash and quote are escaped, so that a value cannot end its own quotes and forge the next field.
fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// How much an event matters, and its name.
fn kind(event: &Event) -> (Severity, &'static str) {
    match event {
        Event::Started { .. } => (Severity::Notice, "started"),
        Event::Stopped => (Severity::Notice, "stopped"),
        // This host said that nobody could put it right.
        Event::PolicyLoaded { word, .. } => (alert_if(!word.forced.is_empty()), "policy-loaded"),
        Event::PolicyConfirmed { .. } => (Severity::Notice, "policy-confirmed"),
        Event::PolicyReverted { .. } => (Severity::Warning, "policy-reverted"),
        Event::PolicyProposed { .. } => (Severity::Warning, "policy-proposed"),
        Event::PolicyReviewed { .. } => (Severity::Notice, "policy-reviewed"),
        Event::PolicyOverride { .. } => (Severity::Alert, "policy-override"),
        Event::PolicyRefused { .. } => (Severity::Error, "policy-refused"),
        Event::Requested { .. } => (Severity::Notice, "requested"),
        Event::Reviewed { .. } => (Severity::Notice, "reviewed"),
        Event::SignatureRefused { .. } => (Severity::Warning, "signature-refused"),
        Event::RevokeTaken { .. } => (Severity::Warning, "revoke-taken"),
        Event::CodeRefused { .. } => (Severity::Warning, "code-refused"),
        Event::OrderRefused { .. } => (Severity::Warning, "order-refused"),
        Event::Discounted { .. } => (Severity::Warning, "discounted"),
        Event::Lapsed { .. } => (Severity::Notice, "lapsed"),
        Event::Refused { .. } => (Severity::Notice, "refused"),
        Event::Withdrawn { .. } => (Severity::Notice, "withdrawn"),
        // Nobody has approved an emergency yet: all who review it are to hear of it at once.
        Event::Opened { grant } => (alert_if(grant.emergency), "opened"),
        Event::Began { .. } => (Severity::Notice, "began"),
        Event::Settled { .. } => (Severity::Notice, "settled"),
        Event::Locked { .. } => (Severity::Warning, "locked"),
        Event::Unlocked { .. } => (Severity::Warning, "unlocked"),
        Event::Ended { .. } => (Severity::Notice, "ended"),
        Event::Came { .. } => (Severity::Info, "came"),
        Event::Allowed { .. } => (Severity::Info, "allowed"),
        Event::SessionOpened { .. } => (Severity::Info, "session-opened"),
        Event::SessionClosed { .. } => (Severity::Info, "session-closed"),
        Event::SessionPlaced { .. } => (Severity::Info, "session-placed"),
        Event::SessionUnbound { .. } => (Severity::Warning, "session-unbound"),
        Event::SessionMoved { .. } => (Severity::Info, "session-moved"),
        Event::SessionOver { .. } => (Severity::Notice, "session-over"),
        Event::SessionAdopted { .. } => (Severity::Alert, "session-adopted"),
        Event::SessionRefused { .. } => (Severity::Warning, "session-refused"),
        Event::SessionGone { .. } => (Severity::Info, "session-gone"),
        Event::Shut { .. } => (Severity::Notice, "shut"),
        Event::SessionsEnded { left, .. } => {
            (if left.is_empty() { Severity::Notice } else { Severity::Warning }, "sessions-ended")
        }
        Event::ClaimVoided { .. } => (Severity::Notice, "claim-voided"),
        Event::Denied { .. } => (Severity::Warning, "denied"),
        Event::Unmanaged { .. } => (Severity::Info, "unmanaged"),
        Event::ClockSuspect { .. } => (Severity::Alert, "clock-suspect"),
        Event::ClockAccepted { .. } => (Severity::Warning, "clock-accepted"),
        Event::ClockRecovered { .. } => (Severity::Notice, "clock-recovered"),
        Event::DiskShort(_) => (Severity::Alert, "disk-short"),
        Event::DiskRoom(_) => (Severity::Notice, "disk-room"),
        Event::Recovered { .. } => (Severity::Alert, "recovered"),
        Event::RecoveryUnread(_) => (Severity::Alert, "recovery-unread"),
        Event::Unasked(_) => (Severity::Alert, "unasked"),
        Event::PamFiles(PamFiles { touched, lost, .. }) => {
            let severity = match (touched.is_empty(), lost.is_empty()) {
                (_, false) => Severity::Alert,
                (false, true) => Severity::Notice,
                (true, true) => Severity::Info,
            };
            (severity, "pam-files")
        }
        // A key that takes another's place is a thing to ask about.
        Event::HostKey { before, .. } => (alert_if(before.is_some()), "host-key"),
        Event::Elsewhere { .. } => (Severity::Alert, "elsewhere"),
        Event::Checkpoint { .. } => (Severity::Info, "checkpoint"),
        Event::CheckpointCarried { .. } => (Severity::Notice, "checkpoint-carried"),
        Event::RecordsArchived(_) => (Severity::Warning, "records-archived"),
        Event::Attested { .. } => (Severity::Notice, "attested"),
    }
}

const fn alert_if(somebody_should_look: bool) -> Severity {
    if somebody_should_look { Severity::Alert } else { Severity::Notice }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_proto::words::Uid;

    use crate::model::{Actor, Login};
    use crate::testing::at;

    fn denied(rhost: &str) -> Record {
        let login = Login {
            service: "sshd".parse().unwrap(),
            user: "maria".parse().unwrap(),
            uid: None,
            target: None,
            rhost: rhost.to_owned(),
            tty: String::new(),
            keys: Vec::new(),
            person: None,
        };
        let event = Event::Denied {
            why: crate::model::Why::NoWindow,
            count: std::num::NonZeroU32::MIN,
            last: None,
            others: false,
            login,
        };
        Record { seq: 7, at: at(0, 0), actor: None, event }
    }

    #[test]
    fn a_value_cannot_forge_a_field_or_a_line() {
        let message = Line::of(&denied("x\" verdict=\"allow\n\u{1b}[2J\u{2028}%n")).message();
        assert!(!message.chars().any(jit_proto::text::is_unprintable), "{message}");
        assert!(message.contains(r#"rhost="x\" verdict=\"allow\u{a}"#), "{message}");
    }

    #[test]
    fn a_record_says_whose_login_it_was_or_that_the_kernel_does_not_tell() {
        let by = |loginuid, untold| {
            let actor = Some(Actor { uid: Uid::ROOT, loginuid, untold, session: None, process: None });
            let record = Record { actor, ..denied("") };
            let again: Record = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
            assert_eq!(again, record);
            Line::of(&again).message()
        };
        assert!(by(Uid::try_from(1001).ok(), false).contains(r#"actor="0" login="1001""#));
        assert!(by(None, true).contains(r#"actor="0" login="untold""#));
        assert!(!by(None, false).contains("login="));
    }

    #[test]
    fn a_long_value_pushes_no_field_off_the_line() {
        for stuffing in ["x", "\u{1b}", "\""] {
            let message = Line::of(&denied(&stuffing.repeat(1024))).message();
            assert!(message.contains("why=\"no-window\" count=\"1\""), "{message}");
        }
    }

    #[test]
    fn a_message_stays_under_its_limit_on_a_character_boundary() {
        let message = cut("ü".repeat(1000), MAX_MESSAGE);
        assert!(message.len() <= MAX_MESSAGE && message.ends_with('…'));
    }
}
