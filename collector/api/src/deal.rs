//! Deals and revenue in JSON.

use crate::{Money, RecordReceipt, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::deal::{self, DealEvent, DealStatus};
use shared::ids::LeadId;
use shared::{money, revenue};
use utoipa::ToSchema;

/// The body of `POST /v1/revenue`. Unknown members are ignored.
///
/// The lead is the first match of `lead`, `email`, `phone`, `crm`, or else the one that `deal` belongs to.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RevenueRequest {
    /// The lead's id, or another way to name it, such as `email:ADDRESS`.
    pub lead: Option<String>,
    /// The lead's e-mail address.
    #[schema(example = "lead@example.com")]
    pub email: Option<String>,
    /// The lead's phone number.
    pub phone: Option<String>,
    /// The lead's record in your CRM, as `provider:type:id`.
    #[schema(example = "hubspot:contact:151")]
    pub crm: Option<String>,
    /// The deal's id in your system.
    #[schema(example = "D-1042")]
    pub deal: String,
    /// What happened to the deal.
    #[schema(value_type = DealEvent, example = "won")]
    pub kind: String,
    /// The amount as a decimal string. Ignored if the deal was reopened or lost. For a refund: what was paid back,
    /// above 0.
    #[schema(value_type = Option<String>, example = "1200.00")]
    pub amount: Option<Value>,
    /// The ISO 4217 code of `amount`.
    #[schema(example = "EUR")]
    pub currency: Option<String>,
    /// When it happened, at most an hour ahead and 20 years back. Default: now.
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// Your id for this report, so that a repeat changes nothing. Default: the header `Idempotency-Key`, or else
    /// made from deal, kind, amount and time.
    pub reference: Option<String>,
}

/// A deal with its ledger and the touches that its revenue is credited to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deal<'a> {
    /// The deal's id in the system that reports it.
    pub deal: &'a str,
    /// Who reports it: `api` or `crm:NAME`.
    pub source: String,
    /// The deal's status.
    pub status: DealStatus,
    /// The deal's amount, before refunds.
    #[schema(required = true, example = "1200.00")]
    pub amount: Option<String>,
    /// The ISO 4217 code of `amount`.
    #[schema(required = true, example = "EUR")]
    pub currency: Option<&'static str>,
    /// When it was first opened.
    #[schema(required = true)]
    pub opened_at: Option<Timestamp>,
    /// When it was won; `null` unless it is won now.
    #[schema(required = true)]
    pub won_at: Option<Timestamp>,
    /// Whether it was won and then reopened or lost.
    pub reversed: bool,
    /// What it has brought, less refunds: one amount per currency.
    pub revenue: Vec<Money>,
    /// The reports about the deal, oldest first.
    pub ledger: Vec<LedgerEntry<'a>>,
    /// How `revenue` is credited to touches, one entry per attribution model. Empty if the deal was never won.
    pub credit: Vec<Credit>,
}

/// One report about a deal.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerEntry<'a> {
    /// What happened.
    pub kind: DealEvent,
    /// The amount; negative for a refund.
    #[schema(required = true, example = "1200.00")]
    pub amount: Option<String>,
    /// The ISO 4217 code of `amount`.
    #[schema(required = true, example = "EUR")]
    pub currency: Option<&'static str>,
    /// When it happened.
    pub at: Timestamp,
    /// When the collector received the report.
    pub recorded_at: Timestamp,
    /// Who reported it: `api` or `crm:NAME`.
    pub source: String,
    /// The reporter's id for this report.
    pub reference: &'a str,
    /// What this entry adds to the revenue; negative if it takes back.
    pub booked: Vec<Money>,
}

/// How one attribution model credits a deal's revenue.
#[derive(Debug, Serialize, ToSchema)]
pub struct Credit {
    /// The model, such as `first` or `linear`.
    #[schema(example = "first")]
    pub model: &'static str,
    /// The touches that receive credit.
    pub touches: Vec<CreditedTouch>,
}

/// A touch's share of a deal's revenue.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreditedTouch {
    /// The number of the touch in the lead's journey, from 1.
    pub n: usize,
    /// The credited amount.
    #[serde(flatten)]
    pub share: Money,
}

/// The response to `POST /v1/revenue`.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevenueRecorded<'a> {
    /// The lead.
    pub lead_id: LeadId,
    /// Whether the same report had been recorded before.
    pub repeated: bool,
    /// The deal as it stands now.
    #[schema(required = true)]
    pub deal: Option<Deal<'a>>,
}

/// The response to `POST /v1/revenue`, as far as the key may read it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum RevenueReported<'a> {
    /// For a key with `leads:read`.
    Recorded(RevenueRecorded<'a>),
    /// For a key without `leads:read`.
    Receipt(RecordReceipt),
}

impl<'a> Deal<'a> {
    /// A deal with the credit for it.
    pub fn new(deal: &deal::Deal<'a>, credit: &[revenue::Credit]) -> Self {
        let (amount, currency) = Money::parts(deal.amount);
        let revenue = deal.revenue().into_iter();
        let revenue = revenue.map(|(currency, minor)| money::Money { minor, currency }.into());
        Self {
            deal: deal.id,
            source: deal.source.to_string(),
            status: deal.status,
            amount,
            currency,
            opened_at: deal.opened_at_ms.map(Timestamp),
            won_at: deal.won_at_ms.filter(|_| deal.status == DealStatus::Won).map(Timestamp),
            reversed: deal.is_reversed(),
            revenue: revenue.collect(),
            ledger: deal.bookings.iter().map(LedgerEntry::of).collect(),
            credit: credit.iter().map(Credit::from).collect(),
        }
    }
}

impl<'a> LedgerEntry<'a> {
    fn of(booking: &deal::Booking<'a>) -> Self {
        let entry = booking.entry;
        let (amount, currency) = Money::parts(entry.amount);
        Self {
            kind: entry.event,
            amount,
            currency,
            at: Timestamp(entry.at_ms),
            recorded_at: Timestamp(entry.recorded_at_ms),
            source: entry.source.to_string(),
            reference: &entry.reference,
            booked: booking.changes.iter().copied().map(Money::from).collect(),
        }
    }
}

impl From<&revenue::Credit> for Credit {
    fn from(credit: &revenue::Credit) -> Self {
        let shares = credit.shares.iter();
        let touches = shares.map(|(n, share)| CreditedTouch { n: *n, share: (*share).into() });
        Self { model: credit.model.name(), touches: touches.collect() }
    }
}
