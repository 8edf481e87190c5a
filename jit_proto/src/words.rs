//! Validated names and numbers. Each is parsed once, where it enters, and cannot hold a bad value after that.

mod bad;
mod id;
mod name;
mod reason;
mod verdict;

pub use bad::BadWord;
pub use id::{GrantId, RequestId, Uid};
pub use name::{FileName, GroupName, HostName, RoleName, ServiceName, UserName, subject_is_caller};
pub use reason::Reason;
pub use verdict::Verdict;

#[cfg(test)]
mod tests;
