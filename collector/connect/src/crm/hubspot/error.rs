//! Interprets HubSpot's error responses.

use crate::error::CallError;
use crate::transport::Answer;
use serde_json::Value;
use shared::cut;

/// The most characters of a message from HubSpot that are shown.
const MESSAGE_CHARACTERS: usize = 500;
/// The window of the rolling limit, if no header states it.
const ROLLING_MS: i64 = 10_000;
const SECOND_MS: i64 = 1_000;
const HOUR_MS: i64 = 3_600_000;
/// The error code for a property that is not declared.
const UNKNOWN: &str = "PROPERTY_DOESNT_EXIST";

/// A refusal, classified by what the caller can do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum HubspotError {
    /// The record does not exist.
    Missing(String),
    /// Another record already has a unique value.
    Conflict(String),
    /// Anything else.
    Other(CallError),
}

impl From<HubspotError> for CallError {
    fn from(refusal: HubspotError) -> Self {
        match refusal {
            HubspotError::Missing(message) | HubspotError::Conflict(message) => {
                Self::Invalid(message)
            }
            HubspotError::Other(error) => error,
        }
    }
}

impl From<CallError> for HubspotError {
    fn from(error: CallError) -> Self {
        Self::Other(error)
    }
}

/// Checks a response. A batch succeeds or fails as a whole: an inner error makes it fail whatever
/// the status, unless the error's category is `tolerated`.
pub(super) fn judge(answer: &Answer, tolerated: &str, now_ms: i64) -> Result<(), HubspotError> {
    let body = &answer.body;
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        return match errors.iter().find(|error| error["category"] != tolerated) {
            None => Ok(()),
            Some(error) => {
                Err(refusal(error, &message_of(error).unwrap_or_else(|| answer.excerpt())))
            }
        };
    }
    let message = message_of(body).unwrap_or_else(|| answer.excerpt());
    if status == 429 {
        let until_ms = limited_until_ms(answer, now_ms);
        return Err(CallError::RateLimited { until_ms, message }.into());
    }
    if let Some(error) = answer.transient(now_ms, &message) {
        return Err(error.into());
    }
    Err(match status {
        // A missing scope can be granted, just as a token can be replaced; no lead should be lost
        // because of it.
        401 => CallError::Auth(message).into(),
        403 if body["category"] == "MISSING_SCOPES" => CallError::Auth(message).into(),
        404 => HubspotError::Missing(message),
        409 => HubspotError::Conflict(message),
        _ => refusal(body, &message),
    })
}

/// The refusal that an error object means: a response's body, or an inner error of a batch.
fn refusal(body: &Value, message: &str) -> HubspotError {
    if body["category"] == "CONFLICT" {
        return HubspotError::Conflict(message.to_owned());
    }
    let names = unknown(body);
    let message = message.to_owned();
    match names.is_empty() {
        true => CallError::Invalid(message).into(),
        false => CallError::UnknownField { names, message }.into(),
    }
}

/// The message with the correlation id, which HubSpot's support asks for.
fn message_of(body: &Value) -> Option<String> {
    let sentence = body["message"].as_str().filter(|message| !message.is_empty())?;
    // A message may end in a JSON list. Show the messages in the list.
    let sentence = match listed(sentence) {
        Some((head, parts)) => {
            let parts: Vec<&str> =
                parts.iter().filter_map(|part| part["message"].as_str()).collect();
            format!("{head}: {}", parts.join("; "))
        }
        None => sentence.to_owned(),
    };
    let sentence = cut::text(sentence, MESSAGE_CHARACTERS);
    let id = body["correlationId"].as_str().or_else(|| body["requestId"].as_str());
    Some(match id {
        Some(id) => format!("{sentence} (correlation id {})", cut::text(id.to_owned(), 64)),
        None => sentence,
    })
}

/// Splits `Property values were not valid: [{…}]` into the text and the list.
fn listed(message: &str) -> Option<(&str, Vec<Value>)> {
    let (head, list) = message.split_once(": [")?;
    let list = format!("[{list}");
    Some((head, serde_json::from_str(&list).ok()?))
}

/// The undeclared properties, from the list in the message or the one beside it.
fn unknown(body: &Value) -> Vec<String> {
    let in_message = body["message"].as_str().and_then(listed).map(|(_, parts)| parts);
    let of_message = in_message.iter().flatten().filter(|part| part["error"] == UNKNOWN);
    let beside = body["errors"].as_array().into_iter().flatten();
    let of_list = beside.filter(|part| part["code"] == UNKNOWN);
    let named = of_message
        .map(|part| &part["name"])
        .chain(of_list.map(|part| &part["context"]["propertyName"][0]));
    let mut names: Vec<String> = named.filter_map(Value::as_str).map(str::to_owned).collect();
    names.dedup();
    names
}

/// When calls are allowed again after a 429: as the header says, or as is usual for that limit.
fn limited_until_ms(answer: &Answer, now_ms: i64) -> i64 {
    if let Some(until_ms) = answer.retry_at_ms(now_ms) {
        return until_ms;
    }
    let policy = answer.body["policyName"].as_str().unwrap_or_default();
    let message = answer.body["message"].as_str().unwrap_or_default();
    match policy {
        "DAILY" => next_hour_ms(now_ms),
        "SECONDLY" => now_ms + SECOND_MS,
        "" if message.contains("reached your daily") => next_hour_ms(now_ms),
        "" if message.contains("reached your secondly") => now_ms + SECOND_MS,
        _ => now_ms + ROLLING_MS,
    }
}

/// The daily limit resets at midnight in the account's time zone, which we do not know. So we try
/// again at every full hour, which costs a call and wastes less than an hour.
fn next_hour_ms(now_ms: i64) -> i64 {
    (now_ms.div_euclid(HOUR_MS) + 1) * HOUR_MS
}

/// When calls are allowed again, if the response says that no more should be made.
pub(super) fn held_until_ms(answer: &Answer, now_ms: i64) -> Option<i64> {
    if answer.status.as_u16() == 429 {
        return Some(limited_until_ms(answer, now_ms));
    }
    let number = |name: &str| answer.header(name)?.trim().parse::<i64>().ok();
    if number("x-hubspot-ratelimit-daily-remaining") == Some(0) {
        return Some(next_hour_ms(now_ms));
    }
    let left = number("x-hubspot-ratelimit-remaining")?;
    let rolling_ms = number("x-hubspot-ratelimit-interval-milliseconds").unwrap_or(ROLLING_MS);
    (left <= 0).then(|| now_ms + rolling_ms.clamp(0, HOUR_MS))
}

#[cfg(test)]
mod tests;
