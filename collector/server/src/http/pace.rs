//! Slows down clients that were refused for sending too much: sending the next request at once would cost us more than
//! them.

use crate::problem::Problem;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long such a response waits.
const DELAY: Duration = Duration::from_millis(250);
/// Responses that wait at the same time. Others go out at once, so that waiting ones hold no more connections
/// than these.
const PLACES: usize = 256;
/// The problem whose responses wait.
const SLOW: &str = "rate_limited";

/// The places of waiting responses.
pub(crate) struct Pace(Semaphore);

impl Pace {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(PLACES))
    }

    async fn wait(&self) {
        if let Ok(_place) = self.0.try_acquire() {
            #[expect(clippy::disallowed_methods, reason = "to wait is what this is for")]
            let delay = tokio::time::sleep(DELAY);
            delay.await;
        }
    }
}

/// Delays refusals of a client that should slow down.
pub(crate) async fn slow_down(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let pace = request.app_data::<Data<Pace>>().cloned();
    let response = next.call(request).await?;
    let is_slow = {
        let extensions = response.response().extensions();
        let problem = extensions.get::<Problem>();
        problem.is_some_and(|Problem(kind)| kind == SLOW)
    };
    if let Some(pace) = pace.filter(|_| is_slow) {
        pace.wait().await;
    }
    Ok(response)
}
