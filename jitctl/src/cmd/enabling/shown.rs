//! A change as diff(1) shows it.

use std::fmt::Write as _;

use jit_proto::text::Shown;

use super::plan::Change;

/// Lines that are shown around what is other.
const AROUND: usize = 2;

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line<'t> {
    Same(&'t str),
    Gone(&'t str),
    New(&'t str),
}

pub(super) fn diff(change: &Change) -> String {
    let lines = compared(&change.old, &change.new);
    let is_other = |line: &Line<'_>| !matches!(line, Line::Same(_));
    let near = |at: usize| {
        let from = at.saturating_sub(AROUND);
        lines[from..lines.len().min(at + AROUND + 1)].iter().any(is_other)
    };
    let mut text = format!("--- {}\n+++ {}\n", change.path, change.path);
    let mut is_cut = false;
    for (at, line) in lines.iter().enumerate() {
        if !near(at) {
            is_cut = true;
            continue;
        }
        if std::mem::take(&mut is_cut) {
            text += "@@\n";
        }
        let (sign, line) = match line {
            Line::Same(line) => (' ', line),
            Line::Gone(line) => ('-', line),
            Line::New(line) => ('+', line),
        };
        writeln!(text, "{sign}{}", Shown(&line.replace('\t', "    "))).unwrap_or_default();
    }
    text
}

/// The longest lines in common stay; PAM files have a few dozen.
fn compared<'t>(old: &'t str, new: &'t str) -> Vec<Line<'t>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // How many are in common from here on.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for at in (0..old.len()).rev() {
        for to in (0..new.len()).rev() {
            common[at][to] = if old[at] == new[to] {
                common[at + 1][to + 1] + 1
            } else {
                common[at + 1][to].max(common[at][to + 1])
            };
        }
    }
    let (mut at, mut to, mut found) = (0, 0, Vec::new());
    while at < old.len() || to < new.len() {
        if at < old.len() && to < new.len() && old[at] == new[to] {
            found.push(Line::Same(old[at]));
            (at, to) = (at + 1, to + 1);
        } else if at < old.len() && (to == new.len() || common[at + 1][to] >= common[at][to + 1]) {
            found.push(Line::Gone(old[at]));
            at += 1;
        } else {
            found.push(Line::New(new[to]));
            to += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_has_what_is_other_with_a_little_around_it_and_no_control_of_the_files() {
        let old = "1\n2\n3\n4\n5\nold \u{1b}[2J\n6\n7\n8\n9\n";
        let new = "1\n2\n3\n4\n5\nnew\n6\n7\n8\n9\nlast\n";
        let change = Change {
            service: "sshd".into(),
            path: "/etc/pam.d/sshd".into(),
            at: "/etc/pam.d/sshd".into(),
            old: old.into(),
            new: new.into(),
        };
        assert_eq!(
            diff(&change),
            "--- /etc/pam.d/sshd\n+++ /etc/pam.d/sshd\n@@\n 4\n 5\n-old \\u{1b}[2J\n+new\n 6\n 7\n 8\n 9\n+last\n"
        );
    }
}
