//! What comes back of leads: told by CRMs and by tools between.

use super::auth::ApiKey;
use super::body;
use crate::app::App;
use crate::error::ApiError;
use crate::feedback::{self, Kept};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

/// `POST /v1/leads/{id}/stage`: 201 for what is new, 200 for a repeat.
pub(super) async fn stage(
    app: Data<App>,
    key: ApiKey,
    lead: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(payload).await?;
    let reference = body::idempotency_key(&request)?;
    let kept = feedback::stage(&app, &key.settings, &key.site, &lead, &body, reference).await?;
    Ok(answer(kept))
}

/// `POST /v1/revenue`: 201 for what is new, 200 for a repeat.
pub(super) async fn revenue(
    app: Data<App>,
    key: ApiKey,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(payload).await?;
    let reference = body::idempotency_key(&request)?;
    let kept = feedback::revenue(&app, &key.settings, &key.site, &body, reference).await?;
    Ok(answer(kept))
}

fn answer(kept: Kept) -> HttpResponse {
    let mut response = if kept.repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
    response.insert_header(("Location", format!("/v1/leads/{}", kept.view.lead.id)));
    response.json(kept.answer)
}
