//! What the schema requires of each class, and that nothing of a record is lost.

use super::*;
use crate::audit::format::tests::{HOSTILE, bytes, denied};

fn read(record: &Record) -> Value {
    let text = ocsf(record, &bytes(record), "db-1", "0.1.0");
    assert!(!text.contains(jit_proto::text::is_unprintable), "{text:?}");
    serde_json::from_str(&text).unwrap()
}

/// What every event has to have (schema.ocsf.io, 1.3.0, Base Event).
fn is_an_event(event: &Value) {
    for number in ["activity_id", "category_uid", "class_uid", "severity_id", "time", "type_uid"] {
        assert!(event[number].is_u64(), "{number} of {event}");
    }
    let (class, activity) = (event["class_uid"].as_u64().unwrap(), event["activity_id"].as_u64().unwrap());
    assert_eq!(event["type_uid"], class * 100 + activity);
    assert_eq!(event["category_uid"], class / 1000, "a class is named by its category");
    assert!(
        event["metadata"]["product"]["vendor_name"].is_string() && event["metadata"]["version"] == "1.3.0"
    );
}

#[test]
fn a_refused_login_is_a_failed_logon_and_nothing_of_it_is_lost() {
    for text in HOSTILE {
        let record = denied(text);
        let event = read(&record);
        is_an_event(&event);
        assert_eq!((&event["class_uid"], &event["activity_id"]), (&json!(3002), &json!(1)));
        assert_eq!((&event["status_id"], &event["status_detail"]), (&json!(2), &json!("no-window")));
        assert_eq!(event["user"], json!({ "name": "maria", "uid": "1001" }));
        assert_eq!(event["service"]["name"], "sshd");
        assert_eq!(event["unmapped"]["rhost"], Shown(text).to_string());
        assert_eq!(event["raw_data"], bytes(&record), "the very bytes");
    }
}

#[test]
fn what_the_schema_has_no_class_for_is_a_base_event_with_all_its_fields() {
    let event = Event::Started { version: "0.1.0".to_owned(), loginuid: true };
    let event = read(&Record { event, ..denied("") });
    is_an_event(&event);
    assert_eq!((&event["class_uid"], &event["type_uid"]), (&json!(0), &json!(99)));
    assert_eq!(event["unmapped"]["version"], "0.1.0");
    for key in ["user", "service", "privileges", "resource", "src_endpoint", "status_id"] {
        assert!(event[key].is_null(), "the base class has no {key}: {event}");
    }
}
