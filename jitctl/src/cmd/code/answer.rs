//! `code answer`: what was read out is put together again and shown, and what the approver says to it becomes a code.

use std::time::Duration;

use clap::Args;
use jit_core::code::symbols::said as words;
use jit_core::code::{Answer, Asked, Bucket, RequestCode, Start};
use jit_core::duration::parse_duration;
use jit_proto::text::Shown;
use jit_proto::words::{HostName, RoleName, UserName};
use serde::Serialize;

use super::own::{Host, Place};
use crate::error::Error;
use crate::output::{Outcome, View, give};
use crate::prompts::until;
use crate::screen::Screen;
use crate::times::length;
use crate::values::seconds;
use crate::views::said;

/// What was read out, as far as it was typed with the command, and what is said to it.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// The name of the host
    #[arg(long)]
    host: Option<HostName>,
    /// The user whom it would admit
    #[arg(long)]
    user: Option<UserName>,
    /// The role that is asked for
    #[arg(long)]
    role: Option<RoleName>,
    /// For how long, such as 1h
    #[arg(long = "for", value_name = "DURATION", value_parser = seconds)]
    asked: Option<u64>,
    /// When it would begin, where that is read out: 'extends', or a time such as 2026-11-23T08:00:00Z
    #[arg(long, value_name = "START", value_parser = start)]
    starts: Option<Start>,
    /// The code, such as WWGY-KXBZ-B9WQ
    #[arg(long, value_parser = RequestCode::parse)]
    code: Option<RequestCode>,
    /// Deny it, whatever else was said
    #[arg(long, conflicts_with = "duration")]
    deny: bool,
    /// Leave at most so long, such as 15m
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    duration: Option<u64>,
    /// Ask nothing
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    own: Place,
}

fn start(text: &str) -> Result<Start, String> {
    Start::parse(text)
        .ok_or_else(|| "it is 'at-approval', 'extends', or a time such as 2026-11-23T08:00:00Z".to_owned())
}

#[derive(Debug, Serialize)]
struct Given {
    answer: String,
    words: Vec<String>,
}

/// Why there is no answer.
enum No {
    /// The person left.
    Left,
    Failed(Error),
}

impl From<Error> for No {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

pub(super) fn run(wanted: &Wanted, json: bool, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let secret = wanted.own.secret()?;
    let hosts = wanted.own.hosts()?;
    let answered = asked(wanted, &hosts, screen).and_then(|(host, asked)| {
        screen.say(&shown(host, &asked));
        Ok((host, bucket(wanted, &asked, screen)?, asked))
    });
    let (host, bucket, asked) = match answered {
        Ok(answered) => answered,
        Err(No::Failed(error)) => return Err(error),
        Err(No::Left) => {
            screen.say("jitctl: nothing was answered");
            return Ok(Outcome::No);
        }
    };
    let answer = Answer::of(&asked, &host.approves(&secret), bucket);
    let given = Given { answer: answer.to_string(), words: words(&answer.symbols()) };
    give(&given, json, screen, |given| {
        let says = match bucket.time() {
            Some(time) => format!("approves for {}", length(time.as_secs())),
            None if bucket == Bucket::DENY => "denies".to_owned(),
            None => "approves as asked".to_owned(),
        };
        let hint =
            format!("hint: on {}, anybody types: jitctl code enter REQUEST {}", host.name, given.answer);
        View {
            data: format!("Read this out; it {says}:\n\n{}", said("answer", &answer.symbols())),
            said: vec![hint],
            outcome: Outcome::Yes,
        }
    })
}

/// What was given is taken, and what was not is asked for.
fn asked<'h>(wanted: &Wanted, hosts: &'h [Host], screen: &mut Screen<'_>) -> Result<(&'h Host, Asked), No> {
    let known = |name: &str| {
        hosts.iter().find(|host| host.name.to_string() == name).ok_or_else(|| {
            let names: Vec<String> = hosts.iter().map(|host| host.name.to_string()).collect();
            format!(
                "you have no key for {}; you have some for: {}; make one with: jitctl code enroll",
                Shown(name),
                if names.is_empty() { "no host".to_owned() } else { names.join(", ") }
            )
        })
    };
    let host = match &wanted.host {
        Some(name) => known(name.as_ref()).map_err(Error::Usage)?,
        None => ask(screen, "Host: ", known)?,
    };
    let user = given(wanted.user.as_ref(), screen, "User: ")?;
    let role = given(wanted.role.as_ref(), screen, "Role: ")?;
    let time = |text: &str| seconds(text).map_err(|why| why.to_string());
    let asked = match wanted.asked {
        Some(seconds) => seconds,
        None => ask(screen, "For how long, such as 1h: ", time)?,
    };
    let begins = match (wanted.starts, wanted.code.is_some()) {
        (Some(start), _) => start,
        (None, true) => Start::AtApproval,
        (None, false) => ask(screen, "Starts (Enter: nothing was said of it): ", |text| match text {
            "" => Ok(Start::AtApproval),
            text => start(text),
        })?,
    };
    let code = match &wanted.code {
        Some(code) => code.clone(),
        None => ask(screen, "Code: ", |text| RequestCode::parse(text).map_err(|why| why.to_string()))?,
    };
    Ok((host, Asked { user, role, duration: Duration::from_secs(asked), start: begins, code }))
}

