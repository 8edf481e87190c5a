//! The layers inside our crates, which a house test holds.

/// The layers of one crate, bottom to top.
type Layers = &'static [&'static [&'static str]];

/// Each crate that has layers, with them.
pub const LAYERS: [(&str, Layers); 5] = [
    ("jit_policy", &POLICY_LAYERS),
    ("jit_core", &CORE_LAYERS),
    ("jit_exchange", &EXCHANGE_LAYERS),
    ("jit_report", &REPORT_LAYERS),
    ("jitctl", &JITCTL_LAYERS),
];

/// Those of `jit_policy`.
const POLICY_LAYERS: [&[&str]; 4] = [
    &["digest", "services", "text", "time", "when"],
    &[
        "approvers",
        "asker",
        "bounds",
        "except",
        "host",
        "hours",
        "net",
        "people",
        "reason",
        "retain",
        "role",
        "rules",
        "team",
        "unreviewed",
        "until",
        "who",
    ],
    &[
        "code",
        "finding",
        "lint",
        "lint_change",
        "lint_except",
        "lint_roles",
        "lint_team",
        "lint_whole",
        "mentions",
        "parse",
        "parse_parts",
        "parse_role",
        "parse_unreviewed",
        "parts",
        "shape",
        "source",
        "walk",
        "words",
    ],
    &["diff", "difference", "ends", "expand", "facts", "host_check", "set"],
];

/// The layers of `jit_core`, bottom to top, as docs/DESIGN.md has them: a module, with all below it in its folder, uses
/// its own layer and those before it.
const CORE_LAYERS: [&[&str]; 12] = [
    &["access", "proof", "tickets"],
    &["model"],
    &["code"],
    &["sign"],
    &["event"],
    &["clock", "room", "state", "timer"],
    &["context"],
    &["orders"],
    &["check"],
    &["sessions", "due"],
    &["audit"],
    &["cases", "replay"],
];

/// Those of `jit_exchange`.
const EXCHANGE_LAYERS: [&[&str]; 4] =
    [&["known", "segments"], &["history", "names"], &["listing"], &["folder"]];

/// Those of `jit_report`.
const REPORT_LAYERS: [&[&str]; 7] = [
    &["figures", "log", "period"],
    &["rows"],
    &["attest", "duties", "host", "hours", "live", "observed", "policies", "roles", "story"],
    &["suggest", "told"],
    &["report"],
    &["csv", "fold"],
    &["html"],
];

/// Those of `jitctl`.
const JITCTL_LAYERS: [&[&str]; 8] = [
    &["table", "terminal", "times", "values"],
    &["call"],
    &["error"],
    &["fresh", "output", "screen", "transport", "wakes"],
    &["jitd"],
    &["bus", "listening", "prompts", "views"],
    &["cmd"],
    &["args", "run"],
];
