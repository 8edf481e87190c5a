//! `jitctl attest`: say on record whether somebody who may ask for a role still should.

use clap::{Args, ValueEnum};
use jit_core::model::{Entitled, Keep};
use jit_proto::audit::Attested;
use jit_proto::text::Shown;
use jit_proto::words::{Reason, RoleName};

use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View};
use crate::screen::Screen;

/// Whether they still should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Decision {
    /// It is still needed
    Keep,
    /// It is not; the change of policy is in 'jitctl report --attest'
    Remove,
}

impl From<Decision> for Keep {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Keep => Self::Keep,
            Decision::Remove => Self::Remove,
        }
    }
}

/// Say on record whether somebody who may ask for a role still should
///
/// It takes nothing away by itself: what is to be removed is shown as a change of policy by 'jitctl report --attest'. For
/// root, admins and auditors, and never for what is one's own.
#[derive(Debug, Args)]
pub(crate) struct Attest {
    /// The role, as policy names it
    role: RoleName,
    /// The account, @GROUP, or person:NAME, that policy names as eligible
    #[arg(value_name = "USER|@GROUP|person:NAME")]
    who: Entitled,
    /// Whether they still should
    #[arg(value_enum, value_name = "keep|remove")]
    decision: Decision,
    /// Why; one line, kept in the audit log
    #[arg(long, value_name = "TEXT")]
    note: Option<Reason>,
}

pub(crate) fn run(
    order: &Attest,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let Attest { role, who, decision, note } = order;
    let keep = Keep::from(*decision);
    let call = Call::Attest { role: role.clone(), who: who.clone(), keep, note: note.clone() };
    jitd::show(jitd, &call, json, screen, |attested: &Attested| {
        let Attested { role, who, decision } = attested;
        View::yes(format!("Attested: {} for {}: {decision}.\n", Shown(who), Shown(role)))
    })
}
