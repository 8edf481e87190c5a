//! What is left of a person when a window of theirs is over and its sessions are gone: all of it goes, if nothing else
//! covers them, and the record says what is left.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jit_core::event::Event;
use jit_core::model::{Due, EndRun, Session, Termination};
use jit_core::policy::AtEnd;
use jit_core::sessions::coverage::{self, Cover};
use jit_core::sessions::termination::{self, AskedEnd};
use jit_host::facts::{asks_jitd, lingers};
use jit_proto::words::{ServiceName, Uid, UserName};

use super::ends::{by_systemd, is_for_systemd, one_by_one, report};
use super::follower::{Follower, Seen, is_awaited};
use super::pace::{OFTEN, SELDOM};
use super::processes::{self, Process};
use super::programs;
use super::record::record;
use super::systemd::{self, Order};
use super::whose::{Sort, Sorted};
use super::{cgroups, logins};
use crate::app::App;
use crate::clock::since_boot;

/// How long what does not die is tried again before the record names it.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(30);

/// More processes, sessions or logins than this are not named in a record.
const MOST_NAMED: usize = 16;

/// What a window's end came to.
#[derive(Default)]
struct Outcome {
    left: Vec<String>,
    spared: Option<String>,
    stays: Vec<String>,
    /// Why something may have got away by what was spared.
    ways: Vec<&'static str>,
}

impl Outcome {
    fn spared(why: impl Into<String>) -> Self {
        Self { spared: Some(why.into()), ..Self::default() }
    }
}

impl Follower {
    /// Carries the end of a window on: when its sessions are gone, what else is left of its person. Says when to look
    /// again.
    pub(super) async fn sweep(&mut self, ending: &Termination, all: &[Process], seen: &Seen) -> Duration {
        // Who ends a session looks again when it is gone.
        const WITH_ITS_SESSIONS: Duration = SELDOM;

        let own = |session: &&Session| session.grant == ending.grant || ending.sessions.contains(&session.id);
        let (shared, own): (Vec<&Session>, Vec<&Session>) =
            seen.sessions.iter().filter(own).partition(|session| session.goes_on());
        let sessions_left = !own.is_empty();
        let facts = self.app.desk.look(|here| {
            let known = self.people.of(&ending.user, ending.uid);
            let terms = termination::terms(here, ending, &known);
            let stay = here.state.stay(ending.uid).cloned();
            let asked = termination::asked_ends(here, ending);
            (coverage::cover(here, ending, &known), terms, termination::at_end(here, ending), stay, asked)
        });
        let Ok((cover, terms, at_end, stay, asked)) = facts else { return SELDOM };
        // That a program still runs keeps nothing else from its end.
        let asked = self.end_asked(ending, asked, terms.due(seen.now.since(&ending.at))).await;
        let app = Arc::clone(&self.app);
        let finish = |outcome| match &asked {
            Ok(asked) => {
                record(&app, ended(ending, at_end, outcome, (asked, &shared)));
                programs::forget(ending, &asked.runs);
                Duration::ZERO
            }
            Err(wait) => *wait,
        };
        if !systemd::is_there() {
            return finish(Outcome::spared("ends are not enforced without systemd"));
        }
        match cover {
            // People are asked about on a task of their own, which rings.
            Cover::Unknown => return SELDOM,
            Cover::Holds if sessions_left => return WITH_ITS_SESSIONS,
            Cover::Holds if ending.uid.is_root() => return finish(Outcome::spared("root's other processes")),
            Cover::Holds => return finish(Outcome::spared("covered otherwise")),
            Cover::None => {}
        }
        let theirs = |session: &&Session| session.login.uid == Some(ending.uid);
        // A session that has just begun to end may be in a scope that is not known yet.
        let comes = self.app.awaiting.may_bring(ending.uid);
        if comes || seen.sessions.iter().filter(theirs).any(is_awaited) {
            return OFTEN;
        }
        let Some(stay) = stay else {
            // Nobody has come in by it.
            return if sessions_left { WITH_ITS_SESSIONS } else { finish(Outcome::default()) };
        };
        let audits = stay.audits.iter().copied().collect();
        let sort =
            Sort { uid: ending.uid, stay: &stay, audits, sessions: &seen.sessions, all, now: &seen.now };
        let found = Found::of(&sort, ending);
        let lingers = !stay.lingered && !found.sorted.is_shared() && lingers(&ending.user);
        let runs = found.runs();
        if !runs && !lingers && !sessions_left {
            return finish(found.outcome(&sort, ending));
        }
        let done = self.endings.entry(ending.grant).or_default();
        let now = since_boot();
        let after = seen.now.since(&ending.at);
        let due = terms.due(after);
        if let Due::Nothing { next } = due {
            return next;
        }
        let since = *done.since.get_or_insert(now);
        if now.saturating_sub(since) > terms.kill.saturating_sub(terms.term) + GIVEN_UP_AFTER {
            return finish(found.given_up(&sort, ending, own.into_iter()));
        }
        if lingers && now >= done.linger_at {
            done.linger_at = now + OFTEN * 10;
            report(self.app.systemd.do_not_linger(ending.uid).await, "linger");
        }
        if !runs {
            return OFTEN * 5;
        }
        let order = if done.term && due == Due::Kill { Order::Kill } else { Order::Term };
        if order == Order::Kill || !done.term {
            done.term = true;
            found.end(&self.app, order).await;
        }
        match due {
            Due::Kill if order == Order::Term => OFTEN * 3,
            Due::Kill => OFTEN,
            Due::Term { next } | Due::Nothing { next } => next.min((after / 10).clamp(OFTEN, OFTEN * 50)),
        }
    }
}

