//! A policy as somebody writes it: a file of what is not a role and one for each role, all chosen by the bytes.

use jit_core::policy::SourceFile;

use crate::choices::Choices;

pub(crate) const MAX_ROLES: usize = 5;
const HOSTS: [&str; 6] = ["*", "db-*", "db-?", "@databases", "web-*", "DB-1"];
/// One of its own, and the kinds of sudo and su.
pub(crate) const SERVICES: [&str; 6] = ["sshd", "sudo", "su", "sudo-i", "sudo-backup", "su-l"];
/// The fourth is a second name of the third.
pub(crate) const USERS: [&str; 6] = ["maria", "adam", "olga", "olga2", "adm-maria", "root"];
pub(crate) const GROUPS: [&str; 4] = ["dba", "leads", "domain admins", "ops"];
const DURATIONS: [&str; 8] = ["1h", "30m", "4h", "1s", "90s", "1d", "365d", "59m59s"];
const FROM: [&str; 6] = ["10.1.0.0/16", "10.1.2.3", "2001:db8::/32", "0.0.0.0/0", "::/0", "192.0.2.0/24"];
const DAYS: [&str; 5] = ["mon-fri", "mon", "fri-mon", "sat,sun", "mon-sun"];
const OPEN: [&str; 4] = ["00:00", "07:00", "10:00", "02:30"];
const SHUT: [&str; 5] = ["24:00", "19:00", "23:59", "00:01", "02:30"];
const ZONES: [&str; 5] =
    ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"];
const PATTERNS: [&str; 4] = ["^INC-[0-9]+ .{4,}", "INC", "^(?<ticket>INC-[0-9]+)", "(a+)+$"];

/// Teams, of which those roles make use that ask leads.
const TEAMS: &str = "[team.db]\nmembers = { groups = [\"dba\", \"ops\"], users = [\"maria\"] }\nleads = { users = [\"olga\"], groups = [\"leads\"] }\n\
                     [team.web]\nmembers = { groups = [\"ops\"], users = [\"adam\"] }\nleads = { users = [\"adam\", \"root\"] }\n";

/// A file of what is not a role, and one for each role.
pub(crate) fn files(choices: &mut Choices<'_>) -> Vec<SourceFile> {
    let mut head = "version = 1\n".to_owned();
    if choices.once_in(8) {
        head += &format!(
            "mode = {}\n",
            choices.one(&["\"observe\"", "{ observe = [\"sudo\", \"cups\"] }", "\"enforce\""])
        );
    }
    head +=
        "[admins]\nusers = [\"root\", \"adam\"]\n[[exempt]]\nusers = [\"root\"]\nservices = [\"login\"]\n";
    if choices.once_in(4) {
        head += &format!("[[exempt]]\n{}\nservices = {}\n", who(choices), list(&choices.some(&SERVICES)));
        if choices.once_in(2) {
            head += &format!("from = {}\n", list(&choices.some(&FROM)));
        }
    }
    if choices.once_in(2) {
        head += "[people]\nmaria = { accounts = [\"maria\", \"adm-maria\"], keys = [\"maria@site-a\"] }\n";
    }
    head += TEAMS;
    let mut files = vec![SourceFile { name: "head.toml".to_owned(), bytes: head.into_bytes() }];
    for n in 0..=choices.below(MAX_ROLES) {
        let text = format!("version = 1\n{}", by_profile(&role(choices, n), n));
        files.push(SourceFile { name: format!("r{n}.toml"), bytes: text.into_bytes() });
    }
    files
}

/// A role of these lines: as they are or, as their length has it, with all but the stages in a profile. It means the same.
fn by_profile(lines: &str, n: usize) -> String {
    match lines.split_once("[[") {
        Some((keys, stages)) if keys.len() % 3 == 0 => {
            format!("[profile.p{n}]\n{keys}[role.r{n}]\nprofile = \"p{n}\"\n[[{stages}")
        }
        _ => format!("[role.r{n}]\n{lines}"),
    }
}

fn role(choices: &mut Choices<'_>, n: usize) -> String {
    let mut lines = vec![
        format!("hosts = {}", list(&choices.some(&HOSTS))),
        format!("services = {}", list(&choices.some(&SERVICES))),
        format!("eligible = {{ {} }}", who(choices).replace('\n', ", ")),
        format!("max-duration = \"{}\"", choices.one(&DURATIONS)),
    ];
    let mut narrow = None;
    for _ in 0..choices.below(5) {
        let line = term(choices);
        if let Some(whom) = line.strip_prefix(NARROW) {
            narrow = Some(whom.to_owned());
            continue;
        }
        let key = line.split(' ').next().unwrap_or_default();
        if !lines.iter().any(|other| other.split(' ').next() == Some(key)) {
            lines.push(line);
        }
    }
    for _ in 0..=choices.below(3) {
        lines.push(format!("[[role.r{n}.stage]]"));
        if choices.once_in(3) {
            lines.push(format!("name = \"level {}\"", lines.len()));
            if lines.len() % 2 == 0 {
                lines.push(format!("above = \"{}\"", DURATIONS[lines.len() / 2 % DURATIONS.len()]));
            }
        }
        lines.push(format!("approvers = {{ {} }}", who(choices).replace('\n', ", ")));
        if lines.len() % 5 == 0 {
            let more = [USERS[lines.len() % USERS.len()], "olga"];
            let (first, last) =
                (lines.len() - 1, if lines.len() % 2 == 0 { list(&more) } else { list(&more[1..]) });
            let one = lines[first].replacen("approvers = ", "", 1);
            lines[first] = format!("approvers = [{one}, {{ users = {last}, groups = [\"ops\"] }}]");
        }
        if choices.once_in(3) {
            lines.push(format!("approvals = {}", choices.one(&[1, 2, 3, 4_294_967_295_u32])));
        }
        if choices.once_in(4) {
            lines.push(format!("denials = {}", choices.one(&[1, 2])));
        }
        if choices.once_in(3) {
            lines.push(format!("expires = \"{}\"", choices.one(&DURATIONS)));
            if choices.once_in(2) {
                lines.push(format!("then = {{ {} }}", who(choices).replace('\n', ", ")));
            }
        }
        if choices.once_in(4) {
            lines.push(format!("accept = {}", list(&choices.some(&["online", "signature", "code"]))));
        }
    }
    if let Some(narrow) = narrow {
        // Leads are asked, and ask for nothing by that.
        let is_eligible = narrow.len() % 2 == 0 && narrow != "leads = true";
        let whose = if is_eligible { "eligible = {" } else { "approvers = " };
        for line in lines.iter_mut().filter(|line| line.starts_with(whose)) {
            *line = line.replacen(" }", &format!(", {narrow} }}"), 1);
        }
    }
    lines.join("\n") + "\n"
}

