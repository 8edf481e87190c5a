//! What is on the screen, and what each key does. It does no I/O.

use jit_core::model::Decision;
use jit_proto::manager::{Entry, Status};
use jit_proto::text::{Shown, is_unprintable};
use jit_proto::words::Reason;

use crate::call::Narrow;
use crate::cmd::reviewing::Given;
use crate::terminal::held::Size;
use crate::terminal::keys::Key;
use crate::terminal::paint::{Line, columns, fit};
use crate::times::{left, length, time};
use crate::views;

const UNREVIEWED: &str = "Nothing was reviewed.";

/// What is to be done after a key.
#[derive(Debug)]
pub(crate) enum Then {
    Stay,
    Leave,
    /// Ask jitd again.
    Look,
    /// Give this review for what was shown.
    Give(Box<Given>, Box<Entry>),
}

pub(crate) struct Model {
    /// What waits for the caller, then the windows that are open.
    rows: Vec<Row>,
    status: Status,
    /// The request under the cursor. It stays there when others come and go.
    selected: Option<String>,
    mode: Mode,
    /// What became of the last thing that was done.
    note: String,
}

struct Row {
    entry: Entry,
    waits: bool,
}

enum Mode {
    List,
    /// One entry in full, from this line on.
    Detail(Box<Entry>, usize),
    /// The reason of a denial, as far as it is typed.
    Reason(Box<Entry>, String),
    /// Whether to give a review.
    Confirm(Box<Entry>, Box<Given>),
}

impl Model {
    pub(crate) fn new(waiting: Vec<Entry>, status: Status) -> Self {
        let mut model =
            Self { rows: Vec::new(), status, selected: None, mode: Mode::List, note: String::new() };
        let status = model.status.clone();
        model.seen(waiting, status);
        model
    }

    /// What jitd says now. What is being decided stays on the screen as it was when it was shown.
    pub(crate) fn seen(&mut self, waiting: Vec<Entry>, status: Status) {
        let at = self.position();
        let open: Vec<Entry> = status.active.iter().filter(|entry| !has(&waiting, entry)).cloned().collect();
        let row = |waits| move |entry| Row { entry, waits };
        self.rows = waiting.into_iter().map(row(true)).chain(open.into_iter().map(row(false))).collect();
        self.status = status;
        if self.position().is_none() {
            // What was selected has gone: its place goes to the next.
            let at = at.unwrap_or(0).min(self.rows.len().saturating_sub(1));
            self.selected = self.rows.get(at).map(|row| row.entry.request.clone());
        }
    }

    /// Something to say, on the line above the keys.
    pub(crate) fn note(&mut self, text: String) {
        self.note = text.lines().collect::<Vec<_>>().join(" ");
    }

    pub(crate) fn key(&mut self, key: Key) -> Then {
        match std::mem::replace(&mut self.mode, Mode::List) {
            Mode::List => self.list_key(key),
            Mode::Detail(entry, top) => self.detail_key(entry, top, key),
            Mode::Reason(entry, text) => self.reason_key(entry, text, key),
            Mode::Confirm(entry, given) => match key {
                Key::Char('y' | 'Y') => Then::Give(given, entry),
                Key::Char('n' | 'N' | 'q') | Key::Escape => {
                    self.note = UNREVIEWED.into();
                    Then::Stay
                }
                Key::Up | Key::Down | Key::Enter | Key::Backspace | Key::Char(_) => {
                    self.mode = Mode::Confirm(entry, given);
                    Then::Stay
                }
            },
        }
    }

    fn list_key(&mut self, key: Key) -> Then {
        self.note.clear();
        match key {
            Key::Char('q') => return Then::Leave,
            Key::Char('r') => return Then::Look,
            Key::Char('j') | Key::Down => self.select(1),
            Key::Char('k') | Key::Up => self.select(-1),
            Key::Char('d') | Key::Enter => {
                if let Some(row) = self.selected_row() {
                    self.mode = Mode::Detail(Box::new(row.entry.clone()), 0);
                }
            }
            Key::Char('a') => self.review(self.selected.clone().as_deref(), Decision::Approve),
            Key::Char('n') => self.review(self.selected.clone().as_deref(), Decision::Deny),
            Key::Escape | Key::Backspace | Key::Char(_) => {}
        }
        Then::Stay
    }

