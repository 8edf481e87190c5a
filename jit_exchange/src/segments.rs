//! Pieces of a log: which records each has, and how they go on from each other. A name may lie, and pieces of two logs
//! may stand side by side; so there may be several ways through, and which of them is the log only its checkpoints say.

use jit_core::digest::Digest;

/// Records that stand in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// The first of them.
    pub first: u64,
    /// The record behind the last.
    pub next: u64,
    /// The digest of the file.
    pub digest: Digest,
}

impl Segment {
    /// One that has a record at least.
    #[must_use]
    pub const fn new(first: u64, next: u64, digest: Digest) -> Option<Self> {
        if first < next { Some(Self { first, next, digest }) } else { None }
    }

    /// The records in the bytes of its file, each of which ends with LF; none where there are not as many as it says.
    #[must_use]
    pub fn lines<'b>(&self, bytes: &'b [u8]) -> Option<Vec<&'b [u8]>> {
        let lines: Vec<&[u8]> = bytes.strip_suffix(b"\n")?.split(|byte| *byte == b'\n').collect();
        (lines.len() as u64 == self.next - self.first).then_some(lines)
    }
}

/// So many ways through are tried. Whoever puts more than that into a folder could take the log out of it as well.
pub const MOST_WAYS: usize = 8;

/// The ways from record 0 through these pieces, each as far as it goes, the pieces with most records first: at most
/// [`MOST_WAYS`]. Where nothing begins with record 0 there is none.
#[must_use]
pub fn ways(segments: &[Segment]) -> Vec<Vec<Segment>> {
    let mut sorted = segments.to_vec();
    // Those that begin at one place side by side, the longest first.
    sorted.sort_by_key(|segment| (segment.first, std::cmp::Reverse(segment.next), segment.digest));
    sorted.dedup();
    let from = |place: u64| {
        let begin = sorted.partition_point(|segment| segment.first < place);
        let end = sorted.partition_point(|segment| segment.first <= place);
        begin..end
    };
    let mut found = Vec::new();
    // The way to here, and of each step the pieces that are still to be tried. Each step goes on to a later record.
    let mut way: Vec<Segment> = Vec::new();
    let mut untried = vec![from(0)];
    while let Some(here) = untried.last_mut() {
        let Some(segment) = here.next().map(|at| sorted[at]) else {
            untried.pop();
            way.pop();
            continue;
        };
        way.push(segment);
        let next = from(segment.next);
        if next.is_empty() {
            found.push(way.clone());
            if found.len() == MOST_WAYS {
                break;
            }
            way.pop();
        } else {
            untried.push(next);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(first: u64, next: u64, of: u8) -> Segment {
        Segment::new(first, next, Digest([of; 32])).unwrap()
    }

    #[test]
    fn pieces_go_on_from_each_other_in_whatever_order_they_are_listed() {
        let pieces = [segment(10, 25, 2), segment(0, 10, 1), segment(25, 26, 3)];
        assert_eq!(ways(&pieces), [[pieces[1], pieces[0], pieces[2]]]);
        // The same file twice is one file.
        assert_eq!(ways(&[pieces[1], pieces[1]]), [[pieces[1]]]);
    }

    #[test]
    fn a_piece_has_as_many_lines_as_it_says_and_each_ends() {
        let of = |bytes: &'static [u8]| segment(3, 5, 1).lines(bytes);
        assert_eq!(of(b"a\nb\n").unwrap(), [b"a", b"b"]);
        for bytes in [&b"a\nb"[..], b"a\n", b"a\nb\nc\n", b""] {
            assert_eq!(of(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_gap_ends_the_way_and_what_does_not_begin_at_the_beginning_is_no_way() {
        assert_eq!(ways(&[segment(0, 10, 1), segment(11, 12, 2)]), [[segment(0, 10, 1)]]);
        assert!(ways(&[segment(5, 10, 1)]).is_empty());
        assert!(ways(&[]).is_empty());
    }

    #[test]
    fn folders_of_two_carriers_give_the_ways_of_both() {
        let (a, b) = ([segment(0, 10, 1), segment(10, 30, 2)], [segment(0, 20, 3)]);
        let all = [a[0], a[1], b[0]];
        assert_eq!(ways(&all), [vec![b[0]], a.to_vec()]);
    }

    #[test]
    fn however_many_pieces_are_forged_the_ways_are_few() {
        let forged: Vec<_> = (0..40).flat_map(|at| (0..10).map(move |of| segment(at, at + 1, of))).collect();
        let found = ways(&forged);
        assert_eq!(found.len(), MOST_WAYS);
        assert!(found.iter().all(|way| way.len() == 40));
    }
}
