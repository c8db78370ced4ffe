//! An organization, a connection to it, and leads to push.

use clew_connect::CallError;
use clew_connect::crm::CrmConfig;
use clew_connect::crm::note::{Note, NoteMarker};
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

/// The start of the stand-in's clock.
pub(super) const NOW_MS: i64 = 1_795_255_200_000;
pub(super) const HOOK_SECRET: &str = "3f9a0c1b7d5e4862a1b0c9d8e7f60514";
pub(super) const TOKEN: &str = "/services/oauth2/token";

/// An organization, and a connection to it.
pub(super) struct Org {
    pub(super) standin: Standin,
    pub(super) clock: Clock,
    pub(super) crm: TestAdapter,
}

/// A lead to be pushed.
#[derive(Clone)]
pub(super) struct Lead {
    pub(super) id: LeadId,
    pub(super) contact: Contact,
    pub(super) values: Vec<(&'static Field, Value)>,
    pub(super) known: Option<RecordRef>,
    pub(super) overwrite_first: bool,
}

impl Org {
    /// Starts it with our fields declared.
    pub(super) async fn start() -> Self {
        let org = Self::bare(json!({}));
        org.declare().await;
        org
    }

    /// Starts it as before `clew crm setup`, with settings of `[crm.salesforce]` over the defaults.
    pub(super) fn bare(change: Value) -> Self {
        Self::with(Standin::salesforce().start().unwrap(), change, json!({}))
    }

    /// Like [`bare`](Self::bare), on a running stand-in, and with settings of `[[crm]]`.
    pub(super) fn with(standin: Standin, change: Value, outer: Value) -> Self {
        let mut settings = json!({
            "login_url": standin.url(),
            "client_id": "standin-client",
            "client_secret": "standin-secret",
            "permission_set": standin.records()["PermissionSet"][0]["Id"],
            "hook_secret": HOOK_SECRET,
            "organization": "00DB00000000000EAC",
        });
        merge(&mut settings, change);
        settings.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let mut config = json!({
            "name": "sales", "site": "demo", "currency": "EUR", "allow_private": true,
            "salesforce": settings,
        });
        merge(&mut config, outer);
        let config: CrmConfig = serde_json::from_value(config).unwrap();
        let clock = Clock::fixed(NOW_MS);
        let crm = TestAdapter::new(&config, &clock, Duration::from_millis(500));
        Self { standin, clock, crm }
    }

    pub(super) async fn declare(&self) {
        let fields: Vec<&'static Field> = CORE.iter().filter_map(|name| find(name)).collect();
        self.crm.declare(&fields).await.unwrap();
        // Let the throttle's bucket fill up again.
        self.advance_ms(10_000);
    }

    pub(super) fn advance_ms(&self, by_ms: i64) {
        self.clock.advance_ms(by_ms);
        self.standin.advance_ms(by_ms);
    }

    pub(super) async fn push(&self, lead: &Lead) -> Result<Pushed, CallError> {
        let push = Push {
            lead: lead.id,
            contact: &lead.contact,
            values: &lead.values,
            channel: Some("Paid search"),
            known: lead.known.as_ref(),
            overwrite_first: lead.overwrite_first,
        };
        self.crm.push(&push).await
    }

    /// All records of a kind.
    pub(super) fn all(&self, object: &str) -> Vec<Value> {
        self.standin.records()[object].as_array().unwrap().clone()
    }

    /// One record.
    pub(super) fn one(&self, record: &RecordRef) -> Value {
        let mut all = self.all(&record.object).into_iter();
        all.find(|one| one["Id"] == record.id.as_str()).unwrap()
    }

    pub(super) fn put(&self, object: &str, fields: &Value) -> RecordRef {
        let id = self.standin.put(object, fields).unwrap();
        RecordRef { object: object.to_owned(), id }
    }

    /// How many requests have this method and contain this text in their path.
    pub(super) fn requests(&self, method: &str, path: &str) -> usize {
        let log = self.standin.log();
        log.iter().filter(|one| one.method == method && one.path.contains(path)).count()
    }
}

fn merge(into: &mut Value, change: Value) {
    let Value::Object(change) = change else { panic!("{change}") };
    into.as_object_mut().unwrap().extend(change);
}

/// The lead of a person. Another `number` is another lead.
pub(super) fn lead(number: u8, contact: Value) -> Lead {
    let values = [
        ("lead_id", json!(id(number).to_text())),
        ("first_click_source", json!("google")),
        ("first_click_at", json!("2026-11-02T08:01:11Z")),
        ("last_click_source", json!("(direct)")),
        ("visits_count", json!(3)),
        ("channel_path", json!("paid_search > direct")),
        ("journey_summary", json!("1. google / cpc\n2. (direct)")),
    ];
    Lead {
        id: id(number),
        contact: serde_json::from_value::<Contact>(contact)
            .unwrap()
            .normalised(None)
            .unwrap()
            .contact,
        values: values.map(|(name, value)| (find(name).unwrap(), value)).into(),
        known: None,
        overwrite_first: false,
    }
}

pub(super) fn id(number: u8) -> LeadId {
    LeadId::new(NOW_MS - 3_600_000, [number; 10])
}

pub(super) fn anna() -> Lead {
    lead(
        1,
        json!({
            "email": "anna@example.com", "first_name": "Anna", "last_name": "Berg",
            "company": "Acme", "job_title": "Buyer", "phone": "+33123456789",
        }),
    )
}

pub(super) fn note(lead: &Lead, number: u32) -> Note {
    Note {
        title: format!("Attribution journey #{number}"),
        lines: vec!["1. google / cpc".into(), "2. (direct)".into()],
        marker: NoteMarker { lead: lead.id, number },
        at_ms: NOW_MS,
    }
}

/// Asserts that `found` contains everything in `expected`; null stands for absent.
#[track_caller]
pub(super) fn assert_holds(found: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&found[name.as_str()], value, "{name} of {found:#}");
    }
}
