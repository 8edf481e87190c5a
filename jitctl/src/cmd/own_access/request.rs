//! `jitctl request`: prompts for what is missing, shows the terms, then sends it.

use jit_core::time::Utc;
use jit_proto::manager::{Entry, Role};
use jit_proto::text::Shown;
use jit_proto::words::Reason;

use super::order::{Order, nothing_sent, requested, takes_stages};
use super::wait;
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, give};
use crate::prompts;
use crate::screen::Screen;
use crate::table::Table;
use crate::times::length;
use crate::views;

pub(super) fn run(
    order: &Order,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let order = &order.like(jitd)?;
    let start = order.start(screen)?;
    let call = if screen.can_ask() {
        ask_person(order, start, jitd, screen)?
    } else {
        Some(as_given(order, start)?)
    };
    let Some(call) = call else { return Ok(nothing_sent(screen)) };
    let entry: Entry = jitd::ask(jitd, &call)?;
    match order.wait {
        Some(longest) => {
            if let Some(why) = takes_stages(&entry) {
                screen.say(&why);
            }
            wait::run(entry, longest, json, jitd, screen)
        }
        None => Ok(give(&entry, json, screen, requested)?),
    }
}

/// The order as it stands on the command line, which has to be complete.
fn as_given(order: &Order, start: Option<Utc>) -> Result<Call, Error> {
    let (Some(role), Some(reason)) = (order.role(), &order.reason) else {
        let missing = if order.role().is_none() { "--role ROLE" } else { "--reason TEXT" };
        return Err(Error::Usage(format!(
            "{missing} is missing, and there is no terminal to ask on\n\
             hint: type: jitctl request --role ROLE --for DURATION --reason TEXT"
        )));
    };
    let (role, reason) = (role.clone(), reason.clone());
    Ok(Call::Request { role, seconds: order.seconds.unwrap_or(0), start, reason })
}

impl Order {
    /// When the window is to start, as of now. What was typed is said with its zone before anything is sent.
    fn start(&self, screen: &mut Screen<'_>) -> Result<Option<Utc>, Error> {
        let Some(typed) = &self.start else { return Ok(None) };
        let start = typed.utc().map_err(|why| Error::Usage(why.to_string()))?;
        screen.say(&typed.repeated("--start", start));
        Ok(Some(start))
    }
}

/// The order completed on the terminal; none if the person leaves.
fn ask_person(
    order: &Order,
    start: Option<Utc>,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Option<Call>, Failure> {
    let roles: Vec<Role> = jitd::ask(jitd, &Call::Roles { user: None })?;
    let Some(role) = choose_role(order, &roles, screen)? else { return Ok(None) };
    let name = role.role.parse().map_err(|_| Error::Garbled(format!("{} is no role", Shown(&role.role))))?;
    // Where the rest is given, so is the wish for the default.
    let complete = order.role().is_some() && order.reason.is_some();
    let seconds = match order.seconds {
        None if !complete => {
            let Some(seconds) = choose_length(role, screen) else { return Ok(None) };
            seconds
        }
        given => given,
    };
    let given = order.reason.clone();
    let Some(reason) = given.or_else(|| choose_reason(role, screen)) else { return Ok(None) };
    screen.say(views::terms(role, seconds.unwrap_or(0), start, &reason).trim_end());
    let call = Call::Request { role: name, seconds: seconds.unwrap_or(0), start, reason };
    if order.yes || prompts::yes(screen, "Send?", true) { Ok(Some(call)) } else { Ok(None) }
}

fn choose_role<'r>(
    order: &Order,
    roles: &'r [Role],
    screen: &mut Screen<'_>,
) -> Result<Option<&'r Role>, Error> {
    if let Some(name) = order.role() {
        let found = roles.iter().find(|role| role.role == name.as_str());
        let missing = || {
            let names: Vec<&str> = roles.iter().map(|role| role.role.as_str()).collect();
            let names = names.join(", ");
            let known = if names.is_empty() { "none" } else { names.as_str() };
            Error::Refused(format!(
                "role '{name}' is not one that you may ask for on this host; there is: {}",
                Shown(known)
            ))
        };
        return found.ok_or_else(missing).map(Some);
    }
    if roles.is_empty() {
        return Err(Error::Refused(
            "there is no role that you may ask for on this host; ask an admin".to_owned(),
        ));
    }
    let mut table = Table::new(["", "ROLE", "SERVICES", "FOR", "SUMMARY"]);
    for (number, role) in (1..).zip(roles) {
        let summary = role.summary.clone().unwrap_or_default();
        let most = format!("{}, at most {}", length(role.default_duration), length(role.max_duration));
        table.row([format!("{number}"), role.role.clone(), role.services.join(","), most, summary]);
    }
    screen.say(table.text().trim_end());
    let pick = |line: &str| {
        let by_number = line.parse::<usize>().ok().and_then(|n| roles.get(n.checked_sub(1)?));
        let role = by_number.or_else(|| roles.iter().find(|role| role.role == line));
        role.ok_or_else(|| format!("type a number from 1 to {}, or a role's name", roles.len()))
    };
    Ok(prompts::until(screen, "Role: ", pick))
}

/// None for the role's default.
#[expect(clippy::option_option, reason = "whether the person answered, and whether the answer is a length")]
fn choose_length(role: &Role, screen: &mut Screen<'_>) -> Option<Option<u64>> {
    let (default, most) = (length(role.default_duration), length(role.max_duration));
    prompts::until(screen, &format!("For how long, at most {most} [{default}]: "), |line| {
        if line.is_empty() {
            return Ok(None);
        }
        match crate::values::seconds(line) {
            Ok(seconds) if seconds > role.max_duration => Err(format!("at most {most}")),
            Ok(seconds) => Ok(Some(seconds)),
            Err(why) => Err(why.to_string()),
        }
    })
}

fn choose_reason(role: &Role, screen: &mut Screen<'_>) -> Option<Reason> {
    let hint = role.reason.as_ref().map_or_else(String::new, |hint| format!(" ({})", Shown(hint)));
    prompts::until(screen, &format!("Reason{hint}: "), |line| line.parse().map_err(|why| format!("{why}")))
}
