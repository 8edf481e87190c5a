//! `audit show`: records as a table, one to a line, or the story of one request with the commands that tell more.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use clap::Args;
use jit_core::audit::format::json_inert;
use jit_core::audit::line::Line;
use jit_core::event::{Event, Record};
use jit_proto::audit::Page;
use jit_proto::manager::Session;
use jit_proto::text::Shown;
use jit_proto::words::GrantId;

use super::choose::{Filter, request_of};
use super::read::Reader;
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::Outcome;
use crate::screen::Screen;
use crate::table::properties;
use crate::times::time;
use crate::values::Id;
use crate::wakes::Wake;

/// How many are shown where nothing is said.
const LAST: usize = 100;

/// How often a log that is followed is looked at.
const EACH: Duration = Duration::from_secs(1);

/// What to show.
#[derive(Clone, Debug, Args)]
pub(crate) struct Wanted {
    /// The grant (g-…) or the request (r-…) whose story to tell
    #[arg(conflicts_with_all = ["user", "role", "service", "event", "request", "since", "until", "lines", "follow"])]
    id: Option<Id>,
    #[command(flatten)]
    filter: Filter,
    /// The last so many of those that pass [default: 100 without a filter, else all]
    #[arg(long, short = 'n', value_name = "NUMBER")]
    lines: Option<usize>,
    /// Go on with what is written from now on, until interrupted
    #[arg(long, short = 'f')]
    follow: bool,
}

pub(super) fn run(
    wanted: &Wanted,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    if let Some(id) = wanted.id {
        return story(id, json, jitd, screen);
    }
    let filter = &wanted.filter;
    let most = wanted.lines.or_else(|| filter.is_empty().then_some(LAST));
    let mut chooser = filter.begin().map_err(|why| Error::Usage(why.to_string()))?;
    let first = match most {
        // Nothing is learned from records before those that are shown.
        Some(most) if filter.is_empty() => {
            // One record says how many there are.
            let page: Page = jitd::ask(jitd, &Call::Records { first: u64::MAX, most: 1 })?;
            page.total.saturating_sub(most as u64)
        }
        _ => 0,
    };
    let mut reader = Reader::from(jitd, first);
    let mut rows = Rows::new(json, most);
    loop {
        while let Some(page) = reader.page()? {
            warn_of(&page, screen);
            for text in &page.records {
                match Record::decode(0, text.as_bytes()) {
                    Ok(record) if !chooser.wants(&record) => {}
                    Ok(record) => rows.add(text, Some(&record), screen)?,
                    // Shown as it is: a newer jitd wrote it, or nobody did.
                    Err(_) if filter.is_empty() => rows.add(text, None, screen)?,
                    Err(_) => {}
                }
            }
            if screen.is_unread() {
                return Ok(Outcome::Yes);
            }
        }
        if !wanted.follow {
            rows.end(screen)?;
            return Ok(Outcome::Yes);
        }
        rows.flush(screen)?;
        rows.most = None;
        match jitd.wakes().wait(EACH) {
            (Wake::Interrupted, _) => {
                rows.end(screen)?;
                return Ok(Outcome::Yes);
            }
            _ => reader.end = None,
        }
    }
}

/// Says which records are not what was written.
fn warn_of(page: &Page, screen: &mut Screen<'_>) {
    for seq in &page.damaged {
        screen.say(&format!(
            "jitctl: RECORD {seq} IS NOT WHAT WAS WRITTEN: its bytes are not those that were hashed\n\
             hint: verify the log with: jitctl audit verify"
        ));
    }
}

/// Rows on their way out. As JSON they are one array.
struct Rows {
    json: bool,
    most: Option<usize>,
    held: VecDeque<String>,
    written: usize,
}

impl Rows {
    const fn new(json: bool, most: Option<usize>) -> Self {
        Self { json, most, held: VecDeque::new(), written: 0 }
    }

    fn add(&mut self, text: &str, record: Option<&Record>, screen: &mut Screen<'_>) -> Result<(), Error> {
        self.held.push_back(if self.json { text.to_owned() } else { row(text, record) });
        match self.most {
            Some(most) => {
                while self.held.len() > most {
                    self.held.pop_front();
                }
                Ok(())
            }
            None => self.flush(screen),
        }
    }

    fn flush(&mut self, screen: &mut Screen<'_>) -> Result<(), Error> {
        while let Some(held) = self.held.pop_front() {
            let text = match (self.json, self.written) {
                (true, 0) => format!("[\n{}", json_inert(&held)),
                (true, _) => format!(",\n{}", json_inert(&held)),
                (false, 0) => format!("{HEADING}\n{held}\n"),
                (false, _) => format!("{held}\n"),
            };
            screen.data(&text)?;
            self.written += 1;
        }
        Ok(())
    }

