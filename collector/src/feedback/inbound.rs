//! Inbound webhooks: a lead's stage, an event of a deal, or both, in the sender's own terms.
//!
//! Each member has several accepted names, so that webhooks set up for another tool work unchanged.
//! Case, underscores, hyphens and spaces are ignored. If a body uses several names for the same
//! member, the first one in [`NAMES`] counts.

use super::error::{FeedbackError, invalid};
use super::keep::Feedback;
use super::read::{amount, bounded, no_time, read, text};
use crate::settings::{Inbound, Settings};
use clew_store::{LeadKey, Record, Unmatched};
use serde_json::{Map, Value};
use shared::deal::{DealEvent, LedgerEntry};
use shared::ids::LeadId;
use shared::lifecycle::{Origin, Stage, StageChange};
use shared::limits;
use shared::time::parse_utc;

/// Every member with its accepted names.
pub const NAMES: [(&str, &[&str]); 12] = [
    ("email", &["email", "emailaddress"]),
    ("phone", &["phone", "phonenumber"]),
    ("lead_id", &["leadid", "clewleadid"]),
    ("crm_record_id", &["crmrecordid"]),
    ("stage", &["stage", "pipelinestage"]),
    ("reason", &["reason", "label"]),
    ("deal_id", &["dealid", "deal", "transaction", "reference", "key"]),
    ("amount", &["amount", "value", "opportunityvalue"]),
    ("currency", &["currency", "currencycode"]),
    ("status", &["status"]),
    ("occurred_at", &["occurredat", "date", "opportunitydatetime", "revenuecloseddate"]),
    ("event_id", &["eventid"]),
];
/// Names that only reports of sales use.
const OF_SALES: [&str; 2] = ["transaction", "revenuecloseddate"];
/// A list of `{"Key": "EmailAddress", "Value": …}`, each treated as a member of the body.
const IDENTIFIERS: &str = "visitoridentifieroptions";

/// The result of a webhook.
pub struct InboundResult {
    /// The lead that it is about.
    pub lead: LeadId,
    /// Whether everything in it had been reported before.
    pub repeated: bool,
}

impl Feedback {
    /// Records what a webhook reports. A repeat is recognized by its `event_id`, or else by the
    /// signed id of the webhook.
    ///
    /// # Errors
    /// [`FeedbackError`]. Records that match no lead are kept as unmatched.
    pub async fn inbound(
        &self,
        settings: &Settings,
        inbound: &Inbound,
        body: &[u8],
        id: Option<&str>,
    ) -> Result<InboundResult, FeedbackError> {
        let report = InboundReport::read(body)?;
        let records = report.records(inbound, id, self.core.now_ms())?;
        let site = &inbound.config.site;
        let crm_record = report.crm_record(inbound)?;
        let keys = report.keys(&records, crm_record.as_deref())?;
        let lead = self.find(settings, site, &keys).await?;
        let mut repeated = true;
        for record in records {
            let (site, keys) = (site.clone(), keys.clone());
            let reported = Unmatched { site, keys, record, crm_record: crm_record.clone() };
            match lead {
                Some(lead) => repeated &= self.store_for_lead(settings, lead, reported).await?,
                None => self.core.store.keep_unmatched(reported).await?,
            }
        }
        let lead = lead.ok_or(FeedbackError::Unmatched)?;
        Ok(InboundResult { lead, repeated })
    }
}

/// A body's non-empty members, by our names for them.
struct InboundReport {
    members: Map<String, Value>,
    is_sale: bool,
}

impl InboundReport {
    fn read(body: &[u8]) -> Result<Self, FeedbackError> {
        let members: Map<String, Value> = read(body, "JSON object")?;
        let mut plain = Map::new();
        for (name, value) in members {
            let name = plain_name(&name);
            if name == IDENTIFIERS {
                let options = value.as_array().into_iter().flatten();
                let named =
                    options.filter_map(|it| Some((it["Key"].as_str()?, it["Value"].clone())));
                plain.extend(named.map(|(key, value)| (plain_name(key), value)));
                continue;
            }
            plain.insert(name, value);
        }
        plain.retain(|_, value| !is_empty(value));
        let is_sale = OF_SALES.iter().any(|name| plain.contains_key(*name));
        let ours = NAMES.iter().filter_map(|(member, names)| {
            let value = names.iter().find_map(|name| plain.get(*name))?;
            Some(((*member).to_owned(), value.clone()))
        });
        Ok(Self { members: ours.collect(), is_sale })
    }

    /// A member as a string. Numbers keep their written form.
    fn text(&self, member: &str, most: usize) -> Result<Option<String>, FeedbackError> {
        match self.members.get(member) {
            None => Ok(None),
            Some(Value::String(value)) => text(member, Some(value), most),
            Some(Value::Number(value)) => text(member, Some(&value.to_string()), most),
            Some(_) => Err(invalid(member, "it should be a string or a number")),
        }
    }

