//! Whether the kernel holds the wall clock to be synchronised: one way for a suspect clock to be believed again.
//!
//! `systemd-timedated(8)` is asked, which reads it from the kernel (adjtimex(2)), whichever program does the
//! synchronising. It is started by being asked, so it is asked only while the clock is suspect, once a minute. Nobody
//! but root can own its name, and where it does not answer nothing is known.

use std::sync::Arc;
use std::time::Duration;

use jit_proto::SYSTEM_BUS_SOCKET;
use zbus::connection::Builder;
use zbus::{Address, Connection, OwnedVariant};
use zruntime::SharedRuntime;

use crate::bus::App;

/// How often. Ten minutes of the same answer are what counts.
const EACH: Duration = Duration::from_mins(1);

/// How long it may take to start and to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks for as long as jitd runs.
pub(crate) async fn keep_asking(app: Arc<App>, runtime: SharedRuntime) {
    loop {
        let doubted = app.desk.doubted.listen();
        if app.desk.now().is_trusted() {
            doubted.await;
            continue;
        }
        let answer = runtime.timeout(LIMIT, ask()).await;
        app.desk.synchronised(answer.ok().and_then(Result::ok));
        runtime.sleep(EACH).await;
        if app.desk.now().is_trusted() {
            app.desk.synchronised(None);
        }
    }
}

/// `NTPSynchronized` of org.freedesktop.timedate1(5).
async fn ask() -> zbus::Result<bool> {
    const TIMEDATE: &str = "org.freedesktop.timedate1";

    let address: Address = format!("unix:path={SYSTEM_BUS_SOCKET}").as_str().try_into()?;
    let bus: Connection = Builder::address(address).build().await?;
    let properties = Some("org.freedesktop.DBus.Properties");
    let which = (TIMEDATE, "NTPSynchronized");
    let reply =
        bus.call_method(Some(TIMEDATE), "/org/freedesktop/timedate1", properties, "Get", &which).await?;
    let value: OwnedVariant = reply.body().deserialize()?;
    bool::try_from(&*value)
}
