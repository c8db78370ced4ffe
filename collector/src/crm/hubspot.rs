//! HubSpot: contacts with our properties, notes, deals, signed webhooks.
//!
//! Paths, members and limits: crm.md section 3. What HubSpot calls things is known in the modules
//! below and nowhere else.

mod paths;
mod error;
mod values;
mod push;
mod fields;
mod note;
mod read;
mod changed;
mod person;
mod deal;
mod signature;
mod webhook;

use super::call::{Caller, Request};
use super::connection::Means;
use super::throttle::Throttle;
use super::token::{App, Grant, Tokens};
use super::{
    Change, Crm, CrmError, Declared, Note, Page, Push, Pushed, Received, RecordRef, Refused,
    Webhook,
};
use crate::config::CrmConfig;
use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use changed::Interrupted;
use error::Refusal;
use paths::Paths;
use serde_json::Value;
use shared::fields::catalogue::{self, Field};
use shared::fields::naming::{self, Prefix};
use shared::lifecycle::Stage;
use std::collections::BTreeMap;
use url::Url;
use webhook::Subscriber;

/// HubSpot's words for what we read and write.
const CONTACT: &str = "contact";
const DEAL: &str = "deal";
/// The category of a batch's inner error that a record is not there.
const MISSING: &str = "OBJECT_NOT_FOUND";
/// The most records in one batch, and on one page that is asked for.
const BATCH: usize = 100;

/// One account.
pub struct Hubspot {
    caller: Caller,
    paths: Paths,
    prefix: Prefix,
    /// The property that holds our lead's id; its values are unique.
    lead_property: String,
    /// Our stage for a contact's `lifecyclestage`.
    stages: BTreeMap<String, Stage>,
    /// Our stage for a deal's `dealstage`.
    deal_stages: BTreeMap<String, Stage>,
    /// What stands before a contact's id in the address of its page.
    pages: Option<String>,
    subscriber: Subscriber,
    interrupted: Interrupted,
}

impl Hubspot {
    /// Of a connection's settings; nothing is called yet.
    ///
    /// # Errors
    /// Where the settings have no table for HubSpot, or no credentials in it.
    pub fn new(
        config: &CrmConfig,
        prefix: &Prefix,
        public_url: &Url,
        means: Means,
    ) -> Result<Self> {
        let Means { outgoing, clock, vault, timeout } = means;
        let name = &config.name;
        let hubspot =
            config.hubspot.as_ref().with_context(|| format!("crm `{name}` is not HubSpot"))?;
        let paths = Paths::new(&hubspot.api);
        let grant = match (&hubspot.token, &hubspot.client_id, &hubspot.client_secret) {
            (Some(token), ..) => Grant::Static(token.clone()),
            (None, Some(id), Some(secret)) => Grant::Refresh {
                url: under(&hubspot.base_url, paths.token)?,
                app: App { id: id.clone(), secret: secret.clone() },
                refresh_token: hubspot
                    .refresh_token
                    .clone()
                    .with_context(|| format!("crm `{name}` has no refresh_token"))?,
            },
            _ => return Err(anyhow!("crm `{name}` has neither token nor client")),
        };
        let lead_id = catalogue::find("lead_id").context("there is no field lead_id")?;
        let page = |account| {
            let base = hubspot.app_url.as_str().trim_end_matches('/');
            format!("{base}/contacts/{account}/record/0-1/")
        };
        let told = match &hubspot.webhook_url {
            Some(url) => url.to_string(),
            None => under(public_url, &format!("/hooks/{name}"))?.to_string(),
        };
        Ok(Self {
            caller: Caller {
                base: hubspot.base_url.clone(),
                tokens: Tokens::new(grant, vault),
                throttle: Throttle::new(hubspot.calls_in_10_seconds, 10_000),
                outgoing,
                allow_private: config.allow_private,
                clock,
                timeout,
            },
            paths,
            prefix: prefix.clone(),
            lead_property: naming::Crm::Hubspot.field_name(prefix, lead_id),
            stages: person::stages(&config.stages),
            deal_stages: config.deal_stages.clone(),
            pages: hubspot.account.map(page),
            subscriber: Subscriber {
                url: told,
                secret: hubspot.client_secret.clone(),
                allow_legacy: hubspot.allow_legacy_signature,
                app_id: hubspot.app_id,
                own_properties: format!("{prefix}_"),
            },
            interrupted: Interrupted::default(),
        })
    }

    /// Makes a call, minds what its answer says of limits, and gives the body of a yes. Of a batch's
    /// inner errors those of one category may be put up with.
    async fn ask(&self, request: &Request<'_>, tolerated: &str) -> Result<Value, Refusal> {
        let answer = self.caller.call(request).await.map_err(Refusal::Other)?;
        let now_ms = self.caller.clock.now_ms();
        if let Some(until_ms) = error::held_until_ms(&answer, now_ms) {
            self.caller.throttle.hold(until_ms);
        }
        error::judge(&answer, tolerated, now_ms)?;
        Ok(answer.body)
    }

    /// `POST`s a body; every inner error counts.
    async fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.ask(&Request::post(path, body), "").await
    }
}

/// A path under a base that may have one of its own.
fn under(base: &Url, path: &str) -> Result<Url> {
    let whole = format!("{}{path}", base.as_str().trim_end_matches('/'));
    whole.parse().with_context(|| format!("{whole} is no address"))
}

/// What an answer of the right status without what it should hold comes to.
fn unreadable(what: &str) -> CrmError {
    CrmError::Transient { until_ms: None, message: format!("HubSpot's answer has no {what}") }
}

/// A time as HubSpot has it in values: ISO 8601, or Unix milliseconds.
fn time(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    shared::time::parse_rfc3339(text).or_else(|| text.parse().ok())
}

/// A property that has a value.
fn text<'a>(properties: &'a Value, name: &str) -> Option<&'a str> {
    properties[name].as_str().filter(|text| !text.is_empty())
}

/// An id as a text or a number, both of which HubSpot has for the same things.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn contact(id: impl Into<String>) -> RecordRef {
    RecordRef { object: CONTACT.into(), id: id.into() }
}

#[async_trait]
impl Crm for Hubspot {
    async fn declare(&self, wanted: &[&'static Field]) -> Result<Declared, CrmError> {
        self.declare_properties(wanted).await
    }

    async fn push(&self, push: &Push<'_>) -> Result<Pushed, CrmError> {
        self.push_contact(push).await
    }

    async fn note(
        &self,
        record: &RecordRef,
        note: &Note,
        look_first: bool,
    ) -> Result<(), CrmError> {
        if look_first && self.has_note(record, &note.marker).await? {
            return Ok(());
        }
        self.make_note(record, note).await
    }

    async fn read(&self, records: &[RecordRef]) -> Result<Vec<Change>, CrmError> {
        self.read_records(records).await
    }

    /// Contacts first, so that the persons of a deal are known when it comes.
    fn feeds(&self) -> &'static [&'static str] {
        &[CONTACT, DEAL]
    }

    async fn changed(&self, feed: &str, since_ms: i64) -> Result<Page, CrmError> {
        self.changed_since(feed, since_ms).await
    }

    fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, Refused> {
        self.subscriber.receive(webhook)
    }

    fn caller(&self) -> &Caller {
        &self.caller
    }

    async fn probe(&self) -> Result<(), CrmError> {
        let path = format!("{}?limit=1", self.paths.objects("contacts"));
        self.ask(&Request::get(&path), "").await?;
        Ok(())
    }
}
