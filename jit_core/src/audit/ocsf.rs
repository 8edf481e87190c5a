//! Records as events of the Open Cybersecurity Schema Framework, version 1.3.0 (schema.ocsf.io), a JSON object each.
//!
//! Logins and their ends are events of class Authentication (3002), windows that open of class User Access Management
//! (3005), all else of the base class: the record of an end names a grant and no user, which that class wants. Every field of the line is in `unmapped`, and the record's exact bytes
//! are in `raw_data`.

use std::collections::BTreeMap;

use jit_proto::text::Shown;
use serde_json::{Value, json};

use super::format::json_inert;
use super::line::{Line, Severity};
use crate::event::{Event, Record};
use crate::model::Actor;

const VERSION: &str = "1.3.0";

/// What an event is in the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class {
    uid: u64,
    name: &'static str,
    /// Category's uid and name.
    category: (u64, &'static str),
    /// Activity's id and name.
    activity: (u64, &'static str),
    /// Success, or failure; absent where neither is meant.
    succeeded: Option<bool>,
}

impl Class {
    const fn of(event: &Event) -> Self {
        if matches!(event, Event::Allowed { basis, .. } if !basis.awaits_key)
            || matches!(event, Event::SessionOpened { basis, .. } if basis.by_key)
            || matches!(event, Event::SessionAdopted { .. })
        {
            Self::login((1, "Logon"), true)
        } else if matches!(event, Event::Denied { .. } | Event::SessionRefused { .. }) {
            Self::login((1, "Logon"), false)
        } else if matches!(event, Event::SessionGone { past: Some(_), .. }) {
            Self::login((2, "Logoff"), true)
        } else if matches!(event, Event::Opened { .. }) {
            Self { uid: 3005, name: "User Access Management", ..Self::login((1, "Assign Privileges"), true) }
        } else {
            let (category, activity) = ((0, "Uncategorized"), (99, "Other"));
            Self { uid: BASE, name: "Base Event", category, activity, succeeded: None }
        }
    }

    const fn login(activity: (u64, &'static str), succeeded: bool) -> Self {
        let category = (3, "Identity & Access Management");
        Self { uid: 3002, name: "Authentication", category, activity, succeeded: Some(succeeded) }
    }
}

/// The uid of the base class.
const BASE: u64 = 0;

/// A record as one line of JSON without its end. `version` is that of the program that writes it; `host` is whose log it
/// is; `bytes` are the record's own.
#[must_use]
pub fn ocsf(record: &Record, bytes: &str, host: &str, version: &str) -> String {
    let line = Line::whole(record);
    let class = Class::of(&record.event);
    let field =
        |key: &str| line.fields.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str());
    let (severity_id, severity) = severity(line.severity);
    let mut event = json!({
        "activity_id": class.activity.0,
        "activity_name": class.activity.1,
        "category_uid": class.category.0,
        "category_name": class.category.1,
        "class_uid": class.uid,
        "class_name": class.name,
        "type_uid": class.uid * 100 + class.activity.0,
        "severity_id": severity_id,
        "severity": severity,
        "time": record.at.wall.unix_millis(),
        "message": line.message(),
        "metadata": {
            "version": VERSION,
            "profiles": ["host"],
            "product": { "name": "jitd", "vendor_name": "pam_jit", "version": version },
            "event_code": line.event,
            "sequence": record.seq,
            "uid": format!("{host}:{}", record.seq),
        },
        "device": { "hostname": host, "type_id": 0 },
        "raw_data": bytes,
        "unmapped": line.fields.iter().map(|(key, value)| (*key, shown(value))).collect::<BTreeMap<_, _>>(),
    });
    let more = [
        class.succeeded.map(|succeeded| ("status_id", json!(if succeeded { 1 } else { 2 }))),
        class.succeeded.map(|succeeded| ("status", json!(if succeeded { "Success" } else { "Failure" }))),
        field("why").map(|why| ("status_detail", json!(shown(why)))),
        record.actor.map(|actor| ("actor", who(actor, field("pid")))),
    ];
    // The base class has none of these.
    let of_class = [
        field("user").map(|user| ("user", named(user, field("uid")))),
        field("service").map(|service| ("service", json!({ "name": shown(service) }))),
        field("from").map(|from| ("src_endpoint", json!({ "ip": from }))),
        field("grant").map(|grant| ("resource", json!({ "name": host, "type": "host", "uid": grant }))),
        field("role").map(|role| ("privileges", json!([shown(role)]))),
    ];
    let of_class = of_class.into_iter().filter(|_| class.uid != BASE);
    for (key, value) in more.into_iter().chain(of_class).flatten() {
        event[key] = value;
    }
    json_inert(&event.to_string())
}

/// Who caused it: by the kernel's word, and with the process where the record has it.
fn who(actor: Actor, pid: Option<&str>) -> Value {
    let mut who = json!({ "user": { "uid": actor.uid.to_string() } });
    if let Some(session) = actor.session {
        who["session"] = json!({ "uid": session.to_string() });
    }
    if let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok()) {
        who["process"] = json!({ "pid": pid });
    }
    who
}

fn named(user: &str, uid: Option<&str>) -> Value {
    match uid {
        Some(uid) => json!({ "name": shown(user), "uid": uid }),
        None => json!({ "name": shown(user) }),
    }
}

/// Id and name in the schema.
const fn severity(severity: Severity) -> (u64, &'static str) {
    match severity {
        Severity::Alert => (5, "Critical"),
        Severity::Error => (4, "High"),
        Severity::Warning => (3, "Medium"),
        Severity::Notice => (2, "Low"),
        Severity::Info => (1, "Informational"),
    }
}

fn shown(value: &str) -> String {
    Shown(value).to_string()
}

#[cfg(test)]
#[path = "ocsf_tests.rs"]
mod tests;
