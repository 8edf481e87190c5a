//! What was typed, as words that cannot hold a bad value. Nothing is sent before all of it has been parsed.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use clap::error::{ContextValue, ErrorKind};
use clap::{Parser, Subcommand};
use jit_core::duration::{BadDuration, parse_duration};
use jit_proto::text::Shown;
use jit_proto::words::{BadWord, GrantId, Reason, RequestId, RoleName, ServiceName, UserName};

use crate::error::Error;
use crate::jitd::Call;
use crate::sessions::SessionVerb;
use crate::times::When;
use crate::{asking, clock, locking, policy, reviewing};

const AFTER: &str = "\
Without a command, jitctl shows the windows that are open for you, what you have asked for, and
whether requests wait for your review. Times are UTC, typed and shown.

Examples:
  jitctl request --role db-oncall --for 30m --reason 'INC-1234 failover of db-07' --wait
  jitctl approve r-4k7m2qx9 --for 15m --note 'ring me before the failover'
  jitctl grant maria --role db-oncall --for 30m --reason 'INC-1234 failover of db-07'
  jitctl check sshd maria
  jitctl revoke g-4k7m2qx9 --reason 'done early'

Exit codes: 0 done, or the answer is yes; 1 the answer is no; 2 bad usage; 3 no answer from jitd;
4 not permitted. See jitctl(1).";

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
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    Asking(asking::Verb),

    #[command(flatten)]
    Reviewing(reviewing::Verb),

    /// Open a window for somebody, as far as policy lets you
    ///
    /// This is a request on their behalf together with your own review of it. Where policy wants more than one
    /// person, it stays pending until the others have approved it: then nothing is open yet and the exit code
    /// is 1.
    Grant {
        /// Whom the window is for
        user: UserName,
        /// The role that the window opens
        #[arg(long)]
        role: RoleName,
        /// How long, such as 30m or 1h30m [default: as the role says]
        #[arg(long = "for", value_name = "DURATION", value_parser = seconds)]
        seconds: Option<u64>,
        /// Why; one line, kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Reason,
    },

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

    /// End a window now, or withdraw a request that is pending
    ///
    /// One that has already ended is left as it is: then nothing changes, and the exit code is 0.
    Revoke {
        /// The grant (g-…) or the request (r-…)
        id: Id,
        /// Why; one line, kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<Reason>,
    },

    /// List the windows that are open and the requests that are pending
    ///
    /// Admins and auditors see everybody's, others their own.
    List {
        /// Also list what has ended
        #[arg(long)]
        all: bool,
    },

    /// Show one request, its reviews and its window
    Show {
        /// The grant (g-…) or the request (r-…)
        id: Id,
    },

    /// Ask whether somebody would be let in now
    ///
    /// Asking changes nothing and uses nothing. The exit code is 1 when the verdict is deny.
    Check {
        /// The PAM service, such as sshd or sudo
        service: ServiceName,
        /// The account; for sudo and su, the one who calls them
        user: UserName,
        /// The address that the login would come from [default: not known]
        #[arg(long, value_name = "ADDRESS")]
        from: Option<IpAddr>,
    },

    /// Say why somebody would be let in or not, role by role
    ///
    /// Every role that names the service is named, with the first condition that fails, what would have to change
    /// and who could approve it now. Asking changes nothing. The exit code is 1 when the verdict is deny.
    Explain {
        /// The account; for sudo and su, the one who calls them
        user: UserName,
        /// The PAM service, such as sshd or sudo
        service: ServiceName,
        /// Answer for a time to come, in UTC, such as '2026-12-01 07:00' or 'today 18:00' [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<When>,
        /// The address that the login would come from [default: not known]
        #[arg(long, value_name = "ADDRESS")]
        from: Option<IpAddr>,
        /// The account that su would become
        #[arg(long, value_name = "ACCOUNT")]
        target: Option<UserName>,
    },

    /// List the roles of this host that you may ask for
    Roles {
        /// Somebody else's; for admins and auditors
        user: Option<UserName>,
    },

    /// Keep the policy that is on trial
    ///
    /// This counts only from a login that passed a check since the trial began: log in anew, and type it there.
    Confirm,

    /// Show jitd's state, the policy in force and the windows that are open
    ///
    /// The exit code is 1 when jitd cannot decide or record; every managed login is refused then.
    Status,

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
    Session(SessionVerb),

    /// Check, test, compare, edit, load and show policy
    #[command(subcommand, subcommand_value_name = "COMMAND", subcommand_help_heading = "Commands")]
    #[command(arg_required_else_help = false)]
    Policy(PolicyVerb),
}

/// What to do with the policy.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Put the files in /etc/jit/policy.d in force
    ///
    /// If they have an error, it is printed, and the policy in force is kept.
    Load {
        /// On trial for so long, such as 5m: then the policy before them is back, unless somebody who has logged in
        /// meanwhile typed 'jitctl confirm'
        #[arg(long = "try", value_name = "DURATION", value_parser = seconds)]
        trial: Option<u64>,
    },
    /// Print the policy in force, file by file
    Show,
    #[command(flatten)]
    Files(policy::Verb),
}

