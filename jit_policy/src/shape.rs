//! The language at a glance: which keys each kind of table takes, and what is said about any other key.

use jit_proto::text::Shown;

use super::code;
use super::finding::{Log, Spot};
use crate::text::nearest;

/// One kind of table.
#[derive(Debug)]
pub(super) struct Shape {
    /// What it is.
    pub(super) what: &'static str,
    /// How it is opened.
    header: &'static str,
    /// Its keys, each with an example of its use.
    keys: &'static [(&'static str, &'static str)],
}

pub(super) const FILE: Shape = Shape {
    what: "a policy file",
    header: "at the top",
    keys: &[
        ("version", "version = 1"),
        ("role", "[role.NAME]"),
        ("profile", "[profile.NAME]"),
        ("set", "[set.NAME]"),
        ("exempt", "[[exempt]]"),
        ("admins", "[admins]"),
        ("auditors", "[auditors]"),
        ("people", "[people]"),
        ("mode", r#"mode = "observe""#),
        ("policy-change", "[policy-change]"),
        ("asker", "[[asker]]"),
        ("service", "[service.NAME]"),
        ("retain", r#"retain = "3y""#),
        ("team", "[team.NAME]"),
    ],
};

pub(super) const ROLE: Shape = Shape {
    what: "a role",
    header: "under [role.NAME]",
    keys: &[
        ("profile", r#"profile = "prod""#),
        ("summary", r#"summary = "Shell on the database hosts""#),
        ("hosts", r#"hosts = ["db-*"]"#),
        ("hosts-except", r#"hosts-except = ["@prod"]"#),
        ("services", r#"services = ["sshd", "sudo"]"#),
        ("eligible", r#"eligible = { groups = ["dba"] }"#),
        ("max-duration", r#"max-duration = "4h""#),
        ("default-duration", r#"default-duration = "1h""#),
        ("from", r#"from = ["10.1.0.0/16"]"#),
        ("hours", r#"hours = [{ days = "mon-fri", from = "07:00", to = "19:00", tz = "Europe/Berlin" }]"#),
        ("run-as", r#"run-as = ["oracle"]"#),
        ("starts", r#"starts = "at-first-use""#),
        ("lapse", r#"lapse = "24h""#),
        ("uses", "uses = 1"),
        ("survives-reboot", "survives-reboot = true"),
        ("reason", r#"reason = { pattern = "^INC-[0-9]+ .{8,}", hint = "INC-1234 and what you will do" }"#),
        ("at-end", r#"at-end = "terminate""#),
        ("keep-max", r#"keep-max = "2h""#),
        ("grace", r#"grace = "5s""#),
        ("warn", r#"warn = ["10m", "1m"]"#),
        ("emergency", "emergency = true"),
        ("until", "until = 2027-02-28"),
        ("apart", r#"apart = ["audit-admin"]"#),
        ("unreviewed", r#"unreviewed = { up-to = "30m", each-week = 3 }"#),
        ("limits", r#"limits = { each = 1, at-once = 3, rest = "4h", in-all = "12h" }"#),
        ("stage", "[[role.NAME.stage]]"),
    ],
};

/// All of a role's keys but the first: profiles are not nested.
pub(super) const PROFILE: Shape =
    Shape { what: "a profile", header: "under [profile.NAME]", keys: ROLE.keys.split_at(1).1 };

pub(super) const SET: Shape = Shape {
    what: "a set",
    header: "under [set.NAME]",
    keys: &[("users", r#"users = ["ana"]"#), ("groups", r#"groups = ["dba"]"#)],
};

pub(super) const STAGE: Shape = Shape {
    what: "a stage",
    header: "under [[role.NAME.stage]]",
    keys: &[
        ("name", r#"name = "team lead""#),
        (
            "approvers",
            r#"approvers = { groups = ["dba-leads"] } or [{ groups = ["ops"] }, { groups = ["admin"] }]"#,
        ),
        ("approvals", "approvals = 2"),
        ("denials", "denials = 1"),
        ("expires", r#"expires = "8h""#),
        ("above", r#"above = "4h""#),
        ("then", r#"then = "deny" or then = { groups = ["managers"] }"#),
        ("accept", r#"accept = ["online", "signature", "code"]"#),
        ("note", r#"note = { pattern = "^checked ", hint = "what you have checked" }"#),
    ],
};

pub(super) const WHO: Shape = Shape {
    what: "a set of people",
    header: "as { users = […], groups = […] }",
    keys: &[
        ("users", r#"users = ["ana"]"#),
        ("groups", r#"groups = ["dba"]"#),
        ("sets", r#"sets = ["leads"]"#),
        ("all", ALL_OF),
        ("except", EXCEPT_WHOM),
    ],
};

/// A set of people whom a stage asks.
pub(super) const ASKED: Shape = Shape {
    what: "whom a stage asks",
    header: "as { users = […], groups = […], leads = true }",
    keys: &[
        ("users", r#"users = ["ana"]"#),
        ("groups", r#"groups = ["dba"]"#),
        ("sets", r#"sets = ["leads"]"#),
        ("leads", "leads = true"),
        ("all", ALL_OF),
        ("except", EXCEPT_WHOM),
    ],
};

pub(super) const TEAM: Shape = Shape {
    what: "a team",
    header: "under [team.NAME]",
    keys: &[("members", r#"members = { groups = ["dba"] }"#), ("leads", r#"leads = { users = ["olga"] }"#)],
};

/// Those who are not meant by a set of people.
pub(super) const EXCEPT: Shape = Shape {
    what: "an exception",
    header: "as except = { users = […], groups = […], people = […] }",
    keys: &[
        ("users", r#"users = ["ana"]"#),
        ("groups", r#"groups = ["interns"]"#),
        ("people", r#"people = ["kim"]"#),
    ],
};

/// What every set of people takes beside its names.
const ALL_OF: &str = r#"all = ["vetted"]"#;
const EXCEPT_WHOM: &str = r#"except = { groups = ["interns"] }"#;

pub(super) const ELIGIBLE: Shape = Shape {
    what: "who is eligible",
    header: "as eligible = { users = […], groups = […], people = […] }",
    keys: &[
        ("users", r#"users = ["ana"]"#),
        ("groups", r#"groups = ["dba"]"#),
        ("people", r#"people = ["kim"]"#),
        ("sets", r#"sets = ["leads"]"#),
        ("all", ALL_OF),
        ("except", EXCEPT_WHOM),
    ],
};

pub(super) const EXEMPT: Shape = Shape {
    what: "an exemption",
    header: "under [[exempt]]",
    keys: &[
        ("users", r#"users = ["root"]"#),
        ("groups", r#"groups = ["backup"]"#),
        ("sets", r#"sets = ["leads"]"#),
        ("services", r#"services = ["login"]"#),
        ("from", r#"from = ["10.1.9.4"]"#),
        ("all", ALL_OF),
        ("except", EXCEPT_WHOM),
    ],
};

pub(super) const PERSON: Shape = Shape {
    what: "a person",
    header: "under [people]",
    keys: &[
        ("accounts", r#"accounts = ["maria", "adm-maria"]"#),
        ("keys", r#"keys = ["maria@site-a"]"#),
        ("ssh-keys", r#"ssh-keys = ["SHA256:…"], as ssh-keygen -lf KEY.pub shows it"#),
        ("own", r#"own = ["maria"]"#),
    ],
};

pub(super) const HOURS: Shape = Shape {
    what: "a rule of `hours`",
    header: "as { days = …, from = …, to = …, tz = … }",
    keys: &[
        ("days", r#"days = "mon-fri""#),
        ("from", r#"from = "07:00""#),
        ("to", r#"to = "19:00""#),
        ("tz", r#"tz = "Europe/Berlin""#),
    ],
};

pub(super) const REASON: Shape = Shape {
    what: "a rule on reasons",
    header: "as { pattern = …, hint = … }",
    keys: &[
        ("pattern", r#"pattern = "^INC-[0-9]+ .{8,}""#),
        ("hint", r#"hint = "INC-1234 and what you will do""#),
        ("ticket", r#"ticket = "known""#),
    ],
};

pub(super) const NOTE: Shape = Shape {
    what: "a rule on notes",
    header: "as { pattern = …, hint = … }",
    keys: &[
        ("pattern", r#"pattern = "^.{8,}""#),
        ("hint", r#"hint = "what you have seen, and why it may be""#),
    ],
};

pub(super) const LIMITS: Shape = Shape {
    what: "the limits of a role",
    header: "as limits = { each = …, at-once = …, rest = …, in-all = … }",
    keys: &[
        ("each", "each = 1"),
        ("at-once", "at-once = 3"),
        ("rest", r#"rest = "4h""#),
        ("in-all", r#"in-all = "12h""#),
    ],
};

pub(super) const UNREVIEWED: Shape = Shape {
    what: "what opens without a review",
    header: "as unreviewed = { up-to = …, hours = …, from = …, each-week = … }",
    keys: &[
        ("up-to", r#"up-to = "30m""#),
        ("hours", r#"hours = [{ days = "mon-fri", from = "07:00", to = "19:00", tz = "Europe/Berlin" }]"#),
        ("from", r#"from = ["10.1.0.0/16"]"#),
        ("each-week", "each-week = 3"),
    ],
};

pub(super) const MODE: Shape = Shape {
    what: "a mode by service",
    header: "under [mode]",
    keys: &[("observe", r#"observe = ["sudo"]"#)],
};

pub(super) const CHANGE: Shape = Shape {
    what: "a rule on changes of the policy",
    header: "under [policy-change]",
    keys: &[
        ("approvers", r#"approvers = { groups = ["security"] }"#),
        ("approvals", "approvals = 2"),
        ("reason", "reason = true"),
        ("override", "override = false"),
        ("signed-only", "signed-only = true"),
    ],
};

pub(super) const ASKER: Shape = Shape {
    what: "a program that asks about others",
    header: "under [[asker]]",
    keys: &[
        ("account", r#"account = "postgres""#),
        ("services", r#"services = ["postgresql"]"#),
        ("end-as", r#"end-as = "postgres""#),
    ],
};

pub(super) const SERVICE: Shape =
    Shape { what: "a service", header: "under [service.NAME]", keys: &[("ends", r#"ends = "process""#)] };

pub(super) const ALL: [&Shape; 21] = [
    &NOTE,
    &FILE,
    &ROLE,
    &PROFILE,
    &SET,
    &STAGE,
    &WHO,
    &ELIGIBLE,
    &EXEMPT,
    &PERSON,
    &HOURS,
    &REASON,
    &LIMITS,
    &UNREVIEWED,
    &MODE,
    &CHANGE,
    &ASKER,
    &SERVICE,
    &EXCEPT,
    &ASKED,
    &TEAM,
];

impl Shape {
    /// Reports a key that the table does not take. The answer is the key that was probably meant.
    pub(super) fn check(&self, key: &str, spot: &Spot, log: &mut Log<'_>) -> Option<&'static str> {
        if self.names().any(|known| known == key) {
            return None;
        }
        let unknown = format!("unknown key {}", quoted(key));
        let near = nearest(key, self.names());
        if let Some(near) = near {
            log.add(code::UNKNOWN_KEY, spot, format!("{unknown}; did you mean `{near}`?"));
            return Some(near);
        }
        if matches!(key, "profile" | "sets") && (self.is(&PROFILE) || self.is(&SET)) {
            let hint = "profiles and sets are not nested: write here what it is to have";
            log.add_with_hint(code::UNKNOWN_KEY, spot, unknown, hint);
            return None;
        }
        let elsewhere = |other: &&Shape| other.names().any(|k| k == key);
        let hint = match ALL.into_iter().find(elsewhere) {
            Some(home) => format!("it belongs in {}, {}", home.what, home.header),
            None => format!("{} takes {}", self.what, self.names().collect::<Vec<_>>().join(", ")),
        };
        log.add_with_hint(code::UNKNOWN_KEY, spot, unknown, hint);
        None
    }

    /// Reports a key that must be there and is not, with who needs it.
    pub(super) fn missing(&self, key: &str, whose: &str, spot: &Spot, log: &mut Log<'_>) {
        let message = format!("{} is missing: {whose}", quoted(key));
        log.push(code::MISSING, spot, message, example(key, self));
    }

    /// Whether both are the same kind of table.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.header == other.header
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|(name, _)| *name)
    }
}

/// A hint how a key is used: in the table that it stands in, if that takes it.
pub(super) fn example(key: &str, home: &Shape) -> Option<String> {
    let keys = [home].into_iter().chain(ALL).flat_map(|shape| shape.keys);
    keys.into_iter().find(|(name, _)| *name == key).map(|(_, example)| format!("write it like {example}"))
}

/// A word from a file as it stands in a message: nothing in it can act on a terminal, and it is not long.
pub(super) fn quoted(word: &str) -> String {
    const LIMIT: usize = 64;
    let cut: String = word.chars().take(LIMIT).collect();
    let dots = if cut.len() < word.len() { "…" } else { "" };
    format!("`{}{dots}`", Shown(&cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_recognised_and_another_word_is_not() {
        for (typed, meant) in [
            ("elegible", Some("eligible")),
            ("hots", Some("hosts")),
            ("host", Some("hosts")),
            ("max_duration", Some("max-duration")),
            ("maxduration", Some("max-duration")),
            ("Services", Some("services")),
            ("use", Some("uses")),
            ("priority", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, ROLE.names()), meant, "{typed}");
        }
    }

    #[test]
    fn a_hostile_word_is_shown_short_and_escaped() {
        assert_eq!(quoted("a\u{1b}[2J"), r"`a\u{1b}[2J`");
        assert!(quoted(&"x".repeat(10_000)).len() < 80);
    }
}
