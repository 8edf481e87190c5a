//! The host of a single file, as `offline sign` meets it: held against what is known of it, and kept.

use std::path::Path;

use jit_core::proof::checkpoint::Signs;
use jit_core::sign::file::RequestFile;
use jit_core::sign::seal::sealed;
use jit_exchange::history::{History, Judgement};
use jit_exchange::known::Known;
use jit_exchange::names::MAX_NOTE;
use jit_proto::text::Typed;

use super::files::bounded;
use super::home::Home;
use crate::error::Error;
use crate::prompts::yes;
use crate::screen::Screen;

/// Why a file is not to be signed, by what is known of its host; none if nothing speaks against it.
pub(super) fn refuses(
    path: &Path,
    file: &RequestFile,
    home: &Home,
    sure: bool,
    screen: &mut Screen<'_>,
) -> Result<Option<String>, Error> {
    let host = &file.host;
    let Some(known) = home.known(host)? else { return first(file, home, sure, screen) };
    if known.fingerprint != file.host_key {
        return Ok(Some(format!(
            "the key of {host} is {} and not {}, by which it is known (to know it by the new key, ask who runs it, and \
             remove {})",
            file.host_key,
            known.fingerprint,
            Typed(&home.file(host))
        )));
    }
    let Some(key) = &known.key else { return Ok(None) };
    if let Some(seal) = seal_beside(path)
        && sealed(&file.text(), &seal, key) != Signs::Well
    {
        return Ok(Some(format!(
            "{host} has not sealed it: somebody else wrote it, or changed it on its way"
        )));
    }
    let mut history = History::of(key.clone(), known.seen, &home.checkpoints(host)?);
    history.comes_with_request(file.filed_at, file.checkpoint.clone());
    match history.judge(None) {
        Judgement::Broken(verdict, what) => Ok(Some(format!("the log of {host} is {verdict}: {what}"))),
        Judgement::GoesOn { keep, .. } if !keep.is_empty() => home.keep(&known, &keep).map(|()| None),
        Judgement::GoesOn { .. } | Judgement::Older => Ok(None),
    }
}

fn first(
    file: &RequestFile,
    home: &Home,
    sure: bool,
    screen: &mut Screen<'_>,
) -> Result<Option<String>, Error> {
    let RequestFile { host, host_key, .. } = file;
    if sure || !screen.can_ask() {
        screen
            .say(&format!("jitctl: {host} is not known here, and nobody was asked whether its key is right"));
        return Ok(None);
    }
    screen.say(&format!(
        "\n{host} is not known here yet. Its key is\n  {host_key}\nCompare that with what 'jitctl status' says on {host}."
    ));
    if !yes(screen, &format!("Is this {host}?"), false) {
        return Ok(Some("nobody has said that its key is right".to_owned()));
    }
    home.keep(&Known::by(host.clone(), host_key.clone()), &[]).map(|()| None)
}

fn seal_beside(path: &Path) -> Option<String> {
    let bytes = bounded(&path.with_extension("seal"), MAX_NOTE).ok()?;
    String::from_utf8(bytes).ok()
}
