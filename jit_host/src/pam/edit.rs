//! Puts our two lines into the text of a PAM file, or takes them out: from text to text. All other lines stay as they are,
//! down to their blanks.

use super::control::Control;
use super::line::{Whole, lines};
use super::source::{MODULE, Source, Text, is_logind, is_module};
use super::stack::{Lost, STAGES, Stack, Stage, What};
use super::walk::{Others, Ours, jump_that_moves, ways_in};

/// What the lines do with a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: jitd decides and records, and PAM does not listen.
    Observe,
    /// They keep out.
    Enforce,
}

/// Before the accounts that get in while jitd is dead.
const RECOVERY: &str = "recovery=";

/// Why a file cannot be edited. The text is for an admin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEdited {
    /// A line of ours is in a file that this one takes in.
    #[error("{place} names pam_jit.so already, and this file takes it in; edit that one")]
    Elsewhere {
        /// File and line.
        place: String,
    },
    /// What it takes in is not there, so that it lets in nobody as it is.
    #[error("{place} takes in a file that is not there; correct that first")]
    Lost {
        /// File and line.
        place: String,
    },
    /// It says nothing of a stage. libpam then takes that of `other`; with our line alone nothing would admit.
    #[error("it has no line of its own for {stage}, so that the lines of /etc/pam.d/other count, and with one of pam_jit.so alone \
             nobody would get in; write its {stage} lines first, as /etc/pam.d/other has them", stage = .stage.as_str())]
    Alone {
        /// The stage without lines.
        stage: Stage,
    },
    /// A line of others counts ours among those that it jumps over.
    #[error(
        "{place} counts a line of pam_jit.so among those that it jumps over, and would lead elsewhere when that is gone; \
             correct both with an editor, with a root shell open"
    )]
    Jumped {
        /// File and line.
        place: String,
    },
    /// After the edit a refusal would still not be heard, or nobody would get in.
    #[error("with the usual lines its {stage} stage would still {fault}; pam_jit(8) says where they go, see: jitctl doctor", stage = .stage.as_str())]
    Odd {
        /// The stage that would be wrong.
        stage: Stage,
        /// What would be wrong.
        fault: &'static str,
    },
}

/// The text with both our lines, each once, where it takes effect. A line of ours that is in a place where it does stays
/// there, with what it is told, but that each recovers whom any of them does. One that keeps people out is never made one that
/// watches.
pub fn guard(source: &dyn Source, service: &str, text: &str, mode: Mode) -> Result<String, NotEdited> {
    let recovery = recovery(text);
    let mut text = text.to_owned();
    for stage in [Stage::Account, Stage::Session] {
        text = with_line(source, service, &text, stage, mode, &recovery)?;
    }
    Ok(text)
}

/// Whether the lines of ours that this text has at a stage keep out people whom jitd refuses.
#[must_use]
pub fn keeps_out(source: &dyn Source, service: &str, text: &str, stage: Stage) -> bool {
    let stack = stack(source, service, text);
    let lines = stack.of(stage);
    let gets_in = |ours| !ways_in(&lines, ours, Others::Success).is_empty();
    stack.ours(stage).any(|line| line.file == stack.path) && gets_in(Ours::Admits) && !gets_in(Ours::Refuses)
}

/// The text without our account and session lines; what asks while somebody logs in goes with them. Every other line leads
/// where it did.
pub fn unguard(source: &dyn Source, service: &str, text: &str) -> Result<String, NotEdited> {
    for stage in STAGES {
        jumps_stay(&stack(source, service, text), stage)?;
    }
    Ok(without(text, &ours(text, |_| true)))
}

/// Whether all jumps of a stage lead to the same line when our lines of the file are gone.
fn jumps_stay(stack: &Stack, stage: Stage) -> Result<(), NotEdited> {
    let lines = stack.of(stage);
    let moved = jump_that_moves(&lines, |line| line.is_ours() && line.file == stack.path);
    moved.map_or(Ok(()), |at| Err(NotEdited::Jumped { place: lines[at].place() }))
}

/// The text of a service's file in place of what the source has.
struct Edited<'a> {
    source: &'a dyn Source,
    service: &'a str,
    text: &'a str,
}

impl Source for Edited<'_> {
    fn file(&self, name: &str) -> std::io::Result<Option<Text>> {
        let path = std::path::Path::new("/etc/pam.d").join(self.service);
        if name != self.service && std::path::Path::new(name) != path {
            return self.source.file(name);
        }
        Ok(Some(Text { path, text: self.text.to_owned() }))
    }
}

