//! SOQL queries and their results.

use super::error::{SalesforceError, incomplete_response};
use serde_json::Value;
use shared::time::parse_rfc3339;

/// Quotes and escapes any text.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for letter in text.chars() {
        match letter {
            '\'' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ => quoted.push(letter),
        }
    }
    quoted.push('\'');
    quoted
}

/// The path of a query.
pub(super) fn path(data: &str, soql: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
    format!("{data}/query?q={encoded}")
}

/// A page of a result.
#[derive(Debug)]
pub(super) struct Rows {
    /// The records.
    pub(super) records: Vec<Value>,
    /// The path of the next page.
    pub(super) next: Option<String>,
}

impl Rows {
    pub(super) fn read(mut body: Value) -> Result<Self, SalesforceError> {
        let next = match (&body["done"], &body["nextRecordsUrl"]) {
            (Value::Bool(false), Value::String(path)) if path.starts_with("/services/data/") => {
                Some(path.clone())
            }
            (Value::Bool(false), _) => return Err(incomplete_response("path of its next page")),
            _ => None,
        };
        match body.get_mut("records").map(Value::take) {
            Some(Value::Array(records)) => Ok(Self { records, next }),
            _ => Err(incomplete_response("list of records")),
        }
    }
}

/// A text that is present and not empty.
pub(super) fn text<'a>(row: &'a Value, name: &str) -> Option<&'a str> {
    row[name].as_str().filter(|text| !text.is_empty())
}

/// A record's id.
pub(super) fn id(row: &Value) -> Result<&str, SalesforceError> {
    text(row, "Id").ok_or_else(|| incomplete_response("Id of a record"))
}

/// A time such as `2026-11-21T10:15:03.000+0000`, Unix milliseconds.
pub(super) fn time(row: &Value, name: &str) -> Option<i64> {
    parse_rfc3339(text(row, name)?)
}

/// The beginning of a day in UTC, Unix milliseconds.
pub(super) fn day(row: &Value, name: &str) -> Option<i64> {
    parse_rfc3339(&format!("{}T00:00:00Z", text(row, name)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_stay_texts() {
        for (text, expected) in [
            ("lead@example.com", r"'lead@example.com'"),
            ("O'Hara", r"'O\'Hara'"),
            (r"x\", r"'x\\'"),
            (r"\' OR Id != '", r"'\\\' OR Id != \''"),
            ("a\nb\r\tc", r"'a\nb\r\tc'"),
            ("🎉%_\"", "'🎉%_\"'"),
            ("", "''"),
        ] {
            assert_eq!(quote(text), expected);
        }
        let path = path("/services/data/v68.0", "SELECT Id FROM Lead WHERE Email='a+b@é.example'");
        assert_eq!(
            path,
            "/services/data/v68.0/query?q=SELECT+Id+FROM+Lead+WHERE+Email%3D%27a%2Bb%40%C3%A9.example%27"
        );
    }

    #[test]
    fn times() {
        let row = json!({ "At": "2026-11-21T10:15:03.250+0000", "On": "2026-11-21", "No": null });
        assert_eq!(time(&row, "At"), Some(1_795_256_103_250));
        assert_eq!(day(&row, "On"), Some(1_795_219_200_000));
        assert_eq!((time(&row, "No"), time(&row, "On"), day(&row, "At")), (None, None, None));
    }

    #[test]
    fn pages() {
        let path = "/services/data/v68.0/query/01g-2000";
        for (body, expected) in [
            (json!({ "done": true, "records": [{}] }), Ok((1, None))),
            (json!({ "done": false, "records": [], "nextRecordsUrl": path }), Ok((0, Some(path)))),
            (json!({ "done": false, "records": [], "nextRecordsUrl": "@evil.example/" }), Err(())),
            (json!({ "done": false, "records": [] }), Err(())),
            (json!({ "done": true }), Err(())),
            (json!("<html>"), Err(())),
            (json!([]), Err(())),
        ] {
            let rows = Rows::read(body.clone());
            let found = rows.as_ref().map(|rows| (rows.records.len(), rows.next.as_deref()));
            assert_eq!(found.map_err(|_| ()), expected, "{body}");
        }
    }
    proptest::proptest! {
        /// Unescaping as Salesforce does yields the original text, and no quote ends it early.
        #[test]
        fn no_text_ends_early(text in ".{0,40}|['\\\\nr]{0,9}") {
            let quoted = quote(&text);
            let inner = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap();
            let (mut read, mut letters) = (String::new(), inner.chars());
            while let Some(letter) = letters.next() {
                proptest::prop_assert!(letter != '\'', "{quoted}");
                read.push(match letter {
                    '\\' => match letters.next().unwrap() {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        escaped => escaped,
                    },
                    letter => letter,
                });
            }
            proptest::prop_assert_eq!(read, text);
        }
    }
}
