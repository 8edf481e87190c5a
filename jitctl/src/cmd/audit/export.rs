//! `audit export`: all records, or those behind one, in a form that other programs read.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jit_core::audit::cef::cef;
use jit_core::audit::format::{csv_heading, csv_row, rfc5424};
use jit_core::audit::ocsf::ocsf;
use jit_core::event::Record;
use jit_core::model::CarriedBy;
use jit_core::proof::preface::Preface;
use jit_core::time::Utc;
use jit_proto::audit::{Carried, Checkpoint};

use super::proven::{beside, preface};
use super::read::Reader;
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::fresh::write_new;
use crate::jitd::{self, Jitd};
use crate::output::Outcome;
use crate::screen::Screen;
use crate::times::typed::Bound;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// JSON lines: the exact bytes of each record, which is what can be verified
    Jsonl,
    /// A table with a heading (RFC 4180); what a spreadsheet would take for a formula has an apostrophe in front
    Csv,
    /// Syslog lines with structured data
    Rfc5424,
    /// Lines of the Common Event Format (CEF:0)
    Cef,
    /// JSON lines of the Open Cybersecurity Schema Framework (OCSF 1.3.0)
    Ocsf,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Format {
    /// A record in this form, with the end of its line; none where it cannot be read and the form has no place for that.
    fn write(self, record: Option<&Record>, bytes: &str, host: &str) -> Option<String> {
        let of = |write: &dyn Fn(&Record) -> String| record.map(|record| write(record) + "\n");
        match self {
            Self::Jsonl => Some(format!("{bytes}\n")),
            Self::Csv => Some(csv_row(record, bytes)),
            Self::Rfc5424 => of(&|record| rfc5424(record, host)),
            Self::Cef => of(&|record| cef(record, host, VERSION)),
            Self::Ocsf => of(&|record| ocsf(record, bytes, host, VERSION)),
        }
    }
}

/// What to export.
#[derive(Clone, Debug, Args)]
pub(crate) struct Wanted {
    /// How records are written
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Only records behind this one: what was not exported before
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// Only records from a time on, such as '2026-11-01'; such an export cannot be verified
    #[arg(long, value_name = "TIME")]
    since: Option<Bound>,
    /// A checkpoint that was kept, from which the export is proven to go on [default: all before --after, or else the
    /// checkpoint that left last]
    #[arg(long = "from", value_name = "FILE")]
    from: Vec<PathBuf>,
    /// A file, not there yet, for the checkpoint and the proof that the log goes on from the last: the first line of jsonl
    /// has both, and the other formats have no place for them
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
}

impl Wanted {
    /// Whether the first line of what is written proves that the log goes on. Of chosen records it would prove nothing.
    fn has_preface(&self) -> bool {
        self.format == Format::Jsonl && self.since.is_none()
    }

    /// All of them, as they can be verified.
    pub(super) const fn all() -> Self {
        Self { format: Format::Jsonl, after: None, since: None, from: Vec::new(), proof: None }
    }
}

pub(super) fn run(wanted: &Wanted, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    let since = wanted.since.as_ref().map(Bound::utc).transpose();
    let since = since.map_err(|why| Error::Usage(why.to_string()))?;
    if !wanted.from.is_empty() && !wanted.has_preface() && wanted.proof.is_none() {
        let what = "an export in this form has no place for the proof that --from asks for; name a file for it with --proof";
        return Err(Error::Usage(what.to_owned()).into());
    }
    // What leaves the host is under a checkpoint, which goes with it.
    let checkpoint: Checkpoint = jitd::ask(jitd, &Call::AuditCheckpoint)?;
    let host = checkpoint.key.split("/jitd+").next().unwrap_or("-").to_owned();
    let first = wanted.after.map_or(0, |after| after.saturating_add(1));
    let line = |preface: Preface| preface.line().map_err(|why| Error::Garbled(why.to_string()));
    if let Some(path) = &wanted.proof {
        write_new(path, &(line(beside(&checkpoint, first, &wanted.from, jitd)?)? + "\n"))?;
    }
    let mut reader = Reader::from(jitd, first);
    if wanted.format == Format::Csv {
        screen.exact(&csv_heading())?;
    }
    let mut count = 0_u64;
    let is_provable = wanted.has_preface();
    while let Some(page) = reader.page()? {
        reader.tell_what_is_archived(&page, first, screen);
        if count == 0 && is_provable {
            screen
                .exact(&(line(preface(&checkpoint, first.max(page.begins), &wanted.from, jitd)?)? + "\n"))?;
        }
        let mut text = String::new();
        for bytes in &page.records {
            // To read a record takes ten times what it takes to hand it on.
            let record = if is_provable { None } else { Record::decode(0, bytes.as_bytes()).ok() };
            if is_before(record.as_ref(), since) {
                continue;
            }
            count += 1;
            match wanted.format.write(record.as_ref(), bytes, &host) {
                Some(written) => text += &written,
                None => screen.say("jitctl: a record cannot be read and was left out"),
            }
        }
        screen.exact(&text)?;
        if screen.is_unread() {
            return Ok(Outcome::Yes);
        }
    }
    if count > 0 || wanted.proof.is_some() {
        carried(CarriedBy::Export, checkpoint.size, jitd, screen);
    }
    match reader.next.checked_sub(1).filter(|_| count > 0) {
        Some(last) => screen.say(&format!(
            "jitctl: {count} records were exported; next time, go on with: jitctl audit export --after {last}"
        )),
        None => screen.say("jitctl: there are no such records"),
    }
    Ok(Outcome::Yes)
}

/// Has it noted that a checkpoint left. It has left, whatever comes of that.
pub(super) fn carried(how: CarriedBy, size: u64, jitd: &dyn Jitd, screen: &mut Screen<'_>) {
    let noted: Result<Carried, Failure> = jitd::ask(jitd, &Call::Carried { how, size });
    if let Err(failure) = noted {
        screen.say(&format!("jitctl: that a checkpoint left is not on record: {}", failure.error));
    }
}

fn is_before(record: Option<&Record>, since: Option<Utc>) -> bool {
    since.is_some_and(|since| record.is_some_and(|record| record.at.wall < since))
}
