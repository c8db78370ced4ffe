//! Compares a deal in a CRM with the ledger of the lead that it belongs to.

use super::work::Work;
use crate::leads;
use clew_connect::crm::record::{DealPerson, DealRecord};
use clew_store::{LeadKey, Record, StoreError, Unmatched};
use shared::deal::{Deal, DealEvent, DealStatus, LedgerEntry};
use shared::ids::LeadId;
use shared::lead::Lead;
use shared::lifecycle::{Origin, Stage, StageChange};
use shared::money::{Currency, Money, MoneyError};

/// Records what changed in a deal since it was last read, and the stage that follows from the
/// lead's deals. A deal that matches no lead is kept as an unmatched record.
pub(super) async fn apply(work: &Work<'_>, deal: &DealRecord) -> Result<(), StoreError> {
    let Some(lead) = find(work, deal).await? else { return keep_unmatched(work, deal).await };
    let records = leads::records(&*work.core.store, &lead).await?;
    let mut ledger = ledger(work, &records);
    for entry in missing_entries(work, deal, &ledger) {
        work.keep(lead.id, Record::Deal(entry.clone())).await?;
        ledger.push(entry);
    }
    let place = work.place(&lead, &key(work, &deal.id)).await?;
    keep_stage(work, place, &records, &ledger, Some(deal)).await
}

/// Records a deal that was deleted in the CRM as lost.
pub(super) async fn gone(work: &Work<'_>, id: &str) -> Result<(), StoreError> {
    let Some(lead) = work.find(&key(work, id)).await? else { return Ok(()) };
    let records = leads::records(&*work.core.store, &lead).await?;
    let mut ledger = ledger(work, &records);
    let was = Deal::all(&ledger).into_iter().find(|deal| deal.id == id);
    if was.is_none_or(|deal| deal.status == DealStatus::Lost) {
        return Ok(());
    }
    let after_ms = last_ms(&ledger, id).saturating_add(1);
    let at_ms = work.core.now_ms().max(after_ms);
    let entry = entry(work, id, DealEvent::Lost, None, at_ms);
    work.keep(lead.id, Record::Deal(entry.clone())).await?;
    ledger.push(entry);
    let place = work.place(&lead, &key(work, id)).await?;
    keep_stage(work, place, &records, &ledger, None).await
}

/// Finds the lead of a deal: by the deal itself if it was seen before; else by its persons, the
/// primary one first and then the earliest lead; else by the lead id in the deal.
async fn find(work: &Work<'_>, deal: &DealRecord) -> Result<Option<Lead>, StoreError> {
    if let Some(lead) = work.find(&key(work, &deal.id)).await? {
        return Ok(Some(lead));
    }
    let mut found: Vec<(bool, Lead)> = Vec::new();
    for person in &deal.persons {
        if let Some(lead) = of_person(work, person).await? {
            found.push((person.is_primary, lead));
        }
    }
    found.sort_by_key(|(is_primary, lead)| (!is_primary, lead.created_at_ms, lead.id));
    if let Some((_, lead)) = found.into_iter().next() {
        return Ok(Some(lead));
    }
    match deal.lead {
        Some(lead) => work.find(&LeadKey::Id(lead)).await,
        None => Ok(None),
    }
}

async fn of_person(work: &Work<'_>, person: &DealPerson) -> Result<Option<Lead>, StoreError> {
    if let Some(lead) = work.find(&work.key_of(&person.record)).await? {
        return Ok(Some(lead));
    }
    match &person.email {
        Some(email) => work.find(&LeadKey::Email(email.clone())).await,
        None => Ok(None),
    }
}

/// The key of the lead to which a deal is already attached.
fn key(work: &Work<'_>, deal: &str) -> LeadKey {
    LeadKey::deal(&origin(work), deal)
}

fn origin(work: &Work<'_>) -> Origin {
    Origin::Crm(work.connection.name().to_owned())
}

/// The ledger entries of the lead's deals that came from this CRM.
fn ledger(work: &Work<'_>, records: &[Record]) -> Vec<LedgerEntry> {
    let origin = origin(work);
    let of_deal = records.iter().filter_map(|record| match record {
        Record::Deal(entry) if entry.source == origin => Some(entry.clone()),
        _ => None,
    });
    of_deal.collect()
}

