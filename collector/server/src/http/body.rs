//! What requests that write bring: a body within its limits of bytes, time and memory, and a key for
//! repeats.
//!
//! Every body is read here. It has a limit of its own and a deadline; and all bodies of one kind that
//! are in memory at once have a bound together, so that one kind cannot take the room of another.

use crate::problem::ApiError;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use clew_core::{Core, Refusal};
use collector::settings::CurrentSettings;
use futures_util::StreamExt;
use shared::limits;
use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// What the bodies of each kind may take of memory together: ten thousand batches of the usual size, and
/// thirty of the longest webhooks.
const TOGETHER_BYTES: usize = 32 << 20;

/// Who sends a body, as far as that is known before it is read.
#[derive(Clone, Copy)]
pub(super) enum Sender {
    /// A browser.
    Browser,
    /// A program with an API key.
    Key,
    /// A tool between, which signs the body.
    Tool,
    /// A CRM, which signs the body or has a secret address.
    Crm,
}

impl Sender {
    fn most_bytes(self) -> usize {
        match self {
            Self::Browser | Self::Key | Self::Tool => limits::BODY_BYTES,
            Self::Crm => limits::WEBHOOK_IN_BYTES,
        }
    }
}

/// The memory that bodies may take, by sender.
pub(crate) struct Bodies {
    core: Arc<Core>,
    room: [Arc<Semaphore>; 4],
}

impl Bodies {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, room: std::array::from_fn(|_| Arc::new(Semaphore::new(TOGETHER_BYTES))) }
    }
}

/// A body that is still to be read.
pub(super) struct UnreadBody {
    payload: Payload,
    content_length: Option<usize>,
    bodies: Data<Bodies>,
    time: Duration,
}

impl FromRequest for UnreadBody {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        // Every application that has such a route provides what it needs.
        ready(Self::of(request, payload).ok_or(ApiError::NotFound("address")))
    }
}

impl UnreadBody {
    fn of(request: &HttpRequest, payload: &mut Payload) -> Option<Self> {
        let settings = request.app_data::<Data<CurrentSettings>>()?.get();
        let length = request.headers().get(header::CONTENT_LENGTH);
        Some(Self {
            payload: payload.take(),
            content_length: length.and_then(|length| length.to_str().ok()?.parse().ok()),
            bodies: request.app_data::<Data<Bodies>>()?.clone(),
            time: settings.config.limits.request_time(),
        })
    }

    /// The whole body.
    pub(super) async fn read(self, sender: Sender) -> Result<Body, BodyError> {
        let Self { payload, content_length, bodies, time } = self;
        let core = Arc::clone(&bodies.core);
        let read = timeout(time, gather(payload, content_length, &bodies, sender));
        let read = read.await.unwrap_or(Err(BodyError::TooSlow));
        match read {
            Err(BodyError::TooSlow) => {
                if let Some(count) = core.refused(Refusal::SlowBody) {
                    tracing::warn!(count, "a body did not arrive within limits.request_seconds");
                }
            }
            Err(BodyError::NoRoom) => {
                if let Some(count) = core.refused(Refusal::BodyMemory) {
                    tracing::warn!(count, "a body was refused: too many are being read at once");
                }
            }
            Ok(_) | Err(BodyError::BrokenOff | BodyError::TooLarge) => {}
        }
        read
    }
}

async fn gather(
    mut payload: Payload,
    content_length: Option<usize>,
    bodies: &Bodies,
    sender: Sender,
) -> Result<Body, BodyError> {
    let most = sender.most_bytes();
    if content_length.is_some_and(|length| length > most) {
        return Err(BodyError::TooLarge);
    }
    let mut body = Body { bytes: Vec::new(), room: Arc::clone(&bodies.room[sender as usize]) };
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| BodyError::BrokenOff)?;
        if body.bytes.len() + chunk.len() > most {
            return Err(BodyError::TooLarge);
        }
        body.add(&chunk)?;
    }
    Ok(body)
}

/// A body. For as long as it is there, it takes its length of the room for bodies of its kind.
pub(super) struct Body {
    bytes: Vec<u8>,
    room: Arc<Semaphore>,
}

impl Body {
    /// Takes room for what has come and not for what was announced: a client that sends nothing holds
    /// none.
    fn add(&mut self, chunk: &[u8]) -> Result<(), BodyError> {
        let bytes = u32::try_from(chunk.len()).map_err(|_| BodyError::NoRoom)?;
        self.room.try_acquire_many(bytes).map_err(|_| BodyError::NoRoom)?.forget();
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.room.add_permits(self.bytes.len());
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a body was not read to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BodyError {
    /// The client ended it early.
    BrokenOff,
    /// It is larger than it may be.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The bodies that are being read fill the memory that they may have.
    NoRoom,
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::BrokenOff => Self::Malformed("The body broke off.".into()),
            BodyError::TooLarge => Self::TooLarge,
            BodyError::TooSlow => Self::TooSlow,
            BodyError::NoRoom => Self::NoRoom,
        }
    }
}

/// The whole body of a request with an API key.
pub(super) async fn read(body: UnreadBody) -> Result<Body, ApiError> {
    Ok(body.read(Sender::Key).await?)
}

/// The header `Idempotency-Key`.
pub(super) fn idempotency_key(request: &HttpRequest) -> Result<Option<&str>, ApiError> {
    let unreadable = |_| ApiError::Invalid("Idempotency-Key should be ASCII.".into());
    let key = request.headers().get("Idempotency-Key").map(|value| value.to_str());
    key.transpose().map_err(unreadable)
}
