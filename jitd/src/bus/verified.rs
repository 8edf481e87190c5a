//! Whether a text that was brought is signed by somebody who may: by the files as they were last loaded, and the clock.

use std::sync::Arc;

use jit_core::orders::Refusal;
use jit_core::proof::note::HostKey;
use jit_core::sign::kind::SignedText;
use jit_core::sign::verify::{NotVerified, Verified, verify_text};
use jit_core::time::Utc;

use super::Error;
use crate::app::App;
use crate::desk::NotDone;

/// Why a signed text is not taken.
pub(super) enum Stop {
    /// jitd cannot say, or not now.
    Now(Error),
    /// The signed text is refused: that goes on record.
    Refused { key: Option<String>, error: Error },
}

impl From<NotVerified> for Stop {
    fn from(why: NotVerified) -> Self {
        Self::Refused { key: why.key().map(str::to_owned), error: Error::Refused(why.to_string()) }
    }
}

/// What a text says that opens something, and the time by which its key was judged: not while the clock is suspect.
pub(super) fn verified<T: SignedText>(
    app: &App,
    text: &[u8],
    signature: &[u8],
) -> Result<(Verified<T>, Utc), Stop> {
    let (now, trust) = app.desk.clock().map_err(|err| Stop::Now(err.into()))?;
    if let Some(why) = now.suspect {
        let error = NotDone::from(Refusal::ClockSuspect(why)).into();
        return Err(Stop::Refused { key: None, error });
    }
    let at = now.wall.max(trust.mark());
    Ok((verified_at(app, text, signature, at)?, at))
}

/// What a text says, where its signature is good by this time.
pub(super) fn verified_at<T: SignedText>(
    app: &App,
    text: &[u8],
    signature: &[u8],
    at: Utc,
) -> Result<Verified<T>, Stop> {
    match &*app.signers.known() {
        Ok((approvers, revoked)) => Ok(verify_text(approvers, revoked, text, signature, at)?),
        Err(why) => Err(Stop::Refused { key: None, error: Error::Refused(no_signers(why)) }),
    }
}

pub(super) fn no_signers(why: &str) -> String {
    format!("no signature counts on this host now: {why}; an admin runs: jitctl approvers check")
}

/// The key of this host.
pub(super) fn host_key(app: &App) -> Result<Arc<HostKey>, Stop> {
    let key = app.desk.notary.key();
    key.ok_or_else(|| Stop::Now(Error::Busy("there is no host key yet; try again".into())))
}

/// What takes access away is judged by the latest time that was believed while the clock is suspect: that much time there
/// has been. A key that came into force since then counts by the wall clock.
pub(super) fn whenever<T: SignedText>(
    app: &App,
    text: &[u8],
    signature: &[u8],
) -> Result<(Verified<T>, Utc), Stop> {
    let (now, trust) = app.desk.clock().map_err(|err| Stop::Now(err.into()))?;
    let (mark, latest) = (trust.mark(), now.wall.max(trust.mark()));
    if now.is_trusted() {
        return Ok((verified_at(app, text, signature, latest)?, latest));
    }
    let verified =
        verified_at(app, text, signature, mark).or_else(|_| verified_at(app, text, signature, latest))?;
    Ok((verified, mark))
}
