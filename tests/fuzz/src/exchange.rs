//! What a stranger can write into an exchange, whatever bytes it is.

use jit_core::proof::checkpoint::Signs;
use jit_core::proof::note::HostKey;
use jit_core::sign::seal::{seal, sealed};
use jit_exchange::known::Known;
use jit_exchange::listing::Listing;
use jit_exchange::names::{self, Name, Part, is_unfinished, unfinished};
use jit_exchange::segments::{MOST_WAYS, Segment, ways};

use crate::reached::{Goal, reach, reach_if};
use crate::{assert_line, assert_lines, split};

/// Takes three texts: names, a line each; what somebody knows of a host; a seal. A name has one spelling and leads nowhere
/// else, what is passed over is said in lines that can be shown, every way through the pieces of a log has no gap, and
/// nothing but the seal of a text by its key seals it. The answer is how much of it was taken.
///
/// # Panics
///
/// Where a rule is broken.
#[must_use]
pub fn exchange(bytes: &[u8]) -> usize {
    let texts = split(bytes);
    let [listed, known, line] = [0, 1, 2].map(|at| texts.get(at).copied().unwrap_or_default());
    let all: Vec<&[u8]> = listed.split(|byte| *byte == b'\n').collect();
    let mut taken = 0;
    for part in [Part::Requests, Part::Statements, Part::Logs, Part::Hosts] {
        let listing = Listing::of(part, all.iter().copied(), false);
        assert!(listing.names.len() + listing.unfinished.len() + listing.others <= all.len());
        for name in &listing.names {
            one_spelling(*name, part, &all);
        }
        for said in listing.passed_over("here", part) {
            assert_line(&said);
            reach(Goal::NamePassed);
        }
        taken += listing.names.len();
        pieces(&listing);
    }
    for name in all {
        if let Some(host) = names::host(name) {
            reach(Goal::NameHost);
            assert!(!host.as_str().starts_with('.') && !host.as_str().contains('/'));
            assert_eq!(host.as_str().as_bytes(), name);
        }
    }
    match Known::parse(known) {
        Ok(read) => {
            assert_lines(&read.text());
            assert_eq!(read.text().as_bytes(), known, "it has one form");
            taken += 1;
            reach(Goal::Known);
        }
        Err(why) => assert_line(&why.to_string()),
    }
    if let Ok(line) = std::str::from_utf8(line) {
        let key = HostKey::from_seed("db-1/jitd".parse().unwrap(), &[1; 32]);
        let is_its = sealed("a text\n", line, &key.public()) == Signs::Well;
        // Other keys may have sealed it as well.
        assert!(!is_its || line.contains(&seal("a text\n", &key)));
        taken += usize::from(is_its);
        reach_if(is_its, Goal::Sealed);
    }
    taken
}

fn one_spelling(name: Name, part: Part, all: &[&[u8]]) {
    let text = name.to_string();
    assert!(name.is_in(part) && !text.contains('/') && !text.starts_with('.'));
    assert_eq!(text.parse(), Ok(name));
    assert!(all.contains(&text.as_bytes()));
    reach(match name {
        Name::Request(_) => Goal::NameRequest,
        Name::Seal(_) => Goal::NameSeal,
        Name::Beside(_) => Goal::NameBeside,
        Name::Statement(_) => Goal::NameStatement,
        Name::Records(_) => Goal::NameRecords,
        Name::Checkpoint { .. } | Name::Key(_) | Name::Known | Name::Refused => Goal::NameOther,
    });
    let before = unfinished(name, 1, 0);
    assert!(is_unfinished(before.as_bytes()) && before.parse::<Name>().is_err());
}

fn pieces(listing: &Listing) {
    let piece = |name: &Name| if let Name::Records(piece) = name { Some(*piece) } else { None };
    let pieces: Vec<Segment> = listing.names.iter().filter_map(piece).collect();
    let found = ways(&pieces);
    assert!(found.len() <= MOST_WAYS);
    for way in found {
        reach(Goal::Ways);
        assert_eq!(way[0].first, 0);
        assert!(way.windows(2).all(|pair| pair[0].next == pair[1].first));
        assert!(way.iter().all(|piece| pieces.contains(piece)));
    }
}
