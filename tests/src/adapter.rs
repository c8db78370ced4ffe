//! A CRM adapter on its own, without a collector.

use crate::storage::{Backend, Storage};
use clew_connect::call::Caller;
use clew_connect::crm::CrmConfig;
use clew_connect::crm::adapter::{Declared, Page};
use clew_connect::crm::note::Note;
use clew_connect::crm::push::{Push, Pushed};
use clew_connect::crm::record::{RecordRef, RecordState};
use clew_connect::crm::webhook::{Head, Received, Refused, Webhook};
use clew_connect::{CallError, Connection, Connections, Outgoing, SharedSettings};
use clew_core::seal::Seal;
use clew_core::{Clock, Core, Random};
use clew_store::Store;
use collector::config::Config;
use shared::fields::catalogue::Field;
use std::sync::Arc;
use std::time::Duration;

/// Nothing listens here: tests read the webhooks at the stand-in that sent them.
const PUBLIC_URL: &str = "http://127.0.0.1:1";

/// The adapter of one connection. The vendor must support every capability that a test calls.
pub struct TestAdapter(Arc<Connection>);

impl TestAdapter {
    /// Creates the adapter of a connection, as in a separate process. Adapters in one test share a
    /// store, as the collectors of one installation do.
    pub fn new(config: &CrmConfig, clock: &Clock, timeout: Duration) -> Self {
        thread_local! {
            // Each test has its own thread.
            static STORE: (Arc<dyn Store>, Storage) = {
                let storage = Storage::new(Backend::Sled);
                (storage.open(), storage)
            };
        }
        let key =
            "[[token_keys]]\nid = 1\nsecret = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"";
        let token_keys = Config::parse(key, &[]).unwrap().token_keys;
        let store = STORE.with(|(store, _)| Arc::clone(store));
        let core = Core::new(store, clock.clone(), Random::system());
        let common = SharedSettings {
            prefix: "clew".parse().unwrap(),
            public_url: PUBLIC_URL.parse().unwrap(),
            timeout,
            seal: Arc::new(Seal::new(&token_keys).unwrap()),
        };
        Self(Connections::new(core, Outgoing::new().unwrap()).get(config, &common).unwrap())
    }

    /// The caller that sends its requests.
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// Writes a person to the CRM.
    pub async fn push(&self, push: &Push<'_>) -> Result<Pushed, CallError> {
        self.0.crm.push(push).await
    }

    /// Makes the small call that tests the credentials.
    pub async fn probe(&self) -> Result<(), CallError> {
        self.0.crm.probe().await
    }

    /// Attaches a note to a record.
    pub async fn attach(
        &self,
        record: &RecordRef,
        note: &Note,
        look_first: bool,
    ) -> Result<(), CallError> {
        self.0.crm.notes().unwrap().attach(record, note, look_first).await
    }

    /// Declares fields in the CRM.
    pub async fn declare(&self, wanted: &[&'static Field]) -> Result<Declared, CallError> {
        self.0.crm.fields().unwrap().declare(wanted).await
    }

    /// The names of the change feeds that can be polled.
    pub fn feeds(&self) -> &'static [&'static str] {
        self.0.crm.polling().unwrap().feeds()
    }

    /// Reads one page of a change feed.
    pub async fn changed(&self, feed: &str, since_ms: i64) -> Result<Page, CallError> {
        self.0.crm.polling().unwrap().changed(feed, since_ms).await
    }

    /// Checks a webhook request before its body is read.
    pub fn admit(&self, head: &Head<'_>) -> Result<(), Refused> {
        self.0.crm.webhooks().unwrap().admit(head)
    }

    /// Verifies and parses a webhook.
    pub fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, Refused> {
        self.0.crm.webhooks().unwrap().receive(webhook)
    }

    /// Reads records from the CRM.
    pub async fn read(&self, records: &[RecordRef]) -> Result<Vec<RecordState>, CallError> {
        self.0.crm.webhooks().unwrap().read(records).await
    }
}
