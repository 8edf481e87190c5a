//! `jitctl kiosk`: a menu for people who cannot log in, in which they ask for access and review.
//!
//! A menu that a second sshd and a console offer (jit-kiosk(8)) to whoever can prove who they are. It must give them
//! nothing else: it starts no program, opens no file, believes nothing in the environment, and knows no command but the
//! numbers it shows. jitd sees the person's own uid and login uid behind it, and decides.

mod person;

use jit_core::code::Answer;
use jit_core::duration::parse_duration;
use jit_core::model::Decision;
use jit_proto::manager::{Entry, Revoked, Role, Spoken, Status};
use jit_proto::text::Shown;
use jit_proto::words::{GrantId, Reason, RequestId, RoleName};
use serde::de::DeserializeOwned;

use crate::call::{Call, Narrow};
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::Outcome;
use crate::screen::Screen;
use crate::table::{Table, cut};
use crate::times::{left, length, time};
use crate::values::Id;
use crate::views;

use super::code::not_counted;
use person::{Heard, Person, Typist};

/// Columns that are left for a text at the end of a row of 80.
const TEXT_SHOWN: usize = 32;

/// The kiosk for whoever is at standard input and output.
pub(crate) fn run(jitd: &dyn Jitd, me: Option<u32>, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    serve(jitd, me, &mut Typist::start(), screen)?;
    Ok(Outcome::Yes)
}

/// Shows the menu until the person leaves, falls silent or has gone. `me` is their uid.
fn serve(
    jitd: &dyn Jitd,
    me: Option<u32>,
    person: &mut dyn Person,
    screen: &mut Screen<'_>,
) -> Result<(), Error> {
    let mut kiosk = Kiosk { jitd, me, person, screen };
    loop {
        match kiosk.menu() {
            Ok(()) => {}
            Err(Turn::Back) => kiosk.screen.data("\n")?,
            Err(Turn::Leave(farewell)) => return kiosk.screen.data(farewell),
            Err(Turn::Broken(error)) => return Err(error),
        }
    }
}

/// Why a question was left without an answer.
enum Turn {
    /// To the menu.
    Back,
    /// Out, with a last word.
    Leave(&'static str),
    /// Nothing can be shown any more.
    Broken(Error),
}

impl From<Error> for Turn {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

struct Kiosk<'a, 's> {
    jitd: &'a dyn Jitd,
    me: Option<u32>,
    person: &'a mut dyn Person,
    screen: &'a mut Screen<'s>,
}

impl Kiosk<'_, '_> {
    fn menu(&mut self) -> Result<(), Turn> {
        let Some(status) = self.ask::<Status>(&Call::Status)? else { return self.try_again() };
        let roles = self.roles()?;
        let is_told = roles.is_some();
        let (urgent, usual): (Vec<_>, Vec<_>) =
            roles.unwrap_or_default().into_iter().partition(|role| role.emergency);

        let mut menu = format!("\nJust-in-time access to {}\n\n  1  ask for a role\n", Shown(&status.host));
        if !urgent.is_empty() {
            menu += "  2  ask in an emergency\n";
        }
        menu += "  3  my requests and windows";
        match status.active.iter().filter(|entry| self.is_mine(entry)).count() {
            0 => {}
            open => menu += &format!(" ({open} open)"),
        }
        menu += "\n  4  what waits for my review";
        if status.to_review > 0 {
            menu += &format!(" ({})", status.to_review);
        }
        menu += "\n  5  leave\n\n";
        self.tell(&menu)?;
        if !status.ready {
            self.tell(
                "jitd cannot decide or record now: nobody can log in, and nothing can be asked for.\n",
            )?;
        }
        match self.question("Choose: ")?.as_str() {
            "1" if is_told => self.request(&usual),
            "2" if !urgent.is_empty() => self.emergency(&urgent),
            "3" => self.mine(),
            "4" => self.reviews(),
            "5" | "q" => Err(Turn::Leave("")),
            // Why nothing can be asked for, the menu says again.
            "1" | "" => Ok(()),
            _ => self.tell("Please type one of the numbers of the menu.\n"),
        }
    }

    fn try_again(&mut self) -> Result<(), Turn> {
        match self.question("Press Enter to try again, or q to leave: ")?.as_str() {
            "q" => Err(Turn::Leave("")),
            _ => Ok(()),
        }
    }

