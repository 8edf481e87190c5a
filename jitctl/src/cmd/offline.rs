//! `jitctl offline`: approval by a signed file. A request leaves this host as a file, people sign it on machines of their
//! own, and the signatures come back; signing needs no jitd.

mod by;
mod evidence;
mod files;
mod home;
mod inbox;
mod met;
mod policy;
pub(super) mod qr;
mod refused;
mod sign;
mod sync;
mod typed;
mod words;
mod write;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use jit_core::sign::compact;
use jit_core::sign::file::RequestFile;
use jit_proto::manager::Exported;
use jit_proto::text::{Shown, Typed};
use jit_proto::words::{Reason, RequestId, ServiceName};

use crate::call::Call;
use crate::error::{Error, Failure};
use crate::fresh::write_new;
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give, json as as_json};
use crate::screen::Screen;
use crate::times::time;
use crate::values::seconds;
use by::By;
use files::{Came, Signed, came};
use typed::Form;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write a request that waits into a file, for people to sign elsewhere
    ///
    /// Whoever may approve it signs the file with 'jitctl offline sign', or with nothing but OpenSSH:
    /// ssh-keygen -Y sign -n jitd.approval.v1 -f KEY FILE. It is written anew each time, with the newest checkpoint; the
    /// seal of this host goes beside it (r-….seal).
    Export {
        /// The request (r-…)
        id: RequestId,
        /// The file to write, which must not be there yet [default: r-….req in this folder]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Print it instead
        #[arg(long, conflicts_with_all = ["output", "compact", "qr"])]
        text: bool,
        #[command(flatten)]
        form: Form,
    },

    /// Bring signatures to this host; whoever carries them may
    ///
    /// A FILE is what 'jitctl offline sign' wrote, or the R.req.sig of ssh-keygen with R.req beside it. Several may come
    /// in any order. It may also hold what 'jitctl offline sign --compact' printed; without a FILE such rows are asked for, and
    /// with - they are read from standard input. The exit code is 1 when one of them is refused.
    Import {
        /// Signed files
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },

    /// Show a request's file or another text, ask, and sign it, on a machine that needs no jitd
    ///
    /// FILE is that of a request, the text of a policy (jitd.policy), or what 'jitctl offline grant', 'revoke', 'lock'
    /// or 'clock' wrote; all but the first are signed as they are. A request is approved as it is, unless you deny it or leave
    /// less of it. The answer is one file, R.….signed, beside it, or with --compact or --qr is shown. FILE may also hold what
    /// 'jitctl offline export --compact' printed; without it such rows are asked for, and with - they are read from standard
    /// input.
    Sign {
        /// The file of the request (R.req), or a statement
        file: Option<PathBuf>,
        /// The key: its file, or with an agent the .pub of it, as -f of ssh-keygen -Y sign takes it
        #[arg(long, value_name = "KEY", required_unless_present = "agent", conflicts_with = "agent")]
        key: Option<PathBuf>,
        /// Sign by the one key that your agent has
        #[arg(long)]
        agent: bool,
        /// Deny it, and say why
        #[arg(long, value_name = "REASON", conflicts_with_all = ["duration", "services"])]
        deny: Option<Reason>,
        /// What is written with the approval, which its stage may want
        #[arg(long, value_name = "TEXT", conflicts_with = "deny")]
        note: Option<Reason>,
        /// Leave at most so long, such as 15m
        #[arg(long, value_name = "DURATION", value_parser = seconds)]
        duration: Option<u64>,
        /// Leave only these services, with commas between
        #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
        services: Vec<ServiceName>,
        /// Ask nothing
        #[arg(long)]
        yes: bool,
        /// Where you keep what you know of hosts [default: ~/.local/share/jitctl]
        #[arg(long, value_name = "DIR")]
        known: Option<PathBuf>,
        #[command(flatten)]
        form: Form,
    },

    /// Write the text that people sign for a policy, on a machine that needs no jitd
    ///
    /// It names every file by size and SHA-256. They sign it with 'jitctl offline sign', or with nothing but OpenSSH:
    /// ssh-keygen -Y sign -n jitd.policy.v1 -f KEY FILE. On the host, 'jitctl policy load --signed' takes the folder.
    Policy(policy::Wanted),

    /// Put what waits on this host into a folder that travels, and take in what was signed
    ///
    /// What is signed and for this host is brought to jitd; then the requests that wait, and for root, admins and auditors
    /// the new records of the log, are put there. It can be run as often as one likes. The exit code is 1 when something is refused or
    /// cannot be put there.
    Sync {
        /// The folder that travels
        dir: PathBuf,
        /// Bring again what was refused before
        #[arg(long)]
        again: bool,
        /// Where to remember what was refused [default: ~/.local/share/jitctl]
        #[arg(long, value_name = "DIR")]
        known: Option<PathBuf>,
    },

    Inbox(inbox::Inbox),

    Grant(Box<write::Grant>),

    Revoke(write::Revoke),

    Lock(write::Lock),

    Clock(write::Clock),

    /// Write the signed reviews of a request into a folder, and say how to verify them with ssh-keygen
    Evidence {
        /// The request (r-…), or the number of a record
        of: evidence::Of,
        /// The folder to write into
        #[arg(long = "in", value_name = "DIR", default_value = ".")]
        dir: PathBuf,
    },
}

