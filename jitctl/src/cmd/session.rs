//! `jitctl session`: lists the open sessions, and ends one.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Subcommand;
use jit_proto::manager::Session;
use jit_proto::text::Shown;
use jit_proto::words::{BadWord, Reason, UserName};

use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{self, Outcome, View};
use crate::prompts;
use crate::screen::Screen;
use crate::table::Table;
use crate::times::{brief, left, time};
use crate::views::plural;

/// What [`Session::state`] says where its end does not reach it.
const GOES_ON: &str = "goes-on";

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List who is in now, by which window, and until when
    ///
    /// Admins and auditors see everybody's, others their own.
    List,
    /// End one session now, or all of somebody's
    ///
    /// Anybody may end their own; admins anybody's. The window stays open, and lets its holder in again until its
    /// end: to keep somebody out, revoke it. Those of a person are shown first, and it is asked.
    End {
        /// The session's number, as 'jitctl session list' shows it, or a person
        #[arg(value_name = "ID|USER")]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Why; one line, kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<Reason>,
    },
}

pub(crate) fn run(
    verb: &Verb,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    match verb {
        Verb::List => {
            let terminal = screen.terminal;
            jitd::show(jitd, &Call::Sessions, json, screen, |all: &Vec<Session>| list(all, terminal))
        }
        Verb::End { which: Which::Session(id), reason, .. } => {
            let call = Call::EndSession { id: *id, reason: reason.clone() };
            jitd::show(jitd, &call, json, screen, ended)
        }
        Verb::End { which: Which::Of(user), yes, reason } => {
            if !yes && !screen.can_ask() {
                let text = "there is no terminal to ask on\nhint: name a session by its number, or add --yes";
                return Err(Error::Usage(text.to_owned()).into());
            }
            end_all(user, *yes, reason.as_ref(), json, jitd, screen)
        }
    }
}

/// What is to be ended. No account is called by a number alone that a session could have (useradd(8)).
#[derive(Clone, Debug)]
pub(crate) enum Which {
    Session(u64),
    Of(UserName),
}

impl FromStr for Which {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        text.parse().map(Self::Session).or_else(|_| text.parse().map(Self::Of))
    }
}

/// Ends whatever is open of somebody, as of now.
fn end_all(
    user: &UserName,
    yes: bool,
    reason: Option<&Reason>,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let mut open: Vec<Session> = jitd::ask(jitd, &Call::Sessions)?;
    open.retain(|session| session.user == user.as_str());
    if open.is_empty() {
        return Err(Error::NotFound(format!("{user} has no session; see: jitctl session list")).into());
    }
    screen.say(table(&open, true).trim_end());
    let question = format!("End {}?", plural(open.len(), "session"));
    if !yes && !prompts::yes(screen, &question, false) {
        screen.say("Nothing was ended.");
        return Ok(Outcome::No);
    }
    let mut all: Vec<Session> = Vec::new();
    let mut outcome = Outcome::Yes;
    for session in open {
        let call = Call::EndSession { id: session.id, reason: reason.cloned() };
        match jitd::ask::<Session>(jitd, &call) {
            Ok(session) => {
                let view = ended(&session);
                if view.outcome == Outcome::No {
                    outcome = Outcome::No;
                }
                view.said.iter().for_each(|line| screen.say(line));
                if json {
                    all.push(session);
                } else {
                    screen.data(&view.data)?;
                }
            }
            // It ended by itself meanwhile.
            Err(failure) if matches!(failure.error, Error::NotFound(_)) => {}
            Err(failure) => {
                if json {
                    screen.data(&output::json(&all)?)?;
                }
                return Err(failure);
            }
        }
    }
    if json {
        screen.data(&output::json(&all)?)?;
    }
    Ok(outcome)
}

/// One row for each.
pub(super) fn table(sessions: &[Session], terminal: bool) -> String {
    let mut table = Table::new(["ID", "USER", "SERVICE", "TTY", "GRANT", "STATE", "UNTIL", "LEFT", "FROM"]);
    for session in sessions {
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        table.row([
            session.id.to_string(),
            match &session.target {
                Some(target) => format!("{} as {target}", user(session)),
                None => user(session),
            },
            session.service.clone(),
            or_dash(&session.tty),
            session.grant.clone(),
            match &session.ended {
                Some(why) => format!("{} ({why})", session.state),
                None => session.state.clone(),
            },
            session.until.as_deref().map_or_else(|| "-".to_owned(), if terminal { brief } else { time }),
            left(session.remaining),
            or_dash(&session.from),
        ]);
    }
    if terminal { table.for_eyes() } else { table.text() }
}

