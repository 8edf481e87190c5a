//! `jitctl roles`: what one may ask for.

use clap::Args;
use jit_proto::manager::Role;
use jit_proto::words::UserName;

use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View};
use crate::screen::Screen;
use crate::views;

/// List the roles of this host that you may ask for
#[derive(Debug, Args)]
pub(crate) struct Roles {
    /// Somebody else's; for admins and auditors
    user: Option<UserName>,
}

pub(crate) fn run(
    whose: &Roles,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let call = Call::Roles { user: whose.user.clone() };
    jitd::show(jitd, &call, json, screen, |roles: &Vec<Role>| listed(roles))
}

fn listed(roles: &[Role]) -> View {
    if roles.is_empty() {
        let said = "No role of this host may be asked for.".to_owned();
        return View { said: vec![said], ..View::yes(String::new()) };
    }
    View::yes(roles.iter().map(views::role).collect::<Vec<_>>().join("\n"))
}
