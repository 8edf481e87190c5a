//! What a folder of the exchange has, by the names that were read from it: nothing is opened to tell.

use jit_proto::text::Shown;

use crate::names::{Name, Part, is_unfinished};

/// The names of one folder, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Those of the exchange, in their order.
    pub names: Vec<Name>,
    /// Those of files that were not written to their end, or are being written.
    pub unfinished: Vec<String>,
    /// How many others there are: they are somebody else's, and left alone.
    pub others: usize,
    /// One of those, as it can be shown.
    pub example: Option<String>,
    /// Whether there are more than are read.
    pub more: bool,
}

impl Listing {
    /// Sorts the names of a folder of this part. `more` is whether there are others that were not read.
    #[must_use]
    pub fn of<'n>(part: Part, names: impl IntoIterator<Item = &'n [u8]>, more: bool) -> Self {
        let mut listing = Self { more, ..Self::default() };
        for bytes in names {
            let text = std::str::from_utf8(bytes).ok();
            let name = text.and_then(|text| text.parse::<Name>().ok()).filter(|name| name.is_in(part));
            if let Some(name) = name {
                listing.names.push(name);
            } else if let Some(text) = text.filter(|_| is_unfinished(bytes)) {
                listing.unfinished.push(text.to_owned());
            } else {
                listing.others += 1;
                listing.example.get_or_insert_with(|| shown(bytes));
            }
        }
        listing.names.sort_unstable();
        listing.names.dedup();
        listing
    }

    /// What a person should know of what is passed over; `what` names the folder.
    #[must_use]
    pub fn passed_over(&self, what: &str, part: Part) -> Vec<String> {
        let mut said = Vec::new();
        if self.more {
            said.push(format!(
                "{what} has more than {} files; the rest is not read: take out what is old",
                part.most()
            ));
        }
        if let Some(example) = &self.example {
            let names = if self.others == 1 {
                "a name that is".to_owned()
            } else {
                format!("{} names that are", self.others)
            };
            said.push(format!("{what} has {names} not of an exchange, and left alone: {example}"));
        }
        said
    }
}

/// A name that anybody may have given, cut to what a line holds.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    let text = Shown(&String::from_utf8_lossy(bytes)).to_string();
    if text.chars().count() <= 80 {
        return text;
    }
    let cut: String = text.chars().take(79).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::unfinished;
    use jit_core::digest::Digest;

    #[test]
    fn names_are_sorted_into_what_is_read_what_is_unfinished_and_what_is_somebody_elses() {
        let (one, two) = (Name::Statement(Digest::of(b"1")), Name::Statement(Digest::of(b"2")));
        let texts = [one.to_string(), two.to_string(), unfinished(one, 1, 0), "notes.txt".into()];
        let mut bytes: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        bytes.extend([&b"\x1b[2J\xff"[..], one.to_string().leak().as_bytes()]);
        let listing = Listing::of(Part::Statements, bytes, false);
        let mut names = vec![one, two];
        names.sort();
        assert_eq!(listing.names, names);
        assert_eq!(listing.unfinished, [unfinished(one, 1, 0)]);
        assert_eq!(listing.others, 2);
        let said = listing.passed_over("statements", Part::Statements);
        assert_eq!(said.len(), 1);
        assert!(
            said[0].contains("2 names that are not of an exchange") && !said[0].contains('\x1b'),
            "{said:?}"
        );
    }

    #[test]
    fn a_name_of_another_part_is_not_one_of_this() {
        let name = Name::Request(Digest::of(b"1")).to_string();
        assert_eq!(Listing::of(Part::Statements, [name.as_bytes()], false).names, []);
        assert_eq!(Listing::of(Part::Requests, [name.as_bytes()], false).names.len(), 1);
    }

    #[test]
    fn where_there_is_more_than_is_read_somebody_is_told() {
        let said = Listing::of(Part::Statements, [], true).passed_over("statements", Part::Statements);
        assert!(said[0].starts_with("statements has more than 16384 files"), "{said:?}");
    }
}
