//! Webhooks of CRMs: verified, stored, acknowledged. The records they name are read later.

use super::body::{Sender, UnreadBody};
use super::inbound;
use super::refusals::{BodyRefused, KeyRefused, NotFoundResponse};
use crate::problem::ApiError;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use clew_api::{InboundAccepted, InboundDuplicate};
use clew_connect::{Connection, Connections};
use clew_core::Core;
use collector::feedback::Feedback;
use collector::inbox::Inbox;
use collector::settings::CurrentSettings;
use std::sync::Arc;

/// Receives a webhook from a CRM or another program.
///
/// `connection` is the name of a `[[crm]]` or an `[[inbound]]` table in the configuration. A CRM signs its webhooks in
/// its own way; other programs sign them as Standard Webhooks defines, or send an API key with `leads:write`.
#[utoipa::path(
    post,
    path = "/hooks/{connection}",
    tag = "Incoming webhooks",
    operation_id = "receiveWebhook",
    security((), ("api_key" = ["leads:write"])),
    params(("connection" = String, Path, description = "The name in the configuration.")),
    request_body(content = Object, description = "What the sender reports; docs/webhooks.md lists the members of an `[[inbound]]`."),
    responses(
        (status = 202, description = "Recorded.", body = InboundAccepted),
        (status = 200, description = "The same report had been recorded before; or the response that a CRM expects.", body = InboundDuplicate),
        BodyRefused,
        NotFoundResponse,
        KeyRefused,
    ),
)]
pub(super) async fn receive(
    services: (Data<Core>, Data<CurrentSettings>, Data<Connections>, Data<Inbox>),
    feedback: Data<Feedback>,
    connection: Path<String>,
    request: HttpRequest,
    body: UnreadBody,
) -> Result<HttpResponse, ApiError> {
    let (core, settings, connections, inbox) = services;
    let settings = settings.get();
    if let Some(inbound) = settings.inbound(&connection) {
        return inbound::receive(&core, &feedback, &settings, inbound, &request, body).await;
    }
    let connection = settings.connection(&connections, &connection)?;
    take(&inbox, connection, "", &request, body).await
}

/// Receives a webhook from a CRM that does not sign its requests.
///
/// The secret in the path takes the place of a signature.
#[utoipa::path(
    post,
    path = "/hooks/{connection}/{secret}",
    tag = "Incoming webhooks",
    operation_id = "receiveWebhookBySecret",
    params(
        ("connection" = String, Path, description = "The name in the configuration."),
        ("secret" = String, Path, description = "The connection's secret."),
    ),
    request_body(content = String, description = "What the CRM sends.", content_type = "text/xml"),
    responses(
        (status = 200, description = "The response that the CRM expects."),
        (status = 401, description = "The secret is wrong.", body = clew_api::Problem, content_type = "application/problem+json"),
        BodyRefused,
        NotFoundResponse,
    ),
)]
pub(super) async fn receive_by_secret(
    settings: Data<CurrentSettings>,
    connections: Data<Connections>,
    inbox: Data<Inbox>,
    path: Path<(String, String)>,
    request: HttpRequest,
    body: UnreadBody,
) -> Result<HttpResponse, ApiError> {
    let (connection, secret) = path.into_inner();
    let connection = settings.get().connection(&connections, &connection)?;
    take(&inbox, connection, &secret, &request, body).await
}

async fn take(
    inbox: &Inbox,
    connection: Option<Arc<Connection>>,
    secret_path: &str,
    request: &HttpRequest,
    body: UnreadBody,
) -> Result<HttpResponse, ApiError> {
    let connection = connection.ok_or(ApiError::NotFound("connection"))?;
    let header = |name: &str| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    inbox.admit(&connection, secret_path, &header)?;
    let body = body.read(Sender::Crm).await?;
    let received = inbox.receive(&connection, secret_path, &header, &body).await?;
    let (content_type, answer) = received.answer;
    Ok(HttpResponse::Ok().content_type(content_type).body(answer))
}
