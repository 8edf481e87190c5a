//! `audit show`: records as a table, one to a line, or the story of one request with the commands that tell more.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use clap::Args;
use jit_core::audit::format::json_inert;
use jit_core::audit::line::Line;
use jit_core::event::{Event, Record};
use jit_core::model::Request;
use jit_proto::audit::{InArchive, Page};
use jit_proto::manager::Session;
use jit_proto::text::Shown;
use jit_proto::words::{GrantId, RequestId};

use super::choose::{Filter, request_of};
use super::further::{AUSEARCH, Leads, commands};
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
    /// Of one story: show also what auditd recorded of its sessions, where it runs. For root
    #[arg(long, requires = "id")]
    commands: bool,
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
        return story(wanted, id, json, jitd, screen);
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
            reader.tell_what_is_archived(&page, first, screen);
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

fn story(
    wanted: &Wanted,
    id: Id,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    if json && wanted.commands {
        return Err(Error::Usage("--commands is text of auditd's, and no JSON".to_owned()).into());
    }
    let request = request_of(id);
    let mut rows = Rows::new(json, None);
    let (mut leads, mut open) = (Leads::default(), BTreeSet::new());
    let mut archived: Vec<InArchive> = Vec::new();
    let mut first = 0;
    // Records come a page at a time, and go: a window may have been used for as long as there are records.
    loop {
        let page: Page = jitd::ask(jitd, &Call::StoryFrom { id, first })?;
        warn_of(&page, screen);
        let read = |text: &String| if json { None } else { Record::decode(0, text.as_bytes()).ok() };
        let records: Vec<_> = page.records.iter().map(|text| (text, read(text))).collect();
        if let Some(asked) = records.iter().find_map(|(_, record)| asked(record.as_ref()?, request)) {
            screen.data(&head(asked))?;
        }
        for (text, record) in &records {
            if let Some(record) = record {
                leads.take(record);
                may_be_in(record, &mut open);
            }
            rows.add(text, record.as_ref(), screen)?;
        }
        for more in page.archived {
            match archived.last_mut().filter(|last| last.first == more.first) {
                Some(last) => last.records.extend(more.records),
                None => archived.push(more),
            }
        }
        // One that goes nowhere would be asked for again and again.
        if page.next >= page.total || page.next <= first || screen.is_unread() {
            break;
        }
        first = page.next;
    }
    if !archived.is_empty() {
        // There are some, though none is here.
        rows.written = rows.written.max(1);
    }
    rows.end(screen)?;
    if json {
        archived.clear();
    }
    for InArchive { file, digest, records, .. } in archived {
        let numbers: Vec<_> = records.iter().map(u64::to_string).collect();
        screen.data(&format!(
            "\nIn the archive {} (sha256 {digest}): records {}\n",
            Shown(&file),
            numbers.join(", ")
        ))?;
    }
    if !open.is_empty() {
        // What is found out of a session that is open enters the log with the record of its end.
        let all: Vec<Session> = jitd::ask(jitd, &Call::Sessions)?;
        let grant = GrantId::from(request).to_string();
        for open in all.iter().filter(|one| one.grant == grant) {
            leads.sessions.extend(open.audit);
            screen.data(&format!(
                "\nOpen now: session {} at {}, in {}\n",
                open.id,
                open.service,
                unit(open)
            ))?;
        }
    }
    if !json {
        screen.data(&leads.text())?;
    }
    if wanted.commands {
        commands(&leads.sessions, &AUSEARCH, screen)?;
    }
    Ok(Outcome::Yes)
}

fn asked(record: &Record, id: RequestId) -> Option<&Request> {
    let Event::Requested { request } = &record.event else { return None };
    (request.id == id).then_some(request)
}

fn head(asked: &Request) -> String {
    let head = [
        ("Who", format!("{} (uid {})", asked.beneficiary.name, asked.beneficiary.uid)),
        ("Role", asked.role.to_string()),
        ("Reason", asked.reason.to_string()),
        ("Asked by", asked.filed_by.to_string()),
        ("Digest", asked.digest().to_string()),
    ];
    format!("{}\n", properties(&asked.id.to_string(), &head))
}

fn unit(open: &Session) -> String {
    open.unit.as_ref().map_or_else(|| "no unit that is known".to_owned(), |unit| Shown(unit).to_string())
}

/// Sessions that may be open: one was admitted, and no record says that it is over.
fn may_be_in(record: &Record, open: &mut BTreeSet<u64>) {
    let is_let_in = matches!(&record.event, Event::Allowed { basis, .. } if !basis.awaits_key);
    if record.event.opening().is_some() || is_let_in {
        open.insert(record.seq);
    }
    if let Some((session, _)) = record.event.leaving() {
        open.remove(&session);
    }
}
