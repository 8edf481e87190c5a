//! The table of accesses. On a narrow screen each row is a card, so each cell says what it is; roles are spelled out, since
//! browsers take a table that is laid out otherwise for none.

use maud::{Markup, html};

use super::words::{maybe, percent, seconds, shown, time};
use crate::csv;
use crate::report::Report;
use crate::rows::{Access, Reviewed};

/// A page of more is no page: the file would have tens of megabytes, and the table of `--csv` has them all.
const MOST: usize = 5000;

const COLUMNS: [&str; 7] = ["Who", "What", "Asked", "Reviewed", "Window", "Used", "End"];

pub(super) fn section(report: &Report) -> Markup {
    let all = &report.accesses;
    let rows = &all[all.len().saturating_sub(MOST)..];
    html! {
        "\n" h2 id="accesses" { "Accesses" }
        @if rows.len() < all.len() {
            p class="alarm" { "The last " (rows.len()) " of " (all.len()) "; all of them are in: jitctl report --csv" }
        }
        @if rows.is_empty() { p { "There was none." } } @else {
            table class="cards" role="table" {
                caption { "Every access, by the time when it was asked for" }
                thead role="rowgroup" {
                    "\n" tr role="row" { @for name in COLUMNS { th scope="col" role="columnheader" { (name) } } }
                }
                tbody role="rowgroup" { @for access in rows { (row(access)) } }
            }
        }
    }
}

fn row(row: &Access) -> Markup {
    let cells = [what(row), asked(row), reviewed(row), window(row), used(row), end(row)];
    html! {
        "\n" tr role="row" id=(row.request) {
            th scope="row" role="rowheader" data-label=(COLUMNS[0]) { (who(row)) }
            @for (cell, name) in cells.iter().zip(&COLUMNS[1..]) {
                td role="cell" data-label=(name) { (cell) }
            }
        }
    }
}

fn who(row: &Access) -> Markup {
    html! {
        div {
            div { (shown(&row.person)) }
            @if row.person != row.account.as_str() { div class="soft" { "as " (shown(row.account.as_str())) } }
            div class="soft" { "uid " (row.uid) }
        }
    }
}

fn what(row: &Access) -> Markup {
    html! {
        div {
            div { strong { (row.role) } }
            div class="soft" { (row.services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
            @if row.emergency { div class="alarm" { "emergency" } }
            div class="id" { (row.grant.map_or_else(|| row.request.to_string(), |grant| grant.to_string())) }
            @if let Some(extends) = row.extends { div class="soft" { "goes on from " span class="id" { (extends) } } }
        }
    }
}

fn asked(row: &Access) -> Markup {
    html! {
        div class="what" {
            div { (time(row.asked)) }
            div { (shown(&row.reason.to_string())) }
            @if let Some(ticket) = &row.ticket { div class="soft" { "ticket " (shown(ticket)) } }
            div class="soft" {
                "for " (seconds(row.asked_seconds))
                @if row.asked_by != row.account { ", by " (shown(row.asked_by.as_str())) }
            }
        }
    }
}

fn reviewed(row: &Access) -> Markup {
    html! {
        div class="reviews" {
            @for one in &row.reviews { (review(one)) }
            @if row.by_policy { div { "policy, without a review" } }
            @if row.reviews.is_empty() && !row.by_policy { "–" }
            @match (row.emergency, row.settled) {
                (true, None) => div class="alarm" { "review owed" },
                (true, Some(at)) => div class="soft" { "settled " (time(at)) },
                (false, _) => {}
            }
        }
    }
}

fn review(one: &Reviewed) -> Markup {
    html! {
        div {
            (shown(one.by.as_str())) " "
            @match one.decision {
                jit_core::model::Decision::Approve => "approved",
                jit_core::model::Decision::Deny => span class="alarm" { "denied" },
            }
            " (" (shown(&one.stage)) ", " (one.method) ")"
            @if one.narrowed { ", narrowed" }
            @if one.discounted { ", discounted" }
            div class="soft" { (time(one.at)) }
            @if let Some(key) = &one.key { div class="soft id long" { (shown(key)) } }
            @if let Some(note) = &one.note { div { "“" (shown(&note.to_string())) "”" } }
        }
    }
}

fn window(row: &Access) -> Markup {
    html! {
        div {
            @match row.opened {
                Some(opened) => { div { (time(opened)) } div class="soft" { "for " (seconds(row.window_seconds.unwrap_or(0))) } },
                None => "never open",
            }
            @if let Some(policy) = row.policy { div class="soft id" { "policy " (policy.to_string().get(..12).unwrap_or_default()) } }
        }
    }
}

fn used(row: &Access) -> Markup {
    html! {
        div {
            @match row.first_login {
                Some(first) => {
                    div { (time(first)) }
                    div { "to " (maybe(row.last_gone.max(row.last_login))) }
                    div class="soft" { "logins: " (row.logins) @if let Some(used) = row.used_percent { ", " (percent(used)) " of it" } }
                }
                None if row.opened.is_some() => "never used",
                None => "–",
            }
        }
    }
}

fn end(row: &Access) -> Markup {
    let residue = csv::residue(row);
    let is_grave = !row.residue.left.is_empty() || row.residue.escape.is_some();
    html! {
        div {
            div {
                (row.state.as_str())
                @if let Some(why) = row.why { ", " (why.as_str()) }
            }
            @if let Some(at) = row.ended.or(row.closed) { div { (time(at)) } }
            @if let Some(said) = &row.ended_reason { div { "“" (shown(&said.to_string())) "”" } }
            @if let Some(gone) = row.gone { div class="soft" { "gone " (time(gone)) } }
            @if !residue.is_empty() { div class=(if is_grave { "alarm" } else { "soft" }) { (shown(&residue)) } }
        }
    }
}
