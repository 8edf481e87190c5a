//! The auth line with `request`: what is asked and shown, and that it admits and refuses nobody.

use std::time::Duration;

use jit_tests::runner::Test;

use crate::bus::Bus;
use crate::pam::{IGNORE, OTHER, PERM_DENIED, Pam, SUCCESS};
use crate::peer::Peer;
use crate::table::{behind_private, over};
use crate::{ensure, expect, room};

pub(crate) const TESTS: &[Test] = &[
    ("a person asks for a role and waits until it opens", a_person_asks),
    ("over the bus a person asks as well", over_the_bus),
    ("an approver's answer is typed line by line, and stands in no log", an_answer_is_typed),
    ("a jitd from before answers could be typed is asked as it was", an_older_jitd),
    ("where it is open or there is nothing to ask for nobody is asked", nobody_is_asked),
    ("without a conversation, with PAM_SILENT or without `request` nothing is asked", no_conversation),
    ("sudo wants silence and is asked by prompts all the same", sudo),
    ("control characters and 10,000 bytes at a prompt are never sent", hostile_answers),
    ("the longest list of roles is shown, and its texts escaped", longest_list),
    ("an answer that is not believed ends the asking and admits nobody", not_believed),
    ("a jitd that is dead, cannot decide, hangs or knows no such question asks nothing", no_jitd),
    ("a jitd that dies between two prompts ends the asking", dies_between),
    ("an auth line with a wrong argument is logged and ignored", bad_argument),
    ("110 times asked in one process leave nothing and take no memory", cycles),
];

/// A login that stops after its auth stage.
fn asking(arguments: &str) -> Pam {
    Pam::new(arguments).auth(format!("request {arguments}")).stages(&["auth"])
}

const BY: &str = "sshd user=nobody ruser= rhost=2001:db8::7 tty=ssh uid=0";

fn a_person_asks() -> Result<(), String> {
    let (peer, arguments) = behind_private("ask")?;
    let pam = asking(&arguments).option(["-h", "2001:db8::7"]).option(["-t", "ssh"]);
    let seen = pam.types(&["90m", "INC-1 disk", ""]).run()?;
    expect("codes", seen.codes, vec![IGNORE])?;
    let prompts = [
        "2 state ask\\x0aYou can ask for role db-oncall: On-call \\x5cu{1b}[1mshell.\\x0a\
         How long, like 30m or 1h30m? (Enter is 1h, at most 2h; q leaves) ",
        "2 Why? INC-1234 (q leaves) ",
        "2 state waiting\\x0aYour request stays if you leave or time runs out: log in again later.\\x0a\
         Press Enter to check again, or type q to leave: ",
    ];
    expect("conversation", seen.said, prompts.map(str::to_owned).to_vec())?;
    expect("log lines", seen.logged.len(), 1)?;
    let line =
        "pam_jit(sshd:auth): asked for a role request=\"r-4k7m2qx9\" role=\"db-oncall\" user=\"nobody\"";
    ensure(seen.logged[0].starts_with("<86>") && seen.logged[0].contains(line), || seen.logged[0].clone())?;
    let connected = "connected".to_owned();
    let asked = [
        format!("options {BY}"),
        format!("file db-oncall 5400 \"INC-1 disk\" {BY}"),
        format!("enter r-4k7m2qx9 [] {BY}"),
        format!("enter r-4k7m2qx9 [] {BY}"),
    ];
    expect("questions", peer.end(), asked.into_iter().flat_map(|line| [connected.clone(), line]).collect())
}

fn over_the_bus() -> Result<(), String> {
    let bus = Bus::start()?;
    let peer = Peer::on_bus("ask", bus.socket())?;
    let seen = asking(&over(&bus)).types(&["", "INC-1 disk", ""]).run()?;
    expect("codes", seen.codes, vec![IGNORE])?;
    expect("questions", peer.end().len(), 4)
}

