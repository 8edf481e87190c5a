//! Orders. Each is judged against the [`Context`](crate::context::Context) and becomes events, or is refused with a
//! reason.
//!
//! # Examples
//!
//! maria asks for a role and olga approves: each order comes to events, and what they are applied to is what the next one is
//! judged by.
//!
//! ```
//! # use std::collections::BTreeSet;
//! # use jit_core::policy::SourceFile;
//! use jit_core::context::Context;
//! use jit_core::event::{Event, Record};
//! use jit_core::model::{Caller, Decision, Known, LoginAccount};
//! use jit_core::orders::request::{self, RequestOrder};
//! use jit_core::orders::review::{self, Given, Lookups, Reviewer};
//! use jit_core::policy::{Host, Policy, Subject, Ways};
//! use jit_core::state::State;
//! use jit_core::time::{BootId, Moment};
//! use jit_proto::words::RequestId;
//!
//! # let text = r#"
//! # version = 1
//! # [admins]
//! # users = ["root"]
//! # [[exempt]]
//! # users = ["root"]
//! # services = ["login"]
//! # [role.shell]
//! # hosts = ["*"]
//! # services = ["sshd"]
//! # eligible = { users = ["maria"] }
//! # max-duration = "4h"
//! # [[role.shell.stage]]
//! # name = "lead"
//! # approvers = { users = ["olga"] }
//! # "#;
//! # let files = [SourceFile { name: "10.toml".to_owned(), bytes: text.into() }];
//! let policy = Policy::parse(&files).expect("it has no errors").policy;
//! let host = Host { name: "db-1".parse()?, groups: BTreeSet::new(), ways: Ways::default() };
//! let now = Moment::believed("2026-11-23T08:00:00Z".parse()?, 60_000, BootId::default());
//! let maria = Subject::named("maria".parse()?, 1001.try_into()?);
//! let olga = Subject::named("olga".parse()?, 1002.try_into()?);
//! let by = |account: &Subject| Caller { account: account.clone(), login: LoginAccount::Known(account.clone()) };
//! let mut state = State::default();
//!
//! let id = RequestId::from_bits(1);
//! let here = Context { policy: &policy, state: &state, host: &host, now: &now, tickets: jit_core::tickets::Register::NONE };
//! let order = RequestOrder {
//!     beneficiary: maria.clone(),
//!     role: "shell".parse()?,
//!     duration: None,
//!     start: None,
//!     reason: "INC-1234 look into the slow queries".parse()?,
//!     id,
//! };
//! for event in request::file(here, &by(&maria), order)? {
//!     state.apply(&Record { seq: state.next_seq(), at: now.clone(), actor: None, event });
//! }
//!
//! let here = Context { policy: &policy, state: &state, host: &host, now: &now, tickets: jit_core::tickets::Register::NONE };
//! let reviewer = by(&olga);
//! let approval = Given::new(Reviewer::Online(&reviewer), Decision::Approve);
//! let lookups = Lookups::from([(maria.name.clone(), Known::Fully(maria))]);
//! let events = review::review(here, id, None, &approval, &lookups)?;
//! assert!(matches!(events[..], [Event::Reviewed { .. }, Event::Opened { .. }]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod ahead;
pub mod archive;
pub mod attest;
pub(crate) mod bounds;
pub mod code;
pub(crate) mod leads;
pub mod lock;
mod no_archive;
mod no_change;
mod no_code;
mod not_now;
mod not_of_here;
mod places;
pub mod policy_change;
pub mod refusal;
pub mod request;
pub mod resume;
pub mod review;
pub mod revoke;
pub mod signed;
pub mod signed_clock;
pub mod signed_lock;
pub mod signed_policy;
pub mod signed_revoke;
pub mod stages;
pub mod statement;
pub(crate) mod stay;
pub(crate) mod terms;
pub mod trial;
pub mod unreviewed;

pub use no_archive::NoArchive;
pub use no_change::NoChange;
pub use no_code::NoCode;
pub use not_now::NotNow;
pub use not_of_here::NotOfHere;
pub use refusal::{MAX_AHEAD, MAX_PENDING, MAX_PENDING_EACH, NoReview, Refusal};
pub use unreviewed::TakesStages;
