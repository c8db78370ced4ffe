//! Deals as a CRM shows them, and the records that follow.

use super::*;

fn euros(minor: i64) -> Money {
    Money { minor, currency: "EUR".parse().unwrap() }
}

fn deal(status: DealStatus, amount: &str, changed_at_ms: i64) -> DealRecord {
    DealRecord {
        id: "777".into(),
        status,
        word: String::new(),
        stage: None,
        amount: (!amount.is_empty()).then(|| amount.to_owned()),
        currency: None,
        created_at_ms: 10,
        closed_at_ms: (status != DealStatus::Open).then_some(changed_at_ms),
        changed_at_ms,
        persons: Vec::new(),
        lead: None,
    }
}

/// Reads a deal several times; expects what each reading adds to the ledger, as `event
/// amount@time`.
fn check(looks: &[(DealRecord, &str)]) {
    let mut ledger: Vec<LedgerEntry> = Vec::new();
    for (read, expected) in looks {
        let amount = amount(read, euros(0).currency).unwrap();
        let found = steps(read, &ledger, amount, euros(0), 1_000);
        let events = found.iter().map(|(event, amount, at_ms)| {
            let amount = amount.map(|amount| format!(" {}", amount.decimal()));
            format!("{}{}@{at_ms}", event.as_str(), amount.unwrap_or_default())
        });
        assert_eq!(events.collect::<Vec<_>>().join(", "), *expected, "{read:?}");
        ledger.extend(found.into_iter().map(|(event, amount, at_ms)| LedgerEntry {
            deal: read.id.clone(),
            event,
            amount,
            at_ms,
            recorded_at_ms: at_ms,
            source: Origin::Crm("crm".into()),
            reference: format!("{} {at_ms}", event.as_str()),
        }));
        let deals = Deal::all(&ledger);
        assert_eq!(deals[0].status, read.status, "{read:?}");
        assert!(steps(read, &ledger, amount, euros(0), 1_000).is_empty(), "a second look");
    }
}

#[test]
fn each_look_adds_what_is_new() {
    use DealStatus::{Lost, Open, Won};
    check(&[
        (deal(Open, "1200", 20), "opened 1200.00@10"),
        (deal(Won, "1200", 30), "won 1200.00@30"),
        (deal(Won, "1000.5", 40), "amount_changed 1000.50@40"),
        (deal(Open, "1000.5", 50), "reopened@50"),
        (deal(Lost, "1000.5", 60), "lost@60"),
        (deal(Won, "900", 70), "won 900.00@70"),
    ]);
    // First seen when it is already won, with a closing date before its creation.
    check(&[(deal(Won, "5", 5), "opened 5.00@5, won 5.00@6")]);
    // No amount.
    check(&[
        (deal(Won, "", 20), "opened 0.00@10, won 0.00@20"),
        (deal(Won, "7", 30), "amount_changed 7.00@30"),
    ]);
    // The amount changes while the deal is reopened.
    check(&[
        (deal(Won, "5", 20), "opened 5.00@10, won 5.00@20"),
        (deal(Open, "6", 30), "reopened@30, amount_changed 6.00@31"),
    ]);
    // Won, reopened and won again on the same day: each step comes after the one before.
    check(&[
        (deal(Won, "5", 20), "opened 5.00@10, won 5.00@20"),
        (deal(Open, "5", 20), "reopened@21"),
        (deal(Won, "5", 20), "won 5.00@22"),
    ]);
    // A time in the future counts as now.
    check(&[(deal(Won, "5", 5_000), "opened 5.00@10, won 5.00@1000")]);
    // A closing date in the future: the deal was won when it changed, at the latest.
    let early = DealRecord { closed_at_ms: Some(900), ..deal(Won, "5", 20) };
    check(&[(early, "opened 5.00@10, won 5.00@20")]);
}

/// Reads deals given as `id status stage@changed`, one after the other; expects the stages of their
/// lead as `stage@time`.
fn check_stages(looks: &str, expected: &str) {
    let (mut ledger, mut stages): (Vec<LedgerEntry>, Vec<(Stage, i64)>) = Default::default();
    for look in looks.split(", ") {
        let [id, status, word] = look.split(' ').collect::<Vec<_>>()[..] else { panic!("{look}") };
        let status = match status {
            "won" => DealStatus::Won,
            "lost" => DealStatus::Lost,
            _ => DealStatus::Open,
        };
        let (word, at) = word.split_once('@').unwrap();
        let read = DealRecord {
            id: id.to_owned(),
            stage: word.parse().ok(),
            ..deal(status, "5", at.parse().unwrap())
        };
        let added = steps(&read, &ledger, Some(euros(500)), euros(0), 1_000);
        ledger.extend(added.into_iter().map(|(event, amount, at_ms)| LedgerEntry {
            deal: id.to_owned(),
            event,
            amount,
            at_ms,
            recorded_at_ms: at_ms,
            source: Origin::Crm("crm".into()),
            reference: format!("{id} {} {at_ms}", event.as_str()),
        }));
        let last = stages.last().map(|(stage, _)| *stage);
        let found = stage(&Deal::all(&ledger), Some(&read), last, 1_000);
        stages.extend(found.filter(|(stage, _)| Some(*stage) != last));
    }
    let stages = stages.iter().map(|(stage, at_ms)| format!("{}@{at_ms}", stage.as_str()));
    assert_eq!(stages.collect::<Vec<_>>().join(" "), expected, "{looks}");
}

#[test]
fn stages_by_deals() {
    check_stages("1 open -@20", "opportunity@10");
    check_stages(
        "1 open -@20, 1 won -@30, 1 open -@40",
        "opportunity@10 customer@30 opportunity@40",
    );
    // From one open stage to another.
    check_stages("1 open sql@20, 1 open sql@30, 1 open -@40", "sql@10 opportunity@40");
    // Another deal is lost.
    check_stages("2 lost -@20, 1 open sql@30, 2 lost -@30", "lost@20 sql@10");
    check_stages(
        "1 open sql@20, 2 open -@30, 2 lost -@40, 1 lost -@50",
        "sql@10 opportunity@30 lost@50",
    );
    check_stages(
        "1 won -@20, 2 open sql@30, 1 lost -@40, 2 open sql@40",
        "customer@20 opportunity@40 sql@40",
    );
}

#[test]
fn amounts() {
    let usual = euros(0).currency;
    let read = |text: &str, currency: Option<&str>| {
        let currency = currency.map(str::to_owned);
        let deal = DealRecord { currency, ..deal(DealStatus::Won, text, 1) };
        amount(&deal, usual).map(|amount| amount.map(|amount| amount.to_string()))
    };
    assert_eq!(read("1200", None), Ok(Some("1200.00 EUR".into())));
    assert_eq!(read("1200.005", Some("USD")), Ok(Some("1200.01 USD".into())));
    assert_eq!(read("", None), Ok(None));
    assert!(read("much", None).unwrap_err().to_string().contains("not an amount"));
    assert!(
        read("1", Some("euro")).unwrap_err().to_string().contains("not an ISO 4217 currency code")
    );
}