    // Asking.

    /// What the person may ask for; nothing where jitd does not say, and why is told.
    fn roles(&mut self) -> Result<Option<Vec<Role>>, Turn> {
        match jitd::ask(self.jitd, &Call::Roles { user: None }) {
            Ok(roles) => Ok(Some(roles)),
            Err(failure) => {
                self.tell(&format!("{}\n", failure.message()))?;
                if matches!(failure.error, Error::Refused(_)) {
                    // By which key they came, the kiosk's sshd tells nobody.
                    self.tell("Here a key says nothing of that: nobody asks at the kiosk for an account that people share.\n")?;
                }
                Ok(None)
            }
        }
    }

    fn request(&mut self, roles: &[Role]) -> Result<(), Turn> {
        if roles.is_empty() {
            return self.tell("There is no role on this host that you may ask for.\n");
        }
        let mut table = Table::new(["NO", "ROLE", "UP TO", "OPENS", "FOR"]);
        for (number, role) in (1..).zip(roles) {
            table.row([
                format!("{number:>2}"),
                role.role.clone(),
                length(role.max_duration).to_string(),
                role.services.join(","),
                cut(role.summary.as_deref().unwrap_or_default(), TEXT_SHOWN),
            ]);
        }
        self.tell(&table.text())?;
        let Some(role) = self.pick("Which role", roles, |role| &role.role)? else { return Ok(()) };
        let name = role.role.parse::<RoleName>().map_err(garbled)?;
        let default = length(role.default_duration);
        let seconds = self.time(
            &format!("For how long, up to {} (Enter: {default}): ", length(role.max_duration)),
            role.max_duration,
        )?;
        let hint = role.reason.as_ref().map_or_else(String::new, |hint| format!(" ({})", Shown(hint)));
        let reason = self.reason(&format!("Why, in one line{hint}: "))?;
        let call = Call::Request { role: name, seconds: seconds.unwrap_or(0), start: None, reason };
        match self.ask(&call)? {
            Some(entry) => self.follow(entry),
            None => Ok(()),
        }
    }

    fn emergency(&mut self, roles: &[Role]) -> Result<(), Turn> {
        self.tell(
            "An emergency role opens at once, before anybody has approved it. It is reported at once, too,\n\
             and it has to be reviewed afterwards.\n",
        )?;
        self.request(roles)
    }

    /// Shows how a request stands, as often as the person wants to know.
    fn follow(&mut self, mut entry: Entry) -> Result<(), Turn> {
        loop {
            self.tell(&progress(&entry))?;
            if entry.state != "pending" {
                return Ok(());
            }
            if self.question("Press Enter to check again, or q for the menu: ")? == "q" {
                return Ok(());
            }
            let id = Id::Request(entry.request.parse().map_err(garbled)?);
            if let Some(now) = self.ask(&Call::Show { id })? {
                entry = now;
            }
        }
    }

    // What is the person's own.

