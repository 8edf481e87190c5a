//! Plain data: people, requests, reviews, grants, locks, sessions. Methods here use one value and a moment, and nothing
//! else; what needs several values is a method of [`State`](crate::state::State), and rules are in orders and checks.

mod attestation;
mod authored;
mod code_try;
mod grant;
mod known;
mod lock;
mod login;
mod pam_file;
mod past;
mod person;
mod process;
mod question;
mod refused_order;
mod request;
mod review;
mod serial;
mod session;
mod stay;
mod termination;
mod terms;
mod trial;
mod why;

pub use attestation::{CarriedBy, Entitled, Keep};
pub use authored::{Authored, Behind};
pub use code_try::CodeTry;
pub use grant::{Begins, CLAIM_LIFE, Claim, ClaimKind, End, EndWhy, Grant, Scheduled, Time};
pub use known::Known;
pub use lock::{Lock, Locks, Scope};
pub use login::{Actor, Basis, Login};
pub use pam_file::{PamFileSeen, PamFiles};
pub use past::Past;
pub(crate) use person::same;
pub use person::{Caller, LoginAccount, Person};
pub use process::Leader;
pub use question::Question;
pub use refused_order::RefusedOrder;
pub use request::{Closed, Pending, Request};
pub use review::{ByCode, Decision, Evidence, Narrow, Review};
pub use serial::{BadSerial, Serial, Spent, SpentBy};
pub use session::{Opener, Session, Unit, gets_a_scope};
pub use stay::Stay;
pub use termination::{Due, EndReason, EndTerms, Over, Termination};
pub use terms::{NotNarrower, Terms};
pub use trial::{BackWhy, LoginSession, Trial, Tried};
pub use why::Why;
