//! What cannot be used is not asked for: a request whose window would be over before the hours of its role begin.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jit_proto::words::RequestId;

use crate::orders::request::{RequestOrder, file, grant};
use crate::testing::{World, as_self, maria, policy, root};

const BASE: &str = r#"
version = 1
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
"#;

const OFFICE: &str = r#"hours = [{ days = "mon-fri", from = "07:00", to = "13:00", tz = "Europe/Berlin" }]"#;

const STAGE: &str = r#"
[[role.shell.stage]]
approvers = { users = ["root", "olga"] }
"#;

#[test]
fn what_would_be_over_before_the_hours_begin_is_refused_with_when_they_do_and_the_rest_is_not() {
    let refusal = |world: &World, start: Option<&str>, hours: u64| {
        let order = RequestOrder {
            beneficiary: maria(),
            role: "shell".parse().unwrap(),
            duration: Some(Duration::from_hours(hours)),
            start: start.map(|start| start.parse().unwrap()),
            reason: "INC-1 look".parse().unwrap(),
            id: RequestId::from_bits(9),
        };
        let by_request = file(world.here(), &as_self(maria()), order.clone()).err();
        assert_eq!(
            by_request,
            grant(world.here(), &as_self(root()), order).err(),
            "an admin is told the same"
        );
        by_request.map(|why| why.to_string())
    };
    let told = |how: &str| {
        Some(format!(
            "role 'shell' is for mon,tue,wed,thu,fri 07:00-13:00 Europe/Berlin, and this window would be over before \
             that; ask again at 2026-11-24T06:00:00Z{how}"
        ))
    };
    // Monday, 10:00Z; the hours are over at 12:00Z.
    let mut world = World::new();
    world.policy = policy(&format!("{BASE}{OFFICE}\n{STAGE}"));
    world.now.wall = "2026-11-23T10:00:00Z".parse().unwrap();
    let night = told(", or now with: --start 2026-11-24T06:00:00Z");
    assert_eq!(refusal(&world, None, 1), None);
    assert_eq!(refusal(&world, Some("2026-11-23T12:00:00Z"), 1), night);
    assert_eq!(refusal(&world, Some("2026-11-24T05:00:00Z"), 1), night, "it would end as they begin");
    assert_eq!(refusal(&world, Some("2026-11-24T05:00:00Z"), 2), None);
    assert_eq!(refusal(&world, Some("2026-11-24T06:00:00Z"), 1), None);
    world.wait(Duration::from_hours(9));
    assert_eq!(refusal(&world, None, 1), night);
    assert_eq!(refusal(&world, None, 4), night);
    // A window that waits for its first login may begin when they do.
    world.policy = policy(&format!("{BASE}{OFFICE}\nstarts = \"at-first-use\"\nlapse = \"12h\"\n{STAGE}"));
    assert_eq!(refusal(&world, None, 1), None);
    // What opens at once cannot be asked for ahead.
    world.policy = policy(&format!("{BASE}{OFFICE}\nemergency = true\n{STAGE}"));
    assert_eq!(refusal(&world, None, 1), told(""));
    // By a clock that is not believed no time is told.
    world.now.suspect = Some(crate::time::Suspicion::Ahead);
    assert_eq!(refusal(&world, None, 1), None);
}
