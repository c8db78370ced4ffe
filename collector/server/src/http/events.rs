//! What browsers send: batches, and the pixel of pages without script.

use super::body::{BodyError, Sender, UnreadBody};
use super::client;
use super::query::Query;
use crate::problem::ApiError;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use clew_api::{BatchAccepted, DroppedEvent, Problem};
use clew_core::Core;
use collector::ingest::{Accepted, Ingest, Request};
use collector::settings::{CurrentSettings, Settings};
use serde::Deserialize;
use shared::ids::EventId;
use shared::limits;
use shared::outcome::DropReason;
use shared::wire::Kind;
use shared::wire::encode::{Event, Header};
use utoipa::IntoParams;

const COOKIE: &str = "clew_id";
/// Set to 1 by a visitor who wants nothing kept.
const OPT_OUT_COOKIE: &str = "clew_optout";
/// Where browsers say that they fetch ahead; `Sec-Purpose` may go on, `prefetch;prerender`.
const PURPOSES: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];
/// A transparent pixel.
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\0\0\0!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// Receives a batch of events.
///
/// The response comes once all stored events are durable. The body is sent as `text/plain`, so that browsers send no
/// preflight request; docs/wire.md describes it.
#[utoipa::path(
    post,
    path = "/c/e",
    tag = "Browsers",
    operation_id = "collect",
    request_body(content = String, content_type = "text/plain", description = "A batch in JSON, wire version 1."),
    responses(
        (status = 202, description = "The outcome of the events.", body = BatchAccepted<'static>),
        (status = "4XX", description = "The batch was refused.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "The client, the visitor or the site exceeds its rate. Resend the batch after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not acknowledged; some events may be stored all the same. Resend the batch after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn collect(
    core: Data<Core>,
    settings: Data<CurrentSettings>,
    ingest: Data<Ingest>,
    request: HttpRequest,
    body: UnreadBody,
) -> HttpResponse {
    let settings = settings.get();
    let mut response = match accept(&core, &ingest, &settings, &request, body).await {
        Ok(accepted) => {
            let mut response = HttpResponse::Accepted();
            set_cookie(&settings, &request, &accepted, &mut response);
            response.json(shown(&accepted))
        }
        Err(error) => error.error_response(),
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
    body: UnreadBody,
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

/// What the pixel's address says of the page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PixelQuery {
    /// The site's name in the configuration.
    #[param(required, example = "demo")]
    site: Option<String>,
    /// The page's referrer.
    referrer: Option<String>,
    /// The page's title.
    title: Option<String>,
}

/// Reports a page view from a page without script.
///
/// The page is the one that the `Referer` header names.
#[utoipa::path(
    get,
    path = "/c/p.gif",
    tag = "Browsers",
    operation_id = "pixel",
    params(PixelQuery),
    responses(
        (status = 200, description = "A transparent pixel.", body = Vec<u8>, content_type = "image/gif"),
        (status = "4XX", description = "The page view was refused.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The page view was not stored.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn pixel(
    core: Data<Core>,
    settings: Data<CurrentSettings>,
    ingest: Data<Ingest>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let settings = settings.get();
    let query = Query::<PixelQuery>::of(&request)?;
    let now_ms = core.now_ms();
    let page = EventId::new(now_ms, core.random.bytes());
    let mut event = Event::new(page, now_ms, page, Kind::PageView);
    event.url = text(request.headers(), header::REFERER);
    event.referrer = query.referrer.as_deref().unwrap_or_default();
    event.title = query.title.as_deref().unwrap_or_default();
    let site = query.site.as_deref().unwrap_or_default();
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

fn shown(accepted: &Accepted) -> BatchAccepted<'_> {
    let dropped =
        accepted.dropped.iter().map(|(id, reason)| DroppedEvent { id: *id, reason: *reason });
    BatchAccepted {
        stored: accepted.stored,
        duplicate: accepted.duplicate,
        dropped: dropped.collect(),
        token: accepted.token.as_deref(),
    }
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
