//! What this host says of a policy that an admin is about to load.
//!
//! The name service is asked about every group and account in it, which can hang for as long as a directory server
//! does. So it is asked on a thread of its own, one at a time and with a limit, and never under the desk's lock.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jit_core::orders::lock::Found;
use jit_core::policy::{Host, Severity};
use jit_host::facts::gather;
use zruntime::{SharedRuntime, mpmc};

use crate::desk::{BadFiles, ReadPolicy};

/// Less than jitctl waits for a policy to load.
const LIMIT: Duration = Duration::from_secs(10);

/// What one name may take: an admin who locks is waiting.
const LIMIT_OF_ONE: Duration = Duration::from_secs(2);

/// Asks the host, one policy at a time.
#[derive(Default)]
pub(crate) struct HostCheck {
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

impl HostCheck {
    /// A policy that was read, if it fits this host. Only an admin's order asks: a start or a reload takes what the
    /// files say, whatever a name service answers just then (DESIGN §5).
    pub(crate) async fn fit(&self, runtime: &SharedRuntime, read: ReadPolicy, host: &Host) -> ReadPolicy {
        let (policy, mut warnings) = read?;
        let (asked, here) = (policy.clone(), host.clone());
        match self.ask(runtime, LIMIT, move || gather(&asked, &here)).await {
            Ok(facts) => {
                let findings = policy.host_check(&facts);
                if findings.iter().any(|finding| finding.severity == Severity::Error) {
                    return Err(BadFiles::for_this_host(findings));
                }
                warnings.extend(findings.iter().map(ToString::to_string));
            }
            Err(hangs) => warnings.push(hangs.to_string()),
        }
        Ok((policy, warnings))
    }

    /// What this host says of one name. Where it says nothing in time, nothing is known.
    pub(crate) async fn found(
        &self,
        runtime: &SharedRuntime,
        question: impl FnOnce() -> Found + Send + 'static,
    ) -> Found {
        self.ask(runtime, LIMIT_OF_ONE, question).await.unwrap_or_default()
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
    use jit_core::policy::{Policy, SourceFile};
    use std::sync::mpsc::channel;

    fn fit(text: &str, busy: bool) -> ReadPolicy {
        let file = SourceFile { name: "a.toml".to_owned(), bytes: text.into() };
        let policy = Policy::parse(&[file]).unwrap().policy;
        let host = Host {
            name: "db-1".parse().unwrap(),
            groups: [].into(),
            ways: jit_core::policy::Ways::default(),
        };
        zruntime::block_on(async {
            let host_check = HostCheck::default();
            host_check.busy.store(busy, Ordering::Release);
            host_check.fit(&SharedRuntime::current().unwrap(), Ok((policy, Vec::new())), &host).await
        })
    }

    const SOUND: &str = "version = 1\n[admins]\nusers = [\"root\"]\n[[exempt]]\nusers = [\"root\"]\n\
                         services = [\"login\"]\n";

    #[test]
    fn a_policy_that_fits_this_host_is_loaded_and_one_that_does_not_is_not() {
        assert_eq!(fit(SOUND, false).unwrap().1, Vec::<String>::new());
        let text = format!("{SOUND}[auditors]\ngroups = [\"no-such-group-here\"]\n");
        // An error; where this host cannot list its groups, a warning.
        match fit(&text, false) {
            Err(bad) => assert!(bad.to_string().contains("error JIT070: there is no group"), "{bad}"),
            Ok((_, warnings)) => assert!(warnings[0].contains("JIT079: cannot tell"), "{warnings:?}"),
        }
    }

    #[test]
    fn a_name_service_that_does_not_answer_keeps_no_policy_from_being_loaded() {
        let (_, warnings) = fit(SOUND, true).unwrap();
        assert!(warnings[0].starts_with("cannot tell whether this host has the groups"), "{warnings:?}");
    }

    #[test]
    fn a_name_service_that_hangs_is_given_up_and_not_asked_again_until_it_answers() {
        zruntime::block_on(async {
            let runtime = SharedRuntime::current().unwrap();
            let check = HostCheck::default();
            let (go_on, hang) = channel::<()>();
            let slow = check.ask(&runtime, Duration::from_millis(20), move || hang.recv().is_err()).await;
            assert_eq!(slow, Err(Hangs));
            assert_eq!(check.ask(&runtime, LIMIT, || ()).await, Err(Hangs));
            drop(go_on);
            while check.busy.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            assert_eq!(check.ask(&runtime, LIMIT, || 7).await, Ok(7));
        });
    }

    #[test]
    fn a_question_that_fails_does_not_keep_the_next_from_being_asked() {
        zruntime::block_on(async {
            let runtime = SharedRuntime::current().unwrap();
            let check = HostCheck::default();
            let failed =
                check.ask(&runtime, LIMIT, || -> () { panic!("as a name service module might") }).await;
            assert_eq!(failed, Err(Hangs));
            while check.busy.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            assert_eq!(check.ask(&runtime, LIMIT, || 7).await, Ok(7));
        });
    }
}
