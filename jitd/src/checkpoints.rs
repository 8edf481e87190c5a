//! Checkpoints of the log: made at the start, at the stop, each hour in which something happened, and soon after each
//! decision. Each is a record of its own, so it is in the store, in the journal and in syslog.
//!
//! Nobody waits for one: a login's answer needs its record on disk, and no signature. It is made of what is on disk.

use std::sync::Arc;

use crate::alarm::Alarm;
use crate::app::App;
use crate::clock::since_boot;
use crate::desk::Closed;
use crate::notary::SOON;
use crate::store::StoreError;

/// Makes them for as long as jitd runs.
pub(crate) async fn keep_making(app: Arc<App>, alarm: Alarm) {
    let mut last = since_boot();
    loop {
        let decided = app.desk.decided.listen();
        let wait = app.desk.notary.wait(since_boot().saturating_sub(last));
        if wait.is_zero() {
            match app.desk.make_checkpoint() {
                Ok(Some(ticket)) => drop(ticket.durable().await),
                Ok(None) => {}
                // Not now: jitd says by itself why.
                Err(_) => {
                    alarm.wait(SOON, decided).await;
                    continue;
                }
            }
            last = since_boot();
            continue;
        }
        alarm.wait(wait, decided).await;
    }
}

/// Waits until the log's end is on disk, and signs that.
pub(crate) async fn make_last(app: &App, closed: Closed) -> Result<(), StoreError> {
    closed.ticket.durable().await?;
    app.desk.catch_up().await?;
    match app.desk.make_last_checkpoint(closed.next_seq, closed.now) {
        Some(ticket) => ticket.durable().await.map(drop),
        None => Ok(()),
    }
}
