//! What was typed, as words that cannot hold a bad value. Nothing is sent before all of it has been parsed.

use std::ffi::OsString;

use clap::error::{ContextValue, ErrorKind};
use clap::{Parser, Subcommand};
use jit_proto::text::Shown;

use crate::cmd::{
    approvers, attest, audit, check, clock, code, elsewhere, enabling, explain, grant, list, locking,
    offline, own_access, policy, report, retire, reviewing, revoke, roles, session, show,
};
use crate::error::Error;

const AFTER: &str = "\
Without a command, jitctl shows the windows that are open for you, what you have asked for, and
whether requests wait for your review. Times are shown and typed in the zone of this host, or of TZ.

Examples:
  jitctl request --role db-oncall --for 30m --reason 'INC-1234 failover of db-07' --wait
  jitctl approve r-4k7m2qx9 --for 15m --note 'ring me before the failover'
  jitctl grant maria --role db-oncall --for 30m --reason 'INC-1234 failover of db-07'
  jitctl check sshd maria
  jitctl revoke g-4k7m2qx9 --reason 'done early'

Exit codes: 0 done, or the answer is yes; 1 the answer is no; 2 bad usage; 3 no answer from jitd;
4 not permitted; 5 not found. See jitctl(1).";

/// Just-in-time access on this host: who has it, until when, and why
#[derive(Debug, Parser)]
#[command(name = "jitctl", bin_name = "jitctl", version, max_term_width = 100)]
#[command(after_help = AFTER, subcommand_value_name = "COMMAND", subcommand_help_heading = "Commands")]
pub(crate) struct Cli {
    /// The command; none shows the caller's own windows.
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,

    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Type it on other hosts, by ssh; what each says has its name in front, and the exit code is the worst
    #[arg(short = 'H', long = "on", global = true, value_name = "[USER@]HOST,...", value_delimiter = ',')]
    pub(crate) remotes: Vec<elsewhere::Remote>,

    /// Show times in UTC, and take typed ones as such [default: the zone of this host, or of TZ]
    #[arg(long, global = true)]
    pub(crate) utc: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    OwnAccess(own_access::Verb),

    #[command(flatten)]
    Reviewing(reviewing::Verb),

    Grant(grant::Grant),

    #[command(flatten)]
    Locking(locking::Verb),

    /// Watch what waits for you and what is open, and review it, on one screen
    ///
    /// Keys: j and k or the arrows select, Enter shows all of it, a approves, n denies, r looks again, q leaves.
    /// Where the terminal cannot do that (TERM=dumb), new requests are printed as they come.
    Watch,

    /// Ask, follow and review from a menu, and nothing else
    ///
    /// It is what the kiosk gives to people who cannot log in; see jit-kiosk(8).
    Kiosk,

    Revoke(revoke::Revoke),

    List(list::List),

    Show(show::Show),

    Check(check::Check),

    Explain(explain::Explain),

    Roles(roles::Roles),

    /// Keep the policy that is on trial
    ///
    /// This counts only from a login that passed a check since the trial began: log in anew, and type it there.
    Confirm,

    /// Show jitd's state, the policy in force and the windows that are open
    ///
    /// The exit code is 1 when jitd cannot decide or record; every managed login is refused then.
    Status,

    /// Find what is wrong with this host's installation, and say how to mend it
    ///
    /// It works without jitd, and as root sees most. The exit code is 1 where something is found that lets people in
    /// unasked or keeps them out.
    Doctor,

    Enable(enabling::Enable),

    Enforce(enabling::Enforce),

    Disable(enabling::Disable),

    Retire(retire::Retire),

    /// Show whether the clock of this host is believed, or say that it is right
    ///
    /// While it is suspect, nothing new opens but emergency roles, and the exit code is 1.
    #[command(subcommand_value_name = "COMMAND", subcommand_help_heading = "Commands")]
    Clock {
        /// What to do about it; without a command, it is shown
        #[command(subcommand)]
        verb: Option<clock::Verb>,
    },

    /// See who is in by a window, or end one session
    #[command(subcommand, subcommand_value_name = "COMMAND", subcommand_help_heading = "Commands")]
    #[command(arg_required_else_help = false)]
    Session(session::Verb),

    /// Show, verify and export the audit log
    #[command(subcommand, subcommand_value_name = "COMMAND", subcommand_help_heading = "Commands")]
    #[command(arg_required_else_help = false)]
    Audit(audit::Verb),

    Report(report::Wanted),

    Attest(attest::Attest),

    /// Approve across an air gap: requests leave as files, signatures come back
    #[command(subcommand, subcommand_value_name = "COMMAND", subcommand_help_heading = "Commands")]
    #[command(arg_required_else_help = false)]
    Offline(offline::Verb),

    /// Approve by a code that is read out, where nothing crosses but a voice
    #[command(subcommand, subcommand_value_name = "COMMAND", subcommand_help_heading = "Commands")]
    #[command(arg_required_else_help = false)]
    Code(code::Verb),

    /// List and check the keys whose signatures count on this host
    #[command(subcommand, subcommand_value_name = "COMMAND", subcommand_help_heading = "Commands")]
    #[command(arg_required_else_help = false)]
    Approvers(approvers::Verb),

    /// Check, test, compare, edit, load and show policy
    #[command(subcommand, subcommand_value_name = "COMMAND", subcommand_help_heading = "Commands")]
    #[command(arg_required_else_help = false)]
    Policy(policy::Verb),
}

/// What the arguments ask for.
pub(crate) enum Typed {
    /// A question for jitd.
    Command(Box<Cli>),
    /// `--help`, `help` or `--version`: the text asked for.
    Help(String),
}

pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Typed, Error> {
    Cli::try_parse_from(as_shell(args.into_iter().collect()))
        .map(|cli| Typed::Command(Box::new(cli)))
        .or_else(|refusal| {
            if let ErrorKind::DisplayHelp | ErrorKind::DisplayVersion = refusal.kind() {
                Ok(Typed::Help(refusal.render().to_string()))
            } else {
                Err(Error::Usage(usage_text(refusal)))
            }
        })
}

/// sshd hands its ForceCommand to the person's login shell, as `SHELL -c COMMAND`. In the kiosk's tree jitctl stands
/// in for every shell, so that no shell runs (jit-kiosk(8)): whatever the command is, it is the menu.
fn as_shell(args: Vec<OsString>) -> Vec<OsString> {
    if args.get(1).is_some_and(|first| first == "-c") { vec!["jitctl".into(), "kiosk".into()] } else { args }
}

/// clap's text in the form of every other message of ours, and with what was typed made safe to show: a
/// pasted argument can hold anything.
fn usage_text(mut refusal: clap::Error) -> String {
    let typed: Vec<_> = refusal
        .context()
        .filter_map(|(kind, value)| {
            if let ContextValue::String(text) = value { Some((kind, Shown(text).to_string())) } else { None }
        })
        .collect();
    for (kind, text) in typed {
        refusal.insert(kind, ContextValue::String(text));
    }
    let text = refusal.render().to_string();
    text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned()
}

#[cfg(test)]
mod tests;
