//! Checks a policy against one host: whether the groups and accounts that it names exist, and are enough for its stages.
//!
//! Facts go in, findings come out. They never keep a policy from coming into force at a start or a reload: a name
//! service that is out for an hour must not cost a host its policy (DESIGN §5).
//!
//! That somebody is *not* there is proven only where the host can list all it knows. Elsewhere (LDAP, sssd) a
//! group may have members that nobody lists, and all that is said is that it cannot be told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jit_proto::words::{GroupName, RoleName, ServiceName, UserName};

use super::asker::Asker;
use super::ends::{self, HowEnds};
use super::facts::{Account, AskerAccount, Facts, Group, PamFile, Standing};
use super::finding::{Finding, Log, Spot};
use super::lint::names;
use super::lint_whole::{Places, stuck};
use super::mentions::Mentions;
use super::people::Human;
use super::role::Method;
use super::role::{Role, Stage};
use super::rules::Rules;
use super::set::Policy;
use super::who::Who;
use super::{code, parse};

impl Policy {
    /// What would not work on a host of which these are the facts. By file and place.
    #[must_use]
    pub fn host_check(&self, facts: &Facts) -> Vec<Finding> {
        parse::judged(&self.files, |rules, seen, mentions, log| {
            let judge = Judge { rules, facts, places: &seen.roles, mentions };
            let teams = judge.teams();
            for (role, spot) in judge.roles() {
                judge.role(role, &teams, spot, log);
                judge.signed_only(role, spot, log);
            }
            judge.kinds_of_sudo(log);
            judge.register(log);
            for (spot, who) in &seen.others {
                judge.groups(&who.every_group().cloned().collect(), None, spot, log);
                judge.users(&who.users.union(&who.except.users).cloned().collect(), None, spot, log);
            }
            if let Some(spot) = &seen.admins {
                judge.admins(spot, log);
            }
            if let Some(spot) = &seen.change {
                judge.change(spot, log);
            }
            judge.services(log);
            judge.ends(log);
            for (service, spot) in &seen.services {
                judge.session_too(service, spot, log);
            }
            for (spot, asker) in &seen.askers {
                judge.asker(asker.account(), spot, log);
                judge.end(asker, spot, log);
            }
            judge.standing(log);
        })
    }

    /// The accounts of this host that the policy names as admins, as far as they are listed. Whether they get in is not
    /// judged.
    #[must_use]
    pub fn admins_here(&self, facts: &Facts) -> BTreeSet<UserName> {
        let (places, mentions) = (BTreeMap::new(), Mentions::default());
        let judge = Judge { rules: &self.rules, facts, places: &places, mentions: &mentions };
        judge.crowd(&self.rules.admins, false).accounts
    }
}

/// How long before a role ends this is said of it.
const ENDS_SOON: Duration = Duration::from_hours(30 * 24);
const DAY: Duration = Duration::from_hours(24);

/// Those whom a rule means on this host.
#[derive(Default)]
struct Crowd {
    humans: BTreeSet<Human>,
    accounts: BTreeSet<UserName>,
    /// Why there may be more of them.
    more: Option<String>,
}

/// Whose team has a lead on this host.
struct Led {
    /// Each account that is in a team, and whether somebody else leads one of these.
    members: BTreeMap<UserName, bool>,
    /// Whether there may be more of them.
    more: bool,
}

struct Judge<'a> {
    rules: &'a Rules,
    facts: &'a Facts,
    places: &'a BTreeMap<RoleName, Spot>,
    mentions: &'a Mentions,
}

impl<'a> Judge<'a> {
    /// The roles of this host, each with its place.
    fn roles(&self) -> impl Iterator<Item = (&'a Role, &'a Spot)> {
        let (facts, places) = (self.facts, self.places);
        let here = self.rules.roles.values().filter(|role| role.on_host(&facts.host));
        here.filter_map(|role| Some((role, places.get(&role.name)?)))
    }

