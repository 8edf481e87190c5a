//! Keeps on record what this host's PAM files are. They are root's to change, and whoever takes the module's line out of
//! one of them lets people in unasked: for how long that was so is in the log, also where it was put back.
//!
//! The folder is watched (inotify(7)), and looked at once an hour in any case. So is what sudoers(5) says of PAM, which may have
//! sudo ask nobody.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jit_core::audit::about::About;
use jit_core::event::{Event, Record};
use jit_core::model::{PamFileSeen, PamFiles};
use jit_host::binding::has_binding_session_line;
use jit_host::pam_files::{FOLDER, read};
use jit_host::sudoers::pam_settings;
use jit_proto::words::ServiceName;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use zruntime::{AsyncIo, Shared, SharedRuntime};

use crate::app::App;
use crate::guarded::{is_managed, unguarded};
use crate::log;
use crate::store::log::latest_about;
use crate::store::{StoreError, StorePath};

const ETC: &str = "/etc";

/// How often they are looked at where nothing is said to have become of them.
const SELDOM: Duration = Duration::from_hours(1);

/// How often until they are on record for the first time: jitd may not be able to decide just then.
const OFTEN: Duration = Duration::from_mins(1);

/// How long whoever edits them is left before they are read: they write one after another.
const SETTLED: Duration = Duration::from_secs(1);

/// Whoever goes on and on is read in between.
const MOST_AT_ONCE: usize = 1000;

/// Keeps them on record for as long as jitd runs.
pub(crate) async fn keep_watching(app: Arc<App>, runtime: SharedRuntime) {
    let mut known = before(&app.store).await;
    let mut written = BTreeSet::new();
    let (mut watch, mut is_first, mut is_on_record) = (None, true, false);
    loop {
        // Watched first, so that nothing happens unseen between the look and the watch.
        if watch.is_none() {
            let made = Watch::over(&Path::new(ETC).join(FOLDER), &runtime);
            watch = made
                .inspect_err(|err| log::warning(format_args!("/etc/{FOLDER} cannot be watched: {err}")))
                .ok();
        }
        match zruntime::unblock(seen).await {
            Ok(seen) => {
                let now = look(&app, known.as_ref(), seen, &written, is_first);
                is_on_record = now.is_some();
                if is_on_record {
                    (known, is_first) = (now, false);
                    written.clear();
                }
            }
            Err(err) => log::error(format_args!("/etc/{FOLDER} cannot be read: {err}")),
        }
        let limit = if is_on_record { SELDOM } else { OFTEN };
        let Some(watching) = &watch else {
            runtime.sleep(limit).await;
            continue;
        };
        if !watching.wait(limit, &runtime, &mut written).await {
            watch = None;
        }
    }
}

/// What is there.
struct Seen {
    files: Vec<PamFileSeen>,
    /// Those whose session line ends a login that it refuses.
    binding: BTreeSet<ServiceName>,
    /// What sudoers says of PAM.
    sudoers: Option<Vec<String>>,
}

/// What they are now.
fn seen() -> io::Result<Seen> {
    let etc = Path::new(ETC);
    let files = read(etc)?;
    let binds = |service: &ServiceName| has_binding_session_line(etc, service.as_str());
    let binding = files.iter().filter_map(|file| file.name.parse().ok()).filter(binds).collect();
    Ok(Seen { files, binding, sudoers: pam_settings(Path::new("/")) })
}

/// Enters in the record what they are now, where that is news. Returns it once it is entered, or none where it could not be:
/// the next look compares with the same files again.
fn look(
    app: &App,
    before: Option<&PamFiles>,
    Seen { files, binding, sudoers }: Seen,
    written: &BTreeSet<String>,
    is_first: bool,
) -> Option<PamFiles> {
    // Without a policy it is not known which services are managed, and what was lost must not be forgotten.
    let policy = app.desk.policy().ok()?.policy;
    let now = PamFiles::after(before, files, written, |name| is_managed(&policy, name));
    let now = now.with_sudoers(before, sudoers);
    if is_first || !now.touched.is_empty() {
        let event = Event::PamFiles(now.clone());
        // Where jitd cannot decide it says by itself why.
        app.desk.carry(|_| vec![event.clone()]).ok()?;
        for service in &now.lost {
            log::error(unguarded(service));
        }
    }
    if !now.touched.is_empty() {
        let with_line =
            now.files.iter().filter(|file| file.session).filter_map(|file| file.name.parse().ok());
        with_line.for_each(|service| app.awaiting.may_have_line(&service));
    }
    app.pam_files.set(now.clone(), binding);
    Some(now)
}

/// What the record says of them last.
async fn before(store: &StorePath) -> Option<PamFiles> {
    let store = store.clone();
    let read = zruntime::unblock(move || -> Result<Option<PamFiles>, StoreError> {
        let store = store.open_read_only()?;
        let latest = latest_about(&store, About::PamFiles)?;
        Ok(latest.and_then(|(seq, bytes)| {
            let record = Record::decode(seq, &bytes).ok()?;
            if let Event::PamFiles(files) = record.event { Some(files) } else { None }
        }))
    });
    read.await.unwrap_or_else(|err| {
        log::warning(format_args!("what PAM's files were before is not known: {err}"));
        None
    })
}

/// The kernel tells of every change in a folder.
struct Watch(AsyncIo<Inotify, Shared>);

impl Watch {
    fn over(folder: &Path, runtime: &SharedRuntime) -> io::Result<Self> {
        let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let changes = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        watch.add_watch(folder, changes)?;
        Ok(Self(AsyncIo::new_nonblocking(runtime, watch)?))
    }

    /// Adds the names that something was done to, and returns once nothing more is, or the time is over. False once it sees
    /// no more: the folder is another.
    async fn wait(&self, limit: Duration, runtime: &SharedRuntime, written: &mut BTreeSet<String>) -> bool {
        let mut limit = limit;
        for _ in 0..MOST_AT_ONCE {
            match runtime.timeout(limit, self.events(written)).await {
                Ok(Ok(true)) => limit = SETTLED,
                Ok(Ok(false)) => return false,
                Ok(Err(err)) => {
                    log::error(format_args!("/etc/{FOLDER} cannot be watched: {err}"));
                    runtime.sleep(limit).await;
                    return false;
                }
                Err(_) => break,
            }
        }
        true
    }

    async fn events(&self, written: &mut BTreeSet<String>) -> io::Result<bool> {
        let ends = AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_IGNORED
            | AddWatchFlags::IN_Q_OVERFLOW;
        let events = self.0.read_with(|watch| watch.read_events().map_err(io::Error::from)).await?;
        let goes_on = !events.iter().any(|event| event.mask.intersects(ends));
        written.extend(events.into_iter().filter_map(|event| event.name?.into_string().ok()));
        Ok(goes_on)
    }
}