/// What became of logins that a program asked for that is not root.
#[derive(Default)]
struct Asked {
    runs: Vec<EndRun>,
    /// What another window holds.
    held: Vec<String>,
    /// Where nothing ended them, or it is not known that something did.
    open: Vec<ServiceName>,
}

impl Follower {
    /// Has a site's programs end what a program asked for that is not root; while that is not done, when to look again.
    async fn end_asked(
        &mut self,
        ending: &Termination,
        ends: Vec<(ServiceName, AskedEnd)>,
        due: Due,
    ) -> Result<Asked, Duration> {
        if ends.is_empty() {
            return Ok(Asked::default());
        }
        if let Due::Nothing { next } = due {
            return Err(next);
        }
        let app = Arc::clone(&self.app);
        let kept = &mut self.endings.entry(ending.grant).or_default().programs;
        let Some(runs) = programs::carry_on(&app, ending, &ends, kept).await else { return Err(OFTEN * 3) };
        let is_done =
            |service: &ServiceName| runs.iter().any(|run| run.service == *service && run.status == Some(0));
        let mut asked = Asked::default();
        for (service, end) in ends {
            match end {
                AskedEnd::Held(grant) => asked.held.push(format!("logins at {service} go on by {grant}")),
                AskedEnd::Program(_) if is_done(&service) => {}
                AskedEnd::Program(_) | AskedEnd::Nothing => asked.open.push(service),
            }
        }
        Ok(Asked { runs, ..asked })
    }
}

/// Whether something of a person is left, as far as that is seen at a glance: in their slice, or when the machine starts.
pub(super) fn has_left(user: &UserName, uid: Uid) -> bool {
    cgroups::runs_under(uid) || lingers(user)
}

/// What is found of a person when a window of theirs is over.
struct Found<'p> {
    uid: Uid,
    sorted: Sorted<'p>,
    /// Nothing else is in the person's slice: it can go as a whole.
    whole: bool,
    /// The control groups in which nothing but what goes runs, seen or not.
    groups: BTreeSet<String>,
}

