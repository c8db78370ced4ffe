//! Webhooks of CRMs: signed, kept, answered; their records are read later.

use super::body::{Sender, Unread};
use super::inbound;
use crate::problem::ApiError;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use clew_connect::{Connection, Connections};
use clew_core::Core;
use collector::feedback::Feedback;
use collector::inbox::Inbox;
use collector::settings::CurrentSettings;
use std::sync::Arc;

/// `POST /hooks/{connection}`, or `/hooks/{name}` of an inbound of the configuration.
pub(super) async fn receive(
    services: (Data<Core>, Data<CurrentSettings>, Data<Connections>, Data<Inbox>),
    feedback: Data<Feedback>,
    connection: Path<String>,
    request: HttpRequest,
    body: Unread,
) -> Result<HttpResponse, ApiError> {
    let (core, settings, connections, inbox) = services;
    let settings = settings.get();
    if let Some(inbound) = settings.inbound(&connection) {
        return inbound::receive(&core, &feedback, &settings, inbound, &request, body).await;
    }
    let connection = settings.connection(&connections, &connection)?;
    take(&inbox, connection, "", &request, body).await
}

/// `POST /hooks/{connection}/{secret}`, for vendors that sign nothing.
pub(super) async fn receive_by_secret(
    settings: Data<CurrentSettings>,
    connections: Data<Connections>,
    inbox: Data<Inbox>,
    path: Path<(String, String)>,
    request: HttpRequest,
    body: Unread,
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
    body: Unread,
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
