//! Calls to other people's servers: never into our own network unless it is allowed, never redirected,
//! and no answer longer than can be meant.

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

/// What is wrong with an address that somebody wants to be called at.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    /// Neither https, nor http where that is allowed.
    #[error("the address should begin with https://; with http, set allow_private")]
    NotHttps,
    /// It holds a user name or a password.
    #[error("the address should have no user name and no password")]
    Credentials,
    /// It is private, or a name of this machine.
    #[error(transparent)]
    NotPublic(NotPublic),
}

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
pub fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    format!("{error}: {cause}")
}

/// Why an answer could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    /// The connection ended.
    #[error("{0}")]
    Broken(String),
    /// It is longer than anything that can be meant.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

/// Reads an answer of at most so many bytes.
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

/// When it may be tried again, where an answer says it in seconds or as a date, Unix milliseconds; in a
/// day at the latest, whatever it says.
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

/// Judges an address that somebody wants to be called at, before it is kept.
///
/// It should be https, without credentials, and neither a private address nor a name of this machine;
/// with `allow_private` http too, and any host.
///
/// # Errors
/// What is wrong with it.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of an address that is not to be kept, and empty where it is.
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

    /// A name that leads to this machine is seen through when it is resolved, whatever its form.
    #[tokio::test]
    async fn names_are_judged_by_what_they_lead_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "LocalHost"] {
            let error = sent(&format!("https://{host}:{port}/"), false).await;
            assert!(error.contains("leads to no public address"), "{host}: {error}");
        }
        // Not every machine knows this form.
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
