//! The requests and windows that an order is about: named one by one, or picked from those that there are.

use clap::Args;
use jit_proto::manager::Entry;
use jit_proto::words::{RequestId, RoleName, UserName};

use crate::error::Error;
use crate::prompts;
use crate::screen::Screen;
use crate::values::Id;

/// What is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// The requests (r-…) or windows (g-…)
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<Id>,
    /// Those for this role
    #[arg(long, conflicts_with_all = ["ids", "all"])]
    role: Option<RoleName>,
    /// Those for this person
    #[arg(long, conflicts_with_all = ["ids", "all"])]
    user: Option<UserName>,
    /// All of them
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

impl Which {
    /// Whether nothing was said at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.role.is_none() && self.user.is_none() && !self.all
    }

    /// Whether they are picked from a list.
    pub(crate) fn is_selector(&self) -> bool {
        self.ids.is_empty()
    }

    pub(crate) fn selects(&self, entry: &Entry) -> bool {
        self.role.as_ref().is_none_or(|role| role.as_str() == entry.role)
            && self.user.as_ref().is_none_or(|user| user.as_str() == entry.user)
    }

    /// Whether it can be carried out as it was typed: something is meant, and where that is picked from a list, somebody
    /// can be asked or need not be. Before anything is sent.
    pub(crate) fn check(&self, verb: &str, screen: &Screen<'_>) -> Result<(), Error> {
        if self.is_empty() {
            return Err(Error::Usage(format!(
                "it is not said what is meant\nhint: name it: jitctl {verb} ID..., or pick: --role ROLE, --user USER, --all"
            )));
        }
        if self.is_selector() && !self.yes && !screen.can_ask() {
            let text = "there is no terminal to ask on\nhint: name the requests one by one, or add --yes";
            return Err(Error::Usage(text.to_owned()));
        }
        Ok(())
    }

    /// Whether it is to be done to those that were shown: asks where they were picked from a list.
    pub(crate) fn is_meant(&self, question: &str, screen: &mut Screen<'_>) -> bool {
        !self.is_selector() || self.is_wanted(question, screen)
    }

    /// The same, and asks on a terminal also about those that were named one by one.
    pub(crate) fn is_wanted(&self, question: &str, screen: &mut Screen<'_>) -> bool {
        let asks = !self.yes && (self.is_selector() || screen.can_ask());
        !asks || prompts::yes(screen, question, false)
    }
}

/// The request of either id.
pub(crate) fn request_of(id: Id) -> RequestId {
    match id {
        Id::Request(id) => id,
        Id::Grant(id) => id.into(),
    }
}
