//! Networks in settings: `203.0.113.0/24`, `2001:db8::/32`, or a single address.

use ipnet::IpNet;
use serde::Deserialize;
use std::fmt;
use std::net::IpAddr;

/// A range of IP addresses. IPv4-mapped IPv6 addresses (`::ffff:…`) count as IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

/// The text is not a network.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` should be a network like \"203.0.113.0/24\" or \"2001:db8::/32\"")]
pub struct NotANetwork(String);

impl Network {
    /// Whether the network contains an address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    /// Parses an address with or without a prefix length.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address.to_canonical())),
            Err(_) => text.parse::<IpNet>().map(|network| network.trunc()),
        };
        network.map(Self).map_err(|_| NotANetwork(text))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(network: &str, address: &str, expected: bool) {
        let network = Network::try_from(network.to_owned()).unwrap();
        assert_eq!(network.contains(address.parse().unwrap()), expected, "{network} {address}");
    }

    #[test]
    fn addresses() {
        check("203.0.113.0/24", "203.0.113.255", true);
        check("203.0.113.0/24", "203.0.114.0", false);
        check("203.0.113.9/24", "203.0.113.1", true);
        check("203.0.113.7", "203.0.113.7", true);
        check("203.0.113.7", "203.0.113.8", false);
        check("203.0.113.0/24", "::ffff:203.0.113.7", true);
        check("::ffff:203.0.113.7", "203.0.113.7", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("2001:db8::/32", "2001:db8:ffff::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
        check("::1", "::1", true);
    }

    #[test]
    fn what_is_no_network() {
        for bad in ["", "office", "203.0.113.0/33", "203.0.113", "::/129", "10.0.0.0/8/8", " ::1"] {
            let error = Network::try_from(bad.to_owned()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{bad}` should be a network")), "{error}");
        }
    }
}
