//! What an approver reads, whatever bytes it is: the file of a request.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_core::digest::Digest;
use jit_core::model::{Decision, Narrow};
use jit_core::sign::MAX_TEXT;
use jit_core::sign::compact;
use jit_core::sign::file::RequestFile;
use jit_core::sign::statement::Statement;

use crate::reached::{Goal, reach, reach_if};
use crate::{assert_line, assert_lines};

/// Takes the bytes for a file, as they are and with the digest of what they say, since a byte that was changed gets no
/// further without. A file has one form and the digest of what it shows, by a second reading of it; what is said about it
/// quotes that digest; in rows it is the same; or it is refused in a line that can be shown. The answer is how many were
/// read.
///
/// # Panics
///
/// Where a rule is broken.
#[must_use]
pub fn request(bytes: &[u8]) -> usize {
    let mended = with_digest(bytes);
    let texts = [Some(bytes), mended.as_deref().filter(|mended| *mended != bytes)];
    texts.into_iter().flatten().map(|text| usize::from(read(text))).sum()
}

fn read(bytes: &[u8]) -> bool {
    let file = match RequestFile::parse(bytes) {
        Ok(file) => file,
        Err(why) => {
            let why = why.to_string();
            assert_line(&why);
            reach_if(why.contains("the digest is not that of the request"), Goal::RequestChanged);
            return false;
        }
    };
    let written = file.text();
    assert!(written.len() <= MAX_TEXT);
    assert_lines(&written);
    assert_eq!(String::from_utf8_lossy(bytes).replace("\r\n", "\n"), written, "a file has one form");
    assert_eq!(digest(&written), Some(file.digest), "it is the digest of what is shown");
    reach(Goal::Request);
    reach_if(file.start.is_some(), Goal::RequestLater);
    reach_if(file.extends.is_some(), Goal::RequestExtends);
    reach_if(file.filed_by != file.user, Goal::RequestForAnother);
    reach_if(file.checkpoint.is_some(), Goal::RequestCheckpoint);
    match compact::request(&file) {
        Ok(rows) => {
            reach(Goal::RequestRows);
            let bare = RequestFile { checkpoint: None, ..file.clone() };
            assert_eq!(compact::parse_request(&rows.to_string()), Ok(bare));
        }
        Err(why) => assert_line(&why.to_string()),
    }
    let narrow = Narrow {
        duration: Some(Duration::from_secs(600)),
        services: Some(file.services.clone()),
        uses: Some(NonZeroU32::MIN),
    };
    for (decision, goal) in [(Decision::Deny, Goal::Denial), (Decision::Approve, Goal::Less)] {
        let said = Statement::about(&file, decision, narrow.clone(), Some(file.reason.clone()));
        match Statement::parse(said.text().as_bytes()) {
            Ok(again) => {
                reach(goal);
                assert_eq!(again, said);
                assert!(said.text().contains(&format!("\ndigest: {}\n", file.digest)));
            }
            // A reason that fits into the file may be too long for a note.
            Err(why) => assert_line(&why.to_string()),
        }
    }
    true
}

/// The same with the digest that the other lines come to; none where they come to none.
fn with_digest(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let found = digest(text)?;
    let lines = text.split_inclusive('\n').map(|line| match line.strip_prefix("digest: ") {
        Some(rest) => format!("digest: {found}{}", &rest[rest.trim_end_matches(['\r', '\n']).len()..]),
        None => line.to_owned(),
    });
    Some(lines.collect::<String>().into_bytes())
}

/// The digest of the request in a file, read by no rule of the product.
fn digest(text: &str) -> Option<Digest> {
    let of: BTreeMap<&str, &str> = text.lines().skip(1).filter_map(|line| line.split_once(": ")).collect();
    let value = |label: &str| of.get(label).map(|value| (*value).to_owned());
    let optional = |label: &str, none: &str| value(label).filter(|value| value != none);
    let fields = [
        ("id", Some(value("request")?)),
        ("host", Some(value("host")?)),
        ("user", Some(plain(of.get("user")?)?)),
        ("uid", Some(value("uid")?)),
        ("role", Some(value("role")?)),
        ("terms", Some(value("terms")?)),
        ("services", Some(value("services")?)),
        ("uses", Some(value("uses")?)),
        ("duration", Some(seconds(of.get("duration")?)?.to_string())),
        ("start", optional("start", "at-approval")),
        ("extends", optional("extends", "none")),
        ("filed-by", Some(plain(of.get("filed-by")?)?)),
        ("filed-by-uid", Some(value("filed-by-uid")?)),
        ("filed-at", Some(value("filed-at")?)),
        ("reason", Some(plain(of.get("reason")?)?)),
    ];
    let lines = fields.into_iter().filter_map(|(label, value)| Some(format!("{label}: {}\n", value?)));
    Some(Digest::of(format!("jitd.request.v1\n{}", lines.collect::<String>()).as_bytes()))
}

fn seconds(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut number: u64 = 0;
    for letter in text.chars() {
        let unit = match letter {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            digit => {
                number = number.checked_mul(10)?.checked_add(u64::from(digit.to_digit(10)?))?;
                continue;
            }
        };
        total = total.checked_add(std::mem::take(&mut number).checked_mul(unit)?)?;
    }
    Some(total)
}

/// Backslashes are doubled in a file, and what is not ASCII is `\u{HEX}`.
fn plain(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next()? {
                '\\' => out.push('\\'),
                'u' => {
                    let hex: String = letters.by_ref().skip(1).take_while(|letter| *letter != '}').collect();
                    out.push(char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?);
                }
                _ => return None,
            },
            letter => out.push(letter),
        }
    }
    Some(out)
}
