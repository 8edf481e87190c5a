//! Questions to a person. An answer that will not do is asked for again, with what was wrong; the end of the input
//! (Ctrl-D) leaves.

use crate::screen::Screen;
use crate::terminal::keyboard::Typed;

/// Asks until the answer is one; none if the person leaves.
pub(crate) fn until<T>(
    screen: &mut Screen<'_>,
    question: &str,
    mut read: impl FnMut(&str) -> Result<T, String>,
) -> Option<T> {
    loop {
        let answer = match screen.ask(question) {
            Typed::Line(line) => read(line.trim()),
            Typed::Bad(why) => Err(why.to_owned()),
            Typed::End => return None,
        };
        match answer {
            Ok(answer) => return Some(answer),
            Err(why) => screen.say(&format!("  {why}")),
        }
    }
}

/// A yes; whoever leaves says no.
pub(crate) fn yes(screen: &mut Screen<'_>, question: &str, default: bool) -> bool {
    let question = format!("{question} [{}] ", if default { "Y/n" } else { "y/N" });
    let answer = until(screen, &question, |line| match line.to_ascii_lowercase().as_str() {
        "" => Ok(default),
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err("type y or n".to_owned()),
    });
    answer.unwrap_or(false)
}
