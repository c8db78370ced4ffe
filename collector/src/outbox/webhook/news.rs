//! What a delivery reports beside the lead's fields: which conversion, which stage, what became of a deal
//! and what that changes of the revenue.

use crate::leads::LeadView;
use clew_store::{DeliveryKind, Record};
use serde_json::{Map, Value, json};
use shared::deal::{Deal, LedgerEntry};
use shared::lifecycle::StageChange;
use shared::money::Money;
use shared::time::rfc3339;
use uuid::Uuid;

/// Something that happened to a lead.
pub(super) struct News {
    /// What it is.
    pub(super) kind: DeliveryKind,
    /// The id of the conversion, or of the record.
    pub(super) id: Uuid,
    /// When it happened, Unix milliseconds.
    pub(super) at_ms: i64,
    /// What is told of it.
    pub(super) members: Map<String, Value>,
}

impl News {
    /// That of a conversion or record of the lead; `None` where it has none of that id.
    pub(super) fn find(view: &LeadView, kind: DeliveryKind, id: Uuid) -> Option<Self> {
        if kind == DeliveryKind::Converted {
            let conversions = &view.history.conversions;
            let made = conversions.iter().find(|made| made.id.0 == id)?;
            return Some(Self { kind, id, at_ms: made.at_ms, members: Map::new() });
        }
        match view.records.iter().find(|record| record.id().uuid() == id)? {
            Record::Stage(change) => Some(Self::of_stage(view, id, change)),
            Record::Deal(entry) => Some(Self::of_deal(&view.records, id, entry)),
            Record::Link(_) => None,
        }
    }

    /// That of the last of its kind.
    pub(super) fn last(view: &LeadView, kind: DeliveryKind) -> Option<Self> {
        let of_kind = |record: &&Record| record.delivered_as() == Some(kind);
        let id = match kind {
            DeliveryKind::Converted => view.history.conversions.last()?.id.0,
            _ => {
                let of_kind = view.records.iter().filter(of_kind);
                of_kind.max_by_key(|record| record.recorded_at_ms())?.id().uuid()
            }
        };
        Self::find(view, kind, id)
    }

    /// The stage before is the one in the history as it is known now; one that the lead was told to be in
    /// already comes from itself.
    fn of_stage(view: &LeadView, id: Uuid, change: &StageChange) -> Self {
        let mut steps = view.life_cycle.history().iter();
        let is_it = |reference: &Option<String>| reference.as_ref() == Some(&change.reference);
        let step = steps.find(|step| step.to == change.to && is_it(&step.reference));
        let from = step.map_or(change.to, |step| step.from);
        let members = members([
            ("from", json!(from)),
            ("to", json!(change.to)),
            ("at", json!(rfc3339(change.entered_at_ms))),
            ("by", json!(change.by.to_string())),
            ("reason", json!(change.reason)),
        ]);
        Self { kind: DeliveryKind::StageChanged, id, at_ms: change.entered_at_ms, members }
    }

    fn of_deal(records: &[Record], id: Uuid, entry: &LedgerEntry) -> Self {
        let entries = records.iter().filter_map(|record| match record {
            Record::Deal(entry) => Some(entry),
            _ => None,
        });
        let deals = Deal::all(entries);
        let deal = deals.iter().find(|deal| (deal.id, deal.source) == (&entry.deal, &entry.source));
        let bookings = deal.into_iter().flat_map(|deal| &deal.bookings);
        let booking = bookings.into_iter().find(|booking| booking.entry == entry);
        let told = |money: &Money| json!({ "amount": money.decimal(), "currency": money.currency });
        let changes = booking.into_iter().flat_map(|booking| &booking.changes);
        let members = members([
            ("deal", json!(entry.deal)),
            ("kind", json!(entry.event)),
            ("amount", json!(entry.amount.map(Money::decimal))),
            ("currency", json!(entry.amount.map(|amount| amount.currency))),
            ("changes", changes.map(told).collect()),
            ("status", json!(deal.map(|deal| deal.status))),
            ("at", json!(rfc3339(entry.at_ms))),
            ("by", json!(entry.source.to_string())),
        ]);
        Self { kind: DeliveryKind::Revenue, id, at_ms: entry.at_ms, members }
    }

    /// One that never happened, for samples.
    pub(super) fn made_up(kind: DeliveryKind, at_ms: i64) -> Self {
        let (at, id) = (rfc3339(at_ms), Uuid::from_u128(0x0197_a2b4_0000_7000_8000_0000_0000_0001));
        let members = match kind {
            DeliveryKind::Converted => Map::new(),
            DeliveryKind::StageChanged => members([
                ("from", json!("lead")),
                ("to", json!("sql")),
                ("at", json!(at)),
                ("by", json!("api")),
                ("reason", json!("asked for an offer")),
            ]),
            DeliveryKind::Revenue => members([
                ("deal", json!("D-1")),
                ("kind", json!("won")),
                ("amount", json!("1200.00")),
                ("currency", json!("EUR")),
                ("changes", json!([{ "amount": "1200.00", "currency": "EUR" }])),
                ("status", json!("won")),
                ("at", json!(at)),
                ("by", json!("api")),
            ]),
        };
        Self { kind, id, at_ms, members }
    }
}

fn members<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::fields::catalogue::find;

    #[test]
    fn nothing_that_is_told_has_the_name_of_a_field() {
        for kind in DeliveryKind::ALL {
            let news = News::made_up(kind, 0);
            let told = news.members.keys().map(String::as_str);
            for name in told.chain(["id", "event", "occurred_at"]) {
                assert!(find(name).is_none(), "{name}");
            }
        }
    }
}
