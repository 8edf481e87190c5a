//! How the host was, and who needs no window there.

use maud::{Markup, html};

use super::words::{maybe, number, seconds, shown, time};
use crate::host::{Coverage, PolicyLoad, PolicyOverridden, Trial};
use crate::policies::Standing;
use crate::report::Report;

pub(super) fn sections(report: &Report) -> Markup {
    let seen = &report.coverage;
    html! {
        "\n" h2 id="host" { "The host" }
        (facts(seen))
        (events(seen))
        "\n" h3 { "Policies" }
        (policies(seen))
        "\n" h2 id="standing" { "Standing access" }
        @match &report.standing {
            Some(standing) => (needs_no_window(standing)),
            None => p { "No policy is on record that could be read." },
        }
        (stood_aside(seen))
    }
}

fn facts(seen: &Coverage) -> Markup {
    html! {
        ul {
            "\n" li { "jitd started " (number(seen.starts)) (if seen.starts == 1 { " time" } else { " times" }) }
            "\n" li {
                "Enforced for " (seconds(seen.hours.enforced_seconds)) ", only observed for " (seconds(seen.hours.observed_seconds))
                ", down for at most " (seconds(seen.hours.down_seconds))
                @for one in &seen.hours.observed_at {
                    "; " (shown(&one.service)) " only observed for " (seconds(one.seconds))
                }
            }
            @for down in &seen.downs {
                "\n" li {
                    "jitd was down " @if !down.stopped { "for at most the time " }
                    "from " (time(down.from)) " to " (maybe(down.to))
                }
            }
            @if let Some(last) = seen.checkpoint {
                "\n" li { "The last checkpoint on record is of " (time(last.at)) " and covers " (number(last.size)) " records" }
            } @else { li class="alarm" { "No checkpoint is on record" } }
            @for refused in &seen.denied { li { "Refused for " code { (refused.why) } ": " (number(refused.count)) } }
            @for adopted in &seen.adopted {
                "\n" li class="alarm" { "Sessions of " (adopted.service) " that did not ask: " (number(adopted.count)) }
            }
            @for one in &seen.unasked {
                "\n" li class="alarm" {
                    "Logins of " (shown(one.account.as_str())) " by " (one.service) " that jitd was not asked about: " (number(one.count))
                }
            }
            @for touched in &seen.pam_files {
                "\n" li {
                    "PAM files touched, noticed at " (time(touched.at)) ": " (shown(&touched.touched.join(", ")))
                    @if !touched.lost.is_empty() {
                        "; " span class="alarm" { "asked jitd no more: " (shown(&touched.lost.join(", "))) }
                    }
                }
            }
            @if seen.unbound > 0 { li class="alarm" { "Sessions bound to no unit: " (number(seen.unbound)) } }
            @if seen.sessions_refused > 0 { li { "Sessions refused, since they could not be bound: " (number(seen.sessions_refused)) } }
            @if seen.orders_refused > 0 { "\n" li { "Orders refused to who may not give them: " (number(seen.orders_refused)) } }
            @if seen.signatures_refused > 0 { li { "Signed files refused: " (number(seen.signatures_refused)) } }
        }
    }
}

fn events(seen: &Coverage) -> Markup {
    html! {
        @if !seen.clock.is_empty() {
            "\n" h3 { "The clock" }
            ul {
                @for one in &seen.clock {
                    "\n" li {
                        (one.why) " from " (time(one.at)) " to " (maybe(one.until))
                        @if let Some(by) = one.by { ", then " (by) }
                        @if let Some(reason) = &one.reason { ": “" (shown(&reason.to_string())) "”" }
                    }
                }
            }
        }
        @if !seen.locks.is_empty() {
            "\n" h3 { "Locks" }
            ul {
                @for lock in &seen.locks {
                    "\n" li {
                        code { (shown(&lock.scope.to_string())) } " by " (shown(lock.by.as_str())) ", from " (time(lock.at)) " to " (maybe(lock.until))
                        @if let Some(message) = &lock.message { ": “" (shown(&message.to_string())) "”" }
                    }
                }
            }
        }
        @if !seen.recoveries.logins.is_empty() {
            "\n" h3 { "Logins while jitd could not answer" }
            ul {
                @for one in &seen.recoveries.logins {
                    "\n" li class="alarm" { (shown(one.account.as_str())) " at " (one.service) ", " (time(one.at)) }
                }
            }
        }
    }
}

