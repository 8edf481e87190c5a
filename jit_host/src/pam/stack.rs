//! The lines that a service goes through, in order, with what they take in of other files.

use std::io;
use std::path::PathBuf;

use super::control::{Action, Control};
use super::line::{Whole, Word, lines};
use super::source::{Source, is_logind, is_module};

/// How deep files take in each other before this stops looking, and how many it looks at. Linux-PAM stops at 32.
const DEPTH: usize = 16;
const MOST_FILES: usize = 256;

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Who somebody is.
    Auth,
    /// Whether they may come in.
    Account,
    /// How somebody gets another password.
    Password,
    /// What is done as they come and go.
    Session,
}

/// All of them, in the order of pam.d(5).
pub const STAGES: [Stage; 4] = [Stage::Account, Stage::Auth, Stage::Password, Stage::Session];

impl Stage {
    /// The word in a file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Account => "account",
            Self::Password => "password",
            Self::Session => "session",
        }
    }

    fn read(word: &str) -> Option<Self> {
        STAGES.into_iter().find(|stage| word.eq_ignore_ascii_case(stage.as_str()))
    }
}

/// One line of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file that it is written in.
    pub file: PathBuf,
    /// Where it begins there, from 1.
    pub number: usize,
    /// What it is for.
    pub stage: Stage,
    /// Whether libpam passes over a module that it cannot load: a `-` stands before it.
    pub is_silent: bool,
    /// In how many substacks it stands.
    pub level: usize,
    /// What it does.
    pub what: What,
}

/// What a line does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It calls a module.
    Module {
        /// What becomes of the answer.
        control: Control,
        /// The module, as it is written there.
        module: String,
        /// What it is told.
        arguments: Vec<String>,
    },
    /// The lines behind it that stand deeper are a substack.
    Substack,
    /// What it takes in is not there, or was not followed.
    Lost(Lost),
}

/// Why a file that a line takes in was not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// There is none of this name in PAM's folders.
    Absent,
    /// It cannot be read.
    Unread,
    /// Too many files take in each other.
    TooDeep,
}

impl Line {
    /// Whether it calls our module.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.module().is_some_and(is_module)
    }

    /// The module that it calls, if it calls one.
    #[must_use]
    pub fn module(&self) -> Option<&str> {
        if let What::Module { module, .. } = &self.what { Some(module) } else { None }
    }

    /// Whether PAM hears no answer of it: as `jitctl enable` writes our line, to watch.
    #[must_use]
    pub fn only_watches(&self) -> bool {
        let What::Module { control: Control::Bracket(pairs), .. } = &self.what else { return false };
        matches!(pairs.as_slice(), [(answer, Action::Ignore)] if answer == "default")
    }

    /// What its module is told.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        if let What::Module { arguments, .. } = &self.what { arguments } else { &[] }
    }

    /// Its place, as people read it: `/etc/pam.d/sshd:12`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.number)
    }
}

/// All lines of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The file that libpam reads for it.
    pub path: PathBuf,
    /// Its lines, of all stages.
    pub lines: Vec<Line>,
}

impl Stack {
    /// The stack of a service; none where it has no file, so that libpam takes that of `other`.
    pub fn read(source: &dyn Source, service: &str) -> io::Result<Option<Self>> {
        let Some(file) = source.file(service)? else { return Ok(None) };
        let mut follow = Follow { source, lines: Vec::new(), files: 0 };
        follow.text(&file.path, &file.text, At { stage: None, level: 0, depth: DEPTH });
        Ok(Some(Self { path: file.path, lines: follow.lines }))
    }

    /// The lines of one stage.
    #[must_use]
    pub fn of(&self, stage: Stage) -> Vec<&Line> {
        self.lines.iter().filter(|line| line.stage == stage).collect()
    }

    /// Our lines of one stage.
    pub fn ours(&self, stage: Stage) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.stage == stage && line.is_ours())
    }

    /// Whether our module is asked at a stage at all.
    #[must_use]
    pub fn asks_at(&self, stage: Stage) -> bool {
        self.ours(stage).next().is_some()
    }

    /// Whether our module is asked at account only to watch: PAM hears no refusal of it.
    #[must_use]
    pub fn only_watches(&self) -> bool {
        self.asks_at(Stage::Account) && self.ours(Stage::Account).all(Line::only_watches)
    }

    /// The line that begins the session with logind before ours is asked.
    #[must_use]
    pub fn logind_before_ours(&self) -> Option<&Line> {
        let lines = self.of(Stage::Session);
        let ours = lines.iter().position(|line| line.is_ours())?;
        lines[..ours].iter().find(|line| line.module().is_some_and(is_logind)).copied()
    }

    /// Whether something that it takes in at a stage was lost for this reason.
    #[must_use]
    pub fn lacks(&self, stage: Stage, lost: Lost) -> bool {
        self.lines.iter().any(|line| line.stage == stage && line.what == What::Lost(lost))
    }
}

