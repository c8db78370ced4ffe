//! A CRM as a target: one collector at a time makes as many hand-offs as the limit of calls allows.

use super::hand_off::{CALLS, HandOffError, hand_off};
use crate::outbox::target::{Attempt, Target};
use crate::settings::Settings;
use async_trait::async_trait;
use clew_connect::{CallError, Connection};
use clew_core::pause::LOOK_AGAIN_MS;
use clew_core::{Core, Pause, lease};
use clew_store::{Delivery, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// A CRM connection with the services that deliveries need.
pub struct CrmTarget {
    core: Arc<Core>,
    settings: Arc<Settings>,
    connection: Arc<Connection>,
}

impl CrmTarget {
    /// Creates the target of a connection.
    pub fn new(core: Arc<Core>, settings: Arc<Settings>, connection: Arc<Connection>) -> Self {
        Self { core, settings, connection }
    }

    /// Whether the connection is paused. When a probe is due, its result decides whether the pause
    /// ends.
    async fn is_paused(&self) -> Result<bool, StoreError> {
        let (core, name) = (&*self.core, self.connection.name());
        let Some(pause) = Pause::of(core, name).await? else { return Ok(false) };
        if pause.is_left_alone(core.now_ms()) {
            return Ok(true);
        }
        match self.connection.crm.probe().await {
            Ok(()) => Pause::end(core, name).await.map(|()| false),
            // The probe was not made, so nothing new is known.
            Err(CallError::RateLimited { .. }) => Ok(true),
            Err(error) => Pause::begin(core, name, error.to_string(), true).await.map(|()| true),
        }
    }
}

/// The longest attempt: the note may take as many calls as the record, and each call its full
/// timeout.
pub(in crate::outbox) fn longest_attempt(settings: &Settings) -> Duration {
    settings.timeout() * (2 * CALLS as u32)
}

#[async_trait]
impl Target for CrmTarget {
    fn longest_attempt(&self) -> Duration {
        longest_attempt(&self.settings)
    }

    async fn capacity(&self, in_flight: usize) -> Result<usize, StoreError> {
        if !lease::hold(&self.core, self.connection.name()).await? || self.is_paused().await? {
            return Ok(0);
        }
        let calls = self.connection.caller.throttle.free(self.core.now_ms()) as usize;
        let hand_offs = calls.saturating_sub(CALLS * in_flight) / CALLS;
        let places = self.settings.config.delivery.concurrency.saturating_sub(in_flight);
        Ok(hand_offs.min(places))
    }

    /// Each call has a timeout, but the attempt as a whole is never aborted: if the CRM had just
    /// rotated a token, the new token would be lost.
    async fn deliver(&self, delivery: &Delivery) -> Result<Attempt, StoreError> {
        let done = hand_off(&self.core, &self.settings, &self.connection, delivery).await;
        let error = match done {
            Ok(()) => return Ok(Attempt::Accepted),
            Err(HandOffError::Store(error)) => return Err(error),
            Err(HandOffError::Gone(why)) => return Ok(Attempt::Hopeless(why)),
            Err(HandOffError::Call(error)) => error,
        };
        let said = error.to_string();
        Ok(match error {
            // A missing field that cannot be left out is missing for every lead.
            CallError::Auth(_) | CallError::UnknownField { .. } => Attempt::Refused(said),
            CallError::RateLimited { until_ms, .. } => {
                Attempt::Busy { until_ms: Some(until_ms), reason: said }
            }
            CallError::Transient { until_ms, message } => {
                Attempt::Failed { error: message, not_before_ms: until_ms, overloaded: false }
            }
            CallError::Invalid(_) => Attempt::Hopeless(said),
        })
    }

    async fn after_attempt(&self, attempt: &Attempt) -> Result<Option<i64>, StoreError> {
        match attempt {
            Attempt::Accepted | Attempt::Hopeless(_) => Ok(None),
            Attempt::Busy { until_ms, .. } => Ok(*until_ms),
            Attempt::Failed { not_before_ms, .. } => Ok(*not_before_ms),
            Attempt::Refused(reason) => {
                let name = self.connection.name();
                Pause::begin(&self.core, name, reason.clone(), true).await?;
                Ok(Some(self.core.now_ms() + LOOK_AGAIN_MS))
            }
        }
    }
}
