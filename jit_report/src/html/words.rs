//! Values as people read them.

use std::time::Duration;

use jit_core::duration::Human;
use jit_core::time::Utc;
use jit_proto::text::Shown;
use maud::{Markup, html};

/// Text that people typed, with what nobody sees written out.
pub(super) fn shown(text: &str) -> String {
    Shown(text).to_string()
}

/// To the second, and to a program exact.
pub(super) fn time(at: Utc) -> Markup {
    html! { time datetime=(at) { (at.to_seconds().replace('T', " ")) } }
}

pub(super) fn maybe(at: Option<Utc>) -> Markup {
    html! { @if let Some(at) = at { (time(at)) } @else { "–" } }
}

/// To a tenth of a second where that matters.
pub(super) fn duration(millis: u64) -> String {
    if millis < 60_000 {
        format!("{}.{} s", millis / 1000, millis % 1000 / 100)
    } else {
        Human(Duration::from_millis(millis)).to_string()
    }
}

pub(super) fn seconds(seconds: u64) -> String {
    Human(Duration::from_secs(seconds)).to_string()
}

pub(super) fn percent(of_a_hundred: u64) -> String {
    format!("{of_a_hundred} %")
}

/// With a thin space between thousands, as ISO 80000-1 has it.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// How much of something, as a bar beside its number.
pub(super) fn bar(used: Option<u64>) -> Markup {
    html! {
        @if let Some(used) = used {
            (percent(used))
            svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                rect class="window" width="100" height="8" {}
                rect class="used" width=(used.min(100)) height="8" {}
            }
        } @else { "–" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_parted_at_thousands_and_short_times_have_a_tenth() {
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((duration(1_290).as_str(), duration(60_900).as_str()), ("1.2 s", "1m"));
    }
}