pub(crate) fn run(
    verb: &Verb,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    match verb {
        Verb::Export { id, output, text, form } => {
            let how = if *text { To::Screen } else { To::File(output.as_deref(), *form) };
            export(*id, how, json, jitd, screen)
        }
        Verb::Import { files } => import(files, json, jitd, screen),
        Verb::Policy(wanted) => Ok(policy::write(wanted, screen)?),
        Verb::Sign { file, key, agent, deny, note, duration, services, yes, known, form } => {
            let nobody =
                || Error::Usage("nothing is signed without a key; add --key KEY or --agent".to_owned());
            let by = By::of(key.as_deref(), *agent)?.ok_or_else(nobody)?;
            let less = sign::Less { deny: deny.as_ref(), note: note.as_ref(), seconds: *duration, services };
            match file.as_deref() {
                Some(file) if less.is_none() && !form.is_shown() && policy::is_one(file) => {
                    Ok(policy::sign(file, by.key(), *yes, screen)?)
                }
                file => Ok(sign::run(file, by.key(), &less, *yes, known.as_deref(), *form, screen)?),
            }
        }
        Verb::Sync { dir, again, known } => sync::run(dir, known.as_deref(), *again, json, jitd, screen),
        Verb::Inbox(wanted) => Ok(inbox::run(wanted, json, screen)?),
        Verb::Grant(wanted) => Ok(write::grant(wanted, screen)?),
        Verb::Revoke(wanted) => Ok(write::revoke(wanted, screen)?),
        Verb::Lock(wanted) => Ok(write::lock(wanted, screen)?),
        Verb::Clock(wanted) => Ok(write::clock(wanted, screen)?),
        Verb::Evidence { of, dir } => evidence::run(*of, dir, json, jitd, screen),
    }
}

/// Where a request goes.
#[derive(Clone, Copy)]
enum To<'a> {
    /// As it is, to standard output.
    Screen,
    /// Into a file, unless it is shown in another form.
    File(Option<&'a Path>, Form),
}

fn export(
    id: RequestId,
    to: To<'_>,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let exported: Exported = jitd::ask(jitd, &Call::Export { id })?;
    // What a person signs is what they are shown: nothing that jitd would not write itself.
    let file = RequestFile::parse(exported.file.as_bytes());
    let file = file.map_err(|why| Error::Garbled(why.to_string()))?;
    if json {
        return Ok(give(&exported, true, screen, |_| View::yes(String::new()))?);
    }
    let output = match to {
        To::Screen => {
            screen.exact(&exported.file)?;
            return Ok(Outcome::Yes);
        }
        To::File(_, form) if form.is_shown() => {
            let rows = compact::request(&file).map_err(|why| Error::Usage(why.to_string()))?;
            form.show(&rows, screen)?;
            screen.say("hint: have it signed with: jitctl offline sign --key KEY --compact");
            return Ok(Outcome::Yes);
        }
        To::File(output, _) => output,
    };
    let path = output.map_or_else(|| PathBuf::from(format!("{id}.req")), Path::to_owned);
    write_new(&path, &exported.file)?;
    write_new(&path.with_extension("seal"), &exported.seal)?;
    let shown = path.display().to_string();
    screen.data(&format!(
        "Wrote {}; a signature counts until {}.\n",
        Shown(&shown),
        time(&exported.expires)
    ))?;
    screen.say(&format!("hint: have it signed with: jitctl offline sign {} --key KEY", Typed(&shown)));
    Ok(Outcome::Yes)
}

/// Those that do not count yet are tried again when another has counted: stages run in order, and files come in any.
fn import(
    paths: &[PathBuf],
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let typed = PathBuf::from("what was typed");
    let mut left = if paths.is_empty() {
        match Signed::typed(screen)? {
            Some(signed) => vec![(&typed, signed)],
            None => return Ok(Outcome::No),
        }
    } else {
        paths.iter().map(|path| Ok((path, Signed::read(path)?))).collect::<Result<Vec<_>, Error>>()?
    };
    let mut taken: Vec<Came> = Vec::new();
    loop {
        let mut refused = Vec::new();
        let before = left.len();
        for (path, signed) in left {
            let call = Call::Import { text: signed.text.clone(), signature: signed.signature.clone() };
            match came(jitd, &call, &signed.text) {
                Ok(came) => {
                    if !json {
                        screen.data(&came.said(&path.display().to_string()))?;
                    }
                    taken.push(came);
                }
                Err(failure) if matches!(failure.error, Error::NotPermitted(_) | Error::Refused(_)) => {
                    refused.push((path, signed, failure));
                }
                Err(failure) => return Err(failure),
            }
        }
        let is_order = |failure: &Failure| matches!(failure.error, Error::NotPermitted(_));
        let again = refused.len() < before && refused.iter().any(|(_, _, failure)| is_order(failure));
        if again {
            left = refused.into_iter().map(|(path, signed, _)| (path, signed)).collect();
            continue;
        }
        if json {
            screen.data(&as_json(&taken)?)?;
        }
        let last = refused.pop();
        for (path, _, failure) in refused {
            screen.say(&format!("jitctl: {}: {}", Shown(&path.display().to_string()), failure.error));
        }
        return match last {
            None => Ok(Outcome::Yes),
            Some((path, _, failure)) if paths.len() > 1 => {
                screen.say(&format!("jitctl: {}: {}", Shown(&path.display().to_string()), failure.error));
                Ok(Outcome::No)
            }
            Some((_, _, failure)) => Err(failure),
        };
    }
}

#[cfg(test)]
mod tests;
