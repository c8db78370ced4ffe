//! Follows leads in their CRMs: reads again what a webhook named, asks for what changed, and keeps what
//! became of leads and deals.
//!
//! Webhooks are not trusted: they name records, which wait in the [inbox](crate::inbox) and are read as
//! they stand. So it does not matter in which order webhooks come, how often, or that one is lost: the
//! [`poll`] finds the same. What is read is compared with what is known (`person`, `deal`), and only the
//! difference is kept.

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

/// How often a connection is looked after.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows leads in all connections.
pub struct Follower {
    core: Arc<Core>,
    settings: Arc<CurrentSettings>,
    connections: Arc<Connections>,
    recorder: Arc<Recorder>,
    inbox: Arc<Inbox>,
}

impl Follower {
    /// Of these services.
    pub fn new(
        core: Arc<Core>,
        settings: Arc<CurrentSettings>,
        connections: Arc<Connections>,
        recorder: Arc<Recorder>,
        inbox: Arc<Inbox>,
    ) -> Self {
        Self { core, settings, connections, recorder, inbox }
    }

    /// Follows until told to stop.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut logged = HashSet::new();
        while !*stop.borrow() {
            if let Err(error) = self.step().await {
                // The same trouble is logged once, not every second.
                let error = error.to_string();
                if logged.insert(error.clone()) {
                    tracing::error!(error, "leads could not be followed");
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

    /// Reads what waits, and asks for what changed where it is time to; returns how many records were
    /// looked at.
    ///
    /// # Errors
    /// The store's.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let settings = self.settings.get();
        let names = settings.config.crm.iter().map(|crm| crm.name.as_str());
        // Side by side, so that one that is slow does not come before the others.
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

    /// Leaves a CRM alone that could not be read; pauses it where its credentials are not valid.
    async fn rest(&self, connection: &Connection, error: CallError) -> Result<(), StoreError> {
        connection.rest(self.core.now_ms());
        // What may not be read need not keep leads from being handed off.
        if let CallError::Auth(reason) = &error
            && let Err(CallError::Auth(_)) = connection.crm.probe().await
        {
            return Pause::begin(&self.core, connection.name(), reason.clone(), true).await;
        }
        tracing::warn!(connection = connection.name(), %error, "a CRM could not be read");
        Ok(())
    }
}
