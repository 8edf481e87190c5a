//! What auditors enter in the log over the bus, and what `status` tells of it.

use jit_core::event::Event;
use jit_core::model::Keep;
use jit_core::proof::merkle::{Frontier, leaf, root, verify_consistency};
use jit_proto::audit::{AUDIT_INTERFACE, Proof, Tree};
use jit_proto::manager::{Status, USER_INTERFACE};
use jit_proto::{OBJECT_PATH, error_name};
use serde::Serialize;
use zbus::DynamicType;
use zbus::block_on;

use crate::store::rows;
use crate::testing::{Daemon, POLICY, call, caller, records, served_to};

impl Daemon {
    pub(super) fn asks<B: Serialize + DynamicType + Sync>(
        &self,
        uid: u32,
        interface: &str,
        member: &str,
        body: &B,
    ) -> (String, String) {
        block_on(async {
            let (_server, client) = served_to(&self.app, caller(uid)).await;
            call(&client, interface, member, body).await
        })
    }

    fn status(&self) -> Status {
        let (error, text) = self.asks(0, USER_INTERFACE, "Status", &());
        assert_eq!(error, "", "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

#[test]
fn a_checkpoint_that_is_carried_away_is_on_record_and_in_the_status_and_none_that_there_is_not() {
    let daemon = Daemon::start();
    block_on(daemon.desk().make_checkpoint().unwrap().unwrap().durable()).unwrap();
    let size = daemon.desk().notary.last().unwrap().0.checkpoint.size;
    let carried = |uid, how: &str, size: u64| daemon.asks(uid, AUDIT_INTERFACE, "Carried", &(how, size));
    assert_eq!(daemon.status().carried, None);
    let (error, text) = carried(0, "export", size + 1);
    assert!(error == error_name::INVALID && text.contains("no checkpoint covers"), "{error} {text}");
    assert_eq!(carried(0, "by-pigeon", size).0, error_name::INVALID);
    assert_eq!(carried(1, "export", size).0, error_name::NOT_PERMITTED);
    assert_eq!(daemon.status().carried, None);
    let (error, text) = carried(0, "export", size);
    assert_eq!(error, "", "{text}");
    let told = daemon.status().carried.unwrap();
    assert_eq!((told.how.as_str(), told.size), ("export", size));
}

#[test]
fn a_proof_is_of_what_is_in_the_log_and_an_auditors() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let size = records(&daemon.store()).len() as u64;
    let (error, text) = daemon.asks(0, AUDIT_INTERFACE, "Proof", &(3_u64, size));
    assert_eq!(error, "", "{text}");
    let Proof { old, new, hashes } = serde_json::from_str(&text).unwrap();
    let tree = |Tree { size, peaks }: Tree| {
        Frontier::of_peaks(size, peaks.iter().map(|peak| peak.parse().unwrap()).collect()).unwrap()
    };
    let (old, new) = (tree(old), tree(new));
    let leaves: Vec<_> =
        rows::records(&daemon.store(), 0, u32::MAX).unwrap().iter().map(|(_, bytes)| leaf(bytes)).collect();
    assert_eq!((old.root(), new.root()), (root(&leaves[..3]), root(&leaves)));
    let hashes: Vec<_> = hashes.iter().map(|hash| hash.parse().unwrap()).collect();
    assert_eq!(verify_consistency((3, old.root()), (size, new.root()), &hashes), Ok(()));
    for (old, new) in [(4_u64, 3_u64), (3, size + 1), (0, u64::MAX)] {
        let (error, text) = daemon.asks(0, AUDIT_INTERFACE, "Proof", &(old, new));
        assert_eq!(error, error_name::INVALID, "{text}");
    }
    assert_eq!(daemon.asks(1, AUDIT_INTERFACE, "Proof", &(3_u64, size)).0, error_name::NOT_PERMITTED);
}

#[test]
fn an_admin_attests_who_may_ask_on_record_and_nobody_else_does() {
    let daemon = Daemon::start();
    let attest = |uid, keep: &str| {
        daemon.asks(uid, AUDIT_INTERFACE, "Attest", &("shell", "maria", keep, "INC-9 left"))
    };
    let attested = || {
        let all = records(&daemon.store());
        let said = all.iter().filter_map(|record| match &record.event {
            Event::Attested { who, keep, by, .. } => Some((who.to_string(), *keep, by.name.to_string())),
            _ => None,
        });
        said.collect::<Vec<_>>()
    };
    let (error, text) = attest(1, "remove");
    assert_eq!(error, error_name::NOT_PERMITTED, "{text}");
    assert_eq!(attest(0, "perhaps").0, error_name::INVALID);
    assert_eq!(attested(), []);
    let (error, text) = attest(0, "remove");
    assert_eq!(error, "", "{text}");
    assert_eq!(attested(), [("maria".to_owned(), Keep::Remove, "root".to_owned())]);
}

/// What comes of a call for a pipe: how many records came over it, or the name of the error.
fn piped(daemon: &Daemon, uid: u32, first: u64, end: u64) -> Result<u64, (String, String)> {
    use std::io::Read as _;

    block_on(async {
        let (_server, client) = served_to(&daemon.app, caller(uid)).await;
        let called = client
            .call_method(None::<&str>, OBJECT_PATH, Some(AUDIT_INTERFACE), "Stream", &(first, end))
            .await;
        let reply = match called {
            Ok(reply) => reply,
            Err(zbus::Error::MethodError(error, text, _)) => {
                return Err((error.to_string(), text.unwrap_or_default()));
            }
            Err(other) => panic!("{other:?}"),
        };
        let pipe: zbus::OwnedFd = reply.body().deserialize().unwrap();
        let mut bytes = Vec::new();
        std::fs::File::from(std::os::fd::OwnedFd::from(pipe)).read_to_end(&mut bytes).unwrap();
        let length = u32::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
        let number = |nth: usize| u64::from_le_bytes(*bytes[4 + 8 * nth..].first_chunk().unwrap());
        assert_eq!(length as u64, 8 * (4 + number(3)), "no record is damaged");
        Ok(number(3))
    })
}

#[test]
fn the_log_comes_over_a_pipe_to_whoever_may_read_it_page_by_page_and_to_nobody_else() {
    let daemon = Daemon::of(&POLICY.replace("[[exempt]]", "[auditors]\nusers = [\"bin\"]\n[[exempt]]"));
    daemon.grant(1).unwrap();
    let total = records(&daemon.store()).len() as u64;
    assert!(total > 2);
    // root, and an auditor from a login of theirs.
    for uid in [0, 2] {
        assert_eq!(piped(&daemon, uid, 0, 0), Ok(total), "{uid}");
        assert_eq!(piped(&daemon, uid, 1, 2), Ok(1), "{uid}");
        assert_eq!(piped(&daemon, uid, 1, u64::MAX), Ok(total - 1), "{uid}");
        assert_eq!(piped(&daemon, uid, u64::MAX, 0), Ok(0), "{uid}");
    }
    // daemon may have a window, and reads no log.
    for member in ["Records", "Stream"] {
        let (error, text) = match member {
            "Records" => daemon.asks(1, AUDIT_INTERFACE, member, &(0_u64, 0_u32)),
            _ => piped(&daemon, 1, 0, 0).unwrap_err(),
        };
        assert_eq!(error, error_name::NOT_PERMITTED, "{member}");
        assert!(text.contains("only root, admins and auditors"), "{member}: {text}");
    }
}
