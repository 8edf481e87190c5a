//! jitd decides and remembers. Thin shells around `jit_core`: the bus asks, the desk decides, the store keeps,
//! the sinks tell.

#![forbid(unsafe_code)]
// What is added to an enum is decided on wherever it matters. Tests may pass over what they are not about.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

mod alarm;
mod app;
mod bell;
mod bus;
mod checkpoints;
mod clock;
mod desk;
#[cfg(test)]
mod desk_tests;
mod guarded;
mod host_check;
mod host_key;
mod log;
mod machine;
mod motd;
mod notary;
mod notify;
mod nss;
mod own_file;
mod pam_files;
mod peer;
mod pipes;
mod procfs;
mod rate;
mod recovery;
mod session;
mod session_of;
mod share;
mod signers;
mod sink;
mod store;
mod synced;
mod terminals;
#[cfg(test)]
mod testing;
mod tty;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use jit_host::files::POLICY_DIR;
use jit_host::settings::{BadSettings, SETTINGS, Settings};
use jit_proto::PRIVATE_SOCKET;
use zruntime::SharedRuntime;
use zruntime::signal::{Signal, Signals};

use alarm::Alarm;
use app::App;
use clock::{Clock, since_boot};
use desk::{Closed, Desk, Load, NotLoaded};
use host_check::HostCheck;
use machine::{Places, Watch};
use motd::Motd;
use nss::Names;
use rate::RateLimiter;
use recovery::Notes;
use session::systemd::Systemd;
use store::StorePath;
use store::writer::{self, Queue};

const STATE_DIR: &str = "/var/lib/jitd";
const RUN_DIR: &str = "/run/jitd";

