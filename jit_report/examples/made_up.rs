//! A made-up log, to try reports on: `made_up ACCESSES` prints one as `jitctl audit export` would, the same each time.
//! 80 accesses are about a thousand records, so that `made_up 80000` is the million of docs/measurements.md. Its
//! checkpoints are signed, so that `jitctl audit verify` finds it whole.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "whoever cannot write the log ends")]

use std::io::{self, BufWriter, Write};

use jit_core::proof::checkpoint::Signed;
use jit_core::proof::merkle::{Frontier, leaf};
use jit_core::proof::note::HostKey;
use jit_core::time::Utc;

/// The log begins at 2026-09-01T06:00:00Z.
const BEGIN: i64 = 1_788_242_400;

/// From one access to the next, in seconds: they overlap.
const EACH: i64 = 2_400;

const BOOT: &str = "6f8e4c1a-0000-4000-8000-00000000000a";
const DIGEST: &str = "00000000000000000000000000000000000000000000000000000000000000aa";

const POLICY: &str = r#"version = 1

[admins]
users = ["root"]

[auditors]
users = ["auda"]

[people]
maria = { accounts = ["maria", "maria-adm"] }

[[exempt]]
users    = ["root"]
services = ["login"]

[role.db-oncall]
hosts        = ["*"]
services     = ["sshd"]
eligible     = { users = ["maria", "otto", "ines", "zoe"], groups = ["dba"] }
max-duration = "4h"
[[role.db-oncall.stage]]
name      = "team lead"
approvers = { users = ["olga"] }
expires   = "1h"
[[role.db-oncall.stage]]
name      = "security"
approvers = { users = ["erik", "nils"] }

[role.root]
hosts        = ["*"]
services     = ["sudo"]
eligible     = { users = ["maria-adm"] }
max-duration = "1h"
emergency    = true
[[role.root.stage]]
name      = "afterwards"
approvers = { users = ["olga"] }
expires   = "1d"
"#;

/// A formula, a tag, quotes and an escape of JSON.
const HOSTILE: &str =
    r#"=HYPERLINK(\"http://x.example\",\"a\"); 'b' </td><script>alert(1)</script> ]]> \\u001b[31m"#;

struct Log<W> {
    out: W,
    seq: u64,
    tree: Frontier,
    key: HostKey,
}

/// Who asks for what, and when.
struct Story {
    id: String,
    number: i64,
    user: &'static str,
    role: &'static str,
    service: &'static str,
    begin: i64,
}

