//! Listening for changes, signals and keys.
//!
//! jitd's `Changed` carries an id and nothing else, and is believed in nothing: it only makes jitctl look earlier than
//! it would have. Signals are waited for on a thread of their own (sigwait(3)), so that no handler is needed; every
//! other thread keeps them blocked.

use std::io::{self, Read};
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use futures_core::Stream;
use jit_proto::OBJECT_PATH;
use jit_proto::manager::USER_INTERFACE;
use nix::sys::signal::{SigSet, Signal};
use zbus::{MatchRule, MessageStream, block_on, message};

use crate::terminal::keys::Decoder;
use crate::times::Stopwatch;
use crate::transport::connect;
use crate::wakes::{POLL, Wake, Wakes, quiet};

/// What came within a moment is one change: nobody's flood makes jitctl ask more often than this.
const MOMENT: Duration = Duration::from_millis(250);

/// The real ones.
pub(crate) struct Listening {
    told: Receiver<Wake>,
    tell: SyncSender<Wake>,
}

impl Listening {
    /// From now on a signal no longer ends the process by itself.
    pub(crate) fn start(socket: &Path) -> Self {
        let (tell, told) = sync_channel(64);
        let ends = SigSet::from_iter([
            Signal::SIGINT,
            Signal::SIGQUIT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGWINCH,
        ]);
        // Without either thread the wait still ends in time.
        if ends.thread_block().is_ok() {
            let tell = tell.clone();
            drop(thread::Builder::new().name("signals".to_owned()).spawn(move || signals(&ends, &tell)));
        }
        let (socket, heard) = (socket.to_owned(), tell.clone());
        drop(thread::Builder::new().name("changes".to_owned()).spawn(move || changes(&socket, &heard)));
        Self { told, tell }
    }
}

impl Wakes for Listening {
    fn wait(&mut self, longest: Duration) -> (Wake, Duration) {
        let watch = Stopwatch::start();
        let wake = match self.told.recv_timeout(longest) {
            Ok(Wake::Changed) => {
                thread::sleep(MOMENT);
                // What else came meanwhile is more pressing, or the same.
                self.told.try_iter().find(|wake| *wake != Wake::Changed).unwrap_or(Wake::Changed)
            }
            Ok(wake) => wake,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Wake::Time,
        };
        (wake, watch.passed())
    }

    fn read_keys(&mut self) {
        let tell = self.tell.clone();
        let reader = move || {
            quiet();
            keys(&mut io::stdin().lock(), &tell);
        };
        drop(thread::Builder::new().name("keys".to_owned()).spawn(reader));
    }
}

/// A terminal that is gone can be watched by nobody.
fn keys(from: &mut dyn Read, tell: &SyncSender<Wake>) {
    let mut decoder = Decoder::default();
    let mut bytes = [0; 64];
    loop {
        let wakes: Vec<Wake> = match from.read(&mut bytes) {
            Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => vec![Wake::Interrupted],
            Ok(read) => decoder.keys(&bytes[..read]).into_iter().map(Wake::Key).collect(),
        };
        for wake in wakes {
            if tell.send(wake).is_err() || wake == Wake::Interrupted {
                return;
            }
        }
    }
}

fn signals(ends: &SigSet, tell: &SyncSender<Wake>) {
    loop {
        let wake = match ends.wait() {
            Ok(Signal::SIGWINCH) => Wake::Resized,
            Ok(_) => Wake::Interrupted,
            Err(_) => return,
        };
        if tell.send(wake).is_err() {
            return;
        }
    }
}

/// Listens for as long as the process lives; a bus that goes away is looked for again.
fn changes(socket: &Path, tell: &SyncSender<Wake>) {
    quiet();
    loop {
        // Why it ended is no news: the poll goes on, and says what is wrong.
        drop(block_on(listen(socket, tell)));
        thread::sleep(POLL);
    }
}

async fn listen(socket: &Path, tell: &SyncSender<Wake>) -> zbus::Result<()> {
    let Ok(connection) = connect(socket).await else { return Ok(()) };
    let rule = MatchRule::builder()
        .msg_type(message::Type::Signal)
        .path(OBJECT_PATH)
        .interface(USER_INTERFACE)
        .member("Changed")
        .build()?;
    let mut stream = MessageStream::for_match_rule(rule, &connection, None).await?;
    // What changed before this was heard by nobody. A channel that is full is going to be looked into anyway.
    tell.try_send(Wake::Changed).ok();
    while let Some(heard) = std::future::poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
        heard?;
        tell.try_send(Wake::Changed).ok();
    }
    Ok(())
}