    fn role(&self, role: &Role, teams: &Led, spot: &Spot, log: &mut Log<'_>) {
        self.until(role, spot, log);
        let whos: Vec<&Who> = role.people().collect();
        let groups = whos.iter().flat_map(|who| who.every_group()).cloned().collect();
        let asked = role.stages.iter().filter(|stage| !from_afar(stage)).flat_map(Stage::people);
        let named = asked.chain([&role.eligible]).flat_map(|who| &who.users);
        let users = named.chain(whos.iter().flat_map(|who| &who.except.users)).cloned().collect();
        self.users(&users, Some(role), spot, log);
        if !self.groups(&groups, Some(role), spot, log) {
            return; // a group that is missing is why whatever follows would be said
        }
        let eligible = self.crowd(&role.eligible, false);
        // Accounts that are not there have been named.
        if eligible.humans.is_empty() && !role.eligible.groups.is_empty() {
            let message = format!("nobody on this host may ask for role `{}`: {}", role.name, role.eligible);
            match &eligible.more {
                None => {
                    let hint = "add somebody to the group with: gpasswd -a USER GROUP";
                    log.add_with_hint(code::NOBODY_HERE, spot, message + " matches no account", hint);
                }
                Some(why) => cannot_tell(
                    &format!("whether anybody may ask for role `{}` ({})", role.name, role.eligible),
                    why,
                    spot,
                    log,
                ),
            }
        }
        self.stages(role, &eligible, spot, log);
        teams.role(role, &eligible, spot, log);
    }

    /// Whether the role has ended, or soon will.
    fn until(&self, role: &Role, spot: &Spot, log: &mut Log<'_>) {
        let (Some(until), Some(now)) = (&role.until, self.facts.now) else { return };
        let (name, left) = (&role.name, until.at().since(now));
        if left.is_zero() {
            let message =
                format!("role `{name}` ended on {until}: nobody can ask for it, and it opens nothing");
            log.add_with_hint(code::ENDED, spot, message, "remove it, or give it a later `until`");
        } else if left <= ENDS_SOON {
            let days = left.as_secs().div_ceil(DAY.as_secs());
            let left = if days == 1 { "a day".to_owned() } else { format!("{days} days") };
            let message = format!(
                "role `{name}` ends on {until}, within {left}: from then on nobody can ask for it, and its windows are over"
            );
            log.add_with_hint(
                code::ENDS_SOON,
                spot,
                message,
                "if it is still wanted, give it a later `until`",
            );
        }
    }

    /// Whether the stages can be met whoever of those eligible is left out.
    fn stages(&self, role: &Role, eligible: &Crowd, spot: &Spot, log: &mut Log<'_>) {
        let sets = role.stages.iter().flat_map(|stage| stage.approvers.sets().map(move |set| (stage, set)));
        // Who leads depends on who asks.
        let sets = sets.filter(|(_, set)| !set.asks_leads());
        let crowds: Vec<Crowd> = sets.clone().map(|(stage, set)| self.crowd(set, from_afar(stage))).collect();
        let places: Vec<Places> = sets
            .clone()
            .zip(&crowds)
            .map(|((stage, _), crowd)| Places { needed: stage.needed(), humans: crowd.humans.clone() })
            .collect();
        let Some(asker) = stuck(&places, &eligible.humans) else { return };
        let without =
            asker.map_or_else(String::new, |asker| format!(" without {asker}, who may ask for it,"));
        // A stage that is short by itself is easier to mend than all of them together.
        let left = |humans: &BTreeSet<Human>| {
            humans.iter().filter(|human| Some(*human) != asker).cloned().collect::<BTreeSet<_>>()
        };
        let short = sets.zip(&places).find(|(_, places)| left(&places.humans).len() < places.needed);
        let what = match short {
            Some(((stage, set), places)) => format!(
                "stage `{}` of role `{}` needs {}, and{without} this host knows {} of {}",
                stage.name,
                role.name,
                places.needed,
                names(&left(&places.humans)),
                set
            ),
            None => format!(
                "the stages of role `{}` need more different people than this host knows{without}: one person \
                 counts once in all of them",
                role.name
            ),
        };
        match crowds.iter().find_map(|crowd| crowd.more.as_ref()) {
            None => {
                let hint = "add somebody to the group with: gpasswd -a USER GROUP";
                log.add_with_hint(code::TOO_FEW_HERE, spot, what, hint);
            }
            Some(why) => {
                cannot_tell(
                    &format!("whether role `{}` can be approved here: {what}", role.name),
                    why,
                    spot,
                    log,
                );
            }
        }
    }

