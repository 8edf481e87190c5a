//! Catches panics, so that none leaves the module.
//!
//! A panic is a bug, and a bug refuses: `PAM_ABORT`, a line in the log, and not a byte on stderr, which is the
//! user's terminal under sudo.
//!
//! std prints a panic through a hook that is global to a copy of std. `pam_jit.so` carries a copy of its own, with
//! no symbol of it exported, so the hook set here is never the one of a host program in Rust. It is set once and
//! stays: taking it away again after each call would race with another thread of the host that is inside the
//! module, and print that thread's panic. It is quiet only inside a call; outside of one (unit tests, where the
//! copy of std is shared) the earlier hook still speaks.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::OnceLock;

use pam::constants::PamResultCode;

use crate::log::{Level, Line};
use crate::outside::Transaction;

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// The hook that was set before ours. In a static, not captured: ours then needs no heap, and a host that loads
/// and unloads the module all day loses no memory by it.
static EARLIER: OnceLock<Hook> = OnceLock::new();

thread_local! {
    // Without a destructor, so that it does not keep the module mapped after dlclose(3).
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs a hook. A panic in it is logged and becomes `PAM_ABORT`.
pub(crate) fn contained<H: Transaction>(
    host: &mut H,
    hook: impl FnOnce(&mut H) -> PamResultCode,
) -> PamResultCode {
    EARLIER.get_or_init(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(|info| {
            if !INSIDE.get()
                && let Some(earlier) = EARLIER.get()
            {
                earlier(info);
            }
        }));
        earlier
    });
    let outer = INSIDE.replace(true);
    // The host is a borrowed handle and holds no state of its own that a panic could leave half-changed.
    let result = panic::catch_unwind(AssertUnwindSafe(|| hook(host))).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref().map(String::as_str));
        let line = Line::new("refused: internal error").field("panic", said.unwrap_or("without a text"));
        // A host that panics at everything must not get its second panic past this edge.
        drop(panic::catch_unwind(AssertUnwindSafe(|| host.log(Level::Alert, &line.to_string()))));
        PamResultCode::PAM_ABORT
    });
    INSIDE.set(outer);
    result
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// The other test, in a process of its own whose output nobody captures.
    #[test]
    fn a_panic_prints_nothing() {
        let mut other = Command::new("/proc/self/exe");
        other.args(["--exact", "hooks::tests::a_panic_is_an_abort_and_a_line_in_the_log", "--nocapture"]);
        let done = other.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success() && out.contains("1 passed"), "{out}{err}");
        assert!(err.is_empty() && !out.contains("a bug"), "{out}{err}");
    }
}
