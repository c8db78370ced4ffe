//! Operators' commands for CRM connections: set up, test and inspect.

use crate::follow::poll::Cursor;
use crate::inbox::Inbox;
use crate::settings::CurrentSettings;
use anyhow::{Context, Result};
use clew_connect::crm::CrmConfig;
use clew_connect::crm::note::{Note, NoteMarker};
use clew_connect::crm::push::Push;
use clew_connect::crm::record::RecordRef;
use clew_connect::{Connection, Connections};
use clew_core::{Core, Pause};
use clew_store::delivery::DeliveriesOf;
use clew_store::{DeliveryFilter, DeliveryState, DestinationId, MemoKind, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::channel::Channel;
use shared::fields::catalogue::{Field, FieldKind};
use shared::ids::LeadId;
use shared::lead::Contact;
use shared::time::rfc3339;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Page size for counting deliveries and inbox entries.
const PAGE: usize = 1_000;

/// One of our fields and its counterpart in the CRM.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mapped {
    /// Our name for the field.
    pub field: String,
    /// The CRM's name for it.
    pub there: String,
    /// The CRM's type.
    pub kind: String,
    /// Whether this set-up created it.
    pub made: bool,
}

/// The result of a set-up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetUp {
    /// The mapping of fields.
    pub fields: Vec<Mapped>,
    /// What is left to do by hand.
    pub advice: Vec<String>,
}

/// The result of a test.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TestResult {
    /// The record's kind.
    pub object: String,
    /// The record's id.
    pub id: String,
    /// The record's page in the CRM.
    pub url: Option<String>,
    /// Whether the test created the record.
    pub created: bool,
    /// The number of fields written.
    pub fields: usize,
    /// Whether a note was written.
    pub noted: bool,
}

/// The e-mail address of the test lead.
const TEST_EMAIL: &str = "clew-test@example.com";

/// The state of a connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ConnectionStatus {
    /// Its name.
    pub name: String,
    /// The vendor.
    pub vendor: String,
    /// The site.
    pub site: String,
    /// Since when it is paused, and why.
    pub paused: Option<(String, String)>,
    /// Number of deliveries by state.
    pub deliveries: BTreeMap<String, usize>,
    /// Number of records in the inbox, and an error of one of them.
    pub inbox: (usize, Option<String>),
    /// When each list was last polled.
    pub polled: BTreeMap<String, String>,
}

/// The service behind `clew crm`.
pub struct Operation {
    core: Arc<Core>,
    settings: Arc<CurrentSettings>,
    connections: Arc<Connections>,
    inbox: Arc<Inbox>,
}

impl Operation {
    /// Creates the service.
    pub fn new(
        core: Arc<Core>,
        settings: Arc<CurrentSettings>,
        connections: Arc<Connections>,
        inbox: Arc<Inbox>,
    ) -> Self {
        Self { core, settings, connections, inbox }
    }

    /// Creates a connection's missing fields in the CRM.
    ///
    /// # Errors
    /// If the connection does not exist or the CRM refuses.
    pub async fn set_up(&self, name: &str) -> Result<SetUp> {
        let connection = self.connection(name)?;
        let declaring = connection.crm.fields();
        let declaring = declaring.context("this CRM's API cannot create fields")?;
        let declared = declaring.declare(&connection.fields).await?;
        let mapped = declared.fields.into_iter().map(|field| Mapped {
            field: field.name,
            there: field.there,
            kind: field.kind,
            made: field.made,
        });
        Pause::end(&self.core, name).await?;
        Ok(SetUp { fields: mapped.collect(), advice: declared.advice })
    }

