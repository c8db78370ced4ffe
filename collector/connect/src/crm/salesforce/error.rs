//! Interprets Salesforce's error responses: arrays of `{"message", "errorCode", "fields"}`.

use crate::crm::record::RecordRef;
use crate::error::CallError;
use crate::transport::Answer;
use serde_json::Value;

/// How long to wait when the daily calls are used up. They become available again one by one over
/// 24 hours, and no header says when.
pub(super) const DAY_USED_UP_MS: i64 = 15 * 60_000;
/// How long to wait after too many concurrent long-running calls.
pub(super) const BUSY_MS: i64 = 5_000;
/// The most characters of a message that are shown.
const MESSAGE_CHARACTERS: usize = 500;

/// Why a step failed. Another step can recover from some of these.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum SalesforceError {
    /// The record was deleted or converted.
    Gone(String),
    /// The record to create already exists.
    Exists {
        /// The existing record, if it is known.
        record: Option<RecordRef>,
        /// The message.
        message: String,
    },
    /// These fields are restricted to a list of values that does not contain the value.
    NotListed {
        /// The fields.
        fields: Vec<String>,
        /// The message.
        message: String,
    },
    /// Nothing that the adapter can recover from.
    Other(CallError),
}

impl From<CallError> for SalesforceError {
    fn from(error: CallError) -> Self {
        Self::Other(error)
    }
}

impl From<SalesforceError> for CallError {
    fn from(failure: SalesforceError) -> Self {
        match failure {
            SalesforceError::Gone(message)
            | SalesforceError::Exists { message, .. }
            | SalesforceError::NotListed { message, .. } => Self::Invalid(message),
            SalesforceError::Other(error) => error,
        }
    }
}

/// The error for a successful response that lacks something.
pub(super) fn incomplete_response(what: &str) -> SalesforceError {
    let message = format!("Salesforce's response has no {what}");
    SalesforceError::Other(CallError::Transient { until_ms: None, message })
}

/// A part of a composite response, as a response of its own.
pub(super) fn part(part: &Value) -> Result<Answer, SalesforceError> {
    let status = part["httpStatusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let inner = status.and_then(|status| Answer::inner(status, part["body"].clone()));
    inner.ok_or_else(|| incomplete_response("status of a part"))
}

/// The body of a successful response, or the failure.
pub(super) fn judge(answer: Answer, now_ms: i64) -> Result<Value, SalesforceError> {
    if answer.status.is_success() && answer.body["success"] != false {
        return Ok(answer.body);
    }
    let part = Part::first(&answer.body);
    let message = part.describe(&answer);
    let status = answer.status.as_u16();
    let limited = |after_ms: i64| {
        let until_ms = answer.retry_at_ms(now_ms).unwrap_or(now_ms + after_ms);
        SalesforceError::Other(CallError::RateLimited { until_ms, message: message.clone() })
    };
    Err(match (status, part.code) {
        (300, _) => SalesforceError::Exists { record: listed(&answer.body), message },
        (_, "REQUEST_LIMIT_EXCEEDED") if message.contains("Concurrent") => limited(BUSY_MS),
        (_, "REQUEST_LIMIT_EXCEEDED") => limited(DAY_USED_UP_MS),
        (429, _) => limited(BUSY_MS),
        (401, _)
        | (_, "INVALID_SESSION_ID" | "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED") => {
            SalesforceError::Other(CallError::Auth(message))
        }
        (_, "UNABLE_TO_LOCK_ROW" | "SERVER_UNAVAILABLE" | "QUERY_TIMEOUT") => {
            let until_ms = answer.retry_at_ms(now_ms);
            SalesforceError::Other(CallError::Transient { until_ms, message })
        }
        (_, "INVALID_FIELD" | "INVALID_FIELD_FOR_INSERT_UPDATE") => {
            let names = part.columns();
            SalesforceError::Other(CallError::UnknownField { names, message })
        }
        (_, "DUPLICATES_DETECTED") => {
            SalesforceError::Exists { record: matched(&answer.body), message }
        }
        (_, "DUPLICATE_VALUE" | "DUPLICATE_EXTERNAL_ID" | "DUPLICATE_DEVELOPER_NAME") => {
            SalesforceError::Exists { record: None, message }
        }
        // The last two are also returned for a reference to a record that does not exist.
        (404, _)
        | (
            _,
            "ENTITY_IS_DELETED"
            | "CANNOT_UPDATE_CONVERTED_LEAD"
            | "INVALID_CROSS_REFERENCE_KEY"
            | "MALFORMED_ID",
        ) => SalesforceError::Gone(message),
        (_, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST") => {
            SalesforceError::NotListed { fields: part.fields(), message }
        }
        _ => SalesforceError::Other(match answer.transient(now_ms, "") {
            Some(_) => CallError::Transient { until_ms: answer.retry_at_ms(now_ms), message },
            None => CallError::Invalid(message),
        }),
    })
}

/// The first error in a body.
struct Part<'a> {
    whole: &'a Value,
    code: &'a str,
    message: &'a str,
}