    fn end(&mut self, screen: &mut Screen<'_>) -> Result<(), Error> {
        self.flush(screen)?;
        match (self.json, self.written) {
            (true, 0) => screen.data("[]\n"),
            (true, _) => screen.data("\n]\n"),
            (false, 0) => {
                screen.say("jitctl: no record passes these filters");
                Ok(())
            }
            (false, _) => Ok(()),
        }
    }
}

/// Aligned, whatever comes: a table that is printed while it is read knows no widths.
pub(super) const HEADING: &str = "    SEQ  TIME                  EVENT             DETAILS";

pub(super) fn row(text: &str, record: Option<&Record>) -> String {
    let Some(record) = record else { return format!("{:>7}  {}", "?", Shown(text)) };
    let line = Line::whole(record);
    let details: Vec<_> = details(&line).collect();
    format!(
        "{:>7}  {:<20}  {:<16}  {}",
        record.seq,
        time(&record.at.wall.to_string()),
        line.event,
        details.join(" ")
    )
    .trim_end()
    .to_owned()
}

/// `key=value` of each field but the number; quoted where it could be read as more than one.
fn details(line: &Line) -> impl Iterator<Item = String> {
    line.fields.iter().filter(|(key, _)| *key != "seq").map(|(key, value)| {
        let is_plain = !value.is_empty() && !value.contains([' ', '"', '=', '\\']);
        if is_plain {
            format!("{key}={}", Shown(value))
        } else {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            format!("{key}=\"{}\"", Shown(&quoted))
        }
    })
}

fn story(id: Id, json: bool, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    let page: Page = jitd::ask(jitd, &Call::Story { id })?;
    warn_of(&page, screen);
    let mut rows = Rows::new(json, None);
    if json {
        for text in &page.records {
            rows.add(text, None, screen)?;
        }
        rows.end(screen)?;
        return Ok(Outcome::Yes);
    }
    let records: Vec<_> =
        page.records.iter().map(|text| (text, Record::decode(0, text.as_bytes()).ok())).collect();
    let request = request_of(id);
    let asked = records.iter().find_map(|(_, record)| {
        let Event::Requested { request: asked } = &record.as_ref()?.event else { return None };
        (asked.id == request).then_some(asked)
    });
    if let Some(asked) = asked {
        let head = [
            ("Who", format!("{} (uid {})", asked.beneficiary.name, asked.beneficiary.uid)),
            ("Role", asked.role.to_string()),
            ("Reason", asked.reason.to_string()),
            ("Asked by", asked.filed_by.to_string()),
            ("Digest", asked.digest().to_string()),
        ];
        screen.data(&format!("{}\n", properties(&request.to_string(), &head)))?;
    }
    for (text, record) in &records {
        rows.add(text, record.as_ref(), screen)?;
    }
    rows.end(screen)?;
    let told = || records.iter().filter_map(|(_, record)| record.as_ref());
    let mut sessions = audit_sessions(told());
    if may_be_in(told()) {
        // What is found out of a session that is open enters the log with the record of its end.
        let all: Vec<Session> = jitd::ask(jitd, &Call::Sessions)?;
        let grant = GrantId::from(request).to_string();
        for open in all.iter().filter(|one| one.grant == grant) {
            sessions.extend(open.audit);
            screen.data(&format!(
                "\nOpen now: session {} at {}, in {}\n",
                open.id,
                open.service,
                unit(open)
            ))?;
        }
    }
    if !sessions.is_empty() {
        screen.data("\nTo look further, where auditd runs:\n")?;
        for session in sessions {
            screen.data(&format!("  ausearch --session {session} --interpret\n"))?;
        }
    }
    Ok(Outcome::Yes)
}

fn unit(open: &Session) -> String {
    open.unit.as_ref().map_or_else(|| "no unit that is known".to_owned(), |unit| Shown(unit).to_string())
}

/// Whether a session may be open: one was admitted, and no record says that it is over.
fn may_be_in<'a>(records: impl Iterator<Item = &'a Record>) -> bool {
    let mut open = BTreeSet::new();
    for record in records {
        if record.event.opening().is_some() || matches!(record.event, Event::Allowed { .. }) {
            open.insert(record.seq);
        }
        if let Some((session, _)) = record.event.leaving() {
            open.remove(&session);
        }
    }
    !open.is_empty()
}

/// The audit sessions of the logins in a story, as the kernel numbered them.
fn audit_sessions<'a>(records: impl Iterator<Item = &'a Record>) -> BTreeSet<u32> {
    let of = |record: &Record| {
        let event = &record.event;
        let opener = match event.opening() {
            Some(opening) => opening.opener,
            None => event.leaving()?.1?.opener,
        };
        opener?.audit
    };
    records.filter_map(of).collect()
}
