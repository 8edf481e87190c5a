//! `offline sync`: a host and an exchange. What was signed comes in first, then what still waits goes out, then the log,
//! which has the record of all that. Nothing in the folder is believed but signatures, and those are jitd's to judge:
//! files are read as whoever runs jitctl, and jitd is sent bytes.

mod done;
mod log;
mod put_out;
mod stated;
mod take_in;

use std::path::Path;

use jit_core::proof::note::PublicKey;
use jit_core::sign::file::fingerprint;
use jit_exchange::folder::Exchange;
use jit_proto::manager::Status;

use super::home::{Home, wrong};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::screen::Screen;
use crate::table::properties;
use crate::times::now;
use done::{Done, Here};

pub(super) fn run(
    dir: &Path,
    known: Option<&Path>,
    again: bool,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let exchange = Exchange::open(dir).map_err(wrong)?;
    let home = Home::of(known)?;
    let here = here(jitd)?;
    let mut done = Done { host: here.host.to_string(), ..Done::default() };
    let ran = all(&exchange, &home, again, &here, jitd, &mut done);
    // What was done is said also where jitd stopped answering in the middle.
    let outcome = give(&done, json, screen, view)?;
    ran.map(|()| outcome)
}

fn here(jitd: &dyn Jitd) -> Result<Here, Failure> {
    let status: Status = jitd::ask(jitd, &Call::Status)?;
    let garbled = |what: &str| Error::Garbled(format!("{what} of this host"));
    let key = status.key.ok_or_else(|| Error::Busy("there is no host key yet; try again".to_owned()))?;
    let key: PublicKey = key.parse().map_err(|_| garbled("the key"))?;
    Ok(Here {
        host: status.host.parse().map_err(|_| garbled("the name"))?,
        fingerprint: fingerprint(&key),
        key,
        sees_all: status.audit_records.is_some(),
        now: now(),
    })
}

fn all(
    exchange: &Exchange,
    home: &Home,
    again: bool,
    here: &Here,
    jitd: &dyn Jitd,
    done: &mut Done,
) -> Result<(), Failure> {
    // What comes in is a stranger's: whatever becomes of it, what is to go out goes out.
    let taken_in = take_in::run(exchange, home, again, here, jitd, done);
    let put_out = put_out::run(exchange, here, jitd, done);
    let logged = if here.sees_all {
        log::run(exchange, here, jitd, done)
    } else {
        done.notes.push("the log is for root, admins and auditors, and was not put out".to_owned());
        Ok(())
    };
    taken_in.and(put_out).and(logged)
}

fn view(done: &Done) -> View {
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let mut out = plural(done.requests, "request");
    if let Some(size) = done.checkpoint {
        out += &format!(", {} records; a checkpoint covers {size}", done.records);
    }
    let mut lines = vec![("Put out", out)];
    if done.removed > 0 {
        lines.push(("Taken out", format!("{}, which no longer waits", plural(done.removed, "request"))));
    }
    if done.unsignable > 0 {
        lines.push((
            "Left here",
            format!("{}: no signature counts for them", plural(done.unsignable, "request")),
        ));
    }
    lines.push(("Taken in", plural(done.taken.len(), "statement")));
    lines.extend(done.taken.iter().map(|taken| ("Taken in", taken.text.clone())));
    lines.extend(done.refused.iter().map(|no| ("Refused", format!("{}: {}", no.file, no.why))));
    for (name, count) in [
        ("Refused before", done.refused_before),
        ("Known already", done.known),
        ("For others", done.elsewhere),
    ] {
        if count > 0 {
            lines.push((name, count.to_string()));
        }
    }
    let mut view = View::yes(properties(&done.host, &lines));
    view.said.extend(done.notes.iter().chain(&done.undone).map(|note| format!("jitctl: {note}")));
    if done.refused_before > 0 {
        view.said.push(
            "hint: to bring again what was refused before, as after a change of /etc/jit/approvers, add --again"
                .to_owned(),
        );
    }
    if !done.refused.is_empty() || !done.undone.is_empty() {
        view.outcome = Outcome::No;
    }
    view
}

#[cfg(test)]
mod tests;
