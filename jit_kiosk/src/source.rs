//! Who a connection is counted for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What has a share of the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// Everybody on this host, by whichever of its addresses they come.
    ThisHost,
    /// An address of IPv4.
    V4(Ipv4Addr),
    /// A network of IPv6, by its first 64 bits: whoever has one has all of its addresses.
    V6(Ipv6Addr),
}

impl Source {
    /// The source of an address, given what tells this host's own ones; an error is that one's.
    pub(crate) fn of<E>(address: IpAddr, is_own: impl FnOnce(IpAddr) -> Result<bool, E>) -> Result<Self, E> {
        // A socket for both kinds shows 192.0.2.1 as ::ffff:192.0.2.1.
        let address = address.to_canonical();
        if is_own(address)? {
            return Ok(Self::ThisHost);
        }
        Ok(Self::of_another(address))
    }

    /// The source of an address that is taken for another host's.
    pub(crate) fn of_another(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThisHost => f.write_str("this host"),
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(network) => write!(f, "{network}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source_of(address: &str) -> String {
        let own: [IpAddr; 2] = [[192, 0, 2, 1].into(), "fd00:1::1".parse::<Ipv6Addr>().unwrap().into()];
        let is_own = |address| Ok::<_, fmt::Error>(own.contains(&address));
        Source::of(address.parse().unwrap(), is_own).unwrap().to_string()
    }

    #[test]
    fn all_of_this_host_is_one_source() {
        for own in ["192.0.2.1", "::ffff:192.0.2.1", "fd00:1::1"] {
            assert_eq!(source_of(own), "this host");
        }
    }

    #[test]
    fn ipv4_is_counted_by_address_however_it_is_written_and_ipv6_by_network() {
        for (address, source) in [
            ("192.0.2.2", "192.0.2.2"),
            ("::ffff:192.0.2.2", "192.0.2.2"),
            ("fd00:1::2", "fd00:1::/64"),
            ("fd00:1::ffff:ffff:ffff:ffff", "fd00:1::/64"),
            ("fd00:1:0:1::2", "fd00:1:0:1::/64"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(source_of(address), source);
        }
    }
}
