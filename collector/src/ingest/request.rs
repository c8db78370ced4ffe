//! What a browser's request says beside its body.

use std::net::IpAddr;

/// A request, without HTTP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The `Origin` header.
    pub origin: Option<&'a str>,
    /// The value of the visitor's cookie.
    pub cookie: Option<&'a str>,
    /// The `User-Agent` header.
    pub user_agent: &'a str,
    /// Who sent it; compared with networks, never stored.
    pub client: Option<IpAddr>,
    /// Whether the browser prefetched the page.
    pub prefetch: bool,
    /// Whether the browser's cookie says that nothing is to be kept.
    pub opted_out: bool,
    /// Unix milliseconds.
    pub received_at_ms: i64,
}
