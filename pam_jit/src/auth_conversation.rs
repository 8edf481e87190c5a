//! The conversation in which a person asks for a role while logging in: which, how long, why; then what it waits for,
//! and whether it has opened.
//!
//! It neither admits nor refuses anybody: `account` comes after it and decides. Nothing runs between two prompts and no
//! connection stays open over one, so nothing has to be undone if the program ends half-way (LoginGraceTime): a request
//! that was filed stays with jitd.
//!
//! Every text stands in a prompt. sshd hands on a message only with the next prompt, so a wait that is not a prompt
//! would be a login that says nothing.

use std::fmt;
use std::time::Duration;

use jit_proto::duration::{Human, parse_duration};
use jit_proto::gate::{MAX_TEXT, Question, Stage};
use jit_proto::login_request::{Answer, Asker, MAX_LINE, MAX_ROLES, Role, State};
use jit_proto::text::{Shown, is_unprintable};
use jit_proto::words::{Reason, RequestId, RoleName, ServiceName, subject_is_caller};
use pam::constants::PamResultCode;

use crate::args::Args;
use crate::error::Error;
use crate::log::{Level, Line};
use crate::outside::{Host, Order};
use crate::question::{self, Asked};
use crate::transport::Sockets;

/// How often the same question is asked before the person is taken at their word that they do not know.
const TRIES: usize = 3;

/// The prompts of one conversation. The programs have limits of their own on its time.
const PROMPTS: usize = 64;

/// How the conversation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The line does not say `request`.
    NotAsked,
    /// There was nothing to ask for: why.
    Needless(&'static str),
    /// Nobody answers prompts here.
    NoConversation,
    /// The person left, or was asked often enough.
    Left,
    /// The service is open to them.
    Opened,
    /// The request that they waited for no longer waits, and nothing is open.
    Over,
    /// jitd could not be asked.
    Failed(Error),
}

impl Ended {
    /// The code for libpam. It is the same for all: an auth line neither admits nor refuses.
    pub(crate) const fn code(&self) -> PamResultCode {
        match self {
            Self::NotAsked
            | Self::Needless(_)
            | Self::NoConversation
            | Self::Left
            | Self::Opened
            | Self::Over
            | Self::Failed(_) => PamResultCode::PAM_IGNORE,
        }
    }

    /// What the system log is told, if anything. What is filed is logged when it is.
    pub(crate) fn log(&self) -> Option<(Level, Line)> {
        let ended = |how: &str| Some((Level::Debug, Line::new("asking ended").field("how", how)));
        match self {
            Self::NotAsked => None,
            Self::Needless(why) => ended(why),
            Self::NoConversation => ended("nobody answers prompts"),
            Self::Left => ended("the person left"),
            Self::Opened => ended("a window opened"),
            Self::Over => ended("the request no longer waits"),
            Self::Failed(error) => {
                Some((Level::Error, Line::new("nothing can be asked for").field("because", error)))
            }
        }
    }
}

/// Asks a person who has no window whether they want to ask for one.
///
/// PAM_SILENT forbids it, but for su and sudo: sudo always passes it, and means messages, not the prompts without
/// which it could not ask for a password either.
pub(crate) fn run(host: &mut impl Host, args: &Args, silent: bool) -> Ended {
    if !args.request {
        return Ended::NotAsked;
    }
    let question = match question::about(host, Stage::Account, args) {
        Ok(Some(Asked { question, .. })) => question,
        Ok(None) => return Ended::Needless("root runs it"),
        // `account` says so, and refuses.
        Err(_) => return Ended::Needless("an item is not usable"),
    };
    let about_caller = question.service.parse().is_ok_and(|service: ServiceName| subject_is_caller(&service));
    if silent && !about_caller {
        return Ended::Needless("the program wants silence");
    }
    let sockets = Sockets { private: &args.private, bus: Some(&args.bus) };
    let (limit, asker) = (args.timeout, asker(question));
    let mut talk = Talk { host, sockets, limit, asker, silent, prompts: 0, jitd_is_older: false };
    talk.through().unwrap_or_else(|ended| ended)
}

fn asker(question: Question) -> Asker {
    let Question { nonce, service, user, ruser, rhost, tty, caller_uid, stage: _, flags: _ } = question;
    Asker { nonce, service, user, ruser, caller_uid, rhost, tty }
}

/// What jitd said, once it is believed.
struct Said {
    state: State,
    /// Present where the state is `waiting`.
    id: Option<RequestId>,
    text: String,
}

/// A role that jitd offers.
struct Offer {
    name: RoleName,
    summary: String,
    default: Duration,
    max: Duration,
    hint: String,
}

struct Talk<'a, H> {
    host: &'a mut H,
    sockets: Sockets<'a>,
    limit: Duration,
    asker: Asker,
    silent: bool,
    prompts: usize,
    /// It is from before answers could be typed at a login.
    jitd_is_older: bool,
}