/// Before what is not a key of a role and leaves out some of its people.
const NARROW: &str = "narrow ";

/// One of the keys that a role may leave out.
fn term(choices: &mut Choices<'_>) -> String {
    match choices.below(14) {
        0 => format!("default-duration = \"{}\"", choices.one(&DURATIONS)),
        1 => format!("from = {}", list(&choices.some(&FROM))),
        2 | 3 => {
            let rule = |choices: &mut Choices<'_>| {
                let (days, tz) = (choices.one(&DAYS), choices.one(&ZONES));
                let (from, to) = (choices.one(&OPEN), choices.one(&SHUT));
                format!("{{ days = \"{days}\", from = \"{from}\", to = \"{to}\", tz = \"{tz}\" }}")
            };
            format!("hours = [{}, {}]", rule(choices), rule(choices))
        }
        4 => format!("run-as = {}", list(&choices.some(&["oracle", "maria", "root"]))),
        5 => "starts = \"at-first-use\"\nlapse = \"1h\"".to_owned(),
        6 | 7 => format!("uses = {}", choices.one(&["1", "2", "\"unlimited\"", "4294967295"])),
        8 => "survives-reboot = true".to_owned(),
        9 => format!("reason = {{ pattern = '{}' }}", choices.one(&PATTERNS)),
        10 => format!(
            "at-end = {}",
            choices.one(&["\"drain\"", "\"keep\"\nkeep-max = \"1h\"", "\"terminate\""])
        ),
        11 => format!("grace = \"{}\"", choices.one(&DURATIONS)),
        12 => "emergency = true".to_owned(),
        _ => further(choices.raw()),
    }
}

/// One of those that came later, by bytes that are there anyway: what older inputs say of the rest stays as it was.
fn further(raw: &[u8]) -> String {
    let sum = raw.iter().map(|byte| usize::from(*byte)).sum::<usize>();
    match sum % 16 {
        1 | 2 => {
            let days = ["2026-11-24", "2026-11-23", "2026-12-24", "2028-02-29"];
            format!("until = {}", days[raw.len() % days.len()])
        }
        3 | 4 => {
            let limits =
                ["each = 1", "at-once = 2", "rest = \"30m\"", "in-all = \"365d\"", "each = 1, rest = \"1h\""];
            format!("limits = {{ {} }}", limits[raw.len() % limits.len()])
        }
        5 | 6 => format!("apart = [\"r{}\"]", raw.len() % MAX_ROLES),
        7 => format!("hosts-except = [\"{}\"]", HOSTS[1 + raw.len() % (HOSTS.len() - 1)]),
        8 => format!("{NARROW}all = [\"{}\"]", GROUPS[raw.len() % GROUPS.len()]),
        9 => format!("{NARROW}except = {{ groups = [\"{}\"] }}", GROUPS[raw.len() % GROUPS.len()]),
        11 | 12 => format!("{NARROW}leads = true"),
        10 => format!("{NARROW}except = {{ users = [\"{}\"] }}", USERS[raw.len() % USERS.len()]),
        13 | 14 => {
            let rule = ["", ", each-week = 1", ", each-week = 2, from = [\"10.0.0.0/8\"]", ", each-week = 9"];
            let up_to = DURATIONS[raw.len() % DURATIONS.len()];
            let rule = rule[raw.len() / 4 % rule.len()];
            format!(
                "reason = {{ pattern = '{}' }}\nunreviewed = {{ up-to = \"{up_to}\"{rule} }}",
                PATTERNS[2]
            )
        }
        _ => format!("summary = '{}'", String::from_utf8_lossy(raw)),
    }
}

fn who(choices: &mut Choices<'_>) -> String {
    match choices.below(4) {
        0 | 1 => format!("users = {}", list(&choices.some(&USERS))),
        2 => format!("groups = {}", list(&choices.some(&GROUPS))),
        _ => format!("users = {}\ngroups = {}", list(&choices.some(&USERS)), list(&choices.some(&GROUPS))),
    }
}

fn list(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("[{}]", quoted.join(", "))
}
