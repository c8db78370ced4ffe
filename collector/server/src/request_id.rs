//! The id of a request: in the response's `X-Request-Id`, in every problem, and in every log line
//! that the request causes.
//!
//! Trusted proxies may send an id of their own; all other requests get a new one.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpRequest};
use clew_core::Core;
use collector::config::Network;
use collector::settings::CurrentSettings;
use tracing::Instrument;

/// The header with the id.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id accepted from a proxy.
const MOST_BYTES: usize = 64;

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the current request; `None` outside of a request.
pub(crate) fn current() -> Option<String> {
    CURRENT.try_with(String::clone).ok()
}

/// Middleware that gives each request its id and a log span with that id.
pub(crate) async fn identify(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = id_of(&request);
    // An error span, so that even a log of errors alone names the request.
    let span = tracing::error_span!("request", id, method = request.method().as_str());
    let mut answered = CURRENT.scope(id.clone(), next.call(request).instrument(span)).await?;
    // Cannot fail: the id is hex digits or was checked by `is_plain`.
    if let Ok(value) = HeaderValue::from_str(&id) {
        answered.headers_mut().insert(HEADER, value);
    }
    Ok(answered)
}

fn id_of(request: &ServiceRequest) -> String {
    let settings = request.app_data::<Data<CurrentSettings>>().map(|settings| settings.get());
    let trusted = settings.as_ref().map_or(&[][..], |it| &it.config.trusted_proxies);
    let trusted_id = trusted_id(request.request(), trusted).map(str::to_owned);
    let make = || {
        let core = request.app_data::<Data<Core>>();
        let random: [u8; 16] = core.map(|core| core.random.bytes()).unwrap_or_default();
        base16ct::lower::encode_string(&random)
    };
    trusted_id.unwrap_or_else(make)
}

/// The id that a trusted proxy sent.
fn trusted_id<'a>(request: &'a HttpRequest, trusted: &[Network]) -> Option<&'a str> {
    let peer = request.peer_addr()?.ip();
    let is_trusted = trusted.iter().any(|network| network.contains(peer));
    let id = request.headers().get(HEADER)?.to_str().ok()?;
    (is_trusted && is_plain(id)).then_some(id)
}

/// Whether an id is safe in a header and in a log line.
fn is_plain(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=MOST_BYTES).contains(&id.len()) && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use std::net::IpAddr;

    fn check(peer: &str, id: &str, expected: bool) {
        let trusted = [Network::try_from("10.0.0.0/8".to_owned()).unwrap()];
        let peer: IpAddr = peer.parse().unwrap();
        let request = TestRequest::default().peer_addr((peer, 9).into());
        let request = request.insert_header(("X-Request-Id", id)).to_http_request();
        assert_eq!(trusted_id(&request, &trusted).is_some(), expected, "{peer} {id}");
    }

    #[test]
    fn ids_of_trusted_proxies_alone_are_taken_over() {
        check("10.1.2.3", "4bf92f35-77b3.a:b_c", true);
        check("203.0.113.7", "4bf92f35", false);
        check("127.0.0.1", "4bf92f35", false);
        for id in ["", "a b", "a\"b", "a{b}", &"x".repeat(65)] {
            check("10.1.2.3", id, false);
        }
        check("10.1.2.3", &"x".repeat(64), true);
    }
}
