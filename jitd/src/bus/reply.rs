//! jitd's answer to the module, as it goes over the wire. An `allow` is made of a check whose record is on disk, and of
//! nothing else (law 7): whoever has not waited for it has nothing to make one of.

use jit_core::model::Why;
use jit_proto::gate::{Answer, NOT_SAID, Stage};
use jit_proto::words::Verdict;
use serde::Serialize;
use zbus::Type;

use super::asked::Asked;
use crate::desk::OnRecord;

/// jitd's answer to a check.
#[derive(Debug, Serialize, Type)]
#[serde(transparent)]
pub(super) struct Reply(Answer);

impl Reply {
    /// A window admits the subject.
    pub(super) fn allow(asked: &Asked, admitted: &OnRecord) -> Self {
        let remaining = match asked.stage {
            Stage::Session => admitted.host_limit,
            Stage::Account | Stage::Close => admitted.admission.remaining,
        };
        let grant = admitted.admission.grant.to_string();
        Self(Answer { remaining: remaining.as_secs(), grant, ..answer(asked, Verdict::Allow, Why::Window) })
    }

    /// Nothing admits the subject; one line for them.
    pub(super) fn deny(asked: &Asked, why: Why, text: String) -> Self {
        Self(Answer { text, ..answer(asked, Verdict::Deny, why) })
    }

    /// The same for a program that asks about others without being root: whether, and the line for the person.
    pub(super) fn for_asker(self) -> Self {
        let Self(answer) = self;
        Self(Answer { reason: NOT_SAID.into(), grant: String::new(), remaining: 0, ..answer })
    }

    /// It is not for jitd to decide.
    pub(super) fn unmanaged(asked: &Asked, why: Why) -> Self {
        Self(answer(asked, Verdict::Unmanaged, why))
    }
}

fn answer(asked: &Asked, verdict: Verdict, why: Why) -> Answer {
    Answer {
        nonce: asked.nonce.clone(),
        service: asked.service.to_string(),
        user: asked.user.to_string(),
        verdict: verdict.as_str().into(),
        reason: why.as_str().into(),
        text: String::new(),
        grant: String::new(),
        remaining: 0,
    }
}
