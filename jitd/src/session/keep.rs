//! What is kept going about sessions for as long as jitd runs, each on a task of its own.

use std::sync::Arc;

use zruntime::{Shared, SharedRuntime, Task};

use super::adopt::keep_adopting;
use super::bind::keep_binding;
use super::clear::keep_clearing;
use super::follow::follow;
use super::limits::keep_limits;
use super::people::{People, keep_asking};
use super::serving::keep_holding;
use crate::alarm::Alarm;
use crate::app::App;

/// Starts all of it. It goes on until the tasks are dropped.
pub(crate) fn keep(app: &Arc<App>, runtime: &SharedRuntime, alarm: Alarm) -> [Task<(), Shared>; 7] {
    let people = Arc::new(People::default());
    let (app, timer) = (|| Arc::clone(app), || runtime.clone());
    [
        runtime.spawn("sessions", follow(app(), Arc::clone(&people), alarm)),
        runtime.spawn("adopting", keep_adopting(app(), timer())),
        runtime.spawn("binding", keep_binding(app(), timer())),
        runtime.spawn("clearing", keep_clearing(app(), timer())),
        runtime.spawn("limits", keep_limits(app(), Arc::clone(&people), timer())),
        runtime.spawn("people", keep_asking(app(), people, timer())),
        runtime.spawn("holding", keep_holding(app(), timer())),
    ]
}