impl<W: Write> Log<W> {
    fn push(&mut self, seconds: i64, event: &str, fields: &str) {
        let comma = if fields.is_empty() { "" } else { "," };
        let line = format!(r#"{{"seq":{},{},"event":"{event}"{comma}{fields}}}"#, self.seq, moment(seconds));
        self.tree.append(leaf(line.as_bytes()));
        self.seq += 1;
        writeln!(self.out, "{line}").unwrap();
    }

    fn checkpoint(&mut self, seconds: i64) {
        let signed = serde_json::to_string(&Signed::over(&self.tree, &self.key)).unwrap();
        self.push(seconds, "checkpoint", signed.trim_matches(['{', '}']));
    }

    fn begin(&mut self) {
        let key = self.key.public();
        self.push(0, "host-key", &format!(r#""key":"{key}""#));
        self.push(0, "started", r#""version":"0.1.0","loginuid":true"#);
        let text = serde_json::to_string(POLICY).unwrap();
        let files = format!(r#""digest":"{DIGEST}","files":[{{"name":"50-site.toml","text":{text}}}]"#);
        self.push(1, "policy-loaded", &format!(r#""actor":{{"uid":0,"loginuid":1003}},{files}"#));
    }

    /// What can go wrong on a host, once.
    fn trouble(&mut self, at: i64) {
        self.push(at, "stopped", "");
        self.push(at + 60, "started", r#""version":"0.1.0","loginuid":true"#);
        let clock = format!(r#""mark":"{}","expected":"{}""#, utc(at + 100), utc(at + 101));
        self.push(at + 100, "clock-suspect", &format!(r#""why":"behind",{clock}"#));
        self.push(at + 160, "clock-accepted", &format!(r#""why":"behind",{clock},"reason":"by my watch""#));
        self.push(at + 170, "recovered", &format!(r#""at":{},"service":"login","user":"root""#, BEGIN + at));
        let error = r#""error":"50-site.toml:3: \u001b[2J\u202eevil \n=1+1","errors":2"#;
        self.push(at + 180, "policy-refused", error);
        let login = r#""service":"login","user":"root","uid":0"#;
        self.push(at + 190, "unmanaged", &format!(r#""why":"exempt","count":3,{login}"#));
    }

    fn ask(&mut self, story: &Story) {
        let Story { id, number, user, role, service, begin } = story;
        let person = format!(r#"{{"name":"{user}","uid":1001}}"#);
        let reason = if *number == 1 { HOSTILE } else { "INC-1234 failover of db-07" };
        self.push(
            *begin,
            "requested",
            &format!(
                r#""request":{{"id":"r-{id}","host":"db-1","beneficiary":{person},"role":"{role}","terms":"{DIGEST}","services":["{service}"],"uses":"unlimited","duration":3600,"filed_by":{person},"filed_at":{{{}}},"reason":"{reason}"}}"#,
                moment(*begin)
            ),
        );
    }

    fn review(&mut self, story: &Story, after: i64, who: &str, stage: &str, decision: &str) {
        let (id, at) = (&story.id, story.begin + after);
        let signed = format!(
            r#","signed":{{"principals":["{who}"],"key":"SHA256:uNiVztksCsDhcc0u9e8BrrJXVGmOiFhc5qpQJzm0ngA","text":"","signature":""}}"#
        );
        let (method, signed) = if who == "nils" { ("signature", signed) } else { ("online", String::new()) };
        self.push(
            at,
            "reviewed",
            &format!(
                r#""request":"r-{id}","digest":"{DIGEST}","review":{{"by":{{"name":"{who}","uid":1009}},"decision":"{decision}","stage":"{stage}","method":"{method}","at":{{{}}}{signed}}}"#,
                moment(at)
            ),
        );
    }

    fn open(&mut self, story: &Story, after: i64, emergency: bool) {
        let Story { id, user, role, service, begin, .. } = story;
        let more = if emergency { r#","emergency":true"# } else { "" };
        self.push(
            begin + after,
            "opened",
            &format!(
                r#""grant":{{"id":"g-{id}","user":"{user}","uid":1001,"role":"{role}","services":["{service}"],"terms":"{DIGEST}","ticket":"INC-1234","window":{{"start":{{{}}},"duration":3600}},"uses":"unlimited","used":0{more}}}"#,
                moment(begin + after)
            ),
        );
    }

    /// Sessions of five minutes, one after the other.
    fn sessions(&mut self, story: &Story, after: i64, count: i64) {
        let Story { id, user, role, service, .. } = story;
        let login = format!(r#""service":"{service}","user":"{user}","uid":1001,"rhost":"10.1.0.7""#);
        for number in 0..count {
            let at = story.begin + after + number * 300;
            let session = self.seq;
            let allowed =
                format!(r#""grant":"g-{id}","role":"{role}","remaining":60,"policy":"{DIGEST}",{login}"#);
            self.push(at, "allowed", &allowed);
            let (opened, place) = (moment(at), session + 1);
            let past = format!(
                r#""session":{session},"grant":"g-{id}","role":"{role}",{login},"opened":{{{opened}}},"place":{place}"#
            );
            self.push(at + 240, "session-gone", &past);
        }
    }

    fn end(&mut self, story: &Story, at: i64, why: &str, took: i64, more: &str) {
        let Story { id, user, begin, .. } = story;
        self.push(begin + at, "ended", &format!(r#""grant":"g-{id}","why":"{why}""#));
        let gone = format!(r#""grant":"g-{id}","user":"{user}","sessions":[1],{more}"#);
        self.push(begin + at + took, "sessions-ended", &gone);
    }

    /// One access; of twelve that follow each other, some go another way.
    fn story(&mut self, number: i64) {
        let user = ["maria", "otto", "ines"][usize::try_from(number % 3).unwrap()];
        let id = id(number);
        let begin = 100 + number * EACH;
        let story = Story { id, number, user, role: "db-oncall", service: "sshd", begin };
        if number % 12 == 7 {
            return self.emergency(&Story { user: "maria-adm", role: "root", service: "sudo", ..story });
        }
        self.ask(&story);
        match number % 12 {
            3 => {
                self.review(&story, 300, "olga", "team lead", "deny");
                let stage = format!(r#""request":"r-{}","stage":"team lead""#, story.id);
                return self.push(begin + 300, "refused", &stage);
            }
            5 => {
                let stage = format!(r#""request":"r-{}","stage":"team lead""#, story.id);
                return self.push(begin + 3600, "lapsed", &stage);
            }
            11 => return self.push(begin + 30, "withdrawn", &format!(r#""request":"r-{}""#, story.id)),
            _ => {}
        }
        self.review(&story, 120 + number % 7 * 60, "olga", "team lead", "approve");
        let second = if number % 4 == 0 { "nils" } else { "erik" };
        self.review(&story, 900 + number % 5 * 300, second, "security", "approve");
        let opens = 900 + number % 5 * 300;
        self.open(&story, opens, false);
        if number % 12 != 9 {
            self.sessions(&story, opens + 60, 2 + number % 5);
        }
        let left = if number == 2 {
            r#""left":["77 sleep"],"escape":"cron ran while it was open""#
        } else {
            r#""left":[]"#
        };
        let (at, why) = if number % 12 == 4 { (opens + 2400, "revoked") } else { (opens + 3600, "expired") };
        self.end(&story, at, why, number % 3, left);
    }

    fn emergency(&mut self, story: &Story) {
        self.ask(story);
        self.open(story, 0, true);
        self.sessions(story, 30, 1);
        self.end(story, 600, "done", 1, r#""left":[],"stays":["812 tmux"]"#);
        // The first of them is owed for ever.
        if story.number != 7 {
            self.review(story, 5000, "olga", "afterwards", "approve");
            let settled = format!(r#""request":"r-{}","decision":"approve""#, story.id);
            self.push(story.begin + 5000, "settled", &settled);
        }
    }
}

fn utc(seconds: i64) -> Utc {
    Utc::from_unix_millis((BEGIN + seconds) * 1000)
}

fn moment(seconds: i64) -> String {
    format!(r#""time":"{}","boot_ms":{},"boot_id":"{BOOT}""#, utc(seconds), (seconds + 1000) * 1000)
}

/// Eight letters and digits of those that ids have.
fn id(number: i64) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let at = |place: u32| usize::try_from(number / 32_i64.pow(place) % 32).unwrap();
    (0..8).rev().map(|place| char::from(DIGITS[at(place)])).collect()
}

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(24);
    let key = HostKey::from_seed("db-1/jitd".parse().unwrap(), &[7; 32]);
    let mut log = Log { out: BufWriter::new(io::stdout().lock()), seq: 0, tree: Frontier::default(), key };
    log.begin();
    let login = r#""service":"sshd","user":"mallory","uid":1013,"rhost":"10.9.9.9""#;
    for number in 0..count {
        log.story(number);
        let at = 100 + number * EACH;
        log.push(at + 10, "denied", &format!(r#""why":"not-eligible","count":1,{login}"#));
        if number == 10 {
            log.trouble(at + 200);
        }
        if number % 4 == 3 {
            log.checkpoint(at + 20);
        }
    }
}
