//! What programs report by API: the stage of a lead, what became of a deal.

use super::error::{FeedbackError, invalid};
use super::keep::Feedback;
use super::read::{amount, crm_record, read, reference, text, time};
use crate::leads::LeadView;
use crate::settings::Settings;
use clew_store::{LeadKey, Record, Unmatched};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::deal::{DealEvent, LedgerEntry};
use shared::ids::SiteId;
use shared::lifecycle::{Origin, Stage, StageChange};
use shared::limits;
use shared::time::rfc3339;

/// The body of `POST /v1/leads/{id}/stage`. Unknown members are ignored.
#[derive(Debug, Deserialize)]
struct StageRequest {
    stage: String,
    at: Option<String>,
    reason: Option<String>,
    reference: Option<String>,
    crm: Option<String>,
}

/// The body of `POST /v1/revenue`. Unknown members are ignored.
#[derive(Debug, Deserialize)]
struct RevenueRequest {
    lead: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    crm: Option<String>,
    deal: String,
    kind: String,
    amount: Option<Value>,
    currency: Option<String>,
    at: Option<String>,
    reference: Option<String>,
}

/// What was kept.
pub struct Kept {
    /// The lead as it stands now.
    pub view: LeadView,
    /// Whether it had been told before.
    pub repeated: bool,
    /// The answer for a caller that may read the lead.
    pub answer: Value,
}

impl Kept {
    /// The answer for a caller that may only report: nothing of it was known before the call.
    pub fn receipt(&self) -> Value {
        json!({ "lead_id": self.view.lead.id, "repeated": self.repeated })
    }
}

impl Feedback {
    /// Keeps a stage that a lead entered.
    ///
    /// # Errors
    /// [`FeedbackError`].
    pub async fn stage(
        &self,
        settings: &Settings,
        site: &SiteId,
        lead: LeadKey,
        body: &[u8],
        key: Option<&str>,
    ) -> Result<Kept, FeedbackError> {
        let request: StageRequest = read(body, "stage")?;
        let now_ms = self.core.now_ms();
        let to: Stage = request.stage.parse().map_err(|error| invalid("stage", error))?;
        if to == Stage::Anonymous {
            let why = "a lead has named itself, so it is not a stage of one";
            return Err(invalid("stage", format!("`anonymous`: {why}")));
        }
        let entered_at_ms = time("at", request.at.as_deref(), now_ms)?.unwrap_or(now_ms);
        let reference = reference(request.reference.as_deref(), key)?;
        let change = StageChange {
            to,
            entered_at_ms,
            recorded_at_ms: now_ms,
            by: Origin::Api,
            reason: text("reason", request.reason.as_deref(), limits::TEXT_BYTES)?,
            reference: reference.unwrap_or_else(|| format!("{} {entered_at_ms}", to.as_str())),
        };
        let crm_record = request.crm.as_deref().map(crm_record).transpose()?;
        // The path can hold anything.
        let lead = text("lead", Some(&lead.to_string()), limits::TEXT_BYTES)?;
        let keys = lead.map(LeadKey::from).into_iter().collect();
        let record = Record::Stage(change);
        let reported = Unmatched { site: site.clone(), keys, record, crm_record };
        let (view, repeated) = self.keep(settings, reported).await?;
        let (stage, since_ms) = view.life_cycle.present();
        let answer = json!({
            "lead_id": view.lead.id,
            "repeated": repeated,
            "stage": stage,
            "stage_at": rfc3339(since_ms),
            "stages": view.life_cycle.to_json(),
        });
        Ok(Kept { view, repeated, answer })
    }

    /// Keeps what became of a deal.
    ///
    /// # Errors
    /// [`FeedbackError`].
    pub async fn revenue(
        &self,
        settings: &Settings,
        site: &SiteId,
        body: &[u8],
        key: Option<&str>,
    ) -> Result<Kept, FeedbackError> {
        let request: RevenueRequest = read(body, "deal")?;
        let now_ms = self.core.now_ms();
        let deal = text("deal", Some(&request.deal), limits::DEAL_BYTES)?;
        let deal = deal.ok_or_else(|| invalid("deal", "it is empty"))?;
        let event: DealEvent = request.kind.parse().map_err(|error| invalid("kind", error))?;
        let amount = amount(event, request.amount.as_ref(), request.currency.as_deref())?;
        let at_ms = time("at", request.at.as_deref(), now_ms)?;
        let reference = reference(request.reference.as_deref(), key)?.unwrap_or_else(|| {
            let amount = amount.map(|amount| amount.to_string());
            let at = at_ms.map(|at_ms| at_ms.to_string());
            let words = [Some(deal.clone()), Some(event.as_str().to_owned()), amount, at];
            words.into_iter().flatten().collect::<Vec<_>>().join(" ")
        });
        let entry = LedgerEntry {
            deal: deal.clone(),
            event,
            amount,
            at_ms: at_ms.unwrap_or(now_ms),
            recorded_at_ms: now_ms,
            source: Origin::Api,
            reference,
        };
        let crm_record = request.crm.as_deref().map(crm_record).transpose()?;
        let record = Record::Deal(entry);
        let most = limits::TEXT_BYTES;
        let email = text("email", request.email.as_deref(), most)?;
        let phone = text("phone", request.phone.as_deref(), most)?;
        let keys = [
            text("lead", request.lead.as_deref(), most)?.map(LeadKey::from),
            email.map(LeadKey::Email),
            phone.map(LeadKey::Phone),
            crm_record.clone().map(LeadKey::CrmRecord),
            record.identity().map(|(_, deal)| LeadKey::Deal(deal)),
        ];
        let keys = keys.into_iter().flatten().collect();
        let reported = Unmatched { site: site.clone(), keys, record, crm_record };
        let (view, repeated) = self.keep(settings, reported).await?;
        let deals = view.deals_json(settings);
        let of_deal =
            |shown: &&Value| shown["deal"] == deal && shown["source"] == Origin::Api.to_string();
        let answer = json!({
            "lead_id": view.lead.id,
            "repeated": repeated,
            "deal": deals.iter().find(of_deal),
        });
        Ok(Kept { view, repeated, answer })
    }
}
