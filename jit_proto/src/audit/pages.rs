//! Pages of the log as they come over the pipe of `Audit.Stream`, one behind the other: the length of a head (four bytes), the
//! head, and the bytes of the records that it tells of. A head is numbers of eight bytes: `next`, `total`, `begins`, how many
//! records there are, the length of each, and which are damaged. All numbers have the lowest byte first. A page without
//! records is the last: a pipe that ends before one was broken off.

use super::{PAGE_BYTES, Page};

/// The longest head.
pub const MOST_OF_A_HEAD: usize = 512 * 1024;

/// The most bytes of records in a page: one that is full but for a byte, and then a record as long as any is.
pub const MOST_OF_A_BODY: u64 = PAGE_BYTES as u64 + 64 * 1024 * 1024;

/// What is said of a page before its records come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    next: u64,
    total: u64,
    begins: u64,
    /// How many bytes each record has.
    lengths: Vec<u64>,
    damaged: Vec<u64>,
}

impl Page {
    /// The page as it goes over the pipe; none if it is longer than any is.
    #[must_use]
    pub fn to_frame(&self) -> Option<Vec<u8>> {
        let lengths: Vec<u64> = self.records.iter().map(|record| record.len() as u64).collect();
        let body = usize::try_from(sum(&lengths)?).ok()?;
        let told = [self.next, self.total, self.begins, lengths.len() as u64];
        let numbers = || told.iter().chain(&lengths).chain(&self.damaged);
        let head = 8 * numbers().count();
        if head > MOST_OF_A_HEAD {
            return None;
        }
        let mut frame = Vec::with_capacity(4 + head + body);
        frame.extend_from_slice(&u32::try_from(head).ok()?.to_le_bytes());
        frame.extend(numbers().flat_map(|number| number.to_le_bytes()));
        for record in &self.records {
            frame.extend_from_slice(record.as_bytes());
        }
        Some(frame)
    }
}

impl Head {
    /// Reads one; none if it is none of ours.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks();
        let mut numbers = numbers.iter().map(|number| u64::from_le_bytes(*number));
        let (next, total, begins) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let records = usize::try_from(numbers.next()?).ok()?;
        let lengths: Vec<u64> = numbers.by_ref().take(records).collect();
        let is_whole = rest.is_empty() && lengths.len() == records;
        is_whole.then(|| Self { next, total, begins, lengths, damaged: numbers.collect() })
    }

    /// How many bytes of records come behind it; none if no page has so many.
    #[must_use]
    pub fn body(&self) -> Option<u64> {
        sum(&self.lengths)
    }

    /// The page, with what came behind its head; none if that is not what it told.
    #[must_use]
    pub fn page(self, body: &[u8]) -> Option<Page> {
        let Self { next, total, begins, lengths, damaged } = self;
        let mut rest = body;
        let mut records = Vec::with_capacity(lengths.len());
        for length in lengths {
            let (record, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            records.push(str::from_utf8(record).ok()?.to_owned());
            rest = behind;
        }
        rest.is_empty().then_some(Page { records, next, total, damaged, begins, archived: Vec::new() })
    }
}

fn sum(lengths: &[u64]) -> Option<u64> {
    let all = lengths.iter().try_fold(0_u64, |all, length| all.checked_add(*length));
    all.filter(|all| *all <= MOST_OF_A_BODY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(records: &[&str]) -> Page {
        let records: Vec<String> = records.iter().map(|record| (*record).to_owned()).collect();
        let next = 7 + records.len() as u64;
        Page { records, next, total: 90, damaged: vec![8], begins: 5, archived: Vec::new() }
    }

    fn read(frame: &[u8]) -> Option<Page> {
        let (length, rest) = frame.split_first_chunk()?;
        let (head, body) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let head = Head::parse(head)?;
        assert_eq!(head.body(), Some(body.len() as u64).filter(|_| head.clone().page(body).is_some()));
        head.page(body)
    }

    #[test]
    fn a_page_comes_over_the_pipe_as_it_was_and_none_that_was_cut_off_is_one() {
        for records in [&[][..], &[""], &["{\"seq\":7}", "", "\u{202e}\n\0 no JSON", "ß"]] {
            let page = page(records);
            assert_eq!(read(&page.to_frame().unwrap()), Some(page));
        }
        let whole = page(&["{\"seq\":7}", "ß"]).to_frame().unwrap();
        for length in 0..whole.len() {
            let cut = &whole[..length];
            let head = cut.split_first_chunk().and_then(|(length, rest)| {
                let (head, body) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                Head::parse(head)?.page(body)
            });
            assert_eq!(head, None, "{length} bytes of it");
        }
    }

    #[test]
    fn a_head_that_tells_of_more_than_a_page_has_is_none() {
        let head = |lengths: &[u64]| {
            let numbers = [&[1, 1, 0, lengths.len() as u64], lengths].concat();
            Head::parse(&numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(head(&[1, 2]).body(), Some(3));
        assert_eq!(head(&[MOST_OF_A_BODY]).body(), Some(MOST_OF_A_BODY));
        assert_eq!(head(&[MOST_OF_A_BODY, 1]).body(), None);
        assert_eq!(head(&[u64::MAX, 2]).body(), None, "and no sum runs over");
        assert_eq!(head(&[1, 2]).page(b"abcd"), None, "more came than it told");
        assert_eq!(head(&[1]).page(b"\xff"), None);
    }

    #[test]
    fn whatever_bytes_are_a_head_they_are_read_or_refused() {
        let numbers = |all: &[u64]| all.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
        for bytes in
            [&b""[..], b"{\"next\":1}", &[0xff; 40], &numbers(&[1, 1, 0]), &numbers(&[1, 1, 0, 2, 5])]
        {
            assert_eq!(Head::parse(bytes), None, "{bytes:?}");
        }
        assert!(Head::parse(&numbers(&[1, 1, 0, 1, 5, 7])).is_some());
    }
}
