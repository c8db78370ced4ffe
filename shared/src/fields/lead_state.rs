//! Fields of the lead's life cycle and of its record in the CRM.

use super::crm::Crm;
use super::facts::{Facts, OfLead};
use super::field::FIELDS_VERSION;
use super::kind::FieldKind;
use super::row::{Row, row};
use crate::lifecycle::Stage;
use crate::link::CrmLink;
use crate::money::Money;
use crate::time::rfc3339;
use serde_json::Value;

/// The states of a delivery.
const DELIVERY_STATES: [&str; 5] = ["pending", "sending", "sent", "retry", "dead"];

/// The fields of the lead's life cycle.
pub(super) const LIFE_CYCLE: [Row<OfLead>; 12] = [
    row(
        "lead_stage",
        FieldKind::Enum(|| Stage::NAMED.map(|(name, _)| name).to_vec()),
        "Lead stage",
        "The lead's current stage.",
        |facts| facts.life_cycle.present().0.as_str().into(),
    ),
    row(
        "lead_stage_at",
        FieldKind::Time,
        "Lead stage at",
        "When the lead entered that stage.",
        |facts| rfc3339(facts.life_cycle.present().1).into(),
    ),
    row(
        "mql_at",
        FieldKind::Time,
        "MQL at",
        "When the lead first became marketing qualified.",
        |facts| first(facts, Stage::Mql),
    ),
    row(
        "sql_at",
        FieldKind::Time,
        "SQL at",
        "When the lead first became sales qualified.",
        |facts| first(facts, Stage::Sql),
    ),
    row(
        "opportunity_at",
        FieldKind::Time,
        "Opportunity at",
        "When the lead first became an opportunity.",
        |facts| first(facts, Stage::Opportunity),
    ),
    row(
        "customer_at",
        FieldKind::Time,
        "Customer at",
        "When the lead first became a customer.",
        |facts| first(facts, Stage::Customer),
    ),
    row("lost_at", FieldKind::Time, "Lost at", "When the lead was first lost.", |facts| {
        first(facts, Stage::Lost)
    }),
    row(
        "opportunity_value",
        FieldKind::Decimal,
        "Opportunity value",
        "The sum of the lead's open deals in the currency of `revenue_currency`.",
        |facts| facts.deal_totals.and_then(|totals| totals.open).map(Money::decimal).into(),
    ),
    row(
        "revenue",
        FieldKind::Decimal,
        "Revenue",
        "The sum of the lead's won deals, less refunds, in the currency of `revenue_currency`.",
        |facts| facts.deal_totals.and_then(|totals| totals.revenue).map(Money::decimal).into(),
    ),
    row(
        "revenue_currency",
        FieldKind::Text(3),
        "Revenue currency",
        "The currency of both sums, by ISO 4217: that of the won deal that was won last, otherwise that of the latest open deal.",
        |facts| facts.deal_totals.map(|totals| totals.currency.code()).into(),
    ),
    row(
        "closed_at",
        FieldKind::Time,
        "Closed at",
        "When the last of the won deals was won.",
        |facts| facts.deal_totals.and_then(|totals| totals.closed_at_ms).map(rfc3339).into(),
    ),
    row("deals_count", FieldKind::Integer, "Deals", "The number of the lead's deals.", |facts| {
        Some(facts.deals.len()).filter(|count| *count > 0).into()
    }),
];

fn first(facts: &Facts<'_>, stage: Stage) -> Value {
    facts.life_cycle.first_ms(stage).map(rfc3339).into()
}

/// The fields of the lead's record in the CRM.
pub(super) const CRM_LINK: [Row<OfLead>; 8] = [
    row(
        "crm_provider",
        FieldKind::Enum(|| Crm::ALL.iter().map(|crm| crm.as_str()).collect()),
        "CRM",
        "The CRM that the lead is delivered to.",
        |facts| facts.hand_off.map(|hand_off| hand_off.provider.as_str()).into(),
    ),
    row(
        "crm_record_type",
        FieldKind::Text(32),
        "CRM record type",
        "The type of the lead's record in the CRM.",
        |facts| of_link(facts, |link| Some(&link.object)),
    ),
    row("crm_record_id", FieldKind::Text(64), "CRM record id", "The record's id.", |facts| {
        of_link(facts, |link| Some(&link.id))
    }),
    row(
        "crm_deal_id",
        FieldKind::Text(64),
        "CRM deal id",
        "The id of the deal that was reported last.",
        |facts| facts.deals.last().map(|deal| deal.id).into(),
    ),
    row(
        "crm_record_url",
        FieldKind::Url(500),
        "CRM record link",
        "The record's page in the CRM.",
        |facts| of_link(facts, |link| link.url.as_ref()),
    ),
    row(
        "crm_sync_status",
        FieldKind::Enum(|| DELIVERY_STATES.to_vec()),
        "CRM sync status",
        "The state of the lead's delivery that most needs attention.",
        |facts| facts.hand_off.map(|hand_off| hand_off.status).into(),
    ),
    row(
        "crm_synced_at",
        FieldKind::Time,
        "CRM synced at",
        "When the target last accepted a delivery of the lead.",
        |facts| facts.hand_off.and_then(|hand_off| hand_off.synced_at_ms).map(rfc3339).into(),
    ),
    row(
        "fields_version",
        FieldKind::Integer,
        "Fields version",
        "The version of the field names; it increases when one changes or is removed.",
        |_| FIELDS_VERSION.into(),
    ),
];

/// Reads from the lead's link to its CRM record.
fn of_link(facts: &Facts<'_>, read: impl Fn(&CrmLink) -> Option<&String>) -> Value {
    let link = facts.hand_off.and_then(|hand_off| hand_off.link);
    link.and_then(read).map(String::as_str).into()
}
