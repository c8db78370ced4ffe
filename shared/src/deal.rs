//! Deals: what they came to, from a ledger that is only ever added to.
//!
//! What was told is kept as [`LedgerEntry`]; [`Deal::all`] puts the entries of each deal in order and
//! books what each changes of its revenue. A deal that is opened again, lost or paid back takes its
//! revenue back by a negative booking, so that a deal's bookings add up to its revenue at any time,
//! and no entry is ever rewritten. The same entries make the same deals, in whatever order they came.

use crate::lifecycle::Origin;
use crate::money::{Currency, Money};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// What an entry tells of a deal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DealEvent {
    /// It is open, and may come to so much.
    Opened,
    /// It was won at so much.
    Won,
    /// It comes to another amount, refunds not counted.
    AmountChanged,
    /// It is open again.
    Reopened,
    /// It was lost.
    Lost,
    /// So much was paid back; the amount is negative.
    Refunded,
}

impl DealEvent {
    /// Every event, with the name that it goes by in the API.
    pub const NAMED: [(&'static str, Self); 6] = [
        ("opened", Self::Opened),
        ("won", Self::Won),
        ("amount_changed", Self::AmountChanged),
        ("reopened", Self::Reopened),
        ("lost", Self::Lost),
        ("refunded", Self::Refunded),
    ];

    /// Its public name.
    pub fn as_str(self) -> &'static str {
        Self::NAMED.iter().find(|(_, event)| *event == self).map_or("", |(name, _)| name)
    }
}

/// A name that is not an event's. Never quotes it: who shows the error names its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not what can become of a deal; use one of {names}", names = DealEvent::NAMED.map(|(name, _)| name).join(", "))]
pub struct DealEventError;

impl FromStr for DealEvent {
    type Err = DealEventError;

    fn from_str(text: &str) -> Result<Self, DealEventError> {
        let found = Self::NAMED.iter().find(|(name, _)| *name == text);
        found.map(|(_, event)| *event).ok_or(DealEventError)
    }
}

/// What became of a deal, as it was told. Never changed once it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The deal's id at its source.
    pub deal: String,
    /// What became of it.
    pub event: DealEvent,
    /// What it comes to; of a refund what was paid back, negative. Only [`DealEvent::Reopened`] and
    /// [`DealEvent::Lost`] have none.
    pub amount: Option<Money>,
    /// When it became so, Unix milliseconds.
    pub at_ms: i64,
    /// When that was recorded, Unix milliseconds.
    pub recorded_at_ms: i64,
    /// Who told it.
    pub source: Origin,
    /// By what the same entry is known when it is told again, among those of one source.
    pub reference: String,
}

/// How a deal stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DealStatus {
    /// It may yet be won.
    Open,
    /// It is won.
    Won,
    /// It is lost.
    Lost,
}

/// An entry with what it changes of the revenue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Booking<'a> {
    /// The entry.
    pub entry: &'a LedgerEntry,
    /// What it adds, negative where it takes back; nothing where revenue stays as it is.
    pub changes: Vec<Money>,
}

/// A deal as it stands, with its ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deal<'a> {
    /// Its id at its source.
    pub id: &'a str,
    /// Where it is from.
    pub source: &'a Origin,
    /// How it stands.
    pub status: DealStatus,
    /// What it comes to, refunds not counted; `None` where nobody said.
    pub amount: Option<Money>,
    /// When it was first opened, where that was told.
    pub opened_at_ms: Option<i64>,
    /// When it was won, where it was ever won; the latest time.
    pub won_at_ms: Option<i64>,
    /// The ledger in the order of its times.
    pub bookings: Vec<Booking<'a>>,
}

/// Sums by currency.
pub type Sums = BTreeMap<Currency, i64>;

impl<'a> Deal<'a> {
    /// The deals that entries in any order make, in the order of their latest entries.
    pub fn all(entries: impl IntoIterator<Item = &'a LedgerEntry>) -> Vec<Self> {
        let mut of_deal: BTreeMap<(&Origin, &str), Vec<&LedgerEntry>> = BTreeMap::new();
        for entry in entries {
            of_deal.entry((&entry.source, &entry.deal)).or_default().push(entry);
        }
        let mut deals: Vec<Self> = of_deal
            .into_iter()
            .map(|((source, id), entries)| Self::of(source, id, entries))
            .collect();
        deals.sort_by_key(Self::latest);
        deals
    }

    fn latest(&self) -> (i64, i64) {
        self.bookings.last().map_or((0, 0), |last| (last.entry.at_ms, last.entry.recorded_at_ms))
    }

