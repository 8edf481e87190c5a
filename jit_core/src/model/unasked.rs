//! Logins that jitd was not asked about.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::login::Login;

/// Logins of one account by one service that no check came before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnaskedLogins {
    /// How many, since they were last on record.
    pub count: NonZeroU32,
    /// The audit session of the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<u32>,
    /// Who came in, and by which service.
    #[serde(flatten)]
    pub login: Login,
}