fn stack(source: &dyn Source, service: &str, text: &str) -> Stack {
    // The service itself is there, so that there is a stack.
    let edited = Edited { source, service, text };
    Stack::read(&edited, service)
        .ok()
        .flatten()
        .unwrap_or(Stack { path: std::path::PathBuf::new(), lines: Vec::new() })
}

/// The text with our line of one stage.
fn with_line(
    source: &dyn Source,
    service: &str,
    text: &str,
    stage: Stage,
    mode: Mode,
    recovery: &str,
) -> Result<String, NotEdited> {
    let own = ours(text, |kind| kind.eq_ignore_ascii_case(stage.as_str()));
    let before = stack(source, service, text);
    let elsewhere = before.ours(stage).find(|line| line.file != before.path);
    if let Some(line) = elsewhere {
        return Err(NotEdited::Elsewhere { place: line.place() });
    }
    let lost = before.lines.iter().find(|line| line.stage == stage && line.what == What::Lost(Lost::Absent));
    if let Some(line) = lost {
        return Err(NotEdited::Lost { place: line.place() });
    }
    if before.of(stage).iter().all(|line| line.is_ours()) {
        return Err(NotEdited::Alone { stage });
    }
    if mode == Mode::Observe && keeps_out(source, service, text, stage) {
        return Ok(text.to_owned());
    }
    let new = line(own.first(), stage, mode, recovery);
    // Where it stands, if that will do.
    if let [one] = own.as_slice() {
        let kept = replaced(text, one, &new);
        if fault(source, service, &kept, stage, mode).is_none() && !is_late(source, service, &kept, stage) {
            return Ok(kept);
        }
    }
    jumps_stay(&before, stage)?;
    let bare = without(text, &own);
    let place = place(source, service, &bare, stage);
    let put = inserted(&bare, place, &new);
    match fault(source, service, &put, stage, mode) {
        None => Ok(put),
        Some(fault) => Err(NotEdited::Odd { stage, fault }),
    }
}

/// Our line, with what the one there was is told.
fn line(old: Option<&Whole>, stage: Stage, mode: Mode, recovery: &str) -> String {
    let old_control = old.and_then(|old| old.words.get(1)).map(|word| (word, Control::read(word)));
    let control = match (mode, stage, &old_control) {
        (Mode::Observe, _, _) => "[default=ignore]".to_owned(),
        // One that ends the stack at a refusal is meant so (docs/shared-accounts.md).
        (Mode::Enforce, _, Some((word, control))) if control.binds() => {
            if word.is_bracketed {
                format!("[{}]", word.text)
            } else {
                word.text.clone()
            }
        }
        (Mode::Enforce, Stage::Session, _) => "required".to_owned(),
        (Mode::Enforce, Stage::Account | Stage::Auth | Stage::Password, _) => {
            "[success=ok ignore=ignore default=die]".to_owned()
        }
    };
    let module = old.and_then(|old| old.words.get(2)).map_or(MODULE, |word| word.text.as_str());
    let mut told: Vec<&str> =
        old.iter().flat_map(|old| &old.words).skip(3).map(|word| word.text.as_str()).collect();
    let is_recovery = |word: &&str| word.starts_with(RECOVERY);
    let at = told.iter().position(is_recovery).unwrap_or(0);
    told.retain(|word| !is_recovery(word));
    if !recovery.is_empty() {
        told.insert(at, recovery);
    }
    let told = told.join(" ");
    format!("{} {control} {module} {told}", stage.as_str()).trim_end().to_owned()
}

