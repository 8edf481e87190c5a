//! Syslog as RFC 5424 with structured data, over the machine's own socket.
//!
//! Where journald owns `/dev/log` it drops structured data, so there the shipped rsyslog snippet opens
//! `/run/jitd/syslog` for us (DESIGN §7).

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;

use jit_core::audit::line::{Line, Severity};
use jit_core::event::Record;
use jit_proto::text::Shown;
use jit_proto::words::HostName;
use syslog::{Facility, Formatter5424, LogFormat};

use super::journal::send_to;
use super::target::{NotTaken, Sink};

/// The name of the cursor.
pub(super) const NAME: &str = "syslog";

const OWN: &str = "/run/jitd/syslog";
const DEV_LOG: &str = "/dev/log";
const JOURNALS: &str = "/run/systemd/journal";

/// The id of our structured data. 32473 is the enterprise number that RFC 5612 sets aside for documentation:
/// we have none of our own.
const SD_ID: &str = "jit@32473";

pub(super) struct Syslog {
    formatter: Formatter5424,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    pub(super) fn new(host: &HostName) -> Self {
        let formatter = Formatter5424 {
            facility: Facility::LOG_AUTHPRIV,
            hostname: Some(host.to_string()),
            process: "jitd".into(),
            pid: std::process::id(),
        };
        Self { formatter, socket: None }
    }

    fn format(&self, record: &Record, line: &Line) -> std::io::Result<Vec<u8>> {
        let mut values: BTreeMap<String, String> =
            line.fields.iter().map(|(key, value)| ((*key).to_owned(), Shown(value).to_string())).collect();
        values.insert("event".into(), line.event.into());
        // The header's time is when the line left; this is when it happened.
        values.insert("time".into(), record.at.wall.to_string());
        let data = BTreeMap::from([(SD_ID.to_owned(), values)]);
        // The formatter's message id is a number; the low bits of the sequence number tell lines apart.
        let id = u32::try_from(record.seq & u64::from(u32::MAX)).unwrap_or(0);
        let mut bytes = Vec::new();
        self.formatter
            .format(&mut bytes, severity(line.severity), (id, data, line.message()))
            .map_err(std::io::Error::other)?;
        Ok(bytes)
    }
}

impl Sink for Syslog {
    fn name(&self) -> &'static str {
        NAME
    }

    fn send(&mut self, record: &Record, line: &Line, _: &[u8]) -> Result<(), NotTaken> {
        let bytes = self.format(record, line).map_err(NotTaken::Failing)?;
        send_to(&mut self.socket, destination(), &bytes)
    }
}

/// `/dev/log` unless it is journald's.
fn destination() -> &'static str {
    match std::fs::canonicalize(DEV_LOG) {
        Ok(real) if !real.starts_with(JOURNALS) => DEV_LOG,
        Ok(_) | Err(_) => OWN,
    }
}

const fn severity(severity: Severity) -> syslog::Severity {
    match severity {
        Severity::Alert => syslog::Severity::LOG_ALERT,
        Severity::Error => syslog::Severity::LOG_ERR,
        Severity::Warning => syslog::Severity::LOG_WARNING,
        Severity::Notice => syslog::Severity::LOG_NOTICE,
        Severity::Info => syslog::Severity::LOG_INFO,
    }
}
