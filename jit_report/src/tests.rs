//! Logs that are made up, and what a report has to say of them. What is expected was counted by hand.

mod attest;
mod figures;
mod hostile;
mod observed;
mod people;

use jit_core::policy::{Policy, SourceFile};
use jit_core::time::Utc;

use crate::{Access, Fold, Period, Report};

const BOOT: &str = "6f8e4c1a-0000-4000-8000-00000000000a";
const TERMS: &str = "00000000000000000000000000000000000000000000000000000000000000aa";

/// The midnight from which the seconds below count.
const MIDNIGHT: i64 = 1_796_428_800;

fn utc(seconds: i64) -> Utc {
    Utc::from_unix_millis((MIDNIGHT + seconds) * 1000)
}

/// A log that grows.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
}

impl Log {
    /// A record, so many seconds after midnight.
    fn push(&mut self, seconds: i64, event: &str, fields: &str) -> &mut Self {
        let seq = self.lines.len();
        let moment = moment(seconds);
        let comma = if fields.is_empty() { "" } else { "," };
        self.lines.push(format!(r#"{{"seq":{seq},{moment},"event":"{event}"{comma}{fields}}}"#));
        self
    }

    fn policy(&mut self, seconds: i64, text: &str) -> &mut Self {
        let texts = [("10-base.toml", BASE), ("50-site.toml", text)];
        let texts = texts.map(|(name, text)| (name, format!("version = 1\n{text}")));
        let source = |(name, text): &(&str, String)| SourceFile {
            name: (*name).to_owned(),
            bytes: text.clone().into_bytes(),
        };
        if let Err(findings) = Policy::parse(&texts.each_ref().map(source)) {
            panic!("{findings:?}");
        }
        let files = texts.map(|(name, text)| serde_json::json!({ "name": name, "text": text }));
        let files = format!(r#""digest":"{TERMS}","files":{}"#, serde_json::json!(files));
        self.push(seconds, "policy-loaded", &files)
    }

    /// Somebody asks for a role for an hour.
    fn asks(&mut self, seconds: i64, id: &str, user: &str, role: &str) -> &mut Self {
        self.asks_because(seconds, id, user, role, "INC-1 it is stuck")
    }

    fn asks_because(&mut self, seconds: i64, id: &str, user: &str, role: &str, reason: &str) -> &mut Self {
        let (moment, reason) = (moment(seconds), serde_json::to_string(reason).unwrap());
        let person = format!(r#"{{"name":"{user}","uid":1001}}"#);
        let request = format!(
            r#""request":{{"id":"r-{id}","host":"db-1","beneficiary":{person},"role":"{role}","terms":"{TERMS}","services":["sshd"],"uses":"unlimited","duration":3600,"filed_by":{person},"filed_at":{{{moment}}},"reason":{reason}}}"#
        );
        self.push(seconds, "requested", &request)
    }

    fn says(&mut self, seconds: i64, id: &str, who: &str, stage: &str, decision: &str) -> &mut Self {
        let moment = moment(seconds);
        let review = format!(
            r#""request":"r-{id}","digest":"{TERMS}","review":{{"by":{{"name":"{who}","uid":1009}},"decision":"{decision}","stage":"{stage}","method":"online","at":{{{moment}}}}}"#
        );
        self.push(seconds, "reviewed", &review)
    }

    fn approves(&mut self, seconds: i64, id: &str, who: &str, stage: &str) -> &mut Self {
        self.says(seconds, id, who, stage, "approve")
    }

    /// A window of an hour.
    fn opens(&mut self, seconds: i64, id: &str, user: &str, role: &str) -> &mut Self {
        self.opens_as(seconds, id, user, role, "")
    }

    fn opens_as(&mut self, seconds: i64, id: &str, user: &str, role: &str, more: &str) -> &mut Self {
        let moment = moment(seconds);
        let grant = format!(
            r#""grant":{{"id":"g-{id}","user":"{user}","uid":1001,"role":"{role}","services":["sshd"],"terms":"{TERMS}","ticket":"INC-1","window":{{"start":{{{moment}}},"duration":3600}},"uses":"unlimited","used":0{more}}}"#
        );
        self.push(seconds, "opened", &grant)
    }

    fn comes(&mut self, seconds: i64, id: &str, user: &str, role: &str) -> usize {
        let login = format!(
            r#""grant":"g-{id}","role":"{role}","remaining":60,"service":"sshd","user":"{user}","uid":1001"#
        );
        self.push(seconds, "allowed", &login);
        self.lines.len() - 1
    }

    fn goes(&mut self, seconds: i64, session: usize, since: i64, id: &str, user: &str) -> &mut Self {
        let moment = moment(since);
        let past = format!(
            r#""session":{session},"grant":"g-{id}","service":"sshd","user":"{user}","uid":1001,"opened":{{{moment}}},"place":{}"#,
            session + 1
        );
        self.push(seconds, "session-gone", &past)
    }

    fn ends(&mut self, seconds: i64, id: &str, why: &str) -> &mut Self {
        self.push(seconds, "ended", &format!(r#""grant":"g-{id}","why":"{why}""#))
    }

    fn gone(&mut self, seconds: i64, id: &str, user: &str, sessions: &str, more: &str) -> &mut Self {
        let gone = format!(r#""grant":"g-{id}","user":"{user}","sessions":[{sessions}],"left":[]{more}"#);
        self.push(seconds, "sessions-ended", &gone)
    }

    /// One access from the asking to its end: asked at `begin`, approved a minute later, used from two minutes later on
    /// for so long, ended an hour after its opening.
    fn story(&mut self, begin: i64, id: &str, user: &str, role: &str, stays: i64) -> &mut Self {
        self.asks(begin, id, user, role).approves(begin + 60, id, "olga", "lead");
        self.opens(begin + 60, id, user, role);
        let session = self.comes(begin + 120, id, user, role);
        self.goes(begin + 120 + stays, session, begin + 120, id, user);
        self.ends(begin + 3660, id, "expired").gone(begin + 3660, id, user, "", "")
    }

    fn report(&self) -> Report {
        self.report_of(Period::default(), None)
    }

    fn report_of(&self, period: Period, at: Option<Utc>) -> Report {
        let mut fold = Fold::new(period, at);
        for line in &self.lines {
            fold.take(line.as_bytes()).unwrap();
        }
        let report = fold.finish();
        assert_eq!(
            report.log.unread,
            0,
            "the test writes records that are records: {}",
            self.lines.join("\n")
        );
        report
    }
}

fn moment(seconds: i64) -> String {
    let time = utc(seconds);
    let boot = (seconds + 100_000) * 1000;
    format!(r#""time":"{time}","boot_ms":{boot},"boot_id":"{BOOT}""#)
}

fn only(report: &Report) -> &Access {
    assert_eq!(report.accesses.len(), 1);
    &report.accesses[0]
}

/// What every policy needs.
const BASE: &str = r#"
[admins]
users = ["root"]
[[exempt]]
users    = ["root"]
services = ["login"]
"#;

const SHELL: &str = r#"
[role.shell]
hosts        = ["*"]
services     = ["sshd"]
eligible     = { users = ["maria", "otto"], groups = ["dba"] }
max-duration = "4h"
[[role.shell.stage]]
name      = "lead"
approvers = { users = ["olga"] }
expires   = "1h"
[[role.shell.stage]]
name      = "security"
approvers = { users = ["erik", "nils"] }
"#;
