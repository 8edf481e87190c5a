//! The records of all hosts by time, read a second time, a line of each host at once. Of one host they stay in the order of
//! their numbers, whatever its clock did.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, Take};

use jit_core::audit::format::json_inert;
use jit_core::event::Record;
use jit_core::proof::merkle::{Frontier, leaf};
use jit_core::proof::preface::Preface;
use jit_core::time::Utc;

use super::host::{Judged, place_of};
use crate::cmd::audit::choose::Chooser;
use crate::cmd::audit::read::{next_line, unreadable};
use crate::cmd::audit::show::{HEADING, row};
use crate::error::Error;
use crate::output;
use crate::screen::Screen;

/// What is still to be written.
pub(super) struct Timeline<'a> {
    hosts: Vec<Stream<'a>>,
    /// How wide the column of hosts is.
    width: usize,
    json: bool,
}

/// The records of one host, on their way.
struct Stream<'a> {
    host: &'a Judged,
    chooser: Chooser<'a>,
    /// The file that is open, and the place of the next.
    open: Option<Take<BufReader<File>>>,
    part: usize,
    /// The number that the next record has or is above.
    next: u64,
    /// Over what was read again.
    tree: Frontier,
    line: Vec<u8>,
    record: Option<Record>,
    at: Utc,
}

impl<'a> Timeline<'a> {
    pub(super) fn of(hosts: &'a [Judged], choosers: Vec<Chooser<'a>>, json: bool) -> Self {
        let width = hosts.iter().map(|host| host.host.chars().count()).max().unwrap_or(0).max(4);
        let hosts = hosts.iter().zip(choosers).map(|(host, chooser)| Stream {
            host,
            chooser,
            open: None,
            part: 0,
            next: 0,
            tree: Frontier::default(),
            line: Vec::new(),
            record: None,
            at: Utc::from_unix_millis(0),
        });
        Self { hosts: hosts.collect(), width, json }
    }

    /// Writes all of it, and says of each host whether its files had changed since they were judged.
    pub(super) fn write(mut self, screen: &mut Screen<'_>) -> Result<Vec<bool>, Error> {
        let mut due = BinaryHeap::new();
        for (index, stream) in self.hosts.iter_mut().enumerate() {
            if stream.step()? {
                due.push(Reverse((stream.at, index)));
            }
        }
        let mut written = self.begin(screen)?;
        while let Some(Reverse((_, index))) = due.pop() {
            let Some(stream) = self.hosts.get_mut(index) else { break };
            if stream.is_wanted() {
                let text = stream.text(self.width, self.json, written == 0);
                screen.data(&text)?;
                written += 1;
            }
            if screen.is_unread() {
                break;
            }
            if stream.step()? {
                due.push(Reverse((stream.at, index)));
            }
        }
        if self.json {
            screen.data("\n  ]\n}\n")?;
        }
        Ok(self.hosts.iter().map(Stream::has_changed).collect())
    }

    fn begin(&self, screen: &mut Screen<'_>) -> Result<u64, Error> {
        if self.json {
            let hosts: Vec<_> = self.hosts.iter().map(|stream| stream.host).collect();
            let hosts = output::json(&hosts)?;
            screen.data(&format!("{{\n  \"hosts\": {},\n  \"records\": [", hosts.trim_end()))?;
        } else {
            screen.data(&format!("{:<width$}  {HEADING}\n", "HOST", width = self.width))?;
        }
        Ok(0)
    }
}

impl Stream<'_> {
    /// Goes to the next record; false at the end.
    fn step(&mut self) -> Result<bool, Error> {
        loop {
            let Some(leg) = self.host.legs.get(self.part) else { return Ok(false) };
            if self.open.is_none() {
                self.open = Some(leg.open()?);
            }
            let Some(input) = &mut self.open else { return Ok(false) };
            if next_line(input, &mut self.line).map_err(|why| unreadable(&leg.path, &why))? == 0 {
                self.open = None;
                self.part += 1;
                continue;
            }
            if Preface::is_one(&self.line) {
                continue;
            }
            let place = place_of(&self.line, self.next);
            if place < self.next {
                continue;
            }
            if place == self.tree.size() {
                self.tree.append(leaf(&self.line));
            }
            self.next = place.saturating_add(1);
            self.record = Record::decode(place, &self.line).ok();
            if let Some(record) = &self.record {
                self.at = record.at.wall;
            }
            return Ok(true);
        }
    }

    /// Whether the record passes the filters. What cannot be read passes if all do.
    fn is_wanted(&mut self) -> bool {
        match &self.record {
            Some(record) => self.chooser.wants(record),
            None => self.chooser.wants_all(),
        }
    }

    fn text(&self, width: usize, json: bool, is_first: bool) -> String {
        let bytes = String::from_utf8_lossy(&self.line);
        if json {
            let comma = if is_first { "" } else { "," };
            let host = serde_json::Value::from(self.host.host.as_str());
            // What is no record is no JSON either.
            let record = match &self.record {
                Some(_) => json_inert(&bytes),
                None => json_inert(&serde_json::Value::from(bytes.as_ref()).to_string()),
            };
            return format!(
                "{comma}\n    {{\"host\": {}, \"record\": {record}}}",
                json_inert(&host.to_string())
            );
        }
        format!("{:<width$}  {}\n", self.host.host, row(&bytes, self.record.as_ref()))
    }

    /// Whether what was read is not what was judged before.
    fn has_changed(&self) -> bool {
        let read_all = self.part >= self.host.legs.len();
        read_all && self.host.gaps.is_empty() && self.tree.root() != self.host.root
    }
}
