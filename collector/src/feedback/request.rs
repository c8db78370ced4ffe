//! Reports by API: the stage of a lead, and what happened to a deal.

use super::error::{FeedbackError, invalid};
use super::keep::Feedback;
use super::read::{amount, crm_record, read, reference, text, time};
use crate::leads::LeadView;
use crate::settings::Settings;
use clew_api::{
    RevenueRecorded, RevenueRequest, StageEntry, StageRecorded, StageRequest, Timestamp,
};
use clew_store::{LeadKey, Record, Unmatched};
use shared::deal::{DealEvent, LedgerEntry};
use shared::ids::SiteId;
use shared::lifecycle::{Origin, Stage, StageChange};
use shared::limits;

/// A report that was recorded.
pub struct Reported {
    /// The lead as it stands now.
    pub view: LeadView,
    /// Whether the same had been reported before.
    pub repeated: bool,
}

/// A report about a deal that was recorded.
pub struct ReportedDeal {
    /// The lead as it stands now.
    pub view: LeadView,
    /// Whether the same had been reported before.
    pub repeated: bool,
    /// The deal's id.
    deal: String,
}

impl Reported {
    /// The response to a caller that may read the lead.
    pub fn stage(&self) -> StageRecorded<'_> {
        let (stage, since_ms) = self.view.life_cycle.present();
        StageRecorded {
            lead_id: self.view.lead.id,
            repeated: self.repeated,
            stage,
            stage_at: Timestamp(since_ms),
            stages: StageEntry::all(&self.view.life_cycle),
        }
    }
}

impl ReportedDeal {
    /// The response to a caller that may read the lead.
    pub fn deal(&self, settings: &Settings) -> RevenueRecorded<'_> {
        let by_api = Origin::Api.to_string();
        let deals = self.view.deals_shown(settings).into_iter();
        let mut of_deal = deals.filter(|shown| shown.deal == self.deal && shown.source == by_api);
        RevenueRecorded {
            lead_id: self.view.lead.id,
            repeated: self.repeated,
            deal: of_deal.next(),
        }
    }
}

impl Feedback {
    /// Records a stage that a lead entered.
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
    ) -> Result<Reported, FeedbackError> {
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
        Ok(Reported { view, repeated })
    }

    /// Records what happened to a deal.
    ///
    /// # Errors
    /// [`FeedbackError`].
    pub async fn revenue(
        &self,
        settings: &Settings,
        site: &SiteId,
        body: &[u8],
        key: Option<&str>,
    ) -> Result<ReportedDeal, FeedbackError> {
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
        Ok(ReportedDeal { view, repeated, deal })
    }
}
