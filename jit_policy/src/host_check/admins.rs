//! Whether anybody is left on this host who gives orders once a policy is in force: an admin who has an account, gets in,
//! and can have another policy approved.

use std::collections::BTreeSet;

use jit_proto::words::{GroupName, ServiceName};

use super::{Crowd, Judge, cannot_tell};
use crate::code;
use crate::facts::{Group, PamFile};
use crate::finding::{Log, Spot};
use crate::lint::names;
use crate::lint_whole::{Places, stuck};
use crate::people::{Human, Who};
use crate::rules::{ChangeRule, Observed};
use crate::services::{Services, is_login};

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
        let open = self.open_door();
        if open.as_ref().is_some_and(|(service, _)| service.is_of_sshd())
            || self.rules.observed == Observed::Everything
        {
            return;
        }
        let inside = self.inside();
        let mut outside = &admins.accounts - &inside.accounts;
        if !inside.accounts.is_empty() && self.makes_root() {
            outside.retain(|admin| admin.as_str() != ROOT);
        }
        if outside.is_empty() {
            return;
        }
        let nobody = outside.len() == admins.accounts.len();
        let open = open.map(|(_, why)| why).or_else(|| self.unread_door()).filter(|_| nobody);
        match open.or(inside.more).or(admins.more.filter(|_| nobody)) {
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

    /// A service that people log in by and that keeps nobody out, one of sshd's before another, and why.
    fn open_door(&self) -> Option<(&ServiceName, String)> {
        let open =
            self.facts.doors.iter().filter(|(service, _)| is_login(service)).filter_map(|(service, file)| {
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

    /// Why it is not known whether a service keeps anybody out that people log in by.
    fn unread_door(&self) -> Option<String> {
        let mut doors = self.facts.doors.iter();
        let unread = doors.find(|(service, file)| is_login(service) && **file == PamFile::Unread);
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
        let exempt = self.rules.exempt.iter().filter(|rule| rule.services.iter().any(is_login));
        let exempt = exempt.map(|rule| &rule.who);
        let roles = self.roles().filter(|(role, _)| self.has_door(&role.services));
        let ways: BTreeSet<&Who> = exempt.chain(roles.map(|(role, _)| &role.eligible)).collect();
        let mut inside = Crowd::default();
        for who in ways {
            let crowd = self.crowd(who, false);
            inside.accounts.extend(crowd.accounts);
            inside.more = inside.more.or(crowd.more);
        }
        inside
    }

    /// Whether people log in by one of these here. One without a PAM file is a name that nothing asks by.
    fn has_door(&self, services: &Services) -> bool {
        let is_there = |service: &ServiceName| self.facts.doors.get(service) != Some(&PamFile::Absent);
        services.iter().any(|service| is_login(service) && is_there(service))
    }

    /// Whether policy lets anybody who is in become root.
    fn makes_root(&self) -> bool {
        let is_of_root = |service: &ServiceName| service.is_su() || service.is_sudo();
        self.roles().any(|(role, _)| role.reaches_root())
            || self.rules.exempt.iter().any(|rule| rule.services.iter().any(is_of_root))
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

/// Whether each admin here is missed among those who would approve what they load. Who signs elsewhere need not be here.
fn alone(change: &ChangeRule, approvers: &BTreeSet<Human>, admins: &Crowd) -> bool {
    let places = [Places { needed: change.approvals, humans: approvers.clone() }];
    let is_missed = |admin: &Human| stuck(&places, &BTreeSet::from([admin.clone()])).is_some();
    !change.signed_only && !admins.humans.is_empty() && admins.humans.iter().all(is_missed)
}
