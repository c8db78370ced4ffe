//! Bodies in the formats of several tools, and the records they become.

use super::*;
use crate::config::InboundConfig;
use clew_core::Quiet;
use serde_json::json;
use shared::time::{parse_rfc3339, rfc3339};

fn inbound() -> Inbound {
    let config: InboundConfig = serde_json::from_value(json!({
        "name": "zap", "site": "demo", "currency": "EUR",
        "stages": { "Demo booked": "sql", "Closed Won": "customer" },
    }))
    .unwrap();
    Inbound { config, keys: None, refused: Quiet::default() }
}

fn read(body: &Value, id: Option<&str>) -> Result<(Vec<Record>, Vec<String>), FeedbackError> {
    let now_ms = parse_rfc3339("2026-11-21T10:00:00Z").unwrap();
    let (report, inbound) = (InboundReport::read(body.to_string().as_bytes())?, inbound());
    let records = report.records(&inbound, id, now_ms)?;
    let crm = report.crm_record(&inbound)?;
    let keys = report.keys(&records, crm.as_deref())?;
    Ok((records, keys.iter().map(LeadKey::to_string).collect()))
}

/// A body's records as text: `stage to at reference`, `deal id event amount at reference`, and the
/// keys by which the lead is looked up.
fn check(body: &Value, expected: &[&str]) {
    let shown = body.to_string();
    let (records, names) =
        read(body, Some("msg_1")).unwrap_or_else(|error| panic!("{shown}: {error}"));
    let mut found: Vec<String> = records
        .iter()
        .map(|record| match record {
            Record::Stage(StageChange { to, entered_at_ms, by, reason, reference, .. }) => {
                assert_eq!(by.to_string(), "crm:zap");
                let reason = reason.as_deref().unwrap_or("-");
                format!("stage {} {} {reason} {reference}", to.as_str(), rfc3339(*entered_at_ms))
            }
            Record::Deal(LedgerEntry { deal, event, amount, at_ms, reference, .. }) => {
                let amount = amount.map_or("-".into(), |amount| amount.to_string());
                let at = rfc3339(*at_ms);
                format!("deal {deal} {} {amount} {at} {reference}", event.as_str())
            }
            Record::Link(_) => "link".into(),
        })
        .collect();
    found.extend(names.into_iter().filter(|name| !name.starts_with("deal:")));
    assert_eq!(found, expected, "{shown}");
}

fn check_refused(body: &Value, id: Option<&str>, part: &str) {
    let shown = body.to_string();
    let error = read(body, id).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains(part), "{shown}: {error}");
}

#[test]
fn every_name_of_every_member() {
    for (member, names) in NAMES {
        assert_eq!(plain_name(member), names[0], "our own name comes first");
        for name in names {
            let report = InboundReport::read(json!({ *name: "x" }).to_string().as_bytes()).unwrap();
            assert_eq!(report.text(member, 9).unwrap().as_deref(), Some("x"), "{name}");
        }
    }
}

/// References are built from times, and a repeat must have the same reference.
#[test]
fn times_count_to_the_second() {
    let records = |at: &str| {
        let body = json!({
            "email": "a@example.com", "stage": "sql", "deal_id": "D-1", "status": "lost",
            "occurred_at": at,
        });
        read(&body, None).unwrap().0
    };
    assert_eq!(records("2026-11-21T09:00:00.123Z"), records("2026-11-21T09:00:00Z"));
    assert_ne!(records("2026-11-21T09:00:01Z"), records("2026-11-21T09:00:00Z"));
}

