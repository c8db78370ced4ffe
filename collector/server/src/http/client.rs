//! The address that a request came from, behind proxies. It is compared and forgotten, never stored.
//!
//! Who is connected is believed; what a request says of those before only where a trusted proxy
//! passed it on. A proxy appends whom it heard from, so the list is read from its end: the first
//! address that is no trusted proxy's is the client's, and what stands before it anybody may have
//! made up.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};
use collector::config::Network;
use std::net::{IpAddr, SocketAddr};

/// Who sent a request; `None` where that cannot be told.
pub(super) fn address(request: &HttpRequest, trusted: &[Network]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let headers = request.headers();
    let listed = values(headers, &HeaderName::from_static("x-forwarded-for"));
    if !listed.is_empty() {
        return behind_proxies(peer, &listed, trusted, Some);
    }
    let listed = values(headers, &HeaderName::from_static("forwarded"));
    behind_proxies(peer, &listed, trusted, forwarded_for)
}

/// The elements of a list that may stand in several headers of one name, in order; text that is no
/// ASCII is an element that nobody can read.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let texts = headers.get_all(name).map(|value| value.to_str().unwrap_or("?"));
    texts.flat_map(|text| text.split(',')).map(str::trim).collect()
}

/// Walks from the peer back through what proxies listed.
fn behind_proxies<'a>(
    peer: IpAddr,
    listed: &[&'a str],
    trusted: &[Network],
    node: impl Fn(&'a str) -> Option<&'a str>,
) -> Option<IpAddr> {
    let is_proxy = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer;
    for element in listed.iter().rev() {
        if !is_proxy(client) {
            break;
        }
        client = node(element).and_then(parse)?;
    }
    Some(client.to_canonical())
}

/// The `for` of one element of `Forwarded` (RFC 7239), without its quotes.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// An address as proxies write it: bare, in brackets, with a port.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    const TRUSTED: [&str; 3] = ["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"];

    fn found(peer: &str, headers: &[(&str, &str)], trusted: &[&str]) -> Option<IpAddr> {
        let trusted = trusted.iter().map(|text| Network::try_from((*text).to_owned()).unwrap());
        let mut request =
            TestRequest::default().peer_addr((peer.parse::<IpAddr>().unwrap(), 9).into());
        for header in headers {
            request = request.append_header(*header);
        }
        address(&request.to_http_request(), &trusted.collect::<Vec<_>>())
    }

    fn check(peer: &str, headers: &[(&str, &str)], expected: &str) {
        let expected = expected.parse().ok();
        assert_eq!(found(peer, headers, &TRUSTED), expected, "{peer} {headers:?}");
    }

    #[test]
    fn clients() {
        let list = |value| ("X-Forwarded-For", value);
        let forwarded = |value| ("Forwarded", value);
        // Nobody asked a proxy.
        check("203.0.113.7", &[], "203.0.113.7");
        check("203.0.113.7", &[list("198.51.100.1")], "203.0.113.7");
        check("::ffff:203.0.113.7", &[], "203.0.113.7");
        check("127.0.0.1", &[], "127.0.0.1");
        // One or more trusted proxies.
        check("127.0.0.1", &[list("203.0.113.7")], "203.0.113.7");
        check("::ffff:127.0.0.1", &[list("203.0.113.7")], "203.0.113.7");
        check("127.0.0.1", &[list("198.51.100.1, 203.0.113.7, 10.1.2.3")], "203.0.113.7");
        check("127.0.0.1", &[list("198.51.100.1"), list("203.0.113.7,10.1.2.3")], "203.0.113.7");
        check("127.0.0.1", &[list("10.9.9.9, 10.1.2.3")], "10.9.9.9");
        check("127.0.0.1", &[list("2001:db8::7, 2001:db8:1::3")], "2001:db8::7");
        check("127.0.0.1", &[list("203.0.113.7:4711")], "203.0.113.7");
        check("127.0.0.1", &[list("[2001:db8::7]:4711")], "2001:db8::7");
        check("127.0.0.1", &[list("[2001:db8::7]")], "2001:db8::7");
        // What a client made up stands before what the proxy saw.
        check("127.0.0.1", &[list("garbage, 203.0.113.7")], "203.0.113.7");
        // What the proxy passed on cannot be read: nobody is known.
        check("127.0.0.1", &[list("unknown")], "");
        check("127.0.0.1", &[list("203.0.113.7, ")], "");
        check("127.0.0.1", &[list("203.0.113.7, 999.1.1.1")], "");
        check("127.0.0.1", &[list("203.0.113.7, \u{f6}")], "");
        check("127.0.0.1", &[list("")], "");
        // RFC 7239, where there is no list of the older form.
        check("127.0.0.1", &[forwarded("for=203.0.113.7")], "203.0.113.7");
        check("127.0.0.1", &[forwarded("For=\"[2001:db8::7]:4711\";proto=https")], "2001:db8::7");
        check(
            "127.0.0.1",
            &[forwarded("for=198.51.100.1, proto=http; for=203.0.113.7;by=10.0.0.1, for=10.1.2.3")],
            "203.0.113.7",
        );
        check("127.0.0.1", &[forwarded("for=_hidden")], "");
        check("127.0.0.1", &[forwarded("proto=https")], "");
        check("127.0.0.1", &[list("203.0.113.7"), forwarded("for=198.51.100.1")], "203.0.113.7");
    }

    #[test]
    fn nobody_is_trusted_by_default() {
        let headers = [("X-Forwarded-For", "198.51.100.1")];
        assert_eq!(found("127.0.0.1", &headers, &[]), "127.0.0.1".parse().ok());
    }

    proptest! {
        /// Whatever is listed, a client that is no trusted proxy is who is connected.
        #[test]
        fn nobody_moves_by_saying_so(value in "[ -~]{0,60}") {
            let headers = [("X-Forwarded-For", value.as_str()), ("Forwarded", value.as_str())];
            prop_assert_eq!(found("203.0.113.7", &headers, &TRUSTED), "203.0.113.7".parse().ok());
        }
    }
}
