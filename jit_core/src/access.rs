//! Who may call which method, as far as the calling process alone can tell: a table with one row for each method that
//! jitd serves, and one function that applies it. Whether the caller is an admin, or owns the window, is checked later by
//! the order itself, under the desk's lock.
//!
//! The authority is the uid that the bus or the socket reports. A login uid only ever refuses: any process that nobody
//! logged in to start writes one of its choice into its own /proc/self/loginuid (law 8).

use jit_proto::words::Uid;

/// The login behind a process, as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginUid {
    /// Somebody logged in.
    Set(Uid),
    /// No login: a service, cron, or a process started at boot.
    Unset,
    /// This kernel does not tell.
    Untold,
}

/// Why it is not known which login is behind a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The process has gone, or another has its pid now.
    Gone,
    /// It runs, and /proc hides it from jitd (hidepid= of proc(5)).
    Hidden,
}

/// What a method asks of whoever calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Root's PAM modules ask, about anybody. Which login they run in says nothing about whom they ask about.
    Module,
    /// As [`Rule::Module`]; anybody else's program asks about its own user, as [`Rule::Own`] has it.
    ModuleOrOwn,
    /// To read, or to give back, what is one's own. What of others is shown to admins and auditors takes a login.
    Own,
    /// To ask for something for oneself: whoever became root is nobody who asks for root.
    Request,
    /// The caller approves or denies a request: see law 4.
    Review,
    /// An admin's order.
    Admin,
    /// To read the audit log.
    Audit,
}

macro_rules! methods {
    ($($method:ident: $interface:literal $member:literal $rule:ident,)*) => {
        /// Every method that jitd serves.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the table below says it")]
        pub enum Method {
            $($method,)*
        }

        impl Method {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$method,)*];

            /// The last word of its interface's name, its own name, and its rule.
            #[must_use]
            pub const fn row(self) -> (&'static str, &'static str, Rule) {
                match self {
                    $(Self::$method => ($interface, $member, Rule::$rule),)*
                }
            }
        }
    };
}

methods! {
    Question: "Gate" "Check" ModuleOrOwn,
    LoginQuestion: "Gate" "CheckLogin" ModuleOrOwn,
    Options: "Ask" "Options" Module,
    File: "Ask" "File" Module,
    Progress: "Ask" "Progress" Module,
    Enter: "Ask" "Enter" Module,
    Check: "User" "Check" Own,
    CheckPerson: "User" "CheckPerson" Own,
    Explain: "User" "Explain" Own,
    ExplainPerson: "User" "ExplainPerson" Own,
    Roles: "User" "Roles" Own,
    List: "User" "List" Own,
    Show: "User" "Show" Own,
    Request: "User" "Request" Request,
    Extend: "User" "Extend" Request,
    Withdraw: "User" "Withdraw" Own,
    Done: "User" "Done" Own,
    Sessions: "User" "Sessions" Own,
    EndSession: "User" "EndSession" Own,
    Status: "User" "Status" Own,
    Clock: "User" "Clock" Own,
    ClockChallenge: "User" "ClockChallenge" Own,
    Policy: "User" "Policy" Own,
    Pending: "Review" "Pending" Own,
    Review: "Review" "Review" Review,
    Export: "Review" "Export" Own,
    Import: "Review" "Import" Own,
    Code: "Review" "Code" Own,
    EnterCode: "Review" "EnterCode" Own,
    PolicyChanges: "Review" "PolicyChanges" Own,
    ReviewPolicy: "Review" "ReviewPolicy" Review,
    Grant: "Admin" "Grant" Admin,
    GrantPerson: "Admin" "GrantPerson" Admin,
    Revoke: "Admin" "Revoke" Admin,
    Lock: "Admin" "Lock" Admin,
    LockUnknown: "Admin" "LockUnknown" Admin,
    Unlock: "Admin" "Unlock" Admin,
    AcceptClock: "Admin" "AcceptClock" Admin,
    LoadPolicy: "Admin" "LoadPolicy" Admin,
    TryPolicy: "Admin" "TryPolicy" Admin,
    ChangePolicy: "Admin" "ChangePolicy" Admin,
    OverridePolicy: "Admin" "OverridePolicy" Admin,
    ForcePolicy: "Admin" "ForcePolicy" Admin,
    LoadSignedPolicy: "Admin" "LoadSignedPolicy" Admin,
    ConfirmPolicy: "Admin" "ConfirmPolicy" Admin,
    Records: "Audit" "Records" Audit,
    Stream: "Audit" "Stream" Audit,
    Story: "Audit" "Story" Audit,
    StoryFrom: "Audit" "StoryFrom" Audit,
    Checkpoint: "Audit" "Checkpoint" Audit,
    Proof: "Audit" "Proof" Audit,
    Archives: "Audit" "Archives" Audit,
    Archive: "Audit" "Archive" Admin,
    Carried: "Audit" "Carried" Audit,
    Attest: "Audit" "Attest" Audit,
}