#[test]
fn bodies_in_our_words() {
    check(
        &json!({
            "email": "lead@example.com", "lead_id": null, "crm_record_id": "x", "stage": "sql",
            "deal_id": "D-1", "amount": "1200.00", "currency": "USD", "status": "won",
            "occurred_at": "2026-11-21T09:00:00Z", "event_id": "e1",
        }),
        &[
            "stage sql 2026-11-21T09:00:00Z - e1",
            "deal D-1 won 1200.00 USD 2026-11-21T09:00:00Z e1",
            "crm:zap:record:x",
            "email:lead@example.com",
        ],
    );
    check(
        &json!({ "crm_record_id": "hubspot:contact:151", "stage": "MQL", "reason": "rang" }),
        &["stage mql 2026-11-21T10:00:00Z rang msg_1", "crm:hubspot:contact:151"],
    );
    check(
        &json!({ "phone": "+33 1 42 68 53 00", "stage": "demo BOOKED", "amount": "" }),
        &["stage sql 2026-11-21T10:00:00Z - msg_1", "phone:+33 1 42 68 53 00"],
    );
    check(
        &json!({ "deal_id": "D-1", "status": "lost", "amount": "5" }),
        &["deal D-1 lost - 2026-11-21T10:00:00Z msg_1"],
    );
    check(
        &json!({ "deal_id": 7, "status": "open", "amount": 12.5 }),
        &["deal 7 opened 12.50 EUR 2026-11-21T10:00:00Z msg_1"],
    );
    check(
        &json!({ "deal_id": "D-1", "status": "Open" }),
        &["deal D-1 reopened - 2026-11-21T10:00:00Z msg_1"],
    );
    check(
        &json!({ "amount": "5", "lead_id": "0197a2b4-0000-7000-8000-000000000000" }),
        &[
            "deal msg_1 won 5.00 EUR 2026-11-21T10:00:00Z msg_1",
            "0197a2b4-0000-7000-8000-000000000000",
        ],
    );
}

/// Webhooks set up for Ruler.
#[test]
fn bodies_in_rulers_words() {
    check(
        &json!({ "email": "a@example.com", "label": "Demo", "stage": "opportunity", "value": 900, "date": "2026-11-20", "key": "K-1" }),
        &[
            "stage opportunity 2026-11-20T00:00:00Z Demo msg_1",
            "deal K-1 opened 900.00 EUR 2026-11-20T00:00:00Z msg_1",
            "email:a@example.com",
        ],
    );
    check(
        &json!({ "phone": "0142685300", "label": "Sale", "value": "49.90", "date": "2026-11-20 08:30:00", "transaction": "T-1" }),
        &["deal T-1 won 49.90 EUR 2026-11-20T08:30:00Z msg_1", "phone:0142685300"],
    );
    check(
        &json!({
            "OpportunityValue": 1000, "OpportunityDateTime": "2026-11-20T08:30:00Z", "PipelineStage": "Closed Won",
            "CurrencyCode": "GBP", "Labels": ["a"], "Reference": "R-1",
            "VisitorIdentifierOptions": [{ "Key": "EmailAddress", "Value": "a@example.com" }, { "Key": "RaId", "Value": "x" }],
        }),
        &[
            "stage customer 2026-11-20T08:30:00Z - msg_1",
            "deal R-1 won 1000.00 GBP 2026-11-20T08:30:00Z msg_1",
            "email:a@example.com",
        ],
    );
    check(
        &json!({
            "CurrencyCode": "EUR", "Value": 10, "RevenueClosedDate": "2026-11-19", "Reference": "R-1", "stage": "sql",
            "VisitorIdentifierOptions": [{ "Key": "PhoneNumber", "Value": "+33142685300" }],
        }),
        &[
            "stage sql 2026-11-19T00:00:00Z - msg_1",
            "deal R-1 won 10.00 EUR 2026-11-19T00:00:00Z msg_1",
            "phone:+33142685300",
        ],
    );
}

#[test]
fn bodies_that_are_refused() {
    let id = Some("msg_1");
    check_refused(&json!([]), id, "not a JSON object");
    check_refused(&json!({ "email": "a@example.com" }), id, "neither a stage (`stage`) nor a deal");
    check_refused(&json!({ "stage": "hot" }), id, "map it in [inbound.stages] of `zap`");
    check_refused(&json!({ "stage": "anonymous" }), id, "stage: a lead is identified");
    check_refused(&json!({ "stage": ["sql"] }), id, "stage: it should be a string or a number");
    check_refused(&json!({ "status": "maybe" }), id, "status: not a status");
    check_refused(&json!({ "status": "won", "deal_id": "D" }), id, "amount: `won` needs an amount");
    check_refused(&json!({ "amount": "1,200.00" }), id, "amount: not an amount");
    check_refused(&json!({ "amount": 1.005 }), id, "too many decimals: EUR has");
    check_refused(
        &json!({ "amount": "5", "currency": "EURO" }),
        id,
        "currency: not an ISO 4217 currency code",
    );
    check_refused(
        &json!({ "amount": "5" }),
        None,
        "deal_id: a deal needs a deal_id or an event_id",
    );
    check_refused(
        &json!({ "stage": "sql", "date": "soon" }),
        id,
        "occurred_at: it is not a valid time",
    );
    check_refused(
        &json!({ "stage": "sql", "date": "2027-01-01" }),
        id,
        "occurred_at: it is in the future",
    );
}
