//! Goes through a stack as libpam does (`_pam_dispatch_aux`), for every answer that the other modules may give: so it is
//! found out, and not guessed, whether what our module answers is what the program hears.

use std::collections::BTreeSet;

use super::control::{Action, Control};
use super::stack::{Line, Stage, What};

/// What our module answers, by its name in pam.d(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ours {
    /// A window admits them.
    Admits,
    /// They are exempt.
    StandsAside,
    /// Nothing admits them.
    Refuses,
    /// jitd does not answer.
    CannotTell,
}

impl Ours {
    const fn answer(self, stage: Stage) -> &'static str {
        match (self, stage) {
            (Self::Admits, _) => "success",
            (Self::StandsAside, _) => "ignore",
            (Self::Refuses, _) | (Self::CannotTell, Stage::Session) => "perm_denied",
            (Self::CannotTell, Stage::Account | Stage::Auth | Stage::Password) => "authinfo_unavail",
        }
    }
}

/// What the other modules answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Whatever leads somebody in.
    Anything,
    /// Success, but for pam_deny.
    Success,
}

/// A way through a stack that leads in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Whether our module was asked on it.
    pub is_asked: bool,
    /// The line that led past our first one, by its place in the stage.
    pub past: Option<usize>,
}

/// The ways that lead in. At most one for each end that differs.
#[must_use]
pub fn ways_in(lines: &[&Line], ours: Ours, others: Others) -> Vec<Way> {
    let Some(stage) = lines.first().map(|line| line.stage) else { return Vec::new() };
    let first = lines.iter().position(|line| line.is_ours());
    let mut seen = BTreeSet::new();
    let mut open = vec![At::default()];
    let mut found: Vec<Way> = Vec::new();
    while let Some(at) = open.pop() {
        let Some(line) = lines.get(at.next) else {
            let way = Way { is_asked: at.is_asked, past: at.past };
            if at.is_in() && !found.contains(&way) {
                found.push(way);
            }
            continue;
        };
        if !seen.insert(at.clone()) || seen.len() > MOST {
            continue;
        }
        let mut at = at;
        // What counted before a substack is what a reset in it goes back to.
        at.before.truncate(line.level + 1);
        while at.before.len() <= line.level {
            at.before.push(at.so_far);
        }
        let What::Module { control, module, .. } = &line.what else {
            at.next += 1;
            open.push(at);
            continue;
        };
        let answers = if line.is_ours() {
            at.is_asked = true;
            vec![(ours.answer(stage), Answer::of(ours.answer(stage)))]
        } else {
            answers(control, module, stage, others)
        };
        for (name, answer) in answers {
            open.push(at.after(lines, control.action(name), answer, first));
        }
    }
    found
}

/// The line whose jump would lead elsewhere without the lines that go, by its place in the stage; none where all jumps lead
/// to the same.
#[must_use]
pub fn jump_that_moves(lines: &[&Line], goes: impl Fn(&Line) -> bool) -> Option<usize> {
    let stay: Vec<usize> = (0..lines.len()).filter(|at| !goes(lines[*at])).collect();
    let rest: Vec<&Line> = stay.iter().map(|at| lines[*at]).collect();
    let moves = |here: usize, was: usize| {
        let What::Module { control, .. } = &lines[was].what else { return false };
        control.jumps().any(|count| {
            let before = jump(lines, was, count).map(|to| stay.iter().filter(|at| **at < to).count());
            before != jump(&rest, here, count)
        })
    };
    stay.iter().enumerate().find(|(here, was)| moves(*here, **was)).map(|(_, was)| *was)
}

/// More states than any stack of people's has; one that has is not gone through to its end.
const MOST: usize = 20_000;

/// What an answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Success,
    /// Success, but for a password that has to be changed.
    Expired,
    Ignore,
    Failure,
}

impl Answer {
    fn of(name: &str) -> Self {
        match name {
            "success" => Self::Success,
            "new_authtok_reqd" => Self::Expired,
            "ignore" => Self::Ignore,
            _ => Self::Failure,
        }
    }
}