    fn mine(&mut self) -> Result<(), Turn> {
        let Some(mut entries) = self.ask::<Vec<Entry>>(&Call::List { all: false })? else { return Ok(()) };
        entries.retain(|entry| self.is_mine(entry));
        if entries.is_empty() {
            return self.tell("Nothing is open for you, and no request of yours waits.\n");
        }
        let mut table = Table::new(["NO", "ID", "ROLE", "STATE", "UNTIL", "LEFT"]);
        for (number, entry) in (1..).zip(&entries) {
            let open = views::is_open(entry);
            table.row([
                format!("{number:>2}"),
                views::id(entry).to_owned(),
                entry.role.clone(),
                entry.state.clone(),
                entry.end.as_deref().filter(|_| open).map_or_else(|| "-".to_owned(), time),
                if open { left(entry.remaining) } else { "-".to_owned() },
            ]);
        }
        self.tell(&table.text())?;
        let Some(entry) = self.pick("Which one", &entries, |entry| views::id(entry))? else { return Ok(()) };
        self.tell(&views::entry(entry).data)?;
        match entry.state.as_str() {
            "pending" => match self.question("w withdraw it, c approve it by a code, Enter back: ")?.as_str()
            {
                "w" => self.withdraw(entry),
                "c" => self.code(entry),
                _ => Ok(()),
            },
            "active" | "spent" => {
                match self.question("d end it now, e ask for more time, Enter back: ")?.as_str() {
                    "d" => self.done(entry),
                    "e" => self.extend(entry),
                    _ => Ok(()),
                }
            }
            "scheduled" => match self.question("d give it back, Enter back: ")?.as_str() {
                "d" => self.done(entry),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn withdraw(&mut self, entry: &Entry) -> Result<(), Turn> {
        let id = entry.request.parse().map_err(garbled)?;
        self.take_back(&Call::Withdraw { id, reason: None })
    }

    /// Shows what to read out to approvers, and takes what they answer, one after the other.
    fn code(&mut self, entry: &Entry) -> Result<(), Turn> {
        let id = entry.request.parse::<RequestId>().map_err(garbled)?;
        loop {
            let Some(told) = self.ask::<Spoken>(&Call::Code { id })? else { return Ok(()) };
            self.tell(&views::spoken(&told))?;
            if let Some(why) = &told.refused {
                return self.tell(&format!("No code would count now: {}\n", Shown(why)));
            }
            let answer = self.answer("The answer, as it is read out (Enter: back): ", |text| match text {
                "" => Ok(None),
                text => Answer::parse(text).map(Some).map_err(not_counted),
            })?;
            let Some(answer) = answer else { return Ok(()) };
            if let Some(now) = self.ask::<Entry>(&Call::EnterCode { id, code: answer.plain() })? {
                self.tell(&progress(&now))?;
                if now.state != "pending" {
                    return Ok(());
                }
            }
        }
    }

    fn done(&mut self, entry: &Entry) -> Result<(), Turn> {
        let id = Id::Grant(views::id(entry).parse::<GrantId>().map_err(garbled)?);
        self.take_back(&Call::Done { id, reason: None })
    }

    fn take_back(&mut self, call: &Call) -> Result<(), Turn> {
        match self.ask::<Revoked>(call)? {
            Some(done) => self.tell(&format!("{} has ended ({}).\n", Shown(&done.id), Shown(&done.ended))),
            None => Ok(()),
        }
    }

    fn extend(&mut self, entry: &Entry) -> Result<(), Turn> {
        let id = Id::Grant(views::id(entry).parse::<GrantId>().map_err(garbled)?);
        let Some(seconds) = self.time("How much longer, such as 30m (Enter: back): ", u64::MAX)? else {
            return Ok(());
        };
        let reason = self.reason("Why, in one line: ")?;
        match self.ask(&Call::Extend { id, seconds, reason })? {
            Some(entry) => self.follow(entry),
            None => Ok(()),
        }
    }

    // What others ask for.

    fn reviews(&mut self) -> Result<(), Turn> {
        let Some(entries) = self.ask::<Vec<Entry>>(&Call::Pending)? else { return Ok(()) };
        if entries.is_empty() {
            return self.tell("Nothing waits for your review.\n");
        }
        let mut table = Table::new(["NO", "ID", "USER", "ROLE", "FOR", "REASON"]);
        for (number, entry) in (1..).zip(&entries) {
            table.row([
                format!("{number:>2}"),
                entry.request.clone(),
                entry.user.clone(),
                entry.role.clone(),
                length(entry.duration).to_string(),
                cut(&entry.reason, TEXT_SHOWN),
            ]);
        }
        self.tell(&table.text())?;
        let Some(entry) = self.pick("Which one", &entries, |entry| &entry.request)? else { return Ok(()) };
        self.tell(&views::request(entry))?;
        match self.question("a approve, d deny, Enter back: ")?.as_str() {
            "a" => {
                let narrow = Narrow { seconds: self.less(entry)?, ..Narrow::default() };
                self.review(entry, Decision::Approve, narrow, "Anything to add (Enter: no): ")
            }
            "d" => {
                self.review(entry, Decision::Deny, Narrow::default(), "Why, in one line (Enter: not said): ")
            }
            _ => Ok(()),
        }
    }

    /// The time that the reviewer leaves, in seconds, if it is less than was asked for. What is open already cannot be
    /// made shorter by a review.
    fn less(&mut self, entry: &Entry) -> Result<u64, Turn> {
        if entry.state != "pending" {
            return Ok(0);
        }
        let asked = length(entry.duration);
        let prompt = format!("For how long, up to {asked} (Enter: {asked}): ");
        Ok(self.time(&prompt, entry.duration)?.unwrap_or(0))
    }

    /// What is reviewed is what was shown: the digest says which bytes that was.
    fn review(
        &mut self,
        entry: &Entry,
        decision: Decision,
        narrow: Narrow,
        question: &str,
    ) -> Result<(), Turn> {
        let id = entry.request.parse::<RequestId>().map_err(garbled)?;
        let note = self.answer(question, |text| match text {
            "" => Ok(None),
            text => text.parse::<Reason>().map(Some).map_err(|why| why.to_string()),
        })?;
        let call = Call::Review { id, digest: entry.digest.clone(), decision, narrow, note };
        match self.ask::<Entry>(&call)? {
            Some(now) => {
                let done = match decision {
                    Decision::Approve => "Approved",
                    Decision::Deny => "Denied",
                };
                self.tell(&format!("{done}. {}", progress(&now)))
            }
            None => Ok(()),
        }
    }

    // The dialogue.

    fn tell(&mut self, text: &str) -> Result<(), Turn> {
        Ok(self.screen.data(text)?)
    }

    /// Asks jitd. What goes wrong is told, and is no reason to send the person away.
    fn ask<T: DeserializeOwned>(&mut self, call: &Call) -> Result<Option<T>, Turn> {
        match jitd::ask(self.jitd, call) {
            Ok(value) => Ok(Some(value)),
            Err(failure) => {
                self.tell(&format!("{}\n", failure.message()))?;
                Ok(None)
            }
        }
    }

    /// One line of the person's, without white space round it.
    fn question(&mut self, prompt: &str) -> Result<String, Turn> {
        loop {
            self.tell(prompt)?;
            match self.person.hear() {
                Heard::Line(text) => return Ok(text.trim().to_owned()),
                Heard::Unusable(why) => self.tell(&format!("That cannot be used: {why}.\n"))?,
                Heard::Interrupted => return Err(Turn::Back),
                Heard::Silence => return Err(Turn::Leave("\nNothing was typed for 10 minutes. Goodbye.\n")),
                Heard::Gone => return Err(Turn::Leave("\n")),
            }
        }
    }

    /// Asks until the answer is one; why it is none is told.
    fn answer<T>(&mut self, prompt: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T, Turn> {
        loop {
            match read(&self.question(prompt)?) {
                Ok(answer) => return Ok(answer),
                Err(why) => self.tell(&format!("{}.\n", Shown(&why)))?,
            }
        }
    }

    /// One of those that were shown under numbers, by its number or name.
    fn pick<'t, T>(
        &mut self,
        question: &str,
        from: &'t [T],
        name: impl Fn(&T) -> &str,
    ) -> Result<Option<&'t T>, Turn> {
        self.answer(&format!("{question} (number; Enter: back): "), |text| {
            if text.is_empty() {
                return Ok(None);
            }
            let numbered = text.parse::<usize>().ok().and_then(|number| from.get(number.checked_sub(1)?));
            let named = || from.iter().find(|one| name(one) == text);
            let found = numbered.or_else(named);
            found
                .map(Some)
                .ok_or_else(|| format!("That is not one of them; type a number from 1 to {}", from.len()))
        })
    }

    /// A duration in seconds; none where nothing was typed.
    fn time(&mut self, prompt: &str, most: u64) -> Result<Option<u64>, Turn> {
        self.answer(prompt, |text| {
            if text.is_empty() {
                return Ok(None);
            }
            match parse_duration(text).map(|time| time.as_secs()) {
                Ok(seconds) if seconds <= most => Ok(Some(seconds)),
                Ok(_) => Err(format!("That is longer than {}", length(most))),
                Err(why) => Err(why.to_string()),
            }
        })
    }

    fn reason(&mut self, prompt: &str) -> Result<Reason, Turn> {
        self.answer(prompt, |text| text.parse::<Reason>().map_err(|why| why.to_string()))
    }

    fn is_mine(&self, entry: &Entry) -> bool {
        self.me.is_none_or(|me| entry.uid == me)
    }
}

/// How a request stands, on a line of its own.
fn progress(entry: &Entry) -> String {
    format!("{}\n", views::progress(entry))
}

fn garbled(why: impl ToString) -> Error {
    Error::Garbled(why.to_string())
}

#[cfg(test)]
mod tests;
