//! Who may read what of others.

use jit_core::access::{Denied, LoginUid};
use jit_core::model::Person;
use jit_core::policy::{Policy, Subject};

use super::Error;
use crate::app::App;
use crate::peer::Peer;

/// Whether somebody sees what is others', too: root, admins and auditors; these from a login of theirs (see
/// [`jit_core::access`]).
pub(super) fn may_read_all(app: &App, peer: Peer, caller: &Subject) -> bool {
    peer.uid.is_root() || (is_from_a_login(peer) && app.desk.may_read_all(caller))
}

/// The same, by a policy that is at hand.
pub(super) fn may_read_all_by(policy: &Policy, peer: Peer, caller: &Subject) -> bool {
    peer.uid.is_root() || (is_from_a_login(peer) && (policy.is_admin(caller) || policy.is_auditor(caller)))
}

fn is_from_a_login(peer: Peer) -> bool {
    matches!(peer.login(), Ok(LoginUid::Set(_) | LoginUid::Untold))
}

/// Whether what is for this person is for this account, and for who comes by it where people share it.
pub(super) fn is_about(beneficiary: &Person, caller: &Subject) -> bool {
    let is_theirs = beneficiary.person.is_none() || beneficiary.person == caller.person;
    beneficiary.is_account(caller) && is_theirs
}

/// Why somebody is shown what is their own and no more.
pub(super) fn reads_own(app: &App, peer: Peer, caller: &Subject, why: String) -> Error {
    if app.desk.may_read_all(caller) && peer.login() == Ok(LoginUid::Unset) {
        return Denied::NoLogin.into();
    }
    Error::NotPermitted(why)
}
