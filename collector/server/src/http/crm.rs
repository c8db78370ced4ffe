//! What `clew crm` asks of the collector that has the store.

use crate::problem::ApiError;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use collector::operation::Operation;
use serde::Serialize;

/// `POST /crm`: the state of the connections.
pub(super) async fn status(operation: Data<Operation>) -> Result<HttpResponse, ApiError> {
    answer(operation.status().await.map_err(Into::into))
}

/// `POST /crm/{name}/setup`
pub(super) async fn set_up(
    operation: Data<Operation>,
    name: Path<String>,
) -> Result<HttpResponse, ApiError> {
    answer(operation.set_up(&name).await)
}

/// `POST /crm/{name}/test`
pub(super) async fn test(
    operation: Data<Operation>,
    name: Path<String>,
) -> Result<HttpResponse, ApiError> {
    answer(operation.test(&name).await)
}

/// Whoever asks over the socket is the operator, and learns what went wrong.
fn answer<T: Serialize>(done: anyhow::Result<T>) -> Result<HttpResponse, ApiError> {
    match done {
        Ok(done) => Ok(HttpResponse::Ok().json(done)),
        Err(error) => Err(ApiError::Conflict(format!("{error:#}"))),
    }
}
