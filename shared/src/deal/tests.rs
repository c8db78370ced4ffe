//! Ledgers, and the deals that they make.

use super::*;
use proptest::prelude::*;

fn money(text: &str) -> Money {
    let (amount, code) = text.split_at(text.len() - 3);
    Money::parse(amount, code.parse().unwrap()).unwrap()
}

/// An entry as `deal event amount time`.
fn entry(reported: &str, recorded_at_ms: i64) -> LedgerEntry {
    let words: Vec<&str> = reported.split_whitespace().collect();
    let event = words[1].parse().unwrap();
    LedgerEntry {
        deal: words[0].into(),
        event,
        amount: (words.len() == 4).then(|| money(words[2])),
        at_ms: words[words.len() - 1].parse().unwrap(),
        recorded_at_ms,
        source: Origin::Api,
        reference: reported.into(),
    }
}

fn ledger(reported: &str) -> Vec<LedgerEntry> {
    let entries = reported.split(';').filter(|reported| !reported.trim().is_empty());
    (0..).zip(entries).map(|(at, reported)| entry(reported.trim(), at)).collect()
}

/// Checks a ledger of one deal: what each entry books, and the deal's status.
fn check(reported: &str, bookings: &str, status: DealStatus) {
    let entries = ledger(reported);
    let deals = Deal::all(&entries);
    let [deal] = deals.as_slice() else { panic!("{reported}: {deals:?}") };
    let booked = deal.bookings.iter().map(|booking| {
        let changes = booking.changes.iter().map(|change| change.to_string().replace(' ', ""));
        Some(changes.collect::<Vec<_>>().join("+")).filter(|text| !text.is_empty())
    });
    let booked: Vec<String> = booked.map(|text| text.unwrap_or("-".into())).collect();
    assert_eq!((booked.join(" ").as_str(), deal.status), (bookings, status), "{reported}");
}

#[test]
fn what_entries_book() {
    use DealStatus::{Lost, Open, Won};
    check("d opened 500EUR 1", "-", Open);
    check("d opened 500EUR 1; d won 1200EUR 2", "- 1200.00EUR", Won);
    check("d won 1200EUR 1; d won 1200EUR 1", "1200.00EUR", Won);
    check("d won 1200EUR 1; d won 1200EUR 5", "1200.00EUR -", Won);
    check("d won 1200EUR 1; d amount_changed 1500EUR 2", "1200.00EUR 300.00EUR", Won);
    check("d won 1200EUR 1; d amount_changed 1000EUR 2", "1200.00EUR -200.00EUR", Won);
    check("d won 1200EUR 1; d reopened 2", "1200.00EUR -1200.00EUR", Open);
    check("d won 1200EUR 1; d lost 2", "1200.00EUR -1200.00EUR", Lost);
    check("d won 1200EUR 1; d opened 900EUR 2", "1200.00EUR -1200.00EUR", Open);
    check("d won 1200EUR 1; d refunded -200EUR 2", "1200.00EUR -200.00EUR", Won);
    check(
        "d won 1200EUR 1; d refunded -200EUR 2; d lost 3",
        "1200.00EUR -200.00EUR -1000.00EUR",
        Lost,
    );
    check(
        "d won 1200EUR 1; d reopened 2; d won 1200EUR 3",
        "1200.00EUR -1200.00EUR 1200.00EUR",
        Won,
    );
    check(
        "d won 100EUR 1; d refunded -100EUR 2; d lost 3; d won 100EUR 4",
        "100.00EUR -100.00EUR - 100.00EUR",
        Won,
    );
    // late entries are put in their place
    check("d reopened 2; d won 1200EUR 1", "1200.00EUR -1200.00EUR", Open);
    // another currency
    check("d won 1200EUR 1; d amount_changed 900USD 2", "1200.00EUR -1200.00EUR+900.00USD", Won);
    // nothing to take back
    check(
        "d opened 5EUR 1; d refunded -5EUR 2; d amount_changed 6EUR 3; d lost 4",
        "- - - -",
        Lost,
    );
    check("d reopened 1", "-", Open);
    check("d won 1500JPY 1", "1500JPY", Won);
}