fn list(sessions: &[Session], terminal: bool) -> View {
    if sessions.is_empty() {
        return View { said: vec!["Nobody is in by a window.".to_owned()], ..View::yes(String::new()) };
    }
    let by_key = sessions.iter().filter(|session| !session.keys.is_empty());
    let by_key = by_key.map(|one| format!("{} came in by {}\n", one.id, Shown(&one.keys.join(", "))));
    let text = [table(sessions, terminal)].into_iter().chain(by_key).collect();
    let mut view = View::yes(text);
    let goes_on = |session: &&Session| session.state == GOES_ON;
    view.said.extend(sessions.iter().filter(goes_on).map(|one| format!("jitctl: {}", in_process(one))));
    let unbound = sessions.iter().filter(|session| !session.enforced && !goes_on(session)).count();
    if unbound > 0 {
        view.said.push(format!(
            "jitctl: of {unbound} of them it is not known where they run: they may outlive their end"
        ));
    }
    let before: BTreeMap<&str, &str> =
        sessions.iter().filter_map(|one| Some((one.user.as_str(), one.before.as_deref()?))).collect();
    for (user, what) in before {
        let what = match what {
            "lingers" => {
                "lingers: their manager, and what it ran before they came, stays when their window ends"
            }
            _ => "ran something before they came, which stays when their window ends",
        };
        view.said.push(format!("jitctl: {} {what}", Shown(user)));
    }
    view
}

/// Where it goes on though its end has come, and what ends it.
fn in_process(session: &Session) -> String {
    let process = session.process.map_or_else(String::new, |pid| format!(" {pid}"));
    format!(
        "session {} of {} ({}) may go on: its process{process} serves others, too, and is not ended; restart its service to \
         end it for all of them",
        session.id,
        Shown(&user(session)),
        Shown(&session.service)
    )
}

fn ended(session: &Session) -> View {
    if session.state == GOES_ON {
        let said = vec![format!("jitctl: {}", in_process(session))];
        return View { data: String::new(), said, outcome: Outcome::No };
    }
    View::yes(format!(
        "Session {} of {} ({}) is being ended; {} stays open.\n",
        session.id,
        Shown(&user(session)),
        Shown(&session.service),
        Shown(&session.grant)
    ))
}