    /// Sends a lead marked as a test, with a value in each field, and a note.
    ///
    /// # Errors
    /// If the connection does not exist or the CRM refuses.
    pub async fn test(&self, name: &str) -> Result<TestResult> {
        let connection = self.connection(name)?;
        let now_ms = self.core.now_ms();
        let contact = Contact {
            email: Some(TEST_EMAIL.into()),
            first_name: Some("Clew".into()),
            last_name: Some("Test".into()),
            company: Some("Test of Clew, please delete".into()),
            ..Contact::default()
        };
        let lead = LeadId::new(now_ms, self.core.random.bytes());
        let values: Vec<(&'static Field, Value)> =
            connection.fields.iter().map(|field| (*field, example(field, lead, now_ms))).collect();
        let push = Push {
            lead,
            contact: &contact,
            values: &values,
            channel: Some(Channel::PaidSearch.label()),
            known: None,
            overwrite_first: true,
        };
        let pushed = connection.crm.push(&push).await?;
        let notes = connection.crm.notes().filter(|_| connection.config.notes);
        if let Some(notes) = notes {
            let line = "Clew sent this to test the connection. You can delete this record.";
            let note = Note {
                title: "Attribution journey #1".into(),
                lines: vec![line.into()],
                marker: NoteMarker { lead, number: 1 },
                at_ms: now_ms,
            };
            notes.attach(&pushed.record, &note, true).await?;
        }
        Pause::end(&self.core, name).await?;
        let RecordRef { object, id } = pushed.record;
        let (url, created, fields) = (pushed.url, pushed.created, values.len());
        Ok(TestResult { object, id, url, created, fields, noted: notes.is_some() })
    }

    /// Returns the state of every connection.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn status(&self) -> Result<Vec<ConnectionStatus>, StoreError> {
        let settings = self.settings.get();
        let mut all = Vec::new();
        for config in &settings.config.crm {
            let pause = Pause::of(&self.core, &config.name).await?;
            all.push(ConnectionStatus {
                name: config.name.clone(),
                vendor: config.naming().map_or("", |vendor| vendor.as_str()).into(),
                site: config.site.as_str().into(),
                paused: pause.map(|pause| (rfc3339(pause.since_ms), pause.error)),
                deliveries: self.deliveries(config).await?,
                inbox: self.waiting(&config.name).await?,
                polled: self.polled(&config.name).await?,
            });
        }
        Ok(all)
    }

    /// When each list of a connection was last polled.
    async fn polled(&self, name: &str) -> Result<BTreeMap<String, String>, StoreError> {
        let prefix = format!("{name}/");
        let memos = self.core.store.memos(MemoKind::Cursor, Some(prefix.clone()), 10).await?;
        let polled = memos.iter().filter_map(|memo| {
            let feed = memo.name.strip_prefix(&prefix)?;
            let cursor: Cursor = serde_json::from_str(&memo.value).ok()?;
            Some((feed.to_owned(), rfc3339(cursor.polled_at_ms)))
        });
        Ok(polled.collect())
    }

    /// The number of a connection's deliveries in each state.
    async fn deliveries(&self, config: &CrmConfig) -> Result<BTreeMap<String, usize>, StoreError> {
        let mut counts: BTreeMap<String, usize> =
            DeliveryState::ALL.iter().map(|state| (state.as_str().to_owned(), 0)).collect();
        let destination = DestinationId::Configured(config.name.clone());
        let mut filter = DeliveryFilter {
            site: config.site.clone(),
            of: DeliveriesOf::Destination(destination),
            state: None,
            after: None,
            limit: PAGE,
        };
        loop {
            let page = self.core.store.deliveries(filter.clone()).await?;
            for delivery in &page {
                *counts.entry(delivery.state.as_str().to_owned()).or_default() += 1;
            }
            match page.last().filter(|_| page.len() == PAGE) {
                Some(last) => filter.after = Some(last.id),
                None => return Ok(counts),
            }
        }
    }

    /// The number of records in a connection's inbox, and an error of one of them.
    async fn waiting(&self, name: &str) -> Result<(usize, Option<String>), StoreError> {
        let (mut count, mut trouble, mut after) = (0, None, None);
        loop {
            let (page, next) = self.inbox.page(name, after, PAGE).await?;
            count += page.len();
            for waiting in page {
                trouble = waiting.entry.error.or(trouble);
            }
            match next {
                Some(_) => after = next,
                None => return Ok((count, trouble)),
            }
        }
    }

    fn connection(&self, name: &str) -> Result<Arc<Connection>> {
        let found = self.settings.get().connection(&self.connections, name)?;
        found.with_context(|| format!("the configuration has no `[[crm]]` named `{name}`"))
    }
}

/// An example value for a field.
fn example(field: &Field, lead: LeadId, now_ms: i64) -> Value {
    match field.kind {
        _ if field.name == "lead_id" => lead.to_text().into(),
        FieldKind::Enum(words) => words().first().copied().unwrap_or_default().into(),
        FieldKind::Channel => Channel::PaidSearch.as_str().into(),
        FieldKind::Integer => 3.into(),
        FieldKind::Decimal => "1200.00".into(),
        FieldKind::Time => rfc3339(now_ms).into(),
        FieldKind::Url(_) => "https://www.example.com/clew-test".into(),
        FieldKind::Json => "[]".into(),
        FieldKind::Text(limit) => "clew test".chars().take(limit).collect::<String>().into(),
        FieldKind::LongText => "clew test".into(),
    }
}
