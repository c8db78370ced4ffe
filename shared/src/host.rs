//! Hosts: their normal form, their registrable part, and which ones belong to a site.
//!
//! The public suffix list (crate `psl`, including its private part) says where one registrant ends
//! and the next begins: `a.github.io` and `b.github.io` have different owners, `a.example.co.uk`
//! and `example.co.uk` the same one.

use std::net::IpAddr;

/// Normalises a host as in tables and settings: lower case, without `www.` and without a trailing
/// dot.
pub fn normal_host(host: &str) -> String {
    let host = host.trim_end_matches('.').to_lowercase();
    host.strip_prefix("www.").map(str::to_owned).unwrap_or(host)
}

/// The registrable part of a host. An IP address, or a name without a suffix, is returned whole.
pub fn registrable(host: &str) -> &str {
    if is_address(host) {
        return host;
    }
    psl::domain_str(host).unwrap_or(host)
}

/// The part of a host in front of a registry's suffix (`co.uk`, `com`; not `github.io`), if the
/// list knows that suffix.
pub(crate) fn before_registry_suffix(host: &str) -> Option<&str> {
    let mut rest = host;
    loop {
        let suffix = psl::suffix(rest.as_bytes()).filter(psl::Suffix::is_known)?;
        let text = std::str::from_utf8(suffix.as_bytes()).ok()?;
        if suffix.typ() == Some(psl::Type::Icann) {
            let front = host.len().checked_sub(text.len() + 1)?;
            return host.get(..front);
        }
        rest = text.split_once('.')?.1;
    }
}

/// The host whose page a translator or a cache shows under a host of its own: in
/// `www-example-com.translate.goog`, `-` stands for a dot and `--` for a hyphen.
pub(crate) fn original_host(host: &str) -> Option<String> {
    const PROXIES: [&str; 3] = [".translate.goog", ".cdn.ampproject.org", ".bing-amp.com"];
    let front = PROXIES.iter().find_map(|proxy| host.strip_suffix(proxy)).or_else(|| {
        // `example.com.translated.turbopages.org`, `example.com.turbopages.org`
        let front = host.strip_suffix(".turbopages.org")?;
        Some(front.strip_suffix(".translated").unwrap_or(front))
    })?;
    let front =
        front.rsplit('.').next().filter(|_| !host.ends_with(".turbopages.org")).unwrap_or(front);
    let spelled = front.replace("--", "\0").replace('-', ".").replace('\0', "-");
    let host = if host.ends_with(".turbopages.org") { front.replace('_', ".") } else { spelled };
    parse_host(&host).filter(|host| host.contains('.'))
}

fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<IpAddr>().is_ok()
}

/// Parses a host as people write it and normalises it; internationalised names become punycode.
/// `None` if the text is not a host.
pub fn parse_host(text: &str) -> Option<String> {
    match url::Host::parse(text.trim_end_matches('.')).ok()? {
        url::Host::Domain(name) if name.is_empty() => None,
        host => Some(normal_host(&host.to_string())),
    }
}

/// The hosts of a site; `example.com` includes its subdomains.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OwnHosts(Vec<String>);

impl OwnHosts {
    /// Takes host names as an operator writes them; what is not a host is left out.
    pub fn new<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Self {
        let hosts = hosts.into_iter().map(|host| host.strip_prefix("*.").unwrap_or(host));
        Self(hosts.filter_map(parse_host).collect())
    }

    /// Whether the host is one of them or a subdomain of one: pages may report from these.
    pub fn contain(&self, host: &str) -> bool {
        let host = normal_host(host);
        self.0.iter().any(|own| {
            host.strip_suffix(own.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// Whether the host has the same registrable domain as one of them: as a referrer it is not an
    /// origin.
    pub fn own(&self, host: &str) -> bool {
        self.contain(host) || self.0.iter().any(|own| registrable(own) == registrable(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registrants() {
        for (host, expected) in [
            ("www.example.com", "example.com"),
            ("a.b.example.co.uk", "example.co.uk"),
            ("a.github.io", "a.github.io"),
            ("x.a.github.io", "a.github.io"),
            ("github.io", "github.io"),
            ("co.uk", "co.uk"),
            ("localhost", "localhost"),
            ("192.168.1.10", "192.168.1.10"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("www.demo.test", "demo.test"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(registrable(host), expected, "{host}");
        }
    }

    #[test]
    fn fronts() {
        for (host, expected) in [
            ("google.com", Some("google")),
            ("images.google.co.uk", Some("images.google")),
            ("google.blogspot.com", Some("google.blogspot")),
            ("com", None),
            ("google.test", None),
            ("localhost", None),
        ] {
            assert_eq!(before_registry_suffix(host), expected, "{host}");
        }
    }

    #[test]
    fn originals() {
        for (host, expected) in [
            ("www-example-com.translate.goog", Some("example.com")),
            ("my--shop-example-co-uk.translate.goog", Some("my-shop.example.co.uk")),
            ("news-example-com.cdn.ampproject.org", Some("news.example.com")),
            ("example.com.turbopages.org", Some("example.com")),
            ("example.com.translated.turbopages.org", Some("example.com")),
            ("translate.goog", None),
            ("cdn.ampproject.org", None),
            ("example.com", None),
        ] {
            assert_eq!(original_host(host).as_deref(), expected, "{host}");
        }
    }

    #[test]
    fn own_hosts() {
        let own =
            OwnHosts::new(["Example.com", "*.shop.example", "www.bücher.example", "me.github.io"]);
        for (host, contained, owned) in [
            ("example.com", true, true),
            ("WWW.EXAMPLE.COM", true, true),
            ("a.example.com", true, true),
            ("notexample.com", false, false),
            ("x.shop.example", true, true),
            ("example.com.evil.example", false, false),
            ("xn--bcher-kva.example", true, true),
            ("other.shop.example", true, true),
            ("me.github.io", true, true),
            ("you.github.io", false, false),
        ] {
            assert_eq!((own.contain(host), own.own(host)), (contained, owned), "{host}");
        }
        let sub = OwnHosts::new(["www.shop.example.co.uk", "10.0.0.1"]);
        assert!(sub.own("blog.example.co.uk") && !sub.contain("blog.example.co.uk"));
        assert!(!sub.own("other.co.uk") && sub.own("10.0.0.1") && !sub.own("10.0.0.2"));
    }
}