/// The answers that a module of others may give, each by its name.
fn answers<'c>(control: &'c Control, module: &str, stage: Stage, others: Others) -> Vec<(&'c str, Answer)> {
    let name = std::path::Path::new(module).file_name().and_then(|name| name.to_str()).unwrap_or(module);
    let names: Vec<&str> = match (name, others) {
        ("pam_deny.so", _) => vec![if stage == Stage::Session { "session_err" } else { "acct_expired" }],
        ("pam_permit.so", _) | (_, Others::Success) => vec!["success"],
        (_, Others::Anything) => {
            let usual = ["success", "ignore", "perm_denied"];
            let at_account = (stage == Stage::Account).then_some("new_authtok_reqd");
            let named = control.named().filter(|name| *name != "default");
            usual.into_iter().chain(at_account).chain(named).collect()
        }
    };
    names.into_iter().map(|name| (name, Answer::of(name))).collect()
}

/// What counts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum SoFar {
    #[default]
    Nothing,
    For(Answer),
    Against,
}

/// Where one is in a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    next: usize,
    so_far: SoFar,
    /// What it was before each substack that one is in.
    before: Vec<SoFar>,
    is_asked: bool,
    past: Option<usize>,
}

impl At {
    /// Whether the program hears that they may come in.
    const fn is_in(&self) -> bool {
        matches!(self.so_far, SoFar::For(Answer::Success | Answer::Expired))
    }

    /// Where an answer leads to.
    fn after(&self, lines: &[&Line], action: Action, answer: Answer, first: Option<usize>) -> Self {
        let mut at = self.clone();
        let here = at.next;
        let level = lines[here].level;
        at.next += 1;
        match action {
            Action::Reset => at.so_far = at.before[level],
            Action::Ok | Action::Done => {
                if matches!(at.so_far, SoFar::Nothing | SoFar::For(Answer::Success)) {
                    at.so_far = SoFar::For(answer);
                }
                if action == Action::Done && at.so_far != SoFar::Against {
                    at.next = behind(lines, here, level);
                }
            }
            Action::Bad => at.so_far = SoFar::Against,
            Action::Die => {
                at.so_far = SoFar::Against;
                at.next = behind(lines, here, level);
            }
            Action::Ignore => {}
            Action::Jump(count) => {
                let to = jump(lines, here, count);
                // libpam takes one that leads beyond the end for a mistake.
                if to.is_none() {
                    at.so_far = SoFar::Against;
                }
                at.next = to.unwrap_or_else(|| behind(lines, here, level));
            }
        }
        if first.is_some_and(|first| here < first && first < at.next) {
            at.past = Some(here);
        }
        at
    }
}

/// The line behind a stack, or a substack, that ends here.
fn behind(lines: &[&Line], here: usize, level: usize) -> usize {
    let rest = lines.iter().skip(here + 1).position(|line| line.level < level);
    rest.map_or(lines.len(), |lines| here + 1 + lines)
}

