//! What CRMs tell by webhook: signed, kept, answered; read again later.

use super::{body, inbound};
use crate::app::App;
use crate::crm::{Refused, Webhook};
use crate::error::ApiError;
use crate::follow::inbox;
use crate::store::StoreError;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

/// `POST /hooks/{connection}`, or `/hooks/{name}` of an inbound of the configuration.
pub(super) async fn receive(
    app: Data<App>,
    connection: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let settings = app.settings();
    match settings.inbound(&connection) {
        Some(inbound) => inbound::receive(&app, &settings, inbound, &request, payload).await,
        None => accept(&app, &connection, "", &request, payload).await,
    }
}

/// `POST /hooks/{connection}/{secret}`, for those that sign nothing.
pub(super) async fn receive_by_secret(
    app: Data<App>,
    path: Path<(String, String)>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let (connection, secret) = path.into_inner();
    accept(&app, &connection, &secret, &request, payload).await
}

async fn accept(
    app: &App,
    name: &str,
    secret_path: &str,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let settings = app.settings();
    let connection = app.connections.get(&settings, name);
    let connection = connection
        .map_err(|error| StoreError::Closed(format!("{error:#}")))?
        .ok_or(ApiError::NotFound("connection"))?;
    let body = body::read_webhook(payload).await?;
    let header = |name: &str| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let webhook = Webhook { secret_path, header: &header, body: &body, now_ms: app.clock.now_ms() };
    let received = match connection.crm.receive(&webhook) {
        Ok(received) => received,
        Err(refused) => {
            // Whoever knocks without a signature must not fill the log; the metrics count all of it.
            if connection.tells_refusal(webhook.now_ms) {
                tracing::warn!(connection = name, %refused, "a webhook was refused");
            }
            return Err(match refused {
                Refused::Signature(_) => ApiError::NotSigned(refused.to_string()),
                Refused::Malformed(_) => ApiError::Malformed(refused.to_string()),
            });
        }
    };
    inbox::put(app, name, &received.records).await?;
    let (content_type, answer) = received.answer;
    Ok(HttpResponse::Ok().content_type(content_type).body(answer))
}