/// A grant's or a request's id: either names the same entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Request(RequestId),
    Grant(GrantId),
}

impl FromStr for Id {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let request = text.parse().map(Self::Request);
        request.or_else(|_| text.parse().map(Self::Grant)).map_err(|_| BadWord::NotOneOf {
            what: "id",
            expected: "a grant's, like g-4k7m2qx9, or a request's, like r-4k7m2qx9",
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(id) => id.fmt(f),
            Self::Grant(id) => id.fmt(f),
        }
    }
}

/// What the arguments ask for.
pub(crate) enum Typed {
    /// A question for jitd.
    Command(Cli),
    /// `--help`, `help` or `--version`: the text asked for.
    Help(String),
}

pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Typed, Error> {
    Cli::try_parse_from(as_shell(args.into_iter().collect())).map(Typed::Command).or_else(|refusal| {
        match refusal.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Ok(Typed::Help(refusal.render().to_string()))
            }
            _ => Err(Error::Usage(usage_text(refusal))),
        }
    })
}

/// What a command needs to be answered.
#[derive(Debug)]
pub(crate) enum Task<'a> {
    /// jitd: the one call that answers it.
    Ask(Call),
    /// Files, and jitd at most on the way.
    Local(Local<'a>),
}

/// The families of commands that answer by themselves, each with a file of its own.
#[derive(Debug)]
pub(crate) enum Local<'a> {
    /// Without a command: the caller's own windows and requests.
    Mine,
    Policy(&'a policy::Verb),
    Asking(&'a asking::Verb),
    Reviewing(&'a reviewing::Verb),
    Locking(&'a locking::Verb),
    Clock(Option<&'a clock::Verb>),
    Watch,
    Kiosk,
}

/// sshd hands its ForceCommand to the person's login shell, as `SHELL -c COMMAND`. In the kiosk's tree jitctl stands
/// in for every shell, so that no shell runs (jit-kiosk(8)): whatever the command is, it is the menu.
fn as_shell(args: Vec<OsString>) -> Vec<OsString> {
    if args.get(1).is_some_and(|first| first == "-c") { vec!["jitctl".into(), "kiosk".into()] } else { args }
}

impl Cli {
    pub(crate) fn task(&self) -> Task<'_> {
        Task::Ask(match &self.verb {
            None => return Task::Local(Local::Mine),
            Some(Verb::Asking(verb)) => return Task::Local(Local::Asking(verb)),
            Some(Verb::Reviewing(verb)) => return Task::Local(Local::Reviewing(verb)),
            Some(Verb::Locking(verb)) => return Task::Local(Local::Locking(verb)),
            Some(Verb::Clock { verb }) => return Task::Local(Local::Clock(verb.as_ref())),
            Some(Verb::Watch) => return Task::Local(Local::Watch),
            Some(Verb::Kiosk) => return Task::Local(Local::Kiosk),
            Some(Verb::Status) => Call::Status,
            Some(Verb::Grant { user, role, seconds, reason }) => Call::Grant {
                user: user.clone(),
                role: role.clone(),
                seconds: seconds.unwrap_or(0),
                reason: reason.clone(),
            },
            Some(Verb::Revoke { id, reason }) => Call::Revoke { id: *id, reason: reason.clone() },
            Some(Verb::List { all }) => Call::List { all: *all },
            Some(Verb::Show { id }) => Call::Show { id: *id },
            Some(Verb::Check { service, user, from }) => {
                Call::Check { service: service.clone(), user: user.clone(), from: *from }
            }
            Some(Verb::Explain { user, service, at, from, target }) => Call::Explain {
                service: service.clone(),
                user: user.clone(),
                at: at.as_ref().map(When::to_string),
                from: *from,
                target: target.clone(),
            },
            Some(Verb::Roles { user }) => Call::Roles { user: user.clone() },
            Some(Verb::Confirm) => Call::ConfirmPolicy,
            Some(Verb::Policy(PolicyVerb::Load { trial: None })) => Call::LoadPolicy,
            Some(Verb::Policy(PolicyVerb::Load { trial: Some(seconds) })) => {
                Call::TryPolicy { seconds: *seconds }
            }
            Some(Verb::Session(SessionVerb::List)) => Call::Sessions,
            Some(Verb::Session(SessionVerb::End { id, reason })) => {
                Call::EndSession { id: *id, reason: reason.clone() }
            }
            Some(Verb::Policy(PolicyVerb::Show)) => Call::Policy,
            Some(Verb::Policy(PolicyVerb::Files(verb))) => return Task::Local(Local::Policy(verb)),
        })
    }
}

/// `--for` in whole seconds; never 0, which on the wire means the role's default.
pub(crate) fn seconds(text: &str) -> Result<u64, BadDuration> {
    parse_duration(text).map(|duration| duration.as_secs())
}

/// clap's text in the form of every other message of ours, and with what was typed made safe to show: a
/// pasted argument can hold anything.
fn usage_text(mut refusal: clap::Error) -> String {
    let typed: Vec<_> = refusal
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, Shown(text).to_string())),
            _ => None,
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