fn last_ms(ledger: &[LedgerEntry], deal: &str) -> i64 {
    let times = ledger.iter().filter(|entry| entry.deal == deal).map(|entry| entry.at_ms);
    times.max().unwrap_or(i64::MIN)
}

fn entry(
    work: &Work<'_>,
    deal: &str,
    event: DealEvent,
    amount: Option<Money>,
    at_ms: i64,
) -> LedgerEntry {
    LedgerEntry {
        deal: deal.to_owned(),
        event,
        amount,
        at_ms,
        recorded_at_ms: work.core.now_ms(),
        source: origin(work),
        reference: format!("{deal} {} {at_ms}", event.as_str()),
    }
}

/// The entries that bring the ledger up to date with the deal in the CRM; empty if it already is.
fn missing_entries(work: &Work<'_>, deal: &DealRecord, ledger: &[LedgerEntry]) -> Vec<LedgerEntry> {
    let currency = work.connection.config.currency;
    let amount = match amount(deal, currency) {
        Ok(amount) => amount,
        Err(error) => {
            let connection = work.connection.name();
            let (id, written, currency) = (&deal.id, &deal.amount, &deal.currency);
            tracing::warn!(connection, deal = id, amount = written, currency, %error, "a deal's amount was ignored");
            None
        }
    };
    let nothing = Money { minor: 0, currency };
    let steps = steps(deal, ledger, amount, nothing, work.core.now_ms());
    let kept = steps.into_iter();
    kept.map(|(event, amount, at_ms)| entry(work, &deal.id, event, amount, at_ms)).collect()
}

/// An event of a deal, its amount and its time.
type Step = (DealEvent, Option<Money>, i64);

/// The steps from the deal's state in the ledger to its state in the CRM. A new deal without an
/// amount gets the amount `nothing`.
fn steps(
    deal: &DealRecord,
    ledger: &[LedgerEntry],
    amount: Option<Money>,
    nothing: Money,
    now_ms: i64,
) -> Vec<Step> {
    let deals = Deal::all(ledger);
    let known = deals.iter().find(|known| known.id == deal.id);
    let mut after_ms = last_ms(ledger, &deal.id);
    let mut steps = Vec::new();
    // Each step comes after the one before it and not after the change that shows it, whatever date
    // was entered in the CRM.
    let known_ms = deal.changed_at_ms.min(now_ms);
    let mut step = |event: DealEvent, amount: Option<Money>, at_ms: i64| {
        after_ms = at_ms.min(known_ms).max(after_ms.saturating_add(1));
        steps.push((event, amount, after_ms));
    };
    let closed_ms = deal.closed_at_ms.unwrap_or(deal.changed_at_ms);
    let Some(known) = known else {
        let opened_ms = deal.created_at_ms.min(closed_ms);
        step(DealEvent::Opened, Some(amount.unwrap_or(nothing)), opened_ms);
        match deal.status {
            DealStatus::Open => {}
            DealStatus::Won => step(DealEvent::Won, Some(amount.unwrap_or(nothing)), closed_ms),
            DealStatus::Lost => step(DealEvent::Lost, None, closed_ms),
        }
        return steps;
    };
    match (known.status, deal.status) {
        (DealStatus::Won | DealStatus::Lost, DealStatus::Open) => {
            step(DealEvent::Reopened, None, deal.changed_at_ms);
        }
        (DealStatus::Open | DealStatus::Lost, DealStatus::Won) => {
            step(DealEvent::Won, amount.or(known.amount), closed_ms);
            return steps;
        }
        (DealStatus::Open | DealStatus::Won, DealStatus::Lost) => {
            step(DealEvent::Lost, None, closed_ms);
        }
        _ => {}
    }
    if amount.is_some() && amount != known.amount {
        step(DealEvent::AmountChanged, amount, deal.changed_at_ms);
    }
    steps
}

/// The deal's amount, in its own currency or else in the connection's.
fn amount(deal: &DealRecord, usual: Currency) -> Result<Option<Money>, MoneyError> {
    let Some(amount) = &deal.amount else { return Ok(None) };
    let currency = deal.currency.as_deref().map_or(Ok(usual), str::parse)?;
    Ok(Some(Money::nearest(amount, currency)?))
}

