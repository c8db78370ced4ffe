//! What browsers send: batches, and the pixel of pages without script.

use super::body::{BodyError, Sender, Unread};
use super::client;
use super::pace::Pace;
use super::query::Query;
use crate::problem::ApiError;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use clew_core::Core;
use collector::ingest::{Accepted, Ingest, Request};
use collector::settings::{CurrentSettings, Settings};
use serde_json::json;
use shared::ids::EventId;
use shared::limits;
use shared::outcome::DropReason;
use shared::wire::Kind;
use shared::wire::encode::{Event, Header};

const COOKIE: &str = "clew_id";
/// Set to 1 by a visitor who wants nothing kept.
const OPT_OUT_COOKIE: &str = "clew_optout";
/// Where browsers say that they fetch ahead; `Sec-Purpose` may go on, `prefetch;prerender`.
const PURPOSES: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];
/// A transparent pixel.
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\0\0\0!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// `POST /c/e`: 202 once everything that is kept is durable.
pub(super) async fn collect(
    core: Data<Core>,
    settings: Data<CurrentSettings>,
    ingest: Data<Ingest>,
    pace: Data<Pace>,
    request: HttpRequest,
    body: Unread,
) -> HttpResponse {
    let settings = settings.get();
    let mut response = match accept(&core, &ingest, &settings, &request, body).await {
        Ok(accepted) => {
            let mut response = HttpResponse::Accepted();
            set_cookie(&settings, &request, &accepted, &mut response);
            response.json(answer(&accepted))
        }
        Err(error) => {
            if let ApiError::Limited(_) = error {
                pace.wait().await;
            }
            error.error_response()
        }
    };
    // The browser must be able to read refusals too, else it would send the same for ever. The
    // token stands only in answers to origins that the site allows.
    if let Some(origin) = request.headers().get(header::ORIGIN) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            header::HeaderValue::from_static("true"),
        );
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            header::HeaderValue::from_static("Retry-After"),
        );
        headers.insert(header::VARY, header::HeaderValue::from_static("Origin"));
    }
    response
}

async fn accept(
    core: &Core,
    ingest: &Ingest,
    settings: &Settings,
    request: &HttpRequest,
    body: Unread,
) -> Result<Accepted, ApiError> {
    let body = body.read(Sender::Browser).await.map_err(|error| match error {
        BodyError::BrokenOff => ingest.refuse(DropReason::Malformed).into(),
        BodyError::TooLarge => ingest.refuse(DropReason::TooLarge).into(),
        BodyError::NoRoom => ingest.refuse(DropReason::Overloaded).into(),
        BodyError::TooSlow => ApiError::TooSlow,
    })?;
    let cookie = request.cookie(COOKIE);
    // Received is what has arrived whole.
    let described = describe(settings, request, cookie.as_ref(), core.now_ms());
    Ok(ingest.accept(settings, described, &body).await?)
}

/// `GET /c/p.gif?site=NAME`: a page view of a page without script, told by its `Referer`.
pub(super) async fn pixel(
    core: Data<Core>,
    settings: Data<CurrentSettings>,
    ingest: Data<Ingest>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let settings = settings.get();
    let query = Query::of(&request);
    let now_ms = core.now_ms();
    let page = EventId::new(now_ms, core.dice.roll());
    let mut event = Event::new(page, now_ms, page, Kind::PageView);
    event.url = text(request.headers(), header::REFERER);
    event.referrer = query.text("referrer").unwrap_or_default();
    event.title = query.text("title").unwrap_or_default();
    let site = query.text("site").unwrap_or_default();
    let says = |name: &str| request.headers().get(name).is_some_and(|value| value == "1");
    let header = Header {
        site,
        sent_at_ms: now_ms,
        sender: "pixel",
        gpc: says("sec-gpc"),
        dnt: says("dnt"),
        ..Header::default()
    };
    let batch = header.batch([event.to_json().as_str()].into_iter());

    let cookie = request.cookie(COOKIE);
    let described = describe(&settings, &request, cookie.as_ref(), now_ms);
    let accepted = ingest.accept(&settings, described, batch.as_bytes()).await?;
    let mut response = HttpResponse::Ok();
    set_cookie(&settings, &request, &accepted, &mut response);
    Ok(response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("image/gif")
        .body(GIF))
}

fn describe<'a>(
    settings: &Settings,
    request: &'a HttpRequest,
    cookie: Option<&'a Cookie<'_>>,
    received_at_ms: i64,
) -> Request<'a> {
    let headers = request.headers();
    let opted_out = request.cookie(OPT_OUT_COOKIE).is_some_and(|cookie| cookie.value() == "1");
    let ahead = |value: &str| {
        let purpose = value.split(';').next().unwrap_or_default().trim();
        ["prefetch", "prerender", "preview"].iter().any(|word| purpose.eq_ignore_ascii_case(word))
    };
    let purpose = |name: &&str| headers.get(*name).and_then(|value| value.to_str().ok());
    Request {
        origin: headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()),
        cookie: cookie.map(Cookie::value),
        user_agent: text(headers, header::USER_AGENT),
        client: client::address(request, &settings.config.trusted_proxies),
        prefetch: PURPOSES.iter().filter_map(purpose).any(ahead),
        opted_out,
        received_at_ms,
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn answer(accepted: &Accepted) -> serde_json::Value {
    let dropped = accepted.dropped.iter().map(|(id, reason)| json!({ "id": id, "reason": reason }));
    json!({
        "stored": accepted.stored,
        "duplicate": accepted.duplicate,
        "dropped": dropped.collect::<Vec<_>>(),
        "token": accepted.token,
    })
}

/// Renews the visitor's cookie, so that the id outlives what browsers allow to scripts.
fn set_cookie(
    settings: &Settings,
    request: &HttpRequest,
    accepted: &Accepted,
    response: &mut HttpResponseBuilder,
) {
    if !accepted.keep_cookie {
        return;
    }
    let mut cookie = Cookie::build(COOKIE, accepted.visitor.to_text())
        .path("/")
        .max_age(Duration::seconds(limits::COOKIE_SECONDS.into()))
        .same_site(SameSite::Lax)
        .secure(settings.config.public_url.scheme() == "https")
        .finish();
    // A browser refuses a domain that the answering host does not lie in.
    let connection = request.connection_info();
    let host = connection.host().rsplit_once(':').map_or(connection.host(), |(host, _)| host);
    if let Some(domain) = &accepted.cookie_domain
        && host
            .strip_suffix(domain.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    {
        cookie.set_domain(domain.clone());
    }
    response.cookie(cookie);
}
