//! Takes away what systemd and logind keep of logins that were ended while they came in.

use std::sync::Arc;

use zruntime::SharedRuntime;

use super::remains::{due, next_look};
use super::{cgroups, logins};
use crate::app::App;
use crate::clock::since_boot;

/// Takes away what is left, for as long as jitd runs.
pub(crate) async fn keep_clearing(app: Arc<App>, runtime: SharedRuntime) {
    loop {
        let come = app.ended.bell.listen();
        let now = since_boot();
        for one in due(&app.ended, now) {
            if one.is_what_is_there(logins::of(&one.unit).as_ref(), cgroups::runs_in(&one.unit)) {
                app.systemd.forget(&one.unit).await;
            }
        }
        match next_look(&app.ended) {
            None => come.await,
            Some(next) => drop(runtime.timeout(next.saturating_sub(since_boot()), come).await),
        }
    }
}
