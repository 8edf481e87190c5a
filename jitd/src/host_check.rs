//! What this host says of a policy that an admin is about to load.
//!
//! The name service is asked about every group and account in it, which can hang for as long as a directory server
//! does. So it is asked on a thread of its own, one at a time and with a limit, and never under the desk's lock.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jit_core::orders::lock::Found;
use jit_core::policy::{Facts, Finding, Host, Policy, Severity};
use jit_host::facts::gather;
use jit_proto::words::UserName;
use zruntime::{SharedRuntime, mpmc};

use crate::clock::wall;
use crate::desk::{BadFiles, ReadPolicy};

/// Less than jitctl waits for a policy to load.
const LIMIT: Duration = Duration::from_secs(10);

/// How often it is seen whether the one before has been answered.
const AGAIN: Duration = Duration::from_millis(20);

/// The most errors that the record of a policy has which was loaded in spite of them.
const MOST: usize = 20;

/// What one name may take: an admin who locks is waiting.
const LIMIT_OF_ONE: Duration = Duration::from_secs(2);

/// Asks the host, one policy at a time.
pub(crate) struct HostCheck {
    busy: Arc<AtomicBool>,
    /// How long a policy waits for its answer.
    limit: Duration,
    /// Where facts come from.
    gather: fn(&Policy, &Host) -> Facts,
}

impl Default for HostCheck {
    fn default() -> Self {
        Self { busy: Arc::default(), limit: LIMIT, gather }
    }
}

/// There was no answer in time; what is asked still may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot tell whether this host has the groups and accounts of the policy: its name service has not answered \
     within {} s",
    LIMIT.as_secs()
)]
pub(crate) struct Hangs;

/// What is to be judged of policy files.
pub(crate) struct Judged<'a> {
    pub(crate) host: &'a Host,
    /// The policy whose admins would lose what they may.
    pub(crate) in_force: Option<Arc<Policy>>,
    /// What of it does not keep them from being loaded.
    pub(crate) pass: Pass,
}

/// Which errors of this host are passed over, and put on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// No error is passed over.
    Nothing,
    /// That too few people are known here to approve something: whoever signs elsewhere has not been counted.
    TooFew,
    /// Those that were on record when it was loaded by force, and that its approvers were shown.
    Shown(Vec<String>),
    /// All, for somebody who gave a reason.
    All,
}

impl Pass {
    fn covers(&self, error: &Finding) -> bool {
        match self {
            Self::Nothing => false,
            Self::TooFew => error.lacks_people(),
            // A list that is full need not be all there was; what locks out comes first in it.
            Self::Shown(lines) => {
                lines.contains(&error.to_string()) || (lines.len() >= MOST && !error.locks_out())
            }
            Self::All => true,
        }
    }
}

/// Policy files as this host has judged them.
#[derive(Debug)]
pub(crate) struct Fit {
    pub(crate) read: ReadPolicy,
    /// What was passed over, one line each.
    pub(crate) forced: Vec<String>,
}

impl From<ReadPolicy> for Fit {
    fn from(read: ReadPolicy) -> Self {
        Self { read, forced: Vec::new() }
    }
}

impl HostCheck {
    /// A policy that was read, if it fits this host. Only an admin's order asks: a start or a reload takes what the
    /// files say, whatever a name service answers just then (DESIGN §5).
    pub(crate) async fn fit(&self, runtime: &SharedRuntime, read: ReadPolicy, of: Judged<'_>) -> Fit {
        let (policy, mut warnings) = match read {
            Ok(read) => read,
            Err(bad) => return Err(bad).into(),
        };
        let Judged { host, in_force, pass } = of;
        let (asked, here, gather) = (policy.clone(), host.clone(), self.gather);
        match self.ask(runtime, self.limit, move || say(gather, &asked, in_force.as_deref(), &here)).await {
            Ok((findings, losers)) => {
                let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
                let mut errors: Vec<&Finding> = errors.collect();
                if errors.iter().any(|error| !pass.covers(error)) {
                    return Err(BadFiles::for_this_host(findings, &losers)).into();
                }
                errors.sort_by_key(|error| !error.locks_out());
                let errors = errors.into_iter().take(MOST).map(ToString::to_string).collect();
                warnings.extend(findings.iter().map(ToString::to_string));
                Fit { read: Ok((policy, warnings)), forced: errors }
            }
            Err(hangs) => {
                warnings.push(hangs.to_string());
                Ok((policy, warnings)).into()
            }
        }
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
        let mut left = limit;
        // The last one may only be slow.
        while self.busy.swap(true, Ordering::AcqRel) {
            left = left.checked_sub(AGAIN).ok_or(Hangs)?; // it hangs, and so would this
            runtime.sleep(AGAIN).await;
        }
        let (answer, wait) = mpmc::bounded(NonZeroUsize::MIN);
        let free = Free(Arc::clone(&self.busy));
        let asking = std::thread::Builder::new().name("on host".into()).spawn(move || {
            let _free = free;
            let _the_asker_gave_up = answer.try_send(question());
        });
        asking.map_err(|_| Hangs)?;
        match runtime.timeout(left, wait.recv()).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) | Err(_) => Err(Hangs),
        }
    }
}