/// Checks a ledger: revenue, open value, currency and closing time of all its deals together.
fn check_totals(reported: &str, expected: &str) {
    let entries = ledger(reported);
    let text = |money: Option<Money>| money.map_or("-".to_owned(), Money::decimal);
    let totals = DealTotals::of(&Deal::all(&entries)).map(|totals| {
        let closed = totals.closed_at_ms.map_or("-".to_owned(), |at_ms| at_ms.to_string());
        let code = totals.currency.code().to_owned();
        [text(totals.revenue), text(totals.open), code, closed].join(" ")
    });
    assert_eq!(totals.unwrap_or_default(), expected, "{reported}");
}

#[test]
fn what_deals_come_to() {
    check_totals("", "");
    check_totals("a reopened 1", "");
    check_totals("a lost 1", "");
    check_totals("a opened 5EUR 1", "- 5.00 EUR -");
    check_totals("a opened 5EUR 1; b opened 7EUR 2; c opened 9USD 3", "- 9.00 USD -");
    check_totals("a won 5EUR 1; b won 7EUR 2; c opened 9EUR 3", "12.00 9.00 EUR 2");
    check_totals("a won 5USD 2; b won 7EUR 1; c opened 9EUR 3", "5.00 - USD 2");
    check_totals("a won 5EUR 1; a refunded -2EUR 2", "3.00 - EUR 1");
    check_totals("a won 5EUR 1; a reopened 2", "- 5.00 EUR -");
}

fn any_ledger() -> impl Strategy<Value = Vec<LedgerEntry>> {
    let amount = (0..1_000_000_i64, prop::sample::select(vec!["EUR", "JPY"]));
    let any = (prop::sample::select(vec!["a", "b"]), 0..6_usize, amount, 0..20_i64, 0..9_i64);
    let any = any.prop_map(|(deal, event, (minor, code), at_ms, recorded_at_ms)| {
        let event = DealEvent::NAMED[event].1;
        let sign = if event == DealEvent::Refunded { -1 } else { 1 };
        let amount = Money { minor: minor * sign, currency: code.parse().unwrap() };
        let amount =
            Some(amount).filter(|_| !matches!(event, DealEvent::Lost | DealEvent::Reopened));
        let reference = format!("{event:?} {amount:?} {at_ms} {recorded_at_ms}");
        let deal = deal.to_owned();
        LedgerEntry { deal, event, amount, at_ms, recorded_at_ms, source: Origin::Api, reference }
    });
    prop::collection::vec(any, 0..15)
}

proptest! {
    #[test]
    fn the_order_of_arrival_is_no_matter(
        (reported, shuffled) in any_ledger().prop_flat_map(|reported| (Just(reported.clone()), Just(reported).prop_shuffle())),
    ) {
        prop_assert_eq!(Deal::all(&reported), Deal::all(&shuffled));
        let twice = reported.iter().chain(&reported);
        prop_assert_eq!(Deal::all(twice), Deal::all(&reported));
    }

    #[test]
    fn what_is_not_won_brings_nothing(reported in any_ledger()) {
        for deal in Deal::all(&reported) {
            let sums = deal.revenue();
            if deal.status != DealStatus::Won {
                prop_assert!(sums.values().all(|sum| *sum == 0), "{sums:?}");
            } else if !reported.iter().any(|entry| entry.event == DealEvent::Refunded) {
                let amount = deal.amount.unwrap();
                prop_assert_eq!(sums.get(&amount.currency), Some(&amount.minor).filter(|minor| **minor != 0 || sums.contains_key(&amount.currency)));
                prop_assert_eq!(sums.values().filter(|sum| **sum != 0).count(), usize::from(amount.minor != 0));
            }
        }
    }

    #[test]
    fn money_is_stored_and_read(minor: i64) {
        let money = Money { minor, currency: "EUR".parse().unwrap() };
        let text = serde_json::to_string(&money).unwrap();
        prop_assert_eq!(serde_json::from_str::<Money>(&text).unwrap(), money);
    }
}
