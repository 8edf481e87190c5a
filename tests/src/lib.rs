//! What the test programs of this workspace share.
#![forbid(unsafe_code)]

pub mod arms;
pub mod blocks;
pub mod imports;
pub mod layers;
pub mod machine;
pub mod runner;
pub mod schema;
pub mod stalls;