impl<'a> Part<'a> {
    fn first(body: &'a Value) -> Self {
        let list = if body.is_array() { body } else { &body["errors"] };
        let whole = &list[0];
        // In collections and in `errors`, the code is called `statusCode`.
        let code = whole["errorCode"].as_str().or(whole["statusCode"].as_str());
        let message = whole["message"].as_str().unwrap_or_default();
        Self { whole, code: code.unwrap_or_default(), message }
    }

    /// The message, with the request id that Salesforce's support asks for.
    fn describe(&self, answer: &Answer) -> String {
        let status = answer.status.as_u16();
        let mut text = format!("Salesforce {status}");
        match self.code {
            "" => {}
            code => text.extend([" ", code]),
        }
        if !self.message.is_empty() {
            text.push_str(": ");
            text.extend(self.message.trim().chars().take(MESSAGE_CHARACTERS));
        }
        let fields = self.fields();
        if !fields.is_empty() {
            text.extend([" (", &fields.join(", "), ")"]);
        }
        if let Some(request) = answer.header("x-sfdc-request-id") {
            text.extend([" [request ", request, "]"]);
        }
        text
    }

    fn fields(&self) -> Vec<String> {
        let fields = self.whole["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
        fields.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect()
    }

    /// The columns that do not exist. Errors of queries contain only the first, and only in the
    /// message.
    fn columns(&self) -> Vec<String> {
        let fields = self.fields();
        if !fields.is_empty() {
            return fields;
        }
        let begun = self.message.split_once("No such column '");
        let name = begun.and_then(|(_, rest)| rest.split_once('\''));
        name.map(|(name, _)| name.to_owned()).into_iter().collect()
    }
}

/// The first record that a 300 response lists by its URL.
fn listed(body: &Value) -> Option<RecordRef> {
    let mut parts = body[0].as_str()?.rsplit('/');
    let (id, object) = (parts.next()?, parts.next()?);
    Some(RecordRef { object: object.to_owned(), id: id.to_owned() })
}

/// The first person among the records that a duplicate rule matched.
fn matched(body: &Value) -> Option<RecordRef> {
    let results = body[0]["duplicateResult"]["matchResults"].as_array()?.iter();
    let mut records = results.flat_map(|result| result["matchRecords"].as_array()).flatten();
    records.find_map(|matched| {
        let record = &matched["record"];
        let object = record["attributes"]["type"].as_str()?;
        let id = record["Id"].as_str()?.to_owned();
        matches!(object, "Lead" | "Contact").then(|| RecordRef { object: object.to_owned(), id })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(status: u16, body: &Value, expected: &SalesforceError) {
        let answer = Answer::inner(status, body.clone()).unwrap();
        assert_eq!(&judge(answer, 1_000).unwrap_err(), expected, "{status} {body}");
    }

    fn part(code: &str, message: &str, fields: &[&str]) -> Value {
        json!([{ "errorCode": code, "message": message, "fields": fields }])
    }

    fn record(object: &str, id: &str) -> RecordRef {
        RecordRef { object: object.into(), id: id.into() }
    }

    #[test]
    fn refusals() {
        let limited = |until_ms, message: &str| {
            SalesforceError::Other(CallError::RateLimited { until_ms, message: message.into() })
        };
        let transient = |message: &str| {
            SalesforceError::Other(CallError::Transient { until_ms: None, message: message.into() })
        };
        let unknown = |names: &[&str], message: &str| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            SalesforceError::Other(CallError::UnknownField { names, message: message.into() })
        };
        let auth = |message: &str| SalesforceError::Other(CallError::Auth(message.into()));
        let invalid = |message: &str| SalesforceError::Other(CallError::Invalid(message.into()));
        let exists =
            |record, message: &str| SalesforceError::Exists { record, message: message.to_owned() };
        for (status, body, expected) in [
            (
                401,
                part("INVALID_SESSION_ID", "Session expired or invalid", &[]),
                auth("Salesforce 401 INVALID_SESSION_ID: Session expired or invalid"),
            ),
            (
                403,
                part("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", &[]),
                limited(
                    901_000,
                    "Salesforce 403 REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded.",
                ),
            ),
            (
                403,
                part("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", &[]),
                limited(
                    6_000,
                    "Salesforce 403 REQUEST_LIMIT_EXCEEDED: ConcurrentPerOrgLongTxn Limit exceeded.",
                ),
            ),
            (429, json!(null), limited(6_000, "Salesforce 429")),
            (
                403,
                part("INSUFFICIENT_ACCESS", "no", &[]),
                invalid("Salesforce 403 INSUFFICIENT_ACCESS: no"),
            ),
            (
                400,
                part("UNABLE_TO_LOCK_ROW", "busy", &[]),
                transient("Salesforce 400 UNABLE_TO_LOCK_ROW: busy"),
            ),
            (
                503,
                part("SERVER_UNAVAILABLE", "x", &[]),
                transient("Salesforce 503 SERVER_UNAVAILABLE: x"),
            ),
            (502, json!("<html>"), transient("Salesforce 502")),
            (
                400,
                part(
                    "INVALID_FIELD",
                    "\nERROR at Row:1\nNo such column 'Clew_X__c' on entity 'Lead'.",
                    &[],
                ),
                unknown(
                    &["Clew_X__c"],
                    "Salesforce 400 INVALID_FIELD: ERROR at Row:1\nNo such column 'Clew_X__c' on entity 'Lead'.",
                ),
            ),
            (
                400,
                part("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable", &["A__c", "B__c"]),
                unknown(
                    &["A__c", "B__c"],
                    "Salesforce 400 INVALID_FIELD_FOR_INSERT_UPDATE: Unable (A__c, B__c)",
                ),
            ),
            (
                400,
                part(
                    "REQUIRED_FIELD_MISSING",
                    "Required fields are missing: [LastName]",
                    &["LastName"],
                ),
                invalid(
                    "Salesforce 400 REQUIRED_FIELD_MISSING: Required fields are missing: [LastName] (LastName)",
                ),
            ),
            (
                404,
                part("NOT_FOUND", "x", &[]),
                SalesforceError::Gone("Salesforce 404 NOT_FOUND: x".into()),
            ),
            (
                400,
                part("CANNOT_UPDATE_CONVERTED_LEAD", "x", &[]),
                SalesforceError::Gone("Salesforce 400 CANNOT_UPDATE_CONVERTED_LEAD: x".into()),
            ),
            (
                300,
                json!([
                    "/services/data/v68.0/sobjects/Lead/00Q1",
                    "/services/data/v68.0/sobjects/Lead/00Q2"
                ]),
                exists(Some(record("Lead", "00Q1")), "Salesforce 300"),
            ),
            (
                400,
                part("DUPLICATES_DETECTED", "Use one of these records?", &[]),
                exists(None, "Salesforce 400 DUPLICATES_DETECTED: Use one of these records?"),
            ),
            (
                400,
                json!([{ "errorCode": "DUPLICATES_DETECTED", "message": "x", "duplicateResult": { "matchResults": [
                    { "matchRecords": [{ "record": { "attributes": { "type": "Account" }, "Id": "001" } }] },
                    { "matchRecords": [{ "record": { "attributes": { "type": "Contact" }, "Id": "003" } }] },
                ] } }]),
                exists(Some(record("Contact", "003")), "Salesforce 400 DUPLICATES_DETECTED: x"),
            ),
            (
                400,
                part("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "bad", &["LeadSource"]),
                SalesforceError::NotListed {
                    fields: vec!["LeadSource".into()],
                    message:
                        "Salesforce 400 INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: bad (LeadSource)"
                            .into(),
                },
            ),
            // A success status with an inner error is an error.
            (
                200,
                json!({ "success": false, "errors": [{ "statusCode": "UNABLE_TO_LOCK_ROW", "message": "busy" }] }),
                transient("Salesforce 200 UNABLE_TO_LOCK_ROW: busy"),
            ),
            (201, json!({ "success": false }), invalid("Salesforce 201")),
            (400, json!(7), invalid("Salesforce 400")),
            (400, json!([[]]), invalid("Salesforce 400")),
        ] {
            check(status, &body, &expected);
        }
    }
}
