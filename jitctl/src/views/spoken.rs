//! What is read out, with the words that the characters are said by beside them.

use jit_core::code::RequestCode;
use jit_core::code::symbols::{Symbol, said as words};
use jit_proto::manager::Spoken;
use jit_proto::text::Shown;

use crate::times::length;

/// A request, to be read out to an approver.
pub(crate) fn spoken(spoken: &Spoken) -> String {
    let Spoken { host, user, role, seconds, start, code, reason, .. } = spoken;
    let mut text = String::from("Read this out to an approver:\n\n");
    let mut line = |label: &str, value: &str| text += &format!("  {label:<8}{}\n", Shown(value));
    line("host", host);
    line("user", user);
    line("role", role);
    line("for", &length(*seconds).to_string());
    if start != "at-approval" {
        line("starts", start);
    }
    match RequestCode::parse(code) {
        Ok(code) => text += &said("code", &code.symbols()),
        // One that this jitctl does not know is still there to read.
        Err(_) => line("code", code),
    }
    text + &format!("  {:<8}{}\n", "reason", Shown(reason))
}

/// Characters in groups, each with the words that it is said by.
pub(crate) fn said(label: &str, symbols: &[Symbol]) -> String {
    let groups = symbols.chunks(4).map(|group| jit_core::code::symbols::Plain(group).to_string());
    let lines = groups.zip(words(symbols)).enumerate().map(|(number, (group, words))| {
        let label = if number == 0 { label } else { "" };
        format!("  {label:<8}{group:<4}  {words}\n")
    });
    lines.collect()
}
