//! The application: creates the services and gives each what it needs. It contains no logic of its
//! own.

use crate::http::{Bodies, Pace};
use crate::tracker::Tracker;
use actix_web::web::{Data, ServiceConfig};
use anyhow::Result;
use clew_connect::{Connections, Outgoing};
use clew_core::{Clock, Core, Random};
use clew_store::Store;
use collector::config::Config;
use collector::conversion::Conversions;
use collector::feedback::Feedback;
use collector::follow::Follower;
use collector::inbox::Inbox;
use collector::ingest::Ingest;
use collector::limiter::Limiter;
use collector::operation::Operation;
use collector::outbox::Outbox;
use collector::outbox::targets::Targets;
use collector::outbox::webhook::WebhookServices;
use collector::receivers::Receivers;
use collector::recorder::Recorder;
use collector::settings::{CurrentSettings, Settings};
use collector::subscriptions::Subscriptions;
use std::sync::Arc;

/// Every service of one collector.
pub struct App {
    /// Store, clock, randomness and metrics.
    pub core: Arc<Core>,
    /// The settings in force.
    pub settings: Arc<CurrentSettings>,
    /// The connections to CRMs.
    pub connections: Arc<Connections>,
    /// The webhooks that programs ordered by API.
    pub subscriptions: Arc<Subscriptions>,
    /// Creates leads.
    pub conversions: Arc<Conversions>,
    /// Stores browsers' events.
    pub ingest: Arc<Ingest>,
    /// Stores reported stages and revenue.
    pub feedback: Arc<Feedback>,
    /// Sets up, tests and inspects CRM connections.
    pub operation: Arc<Operation>,
    /// The tracker's files; `None` if this binary was built without them.
    pub tracker: Arc<Option<Tracker>>,
    /// CRM records that webhooks named and that are still to be read.
    pub inbox: Arc<Inbox>,
    bodies: Arc<Bodies>,
    pace: Arc<Pace>,
    recorder: Arc<Recorder>,
    targets: Arc<Targets>,
}

impl App {
    /// Creates all services on an open store.
    ///
    /// # Errors
    /// If a token key, webhook secret, rule or connection of the configuration cannot be used.
    pub fn new(
        config: Config,
        store: Arc<dyn Store>,
        clock: Clock,
        random: Random,
    ) -> Result<Arc<Self>> {
        let core = Core::new(store, clock, random);
        let outgoing = Outgoing::new()?;
        let connections = Arc::new(Connections::new(Arc::clone(&core), outgoing.clone()));
        let settings = Settings::new(config)?;
        settings.check_connections(&connections)?;
        let settings = Arc::new(CurrentSettings::new(settings));

        let receivers = Arc::new(Receivers::new(Arc::clone(&core)));
        let subscriptions = Subscriptions::new(Arc::clone(&core), Arc::clone(&receivers));
        let subscriptions = Arc::new(subscriptions);
        let conversions = Conversions::new(Arc::clone(&core), Arc::clone(&subscriptions));
        let conversions = Arc::new(conversions);
        let limiter = Arc::new(Limiter::new(core.clock.clone()));
        let ingest = Ingest::new(Arc::clone(&core), limiter, Arc::clone(&conversions));
        let ingest = Arc::new(ingest);
        let recorder = Recorder::new(Arc::clone(&core), Arc::clone(&subscriptions));
        let recorder = Arc::new(recorder);
        let feedback = Arc::new(Feedback::new(Arc::clone(&core), Arc::clone(&recorder)));
        let inbox = Arc::new(Inbox::new(Arc::clone(&core)));
        let operation = Arc::new(Operation::new(
            Arc::clone(&core),
            Arc::clone(&settings),
            Arc::clone(&connections),
            Arc::clone(&inbox),
        ));
        let webhooks = WebhookServices {
            core: Arc::clone(&core),
            outgoing,
            receivers,
            subscriptions: Arc::clone(&subscriptions),
        };
        let targets = Arc::new(Targets::new(Arc::new(webhooks), Arc::clone(&connections)));
        let tracker = Arc::new(Tracker::built_in());
        let bodies = Arc::new(Bodies::new(Arc::clone(&core)));
        let pace = Arc::new(Pace::new());
        Ok(Arc::new(Self {
            core,
            settings,
            connections,
            subscriptions,
            conversions,
            ingest,
            feedback,
            operation,
            tracker,
            bodies,
            pace,
            recorder,
            inbox,
            targets,
        }))
    }

    /// Creates an outbox that uses these services.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(
            Arc::clone(&self.core),
            Arc::clone(&self.settings),
            Arc::clone(&self.subscriptions),
            Arc::clone(&self.targets),
        )
    }

    /// Creates a follower that uses these services.
    pub fn follower(&self) -> Follower {
        Follower::new(
            Arc::clone(&self.core),
            Arc::clone(&self.settings),
            Arc::clone(&self.connections),
            Arc::clone(&self.recorder),
            Arc::clone(&self.inbox),
        )
    }

    /// Applies new settings to all work that begins from now on.
    ///
    /// # Errors
    /// If a connection cannot be used; the previous settings then stay in force.
    pub fn change_settings(&self, settings: Settings) -> Result<()> {
        settings.check_connections(&self.connections)?;
        self.settings.replace(settings);
        Ok(())
    }

    /// Makes the services available to handlers; each handler names those it uses.
    pub(crate) fn provide(&self, config: &mut ServiceConfig) {
        config
            .app_data(Data::from(Arc::clone(&self.core)))
            .app_data(Data::from(Arc::clone(&self.settings)))
            .app_data(Data::from(Arc::clone(&self.connections)))
            .app_data(Data::from(Arc::clone(&self.subscriptions)))
            .app_data(Data::from(Arc::clone(&self.conversions)))
            .app_data(Data::from(Arc::clone(&self.ingest)))
            .app_data(Data::from(Arc::clone(&self.feedback)))
            .app_data(Data::from(Arc::clone(&self.operation)))
            .app_data(Data::from(Arc::clone(&self.inbox)))
            .app_data(Data::from(Arc::clone(&self.targets)))
            .app_data(Data::from(Arc::clone(&self.pace)))
            .app_data(Data::from(Arc::clone(&self.bodies)))
            .app_data(Data::from(Arc::clone(&self.tracker)));
    }
}