fn policies(seen: &Coverage) -> Markup {
    html! {
        @if seen.policies.is_empty() && seen.policies_refused.is_empty() && seen.policy_overrides.is_empty() { p { "None was loaded." } }
        ul {
            @for load in &seen.policies { (policy(load)) }
            @for done in &seen.policy_overrides { (overridden(done)) }
            @for failed in &seen.policies_refused {
                "\n" li { "Refused on " (time(failed.at)) ", " (failed.errors) " errors, the first: " code { (shown(&failed.error)) } }
            }
        }
    }
}

fn overridden(done: &PolicyOverridden) -> Markup {
    html! {
        "\n" li class=[done.acknowledged.is_none().then_some("alarm")] {
            code class="long" { (done.digest) } " was put in force without its approvers on " (time(done.at))
            ", by " (shown(done.by.as_str())) ": “" (shown(done.reason.as_str())) "”; "
            @if let Some(by) = &done.acknowledged {
                "acknowledged by " (shown(by.by.as_str())) " on " (time(by.at))
            } @else { "acknowledged by nobody" }
        }
    }
}

fn policy(load: &PolicyLoad) -> Markup {
    html! {
        "\n" li {
            code class="long" { (load.digest) } ", " (time(load.at))
            @if let Some(actor) = load.actor {
                ", by uid " (actor.uid)
                @if let Some(login) = actor.loginuid { " (login uid " (login) ")" }
            }
            @if let Some(by) = &load.word.by { ", " (shown(by.name.as_str())) }
            @if let Some(reason) = &load.word.reason { ": " (shown(reason.as_str())) }
            @match load.trial {
                Some(Trial::Running) => ", on trial",
                Some(Trial::Confirmed) => ", confirmed",
                Some(Trial::Reverted) => ", taken back",
                None => {}
            }
            @if !load.changes.is_empty() { pre { @for line in &load.changes { (shown(line)) "\n" } } }
        }
    }
}

fn needs_no_window(standing: &Standing) -> Markup {
    html! {
        p class="soft" { "By policy " code class="long" { (standing.policy) } "." }
        ul {
            @for rule in &standing.exempt {
                "\n" li {
                    strong { (shown(&rule.who.join(", "))) } " at " (shown(&rule.services.join(", ")))
                    @if !rule.from.is_empty() { ", from " (rule.from.join(", ")) }
                }
            }
            @if !standing.observed.is_empty() {
                "\n" li class="alarm" { "Everybody at " (shown(&standing.observed.join(", "))) ": jitd only watches there" }
            }
            "\n" li { "Admins: " (names(&standing.admins)) }
            "\n" li { "Auditors: " (names(&standing.auditors)) }
            @for one in &standing.recovery {
                "\n" li { strong { (one.account) } " at " (shown(&one.services.join(", "))) ", while jitd does not answer" }
            }
        }
    }
}

fn names(all: &[String]) -> String {
    if all.is_empty() { "nobody".to_owned() } else { shown(&all.join(", ")) }
}

fn stood_aside(seen: &Coverage) -> Markup {
    html! {
        @if !seen.stood_aside.is_empty() {
            "\n" h3 { "Logins that needed none" }
            ul {
                @for one in &seen.stood_aside {
                    "\n" li {
                        (number(one.count)) " (" (one.why)
                        @if let Some(would) = one.would { ", would have been " (would) }
                        ")"
                        @if let Some((account, service)) = one.account.as_ref().zip(one.service.as_ref()) {
                            ": " (shown(account.as_str())) " at " (service)
                        } @else { ": others" }
                    }
                }
            }
        }
    }
}