fn an_answer_is_typed() -> Result<(), String> {
    let (peer, arguments) = behind_private("ask-enter")?;
    let pam = asking(&arguments).option(["-h", "2001:db8::7"]).option(["-t", "ssh"]);
    let seen = pam.types(&["row one", "a\u{1b}[2J", " row two "]).run()?;
    expect("codes", seen.codes, vec![IGNORE])?;
    let stays = "Your request stays if you leave or time runs out: log in again later.\\x0a\
                 Press Enter to check again, type an answer, or q to leave: ";
    let prompts = [
        format!("2 state waiting\\x0aRead \\x5cu{{1b}}[1mthis\\x0a{stays}"),
        format!("2 state waiting\\x0amissing: 2\\x0a{stays}"),
        format!("2 state waiting\\x0aThat had the character U+001B in it.\\x0a{stays}"),
    ];
    expect("conversation", seen.said, prompts.to_vec())?;
    // What was typed stands in no log.
    expect("log lines", seen.logged.len(), 2)?;
    let line = "pam_jit(sshd:auth): an answer was typed request=\"r-4k7m2qx9\" user=\"nobody\"";
    ensure(seen.logged.iter().all(|logged| logged.contains(line) && !logged.contains("row")), || {
        format!("{:?}", seen.logged)
    })?;
    let typed = ["[]", r#"["row one"]"#, r#"["row one", "row two"]"#];
    let entered: Vec<_> = peer.end().into_iter().filter(|line| line.starts_with("enter")).collect();
    expect("questions", entered, typed.map(|typed| format!("enter r-4k7m2qx9 {typed} {BY}")).to_vec())
}

fn an_older_jitd() -> Result<(), String> {
    let (peer, arguments) = behind_private("ask-older")?;
    let seen = asking(&arguments).types(&["", "INC-1 disk", "0115-1Z8S-4AWD-Y5"]).run()?;
    expect("codes and prompts", (seen.codes, seen.said.len()), (vec![IGNORE], 3))?;
    ensure(seen.said[2].ends_with("or type q to leave: "), || seen.said[2].clone())?;
    let asked: Vec<_> = peer.end().into_iter().filter(|line| line.starts_with("progress")).collect();
    expect("questions", asked.len(), 2)
}

fn nobody_is_asked() -> Result<(), String> {
    for kind in ["ask-open", "ask-nothing"] {
        let (peer, arguments) = behind_private(kind)?;
        let seen = asking(&arguments).types(&["x"]).run()?;
        expect(kind, seen.codes, vec![IGNORE])?;
        expect("conversation and log lines", (seen.said.len(), seen.logged.len()), (0, 0))?;
        expect("connections and questions", peer.end().len(), 2)?;
    }
    Ok(())
}

fn no_conversation() -> Result<(), String> {
    let (peer, arguments) = behind_private("ask")?;
    let seen = asking(&arguments).run()?;
    expect("codes and prompts", (seen.codes, seen.said.len()), (vec![IGNORE], 1))?;
    expect("connections and questions", peer.end().len(), 2)?;

    let (peer, arguments) = behind_private("ask")?;
    for pam in [asking(&arguments).option(["-s"]), asking(&arguments).auth(&arguments)] {
        let seen = pam.types(&["", "INC-1 disk", ""]).run()?;
        expect("codes and prompts", (seen.codes, seen.said.len()), (vec![IGNORE], 0))?;
    }
    expect("questions", peer.end(), vec![])
}

fn sudo() -> Result<(), String> {
    let (name, uid) = OTHER;
    let (peer, arguments) = behind_private("ask")?;
    let real = uid.to_string();
    let called = |ruser| asking(&arguments).service("sudo").user("root").option(["-s"]).option(["-r", ruser]);
    let seen = called(name).option(["-u", &real]).types(&["", "INC-1 disk", "q"]).run()?;
    expect("codes and prompts", (seen.codes, seen.said.len()), (vec![IGNORE], 3))?;
    // Root has nothing to ask for.
    let seen = called("root").types(&[""]).run()?;
    expect("codes and prompts", (seen.codes, seen.said.len()), (vec![IGNORE], 0))?;
    let asked = peer.end();
    expect("connections and questions", asked.len(), 6)?;
    expect("question", asked[1].clone(), format!("options sudo user=root ruser={name} rhost= tty= uid={uid}"))
}

fn hostile_answers() -> Result<(), String> {
    let long = "x".repeat(10_000);
    for typed in ["\u{1b}]0;t\u{7}1h", "1h\nb", "\u{202e}1h", "\u{85}b\u{9b}2J", &long] {
        let (peer, arguments) = behind_private("ask")?;
        let seen = asking(&arguments).types(&[typed, typed, typed]).run()?;
        // Asked three times, and told why that was enough.
        expect("codes and conversation", (seen.codes, seen.said.len()), (vec![IGNORE], 4))?;
        ensure(seen.said[1].starts_with("2 That "), || seen.said[1].clone())?;
        let seen = asking(&arguments).types(&["1h", typed, typed, typed]).run()?;
        expect("codes and conversation", (seen.codes, seen.said.len()), (vec![IGNORE], 5))?;
        let asked = peer.end();
        ensure(asked.len() == 4 && !asked.iter().any(|line| line.starts_with("file")), || {
            format!("{asked:?}")
        })?;
    }
    Ok(())
}

fn longest_list() -> Result<(), String> {
    let (_peer, arguments) = behind_private("ask-many")?;
    let seen = asking(&arguments).types(&["role-15", "", "INC-1 disk", "q"]).run()?;
    expect("codes and prompts", (seen.codes, seen.said.len()), (vec![IGNORE], 4))?;
    ensure(seen.said[0].contains("16  role-15: \\x5cu{7}") && !seen.said[0].contains('\u{7}'), || {
        seen.said[0].clone()
    })
}

fn not_believed() -> Result<(), String> {
    for kind in [
        "ask-wrong-nonce",
        "ask-wrong-service",
        "ask-wrong-user",
        "ask-wrong-id",
        "ask-odd-state",
        "ask-long-text",
        "ask-huge-text",
        "ask-enter-long",
        "ask-enter-many",
        "ask-enter-huge",
        "ask-enter-more",
        "ask-enter-other",
    ] {
        let (_peer, arguments) = behind_private(kind)?;
        let seen = asking(&arguments).types(&["", "INC-1 disk", ""]).run()?;
        expect(kind, (seen.codes, seen.said.len()), (vec![IGNORE], 0))?;
        let why = "nothing can be asked for because=\"the answer is not believed: ";
        ensure(seen.logged.len() == 1 && seen.logged[0].contains(why), || {
            format!("{kind}: {:?}", seen.logged)
        })?;
    }
    // Alone in its stack, a line that ignores everything is a failure to libpam: it admits nobody.
    let (_peer, arguments) = behind_private("ask-open")?;
    expect("code", asking(&arguments).alone().run()?.codes, vec![PERM_DENIED])?;
    // And as documented, whoever authenticated goes on to `account`.
    let (_peer, arguments) = behind_private("ask-wrong-nonce")?;
    expect("code", asking(&arguments).control("optional").run()?.codes, vec![SUCCESS])
}

fn no_jitd() -> Result<(), String> {
    let dead = format!("private={0}/a bus={0}/b", room::folder().display());
    let (_cannot, cannot) = behind_private("ask-cannot")?;
    let (_hangs, hanging) = behind_private("ask-hangs")?;
    let (_old, old) = behind_private("allow")?;
    for arguments in [dead, cannot, hanging.replace("timeout=20", "timeout=300ms"), old] {
        let seen = asking(&arguments).types(&["", "INC-1 disk", ""]).run()?;
        expect(&arguments, (seen.codes, seen.said.len()), (vec![IGNORE], 0))?;
        ensure(seen.logged[0].contains("nothing can be asked for because="), || {
            format!("{:?}", seen.logged)
        })?;
        ensure(seen.took < Duration::from_secs(5), || format!("{arguments}: took {:?}", seen.took))?;
    }
    Ok(())
}

fn dies_between() -> Result<(), String> {
    let (_peer, arguments) = behind_private("ask-dies-later")?;
    let seen = asking(&arguments).types(&["", ""]).run()?;
    expect("codes and prompts", (seen.codes, seen.said.len()), (vec![IGNORE], 1))?;
    ensure(seen.logged[0].contains("closed the connection"), || seen.logged[0].clone())
}

fn bad_argument() -> Result<(), String> {
    let (peer, arguments) = behind_private("ask")?;
    for bad in ["request=1", "recovery=root", "session", "requets"] {
        let seen = asking(&arguments).auth(format!("{arguments} {bad}")).run()?;
        expect(bad, (seen.codes, seen.said.len()), (vec![IGNORE], 0))?;
        ensure(seen.logged[0].contains(&format!("argument \\\"{bad}")), || seen.logged[0].clone())?;
    }
    // And on the other lines, it is an error as any that they do not know.
    let seen = Pam::new(format!("{arguments} request")).run()?;
    expect("codes", seen.codes, vec![3, PERM_DENIED])?;
    expect("questions", peer.end(), vec![])
}

fn cycles() -> Result<(), String> {
    for kind in ["ask", "ask-open", "ask-many", "ask-wrong-nonce", "ask-enter"] {
        let (_peer, arguments) = behind_private(kind)?;
        let first = if kind == "ask-many" { "role-3" } else { "1h" };
        let pam = asking(&arguments).option(["-c", "110"]).types(&[first, "1h", "INC-1 disk", ""]);
        expect(kind, pam.run()?.codes, vec![IGNORE])?;
    }
    Ok(())
}