    fn detail_key(&mut self, entry: Box<Entry>, top: usize, key: Key) -> Then {
        match key {
            Key::Char('q' | 'd') | Key::Escape | Key::Enter | Key::Backspace => {}
            Key::Char('a') => self.review(Some(&entry.request), Decision::Approve),
            Key::Char('n') => self.review(Some(&entry.request), Decision::Deny),
            Key::Char('j') | Key::Down => self.mode = Mode::Detail(entry, top.saturating_add(1)),
            Key::Char('k') | Key::Up => self.mode = Mode::Detail(entry, top.saturating_sub(1)),
            Key::Char(_) => self.mode = Mode::Detail(entry, top),
        }
        Then::Stay
    }

    fn reason_key(&mut self, entry: Box<Entry>, mut text: String, key: Key) -> Then {
        match key {
            Key::Escape => {
                self.note = UNREVIEWED.into();
                return Then::Stay;
            }
            Key::Enter => match text.parse::<Reason>() {
                Ok(reason) => {
                    self.note.clear();
                    let (decision, narrow) = (Decision::Deny, Narrow::default());
                    let given = Given { decision, narrow, note: Some(reason) };
                    self.mode = Mode::Confirm(entry, Box::new(given));
                    return Then::Stay;
                }
                Err(why) => self.note = why.to_string(),
            },
            Key::Backspace => drop(text.pop()),
            Key::Char(c) if !is_unprintable(c) && text.len() < 1024 => text.push(c),
            Key::Char(_) | Key::Up | Key::Down => {}
        }
        self.mode = Mode::Reason(entry, text);
        Then::Stay
    }

    /// Begins a review of what waits under this id.
    fn review(&mut self, request: Option<&str>, decision: Decision) {
        let mut waiting = self.rows.iter().filter(|row| row.waits);
        let Some(row) = waiting.find(|row| Some(row.entry.request.as_str()) == request) else {
            self.note = "That does not wait for your review.".into();
            return;
        };
        let entry = Box::new(row.entry.clone());
        self.mode = match decision {
            Decision::Approve => {
                let given = Given { decision, narrow: Narrow::default(), note: None };
                Mode::Confirm(entry, Box::new(given))
            }
            Decision::Deny => Mode::Reason(entry, String::new()),
        };
    }

    fn select(&mut self, step: isize) {
        let at = self.position().unwrap_or(0).saturating_add_signed(step);
        if let Some(row) = self.rows.get(at) {
            self.selected = Some(row.entry.request.clone());
        }
    }

    fn position(&self) -> Option<usize> {
        self.rows.iter().position(|row| Some(&row.entry.request) == self.selected.as_ref())
    }

    fn selected_row(&self) -> Option<&Row> {
        self.rows.get(self.position()?)
    }

    /// The screen, `age` seconds after jitd was asked: exactly as many lines as it has, none wider.
    pub(crate) fn picture(&mut self, size: Size, age: u64) -> Vec<Line> {
        let mut lines = vec![bold(&self.title())];
        if let Mode::Detail(entry, top) = &mut self.mode {
            // Nobody scrolls past the end, and then has to come back from there.
            let length = wrapped(&views::entry(entry).data, size.width).len();
            *top = (*top).min(length.saturating_sub(room(size)));
        }
        let (body, keys) = match &self.mode {
            Mode::List => (
                self.list(size, age),
                "j k select  Enter details  a approve  n deny  r refresh  q quit".to_owned(),
            ),
            Mode::Detail(entry, top) => {
                let text = wrapped(&views::entry(entry).data, size.width);
                (text.into_iter().skip(*top).collect(), "j k scroll  a approve  n deny  q back".to_owned())
            }
            Mode::Reason(entry, text) => {
                (asked(entry, size), tail("Deny because (Enter to go on, Esc to leave): ", text, size.width))
            }
            Mode::Confirm(entry, given) => {
                let question = match &given.note {
                    Some(reason) => format!("Deny this, because: {reason}"),
                    None => "Approve this, as it was asked for".to_owned(),
                };
                let mut body = asked(entry, size);
                // The question is never cut off by what it is about.
                let question = wrapped(&question, size.width);
                let room = room(size).saturating_sub(question.len() + 1);
                let more = body.len() > room;
                body.truncate(room);
                // Nobody takes a part for the whole.
                body.push(if more { bold("... n, then Enter shows all of it") } else { Line::default() });
                body.extend(question.into_iter().map(|line| Line { bold: true, ..line }));
                (body, format!("{} {}? y or n ", given.question(), entry.request))
            }
        };
        lines.extend(body.into_iter().take(room(size)));
        lines.resize_with(size.height.saturating_sub(2), Line::default);
        lines.push(plain(&self.note));
        lines.push(bold(&keys));
        // A screen of two lines shows the question; of none, nothing.
        lines.drain(..lines.len().saturating_sub(size.height));
        for line in &mut lines {
            line.text = fit(&line.text, size.width);
        }
        lines
    }