/// Why a call is not answered. Each text says what would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Not one of root's PAM modules.
    #[error("only root's PAM modules ask here; for yourself, run: jitctl")]
    NotAModule,
    /// The login is another user's.
    #[error(
        "this process runs as uid {uid}, but it is in the login of uid {login}, so it is not answered as either; log in \
         as uid {uid} (by ssh or at the console, not by su or sudo), or type it as uid {login}"
    )]
    AnotherLogin {
        /// What the bus reports.
        uid: Uid,
        /// Who logged in.
        login: Uid,
    },
    /// Root that somebody became asks for itself.
    #[error(
        "a request is for whoever files it, and this is root in the login of uid {0}; leave out sudo to ask for \
         yourself, or as an admin ask for somebody else with: jitctl grant"
    )]
    RootOfAnother(Uid),
    /// A process without a login.
    #[error(
        "this process is in no login, and a review, an admin's order or a look at the audit log must come from one; log \
         in (by ssh or at the console) and type it there"
    )]
    NoLogin,
    /// Nobody is there to be answered, or it is not known who.
    #[error("the caller cannot be identified: its process has gone")]
    Gone,
    /// The kernel hides the login of other users' processes: see [`Unread::Hidden`].
    #[error(
        "the caller cannot be identified: /proc hides its process from jitd (hidepid); see: jitctl status"
    )]
    Hidden,
}

/// Whether a process of this uid, with this login behind it, may call this.
pub fn may_call(method: Method, uid: Uid, login: Result<LoginUid, Unread>) -> Result<(), Denied> {
    let (_, _, rule) = method.row();
    let is_root = uid.is_root();
    match rule {
        Rule::Module | Rule::ModuleOrOwn if is_root => match login {
            Err(Unread::Gone) => Err(Denied::Gone),
            Ok(_) | Err(Unread::Hidden) => Ok(()),
        },
        Rule::Module => Err(Denied::NotAModule),
        Rule::ModuleOrOwn | Rule::Own | Rule::Request | Rule::Review | Rule::Admin | Rule::Audit => {
            match login {
                Err(Unread::Gone) => Err(Denied::Gone),
                Err(Unread::Hidden) => Err(Denied::Hidden),
                Ok(LoginUid::Set(login)) if login == uid => Ok(()),
                Ok(LoginUid::Set(login)) if !is_root => Err(Denied::AnotherLogin { uid, login }),
                Ok(LoginUid::Set(login)) if rule == Rule::Request => Err(Denied::RootOfAnother(login)),
                // On a kernel that does not tell, all goes by the uid.
                Ok(LoginUid::Set(_) | LoginUid::Untold) => Ok(()),
                Ok(LoginUid::Unset) if is_root => Ok(()),
                Ok(LoginUid::Unset) => has_a_login(rule),
            }
        }
    }
}

/// What somebody who is not root may call without a login.
const fn has_a_login(rule: Rule) -> Result<(), Denied> {
    match rule {
        Rule::ModuleOrOwn | Rule::Own | Rule::Request => Ok(()),
        Rule::Module | Rule::Review | Rule::Admin | Rule::Audit => Err(Denied::NoLogin),
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
