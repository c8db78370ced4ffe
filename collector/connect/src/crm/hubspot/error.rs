//! What HubSpot's refusals mean.

use crate::error::CallError;
use crate::transport::Answer;
use serde_json::Value;
use shared::cut;

/// The longest sentence of the vendor's that is shown.
const TOLD_CHARACTERS: usize = 500;
/// How long the rolling limit looks back, where no header says it.
const ROLLING_MS: i64 = 10_000;
const SECOND_MS: i64 = 1_000;
const HOUR_MS: i64 = 3_600_000;
/// The code of a property that is not declared.
const UNKNOWN: &str = "PROPERTY_DOESNT_EXIST";

/// A no, by what the caller may make of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// There is no such record.
    Missing(String),
    /// Another record has a value that is unique.
    Conflict(String),
    /// Everything else.
    Other(CallError),
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing(message) | Refusal::Conflict(message) => Self::Invalid(message),
            Refusal::Other(error) => error,
        }
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Self::Other(error)
    }
}

/// Judges an answer. A batch is one whole: an inner error refuses it, whatever the status, unless it
/// is of the category that is tolerated.
pub(super) fn judge(answer: &Answer, tolerated: &str, now_ms: i64) -> Result<(), Refusal> {
    let body = &answer.body;
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        return match errors.iter().find(|error| error["category"] != tolerated) {
            None => Ok(()),
            Some(error) => Err(refusal(error, &told(error).unwrap_or_else(|| answer.excerpt()))),
        };
    }
    let message = told(body).unwrap_or_else(|| answer.excerpt());
    if status == 429 {
        let until_ms = limited_until_ms(answer, now_ms);
        return Err(CallError::RateLimited { until_ms, message }.into());
    }
    if let Some(error) = answer.transient(now_ms, &message) {
        return Err(error.into());
    }
    Err(match status {
        // A scope that is missing is given by somebody, as a token is; no lead should die of it.
        401 => CallError::Auth(message).into(),
        403 if body["category"] == "MISSING_SCOPES" => CallError::Auth(message).into(),
        404 => Refusal::Missing(message),
        409 => Refusal::Conflict(message),
        _ => refusal(body, &message),
    })
}

/// A refusal by what its body says, which may be a part of a batch's.
fn refusal(body: &Value, message: &str) -> Refusal {
    if body["category"] == "CONFLICT" {
        return Refusal::Conflict(message.to_owned());
    }
    let names = unknown(body);
    let message = message.to_owned();
    match names.is_empty() {
        true => CallError::Invalid(message).into(),
        false => CallError::UnknownField { names, message }.into(),
    }
}

/// The vendor's sentence, with the id that its support asks for.
fn told(body: &Value) -> Option<String> {
    let sentence = body["message"].as_str().filter(|message| !message.is_empty())?;
    // A sentence that ends in a list is told by what stands in the list.
    let sentence = match listed(sentence) {
        Some((head, parts)) => {
            let parts: Vec<&str> =
                parts.iter().filter_map(|part| part["message"].as_str()).collect();
            format!("{head}: {}", parts.join("; "))
        }
        None => sentence.to_owned(),
    };
    let sentence = cut::text(sentence, TOLD_CHARACTERS);
    let id = body["correlationId"].as_str().or_else(|| body["requestId"].as_str());
    Some(match id {
        Some(id) => format!("{sentence} (correlation id {})", cut::text(id.to_owned(), 64)),
        None => sentence,
    })
}

/// `Property values were not valid: [{…}]`, divided.
fn listed(message: &str) -> Option<(&str, Vec<Value>)> {
    let (head, list) = message.split_once(": [")?;
    let list = format!("[{list}");
    Some((head, serde_json::from_str(&list).ok()?))
}

/// The properties that are not declared, by the list in the message or by the list beside it.
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

/// Until when a 429 forbids calls: what the header says, else what is usual for the limit's name.
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

/// The day's limit ends at midnight in the account's time zone, which we are not told. So we ask each
/// full hour, which costs a call and oversleeps nowhere by more than an hour.
fn next_hour_ms(now_ms: i64) -> i64 {
    (now_ms.div_euclid(HOUR_MS) + 1) * HOUR_MS
}

/// Until when the answer says that nothing more should be asked.
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