impl<'p> Found<'p> {
    fn of(sort: &Sort<'p>, ending: &Termination) -> Self {
        let sorted = sort.run(logins::of);
        let uid = ending.uid;
        // What forks fast enough is in the slice and is not seen there.
        let other = |session: &Session| {
            session.login.uid != Some(uid) && session.login.target.as_ref() == Some(&ending.user)
        };
        let is_shared = sort.sessions.iter().any(other);
        let whole = !is_shared && !sorted.spares_in_slice_of(uid);
        let going: HashSet<_> = sorted.window.iter().map(|process| process.id).collect();
        // Around what stays.
        let kept = sort.all.iter().filter(|process| !going.contains(&process.id));
        let kept: HashSet<&str> = kept.flat_map(|process| process.group().with_those_around_it()).collect();
        let is_free = |group: &String| !kept.contains(group.as_str());
        let seen = sorted.window.iter().map(|process| process.group().path().to_owned());
        let seen = seen.filter(|group| group.starts_with("/user.slice/user-"));
        let unseen = if is_shared || sorted.is_shared() { Vec::new() } else { cgroups::running_under(uid) };
        let groups = seen.chain(unseen).filter(is_free).collect();
        Self { uid, sorted, whole, groups }
    }

    /// Whether something runs that has to go.
    fn runs(&self) -> bool {
        let unseen = if self.whole { cgroups::runs_under(self.uid) } else { !self.groups.is_empty() };
        unseen || !self.sorted.window.is_empty()
    }

    /// Ends what goes: one by one and, to kill what forks meanwhile, by the control group.
    async fn end(&self, app: &App, order: Order) {
        let (uid, slice) = (self.uid, format!("user-{}.slice", self.uid));
        let manager = format!("/user.slice/{slice}/user@{uid}.service/");
        if order == Order::Term
            && !self.sorted.kept().any(|process| process.group().path().starts_with(&manager))
        {
            // Else it would start again what is ended.
            report(app.systemd.stop(&format!("user@{uid}.service")).await, "the user's manager");
        }
        if self.whole {
            let by_kernel = order == Order::Kill && cgroups::kill_under(uid);
            if !by_kernel && is_for_systemd(order) {
                by_systemd(app, &slice, order).await;
            }
        }
        if order == Order::Kill {
            for group in &self.groups {
                // Where the kernel cannot, one by one has to do.
                cgroups::kill_group(group);
            }
        }
        one_by_one(self.sorted.window.iter().copied(), order).await;
    }

    /// What there is to say where what goes does not: what was to be ended, and the sessions.
    fn given_up<'s>(
        &self,
        sort: &Sort<'_>,
        ending: &Termination,
        sessions: impl Iterator<Item = &'s Session>,
    ) -> Outcome {
        let mut left = names(self.sorted.window.iter().copied());
        if left.is_empty() && self.runs() {
            left.push(format!("something in user-{}.slice", ending.uid));
        }
        left.extend(sessions.take(MOST_NAMED).map(|session| format!("session {}", session.id)));
        Outcome { left, ..self.outcome(sort, ending) }
    }

    /// What there is to say of what stays.
    fn outcome(&self, sort: &Sort<'_>, ending: &Termination) -> Outcome {
        let Sorted { before, since, outside, .. } = &self.sorted;
        // What the host runs as the same user is not theirs, and is named all the same.
        let of_host = sort.all.iter().filter(|process| process.runs_as(self.uid) && !process.is_of(self.uid));
        let with = |processes: &[&Process], why: &str| {
            names(processes.iter().copied())
                .into_iter()
                .map(|name| format!("{name} ({why})"))
                .collect::<Vec<_>>()
        };
        let mut stays = Vec::new();
        let manager = format!("user@{}.service", self.uid);
        let is_manager = |process: &&Process| process.unit_name() == Some(&manager);
        if sort.stay.lingered && lingers(&ending.user) {
            stays.push("their manager lingers as it did before".to_owned());
        }
        stays.extend(with(before, "ran before they came"));
        stays.extend(with(since, "started since, by what ran before"));
        stays.extend(with(&of_host.collect::<Vec<_>>(), "a service of the host's"));
        let mut ways = Vec::new();
        if before.iter().any(is_manager) {
            ways.push("their manager ran before: what it was told to start later is not looked for");
        }
        if !since.is_empty() {
            ways.push("what ran before has started things since");
        }
        let mut logins: Vec<&str> = outside.keys().take(MOST_NAMED).map(|unit| unit.as_str()).collect();
        if outside.len() > logins.len() {
            logins.push("more of their kind");
        }
        let spared = (!logins.is_empty())
            .then(|| format!("{}, a login that jitd did not admit", logins.join(" and ")));
        Outcome { left: Vec::new(), spared, stays, ways }
    }
}

