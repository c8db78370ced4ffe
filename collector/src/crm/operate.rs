//! What operators ask of a connection: to be set up, tried out, looked at.

use super::pause::Pause;
use super::{Note, Push, RecordRef};
use crate::app::App;
use crate::follow::inbox;
use crate::follow::poll::Cursor;
use crate::settings::Settings;
use crate::store::{DeliveryFilter, DeliveryState, MemoKind};
use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::channel::Channel;
use shared::fields::catalogue::{Field, FieldKind};
use shared::ids::LeadId;
use shared::lead::Contact;
use shared::time::rfc3339;
use std::collections::BTreeMap;

/// Deliveries, and entries of the inbox, that are counted at a time.
const PAGE: usize = 1_000;

/// A field of ours and its counterpart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mapped {
    /// Our name.
    pub field: String,
    /// The CRM's name.
    pub there: String,
    /// The CRM's type.
    pub kind: String,
    /// Whether it was made now.
    pub made: bool,
}

/// What setting up came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetUp {
    /// The mapping.
    pub fields: Vec<Mapped>,
    /// What is left to be done by hand.
    pub advice: Vec<String>,
}

/// Declares the connection's fields where they are missing.
///
/// # Errors
/// What the CRM refused, or that there is no such connection.
pub async fn set_up(app: &App, name: &str) -> Result<SetUp> {
    let connection = connection(app, name)?;
    let declared = connection.crm.declare(&connection.fields).await?;
    let mapped = declared.fields.into_iter().map(|field| Mapped {
        field: field.name,
        there: field.there,
        kind: field.kind,
        made: field.made,
    });
    Pause::end(app, name).await?;
    Ok(SetUp { fields: mapped.collect(), advice: declared.advice })
}

/// What a try came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tried {
    /// The record's kind and id.
    pub object: String,
    /// The record's id.
    pub id: String,
    /// Where people see it.
    pub url: Option<String>,
    /// Whether it was made now.
    pub created: bool,
    /// How many fields were written.
    pub fields: usize,
    /// Whether it has a note.
    pub noted: bool,
}

/// The address of the lead that is sent to try a connection out.
const TEST_EMAIL: &str = "clew-test@example.com";

/// Sends a lead that is marked as a test, with a value in each field, and its journey.
///
/// # Errors
/// What the CRM refused, or that there is no such connection.
pub async fn try_out(app: &App, name: &str) -> Result<Tried> {
    let connection = connection(app, name)?;
    let now_ms = app.clock.now_ms();
    let contact = Contact {
        email: Some(TEST_EMAIL.into()),
        first_name: Some("Clew".into()),
        last_name: Some("Test".into()),
        company: Some("Test of Clew, to be deleted".into()),
        ..Contact::default()
    };
    let lead = LeadId::new(now_ms, app.dice.roll());
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
    let RecordRef { object, id } = pushed.record.clone();
    if connection.config.notes {
        let note = Note {
            title: "Attribution journey #1".into(),
            lines: vec![
                "Clew sent this to try the connection out. The record may be deleted.".into(),
            ],
            marker: format!("clew-journey:{lead}:1"),
            at_ms: now_ms,
        };
        connection.crm.note(&pushed.record, &note, true).await?;
    }
    Pause::end(app, name).await?;
    let (fields, noted) = (values.len(), connection.config.notes);
    Ok(Tried { object, id, url: pushed.url, created: pushed.created, fields, noted })
}

/// A value that a field may hold.
fn example(field: &Field, lead: LeadId, now_ms: i64) -> Value {
    match field.kind {
        _ if field.name == "lead_id" => lead.to_text().into(),
        FieldKind::Enum(words) => words().first().copied().unwrap_or_default().into(),
        FieldKind::Integer => 3.into(),
        FieldKind::Decimal => "1200.00".into(),
        FieldKind::Time => rfc3339(now_ms).into(),
        FieldKind::Url(_) => "https://www.example.com/clew-test".into(),
        FieldKind::Json => "[]".into(),
        FieldKind::Text(limit) => "clew test".chars().take(limit).collect::<String>().into(),
        FieldKind::LongText => "clew test".into(),
    }
}

/// How a connection stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// The vendor.
    pub vendor: String,
    /// The site.
    pub site: String,
    /// Since when it is paused, and why.
    pub paused: Option<(String, String)>,
    /// Deliveries by state.
    pub deliveries: BTreeMap<String, usize>,
    /// Records that webhooks named and that are still to be read, and the last trouble with one.
    pub inbox: (usize, Option<String>),
    /// When each list was last asked for what changed.
    pub polled: BTreeMap<String, String>,
}

/// How every connection stands.
///
/// # Errors
/// The store's.
pub async fn standing(app: &App) -> Result<Vec<Standing>> {
    let settings = app.settings();
    let mut all = Vec::new();
    for config in &settings.config.crm {
        let pause = Pause::of(app, &config.name).await?;
        let mut polled = BTreeMap::new();
        for memo in app.store.memos(MemoKind::Cursor, Some(format!("{}/", config.name)), 10).await?
        {
            let feed = memo.name.strip_prefix(&format!("{}/", config.name));
            let cursor: Option<Cursor> = serde_json::from_str(&memo.value).ok();
            if let (Some(feed), Some(cursor)) = (feed, cursor) {
                polled.insert(feed.to_owned(), rfc3339(cursor.polled_at_ms));
            }
        }
        all.push(Standing {
            name: config.name.clone(),
            vendor: config.vendor().as_str().into(),
            site: config.site.as_str().into(),
            paused: pause.map(|pause| (rfc3339(pause.since_ms), pause.error)),
            deliveries: deliveries(app, &settings, &config.name).await?,
            inbox: waiting(app, &config.name).await?,
            polled,
        });
    }
    Ok(all)
}

async fn deliveries(app: &App, settings: &Settings, name: &str) -> Result<BTreeMap<String, usize>> {
    let config = settings.config.crm.iter().find(|crm| crm.name == name);
    let site = &config.context("no such connection")?.site;
    let mut counts: BTreeMap<String, usize> =
        DeliveryState::ALL.iter().map(|state| (state.as_str().to_owned(), 0)).collect();
    let mut after = None;
    loop {
        let filter =
            DeliveryFilter { site: site.clone(), state: None, lead: None, after, limit: PAGE };
        let page = app.store.deliveries(filter).await?;
        for delivery in page.iter().filter(|delivery| delivery.destination == name) {
            *counts.entry(delivery.state.as_str().to_owned()).or_default() += 1;
        }
        match page.last().filter(|_| page.len() == PAGE) {
            Some(last) => after = Some(last.id),
            None => return Ok(counts),
        }
    }
}

async fn waiting(app: &App, name: &str) -> Result<(usize, Option<String>)> {
    let (mut count, mut trouble, mut after) = (0, None, None);
    loop {
        let page = inbox::waiting(app, name, after, PAGE).await?;
        count += page.len();
        for memo in &page {
            let entry: Option<inbox::Entry> = serde_json::from_str(&memo.value).ok();
            trouble = entry.and_then(|entry| entry.error).or(trouble);
        }
        match page.last() {
            Some(last) => after = Some(last.name.clone()),
            None => return Ok((count, trouble)),
        }
    }
}

fn connection(app: &App, name: &str) -> Result<std::sync::Arc<super::connection::Connection>> {
    let found = app.connections.get(&app.settings(), name)?;
    found.ok_or_else(|| anyhow!("the configuration has no `[[crm]]` named `{name}`"))
}
