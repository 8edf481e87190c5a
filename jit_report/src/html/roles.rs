//! Roles with their stages, people, and what policy could do without.

use maud::{Markup, html};

use super::words::{bar, duration, number, seconds, shown, time};
use crate::report::Report;
use crate::rows::{RoleFigures, StageFigures};

pub(super) fn sections(report: &Report) -> Markup {
    html! {
        "\n" h2 id="roles" { "Roles" }
        @if report.roles.is_empty() { p { "No role was asked for." } } @else {
            (figures(&report.roles))
            (stages(&report.roles))
        }
        "\n" h2 id="people" { "People" }
        (reviewers(report))
        (duties(report))
        (never_asked(report))
        (live(report))
        "\n" h2 id="suggestions" { "Suggestions" }
        (suggestions(report))
    }
}

fn figures(roles: &[RoleFigures]) -> Markup {
    html! {
        div class="scroll" role="region" aria-label="Figures of roles" tabindex="0" {
            table {
                caption { "What was asked for, and what became of it" }
                thead {
                    "\n" tr {
                        th scope="col" { "Role" }
                        @for name in ["Asked", "Granted", "Denied", "Lapsed", "Emergencies", "Owed", "Ended", "Never used"] {
                            th scope="col" class="number" { (name) }
                        }
                        th scope="col" { "Time used" }
                        th scope="col" { "Needed, of windows that were used" }
                    }
                }
                tbody {
                    @for role in roles {
                        "\n" tr {
                            th scope="row" { (role.role) }
                            @for count in [role.requests, role.granted, role.denied, role.lapsed, role.emergencies, role.owed, role.windows, role.never_used] {
                                td class="number" { (number(count)) }
                            }
                            td { (bar(role.used_percent)) }
                            td {
                                @if role.needed.count == 0 { "–" } @else {
                                    "half " (duration(role.needed.median_ms)) ", 95 of 100 " (duration(role.needed.p95_ms))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn stages(roles: &[RoleFigures]) -> Markup {
    let all = || roles.iter().flat_map(|role| role.stages.iter().map(move |stage| (role, stage)));
    let longest = all().map(|(_, stage)| stage.decided.p95_ms).max().unwrap_or(0).max(1);
    html! {
        @if all().next().is_none() { p { "No stage was decided." } } @else {
            div class="scroll" role="region" aria-label="Time to decision" tabindex="0" {
                table {
                    caption { "Time to decision: what a request waits for longest stands out" }
                    thead {
                        "\n" tr {
                            th scope="col" { "Role" }
                            th scope="col" { "Stage" }
                            @for name in ["Decided", "Median", "95 of 100", "Worst", "Lapsed"] {
                                th scope="col" class="number" { (name) }
                            }
                            th scope="col" { "Median and 95 of 100" }
                        }
                    }
                    tbody { @for (role, stage) in all() { (stage_row(role, stage, longest)) } }
                }
            }
        }
    }
}

fn stage_row(role: &RoleFigures, stage: &StageFigures, longest: u64) -> Markup {
    let spread = &stage.decided;
    let is_slowest = role.bottleneck.as_ref() == Some(&stage.stage) && role.stages.len() > 1;
    let x = |millis: u64| millis * 100 / longest;
    html! {
        "\n" tr {
            th scope="row" { (role.role) }
            td { (shown(&stage.stage)) @if is_slowest { " " strong { "(slowest)" } } }
            td class="number" { (number(spread.count as u64)) }
            @for time in [spread.median_ms, spread.p95_ms, spread.worst_ms] {
                td class="number" { @if spread.count == 0 { "–" } @else { (duration(time)) } }
            }
            td class="number" { (number(stage.lapsed)) }
            td {
                svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                    rect class="window" width=(x(spread.p95_ms)) height="8" {}
                    rect class="used" width=(x(spread.median_ms)) height="8" {}
                }
            }
        }
    }
}

fn reviewers(report: &Report) -> Markup {
    html! {
        @if report.reviewers.is_empty() { p { "Nobody reviewed anything." } } @else {
            table {
                caption { "Who reviewed" }
                thead {
                    "\n" tr {
                        th scope="col" { "Reviewer" }
                        @for name in ["Approved", "Denied", "By signed file"] { th scope="col" class="number" { (name) } }
                        th scope="col" { "Roles" }
                    }
                }
                tbody {
                    @for one in &report.reviewers {
                        "\n" tr {
                            th scope="row" { (shown(one.account.as_str())) }
                            @for count in [one.approved, one.denied, one.signed] { td class="number" { (number(count)) } }
                            td { (one.roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
                        }
                    }
                }
            }
        }
    }
}

fn duties(report: &Report) -> Markup {
    html! {
        "\n" h3 { "More than one window open at once" }
        @if report.duties.is_empty() { p { "Nobody had." } } @else {
            ul {
                @for duty in &report.duties {
                    "\n" li {
                        strong { (shown(&duty.person)) } ": "
                        (duty.roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "))
                        ", " (seconds(duty.seconds)) " in all, first on " (time(duty.first))
                    }
                }
            }
        }
    }
}

fn never_asked(report: &Report) -> Markup {
    html! {
        "\n" h3 { "May ask and did not" }
        @if report.never_asked.is_empty() && report.groups.is_empty() { p { "Nobody who is named." } }
        ul {
            @for one in &report.never_asked {
                "\n" li { strong { (shown(&one.who.to_string())) } ", for " (one.role) ", named since " (time(one.since)) " or longer" }
            }
            @for (role, group) in &report.groups {
                "\n" li { "Group " strong { (shown(group)) } " may ask for " (role) ": who is in it, a log does not say" }
            }
        }
    }
}

fn live(report: &Report) -> Markup {
    html! {
        @if let Some(live) = &report.live {
            "\n" h3 { "Who was in at " (time(live.at)) }
            @if live.sessions.is_empty() { p { "Nobody whose session is on record." } }
            ul {
                @for one in &live.sessions {
                    "\n" li { (shown(&one.who())) " at " (one.service) " since " (time(one.since)) ", by " span class="id" { (one.grant) } }
                }
                @for one in &live.unknown {
                    "\n" li { "Perhaps " (shown(&one.who())) " at " (one.service) ", admitted at " (time(one.since)) " by " span class="id" { (one.grant) } }
                }
            }
        }
    }
}

fn suggestions(report: &Report) -> Markup {
    html! {
        @if report.suggestions.is_empty() { p { "The figures speak for no change of policy, or are too few." } }
        @for one in &report.suggestions {
            p { (shown(&one.text)) "." }
            @if !one.diff.is_empty() {
                pre { @for line in &one.diff { (shown(line)) "\n" } }
            }
        }
    }
}
