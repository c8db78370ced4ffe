//! Salesforce: leads, contacts and opportunities by its REST API, and its outbound messages.
//!
//! A person is a Lead until somebody converts it, and a Contact from then on; the id of our lead is an
//! external id of either. Facts: crm.md section 4.

mod error;
mod usage;
mod soql;
mod person;
mod find;
mod push;
mod note;
mod declare;
mod record;
mod read;
mod outbound;

use self::error::{Failure, judge, strange};
use self::usage::Usage;
use super::call::{Caller, Request};
use super::connection::Means;
use super::throttle::Throttle;
use super::token::{App, Assertion, Grant, Tokens};
use super::{
    Change, Crm, CrmError, Declared, Note, Page, Push, Pushed, Received, RecordRef, Refused,
    Webhook,
};
use crate::config::{CrmConfig, SalesforceConfig};
use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Value, json};
use shared::fields::catalogue::Field;
use shared::fields::naming::Prefix;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use url::Url;

/// One organization.
pub struct Salesforce {
    caller: Caller,
    config: CrmConfig,
    settings: SalesforceConfig,
    prefix: Prefix,
    /// Where its paths begin: `/services/data/v68.0`.
    data: String,
    learned: Mutex<Learned>,
}

/// What is learned is asked again after so long: somebody may have changed it.
const LEARNED_MS: i64 = 600_000;

/// What calls have told of the organization, by the names of columns, `Lead.Clew_Lead_Id__c`; and when.
#[derive(Default)]
struct Learned {
    /// Those that only some organizations have, and this one has not: `Opportunity.CurrencyIsoCode`.
    absent: BTreeMap<String, i64>,
    /// Those that were declared. Not all may be seen.
    declared: BTreeMap<String, i64>,
}

impl Learned {
    fn of(told: &BTreeMap<String, i64>, column: &str, now_ms: i64) -> bool {
        told.get(column).is_some_and(|at_ms| now_ms < at_ms + LEARNED_MS)
    }

    fn is_absent(&self, column: &str, now_ms: i64) -> bool {
        Self::of(&self.absent, column, now_ms)
    }

    fn is_declared(&self, column: &str, now_ms: i64) -> bool {
        Self::of(&self.declared, column, now_ms)
    }
}

impl Salesforce {
    /// A connection by its settings; nobody is called.
    ///
    /// # Errors
    /// Where the settings cannot be used.
    pub fn new(config: &CrmConfig, prefix: &Prefix, means: Means) -> Result<Self> {
        let Means { outgoing, clock, vault, timeout } = means;
        let settings = config.salesforce.clone().context("it has no [crm.salesforce]")?;
        let caller = Caller {
            base: settings.login_url.clone(),
            tokens: Tokens::new(grant(&settings)?, vault),
            throttle: Throttle::new(settings.calls_in_10_seconds, 10_000),
            outgoing,
            allow_private: config.allow_private,
            clock,
            timeout,
        };
        Ok(Self {
            caller,
            config: config.clone(),
            data: format!("/services/data/{}", settings.api),
            settings,
            prefix: prefix.clone(),
            learned: Mutex::default(),
        })
    }

    /// Calls, and judges the answer.
    async fn call(&self, request: &Request<'_>) -> Result<Value, Failure> {
        let answer = self.caller.call(request).await?;
        let now_ms = self.caller.clock.now_ms();
        let usage = answer.header("sforce-limit-info").map_or(Usage::Fine, Usage::of);
        if let Some(rest_ms) = usage.rest_ms() {
            self.caller.throttle.rest(now_ms + rest_ms);
        }
        let judged = judge(answer, now_ms);
        if let Err(Failure::Other(CrmError::RateLimited { until_ms, .. })) = &judged {
            self.caller.throttle.hold(*until_ms);
        }
        judged
    }

    /// Asks for records.
    async fn query(&self, soql: &str) -> Result<soql::Rows, Failure> {
        let body = self.call(&Request::get(&soql::path(&self.data, soql))).await?;
        soql::Rows::read(body)
    }

    /// Several requests in one call, each with its own answer. Texts of strangers stand in paths only:
    /// in a body `@{…}` would be read as a reference.
    async fn composite(
        &self,
        parts: Vec<(Method, String, Value)>,
    ) -> Result<Vec<Result<Value, Failure>>, Failure> {
        let named = parts.into_iter().enumerate().map(|(place, (method, url, body))| {
            let reference = format!("part{place}");
            let mut part =
                json!({ "method": method.as_str(), "url": url, "referenceId": reference });
            if !body.is_null() {
                part["body"] = body;
            }
            part
        });
        let named: Vec<Value> = named.collect();
        let body = json!({ "allOrNone": false, "compositeRequest": named });
        let path = format!("{}/composite", self.data);
        let answered = self.call(&Request::post(&path, &body)).await?;
        let now_ms = self.caller.clock.now_ms();
        // They may be carried out, and told of, in another order.
        let of = |asked: &Value| {
            let answered = answered["compositeResponse"].as_array()?;
            answered.iter().find(|part| part["referenceId"] == asked["referenceId"])
        };
        let judged = |asked: &Value| {
            let part = of(asked).ok_or_else(|| strange("answer to each part"))?;
            Ok(judge(error::part(part)?, now_ms))
        };
        named.iter().map(judged).collect()
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How tokens are got, by what is configured.
fn grant(settings: &SalesforceConfig) -> Result<Grant> {
    let login = settings.login_url.as_str().trim_end_matches('/');
    let url: Url = format!("{login}/services/oauth2/token").parse()?;
    if let Some(key) = &settings.private_key {
        let assertion = Assertion {
            app: settings.client_id.clone(),
            user: settings.user.clone().context("a private_key needs the user")?,
            audience: settings.audience.clone(),
            key: key.clone(),
        };
        assertion.check().map_err(|error| anyhow!("salesforce.private_key: {error}"))?;
        return Ok(Grant::Assertion { url, assertion });
    }
    let secret = settings.client_secret.clone().context("it needs the client_secret")?;
    let app = App { id: settings.client_id.clone(), secret };
    Ok(match &settings.refresh_token {
        Some(token) => Grant::Refresh { url, app, refresh_token: token.clone() },
        None => Grant::App { url, app },
    })
}

#[async_trait]
impl Crm for Salesforce {
    async fn declare(&self, wanted: &[&'static Field]) -> Result<Declared, CrmError> {
        Ok(self.declare_fields(wanted).await?)
    }

    async fn push(&self, push: &Push<'_>) -> Result<Pushed, CrmError> {
        self.push_person(push).await
    }

    async fn note(
        &self,
        record: &RecordRef,
        note: &Note,
        look_first: bool,
    ) -> Result<(), CrmError> {
        Ok(self.attach(record, note, look_first).await?)
    }

    async fn read(&self, records: &[RecordRef]) -> Result<Vec<Change>, CrmError> {
        Ok(self.read_records(records).await?)
    }

    fn feeds(&self) -> &'static [&'static str] {
        // A lead that was converted is told before the opportunity of its contact.
        &["Lead", "Opportunity"]
    }

    async fn changed(&self, feed: &str, since_ms: i64) -> Result<Page, CrmError> {
        Ok(self.changed_since(feed, since_ms).await?)
    }

    fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, Refused> {
        outbound::receive(&self.settings, webhook)
    }

    fn caller(&self) -> &Caller {
        &self.caller
    }

    async fn probe(&self) -> Result<(), CrmError> {
        // `/limits` would ask for a permission that nothing else needs.
        self.query("SELECT Id FROM Lead LIMIT 1").await?;
        Ok(())
    }
}
