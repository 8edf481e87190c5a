//! `jitctl list`: the windows that are open and the requests that are pending.

use clap::Args;
use jit_proto::manager::{Entry, LIST_LIMIT};
use jit_proto::words::{RoleName, UserName};

use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
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
    /// Those for this role
    #[arg(long)]
    role: Option<RoleName>,
    /// Those for this person
    #[arg(long)]
    user: Option<UserName>,
}

impl List {
    fn selects(&self, entry: &Entry) -> bool {
        self.role.as_ref().is_none_or(|role| role.as_str() == entry.role)
            && self.user.as_ref().is_none_or(|user| user.as_str() == entry.user)
    }
}

pub(crate) fn run(
    wanted: &List,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let terminal = screen.terminal;
    let mut entries: Vec<Entry> = jitd::ask(jitd, &Call::List { all: wanted.all })?;
    let is_cut = entries.len() >= LIST_LIMIT;
    entries.retain(|entry| wanted.selects(entry));
    Ok(give(&entries, json, screen, |entries| list(entries, is_cut, terminal))?)
}

fn list(entries: &[Entry], is_cut: bool, terminal: bool) -> View {
    if entries.is_empty() && !is_cut {
        return View { said: vec!["Nothing to list.".to_owned()], ..View::yes(String::new()) };
    }
    let mut view = View::yes(table(entries.iter(), terminal));
    if is_cut {
        // Nobody may take a part for the whole.
        let note = format!(
            "Only the newest {LIST_LIMIT} of all are looked at; see an older one with: jitctl show ID"
        );
        view.said.push(note);
    }
    view
}

#[cfg(test)]
mod tests {
    use jit_proto::manager::{Entry, LIST_LIMIT};

    use crate::call::Call;
    use crate::testing::*;

    #[test]
    fn a_list_that_was_cut_says_so() {
        let entries = vec![active(); LIST_LIMIT];
        let said = |entries: &[Entry], args: &[&str]| {
            jitctl(&[&["list"], args].concat(), &Script::answers(Call::List { all: false }, entries)).err
        };
        assert!(said(&entries, &[]).contains("jitctl show ID"));
        assert!(
            said(&entries, &["--user", "nina"]).contains("jitctl show ID"),
            "what is not there may be older"
        );
        assert_eq!(said(&entries[1..], &[]), "");
    }

    #[test]
    fn a_list_is_of_a_person_or_a_role_where_that_is_asked_for() {
        let all = [active(), waiting(), Entry { role: "web".into(), ..waiting() }];
        let ids = |args: &[&str]| {
            let script = Script::answers(Call::List { all: false }, &all);
            let ran = jitctl(&[&["list", "--json"], args].concat(), &script);
            serde_json::from_str::<Vec<Entry>>(&ran.out).unwrap().len()
        };
        assert_eq!((ids(&[]), ids(&["--user", "tom"]), ids(&["--role", "db-oncall"])), (3, 2, 2));
        assert_eq!(ids(&["--user", "tom", "--role", "web"]), 1);
    }
}
