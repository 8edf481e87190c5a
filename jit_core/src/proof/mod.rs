//! Proof that the log is what was written: the tree over its records, checkpoints of that, and who compares them. It
//! knows nothing of what the records say.

pub mod checkpoint;
pub mod extension;
pub mod merkle;
pub mod note;
pub mod preface;
pub mod verify;
