//! Whether the kernel holds the wall clock to be synchronised: one way for a suspect clock to be believed again, and in
//! every record, as it was last told.
//!
//! `systemd-timedated(8)` is asked, which reads it from the kernel (adjtimex(2)), whichever program does the
//! synchronising. It is started by being asked, so it is asked once a minute while the clock is suspect, and else when jitd
//! starts and once an hour. Nobody but root can own its name, and where it does not answer nothing is known.

use std::sync::Arc;
use std::time::Duration;

use zbus::OwnedVariant;
use zruntime::SharedRuntime;

use crate::app::App;
use crate::bus::for_questions;

/// How often while that may bring a suspect clock back: ten minutes of the same answer are what counts.
const EACH: Duration = Duration::from_mins(1);

/// How often else, for the record.
const SELDOM: Duration = Duration::from_hours(1);

/// How long it may take to start and to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks for as long as jitd runs.
pub(crate) async fn keep_asking(app: Arc<App>, runtime: SharedRuntime) {
    loop {
        let doubted = app.desk.doubted.listen();
        let answer = runtime.timeout(LIMIT, ask()).await;
        app.desk.synchronised(answer.ok().and_then(Result::ok));
        if app.desk.now().is_trusted() {
            // Whoever begins to doubt it asks at once.
            let _whether_it_rang = runtime.timeout(SELDOM, doubted).await;
        } else {
            runtime.sleep(EACH).await;
        }
    }
}

/// `NTPSynchronized` of org.freedesktop.timedate1(5).
async fn ask() -> zbus::Result<bool> {
    const TIMEDATE: &str = "org.freedesktop.timedate1";

    let bus = for_questions().await?;
    let properties = Some("org.freedesktop.DBus.Properties");
    let which = (TIMEDATE, "NTPSynchronized");
    let reply =
        bus.call_method(Some(TIMEDATE), "/org/freedesktop/timedate1", properties, "Get", &which).await?;
    let value: OwnedVariant = reply.body().deserialize()?;
    bool::try_from(&*value)
}
