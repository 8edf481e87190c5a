//! The log as jitd gives it out, page by page, and as it was exported, line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use jit_core::proof::preface::Preface;
use jit_proto::audit::pages::{Head, MOST_OF_A_HEAD};
use jit_proto::audit::{PAGE_RECORDS, Page};
use jit_proto::text::Shown;

use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::screen::Screen;

/// The longest record that is read from a file; jitd writes none that comes near it.
const LONGEST_RECORD: u64 = 64 * 1024 * 1024;

/// Reads the log from one record on to where it ended when the reading began: the first page is asked for, and what there is
/// more comes over a pipe.
pub(crate) struct Reader<'a> {
    jitd: &'a dyn Jitd,
    pub(super) next: u64,
    /// Where it ends; not known before the first page.
    pub(super) end: Option<u64>,
    way: Way,
}

/// How the next page comes.
enum Way {
    /// It is asked for, and a pipe for those behind it.
    Asked,
    /// It comes over a pipe.
    Piped(Box<dyn Read>),
}

impl<'a> Reader<'a> {
    pub(crate) fn from(jitd: &'a dyn Jitd, first: u64) -> Self {
        Self { jitd, next: first, end: None, way: Way::Asked }
    }

    /// Says of the first page if archives have what is between where the reading was to begin, and it.
    pub(crate) fn tell_what_is_archived(&self, page: &Page, first: u64, screen: &mut Screen<'_>) {
        let count = page.records.len() as u64;
        let begins = page.begins;
        if begins > first && self.next == begins.saturating_add(count) {
            screen.say(&format!(
                "jitctl: the records before {begins} are in archives, and are left out (see: jitctl audit archive --list)"
            ));
        }
    }

    /// The next page; none at the end.
    pub(crate) fn page(&mut self) -> Result<Option<Page>, Failure> {
        let left = self.end.map(|end| end.saturating_sub(self.next));
        if left == Some(0) {
            return Ok(None);
        }
        let piped = if let Way::Piped(pipe) = &mut self.way { next_page(pipe).ok() } else { None };
        let page = match piped {
            Some(page) => page,
            None => self.ask()?,
        };
        // A page that goes nowhere would be asked for again and again.
        if page.records.is_empty() || page.next <= self.next {
            self.end = Some(self.next);
            return Ok(None);
        }
        self.next = page.next;
        Ok(Some(page))
    }

    /// Asks for the next page, and for a pipe if there is more behind it. So one that broke off, or was given up since nobody
    /// read it for long, is gone on from.
    fn ask(&mut self) -> Result<Page, Failure> {
        let left = self.end.map(|end| end.saturating_sub(self.next));
        let most = left.map_or(0, |left| u32::try_from(left).unwrap_or(0).min(PAGE_RECORDS));
        let page: Page = jitd::ask(self.jitd, &Call::Records { first: self.next, most })?;
        let end = *self.end.get_or_insert(page.total);
        self.way = Way::Asked;
        if !page.records.is_empty() && page.next < end {
            let call = Call::Stream { first: page.next, end };
            let pipe = self.jitd.pipe(&call).map_err(|error| Failure::at(error, &call))?;
            self.way = pipe.map_or(Way::Asked, Way::Piped);
        }
        Ok(page)
    }
}

/// The next page of a pipe. An error is also what breaks off before the page that says it is the last.
fn next_page(pipe: &mut impl Read) -> io::Result<Page> {
    let garbled = || io::Error::from(io::ErrorKind::InvalidData);
    let mut length = [0; 4];
    pipe.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_le_bytes(length)).ok().filter(|length| *length <= MOST_OF_A_HEAD);
    let mut head = vec![0; length.ok_or_else(garbled)?];
    pipe.read_exact(&mut head)?;
    let head = Head::parse(&head).ok_or_else(garbled)?;
    let length = head.body().and_then(|length| usize::try_from(length).ok());
    let mut body = vec![0; length.ok_or_else(garbled)?];
    pipe.read_exact(&mut body)?;
    head.page(&body).ok_or_else(garbled)
}

/// What a file is called in messages.
pub(crate) fn named(path: &Path) -> String {
    if path.as_os_str() == "-" {
        return "standard input".to_owned();
    }
    Shown(&path.display().to_string()).to_string()
}

pub(super) fn unreadable(path: &Path, why: &io::Error) -> Error {
    Error::Usage(format!("{} cannot be read ({why})", named(path)))
}

/// Hands over the records of an export; `-` is standard input.
pub(crate) fn each_record(
    path: &Path,
    mut take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    each_line(path, |line| if Preface::is_one(line) { Ok(()) } else { take(line) })
}

/// Hands over the lines of an export, without their ends: its records, and what proves them.
pub(super) fn each_line(path: &Path, mut take: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
    let mut input: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|why| unreadable(path, &why))?))
    };
    let mut line = Vec::new();
    while next_line(&mut input, &mut line).map_err(|why| unreadable(path, &why))? > 0 {
        take(&line)?;
    }
    Ok(())
}

/// Reads the next line of an export, without its end, and returns how many bytes it has with that: none at the end of the
/// file.
pub(super) fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    let read = input.by_ref().take(LONGEST_RECORD).read_until(b'\n', line)?;
    line.truncate(line.strip_suffix(b"\n").map_or(line.len(), <[u8]>::len));
    Ok(read)
}