/// The word by which both our lines recover the same accounts: all that any of them names, those of the account line first.
/// Root, where the text has no line of ours yet; empty where none of them names any.
fn recovery(text: &str) -> String {
    let of = |stage: Stage| ours(text, move |kind| kind.eq_ignore_ascii_case(stage.as_str()));
    let all = [of(Stage::Account), of(Stage::Session)].concat();
    if all.is_empty() {
        return format!("{RECOVERY}root");
    }
    let words = all.iter().flat_map(|line| line.words.iter().skip(3));
    let lists = words.filter_map(|word| word.text.strip_prefix(RECOVERY));
    let mut names: Vec<&str> = Vec::new();
    for name in lists.flat_map(|list| list.split(',')).filter(|name| !name.is_empty()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() { String::new() } else { format!("{RECOVERY}{}", names.join(",")) }
}

/// Our lines that are written in this text itself.
fn ours(text: &str, is_meant: impl Fn(&str) -> bool) -> Vec<Whole> {
    let is_ours = |line: &Whole| {
        let kind = line.words[0].text.trim_start_matches('-');
        let module = line.words.get(2).map_or("", |word| word.text.as_str());
        is_module(module) && is_meant(kind)
    };
    lines(text).into_iter().filter(is_ours).collect()
}

/// The text without these lines.
fn without(text: &str, drop: &[Whole]) -> String {
    let is_kept =
        |number: usize| !drop.iter().any(|one| (one.number..one.number + one.count).contains(&number));
    let numbered = (1..).zip(text.split_inclusive('\n'));
    numbered.filter(|(number, _)| is_kept(*number)).map(|(_, line)| line).collect()
}

/// The text with another line in the place of this one.
fn replaced(text: &str, old: &Whole, new: &str) -> String {
    inserted(&without(text, std::slice::from_ref(old)), old.number, new)
}

/// The text with a line before the one of this number.
fn inserted(text: &str, number: usize, new: &str) -> String {
    let mut all: Vec<&str> = text.split_inclusive('\n').collect();
    let at = (number - 1).min(all.len());
    let is_last_open = at == all.len() && all.last().is_some_and(|last| !last.ends_with('\n'));
    let line = if is_last_open { format!("\n{new}\n") } else { format!("{new}\n") };
    all.insert(at, &line);
    all.concat()
}

/// Before which line ours goes: the first by which the stage may end or jump, or that begins the session with logind;
/// the line behind the last of the stage, if there is none.
fn place(source: &dyn Source, service: &str, text: &str, stage: Stage) -> usize {
    let mut behind = 1;
    for whole in lines(text) {
        // What this one line alone comes to.
        let alone: String = text.split_inclusive('\n').skip(whole.number - 1).take(whole.count).collect();
        let of_line = stack(source, service, &alone);
        let lines = of_line.of(stage);
        let takes_in = matches!(whole.words[0].text.as_str(), "@include")
            || whole.words.get(1).is_some_and(|word| {
                word.text.eq_ignore_ascii_case("include") || word.text.eq_ignore_ascii_case("substack")
            });
        let ends = lines.iter().any(|line| match &line.what {
            What::Module { control, module, .. } => !control.goes_on() || is_logind(module),
            What::Substack | What::Lost(_) => true,
        });
        // At account all that others decide comes behind.
        if ends || (stage == Stage::Account && takes_in && !lines.is_empty()) {
            return whole.number;
        }
        if !lines.is_empty() {
            behind = whole.number + whole.count;
        }
    }
    if behind == 1 { text.lines().count() + 1 } else { behind }
}

/// Whether our session line stands behind what begins the session with logind.
fn is_late(source: &dyn Source, service: &str, text: &str, stage: Stage) -> bool {
    stage == Stage::Session && stack(source, service, text).logind_before_ours().is_some()
}

/// What is wrong with a stage as the text has it.
fn fault(source: &dyn Source, service: &str, text: &str, stage: Stage, mode: Mode) -> Option<&'static str> {
    let stack = stack(source, service, text);
    let lines = stack.of(stage);
    let refused = ways_in(&lines, Ours::Refuses, Others::Anything);
    let dead = ways_in(&lines, Ours::CannotTell, Others::Anything);
    if mode == Mode::Enforce && refused.iter().chain(&dead).next().is_some() {
        return Some("let people in whom jitd refuses");
    }
    let gets_in = |ours| !ways_in(&lines, ours, Others::Success).is_empty();
    if !(gets_in(Ours::Admits) && gets_in(Ours::StandsAside)) {
        return Some("keep out everybody");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pam::source::testing::Files;

    const COMMON: [(&str, &str); 4] = [
        (
            "common-auth",
            "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
        ),
        (
            "common-account",
            "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\naccount requisite pam_deny.so\naccount \
             required pam_permit.so\n",
        ),
        (
            "common-session",
            "session [default=1] pam_permit.so\nsession requisite pam_deny.so\nsession required pam_permit.so\nsession \
             optional pam_systemd.so\n",
        ),
        ("gate", "account required pam_jit.so\n"),
    ];
    const ACCOUNT: &str = "account [success=ok ignore=ignore default=die] pam_jit.so recovery=root\n";
    const SESSION: &str = "session required pam_jit.so recovery=root\n";
    const SSHD: &str = "# PAM of sshd\n@include common-auth\naccount    required     pam_nologin.so\n@include common-account\n\
                        session required pam_loginuid.so\n@include common-session\nsession optional pam_motd.so # said\n";

    fn guarded(text: &str, mode: Mode) -> Result<String, NotEdited> {
        guard(&Files::new(&COMMON), "sshd", text, mode)
    }

    fn unguarded(text: &str) -> Result<String, NotEdited> {
        unguard(&Files::new(&COMMON), "sshd", text)
    }

    #[test]
    fn our_lines_go_where_documents_say_and_every_other_line_stays_as_it_is() {
        let expected = SSHD
            .replace("@include common-account\n", &format!("{ACCOUNT}@include common-account\n"))
            .replace("@include common-session\n", &format!("{SESSION}@include common-session\n"));
        assert_eq!(guarded(SSHD, Mode::Enforce).unwrap(), expected);
        assert_eq!(
            guarded(&expected, Mode::Enforce).unwrap(),
            expected,
            "the second time nothing is left to do"
        );
        assert_eq!(unguarded(&expected).unwrap(), SSHD);
        let observed = guarded(SSHD, Mode::Observe).unwrap();
        assert_eq!(observed.matches("[default=ignore] pam_jit.so recovery=root").count(), 2);
        assert_eq!(guarded(&observed, Mode::Enforce).unwrap(), expected, "from watching to keeping out");
        assert_eq!(unguarded(&observed).unwrap(), SSHD);
    }

    #[test]
    fn lines_that_keep_people_out_are_never_made_to_watch() {
        let enforced = guarded(SSHD, Mode::Enforce).unwrap();
        assert_eq!(guarded(&enforced, Mode::Observe).unwrap(), enforced);
        for stage in [Stage::Account, Stage::Session] {
            let keeps = |text: &str| keeps_out(&Files::new(&COMMON), "sshd", text, stage);
            assert!(keeps(&enforced) && !keeps(SSHD) && !keeps(&guarded(SSHD, Mode::Observe).unwrap()));
        }
        // Where others' lines may lead past ours it still keeps out most, and watching would let in all.
        let behind = format!(
            "@include common-account\n{ACCOUNT}{ACCOUNT}session [default=ignore] pam_jit.so recovery=root\n@include common-session\n"
        );
        assert_eq!(guarded(&behind, Mode::Observe).unwrap(), behind);
        // One stage alone: the other gets a line that watches.
        let half = SSHD.replace("@include common-account\n", &format!("{ACCOUNT}@include common-account\n"));
        let watched = SESSION.replace("required", "[default=ignore]");
        let expected =
            half.replace("@include common-session\n", &format!("{watched}@include common-session\n"));
        assert_eq!(guarded(&half, Mode::Observe).unwrap(), expected);
        // One that PAM does not hear watches already.
        let loose = enforced.replace("[success=ok ignore=ignore default=die]", "optional");
        assert!(guarded(&loose, Mode::Observe).unwrap().contains("account [default=ignore] pam_jit.so"));
    }

    #[test]
    fn a_line_of_ours_that_another_jumps_over_is_not_taken_out_or_moved() {
        let root = "account [success=1 default=ignore] pam_succeed_if.so uid = 0\n";
        let over = format!("{root}{ACCOUNT}@include common-account\n{SESSION}@include common-session\n");
        let jumped = Err(NotEdited::Jumped { place: "/etc/pam.d/sshd:1".to_owned() });
        assert_eq!(unguarded(&over), jumped);
        assert_eq!(guarded(&over, Mode::Enforce), jumped);
        let of_session =
            over.replace(root, "").replace(SESSION, &format!("session [default=1] pam_echo.so\n{SESSION}"));
        assert_eq!(unguarded(&of_session), Err(NotEdited::Jumped { place: "/etc/pam.d/sshd:3".to_owned() }));
        // Where it stands behind ours, nothing is in its way.
        let behind = over.replace(
            &format!("{root}{ACCOUNT}"),
            &format!("{ACCOUNT}{root}account required pam_access.so\n"),
        );
        assert_eq!(unguarded(&behind).unwrap(), behind.replace(ACCOUNT, "").replace(SESSION, ""));
    }

    #[test]
    fn what_our_lines_are_told_is_kept_and_a_session_line_that_binds() {
        let told = "account optional pam_jit.so \\\n  recovery=root,admin timeout=5 session\n@include common-account\n\
                    session requisite pam_jit.so recovery=root,admin\n@include common-session\n";
        assert_eq!(
            guarded(told, Mode::Enforce).unwrap(),
            "account [success=ok ignore=ignore default=die] pam_jit.so recovery=root,admin timeout=5 session\n\
             @include common-account\nsession requisite pam_jit.so recovery=root,admin\n@include common-session\n"
        );
    }

    #[test]
    fn both_lines_recover_whom_any_of_them_does() {
        let text = |account: &str, session: &str| {
            format!(
                "account required pam_jit.so {account}\n@include common-account\nsession requisite pam_jit.so {session}\n\
                 @include common-session\n"
            )
            .replace(" \n", "\n")
        };
        let enforced = |account, session| {
            let new = guarded(&text(account, session), Mode::Enforce).unwrap();
            let told = |stage: &str| {
                let of = |line: &&str| line.starts_with(stage) && line.contains("pam_jit");
                let line = new.lines().find(of).unwrap_or_default();
                line.split_once("pam_jit.so").unwrap_or_default().1.trim().to_owned()
            };
            (told("account"), told("session"))
        };
        for (account, session, new_account, new_session) in [
            (
                "timeout=5 recovery=root,ana session",
                "recovery=tom,root",
                "timeout=5 recovery=root,ana,tom session",
                "recovery=root,ana,tom",
            ),
            ("recovery=root session", "timeout=5", "recovery=root session", "recovery=root timeout=5"),
            ("session", "recovery=ana", "recovery=ana session", "recovery=ana"),
            ("session", "", "session", ""),
        ] {
            let expected = (new_account.to_owned(), new_session.to_owned());
            assert_eq!(enforced(account, session), expected, "{account}; {session}");
        }
        // A line that is new recovers whom the other does.
        let half =
            "account required pam_jit.so recovery=ana\n@include common-account\n@include common-session\n";
        assert!(guarded(half, Mode::Enforce).unwrap().contains("session required pam_jit.so recovery=ana\n"));
    }

    #[test]
    fn a_line_in_a_place_where_it_is_not_heard_is_moved_and_a_second_one_goes() {
        let odd = format!("@include common-account\n{ACCOUNT}{ACCOUNT}@include common-session\n{SESSION}");
        assert_eq!(
            guarded(&odd, Mode::Enforce).unwrap(),
            format!("{ACCOUNT}@include common-account\n{SESSION}@include common-session\n")
        );
    }

    #[test]
    fn a_file_without_a_last_line_end_and_one_of_fedora_s_kind_are_edited_too() {
        let open =
            "account required pam_nologin.so\naccount required pam_unix.so\nsession required pam_unix.so";
        assert_eq!(
            guarded(open, Mode::Enforce).unwrap(),
            format!(
                "account required pam_nologin.so\naccount required pam_unix.so\n{ACCOUNT}session required pam_unix.so\n{SESSION}"
            )
        );
        let files = Files::new(&[(
            "password-auth",
            "account required pam_unix.so\naccount sufficient pam_localuser.so\naccount required pam_permit.so\n\
             session optional pam_keyinit.so revoke\n-session optional pam_systemd.so\nsession required pam_unix.so\n",
        )]);
        let fedora = "auth substack password-auth\naccount required pam_sepermit.so\naccount required pam_nologin.so\n\
                      account include password-auth\nsession required pam_loginuid.so\nsession include password-auth\n";
        let expected = fedora
            .replace("account include", &format!("{ACCOUNT}account include"))
            .replace("session include", &format!("{SESSION}session include"));
        assert_eq!(guard(&files, "sshd", fedora, Mode::Enforce).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_edited_is_refused_with_its_place() {
        let of_gate = "@include gate\n@include common-account\n@include common-session\n";
        let Err(NotEdited::Elsewhere { place }) = guarded(of_gate, Mode::Enforce) else { panic!() };
        assert_eq!(place, "/etc/pam.d/gate:1");
        let Err(NotEdited::Lost { place }) = guarded("@include absent\n", Mode::Enforce) else { panic!() };
        assert_eq!(place, "/etc/pam.d/sshd:1");
        // libpam asks `other` no more once our line is there, and what it ignores admits nobody.
        for mode in [Mode::Observe, Mode::Enforce] {
            let alone = |text: &str, stage| {
                assert_eq!(guarded(text, mode), Err(NotEdited::Alone { stage }), "{text}");
            };
            alone("", Stage::Account);
            alone(ACCOUNT, Stage::Account);
            alone("@include common-account\n", Stage::Session);
            alone("session required pam_unix.so\n", Stage::Account);
            guarded("account required pam_permit.so\nsession required pam_permit.so\n", mode).unwrap();
        }
        let why = NotEdited::Alone { stage: Stage::Session }.to_string();
        assert!(why.contains("write its session lines first"), "{why}");
        let deny = "account requisite pam_deny.so\n";
        assert!(matches!(guarded(deny, Mode::Enforce), Err(NotEdited::Odd { stage: Stage::Account, .. })));
    }
}
