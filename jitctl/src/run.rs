//! From arguments to exit code.

use std::ffi::OsString;
use std::path::Path;

use jiff::tz::TimeZone;
use jit_proto::manager::Refused;
use serde::Serialize;

use crate::args::{self, Cli, Typed, Verb};
use crate::cmd::{
    approvers, attest, audit, check, clock, code, confirm, doctor, elsewhere, enabling, explain, grant,
    kiosk, list, locking, offline, own_access, policy, report, retire, reviewing, revoke, roles, session,
    show, status, watch,
};
use crate::error::{Error, Failure};
use crate::jitd::Jitd;
use crate::output::{self, Outcome};
use crate::screen::Screen;
use crate::times;

/// Runs one command and returns its exit code. `me` is the caller's uid, where it is known; `root` is the folder that has this
/// host's files.
pub(crate) fn run(
    args: impl IntoIterator<Item = OsString>,
    jitd: &dyn Jitd,
    me: Option<u32>,
    root: &Path,
    screen: &mut Screen<'_>,
) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    // Also of what cannot be read.
    let json = args.iter().any(|arg| arg == "--json");
    let result = match args::parse(args.clone()) {
        Ok(Typed::Help(text)) => screen.data(&text).map(|()| Outcome::Yes).map_err(Failure::from),
        Ok(Typed::Command(cli)) if !cli.remotes.is_empty() => match there(&cli, &args, me, root, screen) {
            Ok(code) => return code,
            Err(failure) => Err(failure),
        },
        Ok(Typed::Command(cli)) => answer(&cli, jitd, me, root, screen),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(Outcome::Yes) => 0,
        Ok(Outcome::No) => 1,
        Err(failure) => {
            screen.say(&failure.message());
            if json && screen.is_blank() {
                let Refused { code, .. } = failure.error.refused();
                let error = Refused { code, text: failure.message() };
                // Where that fails, too, the message on standard error is all there is.
                drop(output::json(&Failed { error }).and_then(|text| screen.data(&text)));
            }
            failure.error.exit_code()
        }
    }
}

/// The same on other hosts. What has a screen of its own has that of one.
fn there(
    cli: &Cli,
    args: &[OsString],
    me: Option<u32>,
    root: &Path,
    screen: &mut Screen<'_>,
) -> Result<u8, Failure> {
    if elsewhere::is_by_sudo(me, root) {
        let text =
            "ssh would use root's keys for whoever is root by sudo; type it as yourself, with -H USER@HOST"
                .to_owned();
        return Err(Error::Refused(text).into());
    }
    if cli.remotes.len() > 1 && matches!(cli.verb, Some(Verb::Watch | Verb::Kiosk)) {
        let text = "that has a screen of its own: name one host".to_owned();
        return Err(Error::Usage(text).into());
    }
    elsewhere::run(&cli.remotes, args, cli.json, root, screen)
}

/// What a program gets that asked for JSON, where there is no answer.
#[derive(Serialize)]
struct Failed {
    error: Refused,
}

/// One row for each command; without one, the caller's own windows.
fn answer(
    cli: &Cli,
    jitd: &dyn Jitd,
    me: Option<u32>,
    root: &Path,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let json = cli.json;
    if cli.utc {
        times::set_zone(TimeZone::UTC);
    }
    let Some(verb) = &cli.verb else { return status::run_mine(json, jitd, me, screen) };
    match verb {
        Verb::OwnAccess(verb) => own_access::run(verb, json, jitd, me, screen),
        Verb::Reviewing(verb) => reviewing::run(verb, json, jitd, screen),
        Verb::Grant(grant) => grant::run(grant, json, jitd, screen),
        Verb::Locking(verb) => locking::run(verb, json, jitd, screen),
        Verb::Watch => watch::run(json, jitd, screen),
        Verb::Kiosk => kiosk::run(jitd, me, screen),
        Verb::Revoke(revoke) => revoke::run(revoke, json, jitd, screen),
        Verb::List(list) => list::run(list, json, jitd, screen),
        Verb::Show(show) => show::run(show, json, jitd, screen),
        Verb::Check(check) => check::run(check, json, jitd, screen),
        Verb::Explain(explain) => explain::run(explain, json, jitd, screen),
        Verb::Roles(roles) => roles::run(roles, json, jitd, screen),
        Verb::Confirm => confirm::run(json, jitd, screen),
        Verb::Status => status::run(json, jitd, root, screen),
        Verb::Doctor => doctor::run(json, jitd, root, screen),
        Verb::Enable(order) => enabling::enable(order, json, jitd, root, screen),
        Verb::Enforce(order) => enabling::enforce(order, json, root, screen),
        Verb::Disable(order) => enabling::disable(order, json, root, screen),
        Verb::Retire(order) => retire::run(order, json, jitd, root, screen),
        Verb::Clock { verb } => clock::run(verb.as_ref(), json, jitd, screen),
        Verb::Session(verb) => session::run(verb, json, jitd, screen),
        Verb::Audit(verb) => audit::run(verb, json, jitd, screen),
        Verb::Attest(order) => attest::run(order, json, jitd, screen),
        Verb::Report(wanted) => report::run(wanted, json, jitd, screen),
        Verb::Offline(verb) => offline::run(verb, json, jitd, screen),
        Verb::Code(verb) => code::run(verb, json, jitd, screen),
        Verb::Approvers(verb) => Ok(approvers::run(verb, json, screen)?),
        Verb::Policy(verb) => policy::run(verb, json, jitd, screen),
    }
}

#[cfg(test)]
pub(crate) mod explain_tests;
#[cfg(test)]
mod tests;
