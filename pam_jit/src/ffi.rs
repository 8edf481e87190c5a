//! Everything `unsafe` that is written in the module: three C calls. What libpam calls is in [`crate::entry`].

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int};

use pam::module::PamHandle;

use crate::error::Error;
use crate::log::Level;

// libpam is linked by pam-bindings, which has no binding for this call.
unsafe extern "C" {
    /// pam_syslog(3): syslog(3) at facility authpriv, with the module, service and stage before the text.
    fn pam_syslog(handle: *const PamHandle, priority: c_int, format: *const c_char, ...);
    /// pam_getenv(3): a variable of PAM's own environment, or null.
    fn pam_getenv(handle: *const PamHandle, name: *const c_char) -> *const c_char;
}

/// A variable of PAM's own environment.
pub(crate) fn variable(handle: &PamHandle, name: &CStr) -> Option<Vec<u8>> {
    // SAFETY: `handle` is the one that libpam passed to the entry point, borrowed for this call, and `name` ends with
    // a NUL. What comes back is null, or the value inside an entry that libpam owns, which ends with a NUL and stays
    // until the variable is set anew or the transaction ends; it is copied here, before anything else is called.
    let value = unsafe {
        let value = pam_getenv(handle, name.as_ptr());
        if value.is_null() { None } else { Some(CStr::from_ptr(value)) }
    };
    value.map(|value| value.to_bytes().to_vec())
}

/// Writes one line to the system log. `text` holds no NUL: [`crate::log::Line`] escapes it.
pub(crate) fn syslog(handle: &PamHandle, level: Level, text: &str) {
    let priority = match level {
        Level::Alert => libc::LOG_ALERT,
        Level::Error => libc::LOG_ERR,
        Level::Notice => libc::LOG_NOTICE,
        Level::Info => libc::LOG_INFO,
        Level::Debug => libc::LOG_DEBUG,
    };
    let Ok(text) = CString::new(text) else { return };
    // SAFETY: `handle` is the one that libpam passed to the entry point, borrowed for this call. The format is a
    // literal with exactly one `%s`, which takes the one variadic argument, a NUL-terminated string that outlives
    // the call. pam_syslog keeps neither pointer.
    unsafe { pam_syslog(handle, priority, c"%s".as_ptr(), text.as_ptr()) }
}

/// Random bytes from the kernel, never waiting for them: early in a boot getrandom(2) may block for longer than
/// any deadline.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    // SAFETY: the pointer and length are those of a live, writable array, of which the kernel writes at most the
    // length.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), N, libc::GRND_NONBLOCK) };
    if usize::try_from(got) == Ok(N) {
        Ok(bytes)
    } else {
        Err(Error::System { doing: "draw a nonce".into(), errno: nix::errno::Errno::last() })
    }
}
