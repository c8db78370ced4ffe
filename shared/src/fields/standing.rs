//! Where the lead stands: its life cycle, and its copy in the CRM.

use super::FIELDS_VERSION;
use super::catalogue::{FieldKind, OfLead, Row, row};
use super::naming::Crm;
use crate::time::rfc3339;
use serde_json::Value;

/// The stages of a lead.
const STAGES: [&str; 9] =
    ["anonymous", LEAD, "mql", "sql", "opportunity", "customer", "advocate", "lost", "recycled"];
const LEAD: &str = "lead";

/// The states of a hand-off, as deliveries have them.
const DELIVERY_STATES: [&str; 5] = ["pending", "sending", "sent", "retry", "dead"];

/// What the CRM tells of the lead's life. No stage comes back yet: a lead is a lead.
pub(super) const LIFE_CYCLE: [Row<OfLead>; 12] = [
    row(
        "lead_stage",
        FieldKind::Enum(|| STAGES.to_vec()),
        "Lead stage",
        "The stage that the lead has reached.",
        |_| LEAD.into(),
    ),
    row(
        "lead_stage_at",
        FieldKind::Time,
        "Lead stage at",
        "When the lead reached that stage.",
        |facts| rfc3339(facts.lead.created_at_ms).into(),
    ),
    unknown("mql_at", FieldKind::Time, "MQL at", "When the lead first was marketing qualified."),
    unknown("sql_at", FieldKind::Time, "SQL at", "When the lead first was sales qualified."),
    unknown(
        "opportunity_at",
        FieldKind::Time,
        "Opportunity at",
        "When the lead first was an opportunity.",
    ),
    unknown("customer_at", FieldKind::Time, "Customer at", "When the lead first was a customer."),
    unknown("lost_at", FieldKind::Time, "Lost at", "When the lead was first lost."),
    unknown(
        "opportunity_value",
        FieldKind::Decimal,
        "Opportunity value",
        "The sum of the lead's open deals.",
    ),
    unknown("revenue", FieldKind::Decimal, "Revenue", "The sum of the lead's deals that were won."),
    unknown(
        "revenue_currency",
        FieldKind::Text(3),
        "Revenue currency",
        "The currency of both sums, by ISO 4217.",
    ),
    unknown("closed_at", FieldKind::Time, "Closed at", "When a deal was last won."),
    unknown("deals_count", FieldKind::Integer, "Deals", "How many deals the lead has."),
];

/// The lead's copy in the CRM.
pub(super) const CRM_LINK: [Row<OfLead>; 8] = [
    row(
        "crm_provider",
        FieldKind::Enum(|| Crm::ALL.iter().map(|crm| crm.as_str()).collect()),
        "CRM",
        "The CRM that the lead is handed to.",
        |facts| facts.hand_off.map(|hand_off| hand_off.provider.as_str()).into(),
    ),
    unknown(
        "crm_record_type",
        FieldKind::Text(32),
        "CRM record type",
        "What kind of record the lead is in the CRM.",
    ),
    unknown("crm_record_id", FieldKind::Text(64), "CRM record id", "That record's id."),
    unknown("crm_deal_id", FieldKind::Text(64), "CRM deal id", "The latest deal's id in the CRM."),
    unknown("crm_record_url", FieldKind::Url(500), "CRM record link", "That record's page."),
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

/// A field whose value is not known before the CRM tells it.
const fn unknown(
    name: &'static str,
    kind: FieldKind,
    label: &'static str,
    description: &'static str,
) -> Row<OfLead> {
    row(name, kind, label, description, (|_| Value::Null) as OfLead)
}