/// Records the stage that follows from the lead's deals, if it has changed: customer if one is won;
/// else opportunity (or the stage configured for the open deal) if one is open; else lost.
async fn keep_stage(
    work: &Work<'_>,
    lead: LeadId,
    records: &[Record],
    ledger: &[LedgerEntry],
    read: Option<&DealRecord>,
) -> Result<(), StoreError> {
    let deals = Deal::all(ledger);
    let by = origin(work);
    let reported = records.iter().filter_map(|record| match record {
        Record::Stage(change) if change.by == by && change.reference.starts_with(OF_DEALS) => {
            Some(change)
        }
        _ => None,
    });
    let last = reported.max_by_key(|change| (change.entered_at_ms, change.recorded_at_ms));
    let now_ms = work.core.now_ms();
    let stage = stage(&deals, read, last.map(|last| last.to), now_ms);
    let Some((to, at_ms)) = stage.filter(|(to, _)| last.is_none_or(|last| last.to != *to)) else {
        return Ok(());
    };
    let entered_at_ms = at_ms.max(last.map_or(i64::MIN, |last| last.entered_at_ms + 1));
    let change = StageChange {
        to,
        entered_at_ms,
        recorded_at_ms: now_ms,
        by,
        reason: read.filter(|_| to == Stage::Lost).map(|deal| deal.word.clone()),
        reference: format!("{OF_DEALS}{} {entered_at_ms}", to.as_str()),
    };
    work.keep(lead, Record::Stage(change)).await
}

/// Prefix of the references of stages that follow from deals.
const OF_DEALS: &str = "deals ";

/// The stage that follows from a lead's deals, and since when; `last` is the one that followed
/// before.
fn stage(
    deals: &[Deal<'_>],
    read: Option<&DealRecord>,
    last: Option<Stage>,
    now_ms: i64,
) -> Option<(Stage, i64)> {
    let last_ms = |deal: &Deal<'_>| deal.bookings.last().map_or(0, |last| last.entry.at_ms);
    let won = deals.iter().filter(|deal| deal.status == DealStatus::Won);
    if let Some(at_ms) = won.filter_map(|deal| deal.won_at_ms).max() {
        return Some((Stage::Customer, at_ms));
    }
    let open = deals.iter().filter(|deal| deal.status == DealStatus::Open);
    if let Some(open) = open.max_by_key(|deal| last_ms(deal)) {
        // The stage of an open deal so far; the ledger does not have it.
        let before = last.filter(|last| !matches!(last, Stage::Customer | Stage::Lost));
        let Some(read) = read.filter(|deal| deal.id == open.id) else {
            // Another deal has changed.
            let at_ms = deals.iter().map(last_ms).max()?;
            return Some((before.unwrap_or(Stage::Opportunity), at_ms));
        };
        // The ledger has no entry for a step from one open stage to another.
        let moved_ms = before.map(|_| read.changed_at_ms.min(now_ms));
        let at_ms = last_ms(open).max(moved_ms.unwrap_or(i64::MIN));
        return Some((read.stage.unwrap_or(Stage::Opportunity), at_ms));
    }
    deals.iter().map(last_ms).max().map(|at_ms| (Stage::Lost, at_ms))
}

/// Keeps a deal that matches no lead as an unmatched record.
async fn keep_unmatched(work: &Work<'_>, deal: &DealRecord) -> Result<(), StoreError> {
    let Some(entry) = missing_entries(work, deal, &[]).pop() else { return Ok(()) };
    let of_persons = deal.persons.iter().flat_map(|person| {
        [Some(work.key_of(&person.record)), person.email.clone().map(LeadKey::Email)]
    });
    let mut keys: Vec<LeadKey> = of_persons.flatten().collect();
    keys.push(key(work, &deal.id));
    let site = work.connection.config.site.clone();
    let unmatched = Unmatched { site, keys, record: Record::Deal(entry), crm_record: None };
    work.core.store.keep_unmatched(unmatched).await
}

#[cfg(test)]
mod tests;
