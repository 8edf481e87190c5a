//! `jitctl list`: the windows that are open and the requests that are pending.

use clap::Args;
use jit_proto::manager::{Entry, LIST_LIMIT};

use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View};
use crate::screen::Screen;
use crate::views::table;

/// List the windows that are open and the requests that are pending
///
/// Admins and auditors see everybody's, others their own.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Also list what has ended
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(
    wanted: &List,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let terminal = screen.terminal;
    let view = |entries: &Vec<Entry>| list(entries, terminal);
    jitd::show(jitd, &Call::List { all: wanted.all }, json, screen, view)
}

fn list(entries: &[Entry], terminal: bool) -> View {
    if entries.is_empty() {
        return View { said: vec!["Nothing to list.".to_owned()], ..View::yes(String::new()) };
    }
    let mut view = View::yes(table(entries.iter(), terminal));
    if entries.len() >= LIST_LIMIT {
        // Nobody may take a part for the whole.
        let note = format!("Only the newest {LIST_LIMIT} are listed; see an older one with: jitctl show ID");
        view.said.push(note);
    }
    view
}

#[cfg(test)]
mod tests {
    use jit_proto::manager::LIST_LIMIT;

    use super::list;
    use crate::testing::active;

    #[test]
    fn a_list_that_was_cut_says_so() {
        let entries = vec![active(); LIST_LIMIT];
        assert!(list(&entries, false).said[0].contains("jitctl show ID"));
        assert!(list(&entries[1..], false).said.is_empty());
    }
}
