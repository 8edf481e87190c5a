//! The wait for a request, from prompt to prompt, in which an approver's answer can be typed straight in.
//!
//! What is typed goes to jitd as it is, and what jitd says of it is shown: nothing here knows a code from the row of a
//! signature. Rows come one by one, and jitd keeps nothing between two calls, so the lines that are of use yet come again
//! with the next.

use jit_proto::gate::MAX_TEXT;
use jit_proto::login_request::{MAX_LINES, MAX_TOLD, MAX_TYPED, State};
use jit_proto::text::Shown;
use jit_proto::words::RequestId;

use super::{Ended, Said, Talk, add, line, odd, unbelievable};
use crate::log::{Level, Line};
use crate::outside::Host;

impl<H: Host> Talk<'_, H> {
    /// From prompt to prompt, until it opens or is over.
    pub(super) fn wait(&mut self, mut said: Said) -> Result<Ended, Ended> {
        let (mut typed, mut told) = (Vec::new(), Vec::new());
        if let (State::Waiting, Some(id)) = (said.state, said.id) {
            (said, told) = self.enter(id, &mut typed)?;
        }
        loop {
            let id = match (said.state, said.id) {
                (State::Open, _) => return Ok(Ended::Opened),
                (State::Over, _) => {
                    self.tell(&Shown(&said.text).to_string());
                    return Ok(Ended::Over);
                }
                (State::Waiting, Some(id)) => id,
                _ => return Err(odd(said.state)),
            };
            let mut above = Shown(&said.text).to_string();
            for line in &told {
                add(&mut above, &Shown(line).to_string());
            }
            add(&mut above, "Your request stays if you leave or time runs out: log in again later.");
            let takes_answers = !told.is_empty();
            let question = if takes_answers {
                "Press Enter to check again, type an answer, or q to leave: "
            } else {
                "Press Enter to check again, or type q to leave: "
            };
            let bytes = self.prompt(&mut above, question)?;
            if bytes.trim_ascii() == b"q" {
                return Ok(Ended::Left);
            }
            // Where nothing can be typed, whatever is typed is a wish to know; and so is Enter alone.
            let next = line(&bytes).and_then(|text| room_for(&typed, text));
            match next {
                Err(why) if takes_answers => told = vec![why],
                Ok(text) if takes_answers && !text.is_empty() => {
                    typed.push(text.to_owned());
                    let line = Line::new("an answer was typed").field("request", id);
                    let line = line.field("user", &self.asker.user).field("caller", self.asker.caller_uid);
                    self.host.log(Level::Info, &line.to_string());
                    (said, told) = self.enter(id, &mut typed)?;
                }
                Ok(_) | Err(_) => {
                    typed.clear();
                    (said, told) = self.enter(id, &mut typed)?;
                }
            }
        }
    }

    /// Brings jitd what was typed, and keeps of it what is of use yet. Without a typed line it asks how it stands.
    fn enter(&mut self, id: RequestId, typed: &mut Vec<String>) -> Result<(Said, Vec<String>), Ended> {
        if self.jitd_is_older {
            return Ok((self.progress(id)?, Vec::new()));
        }
        self.draw_nonce()?;
        let (answer, told, kept) = match self.host.enter(&self.sockets, &self.asker, id, typed, self.limit) {
            Err(error) if error.says_unknown_method() => {
                self.jitd_is_older = true;
                return Ok((self.progress(id)?, Vec::new()));
            }
            entered => entered.map_err(Ended::Failed)?,
        };
        let said = self.believe(answer)?;
        if said.id.is_some_and(|said| said != id) {
            return Err(unbelievable("it is about another request"));
        }
        if told.len() > MAX_TOLD || told.iter().any(|line| line.len() > MAX_TEXT) {
            return Err(unbelievable("a text in it is too long"));
        }
        match usize::try_from(kept) {
            Ok(kept) if kept <= typed.len() => typed.truncate(kept),
            _ => return Err(unbelievable("it keeps more than was typed")),
        }
        Ok((said, told))
    }
}

/// The line, where it still fits behind those that were typed before.
fn room_for<'t>(typed: &[String], text: &'t str) -> Result<&'t str, String> {
    let bytes = typed.iter().map(String::len).sum::<usize>() + text.len();
    if typed.len() < MAX_LINES && bytes <= MAX_TYPED {
        Ok(text)
    } else {
        Err("That is more than an answer has; press Enter to begin again.".to_owned())
    }
}
