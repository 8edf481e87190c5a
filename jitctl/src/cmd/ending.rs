//! What `revoke`, `withdraw` and `done` have in common: each ends some windows or requests, one call for each.

use jit_proto::manager::{Entry, Refused, Revoked};
use jit_proto::text::Shown;
use serde::Serialize;

use super::which::Which;
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{self, Outcome};
use crate::screen::Screen;
use crate::values::Id;
use crate::views;

/// How a command ends something.
pub(super) struct Ending<'a> {
    /// The command, as it is typed.
    pub(super) verb: &'static str,
    /// `Revoke`, in a question.
    pub(super) question: &'static str,
    /// `Revoked`, once it is done.
    pub(super) done: &'static str,
    /// The call that ends this one.
    pub(super) call: &'a dyn Fn(Id) -> Call,
    /// Whether it can end this one.
    pub(super) is_for: &'a dyn Fn(&Entry) -> bool,
}

/// What came of one of them. The fields are those of the JSON in jitctl(1).
#[derive(Debug, Serialize)]
struct Done {
    /// As it was named.
    id: String,
    /// How it ended; also where it had ended before, which is the state that was wanted.
    ended: Option<Revoked>,
    /// Why it was not ended.
    error: Option<Refused>,
}

impl Ending<'_> {
    /// Ends those that are meant.
    pub(super) fn run(
        &self,
        which: &Which,
        json: bool,
        jitd: &dyn Jitd,
        screen: &mut Screen<'_>,
    ) -> Result<Outcome, Failure> {
        which.check(self.verb, screen)?;
        if !which.is_selector() {
            return self.end(&which.ids, json, jitd, screen);
        }
        let listed: Vec<Entry> = jitd::ask(jitd, &Call::List { all: false })?;
        let picked: Vec<&Entry> =
            listed.iter().filter(|entry| (self.is_for)(entry) && which.selects(entry)).collect();
        if picked.is_empty() {
            screen.say("There is none of those; see: jitctl list");
            if json {
                screen.data("[]\n")?;
            }
            return Ok(Outcome::No);
        }
        screen.say(views::table(picked.iter().copied(), screen.terminal).trim_end());
        if !which.is_meant(&format!("{} {} of them?", self.question, picked.len()), screen) {
            screen.say("Nothing was ended.");
            return Ok(Outcome::No);
        }
        let ids = picked.into_iter().map(|entry| {
            let id = views::id(entry);
            id.parse().map_err(|_| Error::Garbled(format!("{} is no id", Shown(id))))
        });
        let ids: Vec<Id> = ids.collect::<Result<_, _>>()?;
        self.end(&ids, json, jitd, screen)
    }

    /// Ends these. A jitd that does not answer ends the command: the next would fare no better.
    pub(super) fn end(
        &self,
        ids: &[Id],
        json: bool,
        jitd: &dyn Jitd,
        screen: &mut Screen<'_>,
    ) -> Result<Outcome, Failure> {
        let mut all = Vec::new();
        for id in ids {
            let answer = jitd::ask::<Revoked>(jitd, &(self.call)(*id));
            let (ended, error) = match answer {
                Ok(ended) => (Some(ended), None),
                Err(failure) if ids.len() > 1 && !failure.is_silence() => {
                    (None, Some(failure.error.refused()))
                }
                // What was ended before is told in either form.
                Err(failure) => {
                    if json && !all.is_empty() {
                        screen.data(&output::json(&all)?)?;
                    }
                    return Err(failure);
                }
            };
            let done = Done { id: id.to_string(), ended, error };
            if let Some(why) = &done.error {
                screen.say(&format!("jitctl: {}: {}", done.id, why.text));
            }
            if let Some(ended) = done.ended.as_ref().filter(|_| !json) {
                screen.data(&self.told(ended))?;
            }
            all.push(done);
        }
        if json {
            screen.data(&output::json(&all)?)?;
        }
        Ok(if all.iter().all(|done| done.error.is_none()) { Outcome::Yes } else { Outcome::No })
    }

    fn told(&self, ended: &Revoked) -> String {
        let (id, how) = (Shown(&ended.id), Shown(&ended.ended));
        if ended.changed {
            return format!("{} {id}.\n", self.done);
        }
        format!("{id} had already ended ({how}). Nothing was changed.\n")
    }
}

#[cfg(test)]
mod tests {
    use jit_proto::manager::Revoked;

    use crate::call::Call;
    use crate::error::{Error, Sent};
    use crate::testing::*;

    fn revoke(id: &str) -> Call {
        Call::Revoke { id: id.parse().unwrap(), reason: Some("over".parse().unwrap()) }
    }

    fn revoked(id: &str) -> Revoked {
        Revoked { id: id.into(), state: "ended".into(), ended: "revoked".into(), changed: true }
    }

    const LIST: Call = Call::List { all: false };

