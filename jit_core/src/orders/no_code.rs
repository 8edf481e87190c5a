//! Why a code does not count on this host.

use jit_proto::words::RequestId;

use super::not_of_here::NotOfHere;
use crate::code::Slot;

/// Wrong codes that a request bears.
pub const MAX_TRIES: usize = 5;

/// Why a code does not count. Each text says what does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCode {
    /// It is not what the approver's machine would have made.
    #[error(
        "this code is not right for {request}: what was read out and what was answered differ in a word, or the key of slot \
         {slot} does; nothing was approved or denied. {} left for this request", tries(*left)
    )]
    Wrong {
        /// For which request it was typed.
        request: RequestId,
        /// Whose it said it was.
        slot: Slot,
        /// How many wrong ones more are borne.
        left: usize,
    },
    /// Too many wrong ones for this request.
    #[error(
        "no code counts for {0} any more, since wrong ones were typed for it {most} times; signatures do, see: jitctl offline \
         export {0}; or withdraw it and ask again with: jitctl request",
        most = MAX_TRIES
    )]
    Void(RequestId),
    /// Too many wrong ones on this host.
    #[error(
        "codes count again from {from} on, since {count} wrong ones were typed {whose} within an hour; signatures count all \
         the while: jitctl offline export"
    )]
    Hour {
        /// From when on, in whole seconds.
        from: String,
        /// How many there were.
        count: usize,
        /// Where, or by whom.
        whose: &'static str,
    },
    /// It stands for nobody whom this host knows, or for several.
    #[error("this code does not count: {0}")]
    Nobody(#[from] NotOfHere),
    /// Nobody has the slot.
    #[error(
        "this code is of slot {0}, and /etc/jit/code-keys has no line of it; root puts one there that the approver has made with: \
         jitctl code enroll"
    )]
    NoSlot(Slot),
    /// The line was made for another host, or for this one before it had its key.
    #[error(
        "the key of slot {slot} is for a host whose key is {said}, and this host's is {here}; have a new line made with: \
         jitctl code enroll"
    )]
    OtherKey {
        /// Whose line it is.
        slot: Slot,
        /// What the line says.
        said: String,
        /// What this host has.
        here: String,
    },
}

fn tries(left: usize) -> String {
    match left {
        0 => "No try is".to_owned(),
        1 => "1 try is".to_owned(),
        more => format!("{more} tries are"),
    }
}
