//! A report as one HTML file: no network, no script, for a screen of any width, for paper, and for people who see, hear or
//! type their way through it. The template is compiled, and escapes all that it is given; what a browser or an editor
//! would act on unseen (controls, marks that turn text around) is written out besides.

mod accesses;
mod host;
mod roles;
mod timeline;
mod words;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jit_core::digest::Digest;
use jit_proto::text::is_invisible;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::report::Report;
use crate::rows::{AccessState, RoleFigures};
use words::{duration, number, shown, time};

const STYLE: &str = include_str!("html/style.css");

/// Nothing is fetched and nothing runs, whatever the page holds; and it looks as it was made, whatever it holds (CSP
/// level 3: the style is named by its hash).
fn fetches_nothing() -> String {
    let style = BASE64.encode(Digest::of(STYLE.as_bytes()).0);
    format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'")
}

/// The file, whole.
#[must_use]
pub fn page(report: &Report) -> String {
    let title = format!("Access on {}", report.host.as_deref().unwrap_or("an unnamed host"));
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(fetches_nothing());
                meta name="referrer" content="no-referrer";
                title { (shown(&title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#main" { "To the report" }
                header {
                    h1 { (shown(&title)) }
                    p class="soft" { (about(report)) }
                    (contents())
                }
                main id="main" {
                    (summary(report))
                    (attention(report))
                    (timeline::section(report))
                    (roles::sections(report))
                    (accesses::section(report))
                    (host::sections(report))
                }
                footer { (how(report)) }
            }
        }
    };
    visible(&markup.into_string())
}

/// Characters that nobody sees, written out. The page's own line ends stay.
fn visible(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    for c in page.chars() {
        if is_invisible(c) && c != '\n' {
            text.extend(c.escape_unicode());
        } else {
            text.push(c);
        }
    }
    text
}

const SECTIONS: [(&str, &str); 8] = [
    ("attention", "Needs somebody"),
    ("timeline", "Timeline"),
    ("roles", "Roles"),
    ("people", "People"),
    ("suggestions", "Suggestions"),
    ("accesses", "Accesses"),
    ("host", "The host"),
    ("standing", "Standing access"),
];

fn contents() -> Markup {
    html! {
        nav aria-label="Contents" {
            ul { @for (id, name) in SECTIONS { li { a href={ "#" (id) } { (name) } } } }
        }
    }
}

fn about(report: &Report) -> Markup {
    let since = report.period.since.max(report.log.begins);
    html! {
        @if let Some(since) = since { (time(since)) } @else { "from an unknown time" }
        " to "
        @if let Some(end) = report.as_of { (time(end)) } @else { "an unknown time" }
        ". All times are UTC."
    }
}

fn summary(report: &Report) -> Markup {
    let sum = |of: fn(&RoleFigures) -> u64| report.roles.iter().map(of).sum::<u64>();
    let waiting = report.accesses.iter().filter(|row| row.state == AccessState::Waiting).count();
    let gone = report.to_gone.get("all");
    let denied: u64 = report.coverage.denied.iter().map(|refused| refused.count).sum();
    html! {
        dl class="figures" {
            div {
                dt { "Asked for" }
                dd {
                    (number(sum(|role| role.requests)))
                    small { (number(sum(|role| role.granted))) " granted, " (waiting) " waiting" }
                }
            }
            div {
                dt { "Came to nothing" }
                dd {
                    (number(sum(|role| role.denied + role.lapsed + role.withdrawn)))
                    small {
                        (sum(|role| role.denied)) " denied, " (sum(|role| role.lapsed)) " lapsed, "
                        (sum(|role| role.withdrawn)) " withdrawn"
                    }
                }
            }
            div {
                dt { "Windows that ended" }
                dd {
                    (number(sum(|role| role.windows)))
                    small { (sum(|role| role.never_used)) " never used" }
                }
            }
            div {
                dt { "Emergencies" }
                dd {
                    (number(sum(|role| role.emergencies)))
                    small { (sum(|role| role.owed)) " owe a review, " (sum(|role| role.overdue)) " overdue" }
                }
            }
            @if let Some(gone) = gone {
                div {
                    dt { "From end to gone" }
                    dd {
                        (duration(gone.median_ms))
                        small { "95 of 100 in " (duration(gone.p95_ms)) ", worst " (duration(gone.worst_ms)) }
                    }
                }
            }
            div { dt { "Checks refused" } dd { (number(denied)) } }
        }
    }
}

fn attention(report: &Report) -> Markup {
    html! {
        "\n" h2 id="attention" { "Needs somebody" }
        @if report.attention.is_empty() {
            p { "Nothing that is on record." }
        } @else {
            ol class="attention" {
                @for one in &report.attention {
                    "\n" li {
                        @match one.request {
                            Some(request) => a href={ "#" (request) } { (shown(&one.text)) },
                            None => (shown(&one.text)),
                        }
                    }
                }
            }
        }
    }
}

fn how(report: &Report) -> Markup {
    let log = &report.log;
    html! {
        "\n" h2 id="how" { "What this was made of" }
        p {
            (number(log.records)) " records"
            @if let Some((first, last)) = log.first.zip(log.last) { ", " (first) " to " (last) }
            "."
            @if let Some(root) = log.root {
                " The root over them is " code class="long" { (root) } "."
            } @else {
                " They are not all of the log, so there is no root over them."
            }
            " That they are what was written is proven by " code { "jitctl audit verify" } ", not by this."
        }
        p {
            "A stage takes from its beginning, which is the asking or the end of the stage before it, to its last review. \
             Medians and p95 are times that were measured. The time used of a window lies between its first login and \
             its last session gone. Who is in a group, no log says."
        }
    }
}
