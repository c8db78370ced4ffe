//! Where the lead stands: its life cycle, and its copy in the CRM.

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

/// The states of a hand-off, as deliveries have them.
const DELIVERY_STATES: [&str; 5] = ["pending", "sending", "sent", "retry", "dead"];

/// What was told of the lead's life since it converted.
pub(super) const LIFE_CYCLE: [Row<OfLead>; 12] = [
    row(
        "lead_stage",
        FieldKind::Enum(|| Stage::NAMED.map(|(name, _)| name).to_vec()),
        "Lead stage",
        "The stage that the lead is in.",
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
        "When the lead first was marketing qualified.",
        |facts| first(facts, Stage::Mql),
    ),
    row("sql_at", FieldKind::Time, "SQL at", "When the lead first was sales qualified.", |facts| {
        first(facts, Stage::Sql)
    }),
    row(
        "opportunity_at",
        FieldKind::Time,
        "Opportunity at",
        "When the lead first was an opportunity.",
        |facts| first(facts, Stage::Opportunity),
    ),
    row(
        "customer_at",
        FieldKind::Time,
        "Customer at",
        "When the lead first was a customer.",
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
        |facts| facts.standing.and_then(|standing| standing.open).map(Money::decimal).into(),
    ),
    row(
        "revenue",
        FieldKind::Decimal,
        "Revenue",
        "The sum of the lead's deals that are won, refunds taken off, in the currency of `revenue_currency`.",
        |facts| facts.standing.and_then(|standing| standing.revenue).map(Money::decimal).into(),
    ),
    row(
        "revenue_currency",
        FieldKind::Text(3),
        "Revenue currency",
        "The currency of both sums, by ISO 4217: that of the deal that was won last, else of the latest open one.",
        |facts| facts.standing.map(|standing| standing.currency.code()).into(),
    ),
    row(
        "closed_at",
        FieldKind::Time,
        "Closed at",
        "When a deal that is won was last won.",
        |facts| facts.standing.and_then(|standing| standing.closed_at_ms).map(rfc3339).into(),
    ),
    row("deals_count", FieldKind::Integer, "Deals", "How many deals the lead has.", |facts| {
        Some(facts.deals.len()).filter(|count| *count > 0).into()
    }),
];

fn first(facts: &Facts<'_>, stage: Stage) -> Value {
    facts.life_cycle.first_ms(stage).map(rfc3339).into()
}

/// The lead's copy in the CRM.
pub(super) const CRM_LINK: [Row<OfLead>; 8] = [
    row(
        "crm_provider",
        FieldKind::Enum(|| Crm::ALL.iter().map(|crm| crm.as_str()).collect()),
        "CRM",
        "The CRM that the lead is handed to.",
        |facts| facts.hand_off.map(|hand_off| hand_off.provider.as_str()).into(),
    ),
    row(
        "crm_record_type",
        FieldKind::Text(32),
        "CRM record type",
        "What kind of record the lead is in the CRM.",
        |facts| of_link(facts, |link| Some(&link.object)),
    ),
    row("crm_record_id", FieldKind::Text(64), "CRM record id", "That record's id.", |facts| {
        of_link(facts, |link| Some(&link.id))
    }),
    row(
        "crm_deal_id",
        FieldKind::Text(64),
        "CRM deal id",
        "The id of the deal of which was heard last.",
        |facts| facts.deals.last().map(|deal| deal.id).into(),
    ),
    row("crm_record_url", FieldKind::Url(500), "CRM record link", "That record's page.", |facts| {
        of_link(facts, |link| link.url.as_ref())
    }),
    row(
        "crm_sync_status",
        FieldKind::Enum(|| DELIVERY_STATES.to_vec()),
        "CRM sync status",
        "The state of those of the lead's deliveries that most need an eye.",
        |facts| facts.hand_off.map(|hand_off| hand_off.status).into(),
    ),
    row(
        "crm_synced_at",
        FieldKind::Time,
        "CRM synced at",
        "When a delivery of the lead was last accepted.",
        |facts| facts.hand_off.and_then(|hand_off| hand_off.synced_at_ms).map(rfc3339).into(),
    ),
    row(
        "fields_version",
        FieldKind::Integer,
        "Fields version",
        "The version of these names; it rises when one changes or goes.",
        |_| FIELDS_VERSION.into(),
    ),
];

/// Something of the record that the lead is in its CRM.
fn of_link(facts: &Facts<'_>, read: impl Fn(&CrmLink) -> Option<&String>) -> Value {
    let link = facts.hand_off.and_then(|hand_off| hand_off.link);
    link.and_then(read).map(String::as_str).into()
}
