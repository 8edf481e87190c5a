//! Who may read what of others.

use jit_core::access::{Denied, LoginUid};
use jit_core::policy::Subject;

use super::Error;
use crate::app::App;
use crate::peer::Peer;
use crate::store::rows::Story;

/// Whether somebody sees what is others', too: root, admins and auditors; these from a login of theirs (see
/// [`jit_core::access`]).
pub(super) fn may_read_all(app: &App, peer: Peer, caller: &Subject) -> bool {
    let from_a_login = matches!(peer.login(), Ok(LoginUid::Set(_) | LoginUid::Untold));
    peer.uid.is_root() || (from_a_login && app.desk.may_read_all(caller))
}

/// Whether a request is for this account.
pub(super) fn is_about(story: &Story, caller: &Subject) -> bool {
    let beneficiary = &story.request.beneficiary;
    beneficiary.uid == caller.uid && beneficiary.name == caller.name
}

/// Why somebody is shown what is their own and no more.
pub(super) fn reads_own(app: &App, peer: Peer, caller: &Subject, why: String) -> Error {
    if app.desk.may_read_all(caller) && peer.login() == Ok(LoginUid::Unset) {
        return Denied::NoLogin.into();
    }
    Error::NotPermitted(why)
}
