//! Webhooks of CRMs: signed, kept, answered; their records are read later.

use super::{body, inbound};
use crate::problem::ApiError;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use clew_connect::Connections;
use clew_connect::crm::webhook::{Refused, Webhook};
use clew_core::Core;
use collector::feedback::Feedback;
use collector::inbox::Inbox;
use collector::settings::CurrentSettings;

/// What webhooks of CRMs are taken with.
pub(super) struct Hooks {
    core: Data<Core>,
    settings: Data<CurrentSettings>,
    connections: Data<Connections>,
    inbox: Data<Inbox>,
}

/// `POST /hooks/{connection}`, or `/hooks/{name}` of an inbound of the configuration.
pub(super) async fn receive(
    services: (Data<Core>, Data<CurrentSettings>, Data<Connections>, Data<Inbox>),
    feedback: Data<Feedback>,
    connection: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let (core, settings, connections, inbox) = services;
    let current = settings.get();
    if let Some(inbound) = current.inbound(&connection) {
        let now_ms = core.now_ms();
        return inbound::receive(&feedback, &current, inbound, &request, payload, now_ms).await;
    }
    let hooks = Hooks { core, settings, connections, inbox };
    hooks.accept(&connection, "", &request, payload).await
}

/// `POST /hooks/{connection}/{secret}`, for vendors that sign nothing.
pub(super) async fn receive_by_secret(
    services: (Data<Core>, Data<CurrentSettings>, Data<Connections>, Data<Inbox>),
    path: Path<(String, String)>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let (core, settings, connections, inbox) = services;
    let (connection, secret) = path.into_inner();
    let hooks = Hooks { core, settings, connections, inbox };
    hooks.accept(&connection, &secret, &request, payload).await
}

impl Hooks {
    async fn accept(
        &self,
        name: &str,
        secret_path: &str,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<HttpResponse, ApiError> {
        let none = || ApiError::NotFound("connection");
        let connection = self.settings.get().connection(&self.connections, name)?;
        let connection = connection.ok_or_else(none)?;
        let webhooks = connection.crm.webhooks().ok_or_else(none)?;
        let body = body::read_webhook(payload).await?;
        let header = |name: &str| {
            let value = request.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let now_ms = self.core.now_ms();
        let webhook = Webhook { secret_path, header: &header, body: &body, now_ms };
        let received = match webhooks.receive(&webhook) {
            Ok(received) => received,
            Err(refused) => {
                // Unsigned webhooks must not fill the log; the metrics count all of them.
                if connection.logs_refusal(now_ms) {
                    tracing::warn!(connection = name, %refused, "a webhook was refused");
                }
                return Err(match refused {
                    Refused::Signature(_) => ApiError::NotSigned(refused.to_string()),
                    Refused::Malformed(_) => ApiError::Malformed(refused.to_string()),
                });
            }
        };
        self.inbox.put(name, &received.records).await?;
        let (content_type, answer) = received.answer;
        Ok(HttpResponse::Ok().content_type(content_type).body(answer))
    }
}