/// The account, and who that is where people share it.
fn user(session: &Session) -> String {
    let person = session.person.as_ref();
    person.map_or_else(|| session.user.clone(), |person| format!("{} ({person})", session.user))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testing::{Nobody, Ran, Script, jitctl, jitctl_typing};

    pub(crate) fn session() -> Session {
        Session {
            id: 17,
            user: "maria".into(),
            uid: Some(1001),
            service: "sudo".into(),
            target: Some("root".into()),
            from: String::new(),
            tty: "pts/3\u{1b}".into(),
            grant: "g-4k7m2qx9".into(),
            role: Some("db-oncall".into()),
            since: "2026-11-23T06:50:00Z".into(),
            until: Some("2026-11-23T08:50:00Z".into()),
            remaining: 7200,
            state: "ending".into(),
            ended: Some("ordered".into()),
            unit: None,
            enforced: false,
            process: None,
            audit: None,
            keys: Vec::new(),
            person: None,
            before: None,
        }
    }

    #[test]
    fn the_list_says_by_which_key_somebody_came_in() {
        let by_key = Session { id: 18, keys: vec!["SHA256:abc (kim\u{202e}, serial 4)".into()], ..session() };
        let script = Script::answers(Call::Sessions, &[session(), by_key]);
        let ran = jitctl(&["session", "list"], &script);
        assert!(ran.out.ends_with("\n18 came in by SHA256:abc (kim\\u{202e}, serial 4)\n"), "{}", ran.out);
        assert!(!ran.out.contains("17 came in"), "{}", ran.out);
    }

    #[test]
    fn the_list_says_who_is_who_until_when_and_whose_end_is_not_certain() {
        let script = Script::answers(Call::Sessions, &[session()]);
        let expected = Ran::new(
            0,
            "ID  USER           SERVICE  TTY          GRANT       STATE             UNTIL                 LEFT  FROM\n\
             17  maria as root  sudo     pts/3\\u{1b}  g-4k7m2qx9  ending (ordered)  2026-11-23 08:50:00Z  2h    -\n",
            "jitctl: of 1 of them it is not known where they run: they may outlive their end\n",
        );
        assert_eq!(jitctl(&["session", "list"], &script), expected);
    }

    #[test]
    fn who_may_go_on_after_the_end_in_a_process_of_others_is_listed_and_no_order_is_said_to_end_them() {
        let (state, ended, process) = ("goes-on".into(), Some("revoked".into()), Some(229));
        let until = None;
        let session = Session { state, ended, process, until, target: None, remaining: 0, ..session() };
        let ran =
            jitctl(&["session", "list"], &Script::answers(Call::Sessions, std::slice::from_ref(&session)));
        let said = "jitctl: session 17 of maria (sudo) may go on: its process 229 serves others, too, and is not ended; \
                    restart its service to end it for all of them\n";
        assert!(ran.out.contains("goes-on (revoked)  -  "), "{}", ran.out);
        assert_eq!((ran.code, ran.err.as_str()), (0, said));
        let end = || Script::answers(Call::EndSession { id: 17, reason: None }, &session);
        assert_eq!(jitctl(&["session", "end", "17"], &end()), Ran::new(1, "", said));
        let both = Script::answers(Call::Sessions, std::slice::from_ref(&session)).then(end());
        let ran = jitctl(&["session", "end", "maria", "--yes"], &both);
        assert!(ran.code == 1 && ran.err.ends_with(said), "{}", ran.err);
    }

    #[test]
    fn what_stays_of_somebody_is_said_once() {
        let with = |id| Session { id, enforced: true, before: Some("lingers".into()), ..session() };
        let script = Script::answers(Call::Sessions, &[with(17), with(18)]);
        let said = jitctl(&["session", "list"], &script).err;
        let expected = "jitctl: maria lingers: their manager, and what it ran before they came, stays when their window \
                        ends\n";
        assert_eq!(said, expected);
    }

    #[test]
    fn with_nobody_in_the_list_is_empty_and_says_so() {
        let script = Script::answers(Call::Sessions, &Vec::<Session>::new());
        assert_eq!(jitctl(&["session", "list"], &script), Ran::new(0, "", "Nobody is in by a window.\n"));
    }

    #[test]
    fn all_sessions_of_a_person_are_shown_and_ended_once_somebody_has_said_yes() {
        let toms = Session { id: 18, user: "tom".into(), ..session() };
        let more = Session { id: 19, ..session() };
        let listed = || Script::answers(Call::Sessions, &[session(), toms.clone(), more.clone()]);
        let end = |one: &Session| Script::answers(Call::EndSession { id: one.id, reason: None }, one);
        let both = || listed().then(end(&session())).then(end(&more));
        let ran = jitctl_typing(&["session", "end", "maria"], &both(), &["y"]);
        assert_eq!((ran.code, ran.out.lines().count()), (0, 2), "{}", ran.out);
        assert!(ran.err.ends_with("End 2 sessions? [y/N] ") && !ran.err.contains("tom"), "{}", ran.err);
        let ran = jitctl_typing(&["session", "end", "maria"], &listed(), &["n"]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        let ran = jitctl(&["session", "end", "maria"], &Nobody);
        assert!(ran.code == 2 && ran.err.contains("add --yes"), "{}", ran.err);
        let ran = jitctl(&["session", "end", "maria", "--yes", "--json"], &both());
        assert_eq!(serde_json::from_str::<Vec<Session>>(&ran.out).unwrap(), [session(), more.clone()]);
        let ran = jitctl(&["session", "end", "nina", "--yes"], &listed());
        assert!(ran.err.contains("nina has no session"), "{}", ran.err);
    }

    #[test]
    fn ending_a_session_says_that_the_window_stays_open() {
        let reason = "left open".parse().ok();
        let script = Script::answers(Call::EndSession { id: 17, reason }, &session());
        let said = "Session 17 of maria (sudo) is being ended; g-4k7m2qx9 stays open.\n";
        assert_eq!(
            jitctl(&["session", "end", "17", "--reason", "left open"], &script),
            Ran::new(0, said, "")
        );
    }
}