/// The record of an end that has been carried through.
fn ended(
    ending: &Termination,
    at_end: Option<AtEnd>,
    outcome: Outcome,
    (asked, shared): (&Asked, &[&Session]),
) -> Event {
    let Outcome { left, spared, mut stays, mut ways } = outcome;
    stays.extend(asked.held.iter().cloned());
    stays.extend(shared.iter().take(MOST_NAMED).filter_map(|session| session.goes_on_in()));
    if !shared.is_empty() {
        ways.push("a process that serves others, too, let them in and is not ended");
    }
    Event::SessionsEnded {
        grant: ending.grant,
        user: ending.user.clone(),
        sessions: ending.sessions.clone(),
        at_end: at_end.map(|at_end| at_end.as_str().to_owned()),
        left,
        spared,
        stays,
        escape: escape(ending, ways, asked, Path::new("/")),
        programs: asked.runs.clone(),
    }
}

/// Why something may have got away: it was started by root, by what stays, as somebody else, or was handed to what
/// starts things for people and does not ask jitd.
fn escape(
    ending: &Termination,
    by_what_stays: Vec<&'static str>,
    asked: &Asked,
    root: &Path,
) -> Option<String> {
    let is_there = |paths: &[&str]| paths.iter().any(|path| root.join(path.trim_start_matches('/')).exists());
    let etc = root.join("etc");
    let escapes = |paths: &[&str], services: &[&str]| {
        is_there(paths) && !services.iter().any(|service| asks_jitd(&etc, service))
    };
    let reached_root = ending.reached_root();
    let conditions = [
        (reached_root, "root could be reached: what root started elsewhere is not looked for"),
        (ending.unbound, "one of its sessions was bound to no unit: what it may have left cannot be known"),
        (processes::are_hidden(), "/proc hides processes (hidepid)"),
        (!cgroups::are_told(), "this kernel does not tell what runs in a unit: what forks fast is not seen"),
        (escapes(&["/usr/sbin/cron", "/usr/sbin/crond"], &["cron", "crond"]), "cron does not ask jitd"),
        (escapes(&["/usr/sbin/atd"], &["atd"]), "at(1) does not ask jitd"),
        // Who may be root anyway is told so above.
        (!reached_root && escapes(&["/usr/bin/su", "/bin/su"], &["su"]), "su does not ask jitd"),
        (!reached_root && escapes(&["/usr/bin/sudo"], &["sudo"]), "sudo does not ask jitd"),
        (
            !reached_root && escapes(&["/usr/bin/pkexec"], &["polkit-1"]),
            "pkexec (polkit-1) does not ask jitd",
        ),
        (lingers(&ending.user), "their manager starts with the machine"),
    ];
    let known = conditions.into_iter().filter(|(holds, _)| *holds).map(|(_, why)| why.to_owned());
    let asked = asked
        .open
        .iter()
        .map(|service| format!("what logins at {service} left: another program asked for them"));
    let by_what_stays = by_what_stays.into_iter().map(str::to_owned);
    let all: Vec<String> = by_what_stays.chain(known).chain(asked).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn names<'p>(left: impl Iterator<Item = &'p Process>) -> Vec<String> {
    let by_id: BTreeMap<u32, String> = left.map(|process| (process.id.pid, process.said())).collect();
    by_id.into_values().take(MOST_NAMED).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use super::*;
    use crate::session::place::tests::session;
    use crate::session::processes::tests::{among, with};
    use jit_core::model::EndReason;
    use jit_core::model::Stay;
    use jit_core::time::{BootId, Moment, Utc};

    fn moment(boot: u64) -> Moment {
        Moment::believed(Utc::from_unix_millis(0), boot, BootId::default())
    }

    /// Of a window for these services, that opened ten seconds after boot.
    pub(in crate::session) fn ending(services: &[&str]) -> Termination {
        Termination {
            grant: "g-00000001".parse().unwrap(),
            user: "maria".parse().unwrap(),
            uid: Uid::try_from(1001).unwrap(),
            also: BTreeSet::new(),
            person: None,
            role: "shell".parse().unwrap(),
            services: services.iter().map(|service| service.parse().unwrap()).collect(),
            since: moment(10_000),
            at: moment(60_000),
            late: Duration::ZERO,
            why: EndReason::Expired,
            sessions: vec![17],
            unbound: false,
            asked: jit_core::services::Services::default(),
        }
    }

    #[test]
    fn what_does_not_die_is_named_in_the_record_of_the_end() {
        let ending = ending(&["sshd"]);
        let (uid, user) = (ending.uid, ending.user.clone());
        let stay = Stay { uid, user, since: moment(10_000), lingered: false, audits: vec![5] };
        let scope = "/user.slice/user-1001.slice/session-4.scope";
        let of_hers = among((4_000_001, 1, 1200), scope, (1001, Some(1001), Some(5)));
        // From a login that jitd did not admit: it is not left, it is spared.
        let elsewhere = "/user.slice/user-1001.slice/session-8.scope";
        let of_another = among((4_000_003, 2, 1300), elsewhere, (1001, Some(1001), Some(8)));
        let all = [with(of_hers, 4_000_001, 1, "stuck"), of_another];
        let hers = session("sshd", Some(4));
        let (sessions, now) = ([hers.clone()], moment(95_000));
        let audits = [5].into();
        let sort = Sort { uid, stay: &stay, audits, sessions: &sessions, all: &all, now: &now };
        let outcome = Found::of(&sort, &ending).given_up(&sort, &ending, [&hers].into_iter());
        let Event::SessionsEnded { left, spared, .. } =
            ended(&ending, None, outcome, (&Asked::default(), &[]))
        else {
            panic!()
        };
        assert_eq!(left, ["4000001 stuck", "session 17"]);
        assert_eq!(spared.as_deref(), Some("session-8.scope, a login that jitd did not admit"));
    }

    #[test]
    fn what_starts_things_for_people_and_does_not_ask_jitd_is_named_in_the_record_of_the_end() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let said = |services: &[&str]| {
            escape(&ending(services), Vec::new(), &Asked::default(), root.path()).unwrap_or_default()
        };
        let ways = [
            ("usr/sbin/cron", "cron", "cron does not ask jitd"),
            ("usr/sbin/atd", "atd", "at(1) does not ask jitd"),
            ("usr/bin/su", "su", "su does not ask jitd"),
            ("usr/bin/sudo", "sudo", "sudo does not ask jitd"),
            ("usr/bin/pkexec", "polkit-1", "pkexec (polkit-1) does not ask jitd"),
        ];
        for (program, service, why) in ways {
            assert!(!said(&["sshd"]).contains(why), "{service} is not there");
            put(program, "");
            assert!(said(&["sshd"]).contains(why), "{service} has no PAM file");
            put(&format!("etc/pam.d/{service}"), "account required pam_unix.so\n");
            assert!(said(&["sshd"]).contains(why), "{service} does not ask");
            put(&format!("etc/pam.d/{service}"), "account required pam_jit.so\n");
            assert!(!said(&["sshd"]).contains(why), "{service} asks");
        }
        let open = Asked { open: vec!["postgresql".parse().unwrap()], ..Asked::default() };
        let why = escape(&ending(&["sshd"]), Vec::new(), &open, root.path()).unwrap_or_default();
        assert!(why.contains("what logins at postgresql left: another program asked for them"), "{why}");
        assert!(said(&["sudo"]).contains("root could be reached"));
        assert!(!said(&["sshd"]).contains("root could be reached"));
    }
}
