//! Arms of a `match` that take whatever is left, read from the source as rustfmt writes it: the arms of one `match` begin at
//! the same column, and the `match` before them further left.
//!
//! clippy's `wildcard_enum_match_arm`, which is on in every crate that ships, sees those over an enum itself; these are
//! those over what contains one, as a tuple or an `Option` does.

/// The wildcard arms that stand beside an arm which names one of these enums, by line number.
#[must_use]
pub fn wildcard_arms(lines: &[(usize, String)], enums: &[&str]) -> Vec<usize> {
    let names_one = |line: &str| {
        let pattern = line.split("=>").next().unwrap_or_default();
        enums.iter().any(|name| {
            let path = format!("{name}::");
            pattern
                .match_indices(&path)
                .any(|(at, _)| !pattern[..at].ends_with(|c: char| c.is_alphanumeric()))
        })
    };
    let mut found = Vec::new();
    for (place, (number, line)) in lines.iter().enumerate() {
        if is_wildcard(line.trim_start()) {
            let column = column(line);
            let mut siblings = lines[..place]
                .iter()
                .rev()
                .map(|(_, before)| before)
                .filter(|before| !before.trim().is_empty())
                .take_while(|before| self::column(before) >= column)
                .filter(|before| self::column(before) == column);
            if siblings.any(|before| names_one(before)) {
                found.push(*number);
            }
        }
    }
    found
}

/// Whether an arm takes whatever is left: `_`, a name alone, or a tuple of nothing else; a condition changes nothing.
fn is_wildcard(line: &str) -> bool {
    let Some((pattern, _)) = line.split_once(" =>") else { return false };
    let pattern = pattern.split(" if ").next().unwrap_or_default();
    let is_name = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let parts = pattern.trim_matches(['(', ')']).split(", ");
    !pattern.is_empty() && parts.into_iter().all(|part| !part.is_empty() && is_name(part))
}

fn column(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<usize> {
        let lines: Vec<_> = (1..).zip(text.lines().map(str::to_owned)).collect();
        wildcard_arms(&lines, &["Event"])
    }

    #[test]
    fn an_arm_that_takes_what_is_left_of_an_enum_is_found_wherever_the_enum_is() {
        let arms = |pattern: &str, last: &str| {
            format!("match it {{\n    {pattern} => {{\n        1\n    }}\n    {last} => 2,\n}}\n")
        };
        for last in ["_", "other", "_ if late", "(_, _)", "event"] {
            assert_eq!(found(&arms("Event::Stopped", last)), [5], "{last}");
            assert_eq!(found(&arms("Some(Event::Started { .. })", last)), [5], "{last}");
            assert_eq!(found(&arms("(Event::Stopped, 1)", last)), [5], "{last}");
        }
        for last in ["Event::Stopped", "Some(_)", "None", "Err(err)", "(Event::Stopped, _)"] {
            assert!(found(&arms("Event::Started", last)).is_empty(), "{last}");
        }
        assert!(found(&arms("PastEvent::Stopped", "_")).is_empty(), "another enum");
        assert!(found(&arms("1", "_")).is_empty());
    }

    #[test]
    fn the_arms_of_a_match_within_another_are_not_those_of_the_outer_one() {
        let nested =
            "match it {\n    Event::Stopped => match count {\n        0 => 1,\n        _ => 2,\n    },\n}\n";
        assert!(found(nested).is_empty());
    }
}
