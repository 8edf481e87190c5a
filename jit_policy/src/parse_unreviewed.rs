//! Parses `unreviewed` of a role, and judges whether anything of that role may open on policy's word alone.

use std::num::NonZeroU32;

use jit_proto::duration::Human;

use super::code;
use super::finding::{Log, Spot};
use super::hours::Hours;
use super::reason::ReasonRule;
use super::role::{Role, Starts};
use super::shape::UNREVIEWED;
use super::unreviewed::{MAX_EACH_WEEK, MAX_UNREVIEWED, Unreviewed, both};
use super::walk::Node;
use super::words::networks;

/// Reads the table, whose hours are as those of the role.
pub(super) fn unreviewed(
    node: &Node<'_>,
    hours: impl FnOnce(&Node<'_>, &mut Log<'_>) -> Option<Vec<Hours>>,
    log: &mut Log<'_>,
) -> Option<Unreviewed> {
    let table = node.table(&UNREVIEWED, log)?;
    let up_to = table.required("up-to", |node, log| node.duration_upto(MAX_UNREVIEWED, log), log);
    let hours = table.optional("hours", hours, log);
    let from = table.optional("from", networks, log);
    let each_week = table.optional("each-week", |node, log| node.upto(MAX_EACH_WEEK, log), log);
    let each_week = each_week?.and_then(|most| NonZeroU32::new(u32::try_from(most).unwrap_or(u32::MAX)));
    let (from, hours) = (from?.unwrap_or_default(), hours?.unwrap_or_default());
    Some(Unreviewed { up_to: up_to?, from, hours, each_week })
}

/// What a role must be of which something opens without a review.
pub(super) fn judge(role: &Role, spot: &Spot, log: &mut Log<'_>) {
    let Some(opens) = &role.unreviewed else { return };
    let name = &role.name;
    let is_root = role.eligible.users.iter().any(|user| user.as_str() == "root");
    if role.reaches_root() || is_root {
        let message = format!("role `{name}` reaches root, and that nobody has without a review");
        let hint = "leave `unreviewed` out, or give what needs no root a role of its own";
        log.add_with_hint(code::UNREVIEWED_ROOT, spot, message, hint);
    }
    if !role.reason.as_ref().is_some_and(ReasonRule::names_ticket) {
        let message =
            format!("`unreviewed` of role `{name}` opens for a ticket, and its `reason` asks for none");
        let hint = "give the pattern a group of that name, as in reason = { pattern = \"^(?<ticket>INC-[0-9]+) .{8,}\" }";
        log.add_with_hint(code::UNREVIEWED_TICKET, spot, message, hint);
    }
    if role.emergency {
        let message = format!("role `{name}` is for emergencies, which open before anybody approved anyway");
        log.add(code::UNREVIEWED_WHEN, spot, message);
    }
    if let Starts::AtFirstUse { .. } = role.starts {
        let message = format!(
            "role `{name}` begins with the first login, and what opens without a review begins at once"
        );
        log.add_with_hint(code::UNREVIEWED_WHEN, spot, message, "leave `starts` out, or `unreviewed`");
    }
    if both(&role.limits.from, &opens.from).is_none() {
        let message = format!("no address is in `from` of role `{name}` and in that of its `unreviewed`");
        log.add(code::UNREVIEWED_NOWHERE, spot, message);
    }
    if opens.up_to > role.max_duration {
        let (up_to, max) = (Human(opens.up_to), Human(role.max_duration));
        let message = format!("`up-to` of role `{name}` is {up_to}, and `max-duration` is {max}");
        log.add(code::IDLE_UNREVIEWED, spot, message);
    }
    if opens.each_week.is_none() {
        let message = format!(
            "`unreviewed` of role `{name}` has no `each-week`: short windows one by one come to any length"
        );
        log.add_with_hint(code::UNCOUNTED, spot, message, "add each-week = 3");
    }
}
