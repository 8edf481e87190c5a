//! Whether anybody is left on this host who gives orders once a policy is in force: an admin who has an account, gets in,
//! and can have another policy approved.

use std::collections::BTreeSet;

use jit_proto::words::{GroupName, ServiceName, UserName};

use super::{Crowd, Judge, cannot_tell};
use crate::code;
use crate::facts::{Facts, Group, PamFile};
use crate::finding::{Log, Spot};
use crate::lint::names;
use crate::lint_whole::{Places, stuck};
use crate::people::Human;
use crate::role::Role;
use crate::rules::{ChangeRule, Observed};
use crate::services::{Services, takes_orders};
use crate::time::Utc;
use crate::until::Until;
use crate::who::Who;

/// The admin that whoever may use su or sudo becomes.
const ROOT: &str = "root";

impl Judge<'_> {
    /// Whether there is an admin on this host, and whether each of them gets in.
    pub(super) fn admins(&self, spot: &Spot, log: &mut Log<'_>) {
        let admins = self.crowd(&self.rules.admins, false);
        if admins.accounts.is_empty() {
            let what = format!("whether any admin ({}) has an account on this host", self.rules.admins);
            match &admins.more {
                None => {
                    let message = format!("no admin has an account on this host: {}", self.rules.admins);
                    let hint = "name one in [admins]; root always has";
                    log.add_with_hint(code::NO_ADMIN_HERE, spot, message, hint);
                }
                Some(why) => cannot_tell(&what, why, spot, log),
            }
            return;
        }
        let may_let_in = |service: &ServiceName| self.door(service) != Some(false);
        let open = self.open_door(may_let_in);
        // Where no role is for logins, nobody means to keep anybody out.
        let keeps_out = self.roles().any(|(role, _)| self.has_door(&role.services));
        let is_open = open.as_ref().is_some_and(|(service, _)| service.is_of_sshd());
        if (is_open && !keeps_out) || self.rules.observed == Observed::Everything {
            return;
        }
        let (outside, why) = self.outside(&admins);
        self.last_way_in(&admins, spot, log);
        if outside.is_empty() {
            return;
        }
        let nobody = outside.len() == admins.accounts.len();
        match why {
            Some(why) if nobody => cannot_tell("whether any admin can get in on this host", &why, spot, log),
            Some(_) => {}
            None => {
                let who = names(&outside);
                let hint = "make them eligible for a role of this host that people log in by, or exempt them at `login`";
                let (code, message) = if nobody {
                    (code::NO_WAY_IN, format!("no admin can get in on this host: {who}"))
                } else {
                    let message =
                        format!("admins who can log in on this host by no role and no exemption: {who}");
                    (code::ADMIN_OUTSIDE, message)
                };
                log.add_with_hint(code, spot, message, hint);
            }
        }
    }

    /// The admins who get in nowhere, and why it is not sure that they do.
    fn outside(&self, admins: &Crowd) -> (BTreeSet<UserName>, Option<String>) {
        let may_let_in = |service: &ServiceName| self.door(service) != Some(false);
        let inside = self.inside();
        let mut outside = &admins.accounts - &inside.accounts;
        let mut untold = None;
        if outside.iter().any(|admin| admin.as_str() == ROOT) {
            match self.makes_root(&inside) {
                Ok(true) => outside.retain(|admin| admin.as_str() != ROOT),
                Ok(false) => {}
                Err(why) => untold = Some(why),
            }
        }
        let nobody = outside.len() == admins.accounts.len();
        // Who may be in is neither said to be out.
        let perhaps = self.perhaps_inside();
        if !nobody {
            outside = &outside - &perhaps.accounts;
        }
        let open = self.open_door(may_let_in).map(|(_, why)| why);
        let open = open.or_else(|| self.unread_door(may_let_in)).or(untold);
        let more = inside.more.or_else(|| perhaps.more.clone());
        let open = open.or_else(|| self.untold_door(&outside, perhaps)).filter(|_| nobody);
        (outside, open.or(more).or_else(|| admins.more.clone().filter(|_| nobody)))
    }

    /// Whether a day is set from which on no admin gets in any more.
    fn last_way_in(&self, admins: &Crowd, spot: &Spot, log: &mut Log<'_>) {
        let is_surely_shut = |at: Option<Utc>| {
            let facts = Facts { now: at, ..self.facts.clone() };
            let then = Judge { facts: &facts, ..*self };
            let (outside, why) = then.outside(admins);
            outside.len() == admins.accounts.len() && why.is_none()
        };
        if is_surely_shut(self.facts.now) {
            return;
        }
        let mut days: Vec<&Until> = self.roles().filter_map(|(role, _)| role.until.as_ref()).collect();
        days.sort_by_key(|until| until.at());
        // Who is outside on one day is so on each that follows.
        let first = days.partition_point(|until| !is_surely_shut(Some(until.at())));
        if let Some(until) = days.get(first) {
            let who = names(&admins.accounts);
            let message = format!(
                "from {until} on no admin can get in on this host: every role by which they do has ended by then: {who}"
            );
            let hint =
                "give one of them a role without `until` that they log in by, or exempt them at `login`";
            log.add_with_hint(code::LAST_WAY_IN, spot, message, hint);
        }
    }

    /// The roles of this host that have not ended. Where nobody says what time it is, none has.
    fn live_roles(&self) -> impl Iterator<Item = (&Role, &Spot)> {
        let ended = |until: &Until| self.facts.now.is_some_and(|now| until.at() <= now);
        self.roles().filter(move |(role, _)| !role.until.as_ref().is_some_and(ended))
    }

    /// A service of these that keeps nobody out, one of sshd's before another, and why.
    fn open_door(&self, of: impl Fn(&ServiceName) -> bool) -> Option<(&ServiceName, String)> {
        let open =
            self.facts.doors.iter().filter(|(service, _)| of(service)).filter_map(|(service, file)| {
                let why = match file {
                    PamFile::NamesOthers => {
                        format!("/etc/pam.d/{service} lets in whom no role and no exemption does")
                    }
                    PamFile::NamesModule if self.only_watches(service) => {
                        format!("policy only watches at `{service}`")
                    }
                    PamFile::NamesModule | PamFile::Unread | PamFile::Absent => return None,
                };
                Some((service, why))
            });
        open.max_by_key(|(service, _)| service.is_of_sshd())
    }

    /// Why it is not known whether a service of these keeps anybody out.
    fn unread_door(&self, of: impl Fn(&ServiceName) -> bool) -> Option<String> {
        let mut doors = self.facts.doors.iter();
        let unread = doors.find(|(service, file)| of(service) && **file == PamFile::Unread);
        unread.map(|(service, _)| format!("/etc/pam.d/{service} cannot be read"))
    }

    fn only_watches(&self, service: &ServiceName) -> bool {
        match &self.rules.observed {
            Observed::Nothing => false,
            Observed::At(services) => services.contains(service),
            Observed::Everything => true,
        }
    }

    /// Those who get in on this host: exempt, or eligible for one of its roles, where people log in.
    fn inside(&self) -> Crowd {
        let exempt = self.rules.exempt.iter().filter(|rule| self.has_door(&rule.services));
        let exempt = exempt.map(|rule| &rule.who);
        let roles = self.live_roles().filter(|(role, _)| self.has_door(&role.services));
        self.crowds(exempt.chain(roles.map(|(role, _)| &role.eligible)))
    }

    /// All whom these rules mean on this host.
    fn crowds<'w>(&self, whos: impl Iterator<Item = &'w Who>) -> Crowd {
        let mut all = Crowd::default();
        for who in whos.collect::<BTreeSet<_>>() {
            let crowd = self.crowd(who, false);
            all.accounts.extend(crowd.accounts);
            all.more = all.more.or(crowd.more);
        }
        all
    }

    /// Those who get in if people log in by services of which the name does not tell.
    fn perhaps_inside(&self) -> Crowd {
        let is_untold = |services: &Services| services.iter().any(|service| self.door(service).is_none());
        let exempt = self.rules.exempt.iter().filter(|rule| is_untold(&rule.services));
        let roles = self.live_roles().filter(|(role, _)| is_untold(&role.services));
        self.crowds(exempt.map(|rule| &rule.who).chain(roles.map(|(role, _)| &role.eligible)))
    }

    /// Why it is not known whether one of these gets in, who would if people log in by such a service.
    fn untold_door(&self, outside: &BTreeSet<UserName>, perhaps: Crowd) -> Option<String> {
        let gets_in = !outside.is_disjoint(&perhaps.accounts)
            || (outside.iter().any(|admin| admin.as_str() == ROOT) && self.makes_root(&perhaps) != Ok(false));
        let why =
            "a role or an exemption is for a service of which it is not known whether people log in by it";
        perhaps.more.or_else(|| gets_in.then(|| why.to_owned()))
    }

    /// Whether people log in by one of these here.
    fn has_door(&self, services: &Services) -> bool {
        services.iter().any(|service| self.door(service) == Some(true))
    }

    /// Whether people who log in by this service give orders from there, if that is known. One without a PAM file is a name
    /// that nothing asks by, and what an asker asks for lets nobody into the host.
    fn door(&self, service: &ServiceName) -> Option<bool> {
        let is_asked_for = self.rules.askers.iter().any(|asker| asker.services().contains(service));
        let is_absent = self.facts.doors.get(service) == Some(&PamFile::Absent);
        if is_asked_for || is_absent { Some(false) } else { takes_orders(service) }
    }

    /// Whether policy lets one of those who get in become root; why that cannot be told, where it cannot.
    fn makes_root(&self, inside: &Crowd) -> Result<bool, String> {
        if inside.accounts.is_empty() && inside.more.is_none() {
            return Ok(false);
        }
        let exempt = self.rules.exempt.iter().filter(|rule| rule.services.iter().any(is_of_root));
        let root = self.live_roles().filter(|(role, _)| role.reaches_root()).map(|(role, _)| &role.eligible);
        let them = self.crowds(exempt.map(|rule| &rule.who).chain(root));
        if !them.accounts.is_disjoint(&inside.accounts) {
            return Ok(true);
        }
        let open = self.open_door(is_of_root).map(|(_, why)| why);
        if let Some(why) = open.or_else(|| self.unread_door(is_of_root)) {
            return Err(why);
        }
        let others = self.live_roles().filter(|(role, _)| role.services.iter().any(is_of_root));
        let others = self.crowds(others.map(|(role, _)| &role.eligible));
        if !others.accounts.is_disjoint(&inside.accounts) {
            return Err("who gets in may become somebody else by su".to_owned());
        }
        others.more.or(them.more).or_else(|| inside.more.clone()).map_or(Ok(false), Err)
    }

    /// Whether this host knows enough people to approve a change of the policy.
    pub(super) fn change(&self, spot: &Spot, log: &mut Log<'_>) {
        let Some(change) = &self.rules.change else { return };
        // Who is named may sign elsewhere.
        let crowd = self.crowd(&change.approvers, true);
        let absent = |group: &GroupName| self.facts.groups.get(group) == Some(&Group::Absent);
        // Of a group that is not there it has been said already.
        if change.approvers.groups.iter().any(absent) {
            return;
        }
        let known = format!("this host knows {} of {}", names(&crowd.humans), change.approvers);
        let admins = self.crowd(&self.rules.admins, false);
        let (what, more) = if crowd.humans.len() < change.approvals {
            let what =
                format!("a change of the policy takes the approval of {}, and {known}", change.approvals);
            (what, crowd.more)
        } else if alone(change, &crowd.humans, &admins) {
            let what = format!(
                "no admin of this host could change the policy: nobody approves their own change, {} must approve, and \
                 {known}",
                change.approvals
            );
            (what, crowd.more.or(admins.more))
        } else {
            return;
        };
        match &more {
            None => {
                let hint = "add somebody to the group with: gpasswd -a USER GROUP";
                log.add_with_hint(code::TOO_FEW_HERE, spot, what, hint);
            }
            Some(why) => {
                cannot_tell(&format!("whether a change can be approved here: {what}"), why, spot, log);
            }
        }
    }
}

/// Whether people become root by it.
fn is_of_root(service: &ServiceName) -> bool {
    service.is_su() || service.is_sudo()
}

/// Whether each admin here is missed among those who would approve what they load. Who signs elsewhere need not be here.
fn alone(change: &ChangeRule, approvers: &BTreeSet<Human>, admins: &Crowd) -> bool {
    let places = [Places { needed: change.approvals, humans: approvers.clone() }];
    let is_missed = |admin: &Human| stuck(&places, &BTreeSet::from([admin.clone()])).is_some();
    !change.signed_only && !admins.humans.is_empty() && admins.humans.iter().all(is_missed)
}
