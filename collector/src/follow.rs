//! Follows leads in their CRMs: reads the records that webhooks named, polls for changes, and
//! records new stages and deals.
//!
//! Webhooks are not trusted. They only name records, which wait in the [inbox](crate::inbox) and
//! are then read from the CRM. So webhooks may arrive in any order, repeatedly or not at all: the
//! [`poll`] finds the same changes. What is read is compared with what is known (`person`, `deal`),
//! and only differences are recorded.

mod work;
mod person;
mod deal;
mod apply;
mod read;
pub mod poll;

use crate::inbox::Inbox;
use crate::recorder::Recorder;
use crate::settings::{CurrentSettings, Settings};
use clew_connect::{CallError, Connection, Connections};
use clew_core::{Core, Pause, lease};
use clew_store::StoreError;
use futures_util::future::join_all;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::Instrument;
use work::{FollowError, Work};

/// The pause between two steps.
const PAUSE: Duration = Duration::from_secs(1);

/// The background service that follows leads in all connected CRMs.
pub struct Follower {
    core: Arc<Core>,
    settings: Arc<CurrentSettings>,
    connections: Arc<Connections>,
    recorder: Arc<Recorder>,
    inbox: Arc<Inbox>,
}

impl Follower {
    /// Creates the service.
    pub fn new(
        core: Arc<Core>,
        settings: Arc<CurrentSettings>,
        connections: Arc<Connections>,
        recorder: Arc<Recorder>,
        inbox: Arc<Inbox>,
    ) -> Self {
        Self { core, settings, connections, recorder, inbox }
    }

    /// Runs until `stop` is set.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut logged = HashSet::new();
        while !*stop.borrow() {
            if let Err(error) = self.step().await {
                // The same error is logged once, not every second.
                let error = error.to_string();
                if logged.insert(error.clone()) {
                    tracing::error!(error, "following leads failed");
                }
            } else {
                logged.clear();
            }
            #[expect(clippy::disallowed_methods, reason = "a loop that waits for time to pass")]
            let pause = tokio::time::sleep(PAUSE);
            tokio::select! {
                () = pause => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Reads the records that wait in the inboxes, and polls the connections that are due. Returns
    /// how many records were read.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let settings = self.settings.get();
        let names = settings.config.crm.iter().map(|crm| crm.name.as_str());
        // Concurrently, so that a slow CRM does not delay the others.
        let follow = |name| {
            self.follow(&settings, name)
                .instrument(tracing::error_span!("follow", connection = name))
        };
        let followed = join_all(names.map(follow)).await;
        followed.into_iter().try_fold(0, |sum, looked| Ok(sum + looked?))
    }

    async fn follow(&self, settings: &Settings, name: &str) -> Result<usize, StoreError> {
        let core = &*self.core;
        let Some(connection) = settings.connection(&self.connections, name)? else { return Ok(0) };
        if connection.rests(core.now_ms())
            || !lease::hold(core, name).await?
            || Pause::of(core, name).await?.is_some()
        {
            return Ok(0);
        }
        let recorder = &self.recorder;
        let work = Work { core, settings, connection: &connection, recorder };
        let mut looked = 0;
        let followed = async {
            looked += read::read_due(&work, &self.inbox).await?;
            looked += poll::poll(&work).await?;
            Ok(())
        };
        match followed.await {
            Ok(()) | Err(FollowError::Call(CallError::RateLimited { .. })) => {}
            Err(FollowError::Store(error)) => return Err(error),
            Err(FollowError::Call(error)) => self.rest(&connection, error).await?,
        }
        Ok(looked)
    }

    /// Stops reading from a CRM for a while after an error; pauses it if its credentials are not
    /// valid.
    async fn rest(&self, connection: &Connection, error: CallError) -> Result<(), StoreError> {
        connection.rest(self.core.now_ms());
        // If only reading is forbidden, leads can still be handed off.
        if let CallError::Auth(reason) = &error
            && let Err(CallError::Auth(_)) = connection.crm.probe().await
        {
            return Pause::begin(&self.core, connection.name(), reason.clone(), true).await;
        }
        tracing::warn!(connection = connection.name(), %error, "a CRM could not be read");
        Ok(())
    }
}