    /// Says which groups are not there; false if one is missing for certain.
    fn groups(
        &self,
        groups: &BTreeSet<GroupName>,
        role: Option<&Role>,
        spot: &Spot,
        log: &mut Log<'_>,
    ) -> bool {
        let mut all = true;
        for group in groups {
            let named = role.and_then(|role| self.mentions.group(role.name.as_str(), group.as_str()));
            let spot = named.unwrap_or(spot);
            match (self.facts.groups.get(group), &self.facts.unlisted) {
                (Some(Group::Absent), None) => {
                    let message = format!("there is no group `{group}` on this host");
                    let hint = format!("correct the name, or make the group with: groupadd {group}");
                    log.add_with_hint(code::NO_SUCH_GROUP, spot, message, hint);
                    all = false;
                }
                (Some(Group::Absent), Some(why)) => {
                    let what = format!("whether there is a group `{group}`: it is not known now");
                    cannot_tell(&what, why, spot, log);
                }
                (Some(Group::Members(members)), None) if members.is_empty() => {
                    log.add(code::GROUP_EMPTY, spot, format!("group `{group}` has no members on this host"));
                }
                (Some(Group::Unanswered) | None, _) => {
                    cannot_tell(&format!("who is in group `{group}`"), UNANSWERED, spot, log);
                }
                (Some(Group::Members(_)), _) => {}
            }
        }
        all
    }

    /// Says which accounts are not there.
    fn users(&self, users: &BTreeSet<UserName>, role: Option<&Role>, spot: &Spot, log: &mut Log<'_>) {
        for user in users.iter().filter(|user| self.absent(user)) {
            let named = role.and_then(|role| self.mentions.user(role.name.as_str(), user.as_str()));
            let message = format!("there is no account `{user}` on this host");
            log.add(code::NO_SUCH_ACCOUNT, named.unwrap_or(spot), message);
        }
    }

    /// Whether it is proven that there is no such account.
    fn absent(&self, user: &UserName) -> bool {
        self.facts.unlisted.is_none() && self.facts.accounts.get(user) == Some(&Account::Absent)
    }

    /// Those whom a rule means here; with `from_afar`, whoever it names need not have an account.
    fn crowd(&self, who: &Who, from_afar: bool) -> Crowd {
        let mut crowd = Crowd::default();
        crowd.accounts.extend(who.users.iter().filter(|user| from_afar || !self.absent(user)).cloned());
        for group in &who.groups {
            match self.facts.groups.get(group) {
                Some(Group::Members(members)) => {
                    crowd.accounts.extend(members.iter().cloned());
                    crowd.more = crowd.more.or_else(|| self.facts.unlisted.clone());
                }
                Some(Group::Absent) => crowd.more = crowd.more.or_else(|| self.facts.unlisted.clone()),
                Some(Group::Unanswered) | None => crowd.more = Some(UNANSWERED.to_owned()),
            }
        }
        self.leave_out(&mut crowd, who);
        crowd.humans = crowd.accounts.iter().map(|account| self.rules.people.human(account)).collect();
        crowd
    }

