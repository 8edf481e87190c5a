//! Codes over a real store: a wrong one is on disk before anybody hears of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use jit_core::code::{Answer, Approves, Asked, Bucket, CodeKeys, Secret, Slot, keys};
use jit_core::event::Event;
use jit_core::model::{Decision, Request};
use jit_core::policy::Method;
use jit_core::sign::file::fingerprint;
use jit_proto::error_name;
use jit_proto::manager::{Entry, REVIEW_INTERFACE, Spoken, USER_INTERFACE};
use zbus::block_on;

use crate::testing::{Daemon, POLICY, call, caller, records, served_to};

/// bin has an account on every host, too.
pub(super) fn daemon() -> Daemon {
    Daemon::of(&POLICY.replace("\"olga\"", "\"bin\""))
}

impl Daemon {
    /// The key that bin answers by, which the host has from then on.
    pub(super) fn enrolled(&self) -> Approves {
        let host_key = fingerprint(&self.app.desk.notary.key().unwrap().public());
        let key = Secret::of([7; 32]).key_for(&host_key, 1);
        let (slot, principal) = (Slot::numbered(3).unwrap(), "bin".parse().unwrap());
        let approves = Approves { principal, slot, epoch: 1, host_key, key };
        self.app.signers.take_codes(CodeKeys::parse(keys::line(&approves).as_bytes()).unwrap());
        approves
    }

    async fn spoken(&self, id: &str) -> Spoken {
        self.spoken_to(1, id).await
    }

    async fn spoken_to(&self, uid: u32, id: &str) -> Spoken {
        let (_server, client) = served_to(&self.app, caller(uid)).await;
        let (error, text) = call(&client, REVIEW_INTERFACE, "Code", &(id,)).await;
        assert_eq!(error, "", "{text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn entered(&self, id: &str, code: &str) -> (String, String) {
        self.entered_by(1, id, code).await
    }

    async fn entered_by(&self, uid: u32, id: &str, code: &str) -> (String, String) {
        let (_server, client) = served_to(&self.app, caller(uid)).await;
        call(&client, REVIEW_INTERFACE, "EnterCode", &(id, code)).await
    }
}

/// A request that waits, and its id.
pub(super) fn asked(daemon: &Daemon) -> (Request, String) {
    block_on(async {
        let (_server, client) = served_to(&daemon.app, caller(1)).await;
        let (error, text) =
            call(&client, USER_INTERFACE, "Request", &("shell", 0_u64, "", "INC-1 look")).await;
        assert_eq!(error, "", "{text}");
    });
    let request = daemon.waiting().unwrap();
    let id = request.id.to_string();
    (request, id)
}

#[test]
fn a_wrong_code_is_on_disk_before_it_is_answered_and_no_restart_forgets_it() {
    let daemon = daemon();
    let (request, id) = asked(&daemon);
    let of = |approves: &Approves, bucket| Answer::of(&Asked::by(&request), approves, bucket).plain();
    let told = block_on(daemon.spoken(&id));
    assert!(told.refused.unwrap().contains("no approver's key"), "nobody has a key yet");
    let approves = daemon.enrolled();
    let stranger = Approves { key: Secret::of([8; 32]).key_for(&approves.host_key, 1), ..approves.clone() };
    for left in (1..5).rev() {
        let (error, text) = block_on(daemon.entered(&id, &of(&stranger, Bucket::AS_ASKED)));
        assert!(error == error_name::REFUSED && text.contains(&format!("{left} tr")), "{error} {text}");
        // Another connection sees it, so it was committed.
        let last = records(&daemon.store()).pop().unwrap();
        let is_counted = matches!(last.event, Event::CodeRefused { wrong: true, slot: 3, .. });
        assert!(is_counted && last.actor.is_some_and(|actor| actor.uid.as_u32() == 1), "{last:?}");
    }
    let daemon = Daemon::start_in(daemon.stop());
    let approves = Approves { ..daemon.enrolled() };
    let told = block_on(daemon.spoken(&id));
    assert_eq!((told.tries, told.refused), (1, None));
    let (error, text) = block_on(daemon.entered(&id, "0000-0000-0000-01"));
    assert!(error == error_name::INVALID && text.contains("no try was counted"), "{error} {text}");
    let (error, answer) = block_on(daemon.entered(&id, &of(&approves, Bucket::AS_ASKED)));
    assert_eq!(error, "", "{answer}");
    let entry: Entry = serde_json::from_str(&answer).unwrap();
    let review = entry.reviews.last().unwrap();
    assert_eq!((entry.state.as_str(), review.by.as_str()), ("active", "bin"));
    assert_eq!(
        (review.method.as_str(), review.decision.as_str()),
        (Method::Code.as_str(), Decision::Approve.as_str())
    );
    let (error, text) = block_on(daemon.entered(&id, &of(&approves, Bucket::AS_ASKED)));
    assert!(error == error_name::REFUSED && text.contains("no longer waits"), "{error} {text}");
}

#[test]
fn what_is_wrong_with_the_file_of_keys_is_told_to_root_alone_and_no_word_of_the_file_to_anybody() {
    let daemon = daemon();
    let (request, id) = asked(&daemon);
    let approves = daemon.enrolled();
    let code = Answer::of(&Asked::by(&request), &approves, Bucket::AS_ASKED).plain();
    let key = approves.key.text();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("code-keys");
    let write = |text: &str| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        daemon.app.signers.load_codes(&file);
    };
    // The key and the epoch, or the slot, have changed places.
    for (text, why) in [
        (format!("3 bin {key} {} 1\n", approves.host_key), "line 1: its third word is not an epoch"),
        (format!("{key} bin 1 {} 3\n", approves.host_key), "line 1: its first word is not a slot"),
    ] {
        write(&text);
        for uid in [1, 0] {
            let spoken = block_on(daemon.spoken_to(uid, &id)).refused.unwrap();
            let (error, entered) = block_on(daemon.entered_by(uid, &id, &code));
            assert_eq!(error, error_name::REFUSED);
            for told in [&spoken, &entered] {
                assert!(!told.contains(&key) && !told.contains(&approves.host_key), "{told}");
                assert!(told.contains("no code counts on this host now"), "{told}");
                assert_eq!(told.contains(why), uid == 0, "{told}");
                assert_eq!(told.contains("root sees why with: jitctl code keys"), uid != 0, "{told}");
            }
        }
    }
    write(&keys::line(&approves));
    assert_eq!(block_on(daemon.spoken(&id)).refused, None);
    let (error, text) = block_on(daemon.entered(&id, &code));
    assert_eq!(error, "", "{text}");
}
