//! Entity tags: a response that the caller already has is not sent again.

use actix_web::http::header::{self, EntityTag, HeaderMap};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

/// A JSON response with the hash of its text as a strong tag; 304 without a body if the caller names that tag
/// in `If-None-Match`.
pub(super) fn json(request: &HttpRequest, body: &impl Serialize) -> HttpResponse {
    // Nothing in a response can fail to serialise: no map has keys other than strings.
    let text = serde_json::to_string(body).unwrap_or_default();
    let tag = EntityTag::new_strong(format!("{:032x}", xxh3_128(text.as_bytes())));
    let is_known = is_known(request.headers(), &tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, tag))
        // A cache must revalidate it, and must not share it between keys.
        .insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if is_known {
        return response.finish();
    }
    response.content_type("application/json").body(text)
}

/// Whether `If-None-Match` names a tag, by RFC 9110's weak comparison; `*` names every one.
pub(super) fn is_known(headers: &HeaderMap, tag: &EntityTag) -> bool {
    let named = headers.get_all(header::IF_NONE_MATCH).filter_map(|line| line.to_str().ok());
    let mut named = named.flat_map(|line| line.split(',')).map(str::trim);
    named.any(|named| named == "*" || named.parse().is_ok_and(|named| tag.weak_eq(&named)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn tags() {
        let tag = EntityTag::new_strong("abc".to_owned());
        for (lines, expected) in [
            (&[][..], false),
            (&["\"abc\""], true),
            (&["W/\"abc\""], true),
            (&["*"], true),
            (&["\"x\", \"abc\""], true),
            (&["\"x\"", "\"abc\""], true),
            (&["\"x\",W/\"y\""], false),
            (&["abc"], false),
            (&["\"ABC\""], false),
            (&["\"abc"], false),
            (&["", ", ,"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(line));
            }
            assert_eq!(is_known(&headers, &tag), expected, "{lines:?}");
        }
    }
}