    fn records(
        &self,
        inbound: &Inbound,
        id: Option<&str>,
        now_ms: i64,
    ) -> Result<Vec<Record>, FeedbackError> {
        let by = Origin::Crm(inbound.config.name.clone());
        let at_ms = self.time(now_ms)?;
        let own_id = self.text("event_id", limits::IDEMPOTENCY_KEY_BYTES)?;
        let reference = own_id.or(text("webhook-id", id, limits::IDEMPOTENCY_KEY_BYTES)?);
        let stage = self.stage(inbound)?;
        let mut records = Vec::new();
        if let Some(to) = stage {
            let entered_at_ms = at_ms.unwrap_or(now_ms);
            let made = || format!("{} {entered_at_ms}", to.as_str());
            records.push(Record::Stage(StageChange {
                to,
                entered_at_ms,
                recorded_at_ms: now_ms,
                by: by.clone(),
                reason: self.text("reason", limits::TEXT_BYTES)?,
                reference: reference.clone().unwrap_or_else(made),
            }));
        }
        if let Some((event, amount)) = self.deal_event(inbound, stage)? {
            let deal = self.text("deal_id", limits::DEAL_BYTES)?;
            let none = || invalid("deal_id", "a deal needs a deal_id or an event_id");
            let deal = deal.or_else(|| reference.clone()).ok_or_else(none)?;
            if deal.len() > limits::DEAL_BYTES {
                return Err(invalid("event_id", "it is too long to be used as the deal's id"));
            }
            let made = || {
                let amount = amount.map(|amount| amount.to_string());
                let at = at_ms.map(|at_ms| at_ms.to_string());
                let words = [Some(deal.clone()), Some(event.as_str().to_owned()), amount, at];
                words.into_iter().flatten().collect::<Vec<_>>().join(" ")
            };
            records.push(Record::Deal(LedgerEntry {
                event,
                amount,
                at_ms: at_ms.unwrap_or(now_ms),
                recorded_at_ms: now_ms,
                source: by,
                reference: reference.clone().unwrap_or_else(made),
                deal,
            }));
        }
        match records.is_empty() {
            true => Err(FeedbackError::Invalid(
                "The body has neither a stage (`stage`) nor a deal (`amount` or `status`)".into(),
            )),
            false => Ok(records),
        }
    }

    fn time(&self, now_ms: i64) -> Result<Option<i64>, FeedbackError> {
        const MEMBER: &str = "occurred_at";
        let Some(at) = self.text(MEMBER, limits::TEXT_BYTES)? else { return Ok(None) };
        // Whole seconds: references are built from it, and tools differ in fractions of a second.
        let at_ms = parse_utc(&at).ok_or_else(|| no_time(MEMBER))?.div_euclid(1_000) * 1_000;
        bounded(MEMBER, at_ms, now_ms).map(Some)
    }

    fn stage(&self, inbound: &Inbound) -> Result<Option<Stage>, FeedbackError> {
        let Some(word) = self.text("stage", limits::TEXT_BYTES)? else { return Ok(None) };
        let stages = &inbound.config.stages;
        let mapped = stages.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(&word));
        if let Some((_, stage)) = mapped {
            return Ok(Some(*stage));
        }
        let stage = word.to_ascii_lowercase().parse().map_err(|error| {
            let table = format!("map it in [inbound.stages] of `{}`", inbound.config.name);
            invalid("stage", format!("{error}; {table}"))
        })?;
        match stage {
            Stage::Anonymous => {
                Err(invalid("stage", "a lead is identified, so its stage cannot be `anonymous`"))
            }
            stage => Ok(Some(stage)),
        }
    }

    /// The reported event of a deal; `None` if no deal is reported. Without a status, the stage
    /// decides; without a stage, it is a sale.
    fn deal_event(
        &self,
        inbound: &Inbound,
        stage: Option<Stage>,
    ) -> Result<Option<(DealEvent, Option<shared::money::Money>)>, FeedbackError> {
        let status = self.text("status", limits::TEXT_BYTES)?;
        let written = self.text("amount", limits::TEXT_BYTES)?;
        let has_amount = written.is_some();
        let event = match (status.map(|word| plain_name(&word)).as_deref(), stage) {
            (Some("won" | "closedwon"), _) => DealEvent::Won,
            (Some("lost" | "closedlost"), _) => DealEvent::Lost,
            (Some("open"), _) if has_amount => DealEvent::Opened,
            (Some("open"), _) => DealEvent::Reopened,
            (Some(_), _) => {
                return Err(invalid("status", "not a status; use won, lost or open"));
            }
            (None, _) if !has_amount => return Ok(None),
            (None, _) if self.is_sale => DealEvent::Won,
            (None, None | Some(Stage::Customer | Stage::Advocate)) => DealEvent::Won,
            (None, Some(Stage::Lost)) => DealEvent::Lost,
            (None, Some(_)) => DealEvent::Opened,
        };
        let own = self.text("currency", limits::TEXT_BYTES)?;
        let usual = inbound.config.currency.map(|currency| currency.code().to_owned());
        let amount = amount(event, written.map(Value::from).as_ref(), own.or(usual).as_deref())?;
        Ok(Some((event, amount)))
    }

    /// The CRM record of the lead: `provider:type:id` as written, or any other id under the
    /// sender's name.
    fn crm_record(&self, inbound: &Inbound) -> Result<Option<String>, FeedbackError> {
        let record = self.text("crm_record_id", limits::TAG_BYTES - 48)?;
        Ok(record.map(|record| {
            match record.splitn(3, ':').filter(|part| !part.is_empty()).count() {
                3 => record,
                _ => format!("{}:record:{record}", inbound.config.name),
            }
        }))
    }

    /// The keys by which the lead is looked up, in order.
    fn keys(&self, records: &[Record], crm: Option<&str>) -> Result<Vec<LeadKey>, FeedbackError> {
        let most = limits::TEXT_BYTES;
        let deal = records.iter().find_map(Record::identity);
        let keys = [
            self.text("lead_id", most)?.map(LeadKey::from),
            crm.map(|record| LeadKey::CrmRecord(record.to_owned())),
            self.text("email", most)?.map(LeadKey::Email),
            self.text("phone", most)?.map(LeadKey::Phone),
            deal.map(|(_, deal)| LeadKey::Deal(deal)),
        ];
        Ok(keys.into_iter().flatten().collect())
    }
}

/// Reduces a name to its letters and digits, in lower case.
fn plain_name(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|it| it.to_ascii_lowercase()).collect()
}

/// Whether a value is missing; tools send empty strings for unknown values.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

#[cfg(test)]
mod tests;
