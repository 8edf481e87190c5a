//! Which hosts a statement is for: names, and groups as roles know them.

use std::collections::BTreeSet;
use std::fmt;

use jit_proto::words::HostName;

use crate::policy::{HostGlob, HostGroup, HostPattern};

/// Hosts by name, groups of hosts behind an `@`, or `*` for all: in byte order and each once. No other pattern is taken,
/// so that whoever signs sees which hosts these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(BTreeSet<HostPattern>);

const ALL: &str = "*";

impl Hosts {
    /// Reads what `Display` writes; the order and case of what a person types do not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let one = |word: &str| match word.strip_prefix('@') {
            Some(group) => group.parse::<HostGroup>().ok().map(HostPattern::Group),
            None if word == ALL => word.parse().ok().map(HostPattern::Name),
            None => word.parse::<HostName>().ok()?.as_str().parse::<HostGlob>().ok().map(HostPattern::Name),
        };
        let all = text.split(',').map(one).collect::<Option<BTreeSet<_>>>()?;
        let is_all =
            |pattern: &HostPattern| matches!(pattern, HostPattern::Name(name) if name.as_str() == ALL);
        // Beside all there are no others.
        (all.len() == 1 || !all.iter().any(is_all)).then_some(Self(all))
    }

    /// Whether a host is one of them.
    #[must_use]
    pub fn include(&self, name: &HostName, groups: &BTreeSet<HostGroup>) -> bool {
        self.0.iter().any(|pattern| match pattern {
            HostPattern::Name(glob) => glob.matches(name),
            HostPattern::Group(group) => groups.contains(group),
        })
    }

    /// Whether it says all hosts, whichever there are.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.to_string() == ALL
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&all.join(","))
    }
}
