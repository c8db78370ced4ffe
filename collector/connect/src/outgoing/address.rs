//! Which IP addresses are public, according to the IANA registries of special-purpose addresses
//! (RFC 6890 and later).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is neither loopback, private, link-local (which includes cloud metadata),
/// shared, documentation nor reserved. An address embedded in another is judged by the embedded
/// one.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let reserved = match ip.octets() {
        // "This network", multicast, and reserved for future use.
        [0 | 224.., ..] => true,
        // Shared address space (carrier-grade NAT).
        [100, 64..128, ..] => true,
        // Protocol assignments, and 6to4 relays.
        [192, 0, 0, _] | [192, 88, 99, _] => true,
        // Benchmarking.
        [198, 18..20, ..] => true,
        _ => false,
    };
    let own = ip.is_private() || ip.is_loopback() || ip.is_link_local();
    !(reserved || own || ip.is_documentation())
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(inner) = ip.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let embedded = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match ip.segments() {
        // NAT64 with the well-known prefix.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(embedded(high, low)),
        // 6to4.
        [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        // Protocol assignments (Teredo, benchmarking, ORCHID), and both documentation ranges.
        [0x2001, 0..0x200 | 0xdb8, ..] | [0x3fff, 0..0x1000, ..] => false,
        // Only global unicast.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: bool, addresses: &str) {
        for ip in addresses.split_whitespace() {
            assert_eq!(is_public(ip.parse().unwrap()), expected, "{ip}");
        }
    }

    #[test]
    fn only_public_addresses_are_anybodys() {
        check(true, "1.1.1.1 93.184.216.34 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1");
        check(true, "192.0.1.1 192.88.98.1 198.17.0.1 198.20.0.1 223.255.255.255");
        check(true, "2606:2800:220:1::1 2001:4860:4860::8888 2001:200::1 3ffe::1");
        check(true, "::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1");
        check(false, "0.0.0.0 0.1.2.3 10.1.2.3 127.0.0.1 127.255.255.255 169.254.169.254");
        check(false, "172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.255.255");
        check(false, "192.0.0.1 192.0.0.192 192.88.99.1 192.0.2.1 198.51.100.1 203.0.113.1");
        check(false, "198.18.0.1 198.19.255.255 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255");
        check(false, ":: ::1 ::7f00:1 ::127.0.0.1 fe80::1 fec0::1 fd00::1 fd00:ec2::254 ff02::1");
        check(false, "::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1");
        check(false, "64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::808:808 100::1 5f00::1");
        check(false, "2002:7f00:1:: 2002:a00:1::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2");
        check(false, "2001:2::1 2001:20::1 2001:db8::1 3fff::1 3fff:fff::1 4000::1");
    }
}