/// The line behind so many of the same stack; none where it has not so many.
fn jump(lines: &[&Line], here: usize, count: usize) -> Option<usize> {
    let level = lines[here].level;
    let mut next = here + 1;
    for _ in 0..count {
        lines.get(next).filter(|line| line.level >= level)?;
        next += 1;
        // A substack is one.
        while lines.get(next).is_some_and(|line| line.level > level) {
            next += 1;
        }
    }
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pam::source::testing::Files;
    use crate::pam::stack::Stack;

    const COMMON: &str = "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n\
                          account requisite pam_deny.so\naccount required pam_permit.so\n";
    const OURS: &str = "account [success=ok ignore=ignore default=die] pam_jit.so\n";

    fn ways(text: &str, ours: Ours, others: Others) -> Vec<(bool, Option<usize>)> {
        let files = Files::new(&[
            ("x", text),
            ("common", COMMON),
            ("gate", OURS),
            ("unix", "account required pam_unix.so\n"),
        ]);
        let stack = Stack::read(&files, "x").unwrap().unwrap();
        let ways = ways_in(&stack.of(Stage::Account), ours, others);
        ways.into_iter().map(|way| (way.is_asked, way.past)).collect()
    }

    fn leaks(text: &str) -> bool {
        !ways(text, Ours::Refuses, Others::Anything).is_empty()
    }

    #[test]
    fn a_refusal_holds_where_no_way_leads_in() {
        for text in [
            format!("account required pam_nologin.so\n{OURS}@include common\n"),
            "account requisite pam_jit.so\naccount sufficient pam_localuser.so\n".to_owned(),
            // One that fails already is not let in by one that is enough.
            "account required pam_jit.so\naccount sufficient pam_localuser.so\n".to_owned(),
            "account include gate\n@include common\n".to_owned(),
            "account required pam_unix.so\naccount substack gate\naccount required pam_permit.so\n"
                .to_owned(),
            // What is jumped over is another's line.
            format!(
                "account [success=1 default=ignore] pam_access.so\naccount requisite pam_deny.so\n{OURS}"
            ),
            format!("account [success=1 default=ignore] pam_access.so\naccount substack unix\n{OURS}"),
        ] {
            assert!(!leaks(&text), "{text}");
        }
    }

    #[test]
    fn a_refusal_that_is_ignored_reset_or_never_heard_leads_in() {
        for text in [
            "account [success=ok default=ignore] pam_jit.so\n@include common\n".to_owned(),
            "account [success=ok authinfo_unavail=die default=ignore] pam_jit.so\n@include common\n".to_owned(),
            "account optional pam_jit.so\n@include common\n".to_owned(),
            "account sufficient pam_jit.so\naccount required pam_unix.so\n".to_owned(),
            format!("@include common\n{OURS}"),
            format!("account sufficient pam_localuser.so\n{OURS}"),
            format!("account [success=1 default=ignore] pam_succeed_if.so\n{OURS}@include common\n"),
            "account [success=1 default=ignore] pam_access.so\naccount substack gate\n@include common\n".to_owned(),
            "account required pam_jit.so\naccount [success=reset default=bad] pam_permit.so\naccount required \
             pam_unix.so\n"
                .to_owned(),
        ] {
            assert!(leaks(&text), "{text}");
        }
        // Which line led past ours.
        let after = format!("@include common\n{OURS}");
        assert_eq!(ways(&after, Ours::Refuses, Others::Anything), [(false, Some(0))]);
    }

    #[test]
    fn a_jump_that_leads_elsewhere_without_our_line_is_known() {
        let moved = |text: &str| {
            let files = Files::new(&[("x", text), ("common", COMMON), ("gate", OURS)]);
            let stack = Stack::read(&files, "x").unwrap().unwrap();
            jump_that_moves(&stack.of(Stage::Account), Line::is_ours)
        };
        let root = "account [success=1 default=ignore] pam_succeed_if.so uid = 0\n";
        assert_eq!(moved(&format!("{root}{OURS}@include common\n")), Some(0));
        assert_eq!(moved(&format!("{root}{OURS}")), Some(0), "beyond the end libpam fails it");
        assert_eq!(
            moved(&format!("account required a.so\n{root}account include gate\naccount required b.so\n")),
            Some(1)
        );
        for same in [
            format!("{OURS}{root}@include common\n"),
            format!("{root}account requisite pam_deny.so\n{OURS}@include common\n"),
            // A substack is one line, whatever is in it.
            format!("{root}account substack gate\naccount required b.so\n"),
            format!("@include common\n{OURS}"),
        ] {
            assert_eq!(moved(&same), None, "{same}");
        }
    }

    #[test]
    fn whom_we_admit_or_stand_aside_for_gets_in_where_the_others_let_them() {
        let usual = format!("{OURS}@include common\n");
        for ours in [Ours::Admits, Ours::StandsAside] {
            assert_eq!(ways(&usual, ours, Others::Success).len(), 1);
        }
        // Without a word for it, being exempt is a refusal.
        let forgot = "account [success=ok default=die] pam_jit.so\n@include common\n";
        assert_eq!(ways(forgot, Ours::Admits, Others::Success).len(), 1);
        assert_eq!(ways(forgot, Ours::StandsAside, Others::Success), []);
        // A jump beyond the end fails.
        let far = "account [success=9 default=die] pam_jit.so\naccount required pam_permit.so\n";
        assert_eq!(ways(far, Ours::Admits, Others::Success), []);
    }
}
