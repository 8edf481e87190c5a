//! What a line of a PAM file does with the answer of its module: the second word of pam.d(5).

use super::line::Word;

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It counts, where nothing counted against somebody before.
    Ok,
    /// The same, and the stack ends there if it counts.
    Done,
    /// It is as if it had not been given.
    Ignore,
    /// It counts against them, and the rest is gone through all the same.
    Bad,
    /// The same, and the stack ends there.
    Die,
    /// Whatever counted before is forgotten.
    Reset,
    /// So many lines are passed over.
    Jump(usize),
}

/// What a line does with each answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// `required`: a failure counts.
    Required,
    /// `requisite`: a failure counts, and ends the stack.
    Requisite,
    /// `sufficient`: a success ends the stack, a failure is ignored.
    Sufficient,
    /// `optional`: a failure is ignored.
    Optional,
    /// Answers, in the order they are written in, and what each leads to.
    Bracket(Vec<(String, Action)>),
    /// What libpam takes for none of these: its line fails.
    Unknown,
}

impl Control {
    /// Reads the second word of a line.
    #[must_use]
    pub fn read(word: &Word) -> Self {
        if word.is_bracketed {
            let pairs = word.text.split_whitespace().map(|pair| {
                let (answer, action) = pair.split_once('=')?;
                Some((answer.to_owned(), action_of(action)?))
            });
            let pairs: Option<Vec<_>> = pairs.collect();
            return pairs.filter(|_| word.is_whole).map_or(Self::Unknown, Self::Bracket);
        }
        match word.text.to_ascii_lowercase().as_str() {
            "required" => Self::Required,
            "requisite" => Self::Requisite,
            "sufficient" => Self::Sufficient,
            "optional" => Self::Optional,
            _ => Self::Unknown,
        }
    }

    /// What an answer leads to, by its name in pam.d(5), such as `perm_denied`.
    #[must_use]
    pub fn action(&self, answer: &str) -> Action {
        let (good, ignored, otherwise) = match self {
            Self::Required => (Action::Ok, Action::Ignore, Action::Bad),
            Self::Requisite => (Action::Ok, Action::Ignore, Action::Die),
            Self::Sufficient => (Action::Done, Action::Ignore, Action::Ignore),
            Self::Optional => (Action::Ok, Action::Ignore, Action::Ignore),
            Self::Bracket(pairs) => {
                let of = |name: &str| pairs.iter().rev().find(|(named, _)| named == name);
                // What is not said at all fails.
                return of(answer).or_else(|| of("default")).map_or(Action::Bad, |(_, action)| *action);
            }
            Self::Unknown => return Action::Bad,
        };
        match answer {
            "success" | "new_authtok_reqd" => good,
            "ignore" if matches!(self, Self::Required | Self::Requisite) => ignored,
            _ => otherwise,
        }
    }

    /// The answers that have a word of their own in brackets.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let pairs = if let Self::Bracket(pairs) = self { pairs.as_slice() } else { &[] };
        pairs.iter().map(|(answer, _)| answer.as_str())
    }

    /// How many lines its jumps pass over, each.
    pub fn jumps(&self) -> impl Iterator<Item = usize> {
        let pairs = if let Self::Bracket(pairs) = self { pairs.as_slice() } else { &[] };
        pairs
            .iter()
            .filter_map(|(_, action)| if let Action::Jump(count) = action { Some(*count) } else { None })
    }

    /// Whether every answer but success and "not for me" ends the stack at once, and success does not.
    #[must_use]
    pub fn binds(&self) -> bool {
        let Self::Bracket(pairs) = self else { return *self == Self::Requisite };
        let has = |name: &str, action: Action| pairs.iter().any(|pair| *pair == (name.to_owned(), action));
        has("success", Action::Ok)
            && has("default", Action::Die)
            && pairs.iter().all(|(answer, action)| match answer.as_str() {
                "success" => *action == Action::Ok,
                "ignore" | "new_authtok_reqd" => {
                    matches!(action, Action::Ok | Action::Ignore | Action::Die)
                }
                _ => *action == Action::Die,
            })
    }

    /// Whether the next line follows, unless nobody gets in at all.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        match self {
            Self::Required | Self::Requisite | Self::Optional => true,
            Self::Sufficient | Self::Unknown => false,
            Self::Bracket(pairs) => {
                pairs.iter().all(|(_, action)| !matches!(action, Action::Done | Action::Jump(_)))
            }
        }
    }
}

fn action_of(word: &str) -> Option<Action> {
    match word {
        "ok" => Some(Action::Ok),
        "done" => Some(Action::Done),
        "ignore" => Some(Action::Ignore),
        "bad" => Some(Action::Bad),
        "die" => Some(Action::Die),
        "reset" => Some(Action::Reset),
        number => number.parse().ok().filter(|lines| *lines > 0).map(Action::Jump),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pam::line::lines;

    fn control(text: &str) -> Control {
        Control::read(&lines(text)[0].words[0])
    }

    #[test]
    fn words_and_brackets_say_what_each_answer_leads_to() {
        for (text, answers) in [
            ("required", [Action::Ok, Action::Ignore, Action::Bad]),
            ("Requisite", [Action::Ok, Action::Ignore, Action::Die]),
            ("sufficient", [Action::Done, Action::Ignore, Action::Ignore]),
            ("optional", [Action::Ok, Action::Ignore, Action::Ignore]),
            ("[success=ok ignore=ignore default=die]", [Action::Ok, Action::Ignore, Action::Die]),
            ("[success=2 default=reset]", [Action::Jump(2), Action::Reset, Action::Reset]),
            ("[success=done]", [Action::Done, Action::Bad, Action::Bad]),
            ("[success=okay default=ignore]", [Action::Bad; 3]),
            ("[success=ok default=ignore", [Action::Bad; 3]),
            ("unheard-of", [Action::Bad; 3]),
        ] {
            let control = control(text);
            let found = ["success", "ignore", "perm_denied"].map(|answer| control.action(answer));
            assert_eq!(found, answers, "{text}");
        }
    }
}
