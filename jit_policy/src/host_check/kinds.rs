//! What one host says of stages that take signatures alone, and of kinds of sudo.

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::duration::Human as Shown;
use jit_proto::words::ServiceName;

use super::{Judge, cannot_tell};
use crate::code;
use crate::facts::PamFile;
use crate::finding::{Log, Spot};
use crate::lint::names;
use crate::people::Human;
use crate::role::{Method, Role};

/// How old a register is that this is said of.
const OLD_REGISTER: Duration = Duration::from_hours(24);

impl Judge<'_> {
    /// Stages that take signatures alone, of people who have no key on this host.
    pub(super) fn signed_only(&self, role: &Role, spot: &Spot, log: &mut Log<'_>) {
        let Some(signers) = &self.facts.signers else { return };
        let people = &self.rules.people;
        let keyed: BTreeSet<Human> = signers
            .iter()
            .filter_map(|key| match people.of_key(key) {
                Some(person) => Some(Human::Person(person.clone())),
                None => Some(people.human(&key.to_string().parse().ok()?)),
            })
            .collect();
        for stage in role.stages.iter().filter(|stage| stage.accept.iter().eq([&Method::Signature])) {
            let crowds: Vec<_> = stage.people().map(|who| self.crowd(who, true)).collect();
            let humans: BTreeSet<Human> =
                crowds.iter().flat_map(|crowd| crowd.humans.intersection(&keyed)).cloned().collect();
            // Of a group that is not listed whole, whoever has a key may be in it.
            let may_be_more =
                crowds.iter().any(|crowd| crowd.more.is_some()) && keyed.len() >= stage.needed();
            if humans.len() >= stage.needed() || may_be_more {
                continue;
            }
            let message = format!(
                "stage `{}` of role `{}` takes signatures alone, {} of them; of its approvers, these have a key in /etc/jit/approvers: {}",
                stage.name,
                role.name,
                stage.needed(),
                names(&humans)
            );
            let hint =
                "add a line with a key of theirs, under the name of their account or a name in their `keys`";
            log.add_with_hint(code::NO_KEY_HERE, spot, message, hint);
        }
    }

    /// Roles that take no ticket but a known one, where the register says nothing or is old.
    pub(super) fn register(&self, log: &mut Log<'_>) {
        let Some((role, spot)) = self.roles().find(|(role, _)| role.takes_known_ticket()) else { return };
        let takes = format!("role `{}` takes tickets that /etc/jit/tickets.d lists, and", role.name);
        let message = match &self.facts.tickets {
            Some(Err(why)) => format!("{takes} nothing counts that it lists: {why}"),
            Some(Ok(age)) if *age >= OLD_REGISTER => {
                format!(
                    "{takes} no file there is younger than {}",
                    Shown(Duration::from_hours(age.as_secs() / 3600))
                )
            }
            Some(Ok(_)) | None => return,
        };
        log.add_with_hint(
            code::NO_REGISTER,
            spot,
            message,
            "let what puts it there run, or look why it does not",
        );
    }

    /// Kinds of sudo that roles open and sudo never asks at, and those that it asks at and nobody is kept out.
    pub(super) fn kinds_of_sudo(&self, log: &mut Log<'_>) {
        let sudo = &self.facts.sudo;
        for (role, spot) in self.roles() {
            for kind in role.services.iter().filter(|service| is_kind(service)) {
                let opens = format!("role `{}` opens `{kind}`, and", role.name);
                let hint = "name it there, as in: Defaults>ACCOUNT pam_service=NAME; see sudoers(5)";
                if sudo.is_rs {
                    let message =
                        format!("{opens} sudo here is sudo-rs, which asks at `sudo` and `sudo-i` alone");
                    log.add(code::NO_SUDOERS_LINE, spot, message);
                } else if let Some(why) = &sudo.untold {
                    cannot_tell(&format!("whether sudo asks at `{kind}`"), why, spot, log);
                } else if !sudo.services.contains_key(kind) {
                    let message =
                        format!("{opens} no line of sudoers has pam_service={kind}: sudo never asks there");
                    log.add_with_hint(code::NO_SUDOERS_LINE, spot, message, hint);
                }
            }
        }
        // Where sudo itself asks nobody, no kind of it is a hole.
        let is_kept =
            |(service, file): (&ServiceName, &PamFile)| service.is_sudo() && *file == PamFile::NamesModule;
        if !self.facts.doors.iter().any(is_kept) {
            return;
        }
        let of_role = self.roles().find(|(role, _)| role.services.iter().any(ServiceName::is_sudo));
        let spot = of_role.map_or_else(|| Spot::file(0), |(_, spot)| spot.clone());
        for (service, file) in &sudo.services {
            let names = format!("sudoers names pam_service={service}, and");
            if !service.is_sudo() {
                let message = format!(
                    "{names} that is no kind of sudo: jitd takes whoever comes by it for somebody who logs in"
                );
                log.add_with_hint(
                    code::UNASKED_KIND,
                    &spot,
                    message,
                    format!("call it sudo-{service}, in sudoers and in /etc/pam.d"),
                );
            } else if matches!(file, PamFile::Absent | PamFile::NamesOthers) {
                let message = format!(
                    "{names} /etc/pam.d/{service} does not name pam_jit.so: nobody is kept out there"
                );
                log.add_with_hint(
                    code::UNASKED_KIND,
                    &spot,
                    message,
                    "pam_jit(8) says which line to add there",
                );
            }
        }
    }
}

/// Whether it is one of the services that sudoers makes.
fn is_kind(service: &ServiceName) -> bool {
    service.is_sudo() && !matches!(service.as_str(), "sudo" | "sudo-i")
}
