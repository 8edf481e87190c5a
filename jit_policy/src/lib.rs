//! Policy: what may be asked for, by whom, and who says yes (DESIGN §5, jit-policy(5)), and the words that it is
//! made of: moments and windows, digests, services.
//!
//! A [`Policy`] is made of the bytes of its files and of nothing else, so the same files mean the same on every
//! host. Whatever depends on a host (is there such a group, does the PAM file name the module) is not known
//! here. There is no order among rules: files and tables may be shuffled and the meaning stays, and what no
//! rule allows is denied.
//!
//! The walk: [`SourceFile`] → `source` (is it text?) → `parse` and `parse_role` (one function for each kind of
//! table, by way of `walk`, which knows places, and `shape`, which knows keys; `parse_parts` first, for the profiles and
//! sets that all files share) → `lint` and `lint_whole` (do
//! the rules work together?). Each step adds its [`Finding`]s to one list. What the rules are: `role`, `people`, `who`, `except`, `team`, `host`, `net`,
//! `hours`, `until`, `bounds`, `unreviewed`, `reason`, `asker`. Apart from all that, `host_check` and `ends` judge a policy by what one
//! host says of its names (`facts`).

#![forbid(unsafe_code)]
// What is added to an enum is decided on wherever it matters. Tests may pass over what they are not about.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

pub mod digest;
pub mod services;
pub mod text;
pub mod time;
pub mod when;

mod approvers;
mod asker;
mod bounds;
mod code;
mod diff;
mod difference;
mod ends;
mod except;
mod expand;
mod facts;
mod finding;
mod host;
mod host_check;
mod hours;
mod lint;
mod lint_change;
mod lint_except;
mod lint_roles;
mod lint_team;
mod lint_whole;
mod mentions;
mod net;
mod parse;
mod parse_parts;
mod parse_role;
mod parse_unreviewed;
mod parts;
mod people;
mod reason;
mod retain;
mod role;
mod rules;
mod set;
mod shape;
mod source;
mod team;
mod unreviewed;
mod until;
mod walk;
mod who;
mod words;

#[cfg(test)]
mod tests;

pub use approvers::Approvers;
pub use asker::{Asker, BadAsker};
pub use bounds::{Bounds, MAX_REST};
pub use code::{BAD_CASES, Code, Severity};
pub use diff::{Change, Direction, diff};
pub use difference::Difference;
pub use ends::{HowEnds, ServiceEnd};
pub use except::Except;
pub use facts::{Account, AskerAccount, Facts, Group, PamFile, Standing, Sudo};
pub use finding::{FileFault, Finding, Log, Spot};
pub use host::{BadGlob, Host, HostGlob, HostGroup, HostPattern, ShownCommand, Ways};
pub use hours::{BadHours, Clock, Days, Hours, Zone, next_opening, open_for};
pub use net::{BadNetwork, Network};
pub use people::{BadPrincipal, BadSshKey, KeptOutBy, People, PersonName, Principal, SshKey, Subject};
pub use reason::ReasonRule;
pub use retain::{BadRetain, Retain};
pub use role::{AtEnd, Limits, Method, Outside, Role, Stage, Starts, Then, Uses};
pub use rules::{ChangeRule, Ends, Exempt, Observed};
pub use set::{Loaded, Policy};
pub use source::{Flaw, Source, SourceFile};
pub use team::{Team, Teams};
pub use unreviewed::{MAX_EACH_WEEK, MAX_UNREVIEWED, Unreviewed, WEEK};
pub use until::Until;
pub use who::{Leads, TeamName, Who};
