//! A role: what it opens, for whom, its limits and its stages.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::words::{RoleName, ServiceName, UserName};
use serde::{Deserialize, Serialize};

use super::approvers::Approvers;
use super::bounds::Bounds;
use super::host::{Host, HostPattern};
use super::hours;
use super::hours::Hours;
use super::net::Network;
use super::people::Subject;
use super::reason::ReasonRule;
use super::unreviewed::{self, Unreviewed};
use super::until::Until;
use super::who::{Leads, Who};
use crate::digest::{Canonical, Digest};

use crate::services::Services;
use crate::time::{Moment, Utc};

/// What may be asked for: hosts × services × who is eligible, the limits, and who approves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name, unique in the policy.
    pub name: RoleName,
    /// What it is for, in one line.
    pub summary: Option<String>,
    /// The hosts it exists on; at least one. Sorted.
    pub hosts: Vec<HostPattern>,
    /// Those of these on which it does not exist all the same. Sorted.
    pub hosts_except: Vec<HostPattern>,
    /// The PAM services it opens; at least one. `sudo` and `su` are already spelled out.
    pub services: Services,
    /// Who may ask; never empty.
    pub eligible: Who,
    /// Where from, when and as whom it may be used.
    pub limits: Limits,
    /// The longest window.
    pub max_duration: Duration,
    /// The window of a request that names none; at most `max_duration`.
    pub default_duration: Duration,
    /// When the window begins.
    pub starts: Starts,
    /// How many logins one grant is good for.
    pub uses: Uses,
    /// Whether the window goes on after a restart of the machine.
    pub survives_reboot: bool,
    /// What a reason must look like.
    pub reason: Option<ReasonRule>,
    /// What becomes of sessions when the window ends.
    pub at_end: AtEnd,
    /// How long running work may take to finish at the end; at most 30 minutes.
    pub grace: Duration,
    /// How long before the end people are told.
    pub warn: BTreeSet<Duration>,
    /// Whether it opens before anybody approved, and owes the reviews afterwards.
    pub emergency: bool,
    /// From when on it is no more; it stays if absent.
    pub until: Option<Until>,
    /// How many windows of it there may be, how far apart and how long in all.
    pub bounds: Bounds,
    /// The roles that nobody has beside it. Each of them names it in turn.
    pub apart: BTreeSet<RoleName>,
    /// What of it opens without a review; nothing if absent.
    pub unreviewed: Option<Unreviewed>,
    /// The levels of approval, in order; at least one.
    pub stages: Vec<Stage>,
}