    fn title(&self) -> String {
        let waiting = self.rows.iter().filter(|row| row.waits).count();
        let Status { host, ready, active, locks, .. } = &self.status;
        let mut title =
            format!("{host}: {waiting} to review, {}", views::plural(active.len(), "open window"));
        if !locks.is_empty() {
            title += &format!(", {}", views::plural(locks.len(), "lock"));
        }
        if !ready {
            title += ", jitd NOT READY";
        }
        title
    }

    fn list(&self, size: Size, age: u64) -> Vec<Line> {
        if self.rows.is_empty() {
            return vec![Line::default(), plain("Nothing waits for your review, and no window is open.")];
        }
        let mut lines = Vec::new();
        let mut cursor = 0;
        let mut section = None;
        for row in &self.rows {
            if section != Some(row.waits) {
                section = Some(row.waits);
                lines.extend([
                    Line::default(),
                    bold(if row.waits { "Waits for your review" } else { "Open windows" }),
                ]);
            }
            let selected = Some(&row.entry.request) == self.selected.as_ref();
            if selected {
                cursor = lines.len();
            }
            let mark = if selected { '>' } else { ' ' };
            lines.push(Line { text: format!("{mark} {}", row.text(age)), bold: selected });
        }
        // What is selected is on the screen.
        let top = (cursor + 1).saturating_sub(room(size));
        lines.drain(..top);
        lines
    }
}

impl Row {
    fn text(&self, age: u64) -> String {
        let entry = &self.entry;
        let (id, time) = if self.waits {
            let until = entry.until.as_deref().map_or_else(String::new, |at| format!(", until {}", time(at)));
            let kind = if entry.emergency { "emergency, " } else { "" };
            (entry.request.as_str(), format!("{kind}{}{until}", length(entry.duration)))
        } else {
            (views::id(entry), format!("{} left", left(entry.remaining.saturating_sub(age))))
        };
        let text = format!("{id}  {}  {}  {time}  {}", views::user(entry), entry.role, entry.reason);
        Shown(&text).to_string()
    }
}

fn has(entries: &[Entry], entry: &Entry) -> bool {
    entries.iter().any(|other| other.request == entry.request)
}

/// The lines between the title and the last two.
fn room(size: Size) -> usize {
    size.height.saturating_sub(3)
}

/// A request as a reviewer has to see it.
fn asked(entry: &Entry, size: Size) -> Vec<Line> {
    wrapped(&views::request(entry), size.width)
}

/// Lines no wider than the screen: nothing that is to be decided on is hidden behind its edge.
fn wrapped(text: &str, width: usize) -> Vec<Line> {
    let width = width.saturating_sub(1).max(2);
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut part = String::new();
        for c in line.chars() {
            if columns(&part) + columns(c.encode_utf8(&mut [0; 4])) > width {
                lines.push(plain(&part));
                part = String::from("    ").chars().take(width / 4).collect();
            }
            part.push(c);
        }
        lines.push(plain(&part));
    }
    lines
}

/// A question and the end of what is being typed: that is where the eye is.
fn tail(question: &str, text: &str, width: usize) -> String {
    let left = width.saturating_sub(columns(question) + 1);
    let mut shown: Vec<char> = Vec::new();
    let mut used = 0;
    for c in text.chars().rev() {
        used += columns(c.encode_utf8(&mut [0; 4]));
        if used > left {
            break;
        }
        shown.push(c);
    }
    question.chars().chain(shown.into_iter().rev()).collect()
}

fn plain(text: &str) -> Line {
    Line { text: Shown(text).to_string(), bold: false }
}

fn bold(text: &str) -> Line {
    Line { bold: true, ..plain(text) }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
