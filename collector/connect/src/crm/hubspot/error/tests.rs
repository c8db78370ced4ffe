//! HubSpot's responses, and how each is interpreted.

use super::*;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

/// 10:12:30 UTC.
const NOW_MS: i64 = 1_795_255_950_000;

fn answer(status: u16, headers: &[(&str, &str)], body: &Value) -> Answer {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        })
        .collect();
    Answer { status: status.try_into().unwrap(), headers, body: body.clone() }
}

fn check(status: u16, headers: &[(&str, &str)], body: &Value, expected: &Result<(), HubspotError>) {
    let found = judge(&answer(status, headers, body), MISSING, NOW_MS);
    assert_eq!(&found, expected, "{status} {body}");
}

const MISSING: &str = "OBJECT_NOT_FOUND";

fn invalid(message: &str) -> Result<(), HubspotError> {
    Err(CallError::Invalid(message.into()).into())
}

fn limited(until_ms: i64, message: &str) -> Result<(), HubspotError> {
    Err(CallError::RateLimited { until_ms, message: message.into() }.into())
}

fn transient(until_ms: Option<i64>, message: &str) -> Result<(), HubspotError> {
    Err(CallError::Transient { until_ms, message: message.into() }.into())
}

#[test]
fn single_answers() {
    let plain = |message: &str, category: &str| {
        json!({
            "status": "error", "message": message, "category": category, "correlationId": "c1",
        })
    };
    check(200, &[], &json!({ "id": "151" }), &Ok(()));
    check(204, &[], &Value::Null, &Ok(()));
    check(
        401,
        &[],
        &plain("Authentication credentials not found.", "INVALID_AUTHENTICATION"),
        &Err(CallError::Auth("Authentication credentials not found. (correlation id c1)".into())
            .into()),
    );
    check(
        403,
        &[],
        &plain("Missing: x", "MISSING_SCOPES"),
        &Err(CallError::Auth("Missing: x (correlation id c1)".into()).into()),
    );
    check(403, &[], &plain("no", "BANNED"), &invalid("no (correlation id c1)"));
    check(
        404,
        &[],
        &plain("Object not found", MISSING),
        &Err(HubspotError::Missing("Object not found (correlation id c1)".into())),
    );
    check(
        409,
        &[],
        &plain("Contact already exists. Existing ID: 151", "CONFLICT"),
        &Err(HubspotError::Conflict(
            "Contact already exists. Existing ID: 151 (correlation id c1)".into(),
        )),
    );
    check(400, &[], &plain("bad", "VALIDATION_ERROR"), &invalid("bad (correlation id c1)"));
    check(400, &[], &json!("<html>"), &invalid("<html>"));
    check(502, &[], &json!("told to fail"), &transient(None, "502: told to fail"));
    check(
        477,
        &[("retry-after", "120")],
        &plain("moving", "MIGRATION_IN_PROGRESS"),
        &transient(Some(NOW_MS + 120_000), "477: moving (correlation id c1)"),
    );
    check(302, &[], &Value::Null, &invalid(""));
}

#[test]
fn limits() {
    let body = |message: &str, policy: &str| json!({ "message": message, "policyName": policy });
    let daily = "You have reached your daily limit.";
    check(429, &[], &body("x", "TEN_SECONDLY_ROLLING"), &limited(NOW_MS + 10_000, "x"));
    check(429, &[], &body("x", "SECONDLY"), &limited(NOW_MS + 1_000, "x"));
    // 11:00, because the time zone of the account's midnight is not known.
    check(429, &[], &body("x", "DAILY"), &limited(1_795_258_800_000, "x"));
    check(429, &[], &json!({ "message": daily }), &limited(1_795_258_800_000, daily));
    let secondly = "You have reached your secondly limit.";
    check(429, &[], &json!({ "message": secondly }), &limited(NOW_MS + 1_000, secondly));
    let rolling = "You have reached your ten_secondly_rolling limit.";
    check(429, &[], &json!({ "message": rolling }), &limited(NOW_MS + 10_000, rolling));
    check(429, &[("retry-after", "7")], &body("x", "DAILY"), &limited(NOW_MS + 7_000, "x"));
    check(429, &[], &Value::Null, &limited(NOW_MS + 10_000, ""));
    for (status, headers, expected) in [
        (200, &[("x-hubspot-ratelimit-remaining", "1")][..], None),
        (200, &[("x-hubspot-ratelimit-remaining", "0")], Some(NOW_MS + 10_000)),
        (
            200,
            &[
                ("x-hubspot-ratelimit-remaining", "0"),
                ("x-hubspot-ratelimit-interval-milliseconds", "5000"),
            ],
            Some(NOW_MS + 5_000),
        ),
        (
            200,
            &[("x-hubspot-ratelimit-remaining", "9"), ("x-hubspot-ratelimit-daily-remaining", "0")],
            Some(1_795_258_800_000),
        ),
        (200, &[("x-hubspot-ratelimit-remaining", "none")], None),
        (429, &[("retry-after", "3")], Some(NOW_MS + 3_000)),
        (200, &[], None),
    ] {
        let found = held_until_ms(&answer(status, headers, &Value::Null), NOW_MS);
        assert_eq!(found, expected, "{headers:?}");
    }
}

#[test]
fn unknown_properties() {
    let part = |name: &str, code: &str| {
        let message = format!("{name} is wrong");
        json!({ "isValid": false, "message": message, "error": code, "name": name })
    };
    let body = |parts: &[Value]| {
        let message = format!("Property values were not valid: {}", json!(parts));
        json!({ "message": message, "category": "VALIDATION_ERROR", "correlationId": "c1" })
    };
    check(
        400,
        &[],
        &body(&[part("clew_a", UNKNOWN), part("email", "INVALID_EMAIL"), part("clew_b", UNKNOWN)]),
        &Err(CallError::UnknownField {
            names: vec!["clew_a".into(), "clew_b".into()],
            message: "Property values were not valid: clew_a is wrong; email is wrong; clew_b is \
                wrong (correlation id c1)"
                .into(),
        }
        .into()),
    );
    check(
        400,
        &[],
        &body(&[part("email", "INVALID_EMAIL")]),
        &invalid("Property values were not valid: email is wrong (correlation id c1)"),
    );
    check(
        400,
        &[],
        &json!({ "message": "no", "errors": [
            { "message": "no", "code": UNKNOWN, "context": { "propertyName": ["clew_a"] } },
        ]}),
        &Err(CallError::UnknownField { names: vec!["clew_a".into()], message: "no".into() }.into()),
    );
    // A list that is not valid JSON stays part of the message.
    check(400, &[], &json!({ "message": "odd: [{]" }), &invalid("odd: [{]"));
    let long = "x".repeat(9_000);
    check(
        400,
        &[],
        &json!({ "message": long, "correlationId": long }),
        &invalid(&format!("{}… (correlation id {}…)", &long[..499], &long[..63])),
    );
}

#[test]
fn inner_errors_are_errors() {
    let batch = |errors: Value| json!({ "status": "COMPLETE", "results": [], "errors": errors });
    let part = |category: &str| json!({ "category": category, "message": "m", "status": "error" });
    for status in [200, 201, 207] {
        check(status, &[], &batch(json!([])), &Ok(()));
        check(status, &[], &batch(json!([part(MISSING)])), &Ok(()));
        check(status, &[], &batch(json!([part(MISSING), part("OTHER")])), &invalid("m"));
        check(
            status,
            &[],
            &batch(json!([part("CONFLICT")])),
            &Err(HubspotError::Conflict("m".into())),
        );
    }
}
