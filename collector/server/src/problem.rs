//! The API's only error type, sent as RFC 9457 problem details, and the one place that maps errors
//! to statuses.
//!
//! Internal errors are logged and never sent. Every problem has a sentence that says what to do,
//! and the request's id.

mod dropped;

use crate::request_id;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError};
use clew_connect::crm::webhook::Refused;
use clew_core::{Core, Refusal};
use clew_store::StoreError;
use collector::config::Scope;
use collector::conversion::ConversionError;
use collector::feedback::FeedbackError;
use collector::inbox::ReceiveError;
use collector::ingest::IngestError;
use collector::leads::LoadError;
use collector::limiter::Limited;
use collector::subscriptions::SubscribeError;
use dropped::dropped;
use shared::outcome::DropReason;
use shared::time::rfc3339;
use std::fmt;

/// `Retry-After` for a client that may not connect now.
const CONNECTION_SECONDS: u32 = 5;
/// `Retry-After` while the disk is full: freeing space takes a while.
const ROOM_SECONDS: u32 = 60;

/// An error response of the API.
#[derive(Debug)]
pub enum ApiError {
    /// A batch that was refused as a whole.
    Dropped(DropReason),
    /// 400: the request cannot be read.
    Malformed(String),
    /// 401: the key is missing or unknown.
    Unauthorized,
    /// 401: the key expired at this time (Unix milliseconds).
    KeyExpired(i64),
    /// 403: the key lacks this scope.
    MissingScope(Scope),
    /// 403: the key has no access to the requested site.
    OtherSite,
    /// 401: a webhook's signature is missing or wrong.
    NotSigned(String),
    /// 404: what is named does not exist, or this key has no access to it.
    NotFound(&'static str),
    /// 405: the path does not support the method.
    MethodNotAllowed,
    /// 408: the body did not arrive in time.
    TooSlow,
    /// 409: the request contradicts the stored state.
    Conflict(String),
    /// 413: the body is too large.
    TooLarge,
    /// 422: the request can be read, but a value in it is not valid.
    Invalid(String),
    /// 422: the idempotency key was used for another request.
    KeyReused,
    /// 429: the client, the visitor or the site sends too much.
    Limited(Limited),
    /// 503, or 409 if another export is in progress: the store refused or failed the request.
    Store(StoreError),
    /// 503: the request bodies being read use all the memory they may have.
    NoRoom,
    /// 503: the client has reached its limit of connections or of refused keys.
    TooManyConnections,
    /// 503: the store did not report in time whether it accepts writes.
    Busy,
    /// 500: a page could not be rendered.
    Page(String),
    /// 503: this binary was built without the tracker.
    NoTracker,
}

/// The problem's type, attached to the response for the metrics.
pub struct Problem(pub String);

/// The store's error, attached to the response for the log.
pub(crate) struct StoreFailure(StoreError);

impl StoreFailure {
    /// Logs the error within its request's span, at most once a minute: a failed store fails every
    /// request.
    pub(crate) fn log(&self, core: &Core) {
        let Self(error) = self;
        let count = core.refused(Refusal::Store);
        match (error, count) {
            // Logged where they occur.
            (StoreError::Busy | StoreError::Exporting | StoreError::Unavailable(_), _) => {
                tracing::debug!(%error, "the store failed a request");
            }
            (_, Some(count)) => tracing::error!(count, %error, "the store failed a request"),
            (_, None) => {}
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Refused(reason) => Self::Dropped(reason),
            IngestError::Limited(limited) => Self::Limited(limited),
            IngestError::Store(error) => Self::Store(error),
            IngestError::Conversion(error) => error.into(),
        }
    }
}

impl From<ConversionError> for ApiError {
    fn from(error: ConversionError) -> Self {
        match error {
            ConversionError::Malformed(_) => Self::Malformed(error.to_string()),
            ConversionError::Contact(_) | ConversionError::IdempotencyKey => {
                Self::Invalid(error.to_string())
            }
            ConversionError::KeyReused => Self::KeyReused,
            ConversionError::LeadFull => Self::Conflict(error.to_string()),
            ConversionError::Store(error) => Self::Store(error),
        }
    }
}

impl From<FeedbackError> for ApiError {
    fn from(error: FeedbackError) -> Self {
        match error {
            FeedbackError::Malformed(_) => Self::Malformed(error.to_string()),
            FeedbackError::Invalid(_) => Self::Invalid(error.to_string()),
            FeedbackError::Unmatched => {
                Self::NotFound("lead; the record was kept, and GET /v1/unmatched lists it")
            }
            FeedbackError::NoLead => Self::NotFound("lead"),
            FeedbackError::ReferenceUsed | FeedbackError::IdentityTaken(..) => {
                Self::Conflict(error.to_string())
            }
            FeedbackError::Store(error) => Self::Store(error),
        }
    }
}

impl From<ReceiveError> for ApiError {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::NoWebhooks => Self::NotFound("connection"),
            ReceiveError::Refused(Refused::Signature(_)) => Self::NotSigned(error.to_string()),
            ReceiveError::Refused(Refused::Malformed(_)) => Self::Malformed(error.to_string()),
            ReceiveError::Store(error) => Self::Store(error),
        }
    }
}

