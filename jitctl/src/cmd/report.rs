//! `jitctl report`: what an auditor asks of a log, this host's or an exported one. jitd gives out records and decides who
//! may have them; all else is done here.

mod attest;
mod file;
mod observe;
mod view;

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use clap::Args;
use jit_proto::words::ServiceName;
use jit_report::{Backwards, Fold, Period, ReadRecord, Report, csv, html};

use super::audit::read::{Reader, each_record, named};
use crate::error::{Error, Failure};
use crate::jitd::Jitd;
use crate::output::{self, Outcome, give};
use crate::screen::Screen;
use crate::times::now;
use crate::times::typed::{BadTime, Bound, When};
use crate::values::seconds;

/// Report who had which access when, who approved it, and what somebody has to look at
///
/// On a terminal it is a summary; --html makes a page, --csv has a row for each access, and --json has everything. For root, admins and
/// auditors. An exported log is reported on without jitd.
#[derive(Clone, Debug, Args)]
pub(crate) struct Wanted {
    /// Exported files (JSON lines), in order; - is standard input [default: this host's log]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// From when on: a day, a time, or how long ago, such as 90d [default: all of the log]
    #[arg(long, value_name = "TIME")]
    since: Option<Bound>,
    /// Up to when
    #[arg(long, value_name = "TIME")]
    until: Option<Bound>,
    /// Also say who was in at this time
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// Print a table with a row for each access (RFC 4180)
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Write a page that a browser shows without network and prints, for nobody else to read; - is standard output
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// List who would have been refused where jitd only watched, how often, from where and why, instead
    #[arg(long, conflicts_with_all = ["html", "at", "attest"])]
    observe: bool,
    /// With --observe: at this service alone; sudo-i goes with sudo, and su-l with su
    #[arg(long = "service", value_name = "SERVICE", requires = "observe")]
    services: Vec<ServiceName>,
    /// List who may ask for which role, and who attested last that they still should, instead
    #[arg(long, conflicts_with_all = ["csv", "html", "at"])]
    attest: bool,
    /// With --attest: how old an attestation may be, such as 90d [default: 90d once anybody attested]
    #[arg(long, value_name = "DURATION", value_parser = seconds, requires = "attest")]
    every: Option<u64>,
}

pub(crate) fn run(
    wanted: &Wanted,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let is_page = wanted.html.as_deref() == Some(Path::new("-"));
    if is_page && (json || wanted.csv) {
        return Err(Error::Usage("standard output takes one form: --html - or another".to_owned()).into());
    }
    let report = read(wanted, jitd, screen)?;
    if wanted.attest {
        return Ok(give(&attest::Listed::of(&report), json, screen, attest::view)?);
    }
    if wanted.observe {
        let listed = observe::Listed::of(&report, &wanted.services);
        if wanted.csv {
            screen.exact(&observe::csv(&listed))?;
            return Ok(Outcome::Yes);
        }
        return Ok(give(&listed, json, screen, observe::view)?);
    }
    match &wanted.html {
        Some(_) if is_page => screen.exact(&html::page(&report))?,
        Some(path) => {
            file::write(path, &html::page(&report))?;
            screen.say(&format!("jitctl: the page is in {}", named(path)));
        }
        None => {}
    }
    if json {
        screen.data(&output::json(&report)?)?;
    } else if wanted.csv {
        screen.exact(&csv::heading())?;
        for access in &report.accesses {
            screen.exact(&csv::row(access))?;
        }
    } else if wanted.html.is_none() {
        screen.data(&view::summary(&report))?;
        screen.say("jitctl: each access, with all that is known of it: --html FILE, --csv or --json");
    }
    Ok(Outcome::Yes)
}

fn read(wanted: &Wanted, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Report, Failure> {
    let bad = |why: BadTime| Error::Usage(why.to_string());
    let bound = |bound: &Option<Bound>| bound.as_ref().map(Bound::utc).transpose().map_err(bad);
    let period = Period { since: bound(&wanted.since)?, until: bound(&wanted.until)? };
    let at = wanted.at.as_ref().map(When::utc).transpose().map_err(bad)?;
    let mut fold = Fold::new(period, at);
    if let Some(every) = wanted.every {
        fold = fold.attested_every(Duration::from_secs(every));
    }
    // Of this host it is known what time it is, also where its log has nothing new to say.
    if wanted.attest && wanted.files.is_empty() && period.until.is_none() {
        fold = fold.attested_by(now());
    }
    if wanted.files.is_empty() {
        of_jitd(&mut fold, jitd, screen)?;
    }
    for path in &wanted.files {
        let of_two = |why: Backwards| {
            Error::Usage(format!(
                "{}: {why}\nhint: give the exports of one host, in the order in which they were made",
                named(path)
            ))
        };
        each_record(path, |bytes| fold.take(bytes).map_err(of_two))?;
    }
    Ok(fold.finish())
}

/// Pages are read on another processor, where there is one, while those before are taken.
fn of_jitd(fold: &mut Fold, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<(), Failure> {
    thread::scope(|scope| {
        let (to_read, pages) = sync_channel::<Vec<String>>(1);
        let (to_take, read) = sync_channel(1);
        let reads = move || {
            let read = |page: Vec<String>| page.iter().map(|text| ReadRecord::of(text.as_bytes())).collect();
            let mut all = pages.into_iter().map(read);
            // Whoever takes them has gone where one was out of order.
            while all.next().is_some_and(|page: Vec<ReadRecord>| to_take.send(page).is_ok()) {}
        };
        let none = |why| Error::Usage(format!("the log cannot be read ({why})\nhint: try again"));
        thread::Builder::new().spawn_scoped(scope, reads).map_err(none)?;

        let mut reader = Reader::from(jitd, 0);
        let mut is_first = true;
        while let Some(page) = reader.page()? {
            reader.tell_what_is_archived(&page, 0, screen);
            for seq in page.damaged {
                fold.damaged();
                screen.say(&format!("jitctl: RECORD {seq} IS NOT WHAT WAS WRITTEN"));
            }
            // One page ahead of what is taken.
            drop(to_read.send(page.records));
            if !std::mem::take(&mut is_first) {
                take(fold, read.recv().into_iter().flatten())?;
            }
        }
        drop(to_read);
        take(fold, read.into_iter().flatten())
    })
}

fn take(fold: &mut Fold, read: impl Iterator<Item = ReadRecord>) -> Result<(), Failure> {
    for record in read {
        fold.take_read(record).map_err(|why| Error::Garbled(why.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
