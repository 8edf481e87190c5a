//! An approval over a real store: what it costs, and who hears of the request.

use jit_proto::error_name;
use jit_proto::manager::{Entry, REVIEW_INTERFACE, USER_INTERFACE};
use jit_proto::words::RequestId;
use zbus::block_on;

use crate::testing::{Daemon, POLICY, Reviewed, approval, call, caller, denial, served_to};

/// bin has an account on every host, too.
fn daemon() -> Daemon {
    Daemon::of(&POLICY.replace("\"olga\"", "\"bin\""))
}

impl Daemon {
    /// daemon asks for the role; the approval of that.
    async fn asked(&self) -> Reviewed {
        let (_server, client) = served_to(&self.app, caller(1)).await;
        let request = ("shell", 0_u64, "", "INC-1 look");
        let (error, text) = call(&client, USER_INTERFACE, "Request", &request).await;
        assert_eq!(error, "", "{text}");
        approval(&self.waiting().unwrap())
    }

    async fn reviewed(&self, uid: u32, review: &Reviewed) -> (String, String) {
        let (_server, client) = served_to(&self.app, caller(uid)).await;
        call(&client, REVIEW_INTERFACE, "Review", review).await
    }
}

#[test]
fn an_approval_enters_the_desk_three_times_and_reads_its_story_once() {
    let daemon = daemon();
    block_on(async {
        for approver in [0, 2] {
            let review = daemon.asked().await;
            let before = (daemon.entries(), daemon.app.store.opened());
            let (error, answer) = daemon.reviewed(approver, &review).await;
            let after = (daemon.entries(), daemon.app.store.opened());
            assert_eq!(error, "", "{answer}");
            let entry: Entry = serde_json::from_str(&answer).unwrap();
            assert_eq!((entry.state.as_str(), entry.reviews.len()), ("active", 1));
            assert_eq!((after.0 - before.0, after.1 - before.1), (3, 1), "uid {approver}");
        }
    });
}

#[test]
fn a_request_that_waits_for_others_is_not_there_for_a_review_and_what_is_over_is_told_those_it_asked() {
    let daemon = daemon();
    block_on(async {
        let review = daemon.asked().await;
        let unknown =
            (RequestId::from_bits(1).to_string(), review.1.clone(), "approve", 0, Vec::new(), 0, "");
        for not_there in [&review, &unknown] {
            let (error, text) = daemon.reviewed(3, not_there).await;
            assert_eq!(error, error_name::NOT_FOUND, "{text}");
        }
        let denial = denial(&daemon.waiting().unwrap());
        // It is daemon's own, who may see it and not review it.
        assert_eq!(daemon.reviewed(1, &review).await.0, error_name::NOT_PERMITTED);
        assert_eq!(daemon.reviewed(2, &denial).await.0, "");
        for asked in [0, 1, 2] {
            let (error, text) = daemon.reviewed(asked, &review).await;
            assert_eq!(error, error_name::REFUSED, "{text}");
            assert!(text.contains("no longer waits for a review: denied"), "{text}");
        }
        assert_eq!(daemon.reviewed(3, &review).await.0, error_name::NOT_FOUND);
    });
}
