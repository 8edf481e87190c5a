//! Each stack that names the module: whether what the module answers is what the program hears.

use std::collections::BTreeMap;

use jit_core::policy::{Ends, Uses};
use jit_proto::words::ServiceName;

use crate::doctor::finding::{Finding, Rules, Severity};
use crate::doctor::seen::{Seen, is_shared};
use crate::pam::control::Action;
use crate::pam::walk::{Others, Ours, Way, ways_in};
use crate::pam::{Line, Stack, Stage, What, is_module};

/// The session line, as documents have it.
const SESSION: &str = "session required pam_jit.so recovery=root";

/// The account line, as documents have it.
pub const ACCOUNT: &str = "account [success=ok ignore=ignore default=die] pam_jit.so recovery=root";

pub(super) fn judge(seen: &Seen, rules: Option<Rules<'_>>, found: &mut Vec<Finding>) {
    for (service, stack) in &seen.stacks {
        let is_named = [Stage::Account, Stage::Session].into_iter().any(|stage| stack.asks_at(stage));
        if !is_named || is_shared(service) {
            continue;
        }
        let one = One { service, stack, rules, about: stack.path.display().to_string() };
        one.missing(found);
        for stage in [Stage::Account, Stage::Session].into_iter().filter(|stage| stack.asks_at(*stage)) {
            one.heard(stage, found);
            one.asked_twice(stage, found);
            one.passed_over(stage, found);
        }
        one.uses(found);
        one.late(found);
    }
    shared(seen, found);
    if !seen.has_module && seen.stacks.values().any(|stack| stack.lines.iter().any(Line::is_ours)) {
        found.push(Finding::new(
            "module-missing",
            Severity::Error,
            "pam_jit.so",
            [
                "PAM files name pam_jit.so, and it is in no folder of PAM's modules.".to_owned(),
                "libpam refuses everybody there, root included: recovery= is the module's own.".to_owned(),
                "install the package pam-jit again, from a shell that is open now".to_owned(),
            ],
        ));
    }
}

/// One stack that names the module.
struct One<'a> {
    service: &'a str,
    stack: &'a Stack,
    rules: Option<Rules<'a>>,
    about: String,
}

