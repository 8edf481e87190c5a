//! The six entry points that libpam calls.

#![allow(unsafe_code, reason = "what the macro of pam-bindings makes of them")]

use std::ffi::CStr;

use pam::constants::{PamFlag, PamResultCode};
use pam::module::{PamHandle, PamHooks};

use crate::hooks;
use crate::host::PamHost;
use crate::panic_guard::contained;

/// What libpam loads. The macro exports `pam_sm_acct_mgmt` and its five siblings; it checks the handle and the
/// argument vector, and catches a panic should one get past [`contained`].
struct Module;

mod exported {
    #![allow(missing_docs, unreachable_pub, reason = "the macro's functions are documented by pam(3)")]
    use super::Module;
    pam::pam_hooks!(Module);
}

impl PamHooks for Module {
    fn acct_mgmt(handle: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        contained(&mut PamHost(handle), |host| hooks::account(host, &args, flags))
    }

    fn sm_open_session(handle: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        contained(&mut PamHost(handle), |host| hooks::open_session(host, &args, flags))
    }

    fn sm_close_session(handle: &mut PamHandle, args: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        contained(&mut PamHost(handle), |host| hooks::close_session(host, &args))
    }

    fn sm_authenticate(handle: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        contained(&mut PamHost(handle), |host| hooks::authenticate(host, &args, flags))
    }

    fn sm_setcred(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        hooks::setcred()
    }

    fn sm_chauthtok(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        hooks::chauthtok()
    }
}