impl<H: Host> Talk<'_, H> {
    /// The whole conversation. An error is an end like others, that comes in the middle.
    fn through(&mut self) -> Result<Ended, Ended> {
        let (said, offers) = self.options()?;
        match said.state {
            State::Open => Ok(Ended::Needless("it is open")),
            State::Nothing => Ok(Ended::Needless("there is no role to ask for")),
            State::Waiting => self.wait(said),
            State::Ask => {
                let said = self.order(&said.text, &offers)?;
                self.wait(said)
            }
            State::Refused | State::Over => Err(odd(said.state)),
        }
    }

    /// Which role, how long, why; until jitd takes it or it was refused often enough.
    fn order(&mut self, text: &str, offers: &[Offer]) -> Result<Said, Ended> {
        let mut above = Shown(text).to_string();
        for _ in 0..TRIES {
            let offer = match offers {
                [only] => {
                    let also = Also(&only.summary);
                    add(&mut above, &format!("You can ask for role {}{also}.", only.name));
                    only
                }
                several => self.choose(&mut above, several)?,
            };
            let time = self.time(&mut above, offer)?;
            let reason = self.reason(&mut above, offer)?;
            let said = self.file(Order { role: &offer.name, time, reason: &reason })?;
            match said.state {
                State::Refused => above = Shown(&said.text).to_string(),
                State::Waiting | State::Open => return Ok(said),
                State::Ask | State::Nothing | State::Over => return Err(odd(said.state)),
            }
        }
        Err(self.give_up(&above))
    }

    fn choose<'o>(&mut self, above: &mut String, offers: &'o [Offer]) -> Result<&'o Offer, Ended> {
        add(above, "You can ask for a role:");
        for (number, offer) in (1..).zip(offers) {
            add(above, &format!("  {number}  {}{}", offer.name, Also(&offer.summary)));
        }
        self.until_usable(above, "Which one, by number or name? (Enter leaves) ", |typed| {
            if typed.is_empty() {
                return Ok(None);
            }
            let number = typed.parse::<usize>().ok().and_then(|number| offers.get(number.checked_sub(1)?));
            let named = offers.iter().find(|offer| offer.name.as_str() == typed);
            match named.or(number) {
                Some(offer) => Ok(Some(offer)),
                None => {
                    Err(format!("There is no {} among them: 1 to {}, or a name.", Shown(typed), offers.len()))
                }
            }
        })
    }

    fn time(&mut self, above: &mut String, offer: &Offer) -> Result<Duration, Ended> {
        let (default, max) = (Human(offer.default), Human(offer.max));
        let question = format!("How long, like 30m or 1h30m? (Enter is {default}, at most {max}; q leaves) ");
        self.until_usable(above, &question, |typed| {
            if typed.is_empty() {
                return Ok(Some(offer.default));
            }
            match parse_duration(typed) {
                Ok(time) if time <= offer.max => Ok(Some(time)),
                Ok(_) => Err(format!("Role {} opens for at most {max}.", offer.name)),
                Err(bad) => Err(format!("That is no time: {bad}.")),
            }
        })
    }

    fn reason(&mut self, above: &mut String, offer: &Offer) -> Result<Reason, Ended> {
        let question = if offer.hint.is_empty() {
            "Why? (q leaves) ".to_owned()
        } else {
            format!("Why? {} (q leaves) ", Shown(&offer.hint))
        };
        self.until_usable(above, &question, |typed| match typed.parse() {
            Ok(reason) => Ok(Some(reason)),
            Err(bad) => Err(format!("That is no reason: {bad}.")),
        })
    }

    // Questions to the person.

    /// Asks until `read` can use the answer, which is one printable line. None from `read`, and `q`, are for leaving.
    fn until_usable<T>(
        &mut self,
        above: &mut String,
        question: &str,
        read: impl Fn(&str) -> Result<Option<T>, String>,
    ) -> Result<T, Ended> {
        for _ in 0..TRIES {
            let typed = self.prompt(above, question)?;
            let used = match line(&typed) {
                Ok("q") => Ok(None),
                Ok(line) => read(line),
                Err(why) => Err(why),
            };
            match used {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => return Err(Ended::Left),
                Err(why) => *above = why,
            }
        }
        Err(self.give_up(above))
    }

    /// Shows what stands above and the question, and waits for the answer.
    fn prompt(&mut self, above: &mut String, question: &str) -> Result<Vec<u8>, Ended> {
        if self.prompts == PROMPTS {
            return Err(Ended::Left);
        }
        self.prompts += 1;
        add(above, question);
        let typed = self.host.prompt(above).ok_or(Ended::NoConversation);
        above.clear();
        typed
    }

    fn give_up(&mut self, why: &str) -> Ended {
        self.tell(&format!("{why} Nothing was asked for; log in again to try again."));
        Ended::Left
    }

    fn tell(&mut self, line: &str) {
        if !self.silent && !line.is_empty() {
            self.host.say(line);
        }
    }

    // Questions to jitd. Each has a nonce, a connection and a deadline of its own.

    fn options(&mut self) -> Result<(Said, Vec<Offer>), Ended> {
        self.draw_nonce()?;
        let asked = self.host.options(&self.sockets, &self.asker, self.limit);
        let (answer, roles) = asked.map_err(Ended::Failed)?;
        let said = self.believe(answer)?;
        let offers = believe_roles(&roles)?;
        if said.state == State::Ask && offers.is_empty() {
            return Err(unbelievable("it offers no role"));
        }
        Ok((said, offers))
    }

    fn file(&mut self, order: Order<'_>) -> Result<Said, Ended> {
        self.draw_nonce()?;
        let answer = self.host.file(&self.sockets, &self.asker, &order, self.limit).map_err(Ended::Failed)?;
        let said = self.believe(answer)?;
        if let Some(id) = said.id {
            let line = Line::new("asked for a role").field("request", id).field("role", order.role);
            let line = line.field("user", &self.asker.user).field("caller", self.asker.caller_uid);
            self.host.log(Level::Info, &line.to_string());
        }
        Ok(said)
    }

    fn progress(&mut self, id: RequestId) -> Result<Said, Ended> {
        self.draw_nonce()?;
        let answer = self.host.progress(&self.sockets, &self.asker, id, self.limit).map_err(Ended::Failed)?;
        self.believe(answer)
    }

    fn draw_nonce(&mut self) -> Result<(), Ended> {
        self.asker.nonce = self.host.nonce().map_err(Ended::Failed)?.to_vec();
        Ok(())
    }

    /// Reads jitd's answer, if it is one to this question.
    fn believe(&self, answer: Answer) -> Result<Said, Ended> {
        let believe = |holds: bool, not: &str| if holds { Ok(()) } else { Err(unbelievable(not)) };
        believe(answer.nonce == self.asker.nonce, "another nonce came back")?;
        believe(answer.service == self.asker.service, "it is about another service")?;
        believe(answer.user == self.asker.user, "it is about another user")?;
        believe(answer.text.len() <= MAX_TEXT, "a text in it is too long")?;
        let state = answer.state.parse().map_err(|bad| unbelievable(&format!("{bad}")))?;
        let id = match answer.id.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|bad| unbelievable(&format!("{bad}")))?),
        };
        believe(id.is_some() == (state == State::Waiting), "a request that waits has an id, and no other")?;
        Ok(Said { state, id, text: answer.text })
    }
}

