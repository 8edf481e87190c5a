//! What is read out and typed, whatever bytes it is.

use jit_core::code::keys::line;
use jit_core::code::{Answer, CodeKeys, RequestCode};
use jit_core::sign::compact;
use jit_core::sign::typed::Typed;
use jit_proto::login_request::MAX_LINES;

use crate::reached::{Goal, reach};
use crate::{assert_line, assert_lines, split};

/// Takes four texts: an answer, a request code, the file of keys, a compact form. Each is read as what it is written as again, or refused in
/// a line that can be shown. The answer is how many were read.
///
/// # Panics
///
/// Where a rule is broken.
#[must_use]
pub fn spoken(bytes: &[u8]) -> usize {
    let texts = split(bytes);
    let [answer, code, keys, rows] = [0, 1, 2, 3].map(|at| texts.get(at).copied().unwrap_or_default());
    let mut read = 0;
    let (answer, code) = (String::from_utf8_lossy(answer), String::from_utf8_lossy(code));
    match Answer::parse(&answer) {
        Ok(parsed) => {
            read += 1;
            reach(Goal::Answer);
            assert_eq!(symbols(&answer), parsed.plain(), "nothing but case and blanks has another form");
            assert_eq!(Answer::parse(&parsed.to_string()), Ok(parsed));
        }
        Err(why) => assert_line(&why.to_string()),
    }
    match RequestCode::parse(&code) {
        Ok(parsed) => {
            read += 1;
            reach(Goal::RequestCode);
            assert_eq!(symbols(&code), symbols(&parsed.to_string()));
        }
        Err(why) => assert_line(&why.to_string()),
    }
    match CodeKeys::parse(keys) {
        Ok(known) => {
            read += 1;
            reach(Goal::CodeKeys);
            let lines: Vec<String> = known.iter().map(|one| line(&one.approves)).collect();
            for line in &lines {
                assert_line(line);
            }
            let again = CodeKeys::parse(lines.join("\n").as_bytes()).unwrap();
            assert!(known.iter().map(|one| &one.approves).eq(again.iter().map(|one| &one.approves)));
            assert!(known.iter().count() <= 32, "a slot is one person's");
        }
        Err(bad) => {
            assert!(!bad.is_empty());
            for line in &bad {
                assert_line(&line.to_string());
            }
        }
    }
    let rows = String::from_utf8_lossy(rows);
    match compact::parse_request(&rows) {
        Ok(file) => {
            read += 1;
            reach(Goal::RowsOfRequest);
            assert_lines(&file.text());
            assert_eq!(compact::parse_request(&compact::request(&file).unwrap().to_string()), Ok(file));
        }
        Err(why) => assert_line(&why.to_string()),
    }
    match compact::Brought::parse(&rows) {
        Ok(brought) => {
            read += 1;
            reach(Goal::RowsOfSignature);
            assert_eq!(brought.request.to_string().len(), 10);
        }
        Err(why) => assert_line(&why.to_string()),
    }
    typed(&[answer.into_owned()]);
    typed(&rows.lines().take(MAX_LINES).map(str::to_owned).collect::<Vec<_>>());
    read
}

/// Lines at the prompt of a login, each as it is typed. What is kept of them is of use: it is read again with the next.
fn typed(lines: &[String]) {
    let mut kept: Vec<String> = Vec::new();
    for line in lines {
        kept.push(line.clone());
        match Typed::of(&kept) {
            Ok(Typed::Code(answer)) => {
                reach(Goal::TypedCode);
                assert_eq!(Answer::parse(&kept[0]), Ok(answer), "a code is a line by itself");
                assert_eq!(kept.len(), 1);
                kept.clear();
            }
            Ok(Typed::Signature { request, rows }) => {
                reach(Goal::TypedSignature);
                assert_eq!(compact::Brought::parse(&rows).unwrap().request, request);
                kept.clear();
            }
            Ok(Typed::Rows(missing)) => {
                reach(Goal::TypedSome);
                assert_line(&missing);
                assert!(compact::Brought::parse(&kept.join("\n")).is_err());
            }
            Err(why) => {
                assert_line(&why.to_string());
                let count = why.kept(kept.len());
                assert!(count < kept.len(), "what is refused is not kept");
                kept.truncate(count);
                if !kept.is_empty() {
                    reach(Goal::TypedSlip);
                    assert!(Typed::of(&kept).is_ok(), "what is kept is right");
                }
            }
        }
    }
}

/// What is left of a text without case, blanks and letters that look like digits.
fn symbols(text: &str) -> String {
    let kept = text.chars().filter(|letter| *letter != '-' && !letter.is_whitespace());
    kept.map(|letter| letter.to_ascii_uppercase())
        .map(|letter| match letter {
            'I' | 'L' => '1',
            'O' => '0',
            other => other,
        })
        .collect()
}
