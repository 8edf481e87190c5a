//! Which addresses are this host's: those that it has a local route to, as `ip route get ADDRESS` shows. The kernel is
//! asked for each (rtnetlink(7)), so that a whole network of its own, an address that came a moment ago and a second
//! address of an interface are known as well; what an address can be bound to, or what a datagram to it would come from,
//! says less (ip_nonlocal_bind, secondary addresses).

use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

// Of linux/netlink.h and linux/rtnetlink.h.
const REQUEST: u16 = 1;
const GET_ROUTE: u16 = 26;
const NEW_ROUTE: u16 = 24;
const DESTINATION: u16 = 1;
const LOCAL: u8 = 2;
/// The lengths of `nlmsghdr`, `rtmsg` and `rtattr`.
const HEADER: usize = 16;
const ROUTE: usize = 12;
const ATTRIBUTE: usize = 4;
/// Where `nlmsg_seq` and `rtm_type` are in an answer.
const NUMBER: Range<usize> = 8..12;
const TYPE_AT: usize = HEADER + 7;

/// The kernel's table of routes, in this network.
#[derive(Debug)]
pub(crate) struct Routes {
    socket: OwnedFd,
    /// The number of the last question.
    asked: Cell<u32>,
}

impl Routes {
    pub(crate) fn open() -> io::Result<Self> {
        // Without a protocol it is NETLINK_ROUTE.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket, asked: Cell::new(0) })
    }

    /// Whether what is sent to an address stays on this host. An address that there is no route to is not its own.
    pub(crate) fn is_own(&self, address: IpAddr) -> io::Result<bool> {
        let number = self.asked.get().wrapping_add(1);
        self.asked.set(number);
        send(&self.socket, &question(address, number), SendFlags::empty())?;
        // The kernel has answered when send(2) returns. An answer to another question would be one to an earlier one.
        loop {
            let mut answer = [0; 4096];
            let (length, _) = recv(&self.socket, &mut answer, RecvFlags::DONTWAIT)?;
            if answer[NUMBER] == number.to_ne_bytes() {
                return Ok(is_local(&answer[..length]));
            }
        }
    }
}

/// `RTM_GETROUTE` for one address, with a number.
fn question(address: IpAddr, number: u32) -> Vec<u8> {
    let (family, bytes) = match address {
        IpAddr::V4(address) => (AddressFamily::INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AddressFamily::INET6, address.octets().to_vec()),
    };
    // The longest is 48 bytes, and families are small numbers.
    let short = |length: usize| u16::try_from(length).unwrap_or_default().to_ne_bytes();
    let length = HEADER + ROUTE + ATTRIBUTE + bytes.len();
    let mut message = Vec::with_capacity(length);
    message.extend(u32::from(u16::from_ne_bytes(short(length))).to_ne_bytes());
    message.extend(GET_ROUTE.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    message.extend(number.to_ne_bytes());
    message.extend([0; 4]); // from no port yet
    let bits = u8::try_from(bytes.len() * 8).unwrap_or_default();
    message.extend([u8::try_from(family.as_raw()).unwrap_or_default(), bits]);
    message.extend([0; ROUTE - 2]);
    message.extend(short(ATTRIBUTE + bytes.len()));
    message.extend(DESTINATION.to_ne_bytes());
    message.extend(bytes);
    message
}

/// Whether an answer is a route, and a local one.
fn is_local(answer: &[u8]) -> bool {
    let kind = answer.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    kind == Some(NEW_ROUTE) && answer.get(TYPE_AT) == Some(&LOCAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_each_of_its_addresses_and_no_other() {
        let routes = Routes::open().unwrap();
        for (address, is_own) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("192.0.2.77", false),
            ("2001:db8::7", false),
            ("255.255.255.255", false),
            ("ff02::1", false),
        ] {
            assert_eq!(routes.is_own(address.parse().unwrap()).unwrap(), is_own, "{address}");
        }
    }

    #[test]
    fn what_is_no_whole_answer_makes_nothing_ones_own() {
        for length in 0..64 {
            assert!(!is_local(&vec![0; length]));
            assert!(!is_local(&vec![LOCAL; length]));
        }
        let mut answer = vec![0; TYPE_AT + 1];
        answer[4..6].copy_from_slice(&NEW_ROUTE.to_ne_bytes());
        answer[TYPE_AT] = LOCAL;
        assert!(is_local(&answer));
        assert!(!is_local(&answer[..TYPE_AT]));
        answer[TYPE_AT] = 1;
        assert!(!is_local(&answer), "a route by way of the network");
    }
}
