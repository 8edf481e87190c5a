//! What this host says of a policy that an admin is about to load.
//!
//! The name service is asked about every group and account in it, which can hang for as long as a directory server
//! does. So it is asked on a thread of its own, one at a time and with a limit, and never under the desk's lock.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jit_core::policy::{Facts, Host, Policy};
use jit_host::facts::gather;
use zruntime::{SharedRuntime, mpmc};

/// Less than jitctl waits for a policy to load.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks the host, one policy at a time.
#[derive(Default)]
pub(crate) struct OnHost {
    busy: Arc<AtomicBool>,
}

/// There was no answer in time; what is asked still may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot tell whether this host has the groups and accounts of the policy: its name service has not answered \
     within {} s",
    LIMIT.as_secs()
)]
pub(crate) struct Hangs;

impl OnHost {
    /// What the host knows of the names in the policy.
    pub(crate) async fn facts(
        &self,
        runtime: &SharedRuntime,
        policy: &Policy,
        host: &Host,
    ) -> Result<Facts, Hangs> {
        let (policy, host) = (policy.clone(), host.clone());
        self.ask(runtime, LIMIT, move || gather(&policy, &host)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        runtime: &SharedRuntime,
        limit: Duration,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Hangs> {
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(Hangs); // the last one still hangs, and so would this
        }
        let (answer, wait) = mpmc::bounded(NonZeroUsize::MIN);
        let free = Free(Arc::clone(&self.busy));
        let asking = std::thread::Builder::new().name("on host".into()).spawn(move || {
            let _free = free;
            let _the_asker_gave_up = answer.try_send(question());
        });
        asking.map_err(|_| Hangs)?;
        match runtime.timeout(limit, wait.recv()).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) | Err(_) => Err(Hangs),
        }
    }
}

/// Lets the next one ask, however this one ends.
struct Free(Arc<AtomicBool>);

impl Drop for Free {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_name_service_that_hangs_is_given_up_and_not_asked_again_until_it_answers() {
        zruntime::block_on(async {
            let runtime = SharedRuntime::current().unwrap();
            let host = OnHost::default();
            let (go_on, hang) = channel::<()>();
            let slow = host.ask(&runtime, Duration::from_millis(20), move || hang.recv().is_err()).await;
            assert_eq!(slow, Err(Hangs));
            assert_eq!(host.ask(&runtime, LIMIT, || ()).await, Err(Hangs));
            drop(go_on);
            while host.busy.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            assert_eq!(host.ask(&runtime, LIMIT, || 7).await, Ok(7));
        });
    }

    #[test]
    fn a_question_that_fails_does_not_keep_the_next_from_being_asked() {
        zruntime::block_on(async {
            let runtime = SharedRuntime::current().unwrap();
            let host = OnHost::default();
            let failed =
                host.ask(&runtime, LIMIT, || -> () { panic!("as a name service module might") }).await;
            assert_eq!(failed, Err(Hangs));
            while host.busy.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            assert_eq!(host.ask(&runtime, LIMIT, || 7).await, Ok(7));
        });
    }
}
