//! What a delivery reports about its lead: a conversion, a stage, or a change of a deal.

use crate::leads::LeadView;
use clew_api::{Change, DealChanged, Money, StageEntered, Timestamp};
use clew_store::{DeliveryKind, Record};
use shared::deal::{Deal, DealEvent, DealStatus, LedgerEntry};
use shared::lifecycle::{Origin, Stage, StageChange};
use uuid::Uuid;

/// Something that happened to a lead.
pub(super) struct LeadEvent {
    /// What it is.
    pub(super) kind: DeliveryKind,
    /// The id of the conversion or of the record.
    pub(super) id: Uuid,
    /// When it happened, Unix milliseconds.
    pub(super) at_ms: i64,
    /// What happened; `None` for a conversion, which the lead's fields and journey describe.
    pub(super) change: Option<Change>,
}

impl LeadEvent {
    /// The event of a conversion or record of the lead; `None` if it has none of that id.
    pub(super) fn find(view: &LeadView, kind: DeliveryKind, id: Uuid) -> Option<Self> {
        if kind == DeliveryKind::Converted {
            let conversions = &view.history.conversions;
            let made = conversions.iter().find(|made| made.id.0 == id)?;
            return Some(Self { kind, id, at_ms: made.at_ms, change: None });
        }
        match view.records.iter().find(|record| record.id().uuid() == id)? {
            Record::Stage(change) => Some(Self::of_stage(view, id, change)),
            Record::Deal(entry) => Some(Self::of_deal(&view.records, id, entry)),
            Record::Link(_) => None,
        }
    }

    /// The event of the newest conversion or record of its kind.
    pub(super) fn newest(view: &LeadView, kind: DeliveryKind) -> Option<Self> {
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

    /// The stage before comes from the life cycle as it is known now. A lead that was in the stage already
    /// comes from that stage.
    fn of_stage(view: &LeadView, id: Uuid, change: &StageChange) -> Self {
        let mut steps = view.life_cycle.history().iter();
        let is_it = |reference: &Option<String>| reference.as_ref() == Some(&change.reference);
        let step = steps.find(|step| step.to == change.to && is_it(&step.reference));
        let entered = StageEntered {
            from: step.map_or(change.to, |step| step.from),
            to: change.to,
            at: Timestamp(change.entered_at_ms),
            by: change.by.to_string(),
            reason: change.reason.clone(),
        };
        let change_of_stage = Some(Change::Stage(entered));
        Self {
            kind: DeliveryKind::StageChanged,
            id,
            at_ms: change.entered_at_ms,
            change: change_of_stage,
        }
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
        let changes = booking.into_iter().flat_map(|booking| &booking.changes);
        let (amount, currency) = Money::parts(entry.amount);
        let changed = DealChanged {
            deal: entry.deal.clone(),
            kind: entry.event,
            amount,
            currency,
            changes: changes.copied().map(Money::from).collect(),
            status: deal.map(|deal| deal.status),
            at: Timestamp(entry.at_ms),
            by: entry.source.to_string(),
        };
        let change = Some(Change::Deal(changed));
        Self { kind: DeliveryKind::Revenue, id, at_ms: entry.at_ms, change }
    }

    /// An invented event, for samples.
    pub(super) fn example(kind: DeliveryKind, at_ms: i64) -> Self {
        let (at, by) = (Timestamp(at_ms), Origin::Api.to_string());
        let id = Uuid::from_u128(0x0197_a2b4_0000_7000_8000_0000_0000_0001);
        let euros = || "1200.00".to_owned();
        let change = match kind {
            DeliveryKind::Converted => None,
            DeliveryKind::StageChanged => Some(Change::Stage(StageEntered {
                from: Stage::Lead,
                to: Stage::Sql,
                at,
                by,
                reason: Some("asked for an offer".to_owned()),
            })),
            DeliveryKind::Revenue => Some(Change::Deal(DealChanged {
                deal: "D-1".to_owned(),
                kind: DealEvent::Won,
                amount: Some(euros()),
                currency: Some("EUR"),
                changes: vec![Money { amount: euros(), currency: "EUR" }],
                status: Some(DealStatus::Won),
                at,
                by,
            })),
        };
        Self { kind, id, at_ms, change }
    }
}
