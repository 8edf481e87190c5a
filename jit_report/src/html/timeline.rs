//! When each window was open and used, as a drawing. The table of accesses says the same in words.

use jit_core::time::Utc;
use maud::{Markup, html};

use super::words::{seconds, shown};
use crate::report::Report;
use crate::rows::Access;

/// So many rows can be told apart on a few screens; the table has them all.
const MOST: usize = 100;

const WIDTH: i64 = 1000;
/// Where the names stand.
const NAMES: i64 = 230;
const ROW: i64 = 20;
const TICKS: i64 = 5;

/// From when to when the drawing is, in milliseconds.
struct Scale {
    from: i64,
    to: i64,
}

impl Scale {
    fn of(rows: &[&Access], as_of: Utc) -> Self {
        let from = rows.iter().map(|row| row.asked).min().unwrap_or(as_of).unix_millis();
        let to = as_of.unix_millis().max(from + 1000);
        Self { from, to }
    }

    fn x(&self, at: Utc) -> i64 {
        let at = at.unix_millis().clamp(self.from, self.to);
        // Milliseconds of thousands of years, times a thousand, fit.
        NAMES + (at - self.from) * (WIDTH - NAMES - 60) / (self.to - self.from)
    }

    fn tick(&self, number: i64) -> Utc {
        Utc::from_unix_millis(self.from + (self.to - self.from) / TICKS * number)
    }
}

pub(super) fn section(report: &Report) -> Markup {
    let all: Vec<&Access> = report.accesses.iter().filter(|row| row.opened.is_some()).collect();
    let rows = &all[all.len().saturating_sub(MOST)..];
    html! {
        "\n" h2 id="timeline" { "Timeline" }
        @match report.as_of.filter(|_| !rows.is_empty()) {
            None => p { "No window was open." },
            Some(as_of) => {
                @if rows.len() < all.len() {
                    p { "The last " (rows.len()) " of " (all.len()) " windows; the table below has the others." }
                }
                p class="soft" {
                    span class="key window" {} "window"
                    span class="key used" {} "from first login to last session gone"
                    span class="key asked" {} "asked for"
                }
                div class="scroll" role="region" aria-label="Timeline" tabindex="0" { (drawing(rows, as_of)) }
            },
        }
    }
}

fn drawing(rows: &[&Access], as_of: Utc) -> Markup {
    let scale = Scale::of(rows, as_of);
    let count = i64::try_from(rows.len()).unwrap_or(0);
    let height = count * ROW + 30;
    html! {
        svg class="timeline" viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-labelledby="timeline-title timeline-desc" {
            title id="timeline-title" { "When windows were open and used" }
            desc id="timeline-desc" {
                (count) " windows, from " (time_of(scale.tick(0))) " to " (time_of(as_of))
                ", one to a line, by the time when they were asked for. The table of accesses has the same in words."
            }
            @for number in 0..=TICKS {
                @let at = scale.tick(number);
                line class="grid" x1=(scale.x(at)) x2=(scale.x(at)) y1="18" y2=(height) {}
                text x=(scale.x(at)) y="12" text-anchor="middle" { (short(at)) }
            }
            @for (row, index) in rows.iter().zip(0_i64..) { (line(row, &scale, 24 + index * ROW, as_of)) }
        }
    }
}

fn line(row: &Access, scale: &Scale, y: i64, as_of: Utc) -> Markup {
    let opened = row.opened.unwrap_or(row.asked);
    let (from, to) = (scale.x(opened), scale.x(row.ended.unwrap_or(as_of)));
    let used = row.first_login.map(|first| {
        let last = row.last_gone.max(row.last_login).unwrap_or(first);
        (scale.x(first), scale.x(last))
    });
    let name = cut(&format!("{} {}", row.person, row.role));
    html! {
        "\n" g {
            title { (shown(&format!("{} {}, from {} for {}", row.person, row.role, time_of(opened), seconds(row.window_seconds.unwrap_or(0))))) }
            text x="0" y=(y + 12) { (shown(&name)) }
            line class="asked" x1=(scale.x(row.asked)) x2=(scale.x(row.asked)) y1=(y + 2) y2=(y + 14) {}
            rect class="window" x=(from) y=(y + 3) width=((to - from).max(1)) height="10" {}
            @if let Some((first, last)) = used {
                rect class="used" x=(first) y=(y + 5) width=((last - first).max(2)) height="6" {}
            }
        }
    }
}

/// What fits beside the drawing.
fn cut(name: &str) -> String {
    const FITS: usize = 34;
    if name.chars().count() <= FITS {
        return name.to_owned();
    }
    name.chars().take(FITS - 1).chain(['…']).collect()
}

fn time_of(at: Utc) -> String {
    at.to_seconds().replace('T', " ")
}

/// Month, day, hour and minute.
fn short(at: Utc) -> String {
    time_of(at).get(5..16).unwrap_or_default().to_owned()
}
