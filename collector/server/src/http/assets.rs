//! The tracker's files: revalidated under their stable names, immutable under their hashes.

use super::etag;
use crate::problem::ApiError;
use crate::tracker::{Asset, Tracker};
use actix_web::http::header::{self, EntityTag, HeaderMap};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const MODULE: &str = "application/wasm";
/// A new version reaches pages within five minutes; a year for what can never change. Nothing stale
/// is allowed: an old script asks for an old module, which is gone.
const STABLE: &str = "public, max-age=300, must-revalidate";
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Serves the tracker's script, cached for five minutes.
#[utoipa::path(
    get,
    path = "/c/s.js",
    tag = "Browsers",
    operation_id = "script",
    responses(
        (status = 200, description = "The script.", body = String, content_type = "text/javascript"),
        (status = 304, description = "Not changed: the browser already has this version."),
    ),
)]
pub(super) async fn script(
    tracker: Data<Option<Tracker>>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let tracker = (**tracker).as_ref().ok_or(ApiError::NoTracker)?;
    Ok(answer(&tracker.script, SCRIPT, STABLE, request.headers()))
}

/// Serves one version of the tracker's script, cached for a year.
#[utoipa::path(
    get,
    path = "/c/s.{hash}.js",
    tag = "Browsers",
    operation_id = "scriptByHash",
    params(("hash" = String, Path, description = "The version's hash, as `clew snippet` prints it.")),
    responses(
        (status = 200, description = "The script.", body = String, content_type = "text/javascript"),
        (status = 304, description = "Not changed: the browser already has this version."),
        super::refusals::NotFoundResponse,
    ),
)]
pub(super) async fn script_by_hash(
    tracker: Data<Option<Tracker>>,
    hash: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let tracker = (**tracker).as_ref().ok_or(ApiError::NoTracker)?;
    by_hash(&tracker.script, SCRIPT, &hash, request.headers())
}

/// Serves the tracker's WebAssembly module, cached for five minutes.
#[utoipa::path(
    get,
    path = "/c/t.wasm",
    tag = "Browsers",
    operation_id = "module",
    responses(
        (status = 200, description = "The module.", body = Vec<u8>, content_type = "application/wasm"),
        (status = 304, description = "Not changed: the browser already has this version."),
    ),
)]
pub(super) async fn module(
    tracker: Data<Option<Tracker>>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let tracker = (**tracker).as_ref().ok_or(ApiError::NoTracker)?;
    Ok(answer(&tracker.module, MODULE, STABLE, request.headers()))
}

/// Serves one version of the tracker's WebAssembly module, cached for a year.
#[utoipa::path(
    get,
    path = "/c/t.{hash}.wasm",
    tag = "Browsers",
    operation_id = "moduleByHash",
    params(("hash" = String, Path, description = "The version's hash, as `clew snippet` prints it.")),
    responses(
        (status = 200, description = "The module.", body = Vec<u8>, content_type = "application/wasm"),
        (status = 304, description = "Not changed: the browser already has this version."),
        super::refusals::NotFoundResponse,
    ),
)]
pub(super) async fn module_by_hash(
    tracker: Data<Option<Tracker>>,
    hash: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let tracker = (**tracker).as_ref().ok_or(ApiError::NoTracker)?;
    by_hash(&tracker.module, MODULE, &hash, request.headers())
}

fn by_hash(
    asset: &Asset,
    media_type: &str,
    hash: &str,
    headers: &HeaderMap,
) -> Result<HttpResponse, ApiError> {
    if asset.hash != hash {
        return Err(ApiError::NotFound("version of the tracker"));
    }
    Ok(answer(asset, media_type, IMMUTABLE, headers))
}

fn answer(asset: &Asset, media_type: &str, caching: &str, headers: &HeaderMap) -> HttpResponse {
    let (encoding, body) = encoded(asset, headers);
    let tag = EntityTag::new_strong(match encoding {
        Some(encoding) => format!("{}-{encoding}", asset.hash),
        None => asset.hash.clone(),
    });
    let fresh = etag::is_known(headers, &tag);
    let mut response = if fresh { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::CACHE_CONTROL, caching))
        .insert_header((header::ETAG, tag))
        .insert_header((header::VARY, "Accept-Encoding"))
        // The files hold nothing of anybody's, and pages of other origins load them.
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header(("Cross-Origin-Resource-Policy", "cross-origin"));
    if fresh {
        return response.finish();
    }
    if let Some(encoding) = encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding));
    }
    response.content_type(media_type).body(body)
}

/// The smallest encoding that the browser takes; one with `q=0` it does not.
fn encoded(asset: &Asset, headers: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    let accepted =
        headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    let takes = |encoding: &str| {
        accepted.split(',').any(|entry| {
            let (name, weight) = entry.split_once(';').unwrap_or((entry, "q=1"));
            let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok());
            name.trim().eq_ignore_ascii_case(encoding) && weight != Some(0.0_f32)
        })
    };
    if takes("br") {
        (Some("br"), asset.brotli)
    } else if takes("gzip") {
        (Some("gzip"), asset.gzip)
    } else {
        (None, asset.plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn encodings() {
        let asset = Asset {
            plain: b"plain",
            brotli: b"br",
            gzip: b"gzip",
            hash: "h".into(),
            integrity: String::new(),
        };
        for (accepted, expected) in [
            ("", "plain"),
            ("gzip, deflate, br, zstd", "br"),
            ("gzip", "gzip"),
            ("br;q=0, GZIP;q=0.5", "gzip"),
            ("brotli", "plain"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(encoded(&asset, &headers).1, expected.as_bytes(), "{accepted}");
        }
    }
}
