//! HTTP clients for other people's servers. They do not connect to private addresses unless that is
//! allowed, follow no redirects, and limit the size of responses.

mod address;

use address::is_public;
use anyhow::{Context, Result};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response};
use shared::limits::DAY_MS;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use url::{Host, Url};

/// Two clients: one for public addresses only, one that may also reach private ones. Clones share
/// their connections.
#[derive(Clone)]
pub struct Outgoing {
    public: reqwest::Client,
    private: reqwest::Client,
}

/// A host that must not be called.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} is not a public address; set allow_private if this is intended")]
pub struct NotPublic(String);

/// Why an address cannot be used as a callback address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    /// Not https (or http, if that is allowed).
    #[error("the address must begin with https://; to use http, set allow_private")]
    NotHttps,
    /// It contains a user name or a password.
    #[error("the address must not contain a user name or password")]
    Credentials,
    /// It is private, or a local host name.
    #[error(transparent)]
    NotPublic(NotPublic),
}

impl Outgoing {
    /// Makes the clients.
    ///
    /// # Errors
    /// If the system's certificates cannot be read.
    pub fn new() -> Result<Self> {
        // Fails if a provider is already installed, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .redirect(Policy::none())
                // A proxy would resolve the name itself and bypass the check of addresses.
                .no_proxy()
                .user_agent(concat!("clew/", env!("CARGO_PKG_VERSION")))
        };
        let failed = "cannot create the HTTP client";
        Ok(Self {
            public: builder().dns_resolver(Arc::new(PublicOnly)).build().context(failed)?,
            private: builder().build().context(failed)?,
        })
    }

    /// Starts a request.
    ///
    /// # Errors
    /// [`NotPublic`] if the URL's host is a literal private address and that is not allowed. A name
    /// that resolves to a private address fails when the request is sent.
    pub fn request(
        &self,
        method: Method,
        url: &Url,
        allow_private: bool,
    ) -> Result<RequestBuilder, NotPublic> {
        let client = match allow_private {
            true => &self.private,
            // A literal address is not resolved, so it is checked here.
            false => match url.host() {
                Some(Host::Ipv4(ip)) if !is_public(ip.into()) => return Err(refused(url)),
                Some(Host::Ipv6(ip)) if !is_public(ip.into()) => return Err(refused(url)),
                _ => &self.public,
            },
        };
        Ok(client.request(method, url.clone()))
    }
}

/// Describes a failed call by its error and its innermost cause. Leaves out the URL, which may
/// contain a secret.
pub fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    format!("{error}: {cause}")
}

/// Why a response could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    /// The connection ended.
    #[error("{0}")]
    Broken(String),
    /// It exceeds the size limit.
    #[error("the response is longer than {0} bytes")]
    TooLong(usize),
}