    /// Leaves out whom `all` and `except` do. Where a group cannot be read, that is everybody, as it is for jitd; who is in one
    /// that is not listed whole may be more.
    fn leave_out(&self, crowd: &mut Crowd, who: &Who) {
        let nobody = BTreeSet::new();
        let mut kept = |group: &GroupName, keeps: &dyn Fn(&BTreeSet<UserName>, &UserName) -> bool| {
            let (members, more) = match self.facts.groups.get(group) {
                Some(Group::Members(members)) => (members, self.facts.unlisted.clone()),
                Some(Group::Absent) => (&nobody, self.facts.unlisted.clone()),
                Some(Group::Unanswered) | None => {
                    crowd.accounts.clear();
                    (&nobody, Some(UNANSWERED.to_owned()))
                }
            };
            crowd.accounts.retain(|account| keeps(members, account));
            crowd.more = crowd.more.take().or(more);
        };
        for group in &who.all {
            kept(group, &|members, account| members.contains(account));
        }
        for group in &who.except.groups {
            kept(group, &|members, account| !members.contains(account));
        }
        let excepted: BTreeSet<&UserName> = who.except.accounts().collect();
        crowd.accounts.retain(|account| !excepted.contains(account));
    }

    /// Accounts that may ask for a role and have something running all the time. It is there before they come, so that
    /// no end of a window ends it, and neither what they have it start.
    fn standing(&self, log: &mut Log<'_>) {
        let mut said = BTreeSet::new();
        for (role, spot) in self.roles() {
            for account in self.crowd(&role.eligible, false).accounts {
                let Some(Standing { lingers, services }) = self.facts.standing.get(&account) else {
                    continue;
                };
                if !said.insert(account.clone()) {
                    continue;
                }
                let services: Vec<&str> = services.iter().map(String::as_str).collect();
                let what = match (*lingers, services.is_empty()) {
                    (true, true) => "lingers".to_owned(),
                    (true, false) => format!("lingers and runs {}", services.join(", ")),
                    (false, _) => format!("runs {}", services.join(", ")),
                };
                let message = format!(
                    "`{account}`, who may ask for role `{}`, {what}: what runs before they come stays when their \
                     window ends, with what they have it start later",
                    role.name
                );
                let hint = format!(
                    "give services an account that may ask for nothing; loginctl disable-linger {account}"
                );
                log.add_with_hint(code::STANDING, spot, message, &hint);
            }
        }
    }

    /// Whether an account that may ask about others is one that a program runs as, on this very host.
    fn asker(&self, account: &UserName, spot: &Spot, log: &mut Log<'_>) {
        let passwd = "an asker is believed by its uid in this host's own /etc/passwd";
        let message = match self.facts.askers.get(account) {
            Some(AskerAccount::There) => return,
            Some(AskerAccount::Absent) => {
                format!(
                    "there is no account `{account}` in /etc/passwd: {passwd}, so nothing asks as this one"
                )
            }
            Some(AskerAccount::Root) => {
                format!(
                    "`{account}` is another name of root, who asks about anybody anyway: this gives nothing"
                )
            }
            Some(AskerAccount::Persons) => {
                format!(
                    "`{account}` is an account for people: whoever logs in as it could ask about anybody, and say so of \
                     themselves"
                )
            }
            Some(AskerAccount::Unread) | None => {
                let what = format!("whether there is an account `{account}`");
                return cannot_tell(&what, "/etc/passwd cannot be read", spot, log);
            }
        };
        let hint = "name the account that the program runs as: ps -o user= -C NAME";
        log.add_with_hint(code::NO_SUCH_ASKER, spot, message, hint);
    }

    /// Whether the end of a window ends anything where a program asks that is not root: jitd cannot see what its logins are.
    fn end(&self, asker: &Asker, spot: &Spot, log: &mut Log<'_>) {
        for service in asker.services() {
            no_end(service, &ends::asked_for(self.rules, self.facts, service, asker), spot, log);
        }
    }

