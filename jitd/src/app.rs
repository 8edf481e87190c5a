//! What jitd is made of, for whoever answers calls or keeps something going.

use zruntime::SharedRuntime;

use crate::desk::Desk;
use crate::guarded::Watched;
use crate::host_check::HostCheck;
use crate::nss::Names;
use crate::pipes::Pipes;
use crate::rate::RateLimiter;
use crate::session::askers::Askers;
use crate::session::awaiting::Awaiting;
use crate::session::remains::Ended;
use crate::session::systemd::Systemd;
use crate::session_of::Sessions;
use crate::signers::Signers;
use crate::store::StorePath;

/// The parts of jitd, each once.
pub(crate) struct App {
    pub(crate) desk: Desk,
    /// The name service.
    pub(crate) names: Names,
    /// The name service, for the names in a policy.
    pub(crate) host_check: HostCheck,
    pub(crate) runtime: SharedRuntime,
    pub(crate) systemd: Systemd,
    pub(crate) store: StorePath,
    /// Who reads the log at length.
    pub(crate) pipes: Pipes,
    /// Questions of unprivileged programs to the gate.
    pub(crate) ration: RateLimiter,
    /// Questions to the gate of programs that ask about others.
    pub(crate) asking: RateLimiter,
    /// Requests that people file.
    pub(crate) filing: RateLimiter,
    /// Signed texts that people bring.
    pub(crate) importing: RateLimiter,
    /// Codes that people type.
    pub(crate) codes: RateLimiter,
    /// Whose signatures and codes count.
    pub(crate) signers: Signers,
    pub(crate) sessions: Sessions,
    /// Logins that were allowed and have not asked for their session yet.
    pub(crate) awaiting: Awaiting,
    /// Who asked lately whether somebody may log in.
    pub(crate) askers: Askers,
    /// What this host's PAM files are.
    pub(crate) pam_files: Watched,
    /// Logins that were ended, of which systemd may keep something.
    pub(crate) ended: Ended,
}