impl Role {
    /// The hosts that it exists on, in words: `db-*, @web but not @prod`.
    #[must_use]
    pub fn shown_hosts(&self) -> String {
        let list = |patterns: &[HostPattern]| {
            patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        match &self.hosts_except[..] {
            [] => list(&self.hosts),
            except => format!("{} but not {}", list(&self.hosts), list(except)),
        }
    }

    /// Whether the role exists on this host.
    #[must_use]
    pub fn on_host(&self, host: &Host) -> bool {
        let is_one_of = |patterns: &[HostPattern]| patterns.iter().any(|pattern| pattern.matches(host));
        is_one_of(&self.hosts) && !is_one_of(&self.hosts_except)
    }

    /// From where, when and as whom, of what it opens without a review: its own limits, and those of the rule that it opens by.
    /// The hours are not among them, as such a window is over before they are.
    #[must_use]
    pub fn limits_unreviewed(&self) -> Option<Limits> {
        let rule = self.unreviewed.as_ref()?;
        let from = unreviewed::both(&self.limits.from, &rule.from)?;
        Some(Limits { from, ..self.limits.clone() })
    }

    /// When a window begins that opens now, where it waits for the hours of the role. A clock that is suspect says of none
    /// whether they are now.
    #[must_use]
    pub fn begins_with_hours(&self, now: &Moment) -> Option<Utc> {
        let hours = &self.limits.hours;
        let waits = self.starts == Starts::WithHours && !self.emergency && now.is_trusted();
        let is_closed = waits && hours::open_for(hours, now.wall, Duration::from_millis(1)).is_zero();
        if is_closed { hours::next_opening(hours, now.wall) } else { None }
    }

    /// Whether its day has come from which on it is no more. A clock that is suspect says so of nothing.
    #[must_use]
    pub fn is_over(&self, now: &Moment) -> bool {
        self.left(now).is_some_and(|left| left.is_zero())
    }

    /// How long it will be there, where that ends and the clock that tells is believed.
    #[must_use]
    pub fn left(&self, now: &Moment) -> Option<Duration> {
        self.until.as_ref().filter(|_| now.is_trusted()).map(|until| until.at().since(now.wall))
    }

    /// Whether whoever holds the role can become root: through sudo, which sudoers governs and not this policy,
    /// or through su where that is not kept to other accounts.
    #[must_use]
    pub fn reaches_root(&self) -> bool {
        let run_as = &self.limits.run_as;
        let su_to_root = run_as.is_empty() || run_as.iter().any(|user| user.as_str() == "root");
        let mut services = self.services.iter();
        services.any(|service| service.is_sudo() || (service.is_su() && su_to_root))
    }

    /// Whether the reason has to name a ticket that the site's register lists.
    #[must_use]
    pub fn takes_known_ticket(&self) -> bool {
        self.reason.as_ref().is_some_and(|rule| rule.known)
    }

    /// A digest of what the role means: its name and every term that can change who gets in, where, for how
    /// long or on whose word. How the file is laid out, comments, the order of lists and what is only read by
    /// people (the summary, the names of stages, the hint of a reason, warnings) do not change it.
    #[must_use]
    pub fn terms_digest(&self) -> Digest {
        let mut bytes = Canonical::default();
        bytes.part(b"jitd.role.v1");
        bytes.part(self.name.as_str().as_bytes());
        bytes.list(self.hosts.iter().map(ToString::to_string));
        bytes.list(self.services.iter().map(ServiceName::as_str));
        self.eligible.write_to(&mut bytes);
        self.limits.write_to(&mut bytes);
        bytes.seconds(self.max_duration);
        bytes.seconds(self.default_duration);
        match self.starts {
            Starts::AtApproval => bytes.part(b"at-approval"),
            Starts::WithHours => bytes.part(b"with-hours"),
            Starts::AtFirstUse { lapse } => {
                bytes.part(b"at-first-use");
                bytes.seconds(lapse);
            }
        }
        bytes.part(self.uses.to_string().as_bytes());
        bytes.flag(self.survives_reboot);
        bytes.part(self.reason.as_ref().map_or("", ReasonRule::pattern).as_bytes());
        match self.at_end {
            AtEnd::Terminate => bytes.part(b"terminate"),
            AtEnd::Drain => bytes.part(b"drain"),
            AtEnd::Keep { most } => {
                bytes.part(b"keep");
                bytes.seconds(most);
            }
        }
        bytes.seconds(self.grace);
        bytes.flag(self.emergency);
        bytes.part(&self.stages_digest().0);
        // What a role does not have leaves the digest as it was before there was any such thing.
        if let Some(until) = &self.until {
            bytes.part(b"until");
            bytes.part(until.to_string().as_bytes());
        }
        if !self.bounds.is_empty() {
            bytes.part(b"limits");
            self.bounds.write_to(&mut bytes);
        }
        if !self.apart.is_empty() {
            bytes.part(b"apart");
            bytes.list(self.apart.iter().map(RoleName::as_str));
        }
        if !self.hosts_except.is_empty() {
            bytes.part(b"hosts-except");
            bytes.list(self.hosts_except.iter().map(ToString::to_string));
        }
        if let Some(rule) = &self.unreviewed {
            bytes.part(b"unreviewed");
            rule.write_to(&mut bytes);
        }
        if self.takes_known_ticket() {
            bytes.part(b"known-ticket");
        }
        bytes.digest()
    }

    /// A digest of the stages alone, names left out.
    pub(super) fn stages_digest(&self) -> Digest {
        let mut bytes = Canonical::default();
        bytes.part(&(self.stages.len() as u64).to_be_bytes());
        for stage in &self.stages {
            stage.write_to(&mut bytes);
        }
        // What no stage has leaves the digest as it was before there was any such thing.
        if self.stages.iter().any(|stage| stage.above.is_some()) {
            bytes.part(b"above");
            bytes.list(
                self.stages.iter().map(|stage| stage.above.map_or(0, |above| above.as_secs()).to_be_bytes()),
            );
        }
        if self.stages.iter().any(|stage| stage.note.is_some()) {
            bytes.part(b"note");
            bytes.list(self.stages.iter().map(|stage| stage.note.as_ref().map_or("", ReasonRule::pattern)));
        }
        bytes.digest()
    }

    /// Whether some stage of it asks the leads of teams.
    #[must_use]
    pub fn asks_leads(&self) -> bool {
        self.stages.iter().flat_map(Stage::people).any(Who::asks_leads)
    }

    /// Everybody whom it names: who is eligible, and whom its stages ask.
    pub fn people(&self) -> impl Iterator<Item = &Who> {
        self.stages.iter().flat_map(Stage::people).chain([&self.eligible])
    }
}

impl Role {
    /// The same, to learn more of them.
    pub(super) fn people_mut(&mut self) -> impl Iterator<Item = &mut Who> {
        let asked = self.stages.iter_mut().flat_map(|stage| {
            let next = match &mut stage.then {
                Then::Deny => None,
                Then::Ask(next) => Some(next),
            };
            stage.approvers.sets_mut().chain(next)
        });
        asked.chain([&mut self.eligible])
    }
}

/// From where, when and as whom. A grant keeps those that were approved, and today's hold beside them (law 5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The addresses a login may come from; anywhere if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub from: BTreeSet<Network>,
    /// The times of the week; always if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<Hours>,
    /// The accounts that su may become; any if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub run_as: BTreeSet<UserName>,
}

