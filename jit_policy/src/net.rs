//! Address ranges, as `from` lists them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use jit_proto::text::Shown;
use serde::{Deserialize, Serialize};

/// A range of addresses in CIDR form (RFC 4632, RFC 4291 §2.3), or one address. Text and serde form:
/// `10.1.0.0/16`, `2001:db8::/32`, `10.1.2.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// The first address of the range.
    #[must_use]
    pub const fn base(&self) -> IpAddr {
        self.base
    }

    /// Whether the address lies in the range. An IPv4 address that came mapped into IPv6 (`::ffff:10.1.2.3`) is
    /// the IPv4 address that it stands for: which of the two a server reports depends on its socket alone.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        width(address) == width(self.base) && masked(address, self.prefix) == self.base
    }

    /// Whether every address of the other range lies in this one.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.base)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == width(self.base) {
            write!(f, "{}", self.base)
        } else {
            write!(f, "{}/{}", self.base, self.prefix)
        }
    }
}

/// Why a text is not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    /// No address before the slash. Names are not looked up: whoever answers for the name would decide.
    #[error("'{}' is not an address; write it like 10.1.0.0/16 or 2001:db8::/32", Shown(.0))]
    Address(String),
    /// A prefix that is no number, or is longer than the address.
    #[error("the prefix of '{}' is not a number from 0 to {limit}", Shown(.text))]
    Prefix {
        /// The whole text.
        text: String,
        /// The bits of the address.
        limit: u8,
    },
    /// Bits behind the prefix: one of the two was meant otherwise.
    #[error("the address has bits behind its prefix; did you mean {0}?")]
    HostBits(Network),
    /// An IPv4 range written as IPv6: no address would ever match it.
    #[error("an IPv4 range is written as such, not mapped into IPv6")]
    Mapped,
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let base: IpAddr = address.parse().map_err(|_| BadNetwork::Address(shortened(text)))?;
        if base.to_canonical() != base {
            return Err(BadNetwork::Mapped);
        }
        let limit = width(base);
        let prefix = match prefix {
            None => limit,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= limit && digits.bytes().all(|b| b.is_ascii_digit()))
                .ok_or_else(|| BadNetwork::Prefix { text: shortened(text), limit })?,
        };
        let network = Self { base: masked(base, prefix), prefix };
        if network.base == base { Ok(network) } else { Err(BadNetwork::HostBits(network)) }
    }
}

impl TryFrom<String> for Network {
    type Error = BadNetwork;

    fn try_from(text: String) -> Result<Self, BadNetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with all bits behind the prefix cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        for (network, address) in [
            ("10.1.0.0/16", "10.1.0.0"),
            ("10.1.0.0/16", "10.1.255.255"),
            ("10.1.2.3", "10.1.2.3"),
            ("0.0.0.0/0", "255.255.255.255"),
            ("2001:db8::/32", "2001:db8:ffff::1"),
            ("::1", "::1"),
            ("::/0", "2001:db8::1"),
            ("10.1.0.0/16", "::ffff:10.1.2.3"),
        ] {
            assert!(contains(network, address), "{network} {address}");
        }
        for (network, address) in [
            ("10.1.0.0/16", "10.2.0.0"),
            ("10.1.2.3", "10.1.2.4"),
            ("0.0.0.0/0", "::1"),
            ("::/0", "10.1.2.3"),
            ("::/0", "::ffff:10.1.2.3"),
            ("2001:db8::/32", "2001:db9::"),
        ] {
            assert!(!contains(network, address), "{network} {address}");
        }
    }

    #[test]
    fn what_is_not_exactly_a_range_is_refused_with_what_was_meant() {
        let refused = |text: &str| text.parse::<Network>().unwrap_err();
        assert_eq!(
            refused("10.1.2.3/16").to_string(),
            "the address has bits behind its prefix; did you mean 10.1.0.0/16?"
        );
        for bad in ["", "db-1", "10.1", "10.1.0.0.0/8", "10.01.0.0/16", "[::1]", "::1%eth0", " 10.1.0.0/16"] {
            assert!(matches!(refused(bad), BadNetwork::Address(_)), "{bad}");
        }
        for bad in ["10.1.0.0/", "10.1.0.0/33", "10.1.0.0/+8", "10.1.0.0/-1", "::/129", "10.0.0.0/8/8"] {
            assert!(matches!(refused(bad), BadNetwork::Prefix { .. }), "{bad}");
        }
        assert_eq!(refused("::ffff:10.1.0.0/112"), BadNetwork::Mapped);
    }

    #[test]
    fn a_range_includes_itself_and_what_is_narrower() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        assert!(network("10.0.0.0/8").includes(&network("10.1.0.0/16")));
        assert!(network("10.1.0.0/16").includes(&network("10.1.0.0/16")));
        assert!(!network("10.1.0.0/16").includes(&network("10.0.0.0/8")));
        assert!(!network("0.0.0.0/0").includes(&network("::/0")));
    }

    proptest! {
        #[test]
        fn a_range_reads_back_as_it_was_written(bits: u32, six: u128, prefix in 0u8..=32, long in 0u8..=128) {
            let mapped = Ipv6Addr::from_bits(six).to_ipv4_mapped().is_some();
            for base in [(IpAddr::from(Ipv4Addr::from_bits(bits)), prefix), (Ipv6Addr::from_bits(six).into(), long)] {
                let network = Network { base: masked(base.0, base.1), prefix: base.1 };
                prop_assert!(mapped || network.contains(base.0));
                prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
            }
        }
    }
}