/// Reads a response of at most `most` bytes.
///
/// # Errors
/// [`ReadError`].
pub async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| ReadError::Broken(describe(error)))?
    {
        if body.len() + chunk.len() > most {
            return Err(ReadError::TooLong(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The time in a response's `Retry-After` header, given in seconds or as a date; Unix milliseconds.
/// At most a day from now.
pub fn retry_at_ms(headers: &HeaderMap, now_ms: i64) -> Option<i64> {
    let after = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let at_ms = match after.parse::<u32>() {
        Ok(seconds) => now_ms + i64::from(seconds) * 1000,
        Err(_) => {
            let date = httpdate::parse_http_date(after).ok()?;
            i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?
        }
    };
    Some(at_ms.min(now_ms + DAY_MS))
}

/// Checks a callback address before it is stored.
///
/// It must be https, without credentials, and neither a private address nor a local host name. With
/// `allow_private`, http and any host are accepted.
///
/// # Errors
/// The reason why it is refused.
pub fn judge(url: &Url, allow_private: bool) -> Result<(), AddressError> {
    let is_plain = url.scheme() == "http" && allow_private;
    if url.scheme() != "https" && !is_plain {
        return Err(AddressError::NotHttps);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::Credentials);
    }
    let is_own_name = |name: &str| {
        let name = name.trim_end_matches('.');
        name == "localhost" || name.ends_with(".localhost")
    };
    let is_private = match url.host() {
        Some(Host::Ipv4(ip)) => !is_public(ip.into()),
        Some(Host::Ipv6(ip)) => !is_public(ip.into()),
        Some(Host::Domain(name)) => is_own_name(name),
        None => true,
    };
    match is_private && !allow_private {
        true => Err(AddressError::NotPublic(refused(url))),
        false => Ok(()),
    }
}

fn refused(url: &Url) -> NotPublic {
    NotPublic(url.host_str().unwrap_or("nothing").to_owned())
}

/// Resolves names to their public addresses only. The connection is then made to the checked
/// address.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("the name does not resolve to a public address".into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the error for an address; empty if the address is accepted.
    fn check(url: &str, allow_private: bool, expected: &str) {
        let found = judge(&url.parse().unwrap(), allow_private);
        let found = found.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(
            found.contains(expected) && found.is_empty() == expected.is_empty(),
            "{url}: {found}"
        );
    }

    #[test]
    fn addresses_that_are_kept() {
        let not_public = "is not a public address";
        check("https://hooks.example.com/a?b=c", false, "");
        check("https://93.184.216.34/", false, "");
        check("https://[2606:2800:220:1::1]:8443/", false, "");
        check("http://hooks.example.com/", false, "https://");
        check("ftp://hooks.example.com/", true, "https://");
        check("https://user@hooks.example.com/", false, "user name");
        check("https://:pass@hooks.example.com/", true, "user name");
        check("https://hooks.example.com@127.0.0.1/", false, "user name");
        for host in [
            "127.0.0.1",
            "127.1",
            "127.0.0.1.",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "017700000001",
            "0177.0.0.1",
            "0",
            "localhost",
            "LOCALHOST.",
            "api.localhost",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[64:ff9b::a00:1]",
            "[2002:c0a8:101::]",
            "169.254.169.254",
            "①②⑦.0.0.1",
        ] {
            check(&format!("https://{host}/"), false, not_public);
            check(&format!("http://{host}/"), true, "");
        }
    }

    #[test]
    fn retries() {
        // 10:00:00 of that day.
        const NOW_MS: i64 = 1_795_255_200_000;
        let check = |after: &str, expected: Option<i64>| {
            let headers = [(RETRY_AFTER, after.parse().unwrap())].into_iter().collect();
            assert_eq!(retry_at_ms(&headers, NOW_MS), expected, "{after}");
        };
        check("120", Some(NOW_MS + 120_000));
        check(" 0 ", Some(NOW_MS));
        check("4294967295", Some(NOW_MS + DAY_MS));
        // The three forms of RFC 9110.
        check("Sat, 21 Nov 2026 10:15:04 GMT", Some(NOW_MS + 904_000));
        check("Saturday, 21-Nov-26 10:15:04 GMT", Some(NOW_MS + 904_000));
        check("Sat Nov 21 10:15:04 2026", Some(NOW_MS + 904_000));
        check("Sat, 21 Nov 2026 09:59:00 GMT", Some(NOW_MS - 60_000));
        check("Fri, 31 Dec 9999 23:59:59 GMT", Some(NOW_MS + DAY_MS));
        for wrong in ["", "-1", "1.5", "soon", "Sat, 00 Nov 2026 10:15:04 GMT", "Sat, 21 Nov 2026"]
        {
            check(wrong, None);
        }
        assert_eq!(retry_at_ms(&HeaderMap::new(), NOW_MS), None);
    }

    async fn sent(url: &str, allow_private: bool) -> String {
        let outgoing = Outgoing::new().unwrap();
        match outgoing.request(Method::GET, &url.parse().unwrap(), allow_private) {
            Err(error) => error.to_string(),
            Ok(request) => request.send().await.map_or_else(describe, |_| "it was reached".into()),
        }
    }

    /// A name that resolves to this machine is detected when it is resolved, whatever its form.
    #[tokio::test]
    async fn names_are_judged_by_what_they_lead_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "LocalHost"] {
            let error = sent(&format!("https://{host}:{port}/"), false).await;
            assert!(error.contains("does not resolve to a public address"), "{host}: {error}");
        }
        // Not every machine resolves this form.
        let error = sent(&format!("https://localhost.:{port}/"), false).await;
        assert!(error.contains("public address") || error.contains("lookup"), "{error}");
        for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:7f00:1]", "user@127.1"] {
            let error = sent(&format!("http://{host}:{port}/"), false).await;
            assert!(error.contains("is not a public address"), "{host}: {error}");
        }
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "somebody called");
    }
}