/// The limit that a login breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outside {
    /// su to an account that is not listed.
    RunAs,
    /// From an address that is not listed, or from none that is known.
    From,
    /// At a time that is not listed.
    Hours,
    /// Only certain times are listed, and the clock that would tell is suspect.
    Clock,
}

impl Limits {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.from.is_empty() && self.hours.is_empty() && self.run_as.is_empty()
    }

    /// How long a login that begins now may last, at most `limit`; or which limit it breaks.
    ///
    /// `from` is the address of the login session and `target` the account that su becomes. One that is not known
    /// matches no list.
    pub fn admit(
        &self,
        from: Option<IpAddr>,
        target: Option<&UserName>,
        now: &Moment,
        limit: Duration,
    ) -> Result<Duration, Outside> {
        if !self.run_as.is_empty() && !target.is_some_and(|user| self.run_as.contains(user)) {
            return Err(Outside::RunAs);
        }
        if !listed(&self.from, from) {
            return Err(Outside::From);
        }
        if !self.hours.is_empty() && !now.is_trusted() {
            return Err(Outside::Clock);
        }
        match hours::open_for(&self.hours, now.wall, limit) {
            Duration::ZERO => Err(Outside::Hours),
            open => Ok(open),
        }
    }

    fn write_to(&self, bytes: &mut Canonical) {
        bytes.list(self.from.iter().map(ToString::to_string));
        bytes.list(self.hours.iter().map(ToString::to_string));
        bytes.list(self.run_as.iter().map(UserName::as_str));
    }
}

/// Whether an address is in one of the ranges. No ranges hold every address; no address is in no range.
pub(super) fn listed(ranges: &BTreeSet<Network>, address: Option<IpAddr>) -> bool {
    ranges.is_empty() || address.is_some_and(|address| ranges.iter().any(|range| range.contains(address)))
}

/// How a review reaches this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Over the bus, by a person logged in here.
    Online,
    /// As a signed file.
    Signature,
    /// As a code that was read out.
    Code,
}

impl Method {
    /// Every method there is.
    pub const ALL: [Self; 3] = [Self::Online, Self::Signature, Self::Code];

    /// The word in policy, records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Signature => "signature",
            Self::Code => "code",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One level of approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What people call it, as "team lead". Unique in the role: reviews are kept under it.
    pub name: String,
    /// Who may review: one set of people, or several.
    pub approvers: Approvers,
    /// Longer than this a request has to be, with all that it extends, for the stage to be one of its; of every length if
    /// absent.
    pub above: Option<Duration>,
    /// How many distinct people of each set must approve.
    pub approvals: NonZeroU32,
    /// How many distinct people's denials end the request.
    pub denials: NonZeroU32,
    /// How long the stage waits; for ever if absent.
    pub expires: Option<Duration>,
    /// What happens then.
    pub then: Then,
    /// How a review may reach this host; never empty.
    pub accept: BTreeSet<Method>,
    /// What must be written with an approval; anything or nothing if absent.
    pub note: Option<ReasonRule>,
}

