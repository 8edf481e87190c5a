//! The line that syslog and the journal carry for a record: short, constant in form, every field escaped.

use jit_proto::text::Shown;
use jit_proto::words::ServiceName;

use crate::event::{Event, Record};
use crate::model::{Basis, ClaimKind, Leader, Login, PamFiles, Past, Time};
use crate::proof::checkpoint::Signed;
use crate::services::Services;
use crate::text::cut;
use crate::time::{Suspicion, Utc};

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
        let mut fields = vec![("seq", record.seq.to_string())];
        if let Some(actor) = record.actor {
            fields.push(("actor", actor.uid.to_string()));
            if let Some(login) = actor.loginuid {
                fields.push(("login", login.to_string()));
            } else if actor.untold {
                fields.push(("login", "untold".into()));
            }
            fields.extend(actor.session.map(|session| ("ses", session.to_string())));
        }
        let (severity, event) = describe(record, &mut fields);
        Self { severity, event, fields }
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

type Fields = Vec<(&'static str, String)>;

#[allow(clippy::too_many_lines, reason = "one arm for each kind of event, and they are many")]
fn describe(record: &Record, fields: &mut Fields) -> (Severity, &'static str) {
    match &record.event {
        Event::Started { version, loginuid } => {
            fields.push(("version", version.clone()));
            fields.push(("loginuid", loginuid.to_string()));
            (Severity::Notice, "started")
        }
        Event::Stopped => (Severity::Notice, "stopped"),
        Event::PolicyLoaded { digest, files, diff, trial, .. } => {
            fields.push(("digest", digest.to_string()));
            fields.push(("files", files.len().to_string()));
            fields.extend(diff.as_ref().map(|diff| ("changes", diff.count().to_string())));
            fields.extend(trial.map(|seconds| ("trial", seconds.to_string())));
            (Severity::Notice, "policy-loaded")
        }
        Event::PolicyConfirmed { digest } => {
            fields.push(("digest", digest.to_string()));
            (Severity::Notice, "policy-confirmed")
        }
        Event::PolicyReverted { why, tried, digest, files } => {
            fields.push(("why", why.to_string()));
            fields.push(("tried", tried.to_string()));
            fields.push(("digest", digest.to_string()));
            fields.push(("files", files.len().to_string()));
            (Severity::Warning, "policy-reverted")
        }
        Event::PolicyRefused { error, errors } => {
            fields.push(("errors", errors.to_string()));
            fields.push(("first", error.clone()));
            (Severity::Error, "policy-refused")
        }
        Event::Requested { request } => {
            fields.push(("request", request.id.to_string()));
            fields.push(("user", request.beneficiary.to_string()));
            fields.push(("role", request.role.to_string()));
            fields.push(("seconds", request.duration.as_secs().to_string()));
            fields.push(("by", request.filed_by.to_string()));
            fields.push(("digest", request.digest().to_string()));
            fields.push(("reason", request.reason.to_string()));
            (Severity::Notice, "requested")
        }
        Event::Reviewed { request, review, .. } => {
            fields.push(("request", request.to_string()));
            fields.push(("by", review.by.to_string()));
            fields.push(("stage", review.stage.clone()));
            fields.push(("decision", review.decision.as_str().to_owned()));
            fields.push(("method", review.method.to_string()));
            fields.extend(review.narrow.duration.map(|most| ("seconds", most.as_secs().to_string())));
            fields.extend(review.narrow.services.as_ref().map(|services| ("services", list(services))));
            fields.extend(review.narrow.uses.map(|uses| ("uses", uses.to_string())));
            fields.extend(review.note.as_ref().map(|note| ("note", note.to_string())));
            fields.extend(review.signed.as_ref().map(|signed| ("key", signed.key.clone())));
            (Severity::Notice, "reviewed")
        }
        Event::SignatureRefused { text, key, why } => {
            fields.extend(key.as_ref().map(|key| ("key", key.clone())));
            fields.push(("why", why.clone()));
            fields.push(("text", text.to_string()));
            (Severity::Warning, "signature-refused")
        }
        Event::Discounted { request, by } => {
            fields.push(("request", request.to_string()));
            fields.push(("by", by.to_string()));
            (Severity::Warning, "discounted")
        }
        Event::Lapsed { request, stage } => {
            fields.push(("request", request.to_string()));
            fields.extend(stage.as_ref().map(|stage| ("stage", stage.clone())));
            (Severity::Notice, "lapsed")
        }
        Event::Refused { request, stage } => {
            fields.push(("request", request.to_string()));
            fields.push(("stage", stage.clone()));
            (Severity::Notice, "refused")
        }
        Event::Withdrawn { request, reason } => {
            fields.push(("request", request.to_string()));
            fields.extend(reason.as_ref().map(|reason| ("reason", reason.to_string())));
            (Severity::Notice, "withdrawn")
        }
        Event::Opened { grant } => {
            fields.push(("grant", grant.id.to_string()));
            fields.push(("user", grant.user.to_string()));
            fields.push(("role", grant.role.to_string()));
            fields.push(("services", list(&grant.services)));
            match &grant.time {
                Time::Open { window } => fields.push(("end", window.end().to_seconds())),
                Time::Scheduled { scheduled } => fields.push(("begins", scheduled.begins.to_string())),
            }
            if grant.emergency {
                // Nobody has approved it yet: all who review it are to hear of it at once.
                fields.push(("emergency", "true".to_owned()));
                return (Severity::Alert, "opened");
            }
            (Severity::Notice, "opened")
        }
        Event::Began { grant, window } => {
            fields.push(("grant", grant.to_string()));
            fields.push(("end", window.end().to_seconds()));
            (Severity::Notice, "began")
        }
        Event::Settled { request, decision } => {
            fields.push(("request", request.to_string()));
            fields.push(("decision", decision.as_str().to_owned()));
            (Severity::Notice, "settled")
        }
        Event::Locked { lock } => {
            fields.push(("scope", lock.scope.to_string()));
            fields.push(("by", lock.by.to_string()));
            fields.extend(lock.duration.map(|most| ("seconds", most.as_secs().to_string())));
            let uids: Vec<_> = lock.uids.iter().map(ToString::to_string).collect();
            fields.extend((!uids.is_empty()).then(|| ("uids", uids.join(","))));
            fields.extend(lock.message.as_ref().map(|message| ("message", message.to_string())));
            (Severity::Warning, "locked")
        }
        Event::Unlocked { scope, expired, reason } => {
            fields.push(("scope", scope.to_string()));
            fields.push(("expired", expired.to_string()));
            fields.extend(reason.as_ref().map(|reason| ("reason", reason.to_string())));
            (Severity::Warning, "unlocked")
        }
        Event::Ended { grant, why, reason } => {
            fields.push(("grant", grant.to_string()));
            fields.push(("why", why.to_string()));
            fields.extend(reason.as_ref().map(|reason| ("reason", reason.to_string())));
            (Severity::Notice, "ended")
        }
        Event::Came { user, uid, lingers } => {
            fields.push(("user", user.to_string()));
            fields.push(("uid", uid.to_string()));
            fields.push(("lingers", lingers.to_string()));
            (Severity::Info, "came")
        }
        Event::Allowed { grant, role, remaining, claim, by, from, basis, login } => {
            push_login(fields, login);
            fields.push(("grant", grant.to_string()));
            fields.push(("role", role.to_string()));
            fields.push(("remaining", remaining.to_string()));
            push_process(fields, by.or_else(|| record.actor?.process));
            fields.extend(from.map(|from| ("from", from.to_string())));
            push_basis(fields, basis);
            if let Some(kind) = claim {
                let kind = if *kind == ClaimKind::Held { "held" } else { "spent" };
                fields.push(("use", kind.to_owned()));
            }
            (Severity::Info, "allowed")
        }
        Event::SessionOpened { grant, role, remaining, opener, from, basis, login, .. } => {
            push_login(fields, login);
            fields.push(("grant", grant.to_string()));
            fields.push(("role", role.to_string()));
            fields.push(("remaining", remaining.to_string()));
            push_process(fields, opener.map(|opener| opener.leader));
            fields.extend(opener.and_then(|one| one.audit).map(|audit| ("audit", audit.to_string())));
            fields.extend(from.map(|from| ("from", from.to_string())));
            push_basis(fields, basis);
            (Severity::Info, "session-opened")
        }
        Event::SessionClosed { login, .. } => {
            push_login(fields, login);
            (Severity::Info, "session-closed")
        }
        Event::SessionPlaced { session, unit } => {
            fields.push(("session", session.to_string()));
            fields.push(("unit", unit.to_string()));
            (Severity::Info, "session-placed")
        }
        Event::SessionUnbound { session, why } => {
            fields.push(("session", session.to_string()));
            fields.push(("why", why.clone()));
            (Severity::Warning, "session-unbound")
        }
        Event::SessionMoved { session, from, grant, role, remaining, uses } => {
            fields.push(("session", session.to_string()));
            fields.push(("from", from.to_string()));
            fields.push(("grant", grant.to_string()));
            fields.push(("role", role.to_string()));
            fields.push(("remaining", remaining.to_string()));
            fields.push(("uses", uses.to_string()));
            (Severity::Info, "session-moved")
        }
        Event::SessionOver { session, why, terms, reason } => {
            fields.push(("session", session.to_string()));
            fields.push(("why", why.to_string()));
            fields.push(("term", terms.term.as_secs().to_string()));
            fields.push(("kill", terms.kill.as_secs().to_string()));
            fields.extend(reason.as_ref().map(|reason| ("reason", reason.to_string())));
            (Severity::Notice, "session-over")
        }
        Event::SessionAdopted { grant, role, opener, from, basis, login, .. } => {
            push_login(fields, login);
            fields.push(("grant", grant.to_string()));
            fields.push(("role", role.to_string()));
            push_process(fields, Some(opener.leader));
            fields.extend(opener.audit.map(|audit| ("audit", audit.to_string())));
            fields.extend(from.map(|from| ("from", from.to_string())));
            push_basis(fields, basis);
            let missing = format!("the session line of pam_jit.so is missing for {}", login.service);
            fields.push(("why", missing));
            (Severity::Alert, "session-adopted")
        }
        Event::SessionRefused { session, grant, returned, why, login } => {
            push_login(fields, login);
            fields.push(("session", session.to_string()));
            fields.push(("grant", grant.to_string()));
            fields.push(("use-returned", returned.to_string()));
            fields.push(("why", why.clone()));
            (Severity::Warning, "session-refused")
        }
        Event::SessionGone { session, unbound, past } => {
            fields.push(("session", session.to_string()));
            if let Some(past) = past {
                push_past(fields, past, record);
            }
            if *unbound {
                fields.push(("escape", "not excluded: it was bound to no unit".to_owned()));
            }
            (Severity::Info, "session-gone")
        }
        Event::Shut { grant } => {
            fields.push(("grant", grant.to_string()));
            (Severity::Notice, "shut")
        }
        Event::SessionsEnded { grant, user, sessions, at_end, left, spared, stays, escape } => {
            let sessions: Vec<_> = sessions.iter().map(ToString::to_string).collect();
            fields.push(("grant", grant.to_string()));
            fields.push(("user", user.to_string()));
            fields.push(("sessions", sessions.join(" ")));
            fields.extend(at_end.as_ref().map(|at_end| ("at-end", at_end.clone())));
            fields.push(("left", left.len().to_string()));
            fields.extend(left.first().map(|_| ("processes", left.join(", "))));
            fields.extend(spared.as_ref().map(|spared| ("spared", spared.clone())));
            fields.extend(stays.first().map(|_| ("stays", stays.join(", "))));
            fields.extend(escape.as_ref().map(|why| ("escape", format!("not excluded: {why}"))));
            let severity = if left.is_empty() { Severity::Notice } else { Severity::Warning };
            (severity, "sessions-ended")
        }
        Event::ClaimVoided { grant, claim } => {
            fields.push(("grant", grant.to_string()));
            fields.push(("claim", claim.to_string()));
            (Severity::Notice, "claim-voided")
        }
        Event::Denied { why, count, last, others, login } => {
            push_login(fields, login);
            fields.push(("why", why.to_string()));
            fields.push(("count", count.to_string()));
            push_last(fields, last.as_deref(), *others);
            (Severity::Warning, "denied")
        }
        Event::Unmanaged { why, would, count, last, others, login } => {
            push_login(fields, login);
            fields.push(("why", why.to_string()));
            fields.extend(would.map(|would| ("would", would.to_string())));
            fields.push(("count", count.to_string()));
            push_last(fields, last.as_deref(), *others);
            (Severity::Info, "unmanaged")
        }
        Event::ClockSuspect { why, mark, expected } => {
            push_clock(fields, record, *why, *mark, *expected);
            (Severity::Alert, "clock-suspect")
        }
        Event::ClockAccepted { why, mark, expected, reason } => {
            push_clock(fields, record, *why, *mark, *expected);
            fields.extend(reason.as_ref().map(|reason| ("reason", reason.to_string())));
            (Severity::Warning, "clock-accepted")
        }
        Event::ClockRecovered { why, by, mark, expected } => {
            push_clock(fields, record, *why, *mark, *expected);
            fields.push(("by", by.as_str().to_owned()));
            (Severity::Notice, "clock-recovered")
        }
        Event::Recovered { at, service, user } => {
            fields.push(("service", service.to_string()));
            fields.push(("user", user.to_string()));
            fields.push(("at", at.to_string()));
            (Severity::Alert, "recovered")
        }
        Event::RecoveryUnread { name, bytes, why } => {
            fields.push(("name", name.clone()));
            fields.push(("bytes", bytes.to_string()));
            fields.push(("why", why.clone()));
            (Severity::Alert, "recovery-unread")
        }
        Event::PamFiles(PamFiles { files, touched, lost }) => {
            let asking = files.iter().filter(|file| file.account).count();
            fields.push(("files", files.len().to_string()));
            fields.push(("asking", asking.to_string()));
            fields.extend(touched.first().map(|_| ("touched", touched.join(" "))));
            fields.extend(lost.first().map(|_| ("lost", lost.join(" "))));
            let severity = match (touched.is_empty(), lost.is_empty()) {
                (_, false) => Severity::Alert,
                (false, true) => Severity::Notice,
                (true, true) => Severity::Info,
            };
            (severity, "pam-files")
        }
        Event::HostKey { key, before } => {
            fields.push(("key", key.to_string()));
            fields.extend(before.as_ref().map(|before| ("before", before.to_string())));
            // A key that takes another's place is a thing to ask about.
            (if before.is_some() { Severity::Alert } else { Severity::Notice }, "host-key")
        }
        Event::Checkpoint { signed: Signed { checkpoint, signature } } => {
            fields.push(("origin", checkpoint.origin.to_string()));
            fields.push(("size", checkpoint.size.to_string()));
            fields.push(("root", checkpoint.root.to_string()));
            fields.push(("signature", signature.to_string()));
            (Severity::Info, "checkpoint")
        }
    }
}

/// What the last of several refusals differed in.
fn push_last(fields: &mut Fields, last: Option<&Login>, others: bool) {
    if others {
        fields.push(("others", others.to_string()));
    }
    if let Some(last) = last {
        fields.push(("last_rhost", last.rhost.clone()));
        fields.push(("last_tty", last.tty.clone()));
    }
}

fn list(services: &Services) -> String {
    services.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(",")
}

fn push_clock(fields: &mut Fields, record: &Record, why: Suspicion, mark: Utc, expected: Utc) {
    fields.push(("why", why.as_str().to_owned()));
    for (name, time) in [("wall", record.at.wall), ("mark", mark), ("expected", expected)] {
        fields.push((name, time.to_seconds()));
    }
}

fn push_process(fields: &mut Fields, process: Option<Leader>) {
    if let Some(process) = process {
        fields.push(("pid", process.pid.to_string()));
        fields.push(("start", process.start.to_string()));
    }
}

fn push_basis(fields: &mut Fields, basis: &Basis) {
    fields.extend(basis.ticket.as_ref().map(|ticket| ("ticket", ticket.clone())));
    fields.extend(basis.policy.map(|policy| ("policy", policy.to_string())));
}

fn push_past(fields: &mut Fields, past: &Past, record: &Record) {
    push_login(fields, &past.login);
    fields.push(("grant", past.grant.to_string()));
    fields.extend(past.role.as_ref().map(|role| ("role", role.to_string())));
    fields.push(("opened", past.opened.wall.to_seconds()));
    fields.push(("seconds", record.at.since(&past.opened).as_secs().to_string()));
    fields.extend(past.why.map(|why| ("why", why.to_string())));
    push_process(fields, past.opener.map(|opener| opener.leader));
    fields.extend(past.opener.and_then(|one| one.audit).map(|audit| ("audit", audit.to_string())));
    fields.extend(past.from.map(|from| ("from", from.to_string())));
    fields.extend(past.unit.as_ref().map(|unit| ("unit", unit.to_string())));
    fields.extend(past.opened_by.and_then(|by| by.loginuid).map(|uid| ("loginuid", uid.to_string())));
    push_basis(fields, &past.basis);
}

fn push_login(fields: &mut Fields, login: &Login) {
    fields.push(("service", login.service.to_string()));
    fields.push(("user", login.user.to_string()));
    fields.extend(login.uid.map(|uid| ("uid", uid.to_string())));
    fields.extend(login.target.as_ref().map(|target| ("target", target.to_string())));
    for (key, value) in [("rhost", &login.rhost), ("tty", &login.tty)] {
        if !value.is_empty() {
            fields.push((key, value.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_proto::words::Uid;

    use crate::model::Actor;
    use crate::time::tests::at;

    fn denied(rhost: &str) -> Record {
        let login = Login {
            service: "sshd".parse().unwrap(),
            user: "maria".parse().unwrap(),
            uid: None,
            target: None,
            rhost: rhost.to_owned(),
            tty: String::new(),
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
