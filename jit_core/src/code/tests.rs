//! The formats against vectors that another program made (jit_core/offline-vectors/codes.py), and what is refused.

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use super::keys::line;
use super::symbols::BadSymbols;
use super::*;
use crate::code::symbols::Symbol;
use crate::digest::Digest;
use crate::model::Decision;

const VECTORS: &str = include_str!("../../offline-vectors/codes");

struct Case {
    name: String,
    secret: Secret,
    approves: Approves,
    asked: Asked,
    bucket: Bucket,
    answer: String,
    line: String,
}

fn cases() -> Vec<Case> {
    let case = |text: &str| {
        let of: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once(": ")).collect();
        let number = |label: &str| of[label].parse::<u64>().unwrap();
        let secret = Secret::parse(&format!("{}\n", of["secret"])).unwrap();
        let epoch = u32::try_from(number("epoch")).unwrap();
        let small = |label: &str| Symbol::of(u8::try_from(number(label)).unwrap());
        let code = RequestCode::of(of["digest"].parse::<Digest>().unwrap());
        assert_eq!(code.to_string(), of["request-code"]);
        Case {
            name: of["case"].to_owned(),
            approves: Approves {
                principal: of["principal"].parse().unwrap(),
                slot: Slot::of(small("slot")),
                epoch,
                host_key: of["host-key"].to_owned(),
                key: HostCodeKey::parse(of["key"]).unwrap(),
            },
            secret,
            asked: Asked {
                user: of["user"].parse().unwrap(),
                role: of["role"].parse().unwrap(),
                duration: Duration::from_secs(number("seconds")),
                start: Start::parse(of["start"]).unwrap(),
                code,
            },
            bucket: Bucket::of(small("bucket")),
            answer: of["answer"].to_owned(),
            line: format!("{} {} {epoch} {} {}", of["slot"], of["principal"], of["host-key"], of["key"]),
        }
    };
    VECTORS.split("\n\n").filter(|text| !text.trim().is_empty()).map(case).collect()
}

#[test]
fn keys_and_answers_are_those_that_another_program_makes() {
    let cases = cases();
    assert!(cases.len() >= 6);
    for Case { name, secret, approves, asked, bucket, answer, line: text } in cases {
        assert_eq!(secret.key_for(&approves.host_key, approves.epoch), approves.key, "{name}");
        assert_eq!(Answer::of(&asked, &approves, bucket).to_string(), answer, "{name}");
        assert!(Answer::parse(&answer).unwrap().is_of(&asked, &approves), "{name}");
        assert_eq!(line(&approves), text, "{name}");
        assert_eq!(CodeKeys::parse(text.as_bytes()).unwrap().of(approves.slot).unwrap().approves, approves);
    }
}

#[test]
fn the_vectors_are_what_the_program_prints() {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/offline-vectors/codes.py");
    let printed = Command::new("python3").arg("-B").arg(program).output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), VECTORS);
}

#[test]
fn an_answer_holds_for_nothing_else_than_what_was_read_out_and_for_nobody_else() {
    let Case { asked, approves, bucket, answer, .. } = cases().remove(0);
    let answer = Answer::parse(&answer).unwrap();
    assert!(answer.is_of(&asked, &approves));
    let of = |asked: &Asked| answer.is_of(asked, &approves);
    assert!(!of(&Asked { user: "marie".parse().unwrap(), ..asked.clone() }));
    assert!(!of(&Asked { role: "presses".parse().unwrap(), ..asked.clone() }));
    assert!(!of(&Asked { duration: asked.duration * 2, ..asked.clone() }));
    assert!(!of(&Asked { start: Start::Extends, ..asked.clone() }));
    assert!(!of(&Asked { code: RequestCode::of(Digest::of(b"another")), ..asked.clone() }));
    let by = |approves: Approves| answer.is_of(&asked, &approves);
    assert!(!by(Approves { principal: "olga".parse().unwrap(), ..approves.clone() }));
    assert!(!by(Approves { slot: Slot::numbered(1).unwrap(), ..approves.clone() }));
    assert!(!by(Approves { epoch: 2, ..approves.clone() }));
    assert!(!by(Approves { host_key: "SHA256:other".into(), ..approves.clone() }));
    assert!(!by(Approves {
        key: HostCodeKey::parse(&cases()[1].approves.key.text()).unwrap(),
        ..approves.clone()
    }));
    // Whoever hears a denial does not make an approval of it.
    let denial = Answer::of(&asked, &approves, Bucket::DENY);
    assert!(denial.is_of(&asked, &approves));
    let mut forged = denial;
    forged.bucket = bucket;
    assert!(!forged.is_of(&asked, &approves));
}