    #[test]
    fn several_are_ended_and_what_is_not_is_said_and_stops_no_other() {
        let script = || {
            Script::answers(revoke("g-4k7m2qx9"), &revoked("g-4k7m2qx9"))
                .then(Script::fails(
                    revoke("g-00000001"),
                    Error::NotFound("there is no request or grant g-00000001".into()),
                ))
                .then(Script::answers(revoke("r-7hq2m9xk"), &revoked("r-7hq2m9xk")))
        };
        let args = ["revoke", "g-4k7m2qx9", "g-00000001", "r-7hq2m9xk", "--reason", "over"];
        let why = "jitctl: g-00000001: not found: there is no request or grant g-00000001\n";
        assert_eq!(jitctl(&args, &script()), Ran::new(1, "Revoked g-4k7m2qx9.\nRevoked r-7hq2m9xk.\n", why));
        let ran = jitctl(&[&args[..], &["--json"]].concat(), &script());
        let all: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((ran.code, all.as_array().unwrap().len()), (1, 3));
        assert_eq!(all[0]["ended"], serde_json::to_value(revoked("g-4k7m2qx9")).unwrap());
        assert_eq!(
            (&all[1]["error"]["code"], &all[1]["ended"]),
            (&"not-found".into(), &serde_json::Value::Null)
        );
    }

    #[test]
    fn a_jitd_that_goes_away_ends_the_command_and_what_was_done_before_is_told() {
        let gone = Error::Broken { why: "gone".into(), sent: Sent::Perhaps };
        let script = Script::answers(revoke("g-4k7m2qx9"), &revoked("g-4k7m2qx9"))
            .then(Script::fails(revoke("g-00000001"), gone));
        let args = ["revoke", "g-4k7m2qx9", "g-00000001", "g-00000002", "--reason", "over", "--json"];
        let ran = jitctl(&args, &script);
        assert_eq!(ran.code, 3);
        assert!(ran.out.contains("g-4k7m2qx9") && ran.err.contains("is unknown"), "{ran:?}");
    }

    #[test]
    fn those_of_a_person_or_a_role_are_shown_and_ended_once_somebody_has_said_yes() {
        let toms = || waiting();
        let script = || Script::answers(LIST, &[active(), toms(), ended()]);
        let args = ["revoke", "--user", "tom", "--reason", "over"];
        let yes = script().then(Script::answers(revoke("r-7hq2m9xk"), &revoked("r-7hq2m9xk")));
        let ran = jitctl_typing(&args, &yes, &["y"]);
        assert_eq!((ran.code, ran.out.as_str()), (0, "Revoked r-7hq2m9xk.\n"));
        assert!(
            ran.err.contains("r-7hq2m9xk  tom") && ran.err.ends_with("Revoke 1 of them? [y/N] "),
            "{}",
            ran.err
        );
        let ran = jitctl_typing(&args, &script(), &["n"]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        assert!(ran.err.ends_with("Nothing was ended.\n"), "{}", ran.err);
        // Where nobody can be asked, nothing is even looked at.
        let ran = jitctl(&args, &Nobody);
        assert!(ran.code == 2 && ran.err.contains("add --yes"), "{}", ran.err);
        let both = script()
            .then(Script::answers(revoke("g-4k7m2qx9"), &revoked("g-4k7m2qx9")))
            .then(Script::answers(revoke("r-7hq2m9xk"), &revoked("r-7hq2m9xk")));
        let ran = jitctl(&["revoke", "--role", "db-oncall", "--yes", "--reason", "over"], &both);
        assert_eq!(ran.out, "Revoked g-4k7m2qx9.\nRevoked r-7hq2m9xk.\n");
    }

    #[test]
    fn of_none_that_are_meant_nothing_is_ended_and_that_is_no_yes() {
        let ran = jitctl(&["revoke", "--user", "nina", "--yes"], &Script::answers(LIST, &[active()]));
        assert_eq!(ran, Ran::new(1, "", "There is none of those; see: jitctl list\n"));
        let ran = jitctl(&["revoke"], &Nobody);
        assert!(ran.code == 2 && ran.err.contains("jitctl revoke ID"), "{}", ran.err);
    }

    #[test]
    fn one_withdraws_and_ends_ones_own_alone_and_each_where_it_is_due() {
        let theirs = jit_proto::manager::Entry { uid: 1001, ..pending() };
        let own = || Script::answers(LIST, &[active(), pending(), theirs.clone()]);
        let withdraw = Call::Withdraw { id: "r-4k7m2qx9".parse().unwrap(), reason: None };
        let ran = jitctl(
            &["withdraw", "--all", "--yes"],
            &own().then(Script::answers(withdraw, &revoked("r-4k7m2qx9"))),
        );
        assert_eq!((ran.code, ran.out.as_str()), (0, "Withdrew r-4k7m2qx9.\n"));
        let done = Call::Done { id: "g-4k7m2qx9".parse().unwrap(), reason: None };
        let ran =
            jitctl(&["done", "--all", "--yes"], &own().then(Script::answers(done, &revoked("g-4k7m2qx9"))));
        assert_eq!((ran.code, ran.out.as_str()), (0, "Ended g-4k7m2qx9.\n"));
    }
}