    fn of(source: &'a Origin, id: &'a str, mut entries: Vec<&'a LedgerEntry>) -> Self {
        entries.sort_by_key(|entry| {
            (entry.at_ms, entry.recorded_at_ms, entry.event, entry.amount, &entry.reference)
        });
        entries.dedup_by_key(|entry| &entry.reference);
        let mut deal = Self {
            id,
            source,
            status: DealStatus::Open,
            amount: None,
            opened_at_ms: None,
            won_at_ms: None,
            bookings: Vec::with_capacity(entries.len()),
        };
        let (mut refunds, mut booked) = (Sums::new(), Sums::new());
        for entry in entries {
            let was = deal.status;
            match entry.event {
                DealEvent::Opened => {
                    deal.status = DealStatus::Open;
                    deal.opened_at_ms.get_or_insert(entry.at_ms);
                }
                DealEvent::Won => deal.status = DealStatus::Won,
                DealEvent::Reopened => deal.status = DealStatus::Open,
                DealEvent::Lost => deal.status = DealStatus::Lost,
                DealEvent::AmountChanged => {}
                DealEvent::Refunded => {
                    entry.amount.into_iter().for_each(|paid| add(&mut refunds, paid))
                }
            }
            if entry.event != DealEvent::Refunded {
                deal.amount = entry.amount.or(deal.amount);
            }
            match (was, deal.status) {
                (DealStatus::Won, DealStatus::Won) => {}
                // What is won anew is won without what was paid back before.
                (_, DealStatus::Won) => {
                    deal.won_at_ms = Some(entry.at_ms);
                    refunds.clear();
                }
                _ => {}
            }
            let mut due = Sums::new();
            if deal.status == DealStatus::Won {
                due = refunds.clone();
                deal.amount.into_iter().for_each(|amount| add(&mut due, amount));
            }
            deal.bookings.push(Booking { entry, changes: difference(&booked, &due) });
            booked = due;
        }
        deal
    }

    /// What it brings, by currency: its bookings together. Nothing where it is not won.
    pub fn revenue(&self) -> Sums {
        let mut sums = Sums::new();
        let changes = self.bookings.iter().flat_map(|booking| &booking.changes);
        changes.for_each(|change| add(&mut sums, *change));
        sums
    }

    /// Whether it was won and is not any more.
    pub fn is_reversed(&self) -> bool {
        self.won_at_ms.is_some() && self.status != DealStatus::Won
    }
}

fn add(sums: &mut Sums, money: Money) {
    let sum = sums.entry(money.currency).or_default();
    *sum = sum.saturating_add(money.minor);
}

/// What makes the second of the first.
fn difference(from: &Sums, to: &Sums) -> Vec<Money> {
    let currencies: BTreeSet<Currency> = from.keys().chain(to.keys()).copied().collect();
    let sum = |sums: &Sums, currency: Currency| sums.get(&currency).copied().unwrap_or_default();
    let change = |currency| {
        let minor = sum(to, currency).saturating_sub(sum(from, currency));
        Money { minor, currency }
    };
    currencies.into_iter().map(change).filter(|change| change.minor != 0).collect()
}

/// What a lead's deals come to, in one currency: that of the deal that was won last, of those that
/// are won; where none is, that of the latest open deal. Sums of other currencies are not in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The deals that are won, refunds taken off; `None` where none is.
    pub revenue: Option<Money>,
    /// The deals that are open; `None` where none is.
    pub open: Option<Money>,
    /// The currency of both.
    pub currency: Currency,
    /// When a deal that is won was won last, Unix milliseconds.
    pub closed_at_ms: Option<i64>,
}

impl Standing {
    /// Of deals in the order of [`Deal::all`]; `None` where none has an amount.
    pub fn of(deals: &[Deal<'_>]) -> Option<Self> {
        let won = deals.iter().filter(|deal| deal.status == DealStatus::Won);
        let open = deals.iter().filter(|deal| deal.status == DealStatus::Open);
        let last_won = won.clone().max_by_key(|deal| deal.won_at_ms);
        let named = last_won.or(open.clone().rfind(|deal| deal.amount.is_some()));
        let currency = named?.amount?.currency;
        let sum = |amounts: &mut dyn Iterator<Item = i64>| {
            let minor = amounts.reduce(i64::saturating_add)?;
            Some(Money { minor, currency })
        };
        let mut revenue = won.filter_map(|deal| deal.revenue().get(&currency).copied());
        let mut amounts = open.filter_map(|deal| deal.amount);
        let mut open = std::iter::from_fn(|| {
            amounts.find(|amount| amount.currency == currency).map(|amount| amount.minor)
        });
        Some(Self {
            revenue: sum(&mut revenue),
            open: sum(&mut open),
            currency,
            closed_at_ms: last_won.and_then(|deal| deal.won_at_ms),
        })
    }
}

#[cfg(test)]
mod tests;
