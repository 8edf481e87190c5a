//! The file that a page goes into: whole or not at all, and for whoever made it alone, as the log is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::cmd::audit::read::named;
use crate::error::Error;

/// Writes a file in the place of one that may be there. A link of that name is replaced, not followed.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
    let failed =
        |path: &Path, why: &io::Error| Error::Usage(format!("{} cannot be written ({why})", named(path)));
    let mut file = made.map_err(|why| failed(&beside, &why))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.and_then(|()| fs::rename(&beside, path)).map_err(|why| {
        drop(fs::remove_file(&beside));
        failed(path, &why)
    })
}
