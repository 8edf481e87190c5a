//! The blocks that README.md and the guides show, of commands to type and of files to write, and what types each of them.
//!
//! A block that nothing types goes stale unseen: a test of the documents demands a row for each, and that what the row names is
//! there.

use std::fs;

use crate::machine::top;

/// What types a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Each line is a target of the Makefile: the demo and the tests themselves.
    Make,
    /// A scenario in a booted machine, which finds the block by [`block`] or by its lines.
    Scenario(&'static str),
}

/// The name of the scenario that types what README.md says.
pub const README: &str = "everything_that_the_readme_says_to_type_does_what_it_is_for";

/// Each block: its document, how its first line begins, and what types it.
pub const TYPED: [(&str, &str, By); 11] = [
    ("README.md", "make demo ", By::Make),
    ("README.md", "make deb && sudo apt-get install", By::Scenario(README)),
    ("README.md", "version = 1", By::Scenario(README)),
    ("README.md", "jitctl enable sshd sudo", By::Scenario(README)),
    ("README.md", "jitctl grant maria --role shell", By::Scenario(README)),
    ("README.md", "systemctl enable --now jit-kiosk-sshd.socket", By::Scenario(README)),
    // Whatever a scenario puts under jitd it puts there by these.
    (GUIDE, "sed -i '/^@include common-account/i account", By::Scenario("a_login_by_key_follows_the_window")),
    (
        GUIDE,
        "sed -i '/^@include common-auth/a auth optional",
        By::Scenario("who_has_no_window_asks_for_one_at_sshs_prompts_and_goes_on_when_it_opens"),
    ),
    (GUIDE, "for f in cron atd; do", By::Scenario(README)),
    (GUIDE, "[[exempt]]", By::Scenario(README)),
    (GUIDE, "jitctl check sshd maria", By::Scenario(README)),
];

/// How the module gets into PAM files by hand.
pub const GUIDE: &str = "packaging/pam/README.md";

/// The blocks of a document of this tree, in order, each without the blanks that it is indented by.
#[must_use]
pub fn blocks(document: &str) -> Vec<String> {
    let Ok(text) = fs::read_to_string(top().join(document)) else { return Vec::new() };
    let mut blocks = Vec::new();
    let mut inside: Option<(usize, String)> = None;
    for line in text.lines() {
        let bare = line.trim_start();
        if bare.starts_with("```") {
            match inside.take() {
                None => inside = Some((line.len() - bare.len(), String::new())),
                Some((_, block)) => blocks.push(block),
            }
        } else if let Some((indent, block)) = &mut inside {
            *block += line.get(*indent..).unwrap_or(bare);
            block.push('\n');
        }
    }
    // One that is not closed is one all the same.
    blocks.extend(inside.map(|(_, block)| block));
    blocks
}

/// The block of a document that begins so; none where there is none, or more than one.
#[must_use]
pub fn block(document: &str, begins: &str) -> Option<String> {
    let mut found = blocks(document).into_iter().filter(|block| block.starts_with(begins));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}
