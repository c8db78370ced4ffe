//! A browser's request apart from its body.

use std::net::IpAddr;

/// What ingest needs to know about a request, independent of HTTP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The `Origin` header.
    pub origin: Option<&'a str>,
    /// The value of the visitor's cookie.
    pub cookie: Option<&'a str>,
    /// The `User-Agent` header.
    pub user_agent: &'a str,
    /// The client's address; used for own traffic and rate limits, never stored.
    pub client: Option<IpAddr>,
    /// Whether the browser prefetched the page.
    pub prefetch: bool,
    /// Whether the browser has the opt-out cookie.
    pub opted_out: bool,
    /// When the request arrived, Unix milliseconds.
    pub received_at_ms: i64,
}