fn given<T: Clone + std::str::FromStr<Err: ToString>>(
    given: Option<&T>,
    screen: &mut Screen<'_>,
    question: &str,
) -> Result<T, No> {
    match given {
        Some(value) => Ok(value.clone()),
        None => ask(screen, question, |text| text.parse::<T>().map_err(|why| why.to_string())),
    }
}

fn ask<T>(
    screen: &mut Screen<'_>,
    question: &str,
    read: impl FnMut(&str) -> Result<T, String>,
) -> Result<T, No> {
    if !screen.can_ask() {
        let what = "nobody can be asked here; add --host, --user, --role, --for, --code and --yes";
        return Err(Error::Usage(what.to_owned()).into());
    }
    until(screen, question, read).ok_or(No::Left)
}

fn shown(host: &Host, asked: &Asked) -> String {
    let Asked { user, role, duration, start, code } = asked;
    let starts = match start {
        Start::AtApproval => "once it is approved".to_owned(),
        Start::Extends => "where a window of theirs ends, which it makes longer".to_owned(),
        Start::At(time) => format!("at {}", time.to_seconds()),
    };
    let text = format!(
        "\nYou would answer as {}:\n  {user} wants the role {role} on {} for {}\n  starts  {starts}\n{}",
        host.principal,
        host.name,
        length(duration.as_secs()),
        said("code", &code.symbols()),
    );
    text + "Whoever reads it out is whom you hear: ask them why, and call back where you do not know the voice.\n"
}

/// What the approver says to it.
fn bucket(wanted: &Wanted, asked: &Asked, screen: &mut Screen<'_>) -> Result<Bucket, No> {
    let less = |time: Duration| shorter(time, asked.duration);
    if wanted.deny {
        return Ok(Bucket::DENY);
    }
    let given = wanted.duration.map(|seconds| less(Duration::from_secs(seconds))).transpose();
    let given = given.map_err(Error::Usage)?;
    if wanted.yes {
        return Ok(given.unwrap_or(Bucket::AS_ASKED));
    }
    if let Some(bucket) = given {
        return ask(screen, "Approve it for this shorter time? [y/N] ", |text| match text {
            "y" | "yes" => Ok(true),
            "" | "n" | "no" => Ok(false),
            _ => Err("type y or n".to_owned()),
        })
        .and_then(|sure| if sure { Ok(bucket) } else { Err(No::Left) });
    }
    ask(
        screen,
        "Approve it? y as asked, a shorter time such as 15m, d to deny, Ctrl-D for no answer: ",
        |text| match text {
            "y" | "yes" => Ok(Bucket::AS_ASKED),
            "d" | "deny" => Ok(Bucket::DENY),
            text => less(parse_duration(text).map_err(|_| "type y, d, or a time such as 15m".to_owned())?),
        },
    )
}

/// The answer that leaves exactly so long, of what was asked for.
fn shorter(time: Duration, asked: Duration) -> Result<Bucket, String> {
    if time >= asked {
        return Err(format!("that is not shorter than the {} that are asked for", length(asked.as_secs())));
    }
    Bucket::lasting(time).ok_or_else(|| {
        let near = Bucket::times().filter(|one| *one < time).last().or_else(|| Bucket::times().next());
        let near = near.map_or_else(String::new, |near| format!(", such as {}", length(near.as_secs())));
        format!("an answer has no symbol for {}; take a time that it has{near}", length(time.as_secs()))
    })
}
