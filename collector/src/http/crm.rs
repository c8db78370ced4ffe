//! What `clew crm` asks the collector that has the store.

use crate::app::App;
use crate::crm::operate;
use crate::error::ApiError;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde::Serialize;

/// `POST /crm`: how the connections stand.
pub(super) async fn standing(app: Data<App>) -> Result<HttpResponse, ApiError> {
    answer(operate::standing(&app).await)
}

/// `POST /crm/{name}/setup`
pub(super) async fn set_up(app: Data<App>, name: Path<String>) -> Result<HttpResponse, ApiError> {
    answer(operate::set_up(&app, &name).await)
}

/// `POST /crm/{name}/test`
pub(super) async fn try_out(app: Data<App>, name: Path<String>) -> Result<HttpResponse, ApiError> {
    answer(operate::try_out(&app, &name).await)
}

/// Whoever asks over the socket is the operator, and is told what went wrong.
fn answer<T: Serialize>(done: anyhow::Result<T>) -> Result<HttpResponse, ApiError> {
    match done {
        Ok(done) => Ok(HttpResponse::Ok().json(done)),
        Err(error) => Err(ApiError::Conflict(format!("{error:#}"))),
    }
}
