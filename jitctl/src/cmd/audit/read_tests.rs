//! The log as it is read at length: a page, and the rest over a pipe.

use jit_proto::audit::{PAGE_RECORDS, Page};

use super::read::Reader;
use crate::call::Call;
use crate::error::Error;
use crate::testing::Script;

/// The records of a page, of a log of ten.
fn page(first: u64, end: u64) -> Page {
    let records = (first..end).map(|seq| format!("{{\"seq\":{seq}}}")).collect();
    Page { records, next: end, total: 10, damaged: vec![first], ..Page::default() }
}

fn frames(pages: &[(u64, u64)]) -> Vec<u8> {
    pages.iter().flat_map(|(first, end)| page(*first, *end).to_frame().unwrap()).collect()
}

fn asked(first: u64, most: u32, end: u64) -> Script {
    Script::answers(Call::Records { first, most }, &page(first, end))
}

fn pages(script: &Script) -> Result<Vec<Page>, Error> {
    let mut reader = Reader::from(script, 0);
    let mut all = Vec::new();
    while let Some(page) = reader.page().map_err(|failure| failure.error)? {
        all.push(page);
    }
    Ok(all)
}

const PIPE: Call = Call::Stream { first: 3, end: 10 };

#[test]
fn what_does_not_fit_into_a_page_comes_over_a_pipe_and_nothing_else_is_asked_for() {
    let script = asked(0, 0, 3).piping(PIPE, frames(&[(3, 7), (7, 10), (10, 10)]));
    assert_eq!(pages(&script).unwrap(), [page(0, 3), page(3, 7), page(7, 10)]);
    assert_eq!(pages(&asked(0, 0, 10)).unwrap(), [page(0, 10)], "and what fits needs none");
}

#[test]
fn whoever_gets_no_pipe_asks_page_by_page() {
    let script = asked(0, 0, 3).then(asked(3, 7, 7)).then(asked(7, 3, 10));
    assert_eq!(pages(&script).unwrap(), [page(0, 3), page(3, 7), page(7, 10)]);
}

#[test]
fn a_pipe_that_breaks_off_at_any_byte_is_gone_on_from_and_no_record_is_lost_or_doubled() {
    let whole = frames(&[(3, 7), (7, 10)]);
    let of_first = frames(&[(3, 7)]).len();
    for length in 0..whole.len() {
        let begun = asked(0, 0, 3).piping(PIPE, whole[..length].to_vec());
        let (script, expected) = if length < of_first {
            (begun.then(asked(3, 7, 10)), vec![page(0, 3), page(3, 10)])
        } else {
            (begun.then(asked(7, 3, 10)), vec![page(0, 3), page(3, 7), page(7, 10)])
        };
        assert_eq!(pages(&script).unwrap(), expected, "{length} bytes of it");
    }
}

#[test]
fn what_comes_over_a_pipe_and_is_no_page_is_asked_for_instead() {
    for bytes in [vec![0xff; 64], b"{\"seq\":3}\n".repeat(9), frames(&[(3, 7)]).into_iter().rev().collect()] {
        let script = asked(0, 0, 3).piping(PIPE, bytes).then(asked(3, 7, 10));
        assert_eq!(pages(&script).unwrap(), [page(0, 3), page(3, 10)]);
    }
}

#[test]
fn a_log_that_goes_on_growing_is_read_to_where_it_ended() {
    let most = PAGE_RECORDS + 5;
    let first = Page { total: u64::from(most), ..page(0, 3) };
    let end = u64::from(most);
    let script = Script::answers(Call::Records { first: 0, most: 0 }, &first).piping(
        Call::Stream { first: 3, end },
        Page { next: end, total: end + 9, ..page(3, 7) }.to_frame().unwrap(),
    );
    let read = pages(&script).unwrap();
    assert_eq!(read.last().unwrap().next, end);
}