impl Stage {
    /// Whom it asks, at once or once the first have not decided it in time.
    pub fn people(&self) -> impl Iterator<Item = &Who> {
        let next = match &self.then {
            Then::Deny => None,
            Then::Ask(next) => Some(next),
        };
        self.approvers.sets().chain(next)
    }

    /// The same stage with these leads, where it asks leads.
    #[must_use]
    pub fn with_leads(&self, leads: &Leads) -> Self {
        let mut stage = self.clone();
        stage.approvers = self.approvers.map(|who| who.with_leads(leads));
        if let Then::Ask(next) = &self.then {
            stage.then = Then::Ask(next.with_leads(leads));
        }
        stage
    }

    /// Whether others decide in place of the first once these have not in time.
    #[must_use]
    pub const fn is_taken_over(&self) -> bool {
        matches!(self.then, Then::Ask(_))
    }

    /// The sets that somebody counts for who is asked, now or once the first have not decided it in time. Who decides in place
    /// of the first does so for each of them.
    #[must_use]
    pub fn counts_for(&self, subject: &Subject) -> BTreeSet<usize> {
        match &self.then {
            Then::Ask(next) if next.contains(subject) => (0..self.approvers.sets().len()).collect(),
            Then::Ask(_) | Then::Deny => self.approvers.with(subject),
        }
    }

    /// Whether a request of this length, together with what there is without a break, needs it.
    #[must_use]
    pub fn is_of(&self, length: Duration) -> bool {
        self.above.is_none_or(|above| length > above)
    }

    /// Whether it asks somebody, at once or once the first have not decided it in time.
    #[must_use]
    pub fn ever_asks(&self, subject: &Subject) -> bool {
        self.approvers.contains(subject) || matches!(&self.then, Then::Ask(next) if next.contains(subject))
    }

    /// How many people of each set must approve.
    pub(super) fn needed(&self) -> usize {
        usize::try_from(self.approvals.get()).unwrap_or(usize::MAX)
    }

    fn write_to(&self, bytes: &mut Canonical) {
        self.approvers.write_to(bytes);
        bytes.part(&self.approvals.get().to_be_bytes());
        bytes.part(&self.denials.get().to_be_bytes());
        bytes.seconds(self.expires.unwrap_or(Duration::ZERO));
        match &self.then {
            Then::Deny => bytes.part(b"deny"),
            Then::Ask(next) => {
                bytes.part(b"ask");
                next.write_to(bytes);
            }
        }
        bytes.list(self.accept.iter().map(|method| method.as_str()));
    }
}

/// What happens to a stage that nobody decides in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The request is over.
    Deny,
    /// These people decide in their place, and have as long again. After that the request is over.
    Ask(Who),
}

/// When a window begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// When the last stage is met.
    AtApproval,
    /// The same, but never before the hours of the role.
    WithHours,
    /// With the first login; a grant that is not used in time is over.
    AtFirstUse {
        /// How long it waits for that login.
        lapse: Duration,
    },
}

/// What becomes of sessions when the window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// They are ended.
    Terminate,
    /// Nobody comes in any more; what runs may finish within the grace.
    Drain,
    /// They go on.
    Keep {
        /// For at most so long.
        most: Duration,
    },
}

impl AtEnd {
    /// The word in policy and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::Drain => "drain",
            Self::Keep { .. } => "keep",
        }
    }
}

/// How many logins one grant is good for. The lesser is the stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Uses {
    /// So many; 1 is single use.
    Times(NonZeroU32),
    /// As many as fit in the window.
    Unlimited,
}

impl Uses {
    /// The one of the two that allows less.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        self.min(other)
    }
}

/// `unlimited` or the number, as policy writes it.
impl fmt::Display for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(n) => n.fmt(f),
            Self::Unlimited => f.pad("unlimited"),
        }
    }
}
