//! Which addresses an agent-given URL may lead to (docs/field-notes.md#note-28).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Public addresses, and what else you allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressPolicy {
    /// Also 198.18.0.0/15, from which fake-IP proxies answer all names. Default: no.
    pub allow_fake_ip: bool,
    /// Also this machine: for tests. Default: no.
    pub allow_loopback: bool,
}

impl AddressPolicy {
    /// Checks an address against the policy.
    ///
    /// # Errors
    /// [`AddressRefused`], with what the address is.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressRefused> {
        let what = match address {
            IpAddr::V4(v4) => special_v4(v4),
            IpAddr::V6(v6) => special_v6(v6),
        };
        match what {
            None => Ok(()),
            Some(Special::Benchmark) if self.allow_fake_ip => Ok(()),
            Some(Special::Loopback) if self.allow_loopback => Ok(()),
            Some(what) => Err(AddressRefused { address, what }),
        }
    }
}

/// An address that is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRefused {
    address: IpAddr,
    what: Special,
}

impl fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            Special::Loopback => "this machine",
            Special::Private => "a private network",
            Special::LinkLocal => "the local link",
            Special::Benchmark => "the range of fake-IP proxies (it can be allowed)",
            Special::Cloud => "a service of the cloud that a machine runs in",
            Special::Reserved => "no public address",
        };
        write!(f, "{} is {what}", self.address)
    }
}

impl std::error::Error for AddressRefused {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special {
    Loopback,
    Private,
    LinkLocal,
    Benchmark,
    Cloud,
    Reserved,
}

/// IANA's special-purpose registry for IPv4, and what clouds tell their machines at public addresses; most do at the local
/// link (169.254.169.254), in private networks (100.100.100.200, fd00:ec2::254) or at 192.0.0.192, which are there anyway.
fn special_v4(address: Ipv4Addr) -> Option<Special> {
    let [a, b, c, d] = address.octets();
    Some(match (a, b, c) {
        // Azure's wire server, which knows the secrets of a machine.
        (168, 63, 129) if d == 16 => Special::Cloud,
        // IBM's private endpoints.
        (161, 26, _) | (166, 8..=11, _) => Special::Cloud,
        (127, ..) => Special::Loopback,
        (10, ..) | (192, 168, _) | (172, 16..=31, _) | (100, 64..=127, _) => Special::Private,
        (169, 254, _) => Special::LinkLocal,
        (198, 18..=19, _) => Special::Benchmark,
        (0 | 224.., ..) | (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113) => {
            Special::Reserved
        }
        _ => return None,
    })
}

/// Only global unicast, and of it not what carries another address inside, unless that one is public.
fn special_v6(address: Ipv6Addr) -> Option<Special> {
    if let Some(v4) = address.to_ipv4_mapped() {
        return special_v4(v4);
    }
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        special_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Special::Loopback),
        // ISATAP: the last half is an IPv4 address behind a mark.
        [.., 0 | 0x200, 0x5efe, high, low] if embedded(high, low).is_some() => embedded(high, low),
        // NAT64 of the well-known prefix, and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        [0xfc00..=0xfdff, ..] => Some(Special::Private),
        [0xfe80..=0xfebf, ..] => Some(Special::LinkLocal),
        // Protocol assignments with Teredo, documentation twice, SRv6 locators.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(Special::Reserved),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Special::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        let check = |text: &str| AddressPolicy::default().check(text.parse().unwrap());
        for good in [
            "1.1.1.1",
            "223.5.5.5",
            "100.63.0.1",
            "172.32.0.1",
            "168.63.129.17",
            "2606:4700::1111",
            "64:ff9b::101:101",
        ] {
            check(good).unwrap();
        }
        let bad = [
            "127.0.0.1",
            "127.8.9.1",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "fd00::1",
            "::ffff:10.1.2.3",
            "169.254.169.254",
            "fe80::1",
            "198.18.0.1",
            "198.19.255.255",
            "0.0.0.0",
            "::",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "fec0::1",
            "64:ff9b:1::1",
            "::7f00:1",
            // Azure, Alibaba, Oracle, AWS twice, Google, IBM; the same in the clothes of IPv6.
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "169.254.170.2",
            "fd00:ec2::254",
            "fd20:ce::254",
            "161.26.0.10",
            "166.9.1.1",
            "::ffff:168.63.129.16",
            "::ffff:0:168.63.129.16",
            "::168.63.129.16",
            "64:ff9b::a83f:8110",
            "64:ff9b:1::a83f:8110",
            "2002:a83f:8110::1",
            "2002:a9fe:a9fe::",
            "2001:0:a83f:8110::",
            "2600::5efe:a9fe:a9fe",
            "2600::200:5efe:a83f:8110",
            "fe80::a9fe:a9fe",
        ];
        let table: Vec<String> = bad.iter().map(|text| check(text).unwrap_err().to_string()).collect();
        insta::assert_snapshot!(table.join("\n"));
    }

    #[test]
    fn two_ranges_can_be_allowed() {
        let policy = AddressPolicy { allow_fake_ip: true, allow_loopback: true };
        for good in ["198.18.3.4", "127.0.0.1", "::1"] {
            policy.check(good.parse().unwrap()).unwrap();
        }
        policy.check("10.0.0.1".parse().unwrap()).unwrap_err();
    }
}
