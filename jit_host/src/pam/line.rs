//! The lines of a PAM file as libpam reads them: without what stands behind a `#`, folded ones in one, and cut into words.

/// A line with all that it goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The number of its first line in the file, from 1.
    pub number: usize,
    /// How many lines of the file it takes.
    pub count: usize,
    /// What it says.
    pub words: Vec<Word>,
}

/// A word; in brackets it may hold blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word itself, brackets taken off.
    pub text: String,
    /// Whether it stood in brackets.
    pub is_bracketed: bool,
    /// Whether it is as it should be: brackets that open are closed.
    pub is_whole: bool,
}

/// The lines that say something. One whose comment ends in a backslash is not gone on with, and the last needs no end.
#[must_use]
pub fn lines(text: &str) -> Vec<Whole> {
    let mut found = Vec::new();
    let mut open: Option<(usize, usize, String)> = None;
    for (at, line) in text.lines().enumerate() {
        let (said, is_commented) = line.split_once('#').map_or((line, false), |(said, _)| (said, true));
        let said = said.trim_end();
        let goes_on = said.strip_suffix('\\').filter(|_| !is_commented);
        let (number, count, before) = open.take().unwrap_or((at + 1, 0, String::new()));
        let so_far = format!("{before} {}", goes_on.unwrap_or(said));
        if goes_on.is_some() {
            open = Some((number, count + 1, so_far));
        } else {
            found.push(Whole { number, count: count + 1, words: words(&so_far) });
        }
    }
    found.extend(open.map(|(number, count, said)| Whole { number, count, words: words(&said) }));
    found.retain(|line| !line.words.is_empty());
    found
}

fn words(line: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = if first == '[' {
            let (text, behind) = bracketed(&rest[1..]);
            rest = behind.unwrap_or_default();
            Word { text, is_bracketed: true, is_whole: behind.is_some() }
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            rest = behind;
            Word { text: word.to_owned(), is_bracketed: false, is_whole: true }
        };
        found.push(word);
        rest = rest.trim_start();
    }
    found
}

/// What stands up to the bracket that closes, `\]` being none; and what stands behind, if one does close.
fn bracketed(text: &str) -> (String, Option<&str>) {
    let (mut inside, mut is_escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            ']' if is_escaped => {
                inside.pop();
                inside.push(']');
            }
            ']' => return (inside, Some(&text[at + 1..])),
            _ => inside.push(c),
        }
        is_escaped = c == '\\';
    }
    (inside, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<(usize, usize, String)> {
        let shown = |line: &Whole| {
            let words: Vec<String> = line
                .words
                .iter()
                .map(|word| if word.is_bracketed { format!("[{}]", word.text) } else { word.text.clone() })
                .collect();
            words.join("|")
        };
        lines(text).iter().map(|line| (line.number, line.count, shown(line))).collect()
    }

    #[test]
    fn a_line_goes_on_behind_a_backslash_and_a_comment_does_not() {
        let text = "# a comment \\\naccount  required\\\n pam_jit.so \\ \n recovery=root # said\n\n \t\n\
                    session required pam_jit.so";
        assert_eq!(
            said(text),
            [
                (2, 3, "account|required|pam_jit.so|recovery=root".to_owned()),
                (7, 1, "session|required|pam_jit.so".to_owned()),
            ]
        );
        assert_eq!(said("account required \\"), [(1, 1, "account|required".to_owned())]);
        assert_eq!(
            said("account required # no \\\nauth x y"),
            [(1, 1, "account|required".to_owned()), (2, 1, "auth|x|y".to_owned())]
        );
    }

    #[test]
    fn brackets_hold_blanks_together() {
        let text = "account [success=ok  default=die] pam_jit.so [a=b \\] c] d\n";
        assert_eq!(said(text)[0].2, "account|[success=ok  default=die]|pam_jit.so|[a=b ] c]|d");
        let open = lines("account [success=ok pam_jit.so\n");
        assert!(!open[0].words[1].is_whole);
    }
}
