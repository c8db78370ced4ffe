//! Salesforce's refusals: arrays of `{"message","errorCode","fields"}`.

use crate::exchange::{Answer, Request};
use serde_json::{Value, json};

/// What is wrong with a record: code, message, fields.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) fields: Vec<String>,
}

impl ApiError {
    pub(super) fn new(code: &'static str, message: impl Into<String>, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|name| (*name).to_owned()).collect();
        Self { code, message: message.into(), fields }
    }

    /// The response to a request about a single record.
    pub(super) fn answer(&self) -> Answer {
        let status = match self.code {
            "NOT_FOUND" | "ENTITY_IS_DELETED" => 404,
            _ => 400,
        };
        Answer::json(
            status,
            json!([{ "message": self.message, "errorCode": self.code, "fields": self.fields }]),
        )
    }

    /// An item in a collection's response, in which the code has another name.
    pub(super) fn part(&self) -> Value {
        json!({ "statusCode": self.code, "message": self.message, "fields": self.fields })
    }
}

/// A refusal without fields.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, json!([{ "message": message, "errorCode": code }]))
}

pub(super) fn not_found() -> Answer {
    error(404, "NOT_FOUND", "The requested resource does not exist")
}

pub(super) fn wrong_method(request: &Request) -> Answer {
    let message = format!("HTTP Method '{}' not allowed.", request.method);
    error(405, "METHOD_NOT_ALLOWED", &message)
}

/// The body as an object.
pub(super) fn body(request: &Request) -> Result<Value, Answer> {
    if !request.is_of_type("application/json") {
        let message = "The content type is not supported: application/json is";
        return Err(error(415, "UNSUPPORTED_MEDIA_TYPE", message));
    }
    let parsed: Result<Value, _> = serde_json::from_slice(&request.body);
    match parsed {
        Ok(body) if body.is_object() => Ok(body),
        Ok(_) => Err(error(400, "JSON_PARSER_ERROR", "an object is expected")),
        Err(wrong) => Err(error(400, "JSON_PARSER_ERROR", &wrong.to_string())),
    }
}