impl One<'_> {
    fn finding(&self, id: &'static str, severity: Severity, texts: [String; 3]) -> Finding {
        Finding::new(id, severity, self.about.clone(), texts)
    }

    fn mend(&self) -> String {
        format!("jitctl enforce {}   (writes both lines as pam_jit(8) has them)", self.service)
    }

    /// Whether policy ends logins here by their process, so that no session line is needed.
    fn ends_by_process(&self) -> bool {
        let service = self.service.parse::<ServiceName>();
        let ends = |rules: Rules<'_>| {
            service.is_ok_and(|service| rules.policy.ends(&service) == Some(Ends::Process))
        };
        self.rules.is_some_and(ends)
    }

    /// One of the two lines without the other.
    fn missing(&self, found: &mut Vec<Finding>) {
        let (account, session) = (self.stack.asks_at(Stage::Account), self.stack.asks_at(Stage::Session));
        if account && !session && !self.ends_by_process() {
            found.push(self.finding(
                "session-line-missing",
                Severity::Error,
                [
                    format!("{} asks jitd at account, and has no session line of pam_jit.so.", self.service),
                    "The host sets the login no limit, jitd finds it late, and it may outlive its window.".to_owned(),
                    self.mend(),
                ],
            ));
        }
        if session && !account {
            found.push(self.finding(
                "account-line-missing",
                Severity::Error,
                [
                    format!("{} has the session line of pam_jit.so, and no account line.", self.service),
                    "account is the gate: without it sshd and sudo hear of a refusal late, and some programs never."
                        .to_owned(),
                    self.mend(),
                ],
            ));
        }
    }

    /// Whether our lines only watch, whether a refusal keeps out, and an admission lets in.
    fn heard(&self, stage: Stage, found: &mut Vec<Finding>) {
        let lines = self.stack.of(stage);
        let ours: Vec<&Line> = self.stack.ours(stage).collect();
        if ours.iter().all(|line| line.only_watches()) {
            found.push(self.finding(
                "observed-by-pam",
                Severity::Warning,
                [
                    format!("{} only watches: `[default=ignore]` at {}.", ours[0].place(), stage.as_str()),
                    "jitd decides and records, and PAM keeps nobody out.".to_owned(),
                    format!(
                        "see who would be refused, with: jitctl audit show; then: jitctl enforce {}",
                        self.service
                    ),
                ],
            ));
        } else {
            self.holds(stage, &lines, &ours, found);
        }
        self.admits(stage, &lines, ours[0], found);
    }

    /// Whether a refusal keeps out.
    fn holds(&self, stage: Stage, lines: &[&Line], ours: &[&Line], found: &mut Vec<Finding>) {
        let refused = ways_in(lines, Ours::Refuses, Others::Anything);
        let dead = ways_in(lines, Ours::CannotTell, Others::Anything);
        if let Some(way) = refused.iter().find(|way| !way.is_asked) {
            found.push(self.led_past(stage, lines, way));
        }
        let ignored = |ways: &[Way]| ways.iter().any(|way| way.is_asked);
        if ignored(&refused) || ignored(&dead) {
            let (what, why) = if ignored(&refused) {
                ("A refusal of pam_jit.so", "Whoever jitd refuses is let in all the same.")
            } else {
                ("That jitd does not answer", "While jitd is dead everybody is let in.")
            };
            let place = ours[0].place();
            let text = format!("{what} does not end in a refusal at {}: see {place}.", stage.as_str());
            found.push(self.finding(
                "refusal-not-heard",
                Severity::Error,
                [text, why.to_owned(), self.mend()],
            ));
        }
        if let Some(line) = ours.iter().find(|line| ends_the_rest(line, stage)) {
            found.push(self.finding(
                "rest-passed-over",
                Severity::Error,
                [
                    format!("{}: with a window, no line behind this one is asked.", line.place()),
                    "An account that has expired or is locked gets in by a window.".to_owned(),
                    self.mend(),
                ],
            ));
        }
    }

    /// Whether they get in whom jitd admits, and those it stands aside for; a line that only watches can shut a stage, too.
    fn admits(&self, stage: Stage, lines: &[&Line], ours: &Line, found: &mut Vec<Finding>) {
        let is_alone = lines.iter().all(|line| line.is_ours());
        let fix = if is_alone {
            format!(
                "write the {} lines of /etc/pam.d/other behind it, with a root shell open",
                stage.as_str()
            )
        } else {
            self.mend()
        };
        let is_lost = lines.iter().any(|line| matches!(line.what, What::Lost(_)));
        for (answer, id, why) in [
            (Ours::Admits, "nobody-gets-in", "Nobody gets in by an open window."),
            (
                Ours::StandsAside,
                "exempt-kept-out",
                "Whom policy exempts, and root by recovery=, is kept out.",
            ),
        ] {
            if !is_lost && ways_in(lines, answer, Others::Success).is_empty() {
                let text = format!("The {} lines let in nobody: see {}.", stage.as_str(), ours.place());
                found.push(self.finding(id, Severity::Error, [text, why.to_owned(), fix.clone()]));
            }
        }
    }

    /// Another line ends the stage, or jumps, before ours is asked.
    fn led_past(&self, stage: Stage, lines: &[&Line], way: &Way) -> Finding {
        let by = way.past.and_then(|past| lines.get(past));
        let place = by.map_or_else(|| self.about.clone(), |line| line.place());
        let module = by.and_then(|line| line.module()).unwrap_or("a line");
        let is_common = by.is_some_and(|line| line.file.to_string_lossy().contains("/common-account"));
        let why = if is_common {
            "An expired password ends the stack there: after changing it, they are in, and jitd was never asked."
        } else {
            "On that way jitd is not asked, and they are in without a window."
        };
        self.finding(
            "not-asked",
            Severity::Error,
            [
                format!("{place} ({module}) can lead past the {} line of pam_jit.so.", stage.as_str()),
                why.to_owned(),
                self.mend(),
            ],
        )
    }

    fn asked_twice(&self, stage: Stage, found: &mut Vec<Finding>) {
        let places: Vec<String> = self.stack.ours(stage).map(Line::place).collect();
        if places.len() < 2 {
            return;
        }
        let counts = self.counted().is_some();
        found.push(self.finding(
            "asked-twice",
            if counts && stage == Stage::Account { Severity::Error } else { Severity::Warning },
            [
                format!("{} names pam_jit.so {} times at {}: {}.", self.service, places.len(), stage.as_str(), places.join(", ")),
                "Each is a question of its own: a single use is spent at the first, and the login is refused by the second."
                    .to_owned(),
                format!("leave one of them; or type: jitctl enforce {}", self.service),
            ],
        ));
    }

    /// With a hyphen libpam passes over a module that it cannot load.
    fn passed_over(&self, stage: Stage, found: &mut Vec<Finding>) {
        if let Some(line) = self.stack.ours(stage).find(|line| line.is_silent) {
            found.push(self.finding(
                "passed-over-if-lost",
                Severity::Error,
                [
                    format!("{} begins with a hyphen.", line.place()),
                    "If the module cannot be loaded, libpam passes over the line, and everybody is let in.".to_owned(),
                    self.mend(),
                ],
            ));
        }
    }

    /// The role that counts logins here, if there is one.
    fn counted(&self) -> Option<String> {
        let service = self.service.parse::<ServiceName>().ok()?;
        let rules = self.rules?;
        let mut opening = rules.policy.roles_for(&service).filter(|role| role.on_host(rules.host));
        let counts = opening.find(|role| role.uses != Uses::Unlimited)?;
        Some(counts.name.to_string())
    }

    /// A use is taken at the check, unless the line says otherwise.
    fn uses(&self, found: &mut Vec<Finding>) {
        let Some(role) = self.counted() else { return };
        let Some(line) = self.stack.ours(Stage::Account).next() else { return };
        if line.arguments().iter().any(|word| word == "session") {
            return;
        }
        found.push(
            self.finding(
                "use-taken-before-session",
                Severity::Warning,
                [
                    format!("Role {role} counts logins, and {} does not say `session`.", line.place()),
                    "A use is spent at the check: an expired password, or a login that breaks off, burns it."
                        .to_owned(),
                    format!(
                        "add `session` to the end of that line, where {} has the session line too",
                        self.service
                    ),
                ],
            ),
        );
    }

    /// The session line behind what makes the session's scope.
    fn late(&self, found: &mut Vec<Finding>) {
        if let Some(before) = self.stack.logind_before_ours() {
            found.push(self.finding(
                "session-line-late",
                Severity::Warning,
                [
                    format!("{} stands before the session line of pam_jit.so.", before.place()),
                    "The session's scope gets no limit of the host's own, and the person's manager runs before jitd is asked."
                        .to_owned(),
                    self.mend(),
                ],
            ));
        }
    }
}

