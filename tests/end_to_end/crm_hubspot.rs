//! HubSpot's adapter against the stand-in. The rows are those of the CRM test matrix that concern
//! only an adapter; each test names its row.

mod push;
mod trouble;
mod note;
mod pull;
mod hooks;

use clew_connect::CallError;
use clew_connect::crm::CrmConfig;
use clew_connect::crm::push::{Push, Pushed};
use clew_connect::crm::record::RecordRef;
use clew_core::Clock;
use serde_json::{Value, json};
use shared::fields::catalogue::{CORE, Field, find};
use shared::ids::LeadId;
use shared::lead::Contact;
use standin::Standin;
use std::time::Duration;
use tests::adapter::TestAdapter;

/// Saturday, 21 November 2026, 10:00 UTC.
const NOW_MS: i64 = 1_795_255_200_000;
/// Nothing listens here: tests read the webhooks at the stand-in that sent them.
const PUBLIC_URL: &str = "http://127.0.0.1:1";
/// Long enough for a busy loopback, short enough for the one test that waits for it.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A stand-in and the adapter that calls it, on one clock.
struct Account {
    standin: Standin,
    clock: Clock,
    config: CrmConfig,
    crm: TestAdapter,
}

impl Account {
    /// Starts both with a service key.
    fn start() -> Self {
        Self::with(json!({ "token": "pat-standin" }), |_| ())
    }

    /// Starts both with an app, whose tokens expire.
    fn with_oauth() -> Self {
        let app = json!({
            "client_id": "standin-client", "client_secret": "standin-secret",
            "refresh_token": "standin-refresh",
        });
        Self::with(app, |_| ())
    }

    fn with(mut hubspot: Value, adjust: impl FnOnce(&mut CrmConfig)) -> Self {
        let generous = |settings: &mut standin::Settings| {
            (settings.burst, settings.searches_per_second) = (10_000, 10_000);
        };
        let standin = Standin::hubspot().clock(Some(NOW_MS)).settings(generous).start().unwrap();
        let more = json!({
            "base_url": standin.url(), "calls_in_10_seconds": 10_000, "account": 62515,
            "app_id": 54321,
        });
        hubspot.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config = json!({
            "name": "sales", "site": "demo", "currency": "EUR", "allow_private": true,
            "hubspot": hubspot,
        });
        let mut config: CrmConfig = serde_json::from_value(config).unwrap();
        adjust(&mut config);
        let clock = Clock::fixed(NOW_MS);
        let crm = TestAdapter::new(&config, &clock, TIMEOUT);
        Self { standin, clock, config, crm }
    }

    /// Declares the core fields.
    async fn declared(self) -> Self {
        self.crm.declare(&core()).await.unwrap();
        self
    }

    /// The adapter of another process with the same settings.
    fn other_process(&self) -> TestAdapter {
        TestAdapter::new(&self.config, &self.clock, TIMEOUT)
    }

    fn advance_ms(&self, by_ms: i64) {
        self.clock.advance_ms(by_ms);
        self.standin.advance_ms(by_ms);
    }

    fn records(&self, kind: &str) -> Vec<Value> {
        self.standin.records()[kind].as_array().unwrap().clone()
    }

    /// The properties of the only contact.
    fn contact(&self) -> Value {
        let contacts = self.records("contacts");
        assert_eq!(contacts.len(), 1, "{contacts:?}");
        contacts[0]["properties"].clone()
    }

    /// The requests whose line contains `part`, as `METHOD path` without the query.
    fn calls(&self, part: &str) -> Vec<String> {
        let lines = self.standin.log().into_iter().map(|logged| {
            let path = logged.path.split('?').next().unwrap_or_default().to_owned();
            format!("{} {path}", logged.method)
        });
        lines.filter(|line| line.contains(part)).collect()
    }
}

fn core() -> Vec<&'static Field> {
    CORE.iter().map(|name| find(name).unwrap()).collect()
}

fn record(object: &str, id: &str) -> RecordRef {
    RecordRef { object: object.into(), id: id.into() }
}

/// A lead with the values of its fields.
#[derive(Clone)]
struct Person {
    lead: LeadId,
    contact: Contact,
    values: Vec<(&'static Field, Value)>,
    overwrite_first: bool,
}

impl Person {
    /// The lead with a number, with or without an e-mail.
    fn new(number: u32, email: Option<&str>) -> Self {
        let id = format!("0197a2b4-7c1e-7d8a-9f00-{number:012}");
        let contact = Contact {
            email: email.map(str::to_owned),
            phone: Some("+33612345678".into()),
            first_name: Some("First".into()),
            ..Contact::default()
        };
        let lead = LeadId::parse(&id).unwrap();
        Self { lead, contact, values: Vec::new(), overwrite_first: false }
            .field("lead_id", json!(id))
            .field("first_click_source", json!("google"))
            .field("first_click_at", json!("2026-11-02T08:01:11Z"))
            .field("last_click_source", json!("linkedin"))
            .field("visits_count", json!(3))
    }

    /// Sets a field's value.
    fn field(mut self, name: &str, value: Value) -> Self {
        self.values.retain(|(field, _)| field.name != name);
        self.values.push((find(name).unwrap(), value));
        self
    }

    async fn push(&self, crm: &TestAdapter) -> Result<Pushed, CallError> {
        self.push_known(crm, None).await
    }

    async fn push_known(
        &self,
        crm: &TestAdapter,
        known: Option<&RecordRef>,
    ) -> Result<Pushed, CallError> {
        let push = Push {
            lead: self.lead,
            contact: &self.contact,
            values: &self.values,
            channel: Some("Paid search"),
            known,
            overwrite_first: self.overwrite_first,
        };
        crm.push(&push).await
    }
}
