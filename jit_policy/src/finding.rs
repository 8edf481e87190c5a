//! What is wrong with a policy, said so that the person who wrote the line can mend it.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use jit_proto::text::Shown;

use super::code::{self, Code, Severity};
use super::source::Source;

/// How many errors, and how many warnings, are kept. A generated policy with a mistake in every line must not
/// fill memory, and nobody reads further.
const LIMIT: usize = 1_000;

/// One thing that is wrong, and where. All text in it is safe to show on a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its kind, as `JIT012`; jit-policy(5) explains each.
    pub code: &'static str,
    /// Whether it keeps the policy from loading.
    pub severity: Severity,
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// That line; a long one is cut round the place. Empty where a finding is about no line, as a file's size.
    pub excerpt: String,
    /// The characters of `excerpt` that are meant, from 0.
    pub underline: Range<usize>,
    /// What is wrong and why.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// One line: `10-site.toml:4:1: error JIT012: unknown key …`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, severity, line, column, message, .. } = self;
        write!(f, "{}:{line}:{column}: {severity} {code}: {message}", Shown(&self.file))
    }
}

/// What kept a file from being read. Whoever reads files for the policy finds it; the codes are here beside all
/// others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// The system said no.
    Unreadable,
    /// Not a regular file.
    NotRegular,
    /// Not a folder.
    NotFolder,
    /// Somebody other than root could have written it.
    NotRoots,
    /// Its name is not text.
    Name,
    /// It is the settings of this host, and they say nothing that can be used.
    Settings,
    /// The files of those whose signatures count.
    Signers,
}

impl Finding {
    /// Whether it says that nobody would be left who gives orders here.
    #[must_use]
    pub fn locks_out(&self) -> bool {
        [code::NO_ADMIN_HERE, code::NO_WAY_IN].iter().any(|kind| kind.id == self.code)
    }

    /// Whether it says that too few people are known here to approve something.
    #[must_use]
    pub fn lacks_people(&self) -> bool {
        self.code == code::TOO_FEW_HERE.id
    }

    /// A finding about a file as a whole, before anything of it was read.
    #[must_use]
    pub fn of_file(fault: FileFault, file: &str, message: String, hint: String) -> Self {
        let code = match fault {
            FileFault::Unreadable => code::UNREADABLE,
            FileFault::NotRegular => code::NOT_REGULAR,
            FileFault::NotFolder => code::NOT_FOLDER,
            FileFault::NotRoots => code::NOT_ROOTS,
            FileFault::Name => code::FILE_NAME,
            FileFault::Settings => code::SETTINGS,
            FileFault::Signers => code::SIGNERS,
        };
        Self {
            code: code.id,
            severity: code.severity,
            file: file.to_owned(),
            line: 1,
            column: 1,
            excerpt: String::new(),
            underline: 0..0,
            message,
            hint: Some(Shown(&hint).to_string()),
        }
    }

    /// Whether it is about one host rather than about the files: it never keeps a policy from a start or a reload.
    #[must_use]
    pub fn is_of_host(&self) -> bool {
        code::OF_HOST.iter().any(|code| code.id == self.code)
    }

    /// Several lines, without a newline after the last: the message, the place, the line with the place
    /// underlined, and the hint.
    #[must_use]
    pub fn render(&self) -> String {
        let Self { code, severity, line, column, excerpt, underline, message, .. } = self;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let mut lines = vec![
            format!("{severity} {code}: {message}"),
            format!("{margin}--> {}:{line}:{column}", Shown(&self.file)),
        ];
        if !excerpt.is_empty() {
            let before = " ".repeat(underline.start);
            let marks = "^".repeat(underline.len());
            lines.push(format!("{margin} |"));
            lines.push(format!("{number} | {excerpt}"));
            lines.push(format!("{margin} | {before}{marks}"));
        }
        lines.extend(self.hint.iter().map(|hint| format!("{margin} = hint: {hint}")));
        lines.join("\n")
    }
}

/// A place in one of the files. Without a span it is the file as a whole.
#[derive(Clone, Debug)]
pub struct Spot {
    /// Its index in the list of sources.
    pub file: usize,
    /// Bytes of its text.
    pub span: Option<Range<usize>>,
}

impl Spot {
    /// Of a file as a whole.
    #[must_use]
    pub const fn file(file: usize) -> Self {
        Self { file, span: None }
    }
}

/// Findings as they come up.
#[derive(Debug)]
pub struct Log<'a> {
    sources: &'a [Source<'a>],
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    /// What was said of which place: of a value that many roles have from one profile, all is said once.
    said: HashSet<(&'static str, usize, Option<Range<usize>>, String)>,
    /// How many more there were.
    dropped: usize,
}

impl<'a> Log<'a> {
    /// None yet, about these files.
    #[must_use]
    pub fn new(sources: &'a [Source<'a>]) -> Self {
        Self { sources, errors: Vec::new(), warnings: Vec::new(), said: HashSet::new(), dropped: 0 }
    }

    /// Adds what was found at a place.
    pub fn add(&mut self, code: Code, spot: &Spot, message: impl Into<String>) {
        self.push(code, spot, message.into(), None);
    }

    /// Adds what was found at a place, and what to write instead.
    pub fn add_with_hint(
        &mut self,
        code: Code,
        spot: &Spot,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(code, spot, message.into(), Some(hint.into()));
    }

    /// Adds what was found at a place, and what to write instead if that can be said.
    pub(crate) fn push(&mut self, code: Code, spot: &Spot, message: String, hint: Option<String>) {
        let Code { id: code, severity } = code;
        let kept = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if kept.len() == LIMIT {
            self.dropped += 1;
            return;
        }
        if !self.said.insert((code, spot.file, spot.span.clone(), message.clone())) {
            return;
        }
        let source = self.sources.get(spot.file);
        let file = source.map_or("policy.d", |source| source.name).to_owned();
        let (line, column, excerpt, underline) = match (source, &spot.span) {
            (Some(source), Some(span)) => source.show(span),
            _ => (1, 1, String::new(), 0..0),
        };
        kept.push(Finding { code, severity, file, line, column, excerpt, underline, message, hint });
    }

    /// Whether anything was found that keeps the policy from loading.
    #[must_use]
    pub const fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Where a place is, for a message about another one.
    pub(crate) fn place(&self, spot: &Spot) -> String {
        let Some(source) = self.sources.get(spot.file) else { return "policy.d".to_owned() };
        let (line, column) = source.line_and_column(spot.span.as_ref().map_or(0, |span| span.start));
        format!("{}:{line}:{column}", Shown(source.name))
    }

    /// The warnings if there was no error, else all findings; by file and place.
    pub fn finish(mut self) -> Result<Vec<Finding>, Vec<Finding>> {
        let failed = !self.errors.is_empty();
        let mut all = self.errors;
        all.append(&mut self.warnings);
        all.sort_by(|a, b| {
            (&a.file, a.line, a.column, a.code, &a.message)
                .cmp(&(&b.file, b.line, b.column, b.code, &b.message))
        });
        if self.dropped > 0 {
            let file = all.last().map_or_else(String::new, |last| last.file.clone());
            all.push(Finding {
                code: code::MORE.id,
                severity: code::MORE.severity,
                file,
                line: 1,
                column: 1,
                excerpt: String::new(),
                underline: 0..0,
                message: format!("{} more findings are not shown", self.dropped),
                hint: None,
            });
        }
        if failed { Err(all) } else { Ok(all) }
    }
}