#[test]
fn a_slip_of_the_tongue_is_found_before_an_answer_is_compared() {
    let case = cases().remove(0);
    let spoken = case.answer.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
    assert_eq!(Answer::parse(&spoken), Answer::parse(&case.answer));
    let mut wrong = case.answer.clone().into_bytes();
    wrong.swap(5, 6);
    assert_ne!(wrong, case.answer.as_bytes());
    assert_eq!(Answer::parse(&String::from_utf8(wrong).unwrap()), Err(BadSymbols::Check));
    let short = &case.answer[1..];
    assert_eq!(Answer::parse(short), Err(BadSymbols::Length { wanted: 14, found: 13 }));
    assert_eq!(RequestCode::parse(&case.answer), Err(BadSymbols::Length { wanted: 12, found: 14 }));
}

#[test]
fn a_bucket_denies_approves_as_asked_or_for_one_of_thirty_times() {
    assert_eq!((Bucket::DENY.decision(), Bucket::DENY.time()), (Decision::Deny, None));
    assert_eq!((Bucket::AS_ASKED.decision(), Bucket::AS_ASKED.time()), (Decision::Approve, None));
    let times: Vec<Duration> = Bucket::times().collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
    for time in times {
        let bucket = Bucket::lasting(time).unwrap();
        assert_eq!((bucket.decision(), bucket.time()), (Decision::Approve, Some(time)));
        assert_eq!(Bucket::of(bucket.symbol()), bucket);
    }
    assert_eq!(Bucket::lasting(Duration::from_mins(16)), None);
}

#[test]
fn a_line_that_says_something_else_than_it_must_is_told_with_its_place() {
    let good = cases().remove(0).line;
    assert_eq!(CodeKeys::parse(format!("# olga's\n\n \t{good} \n").as_bytes()).unwrap().iter().count(), 1);
    let other = cases()[2].line.clone();
    assert_eq!(CodeKeys::parse(format!("{good}\n{other}").as_bytes()).unwrap().iter().count(), 2);
    let first = |text: &str| CodeKeys::parse(text.as_bytes()).unwrap_err().remove(0).to_string();
    for (text, why) in [
        (format!("{good} more"), "line 1: it is not 'SLOT PRINCIPAL EPOCH HOST-KEY KEY'"),
        (good.replacen('0', "32", 1), "line 1: its first word is not a slot"),
        (good.replacen('0', "00", 1), "line 1: its first word is not a slot"),
        (good.replacen(" 1 ", " 0 ", 1), "line 1: its third word is not an epoch"),
        (good.replacen(" 1 ", " 01 ", 1), "line 1: its third word is not an epoch"),
        (
            good.replacen("SHA256:", "MD5:", 1),
            "line 1: its fourth word is not the fingerprint of a host's key",
        ),
        (format!("{good}0"), "line 1: its key cannot be taken: it has 29 characters, and 28 are needed"),
        (good.replacen(' ', "\u{a0}", 1), "line 1: it has a character that is not printable ASCII"),
        (format!("{good}\n{good}"), "line 2: its slot stands in line 1 already"),
        (format!("{good}\n{}", good.replacen('0', "1", 1)), "line 2: its principal stands in line 1 already"),
        ("#".repeat(2000), "line 1: it has more than 1024 bytes"),
    ] {
        let said = first(&text);
        assert!(said.contains(why), "{text}\n{said}");
    }
    let mut wrong = good.clone().into_bytes();
    let end = wrong.len();
    wrong.swap(end - 1, end - 2);
    assert!(CodeKeys::parse(&wrong).is_err() || wrong == good.as_bytes());
    assert!(
        format!("{:?}", CodeKeys::parse(good.as_bytes())).contains("HostCodeKey(…)"),
        "no log shows a key"
    );
}

#[test]
fn whatever_stands_where_in_a_line_no_word_of_it_is_told() {
    let case = cases().remove(0);
    let [key, name, host_key] =
        [case.approves.key.text(), case.approves.principal.to_string(), case.approves.host_key];
    let words: Vec<&str> = case.line.split(' ').collect();
    let plain = key.replace('-', "");
    let mut lines: Vec<String> = Vec::new();
    for (one, other) in (0..5).flat_map(|one| (0..one).map(move |other| (one, other))) {
        let mut swapped = words.clone();
        swapped.swap(one, other);
        lines.push(swapped.join(" "));
    }
    // The key, in each place, as it is and as it may be typed; a name that stands twice.
    for (place, key) in (0..4).flat_map(|place| [(place, &key), (place, &plain)]) {
        let mut typed = words.clone();
        typed[place] = key;
        lines.push(typed.join(" "));
        lines.push(format!("{}\n{}", typed.join(" "), typed.join(" ").replacen('0', "1", 1)));
    }
    let told = lines.iter().filter_map(|text| CodeKeys::parse(text.as_bytes()).err()).flatten();
    let told: Vec<String> = told.map(|bad| format!("{bad} {bad:?}")).collect();
    assert!(told.len() >= lines.len(), "nearly all of them are refused, some in two lines");
    for word in [&key, &plain, &name, &host_key] {
        let shown = told.iter().find(|text| text.contains(word.as_str()));
        assert_eq!(shown, None, "{word} is told");
    }
    assert!(told.iter().any(|text| text.contains("line 1: its first word is not a slot")), "{told:?}");
    assert!(CodeKeys::parse(case.line.as_bytes()).is_ok(), "in their places they are taken");
}