impl From<LoadError> for ApiError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => Self::Store(error),
            LoadError::NoLead => Self::NotFound("lead"),
            LoadError::NoConversion(_) => Self::NotFound("conversion of this lead"),
        }
    }
}

impl From<SubscribeError> for ApiError {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::Store(error) => Self::Store(error),
            SubscribeError::TooMany | SubscribeError::Seal(_) => Self::Conflict(error.to_string()),
        }
    }
}

impl ApiError {
    /// The status, the last segment of `type`, and `detail`.
    fn parts(&self) -> (StatusCode, &str, String) {
        let fixed = |text: &str| text.to_owned();
        match self {
            Self::Dropped(reason) => dropped(*reason),
            Self::Malformed(detail) => (StatusCode::BAD_REQUEST, "malformed", detail.clone()),
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                fixed("Send `Authorization: Bearer KEY` with a key created by `clew key`."),
            ),
            Self::KeyExpired(at_ms) => (
                StatusCode::UNAUTHORIZED,
                "key_expired",
                format!(
                    "This key expired at {}. Create a new one with `clew key`.",
                    rfc3339(*at_ms)
                ),
            ),
            Self::MissingScope(scope) => (
                StatusCode::FORBIDDEN,
                "forbidden",
                format!(
                    "This key lacks the scope `{scope}`. Create one that has it with `clew key --scope {scope}`."
                ),
            ),
            Self::OtherSite => (
                StatusCode::FORBIDDEN,
                "forbidden",
                fixed(
                    "This key has no access to that site. GET /v1/me lists the sites it can access.",
                ),
            ),
            Self::NotSigned(detail) => (StatusCode::UNAUTHORIZED, "not_signed", detail.clone()),
            Self::NotFound(what) => {
                (StatusCode::NOT_FOUND, "not_found", format!("There is no such {what}."))
            }
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                fixed("This path does not support that method."),
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                fixed(
                    "The body took too long to arrive. Send the request again over a faster connection.",
                ),
            ),
            Self::Conflict(detail) => (StatusCode::CONFLICT, "conflict", detail.clone()),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                fixed(
                    "The body is too large: send at most 64 KiB, or 1 MiB to a CRM's address under /hooks.",
                ),
            ),
            Self::Invalid(detail) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail.clone()),
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                fixed("This Idempotency-Key was used for another request; use a new one."),
            ),
            Self::Limited(Limited { by, .. }) => {
                (StatusCode::TOO_MANY_REQUESTS, "rate_limited", too_much(by).to_owned())
            }
            Self::Store(StoreError::Busy) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                fixed("Too many writes are waiting. Retry after the seconds in Retry-After."),
            ),
            Self::Store(error @ StoreError::Full(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "store_full", sentence(&error.to_string()))
            }
            Self::Store(error @ StoreError::Exporting) => {
                (StatusCode::CONFLICT, "exporting", error.to_string())
            }
            Self::Store(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                fixed("The store is unavailable. Retry after the seconds in Retry-After."),
            ),
            Self::NoRoom => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                fixed("Too many bodies are being read. Retry after the seconds in Retry-After."),
            ),
            Self::TooManyConnections => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_connections",
                fixed(
                    "This client has too many connections open, or its keys or signatures were refused \
                     too often. Retry after the seconds in Retry-After.",
                ),
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                fixed("The store did not answer in time. Retry after the seconds in Retry-After."),
            ),
            Self::Page(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "page",
                fixed("The page could not be rendered."),
            ),
            Self::NoTracker => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no_tracker",
                fixed(
                    "This binary was built without the tracker. Run `cargo xtask tracker` and rebuild it.",
                ),
            ),
        }
    }
}

fn too_much(by: &str) -> &'static str {
    match by {
        "visitor" => {
            "This visitor sends more events than a person would. Retry after the seconds in Retry-After."
        }
        "site_day" => {
            "The site has reached its daily limit. Retry after the seconds in Retry-After, or raise \
             rates.site_events_per_day and rates.site_mib_per_day."
        }
        _ => {
            "This address sends too many events. Retry after the seconds in Retry-After. If it is your own \
             proxy, add it to trusted_proxies."
        }
    }
}

/// Turns the store's message into a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain(['.']).collect()
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts().2)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.parts().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, kind, detail) = self.parts();
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        if let Self::Limited(Limited { retry_after_s, .. }) = self {
            response.insert_header((header::RETRY_AFTER, retry_after_s.to_string()));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = match self {
                Self::Store(StoreError::Full(_)) => ROOM_SECONDS,
                Self::TooManyConnections => CONNECTION_SECONDS,
                _ => 1,
            };
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        let title = status.canonical_reason().unwrap_or_default();
        let problem = clew_api::Problem {
            r#type: format!("/problems/{kind}"),
            title,
            status: status.as_u16(),
            detail,
            request_id: request_id::current().map(|id| id.to_string()),
        };
        // Five plain members always serialise.
        let mut response = response.body(serde_json::to_string(&problem).unwrap_or_default());
        let mut extensions = response.extensions_mut();
        extensions.insert(Problem(kind.to_owned()));
        if let Self::Store(error) = self {
            extensions.insert(StoreFailure(error.clone()));
        }
        drop(extensions);
        response
    }
}
