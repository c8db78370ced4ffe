//! The problems of batches that are refused as a whole.

use actix_web::http::StatusCode;
use shared::outcome::DropReason;

/// Status, the last part of `type`, and the sentence.
pub(super) fn dropped(reason: DropReason) -> (StatusCode, &'static str, String) {
    let (status, detail) = match reason {
        DropReason::TooLarge => {
            (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large: send at most 64 KiB.")
        }
        DropReason::Malformed => (
            StatusCode::BAD_REQUEST,
            "The body is not a batch: send JSON in UTF-8 with v, site, sent_at and events.",
        ),
        DropReason::UnsupportedVersion => {
            (StatusCode::BAD_REQUEST, "This wire version is not supported: send version 1.")
        }
        DropReason::TooManyEvents => {
            (StatusCode::UNPROCESSABLE_ENTITY, "Too many events: send at most 250 in a batch.")
        }
        DropReason::UnknownSite => {
            (StatusCode::NOT_FOUND, "No site of that name is configured: check data-site.")
        }
        DropReason::ForeignOrigin => (
            StatusCode::FORBIDDEN,
            "The page's host is not one of the site's hosts: add it to sites.hosts in the configuration.",
        ),
        DropReason::InvalidVisitor => {
            let detail = "The visitor is not a UUID: send the value of the cookie clew_id.";
            (StatusCode::UNPROCESSABLE_ENTITY, detail)
        }
        DropReason::RateLimited => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many events were sent. Retry after the seconds in Retry-After.",
        ),
        DropReason::Overloaded => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many writes are waiting. Retry after the seconds in Retry-After.",
        ),
        DropReason::InvalidEvent
        | DropReason::TooLong
        | DropReason::TooOld
        | DropReason::InFuture
        | DropReason::NoConsent
        | DropReason::VisitorFull => (StatusCode::UNPROCESSABLE_ENTITY, "The event was refused."),
    };
    (status, reason.as_str(), detail.to_owned())
}