/// What this host says of a policy and, where that would leave nobody who gives orders, who does now.
fn say(
    gather: fn(&Policy, &Host) -> Facts,
    policy: &Policy,
    in_force: Option<&Policy>,
    host: &Host,
) -> (Vec<Finding>, BTreeSet<UserName>) {
    let facts = Facts { now: Some(wall()), ..gather(policy, host) };
    let findings = policy.host_check(&facts);
    let before = in_force.filter(|_| findings.iter().any(Finding::locks_out));
    let losers = before.map(|before| before.admins_here(&gather(before, host)));
    (findings, losers.unwrap_or_default())
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
    use jit_core::policy::{PamFile, SourceFile};
    use std::sync::mpsc::channel;

    fn parsed(text: &str) -> Policy {
        let file = SourceFile { name: "a.toml".to_owned(), bytes: text.into() };
        Policy::parse(&[file]).unwrap().policy
    }

    fn fit(text: &str, busy: bool) -> ReadPolicy {
        judged(text, None, busy, Pass::Nothing).read
    }

    fn judged(text: &str, before: Option<&str>, busy: bool, pass: Pass) -> Fit {
        let policy = parsed(text);
        let host = Host {
            name: "db-1".parse().unwrap(),
            groups: [].into(),
            ways: jit_core::policy::Ways::default(),
        };
        zruntime::block_on(async {
            let host_check = HostCheck { gather: guarded, limit: SHORT, ..HostCheck::default() };
            host_check.busy.store(busy, Ordering::Release);
            let in_force = before.map(|text| Arc::new(parsed(text)));
            let of = Judged { host: &host, in_force, pass };
            host_check.fit(&SharedRuntime::current().unwrap(), Ok((policy, Vec::new())), of).await
        })
    }

    /// Long enough for this host's own files.
    const SHORT: Duration = Duration::from_secs(2);

    /// This host, were its sshd and login to ask jitd.
    fn guarded(policy: &Policy, host: &Host) -> Facts {
        let doors = ["sshd", "login"].map(|name| (name.parse().unwrap(), PamFile::NamesModule));
        Facts { doors: doors.into(), ..gather(policy, host) }
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

    /// Its only admin may ask for sudo alone, so that nobody who gives orders gets in.
    const SHUT: &str = "version = 1\n[admins]\nusers = [\"daemon\"]\n[[exempt]]\nusers = [\"root\"]\n\
                        services = [\"login\"]\n[role.r]\nhosts = [\"*\"]\nservices = [\"sudo\"]\n\
                        eligible = { users = [\"daemon\"] }\nmax-duration = \"1h\"\n\
                        stage = [{ approvers = { users = [\"bin\"] } }]\n";

    #[test]
    fn a_policy_that_would_leave_nobody_who_gives_orders_is_refused_with_the_names_of_who_would_lose_that() {
        let bad = fit(SHUT, false).unwrap_err().to_string();
        assert!(bad.contains("JIT074: no admin can get in on this host: daemon"), "{bad}");
        assert!(!bad.contains("would lose"), "{bad}");
        let both = SOUND.replacen("\"root\"", "\"root\", \"daemon\", \"nobody-is-called-so\"", 1);
        let refused = judged(SHUT, Some(&both), false, Pass::Nothing);
        let bad = refused.read.unwrap_err().to_string();
        assert!(bad.contains("Who gives orders here and would lose that: daemon, root"), "{bad}");
        assert!(!bad.contains("--force") && !bad.contains("systemctl reload"), "{bad}");
        assert_eq!(refused.forced, Vec::<String>::new());
        // What does not lock out names nobody.
        let text = format!("{SOUND}[auditors]\ngroups = [\"no-such-group-here\"]\n");
        if let Err(bad) = judged(&text, Some(&both), false, Pass::Nothing).read {
            assert!(!bad.to_string().contains("would lose"), "{bad}");
        }
    }

    #[test]
    fn whoever_forces_such_a_policy_has_what_was_said_on_record_and_is_told() {
        let Fit { read, forced } = judged(SHUT, Some(SOUND), false, Pass::All);
        let (_, warnings) = read.unwrap();
        assert!(forced.len() == 1 && forced[0].contains("JIT074"), "{forced:?}");
        assert!(warnings.contains(&forced[0]), "{warnings:?}");
        // Where there is nothing to pass over, it is a load like any.
        assert_eq!(judged(SOUND, Some(SOUND), false, Pass::All).forced, Vec::<String>::new());
    }

    #[test]
    fn a_signed_policy_is_not_refused_for_too_few_approvers_here_and_for_nothing_else() {
        let few = format!("{SOUND}[policy-change]\napprovers = {{ groups = [\"daemon\"] }}\napprovals = 8\n");
        let Fit { read, forced } = judged(&few, Some(SOUND), false, Pass::TooFew);
        let (_, warnings) = read.unwrap();
        // Where this host cannot list its groups, a warning.
        let told = warnings.iter().any(|line| line.contains("JIT079")) || forced[0].contains("JIT072");
        assert!(told, "{warnings:?}");
        assert_eq!(judged(&few, Some(SOUND), false, Pass::Nothing).read.is_err(), !forced.is_empty());
        let bad = judged(SHUT, Some(SOUND), false, Pass::TooFew).read.unwrap_err().to_string();
        assert!(bad.contains("JIT074"), "{bad}");
    }

    #[test]
    fn what_has_become_wrong_since_a_policy_was_loaded_by_force_keeps_it_back_and_what_was_shown_does_not() {
        let shown = judged(SHUT, Some(SOUND), false, Pass::All).forced;
        assert_eq!(judged(SHUT, Some(SOUND), false, Pass::Shown(shown.clone())).forced, shown);
        let other = "a.toml:9:1: error JIT070: there is no group `lost` on this host".to_owned();
        // A list that is full has what locks out.
        for before in [vec![], vec![other.clone()], vec![other; MOST]] {
            let bad = judged(SHUT, Some(SOUND), false, Pass::Shown(before)).read.unwrap_err().to_string();
            assert!(bad.contains("JIT074"), "{bad}");
        }
        let few = format!("{SOUND}[policy-change]\napprovers = {{ groups = [\"daemon\"] }}\napprovals = 8\n");
        let full = Pass::Shown(vec![String::new(); MOST]);
        assert!(judged(&few, Some(SOUND), false, full).read.is_ok());
    }

    #[test]
    fn whether_anybody_would_be_left_is_unknown_where_the_name_service_does_not_answer_and_refuses_nothing() {
        let Fit { read, forced } = judged(SHUT, Some(SOUND), true, Pass::Nothing);
        let (_, warnings) = read.unwrap();
        assert!(warnings[0].starts_with("cannot tell"), "{warnings:?}");
        assert_eq!(forced, Vec::<String>::new());
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
            assert_eq!(check.ask(&runtime, Duration::from_millis(20), || ()).await, Err(Hangs));
            drop(go_on);
            while check.busy.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            assert_eq!(check.ask(&runtime, LIMIT, || 7).await, Ok(7));
        });
    }

    #[test]
    fn a_policy_is_judged_once_the_question_before_it_has_been_answered() {
        zruntime::block_on(async {
            let runtime = SharedRuntime::current().unwrap();
            let check = HostCheck::default();
            let slow = || std::thread::sleep(Duration::from_millis(300));
            assert_eq!(check.ask(&runtime, Duration::from_millis(20), slow).await, Err(Hangs));
            assert!(check.busy.load(Ordering::Acquire));
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
