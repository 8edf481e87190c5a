//! `jitctl offline evidence`: what was signed elsewhere, in files, with the commands that verify it with stock OpenSSH.

use std::path::Path;
use std::str::FromStr;

use jit_core::audit::evidence::{evidence, namespace};
use jit_core::event::Record;
use jit_proto::audit::Page;
use jit_proto::manager::Entry;
use jit_proto::text::Typed;
use jit_proto::words::RequestId;

use crate::call::Call;
use crate::error::{Error, Failure};
use crate::fresh::write_new;
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give, json as as_json};
use crate::screen::Screen;
use crate::values::Id;
use crate::views::verify_command;

/// What the evidence is of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    /// The reviews of a request that came as signed files.
    Request(RequestId),
    /// A record: of a review, or of a revoke, a lock, a clock or a policy that was signed elsewhere.
    Record(u64),
}

impl FromStr for Of {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Record(number));
        }
        let request = text.parse().map_err(|why| format!("{why}; a record is named by its number"))?;
        Ok(Self::Request(request))
    }
}

/// A text, a signature over it, and whose it is.
struct Signed {
    text: String,
    signature: String,
    principals: Vec<String>,
}

pub(super) fn run(
    of: Of,
    dir: &Path,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let (name, signed, none): (String, Vec<Signed>, String) = match of {
        Of::Request(id) => {
            let entry: Entry = jitd::ask(jitd, &Call::Show { id: Id::Request(id) })?;
            if json {
                return Ok(give(&entry, true, screen, |_| View::yes(String::new()))?);
            }
            let all = entry.reviews.iter().filter_map(|review| review.signed.as_ref());
            let signed = all.map(|signed| Signed {
                text: signed.text.clone(),
                signature: signed.signature.clone(),
                principals: signed.principals.clone(),
            });
            (id.to_string(), signed.collect(), format!("no review of {id} came as a signed file"))
        }
        Of::Record(number) => {
            let record = record(number, jitd)?;
            if json {
                screen.data(&as_json(&record)?)?;
                return Ok(Outcome::Yes);
            }
            let signed = evidence(&record.event).into_iter().map(|signed| Signed {
                text: signed.text.clone(),
                signature: signed.signature.clone(),
                principals: signed.principals.clone(),
            });
            (
                format!("record-{number}"),
                signed.collect(),
                format!("record {number} holds nothing that was signed"),
            )
        }
    };
    write(&name, &signed, &none, dir, screen)
}

/// One record of the log.
fn record(number: u64, jitd: &dyn Jitd) -> Result<Record, Failure> {
    let page: Page = jitd::ask(jitd, &Call::Records { first: number, most: 1 })?;
    let Some(text) = page.records.first().filter(|_| number < page.total) else {
        let last = page.total.saturating_sub(1);
        return Err(Error::Usage(format!("there is no record {number}; the last one is {last}")).into());
    };
    let garbled = |why: &dyn std::fmt::Display| Error::Garbled(why.to_string());
    Ok(Record::decode(number, text.as_bytes()).map_err(|why| garbled(&why))?)
}

fn write(
    name: &str,
    signed: &[Signed],
    none: &str,
    dir: &Path,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    if signed.is_empty() {
        screen.say(&format!("jitctl: {none}"));
        return Ok(Outcome::No);
    }
    for (number, Signed { text, signature, principals }) in (1..).zip(signed) {
        let path = |end: &str| dir.join(format!("{name}.{number}.{end}"));
        write_new(&path("txt"), text)?;
        write_new(&path("sig"), signature)?;
        let shown = |end: &str| Typed(&path(end).display().to_string()).to_string();
        let of = namespace(text).ok_or_else(|| Error::Garbled("a text that nobody signs".to_owned()))?;
        for principal in principals {
            screen.data(&format!("{}\n", verify_command(of, principal, &shown("sig"), &shown("txt"))))?;
        }
    }
    Ok(Outcome::Yes)
}
