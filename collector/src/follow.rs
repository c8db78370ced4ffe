//! Follows leads in their CRMs: reads again what a webhook named, asks for what changed, and keeps what
//! became of leads and deals.
//!
//! What a webhook says is not believed: it names records, which wait in the [`inbox`] and are read as
//! they stand. So it does not matter in which order webhooks come, how often, or that one is lost: the
//! [`poll`] finds the same. What is read is compared with what is known (`person`, `deal`), and
//! only the difference is kept.

pub mod inbox;
mod deal;
mod person;
pub mod poll;

use crate::app::App;
use crate::crm::connection::Connection;
use crate::crm::pause::Pause;
use crate::crm::{Change, CrmError, lease};
use crate::error::ApiError;
use crate::settings::Settings;
use crate::store::StoreError;
use futures_util::future::join_all;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often a connection is looked after.
const PAUSE: Duration = Duration::from_secs(1);
/// A CRM that could not be read is left alone for so long.
const REST_MS: i64 = 60_000;

/// Follows for one application.
pub struct Follower {
    app: Arc<App>,
}

/// What keeps a connection from being followed for now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The CRM.
    #[error("{0}")]
    Crm(#[from] CrmError),
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Follower {
    /// Of an application.
    pub fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    /// Follows until told to stop.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut told = HashSet::new();
        while !*stop.borrow() {
            if let Err(error) = self.step().await {
                // The same trouble is told once, not every second.
                let error = error.to_string();
                if told.insert(error.clone()) {
                    tracing::error!(error, "leads could not be followed");
                }
            } else {
                told.clear();
            }
            #[expect(clippy::disallowed_methods, reason = "a loop that waits for time to pass")]
            let pause = tokio::time::sleep(PAUSE);
            tokio::select! {
                () = pause => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Reads what waits, and asks for what changed where it is time to; how many records were looked
    /// at.
    ///
    /// # Errors
    /// The store's.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let settings = self.app.settings();
        let names = settings.config.crm.iter().map(|crm| crm.name.as_str());
        // Side by side, so that one that is slow does not come before the others.
        let followed = join_all(names.map(|name| self.follow(&settings, name))).await;
        followed.into_iter().try_fold(0, |sum, looked| Ok(sum + looked?))
    }

    async fn follow(&self, settings: &Settings, name: &str) -> Result<usize, StoreError> {
        let app = &*self.app;
        let connection = app.connections.get(settings, name);
        let connection = connection.map_err(|error| StoreError::Closed(format!("{error:#}")))?;
        let Some(connection) = connection else { return Ok(0) };
        if connection.rests(app.clock.now_ms())
            || !lease::hold(app, name).await?
            || Pause::of(app, name).await?.is_some()
        {
            return Ok(0);
        }
        let work = Work { app, settings, connection: &connection };
        let mut looked = 0;
        let followed = async {
            looked += inbox::work(&work).await?;
            looked += poll::work(&work).await?;
            Ok(())
        };
        match followed.await {
            Ok(()) | Err(Failure::Crm(CrmError::RateLimited { .. })) => {}
            Err(Failure::Store(error)) => return Err(error),
            Err(Failure::Crm(error)) => {
                connection.rest(app.clock.now_ms() + REST_MS);
                // What may not be read need not keep leads from being handed off.
                if let CrmError::Auth(reason) = &error
                    && let Err(CrmError::Auth(_)) = connection.crm.probe().await
                {
                    Pause::begin(app, name, reason.clone(), true).await?;
                    return Ok(looked);
                }
                let error = error.to_string();
                tracing::warn!(connection = name, error, "a CRM could not be read");
            }
        }
        Ok(looked)
    }
}

/// What the work for a connection needs.
pub(crate) struct Work<'a> {
    app: &'a App,
    settings: &'a Settings,
    connection: &'a Connection,
}

impl Work<'_> {
    /// Keeps what is new of records as they stand, in their order.
    async fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            match change {
                Change::Person(record) => person::apply(self, record).await?,
                Change::Deal(record) => deal::apply(self, record).await?,
                Change::DealGone(id) => deal::gone(self, id).await?,
                // Who is gone there is still a lead here.
                Change::PersonGone(_) => {}
            }
        }
        Ok(())
    }

    /// The lead that a name stands for, in the form of
    /// [`find_lead`](crate::conversion::view::find_lead).
    async fn find(&self, name: &str) -> Result<Option<shared::lead::Lead>, StoreError> {
        let site = &self.connection.config.site;
        let found = crate::conversion::view::find_lead(self.app, self.settings, site, name).await;
        match found {
            Ok(lead) => Ok(Some(lead)),
            Err(ApiError::Store(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// The name of a CRM's record, by which leads are found.
    fn name_of(&self, record: &crate::crm::RecordRef) -> String {
        format!("{}:{}:{}", self.connection.config.vendor().as_str(), record.object, record.id)
    }
}
