//! One Salesforce organization: its address, its settings, and calls with checked responses.

use super::config::SalesforceConfig;
use super::error::{self, SalesforceError, incomplete_response, judge};
use super::soql;
use super::usage::Usage;
use crate::call::{Caller, Request};
use crate::crm::settings::AdapterSettings;
use crate::error::CallError;
use crate::throttle::Throttle;
use crate::token::{AccessTokens, App, Assertion, Grant};
use anyhow::{Context, Result};
use clew_core::is_ahead;
use reqwest::Method;
use serde_json::{Value, json};
use shared::fields::naming::Prefix;
use shared::lifecycle::Stage;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::Url;

/// One organization.
pub(super) struct Salesforce {
    pub(super) caller: Arc<Caller>,
    pub(super) own: SalesforceConfig,
    pub(super) prefix: Prefix,
    /// Our stages by a Lead's status; they override the defaults.
    pub(super) stages: BTreeMap<String, Stage>,
    /// Our stages by an open opportunity's stage.
    pub(super) deal_stages: BTreeMap<String, Stage>,
    /// The base path of the API: `/services/data/v68.0`.
    pub(super) data: String,
    known_columns: Mutex<KnownColumns>,
}

/// How long learned facts are used before they are checked again: someone may have changed the
/// organization.
const KNOWN_COLUMNS_MS: i64 = 600_000;

/// What calls have revealed about the organization's columns, by name (`Lead.Clew_Lead_Id__c`) with
/// the time.
#[derive(Default)]
pub(super) struct KnownColumns {
    /// Optional columns that this organization does not have, such as
    /// `Opportunity.CurrencyIsoCode`.
    pub(super) absent: BTreeMap<String, i64>,
    /// Columns that were declared. The user may not see all of them.
    pub(super) declared: BTreeMap<String, i64>,
}

impl KnownColumns {
    fn of(columns: &BTreeMap<String, i64>, column: &str, now_ms: i64) -> bool {
        columns
            .get(column)
            .is_some_and(|at_ms| is_ahead(at_ms + KNOWN_COLUMNS_MS, KNOWN_COLUMNS_MS, now_ms))
    }

    pub(super) fn is_absent(&self, column: &str, now_ms: i64) -> bool {
        Self::of(&self.absent, column, now_ms)
    }

    pub(super) fn is_declared(&self, column: &str, now_ms: i64) -> bool {
        Self::of(&self.declared, column, now_ms)
    }
}

impl Salesforce {
    /// Creates the organization from a connection's settings. Makes no calls yet.
    ///
    /// # Errors
    /// If the credentials cannot be used.
    pub(super) fn new(own: &SalesforceConfig, settings: AdapterSettings) -> Result<Self> {
        let AdapterSettings { prefix, stages, deal_stages, transport, vault, .. } = settings;
        let caller = Caller {
            base: own.login_url.clone(),
            tokens: AccessTokens::new(grant(own)?, vault),
            throttle: Throttle::new(own.calls_in_10_seconds, 10_000),
            transport,
        };
        Ok(Self {
            caller: Arc::new(caller),
            data: format!("/services/data/{}", own.api),
            own: own.clone(),
            prefix,
            stages,
            deal_stages,
            known_columns: Mutex::default(),
        })
    }

    /// Makes a call and checks the response.
    pub(super) async fn call(&self, request: &Request<'_>) -> Result<Value, SalesforceError> {
        let answer = self.caller.call(request).await?;
        let now_ms = self.caller.now_ms();
        let usage = answer.header("sforce-limit-info").map_or(Usage::Fine, Usage::of);
        if let Some(rest_ms) = usage.rest_ms() {
            self.caller.throttle.rest(now_ms + rest_ms);
        }
        let judged = judge(answer, now_ms);
        if let Err(SalesforceError::Other(CallError::RateLimited { until_ms, .. })) = &judged {
            self.caller.throttle.hold(*until_ms);
        }
        judged
    }

    /// Runs a query.
    pub(super) async fn query(&self, soql: &str) -> Result<soql::Rows, SalesforceError> {
        let body = self.call(&Request::get(&soql::path(&self.data, soql))).await?;
        soql::Rows::read(body)
    }

    /// Sends several requests in one call; each has its own response. Text from outside may appear
    /// only in paths: in a body, `@{…}` would be read as a reference.
    pub(super) async fn composite(
        &self,
        parts: Vec<(Method, String, Value)>,
    ) -> Result<Vec<Result<Value, SalesforceError>>, SalesforceError> {
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
        let now_ms = self.caller.now_ms();
        // The parts may be executed and returned in another order.
        let of = |request: &Value| {
            let answered = answered["compositeResponse"].as_array()?;
            answered.iter().find(|part| part["referenceId"] == request["referenceId"])
        };
        let judged = |request: &Value| {
            let part = of(request).ok_or_else(|| incomplete_response("result for each part"))?;
            Ok(judge(error::part(part)?, now_ms))
        };
        named.iter().map(judged).collect()
    }

    pub(super) fn known_columns(&self) -> MutexGuard<'_, KnownColumns> {
        self.known_columns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The grant for the configured credentials.
fn grant(own: &SalesforceConfig) -> Result<Grant> {
    let login = own.login_url.as_str().trim_end_matches('/');
    let url: Url = format!("{login}/services/oauth2/token").parse()?;
    if let Some(key) = &own.private_key {
        let assertion = Assertion {
            app: own.client_id.clone(),
            user: own.user.clone().context("private_key requires user")?,
            audience: own.audience.clone(),
            key: key.clone(),
        };
        assertion.check().context("salesforce.private_key")?;
        return Ok(Grant::Assertion { url, assertion });
    }
    let secret = own.client_secret.clone().context("client_secret is missing")?;
    let app = App { id: own.client_id.clone(), secret };
    Ok(match &own.refresh_token {
        Some(token) => Grant::Refresh { url, app, refresh_token: token.clone() },
        None => Grant::App { url, app },
    })
}
