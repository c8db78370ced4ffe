//! Calls to other people's servers: never into our own network unless it is allowed, never redirected,
//! and no answer longer than can be meant.

use anyhow::{Context, Result};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response};
use shared::time::parse_http_date;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use url::{Host, Url};

/// Two clients: one that reaches public addresses only, one for servers that may be private. Clones
/// share their connections.
#[derive(Clone)]
pub struct Outgoing {
    public: reqwest::Client,
    private: reqwest::Client,
}

/// A url that is not called.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} is not a public address; set allow_private where it is meant")]
pub struct NotPublic(String);

impl Outgoing {
    /// Makes the clients.
    ///
    /// # Errors
    /// Where the machine's certificates cannot be read.
    pub fn new() -> Result<Self> {
        // Fails where a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .redirect(Policy::none())
                // A proxy would resolve the name itself, past the guard.
                .no_proxy()
                .user_agent(concat!("clew/", env!("CARGO_PKG_VERSION")))
        };
        let failed = "cannot make the HTTP client";
        Ok(Self {
            public: builder().dns_resolver(Arc::new(PublicOnly)).build().context(failed)?,
            private: builder().build().context(failed)?,
        })
    }

    /// Begins a request.
    ///
    /// # Errors
    /// [`NotPublic`] where the url's host is a literal address that is private and that is not allowed.
    /// A name that leads to one fails when the request is sent.
    pub fn request(
        &self,
        method: Method,
        url: &Url,
        allow_private: bool,
    ) -> Result<RequestBuilder, NotPublic> {
        let client = match allow_private {
            true => &self.private,
            // A literal address is not resolved, so it is judged here.
            false => match url.host() {
                Some(Host::Ipv4(ip)) if !is_public(ip.into()) => return Err(refused(url)),
                Some(Host::Ipv6(ip)) if !is_public(ip.into()) => return Err(refused(url)),
                _ => &self.public,
            },
        };
        Ok(client.request(method, url.clone()))
    }
}

/// What a failed call says, without the url, which may hold a secret: the cause at the bottom is what
/// helps.
pub fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    format!("{error}: {cause}")
}

/// Reads an answer of at most so many bytes.
///
/// # Errors
/// A sentence where it is longer, or the connection ended.
pub async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(told)? {
        if body.len() + chunk.len() > most {
            return Err(format!("the answer is longer than {most} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// When it may be tried again, where an answer says it in seconds or as a date, Unix milliseconds.
pub fn retry_at_ms(headers: &HeaderMap, now_ms: i64) -> Option<i64> {
    let after = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match after.parse::<u32>() {
        Ok(seconds) => Some(now_ms + i64::from(seconds) * 1000),
        Err(_) => parse_http_date(after),
    }
}

fn refused(url: &Url) -> NotPublic {
    NotPublic(url.host_str().unwrap_or_default().to_owned())
}
/// Resolves names to their public addresses only; the connection goes to what was judged here.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("the name leads to no public address".into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

/// Not loopback, private, link-local (cloud metadata too), shared, documentation or reserved; an
/// address inside another is judged by what is inside.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [first, second, third, _] = ip.octets();
    let shared = first == 100 && (64..128).contains(&second);
    let benchmark = first == 198 && (18..20).contains(&second);
    let protocol = first == 192 && second == 0 && third == 0;
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || shared
        || benchmark
        || protocol
        || first == 0
        || first >= 224)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    if let Some(inner) = ip.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let embedded = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(embedded(high, low)),
        [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        // Global unicast, without documentation and Teredo.
        [first, second, ..] => {
            first & 0xe000 == 0x2000 && !(first == 0x2001 && (second == 0xdb8 || second == 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_reached() {
        for (ip, expected) in [
            ("93.184.216.34", true),
            ("2606:2800:220:1::1", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("198.18.0.1", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::7f00:1", false),
            ("2002:7f00:1::", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_public(ip.parse().unwrap()), expected, "{ip}");
        }
    }
}
