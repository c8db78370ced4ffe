//! Parses the members of a report into types that admit only valid values. Errors name the member
//! and never quote its value.

use super::error::{FeedbackError, invalid};
use clew_core::json;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::deal::DealEvent;
use shared::limits;
use shared::money::Money;
use shared::time::parse_rfc3339;

pub(super) fn read<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, FeedbackError> {
    json::read(body)
        .map_err(|error| FeedbackError::Malformed(format!("The body is not a {what}: {error}")))
}

/// A string of at most `most` bytes; `None` if it is empty.
pub(super) fn text(
    member: &str,
    value: Option<&str>,
    most: usize,
) -> Result<Option<String>, FeedbackError> {
    let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    if value.len() > most {
        return Err(invalid(member, format!("it is longer than {most} bytes")));
    }
    match value.chars().any(char::is_control) {
        true => Err(invalid(member, "it contains control characters")),
        false => Ok(Some(value.to_owned())),
    }
}

pub(super) fn reference(
    written: Option<&str>,
    key: Option<&str>,
) -> Result<Option<String>, FeedbackError> {
    match text("reference", written, limits::IDEMPOTENCY_KEY_BYTES)? {
        Some(written) => Ok(Some(written)),
        None => text("Idempotency-Key", key, limits::IDEMPOTENCY_KEY_BYTES),
    }
}

/// Parses the time of a member; it has to lie in the past and not too far back.
pub(super) fn time(
    member: &str,
    at: Option<&str>,
    now_ms: i64,
) -> Result<Option<i64>, FeedbackError> {
    let Some(at) = at else { return Ok(None) };
    bounded(member, parse_rfc3339(at).ok_or_else(|| no_time(member))?, now_ms).map(Some)
}

pub(super) fn no_time(member: &str) -> FeedbackError {
    invalid(member, "it is not a valid time, such as 2026-11-21T09:00:00Z")
}

/// Checks that a time is neither in the future nor too old.
pub(super) fn bounded(member: &str, at_ms: i64, now_ms: i64) -> Result<i64, FeedbackError> {
    if at_ms > now_ms + limits::EVENT_AHEAD_MS {
        return Err(invalid(member, "it is in the future"));
    }
    match at_ms < now_ms - limits::RECORD_AGE_MS {
        true => Err(invalid(member, "it is more than 20 years ago")),
        false => Ok(at_ms),
    }
}

/// Parses `provider:type:id`, such as `hubspot:contact:151`.
pub(super) fn crm_record(written: &str) -> Result<String, FeedbackError> {
    let wrong = || invalid("crm", "it should be provider:type:id, such as hubspot:contact:151");
    let record = text("crm", Some(written), limits::IDEMPOTENCY_KEY_BYTES)?.ok_or_else(wrong)?;
    let parts: Vec<&str> = record.splitn(3, ':').collect();
    match parts.len() == 3 && parts.iter().all(|part| !part.is_empty()) {
        true => Ok(record),
        false => Err(wrong()),
    }
}

/// The amount of a deal's event; the amount of a refund is negative. `None` if the event has no
/// amount.
pub(super) fn amount(
    event: DealEvent,
    amount: Option<&Value>,
    currency: Option<&str>,
) -> Result<Option<Money>, FeedbackError> {
    if matches!(event, DealEvent::Reopened | DealEvent::Lost) {
        return Ok(None);
    }
    let written = match amount {
        Some(Value::String(written)) => written.trim(),
        Some(Value::Null) | None => {
            return Err(invalid("amount", format!("`{}` needs an amount", event.as_str())));
        }
        Some(_) => {
            let why = "it should be a string such as \"1200.00\"; a number may have been rounded";
            return Err(invalid("amount", why));
        }
    };
    let currency =
        currency.ok_or_else(|| invalid("currency", "an amount needs a currency, such as EUR"))?;
    let currency = currency.trim().parse().map_err(|error| invalid("currency", error))?;
    let mut money = Money::parse(written, currency).map_err(|error| invalid("amount", error))?;
    match event {
        DealEvent::Refunded if money.minor > 0 => money.minor = -money.minor,
        DealEvent::Refunded => {
            return Err(invalid("amount", "for a refund, give the amount paid back, above 0"));
        }
        _ if money.minor < 0 => {
            let why = "it is below 0; report a refund as `refunded`";
            return Err(invalid("amount", why));
        }
        _ => {}
    }
    Ok(Some(money))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn as_text<T>(result: Result<T, FeedbackError>) -> Result<T, String> {
        result.map_err(|error| error.to_string())
    }

    /// Expects minor units, or a part of the error.
    fn check_amount(
        event: DealEvent,
        written: &Value,
        currency: &str,
        expected: Result<Option<i64>, &str>,
    ) {
        let found = as_text(amount(event, Some(written), Some(currency)));
        match (found.map(|money| money.map(|money| money.minor)), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{written}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
            other => panic!("{written}: {other:?}"),
        }
    }

    #[test]
    fn amounts() {
        use DealEvent::{Lost, Opened, Refunded, Won};
        check_amount(Won, &json!("1200.00"), "EUR", Ok(Some(120_000)));
        check_amount(Won, &json!("1200"), "jpy", Ok(Some(1_200)));
        check_amount(Opened, &json!("0"), "EUR", Ok(Some(0)));
        check_amount(Refunded, &json!("5"), "EUR", Ok(Some(-500)));
        check_amount(Lost, &json!(5), "?", Ok(None));
        check_amount(Won, &json!(1200.0), "EUR", Err("amount: it should be a string"));
        check_amount(Won, &json!(1200), "EUR", Err("amount: it should be a string"));
        check_amount(Won, &Value::Null, "EUR", Err("amount: `won` needs an amount"));
        check_amount(Won, &json!("-5"), "EUR", Err("amount: it is below 0"));
        check_amount(Refunded, &json!("-5"), "EUR", Err("paid back, above 0"));
        check_amount(Refunded, &json!("0"), "EUR", Err("paid back, above 0"));
        check_amount(Won, &json!("1.234"), "EUR", Err("too many decimals: EUR has"));
        check_amount(Won, &json!("1,2"), "EUR", Err("amount: not an amount"));
        check_amount(Won, &json!("1"), "EURO", Err("currency: not an ISO 4217 currency code"));
    }

    #[test]
    fn times_and_names() {
        let now_ms = parse_rfc3339("2026-11-21T10:00:00Z").unwrap();
        let at = |at| as_text(time("at", Some(at), now_ms));
        assert_eq!(at("2026-11-21T11:00:00+01:00"), Ok(Some(now_ms)));
        assert!(at("2026-11-21T12:00:00Z").unwrap_err().contains("in the future"));
        assert!(at("1990-01-01T00:00:00Z").unwrap_err().contains("more than 20 years ago"));
        assert!(at("soon").unwrap_err().contains("it is not a valid time"));
        assert_eq!(as_text(crm_record(" hubspot:contact:151 ")), Ok("hubspot:contact:151".into()));
        for wrong in ["", "hubspot", "hubspot:151", "hubspot::151", "a:b:c\nd"] {
            assert!(crm_record(wrong).is_err(), "{wrong}");
        }
        assert_eq!(as_text(reference(Some(" "), Some("key"))), Ok(Some("key".into())));
        assert!(reference(Some(&"x".repeat(256)), None).is_err());
    }
}