/// Why jitd does not run. Everything that can go wrong later only makes it refuse.
#[derive(Debug, thiserror::Error)]
enum Fatal {
    #[error(transparent)]
    Settings(#[from] BadSettings),
    #[error(transparent)]
    Clock(#[from] clock::NoClock),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error(
        "{0}: must be a folder of root's that only root can enter; run: chown root {0} && chmod 0700 {0}"
    )]
    Folder(String),
    #[error("usage: jitd [--version]; it takes no other argument, see jitd(8)")]
    Usage,
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Fatal {
    move |source| Fatal::Io { what: what.into(), source }
}

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        None => run(),
        Some("--version") => {
            #[allow(clippy::print_stdout)] // what --version is for
            {
                println!("jitd {}", env!("CARGO_PKG_VERSION"));
            }
            Ok(())
        }
        Some(_) => Err(Fatal::Usage),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            log::error(&err);
            if matches!(err, Fatal::Usage) {
                return ExitCode::from(2);
            }
            // systemd starts it again as soon as it has ended: a second each is often enough.
            std::thread::sleep(Duration::from_secs(1));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Fatal> {
    let settings = Settings::read(Path::new(SETTINGS))?;
    let clock = Clock::of_this_boot()?;
    for dir in [RUN_DIR, STATE_DIR] {
        own_folder(Path::new(dir))?;
    }
    if !peer::kernel_tells_loginuid() {
        log::warning("this kernel does not tell login uids: reviews go by bus uid");
    }
    if session::processes::are_hidden() {
        log::warning("/proc hides processes (hidepid): the ends of sessions are not enforced; see jitd(8)");
    }
    zruntime::block_on(serve(settings, clock))
}

async fn serve(settings: Settings, clock: Clock) -> Result<(), Fatal> {
    let runtime = SharedRuntime::current().map_err(io("the runtime"))?;
    let mut signals = Signals::new(&runtime, [Signal::Hangup, Signal::Terminate, Signal::Interrupt])
        .map_err(io("signals"))?;
    let (queue, inbox) = writer::queue();
    let store = StorePath::in_dir(Path::new(STATE_DIR));
    let app = Arc::new(App {
        desk: Desk::new(
            queue.clone(),
            clock,
            settings.host,
            PathBuf::from(POLICY_DIR),
            Arc::clone(store.gauge()),
        ),
        names: Names::new(runtime.clone()),
        host_check: HostCheck::default(),
        runtime: runtime.clone(),
        systemd: Systemd::new(runtime.clone()),
        store: store.clone(),
        pipes: pipes::Pipes::default(),
        ration: RateLimiter::of_questions(),
        asking: RateLimiter::of_askers(),
        filing: RateLimiter::of_requests(),
        importing: RateLimiter::of_signatures(),
        codes: RateLimiter::of_codes(),
        signers: signers::Signers::default(),
        sessions: session_of::Sessions::default(),
        awaiting: session::Awaiting::default(),
        askers: session::askers::Askers::default(),
        pam_files: guarded::Watched::default(),
        ended: session::Ended::default(),
    });

    app.signers.load();
    for doubt in app.names.doubts() {
        log::warning(format_args!("no account or group is believed not to exist: {doubt}; see jitd(8)"));
    }
    let settled = app.desk.settled.listen();
    let writing = {
        let (app, store) = (Arc::clone(&app), store.clone());
        spawn("store", move || writer::run(&store, &inbox, &app.desk))?
    };

    // Nobody can ask, and no log follows, before the store has been opened or was found to be unusable: a start must not
    // look like a failure to whoever logs in just then.
    if runtime.timeout(Duration::from_secs(20), settled).await.is_err() {
        log::warning("the store takes long to open; until it has, jitd answers that it cannot decide");
    }
    {
        let (app, queue) = (Arc::clone(&app), queue.clone());
        spawn("sinks", move || sink::follow(&store, &app.desk, &queue))?;
    }
    session::recall(&app).await;
    let listener = bus::private::bind(Path::new(PRIVATE_SOCKET), &runtime).map_err(io(PRIVATE_SOCKET))?;
    let private =
        runtime.spawn("private socket", bus::private::serve(Arc::clone(&app), runtime.clone(), listener));
    let on_bus = Arc::new(zruntime::Event::new());
    let wait = on_bus.listen();
    let system = runtime
        .spawn("system bus", bus::system::stay(Arc::clone(&app), runtime.clone(), Arc::clone(&on_bus)));
    let alarm = || Alarm::new(&runtime).map_err(io("a timer"));
    let due = runtime.spawn("due", keep_time(Arc::clone(&app), alarm()?, queue.clone()));
    let sessions = session::keep(&app, &runtime, alarm()?);
    let motd = runtime.spawn("motd", motd::keep(Arc::clone(&app)));
    let checkpoints = runtime.spawn("checkpoints", checkpoints::keep_making(Arc::clone(&app), alarm()?));
    let watching = runtime.spawn("pam files", pam_files::keep_watching(Arc::clone(&app), runtime.clone()));
    let looking = runtime.spawn("unasked", session::unasked::keep_looking(Arc::clone(&app), runtime.clone()));
    let synced = runtime.spawn("synced", synced::keep_asking(Arc::clone(&app), runtime.clone()));
    let terminals = settings
        .tell_terminals
        .then(|| runtime.spawn("terminals", terminals::keep_telling(Arc::clone(&app), runtime.clone())));

    // Ready means: on both roads. A bus that is down does not keep us from serving the private one.
    if runtime.timeout(Duration::from_secs(3), wait).await.is_err() {
        log::warning("not on the system bus yet; logins are answered, jitctl is not");
    }
    notify::ready();
    log::notice(format_args!("jitd {} answers for {}", env!("CARGO_PKG_VERSION"), app.desk.host));

    while signals.recv().await.map_err(io("signals"))? == Signal::Hangup {
        reload(&app).await;
    }
    notify::stopping();
    let closed = app.desk.close();
    drop((checkpoints, private, system, due, sessions, motd, watching, looking, synced, terminals));
    finish(&app, closed, &queue, writing).await;
    Ok(())
}

/// Waits until all that was decided is on disk, and signs the end of it.
async fn finish(app: &App, closed: Option<Closed>, queue: &Queue, writing: std::thread::JoinHandle<()>) {
    Motd::default().remove();
    if let Some(closed) = closed
        && let Err(err) = checkpoints::make_last(app, closed).await
    {
        log::error(format_args!("the last records: {err}"));
    }
    queue.stop();
    // The writer closes the database behind it; a module that asks meanwhile finds the socket gone.
    drop(fs::remove_file(PRIVATE_SOCKET));
    if writing.join().is_err() {
        log::error("the writer failed on its way out");
    }
}

/// How long a signal is kept waiting by the one before it.
const PATIENCE: Duration = Duration::from_secs(10);

async fn reload(app: &App) {
    let desk = &app.desk;
    app.signers.load();
    match desk.load_policy(&desk.read_policy(), Load::Signal, None) {
        Ok(Ok(Some(ticket))) => match app.runtime.timeout(PATIENCE, ticket.durable()).await {
            Ok(Ok(_)) => log::notice("the policy was loaded"),
            Ok(Err(err)) => log::error(format_args!("the policy was not loaded: {err}")),
            Err(_) => log::warning("the policy is loaded as soon as the disk takes it, and the disk is slow"),
        },
        Ok(Ok(None)) => log::notice("the policy files are in force already"),
        Ok(Err(NotLoaded::Files(bad))) => {
            log::error(format_args!("the policy in force was kept, the files do not load:\n{bad}"));
        }
        Ok(Err(why @ (NotLoaded::Trial(_) | NotLoaded::WentBack | NotLoaded::NotApproved(_)))) => {
            log::error(format_args!("the policy in force was kept: {why}"));
        }
        Err(err) => log::error(err),
    }
}

/// Writes what time brings about, and sleeps until the next thing that matters.
async fn keep_time(app: Arc<App>, alarm: Alarm, queue: Queue) {
    let mut machine = Watch::new(Places::default());
    loop {
        let changed = app.desk.changed.listen();
        enter_recovered(&app.desk).await;
        if machine.has_moved(app.store.dir(), since_boot()) {
            // Read again, it ends what it brought along, and gets a key of its own where it was copied.
            queue.start_again();
        }
        let wait = app.desk.tick();
        alarm.wait(wait.max(Duration::from_millis(10)), changed).await;
    }
}

/// Enters in the audit whom modules let in through `recovery=`; the notes go when that is on disk.
async fn enter_recovered(desk: &Desk) {
    let notes = Notes::default();
    let Some(taken) = notes.take() else { return };
    // Not now is later: the notes stay.
    let is_on_record = taken.events.is_empty()
        || match desk.enter_recovered(taken.events.clone()) {
            Ok(ticket) => ticket.durable().await.is_ok(),
            Err(_) => false,
        };
    if is_on_record {
        notes.forget(taken);
    }
}

fn spawn(
    name: &'static str,
    work: impl FnOnce() + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, Fatal> {
    std::thread::Builder::new().name(name.into()).spawn(work).map_err(io(format!("the {name} thread")))
}

/// Makes the folder if it is not there, and refuses one that anybody else could use.
fn own_folder(path: &Path) -> Result<(), Fatal> {
    let what = path.display().to_string();
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(err) => return Err(io(what)(err)),
    }
    let facts = fs::symlink_metadata(path).map_err(io(what.clone()))?;
    if facts.is_dir() && facts.uid() == 0 && facts.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(Fatal::Folder(what))
    }
}
