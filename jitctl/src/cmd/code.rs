//! `jitctl code`: approval where nothing crosses but a voice. `show` and `enter` are for the host; the others are for the
//! machine of an approver, which needs no jitd.

mod answer;
mod own;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use jit_core::code::keys::MAX_EPOCH;
use jit_core::code::symbols::BadSymbols;
use jit_core::code::{Answer, CodeKeys};
use jit_core::policy::Principal;
use jit_host::files::Owner;
use jit_host::signers::{CODE_KEYS, read_code_keys};
use jit_proto::manager::{Entry, Spoken};
use jit_proto::text::Shown;
use jit_proto::words::{HostName, RequestId};
use serde::Serialize;

use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::prompts::until;
use crate::screen::Screen;
use crate::table::Table;
use crate::views::{progress, review_line, spoken};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// On the host: show what to read out of a request that waits
    ///
    /// An approver types it into 'jitctl code answer' on a machine of their own, and reads out the answer. The exit code is 1
    /// where no code would count now.
    Show {
        /// The request (r-…)
        id: RequestId,
    },

    /// On the host: type an approver's answer; whoever hears it may
    ///
    /// Case, dashes and spaces do not matter, and I, L and O are read as 1, 1 and 0. A slip is found before a try is counted;
    /// after 5 wrong answers no code counts for the request any more.
    Enter {
        /// The request (r-…)
        id: RequestId,
        /// The answer, such as 0115-1Z8S-4AWD-Y5 [default: asked for]
        #[arg(value_name = "ANSWER")]
        answer: Vec<String>,
    },

    /// On the host: say who may answer, or what is wrong with the file of their keys; then the exit code is 1
    Keys {
        /// The file
        #[arg(default_value = CODE_KEYS)]
        file: PathBuf,
    },

    /// On your own machine: answer what is read out to you
    ///
    /// What is not given is asked for. What you are told is shown, and the answer is of use for nothing else.
    Answer(answer::Wanted),

    /// On your own machine: make the secret that your keys for hosts are made of
    NewSecret {
        #[command(flatten)]
        own: own::Place,
    },

    /// On your own machine: make your key for a host, and print the line for its /etc/jit/code-keys
    Enroll {
        /// The name of the host, as requests have it
        host: HostName,
        /// The fingerprint of the host's key (SHA256:…), as 'jitctl status' and exported requests have it
        #[arg(long, value_name = "FINGERPRINT")]
        host_key: String,
        /// Who you are, as keys in [people] of the policy has it
        #[arg(long, value_name = "NAME")]
        principal: Principal,
        /// Your place on the host, from 0 to 31, which nobody else there has
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(0..32))]
        slot: u8,
        /// Which key of yours for this host it is, above all before [default: 1, or one more than the highest before]
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_EPOCH)))]
        epoch: Option<u32>,
        #[command(flatten)]
        own: own::Place,
    },
}

pub(crate) fn run(
    verb: &Verb,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    match verb {
        Verb::Show { id } => show(*id, json, jitd, screen),
        Verb::Enter { id, answer } => enter(*id, answer, json, jitd, screen),
        Verb::Keys { file } => Ok(keys(file, json, screen)?),
        Verb::Answer(wanted) => Ok(answer::run(wanted, json, screen)?),
        Verb::NewSecret { own } => Ok(own::new_secret(own, screen)?),
        Verb::Enroll { host, host_key, principal, slot, epoch, own } => {
            let wanted = own::Enrolled { host, host_key, principal, slot: *slot, epoch: *epoch };
            Ok(own::enroll(&wanted, own, screen)?)
        }
    }
}

fn show(id: RequestId, json: bool, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    let told: Spoken = jitd::ask(jitd, &Call::Code { id })?;
    let (said, outcome) = match &told.refused {
        Some(why) => (format!("jitctl: no code would count now: {}", Shown(why)), Outcome::No),
        None => (format!("hint: type the answer with: jitctl code enter {id}"), Outcome::Yes),
    };
    Ok(give(&told, json, screen, |told| View { data: spoken(told), said: vec![said], outcome })?)
}

fn enter(
    id: RequestId,
    typed: &[String],
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let read = |text: &str| Answer::parse(text).map_err(not_counted);
    let answer = if typed.is_empty() {
        if !screen.can_ask() {
            let what = "nobody can be asked here; add the answer, such as: jitctl code enter r-4k7m2qx9 0115-1Z8S-4AWD-Y5";
            return Err(Error::Usage(what.to_owned()).into());
        }
        match until(screen, "The answer, as it is read out: ", read) {
            Some(answer) => answer,
            None => return Ok(Outcome::No),
        }
    } else {
        read(&typed.join(" ")).map_err(Error::Usage)?
    };
    let entry: Entry = jitd::ask(jitd, &Call::EnterCode { id, code: answer.plain() })?;
    Ok(give(&entry, json, screen, |entry| {
        let review = entry.reviews.last().map(review_line).unwrap_or_default();
        View::yes(format!("{}\n{}\n", Shown(&review), progress(entry)))
    })?)
}

/// Why an answer that was typed was not sent.
pub(crate) fn not_counted(why: BadSymbols) -> String {
    format!("this is no answer: {why}. No try was counted")
}

/// A line of the host's file, without its key.
#[derive(Debug, Serialize)]
struct Listed {
    slot: u8,
    principal: String,
    epoch: u32,
    host_key: String,
    line: usize,
}

#[derive(Debug, Serialize)]
struct Found {
    errors: Vec<String>,
    keys: Vec<Listed>,
}

fn keys(file: &Path, json: bool, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let owner = if Owner::of(file) == Owner::Root { Owner::RootSecret } else { Owner::OwnSecret };
    match read_code_keys(file, owner) {
        Ok(known) => give(&Found { errors: Vec::new(), keys: listed(&known) }, json, screen, |found| {
            let mut table = Table::new(["SLOT", "PRINCIPAL", "EPOCH", "HOST KEY"]);
            for one in &found.keys {
                table.row([
                    format!("{:>4}", one.slot),
                    one.principal.clone(),
                    format!("{:>5}", one.epoch),
                    one.host_key.clone(),
                ]);
            }
            View::yes(table.text())
        }),
        Err(errors) => {
            let lines: Vec<String> = errors.iter().map(|error| Shown(error).to_string()).collect();
            let text = lines.join("\n") + "\n";
            let said = vec!["jitctl: no code counts on this host before this file loads".to_owned()];
            let found = Found { errors, keys: Vec::new() };
            give(&found, json, screen, |_| View { data: text, said, outcome: Outcome::No })
        }
    }
}

fn listed(keys: &CodeKeys) -> Vec<Listed> {
    let one = |line: &jit_core::code::KeyLine| Listed {
        slot: line.approves.slot.symbol().value(),
        principal: line.approves.principal.to_string(),
        epoch: line.approves.epoch,
        host_key: line.approves.host_key.clone(),
        line: line.line,
    };
    keys.iter().map(one).collect()
}

#[cfg(test)]
mod tests;
