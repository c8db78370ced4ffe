//! Deals and their revenue, derived from an append-only ledger.
//!
//! Each report about a deal is a [`LedgerEntry`]. [`Deal::all`] orders the entries of each deal and
//! books how each one changes the revenue. A deal that is reopened, lost or refunded takes revenue
//! back by a negative booking, so its bookings always add up to its revenue, and no entry is ever
//! rewritten. The same entries make the same deals, in whatever order they arrived.

use crate::lifecycle::Origin;
use crate::money::{Currency, Money};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// What an entry reports about a deal: it was `opened`, `won`, `lost` or `reopened`, its amount
/// changed (`amount_changed`), or part of it was paid back (`refunded`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum DealEvent {
    /// The deal is open; the amount is what it may bring.
    Opened,
    /// It was won with this amount.
    Won,
    /// Its amount changed; refunds are not included.
    AmountChanged,
    /// It was reopened.
    Reopened,
    /// It was lost.
    Lost,
    /// Part of it was refunded; the amount is negative.
    Refunded,
}

impl DealEvent {
    /// Every event with its name in the API.
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

/// The error of an unknown event name. It never quotes the name; the caller that shows the error
/// adds where it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an event of a deal; use one of {names}", names = DealEvent::NAMED.map(|(name, _)| name).join(", "))]
pub struct DealEventError;

impl FromStr for DealEvent {
    type Err = DealEventError;

    fn from_str(text: &str) -> Result<Self, DealEventError> {
        let found = Self::NAMED.iter().find(|(name, _)| *name == text);
        found.map(|(_, event)| *event).ok_or(DealEventError)
    }
}

/// One report about a deal. It never changes once stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The deal's id in its source system.
    pub deal: String,
    /// What was reported.
    pub event: DealEvent,
    /// The deal's amount, or for a refund the amount paid back, which is negative. Absent only for
    /// [`DealEvent::Reopened`] and [`DealEvent::Lost`].
    pub amount: Option<Money>,
    /// When it happened, Unix milliseconds.
    pub at_ms: i64,
    /// When it was recorded, Unix milliseconds.
    pub recorded_at_ms: i64,
    /// Who reported it.
    pub source: Origin,
    /// Identifies the entry within its source, so that a repeated report is recognised.
    pub reference: String,
}

/// A deal's status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum DealStatus {
    /// It may still be won.
    Open,
    /// It is won.
    Won,
    /// It is lost.
    Lost,
}

/// An entry and how it changes the revenue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Booking<'a> {
    /// The entry.
    pub entry: &'a LedgerEntry,
    /// The changes of the revenue, negative where it takes revenue back; empty if nothing changes.
    pub changes: Vec<Money>,
}

/// A deal's current state, with its ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deal<'a> {
    /// Its id in its source system.
    pub id: &'a str,
    /// Its source.
    pub source: &'a Origin,
    /// Its status.
    pub status: DealStatus,
    /// Its amount without refunds; `None` if nobody reported one.
    pub amount: Option<Money>,
    /// When it was first opened, if that was reported.
    pub opened_at_ms: Option<i64>,
    /// When it was last won, if ever.
    pub won_at_ms: Option<i64>,
    /// The ledger in time order.
    pub bookings: Vec<Booking<'a>>,
}

/// Totals by currency.
pub type Sums = BTreeMap<Currency, i64>;

impl<'a> Deal<'a> {
    /// Builds the deals from entries in any order, and sorts them by their latest entries.
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
                // A deal that is won again starts without the earlier refunds.
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

    /// The deal's revenue by currency: the sum of its bookings. Empty if it is not won.
    pub fn revenue(&self) -> Sums {
        let mut sums = Sums::new();
        let changes = self.bookings.iter().flat_map(|booking| &booking.changes);
        changes.for_each(|change| add(&mut sums, *change));
        sums
    }

    /// Whether it was won and no longer is.
    pub fn is_reversed(&self) -> bool {
        self.won_at_ms.is_some() && self.status != DealStatus::Won
    }
}

fn add(sums: &mut Sums, money: Money) {
    let sum = sums.entry(money.currency).or_default();
    *sum = sum.saturating_add(money.minor);
}

/// The changes that lead from the first totals to the second.
fn difference(from: &Sums, to: &Sums) -> Vec<Money> {
    let currencies: BTreeSet<Currency> = from.keys().chain(to.keys()).copied().collect();
    let sum = |sums: &Sums, currency: Currency| sums.get(&currency).copied().unwrap_or_default();
    let change = |currency| {
        let minor = sum(to, currency).saturating_sub(sum(from, currency));
        Money { minor, currency }
    };
    currencies.into_iter().map(change).filter(|change| change.minor != 0).collect()
}

/// The totals of a lead's deals, in one currency: that of the won deal that was won last or, if no
/// deal is won, of the latest open deal. Amounts in other currencies are not included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DealTotals {
    /// The revenue of the won deals, less refunds; `None` if there are none.
    pub revenue: Option<Money>,
    /// The sum of the open deals; `None` if there are none.
    pub open: Option<Money>,
    /// The currency of both.
    pub currency: Currency,
    /// When the last won deal was won, Unix milliseconds.
    pub closed_at_ms: Option<i64>,
}

impl DealTotals {
    /// Computes the totals of deals in the order of [`Deal::all`]; `None` if no deal has an amount.
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