/// What brings a service to ask as another one does: to keep people out where that does.
pub(super) fn as_other(seen: &Seen, other: &str, service: &str) -> String {
    let watches = seen.stacks.get(other).is_some_and(Stack::only_watches);
    format!("jitctl {} {service}", if watches { "enable" } else { "enforce" })
}

/// Whether a success of ours ends the stage, or passes over lines of others.
fn ends_the_rest(line: &Line, stage: Stage) -> bool {
    let What::Module { control, .. } = &line.what else { return false };
    stage == Stage::Account && matches!(control.action("success"), Action::Done | Action::Jump(_))
}

/// How lines come out of a file that many take in. `jitctl enable` does not write where such a line is; and without one a
/// service is open until it has its own.
fn by_hand(file: &str) -> String {
    format!(
        "with an editor, and a root shell that stays open: 1. write into the file in /etc/pam.d of each service that should ask \
         `{ACCOUNT}` before what it takes in at account, and `{SESSION}` before what it takes in at session; 2. only then take \
         the lines of pam_jit.so out of {file}; 3. try a new login, and type: jitctl doctor"
    )
}

/// Files that many services take in: whoever takes them in asks, and no role names it.
fn shared(seen: &Seen, found: &mut Vec<Finding>) {
    let mut askers: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (service, stack) in &seen.stacks {
        let mut files: Vec<String> = stack
            .lines
            .iter()
            .filter(|line| line.module().is_some_and(is_module) && line.stage != Stage::Auth)
            .filter(|line| line.file.file_name().and_then(|name| name.to_str()).is_some_and(is_shared))
            .map(|line| line.file.display().to_string())
            .collect();
        files.dedup();
        for file in files {
            let of = askers.entry(file).or_default();
            if !is_shared(service) {
                of.push(service);
            }
        }
    }
    for (file, services) in askers {
        found.push(Finding::new(
            "in-a-shared-file",
            Severity::Error,
            file.clone(),
            [
                format!("It names pam_jit.so, and is taken in by: {}.", services.join(", ")),
                "All of them ask jitd. Those that no role names refuse everybody: systemd-user, cron, chfn and the kiosk are such."
                    .to_owned(),
                by_hand(&file),
            ],
        ));
    }
}
