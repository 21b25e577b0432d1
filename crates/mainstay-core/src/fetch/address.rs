//! Which addresses are public, and the exceptions an operator names.
//!
//! The ranges are those of the IANA special-purpose registries (RFC 6890 and what updates it) that are not globally
//! reachable, and the IPv6 ranges that carry an IPv4 address, which is then judged itself.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::IpNet;

/// An exception: this network, on this port or on every port. As text `127.0.0.1/32:8099` or `10.1.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allow {
    /// The addresses.
    pub net: IpNet,
    /// The port; every one if absent.
    pub port: Option<u16>,
}

impl Allow {
    /// Whether this exception covers `address` on `port`.
    pub fn permits(&self, address: IpAddr, port: u16) -> bool {
        self.net.contains(&address.to_canonical()) && self.port.is_none_or(|own| own == port)
    }
}

/// A text that is no exception.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a network with an optional port; write it like 127.0.0.1/32:8099 or 10.1.0.0/16")]
pub struct NotAnAllow;

impl FromStr for Allow {
    type Err = NotAnAllow;

    fn from_str(text: &str) -> Result<Self, NotAnAllow> {
        // The length of the network is always written, so the colons of an IPv6 address cannot be taken for the port's.
        let (address, rest) = text.split_once('/').ok_or(NotAnAllow)?;
        let (bits, port) = match rest.split_once(':') {
            Some((bits, port)) => (bits, Some(port.parse().map_err(|_bad| NotAnAllow)?)),
            None => (rest, None),
        };
        let net = format!("{address}/{bits}").parse().map_err(|_bad| NotAnAllow)?;
        Ok(Self { net, port })
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.net)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Whether `address` is on the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    !(a == 0                                      // "this network", RFC 791
        || v4.is_private()                        // 10/8, 172.16/12, 192.168/16
        || (a == 100 && (64..128).contains(&b))   // carrier-grade NAT, RFC 6598
        || v4.is_loopback()                       // 127/8
        || v4.is_link_local()                     // 169.254/16, where clouds keep their metadata
        || (a == 192 && b == 0 && c == 0)         // IETF protocol assignments
        || v4.is_documentation()                  // 192.0.2/24, 198.51.100/24, 203.0.113/24
        || (a == 192 && b == 88 && c == 99)       // 6to4 relays, RFC 7526
        || (a == 192 && b == 31 && c == 196)      // AS112
        || (a == 192 && b == 52 && c == 193)      // AMT
        || (a == 192 && b == 175 && c == 48)      // AS112
        || (a == 198 && (b == 18 || b == 19))     // benchmarking, RFC 2544
        || a >= 224) // multicast, reserved and broadcast
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    let v4_in = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        // IPv4-mapped and -compatible; `::` and `::1` are 0.0.0.0 and 0.0.0.1 here and so refused.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => is_public_v4(v4_in(high, low)),
        // IPv4-translated (RFC 2765) and NAT64's well-known prefix (RFC 6052).
        [0, 0, 0, 0, 0xffff, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(v4_in(high, low))
        }
        // 6to4 carries the address of its router.
        [0x2002, high, low, ..] => is_public_v4(v4_in(high, low)),
        // Teredo carries its server, and its client with all bits turned.
        [0x2001, 0, high, low, _, _, client_high, client_low] => {
            is_public_v4(v4_in(high, low)) && is_public_v4(v4_in(!client_high, !client_low))
        }
        // The rest of 2001::/23 is for protocols; 2001:db8::/32 and 3fff::/20 for documentation.
        [0x2001, 0..0x200 | 0xdb8, ..] | [0x3fff, 0..0x1000, ..] => false,
        // ISATAP (RFC 5214) carries an IPv4 address below any prefix.
        [.., 0 | 0x200, 0x5efe, high, low] if !is_public_v4(v4_in(high, low)) => false,
        // Only 2000::/3 is given out: no ULA, link-local, site-local, multicast, discard-only, local NAT64, SRv6.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use super::{Allow, is_public};

    #[test]
    fn addresses_that_are_not_public_are_known_in_every_disguise() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::10.1.2.3",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:c0a8:101::1",
            "2001:0:808:808:0:0:f5ff:fffe",
            "2001:0:7f00:1::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "4000::1",
            "2a00:1450::5efe:127.0.0.1",
            "2a00:1450::200:5efe:10.0.0.1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn public_addresses_are_not_refused() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001:81b::200e",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2400:cb00::1",
            "3ffe::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_exception_is_for_its_network_and_port_only() {
        let one: Allow = "127.0.0.1/32:8099".parse().unwrap();
        assert!(one.permits("127.0.0.1".parse().unwrap(), 8099));
        assert!(one.permits("::ffff:127.0.0.1".parse().unwrap(), 8099));
        assert!(!one.permits("127.0.0.1".parse().unwrap(), 8098));
        assert!(!one.permits("127.0.0.2".parse().unwrap(), 8099));
        let six: Allow = "fd00::/8:81".parse().unwrap();
        assert!(six.permits("fd12::1".parse().unwrap(), 81));
        let every: Allow = "10.1.0.0/16".parse().unwrap();
        assert!(every.permits("10.1.2.3".parse().unwrap(), 1));
        for text in ["127.0.0.1/32:8099", "fd00::/8:81", "10.1.0.0/16"] {
            assert_eq!(text.parse::<Allow>().unwrap().to_string(), text);
        }
        for text in ["", "127.0.0.1", "127.0.0.1:80", "127.0.0.1/33", "x/8", "10.0.0.0/8:x", "/"] {
            assert!(text.parse::<Allow>().is_err(), "{text}");
        }
    }
}
