//! Parses JSON from outside. Error messages never repeat the input.
//!
//! serde's errors quote the offending value, which may be someone's address. The errors here give
//! only the position and what was expected there.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// Why JSON cannot be read: what was expected, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{expectation} at line {line} column {column}")]
pub struct Unreadable {
    expectation: String,
    line: usize,
    column: usize,
}

/// Parses JSON from an untrusted sender.
///
/// # Errors
/// [`Unreadable`] if the text is not valid JSON or does not match `T`.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Unreadable> {
    Ok(serde_json::from_slice(text)?)
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        let text = text.strip_suffix(&place).unwrap_or(&text);
        let expectation = match error.classify() {
            Category::Data => expectation(text),
            // Syntax errors never quote the input.
            Category::Syntax | Category::Eof | Category::Io => text.to_owned(),
        };
        Self { expectation, line, column }
    }
}

/// Extracts the part of serde's message that does not contain the value: the text after the last ",
/// expected". Missing and duplicate fields are safe to name, because they are fields of our own
/// types. Any other message could quote the input.
fn expectation(text: &str) -> String {
    let is_of_member = ["missing field ", "duplicate field "].iter().any(|it| text.starts_with(it));
    let quotes = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant "];
    match text.rsplit_once(", expected ") {
        Some((problem, expected)) if quotes.iter().any(|it| problem.starts_with(it)) => {
            // Names of our types mean nothing to a caller.
            let expected = if expected.starts_with("struct ") { "an object" } else { expected };
            format!("expected {expected}")
        }
        _ if is_of_member => text.to_owned(),
        _ => "the value cannot be used".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only deserialized")]
    struct Body {
        text: String,
        small: Option<u8>,
        kind: Option<Kind>,
        either: Option<Either>,
        own: Option<Own>,
        pair: Option<(u8, u8)>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Form,
        Call,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "it is only deserialized")]
    enum Either {
        One(String),
        Several(Vec<String>),
    }

    #[derive(Debug)]
    struct Own;

    impl<'de> Deserialize<'de> for Own {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Err(serde::de::Error::custom(format!("`{text}` will not do")))
        }
    }

    fn check(text: &str, expected: &str) {
        let error = read::<Body>(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, expected, "{text}");
        assert!(!error.contains("marker"), "{error}");
    }

    #[test]
    fn place_and_expectation_without_the_value() {
        check("", "EOF while parsing a value at line 1 column 0");
        check("{\"text\": marker}", "expected value at line 1 column 10");
        check("{\"marker\" 1}", "expected `:` at line 1 column 11");
        check("[\"marker\"]", "expected an object at line 1 column 10");
        check("\"marker\"", "expected an object at line 1 column 8");
        check("{\"text\": 7}", "expected a string at line 1 column 10");
        check("{\"text\": [\"marker\"]}", "expected a string at line 1 column 9");
        check("{\n \"text\": \"\", \"small\": \"marker\"}", "expected u8 at line 2 column 30");
        check("{\"text\": \"\", \"small\": 700}", "expected u8 at line 1 column 25");
        check(
            "{\"text\": \"\", \"kind\": \"marker\"}",
            "expected `form` or `call` at line 1 column 29",
        );
        // A value that contains ", expected" itself.
        check(
            "{\"text\": \"\", \"kind\": \"a`, expected marker\"}",
            "expected `form` or `call` at line 1 column 42",
        );
        check(
            "{\"text\": \"\", \"either\": {\"marker\": 1}}",
            "the value cannot be used at line 1 column 37",
        );
        check(
            "{\"text\": \"\", \"own\": \"marker\"}",
            "the value cannot be used at line 1 column 29",
        );
        check(
            "{\"text\": \"\", \"own\": \"marker, expected x\"}",
            "the value cannot be used at line 1 column 41",
        );
        check("{\"marker\": 1}", "missing field `text` at line 1 column 13");
        check(
            "{\"text\": \"marker\", \"text\": \"\"}",
            "duplicate field `text` at line 1 column 25",
        );
    }
}