fn believe_roles(roles: &[Role]) -> Result<Vec<Offer>, Ended> {
    if roles.len() > MAX_ROLES {
        return Err(unbelievable("it offers too many roles"));
    }
    roles.iter().map(believe_role).collect()
}

fn believe_role(role: &Role) -> Result<Offer, Ended> {
    let Role { name, summary, default, max, hint } = role;
    let name = name.parse().map_err(|bad| unbelievable(&format!("{bad}")))?;
    if summary.len() > MAX_LINE || hint.len() > MAX_LINE {
        return Err(unbelievable("a text in it is too long"));
    }
    if *default == 0 || default > max {
        return Err(unbelievable("a role's time is more than its limit, or none"));
    }
    let (default, max) = (Duration::from_secs(*default), Duration::from_secs(*max));
    Ok(Offer { name, summary: summary.clone(), default, max, hint: hint.clone() })
}

fn unbelievable(why: &str) -> Ended {
    Ended::Failed(Error::Unbelievable(why.to_owned()))
}

fn odd(state: State) -> Ended {
    unbelievable(&format!("'{}' is no answer to this", state.as_str()))
}

/// What was typed, without white space round it, if it is a line that can be sent and shown.
fn line(typed: &[u8]) -> Result<&str, String> {
    if typed.len() > MAX_TEXT {
        return Err(format!("That was {} bytes long, the limit is {MAX_TEXT}.", typed.len()));
    }
    let text = std::str::from_utf8(typed).map_err(|_| "That was not UTF-8.".to_owned())?.trim();
    match text.chars().find(|c| is_unprintable(*c)) {
        Some(c) => Err(format!("That had the character U+{:04X} in it.", u32::from(c))),
        None => Ok(text),
    }
}

/// Appends a line.
fn add(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

/// `: ` and a text, or nothing where that is empty.
struct Also<'a>(&'a str);

impl fmt::Display for Also<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", Shown(self.0)) }
    }
}

mod waiting;

#[cfg(test)]
mod tests;