/// Where one is while files are followed.
#[derive(Clone, Copy)]
struct At {
    /// The only stage that counts there, if it is one alone.
    stage: Option<Stage>,
    level: usize,
    depth: usize,
}

struct Follow<'a> {
    source: &'a dyn Source,
    lines: Vec<Line>,
    files: usize,
}

impl Follow<'_> {
    fn text(&mut self, path: &std::path::Path, text: &str, at: At) {
        for Whole { number, words, .. } in lines(text) {
            let mut line = Line {
                file: path.to_owned(),
                number,
                stage: Stage::Auth,
                is_silent: false,
                level: at.level,
                what: What::Substack,
            };
            if words[0].text == "@include" {
                let name = words.get(1).map_or("", |word| word.text.as_str());
                self.take_in(name, &line, at);
                continue;
            }
            let kind = words[0].text.strip_prefix('-').unwrap_or(&words[0].text);
            // libpam fails every stage of a file with a line of no kind; whoever wrote it has heard of it.
            let Some(stage) = Stage::read(kind).filter(|stage| at.stage.is_none_or(|only| only == *stage))
            else {
                continue;
            };
            line.stage = stage;
            line.is_silent = words[0].text.starts_with('-');
            let word = |place: usize| words.get(place).map_or("", |word: &Word| word.text.as_str());
            let is_control = |name: &str| !words[1..].is_empty() && word(1).eq_ignore_ascii_case(name);
            let inside = At { stage: Some(stage), ..at };
            if is_control("include") {
                self.take_in(word(2), &line, inside);
            } else if is_control("substack") {
                self.lines.push(line.clone());
                line.level += 1;
                self.take_in(word(2), &line, At { level: at.level + 1, ..inside });
            } else {
                line.what = What::Module {
                    control: words.get(1).map_or(Control::Unknown, Control::read),
                    module: word(2).to_owned(),
                    arguments: words.iter().skip(3).map(|word| word.text.clone()).collect(),
                };
                self.lines.push(line);
            }
        }
    }

    fn take_in(&mut self, name: &str, line: &Line, at: At) {
        self.files += 1;
        let found = if at.depth == 0 || self.files > MOST_FILES {
            Err(Lost::TooDeep)
        } else {
            self.source.file(name).map_err(|_| Lost::Unread).and_then(|file| file.ok_or(Lost::Absent))
        };
        match found {
            Ok(file) => self.text(&file.path, &file.text, At { depth: at.depth - 1, ..at }),
            Err(lost) => {
                let lacking = STAGES.into_iter().filter(|stage| at.stage.is_none_or(|only| only == *stage));
                let what = What::Lost(lost);
                self.lines.extend(lacking.map(|stage| Line { stage, what: what.clone(), ..line.clone() }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pam::source::testing::Files;

    fn shown(files: &[(&str, &str)], stage: Stage) -> Vec<String> {
        let stack = Stack::read(&Files::new(files), "sshd").unwrap().unwrap();
        let shown = |line: &&Line| {
            let what = match &line.what {
                What::Module { module, .. } => module.clone(),
                What::Substack => "substack".to_owned(),
                What::Lost(lost) => format!("{lost:?}"),
            };
            format!("{} {} {what}", line.place(), line.level)
        };
        stack.of(stage).iter().map(shown).collect()
    }

    #[test]
    fn a_stack_has_the_lines_of_every_file_that_is_taken_in_of_its_stage_alone() {
        let files = [
            ("sshd", "auth required a.so\nACCOUNT include gate\n@include common\n-session optional s.so\n"),
            ("gate", "account required pam_jit.so\nsession required never.so\naccount substack deep\n"),
            ("deep", "account sufficient d.so"),
            ("common", "account required c.so\nsession required c.so\n"),
        ];
        assert_eq!(
            shown(&files, Stage::Account),
            [
                "/etc/pam.d/gate:1 0 pam_jit.so",
                "/etc/pam.d/gate:3 0 substack",
                "/etc/pam.d/deep:1 1 d.so",
                "/etc/pam.d/common:1 0 c.so",
            ]
        );
        assert_eq!(shown(&files, Stage::Session), ["/etc/pam.d/common:2 0 c.so", "/etc/pam.d/sshd:4 0 s.so"]);
    }

    #[test]
    fn what_is_not_there_and_what_takes_in_itself_is_lost_and_not_followed_for_ever() {
        let files = [("sshd", "@include absent\n"), ("loop", "@include loop\n@include loop\n")];
        assert_eq!(shown(&files, Stage::Account), ["/etc/pam.d/sshd:1 0 Absent"]);
        let stack = Stack::read(&Files::new(&files), "loop").unwrap().unwrap();
        assert!(stack.lacks(Stage::Session, Lost::TooDeep) && stack.lines.len() < 4096);
        assert_eq!(Stack::read(&Files::new(&files), "none").unwrap(), None);
    }
}