    /// The same of what root's programs let in.
    fn ends(&self, log: &mut Log<'_>) {
        let is_asked_for =
            |service: &ServiceName| self.rules.askers.iter().any(|asker| asker.services().contains(service));
        for service in self.facts.services.keys().filter(|service| !is_asked_for(service)) {
            let of_role = self.roles().find(|(role, _)| role.services.contains(service));
            let how = ends::at(self.rules, self.facts, service);
            if let (Some((_, spot)), Some(how)) = (of_role, how) {
                no_end(service, &how, spot, log);
            }
        }
    }

    /// A service whose process ends, and whose PAM file has the line for sessions. An asker opens none.
    fn session_too(&self, service: &ServiceName, spot: &Spot, log: &mut Log<'_>) {
        let how = ends::at(self.rules, self.facts, service);
        let is_asked_for = self.rules.askers.iter().any(|asker| asker.services().contains(service));
        if how != Some(HowEnds::Process) || is_asked_for || !self.facts.sessions.contains(service) {
            return;
        }
        let message = format!(
            "`ends` is written for `{service}`, and /etc/pam.d/{service} has a session line of pam_jit.so, too: where the \
             program opens a session, that counts, and else `ends`"
        );
        let hint = "if it opens one, remove [service]; else remove the line";
        log.add_with_hint(code::SESSION_TOO, spot, message, hint);
    }

    /// Services whose PAM file does not ask jitd: there a role gives nothing, and keeps nobody out.
    fn services(&self, log: &mut Log<'_>) {
        for (service, file) in &self.facts.services {
            let Some((role, spot)) = self.roles().find(|(role, _)| role.services.contains(service)) else {
                continue;
            };
            let opens = format!("role `{}` opens `{service}`, and", role.name);
            let message = match file {
                PamFile::NamesModule => continue,
                PamFile::Absent => format!("{opens} there is no /etc/pam.d/{service} on this host"),
                PamFile::NamesOthers => {
                    format!("{opens} /etc/pam.d/{service} does not name pam_jit.so: nobody is kept out there")
                }
                PamFile::Unread => {
                    let what = format!("whether `{service}` asks jitd");
                    cannot_tell(&what, &format!("/etc/pam.d/{service} cannot be read"), spot, log);
                    continue;
                }
            };
            log.add_with_hint(code::NO_MODULE, spot, message, "pam_jit(8) says which line to add there");
        }
    }
}

/// Whether a review of this stage may come from somebody without an account here: signed, or as a code.
fn from_afar(stage: &Stage) -> bool {
    stage.accept.iter().any(|method| *method != Method::Online)
}

/// Why nothing is known of a name.
const UNANSWERED: &str = "the name service does not answer";

/// Says that the end of logins at a service is not enforced, or not surely, where that is so.
fn no_end(service: &ServiceName, how: &HowEnds, spot: &Spot, log: &mut Log<'_>) {
    let (message, hint) = match how {
        HowEnds::Session | HowEnds::Process | HowEnds::Program(_) | HowEnds::Untold => return,
        HowEnds::Nothing { why, hint } => {
            (format!("the end of a window ends no login at `{service}` that is open: {why}"), hint.clone())
        }
        HowEnds::Found => (
            format!(
                "a login at `{service}` is ended by what jitd finds of it, which may not be all: /etc/pam.d/{service} has no \
                 session line of pam_jit.so"
            ),
            format!(
                "add `session required pam_jit.so` to it or, if its program opens no session, [service.{service}] with \
                 ends = \"process\""
            ),
        ),
    };
    log.add_with_hint(code::NO_END, spot, message, &hint);
}

/// Says of what it is not known, and why.
fn cannot_tell(what: &str, why: &str, spot: &Spot, log: &mut Log<'_>) {
    log.add(code::CANNOT_TELL, spot, format!("cannot tell {what}; {why}"));
}

mod admins;
mod kinds;
mod leads;

#[cfg(test)]
mod tests;
